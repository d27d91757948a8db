//! The world, kept beside the logbook now and then, so that a start does not have to fold all entries.
//!
//! It is written by a thread of its own, from a clone that shares everything with the world that the engine goes on
//! with. What is written is the world itself in [`postcard`]'s form, which names no fields and is read by the very program
//! that wrote it alone; the logbook is what is kept for ever.

use tokio::task::JoinHandle;

use crate::process::world::World;
use crate::store::logbook::{Checkpoint, Checkpoints, Head, Logbook};

/// Entries after which the world is kept anew. A start folds that many in a third of a second, and takes about as long to
/// find out that a checkpoint is of this program.
const EVERY: u64 = 200_000;

/// Keeps the world.
pub(super) struct Keeper {
    checkpoints: Option<Checkpoints>,
    /// The last entry of what was kept.
    kept: u64,
    every: u64,
    writing: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Beside this logbook.
    pub(super) fn of(book: &dyn Logbook) -> Self {
        let checkpoints = book.checkpoints();
        let kept = checkpoints.as_ref().map_or(0, |checkpoints| checkpoints.used);
        Self { checkpoints, kept, every: EVERY, writing: None }
    }

    /// Keeps none any more before the next start.
    pub(super) fn end(&mut self) {
        if self.checkpoints.is_some() {
            tracing::info!("the clock was set; no more checkpoints before the next start");
        }
        self.checkpoints = None;
    }

    /// Keeps the world, to which the entries up to `head` fold, if many came after those that were kept.
    pub(super) fn keep(&mut self, world: &World, head: Head) {
        let is_due = head.seq >= self.kept + self.every && world.last == head.seq;
        let Some(checkpoints) = self.checkpoints.as_ref().filter(|_| is_due) else { return };
        if self.writing.as_ref().is_some_and(|writing| !writing.is_finished()) {
            return;
        }
        // Also if it fails: nothing depends on it, and the disk is not asked again for every entry.
        self.kept = head.seq;
        let (checkpoints, world) = (checkpoints.clone(), world.clone());
        self.writing = Some(tokio::task::spawn_blocking(move || {
            let written = bytes(&world)
                .map_err(|error| error.to_string())
                .and_then(|fold| checkpoints.put(&Checkpoint { head, fold }).map_err(|error| error.sentence()));
            match written {
                Ok(()) => tracing::info!(seq = head.seq, "checkpoint written"),
                Err(why) => tracing::warn!(seq = head.seq, why, "no checkpoint written; the next start takes longer"),
            }
        }));
    }
}

/// The world as it stands in a checkpoint.
///
/// # Errors
/// None that is known.
pub fn bytes(world: &World) -> postcard::Result<Vec<u8>> {
    postcard::to_stdvec(world)
}

/// The world of a checkpoint; `None` if it is not one, or not that of these entries.
pub(super) fn world(checkpoint: &Checkpoint) -> Option<World> {
    let mut world: World = postcard::from_bytes(&checkpoint.fold).ok()?;
    world.share();
    (world.last == checkpoint.head.seq).then_some(world)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::domain::moment::Elapsed;
    use crate::domain::plan::Owner;
    use crate::process::fact;
    use crate::process::fact::samples::{
        every_fact, of_allowances, of_bundles, of_changes, of_extensions, of_failures, of_holds, of_incidents,
        of_mentions, of_messages, of_people, of_records, of_releases, of_reminders, of_restores, of_reviews,
        of_several, of_silence, of_sources, of_successions, of_task_reports, of_together,
    };
    use crate::store::disk;
    use crate::store::logbook::{Draft, SqliteLogbook};

    #[test]
    fn a_world_comes_back_as_it_was_after_every_entry() {
        let mut world = World::default();
        let all = [
            of_sources(),
            every_fact(),
            of_several(),
            of_together(),
            of_people(),
            of_records(),
            of_bundles(),
            of_holds(),
            of_changes(),
            of_reviews(),
            of_releases(),
            of_failures(),
            of_messages(),
            of_extensions(),
            of_successions(),
            of_silence(),
            of_incidents(),
            of_reminders(),
            of_task_reports(),
            of_mentions(),
            of_restores(),
            of_allowances(),
            every_fact(),
        ]
        .concat();
        let mut together = false;
        for (n, fact) in (1..).zip(&all) {
            let at = Timestamp::from_second(1_000 + n).expect("a time");
            world.elapsed = Some(Elapsed::recorded(at));
            world.apply(n.unsigned_abs(), at, "me", fact);
            together |= world.rollouts.plans().any(|(_, plan)| matches!(plan.owner, Owner::Bundle { .. }));
            let head = Head { seq: world.last, ..Head::EMPTY };
            let fold = postcard::to_stdvec(&world).expect("written");
            assert!(super::world(&Checkpoint { head, fold }).as_ref() == Some(&world), "{fact:?}");
        }
        assert!(together, "no rollouts of a bundle moved together");
        let fold = postcard::to_stdvec(&world).expect("written");
        assert!(super::world(&Checkpoint { head: Head::EMPTY, fold }).is_none(), "it is not that of these entries");
        assert!(super::world(&Checkpoint { head: Head::EMPTY, fold: b"something else".to_vec() }).is_none());
    }

    #[tokio::test]
    async fn it_is_kept_whenever_many_entries_have_come_and_not_more_often() {
        let dir = tempfile::tempdir().expect("a directory");
        let kernel: Arc<dyn disk::Disk> = Arc::new(disk::Kernel::default());
        let mut book = SqliteLogbook::open_sealed(&dir.path().join("logbook.sqlite"), kernel).expect("opened");
        let mut world = World::default();
        let mut keeper = Keeper { every: 10, ..Keeper::of(&book) };
        let mut kept = Vec::new();
        for (n, fact) in (1..=25_u32).zip(every_fact().iter().cycle()) {
            let at = Timestamp::UNIX_EPOCH;
            let (who, why) = ("me".to_owned(), String::new());
            let draft = Draft { at, who, why, body: fact::write_at(fact, Some(Elapsed::recorded(at))), about: vec![] };
            book.append(book.head(), &[draft]).expect("appended");
            world.elapsed = Some(Elapsed::recorded(at));
            world.apply(n.into(), at, "me", fact);
            keeper.keep(&world, book.head());
            if let Some(writing) = keeper.writing.take() {
                writing.await.expect("written");
                let checkpoint = book.checkpoint().expect("usable").expect("there");
                assert!(super::world(&checkpoint).as_ref() == Some(&world));
                kept.push(n);
            }
        }
        assert_eq!(kept, [10, 20]);
        assert_eq!(Keeper::of(&book).kept, 20);
    }
}
