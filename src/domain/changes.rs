//! What changes for clients between two lists of packages: what is there, and what would be there instead.
//!
//! A client takes the newest package of a name and architecture. So [`compare`] puts the packages of each name and
//! architecture side by side, [`Pair::class`] compares the newest of both sides, and [`Pair::fates`] says of every
//! package that comes or goes what that means to a client. Two packages are the same only if their bytes are: other
//! distributions may have built the same version for themselves.
//!
//! Both lists are read in the order of a listing and nothing is copied, so that two trees of 100,000 packages are
//! compared in one pass.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::listing::Entry;
use super::nevra::Nevra;

/// A package as a listing has it.
pub type Listed<'a> = (&'a Nevra, &'a Entry);

/// How many packages, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub packages: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Amount {
    /// One package more.
    pub fn add(&mut self, bytes: u64) {
        self.packages = self.packages.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// All of these more.
    pub fn join(&mut self, other: Self) {
        self.packages = self.packages.saturating_add(other.packages);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// So many packages may leave a tree at once before somebody has to say that it is meant.
pub const LEAVES_MAX: usize = 50;

/// So few may in any case: a small tree loses much of it with one product.
const LEAVES_ALWAYS: usize = 10;

/// Whether so many packages leaving a tree at once look like a mistake: more than `most`, or more than a tenth of it (threats,
/// row 90).
pub fn shrinks(lists: usize, leaves: usize, most: usize) -> bool {
    leaves > most || leaves > LEAVES_ALWAYS && leaves.saturating_mul(10) > lists
}

/// How the newest package of a name and architecture changes. It is the table of words for output and the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// There was none.
    New,
    /// It becomes a newer one.
    Newer,
    /// It becomes an older one.
    Older,
    /// It has the same version, as rpm compares them, and other bytes.
    Rebuilt,
    /// It stays; other versions beside it come or go.
    Beside,
    /// There is none any more.
    Gone,
    /// Nothing comes or goes.
    Same,
}

impl Class {
    /// All of them, in the order in which they are counted.
    pub const ALL: [Self; 7] =
        [Self::New, Self::Newer, Self::Older, Self::Rebuilt, Self::Beside, Self::Gone, Self::Same];

    /// The word in output and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Newer => "newer",
            Self::Older => "older",
            Self::Rebuilt => "rebuilt",
            Self::Beside => "beside",
            Self::Gone => "gone",
            Self::Same => "same",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Class {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = || Self::ALL.map(Self::as_str).join(", ");
        let named = Self::ALL.into_iter().find(|class| class.as_str() == text);
        named.ok_or_else(|| format!("`{}` is not a kind of change; choose from {}", text.escape_debug(), words()))
    }
}

/// What becomes of one package, and the package of the other side that it is compared with: the newest there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate<'a> {
    /// It comes, and none of its name and architecture was there.
    New,
    /// It comes, and is newer than this one.
    Newer(&'a Nevra),
    /// It comes, and is older than this one.
    Older(&'a Nevra),
    /// It comes in place of this one, which has the same version and other bytes.
    Rebuilt(&'a Nevra),
    /// It is there already, and stays.
    Same,
    /// It goes, and none of its name and architecture stays.
    Gone,
    /// It goes, and this one is newer.
    Superseded(&'a Nevra),
    /// It goes, and this one is older: clients that have installed it are ahead of the tree then.
    Reverted(&'a Nevra),
    /// It goes, and this one takes its place: the same version with other bytes.
    Replaced(&'a Nevra),
}

impl<'a> Fate<'a> {
    /// The word in output and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Newer(_) => "newer",
            Self::Older(_) => "older",
            Self::Rebuilt(_) => "rebuilt",
            Self::Same => "same",
            Self::Gone => "gone",
            Self::Superseded(_) => "superseded",
            Self::Reverted(_) => "reverted",
            Self::Replaced(_) => "replaced",
        }
    }

    /// The package that it is compared with.
    pub fn other(self) -> Option<&'a Nevra> {
        match self {
            Self::New | Self::Same | Self::Gone => None,
            Self::Newer(other)
            | Self::Older(other)
            | Self::Rebuilt(other)
            | Self::Superseded(other)
            | Self::Reverted(other)
            | Self::Replaced(other) => Some(other),
        }
    }

    /// Whether it comes, and is not there yet.
    pub fn comes(self) -> bool {
        matches!(self, Self::New | Self::Newer(_) | Self::Older(_) | Self::Rebuilt(_))
    }

    /// Of a package that comes where this is the newest.
    fn came(nevra: &Nevra, newest: Option<&'a Nevra>) -> Self {
        let Some(newest) = newest else { return Self::New };
        match nevra.cmp_evr(newest) {
            Ordering::Greater => Self::Newer(newest),
            Ordering::Less => Self::Older(newest),
            Ordering::Equal => Self::Rebuilt(newest),
        }
    }

    /// Of a package that goes where this is the newest that stays or comes.
    fn went(nevra: &Nevra, newest: Option<&'a Nevra>) -> Self {
        let Some(newest) = newest else { return Self::Gone };
        match newest.cmp_evr(nevra) {
            Ordering::Greater => Self::Superseded(newest),
            Ordering::Less => Self::Reverted(newest),
            Ordering::Equal => Self::Replaced(newest),
        }
    }
}

/// The packages of one name and architecture on both sides, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pair<'a> {
    before: Vec<Listed<'a>>,
    after: Vec<Listed<'a>>,
}

impl<'a> Pair<'a> {
    /// Name and architecture.
    pub fn key(&self) -> (&'a str, &'a str) {
        let one = self.before.first().or(self.after.first());
        one.map_or(("", ""), |(nevra, _)| (nevra.name(), nevra.arch()))
    }

    /// The newest that is there.
    pub fn before(&self) -> Option<&'a Nevra> {
        self.before.last().map(|(nevra, _)| *nevra)
    }

    /// The newest that would be there.
    pub fn after(&self) -> Option<&'a Nevra> {
        self.after.last().map(|(nevra, _)| *nevra)
    }

    /// The packages that come.
    pub fn comes(&self) -> impl DoubleEndedIterator<Item = &'a Nevra> {
        without(&self.after, &self.before)
    }

    /// The packages that go.
    pub fn goes(&self) -> impl DoubleEndedIterator<Item = &'a Nevra> {
        without(&self.before, &self.after)
    }

    /// How the newest changes.
    pub fn class(&self) -> Class {
        let (Some(before), Some(after)) = (self.before.last(), self.after.last()) else {
            return if self.before.is_empty() { Class::New } else { Class::Gone };
        };
        match after.0.cmp_evr(before.0) {
            Ordering::Greater => Class::Newer,
            Ordering::Less => Class::Older,
            Ordering::Equal if !is_same(before, after) => Class::Rebuilt,
            Ordering::Equal if self.comes().next().is_none() && self.goes().next().is_none() => Class::Same,
            Ordering::Equal => Class::Beside,
        }
    }

    /// What becomes of each package that goes or comes.
    pub fn fates(&self) -> impl Iterator<Item = (&'a Nevra, Fate<'a>)> {
        let goes = self.goes().map(|nevra| (nevra, Fate::went(nevra, self.after())));
        goes.chain(self.comes().map(|nevra| (nevra, Fate::came(nevra, self.before()))))
    }
}

