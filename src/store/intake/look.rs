//! What a look finds: packages that came in, files that were refused, what waits.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::backlog::Backlog;
use crate::domain::checksum::Sha256;
use crate::domain::nevra::Nevra;
use crate::domain::refusal::Refusal;
use crate::domain::trust::Accepted;
use crate::store::disk::DiskError;
use crate::store::index::IndexError;

/// What a look found.
#[derive(Debug, Default)]
pub struct Look {
    /// Accepted, and lying under their canonical names.
    pub accepted: Vec<Arrival>,
    /// Refused; the files are still where they were.
    pub refused: Vec<Departure>,
    /// Files in the upload tree itself, where nobody writes but the daemon and admins, that cannot be handled now, and
    /// why: all of them, at each look.
    pub stuck: Vec<(PathBuf, String)>,
    /// What waits in the drop directory, why, and what its owner can do.
    pub waiting: Backlog,
    /// Files that were refused before with the same bytes and the same word: they are counted where these are kept.
    pub refused_again: u64,
    /// Whether a file had bytes that are known already: it may have put back what a tree had lost.
    pub repeated: bool,
    /// When to look again although nothing changes.
    pub again: Option<Duration>,
    /// What ended the look early, such as a full disk. What was decided before it holds all the same:
    /// those packages lie under their names, so the logbook must hear of them.
    pub failed: Option<IntakeError>,
}

impl Look {
    /// Takes what another look found into this one.
    pub fn add(&mut self, other: Self) {
        self.accepted.extend(other.accepted);
        self.refused.extend(other.refused);
        self.stuck.extend(other.stuck);
        self.waiting.extend(other.waiting);
        self.refused_again += other.refused_again;
        self.repeated |= other.repeated;
        self.again = self.again.into_iter().chain(other.again).min();
        self.failed = self.failed.take().or(other.failed);
    }
}

/// A package that was accepted.
#[derive(Debug)]
pub struct Arrival {
    /// Identity.
    pub nevra: Nevra,
    /// The bytes.
    pub sha256: Sha256,
    /// Size of the file in bytes.
    pub size: u64,
    /// By whom it is signed.
    pub signed: Accepted,
    /// Free text in which characters had to be replaced.
    pub replaced_text: Vec<String>,
    /// The path below the tree under which it was uploaded.
    pub upload: PathBuf,
}

/// A file that was refused.
#[derive(Debug)]
pub struct Departure {
    /// The path below the tree under which it was uploaded.
    pub upload: PathBuf,
    /// The bytes, when they could be read.
    pub sha256: Option<Sha256>,
    /// Why.
    pub refusal: Refusal,
}

/// Why the tree could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
}
