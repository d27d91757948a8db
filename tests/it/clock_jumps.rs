//! A wall clock that jumps, by a second and by decades, at every step of a rollout.
//!
//! Only the wall clock jumps, by [`Hands`]; the clock that only goes forward is left alone. After
//! each jump, and after the jump back, something is uploaded that must be refused: when it has been, the
//! loop has gone round with the new time. Then:
//!
//! - no file has been removed, as no grace time is over (they are those of every site);
//! - every tree is whole, no revision went back, every package is where it was;
//! - the daemon is ready or says why not; one that refuses to start says why, and starts with the right
//!   time again;
//! - an upload is refused only when the clock says that it was signed in the future, and taken in when it
//!   is uploaded again with the right time; a move that could not be carried out is, with the right time.
//!
//! In the end the grace times are made short, and all that waits for its removal goes: no jump has it wait longer.
//!
//! `ROLLOUTD_JUMPS` sets how many pairs of a jump and a step there are (6 of all [`JUMPS`] at all [`STEPS`], in
//! an order that `ROLLOUTD_SEED` sets). The campaign:
//!
//! ```text
//! ROLLOUTD_JUMPS=120 cargo test --test it clock_jumps::
//! ```
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and uploads as people do")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::json;

use crate::campaign;
use crate::disagreement::{reasons, reasons_of, reload};
use crate::fsck::fsck;
use crate::hands::Hands;
use crate::judge::{self, Published, Source};
use crate::peers;
use crate::random::Random;
use crate::site::{DISTRIBUTION, Site, Wish, fact, files_below, keys, package, recipe, tell};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// How far the clock jumps.
const JUMPS: [i64; 14] = [
    1,
    -1,
    6 * 60,
    -6 * 60,
    2 * HOUR,
    -2 * HOUR,
    8 * DAY,
    -8 * DAY,
    YEAR,
    -YEAR,
    10 * YEAR,
    -10 * YEAR,
    50 * YEAR,
    -50 * YEAR,
];

/// When it jumps.
const STEPS: [&str; 5] = ["idle", "upload", "move", "restart", "two restarts"];

const TREES: [&str; 3] = ["untested", "testing", "production"];

/// A site, its clock, and what must hold in it.
struct Story {
    site: Site,
    hands: Hands,
    number: u64,
    /// The tree of each package.
    places: BTreeMap<String, &'static str>,
    revisions: BTreeMap<&'static str, u64>,
    /// How often it was not ready, refused an upload, and did not start with the wrong time.
    not_ready: u64,
    refused: u64,
    not_started: u64,
    carried_out_later: u64,
}

impl Story {
    fn begin() -> Self {
        let mut site = Site::prepare(&Wish { quiet: "50ms", ..Wish::default() });
        let hands = Hands::make(&site.path("keys"));
        site.under = hands.under();
        site.up();
        Self {
            site,
            hands,
            number: 0,
            places: BTreeMap::new(),
            revisions: BTreeMap::new(),
            not_ready: 0,
            refused: 0,
            not_started: 0,
            carried_out_later: 0,
        }
    }

    /// Entries of one kind in the logbook.
    fn entries(&self, kind: &str) -> Vec<serde_json::Value> {
        let (mut found, mut from) = (Vec::new(), 1);
        loop {
            let entries = self.site.document(&format!("/api/v1/log?from={from}&limit=1000"));
            let entries = entries.as_array().unwrap();
            if entries.is_empty() {
                return found;
            }
            from += entries.len();
            let facts = entries.iter().map(|entry| fact(entry, kind).clone());
            found.extend(facts.filter(|fact| !fact.is_null()));
        }
    }

    /// Waits until the loop has gone round with the time that is now set.
    fn beat(&mut self) {
        let before = self.entries("package.refused").len();
        self.number += 1;
        let name = format!("junk{}", self.number);
        self.site.drop_file(&format!("{name}.rpm"), &package(&recipe(&name, "1.0", &[]), None));
        self.wait("the loop to go round", |story| (story.entries("package.refused").len() > before).then_some(()));
    }

    fn wait<T>(&mut self, what: &str, mut seen: impl FnMut(&Self) -> Option<T>) -> T {
        let began = std::time::Instant::now();
        loop {
            if let Some(found) = seen(self) {
                return found;
            }
            assert_eq!(self.site.has_ended(), None, "waiting for {what}: the daemon has ended");
            assert!(began.elapsed().as_secs() < 90, "waited for {what}: {:?}", reasons(&self.site));
            std::thread::park_timeout(std::time::Duration::from_millis(10));
        }
    }

    fn listed(&self, tree: &'static str) -> Published {
        judge::read(&Source::Disk(self.site.tree(tree))).unwrap_or_else(|e| panic!("{tree}: {e}")).unwrap()
    }

