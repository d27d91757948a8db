//! Tasks of early adopters: created, in progress, done (S1-22 to S1-27, S1-47 to S1-49).

use std::collections::BTreeSet;
use std::time::Duration;

use super::bundle::open_bundle;
use super::{all_recorded, recorded};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::moment::NotBefore;
use crate::domain::names::{BundleId, Label, RolloutId};
use crate::domain::naming::team::TeamName;
use crate::domain::report::Outcome;
use crate::domain::rollout::Rollout;
use crate::domain::task::TaskKind;
use crate::process::decision::{Answer, Decision};
use crate::process::fact::Fact;
use crate::process::fact::task::{TaskBegun, TaskCreated, TaskDone, TaskExtended, TaskReassigned};
use crate::process::gate::bundle_complete::before_tasks;
use crate::process::gate::settled;
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;
use crate::process::world::bundles::Bundle;
use crate::process::world::tasks::Task;

/// The longest quarantine.
const QUARANTINE_MAX: Duration = Duration::from_hours(24 * 180);

/// Creates a task for each of these teams.
pub(in crate::process) fn create(
    known: Known<'_>,
    caller: &Caller,
    bundle: &BundleId,
    (kind, teams, quarantine): (TaskKind, &[TeamName], Option<Duration>),
    services: &BTreeSet<String>,
    reason: &str,
) -> Decision {
    // Sites go back also from what was released with a bundle that is closed since.
    let closed = known.world.bundles.get(bundle).filter(|_| kind == TaskKind::RollBack);
    let bundle_of = match closed.map_or_else(|| open_bundle(known, bundle), Ok) {
        Ok(found) => found,
        Err(decision) => return decision,
    };
    let mut findings: Vec<Finding> = rights::TASKS.lacking(caller, []).into_iter().collect();
    findings.extend(unsettled(known, bundle_of, kind));
    match kind {
        TaskKind::RollOut => findings.extend(before_tasks(known, bundle, bundle_of).into_iter().flatten()),
        TaskKind::RollBack => findings.extend(nothing_left(known, bundle, bundle_of)),
    }
    findings.extend(teams.iter().filter_map(|team| unfit(known, bundle, kind, team)));
    findings.extend(nameless(services));
    if teams.is_empty() {
        findings.push(Finding::new(Verdict::Reject, "no_teams", "Name at least one team."));
    }
    let quarantine = quarantine.unwrap_or(kind.quarantine());
    if quarantine > QUARANTINE_MAX {
        findings.push(Finding::new(Verdict::Reject, "too_long", "A quarantine may last at most 180 days."));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    let first = known.world.tasks.next();
    let facts: Vec<Fact> = (first..)
        .zip(teams)
        .map(|(task, team)| {
            let services = if services.is_empty() { changed_at(known, bundle_of, team) } else { services.clone() };
            let (bundle, team) = (bundle.clone(), team.clone());
            TaskCreated { task, kind, bundle, team, quarantine: quarantine.as_secs(), services }.into()
        })
        .collect();
    all_recorded(known, caller, reason, facts)
}

/// Why no site has to go back: all of the bundle is with the early adopters, or released (S1-47).
fn nothing_left(known: Known<'_>, id: &BundleId, bundle: &Bundle) -> Option<Finding> {
    let mut rollouts = bundle.named().filter_map(|id| known.world.rollouts.get(id));
    let is_there = |rollout: &Rollout| known.with_early_adopters(rollout).is_some() || known.is_released(&rollout.id);
    let sentence =
        || format!("All of the bundle {id} is with the early adopters or released, so no site has to go back.");
    rollouts.all(is_there).then(|| Finding::new(Verdict::Reject, "nothing_left", sentence()))
}

/// Services that are no words.
fn nameless(services: &BTreeSet<String>) -> Option<Finding> {
    let wrong = services.iter().find(|name| name.parse::<Label>().is_err())?;
    let sentence = format!("`{}` is not a valid service name.", wrong.escape_debug());
    Some(Finding::new(Verdict::Reject, "no_service", sentence))
}

/// The services of a team's site that a bundle changes, as far as both say which there are.
fn changed_at(known: Known<'_>, bundle: &Bundle, team: &TeamName) -> BTreeSet<String> {
    let team = known.world.teams.get(team);
    let of = |rollout: &RolloutId| team.map(|team| known.node_types(rollout, team)).unwrap_or_default();
    bundle.members.iter().flat_map(of).collect()
}

/// Why a team cannot have such a task of a bundle.
fn unfit(known: Known<'_>, bundle: &BundleId, kind: TaskKind, team: &TeamName) -> Option<Finding> {
    if known.world.teams.get(team).is_none() {
        let sentence = format!("The registry has no team {team}.");
        return Some(Finding::new(Verdict::Reject, "no_team", sentence));
    }
    let is_same = |task: &Task| task.team == *team && task.kind == kind && task.done.is_none();
    known.world.tasks.of(bundle).any(|(_, task)| is_same(task)).then(|| {
        let sentence = format!("{team} has such a task of {bundle} already.");
        Finding::new(Verdict::Reject, "has_task", sentence)
    })
}

/// What speaks against tasks because rollouts of the bundle have changed a moment ago (S1-23). Whoever has to go back does
/// not wait for that.
pub(in crate::process) fn unsettled(known: Known<'_>, bundle: &Bundle, kind: TaskKind) -> Vec<Finding> {
    if kind == TaskKind::RollBack {
        return vec![];
    }
    let found = |id: &RolloutId| {
        let rollout = known.world.rollouts.get(id)?;
        let span = known.rules.of(&rollout.parts).ok()?.workflow.settling()?;
        let found = settled::settled(known, rollout, span);
        (found.verdict != Verdict::Pass).then(|| found.about(id))
    };
    bundle.members.iter().filter_map(found).collect()
}

/// Records that the site was changed: the task is in progress, and its quarantine begins (S1-26).
pub(in crate::process) fn begin(
    known: Known<'_>,
    caller: &Caller,
    number: u64,
    outcome: Outcome,
    reason: &str,
) -> Decision {
    let task = match of_team(known, caller, number) {
        Ok(task) => task,
        Err(decision) => return decision,
    };
    if task.begun.is_some() {
        return Decision::answered(Answer::Conflict(format!("task {number} is {} already", task.status())));
    }
    let (bundle, team) = (task.bundle.clone(), task.team.clone());
    recorded(known, caller, reason, TaskBegun { task: number, bundle, team, outcome })
}

/// Makes a quarantine longer (S1-28), of a task that is not done.
pub(in crate::process) fn extend(
    known: Known<'_>,
    caller: &Caller,
    number: u64,
    by: Duration,
    reason: &str,
) -> Decision {
    let task = match open_task(known, number) {
        Ok(task) => task,
        Err(decision) => return decision,
    };
    let mut findings: Vec<Finding> = rights::TASKS.lacking(caller, []).into_iter().collect();
    findings.extend(super::missing_reason(reason, "A longer quarantine needs a reason, for the team that waits."));
    // The logbook has whole seconds.
    if by.as_secs() == 0 || task.quarantine.saturating_add(by) > QUARANTINE_MAX {
        let sentence = "A quarantine must be extended by at least a second, and to at most 180 days.";
        findings.push(Finding::new(Verdict::Reject, "too_long", sentence));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    let (bundle, team) = (task.bundle.clone(), task.team.clone());
    recorded(known, caller, reason, TaskExtended { task: number, bundle, team, by: by.as_secs() })
}

/// Gives a roll-out task that has not begun to another team (S1-28). Where a site was changed already, that team is the
/// one that has to report and, if it comes to that, to go back.
pub(in crate::process) fn reassign(
    known: Known<'_>,
    caller: &Caller,
    number: u64,
    team: &TeamName,
    reason: &str,
) -> Decision {
    let task = match open_task(known, number) {
        Ok(task) => task,
        Err(decision) => return decision,
    };
    if let Err(decision) = open_bundle(known, &task.bundle) {
        return decision;
    }
    if task.team == *team {
        return Decision::answered(Answer::Conflict(format!("task {number} belongs to {team} already")));
    }
    let mut findings: Vec<Finding> = rights::TASKS.lacking(caller, []).into_iter().collect();
    findings.extend(super::missing_reason(reason, "Both teams have to know why: give a reason."));
    findings.extend(unfit(known, &task.bundle, task.kind, team));
    if task.kind == TaskKind::RollBack {
        let sentence = format!("Only {} can take its own site back; give the other team a task of its own.", task.team);
        findings.push(Finding::new(Verdict::Reject, "roll_back", sentence));
    } else if task.begun.is_some() {
        let sentence = format!(
            "The site of {} was changed already: it says what came of it (`task done {number} fail --early`), and the other \
             team gets a task of its own.",
            task.team
        );
        findings.push(Finding::new(Verdict::Reject, "begun", sentence));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    // Services that somebody has named stay.
    let bundle_of = known.world.bundles.get(&task.bundle);
    let of = |team: &TeamName| bundle_of.map(|bundle| changed_at(known, bundle, team)).unwrap_or_default();
    let services = (task.services == of(&task.team)).then(|| of(team)).filter(|now| *now != task.services);
    let (bundle, team, from) = (task.bundle.clone(), team.clone(), task.team.clone());
    recorded(known, caller, reason, TaskReassigned { task: number, bundle, team, from, services })
}

/// The quarantine is over and the task is done (S1-27). Whoever creates tasks may end one early, with a reason.
pub(in crate::process) fn done(
    known: Known<'_>,
    caller: &Caller,
    (number, outcome, early): (u64, Outcome, bool),
    reason: &str,
) -> Decision {
    let task = match of_team(known, caller, number) {
        Ok(task) => task,
        Err(decision) => return decision,
    };
    if task.begun.is_none() || task.done.is_some() {
        return Decision::answered(Answer::Conflict(format!("task {number} is {}, not In Progress", task.status())));
    }
    let lasts = in_quarantine(known, number, task);
    let is_early = lasts.is_some();
    let mut findings = Vec::new();
    if let Some(lasts) = lasts.filter(|_| !early) {
        findings.push(lasts);
    } else if is_early {
        findings.extend(rights::TASKS.lacking(caller, []));
        findings.extend(super::missing_reason(reason, "Ending a quarantine early needs a reason."));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    let (bundle, team) = (task.bundle.clone(), task.team.clone());
    let mut decision = recorded(known, caller, reason, TaskDone { task: number, bundle, team, outcome });
    warn(&mut decision, missing(number, task));
    decision
}

/// What somebody who ends a task should know: what its team has found and its report does not say (S1-25), or that there is
/// none.
fn missing(number: u64, task: &Task) -> Vec<String> {
    match &task.report {
        Some(report) => task.unmentioned(&report.text, report.file.as_ref()).map(unmentioned).collect(),
        None => {
            vec![format!("there is no report on task {number}: `task report {number} --text TEXT` or `--file FILE`")]
        }
    }
}

/// What somebody should know of an issue.
pub(super) fn unmentioned(issue: &str) -> String {
    format!("the report does not mention the issue {issue}")
}

/// Adds what whoever asked should know.
pub(super) fn warn(decision: &mut Decision, more: impl IntoIterator<Item = String>) {
    if let Some(Answer::Recorded { warnings, .. }) = &mut decision.answer {
        warnings.extend(more);
    }
}

/// That the quarantine of a task is not over.
fn in_quarantine(known: Known<'_>, number: u64, task: &Task) -> Option<Finding> {
    if let Some(what) = known.world.holds_task(task) {
        let sentence = format!("The quarantine of task {number} stands still while {what} is on hold.");
        return Some(Finding::new(Verdict::Wait, "quarantine", sentence));
    }
    let ends = known.now.when(known.world.quarantine_ends(task, known.now.elapsed)?);
    (ends.elapsed > known.now.elapsed).then(|| {
        let sentence = format!("The quarantine of task {number} lasts until {:.0}.", ends.wall);
        let not_before = Some(NotBefore::Elapsed(ends));
        Finding { not_before, ..Finding::new(Verdict::Wait, "quarantine", sentence) }
    })
}

/// A task that is not done, or the answer that there is none.
fn open_task(known: Known<'_>, number: u64) -> Result<&Task, Decision> {
    match known.world.tasks.get(number) {
        None => Err(Decision::answered(Answer::NotFound(format!("there is no task {number}")))),
        Some(task) if task.done.is_some() => {
            Err(Decision::answered(Answer::Conflict(format!("task {number} is Done"))))
        }
        Some(task) => Ok(task),
    }
}

/// A task that whoever asks may report about.
pub(super) fn of_team<'w>(known: Known<'w>, caller: &Caller, number: u64) -> Result<&'w Task, Decision> {
    let Some(task) = known.world.tasks.get(number) else {
        return Err(Decision::answered(Answer::NotFound(format!("there is no task {number}"))));
    };
    match rights::TASK_REPORT.lacking(caller, []).filter(|_| !caller.speaks_for(&task.team)) {
        Some(finding) => Err(Decision::refused(vec![finding])),
        None => Ok(task),
    }
}
