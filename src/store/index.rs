//! What the trees of a distribution need of each package to show it: its XML, by the SHA-256 of the package's bytes.
//! What a tree shows is passed in ([`Listing`]).
//!
//! `<state>/index/<distribution>.sqlite` has one table for this, and beside it, `<distribution>.xml` is an
//! [`AppendFile`] with all the XML:
//!
//! ```text
//! chunk(sha256 BLOB PRIMARY KEY, pkgid TEXT, size INTEGER, file_time INTEGER, place INTEGER,
//!       primary_length INTEGER, filelists_length INTEGER, other_length INTEGER,
//!       primary_key BLOB, filelists_key BLOB, other_key BLOB)
//! showing(tree TEXT PRIMARY KEY, repomd BLOB, packages BLOB)
//! made(sha256 BLOB, inode INTEGER, PRIMARY KEY(sha256, inode))
//! ```
//!
//! `made` lists the inodes that the daemon itself created for a package's bytes, to tell them from an inode that was
//! only given to it (`chown`) and that somebody may still have open. A package whose inode is not listed is copied
//! again.
//!
//! `showing` records which `repomd.xml` was about to be shown last, and for which packages. After a crash before the
//! logbook heard of it, that `repomd.xml` is recognised as ours, provided that the logbook has exactly these packages.
//!
//! A package's XML is made once, when the package is taken in; every tree that lists the package reuses it. The files
//! hold nothing that the trees and the logbook do not have too: they can be removed at any time, and what is missing is
//! regenerated from the package. So writes are not synced (`synchronous=OFF`); a table torn by a power cut is thrown
//! away, and XML that does not match its key is regenerated.
//!
//! Only the position of the XML is kept in memory.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::append_file::AppendFile;
use super::blocks::{Key, Part, Piece};
use super::disk::{Disk, DiskError};
use crate::domain::checksum::Sha256;
use crate::domain::listing::{Entry, Listing};
use crate::domain::names::TreeName;
use crate::domain::nevra::Nevra;

/// Incremented whenever the XML of the same package would come out differently, so that old chunks are regenerated. Not
/// where only packages are concerned that would have another name today: they stay under the name that the logbook has.
const CHUNK_FORMAT: i64 = 3;

/// A package's XML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// SHA-256 of the package's bytes.
    pub sha256: Sha256,
    /// Its path in the tree, if that is not where the daemon puts packages ([`Entry::place`]).
    pub place: Option<Arc<str>>,
    /// Its checksum in the distribution's kind.
    pub pkgid: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// Modification time of the file, seconds since the epoch.
    pub file_time: u64,
    /// Its element in each file, in the order of [`Part::ALL`].
    pub xml: [Vec<u8>; 3],
}

/// Why the index cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// SQLite failed.
    #[error("could not {what} the index {}", path.display())]
    Database {
        /// What was attempted, as a verb.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// More XML than any package has.
    #[error("the metadata of {sha256} is too long for {}", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// SHA-256 of the package's bytes.
        sha256: Sha256,
    },
    /// The XML of a file does not match its key.
    #[error("the metadata of {package} in {} was lost", path.display())]
    Lost {
        /// The file with the XML.
        path: PathBuf,
        /// The package's file.
        package: String,
    },
    /// A listed package has no XML, or XML that does not match its key. After [`Index::forget`] it can be regenerated.
    #[error("the index {} has no metadata for {nevra}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The package.
        nevra: Box<Nevra>,
    },
}

/// Packages in the order of a metadata file.
pub trait Source: Sync {
    /// How many.
    fn packages(&self) -> usize;
    /// What cutting needs of one.
    fn piece(&self, part: Part, at: usize) -> Piece;
    /// Appends its XML.
    ///
    /// # Errors
    /// If there is none, or it does not match its key.
    fn append(&self, part: Part, at: usize, out: &mut Vec<u8>) -> Result<(), IndexError>;
}

/// Where a package's XML is in an append file, its three parts in sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Offset of the first part.
    pub at: u64,
    /// Their lengths in bytes.
    pub lengths: [u32; 3],
    /// Their keys.
    pub keys: [Key; 3],
}

