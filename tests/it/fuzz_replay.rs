//! The fuzz targets without a fuzzer: over their committed corpora, and over seeded mutants of these.
//!
//! What is asserted stands in `tests/fuzz/targets.rs`, where libFuzzer finds it too (`tests/fuzz/run --help`). Here
//! it is run by the stable compiler in every run of the tests, so that a target cannot rot, an input that was once
//! found stays mended, and a mistake that is easy to find is found before a fuzzer looks for it.
//!
//! `ROLLOUTD_FUZZ` says how many mutants of each target (2,000; 50,000 with `ROLLOUTD_LONG=1`; of those that take
//! their time a quarter or an eighth), `ROLLOUTD_SEED` from which seed. An input on which a target fails, or for which it needs more than a
//! second of a processor, is kept in the directory for temporary files, and the message says where.
#![expect(clippy::disallowed_methods, reason = "an input that was found is kept for people to look at")]

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::campaign;
use crate::random::Random;
use crate::site::tell;
use targets::{Outcome, Target, WORK_MAX, bounded, worked};

#[expect(unreachable_pub, reason = "the fuzzers are crates of their own, for which these are public")]
#[path = "../fuzz/targets.rs"]
pub(crate) mod targets;

/// How the names of inputs begin on which a target has failed once.
pub(crate) const FOUND: &str = "found-";

/// Mutants do not become longer than what a fuzzer gives.
const LENGTH_MAX: usize = 65_536;

/// Numbers on which programs that read lengths and offsets like to stumble.
const NUMBERS: [u32; 12] = [0, 1, 7, 8, 16, 0x7f, 0xff, 0xffff, 0x000f_ffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/// The committed inputs of a target by the names of their files, in order.
pub(crate) fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let entries = fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())
    };
    let mut all: Vec<_> = entries.map(read).collect();
    all.sort();
    all
}

/// One input, changed in one place or a few.
fn mutant(inputs: &[(String, Vec<u8>)], dice: &mut Random) -> Vec<u8> {
    let mut bytes = inputs[dice.place(inputs.len())].1.clone();
    for _ in 0..=dice.place(2) * dice.place(4) {
        let other = &inputs[dice.place(inputs.len())].1;
        change(&mut bytes, other, dice);
    }
    bytes.truncate(LENGTH_MAX);
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Random) {
    let longest = [4, 32, 512][dice.place(3)];
    let length = 1 + dice.place(longest);
    let at = dice.place(bytes.len() + 1);
    let end = (at + length).min(bytes.len());
    let from = dice.place(other.len() + 1);
    let run = &other[from..(from + length).min(other.len())];
    match dice.place(10) {
        0 | 1 if at < bytes.len() => bytes[at] ^= 1 << dice.place(8),
        2 if at < bytes.len() => bytes[at] = u8::try_from(dice.place(256)).unwrap(),
        3 | 4 if at + 4 <= bytes.len() => {
            let at = at & !3;
            let before = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
            let number = NUMBERS[dice.place(NUMBERS.len())];
            let after = [number, before.wrapping_add(number), before.wrapping_sub(number)][dice.place(3)];
            bytes[at..at + 4].copy_from_slice(&after.to_be_bytes());
        }
        5 => drop(bytes.drain(at..end)),
        6 => {
            let run = bytes[at..end].to_vec();
            let to = dice.place(bytes.len() + 1);
            bytes.splice(to..to, run);
        }
        7 => drop(bytes.splice(at..at, run.iter().copied())),
        8 => drop(bytes.splice(at..end, run.iter().copied())),
        _ if dice.place(8) == 0 => bytes.truncate(at),
        _ => bytes.insert(at, u8::try_from(dice.place(256)).unwrap()),
    }
}

/// What a target said of some inputs.
#[derive(Debug, Default)]
struct Tally {
    taken: u64,
    refused: u64,
    slowest: Duration,
}

impl Tally {
    /// Gives an input to the target.
    ///
    /// # Errors
    /// When a property did not hold, or when it was more work than `most`; the panic has said which.
    fn add(&mut self, target: Target, most: Duration, bytes: &[u8]) -> Result<(), &'static str> {
        let before = worked();
        match catch_unwind(|| bounded(target, most, bytes)) {
            Ok(Outcome::Taken) => self.taken += 1,
            Ok(Outcome::Refused) => self.refused += 1,
            Err(_) => return Err("it does not hold, see above"),
        }
        self.slowest = self.slowest.max(worked().saturating_sub(before));
        Ok(())
    }
}

