//! Bundles: rollouts that are released together (S1-14 to S1-21).

use std::collections::BTreeSet;

use super::dossier;
use super::step::{in_part, no_report};
use super::together::together;
use super::{all_recorded, missing_reason, open_rollout, recorded};
use crate::domain::gate::{Finding, Judgement, Verdict, judge};
use crate::domain::names::{BundleId, Role, RolloutId};
use crate::domain::rollout::Rollout;
use crate::process::decision::{Answer, Decision};
use crate::process::fact::bundle::{BundleAnnounced, BundleClosed, BundleJoined, BundleLeft, BundleOpened};
use crate::process::fact::{Fact, count};
use crate::process::gate::{Case, shrink};
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;
use crate::process::world::bundles::Bundle;

/// Opens a bundle under an id that was never used before (S1-16).
pub(in crate::process) fn open(known: Known<'_>, caller: &Caller, opened: &BundleOpened) -> Decision {
    if let Some(there) = known.world.bundles.get(&opened.bundle) {
        let what = if there.closed { "was used already" } else { "is open already" };
        return Decision::answered(Answer::Conflict(format!("the bundle {} {what}", opened.bundle)));
    }
    if let Some(finding) = rights::BUNDLES.lacking(caller, []) {
        return Decision::refused(vec![finding]);
    }
    recorded(known, caller, "", opened.clone())
}

