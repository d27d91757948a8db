//! `rolloutd fsck` on a site that is well, on one where something was broken in each of many ways, and beside a
//! daemon that works.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and breaks things as people do")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::disagreement::settled;
use crate::peers;
use crate::site::Site;

/// What it says, and how it ends.
pub(crate) fn fsck(site: &Site, full: bool) -> (Vec<(String, String)>, Option<i32>) {
    let words: &[&str] = if full { &["fsck", "--json", "--full"] } else { &["fsck", "--json"] };
    let output = site.rolloutd(words);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{output:?}: {e}"));
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let findings = document["findings"].as_array().cloned().unwrap_or_default();
    let findings = findings.iter().map(|finding| (text(finding, "place"), text(finding, "what"))).collect();
    (findings, output.status.code())
}

/// The one file in a directory whose name ends so.
fn file(dir: &Path, end: &str) -> PathBuf {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut fits: Vec<_> = names.filter(|path| path.to_str().unwrap().ends_with(end)).collect();
    fits.sort_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
    fits.pop().unwrap_or_else(|| panic!("no {end} in {}", dir.display()))
}

/// Flips a bit of one byte and changes nothing else, not even the time.
pub(crate) fn flip(path: &Path, place: usize, bit: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[place] ^= 1 << bit;
    let before = fs::metadata(path).unwrap();
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, before.permissions()).unwrap();
    fs::File::open(path).unwrap().set_modified(before.modified().unwrap()).unwrap();
}

/// Flips a bit in the middle.
fn rot(path: &Path) {
    flip(path, usize::try_from(fs::metadata(path).unwrap().len()).unwrap() / 2, 0);
}

