//! Trees that are not as the logbook has them, settings that change what clients see, and old copies of
//! the state: each is put right or named, and nothing is published over it.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and breaks things as people do")]

use std::fs;

use rolloutd::format::repomd::Repomd;
use serde_json::Value;

use crate::fsck::{flip, fsck};
use crate::judge::{self, Source};
use crate::peers;
use crate::site::{Site, Wish, files_below, keys, package, recipe};
use crate::uploads::Mount;

/// What keeps the daemon from being ready, once its recovery is over.
pub(crate) fn reasons(site: &Site) -> Vec<String> {
    let Ok(answer) = site.door.get("/readyz") else { return vec!["no answer".to_owned()] };
    reasons_of(&answer.body)
}

/// The reasons in an answer.
pub(crate) fn reasons_of(answer: &[u8]) -> Vec<String> {
    let body: Value = serde_json::from_slice(answer).unwrap_or_default();
    let reasons = body["reasons"].as_array().cloned().unwrap_or_default();
    reasons.iter().filter_map(|reason| reason.as_str().map(str::to_owned)).collect()
}

#[track_caller]
pub(crate) fn wait_for_reason(site: &mut Site, part: &str) {
    site.wait(part, |site| reasons(site).iter().any(|reason| reason.contains(part)).then_some(()));
}

#[track_caller]
pub(crate) fn wait_until_well(site: &mut Site) {
    site.wait("no reasons", |site| reasons(site).is_empty().then_some(()));
}

/// Starts the daemon where something is wrong: it answers and is not ready.
pub(crate) fn up_with_trouble(site: &mut Site) {
    site.spawn();
    site.wait("the daemon's address", |site| {
        site.look_for_door();
        site.door.address().ok()
    });
}

pub(crate) fn packages(site: &Site, tree: &str) -> usize {
    judge::read(&Source::Disk(site.tree(tree))).ok().flatten().map_or(0, |published| published.packages.len())
}

/// A site with one package in production and one in testing.
pub(crate) fn settled() -> Site {
    let mut site = Site::start(&Wish::default());
    for (id, name, states) in [
        ("1", "first", &["InVerification", "StageRollOut", "Production"][..]),
        ("2", "second", &["InVerification", "StageRollOut"][..]),
    ] {
        let nevra = site.drop_package(name, "1.0", &[]);
        site.wait("the package to be taken in", |site| (packages(site, "untested") == 1).then_some(()));
        site.submit(id, &[&nevra]);
        for state in states {
            site.ctl_good(&["move", id, state]);
        }
    }
    site.wait("both to be where they belong", |site| {
        ((packages(site, "production"), packages(site, "testing")) == (1, 1)).then_some(())
    });
    site
}

pub(crate) fn reload(site: &Site) {
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(site.pid().cast_signed()).unwrap(),
        rustix::process::Signal::HUP,
    )
    .unwrap();
}

#[test]
fn metadata_that_was_removed_is_made_again_by_a_reload_and_by_a_start() {
    let mut site = settled();
    fs::remove_dir_all(site.tree("production").join("repodata")).unwrap();
    reload(&site);
    site.wait("production to list its package", |site| (packages(site, "production") == 1).then_some(()));
    assert!(site.stop().success());
    fs::remove_dir_all(site.tree("production").join("repodata")).unwrap();
    site.up();
    assert_eq!(packages(&site, "production"), 1);
    wait_until_well(&mut site);
    assert_eq!(alterations(&site, "repodata/repomd.xml is gone"), 2);
}

