//! Reviews of what was released, and of emergencies.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Stamp;
use crate::domain::names::{Actor, ChangeId, RolloutId};
use crate::domain::review::Cause;
use crate::process::fact::review::{ReviewAnswered, ReviewOpened, ReviewOverdue, Reviewed};

/// A review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Why there is one.
    pub cause: Cause,
    /// What it is about.
    pub of: Reviewed,
    /// When it was opened.
    pub opened: Timestamp,
    /// Until when it has to be answered.
    pub due: Timestamp,
    /// When it was found that nobody had answered in time.
    pub overdue: Option<Timestamp>,
    /// What people answer, each once.
    pub answers: OrdMap<Actor, Answer>,
}

/// What somebody answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Whether release notes and documentation were sufficient.
    pub documented: bool,
    /// Whether it works as expected.
    pub works: bool,
    /// What else there is to say.
    pub note: String,
    /// When.
    pub at: Timestamp,
}

/// All reviews.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reviews {
    by_number: OrdMap<u64, Arc<Review>>,
    /// Those that nobody has answered, by when they are due.
    open: OrdSet<(Timestamp, u64)>,
    /// Those of them of which nobody was told that they are overdue.
    untold: OrdSet<(Timestamp, u64)>,
    of_rollout: OrdMap<RolloutId, OrdSet<u64>>,
    of_emergency: OrdMap<ChangeId, u64>,
}

impl Reviews {
    /// One review.
    pub fn get(&self, number: u64) -> Option<&Review> {
        self.by_number.get(&number).map(|review| &**review)
    }

    /// All of them, by number.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &Review)> {
        self.by_number.iter().map(|(number, review)| (*number, &**review))
    }

    /// Those that nobody has answered, by when they are due.
    pub fn open(&self) -> impl Iterator<Item = (u64, &Review)> {
        self.open.iter().filter_map(|(_, number)| Some((*number, self.get(*number)?)))
    }

    /// Those that came due until then, and of which nobody was told.
    pub fn came_due(&self, until: Timestamp) -> impl Iterator<Item = (u64, &Review)> {
        let due = self.untold.iter().take_while(move |(due, _)| *due <= until);
        due.filter_map(|(_, number)| Some((*number, self.get(*number)?)))
    }

    /// The reviews of a rollout.
    pub fn of(&self, rollout: &RolloutId) -> impl Iterator<Item = (u64, &Review)> {
        let numbers = self.of_rollout.get(rollout).into_iter().flat_map(OrdSet::iter);
        numbers.filter_map(|number| Some((*number, self.get(*number)?)))
    }

    /// Whether a rollout has a review that nobody has answered.
    pub fn has_open(&self, rollout: &RolloutId) -> bool {
        self.of(rollout).any(|(_, review)| review.answers.is_empty())
    }

    /// The review of an emergency.
    pub fn of_emergency(&self, change: &ChangeId) -> Option<(u64, &Review)> {
        let number = self.of_emergency.get(change)?;
        Some((*number, self.get(*number)?))
    }

    /// The number of the next one.
    pub fn next(&self) -> u64 {
        self.by_number.get_max().map_or(1, |(number, _)| number + 1)
    }

    pub(super) fn opened(&mut self, stamp: Stamp<'_>, opened: &ReviewOpened) {
        let ReviewOpened { review, cause, of, due } = opened.clone();
        if let Some(rollout) = &of.rollout {
            self.of_rollout.entry(rollout.clone()).or_default().insert(review);
        }
        if let Some(change) = of.change.as_ref().filter(|_| cause == Cause::Emergency) {
            self.of_emergency.insert(change.clone(), review);
        }
        self.open.insert((due, review));
        self.untold.insert((due, review));
        let new = Review { cause, of, opened: stamp.at, due, overdue: None, answers: OrdMap::new() };
        self.by_number.insert(review, Arc::new(new));
    }

    pub(super) fn answered(&mut self, stamp: Stamp<'_>, answered: &ReviewAnswered) {
        let ReviewAnswered { review, documented, works, note, .. } = answered.clone();
        let Some(known) = self.by_number.get_mut(&review).map(Arc::make_mut) else { return };
        known.answers.insert(Actor::recorded(stamp.who), Answer { documented, works, note, at: stamp.at });
        self.open.remove(&(known.due, review));
        self.untold.remove(&(known.due, review));
    }

    pub(super) fn is_overdue(&mut self, stamp: Stamp<'_>, ReviewOverdue { review, .. }: &ReviewOverdue) {
        let Some(known) = self.by_number.get_mut(review).map(Arc::make_mut) else { return };
        known.overdue = Some(stamp.at);
        self.untold.remove(&(known.due, *review));
    }
}
