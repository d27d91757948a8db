//! The result of a scan: packages that were accepted, files that were refused, and what is waiting.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::backlog::Backlog;
use crate::domain::checksum::Sha256;
use crate::domain::nevra::Nevra;
use crate::domain::refusal::Refusal;
use crate::domain::trust::Accepted;
use crate::store::disk::DiskError;
use crate::store::index::IndexError;

/// The result of a scan.
#[derive(Debug, Default)]
pub struct Look {
    /// Accepted, and stored under their canonical names.
    pub accepted: Vec<Arrival>,
    /// Refused; the files are still where they were.
    pub refused: Vec<Departure>,
    /// Files in the upload tree itself, where only the daemon and admins write, that cannot be handled now, and why:
    /// all of them, at each scan.
    pub stuck: Vec<(PathBuf, String)>,
    /// What is waiting in the drop directory, why, and what its owner can do.
    pub waiting: Backlog,
    /// Files whose bytes were refused before for the same reason: they are only counted.
    pub refused_again: u64,
    /// Whether a file had known bytes: it may have restored what a tree had lost.
    pub repeated: bool,
    /// When to scan again even if nothing changes.
    pub again: Option<Duration>,
    /// What ended the scan early, such as a full disk. Earlier results still hold: those packages are stored, so the
    /// logbook must hear of them.
    pub failed: Option<IntakeError>,
}

impl Look {
    /// Adds the result of another scan.
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

/// An accepted package.
#[derive(Debug)]
pub struct Arrival {
    /// Identity.
    pub nevra: Nevra,
    /// SHA-256 of the bytes.
    pub sha256: Sha256,
    /// Size of the file in bytes.
    pub size: u64,
    /// Who signed it.
    pub signed: Accepted,
    /// Fields in which characters had to be replaced.
    pub replaced_text: Vec<String>,
    /// The source package that it was built from, if its header names one.
    pub source: Option<Nevra>,
    /// The path relative to the tree under which it was uploaded.
    pub upload: PathBuf,
}

/// A refused file.
#[derive(Debug)]
pub struct Departure {
    /// The path relative to the tree under which it was uploaded.
    pub upload: PathBuf,
    /// SHA-256 of the bytes, if they could be read.
    pub sha256: Option<Sha256>,
    /// Why.
    pub refusal: Refusal,
}

/// Why the uploads could not be scanned.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
}
