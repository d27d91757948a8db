//! May whoever asks take this step?
//!
//! The sentences name nobody: one that is written down stays in the logbook, which names people by id only.

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::Role;
use crate::domain::terms::Terms;
use crate::domain::workflow::Transition;

pub(super) const GATE: Gate = Gate { form: None, asked: Asked::Always, may_be_overridden: false, judge };

fn judge(case: &Case<'_>, transition: &Transition, _: &Terms) -> Vec<Finding> {
    let roles: Vec<&str> = transition.who.iter().map(Role::as_str).collect();
    if case.caller.may_for(&transition.who, case.rollout) {
        return vec![Finding::new(Verdict::Pass, "role", "The caller may take this step.")];
    }
    let elsewhere = case.caller.elsewhere(&transition.who);
    let sentence = format!("Only {} may take this step{elsewhere}.", roles.join(" or "));
    vec![Finding::new(Verdict::NeedsAdmin, "role", sentence)]
}
