//! What a transition does to the trees, in a form that can be carried out twice.
//!
//! A plan names bytes (NEVRA and SHA-256), never "whatever is there". It is written to the logbook before the first
//! tree changes and followed by a `done`; recovery carries out every plan without a `done` again. Each step checks what
//! is there before it acts, so a second run changes nothing.
//!
//! A product has several architectures and distributions, so a plan is many moves. It is carried out as a whole: what
//! cannot be staged in one distribution is shown in none.
//!
//! A plan belongs to a rollout, to the rollouts of a bundle that move together, or to the restore of a tree. That of a
//! bundle is made of those of its rollouts and can be taken apart into them again. That of a restore has one move with the
//! tree as its target: what comes back leaves no tree, and what goes leaves the target itself. So both are done in one
//! publication.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::checksum::Sha256;
use super::listing::{Entry, Listing};
use super::names::{BundleId, DistPath, RolloutId, TreeId, TreeName};
use super::nevra::Nevra;

/// One package of a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Item {
    /// Identity.
    pub nevra: Nevra,
    /// SHA-256 of the accepted bytes.
    pub sha256: Sha256,
    /// The trees that listed it when the plan was made, and that do not list it after it.
    pub leaves: Vec<TreeName>,
    /// How it was listed before, if it comes back by a restore.
    pub was: Option<Before>,
    /// The rollout for which it moves, in the plan of a bundle.
    pub of: Option<RolloutId>,
}

/// How a package was listed in a tree to which it comes back.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Before {
    /// The rollout that had brought it.
    pub brought: Option<RolloutId>,
    /// Its path in the tree, if that is not where the daemon puts packages.
    pub place: Option<Arc<str>>,
}

impl Item {
    /// Its path in the tree that it is brought into, unless it is listed there.
    pub fn location(&self) -> String {
        let place = self.was.as_ref().and_then(|was| was.place.as_deref());
        place.map_or_else(|| self.nevra.location(), str::to_owned)
    }
}

/// What is done in one distribution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The distribution.
    pub dist: DistPath,
    /// The tree that the packages are added to; `None` for a withdrawal.
    pub target: Option<TreeName>,
    /// The packages, sorted.
    pub items: Vec<Item>,
}

/// What a plan belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owner {
    /// A rollout.
    Rollout(RolloutId),
    /// Rollouts of a bundle that move together (S1-18).
    Bundle {
        /// The bundle.
        bundle: BundleId,
        /// The rollouts, each with the number of the entry by which it moves.
        parts: BTreeMap<RolloutId, u64>,
    },
    /// The restore of a tree.
    Restore {
        /// The tree.
        tree: TreeId,
        /// The revision whose packages the tree is to list again.
        to: u64,
        /// The revision that it shows until then: whoever wants this back restores it.
        from: u64,
        /// When it was decided.
        since: Timestamp,
    },
}

impl From<RolloutId> for Owner {
    fn from(rollout: RolloutId) -> Self {
        Self::Rollout(rollout)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rollout(rollout) => write!(f, "{rollout}"),
            Self::Bundle { bundle, .. } => write!(f, "the bundle {bundle}"),
            // Packages are taken out, or a restore is given up.
            Self::Restore { tree, to, from, .. } if to == from => write!(f, "the change of {tree} after revision {to}"),
            Self::Restore { tree, to, .. } => write!(f, "the restore of {tree} to revision {to}"),
        }
    }
}

/// What is to be done for a rollout, a bundle or a restore: all trees are staged, then all are shown, in all distributions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What it belongs to.
    pub owner: Owner,
    /// What is done in each distribution: at most one move each, in the order of their names.
    pub moves: Vec<Move>,
}

impl Move {
    /// The trees that change, target first: a package is added before it is removed (*no loss*).
    pub fn trees(&self) -> Vec<TreeName> {
        let mut trees: Vec<TreeName> = self.target.iter().cloned().collect();
        for tree in self.items.iter().flat_map(|item| &item.leaves) {
            if !trees.contains(tree) {
                trees.push(tree.clone());
            }
        }
        trees
    }

    /// A tree of its distribution.
    pub fn id(&self, tree: &TreeName) -> TreeId {
        TreeId { dist: self.dist.clone(), tree: tree.clone() }
    }

    /// Whether a package is in the target after it: of a restore, some packages leave it.
    pub fn brings(&self, item: &Item) -> bool {
        self.target.as_ref().is_some_and(|target| !item.leaves.contains(target))
    }

    /// Whether it adds a package to a tree or removes it.
    pub fn touches(&self, item: &Item, tree: &TreeName) -> bool {
        self.target.as_ref() == Some(tree) || item.leaves.contains(tree)
    }
}

