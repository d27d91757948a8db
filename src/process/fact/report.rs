//! Facts about reports: what a team has found (S0-45 to S0-47).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Kind, Subject};
use crate::domain::checksum::Sha256;
use crate::domain::names::RolloutId;
use crate::domain::naming::team::TeamName;
use crate::domain::report::{Outcome, Sections};

/// A team has reported. A later report of the same team takes the place of an earlier one; both stay in the logbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reported {
    /// The rollout.
    pub rollout: RolloutId,
    /// The team.
    pub team: TeamName,
    /// What came of it.
    pub outcome: Outcome,
    /// What the team says, in a few sentences.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// What it says of each thing that it is asked; version 1 has none of it.
    #[serde(default, skip_serializing_if = "Sections::is_empty")]
    pub sections: Sections,
    /// The file with the whole report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<File>,
}

/// Everybody may read the file of a team's last report, or no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportPublished {
    /// The rollout.
    pub rollout: RolloutId,
    /// The team.
    pub team: TeamName,
    /// Whether they may.
    pub published: bool,
}

/// The file of a report, kept under its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub sha256: Sha256,
    /// Its length in bytes.
    pub size: u64,
    /// The issues that it mentions, of those that were known when it came (S1-25); earlier versions have none. Of its words
    /// nothing stands here: the logbook is for everybody to read, and the file may not be.
    #[serde(default)]
    pub mentions: BTreeSet<String>,
}

impl File {
    /// Whether it mentions an issue.
    pub fn mentions(&self, issue: &str) -> bool {
        self.mentions.contains(issue)
    }
}

impl Kind for Reported {
    const NAME: &'static str = "report.added";
    const VERSION: u32 = 3;

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Rollout(self.rollout.clone()), Subject::Team(self.team.clone())]
    }

    fn upcast(_: u32, body: &str) -> Result<Self, String> {
        serde_json::from_str(body).map_err(|e| e.to_string())
    }
}

impl Kind for ReportPublished {
    const NAME: &'static str = "report.published";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Rollout(self.rollout.clone()), Subject::Team(self.team.clone())]
    }
}

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} reported on {}: {}", self.team, self.rollout, self.outcome)?;
        if let Some(file) = &self.file {
            write!(f, " ({})", file.name)?;
        }
        if !self.summary.is_empty() {
            write!(f, "; {}", self.summary)?;
        }
        let said = Sections::ASKED.iter().zip(self.sections.said()).filter(|(_, said)| !said.is_empty());
        said.into_iter().try_for_each(|((heading, _), said)| write!(f, "; {heading}: {said}"))
    }
}

impl fmt::Display for ReportPublished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rollout, team, published } = self;
        let what = if *published { "published" } else { "unpublished" };
        write!(f, "{what} the report of {team} on {rollout}")
    }
}
