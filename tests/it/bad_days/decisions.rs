//! Bad days of those who decide: two at once, packages that never come, somebody who asks a year later.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and breaks things as people do")]

use std::fs;
use std::thread;

use serde_json::{Value, json};

use crate::disagreement::{packages, reload, settled, up_with_trouble, wait_until_well};
use crate::fsck::fsck;
use crate::site::{DISTRIBUTION, Site, Wish, said};

/// What the logbook has of a rollout, oldest first.
fn history(site: &Site, id: &str) -> Vec<Value> {
    let text = site.ctl_good(&["log", id, "--json"]);
    let document: Value = serde_json::from_str(&text).unwrap();
    document.as_array().or_else(|| document["entries"].as_array()).unwrap_or_else(|| panic!("{text}")).clone()
}

/// How many inspections of trees have ended.
fn inspected(site: &Site) -> u64 {
    let metrics = String::from_utf8(site.door.get("/metrics").unwrap().body).unwrap();
    let counts = metrics.lines().filter(|line| line.contains("work=\"inspect\"") && !line.starts_with('#'));
    counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// Row 36: two managers, each with the same decision, at the same moment; and a tracker besides.
#[test]
fn of_several_who_decide_at_once_one_decides_and_the_others_are_told() {
    let mut site = settled();
    let asked = |site: &Site| site.door.post("/api/v1/rollouts/2/move", &json!({"state": "Production"})).unwrap();
    let answers: Vec<(u16, String)> = thread::scope(|scope| {
        let ask = |n: usize| {
            let site = &site;
            scope.spawn(move || {
                if n == 0 {
                    let heard = site.door.hook(&Site::hook_body("at once", "2", "Production")).unwrap();
                    return (heard.status, heard.text());
                }
                let answer = asked(site);
                (answer.status, answer.text())
            })
        };
        let asking: Vec<_> = (0..8).map(ask).collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    site.wait("the second in production", |site| (packages(site, "production") == 2).then_some(()));
    site.wait("the move to be over", |site| site.door.rests("2").then_some(()));
    let decided = history(&site, "2").iter().filter(|entry| entry["what"]["kind"] == "rollout.moved").count();
    assert_eq!(decided, 3, "InVerification, StageRollOut and one Production");
    let done = answers.iter().filter(|(status, _)| (200..300).contains(status)).count();
    assert!(done >= 1, "{answers:?}");
    for (status, text) in answers.iter().filter(|(status, _)| *status >= 300) {
        let says = ["already", "being moved"].iter().any(|word| text.contains(word));
        assert!(matches!(status, 409 | 422) && says, "{status} {text}");
    }
    assert_eq!(fsck(&site, true), (vec![], Some(0)));
}

/// Row 37: a rollout that waits for a package that never comes, in a tracker and by hand, and the way to give it up.
#[test]
fn a_rollout_that_waits_for_a_package_that_never_comes_says_so_and_can_be_given_up() {
    let mut site = Site::start(&Wish::default());
    let here = site.drop_package("here", "1.0", &[]);
    site.wait("the package to be taken in", |site| (packages(site, "untested") == 1).then_some(()));
    site.submit("1", &[&here, "never-1.0-1.noarch"]);
    site.ctl_good(&["move", "1", "InVerification"]);
    let out = site.ctl(&["move", "1", "StageRollOut"]);
    let said = said(&out);
    assert!(out.status.code() == Some(1) && said.contains("never-1.0-1.noarch"), "{said}");
    // What the tracker wants is kept until it can be done.
    assert_eq!(site.door.hook(&Site::hook_body("1", "1", "StageRollOut")).unwrap().status, 202);
    let why = site.ctl(&["why", "1"]);
    let why = String::from_utf8_lossy(&why.stdout).into_owned();
    assert!(why.contains("never-1.0-1.noarch"), "{why}");
    site.ctl_good(&["move", "1", "Rejected", "--reason", "it never came"]);
    site.wait("the rollout to be given up", |site| (site.door.state("1")? == "Rejected").then_some(()));
    site.wait("the move to be over", |site| site.door.rests("1").then_some(()));
    // If it comes after all, nothing moves for a rollout that was given up.
    site.drop_package("never", "1.0", &[]);
    site.drop_package("last", "1.0", &[]);
    let listed = |site: &Site, name: &str| {
        site.tree("untested").join(format!("Packages/{}/{name}-1.0-1.noarch.rpm", &name[..1])).is_file()
    };
    site.wait("both to be taken in", |site| (listed(site, "never") && listed(site, "last")).then_some(()));
    assert_eq!(packages(&site, "testing"), 0);
    assert_eq!(fsck(&site, true), (vec![], Some(0)));
}

/// Row 35, as far as a rejection has not been carried out: before clients see it, and after.
#[test]
fn a_rejection_by_mistake_that_waits_is_given_up_and_its_packages_stay() {
    let mut site = settled();
    let withdrawal = ["move", "2", "Rejected", "--reason", "the wrong ticket", "--no-wait"];
    let refused = |site: &Site, words: &[&str], says: &str| {
        let out = site.ctl(words);
        let said = said(&out);
        assert!(out.status.code() == Some(1) && said.contains(says), "{words:?}: {said}");
    };
    let give_up = ["give-up", "2", "--reason", "the wrong ticket was rejected"];
    refused(&site, &give_up, "nothing is being moved");
    // What is withdrawn cannot be kept aside; and once it can, the file for the sites is in the way.
    let bytes = fs::read(site.tree("testing").join("Packages/s/second-1.0-1.noarch.rpm")).unwrap();
    let sha256 = hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes));
    let kept = site.path(&format!("state/retired/umd_3_sl6_x86__64/{sha256}-second-1.0-1.noarch.rpm"));
    let yum = site.tree("testing").join("UMD3_SL6_x86_64_Testing.repo");
    assert!(yum.is_file());
    for (place, shown) in [(&kept, 1), (&yum, 0)] {
        if *place == yum {
            fs::remove_file(place).unwrap();
        }
        fs::create_dir_all(place.join("in the way")).unwrap();
        site.ctl_good(&withdrawal);
        site.wait("what is in the way", |site| {
            let said = site.ctl_good(&["show", "2", "--json"]);
            let waits: Value = serde_json::from_str(&said).unwrap();
            waits["trouble"].is_string().then_some(())
        });
        assert_eq!(packages(&site, "testing"), shown);
        refused(&site, &give_up[..2], "needs a reason");
        // Also when the daemon has begun anew meanwhile.
        assert!(site.stop().success());
        up_with_trouble(&mut site);
        let told = site.wait("it to be given up", |site| {
            let out = site.ctl(&give_up);
            out.status.success().then(|| String::from_utf8_lossy(&out.stdout).into_owned())
        });
        assert!(told.contains("2 is back in StageRollOut"), "{told}");
        fs::remove_dir_all(place).unwrap();
        let inspections = inspected(&site);
        reload(&site);
        // One that is still to come would find the next thing in the way before the withdrawal does.
        site.wait("the trees to be inspected", |site| (inspected(site) > inspections).then_some(()));
        site.wait("the rollout to rest", |site| site.door.rests("2").then_some(()));
        wait_until_well(&mut site);
        assert_eq!((packages(&site, "testing"), packages(&site, "production")), (1, 1));
        assert_eq!(fsck(&site, true), (vec![], Some(0)));
    }
    assert!(site.ctl_good(&["log", "2"]).contains("from Rejected to StageRollOut"));
    assert!(site.ctl_good(&["log", "2"]).contains("the wrong ticket was rejected"));
    site.ctl_good(&["move", "2", "Production"]);
    assert_eq!((packages(&site, "testing"), packages(&site, "production")), (0, 2));
    assert_eq!(fsck(&site, true), (vec![], Some(0)));
}

/// Row 34, as far as a submission knows of it: what belongs to others, and what is no name.
#[test]
fn a_package_of_another_rollout_or_distribution_is_told_before_anything_is_bound() {
    let mut site = settled();
    let refused = |site: &Site, words: &[&str], says: &str| {
        let out = site.ctl(words);
        let said = said(&out);
        assert!(!out.status.success() && said.contains(says), "{words:?}: {said}");
    };
    let submit = |package| ["submit", "3", "--distribution", DISTRIBUTION, package];
    refused(&site, &submit("second-1.0-1.noarch"), "belongs to the rollout 2");
    refused(&site, &submit("first-1.0-1.noarch"), "is already in production");
    refused(&site, &submit("second"), "second");
    refused(&site, &["submit", "3", "--distribution", "umd/4/sl6/x86_64", "third-1.0-1.noarch"], DISTRIBUTION);
    assert_eq!(site.door.state("3"), None, "nothing was bound");
    let third = site.drop_package("third", "1.0", &[]);
    site.wait("the package to be taken in", |site| (packages(site, "untested") == 1).then_some(()));
    site.submit("3", &[&third]);
}

/// Row 39: who put this into production, and why.
#[test]
fn who_put_a_package_into_production_and_why_is_one_command() {
    let mut site = settled();
    site.ctl_good(&["move", "2", "Production", "--reason", "verified at two sites"]);
    site.wait("the second in production", |site| (packages(site, "production") == 2).then_some(()));
    assert!(site.stop().success());
    site.up();
    let said = site.ctl_good(&["log", "2"]);
    let line = said.lines().find(|line| line.contains("Production")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("admin") && said.contains("verified at two sites"), "{said}");
}
