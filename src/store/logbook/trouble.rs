//! What can be wrong with a logbook, and what each trouble means for whoever writes.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::super::disk;

/// Who knows of an entry that the logbook should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Witness {
    /// The daemon that runs: it wrote the entry.
    Daemon,
    /// The seal in this file.
    Seal(PathBuf),
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Daemon => f.write_str("the running daemon"),
            Self::Seal(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Witness {
    fn advice(&self) -> String {
        match self {
            Self::Daemon => "Stop the daemon and restore the newest logbook.".to_owned(),
            Self::Seal(path) => format!(
                "Restore the newest logbook (`rolloutd restore` does it from a backup); if you want this one, \
                 remove {} and start again.",
                path.display()
            ),
        }
    }
}

/// Why the logbook cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogbookError {
    /// The database did not do what it was asked.
    #[error("could not {what} the logbook {}", path.display())]
    Database {
        /// What was tried, a verb.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: DatabaseError,
    },
    /// The chain is broken: an entry was changed, removed or put in.
    #[error("entry {seq} of the logbook {} breaks the hash chain: {why}; restore a backup (`rolloutd restore`)",
             path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// The first entry that does not fit.
        seq: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The file is no longer a database.
    #[error(
        "the logbook {} is damaged: {source}. It may be a copy made while the daemon wrote to it, or the disk is \
         failing: restore a backup made by `rolloutd backup` (`rolloutd restore`)", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the database said.
        source: DatabaseError,
    },
    /// Entries are missing, or others stand in their place.
    #[error(
        "the logbook {} {why}, but {witness} has an entry {seq} with the hash {hash}: entries were removed, or \
         the logbook was replaced. {}", path.display(), witness.advice()
    )]
    Cut {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// Who knows of it.
        witness: Witness,
        /// The entry that the witness knows.
        seq: u64,
        /// Its hash.
        hash: String,
    },
    /// The seal cannot be understood.
    #[error("{} is not a seal: {why}; if the logbook is correct, remove this file and start again", path.display())]
    Seal {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file cannot be read at the moment, whatever it holds.
    #[error("could not read {}: {source}. {}", path.display(), disk::way_on(path, source))]
    Unread {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The files are no longer the ones that this program has open.
    #[error("{} {why}. So nothing is recorded and nothing is decided. {remedy}", path.display())]
    Misplaced {
        /// The file.
        path: PathBuf,
        /// What has become of it.
        why: &'static str,
        /// What to do.
        remedy: String,
    },
    /// Somebody else has appended.
    #[error("the logbook {} ends at entry {found}, not at {expected}: another program is writing to it",
             path.display())]
    Moved {
        /// The file.
        path: PathBuf,
        /// Where the caller thought it ends.
        expected: u64,
        /// Where it ends.
        found: u64,
    },
    /// Written by a newer program.
    #[error("the logbook {} has format {found}; this program knows {known} and refuses to write to it", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// Ours.
        known: i64,
    },
}

/// What the database said.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct DatabaseError(pub(in crate::store) rusqlite::Error);

/// What an error means for whoever writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// It may pass without a new start: a full disk, a file that was moved away and is put back.
    Transient,
    /// Another writer has appended.
    Moved,
    /// It cannot be used.
    Broken,
}

impl LogbookError {
    /// What the database said when it was asked to `what` the logbook in the file `path`.
    pub(super) fn database(what: &'static str, path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        move |source| Self::Database { what, path: path.to_owned(), source: DatabaseError(source) }
    }

    /// What it means for whoever writes.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Database { .. } | Self::Unread { .. } | Self::Misplaced { .. } => ErrorKind::Transient,
            Self::Moved { .. } => ErrorKind::Moved,
            Self::Broken { .. } | Self::Damaged { .. } | Self::Cut { .. } | Self::Seal { .. } | Self::Newer { .. } => {
                ErrorKind::Broken
            }
        }
    }

    /// Whether it may pass without a new start.
    pub fn may_pass(&self) -> bool {
        self.kind() == ErrorKind::Transient
    }

    /// The same error, named as damage where the database says that the file is corrupt.
    pub(super) fn or_damaged(self) -> Self {
        use rusqlite::ErrorCode as Code;
        match self {
            Self::Database { path, source, .. }
                if matches!(source.0.sqlite_error_code(), Some(Code::DatabaseCorrupt | Code::NotADatabase)) =>
            {
                Self::Damaged { path, source }
            }
            other => other,
        }
    }

    /// Whether this user lacks the permission to use a file.
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Database { path, source, .. } => {
                use rusqlite::ErrorCode as Code;
                let denied = [Code::CannotOpen, Code::PermissionDenied, Code::ReadOnly];
                let code = source.0.sqlite_error_code();
                code.is_some_and(|code| denied.contains(&code)) && whose(path).is_some()
            }
            Self::Unread { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
            _ => false,
        }
    }

    /// The error with its cause in one line.
    pub fn sentence(&self) -> String {
        match self {
            Self::Database { path, source, .. } => {
                let remedy = whose(path).map(|remedy| format!(". {remedy}")).unwrap_or_default();
                format!("{self}: {source}{remedy}")
            }
            _ => self.to_string(),
        }
    }
}

/// What would let this process use the files of a logbook, where one of them belongs to somebody else.
fn whose(path: &Path) -> Option<String> {
    std::iter::once(path.to_owned()).chain(beside_it(path)).find_map(|path| disk::remedy_of_owner(&path))
}

/// The other two files of a database.
pub(super) fn beside_it(path: &Path) -> [PathBuf; 2] {
    ["-wal", "-shm"].map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    })
}