/// S3-37.
#[test]
fn what_something_else_has_changed_is_put_right_and_stands_in_the_logbook() {
    let mut site = settled();
    let tree = site.tree("production");
    // A package, whose bytes wait for their removal in the tree it came from.
    let lost = tree.join("Packages/f/first-1.0-1.noarch.rpm");
    fs::remove_file(&lost).unwrap();
    reload(&site);
    site.wait("the package to be put back", |_| lost.is_file().then_some(()));
    site.wait("an entry about it", |site| {
        (alterations(site, "first-1.0-1.noarch in production/umd/3/sl6/x86_64 is not") == 1).then_some(())
    });
    // Metadata, by somebody whose words cannot be told from ours but by their bytes.
    let repomd = tree.join("repodata/repomd.xml");
    let before = judge::read(&Source::Disk(tree.clone())).unwrap().unwrap().revision;
    let text = fs::read_to_string(&repomd).unwrap();
    let revision = |n: u64| format!("<revision>{n}</revision>");
    assert!(text.contains(&revision(before)), "{text}");
    let other = text.replace(&revision(before), &revision(before - 1));
    fs::write(&repomd, &other).unwrap();
    reload(&site);
    site.wait("an entry about it", |site| {
        (alterations(site, &format!("of revision {}, is not the one that was published", before - 1)) == 1)
            .then_some(())
    });
    site.wait("a newer revision", |_| {
        (judge::read(&Source::Disk(tree.clone())).ok()??.revision > before).then_some(())
    });
    wait_until_well(&mut site);
    // The same once more is another time.
    fs::write(&repomd, &other).unwrap();
    reload(&site);
    site.wait("another entry about it", |site| {
        (alterations(site, &format!("of revision {}, is not the one that was published", before - 1)) == 2)
            .then_some(())
    });
    wait_until_well(&mut site);
    // Nothing of it is told twice, and what the daemon did itself is nobody's.
    reload(&site);
    move_on(&mut site);
    assert_eq!(alterations(&site, "production/umd"), 3);
}

/// How many entries about what something else has changed say this.
fn alterations(site: &Site, part: &str) -> usize {
    site.ctl_good(&["log", "--kind", "tree.altered"]).lines().filter(|line| line.contains(part)).count()
}

fn move_on(site: &mut Site) {
    site.ctl_good(&["move", "2", "Production"]);
    site.wait("the second package to be in production", |site| (packages(site, "production") == 2).then_some(()));
}

#[test]
fn metadata_that_was_spoilt_in_place_is_made_again_by_a_reload() {
    let mut site = settled();
    let tree = site.tree("production");
    let repomd = Repomd::read(&fs::read(tree.join("repodata/repomd.xml")).unwrap()).unwrap();
    let primary = tree.join(&repomd.get("primary").unwrap().location);
    let good = fs::read(&primary).unwrap();
    flip(&primary, good.len() / 2, 3);
    reload(&site);
    site.wait("the bytes to be right", |_| (fs::read(&primary).ok()? == good).then_some(()));
    wait_until_well(&mut site);
    assert_eq!(packages(&site, "production"), 1);
}

#[test]
fn metadata_of_another_site_is_never_emptied_whether_it_can_be_read_or_not() {
    let mut site = Site::prepare(&Wish::default());
    let place = site.tree("production");
    let stray = stray(&site, "production");
    let repomd = place.join("repodata/repomd.xml");
    if !peers::have(&["createrepo_c"]) {
        return;
    }
    let out = std::process::Command::new("createrepo_c").arg(&place).output().unwrap();
    assert!(out.status.success());
    let readable = fs::read_to_string(&repomd).unwrap();
    let unreadable = readable.replace("<location href", "<location xml:base=\"http://elsewhere/\" href");
    for (text, says) in [(readable, "would empty it"), (unreadable, "cannot be read")] {
        fs::write(&repomd, &text).unwrap();
        up_with_trouble(&mut site);
        wait_for_reason(&mut site, says);
        assert_eq!(fs::read_to_string(&repomd).unwrap(), text);
        assert!(stray.exists());
        // S3-37: whoever answers for security can be told.
        let log = site.ctl_good(&["log", "--kind", "tree.altered"]);
        assert!(log.contains("production/umd/3/sl6/x86_64 was changed by something else"), "{log}");
        assert!(site.stop().success());
    }
}

