//! A new rollout.

use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{DistPath, RolloutId};
use crate::domain::nevra::Nevra;
use crate::domain::rollout::{PACKAGES_MAX, Rollout};
use crate::process::decision::{Answer, Decision, Entry};
use crate::process::fact::rollout::Submitted;
use crate::process::rules::Rules;
use crate::process::who::Caller;
use crate::process::world::World;

/// Makes a rollout, unless something speaks against it.
pub(in crate::process) fn submit(
    world: &World,
    rules: &Rules,
    caller: &Caller,
    id: &RolloutId,
    dist: &DistPath,
    title: &str,
    packages: &[Nevra],
) -> Decision {
    let Some(dist_rules) = rules.distributions.get(dist) else {
        let known: Vec<&str> = rules.distributions.keys().map(DistPath::as_str).collect();
        return Decision::answered(Answer::NotFound(format!(
            "there is no distribution {dist}; there are {}",
            known.join(", ")
        )));
    };
    if let Some(known) = world.rollouts.get(id) {
        return Decision::answered(Answer::Conflict(format!(
            "the rollout {id} exists already, in state {}",
            known.state
        )));
    }
    let mut packages = packages.to_vec();
    packages.sort();
    packages.dedup();
    let mut findings = Vec::new();
    if !caller.may(dist_rules.workflow.submitters(), Some(dist)) {
        let roles: Vec<&str> = dist_rules.workflow.submitters().iter().map(|role| role.as_str()).collect();
        findings.push(Finding::new(
            Verdict::NeedsAdmin,
            "role",
            format!("{} may not submit rollouts; that takes {}.", caller.who, roles.join(" or ")),
        ));
    }
    if packages.is_empty() {
        findings.push(Finding::new(Verdict::Reject, "no_packages", "A rollout names at least one package."));
    }
    if packages.len() > PACKAGES_MAX {
        findings.push(Finding::new(
            Verdict::Reject,
            "too_many_packages",
            format!("A rollout names at most {PACKAGES_MAX} packages."),
        ));
    }
    for nevra in &packages {
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
            let sentence = format!("{nevra} lies in {tree} already, where the rollout {by} has brought it.");
            findings.push(Finding::new(Verdict::Reject, "already_rolled_out", sentence));
        }
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    let title =
        if title.is_empty() { packages.first().map(ToString::to_string).unwrap_or_default() } else { title.to_owned() };
    let fact = Submitted {
        rollout: id.clone(),
        dist: dist.clone(),
        title,
        packages,
        state: dist_rules.workflow.initial().to_string(),
    };
    Decision {
        entries: vec![Entry { who: caller.who.clone(), why: String::new(), fact: fact.into() }],
        answer: Some(Answer::Submitted(id.clone())),
    }
}

/// A rollout that still has a way to go and names this package.
fn open_rollout_of<'w>(world: &'w World, rules: &Rules, dist: &DistPath, nevra: &Nevra) -> Option<&'w Rollout> {
    let workflow = &rules.distributions.get(dist)?.workflow;
    let is_open = |r: &&Rollout| r.plan.is_some() || workflow.leaving(&r.state).next().is_some();
    world.rollouts.naming(dist, nevra).find(is_open)
}
