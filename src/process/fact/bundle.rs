//! Facts about bundles: rollouts that are released together (S1-16 to S1-21).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Kind, Subject, TOLD_MOST, count, more};
use crate::domain::names::{BundleId, RolloutId};

/// A bundle was opened; its id is never used again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleOpened {
    /// Its id.
    pub bundle: BundleId,
    /// One line for people.
    pub title: String,
}

/// A rollout joined a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleJoined {
    /// The bundle.
    pub bundle: BundleId,
    /// The rollout.
    pub rollout: RolloutId,
}

/// A rollout left a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleLeft {
    /// The bundle.
    pub bundle: BundleId,
    /// The rollout.
    pub rollout: RolloutId,
}

/// The release notes of a bundle list these rollouts, and no others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleAnnounced {
    /// The bundle.
    pub bundle: BundleId,
    /// What its release notes list.
    pub rollouts: BTreeSet<RolloutId>,
}

/// The packages of these rollouts move together: their plans are one from now on, of which all trees are staged before any
/// is shown (S1-18). It stands behind the steps themselves, in the same append.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleMoves {
    /// The bundle.
    pub bundle: BundleId,
    /// The rollouts that have packages to move.
    pub rollouts: BTreeSet<RolloutId>,
}

/// A bundle was closed: it has no part in anything any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleClosed {
    /// The bundle.
    pub bundle: BundleId,
}

impl Kind for BundleOpened {
    const NAME: &'static str = "bundle.opened";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Bundle(self.bundle.clone())]
    }
}

impl Kind for BundleJoined {
    const NAME: &'static str = "bundle.joined";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Bundle(self.bundle.clone()), Subject::Rollout(self.rollout.clone())]
    }
}

impl Kind for BundleLeft {
    const NAME: &'static str = "bundle.left";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Bundle(self.bundle.clone()), Subject::Rollout(self.rollout.clone())]
    }
}

impl Kind for BundleAnnounced {
    const NAME: &'static str = "bundle.announced";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Bundle(self.bundle.clone())]
    }
}

impl Kind for BundleMoves {
    const NAME: &'static str = "bundle.moves";

    fn about(&self) -> Vec<Subject> {
        let rollouts = self.rollouts.iter().cloned().map(Subject::Rollout);
        std::iter::once(Subject::Bundle(self.bundle.clone())).chain(rollouts).collect()
    }
}

impl Kind for BundleClosed {
    const NAME: &'static str = "bundle.closed";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Bundle(self.bundle.clone())]
    }
}

/// Rollouts, as far as they are told.
pub fn told<'r>(rollouts: impl ExactSizeIterator<Item = &'r RolloutId>) -> String {
    let all = rollouts.len();
    let mut told: Vec<String> = rollouts.take(TOLD_MOST).map(ToString::to_string).collect();
    told.extend(more(all));
    told.join(", ")
}

impl fmt::Display for BundleOpened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "opened the bundle {}", self.bundle)?;
        if self.title.is_empty() { Ok(()) } else { write!(f, ": {}", self.title) }
    }
}

impl fmt::Display for BundleJoined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "added {} to the bundle {}", self.rollout, self.bundle)
    }
}

impl fmt::Display for BundleLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "took {} out of the bundle {}", self.rollout, self.bundle)
    }
}

impl fmt::Display for BundleAnnounced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rollouts = count(self.rollouts.len(), "rollout");
        write!(f, "the release notes of the bundle {} list {rollouts}: {}", self.bundle, told(self.rollouts.iter()))
    }
}

impl fmt::Display for BundleMoves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the packages of the bundle {} move together: {}", self.bundle, told(self.rollouts.iter()))
    }
}

impl fmt::Display for BundleClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "closed the bundle {}", self.bundle)
    }
}
