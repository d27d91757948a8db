//! The daemon is killed before every one of its calls that changes a file, and again while it recovers.
//!
//! Where the random kills of `kill_loop` find what is likely, this finds what is possible. Each of the scenarios is
//! told once to count the calls (`calls.py` counts over all threads), then once for each of them with a kill before it.
//! While the daemon is down, clients see whole trees. After one restart the site must be whole, nothing lost, and the
//! scenario must come to its end (`scenarios`). What the kill had left is kept, and from it the recovery is killed
//! before its own calls, too.
//!
//! Threads take turns in no fixed order, so the n-th call is not the same call each time; that is why every number is
//! tried up to the first with which a story passes unkilled.
//!
//! An ordinary run tries a point or so of each, picked by `ROLLOUTD_SEED`. What sets the length:
//!
//! - `ROLLOUTD_SWEEP`: how many points of each scenario (1), or `all`;
//! - `ROLLOUTD_SWEEP_AGAIN`: of so many calls of a recovery, but for those whose kill would leave the same as the one
//!   before, one is struck (150; 10 in a long run or with `all`);
//! - `ROLLOUTD_SWEEP_ONLY`: scenarios whose names contain this;
//! - `ROLLOUTD_SWEEP_JOBS`: how many stories are told at once (2);
//! - `ROLLOUTD_LONG=1`: 20 points of each scenario.
#![expect(clippy::disallowed_methods, reason = "tests write into their own temporary directories")]

use crate::calls::{self, Calls, Order};
use crate::campaign;
use crate::random::Random;
use crate::scenarios::{self, End, SCENARIOS, Scenario, seen_by_clients};
use crate::site::{Site, Wish, tell};
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A recovery that takes longer with all that is asked after it is worth a look.
const SLOW: Duration = Duration::from_secs(20);

/// How long a campaign is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// So many points of each scenario.
    Some(usize),
    /// Every point.
    All,
}

/// A story that is told again and again.
pub(crate) trait Named {
    fn name(&self) -> &'static str;
}

impl Named for Scenario {
    fn name(&self) -> &'static str {
        self.name
    }
}

/// What is set for a campaign.
pub(crate) struct Campaign {
    pub(crate) extent: Extent,
    is_long: bool,
    pub(crate) seed: u64,
    only: String,
}

impl Campaign {
    /// What the variable says: a number or `all`.
    pub(crate) fn of(variable: &str, few: usize, long: usize) -> Self {
        let is_long = campaign::is_long();
        let extent = match std::env::var(variable) {
            Ok(text) if text == "all" => Extent::All,
            _ => Extent::Some(campaign::count(variable).unwrap_or(if is_long { long } else { few })),
        };
        Self {
            extent,
            is_long: is_long || extent == Extent::All,
            seed: campaign::seed(),
            only: std::env::var("ROLLOUTD_SWEEP_ONLY").unwrap_or_default(),
        }
    }

    /// Hands each story to one of a few threads, in parts when all is to be tried; each part has its own site. An
    /// ordinary run takes `few` of the stories.
    pub(crate) fn each<S: Named + Sync>(
        &self,
        stories: &[S],
        few: usize,
        work: impl Fn(&S, Part) -> Figures + Sync,
    ) -> BTreeMap<&'static str, Figures> {
        let jobs = campaign::count("ROLLOUTD_SWEEP_JOBS").unwrap_or(2).max(1);
        let parts = if self.extent == Extent::All { jobs } else { 1 };
        let mut stories: Vec<&S> = stories.iter().filter(|story| story.name().contains(&self.only)).collect();
        let mut random = Random(self.seed);
        while self.extent == Extent::Some(1) && stories.len() > few {
            stories.remove(random.place(stories.len()));
        }
        let all: Vec<(&S, Part)> =
            stories.into_iter().flat_map(|story| (0..parts).map(move |part| (story, Part { part, parts }))).collect();
        let (next, found) = (AtomicUsize::new(0), Mutex::new(BTreeMap::<&str, Figures>::new()));
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    while let Some((story, part)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let figures = work(story, *part);
                        found.lock().unwrap().entry(story.name()).or_default().add(figures);
                    }
                });
            }
        });
        found.into_inner().unwrap()
    }
}

/// Which of the numbers are this one's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    part: usize,
    parts: usize,
}

impl Part {
    pub(crate) fn has(self, number: usize) -> bool {
        number % self.parts == self.part
    }

