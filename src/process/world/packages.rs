//! Accepted packages: who they are and who signed them. And files that were refused, to show them. Which trees list a
//! package is a matter of the trees.
//!
//! A package that left a tree by a restore is set aside, not withdrawn: nobody has rejected it, and it may come back by
//! another restore.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet, Vector};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Stamp, World};
use crate::domain::checksum::Sha256;
use crate::domain::gate::{Finding, Verdict};
use crate::domain::listing::Entry;
use crate::domain::moment::Elapsed;
use crate::domain::names::{DistPath, RolloutId, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::process::fact::package::{Accepted, Adopted, Allowed, Disallowed, Lost, Refused};
use crate::process::fact::tree::Released;
use crate::process::rules::{DistRules, Signers};

/// Refused files that are remembered for display. All of them stay in the logbook.
pub const REFUSED_KEPT: usize = 1_000;

/// So many packages are named in a sentence.
const NAMED_MOST: usize = 5;

/// An accepted package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// The bytes.
    pub sha256: Sha256,
    /// Size of the file in bytes.
    pub size: u64,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// Who signed it.
    pub signers: Arc<Signers>,
    /// The source package that it was built from, if that is known.
    pub source: Option<Arc<Nevra>>,
    /// The code for which the gate would have refused it, where an exception let it stay in the tree that was taken under
    /// management with it. It goes nowhere else.
    pub excepted: Option<Arc<str>>,
    /// The tree in which it was taken under management, and where it lay there.
    pub adopted: Option<(TreeName, Arc<str>)>,
}

impl Package {
    /// Whether it was taken under management in this tree.
    pub fn is_adopted_in(&self, tree: &TreeName) -> bool {
        self.adopted.as_ref().is_some_and(|(adopted, _)| adopted == tree)
    }
}

/// The restore by which a package has left a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// The number of its entry.
    pub entry: u64,
    /// The tree that it left.
    pub tree: TreeName,
    /// The revision that the tree showed before: restoring it brings the package back.
    pub from: u64,
}

/// All accepted packages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Packages {
    by_dist: OrdMap<DistPath, OrdMap<Nevra, Arc<Package>>>,
    /// Packages that were given up as lost: no tree lists them, and the same bytes may be taken in again.
    pub lost: OrdSet<(DistPath, Nevra)>,
    /// Packages that were withdrawn or taken out of a tree, and the same bytes may be taken in again: somebody has said so.
    allowed: OrdSet<(DistPath, Nevra)>,
    /// Packages that a restore has taken out of a tree to which they have not come back.
    aside: OrdMap<(DistPath, Nevra), SetAside>,
    /// The trees into which uploads were taken last.
    pub arrives: OrdMap<DistPath, TreeName>,
    /// The newest refused files, newest last.
    pub refused: Vector<(Timestamp, Refused)>,
    /// How many files were refused, by distribution and code.
    pub refusals: OrdMap<(DistPath, String), u64>,
    /// All sets of signers. They are few, and packages share them.
    signers: OrdSet<Arc<Signers>>,
    /// All source packages; those that were built from one share it.
    sources: OrdSet<Arc<Nevra>>,
}

impl Packages {
    /// One package of a distribution.
    pub fn get(&self, dist: &DistPath, nevra: &Nevra) -> Option<&Package> {
        self.by_dist.get(dist)?.get(nevra).map(|package| &**package)
    }

    /// Whether a package that no tree lists may be taken in again, with the same bytes.
    pub fn may_come_again(&self, dist: &DistPath, nevra: &Nevra) -> bool {
        let one = (dist.clone(), nevra.clone());
        self.lost.contains(&one) || self.allowed.contains(&one)
    }