/// Adds rollouts to a bundle: those for which nothing has moved yet (S1-17), and that are in no other one.
pub(in crate::process) fn join(
    known: Known<'_>,
    caller: &Caller,
    id: &BundleId,
    rollouts: &[RolloutId],
    reason: &str,
) -> Decision {
    let bundle = match open_bundle(known, id) {
        Ok(bundle) => bundle,
        Err(decision) => return decision,
    };
    let rollouts: BTreeSet<&RolloutId> = rollouts.iter().collect();
    let mut findings: Vec<Finding> = rights::BUNDLES.lacking(caller, []).into_iter().collect();
    findings.extend(rollouts.iter().filter_map(|rollout| cannot_join(known, id, bundle, rollout)));
    if rollouts.is_empty() {
        findings.push(Finding::new(Verdict::Reject, "no_rollouts", "Name at least one rollout."));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    let joined = |rollout: &&RolloutId| BundleJoined { bundle: id.clone(), rollout: RolloutId::clone(rollout) };
    let facts: Vec<Fact> = rollouts.iter().map(|rollout| joined(rollout).into()).collect();
    all_recorded(known, caller, reason, facts)
}

/// Takes a rollout out of a bundle.
pub(in crate::process) fn leave(
    known: Known<'_>,
    caller: &Caller,
    id: &BundleId,
    rollout: &RolloutId,
    reason: &str,
) -> Decision {
    let bundle = match open_bundle(known, id) {
        Ok(bundle) => bundle,
        Err(decision) => return decision,
    };
    if !bundle.members.contains(rollout) {
        return Decision::answered(Answer::NotFound(format!("{rollout} is not in the bundle {id}")));
    }
    let mut findings: Vec<Finding> = rights::BUNDLES.lacking(caller, []).into_iter().collect();
    findings.extend(stranded(known, rollout));
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    recorded(known, caller, reason, BundleLeft { bundle: id.clone(), rollout: rollout.clone() })
}

/// Says what the release notes of a bundle list: its members, if nothing else is named (S1-19, S1-21).
pub(in crate::process) fn announce(
    known: Known<'_>,
    caller: &Caller,
    id: &BundleId,
    rollouts: &[RolloutId],
    reason: &str,
) -> Decision {
    let bundle = match open_bundle(known, id) {
        Ok(bundle) => bundle,
        Err(decision) => return decision,
    };
    let rollouts: BTreeSet<RolloutId> = match rollouts {
        [] => bundle.members.iter().cloned().collect(),
        named => named.iter().cloned().collect(),
    };
    let mut findings: Vec<Finding> = rights::BUNDLES.lacking(caller, []).into_iter().collect();
    let strange = rollouts.iter().filter(|rollout| known.world.rollouts.get(rollout).is_none());
    findings.extend(
        strange.map(|rollout| Finding::new(Verdict::Reject, "no_rollout", format!("There is no rollout {rollout}."))),
    );
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    if bundle.announced.as_ref().is_some_and(|there| there.iter().eq(rollouts.iter())) {
        return Decision::answered(Answer::Conflict(format!("the release notes of {id} list exactly these already")));
    }
    recorded(known, caller, reason, BundleAnnounced { bundle: id.clone(), rollouts })
}

/// Why a rollout has to stay in its bundle: what early adopters have of it could join none any more.
fn stranded(known: Known<'_>, id: &RolloutId) -> Option<Finding> {
    let rollout = known.world.rollouts.get(id)?;
    if rollout.plan.is_some() {
        let sentence = format!("Packages are being moved for {id}, so it stays in its bundle for now.");
        return Some(Finding::new(Verdict::Wait, "busy", sentence));
    }
    let (nevra, tree) = known.with_early_adopters(rollout)?;
    let sentence = format!(
        "{id} has {nevra} in {tree}, so it stays in its bundle, which stays open: release it, take it back or reject it first."
    );
    Some(Finding::new(Verdict::Reject, "has_moved", sentence))
}

/// Closes a bundle.
pub(in crate::process) fn close(known: Known<'_>, caller: &Caller, id: &BundleId, reason: &str) -> Decision {
    let bundle = match open_bundle(known, id) {
        Ok(bundle) => bundle,
        Err(decision) => return decision,
    };
    let mut findings: Vec<Finding> = rights::BUNDLES.lacking(caller, []).into_iter().collect();
    findings.extend(bundle.members.iter().filter_map(|rollout| stranded(known, rollout)));
    findings.extend(missing_reason(reason, "Closing a bundle needs a reason."));
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    recorded(known, caller, reason, BundleClosed { bundle: id.clone() })
}

/// Approves that the rollouts of a bundle, or some of them, go to a state (S1-38): all or none, but for those that whoever
/// asks has approved already.
pub(in crate::process) fn approve(
    known: Known<'_>,
    caller: &Caller,
    id: &BundleId,
    (state, only): (&str, &[RolloutId]),
    role: Option<&Role>,
    reason: &str,
) -> Decision {
    let bundle = match open_bundle(known, id) {
        Ok(bundle) => bundle,
        Err(decision) => return decision,
    };
    let named = match named(id, bundle, only) {
        Ok(named) => named,
        Err(decision) => return decision,
    };
    let (mut entries, mut findings, mut before) = (Vec::new(), Vec::new(), 0);
    let ready: BTreeSet<&RolloutId> = match only {
        [] => on_their_way(known, id, bundle, state),
        _ => named,
    };
    for rollout in ready {
        if dossier::has_approved_already(known, caller, rollout, state) {
            before += 1;
            continue;
        }
        let one = dossier::approve(known, caller, rollout, state, role, reason);
        match one.answer {
            Some(Answer::Recorded { .. }) => entries.extend(one.entries),
            Some(Answer::Refused(judged)) => {
                findings.extend(judged.findings.into_iter().map(|finding| finding.about(rollout)));
            }
            other => return Decision { entries: vec![], answer: other },
        }
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    if entries.is_empty() {
        let what = if before == 0 { "has no rollouts" } else { "has your approval already" };
        return Decision::answered(Answer::Conflict(format!("the bundle {id} {what}")));
    }
    let already = if before == 0 { String::new() } else { format!("; {before} had your approval already") };
    let says =
        format!("approved the step to {state} of {} of the bundle {id}{already}", count(entries.len(), "rollout"));
    Decision { entries, answer: Some(Answer::Recorded { entry: known.world.last + 1, says, warnings: vec![] }) }
}

/// What is to be approved of a bundle where nobody names it: its rollouts, and those that its release notes list of others, from
/// which a step leads to that state; all its own ones if there are none yet (S1-38, S1-53).
fn on_their_way<'b>(known: Known<'b>, id: &'b BundleId, bundle: &'b Bundle, state: &str) -> BTreeSet<&'b RolloutId> {
    let leads = |rollout: &Rollout| {
        let rules = known.rules.of(&rollout.parts).ok();
        rules.is_some_and(|rules| {
            let to = rules.workflow.state(state);
            to.is_ok_and(|to| rules.workflow.step(&rollout.state, to).is_ok())
        })
    };
    let with_it = known.world.bundles.released_with(id);
    let there: BTreeSet<&RolloutId> =
        with_it.filter(|rollout| known.world.rollouts.get(rollout).is_some_and(leads)).collect();
    if there.is_empty() { bundle.members.iter().collect() } else { there }
}

/// The rollouts that somebody names of a bundle, all if none: its own, and others that its release notes list (S1-30).
fn named<'b>(id: &BundleId, bundle: &'b Bundle, only: &'b [RolloutId]) -> Result<BTreeSet<&'b RolloutId>, Decision> {
    if let Some(other) = only.iter().find(|rollout| !bundle.members.contains(*rollout) && !bundle.lists(rollout)) {
        let sentence = format!("{other} is not in the bundle {id}, nor do its release notes list it");
        return Err(Decision::answered(Answer::NotFound(sentence)));
    }
    Ok(if only.is_empty() { bundle.members.iter().collect() } else { only.iter().collect() })
}

