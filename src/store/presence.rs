//! Whether the packages that a tree lists still lie there.
//!
//! A publication must not list a package that is gone, so each one asks; and a tree has a hundred thousand of
//! them. What makes it cheap: nothing is removed from a directory and nothing in it is replaced without a
//! new time of the directory, and what a directory holds is names and inodes. So
//!
//! - a directory with the time of the last look is not looked at;
//! - in one that has changed, the names and inodes are read. As long as all that were there are there still,
//!   its packages are what they were, and only those that the tree lists since then are looked at;
//! - where one is missing, every package of that directory is looked at.
//!
//! Bytes that are changed in place leave no trace in a directory. They are found when everything is
//! looked at, which the lookout asks for now and then.
//!
//! What never happens: a directory whose last change is so young that the next one could have the same time
//! is taken as unchanged.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher as _};
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{Mode, OFlags, RawDir};

use super::index::Index;
use super::intake::{self, Stamp};
use super::tree;
use crate::domain::checksum::Sha256;
use crate::domain::names::TreeName;
use crate::domain::nevra::Nevra;

/// The state of a directory; none when there is none.
fn stamp_of(dir: &Path) -> Option<Stamp> {
    let meta = std::fs::symlink_metadata(dir).ok().filter(std::fs::Metadata::is_dir)?;
    Some(Stamp::of(&meta))
}

/// A directory of packages, as it was.
#[derive(Debug, Default)]
struct Seen {
    /// None as long as it is too young.
    stamp: Option<Stamp>,
    /// What it held: hashes of the names, and inodes; in order.
    files: Vec<(u64, u64)>,
}

impl Seen {
    /// A directory that cannot be read holds nothing.
    fn read(dir: &Path, now: Timestamp) -> Self {
        // The time comes first: what happens after it will be seen to have happened.
        let Some(stamp) = stamp_of(dir) else { return Self::default() };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Ok(fd) = rustix::fs::open(dir, flags, Mode::empty()) else { return Self::default() };
        let mut buffer = vec![MaybeUninit::uninit(); 32 * 1024];
        let mut entries = RawDir::new(fd, &mut buffer);
        let mut files = Vec::new();
        while let Some(entry) = entries.next() {
            let Ok(entry) = entry else { return Self::default() };
            let mut name = DefaultHasher::new();
            name.write(entry.file_name().to_bytes());
            files.push((name.finish(), entry.ino()));
        }
        files.sort_unstable();
        Self { stamp: Some(stamp).filter(|stamp| stamp.is_older_than(intake::RACY, now)), files }
    }

    /// Whether everything that was in `self` is in `later`.
    fn lost_nothing(&self, later: &Self) -> bool {
        let mut later = later.files.iter();
        self.files.iter().all(|file| later.by_ref().find(|other| *other >= file) == Some(file))
    }
}

/// What was seen of one tree when all its packages were there.
#[derive(Debug)]
pub struct Presence {
    /// By the letter of the directory.
    dirs: BTreeMap<char, Seen>,
}

/// A look that is not over: [`Look::good`] when each of `doubtful` was found to be all right.
#[derive(Debug)]
#[must_use = "what was seen is forgotten if it was not good"]
pub struct Look {
    dirs: BTreeMap<char, Seen>,
    /// Packages whose files do not seem to be what was accepted.
    pub doubtful: Vec<(Nevra, Sha256)>,
}

impl Look {
    /// All packages are there.
    pub fn good(self) -> Presence {
        Presence { dirs: self.dirs }
    }
}

