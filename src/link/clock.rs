//! The only place that asks for the time.
//!
//! Code that needs the time is given a [`Clock`]; a test passes one that it controls.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// Where the time comes from.
#[derive(Clone, Copy, Debug, Default)]
pub enum Clock {
    /// The system clock.
    #[default]
    System,
    /// The system clock plus an offset set by a test.
    ByHand(&'static Hand),
}

/// An offset from the system clock.
#[derive(Debug, Default)]
pub struct Hand {
    passed: Mutex<(Duration, SignedDuration)>,
}

impl Hand {
    /// Advances both clocks.
    pub fn pass(&self, span: Duration) {
        self.passed().0 += span;
    }

    /// Changes the wall clock alone.
    pub fn set_wall(&self, by: SignedDuration) {
        self.passed().1 += by;
    }

    fn passed(&self) -> std::sync::MutexGuard<'_, (Duration, SignedDuration)> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock {
    /// The wall clock: for entries, signatures and ages that people see.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn now(self) -> Timestamp {
        let now = Timestamp::now();
        let Self::ByHand(hand) = self else { return now };
        let (passed, set) = *hand.passed();
        now.checked_add(passed).and_then(|now| now.checked_add(set)).unwrap_or(Timestamp::MAX)
    }

    /// A clock that only goes forward: for quiet times and waits.
    pub fn monotonic(self) -> Instant {
        let now = Instant::now();
        let Self::ByHand(hand) = self else { return now };
        now.checked_add(hand.passed().0).unwrap_or(now)
    }

    /// How long ago a reading of the monotonic clock was.
    pub fn since(self, earlier: Instant) -> Duration {
        self.monotonic().saturating_duration_since(earlier)
    }
}
