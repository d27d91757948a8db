//! Does another open bundle, or a rollout in a tree of early adopters, have a package of the same name (S1-14)?
//!
//! What was rejected, or is released, and of which early adopters have nothing any more is in nobody's way, although its bundle
//! may still be open.
//!
//! With `shares`, whoever takes the step is also told which other bundles use that tree now: nothing conflicts as long as their
//! packages are other ones, and early adopters get both.

use std::collections::{BTreeMap, BTreeSet};

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{BundleId, RolloutId};
use crate::domain::rollout::{Part, Rollout};
use crate::domain::terms::{GateForm, TermForm, TermKind, Terms};
use crate::domain::workflow::Transition;
use crate::process::fact::bundle::told;
use crate::process::known::Known;

const SHARES: TermForm =
    TermForm { name: "shares", kind: TermKind::Tree, required: false, example: "shares = \"delta\"" };

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: "no_conflict", terms: &[SHARES], of_moves: false }),
    asked: Asked::Named,
    may_be_overridden: true,
    judge,
};

fn judge(case: &Case<'_>, _: &Transition, terms: &Terms) -> Vec<Finding> {
    let world = case.world;
    let own = world.bundles.of(&case.rollout.id).map(|(id, _)| id);
    // The packages of that name are looked at, not all bundles.
    let others = |part: &Part, name: &str| {
        let named: Vec<_> = world.packages.named(&part.dist, name).map(|(nevra, _)| nevra).collect();
        let rollouts = named
            .into_iter()
            .flat_map(|nevra| world.rollouts.naming(&part.dist, nevra).map(move |rollout| (nevra, rollout)));
        let others = rollouts.filter(|(_, other)| other.id != case.rollout.id && !is_over(case.known, other));
        others
            .filter_map(|(nevra, Rollout { id: other, .. })| {
                if let Some((id, _)) = world.bundles.of(other) {
                    return (Some(id) != own).then(|| format!("The bundle {id} also has {name}: in {other}."));
                }
                let tree = case.known.has_in_test(other, &part.dist, nevra)?;
                Some(format!("{other} has {name} in {tree}."))
            })
            .collect::<Vec<_>>()
    };
    let mut findings = Vec::new();
    for part in &case.rollout.parts {
        for nevra in &part.packages {
            let conflict = |sentence| Finding::new(Verdict::NeedsAdmin, "repository_conflict", sentence);
            findings.extend(others(part, nevra.name()).into_iter().map(conflict));
        }
    }
    findings.dedup();
    if findings.is_empty() {
        findings.push(Finding::new(Verdict::Pass, "repository_conflict", "No other bundle has these packages."));
    }
    let used = in_use(case, terms).map(|sentence| Finding::new(Verdict::Pass, "tree_in_use", format!("{sentence}.")));
    findings.extend(used);
    findings
}

/// Whether nothing more is to come of a rollout, and early adopters have none of its packages.
fn is_over(known: Known<'_>, rollout: &Rollout) -> bool {
    rollout.plan.is_none()
        && known.with_early_adopters(rollout).is_none()
        && (known.is_rejected(rollout) || known.is_released(&rollout.id))
}

/// Which other bundles use the tree that the procedure names.
pub(super) fn warning(case: &Case<'_>, transition: &Transition) -> Option<String> {
    in_use(case, case.terms(&GATE, transition)?)
}

/// A sentence about the other open bundles that have packages in a tree; `None` if there are none.
fn in_use(case: &Case<'_>, terms: &Terms) -> Option<String> {
    let (world, tree) = (case.world, terms.tree_of(SHARES.name)?);
    let own = world.bundles.of(&case.rollout.id).map(|(id, _)| id);
    let listed = case.rollout.parts.iter().filter_map(|part| world.trees.of_dist(&part.dist, tree));
    let brought = listed.flat_map(|tree| tree.listing().iter().filter_map(|(_, entry)| entry.brought.as_ref()));
    let mut others: BTreeMap<&BundleId, BTreeSet<&RolloutId>> = BTreeMap::new();
    for rollout in brought.collect::<BTreeSet<_>>() {
        if let Some((id, _)) = world.bundles.of(rollout).filter(|(id, _)| Some(*id) != own) {
            others.entry(id).or_default().insert(rollout);
        }
    }
    let words: Vec<String> =
        others.iter().map(|(id, rollouts)| format!("{id} with {}", told(rollouts.iter().copied()))).collect();
    (!words.is_empty()).then(|| format!("{tree} is also used by other bundles: {}", words.join("; ")))
}
