//! The registry of early adopters (S0-09).

use super::recorded;
use crate::domain::gate::{Finding, Verdict};
use crate::domain::naming::team::TeamName;
use crate::process::decision::{Answer, Decision};
use crate::process::fact::team::{TeamLeft, TeamRegistered};
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;

/// Adds a team, or replaces its entry.
pub(in crate::process) fn register(known: Known<'_>, caller: &Caller, team: &TeamRegistered, reason: &str) -> Decision {
    let mut findings: Vec<_> = rights::TEAMS.lacking(caller, []).into_iter().collect();
    if team.team.split(|ngi| ngi == team.ngi).is_err() {
        let sentence = format!("{} does not begin with ea-{}-.", team.team, team.ngi);
        findings.push(Finding::new(Verdict::Reject, "other_ngi", sentence));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    recorded(known, caller, reason, team.clone())
}

/// Removes a team. What it has said of rollouts stays, and counts no more.
pub(in crate::process) fn remove(known: Known<'_>, caller: &Caller, team: &TeamName, reason: &str) -> Decision {
    if known.world.teams.get(team).is_none() {
        return Decision::answered(Answer::NotFound(known.no_team(team)));
    }
    if let Some(finding) = rights::TEAMS.lacking(caller, []) {
        return Decision::refused(vec![finding]);
    }
    recorded(known, caller, reason, TeamLeft { team: team.clone() })
}
