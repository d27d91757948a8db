//! A tree that somebody else has made comes under management, or leaves it again.

use crate::domain::names::{RolloutId, TreeId};
use crate::process::fact::Fact;
use crate::process::fact::package::Adopted;
use crate::process::fact::tree::{Published, Released};
use crate::process::world::World;

/// What is written down when a tree is taken under management: what clients see of it, and each package, all in one
/// append.
///
/// # Errors
/// Why it cannot be.
pub fn adopt(
    world: &World,
    id: &TreeId,
    shown: Option<Published>,
    packages: Vec<Adopted>,
) -> Result<Vec<Fact>, String> {
    if let Some(why) = managed(world, id) {
        return Err(why);
    }
    if packages.is_empty() {
        return Err(format!("{id} has no package that could be taken under management"));
    }
    Ok(shown.map(Fact::Published).into_iter().chain(packages.into_iter().map(Fact::Adopted)).collect())
}

/// Why a tree cannot be taken under management: it is.
pub fn managed(world: &World, id: &TreeId) -> Option<String> {
    let tree = world.trees.get(id)?;
    if !tree.listing().is_empty() {
        let number = tree.listing().len();
        return Some(format!("{id} is under management already, with {number} packages"));
    }
    // An empty one that the daemon has made has nothing to lose, and what lies there now is somebody else's.
    (tree.listed > 0).then(|| format!("{id} is under management already; its packages have left it"))
}

/// What is written down when it leaves again.
///
/// # Errors
/// Why it cannot: something has moved.
pub fn release(world: &World, id: &TreeId) -> Result<Fact, String> {
    let TreeId { dist, tree } = id;
    let listing = world.trees.listing(id);
    let adopted = |nevra| world.packages.get(dist, nevra).is_some_and(|package| package.adopted.is_some());
    if listing.is_empty() {
        return Err(format!("{id} lists nothing"));
    }
    let is_other = |entry: &crate::domain::listing::Entry, nevra| entry.brought.is_some() || !adopted(nevra);
    if let Some((nevra, _)) = listing.iter().find(|(nevra, entry)| is_other(entry, nevra)) {
        return Err(format!("{nevra} has come into {id} since it was taken under management"));
    }
    let mut here = world.packages.of(dist).filter(|(_, package)| package.is_adopted_in(tree));
    if let Some((nevra, _)) = here.find(|(nevra, _)| !listing.contains(nevra)) {
        return Err(format!("{nevra} has left {id} since it was taken under management"));
    }
    let names = |nevra| world.rollouts.naming(dist, nevra).next().map(|rollout| &rollout.id);
    let named: Option<(_, &RolloutId)> = listing.nevras().find_map(|nevra| Some((nevra, names(nevra)?)));
    if let Some((nevra, rollout)) = named {
        return Err(format!("the rollout {rollout} names {nevra}"));
    }
    Ok(Fact::Released(Released { dist: dist.clone(), tree: tree.clone() }))
}
