//! Are the sources where people look for them (S3-23, S4-05): the source package in a tree of the distribution, or in the
//! rollout itself, or a link to them?
//!
//! Sources that are missing are a warning, since not everything is built from a package; `required = true` makes them hold the
//! step up.

use std::collections::BTreeSet;

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::LinkName;
use crate::domain::nevra::Nevra;
use crate::domain::rollout::Part;
use crate::domain::terms::{GateForm, TermForm, TermKind, Terms};
use crate::domain::workflow::Transition;
use crate::process::fact::{TOLD_MOST, more};

const NAME: &str = "sources";

const REQUIRED: TermForm =
    TermForm { name: "required", kind: TermKind::Flag, required: false, example: "required = true" };

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: NAME, terms: &[REQUIRED], of_moves: false }),
    asked: Asked::Named,
    may_be_overridden: true,
    judge,
};

/// The link under which somebody finds sources that are elsewhere.
const LINK: &str = "sources";

fn judge(case: &Case<'_>, _: &Transition, terms: &Terms) -> Vec<Finding> {
    let verdict = if terms.flag(REQUIRED.name) { Verdict::Wait } else { Verdict::Pass };
    match missing(case) {
        None => vec![Finding::new(Verdict::Pass, NAME, "The sources are there.")],
        Some(sentence) => vec![Finding::new(verdict, "no_sources", sentence)],
    }
}

/// What whoever takes a step should know, where the procedure asks for sources and does not insist on them.
pub(super) fn warning(case: &Case<'_>, transition: &Transition) -> Option<String> {
    let terms = case.terms(&GATE, transition).filter(|_| !case.is_overridden(&GATE, transition))?;
    let sentence = missing(case).filter(|_| !terms.flag(REQUIRED.name))?;
    Some(sentence.trim_end_matches('.').to_owned())
}

/// A sentence about packages whose sources are nowhere; `None` if there are none.
fn missing(case: &Case<'_>) -> Option<String> {
    let links = case.world.dossiers.of(&case.rollout.id).map(|dossier| &dossier.links);
    if links.is_some_and(|links| links.keys().any(|link: &LinkName| link.as_str() == LINK)) {
        return None;
    }
    let missing: BTreeSet<&Nevra> = case.rollout.parts.iter().flat_map(|part| of_part(case, part)).collect();
    if missing.is_empty() {
        return None;
    }
    let rest = more(missing.len());
    let named: Vec<String> = missing.iter().take(TOLD_MOST).map(ToString::to_string).chain(rest).collect();
    Some(format!(
        "These source packages are in no tree and not in the rollout, and no link `sources` says where they are: {}.",
        named.join(", ")
    ))
}

/// The source packages of one distribution that are not there. What a package was built from may not be known.
fn of_part<'c>(case: &'c Case<'_>, part: &'c Part) -> impl Iterator<Item = &'c Nevra> {
    let listed = |source: &Nevra| {
        case.world.trees.of(&part.dist).any(|(_, tree)| tree.listing().get(source).is_some())
            || case.rollout.packages().any(|(_, nevra)| nevra == source)
    };
    let packages = part.packages.iter().filter_map(|nevra| case.world.packages.get(&part.dist, nevra));
    packages.filter_map(|package| package.source.as_deref()).filter(move |source| !listed(source))
}
