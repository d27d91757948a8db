//! One event of a calendar (RFC 5545 section 3.6.1): which days it says are off.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use jiff::ToSpan as _;
use jiff::civil::Date;
use smol_str::SmolStr;

use super::lines::{self, Property, shown};
use super::yearly::{self, Yearly};

/// Longest event, in days. A whole year off is a mistake.
const LENGTH_MAX: usize = 366;

/// Longest name of a holiday, in characters; the rest is cut off.
const NAME_MAX: usize = 120;

/// How a whole day is written.
const DAY_HINT: &str = "holidays are whole days, such as `DTSTART;VALUE=DATE:20261225`";

/// How the length of a holiday is written.
const DURATION_HINT: &str = "it is written `P1D` or `P1W` and is at most a year";

/// Why an event is left out.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) line: usize,
    /// The property.
    pub(super) key: String,
    /// A lower-case fragment.
    pub(super) what: String,
    pub(super) hint: Option<&'static str>,
}

/// A value, with the line of its property.
type Found<T> = Option<(T, usize)>;

/// An event as far as it has been read.
#[derive(Debug)]
pub(super) struct Event {
    line: usize,
    first: Found<Date>,
    /// The day after the last.
    behind: Found<Date>,
    /// How many days it lasts, if it says so in this way.
    duration: Found<usize>,
    rule: Found<Yearly>,
    except: BTreeSet<Date>,
    name: Option<SmolStr>,
    is_cancelled: bool,
}

impl Event {
    /// The one that begins on this line.
    pub(super) fn begun(line: usize) -> Self {
        Self {
            line,
            first: None,
            behind: None,
            duration: None,
            rule: None,
            except: BTreeSet::new(),
            name: None,
            is_cancelled: false,
        }
    }

    /// Takes in a property. Those that say nothing about days are skipped.
    pub(super) fn says(&mut self, property: &Property, line: usize) -> Result<(), Trouble> {
        let trouble = |(what, hint)| Trouble { line, key: property.name.clone(), what, hint };
        let value = property.value.as_str();
        match property.name.as_str() {
            "DTSTART" => day(property, value).and_then(|day| once(&mut self.first, day, line)),
            "DTEND" => day(property, value).and_then(|day| once(&mut self.behind, day, line)),
            "EXDATE" => value.split(',').try_for_each(|value| {
                self.except.insert(day(property, value)?);
                Ok(())
            }),
            "RRULE" => {
                let rule = Yearly::read(value).map_err(|what| (what, Some(yearly::HINT)));
                rule.and_then(|rule| once(&mut self.rule, rule, line))
            }
            "DURATION" => {
                let what = || (format!("`{}` is not a number of days", shown(value)), Some(DURATION_HINT));
                let days = duration(value.trim()).ok_or_else(what);
                days.and_then(|days| once(&mut self.duration, days, line))
            }
            "RDATE" | "EXRULE" | "RECURRENCE-ID" => {
                Err(("is not understood, so this event is left out".to_owned(), Some(yearly::HINT)))
            }
            "STATUS" => {
                self.is_cancelled |= value.trim().eq_ignore_ascii_case("CANCELLED");
                Ok(())
            }
            "SUMMARY" => {
                self.name.get_or_insert_with(|| one_line(value));
                Ok(())
            }
            _ => Ok(()),
        }
        .map_err(trouble)
    }

    /// Its name.
    pub(super) fn name(&self) -> SmolStr {
        self.name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| SmolStr::new("holiday"))
    }

    /// Its days in these years.
    pub(super) fn days(&self, years: RangeInclusive<i16>) -> Result<impl Iterator<Item = Date>, Trouble> {
        let trouble = |line, key: &str, what, hint| Trouble { line, key: key.to_owned(), what, hint };
        let Some((first, _)) = self.first else {
            return Err(trouble(self.line, "VEVENT", "has no DTSTART".to_owned(), Some(DAY_HINT)));
        };
        let length = match (self.behind, self.duration) {
            (None, None) => 1,
            (Some((behind, line)), None) => length(first, behind).map_err(|what| trouble(line, "DTEND", what, None))?,
            (None, Some((days, _))) => days,
            (Some(_), Some((_, line))) => {
                return Err(trouble(line, "DURATION", "is there besides DTEND".to_owned(), None));
            }
        };
        if let Some((rule, line)) = self.rule {
            rule.fits(first).map_err(|what| trouble(line, "RRULE", what, None))?;
        }
        let once = Some(first).filter(|_| self.rule.is_none());
        let last_year = *years.end();
        let again = self.rule.into_iter().flat_map(move |(rule, _)| rule.days(first, last_year));
        let begun = once.into_iter().chain(again).filter(|day| !self.except.contains(day) && !self.is_cancelled);
        // One that begins in the year before may last into the first year.
        let from = years.start().saturating_sub(1);
        let begun = begun.skip_while(move |day| day.year() < from);
        let days = begun.flat_map(move |day| day.series(1.day()).take(length));
        Ok(days.filter(move |day| years.contains(&day.year())))
    }
}

/// What is wrong with a value, and what may help.
type Wrong = (String, Option<&'static str>);

fn day(property: &Property, value: &str) -> Result<Date, Wrong> {
    let is_date = property.parameter("VALUE").is_none_or(|kind| kind.eq_ignore_ascii_case("DATE"));
    let what = || (format!("`{}` is not a whole day", shown(value)), Some(DAY_HINT));
    yearly::date(value.trim()).filter(|_| is_date).ok_or_else(what)
}

fn once<T>(slot: &mut Found<T>, value: T, line: usize) -> Result<(), Wrong> {
    match slot.replace((value, line)) {
        None => Ok(()),
        Some((_, before)) => Err((format!("is there twice, first in line {before}"), None)),
    }
}

/// How many days lie between.
fn length(first: Date, behind: Date) -> Result<usize, String> {
    match usize::try_from(behind.duration_since(first).as_hours() / 24) {
        Ok(0) | Err(_) => Err("is not after DTSTART; it is the day after the last".to_owned()),
        Ok(days) if days <= LENGTH_MAX => Ok(days),
        Ok(_) => Err(format!("is more than {LENGTH_MAX} days after DTSTART")),
    }
}

/// The days of `P3D` or `P1W`.
fn duration(value: &str) -> Option<usize> {
    let value = value.strip_prefix('+').unwrap_or(value).strip_prefix('P')?;
    let days = value.strip_suffix('D').map(|days| (days, 1));
    let (number, unit) = days.or_else(|| value.strip_suffix('W').map(|weeks| (weeks, 7)))?;
    yearly::positive::<usize>(number)?.checked_mul(unit).filter(|days| *days <= LENGTH_MAX)
}

fn one_line(summary: &str) -> SmolStr {
    let text = lines::text(summary);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(NAME_MAX).collect()
}