#[test]
fn a_listed_package_that_is_gone_is_named_and_mended_by_uploading_it_again() {
    let mut site = settled();
    assert!(site.stop().success());
    let lost = site.tree("production").join("Packages/f/first-1.0-1.noarch.rpm");
    let bytes = fs::read(&lost).unwrap();
    fs::remove_file(&lost).unwrap();
    for entry in fs::read_dir(site.path("state/index")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    // What waits for its removal in the other trees is gone too.
    for tree in ["untested", "testing"] {
        let _ = fs::remove_file(site.tree(tree).join("Packages/f/first-1.0-1.noarch.rpm"));
    }
    up_with_trouble(&mut site);
    wait_for_reason(&mut site, "first-1.0-1.noarch");
    // The rest of the site works.
    site.drop_package("third", "1.0", &[]);
    site.wait("the third package to be taken in", |site| (packages(site, "untested") == 1).then_some(()));
    site.drop_file("batch/again.rpm", &bytes);
    site.wait("the package to be put back", |_| lost.is_file().then_some(()));
    wait_until_well(&mut site);
}

#[test]
fn an_old_copy_of_the_state_publishes_nothing_over_newer_trees() {
    let mut site = Site::start(&Wish::default());
    assert!(site.stop().success());
    let (state, old) = (site.path("state"), site.path("old"));
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        let out = std::process::Command::new("cp").arg("-a").arg(from).arg(to).output().unwrap();
        assert!(out.status.success());
    };
    copy(&state, &old);
    site.up();
    let nevra = site.drop_package("first", "1.0", &[]);
    site.wait("the package to be taken in", |site| (packages(site, "untested") == 1).then_some(()));
    site.submit("1", &[&nevra]);
    for to in ["InVerification", "StageRollOut", "Production"] {
        site.ctl_good(&["move", "1", to]);
    }
    site.wait("it to be in production", |site| (packages(site, "production") == 1).then_some(()));
    assert!(site.stop().success());
    let newest = site.path("newest");
    fs::rename(&state, &newest).unwrap();
    fs::rename(&old, &state).unwrap();
    let before = fs::read(site.tree("production").join("repodata/repomd.xml")).unwrap();
    up_with_trouble(&mut site);
    wait_for_reason(&mut site, "production/");
    assert_eq!(fs::read(site.tree("production").join("repodata/repomd.xml")).unwrap(), before);
    assert!(site.stop().success());
    // The newest state is the cure.
    fs::rename(&state, &old).unwrap();
    fs::rename(&newest, &state).unwrap();
    site.up();
    wait_until_well(&mut site);
    assert_eq!(packages(&site, "production"), 1);
}

#[test]
fn signing_and_compression_that_change_are_seen_by_clients_after_a_reload() {
    let mut site = settled();
    let testing = site.tree("testing");
    let key = format!("[signing]\nkey = \"{}\"\n", site.path("keys/signing.asc").display());
    let off = "[signing]\noff = true\n";
    site.configure(&key, off);
    site.configure("compression = \"gz\"", "compression = \"zst\"");
    reload(&site);
    site.wait("testing to be unsigned", |_| (!testing.join("repodata/repomd.xml.asc").exists()).then_some(()));
    let repo = |site: &Site| {
        let dir = fs::read_dir(site.tree("testing")).unwrap().map(|entry| entry.unwrap().path());
        let repo = dir.into_iter().find(|path| path.extension().is_some_and(|x| x == "repo")).unwrap();
        fs::read_to_string(repo).unwrap()
    };
    site.wait("the metadata to be zst", |_| {
        let text = fs::read_to_string(testing.join("repodata/repomd.xml")).ok()?;
        text.contains("primary.xml.zst").then_some(())
    });
    assert!(!repo(&site).contains("repo_gpgcheck=1"), "{}", repo(&site));
    site.configure(off, &key);
    reload(&site);
    site.wait("testing to be signed", |_| testing.join("repodata/repomd.xml.asc").exists().then_some(()));
    site.wait("the yum file to say so", |site| repo(site).contains("repo_gpgcheck=1").then_some(()));
    assert_eq!(packages(&site, "testing"), 1);
    wait_until_well(&mut site);
}

#[test]
fn another_checksum_is_in_every_package_after_a_restart() {
    let mut site = settled();
    assert!(site.stop().success());
    site.configure("checksum = \"sha256\"", "checksum = \"sha\"");
    site.up();
    site.wait("the metadata to have the other checksum", |site| {
        let text = fs::read_to_string(site.tree("production").join("repodata/repomd.xml")).ok()?;
        (text.contains("type=\"sha\"") && !text.contains("type=\"sha256\"")).then_some(())
    });
    assert_eq!(packages(&site, "production"), 1);
}

