//! The logbook as its one writer has it: the chain, where it ends, its seal, and its files held by their names.

use std::path::Path;
use std::sync::Arc;

use super::super::disk::{Disk, DiskError};
use super::super::foothold::Mark;
use super::Logbook;
use super::chain::Chain;
use super::checkpoint::{self, Checkpoint, Checkpoints};
use super::entry::{Draft, Head, Recorded, Row};
use super::files::Files;
use super::seal::Seal;
use super::trouble::{LogbookError, Witness};
use crate::domain::moment::Elapsed;

/// The logbook in one SQLite file.
#[derive(Debug)]
pub struct SqliteLogbook {
    chain: Chain,
    head: Head,
    seal: Option<Seal>,
    checkpoints: Option<Checkpoints>,
    /// The database and the files beside it; `None` unless this is the daemon's.
    pub(super) files: Option<Files>,
}

impl SqliteLogbook {
    /// Opens the logbook, makes it when it is missing, and checks the whole chain.
    ///
    /// # Errors
    /// A database that cannot be used, a newer format, or the first entry that breaks the chain.
    pub fn open(path: &Path) -> Result<Self, LogbookError> {
        let mut book = Self::open_unread(path)?;
        book.head = book.verify().map_err(LogbookError::or_damaged)?;
        Ok(book)
    }

    /// The same for whoever is about to read all of it, which checks the chain.
    ///
    /// # Errors
    /// A database that cannot be used, or a newer format.
    pub fn open_unread(path: &Path) -> Result<Self, LogbookError> {
        let open = || {
            let chain = Chain::open(path)?;
            let head = chain.last()?;
            Ok(Self { chain, head, seal: None, checkpoints: None, files: None })
        };
        open().map_err(LogbookError::or_damaged)
    }

    /// The same with a seal, as the daemon opens it: refused when it is not the logbook that was sealed. The chain is
    /// checked by whoever reads it from the first entry on, as the daemon does at its start, so that it is read once.
    ///
    /// # Errors
    /// As [`SqliteLogbook::open`], and what the seal says against it.
    pub fn open_sealed(path: &Path, disk: Arc<dyn Disk>) -> Result<Self, LogbookError> {
        let seal = Seal::beside(path, Arc::clone(&disk))?;
        let unread = |source| LogbookError::Unread { path: path.to_owned(), source };
        let sealed = seal.last().map(|(head, _)| head);
        if let Some(head) = sealed.filter(|head| *head != Head::EMPTY)
            && Mark::of(path).map_err(unread)?.is_none()
        {
            // Opening it would make an empty one.
            let (why, witness) = ("is not there".to_owned(), Witness::Seal(seal.path().to_owned()));
            let hash = head.hash.to_hex();
            return Err(LogbookError::Cut { path: path.to_owned(), why, witness, seq: head.seq, hash });
        }
        let mut book = Self::open_unread(path)?;
        if let Some(head) = sealed {
            book.holds(head, Witness::Seal(seal.path().to_owned()))?;
        }
        book.checkpoints = Some(Checkpoints::beside(path, Arc::clone(&disk)));
        book.files = Some(Files::of(path, disk).map_err(unread)?);
        book.seal = Some(seal);
        Ok(book)
    }

    /// Opens an existing logbook to look at it; nothing is written.
    ///
    /// # Errors
    /// As [`SqliteLogbook::open`], and a missing file.
    pub fn open_to_read(path: &Path) -> Result<Self, LogbookError> {
        let chain = Chain::open_to_read(path)?;
        let head = chain.verify().map_err(LogbookError::or_damaged)?;
        Ok(Self { chain, head, seal: None, checkpoints: None, files: None })
    }

    /// Walks the whole chain.
    ///
    /// # Errors
    /// The first entry that does not fit.
    pub fn verify(&self) -> Result<Head, LogbookError> {
        self.chain.verify()
    }

    /// Whether the entry at the end of this chain is in the logbook.
    ///
    /// # Errors
    /// When it is missing or another stands in its place, with who says so.
    pub fn holds(&self, head: Head, witness: Witness) -> Result<(), LogbookError> {
        let found = self.chain.hash_of(head.seq)?;
        if head == Head::EMPTY || found == Some(head.hash) {
            return Ok(());
        }
        let why = match found {
            None => format!("ends at entry {}", self.head.seq),
            Some(hash) => format!("has another entry {}, with the hash {}", head.seq, hash.to_hex()),
        };
        let (path, hash) = (self.chain.path.clone(), head.hash.to_hex());
        Err(LogbookError::Cut { path, why, witness, seq: head.seq, hash })
    }

    /// Copies one state of the logbook, whoever writes meanwhile, into a new file that needs no other beside it;
    /// `progress` is told how many pages of how many are copied. No writer has to wait: a reader holds the state.
    ///
    /// # Errors
    /// The new file is then not whole.
    pub fn copy_to(&self, to: &Path, progress: impl Fn(u64, u64)) -> Result<(), LogbookError> {
        self.chain.copy_to(to, progress)
    }

