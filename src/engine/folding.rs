//! The logbook and the world: entries are folded at start, and written down.

use std::collections::BTreeSet;

use crate::process::decision::Entry;
use crate::process::fact::{self, Fact, Subject, UnreadableEntry};
use crate::process::world::World;
use crate::store::logbook::{Draft, Logbook, LogbookError, Recorded};

/// Entries that are read at once when the logbook is folded.
const FOLD_AT_ONCE: usize = 10_000;

/// Why the engine ended.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The logbook cannot be used.
    #[error(transparent)]
    Logbook(#[from] LogbookError),
    /// An entry cannot be read.
    #[error(transparent)]
    Unreadable(#[from] UnreadableEntry),
}

/// Folds a whole logbook, and checks its chain on the way.
///
/// # Errors
/// An entry that cannot be read or that breaks the chain.
pub fn fold(book: &dyn Logbook, world: &mut World) -> Result<(), EngineError> {
    fold_each(book, world, |_, _, _| ())
}

/// The same of the logbook that is going to be written. What older programs have not noted of its entries, which things
/// they are about, is noted.
///
/// # Errors
/// As above, and a logbook that cannot be written.
pub fn take_up(book: &mut dyn Logbook, world: &mut World) -> Result<(), EngineError> {
    let indexed = book.indexed()?;
    let mut new: Vec<(u64, Vec<String>)> = Vec::new();
    fold_each(book, world, |before, seq, fact| {
        if seq > indexed {
            let of_plan = || match fact {
                Fact::Done(done) => before.rollouts.plan(done.plan).map(|plan| Subject::Rollout(plan.rollout.clone())),
                _ => None,
            };
            let about: BTreeSet<String> = fact.about().into_iter().chain(of_plan()).map(|s| s.to_string()).collect();
            new.push((seq, about.into_iter().collect()));
        }
    })?;
    for some in new.chunks(FOLD_AT_ONCE) {
        book.index(some)?;
    }
    Ok(())
}

/// Folds, and shows each entry with the world before it. One thread reads and checks the chain, another folds.
fn fold_each(
    book: &dyn Logbook,
    world: &mut World,
    mut see: impl FnMut(&World, u64, &Fact) + Send,
) -> Result<(), EngineError> {
    let mut next = world.last + 1;
    let mut fold = move |entries: Vec<Recorded>| -> Result<(), EngineError> {
        for recorded in entries {
            let (fact, steady) = fact::read_at(&recorded.draft.body, recorded.draft.at)
                .map_err(|why| UnreadableEntry { seq: recorded.seq, at: recorded.draft.at, why })?;
            see(world, recorded.seq, &fact);
            world.steady = steady;
            world.apply(recorded.seq, recorded.draft.at, &recorded.draft.who, &fact);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let (hand_over, batches) = std::sync::mpsc::sync_channel::<Vec<Recorded>>(2);
        let folding = scope.spawn(move || batches.into_iter().try_for_each(&mut fold));
        let read = loop {
            let entries = match book.read(next, FOLD_AT_ONCE) {
                Err(error) => break Err(error),
                Ok(entries) => entries,
            };
            let Some(last) = entries.last() else { break Ok(()) };
            next = last.seq + 1;
            if hand_over.send(entries).is_err() {
                // Whoever folds has met an entry that cannot be read.
                break Ok(());
            }
        };
        drop(hand_over);
        let folded = folding.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        folded.and_then(|()| read.map_err(EngineError::from))
    })
}

/// Writes entries down while no daemon runs, all of them or none.
///
/// # Errors
/// Nothing was written down.
pub fn append(book: &mut dyn Logbook, entries: &[Entry], now: jiff::Timestamp) -> Result<(), LogbookError> {
    let drafts: Vec<Draft> = entries.iter().map(|entry| draft(entry, now, None)).collect();
    book.append(book.head(), &drafts).map(drop)
}

pub(super) fn draft(entry: &Entry, at: jiff::Timestamp, elapsed: Option<jiff::Timestamp>) -> Draft {
    let body = fact::write_at(&entry.fact, elapsed);
    let about = entry.fact.about().iter().map(ToString::to_string).collect();
    Draft { at, who: entry.who.to_string(), why: entry.why.clone(), body, about }
}
