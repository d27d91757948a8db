//! Tasks of early adopters.

use std::sync::Arc;
use std::time::Duration;

use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Stamp;
use crate::domain::moment::Elapsed;
use crate::domain::names::BundleId;
use crate::domain::naming::team::TeamName;
use crate::domain::report::Outcome;
use crate::domain::task::TaskKind;
use crate::process::fact::task::{TaskBegun, TaskCreated, TaskDone, TaskExtended, TaskReassigned};

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// What is to be done.
    pub kind: TaskKind,
    /// The bundle.
    pub bundle: BundleId,
    /// Who is to do it.
    pub team: TeamName,
    /// How long it runs before it can be done.
    pub quarantine: Duration,
    /// When it was created.
    pub created: Timestamp,
    /// When the site was changed, by both clocks, and how that went.
    pub begun: Option<(Timestamp, Elapsed, Outcome)>,
    /// When it was done, and what came of it.
    pub done: Option<(Timestamp, Outcome)>,
}

impl Task {
    /// New, In Progress or Done (S1-26).
    pub fn status(&self) -> &'static str {
        match (&self.begun, &self.done) {
            (_, Some(_)) => "Done",
            (Some(_), None) => "In Progress",
            (None, None) => "New",
        }
    }

    /// What has come of it so far.
    pub fn outcome(&self) -> Option<Outcome> {
        self.done.map(|(_, outcome)| outcome).or_else(|| self.begun.map(|(.., outcome)| outcome))
    }
}

/// All tasks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tasks {
    by_number: OrdMap<u64, Arc<Task>>,
    of_bundle: OrdMap<BundleId, OrdSet<u64>>,
    /// Those of each team that are not done.
    open: OrdMap<TeamName, OrdSet<u64>>,
}

impl Tasks {
    /// One task.
    pub fn get(&self, number: u64) -> Option<&Task> {
        self.by_number.get(&number).map(|task| &**task)
    }

    /// All of them, by number.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Task)> {
        self.by_number.iter().map(|(number, task)| (*number, &**task))
    }

    /// Those of a bundle.
    pub fn of(&self, bundle: &BundleId) -> impl Iterator<Item = (u64, &Task)> {
        let numbers = self.of_bundle.get(bundle).into_iter().flat_map(OrdSet::iter);
        numbers.filter_map(|number| Some((*number, self.get(*number)?)))
    }

    /// Those of a team that are not done.
    pub fn open_of(&self, team: &TeamName) -> impl Iterator<Item = (u64, &Task)> {
        let numbers = self.open.get(team).into_iter().flat_map(OrdSet::iter);
        numbers.filter_map(|number| Some((*number, self.get(*number)?)))
    }

    /// The number of the next one.
    pub fn next(&self) -> u64 {
        self.by_number.get_max().map_or(1, |(number, _)| number + 1)
    }

    pub(super) fn created(&mut self, stamp: Stamp<'_>, created: &TaskCreated) {
        let TaskCreated { task, kind, bundle, team, quarantine } = created.clone();
        let quarantine = Duration::from_secs(quarantine);
        self.of_bundle.entry(bundle.clone()).or_default().insert(task);
        self.open.entry(team.clone()).or_default().insert(task);
        let (begun, done) = (None, None);
        let new = Task { kind, bundle, team, quarantine, created: stamp.at, begun, done };
        self.by_number.insert(task, Arc::new(new));
    }

    pub(super) fn begun(&mut self, stamp: Stamp<'_>, begun: &TaskBegun) {
        if let Some(task) = self.by_number.get_mut(&begun.task) {
            Arc::make_mut(task).begun = Some((stamp.at, stamp.since, begun.outcome));
        }
    }

    pub(super) fn extended(&mut self, TaskExtended { task, by, .. }: &TaskExtended) {
        if let Some(task) = self.by_number.get_mut(task) {
            let task = Arc::make_mut(task);
            task.quarantine = task.quarantine.saturating_add(Duration::from_secs(*by));
        }
    }

    pub(super) fn reassigned(&mut self, TaskReassigned { task: number, team, .. }: &TaskReassigned) {
        let Some(task) = self.by_number.get_mut(number).map(Arc::make_mut) else { return };
        if let Some(open) = self.open.get_mut(&task.team) {
            open.remove(number);
        }
        (task.team, task.begun) = (team.clone(), None);
        self.open.entry(team.clone()).or_default().insert(*number);
    }

    pub(super) fn done(&mut self, stamp: Stamp<'_>, done: &TaskDone) {
        if let Some(task) = self.by_number.get_mut(&done.task) {
            Arc::make_mut(task).done = Some((stamp.at, done.outcome));
            if let Some(open) = self.open.get_mut(&task.team) {
                open.remove(&done.task);
            }
        }
    }

    /// Whatever a clock that was ahead has dated later than `now` waits from now on.
    pub(super) fn wait_from(&mut self, now: Elapsed) {
        let is_ahead = |task: &Task| task.begun.is_some_and(|(_, since, _)| since > now);
        let ahead: Vec<u64> = self.iter().filter(|(_, task)| is_ahead(task)).map(|(number, _)| number).collect();
        for number in ahead {
            if let Some((_, since, _)) =
                self.by_number.get_mut(&number).and_then(|task| Arc::make_mut(task).begun.as_mut())
            {
                *since = now;
            }
        }
    }
}
