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

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aws_lc_rs::digest;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};

use super::patience::Patient;
use crate::domain::checksum::Sha256;

/// An I/O error with the path it is about.
#[derive(Debug, thiserror::Error)]
#[error("could not {what} {}{}", path.display(), stray(what, path, source))]
pub struct DiskError {
    /// What was tried, a verb.
    pub what: &'static str,
    /// On which file.
    pub path: PathBuf,
    /// What the kernel said.
    #[source]
    pub source: io::Error,
}

/// The verb of reading a file that somebody uploaded.
pub(super) const READ_UPLOAD: &str = "read the upload";

/// The verb of a sync that failed: the bytes were there, and what has become of them is unknown.
const SYNC: &str = "sync";

impl DiskError {
    /// An error for `path`.
    pub fn new(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self { what, path: path.to_owned(), source }
    }

    /// The same error once more, where it concerns several files.
    #[must_use]
    pub fn again(&self) -> Self {
        let source = match self.source.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(self.source.kind(), self.source.to_string()),
        };
        Self { what: self.what, path: self.path.clone(), source }
    }

    /// The error with its cause in one line.
    pub fn sentence(&self) -> String {
        format!("{self}: {}", self.source)
    }

    /// Whether a sync itself failed, and not what had to be done before it.
    fn is_of_sync(&self) -> bool {
        self.what == SYNC
    }

    /// Whether the kernel said that there is no such file.
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// Whether the kernel said that the name is taken.
    pub fn is_taken(&self) -> bool {
        self.source.kind() == io::ErrorKind::AlreadyExists
    }

    /// Whether what has the name cannot be opened as a file: a link, a socket, a device without a driver.
    pub fn is_no_file(&self) -> bool {
        use rustix::io::Errno;
        let known = [Errno::LOOP, Errno::NXIO, Errno::NODEV, Errno::NOTDIR];
        self.source.raw_os_error().is_some_and(|code| known.iter().any(|errno| errno.raw_os_error() == code))
    }

    /// Whether a file system gave no answer.
    pub(super) fn is_of_silence(&self) -> bool {
        self.source.kind() == io::ErrorKind::TimedOut
    }

    /// Whether it is about this one path, such as a directory that somebody else keeps to himself, a
    /// link, a name that is too long, or an upload that cannot be read: other files may fare better. A full or
    /// broken disk is none.
    pub fn concerns_one_path(&self) -> bool {
        use rustix::io::Errno;
        // AGAIN: whoever has the file open has taken a lease on it (`fcntl(2)`), and is asked for it first.
        let known =
            [Errno::ACCESS, Errno::PERM, Errno::LOOP, Errno::NOTDIR, Errno::ISDIR, Errno::NAMETOOLONG, Errno::AGAIN];
        if self.is_of_silence() || self.what == READ_UPLOAD {
            return true;
        }
        self.source.raw_os_error().is_some_and(|code| known.iter().any(|errno| errno.raw_os_error() == code))
    }

    /// Whether the two paths lie on different file systems, or the file system has no links.
    pub fn wants_copy(&self) -> bool {
        // EMLINK: too many links to this inode; EPERM: the file system has none (FAT, some FUSE).
        matches!(self.source.raw_os_error(), Some(code) if
            code == rustix::io::Errno::XDEV.raw_os_error()
            || code == rustix::io::Errno::MLINK.raw_os_error()
            || code == rustix::io::Errno::PERM.raw_os_error()
            || code == rustix::io::Errno::OPNOTSUPP.raw_os_error())
    }
}

/// The user of this process.
pub fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// What would let this process use a file that belongs to somebody else; `None` where that is not what is wrong.
///
/// A program that root has once run by mistake leaves such files.
pub fn remedy_of_owner(path: &Path) -> Option<String> {
    let me = me();
    let foreign = |path: &&Path| {
        let owner = std::fs::symlink_metadata(path).map(|meta| meta.uid());
        let wanted = rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK;
        owner.is_ok_and(|owner| owner != me) && rustix::fs::access(*path, wanted).is_err()
    };
    let it = std::iter::once(path).chain(path.parent()).find(foreign).filter(|_| me != 0)?;
    let owner = std::fs::symlink_metadata(it).ok()?.uid();
    let above = it.parent().and_then(|dir| std::fs::symlink_metadata(dir).ok()).map(|meta| meta.uid());
    let stray = owner == 0 || above == Some(me);
    let (owner, me, it) = (user(owner), user(me), it.display());
    Some(if stray {
        format!("{it} belongs to {owner}, but this runs as {me}: as root, `chown {me} {it}`")
    } else {
        format!("{it} belongs to {owner}, but this runs as {me}: run it as {owner}")
    })
}

