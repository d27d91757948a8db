//! Are promotions halted?
//!
//! A halt stops what moves packages forward. What takes them back goes on: it may be why there is a halt.

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::DistPath;
use crate::domain::terms::Terms;
use crate::domain::workflow::{Effect, Transition};
use crate::process::fact::halt::place;
use crate::process::world::Halts;

/// The code of what it finds.
pub const CODE: &str = "halted";

pub(super) const GATE: Gate = Gate { form: None, asked: Asked::Still, may_be_overridden: false, judge };

fn judge(case: &Case<'_>, transition: &Transition, _: &Terms) -> Vec<Finding> {
    if !matches!(transition.effect, Effect::Move { .. }) {
        return vec![];
    }
    finding(&case.world.halts, case.rollout.dists()).into_iter().collect()
}

/// Why nothing is promoted in these distributions.
pub fn finding<'d>(halts: &Halts, mut dists: impl Iterator<Item = &'d DistPath>) -> Option<Finding> {
    let (dist, halt) = dists.find_map(|dist| halts.of(dist))?;
    let sentence =
        format!("Promotions are halted {} since {:.0}: {}.", place(dist), halt.since, without_stop(&halt.reason));
    Some(Finding::new(Verdict::Wait, CODE, sentence))
}

fn without_stop(reason: &str) -> &str {
    reason.strip_suffix('.').unwrap_or(reason)
}
