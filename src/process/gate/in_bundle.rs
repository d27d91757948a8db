//! Is the rollout in a bundle (S1-16)?
//!
//! What is deployed for early adopters outside any bundle gets no tasks and no update, and cannot join one any more.

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::terms::{GateForm, Terms};
use crate::domain::workflow::Transition;

const NAME: &str = "in_bundle";

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: NAME, terms: &[], of_moves: false }),
    asked: Asked::Named,
    may_be_overridden: true,
    judge,
};

fn judge(case: &Case<'_>, _: &Transition, _: &Terms) -> Vec<Finding> {
    let id = &case.rollout.id;
    let finding = if let Some((bundle, _)) = case.world.bundles.of(id) {
        Finding::new(Verdict::Pass, NAME, format!("It is in the bundle {bundle}."))
    } else {
        let sentence = format!("{id} is in no bundle: `bundle add BUNDLE {id}` adds it to one.");
        Finding::new(Verdict::Wait, NAME, sentence)
    };
    vec![finding]
}
