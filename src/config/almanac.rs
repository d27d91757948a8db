//! Time zones and days off: what only this machine can tell about a calendar.
//!
//! A zone is that of the system's database, which its updates keep right. The one that is compiled in stands in for it
//! where it is missing, as in a container without `tzdata`, so that a calendar means the same there.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::{self, TimeZone, TimeZoneDatabase};

use super::files;
use super::settings;
use crate::domain::calendar::site::Calendar;
use crate::domain::calendar::windows::{BadRules, Rule, Windows};
use crate::domain::calendar::working_days::{Holidays, WorkingDays};
use crate::format::complaint::Trouble;
use crate::format::holidays;
use crate::format::spelling::did_you_mean;

/// How many years ahead holidays are listed. A daemon that is not reloaded for longer knows none any more.
const YEARS_AHEAD: i16 = 10;

/// The time zone of this name.
///
/// # Errors
/// If there is none, with the one that was probably meant.
pub fn zone(name: &str) -> Result<TimeZone, Trouble> {
    let found = tz::db().get(name).or_else(|_| TimeZoneDatabase::bundled().get(name));
    found.ok().filter(|zone| zone.iana_name().is_some() && !zone.is_unknown()).ok_or_else(|| {
        let known: Vec<String> = TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect();
        let near = did_you_mean(name, known.iter().map(String::as_str));
        let hint = near.unwrap_or_else(|| "write a name such as \"Europe/Zurich\" or \"UTC\"".to_owned());
        Trouble { what: format!("there is no time zone `{}`", name.escape_default()), hint: Some(hint) }
    })
}

/// What a file of holidays says.
///
/// # Errors
/// If it cannot be read.
pub fn holidays(path: &Path, now: Timestamp) -> Result<holidays::Read, Trouble> {
    let (bytes, _) = files::content(path, holidays::FILE_MAX)?;
    Ok(holidays::read(&bytes, path, years(now)))
}

/// The years whose holidays are listed.
fn years(now: Timestamp) -> RangeInclusive<i16> {
    let year = TimeZone::UTC.to_datetime(now).year();
    year.saturating_sub(1)..=year.saturating_add(YEARS_AHEAD)
}

/// A day that several files name is called as the first of them calls it.
pub fn add(all: &mut Holidays, more: Holidays) {
    for (day, name) in more {
        all.entry(day).or_insert(name);
    }
}

/// A calendar with everything that its settings name.
#[derive(Debug)]
pub struct Almanac {
    working_days: WorkingDays,
    /// The same of countries that have other holidays, by their NGI.
    ngis: BTreeMap<String, WorkingDays>,
    /// Those of the site.
    windows: Vec<Rule>,
}

impl Almanac {
    /// Reads what the settings name. What is wrong is added to `wrong`; without its zone there is no calendar.
    pub fn of(settings: &settings::Calendar, now: Timestamp, wrong: &mut Vec<String>) -> Option<Self> {
        let mut off = |files: &[PathBuf]| {
            let mut off = Holidays::new();
            for path in files {
                match holidays(path, now) {
                    Ok(read) => {
                        wrong.extend(read.complaints.iter().map(ToString::to_string));
                        add(&mut off, read.holidays);
                    }
                    Err(trouble) => wrong.push(trouble.to_string()),
                }
            }
            off
        };
        let site = off(&settings.holidays);
        let ngis: Vec<(&String, Holidays)> = settings.ngis.iter().map(|(ngi, files)| (ngi, off(files))).collect();
        let zone = zone(&settings.timezone).map_err(|trouble| wrong.push(trouble.to_string())).ok()?;
        let days = |off| WorkingDays::new(settings.working_days, zone.clone()).except(off);
        let ngis = ngis.into_iter().map(|(ngi, off)| (ngi.clone(), days(off))).collect();
        Some(Self { working_days: days(site), ngis, windows: settings.windows.clone() })
    }

    /// The calendar of a distribution, whose own windows are asked before those of the site; that of the site without
    /// any.
    ///
    /// # Errors
    /// If the windows make no sense by the clocks of the zone.
    pub fn with(&self, own: &[Rule]) -> Result<Calendar, BadRules> {
        let zone = self.working_days.zone().clone();
        let windows = Windows::new([own, self.windows.as_slice()].concat(), zone)?;
        Ok(Calendar { working_days: self.working_days.clone(), windows, ngis: self.ngis.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zones_that_are_compiled_in_are_enough_for_a_machine_without_any() {
        let bundled = TimeZoneDatabase::bundled().get("Europe/Zurich").expect("compiled in");
        let known = zone("Europe/Zurich").expect("known");
        for text in ["2026-03-29T00:59:59Z", "2026-03-29T01:00Z", "2026-10-25T01:00Z", "2036-07-01T12:00Z"] {
            let at: Timestamp = text.parse().expect("a moment");
            assert_eq!(bundled.to_datetime(at), known.to_datetime(at), "{text}");
        }
    }

    #[test]
    fn a_zone_is_named_as_the_database_names_it() {
        assert_eq!(zone("UTC").map(|zone| zone.iana_name().map(str::to_owned)), Ok(Some("UTC".to_owned())));
        let trouble = zone("Europe/Zürich").expect_err("it has no umlaut");
        assert_eq!(trouble.hint.as_deref(), Some("did you mean \"Europe/Zurich\"?"));
        for name in ["", "CET-1CEST,M3.5.0,M10.5.0/3", "+01:00", "../../etc/passwd", "/etc/localtime", "Etc/Unknown"] {
            assert!(zone(name).is_err(), "{name}");
        }
    }
}
