//! What people add to a rollout: approvals, an extension, overrides, notes and links.

use std::time::Duration;

use super::{missing_reason, open_rollout, recorded, rollout};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{Actor, ChangeId, Role, RolloutId};
use crate::domain::rollout::Rollout;
use crate::domain::workflow::{State, Transition};
use crate::process::decision::{Answer, Decision};
use crate::process::fact::change::{Approved, Disapproved, Extended, Linked, Noted, Overridden};
use crate::process::gate::{self, approvals};
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;

/// The longest extension. A rollout that needs more is better withdrawn.
const EXTENSION_MAX: Duration = Duration::from_hours(24 * 180);

/// Approves that a rollout goes to a state, for a role that the caller has. Each person counts once, and only for the
/// packages that the rollout has now.
pub(in crate::process) fn approve(
    known: Known<'_>,
    caller: &Caller,
    id: &RolloutId,
    state: &str,
    role: Option<&Role>,
    reason: &str,
) -> Decision {
    let Toward { rollout, state, steps } = match of_state(known, id, state) {
        Ok(found) => found,
        Err(decision) => return decision,
    };
    let wanted = steps.iter().copied().flat_map(approvals::roles).cloned().collect::<Vec<Role>>();
    if wanted.is_empty() {
        let sentence = format!("No step to {state} requires approvals.");
        return Decision::refused(vec![Finding::new(Verdict::Reject, "not_asked", sentence)]);
    }
    let has = |role: &&Role| caller.may_for([*role], rollout);
    let own = wanted.iter().filter(|wanted| role.is_none_or(|role| role == *wanted)).find(has);
    let Some(own) = own else {
        let roles: Vec<&str> = wanted.iter().map(Role::as_str).collect();
        let sentence = format!("The step to {state} requires approvals by {}.", roles.join(" and "));
        return Decision::refused(vec![Finding::new(Verdict::NeedsAdmin, "role", sentence)]);
    };
    if has_approved(known, caller, id, state) {
        return Decision::answered(Answer::Conflict(format!("you have already approved the step of {id} to {state}")));
    }
    recorded(known, caller, reason, Approved { rollout: id.clone(), state: state.to_string(), role: own.clone() })
}

/// Whether somebody has approved already that a rollout goes to a state.
pub(super) fn has_approved_already(known: Known<'_>, caller: &Caller, id: &RolloutId, state: &str) -> bool {
    of_state(known, id, state).is_ok_and(|toward| has_approved(known, caller, id, toward.state))
}

/// Takes one's own approval back.
pub(in crate::process) fn disapprove(
    known: Known<'_>,
    caller: &Caller,
    id: &RolloutId,
    state: &str,
    reason: &str,
) -> Decision {
    let Toward { state, .. } = match of_state(known, id, state) {
        Ok(found) => found,
        Err(decision) => return decision,
    };
    if !has_approved(known, caller, id, state) {
        return Decision::answered(Answer::Conflict(format!("you have not approved the step of {id} to {state}")));
    }
    recorded(known, caller, reason, Disapproved { rollout: id.clone(), state: state.to_string() })
}

