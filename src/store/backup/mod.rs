//! Backing up a site's state, and restoring it.
//!
//! ```text
//! <backup>/manifest.json         every other file with its size, SHA-256, mode and time
//! <backup>/logbook.sqlite        one state of the logbook, whole without a log beside it
//! <backup>/logbook.head          its end
//! <backup>/people.sqlite         who is behind the ids of the logbook
//! <backup>/retired/ rejected/    as in the state directory
//! <backup>/reports/              the files of reports
//! ```
//!
//! Whatever can be regenerated is left out: the index, the blocks, the addresses. A backup takes no lock and blocks
//! nobody: the logbook is read as by any reader, and files that come or go meanwhile may or may not be included. It is
//! made under a temporary name and renamed when complete, so whatever has the name is a complete backup.
//!
//! A restore locks the site, copies everything beside what is there, and exchanges the two by renames; the daemon
//! refuses to start in between ([`UNFINISHED`]). What was there is moved aside, never removed. People who were erased
//! since the backup was made stay erased: the present register knows them, and the backup's logbook may not.

/// Files copied and hashed.
mod copying;
/// Making a backup.
mod make;
/// Reading a backup, comparing it, and restoring it.
mod restore;

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::disk::DiskError;
use super::logbook::LogbookError;
use super::people::PeopleError;
use super::reports;

pub use make::{Made, make};
pub use restore::{Backup, Standing, claim};

/// The list of a backup's content.
pub const MANIFEST: &str = "manifest.json";

/// This file is in the state directory while a restore is unfinished.
pub const UNFINISHED: &str = "restore.unfinished";

const BOOK: &str = "logbook.sqlite";
const SEAL: &str = "logbook.head";

/// The directories that are copied with everything in them.
const DIRS: [&str; 4] = ["retired", "rejected", "adopted", reports::DIR];

/// The deepest level of directories that is copied.
const DEPTH_MAX: usize = 8;

/// Incremented with every change of the layout; 2 added the register of people. Older ones are read.
const FORMAT: u32 = 2;

/// The content of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the layout.
    pub format: u32,
    /// The version of the program that made it.
    pub program: String,
    /// When it was made.
    pub made: Timestamp,
    /// The name of the site.
    pub site: String,
    /// How many entries the logbook has.
    pub entries: u64,
    /// The hash of the last entry.
    pub hash: String,
    /// Every file but the manifest.
    pub files: Vec<Entry>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its relative path.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
    /// Its mode in the state directory.
    pub mode: u32,
    /// Its modification time.
    pub modified: Timestamp,
}

