//! A directory of packages that somebody else arranges, and its metadata: what `rolloutd index` works on.
//!
//! Here nobody takes packages in. They lie where they lie, in any directory below, and the metadata names
//! them there. What was learned of a file is kept in a state directory of its own and used again as long as
//! the file has the same inode, size and times:
//!
//! ```text
//! <state>/files.sqlite      which file has which XML, and what was asked of it
//! <state>/packages.xml      the XML, see `pile`
//! <state>/blocks            ready-made blocks, see `shelf`
//! <state>/lock              one at a time
//! ```
//!
//! All of it can be removed at any time. What never happens: a link is followed, a file is listed that the
//! gate refuses when there is one, or that changed while it was read.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::assembly::{AssemblyError, Tally};
use super::blocks::{Form, Key, Part, Piece};
use super::crew;
use super::disk::{AtPath as _, Disk, DiskError};
use super::index::{IndexError, Place, Source};
use super::lock::{LockError, SiteLock, lock_one};
use super::pile::Pile;
use super::publication::{self, Outcome, PublishError, Published, Spec};
use super::retirement;
use super::shelf::{Shelf, ShelfError};
use super::tree::{self, REPODATA};
use crate::domain::checksum::{ChecksumKind, Sha256};
use crate::domain::refusal::{Code, Refusal};
use crate::domain::trust::Policy;
use crate::format::openpgp::Keyring;
use crate::format::package::{Package, Placed};
use crate::format::reading::Reading;
use crate::format::signing::Signer;
use crate::format::{filelists, other, primary};

/// Rises whenever the table or the XML of the same package would be other ones.
const FORMAT: i64 = 1;

/// Deepest directory that is searched.
const DEPTH_MAX: usize = 32;

/// What is asked of the packages.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Kind of the checksums.
    pub checksum: ChecksumKind,
    /// Whose signatures are asked for, and how they must be; without it, packages are listed unverified.
    pub gate: Option<(Keyring, Policy)>,
    /// Names all of this: packages that were read under other terms are read again.
    pub name: String,
}

/// What a look at the directory found.
#[derive(Debug, Default)]
pub struct Found {
    /// Packages that are listed now.
    pub listed: usize,
    /// Of these, how many were read in this look.
    pub read: usize,
    /// Packages that were listed before and are not there any more, or are other ones.
    pub gone: usize,
    /// Links that were not followed.
    pub links: usize,
    /// Files that are not listed, by their path, and why.
    pub refused: Vec<(String, Refusal)>,
}

/// Why a directory cannot be worked on.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Somebody else works on it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The state.
    #[error("could not {what} {}", path.display())]
    Database {
        /// What was tried, a verb.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The metadata.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// What tells one state of a file from another: device, inode, size, and both times in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp([i64; 5]);

impl Stamp {
    fn of(meta: &std::fs::Metadata) -> Self {
        let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self([
            meta.dev().cast_signed(),
            meta.ino().cast_signed(),
            meta.size().cast_signed(),
            nanoseconds(meta.mtime(), meta.mtime_nsec()),
            nanoseconds(meta.ctime(), meta.ctime_nsec()),
        ])
    }
}

/// A directory with what is known of it.
#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    database: PathBuf,
    db: Connection,
    pile: Pile,
    shelf: Shelf,
    /// By path below the directory, which is the order of the metadata.
    files: BTreeMap<String, (Stamp, Place)>,
    /// What clients see, while the listing is what it was then.
    shown: Option<(Form, Published)>,
    terms: Terms,
    _lock: SiteLock,
}

