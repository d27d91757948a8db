//! Is the rollout on hold (S3-08)?
//!
//! What takes its packages back goes on.

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::terms::Terms;
use crate::domain::workflow::{Effect, Transition};

pub(super) const GATE: Gate = Gate { form: None, asked: Asked::Still, may_be_overridden: false, judge };

fn judge(case: &Case<'_>, transition: &Transition, _: &Terms) -> Vec<Finding> {
    let stalled = case.world.dossiers.of(&case.rollout.id).and_then(|dossier| dossier.stalled);
    let Some(since) = stalled.filter(|_| transition.effect != Effect::Withdraw) else { return vec![] };
    let sentence = format!("{} is on hold since {since:.0}.", case.rollout.id);
    vec![Finding::new(Verdict::Wait, "on_hold", sentence)]
}
