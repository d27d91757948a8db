//! Facts about tasks: a team of early adopters rolls a bundle out at its site, or back (S1-22 to S1-27, S1-47 to S1-49).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Kind, Subject};
use crate::domain::names::BundleId;
use crate::domain::naming::team::TeamName;
use crate::domain::report::Outcome;
use crate::domain::task::TaskKind;
use crate::format::quantity;

/// A task was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskCreated {
    /// Its number; the first is 1.
    pub task: u64,
    /// What is to be done.
    pub kind: TaskKind,
    /// The bundle.
    pub bundle: BundleId,
    /// Who is to do it.
    pub team: TeamName,
    /// How many seconds it runs before it can be done.
    pub quarantine: u64,
    /// The services of its site that are changed, as far as they are known.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub services: BTreeSet<String>,
}

/// The site was changed, and the quarantine begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskBegun {
    /// The task.
    pub task: u64,
    /// Its bundle.
    pub bundle: BundleId,
    /// Its team.
    pub team: TeamName,
    /// How the change went.
    pub outcome: Outcome,
}

/// The quarantine of a task is longer than it was (S1-28).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskExtended {
    /// The task.
    pub task: u64,
    /// Its bundle.
    pub bundle: BundleId,
    /// Its team.
    pub team: TeamName,
    /// By how many seconds.
    pub by: u64,
}

/// Another team has to do a task (S1-28).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskReassigned {
    /// The task.
    pub task: u64,
    /// Its bundle.
    pub bundle: BundleId,
    /// Its team from now on.
    pub team: TeamName,
    /// Its team so far.
    pub from: TeamName,
    /// The services of its new site that are changed, where they are others than before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<BTreeSet<String>>,
}

/// The quarantine of a task is over, and nobody has said yet what came of it (S1-27).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuarantineOver {
    /// The task.
    pub task: u64,
    /// Its bundle.
    pub bundle: BundleId,
    /// Its team.
    pub team: TeamName,
}

/// A task is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskDone {
    /// The task.
    pub task: u64,
    /// Its bundle.
    pub bundle: BundleId,
    /// Its team.
    pub team: TeamName,
    /// What came of it.
    pub outcome: Outcome,
}

fn both(bundle: &BundleId, team: &TeamName) -> Vec<Subject> {
    vec![Subject::Bundle(bundle.clone()), Subject::Team(team.clone())]
}

impl Kind for TaskCreated {
    const NAME: &'static str = "task.created";

    fn about(&self) -> Vec<Subject> {
        both(&self.bundle, &self.team)
    }
}

impl Kind for TaskBegun {
    const NAME: &'static str = "task.begun";

    fn about(&self) -> Vec<Subject> {
        both(&self.bundle, &self.team)
    }
}

impl Kind for TaskExtended {
    const NAME: &'static str = "task.extended";

    fn about(&self) -> Vec<Subject> {
        both(&self.bundle, &self.team)
    }
}

impl Kind for TaskReassigned {
    const NAME: &'static str = "task.reassigned";

    /// Its new team first: that is who has to do something.
    fn about(&self) -> Vec<Subject> {
        let Self { bundle, team, from, .. } = self;
        vec![Subject::Bundle(bundle.clone()), Subject::Team(team.clone()), Subject::Team(from.clone())]
    }
}

impl Kind for QuarantineOver {
    const NAME: &'static str = "task.quarantine_over";

    fn about(&self) -> Vec<Subject> {
        both(&self.bundle, &self.team)
    }
}

impl Kind for TaskDone {
    const NAME: &'static str = "task.done";

    fn about(&self) -> Vec<Subject> {
        both(&self.bundle, &self.team)
    }
}

impl fmt::Display for TaskCreated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { task, kind, bundle, team, quarantine, services } = self;
        let quarantine = quantity::show_duration(std::time::Duration::from_secs(*quarantine));
        write!(f, "created task {task}: {team} is to {kind} the bundle {bundle}, with a quarantine of {quarantine}")?;
        if services.is_empty() {
            return Ok(());
        }
        write!(f, ", at {}", services.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Display for TaskBegun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} of {} is in progress: {}", self.task, self.team, self.outcome)
    }
}

impl fmt::Display for TaskExtended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = quantity::show_duration(std::time::Duration::from_secs(self.by));
        write!(f, "extended the quarantine of task {} of {} by {by}", self.task, self.team)
    }
}

impl fmt::Display for TaskReassigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gave task {} of {} to {}", self.task, self.from, self.team)
    }
}

impl fmt::Display for QuarantineOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the quarantine of task {} of {} is over", self.task, self.team)
    }
}

impl fmt::Display for TaskDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} of {} is done: {}", self.task, self.team, self.outcome)
    }
}