/// Why a backup could not be made or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The logbook.
    #[error("{}", .0.sentence())]
    Logbook(#[from] LogbookError),
    /// The register of people.
    #[error("{}", .0.sentence())]
    People(#[from] PeopleError),
    /// The disk.
    #[error("{}", .0.sentence())]
    Disk(#[from] DiskError),
    /// The directory for a backup is unsuitable.
    #[error("{} {why}", dir.display())]
    Place {
        /// The place.
        dir: PathBuf,
        /// Why not.
        why: String,
    },
    /// There is no state directory to restore to.
    #[error("{} {why}", dir.display())]
    Homeless {
        /// The state directory.
        dir: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// A backup does not match its manifest.
    #[error("the backup is incomplete or damaged: {} {why}. Use another backup", path.display())]
    Spoilt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// Reports progress: bytes done, of how many.
pub type Progress<'a> = &'a dyn Fn(u64, u64);

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::sync::Arc;

    use rustix::fs::Mode;

    use super::copying::private_dir;
    use super::*;
    use crate::domain::moment::Elapsed;
    use crate::domain::names::Actor;
    use crate::domain::people::PersonId;
    use crate::store::disk::failing::FailingDisk;
    use crate::store::disk::{self, Access, Disk as _, Kernel, put};
    use crate::store::logbook::{Draft, Logbook as _, SqliteLogbook};
    use crate::store::people::{self, Register};

    fn add(book: &mut SqliteLogbook, texts: &[&str]) {
        let draft = |text: &&str| Draft {
            at: Timestamp::UNIX_EPOCH,
            who: "me".into(),
            why: String::new(),
            body: (*text).to_owned(),
            about: vec![],
        };
        let drafts: Vec<Draft> = texts.iter().map(draft).collect();
        book.append(book.head(), &drafts).expect("appended");
    }

    fn open(state: &Path) -> SqliteLogbook {
        SqliteLogbook::open_sealed(&state.join(BOOK), Arc::new(Kernel::default())).expect("whole")
    }

    fn lay(path: &Path, text: &str) {
        Kernel::default().make_dir(path.parent().expect("a parent")).expect("made");
        put(&Kernel::default(), path, text.as_bytes(), Access::Sealed).expect("written");
    }

    /// A state directory with an open logbook, and a file of each kind.
    fn site(dir: &Path) -> (PathBuf, SqliteLogbook) {
        let state = dir.join("state");
        Kernel::default().make_dir(&state).expect("made");
        let mut book = open(&state);
        add(&mut book, &["one", "two"]);
        book.seal(Some(Elapsed::default())).expect("sealed");
        lay(&state.join("retired/d/0000-a.rpm"), "withdrawn");
        lay(&state.join("rejected/d/inode7-b.rpm"), "refused");
        lay(&state.join("index/d.sqlite"), "made again");
        (state, book)
    }

    fn back_up(state: &Path, to: &Path) -> Result<Made, BackupError> {
        make(&Kernel::default(), state, "Example", to, Timestamp::UNIX_EPOCH, &|_, _| ())
    }

    fn put_back(from: &Path, state: &Path) -> Result<Option<PathBuf>, BackupError> {
        let backup = Backup::open(from, &|_, _| ())?;
        backup.put_back(&Kernel::default(), state, Timestamp::UNIX_EPOCH, &|_, _| ())
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).expect("listed");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_backed_up_while_it_runs_is_put_back_as_it_was_for_the_owner_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let (state, mut book) = site(dir.path());
        add(&mut book, &["behind the seal"]);
        let (head, to) = (book.head(), dir.path().join("backup"));
        let made = back_up(&state, &to).expect("made");
        assert_eq!((made.manifest.entries, made.notes.len()), (3, 0));
        add(&mut book, &["after the backup"]);
        assert_eq!(names(&to), ["logbook.head", "logbook.sqlite", "manifest.json", "rejected", "retired"]);
        for (path, mode) in [("", 0o700), ("retired/d", 0o700), ("retired/d/0000-a.rpm", 0o600), (BOOK, 0o600)] {
            let meta = std::fs::metadata(to.join(path)).expect("there");
            assert_eq!(meta.permissions().mode() & 0o777, mode, "{path}");
        }
        assert!(matches!(back_up(&state, &to), Err(BackupError::Place { .. })), "nothing is written over");

        let other = dir.path().join("other");
        Kernel::default().make_dir(&other).expect("made");
        assert_eq!(put_back(&to, &other).expect("put back"), None);
        assert_eq!(open(&other).head(), head);
        assert_eq!(std::fs::read(other.join("retired/d/0000-a.rpm")).expect("there"), b"withdrawn");
        assert_eq!(names(&other), ["logbook.head", "logbook.sqlite", "rejected", "retired"]);
    }

    #[test]
    fn what_a_state_has_is_compared_and_moved_aside() {
        let dir = tempfile::tempdir().expect("a directory");
        let (state, mut book) = site(dir.path());
        let (early, late) = (dir.path().join("early"), dir.path().join("late"));
        back_up(&state, &early).expect("made");
        add(&mut book, &["three"]);
        book.seal(None).expect("sealed");
        back_up(&state, &late).expect("made");
        drop(book);
        let compare = |from: &Path| Backup::open(from, &|_, _| ()).expect("whole").compare(&state).expect("compared");
        assert_eq!(compare(&late), Standing::Within(3));
        assert_eq!(compare(&early), Standing::Ahead(3, Some(Timestamp::UNIX_EPOCH)));
        let aside = put_back(&early, &state).expect("put back").expect("there was something");
        assert_eq!(compare(&late), Standing::Within(2));
        assert_eq!(open(&aside).head().seq, 3, "nothing is removed");
        assert!(aside.join("index/d.sqlite").exists() && !state.join("index").exists());
        let mut book = open(&state);
        add(&mut book, &["another third"]);
        drop(book);
        assert_eq!(compare(&late), Standing::Another(3));
        // Only the seal is left, and it is ahead of the backup.
        Kernel::default().remove(&state.join(BOOK)).expect("removed");
        put(&Kernel::default(), &state.join(SEAL), &std::fs::read(late.join(SEAL)).expect("there"), Access::Owner)
            .expect("written");
        assert_eq!(compare(&early), Standing::Ahead(3, None));
        assert_eq!(compare(&late), Standing::Nothing);
        put(&Kernel::default(), &state.join(BOOK), b"no database at all", Access::Owner).expect("written");
        assert!(matches!(compare(&late), Standing::Unreadable(_)));
    }

    #[test]
    fn files_that_are_missing_are_put_back_beside_a_newer_logbook() {
        let dir = tempfile::tempdir().expect("a directory");
        let (state, mut book) = site(dir.path());
        let to = dir.path().join("backup");
        back_up(&state, &to).expect("made");
        add(&mut book, &["three"]);
        disk::remove_all(&state.join("retired")).expect("lost");
        lay(&state.join("rejected/d/inode7-b.rpm"), "another one by now");
        let backup = Backup::open(&to, &|_, _| ()).expect("whole");
        assert_eq!(backup.put_missing(&Kernel::default(), &state, &|_, _| ()).expect("put back"), 1);
        let file = state.join("retired/d/0000-a.rpm");
        assert_eq!(std::fs::read(&file).expect("there"), b"withdrawn");
        assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o444);
        assert_eq!(std::fs::read(state.join("rejected/d/inode7-b.rpm")).expect("there"), b"another one by now");
        assert_eq!(open(&state).head().seq, 3);
    }

    fn id_of(state: &Path, name: &str) -> PersonId {
        let mut register = Register::open(&Kernel::default(), state).expect("a register");
        let id = register.written(&Actor::recorded(name), Timestamp::UNIX_EPOCH).expect("written");
        PersonId::read(id.as_str()).expect("an id")
    }

    fn erase(state: &Path, id: PersonId) {
        let mut register = Register::open(&Kernel::default(), state).expect("a register");
        register.agree([(id, Timestamp::UNIX_EPOCH)]).expect("erased");
    }

    #[test]
    fn people_are_in_a_backup_and_whoever_was_erased_since_stays_erased() {
        let dir = tempfile::tempdir().expect("a directory");
        let (state, book) = site(dir.path());
        let (jane, john) = (id_of(&state, "jane"), id_of(&state, "john"));
        let to = dir.path().join("backup");
        let made = back_up(&state, &to).expect("made");
        assert!(made.notes.is_empty() && names(&to).contains(&people::FILE.to_owned()), "{:?}", made.notes);
        let mode = std::fs::metadata(to.join(people::FILE)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(book);
        erase(&state, jane);
        put_back(&to, &state).expect("put back").expect("there was something");
        // As after an interrupted restore.
        Kernel::default().remove(&state.join(people::FILE)).expect("removed");
        put_back(&to, &state).expect("put back").expect("there was something");
        let people = people::read(&state).expect("read");
        assert_eq!(people.shown(&john.to_string()), "john");
        assert_eq!(people.shown(&jane.to_string()), format!("an erased person ({jane})"));

        // Elsewhere it is restored as it was: nothing newer is known there.
        let other = dir.path().join("other");
        Kernel::default().make_dir(&other).expect("made");
        put_back(&to, &other).expect("put back");
        assert_eq!(people::read(&other).expect("read").shown(&jane.to_string()), "jane");

        // A lost register is restored beside the present logbook.
        Kernel::default().remove(&other.join(people::FILE)).expect("removed");
        let backup = Backup::open(&to, &|_, _| ()).expect("whole");
        assert_eq!(backup.put_missing(&Kernel::default(), &other, &|_, _| ()).expect("put back"), 1);
        assert_eq!(people::read(&other).expect("read").len(), 2);
    }

    #[test]
    fn a_backup_without_people_is_put_back_and_a_damaged_register_is_named_and_left_out() {
        let dir = tempfile::tempdir().expect("a directory");
        let (state, book) = site(dir.path());
        let (old, to) = (dir.path().join("old"), dir.path().join("backup"));
        back_up(&state, &old).expect("made");
        edit(&old, "\"format\": 2", "\"format\": 1");
        id_of(&state, "jane");
        change(&state.join(people::FILE), &"no database any more ".repeat(50));
        let made = back_up(&state, &to).expect("the logbook is worth more");
        assert!(made.notes.len() == 1 && made.notes[0].1.contains("is damaged"), "{:?}", made.notes);
        assert!(!names(&to).contains(&people::FILE.to_owned()));
        drop(book);
        for from in [&to, &old] {
            put_back(from, &state).expect("put back").expect("there was something");
            assert!(people::read(&state).expect("there is none").is_empty());
        }
        edit(&old, "\"format\": 1", "\"format\": 3");
        let why = put_back(&old, &state).expect_err("newer").to_string();
        assert!(why.contains("has format 3"), "{why}");
    }

    #[test]
    fn a_backup_in_which_anything_has_changed_is_not_put_back() {
        type Hand = fn(&Path);
        let spoil: [(&str, Hand); 6] = [
            ("changed since", |dir| change(&dir.join("retired/d/0000-a.rpm"), "withdrawM")),
            ("is missing", |dir| Kernel::default().remove(&dir.join("rejected/d/inode7-b.rpm")).expect("removed")),
            ("is missing", |dir| Kernel::default().remove(&dir.join(BOOK)).expect("removed")),
            ("cannot be parsed", |dir| change(&dir.join(MANIFEST), "{")),
            ("does not belong in a backup", |dir| edit(dir, "retired/d/0000-a.rpm", "retired/../../outside")),
            ("does not belong in a backup", |dir| edit(dir, "retired/d/0000-a.rpm", "restore.unfinished")),
        ];
        for (says, hand) in spoil {
            let dir = tempfile::tempdir().expect("a directory");
            let (state, _book) = site(dir.path());
            let to = dir.path().join("backup");
            back_up(&state, &to).expect("made");
            hand(&to);
            let other = dir.path().join("other");
            Kernel::default().make_dir(&other).expect("made");
            let why = put_back(&to, &other).expect_err(says).to_string();
            assert!(why.contains(says), "{why}");
            assert!(names(&other).is_empty());
        }
    }

    fn change(path: &Path, text: &str) {
        put(&Kernel::default(), path, text.as_bytes(), Access::Owner).expect("written");
    }

    fn edit(dir: &Path, from: &str, to: &str) {
        let text = std::fs::read_to_string(dir.join(MANIFEST)).expect("there");
        assert!(text.contains(from));
        change(&dir.join(MANIFEST), &text.replace(from, to));
    }

    /// Wherever it is stopped, no backup has the name, and the remains do not hinder the next.
    #[test]
    fn a_backup_that_fails_leaves_none_and_a_later_one_is_made() {
        for calls in 0.. {
            let dir = tempfile::tempdir().expect("a directory");
            let (state, _book) = site(dir.path());
            let to = dir.path().join("backup");
            let tried = make(&FailingDisk::after(calls), &state, "Example", &to, Timestamp::UNIX_EPOCH, &|_, _| ());
            if tried.is_ok() {
                return;
            }
            if to.exists() {
                // It was renamed, and only the sync of the directory above failed.
                Backup::open(&to, &|_, _| ()).expect("whole");
                continue;
            }
            assert_eq!(names(dir.path()), ["state"]);
            private_dir(&dir.path().join(".backup.rolloutd-part")).expect("made");
            change(&dir.path().join(".backup.rolloutd-part/left"), "by one that was killed");
            back_up(&state, &to).expect("made");
        }
    }

    /// Wherever it is stopped, the daemon starts with the old state or not at all, and running it again succeeds.
    #[test]
    fn a_restore_that_is_stopped_anywhere_can_be_repeated() {
        for calls in 0.. {
            let dir = tempfile::tempdir().expect("a directory");
            let (state, mut book) = site(dir.path());
            let to = dir.path().join("backup");
            back_up(&state, &to).expect("made");
            add(&mut book, &["three"]);
            drop(book);
            let backup = Backup::open(&to, &|_, _| ()).expect("whole");
            let disk = FailingDisk::after(calls);
            let tried = backup.put_back(&disk, &state, Timestamp::UNIX_EPOCH, &|_, _| ());
            if !state.join(UNFINISHED).exists() {
                let seq = open(&state).head().seq;
                assert_eq!(seq, if names(&state).iter().any(|n| n.starts_with("before")) { 2 } else { 3 }, "{calls}");
            }
            let done = tried.is_ok();
            put_back(&to, &state).unwrap_or_else(|error| panic!("{calls}: {error}"));
            assert_eq!(open(&state).head().seq, 2);
            assert!(!state.join(UNFINISHED).exists());
            let kept = names(&state).into_iter().filter(|n| n.starts_with("before"));
            let kept = kept.filter(|n| state.join(n).join(BOOK).exists());
            assert!(kept.map(|n| open(&state.join(n)).head().seq).max() == Some(3), "{calls}: nothing is lost");
            if done {
                return;
            }
        }
    }

    #[test]
    fn what_is_no_file_is_left_out_and_named_and_what_belies_its_name_too() {
        let dir = tempfile::tempdir().expect("a directory");
        let (state, _book) = site(dir.path());
        std::os::unix::fs::symlink("/etc/passwd", state.join("rejected/d/link")).expect("linked");
        lay(&state.join("rejected/d/0123456789abcdef-c.rpm"), "something else");
        lay(&state.join("rejected/d/.rolloutd-1-1"), "not yet");
        let made = back_up(&state, &dir.path().join("backup")).expect("made");
        let mut said: Vec<String> =
            made.notes.into_iter().map(|(path, why)| format!("{} {why}", path.display())).collect();
        said.sort();
        assert!(said.len() == 2 && said[0].contains("its name says another"), "{said:?}");
        assert!(said[1].contains("d/link is not a plain file"), "{said:?}");
        assert_eq!(names(&dir.path().join("backup/rejected/d")), ["0123456789abcdef-c.rpm", "inode7-b.rpm"]);
    }

    #[test]
    fn refused_files_that_cost_their_uploader_nothing_are_left_out_and_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let (state, _book) = site(dir.path());
        for (path, size) in [("rejected/d/inode8-c.rpm", 1 << 30), ("rejected/d/inode9-d.rpm", 64 << 20)] {
            lay(&state.join(path), "");
            rustix::fs::chmod(state.join(path), Mode::RUSR | Mode::WUSR).expect("opened");
            File::options().write(true).open(state.join(path)).and_then(|file| file.set_len(size)).expect("grown");
        }
        let made = back_up(&state, &dir.path().join("backup")).expect("made");
        let mut said: Vec<String> =
            made.notes.into_iter().map(|(path, why)| format!("{} {why}", path.display())).collect();
        said.sort();
        assert!(said.len() == 2 && said[0].contains("inode8-c.rpm is larger than"), "{said:?}");
        assert!(said[1].contains("inode9-d.rpm consists mostly of holes"), "{said:?}");
        assert_eq!(names(&dir.path().join("backup/rejected/d")), ["inode7-b.rpm"]);
        assert!(made.manifest.files.iter().all(|file| file.bytes < 1 << 20));
    }
}
