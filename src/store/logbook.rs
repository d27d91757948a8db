//! The logbook: what has been decided, in order, hash-chained. The only state that is ours.
//!
//! One SQLite file, `<state>/logbook.sqlite` (WAL, `synchronous=FULL`):
//!
//! ```text
//! entry(seq INTEGER PRIMARY KEY, at TEXT, who TEXT, why TEXT, body TEXT, hash BLOB)
//! about(subject TEXT, seq INTEGER)      which entries are about a thing
//! indexed(seq INTEGER)                  the last entry that `about` knows
//! ```
//!
//! The last two are an index that can be made again from the entries, and no part of the chain. A program that does not
//! know them appends without them; the next start sees from `indexed` what is missing.
//!
//! `hash` is the SHA-256 of the hash before it (32 zero bytes before the first) followed by `seq` as
//! eight bytes big-endian and by `at`, `who`, `why` and `body`, each preceded by its length as eight
//! bytes big-endian. So no entry can be changed, removed or put in between without breaking the chain,
//! and no text can slide from one field into the next.
//!
//! - A row never changes once written. Rows are appended in one transaction, all or none.
//! - An append names the head it builds on; a head that moved meanwhile is a refusal. So two writers
//!   cannot both believe that they are the one.
//! - Every read checks the chain. A broken chain stops the daemon: it would have to act on entries
//!   that somebody else wrote.
//!
//! # The seal
//!
//! A chain that is cut off at its end is still a chain. So the daemon writes down where its logbook ends,
//! outside of it: `<state>/logbook.head`, one line with the number and the hash of an entry. It does so at
//! its start, after publications, every ten minutes and at its stop, and not after every append, which would cost
//! two more syncs each. The same goes into the log of the daemon, where the journal of the machine keeps it. A third
//! word says how late it is by elapsed time, which no entry tells of while nothing happens.
//!
//! - Found at the start: a logbook that ends before the sealed entry, or has another in its place. So an
//!   old copy that was put back by mistake is found, and so is a cut. A logbook that goes on after the
//!   sealed entry is in order, since a crash may come between.
//! - Found by [`SqliteLogbook::holds`] while the daemon runs: anything that is missing from what it wrote.
//! - Not found at the start: a cut behind the last seal, and one by whoever can write both files. Against
//!   those the line in the journal helps, when the journal is kept on another machine.
//!
//! # The trait
//!
//! It is small on purpose: append if head is H, read from N, the entries about a thing. A second implementation for
//! several nodes needs no more, and no path and no type of `rusqlite` is seen outside of this file. `rusqlite` stands here
//! and not an asynchronous pool, since there is one writer, which must wait for the disk anyhow, and `store` knows no
//! runtime. Whoever only reads beside the writer has [`Reader`].

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest;
use jiff::Timestamp;
use rusqlite::backup::Backup;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use rustix::fs::{Mode, OFlags};

use super::disk::{self, Access, Disk, DiskError};
use super::foothold::{Change, Foothold, Mark};
use crate::domain::checksum::Sha256;

/// What is written next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// When it was decided.
    pub at: Timestamp,
    /// Who caused it.
    pub who: String,
    /// Why, one sentence; may be empty.
    pub why: String,
    /// What, as JSON with a version; opaque here.
    pub body: String,
    /// What it is about, for the index; empty when it was read.
    pub about: Vec<String>,
}

/// An entry as it stands in the logbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its number, from 1 without gaps.
    pub seq: u64,
    /// What it says.
    pub draft: Draft,
    /// The hash of the chain up to and with it.
    pub hash: Sha256,
}

/// An entry as long as it is read: nothing of it is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'r> {
    /// Its number, from 1 without gaps.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// Who caused it.
    pub who: &'r str,
    /// Why, one sentence; may be empty.
    pub why: &'r str,
    /// What, as JSON with a version; opaque here.
    pub body: &'r str,
    /// The hash of the chain up to and with it.
    pub hash: Sha256,
}

impl Row<'_> {
    fn to_recorded(self) -> Recorded {
        let (who, why, body) = (self.who.to_owned(), self.why.to_owned(), self.body.to_owned());
        Recorded { seq: self.seq, draft: Draft { at: self.at, who, why, body, about: vec![] }, hash: self.hash }
    }
}

impl Recorded {
    fn as_row(&self) -> Row<'_> {
        let Draft { at, who, why, body, .. } = &self.draft;
        Row { seq: self.seq, at: *at, who, why, body, hash: self.hash }
    }
}

/// The end of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the last entry; 0 for an empty logbook.
    pub seq: u64,
    /// Its hash; zeros for an empty logbook.
    pub hash: Sha256,
}

impl Default for Head {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Head {
    /// The head of an empty logbook.
    pub const EMPTY: Self = Self { seq: 0, hash: Sha256([0; 32]) };

    /// The head after one more entry, of which `at`, `who`, `why` and `body` are told as they stand in its row. `room` is
    /// kept for the next one: a digest of one piece takes less time than one of nine.
    fn after(self, texts: [&str; 4], room: &mut Vec<u8>) -> Self {
        let seq = self.seq + 1;
        room.clear();
        room.extend_from_slice(&self.hash.0);
        room.extend_from_slice(&seq.to_be_bytes());
        for text in texts {
            room.extend_from_slice(&(text.len() as u64).to_be_bytes());
            room.extend_from_slice(text.as_bytes());
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, room).as_ref());
        Self { seq, hash: Sha256(hash) }
    }
}

/// Who knows an entry that the logbook should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Witness {
    /// The daemon that runs: it wrote the entry.
    Daemon,
    /// The seal in this file.
    Seal(PathBuf),
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Daemon => f.write_str("the running daemon"),
            Self::Seal(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Witness {
    fn advice(&self) -> String {
        match self {
            Self::Daemon => "Stop the daemon and restore the newest logbook.".to_owned(),
            Self::Seal(path) => format!(
                "Restore the newest logbook (`rolloutd restore` does it from a backup); if you want this one, \
                 remove {} and start again.",
                path.display()
            ),
        }
    }
}

/// Why the logbook cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogbookError {
    /// The database did not do what it was asked.
    #[error("could not {what} the logbook {}", path.display())]
    Database {
        /// What was tried, a verb.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: DatabaseError,
    },
    /// The chain is broken: an entry was changed, removed or put in.
    #[error("entry {seq} of the logbook {} breaks the hash chain: {why}; restore a backup (`rolloutd restore`)",
             path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// The first entry that does not fit.
        seq: u64,
        /// What is wrong with it.
        why: String,
    },
    /// What stands in the file is no database any more.
    #[error(
        "the logbook {} is damaged: {source}. It may be a copy made while the daemon wrote to it, or the disk is \
         failing: restore a backup made by `rolloutd backup` (`rolloutd restore`)", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the database said.
        source: DatabaseError,
    },
    /// Entries are missing, or others stand in their place.
    #[error(
        "the logbook {} {why}, but {witness} has an entry {seq} with the hash {hash}: entries were removed, or \
         the logbook was replaced. {}", path.display(), witness.advice()
    )]
    Cut {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// Who knows better.
        witness: Witness,
        /// The entry that the witness knows.
        seq: u64,
        /// Its hash.
        hash: String,
    },
    /// The seal says nothing.
    #[error("{} is not a seal: {why}; if the logbook is correct, remove this file and start again", path.display())]
    Seal {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file cannot be read now, whatever it says.
    #[error("could not read {}: {source}. {}", path.display(), disk::way_on(path, source))]
    Unread {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The files are not any more the ones that this program has open.
    #[error("{} {why}. So nothing is recorded and nothing is decided. {remedy}", path.display())]
    Misplaced {
        /// The file.
        path: PathBuf,
        /// What has become of it.
        why: &'static str,
        /// How it goes on.
        remedy: String,
    },
    /// Somebody else has appended.
    #[error("the logbook {} ends at entry {found}, not at {expected}: another program is writing to it",
             path.display())]
    Moved {
        /// The file.
        path: PathBuf,
        /// Where the caller thought that it ends.
        expected: u64,
        /// Where it ends.
        found: u64,
    },
    /// Written by a newer program.
    #[error("the logbook {} has format {found}; this program knows {known} and refuses to write to it", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// Ours.
        known: i64,
    },
}

