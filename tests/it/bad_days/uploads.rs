//! Rows 9, 10, 20, 21, 22: people who upload, and what others do around their files.
//!
//! The daemon runs as a user of its own here, as on real sites: root may do everything, and would see none of it.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and uploads as people do")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::disagreement::{packages, reasons, reload, wait_for_reason, wait_until_well};
use crate::peers;
use crate::site::{DISTRIBUTION, Site, Wish, keys, package, recipe};
use crate::uploads::Mount;

/// Users and a group that nobody has.
const DAEMON: u32 = 60_001;
pub(crate) const UPLOADER: u32 = 60_002;
pub(crate) const PACKAGERS: u32 = 60_003;

/// A site whose daemon has a user of its own; the uploader's group was let in by README's words.
pub(crate) fn site_of_two(wish: &Wish) -> Site {
    let mut site = Site::prepare(wish);
    let everything = site.path("");
    let chown_all = Command::new("chown").arg("-R").arg(format!("{DAEMON}:{DAEMON}")).arg(&everything).status();
    assert!(chown_all.unwrap().success());
    chown(site.incoming(), None, Some(PACKAGERS)).unwrap();
    fs::set_permissions(site.incoming(), fs::Permissions::from_mode(0o2775)).unwrap();
    let user = format!("--reuid={DAEMON}");
    let group = format!("--regid={DAEMON}");
    let groups = format!("--groups={DAEMON},{PACKAGERS}");
    site.under = ["setpriv", &user, &group, &groups].map(str::to_owned).to_vec();
    site.up();
    site
}

/// A line of shell, as the uploader, in the directory of uploads.
#[track_caller]
fn uploader(site: &Site, line: &str) {
    let out = Command::new("sh")
        .args(["-c", line])
        .current_dir(site.incoming())
        .uid(UPLOADER)
        .gid(PACKAGERS)
        .output()
        .unwrap();
    assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
}

/// A signed package, where the uploader can read it.
fn make(site: &Site, name: &str, version: &str, summary: &str) -> String {
    let mut made = recipe(name, version, &[]);
    summary.clone_into(&mut made.summary);
    let place = site.path(&format!("{name}-{version}-{}.made", summary.len()));
    fs::write(&place, package(&made, Some(&keys().ours.1))).unwrap();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o644)).unwrap();
    place.display().to_string()
}

/// What `rolloutctl uploads` tells of each path: kind and remedy.
fn waiting(site: &Site) -> Vec<(String, String, String)> {
    let all = site.document("/api/v1/uploads");
    let files =
        all.as_array().into_iter().flatten().flat_map(|one| one["files"].as_array().cloned().unwrap_or_default());
    let text = |file: &Value, key: &str| file[key].as_str().unwrap().to_owned();
    files.map(|file| (text(&file, "path"), text(&file, "kind"), text(&file, "remedy"))).collect()
}

#[track_caller]
fn wait_for(site: &mut Site, path: &str, kind: &str) -> String {
    site.wait(&format!("{path} to be named as {kind}"), |site| {
        waiting(site).into_iter().find(|(p, k, _)| p == path && k == kind).map(|(.., remedy)| remedy)
    })
}

/// The first command in brackets, with the names that belong into it.
fn command(remedy: &str, dir: &str, file: &str) -> String {
    let from = remedy.find("(chmod").unwrap_or_else(|| panic!("no command in {remedy:?}")) + 1;
    let end = remedy[from..].find(')').unwrap() + from;
    remedy[from..end].replace(", ", " && ").replace("DIRECTORY", dir).replace("FILE", file)
}

/// Monitoring says this word, with this exit code, and readiness has nothing to say.
#[track_caller]
fn monitoring(site: &mut Site, word: &str, code: i32) {
    site.wait(&format!("monitoring to say {word}"), |site| {
        let out = site.ctl(&["check"]);
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        (out.status.code() == Some(code) && said.starts_with(&format!("ROLLOUTD {word}"))).then_some(())
    });
    assert_eq!(reasons(site), Vec::<String>::new());
}

