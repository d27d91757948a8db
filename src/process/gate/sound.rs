//! Is each tree that would change as it should be, and is none of them being restored?
//!
//! Asked before every move and withdrawal, whatever the procedure says. A plan decided in spite of it would wait
//! there, and nobody could say what it will do when it goes on.

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::terms::Terms;
use crate::domain::workflow::Transition;

pub(super) const GATE: Gate = Gate { form: None, asked: Asked::AtRest, may_be_overridden: false, judge };

fn judge(case: &Case<'_>, transition: &Transition, _: &Terms) -> Vec<Finding> {
    let Some(plan) = case.plan(transition) else { return vec![] };
    let wrong = plan.trees().into_iter().filter_map(|id| case.known.wrong.get(&id).map(|wrong| (id, wrong)));
    let held = wrong.map(|(id, wrong)| {
        let sentence = format!("Nothing is moved into {id} or out of it until it is fixed: {}.", wrong.why);
        Finding::new(Verdict::Wait, "tree_held", sentence)
    });
    let restored =
        plan.trees().into_iter().filter_map(|id| case.world.rollouts.restore_of(&id).map(|found| (id, found)));
    let waits = restored.map(|(id, (number, restore))| {
        let owner = &restore.owner;
        let sentence = format!(
            "Nothing else is moved into {id} or out of it until {owner} (logbook entry {number}) is carried out."
        );
        Finding::new(Verdict::Wait, "restore_open", sentence)
    });
    held.chain(waits).collect()
}
