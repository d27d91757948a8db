//! Tasks of early adopters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::pauses::covered;
use super::{Stamp, World};
use crate::domain::moment::Elapsed;
use crate::domain::names::BundleId;
use crate::domain::naming::team::TeamName;
use crate::domain::report::{self, Outcome};
use crate::domain::task::TaskKind;
use crate::process::fact::report::File;
use crate::process::fact::task::{QuarantineOver, TaskBegun, TaskCreated, TaskDone, TaskExtended, TaskReassigned};
use crate::process::fact::task_report::{TaskIssue, TaskReportPublished, TaskReported};

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
    /// The number of the entry by which it was done; 0 until then.
    pub ended: u64,
    /// The services of its site that are changed, as far as they are known.
    pub services: BTreeSet<String>,
    /// What its team has reported last.
    pub report: Option<Report>,
    /// The issues that its team has found, with their Bug Detection Area where there is one.
    pub issues: BTreeMap<String, Option<String>>,
    /// The files of earlier reports.
    earlier: Vec<File>,
    /// Whether it was said that its quarantine is over.
    said: bool,
}

/// What a team has reported on a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// When.
    pub at: Timestamp,
    /// What it says.
    pub text: String,
    /// The whole report; `None` if the text is all.
    pub file: Option<File>,
    /// Whether everybody may read it.
    pub published: bool,
}

impl Report {
    /// Whether it mentions an issue, in its text or in its file (S1-25).
    pub fn mentions(&self, issue: &str) -> bool {
        mentions(&self.text, self.file.as_ref(), issue)
    }
}

/// Whether a report mentions an issue.
fn mentions(text: &str, file: Option<&File>, issue: &str) -> bool {
    report::mentions(text, issue) || file.is_some_and(|file| file.mentions(issue))
}

impl Task {
    /// The issues that a report with this text and this file does not mention.
    pub fn unmentioned(&self, text: &str, file: Option<&File>) -> impl Iterator<Item = &str> {
        self.issues.keys().map(String::as_str).filter(move |issue| !mentions(text, file, issue))
    }