    /// A seed of its own for each part of each story.
    pub(crate) fn random(self, campaign: &Campaign, story: &impl Named) -> Random {
        let name = story.name().bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        Random(campaign.seed ^ name ^ (self.part as u64) << 40)
    }
}

/// Tells a thread beside the story to stop, also when the story fails.
pub(crate) struct Stop<'a>(pub(crate) &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What was tried and what came out.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Calls of the story that was only counted.
    pub(crate) calls: usize,
    /// Stories in which something was struck.
    pub(crate) points: usize,
    /// Recoveries in which something was struck.
    pub(crate) again: usize,
    /// Stories that passed before what was aimed at.
    pub(crate) missed: usize,
    /// Words of each campaign's own.
    pub(crate) more: BTreeMap<&'static str, usize>,
    /// The longest time until a daemon was ready, or had come through a fault.
    pub(crate) slowest: Duration,
    pub(crate) violations: Vec<String>,
}

impl Figures {
    fn add(&mut self, other: Self) {
        self.calls = self.calls.max(other.calls);
        self.points += other.points;
        self.again += other.again;
        self.missed += other.missed;
        self.slowest = self.slowest.max(other.slowest);
        self.violations.extend(other.violations);
        for (word, times) in other.more {
            *self.more.entry(word).or_default() += times;
        }
    }

    /// Does something that panics when a promise is broken, and writes that down with all there is to say.
    pub(crate) fn judge<T>(&mut self, what: &str, site: &mut Site, done: impl FnOnce(&mut Site) -> T) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(|| done(site))) {
            Ok(value) => Some(value),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                let log = site.log();
                let tail: Vec<&str> = log.lines().rev().take(12).collect();
                let tail = tail.iter().rev().fold(String::new(), |told, line| told + "\n    " + line);
                let told = format!("{what}: {}{tail}", text.unwrap_or_default());
                tell(&format!("VIOLATION {told}"));
                self.violations.push(told);
                None
            }
        }
    }
}

/// Prints what came out, and fails when a promise was broken.
pub(crate) fn report(title: &str, found: &BTreeMap<&'static str, Figures>) {
    tell(&format!(
        "{title}:\n{:32}{:>7}{:>8}{:>8}{:>8}{:>9}{:>12}",
        "scenario", "calls", "points", "again", "missed", "slowest", "violations"
    ));
    let mut all = Figures::default();
    for (name, figures) in found {
        let Figures { calls, points, again, missed, slowest, violations, more } = figures;
        let more = more.iter().fold(String::new(), |told, (word, times)| format!("{told}  {word} {times}"));
        let slowest = format!("{:.1} s", slowest.as_secs_f64());
        tell(&format!("{name:32}{calls:>7}{points:>8}{again:>8}{missed:>8}{slowest:>9}{:>12}{more}", violations.len()));
        all.points += points;
        all.again += again;
        all.violations.extend(violations.iter().cloned());
    }
    tell(&format!("{:32}{:>15}{:>8}{:>29}", "all", all.points, all.again, all.violations.len()));
    assert!(all.points > 0, "nothing was struck, so nothing was tried");
    assert!(all.violations.is_empty(), "{} violations:\n{}", all.violations.len(), all.violations.join("\n"));
}

/// Tells the story and gives the calls.
pub(crate) fn count(scenario: &Scenario, site: &mut Site) -> Vec<String> {
    scenarios::restore(site, "before");
    let calls = scenario.begin(site, Order::Count);
    assert_eq!(scenario.run(site), End::Over, "nobody kills it here");
    calls.counted()
}

/// Starts a daemon on what a kill has left; gives its calls until it is ready, and how long that took.
fn recover(scenario: &Scenario, site: &mut Site) -> (Vec<String>, Duration) {
    let calls = Calls::watch(site, Order::Count);
    let began = Instant::now();
    site.up();
    let (recovery, taken) = (calls.counted(), began.elapsed());
    scenario.check(site);
    if began.elapsed() > SLOW {
        tell(&format!("slow, {:.1?} until all was judged:\n{}", began.elapsed(), site.log()));
    }
    (recovery, taken)
}

/// What was left by a kill is started with another one before the n-th call; gives whether it came to that.
fn strike_again(scenario: &Scenario, site: &mut Site, n: usize) -> bool {
    scenarios::restore(site, "killed");
    let calls = Calls::watch(site, Order::Kill(n));
    site.spawn();
    let struck = scenario.run(site) == End::Killed;
    assert_eq!(struck, calls.struck().is_some());
    if struck {
        if scenario.whole {
            seen_by_clients(site);
        }
        site.spawn();
        scenario.check(site);
    }
    struck
}

