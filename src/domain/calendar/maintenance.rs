//! What a planned maintenance needs before it may be declared (S3-35).
//!
//! It is declared at least 24 hours before it starts and lasts at most 24 hours, or somebody says why not. One that is
//! declared later than that is unscheduled, justified or not, and pages and notices call it so.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

/// How long before its start a maintenance has to be declared.
pub const NOTICE: SignedDuration = SignedDuration::from_hours(24);

/// How long it may last without a justification.
pub const LENGTH: SignedDuration = SignedDuration::from_hours(24);

/// A maintenance as it is declared.
#[derive(Clone, Copy, Debug)]
pub struct Declaration<'a> {
    /// When it was declared.
    pub declared: Timestamp,
    /// When it starts.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// Why it could not be declared earlier or cannot be shorter; may be empty.
    pub justification: &'a str,
}

/// Whether it was declared in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was.
    Scheduled,
    /// It was not.
    Unscheduled,
}

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// An end after the start. No justification replaces it.
    End,
    /// Notice, or a justification. This much was given; negative if it has started already.
    Notice(SignedDuration),
    /// A shorter time, or a justification. It is to last this long.
    Length(SignedDuration),
}

impl fmt::Display for Missing {
    /// A lower-case fragment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::End => f.write_str("it must end after its start"),
            Self::Notice(given) => {
                let (much, side) = (minutes(given.abs(), 0), if given.is_negative() { "after" } else { "before" });
                write!(f, "it is declared {much} {side} its start; less than 24 h needs a justification")
            }
            Self::Length(length) => {
                let much = minutes(length, 59);
                write!(f, "it lasts {much}; more than 24 h needs a justification")
            }
        }
    }
}

/// Hours and minutes. `up` is 59 to round up.
fn minutes(span: SignedDuration, up: i64) -> String {
    let minutes = span.as_secs().saturating_add(up) / 60;
    format!("{} h {:02} min", minutes / 60, minutes % 60)
}

/// What was found about a declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// Whether it was declared in time.
    pub kind: Kind,
    /// What it still needs; if nothing, it may be declared.
    pub missing: Vec<Missing>,
}

/// Applies the rule.
#[must_use]
pub fn assess(declaration: &Declaration<'_>) -> Assessment {
    let Declaration { declared, start, end, justification } = *declaration;
    let notice = start.duration_since(declared);
    let length = end.duration_since(start);
    let is_late = notice < NOTICE;
    let is_justified = !justification.trim().is_empty();
    let missing = [
        (end <= start).then_some(Missing::End),
        (is_late && !is_justified).then_some(Missing::Notice(notice)),
        (length > LENGTH && !is_justified).then_some(Missing::Length(length)),
    ];
    let kind = if is_late { Kind::Unscheduled } else { Kind::Scheduled };
    Assessment { kind, missing: missing.into_iter().flatten().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `notice` and `length` in minutes.
    fn judged(notice: i64, length: i64, justification: &str) -> Assessment {
        let declared: Timestamp = "2026-12-01T08:00Z".parse().expect("a moment");
        let start = declared + SignedDuration::from_mins(notice);
        let end = start + SignedDuration::from_mins(length);
        assess(&Declaration { declared, start, end, justification })
    }

    #[track_caller]
    fn check(notice: i64, length: i64, justification: &str, kind: Kind, missing: &[&str]) {
        let found = judged(notice, length, justification);
        let said: Vec<String> = found.missing.iter().map(Missing::to_string).collect();
        assert_eq!((found.kind, said.iter().map(String::as_str).collect::<Vec<_>>()), (kind, missing.to_vec()));
    }

    const DAY: i64 = 24 * 60;

    #[test]
    fn a_day_of_notice_is_enough_and_a_minute_less_is_not() {
        let late = "it is declared 23 h 59 min before its start; less than 24 h needs a justification";
        check(DAY - 1, 60, "", Kind::Unscheduled, &[late]);
        check(DAY - 1, 60, " \n", Kind::Unscheduled, &[late]);
        check(DAY, 60, "", Kind::Scheduled, &[]);
        check(DAY + 1, 60, "", Kind::Scheduled, &[]);
    }

    #[test]
    fn a_day_may_pass_and_a_minute_more_needs_a_reason() {
        check(DAY, DAY - 1, "", Kind::Scheduled, &[]);
        check(DAY, DAY, "", Kind::Scheduled, &[]);
        check(DAY, DAY + 1, "", Kind::Scheduled, &["it lasts 24 h 01 min; more than 24 h needs a justification"]);
    }

    #[test]
    fn a_justification_replaces_both_but_it_remains_unscheduled() {
        check(DAY - 1, DAY + 1, "the disk is failing", Kind::Unscheduled, &[]);
        check(DAY, DAY + 1, "the disks are copied", Kind::Scheduled, &[]);
        check(
            -5,
            2 * DAY,
            "",
            Kind::Unscheduled,
            &[
                "it is declared 0 h 05 min after its start; less than 24 h needs a justification",
                "it lasts 48 h 00 min; more than 24 h needs a justification",
            ],
        );
    }

    #[test]
    fn one_that_does_not_end_is_refused_whatever_is_said() {
        check(DAY, 0, "why not", Kind::Scheduled, &["it must end after its start"]);
        check(DAY, -1, "why not", Kind::Scheduled, &["it must end after its start"]);
    }

    #[test]
    fn seconds_count() {
        let declared: Timestamp = "2026-12-01T08:00:01Z".parse().expect("a moment");
        let start: Timestamp = "2026-12-02T08:00:00Z".parse().expect("a moment");
        let end = start + LENGTH + SignedDuration::from_nanos(1);
        let found = assess(&Declaration { declared, start, end, justification: "" });
        assert_eq!((found.kind, found.missing.len()), (Kind::Unscheduled, 2));
    }

    proptest! {
        #[test]
        fn no_moments_make_it_panic(
            declared in Timestamp::MIN.as_second()..=Timestamp::MAX.as_second(),
            start in Timestamp::MIN.as_second()..=Timestamp::MAX.as_second(),
            end in Timestamp::MIN.as_second()..=Timestamp::MAX.as_second(),
        ) {
            let at = |second| Timestamp::from_second(second).expect("a moment");
            let (declared, start, end) = (at(declared), at(start), at(end));
            for missing in assess(&Declaration { declared, start, end, justification: "" }).missing {
                let _ = missing.to_string();
            }
        }
    }
}
