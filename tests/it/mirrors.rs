//! Mirrors that copy a tree as README says, while it is published again and again within seconds.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use rolloutd::domain::checksum::ChecksumKind;
use rolloutd::format::compress::Compression;
use rolloutd::format::repomd::Repomd;
use rolloutd::store::blocks::{Form, Members};
use rolloutd::store::disk::Kernel;
use rolloutd::store::folder::{Folder, Terms};

use crate::campaign::{Course, Ending};
use crate::peers;
use crate::site::{keys, package, recipe, tell};

const MIRRORS: usize = 30;

/// The commands of README, for three directories.
fn recipe_of_readme(source: &Path, stage: &Path, mirror: &Path) -> String {
    let readme = include_str!("../../README.md");
    let lines: Vec<&str> = readme.lines().map(str::trim).filter(|line| line.starts_with("rsync -a ")).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    let of = |dir: &Path| dir.display().to_string();
    lines.join(" && ").replace("SOURCE", &of(source)).replace("STAGE", &of(stage)).replace("MIRROR", &of(mirror))
}

#[test]
fn a_mirror_that_copies_as_readme_says_never_stays_behind() {
    if !peers::have(&["rsync"]) {
        return;
    }
    let publications: usize = std::env::var("ROLLOUTD_PUBLICATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let source = at("source");
    fs::create_dir(&source).unwrap();
    // One or the other is there, and the metadata has the same size with both.
    let names = ["aaaa", "bbbb"];
    for name in names {
        fs::write(at(name), package(&recipe(name, "1.0", &[]), Some(&keys().ours.1))).unwrap();
    }
    let mirrors: Vec<_> = (0..MIRRORS).map(|n| (at(&format!("stage{n}")), at(&format!("mirror{n}")))).collect();
    for (stage, mirror) in &mirrors {
        fs::create_dir(stage).unwrap();
        fs::create_dir(mirror).unwrap();
    }
    let copy = |(stage, mirror): &(std::path::PathBuf, std::path::PathBuf)| {
        let out = Command::new("sh").arg("-c").arg(recipe_of_readme(&source, stage, mirror)).output().unwrap();
        out.status.success()
    };
    let terms = Terms { checksum: ChecksumKind::Sha256, gate: None, name: "any".to_owned() };
    let disk = Kernel::default();
    let mut folder = Folder::open(&disk, &source, &at("state"), terms, "a test").unwrap();
    let form = Form { compression: Compression::Gz, members: Members::Blocks, checksum: ChecksumKind::Sha256 };
    let (course, copied) = (Course::default(), AtomicUsize::new(0));
    let mut alike = 0;
    std::thread::scope(|scope| {
        let _ending = Ending(&course);
        for half in mirrors.chunks(MIRRORS / 2) {
            scope.spawn(|| {
                while course.goes_on() {
                    for mirror in half.iter().take_while(|_| course.goes_on()) {
                        // What it asks for may go away meanwhile, as with any mirror.
                        copied.fetch_add(usize::from(copy(mirror)), Ordering::SeqCst);
                    }
                }
            });
        }
        let mut before = None;
        for n in 0..publications {
            let (comes, goes) = (names[n % 2], names[(n + 1) % 2]);
            let _ = fs::remove_file(source.join(format!("{goes}.rpm")));
            fs::copy(at(comes), source.join(format!("{comes}.rpm"))).unwrap();
            let now = Timestamp::now();
            folder.look(&disk, now, |_, _| {}).unwrap();
            let published = folder.publish(&disk, form, Some(&keys().ours.1), now).unwrap();
            let meta = fs::metadata(source.join("repodata/repomd.xml")).unwrap();
            let time = meta.modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
            assert_eq!(time.as_secs(), published.revision, "its time is its revision");
            let seen = (now.as_second(), meta.len());
            alike += usize::from(before == Some(seen));
            before = Some(seen);
        }
    });
    assert!(mirrors.iter().all(copy), "nothing changes any more");
    let read = |dir: &Path, name: &str| fs::read(dir.join("repodata").join(name)).unwrap();
    let stale = mirrors.iter().filter(|(_, mirror)| {
        ["repomd.xml", "repomd.xml.asc"].iter().any(|name| read(mirror, name) != read(&source, name))
    });
    let stale = stale.count();
    let copies = copied.into_inner();
    tell(&format!(
        "{publications} publications, {alike} of them in the same second and with the same size as the one before; \
         {MIRRORS} mirrors, {copies} copies meanwhile, {stale} stale after the last"
    ));
    assert!(alike > publications / 10, "this shows nothing");
    assert_eq!(stale, 0);
    for (_, mirror) in &mirrors {
        let repomd = Repomd::read(&read(mirror, "repomd.xml")).unwrap();
        assert!(repomd.data.iter().all(|data| mirror.join(&data.location).is_file()));
    }
}