/// Row 20.
#[test]
fn whatever_an_uploader_does_to_permissions_is_told_to_him_and_monitoring_stays_calm() {
    if !peers::root("another user") {
        return;
    }
    let mut site = site_of_two(&Wish::default());
    let mut make = |name: &str| make(&site, name, "1.0", name);
    let [group, readable, closed, private, sticky, last] =
        ["group", "readable", "closed", "private", "sticky", "last"].map(&mut make);
    monitoring(&mut site, "OK", 0);
    // As it should be: the group may write.
    uploader(&site, &format!("umask 002; mkdir good && cp {group} good/group.rpm"));
    site.wait("the first package", |site| (packages(site, "untested") == 1).then_some(()));
    monitoring(&mut site, "OK", 0);
    // A directory of umask 022: the package is taken in, and its upload cannot be removed.
    uploader(&site, &format!("umask 022; mkdir mine && cp {readable} mine/readable.rpm"));
    let remedy = wait_for(&mut site, "mine/readable.rpm", "stuck");
    site.wait("the second package", |site| (packages(site, "untested") == 2).then_some(()));
    monitoring(&mut site, "WARNING", 1);
    let words = site.ctl(&["uploads"]);
    assert_eq!(words.status.code(), Some(1));
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(words.contains("mine/readable.rpm") && words.contains(&remedy), "{words}");
    uploader(&site, &command(&remedy, "mine", "mine/readable.rpm"));
    monitoring(&mut site, "OK", 0);
    site.wait("the upload to be cleared", |site| (!site.incoming().join("mine/readable.rpm").exists()).then_some(()));
    // A directory of umask 077, with a file that nobody else can read.
    uploader(&site, &format!("umask 077; mkdir closed && cp {closed} closed/closed.rpm"));
    let remedy = wait_for(&mut site, "closed", "closed");
    monitoring(&mut site, "WARNING", 1);
    uploader(&site, &command(&remedy, "closed", ""));
    let remedy = wait_for(&mut site, "closed/closed.rpm", "stuck");
    uploader(&site, &command(&remedy, "closed", "closed/closed.rpm"));
    site.wait("the third package", |site| (packages(site, "untested") == 3).then_some(()));
    // A file alone.
    uploader(&site, &format!("umask 077; cp {private} private.rpm"));
    let remedy = wait_for(&mut site, "private.rpm", "stuck");
    assert!(remedy.contains("chmod 644 FILE"), "{remedy}");
    uploader(&site, "chmod 644 private.rpm");
    site.wait("the fourth package", |site| (packages(site, "untested") == 4).then_some(()));
    // A sticky directory: only the owner may remove.
    uploader(&site, &format!("umask 0; mkdir sticky && chmod 1777 sticky && cp {sticky} sticky/sticky.rpm"));
    let remedy = wait_for(&mut site, "sticky/sticky.rpm", "stuck");
    uploader(&site, &command(&remedy, "sticky", "sticky/sticky.rpm"));
    // scp -r and rsync -a keep what the files have at home.
    uploader(&site, &format!("umask 002; mkdir -p tree/el6/x86_64 && cp -p {last} tree/el6/x86_64/last.rpm"));
    site.wait("all packages", |site| (packages(site, "untested") == 6).then_some(()));
    monitoring(&mut site, "OK", 0);
    assert_eq!(site.rejected().len(), 0);
}

