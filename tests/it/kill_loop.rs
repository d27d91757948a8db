//! kill -9 at random moments, under load, and what must hold after every restart.
//!
//! Uploads go on (whole, in two halves, under a temporary name first), several rollouts are moved by
//! the API and by webhooks, readers fetch whole trees from a web server that is never killed. The
//! daemon is killed, also while it recovers, and started again. After each READY the trees are read
//! by `rolloutd fsck` and by the judge of these tests, which shares no code with the daemon:
//!
//! - every tree is consistent: signature, metadata, packages, all checksums and sizes;
//! - every listed package has the bytes that were uploaded, and none is listed that must stay out;
//! - a package that was ever listed, or that the logbook says was taken in, is listed somewhere, unless
//!   its rollout was rejected;
//! - no revision goes back; the logbook verifies.
//!
//! In the end everything that was wished has come about, once, and nothing else.
//!
//! `ROLLOUTD_KILLS` sets the number of kills (20; 200 with `ROLLOUTD_LONG=1`), `ROLLOUTD_SEED` the seed.
#![expect(clippy::disallowed_methods, reason = "tests write into their own temporary directories")]

use crate::campaign::{self, Course};
use crate::fsck::fsck;
use crate::judge::{self, Source, TORN, UNREACHABLE};
use crate::random::Random;
use crate::site::{DISTRIBUTION, Door, Site, Wish, fact, files_below, keys, package, recipe, tell};
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const DISTRIBUTIONS: [&str; 2] = [DISTRIBUTION, "umd/3/sl5/x86_64"];
/// In the direction of a promotion: whoever reads them in this order meets each package once at
/// least, as a package appears in the next tree before it leaves the one before.
const TREES: [&str; 3] = ["untested", "testing", "production"];
/// Packages that may be uploaded for each kill; bounds a long campaign.
const QUOTA: usize = 5;

/// What was uploaded.
struct Upload {
    distribution: &'static str,
    sha256: String,
    good: bool,
}