    /// What must hold at every moment.
    #[track_caller]
    fn check(&mut self, when: &str) {
        assert_eq!(self.entries("tree.retired"), Vec::<serde_json::Value>::new(), "{when}: files were removed early");
        let mut found = BTreeMap::new();
        for tree in TREES {
            let published = self.listed(tree);
            let last = self.revisions.insert(tree, published.revision).unwrap_or_default();
            assert!(published.revision >= last, "{when}: {tree} went back from {last} to {}", published.revision);
            found.extend(published.packages.into_keys().map(|nevra| (nevra, tree)));
        }
        // A move that waits for the right time leaves its packages where they were.
        let lost: Vec<_> = self.places.keys().filter(|nevra| !found.contains_key(*nevra)).collect();
        assert!(lost.is_empty(), "{when}: lost {lost:?}");
        let answer = self.site.door.get("/readyz").unwrap();
        let said = reasons_of(&answer.body);
        assert!(answer.status == 200 || !said.is_empty(), "{when}: not ready and no reason");
        self.not_ready += u64::from(answer.status != 200);
    }

    /// Files that clients do not need any more and that are still there.
    fn superseded(&self) -> Vec<PathBuf> {
        let of_tree = |tree| {
            let (dir, published) = (self.site.tree(tree), self.listed(tree));
            let packages = published.packages.into_values().map(|listed| listed.location);
            let repomd = ["repomd.xml", "repomd.xml.asc", "repomd.xml.key"].map(|name| format!("repodata/{name}"));
            let named: Vec<PathBuf> =
                packages.chain(published.files).chain(repomd).map(|file| dir.join(file)).collect();
            let all = [files_below(&dir.join("Packages")), files_below(&dir.join("repodata"))].concat();
            all.into_iter().filter(move |file| !named.contains(file))
        };
        TREES.into_iter().flat_map(of_tree).collect()
    }

    /// Uploads a good package; gives its NEVRA when it is taken in, and the code when it is refused.
    fn upload(&mut self, name: &str) -> Result<String, String> {
        let bytes = package(&recipe(name, "1.0", &[]), Some(&keys().ours.1));
        self.site.drop_file(&format!("{name}.rpm"), &bytes);
        let nevra = format!("{name}-1.0-1.noarch");
        let (path, wanted) = (format!("{name}.rpm"), nevra.clone());
        let before = self.entries("package.refused").len();
        let verdict = self.wait("a verdict", |story| {
            if story.entries("package.accepted").iter().any(|fact| fact["nevra"] == *wanted) {
                return Some(Ok(wanted.clone()));
            }
            let refused = story.entries("package.refused");
            let mine = refused.iter().skip(before).find(|fact| fact["upload"] == *path)?;
            Some(Err(mine["code"].as_str().unwrap().to_owned()))
        });
        if verdict.is_ok() {
            self.places.insert(nevra, "untested");
        }
        verdict
    }

    /// A rollout of one package that is ready for its next step.
    fn rollout(&mut self) -> (String, String) {
        self.number += 1;
        let nevra = self.upload(&format!("moved{}", self.number)).unwrap_or_else(|code| panic!("refused: {code}"));
        let id = format!("r{}", self.number);
        let body = json!({"id": id, "distribution": DISTRIBUTION, "title": "in time", "packages": [nevra]});
        assert_eq!(self.site.door.post("/api/v1/rollouts", &body).unwrap().status, 201);
        self.ask(&id, "InVerification");
        (id, nevra)
    }

    fn ask(&self, id: &str, state: &str) {
        let answer = self.site.door.post(&format!("/api/v1/rollouts/{id}/move"), &json!({"state": state})).unwrap();
        assert!(answer.status < 300, "{id} to {state}: {}", answer.text());
    }

    fn jump(&mut self, seconds: i64, step: &str) {
        let when = format!("a jump of {seconds} s, {step}");
        match step {
            "idle" => self.hands.set(seconds),
            "upload" => {
                self.hands.set(seconds);
                self.number += 1;
                let name = format!("upload{}", self.number);
                if let Err(code) = self.upload(&name) {
                    assert!(seconds < -2 * YEAR && code == "not_yet_valid", "{when}: a good upload is {code}");
                    self.refused += 1;
                    self.hands.set(0);
                    let nevra =
                        self.upload(&name).unwrap_or_else(|code| panic!("{when}: {code} with the right time, too"));
                    // With the wrong time it might not be published: the key that signs is not as old.
                    let listed = |story: &Self| story.listed("untested").packages.contains_key(&nevra).then_some(());
                    self.wait("its publication", listed);
                    self.hands.set(seconds);
                }
            }
            "move" => {
                let (id, nevra) = self.rollout();
                self.hands.set(seconds);
                self.ask(&id, "StageRollOut");
                let in_time = self.wait("the move", |story| {
                    let waits = !reasons(&story.site).is_empty();
                    let rests = story.site.door.rests(&id);
                    (waits || rests).then_some(rests)
                });
                self.check(&when);
                self.hands.set(0);
                self.wait("the move with the right time", |story| story.site.door.rests(&id).then_some(()));
                self.carried_out_later += u64::from(!in_time);
                self.places.insert(nevra.clone(), "testing");
                self.hands.set(seconds);
                self.ask(&id, "Production");
                self.beat();
                self.check(&when);
                self.hands.set(0);
                self.wait("the move with the right time", |story| story.site.door.rests(&id).then_some(()));
                self.places.insert(nevra, "production");
                self.hands.set(seconds);
            }
            "restart" => self.restart(seconds, &when),
            "two restarts" => {
                // The second one finds entries of the wrong time, and the clock still as wrong.
                self.restart(seconds, &when);
                self.beat();
                self.check(&when);
                self.restart(seconds, &when);
            }
            other => panic!("no such step: {other}"),
        }
        self.beat();
        self.check(&when);
        self.hands.set(0);
        self.beat();
        self.check(&format!("{when}, and back"));
    }