impl Folder {
    /// Opens a directory with its state, which is made when it is not there, torn, or of other terms.
    ///
    /// `who` is what somebody else is told who comes meanwhile.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn open(disk: &dyn Disk, dir: &Path, state: &Path, terms: Terms, who: &str) -> Result<Self, FolderError> {
        disk.make_dir(state)?;
        let lock = lock_one(&state.join("lock"), who)?;
        let database = state.join("files.sqlite");
        let pile_path = state.join("packages.xml");
        let mut pile = Pile::open(disk, &pile_path)?;
        let usable = usable(&database, &terms.name, pile.end());
        let (db, files) = if let Ok(usable) = usable {
            usable
        } else {
            for suffix in ["", "-wal", "-shm", "-journal"] {
                disk.remove(&state.join(format!("files.sqlite{suffix}")))?;
            }
            pile = Pile::begin(disk, &pile_path)?;
            usable_anew(&database, &terms.name)?
        };
        let shelf = Shelf::open(disk, &state.join("blocks"))?;
        let mut folder =
            Self { dir: dir.to_owned(), database, db, pile, shelf, files, shown: None, terms, _lock: lock };
        folder.shown = folder.recall();
        Ok(folder)
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(rusqlite::Error) -> FolderError + '_ {
        move |source| FolderError::Database { what, path: self.database.clone(), source }
    }

    /// Looks at every file and reads those that are new or have changed; `progress` hears how many of how
    /// many have been read.
    ///
    /// # Errors
    /// When the directory or the state cannot be used; a bad file is none.
    pub fn look(
        &mut self,
        disk: &dyn Disk,
        now: Timestamp,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<Found, FolderError> {
        let (there, links) = walk(&self.dir)?;
        let mut found = Found { links, ..Found::default() };
        let mut gone = Vec::new();
        self.files.retain(|path, (stamp, _)| {
            let stays = there.get(path) == Some(stamp);
            if !stays {
                gone.push(path.clone());
            }
            stays
        });
        found.gone = gone.len();
        let wanted: Vec<(&String, &Stamp)> = there.iter().filter(|(path, _)| !self.files.contains_key(*path)).collect();
        if found.gone > 0 || !wanted.is_empty() {
            self.forget_shown()?;
        }
        let reader = Reader { disk, dir: &self.dir, pile: &self.pile, terms: &self.terms, now };
        let mut read = Vec::new();
        let mut seen = 0;
        crew::each(
            &wanted,
            || vec![0; 256 * 1024],
            |buffer, (path, stamp)| reader.place(path, **stamp, buffer),
            |(path, stamp), outcome| {
                seen += 1;
                progress(seen, wanted.len());
                match outcome {
                    Ok(place) => read.push(((*path).clone(), **stamp, place)),
                    Err(refusal) => found.refused.push(((*path).clone(), refusal)),
                }
            },
        )?;
        found.read = read.len();
        found.refused.sort_by(|a, b| a.0.cmp(&b.0));
        self.keep(read, &gone)?;
        found.listed = self.files.len();
        Ok(found)
    }

    /// Writes down what was read and lets go of what is not there any more.
    fn keep(&mut self, read: Vec<(String, Stamp, Place)>, gone: &[String]) -> Result<(), FolderError> {
        if read.is_empty() && gone.is_empty() {
            return Ok(());
        }
        let path = self.database.clone();
        let fail = |source| FolderError::Database { what: "write to", path: path.clone(), source };
        let work = self.db.transaction().map_err(fail)?;
        {
            let mut delete = work.prepare("DELETE FROM file WHERE path = ?1").map_err(fail)?;
            for path in gone {
                delete.execute([path]).map_err(fail)?;
            }
            let mut insert = work
                .prepare(
                    "INSERT OR REPLACE INTO file
                     VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
                )
                .map_err(fail)?;
            for (path, Stamp(stamp), place) in &read {
                let keys = place.keys.each_ref().map(|key| &key.0[..]);
                let at = i64::try_from(place.at).unwrap_or(i64::MAX);
                insert
                    .execute(params![
                        path,
                        stamp[0],
                        stamp[1],
                        stamp[2],
                        stamp[3],
                        stamp[4],
                        at,
                        place.lengths[0],
                        place.lengths[1],
                        place.lengths[2],
                        keys[0],
                        keys[1],
                        keys[2]
                    ])
                    .map_err(fail)?;
            }
        }
        work.commit().map_err(fail)?;
        self.files.extend(read.into_iter().map(|(path, stamp, place)| (path, (stamp, place))));
        Ok(())
    }

    /// Publishes what the last look found.
    ///
    /// # Errors
    /// Clients still see the old metadata then.
    pub fn publish(
        &mut self,
        disk: &dyn Disk,
        form: Form,
        signer: Option<&Signer>,
        now: Timestamp,
    ) -> Result<Published, FolderError> {
        let spec = Spec { dir: self.dir.clone(), form };
        if let Some((seen, last)) = &self.shown
            && *seen == form
            && let Some(published) = publication::unchanged(&spec, signer, last)
        {
            return Ok(published);
        }
        let published = match self.stage(disk, &spec, signer, now)? {
            Outcome::Same(published) => published,
            Outcome::New(staged) => staged.publish(disk)?,
        };
        self.remember(form, &published)?;
        Ok(published)
    }

    /// Removes metadata that nothing names since `keep`; says how many files that were.
    ///
    /// Only files whose names begin with a checksum are ours to remove.
    ///
    /// # Errors
    /// With the path at fault.
    pub fn retire(
        &mut self,
        disk: &dyn Disk,
        published: &Published,
        keep: Duration,
        now: Timestamp,
    ) -> Result<usize, FolderError> {
        let ours = |name: &&String| {
            let sum = name.split('-').next().unwrap_or_default();
            sum.len() >= 40 && sum.len() < name.len() && sum.bytes().all(|b| b.is_ascii_hexdigit())
        };
        let mut over = Vec::new();
        for name in published.superseded.iter().filter(ours) {
            let insert = "INSERT INTO superseded VALUES(?1, ?2) ON CONFLICT DO NOTHING";
            self.db.execute(insert, params![name, now.as_second()]).map_err(self.failed("write to"))?;
            let since = "SELECT since FROM superseded WHERE name = ?1";
            let since: i64 = self.db.query_row(since, [name], |row| row.get(0)).map_err(self.failed("read"))?;
            // A clock that was set back counts as no waiting at all.
            let waited = u64::try_from(now.as_second().saturating_sub(since)).unwrap_or_default();
            if waited >= keep.as_secs() {
                over.push(format!("{REPODATA}/{name}"));
            }
        }
        let named = BTreeSet::new();
        let gone = retirement::retire(disk, &self.dir, &over, &named)?.gone;
        for file in &gone {
            let name = file.rsplit('/').next().unwrap_or_default();
            self.db.execute("DELETE FROM superseded WHERE name = ?1", [name]).map_err(self.failed("write to"))?;
        }
        Ok(gone.len())
    }

    fn stage(
        &mut self,
        disk: &dyn Disk,
        spec: &Spec,
        signer: Option<&Signer>,
        now: Timestamp,
    ) -> Result<Outcome, FolderError> {
        loop {
            let source =
                Listed { pile: &self.pile, files: self.files.iter().map(|(p, (_, place))| (p, place)).collect() };
            match publication::stage(disk, spec, &source, &mut self.shelf, signer, 0, now) {
                Err(PublishError::Index(IndexError::Lost { package, .. })) => {
                    // Its row goes, and the next look reads it again.
                    self.files.remove(&package);
                    self.look(disk, now, |_, _| {})?;
                }
                Err(PublishError::Assembly { dir, source }) => match *source {
                    AssemblyError::Shelf(ShelfError::Damaged { id, .. }) if self.shelf.has(&id) => {
                        self.shelf.forget(&id);
                    }
                    source => return Err(PublishError::Assembly { dir, source: Box::new(source) }.into()),
                },
                other => return Ok(other?),
            }
        }
    }

    /// What was published last, if the listing has not changed since.
    fn recall(&self) -> Option<(Form, Published)> {
        let sql = "SELECT form, revision, packages, repomd FROM shown";
        let row = |row: &rusqlite::Row<'_>| {
            let numbers = (row.get::<_, i64>(1)?.unsigned_abs(), row.get::<_, i64>(2)?.unsigned_abs());
            Ok((row.get::<_, String>(0)?, numbers, row.get::<_, [u8; 32]>(3)?))
        };
        let (form, (revision, packages), repomd) = self.db.query_row(sql, [], row).optional().ok()??;
        let form = Form::from_words(&form)?;
        let (superseded, notes, blocks) = (Vec::new(), Vec::new(), Tally::default());
        Some((form, Published { revision, packages, repomd: Sha256(repomd), superseded, notes, blocks }))
    }

    fn remember(&mut self, form: Form, published: &Published) -> Result<(), FolderError> {
        let clamp = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.forget_shown()?;
        let row = params![form.words(), clamp(published.revision), clamp(published.packages), &published.repomd.0[..]];
        self.db.execute("INSERT INTO shown VALUES(?1, ?2, ?3, ?4)", row).map_err(self.failed("write to"))?;
        self.shown = Some((form, published.clone()));
        Ok(())
    }

    fn forget_shown(&mut self) -> Result<(), FolderError> {
        self.shown = None;
        self.db.execute("DELETE FROM shown", []).map(drop).map_err(self.failed("write to"))
    }
}

