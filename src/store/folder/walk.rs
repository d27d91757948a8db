//! The files in a directory: every package with the state of its file.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::domain::refusal::{Code, Refusal};
use crate::format::xml;
use crate::store::disk::{AtPath as _, DiskError};
use crate::store::tree::REPODATA;

/// The longest run, in nanoseconds.
const RUN_MAX: i64 = 3_600_000_000_000;

/// How coarse the clock of a file system may be, in nanoseconds: with and without fractions of a second.
const TICKS: [i64; 2] = [50_000_000, 2_000_000_000];

/// The state of a file: device, inode, size, and both times in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(pub(super) [i64; 5]);

impl Stamp {
    pub(super) fn of(meta: &std::fs::Metadata) -> Self {
        let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self([
            meta.dev().cast_signed(),
            meta.ino().cast_signed(),
            meta.size().cast_signed(),
            nanoseconds(meta.mtime(), meta.mtime_nsec()),
            nanoseconds(meta.ctime(), meta.ctime_nsec()),
        ])
    }

    /// Whether the file could change again and keep the same times. `now` is when the run began.
    pub(super) fn is_fresh(self, now: Timestamp) -> bool {
        let [.., changed] = self.0;
        let [fine, whole] = TICKS;
        let tick = if changed % 1_000_000_000 == 0 { whole } else { fine };
        let now = i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX);
        // What has changed since this run began may change again. Times further in the future come from a wrong clock,
        // and another change would have another time.
        changed > now.saturating_sub(tick) && changed < now.saturating_add(RUN_MAX)
    }

    /// Matches no file.
    pub(super) const NONE: Self = Self([0; 5]);
}

/// What is in a directory.
#[derive(Default)]
pub(super) struct Walk {
    /// Packages by their path.
    pub(super) there: BTreeMap<String, Stamp>,
    /// The number of links.
    pub(super) links: usize,
    /// What cannot be listed whatever its content, and why.
    pub(super) unfit: Vec<(String, Refusal)>,
    /// Directories that cannot be read.
    pub(super) closed: Vec<String>,
}

impl Walk {
    pub(super) fn through(dir: &Path) -> Result<Self, DiskError> {
        let mut walk = Self::default();
        let mut todo = vec![PathBuf::new()];
        while let Some(below) = todo.pop() {
            let top = below.as_os_str().is_empty();
            let here = if top { dir.to_owned() } else { dir.join(&below) };
            match walk.list(&here, &below) {
                Ok(dirs) => todo.extend(dirs),
                // Somebody may be rearranging the directory right now.
                Err(error) if !top && error.is_not_found() => {}
                Err(error) if !top && error.source.kind() == std::io::ErrorKind::PermissionDenied => {
                    let why =
                        format!("the directory is not accessible: {}; its known packages stay listed", error.source);
                    walk.unfit.push((below.display().to_string(), Refusal::new(Code::NotRegular, why)));
                    walk.closed.extend(below.to_str().map(str::to_owned));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(walk)
    }

    /// Reads one directory and returns the directories in it.
    fn list(&mut self, here: &Path, below: &Path) -> Result<Vec<PathBuf>, DiskError> {
        let mut dirs = Vec::new();
        for entry in std::fs::read_dir(here).at("list", here)? {
            let entry = entry.at("list", here)?;
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") || (below.as_os_str().is_empty() && name == REPODATA) {
                continue;
            }
            let path = below.join(&name);
            let kind = entry.file_type().at("look at", &entry.path())?;
            if kind.is_dir() {
                dirs.push(path);
            } else if name.as_encoded_bytes().ends_with(b".rpm") {
                self.meet(&path, &entry)?;
            } else if kind.is_symlink() && std::fs::metadata(entry.path()).is_ok_and(|meta| meta.is_dir()) {
                self.links += 1;
            }
        }
        Ok(dirs)
    }

    fn meet(&mut self, path: &Path, entry: &std::fs::DirEntry) -> Result<(), DiskError> {
        let meta = match entry.metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            meta => meta.at("look at", &entry.path())?,
        };
        let mut refuse = |code, detail: &str| {
            self.unfit.push((path.display().to_string(), Refusal::new(code, detail)));
        };
        match path.to_str().filter(|path| xml::first_bad_char(path).is_none()) {
            _ if meta.is_symlink() => self.links += 1,
            _ if !meta.is_file() => refuse(Code::NotRegular, "it is not a regular file"),
            None => refuse(Code::FileName, "its own path is not text that XML can carry"),
            Some(path) => drop(self.there.insert(path.to_owned(), Stamp::of(&meta))),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_of_whole_seconds_ticks_slowly() {
        let stamp = |changed| Stamp([1, 1, 1, 0, changed]);
        let now = Timestamp::from_second(1_000_000_000).expect("a time");
        let before = |nanoseconds: i64| stamp(now.as_second() * 1_000_000_000 - nanoseconds);
        assert!(before(1_000_000_000).is_fresh(now), "no fraction");
        assert!(!before(2_000_000_000).is_fresh(now));
        assert!(before(49_999_999).is_fresh(now));
        assert!(!before(50_000_001).is_fresh(now));
        assert!(before(-60_000_000_001).is_fresh(now), "changed in this run");
        assert!(!before(-RUN_MAX).is_fresh(now), "from the future");
    }
}
