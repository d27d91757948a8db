//! A tree is restored to an earlier revision while clients use it, and restored back.
#![expect(clippy::disallowed_methods, reason = "tests do in their own directories what an admin does")]

use std::fs;

use serde_json::Value;

use crate::clients::Machine;
use crate::disagreement::wait_until_well;
use crate::fsck::fsck;
use crate::judge::{self, Source};
use crate::peers;
use crate::site::{DISTRIBUTION, Site, Wish, fact, files_below, said};

const TREE: &str = "production/umd/3/sl6/x86_64";

/// The revision of production, and what it lists.
fn shown(site: &Site) -> (u64, Vec<String>) {
    let published = judge::read(&Source::Disk(site.tree("production"))).unwrap().unwrap();
    let trees = site.document("/api/v1/trees");
    let one = trees.as_array().unwrap().iter().find(|tree| tree["tree"] == "production").unwrap().clone();
    let mut names: Vec<String> = published.packages.keys().cloned().collect();
    names.sort();
    (one["revision"].as_u64().unwrap(), names)
}

/// A site whose rollouts `one` and `two` are in production, with the revisions after each.
fn in_production(wish: &Wish) -> (Site, [u64; 2]) {
    let mut site = Site::start(wish);
    let revisions = [("one", "1"), ("two", "2")].map(|(id, version)| {
        let nevra = site.drop_package("demo", version, &[]);
        site.wait("it to be taken in", |site| {
            site.ctl(&["submit", id, "--distribution", DISTRIBUTION, &nevra]).status.success().then_some(())
        });
        site.go_through(id, &["InVerification", "StageRollOut", "Production"]);
        shown(&site).0
    });
    (site, revisions)
}

/// What the answer says is the way back, without the reason.
fn way_back(told: &str) -> Vec<String> {
    let line = told.lines().find_map(|line| line.split_once("rolloutctl restore ")).expect("it says the way back").1;
    line.split_whitespace().take(3).map(str::to_owned).collect()
}

#[test]
fn a_tree_is_restored_to_before_a_rollout_and_back_while_dnf_looks_on() {
    if !peers::have(&["dnf", "createrepo_c"]) {
        return;
    }
    let (mut site, [first, second]) = in_production(&Wish { grace_packages: "1s", ..Wish::default() });
    let (key, url) = (site.key_url(), site.plain_url("production"));
    let sees = || {
        let client = Machine::new();
        client.dnf_repo(&url, &key);
        let out = client.dnf(&["repoquery", "--qf", "%{name}-%{version}\n", "demo"]);
        let mut seen: Vec<String> =
            said(&out).lines().filter(|line| line.starts_with("demo-")).map(str::to_owned).collect();
        seen.sort();
        seen
    };
    assert_eq!(sees(), ["demo-1", "demo-2"]);

    // Beforehand: what it would do, and what was never there.
    let to = first.to_string();
    let plan = site.ctl_good(&["restore", TREE, "--to", &to, "--dry-run"]);
    assert!(plan.contains("1 package (") && plan.contains("goes") && plan.contains("may be done now"), "{plan}");
    let never = site.ctl(&["restore", TREE, "--to", "5", "--reason", "x"]);
    assert_eq!(never.status.code(), Some(1));
    assert!(said(&never).contains("the nearest are") && said(&never).contains(&to), "{}", said(&never));
    let same = site.ctl_good(&["restore", TREE, "--to", &second.to_string(), "--reason", "x"]);
    assert!(same.contains("there is nothing to do"), "{same}");
    assert_eq!(shown(&site).0, second);

    // To before the second rollout.
    let told = site.ctl_good(&["restore", TREE, "--to", &to, "--reason", "demo 2 loses data"]);
    let back = way_back(&told);
    let (third, names) = shown(&site);
    assert!(
        third > second && names.len() == 1 && names[0].starts_with("demo-") && names[0].contains("1-1"),
        "{names:?}"
    );
    assert_eq!(sees(), ["demo-1"]);
    let show = site.ctl_good(&["show", "two"]);
    assert!(show.contains("Production since") && show.contains("has been taken out of production"), "{show}");
    let log = site.ctl_good(&["log", "two"]);
    assert!(log.contains("restored") && log.contains("demo 2 loses data"), "{log}");
    assert!(site.ctl_good(&["log", "--tree", TREE]).contains("restored"));
    assert!(site.ctl_good(&["trees"]).contains(&format!("restored from {first}")));
    // The file goes, and is kept.
    let file = site.tree("production").join("Packages/d/demo-2-1.noarch.rpm");
    site.wait("the file to be removed", |_| (!file.exists()).then_some(()));
    wait_until_well(&mut site);
    assert_eq!(fsck(&site, true), (Vec::new(), Some(0)));

    // Killed right after it was decided, it goes on from there.
    let words: Vec<&str> = back.iter().map(String::as_str).collect();
    let out = site.ctl(&[&["restore"], &words[..], &["--no-wait", "--reason", "it was the network"]].concat());
    assert!(out.status.success(), "{}", said(&out));
    site.kill();
    site.up();
    let (fourth, names) =
        site.wait("demo 2 to be back", |site| Some(shown(site)).filter(|(_, names)| names.len() == 2));
    assert!(fourth > third, "{fourth} {names:?}");
    assert_eq!(sees(), ["demo-1", "demo-2"]);
    wait_until_well(&mut site);
    assert_eq!(fsck(&site, true), (Vec::new(), Some(0)));
    let show = site.ctl_good(&["show", "two"]);
    assert!(!show.contains("has been taken out of production"), "{show}");
    let entries = site.entries_after(0);
    let kinds: Vec<&Value> = entries.iter().map(|entry| &entry["what"]["kind"]).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "tree.restored").count(), 2);
    assert!(site.stop().success());
}