type Files = BTreeMap<String, (Stamp, Place)>;

fn usable_anew(database: &Path, terms: &str) -> Result<(Connection, Files), FolderError> {
    usable(database, terms, 0).map_err(|source| FolderError::Database {
        what: "make",
        path: database.to_owned(),
        source,
    })
}

fn usable(database: &Path, terms: &str, end: u64) -> rusqlite::Result<(Connection, Files)> {
    let db = Connection::open(database)?;
    db.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA trusted_schema=OFF;")?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    if tables == 0 {
        db.execute_batch(
            "BEGIN;
             CREATE TABLE file(
                 path TEXT PRIMARY KEY, device INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL,
                 modified INTEGER NOT NULL, changed INTEGER NOT NULL, place INTEGER NOT NULL,
                 primary_length INTEGER NOT NULL, filelists_length INTEGER NOT NULL, other_length INTEGER NOT NULL,
                 primary_key BLOB NOT NULL, filelists_key BLOB NOT NULL, other_key BLOB NOT NULL) STRICT;
             CREATE TABLE terms(name TEXT NOT NULL) STRICT;
             CREATE TABLE superseded(name TEXT PRIMARY KEY, since INTEGER NOT NULL) STRICT;
             CREATE TABLE shown(form TEXT NOT NULL, revision INTEGER NOT NULL, packages INTEGER NOT NULL,
                 repomd BLOB NOT NULL) STRICT;
             COMMIT;",
        )?;
        db.execute("INSERT INTO terms VALUES(?1)", [terms])?;
        db.pragma_update(None, "user_version", FORMAT)?;
    }
    let format: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known: String = db.query_row("SELECT name FROM terms", [], |row| row.get(0))?;
    if format != FORMAT || known != terms {
        return Err(rusqlite::Error::InvalidQuery);
    }
    let files = read_files(&db, end)?;
    Ok((db, files))
}

