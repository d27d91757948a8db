//! Readers who never rest, while packages are promoted, recalled, withdrawn and retired.
//!
//! Three distributions are kept in motion: packages are uploaded, go from tree to tree, are called back
//! from production and put there again, and are withdrawn. One distribution has so short a grace time
//! that superseded metadata and withdrawn packages are removed all the time; the others have the times of
//! every site, so what a fetched `repomd.xml` names must stay. Sixteen readers take snapshots
//! ([`crate::snapshot`] says what a snapshot is and when it is bad) in three ways: from the disk, from
//! nginx that keeps files open (`open_file_cache`, with errors) and from the daemon itself. Beside them
//! dnf, zypper, curl and rsync read the same trees.
//!
//! The same readers then look at what people have without the daemon: `createrepo_c --update` in a loop
//! over a directory whose packages change. That shows what the readers would have seen.
//!
//! `ROLLOUTD_SNAPSHOTS` sets how many snapshots are taken at least, `ROLLOUTD_PROMOTIONS` how many times
//! packages are moved, `ROLLOUTD_SEED` the seed. The whole campaign:
//!
//! ```text
//! ROLLOUTD_SNAPSHOTS=1000000 ROLLOUTD_PROMOTIONS=1000 cargo test --test it -- --exact \
//!     readers::no_reader_sees_a_broken_tree_while_packages_are_promoted_recalled_and_retired \
//!     readers::the_same_readers_see_what_createrepo_c_does_to_its_readers --test-threads 1
//! ```
#![expect(clippy::disallowed_methods, reason = "tests write into their own temporary directories")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::campaign::{Course, number, seed};
use crate::clients::{Machine, run_as_root};
use crate::configuration::BRIEF;
use crate::judge::{self, Source, TORN};
use crate::nginx::Nginx;
use crate::peers;
use crate::random::Random;
use crate::site::{DISTRIBUTION, Door, Site, Wish, fact, keys, package, recipe, said, tell};
use crate::snapshot::{Known, Manner, Place, Reader, Tally, Way};

const DISTRIBUTIONS: [&str; 3] = [DISTRIBUTION, "umd/3/sl5/x86_64", "short/grace/x86_64"];
const TREES: [&str; 3] = ["untested", "testing", "production"];
/// Rollouts of a distribution that are under way at a time; keeps trees small and readers fast.
const ROLLOUTS: usize = 6;
/// How long nginx may show a file that has been replaced.
const KEPT_OPEN: Duration = Duration::from_secs(1);
/// The grace time of the last distribution.
const SHORT: Duration = Duration::from_secs(4);
/// How long nothing at all may happen.
const STALLED: Duration = Duration::from_mins(2);

/// The ways, with the number of readers on each, and how many of a hundred snapshots they take: to read
/// from the disk is a hundred times faster than from an unoptimised daemon, and would be all there is.
const WAYS: [(&str, u64, u64); 3] = [("disk", 6, 50), ("nginx", 6, 42), ("daemon", 4, 8)];
/// How many updates by createrepo_c and snapshots of it there are for so many plans of the daemon.
const CREATEREPO_SHARE: u64 = 4;

/// The EGI procedure, and the ways back that an operator may want.
fn procedure() -> String {
    let back = |from: &str, to: &str, moves: &str| {
        format!("\n[[transition]]\nfrom = \"{from}\"\nto = \"{to}\"\nwho = [\"admin\"]\n{moves}\n")
    };
    include_str!("../../fixtures/procedures/brief.toml").to_owned()
        + &back("Production", "StageRollOut", "move = { from = \"production\", to = \"testing\" }")
        + &back("StageRollOut", "Unverified", "move = { from = \"testing\", to = \"untested\" }")
        + &back("Production", "Rejected", "withdraw = true")
}

