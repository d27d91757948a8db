//! Bad days of the state directory: a logbook that is taken away while the daemon runs, copies that are put back,
//! files that belong to somebody else, a second daemon.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and does what people do")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

use crate::disagreement::{packages, reasons, settled, wait_for_reason, wait_until_well};
use crate::fsck::fsck;
use crate::site::{DISTRIBUTION, Site, Wish, files_below, said};

/// Runs a command that somebody was told to run.
#[track_caller]
fn follow(command: &str) {
    let out = Command::new("sh").args(["-ec", command]).output().unwrap();
    assert!(out.status.success(), "{command}: {}", said(&out));
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

/// Row 11, twice in one run: what was saved the first time lacks what was decided since.
#[test]
fn a_logbook_that_is_lost_again_after_it_was_put_back_comes_back_with_what_was_decided_between() {
    let mut site = settled();
    let (book, aside) = (site.path("state/logbook.sqlite"), site.path("aside"));
    fs::rename(&book, &aside).unwrap();
    nothing_is_decided(&mut site, "is gone");
    let first = told(&reasons(&site).join(" "), "mv ");
    fs::rename(&aside, &book).unwrap();
    wait_until_well(&mut site);
    let third = site.drop_package("third", "1.0", &[]);
    site.wait("the third", |site| (packages(site, "untested") == 1).then_some(()));
    site.submit("3", &[&third]);
    fs::remove_file(&book).unwrap();
    nothing_is_decided(&mut site, "is gone");
    let second = told(&reasons(&site).join(" "), "mv ");
    assert_ne!(first, second);
    assert!(site.stop().success());
    follow(&second);
    site.up();
    assert_eq!(site.door.state("3").as_deref(), Some("Unverified"));
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

/// The commands of a section of the README, in blocks as they stand there.
pub(crate) fn recipe(section: &str) -> Vec<Vec<String>> {
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
        for (name, text) in
            [("sudo", "shift 2; exec \"$@\""), ("install", "for dir; do :; done; exec mkdir -p -m 0700 \"$dir\"")]
        {
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
            ("/etc/rolloutd/rolloutd.toml", site.config()),
            ("/var/backups", site.path("var/backups")),
            ("/var/lib/rolloutd", site.path("state")),
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
        assert!(out.status.success(), "{line}: {}\n{}", out.status, said(&out));
        said(&out)
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
    // By the time at which a new upload is in, each tree was searched for uploads: what waits for its removal is none.
    let waits =
        before.iter().find(|(path, _)| path.ends_with("untested/umd/3/sl6/x86_64/Packages/s/second-1.0-1.noarch.rpm"));
    let waits = waits.map(|(path, _)| path).expect("the file of a package that was moved on");
    site.drop_package("third", "1.0", &[]);
    site.wait("the third", |site| (packages(site, "untested") == 1).then_some(()));
    assert!(waits.exists() && !site.ctl_good(&["log"]).contains("refused"), "{}", site.ctl_good(&["log"]));
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
    let refused = site.rolloutd(&["restore", backup.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("--files") && said(&refused).contains("--replace"), "{}", said(&refused));
    let said = admin.all(&mut site, &blocks[3]);
    assert!(said.contains("Restored 1 missing files"), "{said}");
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
    let made = site.rolloutd(&["backup", "--json", to.to_str().unwrap()]);
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    let document: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    // The logbook, its head and the register of people.
    assert_eq!(document["files"], 3);
    for (place, code) in [(to.clone(), 2), (site.path("state/backup"), 2), (site.path("root/backup"), 2)] {
        let refused = site.rolloutd(&["backup", place.to_str().unwrap()]);
        assert_eq!(refused.status.code(), Some(code), "{}", said(&refused));
    }
    let refused = site.rolloutd(&["restore", to.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("held by another rolloutd"), "{}", said(&refused));
    assert!(site.stop().success());
    fs::remove_dir_all(site.path("state")).unwrap();
    let restored = site.rolloutd(&["restore", "--json", to.to_str().unwrap()]);
    assert_eq!(restored.status.code(), Some(0), "{}", said(&restored));
    let document: serde_json::Value = serde_json::from_slice(&restored.stdout).unwrap();
    assert_eq!(document["fsck"]["agrees"], true);
    site.up();
    all_is_well(&mut site);
}

/// Row 12.
#[test]
fn a_state_that_was_moved_to_another_disk_is_the_same_site() {
    let mut site = settled();
    assert!(site.stop().success());
    let dir = site.path("");
    follow(&format!("cd '{}'; cp -a state elsewhere; rm -r state; cp -a elsewhere state", dir.display()));
    site.up();
    all_is_well(&mut site);
}

/// Row 4: what was copied by hand while it was written is consistent, or refused with the right recipe.
#[test]
fn a_state_that_was_copied_by_hand_while_it_is_written_starts_whole_or_not_at_all() {
    let mut site = settled();
    let mut sealed = vec![];
    for n in 0..6 {
        let body = |m: u32| Site::hook_body(&format!("d{n}-{m}"), "nobody-knows", "Production");
        for m in 0..5 {
            assert!(site.door.hook(&body(m)).unwrap().status < 300);
        }
        site.drop_package(&format!("p{n}"), "1.0", &[]);
        // Each file at another moment, as `cp` takes them, and in the worst order.
        let copy = site.path(&format!("copy{n}"));
        fs::create_dir(&copy).unwrap();
        for name in ["logbook.sqlite", "logbook.sqlite-wal", "logbook.head"] {
            fs::copy(site.path("state").join(name), copy.join(name)).unwrap();
            if n % 2 == 1 {
                site.wait("more", |site| (packages(site, "untested") > n).then_some(()));
                assert!(site.door.hook(&body(100 + u32::try_from(name.len()).unwrap())).unwrap().status < 300);
            }
        }
        let head = fs::read_to_string(copy.join("logbook.head")).unwrap();
        sealed.push((copy, head.split(' ').next().unwrap().parse::<u64>().unwrap()));
        site.wait("it", |site| (packages(site, "untested") > n).then_some(()));
    }
    site.end();
    let kernel = || std::sync::Arc::new(rolloutd::store::disk::Kernel::default());
    for (copy, seq) in sealed {
        use rolloutd::store::logbook::{Logbook as _, SqliteLogbook};
        match SqliteLogbook::open_sealed(&copy.join("logbook.sqlite"), kernel()) {
            Ok(book) => assert!(book.head().seq >= seq, "older than its head"),
            Err(error) => assert!(error.to_string().contains("`rolloutd restore`"), "{error}"),
        }
    }
}

/// Row 13, as far as locks reach: the second daemon is refused, whatever its state, and names the first.
#[test]
fn a_second_daemon_over_the_same_trees_refuses_and_a_lost_lock_is_named() {
    let mut site = settled();
    fs::create_dir(site.path("second")).unwrap();
    let text = site.configuration();
    let other = text.replace(site.path("state").to_str().unwrap(), site.path("second").to_str().unwrap());
    fs::write(site.path("second.toml"), other).unwrap();
    let second = || {
        let mut call = Command::new(env!("CARGO_BIN_EXE_rolloutd"));
        call.args(["run", "--config"]).arg(site.path("second.toml")).output().unwrap()
    };
    let out = second();
    assert!(!out.status.success());
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let first = format!("held by another rolloutd (pid {} on {machine}", site.pid());
    assert!(said(&out).contains(&first), "{}", said(&out));
    let (lock, aside) = (site.path("root/.rolloutd.lock"), site.path("aside"));
    fs::rename(&lock, &aside).unwrap();
    wait_for_reason(&mut site, "a second daemon could start");
    fs::rename(&aside, &lock).unwrap();
    all_is_well(&mut site);
}

/// A user that nobody has.
const SOMEBODY: u32 = 60002;

/// The daemon's next start is as another user, to whom all of the site belongs.
fn as_somebody(site: &mut Site) {
    let user = SOMEBODY.to_string();
    site.under = ["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups"].map(str::to_owned).to_vec();
}

fn give(path: &Path) {
    follow(&format!("chown -R {SOMEBODY}:{SOMEBODY} '{}'", path.display()));
}

/// Row 31: what is said when it does not start.
#[track_caller]
fn refused_start(site: &mut Site) -> String {
    let before = site.log().len();
    as_somebody(site);
    site.spawn();
    let began = std::time::Instant::now();
    while site.has_ended().is_none() {
        assert!(began.elapsed().as_secs() < 60, "it runs");
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
    site.log()[before..].to_owned()
}

/// Row 31.
#[test]
fn what_root_leaves_behind_is_named_with_the_chown_that_mends_it() {
    if !crate::peers::root("a daemon of another user") {
        return;
    }
    let mut site = Site::prepare(&Wish::default());
    give(&site.path(""));
    as_somebody(&mut site);
    site.up();
    site.drop_package("first", "1.0", &[]);
    site.wait("it is taken in", |site| (packages(site, "untested") == 1).then_some(()));
    assert!(site.stop().success());
    // Each file by itself, and then all that a run as root leaves.
    let state =
        ["logbook.sqlite", "logbook.head", "people.sqlite", "lock", "index"].map(|name| format!("state/{name}"));
    for name in state.iter().map(String::as_str).chain(["root/.rolloutd.lock"]) {
        follow(&format!("chown root '{}'", site.path(name).display()));
        let said = refused_start(&mut site);
        assert!(said.contains(site.path(name).to_str().unwrap()), "{name}: {said}");
        follow(&told(&said, "chown "));
        as_somebody(&mut site);
        site.up();
        assert!(site.stop().success());
    }
    // Root by mistake is told whose it is, and leaves nothing.
    site.drop_package("second", "1.0", &[]);
    let as_root = site.rolloutd(&["run"]);
    assert!(!as_root.status.success() && said(&as_root).contains("run it as 60002"), "{}", said(&as_root));
    let found = Command::new("find").arg(site.path("state")).arg(site.path("root")).args(["-user", "root"]).output();
    assert_eq!(said(&found.unwrap()), "");
    as_somebody(&mut site);
    site.up();
    site.wait("it is taken in", |site| (packages(site, "untested") == 2).then_some(()));
    // And while it runs.
    let dir = files_below(&site.path("root/untested")).iter().find(|p| p.ends_with("repomd.xml")).unwrap().clone();
    let dir = dir.parent().unwrap().to_owned();
    follow(&format!("chown root '{}'", dir.display()));
    site.drop_package("third", "1.0", &[]);
    let says = format!("{} belongs to root", dir.display());
    wait_for_reason(&mut site, &says);
    let why = reasons(&site).into_iter().find(|reason| reason.contains(&says)).unwrap();
    follow(&told(&why, "chown "));
    // The test has uploaded as root, too.
    give(&site.incoming());
    site.wait("the third", |site| (packages(site, "untested") == 3).then_some(()));
    wait_until_well(&mut site);
}

/// Row 5: another user, other paths, while packages move.
#[test]
fn a_backup_that_was_made_while_packages_move_is_a_site_elsewhere_for_another_user() {
    if !crate::peers::root("another user") {
        return;
    }
    let mut site = settled();
    site.ctl_good(&["move", "2", "Production"]);
    for n in 0..8 {
        let nevra = site.drop_package(&format!("p{n}"), "1.0", &[]);
        site.wait("it", |site| site.document("/api/v1/trees").to_string().contains("packages").then_some(()));
        site.wait("it is taken in", |site| {
            site.ctl(&["submit", &format!("r{n}"), "--distribution", DISTRIBUTION, &nevra])
                .status
                .success()
                .then_some(())
        });
        for state in ["InVerification", "StageRollOut"] {
            site.wait(state, |site| site.ctl(&["move", &format!("r{n}"), state]).status.success().then_some(()));
        }
        let made = site.rolloutd(&["backup", site.path(&format!("backup{n}")).to_str().unwrap()]);
        assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    }
    site.wait("rest", |site| (0..8).all(|n| site.door.rests(&format!("r{n}"))).then_some(()));
    let last = site.path("last");
    assert_eq!(site.rolloutd(&["backup", last.to_str().unwrap()]).status.code(), Some(0));
    assert!(site.stop().success());
    // Every one opens, whatever was under way, and knows no more than the last.
    for n in 0..8 {
        let (state, backup) = (site.path(&format!("state{n}")), site.path(&format!("backup{n}")));
        fs::create_dir(&state).unwrap();
        let text = site.configuration();
        let other = text.replace(site.path("state").to_str().unwrap(), state.to_str().unwrap());
        let config = site.path(&format!("{n}.toml"));
        fs::write(&config, other).unwrap();
        let mut call = Command::new(env!("CARGO_BIN_EXE_rolloutd"));
        let out = call.args(["restore", "--config"]).arg(&config).arg(&backup).output().unwrap();
        assert!(said(&out).contains("Restored in"), "{}", said(&out));
    }
    // The other machine: the trees come first, everything is another user's and lies elsewhere.
    let mut there = Site::prepare(&Wish::default());
    follow(&format!(
        "rm -r '{0}/root' && cp -a '{1}/root' '{0}/root'",
        there.path("").display(),
        site.path("").display()
    ));
    follow(&format!("cp -a '{}' '{}/carried'", last.display(), there.path("").display()));
    give(&there.path(""));
    let out = Command::new("setpriv")
        .args(["--reuid", &SOMEBODY.to_string(), "--regid", &SOMEBODY.to_string(), "--clear-groups"])
        .arg(env!("CARGO_BIN_EXE_rolloutd"))
        .args(["restore", "--config"])
        .args([there.config(), there.path("carried")])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", said(&out));
    as_somebody(&mut there);
    there.up();
    wait_until_well(&mut there);
    assert_eq!(packages(&there, "production"), 2);
    assert_eq!(packages(&there, "testing"), 8);
    let found = fsck(&there, true);
    assert_eq!(found, (vec![], Some(0)));
}

/// A command of rolloutd's with the configuration of a site, by the user [`SOMEBODY`].
fn by_somebody(site: &Site, command: &[&str]) -> Output {
    let mut call = Command::new("setpriv");
    call.args(["--reuid", &SOMEBODY.to_string(), "--regid", &SOMEBODY.to_string(), "--clear-groups"]);
    call.arg(env!("CARGO_BIN_EXE_rolloutd")).args(command).arg("--config").arg(site.config());
    call.output().unwrap()
}

/// B8: the state directory itself is lost, and lay in one of root's; then root puts it back; then the trees are
/// another user's. No remedy changes the owner of what is not the site's.
#[test]
fn a_state_directory_that_is_lost_is_made_as_the_words_say_and_belongs_to_whoever_has_the_trees() {
    if !crate::peers::root("another user") {
        return;
    }
    let mut site = settled();
    let (top, state, root) = (site.path(""), site.path("state"), site.path("root"));
    let backup = site.path("carried");
    let backup = backup.to_str().unwrap();
    assert_eq!(site.rolloutd(&["backup", backup]).status.code(), Some(0));
    assert!(site.stop().success());
    give(&top);
    follow(&format!("chown root '{0}' && chmod 755 '{0}'", top.display()));

    fs::remove_dir_all(&state).unwrap();
    let words = refused_start(&mut site);
    assert!(words.contains("install -d") && !words.contains("chown"), "{words}");
    let refused = by_somebody(&site, &["restore", backup]);
    let words = said(&refused);
    assert_eq!(refused.status.code(), Some(1), "{words}");
    assert!(!words.contains("chown"), "{words}");
    let made = told(&words, "install -d");
    assert_eq!(made, format!("install -d -m 0750 -o {SOMEBODY} {}", state.display()));
    follow(&made);
    let restored = by_somebody(&site, &["restore", backup]);
    assert_eq!(restored.status.code(), Some(0), "{}", said(&restored));

    fs::remove_dir_all(&state).unwrap();
    let restored = site.rolloutd(&["restore", backup]);
    assert_eq!(restored.status.code(), Some(0), "{}", said(&restored));
    let strays = Command::new("find").args([&state, &root]).args(["!", "-user", &SOMEBODY.to_string()]).output();
    assert_eq!(said(&strays.unwrap()), "");

    // Without state and trees nobody knows whose it is.
    fs::remove_dir_all(&state).unwrap();
    fs::rename(&root, site.path("away")).unwrap();
    let refused = site.rolloutd(&["restore", backup]);
    assert!(said(&refused).contains("install -d -m 0750 -o USER") && !state.exists(), "{}", said(&refused));
    fs::rename(site.path("away"), &root).unwrap();
    follow(&made);

    follow(&format!("chown -R 60001:60001 '{}'", root.display()));
    let refused = by_somebody(&site, &["restore", backup]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    let mend = told(&said(&refused), "chown ");
    assert_eq!(mend, format!("chown -R --from=60001 {SOMEBODY} {}", root.display()));
    follow(&mend);
    let restored = by_somebody(&site, &["restore", backup]);
    assert_eq!(restored.status.code(), Some(0), "{}", said(&restored));
    as_somebody(&mut site);
    site.up();
    wait_until_well(&mut site);
    assert_eq!(site.door.state("1").as_deref(), Some("Production"));
}
