//! Has everybody had time to learn of the rollout's last change (S1-23)?
//!
//! Trackers and their copies follow some hours later, and early adopters read there which bundle they roll out. It counts
//! from the last change of state, or from when the rollout joined its bundle, whichever came later, by elapsed time: a clock
//! that jumps does not shorten it, and on hold no time passes.

use std::time::Duration;

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::moment::NotBefore;
use crate::domain::rollout::Rollout;
use crate::domain::terms::{GateForm, TermForm, TermKind, Terms};
use crate::domain::workflow::Transition;
use crate::format::quantity;
use crate::process::known::Known;

const FOR: TermForm = TermForm { name: "for", kind: TermKind::Duration, required: true, example: "for = \"2h\"" };

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: "settled", terms: &[FOR], of_moves: false }),
    asked: Asked::Named,
    may_be_overridden: true,
    judge,
};

fn judge(case: &Case<'_>, _: &Transition, terms: &Terms) -> Vec<Finding> {
    let Some(span) = terms.duration(FOR.name) else {
        let sentence = "The procedure requires that a rollout has settled but does not say for how long.";
        return vec![Finding::new(Verdict::NeedsAdmin, "settling", sentence)];
    };
    vec![settled(case.known, case.rollout, span)]
}

/// Whether a rollout has been as it is for so long.
pub fn settled(known: Known<'_>, rollout: &Rollout, span: Duration) -> Finding {
    let (world, now, said) = (known.world, known.now, quantity::show_duration(span));
    let paused = world.paused(&rollout.id, rollout.changed, now.elapsed);
    let ends = now.when(rollout.changed.plus(span.saturating_add(paused)));
    if ends.elapsed <= now.elapsed {
        return Finding::new(
            Verdict::Pass,
            "settling",
            format!("Its state and its bundle have not changed for {said}."),
        );
    }
    let what =
        format!("Its state and its bundle must not change for {said}, so that trackers and their copies catch up");
    if let Some(holds) = world.stands_still(&rollout.id) {
        let left = Duration::try_from(ends.elapsed.since(now.elapsed)).unwrap_or_default();
        let left = quantity::about_duration(left);
        return Finding::new(Verdict::Wait, "settling", format!("{what}; {left} remain once {holds} goes on."));
    }
    let sentence = format!("{what}: until {:.0}.", ends.wall);
    Finding { not_before: Some(NotBefore::Elapsed(ends)), ..Finding::new(Verdict::Wait, "settling", sentence) }
}
