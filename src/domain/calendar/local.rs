//! When the clocks of a time zone show a given time.
//!
//! When clocks are put forward, some times of that day do not exist; when they are put back, some come twice. Both are
//! answered the same way: the first moment at which the clocks show that time or a later one. So a later time of the
//! clock is never an earlier moment.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// The first moment at which the clocks show this time or a later one. At the ends of time it is the first or the last
/// moment there is.
pub(super) fn first_moment(zone: &TimeZone, time: DateTime) -> Timestamp {
    let found = zone.to_ambiguous_timestamp(time);
    let is_skipped = matches!(found.offset(), AmbiguousOffset::Gap { .. });
    let Ok(moment) = found.compatible() else {
        return if time.year() > 0 { Timestamp::MAX } else { Timestamp::MIN };
    };
    if !is_skipped {
        return moment;
    }
    // `moment` is as far behind the change of the clocks as `time` is beyond the last time they showed before.
    zone.preceding(moment.saturating_add(jiff::SignedDuration::from_nanos(1)).unwrap_or(moment))
        .next()
        .map_or(moment, |change| change.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(local: &str, moment: &str) {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        let found = first_moment(&zone, local.parse().expect("a local time"));
        assert_eq!(found, moment.parse().expect("a moment"), "{local}");
    }

    #[test]
    fn a_time_is_the_moment_at_which_clocks_show_it() {
        check("2026-01-15T09:00", "2026-01-15T08:00Z");
        check("2026-07-15T09:00", "2026-07-15T07:00Z");
    }

    #[test]
    fn a_time_that_is_skipped_is_the_moment_of_the_change() {
        for skipped in ["2026-03-29T02:00", "2026-03-29T02:30", "2026-03-29T02:59:59.999999999", "2026-03-29T03:00"] {
            check(skipped, "2026-03-29T01:00Z");
        }
        check("2026-03-29T01:59:59", "2026-03-29T00:59:59Z");
    }

    #[test]
    fn a_time_that_comes_twice_is_its_first() {
        check("2026-10-25T02:30", "2026-10-25T00:30Z");
        check("2026-10-25T03:00", "2026-10-25T02:00Z");
    }

    #[test]
    fn beyond_the_ends_of_time_is_its_end() {
        let zone = TimeZone::fixed(jiff::tz::offset(-12));
        assert_eq!(first_moment(&zone, DateTime::MAX), Timestamp::MAX);
        let zone = TimeZone::fixed(jiff::tz::offset(12));
        assert_eq!(first_moment(&zone, DateTime::MIN), Timestamp::MIN);
        assert!(first_moment(&TimeZone::UTC, DateTime::MAX) <= Timestamp::MAX);
    }
}
