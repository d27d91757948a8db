//! Accepted packages: who they are, who signed them, which trees list them. And files that were refused, to show them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet, Vector};
use jiff::Timestamp;

use super::{Stamp, World};
use crate::domain::checksum::Sha256;
use crate::domain::gate::Finding;
use crate::domain::names::{DistPath, RolloutId, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::process::fact::package::{Accepted, Lost, Refused};
use crate::process::rules::{DistRules, Signers};

/// Refused files that are remembered for display. All of them stay in the logbook.
pub const REFUSED_KEPT: usize = 1_000;

/// An accepted package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The bytes.
    pub sha256: Sha256,
    /// Size of the file in bytes.
    pub size: u64,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// Who signed it.
    pub signers: Signers,
    /// The trees that list it; none after a withdrawal.
    pub trees: BTreeSet<TreeName>,
    /// Which rollout brought it into a tree; nothing for the tree into which it was uploaded.
    pub brought: BTreeMap<TreeName, RolloutId>,
}

/// All accepted packages.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Packages {
    by_dist: OrdMap<DistPath, OrdMap<Nevra, Arc<Package>>>,
    /// How many packages each tree lists by the same signers.
    signed: OrdMap<TreeId, BTreeMap<Signers, u64>>,
    /// The bytes of all packages that some tree lists.
    bytes: u64,
    /// How often that has changed.
    pub listings: u64,
    /// Packages that were given up as lost: no tree lists them, and they may come in again as what they were.
    pub lost: OrdSet<(DistPath, Nevra)>,
    /// The trees into which uploads were taken last.
    pub arrives: OrdMap<DistPath, TreeName>,
    /// The newest refused files, newest last.
    pub refused: Vector<(Timestamp, Refused)>,
}

impl Packages {
    /// One package of a distribution.
    pub fn get(&self, dist: &DistPath, nevra: &Nevra) -> Option<&Package> {
        self.by_dist.get(dist)?.get(nevra).map(|package| &**package)
    }

    /// The packages of a distribution, in order.
    pub fn of(&self, dist: &DistPath) -> impl Iterator<Item = (&Nevra, &Package)> {
        self.by_dist.get(dist).into_iter().flatten().map(|(nevra, package)| (nevra, &**package))
    }

    /// The packages of a distribution from one on.
    pub fn from<'p>(&'p self, dist: &DistPath, first: Nevra) -> impl Iterator<Item = (&'p Nevra, &'p Package)> {
        self.by_dist.get(dist).into_iter().flat_map(move |all| all.range(first.clone()..)).map(|(n, p)| (n, &**p))
    }

    /// The packages of a distribution that have this name.
    pub fn named<'p>(&'p self, dist: &DistPath, name: &'p str) -> impl Iterator<Item = (&'p Nevra, &'p Package)> {
        self.from(dist, Nevra::first_of(name)).take_while(move |(nevra, _)| nevra.name() == name)
    }

    /// The distributions that have packages, in order.
    pub fn distributions(&self) -> impl Iterator<Item = &DistPath> {
        self.by_dist.keys()
    }

    /// All packages after a place, in order; from the first on without one.
    pub fn after<'p>(
        &'p self,
        place: Option<&'p (DistPath, Nevra)>,
    ) -> impl Iterator<Item = (&'p DistPath, &'p Nevra, &'p Package)> {
        let from = place.map_or(Bound::Unbounded, |(dist, _)| Bound::Included(dist));
        self.by_dist.range::<_, DistPath>((from, Bound::Unbounded)).flat_map(move |(dist, packages)| {
            let here = place.filter(|(last, _)| last == dist);
            let from = here.map_or(Bound::Unbounded, |(_, nevra)| Bound::Excluded(nevra));
            packages.range::<_, Nevra>((from, Bound::Unbounded)).map(move |(nevra, package)| (dist, nevra, &**package))
        })
    }

    /// The bytes of all packages that a tree lists.
    pub fn listed_bytes(&self) -> u64 {
        self.bytes
    }

    /// How many packages there are.
    pub fn len(&self) -> usize {
        self.by_dist.values().map(OrdMap::len).sum()
    }

    /// Whether nothing was ever accepted.
    pub fn is_empty(&self) -> bool {
        self.by_dist.is_empty()
    }

    /// How many packages a tree lists.
    pub fn listed(&self, id: &TreeId) -> u64 {
        self.signers_in(id).map(|(_, number)| number).sum()
    }

    /// Who has signed what a tree lists, and how many packages each.
    pub fn signers_in(&self, id: &TreeId) -> impl Iterator<Item = (&Signers, u64)> {
        self.signed.get(id).into_iter().flatten().map(|(signers, number)| (signers, *number))
    }

    /// Why packages may not be brought into a tree by what the rules say of those who signed them.
    pub fn objections<'w>(
        &'w self,
        rules: &'w DistRules,
        dist: &'w DistPath,
        to: &'w TreeName,
        packages: impl IntoIterator<Item = &'w Nevra>,
    ) -> impl Iterator<Item = Finding> {
        let trust = rules.trust(to);
        packages.into_iter().filter_map(move |nevra| trust.objection(to, nevra, &self.get(dist, nevra)?.signers))
    }

    pub(super) fn refused(&mut self, at: Timestamp, refused: Refused) {
        if self.refused.len() == REFUSED_KEPT {
            self.refused.pop_front();
        }
        self.refused.push_back((at, refused));
    }

    /// A package, to be changed.
    pub(super) fn get_mut(&mut self, dist: &DistPath, nevra: &Nevra) -> Option<&mut Package> {
        self.by_dist.get_mut(dist)?.get_mut(nevra).map(Arc::make_mut)
    }

    /// A package of this size is listed by some tree now, or by none.
    pub(super) fn weigh(&mut self, size: u64, before: bool, now: bool) {
        match (before, now) {
            (false, true) => self.bytes = self.bytes.saturating_add(size),
            (true, false) => self.bytes = self.bytes.saturating_sub(size),
            _ => {}
        }
    }

    /// A tree lists one package more by these signers, or one less.
    pub(super) fn count(&mut self, dist: &DistPath, tree: &TreeName, signers: &Signers, more: bool) {
        self.listings = self.listings.wrapping_add(1);
        let of_tree = self.signed.entry(TreeId { dist: dist.clone(), tree: tree.clone() }).or_default();
        match of_tree.get_mut(signers) {
            Some(number) if more => *number = number.saturating_add(1),
            Some(number) if *number > 1 => *number -= 1,
            Some(_) => drop(of_tree.remove(signers)),
            None if more => drop(of_tree.insert(signers.clone(), 1)),
            None => {}
        }
    }
}

