//! Trees: what they list, what they show to clients, and what lies there and waits for its removal.
//!
//! A listing has one owner, and this is it: the disk shows what it is handed.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Package, Packages, Stamp};
use crate::domain::changes::Amount;
use crate::domain::checksum::Sha256;
use crate::domain::listing::{Entry, Listing};
use crate::domain::moment::Elapsed;
use crate::domain::names::{DistPath, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::plan::Plan;
use crate::process::fact::tree::{Published, Retired};
use crate::process::rules::Signers;

/// What is known of one tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// The last revision that was published; 0 before the first.
    pub revision: u64,
    /// When that was.
    pub published: Option<Timestamp>,
    /// SHA-256 of the `repomd.xml` that was published last.
    pub repomd: Option<Sha256>,
    /// How many packages the last publication listed.
    pub listed: u64,
    /// Packages came or went since.
    pub dirty: bool,
    /// Names in `repodata/` that nothing names any more, and since when.
    pub superseded: BTreeMap<String, Elapsed>,
    /// Files of packages that are no longer listed, by their places below the tree, and since when.
    pub leaving: OrdMap<String, Elapsed>,
    /// The restore that it shows, if it was published by one and not again since.
    pub restored: Option<Restoration>,
    /// What it lists.
    listing: Listing,
    /// How many of these packages have the same signers, less those that stay by an exception.
    signed: BTreeMap<Arc<Signers>, u64>,
    /// How many stay by an exception for the same code.
    excepted: BTreeMap<Arc<str>, u64>,
    /// The bytes of all of them.
    bytes: u64,
}

/// A restore that a tree shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restoration {
    /// The number of its entry.
    pub entry: u64,
    /// The earlier revision that it shows again.
    pub to: u64,
}

impl Tree {
    /// What it lists.
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// How many packages it lists, and their bytes.
    pub fn amount(&self) -> Amount {
        Amount { packages: self.listing.len() as u64, bytes: self.bytes }
    }

    /// Who has signed what it lists, and how many packages each.
    pub fn signed(&self) -> impl Iterator<Item = (&Signers, u64)> {
        self.signed.iter().map(|(signers, number)| (&**signers, *number))
    }

    /// Codes for which an exception lets packages stay, and how many.
    pub fn excepted(&self) -> impl Iterator<Item = (&str, u64)> {
        self.excepted.iter().map(|(code, number)| (&**code, *number))
    }

    /// A package is listed now. Whether it was not before.
    fn list(&mut self, nevra: &Nevra, package: &Package, entry: Entry) -> bool {
        if self.listing.contains(nevra) {
            return false;
        }
        self.listing.insert(nevra.clone(), entry);
        self.count(package);
        true
    }

    /// A package is listed no longer. Whether it was.
    fn unlist(&mut self, nevra: &Nevra, package: &Package) -> bool {
        let was = self.listing.remove(nevra).is_some();
        if was {
            self.discount(package);
        }
        was
    }

    /// One package more is listed.
    fn count(&mut self, package: &Package) {
        self.bytes = self.bytes.saturating_add(package.size);
        match &package.excepted {
            Some(code) => more(&mut self.excepted, code),
            None => more(&mut self.signed, &package.signers),
        }
    }

    /// One less.
    fn discount(&mut self, package: &Package) {
        self.bytes = self.bytes.saturating_sub(package.size);
        match &package.excepted {
            Some(code) => less(&mut self.excepted, code),
            None => less(&mut self.signed, &package.signers),
        }
    }

    /// A package came or went, and its file is not to be removed.
    fn listed_anew(&mut self, nevra: &Nevra) {
        self.dirty = true;
        self.leaving.remove(&nevra.location());
    }
}

/// One more of a kind.
fn more<K: Ord + Clone>(counts: &mut BTreeMap<K, u64>, kind: &K) {
    match counts.get_mut(kind) {
        Some(number) => *number = number.saturating_add(1),
        None => drop(counts.insert(kind.clone(), 1)),
    }
}

