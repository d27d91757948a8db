//! What a decision goes by: the logbook, the rules, and what is found to be so on the disk.

use super::agenda::Wrongs;
use super::rules::{DistRules, Rules};
use super::trouble::{Trouble, Troubles};
use super::world::World;
use super::world::teams::Team;
use crate::domain::moment::{Elapsed, Moment};
use crate::domain::names::{DistPath, Label, RolloutId, TreeName};
use crate::domain::naming::team::TeamName;
use crate::domain::nevra::Nevra;
use crate::domain::people::People;
use crate::domain::plan::Plan;
use crate::domain::rollout::{Part, Rollout};
use crate::domain::workflow::{Effect, Occasion, Transition};
use crate::format::spelling;

/// What a decision goes by: the logbook, the rules, and what is found to be so on the disk.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The fold of the logbook.
    pub world: &'a World,
    /// The rules in force.
    pub rules: &'a Rules,
    /// Who is behind the ids of the logbook.
    pub people: &'a People,
    /// Trees in which something is wrong.
    pub wrong: &'a Wrongs,
    /// What does not work now.
    pub troubles: &'a Troubles,
    /// Now.
    pub now: Moment,
}

impl<'a> Known<'a> {
    /// A package that a rollout has brought beyond the tree of uploads, and where it lies.
    pub fn brought(self, rollout: &Rollout) -> Option<(Nevra, &'a TreeName)> {
        rollout.packages().find_map(|(dist, nevra)| {
            let trees = self.rules.distributions.get(dist)?.trees.get(1..).unwrap_or_default();
            let tree = trees.iter().find(|tree| self.world.has_brought(&rollout.id, dist, tree, nevra))?;
            Some((nevra.clone(), tree))
        })
    }

    /// A package of a rollout that early adopters have, whoever brought it there: it lies between that tree and the last.
    pub fn with_early_adopters(self, rollout: &Rollout) -> Option<(Nevra, &'a TreeName)> {
        rollout.packages().find_map(|(dist, nevra)| {
            let trees = between(&self.rules.distributions.get(dist)?.trees);
            Some((nevra.clone(), trees.iter().find(|tree| self.world.lists(dist, tree, nevra))?))
        })
    }

    /// Since when early adopters have all of what they have of a rollout.
    pub fn in_test_since(self, rollout: &Rollout) -> Option<Elapsed> {
        let of_part = |part: &Part| {
            let trees = between(&self.rules.distributions.get(&part.dist)?.trees);
            let listings = trees.iter().filter_map(|tree| Some(self.world.trees.of_dist(&part.dist, tree)?.listing()));
            let since = listings.flat_map(|here| part.packages.iter().filter_map(|nevra| here.get(nevra)?.since));
            since.max()
        };
        rollout.parts.iter().filter_map(of_part).max()
    }

    /// The tree of early adopters to which a rollout has brought this package.
    pub fn has_in_test(self, rollout: &RolloutId, dist: &DistPath, nevra: &Nevra) -> Option<&'a TreeName> {
        let trees = &self.rules.distributions.get(dist)?.trees;
        between(trees).iter().find(|tree| self.world.has_brought(rollout, dist, tree, nevra))
    }

    /// The tree from which everybody installs.
    fn last_tree(self, dist: &DistPath) -> Option<&'a TreeName> {
        self.rules.distributions.get(dist)?.trees.last()
    }
}

/// The trees between that of uploads and the last one.
fn between(trees: &[TreeName]) -> &[TreeName] {
    trees.get(1..trees.len().saturating_sub(1)).unwrap_or_default()
}

