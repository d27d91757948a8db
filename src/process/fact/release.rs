//! Facts about releases: what is planned for when, and since when the board knows (S0-14, S3-18 to S3-20).

use std::collections::BTreeSet;
use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Kind, Subject, count};
use crate::domain::names::{BundleId, ChangeId, ReleaseId, RolloutId};
use crate::format::quantity;

/// A release was planned, or is planned for another day or under another title.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasePlanned {
    /// Its name.
    pub release: ReleaseId,
    /// One line for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// The day.
    pub on: Date,
    /// How many seconds after it the next one is usually planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
}

/// A release has this scope, and no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseScoped {
    /// The release.
    pub release: ReleaseId,
    /// Its rollouts.
    pub rollouts: BTreeSet<RolloutId>,
    /// Bundles, each with all of its rollouts.
    pub bundles: BTreeSet<BundleId>,
}

/// The board was told of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseTold {
    /// The release.
    pub release: ReleaseId,
    /// The day on which it was told.
    pub on: Date,
}

/// A release will not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseCancelled {
    /// The release.
    pub release: ReleaseId,
}

/// The board was told of an emergency, after it (S3-20).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmergencyTold {
    /// The emergency.
    pub change: ChangeId,
    /// The day on which it was told.
    pub on: Date,
}

impl Kind for ReleasePlanned {
    const NAME: &'static str = "release.planned";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Release(self.release.clone())]
    }
}

impl Kind for ReleaseScoped {
    const NAME: &'static str = "release.scoped";

    fn about(&self) -> Vec<Subject> {
        let bundles = self.bundles.iter().cloned().map(Subject::Bundle);
        let rollouts = self.rollouts.iter().cloned().map(Subject::Rollout);
        std::iter::once(Subject::Release(self.release.clone())).chain(bundles).chain(rollouts).collect()
    }
}

impl Kind for ReleaseTold {
    const NAME: &'static str = "release.told";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Release(self.release.clone())]
    }
}

impl Kind for ReleaseCancelled {
    const NAME: &'static str = "release.cancelled";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Release(self.release.clone())]
    }
}

impl Kind for EmergencyTold {
    const NAME: &'static str = "change.told";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Change(self.change.clone())]
    }
}

impl fmt::Display for ReleasePlanned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { release, title, on, every } = self;
        write!(f, "planned the release {release} for {on}")?;
        if let Some(every) = every {
            write!(f, ", every {}", quantity::show_duration(std::time::Duration::from_secs(*every)))?;
        }
        if title.is_empty() { Ok(()) } else { write!(f, ": {title}") }
    }
}

impl fmt::Display for ReleaseScoped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rollouts, bundles) = (count(self.rollouts.len(), "rollout"), count(self.bundles.len(), "bundle"));
        write!(f, "the release {} has {rollouts} and {bundles}", self.release)?;
        let mut named = self.bundles.iter().map(BundleId::as_str).chain(self.rollouts.iter().map(RolloutId::as_str));
        let told: Vec<&str> = named.by_ref().take(super::TOLD_MOST).collect();
        let more = if named.next().is_some() { " and more" } else { "" };
        if told.is_empty() { Ok(()) } else { write!(f, ": {}{more}", told.join(", ")) }
    }
}

impl fmt::Display for ReleaseTold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the board was told of the release {} on {}", self.release, self.on)
    }
}

impl fmt::Display for ReleaseCancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cancelled the release {}", self.release)
    }
}

impl fmt::Display for EmergencyTold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the board was told of the emergency {} on {}", self.change, self.on)
    }
}
