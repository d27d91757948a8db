//! What one input costs, and a start, as the history grows: decisions, gates, pages, the fold.
//!
//! ```text
//! cargo bench --bench process -- [--entries N]…
//! ```
//!
//! A history of N entries and a tenth more (10,000, 100,000 and 1,000,000 unless another is asked for) is written into a
//! logbook: a tenth as many rollouts of one package each, which went from untested to production, in four distributions;
//! ten are a bundle, with ten tasks of early adopters. Then it is opened
//! as the daemon opens it, and inputs of every kind are decided in that world. Goals at 1,000,000 entries: every input
//! under 1 ms at the median and 5 ms at the 99th percentile, a submission of 5,000 packages under 50 ms; a rollout's
//! history, `why` and a page of the list under 10 ms; ready to decide in under 2 s.
#![expect(clippy::disallowed_methods, reason = "a bench writes below target and asks for the time")]
#![expect(clippy::print_stdout, reason = "the table")]
#![expect(clippy::cast_precision_loss, reason = "three digits are shown")]

#[path = "../plot/mod.rs"]
mod plot;
#[path = "../stock/mod.rs"]
#[expect(dead_code, reason = "only its place is wanted")]
mod stock;

mod story;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use plot::Plot;
use rolloutd::domain::names::RolloutId;
use rolloutd::engine::checkpoint;
use rolloutd::engine::folding::take_up;
use rolloutd::engine::view::{Shared, View, Wanted};
use rolloutd::process::fact::Subject;
use rolloutd::process::who::Caller;
use rolloutd::process::{decide, wish};
use rolloutd::store::disk::Kernel;
use rolloutd::store::logbook::{Checkpoint, Logbook as _, Reader, SqliteLogbook};

/// How the costs grow with the history.
const GROWTH: Plot = Plot {
    name: "process",
    title: "Time for one input, by the length of the history",
    across: "entries of the logbook",
    lines: &[
        ("submit one", "submit one package", "#0b6e4f"),
        ("submit 5,000", "submit 5,000 packages", "#b5442f"),
        ("move", "move", "#2f6fb5"),
        ("why", "why", "#8a5a00"),
        ("history", "history of a rollout", "#6b3fa0"),
        ("start", "start: read and fold all", "#777777"),
    ],
};

/// How often each thing is done.
const TURNS: usize = 300;

fn main() {
    // `cargo test --benches` asks for nothing.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let mut words = std::env::args().skip(1);
    let mut sizes = Vec::new();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--bench" => {}
            "--entries" => sizes.push(words.next().and_then(|n| n.parse().ok()).expect("a number follows")),
            other => panic!("`{other}` is none of --entries N"),
        }
    }
    if sizes.is_empty() {
        sizes = vec![10_000, 100_000, 1_000_000];
    }
    for entries in sizes {
        let rows = measure(entries);
        println!("### {entries} entries\n\n| what | median ms | 99 of 100 ms |\n|---|--:|--:|");
        for (what, times) in &rows {
            println!("| {what} | {:.3} | {:.3} |", at(times, 50), at(times, 99));
        }
        println!("| peak memory, MiB | {:.0} | |\n", peak());
        GROWTH.remember(entries, rows.iter().map(|(what, times)| (what.as_str(), at(times, 50))));
    }
    println!("{}", GROWTH.draw().display());
}

/// Milliseconds under which so many of a hundred are.
fn at(times: &[Duration], percent: usize) -> f64 {
    let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}

/// The most memory that this process has had, in MiB.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    kib as f64 / 1024.0
}

/// Does something again and again; the times in order.
fn times<T>(mut what: impl FnMut(usize) -> T) -> Vec<Duration> {
    let mut taken: Vec<Duration> = (0..TURNS)
        .map(|turn| {
            let begun = Instant::now();
            let done = what(turn);
            let time = begun.elapsed();
            drop(done);
            time
        })
        .collect();
    taken.sort_unstable();
    taken
}