impl Known<'_> {
    /// That there is no such team, and which ones there are.
    pub fn no_team(self, team: &TeamName) -> String {
        let teams: Vec<&str> = self.world.teams.iter().map(|(name, _)| name.as_str()).collect();
        let like = spelling::nearest(team.as_str(), teams.iter().copied());
        match (teams.is_empty(), like) {
            (true, _) => format!("the registry has no team {team}; it is empty: `rolloutctl team add` adds one"),
            (false, Some(like)) => format!("the registry has no team {team}; did you mean {like}?"),
            (false, None) => format!("the registry has no team {team}; `rolloutctl team list` shows all"),
        }
    }

    /// The node types of a rollout that a team runs.
    pub fn node_types(self, rollout: &RolloutId, team: &Team) -> Vec<String> {
        let said = &self.world.attributes.said(rollout).node_types;
        said.iter().map(Label::as_str).filter(|name| team.runs(name)).map(str::to_owned).collect()
    }

    /// Whether a rollout was rejected.
    pub fn is_rejected(self, rollout: &Rollout) -> bool {
        self.rules.of(&rollout.parts).is_ok_and(|rules| rules.workflow.is_rejection(&rollout.state))
    }

    /// Whether all of a rollout has come where clients get it, and nothing more is to come.
    pub fn is_released(self, id: &RolloutId) -> bool {
        let Some(rollout) = self.world.rollouts.get(id) else { return false };
        let is_listed = |(dist, nevra): (&DistPath, &Nevra)| {
            self.last_tree(dist).is_some_and(|tree| self.world.lists(dist, tree, nevra))
        };
        rollout.plan.is_none() && rollout.packages().all(is_listed)
    }

    /// Whether sites are told of releases by updates, and a rollout is in none (S1-33).
    pub fn lacks_number(self, rollout: &Rollout) -> bool {
        let announces =
            |rules: &DistRules| rules.workflow.notices().iter().any(|notice| notice.when == Occasion::UpdateReleased);
        self.rules.of(&rollout.parts).is_ok_and(announces) && self.world.bundles.update_of(&rollout.id).is_none()
    }

    /// Whether a step takes packages where clients get them.
    pub fn releases(self, rollout: &Rollout, step: &Transition) -> bool {
        let is_last = |tree: &TreeName| rollout.dists().any(|dist| self.last_tree(dist) == Some(tree));
        matches!(&step.effect, Effect::Move { to, .. } if is_last(to))
    }

    /// Whether a step from where a rollout is leads where clients get it, or it is on its way there.
    pub fn is_ready_for_release(self, rollout: &Rollout) -> bool {
        let to_last = |tree: &TreeName| rollout.dists().any(|dist| self.last_tree(dist) == Some(tree));
        let leads = |step: &Transition| self.releases(rollout, step);
        let workflow = self.rules.of(&rollout.parts).map(|rules| &rules.workflow);
        !rollout.cancelled
            && match rollout.plan {
                Some(plan) => {
                    let plan = self.world.rollouts.plan(plan);
                    plan.is_some_and(|plan| plan.moves.iter().filter_map(|one| one.target.as_ref()).any(to_last))
                }
                None => workflow.is_ok_and(|workflow| workflow.leaving(&rollout.state).any(leads)),
            }
    }

    /// The plan of a rollout that cannot be carried out as things are, and what is in its way: the rules, which no
    /// longer trust who signed; what is wrong in a tree that it changes; or its own failure. Of a bundle, the part of the
    /// rollout.
    pub fn stuck(self, rollout: &Rollout) -> Option<(Plan, String)> {
        let number = rollout.plan?;
        let plan = self.world.rollouts.plan(number)?;
        self.stuck_plan(number, plan).map(|why| (plan.part(&rollout.id).into_owned(), why))
    }

    /// What is in the way of a plan.
    pub fn stuck_plan(self, number: u64, plan: &Plan) -> Option<String> {
        let objection = self.world.objection(self.rules, plan).map(|finding| finding.sentence);
        let wrong = || plan.trees().iter().find_map(|id| self.wrong.get(id)).map(|wrong| format!("{}.", wrong.why));
        let failed = || self.troubles.get(&Trouble::of_plan(plan, number)).map(|why| format!("{why}."));
        objection.or_else(wrong).or_else(failed)
    }
}
