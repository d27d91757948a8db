//! Facts about maintenances: times at which nothing is promoted, told beforehand (S3-35).

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::halt::place;
use super::{Kind, Subject};
use crate::domain::names::{DistPath, MaintenanceId};

/// A maintenance was declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceDeclared {
    /// Its id.
    pub maintenance: MaintenanceId,
    /// Only in this distribution; everywhere if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dist: Option<DistPath>,
    /// What is done, for everybody who has to wait.
    pub title: String,
    /// When it starts, by the wall clock.
    pub start: Timestamp,
    /// When it ends, by the wall clock.
    pub end: Timestamp,
    /// Why it could not be declared earlier or cannot be shorter; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub justification: String,
}

/// A maintenance does not take place, or is over before its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceEnded {
    /// Its id.
    pub maintenance: MaintenanceId,
}

impl Kind for MaintenanceDeclared {
    const NAME: &'static str = "maintenance.declared";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Halts]
    }
}

impl Kind for MaintenanceEnded {
    const NAME: &'static str = "maintenance.ended";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Halts]
    }
}

impl fmt::Display for MaintenanceDeclared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { maintenance, dist, title, start, end, justification } = self;
        let place = place(dist.as_ref());
        write!(f, "declared the maintenance {maintenance} {place}, from {start:.0} to {end:.0}: {title}")?;
        if justification.is_empty() { Ok(()) } else { write!(f, " ({justification})") }
    }
}

impl fmt::Display for MaintenanceEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "called off the maintenance {}", self.maintenance)
    }
}
