//! Rules for when packages may move: the hours in which a site wants changes, and the freezes in which it wants none.
//!
//! The first rule whose time it is decides. If it is the time of none, everything is open, unless some rule allows a
//! time: then it is closed. An admin who writes "allow Mon-Thu 09:00-16:00" means that other times are not allowed, and
//! of the two possible mistakes this is the one that is seen before anything has moved. If a rule that allows is only
//! an exception to a freeze, a last rule that allows `Mon-Sun` says that the rest is open.

use std::collections::BTreeSet;
use std::fmt;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::weekly::Weekly;
use super::when::When;

/// How many rules a list may have. Nobody can review more, and each is asked about each moment of a search.
pub const RULES_MAX: usize = 64;

/// How far [`Windows::judge`] looks for an opening: two years, so beyond every freeze that comes back each year.
pub const LOOK_AHEAD: SignedDuration = SignedDuration::from_hours(24 * 731);

/// What a rule says about its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Packages may move.
    Allow,
    /// They may not.
    Deny,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it says.
    pub effect: Effect,
    /// Its time.
    pub when: When,
    /// What people call it; may be empty.
    pub name: String,
}

impl Rule {
    /// What it says, for people: `deny end of the year (2026-12-20..2027-01-07)`.
    #[must_use]
    pub fn told(&self) -> String {
        let effect = if self.effect == Effect::Allow { "allow" } else { "deny" };
        format!("{effect} {self}")
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.trim() {
            "" => write!(f, "{}", self.when),
            name => write!(f, "{name} ({})", self.when),
        }
    }
}

/// Whether packages may move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They may.
    Open,
    /// They may not.
    Closed {
        /// Why: the rule, or which times are allowed.
        reason: String,
        /// The earliest moment at which they may; `None` if that is not within [`LOOK_AHEAD`].
        until: Option<Timestamp>,
    },
}

/// Rules that make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRules {
    /// Too many.
    #[error("there are more than {RULES_MAX} rules")]
    TooMany,
    /// A dated rule that ends before it begins by the clocks of the zone.
    #[error("rule {number} (`{when}`) ends before it begins")]
    Backwards {
        /// Its number, from 1.
        number: usize,
        /// Its time as written.
        when: String,
    },
}

/// When a rule applies, with its dates as moments.
#[derive(Clone, Copy, Debug)]
enum Span {
    Weekly(Weekly),
    Once(Timestamp, Timestamp),
}

/// A list of rules, by the clocks of one time zone.
#[derive(Clone, Debug)]
pub struct Windows {
    rules: Vec<(Span, Rule)>,
    zone: TimeZone,
    /// The minutes of the day at which a weekly rule begins or ends.
    minutes: BTreeSet<u16>,
}

impl Windows {
    /// These rules; the order matters.
    ///
    /// # Errors
    /// If there are too many, or one of them has no time at all.
    pub fn new(rules: Vec<Rule>, zone: TimeZone) -> Result<Self, BadRules> {
        if rules.len() > RULES_MAX {
            return Err(BadRules::TooMany);
        }
        let (mut minutes, mut spans) = (BTreeSet::new(), Vec::new());
        for (at, rule) in rules.into_iter().enumerate() {
            let span = match rule.when {
                When::Weekly(weekly) => {
                    minutes.extend(weekly.ends());
                    Span::Weekly(weekly)
                }
                When::Dated(dated) => {
                    let backwards = || BadRules::Backwards { number: at + 1, when: dated.to_string() };
                    let (first, behind) = dated.span(&zone).ok_or_else(backwards)?;
                    Span::Once(first, behind)
                }
            };
            spans.push((span, rule));
        }
        Ok(Self { rules: spans, zone, minutes })
    }

    /// No rules.
    #[must_use]
    pub fn open(zone: TimeZone) -> Self {
        Self { rules: Vec::new(), zone, minutes: BTreeSet::new() }
    }