/// What all threads know.
struct World {
    root: PathBuf,
    incoming: PathBuf,
    door: Door,
    course: Course,
    /// Plans that were carried out: moves in both directions and withdrawals.
    promotions: AtomicU64,
    recalls: AtomicU64,
    withdrawals: AtomicU64,
    tallies: [Tally; 3],
    clients: Clients,
}

/// How often other people's programs have read.
#[derive(Default)]
struct Clients {
    dnf: AtomicU64,
    zypper: AtomicU64,
    curl: AtomicU64,
    rsync: AtomicU64,
    /// Runs that met a torn pair and were repeated.
    again: AtomicU64,
}

impl Clients {
    fn all_have_run(&self) -> bool {
        [&self.dnf, &self.zypper, &self.curl, &self.rsync].iter().all(|runs| runs.load(Ordering::Relaxed) > 0)
    }
}

impl World {
    fn snapshots(&self) -> u64 {
        self.tallies.iter().map(|tally| tally.snapshots.load(Ordering::Relaxed)).sum()
    }

    fn promotions(&self) -> u64 {
        self.promotions.load(Ordering::Relaxed)
    }
}

/// Waits for something that the daemon does; `false` when everything is over before.
fn awaited(world: &World, what: &str, mut seen: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while world.course.goes_on() {
        if seen() {
            return true;
        }
        assert!(began.elapsed() < STALLED, "waited {STALLED:?} for {what}");
        thread::park_timeout(Duration::from_millis(4));
    }
    false
}

/// One rollout of one or two packages, and where it is.
struct Rollout {
    id: String,
    state: &'static str,
}

/// Uploads packages and makes a rollout of them.
fn begin(world: &World, dist: usize, number: usize, random: &mut Random) -> Option<Rollout> {
    let names: Vec<String> = (0..=random.below(2)).map(|n| format!("p{dist}x{number}x{n}")).collect();
    let tree = world.root.join("untested").join(DISTRIBUTIONS[dist]);
    let incoming = world.incoming.join(DISTRIBUTIONS[dist]);
    for name in &names {
        let mut made = recipe(name, "1.0", &[]);
        // Some have a hundred times the size of others, so that a download can be resumed.
        let most = if random.below(4) == 0 { 200_000 } else { 2_000 };
        let filling = random.place(most);
        made.files.push((format!("/usr/share/{name}/filling"), vec![b'x'; filling]));
        let hidden = incoming.join(format!(".{name}.rpm.Ab12cd"));
        fs::write(&hidden, package(&made, Some(&keys().ours.1))).unwrap();
        fs::rename(&hidden, incoming.join(format!("{name}.rpm"))).unwrap();
    }
    let id = format!("r{dist}-{number}");
    let nevras: Vec<String> = names.iter().map(|name| format!("{name}-1.0-1.noarch")).collect();
    let there = |name: &String| tree.join(format!("Packages/p/{name}-1.0-1.noarch.rpm")).is_file();
    awaited(world, &format!("{nevras:?} to be taken in"), || names.iter().all(there)).then_some(())?;
    let body = json!({"id": id, "distribution": DISTRIBUTIONS[dist], "title": "in motion", "packages": nevras});
    let sent = awaited(world, &format!("{id} to be submitted"), || {
        world.door.post("/api/v1/rollouts", &body).is_ok_and(|answer| answer.status == 201)
    });
    sent.then_some(Rollout { id, state: "Unverified" })
}

