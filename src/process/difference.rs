//! What differs between two trees, of the same distribution or of two: by name and architecture, a page at a time.
//!
//! All pairs are counted in one pass over both listings; only those on the page are copied.

use std::collections::BTreeMap;

use super::world::{Tree, World};
use crate::domain::changes::{Amount, Class, Pair, compare};
use crate::domain::names::{DistPath, TreeId};
use crate::domain::nevra::Nevra;

/// Versions of one name and architecture that are named in full, the newest first. The others are counted.
pub const VERSIONS_NAMED: usize = 10;

/// Which differences are shown.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Only those of this class; without it, all but [`Class::Same`].
    pub class: Option<Class>,
    /// Only those after this name and architecture.
    pub after: Option<(String, String)>,
    /// At most this many.
    pub limit: usize,
}

/// What differs between two trees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// What each of the two lists.
    pub listed: [Amount; 2],
    /// How many names and architectures there are of each class.
    pub classes: BTreeMap<Class, u64>,
    /// What only the second one lists.
    pub added: Amount,
    /// What only the first one lists.
    pub removed: Amount,
    /// The page, in the order of names and architectures.
    pub page: Vec<Row>,
    /// How many more follow.
    pub more: u64,
}

/// A name and architecture that the two do not list alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The name.
    pub name: String,
    /// The architecture.
    pub arch: String,
    /// How the newest differs.
    pub class: Class,
    /// The newest version in each of the two.
    pub newest: [Option<String>; 2],
    /// What only the second one lists.
    pub added: Amount,
    /// What only the first one lists.
    pub removed: Amount,
    /// Versions that only the second one lists, the newest first.
    pub comes: Vec<String>,
    /// Versions that only the first one lists, the newest first.
    pub goes: Vec<String>,
}

/// Compares two trees.
pub fn difference(world: &World, [from, to]: [&TreeId; 2], shown: &Shown) -> Difference {
    let listings = [from, to].map(|id| world.trees.listing(id));
    let listed = [from, to].map(|id| world.trees.get(id).map(Tree::amount).unwrap_or_default());
    let mut found = Difference { listed, ..Difference::default() };
    let after = shown.after.as_ref().map(|(name, arch)| (name.as_str(), arch.as_str()));
    for pair in compare(listings[0].iter(), listings[1].iter()) {
        let class = pair.class();
        *found.classes.entry(class).or_default() += 1;
        let (added, removed) = (sum(world, &to.dist, pair.comes()), sum(world, &from.dist, pair.goes()));
        found.added.join(added);
        found.removed.join(removed);
        let fits = shown.class.map_or(class != Class::Same, |wanted| class == wanted);
        if !fits || after.is_some_and(|after| pair.key() <= after) {
            continue;
        }
        if found.page.len() < shown.limit {
            found.page.push(row(&pair, class, added, removed));
        } else {
            found.more += 1;
        }
    }
    found
}

fn row(pair: &Pair<'_>, class: Class, added: Amount, removed: Amount) -> Row {
    let (name, arch) = pair.key();
    Row {
        name: name.to_owned(),
        arch: arch.to_owned(),
        class,
        newest: [pair.before(), pair.after()].map(|newest| newest.map(Nevra::evr)),
        added,
        removed,
        comes: newest_first(pair.comes()),
        goes: newest_first(pair.goes()),
    }
}

/// How many packages of a distribution these are, and their bytes.
fn sum<'a>(world: &World, dist: &DistPath, packages: impl Iterator<Item = &'a Nevra>) -> Amount {
    let mut amount = Amount::default();
    packages.for_each(|nevra| amount.add(world.packages.get(dist, nevra).map_or(0, |package| package.size)));
    amount
}

fn newest_first<'a>(packages: impl DoubleEndedIterator<Item = &'a Nevra>) -> Vec<String> {
    packages.rev().take(VERSIONS_NAMED).map(Nevra::evr).collect()
}
