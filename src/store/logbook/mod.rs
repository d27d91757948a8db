//! The logbook: what has been decided, in order, hash-chained. The only state that is ours.
//!
//! One SQLite file, `<state>/logbook.sqlite` (WAL, `synchronous=FULL`):
//!
//! ```text
//! entry(seq INTEGER PRIMARY KEY, at TEXT, who TEXT, why TEXT, body TEXT, hash BLOB)
//! about(subject TEXT, seq INTEGER)      which entries are about a thing
//! indexed(seq INTEGER)                  the last entry that `about` covers
//! ```
//!
//! `who` is the id of a person, and a [register](super::people) beside the logbook says who that is; or it is the daemon.
//! Entries from before there were ids have names. These are read for ever, and nobody can be erased from them.
//!
//! The last two tables are an index. It is no part of the chain and can be made again from the entries. A program that does not
//! know them appends without them; the next start sees from `indexed` what is missing.
//!
//! `hash` is the SHA-256 of the hash before it (32 zero bytes before the first) followed by `seq` as
//! eight bytes big-endian and by `at`, `who`, `why` and `body`, each preceded by its length as eight
//! bytes big-endian. So no entry can be changed, removed or inserted without breaking the chain,
//! and no text can slide from one field into the next.
//!
//! - A row never changes once written. Rows are appended in one transaction, all or none.
//! - An append names the head it builds on; if the head has moved meanwhile, it is refused. So two writers
//!   cannot both believe that they are the only one.
//! - Every read checks the chain. A broken chain stops the daemon, which would otherwise act on entries that somebody
//!   else wrote.
//!
//! # The files of this folder
//!
//! `trouble` is what can go wrong, `entry` what is written and read, `subjects` the index and `chain` the entries,
//! each in their tables, and `copying` a copy of both. `seal` is the line outside of the logbook that says where it
//! ends, `checkpoint` what the first entries fold to, `files` watches that the open files keep their names, and `sqlite` puts these together for the one writer.
//! Whoever only reads beside the writer has `reader`.
//!
//! # The trait
//!
//! It is small on purpose: append if the head is H, read from N, the entries about a thing. A second implementation for
//! several nodes needs no more, and no path and no type of `rusqlite` is seen outside of this folder. We use plain
//! `rusqlite` and not an asynchronous pool, since there is one writer, which must wait for the disk anyhow, and `store`
//! knows no runtime.

/// What can be wrong with a logbook.
mod trouble;
/// An entry, and the end of the chain.
mod entry;
/// Which entries are about a thing.
mod subjects;
/// The entries in their table.
mod chain;
/// A copy of a logbook while somebody writes to it.
mod copying;
/// Where the logbook ends, written down outside of it.
mod seal;
/// What the first entries fold to.
mod checkpoint;
/// Whether the open files still have their names.
mod files;
/// The logbook as its one writer has it.
mod sqlite;
/// The logbook as whoever reads beside the writer has it.
mod reader;

pub use checkpoint::{Checkpoint, Checkpoints};
pub use entry::{Draft, Head, Recorded, Row};
pub use files::{LeftBehind, left_behind};
pub use reader::Reader;
pub use seal::{seal_line, sealed};
pub use sqlite::SqliteLogbook;
pub use trouble::{DatabaseError, ErrorKind, LogbookError, Witness};

use super::disk::DiskError;
use crate::domain::moment::Elapsed;

/// Append-only entries, each bound to the one before.
pub trait Logbook: Send {
    /// The end of the chain.
    fn head(&self) -> Head;

    /// Appends all `drafts` durably if the chain still ends at `head`; all or none.
    fn append(&mut self, head: Head, drafts: &[Draft]) -> Result<Vec<Recorded>, LogbookError>;

    /// Up to `limit` entries from number `from` on, each checked against the chain.
    fn read(&self, from: u64, limit: usize) -> Result<Vec<Recorded>, LogbookError>;