    /// Whether somebody has allowed it to, and it has not come yet.
    pub fn is_allowed_again(&self, dist: &DistPath, nevra: &Nevra) -> bool {
        self.allowed.contains(&(dist.clone(), nevra.clone()))
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

    /// How many packages there are.
    pub fn len(&self) -> usize {
        self.by_dist.values().map(OrdMap::len).sum()
    }

    /// Whether nothing was ever accepted.
    pub fn is_empty(&self) -> bool {
        self.by_dist.is_empty()
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
        packages.into_iter().filter_map(move |nevra| {
            let package = self.get(dist, nevra)?;
            excepted(nevra, package).or_else(|| trust.objection(to, nevra, &package.signers))
        })
    }

    /// The restore by which a package has left a tree to which it has not come back.
    pub fn set_aside(&self, dist: &DistPath, nevra: &Nevra) -> Option<&SetAside> {
        self.aside.get(&(dist.clone(), nevra.clone()))
    }

    /// A package has left a tree by a restore.
    pub(super) fn sets_aside(&mut self, dist: &DistPath, nevra: &Nevra, how: SetAside) {
        self.aside.insert((dist.clone(), nevra.clone()), how);
    }

    /// A package is in a tree; whether a restore had taken it out of there is of no interest any more.
    pub(super) fn is_back(&mut self, id: &TreeId, nevra: &Nevra) {
        // Usually nothing is set aside at all.
        if !self.aside.is_empty() && self.set_aside(&id.dist, nevra).is_some_and(|how| how.tree == id.tree) {
            self.aside.remove(&(id.dist.clone(), nevra.clone()));
        }
    }

    /// These signers, shared with all packages that have the same.
    fn shared(&mut self, certs: &[String], keys: &[String]) -> Arc<Signers> {
        let signers = Signers { certs: certs.to_vec(), keys: keys.to_vec() };
        if let Some(known) = self.signers.get(&signers) {
            return Arc::clone(known);
        }
        let new = Arc::new(signers);
        self.signers.insert(Arc::clone(&new));
        new
    }

    fn shared_source(&mut self, source: &Nevra) -> Arc<Nevra> {
        if let Some(known) = self.sources.get(source) {
            return Arc::clone(known);
        }
        let new = Arc::new(source.clone());
        self.sources.insert(Arc::clone(&new));
        new
    }

    /// Makes deserialized packages share their signers and sources.
    pub(super) fn share(&mut self) {
        for (dist, packages) in std::mem::take(&mut self.by_dist) {
            let shared = packages.into_iter().map(|(nevra, mut package)| {
                if let Some(signers) = self.signers.get(&package.signers) {
                    Arc::make_mut(&mut package).signers = Arc::clone(signers);
                }
                if let Some(source) = package.source.as_ref().and_then(|source| self.sources.get(source)) {
                    Arc::make_mut(&mut package).source = Some(Arc::clone(source));
                }
                (nevra, package)
            });
            let shared = shared.collect();
            self.by_dist.insert(dist, shared);
        }
    }

    /// Some files were refused, of which this is the first.
    pub(super) fn refused(&mut self, at: Timestamp, refused: Refused, files: u64) {
        let number = self.refusals.entry((refused.dist.clone(), refused.code.clone())).or_default();
        *number = number.saturating_add(files);
        if self.refused.len() == REFUSED_KEPT {
            self.refused.pop_front();
        }
        self.refused.push_back((at, refused));
    }
}

/// Why a package that stays by an exception goes nowhere.
fn excepted(nevra: &Nevra, package: &Package) -> Option<Finding> {
    let code = package.excepted.as_ref()?;
    let sentence = format!(
        "{nevra} was taken under management by an exception ({code}): it may stay where it lies, and goes nowhere else; \
         upload a package of a higher release that the gate lets in."
    );
    Some(Finding::new(Verdict::Reject, "adopted_by_exception", sentence))
}

impl World {
    pub(super) fn accepted(&mut self, stamp: Stamp<'_>, accepted: &Accepted) {
        let Accepted { dist, tree, nevra, .. } = accepted;
        self.packages.lost.remove(&(dist.clone(), nevra.clone()));
        self.packages.allowed.remove(&(dist.clone(), nevra.clone()));
        self.packages.aside.remove(&(dist.clone(), nevra.clone()));
        self.packages.arrives.insert(dist.clone(), tree.clone());
        let signers = self.packages.shared(&accepted.signers, &accepted.keys);
        let source = accepted.source.as_ref().map(|source| self.packages.shared_source(source));
        let package = || Package {
            sha256: accepted.sha256,
            size: accepted.size,
            accepted: stamp.at,
            signers,
            source,
            excepted: None,
            adopted: None,
        };
        self.lies_in(&TreeId { dist: dist.clone(), tree: tree.clone() }, nevra, package, (None, stamp.since));
        // One that comes in again is as it was, but for the time.
        if let Some(known) = self.packages.by_dist.entry(dist.clone()).or_default().get_mut(nevra)
            && known.accepted != stamp.at
        {
            Arc::make_mut(known).accepted = stamp.at;
        }
    }

