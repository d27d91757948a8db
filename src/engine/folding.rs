//! The logbook and the world: entries are folded at start, and written down.

use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::mpsc::{channel, sync_channel};

use jiff::Timestamp;

use super::checkpoint;
use crate::domain::moment::Elapsed;
use crate::process::decision::Entry;
use crate::process::fact::{self, Fact, Subject, UnreadableEntry};
use crate::process::world::World;
use crate::store::logbook::{Checkpoint, Draft, Logbook, LogbookError};
use crate::store::people::{PeopleError, Register};

/// Entries in one batch: few enough to be still in the processor's cache when the other thread takes them.
const FOLD_AT_ONCE: usize = 1_000;

/// Entries whose subjects are noted in one transaction.
const INDEX_AT_ONCE: usize = 10_000;

/// Batches that may lie between the two threads.
const BATCHES_BETWEEN: usize = 4;

/// Why nothing can be written down or read; if it cannot pass, the engine ends.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The logbook cannot be used.
    #[error(transparent)]
    Logbook(#[from] LogbookError),
    /// The register of people cannot be used.
    #[error(transparent)]
    People(#[from] PeopleError),
    /// An entry cannot be read.
    #[error(transparent)]
    Unreadable(#[from] UnreadableEntry),
}

impl EngineError {
    /// Whether it may pass without a restart.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Logbook(error) => error.may_pass(),
            Self::People(error) => error.may_pass(),
            Self::Unreadable(_) => false,
        }
    }

    /// The error with its cause in one line.
    pub fn sentence(&self) -> String {
        match self {
            Self::Logbook(error) => error.sentence(),
            Self::People(error) => error.sentence(),
            Self::Unreadable(error) => error.to_string(),
        }
    }
}

/// Folds a whole logbook, and checks its chain on the way.
///
/// # Errors
/// An entry that cannot be read or that breaks the chain.
pub fn fold(book: &mut dyn Logbook, world: &mut World) -> Result<(), EngineError> {
    fold_each(book, world, |_, _, _| ())
}

/// Folds all entries into an empty world, and says whether the checkpoint beside them is what they fold to. If no
/// checkpoint would be used, it agrees.
///
/// # Errors
/// As [`fold`].
pub fn fold_and_compare(book: &mut dyn Logbook, world: &mut World) -> Result<bool, EngineError> {
    let Ok(Some(kept)) = book.checkpoint() else { return fold(book, world).map(|()| true) };
    let (last, kept) = (kept.head.seq, checkpoint::world(&kept));
    let mut agrees = None;
    fold_each(book, world, |before, seq, _| {
        if seq == last + 1 {
            agrees = Some(kept.as_ref() == Some(before));
        }
    })?;
    Ok(agrees.unwrap_or_else(|| kept.as_ref() == Some(world)))
}

/// The same for the logbook that will be written to, starting from its checkpoint if there is one. The chain of all entries
/// is checked all the same. Entries that an older program did not index by subject are indexed.
///
/// # Errors
/// As above, and a logbook that cannot be written.
pub fn take_up(book: &mut dyn Logbook, world: &mut World) -> Result<(), EngineError> {
    let indexed = book.indexed()?;
    let kept = book.checkpoint().unwrap_or_else(|why| {
        tracing::info!(why, "the checkpoint is not used; all entries are folded");
        None
    });
    // To index older entries we have to read them.
    let kept = kept.filter(|kept| kept.head.seq <= indexed);
    let mut new: Vec<(u64, Vec<String>)> = Vec::new();
    fold_from(book, world, kept.as_ref(), |before, seq, fact| {
        if seq > indexed {
            let of_plan = || match fact {
                Fact::Done(done) if done.rollout.is_none() => before
                    .rollouts
                    .plan(done.plan)
                    .and_then(|plan| plan.rollouts().next().cloned())
                    .map(Subject::Rollout),
                _ => None,
            };
            let about: BTreeSet<String> = fact.about().into_iter().chain(of_plan()).map(|s| s.to_string()).collect();
            new.push((seq, about.into_iter().collect()));
        }
    })?;
    for some in new.chunks(INDEX_AT_ONCE) {
        book.index(some)?;
    }
    Ok(())
}

/// Entries on their way from the thread that reads to the one that folds.
#[derive(Default)]
struct Batch {
    /// Their texts, one after the other in one piece of memory.
    texts: String,
    entries: Vec<Lying>,
}

