//! The staged rollout of EGI from end to end, by the steps of its wiki page (S0): the running daemon, `rolloutctl` as each of
//! its people, and dnf at the sites. Its clocks are moved, so that what takes days there takes
//! seconds here.

use crate::cast::{good, listed, notices, refused, site, why};
use crate::clients::Machine;
use crate::peers;
use crate::site::{Site, Wish, request, said};

const DAY: i64 = 24 * 60 * 60;
const TEAMS: [(&str, &str); 3] =
    [("ea-NGI_IT-INFN-T1", "NGI_IT"), ("ea-NGI_CH-CSCS", "NGI_CH"), ("ea-WLCG-Readiness", "WLCG")];

#[test]
fn a_product_goes_the_whole_way_of_the_wiki_page() {
    if !peers::have(&["dnf", "rpm"]) {
        return;
    }
    let adopters = TEAMS.map(|(team, _)| (team, "ea", Some(team)));
    let people = [[("verifier", "verifier", None), ("srm", "srm", None)].as_slice(), &adopters].concat();
    let (mut site, hands) = site("egi", &people);
    // An older version is in production at all sites.
    let old = site.drop_package("bdii-site", "1.0.0", &[]);
    site.wait("the older version", |site| (listed(site, "untested") == [old.clone()]).then_some(()));
    site.submit("old", &[&old]);
    for state in ["Unverified", "InVerification", "StageRollOut"] {
        site.go_through("old", &[state]);
    }
    for gate in ["exposure", "acknowledged", "reported"] {
        good(&site, "srm", &["override", "old", "Accepted", gate, "--reason", "it is the first version"]);
    }
    site.go_through("old", &["Accepted", "UMDStore", "Production"]);
    let (production, adopter) = (Machine::new(), Machine::new());
    let key = site.key_url();
    for machine in [&production, &adopter] {
        machine.dnf_repo(&site.plain_url("production"), &key);
        let out = machine.dnf(&["install", "bdii-site"]);
        assert!(out.status.success() && machine.has("bdii-site", "1.0.0"), "{}", said(&out));
    }

    // The verified product waits in untested, and a ticket is opened for it (S0-22).
    let nevra = site.drop_package("bdii-site", "1.0.1", &[]);
    site.wait("the new version", |site| (listed(site, "untested") == [nevra.clone()]).then_some(()));
    good(
        &site,
        "verifier",
        &["submit", "rt-1", &nevra, "--title", "Staged Rollout EMI-1.0 bdii-site 1.0.1 SL5 x86_64"],
    );
    refused(&site, "ea-NGI_CH-CSCS", &["move", "rt-1", "Unverified"], "(role)");
    good(&site, "verifier", &["move", "rt-1", "Unverified"]);
    good(&site, "verifier", &["move", "rt-1", "In Verification"]);

    // 1: it was accepted in verification, and moves from untested to testing (S0-25, S0-26).
    good(&site, "verifier", &["move", "rt-1", "StageRollOut"]);
    assert_eq!((listed(&site, "untested").len(), listed(&site, "testing")), (0, vec![nevra.clone()]));
    // 3a: what the ticket links (S0-32).
    for what in ["release-notes", "installation", "bugs", "documentation"] {
        good(&site, "srm", &["link", "rt-1", what, &format!("https://example.org/{what}")]);
    }
    // 4, 5: the manager selects teams of the registry (S0-33).
    refused(&site, "srm", &["assign", "rt-1", TEAMS[0].0], "(no_team)");
    for (team, ngi) in TEAMS {
        let observer: &[&str] = if ngi == "WLCG" { &["--observer"] } else { &[] };
        good(&site, "srm", &[&["team", "add", team, "--ngi", ngi], observer].concat());
    }
    good(&site, "srm", &["assign", "rt-1", TEAMS[0].0, TEAMS[1].0, TEAMS[2].0]);
    // Whoever is known sees who belongs to a team (S0-09), and nobody else does.
    let shown = good(&site, "srm", &["team", "show", TEAMS[0].0]);
    assert!(shown.contains("\nmembers       ea-NGI_IT-INFN-T1\n") && shown.contains("rt-1: assigned\n"), "{shown}");
    let anybody = request(site.address(), "GET", "/api/v1/teams?ngi=NGI_IT", &[], b"").unwrap();
    let teams: serde_json::Value = serde_json::from_slice(&anybody.body).unwrap();
    assert_eq!((teams.as_array().map(Vec::len), &teams[0]["members"]), (Some(1), &serde_json::Value::Null));
    assert_eq!(good(&site, "srm", &["team", "list", "--ngi", "NGI_XX"]), "There are no such teams.\n");
    // 6: they answer, each for itself (S0-36).
    refused(&site, TEAMS[1].0, &["accept", "rt-1", TEAMS[0].0], "(role)");
    good(&site, TEAMS[2].0, &["accept", "rt-1", TEAMS[2].0]);
    assert_eq!(why(&site, "rt-1", "Accepted").iter().filter(|code| *code == "acknowledged").count(), 1, "an observer");
    good(&site, TEAMS[1].0, &["reject", "rt-1", TEAMS[1].0, "--reason", "no staff this week"]);
    good(&site, TEAMS[0].0, &["accept", "rt-1", TEAMS[0].0]);
    // 9: they update from production and testing.
    adopter.repo_of_early_adopters(&site.tree("testing"));
    let out = adopter.dnf(&["update"]);
    assert!(out.status.success() && adopter.has("bdii-site", "1.0.1"), "{}", said(&out));
    // 10: a problem becomes an issue, and one that nobody can work with stops the rollout (S0-41 to S0-43).
    let issue = "https://ggus.eu/?ticket_id=99";
    good(&site, TEAMS[0].0, &["issue", "add", "rt-1", issue, "--title", "it dies at start", "--show-stopper"]);
    assert!(why(&site, "rt-1", "Accepted").contains(&"show_stopper".to_owned()));
    let stopping = good(&site, "srm", &["issue", "list", "--open", "--show-stopper"]);
    assert!(stopping.contains("rt-1") && stopping.contains(issue), "{stopping}");
    assert_eq!(good(&site, "srm", &["issue", "list", "--open", "--show-stopper", "--json"]).matches(issue).count(), 1);
    // 11: the exposure may be longer, with a reason (S0-44).
    refused(&site, TEAMS[0].0, &["extend", "rt-1", "2d", "--reason", "why"], "(role)");
    good(&site, "srm", &["extend", "rt-1", "2d", "--reason", "the show-stopper"]);
    let shown = good(&site, "srm", &["show", "rt-1"]);
    assert!(shown.contains("\nexposure      extended by 2d, by srm: the show-stopper\n"), "{shown}");
    // 12: they report (S0-45).
    good(&site, TEAMS[0].0, &["report", "add", "rt-1", TEAMS[0].0, "fail", "--summary", "see the ticket"]);
    assert!(why(&site, "rt-1", "Accepted").contains(&"report_fails".to_owned()));
    refused(&site, "srm", &["move", "rt-1", "Accepted"], "(show_stopper)");
    good(&site, "srm", &["issue", "close", "rt-1", issue, "--reason", "a typing error in the site's configuration"]);
    good(&site, TEAMS[0].0, &["report", "add", "rt-1", TEAMS[0].0, "success", "--summary", "2,000 jobs a day"]);
    good(&site, TEAMS[2].0, &["report", "add", "rt-1", TEAMS[2].0, "fail"]);
    // The five days of the procedure are not enough; two more have to pass (S0-44).
    hands.have_passed(5 * DAY);
    refused(&site, "srm", &["move", "rt-1", "Accepted"], "(exposure)");
    hands.have_passed(7 * DAY);
    // 13: it is accepted, waits in the store for the release, and goes to production.
    site.wait("the end of the exposure", |site| why(site, "rt-1", "Accepted").is_empty().then_some(()));
    site.go_through("rt-1", &["Accepted", "UMDStore"]);
    assert_eq!(listed(&site, "production"), [old]);
    site.go_through("rt-1", &["Production"]);
    assert_eq!((listed(&site, "production").len(), listed(&site, "testing").len()), (2, 0));

    // A production site gets what was released, and an early adopter has nothing left to update.
    let out = production.dnf(&["update"]);
    assert!(out.status.success() && production.has("bdii-site", "1.0.1"), "{}", said(&out));
    for machine in [&production, &adopter] {
        let out = machine.dnf(&["check-update"]);
        assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    }
    // Who was to be told what (S0-31, S0-34, S0-45, S3-17); and the manager notes that a team was told.
    site.wait("the review", |site| notices(site).contains(&"review".to_owned()).then_some(()));
    let mut told = notices(&site);
    // A week has passed, in which nobody has reviewed the version before it.
    told.retain(|template| template != "review-is-overdue");
    told.sort_unstable();
    told.dedup();
    assert_eq!(told, ["released", "report-has-come", "request-to-test", "review", "staged-rollout-begins"]);
    let number =
        site.ctl_good(&["notices", "--to", "team"]).lines().nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let letter = site.ctl_good(&["notices", "show", &number]);
    assert!(letter.starts_with("To: ea-") && letter.contains("rolloutctl accept rt-1 ea-"), "{letter}");
    good(&site, "srm", &["notices", "told", &number, "--reason", "by mail"]);
    assert_eq!(site.ctl(&["notices", "show", &number]).status.code(), Some(1));
    // All of it is on record, and the chain holds.
    let log = good(&site, "srm", &["log", "rt-1"]);
    for words in
        ["accepts rt-1", "does not test rt-1", "show-stopper", "extended the exposure", "reported on rt-1: success"]
    {
        assert!(log.contains(words), "{words}: {log}");
    }
    assert!(site.ctl_good(&["log", "--verify"]).starts_with("the logbook is intact"));
}