    /// A package is listed where it lies.
    pub(super) fn adopted(&mut self, stamp: Stamp<'_>, adopted: &Adopted) {
        let Adopted { dist, tree, nevra, place, .. } = adopted;
        let signers = self.packages.shared(&adopted.signers, &adopted.keys);
        let package = || Package {
            sha256: adopted.sha256,
            size: adopted.size,
            accepted: stamp.at,
            signers,
            source: None,
            excepted: adopted.excepted.as_deref().map(Arc::from),
            adopted: Some((tree.clone(), Arc::from(place.as_str()))),
        };
        let elsewhere = Entry::elsewhere(nevra, place);
        self.lies_in(&TreeId { dist: dist.clone(), tree: tree.clone() }, nevra, package, (elsewhere, stamp.since));
    }

    /// A tree lists a package from now on. If the package is known, its record stays as it is.
    fn lies_in(
        &mut self,
        id: &TreeId,
        nevra: &Nevra,
        package: impl FnOnce() -> Package,
        (place, since): (Option<Arc<str>>, Elapsed),
    ) {
        let all = self.packages.by_dist.entry(id.dist.clone()).or_default();
        let known = Arc::clone(all.entry(nevra.clone()).or_insert_with(|| Arc::new(package())));
        self.trees.list(id, nevra, &known, Entry { place, since: Some(since), ..Entry::of(known.sha256) });
        self.packages.is_back(id, nevra);
    }

    /// A package that was adopted with a tree is no longer listed there, and is forgotten unless another tree lists it.
    pub(super) fn released(&mut self, Released { dist, tree }: &Released) {
        let id = TreeId { dist: dist.clone(), tree: tree.clone() };
        let listing = self.trees.listing(&id);
        for nevra in listing.nevras() {
            let Some(package) = self.packages.get(dist, nevra).cloned() else { continue };
            self.trees.unlist(&id, nevra, &package);
            if package.adopted.is_some() && !self.is_listed(dist, nevra) {
                self.packages.by_dist.entry(dist.clone()).or_default().remove(nevra);
                self.packages.aside.remove(&(dist.clone(), nevra.clone()));
            }
        }
        self.trees.released(&id);
    }

    /// Removes a package from all listings, and from the plans that would move it.
    pub(super) fn lost(&mut self, Lost { dist, nevra, .. }: &Lost) {
        let Some(package) = self.packages.get(dist, nevra).cloned() else { return };
        self.packages.lost.insert((dist.clone(), nevra.clone()));
        self.packages.aside.remove(&(dist.clone(), nevra.clone()));
        let listing = self.listed_in(dist, nevra).map(|tree| TreeId { dist: dist.clone(), tree: tree.clone() });
        let mut touched: Vec<TreeId> = listing.collect();
        touched.extend(self.rollouts.lost(dist, nevra));
        for id in touched {
            self.trees.unlist(&id, nevra, &package);
        }
    }

    /// A withdrawn package may come in again.
    pub(super) fn allowed(&mut self, Allowed { dist, nevra, .. }: &Allowed) {
        self.packages.allowed.insert((dist.clone(), nevra.clone()));
    }

    /// And may not any more.
    pub(super) fn disallowed(&mut self, Disallowed { dist, nevra }: &Disallowed) {
        self.packages.allowed.remove(&(dist.clone(), nevra.clone()));
    }

