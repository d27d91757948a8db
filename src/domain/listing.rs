//! What a tree lists, and what a distribution has accepted.
//!
//! A listing is decided in one place, by the fold of the logbook, and passed to whatever shows it. It is a persistent
//! map: a clone costs nothing, and two clones share everything they have in common.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use super::checksum::Sha256;
use super::moment::Elapsed;
use super::names::{RolloutId, TreeName};
use super::nevra::Nevra;

/// A package in a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// SHA-256 of the accepted bytes.
    pub sha256: Sha256,
    /// The rollout that brought it into this tree; `None` in the tree it was uploaded to.
    pub brought: Option<RolloutId>,
    /// Its path in the tree, if that is not where the daemon puts packages: it was there when the tree was adopted.
    pub place: Option<Arc<str>>,
    /// Since when it is listed, in elapsed time; `None` while that is only planned.
    pub since: Option<Elapsed>,
}

impl Entry {
    /// A package at the path where the daemon puts it.
    pub fn of(sha256: Sha256) -> Self {
        Self { sha256, brought: None, place: None, since: None }
    }

    /// The [`Entry::place`] of a package at this path.
    pub fn elsewhere(nevra: &Nevra, place: &str) -> Option<Arc<str>> {
        (place != nevra.location()).then(|| Arc::from(place))
    }

    /// Its path in the tree.
    pub fn location(&self, nevra: &Nevra) -> String {
        self.place.as_deref().map_or_else(|| nevra.location(), str::to_owned)
    }
}

/// Packages of one name that [`Listing::nearest`] looks at.
const SIMILAR_MAX: usize = 1000;

/// Packages of a tree in which it looks for other names.
const SEARCHED_MAX: usize = 1000;

/// The packages that a tree lists, in the order of its metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    packages: OrdMap<Nevra, Entry>,
    /// How many of them are not where the daemon puts packages.
    elsewhere: usize,
}

impl Listing {
    /// The entry of a listed package.
    pub fn get(&self, nevra: &Nevra) -> Option<&Entry> {
        self.packages.get(nevra)
    }

    /// The same, with its name as it is kept.
    pub fn get_key_value(&self, nevra: &Nevra) -> Option<(&Nevra, &Entry)> {
        self.packages.get_key_value(nevra)
    }

    /// Whether a package is listed.
    pub fn contains(&self, nevra: &Nevra) -> bool {
        self.packages.contains_key(nevra)
    }

    /// How many are listed.
    pub fn len(&self) -> usize {
        self.packages.len()
    }

    /// Whether none is listed.
    pub fn is_empty(&self) -> bool {
        self.packages.is_empty()
    }

