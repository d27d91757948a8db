//! What a decision goes by: the logbook, the rules, and what is found to be so on the disk.

use std::sync::Arc;

use super::agenda::Wrongs;
use super::rules::Rules;
use super::trouble::{Trouble, Troubles};
use super::world::World;
use crate::domain::moment::Moment;
use crate::domain::people::People;
use crate::domain::plan::Plan;
use crate::domain::rollout::Rollout;

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
    /// The plan of a rollout that cannot be carried out as things are, and what is in its way: the rules, which no
    /// longer trust who signed; what is wrong in a tree that it changes; or its own failure.
    pub fn stuck(self, rollout: &Rollout) -> Option<(&'a Arc<Plan>, String)> {
        let number = rollout.plan?;
        let plan = self.world.rollouts.plan(number)?;
        let objection = self.world.objection(self.rules, plan).map(|finding| finding.sentence);
        let wrong = || plan.trees().iter().find_map(|id| self.wrong.get(id)).map(|wrong| format!("{}.", wrong.why));
        let failed = || self.troubles.get(&Trouble::of_plan(plan, number)).map(|why| format!("{why}."));
        objection.or_else(wrong).or_else(failed).map(|why| (plan, why))
    }
}
