//! Are the documents linked that the procedure asks for (S0-32)?
//!
//! Those that are missing hold the step up; with `optional = true` they are a warning.

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::LinkName;
use crate::domain::terms::{GateForm, TermForm, TermKind, Terms};
use crate::domain::workflow::Transition;

const TO: TermForm =
    TermForm { name: "to", kind: TermKind::Links, required: true, example: "to = [\"release-notes\"]" };

const OPTIONAL: TermForm =
    TermForm { name: "optional", kind: TermKind::Flag, required: false, example: "optional = true" };

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: "linked", terms: &[TO, OPTIONAL], of_moves: false }),
    asked: Asked::Named,
    may_be_overridden: true,
    judge,
};

fn judge(case: &Case<'_>, _: &Transition, terms: &Terms) -> Vec<Finding> {
    let verdict = if terms.flag(OPTIONAL.name) { Verdict::Pass } else { Verdict::Wait };
    match missing(case, terms) {
        None => vec![Finding::new(Verdict::Pass, "linked", "All documents are linked.")],
        Some(sentence) => vec![Finding::new(verdict, "not_linked", format!("{sentence}."))],
    }
}

/// What whoever takes a step should know, where the procedure asks for documents and does not insist on them.
pub(super) fn warning(case: &Case<'_>, transition: &Transition) -> Option<String> {
    let terms = case.terms(&GATE, transition).filter(|_| !case.is_overridden(&GATE, transition))?;
    missing(case, terms).filter(|_| terms.flag(OPTIONAL.name))
}

/// Which documents are not linked; `None` if all are.
fn missing(case: &Case<'_>, terms: &Terms) -> Option<String> {
    let links = case.world.dossiers.of(&case.rollout.id).map(|dossier| &dossier.links);
    let missing = terms.links(TO.name).filter(|what| !links.is_some_and(|links| links.contains_key(*what)));
    let missing: Vec<&str> = missing.map(LinkName::as_str).collect();
    (!missing.is_empty()).then(|| format!("No link to: {}", missing.join(", ")))
}