    /// All packages, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Nevra, &Entry)> {
        self.packages.iter()
    }

    /// The present or future path of a package.
    pub fn location(&self, nevra: &Nevra) -> String {
        self.get(nevra).map_or_else(|| nevra.location(), |entry| entry.location(nevra))
    }

    /// The paths of all packages.
    pub fn locations(&self) -> impl Iterator<Item = String> {
        self.iter().map(|(nevra, entry)| entry.location(nevra))
    }

    /// All packages, in order.
    pub fn nevras(&self) -> impl Iterator<Item = &Nevra> {
        self.packages.keys()
    }

    /// The packages of a name, in order.
    pub fn named<'l>(&'l self, name: &'l str) -> impl Iterator<Item = (&'l Nevra, &'l Entry)> {
        self.packages.range(Nevra::first_of(name)..).take_while(move |(nevra, _)| nevra.name() == name)
    }

    /// What was probably meant by the name of a package that is not listed: the most similar one of its name, or of a name that
    /// differs in at most a third of its letters.
    pub fn nearest(&self, nevra: &Nevra) -> Option<&Nevra> {
        let whole = nevra.to_string();
        let far = |other: &Nevra| strsim::osa_distance(&whole, &other.to_string());
        let from = self.packages.range(Nevra::first_of(nevra.name())..).map(|(other, _)| other);
        let of_name = from.take_while(|other| other.name() == nevra.name()).take(SIMILAR_MAX);
        of_name.min_by_key(|other| far(other)).or_else(|| {
            // Every name is looked at, so this is only for what people can have in view themselves.
            let all = self.nevras().take(if self.len() <= SEARCHED_MAX { SEARCHED_MAX } else { 0 });
            let (name, most) = (nevra.name().to_lowercase(), nevra.name().chars().count() / 3);
            all.filter(|other| strsim::osa_distance(&name, &other.name().to_lowercase()) <= most)
                .min_by_key(|other| far(other))
        })
    }

    /// Lists a package; returns the previous entry.
    pub fn insert(&mut self, nevra: Nevra, entry: Entry) -> Option<Entry> {
        self.elsewhere += usize::from(entry.place.is_some());
        let before = self.packages.insert(nevra, entry);
        self.elsewhere -= usize::from(before.as_ref().is_some_and(|before| before.place.is_some()));
        before
    }

    /// Removes a package; returns its entry.
    pub fn remove(&mut self, nevra: &Nevra) -> Option<Entry> {
        let before = self.packages.remove(nevra);
        self.elsewhere -= usize::from(before.as_ref().is_some_and(|before| before.place.is_some()));
        before
    }

    /// Whether any packages are where they were when the tree was adopted.
    pub fn is_adopted(&self) -> bool {
        self.elsewhere > 0
    }

    /// Whether both are unchanged clones of one listing. Others may be equal nevertheless.
    pub fn is(&self, other: &Self) -> bool {
        self.packages.ptr_eq(&other.packages)
    }

    /// Whether clients see no difference: the same packages at the same paths.
    pub fn looks_like(&self, other: &Self) -> bool {
        let same = |((nevra, entry), (other, theirs)): ((&Nevra, &Entry), (&Nevra, &Entry))| {
            nevra == other && entry.sha256 == theirs.sha256 && entry.place == theirs.place
        };
        self.is(other) || (self.len() == other.len() && self.iter().zip(other.iter()).all(same))
    }

    /// Limits all times to `now`, where a clock was ahead.
    pub fn since_at_most(&mut self, now: Elapsed) {
        let ahead = |(nevra, entry): (&Nevra, &Entry)| (entry.since > Some(now)).then(|| nevra.clone());
        let ahead: Vec<Nevra> = self.packages.iter().filter_map(ahead).collect();
        for nevra in ahead {
            if let Some(entry) = self.packages.get_mut(&nevra) {
                entry.since = Some(now);
            }
        }
    }
}

impl FromIterator<(Nevra, Sha256)> for Listing {
    fn from_iter<I: IntoIterator<Item = (Nevra, Sha256)>>(packages: I) -> Self {
        Self {
            elsewhere: 0,
            packages: packages.into_iter().map(|(nevra, sha256)| (nevra, Entry::of(sha256))).collect(),
        }
    }
}

/// What a distribution has accepted and lists, as passed to code that works on its trees.
pub trait Catalog: fmt::Debug + Sync {
    /// The bytes accepted under an identity, even if no tree lists them any more.
    fn accepted(&self, nevra: &Nevra) -> Option<Sha256>;

    /// Whether the bytes that were accepted before may come in again: they were given up as lost, or somebody allowed it.
    fn may_come_again(&self, nevra: &Nevra) -> bool;

    /// The accepted packages of this name, listed now or formerly.
    fn of_name(&self, name: &str) -> Vec<Nevra>;

    /// What a tree lists.
    fn listing(&self, tree: &TreeName) -> Listing;

    /// The paths of adopted packages, listed now or formerly.
    fn adopted_places(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }

    /// Whether a file of the upload tree, by its path below it, is one that the tree no longer lists and that waits there for its
    /// removal.
    fn waits_for_removal(&self, _place: &str) -> bool {
        false
    }