/// A way to break a tree, and what is said of it: a part of the place and of the words.
type Way = (&'static str, fn(&Path), &'static str, &'static str);

const FIRST: &str = "Packages/f/first-1.0-1.noarch.rpm";

const WAYS: &[Way] = &[
    ("a package is gone", |tree| fs::remove_file(tree.join(FIRST)).unwrap(), FIRST, "is listed, but it is missing"),
    (
        "a package is shorter",
        |tree| {
            let bytes = fs::read(tree.join(FIRST)).unwrap();
            fs::remove_file(tree.join(FIRST)).unwrap();
            fs::write(tree.join(FIRST), &bytes[1..]).unwrap();
        },
        FIRST,
        "but primary says",
    ),
    ("a package has rotten", |tree| rot(&tree.join(FIRST)), FIRST, "its checksum differs from primary"),
    (
        "a package is a link",
        |tree| {
            fs::rename(tree.join(FIRST), tree.join("elsewhere")).unwrap();
            std::os::unix::fs::symlink(tree.join("elsewhere"), tree.join(FIRST)).unwrap();
        },
        FIRST,
        "it is a link",
    ),
    (
        "a directory is a link",
        |tree| {
            fs::rename(tree.join("Packages"), tree.join("elsewhere")).unwrap();
            std::os::unix::fs::symlink("elsewhere", tree.join("Packages")).unwrap();
        },
        FIRST,
        "lies behind one",
    ),
    (
        "somebody put a package there",
        |tree| {
            fs::copy(tree.join(FIRST), tree.join("Packages/f/foreign-1-1.noarch.rpm")).unwrap();
        },
        "Packages/f/foreign-1-1.noarch.rpm",
        "no rollout left it behind",
    ),
    (
        "primary is gone",
        |tree| fs::remove_file(file(&tree.join("repodata"), "primary.xml.gz")).unwrap(),
        "primary",
        "it is missing",
    ),
    ("primary has rotten", |tree| rot(&file(&tree.join("repodata"), "primary.xml.gz")), "primary", ""),
    ("filelists has rotten", |tree| rot(&file(&tree.join("repodata"), "filelists.xml.gz")), "filelists", ""),
    (
        "metadata is gone",
        |tree| fs::remove_file(tree.join("repodata/repomd.xml")).unwrap(),
        "repodata/repomd.xml",
        "it is missing",
    ),
    (
        "the signature is gone",
        |tree| fs::remove_file(tree.join("repodata/repomd.xml.asc")).unwrap(),
        "repodata/repomd.xml.asc",
        "it is missing",
    ),
    (
        "the signature has rotten",
        |tree| rot(&tree.join("repodata/repomd.xml.asc")),
        "repomd.xml.asc",
        "not a signature of",
    ),
    (
        "another program wrote metadata",
        |tree| {
            let path = tree.join("repodata/repomd.xml");
            let text = fs::read_to_string(&path).unwrap().replace("<revision>", "<revision>9");
            fs::remove_file(&path).unwrap();
            fs::write(path, text).unwrap();
        },
        "repodata/repomd.xml",
        "it is not the latest publication",
    ),
];

#[test]
fn every_way_to_break_a_tree_is_named_and_nothing_else_is() {
    let mut site = settled();
    assert!(site.stop().success());
    assert_eq!(fsck(&site, true), (Vec::new(), Some(0)), "all is well");
    let whole = site.path("whole");
    let tree = site.tree("production");
    let copy = |from: &Path, to: &Path| {
        let done = Command::new("cp").args(["-a", "--"]).arg(from).arg(to).status().unwrap();
        assert!(done.success());
    };
    copy(&tree, &whole);
    for (how, way, place, words) in WAYS {
        way(&tree);
        let (findings, code) = fsck(&site, true);
        eprintln!("{how}: {findings:?}");
        assert_eq!(code, Some(1), "{how}");
        let named = |(at, what): &(String, String)| at.contains(place) && what.contains(words);
        assert!(findings.iter().any(named), "{how}: {findings:?}");
        assert!(findings.iter().all(|(at, _)| at.starts_with("production/") || !at.contains('/')), "{findings:?}");
        fs::remove_dir_all(&tree).unwrap();
        copy(&whole, &tree);
    }
    assert_eq!(fsck(&site, true), (Vec::new(), Some(0)), "all is well again");
}

#[test]
fn a_logbook_and_trees_of_different_days_do_not_agree() {
    let mut site = settled();
    assert!(site.stop().success());
    let production = site.tree("production");
    // The tree of yesterday, with metadata that fits itself: nothing of it is wrong but the day.
    fs::remove_dir_all(&production).unwrap();
    let done = Command::new("cp").args(["-a", "--"]).arg(site.tree("testing")).arg(&production).status().unwrap();
    assert!(done.success());
    let (findings, code) = fsck(&site, false);
    assert_eq!(code, Some(1));
    let says = |part: &str| findings.iter().any(|(place, what)| format!("{place}: {what}").contains(part));
    assert!(says("first-1.0-1.noarch: the logbook has it in this tree, but it is not listed"), "{findings:?}");
    assert!(says("second-1.0-1.noarch: it is listed, but the logbook does not have it in this tree"), "{findings:?}");
}

#[test]
fn what_was_withdrawn_is_kept_or_named() {
    let mut site = settled();
    site.ctl_good(&["move", "2", "Rejected"]);
    site.wait("the withdrawal", |site| site.door.rests("2").then_some(()));
    assert!(site.stop().success());
    assert_eq!(fsck(&site, true), (Vec::new(), Some(0)));
    let retired = site.path("state/retired");
    let dir = fs::read_dir(&retired).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(file(&dir, ".rpm")).unwrap();
    let (findings, code) = fsck(&site, false);
    assert_eq!((findings.len(), code), (1, Some(1)), "{findings:?}");
    assert!(findings[0].1.contains("second-1.0-1.noarch was withdrawn but its file is not kept"), "{findings:?}");
}

#[test]
fn beside_a_daemon_that_works_nothing_is_wrong() {
    beside(&mut settled(), 8);
}

/// Each rename and each sync takes its time, so that what is half done is there to be seen.
#[test]
fn beside_a_daemon_on_a_slow_disk_nothing_is_wrong() {
    if !peers::have(&["strace"]) {
        return;
    }
    let mut site = settled();
    assert!(site.stop().success());
    let slow = "rename,renameat,renameat2,fsync,fdatasync";
    let fixed = ["strace", "-D", "-f", "-qq", "-e", "signal=none", "-o", "/dev/null", "-e"].map(str::to_owned);
    let aim = [format!("trace={slow}"), "-e".to_owned(), format!("inject={slow}:delay_exit=30000")];
    site.under = fixed.into_iter().chain(aim).collect();
    site.up();
    beside(&mut site, 3);
}

fn beside(site: &mut Site, rounds: usize) {
    for round in 0..rounds {
        let agrees_until = |site: &mut Site, what: &str, done: &dyn Fn(&Site) -> bool| {
            site.wait(what, |site| {
                let over = done(site);
                assert_eq!(fsck(site, round % 2 == 0), (Vec::new(), Some(0)), "{what}, round {round}");
                over.then_some(())
            });
        };
        let nevra = site.drop_package(&format!("more{round}"), "1.0", &[]);
        agrees_until(site, "the package", &|site| {
            let answer = site.door.get("/api/v1/log?limit=5").unwrap();
            String::from_utf8_lossy(&answer.body).contains(&nevra)
        });
        let id = format!("m{round}");
        site.submit(&id, &[&nevra]);
        for state in ["InVerification", "StageRollOut", "Production"] {
            let body = serde_json::json!({"state": state, "reason": "on a slow disk"});
            let answer = site.door.post(&format!("/api/v1/rollouts/{id}/move"), &body).unwrap();
            assert_eq!(answer.status / 100, 2, "{}", answer.text());
            agrees_until(site, state, &|site| site.door.state(&id).as_deref() == Some(state) && site.door.rests(&id));
        }
    }
}
