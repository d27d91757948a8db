//! Do the packages lie where they are moved from, or where the procedure wants them?

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{DistPath, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::rollout::{Part, Rollout};
use crate::domain::terms::{GateForm, IN, Terms};
use crate::domain::workflow::Transition;
use crate::process::known::Known;
use crate::process::rules::DistRules;
use crate::process::world::{Tree, World};

/// Missing packages that are compared with what is there.
const COMPARED_MAX: usize = 3;

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
    elsewhere.enumerate().map(move |(number, nevra)| {
        if world.packages.get(dist, nevra).is_none() {
            let near = here.filter(|_| number < COMPARED_MAX).and_then(|here| here.nearest(nevra));
            return never_came(nevra, &case.place(part, from), near);
        }
        let trees: Vec<&str> = world.listed_in(dist, nevra).map(TreeName::as_str).collect();
        if !trees.is_empty() {
            let sentence = format!("{nevra} is in {}, not in {}.", trees.join(" and "), case.place(part, from));
            return Finding::new(Verdict::Reject, "package_elsewhere", sentence);
        }
        // Listed nowhere, it was withdrawn or given up as lost.
        world.withdrawn(dist, nevra).unwrap_or_else(|| may_come_again(world, rules, (dist, nevra), from))
    })
}

fn never_came(nevra: &Nevra, place: &str, near: Option<&Nevra>) -> Finding {
    let near = near.map(|near| format!(" Did you mean {near}?")).unwrap_or_default();
    Finding::new(Verdict::Wait, "package_missing", format!("{nevra} has not been taken into {place} yet.{near}"))
}

/// What is to be said of packages of a rollout that no tree lists, to whoever names them.
pub fn absent(known: Known<'_>, rollout: &Rollout) -> Vec<Finding> {
    let Known { world, rules, .. } = known;
    let of_part = |part: &Part| {
        let dist = part.dist.clone();
        let from = rules.distributions.get(&dist).and_then(|rules| rules.trees.first());
        let here = from.and_then(|from| world.trees.of_dist(&dist, from)).map(Tree::listing);
        let is_absent = |nevra: &&Nevra| world.listed_in(&part.dist, nevra).next().is_none();
        let said = |(number, nevra): (usize, &Nevra)| {
            if world.packages.get(&dist, nevra).is_some() {
                let (rules, from) = rules.distributions.get(&dist).zip(from)?;
                let may_come = || may_come_again(world, rules, (&dist, nevra), from);
                return Some(world.withdrawn(&dist, nevra).unwrap_or_else(may_come));
            }
            let near = here.filter(|_| number < COMPARED_MAX).and_then(|here| here.nearest(nevra));
            Some(never_came(nevra, from.map_or("a tree", TreeName::as_str), near))
        };
        part.packages.iter().filter(is_absent).enumerate().filter_map(said).collect::<Vec<_>>()
    };
    rollout.parts.iter().flat_map(of_part).collect()
}

/// Only the upload tree gets it back.
fn may_come_again(world: &World, rules: &DistRules, (dist, nevra): (&DistPath, &Nevra), from: &TreeName) -> Finding {
    let (verdict, then) = if rules.trees.first() == Some(from) {
        (Verdict::Wait, "upload the accepted file again")
    } else {
        (Verdict::Reject, "reject this rollout, upload the accepted file again and submit another")
    };
    let (code, was) = if world.packages.lost.contains(&(dist.clone(), nevra.clone())) {
        ("package_lost", "was given up as lost")
    } else {
        ("package_allowed", "was withdrawn and may come in again")
    };
    Finding::new(verdict, code, format!("{nevra} {was}; {then}."))
}
