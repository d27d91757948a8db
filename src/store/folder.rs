//! A directory of packages that somebody else arranges, and its metadata: what `rolloutd index` works on.
//!
//! Here nobody takes packages in. They lie where they lie, in any directory below, and the metadata names
//! them there. What was learned of a file is kept in a state directory of its own and used again as long as
//! the file has the same inode, size and times:
//!
//! ```text
//! <state>/files.sqlite      which file has which XML, and what was asked of it
//! <state>/packages.xml      the XML, see `append_file`
//! <state>/blocks            ready-made blocks, see `block_cache`
//! <state>/lock              one at a time
//! ```
//!
//! All of it can be removed at any time, and whatever of it was torn is made again: the metadata that comes
//! out is that which comes out of an empty state. So nothing in it is believed. A file's row counts while the
//! file has the row's times; the lengths and keys of a row are held against the XML, or against a block of
//! just these keys; a block carries checksums.
//!
//! A file that changed a moment ago is listed and read again by the next look: another change within the
//! same tick of the file system's clock would leave the times as they are.
//!
//! What never happens: a link is followed, a file is listed that the gate refuses when there is one, or that
//! changed while it was read.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::append_file::AppendFile;
use super::assembly::{self, AssemblyError, Tally};
use super::block_cache::{BlockCache, BlockCacheError};
use super::blocks::{self, Form, Key, Members, Part, Piece};
use super::disk::{self, AtPath as _, Disk, DiskError};
use super::index::{IndexError, Place, Source, may_pass};
use super::lock::{LockError, SiteLock, lock_folder};
use super::publication::{self, Outcome, PublishError, Published, Spec};
use super::retirement;
use super::thread_pool;
use super::tree::{self, REPODATA};
use crate::domain::checksum::{ChecksumKind, Sha256};
use crate::domain::refusal::{Code, Refusal};
use crate::domain::trust::Policy;
use crate::format::openpgp::Keyring;
use crate::format::package::{Package, Placed};
use crate::format::reading::{Reading, Unread};
use crate::format::signing::Signer;
use crate::format::xml;

/// How long a run may take, in nanoseconds.
const RUN_MAX: i64 = 3_600_000_000_000;

/// Rises whenever the table or the XML of the same package would be other ones.
const FORMAT: i64 = 2;

/// The XML is written anew when more than this is unwanted, and more than what is wanted.
const WASTE_MAX: u64 = 64 << 20;

/// How coarse the clock of a file system may be, in nanoseconds: of one that has fractions of a second, and
/// of one that has none.
const TICKS: [i64; 2] = [50_000_000, 2_000_000_000];

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
    /// Packages that were listed before and are listed no longer.
    pub gone: usize,
    /// Links that were not followed.
    pub links: usize,
    /// Files that are not listed, by their path, and why.
    pub refused: Vec<(String, Refusal)>,
    /// Remarks about what was read now.
    pub notes: Vec<String>,
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

    /// Whether the file could change once more and have the same times. `now` is when the run began.
    fn is_fresh(self, now: Timestamp) -> bool {
        let [.., changed] = self.0;
        let [fine, whole] = TICKS;
        let tick = if changed % 1_000_000_000 == 0 { whole } else { fine };
        let now = i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX);
        // What has changed since this run began may do so again. Times further in the future are somebody's wrong
        // clock, and another change would have another one.
        changed > now.saturating_sub(tick) && changed < now.saturating_add(RUN_MAX)
    }

    /// Of no file.
    const NONE: Self = Self([0; 5]);
}

/// What is known of each file.
type Files = BTreeMap<String, (Stamp, Place)>;