    fn files_in_place(&mut self) -> Result<(), LogbookError> {
        self.files.as_mut().map_or(Ok(()), |files| files.in_place(&mut self.chain, self.head))
    }

    /// Notes that the files have changed by our own hand.
    fn written(&mut self) {
        if let Some(files) = &mut self.files {
            files.written();
        }
    }
}

impl Logbook for SqliteLogbook {
    fn head(&self) -> Head {
        self.head
    }

    fn in_place(&mut self) -> Result<(), LogbookError> {
        self.files_in_place()?;
        self.seal.as_mut().map_or(Ok(()), Seal::in_place)
    }

    fn may_be_written(&mut self) -> bool {
        if self.in_place().is_err() {
            return false;
        }
        let may = self.chain.write_nothing().is_ok();
        self.written();
        may
    }

    fn append(&mut self, head: Head, drafts: &[Draft]) -> Result<Vec<Recorded>, LogbookError> {
        self.in_place()?;
        if head != self.head {
            let (path, found) = (self.chain.path.clone(), self.chain.last()?.seq);
            return Err(LogbookError::Moved { path, expected: head.seq, found });
        }
        let appended = self.chain.append(head, drafts);
        self.written();
        let (recorded, end) = appended?;
        self.head = end;
        Ok(recorded)
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Recorded>, LogbookError> {
        self.chain.read(from, limit)
    }

    fn walk(&self, from: u64, limit: usize, see: &mut dyn FnMut(Row<'_>)) -> Result<(), LogbookError> {
        self.chain.walk(from, limit, see)
    }

    fn check(&self, last: Head) -> Result<(), LogbookError> {
        self.chain.check(last)
    }

    fn about(&self, subject: &str, from: Option<u64>, limit: usize) -> Result<Vec<Recorded>, LogbookError> {
        self.chain.about(subject, from, limit)
    }

    fn indexed(&self) -> Result<u64, LogbookError> {
        self.chain.indexed()
    }

    fn index(&mut self, entries: &[(u64, Vec<String>)]) -> Result<(), LogbookError> {
        let noted = self.chain.index(entries);
        self.written();
        noted
    }

    fn seal(&mut self, elapsed: Option<Elapsed>) -> Result<(), DiskError> {
        let now = (self.head, elapsed);
        let Some(seal) = self.seal.as_mut().filter(|seal| seal.last() != Some(now)) else { return Ok(()) };
        seal.put(&self.chain.path, self.head, elapsed)?;
        if self.files_in_place().is_ok() {
            let done = self.chain.checkpoint();
            self.written();
            let failed = |error: LogbookError| std::io::Error::other(error.sentence());
            done.map_err(|error| DiskError::new("seal", &self.chain.path, failed(error)))?;
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<Option<Checkpoint>, String> {
        let Some(checkpoint) = checkpoint::beside(&self.chain.path)? else { return Ok(None) };
        let Head { seq, hash } = checkpoint.head;
        let found = self.chain.hash_of(seq).map_err(|error| error.sentence())?;
        if found != Some(hash) {
            return Err(format!("the logbook has no such entry {seq}"));
        }
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.used = seq;
        }
        Ok(Some(checkpoint))
    }

    fn checkpoints(&self) -> Option<Checkpoints> {
        self.checkpoints.clone()
    }

    fn elapsed(&self) -> Option<Elapsed> {
        let (head, elapsed) = self.seal.as_ref()?.last()?;
        elapsed.filter(|_| head == self.head)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::super::tests::{draft, filled, kernel, older, put_copy};
    use super::*;

    #[test]
    fn whether_it_may_be_written_is_found_out_without_an_entry() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = filled(dir.path());
        let mut book = SqliteLogbook::open(&path).expect("open");
        let head = book.head();
        assert!(book.may_be_written());
        let other = Connection::open(&path).expect("open");
        other.execute_batch("BEGIN IMMEDIATE").expect("held");
        assert!(!book.may_be_written());
        other.execute_batch("ROLLBACK").expect("let go");
        assert!(book.may_be_written());
        assert_eq!(SqliteLogbook::open(&path).expect("whole").head(), head);
    }

    #[test]
    fn a_writer_that_is_behind_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = filled(dir.path());
        let (mut one, mut two) = (SqliteLogbook::open(&path).expect("open"), SqliteLogbook::open(&path).expect("open"));
        one.append(one.head(), &[draft("x")]).expect("appended");
        assert!(matches!(
            two.append(two.head(), &[draft("y")]),
            Err(LogbookError::Moved { expected: 6, found: 7, .. })
        ));
        assert_eq!(SqliteLogbook::open(&path).expect("whole").head().seq, 7);
    }

    #[test]
    fn after_a_seal_the_database_alone_has_all_entries() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = filled(dir.path());
        let mut book = SqliteLogbook::open_sealed(&path, kernel()).expect("whole");
        for n in 0..200 {
            book.append(book.head(), &[draft(&format!("{n}"))]).expect("appended");
        }
        book.seal(None).expect("sealed");
        put_copy(&path, &older(&path));
        assert_eq!(SqliteLogbook::open(&older(&path)).expect("whole").head(), book.head());
    }
}
