//! Moves uploads aside, under a name of their own in the same directory, so that what is removed is what was examined.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::store::disk::{AtPath as _, Disk, DiskError};
use crate::store::stamp::Stamp;

/// The prefix of uploads that were moved aside to be removed. It is not our temporary prefix, since those files are
/// removed unread after a crash.
pub(super) const CLEARED: &str = ".cleared-by-rolloutd-";

/// Removes an upload that was taken in, unless it was replaced meanwhile.
///
/// It is moved aside first, so that what is removed is what was examined. A different file stays aside, and so does
/// whatever a crash left there: the next scan examines it like any upload. Returns whether the name is free now and
/// nothing was left aside.
pub(super) fn clear(disk: &dyn Disk, path: &Path, stamp: Stamp) -> Result<bool, DiskError> {
    let Some((aside, now)) = take_aside(disk, path)? else { return Ok(std::fs::symlink_metadata(path).is_err()) };
    let same = now.is_renamed(&stamp);
    if same {
        disk.remove(&aside)?;
    }
    Ok(same)
}

/// Whether a name is one that [`take_aside`] gives: two numbers, nothing that an uploader chose.
pub(super) fn is_aside(name: &[u8]) -> bool {
    let is_number = |text: &[u8]| (1..=20).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    let mut numbers = name.strip_prefix(CLEARED.as_bytes()).into_iter().flat_map(|rest| rest.splitn(2, |b| *b == b'-'));
    numbers.next().is_some_and(is_number) && numbers.next().is_some_and(is_number)
}

/// Renames a file within its directory; returns the new name and the file's state. `None` if it no longer exists, or no
/// name is free.
pub(super) fn take_aside(disk: &dyn Disk, path: &Path) -> Result<Option<(PathBuf, Stamp)>, DiskError> {
    let lies_there = match std::fs::symlink_metadata(path) {
        Ok(meta) => meta.ino(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DiskError::new("look at", path, error)),
    };
    // A file that was moved aside earlier and is not done yet also has such a name.
    let free = |aside: &PathBuf| std::fs::symlink_metadata(aside).is_err();
    let names = (0_u64..).map(|n| path.with_file_name(format!("{CLEARED}{lies_there}-{n}")));
    let Some(aside) = names.into_iter().find(free) else { return Ok(None) };
    match disk.rename(path, &aside) {
        Err(error) if error.is_not_found() => return Ok(None),
        other => other?,
    }
    let now = Stamp::of(&std::fs::symlink_metadata(&aside).at("look at", &aside)?);
    Ok(Some((aside, now)))
}
