"""Runs a program and counts, over all its threads, the calls with which it changes files.

    calls.py CONTROL REPORT ROOT... -- PROGRAM [ARGUMENT...]

What strace counts for each thread on its own is counted here for the whole process, so "before the n-th call" names
one instant. The process that is started becomes the program; the tracer is a process of its own that ends with it,
and when the tracer dies, the program is killed.

CONTROL is read again whenever it is another file than before (put a new one in its place by rename). One line:

    off             nothing is counted (the same as no file)
    count           calls are counted from here on
    kill N          before the N-th of them the program is killed; the call does not happen
    ERRNO N once    the N-th fails with this error and does not happen
    ERRNO N on      so does every one from the N-th on, until the file says something else
    lie N once|on   the same, but it claims to have succeeded; only calls that sync are counted

REPORT gets a line for each call that was counted: its number, its name, its file, and what was done to it.

Counted are calls that open a file to create it, rename, link, unlink, make or remove directories, change a mode, an
owner or a time, sync, write or cut a file, each only when the file lies below a ROOT. seccomp stops the program at no
other call. For x86_64.
"""

import ctypes
import errno
import os
import signal
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long] * 4

CONT, GETREGS, SETREGS, SEIZE, LISTEN = 7, 12, 13, 0x4206, 0x4208
# Clones, forks, vforks, execs and seccomp are reported, and the program does not survive its tracer.
OPTIONS = 0x2 | 0x4 | 0x8 | 0x10 | 0x80 | 0x100000
EVENT_SECCOMP, EVENT_STOP = 7, 128
ALL_THREADS = 0x40000000
REGISTERS = ctypes.c_ulonglong * 27
RAX, ORIG_RAX = 10, 15
# Registers of the arguments, first to fourth.
ARGUMENTS = (14, 13, 12, 7)
# O_CREAT, and O_TMPFILE without the O_DIRECTORY in it.
CREATES = 0o100 | 0o20000000

# number: name, which argument is the path, or minus one minus which is the descriptor
CALLS = {
    2: ("open", 0), 85: ("creat", 0), 257: ("openat", 1), 437: ("openat2", 1),
    82: ("rename", 1), 264: ("renameat", 3), 316: ("renameat2", 3),
    86: ("link", 1), 265: ("linkat", 3), 88: ("symlink", 1), 266: ("symlinkat", 2),
    87: ("unlink", 0), 263: ("unlinkat", 1), 84: ("rmdir", 0), 83: ("mkdir", 0), 258: ("mkdirat", 1),
    90: ("chmod", 0), 268: ("fchmodat", 1), 452: ("fchmodat2", 1), 91: ("fchmod", -1),
    92: ("chown", 0), 260: ("fchownat", 1), 93: ("fchown", -1),
    280: ("utimensat", -1), 190: ("fsetxattr", -1), 76: ("truncate", 0), 77: ("ftruncate", -1), 285: ("fallocate", -1),
    74: ("fsync", -1), 75: ("fdatasync", -1), 277: ("sync_file_range", -1),
    1: ("write", -1), 20: ("writev", -1), 18: ("pwrite64", -1), 296: ("pwritev", -1), 328: ("pwritev2", -1),
    326: ("copy_file_range", -3), 40: ("sendfile", -1),
}
SYNCS = {74, 75, 277}
# Where the flags of an opening call stand.
FLAGS = {2: 1, 257: 2}


def filter_of_seccomp():
    """A program for the kernel: stop at the calls above, at openings only if they create, and let all else pass."""
    load = lambda offset: (0x20, 0, 0, offset)
    trace, allow = (0x06, 0, 0, 0x7FF00000), (0x06, 0, 0, 0x7FFF0000)
    code = [load(4), (0x15, 1, 0, 0xC000003E), allow, load(0)]
    for number in CALLS:
        if number in FLAGS:
            argument = 16 + 8 * FLAGS[number]
            code += [(0x15, 0, 4, number), load(argument), (0x45, 0, 1, CREATES), trace, allow]
        else:
            code += [(0x15, 0, 1, number), trace]
    code.append(allow)
    return b"".join(struct.pack("HBBI", *line) for line in code)


def confine():
    """Puts the filter in force for this process and what it becomes."""
    code = filter_of_seccomp()
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    held = ctypes.create_string_buffer(program, len(program))
    nothing = ctypes.c_ulong(0)
    libc.prctl(38, ctypes.c_ulong(1), nothing, nothing, nothing)
    if libc.prctl(22, ctypes.c_ulong(2), ctypes.c_ulong(ctypes.addressof(held)), nothing, nothing) != 0:
        sys.exit("no filter: " + os.strerror(ctypes.get_errno()))


