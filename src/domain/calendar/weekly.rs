//! Some hours on some days of every week: `Mon-Thu 09:00-16:00`.
//!
//! `Fri 22:00-06:00` goes on until Saturday morning, and `Sat,Sun` is the whole of both days.

use std::fmt;
use std::str::FromStr;

use jiff::civil::DateTime;

use super::weekdays::{BadWhen, Weekdays};

/// The minutes of a day.
const DAY: u16 = 24 * 60;

/// Some hours on some days of every week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weekly {
    days: Weekdays,
    /// The minute of the day, below [`DAY`].
    from: u16,
    /// The minute of the day, from 1 to [`DAY`]; of the next day if it is not after `from`.
    to: u16,
}

impl Weekly {
    /// Whether the clocks show a time in it.
    pub(super) fn contains(self, local: DateTime) -> bool {
        let minute = 60 * u16::from(local.hour().unsigned_abs()) + u16::from(local.minute().unsigned_abs());
        let today = self.days.contains(local.weekday());
        if self.from < self.to {
            return today && (self.from..self.to).contains(&minute);
        }
        let since_yesterday = self.days.contains(local.weekday().previous());
        today && minute >= self.from || since_yesterday && minute < self.to
    }

    /// The minutes of a day at which it can begin or end.
    pub(super) fn ends(self) -> [u16; 2] {
        [self.from, self.to % DAY]
    }
}

impl FromStr for Weekly {
    type Err = BadWhen;

    fn from_str(text: &str) -> Result<Self, BadWhen> {
        let text = text.trim();
        let (days, hours) = match text.rsplit_once(char::is_whitespace) {
            Some((days, hours)) if hours.contains(':') => (days, hours),
            _ => (text, "00:00-24:00"),
        };
        let days = days.parse()?;
        let whole = |why| BadWhen::new(text, "a time of the week", why);
        let (from, to) = hours.split_once('-').ok_or_else(|| whole("it is written `Mon-Thu 09:00-16:00`"))?;
        let (from, to) = (minute(from)?, minute(to)?);
        if from == DAY {
            return Err(whole("nothing begins at 24:00; write 00:00 and the next day"));
        }
        if from == to {
            return Err(whole("it ends when it begins; a whole day is 00:00-24:00"));
        }
        Ok(Self { days, from, to: if to == 0 { DAY } else { to } })
    }
}

impl fmt::Display for Weekly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { days, from, to } = self;
        write!(f, "{days} {:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

/// The minute of the day that `HH:MM` names; `24:00` is the last.
fn minute(text: &str) -> Result<u16, BadWhen> {
    let digits = |part: &str, most: usize| {
        let fits = (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| part.parse::<u16>().ok()).flatten()
    };
    text.split_once(':')
        .and_then(|(hour, minute)| Some((digits(hour, 2)?, digits(minute, 2).filter(|_| minute.len() == 2)?)))
        .filter(|(hour, minute)| *minute < 60 && 60 * hour + minute <= DAY)
        .map(|(hour, minute)| 60 * hour + minute)
        .ok_or_else(|| BadWhen::new(text, "a time of the day", "it is written HH:MM, from 00:00 to 24:00"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hours_that_go_over_midnight_belong_to_the_day_on_which_they_begin() {
        let weekly: Weekly = "Fri 22:00-06:00".parse().expect("a span");
        let is_in = |text: &str| weekly.contains(text.parse().expect("a local time"));
        assert!(!is_in("2026-12-04T21:59") && is_in("2026-12-04T22:00") && is_in("2026-12-05T05:59:59"));
        assert!(!is_in("2026-12-05T06:00") && !is_in("2026-12-05T22:00") && !is_in("2026-12-04T05:00"));
    }

    proptest! {
        #[test]
        fn a_written_weekly_span_reads_back(days in 1..128_u8, from in 0..DAY, to in 1..=DAY) {
            prop_assume!(from != to);
            let days = (0..7).filter(|day| days & (1 << day) != 0);
            let days = Weekdays::of(days.filter_map(|day| jiff::civil::Weekday::from_monday_zero_offset(day).ok()));
            let weekly = Weekly { days: days.expect("a day"), from, to };
            prop_assert_eq!(weekly.to_string().parse(), Ok(weekly));
        }
    }
}