impl Presence {
    /// Looks at the packages that a tree lists, whose directory is `dir`. `before` is what was seen last; without
    /// it all of them are looked at.
    pub fn look(before: Option<Self>, dir: &Path, index: &Index, tree: &TreeName, now: Timestamp) -> Look {
        let below = |letter: char| -> PathBuf { dir.join(tree::PACKAGES).join(letter.to_string()) };
        let everything = before.is_none();
        let mut dirs = before.map(|before| before.dirs).unwrap_or_default();
        let mut suspect = BTreeSet::new();
        for (letter, seen) in &mut dirs {
            let path = below(*letter);
            if seen.stamp.is_some() && stamp_of(&path) == seen.stamp {
                continue;
            }
            let later = Seen::read(&path, now);
            if !seen.lost_nothing(&later) {
                suspect.insert(*letter);
            }
            *seen = later;
        }
        let mut doubtful = Vec::new();
        let mut check = |(nevra, sha256): (&Nevra, Sha256)| {
            let letter = tree::letter(nevra);
            let dir = below(letter);
            // Names before files: what goes in between is missing from one of them.
            dirs.entry(letter).or_insert_with(|| Seen::read(&dir, now));
            let meta = std::fs::symlink_metadata(dir.join(nevra.file_name())).ok().filter(std::fs::Metadata::is_file);
            if !meta.zip(index.facts(sha256)).is_some_and(|(meta, known)| intake::has_facts(&meta, known)) {
                doubtful.push((nevra.clone(), sha256));
            }
        };
        if everything || !suspect.is_empty() {
            let asked = |nevra: &Nevra| everything || suspect.contains(&tree::letter(nevra));
            index.listed(tree).filter(|(nevra, _)| asked(nevra)).for_each(&mut check);
        }
        if !everything {
            index.came(tree).filter(|(nevra, _)| !suspect.contains(&tree::letter(nevra))).for_each(check);
        }
        Look { dirs, doubtful }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "somebody else changes the directory, now")]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    fn seen(dir: &Path) -> Seen {
        let later = Timestamp::now() + Duration::from_mins(1);
        Seen::read(dir, later)
    }

    #[test]
    fn a_directory_that_grows_has_lost_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        for n in 0..2000 {
            fs::write(dir.path().join(format!("package-{n}")), "").expect("written");
        }
        let before = seen(dir.path());
        assert!(before.lost_nothing(&seen(dir.path())));
        fs::write(dir.path().join("one-more"), "").expect("written");
        let after = seen(dir.path());
        assert!(before.lost_nothing(&after));
        assert!(!after.lost_nothing(&before));
        assert_eq!(after.files.len(), 2003, "with . and ..");
    }

    #[test]
    fn what_was_removed_renamed_or_replaced_is_missed() {
        type Way = (&'static str, fn(&Path));
        let ways: [Way; 4] = [
            ("removed", |dir| fs::remove_file(dir.join("a")).expect("removed")),
            ("renamed", |dir| fs::rename(dir.join("a"), dir.join("c")).expect("renamed")),
            ("replaced", |dir| {
                fs::write(dir.join("new"), "a").expect("written");
                fs::rename(dir.join("new"), dir.join("a")).expect("renamed");
            }),
            ("exchanged", |dir| {
                fs::rename(dir.join("a"), dir.join("c")).expect("renamed");
                fs::rename(dir.join("b"), dir.join("a")).expect("renamed");
                fs::rename(dir.join("c"), dir.join("b")).expect("renamed");
            }),
        ];
        for (how, way) in ways {
            let dir = tempfile::tempdir().expect("a directory");
            for name in ["a", "b"] {
                fs::write(dir.path().join(name), name).expect("written");
            }
            let before = seen(dir.path());
            way(dir.path());
            assert!(!before.lost_nothing(&seen(dir.path())), "{how}");
        }
    }

    #[test]
    fn a_young_directory_a_link_and_nothing_are_not_trusted() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("a"), "").expect("written");
        assert_eq!(Seen::read(dir.path(), Timestamp::now()).stamp, None, "young");
        let before = seen(dir.path());
        assert!(before.stamp.is_some());
        let link = dir.path().with_extension("link");
        symlink(dir.path(), &link).expect("linked");
        for gone in [link.as_path(), Path::new("/nowhere/at/all")] {
            let later = seen(gone);
            assert_eq!((later.stamp, later.files.len()), (None, 0));
            assert!(!before.lost_nothing(&later));
        }
        fs::remove_file(link).expect("removed");
    }
}
