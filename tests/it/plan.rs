//! What a step would do and what differs between two trees, asked of a running daemon and compared with what clients get.

#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and breaks things as people do")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::clients::Machine;
use crate::judge::{self, Source};
use crate::peers;
use crate::site::{DISTRIBUTION, Site, Wish, files_below, request, said};

const SECOND: &str = "umd/3/sl5/i386";

/// What the metadata of each tree lists, with the sizes of the packages' files.
fn listed(site: &Site) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut all = BTreeMap::new();
    for dist in &site.distributions {
        for tree in ["untested", "testing", "delta", "production"] {
            let shown = judge::read(&Source::Disk(site.tree_of(tree, dist))).unwrap().unwrap();
            let packages = shown.packages.into_iter().map(|(nevra, listed)| (nevra, listed.size)).collect();
            all.insert(format!("{tree}/{dist}"), packages);
        }
    }
    all
}

/// A site with `demo-1.0` in testing, and `demo-2.0` and `other-1.0` of a rollout that is ready to follow.
fn ready_to_follow() -> Site {
    let mut site = Site::start(&Wish { distributions: vec![DISTRIBUTION, SECOND], ..Wish::default() });
    let old = site.drop_package("demo", "1.0", &[]);
    let new = [site.drop_package("demo", "2.0", &[]), site.drop_package("other", "1.0", &[])];
    site.wait("the packages", |site| {
        (site.document("/api/v1/trees").as_array()?.iter().any(|tree| tree["packages"] == 3)).then_some(())
    });
    site.submit("old", &[&old]);
    site.go_through("old", &["InVerification", "StageRollOut"]);
    site.submit("new", &[&new[0], &new[1]]);
    site.go_through("new", &["InVerification"]);
    site
}

fn id(tree: &Value) -> String {
    format!("{}/{}", tree["tree"].as_str().unwrap(), tree["distribution"].as_str().unwrap())
}

#[test]
fn clients_get_what_the_plan_of_a_step_has_said() {
    let mut site = ready_to_follow();
    let before = listed(&site);
    let plan: Value = serde_json::from_str(&site.ctl_good(&["--json", "plan", "new", "stage rollout"])).unwrap();
    assert_eq!((&plan["verdict"], &plan["to"]), (&Value::from("pass"), &Value::from("StageRollOut")), "{plan}");
    assert_eq!(listed(&site), before, "asking moves nothing");
    site.go_through("new", &["StageRollOut"]);

    let after = listed(&site);
    let mut expected = before.clone();
    for tree in plan["trees"].as_array().unwrap() {
        let lists = expected.get_mut(&id(tree)).unwrap();
        for package in tree["packages"].as_array().unwrap() {
            let (nevra, bytes) = (package["nevra"].as_str().unwrap(), package["bytes"].as_u64().unwrap());
            match package["change"].as_str().unwrap() {
                "new" | "newer" => assert_eq!(lists.insert(nevra.to_owned(), bytes), None),
                "gone" => assert_eq!(lists.remove(nevra), Some(bytes)),
                other => panic!("{other} {nevra}"),
            }
        }
        assert_eq!(tree["after"]["packages"].as_u64(), Some(lists.len() as u64));
        assert_eq!(tree["after"]["bytes"].as_u64(), Some(lists.values().sum::<u64>()));
        assert_eq!(tree["signers"].as_object().unwrap().values().collect::<Vec<_>>(), [&Value::from(2)]);
    }
    assert_eq!(after, expected);
    let newer = &plan["trees"][0]["packages"][0];
    assert_eq!((&newer["change"], &newer["other"]), (&Value::from("newer"), &Value::from("1.0-1")), "{plan}");
}

