//! Teams of early adopters are asked to test a rollout, answer, and report (S0-33 to S0-47).

use std::collections::BTreeSet;

use super::{all_recorded, open_rollout, recorded, rollout};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::RolloutId;
use crate::domain::naming::team::TeamName;
use crate::domain::rollout::Rollout;
use crate::process::decision::{Answer, Decision};
use crate::process::fact::Fact;
use crate::process::fact::assignment::{Answered, Assigned, Installed, Unassigned};
use crate::process::fact::report::Reported;
use crate::process::known::Known;
use crate::process::rights::{self, Right};
use crate::process::who::Caller;

/// Asks teams to test a rollout. All of them or none: a team that is not registered is named.
pub(in crate::process) fn assign(
    known: Known<'_>,
    caller: &Caller,
    id: &RolloutId,
    teams: &[TeamName],
    beta: bool,
    reason: &str,
) -> Decision {
    let rollout = match open_rollout(known, id) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    let teams: BTreeSet<&TeamName> = teams.iter().collect();
    let mut findings: Vec<_> = rights::ASSIGN.lacking(caller, rollout.dists()).into_iter().collect();
    if teams.is_empty() {
        findings.push(Finding::new(Verdict::Reject, "no_teams", "Name at least one team."));
    }
    findings.extend(teams.iter().filter_map(|team| unregistered(known, team)));
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    let is_new = |team: &&&TeamName| {
        let asked = known.world.adopters.get(id, team).and_then(|adopter| adopter.asked.as_ref());
        asked.is_none_or(|asked| asked.beta != beta)
    };
    let facts: Vec<Fact> = teams
        .iter()
        .filter(is_new)
        .map(|team| Assigned { rollout: id.clone(), team: TeamName::clone(team), beta }.into())
        .collect();
    if facts.is_empty() {
        let named: Vec<&str> = teams.iter().map(|team| team.as_str()).collect();
        return Decision::answered(Answer::Conflict(format!("{id} is assigned to {} already", named.join(", "))));
    }
    all_recorded(known, caller, reason, facts)
}

/// A team is no longer asked.
pub(in crate::process) fn unassign(
    known: Known<'_>,
    caller: &Caller,
    id: &RolloutId,
    team: &TeamName,
    reason: &str,
) -> Decision {
    let rollout = match rollout(known, id) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    if let Some(decision) = not_asked(known, id, team) {
        return decision;
    }
    if let Some(finding) = rights::ASSIGN.lacking(caller, rollout.dists()) {
        return Decision::refused(vec![finding]);
    }
    recorded(known, caller, reason, Unassigned { rollout: id.clone(), team: team.clone() })
}

/// A team answers (S0-36). It may change its mind.
pub(in crate::process) fn answer(known: Known<'_>, caller: &Caller, answered: &Answered, reason: &str) -> Decision {
    let Answered { rollout: id, team, accepts } = answered;
    let rollout = match open_rollout(known, id) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    if let Some(decision) = not_asked(known, id, team) {
        return decision;
    }
    let findings = may_for(rights::ANSWER, known, caller, rollout, team);
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    if known.world.adopters.get(id, team).and_then(|adopter| adopter.answer).is_some_and(|(was, _)| was == *accepts) {
        let what = if *accepts { "accepted" } else { "declined" };
        return Decision::answered(Answer::Conflict(format!("{team} has {what} {id} already")));
    }
    recorded(known, caller, reason, answered.clone())
}

/// A team says that it runs what it tests; that it accepts is clear then.
pub(in crate::process) fn installed(
    known: Known<'_>,
    caller: &Caller,
    installed: &Installed,
    reason: &str,
) -> Decision {
    let Installed { rollout: id, team } = installed;
    let rollout = match open_rollout(known, id) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    if let Some(decision) = not_asked(known, id, team) {
        return decision;
    }
    let findings = may_for(rights::ANSWER, known, caller, rollout, team);
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    let adopter = known.world.adopters.get(id, team);
    if adopter.is_some_and(|adopter| adopter.installed.is_some()) {
        return Decision::answered(Answer::Conflict(format!("{team} has installed {id} already")));
    }
    let accepts = adopter.and_then(|adopter| adopter.answer).is_none_or(|(accepts, _)| !accepts);
    let answered = accepts.then(|| Answered { rollout: id.clone(), team: team.clone(), accepts }.into());
    all_recorded(known, caller, reason, answered.into_iter().chain([installed.clone().into()]).collect())
}

/// A team reports (S0-45), asked or not: reports of others are welcome, too, and do not count (S0-12).
pub(in crate::process) fn report(known: Known<'_>, caller: &Caller, reported: &Reported) -> Decision {
    let rollout = match open_rollout(known, &reported.rollout) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    let findings = may_for(rights::REPORT, known, caller, rollout, &reported.team);
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    recorded(known, caller, "", reported.clone())
}

/// Why somebody may not act for a team.
fn may_for(right: Right, known: Known<'_>, caller: &Caller, rollout: &Rollout, team: &TeamName) -> Vec<Finding> {
    let lacking = right.lacking(caller, rollout.dists()).filter(|_| !caller.speaks_for(team));
    unregistered(known, team).into_iter().chain(lacking).collect()
}

fn unregistered(known: Known<'_>, team: &TeamName) -> Option<Finding> {
    let sentence = || format!("{}.", capital(&known.no_team(team)));
    known.world.teams.get(team).is_none().then(|| Finding::new(Verdict::Reject, "no_team", sentence()))
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn not_asked(known: Known<'_>, id: &RolloutId, team: &TeamName) -> Option<Decision> {
    let asked = known.world.adopters.get(id, team).and_then(|adopter| adopter.asked.as_ref());
    asked.is_none().then(|| Decision::answered(Answer::NotFound(format!("{id} is not assigned to {team}"))))
}
