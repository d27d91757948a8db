//! Holidays from a site's `.ics` file, in the part of RFC 5545 that such files use (S0-35).
//!
//! A holiday is a VEVENT of whole days: DTSTART, perhaps DTEND (the day after the last) or DURATION, SUMMARY, an RRULE
//! for a day of every year, EXDATE, and STATUS if it is cancelled. What else an event may say about its days (another
//! RRULE, times of the day, RDATE, EXRULE, RECURRENCE-ID) is not understood. Such an event is left out, and that is a
//! complaint with its line: a holiday that is lost without a word would bring deadlines forward. What says nothing about
//! days is skipped, as are time zones and components that begin with `X-`.

/// Lines, unfolded.
mod lines;
/// Days that come back every year.
mod yearly;
/// One event and its days.
mod event;

use std::ops::RangeInclusive;
use std::path::Path;

use super::complaint::{Complaint, Findings, Spot};
use crate::domain::calendar::working_days::Holidays;
use event::{Event, Trouble};
use lines::{Property, shown};

/// Largest file: the public holidays of a country over twenty years have some 200 KiB.
pub const FILE_MAX: usize = 1024 * 1024;

/// Most events of a file. Twenty years of a country have a few hundred.
pub const EVENTS_MAX: usize = 5_000;

/// Most days that the events of a file may have together, repeated ones counted.
pub const DAYS_MAX: usize = 50_000;

/// A file that is no calendar may have a mistake in every line; these tell enough.
pub const COMPLAINTS_MAX: usize = 50;

/// How many components may be within one another; calendars have three.
const DEPTH_MAX: usize = 8;

/// What a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The days off. If two events have the same day, the first names it.
    pub holidays: Holidays,
    /// What was not understood, in file order. Events with a complaint are left out.
    pub complaints: Vec<Complaint>,
}

/// Reads a file, called `file` in complaints. Holidays are listed from the first to the last of these years.
pub fn read(bytes: &[u8], file: &Path, years: RangeInclusive<i16>) -> Read {
    let mut reader = Reader {
        findings: Findings::new(file),
        untold: 0,
        years,
        holidays: Holidays::new(),
        open: Vec::new(),
        event: None,
        has_calendar: false,
        events: 0,
        days: 0,
    };
    if bytes.len() > FILE_MAX {
        reader.complain(1, "", format!("is larger than {FILE_MAX} bytes, too large for a list of holidays"), None);
    } else if reader.file(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).is_ok() {
        reader.ends();
    }
    reader.into_read()
}

struct Reader {
    findings: Findings,
    /// Complaints beyond [`COMPLAINTS_MAX`].
    untold: usize,
    years: RangeInclusive<i16>,
    holidays: Holidays,
    /// The components that are open, with their lines.
    open: Vec<(String, usize)>,
    /// The event that is open; `None` too if something in it was not understood.
    event: Option<Event>,
    has_calendar: bool,
    events: usize,
    days: usize,
}

/// The rest is not read; the reason is among the complaints.
struct Stop;

impl Reader {
    /// Also leaves out the event that is open.
    fn complain(&mut self, line: usize, key: &str, what: String, hint: Option<&str>) {
        self.event = None;
        if self.findings.list.len() == COMPLAINTS_MAX {
            self.untold += 1;
            return;
        }
        let at = Spot { line, column: 1, key: key.to_owned() };
        self.findings.complain(&at, what, hint.map(str::to_owned));
    }

    fn stop(&mut self, line: usize, key: &str, what: String) -> Stop {
        self.complain(line, key, what, None);
        Stop
    }

    fn into_read(mut self) -> Read {
        if self.untold > 0 {
            let line = self.findings.list.last().map_or(1, |last| last.at.line);
            let at = Spot { line, column: 1, key: String::new() };
            self.findings.complain(&at, format!("{} more complaints follow", self.untold), None);
        }
        Read { holidays: self.holidays, complaints: self.findings.list }
    }