impl World {
    pub(super) fn accepted(&mut self, stamp: Stamp<'_>, accepted: &Accepted) {
        let Accepted { dist, tree, nevra, .. } = accepted;
        self.trees.of_mut(dist, tree).listed_anew(nevra);
        let package = || {
            Arc::new(Package {
                sha256: accepted.sha256,
                size: accepted.size,
                accepted: stamp.at,
                signers: Signers { certs: accepted.signers.clone(), keys: accepted.keys.clone() },
                trees: BTreeSet::new(),
                brought: BTreeMap::new(),
            })
        };
        let packages = &mut self.packages;
        packages.lost.remove(&(dist.clone(), nevra.clone()));
        packages.arrives.insert(dist.clone(), tree.clone());
        let all = packages.by_dist.entry(dist.clone()).or_default();
        let known = Arc::make_mut(all.entry(nevra.clone()).or_insert_with(package));
        let (was_listed, size) = (!known.trees.is_empty(), known.size);
        if known.trees.insert(tree.clone()) {
            let signers = known.signers.clone();
            packages.count(dist, tree, &signers, true);
        }
        packages.weigh(size, was_listed, true);
    }

    /// A package goes off all lists, and out of the plans that would move it.
    pub(super) fn lost(&mut self, Lost { dist, nevra, .. }: &Lost) {
        let Some(package) = self.packages.get_mut(dist, nevra) else { return };
        let mut touched = std::mem::take(&mut package.trees);
        package.brought.clear();
        let (signers, size) = (package.signers.clone(), package.size);
        self.packages.weigh(size, !touched.is_empty(), false);
        for tree in &touched {
            self.packages.count(dist, tree, &signers, false);
        }
        self.packages.lost.insert((dist.clone(), nevra.clone()));
        touched.extend(self.rollouts.lost(dist, nevra));
        for tree in touched {
            self.trees.of_mut(dist, &tree).listed_anew(nevra);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    impl Packages {
        /// How many packages each tree lists by the same signers, counted anew.
        pub(crate) fn counted_anew(&self) -> BTreeMap<TreeId, BTreeMap<Signers, u64>> {
            let mut all: BTreeMap<TreeId, BTreeMap<Signers, u64>> = BTreeMap::new();
            for (dist, packages) in &self.by_dist {
                for package in packages.values() {
                    for tree in &package.trees {
                        let id = TreeId { dist: dist.clone(), tree: tree.clone() };
                        *all.entry(id).or_default().entry(package.signers.clone()).or_default() += 1;
                    }
                }
            }
            all
        }

        pub(crate) fn counted(&self) -> BTreeMap<TreeId, BTreeMap<Signers, u64>> {
            self.signed.iter().filter(|(_, s)| !s.is_empty()).map(|(id, s)| (id.clone(), s.clone())).collect()
        }

        /// Puts a package in as no fact would.
        pub(crate) fn put(&mut self, dist: &DistPath, nevra: Nevra, package: Package) {
            self.by_dist.entry(dist.clone()).or_default().insert(nevra, Arc::new(package));
        }
    }
}
