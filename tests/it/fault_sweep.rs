//! The disk fails at one call after the other, once or from then on, and the daemon says so and goes on.
//!
//! The scenarios are those of the kill sweep. In each a call that changes a file fails with ENOSPC, EDQUOT, EIO,
//! EMFILE or EROFS, as far as its manual page names that error; or all calls do from that one on, until the fault is
//! over. Or a sync claims to have worked and did not, which nobody can see as long as the power is on. Meanwhile a
//! reader reads all trees: each is whole at every moment, but for a signature that is not yet of its repomd.xml. Then
//! the daemon goes on by itself or after one restart, and comes to where the scenario ends. Where it could not go on
//! at once, `/readyz` or the log has said so.
//!
//! An ordinary run tries a fault in each of four scenarios, picked by `ROLLOUTD_SEED`. What sets the length:
//!
//! - `ROLLOUTD_FAULTS`: how many faults of each scenario, or `all`: each call, each of its errors, once and lasting;
//! - `ROLLOUTD_SWEEP_ONLY`, `ROLLOUTD_SWEEP_JOBS`: as in the kill sweep;
//! - `ROLLOUTD_LONG=1`: 20 faults of each scenario.

use crate::calls::{self, Calls, Order};
use crate::judge::{self, Source, TORN};
use crate::kill_sweep::{Campaign, Extent, Figures, Stop, count, report};
use crate::random::Random;
use crate::scenarios::{SCENARIOS, Scenario, TREES, restore, whole};
use crate::site::{Site, tell};
use serde_json::Value;
use std::cell::Cell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The errors that the manual page of a call names; the call is a line of the counter's.
pub(crate) fn errors(call: &str) -> &'static [&'static str] {
    let name = call.split(' ').nth(1).unwrap_or_default();
    let is = |beginnings: &[&str]| beginnings.iter().any(|beginning| name.starts_with(beginning));
    if is(&["open", "creat"]) {
        &["ENOSPC", "EDQUOT", "EIO", "EMFILE", "EROFS"]
    } else if is(&["rename", "link", "symlink", "mkdir", "fsetxattr"]) {
        &["ENOSPC", "EDQUOT", "EIO", "EROFS"]
    } else if is(&["unlink", "rmdir", "chmod", "fchmod", "chown", "fchown", "utimensat", "truncate"]) {
        &["EIO", "EROFS"]
    } else {
        // What writes to a descriptor, and what syncs it.
        &["ENOSPC", "EDQUOT", "EIO"]
    }
}

/// A sync that only claims to have worked.
pub(crate) const LIE: &str = "lie";

/// Scenarios of an ordinary run.
const ORDINARY: usize = 4;
/// How long a lasting fault lasts after the first call that failed when nothing comes of it.
const LASTS: Duration = Duration::from_secs(4);
/// How long it lasts on after the daemon has said that something is wrong.
const LASTS_ON: Duration = Duration::from_millis(500);
/// How long the daemon may take to go on by itself: its pauses double from one second on, and the machine is busy.
const PATIENCE: Duration = Duration::from_mins(2);
/// A reader that was held up for longer than this may meet what was retired meanwhile.
const SLOW_READ: Duration = Duration::from_millis(1500);

