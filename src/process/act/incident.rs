//! Incidents are recorded, handled and closed; those that recur are gathered into a problem (S3-33, S3-34, S4-08).

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{all_recorded, missing_reason, recorded, rollout};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::incident::{IncidentKind, Wanted};
use crate::domain::request::Priority;
use crate::process::decision::{Answer, Decision};
use crate::process::fact::Fact;
use crate::process::fact::incident::{
    IncidentChanged, IncidentClosed, IncidentRecorded, ProblemChanged, ProblemClosed, ProblemOpened, ProblemRecurred,
};
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;
use crate::process::world::incidents::{Incident, Problem};

/// Records an incident, and the problem that it is with others of its kind.
pub(in crate::process) fn record(known: Known<'_>, caller: &Caller, wanted: &Wanted, reason: &str) -> Decision {
    let Wanted { kind, title, unit, priority, ticket, rollout: about } = wanted.clone();
    if let Some(Err(decision)) = about.as_ref().map(|id| rollout(known, id)) {
        return decision;
    }
    let mut findings: Vec<Finding> = rights::INCIDENTS.lacking(caller, []).into_iter().collect();
    if title.trim().is_empty() {
        findings.push(Finding::new(Verdict::Reject, "no_title", "An incident needs a title of one line."));
    }
    let unit = unit.or_else(|| known.rules.incidents.support_unit.clone());
    let Some(unit) = unit.filter(|_| findings.is_empty()) else {
        if findings.is_empty() {
            let sentence = "Nobody handles it: name a support unit, or set `support_unit` in [incidents].";
            findings.push(Finding::new(Verdict::Reject, "no_unit", sentence));
        }
        return Decision::refused(findings);
    };
    let (incident, priority) = (known.world.incidents.next(), priority.unwrap_or(Priority::Normal));
    let follows = recurs(known, incident, &kind);
    let new = IncidentRecorded { incident, kind, title, unit, priority, ticket, rollout: about };
    all_recorded(known, caller, reason, std::iter::once(new.into()).chain(follows).collect())
}

/// What follows from one more incident of a kind: it belongs to the problem that is open, or makes one with others.
fn recurs(known: Known<'_>, incident: u64, kind: &IncidentKind) -> Option<Fact> {
    let (all, policy) = (&known.world.incidents, &known.rules.incidents);
    if let Some(problem) = all.open_of(kind) {
        return Some(ProblemRecurred { problem, incident }.into());
    }
    let within = SignedDuration::try_from(policy.within).unwrap_or(SignedDuration::MAX);
    let since = known.now.wall.checked_sub(within).unwrap_or(Timestamp::MIN);
    let incidents: BTreeSet<u64> = all.alone(kind, since).chain([incident]).collect();
    let (problem, unit) = (all.next_problem(), policy.problem_unit.clone());
    (incidents.len() >= policy.recur).then(|| ProblemOpened { problem, kind: kind.clone(), unit, incidents }.into())
}

/// Says what else is known of an incident: who handles it, how urgent it is, its ticket.
pub(in crate::process) fn change(
    known: Known<'_>,
    caller: &Caller,
    changed: &IncidentChanged,
    reason: &str,
) -> Decision {
    // Also of one that is over: its ticket may become a child of a problem's.
    let there = match incident(known, changed.incident) {
        Ok(there) => there,
        Err(decision) => return decision,
    };
    if let Some(finding) = rights::INCIDENTS.lacking(caller, []) {
        return Decision::refused(vec![finding]);
    }
    let IncidentChanged { unit, priority, ticket, .. } = changed;
    let is_new = unit.as_ref().is_some_and(|unit| *unit != there.unit)
        || priority.is_some_and(|priority| priority != there.priority)
        || ticket.is_some() && *ticket != there.ticket;
    if !is_new {
        return Decision::answered(Answer::Conflict(format!("incident {} already says so", changed.incident)));
    }
    recorded(known, caller, reason, changed.clone())
}

/// An incident is over: service is as agreed again.
pub(in crate::process) fn close(known: Known<'_>, caller: &Caller, number: u64, reason: &str) -> Decision {
    match incident(known, number) {
        Err(decision) => return decision,
        Ok(there) if there.closed.is_some() => {
            return Decision::answered(Answer::Conflict(format!("incident {number} is closed")));
        }
        Ok(_) => {}
    }
    let mut findings: Vec<Finding> = rights::INCIDENTS.lacking(caller, []).into_iter().collect();
    findings.extend(missing_reason(reason, "Say what solved it: whoever meets it again will look here."));
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    recorded(known, caller, "", IncidentClosed { incident: number, solution: reason.trim().to_owned() })
}

/// Says what else is known of a problem: its ticket, its cause, a workaround.
pub(in crate::process) fn change_problem(
    known: Known<'_>,
    caller: &Caller,
    changed: &ProblemChanged,
    reason: &str,
) -> Decision {
    // Also of one that is solved: often the cause is known later.
    let there = match problem(known, changed.problem) {
        Ok(there) => there,
        Err(decision) => return decision,
    };
    if let Some(finding) = rights::INCIDENTS.lacking(caller, []) {
        return Decision::refused(vec![finding]);
    }
    let ProblemChanged { ticket, cause, workaround, .. } = changed;
    let pairs = [(ticket, &there.ticket), (cause, &there.cause), (workaround, &there.workaround)];
    if !pairs.iter().any(|(new, old)| new.is_some() && new != old) {
        return Decision::answered(Answer::Conflict(format!("problem {} already says so", changed.problem)));
    }
    recorded(known, caller, reason, changed.clone())
}

/// A problem is solved. More incidents of its kind are alone again, until they recur.
pub(in crate::process) fn close_problem(known: Known<'_>, caller: &Caller, number: u64, reason: &str) -> Decision {
    match problem(known, number) {
        Err(decision) => return decision,
        Ok(there) if there.closed.is_some() => {
            return Decision::answered(Answer::Conflict(format!("problem {number} is closed")));
        }
        Ok(_) => {}
    }
    let mut findings: Vec<Finding> = rights::INCIDENTS.lacking(caller, []).into_iter().collect();
    findings.extend(missing_reason(reason, "Say how it was solved: whoever meets it again will look here."));
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    recorded(known, caller, "", ProblemClosed { problem: number, solution: reason.trim().to_owned() })
}

fn incident(known: Known<'_>, number: u64) -> Result<&Incident, Decision> {
    let found = known.world.incidents.get(number);
    found.ok_or_else(|| Decision::answered(Answer::NotFound(format!("there is no incident {number}"))))
}

fn problem(known: Known<'_>, number: u64) -> Result<&Problem, Decision> {
    let found = known.world.incidents.problem(number);
    found.ok_or_else(|| Decision::answered(Answer::NotFound(format!("there is no problem {number}"))))
}
