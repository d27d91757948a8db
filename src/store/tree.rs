//! The layout of a tree on disk.
//!
//! ```text
//! <root>/<tree>/<distribution>/                       what clients call baseurl
//!     repodata/                                       metadata, see `publication`
//!     Packages/<first letter>/NAME-VERSION-RELEASE.ARCH.rpm
//!     <ID>.repo                                       the generated yum file
//! ```
//!
//! A path is built from names that were checked when they came in (`domain/names`, `domain/nevra`), so none can lead
//! out of the root. Whether the directories are what they seem is another matter: [`plain`], which follows no link,
//! finds a swapped one.

use std::fs::DirEntry;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::disk::{AtPath as _, DiskError};
use crate::domain::names::TreeId;
pub use crate::domain::nevra::PACKAGES;

/// The metadata directory of a tree.
pub const REPODATA: &str = "repodata";

/// The directory of one tree of one distribution.
pub fn dir(root: &Path, id: &TreeId) -> PathBuf {
    root.join(id.tree.as_str()).join(id.dist.as_str())
}

/// The directories in a tree that hold packages. Links are skipped; a tree that does not exist yet has none.
///
/// # Errors
/// With the path that failed.
pub fn package_dirs(tree: &Path) -> Result<Vec<PathBuf>, DiskError> {
    let mut dirs = Vec::new();
    each_package_dir(tree, |entry| dirs.push(entry.path()))?;
    Ok(dirs)
}

/// Calls `show` with the entry of each of them.
///
/// # Errors
/// As above.
pub fn each_package_dir(tree: &Path, mut show: impl FnMut(&DirEntry)) -> Result<(), DiskError> {
    let packages = tree.join(PACKAGES);
    if !is_plain_dir(&packages)? {
        return Ok(());
    }
    for entry in std::fs::read_dir(&packages).at("list", &packages)? {
        let entry = entry.at("list", &packages)?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            show(&entry);
        }
    }
    Ok(())
}

/// Whether a file name is a package's, and not a temporary one.
pub fn is_rpm(name: &str) -> bool {
    !name.starts_with('.') && Path::new(name).extension().is_some_and(|extension| extension == "rpm")
}

/// Opens something below `base` without following any link, for reading.
///
/// Each component is opened from the one before it and must not be a link, so a directory that was swapped for a link
/// is an error and not a way out (threats row 6). `openat2` would do the same in one call, but systemd's
/// `RestrictSUIDSGID=` blocks it, since no filter can see its flags.
///
/// # Errors
/// With the path that failed.
pub fn open_beneath(base: &Path, relative: &Path) -> Result<std::fs::File, DiskError> {
    let whole = base.join(relative);
    let (parent, name) = relative.parent().zip(relative.file_name()).ok_or_else(|| leads_out(&whole))?;
    let here = walk(base, parent)?;
    let read = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(&here, name, read, Mode::empty()).at("open", &whole)?;
    Ok(std::fs::File::from(fd))
}

/// Opens a directory below `base`, or `base` itself, in the same way, to list it.
///
/// # Errors
/// With the path that failed.
pub fn open_dir_beneath(base: &Path, relative: &Path) -> Result<OwnedFd, DiskError> {
    let here = walk(base, relative)?;
    let read = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(&here, ".", read, Mode::empty()).at("list", &base.join(relative))
}

fn walk(base: &Path, relative: &Path) -> Result<OwnedFd, DiskError> {
    let whole = base.join(relative);
    let walk = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut here = rustix::fs::open(base, walk, Mode::empty()).at("open", base)?;
    for part in relative.components() {
        let Component::Normal(part) = part else { return Err(leads_out(&whole)) };
        here = rustix::fs::openat(&here, part, walk | OFlags::NOFOLLOW, Mode::empty()).at("open", &whole)?;
    }
    Ok(here)
}

fn leads_out(path: &Path) -> DiskError {
    DiskError::new("open", path, std::io::Error::other("it is not a name below its directory"))
}

/// Checks that every directory from `root` down to the tree, and the two in it, are directories and not links.
///
/// This reports a problem early and clearly; [`super::disk::Kernel::below`] ensures that nothing is changed through a
/// link that appears a moment later.
///
/// # Errors
/// The first component that is a link or cannot be looked at; a missing one is not an error.
pub fn plain(root: &Path, id: &TreeId) -> Result<(), DiskError> {
    let mut path = root.to_owned();
    for part in [id.tree.as_str()].into_iter().chain(id.dist.parts()) {
        path.push(part);
        if !is_plain_dir(&path)? {
            return Ok(());
        }
    }
    [PACKAGES, REPODATA].into_iter().try_for_each(|part| is_plain_dir(&path.join(part)).map(drop))
}