/// What all threads know.
struct World {
    incoming: PathBuf,
    door: Door,
    course: Course,
    /// How many packages may have been uploaded by now.
    allowed: AtomicUsize,
    uploads: Mutex<BTreeMap<String, Upload>>,
    /// Packages that were seen in `untested` and belong to no rollout yet.
    free: Mutex<BTreeSet<String>>,
    /// Packages of rollouts that were sent to Rejected.
    withdrawn: Mutex<BTreeSet<String>>,
    /// How many steps were asked for.
    asked: AtomicUsize,
    /// Rollouts that came to an end: id, packages, final state.
    ended: Mutex<BTreeMap<String, (Vec<String>, &'static str)>>,
    reads: AtomicUsize,
    torn: AtomicUsize,
}

/// Uploads packages, good ones and some that must stay out, in the ways people do it.
fn upload(world: &World, mut random: Random) {
    let mut number = 0;
    while world.course.goes_on() {
        if number >= world.allowed.load(Ordering::Relaxed) {
            thread::park_timeout(Duration::from_millis(20));
            continue;
        }
        number += 1;
        let distribution = DISTRIBUTIONS[usize::from(random.below(4) == 0)];
        let name = format!("pkg{number}");
        let good = random.below(8) != 0;
        let mut made = recipe(&name, "1.0", &[]);
        let filling = usize::try_from(random.below(60_000)).unwrap();
        made.files.push((
            format!("/usr/share/{name}/filling"),
            b"0123456789abcde".iter().copied().cycle().take(filling).collect(),
        ));
        let bytes = package(&made, good.then_some(&keys().ours.1));
        let sha256 = hex::encode(digest(&SHA256, &bytes));
        let known = Upload { distribution, sha256, good };
        world.uploads.lock().unwrap().insert(format!("{name}-1.0-1.noarch"), known);
        let dir = world.incoming.join(distribution).join((number % 3).to_string());
        fs::create_dir_all(&dir).unwrap();
        put(&dir, &name, &bytes, &mut random);
        random.pause(1, 90);
    }
}

fn put(dir: &Path, name: &str, bytes: &[u8], random: &mut Random) {
    use std::io::Write as _;
    let place = dir.join(format!("{name}.rpm"));
    match random.below(3) {
        0 => fs::write(place, bytes).unwrap(),
        1 => {
            // rsync writes under a name of its own first.
            let hidden = dir.join(format!(".{name}.rpm.x7Kq2a"));
            fs::write(&hidden, bytes).unwrap();
            fs::rename(hidden, place).unwrap();
        }
        _ => {
            // scp on a slow line: longer than the quiet time now and then.
            let (first, second) = bytes.split_at(bytes.len() / 2);
            let mut file = fs::File::create(place).unwrap();
            file.write_all(first).unwrap();
            random.pause(20, 350);
            file.write_all(second).unwrap();
        }
    }
}

/// Takes free packages, makes rollouts of them and moves each to its end.
fn promote(world: &World, who: usize, mut random: Random) {
    let mut number = 0;
    while world.course.goes_on() {
        let packages = claim(world, &mut random);
        if packages.is_empty() {
            thread::park_timeout(Duration::from_millis(30));
            continue;
        }
        number += 1;
        let id = format!("r{who}-{number}");
        let distribution = world.uploads.lock().unwrap().get(&packages[0]).unwrap().distribution;
        let body = json!({"id": id, "distribution": distribution, "title": "under fire", "packages": packages});
        insist(&format!("{id} to be submitted"), || {
            // A submission whose answer was lost has still happened.
            world.door.state(&id).is_some()
                || world.door.post("/api/v1/rollouts", &body).is_ok_and(|answer| answer.status == 201)
        });
        let reject = random.below(6) == 0;
        if reject {
            world.withdrawn.lock().unwrap().extend(packages.iter().cloned());
        }
        let way = if reject {
            ["InVerification", "StageRollOut", "Rejected"]
        } else {
            ["InVerification", "StageRollOut", "Production"]
        };
        for (step, state) in way.into_iter().enumerate() {
            let by_hook = random.below(2) == 0;
            let mut tries = 0;
            insist(&format!("{id} to reach {state}"), || {
                if world.door.state(&id).as_deref() == Some(state) {
                    return true;
                }
                tries += 1;
                if tries % 20 == 1 {
                    world.asked.fetch_add(1, Ordering::Relaxed);
                    // A lost answer is repeated; the daemon must not do it twice.
                    if by_hook {
                        let _ = world.door.hook(&Site::hook_body(&format!("{id}-{step}-{}", tries / 60), &id, state));
                    } else {
                        let body = json!({"state": state, "reason": "under fire"});
                        let _ = world.door.post(&format!("/api/v1/rollouts/{id}/move"), &body);
                    }
                }
                false
            });
        }
        insist(&format!("{id} to rest"), || world.door.rests(&id));
        world.ended.lock().unwrap().insert(id, (packages, way[2]));
    }
}

/// A few free packages of one distribution.
fn claim(world: &World, random: &mut Random) -> Vec<String> {
    let wanted = 1 + usize::try_from(random.below(4)).unwrap();
    let uploads = world.uploads.lock().unwrap();
    let mut free = world.free.lock().unwrap();
    let Some(place) = free.first().and_then(|nevra| uploads.get(nevra)).map(|u| u.distribution) else {
        return Vec::new();
    };
    let same = |nevra: &&String| uploads.get(*nevra).is_some_and(|u| u.distribution == place);
    let taken: Vec<String> = free.iter().filter(same).take(wanted).cloned().collect();
    free.retain(|nevra| !taken.contains(nevra));
    taken
}

/// Tries until it is done. Minutes may pass, as the daemon is killed all the time.
fn insist(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_mins(5), "waited for five minutes for {what}");
        thread::park_timeout(Duration::from_millis(15));
    }
}

