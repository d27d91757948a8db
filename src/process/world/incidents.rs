//! Incidents, and the problems that they are together.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Stamp;
use crate::domain::incident::IncidentKind;
use crate::domain::names::{Actor, RolloutId};
use crate::domain::request::Priority;
use crate::process::fact::incident::{
    IncidentChanged, IncidentClosed, IncidentRecorded, ProblemChanged, ProblemClosed, ProblemOpened, ProblemRecurred,
};

/// Something that has gone wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// What, in a word.
    pub kind: IncidentKind,
    /// One line for people.
    pub title: String,
    /// The support unit that handles it.
    pub unit: String,
    /// How urgent it is.
    pub priority: Priority,
    /// Its ticket.
    pub ticket: Option<String>,
    /// The rollout that it has to do with.
    pub rollout: Option<RolloutId>,
    /// Who recorded it.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// When it was over, and what has solved it.
    pub closed: Option<(Timestamp, String)>,
    /// The problem of which it is a part.
    pub problem: Option<u64>,
}

/// Incidents that recur.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Their kind.
    pub kind: IncidentKind,
    /// The support unit that looks for their cause.
    pub unit: String,
    /// They, by number.
    pub incidents: OrdSet<u64>,
    /// Its ticket, of which theirs are children.
    pub ticket: Option<String>,
    /// What they have in common.
    pub cause: Option<String>,
    /// What sites can do until it is solved.
    pub workaround: Option<String>,
    /// When it was found.
    pub at: Timestamp,
    /// When it was solved, and how.
    pub closed: Option<(Timestamp, String)>,
}

/// All incidents and problems.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Incidents {
    by_number: OrdMap<u64, Arc<Incident>>,
    problems: OrdMap<u64, Arc<Problem>>,
    /// Those that are a part of no problem.
    alone: OrdMap<IncidentKind, OrdSet<u64>>,
    /// The problem of each kind that is not solved.
    open: OrdMap<IncidentKind, u64>,
}

impl Incidents {
    /// One incident.
    pub fn get(&self, number: u64) -> Option<&Incident> {
        self.by_number.get(&number).map(|incident| &**incident)
    }

    /// All incidents, by number.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &Incident)> {
        self.by_number.iter().map(|(number, incident)| (*number, &**incident))
    }

    /// One problem.
    pub fn problem(&self, number: u64) -> Option<&Problem> {
        self.problems.get(&number).map(|problem| &**problem)
    }

    /// All problems, by number.
    pub fn problems(&self) -> impl DoubleEndedIterator<Item = (u64, &Problem)> {
        self.problems.iter().map(|(number, problem)| (*number, &**problem))
    }

    /// Problems that are not solved.
    pub fn open_problems(&self) -> impl Iterator<Item = (u64, &Problem)> {
        self.open.values().filter_map(|number| Some((*number, self.problem(*number)?)))
    }

    /// The problem of a kind that is not solved.
    pub fn open_of(&self, kind: &IncidentKind) -> Option<u64> {
        self.open.get(kind).copied()
    }

    /// Incidents of a kind since some time that are a part of no problem, the newest first.
    pub fn alone(&self, kind: &IncidentKind, since: Timestamp) -> impl Iterator<Item = u64> {
        let numbers = self.alone.get(kind).into_iter().flat_map(|numbers| numbers.iter().rev().copied());
        numbers.filter(move |number| self.get(*number).is_some_and(|incident| incident.at >= since))
    }

    /// The number of the next incident.
    pub fn next(&self) -> u64 {
        self.by_number.get_max().map_or(1, |(number, _)| number + 1)
    }

    /// The number of the next problem.
    pub fn next_problem(&self) -> u64 {
        self.problems.get_max().map_or(1, |(number, _)| number + 1)
    }

    pub(super) fn recorded(&mut self, stamp: Stamp<'_>, recorded: &IncidentRecorded) {
        let IncidentRecorded { incident, kind, title, unit, priority, ticket, rollout } = recorded.clone();
        self.alone.entry(kind.clone()).or_default().insert(incident);
        let (by, at) = (Actor::recorded(stamp.who), stamp.at);
        let new = Incident { kind, title, unit, priority, ticket, rollout, by, at, closed: None, problem: None };
        self.by_number.insert(incident, Arc::new(new));
    }

    pub(super) fn changed(&mut self, changed: &IncidentChanged) {
        let Some(known) = self.by_number.get_mut(&changed.incident).map(Arc::make_mut) else { return };
        let IncidentChanged { unit, priority, ticket, .. } = changed.clone();
        known.unit = unit.unwrap_or_else(|| std::mem::take(&mut known.unit));
        known.priority = priority.unwrap_or(known.priority);
        known.ticket = ticket.or_else(|| known.ticket.take());
    }

    pub(super) fn closed(&mut self, stamp: Stamp<'_>, IncidentClosed { incident, solution }: &IncidentClosed) {
        if let Some(known) = self.by_number.get_mut(incident) {
            Arc::make_mut(known).closed = Some((stamp.at, solution.clone()));
        }
    }

    /// An incident is a part of a problem.
    fn joins(&mut self, incident: u64, problem: u64) {
        let Some(known) = self.by_number.get_mut(&incident).map(Arc::make_mut) else { return };
        known.problem = Some(problem);
        if let Some(alone) = self.alone.get_mut(&known.kind) {
            alone.remove(&incident);
        }
    }

    pub(super) fn problem_opened(&mut self, stamp: Stamp<'_>, opened: &ProblemOpened) {
        let ProblemOpened { problem: number, kind, unit, incidents } = opened.clone();
        for incident in &incidents {
            self.joins(*incident, number);
        }
        self.open.insert(kind.clone(), number);
        let (ticket, cause, workaround) = (None, None, None);
        let incidents = incidents.into_iter().collect();
        let new = Problem { kind, unit, incidents, ticket, cause, workaround, at: stamp.at, closed: None };
        self.problems.insert(number, Arc::new(new));
    }

    pub(super) fn recurred(&mut self, ProblemRecurred { problem, incident }: &ProblemRecurred) {
        if let Some(known) = self.problems.get_mut(problem) {
            Arc::make_mut(known).incidents.insert(*incident);
            self.joins(*incident, *problem);
        }
    }

    pub(super) fn problem_changed(&mut self, changed: &ProblemChanged) {
        let Some(known) = self.problems.get_mut(&changed.problem).map(Arc::make_mut) else { return };
        let ProblemChanged { ticket, cause, workaround, .. } = changed.clone();
        known.ticket = ticket.or_else(|| known.ticket.take());
        known.cause = cause.or_else(|| known.cause.take());
        known.workaround = workaround.or_else(|| known.workaround.take());
    }

    pub(super) fn problem_closed(&mut self, stamp: Stamp<'_>, ProblemClosed { problem, solution }: &ProblemClosed) {
        let Some(known) = self.problems.get_mut(problem).map(Arc::make_mut) else { return };
        known.closed = Some((stamp.at, solution.clone()));
        if self.open.get(&known.kind) == Some(problem) {
            self.open.remove(&known.kind);
        }
    }
}