/// What the database said.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct DatabaseError(rusqlite::Error);

/// What an error means for whoever writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// It may pass without a new start: a full disk, a file that was moved away and is put back.
    Transient,
    /// Another writer has appended.
    Moved,
    /// It cannot be used.
    Broken,
}

impl LogbookError {
    /// What it means for whoever writes.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Database { .. } | Self::Unread { .. } | Self::Misplaced { .. } => ErrorKind::Transient,
            Self::Moved { .. } => ErrorKind::Moved,
            Self::Broken { .. } | Self::Damaged { .. } | Self::Cut { .. } | Self::Seal { .. } | Self::Newer { .. } => {
                ErrorKind::Broken
            }
        }
    }

    /// Whether it may pass without a new start.
    pub fn may_pass(&self) -> bool {
        self.kind() == ErrorKind::Transient
    }

    /// What a database that cannot be read means for whoever opens it.
    fn or_damaged(self) -> Self {
        use rusqlite::ErrorCode as Code;
        match self {
            Self::Database { path, source, .. }
                if matches!(source.0.sqlite_error_code(), Some(Code::DatabaseCorrupt | Code::NotADatabase)) =>
            {
                Self::Damaged { path, source }
            }
            other => other,
        }
    }

    /// Whether the kernel does not let this user use a file.
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Database { path, source, .. } => {
                use rusqlite::ErrorCode as Code;
                let denied = [Code::CannotOpen, Code::PermissionDenied, Code::ReadOnly];
                let code = source.0.sqlite_error_code();
                code.is_some_and(|code| denied.contains(&code)) && whose(path).is_some()
            }
            Self::Unread { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
            _ => false,
        }
    }

    /// The error with its cause in one line.
    pub fn sentence(&self) -> String {
        match self {
            Self::Database { path, source, .. } => {
                let remedy = whose(path).map(|remedy| format!(". {remedy}")).unwrap_or_default();
                format!("{self}: {source}{remedy}")
            }
            _ => self.to_string(),
        }
    }
}

/// What would let this process use the files of a logbook, where one of them belongs to somebody else.
fn whose(path: &Path) -> Option<String> {
    std::iter::once(path.to_owned()).chain(beside_it(path)).find_map(|path| disk::remedy_of_owner(&path))
}

/// The other two files of a database.
fn beside_it(path: &Path) -> [PathBuf; 2] {
    ["-wal", "-shm"].map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    })
}

/// Append-only entries, each bound to the one before.
pub trait Logbook: Send {
    /// The end of the chain.
    fn head(&self) -> Head;

    /// Appends all `drafts` durably if the chain still ends at `head`; all or none.
    fn append(&mut self, head: Head, drafts: &[Draft]) -> Result<Vec<Recorded>, LogbookError>;

    /// Up to `limit` entries from number `from` on, each checked against the chain.
    fn read(&self, from: u64, limit: usize) -> Result<Vec<Recorded>, LogbookError>;

    /// The same entries, shown as they are read: for whoever goes through all of them.
    fn walk(&self, from: u64, limit: usize, see: &mut dyn FnMut(Row<'_>)) -> Result<(), LogbookError> {
        self.read(from, limit)?.iter().map(Recorded::as_row).for_each(see);
        Ok(())
    }

    /// Up to `limit` entries about a thing, oldest first: those from number `from` on, or else the newest.
    fn about(&self, subject: &str, from: Option<u64>, limit: usize) -> Result<Vec<Recorded>, LogbookError>;

    /// The number of the last entry whose subjects are known.
    fn indexed(&self) -> Result<u64, LogbookError>;

    /// Notes what entries are about that were written by a program which did not note it, in their order.
    fn index(&mut self, entries: &[(u64, Vec<String>)]) -> Result<(), LogbookError>;

    /// Whether what would be appended would lie where the next start looks for it; changes nothing.
    fn in_place(&mut self) -> Result<(), LogbookError> {
        Ok(())
    }

    /// Whether an entry could be appended now; changes nothing.
    fn may_be_written(&mut self) -> bool {
        false
    }

    /// Writes the end of the chain down outside of the logbook, where there is such a place, with the time by which
    /// things wait for their removal.
    fn seal(&mut self, _steady: Option<Timestamp>) -> Result<(), DiskError> {
        Ok(())
    }

    /// That time, if it was written down after the last entry; else the entry knows better.
    fn steady(&self) -> Option<Timestamp> {
        None
    }
}

/// Pages that are copied between two words of progress.
const PAGES_AT_ONCE: i32 = 256;

/// Most copies of a logbook with the same number of entries that are kept when its database has lost its name.
const MOST_RESCUED: u32 = 9;

/// Rises with every change of the table.
const FORMAT: i64 = 1;

/// The logbook in one SQLite file.
#[derive(Debug)]
pub struct SqliteLogbook {
    path: PathBuf,
    db: Connection,
    head: Head,
    seal: Option<Seal>,
    /// The database and the files beside it, as they were opened; empty for a reader.
    files: Vec<Foothold>,
    /// Where all entries were saved when the database had lost its name.
    rescued: Option<Rescued>,
}

/// The logbook is gone, and what it had when it was removed lies beside it.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} does not exist, but {} has its contents from when it was removed; restore it: `mv {} {}`. To start \
     without it, move that file out of the state directory",
    logbook.display(), copy.display(), copy.display(), logbook.display()
)]
pub struct LeftBehind {
    logbook: PathBuf,
    copy: PathBuf,
}

/// Nothing is begun beside a copy of the logbook that was saved while a daemon wrote to it.
///
/// # Errors
/// Which copy has the most entries.
pub fn left_behind(state: &Path) -> Result<(), LeftBehind> {
    let logbook = state.join("logbook.sqlite");
    if logbook.exists() {
        return Ok(());
    }
    let entries = std::fs::read_dir(state).into_iter().flatten().flatten();
    let number = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?.strip_prefix("logbook.rescued-")?.strip_suffix(".sqlite")?;
        name.split('-').next()?.parse::<u64>().ok()
    };
    let copies = entries.map(|entry| entry.path()).filter_map(|path| Some((number(&path)?, path)));
    copies.max().map_or(Ok(()), |(_, copy)| Err(LeftBehind { logbook, copy }))
}

/// A copy of the logbook of which is known what it holds.
#[derive(Debug)]
struct Rescued {
    path: PathBuf,
    /// Where it ends, as was read from it.
    head: Head,
    /// How the file was when that was read.
    mark: Option<Mark>,
}