    /// The same entries, shown to `see` one by one as they are read, for whoever goes through all of them.
    fn walk(&self, from: u64, limit: usize, see: &mut dyn FnMut(Row<'_>)) -> Result<(), LogbookError> {
        self.read(from, limit)?.iter().map(Recorded::as_row).for_each(see);
        Ok(())
    }

    /// Checks the chain of the entries up to `last`, which is one of them, for whoever needs nothing that they say.
    fn check(&self, last: Head) -> Result<(), LogbookError>;

    /// Up to `limit` entries about a thing, oldest first: those from number `from` on, or else the newest.
    fn about(&self, subject: &str, from: Option<u64>, limit: usize) -> Result<Vec<Recorded>, LogbookError>;

    /// The number of the last entry whose subjects are known.
    fn indexed(&self) -> Result<u64, LogbookError>;

    /// Notes the subjects of entries that a program wrote without noting them, in the order of the entries.
    fn index(&mut self, entries: &[(u64, Vec<String>)]) -> Result<(), LogbookError>;

    /// Whether the next start would find what is appended now; changes nothing.
    fn in_place(&mut self) -> Result<(), LogbookError> {
        Ok(())
    }

    /// Whether an entry could be appended now; changes nothing.
    fn may_be_written(&mut self) -> bool {
        false
    }

    /// Writes down outside of the logbook, if there is such a place, where the chain ends, and the elapsed time by which
    /// things wait for their removal.
    fn seal(&mut self, _elapsed: Option<Elapsed>) -> Result<(), DiskError> {
        Ok(())
    }

    /// What the first entries fold to, if somebody has put it there.
    ///
    /// # Errors
    /// Why what was put there cannot be used, in words.
    fn checkpoint(&mut self) -> Result<Option<Checkpoint>, String> {
        Ok(None)
    }

    /// Where that is put, by whoever writes the logbook.
    fn checkpoints(&self) -> Option<Checkpoints> {
        None
    }

    /// That time, unless an entry was appended after it was written down: then the entry has a later one.
    fn elapsed(&self) -> Option<Elapsed> {
        None
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::super::disk::{self, Access, Disk};
    use super::*;

    /// An entry to append.
    pub(super) fn draft(text: &str) -> Draft {
        Draft { at: Timestamp::UNIX_EPOCH, who: "me".into(), why: String::new(), body: text.into(), about: vec![] }
    }

    /// The file of a logbook with six entries.
    pub(super) fn filled(dir: &Path) -> PathBuf {
        let path = dir.join("logbook.sqlite");
        let mut book = SqliteLogbook::open(&path).expect("a new logbook");
        for text in ["one", "two", "three"] {
            book.append(book.head(), &[draft(text), draft("and")]).expect("appended");
        }
        path
    }

    /// The real disk.
    pub(super) fn kernel() -> Arc<dyn Disk> {
        Arc::new(disk::Kernel::default())
    }

    /// The name of an older copy of the logbook in `path`.
    pub(super) fn older(path: &Path) -> PathBuf {
        path.with_file_name("older.sqlite")
    }

    /// Copies a file over another.
    pub(super) fn put_copy(from: &Path, to: &Path) {
        disk::put(&disk::Kernel::default(), to, &std::fs::read(from).expect("read"), Access::Owner).expect("copied");
    }

    /// Renames a file to `aside`.
    pub(super) fn move_to(path: &Path, aside: &str) {
        disk::Kernel::default().rename(path, &path.with_file_name(aside)).expect("moved");
    }

    /// Renames it back.
    pub(super) fn move_from(path: &Path, aside: &str) {
        disk::Kernel::default().rename(&path.with_file_name(aside), path).expect("moved back");
    }

    /// A sealed logbook that is open, with an entry after the sealed one, and an older copy beside it.
    pub(super) fn open_and_running(dir: &Path) -> (PathBuf, SqliteLogbook) {
        let path = filled(dir);
        put_copy(&path, &older(&path));
        let mut book = SqliteLogbook::open_sealed(&path, kernel()).expect("whole");
        book.append(book.head(), &[draft("x")]).expect("appended");
        book.seal(None).expect("sealed");
        book.append(book.head(), &[draft("y")]).expect("appended");
        (path, book)
    }
}
