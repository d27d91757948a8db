//! Is it said how to reverse a change of high impact and high risk (S3-30)?
//!
//! Where nobody has said what its impact and its risk are, both may be high.

use super::{Asked, Case, Gate};
use crate::domain::attributes::Level;
use crate::domain::gate::{Finding, Verdict};
use crate::domain::terms::{GateForm, Terms};
use crate::domain::workflow::Transition;

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: "reversible", terms: &[], of_moves: false }),
    asked: Asked::Named,
    may_be_overridden: true,
    judge,
};

fn judge(case: &Case<'_>, _: &Transition, _: &Terms) -> Vec<Finding> {
    let said = case.world.attributes.said(&case.rollout.id);
    let pass = |sentence| vec![Finding::new(Verdict::Pass, "reversible", sentence)];
    let (known, low) = ([("impact", said.impact), ("risk", said.risk)], Some(Level::Low));
    if said.reversal.is_some() {
        return pass("The steps to reverse it are given.");
    }
    if known.iter().any(|(_, level)| *level == low) {
        return pass("Its impact or its risk is low, so it needs no steps to reverse it.");
    }
    let unknown: Vec<&str> = known.iter().filter(|(_, level)| level.is_none()).map(|(name, _)| *name).collect();
    if unknown.is_empty() {
        let sentence = "Its impact and its risk are high, but nobody has said how to reverse it.";
        return vec![Finding::new(Verdict::Wait, "not_reversible", sentence)];
    }
    let sentence = format!("Nobody has said what its {} is.", unknown.join(" or its "));
    vec![Finding::new(Verdict::Wait, "not_assessed", sentence)]
}
