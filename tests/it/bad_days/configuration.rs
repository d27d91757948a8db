//! What an admin changes in the file without meaning all that follows.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and breaks things as people do")]

use std::fs;

use crate::configuration::BRIEF;
use crate::disagreement::{packages, reload, settled, wait_until_well};
use crate::fsck::fsck;
use crate::site::{DISTRIBUTION, Site};

fn distribution(path: &str) -> String {
    format!("path = \"{path}\"")
}

/// Row 26.
#[test]
fn a_distribution_that_is_renamed_by_mistake_lives_on_until_the_next_start_and_comes_back() {
    let mut site = settled();
    assert_eq!(site.check().1, Some(0));
    assert!(!site.check().0.contains("the logbook has"), "{}", site.check().0);
    site.configure(&distribution(DISTRIBUTION), &distribution("umd/3/sl6/x86"));
    // Said before it takes effect.
    let (said, code) = site.check();
    assert!(
        said.contains(&format!("2 packages and 2 rollouts of {DISTRIBUTION}, which is not in this file")),
        "{said}"
    );
    assert_eq!(code, Some(0), "it may be meant");
    reload(&site);
    site.wait("the log to say so", |site| site.log().contains("takes effect after a restart").then_some(()));
    site.wait("the reload", |site| site.log().contains("reloaded settings and keys").then_some(()));
    assert!(site.log().contains(&format!("give it the path {DISTRIBUTION} again")), "{}", site.log());
    // Until then it goes on.
    let third = site.drop_package("third", "1.0", &[]);
    site.wait("the third package", |site| (packages(site, "untested") == 1).then_some(()));
    site.submit("3", &[&third]);
    site.ctl_good(&["move", "2", "Production"]);
    site.wait("the second package", |site| (packages(site, "production") == 2).then_some(()));
    // From then on its trees stay as they are.
    assert!(site.stop().success());
    site.up();
    assert_eq!((packages(&site, "production"), packages(&site, "untested")), (2, 1));
    assert_eq!(site.ctl(&["move", "3", "InVerification"]).status.code(), Some(1));
    // The remedy.
    site.configure(&distribution("umd/3/sl6/x86"), &distribution(DISTRIBUTION));
    assert!(site.stop().success());
    site.up();
    wait_until_well(&mut site);
    for state in ["InVerification", "StageRollOut"] {
        site.ctl_good(&["move", "3", state]);
    }
    site.wait("the third package in testing", |site| (packages(site, "testing") == 1).then_some(()));
    assert_eq!(fsck(&site, true), (vec![], Some(0)));
}

/// The same, put right before anybody started anything.
#[test]
fn a_distribution_that_was_removed_and_put_back_by_reloads_was_never_away() {
    let mut site = settled();
    let whole = site.configuration();
    let (before, own) = whole.split_once("[[distribution]]").unwrap();
    let other = own.replace(DISTRIBUTION, "other/one");
    site.write_configuration(&format!("{before}[[distribution]]{other}"));
    for text in [None, Some(&whole)] {
        if let Some(text) = text {
            site.write_configuration(text);
        }
        let times = site.log().matches("reloaded settings and keys").count();
        reload(&site);
        site.wait("the reload", |site| {
            (site.log().matches("reloaded settings and keys").count() > times).then_some(())
        });
        let known = site.document("/api/v1/trees").to_string();
        assert!(known.contains(DISTRIBUTION) && !known.contains("other/one"), "{known}");
    }
    site.ctl_good(&["move", "2", "Production"]);
    site.wait("the second package", |site| (packages(site, "production") == 2).then_some(()));
    wait_until_well(&mut site);
}

/// Row 27.
#[test]
fn trees_that_are_turned_round_or_removed_are_told_of_beforehand() {
    let site = settled();
    let all = r#"["untested", "testing", "delta", "production"]"#;
    for (trees, says) in [
        (r#"["testing", "untested", "delta", "production"]"#, "put `untested` first"),
        (r#"["untested", "delta", "production"]"#, "put `testing` back into the trees"),
    ] {
        site.configure(all, trees);
        let (said, _) = site.check();
        // The procedure needs testing, which is a complaint of its own.
        assert!(said.contains(says) || said.contains("needs the tree `testing`"), "{said}");
        site.configure(trees, all);
    }
    assert!(!site.check().0.contains("the logbook has"));
}

/// Row 28.
#[test]
fn yum_files_follow_another_base_url() {
    let mut site = settled();
    let repo = |site: &Site| {
        let dir = fs::read_dir(site.tree("production")).unwrap().map(|entry| entry.unwrap().path());
        let repo = dir.into_iter().find(|path| path.extension().is_some_and(|x| x == "repo")).unwrap();
        fs::read_to_string(repo).unwrap()
    };
    let text = site.configuration();
    let old = text.lines().find(|line| line.starts_with("base_url")).unwrap();
    site.configure(old, "base_url = \"http://elsewhere.example.org/sw\"");
    reload(&site);
    site.wait("the yum file", |site| {
        let text = repo(site);
        text.contains("baseurl=http://elsewhere.example.org/sw/production/").then_some(())
    });
    wait_until_well(&mut site);
    assert_eq!(packages(&site, "production"), 1);
}

/// Row 29: a procedure file that has lost the state in which a rollout is.
#[test]
fn rollouts_in_states_that_a_procedure_has_lost_are_named_with_the_way_out() {
    let mut site = settled();
    let own = site.path("own.toml");
    let whole = fs::read_to_string(BRIEF).unwrap();
    fs::write(&own, &whole).unwrap();
    site.configure(BRIEF, &own.display().to_string());
    let (said, code) = site.check();
    assert!(code == Some(0) && !said.contains("does not have"), "{said}");
    // Somebody renames the state of the second rollout.
    fs::write(&own, whole.replace("StageRollOut", "Staged")).unwrap();
    let (said, _) = site.check();
    let named =
        "1 rollout of umd/3/sl6/x86_64 is in a state that the procedure `egi` does not have (2 in StageRollOut)";
    assert!(said.contains(named), "{said}");
    reload(&site);
    site.wait("the log to say so", |site| site.log().contains(named).then_some(()));
    site.wait("the rules to be in force", |site| site.log().contains("reloaded settings and keys").then_some(()));
    assert_eq!(site.ctl(&["move", "2", "Production"]).status.code(), Some(1), "it is judged by the table in force");
    // The way out, as it was told.
    fs::write(&own, &whole).unwrap();
    reload(&site);
    site.wait("the move to be taken", |site| {
        let moved = site.door.post("/api/v1/rollouts/2/move", &serde_json::json!({"state": "Production"})).unwrap();
        (moved.status < 300).then_some(())
    });
    site.wait("the second in production", |site| (packages(site, "production") == 2).then_some(()));
}