/// Keeps an input, so that it can be looked at and put into the corpus.
fn kept(name: &str, seed: u64, number: u64, bytes: &[u8]) -> String {
    let path = std::env::temp_dir().join(format!("rolloutd-fuzz-{name}-{seed}-{number}"));
    fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

/// One of `share` mutants that were asked for, where each takes so much longer.
fn replay(name: &str, share: u64) {
    let wanted = campaign::number("ROLLOUTD_FUZZ").unwrap_or(if campaign::is_long() { 50_000 } else { 2000 }) / share;
    let seed = campaign::number("ROLLOUTD_SEED").unwrap_or(20_261_121);
    let (_, target) = targets::TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    let inputs = corpus(name);
    let begin = Instant::now();
    let mut originals = Tally::default();
    for (file, bytes) in &inputs {
        originals.add(*target, WORK_MAX, bytes).unwrap_or_else(|why| panic!("corpus/{name}/{file}: {why}"));
    }
    let mut mutants = Tally::default();
    let mut dice = Random(seed);
    for number in 0..wanted {
        let bytes = mutant(&inputs, &mut dice);
        if let Err(why) = mutants.add(*target, WORK_MAX, &bytes) {
            panic!("mutant {number} of {name}, seed {seed}: {why}; it is {}", kept(name, seed, number, &bytes));
        }
    }
    tell(&format!(
        "{name}: {} inputs ({} taken), {wanted} mutants with seed {seed} ({} taken), slowest {:?}, {:.1} s in all",
        inputs.len(),
        originals.taken,
        mutants.taken,
        originals.slowest.max(mutants.slowest),
        begin.elapsed().as_secs_f64()
    ));
    assert!(
        originals.taken * 5 >= inputs.len() as u64,
        "{name}: the corpus hardly gets through the door: {originals:?}"
    );
    assert!(originals.refused > 0, "{name}: nothing of the corpus is refused");
    // A handful says nothing.
    assert!(wanted < 200 || mutants.taken * 100 >= wanted, "{name}: mutants hardly get through the door: {mutants:?}");
}

#[test]
fn whole_packages_hold() {
    replay("headers", 2);
}

#[test]
fn signature_tags_hold() {
    replay("signature", 2);
}

#[test]
fn key_files_hold() {
    replay("keyring", 1);
}

#[test]
fn webhooks_hold() {
    replay("hook", 1);
}

#[test]
fn xml_holds() {
    replay("xml", 4);
}

#[test]
fn foreign_metadata_holds() {
    replay("repodata", 1);
}

#[test]
fn configurations_hold() {
    replay("config", 8);
}

#[test]
fn rows_of_the_logbook_hold() {
    replay("logbook", 1);
}

/// The replay itself: a property that does not hold and a target that is too slow are told, and nothing else is.
#[test]
fn a_target_that_fails_or_takes_too_long_is_told() {
    fn picky(bytes: &[u8]) -> Outcome {
        assert!(!bytes.contains(&b'!'), "an input that this one dislikes");
        if bytes.is_empty() { Outcome::Refused } else { Outcome::Taken }
    }
    fn slow(_: &[u8]) -> Outcome {
        let before = worked();
        while worked() == before {}
        Outcome::Taken
    }
    let mut tally = Tally::default();
    assert_eq!(tally.add(picky, WORK_MAX, b"good"), Ok(()));
    assert_eq!(tally.add(picky, WORK_MAX, b""), Ok(()));
    assert_eq!((tally.taken, tally.refused), (1, 1));
    assert!(tally.add(picky, WORK_MAX, b"bad!").is_err());
    assert!(tally.add(slow, Duration::ZERO, b"good").is_err());
    assert_eq!(tally.add(slow, WORK_MAX, b"good"), Ok(()));
    assert_eq!((tally.taken, tally.refused), (2, 1));
}

/// Every target has its door for libFuzzer and its test above, and there are no others.
#[test]
fn every_target_is_fuzzed_and_replayed() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let mut names: Vec<&str> = targets::TARGETS.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    let files = |dir: &str| {
        let entries = fs::read_dir(home.join(dir)).unwrap();
        let mut all: Vec<String> =
            entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
        all.sort();
        all
    };
    assert_eq!(files("bins"), names);
    assert_eq!(files("corpus"), names);
    let manifest = fs::read_to_string(home.join("Cargo.toml")).unwrap();
    let here = include_str!("fuzz_replay.rs");
    for name in names {
        assert!(manifest.contains(&format!("path = \"bins/{name}.rs\"")), "{name} is not built");
        assert!(here.contains(&format!("replay(\"{name}\",")), "{name} is not replayed");
    }
}
