//! Deadlines that count working days (S0-35), by the working week of a site and its holidays (S3-32).
//!
//! "Within one working day" of Friday 16:00 ends on Monday at 16:00, if that is worked. A holiday does not count. What
//! begins on a day off begins with the next working day, so one working day from Saturday is the end of Monday. All of
//! this is reckoned in local time: where the clocks change in between, 16:00 remains 16:00.

use std::collections::BTreeMap;
use std::ops::Bound;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use smol_str::SmolStr;

use super::local::first_moment;
use super::weekdays::Weekdays;

/// Days off, each with its name.
pub type Holidays = BTreeMap<Date, SmolStr>;

/// How many days in a row may be off. A year without a working day is a mistake in the holidays, and nobody waits for
/// its end; it also bounds the search.
pub const OFF_MAX: u16 = 366;

/// There is no working day within a year, or the calendar ends before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no working day within {OFF_MAX} days after {after}")]
pub struct NoWorkingDay {
    /// The last day before the search.
    pub after: Date,
}

/// The working days of a site.
#[derive(Clone, Debug)]
pub struct WorkingDays {
    week: Weekdays,
    holidays: Holidays,
    zone: TimeZone,
}

impl WorkingDays {
    /// These days of the week, by the clocks of this zone; no holidays.
    #[must_use]
    pub fn new(week: Weekdays, zone: TimeZone) -> Self {
        Self { week, holidays: Holidays::new(), zone }
    }

    /// The same, without these holidays.
    #[must_use]
    pub fn except(mut self, holidays: Holidays) -> Self {
        self.holidays.extend(holidays);
        self
    }

    /// The time zone of the site.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Whether this day is worked.
    #[must_use]
    pub fn is_working(&self, date: Date) -> bool {
        self.week.contains(date.weekday()) && !self.holidays.contains_key(&date)
    }

    /// The name of the holiday on this day, if there is one.
    #[must_use]
    pub fn holiday(&self, date: Date) -> Option<&str> {
        self.holidays.get(&date).map(SmolStr::as_str)
    }

    /// The holidays after this day, in order, with their names.
    pub fn holidays_after(&self, day: Date) -> impl Iterator<Item = (Date, &str)> {
        self.holidays.range((Bound::Excluded(day), Bound::Unbounded)).map(|(day, name)| (*day, name.as_str()))
    }

    /// The deadline of what has to be done within so many working days (S0-35). It is never before `from`.
    ///
    /// # Errors
    /// If a year or more is off, or the calendar ends before the deadline.
    pub fn after(&self, from: Timestamp, days: u16) -> Result<Timestamp, NoWorkingDay> {
        let local = self.zone.to_datetime(from);
        let begins = if self.is_working(local.date()) {
            local
        } else {
            DateTime::from_parts(self.next(local.date())?, Time::midnight())
        };
        let mut day = begins.date();
        for _ in 0..days {
            day = self.next(day)?;
        }
        // A time of the hour that comes twice means its first, which may be over.
        Ok(first_moment(&self.zone, DateTime::from_parts(day, begins.time())).max(from))
    }

