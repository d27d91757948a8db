//! The calendar of a site or of a distribution: its working days, and when packages may move.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::weekdays::Weekdays;
use super::windows::Windows;
use super::working_days::WorkingDays;

/// The calendar of a site or of a distribution, by the clocks of one time zone.
#[derive(Clone, Debug)]
pub struct Calendar {
    /// Which days are worked.
    pub working_days: WorkingDays,
    /// When packages may move.
    pub windows: Windows,
    /// Which days are worked in countries that have other holidays, by their NGI.
    pub ngis: BTreeMap<String, WorkingDays>,
}

impl Default for Calendar {
    /// Where nobody has said anything: Monday to Friday in UTC, and packages may move at any time.
    fn default() -> Self {
        let zone = TimeZone::UTC;
        Self {
            working_days: WorkingDays::new(Weekdays::WORKING, zone.clone()),
            windows: Windows::open(zone),
            ngis: BTreeMap::new(),
        }
    }
}

impl Calendar {
    /// Which days the sites of an NGI work: those of the site, if it has no holidays of its own (S0-35).
    pub fn working_days_of(&self, ngi: &str) -> &WorkingDays {
        self.ngis.get(ngi).unwrap_or(&self.working_days)
    }

    /// The name of the time zone.
    #[must_use]
    pub fn zone(&self) -> &str {
        self.windows.zone().iana_name().unwrap_or("local time")
    }

    /// A moment as the clocks of the zone show it, with the day of the week.
    #[must_use]
    pub fn local(&self, at: Timestamp) -> String {
        let local = self.windows.zone().to_datetime(at);
        // Seconds are there only if a window has them.
        local.strftime(if local.second() == 0 { "%a %Y-%m-%d %H:%M" } else { "%a %Y-%m-%d %H:%M:%S" }).to_string()
    }

    /// A moment that somebody wrote: with an offset, as in 2026-12-01T08:00Z, or without one by the clocks of the zone.
    ///
    /// # Errors
    /// A sentence for people.
    pub fn read(&self, text: &str) -> Result<Timestamp, String> {
        if let Ok(at) = text.parse() {
            return Ok(at);
        }
        let local: jiff::civil::DateTime = text.parse().map_err(|_| {
            format!("`{}` is not a time: write 2026-12-01T08:00, or 2026-12-01T08:00Z for UTC", text.escape_debug())
        })?;
        // A time that the clocks skip is taken an hour later, and of one that they show twice the first.
        self.windows.zone().to_ambiguous_timestamp(local).compatible().map_err(|error| error.to_string())
    }

    /// The same with the name of the zone, for a sentence that does not say it.
    #[must_use]
    pub fn shown(&self, at: Timestamp) -> String {
        format!("{} {}", self.local(at), self.zone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::calendar::windows::Verdict;

    #[test]
    fn without_a_word_of_anybody_packages_may_always_move() {
        let calendar = Calendar::default();
        assert_eq!(calendar.windows.judge(Timestamp::UNIX_EPOCH), Verdict::Open);
        assert!(calendar.windows.is_empty());
        assert_eq!(calendar.zone(), "UTC");
    }

    #[test]
    fn a_moment_is_read_by_the_clocks_of_the_zone_unless_it_has_an_offset() {
        let zone = jiff::tz::TimeZoneDatabase::bundled().get("Europe/Zurich").expect("compiled in");
        let calendar = Calendar { windows: Windows::open(zone), ..Calendar::default() };
        let read = |text: &str| calendar.read(text).map(|at| at.to_string());
        assert_eq!(read("2026-12-01T08:00Z").as_deref(), Ok("2026-12-01T08:00:00Z"));
        assert_eq!(read("2026-12-01T08:00+02:00").as_deref(), Ok("2026-12-01T06:00:00Z"));
        assert_eq!(read("2026-12-01T08:00").as_deref(), Ok("2026-12-01T07:00:00Z"));
        assert_eq!(read("2026-03-29T02:30").as_deref(), Ok("2026-03-29T01:30:00Z"), "there is no such time that day");
        assert_eq!(read("2026-10-25T02:30").as_deref(), Ok("2026-10-25T00:30:00Z"), "the first of two");
        for text in ["", "tomorrow", "2026-13-01T08:00", "08:00"] {
            assert!(read(text).is_err_and(|why| why.contains("2026-12-01T08:00Z")), "{text}");
        }
    }

    #[test]
    fn a_moment_is_shown_by_the_clocks_of_the_zone() {
        let calendar = Calendar::default();
        let shown = |text: &str| calendar.shown(text.parse().expect("a moment"));
        assert_eq!(calendar.local("2027-01-08T07:30Z".parse().expect("a moment")), "Fri 2027-01-08 07:30");
        assert_eq!(shown("2027-01-08T00:00Z"), "Fri 2027-01-08 00:00 UTC");
        assert_eq!(shown("2027-01-08T00:00:07Z"), "Fri 2027-01-08 00:00:07 UTC");
    }
}