impl Rescued {
    /// Reads a copy from its first entry to its last; `None` unless it is whole and ends at `head`.
    fn of(path: PathBuf, head: Head) -> Option<Self> {
        let mark = Mark::of(&path).ok()??;
        let read = SqliteLogbook::open_to_read(&path).ok()?;
        (read.head == head).then_some(Self { path, head, mark: Some(mark) })
    }

    /// Whether it is still the file that was read, and ends where the logbook ends now.
    fn is_of(&self, head: Head) -> bool {
        self.head == head && self.mark.is_some() && Mark::of(&self.path).is_ok_and(|now| now == self.mark)
    }
}

/// The place of the seal, and what stands there.
#[derive(Debug)]
struct Seal {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    last: Option<(Head, Option<Timestamp>)>,
    mark: Option<Mark>,
}

impl Seal {
    /// The seal beside a logbook.
    fn beside(logbook: &Path, disk: Arc<dyn Disk>) -> Result<Self, LogbookError> {
        let path = logbook.with_extension("head");
        let mark = Mark::of(&path).map_err(|source| LogbookError::Unread { path: path.clone(), source })?;
        let last = sealed(&path)?;
        Ok(Self { disk, path, last, mark })
    }

    /// Whether there stands what was written there last.
    fn in_place(&mut self) -> Result<(), LogbookError> {
        let path = || self.path.clone();
        let now = Mark::of(&self.path).map_err(|source| LogbookError::Unread { path: path(), source })?;
        if now == self.mark {
            return Ok(());
        }
        let why = match sealed(&self.path) {
            Ok(found) if found == self.last => {
                self.mark = now;
                return Ok(());
            }
            Ok(None) => "is gone",
            Ok(Some(_)) | Err(LogbookError::Seal { .. }) => "no longer has what this daemon wrote there",
            Err(error) => return Err(error),
        };
        let dir = self.path.parent().unwrap_or(Path::new("/")).display();
        let remedy = format!(
            "Find out who changes files in {dir}. Restore this file, or restart the daemon: it checks whether \
             the logbook and this file match"
        );
        Err(LogbookError::Misplaced { path: path(), why, remedy })
    }
}

/// The end of a logbook and the time of the seal in a file, if there is one.
///
/// # Errors
/// When it cannot be read, or is no seal.
pub fn sealed(path: &Path) -> Result<Option<(Head, Option<Timestamp>)>, LogbookError> {
    use std::io::Read as _;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut text = String::new();
    let opened = rustix::fs::open(path, flags, Mode::empty()).map_err(io::Error::from);
    // A seal is one short line.
    match opened.and_then(|fd| File::from(fd).take(4096).read_to_string(&mut text)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() != io::ErrorKind::InvalidData => {
            return Err(LogbookError::Unread { path: path.to_owned(), source: error });
        }
        Err(_) => text.clear(),
    }
    let seal = read_seal(&text).ok_or_else(|| LogbookError::Seal {
        path: path.to_owned(),
        why: "it is not a number, a hash and a time on one line".to_owned(),
    })?;
    Ok(Some(seal))
}

/// A seal as it stands in its file.
pub fn seal_line(head: Head, steady: Option<Timestamp>) -> String {
    let time = steady.map(|steady| format!(" {steady}")).unwrap_or_default();
    format!("{} {}{time}\n", head.seq, head.hash.to_hex())
}

