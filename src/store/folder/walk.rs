//! The files in a directory: every package with the state of its file.

use std::collections::BTreeMap;
use std::ffi::OsStr;
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
    /// Where those lie that were reached through a link, by the same path; relative as well.
    pub(super) behind_links: BTreeMap<String, PathBuf>,
    /// Links to packages and directories that were not followed, and why, if that was asked for.
    pub(super) links: Vec<(String, Option<&'static str>)>,
    /// What cannot be listed whatever its content, and why.
    pub(super) unfit: Vec<(String, Refusal)>,
    /// Directories that cannot be read, and why.
    pub(super) closed: Vec<(String, std::io::Error)>,
}

/// What becomes of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// They are counted.
    Left,
    /// They are followed as long as they lead to something below the directory.
    Followed,
}

/// A directory that is still to be listed.
#[derive(Default)]
struct Todo {
    /// Its path as it will be shown.
    shown: PathBuf,
    /// Where it lies, relative to the top, if a link led here.
    real: Option<PathBuf>,
    /// The directories in which the links lie that led here.
    came_through: Vec<PathBuf>,
}

impl Todo {
    fn real(&self) -> &Path {
        self.real.as_deref().unwrap_or(&self.shown)
    }

    /// A directory in this one.
    fn inner(&self, name: &OsStr) -> Self {
        Self {
            shown: self.shown.join(name),
            real: self.real.as_ref().map(|real| real.join(name)),
            came_through: self.came_through.clone(),
        }
    }
}

/// Directories that may be reached through links: links beside links can lead to the same ones in very many ways.
const LINKED_DIRS_MAX: usize = 10_000;

impl Walk {
    /// Walks through `dir`, an absolute path without links.
    pub(super) fn through(dir: &Path, links: Links) -> Result<Self, DiskError> {
        let mut walk = Self::default();
        let mut todo = vec![Todo::default()];
        let mut linked = 0;
        while let Some(next) = todo.pop() {
            let top = next.shown.as_os_str().is_empty();
            linked += usize::from(next.real.is_some());
            if linked > LINKED_DIRS_MAX {
                let many = format!("links in it lead to more than {LINKED_DIRS_MAX} directories");
                return Err(DiskError::new("list", dir, std::io::Error::other(many)));
            }
            match walk.list(dir, &next, links) {
                Ok(dirs) => todo.extend(dirs),
                // Somebody may be rearranging the directory right now.
                Err(error) if !top && error.is_not_found() => {}
                Err(error) if !top && error.source.kind() == std::io::ErrorKind::PermissionDenied => {
                    walk.closed.push((next.shown.display().to_string(), error.source));
                }
                Err(error) => return Err(error),
            }
        }
        walk.links.sort();
        Ok(walk)
    }

    /// Reads one directory and returns the directories in it.
    fn list(&mut self, dir: &Path, this: &Todo, links: Links) -> Result<Vec<Todo>, DiskError> {
        let mut dirs = Vec::new();
        // Joined with nothing, a path would end with a slash.
        let here = if this.real().as_os_str().is_empty() { dir.to_owned() } else { dir.join(this.real()) };
        for entry in std::fs::read_dir(&here).at("list", &here)? {
            let entry = entry.at("list", &here)?;
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") || (this.real().as_os_str().is_empty() && name == REPODATA) {
                continue;
            }
            let inner = this.inner(&name);
            let kind = entry.file_type().at("look at", &entry.path())?;
            let is_rpm = name.as_encoded_bytes().ends_with(b".rpm");
            if kind.is_symlink() {
                let leads_on = match std::fs::metadata(entry.path()) {
                    Ok(meta) => is_rpm || meta.is_dir(),
                    Err(_) => is_rpm,
                };
                if leads_on && links == Links::Left {
                    self.links.push((inner.shown.display().to_string(), None));
                } else if leads_on {
                    dirs.extend(self.follow(dir, this, inner, &entry.path()));
                }
            } else if kind.is_dir() {
                dirs.push(inner);
            } else if is_rpm {
                match entry.metadata() {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    meta => self.meet(inner, &meta.at("look at", &entry.path())?),
                }
            }
        }
        Ok(dirs)
    }

    /// Goes where a link leads: gives the directory, or meets the file.
    fn follow(&mut self, dir: &Path, this: &Todo, link: Todo, path: &Path) -> Option<Todo> {
        let leads = std::fs::canonicalize(path).and_then(|target| Ok((std::fs::metadata(&target)?, target)));
        let shown = link.shown.display().to_string();
        let mut leave = |why| {
            self.links.push((shown.clone(), Some(why)));
            None
        };
        let Ok((meta, target)) = leads else { return leave("it leads nowhere") };
        let Ok(real) = target.strip_prefix(dir) else { return leave("it leads out of the directory") };
        let hidden = |part: &OsStr| part.as_encoded_bytes().starts_with(b".");
        if real.starts_with(REPODATA) || real.iter().any(hidden) {
            return leave("it leads to something that is not part of the repository");
        }
        let came_through: Vec<PathBuf> = link.came_through.iter().cloned().chain([this.real().to_owned()]).collect();
        let there = Todo { shown: link.shown, real: Some(real.to_owned()), came_through };
        if !meta.is_dir() {
            self.meet(there, &meta);
            return None;
        }
        if there.came_through.iter().any(|from| from.starts_with(real)) {
            return leave("it would lead in a circle");
        }
        Some(there)
    }

    fn meet(&mut self, file: Todo, meta: &std::fs::Metadata) {
        let mut refuse = |code, detail: &str| {
            self.unfit.push((file.shown.display().to_string(), Refusal::new(code, detail)));
        };
        match file.shown.to_str().filter(|path| xml::first_bad_char(path).is_none()) {
            _ if !meta.is_file() => refuse(Code::NotRegular, "it is not a regular file"),
            None => refuse(Code::FileName, "its own path is not text that XML can carry"),
            Some(path) => {
                self.there.insert(path.to_owned(), Stamp::of(meta));
                let real = file.real.map(|real| (path.to_owned(), real));
                self.behind_links.extend(real);
            }
        }
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
