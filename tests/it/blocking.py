#!/usr/bin/env python3
"""A file system with one file in it, which tells everything of it and never its content.

Usage: blocking.py MOUNTPOINT NAME SIZE

Speaks with the kernel itself (linux/fuse.h), mounts at MOUNTPOINT, and prints "mounted", and "asked" whenever
somebody begins to read the file. Ends when it is no longer mounted. Needs root.
"""

import ctypes
import errno
import os
import stat
import struct
import sys

HEADER = struct.Struct("<IIQQIIIHH")
LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS, RELEASE, FLUSH, INIT = 1, 2, 3, 14, 15, 17, 18, 25, 26
OPENDIR, READDIR, RELEASEDIR, ACCESS, INTERRUPT, DESTROY, BATCH_FORGET = 27, 28, 29, 34, 36, 38, 42
ROOT, FILE = 1, 2
NO_ANSWER = {FORGET, BATCH_FORGET, INTERRUPT, READ}
EMPTY = {RELEASE, RELEASEDIR, FLUSH, ACCESS, DESTROY}


def mount(place):
    device = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    if libc.mount(b"blocking", os.fsencode(place), b"fuse", 0, options.encode()) != 0:
        sys.exit(f"blocking.py: cannot mount: {os.strerror(ctypes.get_errno())}")
    return device


def attributes(node, size):
    mode, links = (stat.S_IFDIR | 0o755, 2) if node == ROOT else (stat.S_IFREG | 0o644, 1)
    size, blocks, time = (0, 0, 1) if node == ROOT else (size, size // 512 + 1, 1_000_000_000)
    times = (time, time, time, 0, 0, 0)
    return struct.pack("<QQQQQQIIIIIIIIII", node, size, blocks, *times, mode, links, 0, 0, 0, 4096, 0)


def entries(name, offset):
    listed = b""
    for number, (node, kind, word) in enumerate([(ROOT, 4, b"."), (ROOT, 4, b".."), (FILE, 8, name)], 1):
        if number > offset:
            listed += struct.pack("<QQII", node, number, len(word), kind) + word.ljust(-(-len(word) // 8) * 8, b"\0")
    return listed


def answer(code, node, body, name, size):
    """What is said to a request: an error, or octets."""
    if code == INIT:
        return struct.pack("<IIIIHHIIHHI28x", 7, 31, 0, 0, 12, 10, 4096, 1, 0, 0, 0)
    if code == LOOKUP:
        if node != ROOT or body.rstrip(b"\0") != name:
            return -errno.ENOENT
        return struct.pack("<QQQQII", FILE, 0, 1, 1, 0, 0) + attributes(FILE, size)
    if code == GETATTR:
        return struct.pack("<QII", 1, 0, 0) + attributes(node, size)
    if code in (OPEN, OPENDIR):
        return struct.pack("<QII", 0, 0, 0)
    if code == READDIR:
        return entries(name, struct.unpack_from("<Q", body, 8)[0])
    if code == STATFS:
        return struct.pack("<QQQQQIIII24x", 0, 0, 0, 0, 0, 4096, 255, 4096, 0)
    return b"" if code in EMPTY else -errno.ENOSYS


def main():
    place, name, size = sys.argv[1], os.fsencode(sys.argv[2]), int(sys.argv[3])
    device = mount(place)
    print("mounted", flush=True)
    while True:
        try:
            request = os.read(device, 1 << 20)
        except OSError as error:
            if error.errno == errno.ENODEV:
                return
            if error.errno in (errno.EINTR, errno.ENOENT, errno.EAGAIN):
                continue
            raise
        _, code, unique, node, *_ = HEADER.unpack_from(request)
        if code == READ:
            print("asked", flush=True)
        if code in NO_ANSWER:
            continue
        said = answer(code, node, request[HEADER.size :], name, size)
        error, words = (said, b"") if isinstance(said, int) else (0, said)
        os.write(device, struct.pack("<IiQ", 16 + len(words), error, unique) + words)


main()
