//! Whether the packages that a tree lists are still there.
//!
//! A publication must not list a package that is gone, so each one checks, and a tree has up to a hundred thousand
//! packages. Nothing is removed from or replaced in a directory without changing the directory's time; so a directory
//! whose time is unchanged is skipped, and in one that changed, every package is looked at. A change to a file in place
//! leaves no trace in its directory; it is found when everything is looked at, which the watcher requests now and then.
//!
//! What never happens: another piece of work takes a directory as unchanged although its last change is so recent that
//! the next one could have the same time.
//!
//! Rejected: comparing names and inodes, which a directory lists by itself and four times as fast. A file that is
//! removed and written again often gets the inode of the old one.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};

use super::disk::{self, AtPath as _, DiskError};
use super::index::Index;
use super::ownership;
use super::stamp::Stamp;
use super::tree;
use crate::domain::listing::{Entry, Listing};
use crate::domain::nevra::Nevra;

/// Opens a directory, with its state; `None` if it does not exist.
///
/// # Errors
/// If it cannot be opened: that says nothing about the packages.
fn open(dir: &Path) -> Result<Option<(OwnedFd, Stamp)>, DiskError> {
    use rustix::io::Errno;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::open(dir, flags, Mode::empty()) {
        Ok(fd) => {
            let stamp = Stamp::of_raw(&rustix::fs::fstat(&fd).at("look at", dir)?);
            Ok(Some((fd, stamp)))
        }
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(error) => Err(DiskError::new("open", dir, error.into())),
    }
}

/// What was seen of one tree when all its packages were there.
#[derive(Debug)]
pub struct Presence {
    /// The package directories and their states.
    dirs: BTreeMap<Home, Stamp>,
    /// Those whose next change could have the same time.
    young: BTreeMap<Home, Stamp>,
}

/// A package directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Home {
    /// Where the daemon puts packages, by their first letter.
    Letter(char),
    /// One that had packages when the tree was taken over.
    At(Arc<str>),
}

impl Home {
    fn is_that_of(&self, nevra: &Nevra, entry: &Entry) -> bool {
        match (self, &entry.place) {
            (Self::Letter(letter), None) => *letter == nevra.letter(),
            (Self::At(dir), Some(place)) => **dir == *parent(place),
            _ => false,
        }
    }

    fn of(nevra: &Nevra, entry: &Entry) -> Self {
        entry.place.as_ref().map_or_else(|| Self::Letter(nevra.letter()), |place| Self::At(parent(place).into()))
    }

    fn dir(&self, tree: &Path) -> PathBuf {
        match self {
            Self::Letter(letter) => tree.join(tree::PACKAGES).join(letter.to_string()),
            Self::At(dir) => tree.join(&**dir),
        }
    }
}

/// The directory of a place below a tree.
fn parent(place: &str) -> &str {
    place.rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// A look in progress: call [`Look::good`] if each of `doubtful` turns out to be all right.
#[derive(Debug)]
#[must_use = "what was seen is forgotten if it was not good"]
pub struct Look {
    seen: Presence,
    /// Packages whose files seem not to be what was accepted, or can be changed by others.
    pub doubtful: Vec<(Nevra, Entry)>,
}

impl Look {
    /// Says that all packages are there.
    pub fn good(self) -> Presence {
        self.seen
    }
}

/// A directory during a look.
#[derive(Clone, Copy)]
enum Dir {
    AsBefore(Stamp),
    /// Its state before the look; `None` if it is gone.
    LookedAt(Option<Stamp>),
}

impl Presence {
    /// The same for the next piece of work.
    #[must_use]
    pub fn later(mut self) -> Self {
        self.young.clear();
        self
    }

    /// Looks at the packages that a tree lists, in its directory `dir`. `before` is what was seen last; without it all
    /// of them are looked at.
    ///
    /// # Errors
    /// If it cannot be determined.
    pub fn look(
        before: Option<&Self>,
        dir: &Path,
        index: &Index,
        listing: &Listing,
        now: Timestamp,
    ) -> Result<Look, DiskError> {
        let mut dirs: BTreeMap<Home, Dir> = BTreeMap::new();
        let mut doubtful = Vec::new();
        let owner = disk::me();
        // Packages come by name, so one directory is open at a time, and most are opened once.
        let mut here: Option<(Home, bool, Option<OwnedFd>)> = None;
        for (nevra, entry) in listing.iter() {
            if here.as_ref().is_none_or(|(open, ..)| !open.is_that_of(nevra, entry)) {
                let home = Home::of(nevra, entry);
                let opened = open(&home.dir(dir))?;
                let known = before.and_then(|before| before.dirs.get(&home).or_else(|| before.young.get(&home)));
                let state = opened.as_ref().map(|(_, stamp)| *stamp);
                let seen = match state {
                    Some(stamp) if known == Some(&stamp) => Dir::AsBefore(stamp),
                    state => Dir::LookedAt(state),
                };
                let is_as_before = matches!(dirs.entry(home.clone()).or_insert(seen), Dir::AsBefore(_));
                here = Some((home, is_as_before, opened.map(|(fd, _)| fd)));
            }
            let Some((_, is_as_before, fd)) = &here else { continue };
            if *is_as_before {
                continue;
            }
            let name = entry.location(nevra);
            let name = name.rsplit('/').next().unwrap_or_default();
            let stat = fd.as_ref().and_then(|dir| rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).ok());
            let stat = stat.filter(|stat| FileType::from_raw_mode(stat.st_mode).is_file());
            let is_as_accepted = stat.is_some_and(|stat| {
                Some(Stamp::of_raw(&stat).facts()) == index.facts(entry)
                    && ownership::guarded_by(owner, stat.st_uid, stat.st_mode)
            });
            if !is_as_accepted {
                doubtful.push((nevra.clone(), entry.clone()));
            }
        }
        let stamp = |(home, dir)| match dir {
            Dir::AsBefore(stamp) | Dir::LookedAt(Some(stamp)) => Some((home, stamp)),
            Dir::LookedAt(None) => None,
        };
        // The next change may still have the same time as now.
        let is_old = |(_, stamp): &(Home, Stamp)| stamp.is_settled(now);
        let (dirs, young) = dirs.into_iter().filter_map(stamp).partition::<Vec<_>, _>(is_old);
        let seen = Self { dirs: dirs.into_iter().collect(), young: young.into_iter().collect() };
        Ok(Look { seen, doubtful })
    }
}
