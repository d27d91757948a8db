//! Which teams of early adopters a bundle concerns, and so who has to roll it out or back (S1-22, S1-47, S1-50 to S1-52).
//!
//! Those are affected directly whose site runs a node type of one of its rollouts. Whoever uses the same repository for other
//! node types is affected indirectly: the site may have got some of its packages, and has to agree with the repository again.
//! Where a distribution is the repository of some node types only (`node_types` in the configuration), nobody else uses it, so
//! that few are affected indirectly.
//!
//! What depends on what inside of the packages is not looked at: that a change of one package affects another node type
//! through it is not seen where no early adopter of the repository runs that.

use std::collections::BTreeSet;

use super::known::Known;
use super::world::bundles::Bundle;
use super::world::tasks::Task;
use super::world::teams::Team;
use crate::domain::names::{BundleId, DistPath};
use crate::domain::naming::team::TeamName;
use crate::domain::rollout::Rollout;
use crate::domain::task::TaskKind;

/// A team that a bundle concerns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Affected {
    /// The team.
    pub team: TeamName,
    /// The node types that it runs and that are changed; none if it is affected indirectly.
    pub node_types: BTreeSet<String>,
    /// Whether it has rolled the bundle out, or is about to.
    pub has_task: bool,
}

impl Affected {
    /// Whether its site runs what is changed.
    pub fn is_direct(&self) -> bool {
        !self.node_types.is_empty()
    }
}

/// The teams that a bundle concerns, by name: its rejected rollouts where some were, or all of them.
pub fn affected(known: Known<'_>, id: &BundleId, bundle: &Bundle) -> Vec<Affected> {
    let world = known.world;
    let all: Vec<&Rollout> = bundle.members.iter().filter_map(|id| world.rollouts.get(id)).collect();
    let rejected: Vec<&Rollout> = all.iter().copied().filter(|rollout| known.is_rejected(rollout)).collect();
    let changed = if rejected.is_empty() { all } else { rejected };
    let dists: BTreeSet<&DistPath> = changed.iter().flat_map(|rollout| rollout.dists()).collect();
    let users: Vec<(&DistPath, BTreeSet<&TeamName>)> =
        dists.into_iter().map(|dist| (dist, users(known, dist))).collect();
    let one = |(name, team): (&TeamName, &Team)| {
        let runs = |rollout: &&Rollout| known.node_types(&rollout.id, team);
        let node_types: BTreeSet<String> = changed
            .iter()
            .filter(|rollout| rollout.dists().any(|dist| may_use(known, dist, team)))
            .flat_map(runs)
            .collect();
        let has_task = world.tasks.of(id).any(|(_, task)| is_roll_out(task, name));
        let uses = || users.iter().any(|(dist, users)| users.contains(name) && may_use(known, dist, team));
        (!node_types.is_empty() || has_task || uses()).then(|| Affected { team: name.clone(), node_types, has_task })
    };
    // Whoever only observes has something to do with it only if it was told to.
    let concerns = |one: &Affected| one.has_task || world.teams.counts(&one.team);
    world.teams.iter().filter_map(one).filter(concerns).collect()
}

fn is_roll_out(task: &Task, team: &TeamName) -> bool {
    task.kind == TaskKind::RollOut && task.team == *team
}

/// Whether a distribution is one that a team may have: of all node types, or of one that it runs.
fn may_use(known: Known<'_>, dist: &DistPath, team: &Team) -> bool {
    let Some(rules) = known.rules.distributions.get(dist) else { return false };
    rules.node_types.is_empty() || rules.node_types.iter().any(|name| team.runs(name))
}

/// The teams that use a distribution for tests: those with a roll-out task of an open bundle of it.
fn users<'a>(known: Known<'a>, dist: &DistPath) -> BTreeSet<&'a TeamName> {
    let world = known.world;
    let is_of = |bundle: &Bundle| {
        let mut members = bundle.members.iter().filter_map(|id| world.rollouts.get(id));
        !bundle.closed && members.any(|rollout| rollout.dists().any(|of| of == dist))
    };
    let bundles = world.bundles.after(None).filter(|(_, bundle)| is_of(bundle));
    let tasks = bundles.flat_map(|(id, _)| world.tasks.of(id)).map(|(_, task)| task);
    tasks.filter(|task| task.kind == TaskKind::RollOut).map(|task| &task.team).collect()
}