/// One less.
fn less<K: Ord>(counts: &mut BTreeMap<K, u64>, kind: &K) {
    match counts.get_mut(kind) {
        Some(number) if *number > 1 => *number -= 1,
        _ => drop(counts.remove(kind)),
    }
}

/// All trees.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trees {
    by_id: OrdMap<TreeId, Arc<Tree>>,
    /// How often a listing has changed.
    pub changes: u64,
}

impl Trees {
    /// One tree; none that was never published and never held anything.
    pub fn get(&self, id: &TreeId) -> Option<&Tree> {
        self.by_id.get(id).map(|tree| &**tree)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&TreeId, &Tree)> {
        self.by_id.iter().map(|(id, tree)| (id, &**tree))
    }

    /// Which there are, in order.
    pub fn ids(&self) -> impl Iterator<Item = &TreeId> {
        self.by_id.keys()
    }

    /// What is known of each.
    pub fn values(&self) -> impl Iterator<Item = &Tree> {
        self.by_id.values().map(|tree| &**tree)
    }

    /// The trees of a distribution, by name.
    pub fn of<'t>(&'t self, dist: &'t DistPath) -> impl Iterator<Item = (&'t TreeName, &'t Tree)> {
        self.iter().filter(move |(id, _)| id.dist == *dist).map(|(id, tree)| (&id.tree, tree))
    }

    /// One tree of a distribution.
    pub fn of_dist(&self, dist: &DistPath, tree: &TreeName) -> Option<&Tree> {
        self.get(&TreeId { dist: dist.clone(), tree: tree.clone() })
    }

    /// What a tree lists; nothing of one that is not known.
    pub fn listing(&self, id: &TreeId) -> Listing {
        self.get(id).map(|tree| tree.listing.clone()).unwrap_or_default()
    }

    /// How many packages a tree lists.
    pub fn listed(&self, id: &TreeId) -> u64 {
        self.get(id).map_or(0, |tree| tree.listing.len() as u64)
    }

    /// The bytes of all that is listed, for each tree that lists it.
    pub fn listed_bytes(&self) -> u64 {
        self.values().fold(0, |sum, tree| sum.saturating_add(tree.bytes))
    }

    /// A tree lists a package that has come into it.
    pub(super) fn list(&mut self, id: &TreeId, nevra: &Nevra, package: &Package, entry: Entry) {
        let tree = self.id_mut(id);
        let is_new = tree.list(nevra, package, entry);
        tree.listed_anew(nevra);
        self.changes = self.changes.wrapping_add(u64::from(is_new));
    }

    /// A tree lists a package no longer.
    pub(super) fn unlist(&mut self, id: &TreeId, nevra: &Nevra, package: &Package) {
        let tree = self.id_mut(id);
        let was = tree.unlist(nevra, package);
        tree.listed_anew(nevra);
        self.changes = self.changes.wrapping_add(u64::from(was));
    }

    /// Nothing is known of what a tree shows any more, but that its revision does not go back.
    pub(super) fn released(&mut self, id: &TreeId) {
        let tree = self.id_mut(id);
        *tree = Tree { revision: tree.revision, ..Tree::default() };
    }

    /// A tree shows what a plan has brought there and taken away.
    pub(super) fn shows(&mut self, id: &TreeId, plan: &Plan, packages: &Packages, since: Elapsed) {
        let Some(one) = plan.of(&id.dist) else { return };
        let tree = self.id_mut(id);
        let mut changes = 0;
        // Not by a listing of its own: to change one that is shared copies a part of it for each package.
        for item in one.items.iter().filter(|item| one.touches(item, &id.tree)) {
            let nevra = &item.nevra;
            let before = tree.listing.get(nevra);
            let (was, after) = (before.is_some(), plan.shows(one, item, &id.tree, before));
            match &after {
                Some(entry) => drop(tree.leaving.remove(&entry.location(nevra))),
                None => drop(tree.leaving.insert(tree.listing.location(nevra), since)),
            }
            match (packages.get(&id.dist, nevra), after) {
                (Some(package), Some(entry)) if !was => {
                    tree.listing.insert(nevra.clone(), Entry { since: Some(since), ..entry });
                    tree.count(package);
                }
                (Some(package), None) if was => {
                    tree.listing.remove(nevra);
                    tree.discount(package);
                }
                (Some(_), _) => continue,
                // Nobody has accepted it, as far as is known.
                (None, _) => {
                    tree.listing.remove(nevra);
                    continue;
                }
            }
            changes += 1;
        }
        self.changes = self.changes.wrapping_add(changes);
    }

    fn id_mut(&mut self, id: &TreeId) -> &mut Tree {
        Arc::make_mut(self.by_id.entry(id.clone()).or_default())
    }

    /// What is dated later than `now`, by a clock that was ahead, waits from now.
    pub(super) fn wait_from(&mut self, now: Elapsed) {
        let is_ahead = |tree: &Tree| {
            let mut listed = tree.listing.iter().filter_map(|(_, entry)| entry.since.as_ref());
            tree.superseded.values().chain(tree.leaving.values()).any(|since| *since > now)
                || listed.any(|since| *since > now)
        };
        let ahead: Vec<TreeId> = self.iter().filter(|(_, tree)| is_ahead(tree)).map(|(id, _)| id.clone()).collect();
        for id in ahead {
            let tree = self.id_mut(&id);
            tree.listing.since_at_most(now);
            tree.superseded.values_mut().for_each(|since| *since = (*since).min(now));
            tree.leaving = tree.leaving.iter().map(|(place, since)| (place.clone(), (*since).min(now))).collect();
        }
    }

    /// A tree shows a restore.
    pub(super) fn is_restored(&mut self, id: &TreeId, entry: u64, to: u64) {
        self.id_mut(id).restored = Some(Restoration { entry, to });
    }

    pub(super) fn published(&mut self, stamp: Stamp<'_>, published: &Published) {
        let tree = self.id_mut(&published.tree);
        if tree.revision != published.revision {
            tree.restored = None;
        }
        tree.revision = published.revision;
        tree.published = Some(stamp.at);
        tree.repomd = Some(published.repomd);
        tree.listed = published.packages;
        tree.dirty = false;
        // The list is all that lies there unnamed, so what is not on it is named again or gone.
        tree.superseded.retain(|name, _| published.superseded.contains(name));
        for name in &published.superseded {
            tree.superseded.entry(name.clone()).or_insert(stamp.since);
        }
    }

    pub(super) fn retired(&mut self, Retired { tree: id, files, kept }: &Retired) {
        let tree = self.id_mut(id);
        // What is named again waits for nothing any more.
        let over = || files.iter().chain(kept);
        for name in over().filter_map(|file| file.strip_prefix("repodata/")) {
            tree.superseded.remove(name);
        }
        for place in over() {
            tree.leaving.remove(place);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    impl Tree {
        /// How many packages have the same signers, and the bytes of all: as it is kept, and counted anew.
        pub(crate) fn counts(&self, packages: &Packages, dist: &DistPath) -> [(BTreeMap<Arc<Signers>, u64>, u64); 2] {
            let (mut signed, mut bytes) = (BTreeMap::new(), 0);
            for package in self.listing.nevras().filter_map(|nevra| packages.get(dist, nevra)) {
                bytes += package.size;
                if package.excepted.is_some() {
                    continue;
                }
                *signed.entry(package.signers.clone()).or_default() += 1;
            }
            [(self.signed.clone(), self.bytes), (signed, bytes)]
        }
    }

    impl std::ops::Index<&TreeId> for Trees {
        type Output = Tree;

        fn index(&self, id: &TreeId) -> &Tree {
            self.get(id).expect("a tree")
        }
    }
}
