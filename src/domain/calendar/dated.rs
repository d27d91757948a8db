//! A span between two dates: `2026-12-20..2027-01-07` is all of the first and all of the last day.
//!
//! An end can be given to the minute by the local clock, `2026-12-20T18:00`, or as a moment with `Z`,
//! `2026-12-20T17:00Z`; such an end is outside of the span.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::local::first_moment;
use super::weekdays::BadWhen;

/// One end of a dated span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// A whole day: its beginning, or its end.
    Day(Date),
    /// A time on the local clock.
    Local(DateTime),
    /// A moment, the same everywhere.
    Moment(Timestamp),
}

impl Edge {
    fn first(self, zone: &TimeZone) -> Timestamp {
        match self {
            Self::Day(date) => first_moment(zone, date.to_datetime(Time::midnight())),
            Self::Local(time) => first_moment(zone, time),
            Self::Moment(moment) => moment,
        }
    }

    /// The end, which is outside.
    fn behind(self, zone: &TimeZone) -> Timestamp {
        match self {
            Self::Day(date) => match date.checked_add(1.day()) {
                Ok(next) => Self::Day(next).first(zone),
                Err(_) => Timestamp::MAX,
            },
            Self::Local(_) | Self::Moment(_) => self.first(zone),
        }
    }
}

impl FromStr for Edge {
    type Err = BadWhen;

    fn from_str(text: &str) -> Result<Self, BadWhen> {
        let is_plain = |c: char| c.is_ascii_digit() || "-T:.Z".contains(c);
        let read = if !text.contains(is_plain) || !text.chars().all(is_plain) {
            // A zone in brackets, or an offset, would be read and not be heeded.
            None
        } else if text.ends_with('Z') {
            text.parse().ok().map(Self::Moment)
        } else if text.contains('T') {
            text.parse().ok().map(Self::Local)
        } else {
            text.parse().ok().map(Self::Day)
        };
        let why = "it is written 2026-12-20, 2026-12-20T18:00 (local time) or 2026-12-20T17:00Z";
        read.ok_or_else(|| BadWhen::new(text, "a date", why))
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(date) => date.fmt(f),
            Self::Local(time) => time.fmt(f),
            Self::Moment(moment) => moment.fmt(f),
        }
    }
}

/// A span between two dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dated {
    /// Where it begins.
    pub from: Edge,
    /// Where it ends. A day is in it up to its end, anything else is its end.
    pub to: Edge,
}

impl Dated {
    /// Its first moment and the first after it, by the clocks of this zone; `None` if it ends before it begins.
    #[must_use]
    pub fn span(self, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        Some((self.from.first(zone), self.to.behind(zone))).filter(|(first, behind)| first < behind)
    }
}

impl FromStr for Dated {
    type Err = BadWhen;

    /// One date alone is that day.
    fn from_str(text: &str) -> Result<Self, BadWhen> {
        let text = text.trim();
        let (from, to) = match text.split_once("..") {
            Some((from, to)) => (from.trim_end().parse()?, to.trim_start().parse()?),
            None => match text.parse()? {
                day @ Edge::Day(_) => (day, day),
                _ => return Err(BadWhen::new(text, "a span", "it has no end; write `FROM..TO`")),
            },
        };
        // Two ends of one kind are the wrong way round in every zone; the others depend on it.
        let is_backwards = match (from, to) {
            (Edge::Moment(from), Edge::Moment(to)) => from >= to,
            (Edge::Moment(_), _) | (_, Edge::Moment(_)) => false,
            (Edge::Day(from), Edge::Day(to)) => from > to,
            (Edge::Local(from), Edge::Local(to)) => from >= to,
            (Edge::Day(from), Edge::Local(to)) => from.to_datetime(Time::midnight()) >= to,
            (Edge::Local(from), Edge::Day(to)) => from.date() > to,
        };
        if is_backwards {
            return Err(BadWhen::new(text, "a span", "it ends before it begins"));
        }
        Ok(Self { from, to })
    }
}

impl fmt::Display for Dated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_day_is_in_the_span_up_to_its_end() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        let span = |text: &str| text.parse::<Dated>().expect("a span").span(&zone).map(|(a, b)| format!("{a} {b}"));
        assert_eq!(span("2026-03-29"), Some("2026-03-28T23:00:00Z 2026-03-29T22:00:00Z".to_owned()));
        assert!(span("9999-12-30..9999-12-31").is_some_and(|span| span.ends_with(&Timestamp::MAX.to_string())));
        assert_eq!(span("2026-12-20T18:00Z..2026-12-20T19:00"), None);
        assert_eq!(
            span("2026-12-20T17:59Z..2026-12-20T19:00"),
            Some("2026-12-20T17:59:00Z 2026-12-20T18:00:00Z".to_owned())
        );
    }

    fn edges() -> impl Strategy<Value = Edge> {
        (-4_000_000_000_i64..100_000_000_000, 0..3_usize).prop_map(|(second, kind)| {
            let moment = Timestamp::from_second(second).expect("a moment");
            let local = TimeZone::UTC.to_datetime(moment);
            [Edge::Day(local.date()), Edge::Local(local), Edge::Moment(moment)][kind]
        })
    }

    proptest! {
        #[test]
        fn a_written_dated_span_reads_back(from in edges(), to in edges()) {
            let dated = Dated { from, to };
            prop_assert_eq!(from.to_string().parse(), Ok(from));
            if dated.span(&TimeZone::UTC).is_some() {
                prop_assert_eq!(dated.to_string().parse(), Ok(dated));
            }
        }
    }
}