/// Fetches whole trees from a web server that knows nothing of the daemon.
fn fetch(world: &World, places: &[(std::net::SocketAddr, String)], mut random: Random) {
    while world.course.goes_on() {
        let (address, path) = &places[usize::try_from(random.below(places.len() as u64)).unwrap()];
        match judge::read(&Source::Web(*address, path.clone())) {
            Ok(_) => {
                world.reads.fetch_add(1, Ordering::Relaxed);
            }
            Err(e) if e.contains(UNREACHABLE) => {}
            Err(e) if e.contains(TORN) => {
                world.torn.fetch_add(1, Ordering::Relaxed);
            }
            Err(e) => world.course.complain(format!("a reader of {path}: {e}")),
        }
        random.pause(1, 40);
    }
}

/// What held so far, to compare with.
#[derive(Default)]
struct Memory {
    revisions: BTreeMap<(&'static str, &'static str), u64>,
    seen: BTreeSet<String>,
    /// Packages that were offered to the rollouts.
    offered: BTreeSet<String>,
    publications: u64,
    /// What the logbook says, entry by entry.
    log: Vec<Value>,
}

/// What the whole logbook tells: every package taken in once, every step taken once, every plan
/// carried out once. Gives how many plans, and how many publications of what was taken in, a kill interrupted.
fn account(log: &[Value], world: &World) -> (usize, usize) {
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    let mut steps: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut open: BTreeSet<u64> = BTreeSet::new();
    let mut unpublished: BTreeSet<&str> = BTreeSet::new();
    let (mut plans, mut arrivals) = (0, 0);
    for (place, what) in log.iter().enumerate() {
        let is = |kind: &str| what["what"]["kind"] == *kind;
        let text = |key: &str| what["what"]["fact"][key].as_str().unwrap_or_default();
        if is("daemon.started") {
            plans += open.len();
            arrivals += unpublished.len();
        } else if is("package.accepted") {
            *taken.entry(text("nevra")).or_default() += 1;
            unpublished.insert(text("dist"));
        } else if is("tree.published") && text("tree") == "untested" {
            unpublished.remove(text("dist"));
        } else if is("rollout.moved") {
            *steps.entry((text("rollout"), text("to"))).or_default() += 1;
            if !what["what"]["fact"]["plan"].is_null() {
                open.insert(place as u64 + 1);
            }
        } else if is("rollout.done") && !what["what"]["fact"]["plan"].as_u64().is_some_and(|plan| open.remove(&plan)) {
            world.course.complain(format!("entry {} ends a plan that is not open", place + 1));
        }
    }
    for (nevra, times) in taken.iter().filter(|(_, times)| **times != 1) {
        world.course.complain(format!("{nevra} was taken in {times} times"));
    }
    for ((rollout, state), times) in steps.iter().filter(|(_, times)| **times != 1) {
        world.course.complain(format!("{rollout} reached {state} {times} times"));
    }
    let ended = world.ended.lock().unwrap();
    if steps.len() != 3 * ended.len() || !open.is_empty() {
        world.course.complain(format!("{} steps of {} rollouts, and {open:?} are open", steps.len(), ended.len()));
    }
    (plans, arrivals)
}

