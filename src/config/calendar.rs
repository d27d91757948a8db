//! `[calendar]`, and the windows of distributions: when people work, and when packages may move.
//!
//! The time zone is only a name here, and holidays are only files: `almanac` reads both.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::mentions::{Notebook, Purpose};
use super::settings::Calendar;
use super::values::{Names, words};
use crate::domain::calendar::weekdays::Weekdays;
use crate::domain::calendar::when::When;
use crate::domain::calendar::windows::{Effect, RULES_MAX, Rule};
use crate::format::document::{Section, Value};

/// The longest name of a window: people read it in a sentence.
const NAME_MAX: usize = 80;

/// The calendar of the site.
pub fn calendar(mut section: Section<'_, '_>, notebook: &mut Notebook) -> Option<Calendar> {
    let timezone = section.need("timezone", "timezone = \"Europe/Zurich\"").and_then(|v| words(&v));
    let working_days = section.get("working_days").map_or(Some(Weekdays::WORKING), |v| v.parse());
    let holidays = section.get("holidays").map(|v| holidays(&v, notebook)).unwrap_or_default();
    let ngis = section.get("ngi").map(|v| ngis(&v, notebook)).unwrap_or_default();
    let windows = section.get("window").map(|v| windows(&v)).unwrap_or_default();
    section.close();
    Some(Calendar { timezone: timezone?, working_days: working_days?, holidays, ngis, windows })
}

/// The files of holidays.
fn holidays(value: &Value<'_, '_>, notebook: &mut Notebook) -> Vec<PathBuf> {
    let mut holidays = Vec::new();
    for file in value.list().unwrap_or_default() {
        let Some(path) = notebook.path(&file, Purpose::Holidays) else { continue };
        if holidays.contains(&path) {
            file.complain("is listed twice", None);
        }
        holidays.push(path);
    }
    holidays
}

/// The files of countries that have other holidays, by their NGI.
fn ngis(value: &Value<'_, '_>, notebook: &mut Notebook) -> BTreeMap<String, Vec<PathBuf>> {
    let (mut names, mut all) = (Names::default(), BTreeMap::new());
    for mut section in value.sections() {
        let name = section.need("name", "name = \"NGI_CH\"");
        let files = section.need("holidays", "holidays = [\"/etc/rolloutd/holidays-ch.ics\"]");
        let files = files.map(|v| holidays(&v, notebook)).unwrap_or_default();
        if let Some(value) = &name
            && let Some(name) = words(value)
        {
            names.note(&name, value, "has holidays already");
            all.insert(name, files);
        }
        section.close();
    }
    all
}

/// All valid windows, in the order of the file.
pub fn windows(value: &Value<'_, '_>) -> Vec<Rule> {
    let sections = value.sections();
    if sections.len() > RULES_MAX {
        value.complain(format!("has more than {RULES_MAX} windows"), None);
    }
    let mut names = Names::default();
    sections.into_iter().filter_map(|section| window(section, &mut names)).collect()
}

fn window(mut section: Section<'_, '_>, names: &mut Names) -> Option<Rule> {
    let value = section.need("name", "name = \"end of the year\"");
    let name = value.as_ref().and_then(words);
    if let (Some(value), Some(name)) = (&value, &name) {
        names.note(name, value, "is already the name of a window");
        if name.chars().count() > NAME_MAX {
            value.complain(format!("is longer than {NAME_MAX} characters"), None);
        }
    }
    let of = |effect, value: &Value<'_, '_>| value.parse::<When>().map(|when| (effect, when));
    let rule = match (section.get("deny"), section.get("allow")) {
        (Some(deny), None) => of(Effect::Deny, &deny),
        (None, Some(allow)) => of(Effect::Allow, &allow),
        (Some(_), Some(allow)) => {
            allow.complain("a window allows or denies, not both", Some("make it two windows".to_owned()));
            None
        }
        (None, None) => {
            let hint = "write either deny = \"2026-12-20..2027-01-07\", or allow = \"Mon-Thu 09:00-16:00\"".to_owned();
            section.complain("sets neither `deny` nor `allow`", Some(hint));
            None
        }
    };
    section.close();
    let (effect, when) = rule?;
    Some(Rule { effect, when, name: name? })
}
