//! Facts about updates: the numbers under which sites know what was released (S1-33).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::bundle::told;
use super::{Kind, Subject};
use crate::domain::names::{BundleId, RolloutId, Series};

/// An update got its number, the next of its series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateNumbered {
    /// The series, such as `gLite-3.2`.
    pub series: Series,
    /// The number; the first is 1.
    pub number: u64,
    /// What it releases.
    pub rollouts: BTreeSet<RolloutId>,
    /// The bundle that it releases, wholly or partly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<BundleId>,
}

impl Kind for UpdateNumbered {
    const NAME: &'static str = "update.numbered";

    fn about(&self) -> Vec<Subject> {
        let bundle = self.bundle.iter().cloned().map(Subject::Bundle);
        bundle.chain(self.rollouts.iter().cloned().map(Subject::Rollout)).collect()
    }
}

impl fmt::Display for UpdateNumbered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { series, number, rollouts, bundle } = self;
        let of = bundle.as_ref().map(|bundle| format!(" of the bundle {bundle}")).unwrap_or_default();
        write!(f, "numbered update {number} of {series}: {}{of}", told(rollouts.iter()))
    }
}