/// Row 21.
#[test]
fn what_is_no_package_is_named_where_its_owner_looks() {
    if !peers::root("another user") {
        return;
    }
    let mut site = site_of_two(&Wish { incomplete_after: "1s", ..Wish::default() });
    let good = make(&site, "good", "1.0", "good");
    let deep = (0..20).map(|n| format!("d{n}")).collect::<Vec<_>>().join("/");
    uploader(
        &site,
        &format!(
            "umask 002; mkdir -p x.rpm {deep}; cp {good} SHOUTED.RPM; cp {good} archive.zip; cp {good} {deep}/deep.rpm; \
             mkdir repodata .later; cp {good} .good.rpm.a1B2c3; cp {good} .later/later.rpm; echo > repodata/primary.xml; \
             head -c 2000 {good} > half.rpm; ln -s /etc/passwd link.rpm; truncate -s 20G huge.rpm"
        ),
    );
    for (path, kind, remedy) in [
        ("SHOUTED.RPM", "suffix", "rename it to end in .rpm"),
        ("archive.zip", "suffix", "rename it to end in .rpm"),
        ("x.rpm", "folder", "upload the package itself"),
        ("repodata/primary.xml", "suffix", "otherwise remove it"),
        (".good.rpm.a1B2c3", "hidden", "rename it without the dot"),
        (".later", "hidden", "rename it without the dot"),
    ] {
        let told = wait_for(&mut site, path, kind);
        assert!(told.contains(remedy), "{path}: {told}");
    }
    let too_deep = deep.split('/').take(17).collect::<Vec<_>>().join("/");
    assert!(wait_for(&mut site, &too_deep, "deep").contains("further up"));
    // The others are refused, each with its word.
    for (code, name) in [("truncated", "half.rpm"), ("not_regular", "link.rpm"), ("too_large", "huge.rpm")] {
        let file = site.wait(&format!("{name} to be refused as {code}"), |site| {
            let page = site.document("/api/v1/rejected");
            let files = page["files"].as_array().cloned().unwrap_or_default();
            files.into_iter().find(|file| file["file"] == name && file["code"] == code)
        });
        assert!(file["remedy"].as_str().is_some_and(|remedy| remedy.len() > 20), "{file}");
        assert_eq!(file["owner"], UPLOADER, "{file}");
    }
    let words = site.ctl_good(&["rejected"]);
    assert!(words.contains("half.rpm") && words.contains("to fix:  ") && words.contains("3 files kept"), "{words}");
    // None of that is a matter for whoever is on call.
    monitoring(&mut site, "OK", 0);
    assert_eq!(packages(&site, "untested"), 0);
    let figures = site.door.get("/metrics").unwrap().text();
    assert!(figures.contains("kind=\"suffix\"} 3"), "{figures}");
    // The remedies mend it.
    uploader(
        &site,
        &format!(
            "mv SHOUTED.RPM shouted.rpm; mv .good.rpm.a1B2c3 good.rpm; mv .later later; \
         rm -r archive.zip x.rpm d0 repodata; cp {good} half.rpm"
        ),
    );
    site.wait("the package", |site| (packages(site, "untested") == 1).then_some(()));
    site.wait("nothing to wait", |site| waiting(site).is_empty().then_some(()));
    assert!(site.ctl_good(&["uploads"]).starts_with("Nothing is waiting"));
    // What was refused can be removed by an admin, one by one and all.
    let page = site.document("/api/v1/rejected");
    let name = page["files"][0]["name"].as_str().unwrap();
    assert!(site.ctl_good(&["rejected", "drop", name]).starts_with("1 file removed"));
    assert_eq!(site.ctl(&["rejected", "drop", name]).status.code(), Some(1), "it is gone");
    assert!(site.ctl_good(&["rejected", "drop", "--older-than", "7d"]).starts_with("0 files removed"));
    assert!(site.ctl_good(&["rejected", "drop", "--all"]).starts_with("2 files removed"));
    assert_eq!(site.ctl_good(&["rejected"]), "No refused files are kept.\n");
    assert_eq!(
        fs::read_dir(site.path("state/rejected").join(DISTRIBUTION.replace('/', "-"))).map_or(0, Iterator::count),
        0
    );
}

/// Row 22.
#[test]
fn the_same_file_counts_once_and_the_same_name_with_other_bytes_is_refused_with_both_digests() {
    if !peers::root("another user") {
        return;
    }
    let mut site = site_of_two(&Wish::default());
    let (first, again) = (make(&site, "tool", "1.0", "first"), make(&site, "tool", "1.0", "built again"));
    uploader(&site, &format!("umask 002; for n in 0 1 2 3 4 5 6 7 8 9; do cp {first} $n.rpm; done"));
    let left = |site: &Site| fs::read_dir(site.incoming()).unwrap().flatten().map(|entry| entry.file_name());
    let empty = |site: &Site| left(site).all(|name| name == "REFUSED.txt").then_some(());
    site.wait("all ten to be settled", empty);
    site.wait("it to be listed", |site| (packages(site, "untested") == 1).then_some(()));
    assert_eq!(site.rejected().len(), 0);
    let log = site.document("/api/v1/log?from=1&limit=1000").to_string();
    assert_eq!(log.matches("\"package.accepted\"").count(), 1);
    for round in 1..=3 {
        uploader(&site, &format!("umask 002; cp {again} again{round}.rpm"));
        site.wait("it to be settled", empty);
    }
    let page = site.document("/api/v1/rejected");
    let [file] = page["files"].as_array().unwrap().as_slice() else { panic!("{page}") };
    assert_eq!((file["code"].as_str(), file["times"].as_u64()), (Some("duplicate_nevra"), Some(3)));
    let found = file["found"].as_str().unwrap();
    for path in [&first, &again] {
        let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &fs::read(path).unwrap());
        assert!(found.contains(&hex::encode(sum)), "{found}");
    }
    assert_eq!(file["remedy"], "Raise the release and rebuild.");
    // Told once.
    let log = site.document("/api/v1/log?from=1&limit=1000").to_string();
    assert_eq!(log.matches("\"package.refused\"").count(), 1, "{log}");
    monitoring(&mut site, "OK", 0);
}