/// A kill before the n-th call, the restart, and of the recovery's calls one in `again`; gives whether it was struck.
fn strike(
    scenario: &Scenario,
    site: &mut Site,
    n: usize,
    (again, random): (usize, &mut Random),
    figures: &mut Figures,
) -> Option<bool> {
    let what = format!("{}, kill before call {n}", scenario.name);
    let call = figures.judge(&what, site, |site| {
        scenarios::restore(site, "before");
        let calls = scenario.begin(site, Order::Kill(n));
        let end = scenario.run(site);
        let struck = calls.struck();
        assert_eq!(end == End::Killed, struck.is_some());
        struck
    })?;
    let Some(call) = call else {
        figures.missed += 1;
        return Some(false);
    };
    figures.points += 1;
    scenarios::keep(site, "killed");
    let what = format!("{}, killed before call {call}", scenario.name);
    if scenario.whole {
        let torn = figures.judge(&what, site, |site| seen_by_clients(site)).unwrap_or_default();
        *figures.more.entry("torn").or_default() += torn;
    }
    let recovery = figures.judge(&what, site, |site| recover(scenario, site));
    let (recovery, taken) = recovery.unwrap_or_default();
    figures.slowest = figures.slowest.max(taken);
    let distinct = Calls::distinct(&recovery);
    for second in distinct.iter().copied() {
        if random.below(again as u64) == 0 {
            let what = format!("{what} and before call {second} of the recovery");
            let struck = figures.judge(&what, site, |site| strike_again(scenario, site, second));
            figures.again += usize::from(struck != Some(false));
        }
    }
    *figures.more.entry("recovery calls").or_default() += recovery.len();
    *figures.more.entry("distinct").or_default() += distinct.len();
    Some(true)
}

#[test]
fn what_a_crash_left_anywhere_is_gone_after_the_next_start() {
    let mut site = Site::prepare(&Wish::default());
    let tree = site.tree("testing");
    let kept = ["rejected", "retired"].map(|dir| site.path("state").join(dir).join("umd_3_sl6_x86__64"));
    let ours = ["state", "state/index"].map(|dir| site.path(dir)).into_iter().chain(kept);
    let trees = [tree.clone(), tree.join("repodata"), tree.join("Packages/b")];
    // In a container every daemon is process 1, and would meet its own name of before.
    let left: Vec<_> = ours.chain(trees).map(|dir| dir.join(".rolloutd-1-0")).collect();
    for file in &left {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "half a file").unwrap();
    }
    site.up();
    let stays: Vec<_> = left.iter().filter(|file| file.exists()).collect();
    assert!(stays.is_empty(), "{stays:?}");
    assert!(site.stop().success());
}

#[test]
fn a_kill_before_any_call_that_changes_a_file_is_recovered_from_and_so_is_the_next() {
    if !calls::can_be_counted() {
        return;
    }
    let campaign = Campaign::of("ROLLOUTD_SWEEP", 1, 20);
    let again = campaign::count("ROLLOUTD_SWEEP_AGAIN").unwrap_or(if campaign.is_long { 10 } else { 150 }).max(1);
    let found = campaign.each(&SCENARIOS, SCENARIOS.len(), |scenario, part| {
        let mut random = part.random(&campaign, scenario);
        let mut figures = Figures::default();
        let mut site = scenario.site();
        figures.calls = count(scenario, &mut site).len();
        match campaign.extent {
            Extent::All => {
                let mut n = 0;
                loop {
                    n += 1;
                    if !part.has(n) {
                        continue;
                    }
                    let struck = strike(scenario, &mut site, n, (again, &mut random), &mut figures);
                    if struck == Some(false) && n > figures.calls {
                        break;
                    }
                    assert!(n < 10 * figures.calls + 100, "{}: the story does not get past call {n}", scenario.name);
                }
            }
            Extent::Some(points) => {
                for _ in 0..points {
                    let n = 1 + random.place(figures.calls);
                    strike(scenario, &mut site, n, (again, &mut random), &mut figures);
                }
            }
        }
        tell(&format!("{}: {} points, {} again", scenario.name, figures.points, figures.again));
        figures
    });
    report(&format!("kill sweep: ROLLOUTD_SEED={}", campaign.seed), &found);
}
