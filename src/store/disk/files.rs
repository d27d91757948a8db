//! Whole files: writing, linking, copying, removing.

use std::fs::{DirEntry, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;

use super::error::{AtPath as _, DiskError, me};
use super::kernel::Kernel;
use super::{Access, Disk, TEMPORARY};
use crate::domain::checksum::Sha256;
use crate::store::timed_read::TimedReader;

/// Writes a small file whole: syncs its bytes, names it, syncs the directory.
///
/// # Errors
/// With the file being written; the old content, if any, is still there.
pub fn put(disk: &dyn Disk, path: &Path, bytes: &[u8], access: Access) -> Result<(), DiskError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = disk.fresh(dir, access)?;
    disk.write(&mut file, bytes)?;
    disk.sync(&file)?;
    disk.name(file, path)?;
    disk.sync_dir(dir)
}

/// Gives a file a name that may be taken: under a temporary name first, then renamed.
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

/// Gives an open file another name, replacing whatever has it; false where that is impossible because the name is on
/// another file system, or on one without links.
///
/// # Errors
/// With the path that failed; the name is unchanged.
pub fn link_over(disk: &dyn Disk, file: &File, to: &Path) -> Result<bool, DiskError> {
    match name_over(disk, to, |to| disk.link_open(file, to)) {
        Err(error) if error.wants_copy() => Ok(false),
        other => other.map(|()| true),
    }
}

/// What a copy must be.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The digest it must have, if any.
    pub sha256: Option<Sha256>,
    /// Its modification time in seconds since the epoch; otherwise that of the original.
    pub file_time: Option<u64>,
    /// Its permissions.
    pub access: Access,
}

/// Copies an open file, from its beginning, to an inode of its own and gives that a name, replacing whatever has it.
/// The bytes are hashed while they are copied, so the checked bytes are the ones that get the name. Returns the copy,
/// or `None` if the bytes differ, in which case nothing has changed.
///
/// # Errors
/// With the path that failed; the name is unchanged.
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
        // The metadata of every tree lists the same file time, wherever the bytes are.
        None => source.metadata().and_then(|meta| meta.modified()).at("look at", label)?,
    };
    let mut source = TimedReader::begin(source).at("read", label)?;
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

/// Removes a directory of ours with everything in it; links are not followed, and a missing one is not an error.
///
/// # Errors
/// With the path that failed.
pub fn remove_all(dir: &Path) -> Result<(), DiskError> {
    #[expect(clippy::disallowed_methods, reason = "this is the place of all writing")]
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(DiskError::new("remove", dir, error)),
        _ => Ok(()),
    }
}

/// Removes everything in a directory of ours.
///
/// # Errors
/// With the path that failed.
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

/// Removes the temporary files that a crash left in `dir`; a missing directory has none.
///
/// # Errors
/// With the path that failed.
pub fn sweep(disk: &dyn Disk, dir: &Path) -> Result<(), DiskError> {
    sweep_if(disk, dir, |_| true)
}

/// The same in a directory where others write, too: files of theirs stay, whatever they are called.
///
/// # Errors
/// With the path that failed.
pub fn sweep_own(disk: &dyn Disk, dir: &Path) -> Result<(), DiskError> {
    sweep_if(disk, dir, |entry| entry.metadata().is_ok_and(|meta| meta.uid() == me()))
}

fn sweep_if(disk: &dyn Disk, dir: &Path, is_ours: impl Fn(&DirEntry) -> bool) -> Result<(), DiskError> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(DiskError::new("list", dir, error)),
    };
    for entry in entries {
        let entry = entry.at("list", dir)?;
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        let is_temporary = entry.file_name().as_encoded_bytes().starts_with(TEMPORARY.as_bytes());
        if is_file && is_temporary && is_ours(&entry) {
            disk.remove(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::failing::FailingDisk;

    #[test]
    fn a_put_that_fails_at_any_step_leaves_the_old_or_the_new_content() {
        for calls in 0.. {
            let dir = tempfile::tempdir().expect("a directory");
            let path = dir.path().join("f");
            put(&Kernel::default(), &path, b"old", Access::Owner).expect("written");
            let result = put(&FailingDisk::after(calls), &path, b"new", Access::Owner);
            let seen = std::fs::read(&path).expect("one of the two is there");
            assert!(seen == b"old" || seen == b"new", "after {calls} steps");
            if result.is_ok() {
                assert_eq!(seen, b"new");
                return;
            }
        }
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