/// Row 9: the disk of the state is full, and has room again.
#[test]
fn a_full_disk_is_told_at_once_and_everything_goes_on_by_itself() {
    let mut site = Site::prepare(&Wish::default());
    let state = site.path("state");
    let Some(_state) = Mount::tmpfs(&state, "24m") else {
        assert!(std::env::var("ROLLOUTD_REQUIRE_PEERS").is_err(), "tests/run runs this as root");
        eprintln!("left out: mounting a file system needs root");
        return;
    };
    site.up();
    site.drop_package("before", "1.0", &[]);
    site.wait("the first package", |site| (packages(site, "untested") == 1).then_some(()));
    let filling = state.join("filling");
    let mut file = fs::File::create(&filling).unwrap();
    let full = std::io::copy(&mut std::io::repeat(b'x'), &mut file);
    assert!(full.is_err());
    drop(file);
    let shown = fs::read(site.tree("production").join("repodata/repomd.xml")).unwrap();
    site.drop_package("meanwhile", "1.0", &[]);
    wait_for_reason(&mut site, "No space left");
    let out = site.ctl(&["check"]);
    assert_eq!(out.status.code(), Some(2), "{out:?}");
    assert_eq!(fs::read(site.tree("production").join("repodata/repomd.xml")).unwrap(), shown);
    fs::remove_file(&filling).unwrap();
    site.wait("the second package", |site| (packages(site, "untested") == 2).then_some(()));
    wait_until_well(&mut site);
}

/// Row 10.
#[test]
fn what_backups_and_admins_do_to_files_without_changing_them_alarms_nobody() {
    if !peers::root("another user") {
        return;
    }
    let mut site = site_of_two(&Wish::default());
    let tool = make(&site, "tool", "1.0", "tool");
    uploader(&site, &format!("umask 002; cp {tool} tool.rpm"));
    site.wait("the package", |site| (packages(site, "untested") == 1).then_some(()));
    site.submit("r", &["tool-1.0-1.noarch"]);
    for state in ["InVerification", "StageRollOut", "Production"] {
        site.ctl_good(&["move", "r", state]);
        site.wait("the package to come to rest", |site| site.door.rests("r").then_some(()));
    }
    monitoring(&mut site, "OK", 0);
    let root = site.path("root");
    let shell = |line: &str| {
        let done = Command::new("sh").args(["-c", line]).current_dir(&root).status().unwrap();
        assert!(done.success(), "{line}");
    };
    let compared = |site: &mut Site| {
        // Whoever reloads has all trees compared; what comes after it in the log is of the time after it.
        let before = site.log().matches("reloaded settings and keys").count();
        reload(site);
        site.wait("the reload", |site| {
            (site.log().matches("reloaded settings and keys").count() > before).then_some(())
        });
        uploader(site, &format!("umask 002; cp {tool} again.rpm"));
        site.wait("a look", |site| (!site.incoming().join("again.rpm").exists()).then_some(()));
    };
    // rsnapshot (links), restic (reads), restores (times), an admin who tightens permissions.
    for line in [
        "cp -al . ../backup",
        "find . -type f -exec cat {} + > /dev/null && find . -exec touch -a {} +",
        "find . -type f | while read f; do touch -r \"$f\" \"$f\"; done",
        "chmod -R g-w .",
    ] {
        shell(line);
        compared(&mut site);
        assert_eq!(reasons(&site), Vec::<String>::new(), "{line}");
        monitoring(&mut site, "OK", 0);
    }
    assert_eq!(packages(&site, "production"), 1);
    // A rule is broken: others may write.
    let dir = root.join("production").join(DISTRIBUTION);
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
    reload(&site);
    wait_for_reason(&mut site, &dir.display().to_string());
    shell(&format!("find {} -type d -exec chmod go-w {{}} +", dir.display()));
    reload(&site);
    wait_until_well(&mut site);
    assert!(Path::new(&dir).join("repodata/repomd.xml").is_file());
}
