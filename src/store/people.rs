//! The register of people: the identities behind the ids in the logbook.
//!
//! One SQLite file, `<state>/people.sqlite`, beside the logbook and not part of its chain:
//!
//! ```text
//! person(id TEXT PRIMARY KEY, identity TEXT UNIQUE, seen TEXT)     no identity: this person was erased
//! ```
//!
//! - Before an entry is appended, whoever caused it is looked up here, or added. So every id in the logbook is on disk
//!   here first, and a crash between the two leaves a row that no entry names.
//! - Somebody whom the logbook says was erased loses the identity here: immediately, and again at each start. So a
//!   crash between the entry and the erasure is repaired, and an old copy of this file brings nobody back. If they come
//!   again, they get a new id.
//! - Readers have all of it in memory ([`People`]), so nobody waits for this file.
//!
//! # What was erased is gone
//!
//! The logbook only grows, and has a write-ahead log. Such a log would keep an erased name until its next checkpoint,
//! which any reader can delay. So this file has none: a transaction changes the file itself (`journal_mode=DELETE`, and
//! `synchronous=EXTRA`, without which a power cut could undo a committed one). `secure_delete` overwrites what is
//! deleted, and `VACUUM` then rewrites every page, since a page that was once split may have kept old bytes. What is
//! left in free blocks of the file system, in snapshots and in backups is beyond our reach; SECURITY.md says so.
//!
//! # When it is lost or damaged
//!
//! The chain does not depend on this file. Without it, ids are shown as unknown people, and everybody gets a new one. A
//! damaged file is refused with a remedy, so that it is not overwritten.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::rand;
use jiff::Timestamp;
use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};

use super::disk::{self, Access, Disk, DiskError};
use super::foothold::{Change, Foothold};
use super::logbook::DatabaseError;
use crate::domain::names::Actor;
use crate::domain::people::{People, Person, PersonId, reserved};

/// Its name in the state directory.
pub const FILE: &str = "people.sqlite";

/// SQLite's file beside it during a transaction, and after a crash in one.
pub const JOURNAL: &str = "people.sqlite-journal";

/// Incremented with every change of the table.
const FORMAT: i64 = 1;

/// How long a writer waits for a reader, or the reverse. Reading takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why the register cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// The database failed.
    #[error("could not {what} the register of people {}", path.display())]
    Database {
        /// What was attempted, as a verb.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: DatabaseError,
    },
    /// It could not be created.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The file is not a valid register.
    #[error(
        "the register of people {} is damaged: {why}. Stop the daemon, move the file away, and put that of a backup in its \
         place (`rolloutd restore --files`). Without a backup, start without it: the logbook needs nothing of it, but \
         everybody it named is then shown as unknown", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file is not the one that is open.
    #[error(
        "the register of people {} {why} while the daemon runs, so nothing is recorded and nothing is decided. Put the same \
         file back; or restart the daemon: it goes on with the file that is there, or with a new one, and whoever is not \
         in it is shown as unknown", path.display()
    )]
    Misplaced {
        /// The file.
        path: PathBuf,
        /// What happened to it.
        why: &'static str,
    },
    /// It cannot be looked at.
    #[error("could not look at {}: {source}", path.display())]
    Unseen {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The operating system provides no random numbers.
    #[error("the operating system gave no random numbers for the id of a person")]
    NoRandom,
    /// Written by a newer program.
    #[error("the register of people {} has format {found}; this program knows {FORMAT} and refuses to use it", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
    },
}

impl PeopleError {
    fn database(what: &'static str, path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        move |source| match source.sqlite_error_code() {
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => {
                Self::Damaged { path: path.to_owned(), why: source.to_string() }
            }
            _ => Self::Database { what, path: path.to_owned(), source: DatabaseError(source) },
        }
    }

    /// Whether it may pass without a restart.
    pub fn may_pass(&self) -> bool {
        !matches!(self, Self::Damaged { .. } | Self::Newer { .. })
    }

    /// The error and its cause in one line.
    pub fn sentence(&self) -> String {
        match self {
            Self::Database { path, source, .. } => {
                let remedy = disk::remedy_of_owner(path).map(|remedy| format!(". {remedy}")).unwrap_or_default();
                format!("{self}: {source}{remedy}")
            }
            Self::Disk(error) => error.sentence(),
            _ => self.to_string(),
        }
    }
}

