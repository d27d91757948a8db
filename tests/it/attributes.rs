//! What a rollout is called, how urgent it is and how risky: said by its people, and asked for before it goes on.

use crate::cast::{good, listed, refused, site, why};

#[test]
fn a_rollout_is_described_found_and_goes_on_when_all_is_said() {
    let people = [("mary", "maintainer", None), ("dora", "dmsu", None), ("sue", "srm", None)];
    let procedure = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/procedures/reviewed.toml");
    let (mut site, hands) = site(procedure, &people);
    let nevra = site.drop_package("bdii-site", "1.0.1", &[]);
    site.wait("the package", |site| (listed(site, "untested") == [nevra.clone()]).then_some(()));
    // S0-54: the title follows the convention, and is explained if it does not.
    refused(
        &site,
        "mary",
        &["submit", "r", &nevra, "--title", "the new bdii"],
        "it does not begin with `Staged Rollout`",
    );
    let title = "Staged Rollout EMI-1.0 bdii-site 1.0.1 SL6 x86_64";
    good(&site, "mary", &["submit", "r", &nevra, "--title", title]);
    refused(&site, "mary", &["edit", "r", "--title", "bdii"], "(title)");
    // S0-42: what follows from it.
    let subject = "Staged Rollout: EMI.bdii-site.SL6.x86_64-1.0.1";
    assert_eq!(good(&site, "mary", &["issue", "subject", "r", "it dies"]), format!("{subject}: it dies\n"));
    // S1-04, S3-16: it is described, and found by it.
    // S0-07: the DMSU decides how urgent it is, and nothing else.
    refused(&site, "dora", &["describe", "r", "--priority", "high", "--severity", "high"], "(role)");
    good(&site, "dora", &["describe", "r", "--priority", "low"]);
    refused(&site, "mary", &["describe", "r", "--priority", "soon"], "`soon` is not a valid priority");
    let words = ["--severity", "immediate", "--priority", "3", "--node-type", "UI", "--node-type", "site BDII"];
    good(&site, "mary", &[["describe", "r"].as_slice(), &words].concat());
    for found in [["--priority", "high"], ["--severity", "4"], ["--component", "BDII-SITE"], ["--node-type", "ui"]] {
        let list = good(&site, "mary", &[["list", "--state", "draft"].as_slice(), &found].concat());
        assert!(list.contains("PRIORITY") && list.contains("high") && list.contains(title), "{found:?}: {list}");
    }
    assert_eq!(good(&site, "mary", &["list", "--product", "dpm"]), "There are no such rollouts.\n");
    // S3-21, S3-27: what is linked and looked at before it is tested.
    assert_eq!(why(&site, "r", "Testing"), ["not_linked", "not_checked"]);
    for what in ["source-tag", "release-notes"] {
        good(&site, "mary", &["link", "r", what, &format!("https://example.org/{what}")]);
    }
    refused(&site, "dora", &["tick", "r", "documentation-reviewed"], "(role)");
    for check in ["documentation-reviewed", "license-named", "tests-passed"] {
        good(&site, "mary", &["tick", "r", check]);
    }
    good(&site, "mary", &["tick", "r", "tests-passed", "--undo", "--reason", "on one machine they did not"]);
    refused(&site, "mary", &["move", "r", "Testing"], "Not ticked yet: tests-passed. (not_checked)");
    good(&site, "mary", &["tick", "r", "tests-passed"]);
    good(&site, "mary", &["move", "r", "Testing"]);
    site.wait("the move", |site| (listed(site, "testing").len() == 1).then_some(()));
    // S0-43: how urgent an issue is, others decide.
    good(&site, "mary", &["issue", "add", "r", "#12", "--title", "slow"]);
    refused(&site, "mary", &["issue", "priority", "r", "#12", "high"], "(role)");
    good(&site, "dora", &["issue", "priority", "r", "#12", "low", "--reason", "it has always been"]);
    // S3-30, S3-44: what matters little is tested briefly, and what is risky says how to go back.
    good(&site, "mary", &["describe", "r", "--importance", "minor", "--impact", "high", "--risk", "high"]);
    hands.have_passed(24 * 60 * 60);
    site.wait("its time in testing", |site| (why(site, "r", "Production") == ["not_reversible"]).then_some(()));
    good(&site, "mary", &["describe", "r", "--reversal", "yum downgrade bdii-site"]);
    // S1-61: what sites are told.
    good(&site, "sue", &["update", "UMD-3", "r"]);
    let updates = good(&site, "sue", &["update"]);
    assert!(updates.contains("HIGH"), "{updates}");
    let shown = good(&site, "mary", &["show", "r"]);
    for line in [
        "product       EMI.bdii-site.SL6.x86_64",
        "node types    UI, site BDII",
        "severity      immediate",
        "priority      high",
        "update        HIGH for sites",
        "reversal      yum downgrade bdii-site",
        &format!("GGUS subject  {subject}"),
        "document      Staged rollout EMI bdii-site 1.0.1",
        "issue         #12 (open, priority low): slow",
        "ticked        tests-passed by mary",
    ] {
        assert!(shown.contains(&format!("{line}\n")), "{line}: {shown}");
    }
    good(&site, "mary", &["move", "r", "Production"]);
    site.wait("the move", |site| (listed(site, "production").len() == 1).then_some(()));
    // It is all there after a crash.
    let shown = good(&site, "mary", &["show", "r"]);
    site.kill();
    site.up();
    assert_eq!(good(&site, "mary", &["show", "r"]), shown);
    assert!(site.ctl_good(&["log", "--verify"]).starts_with("the logbook is intact"));
}
