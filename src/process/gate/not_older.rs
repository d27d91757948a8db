//! Does the target list something newer?
//!
//! Packages that are on their way into the tree count as lying there.

use std::collections::BTreeSet;

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::TreeName;
use crate::domain::nevra::Nevra;
use crate::domain::plan::Plan;
use crate::domain::rollout::Part;
use crate::domain::terms::{GateForm, Terms};
use crate::domain::workflow::{Effect, Transition};
use crate::process::world::Tree;

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: "not_older", terms: &[], of_moves: false }),
    asked: Asked::Named,
    may_be_overridden: true,
    judge,
};

fn judge(case: &Case<'_>, transition: &Transition, _: &Terms) -> Vec<Finding> {
    let Effect::Move { to, .. } = &transition.effect else { return vec![] };
    let older: Vec<Finding> = case.rollout.parts.iter().flat_map(|part| older(case, part, to)).collect();
    if older.is_empty() {
        return vec![Finding::new(Verdict::Pass, "not_older", format!("{to} lists nothing newer."))];
    }
    older
}

/// The packages of one distribution that are older than what the target lists there.
fn older(case: &Case<'_>, part: &Part, to: &TreeName) -> Vec<Finding> {
    let world = case.world;
    let goes_on = |plan: &&Plan| world.objection(case.known.rules, plan).is_none();
    let plans = world.rollouts.plans_in(&part.dist).map(|(_, plan)| &**plan).filter(goes_on);
    let coming: BTreeSet<&Nevra> = plans
        .filter_map(|plan| plan.of(&part.dist).filter(|one| one.target.as_ref() == Some(to)))
        .flat_map(|one| one.items.iter().filter(|item| one.brings(item)).map(|item| &item.nevra))
        .collect();
    let there = world.trees.of_dist(&part.dist, to).map(Tree::listing);
    let counts = |nevra: &Nevra, other: &Nevra| {
        (there.is_some_and(|there| there.contains(other)) || coming.contains(other))
            && other.arch() == nevra.arch()
            && part.packages.binary_search(other).is_err()
    };
    let newer = |nevra: &Nevra| {
        let others = world.packages.named(&part.dist, nevra.name());
        let newest = others.map(|(other, _)| other).filter(|other| counts(nevra, other));
        let newest = newest.max_by(|a, b| a.cmp_evr(b))?;
        newest.cmp_evr(nevra).is_gt().then(|| {
            let sentence = format!("{} already lists {newest}, which is newer than {nevra}.", case.place(part, to));
            Finding::new(Verdict::Reject, "older_than_target", sentence)
        })
    };
    part.packages.iter().filter_map(newer).collect()
}