#[test]
fn metadata_that_is_named_again_stays_and_is_asked_about_once() {
    let mut site = Site::start(&Wish { grace_metadata: "2s", ..Wish::default() });
    site.drop_package("first", "1.0", &[]);
    site.wait("the package to be taken in", |site| (packages(site, "untested") == 1).then_some(()));
    let repodata = site.tree("untested").join("repodata");
    let old: Vec<_> = ["repomd.xml.asc", "repomd.xml"]
        .map(|name| (repodata.join(name), fs::read(repodata.join(name)).unwrap()))
        .into();
    site.drop_package("second", "1.0", &[]);
    site.wait("the second package to be taken in", |site| (packages(site, "untested") == 2).then_some(()));
    for (path, bytes) in &old {
        fs::write(path, bytes).unwrap();
    }
    site.wait("the removal to be given up", |site| site.ctl_good(&["log"]).contains(" stay").then_some(()));
    // A loop would write thousands of entries until the next package is there.
    site.drop_package("third", "1.0", &[]);
    site.wait("the third package to be taken in", |site| (packages(site, "untested") == 3).then_some(()));
    let log = site.ctl_good(&["log", "--limit", "1000"]);
    assert!(log.lines().count() < 30, "{log}");
}

/// A package that is signed as it should be and that no rollout has brought.
fn stray(site: &Site, tree: &str) -> std::path::PathBuf {
    let place = site.tree(tree).join("Packages/s/stray-1.0-1.noarch.rpm");
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(&place, package(&recipe("stray", "1.0", &[]), Some(&keys().ours.1))).unwrap();
    place
}

/// Asks for what cannot be done once a tree is held: it is refused before it is decided, and the answer says what is in the
/// way. An upload or a reload may have named the same before.
#[track_caller]
pub(crate) fn move_that_is_refused(site: &mut Site) {
    site.wait("a tree to be held", |site| reasons(site).iter().any(|reason| reason.starts_with("tree ")).then_some(()));
    let out = site.ctl(&["move", "2", "Production", "--json"]);
    assert_eq!(out.status.code(), Some(1), "it cannot have been carried out");
    let problem: Value = serde_json::from_slice(&out.stdout).unwrap();
    let codes: Vec<&str> = problem["findings"].as_array().unwrap().iter().filter_map(|f| f["code"].as_str()).collect();
    assert!(codes.contains(&"tree_held"), "{problem}");
    assert_eq!(site.door.state("2").as_deref(), Some("StageRollOut"), "nothing was decided");
}

/// Now that the tree is as it should be, the same is done.
#[track_caller]
fn move_that_was_refused(site: &mut Site) {
    wait_until_well(site);
    site.ctl_good(&["move", "2", "Production"]);
    site.wait("the move that was refused", |site| (packages(site, "production") == 2).then_some(()));
}

#[track_caller]
fn the_tree_is_held_and_the_others_go_on(site: &mut Site) {
    move_that_is_refused(site);
    site.drop_package("third", "1.0", &[]);
    site.wait("the third package to be taken in", |site| (packages(site, "untested") == 1).then_some(()));
}

/// Names of what a tree lists, by the judge, who checks everything.
fn names(site: &Site, tree: &str) -> Vec<String> {
    let published = judge::read(&Source::Disk(site.tree(tree))).unwrap_or_else(|e| panic!("{tree}: {e}"));
    published.map(|published| published.packages.into_keys().collect()).unwrap_or_default()
}

#[test]
fn a_package_that_was_put_into_a_published_tree_by_hand_is_never_listed_and_fsck_names_it() {
    let mut site = settled();
    stray(&site, "production");
    reload(&site);
    // A publication of that tree after it.
    site.ctl_good(&["move", "2", "Production"]);
    site.wait("the second package to be in production", |site| (packages(site, "production") == 2).then_some(()));
    assert!(site.stop().success());
    site.up();
    assert_eq!(names(&site, "production"), ["first-1.0-1.noarch", "second-1.0-1.noarch"]);
    let (findings, code) = fsck(&site, false);
    assert!(findings.iter().any(|(place, _)| place.contains("stray-1.0-1.noarch.rpm")), "{findings:?}");
    assert_ne!(code, Some(0));
    wait_until_well(&mut site);
}