impl Place {
    /// Writes XML to an append file; `None` if it is longer than any package's.
    ///
    /// # Errors
    /// With the path that failed.
    pub fn write(disk: &dyn Disk, append_file: &AppendFile, xml: &[Vec<u8>; 3]) -> Result<Option<Self>, DiskError> {
        let pieces = xml.each_ref().map(Vec::as_slice);
        let lengths = pieces.map(|xml| u32::try_from(xml.len()).unwrap_or(u32::MAX));
        if lengths.contains(&u32::MAX) {
            return Ok(None);
        }
        // One write costs less than three. A torn one is found by the keys.
        let at = append_file.append(disk, &[&pieces.concat()])?;
        Ok(Some(Self { at, lengths, keys: pieces.map(Key::of) }))
    }

    /// Offset after the last part.
    pub fn end(&self) -> u64 {
        self.at.saturating_add(self.len())
    }

    /// Bytes of all three parts.
    pub fn len(&self) -> u64 {
        self.lengths.iter().map(|length| u64::from(*length)).sum()
    }

    /// Whether all parts are empty, which no package's are.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What cutting needs.
    pub fn piece(&self, part: Part) -> Piece {
        Piece { key: *part.of(&self.keys), len: *part.of(&self.lengths) as usize }
    }

    /// Appends the XML of one part to `out`; returns whether it is there and matches its key.
    pub fn read(&self, append_file: &AppendFile, part: Part, out: &mut Vec<u8>) -> bool {
        let before = Part::ALL.iter().take_while(|other| **other != part);
        let at = before.fold(self.at, |at, other| at.saturating_add(u64::from(*other.of(&self.lengths))));
        let begin = out.len();
        let Piece { key, len } = self.piece(part);
        append_file.read(at, len, out).is_ok() && Key::of(out.get(begin..).unwrap_or_default()) == key
    }

    /// The XML of all parts, if it is there and matches its keys.
    pub fn read_all(&self, append_file: &AppendFile) -> Option<[Vec<u8>; 3]> {
        let mut xml = [Vec::new(), Vec::new(), Vec::new()];
        let all = Part::ALL.into_iter().zip(&mut xml).all(|(part, xml)| self.read(append_file, part, xml));
        all.then_some(xml)
    }
}

/// What is known of a package file that was taken in.
#[derive(Clone, Copy, Debug)]
struct Known {
    size: u64,
    file_time: u64,
    place: Place,
}

/// Whether an error says nothing about the content of a database: too many open files, a full disk, a file that belongs
/// to somebody else.
pub(super) fn may_pass(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode as Code;
    let passing = [
        Code::CannotOpen,
        Code::DatabaseBusy,
        Code::DatabaseLocked,
        Code::DiskFull,
        Code::OutOfMemory,
        Code::PermissionDenied,
        Code::ReadOnly,
    ];
    error.sqlite_error_code().is_some_and(|code| passing.contains(&code))
}

/// The index of one distribution.
#[derive(Debug)]
pub struct Index {
    path: PathBuf,
    db: Connection,
    append_file: AppendFile,
    contents: Contents,
    /// How many times XML was added since the index was opened.
    puts: u64,
    /// Packages' bytes and the inodes that we created for them.
    made: HashSet<(Sha256, u64)>,
}

/// What is known of each package, by the SHA-256 of its bytes.
type Contents = HashMap<Sha256, Known>;

/// The content of the index files.
type Opened = (Connection, Contents, HashSet<(Sha256, u64)>);