fn is_same(one: &Listed<'_>, other: &Listed<'_>) -> bool {
    one.0 == other.0 && one.1.sha256 == other.1.sha256
}

/// Those of one sorted list that the other does not have.
fn without<'a>(some: &[Listed<'a>], others: &[Listed<'a>]) -> impl DoubleEndedIterator<Item = &'a Nevra> {
    let is_there = |one: &Listed<'a>| {
        let found = others.binary_search_by(|other| other.0.cmp(one.0));
        found.is_ok_and(|at| others.get(at).is_some_and(|other| is_same(one, other)))
    };
    some.iter().filter(move |one| !is_there(one)).map(|(nevra, _)| *nevra)
}

/// Compares two lists, each in the order of a listing: a pair for each name and architecture of either, in their order.
pub fn compare<'a>(
    before: impl Iterator<Item = Listed<'a>>,
    after: impl Iterator<Item = Listed<'a>>,
) -> impl Iterator<Item = Pair<'a>> {
    let (mut before, mut after) = (before.peekable(), after.peekable());
    let by_name = std::iter::from_fn(move || {
        let next = [before.peek(), after.peek()].into_iter().flatten().map(|(nevra, _)| nevra.name());
        let name = next.min()?;
        let mut pairs: BTreeMap<&str, Pair<'_>> = BTreeMap::new();
        while let Some(one) = before.next_if(|(nevra, _)| nevra.name() == name) {
            pairs.entry(one.0.arch()).or_default().before.push(one);
        }
        while let Some(one) = after.next_if(|(nevra, _)| nevra.name() == name) {
            pairs.entry(one.0.arch()).or_default().after.push(one);
        }
        Some(pairs.into_values())
    });
    by_name.flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::checksum::Sha256;
    use crate::domain::listing::Listing;

    /// Packages, each with the first byte of its bytes' hash.
    fn listing(packages: &[(&str, u8)]) -> Listing {
        packages.iter().map(|(nevra, byte)| (nevra.parse().expect("a nevra"), Sha256([*byte; 32]))).collect()
    }

    /// Every pair in one line: its class, the newest of both sides, and the fates.
    fn told(before: &[(&str, u8)], after: &[(&str, u8)]) -> Vec<String> {
        let (before, after) = (listing(before), listing(after));
        let evr = |nevra: Option<&Nevra>| nevra.map_or_else(|| "-".to_owned(), Nevra::evr);
        let line = |pair: Pair<'_>| {
            let fate = |(nevra, fate): (&Nevra, Fate<'_>)| match fate.other() {
                Some(other) => format!("{} {} ({})", nevra.evr(), fate.as_str(), other.evr()),
                None => format!("{} {}", nevra.evr(), fate.as_str()),
            };
            let fates: Vec<String> = pair.fates().map(fate).collect();
            let (name, arch) = pair.key();
            let newest = format!("{} -> {}", evr(pair.before()), evr(pair.after()));
            format!("{} {name}.{arch} {newest}: {}", pair.class(), fates.join(", "))
        };
        compare(before.iter(), after.iter()).map(line).collect()
    }

    #[test]
    fn a_tree_shrinks_when_many_packages_or_a_tenth_of_it_leave() {
        let said = |lists, leaves| shrinks(lists, leaves, LEAVES_MAX);
        assert!(!said(10, 10) && !said(0, 0), "a small tree");
        assert!(said(100, 11) && said(109, 11) && !said(110, 11), "a tenth");
        assert!(!said(10_000, 50) && said(10_000, 51), "many");
        assert!(!shrinks(10_000, 51, 60) && shrinks(11, 11, 60));
    }

    #[test]
    fn the_newest_of_each_name_and_architecture_is_compared() {
        let before = [
            ("a-1-1.noarch", 0),
            ("b-1-1.i686", 0),
            ("b-1-1.x86_64", 0),
            ("c-2-1.noarch", 0),
            ("d-1-1.noarch", 0),
            ("d-2-1.noarch", 0),
            ("e-1-1.noarch", 0),
            ("f-1.0-1.noarch", 0),
        ];
        let after = [
            ("a-1:0-1.noarch", 0),
            ("b-1-1.x86_64", 0),
            ("c-1-1.noarch", 0),
            ("d-2-1.noarch", 0),
            ("e-1-1.noarch", 1),
            ("f-1.00-1.noarch", 0),
            ("g-1-1.noarch", 0),
        ];
        assert_eq!(
            told(&before, &after),
            [
                "newer a.noarch 1-1 -> 1:0-1: 1-1 superseded (1:0-1), 1:0-1 newer (1-1)",
                "gone b.i686 1-1 -> -: 1-1 gone",
                "same b.x86_64 1-1 -> 1-1: ",
                "older c.noarch 2-1 -> 1-1: 2-1 reverted (1-1), 1-1 older (2-1)",
                "beside d.noarch 2-1 -> 2-1: 1-1 superseded (2-1)",
                "rebuilt e.noarch 1-1 -> 1-1: 1-1 replaced (1-1), 1-1 rebuilt (1-1)",
                "rebuilt f.noarch 1.0-1 -> 1.00-1: 1.0-1 replaced (1.00-1), 1.00-1 rebuilt (1.0-1)",
                "new g.noarch - -> 1-1: 1-1 new",
            ]
        );
    }

    #[test]
    fn the_words_of_classes_are_read_back() {
        for class in Class::ALL {
            assert_eq!(class.as_str().parse(), Ok(class));
        }
        let error = "`nearer` is not a kind of change; choose from new, newer, older, rebuilt, beside, gone, same";
        assert_eq!("nearer".parse::<Class>(), Err(error.to_owned()));
    }

    /// Any listing of few names, so that both sides have much in common.
    fn any() -> impl Strategy<Value = Listing> {
        let package = ("[ab]", 0_u32..2, "[12](\\.0|\\.00)?", "(noarch|i686)", 0_u8..2);
        prop::collection::vec(package, 0..12).prop_map(|packages| {
            let nevra = |(name, epoch, version, arch, byte): (String, u32, String, String, u8)| {
                (Nevra::new(&name, epoch, &version, "1", &arch).expect("a nevra"), Sha256([byte; 32]))
            };
            packages.into_iter().map(nevra).collect()
        })
    }

    type Bytes = BTreeSet<(Nevra, [u8; 32])>;

    fn bytes(listing: &Listing) -> Bytes {
        listing.iter().map(|(nevra, entry)| (nevra.clone(), entry.sha256.0)).collect()
    }

    proptest! {
        #[test]
        fn what_goes_taken_away_and_what_comes_added_gives_the_other_side(before in any(), after in any()) {
            let mut changed = before.clone();
            for pair in compare(before.iter(), after.iter()) {
                pair.goes().for_each(|nevra| drop(changed.remove(nevra)));
                for nevra in pair.comes() {
                    changed.insert(nevra.clone(), after.get(nevra).expect("it is there").clone());
                }
            }
            prop_assert_eq!(bytes(&changed), bytes(&after));
        }

        #[test]
        fn every_name_and_architecture_of_either_side_has_one_class_in_order(before in any(), after in any()) {
            let key = |nevra: &Nevra| (nevra.name().to_owned(), nevra.arch().to_owned());
            let all: BTreeSet<_> = before.nevras().chain(after.nevras()).map(key).collect();
            let pairs: Vec<Pair<'_>> = compare(before.iter(), after.iter()).collect();
            let keys: Vec<_> = pairs.iter().map(|p| (p.key().0.to_owned(), p.key().1.to_owned())).collect();
            prop_assert_eq!(keys, all.into_iter().collect::<Vec<_>>());
            let listed = |side: fn(&Pair<'_>) -> usize| pairs.iter().map(side).sum::<usize>();
            prop_assert_eq!(listed(|p| p.before.len()), before.len());
            prop_assert_eq!(listed(|p| p.after.len()), after.len());
        }

        #[test]
        fn every_package_that_comes_or_goes_has_one_fate(before in any(), after in any()) {
            let (was, is) = (bytes(&before), bytes(&after));
            let (mut came, mut went) = (Bytes::new(), Bytes::new());
            for pair in compare(before.iter(), after.iter()) {
                for (nevra, fate) in pair.fates() {
                    let of = |side: &Listing| (nevra.clone(), side.get(nevra).expect("listed").sha256.0);
                    let is_first = if fate.comes() { came.insert(of(&after)) } else { went.insert(of(&before)) };
                    prop_assert!(is_first, "{} twice", nevra);
                    prop_assert!(fate.other().is_none_or(|other| (other.name(), other.arch()) == pair.key()));
                }
            }
            prop_assert_eq!(came, is.difference(&was).cloned().collect::<Bytes>());
            prop_assert_eq!(went, was.difference(&is).cloned().collect::<Bytes>());
        }

        #[test]
        fn with_the_sides_swapped_new_is_gone_and_newer_is_older(before in any(), after in any()) {
            let swapped = |class| match class {
                Class::New => Class::Gone,
                Class::Gone => Class::New,
                Class::Newer => Class::Older,
                Class::Older => Class::Newer,
                Class::Rebuilt | Class::Beside | Class::Same => class,
            };
            let there: Vec<_> =
                compare(before.iter(), after.iter()).map(|p| (swapped(p.class()), p.after(), p.before())).collect();
            let back: Vec<_> =
                compare(after.iter(), before.iter()).map(|p| (p.class(), p.before(), p.after())).collect();
            prop_assert_eq!(there, back);
        }

        #[test]
        fn a_list_compared_with_itself_is_the_same(one in any()) {
            prop_assert!(compare(one.iter(), one.iter()).all(|p| p.class() == Class::Same && p.fates().next().is_none()));
        }
    }
}