#[test]
fn a_halt_stops_promotions_also_over_a_restart_until_somebody_ends_it() {
    let mut site = Site::start(&Wish::default());
    let nevra = site.drop_package("bdii", "1.0", &[]);
    site.wait("the package", |site| (listed(site, "untested").len() == 1).then_some(()));
    site.submit("r", &[&nevra]);
    site.ctl_good(&["move", "r", "InVerification"]);
    let out = site.ctl(&["halt"]);
    assert_eq!(String::from_utf8_lossy(&out.stdout), "Promotions are not halted.\n");
    site.ctl_good(&["halt", "--reason", "the signing key may be stolen"]);
    let out = site.ctl(&["move", "r", "StageRollOut"]);
    assert!(said(&out).contains("the signing key may be stolen. (halted)"), "{}", said(&out));
    // A tracker's wish is kept, and carried out after the restart when the halt ends.
    site.door.hook(&Site::hook_body("d1", "r", "StageRollOut")).unwrap();
    site.kill();
    site.up();
    assert_eq!((site.door.state("r").as_deref(), listed(&site, "testing").len()), (Some("InVerification"), 0));
    assert!(site.ctl_good(&["halt"]).contains("the signing key may be stolen"));
    site.ctl_good(&["halt", "--end", "--reason", "it was not"]);
    site.wait("the move", |site| (listed(site, "testing").len() == 1).then_some(()));
}