/// Keeps one distribution in motion.
fn promote(world: &World, dist: usize, mut random: Random, share: impl Fn() -> bool) {
    let mut number = 0;
    let mut rollouts: Vec<Rollout> = Vec::new();
    while world.course.goes_on() {
        if rollouts.len() < ROLLOUTS {
            number += 1;
            rollouts.extend(begin(world, dist, number, &mut random));
            continue;
        }
        if !share() {
            // The moves are spread over all snapshots.
            thread::park_timeout(Duration::from_millis(20));
            continue;
        }
        let at = random.place(rollouts.len());
        let reject = random.below(12) == 0;
        let back = random.below(3) == 0;
        let (next, counter) = match rollouts[at].state {
            _ if reject => ("Rejected", Some(&world.withdrawals)),
            "Unverified" => ("InVerification", None),
            "InVerification" => ("StageRollOut", Some(&world.promotions)),
            "StageRollOut" if back => ("Unverified", Some(&world.recalls)),
            "StageRollOut" => ("Production", Some(&world.promotions)),
            _ => ("StageRollOut", Some(&world.recalls)),
        };
        let id = rollouts[at].id.clone();
        let asked = || {
            let answer = world.door.post(&format!("/api/v1/rollouts/{id}/move"), &json!({"state": next})).unwrap();
            // The file is there a moment before the logbook knows of it.
            let early = answer.status == 409 && answer.text().contains("package_missing");
            assert!(early || answer.status < 300, "{id} to {next}: {} {}", answer.status, answer.text());
            !early
        };
        if !awaited(world, &format!("{id} to be on its way to {next}"), asked) {
            return;
        }
        let arrived = || world.door.state(&id).as_deref() == Some(next) && world.door.rests(&id);
        if !awaited(world, &format!("{id} to reach {next}"), arrived) {
            return;
        }
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
            if !std::ptr::eq(counter, &raw const world.promotions) {
                world.promotions.fetch_add(1, Ordering::Relaxed);
            }
        }
        if next == "Rejected" {
            rollouts.swap_remove(at);
        } else {
            rollouts[at].state = next;
        }
    }
}

/// nginx as a site runs it, and worse: files are kept open for a second after they were replaced, and
/// that a file is not there is remembered as long.
fn nginx(root: &Path) -> Nginx {
    let kept = KEPT_OPEN.as_secs();
    let http = format!(
        "sendfile on;\nkeepalive_requests 100000000;\nkeepalive_timeout 10m;\n\
         open_file_cache max=10000 inactive=1h;\nopen_file_cache_valid {kept}s;\nopen_file_cache_min_uses 1;\n\
         open_file_cache_errors on;\n"
    );
    let server = format!(
        "root {};\nlocation ~ /repomd\\.xml(\\.asc)?$ {{ add_header Cache-Control no-cache; }}\n",
        root.display()
    );
    Nginx::start(&http, &server)
}

/// Says whether a run of a client that went wrong has met a torn pair.
fn is_torn(out: &Output) -> bool {
    let words = said(out).to_lowercase();
    ["gpg signature", "signature verification", "bad signature"].iter().any(|part| words.contains(part))
}

/// Runs a client until it is content; only a torn pair excuses it, and not for ever.
fn content(world: &World, what: &str, runs: &AtomicU64, mut run: impl FnMut() -> Result<(), (bool, String)>) {
    let began = Instant::now();
    for attempt in 1.. {
        match run() {
            Ok(()) => break,
            // A web server that keeps files open may give one of the pair as it was for as long, to all who ask.
            Err((true, _)) if attempt < 5 || began.elapsed() < 3 * KEPT_OPEN => {
                world.clients.again.fetch_add(1, Ordering::Relaxed);
            }
            Err((_, why)) => {
                world.course.complain(format!("{what}, attempt {attempt}: {why}"));
                break;
            }
        }
    }
    runs.fetch_add(1, Ordering::Relaxed);
}

fn outcome(out: &Output) -> Result<(), (bool, String)> {
    if out.status.success() { Ok(()) } else { Err((is_torn(out), said(out))) }
}