/// Whether a directory exists.
fn is_plain_dir(path: &Path) -> Result<bool, DiskError> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => Ok(true),
        Ok(_) => {
            let why = std::io::Error::other("it is a link or a file where a directory should be");
            Err(DiskError::new("use", path, why))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(DiskError::new("look at", path, error)),
    }
}

/// The content of a small file of ours, read without following a link or waiting for a pipe; `None` if it does not
/// exist, is not a regular file, or is longer than `most` bytes.
pub fn read_small(path: &Path, most: u64) -> Option<Vec<u8>> {
    use std::io::Read as _;
    let file = open_beneath(path.parent()?, Path::new(path.file_name()?)).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= most).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::nevra::Nevra;

    fn id() -> TreeId {
        TreeId { dist: "umd/3/sl6/x86_64".parse().expect("a path"), tree: "testing".parse().expect("a name") }
    }

    #[test]
    fn a_tree_lies_where_the_seed_has_it() {
        assert_eq!(dir(Path::new("/srv/repo/sw"), &id()), Path::new("/srv/repo/sw/testing/umd/3/sl6/x86_64"));
        let nevra: Nevra = "SE-DPM_mysql-1.8.0-1.x86_64".parse().expect("a nevra");
        assert_eq!(nevra.location(), "Packages/s/SE-DPM_mysql-1.8.0-1.x86_64.rpm");
    }

    #[test]
    fn packages_lie_in_directories_and_in_no_links() {
        let dir = tempfile::tempdir().expect("a directory");
        let packages = dir.path().join(PACKAGES);
        assert_eq!(package_dirs(dir.path()).expect("listed"), Vec::<PathBuf>::new(), "none yet");
        std::fs::create_dir(&packages).expect("made");
        std::fs::create_dir(packages.join("b")).expect("made");
        std::fs::File::create(packages.join("c")).expect("made");
        std::os::unix::fs::symlink("b", packages.join("d")).expect("linked");
        assert_eq!(package_dirs(dir.path()).expect("listed"), [packages.join("b")]);
        let other = tempfile::tempdir().expect("a directory");
        std::os::unix::fs::symlink(&packages, other.path().join(PACKAGES)).expect("linked");
        assert!(package_dirs(other.path()).is_err(), "all of it through a link");
    }

    #[test]
    fn nothing_is_opened_through_a_link() {
        let dir = tempfile::tempdir().expect("a directory");
        let (inside, outside) = (dir.path().join("in"), dir.path().join("out"));
        std::fs::create_dir(&inside).expect("made");
        std::fs::create_dir(&outside).expect("made");
        std::fs::File::create(outside.join("secret")).expect("made");
        std::fs::create_dir(inside.join("sub")).expect("made");
        std::fs::File::create(inside.join("sub/plain")).expect("made");
        std::os::unix::fs::symlink(&outside, inside.join("link")).expect("linked");
        std::os::unix::fs::symlink("../out/secret", inside.join("file")).expect("linked");
        for path in ["link/secret", "file", "../out/secret", "/etc/passwd", "sub/../../out/secret", "sub/..", ".", ""] {
            assert!(open_beneath(&inside, Path::new(path)).is_err(), "{path}");
        }
        assert!(open_beneath(&inside, Path::new("sub/plain")).is_ok());
    }

    #[test]
    fn a_directory_swapped_for_a_link_is_noticed() {
        let root = tempfile::tempdir().expect("a directory");
        assert!(plain(root.path(), &id()).is_ok(), "a missing tree is no link");
        std::fs::create_dir(root.path().join("elsewhere")).expect("made");
        std::os::unix::fs::symlink("elsewhere", root.path().join("testing")).expect("linked");
        assert!(plain(root.path(), &id()).is_err());
        for part in [PACKAGES, REPODATA] {
            let root = tempfile::tempdir().expect("a directory");
            let tree = dir(root.path(), &id());
            std::fs::DirBuilder::new().recursive(true).create(&tree).expect("made");
            assert!(plain(root.path(), &id()).is_ok());
            std::os::unix::fs::symlink("..", tree.join(part)).expect("linked");
            assert!(plain(root.path(), &id()).is_err(), "{part}");
        }
    }

    #[test]
    fn only_small_regular_files_are_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        super::super::disk::put(
            &super::super::disk::Kernel::default(),
            &path("file"),
            b"four",
            super::super::disk::Access::Owner,
        )
        .expect("written");
        std::os::unix::fs::symlink("file", path("link")).expect("linked");
        rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .expect("made");
        assert_eq!(read_small(&path("file"), 4), Some(b"four".to_vec()));
        assert_eq!(read_small(&path("file"), 3), None);
        for name in ["link", "pipe", "missing", "."] {
            assert_eq!(read_small(&path(name), 4), None, "{name}");
        }
    }
}
