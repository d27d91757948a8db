//! What is known of every package of a distribution: identity, ready-made XML, and who lists it.
//!
//! `<state>/index/<distribution>.sqlite`, one table:
//!
//! ```text
//! chunk(sha256 BLOB PRIMARY KEY, pkgid TEXT, size INTEGER, file_time INTEGER,
//!       primary_xml BLOB, filelists_xml BLOB, other_xml BLOB)
//! ```
//!
//! A package's XML is made once, when it is taken in; every tree that lists the package uses it
//! again. The file holds nothing that the trees and the logbook do not hold too: it can be removed at
//! any time, and what is missing is made again from the package itself. So it is written without
//! waiting for the disk (`synchronous=OFF`); a file that a power cut has torn is thrown away.
//!
//! In memory stands only which tree lists which identity, and under which bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::disk::{Disk, DiskError};
use crate::domain::checksum::Sha256;
use crate::domain::names::TreeName;
use crate::domain::nevra::Nevra;

/// Rises whenever the XML of the same package would come out differently, so that old chunks are
/// made again.
const CHUNK_FORMAT: i64 = 1;

/// Which of the three files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `primary.xml`.
    Primary,
    /// `filelists.xml`.
    Filelists,
    /// `other.xml`.
    Other,
}

impl Part {
    /// All three, in the order in which `repomd.xml` names them.
    pub const ALL: [Self; 3] = [Self::Primary, Self::Filelists, Self::Other];

    /// The name of the type in `repomd.xml`, and of the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Filelists => "filelists",
            Self::Other => "other",
        }
    }
}

/// A package's ready-made XML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The package's bytes.
    pub sha256: Sha256,
    /// Its checksum in the distribution's kind.
    pub pkgid: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// Modification time of the file, seconds since the epoch.
    pub file_time: u64,
    /// Its element of each file, in the order of [`Part::ALL`].
    pub xml: [Vec<u8>; 3],
}

/// Why the index cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// SQLite did not do what it was asked.
    #[error("could not {what} the index {}", path.display())]
    Database {
        /// What was tried, a verb.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The disk did not do what it was asked.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A package that a tree should list has no XML.
    #[error("the index {} has no metadata for {nevra}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The package.
        nevra: Box<Nevra>,
    },
}

/// The index of one distribution.
#[derive(Debug)]
pub struct Index {
    path: PathBuf,
    db: Connection,
    identities: BTreeMap<Nevra, Sha256>,
    trees: BTreeMap<TreeName, BTreeMap<Nevra, Sha256>>,
}

impl Index {
    /// Opens the index file, or makes a new one when it is missing, torn or of another format.
    ///
    /// # Errors
    /// When not even a new one can be made.
    pub fn open(disk: &dyn Disk, path: &Path) -> Result<Self, IndexError> {
        let db = if let Ok(db) = Self::usable(path) {
            db
        } else {
            for suffix in ["", "-wal", "-shm", "-journal"] {
                let mut name = path.as_os_str().to_owned();
                name.push(suffix);
                disk.remove(Path::new(&name))?;
            }
            Self::usable(path).map_err(|source| IndexError::Database { what: "make", path: path.to_owned(), source })?
        };
        Ok(Self { path: path.to_owned(), db, identities: BTreeMap::new(), trees: BTreeMap::new() })
    }

