//! Are the documents linked that the procedure asks for (S0-32)?

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::LinkName;
use crate::domain::terms::{GateForm, TermForm, TermKind, Terms};
use crate::domain::workflow::Transition;

const TO: TermForm =
    TermForm { name: "to", kind: TermKind::Links, required: true, example: "to = [\"release-notes\"]" };

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: "linked", terms: &[TO], of_moves: false }),
    asked: Asked::Named,
    may_be_overridden: true,
    judge,
};

fn judge(case: &Case<'_>, _: &Transition, terms: &Terms) -> Vec<Finding> {
    let links = case.world.dossiers.of(&case.rollout.id).map(|dossier| &dossier.links);
    let missing = terms.links(TO.name).filter(|what| !links.is_some_and(|links| links.contains_key(*what)));
    let missing: Vec<&str> = missing.map(LinkName::as_str).collect();
    if missing.is_empty() {
        return vec![Finding::new(Verdict::Pass, "linked", "All documents are linked.")];
    }
    let sentence = format!("No link to: {}.", missing.join(", "));
    vec![Finding::new(Verdict::Wait, "not_linked", sentence)]
}
