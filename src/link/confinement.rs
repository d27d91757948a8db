//! A process gives up everything that it does not need, for good.
//!
//! Three layers, each of which would do alone where the kernel has it:
//!
//! - **Limits**: no new descriptor beyond a few, no new process, no byte written to any file, bounded address space,
//!   no core file. There since ever.
//! - **Landlock**: no path can be opened, made, removed or run; no TCP port reached, no abstract socket and no process
//!   outside signalled, as far as this kernel's version of it goes.
//! - **seccomp**: only the calls that are needed to read from what is open, to have memory and to end. No other call
//!   reaches the kernel; it fails with `EPERM`, which a program that was taken over can do nothing with.
//!
//! What never happens: a layer that the kernel has is left out because another one failed, or one that is missing
//! is passed over without a word.

use std::collections::BTreeMap;
use std::io;

use landlock::{ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, Scope};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// Address space, in bytes: for the program, and for what a package's largest headers become.
pub const ADDRESS_SPACE: u64 = 2 << 30;

/// Descriptors: the standard ones, and what is passed.
const DESCRIPTORS: u64 = 16;

/// One of the layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Bounded resources.
    Limits,
    /// No path, no port, nobody else.
    Landlock,
    /// No call but the needed ones.
    Seccomp,
}

impl Layer {
    /// All of them, in the order in which they are put on: the last one allows no other.
    pub const ALL: [Self; 3] = [Self::Limits, Self::Landlock, Self::Seccomp];

    /// As it is called in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Limits => "limits",
            Self::Landlock => "Landlock",
            Self::Seccomp => "seccomp",
        }
    }

    /// Why it is not in force, or not all of it, after it was put on.
    fn put_on(self) -> Option<String> {
        match self {
            Self::Limits => limits().err().map(|error| error.to_string()),
            Self::Landlock => landlock().unwrap_or_else(|error| Some(error.to_string())),
            Self::Seccomp => seccomp().err(),
        }
    }
}

/// What confines this process now: layers, and why one is not in force, if it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confined(Vec<(Layer, Option<String>)>);

impl Confined {
    /// One line: what is in force, and what is not and why.
    pub fn sentence(&self) -> String {
        let layer = |(layer, missing): &(Layer, Option<String>)| match missing {
            None => layer.as_str().to_owned(),
            Some(why) => format!("NOT {} ({why})", layer.as_str()),
        };
        self.0.iter().map(layer).collect::<Vec<_>>().join(", ")
    }
}

/// Confines this process, which must have no other thread, and says how far that went. All layers, but for those who
/// want to see what one does alone.
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
        // Somebody may have set a lower one, which cannot be raised again.
        let most = getrlimit(resource).maximum.map_or(most, |lower| lower.min(most));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// `None`: everything that this program knows of is in force.
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

/// Calls without which nothing goes on, on any machine.
const CALLS: [libc::c_long; 30] = [
    // From and to what is open.
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
    // Numbers and the time.
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
];

fn seccomp() -> Result<(), String> {
    let arch = std::env::consts::ARCH.try_into().map_err(|_| format!("no filter for {}", std::env::consts::ARCH))?;
    let text = |error: seccompiler::BackendError| error.to_string();
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = CALLS.iter().map(|call| (*call, Vec::new())).collect();
    // Memory that can be run is memory into which somebody has put a program.
    let exec = u64::from(libc::PROT_EXEC.unsigned_abs());
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        let not_to_run = SeccompCondition::new(2, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(exec), 0);
        rules.insert(call, vec![SeccompRule::new(vec![not_to_run.map_err(text)?]).map_err(text)?]);
    }
    // It may end itself and nobody else: the second argument of an abort is this process.
    let own = u64::from(std::process::id());
    let itself = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, own).map_err(text)?;
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![itself]).map_err(text)?]);
    let denied = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules, denied, SeccompAction::Allow, arch).map_err(text)?;
    let program: BpfProgram = filter.try_into().map_err(text)?;
    seccompiler::apply_filter(&program).map_err(|error| error.to_string())
}