impl Index {
    /// Opens the index files, or creates new ones if they are missing, torn or of another format.
    ///
    /// # Errors
    /// If not even new ones can be created.
    pub fn open(disk: &dyn Disk, path: &Path) -> Result<Self, IndexError> {
        let xml_path = path.with_extension("xml");
        let append_file = AppendFile::open(disk, &xml_path)?;
        match Self::usable(path, append_file.end()) {
            Ok(opened) => return Ok(Self::with(path, opened, append_file)),
            // Regenerating it reads every package and would fail too.
            Err(source) if may_pass(&source) => {
                return Err(IndexError::Database { what: "open", path: path.to_owned(), source });
            }
            Err(_) => {}
        }
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            disk.remove(Path::new(&name))?;
        }
        let append_file = AppendFile::begin(disk, &xml_path)?;
        let opened = Self::usable(path, 0).map_err(|source| IndexError::Database {
            what: "make",
            path: path.to_owned(),
            source,
        })?;
        Ok(Self::with(path, opened, append_file))
    }

    fn with(path: &Path, (db, contents, made): Opened, append_file: AppendFile) -> Self {
        Self { path: path.to_owned(), db, append_file, contents, puts: 0, made }
    }

    fn usable(path: &Path, end: u64) -> rusqlite::Result<Opened> {
        let db = Connection::open(path)?;
        db.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA trusted_schema=OFF;")?;
        let format: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
        if tables == 0 {
            db.execute_batch(
                "CREATE TABLE chunk(
                     sha256 BLOB PRIMARY KEY, pkgid TEXT NOT NULL, size INTEGER NOT NULL, file_time INTEGER NOT NULL,
                     place INTEGER NOT NULL, primary_length INTEGER NOT NULL, filelists_length INTEGER NOT NULL,
                     other_length INTEGER NOT NULL, primary_key BLOB NOT NULL, filelists_key BLOB NOT NULL,
                     other_key BLOB NOT NULL) STRICT;
                 CREATE TABLE showing(tree TEXT PRIMARY KEY, repomd BLOB NOT NULL, packages BLOB NOT NULL) STRICT;",
            )?;
            db.pragma_update(None, "user_version", CHUNK_FORMAT)?;
        } else if format != CHUNK_FORMAT {
            return Err(rusqlite::Error::InvalidQuery);
        }
        db.execute_batch(
            "CREATE TABLE IF NOT EXISTS made(sha256 BLOB NOT NULL, inode INTEGER NOT NULL, PRIMARY KEY(sha256, inode))
                 STRICT, WITHOUT ROWID",
        )?;
        let verdict: String = db.pragma_query_value(None, "quick_check", |row| row.get(0))?;
        if verdict != "ok" {
            return Err(rusqlite::Error::InvalidQuery);
        }
        let contents = Self::contents(&db, end)?;
        let made = db
            .prepare("SELECT sha256, inode FROM made")?
            .query_map([], |row| Ok((Sha256(row.get(0)?), row.get::<_, i64>(1)?.cast_unsigned())))?
            .collect::<rusqlite::Result<_>>()?;
        Ok((db, contents, made))
    }

    fn contents(db: &Connection, end: u64) -> rusqlite::Result<Contents> {
        let number: u32 = db.query_row("SELECT count(*) FROM chunk", [], |row| row.get(0))?;
        let mut contents = Contents::with_capacity(number as usize);
        let mut all = db.prepare(
            "SELECT sha256, size, file_time, place, primary_length, filelists_length, other_length,
                    primary_key, filelists_key, other_key FROM chunk",
        )?;
        let number = |row: &rusqlite::Row<'_>, column| row.get::<_, i64>(column).map(i64::unsigned_abs);
        let length = |row: &rusqlite::Row<'_>, column| row.get::<_, u32>(column);
        let key = |row: &rusqlite::Row<'_>, column| row.get::<_, [u8; 32]>(column).map(Key);
        let rows = all.query_map([], |row| {
            let place = Place {
                at: number(row, 3)?,
                lengths: [length(row, 4)?, length(row, 5)?, length(row, 6)?],
                keys: [key(row, 7)?, key(row, 8)?, key(row, 9)?],
            };
            Ok((Sha256(row.get(0)?), Known { size: number(row, 1)?, file_time: number(row, 2)?, place }))
        })?;
        for row in rows {
            let (sha256, known) = row?;
            // A power cut may have kept the row and lost the XML.
            if known.place.end() <= end {
                contents.insert(sha256, known);
            }
        }
        Ok(contents)
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(rusqlite::Error) -> IndexError + '_ {
        move |source| IndexError::Database { what, path: self.path.clone(), source }
    }

    /// Whether there is XML for a package.
    pub fn has(&self, entry: &Entry) -> bool {
        self.contents.contains_key(&id_of(entry))
    }

    /// Size and modification time of the file when the package was taken in.
    pub fn facts(&self, entry: &Entry) -> Option<(u64, u64)> {
        self.contents.get(&id_of(entry)).map(|known| (known.size, known.file_time))
    }

    /// Stores a package's XML.
    ///
    /// # Errors
    /// The disk or SQLite failed.
    pub fn put(&mut self, disk: &dyn Disk, chunk: &Chunk) -> Result<(), IndexError> {
        let place = Place::write(disk, &self.append_file, &chunk.xml)?
            .ok_or_else(|| IndexError::TooLong { path: self.append_file.path().to_owned(), sha256: chunk.sha256 })?;
        let id = id(chunk.sha256, chunk.place.as_deref());
        let clamp = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let [primary, filelists, other] = place.lengths;
        let keys = place.keys.each_ref().map(|key| &key.0[..]);
        let mut insert = self
            .db
            .prepare_cached("INSERT OR REPLACE INTO chunk VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")
            .map_err(self.failed("write to"))?;
        insert
            .execute(params![
                &id.0[..],
                chunk.pkgid,
                clamp(chunk.size),
                clamp(chunk.file_time),
                clamp(place.at),
                primary,
                filelists,
                other,
                keys[0],
                keys[1],
                keys[2]
            ])
            .map_err(self.failed("write to"))?;
        drop(insert);
        let known = Known { size: chunk.size, file_time: chunk.file_time, place };
        self.contents.insert(id, known);
        self.puts += 1;
        Ok(())
    }

    /// Records an inode that we created for a package's bytes.
    ///
    /// # Errors
    /// SQLite failed.
    pub fn has_made(&mut self, sha256: Sha256, inode: u64) -> Result<(), IndexError> {
        if self.made.insert((sha256, inode)) {
            let insert = self.db.prepare_cached("INSERT OR IGNORE INTO made VALUES(?1, ?2)");
            let row = params![&sha256.0[..], inode.cast_signed()];
            insert.and_then(|mut insert| insert.execute(row)).map_err(self.failed("write to"))?;
        }
        Ok(())
    }

    /// Whether we created this inode for these bytes.
    pub fn made(&self, sha256: Sha256, inode: u64) -> bool {
        self.made.contains(&(sha256, inode))
    }

    /// Records which `repomd.xml` a tree is about to show for which packages.
    ///
    /// # Errors
    /// SQLite failed.
    pub fn will_show(&self, tree: &TreeName, repomd: Sha256, listing: &Listing) -> Result<(), IndexError> {
        let row = params![tree.as_str(), &repomd.0[..], &packages(listing)[..]];
        let insert = "INSERT OR REPLACE INTO showing VALUES(?1, ?2, ?3)";
        self.db.execute(insert, row).map(drop).map_err(self.failed("write to"))
    }

    /// The `repomd.xml` that a tree was last about to show.
    pub fn showing(&self, tree: &TreeName) -> Option<Sha256> {
        let find = "SELECT repomd FROM showing WHERE tree = ?1";
        self.db.query_row(find, [tree.as_str()], |row| row.get(0).map(Sha256)).ok()
    }

    /// Whether this is the `repomd.xml` that a tree was last about to show for these packages.
    pub fn would_show(&self, tree: &TreeName, repomd: Sha256, listing: &Listing) -> bool {
        let find = "SELECT repomd, packages FROM showing WHERE tree = ?1";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, [u8; 32]>(1)?));
        let last = self.db.query_row(find, [tree.as_str()], row);
        last.is_ok_and(|last| last == (repomd.0, packages(listing)))
    }

    /// Forgets a package's XML because it is damaged.
    pub fn forget(&mut self, entry: &Entry) {
        self.contents.remove(&id_of(entry));
    }

    /// The packages of a listing with their XML, in the order of the metadata.
    ///
    /// # Errors
    /// If one of them has none.
    pub fn ordered<'a>(&'a self, listing: &'a Listing) -> Result<Ordered<'a>, IndexError> {
        let packages = listing.iter().map(|(nevra, entry)| match self.contents.get(&id_of(entry)) {
            Some(known) => Ok((nevra, &known.place)),
            None => Err(IndexError::Missing { path: self.path.clone(), nevra: Box::new(nevra.clone()) }),
        });
        Ok(Ordered { append_file: &self.append_file, packages: packages.collect::<Result<_, _>>()? })
    }

    /// How many times XML was added since the index was opened: what was shown before may have been made from other
    /// XML.
    pub fn puts(&self) -> u64 {
        self.puts
    }
}

