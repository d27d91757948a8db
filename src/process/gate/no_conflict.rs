//! Does another open bundle have a package of the same name (S1-14)?

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::rollout::Part;
use crate::domain::terms::{GateForm, Terms};
use crate::domain::workflow::Transition;

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: "no_conflict", terms: &[], of_moves: false }),
    asked: Asked::Named,
    may_be_overridden: true,
    judge,
};

fn judge(case: &Case<'_>, _: &Transition, _: &Terms) -> Vec<Finding> {
    let world = case.world;
    let own = world.bundles.of(&case.rollout.id).map(|(id, _)| id);
    // The packages of that name are looked at, not all bundles.
    let others = |part: &Part, name: &str| {
        let named: Vec<_> = world.packages.named(&part.dist, name).map(|(nevra, _)| nevra).collect();
        let rollouts = named.into_iter().flat_map(|nevra| world.rollouts.naming(&part.dist, nevra));
        let in_bundles = rollouts.filter_map(|rollout| Some((rollout, world.bundles.of(&rollout.id)?.0)));
        in_bundles.filter(|(rollout, id)| rollout.id != case.rollout.id && Some(*id) != own).collect::<Vec<_>>()
    };
    let mut findings = Vec::new();
    for part in &case.rollout.parts {
        for nevra in &part.packages {
            findings.extend(others(part, nevra.name()).into_iter().map(|(rollout, id)| {
                let sentence = format!("The bundle {id} has {}, too: in {}.", nevra.name(), rollout.id);
                Finding::new(Verdict::NeedsAdmin, "repository_conflict", sentence)
            }));
        }
    }
    findings.dedup();
    if findings.is_empty() {
        return vec![Finding::new(Verdict::Pass, "repository_conflict", "No other bundle has these packages.")];
    }
    findings
}
