//! Whatever happens, in whatever order: no sequence of uploads, requests, hints, work, time and clocks breaks what the
//! procedures promise.
//!
//! A [`site::Site`] does what the engine does, without a disk. A [`model::Model`] beside it hears every fact and keeps its
//! own account. After each step: nothing has come into production without its time in testing or delta; no package is lost
//! or in two trees without a move; no wait was shorter than the procedure says; no wish stays that nothing holds up; nothing
//! moves forward under a halt; what was refused has written nothing; every fact reads as it was written. At the end the
//! logbook folds to the world.
//!
//! `ROLLOUTD_SEQUENCES` says, when this is compiled, how many sequences there are; `PROPTEST_CASES` when it runs.

use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// What is so, told a second time.
mod model;
/// People, packages and rules.
mod sample;
/// What the engine does.
mod site;
/// What can happen.
mod step;

use site::Site;
use step::Step;

/// Runs one sequence; returns how many packages it has brought into production.
fn run(procedure: usize, steps: &[Step]) -> Result<usize, String> {
    let start = "2026-12-14T10:00:00Z".parse().expect("a time");
    let mut site = Site::new(sample::rules(procedure), start);
    for (number, step) in steps.iter().enumerate() {
        step.happens(&mut site, number).map_err(|why| format!("step {number}, {step:?}: {why}"))?;
    }
    site.is_recovered()?;
    Ok(site.model.released)
}

/// How many sequences are asked for. This floor does not look at the environment when it runs, so it is compiled in.
const ASKED: Option<&str> = option_env!("ROLLOUTD_SEQUENCES");

#[test]
fn no_sequence_breaks_what_the_procedures_promise() {
    let usual = Config::default();
    let cases = ASKED.map_or(usual.cases, |number| number.parse().expect("ROLLOUTD_SEQUENCES is a number"));
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..usual };
    let all = (0..sample::PROCEDURES.len(), proptest::collection::vec(step::step(), 1..120));
    let released = std::cell::RefCell::new(vec![0_usize; sample::PROCEDURES.len()]);
    let outcome = TestRunner::new(config).run(&all, |(procedure, steps)| {
        let number = run(procedure, &steps).map_err(TestCaseError::fail)?;
        released.borrow_mut()[procedure] += number;
        Ok(())
    });
    outcome.unwrap_or_else(|why| panic!("{why}"));
    // A campaign in which nothing is released shows nothing.
    let released = released.into_inner();
    eprintln!("{cases} sequences released {released:?} packages");
    assert!(cases < 100 || released.iter().sum::<usize>() > 0, "{released:?}");
    assert!(cases < 2_000 || released.iter().all(|number| *number > 0), "{released:?}");
}