/// The key of a package's row: the SHA-256 of its bytes, combined with its path unless the daemon chose that.
fn id(sha256: Sha256, place: Option<&str>) -> Sha256 {
    place.map_or(sha256, |place| Sha256(Key::of(&[&sha256.0, place.as_bytes()].concat()).0))
}

/// The same for an entry of a listing.
fn id_of(entry: &Entry) -> Sha256 {
    id(entry.sha256, entry.place.as_deref())
}

/// A listing as a single hash.
fn packages(listing: &Listing) -> [u8; 32] {
    let mut all = Vec::with_capacity(listing.len() * 32);
    listing.iter().for_each(|(_, entry)| all.extend_from_slice(&id_of(entry).0));
    Key::of(&all).0
}

/// The packages of a tree, in the order of the metadata.
#[derive(Debug)]
pub struct Ordered<'a> {
    append_file: &'a AppendFile,
    packages: Vec<(&'a Nevra, &'a Place)>,
}

impl Ordered<'_> {
    fn at(&self, at: usize) -> (&Nevra, &Place) {
        // `at` comes from cutting this very list.
        self.packages[at]
    }
}

impl Source for Ordered<'_> {
    fn packages(&self) -> usize {
        self.packages.len()
    }

    fn piece(&self, part: Part, at: usize) -> Piece {
        self.at(at).1.piece(part)
    }

    fn append(&self, part: Part, at: usize, out: &mut Vec<u8>) -> Result<(), IndexError> {
        let (nevra, place) = self.at(at);
        if place.read(self.append_file, part, out) {
            return Ok(());
        }
        Err(IndexError::Missing { path: self.append_file.path().to_owned(), nevra: Box::new(nevra.clone()) })
    }
}

