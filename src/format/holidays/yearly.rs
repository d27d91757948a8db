//! Rules by which a day comes back every year (RFC 5545 section 3.3.10).
//!
//! Understood are `FREQ=YEARLY` with `INTERVAL`, `UNTIL`, `COUNT`, and with the month and the day of the month that the
//! first date has anyway. Days that move, as Easter does, have to be written out.

use jiff::civil::Date;

use super::lines::shown;

/// How to fix a rule that is not understood.
pub(super) const HINT: &str = "write its dates out, one VEVENT for each year";

/// A day of every year, or of every so many years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Yearly {
    interval: Option<u16>,
    until: Option<Date>,
    count: Option<u32>,
    month: Option<i8>,
    day: Option<i8>,
}

impl Yearly {
    /// Reads the value of an RRULE.
    ///
    /// # Errors
    /// What is not understood, as a fragment.
    pub(super) fn read(rule: &str) -> Result<Self, String> {
        let mut seen: Vec<String> = Vec::new();
        let mut read = Self::default();
        for part in rule.split(';') {
            let unknown = || format!("`{}` is not understood in a rule", shown(part));
            let (key, value) = part.split_once('=').ok_or_else(unknown)?;
            let key = key.to_ascii_uppercase();
            match key.as_str() {
                "FREQ" if value.eq_ignore_ascii_case("YEARLY") => {}
                "INTERVAL" => read.interval = Some(positive(value).ok_or_else(unknown)?),
                "COUNT" => read.count = Some(positive(value).ok_or_else(unknown)?),
                "UNTIL" => read.until = Some(date(value).ok_or_else(unknown)?),
                "BYMONTH" => read.month = Some(positive(value).ok_or_else(unknown)?),
                "BYMONTHDAY" => read.day = Some(positive(value).ok_or_else(unknown)?),
                // Where weeks begin matters to rules about weeks, which are not read.
                "WKST" => {}
                _ => return Err(unknown()),
            }
            if seen.contains(&key) {
                return Err(format!("`{key}` is there twice"));
            }
            seen.push(key);
        }
        if !seen.iter().any(|key| key == "FREQ") {
            return Err("the rule has no `FREQ=YEARLY`".to_owned());
        }
        if read.until.is_some() && read.count.is_some() {
            return Err("`UNTIL` and `COUNT` exclude each other".to_owned());
        }
        if read.day.is_some() && read.month.is_none() {
            return Err("`BYMONTHDAY` without `BYMONTH` is that day of every month, which is not understood".to_owned());
        }
        Ok(read)
    }

    /// Whether the rule is about the day on which the event first takes place.
    ///
    /// # Errors
    /// What does not fit, as a fragment.
    pub(super) fn fits(self, first: Date) -> Result<(), String> {
        let is_other = |wanted: Option<i8>, there| wanted.is_some_and(|wanted| wanted != there);
        if is_other(self.month, first.month()) || is_other(self.day, first.day()) {
            return Err(format!("the rule is about another day than the first, {first}"));
        }
        if self.until.is_some_and(|until| until < first) {
            return Err(format!("the rule ends before the first day, {first}"));
        }
        Ok(())
    }

    /// The days up to this year. 29 February is only in leap years, and other years do not count.
    pub(super) fn days(self, first: Date, last_year: i16) -> impl Iterator<Item = Date> {
        let years = (first.year()..=last_year).step_by(self.interval.unwrap_or(1).into());
        let days = years.filter_map(move |year| Date::new(year, first.month(), first.day()).ok());
        let count = self.count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
        days.take_while(move |day| self.until.is_none_or(|until| *day <= until)).take(count)
    }
}

/// A whole number above 0, of digits only.
pub(super) fn positive<N: std::str::FromStr + Default + PartialEq>(text: &str) -> Option<N> {
    let is_number = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|number| is_number && *number != N::default())
}

