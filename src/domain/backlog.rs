//! What lies where people upload and is not taken in, told to those who put it there.

use std::fmt;
use std::path::Path;

use jiff::Timestamp;

use crate::domain::legible;

/// Most files that are named for one distribution; the others are counted.
pub const NAMED_MAX: usize = 200;

/// Longest path that is told, in characters.
const PATH_MAX: usize = 300;

/// Longest reason that is remembered, in characters. It may have a path in it, which may be as long as people like.
const WHY_MAX: usize = 300;

/// A reason without its middle when it is too long: what it is about stands at its beginning, and why at its end.
pub fn brief(why: String) -> String {
    let all = why.chars().count();
    if all <= WHY_MAX {
        return why;
    }
    let head = why.chars().take(WHY_MAX / 3);
    head.chain("...".chars()).chain(why.chars().skip(all - 2 * WHY_MAX / 3)).collect()
}

/// Why a file waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// It cannot be handled: its directory, or the file, belongs to somebody who keeps it to himself.
    Stuck,
    /// A directory that the daemon may not read.
    Closed,
    /// There is more than is looked at.
    Many,
    /// It lies deeper than is looked at.
    Deep,
    /// Its name does not end in `.rpm`.
    Suffix,
    /// Its name begins with a dot, as those of files on their way do, and it has not changed for long.
    Hidden,
    /// A directory that is named like a package.
    Folder,
    /// There is less of it than its headers say.
    Incomplete,
    /// It is new, or somebody writes into it.
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

    /// One word for programs.
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

    /// Whether somebody has to do something, so that monitoring warns.
    pub fn is_trouble(self) -> bool {
        matches!(self, Self::Stuck | Self::Closed | Self::Many)
    }

    /// What its owner can do.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Stuck => {
                "let the daemon's user write to its directory and read the file (chmod 2775 DIRECTORY, chmod 644 \
                 FILE), or remove it"
            }
            Self::Closed => "give the daemon's user access (chmod 2775 DIRECTORY), or remove it",
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

/// A file that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    /// Its path below the place of uploads, escaped.
    pub path: String,
    /// Why.
    pub kind: Kind,
    /// In one sentence.
    pub why: String,
    /// Since when it is known; unknown of what is not remembered.
    pub since: Option<Timestamp>,
}

/// All that wait in a distribution, as far as they are named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many there are, by kind.
    counts: [u64; Kind::ALL.len()],
    /// The worst of them first.
    named: Vec<Waits>,
}

impl Backlog {
    /// One more.
    pub fn add(&mut self, path: &Path, kind: Kind, why: impl Into<String>, since: Option<Timestamp>) {
        if let Some(count) = self.counts.get_mut(kind as usize) {
            *count += 1;
        }
        // There are many of the lesser kinds when somebody has unpacked an archive; the worse ones are named first.
        let place = self.named.partition_point(|other| other.kind <= kind);
        if place < NAMED_MAX {
            let path: String = path.display().to_string().chars().take(PATH_MAX).flat_map(char::escape_debug).collect();
            let path = legible::line(&path).into_owned();
            self.named.insert(place, Waits { path, kind, why: brief(why.into()), since });
            self.named.truncate(NAMED_MAX);
        }
    }

    /// Takes another place of uploads of the same distribution in.
    pub fn extend(&mut self, other: Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.named.extend(other.named);
        self.named.sort_by_key(|waits| waits.kind);
        self.named.truncate(NAMED_MAX);
    }

    /// How many there are of a kind.
    pub fn count(&self, kind: Kind) -> u64 {
        self.counts.get(kind as usize).copied().unwrap_or(0)
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Those that are named, the worst first.
    pub fn named(&self) -> &[Waits] {
        &self.named
    }

    /// The worst of those for which somebody has to do something, and how many there are.
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
