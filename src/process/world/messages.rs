//! What people have to be told, until somebody has told them.
//!
//! Nothing sends it yet: it is listed, and whoever tells people says so. Therefore it is bounded: of more than
//! [`KEPT`] the oldest are forgotten here, and stay in the logbook.

use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Stamp;
use crate::process::fact::notice::{Message, Told};

/// Messages that are remembered until somebody has told people.
pub const KEPT: usize = 10_000;

/// What people have to be told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Messages {
    /// By the number of their entry, with the time since when they are due.
    due: OrdMap<u64, Arc<(Timestamp, Message)>>,
}

impl Messages {
    /// One that is due, and since when.
    pub fn get(&self, number: u64) -> Option<(Timestamp, &Message)> {
        self.due.get(&number).map(|due| (due.0, &due.1))
    }

    /// Those after a number, or all, the oldest first.
    pub fn after(&self, number: Option<u64>) -> impl Iterator<Item = (u64, Timestamp, &Message)> {
        let from = number.map_or(Bound::Unbounded, Bound::Excluded);
        self.due.range((from, Bound::Unbounded)).map(|(number, due)| (*number, due.0, &due.1))
    }

    pub(super) fn is_due(&mut self, stamp: Stamp<'_>, message: &Message) {
        self.due.insert(stamp.seq, Arc::new((stamp.at, message.clone())));
        if self.due.len() > KEPT
            && let Some(oldest) = self.due.keys().next().copied()
        {
            self.due.remove(&oldest);
        }
    }

    pub(super) fn told(&mut self, Told { message, .. }: &Told) {
        self.due.remove(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fact::Fact;
    use crate::process::fact::samples::of_messages;
    use crate::process::world::World;

    #[test]
    fn the_oldest_of_too_many_are_forgotten() {
        let message = of_messages().swap_remove(0);
        let mut world = World::default();
        let all = KEPT as u64 + 3;
        for seq in 1..=all {
            world.apply(seq, Timestamp::UNIX_EPOCH, "me", &message);
        }
        assert_eq!(world.messages.after(None).count(), KEPT);
        assert!(world.messages.get(3).is_none() && world.messages.get(4).is_some());
        let told = Told { message: 4, rollout: None, bundle: None };
        world.apply(all + 1, Timestamp::UNIX_EPOCH, "me", &Fact::Told(told));
        assert_eq!(world.messages.after(None).next().map(|(number, ..)| number), Some(5));
        assert_eq!(world.messages.after(Some(all - 1)).count(), 1);
    }
}
