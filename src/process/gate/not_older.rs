//! Does the target, or a tree further on, list something newer?
//!
//! Trees further on count because the packages could never get there: early adopters would test for nothing. Packages
//! that are on their way into a tree count as lying there.

use std::collections::BTreeSet;

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::listing::Listing;
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
        let sentence = format!("{to} lists nothing newer, and neither does a tree after it.");
        return vec![Finding::new(Verdict::Pass, "not_older", sentence)];
    }
    older
}

/// The packages of one distribution that are older than what the target, or a tree after it, lists there.
fn older(case: &Case<'_>, part: &Part, to: &TreeName) -> Vec<Finding> {
    let world = case.world;
    let goes_on = |plan: &&Plan| world.objection(case.known.rules, plan).is_none();
    let plans = world.rollouts.plans_in(&part.dist).map(|(_, plan)| &**plan).filter(goes_on);
    let coming: BTreeSet<(&TreeName, &Nevra)> = plans
        .filter_map(|plan| plan.of(&part.dist).and_then(|one| Some((one, one.target.as_ref()?))))
        .flat_map(|(one, into)| one.items.iter().filter(|item| one.brings(item)).map(move |item| (into, &item.nevra)))
        .collect();
    let in_order = case.known.rules.distributions.get(&part.dist).map_or(&[][..], |rules| &rules.trees);
    let further = in_order.iter().skip_while(|tree| *tree != to).skip(1);
    let trees: Vec<(&TreeName, Option<&Listing>)> = std::iter::once(to)
        .chain(further)
        .map(|tree| (tree, world.trees.of_dist(&part.dist, tree).map(Tree::listing)))
        .collect();
    // The first tree that lists it.
    let place = |other: &Nevra| {
        let lists = |(tree, there): &&(&TreeName, Option<&Listing>)| {
            there.is_some_and(|there| there.contains(other)) || coming.contains(&(*tree, other))
        };
        trees.iter().find(lists).map(|(tree, _)| *tree)
    };
    let newer = |nevra: &Nevra| {
        let is_newer = |other: &&Nevra| {
            other.arch() == nevra.arch() && other.cmp_evr(nevra).is_gt() && part.packages.binary_search(other).is_err()
        };
        let others = world.packages.named(&part.dist, nevra.name()).map(|(other, _)| other).filter(is_newer);
        let listed = others.filter_map(|other| Some((other, place(other)?)));
        let (newest, tree) = listed.max_by(|(a, _), (b, _)| a.cmp_evr(b))?;
        let sentence = format!("{} already lists {newest}, which is newer than {nevra}.", case.place(part, tree));
        Some(Finding::new(Verdict::Reject, "older_than_target", sentence))
    };
    part.packages.iter().filter_map(newer).collect()
}
