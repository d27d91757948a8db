//! How long a campaign is, as the environment says, whether it still goes on, and what it has found.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

/// What a variable says, if it is set.
pub(crate) fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// The same, of something that is counted.
pub(crate) fn count(name: &str) -> Option<usize> {
    number(name).map(|number| usize::try_from(number).unwrap())
}

/// Whether everything is to be run at full length.
pub(crate) fn is_long() -> bool {
    std::env::var("ROLLOUTD_LONG").is_ok_and(|v| v == "1")
}

/// The seed: the one that is given, or one that nobody has had.
pub(crate) fn seed() -> u64 {
    number("ROLLOUTD_SEED").unwrap_or_else(|| u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap())
}

/// What the threads of a campaign share: whether it goes on, and what was wrong so far.
#[derive(Default)]
pub(crate) struct Course {
    over: AtomicBool,
    wrong: Mutex<Vec<String>>,
}

impl Course {
    pub(crate) fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(crate) fn complain(&self, what: String) {
        eprintln!("WRONG: {what}");
        self.wrong.lock().unwrap().push(what);
    }

    pub(crate) fn wrong(&self) -> MutexGuard<'_, Vec<String>> {
        self.wrong.lock().unwrap()
    }
}

/// Ends a course when it goes out of scope, so that nobody waits for ever for threads whose test has failed.
pub(crate) struct Ending<'a>(pub(crate) &'a Course);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
