//! The seam: every change rolloutd makes to the disk.
//!
//! A handful of verbs, so that a test can break each of them in turn. [`Kernel`] does them;
//! [`Latched`] stops all writing after the first failed sync, because from then on it is unknown
//! what lies on the disk, and a second `fsync` may say yes to pages that the kernel has already
//! thrown away (Rebello et al., ATC 2020). A full disk, a missing permission or too many open files is
//! an ordinary error and stops nothing, also when it comes on the way to a sync.
//!
//! What never happens: no verb follows a symbolic link in the last component of a path, or in any
//! component below a root that [`Kernel::below`] was given; none creates a file under its final name
//! before its bytes are synced. A name that appears is the name of a whole file.

/// I/O errors with their paths, and what an admin does about them.
mod error;
/// The disk as the kernel gives it.
mod kernel;
/// Stops all writing once it is unknown what lies on the disk.
mod latch;
/// Whole files: written, linked, copied, cleared away.
mod files;

use std::fmt;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode};

pub(super) use error::READ_UPLOAD;
pub use error::{AtPath, DiskError, me, remedy_of_missing, remedy_of_owner, user, way_on};
pub use files::{Wanted, copy_over, link_over, put, remove_all, remove_below, sweep};
pub use kernel::Kernel;
pub use latch::Latched;

/// The prefix of every temporary name. Names that begin with it are removed at start.
pub const TEMPORARY: &str = ".rolloutd-";

/// Who may read and write a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// 0644: what clients fetch.
    Everybody,
    /// 0444: packages, which nobody changes any more; every tree that lists one has the same inode.
    Sealed,
    /// 0600: what is ours.
    Owner,
}

impl Access {
    fn mode(self) -> Mode {
        match self {
            Self::Everybody => Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH,
            Self::Sealed => Mode::RUSR | Mode::RGRP | Mode::ROTH,
            Self::Owner => Mode::RUSR | Mode::WUSR,
        }
    }
}

/// A new file that has no final name yet.
#[derive(Debug)]
pub struct Fresh {
    /// Open for reading and writing.
    pub file: File,
    /// Its temporary name, where the file system has no unnamed files.
    temporary: Option<Temporary>,
}

impl Fresh {
    fn label(&self) -> PathBuf {
        self.temporary.as_ref().map_or_else(|| PathBuf::from("a new file"), |temporary| temporary.path.clone())
    }
}

/// A name that goes with what holds it, as a file without a name does.
#[derive(Debug)]
struct Temporary {
    dir: OwnedFd,
    path: PathBuf,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // It has been renamed, or is not needed any more; what cannot be removed is swept at the next start.
        let _ = rustix::fs::unlinkat(&self.dir, self.path.file_name().unwrap_or_default(), AtFlags::empty());
    }
}

/// Every change rolloutd makes to the disk.
pub trait Disk: Send + Sync + fmt::Debug {
    /// A new file on the file system of `dir`, without a final name; it vanishes with a crash.
    fn fresh(&self, dir: &Path, access: Access) -> Result<Fresh, DiskError>;
    /// Appends bytes to a fresh file.
    fn write(&self, file: &mut Fresh, bytes: &[u8]) -> Result<(), DiskError>;
    /// Writes bytes into a file of the daemon's own at a place that nobody reads yet.
    fn write_at(&self, file: &File, path: &Path, offset: u64, bytes: &[u8]) -> Result<(), DiskError>;
    /// Makes the file's bytes durable.
    fn sync(&self, file: &Fresh) -> Result<(), DiskError>;
    /// Gives a synced file its final name, replacing atomically what had it before.
    fn name(&self, file: Fresh, to: &Path) -> Result<File, DiskError>;
    /// Gives a synced file its final name; an existing name is an error, and the file is as it was.
    fn name_new(&self, file: &mut Fresh, to: &Path) -> Result<(), DiskError>;
    /// One more name for a file that is open, whatever lies under its first one by now; an existing name is an error.
    fn link_open(&self, file: &File, to: &Path) -> Result<(), DiskError>;
    /// Moves a name, replacing atomically what had it before.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError>;
    /// Removes a name; a missing one is no error, so that every step can be repeated.
    fn remove(&self, path: &Path) -> Result<(), DiskError>;
    /// Makes a directory and its parents below a place that exists, mode 0755, each entry durable.
    fn make_dir(&self, dir: &Path) -> Result<(), DiskError>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> Result<(), DiskError>;
}

