//! A step is to be taken at some time.
//!
//! Whether somebody may do that is judged when they ask, and whether it can be done when the time has come; what has to wait
//! then is taken as soon as nothing is in the way.

use jiff::{SignedDuration, Timestamp};

use super::{open_rollout, recorded};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{Role, RolloutId};
use crate::process::decision::{Answer, Decision};
use crate::process::fact::change::{Scheduled, Unscheduled};
use crate::process::known::Known;
use crate::process::who::Caller;

/// When a step is due that is to be taken as soon as nothing is in its way.
const SOON: SignedDuration = SignedDuration::from_secs(1);

/// How far ahead.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(24 * 366);

/// Gives a step a date; a later one takes the place of an earlier one.
pub(in crate::process) fn schedule(
    known: Known<'_>,
    caller: &Caller,
    id: &RolloutId,
    (state, at): (&str, Option<Timestamp>),
    reason: &str,
) -> Decision {
    let rollout = match open_rollout(known, id) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    let workflow = match known.rules.of(&rollout.parts) {
        Ok(rules) => &rules.workflow,
        Err(finding) => return Decision::refused(vec![finding]),
    };
    let reject = |code, sentence: String| Finding::new(Verdict::Reject, code, sentence);
    let state = match workflow.state(state) {
        Ok(state) => state,
        Err(no_step) => return Decision::refused(vec![reject("unknown_state", format!("{id}: {no_step}."))]),
    };
    let mut findings: Vec<Finding> = super::edit::has_ended(known, rollout).into_iter().collect();
    let has = |role: &&Role| caller.may_for([*role], rollout);
    let steps = workflow.transitions().iter().filter(|step| step.to == *state);
    let mut roles: Vec<Role> = steps.flat_map(|step| step.who.iter()).filter(has).cloned().collect();
    roles.sort();
    roles.dedup();
    if roles.is_empty() {
        let sentence = format!("None of your roles may take a step to {state}.");
        findings.push(Finding::new(Verdict::NeedsAdmin, "role", sentence));
    }
    // Whatever is due is looked at when its time comes, so that has to be ahead.
    let at = at.unwrap_or(known.now.wall + SOON);
    let ahead = at.duration_since(known.now.wall);
    if ahead <= SignedDuration::ZERO || ahead > AHEAD_MAX {
        findings.push(reject("no_date", format!("{at:.0} is not within the next 366 days.")));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    let mut decision =
        recorded(known, caller, reason, Scheduled { rollout: id.clone(), state: state.to_string(), at, roles });
    if let Some(Answer::Recorded { warnings, .. }) = &mut decision.answer {
        if let Some((before, when)) = rollout.wanted.as_ref().and_then(|wanted| Some((&wanted.state, wanted.at?))) {
            warnings.push(format!("it is not to go to {before} at {when:.0} any more: this takes the place of that"));
        }
        if let Err(no_step) = workflow.step(&rollout.state, state) {
            warnings.push(format!("{no_step}; so it has to be taken there before"));
        }
    }
    decision
}

/// Takes the date back.
pub(in crate::process) fn unschedule(known: Known<'_>, caller: &Caller, id: &RolloutId, reason: &str) -> Decision {
    let rollout = match open_rollout(known, id) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    let Some(wanted) = rollout.wanted.as_ref().filter(|wanted| wanted.at.is_some()) else {
        return Decision::answered(Answer::Conflict(format!("{id} has no date")));
    };
    if !caller.may_for(wanted.roles.iter().chain([&Role::ADMIN]), rollout) {
        let roles: Vec<&str> = wanted.roles.iter().map(Role::as_str).collect();
        let sentence = format!("Only admin or {} may take the date back.", roles.join(" or "));
        return Decision::refused(vec![Finding::new(Verdict::NeedsAdmin, "role", sentence)]);
    }
    recorded(known, caller, reason, Unscheduled { rollout: id.clone() })
}
