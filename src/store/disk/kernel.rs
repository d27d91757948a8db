//! The real disk.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};

use super::error::{AtPath as _, DiskError, MAKE, SYNC};
use super::{Access, Disk, Fresh, TEMPORARY, Temporary};

/// The real disk.
#[derive(Debug, Default)]
pub struct Kernel {
    counter: AtomicU64,
    roots: Vec<PathBuf>,
}

/// An open directory, and a name in it.
struct Place<'a> {
    dir: OwnedFd,
    name: &'a OsStr,
}

/// For traversal, search permission is enough.
const WALK: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// For a sync, it must be readable.
const READ: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Kernel {
    /// The disk, where nothing below these directories is reached through a link, whatever is swapped for one and
    /// whenever: each directory is opened from the one above it, and changes are made in the open directory.
    pub fn below(roots: Vec<PathBuf>) -> Self {
        Self { counter: AtomicU64::new(0), roots }
    }

    fn temporary(&self, dir: &Path) -> PathBuf {
        let n = self.counter.fetch_add(1, Ordering::Relaxed);
        dir.join(format!("{TEMPORARY}{}-{n}", std::process::id()))
    }

    /// Opens a directory; below a root, component by component and without following links.
    fn dir(&self, path: &Path) -> Result<OwnedFd, DiskError> {
        let failed = |error: rustix::io::Errno| DiskError::new("open", path, error.into());
        let root = self.roots.iter().find_map(|root| Some((root, path.strip_prefix(root).ok()?)));
        let Some((root, below)) = root else {
            return rustix::fs::open(path, WALK, Mode::empty()).map_err(failed);
        };
        let mut here = rustix::fs::open(root, WALK, Mode::empty()).map_err(failed)?;
        for part in below.components() {
            let Component::Normal(part) = part else { return Err(failed(rustix::io::Errno::INVAL)) };
            here = rustix::fs::openat(&here, part, WALK | OFlags::NOFOLLOW, Mode::empty()).map_err(failed)?;
        }
        Ok(here)
    }

    /// The same, readable, such as for a sync.
    fn readable_dir(&self, path: &Path) -> Result<OwnedFd, DiskError> {
        rustix::fs::openat(self.dir(path)?, ".", READ, Mode::empty()).at("open", path)
    }

    fn place<'a>(&self, path: &'a Path) -> Result<Place<'a>, DiskError> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(DiskError::new("use", path, io::Error::other("it is not the path of a file in a directory")));
        };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        Ok(Place { dir: self.dir(parent)?, name })
    }

    /// Links a new file to a name, which must be free.
    fn link_fresh(&self, file: &Fresh, to: &Path) -> Result<(), DiskError> {
        let place = self.place(to)?;
        let linked = match &file.temporary {
            None => {
                let unnamed = format!("/proc/self/fd/{}", file.file.as_raw_fd());
                rustix::fs::linkat(CWD, &unnamed, &place.dir, place.name, AtFlags::SYMLINK_FOLLOW)
            }
            Some(Temporary { dir, path }) => {
                let name = path.file_name().unwrap_or_default();
                rustix::fs::linkat(dir, name, &place.dir, place.name, AtFlags::empty())
            }
        };
        linked.at("name", to)
    }
}

