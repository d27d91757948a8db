//! Days of the week, as people write them: `Mon-Fri`, `Tue,Thu`, `Sat-Mon`.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Weekday;

/// The days in order, with the names that are read; the short one is written.
const NAMES: [(Weekday, &str, &str); 7] = [
    (Weekday::Monday, "Mon", "Monday"),
    (Weekday::Tuesday, "Tue", "Tuesday"),
    (Weekday::Wednesday, "Wed", "Wednesday"),
    (Weekday::Thursday, "Thu", "Thursday"),
    (Weekday::Friday, "Fri", "Friday"),
    (Weekday::Saturday, "Sat", "Saturday"),
    (Weekday::Sunday, "Sun", "Sunday"),
];

/// Text that does not tell a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not {what}: {why}", text.escape_default())]
pub struct BadWhen {
    /// The text.
    pub text: String,
    /// What it should have been, with an article.
    pub what: &'static str,
    /// What is wrong with it, or how it is written.
    pub why: &'static str,
}

impl BadWhen {
    pub(super) fn new(text: &str, what: &'static str, why: &'static str) -> Self {
        Self { text: text.to_owned(), what, why }
    }
}

/// Some days of the week, at least one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Weekdays(u8);

impl Weekdays {
    /// The working week of the support units: Monday to Friday (S3-32).
    pub const WORKING: Self = Self(0b001_1111);
    /// All seven.
    pub const ALL: Self = Self(0b111_1111);

    /// These days; `None` if there is none.
    pub fn of(days: impl IntoIterator<Item = Weekday>) -> Option<Self> {
        let set = days.into_iter().fold(0, |set, day| set | bit(day));
        (set != 0).then_some(Self(set))
    }

    /// Whether this day is one of them.
    #[must_use]
    pub fn contains(self, day: Weekday) -> bool {
        self.0 & bit(day) != 0
    }
}

fn bit(day: Weekday) -> u8 {
    1 << day.to_monday_zero_offset()
}

fn day(text: &str) -> Result<Weekday, BadWhen> {
    let is_named = |name: &str| name.eq_ignore_ascii_case(text);
    NAMES
        .into_iter()
        .find(|(_, short, long)| is_named(short) || is_named(long))
        .map(|(day, _, _)| day)
        .ok_or_else(|| BadWhen::new(text, "a day of the week", "they are written Mon, Tue, Wed, Thu, Fri, Sat, Sun"))
}

impl FromStr for Weekdays {
    type Err = BadWhen;

    /// Days and ranges of days, separated by commas. A range may go over the end of the week: `Sat-Mon`.
    fn from_str(text: &str) -> Result<Self, BadWhen> {
        let mut set = 0;
        for part in text.split(',').map(str::trim) {
            let Some((first, last)) = part.split_once('-') else {
                set |= bit(day(part)?);
                continue;
            };
            let (first, last) = (day(first.trim_end())?, day(last.trim_start())?);
            set |= bit(last);
            set |= first.cycle_forward().take_while(|day| *day != last).fold(0, |set, day| set | bit(day));
        }
        Ok(Self(set))
    }
}

impl fmt::Display for Weekdays {
    /// Three or more days in a row are written as a range.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chosen: Vec<(Weekday, &str)> =
            NAMES.into_iter().filter(|(day, _, _)| self.contains(*day)).map(|(day, short, _)| (day, short)).collect();
        let rows = chosen.chunk_by(|(day, _), (next, _)| day.next() == *next);
        for (at, row) in rows.enumerate() {
            f.write_str(if at == 0 { "" } else { "," })?;
            match row {
                [(_, first), _, .., (_, last)] => write!(f, "{first}-{last}")?,
                few => f.write_str(&few.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(","))?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Weekdays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, written: &str) {
        assert_eq!(text.parse::<Weekdays>().expect("days").to_string(), written, "{text}");
    }

    #[test]
    fn days_are_named_singly_or_as_a_range() {
        check("Mon-Fri", "Mon-Fri");
        check("mon,TUE,Wednesday", "Mon-Wed");
        check("Sat, Sun", "Sat,Sun");
        check("Tue-Thu , Sat", "Tue-Thu,Sat");
        check("Sat - Mon", "Mon,Sat,Sun");
        check("Fri-Thu", "Mon-Sun");
        check("Wed-Wed", "Wed");
        assert_eq!("Mon-Fri".parse(), Ok(Weekdays::WORKING));
        assert_eq!("Sun-Sat".parse(), Ok(Weekdays::ALL));
    }

    #[test]
    fn what_is_no_day_is_named() {
        for (text, named) in
            [("", ""), ("Mon,", ""), ("Mo-Fr", "Mo"), ("Mon-Fri-Sun", "Fri-Sun"), ("Mon Tue", "Mon Tue")]
        {
            let error = text.parse::<Weekdays>().expect_err("no days");
            assert_eq!(error.text, named, "{text}");
        }
        let error = "Mo".parse::<Weekdays>().expect_err("no day").to_string();
        assert_eq!(error, "`Mo` is not a day of the week: they are written Mon, Tue, Wed, Thu, Fri, Sat, Sun");
    }

    #[test]
    fn no_days_at_all_are_no_weekdays() {
        assert_eq!(Weekdays::of([]), None);
    }

    proptest! {
        #[test]
        fn written_days_read_back(set in 1..128_u8) {
            prop_assert_eq!(Weekdays(set).to_string().parse(), Ok(Weekdays(set)));
            let days = NAMES.into_iter().map(|(day, _, _)| day).filter(|day| Weekdays(set).contains(*day));
            prop_assert_eq!(Weekdays::of(days), Some(Weekdays(set)));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(Mon|Tue|-|,|.)*") {
            let _ = text.parse::<Weekdays>();
        }
    }
}
