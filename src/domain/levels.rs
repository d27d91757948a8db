//! Service levels: what a site has agreed with those who use it, and how much of it there was (S3-39, S3-41).
//!
//! A service is available for a share of all time, and reliable for a share of the time in which no scheduled maintenance
//! was announced, as EGI counts both. What is to be done within some time is counted one by one.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What was agreed. What nobody has agreed is counted all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelPolicy {
    /// How far back it is looked.
    pub within: Duration,
    /// The share of all time in which the service runs, in hundredths of a percent.
    pub availability: Option<u32>,
    /// The share of the time without scheduled maintenance in which it runs, in hundredths of a percent.
    pub reliability: Option<u32>,
    /// How long it may take until clients see what was promoted.
    pub promote_within: Option<Duration>,
    /// How long it may take until clients no longer see what was withdrawn.
    pub withdraw_within: Option<Duration>,
    /// How long it may take until people are told what they have to be told.
    pub tell_within: Option<Duration>,
    /// How long it may take until a receiver has a notice.
    pub deliver_within: Option<Duration>,
}

impl Default for LevelPolicy {
    /// EGI looks at a month at a time. What has to be reached, each site agrees for itself.
    fn default() -> Self {
        Self {
            within: Duration::from_hours(24 * 30),
            availability: None,
            reliability: None,
            promote_within: None,
            withdraw_within: None,
            tell_within: None,
            deliver_within: None,
        }
    }
}

/// From when to when.
pub type Span = (Timestamp, Timestamp);

/// How long a service was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Of all time, in hundredths of a percent, rounded down.
    pub availability: u32,
    /// Of the time without scheduled maintenance; `None` if there was none.
    pub reliability: Option<u32>,
    /// How long it was looked at.
    pub looked_at: SignedDuration,
    /// How long it was not there.
    pub down: SignedDuration,
    /// How much of that was announced.
    pub announced: SignedDuration,
}

/// How long a service was there between two times; `None` if that is no time at all.
///
/// `stops` and `maintenances` may overlap and be in any order.
pub fn presence((from, to): Span, stops: &[Span], maintenances: &[Span]) -> Option<Presence> {
    let clip = |all: &[Span]| merged(all.iter().map(|(start, end)| ((*start).max(from), (*end).min(to))));
    let (stops, maintenances) = (clip(stops), clip(maintenances));
    let looked_at = to.duration_since(from);
    let (down, scheduled) = (length(&stops), length(&maintenances));
    let both = stops
        .iter()
        .flat_map(|stop| maintenances.iter().map(|maintenance| (stop.0.max(maintenance.0), stop.1.min(maintenance.1))));
    let announced = length(&merged(both));
    let outside = looked_at - scheduled;
    Some(Presence {
        availability: share(looked_at - down, looked_at)?,
        reliability: share(outside - (down - announced), outside),
        looked_at,
        down,
        announced,
    })
}

/// Spans that do not overlap, in order.
fn merged(all: impl Iterator<Item = Span>) -> Vec<Span> {
    let mut all: Vec<Span> = all.filter(|(start, end)| start < end).collect();
    all.sort_unstable();
    let mut apart: Vec<Span> = Vec::new();
    for (start, end) in all {
        match apart.last_mut().filter(|last| start <= last.1) {
            Some(last) => last.1 = last.1.max(end),
            None => apart.push((start, end)),
        }
    }
    apart
}

fn length(apart: &[Span]) -> SignedDuration {
    apart.iter().map(|(start, end)| end.duration_since(*start)).sum()
}

/// A part of something, in hundredths of a percent, rounded down: what is not quite reached is not reached.
fn share(part: SignedDuration, all: SignedDuration) -> Option<u32> {
    let (part, all) = (part.as_millis(), all.as_millis());
    if all <= 0 {
        return None;
    }
    u32::try_from(part.clamp(0, all) * 10_000 / all).ok()
}

/// The longest durations of each bucket of a histogram, in seconds; a last one has all others.
pub const BUCKETS: [u64; 9] = [1, 5, 15, 60, 300, 1_800, 7_200, 86_400, 604_800];

/// Durations that are remembered one by one.
pub const RECENT: usize = 2_000;

/// How long something has taken, each time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Durations {
    /// How many there were, by bucket; none before the first.
    counts: Vec<u64>,
    /// Milliseconds in all.
    total: u64,
    /// The newest, with the time at which each ended, and in milliseconds.
    recent: imbl::Vector<(Timestamp, u64)>,
}

/// How many of those within some time did not take too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timely {
    /// How many there were.
    pub all: usize,
    /// How many of them were in time; all if nothing was agreed.
    pub in_time: usize,
    /// The longest of the shorter half.
    pub median: Duration,
    /// The longest of all.
    pub longest: Duration,
    /// Whether there were more than are remembered, so that the oldest are left out.
    pub more: bool,
}