#[test]
fn a_rollout_is_edited_and_cancelled_and_its_packages_are_free() {
    let mut site = Site::start(&Wish::default());
    let (one, two) = (site.drop_package("one", "1.0", &[]), site.drop_package("two", "1.0", &[]));
    site.wait("the packages", |site| (listed(site, "untested").len() == 2).then_some(()));
    site.submit("r", &[&one]);
    site.ctl_good(&["edit", "r", "--add", &two, "--remove", &one, "--title", "two"]);
    let shown = site.ctl_good(&["show", "r"]);
    assert!(shown.contains("title         two\n") && shown.contains(&two) && !shown.contains(&one), "{shown}");
    site.ctl_good(&["note", "r", "restart it after the update"]);
    site.ctl_good(&["cancel", "r", "--reason", "opened by mistake"]);
    let shown = site.ctl_good(&["show", "r"]);
    assert!(shown.contains("it was cancelled\n") && shown.contains("restart it after the update"), "{shown}");
    assert!(site.ctl_good(&["list"]).contains("(cancelled)"));
    site.submit("s", &[&two]);
    site.go_through("s", &["InVerification", "StageRollOut"]);
    let out = site.ctl(&["cancel", "s", "--reason", "too late"]);
    assert!(said(&out).contains("(has_moved)"), "{}", said(&out));
}