/// Packages whose XML is in memory, for files without an index.
#[derive(Clone, Debug, Default)]
pub struct InMemory {
    /// For each file, in the order of [`Part::ALL`], the XML of all packages.
    pub xml: [Vec<Vec<u8>>; 3],
}

impl Source for InMemory {
    fn packages(&self) -> usize {
        Part::Primary.of(&self.xml).len()
    }

    fn piece(&self, part: Part, at: usize) -> Piece {
        let xml = part.of(&self.xml).get(at).map(Vec::as_slice).unwrap_or_default();
        Piece { key: Key::of(xml), len: xml.len() }
    }

    fn append(&self, part: Part, at: usize, out: &mut Vec<u8>) -> Result<(), IndexError> {
        out.extend_from_slice(part.of(&self.xml).get(at).map(Vec::as_slice).unwrap_or_default());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::disk::Kernel;
    use super::*;

    fn chunk() -> Chunk {
        Chunk {
            sha256: Sha256([1; 32]),
            place: None,
            pkgid: "01".repeat(32),
            size: 7,
            file_time: 9,
            xml: [b"<p/>".to_vec(), b"<f/>".to_vec(), b"<o/>".to_vec()],
        }
    }

    fn listing(packages: &[(&str, u8)]) -> Listing {
        packages.iter().map(|(nevra, byte)| (nevra.parse().expect("a nevra"), Sha256([*byte; 32]))).collect()
    }

    /// The index, and a listing of one package.
    fn opened(path: &Path) -> (Index, Listing) {
        (Index::open(&Kernel::default(), path).expect("there"), listing(&[("a-1-1.noarch", 1)]))
    }

    #[test]
    fn an_index_that_cannot_be_opened_now_is_not_thrown_away() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("i.sqlite");
        Index::open(&Kernel::default(), &path).expect("new").put(&Kernel::default(), &chunk()).expect("kept");
        let other = Connection::open(&path).expect("there");
        other.execute_batch("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE").expect("held");
        assert!(matches!(Index::open(&Kernel::default(), &path), Err(IndexError::Database { what: "open", .. })));
        drop(other);
        assert!(opened(&path).0.has(&Entry::of(Sha256([1; 32]))));
    }

