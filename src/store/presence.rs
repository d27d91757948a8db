//! Whether the packages that a tree lists still lie there.
//!
//! A publication must not list a package that is gone, so each one asks; and a tree has a hundred thousand of
//! them. Nothing is removed from a directory and nothing in it is replaced without a new time of the
//! directory; so a directory with the time of the last look is passed over, and of one that has changed every
//! package is looked at. Bytes that are changed in place leave no trace in a directory; they are found when
//! everything is looked at, which the lookout asks for now and then.
//!
//! What never happens: a directory whose last change is so young that the next one could have the same time
//! is taken as unchanged.
//!
//! Refused: comparing names and inodes, which a directory tells by itself and four times as fast. A file that
//! is removed and written anew often gets the inode of the old one.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::Path;

use jiff::Timestamp;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};

use super::index::Index;
use super::intake::{self, Stamp};
use super::tree;
use crate::domain::checksum::Sha256;
use crate::domain::names::TreeName;
use crate::domain::nevra::Nevra;

/// A directory, opened, and its state; none when there is none.
fn open(dir: &Path) -> Option<(OwnedFd, Stamp)> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::open(dir, flags, Mode::empty()).ok()?;
    let stamp = Stamp::of_raw(&rustix::fs::fstat(&fd).ok()?);
    Some((fd, stamp))
}

/// What was seen of one tree when all its packages were there.
#[derive(Debug)]
pub struct Presence {
    /// The directories of packages by their letter, as they were.
    dirs: BTreeMap<char, Stamp>,
}

/// A look that is not over: [`Look::good`] when each of `doubtful` was found to be all right.
#[derive(Debug)]
#[must_use = "what was seen is forgotten if it was not good"]
pub struct Look {
    dirs: BTreeMap<char, Stamp>,
    /// Packages whose files do not seem to be what was accepted.
    pub doubtful: Vec<(Nevra, Sha256)>,
}

impl Look {
    /// All packages are there.
    pub fn good(self) -> Presence {
        Presence { dirs: self.dirs }
    }
}

/// A directory in a look.
enum Dir {
    AsBefore(Stamp),
    /// It, opened, unless it is gone, and its state before the look.
    ToLookAt(Option<(OwnedFd, Stamp)>),
}

impl Presence {
    /// Looks at the packages that a tree lists, whose directory is `dir`. `before` is what was seen last; without
    /// it all of them are looked at.
    pub fn look(before: Option<&Self>, dir: &Path, index: &Index, tree: &TreeName, now: Timestamp) -> Look {
        let mut dirs: BTreeMap<char, Dir> = BTreeMap::new();
        let mut doubtful = Vec::new();
        for (nevra, sha256) in index.listed(tree) {
            let letter = tree::letter(nevra);
            let dir = dirs.entry(letter).or_insert_with(|| {
                let known = before.and_then(|before| before.dirs.get(&letter));
                match open(&dir.join(tree::PACKAGES).join(letter.to_string())) {
                    Some((_, stamp)) if known == Some(&stamp) => Dir::AsBefore(stamp),
                    found => Dir::ToLookAt(found),
                }
            });
            let Dir::ToLookAt(found) = dir else { continue };
            let stat = found
                .as_ref()
                .and_then(|(dir, _)| rustix::fs::statat(dir, nevra.file_name(), AtFlags::SYMLINK_NOFOLLOW).ok());
            let stat = stat.filter(|stat| FileType::from_raw_mode(stat.st_mode).is_file());
            let facts = stat.map(|stat| Stamp::of_raw(&stat).facts());
            if facts.is_none() || facts != index.facts(sha256) {
                doubtful.push((nevra.clone(), sha256));
            }
        }
        let state = |(letter, dir)| match dir {
            Dir::AsBefore(stamp) => Some((letter, stamp)),
            // A time of this moment may still be that of the next change.
            Dir::ToLookAt(found) => {
                found.map(|(_, stamp)| (letter, stamp)).filter(|(_, stamp)| stamp.is_older_than(intake::RACY, now))
            }
        };
        Look { dirs: dirs.into_iter().filter_map(state).collect(), doubtful }
    }
}