/// What dnf, zypper, curl and rsync see, one after the other.
fn visit(world: &World, site: &ClientSite, mut random: Random) {
    let root = run_as_root();
    if !root {
        world.clients.dnf.fetch_add(1, Ordering::Relaxed);
        world.clients.zypper.fetch_add(1, Ordering::Relaxed);
    }
    while world.course.goes_on() {
        let tree = TREES[random.place(3)];
        if root {
            let machine = Machine::new();
            machine.dnf_repo(&site.served.replace("TREE", tree), &site.key);
            content(world, "dnf makecache", &world.clients.dnf, || outcome(&machine.dnf(&["makecache", "--refresh"])));
            machine.zypper_repo(&site.plain.replace("TREE", tree), &site.key);
            content(world, "zypper refresh", &world.clients.zypper, || {
                outcome(&machine.zypper(&["refresh", "--force"]))
            });
        }
        content(world, "curl", &world.clients.curl, || with_curl(site, tree));
        content(world, "rsync", &world.clients.rsync, || with_rsync(&world.root));
        for _ in 0..site.pause {
            if world.course.goes_on() {
                thread::park_timeout(Duration::from_millis(100));
            }
        }
    }
}

/// Where clients find the trees.
struct ClientSite {
    served: String,
    plain: String,
    key: String,
    socket: PathBuf,
    /// Tenths of a second between two rounds.
    pause: u64,
}

/// A tree fetched by curl from nginx: the pair, all that it names, and a package in two parts.
fn with_curl(site: &ClientSite, tree: &str) -> Result<(), (bool, String)> {
    let dir = TempDir::with_prefix("rolloutd-curl-").unwrap();
    let fetch = |names: &[&str], more: &[&str]| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--create-dirs", "--unix-socket"])
            .arg(&site.socket)
            .args(more);
        for name in names {
            curl.arg("--output").arg(dir.path().join(name));
            curl.arg(format!("http://nginx/{tree}/{DISTRIBUTION}/{name}"));
        }
        let out = curl.stdin(Stdio::null()).output().unwrap();
        if out.status.success() { Ok(()) } else { Err((false, format!("curl {names:?}: {}", said(&out)))) }
    };
    fetch(&["repodata/repomd.xml", "repodata/repomd.xml.asc"], &[])?;
    let repomd = fs::read(dir.path().join("repodata/repomd.xml")).unwrap();
    let asc = fs::read(dir.path().join("repodata/repomd.xml.asc")).unwrap();
    judge::signed_by_us(&repomd, &asc).map_err(|why| (true, why))?;
    let named = |why| (false, why);
    let (_, data) = judge::read_repomd(&repomd).map_err(named)?;
    let files: Vec<&str> = data.iter().map(|d| d.location.as_str()).collect();
    fetch(&files, &[])?;
    let primary = data.iter().find(|d| d.kind == "primary").unwrap();
    let open = primary.check(&fs::read(dir.path().join(&primary.location)).unwrap()).map_err(named)?;
    let packages = judge::read_primary(&open).map_err(named)?;
    for package in packages.values() {
        // Half of it, and then the rest, as after a line that broke.
        let half = format!("0-{}", package.size / 2);
        fetch(&[&package.location], &["--range", &half])?;
        fetch(&[&package.location], &["--continue-at", "-"])?;
    }
    let source = Source::Disk(dir.path().to_owned());
    judge::read(&source).map_err(|why| (false, why)).map(drop)
}

/// A mirror of all trees, made as the README says: `repomd.xml` is fetched first and put in place last.
fn with_rsync(root: &Path) -> Result<(), (bool, String)> {
    let home = TempDir::with_prefix("rolloutd-mirror-").unwrap();
    let [root, stage, mirror] =
        [root, &home.path().join("stage"), &home.path().join("mirror")].map(|dir| format!("{}/", dir.display()));
    let pair = ["--include=*/", "--include=repomd.xml*", "--exclude=*"];
    for (words, from, to) in
        [(&pair[..], &root, &stage), (&["--exclude=repomd.xml*"], &root, &mirror), (&[], &stage, &mirror)]
    {
        let out = Command::new("rsync").arg("-a").args(words).args([from, to]).output().unwrap();
        // 24: files have vanished meanwhile, as uploads and what was retired do.
        if !matches!(out.status.code(), Some(0 | 24)) {
            return Err((false, said(&out)));
        }
    }
    // Of the last one, what a slow rsync has been told of may be gone by right.
    for dist in &DISTRIBUTIONS[..2] {
        for tree in TREES {
            let source = Source::Disk(Path::new(&mirror).join(tree).join(dist));
            judge::read(&source).map_err(|why| (why.contains(TORN), format!("mirror of {tree}/{dist}: {why}")))?;
        }
    }
    Ok(())
}

