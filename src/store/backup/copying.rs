//! Files copied and hashed, into a backup and out of it.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use aws_lc_rs::digest;
use jiff::Timestamp;
use rustix::fs::{Mode, OFlags};

use super::Entry;
use crate::domain::checksum::Sha256;
use crate::store::disk::{Access, AtPath as _, Disk, DiskError};

pub(super) fn private_dir(dir: &Path) -> Result<(), DiskError> {
    rustix::fs::mkdir(dir, Mode::RWXU).at("make", dir)
}

/// Copies a plain file to a new, synced one; `None` if it does not exist.
pub(super) fn copy_file(disk: &dyn Disk, from: &Path, to: &Path, access: Access) -> Result<Option<Entry>, DiskError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let source = match rustix::fs::open(from, flags, Mode::empty()) {
        Ok(fd) => File::from(fd),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(DiskError::new("open", from, error.into())),
    };
    let meta = source.metadata().at("look at", from)?;
    if !meta.is_file() {
        return Err(DiskError::new("open", from, rustix::io::Errno::NODEV.into()));
    }
    let mut fresh = disk.fresh(to.parent().unwrap_or(Path::new(".")), access)?;
    let (bytes, sha256) = sum(source.take(meta.len()), from, |piece| disk.write(&mut fresh, piece))?;
    let modified = meta.modified().at("look at", from)?;
    fresh.file.set_modified(modified).at("set the time of", to)?;
    disk.sync(&fresh)?;
    disk.name(fresh, to)?;
    let modified = Timestamp::try_from(modified).unwrap_or_default();
    Ok(Some(Entry { path: String::new(), bytes, sha256: sha256.to_hex(), mode: meta.mode() & 0o777, modified }))
}

/// Reads to the end and returns the number of bytes and their SHA-256; `each` gets every piece.
fn sum(
    mut source: impl io::Read,
    path: &Path,
    mut each: impl FnMut(&[u8]) -> Result<(), DiskError>,
) -> Result<(u64, Sha256), DiskError> {
    let (mut bytes, mut hash) = (0, digest::Context::new(&digest::SHA256));
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = source.read(&mut buffer).at("read", path)?;
        if n == 0 {
            break;
        }
        let piece = buffer.get(..n).unwrap_or_default();
        hash.update(piece);
        each(piece)?;
        bytes += n as u64;
    }
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(hash.finish().as_ref());
    Ok((bytes, Sha256(sha256)))
}

/// The entry of a file that is already in its place.
pub(super) fn entry(top: &Path, name: &str) -> Result<Entry, DiskError> {
    let path = top.join(name);
    let file = File::open(&path).at("open", &path)?;
    let meta = file.metadata().at("look at", &path)?;
    let (bytes, sha256) = sum(file, &path, |_| Ok(()))?;
    let modified = meta.modified().ok().and_then(|time| Timestamp::try_from(time).ok()).unwrap_or_default();
    Ok(Entry { path: name.to_owned(), bytes, sha256: sha256.to_hex(), mode: meta.mode() & 0o777, modified })
}
