//! A moment on both clocks.
//!
//! People's deadlines and dates use the wall clock. Waits (exposure, grace, quarantine) use elapsed time: it passes
//! only while the daemon runs, whatever the wall clock says, so a jump of the clock ends no wait.

use jiff::Timestamp;

/// A moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// On the wall clock.
    pub wall: Timestamp,
    /// In elapsed time.
    pub elapsed: Timestamp,
}

impl Moment {
    /// The moment at which elapsed time will have this value, if the daemon keeps running.
    #[must_use]
    pub fn when(self, elapsed: Timestamp) -> Self {
        let wall = self.wall.checked_add(elapsed.duration_since(self.elapsed));
        Self { wall: wall.unwrap_or(Timestamp::MAX), elapsed }
    }
}
