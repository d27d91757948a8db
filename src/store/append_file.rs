//! Append-only files for data that can be regenerated at any time.
//!
//! The index and the block cache keep XML and compressed blocks here. An append file only grows; nothing in it is
//! changed in place, so readers need no lock. Writes are not synced: whatever a power cut tears is found by its
//! reader's checksum and regenerated. When too much of it is unused, its owner writes a new one and renames that over
//! it.
//!
//! What never happens: a read returns fewer bytes than were asked for.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::disk::{Access, AtPath as _, Disk, DiskError};

/// A file that several threads may append to.
#[derive(Debug)]
pub struct AppendFile {
    path: PathBuf,
    file: File,
    end: AtomicU64,
}

impl AppendFile {
    /// Opens an append file, or creates one.
    ///
    /// # Errors
    /// With the path that failed.
    pub fn open(disk: &dyn Disk, path: &Path) -> Result<Self, DiskError> {
        let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let file = match OpenOptions::new().read(true).write(true).custom_flags(flags).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Self::begin(disk, path),
            Err(error) => return Err(DiskError::new("open", path, error)),
        };
        let meta = file.metadata().at("look at", path)?;
        if !meta.is_file() {
            return Err(DiskError::new("open", path, std::io::Error::other("it is not a regular file")));
        }
        Ok(Self { path: path.to_owned(), file, end: AtomicU64::new(meta.len()) })
    }

    /// Creates a new append file, replacing whatever has the name.
    ///
    /// # Errors
    /// With the path that failed.
    pub fn begin(disk: &dyn Disk, path: &Path) -> Result<Self, DiskError> {
        let fresh = disk.fresh(path.parent().unwrap_or(Path::new(".")), Access::Owner)?;
        let file = disk.name(fresh, path)?;
        Ok(Self { path: path.to_owned(), file, end: AtomicU64::new(0) })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its length in bytes.
    pub fn end(&self) -> u64 {
        self.end.load(Ordering::Relaxed)
    }

    /// Lets the next append begin here, overwriting what follows.
    pub fn end_at(&mut self, end: u64) {
        *self.end.get_mut() = end;
    }

    /// Appends the pieces as one run and returns its offset.
    ///
    /// The first piece is written last: a failed run leaves zeros where it would begin.
    ///
    /// # Errors
    /// With the path that failed.
    pub fn append(&self, disk: &dyn Disk, pieces: &[&[u8]]) -> Result<u64, DiskError> {
        let len: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        let begin = self.end.fetch_add(len, Ordering::Relaxed);
        let mut at = begin.saturating_add(len);
        for piece in pieces.iter().rev() {
            at = at.saturating_sub(piece.len() as u64);
            disk.write_at(&self.file, &self.path, at, piece)?;
        }
        Ok(begin)
    }

    /// Appends the `len` bytes at `at` to `out`.
    ///
    /// # Errors
    /// If they cannot be read, or do not exist.
    pub fn read(&self, at: u64, len: usize, out: &mut Vec<u8>) -> Result<(), DiskError> {
        let begin = out.len();
        out.resize(begin.saturating_add(len), 0);
        self.fill(at, out.get_mut(begin..).unwrap_or_default())
    }

    /// Fills `room` with bytes from offset `at`.
    ///
    /// # Errors
    /// If they cannot be read, or do not exist.
    pub fn fill(&self, at: u64, room: &mut [u8]) -> Result<(), DiskError> {
        self.file.read_exact_at(room, at).at("read", &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::super::disk::Kernel;
    use super::*;

    #[test]
    fn runs_come_back_as_they_were_also_after_a_restart_and_never_shorter() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("append_file");
        let disk = Kernel::default();
        let append_file = AppendFile::open(&disk, &path).expect("begun");
        assert_eq!(append_file.append(&disk, &[b"one", b" and a half"]).expect("written"), 0);
        let two = append_file.append(&disk, &[b"two"]).expect("written");
        drop(append_file);
        let append_file = AppendFile::open(&disk, &path).expect("opened");
        let mut out = b"> ".to_vec();
        append_file.read(two, 3, &mut out).expect("there");
        assert_eq!((out.as_slice(), append_file.end()), (&b"> two"[..], two + 3));
        assert!(append_file.read(two, 4, &mut out).is_err(), "one byte more than there is");
    }
}
