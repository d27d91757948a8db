//! Changes from end to end, by the pages for service providers (S3-05 to S3-16): the running daemon, and `rolloutctl` as each
//! of its people. What takes days there takes seconds here.

use crate::cast::{good, listed, refused, site, why};

const PEOPLE: &[crate::cast::Actor] =
    &[("verifier", "verifier", None), ("srm", "srm", None), ("paul", "pt", None), ("olga", "omb", None)];

#[test]
fn a_change_is_recorded_assessed_approved_and_carried_out_and_an_emergency_is_not_held_up() {
    let (mut site, _) = site("egi", PEOPLE);
    let text = site.configuration()
        + "[changes]\ncategories = [\"Accounting Portal\", \"GOCDB\"]\napprovals = { from = [\"pt\", \"omb\"] }\n\
           [[changes.standard]]\nid = \"ca-update\"\npattern = \"CA update *\"\nprocedure = \"https://example.org/ca\"\n";
    site.write_configuration(&text);
    site.kill();
    site.up();
    let nevra = site.drop_package("portal", "1.0", &[]);
    let urgent = site.drop_package("urgent", "1.0", &[]);
    let failing = site.drop_package("failing", "1.0", &[]);
    site.wait("the packages", |site| (listed(site, "untested").len() == 3).then_some(()));

    // Recorded and sorted: whose request it is, and what it is about (S3-05, S3-06, S3-10).
    let open = ["change", "open", "rt-4711", "--title", "a view of all sites", "--origin", "WLCG", "--category"];
    refused(&site, "paul", &[open.as_slice(), &["Accounting"]].concat(), "(no_category)");
    good(&site, "paul", &[open.as_slice(), &["Accounting Portal"]].concat());
    // A standard one cites its rule (S3-11).
    let said = good(&site, "paul", &["change", "open", "rt-4712", "--title", "CA update 1.45"]);
    assert!(said.contains("the standard change rt-4712, priority none, by the rule ca-update"), "{said}");
    // Assessed and approved by both groups (S3-13, S3-14, S3-16).
    refused(&site, "olga", &["change", "status", "rt-4711", "accepted"], "(not_assessed)");
    good(&site, "paul", &["change", "assess", "rt-4711", "two days", "--priority", "3"]);
    good(&site, "paul", &["change", "approve", "rt-4711"]);
    refused(&site, "olga", &["change", "status", "rt-4711", "accepted"], "(approvals)");
    assert!(good(&site, "olga", &["todo"]).contains("change approve rt-4711"));
    good(&site, "olga", &["change", "approve", "rt-4711"]);
    good(&site, "olga", &["change", "status", "rt-4711", "accepted"]);
    let shown = good(&site, "paul", &["change", "show", "rt-4711"]);
    assert!(shown.contains("high (3)") && shown.contains("origin      WLCG"), "{shown}");
    // Carried out by a rollout, which waits while the change is stalled (S3-08); RT's words are understood (S3-07).
    good(&site, "srm", &["submit", "rt-1", &nevra, "--change", "rt-4711"]);
    good(&site, "paul", &["change", "status", "rt-4711", "open"]);
    for state in ["Unverified", "InVerification"] {
        good(&site, "srm", &["move", "rt-1", state]);
    }
    refused(&site, "paul", &["change", "status", "rt-4711", "stalled"], "(no_reason)");
    good(&site, "paul", &["change", "status", "rt-4711", "stalled", "--reason", "a question to WLCG"]);
    refused(&site, "srm", &["move", "rt-1", "StageRollOut"], "(change_stalled)");
    site.kill();
    site.up();
    assert!(why(&site, "rt-1", "StageRollOut").contains(&"change_stalled".to_owned()));
    good(&site, "paul", &["change", "status", "rt-4711", "in progress"]);
    good(&site, "srm", &["move", "rt-1", "StageRollOut"]);
    assert!(good(&site, "srm", &["show", "rt-1"]).contains("change        rt-4711 (In progress): a view of all sites"));

    // A test that fails is reported, and the cycle begins anew (S3-26).
    good(&site, "verifier", &["submit", "rt-3", &failing]);
    good(&site, "verifier", &["move", "rt-3", "Unverified"]);
    good(&site, "verifier", &["move", "rt-3", "InVerification"]);
    refused(&site, "verifier", &["move", "rt-3", "Unverified"], "(no_report)");
    good(&site, "verifier", &["move", "rt-3", "Unverified", "--reason", "it does not start"]);
    site.kill();
    site.up();
    let shown = good(&site, "verifier", &["show", "rt-3"]);
    assert!(shown.contains("cycle         2") && shown.contains("verifier: it does not start"), "{shown}");

    // An emergency goes to production at once, by right and on record (S3-12).
    let cve = ["change", "open", "rt-4713", "--title", "CVE-2026-1", "--kind", "emergency"];
    refused(&site, "paul", &cve, "(role)");
    good(&site, "srm", &cve);
    good(&site, "verifier", &["submit", "rt-2", &urgent]);
    good(&site, "verifier", &["change", "tie", "rt-4713", "rt-2"]);
    for state in ["Unverified", "InVerification", "StageRollOut"] {
        good(&site, "verifier", &["move", "rt-2", state]);
    }
    refused(&site, "verifier", &["override", "rt-2", "Accepted", "exposure", "--change", "rt-4711"], "(no_emergency)");
    for gate in ["exposure", "acknowledged", "reported"] {
        good(&site, "verifier", &["override", "rt-2", "Accepted", gate, "--change", "rt-4713"]);
    }
    for state in ["Accepted", "UMDStore", "Production"] {
        good(&site, "srm", &["move", "rt-2", state]);
    }
    assert_eq!(listed(&site, "production"), [urgent]);
    let log = good(&site, "srm", &["log", "--change", "rt-4713"]);
    for words in
        ["the emergency change rt-4713, priority immediate", "overrode exposure for the step of rt-2", "carries out"]
    {
        assert!(log.contains(words), "{words}: {log}");
    }
    // All of its rollouts are released, and whoever works on it says so (S3-09).
    good(&site, "srm", &["change", "status", "rt-4713", "in progress"]);
    assert!(good(&site, "srm", &["todo"]).contains("change status rt-4713 resolved"));
    good(&site, "srm", &["change", "status", "rt-4713", "resolved"]);
    let all = good(&site, "paul", &["change", "list"]);
    let order: Vec<&str> = all.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(order, ["rt-4711", "rt-4712", "rt-4713"], "the open ones by priority, then the others");
    let of = good(&site, "paul", &["change", "list", "--category", "Accounting Portal", "--json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&of).unwrap().as_array().unwrap().len(), 1);
}
