//! I/O errors with their paths, and what an admin can do about them.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// An I/O error with its path.
#[derive(Debug, thiserror::Error)]
#[error("could not {what} {}{}", path.display(), stray(what, path, source))]
pub struct DiskError {
    /// What was attempted, as a verb.
    pub what: &'static str,
    /// On which file.
    pub path: PathBuf,
    /// What the kernel said.
    #[source]
    pub source: io::Error,
}

/// The verb for reading an uploaded file.
pub(in crate::store) const READ_UPLOAD: &str = "read the upload";

/// The verb for a failed sync: what became of the bytes is unknown.
pub(super) const SYNC: &str = "sync";

/// The verb for creating a directory.
pub(super) const MAKE: &str = "make";

impl DiskError {
    /// An error for `path`.
    pub fn new(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self { what, path: path.to_owned(), source }
    }

    /// A copy of this error, for a failure that concerns several files.
    #[must_use]
    pub fn again(&self) -> Self {
        let source = match self.source.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(self.source.kind(), self.source.to_string()),
        };
        Self { what: self.what, path: self.path.clone(), source }
    }

    /// The error and its cause in one line.
    pub fn sentence(&self) -> String {
        format!("{self}: {}", self.source)
    }

    /// Whether a sync itself failed, and not a step before it.
    pub(super) fn is_sync_failure(&self) -> bool {
        self.what == SYNC
    }

    /// Whether the file does not exist.
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// Whether the name is taken.
    pub fn is_taken(&self) -> bool {
        self.source.kind() == io::ErrorKind::AlreadyExists
    }

    /// Whether the name cannot be opened as a file: it is a link, a socket, or a device without a driver.
    pub fn is_no_file(&self) -> bool {
        use rustix::io::Errno;
        let known = [Errno::LOOP, Errno::NXIO, Errno::NODEV, Errno::NOTDIR];
        self.source.raw_os_error().is_some_and(|code| known.iter().any(|errno| errno.raw_os_error() == code))
    }

    /// Whether a file system did not respond.
    pub(in crate::store) fn is_timeout(&self) -> bool {
        self.source.kind() == io::ErrorKind::TimedOut
    }

    /// Whether it is about this one path, such as a directory without permission, a link, a name that is too long, or
    /// an unreadable upload: other files may still work. A full or broken disk is not.
    pub fn concerns_one_path(&self) -> bool {
        use rustix::io::Errno;
        // AGAIN: whoever has the file open holds a lease on it (`fcntl(2)`).
        let known =
            [Errno::ACCESS, Errno::PERM, Errno::LOOP, Errno::NOTDIR, Errno::ISDIR, Errno::NAMETOOLONG, Errno::AGAIN];
        if self.is_timeout() || self.what == READ_UPLOAD {
            return true;
        }
        self.source.raw_os_error().is_some_and(|code| known.iter().any(|errno| errno.raw_os_error() == code))
    }

    /// Whether the two paths are on different file systems, or the file system does not support links.
    pub fn wants_copy(&self) -> bool {
        // EMLINK: too many links to this inode; EPERM: the file system does not support links (FAT, some FUSE).
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

/// What would let this process use a file that belongs to somebody else; `None` if that is not the problem.
///
/// Running a program as root once by mistake leaves such files.
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

/// What lets this process have a directory that it may not create: root creates just that one. The directory above it,
/// such as `/var/lib`, often belongs to the system, and its owner must not change.
pub fn remedy_of_missing(dir: &Path) -> String {
    format!("as root, `install -d -o {} {}`", user(me()), dir.display())
}

/// Whether neither of the two directories above this one is ours.
fn lies_outside(dir: &Path) -> bool {
    let me = me();
    let mut above = dir.ancestors().skip(1).take(2).filter_map(|dir| std::fs::symlink_metadata(dir).ok());
    above.all(|meta| meta.uid() != me)
}

/// [`remedy_of_owner`] in brackets, where the file or its directory belongs to root, as after a run by mistake.
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

/// The name of a user if this machine has one, else the number; `chown` accepts both.
pub fn user(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| uid.to_string())
}

/// What to do after a file could not be read; nothing needs to be removed.
pub fn way_on(path: &Path, error: &io::Error) -> String {
    let mend = match error.kind() {
        io::ErrorKind::PermissionDenied => remedy_of_owner(path),
        _ => None,
    };
    mend.unwrap_or_else(|| "Leave the file in place, fix the cause and try again".to_owned())
}

/// Adds the path to an I/O result.
pub trait AtPath<T> {
    /// What was attempted, and on which file.
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
