//! Stops all writing after a failed sync.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::DiskError;
use super::{Access, Disk, Fresh};

/// Stops all writing after the first failed sync.
#[derive(Debug)]
pub struct Latched<D> {
    inner: D,
    broken: Arc<AtomicBool>,
}

impl<D: Disk> Latched<D> {
    /// Wraps `inner`; writing is allowed.
    pub fn new(inner: D) -> Self {
        Self { inner, broken: Arc::default() }
    }

    /// A shared flag: `true` once writing has stopped.
    pub fn broken(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.broken)
    }

    fn open(&self, path: &Path) -> Result<(), DiskError> {
        if self.broken.load(Ordering::SeqCst) {
            let why = "an earlier sync failed; nothing is written until the daemon is restarted";
            return Err(DiskError::new("change", path, io::Error::other(why)));
        }
        Ok(())
    }

    fn watch<T>(&self, done: Result<T, DiskError>) -> Result<T, DiskError> {
        if let Some(error) = done.as_ref().err().filter(|error| error.is_sync_failure())
            && !self.broken.swap(true, Ordering::SeqCst)
        {
            tracing::error!(why = error.sentence(), "a sync failed: nothing is written until the daemon is restarted");
        }
        done
    }
}

impl<D: Disk> Disk for Latched<D> {
    fn fresh(&self, dir: &Path, access: Access) -> Result<Fresh, DiskError> {
        self.open(dir)?;
        self.inner.fresh(dir, access)
    }

    fn write(&self, file: &mut Fresh, bytes: &[u8]) -> Result<(), DiskError> {
        self.open(&file.label())?;
        self.inner.write(file, bytes)
    }

    fn write_at(&self, file: &File, path: &Path, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.open(path)?;
        self.inner.write_at(file, path, offset, bytes)
    }

    fn sync(&self, file: &Fresh) -> Result<(), DiskError> {
        self.open(&file.label())?;
        self.watch(self.inner.sync(file))
    }

    fn name(&self, file: Fresh, to: &Path) -> Result<File, DiskError> {
        self.open(to)?;
        self.inner.name(file, to)
    }

    fn name_new(&self, file: &mut Fresh, to: &Path) -> Result<(), DiskError> {
        self.open(to)?;
        self.inner.name_new(file, to)
    }

    fn link_open(&self, file: &File, to: &Path) -> Result<(), DiskError> {
        self.open(to)?;
        self.inner.link_open(file, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.open(to)?;
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.open(path)?;
        self.inner.remove(path)
    }

    fn make_dir(&self, dir: &Path) -> Result<(), DiskError> {
        self.open(dir)?;
        self.watch(self.inner.make_dir(dir))
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
        self.open(dir)?;
        self.watch(self.inner.sync_dir(dir))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::error::SYNC;
    use crate::store::disk::{Kernel, put};

    /// The real disk, with syncs that fail.
    #[derive(Debug)]
    struct LyingSync(Kernel);

    fn lost(path: &Path) -> Result<(), DiskError> {
        Err(DiskError::new(SYNC, path, io::Error::from(rustix::io::Errno::IO)))
    }

    impl Disk for LyingSync {
        fn fresh(&self, dir: &Path, access: Access) -> Result<Fresh, DiskError> {
            self.0.fresh(dir, access)
        }
        fn write(&self, file: &mut Fresh, bytes: &[u8]) -> Result<(), DiskError> {
            self.0.write(file, bytes)
        }
        fn write_at(&self, file: &File, path: &Path, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
            self.0.write_at(file, path, offset, bytes)
        }
        fn sync(&self, file: &Fresh) -> Result<(), DiskError> {
            lost(&file.label())
        }
        fn name(&self, file: Fresh, to: &Path) -> Result<File, DiskError> {
            self.0.name(file, to)
        }
        fn name_new(&self, file: &mut Fresh, to: &Path) -> Result<(), DiskError> {
            self.0.name_new(file, to)
        }
        fn link_open(&self, file: &File, to: &Path) -> Result<(), DiskError> {
            self.0.link_open(file, to)
        }
        fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
            self.0.rename(from, to)
        }
        fn remove(&self, path: &Path) -> Result<(), DiskError> {
            self.0.remove(path)
        }
        fn make_dir(&self, dir: &Path) -> Result<(), DiskError> {
            self.0.make_dir(dir)?;
            lost(dir)
        }
        fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
            lost(dir)
        }
    }

    type Sync<'a> = &'a dyn Fn(&dyn Disk) -> Result<(), DiskError>;

    #[test]
    fn after_a_failed_sync_nothing_is_written_any_more() {
        let dir = tempfile::tempdir().expect("a directory");
        let syncs: [(&str, Sync<'_>); 3] = [
            ("a file", &|disk| put(disk, &dir.path().join("a"), b"x", Access::Owner)),
            ("a directory", &|disk| disk.sync_dir(dir.path())),
            ("a new directory", &|disk| disk.make_dir(&dir.path().join("new"))),
        ];
        for (what, sync) in syncs {
            let disk = Latched::new(LyingSync(Kernel::default()));
            let broken = disk.broken();
            assert!(!broken.load(Ordering::SeqCst));
            assert!(sync(&disk).is_err(), "{what}");
            assert!(broken.load(Ordering::SeqCst), "{what}");
            let later = disk.make_dir(&dir.path().join("d")).expect_err("the latch is shut");
            assert!(later.sentence().contains("an earlier sync failed"), "{}", later.sentence());
        }
    }

    /// As when no descriptors are left: the directory cannot even be opened, so no sync was attempted.
    #[test]
    fn a_directory_that_cannot_be_opened_stops_no_writing() {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = Latched::new(Kernel::default());
        assert!(disk.sync_dir(&dir.path().join("missing")).is_err());
        put(&disk, &dir.path().join("a"), b"x", Access::Owner).expect("writing goes on");
    }
}
