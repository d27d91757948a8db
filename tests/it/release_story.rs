//! Releases from end to end, by the pages for service providers (S0-14, S3-18 to S3-20, S3-31): planned, told of, carried out,
//! and looked at afterwards. Its clocks are moved, so that a week of notice takes no time.
#![expect(clippy::disallowed_methods, reason = "tests write into their own temporary directories")]

use std::fs;

use crate::cast::{good, listed, refused, site};

const DAY: i64 = 24 * 60 * 60;
const PEOPLE: &[crate::cast::Actor] =
    &[("srm", "srm", None), ("otto", "otag", None), ("ea-NGI_IT-INFN-T1", "ea", Some("ea-NGI_IT-INFN-T1"))];

#[test]
fn a_release_is_planned_told_of_carried_out_and_its_outcome_is_shown() {
    let (mut site, hands) = site("egi", PEOPLE);
    let procedure = site.path("own.toml");
    let shipped = format!("{}/src/format/procedures/egi.toml", env!("CARGO_MANIFEST_DIR"));
    let (text, gate) = (fs::read_to_string(shipped).unwrap(), "\"calendar\",");
    assert_eq!(text.matches(gate).count(), 1);
    fs::write(&procedure, text.replace(gate, &format!("{gate} \"board_told\","))).unwrap();
    site.configure("procedure = \"egi\"", &format!("procedure = \"{}\"", procedure.display()));
    site.kill();
    site.under = hands.under();
    site.up();
    let names = ["bdii-site", "urgent"].map(|name| site.drop_package(name, "1.0.1", &[]));
    site.wait("the packages", |site| (listed(site, "untested").len() == 2).then_some(()));
    good(&site, "srm", &["submit", "rt-1", &names[0], "--title", "Staged Rollout EMI-1.0 bdii-site 1.0.1 SL6 x86_64"]);
    good(&site, "srm", &["submit", "rt-2", &names[1]]);
    good(&site, "srm", &["team", "add", PEOPLE[2].0, "--ngi", "NGI_IT"]);

    // Planned, with a day that slips, and with its candidates by product.
    good(&site, "srm", &["release", "plan", "UMD-3.1.0", "2027-01-25", "--title", "the first", "--every", "30d"]);
    refused(&site, "srm", &["release", "plan", "UMD-3.1.0", "2027-02-01", "--title", "the first"], "(no_reason)");
    let slip = ["release", "plan", "UMD-3.1.0", "2027-02-01", "--title", "the first", "--reason", "the holidays"];
    good(&site, "srm", &slip);
    good(&site, "srm", &["release", "scope", "UMD-3.1.0", "rt-1"]);
    let list = good(&site, "otto", &["release", "list"]);
    assert!(list.contains("2027-02-01 (slipped)") && list.contains("EMI.bdii-site.SL6.x86_64"), "{list}");
    let calendar = site.door.get("/api/v1/releases.ics").unwrap().text();
    assert!(calendar.contains("DTSTART;VALUE=DATE:20270201"), "{calendar}");

    // Nothing is released that the board does not know.
    for state in ["Unverified", "InVerification", "StageRollOut"] {
        good(&site, "srm", &["move", "rt-1", state]);
        good(&site, "srm", &["move", "rt-2", state]);
    }
    good(&site, "srm", &["assign", "rt-1", PEOPLE[2].0]);
    good(&site, PEOPLE[2].0, &["accept", "rt-1", PEOPLE[2].0]);
    good(&site, PEOPLE[2].0, &["report", "add", "rt-1", PEOPLE[2].0, "warning", "--summary", "it needs more memory"]);
    good(&site, PEOPLE[2].0, &["issue", "add", "rt-1", "#12", "--title", "it is slow"]);
    good(&site, "srm", &["override", "rt-1", "Accepted", "exposure", "--reason", "for the release"]);
    good(&site, "srm", &["move", "rt-1", "Accepted"]);
    good(&site, "srm", &["move", "rt-1", "UMDStore"]);
    refused(&site, "srm", &["move", "rt-1", "Production"], "(board_not_told)");
    assert!(good(&site, "otto", &["release", "agenda"]).contains("release    UMD-3.1.0 on 2027-02-01: the first"));
    good(&site, "srm", &["release", "told", "UMD-3.1.0", "--reason", "the meeting of today"]);
    refused(&site, "srm", &["move", "rt-1", "Production"], "(board_told)");
    hands.have_passed(7 * DAY);
    good(&site, "srm", &["move", "rt-1", "Production"]);

    // An emergency does not wait, and is on the agenda of the next meeting.
    good(&site, "srm", &["change", "open", "rt-4713", "--title", "CVE-2026-1", "--kind", "emergency"]);
    good(&site, "srm", &["change", "tie", "rt-4713", "rt-2"]);
    for gate in ["exposure", "acknowledged", "reported"] {
        good(&site, "srm", &["override", "rt-2", "Accepted", gate, "--change", "rt-4713"]);
    }
    for state in ["Accepted", "UMDStore", "Production"] {
        good(&site, "srm", &["move", "rt-2", state]);
    }
    assert_eq!(listed(&site, "production").len(), 2);
    let agenda = good(&site, "otto", &["release", "agenda"]);
    assert!(agenda.contains("emergency  rt-4713 (New): CVE-2026-1") && !agenda.contains("UMD-3.1.0"), "{agenda}");
    good(&site, "srm", &["release", "told", "--emergency", "rt-4713"]);
    assert!(good(&site, "otto", &["release", "agenda"]).contains("nothing that the board has to be told"));

    // What came of it: reports, issues, and what those say who use it.
    good(&site, "otto", &["review", "answer", "1", "--documented", "yes", "--works", "yes"]);
    let shown = good(&site, "otto", &["release", "show", "UMD-3.1.0"]);
    for words in [
        "standing    released",
        "it was 2027-01-25 before",
        "0 good, 1 warning, 0 failed",
        "1, 1 open",
        "documented 1/1, works 1/1",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    // A roll-back is an outcome, too.
    good(&site, "srm", &["move", "rt-1", "Rejected", "--reason", "it loses data"]);
    let shown = good(&site, "otto", &["release", "show", "UMD-3.1.0"]);
    assert!(shown.contains("standing    withdrawn") && shown.contains("Rejected (withdrawn)"), "{shown}");
}
