//! Disks and copies: trees and the state directory that are absent, old, copied, swept or written by others.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and breaks things as people do")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::disagreement::{
    move_that_is_refused, packages, reasons, reload, settled, up_with_trouble, wait_for_reason, wait_until_well,
};
use crate::fsck::fsck;
use crate::site::{Site, Wish, files_below};

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg("--").arg(from).arg(to).status().unwrap().success());
}

/// What lies in the metadata directories of all trees, with every byte.
fn metadata(site: &Site) -> BTreeMap<PathBuf, Vec<u8>> {
    let trees = ["untested", "testing", "delta", "production"].map(|tree| site.tree(tree).join("repodata"));
    trees.iter().flat_map(|dir| files_below(dir)).map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

/// Row 1.
#[test]
fn a_state_directory_that_is_not_mounted_empties_no_tree_and_all_is_as_before_when_it_is_back() {
    let mut site = settled();
    // Something is in the upload tree, too.
    site.drop_package("third", "1.0", &[]);
    site.wait("the third package", |site| (packages(site, "untested") == 1).then_some(()));
    assert!(site.stop().success());
    let (state, away) = (site.path("state"), site.path("away"));
    fs::rename(&state, &away).unwrap();
    fs::create_dir(&state).unwrap();
    let before = metadata(&site);
    let counts = |site: &Site| ["untested", "testing", "production"].map(|tree| packages(site, tree));
    assert_eq!(counts(&site), [1, 1, 1]);
    up_with_trouble(&mut site);
    for tree in ["untested/", "testing/", "production/"] {
        wait_for_reason(&mut site, tree);
    }
    let said = reasons(&site).join("\n");
    assert!(said.contains("start with the state directory that belongs to it"), "{said}");
    // Somebody goes on as on any other day.
    let nevra = site.drop_package("fourth", "1.0", &[]);
    site.submit("9", &[&nevra]);
    site.ctl_good(&["move", "9", "InVerification"]);
    assert_eq!(site.ctl(&["move", "9", "StageRollOut"]).status.code(), Some(1));
    assert_eq!(site.door.hook(&Site::hook_body("1", "9", "StageRollOut")).unwrap().status, 202);
    for _ in 0..3 {
        reload(&site);
        for tree in ["untested/", "testing/", "production/"] {
            wait_for_reason(&mut site, tree);
        }
    }
    assert!(metadata(&site) == before, "something was written into metadata");
    let (findings, code) = fsck(&site, false);
    assert_eq!(code, Some(1));
    assert!(findings.iter().any(|(at, what)| at.contains("production/") && what.contains("does not have it here")));
    assert!(site.stop().success());
    // The remedy.
    fs::rename(&state, site.path("wrong")).unwrap();
    fs::rename(&away, &state).unwrap();
    site.up();
    wait_until_well(&mut site);
    site.wait("what was uploaded meanwhile", |site| (packages(site, "untested") == 2).then_some(()));
    assert_eq!(counts(&site), [2, 1, 1]);
    site.ctl_good(&["move", "2", "Production"]);
    assert_eq!(counts(&site), [2, 0, 2]);
    wait_until_well(&mut site);
    assert_eq!(fsck(&site, true), (vec![], Some(0)));
}

/// The same kind: the packages lie there, and no metadata says so.
#[test]
fn production_with_packages_and_without_metadata_does_not_become_an_empty_repository() {
    let mut site = settled();
    assert!(site.stop().success());
    fs::rename(site.path("state"), site.path("away")).unwrap();
    fs::create_dir(site.path("state")).unwrap();
    for tree in ["untested", "testing", "delta", "production"] {
        fs::remove_dir_all(site.tree(tree).join("repodata")).unwrap();
    }
    let production = site.tree("production");
    for n in 0..12 {
        fs::copy(production.join("Packages/f/first-1.0-1.noarch.rpm"), production.join(format!("p{n}.rpm"))).unwrap();
    }
    up_with_trouble(&mut site);
    wait_for_reason(&mut site, "production/");
    let said = reasons(&site).join("\n");
    assert!(said.contains("holds 13 RPM files that this logbook knows nothing of"), "{said}");
    assert!(!production.join("repodata").exists(), "nothing is published there");
    let (findings, _) = fsck(&site, false);
    let here = findings.iter().filter(|(at, what)| at.contains("production/") && what.contains("nothing lists it"));
    assert_eq!(here.count(), 11, "ten, and three more in one line: {findings:?}");
    assert!(findings.iter().any(|(at, _)| at.ends_with("/3 more")), "{findings:?}");
    // The remedy: move the files out of the tree, and upload those that belong to this site.
    let aside = site.path("aside");
    fs::create_dir(&aside).unwrap();
    for file in files_below(&production).into_iter().filter(|file| file.extension().is_some_and(|x| x == "rpm")) {
        fs::rename(&file, aside.join(file.file_name().unwrap())).unwrap();
    }
    reload(&site);
    site.wait("production to be published, empty", |_| production.join("repodata/repomd.xml").exists().then_some(()));
    site.drop_file("first.rpm", &fs::read(aside.join("first-1.0-1.noarch.rpm")).unwrap());
    site.wait("the upload", |site| (packages(site, "untested") >= 1).then_some(()));
}

/// A move that was decided before its tree was found to be somebody else's waits.
#[test]
fn a_move_that_was_decided_when_its_tree_became_anothers_waits_and_lifts_nothing() {
    let mut site = settled();
    let production = site.tree("production");
    // Another site's repository comes into the place of ours.
    let mut other = Site::start(&Wish::default());
    for name in ["x", "y", "z"] {
        let nevra = other.drop_package(name, "1.0", &[]);
        other.wait("the package", |site| (packages(site, "untested") >= 1).then_some(()));
        other.submit(name, &[&nevra]);
        for state in ["InVerification", "StageRollOut", "Production"] {
            other.ctl_good(&["move", name, state]);
        }
    }
    assert!(other.stop().success());
    let aside = site.path("aside");
    fs::rename(&production, &aside).unwrap();
    copy(&other.tree("production"), &production);
    // Its own package is there, too: what is wrong is not that something is missing.
    fs::create_dir_all(production.join("Packages/f")).unwrap();
    fs::copy(aside.join("Packages/f/first-1.0-1.noarch.rpm"), production.join("Packages/f/first-1.0-1.noarch.rpm"))
        .unwrap();
    let before = metadata(&site);
    assert_eq!(site.ctl(&["move", "2", "Production", "--no-wait"]).status.code(), Some(0), "nobody has looked yet");
    reload(&site);
    wait_for_reason(&mut site, "production/");
    for _ in 0..3 {
        reload(&site);
        wait_for_reason(&mut site, "production/");
    }
    assert!(metadata(&site) == before, "something was written");
    assert_eq!(packages(&site, "production"), 3);
    let (findings, _) = fsck(&site, false);
    assert!(findings.iter().any(|(at, _)| at.contains("x-1.0-1.noarch")), "{findings:?}");
    // Put back what belongs here: then it goes on.
    fs::rename(&production, site.path("theirs")).unwrap();
    fs::rename(&aside, &production).unwrap();
    reload(&site);
    site.wait("the move", |site| (packages(site, "production") == 2).then_some(()));
    wait_until_well(&mut site);
    assert_eq!(fsck(&site, true), (vec![], Some(0)));
}

/// Row 2.
#[test]
fn an_old_copy_of_the_state_holds_the_trees_that_are_newer_whatever_is_asked_meanwhile() {
    let mut site = settled();
    assert!(site.stop().success());
    let (state, old) = (site.path("state"), site.path("old"));
    copy(&state, &old);
    site.up();
    site.ctl_good(&["move", "2", "Production"]);
    site.wait("the second package", |site| (packages(site, "production") == 2).then_some(()));
    assert!(site.stop().success());
    let newest = site.path("newest");
    fs::rename(&state, &newest).unwrap();
    fs::rename(&old, &state).unwrap();
    let before = metadata(&site);
    up_with_trouble(&mut site);
    wait_for_reason(&mut site, "production/");
    wait_for_reason(&mut site, "testing/");
    // The old logbook has it in testing still.
    move_that_is_refused(&site);
    site.drop_package("third", "1.0", &[]);
    site.wait("the third package", |site| (packages(site, "untested") == 1).then_some(()));
    reload(&site);
    wait_for_reason(&mut site, "production/");
    let untested = site.tree("untested");
    let less = |all: BTreeMap<PathBuf, Vec<u8>>| -> BTreeMap<_, _> {
        all.into_iter().filter(|(path, _)| !path.starts_with(&untested)).collect()
    };
    assert!(less(metadata(&site)) == less(before), "something was written");
    assert!(site.stop().success());
    fs::rename(&state, &old).unwrap();
    fs::rename(&newest, &state).unwrap();
    up_with_trouble(&mut site);
    // What the old one has published since is another program's now, and the words are the same.
    wait_for_reason(&mut site, "untested/");
    assert!(!reasons(&site).iter().any(|reason| reason.contains("production/") || reason.contains("testing/u")));
    fs::remove_file(untested.join("repodata/repomd.xml")).unwrap();
    reload(&site);
    wait_until_well(&mut site);
    site.wait("what was uploaded meanwhile", |site| (packages(site, "untested") == 1).then_some(()));
    assert_eq!(packages(&site, "production"), 2);
}