impl Plan {
    /// The plan of rollouts of a bundle that move together, of their plans, each with the number of its entry. `None` if
    /// two of them bring packages of a distribution into different trees: then each moves by itself.
    pub fn together<'p>(
        bundle: &BundleId,
        plans: impl IntoIterator<Item = (&'p RolloutId, u64, &'p Plan)>,
    ) -> Option<Self> {
        let (mut parts, mut moves) = (BTreeMap::new(), BTreeMap::<&DistPath, Move>::new());
        for (rollout, entry, plan) in plans {
            parts.insert(rollout.clone(), entry);
            for one in &plan.moves {
                let new = || Move { dist: one.dist.clone(), target: one.target.clone(), items: vec![] };
                let all = moves.entry(&one.dist).or_insert_with(new);
                if all.target != one.target {
                    return None;
                }
                all.items.extend(one.items.iter().map(|item| Item { of: Some(rollout.clone()), ..item.clone() }));
            }
        }
        let mut moves: Vec<Move> = moves.into_values().collect();
        for one in &mut moves {
            one.items.sort_unstable_by(|a, b| a.nevra.cmp(&b.nevra));
        }
        Some(Self { owner: Owner::Bundle { bundle: bundle.clone(), parts }, moves })
    }

    /// What it does for one of its rollouts, as the plan of that rollout.
    pub fn part(&self, rollout: &RolloutId) -> Cow<'_, Self> {
        let Owner::Bundle { .. } = &self.owner else { return Cow::Borrowed(self) };
        let of = |one: &Move| {
            let items = one.items.iter().filter(|item| item.of.as_ref() == Some(rollout));
            Move { items: items.map(|item| Item { of: None, ..item.clone() }).collect(), ..one.clone() }
        };
        let moves = self.moves.iter().map(of).filter(|one| !one.items.is_empty()).collect();
        Cow::Owned(Self { owner: rollout.clone().into(), moves })
    }

    /// It has nothing to do any more for one of its rollouts.
    pub fn leave_out(&mut self, rollout: &RolloutId) {
        if let Owner::Bundle { parts, .. } = &mut self.owner {
            parts.remove(rollout);
            self.keep(|_, item| item.of.as_ref() != Some(rollout));
        }
    }

    /// Keeps only these packages.
    pub fn keep(&mut self, which: impl Fn(&DistPath, &Item) -> bool) {
        for Move { dist, items, .. } in &mut self.moves {
            items.retain(|item| which(dist, item));
        }
        self.moves.retain(|one| !one.items.is_empty());
    }

    /// The rollouts that it belongs to.
    pub fn rollouts(&self) -> impl Iterator<Item = &RolloutId> {
        let (one, all) = match &self.owner {
            Owner::Rollout(rollout) => (Some(rollout), None),
            Owner::Bundle { parts, .. } => (None, Some(parts.keys())),
            Owner::Restore { .. } => (None, None),
        };
        one.into_iter().chain(all.into_iter().flatten())
    }

    /// The tree that it restores, if it restores one.
    pub fn restored(&self) -> Option<&TreeId> {
        match &self.owner {
            Owner::Rollout(_) | Owner::Bundle { .. } => None,
            Owner::Restore { tree, .. } => Some(tree),
        }
    }

    /// The distributions with a move, in order.
    pub fn dists(&self) -> impl Iterator<Item = &DistPath> {
        self.moves.iter().map(|one| &one.dist)
    }

    /// The move in a distribution.
    pub fn of(&self, dist: &DistPath) -> Option<&Move> {
        self.moves.iter().find(|one| one.dist == *dist)
    }

    /// All trees that change, the targets of all distributions first.
    pub fn trees(&self) -> Vec<TreeId> {
        let targets = self.moves.iter().flat_map(|one| one.target.iter().map(|tree| one.id(tree)));
        let left = self.moves.iter().flat_map(|one| {
            let left = one.trees().into_iter().filter(|tree| one.target.as_ref() != Some(tree));
            left.map(|tree| one.id(&tree)).collect::<Vec<_>>()
        });
        targets.chain(left).collect()
    }

    /// How many packages it moves.
    pub fn packages(&self) -> usize {
        self.moves.iter().map(|one| one.items.len()).sum()
    }

    /// Whether it only removes packages.
    pub fn is_withdrawal(&self) -> bool {
        self.moves.iter().all(|one| one.target.is_none())
    }

    /// The entry of a package in a tree after the plan, given its entry before.
    pub fn shows(&self, one: &Move, item: &Item, tree: &TreeName, before: Option<&Entry>) -> Option<Entry> {
        if item.leaves.contains(tree) {
            return None;
        }
        let Before { brought, place } = item.was.clone().unwrap_or_default();
        let rollout = match &self.owner {
            Owner::Rollout(rollout) => Some(rollout),
            Owner::Bundle { .. } | Owner::Restore { .. } => item.of.as_ref(),
        };
        let brought = || Entry { brought: rollout.cloned().or(brought), place, ..Entry::of(item.sha256) };
        // What was there already was not brought by this one.
        before.cloned().or_else(|| (one.target.as_ref() == Some(tree)).then(brought))
    }

    /// The listing of a tree after the plan. Carrying it out twice gives the same.
    pub fn shown_in(&self, id: &TreeId, before: &Listing) -> Listing {
        let mut after = before.clone();
        let Some(one) = self.of(&id.dist) else { return after };
        for item in &one.items {
            let before = after.get(&item.nevra);
            match (before.is_some(), self.shows(one, item, &id.tree, before)) {
                (false, Some(entry)) => drop(after.insert(item.nevra.clone(), entry)),
                (true, None) => drop(after.remove(&item.nevra)),
                _ => {}
            }
        }
        after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_of_all_distributions_change_first() {
        let tree = |t: &str| t.parse::<TreeName>().expect("a name");
        let one = |dist: &str| Move {
            dist: dist.parse().expect("a path"),
            target: Some(tree("testing")),
            items: vec![Item {
                nevra: "a-1-1.noarch".parse().expect("a nevra"),
                sha256: Sha256([0; 32]),
                leaves: vec![tree("untested")],
                was: None,
                of: None,
            }],
        };
        let plan = Plan { owner: Owner::Rollout("r".parse().expect("an id")), moves: vec![one("d/5"), one("d/6")] };
        let trees: Vec<String> = plan.trees().iter().map(ToString::to_string).collect();
        assert_eq!(trees, ["testing/d/5", "testing/d/6", "untested/d/5", "untested/d/6"]);
    }
}
