//! Facts about the daemon itself.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Kind, Subject};

/// The daemon began to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Started {
    /// Its version.
    pub version: String,
    /// Until when the one before it has certainly run, by the wall clock; older programs did not write it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alive: Option<Timestamp>,
}

impl Kind for Started {
    const NAME: &'static str = "daemon.started";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Daemon]
    }
}

impl fmt::Display for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rolloutd {} started", self.version)
    }
}
