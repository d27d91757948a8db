//! Facts about notices: what somebody has to be told, and what became of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Kind, Subject};
use crate::domain::message::{Group, TemplateName, Values};
use crate::domain::names::{BundleId, ChangeId, HookName, RolloutId};
use crate::domain::naming::team::TeamName;

/// Somebody has to be told of an entry. It is written in the same append as that entry, so that neither is there
/// without the other; its number is the notice's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Due {
    /// The receiver, as the configuration names it.
    pub to: HookName,
    /// The number of the entry.
    pub cause: u64,
    /// The rollout that it is about, if it is about one.
    pub rollout: Option<RolloutId>,
    /// The change that it is about; version 1 has none.
    #[serde(default)]
    pub change: Option<ChangeId>,
}

/// A notice was taken by its receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sent {
    /// The receiver.
    pub to: HookName,
    /// The number of the notice.
    pub notice: u64,
    /// The rollout that it is about, if it is about one.
    pub rollout: Option<RolloutId>,
    /// The change that it is about; version 1 has none.
    #[serde(default)]
    pub change: Option<ChangeId>,
}

/// A notice will not be sent any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenUp {
    /// The receiver.
    pub to: HookName,
    /// The number of the notice.
    pub notice: u64,
    /// The rollout that it is about, if it is about one.
    pub rollout: Option<RolloutId>,
    /// The change that it is about; version 1 has none.
    #[serde(default)]
    pub change: Option<ChangeId>,
    /// Why.
    pub why: String,
}

/// People have to be told something. It is written in the same append as what they have to be told of; its number is the
/// message's. The world keeps it as it is, so no field is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Who, by groups.
    pub to: Vec<Group>,
    /// The teams that the groups `team` and `early-adopters` were at that time.
    pub teams: Vec<TeamName>,
    /// The procedure that has the template.
    pub procedure: String,
    /// What, as the procedure names it.
    pub template: TemplateName,
    /// The values that the template needs, as they were.
    pub values: Values,
    /// The number of the entry that they are told of.
    pub cause: u64,
    /// The rollout that it is about, if it is about one.
    pub rollout: Option<RolloutId>,
    /// The bundle that it is about, if it is about one.
    pub bundle: Option<BundleId>,
}

/// Somebody has told them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The number of the message.
    pub message: u64,
    /// The rollout that it was about, if it was about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutId>,
    /// The bundle that it was about, if it was about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<BundleId>,
}

impl Kind for Message {
    const NAME: &'static str = "notice.message";

    fn about(&self) -> Vec<Subject> {
        of_either(self.rollout.as_ref(), self.bundle.as_ref())
    }
}

impl Kind for Told {
    const NAME: &'static str = "notice.told";

    fn about(&self) -> Vec<Subject> {
        of_either(self.rollout.as_ref(), self.bundle.as_ref())
    }
}

fn of_either(rollout: Option<&RolloutId>, bundle: Option<&BundleId>) -> Vec<Subject> {
    rollout.cloned().map(Subject::Rollout).into_iter().chain(bundle.cloned().map(Subject::Bundle)).collect()
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to: Vec<&str> = self.to.iter().map(Group::as_str).collect();
        write!(f, "{} {} to be told: {}", to.join(", "), if to.len() == 1 { "is" } else { "are" }, self.template)
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "people were told (message {})", self.message)
    }
}

fn subjects(rollout: Option<&RolloutId>, change: Option<&ChangeId>) -> Vec<Subject> {
    rollout.cloned().map(Subject::Rollout).into_iter().chain(change.cloned().map(Subject::Change)).collect()
}

impl Kind for Due {
    const NAME: &'static str = "notice.due";
    const VERSION: u32 = 2;

    fn about(&self) -> Vec<Subject> {
        subjects(self.rollout.as_ref(), self.change.as_ref())
    }

    fn upcast(_: u32, body: &str) -> Result<Self, String> {
        serde_json::from_str(body).map_err(|e| e.to_string())
    }
}

impl Kind for Sent {
    const NAME: &'static str = "notice.sent";
    const VERSION: u32 = 2;

    fn about(&self) -> Vec<Subject> {
        subjects(self.rollout.as_ref(), self.change.as_ref())
    }

    fn upcast(_: u32, body: &str) -> Result<Self, String> {
        serde_json::from_str(body).map_err(|e| e.to_string())
    }
}

impl Kind for GivenUp {
    const NAME: &'static str = "notice.given_up";
    const VERSION: u32 = 2;

    fn about(&self) -> Vec<Subject> {
        subjects(self.rollout.as_ref(), self.change.as_ref())
    }

    fn upcast(_: u32, body: &str) -> Result<Self, String> {
        serde_json::from_str(body).map_err(|e| e.to_string())
    }
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is to be notified of entry {}", self.to, self.cause)
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "notified {} (notice {})", self.to, self.notice)
    }
}

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gave up notifying {} (notice {}): {}", self.to, self.notice, self.why)
    }
}