#[test]
fn a_published_package_that_was_edited_in_place_is_named_and_mended_by_uploading_it_again() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut site = settled();
    let place = site.tree("production").join("Packages/f/first-1.0-1.noarch.rpm");
    let good = fs::read(&place).unwrap();
    let time = fs::metadata(&place).unwrap().modified().unwrap();
    let edit = |later: u64| {
        fs::set_permissions(&place, fs::Permissions::from_mode(0o644)).unwrap();
        let mut bent = good.clone();
        let last = bent.len() - 1;
        bent[last] ^= 1;
        fs::write(&place, bent).unwrap();
        let time = time + std::time::Duration::from_secs(later);
        fs::File::options().write(true).open(&place).unwrap().set_modified(time).unwrap();
    };
    // Whoever covers his traces is found out by those who read every byte.
    edit(0);
    let (findings, _) = fsck(&site, true);
    assert!(findings.iter().any(|(place, _)| place.contains("first-1.0-1.noarch")), "{findings:?}");
    // The time of a file is known by the second.
    edit(1);
    reload(&site);
    wait_for_reason(&mut site, "first-1.0-1.noarch");
    // Nothing is shown anew in that tree meanwhile, and the others go on.
    the_tree_is_held_and_the_others_go_on(&mut site);
    let repomd = fs::read_to_string(site.tree("production").join("repodata/repomd.xml")).unwrap();
    fs::remove_file(&place).unwrap();
    site.drop_file("batch/again.rpm", &good);
    site.wait("the package to be put back", |_| (fs::read(&place).ok()? == good).then_some(()));
    // The copies that wait for their removal were the same file and are named, too; nothing lists them any more.
    for tree in ["untested", "testing"] {
        fs::remove_file(site.tree(tree).join("Packages/f/first-1.0-1.noarch.rpm")).unwrap();
    }
    move_that_was_refused(&mut site);
    assert_ne!(repomd, fs::read_to_string(site.tree("production").join("repodata/repomd.xml")).unwrap());
    assert_eq!(names(&site, "production"), ["first-1.0-1.noarch", "second-1.0-1.noarch"]);
}

#[test]
fn what_createrepo_c_wrote_out_of_habit_is_held_and_never_taken_over() {
    if !peers::have(&["createrepo_c"]) {
        return;
    }
    let mut site = settled();
    let tree = site.tree("production");
    stray(&site, "production");
    let out = std::process::Command::new("createrepo_c").arg("--update").arg(&tree).output().unwrap();
    assert!(out.status.success());
    // Whether it is named or put right at once depends on whose clock was ahead.
    reload(&site);
    site.wait("it to be noticed", |site| {
        let named = reasons(site).iter().any(|reason| reason.contains("production/"));
        (named || packages(site, "production") == 1).then_some(())
    });
    let held = !reasons(&site).is_empty();
    if held {
        move_that_is_refused(&mut site);
        // What the reason and the README say.
        fs::rename(tree.join("Packages/s"), site.path("moved-away")).unwrap();
        let _ = fs::remove_file(tree.join("repodata/repomd.xml"));
        reload(&site);
        wait_until_well(&mut site);
    }
    site.ctl_good(&["move", "2", "Production"]);
    site.wait("the second package to be in production", |site| (packages(site, "production") == 2).then_some(()));
    wait_until_well(&mut site);
    assert_eq!(names(&site, "production"), ["first-1.0-1.noarch", "second-1.0-1.noarch"]);
}

