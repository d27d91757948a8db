//! rolloutd moves packages from one yum tree to the next, and only when it may.
//!
//! Read from the top: each module may use those above it and none below, and inside a folder a file
//! uses only the siblings declared before it in `mod.rs`. `tests/tidy.rs` holds us to that.
//!
//! # Two flows
//!
//! ```text
//! a package arrives
//!   inotify -> link/watch -> TreeTouched(tree) -> engine: quiet? -> Work::TakeIn
//!      store/intake: copy to our own inode; daemon/sandbox hands it to a confined process, in which
//!      store/examination: format/reading hashes and checks, format/openpgp finds out who signed what,
//!      domain/trust says whether that is enough, and the package's XML is made
//!      -> store/index, or store/rejected with a reason code
//!   <- WorkEnded -> process/act -> logbook -> World -> Work::Publish(tree)
//!      store/index -> store/blocks -> format/compress, repomd
//!      -> store/publication: Staged -> Published
//!
//! a tracker or a person speaks
//!   POST /hooks/<name> or the API -> web: bound, MAC, parse -> Input::Asked
//!      process/act: domain/workflow step -> process/gate judges -> domain/plan
//!      one logbook append -> World::apply -> Work::Promote(plan)
//!      store/promotion: link into target, publish target, publish source, retire from source
//!   <- WorkEnded -> process/act -> logbook: done
//! ```
//!
//! # Invariants
//!
//! - *authentic*: every package that published metadata names is byte for byte one that passed the gate.
//! - *consistent*: what a fetched `repomd.xml` names stays there, unchanged, for the grace period.
//! - *no loss*: an accepted package is, at every instant, in a tree, retired, or rejected with a reason.
//! - *monotone*: the revision of a tree never goes back.
//! - *incremental = full*: an updated tree is byte for byte what a rebuild from nothing gives.
//! - *accounted*: one logbook entry for every change.
//! - *contained*: nothing is read through a link, nothing is written outside the configured roots.
//! - *fail closed*: an error in keys, policy, clock or disk means that nothing moves forward.
//! - *bounded*: time, memory, descriptors and disk for each input are bounded, whatever the input.

/// Names, states and rules: pure; knows no file, no clock, no socket.
pub mod domain;
/// Bytes to values and back: pure.
pub mod format;
/// This machine's disk and the logbook.
pub mod store;
/// The kernel and the clock; does not know `store`.
pub mod link;
/// What is so and what follows: facts, world, gates, acts. Pure.
pub mod process;
/// The one writer: input, decision, logbook, work.
pub mod engine;
/// What lies on the disk, read by other eyes than those that wrote it.
pub mod audit;
/// Webhooks, API and pages: sends inputs, reads views.
pub mod web;
/// The admin's file, turned into the settings of every floor above.
pub mod config;
/// Puts it together, watches over it, ends it.
pub mod daemon;
/// The words an admin types.
pub mod cli;
