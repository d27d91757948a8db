//! Finds uploads: candidates, with the owners taking turns, and files to be reported to their owners.
//!
//! Links to directories are not followed. Names that begin with a dot are skipped; one that has not changed for as long
//! as an incomplete file may stay is reported. In the upload tree our own files are skipped, and so are unchanged
//! directories that hold nothing else.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::hash::{BuildHasher as _, RandomState};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::{AtFlags, FileType};

use super::aside::is_aside;
use super::gate::Gate;
use super::refused_list;
use crate::domain::backlog::{Backlog, Kind};
use crate::format::quantity;
use crate::store::disk::{AtPath as _, DiskError};
use crate::store::stamp::Stamp;
use crate::store::tree;
use crate::store::turns::Turns;

/// The deepest level below a drop directory that is searched. People drop `el6/x86_64/RPMS/`; anything deeper is a
/// mistake or an attack.
const DEPTH_MAX: usize = 16;

/// Most directories that are searched. Each costs some microseconds in each scan.
const DIRECTORIES_MAX: usize = 200_000;

/// Most bytes for the directories still to be searched, and the bytes for each one beside its path.
const DIRECTORIES_BYTES: usize = 16 << 20;
const DIRECTORY_BYTES: usize = 64;

/// Most bytes for the files of a drop directory that are remembered between scans, and the bytes for each one beside
/// its path: with typical names, that is some 30,000 files. Further files are found when these are done, and whoever
/// has most of them waits longest.
const FILES_BYTES: usize = 32 << 20;
const FILE_BYTES: usize = 900;

/// How soon a file that could not be handled is retried.
pub(super) const STUCK_AGAIN: Duration = Duration::from_mins(1);

/// What is known of a directory of published packages.
#[derive(Debug)]
pub(super) struct PackageDir {
    pub(super) stamp: Stamp,
    /// Nothing else was in it, so it is not read again until it changes.
    pub(super) done: bool,
    /// The files in it that are ours: hashes of name and state.
    pub(super) ours: HashSet<u64>,
}

impl PackageDir {
    pub(super) fn is_as_before(&self, stamp: Stamp) -> bool {
        self.done && self.stamp == stamp
    }
}

/// A file found by the search.
pub(super) struct Found {
    pub(super) relative: PathBuf,
    pub(super) stamp: Stamp,
    /// Whether it is a regular file.
    pub(super) is_file: bool,
    pub(super) links: u64,
    pub(super) owner: u32,
    /// How it is remembered in a directory of packages if it turns out to be ours.
    pub(super) mark: Option<u64>,
}

impl Found {
    /// The directory that it is in.
    pub(super) fn dir(&self) -> &Path {
        self.relative.parent().unwrap_or(Path::new(""))
    }
}

/// The result of a search.
pub(super) struct Searched {
    /// All candidates, with the owners taking turns: each owner's in the order of their paths.
    pub(super) found: Vec<Found>,
    /// The directories of published packages, in their states before they were read, with the files recognised as ours.
    pub(super) dirs: BTreeMap<PathBuf, PackageDir>,
    /// What is not examined, or cannot be.
    pub(super) waiting: Backlog,
    /// When a hidden file is to be reported, or may be gone.
    pub(super) again: Option<Duration>,
}

/// A search, with the results of the previous one.
pub(super) struct Search<'a> {
    /// Directories of published packages, as they were when last read.
    pub(super) dirs: &'a BTreeMap<PathBuf, PackageDir>,
    /// Hashes the marks in them.
    pub(super) marks: &'a RandomState,
    /// The owner whose file was examined last.
    pub(super) turn: u32,
}

