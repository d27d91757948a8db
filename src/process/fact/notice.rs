//! Facts about notices: what somebody has to be told, and what became of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Kind, Subject};
use crate::domain::names::{HookName, RolloutId};

/// Somebody has to be told of an entry. It is written in the same append as that entry, so that neither is there
/// without the other; its number is the notice's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Due {
    /// The receiver, as the configuration names it.
    pub to: HookName,
    /// The number of the entry.
    pub cause: u64,
    /// The rollout that it is about.
    pub rollout: RolloutId,
}

/// A notice was taken by its receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sent {
    /// The receiver.
    pub to: HookName,
    /// The number of the notice.
    pub notice: u64,
    /// The rollout that it is about.
    pub rollout: RolloutId,
}

/// A notice will not be sent any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenUp {
    /// The receiver.
    pub to: HookName,
    /// The number of the notice.
    pub notice: u64,
    /// The rollout that it is about.
    pub rollout: RolloutId,
    /// Why.
    pub why: String,
}

impl Kind for Due {
    const NAME: &'static str = "notice.due";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Rollout(self.rollout.clone())]
    }
}

impl Kind for Sent {
    const NAME: &'static str = "notice.sent";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Rollout(self.rollout.clone())]
    }
}

impl Kind for GivenUp {
    const NAME: &'static str = "notice.given_up";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Rollout(self.rollout.clone())]
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
