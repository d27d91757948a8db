//! The calendar on this machine: its zone, its files of holidays, and windows by the clocks of the zone.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::almanac;
use super::mentions::Purpose;
use super::reader::Outcome;
use super::settings::Calendar;
use crate::domain::calendar::when::When;
use crate::domain::calendar::windows::{Effect, Rule, Verdict, Windows};
use crate::domain::calendar::working_days::Holidays;
use crate::format::complaint::{Findings, Spot};
use crate::process::fact::count;

/// Checks all of it, and notes what the calendar is.
pub fn look(outcome: &Outcome, now: Timestamp, findings: &mut Findings) {
    let off = holidays(outcome, now, findings);
    let Some(calendar) = &outcome.calendar else { return };
    let at = outcome.places.of("calendar.timezone");
    let zone = match almanac::zone(&calendar.timezone) {
        Ok(zone) => zone,
        Err(trouble) => return findings.trouble(&at, trouble),
    };
    let site: &[Rule] = &calendar.windows;
    let own = outcome.distributions.iter().filter(|(_, dist)| !dist.windows.is_empty());
    let own = own.map(|(number, dist)| (format!("distribution[{number}].window"), dist.windows.as_slice(), site));
    for (key, rules, behind) in std::iter::once(("calendar.window".to_owned(), site, [].as_slice())).chain(own) {
        for (number, rule) in rules.iter().enumerate() {
            let effect = if rule.effect == Effect::Allow { "allow" } else { "deny" };
            window(rule, &zone, now, &outcome.places.of(&format!("{key}[{number}].{effect}")), findings);
        }
        // The windows that are backwards have a complaint already, with their place.
        let in_order = |rule: &&Rule| !is_backwards(rule, &zone);
        let rules = [rules, behind].concat().iter().filter(in_order).cloned().collect();
        let at = outcome.places.of(&key);
        match Windows::new(rules, zone.clone()) {
            Ok(windows) => never(&windows, now, &at, findings),
            Err(error) => findings.complain(&at, error.to_string(), None),
        }
    }
    findings.note(&at, told(calendar, &off), None);
}

/// The days off of the site; the files of countries are read, too.
fn holidays(outcome: &Outcome, now: Timestamp, findings: &mut Findings) -> Holidays {
    let mut all = Holidays::new();
    for mention in outcome.notebook.mentions.iter().filter(|mention| mention.purpose == Purpose::Holidays) {
        match almanac::holidays(&mention.path, now) {
            Ok(read) => {
                if read.holidays.is_empty() && read.complaints.is_empty() {
                    let what = format!("{} has no holidays of these years", mention.path.display());
                    findings.note(&mention.at, what, None);
                }
                findings.list.extend(read.complaints);
                if mention.at.key.starts_with("calendar.holidays") {
                    almanac::add(&mut all, read.holidays);
                }
            }
            Err(trouble) => findings.trouble(&mention.at, trouble),
        }
    }
    all
}

/// Whether a window ends before it begins.
fn is_backwards(rule: &Rule, zone: &TimeZone) -> bool {
    matches!(rule.when, When::Dated(dated) if dated.span(zone).is_none())
}

fn window(rule: &Rule, zone: &TimeZone, now: Timestamp, at: &Spot, findings: &mut Findings) {
    let When::Dated(dated) = rule.when else { return };
    match dated.span(zone) {
        None => findings.complain(at, "ends before it begins, in `calendar.timezone`".to_owned(), None),
        Some((_, behind)) if behind <= now => {
            findings.note(at, format!("`{}` is over", rule.name), Some("it can be removed".to_owned()));
        }
        Some(_) => {}
    }
}

/// Notes windows by which nothing ever moves.
fn never(windows: &Windows, now: Timestamp, at: &Spot, findings: &mut Findings) {
    if let Verdict::Closed { reason, until: None } = windows.judge(now) {
        let hint = "allow some time, or end the window that denies".to_owned();
        findings.note(at, format!("packages may not move at any time within two years: {reason}"), Some(hint));
    }
}

/// What the calendar is, in one line.
fn told(calendar: &Calendar, off: &Holidays) -> String {
    let windows: Vec<String> = calendar.windows.iter().map(Rule::told).collect();
    let windows = if windows.is_empty() { "packages may move at any time".to_owned() } else { windows.join("; ") };
    let Calendar { working_days, timezone, ngis, .. } = calendar;
    let own = match ngis.keys().map(String::as_str).collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => none,
        ngis => format!(" (with holidays of their own: {ngis})"),
    };
    let off = match off.len() {
        0 => "no holidays".to_owned(),
        days => count(days, "holiday"),
    };
    format!("the calendar: working days {working_days}, {off}{own}, time zone {timezone}; {windows}")
}