/// Reads all trees over and over until it is told to stop; gives how often, and what was wrong.
fn read_on(trees: &[PathBuf], stop: &AtomicBool) -> (usize, Vec<String>) {
    let (mut reads, mut wrong) = (0, Vec::new());
    let mut revisions = vec![0; trees.len()];
    while !stop.load(Ordering::Relaxed) {
        for (tree, last) in trees.iter().zip(&mut revisions) {
            let began = Instant::now();
            match judge::read(&Source::Disk(tree.clone())) {
                Ok(shown) => {
                    reads += 1;
                    let revision = shown.map_or(0, |shown| shown.revision);
                    if revision < *last {
                        wrong.push(format!("the revision of {} went back from {last} to {revision}", tree.display()));
                    }
                    *last = revision;
                }
                Err(why) if why.contains(TORN) || began.elapsed() > SLOW_READ => {}
                Err(why) => wrong.push(format!("a reader of {}: {why}", tree.display())),
            }
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    (reads, wrong)
}

/// Whether the daemon has said that something is wrong: in `/readyz`, in its log, or as its last words.
fn has_said(site: &Site) -> bool {
    let log = site.log();
    let line_says = |line: &str| {
        let refusal = line.contains("refused seq=");
        line.contains(" ERROR ") || (line.contains(" WARN ") && !refusal) || !line.starts_with("20")
    };
    let reasons = || {
        let answer = site.door.get("/readyz").ok()?;
        let body: Value = serde_json::from_slice(&answer.body).ok()?;
        let reasons = body["reasons"].as_array()?.clone();
        Some(
            reasons
                .iter()
                .any(|reason| !reason.as_str().is_some_and(|text| text.starts_with("recovery is in progress"))),
        )
    };
    log.lines().any(line_says) || reasons() == Some(true)
}

/// How long a daemon is watched that writes nothing more.
const LATCHED: Duration = Duration::from_millis(500);

/// How the daemon came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// What failed was not needed, or was tried again at once.
    Unharmed,
    /// It said what is wrong and went on by itself.
    WentOn,
    /// It had to be started again.
    Restarted,
    /// It ended by itself and was started again.
    Ended,
    /// The story passed before the call.
    Missed,
}

fn suffer(scenario: &Scenario, site: &mut Site, order: Order) -> Outcome {
    let lasting = matches!(order, Order::FailFrom(..));
    let calls = scenario.begin(site, order);
    let (mut ended, mut said) = (None, None::<Instant>);
    let latched = Cell::new(None::<Instant>);
    let watch = |site: &mut Site, ended: &mut Option<_>, said: &mut Option<Instant>| {
        *ended = site.has_ended();
        if said.is_none() && has_said(site) {
            *said = Some(Instant::now());
        }
        // Once a sync has failed, nothing is written until the next start. It has some time to try.
        if latched.get().is_none() && site.log().contains("until the daemon is restarted") {
            latched.set(Some(Instant::now()));
        }
        ended.is_some() || latched.get().is_some_and(|at| at.elapsed() > LATCHED)
    };
    let mut failed = None::<Instant>;
    let mut over = scenario.goes_on(site, PATIENCE, |site| {
        if lasting && failed.is_none() && calls.struck().is_some() {
            failed = Some(Instant::now());
        }
        let enough = |since: Option<Instant>, long: Duration| since.is_some_and(|at| at.elapsed() > long);
        watch(site, &mut ended, &mut said) || (lasting && (enough(failed, LASTS) || enough(said, LASTS_ON)))
    });
    if over && calls.struck().is_none() {
        return suffer_at_the_end(scenario, site, &calls);
    }
    calls.order(Order::Off);
    if !over && ended.is_none() {
        over = scenario.goes_on(site, PATIENCE, |site| watch(site, &mut ended, &mut said));
    }
    let struck = calls.struck();
    if let Some(status) = ended {
        assert!(status.code().is_some(), "it was ended by a signal: {status}");
        assert!(said.is_some() || has_said(site), "it ended with {status} and did not say why");
        site.spawn();
        scenario.check(site);
        return Outcome::Ended;
    }
    let said = said.is_some() || has_said(site);
    assert!(over || said, "it neither went on nor said why (struck: {struck:?})");
    if over {
        whole(site);
    }
    site.stop();
    site.spawn();
    scenario.check(site);
    match (struck, over, said) {
        (None, ..) => Outcome::Missed,
        (_, false, _) => Outcome::Restarted,
        (_, true, true) => Outcome::WentOn,
        (_, true, false) => Outcome::Unharmed,
    }
}

/// The call comes with the orderly end, or not at all.
fn suffer_at_the_end(scenario: &Scenario, site: &mut Site, calls: &Calls) -> Outcome {
    whole(site);
    let status = site.stop();
    assert!(status.code().is_some(), "it was ended by a signal: {status}");
    assert!(status.success() || has_said(site), "it ended with {status} and did not say why");
    let struck = calls.struck().is_some();
    let said = has_said(site);
    site.spawn();
    scenario.check(site);
    match (struck, said) {
        (false, _) => Outcome::Missed,
        (true, false) => Outcome::Unharmed,
        (true, true) => Outcome::Restarted,
    }
}

/// One fault, with a reader beside it.
fn strike(scenario: &Scenario, site: &mut Site, order: Order, figures: &mut Figures) {
    let trees: Vec<PathBuf> =
        if scenario.whole { TREES.iter().map(|tree| site.tree(tree)).collect() } else { Vec::new() };
    let what = format!("{}, {order:?}", scenario.name);
    let began = Instant::now();
    let outcome = figures.judge(&what, site, |site| {
        restore(site, "before");
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| read_on(&trees, &stop));
            let outcome = {
                let _stop = Stop(&stop);
                suffer(scenario, site, order)
            };
            let (reads, wrong) = reader.join().unwrap();
            assert_eq!(wrong, Vec::<String>::new(), "bad trees were seen");
            (outcome, reads)
        })
    });
    let Some((outcome, reads)) = outcome else {
        figures.points += 1;
        return;
    };
    figures.slowest = figures.slowest.max(began.elapsed());
    if began.elapsed() > PATIENCE {
        tell(&format!("slow, {:.1?}: {what}, {outcome:?}:\n{}", began.elapsed(), site.log()));
    }
    *figures.more.entry("reads").or_default() += reads;
    let word = match outcome {
        Outcome::Missed => {
            figures.missed += 1;
            return;
        }
        Outcome::Unharmed => "unharmed",
        Outcome::WentOn => "went on",
        Outcome::Restarted => "restarted",
        Outcome::Ended => "ended",
    };
    figures.points += 1;
    *figures.more.entry(word).or_default() += 1;
}

