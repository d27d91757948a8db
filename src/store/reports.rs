//! Files that people report with.
//!
//! ```text
//! <state>/reports/<SHA-256>      the bytes of a report, for the daemon alone
//! ```
//!
//! The logbook names each of them, with the name that its author gave it. A file is written, synced and named before the
//! entry that names it is appended, and never changed again; so a crash between the two leaves a file that no entry
//! names, which is removed at the next start. Equal bytes are kept once.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use rustix::fs::{Mode, OFlags};

use super::disk::{self, Access, AtPath as _, Disk, DiskError};
use crate::domain::checksum::Sha256;

/// The directory in the state directory.
pub const DIR: &str = "reports";

/// The largest report: some pages with pictures.
pub const FILE_MAX: u64 = 4 << 20;

/// What is wrong with a file that the logbook names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// There is no such file.
    Missing,
    /// It is no plain file of that length.
    Size(u64),
    /// It has other bytes.
    Changed,
}

/// The hash of some bytes.
pub fn sum(bytes: &[u8]) -> Sha256 {
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    Sha256(sha256)
}

fn place(state: &Path, sha256: &Sha256) -> PathBuf {
    state.join(DIR).join(sha256.to_hex())
}

/// Keeps a file: durable when this returns. What is there already stays as it is, if it is whole.
///
/// # Errors
/// With the path that failed; nothing has the name then, or what had it before.
pub fn put(disk: &dyn Disk, state: &Path, bytes: &[u8]) -> Result<Sha256, DiskError> {
    let sha256 = sum(bytes);
    let path = place(state, &sha256);
    if look(state, &sha256, bytes.len() as u64, true)?.is_none() {
        // It may have been named and not synced before a crash.
        disk.sync_dir(&state.join(DIR))?;
        return Ok(sha256);
    }
    disk.make_dir(&state.join(DIR))?;
    // What was damaged is replaced by what it should be.
    disk::put(disk, &path, bytes, Access::Owner)?;
    Ok(sha256)
}

/// Reads a file; `None` if it is not there, or not what it should be.
///
/// # Errors
/// With the path that failed.
pub fn read(state: &Path, sha256: &Sha256) -> Result<Option<Vec<u8>>, DiskError> {
    let Some(file) = open(state, sha256)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(FILE_MAX + 1).read_to_end(&mut bytes).at("read", &place(state, sha256))?;
    Ok(Some(bytes).filter(|bytes| sum(bytes) == *sha256))
}

/// Looks whether a file is what the logbook says: its length, and its bytes if they are wanted.
///
/// # Errors
/// With the path that failed.
pub fn look(state: &Path, sha256: &Sha256, size: u64, at_bytes: bool) -> Result<Option<Wrong>, DiskError> {
    let Some(file) = open(state, sha256)? else { return Ok(Some(Wrong::Missing)) };
    let meta = file.metadata().at("look at", &place(state, sha256))?;
    if !meta.is_file() || meta.len() != size {
        return Ok(Some(Wrong::Size(meta.len())));
    }
    drop(file);
    if at_bytes && read(state, sha256)?.is_none() {
        return Ok(Some(Wrong::Changed));
    }
    Ok(None)
}

fn open(state: &Path, sha256: &Sha256) -> Result<Option<File>, DiskError> {
    let path = place(state, sha256);
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(&path, flags, Mode::empty()) {
        Ok(fd) => Ok(Some(File::from(fd))),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(error) => Err(DiskError::new("open", &path, error.into())),
    }
}

/// The names of files that no entry of the logbook names: `named` are those that one does.
///
/// # Errors
/// With the path that failed.
pub fn unnamed(state: &Path, named: &BTreeSet<Sha256>) -> Result<Vec<String>, DiskError> {
    let dir = state.join(DIR);
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        Err(error) => return Err(DiskError::new("list", &dir, error)),
    };
    let named: BTreeSet<String> = named.iter().map(|sha256| sha256.to_hex()).collect();
    let mut all = Vec::new();
    for entry in entries {
        let name = entry.at("list", &dir)?.file_name().to_string_lossy().into_owned();
        if !named.contains(&name) {
            all.push(name);
        }
    }
    all.sort();
    Ok(all)
}

/// Removes the files that no entry names, and what a crash left of others; what is called otherwise is somebody else's and
/// stays. Only while nobody reports.
///
/// # Errors
/// With the path that failed.
pub fn sweep(disk: &dyn Disk, state: &Path, named: &BTreeSet<Sha256>) -> Result<usize, DiskError> {
    let dir = state.join(DIR);
    disk::sweep(disk, &dir)?;
    let is_ours = |name: &String| name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
    let gone: Vec<String> = unnamed(state, named)?.into_iter().filter(is_ours).collect();
    for name in &gone {
        disk.remove(&dir.join(name))?;
    }
    if !gone.is_empty() {
        disk.sync_dir(&dir)?;
    }
    Ok(gone.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::Kernel;
    use crate::store::disk::failing::FailingDisk;

    fn files(state: &Path) -> usize {
        std::fs::read_dir(state.join(DIR)).map_or(0, Iterator::count)
    }

    #[test]
    fn a_report_is_kept_whole_or_not_at_all_whatever_fails() {
        for calls in 0.. {
            let dir = tempfile::tempdir().expect("a directory");
            let disk = FailingDisk::after(calls);
            let kept = put(&disk, dir.path(), b"a report");
            let sha256 = sum(b"a report");
            let there = read(dir.path(), &sha256).expect("read");
            assert!(there.is_none_or(|bytes| bytes == b"a report"), "after {calls} steps");
            let Ok(named) = kept else { continue };
            assert_eq!((named, look(dir.path(), &sha256, 8, true).expect("seen")), (sha256, None));
            return;
        }
    }

    #[test]
    fn what_is_missing_or_was_changed_is_seen_and_what_nobody_names_is_removed() {
        let (dir, disk) = (tempfile::tempdir().expect("a directory"), Kernel::default());
        let state = dir.path();
        let (one, two) = (put(&disk, state, b"one").expect("kept"), put(&disk, state, b"two").expect("kept"));
        assert_eq!(put(&disk, state, b"one").expect("kept"), one);
        let path = state.join(DIR).join(two.to_hex());
        disk::put(&disk, &path, b"owt", Access::Owner).expect("written");
        let seen = |sha256: &Sha256, size, at_bytes| look(state, sha256, size, at_bytes).expect("seen");
        assert_eq!([seen(&two, 3, false), seen(&two, 3, true)], [None, Some(Wrong::Changed)]);
        assert_eq!(read(state, &two).expect("read"), None, "nobody gets it");
        assert_eq!([seen(&one, 4, true), seen(&sum(b"x"), 1, false)], [Some(Wrong::Size(3)), Some(Wrong::Missing)]);
        put(&disk, state, b"two").expect("it is as it should be again");
        assert_eq!(read(state, &two).expect("read").as_deref(), Some(b"two".as_slice()));
        disk::put(&disk, &state.join(DIR).join("notes.txt"), b"mine", Access::Owner).expect("written");
        let named = BTreeSet::from([one]);
        assert_eq!(unnamed(state, &named).expect("listed"), [two.to_hex(), "notes.txt".to_owned()]);
        assert_eq!(sweep(&disk, state, &named).expect("swept"), 1);
        assert_eq!((files(state), seen(&one, 3, true)), (2, None));
        assert_eq!(unnamed(&state.join("nowhere"), &named).expect("nothing"), Vec::<String>::new());
    }
}
