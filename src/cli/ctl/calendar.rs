//! `rolloutctl calendar`: when packages may move, and when people work.

use std::fmt::Write as _;

use super::ask::escape;
use super::words::document;
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::table::{lay_out, width};
use crate::process::fact::count;
use crate::web::api::calendar::{CalendarBody, DAYS};

/// Shows when packages may move, now and in the coming days
///
/// Lists what opens and closes, and holidays, in the configured time zone.
///
/// Example: rolloutctl calendar --distribution umd/3/sl6/x86_64 --days 30
#[derive(Debug, clap::Args)]
pub struct CalendarArgs {
    /// The calendar of this distribution; without it, that of the site
    #[arg(long, value_name = "DISTRIBUTION")]
    distribution: Option<String>,
    /// With the holidays of this NGI, if it has others than the site
    #[arg(long, value_name = "NGI")]
    ngi: Option<String>,
    /// How many days, at most 366
    #[arg(long, value_name = "N", default_value_t = DAYS)]
    days: u16,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it knows no such distribution.
pub async fn run(args: CalendarArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let CalendarArgs { distribution, ngi, days } = args;
    let dist = distribution.map(|dist| format!("&distribution={}", escape(&dist))).unwrap_or_default();
    let ngi = ngi.map(|ngi| format!("&ngi={}", escape(&ngi))).unwrap_or_default();
    let calendar: CalendarBody = client.get(&format!("/api/v1/calendar?days={days}{dist}{ngi}")).await?;
    Ok(Outcome::done(if json { document(&calendar) } else { show(&calendar, width()) }))
}

fn show(calendar: &CalendarBody, width: usize) -> String {
    let mut text = String::new();
    let whose = calendar.distribution.as_deref().unwrap_or("the site");
    let ngi = calendar.ngi.as_deref().map(|ngi| format!(" for {ngi}")).unwrap_or_default();
    let _ = writeln!(text, "calendar of {whose}{ngi}, time zone {}", calendar.timezone);
    let today = match (&calendar.holiday, calendar.working_day) {
        (Some(name), _) => format!("a holiday, {name}"),
        (None, true) => "a working day".to_owned(),
        (None, false) => "not a working day".to_owned(),
    };
    let _ = writeln!(text, "now:                   {}, {today}", calendar.local);
    let why = calendar.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    let when = match (&calendar.opens, calendar.open) {
        (_, true) if calendar.held.is_some() => "by the calendar, now".to_owned(),
        (_, true) => "now".to_owned(),
        (Some(opens), false) => format!("not before {}", opens.local),
        (None, false) => "never".to_owned(),
    };
    let _ = writeln!(text, "packages may move:     {when}{why}");
    if let Some(held) = &calendar.held {
        let _ = writeln!(text, "but                    {held}");
    }
    let deadline = calendar.in_one_working_day.as_ref().map_or("never", |at| at.local.as_str());
    let _ = writeln!(text, "in one working day:    {deadline}");
    let ahead = if calendar.days == 1 { "day".to_owned() } else { count(calendar.days, "day") };
    if calendar.next.is_empty() {
        let _ = writeln!(text, "\nNothing opens or closes in the next {ahead}, and there is no holiday.");
        return text;
    }
    let rows: Vec<Vec<String>> = calendar
        .next
        .iter()
        .map(|coming| {
            let what = coming.what.replace('_', " ");
            vec![coming.when.local.clone(), what, coming.name.clone().unwrap_or_default()]
        })
        .collect();
    let _ = writeln!(text, "\nthe next {ahead}:");
    text.push_str(&lay_out(&["WHEN", "WHAT", "WHICH"], &rows, width));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::api::calendar::{ComingBody, TimeBody};

    fn time(local: &str) -> TimeBody {
        TimeBody { at: "2026-12-20T00:00:00Z".into(), local: local.into() }
    }

    fn open() -> CalendarBody {
        CalendarBody {
            distribution: None,
            ngi: None,
            timezone: "UTC".into(),
            now: "2026-12-18T15:00:00Z".into(),
            local: "Fri 2026-12-18 15:00".into(),
            working_day: true,
            holiday: None,
            open: true,
            why: None,
            held: None,
            opens: None,
            in_one_working_day: Some(time("Mon 2026-12-21 15:00")),
            days: 1,
            next: vec![],
        }
    }

    #[test]
    fn a_calendar_without_windows_is_shown() {
        insta::assert_snapshot!(show(&open(), 100));
        let halted = "promotions are halted since 2026-12-18T09:00:00Z: the disk is full".to_owned();
        insta::assert_snapshot!(show(&CalendarBody { held: Some(halted), ..open() }, 100));
    }

    #[test]
    fn a_freeze_is_shown_with_its_end_and_what_comes() {
        let coming = |local: &str, what: &str, name: Option<&str>| ComingBody {
            when: time(local),
            what: what.into(),
            name: name.map(str::to_owned),
        };
        let hours = "outside the allowed times: working hours (Mon-Thu 09:00-16:00)";
        let frozen = CalendarBody {
            distribution: Some("umd/3/sl6/x86_64".into()),
            timezone: "Europe/Zurich".into(),
            local: "Fri 2026-12-25 10:30".into(),
            working_day: false,
            holiday: Some("Christmas Day".into()),
            open: false,
            why: Some("end of the year (2026-12-20..2027-01-07)".into()),
            opens: Some(time("Mon 2027-01-11 09:00")),
            in_one_working_day: None,
            days: 30,
            next: vec![
                coming("Sat 2026-12-26 00:00", "holiday", Some("St. Stephen's Day")),
                coming("Fri 2027-01-08 00:00", "stays_closed", Some(hours)),
                coming("Mon 2027-01-11 09:00", "opens", Some("working hours (Mon-Thu 09:00-16:00)")),
                coming("Mon 2027-01-11 16:00", "closes", Some(hours)),
                coming("Tue 2027-01-12 09:00", "opens", None),
            ],
            ..open()
        };
        insta::assert_snapshot!(show(&frozen, 1000));
    }

    #[test]
    fn one_that_never_opens_says_so() {
        let never = CalendarBody { open: false, why: Some("closed (Mon-Sun 00:00-24:00)".into()), ..open() };
        insta::assert_snapshot!(show(&never, 100));
    }
}
