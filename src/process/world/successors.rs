//! Which rollouts have taken the place of others.

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};

use crate::domain::names::RolloutId;
use crate::process::fact::change::Superseded;

/// The rollouts that have taken the place of others, whatever has become of them since.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Successors {
    of: OrdMap<RolloutId, RolloutId>,
    /// Those whose place each has taken.
    before: OrdMap<RolloutId, OrdSet<RolloutId>>,
}

impl Successors {
    /// The one that has taken the place of a rollout.
    pub fn of(&self, rollout: &RolloutId) -> Option<&RolloutId> {
        self.of.get(rollout)
    }

    /// Those whose place a rollout has taken.
    pub fn before(&self, rollout: &RolloutId) -> impl Iterator<Item = &RolloutId> {
        self.before.get(rollout).into_iter().flat_map(OrdSet::iter)
    }

    pub(super) fn superseded(&mut self, Superseded { rollout, by }: &Superseded) {
        let earlier = self.of.insert(rollout.clone(), by.clone());
        if let Some(others) = earlier.and_then(|earlier| self.before.get_mut(&earlier)) {
            others.remove(rollout);
        }
        self.before.entry(by.clone()).or_default().insert(rollout.clone());
    }
}
