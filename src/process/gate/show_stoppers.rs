//! Is there an issue with which the rollout cannot go on (S0-43)?

use super::{Asked, Case, Gate, reported};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::terms::{GateForm, TermForm, TermKind, Terms};
use crate::domain::workflow::Transition;

/// Whether a failure that a team has reported is one, too.
const FAILURES: TermForm =
    TermForm { name: "failures", kind: TermKind::Flag, required: false, example: "failures = true" };

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: "show_stoppers", terms: &[FAILURES], of_moves: false }),
    asked: Asked::Named,
    may_be_overridden: true,
    judge,
};

fn judge(case: &Case<'_>, _: &Transition, terms: &Terms) -> Vec<Finding> {
    let stops = case.world.issues.of(&case.rollout.id).filter(|(_, issue)| issue.open && issue.show_stopper);
    let stop = |(name, issue): (&str, &crate::process::world::issues::Issue)| {
        let sentence = format!("The show-stopper {name} is open: {}.", issue.title.trim_end_matches('.'));
        Finding::new(Verdict::Wait, "show_stopper", sentence)
    };
    let mut found: Vec<Finding> = stops.map(stop).collect();
    if terms.flag(FAILURES.name) {
        found.extend(reported::failures(case));
    }
    if found.is_empty() {
        return vec![Finding::new(Verdict::Pass, "show_stopper", "No show-stopper is open.")];
    }
    found
}