impl Disk for Kernel {
    fn fresh(&self, dir: &Path, access: Access) -> Result<Fresh, DiskError> {
        let parent = self.dir(dir)?;
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::openat(&parent, ".", flags, access.mode()) {
            Ok(fd) => {
                let file = File::from(fd);
                // The umask removed bits, but clients must always be able to read it.
                rustix::fs::fchmod(&file, access.mode()).at("set the mode of a new file in", dir)?;
                Ok(Fresh { file, temporary: None })
            }
            // NFS, old overlayfs and some FUSE file systems do not support unnamed files.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR | rustix::io::Errno::INVAL) => {
                let path = self.temporary(dir);
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
                let name = path.file_name().unwrap_or_default();
                let fd = rustix::fs::openat(&parent, name, flags, access.mode()).at("create", &path)?;
                let file = Fresh { file: File::from(fd), temporary: Some(Temporary { dir: parent, path }) };
                rustix::fs::fchmod(&file.file, access.mode()).at("set the mode of", &file.label())?;
                Ok(file)
            }
            Err(error) => Err(DiskError::new("create a file in", dir, error.into())),
        }
    }

    fn write(&self, file: &mut Fresh, bytes: &[u8]) -> Result<(), DiskError> {
        file.file.write_all(bytes).at("write to", &file.label())
    }

    fn write_at(&self, file: &File, path: &Path, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        file.write_all_at(bytes, offset).at("write to", path)
    }

    fn sync(&self, file: &Fresh) -> Result<(), DiskError> {
        file.file.sync_all().at(SYNC, &file.label())
    }

    fn name(&self, file: Fresh, to: &Path) -> Result<File, DiskError> {
        let temporary = if let Some(temporary) = &file.temporary {
            temporary.path.clone()
        } else {
            match self.link_fresh(&file, to) {
                Ok(()) => return Ok(file.file),
                // The name is taken: link under a temporary name and rename.
                Err(error) if error.is_taken() => {
                    let path = self.temporary(to.parent().unwrap_or(Path::new(".")));
                    self.link_fresh(&file, &path)?;
                    path
                }
                Err(error) => return Err(error),
            }
        };
        let renamed = self.rename(&temporary, to);
        if renamed.is_err() {
            let _ = self.remove(&temporary);
        }
        renamed.map(|()| file.file)
    }

    fn name_new(&self, file: &mut Fresh, to: &Path) -> Result<(), DiskError> {
        self.link_fresh(file, to)?;
        match file.temporary.take() {
            Some(temporary) => self.remove(&temporary.path),
            None => Ok(()),
        }
    }

    fn link_open(&self, file: &File, to: &Path) -> Result<(), DiskError> {
        let place = self.place(to)?;
        let open = format!("/proc/self/fd/{}", file.as_raw_fd());
        rustix::fs::linkat(CWD, &open, &place.dir, place.name, AtFlags::SYMLINK_FOLLOW).at("link", to)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let (old, new) = (self.place(from)?, self.place(to)?);
        rustix::fs::renameat(&old.dir, old.name, &new.dir, new.name).at("rename", to)
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        let place = match self.place(path) {
            Ok(place) => place,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error),
        };
        match rustix::fs::unlinkat(&place.dir, place.name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(DiskError::new("remove", path, error.into())),
        }
    }

    fn make_dir(&self, dir: &Path) -> Result<(), DiskError> {
        match self.dir(dir) {
            Ok(_) => return Ok(()),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        let parent = dir.parent().ok_or_else(|| {
            DiskError::new(MAKE, dir, io::Error::new(io::ErrorKind::InvalidInput, "it has no parent directory"))
        })?;
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        self.make_dir(parent)?;
        let place = self.place(dir)?;
        let mode = Mode::RWXU | Mode::RGRP | Mode::XGRP | Mode::ROTH | Mode::XOTH;
        match rustix::fs::mkdirat(&place.dir, place.name, mode) {
            // The umask removed bits. The directory was just created by us, so it cannot be a link yet.
            Ok(()) => rustix::fs::fchmod(self.readable_dir(dir)?, mode).at("set the mode of", dir)?,
            Err(rustix::io::Errno::EXIST) => drop(self.dir(dir)?),
            Err(error) => return Err(DiskError::new(MAKE, dir, error.into())),
        }
        self.sync_dir(parent)
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
        rustix::fs::fsync(self.readable_dir(dir)?).at(SYNC, dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::put;

    #[test]
    fn a_name_that_appears_is_the_name_of_a_whole_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("f");
        let disk = Kernel::default();
        for bytes in [&b"old"[..], b"new content"] {
            put(&disk, &path, bytes, Access::Everybody).expect("written");
            assert_eq!(std::fs::read(&path).expect("read"), bytes);
        }
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 1, "no temporary name is left");
    }

    #[test]
    fn a_file_that_needs_a_name_loses_it_with_whoever_made_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = Kernel::default();
        // As on a file system without unnamed files.
        let fresh = || {
            let path = disk.temporary(dir.path());
            let file = std::fs::File::create_new(&path).expect("made");
            let temporary = Temporary { dir: disk.dir(dir.path()).expect("opened"), path };
            Fresh { file, temporary: Some(temporary) }
        };
        let names = || {
            let entries = std::fs::read_dir(dir.path()).expect("listed");
            let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
            names.sort();
            names
        };
        drop(fresh());
        assert!(names().is_empty());
        disk.name(fresh(), &dir.path().join("a")).expect("named");
        let mut second = fresh();
        assert!(disk.name_new(&mut second, &dir.path().join("a")).is_err(), "it is taken");
        disk.name_new(&mut second, &dir.path().join("b")).expect("named");
        drop(second);
        assert_eq!(names(), ["a", "b"]);
    }

    #[test]
    fn nothing_below_a_root_is_changed_through_a_link() {
        let dir = tempfile::tempdir().expect("a directory");
        let (root, outside) = (dir.path().join("root"), dir.path().join("outside"));
        let disk = Kernel::below(vec![root.clone()]);
        for dir in [&root, &outside] {
            Kernel::default().make_dir(dir).expect("made");
        }
        put(&disk, &outside.join("theirs"), b"old", Access::Everybody).expect("outside of the roots");
        put(&disk, &root.join("ours"), b"ours", Access::Everybody).expect("written");
        std::os::unix::fs::symlink(&outside, root.join("link")).expect("linked");
        let through = root.join("link/theirs");
        let ours = File::open(root.join("ours")).expect("opened");
        let tries: [Result<(), DiskError>; 7] = [
            put(&disk, &through, b"new", Access::Everybody),
            disk.link_open(&ours, &root.join("link/ours")),
            disk.rename(&root.join("ours"), &through),
            disk.rename(&through, &root.join("taken")),
            disk.remove(&through),
            disk.make_dir(&root.join("link/dir")),
            disk.sync_dir(&root.join("link")),
        ];
        for (which, tried) in tries.into_iter().enumerate() {
            let error = tried.expect_err("it goes through a link");
            assert!(error.concerns_one_path(), "{which}: {}", error.sentence());
        }
        assert_eq!(std::fs::read(outside.join("theirs")).expect("there"), b"old");
        assert_eq!(std::fs::read_dir(&outside).expect("listed").count(), 1);
    }

    #[test]
    fn a_name_that_is_taken_stays_what_it_is_when_only_a_new_one_will_do() {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = Kernel::default();
        let (taken, free) = (dir.path().join("taken"), dir.path().join("free"));
        put(&disk, &taken, b"old", Access::Everybody).expect("written");
        let mut fresh = disk.fresh(dir.path(), Access::Everybody).expect("made");
        disk.write(&mut fresh, b"new").expect("written");
        assert!(disk.name_new(&mut fresh, &taken).expect_err("taken").is_taken());
        disk.name_new(&mut fresh, &free).expect("free");
        assert_eq!(std::fs::read(&taken).expect("there"), b"old");
        assert_eq!(std::fs::read(&free).expect("there"), b"new");
    }
}
