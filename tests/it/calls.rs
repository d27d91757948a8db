//! The daemon's calls that change files, counted over all its threads, and the n-th of them struck.
//!
//! strace counts for each thread on its own, so "the n-th call" is not one instant there. `calls.py` counts for the
//! whole process, kills before a call, or makes it fail; here is how tests speak to it.
#![expect(clippy::disallowed_methods, reason = "tests write into their own temporary directories")]

use crate::peers;
use crate::site::Site;
use std::fs;
use std::path::PathBuf;

/// What shall happen at the n-th call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Nothing; calls are not even counted.
    Off,
    /// Nothing; calls are counted from here on.
    Count,
    /// The daemon dies before this call.
    Kill(usize),
    /// This call fails with an error, or a sync only claims to have worked ("lie").
    Fail(&'static str, usize),
    /// So does every one after it, until another order is given.
    FailFrom(&'static str, usize),
}

/// Whether calls can be counted here; says what is missing.
pub(crate) fn can_be_counted() -> bool {
    if !cfg!(target_arch = "x86_64") {
        eprintln!("left out: calls are counted on x86_64 only");
        return false;
    }
    peers::have(&["python3"])
}

/// The calls of a site's daemon.
pub(crate) struct Calls {
    control: PathBuf,
    report: PathBuf,
}

impl Calls {
    /// The next start of the site's daemon will be watched.
    pub(crate) fn watch(site: &mut Site, order: Order) -> Self {
        let calls = Self { control: site.path("calls.control"), report: site.path("calls.report") };
        let _ = fs::remove_file(&calls.report);
        calls.order(order);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/calls.py");
        let places = [&calls.control, &calls.report, &site.path("root"), &site.path("state"), &site.path("incoming")];
        let mut words = vec!["/usr/bin/python3".to_owned(), script.to_owned()];
        words.extend(places.map(|path| path.display().to_string()));
        words.push("--".to_owned());
        site.under = words;
        calls
    }

    /// Holds from the next call on; the count begins anew.
    pub(crate) fn order(&self, order: Order) {
        let text = match order {
            Order::Off => "off".to_owned(),
            Order::Count => "count".to_owned(),
            Order::Kill(n) => format!("kill {n}"),
            Order::Fail(error, n) => format!("{error} {n} once"),
            Order::FailFrom(error, n) => format!("{error} {n} on"),
        };
        let new = self.control.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, &self.control).unwrap();
    }

    /// The calls that were counted, one line for each.
    pub(crate) fn counted(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.report).unwrap_or_default();
        text.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// The numbers of the calls before which a kill leaves what none before it has left: all but those that follow
    /// a sync, or a call on a file that has no name.
    pub(crate) fn distinct(calls: &[String]) -> Vec<usize> {
        let changes_nothing = |call: &String| {
            let mut words = call.split(' ').skip(1);
            words.next().is_some_and(|name| name.contains("sync")) || call.ends_with("(deleted)")
        };
        let after_nothing = std::iter::once(false).chain(calls.iter().map(changes_nothing));
        after_nothing.zip(1..=calls.len()).filter(|(same, _)| !same).map(|(_, number)| number).collect()
    }

    /// The first call that was struck.
    pub(crate) fn struck(&self) -> Option<String> {
        let done = ["kill", "lie", "ENOSPC", "EDQUOT", "EIO", "EMFILE", "EROFS"];
        self.counted().into_iter().find(|line| line.rsplit(' ').next().is_some_and(|word| done.contains(&word)))
    }
}
