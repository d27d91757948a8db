//! Facts about what teams say of their tasks: reports and issues (S1-09, S1-25, S1-35, S1-48).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::report::File;
use super::{Kind, Subject};
use crate::domain::names::BundleId;
use crate::domain::naming::team::TeamName;

/// A team has reported on its task. A later report takes the place of an earlier one; both stay in the logbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskReported {
    /// The task.
    pub task: u64,
    /// Its bundle.
    pub bundle: BundleId,
    /// Its team.
    pub team: TeamName,
    /// What the team says.
    pub text: String,
    /// The file with the whole report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<File>,
}

/// Everybody may read the report of a task, or no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskReportPublished {
    /// The task.
    pub task: u64,
    /// Its bundle.
    pub bundle: BundleId,
    /// Its team.
    pub team: TeamName,
    /// Whether they may.
    pub published: bool,
}

/// A team has found an issue in its task, or takes that back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskIssue {
    /// The task.
    pub task: u64,
    /// Its bundle.
    pub bundle: BundleId,
    /// Its team.
    pub team: TeamName,
    /// Where it is followed: an address or a number.
    pub issue: String,
    /// Its Bug Detection Area, where the tracker has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<String>,
    /// Whether it is taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub taken_back: bool,
}

impl Kind for TaskReported {
    const NAME: &'static str = "task.reported";
    const VERSION: u32 = 2;

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Bundle(self.bundle.clone()), Subject::Team(self.team.clone())]
    }

    fn upcast(_: u32, body: &str) -> Result<Self, String> {
        serde_json::from_str(body).map_err(|e| e.to_string())
    }
}

impl Kind for TaskReportPublished {
    const NAME: &'static str = "task.report_published";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Bundle(self.bundle.clone()), Subject::Team(self.team.clone())]
    }
}

impl Kind for TaskIssue {
    const NAME: &'static str = "task.issue";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Bundle(self.bundle.clone()), Subject::Team(self.team.clone())]
    }
}

impl fmt::Display for TaskReported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { task, bundle, team, text, file } = self;
        write!(f, "{team} reported on task {task} of {bundle}")?;
        if let Some(file) = file {
            write!(f, " ({})", file.name)?;
        }
        if text.is_empty() { Ok(()) } else { write!(f, ": {text}") }
    }
}

impl fmt::Display for TaskReportPublished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { task, bundle, team, published } = self;
        let what = if *published { "published" } else { "unpublished" };
        write!(f, "{what} the report of {team} on task {task} of {bundle}")
    }
}

impl fmt::Display for TaskIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { task, bundle, team, issue, area, taken_back } = self;
        let what = if *taken_back { "took back" } else { "found" };
        write!(f, "{team} {what} the issue {issue} in task {task} of {bundle}")?;
        area.iter().try_for_each(|area| write!(f, " ({area})"))
    }
}
