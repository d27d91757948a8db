//! Facts about issues: what early adopters run into (S0-41 to S0-43, S1-25).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Kind, Subject};
use crate::domain::names::RolloutId;
use crate::domain::request::Priority;

/// An issue was noted, or what is known of it has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueNoted {
    /// The rollout.
    pub rollout: RolloutId,
    /// Its address or number in its tracker.
    pub issue: String,
    /// One line for people.
    pub title: String,
    /// Whether the rollout cannot go on with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub show_stopper: bool,
    /// What sites can do until it is solved.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub workaround: String,
    /// Whom it hits, and how badly; version 1 does not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub criticality: String,
}

/// An issue is solved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueClosed {
    /// The rollout.
    pub rollout: RolloutId,
    /// The issue.
    pub issue: String,
}

/// It was decided how urgent an issue is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueRanked {
    /// The rollout.
    pub rollout: RolloutId,
    /// The issue.
    pub issue: String,
    /// Its priority.
    pub priority: Priority,
}

impl Kind for IssueNoted {
    const NAME: &'static str = "issue.noted";
    const VERSION: u32 = 2;

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Rollout(self.rollout.clone())]
    }

    fn upcast(_: u32, body: &str) -> Result<Self, String> {
        serde_json::from_str(body).map_err(|e| e.to_string())
    }
}

impl Kind for IssueClosed {
    const NAME: &'static str = "issue.closed";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Rollout(self.rollout.clone())]
    }
}

impl Kind for IssueRanked {
    const NAME: &'static str = "issue.ranked";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Rollout(self.rollout.clone())]
    }
}

impl fmt::Display for IssueRanked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set the priority of the issue {} of {} to {}", self.issue, self.rollout, self.priority)
    }
}

impl fmt::Display for IssueNoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rollout, issue, title, show_stopper, workaround, criticality } = self;
        let kind = if *show_stopper { "show-stopper" } else { "issue" };
        write!(f, "noted the {kind} {issue} of {rollout}: {title}")?;
        if !criticality.is_empty() {
            write!(f, "; {criticality}")?;
        }
        if workaround.is_empty() { Ok(()) } else { write!(f, "; workaround: {workaround}") }
    }
}

impl fmt::Display for IssueClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "closed the issue {} of {}", self.issue, self.rollout)
    }
}