fn told(name: &str, tally: &Tally) -> String {
    let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    format!(
        "{name}: {} snapshots, {} bad, {} torn (longest {:?}), {} too slow to count, {} packages, {} of them resumed",
        number(&tally.snapshots),
        number(&tally.bad),
        number(&tally.torn),
        Duration::from_micros(number(&tally.longest_torn)),
        number(&tally.too_slow),
        number(&tally.packages),
        number(&tally.resumed),
    )
}

/// A site with the procedure of these tests, and a short grace time in the last distribution.
fn moving_site() -> Site {
    let mut site = Site::prepare(&Wish { distributions: DISTRIBUTIONS.to_vec(), ..Wish::default() });
    let table = site.path("moving.toml");
    fs::write(&table, procedure()).unwrap();
    site.configure(BRIEF, &table.display().to_string());
    let text = site.configuration();
    let (before, last) = text.split_at(text.find(DISTRIBUTIONS[2]).unwrap());
    let short = format!("grace = {{ metadata = \"{0}s\", packages = \"{0}s\" }}", SHORT.as_secs());
    let usual = "grace = { metadata = \"24h\", packages = \"7d\" }";
    assert!(last.contains(usual), "{last}");
    site.write_configuration(&(before.to_owned() + &last.replace(usual, &short)));
    site.up();
    site
}

