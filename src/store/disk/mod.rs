//! The seam: every change rolloutd makes to the disk.
//!
//! A handful of operations, so that a test can break each of them in turn. [`Kernel`] performs them; [`Latched`] stops
//! all writing after the first failed sync, because from then on it is unknown what is on disk, and a second `fsync`
//! may succeed for pages that the kernel has already dropped (Rebello et al., ATC 2020). A full disk, a missing
//! permission or too many open files is an ordinary error and stops nothing, even on the way to a sync.
//!
//! What never happens: an operation follows a symbolic link in the last component of a path, or in any component below
//! a root given to [`Kernel::below`]; a file appears under its final name before its bytes are synced. A name that
//! appears always names a complete file.

/// I/O errors with their paths, and what an admin can do about them.
mod error;
/// The real disk.
mod kernel;
/// Stops all writing after a failed sync.
mod latch;
/// Whole files: writing, linking, copying, removing.
mod files;

use std::fmt;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode};

pub(super) use error::READ_UPLOAD;
pub use error::{AtPath, DiskError, me, remedy_of_missing, remedy_of_owner, user, way_on};
pub use files::{Wanted, copy_over, link_over, put, remove_all, remove_below, sweep, sweep_own};
pub use kernel::Kernel;
pub use latch::Latched;

/// The prefix of all temporary names. Files with it are removed at start.
pub const TEMPORARY: &str = ".rolloutd-";

/// The permissions of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// 0644: what clients fetch.
    Everybody,
    /// 0444: packages, which are never changed again; every tree that lists one shares the inode.
    Sealed,
    /// 0600: private to the daemon.
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

/// A new file without its final name.
#[derive(Debug)]
pub struct Fresh {
    /// Open for reading and writing.
    pub file: File,
    /// Its temporary name, on file systems without unnamed files.
    temporary: Option<Temporary>,
}

impl Fresh {
    fn label(&self) -> PathBuf {
        self.temporary.as_ref().map_or_else(|| PathBuf::from("a new file"), |temporary| temporary.path.clone())
    }
}

/// A name that is removed when this is dropped, as an unnamed file would be.
#[derive(Debug)]
struct Temporary {
    dir: OwnedFd,
    path: PathBuf,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // It has been renamed, or is no longer needed; a leftover is swept at the next start.
        let _ = rustix::fs::unlinkat(&self.dir, self.path.file_name().unwrap_or_default(), AtFlags::empty());
    }
}

/// Every change rolloutd makes to the disk.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Creates a file on the file system of `dir`, without its final name; a crash removes it.
    fn fresh(&self, dir: &Path, access: Access) -> Result<Fresh, DiskError>;
    /// Appends bytes to a new file.
    fn write(&self, file: &mut Fresh, bytes: &[u8]) -> Result<(), DiskError>;
    /// Writes bytes into one of the daemon's own files, at an offset that nobody reads yet.
    fn write_at(&self, file: &File, path: &Path, offset: u64, bytes: &[u8]) -> Result<(), DiskError>;
    /// Makes the file's bytes durable.
    fn sync(&self, file: &Fresh) -> Result<(), DiskError>;
    /// Gives a synced file its final name, atomically replacing whatever had it.
    fn name(&self, file: Fresh, to: &Path) -> Result<File, DiskError>;
    /// Gives a synced file its final name; a taken name is an error and leaves the file unchanged.
    fn name_new(&self, file: &mut Fresh, to: &Path) -> Result<(), DiskError>;
    /// Gives an open file another name, whatever its first name refers to by now; a taken name is an error.
    fn link_open(&self, file: &File, to: &Path) -> Result<(), DiskError>;
    /// Renames, atomically replacing whatever had the new name.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError>;
    /// Removes a name; a missing one is not an error, so that every step can be repeated.
    fn remove(&self, path: &Path) -> Result<(), DiskError>;
    /// Creates a directory and its missing parents, mode 0755, each entry durable.
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

    /// Allows `calls` changes, then fails every one.
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

        /// Allows all changes except in one directory without permission.
        pub(crate) fn but_not_in(dir: &Path) -> Self {
            Self { kept: Some(dir.to_owned()), ..Self::after(u32::MAX) }
        }

        /// Allows `calls` changes, then panics.
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