impl Memory {
    /// Reads all trees and judges them; gives where each package is listed.
    fn judge(&mut self, site: &Site, world: &World) -> BTreeMap<String, Vec<&'static str>> {
        self.log.extend(site.entries_after(self.log.len()));
        for (place, what) in fsck(site, false).0 {
            world.course.complain(format!("fsck after READY: {place}: {what}"));
        }
        // READY promises that what was taken in before the start is listed; what was taken in since may
        // be on its way.
        let start = self.log.iter().rposition(|entry| !fact(entry, "daemon.started").is_null()).unwrap_or_default();
        let accepted = self.log[..start].iter().filter_map(|entry| fact(entry, "package.accepted")["nevra"].as_str());
        self.seen.extend(accepted.map(str::to_owned));
        let mut places: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
        // What was withdrawn before the trees were read may be gone from them.
        for distribution in DISTRIBUTIONS {
            for tree in TREES {
                let published = match judge::read(&Source::Disk(site.tree_of(tree, distribution))) {
                    Ok(Some(published)) => published,
                    Ok(None) => continue,
                    Err(e) => {
                        world.course.complain(format!("{tree} of {distribution} after READY: {e}"));
                        continue;
                    }
                };
                let last = self.revisions.insert((distribution, tree), published.revision).unwrap_or_default();
                if published.revision < last {
                    let now = published.revision;
                    world
                        .course
                        .complain(format!("the revision of {tree} of {distribution} went back from {last} to {now}"));
                }
                self.publications += u64::from(published.revision > last);
                let uploads = world.uploads.lock().unwrap();
                for (nevra, listed) in published.packages {
                    match uploads.get(&nevra) {
                        Some(u) if u.good && u.distribution == distribution && listed.sha256 == u.sha256 => {}
                        Some(u) if !u.good => {
                            world.course.complain(format!("{nevra} is listed in {tree} and is unsigned"));
                        }
                        _ => world
                            .course
                            .complain(format!("{nevra} in {tree} of {distribution} is not what was uploaded")),
                    }
                    if tree == "untested" && self.offered.insert(nevra.clone()) {
                        world.free.lock().unwrap().insert(nevra.clone());
                    }
                    places.entry(nevra).or_default().push(tree);
                }
            }
        }
        let withdrawn = world.withdrawn.lock().unwrap();
        for lost in self.seen.iter().filter(|nevra| !places.contains_key(*nevra) && !withdrawn.contains(*nevra)) {
            world.course.complain(format!("{lost} was listed and is in no tree"));
        }
        self.seen.extend(places.keys().cloned());
        places
    }
}

