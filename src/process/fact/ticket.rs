//! Facts about tickets: what trackers said.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Kind, Subject};
use crate::domain::names::HookName;

/// A webhook was received and is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heard {
    /// Which webhook.
    pub hook: HookName,
    /// The tracker's unique id for it.
    pub delivery: String,
    /// The rollout that it names, as it names it.
    pub rollout: String,
    /// The state that it names.
    pub state: String,
    /// When, by the tracker's clock; entries of format 1 do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl Kind for Heard {
    const NAME: &'static str = "ticket.heard";

    fn about(&self) -> Vec<Subject> {
        Subject::rollout(&self.rollout).into_iter().collect()
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requested that {} move to {}", self.hook, self.rollout, self.state)
    }
}