#[test]
fn through_a_link_in_the_place_of_a_tree_nothing_is_written() {
    let mut site = settled();
    let (tree, elsewhere) = (site.tree("production"), site.path("elsewhere"));
    fs::rename(&tree, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &tree).unwrap();
    let before: Vec<_> = files_below(&elsewhere).into_iter().map(|file| (fs::read(&file).unwrap(), file)).collect();
    reload(&site);
    wait_for_reason(&mut site, "production/");
    move_that_is_refused(&mut site);
    // The rest of the site works.
    site.drop_package("third", "1.0", &[]);
    site.wait("the third package to be taken in", |site| (packages(site, "untested") == 1).then_some(()));
    // A start is refused with the reason.
    assert!(site.stop().success());
    site.spawn();
    let began = std::time::Instant::now();
    let status = loop {
        if let Some(status) = site.has_ended() {
            break status;
        }
        assert!(began.elapsed().as_secs() < 60, "it runs");
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    };
    assert!(!status.success() && site.log().contains("is a symbolic link"), "{}", site.log());
    let after: Vec<_> = files_below(&elsewhere).into_iter().map(|file| (fs::read(&file).unwrap(), file)).collect();
    assert!(before == after, "something was written through the link");
    fs::remove_file(&tree).unwrap();
    fs::rename(&elsewhere, &tree).unwrap();
    site.up();
    move_that_was_refused(&mut site);
    wait_until_well(&mut site);
}

#[test]
fn a_tree_that_is_not_mounted_is_named_and_not_made_anew_below_its_mount_point() {
    let mut site = settled();
    assert!(site.stop().success());
    let (tree, disk) = (site.path("root/production"), site.path("disk"));
    fs::rename(&tree, &disk).unwrap();
    fs::create_dir(&tree).unwrap();
    let Some(mount) = Mount::bind(&disk, &tree) else {
        assert!(std::env::var("ROLLOUTD_REQUIRE_PEERS").is_err(), "tests/run runs this as root");
        eprintln!("left out: mounting a file system needs root");
        return;
    };
    site.up();
    assert_eq!(packages(&site, "production"), 1);
    drop(mount);
    reload(&site);
    wait_for_reason(&mut site, "production/");
    the_tree_is_held_and_the_others_go_on(&mut site);
    // What a tracker wants meanwhile is heard and waits; it is judged again by itself.
    assert_eq!(site.door.hook(&Site::hook_body("held", "2", "Production")).unwrap().status, 202);
    assert_eq!(site.door.state("2").as_deref(), Some("StageRollOut"));
    let bare = |when: &str| {
        let found = files_below(&tree);
        let found: Vec<_> = found.iter().filter(|file| !file.ends_with("RPM-GPG-KEY-example")).collect();
        assert!(found.is_empty(), "{when}: {found:?}");
    };
    bare("it ran on");
    // Also a start without it.
    assert!(site.stop().success());
    up_with_trouble(&mut site);
    wait_for_reason(&mut site, "production/");
    bare("it was started");
    let _mount = Mount::bind(&disk, &tree).unwrap();
    reload(&site);
    site.wait("the move that a tracker asked for", |site| (packages(site, "production") == 2).then_some(()));
    wait_until_well(&mut site);
}

#[test]
fn an_old_copy_of_a_tree_is_named_and_not_shown_as_something_new() {
    let mut site = settled();
    let (tree, old) = (site.tree("production"), site.path("old"));
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        assert!(std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
    };
    copy(&tree, &old);
    site.ctl_good(&["move", "2", "Production"]);
    site.wait("the second package to be in production", |site| (packages(site, "production") == 2).then_some(()));
    let newest = judge::read(&Source::Disk(tree.clone())).unwrap().unwrap().revision;
    let second = fs::read(tree.join("Packages/s/second-1.0-1.noarch.rpm")).unwrap();
    // What waits for its removal in the other trees is not there to help.
    for other in ["untested", "testing"] {
        let _ = fs::remove_file(site.tree(other).join("Packages/s/second-1.0-1.noarch.rpm"));
    }
    fs::remove_dir_all(&tree).unwrap();
    fs::rename(&old, &tree).unwrap();
    reload(&site);
    wait_for_reason(&mut site, "second-1.0-1.noarch");
    site.drop_file("batch/again.rpm", &second);
    site.wait("both packages to be listed again", |site| (packages(site, "production") == 2).then_some(()));
    wait_until_well(&mut site);
    let shown = judge::read(&Source::Disk(tree)).unwrap().unwrap().revision;
    assert!(shown >= newest, "the revision went back from {newest} to {shown}");
}
