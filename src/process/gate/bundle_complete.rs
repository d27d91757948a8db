//! Is the bundle complete: are those of its rollouts that are in this state exactly those that its release notes list
//! (S1-21, S1-31)?
//!
//! A rollout that the release notes of another open bundle list, and not those of its own, is released with that one (S1-30):
//! if several list it, all of them have to be complete.

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{BundleId, RolloutId};
use crate::domain::terms::{GateForm, Terms};
use crate::domain::workflow::Transition;
use crate::process::fact::bundle::told;
use crate::process::world::bundles::Bundle;

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: "bundle_complete", terms: &[], of_moves: false }),
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
    let (world, rollout) = (case.world, case.rollout);
    let Some(announced) = &bundle.announced else {
        return vec![incomplete(format!("The release notes of the bundle {id} list nothing yet."))];
    };
    let is_here = |id: &&RolloutId| world.rollouts.get(id).is_some_and(|other| other.state == rollout.state);
    // Those that have gone on already are not missing.
    let is_ahead = |id: &&RolloutId| world.rollouts.get(id).is_some_and(|other| other.state == transition.to);
    let missing: Vec<&RolloutId> = announced.iter().filter(|id| !is_here(id) && !is_ahead(id)).collect();
    // What another bundle releases is not expected here.
    let is_expected = |other: &&RolloutId| !announced.contains(*other) && world.bundles.is_released_with(other, id);
    let more: Vec<&RolloutId> = bundle.members.iter().filter(is_here).filter(is_expected).collect();
    let mut findings = Vec::new();
    if !missing.is_empty() {
        let missing = told(missing.into_iter());
        findings.push(incomplete(format!("Listed in the release notes but not in {}: {missing}.", rollout.state)));
    }
    if !more.is_empty() {
        let more = told(more.into_iter());
        findings.push(incomplete(format!("In {} but not listed in the release notes: {more}.", rollout.state)));
    }
    if findings.is_empty() {
        return vec![Finding::new(Verdict::Pass, "bundle_complete", format!("The bundle {id} is complete."))];
    }
    findings
}
