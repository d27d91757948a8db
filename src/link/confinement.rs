//! A process permanently gives up everything that it does not need.
//!
//! Three layers, each of which would be enough where the kernel supports it:
//!
//! - **Limits**: only a few descriptors, no new process, no byte written to any file, bounded address space, no core
//!   file. Every kernel has these.
//! - **Landlock**: no path can be opened, created, removed or executed; no TCP port reached, no abstract socket or
//!   outside process signalled, as far as this kernel's version supports it.
//! - **seccomp**: only the system calls needed to read open files, to manage memory and to exit. Any other call fails
//!   with `EPERM` without reaching the kernel, so a compromised program cannot make use of it.
//!
//! What never happens: a supported layer is left out because another one failed, or a missing one goes unreported.

use std::collections::BTreeMap;
use std::io;

use landlock::{ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, Scope};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// Address space, in bytes: for the program, and for processing a package's largest headers.
pub const ADDRESS_SPACE: u64 = 2 << 30;

/// Descriptors: the standard ones, and the one that is passed.
const DESCRIPTORS: u64 = 16;

/// One of the layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Bounded resources.
    Limits,
    /// No path, no port, no other process.
    Landlock,
    /// No system call but the necessary ones.
    Seccomp,
}

impl Layer {
    /// All of them, in the order in which they are applied: the last one forbids applying others.
    pub const ALL: [Self; 3] = [Self::Limits, Self::Landlock, Self::Seccomp];

    /// Its name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Limits => "limits",
            Self::Landlock => "Landlock",
            Self::Seccomp => "seccomp",
        }
    }

    /// Applies it; returns why it is not, or only partly, in effect.
    fn put_on(self) -> Option<String> {
        match self {
            Self::Limits => limits().err().map(|error| error.to_string()),
            Self::Landlock => landlock().unwrap_or_else(|error| Some(error.to_string())),
            Self::Seccomp => seccomp().err(),
        }
    }
}

/// What confines this process: the layers, and for each why it is not in effect, if so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confined(Vec<(Layer, Option<String>)>);

impl Confined {
    /// One line: what is in effect, and what is not and why.
    pub fn sentence(&self) -> String {
        let layer = |(layer, missing): &(Layer, Option<String>)| match missing {
            None => layer.as_str().to_owned(),
            Some(why) => format!("NOT {} ({why})", layer.as_str()),
        };
        self.0.iter().map(layer).collect::<Vec<_>>().join(", ")
    }
}

/// Confines this process, which must have no other thread, and returns how far that went. All layers, except in tests
/// of single ones.
pub fn confine(layers: &[Layer]) -> Confined {
    Confined(layers.iter().map(|layer| (*layer, layer.put_on())).collect())
}

fn limits() -> io::Result<()> {
    for (resource, most) in [
        (Resource::As, ADDRESS_SPACE),
        (Resource::Nofile, DESCRIPTORS),
        (Resource::Nproc, 0),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ] {
        // There may be a lower limit already, which cannot be raised.
        let most = getrlimit(resource).maximum.map_or(most, |lower| lower.min(most));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// `None`: everything that this program knows of is in effect.
fn landlock() -> Result<Option<String>, landlock::RulesetError> {
    let newest = ABI::V6;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(newest))?
        .handle_access(AccessNet::from_all(newest))?
        .scope(Scope::from_all(newest))?
        .create()?
        .restrict_self()?;
    Ok(match status.ruleset {
        landlock::RulesetStatus::FullyEnforced => None,
        landlock::RulesetStatus::PartiallyEnforced => Some("this kernel has only an older version".to_owned()),
        landlock::RulesetStatus::NotEnforced => Some("not supported by this kernel".to_owned()),
    })
}

/// Calls that are always needed, on any machine.
const CALLS: [libc::c_long; 30] = [
    // Reading and writing what is open.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_fcntl,
    libc::SYS_recvmsg,
    libc::SYS_recvfrom,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_ppoll,
    // Memory.
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    // This thread and its end.
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Random numbers and the time.
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
];

fn seccomp() -> Result<(), String> {
    let arch = std::env::consts::ARCH.try_into().map_err(|_| format!("no filter for {}", std::env::consts::ARCH))?;
    let text = |error: seccompiler::BackendError| error.to_string();
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = CALLS.iter().map(|call| (*call, Vec::new())).collect();
    // Executable memory could hold an injected program.
    let exec = u64::from(libc::PROT_EXEC.unsigned_abs());
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        let not_to_run = SeccompCondition::new(2, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(exec), 0);
        rules.insert(call, vec![SeccompRule::new(vec![not_to_run.map_err(text)?]).map_err(text)?]);
    }
    // It may signal only itself: the first argument must be its own process id.
    let own = u64::from(std::process::id());
    let itself = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, own).map_err(text)?;
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![itself]).map_err(text)?]);
    let denied = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules, denied, SeccompAction::Allow, arch).map_err(text)?;
    let program: BpfProgram = filter.try_into().map_err(text)?;
    seccompiler::apply_filter(&program).map_err(|error| error.to_string())
}