fn read_files(db: &Connection, end: u64) -> rusqlite::Result<Files> {
    let mut all = db.prepare(
        "SELECT path, device, inode, size, modified, changed, place, primary_length, filelists_length, other_length,
                primary_key, filelists_key, other_key FROM file ORDER BY path",
    )?;
    let key = |row: &rusqlite::Row<'_>, column| row.get::<_, [u8; 32]>(column).map(Key);
    let rows = all.query_map([], |row| {
        let stamp = Stamp([row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?]);
        let place = Place {
            at: row.get::<_, i64>(6)?.unsigned_abs(),
            lengths: [row.get(7)?, row.get(8)?, row.get(9)?],
            keys: [key(row, 10)?, key(row, 11)?, key(row, 12)?],
        };
        Ok((row.get(0)?, (stamp, place)))
    })?;
    rows.filter(|row| row.as_ref().map_or(true, |(_, (_, place))| place.end() <= end)).collect()
}

/// All packages below a directory by their path, and how many links there were.
fn walk(dir: &Path) -> Result<(BTreeMap<String, Stamp>, usize), DiskError> {
    let mut found = BTreeMap::new();
    let mut links = 0;
    let mut todo = vec![(String::new(), 0)];
    while let Some((relative, depth)) = todo.pop() {
        let here = dir.join(&relative);
        for entry in std::fs::read_dir(&here).at("list", &here)? {
            let entry = entry.at("list", &here)?;
            // A name that is no text cannot be named in XML; a client could not fetch it.
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with('.') || (depth == 0 && name == REPODATA) {
                continue;
            }
            let path = if relative.is_empty() { name } else { format!("{relative}/{name}") };
            let is_package = path.as_bytes().ends_with(b".rpm");
            let kind = entry.file_type().at("look at", &entry.path())?;
            if kind.is_dir() && depth < DEPTH_MAX {
                todo.push((path, depth + 1));
            } else if kind.is_symlink() && is_package {
                links += 1;
            } else if kind.is_file() && is_package {
                match entry.metadata() {
                    Ok(meta) => drop(found.insert(path, Stamp::of(&meta))),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    Err(error) => return Err(DiskError::new("look at", &entry.path(), error)),
                }
            }
        }
    }
    Ok((found, links))
}

