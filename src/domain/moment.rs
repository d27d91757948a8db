//! One moment by the two clocks.
//!
//! Deadlines of people and dates are of the wall clock. Waits (exposure, grace, quarantine) count elapsed time: it goes on
//! only while the daemon runs, whatever the wall clock says, so a clock that jumps ends no wait.

use jiff::Timestamp;

/// One moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// By the wall clock.
    pub wall: Timestamp,
    /// By elapsed time.
    pub elapsed: Timestamp,
}

impl Moment {
    /// The moment at which elapsed time will be this, if nothing is in its way.
    #[must_use]
    pub fn when(self, elapsed: Timestamp) -> Self {
        let wall = self.wall.checked_add(elapsed.duration_since(self.elapsed));
        Self { wall: wall.unwrap_or(Timestamp::MAX), elapsed }
    }
}