#[test]
fn no_reader_sees_a_broken_tree_while_packages_are_promoted_recalled_and_retired() {
    if !peers::have(&["nginx", "curl", "rsync", "dnf", "zypper", "gpgconf"]) {
        return;
    }
    let (snapshots, promotions, seed) =
        (number("ROLLOUTD_SNAPSHOTS").unwrap_or(3_000), number("ROLLOUTD_PROMOTIONS").unwrap_or(40), seed());
    tell(&format!("readers: ROLLOUTD_SEED={seed} ROLLOUTD_SNAPSHOTS={snapshots} ROLLOUTD_PROMOTIONS={promotions}"));
    let mut random = Random(seed);
    let mut site = moving_site();
    let nginx = nginx(&site.path("root"));
    let world = Arc::new(World {
        root: site.path("root"),
        incoming: site.path("incoming"),
        door: site.door.clone(),
        course: Course::default(),
        promotions: AtomicU64::new(0),
        recalls: AtomicU64::new(0),
        withdrawals: AtomicU64::new(0),
        tallies: Default::default(),
        clients: Clients::default(),
    });
    let places: Vec<Place> = DISTRIBUTIONS
        .iter()
        .enumerate()
        .flat_map(|(n, dist)| {
            let promised = if n == 2 { SHORT } else { Duration::from_hours(24) };
            TREES.map(|tree| Place { path: format!("{tree}/{dist}"), promised })
        })
        .collect();
    let client_site = ClientSite {
        served: site.served_url("TREE"),
        plain: site.plain_url("TREE"),
        key: site.key_url(),
        socket: nginx.socket(),
        pause: if snapshots > 100_000 { 50 } else { 0 },
    };
    let known = Arc::new(Known::default());
    let began = Instant::now();
    let mut threads = Vec::new();
    for dist in 0..DISTRIBUTIONS.len() {
        let (w, r) = (Arc::clone(&world), Random(random.next()));
        let share = move |world: &World| world.promotions() * snapshots <= (world.snapshots() + 500) * promotions;
        threads.push(thread::spawn(move || promote(&w, dist, r, || share(&w))));
    }
    for (n, (name, readers, share)) in WAYS.into_iter().enumerate() {
        let way = match name {
            "disk" => Way::Disk(site.path("root")),
            "nginx" => Way::Socket(nginx.socket()),
            _ => Way::Port(site.address()),
        };
        let stale = if name == "nginx" { KEPT_OPEN } else { Duration::ZERO };
        for _ in 0..readers {
            let (w, known, way, places) = (Arc::clone(&world), Arc::clone(&known), way.clone(), places.clone());
            let (mut choice, r) = (Random(random.next()), Random(random.next()));
            threads.push(thread::spawn(move || {
                let manner = Manner { signed: true, packages: true, stale };
                let mut reader = Reader::new(way, manner, &known, &w.tallies[n], r);
                while w.course.goes_on() {
                    if w.tallies[n].snapshots.load(Ordering::Relaxed) * 100 > (w.snapshots() + 100) * share {
                        thread::park_timeout(Duration::from_millis(2));
                        continue;
                    }
                    if let Err(why) = reader.snapshot(&places[choice.place(places.len())]) {
                        w.course.complain(format!("{name}: {why}"));
                    }
                }
            }));
        }
    }
    let (w, r) = (Arc::clone(&world), Random(random.next()));
    threads.push(thread::spawn(move || visit(&w, &client_site, r)));

    let mut last = (Instant::now(), 0);
    let mut said_last = Instant::now();
    loop {
        assert_eq!(site.has_ended(), None, "the daemon has ended");
        assert!(threads.iter().all(|t| !t.is_finished()), "a thread has failed (seed {seed})");
        let so_far = world.snapshots() + world.promotions();
        if so_far > last.1 {
            last = (Instant::now(), so_far);
        }
        assert!(last.0.elapsed() < STALLED, "nothing happens any more (seed {seed})");
        if said_last.elapsed() > Duration::from_mins(1) {
            said_last = Instant::now();
            tell(&format!("readers: {} snapshots, {} promotions so far", world.snapshots(), world.promotions()));
        }
        let wrong = world.course.wrong().len();
        let enough = world.snapshots() >= snapshots && world.promotions() >= promotions;
        if wrong >= 20 || enough && world.clients.all_have_run() && files_retired(&site) > 0 {
            break;
        }
        thread::park_timeout(Duration::from_millis(100));
    }
    let took = began.elapsed();
    world.course.end();
    for thread in threads {
        thread.join().unwrap();
    }
    let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    tell(&format!(
        "readers: seed {seed}: {} snapshots by 16 readers in {took:.0?}, while {} plans were carried out ({} recalls, {} \
         withdrawals) in {} distributions and {} files retired",
        world.snapshots(),
        world.promotions(),
        number(&world.recalls),
        number(&world.withdrawals),
        DISTRIBUTIONS.len(),
        files_retired(&site),
    ));
    for ((name, ..), tally) in WAYS.iter().zip(&world.tallies) {
        tell(&format!("readers: {}", told(name, tally)));
    }
    let clients = &world.clients;
    tell(&format!(
        "readers: dnf makecache {} times, zypper refresh {}, curl of a tree {}, rsync of all trees {}; {} runs met a \
         torn pair and were repeated",
        number(&clients.dnf),
        number(&clients.zypper),
        number(&clients.curl),
        number(&clients.rsync),
        number(&clients.again),
    ));
    let wrong = world.course.wrong();
    assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
    site.ctl_good(&["log", "--verify"]);
}

/// How many files were removed because their time had come, by the logbook.
fn files_retired(site: &Site) -> usize {
    let (mut files, mut from) = (0, 1);
    loop {
        let entries = site.document(&format!("/api/v1/log?from={from}&limit=1000"));
        let entries = entries.as_array().unwrap();
        if entries.is_empty() {
            return files;
        }
        from += entries.len();
        let retired = entries.iter().filter_map(|entry| fact(entry, "tree.retired")["files"].as_array());
        files += retired.map(Vec::len).sum::<usize>();
    }
}

