//! The power is cut in the middle of promotions and of adoptions, on ext4, XFS and Btrfs.
//!
//! A whole site lies on a file system of its own in an image, and packages are uploaded and promoted without a pause, or
//! a tree is adopted, published by a daemon and let go again, over and over. At random moments the image is copied: what the copy has is what a disk would have, had the machine lost its
//! power then, for what the kernel still keeps in memory is not in it. Each copy is mounted, with the recovery of the
//! file system itself, and a daemon is started on it. It becomes ready, the site is whole, no published file is empty,
//! every entry of the logbook that was readable before the cut is there, nothing that was accepted is lost, and
//! everything that was begun comes to its end. A tree that was being adopted or let go shows whole metadata, has each
//! package with its bytes and its time, and comes to both ends.
//!
//! That would be a disk that keeps what it was given. In every other run of the daemon the disk has a cache of its own
//! and loses it: the image lies on a file system in an image, and it is this one that is copied. Then a copy has what
//! was flushed, and of the rest whatever had been written back by chance, in any order.
//!
//! A copy must be of one instant, and copying takes a while. So the image lies on an XFS of its own, in memory where
//! there is room, and is cloned there: the clone shares the blocks and waits for no writer.
//!
//! - `ROLLOUTD_POWER_CUTS`: how many cuts on each file system; without it none is made, as it wants root, loop devices,
//!   `mkfs.xfs` and `mkfs.btrfs`;
//! - `ROLLOUTD_POWER_CUTS_ON`: the file systems, `ext4,xfs,btrfs` unless it says otherwise;
//! - `ROLLOUTD_SEED`: the moments, as far as two busy cores repeat them.
#![expect(clippy::disallowed_methods, reason = "tests write into their own temporary directories")]

use crate::adoption_sweep::{Found, Shows};
use crate::calls::{self, Calls, Order};
use crate::campaign;
use crate::kill_sweep::{Figures, Stop};
use crate::peers;
use crate::random::Random;
use crate::scenarios::{submission, whole};
use crate::site::{Door, Site, Wish, fact, keys, package, recipe, tell};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Cuts of one run of the daemon; then it begins on a new file system.
const CUTS_AT_ONCE: usize = 20;
/// mkfs.xfs refuses less than 300 MiB.
const IMAGE: u64 = 320 << 20;
/// Says that this process has a mount namespace of its own.
const INSIDE: &str = "ROLLOUTD_POWER_CUTS_INSIDE";
/// Room for an image and what its clones do not share.
const OUTER: u64 = 4 << 30;

fn run(words: &[&str]) {
    let out = Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert!(out.status.success(), "{words:?}: {}{}", out.status, String::from_utf8_lossy(&out.stderr));
}

/// A mounted image; unmounted when it goes.
struct Mount(PathBuf);

impl Mount {
    fn new(image: &Path, at: &Path) -> Self {
        // Btrfs remembers file systems by their ids, and all copies have the same one.
        let _ = Command::new("btrfs").args(["device", "scan", "--forget"]).output();
        run(&["mount", "-o", "loop", &image.display().to_string(), &at.display().to_string()]);
        Self(at.to_owned())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmount =
            |how: &[&str]| Command::new("umount").args(how).arg(&self.0).output().is_ok_and(|out| out.status.success());
        // A process that was killed may still hold it for a moment.
        for _ in 0..200 {
            if unmount(&[]) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        unmount(&["-l"]);
    }
}

/// Whether a disk keeps in a power cut what it was given and not told to flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cache {
    Kept,
    Lost,
}

/// Where images are: an XFS in an image of its own. Declared in the order in which they have to go.
struct Ground {
    _outer: Mount,
    dir: TempDir,
}

/// A file system, and below it the one that plays the disk with a cache.
struct Disk {
    _mount: Mount,
    _below: Option<Mount>,
}