/// A directory with what is known of it.
#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    database: PathBuf,
    db: Connection,
    append_file: AppendFile,
    block_cache: BlockCache,
    /// By path below the directory, which is the order of the metadata.
    files: Files,
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
        let lock = lock_folder(state, dir, who)?;
        disk::sweep(disk, state)?;
        let database = state.join("files.sqlite");
        let xml_path = state.join("packages.xml");
        let mut append_file = AppendFile::open(disk, &xml_path)?;
        let usable = usable(&database, &terms.name, append_file.end());
        let (db, files) = match usable {
            Ok(usable) => usable,
            Err(source) if may_pass(&source) => {
                return Err(FolderError::Database { what: "open", path: database, source });
            }
            Err(_) => {
                for suffix in ["", "-wal", "-shm", "-journal"] {
                    disk.remove(&state.join(format!("files.sqlite{suffix}")))?;
                }
                append_file = AppendFile::begin(disk, &xml_path)?;
                usable_anew(&database, &terms.name)?
            }
        };
        let block_cache = BlockCache::open(disk, &state.join("blocks"))?;
        let mut folder = Self {
            dir: dir.to_owned(),
            database,
            db,
            append_file,
            block_cache,
            files,
            shown: None,
            terms,
            _lock: lock,
        };
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
        let Walk { there, links, unfit, closed } = Walk::through(&self.dir)?;
        let mut found = Found { links, refused: unfit, ..Found::default() };
        let mut gone = Vec::new();
        self.files.retain(|path, (stamp, _)| {
            // What lies in a directory that cannot be listed now is not gone.
            let unseen = || closed.iter().any(|dir| path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/')));
            let stays = there.get(path) == Some(stamp) || unseen();
            if !stays {
                gone.push(path.clone());
            }
            stays
        });
        let wanted: Vec<(&String, &Stamp)> = there.iter().filter(|(path, _)| !self.files.contains_key(*path)).collect();
        if !gone.is_empty() || !wanted.is_empty() {
            self.forget_shown()?;
        }
        let reader = Reader { disk, dir: &self.dir, append_file: &self.append_file, terms: &self.terms, now };
        let mut read = Vec::new();
        let mut seen = 0;
        thread_pool::each(
            &wanted,
            || vec![0; 256 * 1024],
            |buffer, (path, stamp)| reader.place(path, **stamp, buffer),
            |(path, stamp), outcome| {
                seen += 1;
                progress(seen, wanted.len());
                match outcome {
                    Ok((place, replaced)) => {
                        if !replaced.is_empty() {
                            let fields = replaced.join(", ");
                            found.notes.push(format!("{path}: text was replaced or omitted in its {fields}"));
                        }
                        let stamp = if stamp.is_fresh(now) { Stamp::NONE } else { **stamp };
                        read.push(((*path).clone(), stamp, place));
                    }
                    Err(refusal) => found.refused.push(((*path).clone(), refusal)),
                }
            },
        )?;
        found.read = read.len();
        found.refused.sort_by(|a, b| a.0.cmp(&b.0));
        found.notes.sort();
        self.keep(read, &gone)?;
        found.gone = gone.iter().filter(|path| !self.files.contains_key(*path)).count();
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
        let spec = Spec { dir: self.dir.clone(), form, is_lent: true };
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
        self.tidy(disk, form)?;
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
        let known = self.superseded()?;
        // What is named again begins anew when it is superseded again.
        let back = known.keys().filter(|name| !published.superseded.contains(*name));
        for name in back {
            self.forget_superseded(name)?;
        }
        let mut over = Vec::new();
        for name in published.superseded.iter().filter(ours) {
            let since = known.get(name).copied();
            if since.is_none() {
                let insert = "INSERT INTO superseded VALUES(?1, ?2)";
                self.db.execute(insert, params![name, now.as_second()]).map_err(self.failed("write to"))?;
            }
            // A clock that was set back counts as no waiting at all.
            let waited = now.as_second().saturating_sub(since.unwrap_or(now.as_second()));
            if u64::try_from(waited).unwrap_or_default() >= keep.as_secs() {
                over.push(format!("{REPODATA}/{name}"));
            }
        }
        let gone = retirement::retire(disk, &self.dir, &over, &BTreeSet::new())?.gone;
        for file in &gone {
            self.forget_superseded(file.rsplit('/').next().unwrap_or_default())?;
        }
        Ok(gone.len())
    }

    /// Since when nothing names which file.
    fn superseded(&self) -> Result<BTreeMap<String, i64>, FolderError> {
        let read = || {
            let mut all = self.db.prepare("SELECT name, since FROM superseded")?;
            let rows = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<_>>()
        };
        read().map_err(self.failed("read"))
    }

    fn forget_superseded(&self, name: &str) -> Result<(), FolderError> {
        let done = self.db.execute("DELETE FROM superseded WHERE name = ?1", [name]);
        done.map(drop).map_err(self.failed("write to"))
    }

    fn stage(
        &mut self,
        disk: &dyn Disk,
        spec: &Spec,
        signer: Option<&Signer>,
        now: Timestamp,
    ) -> Result<Outcome, FolderError> {
        let mut mended = BTreeSet::new();
        loop {
            let source = listed(&self.append_file, &self.files);
            match publication::stage(disk, spec, &source, &mut self.block_cache, signer, 0, now) {
                Err(PublishError::Index(IndexError::Lost { .. })) if mended.insert(None) => {
                    self.read_lost_again(disk, now)?;
                }
                Err(PublishError::Assembly { dir, source }) => match *source {
                    AssemblyError::BlockCache(BlockCacheError::Damaged { id, .. }) if mended.insert(Some(id)) => {
                        self.block_cache.forget(&id);
                    }
                    source => return Err(PublishError::Assembly { dir, source: Box::new(source) }.into()),
                },
                other => return Ok(other?),
            }
        }
    }

    /// Lets go of every file whose XML is not what was kept, and looks again.
    fn read_lost_again(&mut self, disk: &dyn Disk, now: Timestamp) -> Result<(), FolderError> {
        let lost = |place: &Place| place.read_all(&self.append_file).is_none();
        let lost: Vec<String> =
            self.files.iter().filter(|(_, (_, place))| lost(place)).map(|(path, _)| path.clone()).collect();
        self.files.retain(|path, _| lost.binary_search(path).is_err());
        self.keep(Vec::new(), &lost)?;
        self.look(disk, now, |_, _| {}).map(drop)
    }

    /// Lets go of blocks and XML that nothing needs any more, now and then.
    fn tidy(&mut self, disk: &dyn Disk, form: Form) -> Result<(), FolderError> {
        if form.members == Members::Blocks {
            let wanted = || assembly::ids(form, &listed(&self.append_file, &self.files)).collect();
            match self.block_cache.tidy(disk, wanted) {
                Ok(_) => {}
                Err(BlockCacheError::Disk(error)) => return Err(error.into()),
                Err(error) => return Err(DiskError::new("tidy", &self.dir, std::io::Error::other(error)).into()),
            }
        }
        let wanted: u64 = self.files.values().map(|(_, place)| place.len()).sum();
        if self.append_file.end().saturating_sub(wanted) > WASTE_MAX.max(wanted) {
            self.write_pile_anew(disk)?;
        }
        Ok(())
    }

    fn write_pile_anew(&mut self, disk: &dyn Disk) -> Result<(), FolderError> {
        let path = self.append_file.path().to_owned();
        let beside = path.with_extension("xml.new");
        let new = AppendFile::begin(disk, &beside)?;
        let mut moved = Vec::with_capacity(self.files.len());
        for (file, (stamp, place)) in &self.files {
            // What is damaged stays behind and is read again by the next look.
            if let Some(xml) = place.read_all(&self.append_file)
                && let Some(place) = Place::write(disk, &new, &xml)?
            {
                moved.push((file.clone(), *stamp, place));
            }
        }
        let all: Vec<String> = std::mem::take(&mut self.files).into_keys().collect();
        // After a crash between the two, the rows do not have their XML, and the files are read again.
        disk.rename(&beside, &path)?;
        self.append_file = AppendFile::open(disk, &path)?;
        self.keep(moved, &all)
    }

    /// What was published last, if the listing has not changed since.
    fn recall(&self) -> Option<(Form, Published)> {
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?));
        let (form, listing, repomd): (_, [u8; 32], [u8; 32]) =
            self.db.query_row("SELECT form, listing, repomd FROM shown", [], row).optional().ok()??;
        // Rows may have been lost since, and what they told of may be gone as well.
        if listing != self.listing() {
            return None;
        }
        let published = Published {
            revision: 0,
            packages: self.files.len() as u64,
            repomd: Sha256(repomd),
            superseded: Vec::new(),
            notes: Vec::new(),
            blocks: Tally::default(),
            files: Vec::new(),
        };
        Some((Form::from_words(&form)?, published))
    }

    fn remember(&mut self, form: Form, published: &Published) -> Result<(), FolderError> {
        self.forget_shown()?;
        let row = params![form.words(), self.listing(), &published.repomd.0[..]];
        self.db.execute("INSERT INTO shown VALUES(?1, ?2, ?3)", row).map_err(self.failed("write to"))?;
        self.shown = Some((form, published.clone()));
        Ok(())
    }

    /// What is listed, in one number.
    fn listing(&self) -> [u8; 32] {
        let mut sum = digest::Context::new(&digest::SHA256);
        for (path, (_, place)) in &self.files {
            sum.update(&(path.len() as u64).to_le_bytes());
            sum.update(path.as_bytes());
            place.keys.iter().for_each(|key| sum.update(&key.0));
        }
        let mut listing = [0; 32];
        listing.copy_from_slice(sum.finish().as_ref());
        listing
    }

    fn forget_shown(&mut self) -> Result<(), FolderError> {
        self.shown = None;
        self.db.execute("DELETE FROM shown", []).map(drop).map_err(self.failed("write to"))
    }
}

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
                 primary_key BLOB NOT NULL, filelists_key BLOB NOT NULL, other_key BLOB NOT NULL)
                 STRICT, WITHOUT ROWID;
             CREATE TABLE terms(name TEXT NOT NULL) STRICT;
             CREATE TABLE superseded(name TEXT PRIMARY KEY, since INTEGER NOT NULL) STRICT, WITHOUT ROWID;
             CREATE TABLE shown(form TEXT NOT NULL, listing BLOB NOT NULL, repomd BLOB NOT NULL) STRICT;
             COMMIT;",
        )?;
        db.execute("INSERT INTO terms VALUES(?1)", [terms])?;
        db.pragma_update(None, "user_version", FORMAT)?;
    }
    let format: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    // One that can be read and not written to is of no use either.
    db.pragma_update(None, "user_version", format)?;
    let known: String = db.query_row("SELECT name FROM terms", [], |row| row.get(0))?;
    let verdict: String = db.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    if format != FORMAT || known != terms || verdict != "ok" {
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

/// What lies below a directory.
#[derive(Default)]
struct Walk {
    /// Packages by their path.
    there: BTreeMap<String, Stamp>,
    /// How many links there were.
    links: usize,
    /// What cannot be listed whatever is in it, and why.
    unfit: Vec<(String, Refusal)>,
    /// Directories that are closed to us.
    closed: Vec<String>,
}

impl Walk {
    fn through(dir: &Path) -> Result<Self, DiskError> {
        let mut walk = Self::default();
        let mut todo = vec![PathBuf::new()];
        while let Some(below) = todo.pop() {
            let top = below.as_os_str().is_empty();
            let here = if top { dir.to_owned() } else { dir.join(&below) };
            match walk.list(&here, &below) {
                Ok(dirs) => todo.extend(dirs),
                // Whoever arranges the directory may do so now.
                Err(error) if !top && error.is_not_found() => {}
                Err(error) if !top && error.source.kind() == std::io::ErrorKind::PermissionDenied => {
                    let why =
                        format!("the directory is not accessible: {}; its known packages stay listed", error.source);
                    walk.unfit.push((below.display().to_string(), Refusal::new(Code::NotRegular, why)));
                    walk.closed.extend(below.to_str().map(str::to_owned));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(walk)
    }

    /// Looks at one directory and gives those in it.
    fn list(&mut self, here: &Path, below: &Path) -> Result<Vec<PathBuf>, DiskError> {
        let mut dirs = Vec::new();
        for entry in std::fs::read_dir(here).at("list", here)? {
            let entry = entry.at("list", here)?;
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") || (below.as_os_str().is_empty() && name == REPODATA) {
                continue;
            }
            let path = below.join(&name);
            let kind = entry.file_type().at("look at", &entry.path())?;
            if kind.is_dir() {
                dirs.push(path);
            } else if name.as_encoded_bytes().ends_with(b".rpm") {
                self.meet(&path, &entry)?;
            } else if kind.is_symlink() && std::fs::metadata(entry.path()).is_ok_and(|meta| meta.is_dir()) {
                self.links += 1;
            }
        }
        Ok(dirs)
    }

    fn meet(&mut self, path: &Path, entry: &std::fs::DirEntry) -> Result<(), DiskError> {
        let meta = match entry.metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            meta => meta.at("look at", &entry.path())?,
        };
        let mut refuse = |code, detail: &str| {
            self.unfit.push((path.display().to_string(), Refusal::new(code, detail)));
        };
        match path.to_str().filter(|path| xml::first_bad_char(path).is_none()) {
            _ if meta.is_symlink() => self.links += 1,
            _ if !meta.is_file() => refuse(Code::NotRegular, "it is not a regular file"),
            None => refuse(Code::FileName, "its own path is not text that XML can carry"),
            Some(path) => drop(self.there.insert(path.to_owned(), Stamp::of(&meta))),
        }
        Ok(())
    }
}

/// A package's part of each file, and the fields in which text was replaced or left out.
type Xml = ([Vec<u8>; 3], Vec<&'static str>);

/// The same with where it lies in the append file.
type Written = (Place, Vec<&'static str>);

/// Reads packages and puts their XML in the append file.
struct Reader<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    append_file: &'a AppendFile,
    terms: &'a Terms,
    now: Timestamp,
}

impl Reader<'_> {
    fn place(&self, path: &str, stamp: Stamp, buffer: &mut [u8]) -> Result<Result<Written, Refusal>, FolderError> {
        match self.xml(path, stamp, buffer) {
            Err(refusal) => Ok(Err(refusal)),
            Ok((xml, replaced)) => {
                let place = Place::write(self.disk, self.append_file, &xml)?.map(|place| (place, replaced));
                Ok(place.ok_or_else(|| Refusal::new(Code::TooLarge, "its metadata is longer than 4 GiB")))
            }
        }
    }

    fn xml(&self, path: &str, stamp: Stamp, buffer: &mut [u8]) -> Result<Xml, Refusal> {
        let unstable = || Refusal::new(Code::Unstable, "it changed while it was being read");
        let not_regular = |error: DiskError| Refusal::new(Code::NotRegular, error.sentence());
        let mut file = tree::open_beneath(self.dir, Path::new(path)).map_err(not_regular)?;
        let unreadable = |error: std::io::Error| Refusal::new(Code::NotRegular, error.to_string());
        let contents = Reading::whole(self.terms.checksum, &mut file, buffer).map_err(|unread| match unread {
            Unread::Refused(refusal) => refusal,
            Unread::Failed(error) => unreadable(error),
        })?;
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
        Ok((blocks::xml_of(&package, &placed), package.replaced_text))
    }
}

/// The packages of a directory, in the order of its metadata.
struct Listed<'a> {
    append_file: &'a AppendFile,
    files: Vec<(&'a String, &'a Place)>,
}

fn listed<'a>(append_file: &'a AppendFile, files: &'a Files) -> Listed<'a> {
    Listed { append_file, files: files.iter().map(|(path, (_, place))| (path, place)).collect() }
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
        if place.read(self.append_file, part, out) {
            return Ok(());
        }
        Err(IndexError::Lost { path: self.append_file.path().to_owned(), package: path.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::disk::{Access, Kernel, put};
    use super::*;
    use crate::format::compress::Compression;
    use crate::format::repomd::Repomd;
    use crate::format::sample::{Recipe, build};

    const GZ: Form = Form { compression: Compression::Gz, members: Members::Blocks, checksum: ChecksumKind::Sha256 };

    fn package(name: &str) -> Vec<u8> {
        let recipe = Recipe {
            name: name.to_owned(),
            version: "1.0".to_owned(),
            release: "1".to_owned(),
            arch: "noarch".to_owned(),
            summary: format!("test package {name}"),
            files: vec![(format!("/usr/share/{name}/version"), b"1.0\n".to_vec())],
            ..Recipe::default()
        };
        build(&recipe, None, Timestamp::UNIX_EPOCH).expect("a package")
    }

    /// A directory of packages and a place for states.
    struct Room {
        dir: tempfile::TempDir,
        state: tempfile::TempDir,
    }

    impl Room {
        fn new() -> Self {
            let [dir, state] = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
            Self { dir, state }
        }

        fn of(names: &[&str]) -> Self {
            let room = Self::new();
            for name in names {
                room.put(&format!("{name}.rpm"), &package(name));
            }
            room
        }

        fn put(&self, name: &str, bytes: &[u8]) {
            let path = self.dir.path().join(name);
            Kernel::default().make_dir(path.parent().expect("a parent")).expect("made");
            put(&Kernel::default(), &path, bytes, Access::Everybody).expect("written");
        }

        fn open(&self, state: &str) -> Folder {
            let terms = Terms { checksum: ChecksumKind::Sha256, gate: None, name: "any".to_owned() };
            Folder::open(&Kernel::default(), self.dir.path(), &self.state.path().join(state), terms, "a test")
                .expect("opened")
        }

        /// Long enough after every file has come that none of them is fresh.
        fn later() -> Timestamp {
            Timestamp::from_second(4_000_000_000).expect("a time")
        }

        fn look(&self, state: &str, now: Timestamp) -> (Folder, Found) {
            let mut folder = self.open(state);
            let found = folder.look(&Kernel::default(), now, |_, _| {}).expect("looked");
            (folder, found)
        }

        /// Looks and publishes.
        fn index(&self, state: &str) -> (Folder, Found, Published) {
            let (mut folder, found) = self.look(state, Self::later());
            let published = folder.publish(&Kernel::default(), GZ, None, Self::later()).expect("published");
            (folder, found, published)
        }

        /// What clients see: names, sizes and sums of the three files.
        fn shown(&self) -> Vec<crate::format::repomd::Data> {
            let bytes = std::fs::read(self.dir.path().join("repodata/repomd.xml")).expect("there");
            Repomd::read(&bytes).expect("ours").data
        }

        /// Takes the metadata away, so that nothing of it can be carried along.
        fn hide_metadata(&self) {
            for entry in std::fs::read_dir(self.dir.path().join(REPODATA)).expect("listed") {
                Kernel::default().remove(&entry.expect("an entry").path()).expect("removed");
            }
        }

        fn state_files(&self, state: &str) -> Vec<(PathBuf, Vec<u8>)> {
            let all = std::fs::read_dir(self.state.path().join(state)).expect("listed");
            let file = |path: PathBuf| (path.clone(), std::fs::read(path).expect("read"));
            all.map(|entry| file(entry.expect("an entry").path())).collect()
        }

        /// Puts other files in the place of a state.
        fn put_state(&self, state: &str, files: &[(PathBuf, Vec<u8>)]) {
            for (path, _) in self.state_files(state) {
                Kernel::default().remove(&path).expect("removed");
            }
            for (path, bytes) in files {
                put(&Kernel::default(), path, bytes, Access::Owner).expect("written");
            }
        }
    }

    /// Checks that a state that `tear` has changed gives what an empty one gives.
    #[track_caller]
    fn check_torn(tears_of: impl Fn(&[u8]) -> Vec<Vec<u8>>) {
        let room = Room::of(&["a", "b", "c"]);
        room.index("torn");
        let whole = room.state_files("torn");
        assert_eq!(whole.iter().filter(|(_, bytes)| !bytes.is_empty()).count(), 4, "{whole:?}");
        // One more package, so that every block is another one and all XML is needed.
        room.put("d.rpm", &package("d"));
        room.hide_metadata();
        room.index("empty");
        let expected = room.shown();
        for (which, (path, bytes)) in whole.iter().enumerate() {
            for (number, torn) in tears_of(bytes).into_iter().enumerate() {
                let mut files = whole.clone();
                files[which].1 = torn;
                room.put_state("torn", &files);
                for _ in 0..2 {
                    room.hide_metadata();
                    let (folder, ..) = room.index("torn");
                    assert_eq!(room.shown(), expected, "{} torn in way {number}", path.display());
                    assert_eq!(folder.files.len(), 4);
                }
                let (_, found, _) = room.index("torn");
                assert_eq!((found.read, found.gone), (0, 0), "{} is mended", path.display());
            }
        }
    }

    #[test]
    fn what_a_crash_left_in_the_state_is_gone_after_the_next_run() {
        let room = Room::of(&["a"]);
        room.index("state");
        let left = room.state.path().join("state/.rolloutd-1-0");
        put(&Kernel::default(), &left, b"half a append_file", Access::Owner).expect("written");
        room.open("state");
        assert!(!left.exists());
    }

    #[test]
    fn a_state_with_a_byte_changed_anywhere_gives_what_an_empty_one_gives() {
        check_torn(|bytes| {
            // Where there are zeros nobody looks.
            let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
            let places = places.iter().copied().step_by((places.len() / 100).max(1));
            let flipped = |at: usize| {
                let mut bytes = bytes.to_vec();
                bytes[at] ^= 1 << (at % 8);
                bytes
            };
            places.map(flipped).collect()
        });
    }

    #[test]
    fn a_state_that_was_cut_off_anywhere_gives_what_an_empty_one_gives() {
        check_torn(|bytes| {
            let places = (0..bytes.len()).step_by((bytes.len() / 30).max(1));
            places.map(|at| bytes[..at].to_vec()).collect()
        });
    }

    #[test]
    fn a_state_full_of_zeros_gives_what_an_empty_one_gives() {
        check_torn(|bytes| {
            let middle = bytes.len() / 2;
            let [mut front, mut back] = [bytes.to_vec(), bytes.to_vec()];
            front[..middle].fill(0);
            back[middle..].fill(0);
            vec![vec![0; bytes.len()], front, back]
        });
    }

    #[test]
    fn what_was_lost_and_is_gone_as_well_is_listed_no_longer() {
        for name in ["files.sqlite", "packages.xml", "blocks"] {
            let room = Room::of(&["a", "b"]);
            room.index("s");
            Kernel::default().remove(&room.state.path().join("s").join(name)).expect("removed");
            Kernel::default().remove(&room.dir.path().join("a.rpm")).expect("removed");
            Kernel::default().remove(&room.dir.path().join("b.rpm")).expect("removed");
            assert_eq!(room.index("s").2.packages, 0);
            let shown = room.shown();
            room.hide_metadata();
            room.index("empty");
            assert_eq!(shown, room.shown(), "{name}");
        }
    }

    #[test]
    fn a_file_that_may_have_changed_within_one_tick_is_read_again() {
        let room = Room::of(&["a"]);
        let meta = std::fs::metadata(room.dir.path().join("a.rpm")).expect("there");
        let changed = Timestamp::new(meta.ctime(), i32::try_from(meta.ctime_nsec()).expect("small")).expect("a time");
        let read = |now| room.look("s", now).1.read;
        assert_eq!(read(changed), 1);
        assert_eq!(read(changed), 1, "once more, for nobody knows");
        let after = changed + Duration::from_mins(1);
        assert_eq!(read(after), 1);
        assert_eq!(read(after), 0);
        assert_eq!(room.look("other", changed - Duration::from_hours(1)).1.read, 1, "a clock that was set back");
        assert_eq!(room.look("other", changed).1.read, 0);
    }

    #[test]
    fn a_clock_of_whole_seconds_ticks_slowly() {
        let stamp = |changed| Stamp([1, 1, 1, 0, changed]);
        let now = Timestamp::from_second(1_000_000_000).expect("a time");
        let before = |nanoseconds: i64| stamp(now.as_second() * 1_000_000_000 - nanoseconds);
        assert!(before(1_000_000_000).is_fresh(now), "no fraction");
        assert!(!before(2_000_000_000).is_fresh(now));
        assert!(before(49_999_999).is_fresh(now));
        assert!(!before(50_000_001).is_fresh(now));
        assert!(before(-60_000_000_001).is_fresh(now), "changed in this run");
        assert!(!before(-RUN_MAX).is_fresh(now), "from the future");
    }

    #[test]
    fn what_is_named_again_begins_anew_when_it_is_superseded_again() {
        let (room, disk, hour) = (Room::of(&["a"]), Kernel::default(), Duration::from_hours(1));
        let at = |hours| Room::later() + hour * hours;
        room.index("s");
        let first = room.shown()[0].location.clone();
        let there = || room.dir.path().join(&first).exists();
        let step = |hours| {
            let (mut folder, _, published) = room.index("s");
            folder.retire(&disk, &published, hour * 24, at(hours)).expect("retired")
        };
        room.put("b.rpm", &package("b"));
        assert_eq!(step(0), 0);
        disk.remove(&room.dir.path().join("b.rpm")).expect("removed");
        assert_eq!(step(20), 0, "the first is named again");
        room.put("b.rpm", &package("b"));
        assert_eq!(step(30), 0);
        assert!(there(), "superseded since hour 30");
        assert_eq!(step(53), 0);
        assert_eq!((step(54), there()), (3, false));
    }

    #[test]
    fn names_that_cannot_be_listed_are_refused_and_not_passed_over() {
        use std::os::unix::ffi::OsStrExt as _;
        let room = Room::of(&["a"]);
        let odd = std::ffi::OsStr::from_bytes(b"b\xff/c.rpm");
        room.put("pipe.rpm/in a directory of that name.rpm", &package("p"));
        room.put(".hidden.rpm", &package("h"));
        room.put("a\u{1}.rpm", &package("x"));
        let path = room.dir.path().join(odd);
        Kernel::default().make_dir(path.parent().expect("a parent")).expect("made");
        put(&Kernel::default(), &path, &package("c"), Access::Everybody).expect("written");
        std::os::unix::fs::symlink("a.rpm", room.dir.path().join("link.rpm")).expect("linked");
        let pipe = room.dir.path().join("fifo.rpm");
        rustix::fs::mkfifoat(rustix::fs::CWD, pipe, rustix::fs::Mode::RWXU).expect("made");
        let (folder, found) = room.look("s", Room::later());
        let listed: Vec<&String> = folder.files.keys().collect();
        assert_eq!(listed, ["a.rpm", "pipe.rpm/in a directory of that name.rpm"]);
        let refused: Vec<(&str, Code)> = found.refused.iter().map(|(path, r)| (path.as_str(), r.code)).collect();
        let expected =
            [("a\u{1}.rpm", Code::FileName), ("b\u{fffd}/c.rpm", Code::FileName), ("fifo.rpm", Code::NotRegular)];
        assert_eq!((refused, found.links), (expected.to_vec(), 1));
    }

    #[test]
    fn xml_written_anew_is_what_it_was() {
        let room = Room::of(&["a", "b", "c"]);
        let (mut folder, ..) = room.index("s");
        for name in ["a", "b"] {
            room.put(&format!("{name}.rpm"), &package(&format!("other-{name}")));
            folder.look(&Kernel::default(), Room::later(), |_, _| {}).expect("looked");
            room.put(&format!("{name}.rpm"), &package(name));
            folder.look(&Kernel::default(), Room::later(), |_, _| {}).expect("looked");
        }
        let before = folder.append_file.end();
        folder.write_pile_anew(&Kernel::default()).expect("written");
        assert!(folder.append_file.end() < before);
        assert_eq!(folder.files.len(), 3);
        drop(folder);
        Kernel::default().remove(&room.state.path().join("s/blocks")).expect("removed");
        room.hide_metadata();
        let (_, found, _) = room.index("s");
        let shown = room.shown();
        room.hide_metadata();
        room.index("empty");
        assert_eq!((found.read, shown), (0, room.shown()));
    }
}