impl Durations {
    /// One more that ended at that time.
    pub fn add(&mut self, at: Timestamp, took: Duration) {
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.counts.resize(BUCKETS.len() + 1, 0);
        let bucket = BUCKETS.iter().position(|most| took <= Duration::from_secs(*most)).unwrap_or(BUCKETS.len());
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.total = self.total.saturating_add(millis);
        self.recent.push_back((at, millis));
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    /// How many there were in each bucket, the last with all that took longer; and the seconds in all.
    pub fn histogram(&self) -> (Vec<u64>, f64) {
        let mut counts = self.counts.clone();
        counts.resize(BUCKETS.len() + 1, 0);
        (counts, Duration::from_millis(self.total).as_secs_f64())
    }

    /// How those did that ended since a time; `None` if there were none.
    pub fn since(&self, from: Timestamp, most: Option<Duration>) -> Option<Timely> {
        let mut all: Vec<Duration> = self
            .recent
            .iter()
            .filter(|(at, _)| *at >= from)
            .map(|(_, millis)| Duration::from_millis(*millis))
            .collect();
        all.sort_unstable();
        let longest = *all.last()?;
        let median = *all.get((all.len() - 1) / 2)?;
        let in_time = all.iter().filter(|took| most.is_none_or(|most| **took <= most)).count();
        let more =
            self.recent.len() == RECENT && all.len() == RECENT && self.counts.iter().sum::<u64>() > RECENT as u64;
        Some(Timely { all: all.len(), in_time, median, longest, more })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(minutes * 60).expect("a time")
    }

    fn spans(all: &[(i64, i64)]) -> Vec<Span> {
        all.iter().map(|(start, end)| (at(*start), at(*end))).collect()
    }

    fn shares(stops: &[(i64, i64)], maintenances: &[(i64, i64)]) -> (u32, Option<u32>) {
        let found = presence((at(0), at(1_000)), &spans(stops), &spans(maintenances)).expect("some time");
        (found.availability, found.reliability)
    }

    #[test]
    fn announced_stops_do_not_count_against_reliability() {
        assert_eq!(shares(&[], &[]), (10_000, Some(10_000)));
        assert_eq!(shares(&[(100, 150)], &[]), (9_500, Some(9_500)));
        assert_eq!(shares(&[(100, 150)], &[(90, 190)]), (9_500, Some(10_000)));
        // Half of the stop was announced; of 900 minutes outside, 25 are missing.
        assert_eq!(shares(&[(100, 150)], &[(125, 225)]), (9_500, Some(9_722)));
        // Overlapping ones count once, and what is outside of the time not at all.
        assert_eq!(shares(&[(100, 150), (120, 150), (990, 2_000), (-50, -10)], &[]), (9_400, Some(9_400)));
        // A stop that ends before it began is a clock that went back.
        assert_eq!(shares(&[(500, 400)], &[]), (10_000, Some(10_000)));
        assert_eq!(shares(&[(0, 1_000)], &[(0, 1_000)]), (0, None));
        assert_eq!(presence((at(5), at(5)), &[], &[]), None);
        assert_eq!(presence((at(5), at(4)), &[], &[]), None);
    }

    #[test]
    fn what_is_almost_reached_is_not_reached() {
        assert_eq!(share(SignedDuration::from_millis(9_999_999), SignedDuration::from_millis(10_000_000)), Some(9_999));
    }

    proptest! {
        /// Compared with a list of minutes.
        #[test]
        fn shares_are_those_of_minutes(
            stops in proptest::collection::vec((0_i64..60, 0_i64..60), 0..6),
            maintenances in proptest::collection::vec((0_i64..60, 0_i64..60), 0..6),
        ) {
            let found = presence((at(10), at(50)), &spans(&stops), &spans(&maintenances)).expect("some time");
            let inside = |all: &[(i64, i64)], minute: i64| all.iter().any(|(start, end)| (*start..*end).contains(&minute));
            let down = (10..50).filter(|minute| inside(&stops, *minute)).count();
            let outside: Vec<i64> = (10..50).filter(|minute| !inside(&maintenances, *minute)).collect();
            let up = outside.iter().filter(|minute| !inside(&stops, **minute)).count();
            prop_assert_eq!(found.availability as usize, (40 - down) * 10_000 / 40);
            let reliability = (!outside.is_empty()).then(|| up * 10_000 / outside.len());
            prop_assert_eq!(found.reliability.map(|share| share as usize), reliability);
        }
    }

    #[test]
    fn durations_are_counted_and_the_newest_remembered() {
        let mut durations = Durations::default();
        assert_eq!(durations.since(at(0), None), None);
        for (minute, seconds) in [(1, 1), (2, 2), (3, 400), (4, 1_000_000)] {
            durations.add(at(minute), Duration::from_secs(seconds));
        }
        let found = durations.since(at(2), Some(Duration::from_mins(10))).expect("three");
        assert_eq!((found.all, found.in_time, found.more), (3, 2, false));
        assert_eq!((found.median, found.longest), (Duration::from_secs(400), Duration::from_secs(1_000_000)));
        assert_eq!(durations.histogram(), (vec![1, 1, 0, 0, 0, 1, 0, 0, 0, 1], 1_000_403.0));
        for minute in (5..).take(RECENT) {
            durations.add(at(minute), Duration::ZERO);
        }
        let found = durations.since(at(0), None).expect("many");
        assert_eq!((found.all, found.more, found.longest), (RECENT, true, Duration::ZERO));
    }
}
