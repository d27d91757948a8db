//! Bad days of the state directory: a logbook that is taken away while the daemon runs, copies that are put back,
//! files that belong to somebody else, a second daemon.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and does what people do")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

use crate::disagreement::{packages, reasons, settled, wait_for_reason, wait_until_well};
use crate::fsck::fsck;
use crate::site::{Site, files_below};

/// Runs a command that somebody was told to run.
#[track_caller]
fn follow(command: &str) {
    let out = Command::new("sh").args(["-ec", command]).output().unwrap();
    assert!(out.status.success(), "{command}: {}", words(&out));
}

/// All that a command said.
fn words(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// The command between backquotes that begins so.
#[track_caller]
fn told(words: &str, begins: &str) -> String {
    let mut commands = words.split('`').skip(1).step_by(2);
    commands
        .find(|command| command.starts_with(begins))
        .unwrap_or_else(|| panic!("no `{begins}` in {words}"))
        .to_owned()
}

/// All that clients see.
fn shown(site: &Site) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    files_below(&site.path("root")).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Nothing is answered as if it were done, and nothing is done.
#[track_caller]
fn nothing_is_decided(site: &mut Site, says: &str) {
    let before = shown(site);
    let moved = site.door.post("/api/v1/rollouts/2/move", &json!({ "state": "Production" })).unwrap();
    assert_eq!(moved.status, 503, "{}", moved.text());
    assert!(moved.text().contains(says), "{}", moved.text());
    assert_eq!(site.door.hook(&Site::hook_body("late", "2", "Production")).unwrap().status, 503);
    wait_for_reason(site, says);
    assert_eq!(shown(site), before);
}

/// What was decided before and what is decided after is there.
#[track_caller]
fn all_is_well(site: &mut Site) {
    wait_until_well(site);
    assert_eq!(site.door.state("1").as_deref(), Some("Production"));
    site.ctl_good(&["move", "2", "Production"]);
    site.wait("the second in production", |site| (packages(site, "production") == 2).then_some(()));
    site.ctl_good(&["log", "--verify"]);
    assert_eq!(fsck(site, true), (vec![], Some(0)));
}

/// Row 11.
#[test]
fn a_logbook_that_is_deleted_or_moved_while_it_runs_is_noticed_and_comes_back_whole() {
    let mut site = settled();
    let book = site.path("state/logbook.sqlite");
    let aside = site.path("aside");
    for name in ["logbook.sqlite", "logbook.sqlite-wal", "logbook.head"] {
        let path = site.path("state").join(name);
        fs::rename(&path, &aside).unwrap();
        nothing_is_decided(&mut site, "is gone");
        fs::rename(&aside, &path).unwrap();
        wait_until_well(&mut site);
    }
    for name in ["", "-wal", "-shm"] {
        fs::remove_file(format!("{}{name}", book.display())).unwrap();
    }
    nothing_is_decided(&mut site, "is gone");
    let why = reasons(&site).join(" ");
    assert!(site.stop().success());
    follow(&told(&why, "mv "));
    site.up();
    all_is_well(&mut site);
}

/// Row 11, the log alone, and the daemon does not even end in order.
#[test]
fn a_log_that_is_deleted_while_it_runs_is_noticed_and_nothing_is_lost() {
    let mut site = settled();
    fs::remove_file(site.path("state/logbook.sqlite-wal")).unwrap();
    nothing_is_decided(&mut site, "logbook.sqlite-wal is gone");
    site.kill();
    site.up();
    all_is_well(&mut site);
}

/// Row 11, the way of somebody who knows of no `rolloutd restore`.
#[test]
fn an_older_logbook_that_is_copied_over_the_one_that_runs_is_noticed() {
    let mut site = settled();
    let book = site.path("state/logbook.sqlite");
    fs::copy(&book, site.path("older")).unwrap();
    let copy = |site: &Site, to: &Path| fs::copy(site.path("older"), to).map(drop).unwrap();
    fs::rename(&book, site.path("aside")).unwrap();
    copy(&site, &book);
    nothing_is_decided(&mut site, "was replaced by another file");
    fs::rename(site.path("aside"), &book).unwrap();
    all_is_well(&mut site);
}