/// The time came later, so that a line without it is read as well.
fn read_seal(text: &str) -> Option<(Head, Option<Timestamp>)> {
    let (seq, rest) = text.strip_suffix('\n')?.split_once(' ')?;
    let (hash, steady) = rest.split_once(' ').map_or((rest, None), |(hash, steady)| (hash, Some(steady)));
    let head = Head { seq: seq.parse().ok()?, hash: hash.parse().ok()? };
    Some((head, steady.map(str::parse).transpose().ok()?))
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
        Self::open_to_write(path).map_err(LogbookError::or_damaged)
    }

    fn open_to_write(path: &Path) -> Result<Self, LogbookError> {
        let fail =
            |what| move |source| LogbookError::Database { what, path: path.to_owned(), source: DatabaseError(source) };
        let db = Connection::open(path).map_err(fail("open"))?;
        db.execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;
             CREATE TABLE IF NOT EXISTS entry(
                 seq INTEGER PRIMARY KEY, at TEXT NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL,
                 body TEXT NOT NULL, hash BLOB NOT NULL) STRICT;
             CREATE TABLE IF NOT EXISTS about(
                 subject TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(subject, seq)) STRICT, WITHOUT ROWID;
             CREATE TABLE IF NOT EXISTS indexed(seq INTEGER NOT NULL) STRICT;
             INSERT INTO indexed(seq) SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM indexed);",
        )
        .map_err(fail("prepare"))?;
        Self::agree_on_format(path, &db)?;
        let mut book = Self { path: path.to_owned(), db, head: Head::EMPTY, seal: None, files: vec![], rescued: None };
        book.head = book.last()?;
        Ok(book)
    }

    /// The end of the chain by the last row alone.
    fn last(&self) -> Result<Head, LogbookError> {
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

    /// The same with a seal, as the daemon opens it: refused when it is not the logbook that was sealed. The chain is
    /// checked by whoever reads it from the first entry on, as the daemon does at its start, so that it is read once.
    ///
    /// # Errors
    /// As [`SqliteLogbook::open`], and what the seal says against it.
    pub fn open_sealed(path: &Path, disk: Arc<dyn Disk>) -> Result<Self, LogbookError> {
        let seal = Seal::beside(path, disk)?;
        let unread = |path: &Path| {
            let path = path.to_owned();
            move |source| LogbookError::Unread { path, source }
        };
        if let Some((head, _)) = seal.last.filter(|(head, _)| *head != Head::EMPTY)
            && Mark::of(path).map_err(unread(path))?.is_none()
        {
            // To open it would make an empty one.
            let (why, witness) = ("is not there".to_owned(), Witness::Seal(seal.path));
            let hash = head.hash.to_hex();
            return Err(LogbookError::Cut { path: path.to_owned(), why, witness, seq: head.seq, hash });
        }
        let mut book = Self::open_unread(path)?;
        if let Some((head, _)) = seal.last {
            book.holds(head, Witness::Seal(seal.path.clone()))?;
        }
        let [wal, shm] = beside_it(path);
        let files = [Foothold::new(path.to_owned()), Foothold::new(wal), Foothold::shared(shm)];
        book.files = files.into_iter().collect::<Result<_, _>>().map_err(unread(path))?;
        book.seal = Some(seal);
        Ok(book)
    }

    /// Whether the files are those that were opened, and hold what was written to them.
    fn files_in_place(&mut self) -> Result<(), LogbookError> {
        for number in 0..self.files.len() {
            let Some(file) = self.files.get_mut(number) else { continue };
            let path = file.path().to_owned();
            let change = file.change().map_err(|source| LogbookError::Unread { path: path.clone(), source })?;
            let why = match change {
                None => continue,
                Some(Change::Gone) => "is gone (moved or removed) while the daemon runs",
                Some(Change::Another) => "was replaced by another file while the daemon runs",
                Some(Change::Written) => {
                    let (book, head) = (&self.path, self.head);
                    if !file.is_wrong(|| Self::open_to_read(book).is_ok_and(|seen| seen.head == head)) {
                        // Somebody has touched it, or copied the same over it.
                        self.written();
                        continue;
                    }
                    "was overwritten while the daemon runs"
                }
            };
            let is_log = path != self.path && change != Some(Change::Written);
            let remedy = if is_log { self.remedy_of_log() } else { self.remedy_of_loss() };
            return Err(LogbookError::Misplaced { path, why, remedy });
        }
        Ok(())
    }

    /// Files have changed, and by whose hand is known.
    fn written(&mut self) {
        self.files.iter_mut().for_each(Foothold::renew);
    }

    /// The database has lost its name: what is still open is the only copy, so another one is made.
    fn remedy_of_loss(&mut self) -> String {
        if !self.rescued.as_ref().is_some_and(|copy| copy.is_of(self.head)) {
            // It is of another day, or somebody has had a hand in it: entries that were written since are not in it.
            self.rescued = self.rescue();
        }
        let path = self.path.display();
        let back = "Put the same file back, if it was only moved";
        match &self.rescued {
            Some(Rescued { path: copy, head, .. }) => format!(
                "{back}; or stop the daemon, `mv {} {path}`, and start it again: that file has all {} entries",
                copy.display(),
                head.seq
            ),
            None => format!(
                "{back}; or stop the daemon and restore the newest backup. The open file could not be saved \
                 beside it: {} must exist, have free space and belong to the daemon's user",
                self.path.parent().unwrap_or(Path::new("/")).display()
            ),
        }
    }

    /// The log beside the database is lost or another one; the database is ours.
    fn remedy_of_log(&mut self) -> String {
        // All that is in the log goes into the database, as far as nobody reads an old state.
        let _ = self.checkpoint();
        "Stop the daemon with SIGTERM and start it again: it still has the lost file open, and writes its \
         contents to the logbook as it stops"
            .to_owned()
    }

    /// Copies what is still open to a place of its own, which is whole when it has its name. What has such a name
    /// already stays as it is: it may be all that is left of another day.
    fn rescue(&self) -> Option<Rescued> {
        let disk = &self.seal.as_ref()?.disk;
        let dir = self.path.parent()?;
        let name = |number: u32| match number {
            1 => format!("logbook.rescued-{}.sqlite", self.head.seq),
            _ => format!("logbook.rescued-{}-{number}.sqlite", self.head.seq),
        };
        let mut names = (1..=MOST_RESCUED).map(|number| dir.join(name(number)));
        let copy = loop {
            let copy = names.next()?;
            match std::fs::symlink_metadata(&copy) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => break copy,
                _ => {}
            }
            if let Some(whole) = Rescued::of(copy, self.head) {
                return Some(whole);
            }
        };
        let part = dir.join(format!("{}rescue-{}", disk::TEMPORARY, std::process::id()));
        // What was left there by a copy that failed is no beginning of this one.
        let _ = disk.remove(&part);
        let made = self.copy_to(&part, |_, _| ()).ok().and_then(|()| Rescued::of(part.clone(), self.head));
        if made.is_some() && disk.rename(&part, &copy).is_ok() {
            let _ = disk.sync_dir(dir);
            if let Some(whole) = Rescued::of(copy, self.head) {
                tracing::error!(path = %whole.path.display(), entries = self.head.seq, "the logbook was saved");
                return Some(whole);
            }
        }
        let _ = disk.remove(&part);
        None
    }

    /// Copies one state of the logbook, whoever writes meanwhile, into a new file that needs no other beside it;
    /// `progress` hears how many pages of how many are there. Nobody waits for it: the state is held by a reader.
    ///
    /// # Errors
    /// The new file is then not whole.
    pub fn copy_to(&self, to: &Path, progress: impl Fn(u64, u64)) -> Result<(), LogbookError> {
        let fail = |source| {
            let (path, source) = (self.path.clone(), DatabaseError(source));
            LogbookError::Database { what: "copy", path, source }
        };
        let copied = || {
            let held = self.db.unchecked_transaction()?;
            held.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))?;
            let mut copy = Connection::open(to)?;
            copy.pragma_update(None, "synchronous", "FULL")?;
            let backup = Backup::new(&self.db, &mut copy)?;
            loop {
                let step = backup.step(PAGES_AT_ONCE)?;
                let seen = backup.progress();
                let pages = |n: i32| u64::try_from(n).unwrap_or_default();
                progress(pages(seen.pagecount - seen.remaining), pages(seen.pagecount));
                match step {
                    rusqlite::backup::StepResult::Done => break,
                    rusqlite::backup::StepResult::More => {}
                    _ => std::thread::sleep(std::time::Duration::from_millis(20)),
                }
            }
            drop(backup);
            copy.pragma_update(None, "journal_mode", "DELETE")?;
            copy.close().map_err(|(_, error)| error)
        };
        copied().map_err(fail)
    }

    /// Brings all that is in the log beside it into the database itself, as far as nobody reads an older state. So
    /// a copy of the one file lacks little, and the log stays short.
    fn checkpoint(&mut self) -> Result<(), LogbookError> {
        let done = self.db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        self.written();
        done.map_err(self.failed("checkpoint"))
    }

    fn write(&mut self, head: Head, drafts: &[Draft]) -> Result<Vec<Recorded>, LogbookError> {
        let path = self.path.clone();
        let fail = |what| {
            let path = path.clone();
            move |source| LogbookError::Database { what, path, source: DatabaseError(source) }
        };
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail("append to"))?;
        let last: i64 =
            tx.query_row("SELECT coalesce(max(seq), 0) FROM entry", [], |row| row.get(0)).map_err(fail("read"))?;
        if u64::try_from(last) != Ok(head.seq) || head != self.head {
            let found = u64::try_from(last).unwrap_or_default();
            return Err(LogbookError::Moved { path, expected: head.seq, found });
        }
        let mut end = head;
        let mut room = Vec::new();
        let mut recorded = Vec::with_capacity(drafts.len());
        let indexed: i64 = tx.query_row("SELECT seq FROM indexed", [], |row| row.get(0)).map_err(fail("read"))?;
        // Behind what is not indexed yet nothing is: whoever comes up to it would not find the gap.
        let is_indexed = indexed == last;
        {
            let mut note = tx
                .prepare_cached("INSERT OR IGNORE INTO about(subject, seq) VALUES(?1, ?2)")
                .map_err(fail("append to"))?;
            let mut insert = tx
                .prepare_cached("INSERT INTO entry(seq, at, who, why, body, hash) VALUES(?1, ?2, ?3, ?4, ?5, ?6)")
                .map_err(fail("append to"))?;
            for draft in drafts {
                let at = draft.at.to_string();
                end = end.after([&at, &draft.who, &draft.why, &draft.body], &mut room);
                let seq = i64::try_from(end.seq).unwrap_or(i64::MAX);
                insert
                    .execute(params![seq, at, draft.who, draft.why, draft.body, &end.hash.0[..]])
                    .map_err(fail("append to"))?;
                for subject in draft.about.iter().filter(|_| is_indexed) {
                    note.execute(params![subject, seq]).map_err(fail("append to"))?;
                }
                recorded.push(Recorded { seq: end.seq, draft: draft.clone(), hash: end.hash });
            }
        }
        if is_indexed {
            let seq = i64::try_from(end.seq).unwrap_or(i64::MAX);
            tx.execute("UPDATE indexed SET seq = ?1", [seq]).map_err(fail("append to"))?;
        }
        tx.commit().map_err(fail("append to"))?;
        self.head = end;
        Ok(recorded)
    }

    /// Whether the entry at the end of this chain is in the logbook.
    ///
    /// # Errors
    /// When it is missing or another stands in its place, with who says so.
    pub fn holds(&self, head: Head, witness: Witness) -> Result<(), LogbookError> {
        let found = self.hash_of(head.seq)?;
        if head == Head::EMPTY || found == Some(head.hash) {
            return Ok(());
        }
        let why = match found {
            None => format!("ends at entry {}", self.head.seq),
            Some(hash) => format!("has another entry {}, with the hash {}", head.seq, hash.to_hex()),
        };
        let (path, hash) = (self.path.clone(), head.hash.to_hex());
        Err(LogbookError::Cut { path, why, witness, seq: head.seq, hash })
    }

    /// Opens an existing logbook to look at it; nothing is written.
    ///
    /// # Errors
    /// As [`SqliteLogbook::open`], and a missing file.
    pub fn open_to_read(path: &Path) -> Result<Self, LogbookError> {
        let mut book = Self::beside(path)?;
        book.head = book.verify().map_err(LogbookError::or_damaged)?;
        Ok(book)
    }

    fn beside(path: &Path) -> Result<Self, LogbookError> {
        let fail =
            |what| move |source| LogbookError::Database { what, path: path.to_owned(), source: DatabaseError(source) };
        let db = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(fail("open"))?;
        // Read-only, so the head only bounds what `read` looks for.
        let head = Head { seq: u64::MAX >> 1, hash: Sha256([0; 32]) };
        Ok(Self { path: path.to_owned(), db, head, seal: None, files: vec![], rescued: None })
    }

    fn agree_on_format(path: &Path, db: &Connection) -> Result<(), LogbookError> {
        let fail =
            |what| move |source| LogbookError::Database { what, path: path.to_owned(), source: DatabaseError(source) };
        let found: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(fail("read"))?;
        match found {
            0 => db.pragma_update(None, "user_version", FORMAT).map_err(fail("prepare")),
            FORMAT => Ok(()),
            _ => Err(LogbookError::Newer { path: path.to_owned(), found, known: FORMAT }),
        }
    }

    /// Walks the whole chain.
    ///
    /// # Errors
    /// The first entry that does not fit.
    pub fn verify(&self) -> Result<Head, LogbookError> {
        let mut head = Head::EMPTY;
        self.each(1, i64::MAX, head, |row| {
            head = Head { seq: row.seq, hash: row.hash };
        })?;
        Ok(head)
    }

    fn broken(&self, seq: u64, why: impl Into<String>) -> LogbookError {
        LogbookError::Broken { path: self.path.clone(), seq, why: why.into() }
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(rusqlite::Error) -> LogbookError + '_ {
        move |source| {
            let (path, source) = (self.path.clone(), DatabaseError(source));
            LogbookError::Database { what, path, source }
        }
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

    fn numbers_about(&self, subject: &str, from: Option<u64>, limit: usize) -> Result<Vec<u64>, LogbookError> {
        let sql = match from {
            Some(_) => "SELECT seq FROM about WHERE subject = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3",
            None => "SELECT seq FROM about WHERE subject = ?1 AND seq >= ?2 ORDER BY seq DESC LIMIT ?3",
        };
        let from = i64::try_from(from.unwrap_or(0)).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.db.prepare_cached(sql).map_err(self.failed("read"))?;
        let rows = statement.query_map(params![subject, from, limit], |row| row.get::<_, i64>(0));
        let rows = rows.map_err(self.failed("read"))?;
        let mut numbers = rows
            .map(|row| row.map(|seq| u64::try_from(seq).unwrap_or_default()))
            .collect::<Result<Vec<u64>, _>>()
            .map_err(self.failed("read"))?;
        numbers.sort_unstable();
        Ok(numbers)
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

    fn hash_of(&self, seq: u64) -> Result<Option<Sha256>, LogbookError> {
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        let hash: Option<Vec<u8>> = self
            .db
            .query_row("SELECT hash FROM entry WHERE seq = ?1", [seq], |row| row.get(0))
            .optional()
            .map_err(self.failed("read"))?;
        Ok(hash.and_then(|bytes| bytes.try_into().ok()).map(Sha256))
    }
}

/// Reads a logbook beside its writer; each answer is of one moment.
#[derive(Clone, Debug)]
pub struct Reader {
    path: PathBuf,
}

impl Reader {
    /// Of the logbook in this file.
    pub fn of(path: PathBuf) -> Self {
        Self { path }
    }

    /// Up to `limit` entries from number `from` on; the chain is checked within them.
    ///
    /// # Errors
    /// As [`SqliteLogbook::open`].
    pub fn read(&self, from: u64, limit: usize) -> Result<Vec<Recorded>, LogbookError> {
        SqliteLogbook::beside(&self.path)?.read(from, limit)
    }

    /// Up to `limit` entries about a thing, oldest first: those from number `from` on, or else the newest. Each is
    /// checked against the one before it.
    ///
    /// # Errors
    /// As [`SqliteLogbook::open`].
    pub fn about(&self, subject: &str, from: Option<u64>, limit: usize) -> Result<Vec<Recorded>, LogbookError> {
        SqliteLogbook::beside(&self.path)?.about(subject, from, limit)
    }

    /// The end of the chain, every entry of which is checked; it must have the entry `known`.
    ///
    /// # Errors
    /// As [`SqliteLogbook::open`], and an entry that is missing.
    pub fn verify(&self, known: Head) -> Result<Head, LogbookError> {
        let book = SqliteLogbook::open_to_read(&self.path)?;
        book.holds(known, Witness::Daemon)?;
        Ok(book.head())
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
        let mut write = || {
            let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // What stands there already, in a page that has to be written all the same.
            tx.pragma_update(None, "user_version", FORMAT)?;
            tx.commit()
        };
        let may = write().is_ok();
        self.written();
        may
    }

    fn append(&mut self, head: Head, drafts: &[Draft]) -> Result<Vec<Recorded>, LogbookError> {
        self.in_place()?;
        let appended = self.write(head, drafts);
        self.written();
        appended
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Recorded>, LogbookError> {
        let mut entries = Vec::new();
        self.walk(from, limit, &mut |row| entries.push(row.to_recorded()))?;
        Ok(entries)
    }

    fn walk(&self, from: u64, limit: usize, see: &mut dyn FnMut(Row<'_>)) -> Result<(), LogbookError> {
        let from = from.max(1);
        self.each(from, i64::try_from(limit).unwrap_or(i64::MAX), self.head_before(from)?, see)
    }

    fn about(&self, subject: &str, from: Option<u64>, limit: usize) -> Result<Vec<Recorded>, LogbookError> {
        let numbers = self.numbers_about(subject, from, limit)?;
        let entry = |seq| self.one(seq)?.ok_or_else(|| self.broken(seq, "it is in the index but missing"));
        numbers.into_iter().map(entry).collect()
    }

    fn indexed(&self) -> Result<u64, LogbookError> {
        let seq: i64 =
            self.db.query_row("SELECT seq FROM indexed", [], |row| row.get(0)).map_err(self.failed("read"))?;
        Ok(u64::try_from(seq).unwrap_or_default())
    }

    fn index(&mut self, entries: &[(u64, Vec<String>)]) -> Result<(), LogbookError> {
        let path = self.path.clone();
        let fail = |source| LogbookError::Database { what: "index", path: path.clone(), source: DatabaseError(source) };
        let Some((last, _)) = entries.last() else { return Ok(()) };
        let written = (|| {
            let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            {
                let mut note = tx.prepare_cached("INSERT OR IGNORE INTO about(subject, seq) VALUES(?1, ?2)")?;
                for (seq, about) in entries {
                    for subject in about {
                        note.execute(params![subject, i64::try_from(*seq).unwrap_or(i64::MAX)])?;
                    }
                }
            }
            tx.execute("UPDATE indexed SET seq = ?1", [i64::try_from(*last).unwrap_or(i64::MAX)])?;
            tx.commit()
        })();
        self.written();
        written.map_err(fail)
    }

    fn seal(&mut self, steady: Option<Timestamp>) -> Result<(), DiskError> {
        let now = (self.head, steady);
        let Some(seal) = self.seal.as_mut().filter(|seal| seal.last != Some(now)) else { return Ok(()) };
        // What somebody else has put there is not written over: it says what was done here.
        seal.in_place().map_err(|error| DiskError::new("seal", &self.path, io::Error::other(error.to_string())))?;
        let Head { seq, hash } = self.head;
        disk::put(seal.disk.as_ref(), &seal.path, seal_line(self.head, steady).as_bytes(), Access::Owner)?;
        seal.mark = Mark::of(&seal.path).unwrap_or_default();
        if seal.last.is_none_or(|(head, _)| head != self.head) {
            tracing::info!(seq, hash = hash.to_hex(), "logbook sealed");
        }
        seal.last = Some(now);
        if self.files_in_place().is_ok() {
            let failed = |error: LogbookError| io::Error::other(error.sentence());
            self.checkpoint().map_err(|error| DiskError::new("seal", &self.path, failed(error)))?;
        }
        Ok(())
    }

    fn steady(&self) -> Option<Timestamp> {
        let (head, steady) = self.seal.as_ref()?.last?;
        steady.filter(|_| head == self.head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(text: &str) -> Draft {
        Draft { at: Timestamp::UNIX_EPOCH, who: "me".into(), why: String::new(), body: text.into(), about: vec![] }
    }

    fn filled(dir: &Path) -> PathBuf {
        let path = dir.join("logbook.sqlite");
        let mut book = SqliteLogbook::open(&path).expect("a new logbook");
        for text in ["one", "two", "three"] {
            book.append(book.head(), &[draft(text), draft("and")]).expect("appended");
        }
        path
    }

    #[test]
    fn nothing_is_begun_beside_a_copy_that_was_rescued() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(left_behind(dir.path()).is_ok());
        for name in ["logbook.rescued-9.sqlite", "logbook.rescued-166-2.sqlite", "logbook.rescued-x.sqlite"] {
            std::fs::File::create(dir.path().join(name)).expect("made");
        }
        let why = left_behind(dir.path()).expect_err("a copy is there").to_string();
        assert!(why.contains("rescued-166-2.sqlite has its contents") && why.contains("`mv "), "{why}");
        std::fs::File::create(dir.path().join("logbook.sqlite")).expect("made");
        assert!(left_behind(dir.path()).is_ok(), "it is there");
    }

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

    /// The bodies of entries about a thing.
    fn about(book: &SqliteLogbook, subject: &str, from: Option<u64>, limit: usize) -> Vec<String> {
        book.about(subject, from, limit).expect("read").into_iter().map(|entry| entry.draft.body).collect()
    }

    #[test]
    fn the_newest_entries_about_a_thing_are_shown_in_order_unless_a_beginning_is_asked_for() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut book = SqliteLogbook::open(&dir.path().join("logbook.sqlite")).expect("a new logbook");
        let drafts: Vec<Draft> = (1..=9)
            .map(|n| Draft { about: vec![(if n % 2 == 0 { "a" } else { "b" }).to_owned()], ..draft(&n.to_string()) })
            .collect();
        book.append(book.head(), &drafts).expect("appended");
        assert_eq!(about(&book, "a", None, 2), ["6", "8"]);
        assert_eq!(about(&book, "a", Some(3), 2), ["4", "6"]);
        assert_eq!(about(&book, "b", Some(8), 10), ["9"]);
        assert_eq!(about(&book, "c", None, 10), Vec::<String>::new());
        assert_eq!(about(&book, "a", None, 0), Vec::<String>::new());
        let reader = Reader::of(dir.path().join("logbook.sqlite"));
        assert_eq!(reader.about("a", None, 1).expect("read")[0].seq, 8);
        Connection::open(dir.path().join("logbook.sqlite"))
            .expect("open")
            .execute_batch("UPDATE entry SET who = 'mean' WHERE seq = 8")
            .expect("tampered");
        assert!(matches!(reader.about("a", None, 1), Err(LogbookError::Broken { seq: 8, .. })));
    }

    #[test]
    fn what_an_older_program_has_appended_is_indexed_later_and_nothing_is_noted_behind_the_gap() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("logbook.sqlite");
        let noted = |text: &str| Draft { about: vec!["a".to_owned()], ..draft(text) };
        let mut book = SqliteLogbook::open(&path).expect("a new logbook");
        book.append(book.head(), &[noted("one")]).expect("appended");
        // It knows nothing of the index, or there is none yet.
        book.append(book.head(), &[noted("two")]).expect("appended");
        book.db
            .execute_batch("DELETE FROM about WHERE seq = 2; UPDATE indexed SET seq = 1")
            .expect("as the older one has it");
        book.append(book.head(), &[noted("three")]).expect("appended");
        assert_eq!((book.indexed().expect("read"), about(&book, "a", None, 9)), (1, vec!["one".to_owned()]));
        book.index(&[(2, vec!["a".to_owned()]), (3, vec!["a".to_owned()])]).expect("indexed");
        book.append(book.head(), &[noted("four")]).expect("appended");
        assert_eq!(book.indexed().expect("read"), 4);
        assert_eq!(about(&book, "a", None, 9), ["one", "two", "three", "four"]);
    }

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
        }
    }

    #[test]
    fn a_logbook_of_a_newer_program_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = filled(dir.path());
        Connection::open(&path).expect("open").pragma_update(None, "user_version", 99).expect("set");
        assert!(matches!(SqliteLogbook::open(&path), Err(LogbookError::Newer { found: 99, .. })));
    }

    fn kernel() -> Arc<dyn Disk> {
        Arc::new(disk::Kernel::default())
    }

    #[test]
    fn the_time_of_the_seal_counts_until_an_entry_is_written() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = filled(dir.path());
        let mut book = SqliteLogbook::open_sealed(&path, kernel()).expect("whole");
        let times = [1, 2].map(|second| Timestamp::from_second(second).expect("a time"));
        for time in times {
            book.seal(Some(time)).expect("sealed");
        }
        drop(book);
        let mut book = SqliteLogbook::open_sealed(&path, kernel()).expect("whole");
        assert_eq!(book.steady(), Some(times[1]));
        book.append(book.head(), &[draft("seven")]).expect("appended");
        assert_eq!(book.steady(), None);
        drop(book);
        assert_eq!(SqliteLogbook::open_sealed(&path, kernel()).expect("whole").steady(), None);
    }

    /// A logbook of six entries, sealed, and then changed.
    fn sealed_and(change: &str) -> Result<SqliteLogbook, LogbookError> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = filled(dir.path());
        SqliteLogbook::open_sealed(&path, kernel()).expect("whole").seal(None).expect("sealed");
        Connection::open(&path).expect("open").execute_batch(change).expect("changed");
        SqliteLogbook::open_sealed(&path, kernel())
    }

    #[test]
    fn a_logbook_that_was_cut_off_is_refused_and_the_way_on_is_named() {
        for (last, why) in [(5, "ends at entry 5"), (0, "ends at entry 0")] {
            let refused = sealed_and(&format!("DELETE FROM entry WHERE seq > {last}")).expect_err("it is cut");
            let words = refused.to_string();
            assert!(words.contains(why) && words.contains("has an entry 6 with the hash"), "{words}");
            assert!(words.contains("remove") && words.contains("logbook.head and start again"), "{words}");
        }
    }

    #[test]
    fn another_logbook_of_the_same_length_is_refused() {
        let (dir, other) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
        let (path, put_back) = (filled(dir.path()), other.path().join("logbook.sqlite"));
        SqliteLogbook::open_sealed(&path, kernel()).expect("whole").seal(None).expect("sealed");
        let mut book = SqliteLogbook::open(&put_back).expect("a new logbook");
        let six: Vec<Draft> = (0..6).map(|n| draft(&n.to_string())).collect();
        book.append(book.head(), &six).expect("appended");
        disk::put(
            &disk::Kernel::default(),
            &put_back.with_extension("head"),
            &std::fs::read(path.with_extension("head")).expect("read"),
            Access::Owner,
        )
        .expect("copied");
        let refused = SqliteLogbook::open_sealed(&put_back, kernel()).expect_err("another one");
        assert!(refused.to_string().contains("has another entry 6"), "{refused}");
    }

    #[test]
    fn a_seal_that_is_behind_is_in_order_and_a_broken_one_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = filled(dir.path());
        let mut book = SqliteLogbook::open_sealed(&path, kernel()).expect("a logbook without a seal");
        book.seal(None).expect("sealed");
        book.append(book.head(), &[draft("after the seal")]).expect("appended");
        drop(book);
        assert_eq!(SqliteLogbook::open_sealed(&path, kernel()).expect("a crash may come between").head().seq, 7);
        disk::put(&disk::Kernel::default(), &path.with_extension("head"), b"6", Access::Owner).expect("written");
        assert!(matches!(SqliteLogbook::open_sealed(&path, kernel()), Err(LogbookError::Seal { .. })));
    }

    #[test]
    fn a_seal_that_cannot_be_written_leaves_the_old_one() {
        use super::super::disk::failing::FailingDisk;
        for calls in 0.. {
            let dir = tempfile::tempdir().expect("a directory");
            let path = filled(dir.path());
            SqliteLogbook::open_sealed(&path, kernel()).expect("whole").seal(None).expect("sealed");
            let mut book = SqliteLogbook::open_sealed(&path, Arc::new(FailingDisk::after(calls))).expect("whole");
            book.append(book.head(), &[draft("one more")]).expect("appended");
            let sealed = book.seal(None);
            drop(book);
            SqliteLogbook::open_sealed(&path, kernel()).expect("the old seal or the new one");
            if sealed.is_ok() {
                return;
            }
        }
    }

    type Hand = fn(&Path);

    fn with(path: &Path, suffix: &str) -> PathBuf {
        PathBuf::from(format!("{}{suffix}", path.display()))
    }

    /// A copy that is older than the logbook that runs, and the name of one of its files.
    fn older(path: &Path) -> PathBuf {
        path.with_file_name("older.sqlite")
    }

    /// What people do to the files of a logbook that is open, what is said, and how it is taken back.
    const HANDS: &[(&str, Hand, &str, Hand)] = &[
        ("moved", |p| move_to(p, "aside"), "is gone", |p| move_from(p, "aside")),
        ("replaced", |p| (move_to(p, "aside"), put_copy(&older(p), p)).1, "was replaced", |p| move_from(p, "aside")),
        ("log moved", |p| move_to(&with(p, "-wal"), "aside"), "is gone", |p| move_from(&with(p, "-wal"), "aside")),
        ("index moved", |p| move_to(&with(p, "-shm"), "aside"), "is gone", |p| move_from(&with(p, "-shm"), "aside")),
        (
            "log replaced",
            |p| (move_to(&with(p, "-wal"), "aside"), put_copy(&older(p), &with(p, "-wal"))).1,
            "was replaced",
            |p| move_from(&with(p, "-wal"), "aside"),
        ),
        (
            "seal moved",
            |p| move_to(&p.with_extension("head"), "aside"),
            "is gone",
            |p| move_from(&p.with_extension("head"), "aside"),
        ),
        (
            "another seal",
            |p| (move_to(&p.with_extension("head"), "aside"), put_seal(p)).1,
            "no longer has what",
            |p| move_from(&p.with_extension("head"), "aside"),
        ),
    ];

    fn move_to(path: &Path, aside: &str) {
        disk::Kernel::default().rename(path, &path.with_file_name(aside)).expect("moved");
    }

    fn move_from(path: &Path, aside: &str) {
        disk::Kernel::default().rename(&path.with_file_name(aside), path).expect("moved back");
    }

    fn put_copy(from: &Path, to: &Path) {
        disk::put(&disk::Kernel::default(), to, &std::fs::read(from).expect("read"), Access::Owner).expect("copied");
    }

    fn put_seal(path: &Path) {
        let line = seal_line(Head { seq: 1, hash: Sha256([7; 32]) }, None);
        disk::put(&disk::Kernel::default(), &path.with_extension("head"), line.as_bytes(), Access::Owner).expect("put");
    }

    /// A sealed logbook that is open, with an entry behind the seal, and an older copy beside it.
    fn open_and_running(dir: &Path) -> (PathBuf, SqliteLogbook) {
        let path = filled(dir);
        put_copy(&path, &older(&path));
        let mut book = SqliteLogbook::open_sealed(&path, kernel()).expect("whole");
        book.append(book.head(), &[draft("x")]).expect("appended");
        book.seal(None).expect("sealed");
        book.append(book.head(), &[draft("y")]).expect("appended");
        (path, book)
    }

    #[test]
    fn what_is_done_to_a_logbook_that_is_open_is_noticed_before_the_next_entry_and_can_be_taken_back() {
        for (what, hand, says, back) in HANDS {
            let dir = tempfile::tempdir().expect("a directory");
            let (path, mut book) = open_and_running(dir.path());
            let head = book.head();
            hand(&path);
            let refused = book.append(head, &[draft("lost")]).expect_err(what);
            assert!(matches!(refused, LogbookError::Misplaced { .. }) && refused.may_pass(), "{what}: {refused}");
            assert!(refused.to_string().contains(says), "{what}: {refused}");
            assert!(!book.may_be_written() && book.head() == head, "{what}");
            back(&path);
            book.append(head, &[draft("again")]).unwrap_or_else(|error| panic!("{what}: {error}"));
            book.seal(None).unwrap_or_else(|error| panic!("{what}: {}", error.sentence()));
            drop(book);
            assert_eq!(SqliteLogbook::open_sealed(&path, kernel()).expect(what).head().seq, 9, "{what}");
        }
    }

    /// The words followed: nothing that was ever answered for is lost.
    #[test]
    fn a_logbook_that_was_removed_while_it_is_open_is_saved_whole() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, mut book) = open_and_running(dir.path());
        let head = book.head();
        for suffix in ["", "-wal", "-shm"] {
            disk::Kernel::default().remove(&with(&path, suffix)).expect("removed");
        }
        let words = book.append(head, &[draft("lost")]).expect_err("removed").to_string();
        let copy = words.split("`mv ").nth(1).and_then(|rest| rest.split(' ').next()).expect(&words);
        assert!(book.seal(None).is_ok(), "the seal is as it was");
        drop(book);
        disk::Kernel::default().rename(Path::new(copy), &path).expect("moved");
        assert_eq!(SqliteLogbook::open_sealed(&path, kernel()).expect("all of it").head(), head);
    }

    /// The copy that the words tell people to put back.
    fn named_copy(words: &str) -> PathBuf {
        words.split("`mv ").nth(1).and_then(|rest| rest.split(' ').next()).map(PathBuf::from).expect(words)
    }

    #[test]
    fn a_copy_of_another_day_is_never_named_as_the_one_with_all_entries() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, mut book) = open_and_running(dir.path());
        move_to(&path, "aside");
        let first = named_copy(&book.in_place().expect_err("moved").to_string());
        assert_eq!(named_copy(&book.in_place().expect_err("moved").to_string()), first, "one is enough");
        move_from(&path, "aside");
        for _ in 0..3 {
            book.append(book.head(), &[draft("a later day")]).expect("it is back");
        }
        let head = book.head();
        disk::Kernel::default().remove(&path).expect("removed");
        let words = book.append(head, &[draft("lost")]).expect_err("removed").to_string();
        let second = named_copy(&words);
        assert!(second != first && words.contains("has all 11 entries"), "{words}");
        assert_eq!(SqliteLogbook::open_to_read(&second).expect("whole").head(), head);
        assert_eq!(SqliteLogbook::open_to_read(&first).expect("kept").head().seq, 8);
        // Somebody has put an old copy over it, or has cut it.
        put_copy(&first, &second);
        let third = named_copy(&book.in_place().expect_err("removed").to_string());
        assert!(third != second, "{}", third.display());
        assert_eq!(SqliteLogbook::open_to_read(&third).expect("whole").head(), head);
        disk::Kernel::default().remove(&third).expect("removed");
        let fourth = named_copy(&book.in_place().expect_err("removed").to_string());
        drop(book);
        disk::Kernel::default().rename(&fourth, &path).expect("moved");
        assert_eq!(SqliteLogbook::open_sealed(&path, kernel()).expect("all of it").head(), head);
    }

    /// A new start with the same end: what was saved before is as good, once it was read.
    #[test]
    fn a_copy_under_the_name_of_now_counts_only_when_it_ends_as_the_logbook_does() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, mut book) = open_and_running(dir.path());
        let head = book.head();
        let other = dir.path().join("logbook.rescued-8.sqlite");
        let mut another = SqliteLogbook::open(&other).expect("another logbook");
        let eight: Vec<Draft> = (0..8).map(|n| draft(&n.to_string())).collect();
        another.append(another.head(), &eight).expect("appended");
        drop(another);
        disk::Kernel::default().remove(&path).expect("removed");
        let copy = named_copy(&book.in_place().expect_err("removed").to_string());
        assert!(copy.ends_with("logbook.rescued-8-2.sqlite"), "{}", copy.display());
        assert_eq!(SqliteLogbook::open_to_read(&copy).expect("whole").head(), head);
        book.rescued = None;
        assert_eq!(named_copy(&book.in_place().expect_err("removed").to_string()), copy, "it is read and found whole");
    }

    #[test]
    fn a_log_that_was_removed_while_it_is_open_loses_nothing_whether_the_end_comes_in_order_or_not() {
        for in_order in [true, false] {
            let dir = tempfile::tempdir().expect("a directory");
            let (path, mut book) = open_and_running(dir.path());
            let head = book.head();
            disk::Kernel::default().remove(&with(&path, "-wal")).expect("removed");
            book.append(head, &[draft("lost")]).expect_err("removed");
            if in_order {
                drop(book);
            } else {
                // As after SIGKILL: only what lies on the disk is left.
                put_copy(&path, &older(&path));
                drop(book);
                move_from(&path, "older.sqlite");
            }
            assert_eq!(SqliteLogbook::open_sealed(&path, kernel()).expect("whole").head(), head, "{in_order}");
        }
    }

    #[test]
    fn a_logbook_that_was_written_over_in_place_is_noticed_and_one_that_was_touched_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, mut book) = open_and_running(dir.path());
        let opened = || std::fs::File::options().write(true).open(&path).expect("there");
        opened().set_modified(std::time::SystemTime::UNIX_EPOCH).expect("touched");
        for _ in 0..200 {
            book.append(book.head(), &[draft("nothing has changed")]).expect("appended");
        }
        // What is still in the log stands over what is in the database; so little is left in it.
        book.seal(None).expect("sealed");
        book.append(book.head(), &[draft("z")]).expect("appended");
        let head = book.head();
        let old = std::fs::read(older(&path)).expect("read");
        std::io::Write::write_all(&mut opened(), &old).expect("written over");
        opened().set_len(old.len() as u64).expect("cut");
        let refused = book.append(head, &[draft("lost")]).expect_err("another content");
        assert!(refused.to_string().contains("was overwritten"), "{refused}");
        assert!(!book.may_be_written());
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

    #[test]
    fn a_missing_logbook_is_not_made_anew_beside_its_seal() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = filled(dir.path());
        SqliteLogbook::open_sealed(&path, kernel()).expect("whole").seal(None).expect("sealed");
        move_to(&path, "aside");
        let refused = SqliteLogbook::open_sealed(&path, kernel()).expect_err("gone");
        assert!(refused.to_string().contains("is not there"), "{refused}");
        assert!(!path.exists());
        move_from(&path, "aside");
        assert_eq!(SqliteLogbook::open_sealed(&path, kernel()).expect("back").head().seq, 6);
    }

    /// Too many open files, a disk that hangs: nothing is to be removed for what passes.
    #[test]
    fn a_seal_that_cannot_be_read_now_is_left_where_it_is() {
        use rustix::io::Errno;
        for errno in [Errno::MFILE, Errno::NFILE, Errno::IO, Errno::NOMEM, Errno::ACCESS, Errno::STALE] {
            let unread = LogbookError::Unread { path: "/s/logbook.head".into(), source: errno.into() };
            let words = unread.to_string();
            assert!(!words.contains("remove") && words.contains("Leave the file in place"), "{words}");
        }
        let dir = tempfile::tempdir().expect("a directory");
        let path = filled(dir.path());
        disk::Kernel::default().make_dir(&path.with_extension("head")).expect("made");
        let refused = SqliteLogbook::open_sealed(&path, kernel()).expect_err("it cannot be read");
        assert!(matches!(refused, LogbookError::Unread { .. }), "{refused}");
    }

    #[test]
    fn a_copy_is_one_state_whoever_writes_meanwhile() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, mut book) = open_and_running(dir.path());
        let writing = std::sync::Mutex::new(&mut book);
        let reader = SqliteLogbook::open_to_read(&path).expect("whole");
        let copy = dir.path().join("copy.sqlite");
        let write = |_, _| {
            let mut book = writing.lock().expect("alone");
            let head = book.head();
            book.append(head, &[draft("meanwhile")]).expect("nobody waits");
        };
        reader.copy_to(&copy, write).expect("copied");
        assert_eq!(SqliteLogbook::open_to_read(&copy).expect("whole").head(), reader.head());
        assert!(book.head().seq > reader.head().seq);
    }
}
