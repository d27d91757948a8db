//! Are the roll-out tasks of the bundle done, and did none of them fail (S1-29)?
//!
//! A failure is resolved by another task of the same team that ends well.

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
    let tasks = tasks.filter(|(_, task)| case.world.teams.counts(&task.team));
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
    if last.is_empty() {
        let sentence = format!("There is no roll-out task for the bundle {id}.");
        return vec![Finding::new(Verdict::Wait, "tasks", sentence)];
    }
    let mut findings = Vec::new();
    for (team, (number, task)) in &last {
        match task.done {
            None => {
                let sentence = format!("Task {number} of {team} is {}.", task.status());
                findings.push(Finding::new(Verdict::Wait, "tasks", sentence));
            }
            Some((_, Outcome::Fail)) => {
                let sentence = format!("Task {number} of {team} failed.");
                findings.push(Finding::new(Verdict::NeedsAdmin, "task_fails", sentence));
            }
            Some(_) => {}
        }
    }
    if findings.is_empty() {
        let sentence = format!("{} of the bundle {id} done.", count(last.len(), "roll-out task"));
        return vec![Finding::new(Verdict::Pass, "tasks", sentence)];
    }
    findings
}
