//! The entries in their table: appended, read, and checked against each other.
//!
//! A [`Chain`] is an open database. It knows where the file is, and nothing of seals or of names that files lose.

use std::fmt;
use std::ops::RangeInclusive;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params};

use super::entry::{Draft, Head, Recorded, Row};
use super::subjects;
use super::trouble::LogbookError;
use crate::domain::checksum::Sha256;

/// Rises with every change of the tables.
const FORMAT: i64 = 1;

/// Entries of a part of the chain that is checked as one.
const CHECK_AT_ONCE: u64 = 20_000;

/// Threads that check a chain: a few do as much as a disk gives.
const CHECKERS: usize = 4;

/// An open database with entries.
#[derive(Debug)]
pub(super) struct Chain {
    /// The file.
    pub(super) path: PathBuf,
    /// The same, open.
    pub(super) db: Connection,
}

impl Chain {
    /// Opens the database and makes what is missing of it; reads no entry.
    pub(super) fn open(path: &Path) -> Result<Self, LogbookError> {
        let fail = |what| LogbookError::database(what, path);
        let db = Connection::open(path).map_err(fail("open"))?;
        db.execute_batch(&format!(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;
             CREATE TABLE IF NOT EXISTS entry(
                 seq INTEGER PRIMARY KEY, at TEXT NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL,
                 body TEXT NOT NULL, hash BLOB NOT NULL) STRICT;
             {}",
            subjects::TABLES
        ))
        .map_err(fail("prepare"))?;
        let chain = Self { path: path.to_owned(), db };
        chain.agree_on_format()?;
        Ok(chain)
    }

    /// Opens an existing database to look at it; nothing is written.
    pub(super) fn open_to_read(path: &Path) -> Result<Self, LogbookError> {
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .map_err(LogbookError::database("open", path))?;
        Ok(Self { path: path.to_owned(), db })
    }

    fn agree_on_format(&self) -> Result<(), LogbookError> {
        let found: i64 =
            self.db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(self.failed("read"))?;
        match found {
            0 => self.db.pragma_update(None, "user_version", FORMAT).map_err(self.failed("prepare")),
            FORMAT => Ok(()),
            _ => Err(LogbookError::Newer { path: self.path.clone(), found, known: FORMAT }),
        }
    }

    /// The error for an entry that does not fit.
    pub(super) fn broken(&self, seq: u64, why: impl Into<String>) -> LogbookError {
        LogbookError::Broken { path: self.path.clone(), seq, why: why.into() }
    }

    fn failed(&self, what: &'static str) -> impl Fn(rusqlite::Error) -> LogbookError {
        LogbookError::database(what, &self.path)
    }

    /// The end of the chain by its last row alone.
    pub(super) fn last(&self) -> Result<Head, LogbookError> {
        let last: i64 = self
            .db
            .query_row("SELECT coalesce(max(seq), 0) FROM entry", [], |row| row.get(0))
            .map_err(self.failed("read"))?;
        let Ok(seq) = u64::try_from(last) else { return Err(self.broken(1, format!("there is an entry {last}"))) };
        if seq == 0 {
            return Ok(Head::EMPTY);
        }
        let hash = self.hash_of(seq)?.ok_or_else(|| self.broken(seq, "its hash is not one"))?;
        Ok(Head { seq, hash })
    }

    /// Checks the whole chain.
    ///
    /// # Errors
    /// The first entry that does not fit.
    pub(super) fn verify(&self) -> Result<Head, LogbookError> {
        let last = self.last()?;
        self.check(last)?;
        Ok(last)
    }

    /// Checks the chain of the entries up to `last`, which is one of them.
    ///
    /// It is checked in parts, by several threads, each with the database open for itself: a row has the hash with which
    /// the next part begins. That every part ends where the next one began makes them one chain, whatever each thread
    /// has opened.
    ///
    /// # Errors
    /// The first entry that does not fit.
    pub(super) fn check(&self, last: Head) -> Result<(), LogbookError> {
        self.check_in_parts(last, CHECK_AT_ONCE)
    }