    /// Whether there is no rule at all, so that everything is always open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules, in the order in which they are asked.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|(_, rule)| rule)
    }

    /// The time zone by whose clocks they are meant.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Whether packages may move at this moment, and if not, why and from when on they may.
    #[must_use]
    pub fn judge(&self, at: Timestamp) -> Verdict {
        match self.closed(at) {
            None => Verdict::Open,
            Some(reason) => Verdict::Closed { reason, until: self.opens_after(at) },
        }
    }

    /// The rule whose time it is; the first that applies.
    pub(super) fn rule(&self, at: Timestamp) -> Option<&Rule> {
        let local = self.zone.to_datetime(at);
        let applies = |span: &Span| match span {
            Span::Weekly(weekly) => weekly.contains(local),
            Span::Once(first, behind) => (first..behind).contains(&&at),
        };
        self.rules.iter().find(|(span, _)| applies(span)).map(|(_, rule)| rule)
    }

    fn allowed(&self) -> impl Iterator<Item = &Rule> {
        self.rules().filter(|rule| rule.effect == Effect::Allow)
    }

    /// Whether packages may move at this moment.
    #[must_use]
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.rule(at).map_or_else(|| self.allowed().next().is_none(), |rule| rule.effect == Effect::Allow)
    }

    /// Why it is closed; `None` if it is open.
    pub(super) fn closed(&self, at: Timestamp) -> Option<String> {
        if self.is_open(at) {
            return None;
        }
        Some(match self.rule(at) {
            Some(rule) if rule.name.trim().is_empty() => format!("closed {rule}"),
            Some(rule) => rule.to_string(),
            None => {
                let times: Vec<String> = self.allowed().map(Rule::to_string).collect();
                format!("outside the allowed times: {}", times.join("; "))
            }
        })
    }

    /// The first moment after this one at which it is open.
    ///
    /// What rules say can change only where a dated rule begins or ends, where the clocks change, and at some minutes
    /// of the day. Between two moments of the first kinds each week is like the one before, so its first week tells all.
    fn opens_after(&self, at: Timestamp) -> Option<Timestamp> {
        let limit = at.saturating_add(LOOK_AHEAD).ok()?;
        let mut starts: BTreeSet<Timestamp> = self.turns(at, limit).collect();
        starts.insert(at);
        let ends: Vec<Timestamp> = starts.iter().copied().skip(1).chain([limit]).collect();
        starts
            .into_iter()
            .zip(ends)
            .find_map(|(start, end)| if self.is_open(start) { Some(start) } else { self.opens_within(start, end) })
    }

    /// From `after` to `until`, where dated rules begin or end and where the clocks change.
    fn turns(&self, after: Timestamp, until: Timestamp) -> impl Iterator<Item = Timestamp> {
        let dates = self.rules.iter().flat_map(|(span, _)| match *span {
            Span::Weekly(_) => [None, None],
            Span::Once(first, behind) => [Some(first), Some(behind)],
        });
        let dates = dates.flatten().filter(move |date| (after..=until).contains(date));
        let changes = self.zone.following(after).map(|change| change.timestamp());
        dates.chain(changes.take_while(move |change| *change <= until))
    }

    /// All moments after `after`, up to `until`, at which what the rules say can change.
    pub(super) fn edges(&self, after: Timestamp, until: Timestamp) -> BTreeSet<Timestamp> {
        let (first, last) = (self.zone.to_datetime(after).date(), self.zone.to_datetime(until).date());
        let days = first.series(1.day()).take_while(|day| *day <= last);
        let times = days.flat_map(|day| self.minutes.iter().filter_map(move |minute| local(day, *minute)));
        // A time that comes twice is an edge both times; one that is skipped is at the change of the clocks.
        let weekly = times.flat_map(|time| match self.zone.to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Unambiguous { offset } => [offset.to_timestamp(time).ok(), None],
            AmbiguousOffset::Gap { .. } => [None, None],
            AmbiguousOffset::Fold { before, after } => [before.to_timestamp(time).ok(), after.to_timestamp(time).ok()],
        });
        weekly.flatten().chain(self.turns(after, until)).filter(|at| *at > after && *at <= until).collect()
    }

    /// The first opening between two moments between which neither dates nor the clocks change.
    fn opens_within(&self, start: Timestamp, end: Timestamp) -> Option<Timestamp> {
        let offset = self.zone.to_offset(start);
        let week = offset.to_datetime(start).date().series(1.day()).take(8);
        let times = week.flat_map(|day| self.minutes.iter().filter_map(move |minute| local(day, *minute)));
        let moments = times.filter_map(|time| offset.to_timestamp(time).ok());
        moments.skip_while(|at| *at <= start).take_while(|at| *at < end).find(|at| self.is_open(*at))
    }
}