    fn filelists(index: &Index, listing: &Listing) -> Result<Vec<u8>, IndexError> {
        let mut out = Vec::new();
        index.ordered(listing)?.append(Part::Filelists, 0, &mut out).map(|()| out)
    }

    #[test]
    fn xml_is_found_again_after_a_restart() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("i.sqlite");
        Index::open(&Kernel::default(), &path).expect("new").put(&Kernel::default(), &chunk()).expect("kept");
        let (mut index, one) = opened(&path);
        assert_eq!(filelists(&index, &one).expect("there"), b"<f/>");
        let piece = index.ordered(&one).expect("there").piece(Part::Other, 0);
        assert_eq!(piece, Piece { key: Key::of(b"<o/>"), len: 4 });
        assert_eq!(index.facts(&Entry::of(Sha256([1; 32]))), Some((7, 9)));
        assert!(!index.has(&Entry::of(Sha256([2; 32]))));
        index.has_made(Sha256([1; 32]), u64::MAX).expect("kept");
        drop(index);
        let (index, _) = opened(&path);
        assert!(index.made(Sha256([1; 32]), u64::MAX) && !index.made(Sha256([2; 32]), u64::MAX));
        assert!(!index.made(Sha256([1; 32]), 1));
        let two = listing(&[("a-1-1.noarch", 1), ("b-1-1.noarch", 2)]);
        assert!(matches!(index.ordered(&two), Err(IndexError::Missing { .. })));
    }

    #[test]
    fn xml_that_was_changed_or_cut_off_is_missing() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("i.sqlite");
        Index::open(&Kernel::default(), &path).expect("new").put(&Kernel::default(), &chunk()).expect("kept");
        let put = |bytes: &[u8]| {
            use super::super::disk::{Access, put};
            put(&Kernel::default(), &path.with_extension("xml"), bytes, Access::Owner).expect("written");
        };
        put(b"<p/><g/><o/>");
        let (index, one) = opened(&path);
        assert!(matches!(filelists(&index, &one), Err(IndexError::Missing { .. })), "changed");
        put(b"<p/><f/>");
        let (index, _) = opened(&path);
        assert!(!index.has(&Entry::of(Sha256([1; 32]))), "cut off");
    }

    #[test]
    fn which_metadata_a_tree_was_about_to_show_is_known_with_its_packages() {
        let dir = tempfile::tempdir().expect("a directory");
        let (index, one) = opened(&dir.path().join("i.sqlite"));
        let (tree, repomd): (TreeName, _) = ("untested".parse().expect("a name"), Sha256([7; 32]));
        assert_eq!((index.showing(&tree), index.would_show(&tree, repomd, &one)), (None, false));
        index.will_show(&tree, repomd, &one).expect("kept");
        assert_eq!(index.showing(&tree), Some(repomd));
        assert!(index.would_show(&tree, repomd, &one));
        assert!(!index.would_show(&tree, repomd, &listing(&[("a-1-1.noarch", 2)])), "other bytes");
        assert!(!index.would_show(&tree, Sha256([8; 32]), &one), "other metadata");
    }

    #[test]
    fn a_torn_index_is_thrown_away_and_made_anew() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("i.sqlite");
        Index::open(&Kernel::default(), &path).expect("new").put(&Kernel::default(), &chunk()).expect("kept");
        let mut bytes = std::fs::read(&path).expect("read");
        bytes.truncate(100);
        bytes.extend([0x55; 5000]);
        super::super::disk::put(&Kernel::default(), &path, &bytes, super::super::disk::Access::Owner).expect("torn");
        let index = Index::open(&Kernel::default(), &path).expect("made anew");
        assert!(!index.has(&Entry::of(Sha256([1; 32]))));
    }
}
