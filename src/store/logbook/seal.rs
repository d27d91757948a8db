//! The seal: where the logbook ends, written down outside of it.
//!
//! A chain that is cut off at its end is still a chain. So the daemon writes down where its logbook ends: one line in
//! `<state>/logbook.head` with the number and the hash of an entry. It does so at its start, after publications, every
//! ten minutes and at its stop, and not after every append, which would cost two more syncs each. The same goes into the
//! daemon's log, where the machine's journal keeps it.
//!
//! The line also has a time: how far elapsed time had come when it was written. While nothing happens there are no
//! entries from which the next start could learn that.
//!
//! - Found at the start: a logbook that ends before the sealed entry, or has another in its place. This is an old copy
//!   that was put back by mistake, or a cut. A logbook that goes on after the sealed entry is correct, since the daemon
//!   may have crashed before it could seal again.
//! - Found by [`SqliteLogbook::holds`](super::SqliteLogbook::holds) while the daemon runs: anything missing that the
//!   daemon wrote.
//! - Not found at the start: a cut after the sealed entry, and one made by somebody who can write to both files. The line
//!   in the journal helps against those if the journal is kept on another machine.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use super::super::disk::{self, Access, Disk, DiskError};
use super::super::foothold::Mark;
use super::entry::Head;
use super::trouble::LogbookError;
use crate::domain::moment::Elapsed;

/// The file of the seal, and what we wrote to it last.
#[derive(Debug)]
pub(super) struct Seal {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    last: Option<(Head, Option<Elapsed>)>,
    mark: Option<Mark>,
}

impl Seal {
    /// The seal beside a logbook.
    pub(super) fn beside(logbook: &Path, disk: Arc<dyn Disk>) -> Result<Self, LogbookError> {
        let path = logbook.with_extension("head");
        let mark = Mark::of(&path).map_err(|source| LogbookError::Unread { path: path.clone(), source })?;
        let last = sealed(&path)?;
        Ok(Self { disk, path, last, mark })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the file says: the end of the logbook, and a time.
    pub(super) fn last(&self) -> Option<(Head, Option<Elapsed>)> {
        self.last
    }

    /// Puts a new line into the file of the logbook `book`.
    pub(super) fn put(&mut self, book: &Path, head: Head, elapsed: Option<Elapsed>) -> Result<(), DiskError> {
        // If somebody else wrote there, we leave it: it shows what was done here.
        self.in_place().map_err(|error| DiskError::new("seal", book, io::Error::other(error.to_string())))?;
        let put = disk::put(self.disk.as_ref(), &self.path, seal_line(head, elapsed).as_bytes(), Access::Owner);
        // If only the sync of the directory failed, the file has the new line already, and it is ours.
        if put.is_ok() || sealed(&self.path).is_ok_and(|found| found == Some((head, elapsed))) {
            self.mark = Mark::of(&self.path).unwrap_or_default();
            if put.is_ok() && self.last.is_none_or(|(last, _)| last != head) {
                tracing::info!(seq = head.seq, hash = head.hash.to_hex(), "logbook sealed");
            }
            self.last = Some((head, elapsed));
        }
        put
    }

    /// Whether the file still says what we wrote to it last.
    pub(super) fn in_place(&mut self) -> Result<(), LogbookError> {
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

/// What a seal says, the end of a logbook and a time; `None` when there is no such file.
///
/// # Errors
/// When it cannot be read, or is no seal.
pub fn sealed(path: &Path) -> Result<Option<(Head, Option<Elapsed>)>, LogbookError> {
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

/// The line that a seal is.
pub fn seal_line(head: Head, elapsed: Option<Elapsed>) -> String {
    let time = elapsed.map(|elapsed| format!(" {elapsed}")).unwrap_or_default();
    format!("{} {}{time}\n", head.seq, head.hash.to_hex())
}

/// Old lines have no time.
fn read_seal(text: &str) -> Option<(Head, Option<Elapsed>)> {
    let (seq, rest) = text.strip_suffix('\n')?.split_once(' ')?;
    let (hash, elapsed) = rest.split_once(' ').map_or((rest, None), |(hash, elapsed)| (hash, Some(elapsed)));
    let head = Head { seq: seq.parse().ok()?, hash: hash.parse().ok()? };
    Some((head, elapsed.map(str::parse).transpose().ok()?))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rusqlite::Connection;

    use super::super::super::disk::failing::FailingDisk;
    use super::super::tests::{draft, filled, kernel, move_from, move_to};
    use super::super::{Draft, Logbook as _, SqliteLogbook};
    use super::*;

    #[test]
    fn the_time_of_the_seal_counts_until_an_entry_is_written() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = filled(dir.path());
        let mut book = SqliteLogbook::open_sealed(&path, kernel()).expect("whole");
        let times = [1, 2].map(|second| Elapsed::recorded(Timestamp::from_second(second).expect("a time")));
        for time in times {
            book.seal(Some(time)).expect("sealed");
        }
        drop(book);
        let mut book = SqliteLogbook::open_sealed(&path, kernel()).expect("whole");
        assert_eq!(book.elapsed(), Some(times[1]));
        book.append(book.head(), &[draft("seven")]).expect("appended");
        assert_eq!(book.elapsed(), None);
        drop(book);
        assert_eq!(SqliteLogbook::open_sealed(&path, kernel()).expect("whole").elapsed(), None);
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
        for calls in 0.. {
            let dir = tempfile::tempdir().expect("a directory");
            let path = filled(dir.path());
            SqliteLogbook::open_sealed(&path, kernel()).expect("whole").seal(None).expect("sealed");
            let mut book = SqliteLogbook::open_sealed(&path, Arc::new(FailingDisk::after(calls))).expect("whole");
            book.append(book.head(), &[draft("one more")]).expect("appended");
            let sealed = book.seal(None);
            book.in_place().expect("whether the new line has come or not: nobody else has written there");
            drop(book);
            SqliteLogbook::open_sealed(&path, kernel()).expect("the old seal or the new one");
            if sealed.is_ok() {
                return;
            }
        }
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
}