/// A minute of a day.
fn local(day: Date, minute: u16) -> Option<DateTime> {
    let hour = i8::try_from(minute / 60).ok()?;
    let minute = i8::try_from(minute % 60).ok()?;
    Some(day.to_datetime(Time::new(hour, minute, 0, 0).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ZONE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    fn rules(lines: &[&str]) -> Result<Windows, BadRules> {
        let rule = |line: &&str| {
            let (effect, rest) = line.split_once(' ').expect("an effect");
            let (when, name) = rest.split_once(": ").unwrap_or((rest, ""));
            let effect = if effect == "allow" { Effect::Allow } else { Effect::Deny };
            Rule { effect, when: when.parse().expect("a time"), name: name.to_owned() }
        };
        Windows::new(lines.iter().map(rule).collect(), TimeZone::posix(ZONE).expect("a zone"))
    }

    /// `local` is what the clocks of the site show; `said` is `open`, or the reason and when it opens.
    #[track_caller]
    fn check(lines: &[&str], local: &str, said: &str) {
        let windows = rules(lines).expect("rules");
        let at = windows.zone.to_timestamp(local.parse().expect("a local time")).expect("a moment");
        let found = match windows.judge(at) {
            Verdict::Open => "open".to_owned(),
            Verdict::Closed { reason, until: None } => format!("{reason}, for ever"),
            Verdict::Closed { reason, until: Some(until) } => {
                format!("{reason}, until {}", windows.zone.to_datetime(until))
            }
        };
        assert_eq!(found, said);
    }

    const HOURS: &str = "allow Mon-Thu 09:00-16:00";
    const FREEZE: &str = "deny 2026-12-20..2027-01-07: end of the year";

    #[test]
    fn without_rules_it_is_always_open() {
        check(&[], "2026-12-24T12:00", "open");
    }

    #[test]
    fn a_freeze_closes_its_days_and_nothing_else() {
        check(&[FREEZE], "2026-12-19T23:59", "open");
        check(&[FREEZE], "2026-12-20T00:00", "end of the year (2026-12-20..2027-01-07), until 2027-01-08T00:00:00");
        check(&[FREEZE], "2027-01-07T23:59", "end of the year (2026-12-20..2027-01-07), until 2027-01-08T00:00:00");
        check(&[FREEZE], "2027-01-08T00:00", "open");
    }

    #[test]
    fn where_a_time_is_allowed_all_others_are_not() {
        check(&[HOURS], "2026-12-10T15:59", "open");
        let outside = "outside the allowed times: Mon-Thu 09:00-16:00, until 2026-12-14T09:00:00";
        check(&[HOURS], "2026-12-10T16:00", outside);
        check(&[HOURS], "2026-12-14T08:59", outside);
    }

    #[test]
    fn the_first_rule_decides() {
        check(
            &[FREEZE, HOURS],
            "2026-12-22T10:00",
            "end of the year (2026-12-20..2027-01-07), until 2027-01-11T09:00:00",
        );
        check(&["allow 2026-12-22", FREEZE, HOURS], "2026-12-22T03:00", "open");
        check(
            &["allow 2026-12-22", FREEZE, HOURS],
            "2026-12-21T10:00",
            "end of the year (2026-12-20..2027-01-07), until 2026-12-22T00:00:00",
        );
        check(&["deny Mon-Sun", "allow Mon-Sun"], "2026-12-22T03:00", "closed Mon-Sun 00:00-24:00, for ever");
    }

    #[test]
    fn an_exception_to_a_freeze_leaves_the_rest_open_if_a_rule_says_so() {
        let exception = ["allow 2026-12-22", FREEZE];
        let closed = "outside the allowed times: 2026-12-22..2026-12-22, until 2026-12-22T00:00:00";
        check(&exception, "2026-11-01T12:00", closed);
        check(&[exception[0], exception[1], "allow Mon-Sun"], "2026-11-01T12:00", "open");
        check(&exception, "2027-02-01T12:00", "outside the allowed times: 2026-12-22..2026-12-22, for ever");
    }

    #[test]
    fn an_opening_that_the_clocks_skip_comes_with_their_change() {
        let night = "outside the allowed times: Sun 02:30-04:00, until";
        check(&["allow Sun 02:30-04:00"], "2026-03-29T01:00", &format!("{night} 2026-03-29T03:00:00"));
        check(&["allow Sun 02:30-04:00"], "2026-10-25T01:00", &format!("{night} 2026-10-25T02:30:00"));
        check(
            &["deny Sun 02:00-03:00: clocks"],
            "2026-10-25T02:00",
            "clocks (Sun 02:00-03:00), until 2026-10-25T03:00:00",
        );
    }

    #[test]
    fn a_rule_that_ends_before_it_begins_is_refused_with_its_number() {
        let error = rules(&[HOURS, "deny 2026-12-20T18:00Z..2026-12-20T19:00"]).expect_err("backwards");
        assert_eq!(error.to_string(), "rule 2 (`2026-12-20T18:00:00Z..2026-12-20T19:00:00`) ends before it begins");
        assert_eq!(rules(&[HOURS; RULES_MAX + 1]).expect_err("too many"), BadRules::TooMany);
    }

    fn some_rule() -> impl Strategy<Value = Rule> {
        let days = prop::sample::select(vec!["Mon", "Mon-Thu", "Fri,Sun", "Sat-Mon", "Mon-Sun"]);
        let weekly = (days, 0..48_u16, 0..48_u16).prop_filter_map("empty", |(days, from, to)| {
            let clock = |half: u16| format!("{:02}:{:02}", half / 2, half % 2 * 30);
            format!("{days} {}-{}", clock(from), clock(to)).parse().ok()
        });
        let dated = (0..40_i64, 1..20_i64).prop_map(|(from, days)| {
            let day = |days: i64| jiff::civil::date(2026, 3, 10) + days.days();
            format!("{}..{}", day(from), day(from + days)).parse().expect("a span")
        });
        let when = prop_oneof![3 => weekly, 1 => dated];
        let effect = prop_oneof![Just(Effect::Allow), Just(Effect::Deny)];
        (effect, when).prop_map(|(effect, when)| Rule { effect, when, name: String::new() })
    }

    proptest! {
        #[test]
        fn it_opens_when_it_says_and_not_before(
            list in prop::collection::vec(some_rule(), 0..6),
            hours in 0..1_000_i64,
            minute in 0..60_i64,
        ) {
            let windows = Windows::new(list, TimeZone::posix(ZONE).expect("a zone")).expect("rules");
            let start: Timestamp = "2026-03-05T00:00Z".parse().expect("a moment");
            let at = start + SignedDuration::from_mins(60 * hours + minute);
            if let Verdict::Closed { until, .. } = windows.judge(at) {
                // Half an hour at a time, since that is how the rules are made.
                let half = SignedDuration::from_mins(30);
                let first = start + SignedDuration::from_mins(60 * hours + minute / 30 * 30) + half;
                let later = (0..48 * 70).map(|halves| first + half * halves).find(|at| windows.is_open(*at));
                prop_assert_eq!(later, until);
                prop_assert!(until.is_none_or(|until| windows.judge(until) == Verdict::Open));
            }
        }

        #[test]
        fn no_moment_makes_it_panic(second in Timestamp::MIN.as_second()..=Timestamp::MAX.as_second()) {
            let _ = rules(&[FREEZE, HOURS]).expect("rules").judge(Timestamp::from_second(second).expect("a moment"));
        }
    }
}
