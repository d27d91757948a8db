//! What is fuzzed: one function for each kind of bytes that strangers write and this program reads.
//!
//! The functions stand here once. libFuzzer drives them through the doors in `bins/`, and
//! `tests/it/fuzz_replay.rs` drives them over the committed corpora and over seeded mutants of these with a stable
//! compiler. Each asserts properties that hold for *every* input, so that a fuzzer finds wrong answers and not
//! only panics: pieces do not matter, what is accepted can be written and read again, what a second reader
//! sees is what the first one saw, and nobody without a key is let in.
//!
//! No target asks the clock, the disk or a random number: the same input gives the same outcome. Around all of them
//! stands [`bounded`], which asks the kernel how much work an input was.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

pub mod config;
pub mod genuine;
pub mod headers;
pub mod hook;
pub mod keyring;
pub mod listing;
pub mod logbook;
pub mod markup;
pub mod repodata;
pub mod signature;

/// Whether an input came through the door or was turned away at it; both are right. The replay counts them, since
/// mutants that are all turned away would prove nothing about what lies behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was read, and what follows from that was checked.
    Taken,
    /// It was refused, and refusing was all.
    Refused,
}

/// A target: any bytes may be given to it.
pub type Target = fn(&[u8]) -> Outcome;

/// All of them by name, the most exposed first.
pub const TARGETS: &[(&str, Target)] = &[
    ("headers", headers::target),
    ("signature", signature::target),
    ("keyring", keyring::target),
    ("hook", hook::target),
    ("xml", listing::target),
    ("repodata", repodata::target),
    ("config", config::target),
    ("logbook", logbook::target),
];

/// No input may need more work. It is the processor's time, since on a busy machine the clock tells of others, too.
pub const WORK_MAX: Duration = Duration::from_secs(1);

/// Gives an input to a target.
///
/// # Panics
/// When a property does not hold, and when it was more work than `most`.
pub fn bounded(target: Target, most: Duration, data: &[u8]) -> Outcome {
    let before = worked();
    let outcome = target(data);
    let work = worked().saturating_sub(before);
    assert!(work <= most, "too slow: it took {work:?} of a processor, and {most:?} are allowed");
    outcome
}

/// How long this thread has been running on a processor, to some milliseconds; by the clock where the kernel does
/// not say.
pub fn worked() -> Duration {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = said.and_then(|said| said.split_whitespace().next()?.parse().ok());
    nanos.map_or_else(|| BEGIN.elapsed(), Duration::from_nanos)
}

/// Numbers that follow from an input, for choices that must not take bytes away from it (splitmix64, seeded by FNV).
pub struct Dice(u64);

impl Dice {
    /// The same input gives the same numbers.
    pub fn of(data: &[u8]) -> Self {
        Self(
            data.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
            }),
        )
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % limit.max(1) as u64).unwrap_or(0)
    }
}