fn measure(entries: usize) -> Vec<(String, Vec<Duration>)> {
    let dir = stock::place().join(format!("history-{entries}"));
    let path = dir.join("logbook.sqlite");
    if !path.exists() {
        std::fs::create_dir_all(&dir).expect("a directory");
        story::write(&path, entries);
    }
    let mut shared = Shared::default();
    let mut start: Vec<Duration> = (0..3)
        .map(|_| {
            // A daemon that starts has no other world to give back.
            shared = Shared::default();
            let begun = Instant::now();
            shared = open(&path);
            begun.elapsed()
        })
        .collect();
    start.sort_unstable();
    let quick = from_checkpoint(&path, &shared);
    let view = shared.read();
    let reader = Reader::of(path);
    let mut rows = vec![
        ("start: read, check and fold all".to_owned(), start),
        ("start with a checkpoint: read and check all".to_owned(), quick),
    ];
    rows.extend(inputs(&view, entries));
    rows.extend(questions(&view, &reader, entries));
    rows
}

/// The same starts beside a checkpoint of all entries, made as the engine makes it.
fn from_checkpoint(path: &Path, shared: &Shared) -> Vec<Duration> {
    let kernel = Arc::new(Kernel::default());
    let mut book = SqliteLogbook::open_sealed(path, kernel).expect("opened");
    let fold = checkpoint::bytes(&shared.read().world).expect("written");
    let (head, checkpoints) = (book.head(), book.checkpoints().expect("the daemon's"));
    checkpoints.put(&Checkpoint { head, fold }).expect("written");
    let mut start: Vec<Duration> = (0..3)
        .map(|_| {
            let shared = Shared::default();
            let begun = Instant::now();
            shared.begin(story::rules(), |world| take_up(&mut book, world)).expect("folded");
            let time = begun.elapsed();
            assert_eq!(shared.read().world.last, head.seq);
            time
        })
        .collect();
    start.sort_unstable();
    std::fs::remove_file(path.with_extension("checkpoint")).expect("removed");
    start
}

fn open(path: &Path) -> Shared {
    let mut book = SqliteLogbook::open_unread(path).expect("opened");
    let shared = Shared::default();
    shared.begin(story::rules(), |world| take_up(&mut book, world)).expect("folded");
    assert!(shared.read().world.mismatches.is_empty(), "{:?}", shared.read().world.mismatches);
    assert_eq!(shared.read().world.last, book.head().seq);
    shared
}

/// Every kind of input: decided and folded in, into a world of its own each time.
fn inputs(view: &View, entries: usize) -> Vec<(String, Vec<Duration>)> {
    let now = Timestamp::from_second(2_000_000_000).expect("a time");
    let mut all = Vec::new();
    for (what, input) in story::inputs(entries) {
        let taken = times(|turn| {
            let input = input(turn);
            let mut world = view.world.clone();
            let decision = decide(view.known(), &input);
            assert!(!decision.entries.is_empty(), "{what}: {:?}", decision.answer);
            for entry in &decision.entries {
                let seq = world.last + 1;
                world.apply(seq, now, entry.who.as_str(), &entry.fact);
            }
            (input, world)
        });
        all.push((what.to_owned(), taken));
    }
    let waiting: Vec<RolloutId> = view.world.rollouts.waiting().map(|rollout| rollout.id.clone()).collect();
    let taken = times(|turn| wish(view.known(), &waiting[turn % waiting.len()]));
    all.push((format!("a waiting rollout is judged again ({} wait)", waiting.len()), taken));
    all
}

/// What people ask.
fn questions(view: &View, reader: &Reader, entries: usize) -> Vec<(String, Vec<Duration>)> {
    let nobody: Caller = story::admin();
    let id = |turn: usize| story::rollout(entries, turn);
    let wanted = Wanted { limit: 100, ..Wanted::default() };
    let rare = Wanted { state: Some("Rejected".to_owned()), ..wanted.clone() };
    let of_package = Wanted { package: Some(story::package(0)), ..wanted.clone() };
    let history = |turn: usize| {
        let found = reader.about(&Subject::Rollout(id(turn)).to_string(), None, 100).expect("read");
        assert!(found.len() > 1);
        found
    };
    vec![
        (
            "why of a rollout".to_owned(),
            times(|turn| view.why(&story::open_rollout(entries, turn), &nobody).expect("there")),
        ),
        ("a rollout's page".to_owned(), times(|turn| (view.rollout(&id(turn)).expect("there"), history(turn)))),
        ("history of a rollout".to_owned(), times(history)),
        ("a page of the list".to_owned(), times(|_| view.rollouts(&wanted))),
        ("a page of the list, a state that nobody is in".to_owned(), times(|_| view.rollouts(&rare))),
        ("rollouts that name a package".to_owned(), times(|_| view.rollouts(&of_package))),
        ("all trees".to_owned(), times(|_| view.trees())),
    ]
}
