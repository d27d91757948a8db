//! Rollouts that carry changes out, and what an emergency allows them (S3-12).

use std::collections::BTreeSet;

use super::request::open_request;
use super::{all_recorded, dossier, open_rollout, recorded, rollout, submit};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{ChangeId, RolloutId};
use crate::domain::request::{ChangeKind, Status};
use crate::domain::rollout::Part;
use crate::process::decision::{Answer, Decision, Entry};
use crate::process::fact::Fact;
use crate::process::fact::request::{ChangeTied, ChangeUntied};
use crate::process::gate;
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;

/// Rollouts of one change. More are several changes.
const ROLLOUTS_MAX: usize = 1_000;

/// Records that rollouts carry out a change. A rollout carries out no more than one.
pub(in crate::process) fn tie(
    known: Known<'_>,
    caller: &Caller,
    id: &ChangeId,
    rollouts: &[RolloutId],
    reason: &str,
) -> Decision {
    let request = match open_request(known, id) {
        Ok(request) => request,
        Err(decision) => return decision,
    };
    let rollouts: BTreeSet<&RolloutId> = rollouts.iter().collect();
    let mut findings = Vec::new();
    if rollouts.is_empty() {
        findings.push(Finding::new(Verdict::Reject, "no_rollouts", "Name at least one rollout."));
    }
    if request.rollouts.len() + rollouts.len() > ROLLOUTS_MAX {
        let sentence = format!("A change is carried out by at most {ROLLOUTS_MAX} rollouts.");
        findings.push(Finding::new(Verdict::Reject, "too_many_rollouts", sentence));
    }
    for rollout in &rollouts {
        let there = match open_rollout(known, rollout) {
            Ok(there) => there,
            Err(decision) => return decision,
        };
        findings.extend(rights::TIE.lacking_for(caller, there));
        let other = known.world.requests.of(rollout).map(|(other, _)| other).filter(|other| *other != id);
        findings.extend(other.map(|other| {
            Finding::new(Verdict::Reject, "tied", format!("{rollout} carries out the change {other} already."))
        }));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    let tied = |rollout: &&RolloutId| ChangeTied { change: id.clone(), rollout: RolloutId::clone(rollout) };
    let is_new = |rollout: &&&RolloutId| !request.rollouts.contains(**rollout);
    let facts: Vec<Fact> = rollouts.iter().filter(is_new).map(|rollout| tied(rollout).into()).collect();
    if facts.is_empty() {
        return Decision::answered(Answer::Conflict(format!("they carry out the change {id} already")));
    }
    all_recorded(known, caller, reason, facts)
}

/// Says that a rollout does not carry a change out any more.
pub(in crate::process) fn untie(
    known: Known<'_>,
    caller: &Caller,
    id: &ChangeId,
    of: &RolloutId,
    reason: &str,
) -> Decision {
    let there = match rollout(known, of) {
        Ok(there) => there,
        Err(decision) => return decision,
    };
    if known.world.requests.of(of).is_none_or(|(tied, _)| tied != id) {
        return Decision::answered(Answer::NotFound(format!("{of} does not carry out the change {id}")));
    }
    let mut findings: Vec<Finding> = rights::TIE.lacking_for(caller, there).into_iter().collect();
    let is_hastened = known.world.dossiers.of(of).is_some_and(|dossier| dossier.hastened);
    if is_hastened && !there.cancelled && !known.is_rejected(there) {
        let sentence = format!(
            "Gates were overridden for {of} since it carries out the emergency {id}, so it stays tied to it and is \
             reviewed; reject it if that was a mistake."
        );
        findings.push(Finding::new(Verdict::Reject, "hastened", sentence));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    recorded(known, caller, reason, ChangeUntied { change: id.clone(), rollout: of.clone() })
}

/// A new rollout that carries a change out.
pub(in crate::process) fn submit_for(
    known: Known<'_>,
    caller: &Caller,
    id: &ChangeId,
    rollout: &RolloutId,
    (title, parts): (&str, &[Part]),
) -> Decision {
    if let Err(decision) = open_request(known, id) {
        return decision;
    }
    let mut decision = submit::submit(known.world, known.rules, caller, rollout, title, parts);
    if !decision.entries.is_empty() {
        let fact = ChangeTied { change: id.clone(), rollout: rollout.clone() }.into();
        decision.entries.push(Entry { who: caller.who.clone(), why: String::new(), fact });
    }
    decision
}

/// Overrides a gate for a rollout's next step to a state, since it carries out an emergency. The emergency is the
/// reason, so no other one is needed; and it allows no more than to hurry.
pub(in crate::process) fn hasten(
    known: Known<'_>,
    caller: &Caller,
    of: &RolloutId,
    (state, gate): (&str, &str),
    (id, reason): (&ChangeId, &str),
) -> Decision {
    let request = match open_request(known, id) {
        Ok(request) => request,
        Err(decision) => return decision,
    };
    let there = match open_rollout(known, of) {
        Ok(there) => there,
        Err(decision) => return decision,
    };
    let mut findings: Vec<Finding> = rights::HASTEN.lacking_for(caller, there).into_iter().collect();
    let mut no = |code, sentence: String| findings.push(Finding::new(Verdict::Reject, code, sentence));
    if request.kind != ChangeKind::Emergency {
        no("no_emergency", format!("{id} is not an emergency but {}; it overrides nothing.", request.kind));
    }
    if request.status == Status::Stalled {
        no("change_stalled", format!("{id} is stalled; nothing is hurried for it."));
    }
    if !request.rollouts.contains(of) {
        no("not_tied", format!("{of} does not carry out the change {id}."));
    }
    if !gate::HASTENED.contains(&gate) {
        let names = gate::HASTENED.join(", ");
        no("not_overridable", format!("An emergency does not override `{}`, only {names}.", gate.escape_debug()));
    }
    let mut decision = match dossier::overriding(known, of, (state, gate), Some(id)) {
        Ok((_, mut wrong)) if !findings.is_empty() || !wrong.is_empty() => {
            // It was said above why an emergency does not do it.
            wrong.retain(|finding| finding.code != "not_overridable");
            findings.append(&mut wrong);
            return Decision::refused(findings);
        }
        Ok((fact, _)) => recorded(known, caller, reason, fact),
        Err(decision) => return decision,
    };
    for entry in &mut decision.entries {
        if entry.why.is_empty() {
            entry.why = format!("emergency {id}: {}", request.title);
        }
    }
    decision
}