impl Search<'_> {
    /// All candidates below the tree. Links to directories are not followed; our own files are skipped, and so are
    /// unchanged directories that hold nothing else.
    pub(super) fn below(&self, dir: &Path, strays: Option<&Strays>) -> Result<Searched, DiskError> {
        self.below_some(dir, strays, DIRECTORIES_MAX)
    }

    /// The same, in at most `most` directories.
    fn below_some(&self, dir: &Path, strays: Option<&Strays>, most: usize) -> Result<Searched, DiskError> {
        let mut again = None;
        let (files, directories) = match strays {
            Some(_) => (FILES_BYTES, DIRECTORIES_BYTES),
            // What is there is ours, or an admin's.
            None => (usize::MAX, usize::MAX),
        };
        let mut found = Turns::new(files, self.turn);
        let mut dirs = BTreeMap::new();
        let mut waiting = Backlog::default();
        let mut todo = Turns::new(directories, self.turn);
        todo.push(0, (PathBuf::new(), 0), 0);
        let mut searched = 0;
        // Of each owner, directories further up come first, so that nobody hides them by making many below one of
        // theirs.
        while let Some((_, (relative, depth))) = todo.pop() {
            searched += 1;
            if searched > most {
                let why = format!("there are more than {most} directories, and this one and others are not searched");
                waiting.add(&relative, Kind::Many, why, None);
                break;
            }
            let here = dir.join(&relative);
            let mut known = None;
            if depth == 2 && strays.is_none() && relative.starts_with(tree::PACKAGES) {
                let Ok(stamp) = std::fs::symlink_metadata(&here).map(|meta| Stamp::of(&meta)) else { continue };
                known = self.dirs.get(&relative);
                dirs.insert(relative.clone(), PackageDir { stamp, done: false, ours: HashSet::new() });
                if known.is_some_and(|known| known.is_as_before(stamp)) {
                    continue;
                }
            }
            let listed =
                tree::open_dir_beneath(dir, &relative).and_then(|fd| rustix::fs::Dir::new(fd).at("list", &here));
            let mut entries = match listed {
                Ok(entries) => entries,
                // A directory may vanish or become a link during the search.
                Err(error) if depth > 0 && (error.is_not_found() || error.is_no_file()) => continue,
                Err(error) if depth > 0 => {
                    waiting.add(&relative, Kind::Closed, error.sentence(), None);
                    continue;
                }
                Err(error) => return Err(error),
            };
            while let Some(entry) = entries.read() {
                let entry = match entry.at("list", &here) {
                    Ok(entry) => entry,
                    Err(error) if depth > 0 => {
                        waiting.add(&relative, Kind::Closed, error.sentence(), None);
                        break;
                    }
                    Err(error) => return Err(error),
                };
                let name = OsStr::from_bytes(entry.file_name().to_bytes());
                // A file that a crash left aside is an upload like any other: see `clear`.
                let aside = is_aside(name.as_bytes());
                // rsync's temporary names and partial directories begin with a dot (threats row 4).
                let is_hidden = name.as_bytes().starts_with(b".") && !aside;
                let is_own = depth == 0 && name.as_bytes() == tree::REPODATA.as_bytes();
                let is_list = depth == 0 && strays.is_some() && name == refused_list::NAME;
                if name == "." || name == ".." || is_list || (strays.is_none() && (is_hidden || is_own)) {
                    continue;
                }
                let Ok(stat) = entries.fd().and_then(|fd| rustix::fs::statat(fd, name, AtFlags::SYMLINK_NOFOLLOW))
                else {
                    continue;
                };
                let (stamp, kind) = (Stamp::of_raw(&stat), FileType::from_raw_mode(stat.st_mode));
                if let Some(strays) = strays.filter(|_| is_hidden) {
                    let wait = strays.name(&relative.join(name), stamp, kind.is_dir(), &mut waiting);
                    again = again.into_iter().chain([wait]).min();
                    continue;
                }
                let mut mark = None;
                if let Some(dir) = dirs.get_mut(&relative) {
                    let hash = self.marks.hash_one((name, stamp));
                    if known.is_some_and(|known| known.ours.contains(&hash)) {
                        dir.ours.insert(hash);
                        continue;
                    }
                    mark = Some(hash);
                }
                let path = relative.join(name);
                let changed = Timestamp::from_second(stamp.ctime.0).ok();
                if kind.is_dir() {
                    // A directory below one of ours is somebody's upload, and its changes show only in itself.
                    dirs.remove(&relative);
                    if name.as_bytes().to_ascii_lowercase().ends_with(b".rpm") {
                        waiting.add(&path, Kind::Folder, "it is a directory, not a package", changed);
                    }
                    if depth < DEPTH_MAX {
                        let bytes = path.as_os_str().len() + DIRECTORY_BYTES;
                        todo.push(stat.st_uid, (path, depth + 1), bytes);
                    } else {
                        let why = format!("directories are searched {DEPTH_MAX} deep, and this one lies deeper");
                        waiting.add(&path, Kind::Deep, why, changed);
                    }
                } else if aside || name.as_bytes().ends_with(b".rpm") {
                    let (is_file, links, owner) = (kind.is_file(), stat.st_nlink, stat.st_uid);
                    // Its path is held twice while it is examined.
                    let bytes = 2 * path.as_os_str().len() + FILE_BYTES;
                    found.push(owner, Found { relative: path, stamp, is_file, links, owner, mark }, bytes);
                } else {
                    waiting.add(
                        &path,
                        Kind::Suffix,
                        "only files whose names end in .rpm, in lower case, are examined",
                        changed,
                    );
                }
            }
        }
        for (owner, number, (path, _)) in todo.left_out() {
            let why = format!("there are too many directories: {number} of the user {owner} are not searched");
            waiting.add(path, Kind::Many, why, None);
        }
        for (owner, number, Found { relative, .. }) in found.left_out() {
            let why = format!("there are too many files: {number} of the user {owner} wait until others are done");
            waiting.add(relative, Kind::Many, why, None);
        }
        found.sort_by(|a, b| a.relative.cmp(&b.relative));
        let found = std::iter::from_fn(|| found.pop()).map(|(_, file)| file).collect();
        Ok(Searched { found, dirs, waiting, again })
    }
}

