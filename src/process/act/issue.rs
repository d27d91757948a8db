//! Issues of a rollout are noted and closed (S0-41 to S0-43).

use super::{open_rollout, recorded, rollout};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::RolloutId;
use crate::process::decision::{Answer, Decision};
use crate::process::fact::issue::{IssueClosed, IssueNoted, IssueRanked};
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;

/// Records an issue, or what has changed about it; reopens a closed one.
pub(in crate::process) fn note(known: Known<'_>, caller: &Caller, noted: &IssueNoted, reason: &str) -> Decision {
    let rollout = match open_rollout(known, &noted.rollout) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    let mut findings: Vec<_> = rights::ISSUES.lacking_for(caller, rollout).into_iter().collect();
    if noted.issue.trim().is_empty() || noted.title.trim().is_empty() {
        let sentence = "An issue needs an address or number in its tracker, and a title of one line.";
        findings.push(Finding::new(Verdict::Reject, "no_issue", sentence));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    recorded(known, caller, reason, noted.clone())
}

/// Decides how urgent an issue is (S0-43).
pub(in crate::process) fn rank(known: Known<'_>, caller: &Caller, ranked: &IssueRanked, reason: &str) -> Decision {
    let IssueRanked { rollout: id, issue, priority } = ranked;
    let rollout = match rollout(known, id) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    let Some(there) = known.world.issues.get(id, issue) else {
        return Decision::answered(Answer::NotFound(format!("{id} has no issue {issue}")));
    };
    if let Some(finding) = rights::RANK.lacking_for(caller, rollout) {
        return Decision::refused(vec![finding]);
    }
    if there.priority == Some(*priority) {
        return Decision::answered(Answer::Conflict(format!("the issue {issue} of {id} has that priority already")));
    }
    recorded(known, caller, reason, ranked.clone())
}

/// Closes an issue.
pub(in crate::process) fn close(
    known: Known<'_>,
    caller: &Caller,
    id: &RolloutId,
    issue: &str,
    reason: &str,
) -> Decision {
    let rollout = match rollout(known, id) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    match known.world.issues.get(id, issue) {
        None => return Decision::answered(Answer::NotFound(format!("{id} has no issue {issue}"))),
        Some(known) if !known.open => {
            return Decision::answered(Answer::Conflict(format!("the issue {issue} of {id} is closed already")));
        }
        Some(_) => {}
    }
    if let Some(finding) = rights::ISSUES.lacking_for(caller, rollout) {
        return Decision::refused(vec![finding]);
    }
    recorded(known, caller, reason, IssueClosed { rollout: id.clone(), issue: issue.to_owned() })
}
