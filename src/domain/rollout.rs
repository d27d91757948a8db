//! One rollout: which packages, in which state, and what it waits for.

use jiff::Timestamp;

use super::names::{Actor, DistPath, HookName, RolloutId};
use super::nevra::Nevra;
use super::workflow::State;

/// Most packages that one rollout may name. The largest bundle of the seeds has some 300; a list
/// beyond this is a mistake, and its plan would not fit into one logbook entry that people can read.
pub const PACKAGES_MAX: usize = 5000;

/// The packages of a rollout in one distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The distribution.
    pub dist: DistPath,
    /// The packages, sorted, without repetition.
    pub packages: Vec<Nevra>,
}

/// A rollout as the world knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// How people and trackers call it.
    pub id: RolloutId,
    /// Its packages: at least one part, one for each distribution, in the order of their names.
    pub parts: Vec<Part>,
    /// One line for people.
    pub title: String,
    /// Where it stands in the procedure.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// Who put it there.
    pub by: Actor,
    /// A state that a tracker asked for and that cannot be reached yet.
    pub wanted: Option<Wanted>,
    /// The plan that is being carried out for it, by the number of its logbook entry.
    pub plan: Option<u64>,
    /// The state that it left with its last step.
    pub left: Option<State>,
    /// The state in which it was when nothing was being moved for it last: where its packages are, if what is being
    /// done now is given up. It is not the one that it left, where one step that waited gave way to another.
    pub rested: Option<State>,
}

impl Rollout {
    /// Its distributions, in order.
    pub fn dists(&self) -> impl Iterator<Item = &DistPath> {
        self.parts.iter().map(|part| &part.dist)
    }

    /// Its packages, each with its distribution.
    pub fn packages(&self) -> impl Iterator<Item = (&DistPath, &Nevra)> {
        self.parts.iter().flat_map(|part| part.packages.iter().map(|nevra| (&part.dist, nevra)))
    }
}

/// A state that a tracker asked for: kept until it can be reached or the tracker says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The state.
    pub state: State,
    /// Who asked.
    pub by: Actor,
    /// The webhook by which it came, whose rights it has.
    pub hook: Option<HookName>,
    /// When it was asked for.
    pub since: Timestamp,
    /// The elapsed time at which it may become possible by itself.
    pub not_before: Option<Timestamp>,
}