/// The verb of making a directory.
const MAKE: &str = "make";

/// What lets this process make a directory where it may not: root makes it, and it alone. The one above, such as
/// `/var/lib`, is often the whole machine's, and its owner is not to change for that.
pub fn remedy_of_missing(dir: &Path) -> String {
    format!("as root, `install -d -o {} {}`", user(me()), dir.display())
}

/// Whether a directory that cannot be made lies directly in one that is not ours, nor in anything that is ours.
fn lies_outside(dir: &Path) -> bool {
    let me = me();
    let mut above = dir.ancestors().skip(1).take(2).filter_map(|dir| std::fs::symlink_metadata(dir).ok());
    above.all(|meta| meta.uid() != me)
}

/// The same as [`remedy_of_owner`], in brackets, where the file or its directory is root's, as after a run by mistake.
fn stray(what: &str, path: &Path, error: &io::Error) -> String {
    let of_root = |path: &Path| std::fs::symlink_metadata(path).is_ok_and(|meta| meta.uid() == 0);
    let is_stray =
        error.kind() == io::ErrorKind::PermissionDenied && std::iter::once(path).chain(path.parent()).any(of_root);
    let remedy = Some(path).filter(|_| is_stray).and_then(|path| {
        let is_new = what == MAKE && std::fs::symlink_metadata(path).is_err() && lies_outside(path);
        if is_new { Some(remedy_of_missing(path)) } else { remedy_of_owner(path) }
    });
    remedy.map(|remedy| format!(" ({remedy})")).unwrap_or_default()
}

/// The name of a user where this machine has one, else the number; `chown` takes both.
pub fn user(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| uid.to_string())
}

/// How it goes on after a file could not be read; nothing is to be removed for that.
pub fn way_on(path: &Path, error: &io::Error) -> String {
    let mend = match error.kind() {
        io::ErrorKind::PermissionDenied => remedy_of_owner(path),
        _ => None,
    };
    mend.unwrap_or_else(|| "Leave the file in place, fix the cause and try again".to_owned())
}

/// Adds the path to an I/O result.
pub trait AtPath<T> {
    /// What was tried, and on which file.
    fn at(self, what: &'static str, path: &Path) -> Result<T, DiskError>;
}

impl<T> AtPath<T> for io::Result<T> {
    fn at(self, what: &'static str, path: &Path) -> Result<T, DiskError> {
        self.map_err(|source| DiskError::new(what, path, source))
    }
}

impl<T> AtPath<T> for rustix::io::Result<T> {
    fn at(self, what: &'static str, path: &Path) -> Result<T, DiskError> {
        self.map_err(|source| DiskError::new(what, path, source.into()))
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

/// The disk as the kernel gives it.
#[derive(Debug, Default)]
pub struct Kernel {
    counter: AtomicU64,
    roots: Vec<PathBuf>,
}

/// A directory that is held open, and a name in it.
struct Place<'a> {
    dir: OwnedFd,
    name: &'a OsStr,
}

/// To get somewhere, search permission is enough.
const WALK: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// What can be synced.
const READ: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Kernel {
    /// The disk, where nothing below these directories is reached through a link, whoever swaps what for one
    /// at whatever moment: each directory is opened from the one above it, and a change is made in the
    /// directory that was opened.
    pub fn below(roots: Vec<PathBuf>) -> Self {
        Self { counter: AtomicU64::new(0), roots }
    }

    fn temporary(&self, dir: &Path) -> PathBuf {
        let n = self.counter.fetch_add(1, Ordering::Relaxed);
        dir.join(format!("{TEMPORARY}{}-{n}", std::process::id()))
    }

    /// Opens a directory, below a root component by component and without following any link.
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

    /// The same for what needs more than to be there, such as a sync.
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

    /// Links a fresh file to a name, which must be free.
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
                // The umask took bits away; what clients fetch is readable whatever it is.
                rustix::fs::fchmod(&file, access.mode()).at("set the mode of a new file in", dir)?;
                Ok(Fresh { file, temporary: None })
            }
            // NFS, old overlayfs and some FUSE file systems have no unnamed files.
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
                // The name is taken: link beside it and rename over it.
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
            DiskError::new("make", dir, io::Error::new(io::ErrorKind::InvalidInput, "it has no parent directory"))
        })?;
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        self.make_dir(parent)?;
        let place = self.place(dir)?;
        let mode = Mode::RWXU | Mode::RGRP | Mode::XGRP | Mode::ROTH | Mode::XOTH;
        match rustix::fs::mkdirat(&place.dir, place.name, mode) {
            // The umask took bits away. The directory is ours, so its name is no link yet.
            Ok(()) => rustix::fs::fchmod(self.readable_dir(dir)?, mode).at("set the mode of", dir)?,
            Err(rustix::io::Errno::EXIST) => drop(self.dir(dir)?),
            Err(error) => return Err(DiskError::new("make", dir, error.into())),
        }
        self.sync_dir(parent)
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
        rustix::fs::fsync(self.readable_dir(dir)?).at(SYNC, dir)
    }
}

