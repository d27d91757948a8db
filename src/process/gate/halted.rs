//! Are promotions halted?
//!
//! A halt stops what moves packages forward. What takes them back goes on: it may be why there is a halt.

use super::{Asked, Case, Gate};
use crate::domain::gate::Finding;
use crate::domain::terms::Terms;
use crate::domain::workflow::{Effect, Transition};

pub(super) const GATE: Gate = Gate { form: None, asked: Asked::Still, may_be_overridden: false, judge };

fn judge(case: &Case<'_>, transition: &Transition, _: &Terms) -> Vec<Finding> {
    if !matches!(transition.effect, Effect::Move { .. }) {
        return vec![];
    }
    case.world.halts.objection(case.rollout.dists()).into_iter().collect()
}