    /// The files of all reports.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.earlier.iter().chain(self.report.iter().filter_map(|report| report.file.as_ref()))
    }

    /// New, In Progress or Done (S1-26).
    pub fn status(&self) -> &'static str {
        match (&self.begun, &self.done) {
            (_, Some(_)) => "Done",
            (Some(_), None) => "In Progress",
            (None, None) => "New",
        }
    }

    /// When its quarantine ends, as long as that is to be said.
    fn ends(&self) -> Option<Elapsed> {
        let (_, since, _) = self.begun.filter(|_| self.done.is_none() && !self.said)?;
        Some(since.plus(self.quarantine))
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
    /// Those in quarantine, by when it ends.
    running: OrdSet<(Elapsed, u64)>,
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
        let TaskCreated { task, kind, bundle, team, quarantine, services } = created.clone();
        let quarantine = Duration::from_secs(quarantine);
        self.of_bundle.entry(bundle.clone()).or_default().insert(task);
        self.open.entry(team.clone()).or_default().insert(task);
        let (begun, done) = (None, None);
        let new = Task {
            kind,
            bundle,
            team,
            quarantine,
            created: stamp.at,
            begun,
            done,
            ended: 0,
            services,
            report: None,
            issues: BTreeMap::new(),
            earlier: vec![],
            said: false,
        };
        self.by_number.insert(task, Arc::new(new));
    }

    /// Those whose quarantine is over, of which that was not said.
    pub fn over(&self, now: Elapsed) -> impl Iterator<Item = (u64, &Task)> {
        let over = self.running.iter().take_while(move |(ends, _)| *ends <= now);
        over.filter_map(|(_, number)| Some((*number, self.get(*number)?)))
    }

    /// Changes a task, and the index with it.
    fn change(&mut self, number: u64, how: impl FnOnce(&mut Task)) {
        let Some(task) = self.by_number.get_mut(&number).map(Arc::make_mut) else { return };
        if let Some(ends) = task.ends() {
            self.running.remove(&(ends, number));
        }
        how(task);
        if let Some(ends) = task.ends() {
            self.running.insert((ends, number));
        }
    }

    pub(super) fn reported(&mut self, stamp: Stamp<'_>, TaskReported { task, text, file, .. }: &TaskReported) {
        self.change(*task, |task| {
            let new = Report { at: stamp.at, text: text.clone(), file: file.clone(), published: false };
            task.earlier.extend(task.report.replace(new).and_then(|report| report.file));
        });
    }

    pub(super) fn published(&mut self, TaskReportPublished { task, published, .. }: &TaskReportPublished) {
        self.change(*task, |task| {
            if let Some(report) = &mut task.report {
                report.published = *published;
            }
        });
    }

    pub(super) fn issue(&mut self, TaskIssue { task, issue, area, taken_back, .. }: &TaskIssue) {
        self.change(*task, |task| {
            if *taken_back {
                task.issues.remove(issue);
            } else {
                task.issues.insert(issue.clone(), area.clone());
            }
        });
    }

    pub(super) fn begun(&mut self, stamp: Stamp<'_>, begun: &TaskBegun) {
        self.change(begun.task, |task| task.begun = Some((stamp.at, stamp.since, begun.outcome)));
    }

    pub(super) fn extended(&mut self, TaskExtended { task, by, .. }: &TaskExtended) {
        self.change(*task, |task| {
            task.quarantine = task.quarantine.saturating_add(Duration::from_secs(*by));
            task.said = false;
        });
    }

    pub(super) fn quarantine_over(&mut self, QuarantineOver { task, .. }: &QuarantineOver) {
        self.change(*task, |task| task.said = true);
    }

    pub(super) fn reassigned(&mut self, TaskReassigned { task: number, team, from, services, .. }: &TaskReassigned) {
        if let Some(open) = self.open.get_mut(from) {
            open.remove(number);
        }
        self.open.entry(team.clone()).or_default().insert(*number);
        self.change(*number, |task| {
            (task.team, task.begun, task.said) = (team.clone(), None, false);
            task.services = services.as_ref().unwrap_or(&task.services).clone();
        });
    }

    pub(super) fn done(&mut self, stamp: Stamp<'_>, done: &TaskDone) {
        self.change(done.task, |task| (task.done, task.ended) = (Some((stamp.at, done.outcome)), stamp.seq));
        let team = self.get(done.task).map(|task| task.team.clone());
        if let Some(open) = team.and_then(|team| self.open.get_mut(&team)) {
            open.remove(&done.task);
        }
    }

    /// Whatever a clock that was ahead has dated later than `now` waits from now on.
    pub(super) fn wait_from(&mut self, now: Elapsed) {
        let is_ahead = |task: &Task| task.begun.is_some_and(|(_, since, _)| since > now);
        let ahead: Vec<u64> = self.iter().filter(|(_, task)| is_ahead(task)).map(|(number, _)| number).collect();
        for number in ahead {
            self.change(number, |task| {
                if let Some((_, since, _)) = &mut task.begun {
                    *since = now;
                }
            });
        }
    }
}

impl World {
    /// What is on hold, so that no time passes for a task now: a rollout of its bundle, or a change that one carries out (S3-08).
    pub fn holds_task(&self, task: &Task) -> Option<String> {
        self.bundles.get(&task.bundle)?.members.iter().find_map(|rollout| self.stands_still(rollout))
    }

    /// When the quarantine of a task ends: the time for which a rollout of its bundle stood still does not count (S3-08). Nobody
    /// knows it before the task has begun, or while one stands still.
    pub fn quarantine_ends(&self, task: &Task, now: Elapsed) -> Option<Elapsed> {
        let (_, since, _) = task.begun.filter(|_| self.holds_task(task).is_none())?;
        let members = self.bundles.get(&task.bundle).into_iter().flat_map(|bundle| &bundle.members);
        let own = members.clone().filter_map(|rollout| self.dossiers.of(rollout)).map(|dossier| &dossier.pauses);
        let all = own.chain(members.filter_map(|rollout| self.requests.pauses(rollout)));
        let paused = covered(all.flat_map(|pauses| pauses.spans(now)), since, now);
        Some(since.plus(task.quarantine.saturating_add(paused)))
    }
}