impl Fresh {
    fn label(&self) -> PathBuf {
        self.temporary.as_ref().map_or_else(|| PathBuf::from("a new file"), |temporary| temporary.path.clone())
    }
}

/// Stops all writing after the first failed sync.
#[derive(Debug)]
pub struct Latched<D> {
    inner: D,
    broken: Arc<AtomicBool>,
}

impl<D: Disk> Latched<D> {
    /// A latch around `inner`, open.
    pub fn new(inner: D) -> Self {
        Self { inner, broken: Arc::default() }
    }

    /// A view of the latch: `true` once writing has stopped.
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
        if done.as_ref().is_err_and(DiskError::is_of_sync) {
            self.broken.store(true, Ordering::SeqCst);
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

/// Writes a whole small file: bytes synced, name given, directory synced.
///
/// # Errors
/// With the file that was being written; the old content, if any, is then still there.
pub fn put(disk: &dyn Disk, path: &Path, bytes: &[u8], access: Access) -> Result<(), DiskError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = disk.fresh(dir, access)?;
    disk.write(&mut file, bytes)?;
    disk.sync(&file)?;
    disk.name(file, path)?;
    disk.sync_dir(dir)
}

/// Gives a file a name that something else may have: made beside it and renamed over it.
fn name_over(disk: &dyn Disk, to: &Path, name: impl Fn(&Path) -> Result<(), DiskError>) -> Result<(), DiskError> {
    match name(to) {
        Err(error) if error.is_taken() => {
            let mut beside = to.as_os_str().to_owned();
            beside.push(".rolloutd-new");
            let beside = PathBuf::from(beside);
            disk.remove(&beside)?;
            name(&beside)?;
            disk.rename(&beside, to)
        }
        other => other,
    }
}

/// Gives an open file one more name, in place of what has it; whether that can be done here. It cannot where the name
/// lies on another file system, or on one without links.
///
/// # Errors
/// With the path at fault; what had the name has it still.
pub fn link_over(disk: &dyn Disk, file: &File, to: &Path) -> Result<bool, DiskError> {
    match name_over(disk, to, |to| disk.link_open(file, to)) {
        Err(error) if error.wants_copy() => Ok(false),
        other => other.map(|()| true),
    }
}

/// What is asked of a copy.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The bytes, when only these will do.
    pub sha256: Option<Sha256>,
    /// The time of the file, in seconds since the epoch; otherwise that of the original.
    pub file_time: Option<u64>,
    /// Who may read and write it.
    pub access: Access,
}

