//! Finds the programs and the corpus that some tests need, and says what is missing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Whether a missing counterpart fails the run instead of leaving a test out.
fn required() -> bool {
    std::env::var_os("ROLLOUTD_REQUIRE_PEERS").is_some_and(|v| v == "1")
}

/// The corpus of other people's packages, or `None` with a word about it.
pub(crate) fn corpus() -> Option<PathBuf> {
    let place = std::env::var_os("ROLLOUTD_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"), PathBuf::from);
    if place.join("MANIFEST.tsv").is_file() {
        return Some(place);
    }
    // The corpus is no part of the project and cannot be installed, so its absence never fails.
    eprintln!("left out: no corpus of packages at {} (set ROLLOUTD_CORPUS)", place.display());
    None
}

/// Whether all `programs` are there; says which is not.
///
/// # Panics
/// When one is missing and `ROLLOUTD_REQUIRE_PEERS=1` asks for all.
pub(crate) fn have(programs: &[&str]) -> bool {
    let missing: Vec<&str> = programs.iter().copied().filter(|p| !installed(p)).collect();
    if missing.is_empty() {
        return true;
    }
    assert!(!required(), "needed and not installed: {}", missing.join(", "));
    eprintln!("left out: not installed: {}", missing.join(", "));
    false
}

/// Whether these tests run as root, which `what` needs.
///
/// # Panics
/// When they do not and `ROLLOUTD_REQUIRE_PEERS=1` asks for everything.
pub(crate) fn root(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    assert!(root || !required(), "root is needed for {what}");
    if !root {
        eprintln!("left out: not root, which is needed for {what}");
    }
    root
}

fn installed(program: &str) -> bool {
    let found = |dir: &str| Path::new(dir).join(program).is_file();
    ["/usr/bin", "/usr/sbin", "/bin", "/sbin"].into_iter().any(found)
        || Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}
