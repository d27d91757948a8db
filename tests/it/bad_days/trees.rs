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
    assert!(said.contains("start with that one"), "{said}");
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
    assert!(
        findings.iter().any(|(at, what)| at.contains("production/") && what.contains("does not have it in this tree"))
    );
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
    assert!(said.contains("holds 13 RPM files unknown to this logbook"), "{said}");
    assert!(!production.join("repodata").exists(), "nothing is published there");
    let (findings, _) = fsck(&site, false);
    let here = findings.iter().filter(|(at, what)| at.contains("production/") && what.contains("not listed"));
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
    move_that_is_refused(&mut site);
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

/// Every copy of a package, in trees and aside.
fn copies(site: &Site, name: &str) -> Vec<PathBuf> {
    let all = ["root", "state/retired", "incoming"].into_iter().flat_map(|dir| files_below(&site.path(dir)));
    all.filter(|file| file.file_name().is_some_and(|file| file.to_string_lossy().ends_with(name))).collect()
}

/// Row 8, one package that lies nowhere else; and a move that was decided before.
#[test]
fn a_package_whose_bytes_are_nowhere_is_given_up_by_name_and_blocks_nothing_any_more() {
    let mut site = settled();
    let (first, name) = ("first-1.0-1.noarch", "first-1.0-1.noarch.rpm");
    let bytes = fs::read(site.tree("production").join("Packages/f").join(name)).unwrap();
    assert_eq!(site.ctl(&["lost", first, "--reason", "a typo"]).status.code(), Some(1), "it is not lost");
    assert_eq!(packages(&site, "production"), 1);
    for file in copies(&site, name) {
        fs::remove_file(file).unwrap();
    }
    // Nobody has looked yet: it is decided, and waits.
    assert_eq!(site.ctl(&["move", "2", "Production", "--no-wait"]).status.code(), Some(0));
    wait_for_reason(&mut site, first);
    assert!(!site.door.rests("2"), "it waits");
    let said = reasons(&site).join("\n");
    let remedy = format!("`rolloutctl lost {first} --reason WHY`");
    assert!(said.contains(&remedy), "{said}");
    let (findings, _) = fsck(&site, false);
    assert!(findings.iter().any(|(at, _)| at.contains(first)), "{findings:?}");
    // It can be given up, and asked for again.
    site.ctl_good(&["give-up", "2", "--reason", "for now"]);
    assert_eq!(site.door.state("2").as_deref(), Some("StageRollOut"));
    // The remedy.
    let told = site.ctl_good(&["lost", first, "--reason", "the disk broke"]);
    assert!(told.contains("production"), "{told}");
    wait_until_well(&mut site);
    site.wait("what was given up to rest", |site| site.door.rests("2").then_some(()));
    site.wait("production without it", |site| (packages(site, "production") == 0).then_some(()));
    assert_eq!(packages(&site, "testing"), 1);
    assert_eq!(fsck(&site, true), (vec![], Some(0)));
    assert!(
        site.ctl_good(&["log"]).contains("gave up first-1.0-1.noarch of umd/3/sl6/x86_64 as lost (the disk broke)")
    );
    site.ctl_good(&["move", "2", "Production"]);
    site.wait("the second package", |site| (packages(site, "production") == 1).then_some(()));
    // Also after a start; and should it be found, it comes in again as what it was.
    assert!(site.stop().success());
    site.up();
    assert_eq!(packages(&site, "production"), 1);
    site.drop_file("found.rpm", &bytes);
    site.wait("it to come in again", |site| (packages(site, "untested") == 1).then_some(()));
    wait_until_well(&mut site);
    assert_eq!(fsck(&site, true), (vec![], Some(0)));
}

/// Rows 3, 7 and 8: what is missing is put back from wherever its bytes are.
#[test]
fn packages_that_were_swept_from_a_tree_are_put_back_from_other_trees() {
    let mut site = settled();
    site.ctl_good(&["move", "2", "Production"]);
    site.wait("both packages", |site| (packages(site, "production") == 2).then_some(()));
    let production = site.tree("production");
    let all = || files_below(&production.join("Packages"));
    let before = all();
    // `rm -rf Packages`; one package, its metadata and the yum file; and everything, while it runs and while it does not.
    fs::remove_dir_all(production.join("Packages")).unwrap();
    reload(&site);
    site.wait("the packages to be back", |_| (all() == before).then_some(()));
    wait_until_well(&mut site);
    for file in [&before[0], &production.join("repodata/repomd.xml")] {
        fs::remove_file(file).unwrap();
    }
    reload(&site);
    site.wait("the package to be back", |site| (all() == before && packages(site, "production") == 2).then_some(()));
    wait_until_well(&mut site);
    assert!(site.stop().success());
    fs::remove_dir_all(&production).unwrap();
    up_with_trouble(&mut site);
    wait_for_reason(&mut site, "The tree is empty");
    assert_eq!(packages(&site, "production"), 0);
    assert!(!production.join("repodata").exists(), "it is no empty repository");
    // What the words say.
    fs::create_dir(production.join("repodata")).unwrap();
    reload(&site);
    site.wait("all to be back", |site| (all() == before && packages(site, "production") == 2).then_some(()));
    wait_until_well(&mut site);
    assert_eq!(fsck(&site, true), (vec![], Some(0)));
}

/// Row 7.
#[test]
fn an_old_mirror_that_is_synchronised_onto_a_tree_is_put_right() {
    let mut site = settled();
    let (production, mirror) = (site.tree("production"), site.path("mirror"));
    copy(&production, &mirror);
    site.ctl_good(&["move", "2", "Production"]);
    site.wait("both packages", |site| (packages(site, "production") == 2).then_some(()));
    fs::remove_dir_all(&production).unwrap();
    copy(&mirror, &production);
    reload(&site);
    site.wait("both packages again", |site| (packages(site, "production") == 2).then_some(()));
    wait_until_well(&mut site);
    assert_eq!(fsck(&site, true), (vec![], Some(0)));
}

/// Row 24.
#[test]
fn a_package_that_an_admin_copied_straight_into_production_is_named_with_the_way_to_bring_it_in() {
    let mut site = settled();
    let production = site.tree("production");
    let bytes = crate::site::package(&crate::site::recipe("third", "1.0", &[]), Some(&crate::site::keys().ours.1));
    let stray = production.join("third-1.0-1.noarch.rpm");
    fs::write(&stray, &bytes).unwrap();
    reload(&site);
    let (findings, code) = fsck(&site, false);
    let [(place, what)] = &findings[..] else { panic!("{findings:?}") };
    assert!(code == Some(1) && place.ends_with("third-1.0-1.noarch.rpm"), "{findings:?}");
    assert!(what.ends_with("upload it, and remove it here"), "{what}");
    site.drop_file("third.rpm", &bytes);
    site.wait("it to come in", |site| (packages(site, "untested") == 1).then_some(()));
    fs::remove_file(&stray).unwrap();
    wait_until_well(&mut site);
    assert_eq!(fsck(&site, true), (vec![], Some(0)));
    assert_eq!(packages(&site, "production"), 1);
}