/// The register, for its only writer.
#[derive(Debug)]
pub struct Register {
    path: PathBuf,
    db: Connection,
    people: People,
    file: Foothold,
    /// Who was erased and may still be in the file, and since when.
    due: BTreeMap<PersonId, Timestamp>,
    /// Whether pages may hold bytes of somebody who was erased.
    to_sweep: bool,
}

impl Register {
    /// Opens the register of a state directory, and creates it if it is missing.
    ///
    /// # Errors
    /// If the file cannot be used.
    pub fn open(disk: &dyn Disk, state: &Path) -> Result<Self, PeopleError> {
        let path = state.join(FILE);
        let unseen = |source| PeopleError::Unseen { path: path.clone(), source };
        if !path.try_exists().map_err(unseen)? {
            // Names are private; SQLite would let everybody read them.
            disk::put(disk, &path, b"", Access::Owner)?;
        }
        let fail = |what| PeopleError::database(what, &path);
        let db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(fail("open"))?;
        db.busy_timeout(PATIENCE).map_err(fail("open"))?;
        let found = known_format(&db, &path)?;
        db.execute_batch(
            "PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA; PRAGMA secure_delete=ON; PRAGMA temp_store=MEMORY;
             PRAGMA trusted_schema=OFF;
             CREATE TABLE IF NOT EXISTS person(
                 id TEXT PRIMARY KEY, identity TEXT UNIQUE, seen TEXT NOT NULL) STRICT, WITHOUT ROWID;",
        )
        .map_err(fail("prepare"))?;
        if found == 0 {
            db.pragma_update(None, "user_version", FORMAT).map_err(fail("prepare"))?;
        }
        let people = read_all(&db, &path)?;
        let file = Foothold::shared(path.clone()).map_err(unseen)?;
        let to_sweep = !people.erased().is_empty();
        Ok(Self { people, file, due: BTreeMap::new(), to_sweep, db, path })
    }

    /// The people in it.
    pub fn people(&self) -> &People {
        &self.people
    }

    /// What the logbook records for somebody: their id, which is new if they were never seen. Anything that is not a
    /// person, or is an id already, stays as it is.
    ///
    /// # Errors
    /// Nothing has changed, and the entry must not be written.
    pub fn written(&mut self, who: &Actor, now: Timestamp) -> Result<Actor, PeopleError> {
        if reserved(who.as_str()).is_some() {
            return Ok(who.clone());
        }
        let id = match self.people.id_of(who) {
            Some(id) => id,
            None => self.add(who, now)?,
        };
        Ok(Actor::recorded(&id.to_string()))
    }

    fn add(&mut self, who: &Actor, now: Timestamp) -> Result<PersonId, PeopleError> {
        self.in_place()?;
        // Somebody who was erased may still be in the file, and this person must not get that id.
        self.agree([])?;
        let mut digits = [0; 8];
        let new = loop {
            rand::fill(&mut digits).map_err(|_| PeopleError::NoRandom)?;
            let id = PersonId::new(u64::from_be_bytes(digits));
            if self.people.get(id).is_none() {
                break id;
            }
        };
        // A write that failed at its very end may have reached the file; then the id in the file is theirs.
        let write = || {
            self.db.execute(
                "INSERT INTO person(id, identity, seen) VALUES(?1, ?2, ?3) ON CONFLICT(identity) DO NOTHING",
                params![new.to_string(), who.as_str(), now.to_string()],
            )?;
            self.db.query_row("SELECT id FROM person WHERE identity = ?1", [who.as_str()], |row| row.get(0))
        };
        let id: String = write().map_err(PeopleError::database("write to", &self.path))?;
        let id = PersonId::read(&id).unwrap_or(new);
        self.people.put(id, Person { identity: Some(who.clone()), seen: now });
        Ok(id)
    }

