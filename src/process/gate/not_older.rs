//! Does the target list something newer?
//!
//! Packages that are on their way into the tree count as lying there.

use std::collections::BTreeSet;

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::nevra::Nevra;
use crate::domain::plan::Plan;
use crate::domain::terms::{GateForm, Terms};
use crate::domain::workflow::{Effect, Transition};
use crate::process::world::Tree;

pub(super) const GATE: Gate =
    Gate { form: Some(GateForm { name: "not_older", terms: &[], of_moves: false }), asked: Asked::Named, judge };

fn judge(case: &Case<'_>, transition: &Transition, _: &Terms) -> Vec<Finding> {
    let Effect::Move { to, .. } = &transition.effect else { return vec![] };
    let (rollout, world) = (case.rollout, case.world);
    let goes_on = |plan: &&Plan| case.dist.is_some_and(|dist| world.objection(dist, plan).is_none());
    let plans = world.rollouts.plans().map(|(_, plan)| &**plan);
    let coming: BTreeSet<&Nevra> = plans
        .filter(|plan| plan.dist == rollout.dist && plan.target.as_ref() == Some(to))
        .filter(goes_on)
        .flat_map(|plan| plan.items.iter().map(|item| &item.nevra))
        .collect();
    let there = world.trees.of_dist(&rollout.dist, to).map(Tree::listing);
    let counts = |nevra: &Nevra, other: &Nevra| {
        (there.is_some_and(|there| there.contains(other)) || coming.contains(other))
            && other.arch() == nevra.arch()
            && rollout.packages.binary_search(other).is_err()
    };
    let newer = |nevra: &Nevra| {
        let others = world.packages.named(&rollout.dist, nevra.name());
        let newest = others.map(|(other, _)| other).filter(|other| counts(nevra, other));
        let newest = newest.max_by(|a, b| a.cmp_evr(b))?;
        newest.cmp_evr(nevra).is_gt().then(|| {
            let sentence = format!("{to} already lists {newest}, which is newer than {nevra}.");
            Finding::new(Verdict::Reject, "older_than_target", sentence)
        })
    };
    let older: Vec<Finding> = rollout.packages.iter().filter_map(newer).collect();
    if older.is_empty() {
        return vec![Finding::new(Verdict::Pass, "not_older", format!("Nothing newer lies in {to}."))];
    }
    older
}
