//! Was everything ticked that somebody has to look at: the documentation (S3-27), the criteria of conformance (S4-04),
//! whatever else a procedure names?
//!
//! A tick is for the packages that the rollout has now: it lapses when they change.

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::CheckName;
use crate::domain::terms::{GateForm, TermForm, TermKind, Terms};
use crate::domain::workflow::Transition;

const WHAT: TermForm =
    TermForm { name: "what", kind: TermKind::Checks, required: true, example: "what = [\"documentation-reviewed\"]" };

const NAME: &str = "checked";

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: NAME, terms: &[WHAT], of_moves: false }),
    asked: Asked::Named,
    may_be_overridden: true,
    judge,
};

/// What a step asks somebody to look at.
pub fn checks(step: &Transition) -> impl Iterator<Item = &CheckName> {
    step.gates.iter().filter(|gate| gate.name == NAME).flat_map(|gate| gate.terms.checks(WHAT.name))
}

fn judge(case: &Case<'_>, _: &Transition, terms: &Terms) -> Vec<Finding> {
    let ticks = case.world.dossiers.of(&case.rollout.id).map(|dossier| &dossier.ticks);
    let missing = terms.checks(WHAT.name).filter(|check| !ticks.is_some_and(|ticks| ticks.contains_key(*check)));
    let missing: Vec<&str> = missing.map(CheckName::as_str).collect();
    if missing.is_empty() {
        return vec![Finding::new(Verdict::Pass, "checked", "All checks are ticked.")];
    }
    let sentence = format!("Not ticked yet: {}.", missing.join(", "));
    vec![Finding::new(Verdict::Wait, "not_checked", sentence)]
}