    /// Removes the identity of everybody who was erased according to the logbook: immediately from what readers see,
    /// and from the file as soon as it can be written.
    ///
    /// # Errors
    /// The file may still have it; to be retried.
    pub fn agree(&mut self, erased: impl IntoIterator<Item = (PersonId, Timestamp)>) -> Result<(), PeopleError> {
        for (id, at) in erased {
            match self.people.get(id) {
                Some(Person { identity: None, .. }) => continue,
                Some(_) => self.people.erase(id),
                // Another copy of the register may have it.
                None => self.people.put(id, Person { identity: None, seen: at }),
            }
            self.due.insert(id, at);
        }
        if self.due.is_empty() && !self.to_sweep {
            return Ok(());
        }
        self.in_place()?;
        let fail = PeopleError::database("erase somebody from", &self.path);
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fail)?;
        for (id, at) in &self.due {
            tx.execute(
                "INSERT INTO person(id, identity, seen) VALUES(?1, NULL, ?2)
                 ON CONFLICT(id) DO UPDATE SET identity = NULL",
                params![id.to_string(), at.to_string()],
            )
            .map_err(&fail)?;
        }
        tx.commit().map_err(&fail)?;
        self.to_sweep = true;
        self.due.clear();
        self.db.execute_batch("VACUUM").map_err(&fail)?;
        self.to_sweep = false;
        Ok(())
    }

    /// Whether the file is still the one that is open.
    ///
    /// # Errors
    /// What happened to it.
    pub fn in_place(&self) -> Result<(), PeopleError> {
        let unseen = |source| PeopleError::Unseen { path: self.path.clone(), source };
        let why = match self.file.change().map_err(unseen)? {
            None | Some(Change::Written) => return Ok(()),
            Some(Change::Gone) => "is gone (moved or removed)",
            Some(Change::Another) => "was replaced by another file",
        };
        Err(PeopleError::Misplaced { path: self.path.clone(), why })
    }

    /// Whether somebody could be added now; changes nothing.
    pub fn may_be_written(&mut self) -> bool {
        if self.in_place().is_err() {
            return false;
        }
        let mut write = || {
            let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // It has that value already, but this forces the page to be written.
            tx.pragma_update(None, "user_version", FORMAT)?;
            tx.commit()
        };
        write().is_ok()
    }
}

/// The people in the register of a state directory; nobody if there is none. Nothing is written.
///
/// # Errors
/// If the file cannot be used.
pub fn read(state: &Path) -> Result<People, PeopleError> {
    let path = state.join(FILE);
    match open_to_read(&path)? {
        Some(db) => read_all(&db, &path),
        None => Ok(People::default()),
    }
}

/// Copies the register of a state directory to a new file, whoever writes meanwhile; returns whether there is one.
///
/// # Errors
/// The new file is then incomplete.
pub fn copy(state: &Path, to: &Path) -> Result<bool, PeopleError> {
    let path = state.join(FILE);
    let Some(db) = open_to_read(&path)? else { return Ok(false) };
    read_all(&db, &path)?;
    let copied = || {
        let mut copy = Connection::open(to)?;
        copy.pragma_update(None, "synchronous", "EXTRA")?;
        Backup::new(&db, &mut copy)?.run_to_completion(i32::MAX, Duration::from_millis(20), None)?;
        copy.close().map_err(|(_, error)| error)
    };
    copied().map_err(PeopleError::database("copy", &path))?;
    Ok(true)
}

fn open_to_read(path: &Path) -> Result<Option<Connection>, PeopleError> {
    if !path.try_exists().map_err(|source| PeopleError::Unseen { path: path.to_owned(), source })? {
        return Ok(None);
    }
    let fail = PeopleError::database("open", path);
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(&fail)?;
    db.busy_timeout(PATIENCE).map_err(&fail)?;
    Ok(Some(db))
}

/// The format of an open register: 0 if it is new.
fn known_format(db: &Connection, path: &Path) -> Result<i64, PeopleError> {
    let found = db.pragma_query_value(None, "user_version", |row| row.get(0));
    match found.map_err(PeopleError::database("read", path))? {
        found @ (0 | FORMAT) => Ok(found),
        found => Err(PeopleError::Newer { path: path.to_owned(), found }),
    }
}