#[test]
fn the_same_readers_see_what_createrepo_c_does_to_its_readers() {
    if !peers::have(&["nginx", "createrepo_c"]) {
        return;
    }
    let wanted = number("ROLLOUTD_PROMOTIONS").unwrap_or(40) / CREATEREPO_SHARE;
    let snapshots = number("ROLLOUTD_SNAPSHOTS").unwrap_or(3_000) / CREATEREPO_SHARE;
    let mut random = Random(seed());
    let home = TempDir::with_prefix("rolloutd-createrepo-").unwrap();
    let root = home.path().join("root");
    let tree = root.join("tree");
    fs::create_dir_all(&tree).unwrap();
    fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let add = |number: u64| {
        let bytes = package(&recipe(&format!("p{number}"), "1.0", &[]), Some(&keys().ours.1));
        fs::write(tree.join(format!("p{number}.rpm")), bytes).unwrap();
    };
    let update = || {
        let out = Command::new("createrepo_c").args(["--update", "--no-database", "tree"]).current_dir(&root).output();
        let out = out.unwrap();
        assert!(out.status.success(), "{}", said(&out));
    };
    (0..10).for_each(add);
    update();
    let nginx = nginx(&root);
    let (known, stop) = (Known::default(), AtomicBool::new(false));
    let tallies: [Tally; 2] = Default::default();
    let place = Place { path: "tree".to_owned(), promised: Duration::MAX };
    let taken = || tallies.iter().map(|tally| tally.snapshots.load(Ordering::Relaxed)).sum::<u64>();
    let bad = || tallies.iter().map(|tally| tally.bad.load(Ordering::Relaxed)).sum::<u64>();
    let updates = AtomicU64::new(0);
    // Half of the snapshots are nginx's, which is slower.
    let ahead = |tally: &Tally| tally.snapshots.load(Ordering::Relaxed) * 2 > taken() + 100;
    thread::scope(|scope| {
        for (n, way) in [Way::Disk(root.clone()), Way::Socket(nginx.socket())].into_iter().enumerate() {
            for _ in 0..8 {
                let (known, stop, ahead, tally, place) = (&known, &stop, &ahead, &tallies[n], &place);
                let (way, random) = (way.clone(), Random(random.next()));
                scope.spawn(move || {
                    // The packages are not fetched: that one is removed here before the metadata says so is
                    // not the fault of createrepo_c.
                    let manner = Manner { signed: false, packages: false, stale: Duration::ZERO };
                    let mut reader = Reader::new(way, manner, known, tally, random);
                    while !stop.load(Ordering::Relaxed) {
                        if ahead(tally) {
                            thread::park_timeout(Duration::from_millis(1));
                        } else {
                            let _ = reader.snapshot(place);
                        }
                    }
                });
            }
        }
        let began = Instant::now();
        // The readers are of no use if they see nothing here, so it goes on until they do.
        for number in 0.. {
            if number >= wanted && taken() >= snapshots && (bad() > 0 || began.elapsed() > STALLED) {
                break;
            }
            add(10 + number);
            fs::remove_file(tree.join(format!("p{number}.rpm"))).unwrap();
            update();
            updates.store(number + 1, Ordering::Relaxed);
        }
        stop.store(true, Ordering::Relaxed);
    });
    let updates = updates.into_inner();
    for (name, tally) in ["disk", "nginx"].iter().zip(&tallies) {
        let (all, bad) = (tally.snapshots.load(Ordering::Relaxed), tally.bad.load(Ordering::Relaxed));
        #[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
        let percent = 100.0 * bad as f64 / all as f64;
        tell(&format!(
            "readers of createrepo_c --update: {name}: {all} snapshots, {bad} bad ({percent:.3} %), {updates} updates"
        ));
    }
    assert!(bad() > 0, "the readers have seen nothing wrong in {updates} updates of createrepo_c");
}
