//! Is another rollout of the bundle further already (S1-15)?
//!
//! One patch that is ready is the green flag for the whole bundle: others join it as they are. It says that the
//! repository may be used, and validates nothing.

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::rollout::Rollout;
use crate::domain::terms::{GateForm, Terms};
use crate::domain::workflow::Transition;

const NAME: &str = "bundle_ready";

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: NAME, terms: &[], of_moves: false }),
    asked: Asked::Named,
    may_be_overridden: true,
    judge,
};

fn judge(case: &Case<'_>, transition: &Transition, _: &Terms) -> Vec<Finding> {
    let rollout = case.rollout;
    let waits = |sentence| vec![Finding::new(Verdict::Wait, NAME, sentence)];
    let Some((id, bundle)) = case.world.bundles.of(&rollout.id) else {
        return waits(format!("{} is in no bundle.", rollout.id));
    };
    // Further is what another step leads from to where this one leads, and what is there.
    let workflow = case.rules.as_ref().ok().map(|rules| &rules.workflow);
    let is_further = |other: &&Rollout| {
        let leads_there = other.state == transition.to
            || workflow.is_some_and(|workflow| workflow.step(&other.state, &transition.to).is_ok());
        other.id != rollout.id && other.state != transition.from && leads_there
    };
    match bundle.members.iter().filter_map(|other| case.world.rollouts.get(other)).find(is_further) {
        Some(Rollout { id: other, state, .. }) => {
            vec![Finding::new(Verdict::Pass, NAME, format!("{other} of the bundle {id} is in {state}."))]
        }
        None => waits(format!("No rollout of the bundle {id} is further than {}.", transition.from)),
    }
}
