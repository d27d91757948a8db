//! What a transition does to the trees, in a form that can be carried out twice.
//!
//! A plan names bytes (NEVRA and SHA-256), never "whatever lies there". It is written to the logbook
//! before the first tree changes and followed by a `done`; recovery carries out again every plan that
//! has no `done`. Each step looks at what is there before it acts, so a second run changes nothing.

use super::checksum::Sha256;
use super::listing::{Entry, Listing};
use super::names::{DistPath, RolloutId, TreeId, TreeName};
use super::nevra::Nevra;

/// One package of a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// Identity.
    pub nevra: Nevra,
    /// The bytes that were accepted under it.
    pub sha256: Sha256,
    /// The trees that list it when the plan is made.
    pub leaves: Vec<TreeName>,
}

/// What is to be done to the trees of one distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The rollout it belongs to.
    pub rollout: RolloutId,
    /// The distribution.
    pub dist: DistPath,
    /// The tree in which the packages appear; none for a withdrawal.
    pub target: Option<TreeName>,
    /// The packages, sorted.
    pub items: Vec<Item>,
}

impl Plan {
    /// The trees that change, target first: a package appears before it disappears (*no loss*).
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

    /// Whether it brings a package into a tree or takes it away from there.
    pub fn touches(&self, item: &Item, tree: &TreeName) -> bool {
        self.target.as_ref() == Some(tree) || item.leaves.contains(tree)
    }

    /// What a tree lists of one of its packages when the plan is carried out there, by what it lists of it before.
    pub fn shows(&self, item: &Item, tree: &TreeName, before: Option<&Entry>) -> Option<Entry> {
        if item.leaves.contains(tree) {
            return None;
        }
        let brought = || Entry { brought: Some(self.rollout.clone()), ..Entry::of(item.sha256) };
        // What lies there already was not brought by this one.
        before.cloned().or_else(|| (self.target.as_ref() == Some(tree)).then(brought))
    }

    /// What a tree lists when the plan is carried out there. It is the same when it is carried out twice.
    pub fn shown_in(&self, tree: &TreeName, before: &Listing) -> Listing {
        let mut after = before.clone();
        for item in &self.items {
            let before = after.get(&item.nevra);
            match (before.is_some(), self.shows(item, tree, before)) {
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
    fn the_target_changes_first() {
        let tree = |t: &str| t.parse::<TreeName>().expect("a name");
        let plan = Plan {
            rollout: "r".parse().expect("an id"),
            dist: "d".parse().expect("a path"),
            target: Some(tree("testing")),
            items: vec![Item {
                nevra: "a-1-1.noarch".parse().expect("a nevra"),
                sha256: Sha256([0; 32]),
                leaves: vec![tree("untested")],
            }],
        };
        assert_eq!(plan.trees(), [tree("testing"), tree("untested")]);
    }
}
