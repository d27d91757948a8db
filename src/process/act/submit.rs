//! A new rollout.

use std::collections::{BTreeMap, BTreeSet};

use super::goes_on;
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{DistPath, Role, RolloutId};
use crate::domain::naming::title::Title;
use crate::domain::nevra::Nevra;
use crate::domain::rollout::{PACKAGES_MAX, Part, Rollout};
use crate::domain::workflow::Workflow;
use crate::process::decision::{Answer, Decision, Entry};
use crate::process::fact::rollout::Submitted;
use crate::process::rules::Rules;
use crate::process::who::Caller;
use crate::process::world::World;

/// Creates a rollout, unless something speaks against it.
pub(in crate::process) fn submit(
    world: &World,
    rules: &Rules,
    caller: &Caller,
    id: &RolloutId,
    title: &str,
    parts: &[Part],
) -> Decision {
    let parts = tidied(parts);
    let unknown = parts.iter().map(|part| &part.dist).find(|dist| !rules.distributions.contains_key(*dist));
    if let Some(dist) = unknown {
        return Decision::answered(Answer::NotFound(rules.no_distribution(dist)));
    }
    if let Some(known) = world.rollouts.get(id) {
        return Decision::answered(Answer::Conflict(format!(
            "the rollout {id} exists already, in state {}",
            known.state
        )));
    }
    let workflow = match rules.of(&parts) {
        Ok(rules) => &rules.workflow,
        Err(finding) => return Decision::refused(vec![finding]),
    };
    let mut findings = Vec::new();
    if !caller.may_at(workflow.submitters(), parts.iter().map(|part| &part.dist), title) {
        let roles: Vec<&str> = workflow.submitters().iter().map(Role::as_str).collect();
        findings.push(Finding::new(
            Verdict::NeedsAdmin,
            "role",
            format!("Only {} may submit rollouts.", roles.join(" or ")),
        ));
    }
    if parts.iter().any(|part| part.packages.is_empty()) {
        let sentence = "A rollout names at least one package in each of its distributions.";
        findings.push(Finding::new(Verdict::Reject, "no_packages", sentence));
    }
    if parts.iter().map(|part| part.packages.len()).sum::<usize>() > PACKAGES_MAX {
        findings.push(Finding::new(
            Verdict::Reject,
            "too_many_packages",
            format!("A rollout names at most {PACKAGES_MAX} packages."),
        ));
    }
    findings.extend(parts.iter().flat_map(|part| taken(world, rules, part)));
    findings.extend(misnamed(workflow, title));
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    let first = || parts.first().and_then(|part| part.packages.first()).map(ToString::to_string);
    let title = if title.is_empty() { first().unwrap_or_default() } else { title.to_owned() };
    let fact = Submitted { rollout: id.clone(), title, parts, state: workflow.initial().to_string() };
    Decision {
        entries: vec![Entry { who: caller.who.clone(), why: String::new(), fact: fact.into() }],
        answer: Some(Answer::Submitted(id.clone())),
    }
}

/// What is wrong with a title, where the procedure asks that it follows the naming convention (S0-54).
pub(super) fn misnamed(workflow: &Workflow, title: &str) -> Option<Finding> {
    let wrong = workflow.is_titled().then(|| title.parse::<Title>().err()).flatten()?;
    Some(Finding::new(Verdict::Reject, "title", format!("{wrong}.")))
}

/// One part for each distribution, in order, each package once.
pub(super) fn tidied(parts: &[Part]) -> Vec<Part> {
    let mut by_dist: BTreeMap<&DistPath, BTreeSet<&Nevra>> = BTreeMap::new();
    for part in parts {
        by_dist.entry(&part.dist).or_default().extend(&part.packages);
    }
    let part = |(dist, packages): (&DistPath, BTreeSet<&Nevra>)| Part {
        dist: dist.clone(),
        packages: packages.into_iter().cloned().collect(),
    };
    by_dist.into_iter().map(part).collect()
}

/// Why packages cannot become part of a rollout.
pub(super) fn taken(world: &World, rules: &Rules, Part { dist, packages }: &Part) -> Vec<Finding> {
    let mut findings = Vec::new();
    for nevra in packages {
        if let Some(other) = open_rollout_of(world, rules, dist, nevra) {
            findings.push(Finding::new(
                Verdict::Reject,
                "in_other_rollout",
                format!("{nevra} belongs to the rollout {}, which is in {}.", other.id, other.state),
            ));
        }
        findings.extend(world.withdrawn(dist, nevra));
        let mut trees = world.trees.of(dist);
        let end = trees.find_map(|(name, tree)| Some((name, tree.listing().get(nevra)?.brought.as_ref()?)));
        if let Some((tree, by)) = end {
            let sentence = format!("{nevra} is already in {tree}; the rollout {by} brought it there.");
            findings.push(Finding::new(Verdict::Reject, "already_rolled_out", sentence));
        }
    }
    findings
}

/// A rollout that still has a way to go and names this package.
pub(in crate::process) fn open_rollout_of<'w>(
    world: &'w World,
    rules: &Rules,
    dist: &DistPath,
    nevra: &Nevra,
) -> Option<&'w Rollout> {
    let workflow = &rules.distributions.get(dist)?.workflow;
    world.rollouts.naming(dist, nevra).find(|rollout| goes_on(workflow, rollout))
}