    /// SHA-256 of the `repomd.xml` that was last published in a tree; `None` if there was none, or nobody keeps it.
    fn published(&self, _tree: &TreeName) -> Option<Sha256> {
        None
    }

    /// Whether a tree lists a package.
    fn lists(&self, tree: &TreeName, nevra: &Nevra) -> bool {
        self.listing(tree).contains(nevra)
    }

    /// The accepted packages, listed now or formerly, whose file has this name. File names have no epoch, so there may
    /// be several.
    fn of_file(&self, file_name: &str) -> Vec<Nevra> {
        let Ok(bare) = file_name.parse::<Nevra>() else { return Vec::new() };
        let mut all = self.of_name(bare.name());
        all.retain(|nevra| nevra.file_name() == file_name);
        all
    }
}

/// A catalog of its own, for programs without a logbook.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    accepted: BTreeMap<Nevra, Sha256>,
    listings: BTreeMap<TreeName, Listing>,
}

impl Inventory {
    /// Accepts a package and lists it in a tree.
    pub fn take_in(&mut self, tree: &TreeName, nevra: &Nevra, sha256: Sha256) {
        self.accepted.insert(nevra.clone(), sha256);
        let listing = self.listings.entry(tree.clone()).or_default();
        listing.insert(nevra.clone(), Entry::of(sha256));
    }

    /// Accepts a package that is listed nowhere any more.
    pub fn withdraw(&mut self, nevra: &Nevra, sha256: Sha256) {
        self.accepted.insert(nevra.clone(), sha256);
        self.listings.values_mut().for_each(|listing| drop(listing.remove(nevra)));
    }

    /// Sets what a tree lists.
    pub fn show(&mut self, tree: &TreeName, listing: Listing) {
        self.listings.insert(tree.clone(), listing);
    }
}

impl Catalog for Inventory {
    fn accepted(&self, nevra: &Nevra) -> Option<Sha256> {
        self.accepted.get(nevra).copied()
    }

    fn may_come_again(&self, _: &Nevra) -> bool {
        false
    }

    fn of_name(&self, name: &str) -> Vec<Nevra> {
        let from = self.accepted.range(Nevra::first_of(name)..).map(|(nevra, _)| nevra);
        from.take_while(|nevra| nevra.name() == name).cloned().collect()
    }

    fn listing(&self, tree: &TreeName) -> Listing {
        self.listings.get(tree).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_the_same_as_its_clone_until_one_of_them_changes() {
        let nevra: Nevra = "a-1-1.noarch".parse().expect("a nevra");
        let one: Listing = [(nevra.clone(), Sha256([1; 32]))].into_iter().collect();
        let mut other = one.clone();
        assert!(one.is(&other));
        let entry = other.remove(&nevra).expect("listed");
        assert!(!one.is(&other) && one.contains(&nevra) && other.is_empty());
        other.insert(nevra, entry);
        assert_eq!(one, other);
    }

    #[test]
    fn a_misspelt_package_has_a_neighbour_and_a_strange_one_has_none() {
        let nevra = |text: &str| text.parse::<Nevra>().expect("a nevra");
        let all = ["bdii-5.2.22-1.el6.noarch", "bdii-5.2.23-1.el6.noarch", "glite-yaim-core-5.1-1.noarch"];
        let listing: Listing = all.iter().map(|text| (nevra(text), Sha256([1; 32]))).collect();
        let near = |text: &str| listing.nearest(&nevra(text)).map(ToString::to_string);
        assert_eq!(near("bdii-1:5.2.22-1.el6.noarch").as_deref(), Some(all[0]), "an epoch too many");
        assert_eq!(near("bdii-5.2.23-2.el6.noarch").as_deref(), Some(all[1]));
        assert_eq!(near("glite-yiam-core-5.1-1.noarch").as_deref(), Some(all[2]));
        assert_eq!(near("dcap-2.47-1.x86_64"), None);
    }
}