    /// Starts the daemon anew with the clock so many seconds off, or with the right time if it says that it cannot.
    fn restart(&mut self, seconds: i64, when: &str) {
        self.site.kill();
        self.hands.set(seconds);
        self.site.under = self.hands.under();
        self.site.spawn();
        if !self.starts() {
            self.not_started += 1;
            let log = self.site.log();
            assert!(log.trim_end().lines().last().is_some_and(|line| line.len() > 20), "{when}: no word: {log}");
            self.hands.set(0);
            self.site.under = self.hands.under();
            self.site.up();
        }
    }

    /// Whether the daemon that was started answers and does not end.
    fn starts(&mut self) -> bool {
        let began = std::time::Instant::now();
        loop {
            if self.site.has_ended().is_some() {
                return false;
            }
            self.site.look_for_door();
            if self.site.door.get("/healthz").is_ok_and(|answer| answer.status == 200) {
                return true;
            }
            assert!(began.elapsed().as_secs() < 60, "it neither starts nor ends");
            std::thread::park_timeout(std::time::Duration::from_millis(10));
        }
    }
}

#[test]
fn no_jump_of_the_clock_removes_refuses_or_loses_anything_that_the_right_time_would_not() {
    if !peers::have(&["cc"]) {
        return;
    }
    let seed = campaign::seed();
    let total = campaign::count("ROLLOUTD_JUMPS").unwrap_or(6);
    tell(&format!("clock: ROLLOUTD_SEED={seed} ROLLOUTD_JUMPS={total}"));
    let mut random = Random(seed);
    let mut story = Story::begin();
    // Something waits for its removal from the beginning.
    let (id, nevra) = story.rollout();
    story.ask(&id, "StageRollOut");
    story.wait("the move", |story| story.site.door.rests(&id).then_some(()));
    story.places.insert(nevra, "testing");
    story.beat();
    story.check("in the beginning");
    // The daemon must have the clock that it is given, or all of this proves nothing.
    story.hands.set(10 * YEAR);
    story.beat();
    let log = story.site.ctl_good(&["log", "--limit", "1"]);
    let year = Timestamp::now().to_string()[..4].parse::<i64>().unwrap() + 10;
    assert!(log.contains(&year.to_string()) || log.contains(&(year - 1).to_string()), "not {year}: {log}");
    story.hands.set(0);
    let mut all: Vec<(i64, &str)> = Vec::new();
    while all.len() < total {
        let mut round: Vec<(i64, &str)> = JUMPS.iter().flat_map(|jump| STEPS.map(|step| (*jump, step))).collect();
        for last in (1..round.len()).rev() {
            round.swap(last, random.place(last + 1));
        }
        all.append(&mut round);
    }
    for (jump, step) in all.into_iter().take(total) {
        story.jump(jump, step);
    }
    let waiting = story.superseded().len();
    assert!(waiting > 0, "nothing has waited");
    for (nevra, tree) in story.places.clone() {
        assert!(story.listed(tree).packages.contains_key(&nevra), "{nevra} is not in {tree} (seed {seed})");
    }
    story.site.configure(
        "grace = { metadata = \"24h\", packages = \"7d\" }",
        "grace = { metadata = \"1s\", packages = \"1s\" }",
    );
    reload(&story.site);
    story.wait("what nobody needs to go", |story| story.superseded().is_empty().then_some(()));
    story.site.ctl_good(&["log", "--verify"]);
    let (said, _) = fsck(&story.site, false);
    assert!(said.is_empty(), "seed {seed}: {said:?}");
    tell(&format!(
        "clock: seed {seed}: {total} jumps of 1 s to 50 years in both directions and as many back, while idle, at uploads, \
         moves and restarts: 0 files removed early, 0 revisions back, 0 packages lost of {}; after {} checks it was not \
         ready and said why, {} good uploads were refused as signed in the future and taken in later, {} moves waited for \
         the right time, {} starts were refused with the reason; {waiting} files waited in the end, and went when the \
         grace times were made short",
        story.places.len(),
        story.not_ready,
        story.refused,
        story.carried_out_later,
        story.not_started,
    ));
}
