//! A freeze in a running daemon: who is told what, what waits, and what a reload and the clock do to it.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon")]

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::Value;

use crate::disagreement::reload;
use crate::hands::Hands;
use crate::site::{DISTRIBUTION, Site, Wish, said};

const DAY: i64 = 24 * 60 * 60;

/// The day of today, some days later, as a window is written.
fn day(days: i64) -> String {
    let today = TimeZone::UTC.to_datetime(Timestamp::now()).date();
    today.checked_add(days.days()).unwrap().to_string()
}

/// A site by the simple procedure, without time in testing and approvals, frozen from yesterday to the day after tomorrow.
fn frozen(hands: bool) -> (Site, Option<Hands>) {
    let mut site = Site::prepare(&Wish { quiet: "50ms", ..Wish::default() });
    let hands = hands.then(|| Hands::make(&site.path("keys")));
    site.under = hands.as_ref().map(Hands::under).unwrap_or_default();
    let mut procedure = include_str!("../../src/format/procedures/simple.toml").to_owned();
    for gate in [r#"{ name = "exposure", for = "7d" },"#, r#"{ name = "approvals", from = ["maintainer"] },"#] {
        assert!(procedure.contains(gate), "{gate}");
        procedure = procedure.replace(gate, "");
    }
    std::fs::write(site.path("keys/simple.toml"), procedure).unwrap();
    let own = format!("procedure = \"{}\"", site.path("keys/simple.toml").display());
    let text = site.configuration().replace(&format!("procedure = \"{}\"", crate::configuration::BRIEF), &own);
    let calendar = format!(
        "[calendar]\ntimezone = \"UTC\"\n[[calendar.window]]\nname = \"end of the year\"\ndeny = \"{}..{}\"\n",
        day(-1),
        day(2)
    );
    site.write_configuration(&format!("{text}\n{calendar}"));
    site.up();
    (site, hands)
}

/// A package in testing.
fn tested(site: &mut Site, name: &str) {
    let nevra = site.drop_package(name, "1.0", &[]);
    site.submit(name, &[&nevra]);
    site.go_through(name, &["Testing"]);
}

/// A tracker asks for production; what is answered.
fn asks(site: &Site, name: &str) -> Value {
    let answer = site.door.hook(&Site::hook_body(&format!("of {name}"), name, "Production")).unwrap();
    serde_json::from_slice(&answer.body).unwrap()
}

#[test]
fn in_a_freeze_a_move_is_refused_and_why_says_until_when() {
    let (mut site, _) = frozen(false);
    tested(&mut site, "calm");
    let out = site.ctl(&["move", "calm", "Production"]);
    let until = format!("until {} UTC: end of the year ({}..{}).", beginning(3), day(-1), day(2));
    assert!(said(&out).contains(&format!("The calendar is closed {until} (calendar)")), "{}", said(&out));
    assert_eq!(out.status.code(), Some(1));
    let why = site.ctl_good(&["why", "calm"]);
    assert!(why.contains(&format!("Production: wait\n  wait        The calendar is closed {until}")), "{why}");
    let why = site.document("/api/v1/rollouts/calm/why");
    let production = why.as_array().unwrap().iter().find(|step| step["state"] == "Production").unwrap();
    assert_eq!(production["findings"][0]["code"], "calendar");
    assert_eq!(production["findings"][0]["not_before"], format!("{}T00:00:00Z", day(3)));
    assert_eq!(site.door.state("calm").as_deref(), Some("Testing"));
    // A withdrawal goes on.
    site.go_through("calm", &["Withdrawn"]);

    let shown = site.ctl_good(&["calendar", "--distribution", DISTRIBUTION]);
    assert!(shown.contains(&format!("not before {}: end of the year", beginning(3))), "{shown}");
    let document: Value = serde_json::from_str(&site.ctl_good(&["calendar", "--days", "30", "--json"])).unwrap();
    assert_eq!((&document["open"], &document["timezone"]), (&Value::Bool(false), &Value::from("UTC")));
    assert_eq!(document["opens"]["at"], format!("{}T00:00:00Z", day(3)));
    assert_eq!(document["next"][0]["what"], "opens");
    let out = site.ctl(&["calendar", "--distribution", "umd/9"]);
    assert!(said(&out).contains("there is no distribution umd/9"), "{}", said(&out));
    let out = site.ctl(&["calendar", "--days", "367"]);
    assert!(said(&out).contains("it must be from 1 to 366"), "{}", said(&out));
}

/// The beginning of a day, some days from now, as people read it.
fn beginning(days: i64) -> String {
    let day: jiff::civil::Date = day(days).parse().unwrap();
    day.strftime("%a %Y-%m-%d 00:00").to_string()
}

#[test]
fn what_a_tracker_wants_moves_when_a_reload_ends_the_freeze() {
    let (mut site, _) = frozen(false);
    tested(&mut site, "first");
    assert_eq!(asks(&site, "first")["outcome"], "waits");
    // A calendar with a mistake is not taken, and the old one stays in force.
    let right = site.configuration();
    site.configure("timezone = \"UTC\"", "timezone = \"Mars\"");
    let (words, code) = site.check();
    assert!(words.contains("there is no time zone `Mars`"), "{words}");
    assert_eq!(code, Some(1));
    site.write_configuration(&right);
    site.configure(&format!("deny = \"{}", day(-1)), &format!("deny = \"{}", day(1)));
    reload(&site);
    site.wait("the move", |site| (site.door.state("first")? == "Production" && site.door.rests("first")).then_some(()));
    let (words, code) = site.check();
    assert!(words.contains("note: calendar.timezone: the calendar: working days Mon-Fri"), "{words}");
    assert_eq!(code, Some(0));
}

#[test]
fn what_a_tracker_wants_moves_when_the_wall_clock_shows_the_end_of_the_freeze() {
    let (mut site, hands) = frozen(true);
    let hands = hands.unwrap();
    for name in ["forward", "back"] {
        tested(&mut site, name);
    }
    assert_eq!(asks(&site, "forward")["outcome"], "waits");
    hands.set(3 * DAY);
    site.wait("the move", |site| (site.door.state("forward")? == "Production").then_some(()));
    // Back in the freeze by a correction, and then before it.
    hands.set(0);
    site.wait("the freeze", |site| {
        let calendar = site.document("/api/v1/calendar");
        (calendar["open"] == Value::Bool(false)).then_some(())
    });
    assert_eq!(asks(&site, "back")["outcome"], "waits");
    hands.set(-3 * DAY);
    site.wait("the move", |site| (site.door.state("back")? == "Production").then_some(()));
}
