//! Has a restore taken packages of the rollout out of a tree?
//!
//! That holds nothing up by itself: the gate says so wherever somebody asks what is so with the rollout. Packages that are
//! not where a step wants them are what `packages_present` is about.

use super::{Asked, Case, Gate};
use crate::domain::gate::Finding;
use crate::domain::terms::Terms;
use crate::domain::workflow::Transition;

pub(super) const GATE: Gate = Gate { form: None, asked: Asked::Always, may_be_overridden: false, judge };

fn judge(case: &Case<'_>, _: &Transition, _: &Terms) -> Vec<Finding> {
    case.world.taken_away(case.rollout.packages())
}