/// A date as `YYYYMMDD`.
pub(super) fn date(text: &str) -> Option<Date> {
    if text.len() != 8 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (year, month, day) = (text.get(..4)?, text.get(4..6)?, text.get(6..)?);
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(rule: &str, first: &str, years: &[i16]) {
        let first = date(first).expect("a date");
        let rule = Yearly::read(rule).expect("a rule");
        assert_eq!(rule.fits(first), Ok(()));
        let found: Vec<Date> = rule.days(first, 2036).collect();
        assert!(found.iter().all(|day| (day.month(), day.day()) == (first.month(), first.day())));
        assert_eq!(found.iter().map(|day| day.year()).collect::<Vec<_>>(), years);
    }

    #[track_caller]
    fn refused(rule: &str, what: &str) {
        let first = date("20261225").expect("a date");
        assert_eq!(Yearly::read(rule).and_then(|rule| rule.fits(first)), Err(what.to_owned()), "{rule}");
    }

    #[test]
    fn a_day_comes_back_until_the_rule_ends() {
        check("FREQ=YEARLY", "20331225", &[2033, 2034, 2035, 2036]);
        check("freq=yearly;wkst=MO;bymonth=12;bymonthday=25", "20351225", &[2035, 2036]);
        check("FREQ=YEARLY;UNTIL=20281225", "20261225", &[2026, 2027, 2028]);
        check("FREQ=YEARLY;UNTIL=20281224", "20261225", &[2026, 2027]);
        check("COUNT=3;FREQ=YEARLY", "20261225", &[2026, 2027, 2028]);
        check("FREQ=YEARLY;INTERVAL=4", "20261225", &[2026, 2030, 2034]);
        check("FREQ=YEARLY", "20371225", &[]);
    }

    #[test]
    fn a_leap_day_is_only_in_leap_years() {
        check("FREQ=YEARLY", "20240229", &[2024, 2028, 2032, 2036]);
        check("FREQ=YEARLY;COUNT=2", "20240229", &[2024, 2028]);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for part in [
            "FREQ=WEEKLY",
            "BYDAY=4TH",
            "BYMONTHDAY=-1",
            "BYMONTH=1,2",
            "COUNT=0",
            "INTERVAL=+1",
            "COUNT",
            "",
            "RSCALE=HEBREW",
            "UNTIL=20281225T000000Z",
            "UNTIL=20280230",
        ] {
            refused(&format!("FREQ=YEARLY;{part}"), &format!("`{part}` is not understood in a rule"));
        }
        refused("COUNT=3", "the rule has no `FREQ=YEARLY`");
        refused("FREQ=YEARLY;COUNT=3;count=4", "`COUNT` is there twice");
        refused("FREQ=YEARLY;COUNT=3;UNTIL=20301225", "`UNTIL` and `COUNT` exclude each other");
        let every_month = "`BYMONTHDAY` without `BYMONTH` is that day of every month, which is not understood";
        refused("FREQ=YEARLY;BYMONTHDAY=25", every_month);
        refused("FREQ=YEARLY;BYMONTH=11", "the rule is about another day than the first, 2026-12-25");
        refused("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24", "the rule is about another day than the first, 2026-12-25");
        refused("FREQ=YEARLY;UNTIL=20261224", "the rule ends before the first day, 2026-12-25");
    }

    proptest! {
        #[test]
        fn no_rule_makes_it_panic(
            any: String,
            near in "((FREQ=YEARLY|COUNT=|UNTIL=|INTERVAL=|[0-9]{1,8}|.);?)*",
            year in -9999..=9999_i16,
            last: i16,
        ) {
            let first = Date::new(year, 2, 28).expect("a date");
            for text in [any, near] {
                let _ = date(&text);
                let days = Yearly::read(&text).map(|rule| rule.days(first, last).count());
                prop_assert!(days.is_err() || days.is_ok_and(|days| days <= 20_000));
            }
        }
    }
}
