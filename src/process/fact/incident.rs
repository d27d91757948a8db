//! Facts about incidents and problems (S3-33, S3-34, S4-08).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Kind, Subject};
use crate::domain::incident::IncidentKind;
use crate::domain::names::RolloutId;
use crate::domain::request::Priority;

/// An incident was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentRecorded {
    /// Its number; the first is 1.
    pub incident: u64,
    /// What has gone wrong.
    pub kind: IncidentKind,
    /// One line for people.
    pub title: String,
    /// The support unit that handles it.
    pub unit: String,
    /// How urgent it is.
    pub priority: Priority,
    /// Its ticket in the helpdesk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The rollout that it has to do with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutId>,
}

/// Something else is known of an incident; what is not named stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentChanged {
    /// The incident.
    pub incident: u64,
    /// The support unit that handles it from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// How urgent it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Its ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
}

/// An incident is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentClosed {
    /// The incident.
    pub incident: u64,
    /// What has solved it.
    pub solution: String,
}

/// Incidents of one kind recur: they are a problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProblemOpened {
    /// Its number; the first is 1.
    pub problem: u64,
    /// The kind of incidents.
    pub kind: IncidentKind,
    /// The support unit that looks for their cause.
    pub unit: String,
    /// They.
    pub incidents: BTreeSet<u64>,
}

/// One more incident of a problem that is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProblemRecurred {
    /// The problem.
    pub problem: u64,
    /// The incident.
    pub incident: u64,
}

/// Something else is known of a problem; what is not named stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProblemChanged {
    /// The problem.
    pub problem: u64,
    /// Its ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The cause that its incidents have in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What sites can do until it is solved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workaround: Option<String>,
}

/// A problem is solved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProblemClosed {
    /// The problem.
    pub problem: u64,
    /// How it was solved.
    pub solution: String,
}

impl Kind for IncidentRecorded {
    const NAME: &'static str = "incident.recorded";

    fn about(&self) -> Vec<Subject> {
        std::iter::once(Subject::Incidents).chain(self.rollout.clone().map(Subject::Rollout)).collect()
    }
}

impl Kind for IncidentChanged {
    const NAME: &'static str = "incident.changed";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Incidents]
    }
}

impl Kind for IncidentClosed {
    const NAME: &'static str = "incident.closed";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Incidents]
    }
}

impl Kind for ProblemOpened {
    const NAME: &'static str = "problem.opened";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Incidents]
    }
}

impl Kind for ProblemRecurred {
    const NAME: &'static str = "problem.recurred";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Incidents]
    }
}

impl Kind for ProblemChanged {
    const NAME: &'static str = "problem.changed";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Incidents]
    }
}

impl Kind for ProblemClosed {
    const NAME: &'static str = "problem.closed";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Incidents]
    }
}

impl fmt::Display for IncidentRecorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { incident, kind, title, unit, priority, ticket, rollout } = self;
        write!(f, "recorded incident {incident} ({kind}) for {unit}, priority {priority}: {title}")?;
        if let Some(ticket) = ticket {
            write!(f, ", ticket {ticket}")?;
        }
        if let Some(rollout) = rollout { write!(f, ", about {rollout}") } else { Ok(()) }
    }
}

/// Things that are known, as in "priority high, ticket #12".
fn said(f: &mut fmt::Formatter<'_>, all: &[(&str, Option<String>)]) -> fmt::Result {
    let known: Vec<String> = all.iter().filter_map(|(what, text)| Some(format!("{what} {}", text.as_ref()?))).collect();
    f.write_str(&known.join(", "))
}

impl fmt::Display for IncidentChanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "incident {}: ", self.incident)?;
        let priority = self.priority.map(|priority| priority.to_string());
        said(f, &[("support unit", self.unit.clone()), ("priority", priority), ("ticket", self.ticket.clone())])
    }
}

impl fmt::Display for IncidentClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "closed incident {}: {}", self.incident, self.solution)
    }
}

impl fmt::Display for ProblemOpened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let incidents: Vec<String> = self.incidents.iter().map(ToString::to_string).collect();
        let Self { problem, kind, unit, .. } = self;
        write!(f, "opened problem {problem} for {unit}: incidents {} of the kind {kind} recur", incidents.join(", "))
    }
}

impl fmt::Display for ProblemRecurred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "incident {} belongs to problem {}", self.incident, self.problem)
    }
}

impl fmt::Display for ProblemChanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { problem, ticket, cause, workaround } = self;
        write!(f, "problem {problem}: ")?;
        said(f, &[("ticket", ticket.clone()), ("cause:", cause.clone()), ("workaround:", workaround.clone())])
    }
}

impl fmt::Display for ProblemClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "closed problem {}: {}", self.problem, self.solution)
    }
}
