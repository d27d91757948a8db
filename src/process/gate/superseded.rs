//! Has another rollout taken this one's place?
//!
//! Then it does not move forward, since sites would get the older one after the newer. What takes its packages back goes on. It
//! is free again when the other one comes to nothing.

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::RolloutId;
use crate::domain::terms::Terms;
use crate::domain::workflow::{Effect, Transition};
use crate::process::known::Known;

pub(super) const GATE: Gate = Gate { form: None, asked: Asked::Still, may_be_overridden: false, judge };

fn judge(case: &Case<'_>, transition: &Transition, _: &Terms) -> Vec<Finding> {
    let id = &case.rollout.id;
    let by = superseded_by(case.known, id).filter(|_| transition.effect != Effect::Withdraw);
    let Some(by) = by else { return vec![] };
    let sentence =
        format!("{id} is superseded by {by}; it can be withdrawn, or goes on if {by} is cancelled or rejected.");
    vec![Finding::new(Verdict::Wait, "superseded", sentence)]
}

/// The rollout that has taken the place of another one; `None` also if it was cancelled or rejected itself.
pub fn superseded_by<'w>(known: Known<'w>, id: &RolloutId) -> Option<&'w RolloutId> {
    let by = known.world.successors.of(id)?;
    let new = known.world.rollouts.get(by)?;
    (!new.cancelled && !known.is_rejected(new)).then_some(by)
}
