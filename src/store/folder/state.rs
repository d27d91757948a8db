//! What is known about a directory's files: an SQLite database that can be removed at any time.
//!
//! A file's row has the file's state, the place of its XML, and the keys of that XML. The other tables record what was
//! last published, and since when which metadata files have been out of use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::FolderError;
use super::walk::Stamp;
use crate::domain::checksum::Sha256;
use crate::store::blocks::{Form, Key};
use crate::store::disk::Disk;
use crate::store::index::Place;

/// Incremented whenever the tables or the XML of the same package change.
const FORMAT: i64 = 3;

/// What is known of each file.
pub(super) type Files = BTreeMap<String, (Stamp, Place)>;

/// What was last published: in which form, of which listing, and the resulting `repomd.xml`.
pub(super) struct Shown {
    pub(super) form: Form,
    pub(super) listing: [u8; 32],
    pub(super) repomd: Sha256,
}

/// The database of one directory.
#[derive(Debug)]
pub(super) struct State {
    path: PathBuf,
    db: Connection,
}

impl State {
    /// Opens the database, or creates it if there is none; it is an error if it is torn or of other terms. Rows whose
    /// XML would be beyond `end` are left out.
    pub(super) fn open(path: &Path, terms: &str, end: u64) -> rusqlite::Result<(Self, Files)> {
        let db = Connection::open(path)?;
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
        // A read-only database is of no use.
        db.pragma_update(None, "user_version", format)?;
        let known: String = db.query_row("SELECT name FROM terms", [], |row| row.get(0))?;
        let verdict: String = db.pragma_query_value(None, "quick_check", |row| row.get(0))?;
        if format != FORMAT || known != terms || verdict != "ok" {
            return Err(rusqlite::Error::InvalidQuery);
        }
        let files = read_files(&db, end)?;
        Ok((Self { path: path.to_owned(), db }, files))
    }

    /// Removes the database, whatever it is, and creates an empty one.
    pub(super) fn begin(disk: &dyn Disk, path: &Path, terms: &str) -> Result<(Self, Files), FolderError> {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let mut file = path.as_os_str().to_owned();
            file.push(suffix);
            disk.remove(Path::new(&file))?;
        }
        Self::open(path, terms, 0).map_err(|source| FolderError::Database {
            what: "make",
            path: path.to_owned(),
            source,
        })
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(rusqlite::Error) -> FolderError + '_ {
        move |source| FolderError::Database { what, path: self.path.clone(), source }
    }

    /// Stores files that were read and removes those that are gone.
    pub(super) fn keep(&mut self, read: &[(String, Stamp, Place)], gone: &[String]) -> Result<(), FolderError> {
        let path = self.path.clone();
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
            for (path, Stamp(stamp), place) in read {
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
        work.commit().map_err(fail)
    }

    /// Since when each superseded file has been out of use.
    pub(super) fn superseded(&self) -> Result<BTreeMap<String, i64>, FolderError> {
        let read = || {
            let mut all = self.db.prepare("SELECT name, since FROM superseded")?;
            let rows = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<_>>()
        };
        read().map_err(self.failed("read"))
    }

    /// Records that a file is out of use from now on.
    pub(super) fn supersede(&self, name: &str, now: Timestamp) -> Result<(), FolderError> {
        let insert = "INSERT INTO superseded VALUES(?1, ?2)";
        self.db.execute(insert, params![name, now.as_second()]).map(drop).map_err(self.failed("write to"))
    }

    /// Records that a file is in use again, or is gone.
    pub(super) fn forget_superseded(&self, name: &str) -> Result<(), FolderError> {
        let done = self.db.execute("DELETE FROM superseded WHERE name = ?1", [name]);
        done.map(drop).map_err(self.failed("write to"))
    }

    /// What was last published, if known.
    pub(super) fn shown(&self) -> Option<Shown> {
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?));
        let (form, listing, repomd) =
            self.db.query_row("SELECT form, listing, repomd FROM shown", [], row).optional().ok()??;
        Some(Shown { form: Form::from_words(&form)?, listing, repomd: Sha256(repomd) })
    }

    /// Records what was published.
    pub(super) fn set_shown(&self, shown: &Shown) -> Result<(), FolderError> {
        self.forget_shown()?;
        let row = params![shown.form.words(), shown.listing, &shown.repomd.0[..]];
        self.db.execute("INSERT INTO shown VALUES(?1, ?2, ?3)", row).map(drop).map_err(self.failed("write to"))
    }

    /// Records that what was published is out of date.
    pub(super) fn forget_shown(&self) -> Result<(), FolderError> {
        self.db.execute("DELETE FROM shown", []).map(drop).map_err(self.failed("write to"))
    }
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
    let mut files = Files::new();
    for row in rows {
        let (path, known): (String, _) = row?;
        // A changed byte may have put a row where no search finds it, and then it could never be removed.
        if files.last_key_value().is_some_and(|(last, _)| *last >= path) {
            return Err(rusqlite::Error::InvalidQuery);
        }
        files.insert(path, known);
    }
    files.retain(|_, (_, place)| place.end() <= end);
    Ok(files)
}