impl Ground {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        let dir = TempDir::with_prefix_in("rolloutd-power-", parent).unwrap();
        for name in ["images", "below", "disk"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let image = dir.path().join("outer.img");
        format(&image, OUTER, "xfs");
        Self { _outer: Mount::new(&image, &dir.path().join("images")), dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A new file system; gives the image that a cut copies.
    fn format(&self, kind: &str, cache: Cache) -> PathBuf {
        let image = self.path("images/disk.img");
        match cache {
            Cache::Kept => format(&image, IMAGE, kind),
            Cache::Lost => {
                format(&image, 2 * IMAGE, "xfs");
                let _below = Mount::new(&image, &self.path("below"));
                format(&self.path("below/disk.img"), IMAGE, kind);
            }
        }
        image
    }

    /// Copies an image as it is at this moment.
    fn cut(&self, image: &Path, cut: usize) {
        let to = self.path(&format!("images/cut-{cut}.img"));
        run(&["cp", "--reflink=always", "--", &image.display().to_string(), &to.display().to_string()]);
    }

    /// What is in an image, at the place where the site lies.
    fn mount(&self, image: &Path, cache: Cache) -> Disk {
        let place = self.path("disk");
        match cache {
            Cache::Kept => Disk { _mount: Mount::new(image, &place), _below: None },
            Cache::Lost => {
                let below = Mount::new(image, &self.path("below"));
                Disk { _mount: Mount::new(&self.path("below/disk.img"), &place), _below: Some(below) }
            }
        }
    }
}

fn format(image: &Path, size: u64, kind: &str) {
    let _ = fs::remove_file(image);
    File::create(image).unwrap().set_len(size).unwrap();
    let force = if kind == "ext4" { "-F" } else { "-f" };
    run(&[&format!("mkfs.{kind}"), "-q", force, &image.display().to_string()]);
}

/// Uploads packages and promotes them until it is told to stop.
struct Load {
    door: Door,
    incoming: PathBuf,
    stop: AtomicBool,
    begun: AtomicUsize,
}

impl Load {
    fn insist(&self, mut done: impl FnMut() -> bool) {
        while !done() && !self.stop.load(Ordering::Relaxed) {
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    fn go(&self, mut random: Random) {
        while !self.stop.load(Ordering::Relaxed) {
            let id = format!("r{}", self.begun.fetch_add(1, Ordering::Relaxed));
            let mut packages = Vec::new();
            for which in 0..=random.below(2) {
                let name = format!("{id}p{which}");
                let mut made = recipe(&name, "1.0", &[]);
                let filling = vec![b'x'; random.place(90_000)];
                made.files.push((format!("/usr/share/{name}/filling"), filling));
                fs::create_dir_all(&self.incoming).unwrap();
                fs::write(self.incoming.join(format!("{name}.rpm")), package(&made, Some(&keys().ours.1))).unwrap();
                packages.push(format!("{name}-1.0-1.noarch"));
            }
            let asks =
                |path: &str, body: &Value| self.door.post(path, body).is_ok_and(|answer| answer.status / 100 == 2);
            self.insist(|| asks("/api/v1/rollouts", &submission(&id, &packages)));
            let last = if random.below(5) == 0 { "Rejected" } else { "Production" };
            for state in ["InVerification", "StageRollOut", last] {
                let body = json!({"state": state, "reason": "until the light goes out"});
                self.insist(|| asks(&format!("/api/v1/rollouts/{id}/move"), &body));
            }
        }
    }
}

/// Number and hash of an entry of the logbook: the newest that can be read, or that of a number.
fn entry(site: &Site, number: Option<u64>) -> (u64, String) {
    let from = number.map(|number| format!("&from={number}")).unwrap_or_default();
    let found = site.document(&format!("/api/v1/log?limit=1{from}"));
    let number = found[0]["seq"].as_u64().unwrap_or_else(|| panic!("there is no such entry: {found}"));
    (number, found[0]["hash"].as_str().unwrap().to_owned())
}

/// What was left by a cut, started again; the entry `known` was in the logbook before it.
fn check(site: &mut Site, known: &(u64, String)) -> bool {
    site.up();
    assert_eq!(entry(site, Some(known.0)), *known, "not what it was before the cut");
    whole(site);
    site.wait("every rollout to rest", |site| {
        let Value::Array(all) = site.document("/api/v1/rollouts") else { panic!("no list of rollouts") };
        all.iter().all(|rollout| rollout["moving"] == json!(false)).then_some(())
    });
    whole(site);
    let log = site.entries_after(0);
    let is = |entry: &Value, kind: &str| !fact(entry, kind).is_null();
    let start = log.iter().rposition(|entry| is(entry, "daemon.started")).unwrap();
    // Whether there was anything to recover.
    log[start..].iter().any(|entry| is(entry, "tree.published") || is(entry, "rollout.done"))
}

/// Judges what each cut has left. What was `known` before it is handed to `check`, which says whether there was work to
/// finish.
fn judge<K: std::fmt::Debug>(
    ground: &Ground,
    (kind, cache): (&str, Cache),
    site: &mut Site,
    known: &[K],
    figures: &mut Figures,
    check: impl Fn(&mut Site, &K) -> bool,
) {
    for (cut, known) in known.iter().enumerate() {
        let image = ground.path(&format!("images/cut-{cut}.img"));
        let mount = ground.mount(&image, cache);
        let began = Instant::now();
        let what = format!("{kind}, cache {cache:?}, cut {cut} after {known:?}");
        let recovered = figures.judge(&what, site, |site| check(site, known));
        figures.slowest = figures.slowest.max(began.elapsed());
        figures.points += 1;
        figures.again += usize::from(recovered == Some(true));
        site.end();
        drop(mount);
        fs::remove_file(image).unwrap();
    }
}

/// Some cuts of one run of the daemon.
fn cut(
    ground: &Ground,
    (kind, cache): (&str, Cache),
    cuts: usize,
    lies: bool,
    random: &mut Random,
    figures: &mut Figures,
) {
    let image = ground.format(kind, cache);
    let mount = ground.mount(&image, cache);
    let place = ground.path("disk");
    let mut site = Site::prepare_in(&place, &Wish::default());
    // Configuration and keys were there long before the daemon.
    run(&["sync", "-f", &place.display().to_string()]);
    let lie = lies.then(|| Calls::watch(&mut site, Order::Off));
    site.up();
    if let Some(calls) = lie {
        calls.order(Order::FailFrom("lie", 1));
    }
    let load = Load {
        door: site.door.clone(),
        incoming: site.incoming().join("batch"),
        stop: AtomicBool::new(false),
        begun: AtomicUsize::new(0),
    };
    let mut known = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let random = Random(random.next());
            scope.spawn(|| load.go(random));
        }
        let _stop = Stop(&load.stop);
        for cut in 0..cuts {
            random.pause(5, 900);
            known.push(entry(&site, None));
            ground.cut(&image, cut);
        }
    });
    site.end();
    drop(mount);
    judge(ground, (kind, cache), &mut site, &known, figures, check);
    // The directory of the site lies in an image that is mounted no more; only its mount point is left to go.
}

/// Some cuts while a tree is adopted and let go, over and over; every other time a daemon publishes it between.
fn cut_adoptions(
    ground: &Ground,
    (kind, cache): (&str, Cache),
    cuts: usize,
    random: &mut Random,
    figures: &mut Figures,
) {
    let image = ground.format(kind, cache);
    let mount = ground.mount(&image, cache);
    let place = ground.path("disk");
    let mut site = Site::prepare_in(&place, &Wish { grace_metadata: "1s", ..Wish::default() });
    let found = Found::lay(&site, [Shows::Nothing, Shows::Unsigned, Shows::Signed][random.place(3)]);
    run(&["sync", "-f", &place.display().to_string()]);
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut known = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                found.adopt(&site);
                if done.fetch_add(1, Ordering::Relaxed) % 4 == 0 {
                    found.is_published(&mut site);
                    assert!(site.stop().success());
                }
                found.undo(&site);
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
        let _stop = Stop(&stop);
        for cut in 0..cuts {
            random.pause(5, 900);
            known.push(done.load(Ordering::Relaxed));
            ground.cut(&image, cut);
        }
    });
    drop(mount);
    judge(ground, (kind, cache), &mut site, &known, figures, |site, known| {
        found.seen(site, true);
        let had_to = found.adopt(site);
        found.is_published(site);
        let log = site.entries_after(0);
        let all = |kind: &str| log.iter().filter(|entry| !fact(entry, kind).is_null()).count();
        let (adopted, released) = (all("package.adopted"), all("tree.released"));
        assert!(
            adopted >= 3 * known.div_ceil(2) && released >= known / 2,
            "{adopted} and {released} of {known} are there"
        );
        assert!(site.stop().success());
        found.undo(site);
        had_to
    });
}