/// Reads packages and puts their XML on the pile.
struct Reader<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    pile: &'a Pile,
    terms: &'a Terms,
    now: Timestamp,
}

impl Reader<'_> {
    fn place(&self, path: &str, stamp: Stamp, buffer: &mut [u8]) -> Result<Result<Place, Refusal>, FolderError> {
        match self.xml(path, stamp, buffer) {
            Err(refusal) => Ok(Err(refusal)),
            Ok(xml) => {
                let place = Place::write(self.disk, self.pile, &xml)?;
                Ok(place.ok_or_else(|| Refusal::new(Code::TooLarge, "its metadata is longer than 4 GiB")))
            }
        }
    }

    fn xml(&self, path: &str, stamp: Stamp, buffer: &mut [u8]) -> Result<[Vec<u8>; 3], Refusal> {
        let unstable = || Refusal::new(Code::Unstable, "it changed while it was read");
        let not_regular = |error: DiskError| Refusal::new(Code::NotRegular, error.sentence());
        let mut file = tree::open_beneath(self.dir, Path::new(path)).map_err(not_regular)?;
        let unreadable = |error: std::io::Error| Refusal::new(Code::NotRegular, error.to_string());
        let mut reading = Reading::new(self.terms.checksum);
        loop {
            match file.read(buffer) {
                Ok(0) => break,
                Ok(n) => reading.push(buffer.get(..n).unwrap_or_default())?,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(error)),
            }
        }
        let contents = reading.finish()?;
        let meta = file.metadata().map_err(unreadable)?;
        if Stamp::of(&meta) != stamp {
            return Err(unstable());
        }
        let package = Package::read(&contents.header, &contents.signature_header, &contents.layout)?;
        match &self.terms.gate {
            Some((ring, policy)) => drop(contents.judge(ring, policy, self.now)?),
            // Nobody is asked for a signature, but bytes that contradict their own digests are damaged.
            None => {
                if let Some(fault) = contents.faults.into_iter().next() {
                    return Err(fault);
                }
            }
        }
        let placed = Placed {
            pkgid: contents.pkgid,
            checksum: self.terms.checksum,
            file_time: u64::try_from(meta.mtime()).unwrap_or_default(),
            package_size: contents.size,
            location: path.to_owned(),
        };
        let mut xml = [Vec::new(), Vec::new(), Vec::new()];
        let [primary_xml, filelists_xml, other_xml] = &mut xml;
        primary::write(primary_xml, &package, &placed);
        filelists::write(filelists_xml, &package, &placed);
        other::write(other_xml, &package, &placed);
        Ok(xml)
    }
}

/// The packages of a directory, in the order of its metadata.
struct Listed<'a> {
    pile: &'a Pile,
    files: Vec<(&'a String, &'a Place)>,
}

impl Source for Listed<'_> {
    fn packages(&self) -> usize {
        self.files.len()
    }

    fn piece(&self, part: Part, at: usize) -> Piece {
        self.files[at].1.piece(part)
    }

    fn append(&self, part: Part, at: usize, out: &mut Vec<u8>) -> Result<(), IndexError> {
        let (path, place) = self.files[at];
        if place.read(self.pile, part, out) {
            return Ok(());
        }
        Err(IndexError::Lost { path: self.pile.path().to_owned(), package: path.clone() })
    }
}