/// From when on hidden names are reported to their owners: most belong to uploads in progress.
pub(super) struct Strays {
    now: Timestamp,
    /// How long they may stay unchanged.
    patience: Duration,
}

impl Strays {
    /// None for the upload tree itself.
    pub(super) fn of(gate: &Gate, now: Timestamp) -> Option<Self> {
        (!gate.is_home()).then_some(Self { now, patience: gate.limits.incomplete_after })
    }

    /// Reports one that has been there long enough; returns when to scan again.
    fn name(&self, path: &Path, stamp: Stamp, is_dir: bool, waiting: &mut Backlog) -> Duration {
        // The uploader chooses the modification time, but not the change time.
        let changed = Timestamp::from_second(stamp.ctime.0).unwrap_or(Timestamp::MIN);
        let waited = Duration::try_from(self.now.duration_since(changed)).unwrap_or_default();
        if waited < self.patience {
            return self.patience.saturating_sub(waited);
        }
        let why = format!(
            "its name begins with a dot, like that of a {} in transfer, so {} is not examined; it has not changed for {}",
            if is_dir { "directory of files" } else { "file" },
            if is_dir { "what lies in it" } else { "it" },
            quantity::show_duration(self.patience),
        );
        waiting.add(path, Kind::Hidden, why, Some(changed));
        STUCK_AGAIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::{Access, Disk as _, Kernel, put};

    /// Many directories of one owner hide none further up, and the unsearched ones are reported.
    #[test]
    fn so_many_directories_are_searched_and_no_more() {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = Kernel::default();
        for below in ["mine/0", "mine/1", "mine/2", "theirs"] {
            disk.make_dir(&dir.path().join(below)).expect("made");
            put(&disk, &dir.path().join(below).join("a.rpm"), b"", Access::Everybody).expect("made");
        }
        let (dirs, marks) = (BTreeMap::new(), RandomState::new());
        let search = Search { dirs: &dirs, marks: &marks, turn: 0 };
        let many = |most| {
            let Searched { found, waiting, .. } = search.below_some(dir.path(), None, most).expect("listed");
            let theirs = found.iter().any(|file| file.relative == Path::new("theirs/a.rpm"));
            (theirs, found.len(), waiting.trouble().map(|(first, number)| (first.why.clone(), number)))
        };
        assert_eq!(many(6), (true, 4, None));
        let why = "there are more than 3 directories, and this one and others are not searched";
        assert_eq!(many(3), (true, 1, Some((why.to_owned(), 1))));
    }
}
