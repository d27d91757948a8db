//! The one writer: input, decision, logbook, work.
//!
//! ```text
//! Input -> decide(Known { world, rules, … }, input, now) -> Decision { entries, answer }
//!       -> logbook.append -> World::apply -> agenda(&World, ...) -> Work -> WorkEnded (an Input)
//! ```
//!
//! `decide` says what is written down; the work follows from the world, not from the input. A plan
//! without its `done` is work, whether it was made a moment ago or before a crash, so running and
//! recovering are one mechanism and cannot disagree. (Refused: work as a part of the decision, which
//! recovery would have had to invent again from the log.)

/// The rules that the configuration gives.
pub mod rules;
/// What is written into the logbook, and its form there.
pub mod entry;
/// What the logbook says about one rollout.
pub mod history;
/// The fold of all entries.
pub mod world;
/// What trees list and their rings do not trust any more.
pub mod listed;
/// What there is to do, seen from the world.
pub mod agenda;
/// Everything that can wake the engine.
pub mod input;
/// What an input calls for.
pub mod decide;
/// A snapshot for readers: API, pages, metrics.
pub mod view;
/// Work carried out on the store.
pub mod worker;
/// The loop.
pub mod run;