/// An entry of a batch, and where its texts lie.
struct Lying {
    seq: u64,
    at: Timestamp,
    who: Range<usize>,
    body: Range<usize>,
}

impl Batch {
    /// Reads up to [`FOLD_AT_ONCE`] entries from number `from` on, and puts them in the place of what was in it. Says
    /// which was the last.
    fn read(&mut self, book: &dyn Logbook, from: u64) -> Result<Option<u64>, LogbookError> {
        self.texts.clear();
        self.entries.clear();
        book.walk(from, FOLD_AT_ONCE, &mut |row| {
            let who = self.put(row.who);
            let body = self.put(row.body);
            self.entries.push(Lying { seq: row.seq, at: row.at, who, body });
        })?;
        Ok(self.entries.last().map(|last| last.seq))
    }

    fn put(&mut self, text: &str) -> Range<usize> {
        let begin = self.texts.len();
        self.texts.push_str(text);
        begin..self.texts.len()
    }

    fn text(&self, place: &Range<usize>) -> &str {
        self.texts.get(place.clone()).unwrap_or_default()
    }
}

/// Folds, and shows each entry with the world before it.
fn fold_each(
    book: &mut dyn Logbook,
    world: &mut World,
    see: impl FnMut(&World, u64, &Fact),
) -> Result<(), EngineError> {
    fold_from(book, world, None, see)
}

/// The same for the entries after a checkpoint; of those before it, only the chain is checked. A second thread reads and
/// checks, at most a few batches ahead.
///
/// What the entries say is understood here and not by a third thread, and the world is made by the thread that asks for
/// it: memory that one thread takes and another gives back costs more time than such a thread would save.
fn fold_from(
    book: &mut dyn Logbook,
    world: &mut World,
    kept: Option<&Checkpoint>,
    mut see: impl FnMut(&World, u64, &Fact),
) -> Result<(), EngineError> {
    let mut next = kept.map_or(world.last, |kept| kept.head.seq) + 1;
    let before = kept.map(|kept| kept.head);
    let again = &mut *book;
    let is_kept = std::thread::scope(|scope| {
        let (hand_over, batches) = sync_channel::<Batch>(BATCHES_BETWEEN);
        let (give_back, used) = channel::<Batch>();
        let reading = scope.spawn(move || -> Result<(), LogbookError> {
            before.map_or(Ok(()), |last| again.check(last))?;
            loop {
                let mut batch = used.try_recv().unwrap_or_default();
                let Some(last) = batch.read(again, next)? else { return Ok(()) };
                next = last + 1;
                if hand_over.send(batch).is_err() {
                    // The other thread has met an entry, or a checkpoint, that it cannot read.
                    return Ok(());
                }
            }
        });
        if let Some(kept) = kept {
            match checkpoint::world(kept) {
                Some(kept) => *world = kept,
                None => return Ok(false),
            }
        }
        let folded = batches.into_iter().try_for_each(|batch| {
            for lying in &batch.entries {
                let &Lying { seq, at, .. } = lying;
                let said = fact::read_at(batch.text(&lying.body), at);
                let (fact, elapsed) = said.map_err(|why| UnreadableEntry { seq, at, why })?;
                see(world, seq, &fact);
                world.elapsed = elapsed;
                world.apply(seq, at, batch.text(&lying.who), &fact);
            }
            // After the last batch nobody receives it.
            let _ = give_back.send(batch);
            Ok(())
        });
        let read = reading.join().unwrap_or_else(|panic| resume_unwind(panic));
        folded.map_err(EngineError::Unreadable)?;
        read?;
        Ok::<_, EngineError>(true)
    })?;
    if !is_kept {
        tracing::warn!("the checkpoint cannot be understood; all entries are folded");
        return fold_from(book, world, None, see);
    }
    Ok(())
}

/// Writes entries down while no daemon runs, all of them or none.
///
/// # Errors
/// Nothing was written down.
pub fn append(
    book: &mut dyn Logbook,
    register: &mut Register,
    entries: &[Entry],
    now: Timestamp,
) -> Result<(), EngineError> {
    let drafts = drafts(register, entries, now, None)?;
    book.append(book.head(), &drafts)?;
    Ok(())
}

