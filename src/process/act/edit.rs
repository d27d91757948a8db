//! A rollout gets other packages or another title, or is cancelled.
//!
//! Both are possible only while nothing has moved for it: afterwards its packages lie where clients see them, and the way
//! back is a withdrawal.

use std::collections::BTreeSet;

use super::submit::{misnamed, taken, tidied};
use super::{all_recorded, goes_on, missing_reason, open_rollout, recorded};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{DistPath, Role, RolloutId};
use crate::domain::nevra::Nevra;
use crate::domain::rollout::{Changes, PACKAGES_MAX, Part, Rollout};
use crate::process::decision::{Answer, Decision};
use crate::process::fact::change::{Cancelled, Edited, Unscheduled};
use crate::process::known::Known;
use crate::process::who::Caller;

/// Edits a rollout.
pub(in crate::process) fn edit(
    known: Known<'_>,
    caller: &Caller,
    id: &RolloutId,
    changes: &Changes,
    reason: &str,
) -> Decision {
    let rollout = match open_rollout(known, id) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    let added = tidied(&changes.add);
    if let Some(dist) = added.iter().map(|part| &part.dist).find(|d| !known.rules.distributions.contains_key(*d)) {
        return Decision::answered(Answer::NotFound(known.rules.no_distribution(dist)));
    }
    let title = changes.title.as_deref().filter(|title| !title.is_empty()).unwrap_or(&rollout.title);
    let mut findings = may_not(known, caller, rollout, "edit");
    let parts = match edited(rollout, &added, &changes.remove) {
        Ok(parts) => parts,
        Err(mut wrong) => {
            findings.append(&mut wrong);
            rollout.parts.clone()
        }
    };
    let is_new = |part: &Part| {
        let known: BTreeSet<&Nevra> = packages_of(rollout, &part.dist).collect();
        let packages = part.packages.iter().filter(|nevra| !known.contains(nevra)).cloned().collect();
        Part { dist: part.dist.clone(), packages }
    };
    // What it becomes has to be theirs, too.
    if findings.is_empty() && !may_submit(known, caller, rollout, parts.iter().map(|part| &part.dist), title) {
        let sentence = "You may not submit rollouts with this title in all of these distributions.";
        findings.push(Finding::new(Verdict::NeedsAdmin, "role", sentence));
    }
    findings.extend(added.iter().map(is_new).flat_map(|part| taken(known.world, known.rules, &part)));
    let changes_packages = parts != rollout.parts;
    if changes_packages {
        findings.extend(has_moved(known, rollout, "edited"));
        findings.extend(has_ended(known, rollout));
        findings.extend(known.rules.of(&parts).err());
        if parts.iter().map(|part| part.packages.len()).sum::<usize>() > PACKAGES_MAX {
            let sentence = format!("A rollout names at most {PACKAGES_MAX} packages.");
            findings.push(Finding::new(Verdict::Reject, "too_many_packages", sentence));
        }
    }
    let title = Some(title).filter(|title| *title != rollout.title);
    if let (Some(title), Ok(rules)) = (title, known.rules.of(&rollout.parts)) {
        findings.extend(misnamed(&rules.workflow, title));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    if title.is_none() && !changes_packages {
        return Decision::answered(Answer::Conflict(format!("{id} is like that already; nothing was changed")));
    }
    let dists = changes_packages.then(|| parts.iter().map(|part| &part.dist).collect::<BTreeSet<_>>());
    let leaves = rollout.would_leave(title, dists.as_ref());
    // Who has set a date may have no role for what it becomes.
    let date = rollout.wanted.as_ref().filter(|wanted| leaves && wanted.hook.is_none() && wanted.at.is_some());
    let unscheduled = date.map(|_| Unscheduled { rollout: id.clone() }.into());
    let parts = if changes_packages { parts.into_iter().map(Into::into).collect() } else { vec![] };
    let edited = Edited { rollout: id.clone(), title: title.map(str::to_owned), parts };
    all_recorded(known, caller, reason, unscheduled.into_iter().chain([edited.into()]).collect())
}

/// Cancels a rollout.
pub(in crate::process) fn cancel(known: Known<'_>, caller: &Caller, id: &RolloutId, reason: &str) -> Decision {
    let rollout = match open_rollout(known, id) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    let mut findings = may_not(known, caller, rollout, "cancel");
    findings.extend(has_moved(known, rollout, "cancelled"));
    findings.extend(missing_reason(reason, "Cancelling a rollout needs a reason."));
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    recorded(known, caller, reason, Cancelled { rollout: id.clone() })
}

fn packages_of<'r>(rollout: &'r Rollout, dist: &DistPath) -> impl Iterator<Item = &'r Nevra> {
    let parts = rollout.parts.iter().filter(move |part| part.dist == *dist);
    parts.flat_map(|part| &part.packages)
}

