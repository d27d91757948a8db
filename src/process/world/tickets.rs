//! What trackers said: deliveries that were heard, and the newest word on each rollout.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use imbl::{OrdMap, Vector};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{Stamp, World};
use crate::domain::names::{HookName, RolloutId};
use crate::process::fact::ticket::Heard;

/// Deliveries that are remembered for each webhook. A tracker repeats within minutes; at one a
/// second this covers two days. An older repetition is harmless all the same: the rollout has moved on.
pub const DELIVERIES_KEPT: usize = 200_000;

/// What trackers said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tickets {
    deliveries: OrdMap<HookName, Deliveries>,
    /// The newest time, by its own clock, at which a tracker has spoken of a rollout.
    newest: OrdMap<(HookName, RolloutId), Timestamp>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Deliveries {
    known: OrdMap<SmolStr, Words>,
    order: Vector<SmolStr>,
}

/// What a delivery said, to tell a repetition from another one under the same id. Not when it said so: some trackers
/// date a repetition anew. And not who said so: the logbook has an id for them, which changes when they are erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words(u64);

impl Words {
    /// What was said of a rollout.
    pub fn of(rollout: &str, state: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (rollout, state).hash(&mut hasher);
        Self(hasher.finish())
    }
}

impl Tickets {
    /// What this delivery of this webhook said when it was heard before.
    pub fn heard(&self, hook: &HookName, delivery: &str) -> Option<Words> {
        self.deliveries.get(hook)?.known.get(delivery).copied()
    }

    /// Whether the tracker has said something newer of this rollout already: deliveries overtake one another.
    pub fn is_stale(&self, hook: &HookName, rollout: &str, said: Option<Timestamp>) -> bool {
        let Ok(id) = rollout.parse::<RolloutId>() else { return false };
        let newest = self.newest.get(&(hook.clone(), id));
        newest.zip(said).is_some_and(|(newest, said)| said < *newest)
    }
}

impl Deliveries {
    fn remember(&mut self, delivery: &str, words: Words) {
        if self.known.contains_key(delivery) {
            return;
        }
        let delivery = SmolStr::new(delivery);
        self.known.insert(delivery.clone(), words);
        self.order.push_back(delivery);
        if self.order.len() > DELIVERIES_KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

impl World {
    pub(super) fn heard(&mut self, stamp: Stamp<'_>, heard: &Heard) {
        let Heard { hook, delivery, rollout, state, at: said } = heard;
        let words = Words::of(rollout, state);
        self.tickets.deliveries.entry(hook.clone()).or_default().remember(delivery, words);
        if self.tickets.is_stale(hook, rollout, *said) {
            return;
        }
        if let Ok(id) = rollout.parse::<RolloutId>()
            && let Some(said) = said
            && self.rollouts.get(&id).is_some()
        {
            // What was dated in the future when it was heard is no newer than what is said from then on.
            let newest = self.tickets.newest.entry((hook.clone(), id)).or_insert(Timestamp::MIN);
            *newest = (*newest).max((*said).min(stamp.at));
        }
        // The newest word of a tracker is what counts; an `Awaits` may follow.
        self.rollouts.no_longer_wants(rollout, |wanted| wanted.hook.as_ref() == Some(hook));
    }
}