/// Entries in the logbook's form, in which people are ids. All of them are in the register when this returns.
pub(super) fn drafts(
    register: &mut Register,
    entries: &[Entry],
    at: Timestamp,
    elapsed: Option<Elapsed>,
) -> Result<Vec<Draft>, PeopleError> {
    let mut draft = |entry: &Entry| {
        let who = register.written(&entry.who, at)?.to_string();
        let body = fact::write_at(&entry.fact, elapsed);
        let about = entry.fact.about().iter().map(ToString::to_string).collect();
        Ok(Draft { at, who, why: entry.why.clone(), body, about })
    };
    entries.iter().map(&mut draft).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::process::fact::samples::every_fact;
    use crate::store::disk;
    use crate::store::logbook::{Head, SqliteLogbook};

    /// More than three batches of all kinds of facts.
    const MANY: u64 = 3_500;

    fn drafts() -> Vec<Draft> {
        let at = |n: u64| Timestamp::from_second(1_000 + i64::try_from(n).unwrap_or_default()).expect("a time");
        let draft = |(n, fact): (u64, &Fact)| Draft {
            at: at(n),
            who: format!("who-{n}"),
            why: "so".into(),
            body: fact::write_at(fact, Some(Elapsed::recorded(at(n / 2)))),
            about: vec![],
        };
        (1..=MANY).zip(every_fact().iter().cycle()).map(draft).collect()
    }

    fn book(dir: &tempfile::TempDir, drafts: &[Draft]) -> SqliteLogbook {
        let mut book = SqliteLogbook::open(&dir.path().join("logbook.sqlite")).expect("a new logbook");
        book.append(book.head(), drafts).expect("appended");
        book
    }

    #[test]
    fn many_batches_are_folded_as_one_entry_after_the_other() {
        let (dir, drafts) = (tempfile::tempdir().expect("a directory"), drafts());
        let mut expected = World::default();
        for (seq, draft) in (1..).zip(&drafts) {
            let (fact, elapsed) = fact::read_at(&draft.body, draft.at).expect("readable");
            expected.elapsed = elapsed;
            expected.apply(seq, draft.at, &draft.who, &fact);
        }
        let mut world = World::default();
        fold(&mut book(&dir, &drafts), &mut world).expect("folded");
        assert_eq!(world.last, MANY);
        assert!(world == expected);
    }

    /// The world of the first `last` entries, kept beside the logbook as the running daemon keeps it.
    fn keep(book: &mut SqliteLogbook, drafts: &[Draft], last: usize, change: impl FnOnce(&mut World)) {
        let mut world = World::default();
        for (seq, draft) in (1..).zip(&drafts[..last]) {
            let (fact, elapsed) = fact::read_at(&draft.body, draft.at).expect("readable");
            world.elapsed = elapsed;
            world.apply(seq, draft.at, &draft.who, &fact);
        }
        change(&mut world);
        let hash = book.read(last as u64, 1).expect("read")[0].hash;
        let fold = postcard::to_stdvec(&world).expect("written");
        let head = Head { seq: last as u64, hash };
        book.checkpoints().expect("the daemon's").put(&Checkpoint { head, fold }).expect("kept");
    }

    fn sealed(dir: &tempfile::TempDir, drafts: &[Draft]) -> SqliteLogbook {
        drop(book(dir, drafts));
        let kernel = Arc::new(disk::Kernel::default());
        let mut book = SqliteLogbook::open_sealed(&dir.path().join("logbook.sqlite"), kernel).expect("whole");
        take_up(&mut book, &mut World::default()).expect("noted what they are about");
        book
    }

    #[test]
    fn from_a_checkpoint_on_the_world_is_the_same_and_the_whole_chain_is_checked() {
        let (dir, drafts) = (tempfile::tempdir().expect("a directory"), drafts());
        let mut book = sealed(&dir, &drafts);
        let mut expected = World::default();
        fold(&mut book, &mut expected).expect("folded");
        let many = usize::try_from(MANY).expect("few");
        for last in [1, 999, 1_000, 1_001, 2_222, many - 1, many] {
            keep(&mut book, &drafts, last, |_| ());
            let mut world = World::default();
            take_up(&mut book, &mut world).expect("taken up");
            assert!(world == expected, "from {last} on");
            assert!(fold_and_compare(&mut book, &mut World::default()).expect("compared"), "{last}");
        }
        // It is really used, and whoever compares finds out what it says.
        keep(&mut book, &drafts, 2_000, |world| world.mismatches.push_back("made up".to_owned()));
        let mut world = World::default();
        take_up(&mut book, &mut world).expect("taken up");
        assert_eq!(world.mismatches.iter().filter(|what| *what == "made up").count(), 1);
        assert!(!fold_and_compare(&mut book, &mut World::default()).expect("compared"));
        // An entry before it that somebody has changed.
        let db = dir.path().join("logbook.sqlite");
        let other = rusqlite::Connection::open(db).expect("open");
        other.execute_batch("UPDATE entry SET who = 'mean' WHERE seq = 1500").expect("changed");
        let why = take_up(&mut book, &mut World::default()).expect_err("the chain is broken");
        assert!(matches!(why, EngineError::Logbook(LogbookError::Broken { seq: 1_500, .. })), "{why:?}");
    }

    #[test]
    fn without_a_checkpoint_that_can_be_understood_all_entries_are_folded() {
        let (dir, drafts) = (tempfile::tempdir().expect("a directory"), drafts());
        let mut book = sealed(&dir, &drafts);
        let mut expected = World::default();
        fold(&mut book, &mut expected).expect("folded");
        keep(&mut book, &drafts, 2_000, |world| world.last = 7);
        let mut world = World::default();
        take_up(&mut book, &mut world).expect("taken up");
        assert!(world == expected);
        assert!(!fold_and_compare(&mut book, &mut World::default()).expect("compared"));
    }

    /// The logbook of a site that `rolloutd demo` ran by the program of format 3: every row, with its hash.
    #[test]
    fn the_logbook_of_a_real_site_of_an_older_program_is_read_and_continued() {
        #[derive(serde::Deserialize)]
        struct Line {
            at: Timestamp,
            who: String,
            why: String,
            body: String,
            hash: String,
        }
        let dir = tempfile::tempdir().expect("a directory");
        let mut book = SqliteLogbook::open(&dir.path().join("logbook.sqlite")).expect("a new logbook");
        for line in include_str!("../../fixtures/logbook/demo-v3.jsonl").lines() {
            let Line { at, who, why, body, hash } = serde_json::from_str(line).expect("a row");
            book.append(book.head(), &[Draft { at, who, why, body, about: vec![] }]).expect("appended");
            assert_eq!(book.head().hash.to_hex(), hash, "the chain is that of the older program");
        }
        let mut world = World::default();
        take_up(&mut book, &mut world).expect("taken up");
        assert_eq!((world.last, world.mismatches.len()), (28, 0), "{:?}", world.mismatches);
        let listed: Vec<String> = world
            .trees
            .iter()
            .map(|(id, tree)| {
                format!("{id} {}", tree.listing().nevras().map(ToString::to_string).collect::<Vec<_>>().join(" "))
            })
            .collect();
        assert_eq!(
            listed,
            [
                "delta/umd/3/sl6/x86_64 ",
                "production/umd/3/sl6/x86_64 example-libs-1.0-1.el6.noarch example-server-1.0-1.el6.noarch",
                "testing/umd/3/sl6/x86_64 example-client-2.3-1.el6.noarch",
                "untested/umd/3/sl6/x86_64 ",
            ]
        );
        let states: Vec<String> = world.rollouts.iter().map(|one| format!("{} {}", one.id, one.state)).collect();
        assert_eq!(states, ["example-1 Production", "example-2 StageRollOut"]);
        // It goes on in today's form, and is the same when it is folded once more.
        let next = drafts().swap_remove(0);
        let (fact, elapsed) = fact::read_at(&next.body, next.at).expect("readable");
        book.append(book.head(), std::slice::from_ref(&next)).expect("appended");
        world.elapsed = elapsed;
        world.apply(29, next.at, &next.who, &fact);
        let mut again = World::default();
        take_up(&mut book, &mut again).expect("taken up");
        assert!(again == world);
    }

    #[test]
    fn an_entry_that_cannot_be_read_is_named_wherever_it_stands() {
        for seq in [1, 1_000, 1_001, 2_222, MANY] {
            let (dir, mut drafts) = (tempfile::tempdir().expect("a directory"), drafts());
            let place = usize::try_from(seq).expect("few") - 1;
            drafts[place].body = "{\"v\":99}".into();
            let why =
                fold(&mut book(&dir, &drafts), &mut World::default()).expect_err("one cannot be read").to_string();
            let named = format!("logbook entry {seq} ({}) cannot be read: it has format 99", drafts[place].at);
            assert!(why.starts_with(&named), "{why}");
        }
    }
}
