//! Is something being moved for this rollout already?

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::terms::Terms;
use crate::domain::workflow::{Effect, Transition};

pub(super) const GATE: Gate = Gate { form: None, asked: Asked::Always, may_be_overridden: false, judge };

fn judge(case: &Case<'_>, transition: &Transition, _: &Terms) -> Vec<Finding> {
    vec![match case.rollout.plan {
        None => Finding::new(Verdict::Pass, "idle", "Nothing is being moved for this rollout."),
        Some(number) if let (Effect::Withdraw, Some((_, why))) = (&transition.effect, case.stuck()) => {
            let sentence = format!("{why} The blocked move (logbook entry {number}) is given up.");
            Finding::new(Verdict::Pass, "overtakes", sentence)
        }
        Some(plan) => {
            let sentence = format!("Packages are still being moved for this rollout (logbook entry {plan}).");
            Finding::new(Verdict::Wait, "busy", sentence)
        }
    }]
}
