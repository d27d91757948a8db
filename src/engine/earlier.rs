//! Finds out what a tree listed at an earlier revision: by folding the logbook again up to the entry that published it.
//!
//! It reads the file of the logbook beside the engine, on a thread of whoever asks, and takes about a second for half a
//! million entries.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::folding::EngineError;
use crate::domain::names::TreeId;
use crate::process::earlier::{Earlier, Search, Step};
use crate::process::fact::{self, Fact, Subject, UnreadableEntry};
use crate::process::world::World;
use crate::store::logbook::Reader;

/// Entries that are read at a time.
const AT_ONCE: usize = 10_000;

/// Revisions that are named on each side of one that there is not.
const NEAREST: usize = 2;

/// Why it is not known what a tree listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// It was never published at that revision; these are the nearest ones, with their times.
    Never(Vec<(u64, Timestamp)>),
    /// The entry is too old to say.
    Unclear,
}

/// What the trees of a distribution listed when one of them was published at a revision.
///
/// # Errors
/// The logbook cannot be read.
pub fn earlier(book: &Reader, tree: &TreeId, revision: u64) -> Result<Result<Earlier, Unknown>, EngineError> {
    let revisions = match published(book, tree, revision)? {
        Ok(()) => return folded(book, tree, revision),
        Err(revisions) => revisions,
    };
    let below = revisions.range(..revision).rev().take(NEAREST);
    let mut nearest: Vec<(u64, Timestamp)> = below.map(|(revision, at)| (*revision, *at)).collect();
    nearest.reverse();
    nearest.extend(revisions.range(revision..).take(NEAREST).map(|(revision, at)| (*revision, *at)));
    Ok(Err(Unknown::Never(nearest)))
}

/// Whether a tree was published at a revision; if not, all revisions at which it was, and when.
fn published(book: &Reader, tree: &TreeId, revision: u64) -> Result<Result<(), BTreeMap<u64, Timestamp>>, EngineError> {
    let (subject, mut all, mut next) = (Subject::Tree(tree.clone()).to_string(), BTreeMap::new(), 1);
    loop {
        let page = book.about(&subject, Some(next), AT_ONCE)?;
        let Some(last) = page.last() else { return Ok(Err(all)) };
        next = last.seq + 1;
        for entry in &page {
            let why = |why| UnreadableEntry { seq: entry.seq, at: entry.draft.at, why };
            if let Fact::Published(published) = fact::read(&entry.draft.body).map_err(why)? {
                all.entry(published.revision).or_insert(entry.draft.at);
            }
        }
        if all.contains_key(&revision) {
            return Ok(Ok(()));
        }
    }
}

/// Folds the entries until the tree was published at the revision.
fn folded(book: &Reader, tree: &TreeId, revision: u64) -> Result<Result<Earlier, Unknown>, EngineError> {
    let (mut world, mut search) = (World::default(), Search::of(tree, revision));
    loop {
        let page = book.read(world.last + 1, AT_ONCE)?;
        if page.is_empty() {
            return Ok(Err(Unknown::Unclear));
        }
        for entry in &page {
            let (seq, at) = (entry.seq, entry.draft.at);
            let (fact, elapsed) =
                fact::read_at(&entry.draft.body, at).map_err(|why| UnreadableEntry { seq, at, why })?;
            world.elapsed = elapsed;
            world.apply(seq, at, &entry.draft.who, &fact);
            match search.see(&world, seq, &fact) {
                Step::On => {}
                Step::Found(earlier) => return Ok(Ok(earlier)),
                Step::Unclear => return Ok(Err(Unknown::Unclear)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fact::samples::of_restores;
    use crate::store::logbook::{Draft, Logbook as _, SqliteLogbook};

    /// A logbook in which a tree is published, restored and restored again.
    fn book(dir: &tempfile::TempDir) -> Reader {
        let path = dir.path().join("logbook.sqlite");
        let mut book = SqliteLogbook::open(&path).expect("a new logbook");
        for fact in of_restores() {
            let about = fact.about().iter().map(ToString::to_string).collect();
            let (who, why, body) = ("me".to_owned(), String::new(), fact::write(&fact));
            let draft = Draft { at: Timestamp::UNIX_EPOCH, who, why, body, about };
            book.append(book.head(), &[draft]).expect("appended");
        }
        Reader::of(path)
    }

    #[test]
    fn what_a_tree_listed_is_what_the_logbook_says_of_the_entry_that_published_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let (book, tree) = (book(&dir), "untested/umd/3/sl6/x86_64".parse::<TreeId>().expect("a tree"));
        let listed = |revision| {
            let found = earlier(&book, &tree, revision).expect("readable");
            found.map(|found| {
                (found.entry, found.listing(&tree.tree).nevras().map(ToString::to_string).collect::<Vec<_>>())
            })
        };
        assert_eq!(listed(1_795_172_600), Ok((4, vec!["dpm-1.8.0-1.x86_64".to_owned()])));
        let never = |all: &[u64]| Err(Unknown::Never(all.iter().map(|n| (*n, Timestamp::UNIX_EPOCH)).collect()));
        assert_eq!(listed(1), never(&[1_795_172_600, 1_795_172_700]));
        assert_eq!(listed(1_795_172_650), never(&[1_795_172_600, 1_795_172_700]));
        let other = "testing/umd/3/sl6/x86_64".parse::<TreeId>().expect("a tree");
        assert_eq!(earlier(&book, &other, 1).expect("readable"), Err(Unknown::Never(vec![])));
    }
}