#[test]
fn after_any_kill_the_daemon_comes_back_and_nothing_is_lost_torn_or_done_twice() {
    let kills = campaign::number("ROLLOUTD_KILLS").unwrap_or(if campaign::is_long() { 200 } else { 20 });
    let seed = campaign::seed();
    tell(&format!("kill loop: ROLLOUTD_SEED={seed} ROLLOUTD_KILLS={kills}"));
    let mut random = Random(seed);

    let wish = Wish { distributions: DISTRIBUTIONS.to_vec(), ..Wish::default() };
    let mut site = Site::start(&wish);
    let world = Arc::new(World {
        incoming: site.path("incoming"),
        door: site.door.clone(),
        course: Course::default(),
        allowed: AtomicUsize::new(2 * QUOTA),
        uploads: Mutex::default(),
        free: Mutex::default(),
        withdrawn: Mutex::default(),
        ended: Mutex::default(),
        asked: AtomicUsize::new(0),
        reads: AtomicUsize::new(0),
        torn: AtomicUsize::new(0),
    });
    let mut threads = Vec::new();
    let places: Vec<_> =
        DISTRIBUTIONS.iter().flat_map(|distribution| TREES.map(|tree| site.plain_place(tree, distribution))).collect();
    let derived = |random: &mut Random| Random(random.next());
    let (w, r) = (Arc::clone(&world), derived(&mut random));
    threads.push(thread::spawn(move || upload(&w, r)));
    for who in 0..3 {
        let (w, r) = (Arc::clone(&world), derived(&mut random));
        threads.push(thread::spawn(move || promote(&w, who, r)));
    }
    let (w, r) = (Arc::clone(&world), derived(&mut random));
    threads.push(thread::spawn(move || fetch(&w, &places, r)));

    let mut memory = Memory::default();
    let (mut early, mut slowest) = (0, Duration::ZERO);
    for kill in 0..kills {
        if random.below(2) == 0 {
            random.pause(5, 1200);
        } else {
            // Just after somebody has asked for something, there is more to interrupt.
            let before = world.asked.load(Ordering::Relaxed);
            let began = Instant::now();
            while world.asked.load(Ordering::Relaxed) == before && began.elapsed() < Duration::from_secs(2) {
                thread::park_timeout(Duration::from_millis(1));
            }
            random.pause(1, 60);
        }
        site.kill();
        // Now and then it is killed again while it recovers.
        while random.below(4) == 0 {
            site.spawn();
            random.pause(1, 250);
            site.kill();
            early += 1;
        }
        let began = Instant::now();
        site.up();
        slowest = slowest.max(began.elapsed());
        memory.judge(&site, &world);
        if kill % 5 == 0 {
            site.ctl_good(&["log", "--verify"]);
        }
        world.allowed.fetch_add(QUOTA, Ordering::Relaxed);
        let wrong = world.course.wrong().clone();
        assert!(wrong.is_empty(), "after kill {} of {kills} (seed {seed}): {wrong:#?}", kill + 1);
        assert!(threads.iter().all(|t| !t.is_finished()), "a thread of the load has failed (seed {seed})");
    }

    // In peace: everything that was uploaded comes in or is refused, and every rollout ends.
    let total = world.allowed.load(Ordering::Relaxed);
    let good = |world: &World| -> BTreeSet<String> {
        world.uploads.lock().unwrap().iter().filter(|(_, u)| u.good).map(|(nevra, _)| nevra.clone()).collect()
    };
    site.wait("all uploads", |_| (world.uploads.lock().unwrap().len() == total).then_some(()));
    let expected = good(&world);
    insist("every good package to be listed once", || {
        memory.judge(&site, &world);
        expected.is_subset(&memory.seen)
    });
    insist("every package to be part of a rollout that has ended", || {
        world.ended.lock().unwrap().values().map(|(packages, _)| packages.len()).sum::<usize>() == expected.len()
    });
    world.course.end();
    for thread in threads {
        thread.join().unwrap();
    }
    let places = memory.judge(&site, &world);
    let ended = world.ended.lock().unwrap().clone();
    for (id, (packages, state)) in &ended {
        for nevra in packages {
            let found = places.get(nevra).cloned().unwrap_or_default();
            let wanted: &[&str] = if *state == "Production" { &["production"] } else { &[] };
            if found != wanted {
                world.course.complain(format!("{nevra} of {id} ({state}) is listed in {found:?}"));
            }
        }
    }
    let unsigned = total - expected.len();
    site.wait_for_rejected("unsigned", unsigned);
    for (code, file) in site.rejected().into_iter().filter(|(code, _)| code != "unsigned") {
        // An upload that a kill kept from being cleared away is found again; when its package was
        // withdrawn meanwhile, it comes too late.
        let bytes = hex::encode(digest(&SHA256, &fs::read(&file).unwrap()));
        let withdrawn = world.withdrawn.lock().unwrap();
        let uploads = world.uploads.lock().unwrap();
        if code != "withdrawn" || !withdrawn.iter().any(|nevra| uploads.get(nevra).is_some_and(|u| u.sha256 == bytes)) {
            world.course.complain(format!("{} was refused as {code}", file.display()));
        }
    }
    site.ctl_good(&["log", "--verify"]);
    assert!(site.stop().success(), "SIGTERM ends it in order");
    site.up();
    assert_eq!(memory.judge(&site, &world), places, "a restart in peace changes nothing");
    for file in files_below(&site.path("root")) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with('.') && name != ".rolloutd.lock" {
            world.course.complain(format!("{} was left behind", file.display()));
        }
    }
    let (plans, arrivals) = account(&memory.log, &world);
    // Chance must not make a loop of nothing look like a good one.
    assert!(kills < 20 || plans + arrivals > 0, "no kill has interrupted anything (seed {seed})");
    let wrong = world.course.wrong();
    assert!(wrong.is_empty(), "in the end (seed {seed}): {wrong:#?}");
    tell(&format!(
        "kill loop: seed {seed}: {kills} kills under load and {early} during recovery ({plans} promotions and {arrivals} \
         publications of new packages interrupted), {} starts, slowest READY {slowest:?}; \
         {total} uploads ({unsigned} unsigned), {} rollouts ended ({} packages withdrawn), {} publications seen, \
         {} whole trees fetched meanwhile, {} of them while a signature was torn",
        site.starts,
        ended.len(),
        world.withdrawn.lock().unwrap().len(),
        memory.publications,
        world.reads.load(Ordering::Relaxed),
        world.torn.load(Ordering::Relaxed),
    ));
}
