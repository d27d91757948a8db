//! What a transition does to the trees, in a form that can be carried out twice.
//!
//! A plan names bytes (NEVRA and SHA-256), never "whatever is there". It is written to the logbook before the first
//! tree changes and followed by a `done`; recovery carries out every plan without a `done` again. Each step checks what
//! is there before it acts, so a second run changes nothing.
//!
//! A product has several architectures and distributions, so a plan is many moves. It is carried out as a whole: what
//! cannot be staged in one distribution is shown in none.

use serde::{Deserialize, Serialize};

use super::checksum::Sha256;
use super::listing::{Entry, Listing};
use super::names::{DistPath, RolloutId, TreeId, TreeName};
use super::nevra::Nevra;

/// One package of a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Item {
    /// Identity.
    pub nevra: Nevra,
    /// SHA-256 of the accepted bytes.
    pub sha256: Sha256,
    /// The trees that listed it when the plan was made.
    pub leaves: Vec<TreeName>,
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

/// What is to be done for a rollout: all trees are staged, then all are shown, in all distributions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The rollout it belongs to.
    pub rollout: RolloutId,
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

    /// Whether it adds a package to a tree or removes it.
    pub fn touches(&self, item: &Item, tree: &TreeName) -> bool {
        self.target.as_ref() == Some(tree) || item.leaves.contains(tree)
    }
}

impl Plan {
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
        let brought = || Entry { brought: Some(self.rollout.clone()), ..Entry::of(item.sha256) };
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
            }],
        };
        let plan = Plan { rollout: "r".parse().expect("an id"), moves: vec![one("d/5"), one("d/6")] };
        let trees: Vec<String> = plan.trees().iter().map(ToString::to_string).collect();
        assert_eq!(trees, ["testing/d/5", "testing/d/6", "untested/d/5", "untested/d/6"]);
    }
}
