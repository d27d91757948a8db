//! Whether the open files still have their names, and what is saved when they do not.
//!
//! See [`foothold`](super::super::foothold) for why SQLite does not notice. When the database has lost its name, what
//! this process has open is the only copy. So it is copied to a name of its own beside it,
//! `logbook.rescued-N.sqlite`, N being the number of entries.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::disk::{self, Disk};
use super::super::foothold::{Change, Foothold, Mark};
use super::chain::Chain;
use super::entry::Head;
use super::trouble::{LogbookError, beside_it};

/// The most copies of a logbook with the same number of entries that are kept when its database has lost its name.
const MOST_RESCUED: u32 = 9;

/// The logbook is gone, and beside it is a copy of what it had when it was removed.
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

/// Refuses to begin a new logbook beside a copy of the old one that a daemon has saved.
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

/// A copy of the logbook whose entries were read and checked.
#[derive(Debug)]
struct Rescued {
    path: PathBuf,
    /// Where it ends.
    head: Head,
    /// How the file was when it was read.
    mark: Option<Mark>,
}

impl Rescued {
    /// Reads a copy from its first entry to its last; `None` unless it is whole and ends at `head`.
    fn of(path: PathBuf, head: Head) -> Option<Self> {
        let mark = Mark::of(&path).ok()??;
        (ends_at(&path)? == head).then_some(Self { path, head, mark: Some(mark) })
    }

    /// Whether it is still the file that was read, and ends where the logbook ends now.
    fn is_of(&self, head: Head) -> bool {
        self.head == head && self.mark.is_some() && Mark::of(&self.path).is_ok_and(|now| now == self.mark)
    }
}

/// Where the logbook in a file ends; `None` when it is none, or broken.
fn ends_at(path: &Path) -> Option<Head> {
    Chain::open_to_read(path).and_then(|chain| chain.verify()).ok()
}

/// The files of a logbook, as they were when it was opened.
#[derive(Debug)]
pub(super) struct Files {
    disk: Arc<dyn Disk>,
    held: Vec<Foothold>,
    /// Where all entries were saved when the database had lost its name.
    rescued: Option<Rescued>,
}

impl Files {
    /// The database `path` and the files beside it, which are open.
    pub(super) fn of(path: &Path, disk: Arc<dyn Disk>) -> io::Result<Self> {
        let [wal, shm] = beside_it(path);
        let held = [Foothold::new(path.to_owned()), Foothold::new(wal), Foothold::shared(shm)];
        Ok(Self { disk, held: held.into_iter().collect::<Result<_, _>>()?, rescued: None })
    }

    /// Notes that the files have changed by our own hand.
    pub(super) fn written(&mut self) {
        self.held.iter_mut().for_each(Foothold::renew);
    }

    /// Whether the files of `chain` are those that were opened, and hold what was written to them, up to `head`.
    pub(super) fn in_place(&mut self, chain: &mut Chain, head: Head) -> Result<(), LogbookError> {
        for number in 0..self.held.len() {
            let Some(file) = self.held.get_mut(number) else { continue };
            let path = file.path().to_owned();
            let change = file.change().map_err(|source| LogbookError::Unread { path: path.clone(), source })?;
            let why = match change {
                None => continue,
                Some(Change::Gone) => "is gone (moved or removed) while the daemon runs",
                Some(Change::Another) => "was replaced by another file while the daemon runs",
                Some(Change::Written) => {
                    if !file.is_wrong(|| ends_at(&chain.path) == Some(head)) {
                        // Somebody has touched it, or has copied the same over it.
                        self.written();
                        continue;
                    }
                    "was overwritten while the daemon runs"
                }
            };
            let is_log = path != chain.path && change != Some(Change::Written);
            let remedy = if is_log { self.remedy_of_log(chain) } else { self.remedy_of_loss(chain, head) };
            return Err(LogbookError::Misplaced { path, why, remedy });
        }
        Ok(())
    }

    /// The database has lost its name: what we have open is the only copy, so another one is made.
    fn remedy_of_loss(&mut self, chain: &Chain, head: Head) -> String {
        if !self.rescued.as_ref().is_some_and(|copy| copy.is_of(head)) {
            // There is none, or it lacks entries that were written since, or somebody has changed it.
            self.rescued = self.rescue(chain, head);
        }
        let path = chain.path.display();
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
                chain.path.parent().unwrap_or(Path::new("/")).display()
            ),
        }
    }

    /// The log beside the database is lost or is another file; the database is ours.
    fn remedy_of_log(&mut self, chain: &mut Chain) -> String {
        // Save as much of the log as nobody's reading holds back.
        let _ = chain.checkpoint();
        self.written();
        "Stop the daemon with SIGTERM and start it again: it still has the lost file open, and writes its \
         contents to the logbook as it stops"
            .to_owned()
    }

    /// Copies what is open to a name of its own; a file that has such a name is whole. A copy that is there already is
    /// left as it is: it may be all that is left of another day.
    fn rescue(&self, chain: &Chain, head: Head) -> Option<Rescued> {
        let dir = chain.path.parent()?;
        let name = |number: u32| match number {
            1 => format!("logbook.rescued-{}.sqlite", head.seq),
            _ => format!("logbook.rescued-{}-{number}.sqlite", head.seq),
        };
        let mut names = (1..=MOST_RESCUED).map(|number| dir.join(name(number)));
        let copy = loop {
            let copy = names.next()?;
            match std::fs::symlink_metadata(&copy) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => break copy,
                _ => {}
            }
            if let Some(whole) = Rescued::of(copy, head) {
                return Some(whole);
            }
        };
        let part = dir.join(format!("{}rescue-{}", disk::TEMPORARY, std::process::id()));
        // A copy that failed may have left something there.
        let _ = self.disk.remove(&part);
        let made = chain.copy_to(&part, |_, _| ()).ok().and_then(|()| Rescued::of(part.clone(), head));
        if made.is_some() && self.disk.rename(&part, &copy).is_ok() {
            let _ = self.disk.sync_dir(dir);
            if let Some(whole) = Rescued::of(copy, head) {
                tracing::error!(path = %whole.path.display(), entries = head.seq, "the logbook was saved");
                return Some(whole);
            }
        }
        let _ = self.disk.remove(&part);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::disk::Access;
    use super::super::tests::{draft, kernel, move_from, move_to, older, open_and_running, put_copy};
    use super::super::{Draft, Logbook as _, SqliteLogbook, seal_line};
    use super::*;
    use crate::domain::checksum::Sha256;

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

    type Hand = fn(&Path);

    fn with(path: &Path, suffix: &str) -> PathBuf {
        PathBuf::from(format!("{}{suffix}", path.display()))
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

    fn put_seal(path: &Path) {
        let line = seal_line(Head { seq: 1, hash: Sha256([7; 32]) }, None);
        disk::put(&disk::Kernel::default(), &path.with_extension("head"), line.as_bytes(), Access::Owner).expect("put");
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
        book.files.as_mut().expect("it is the daemon's").rescued = None;
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
}
