//! Do the packages lie where they are moved from, or where the procedure wants them?

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::TreeName;
use crate::domain::nevra::Nevra;
use crate::domain::rollout::Part;
use crate::domain::terms::{GateForm, IN, Terms};
use crate::domain::workflow::Transition;
use crate::process::rules::DistRules;
use crate::process::world::Tree;

/// Asked whether the procedure names it or not: nothing can be moved from where it is not.
pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: "packages_present", terms: &[IN], of_moves: false }),
    asked: Asked::Still,
    may_be_overridden: false,
    judge,
};

fn judge(case: &Case<'_>, transition: &Transition, terms: &Terms) -> Vec<Finding> {
    let Some(from) = Case::source(transition, terms) else { return vec![] };
    let missing: Vec<Finding> = case.parts().flat_map(|(part, rules)| missing(case, part, rules, from)).collect();
    if missing.is_empty() {
        let sentence = match case.rollout.packages().count() {
            1 => format!("The package is in {from}."),
            number => format!("All {number} packages are in {from}."),
        };
        return vec![Finding::new(Verdict::Pass, "packages_present", sentence)];
    }
    missing
}

/// The packages of one distribution that are not there.
fn missing<'c>(
    case: &'c Case<'_>,
    part: &'c Part,
    rules: &'c DistRules,
    from: &'c TreeName,
) -> impl Iterator<Item = Finding> + use<'c> {
    let (world, dist) = (case.world, &part.dist);
    let here = world.trees.of_dist(dist, from).map(Tree::listing);
    let elsewhere = part.packages.iter().filter(move |nevra| here.is_none_or(|here| !here.contains(nevra)));
    elsewhere.map(move |nevra| {
        if world.packages.get(dist, nevra).is_none() {
            let sentence = format!("{nevra} has not been taken into {} yet.", case.place(part, from));
            return Finding::new(Verdict::Wait, "package_missing", sentence);
        }
        let trees: Vec<&str> = world.listed_in(dist, nevra).map(TreeName::as_str).collect();
        if !trees.is_empty() {
            let sentence = format!("{nevra} is in {}, not in {}.", trees.join(" and "), case.place(part, from));
            return Finding::new(Verdict::Reject, "package_elsewhere", sentence);
        }
        // Listed nowhere, it was withdrawn or given up as lost.
        world.withdrawn(dist, nevra).unwrap_or_else(|| lost(rules, nevra, from))
    })
}

/// Only the upload tree gets it back.
fn lost(rules: &DistRules, nevra: &Nevra, from: &TreeName) -> Finding {
    let (verdict, then) = if rules.trees.first() == Some(from) {
        (Verdict::Wait, "upload the accepted file again")
    } else {
        (Verdict::Reject, "reject this rollout, upload the accepted file again and submit another")
    };
    Finding::new(verdict, "package_lost", format!("{nevra} was given up as lost; {then}."))
}