/// Everybody in an open register, which is checked for damage.
fn read_all(db: &Connection, path: &Path) -> Result<People, PeopleError> {
    let fail = PeopleError::database("read", path);
    let damaged = |why: String| PeopleError::Damaged { path: path.to_owned(), why };
    if known_format(db, path)? == 0 {
        // It was just created.
        return Ok(People::default());
    }
    let found: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(&fail)?;
    if found != "ok" {
        return Err(damaged(found));
    }
    let mut statement = db.prepare("SELECT id, identity, seen FROM person").map_err(&fail)?;
    let mut rows = statement.query([]).map_err(&fail)?;
    let mut people = People::default();
    while let Some(row) = rows.next().map_err(&fail)? {
        let text = |column| row.get::<_, String>(column).map_err(&fail);
        let (id, seen) = (text(0)?, text(2)?);
        let identity: Option<String> = row.get(1).map_err(&fail)?;
        let read = PersonId::read(&id).zip(seen.parse::<Timestamp>().ok());
        let (id, seen) = read.ok_or_else(|| damaged(format!("a row of it cannot be read: {id}, {seen}")))?;
        people.put(id, Person { identity: identity.map(|identity| Actor::recorded(&identity)), seen });
    }
    Ok(people)
}

#[cfg(test)]
pub(crate) mod forgetful {
    //! A register without a file.

    use super::*;

    pub(crate) fn forgetful() -> Register {
        let path = PathBuf::from("people-that-are-in-no-file");
        let db = Connection::open_in_memory().expect("memory");
        db.execute_batch("CREATE TABLE person(id TEXT PRIMARY KEY, identity TEXT UNIQUE, seen TEXT) STRICT")
            .expect("made");
        let file = Foothold::shared(path.clone()).expect("there is none");
        Register { path, db, people: People::default(), file, due: BTreeMap::new(), to_sweep: false }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use proptest::prelude::*;

    use super::super::disk::Kernel;
    use super::*;

    fn open(state: &Path) -> Register {
        Register::open(&Kernel::default(), state).expect("a register")
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn actor(name: &str) -> Actor {
        Actor::recorded(name)
    }

    fn id_of(register: &mut Register, name: &str) -> PersonId {
        PersonId::read(register.written(&actor(name), at(7)).expect("written").as_str()).expect("an id")
    }

    /// Everything in the state directory: the register and SQLite's files beside it.
    fn bytes(state: &Path) -> Vec<u8> {
        let files = std::fs::read_dir(state).expect("there").map(|entry| entry.expect("there").path());
        files.flat_map(|path| std::fs::read(path).expect("read")).collect()
    }

    fn has(bytes: &[u8], name: &str) -> bool {
        bytes.windows(name.len()).any(|piece| piece == name.as_bytes())
    }

    #[test]
    fn somebody_has_one_id_for_ever_and_what_is_no_person_has_none() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut register = open(dir.path());
        let (jane, other) = (id_of(&mut register, "rt:jane"), id_of(&mut register, "jane"));
        assert!(jane != other && id_of(&mut register, "rt:jane") == jane);
        for name in ["rolloutd", "anonymous", &jane.to_string()] {
            assert_eq!(register.written(&actor(name), at(8)).expect("it is none"), actor(name));
        }
        drop(register);
        let mut register = open(dir.path());
        assert_eq!((id_of(&mut register, "rt:jane"), register.people().len()), (jane, 2));
        let known = Person { identity: Some(actor("rt:jane")), seen: at(7) };
        assert_eq!(register.people().get(jane), Some(&known));
        assert_eq!(read(dir.path()).expect("read"), *register.people());
        let mode = std::fs::metadata(dir.path().join(FILE)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn who_was_erased_is_gone_from_the_file_and_comes_again_as_somebody_new() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut register = open(dir.path());
        let (jane, john) = (id_of(&mut register, "rt:jane"), id_of(&mut register, "rt:john"));
        register.agree([(jane, at(9))]).expect("erased");
        let left = bytes(dir.path());
        assert!(!has(&left, "jane") && has(&left, "rt:john"));
        assert_eq!(register.people().shown(&jane.to_string()), format!("an erased person ({jane})"));
        let again = id_of(&mut register, "rt:jane");
        assert!(again != jane && again != john);
        register.agree([(jane, at(9))]).expect("nothing to do");
        assert_eq!(register.people().id_of(&actor("rt:jane")), Some(again), "only who was erased is");
    }

    /// The crash between the entry and the erasure, and an old copy of the register.
    #[test]
    fn who_is_in_the_file_although_the_logbook_says_erased_is_erased_at_the_next_start() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut register = open(dir.path());
        let jane = id_of(&mut register, "rt:jane");
        drop(register);
        let mut register = open(dir.path());
        assert!(has(&bytes(dir.path()), "jane"));
        let unknown = PersonId::new(5);
        register.agree([(jane, at(9)), (unknown, at(10))]).expect("erased");
        assert!(!has(&bytes(dir.path()), "jane"));
        drop(register);
        let people = read(dir.path()).expect("read");
        assert_eq!(people.get(jane), Some(&Person { identity: None, seen: at(7) }));
        assert_eq!(people.get(unknown), Some(&Person { identity: None, seen: at(10) }), "a copy may know them");
    }

    #[test]
    fn what_could_not_be_written_has_changed_nothing_and_is_tried_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut register = open(dir.path());
        let jane = id_of(&mut register, "rt:jane");
        let aside = dir.path().join("aside");
        let path = dir.path().join(FILE);
        Kernel::default().rename(&path, &aside).expect("moved");
        assert!(!register.may_be_written());
        let refused = register.written(&actor("rt:john"), at(8)).expect_err("it is gone");
        assert!(refused.may_pass() && refused.sentence().contains("people.sqlite is gone"), "{refused}");
        assert_eq!((register.people().len(), path.exists()), (1, false));
        register.agree([(jane, at(9))]).expect_err("it is gone");
        assert!(register.people().shown(&jane.to_string()).contains("erased"), "readers see it at once");
        Kernel::default().rename(&aside, &path).expect("moved back");
        assert!(register.may_be_written());
        register.agree([(jane, at(9))]).expect("erased");
        assert!(!has(&bytes(dir.path()), "jane"));
        id_of(&mut register, "rt:john");
    }

