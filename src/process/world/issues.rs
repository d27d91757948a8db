//! Issues of each rollout.

use imbl::OrdMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Stamp;
use crate::domain::names::RolloutId;
use crate::domain::request::Priority;
use crate::process::fact::issue::{IssueClosed, IssueNoted, IssueRanked};

/// An issue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// One line for people.
    pub title: String,
    /// Whether the rollout cannot go on with it.
    pub show_stopper: bool,
    /// What sites can do until it is solved.
    pub workaround: String,
    /// Whom it hits, and how badly.
    pub criticality: String,
    /// When it was noted first.
    pub since: Timestamp,
    /// Whether it is not solved.
    pub open: bool,
    /// How urgent it is, if that was decided.
    pub priority: Option<Priority>,
}

/// The issues of all rollouts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Issues {
    by_rollout: OrdMap<RolloutId, OrdMap<String, Issue>>,
}

impl Issues {
    /// The issues of a rollout, by address or number.
    pub fn of(&self, rollout: &RolloutId) -> impl Iterator<Item = (&str, &Issue)> {
        let issues = self.by_rollout.get(rollout);
        issues.into_iter().flat_map(|issues| issues.iter().map(|(name, issue)| (name.as_str(), issue)))
    }

    /// All issues, by rollout.
    pub fn iter(&self) -> impl Iterator<Item = (&RolloutId, &str, &Issue)> {
        let of = |(rollout, issues)| {
            let issues: &OrdMap<String, Issue> = issues;
            issues.iter().map(move |(name, issue)| (rollout, name.as_str(), issue))
        };
        self.by_rollout.iter().flat_map(of)
    }

    /// One issue.
    pub fn get(&self, rollout: &RolloutId, issue: &str) -> Option<&Issue> {
        self.by_rollout.get(rollout).and_then(|issues| issues.get(issue))
    }

    pub(super) fn noted(&mut self, stamp: Stamp<'_>, noted: &IssueNoted) {
        let IssueNoted { rollout, issue, title, show_stopper, workaround, criticality } = noted.clone();
        let issues = self.by_rollout.entry(rollout).or_default();
        let known = issues.get(&issue);
        let (since, priority) = known.map_or((stamp.at, None), |known| (known.since, known.priority));
        issues.insert(issue, Issue { title, show_stopper, workaround, criticality, since, open: true, priority });
    }

    pub(super) fn ranked(&mut self, IssueRanked { rollout, issue, priority }: &IssueRanked) {
        if let Some(known) = self.by_rollout.get_mut(rollout).and_then(|issues| issues.get_mut(issue)) {
            known.priority = Some(*priority);
        }
    }

    pub(super) fn closed(&mut self, IssueClosed { rollout, issue }: &IssueClosed) {
        if let Some(known) = self.by_rollout.get_mut(rollout).and_then(|issues| issues.get_mut(issue)) {
            known.open = false;
        }
    }
}
