//! The release procedure of gLite from end to end, by its steps (S1): a bundle of two patches is rolled out in stages, one of
//! them is rolled back, and the other one is released. Its clocks are moved, so that what takes
//! weeks there takes seconds here.

use crate::cast::{Actor, good, listed, notices, refused, site, why};
use crate::clients::Machine;
use crate::peers;
use crate::reports::{odt, write};
use crate::site::{DISTRIBUTION, Site, request, said};

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;
const ONE: &str = "ea-NGI_IT-INFN-T1";
const TWO: &str = "ea-NGI_CH-CSCS";
const PEOPLE: [Actor; 4] = [("mu", "mu", None), ("ou", "ou", None), (ONE, "ea", Some(ONE)), (TWO, "ea", Some(TWO))];

#[test]
fn a_bundle_is_released_in_part_and_the_rest_of_it_is_rolled_back() {
    if !peers::have(&["dnf", "rpm"]) {
        return;
    }
    let (mut site, hands) = site("glite", &PEOPLE);
    let (voms, yaim) = (site.drop_package("voms", "2.0", &[]), site.drop_package("yaim", "4.0", &[]));
    let both = |mut two: Vec<String>| {
        two.sort();
        two
    };
    let all = both(vec![voms.clone(), yaim.clone()]);
    site.wait("the packages", |site| (listed(site, "untested") == all).then_some(()));

    // 1: the patches are Verified.
    for (patch, package) in [("patch-1", &voms), ("patch-2", &yaim)] {
        good(&site, "mu", &["submit", patch, "--distribution", DISTRIBUTION, package]);
    }
    // 3: the release team assigns a BundleID, which is never used again (S1-16), with Verified patches in it (S1-17).
    good(&site, "mu", &["bundle", "open", "BUNDLE-1", "--title", "VOMS and YAIM"]);
    good(&site, "mu", &["bundle", "add", "BUNDLE-1", "patch-1", "patch-2"]);
    refused(&site, "mu", &["bundle", "open", "BUNDLE-1"], "is open already");
    // 2: the operation managers see no conflict (S1-14), and one patch is the green flag for delta (S1-15).
    refused(&site, "mu", &["bundle", "move", "BUNDLE-1", "Ready for Rollout"], "(role)");
    refused(&site, "mu", &["bundle", "move", "BUNDLE-1", "Rolling out"], "(bundle_ready)");
    good(&site, "ou", &["bundle", "move", "BUNDLE-1", "Ready for Rollout", "--only", "patch-1"]);
    // 4, 6: the release team deploys the bundle in delta (S1-18, S1-20), and says what the preview notes list (S1-19).
    good(&site, "mu", &["bundle", "notes", "BUNDLE-1"]);
    good(&site, "mu", &["bundle", "move", "BUNDLE-1", "Rolling out"]);
    site.wait("delta", |site| (listed(site, "delta") == all).then_some(()));
    assert_eq!((listed(&site, "untested").len(), listed(&site, "production").len()), (0, 0));
    // 7: roll-out tasks for early adopters (S1-22).
    for (team, ngi) in [(ONE, "NGI_IT"), (TWO, "NGI_CH")] {
        good(&site, "ou", &["team", "add", team, "--ngi", ngi, "--node-type", "UI"]);
    }
    // Not before the tracker's copies have had time to follow (S1-23).
    refused(&site, "ou", &["task", "create", "BUNDLE-1", ONE, TWO], "(settling)");
    hands.have_passed(2 * HOUR + 60);
    site.wait("the tasks", |site| {
        site.ctl_as("ou", &["task", "create", "BUNDLE-1", ONE, TWO]).status.success().then_some(())
    });
    // 8: they update from production and delta (S1-24), and say how that went (S1-26).
    let adopter = Machine::new();
    adopter.repo_of_early_adopters(&site.tree("delta"));
    let out = adopter.dnf(&["install", "voms", "yaim"]);
    assert!(out.status.success() && adopter.has("voms", "2.0") && adopter.has("yaim", "4.0"), "{}", said(&out));
    refused(&site, TWO, &["task", "begin", "1", "success"], "(role)");
    good(&site, ONE, &["task", "begin", "1", "success"]);
    good(&site, TWO, &["task", "begin", "2", "warning"]);
    assert!(good(&site, TWO, &["todo"]).contains("task 2 can be done after its quarantine"));
    hands.have_passed(6 * DAY);
    refused(&site, ONE, &["task", "done", "1", "success"], "(quarantine)");
    hands.have_passed(7 * DAY + 3 * HOUR);
    let reminded = |site: &Site| notices(site).iter().filter(|template| *template == "quarantine-is-over").count();
    site.wait("the ends of both quarantines", |site| (reminded(site) == 2).then_some(()));
    // The quarantine is over (S1-27): one site is content, the other has an issue with one of the patches (S1-25).
    // S1-09, S1-25, S1-35: what a team has found is in its report, and that is read by everybody once it is published.
    good(&site, ONE, &["task", "issue", "1", "https://ggus.eu/?ticket_id=99", "--area", "Beta Service"]);
    refused(&site, TWO, &["task", "report", "1", "--text", "all is well"], "(role)");
    let bytes = odt("it had to be restarted once");
    let report = write(&site, "report.odt", &bytes);
    let sent = good(&site, ONE, &["task", "report", "1", "--text", "it works", "--file", &report]);
    assert!(sent.contains("the report does not mention the issue https://ggus.eu/?ticket_id=99"), "{sent}");
    // It may be mentioned in the file.
    let bytes = odt("it had to be restarted once, see #99");
    let report = write(&site, "report.odt", &bytes);
    let sent = good(&site, ONE, &["task", "report", "1", "--text", "it works", "--file", &report]);
    assert!(!sent.contains("does not mention"), "{sent}");
    let file = "/api/v1/tasks/1/report/file";
    let read = |site: &Site| request(site.address(), "GET", file, &[], &[]).unwrap();
    assert_eq!(read(&site).status, 401);
    refused(&site, ONE, &["task", "publish", "1"], "(role)");
    good(&site, "ou", &["task", "publish", "1"]);
    assert!(read(&site).body == bytes);
    let shown = good(&site, ONE, &["task", "show", "1"]);
    assert!(
        shown.contains("published") && shown.contains("issue       https://ggus.eu/?ticket_id=99 (Beta"),
        "{shown}"
    );
    site.wait("task 1", |site| site.ctl_as(ONE, &["task", "done", "1", "success"]).status.success().then_some(()));
    let issue =
        ["issue", "add", "patch-2", "https://ggus.eu/?ticket_id=7", "--title", "it removes users", "--show-stopper"];
    good(&site, TWO, &issue);
    site.wait("task 2", |site| site.ctl_as(TWO, &["task", "done", "2", "warning"]).status.success().then_some(()));

    // Roll-back (RB1 to RB7): the operation managers reject that patch, and its package leaves delta (S1-42, S1-43).
    site.wait("the exposure", |site| why(site, "patch-1", "Ready for Production").is_empty().then_some(()));
    assert_eq!(why(&site, "patch-2", "Ready for Production"), ["show_stopper"]);
    refused(&site, "ou", &["bundle", "move", "BUNDLE-1", "Ready for Production"], "patch-2: The show-stopper");
    good(&site, "ou", &["bundle", "move", "BUNDLE-1", "Rejected", "--only", "patch-2", "--reason", "it removes users"]);
    site.wait("the withdrawal", |site| (listed(site, "delta") == [voms.clone()]).then_some(()));
    // RB6: those who have it go back, with a quarantine of their own (S1-47 to S1-49).
    let created = good(&site, "ou", &["task", "create", "BUNDLE-1", ONE, TWO, "--roll-back"]);
    assert!(created.contains("roll back the bundle BUNDLE-1, with a quarantine of 3d"), "{created}");
    good(&site, ONE, &["task", "begin", "3", "success"]);
    refused(&site, ONE, &["task", "done", "3", "success"], "(quarantine)");
    refused(&site, ONE, &["task", "done", "3", "success", "--early", "--reason", "why"], "(role)");
    good(&site, "ou", &["task", "done", "3", "success", "--early", "--reason", "the site has only one UI"]);
    good(&site, TWO, &["task", "begin", "4", "success"]);
    hands.have_passed(10 * DAY + 4 * HOUR);
    site.wait("the end of the third", |site| (reminded(site) == 3).then_some(()));
    site.wait("task 4", |site| site.ctl_as(TWO, &["task", "done", "4", "success"]).status.success().then_some(()));

    // 10, 11: the rest is ready, and the notes still list what was rejected (S1-31); they are corrected (S1-32).
    good(&site, "ou", &["bundle", "move", "BUNDLE-1", "Ready for Production", "--only", "patch-1"]);
    refused(&site, "mu", &["bundle", "move", "BUNDLE-1", "In Production", "--only", "patch-1"], "(bundle_incomplete)");
    good(&site, "mu", &["bundle", "notes", "BUNDLE-1", "patch-1"]);
    // 12: it gets the next number of its series (S1-33).
    let told = good(&site, "mu", &["update", "gLite-3.2", "patch-1", "--bundle", "BUNDLE-1"]);
    assert!(told.contains("update 1 of gLite-3.2"), "{told}");
    refused(&site, "mu", &["update", "gLite-3.2", "patch-1", "--bundle", "BUNDLE-1"], "is exactly that already");
    // 17: the operation managers approve before anything goes on-line (S1-38).
    refused(&site, "mu", &["bundle", "move", "BUNDLE-1", "In Production", "--only", "patch-1"], "(approvals)");
    refused(&site, "mu", &["bundle", "approve", "BUNDLE-1", "In Production", "--only", "patch-1"], "(role)");
    good(&site, "ou", &["bundle", "approve", "BUNDLE-1", "In Production", "--only", "patch-1"]);
    // 13, 18: exactly that goes from delta to production (S1-34, S1-39).
    good(&site, "mu", &["bundle", "move", "BUNDLE-1", "In Production", "--only", "patch-1"]);
    site.wait("production", |site| (listed(site, "production") == [voms.clone()]).then_some(()));
    assert_eq!(listed(&site, "delta").len(), 0);
    // Who was to be told what meanwhile: steps 1, 6, 7 and 8, the roll-back, steps 12 and 19 (S1-13, S1-20, S1-27, S1-33, S1-40, S1-42).
    site.wait("the broadcast", |site| notices(site).contains(&"broadcast".to_owned()).then_some(()));
    assert_eq!(
        notices(&site),
        [
            "patch-is-verified",
            "patch-is-verified",
            "patch-is-rolling-out",
            "patch-is-rolling-out",
            "task",
            "task",
            "quarantine-is-over",
            "quarantine-is-over",
            "patch-is-rejected",
            "synchronise",
            "task",
            "task",
            "quarantine-is-over",
            "update-is-numbered",
            "broadcast",
        ]
    );
    // 20: a production site gets exactly what was released; an early adopter has nothing left to update (S1-56).
    let production = Machine::new();
    production.dnf_repo(&site.plain_url("production"), &site.key_url());
    let out = production.dnf(&["install", "voms"]);
    assert!(out.status.success() && production.has("voms", "2.0"), "{}", said(&out));
    assert!(!production.dnf(&["install", "yaim"]).status.success(), "it was rejected");
    let out = adopter.dnf(&["check-update"]);
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    // Who did what, as the sequence drawing has it (S1-12).
    good(&site, "mu", &["bundle", "close", "BUNDLE-1", "--reason", "released"]);
    refused(&site, "mu", &["bundle", "open", "BUNDLE-1"], "was used already");
    let log = good(&site, "ou", &["log", "--bundle", "BUNDLE-1"]);
    for words in [
        "opened the bundle",
        "added patch-1",
        "created task 4",
        "task 2 of ea-NGI_CH-CSCS is done",
        "update 1",
        "closed",
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
    assert!(site.ctl_good(&["log", "--verify"]).starts_with("the logbook is intact"));
}