    fn check_in_parts(&self, last: Head, at_once: u64) -> Result<(), LogbookError> {
        let parts = last.seq.div_ceil(at_once);
        let next = AtomicU64::new(0);
        let check = |chain: &Self| {
            let mut done = Vec::new();
            loop {
                let part = next.fetch_add(1, Ordering::Relaxed);
                if part >= parts {
                    return done;
                }
                let first = part * at_once + 1;
                done.push((first, chain.ends(first..=last.seq.min(first + at_once - 1))));
            }
        };
        let path = &self.path;
        let help = || Self::open_to_read(path).map_or_else(|_| vec![], |chain| check(&chain));
        let threads = thread::available_parallelism().map_or(1, usize::from).min(CHECKERS);
        let mut done = thread::scope(|scope| {
            // Nobody is called for a logbook of one part.
            let helpers: Vec<_> = (1..parts).take(threads - 1).map(|_| scope.spawn(help)).collect();
            let mut done = check(self);
            for helper in helpers {
                done.extend(helper.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            done
        });
        done.sort_unstable_by_key(|(first, _)| *first);
        let mut head = Head::EMPTY;
        for (first, found) in done {
            let [begin, end] = found?;
            if begin != head {
                return Err(self.broken(first, "it does not build on the entry before it"));
            }
            head = end;
        }
        if head == last { Ok(()) } else { Err(self.broken(last.seq, "it is not there or another is in its place")) }
    }

    /// Checks some entries; the ends of the chain before them and with them.
    fn ends(&self, entries: RangeInclusive<u64>) -> Result<[Head; 2], LogbookError> {
        let (first, last) = (*entries.start(), *entries.end());
        let begin = self.head_before(first)?;
        let mut end = begin;
        let limit = i64::try_from(last - first + 1).unwrap_or(i64::MAX);
        self.each(first, limit, begin, |row| end = Head { seq: row.seq, hash: row.hash })?;
        Ok([begin, end])
    }

    /// Shows up to `limit` entries from number `from` on, each checked against the chain.
    pub(super) fn walk(&self, from: u64, limit: usize, see: &mut dyn FnMut(Row<'_>)) -> Result<(), LogbookError> {
        let from = from.max(1);
        self.each(from, i64::try_from(limit).unwrap_or(i64::MAX), self.head_before(from)?, see)
    }

    /// The same entries, copied.
    pub(super) fn read(&self, from: u64, limit: usize) -> Result<Vec<Recorded>, LogbookError> {
        let mut entries = Vec::new();
        self.walk(from, limit, &mut |row| entries.push(row.to_recorded()))?;
        Ok(entries)
    }

    /// Shows each entry from `from` on; `head` is the end of the chain before it.
    fn each(&self, from: u64, limit: i64, mut head: Head, mut see: impl FnMut(Row<'_>)) -> Result<(), LogbookError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT seq, at, who, why, body, hash FROM entry WHERE seq >= ?1 ORDER BY seq LIMIT ?2")
            .map_err(self.failed("read"))?;
        let mut rows =
            statement.query(params![i64::try_from(from).unwrap_or(i64::MAX), limit]).map_err(self.failed("read"))?;
        let mut room = Vec::new();
        while let Some(row) = rows.next().map_err(self.failed("read"))? {
            let expected = head.seq + 1;
            let unreadable = |error: &dyn fmt::Display| self.broken(expected, format!("unreadable: {error}"));
            let field = |column| row.get_ref(column).map_err(|error| unreadable(&error));
            let text = |column| field(column)?.as_str().map_err(|error| unreadable(&error));
            let seq = field(0)?.as_i64().map_err(|error| unreadable(&error))?;
            if u64::try_from(seq) != Ok(expected) {
                return Err(self.broken(expected, format!("it is entry {seq} instead")));
            }
            let (written, who, why, body) = (text(1)?, text(2)?, text(3)?, text(4)?);
            let at = written.parse().map_err(|e| self.broken(expected, format!("its time is unreadable: {e}")))?;
            let hash = field(5)?.as_blob().map_err(|error| unreadable(&error))?;
            head = head.after([written, who, why, body], &mut room);
            if hash != head.hash.0 {
                return Err(self.broken(expected, "its hash does not match its content and the entry before it"));
            }
            see(Row { seq: expected, at, who, why, body, hash: head.hash });
        }
        Ok(())
    }

    /// One entry, checked against the hash of the one before it.
    fn one(&self, seq: u64) -> Result<Option<Recorded>, LogbookError> {
        let mut found = None;
        self.each(seq, 1, self.head_before(seq)?, |row| found = Some(row.to_recorded()))?;
        Ok(found)
    }

    fn head_before(&self, seq: u64) -> Result<Head, LogbookError> {
        let before = seq.saturating_sub(1);
        if before == 0 {
            return Ok(Head::EMPTY);
        }
        // Past the end there is nothing to read; `each` finds that out from the rows.
        let hash = self.hash_of(before)?.unwrap_or(Head::EMPTY.hash);
        Ok(Head { seq: before, hash })
    }

    /// The hash that stands in the row of an entry.
    pub(super) fn hash_of(&self, seq: u64) -> Result<Option<Sha256>, LogbookError> {
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        let hash: Option<Vec<u8>> = self
            .db
            .prepare_cached("SELECT hash FROM entry WHERE seq = ?1")
            .and_then(|mut statement| statement.query_row([seq], |row| row.get(0)).optional())
            .map_err(self.failed("read"))?;
        Ok(hash.and_then(|bytes| bytes.try_into().ok()).map(Sha256))
    }

    /// Appends all `drafts` in one transaction if the last entry has the number of `head`; gives the new end, too.
    pub(super) fn append(&mut self, head: Head, drafts: &[Draft]) -> Result<(Vec<Recorded>, Head), LogbookError> {
        let fail = LogbookError::database("append to", &self.path);
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fail)?;
        let last: i64 = tx
            .query_row("SELECT coalesce(max(seq), 0) FROM entry", [], |row| row.get(0))
            .map_err(LogbookError::database("read", &self.path))?;
        if u64::try_from(last) != Ok(head.seq) {
            let found = u64::try_from(last).unwrap_or_default();
            return Err(LogbookError::Moved { path: self.path.clone(), expected: head.seq, found });
        }
        // Entries after one that is not indexed yet are not noted, or whoever catches up would not find the gap.
        let is_indexed = subjects::last_known(&tx).map_err(LogbookError::database("read", &self.path))? == head.seq;
        let mut end = head;
        let mut room = Vec::new();
        let mut recorded = Vec::with_capacity(drafts.len());
        {
            let mut insert = tx
                .prepare_cached("INSERT INTO entry(seq, at, who, why, body, hash) VALUES(?1, ?2, ?3, ?4, ?5, ?6)")
                .map_err(&fail)?;
            for draft in drafts {
                let at = draft.at.to_string();
                end = end.after([&at, &draft.who, &draft.why, &draft.body], &mut room);
                let seq = i64::try_from(end.seq).unwrap_or(i64::MAX);
                insert.execute(params![seq, at, draft.who, draft.why, draft.body, &end.hash.0[..]]).map_err(&fail)?;
                if is_indexed {
                    subjects::note(&tx, end.seq, &draft.about).map_err(&fail)?;
                }
                recorded.push(Recorded { seq: end.seq, draft: draft.clone(), hash: end.hash });
            }
        }
        if is_indexed {
            subjects::note_last(&tx, end.seq).map_err(&fail)?;
        }
        tx.commit().map_err(&fail)?;
        Ok((recorded, end))
    }

    /// Up to `limit` entries about a thing, oldest first: those from number `from` on, or else the newest.
    pub(super) fn about(&self, subject: &str, from: Option<u64>, limit: usize) -> Result<Vec<Recorded>, LogbookError> {
        let numbers = subjects::numbers(&self.db, subject, from, limit).map_err(self.failed("read"))?;
        let entry = |seq| self.one(seq)?.ok_or_else(|| self.broken(seq, "it is in the index but missing"));
        numbers.into_iter().map(entry).collect()
    }

    /// The number of the last entry whose subjects are known.
    pub(super) fn indexed(&self) -> Result<u64, LogbookError> {
        subjects::last_known(&self.db).map_err(self.failed("read"))
    }

    /// Notes the subjects of entries that a program wrote without noting them, in the order of the entries.
    pub(super) fn index(&mut self, entries: &[(u64, Vec<String>)]) -> Result<(), LogbookError> {
        subjects::note_all(&mut self.db, entries).map_err(LogbookError::database("index", &self.path))
    }

    /// Moves what is in the write-ahead log into the database itself, as far as nobody reads an older state. So a copy of
    /// the one file lacks little, and the log stays short.
    pub(super) fn checkpoint(&mut self) -> Result<(), LogbookError> {
        let done = self.db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        done.map_err(self.failed("checkpoint"))
    }

    /// Writes what is there already to a page that has to be written all the same: it works if an append would.
    pub(super) fn write_nothing(&mut self) -> rusqlite::Result<()> {
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.pragma_update(None, "user_version", FORMAT)?;
        tx.commit()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::filled;
    use super::super::{Logbook as _, SqliteLogbook};
    use super::*;

    #[test]
    fn what_was_appended_is_read_back_after_a_restart() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = filled(dir.path());
        let book = SqliteLogbook::open(&path).expect("whole");
        assert_eq!(book.head().seq, 6);
        let bodies: Vec<String> = book.read(3, 2).expect("read").into_iter().map(|e| e.draft.body).collect();
        assert_eq!(bodies, ["two", "and"]);
        assert!(book.read(7, 10).expect("read").is_empty());
    }

    #[test]
    fn tampering_is_found_at_the_exact_entry() {
        for (sql, seq) in [
            ("UPDATE entry SET body = 'x' WHERE seq = 3", 3),
            ("UPDATE entry SET who = 'mean', why = '' WHERE seq = 5", 5),
            ("DELETE FROM entry WHERE seq = 2", 2),
            ("UPDATE entry SET hash = zeroblob(32) WHERE seq = 1", 1),
            ("UPDATE entry SET at = 'yesterday' WHERE seq = 4", 4),
        ] {
            let dir = tempfile::tempdir().expect("a directory");
            let path = filled(dir.path());
            Connection::open(&path).expect("open").execute_batch(sql).expect("tampered");
            match SqliteLogbook::open(&path) {
                Err(LogbookError::Broken { seq: found, .. }) => assert_eq!(found, seq, "{sql}"),
                other => panic!("{sql}: {other:?}"),
            }
            // In whatever parts it is checked.
            for at_once in 1..=7 {
                let chain = Chain::open(&path).expect("open");
                let last = Head { seq: 6, hash: chain.hash_of(6).expect("read").expect("there") };
                match chain.check_in_parts(last, at_once) {
                    Err(LogbookError::Broken { seq: found, .. }) => assert_eq!(found, seq, "{sql}, {at_once} at once"),
                    other => panic!("{sql}, {at_once} at once: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn a_chain_is_checked_up_to_the_entry_that_is_named_and_to_no_other() {
        let dir = tempfile::tempdir().expect("a directory");
        let chain = Chain::open(&filled(dir.path())).expect("open");
        for seq in 0..=6 {
            let hash = chain.hash_of(seq).expect("read").unwrap_or(Head::EMPTY.hash);
            for at_once in 1..=7 {
                chain.check_in_parts(Head { seq, hash }, at_once).expect("whole");
                let other = chain.check_in_parts(Head { seq, hash: Sha256([7; 32]) }, at_once);
                assert!(other.is_err(), "{seq}, {at_once} at once");
                assert!(
                    chain.check_in_parts(Head { seq: seq + 7, hash }, at_once).is_err(),
                    "{seq}, {at_once} at once"
                );
            }
        }
    }

    #[test]
    fn a_logbook_of_a_newer_program_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = filled(dir.path());
        Connection::open(&path).expect("open").pragma_update(None, "user_version", 99).expect("set");
        assert!(matches!(SqliteLogbook::open(&path), Err(LogbookError::Newer { found: 99, .. })));
    }
}