class Orders:
    """What CONTROL says now."""

    def __init__(self, path):
        self.path, self.seen = path, None
        self.read_line("off")

    def read_line(self, line):
        words = line.split()
        self.what = words[0]
        self.at = int(words[1]) if len(words) > 1 else 0
        self.stays = len(words) > 2 and words[2] == "on"
        self.count = 0

    def look(self):
        try:
            state = os.stat(self.path)
        except FileNotFoundError:
            return
        if (state.st_ino, state.st_mtime_ns) != self.seen:
            self.seen = (state.st_ino, state.st_mtime_ns)
            with open(self.path, encoding="ascii") as file:
                self.read_line(file.read())

    def strikes(self):
        return self.count == self.at or (self.stays and self.count > self.at)


class Tracer:
    def __init__(self, program, control, report, roots):
        self.program, self.orders, self.roots = program, Orders(control), roots
        self.report = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def subject(self, thread, number, registers):
        """The name of the file that a call is about; None for what is no file of ours."""
        argument = CALLS[number][1]
        try:
            if argument < 0:
                path = os.readlink(f"/proc/{thread}/fd/{ctypes.c_int(registers[ARGUMENTS[-1 - argument]]).value}")
                return path if any(path.startswith(root) for root in self.roots) else None
            with open(f"/proc/{thread}/mem", "rb", 0) as memory:
                if number == 437 and not self.creates(memory, registers[ARGUMENTS[2]]):
                    return None
                memory.seek(registers[ARGUMENTS[argument]])
                path = memory.read(300).split(b"\0")[0].decode(errors="replace")
            if not path.startswith("/") and "at" in CALLS[number][0]:
                path = self.directory(thread, registers[ARGUMENTS[argument - 1]]) + "/" + path
            return path if any(path.startswith(root) for root in self.roots) else None
        except (OSError, OverflowError, ValueError):
            return None

    @staticmethod
    def directory(thread, descriptor):
        descriptor = ctypes.c_int(descriptor).value
        return os.readlink(f"/proc/{thread}/cwd" if descriptor == -100 else f"/proc/{thread}/fd/{descriptor}")

    @staticmethod
    def creates(memory, how):
        memory.seek(how)
        return struct.unpack("Q", memory.read(8))[0] & CREATES != 0

    def stopped(self, thread):
        """One of the calls is about to be made."""
        orders = self.orders
        orders.look()
        if orders.what == "off":
            return
        registers = REGISTERS()
        libc.ptrace(GETREGS, thread, 0, ctypes.addressof(registers))
        number = registers[ORIG_RAX]
        if number not in CALLS or (orders.what == "lie" and number not in SYNCS):
            return
        path = self.subject(thread, number, registers)
        if path is None:
            return
        orders.count += 1
        done = orders.what if orders.what != "count" and orders.strikes() else ""
        os.write(self.report, f"{orders.count} {CALLS[number][0]} {path} {done}\n".encode())
        if done == "kill":
            os.kill(self.program, signal.SIGKILL)
        elif done:
            answer = 0 if done == "lie" else -getattr(errno, done)
            registers[ORIG_RAX] = ctypes.c_ulonglong(-1).value
            registers[RAX] = ctypes.c_ulonglong(answer).value
            libc.ptrace(SETREGS, thread, 0, ctypes.addressof(registers))

    def follow(self):
        while True:
            try:
                thread, status = os.waitpid(-1, ALL_THREADS)
            except ChildProcessError:
                return
            if not os.WIFSTOPPED(status):
                continue
            stop, event, hand = os.WSTOPSIG(status), status >> 16, 0
            if event == EVENT_SECCOMP:
                self.stopped(thread)
            elif event == EVENT_STOP and stop != signal.SIGTRAP:
                # The whole program was stopped by a signal, and stays so until it is told to go on.
                libc.ptrace(LISTEN, thread, 0, 0)
                continue
            elif event == 0:
                hand = stop
            libc.ptrace(CONT, thread, 0, hand)


def main():
    split = sys.argv.index("--")
    (control, report, *roots), program = sys.argv[1:split], sys.argv[split + 1:]
    parent, (ready, ring) = os.getpid(), os.pipe()
    libc.prctl(0x59616D61, ctypes.c_ulong(ctypes.c_ulong(-1).value), 0, 0, 0)
    child = os.fork()
    if child == 0:
        # A grandchild, so that the program never sees a child that it did not start.
        if os.fork() != 0:
            os._exit(0)
        os.setsid()
        os.close(ready)
        if libc.ptrace(SEIZE, parent, 0, OPTIONS) != 0:
            os.write(2, f"no tracer: {os.strerror(ctypes.get_errno())}\n".encode())
            os._exit(1)
        os.write(ring, b"1")
        os.close(ring)
        Tracer(parent, control, report, roots).follow()
        os._exit(0)
    os.waitpid(child, 0)
    os.close(ring)
    if os.read(ready, 1) != b"1":
        sys.exit("the tracer did not come up")
    os.close(ready)
    confine()
    os.execv(program[0], program)


main()
