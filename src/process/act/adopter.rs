//! Teams of early adopters are asked to test a rollout, answer, and report (S0-33 to S0-47).

use std::collections::BTreeSet;

use super::{all_recorded, capital, open_rollout, recorded, rollout};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::RolloutId;
use crate::domain::naming::convention::shown;
use crate::domain::naming::report_file::{Format, ReportFile};
use crate::domain::naming::team::TeamName;
use crate::domain::naming::title::Title;
use crate::domain::rollout::Rollout;
use crate::process::decision::{Answer, Decision};
use crate::process::fact::Fact;
use crate::process::fact::assignment::{Answered, Assigned, Installed, Unassigned};
use crate::process::fact::report::{ReportPublished, Reported};
use crate::process::gate::acknowledged::{asks, is_in_test};
use crate::process::known::Known;
use crate::process::rights::{self, Right};
use crate::process::who::Caller;
use crate::process::world::adopters::Adopter;

/// Most files of reports on one rollout, earlier ones of each team included.
const FILES_MAX: usize = 200;

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
    let mut findings: Vec<_> = rights::ASSIGN.lacking_for(caller, rollout).into_iter().collect();
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
    if let Err(decision) = asked(known, id, team) {
        return decision;
    }
    if let Some(finding) = rights::ASSIGN.lacking_for(caller, rollout) {
        return Decision::refused(vec![finding]);
    }
    recorded(known, caller, reason, Unassigned { rollout: id.clone(), team: team.clone() })
}

/// A team answers (S0-36). It may change its mind.
pub(in crate::process) fn answer(known: Known<'_>, caller: &Caller, answered: &Answered, reason: &str) -> Decision {
    let Answered { rollout: id, team, accepts } = answered;
    let adopter = match of_asked(known, caller, id, team) {
        Ok(adopter) => adopter,
        Err(decision) => return decision,
    };
    if adopter.answer.is_some_and(|(was, _)| was == *accepts) {
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
    let adopter = match of_asked(known, caller, id, team) {
        Ok(adopter) => adopter,
        Err(decision) => return decision,
    };
    if adopter.installed.is_some() {
        return Decision::answered(Answer::Conflict(format!("{team} has installed {id} already")));
    }
    let has_accepted = adopter.answer.is_some_and(|(accepts, _)| accepts);
    let answered = Answered { rollout: id.clone(), team: team.clone(), accepts: true };
    let answered = (!has_accepted).then(|| answered.into());
    all_recorded(known, caller, reason, answered.into_iter().chain([installed.clone().into()]).collect())
}

/// A team that was asked to test an open rollout, if whoever speaks may speak for it.
fn of_asked<'w>(known: Known<'w>, caller: &Caller, id: &RolloutId, team: &TeamName) -> Result<&'w Adopter, Decision> {
    let rollout = open_rollout(known, id)?;
    let adopter = asked(known, id, team)?;
    let mut findings = may_for(rights::ANSWER, known, caller, rollout, team);
    findings.extend(too_early(known, rollout));
    if findings.is_empty() { Ok(adopter) } else { Err(Decision::refused(findings)) }
}

/// A team reports (S0-45), asked or not: reports of others are welcome, too, and do not count (S0-12).
pub(in crate::process) fn report(known: Known<'_>, caller: &Caller, reported: &Reported) -> Decision {
    let rollout = match open_rollout(known, &reported.rollout) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    let mut findings = may_for(rights::REPORT, known, caller, rollout, &reported.team);
    findings.extend(too_early(known, rollout));
    if let Some(file) = &reported.file {
        findings.extend(misnamed(rollout, &reported.team, &file.name));
        if known.world.adopters.number_of_files(&rollout.id) >= FILES_MAX {
            let sentence = format!("There are {FILES_MAX} files of reports on {} already.", rollout.id);
            findings.push(Finding::new(Verdict::Reject, "too_many_files", sentence));
        }
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    recorded(known, caller, "", reported.clone())
}

/// What is wrong with the name of a report's file (S0-47). Where the title of a rollout does not say what it is about, any
/// name will do that a file can have.
fn misnamed(rollout: &Rollout, team: &TeamName, name: &str) -> Option<Finding> {
    let wrong = match rollout.title.parse::<Title>() {
        Ok(title) => ReportFile::check(name, team, &title.subject).err().map(|wrong| wrong.to_string()),
        Err(_) => {
            Format::of(name).err().map(|why| format!("`{}` is not a valid name for a report: {why}", shown(name)))
        }
    };
    wrong.map(|wrong| Finding::new(Verdict::Reject, "file_name", format!("{wrong}.")))
}

/// Lets everybody read the file of a team's last report, or no longer (S1-35).
pub(in crate::process) fn publish(
    known: Known<'_>,
    caller: &Caller,
    asked: &ReportPublished,
    reason: &str,
) -> Decision {
    let ReportPublished { rollout: id, team, published } = asked;
    let rollout = match rollout(known, id) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    let report = known.world.adopters.get(id, team).and_then(|adopter| adopter.report.as_ref());
    let Some(report) = report.filter(|report| report.file.is_some()) else {
        return Decision::answered(Answer::NotFound(format!("{team} has sent no file about {id}")));
    };
    if let Some(finding) = rights::PUBLISH.lacking_for(caller, rollout) {
        return Decision::refused(vec![finding]);
    }
    if report.published == *published {
        let so = if *published { "is published already" } else { "is not published" };
        return Decision::answered(Answer::Conflict(format!("the report of {team} on {id} {so}")));
    }
    recorded(known, caller, reason, asked.clone())
}

/// Why nobody can answer or report yet: there is nothing to test, and its packages may become others.
fn too_early(known: Known<'_>, rollout: &Rollout) -> Option<Finding> {
    if is_in_test(known, rollout) {
        return None;
    }
    let workflow = known.rules.of(&rollout.parts).ok().map(|rules| &rules.workflow);
    let asking = workflow.and_then(|workflow| workflow.states().iter().find(|state| asks(workflow, state)));
    let when = asking.map_or_else(|| "when its packages have moved".to_owned(), |state| format!("in {state}"));
    let sentence = format!(
        "{} is in {}: early adopters cannot test it yet. They answer and report {when}.",
        rollout.id, rollout.state
    );
    Some(Finding::new(Verdict::Wait, "not_in_test", sentence))
}

/// Why somebody may not act for a team.
fn may_for(right: Right, known: Known<'_>, caller: &Caller, rollout: &Rollout, team: &TeamName) -> Vec<Finding> {
    let lacking = right.lacking_for(caller, rollout).filter(|_| !caller.speaks_for(team));
    unregistered(known, team).into_iter().chain(lacking).collect()
}

fn unregistered(known: Known<'_>, team: &TeamName) -> Option<Finding> {
    let sentence = || format!("{}.", capital(&known.no_team(team)));
    known.world.teams.get(team).is_none().then(|| Finding::new(Verdict::Reject, "no_team", sentence()))
}

/// A team that was asked to test a rollout, or the answer that it was not.
fn asked<'w>(known: Known<'w>, id: &RolloutId, team: &TeamName) -> Result<&'w Adopter, Decision> {
    let adopter = known.world.adopters.get(id, team).filter(|adopter| adopter.asked.is_some());
    adopter.ok_or_else(|| Decision::answered(Answer::NotFound(format!("{id} is not assigned to {team}"))))
}
