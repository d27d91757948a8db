//! One rollout: which packages, in which state, and what it waits for.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::moment::Elapsed;
use super::names::{Actor, DistPath, HookName, Role, RolloutId};
use super::naming::part::Stack;
use super::naming::title::Title;
use super::nevra::Nevra;
use super::workflow::State;

/// Most packages in one rollout. The largest bundle in the examples has some 300; a longer list is a mistake, and its
/// plan would not fit into one logbook entry that people can read.
pub const PACKAGES_MAX: usize = 5000;

/// The packages of a rollout in one distribution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The distribution.
    pub dist: DistPath,
    /// The packages, sorted, without duplicates.
    pub packages: Vec<Nevra>,
}

/// A rollout, as the world knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// Its name, as used by people and trackers.
    pub id: RolloutId,
    /// Its packages: at least one part, one for each distribution, in the order of their names.
    pub parts: Vec<Part>,
    /// One line for people.
    pub title: String,
    /// Its state in the procedure.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// When its state last changed or it joined a bundle, whichever was later, by elapsed time.
    pub changed: Elapsed,
    /// Who put it there.
    pub by: Actor,
    /// A state that a tracker requested and that cannot be reached yet, or that somebody wants at some time.
    pub wanted: Option<Wanted>,
    /// The plan being carried out for it, by the number of its logbook entry.
    pub plan: Option<u64>,
    /// The state before its last step.
    pub left: Option<State>,
    /// The state in which it last rested, with nothing being moved for it: where its packages are if the present work
    /// is given up. It differs from the state before the last step if one waiting step gave way to another.
    pub rested: Option<State>,
    /// Who submitted it.
    pub submitted_by: Actor,
    /// Whether it was cancelled before anything had moved for it.
    pub cancelled: bool,
    /// Whether it was said that it has been in its state for too long.
    pub delayed: bool,
}

/// The stack that a title names, if it names one.
pub fn stack_of(title: &str) -> Option<Stack> {
    title.parse::<Title>().ok()?.subject.stack
}

impl Rollout {
    /// Whether it would be about another stack, or in other distributions, with this title and these parts; then other roles
    /// hold for it (S0-07).
    pub fn would_leave(&self, title: Option<&str>, dists: Option<&BTreeSet<&DistPath>>) -> bool {
        let other_stack = title.is_some_and(|title| stack_of(title) != stack_of(&self.title));
        other_stack || dists.is_some_and(|dists| *dists != self.dists().collect())
    }

    /// Its distributions, in order.
    pub fn dists(&self) -> impl Iterator<Item = &DistPath> {
        self.parts.iter().map(|part| &part.dist)
    }

    /// Its packages, each with its distribution.
    pub fn packages(&self) -> impl Iterator<Item = (&DistPath, &Nevra)> {
        self.parts.iter().flat_map(|part| part.packages.iter().map(|nevra| (&part.dist, nevra)))
    }
}

/// A state that a tracker requested, or that a person wants at some time: kept until it can be reached or something else
/// is requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The state.
    pub state: State,
    /// Who requested it.
    pub by: Actor,
    /// The webhook that it came through, whose rights it has.
    pub hook: Option<HookName>,
    /// The roles of the person who wants it.
    pub roles: Vec<Role>,
    /// When it was requested.
    pub since: Timestamp,
    /// Not before this time on the wall clock, if a person said so.
    pub at: Option<Timestamp>,
    /// The elapsed time at which it may become possible by itself.
    pub not_before: Option<Elapsed>,
    /// The time on the wall clock at which it may: the calendar opens then.
    pub opens: Option<Timestamp>,
}

/// What is to be another than before in a rollout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Its title.
    pub title: Option<String>,
    /// More packages.
    pub add: Vec<Part>,
    /// Packages that it is not about any more.
    pub remove: Vec<Part>,
}
