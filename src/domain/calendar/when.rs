//! A span of time as people write it, weekly or dated.

use std::fmt;
use std::str::FromStr;

use super::dated::Dated;
use super::weekdays::BadWhen;
use super::weekly::Weekly;

/// How a span is written, for errors.
const EXAMPLES: &str = "write it like `Mon-Thu 09:00-16:00` or `2026-12-20..2027-01-07`";

/// A span of time, by the clocks of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// Every week.
    Weekly(Weekly),
    /// Once.
    Dated(Dated),
}

impl FromStr for When {
    type Err = BadWhen;

    fn from_str(text: &str) -> Result<Self, BadWhen> {
        let text = text.trim();
        if text.is_empty() {
            return Err(BadWhen::new(text, "a time", EXAMPLES));
        }
        // Only a date begins with a digit.
        if text.contains("..") || text.starts_with(|c: char| c.is_ascii_digit()) {
            text.parse().map(Self::Dated)
        } else {
            text.parse().map(Self::Weekly)
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weekly(weekly) => weekly.fmt(f),
            Self::Dated(dated) => dated.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, written: &str) {
        let read: When = text.parse().expect(text);
        assert_eq!(read.to_string(), written, "{text}");
        assert_eq!(written.parse(), Ok(read));
    }

    #[track_caller]
    fn refused(text: &str, error: &str) {
        assert_eq!(text.parse::<When>().expect_err(text).to_string(), error);
    }

    #[test]
    fn a_span_is_written_as_it_is_read() {
        check("Mon-Thu 09:00-16:00", "Mon-Thu 09:00-16:00");
        check(" Mon , Wed 9:00-16:30 ", "Mon,Wed 09:00-16:30");
        check("Fri 22:00-06:00", "Fri 22:00-06:00");
        check("Fri 22:00-00:00", "Fri 22:00-24:00");
        check("Sat,Sun", "Sat,Sun 00:00-24:00");
        check("2026-12-20..2027-01-07", "2026-12-20..2027-01-07");
        check("2026-12-24", "2026-12-24..2026-12-24");
        check("2026-12-20T18:00 .. 2027-01-07", "2026-12-20T18:00:00..2027-01-07");
        check("2026-12-20T17:00Z..2026-12-20T18:00:00", "2026-12-20T17:00:00Z..2026-12-20T18:00:00");
    }

    #[test]
    fn a_person_learns_what_is_wrong() {
        let time = "it is written HH:MM, from 00:00 to 24:00";
        let date = "it is written 2026-12-20, 2026-12-20T18:00 (local time) or 2026-12-20T17:00Z";
        refused("", &format!("`` is not a time: {EXAMPLES}"));
        refused("Mon 09:00", "`Mon 09:00` is not a time of the week: it is written `Mon-Thu 09:00-16:00`");
        refused("Mon 09:00-24:01", &format!("`24:01` is not a time of the day: {time}"));
        refused("Mon 09:0-10:00", &format!("`09:0` is not a time of the day: {time}"));
        refused(
            "Mon 24:00-10:00",
            "`Mon 24:00-10:00` is not a time of the week: nothing begins at 24:00; write 00:00 and the next day",
        );
        refused(
            "Mon 09:00-09:00",
            "`Mon 09:00-09:00` is not a time of the week: it ends when it begins; a whole day is 00:00-24:00",
        );
        refused("2026-02-29..2026-03-01", &format!("`2026-02-29` is not a date: {date}"));
        refused(
            "2026-12-20T18:00[Europe/Zurich]..2027-01-07",
            &format!("`2026-12-20T18:00[Europe/Zurich]` is not a date: {date}"),
        );
        refused("2026-12-20T18:00+01:00..2027-01-07", &format!("`2026-12-20T18:00+01:00` is not a date: {date}"));
        refused("2026-12-20T18:00Z", "`2026-12-20T18:00Z` is not a span: it has no end; write `FROM..TO`");
        for text in ["2027-01-07..2026-12-20", "2027-01-07..2027-01-07T00:00", "2027-01-07T12:00..2027-01-06"] {
            refused(text, &format!("`{text}` is not a span: it ends before it begins"));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(any: String, near in "((Mon|Fri)[-, ]|[0-9]{1,4}[-:TZ]|\\.\\.|.)*") {
            let _ = (any.parse::<When>(), near.parse::<When>());
        }
    }
}
