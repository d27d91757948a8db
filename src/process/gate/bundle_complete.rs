//! Is the bundle complete: are those of its rollouts that are in this state exactly those that its release notes list
//! (S1-21, S1-31)?
//!
//! A rollout that the release notes of another open bundle list, and not those of its own, is released with that one (S1-30):
//! if several list it, all of them have to be complete.

use std::collections::BTreeSet;

use super::{Asked, Case, Gate, TASKS_DONE};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{BundleId, RolloutId};
use crate::domain::terms::{GateForm, Terms};
use crate::domain::workflow::{Effect, State, Transition};
use crate::process::fact::bundle::told;
use crate::process::known::Known;
use crate::process::world::World;
use crate::process::world::bundles::Bundle;

const NAME: &str = "bundle_complete";

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: NAME, terms: &[], of_moves: false }),
    asked: Asked::Named,
    may_be_overridden: true,
    judge,
};

fn judge(case: &Case<'_>, transition: &Transition, _: &Terms) -> Vec<Finding> {
    let releasing = case.world.bundles.releasing(&case.rollout.id);
    if releasing.is_empty() {
        return vec![incomplete(format!("{} is in no bundle.", case.rollout.id))];
    }
    releasing.into_iter().flat_map(|(id, bundle)| of_bundle(case, transition, id, bundle)).collect()
}

fn incomplete(sentence: String) -> Finding {
    Finding::new(Verdict::Wait, "bundle_incomplete", sentence)
}

fn of_bundle(case: &Case<'_>, transition: &Transition, id: &BundleId, bundle: &Bundle) -> Vec<Finding> {
    // Those that have gone on already are not missing.
    let found = compared(case.world, id, bundle, &case.rollout.state, |state| *state == transition.to);
    if found.is_empty() {
        return vec![Finding::new(Verdict::Pass, "bundle_complete", format!("The bundle {id} is complete."))];
    }
    found
}

/// What keeps a bundle from being complete in a state: what its release notes list and is not there, nor ahead, and what is there
/// and not listed.
fn compared(
    world: &World,
    id: &BundleId,
    bundle: &Bundle,
    here: &State,
    is_ahead: impl Fn(&State) -> bool,
) -> Vec<Finding> {
    let Some(announced) = &bundle.announced else {
        return vec![incomplete(format!("The release notes of the bundle {id} list nothing yet."))];
    };
    let state = |id: &RolloutId| world.rollouts.get(id).map(|rollout| &rollout.state);
    let is_here = |id: &&RolloutId| state(id) == Some(here);
    let missing: Vec<&RolloutId> =
        announced.iter().filter(|id| !is_here(id) && !state(id).is_some_and(&is_ahead)).collect();
    // What another bundle releases is not expected here.
    let is_expected = |other: &&RolloutId| !announced.contains(*other) && world.bundles.is_released_with(other, id);
    let more: Vec<&RolloutId> = bundle.members.iter().filter(is_here).filter(is_expected).collect();
    let mut findings = Vec::new();
    if !missing.is_empty() {
        let missing = told(missing.into_iter());
        findings.push(incomplete(format!("Listed in the release notes but not in {here}: {missing}.")));
    }
    if !more.is_empty() {
        let more = told(more.into_iter());
        findings.push(incomplete(format!("In {here} but not listed in the release notes: {more}.")));
    }
    findings
}

/// Why a bundle cannot have roll-out tasks yet: it is not complete in the state from which they are asked for (S1-21). `None`
/// where the procedure of its rollouts does not ask for both.
pub fn before_tasks(known: Known<'_>, id: &BundleId, bundle: &Bundle) -> Option<Vec<Finding>> {
    let rollouts = bundle.members.iter().filter_map(|id| known.world.rollouts.get(id));
    let workflow =
        rollouts.filter_map(|rollout| known.rules.of(&rollout.parts).ok()).map(|rules| &rules.workflow).next();
    let workflow = workflow?;
    let asks = |step: &&Transition, gate: &str| step.gates.iter().any(|named| named.name == gate);
    let steps = || workflow.states().iter().flat_map(|state| workflow.leaving(state));
    let ends = steps().find(|step| asks(step, TASKS_DONE)).filter(|_| steps().any(|step| asks(&step, NAME)))?;
    // Where rollouts are that have left that state on their way.
    let mut ahead = BTreeSet::from([&ends.to]);
    while let Some(next) = steps().find(|step| {
        let goes_on = step.effect != Effect::Withdraw && step.to != ends.from;
        goes_on && ahead.contains(&step.from) && !ahead.contains(&step.to)
    }) {
        ahead.insert(&next.to);
    }
    Some(compared(known.world, id, bundle, &ends.from, |state| ahead.contains(state)))
}