/// Takes one step with all rollouts of a bundle, or with some of them (a partial release, S1-53): all or none. Those that
/// are in that state already stay there. Their packages move together. Whatever the release notes of the bundle list may be
/// named, too, although it is in another one (S1-30).
pub(in crate::process) fn step(
    known: Known<'_>,
    caller: &Caller,
    id: &BundleId,
    (state, only): (&str, &[RolloutId]),
    reason: &str,
) -> Decision {
    let bundle = match open_bundle(known, id) {
        Ok(bundle) => bundle,
        Err(decision) => return decision,
    };
    let wanted = match named(id, bundle, only) {
        Ok(named) => named.into_iter(),
        Err(decision) => return decision,
    };
    let cases = wanted.filter_map(|rollout| Some(Case::new(known, known.world.rollouts.get(rollout)?, caller, state)));
    let cases: Vec<Case<'_>> = cases.filter(|case| !case.is_there()).collect();
    if cases.is_empty() {
        let what = if bundle.members.is_empty() { "has no rollouts" } else { "is there already" };
        return Decision::answered(Answer::Conflict(format!("the bundle {id} {what}")));
    }
    let judged: Vec<(&Case<'_>, Judgement)> = cases.iter().map(|case| (case, case.judge())).collect();
    let (mut entries, mut findings, mut packages) = (Vec::new(), Vec::new(), 0);
    for (case, judged) in judged {
        match &case.step {
            Ok(transition) if judged.verdict == Verdict::Pass => {
                findings.extend(no_report(transition, reason).map(|finding| finding.about(&case.rollout.id)));
                let (entry, moved) = case.moved(transition, reason);
                packages += moved;
                entries.push(entry);
            }
            Err(_) if known.is_rejected(case.rollout) => {
                let (rollout, state) = (&case.rollout.id, &case.rollout.state);
                let sentence = format!(
                    "{rollout} is {state} and goes nowhere: take it out with `rolloutctl bundle remove {id} {rollout}`, \
                     or name the others with `--only`."
                );
                findings.push(Finding::new(Verdict::Reject, "no_transition", sentence));
            }
            _ => findings.extend(judged.findings.into_iter().map(|finding| finding.about(&case.rollout.id))),
        }
    }
    if findings.is_empty() {
        findings.extend(shrink::together(&cases));
    }
    if !findings.is_empty() {
        return Decision::answered(Answer::Refused(judge(findings)));
    }
    // Rollouts of different procedures take different steps to that state; one warning is enough.
    let moving: Vec<&RolloutId> = cases.iter().map(|case| &case.rollout.id).collect();
    let steps = cases.iter().filter_map(|case| case.step.as_ref().ok());
    let in_part = steps.filter_map(|step| in_part(known, &moving, step)).take(1);
    let of_each = cases
        .iter()
        .flat_map(|case| case.warnings().into_iter().map(|warning| format!("{}: {warning}", case.rollout.id)));
    let mut warnings: Vec<String> = in_part.chain(of_each).collect();
    let says = format!(
        "moved {} of the bundle {id} to {state}; {}",
        count(entries.len(), "rollout"),
        count(packages, "package")
    );
    match together(id, &entries) {
        Ok(as_one) => entries.extend(as_one),
        Err(apart) => warnings.insert(0, apart.to_owned()),
    }
    Decision { entries, answer: Some(Answer::Recorded { entry: known.world.last + 1, says, warnings }) }
}

/// A bundle that is not closed.
pub(super) fn open_bundle<'w>(known: Known<'w>, id: &BundleId) -> Result<&'w Bundle, Decision> {
    match known.world.bundles.get(id) {
        None => Err(Decision::answered(Answer::NotFound(format!("there is no bundle {id}")))),
        Some(bundle) if bundle.closed => {
            Err(Decision::answered(Answer::Conflict(format!("the bundle {id} is closed"))))
        }
        Some(bundle) => Ok(bundle),
    }
}

fn cannot_join(known: Known<'_>, id: &BundleId, bundle: &Bundle, rollout: &RolloutId) -> Option<Finding> {
    let reject = |code, sentence| Some(Finding::new(Verdict::Reject, code, sentence));
    let Ok(found) = open_rollout(known, rollout) else {
        return reject("no_rollout", format!("There is no open rollout {rollout}."));
    };
    if bundle.members.contains(rollout) {
        return reject("in_bundle", format!("{rollout} is in {id} already."));
    }
    if let Some((other, _)) = known.world.bundles.of(rollout) {
        return reject("in_bundle", format!("{rollout} is in the bundle {other}."));
    }
    super::edit::has_moved(known, found, "added to a bundle")
}