fn file_systems() -> Vec<String> {
    let named = std::env::var("ROLLOUTD_POWER_CUTS_ON").unwrap_or_else(|_| "ext4,xfs,btrfs".to_owned());
    named.split(',').map(str::to_owned).collect()
}

/// How many cuts are wanted, if they can be made here.
///
/// They are made in a mount namespace of their own, by this program run once more. There nobody else's namespace keeps
/// what was unmounted here alive, and whatever is still mounted goes with the last process of it.
fn wanted(test: &str) -> Option<usize> {
    let cuts = campaign::count("ROLLOUTD_POWER_CUTS");
    if cuts.is_none() {
        eprintln!("left out: ROLLOUTD_POWER_CUTS does not say how many");
    }
    let programs = ["mkfs.xfs", "mkfs.btrfs", "mkfs.ext4", "btrfs", "mount", "unshare"];
    let cuts = cuts.filter(|_| peers::root("loop devices") && peers::have(&programs))?;
    if std::env::var_os(INSIDE).is_some() {
        return Some(cuts);
    }
    let this = std::env::current_exe().unwrap();
    let mut inside = Command::new("unshare");
    inside.args(["--mount", "--propagation", "private", "--"]).arg(this);
    inside.args(["--exact", &format!("power_cuts::{test}"), "--nocapture"]).env(INSIDE, "1");
    let status = inside.status().unwrap();
    assert!(status.success(), "{test}: {status}");
    None
}

