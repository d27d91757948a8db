//! Mirrors that copy a tree as README says, while it is published again and again within seconds.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use rolloutd::domain::checksum::ChecksumKind;
use rolloutd::format::compress::Compression;
use rolloutd::format::repomd::Repomd;
use rolloutd::store::blocks::{Form, Members};
use rolloutd::store::disk::Kernel;
use rolloutd::store::folder::{Folder, Links, Terms};
use serde_json::json;

use crate::campaign::{self, Course, Ending};
use crate::disagreement::packages;
use crate::fsck::fsck;
use crate::judge::signed_by_us;
use crate::peers;
use crate::random::Random;
use crate::site::{DISTRIBUTION, Site, Wish, keys, package, recipe, tell};

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
    let publications = campaign::count("ROLLOUTD_PUBLICATIONS").unwrap_or(100);
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
    let mut folder = Folder::open(&disk, &source, &at("state"), terms, Links::Left, "a test").unwrap();
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

/// A directory into which a tree is mirrored, and the one in which its `repomd.xml` waits meanwhile.
struct Mirror {
    stage: PathBuf,
    copy: PathBuf,
}

impl Mirror {
    fn new(site: &Site, number: usize) -> Self {
        let at = |what: &str| site.path(&format!("mirrors/{what}{number}"));
        let made = Self { stage: at("stage"), copy: at("copy") };
        fs::create_dir_all(&made.stage).unwrap();
        fs::create_dir_all(&made.copy).unwrap();
        made
    }

    fn synchronise(&self, source: &Path) -> bool {
        let out = Command::new("sh").arg("-c").arg(recipe_of_readme(source, &self.stage, &self.copy)).output().unwrap();
        out.status.success()
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.copy.join("repodata").join(name)).ok()
    }

    /// Whether its `repomd.xml` and the signature belong to one another.
    fn fits(&self) -> bool {
        let both = self.read("repomd.xml").zip(self.read("repomd.xml.asc"));
        both.is_some_and(|(repomd, signature)| signed_by_us(&repomd, &signature).is_ok())
    }
}

/// As many packages in untested, each with a rollout that is verified.
fn verified(site: &mut Site, many: usize) {
    let nevras: Vec<String> = (0..many).map(|n| site.drop_package(&format!("p{n:04}"), "1.0", &[])).collect();
    site.wait_for(Duration::from_mins(10), "all to be taken in", |site| {
        (packages(site, "untested") == many).then_some(())
    });
    for nevra in &nevras {
        let id = &nevra[..5];
        let made = json!({"id": id, "distribution": DISTRIBUTION, "packages": [nevra]});
        assert_eq!(site.door.post("/api/v1/rollouts", &made).unwrap().status, 201);
        move_to(site, id, "InVerification");
    }
}

/// Moves a rollout, and waits until its packages are there.
fn move_to(site: &mut Site, id: &str, state: &str) {
    let answer = site.door.post(&format!("/api/v1/rollouts/{id}/move"), &json!({"state": state})).unwrap();
    assert_eq!(answer.status, 202, "{id} {state}: {}", answer.text());
    site.wait("the move to be over", |site| site.door.rests(id).then_some(()));
}

/// The same with a daemon whose trees are published as packages move. `ROLLOUTD_PUBLICATIONS` and `ROLLOUTD_MIRRORS`
/// say how many there are.
#[test]
fn mirrors_of_a_daemons_tree_are_where_it_is_after_the_last_publication() {
    if !peers::have(&["rsync"]) {
        return;
    }
    let publications = campaign::count("ROLLOUTD_PUBLICATIONS").unwrap_or(30);
    let number = campaign::count("ROLLOUTD_MIRRORS").unwrap_or(5);
    let seed = campaign::seed();
    let mut site = Site::start(&Wish::default());
    let rollouts = publications.div_ceil(2) + 1;
    verified(&mut site, rollouts);
    let source = site.tree("testing");
    let mirrors: Vec<Mirror> = (0..number).map(|n| Mirror::new(&site, n)).collect();
    let (course, copied, torn) = (Course::default(), AtomicUsize::new(0), AtomicUsize::new(0));
    let (mut seen, mut alike) = (vec![], 0);
    thread::scope(|scope| {
        let _ending = Ending(&course);
        let (source, course, copied, torn) = (&source, &course, &copied, &torn);
        for (n, some) in mirrors.chunks(number.div_ceil(2)).enumerate() {
            scope.spawn(move || {
                let mut random = Random(seed ^ n as u64);
                while course.goes_on() {
                    let mirror = &some[random.place(some.len())];
                    random.pause(0, 30);
                    // What it asks for may go away meanwhile, as with any mirror.
                    copied.fetch_add(usize::from(mirror.synchronise(source)), Ordering::SeqCst);
                    torn.fetch_add(usize::from(!mirror.fits()), Ordering::SeqCst);
                }
            });
        }
        let mut look = || {
            let meta = fs::metadata(source.join("repodata/repomd.xml")).unwrap();
            let now = (Timestamp::now().as_second(), meta.len());
            alike += usize::from(seen.last() == Some(&now));
            seen.push(now);
            seen.len()
        };
        // One comes before another one goes: one package or two.
        for n in 0..rollouts {
            move_to(&mut site, &format!("p{n:04}"), "StageRollOut");
            if look() < publications && n > 0 {
                move_to(&mut site, &format!("p{:04}", n - 1), "Production");
                look();
            }
        }
    });
    let failed = mirrors.iter().filter(|mirror| !mirror.synchronise(&source)).count();
    let of_tree = |name: &str| Some(fs::read(source.join("repodata").join(name)).unwrap());
    let is_stale =
        |mirror: &&Mirror| ["repomd.xml", "repomd.xml.asc"].iter().any(|name| mirror.read(name) != of_tree(name));
    let (stale, unfit) =
        (mirrors.iter().filter(is_stale).count(), mirrors.iter().filter(|mirror| !mirror.fits()).count());
    tell(&format!(
        "{} publications of a daemon's tree, {alike} of them in the same second and with the same size as the one before; \
         {number} mirrors, {} copies meanwhile, {} with a pair that did not fit; after the last: {failed} failed, {stale} \
         stale, {unfit} that do not fit (seed {seed})",
        seen.len(),
        copied.into_inner(),
        torn.into_inner(),
    ));
    assert!(seen.len() >= publications, "{}", seen.len());
    assert_eq!((failed, stale, unfit), (0, 0, 0));
    for mirror in &mirrors {
        let repomd = Repomd::read(&mirror.read("repomd.xml").unwrap()).unwrap();
        for data in &repomd.data {
            let bytes = fs::read(mirror.copy.join(&data.location)).unwrap();
            let sum = hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes));
            assert_eq!(data.checksum.hex, sum, "{}", data.location);
        }
    }
    assert_eq!(fsck(&site, false), (vec![], Some(0)));
}
