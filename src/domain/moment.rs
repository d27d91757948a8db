//! A moment on both clocks.
//!
//! People's deadlines and dates use the wall clock. Waits (exposure, grace, quarantine) use elapsed time: it passes
//! only while the daemon runs, whatever the wall clock says, so a jump of the clock ends no wait. Each has a type of
//! its own, so that they cannot be mixed up.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A point in elapsed time. It is recorded as a timestamp, which is the wall clock's of the first start plus the time
/// that has passed since then while the daemon ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Elapsed(Timestamp);

impl Elapsed {
    /// The one that was recorded as this timestamp.
    #[must_use]
    pub const fn recorded(timestamp: Timestamp) -> Self {
        Self(timestamp)
    }

    /// The wall clock's time, taken for elapsed time where no other is known. The caller says why this is right.
    #[must_use]
    pub const fn from_wall(wall: Timestamp) -> Self {
        Self(wall)
    }

    /// The timestamp as which it is recorded.
    #[must_use]
    pub const fn timestamp(self) -> Timestamp {
        self.0
    }

    /// How much time has passed since `earlier`; negative if that is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> SignedDuration {
        self.0.duration_since(earlier.0)
    }

    /// The one after this span; the last possible one if there is none.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.checked_add(span).unwrap_or(Timestamp::MAX))
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Elapsed {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// On the wall clock.
    pub wall: Timestamp,
    /// In elapsed time.
    pub elapsed: Elapsed,
}

impl Moment {
    /// The moment at which elapsed time will have this value, if the daemon keeps running.
    #[must_use]
    pub fn when(self, elapsed: Elapsed) -> Self {
        let wall = self.wall.checked_add(elapsed.since(self.elapsed));
        Self { wall: wall.unwrap_or(Timestamp::MAX), elapsed }
    }

    /// The moment at which the wall clock will show this, if nobody sets it meanwhile.
    #[must_use]
    pub fn when_shown(self, wall: Timestamp) -> Self {
        let span = Duration::try_from(wall.duration_since(self.wall)).unwrap_or_default();
        Self { wall, elapsed: self.elapsed.plus(span) }
    }
}

/// The earliest moment of something, by the clock that counts for it. The other one is a guess: it holds if the wall
/// clock is not set and the daemon keeps running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotBefore {
    /// When so much time has passed: the end of a wait.
    Elapsed(Moment),
    /// When the wall clock shows it: an opening of the calendar.
    Wall(Moment),
}

impl NotBefore {
    /// The moment on both clocks.
    #[must_use]
    pub fn moment(self) -> Moment {
        match self {
            Self::Elapsed(moment) | Self::Wall(moment) => moment,
        }
    }

    /// The elapsed time, if that counts.
    #[must_use]
    pub fn elapsed(self) -> Option<Elapsed> {
        match self {
            Self::Elapsed(moment) => Some(moment.elapsed),
            Self::Wall(_) => None,
        }
    }

    /// The time on the wall clock, if that counts.
    #[must_use]
    pub fn wall(self) -> Option<Timestamp> {
        match self {
            Self::Elapsed(_) => None,
            Self::Wall(moment) => Some(moment.wall),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elapsed_time_is_recorded_as_the_timestamp_that_it_holds() {
        for text in ["2026-12-06T08:00:00Z", "1970-01-01T00:00:00.12Z"] {
            let at: Timestamp = text.parse().expect("a time");
            let elapsed = Elapsed::recorded(at);
            assert_eq!((elapsed.timestamp(), elapsed.to_string()), (at, text.to_owned()));
            assert_eq!(text.parse::<Elapsed>().expect("read"), elapsed);
            let json = serde_json::to_string(&elapsed).expect("a string");
            assert_eq!(json, serde_json::to_string(&at).expect("a string"));
            assert_eq!(serde_json::from_str::<Elapsed>(&json).expect("read"), elapsed);
        }
    }

    #[test]
    fn a_time_on_the_wall_is_as_far_away_by_elapsed_time() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let now = Moment { wall: at(1_000), elapsed: Elapsed::recorded(at(400)) };
        assert_eq!(now.when_shown(at(1_060)), Moment { wall: at(1_060), elapsed: Elapsed::recorded(at(460)) });
        assert_eq!(now.when(Elapsed::recorded(at(460))), now.when_shown(at(1_060)));
        assert_eq!(now.when_shown(at(1)).elapsed, now.elapsed, "what is over is now");
        assert!(now.when_shown(Timestamp::MAX).elapsed > now.elapsed);
    }

    #[test]
    fn no_span_goes_beyond_the_last_time() {
        let start = Elapsed::default();
        assert_eq!(start.plus(Duration::from_secs(7)).since(start), SignedDuration::from_secs(7));
        assert_eq!(start.since(start.plus(Duration::from_secs(7))), SignedDuration::from_secs(-7));
        assert_eq!(start.plus(Duration::MAX).timestamp(), Timestamp::MAX);
    }
}