/// Cuts of one kind on each file system, half of them with the disk's cache lost.
fn on_each(title: &str, cuts: usize, cut: impl Fn(&Ground, (&str, Cache), usize, &mut Random, &mut Figures) + Sync) {
    let seed = campaign::number("ROLLOUTD_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let (kinds, next, violations) = (file_systems(), AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(kind) = kinds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (mut figures, mut random) = (Figures::default(), Random(seed));
                    let ground = Ground::new();
                    let mut lost = 0;
                    while figures.points < cuts {
                        let some = CUTS_AT_ONCE.min(cuts.div_ceil(2)).min(cuts - figures.points);
                        let cache = if lost * 2 < figures.points { Cache::Lost } else { Cache::Kept };
                        lost += if cache == Cache::Lost { some } else { 0 };
                        cut(&ground, (kind, cache), some, &mut random, &mut figures);
                    }
                    let Figures { points, again, slowest, violations: wrong, .. } = figures;
                    tell(&format!(
                        "power cuts on {kind}, {title}: ROLLOUTD_SEED={seed}: {points} cuts, in {lost} of them the \
                         disk's cache was lost, {again} with work to finish, slowest recovery with its judgement \
                         {slowest:.1?}, {} violations",
                        wrong.len()
                    ));
                    violations.lock().unwrap().extend(wrong);
                }
            });
        }
    });
    let violations = violations.into_inner().unwrap();
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

#[test]
fn a_power_cut_at_any_moment_loses_nothing_that_was_said_to_be_done() {
    let Some(cuts) = wanted("a_power_cut_at_any_moment_loses_nothing_that_was_said_to_be_done") else { return };
    on_each("promotions", cuts, |ground, on, some, random, figures| cut(ground, on, some, false, random, figures));
}

#[test]
fn a_power_cut_at_any_moment_of_an_adoption_or_its_undoing_changes_nothing_that_clients_see() {
    let test = "a_power_cut_at_any_moment_of_an_adoption_or_its_undoing_changes_nothing_that_clients_see";
    let Some(cuts) = wanted(test) else { return };
    if peers::have(&["createrepo_c"]) {
        on_each("adoptions", cuts, cut_adoptions);
    }
}

/// Where syncs only claim to work, these tests must find something.
#[test]
fn a_disk_that_lies_is_found_out_by_a_power_cut() {
    if wanted("a_disk_that_lies_is_found_out_by_a_power_cut").is_none() || !calls::can_be_counted() {
        return;
    }
    let mut figures = Figures::default();
    cut(&Ground::new(), ("ext4", Cache::Kept), 6, true, &mut Random(1), &mut figures);
    tell(&format!("power cuts on a disk that lies: {} cuts, {} found out", figures.points, figures.violations.len()));
    assert!(!figures.violations.is_empty(), "no cut has harmed anything, so nothing was tried");
}