/// A rejected package comes back only if somebody says so, one whose bytes are nowhere does not at all, and one that has
/// moved on stays where it is.
#[test]
fn what_stands_in_the_way_of_a_restore_is_named_and_nothing_is_changed() {
    let mut site = Site::start(&Wish { grace_packages: "1s", ..Wish::default() });
    let revision = |site: &Site| {
        let trees = site.document("/api/v1/trees");
        let one = trees.as_array().unwrap().iter().find(|tree| tree["tree"] == "testing").unwrap().clone();
        (one["revision"].as_u64().unwrap(), one["packages"].as_u64().unwrap())
    };
    for (id, version) in [("one", "1"), ("two", "2"), ("three", "3")] {
        let nevra = site.drop_package("demo", version, &[]);
        let words = ["submit", id, "--distribution", DISTRIBUTION, &nevra];
        site.wait("it to be taken in", |site| site.ctl(&words).status.success().then_some(()));
        site.go_through(id, &["InVerification", "StageRollOut"]);
    }
    let (to, listed) = revision(&site);
    assert_eq!(listed, 3);
    site.go_through("three", &["Production"]);
    site.go_through("one", &["Rejected"]);
    site.go_through("two", &["Rejected"]);
    let before = revision(&site);
    assert_eq!(before.1, 0);
    let file = site.tree("testing").join("Packages/d/demo-2-1.noarch.rpm");
    site.wait("the file to be removed", |_| (!file.exists()).then_some(()));
    // Somebody clears up.
    let kept = files_below(&site.path("state/retired"));
    let kept = kept.iter().find(|path| path.to_string_lossy().contains("demo-2")).expect("it is kept");
    let aside = site.path("aside.rpm");
    fs::rename(kept, &aside).unwrap();

    let (tree, to) = ("testing/umd/3/sl6/x86_64", to.to_string());
    let ask = |site: &Site, more: &[&str]| {
        let out = site.ctl(&[&["restore", tree, "--to", &to, "--reason", "x"], more].concat());
        assert_eq!(out.status.code(), Some(1));
        assert_eq!(revision(site), before);
        said(&out)
    };
    let words = ask(&site, &[]);
    let rejected = "demo-1-1.noarch (one is in Rejected), demo-2-1.noarch (two is in Rejected)";
    assert!(words.contains(rejected) && words.contains("demo-3-1.noarch in production"), "{words}");
    assert!(
        words.contains("package_missing") && words.contains("in any tree of the distribution: demo-2-1"),
        "{words}"
    );
    let words = ask(&site, &["--also-rejected", "--dry-run"]);
    assert!(words.contains("would be refused: reject") && !words.contains("is in Rejected"), "{words}");
    fs::rename(&aside, kept).unwrap();
    let words = ask(&site, &["--also-rejected"]);
    assert!(words.contains("package_elsewhere") && !words.contains("package_missing"), "{words}");

    // Once production is as it was then, all of them come back.
    let entries = site.entries_after(0);
    let empty = entries.iter().find_map(|entry| {
        let published = fact(entry, "tree.published");
        (published["tree"] == "production").then(|| published["revision"].as_u64().unwrap())
    });
    let empty = empty.unwrap().to_string();
    site.ctl_good(&["restore", TREE, "--to", &empty, "--reason", "three is bad, too"]);
    let out = site.ctl(&["restore", tree, "--to", &to, "--reason", "all was fine", "--also-rejected"]);
    assert!(out.status.success(), "{}", said(&out));
    assert_eq!(revision(&site).1, 3);
    wait_until_well(&mut site);
    assert_eq!(fsck(&site, true), (Vec::new(), Some(0)));
    assert!(site.ctl_good(&["log", "--tree", tree]).contains("also 2 that had been rejected"));
    assert!(site.stop().success());
    site.up();
    assert_eq!(revision(&site).1, 3);
}
