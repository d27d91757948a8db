//! Are the roll-out tasks of the bundle done, and did none of them fail (S1-29)?
//!
//! A failure is resolved by another task of the same team that ends well, and not by taking the team out of the registry. What
//! a team installed before the packages were there says nothing of them: at least one task has to have begun since.

use std::collections::BTreeMap;

use super::{Asked, Case, Gate, TASKS_DONE};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::naming::team::TeamName;
use crate::domain::report::Outcome;
use crate::domain::task::TaskKind;
use crate::domain::terms::{GateForm, Terms};
use crate::domain::workflow::Transition;
use crate::process::fact::count;
use crate::process::world::tasks::Task;

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: TASKS_DONE, terms: &[], of_moves: false }),
    asked: Asked::Named,
    may_be_overridden: true,
    judge,
};

fn judge(case: &Case<'_>, _: &Transition, _: &Terms) -> Vec<Finding> {
    let Some((id, _)) = case.world.bundles.of(&case.rollout.id) else {
        let sentence = format!("{} is in no bundle, so there are no tasks for it.", case.rollout.id);
        return vec![Finding::new(Verdict::Wait, "tasks", sentence)];
    };
    let tasks = case.world.tasks.of(id).filter(|(_, task)| task.kind == TaskKind::RollOut);
    // Of each team counts the one that is not done, or was done last: a task with a low number may have come from another team.
    let mut last: BTreeMap<&TeamName, (u64, &Task)> = BTreeMap::new();
    for (number, task) in tasks {
        let key = |task: &Task| (task.done.is_none(), task.ended);
        last.entry(&task.team)
            .and_modify(|known| {
                if key(task) >= key(known.1) {
                    *known = (number, task);
                }
            })
            .or_insert((number, task));
    }
    let counts = |team: &TeamName| case.world.teams.counts(team);
    if !last.keys().any(|team| counts(team)) {
        let sentence = format!("There is no roll-out task for the bundle {id}.");
        return vec![Finding::new(Verdict::Wait, "tasks", sentence)];
    }
    // Where a clock was put right, both may count from the same moment, and nothing says which came first.
    let since = case.known.in_test_since(case.rollout);
    let is_about_it = |task: &Task| since.is_none_or(|since| task.begun.is_some_and(|(_, begun, _)| begun > since));
    let (mut findings, mut good) = (Vec::new(), 0);
    for (team, (number, task)) in &last {
        match task.done {
            None if !counts(team) => {}
            None => {
                let sentence = format!("Task {number} of {team} is {}.", task.status());
                findings.push(Finding::new(Verdict::Wait, "tasks", sentence));
            }
            Some((_, Outcome::Fail)) => {
                let sentence = format!(
                    "Task {number} of {team} failed; that holds the bundle up until another task of that team ends well."
                );
                findings.push(Finding::new(Verdict::NeedsAdmin, "task_fails", sentence));
            }
            Some(_) => good += usize::from(counts(team) && is_about_it(task)),
        }
    }
    if good > 0 && findings.is_empty() {
        let sentence = format!("{} of the bundle {id} done.", count(good, "roll-out task"));
        findings.push(Finding::new(Verdict::Pass, "tasks", sentence));
    } else if findings.is_empty() {
        let sentence = format!(
            "All roll-out tasks of the bundle {id} were begun before the packages of {} were there: create another \
             one, with `rolloutctl task create {id} TEAM`.",
            case.rollout.id
        );
        findings.push(Finding::new(Verdict::Wait, "tasks", sentence));
    }
    findings
}
