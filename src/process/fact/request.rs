//! Facts about changes: what somebody asks to be changed, what the work would be, who approves, and how it stands (S3-05 to
//! S3-16). What people add to a rollout is in `change`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Kind, Subject};
use crate::domain::names::{Category, ChangeId, Role, RolloutId};
use crate::domain::request::{ChangeKind, Priority, Status};

/// A change was recorded; its id is never used again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeRecorded {
    /// Its id.
    pub change: ChangeId,
    /// One line for people.
    pub title: String,
    /// Whose request it is, if not the site's own (S3-06).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub origin: String,
    /// What it is about (S3-10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// How urgent it is.
    pub priority: Priority,
    /// Which way it takes.
    pub kind: ChangeKind,
    /// The rule by which it needs no approval (S3-11).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// Somebody says what work a change is (S3-13); approvals of an earlier assessment count no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeAssessed {
    /// The change.
    pub change: ChangeId,
    /// What the work is.
    pub assessment: String,
    /// How urgent it is, from now on.
    pub priority: Priority,
    /// What it is about, from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
}

/// Somebody approves a change, for a group (S3-14).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeApproved {
    /// The change.
    pub change: ChangeId,
    /// The group for which they speak.
    pub role: Role,
}

/// Somebody takes their approval back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeDisapproved {
    /// The change.
    pub change: ChangeId,
}

/// A change has another status (S3-07).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeWent {
    /// The change.
    pub change: ChangeId,
    /// From this status.
    pub from: Status,
    /// To this one.
    pub to: Status,
}

/// A rollout carries a change out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeTied {
    /// The change.
    pub change: ChangeId,
    /// The rollout, which carries out no other one.
    pub rollout: RolloutId,
}

/// A rollout does not carry a change out any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeUntied {
    /// The change.
    pub change: ChangeId,
    /// The rollout.
    pub rollout: RolloutId,
}

macro_rules! kinds {
    ($($kind:ident $name:literal;)*) => {
        $(impl Kind for $kind {
            const NAME: &'static str = $name;

            fn about(&self) -> Vec<Subject> {
                vec![Subject::Change(self.change.clone())]
            }
        })*
    };
}

kinds! {
    ChangeRecorded "change.recorded";
    ChangeAssessed "change.assessed";
    ChangeApproved "change.approved";
    ChangeDisapproved "change.disapproved";
    ChangeWent "change.went";
}

impl Kind for ChangeTied {
    const NAME: &'static str = "change.tied";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Change(self.change.clone()), Subject::Rollout(self.rollout.clone())]
    }
}

impl Kind for ChangeUntied {
    const NAME: &'static str = "change.untied";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Change(self.change.clone()), Subject::Rollout(self.rollout.clone())]
    }
}

impl fmt::Display for ChangeRecorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { change, title, origin, category, priority, kind, rule } = self;
        write!(f, "recorded the {kind} change {change}, priority {priority}")?;
        if let Some(rule) = rule {
            write!(f, ", by the rule {rule}")?;
        }
        if let Some(category) = category {
            write!(f, ", of {category}")?;
        }
        if !origin.is_empty() {
            write!(f, ", for {origin}")?;
        }
        write!(f, ": {title}")
    }
}

impl fmt::Display for ChangeAssessed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { change, assessment, priority, category } = self;
        write!(f, "assessed the change {change}, priority {priority}")?;
        if let Some(category) = category {
            write!(f, ", of {category}")?;
        }
        write!(f, ": {assessment}")
    }
}

impl fmt::Display for ChangeApproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "approved the change {}, for {}", self.change, self.role)
    }
}

impl fmt::Display for ChangeDisapproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "withdrew the approval of the change {}", self.change)
    }
}

impl fmt::Display for ChangeWent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the change {} went from {} to {}", self.change, self.from, self.to)
    }
}

impl fmt::Display for ChangeTied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} carries out the change {}", self.rollout, self.change)
    }
}

impl fmt::Display for ChangeUntied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} no longer carries out the change {}", self.rollout, self.change)
    }
}