    /// The first working day after this one.
    fn next(&self, after: Date) -> Result<Date, NoWorkingDay> {
        let mut days = after.series(1.day()).skip(1).take(usize::from(OFF_MAX));
        days.find(|day| self.is_working(*day)).ok_or(NoWorkingDay { after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;
    use proptest::prelude::*;

    const ZONES: [&str; 4] =
        ["CET-1CEST,M3.5.0,M10.5.0/3", "UTC0", "EST5EDT,M3.2.0,M11.1.0", "CHA-12:45CHD,M4.1.0/0,M9.5.0"];

    fn zone(name: &str) -> TimeZone {
        TimeZone::posix(name).expect("a zone")
    }

    fn site(holidays: &[&str]) -> WorkingDays {
        let date = |text: &&str| (text.parse().expect("a date"), SmolStr::new("Holiday"));
        WorkingDays::new(Weekdays::WORKING, zone(ZONES[0])).except(holidays.iter().map(date).collect())
    }

    /// The deadline as the clocks of the site show it.
    #[track_caller]
    fn check(site: &WorkingDays, from: &str, days: u16, due: &str) {
        let from: DateTime = from.parse().expect("a local time");
        let from = site.zone.to_timestamp(from).expect("a moment");
        let found = site.zone.to_datetime(site.after(from, days).expect("a deadline"));
        assert_eq!(found, due.parse().expect("a local time"));
    }

    #[test]
    fn one_working_day_from_friday_is_monday_at_the_same_time() {
        check(&site(&[]), "2026-12-04T16:00", 1, "2026-12-07T16:00");
        check(&site(&[]), "2026-12-02T16:00", 1, "2026-12-03T16:00");
        check(&site(&[]), "2026-12-04T16:00", 0, "2026-12-04T16:00");
        check(&site(&[]), "2026-12-04T16:00", 5, "2026-12-11T16:00");
    }

    #[test]
    fn a_holiday_does_not_count() {
        let site = site(&["2026-12-07", "2026-12-25"]);
        check(&site, "2026-12-04T16:00", 1, "2026-12-08T16:00");
        check(&site, "2026-12-24T09:00", 1, "2026-12-28T09:00");
        assert_eq!(site.holiday("2026-12-25".parse().expect("a date")), Some("Holiday"));
        assert_eq!(site.holiday("2026-12-24".parse().expect("a date")), None);
    }

    #[test]
    fn what_begins_on_a_day_off_begins_with_the_next_working_day() {
        let site = site(&["2026-12-07"]);
        for from in ["2026-12-05T00:00", "2026-12-06T23:59", "2026-12-07T12:00"] {
            check(&site, from, 0, "2026-12-08T00:00");
            check(&site, from, 1, "2026-12-09T00:00");
        }
    }

    #[test]
    fn the_clock_says_the_same_when_summer_time_begins_or_ends() {
        check(&site(&[]), "2026-03-27T16:00", 1, "2026-03-30T16:00");
        check(&site(&[]), "2026-10-23T16:00", 1, "2026-10-26T16:00");
        let whole_week = WorkingDays::new(Weekdays::ALL, zone(ZONES[0]));
        check(&whole_week, "2026-03-28T02:30", 1, "2026-03-29T03:00");
        check(&whole_week, "2026-03-28T02:30", 2, "2026-03-30T02:30");
        // The second 02:30 of the day on which clocks are put back.
        let from: Timestamp = "2026-10-25T01:30Z".parse().expect("a moment");
        assert_eq!(whole_week.after(from, 0), Ok(from));
        assert_eq!(whole_week.after(from, 1), Ok("2026-10-26T01:30Z".parse().expect("a moment")));
    }

    #[test]
    fn a_year_of_holidays_is_an_error_and_not_an_endless_search() {
        let start: Date = "2026-01-01".parse().expect("a date");
        let off = |days| start.series(1.day()).take(days).map(|day| (day, SmolStr::new("Off"))).collect();
        let from: Timestamp = "2025-12-31T12:00Z".parse().expect("a moment");
        let every = || WorkingDays::new(Weekdays::ALL, TimeZone::UTC);
        assert_eq!(every().except(off(365)).after(from, 1), Ok("2027-01-01T12:00Z".parse().expect("a moment")));
        let error = every().except(off(366)).after(from, 1).expect_err("no working day");
        assert_eq!(error.to_string(), "there is no working day within 366 days after 2025-12-31");
    }

    #[test]
    fn the_end_of_the_calendar_is_an_error() {
        assert!(site(&[]).after(Timestamp::MAX, 5).is_err());
        assert!(site(&[]).after(Timestamp::MIN, u16::MAX).is_ok());
    }

    fn moments() -> impl Strategy<Value = Timestamp> {
        // From 2000 to 2100, by seconds.
        (946_684_800_i64..4_102_444_800).prop_map(|second| Timestamp::from_second(second).expect("a moment"))
    }

    proptest! {
        #[test]
        fn more_days_are_never_an_earlier_deadline(
            from in moments(),
            days in 0..40_u16,
            more in 0..40_u16,
            at in 0..ZONES.len(),
            week in 1..128_u8,
            off in proptest::collection::btree_set(0..120_i32, 0..30),
        ) {
            let zone = zone(ZONES[at]);
            let chosen = (0..7).filter(|day| week & (1 << day) != 0);
            let chosen = chosen.filter_map(|day| jiff::civil::Weekday::from_monday_zero_offset(day).ok());
            let first = zone.to_datetime(from).date();
            let holidays = off.into_iter().map(|days| (first + days.days(), SmolStr::new("Off"))).collect();
            let site = WorkingDays::new(Weekdays::of(chosen).expect("a day"), zone).except(holidays);
            let due = site.after(from, days).expect("a deadline");
            let later = site.after(from, days + more).expect("a deadline");
            prop_assert!(from <= due && due <= later);
            prop_assert!(site.is_working(site.zone.to_datetime(due).date()));
            // So many days have passed, less an hour that a change of the clocks may take.
            prop_assert!(due.duration_since(from) >= SignedDuration::from_hours(24 * i64::from(days) - 1));
            // Between two deadlines lie as many working days as were added.
            let (a, b) = (site.zone.to_datetime(due).date(), site.zone.to_datetime(later).date());
            let between = a.series(1.day()).skip(1).take_while(|day| *day <= b);
            prop_assert_eq!(between.filter(|day| site.is_working(*day)).count(), usize::from(more));
        }

        #[test]
        fn no_moment_makes_it_panic(second in Timestamp::MIN.as_second()..=Timestamp::MAX.as_second(), days: u16) {
            let _ = site(&[]).after(Timestamp::from_second(second).expect("a moment"), days % 400);
        }
    }
}
