//! I/O errors with their paths, and what an admin does about them.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

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
pub(in crate::store) const READ_UPLOAD: &str = "read the upload";

/// The verb of a sync that failed: the bytes were there, and what has become of them is unknown.
pub(super) const SYNC: &str = "sync";

/// The verb of making a directory.
pub(super) const MAKE: &str = "make";

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
    pub(super) fn is_of_sync(&self) -> bool {
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
    pub(in crate::store) fn is_of_silence(&self) -> bool {
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