/// A fault at one of so many calls, or a lie at one of so many syncs.
pub(crate) fn any_fault(random: &mut Random, calls: &[String], syncs: usize) -> Order {
    let (error, n) = if random.below(6) == 0 {
        (LIE, 1 + random.place(syncs))
    } else {
        let n = random.place(calls.len());
        let errors = errors(&calls[n]);
        (errors[random.place(errors.len())], n + 1)
    };
    if random.below(2) == 0 { Order::Fail(error, n) } else { Order::FailFrom(error, n) }
}

#[test]
fn an_error_of_the_disk_at_any_call_is_said_and_survived() {
    if !calls::can_be_counted() {
        return;
    }
    let campaign = Campaign::of("ROLLOUTD_FAULTS", 1, 20);
    let found = campaign.each(&SCENARIOS, ORDINARY, |scenario, part| {
        let mut random = part.random(&campaign, scenario);
        let mut figures = Figures::default();
        let mut site = scenario.site();
        let counted = count(scenario, &mut site);
        let syncs = counted.iter().filter(|line| line.contains(" fsync ") || line.contains(" fdatasync ")).count();
        figures.calls = counted.len();
        match campaign.extent {
            Extent::All => {
                for (n, call) in (1..).zip(&counted).filter(|(n, _)| part.has(*n)) {
                    for error in errors(call) {
                        strike(scenario, &mut site, Order::Fail(error, n), &mut figures);
                        strike(scenario, &mut site, Order::FailFrom(error, n), &mut figures);
                    }
                }
                for n in (1..=syncs).filter(|n| part.has(*n)) {
                    strike(scenario, &mut site, Order::Fail(LIE, n), &mut figures);
                    strike(scenario, &mut site, Order::FailFrom(LIE, n), &mut figures);
                }
            }
            Extent::Some(faults) => {
                for _ in 0..faults {
                    let order = any_fault(&mut random, &counted, syncs);
                    strike(scenario, &mut site, order, &mut figures);
                }
            }
        }
        tell(&format!("{}: {} faults", scenario.name, figures.points));
        figures
    });
    report(&format!("fault sweep: ROLLOUTD_SEED={}", campaign.seed), &found);
}