/// All packages of a rollout after some were added and others taken out; each distribution keeps at least one.
fn edited(rollout: &Rollout, added: &[Part], removed: &[Part]) -> Result<Vec<Part>, Vec<Finding>> {
    let mut parts = tidied(&[rollout.parts.as_slice(), added].concat());
    let mut findings = Vec::new();
    for Part { dist, packages } in removed {
        for nevra in packages {
            let of = parts.iter_mut().find(|part| part.dist == *dist);
            let found = of.and_then(|part| Some((part.packages.binary_search(nevra).ok()?, part)));
            if let Some((at, part)) = found {
                part.packages.remove(at);
            } else {
                let sentence = format!("{} does not have {nevra} of {dist}.", rollout.id);
                findings.push(Finding::new(Verdict::Reject, "not_in_rollout", sentence));
            }
        }
    }
    parts.retain(|part| !part.packages.is_empty());
    if parts.is_empty() {
        let sentence = format!("Nothing would be left of {}; cancel it instead.", rollout.id);
        findings.push(Finding::new(Verdict::Reject, "no_packages", sentence));
    }
    if findings.is_empty() { Ok(parts) } else { Err(findings) }
}

/// Whoever may submit a rollout may change it.
pub(super) fn may_not(known: Known<'_>, caller: &Caller, rollout: &Rollout, what: &str) -> Vec<Finding> {
    let rules = match known.rules.of(&rollout.parts) {
        Ok(rules) => rules,
        Err(finding) => return vec![finding],
    };
    if may_submit(known, caller, rollout, rollout.dists(), &rollout.title) {
        return vec![];
    }
    let roles: Vec<&str> = rules.workflow.submitters().iter().map(Role::as_str).collect();
    let sentence = format!("Only {} may {what} rollouts.", roles.join(" or "));
    vec![Finding::new(Verdict::NeedsAdmin, "role", sentence)]
}

/// Whether somebody may submit what a rollout is, or becomes.
fn may_submit<'d>(
    known: Known<'_>,
    caller: &Caller,
    rollout: &Rollout,
    dists: impl IntoIterator<Item = &'d DistPath>,
    title: &str,
) -> bool {
    let rules = known.rules.of(&rollout.parts);
    rules.is_ok_and(|rules| caller.may_at(rules.workflow.submitters().iter().chain([&Role::ADMIN]), dists, title))
}

/// Why nothing can come of it: the rollout does nothing any more, and another one may have its packages by now.
pub(super) fn has_ended(known: Known<'_>, rollout: &Rollout) -> Option<Finding> {
    let workflow = &known.rules.of(&rollout.parts).ok()?.workflow;
    let sentence = || format!("{} is in {}, a final state; submit another rollout.", rollout.id, rollout.state);
    (!goes_on(workflow, rollout)).then(|| Finding::new(Verdict::Reject, "has_ended", sentence()))
}

/// Why it is too late.
pub(super) fn has_moved(known: Known<'_>, rollout: &Rollout, what: &str) -> Option<Finding> {
    let id = &rollout.id;
    if rollout.plan.is_some() {
        let sentence = format!("Packages are being moved for {id}, so it cannot be {what} now.");
        return Some(Finding::new(Verdict::Wait, "busy", sentence));
    }
    let (nevra, tree) = known.brought(rollout)?;
    let sentence = format!("{id} has brought {nevra} to {tree} already, so it cannot be {what}; it can be withdrawn.");
    Some(Finding::new(Verdict::Reject, "has_moved", sentence))
}