    /// The trees that list a package, by name; none after a withdrawal.
    pub fn listed_in<'w>(&'w self, dist: &'w DistPath, nevra: &'w Nevra) -> impl Iterator<Item = &'w TreeName> {
        self.trees.of(dist).filter(|(_, tree)| tree.listing().contains(nevra)).map(|(name, _)| name)
    }

    /// Whether a rollout has brought a package to a tree, where it lies now.
    pub fn has_brought(&self, rollout: &RolloutId, dist: &DistPath, tree: &TreeName, nevra: &Nevra) -> bool {
        let entry = self.trees.of_dist(dist, tree).and_then(|tree| tree.listing().get(nevra));
        entry.is_some_and(|entry| entry.brought.as_ref() == Some(rollout))
    }

    /// Whether a tree lists a package.
    pub fn lists(&self, dist: &DistPath, tree: &TreeName, nevra: &Nevra) -> bool {
        self.trees.of_dist(dist, tree).is_some_and(|tree| tree.listing().contains(nevra))
    }

    /// Whether a package was accepted and withdrawn: it is listed nowhere, and nobody has given it up as lost or let it come
    /// again. Also one that has left by a restore: its bytes are kept in the same place.
    pub fn is_withdrawn(&self, dist: &DistPath, nevra: &Nevra) -> bool {
        self.packages.get(dist, nevra).is_some()
            && !self.is_listed(dist, nevra)
            && !self.packages.may_come_again(dist, nevra)
    }

    /// Why a package that was withdrawn is not rolled out once more.
    pub fn withdrawn(&self, dist: &DistPath, nevra: &Nevra) -> Option<Finding> {
        let withdrawn = || {
            let sentence = format!(
                "{nevra} was withdrawn and does not come back; raise its release. An admin may let it come in again: \
                 `rolloutctl allow {nevra} --distribution {dist} --reason WHY`."
            );
            Finding::new(Verdict::Reject, "package_withdrawn", sentence)
        };
        self.is_withdrawn(dist, nevra).then(|| self.left(dist, nevra).unwrap_or_else(withdrawn))
    }

    /// That a package has left a tree by a restore, and how it comes back.
    fn left(&self, dist: &DistPath, nevra: &Nevra) -> Option<Finding> {
        let SetAside { entry, tree, from } = self.packages.set_aside(dist, nevra)?;
        let sentence = format!(
            "{nevra} was taken out of {tree} (logbook entry {entry}); `rolloutctl restore {tree}/{dist} --to {from} --reason WHY` \
             brings it back, with all that the tree listed then; once no open rollout names it, `rolloutctl allow {nevra} \
             --distribution {dist} --reason WHY` lets it come in again."
        );
        Some(Finding::new(Verdict::Wait, "package_set_aside", sentence))
    }

    /// What restores have taken away of some packages, a finding for each restore.
    pub fn taken_away<'w>(&self, packages: impl IntoIterator<Item = (&'w DistPath, &'w Nevra)>) -> Vec<Finding> {
        let mut by_restore: BTreeMap<(u64, &DistPath, &TreeName, u64), Vec<&Nevra>> = BTreeMap::new();
        for (dist, nevra) in packages {
            if let Some(SetAside { entry, tree, from }) = self.packages.set_aside(dist, nevra) {
                by_restore.entry((*entry, dist, tree, *from)).or_default().push(nevra);
            }
        }
        let sentence = |((entry, dist, tree, from), all): ((u64, &DistPath, &TreeName, u64), Vec<&Nevra>)| {
            let named: Vec<String> = all.iter().take(NAMED_MOST).map(ToString::to_string).collect();
            let more = all.len().checked_sub(NAMED_MOST).filter(|more| *more > 0);
            let more = more.map(|more| format!(" and {more} more")).unwrap_or_default();
            let have = if all.len() == 1 { "has" } else { "have" };
            let sentence = format!(
                "{}{more} {have} been taken out of {tree}/{dist} (logbook entry {entry}); the way back is `rolloutctl restore \
                 {tree}/{dist} --to {from} --reason WHY`.",
                named.join(", ")
            );
            Finding::new(Verdict::Pass, "package_set_aside", sentence)
        };
        by_restore.into_iter().map(sentence).collect()
    }

    /// Whether any tree lists a package.
    pub fn is_listed(&self, dist: &DistPath, nevra: &Nevra) -> bool {
        self.listed_in(dist, nevra).next().is_some()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    impl Packages {
        /// Puts a package in as no fact would.
        pub(crate) fn put(&mut self, dist: &DistPath, nevra: Nevra, package: Package) {
            self.by_dist.entry(dist.clone()).or_default().insert(nevra, Arc::new(package));
        }
    }
}