    fn usable(path: &Path) -> rusqlite::Result<Connection> {
        let db = Connection::open(path)?;
        db.execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA trusted_schema=OFF;
             CREATE TABLE IF NOT EXISTS chunk(
                 sha256 BLOB PRIMARY KEY, pkgid TEXT NOT NULL, size INTEGER NOT NULL, file_time INTEGER NOT NULL,
                 primary_xml BLOB NOT NULL, filelists_xml BLOB NOT NULL, other_xml BLOB NOT NULL) STRICT;",
        )?;
        let format: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if format != CHUNK_FORMAT {
            db.execute("DELETE FROM chunk", [])?;
            db.pragma_update(None, "user_version", CHUNK_FORMAT)?;
        }
        let verdict: String = db.pragma_query_value(None, "quick_check", |row| row.get(0))?;
        if verdict == "ok" { Ok(db) } else { Err(rusqlite::Error::InvalidQuery) }
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(rusqlite::Error) -> IndexError + '_ {
        move |source| IndexError::Database { what, path: self.path.clone(), source }
    }

    /// Whether there is XML for these bytes.
    ///
    /// # Errors
    /// SQLite failed.
    pub fn has(&self, sha256: Sha256) -> Result<bool, IndexError> {
        let mut find = self.db.prepare_cached("SELECT 1 FROM chunk WHERE sha256 = ?1").map_err(self.failed("read"))?;
        find.exists([&sha256.0[..]]).map_err(self.failed("read"))
    }

    /// Size and file time of the file that these bytes were taken in as.
    ///
    /// # Errors
    /// SQLite failed.
    pub fn facts(&self, sha256: Sha256) -> Result<Option<(u64, u64)>, IndexError> {
        let mut find = self
            .db
            .prepare_cached("SELECT size, file_time FROM chunk WHERE sha256 = ?1")
            .map_err(self.failed("read"))?;
        let row = find
            .query_row([&sha256.0[..]], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
            .optional()
            .map_err(self.failed("read"))?;
        Ok(row.map(|(size, time)| (size.unsigned_abs(), time.unsigned_abs())))
    }

    /// Keeps a package's XML.
    ///
    /// # Errors
    /// SQLite failed.
    pub fn put(&mut self, chunk: &Chunk) -> Result<(), IndexError> {
        let [primary, filelists, other] = &chunk.xml;
        let clamp = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let mut insert = self
            .db
            .prepare_cached("INSERT OR REPLACE INTO chunk VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")
            .map_err(self.failed("write to"))?;
        insert
            .execute(params![
                &chunk.sha256.0[..],
                chunk.pkgid,
                clamp(chunk.size),
                clamp(chunk.file_time),
                primary,
                filelists,
                other
            ])
            .map(drop)
            .map_err(self.failed("write to"))
    }

    /// One part of a package's XML.
    ///
    /// # Errors
    /// SQLite failed, or there is none.
    pub fn xml(&self, nevra: &Nevra, sha256: Sha256, part: Part) -> Result<Vec<u8>, IndexError> {
        let sql = match part {
            Part::Primary => "SELECT primary_xml FROM chunk WHERE sha256 = ?1",
            Part::Filelists => "SELECT filelists_xml FROM chunk WHERE sha256 = ?1",
            Part::Other => "SELECT other_xml FROM chunk WHERE sha256 = ?1",
        };
        let mut find = self.db.prepare_cached(sql).map_err(self.failed("read"))?;
        let found = find.query_row([&sha256.0[..]], |row| row.get(0)).optional().map_err(self.failed("read"))?;
        found.ok_or_else(|| IndexError::Missing { path: self.path.clone(), nevra: Box::new(nevra.clone()) })
    }

    /// The bytes that were accepted under an identity, also when no tree lists them any more.
    pub fn identity(&self, nevra: &Nevra) -> Option<Sha256> {
        self.identities.get(nevra).copied()
    }

    /// Remembers an identity, once for all trees of the distribution.
    pub fn remember(&mut self, nevra: &Nevra, sha256: Sha256) {
        self.identities.insert(nevra.clone(), sha256);
    }

    /// Lets a tree list a package.
    pub fn list(&mut self, tree: &TreeName, nevra: &Nevra, sha256: Sha256) {
        self.remember(nevra, sha256);
        self.trees.entry(tree.clone()).or_default().insert(nevra.clone(), sha256);
    }

    /// Lets a tree list a package no longer.
    pub fn unlist(&mut self, tree: &TreeName, nevra: &Nevra) {
        if let Some(listed) = self.trees.get_mut(tree) {
            listed.remove(nevra);
        }
    }

    /// The packages that a tree lists, in the order of its metadata.
    pub fn listed(&self, tree: &TreeName) -> impl ExactSizeIterator<Item = (&Nevra, Sha256)> {
        static NONE: BTreeMap<Nevra, Sha256> = BTreeMap::new();
        self.trees.get(tree).unwrap_or(&NONE).iter().map(|(nevra, sha256)| (nevra, *sha256))
    }

    /// Whether a tree lists a package.
    pub fn lists(&self, tree: &TreeName, nevra: &Nevra) -> bool {
        self.trees.get(tree).is_some_and(|listed| listed.contains_key(nevra))
    }

    /// The packages, listed now or once, whose file has this name.
    ///
    /// A file name has no epoch, so there may be several.
    pub fn named(&self, file_name: &str) -> Vec<Nevra> {
        let Ok(bare) = file_name.parse::<Nevra>() else { return Vec::new() };
        // All epochs of one name stand together in neither order, so the name's range is searched.
        let first = Nevra::first_of(bare.name());
        let same_name = self.identities.range(first..).take_while(|(nevra, _)| nevra.name() == bare.name());
        let fits = |nevra: &&Nevra| nevra.file_name() == file_name;
        same_name.map(|(nevra, _)| nevra).filter(fits).cloned().collect()
    }

    /// Whether any tree lists a package.
    pub fn listed_anywhere(&self, nevra: &Nevra) -> bool {
        self.trees.values().any(|listed| listed.contains_key(nevra))
    }
}

#[cfg(test)]
mod tests {
    use super::super::disk::Kernel;
    use super::*;

    fn chunk() -> Chunk {
        Chunk {
            sha256: Sha256([1; 32]),
            pkgid: "01".repeat(32),
            size: 7,
            file_time: 9,
            xml: [b"<p/>".to_vec(), b"<f/>".to_vec(), b"<o/>".to_vec()],
        }
    }

    #[test]
    fn xml_is_found_again_after_a_restart() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("i.sqlite");
        Index::open(&Kernel::default(), &path).expect("new").put(&chunk()).expect("kept");
        let index = Index::open(&Kernel::default(), &path).expect("there");
        let nevra = "a-1-1.noarch".parse().expect("a nevra");
        assert_eq!(index.xml(&nevra, Sha256([1; 32]), Part::Filelists).expect("there"), b"<f/>");
        assert_eq!(index.facts(Sha256([1; 32])).expect("read"), Some((7, 9)));
        assert!(!index.has(Sha256([2; 32])).expect("read"));
        assert!(matches!(index.xml(&nevra, Sha256([2; 32]), Part::Other), Err(IndexError::Missing { .. })));
    }

    #[test]
    fn a_torn_index_is_thrown_away_and_made_anew() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("i.sqlite");
        Index::open(&Kernel::default(), &path).expect("new").put(&chunk()).expect("kept");
        let mut bytes = std::fs::read(&path).expect("read");
        bytes.truncate(100);
        bytes.extend([0x55; 5000]);
        super::super::disk::put(&Kernel::default(), &path, &bytes, super::super::disk::Access::Owner).expect("torn");
        let index = Index::open(&Kernel::default(), &path).expect("made anew");
        assert!(!index.has(Sha256([1; 32])).expect("read"));
    }
}