    fn file(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        for lines::Line { number, property } in lines::of(bytes) {
            match property {
                Err(what) => self.complain(number, "", what.to_owned(), None),
                Ok(Property { name, value, .. }) if name == "BEGIN" => self.begin(&value, number)?,
                Ok(Property { name, value, .. }) if name == "END" => self.end(&value, number)?,
                Ok(property) => self.property(&property, number)?,
            }
        }
        Ok(())
    }

    /// The end of the file.
    fn ends(&mut self) {
        if let Some((name, line)) = self.open.pop() {
            self.complain(line, "BEGIN", format!("`{}` has no end; the file may be cut off", shown(&name)), None);
        } else if self.findings.list.is_empty() && !self.has_calendar {
            self.complain(1, "", "is not a calendar: it has no `BEGIN:VCALENDAR`".to_owned(), None);
        }
    }

    fn begin(&mut self, value: &str, line: usize) -> Result<(), Stop> {
        let name = value.trim().to_ascii_uppercase();
        match (self.open.len(), name.as_str()) {
            (0, "VCALENDAR") => self.has_calendar = true,
            (0, _) => return Err(self.stop(line, "BEGIN", format!("`{}` is outside of a calendar", shown(&name)))),
            (1, "VEVENT") if self.events == EVENTS_MAX => {
                return Err(self.stop(line, "BEGIN", format!("there are more than {EVENTS_MAX} events")));
            }
            (1, "VEVENT") => {
                self.events += 1;
                self.event = Some(Event::begun(line));
            }
            (DEPTH_MAX, _) => {
                return Err(self.stop(line, "BEGIN", "components are nested too deeply".to_owned()));
            }
            (1, other) if other != "VTIMEZONE" && !other.starts_with("X-") => {
                let what = format!("`{}` is not understood; holidays are VEVENTs", shown(other));
                self.complain(line, "BEGIN", what, None);
            }
            // An alarm, the rules of a time zone, or something of another program.
            _ => {}
        }
        self.open.push((name, line));
        Ok(())
    }

    fn end(&mut self, value: &str, line: usize) -> Result<(), Stop> {
        let name = value.trim().to_ascii_uppercase();
        if self.open.pop().is_none_or(|(begun, _)| begun != name) {
            let what = format!("`{}` was not begun, or something in it has no end", shown(&name));
            return Err(self.stop(line, "END", what));
        }
        if self.open.len() == 1
            && let Some(event) = self.event.take()
        {
            self.take_in(&event, line)?;
        }
        Ok(())
    }

    fn property(&mut self, property: &Property, line: usize) -> Result<(), Stop> {
        match self.open.as_slice() {
            [] => return Err(self.stop(line, &property.name, "is outside of a calendar".to_owned())),
            [_] if property.name == "CALSCALE" && !property.value.trim().eq_ignore_ascii_case("GREGORIAN") => {
                return Err(self.stop(line, "CALSCALE", "is not GREGORIAN".to_owned()));
            }
            [_, _] => {
                if let Some(Err(trouble)) = self.event.as_mut().map(|event| event.says(property, line)) {
                    self.trouble(trouble);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn trouble(&mut self, Trouble { line, key, what, hint }: Trouble) {
        self.complain(line, &key, what, hint);
    }

    /// Adds the days of an event.
    fn take_in(&mut self, event: &Event, line: usize) -> Result<(), Stop> {
        let days = match event.days(self.years.clone()) {
            Ok(days) => days,
            Err(trouble) => {
                self.trouble(trouble);
                return Ok(());
            }
        };
        for day in days {
            if self.days == DAYS_MAX {
                return Err(self.stop(line, "VEVENT", format!("there are more than {DAYS_MAX} days off")));
            }
            self.days += 1;
            self.holidays.entry(day).or_insert_with(|| event.name());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    /// Whole files: what is listed, what is refused and why.
    mod whole_files;
}