#[cfg(test)]
pub(crate) mod failing {
    //! A disk whose n-th change fails, for tests that fail at each step in turn.

    use std::io;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Allows `calls` changes and then fails every one.
    #[derive(Debug)]
    pub(crate) struct FailingDisk {
        inner: Kernel,
        left: AtomicU32,
        kept: Option<PathBuf>,
        panics: bool,
    }

    impl FailingDisk {
        pub(crate) fn after(calls: u32) -> Self {
            Self { inner: Kernel::default(), left: AtomicU32::new(calls), kept: None, panics: false }
        }

        /// Allows every change but those in a directory that somebody keeps to himself.
        pub(crate) fn but_not_in(dir: &Path) -> Self {
            Self { kept: Some(dir.to_owned()), ..Self::after(u32::MAX) }
        }

        /// Allows `calls` changes and panics at every later one.
        pub(crate) fn panicking_after(calls: u32) -> Self {
            Self { panics: true, ..Self::after(calls) }
        }

        fn step(&self, path: &Path) -> Result<(), DiskError> {
            assert!(!self.panics || self.left.load(Ordering::SeqCst) > 0, "a panic on purpose");
            if self.kept.as_ref().is_some_and(|kept| path.starts_with(kept)) {
                return Err(DiskError::new("change", path, io::Error::from(rustix::io::Errno::ACCESS)));
            }
            self.left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
                .map(drop)
                .map_err(|_| DiskError::new("change", path, io::Error::from(rustix::io::Errno::NOSPC)))
        }
    }

    impl Disk for FailingDisk {
        fn fresh(&self, dir: &Path, access: Access) -> Result<Fresh, DiskError> {
            self.step(dir)?;
            self.inner.fresh(dir, access)
        }
        fn write(&self, file: &mut Fresh, bytes: &[u8]) -> Result<(), DiskError> {
            self.step(Path::new("write"))?;
            self.inner.write(file, bytes)
        }
        fn write_at(&self, file: &File, path: &Path, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
            self.step(path)?;
            self.inner.write_at(file, path, offset, bytes)
        }
        fn sync(&self, file: &Fresh) -> Result<(), DiskError> {
            self.step(Path::new("sync"))?;
            self.inner.sync(file)
        }
        fn name(&self, file: Fresh, to: &Path) -> Result<File, DiskError> {
            self.step(to)?;
            self.inner.name(file, to)
        }
        fn name_new(&self, file: &mut Fresh, to: &Path) -> Result<(), DiskError> {
            self.step(to)?;
            self.inner.name_new(file, to)
        }
        fn link_open(&self, file: &File, to: &Path) -> Result<(), DiskError> {
            self.step(to)?;
            self.inner.link_open(file, to)
        }
        fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
            let keeps = self.kept.as_ref().is_some_and(|kept| from.starts_with(kept));
            self.step(if keeps { from } else { to })?;
            self.inner.rename(from, to)
        }
        fn remove(&self, path: &Path) -> Result<(), DiskError> {
            self.step(path)?;
            self.inner.remove(path)
        }
        fn make_dir(&self, dir: &Path) -> Result<(), DiskError> {
            self.step(dir)?;
            self.inner.make_dir(dir)
        }
        fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
            self.step(dir)?;
            self.inner.sync_dir(dir)
        }
    }
}
