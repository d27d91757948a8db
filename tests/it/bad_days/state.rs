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

/// Runs `rolloutd` with the configuration of a site.
fn rolloutd(site: &Site, command: &[&str]) -> Output {
    let mut call = Command::new(env!("CARGO_BIN_EXE_rolloutd"));
    call.args(command).arg("--config").arg(site.path("rolloutd.toml")).output().unwrap()
}

/// The commands of a section of the README, in blocks as they stand there.
fn recipe(section: &str) -> Vec<Vec<String>> {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let part = readme.split(&format!("### {section}\n")).nth(1).expect(section);
    let part = part.split("\n#").next().unwrap();
    let mut blocks = vec![vec![]];
    for line in part.lines() {
        match line.strip_prefix("    ") {
            Some(command) => blocks.last_mut().unwrap().push(command.to_owned()),
            None => blocks.push(vec![]),
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

/// Somebody who types what the README says, on a machine where the site lies below one directory.
struct Admin {
    bin: std::path::PathBuf,
}

impl Admin {
    /// The programs are the real ones. There is no user `rolloutd` here, so nobody becomes another one.
    fn of(site: &Site) -> Self {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let bin = site.path("bin");
        fs::create_dir(&bin).unwrap();
        for program in [env!("CARGO_BIN_EXE_rolloutd"), env!("CARGO_BIN_EXE_rolloutctl")] {
            symlink(program, bin.join(Path::new(program).file_name().unwrap())).unwrap();
        }
        for (name, text) in [("sudo", "shift 2; exec \"$@\""), ("install", "exec mkdir -m 0700 \"$6\"")] {
            fs::write(bin.join(name), format!("#!/bin/sh\n{text}\n")).unwrap();
            fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::create_dir_all(site.path("var/backups")).unwrap();
        Self { bin }
    }

    /// Types one line; gives what it said.
    #[track_caller]
    fn types(&self, site: &mut Site, line: &str) -> String {
        match line {
            "systemctl stop rolloutd" => {
                site.end();
                return String::new();
            }
            "systemctl start rolloutd" => {
                site.up();
                return String::new();
            }
            _ => {}
        }
        // A line of a crontab: when, as whom, what.
        let line = match line.strip_prefix("30 1 * * *  rolloutd  ") {
            Some(command) => command.replace("\\%", "%"),
            None => line.to_owned(),
        };
        let places = [
            ("/etc/rolloutd/rolloutd.toml", site.path("rolloutd.toml")),
            ("/var/backups", site.path("var/backups")),
            ("/srv/repo/sw", site.path("root")),
        ];
        let line = places.iter().fold(line, |line, (from, to)| line.replace(from, to.to_str().unwrap()));
        let mut call = Command::new("sh");
        if let Ok(address) = site.door.address() {
            call.env("ROLLOUTCTL_URL", format!("http://{address}"));
        }
        call.env("ROLLOUTCTL_TOKEN_FILE", site.path("keys/token"));
        let path = format!("{}:{}", self.bin.display(), std::env::var("PATH").unwrap());
        let out = call.args(["-ec", &line]).env("PATH", path).output().unwrap();
        assert!(out.status.success(), "{line}: {}\n{}", out.status, words(&out));
        words(&out)
    }

    #[track_caller]
    fn all(&self, site: &mut Site, block: &[String]) -> String {
        block.iter().map(|line| self.types(site, line)).collect()
    }
}

/// A site with a package in production and one that was withdrawn, and its backup by the README's words.
fn backed_up() -> Option<(Site, Admin, Vec<Vec<String>>)> {
    if !crate::peers::have(&["rsync"]) {
        return None;
    }
    let mut site = settled();
    site.ctl_good(&["move", "2", "Rejected"]);
    site.wait("the withdrawn package to be kept", |site| {
        (site.door.rests("2") && files_below(&site.path("state/retired")).len() == 1).then_some(())
    });
    let admin = Admin::of(&site);
    let blocks = recipe("Back up and restore");
    assert_eq!(blocks.len(), 4, "{blocks:#?}");
    for block in &blocks[..2] {
        admin.all(&mut site, block);
    }
    Some((site, admin, blocks))
}

/// B8: the whole state and the trees are lost.
#[test]
fn what_the_readme_says_of_backups_brings_a_lost_site_back() {
    let Some((mut site, admin, blocks)) = backed_up() else { return };
    let before = shown(&site);
    site.kill();
    for lost in ["state", "root"] {
        fs::remove_dir_all(site.path(lost)).unwrap();
        fs::create_dir(site.path(lost)).unwrap();
    }
    let said = admin.all(&mut site, &blocks[2]);
    assert!(said.contains("Everything agrees") && said.contains("OK"), "{said}");
    wait_until_well(&mut site);
    let after = shown(&site);
    let lost: Vec<_> = before.iter().filter(|file| !after.contains(file)).map(|(path, _)| path).collect();
    assert!(lost.iter().all(|path| path.ends_with(".rolloutd.lock")), "{lost:?}");
    assert_eq!(site.door.state("1").as_deref(), Some("Production"));
    assert_eq!(files_below(&site.path("state/retired")).len(), 1);
    assert_eq!(fsck(&site, true), (vec![], Some(0)));
}

/// B8: only `retired/` is lost, and the logbook has gone on since the backup.
#[test]
fn what_the_readme_says_of_backups_brings_lost_withdrawn_files_back_and_keeps_the_logbook() {
    let Some((mut site, admin, blocks)) = backed_up() else { return };
    let third = site.drop_package("third", "1.0", &[]);
    site.wait("the third", |site| (packages(site, "untested") == 1).then_some(()));
    site.submit("3", &[&third]);
    fs::remove_dir_all(site.path("state/retired")).unwrap();
    assert_eq!(fsck(&site, false).1, Some(1), "it is missed");
    // The whole would lose what was decided since, so the whole is refused.
    site.end();
    let backup = fs::read_dir(site.path("var/backups/rolloutd")).unwrap().next().unwrap().unwrap().path();
    let refused = rolloutd(&site, &["restore", backup.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1), "{}", words(&refused));
    assert!(words(&refused).contains("--files") && words(&refused).contains("--replace"), "{}", words(&refused));
    let said = admin.all(&mut site, &blocks[3]);
    assert!(said.contains("Put back 1 files"), "{said}");
    wait_until_well(&mut site);
    assert_eq!(site.door.state("3").as_deref(), Some("Unverified"));
    assert_eq!(fsck(&site, true), (vec![], Some(0)));
}

/// A state without `retired/` or `rejected/` is backed up and put back; a daemon that runs keeps a restore out.
#[test]
fn a_state_without_withdrawn_files_is_backed_up_too_and_a_running_daemon_keeps_a_restore_out() {
    let mut site = settled();
    for dir in ["retired", "rejected"] {
        let _ = fs::remove_dir_all(site.path("state").join(dir));
    }
    let to = site.path("backup");
    let made = rolloutd(&site, &["backup", "--json", to.to_str().unwrap()]);
    assert_eq!(made.status.code(), Some(0), "{}", words(&made));
    let document: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(document["files"], 2);
    for (place, code) in [(to.clone(), 2), (site.path("state/backup"), 2), (site.path("root/backup"), 2)] {
        let refused = rolloutd(&site, &["backup", place.to_str().unwrap()]);
        assert_eq!(refused.status.code(), Some(code), "{}", words(&refused));
    }
    let refused = rolloutd(&site, &["restore", to.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1), "{}", words(&refused));
    assert!(words(&refused).contains("held by another rolloutd"), "{}", words(&refused));
    assert!(site.stop().success());
    fs::remove_dir_all(site.path("state")).unwrap();
    let restored = rolloutd(&site, &["restore", "--json", to.to_str().unwrap()]);
    assert_eq!(restored.status.code(), Some(0), "{}", words(&restored));
    let document: serde_json::Value = serde_json::from_slice(&restored.stdout).unwrap();
    assert_eq!(document["fsck"]["agrees"], true);
    site.up();
    all_is_well(&mut site);
}