/// Extends the exposure in the rollout's present state (S0-44).
pub(in crate::process) fn extend(
    known: Known<'_>,
    caller: &Caller,
    id: &RolloutId,
    by: Duration,
    reason: &str,
) -> Decision {
    let rollout = match open_rollout(known, id) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    let mut findings: Vec<_> = rights::EXTEND.lacking_for(caller, rollout).into_iter().collect();
    findings.extend(missing_reason(reason, "An extension needs a reason, for everybody who waits for the rollout."));
    let is_exposed = |step: &Transition| step.gates.iter().any(|gate| gate.name == gate::EXPOSURE);
    let workflow = known.rules.of(&rollout.parts).map(|rules| &rules.workflow);
    if !workflow.is_ok_and(|workflow| workflow.leaving(&rollout.state).any(is_exposed)) {
        let sentence = format!("No step from {} requires exposure.", rollout.state);
        findings.push(Finding::new(Verdict::Reject, "not_asked", sentence));
    }
    if by > EXTENSION_MAX || by.is_zero() {
        let sentence = "An extension must be longer than zero and at most 180 days.";
        findings.push(Finding::new(Verdict::Reject, "too_long", sentence));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    recorded(known, caller, reason, Extended { rollout: id.clone(), seconds: by.as_secs() })
}

/// Overrides a gate for a rollout's next step to a state.
pub(in crate::process) fn overrule(
    known: Known<'_>,
    caller: &Caller,
    id: &RolloutId,
    at: (&str, &str),
    reason: &str,
) -> Decision {
    let rollout = match open_rollout(known, id) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    let mut findings: Vec<_> = rights::OVERRIDE.lacking_for(caller, rollout).into_iter().collect();
    findings.extend(missing_reason(reason, "An override needs a reason: it is shown wherever the step is."));
    match overriding(known, id, at, None) {
        Ok((fact, wrong)) if findings.is_empty() && wrong.is_empty() => recorded(known, caller, reason, fact),
        Ok((_, wrong)) => {
            findings.extend(wrong);
            Decision::refused(findings)
        }
        Err(decision) => decision,
    }
}

/// What is written down for an override, and what speaks against it, whoever asks for it.
pub(super) fn overriding(
    known: Known<'_>,
    id: &RolloutId,
    (state, gate): (&str, &str),
    change: Option<&ChangeId>,
) -> Result<(Overridden, Vec<Finding>), Decision> {
    let Toward { rollout, state, steps } = of_state(known, id, state)?;
    let mut findings = Vec::new();
    let asks = |step: &Transition| gate::is_asked_by(step, gate);
    if !gate::may_be_overridden(gate) {
        let names = gate::overridable().collect::<Vec<_>>().join(", ");
        let sentence = format!("`{}` cannot be overridden; these can: {names}.", gate.escape_debug());
        findings.push(Finding::new(Verdict::Reject, "not_overridable", sentence));
    } else if !steps.iter().any(|step| step.from == rollout.state && asks(step)) {
        let sentence = format!("The step from {} to {state} has no gate {gate}.", rollout.state);
        findings.push(Finding::new(Verdict::Reject, "not_asked", sentence));
    }
    let (rollout, state, gate) = (id.clone(), state.to_string(), gate.to_owned());
    Ok((Overridden { rollout, state, gate, change: change.cloned() }, findings))
}

/// Adds a note, also to a rollout that has come to its end.
pub(in crate::process) fn note(known: Known<'_>, caller: &Caller, noted: &Noted) -> Decision {
    let rollout = match rollout(known, &noted.rollout) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    let mut findings: Vec<_> = rights::NOTES.lacking_for(caller, rollout).into_iter().collect();
    if noted.note.trim().is_empty() {
        findings.push(Finding::new(Verdict::Reject, "no_note", "The note is empty."));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    recorded(known, caller, "", noted.clone())
}

/// Sets or removes the address of a document (S0-32).
pub(in crate::process) fn link(known: Known<'_>, caller: &Caller, linked: &Linked, reason: &str) -> Decision {
    let rollout = match rollout(known, &linked.rollout) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    let mut findings: Vec<_> = rights::NOTES.lacking_for(caller, rollout).into_iter().collect();
    let is_web = |url: &String| url.starts_with("https://") || url.starts_with("http://");
    if linked.url.as_ref().is_some_and(|url| !is_web(url)) {
        let sentence = "A link begins with https:// or http://.";
        findings.push(Finding::new(Verdict::Reject, "no_address", sentence));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    let there = known.world.dossiers.of(&linked.rollout).and_then(|dossier| dossier.links.get(&linked.what));
    if there == linked.url.as_ref() {
        let why = if there.is_some() { "that link already" } else { "no such link" };
        return Decision::answered(Answer::Conflict(format!("{} has {why}", linked.rollout)));
    }
    recorded(known, caller, reason, linked.clone())
}

/// A rollout, and a state of its procedure in any spelling.
fn of_state<'w>(known: Known<'w>, id: &RolloutId, state: &str) -> Result<Toward<'w>, Decision> {
    let rollout = open_rollout(known, id)?;
    let rules = known.rules.of(&rollout.parts).map_err(|finding| Decision::refused(vec![finding]))?;
    let state = rules.workflow.state(state).map_err(|no_step| {
        Decision::refused(vec![Finding::new(Verdict::Reject, "unknown_state", format!("{id}: {no_step}."))])
    })?;
    let steps = rules.workflow.transitions().iter().filter(|step| step.to == *state).collect();
    Ok(Toward { rollout, state, steps })
}

/// A rollout, a state that it may reach, and the steps that lead there.
struct Toward<'w> {
    rollout: &'w Rollout,
    state: &'w State,
    steps: Vec<&'w Transition>,
}

/// Whether somebody has approved that a rollout goes to a state.
pub(in crate::process) fn has_approved(known: Known<'_>, caller: &Caller, id: &RolloutId, state: &State) -> bool {
    let Some(person) = known.people.id_of(&caller.who) else { return false };
    let approvals = known.world.dossiers.of(id).map(|dossier| &dossier.approvals);
    let is_theirs = |(of, by): &(String, Actor)| of == state.as_str() && by.as_str() == person.to_string();
    approvals.is_some_and(|approvals| approvals.keys().any(is_theirs))
}