#[test]
fn a_plan_that_would_be_refused_says_why_and_what_it_would_have_done() {
    let site = ready_to_follow();
    let out = site.ctl(&["plan", "new", "Production"]);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(out.status.code(), Some(1));
    assert!(text.contains("would be refused: reject") && text.contains("no_transition"), "{text}");
    // Nobody in particular asks.
    let answer = request(site.address(), "GET", "/api/v1/rollouts/new/plan?state=StageRollOut", &[], b"").unwrap();
    let plan: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((&plan["verdict"], plan["trees"].as_array().unwrap().len()), (&Value::from("needs-admin"), 2), "{plan}");
    let text = site.ctl_good(&["plan", "new", "Unverified"]);
    assert!(text.contains("Nothing would move") && text.contains("may be taken now"), "{text}");
    for (path, status) in [
        ("/api/v1/rollouts/nope/plan?state=x", 404),
        ("/api/v1/rollouts/new/plan", 400),
        ("/api/v1/rollouts/new/plan?state=%07", 400),
        ("/api/v1/diff?from=testing&to=testing", 400),
        (&format!("/api/v1/diff?from=nope/{DISTRIBUTION}&to=testing/{DISTRIBUTION}"), 404),
        (&format!("/api/v1/diff?from=testing/{DISTRIBUTION}&to=testing/{DISTRIBUTION}&change=x"), 400),
        (&format!("/api/v1/diff?from=testing/{DISTRIBUTION}&to=testing/{DISTRIBUTION}&after=x"), 400),
    ] {
        let answer = site.door.get(path).unwrap();
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
}

#[test]
fn what_differs_between_two_trees_is_what_their_metadata_lists_differently() {
    let site = ready_to_follow();
    let lists = listed(&site);
    let [untested, testing] = ["untested", "testing"].map(|tree| format!("{tree}/{DISTRIBUTION}"));
    let elsewhere = format!("testing/{SECOND}");
    for (from, to) in [(&testing, &untested), (&untested, &testing), (&testing, &elsewhere), (&testing, &testing)] {
        let diff: Value = serde_json::from_str(&site.ctl_good(&["--json", "diff", from, to])).unwrap();
        let [was, is] = [from, to].map(|id| lists[id].keys().cloned().collect::<BTreeSet<String>>());
        let versions = |side: &str| -> BTreeSet<String> {
            let rows = diff["rows"].as_array().unwrap().iter();
            let of_row = |row: &Value| -> Vec<String> {
                let evrs = row[side].as_array().unwrap().iter();
                evrs.map(|evr| {
                    format!(
                        "{}-{}.{}",
                        row["name"].as_str().unwrap(),
                        evr.as_str().unwrap(),
                        row["arch"].as_str().unwrap()
                    )
                })
                .collect()
            };
            rows.flat_map(of_row).collect()
        };
        assert_eq!(versions("comes"), is.difference(&was).cloned().collect(), "{from} {to}: {diff}");
        assert_eq!(versions("goes"), was.difference(&is).cloned().collect(), "{from} {to}: {diff}");
        let bytes: u64 = lists[to].iter().filter(|(nevra, _)| !was.contains(*nevra)).map(|(_, bytes)| bytes).sum();
        assert_eq!(diff["added"]["bytes"].as_u64(), Some(bytes), "{diff}");
    }
    let text = site.ctl_good(&["diff", &testing, &untested]);
    assert!(text.contains("1 new, 1 newer") && text.contains("demo.noarch"), "{text}");
    // A page at a time.
    let first = site.document(&format!("/api/v1/diff?from={testing}&to={untested}&limit=1"));
    assert_eq!((first["more"].as_u64(), first["next"].as_str()), (Some(1), Some("demo.noarch")), "{first}");
    let next = site.document(&format!("/api/v1/diff?from={testing}&to={untested}&limit=1&after=demo.noarch"));
    assert_eq!((next["rows"][0]["name"].as_str(), next["more"].as_u64()), (Some("other"), Some(0)), "{next}");
    let only = site.document(&format!("/api/v1/diff?from={testing}&to={untested}&change=new"));
    assert_eq!((only["rows"].as_array().unwrap().len(), only["changes"]["newer"].as_u64()), (1, Some(1)), "{only}");
}

/// S1-36: what a step would leave is tested from a copy, while clients see what they saw.
#[test]
fn the_trees_after_a_step_are_built_beside_those_that_clients_see() {
    let mut site = ready_to_follow();
    let into = site.path("preview");
    let to = into.display().to_string();
    site.submit("idle", &["idle-1.0-1.noarch"]);
    let preview = |site: &Site, words: &[&str]| site.rolloutd(&[&["preview"], words].concat());
    let shown = |site: &Site| -> BTreeMap<_, _> {
        let all = ["untested", "testing", "production"].map(|tree| files_below(&site.tree(tree))).concat();
        all.into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect()
    };
    let (before, entries) = (shown(&site), site.document("/api/v1/log").as_array().unwrap().len());
    for (words, why) in [
        (vec!["Production", "new", "--into", &to], "has no step from there to `Production`"),
        (vec!["StageRollOut", "gnu", "--into", &to], "there is no rollout gnu"),
        (vec!["StageRollOut", "--bundle", "B-1", "--into", &to], "there is no bundle B-1"),
        (vec!["InVerification", "idle", "--into", &to], "nothing would move"),
    ] {
        let out = preview(&site, &words);
        assert!(out.status.code() == Some(1) && said(&out).contains(why), "{}", said(&out));
        assert!(!into.exists(), "{words:?}");
    }
    // Nor does it go where clients or the daemon would find it.
    let link = site.path("link");
    std::os::unix::fs::symlink(site.path("root"), &link).unwrap();
    for dir in [site.path("root/new"), site.path("state"), site.incoming().join("x/y"), link.join("new")] {
        let out = preview(&site, &["StageRollOut", "new", "--into", &dir.display().to_string()]);
        assert!(out.status.code() == Some(2), "{}", said(&out));
    }
    assert!(!site.path("root/new").exists() && shown(&site) == before);
    let out = preview(&site, &["StageRollOut", "new", "--into", &to]);
    assert!(out.status.success(), "{}", said(&out));
    assert!(said(&out).contains("preview/testing/umd/3/sl6/x86_64: 3 packages"), "{}", said(&out));
    assert!(shown(&site) == before, "clients see what they saw");
    assert_eq!(site.document("/api/v1/log").as_array().unwrap().len(), entries, "nothing is recorded");
    let out = preview(&site, &["StageRollOut", "new", "--into", &to]);
    assert!(out.status.code() == Some(2) && said(&out).contains("is not empty"), "{}", said(&out));
    let tested = |tree: &str| judge::read_unsigned(&Source::Disk(into.join(tree).join(DISTRIBUTION))).unwrap().packages;
    let tested = ["untested", "testing"].map(tested);
    if peers::have(&["dnf"]) && peers::root("installing from a preview with dnf") {
        let machine = Machine::new();
        machine.repo_file(&into.join("preview.repo"));
        assert!(machine.dnf(&["install", "demo-2.0", "other"]).status.success());
    }
    // And that is what clients get.
    site.go_through("new", &["StageRollOut"]);
    let now =
        ["untested", "testing"].map(|tree| judge::read(&Source::Disk(site.tree(tree))).unwrap().unwrap().packages);
    assert_eq!(tested, now);
    // A package whose bytes are not those that were accepted is in no preview.
    let packages = files_below(&site.tree("testing").join("Packages"));
    let file = packages.into_iter().find(|file| file.display().to_string().contains("other-")).unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes[200] ^= 1;
    fs::remove_file(&file).unwrap();
    fs::write(&file, bytes).unwrap();
    let out = preview(&site, &["Rejected", "old", "--into", &site.path("second").display().to_string()]);
    assert!(out.status.code() == Some(2) && said(&out).contains("rolloutd fsck"), "{}", said(&out));
}
