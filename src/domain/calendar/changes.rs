//! When windows open and close, for people who plan.

use jiff::Timestamp;

use super::windows::Windows;

/// A moment from which on another rule decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// From this moment on.
    pub at: Timestamp,
    /// Whether packages may move from then on.
    pub is_open: bool,
    /// Whether they might before.
    pub was_open: bool,
    /// By which rule, or which times are allowed; nothing if no rule closes it.
    pub why: Option<String>,
}

impl Windows {
    /// The rule that decides at this moment and what it says.
    #[must_use]
    pub fn why(&self, at: Timestamp) -> Option<String> {
        self.closed(at).or_else(|| self.rule(at).map(ToString::to_string))
    }

    /// The changes after `after`, up to `until`, in order. Where one rule takes the place of another and both say the
    /// same, that is a change too: a freeze that begins at night is what people want to know.
    #[must_use]
    pub fn changes(&self, after: Timestamp, until: Timestamp) -> Vec<Change> {
        let says = |at| (self.is_open(at), self.why(at));
        let mut before = says(after);
        let mut changes = Vec::new();
        for at in self.edges(after, until) {
            let now = says(at);
            if now != before {
                let (is_open, why) = now.clone();
                changes.push(Change { at, is_open, was_open: before.0, why });
                before = now;
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::calendar::windows::{Effect, Rule};
    use jiff::SignedDuration;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    fn windows(lines: &[(Effect, &str, &str)]) -> Windows {
        let rule = |(effect, name, when): &(Effect, &str, &str)| Rule {
            effect: *effect,
            when: when.parse().expect("a time"),
            name: (*name).to_owned(),
        };
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        Windows::new(lines.iter().map(rule).collect(), zone).expect("rules")
    }

    /// The changes by the clocks of the site.
    fn said(windows: &Windows, after: &str, until: &str) -> Vec<String> {
        let moment = |local: &str| {
            let local = local.parse().expect("a local time");
            windows.zone().to_timestamp(local).expect("a moment")
        };
        let one = |Change { at, is_open, was_open, why }: Change| {
            let word = match (was_open, is_open) {
                (true, true) => "stays open",
                (false, false) => "stays closed",
                (false, true) => "opens",
                (true, false) => "closes",
            };
            format!("{} {word}: {}", windows.zone().to_datetime(at), why.unwrap_or_default())
        };
        windows.changes(moment(after), moment(until)).into_iter().map(one).collect()
    }

    #[test]
    fn without_rules_nothing_changes() {
        assert_eq!(said(&windows(&[]), "2026-12-01T00:00", "2027-12-01T00:00"), [""; 0]);
    }

    #[test]
    fn a_freeze_that_begins_at_night_is_told_too() {
        let site = windows(&[
            (Effect::Deny, "end of the year", "2026-12-18..2027-01-07"),
            (Effect::Allow, "working hours", "Mon-Thu 09:00-16:00"),
        ]);
        assert_eq!(
            said(&site, "2026-12-16T12:00", "2027-01-11T09:00"),
            [
                "2026-12-16T16:00:00 closes: outside the allowed times: working hours (Mon-Thu 09:00-16:00)",
                "2026-12-17T09:00:00 opens: working hours (Mon-Thu 09:00-16:00)",
                "2026-12-17T16:00:00 closes: outside the allowed times: working hours (Mon-Thu 09:00-16:00)",
                "2026-12-18T00:00:00 stays closed: end of the year (2026-12-18..2027-01-07)",
                "2027-01-08T00:00:00 stays closed: outside the allowed times: working hours (Mon-Thu 09:00-16:00)",
                "2027-01-11T09:00:00 opens: working hours (Mon-Thu 09:00-16:00)",
            ]
        );
    }

    #[test]
    fn an_hour_that_comes_twice_changes_twice_and_one_that_is_skipped_with_the_clocks() {
        let night = windows(&[(Effect::Deny, "", "Sun 02:30-04:00")]);
        let closed = "closed Sun 02:30-04:00";
        assert_eq!(
            said(&night, "2026-10-25T00:00", "2026-10-25T12:00"),
            [
                format!("2026-10-25T02:30:00 closes: {closed}"),
                "2026-10-25T02:00:00 opens: ".to_owned(),
                format!("2026-10-25T02:30:00 closes: {closed}"),
                "2026-10-25T04:00:00 opens: ".to_owned(),
            ]
        );
        assert_eq!(
            said(&night, "2026-03-29T00:00", "2026-03-29T12:00"),
            [format!("2026-03-29T03:00:00 closes: {closed}"), "2026-03-29T04:00:00 opens: ".to_owned()]
        );
    }

    proptest! {
        #[test]
        fn between_two_changes_every_minute_is_alike(
            days in prop::sample::select(vec!["Mon", "Fri,Sun", "Sat-Mon", "Mon-Sun"]),
            from in 0..96_u16,
            length in 1..95_u16,
            first in 0..12_i64,
            deny: bool,
        ) {
            let clock = |quarter: u16| format!("{:02}:{:02}", quarter / 4, quarter % 4 * 15);
            let weekly = format!("{days} {}-{}", clock(from), clock((from + length) % 96));
            let freeze = format!("2026-10-{}..2026-10-{}", 18 + first, 19 + first);
            let effect = if deny { Effect::Deny } else { Effect::Allow };
            let site = windows(&[(Effect::Deny, "freeze", &freeze), (effect, "weekly", &weekly)]);
            let start: Timestamp = "2026-10-17T22:00Z".parse().expect("a moment");
            let until = start + SignedDuration::from_hours(24 * 14);
            let changes = site.changes(start, until);
            let mut left = changes.iter().peekable();
            let mut is_open = site.is_open(start);
            for minute in 0..14 * 24 * 60 {
                let at = start + SignedDuration::from_mins(minute);
                while let Some(change) = left.next_if(|change| change.at <= at) {
                    prop_assert_eq!(change.was_open, is_open);
                    is_open = change.is_open;
                }
                prop_assert_eq!(is_open, site.is_open(at), "{}", at);
            }
        }
    }
}
