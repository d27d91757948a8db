//! What a tree listed at an earlier revision, as the fold of the logbook says.
//!
//! It is found by folding the entries again, which takes a while; so that is done beside the engine, which is handed what
//! was found. The past does not change, so it needs no second look. The present is judged when the engine decides.

use std::collections::{BTreeMap, BTreeSet};

use super::fact::Fact;
use super::world::{Tree, World};
use crate::domain::listing::Listing;
use crate::domain::names::{TreeId, TreeName};
use crate::domain::nevra::Nevra;

/// What the trees of a distribution listed when a revision of one of them was published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Earlier {
    /// The revision.
    pub revision: u64,
    /// The number of the entry that published it.
    pub entry: u64,
    /// What each tree of the distribution listed then.
    pub listings: BTreeMap<TreeName, Listing>,
}

impl Earlier {
    /// What the world has when a tree shows a revision. What is being moved just then counts as being in no other tree: it is
    /// in two only until that is carried out.
    pub fn of(world: &World, tree: &TreeId, revision: u64, entry: u64) -> Self {
        let listing = |(name, known): (&TreeName, &Tree)| {
            let mut listing = known.listing().clone();
            let plans = world.rollouts.plans_in(&tree.dist).filter(|_| *name != tree.tree);
            for item in plans.filter_map(|(_, plan)| plan.of(&tree.dist)).flat_map(|one| &one.items) {
                listing.remove(&item.nevra);
            }
            (name.clone(), listing)
        };
        Self { revision, entry, listings: world.trees.of(&tree.dist).map(listing).collect() }
    }

    /// What a tree listed; nothing of one that was not there yet.
    pub fn listing(&self, tree: &TreeName) -> Listing {
        self.listings.get(tree).cloned().unwrap_or_default()
    }
}

/// A tree that is to list again what it listed before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToRestore {
    /// The tree.
    pub tree: TreeId,
    /// What it listed.
    pub earlier: Earlier,
    /// Packages that would come back and whose bytes are nowhere.
    pub missing: BTreeSet<Nevra>,
    /// Whether packages that were rejected may come back, too.
    pub also_rejected: bool,
    /// Whether many packages may leave the tree.
    pub may_shrink: bool,
    /// Why.
    pub reason: String,
}

/// Looks for a revision in entries that are folded one after the other.
#[derive(Debug)]
pub struct Search<'a> {
    tree: &'a TreeId,
    revision: u64,
    /// The entry that has published it, and how many packages that listed.
    published: Option<(u64, u64)>,
}

/// How far a search has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// It goes on.
    On,
    /// This is it.
    Found(Earlier),
    /// The entries do not say what the revision listed.
    Unclear,
}

impl<'a> Search<'a> {
    /// For a revision of a tree.
    pub fn of(tree: &'a TreeId, revision: u64) -> Self {
        Self { tree, revision, published: None }
    }

    /// Looks at an entry and the world after it.
    ///
    /// Usually the listing is that of the entry itself. When a tree is adopted its packages follow one by one, and older
    /// programs wrote down only that a plan was done; so the entries up to the next publication are looked at until
    /// there are as many packages as were published.
    pub fn see(&mut self, world: &World, seq: u64, fact: &Fact) -> Step {
        match fact {
            Fact::Published(published) if published.tree == *self.tree => match self.published {
                Some(_) => return Step::Unclear,
                None if published.revision != self.revision => return Step::On,
                None => self.published = Some((seq, published.packages)),
            },
            _ => {}
        }
        let listing = world.trees.listing(self.tree);
        match self.published {
            Some((entry, packages)) if listing.len() as u64 == packages => {
                Step::Found(Earlier::of(world, self.tree, self.revision, entry))
            }
            _ => Step::On,
        }
    }
}