    #[test]
    fn who_comes_again_before_the_erasure_has_reached_the_file_is_somebody_new_all_the_same() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut register = open(dir.path());
        let jane = id_of(&mut register, "rt:jane");
        register.db.busy_timeout(Duration::ZERO).expect("set");
        let reader = Connection::open(dir.path().join(FILE)).expect("open");
        reader.execute_batch("BEGIN; SELECT * FROM person").expect("it reads");
        register.agree([(jane, at(9))]).expect_err("somebody reads");
        register.written(&actor("rt:jane"), at(10)).expect_err("somebody reads");
        drop(reader);
        assert!(id_of(&mut register, "rt:jane") != jane);
        assert_eq!(read(dir.path()).expect("read"), *register.people());
    }

    #[test]
    fn a_write_that_is_said_to_have_failed_and_has_not_gave_them_their_id() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut register = open(dir.path());
        let id = PersonId::new(7);
        let row = params![id.to_string(), "rt:jane", at(7).to_string()];
        let sql = "INSERT INTO person(id, identity, seen) VALUES(?1, ?2, ?3)";
        Connection::open(dir.path().join(FILE)).expect("open").execute(sql, row).expect("written");
        assert_eq!(id_of(&mut register, "rt:jane"), id);
        assert_eq!(read(dir.path()).expect("read"), *register.people());
    }

    #[test]
    fn a_full_disk_passes() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut register = open(dir.path());
        register.db.pragma_update(None, "max_page_count", 4).expect("set");
        let long = |n: usize| format!("rt:{n:0100}");
        let full = (0..200).find_map(|n| Some((n, register.written(&actor(&long(n)), at(7)).err()?)));
        let (number, error) = full.expect("it gets full");
        assert!(error.may_pass() && error.sentence().contains("full"), "{}", error.sentence());
        assert_eq!(register.people().len(), number);
        register.db.pragma_update(None, "max_page_count", 1_000).expect("set");
        id_of(&mut register, &long(number));
        assert_eq!(read(dir.path()).expect("whole"), *register.people());
    }

    /// SQLite detects most damage by its structure; what it does not detect are changed names, and no chain reveals
    /// them.
    #[test]
    fn a_damaged_register_is_refused_with_a_remedy_and_left_as_it_is() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut register = open(dir.path());
        for n in 0..100 {
            id_of(&mut register, &format!("rt:{n:080}"));
        }
        drop(register);
        let path = dir.path().join(FILE);
        let whole = std::fs::read(&path).expect("read");
        let overwritten = |from: usize| {
            let mut bytes = whole.clone();
            bytes[from..from + 2_000].fill(0x55);
            bytes
        };
        for bytes in [b"no database, but some text of an admin".repeat(40), whole[..5_000].to_vec(), overwritten(4_096)]
        {
            disk::put(&Kernel::default(), &path, &bytes, Access::Owner).expect("written");
            for error in [
                Register::open(&Kernel::default(), dir.path()).expect_err("damaged"),
                read(dir.path()).expect_err("damaged"),
                copy(dir.path(), &dir.path().join("copy")).expect_err("damaged"),
            ] {
                let words = error.sentence();
                assert!(matches!(error, PeopleError::Damaged { .. }) && !error.may_pass(), "{words}");
                assert!(words.contains("rolloutd restore --files"), "{words}");
            }
            assert!(std::fs::read(&path).expect("read") == bytes, "it is left as it is");
        }
    }

    #[test]
    fn a_register_of_a_newer_program_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        open(dir.path()).db.pragma_update(None, "user_version", 99).expect("set");
        let refused = Register::open(&Kernel::default(), dir.path()).expect_err("newer");
        assert!(matches!(refused, PeopleError::Newer { found: 99, .. }), "{refused}");
    }

    #[test]
    fn a_copy_has_everybody_and_a_missing_register_has_none() {
        let (dir, other) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
        let to = other.path().join(FILE);
        assert!(!copy(dir.path(), &to).expect("nothing to copy") && !to.exists());
        assert!(read(dir.path()).expect("nobody").is_empty());
        let mut register = open(dir.path());
        id_of(&mut register, "rt:jane");
        assert!(copy(dir.path(), &to).expect("copied"));
        assert_eq!(read(other.path()).expect("read"), *register.people());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        /// Names of all lengths, so that pages are split, merged and emptied.
        #[test]
        fn nothing_is_left_of_anybody_who_was_erased(
            steps in prop::collection::vec((any::<bool>(), 0..120_usize, 1..118_usize), 1..120)
        ) {
            let dir = tempfile::tempdir().expect("a directory");
            let mut register = open(dir.path());
            register.db.pragma_update(None, "synchronous", "OFF").expect("set");
            let mut gone: Vec<(PersonId, Timestamp)> = Vec::new();
            let mut names = BTreeMap::new();
            for (is_erased, which, length) in steps {
                let known: Vec<PersonId> = names.keys().copied().collect();
                if let Some(id) = known.get(which).filter(|_| is_erased) {
                    gone.push((*id, at(9)));
                    register.agree(gone.iter().copied()).expect("erased");
                } else {
                    let name = format!("<{which}.{}>", "x".repeat(length));
                    names.insert(id_of(&mut register, &name), name);
                }
            }
            let left = bytes(dir.path());
            let alive: Vec<&String> = names.iter().filter(|(id, _)| !gone.iter().any(|(gone, _)| gone == *id)).map(|(_, name)| name).collect();
            for (id, name) in &names {
                let is_gone = gone.iter().any(|(gone, _)| gone == id) && !alive.contains(&name);
                prop_assert_eq!(has(&left, name), !is_gone, "{}", name);
            }
            prop_assert_eq!(&read(dir.path()).expect("whole"), register.people());
        }
    }
}
