//! The time, the only place that asks for it.

use std::time::Instant;

use jiff::Timestamp;

/// Where the time comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock;

impl Clock {
    /// The wall clock: for entries, signatures and ages that people see.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn now(self) -> Timestamp {
        Timestamp::now()
    }

    /// A clock that only goes forward: for quiet times and waits.
    pub fn monotonic(self) -> Instant {
        Instant::now()
    }
}