/// Copies an open file, from its beginning, to an inode of its own and gives that a name, in place of what has it.
/// The bytes are hashed while they are copied, so that those which were looked at are those which have the name.
/// Gives the copy; `None` when the bytes are other ones, and nothing has changed then.
///
/// # Errors
/// With the path at fault; what had the name has it still.
pub fn copy_over(
    disk: &dyn Disk,
    from: &File,
    label: &Path,
    to: &Path,
    wanted: Wanted,
) -> Result<Option<File>, DiskError> {
    use std::io::Seek as _;
    let mut source = from.try_clone().at("open again", label)?;
    source.rewind().at("read", label)?;
    let modified = match wanted.file_time {
        Some(seconds) => std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds),
        // The metadata of every tree names the same file time, wherever the bytes lie.
        None => source.metadata().and_then(|meta| meta.modified()).at("look at", label)?,
    };
    let mut source = Patient::begin(source).at("read", label)?;
    let mut file = disk.fresh(to.parent().unwrap_or(Path::new(".")), wanted.access)?;
    let mut sum = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = io::Read::read(&mut source, &mut buffer).at("read", label)?;
        let bytes = buffer.get(..n).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        sum.update(bytes);
        disk.write(&mut file, bytes)?;
    }
    if wanted.sha256.is_some_and(|sha256| sha256.0 != *sum.finish().as_ref()) {
        return Ok(None);
    }
    file.file.set_modified(modified).at("set the time of", to)?;
    disk.sync(&file)?;
    disk.name(file, to).map(Some)
}

/// Removes a directory of ours with all that is in it; links are not followed, and a missing one is no error.
///
/// # Errors
/// With the path at fault.
pub fn remove_all(dir: &Path) -> Result<(), DiskError> {
    #[expect(clippy::disallowed_methods, reason = "this is the place of all writing")]
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(DiskError::new("remove", dir, error)),
        _ => Ok(()),
    }
}

/// Removes all that is in a directory of ours.
///
/// # Errors
/// With the path at fault.
pub fn remove_below(dir: &Path) -> Result<(), DiskError> {
    for entry in std::fs::read_dir(dir).at("list", dir)? {
        let entry = entry.at("list", dir)?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_all(&entry.path())?;
        } else {
            Kernel::default().remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes what a crash left under temporary names in `dir`; a missing directory has none.
///
/// # Errors
/// With the path at fault.
pub fn sweep(disk: &dyn Disk, dir: &Path) -> Result<(), DiskError> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(DiskError::new("list", dir, error)),
    };
    for entry in entries {
        let entry = entry.at("list", dir)?;
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && entry.file_name().as_encoded_bytes().starts_with(TEMPORARY.as_bytes()) {
            disk.remove(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod failing {
    //! A disk whose n-th change fails, for tests that fail at each step in turn.

    use super::*;
    use std::sync::atomic::AtomicU32;

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

#[cfg(test)]
mod tests {
    use super::*;

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
        // As on a file system that has no unnamed files.
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

    #[test]
    fn a_put_that_fails_at_any_step_leaves_the_old_or_the_new_content() {
        for calls in 0.. {
            let dir = tempfile::tempdir().expect("a directory");
            let path = dir.path().join("f");
            put(&Kernel::default(), &path, b"old", Access::Owner).expect("written");
            let result = put(&failing::FailingDisk::after(calls), &path, b"new", Access::Owner);
            let seen = std::fs::read(&path).expect("one of the two is there");
            assert!(seen == b"old" || seen == b"new", "after {calls} steps");
            if result.is_ok() {
                assert_eq!(seen, b"new");
                return;
            }
        }
    }

    /// The kernel, with syncs that fail.
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

    /// As when there are no descriptors left: the directory cannot even be opened, so no sync was tried.
    #[test]
    fn a_directory_that_cannot_be_opened_stops_no_writing() {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = Latched::new(Kernel::default());
        assert!(disk.sync_dir(&dir.path().join("missing")).is_err());
        put(&disk, &dir.path().join("a"), b"x", Access::Owner).expect("writing goes on");
    }

    #[test]
    fn what_a_crash_left_is_swept_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = Kernel::default();
        for name in [".rolloutd-1-2", "keep.rpm", ".hidden"] {
            put(&disk, &dir.path().join(name), b"", Access::Owner).expect("written");
        }
        sweep(&disk, dir.path()).expect("swept");
        let mut left: Vec<_> =
            std::fs::read_dir(dir.path()).expect("listed").map(|e| e.expect("entry").file_name()).collect();
        left.sort();
        assert_eq!(left, [".hidden", "keep.rpm"]);
        std::fs::create_dir(dir.path().join(".rolloutd-of-somebody")).expect("made");
        sweep(&disk, dir.path()).expect("a directory is none of ours");
        sweep(&disk, &dir.path().join("missing")).expect("nothing to do");
    }
}
