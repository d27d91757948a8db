//! Halts: where nothing is promoted, since when and why.

use imbl::OrdMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Stamp;
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{Actor, DistPath};
use crate::process::fact::halt::{HaltEnded, Halted, place};

/// The code of an objection to what is halted.
pub const HALTED: &str = "halted";

/// A halt that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// Since when.
    pub since: Timestamp,
    /// Who halted.
    pub by: Actor,
    /// Why.
    pub reason: String,
}

/// All halts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Halts {
    by_place: OrdMap<Option<DistPath>, Halt>,
    /// How often one has begun or ended, so that whoever goes by them knows when to look again.
    pub changes: u64,
}

impl Halts {
    /// The halt of exactly this place: a distribution, or everything.
    pub fn at(&self, dist: Option<&DistPath>) -> Option<&Halt> {
        self.by_place.get(&dist.cloned())
    }

    /// What halts a distribution: a halt of everything, or its own.
    pub fn of(&self, dist: &DistPath) -> Option<(Option<&DistPath>, &Halt)> {
        let found = self.by_place.get_key_value(&None).or_else(|| self.by_place.get_key_value(&Some(dist.clone())));
        found.map(|(place, halt)| (place.as_ref(), halt))
    }

    /// All of them, that of everything first.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&DistPath>, &Halt)> {
        self.by_place.iter().map(|(place, halt)| (place.as_ref(), halt))
    }

    /// Why nothing is promoted in these distributions.
    pub fn objection<'d>(&self, mut dists: impl Iterator<Item = &'d DistPath>) -> Option<Finding> {
        let (dist, halt) = dists.find_map(|dist| self.of(dist))?;
        let reason = halt.reason.strip_suffix('.').unwrap_or(&halt.reason);
        let sentence = format!("Promotions are halted {} since {:.0}: {reason}.", place(dist), halt.since);
        Some(Finding::new(Verdict::Wait, HALTED, sentence))
    }

    pub(super) fn begun(&mut self, stamp: Stamp<'_>, Halted { dist, reason }: &Halted) {
        let halt = Halt { since: stamp.at, by: Actor::recorded(stamp.who), reason: reason.clone() };
        self.by_place.insert(dist.clone(), halt);
        self.changes += 1;
    }

    pub(super) fn ended(&mut self, HaltEnded { dist }: &HaltEnded) {
        self.by_place.remove(dist);
        self.changes += 1;
    }
}
