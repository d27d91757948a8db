//! What people who may upload, and nothing else, can do to what clients fetch; and what becomes of a site on which
//! they could do more.
//!
//! Another user needs root to be played. Where there is none, the tests say so.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and does what strangers do")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use rustix::fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with};

use crate::campaign::{self, Course, Ending};
use crate::disagreement::{packages, reasons, reload, up_with_trouble, wait_for_reason, wait_until_well};
use crate::judge::{self, Source};
use crate::peers;
use crate::site::{Site, Wish, files_below, keys, package, recipe, tell};

/// A user and a group that nobody has.
const STRANGER: u32 = 60002;

/// Another one of the same group.
const NEIGHBOUR: u32 = 60003;

/// Runs a line of shell as the stranger: whether it succeeded, and what it said.
fn stranger(line: &str) -> (bool, String) {
    as_user(STRANGER, line)
}

fn as_user(uid: u32, line: &str) -> (bool, String) {
    let out = Command::new("sh").args(["-c", line]).uid(uid).gid(STRANGER).output().unwrap();
    (out.status.success(), String::from_utf8_lossy(&out.stderr).into_owned())
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Lets the stranger's group into a directory, in the words of README.
fn let_in(dir: &Path) {
    chown(dir, None, Some(STRANGER)).unwrap();
    chmod(dir, 0o2775);
}

/// The command that a text names as the remedy: from `find` to its end.
pub(crate) fn remedy(text: &str) -> String {
    let from = text.find("find /").unwrap_or_else(|| panic!("no remedy in {text}"));
    let command = text[from..].lines().next().unwrap();
    command.split(';').next().unwrap().trim().to_owned()
}

/// The command by which README moves the trees of an older site over, with this site's places and user.
fn readme_says(site: &Site) -> String {
    let lines = include_str!("../../README.md").lines().map(str::trim);
    let command = lines.filter(|line| line.starts_with("find /srv/repo/sw -type d")).collect::<Vec<_>>();
    let [command] = command[..] else { panic!("README has {command:?}") };
    command.replace("/srv/repo/sw", &site.path("root").display().to_string()).replace("chown rolloutd", "chown 0")
}

#[track_caller]
pub(crate) fn follow(remedy: &str) {
    let done = Command::new("sh").args(["-c", remedy]).status().unwrap();
    assert!(done.success(), "{remedy}: {done}");
}

#[test]
fn whoever_may_upload_can_do_nothing_to_what_clients_fetch() {
    if !peers::root("another user") {
        return;
    }
    let mut site = Site::start(&Wish::default());
    let incoming = site.incoming();
    let_in(&incoming);
    let upload = site.path("tool.rpm");
    fs::write(&upload, package(&recipe("tool", "1.0", &[]), Some(&keys().ours.1))).unwrap();
    let (done, said) = stranger(&format!("umask 002; cp {} {}/tool.rpm", upload.display(), incoming.display()));
    assert!(done, "{said}");
    site.wait("the package to be taken in", |site| (packages(site, "untested") == 1).then_some(()));
    site.wait("the upload to be cleared", |_| (!incoming.join("tool.rpm").exists()).then_some(()));
    let tree = site.tree("untested");
    let file = tree.join("Packages/t/tool-1.0-1.noarch.rpm");
    for line in [
        format!("mv {0}/Packages {0}/old", tree.display()),
        format!("mkdir {}/Packages/p", tree.display()),
        format!("rm -f {} && test ! -e {}", file.display(), file.display()),
        format!("echo evil >> {}", file.display()),
        format!("echo evil > {}/repodata/repomd.xml", tree.display()),
        format!("echo evil > {}/UMD3_SL6_x86_64_Untested.repo", tree.display()),
        format!("ln -s /etc/passwd {}/passwd", tree.display()),
        format!("mv {} {}", site.path("root/untested").display(), site.path("root/elsewhere").display()),
    ] {
        assert!(!stranger(&line).0, "a stranger could: {line}");
    }
    // Not even for a moment: nothing that he can write lies below the root.
    let found =
        Command::new("find").arg(site.path("root")).args(["-perm", "/022", "!", "-type", "l"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    assert_eq!(reasons(&site), Vec::<String>::new());
}

/// One who may upload names pipes and texts like the reasons that stand beside refused files.
#[test]
fn no_upload_is_read_as_the_reason_of_a_refusal() {
    if !peers::root("another user") {
        return;
    }
    let mut site = Site::start(&Wish { intake: "rejected = { files = 60 }", ..Wish::default() });
    let incoming = site.incoming();
    let_in(&incoming);
    let at = incoming.display();
    let run = |uid, line: String| {
        let (done, said) = as_user(uid, &format!("umask 002; cd {at} && {line}"));
        assert!(done, "{line}: {said}");
    };
    run(NEIGHBOUR, "for n in 0 1 2 3 4 5 6 7 8 9; do echo junk $n > mine$n.rpm; done".to_owned());
    site.wait_for_rejected("not_rpm", 10);
    let long = "x".repeat(176);
    run(STRANGER, format!("mkfifo .cleared-by-rolloutd-fifo.why fifo.why fifo.rpm.why pipe.rpm {long}.whypipe.rpm"));
    let forged = "code: not_rpm\\nowner: 60003\\nsince: 2100-01-01T00:00:00Z\\ntimes: 7\\n";
    run(
        STRANGER,
        format!(
            "for n in $(seq 0 29); do
                printf '{forged}file: %s\\n' $n > .cleared-by-rolloutd-$n.why
                printf '{forged}file: %s\\n' $n > .cleared-by-rolloutd-$n-0
                printf '{forged}file: %s\\n' 1$n > forged$n.why
                printf '{forged}file: %s\\n' 2$n > forged$n.rpm
                printf '{forged}file: %s\\n' 3$n > {long}.why$n.rpm
            done"
        ),
    );
    site.wait("what is looked at to be refused", |_| {
        let mut names = fs::read_dir(&incoming).unwrap().map(|entry| entry.unwrap().path());
        (!names.any(|path| path.extension().is_some_and(|end| end == "rpm"))).then_some(())
    });
    for _ in 0..2 {
        site.wait("the bounds to be kept", |site| {
            let page = site.document("/api/v1/rejected?limit=1000");
            (page["total"].as_u64() <= Some(60)).then_some(())
        });
        let page = site.document("/api/v1/rejected?limit=1000");
        let files = page["files"].as_array().unwrap();
        let of = |uid: u32| files.iter().filter(|file| file["owner"].as_u64() == Some(uid.into())).count();
        assert_eq!((of(NEIGHBOUR), of(STRANGER)), (10, 50), "{page:#}");
        let from_the_future =
            |file: &&serde_json::Value| file["since"].as_str().is_none_or(|at| at.starts_with("2100"));
        assert_eq!(files.iter().filter(from_the_future).count(), 0, "{page:#}");
        for why in files_below(&site.path("state/rejected")) {
            let meta = fs::symlink_metadata(&why).unwrap();
            assert!(meta.is_file() && meta.uid() == 0, "{} is somebody else's", why.display());
        }
        // What has another ending is no upload.
        assert!(incoming.join(".cleared-by-rolloutd-fifo.why").exists());
        // It goes on, and starts again.
        let nevra = site.drop_package(&format!("tool{}", site.starts), "1.0", &[]);
        site.wait("a package to be taken in", |site| {
            site.tree("untested").join(format!("Packages/t/{nevra}.rpm")).is_file().then_some(())
        });
        assert!(site.stop().success());
        site.up();
        wait_until_well(&mut site);
    }
    // The same in a directory of before, into which such files were moved as they were.
    assert!(site.stop().success());
    let place = site.path("state/rejected/umd_3_sl6_x86__64");
    let pipe = place.join("inode1-.cleared-by-rolloutd-fifo.why");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let forged = place.join("inode2-.cleared-by-rolloutd-2.why");
    fs::write(&forged, "owner: 60003\nsince: 2100-01-01T00:00:00Z\n").unwrap();
    for path in [&pipe, &forged] {
        chown(path, Some(STRANGER), None).unwrap();
    }
    site.up();
    wait_until_well(&mut site);
    assert_eq!(site.document("/api/v1/rejected?limit=1000")["total"].as_u64(), Some(60));
    for path in [&pipe, &forged] {
        let named = site.log().matches(path.to_str().unwrap()).count();
        assert_eq!(named, 1, "{}: {}", path.display(), site.log());
    }
}

/// A site as it was set up before there was a drop directory, on which the uploader did what he could.
#[test]
fn a_site_whose_uploaders_could_write_into_the_trees_is_moved_over_by_the_words_of_readme() {
    if !peers::root("another user") {
        return;
    }
    let mut site = Site::start(&Wish::default());
    let nevra = site.drop_package("tool", "1.0", &[]);
    site.drop_package("waits", "1.0", &[]);
    site.wait("the packages to be taken in", |site| (packages(site, "untested") == 2).then_some(()));
    let untested = site.tree("untested");
    // The directory of uploads was the tree, and his group's. He exchanged the directory of packages for one of
    // his own, with a file that he still has open.
    let_in(&untested);
    let accepted = fs::read(untested.join("Packages/t/tool-1.0-1.noarch.rpm")).unwrap();
    let (done, said) = stranger(&format!(
        "umask 0; cd {} && mv Packages old && cp -rp old Packages && chmod -R a+rwX Packages && rm -rf old",
        untested.display()
    ));
    // Files of ours below a directory of ours stay; the rest is his.
    assert!(done || said.contains("Permission denied"), "{said}");
    let his = untested.join("Packages/t/tool-1.0-1.noarch.rpm");
    assert_eq!((fs::metadata(&his).unwrap().uid(), fs::read(&his).unwrap()), (STRANGER, accepted.clone()));
    let mut kept_open = File::options().append(true).open(&his).unwrap();
    // While it runs nothing moves, and it says why and what to do.
    site.submit("1", &[&nevra]);
    site.ctl_good(&["move", "1", "InVerification"]);
    let _ = site.ctl(&["move", "1", "StageRollOut"]);
    site.wait("the reason", |site| {
        reasons(site).iter().find(|reason| reason.contains("can be changed by others")).cloned()
    });
    assert_eq!(packages(&site, "testing"), 0);
    // Nor does it start again, and `check` says the same.
    assert!(site.stop().success());
    let (said, code) = site.check();
    assert!(
        code != Some(0) && said.contains("can be changed by others") && said.contains("people upload to"),
        "{said}"
    );
    follow(&readme_says(&site));
    let (said, code) = site.check();
    assert_eq!(code, Some(0), "{said}");
    site.up();
    wait_until_well(&mut site);
    let _ = site.ctl(&["move", "1", "StageRollOut"]);
    site.wait("the package to be moved", |site| (packages(site, "testing") == 1).then_some(()));
    kept_open.write_all(b"evil").unwrap();
    for tree in ["untested", "testing"] {
        let file = site.tree(tree).join("Packages/t/tool-1.0-1.noarch.rpm");
        let meta = fs::symlink_metadata(&file).unwrap();
        assert_eq!((meta.uid(), meta.mode() & 0o7777), (0, 0o444), "{tree}");
        assert_eq!(fs::read(&file).unwrap(), accepted, "{tree}");
    }
    let waits = fs::symlink_metadata(untested.join("Packages/w/waits-1.0-1.noarch.rpm")).unwrap();
    assert_eq!((waits.uid(), waits.mode() & 0o7777), (0, 0o444), "what stays is nobody else's either");
}

#[test]
fn a_tree_that_is_opened_to_others_while_the_daemon_runs_is_held_until_it_is_put_right() {
    let mut site = Site::start(&Wish::default());
    let nevra = site.drop_package("tool", "1.0", &[]);
    site.wait("the package to be taken in", |site| (packages(site, "untested") == 1).then_some(()));
    site.submit("1", &[&nevra]);
    site.ctl_good(&["move", "1", "InVerification"]);
    for below in ["root/testing", "root", "root/testing/umd/3/sl6/x86_64/repodata"] {
        chmod(&site.path(below), 0o777);
        reload(&site);
        wait_for_reason(&mut site, "can be changed by others");
        let said = reasons(&site).join("\n");
        follow(&remedy(&said));
        reload(&site);
        wait_until_well(&mut site);
    }
    site.ctl_good(&["move", "1", "StageRollOut"]);
    site.wait("the package to be moved", |site| (packages(site, "testing") == 1).then_some(()));
    // At the start, too.
    chmod(&site.tree("production"), 0o775);
    assert!(site.stop().success());
    let (said, code) = site.check();
    assert_ne!(code, Some(0), "{said}");
    follow(&remedy(&said));
    up_with_trouble(&mut site);
    wait_until_well(&mut site);
}

/// Somebody takes a lease on his upload, so that nobody can open it without waiting for him.
#[test]
fn a_lease_on_one_file_holds_up_nothing_else() {
    if !peers::root("another user") {
        return;
    }
    let mut site = Site::start(&Wish::default());
    let_in(&site.incoming());
    let leased = site.incoming().join("0leased.rpm");
    let script = "import fcntl, os, signal, sys, time\n\
        signal.signal(signal.SIGIO, signal.SIG_IGN)\n\
        fd = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)\n\
        os.write(fd, b'leased')\n\
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)\n\
        print('leased', flush=True)\n\
        time.sleep(600)\n";
    let mut holder = Command::new("python3");
    holder.args(["-I", "-c", script]).arg(&leased).uid(STRANGER).gid(STRANGER).stdout(std::process::Stdio::piped());
    let mut holder = holder.spawn().unwrap();
    let mut said = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(holder.stdout.take().unwrap()), &mut said).unwrap();
    assert_eq!(said, "leased\n");
    for n in 1..=3 {
        site.drop_package(&format!("good{n}"), "1.0", &[]);
        site.wait("the package of somebody else", |site| (packages(site, "untested") == n).then_some(()));
        assert_eq!(reasons(&site), Vec::<String>::new(), "nobody else is concerned");
    }
    let waits = site.ctl(&["uploads", "--json"]).stdout;
    assert!(String::from_utf8_lossy(&waits).contains("0leased.rpm"));
    holder.kill().unwrap();
    holder.wait().unwrap();
}

/// Exchanges names in the trees that packages leave, as root alone can, while they move: whatever lies there at the
/// moment at which the daemon looks, links or waits, only accepted bytes arrive, in inodes that nobody else has open.
#[test]
fn whatever_takes_the_place_of_a_package_while_it_moves_only_accepted_bytes_arrive() {
    if !peers::root("another user") {
        return;
    }
    let moves = campaign::count("ROLLOUTD_RACES").unwrap_or(if campaign::is_long() { 10_000 } else { 60 });
    let seed = campaign::seed();
    tell(&format!("races: ROLLOUTD_SEED={seed} ROLLOUTD_RACES={moves}"));
    let mut site = Site::start(&Wish { grace_packages: "1s", grace_metadata: "1s", ..Wish::default() });
    let (mut done, mut round, mut exchanged) = (0, 0, 0);
    while done < moves {
        // Each package moves twice.
        let number = ((moves - done) / 2).clamp(1, if moves > 1000 { 250 } else { 30 });
        round += 1;
        exchanged += race(&mut site, round, number, seed);
        done += 2 * number;
    }
    tell(&format!("races: {done} moves of packages beside {exchanged} exchanges of names, 0 foreign bytes"));
    assert!(exchanged > 0, "nothing was exchanged");
}

/// What stands in for a package for a moment.
const TRICKS: usize = 4;

/// One round: so many packages go to production while their names are exchanged. Gives how often.
fn race(site: &mut Site, round: usize, number: usize, seed: u64) -> usize {
    let aside = site.path(&format!("root/aside{round}"));
    fs::create_dir(&aside).unwrap();
    let mut accepted = BTreeMap::new();
    for n in 0..number {
        let name = format!("r{round}x{n}");
        let nevra = site.drop_package(&name, "1.0", &[]);
        accepted.insert(name, nevra);
    }
    site.wait("the packages to be taken in", |site| (packages(site, "untested") == number).then_some(()));
    let file = |site: &Site, tree: &str, nevra: &str| site.tree(tree).join(format!("Packages/r/{nevra}.rpm"));
    let bytes: BTreeMap<&String, Vec<u8>> =
        accepted.values().map(|nevra| (nevra, fs::read(file(site, "untested", nevra)).unwrap())).collect();
    let evil = aside.join("evil");
    fs::write(&evil, b"evil").unwrap();
    let mut kept_open = Vec::new();
    let mut tricks: Vec<(PathBuf, [PathBuf; 2])> = Vec::new();
    for (n, nevra) in accepted.values().enumerate() {
        let trick = aside.join(n.to_string());
        match (n + round) % TRICKS {
            // The very bytes, in a file that somebody has open.
            0 => {
                fs::write(&trick, &bytes[nevra]).unwrap();
                chmod(&trick, 0o666);
                chown(&trick, Some(STRANGER), None).unwrap();
                kept_open.push(File::options().append(true).open(&trick).unwrap());
            }
            1 => fs::write(&trick, b"other bytes").unwrap(),
            2 => symlink(&evil, &trick).unwrap(),
            _ => mknodat(CWD, &trick, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap(),
        }
        tricks.push((trick, ["untested", "testing"].map(|tree| file(site, tree, nevra))));
    }
    let nevras: Vec<&str> = accepted.values().map(String::as_str).collect();
    let id = format!("round{round}");
    site.submit(&id, &nevras);
    site.ctl_good(&["move", &id, "InVerification"]);
    let course = Course::default();
    let exchanged = thread::scope(|scope| {
        let _ending = Ending(&course);
        let exchanging = scope.spawn(|| {
            let (mut random, mut count) = (crate::random::Random(seed ^ round as u64), 0);
            while course.goes_on() {
                let (trick, places) = &tricks[random.place(tricks.len())];
                let place = &places[random.place(places.len())];
                let exchange = || renameat_with(CWD, trick, CWD, place, RenameFlags::EXCHANGE).is_ok();
                if exchange() {
                    random.pause(0, 3);
                    // Back again, unless the daemon has put something else there since.
                    exchange();
                    count += 1;
                }
                random.pause(0, 2);
            }
            count
        });
        for state in ["StageRollOut", "Production"] {
            site.wait("the move to be taken", |site| {
                let moved =
                    site.door.post(&format!("/api/v1/rollouts/{id}/move"), &serde_json::json!({"state": state}));
                moved.is_ok_and(|answer| answer.status < 300).then_some(())
            });
            let began = std::time::Instant::now();
            while !site.door.rests(&id) {
                // One that always finds a trick waits for the end of the race.
                if began.elapsed() > Duration::from_secs(5) {
                    course.end();
                }
                thread::park_timeout(Duration::from_millis(20));
                assert!(began.elapsed() < Duration::from_mins(2), "{id} hangs: {:?}", reasons(site));
            }
        }
        course.end();
        exchanging.join().unwrap()
    });
    for mut open in kept_open {
        open.write_all(b"evil").unwrap();
    }
    let shown = judge::read(&Source::Disk(site.tree("production"))).unwrap().unwrap();
    for nevra in accepted.values() {
        assert!(shown.packages.contains_key(nevra), "{nevra} is not in production");
        let place = file(site, "production", nevra);
        let meta = fs::symlink_metadata(&place).unwrap();
        assert!(meta.is_file() && meta.uid() == 0 && meta.mode() & 0o7777 == 0o444, "{}", place.display());
        let (now, then) = (fs::read(&place).unwrap(), &bytes[nevra]);
        assert_eq!(digest(&SHA256, &now).as_ref(), digest(&SHA256, then).as_ref(), "{}", place.display());
    }
    fs::remove_dir_all(&aside).unwrap();
    exchanged
}
