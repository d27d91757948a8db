//! Uploads that are waiting, as reported to their owners.

use std::fmt;
use std::path::Path;

use jiff::Timestamp;

use crate::domain::legible;

/// Most files named for one distribution; the others are only counted.
pub const NAMED_MAX: usize = 200;

/// The longest path that is reported, in characters.
const PATH_MAX: usize = 300;

/// The longest reason that is kept, in characters. It may contain a path of any length.
const WHY_MAX: usize = 300;

/// Shortens a reason by cutting out its middle: it begins with what it is about, and ends with why.
pub fn brief(why: String) -> String {
    let all = why.chars().count();
    if all <= WHY_MAX {
        return why;
    }
    let head = why.chars().take(WHY_MAX / 3);
    head.chain("...".chars()).chain(why.chars().skip(all - 2 * WHY_MAX / 3)).collect()
}

/// Why a file is waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// It cannot be handled: the daemon has no permission for the file or its directory.
    Stuck,
    /// A directory that the daemon may not read.
    Closed,
    /// There are more files than are examined.
    Many,
    /// It is deeper than directories are searched.
    Deep,
    /// Its name does not end in `.rpm`.
    Suffix,
    /// Its name begins with a dot, as for uploads in progress, and it has not changed for long.
    Hidden,
    /// A directory named like a package.
    Folder,
    /// It is shorter than its headers say.
    Incomplete,
    /// It is new, or being written.
    New,
}

impl Kind {
    /// Every kind, the worst first.
    pub const ALL: [Self; 9] = [
        Self::Stuck,
        Self::Closed,
        Self::Many,
        Self::Deep,
        Self::Suffix,
        Self::Hidden,
        Self::Folder,
        Self::Incomplete,
        Self::New,
    ];

    /// Its name in JSON and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stuck => "stuck",
            Self::Closed => "closed",
            Self::Many => "many",
            Self::Deep => "deep",
            Self::Suffix => "suffix",
            Self::Hidden => "hidden",
            Self::Folder => "folder",
            Self::Incomplete => "incomplete",
            Self::New => "new",
        }
    }

    /// Whether somebody has to act, so that monitoring warns.
    pub fn is_trouble(self) -> bool {
        matches!(self, Self::Stuck | Self::Closed | Self::Many)
    }

    /// What its owner can do.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Stuck => {
                "give its directory a group of the daemon's user, if it has another one (chgrp GROUP DIRECTORY), and let \
                 that group write to it and read the file (chmod 2775 DIRECTORY, chmod 644 FILE); or remove it"
            }
            Self::Closed => {
                "give it a group of the daemon's user, if it has another one (chgrp GROUP DIRECTORY), and let that group \
                 in (chmod 2775 DIRECTORY); or remove it"
            }
            Self::Many => "remove the unused ones",
            Self::Deep => "put it into a directory further up",
            Self::Suffix => "if it is a package, rename it to end in .rpm; otherwise remove it",
            Self::Hidden => "if no transfer is in progress, rename it without the dot, or remove it",
            Self::Folder => {
                "nothing if it has packages, which are taken in; otherwise remove it and upload the package itself"
            }
            Self::Incomplete => "upload the rest; after a while it is refused",
            Self::New => "nothing: it is examined once nobody writes to it",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A waiting file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    /// Its path in the drop directory, escaped.
    pub path: String,
    /// Why.
    pub kind: Kind,
    /// A sentence.
    pub why: String,
    /// Since when this is known; `None` for files that are not remembered.
    pub since: Option<Timestamp>,
}

/// The waiting files of a distribution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Their numbers, by kind.
    counts: [u64; Kind::ALL.len()],
    /// The worst of them first.
    named: Vec<Waits>,
}

impl Backlog {
    /// Adds one.
    pub fn add(&mut self, path: &Path, kind: Kind, why: impl Into<String>, since: Option<Timestamp>) {
        if let Some(count) = self.counts.get_mut(kind as usize) {
            *count += 1;
        }
        // There are many of the minor kinds when somebody has unpacked an archive; the worse ones are named first.
        let place = self.named.partition_point(|other| other.kind <= kind);
        if place < NAMED_MAX {
            let path: String = path.display().to_string().chars().take(PATH_MAX).flat_map(char::escape_debug).collect();
            let path = legible::line(&path).into_owned();
            self.named.insert(place, Waits { path, kind, why: brief(why.into()), since });
            self.named.truncate(NAMED_MAX);
        }
    }

    /// Adds those of another directory of uploads of the same distribution.
    pub fn extend(&mut self, other: Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.named.extend(other.named);
        self.named.sort_by_key(|waits| waits.kind);
        self.named.truncate(NAMED_MAX);
    }

    /// The number of a kind.
    pub fn count(&self, kind: Kind) -> u64 {
        self.counts.get(kind as usize).copied().unwrap_or(0)
    }

    /// The number of all.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Those that are named, the worst first.
    pub fn named(&self) -> &[Waits] {
        &self.named
    }

    /// The worst of those that need somebody to act, and how many there are.
    pub fn trouble(&self) -> Option<(&Waits, u64)> {
        let first = self.named.first().filter(|waits| waits.kind.is_trouble())?;
        let all = Kind::ALL.into_iter().filter(|kind| kind.is_trouble()).map(|kind| self.count(kind)).sum();
        Some((first, all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_counted_in_their_order() {
        for (n, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, n, "{kind}");
        }
    }

    #[test]
    fn of_a_long_reason_the_beginning_and_the_end_are_told() {
        let why = |length| format!("cannot open {}: Permission denied (os error 13)", "\u{e9}".repeat(length));
        assert_eq!(brief(why(100)), why(100));
        let told = brief(why(4_000));
        assert!(told.starts_with("cannot open ") && told.ends_with(": Permission denied (os error 13)"), "{told}");
        assert_eq!(told.chars().count(), WHY_MAX + 3);
    }

    #[test]
    fn the_worst_are_named_and_all_are_counted() {
        let mut waiting = Backlog::default();
        for number in 0..1_000 {
            waiting.add(Path::new(&format!("{number}.zip")), Kind::Suffix, "", None);
        }
        assert_eq!(waiting.trouble(), None);
        waiting.add(Path::new("a\x1b.rpm"), Kind::Stuck, "no way in", None);
        let mut other = Backlog::default();
        other.add(Path::new("closed"), Kind::Closed, "", None);
        waiting.extend(other);
        let names: Vec<&str> = waiting.named().iter().take(3).map(|waits| waits.path.as_str()).collect();
        assert_eq!(names, ["a\\u{1b}.rpm", "closed", "0.zip"]);
        assert_eq!((waiting.named().len(), waiting.total(), waiting.count(Kind::Suffix)), (NAMED_MAX, 1_002, 1_000));
        assert_eq!(waiting.trouble().map(|(waits, all)| (waits.kind, all)), Some((Kind::Stuck, 2)));
    }
}
