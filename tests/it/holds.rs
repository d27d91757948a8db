//! What stops a rollout for a time, in a running daemon: it is on hold, there is a maintenance, its step has a date.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon")]

use jiff::{SignedDuration, Timestamp};

use crate::cast::{good, listed, refused, site, why};

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;

#[test]
fn a_step_with_a_date_waits_for_who_put_it_on_hold_and_for_the_end_of_a_maintenance() {
    let (mut site, hands) = site("simple", &[("mary", "maintainer", None), ("ann", "admin", None)]);
    let nevra = site.drop_package("bdii", "1.0", &[]);
    site.wait("the package", |site| (listed(site, "untested").len() == 1).then_some(()));
    good(&site, "mary", &["submit", "r", &nevra]);
    good(&site, "mary", &["move", "r", "Testing"]);
    good(&site, "mary", &["approve", "r", "Production"]);
    // A week on hold is no week in testing.
    good(&site, "mary", &["stall", "r", "--reason", "its developers have to answer"]);
    hands.have_passed(10 * DAY);
    refused(&site, "mary", &["move", "r", "Production"], "(on_hold)");
    assert!(good(&site, "mary", &["show", "r"]).contains("on hold       since "));
    good(&site, "mary", &["resume", "r"]);
    assert_eq!(why(&site, "r", "Production"), ["exposure"]);
    hands.have_passed(17 * DAY + HOUR);
    site.wait("the exposure", |site| why(site, "r", "Production").is_empty().then_some(()));

    // The step is to be taken in the middle of a maintenance.
    let began = Timestamp::now() + SignedDuration::from_secs(17 * DAY + HOUR);
    let at = |hours: i64| (began + SignedDuration::from_hours(hours)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let declare = |id: &str, from: i64| {
        let words = ["maintenance", "declare", id, "new disks", "--from", &at(from), "--until", &at(28)];
        words.map(str::to_owned)
    };
    let soon = declare("soon", 2);
    refused(&site, "ann", &soon.each_ref().map(String::as_str), "(short_notice)");
    refused(&site, "mary", &declare("disks", 25).each_ref().map(String::as_str), "(role)");
    good(&site, "ann", &declare("disks", 25).each_ref().map(String::as_str));
    let shown = good(&site, "ann", &["maintenance", "show", "disks"]);
    assert!(shown.contains("Classification: SCHEDULED\n"), "{shown}");
    good(&site, "mary", &["move", "r", "Production", "--at", &at(26)]);
    assert!(good(&site, "mary", &["show", "r"]).contains("wanted        Production, from "));
    // All of it is there after a kill.
    site.kill();
    site.under = hands.under();
    site.up();
    hands.have_passed(17 * DAY + 27 * HOUR);
    site.wait("the maintenance", |site| (why(site, "r", "Production") == ["maintenance"]).then_some(()));
    assert!(good(&site, "ann", &["maintenance", "list"]).contains(" on "));
    assert_eq!(listed(&site, "production").len(), 0);
    hands.have_passed(17 * DAY + 29 * HOUR + 60);
    site.wait("the step", |site| (listed(site, "production") == [nevra.clone()]).then_some(()));
    assert!(good(&site, "mary", &["log", "r"]).contains("is to go to Production at "));
}
