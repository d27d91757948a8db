//! Whether open files still have the names under which they were opened.
//!
//! SQLite never checks. With a write-ahead log it keeps writing to the inodes it has open after somebody has removed,
//! moved or replaced `logbook.sqlite` or `logbook.sqlite-wal`: every append succeeds, and all of it is lost when the
//! process ends. (With a rollback journal it would refuse to write: `SQLITE_READONLY_DBMOVED`.) The number of an open
//! inode is never reused, so comparing device and inode is enough, at the cost of one `stat`.
//!
//! A file that was overwritten in place keeps its inode. Its size or its times show that somebody wrote; the caller has
//! to find out whether its content is still what was written before.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What `stat` says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    file: (u64, u64),
    content: (u64, i64, i64),
}

impl Mark {
    /// The file that has this name now; `None` if there is none.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn of(path: &Path) -> io::Result<Option<Self>> {
        match std::fs::metadata(path) {
            Ok(meta) => Ok(Some(Self {
                file: (meta.dev(), meta.ino()),
                content: (meta.size(), meta.mtime(), meta.mtime_nsec()),
            })),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing has its name.
    Gone,
    /// Another file has its name.
    Another,
    /// It is the same file, but somebody else has written to it.
    Written,
}

/// One open file.
#[derive(Debug)]
pub struct Foothold {
    path: PathBuf,
    mark: Option<Mark>,
    by_content: bool,
    /// Its state when somebody else's change to it was found to be wrong.
    wrong: Option<Mark>,
}

impl Foothold {
    /// A file that only the caller writes to.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn new(path: PathBuf) -> io::Result<Self> {
        Ok(Self { mark: Mark::of(&path)?, path, by_content: true, wrong: None })
    }

    /// A file that others write to as well.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn shared(path: PathBuf) -> io::Result<Self> {
        Ok(Self { by_content: false, ..Self::new(path)? })
    }

    /// Its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What happened to it since it was opened or last renewed.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn change(&self) -> io::Result<Option<Change>> {
        let Some(known) = self.mark else { return Ok(None) };
        Ok(match Mark::of(&self.path)? {
            None => Some(Change::Gone),
            Some(now) if now.file != known.file => Some(Change::Another),
            Some(now) if self.by_content && now.content != known.content => Some(Change::Written),
            Some(_) => None,
        })
    }

    /// Whether somebody else's change to it is wrong; `is_right` is called once for each change.
    pub fn is_wrong(&mut self, is_right: impl FnOnce() -> bool) -> bool {
        let now = Mark::of(&self.path).ok().flatten();
        if now.is_none() || now != self.wrong {
            self.wrong = now.filter(|_| !is_right());
        }
        self.wrong.is_some()
    }

    /// Notes that the caller has written to it, or knows what was written. A different file under its name is not
    /// accepted.
    pub fn renew(&mut self) {
        if let Ok(Some(now)) = Mark::of(&self.path)
            && self.mark.is_none_or(|known| known.file == now.file)
        {
            self.mark = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "what others do to files is done by the test itself")]

    use super::*;

    #[test]
    fn what_others_do_to_a_file_is_seen_and_what_we_do_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, aside) = (dir.path().join("f"), dir.path().join("aside"));
        std::fs::write(&path, "one").expect("written");
        let mut file = Foothold::new(path.clone()).expect("there");
        let shared = Foothold::shared(path.clone()).expect("there");
        assert_eq!(file.change().expect("seen"), None);
        std::fs::write(&path, "two, longer").expect("written");
        assert_eq!(file.change().expect("seen"), Some(Change::Written));
        assert_eq!(shared.change().expect("seen"), None);
        file.renew();
        assert_eq!(file.change().expect("seen"), None);
        std::fs::rename(&path, &aside).expect("moved");
        assert_eq!(file.change().expect("seen"), Some(Change::Gone));
        std::fs::write(&path, "two, longer").expect("written");
        file.renew();
        assert_eq!(file.change().expect("seen"), Some(Change::Another), "another file is not taken for it");
        std::fs::rename(&aside, &path).expect("moved back");
        assert_eq!(file.change().expect("seen"), None);
    }
}
