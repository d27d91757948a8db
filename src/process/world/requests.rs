//! Changes that people ask for, and the rollouts that carry them out.
//!
//! While a change is stalled, the waits of its rollouts stand still (S3-08). How long that was is kept for each rollout and
//! not for the change, so that it counts also when the rollout is tied to another one later.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use imbl::{OrdMap, OrdSet, Vector};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Stamp;
use crate::domain::moment::Elapsed;
use crate::domain::names::{Actor, Category, ChangeId, Role, RolloutId};
use crate::domain::request::{ChangeKind, Priority, Status};
use crate::process::fact::request::{
    ChangeApproved, ChangeAssessed, ChangeDisapproved, ChangeRecorded, ChangeTied, ChangeUntied, ChangeWent,
};

/// Pauses that are kept of one rollout. Of more the oldest two count as one, with what was between them.
const PAUSES_KEPT: usize = 100;

/// A change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// One line for people.
    pub title: String,
    /// Whose request it is, if not the site's own.
    pub origin: String,
    /// What it is about.
    pub category: Option<Category>,
    /// How urgent it is.
    pub priority: Priority,
    /// Which way it takes.
    pub kind: ChangeKind,
    /// The rule by which it needs no approval.
    pub rule: Option<String>,
    /// How it stands.
    pub status: Status,
    /// Since when.
    pub since: Timestamp,
    /// How it stood before.
    pub left: Option<Status>,
    /// Who recorded it.
    pub by: Actor,
    /// When.
    pub recorded: Timestamp,
    /// What the work is, as it was said last.
    pub assessment: Option<Assessment>,
    /// Who approves that, and for which group.
    pub approvals: OrdMap<Actor, (Role, Timestamp)>,
    /// The rollouts that carry it out.
    pub rollouts: OrdSet<RolloutId>,
}

/// What the work of a change is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// It.
    pub text: String,
    /// Who says so.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
}

/// When the waits of a rollout stood still, by elapsed time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Pauses {
    /// Since when they do now.
    since: Option<Elapsed>,
    /// The pauses that are over, in order.
    over: Vector<(Elapsed, Elapsed)>,
}

impl Pauses {
    fn begin(&mut self, at: Elapsed) {
        self.since.get_or_insert(at);
    }

    fn end(&mut self, at: Elapsed) {
        let Some(since) = self.since.take() else { return };
        self.over.push_back((since, at.max(since)));
        if self.over.len() > PAUSES_KEPT
            && let (Some(first), Some(second)) = (self.over.pop_front(), self.over.pop_front())
        {
            self.over.push_front((first.0, second.1));
        }
    }

    /// How long it was in all between two times.
    fn between(&self, from: Elapsed, until: Elapsed) -> Duration {
        let open = self.since.map(|since| (since, until));
        let spans = self.over.iter().copied().chain(open);
        let within = |(begin, end): (Elapsed, Elapsed)| {
            Duration::try_from(end.min(until).since(begin.max(from))).unwrap_or_default()
        };
        spans.map(within).fold(Duration::ZERO, Duration::saturating_add)
    }

    fn wait_from(&mut self, now: Elapsed) {
        self.since = self.since.map(|since| since.min(now));
        for (begin, end) in &mut self.over {
            (*begin, *end) = ((*begin).min(now), (*end).min(now));
        }
    }
}

/// All changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Requests {
    by_id: OrdMap<ChangeId, Arc<Request>>,
    /// Those about which somebody has to do something, the most urgent first and then the oldest (S3-16).
    open: OrdSet<(Reverse<Priority>, Timestamp, ChangeId)>,
    of_rollout: OrdMap<RolloutId, ChangeId>,
    paused: OrdMap<RolloutId, Pauses>,
}

impl Requests {
    /// One change.
    pub fn get(&self, id: &ChangeId) -> Option<&Request> {
        self.by_id.get(id).map(|request| &**request)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&ChangeId, &Request)> {
        self.by_id.iter().map(|(id, request)| (id, &**request))
    }

    /// Those that are open, the most urgent first and then the oldest.
    pub fn open(&self) -> impl Iterator<Item = (&ChangeId, &Request)> {
        self.open.iter().filter_map(|(.., id)| Some((id, self.get(id)?)))
    }

    /// The change that a rollout carries out.
    pub fn of(&self, rollout: &RolloutId) -> Option<(&ChangeId, &Request)> {
        let id = self.of_rollout.get(rollout)?;
        Some((id, self.get(id)?))
    }

    /// The change for which the waits of a rollout stand still now.
    pub fn stalled(&self, rollout: &RolloutId) -> Option<&ChangeId> {
        self.of(rollout).filter(|(_, request)| request.status == Status::Stalled).map(|(id, _)| id)
    }

    /// How long the waits of a rollout stood still between two times.
    pub fn paused(&self, rollout: &RolloutId, from: Elapsed, until: Elapsed) -> Duration {
        self.paused.get(rollout).map(|pauses| pauses.between(from, until)).unwrap_or_default()
    }

    fn place(id: &ChangeId, request: &Request) -> (Reverse<Priority>, Timestamp, ChangeId) {
        (Reverse(request.priority), request.recorded, id.clone())
    }

    /// Changes a change, and the index with it.
    fn change(&mut self, id: &ChangeId, how: impl FnOnce(&mut Request)) {
        let Some(request) = self.by_id.get_mut(id).map(Arc::make_mut) else { return };
        self.open.remove(&Self::place(id, request));
        how(request);
        if request.status.is_open() {
            self.open.insert(Self::place(id, request));
        }
    }

    pub(super) fn recorded(&mut self, stamp: Stamp<'_>, recorded: &ChangeRecorded) {
        let ChangeRecorded { change, title, origin, category, priority, kind, rule } = recorded.clone();
        let request = Request {
            title,
            origin,
            category,
            priority,
            kind,
            rule,
            status: Status::New,
            since: stamp.at,
            left: None,
            by: Actor::recorded(stamp.who),
            recorded: stamp.at,
            assessment: None,
            approvals: OrdMap::new(),
            rollouts: OrdSet::new(),
        };
        self.open.insert(Self::place(&change, &request));
        self.by_id.insert(change, Arc::new(request));
    }

    /// An approval holds for what was assessed, so it lapses when that changes.
    pub(super) fn assessed(&mut self, stamp: Stamp<'_>, assessed: &ChangeAssessed) {
        let ChangeAssessed { change, assessment: text, priority, category } = assessed.clone();
        self.change(&change, |request| {
            request.assessment = Some(Assessment { text, by: Actor::recorded(stamp.who), at: stamp.at });
            request.priority = priority;
            request.category = category;
            request.approvals = OrdMap::new();
        });
    }

    pub(super) fn approved(&mut self, stamp: Stamp<'_>, ChangeApproved { change, role }: &ChangeApproved) {
        let by = Actor::recorded(stamp.who);
        self.change(change, |request| drop(request.approvals.insert(by, (role.clone(), stamp.at))));
    }

    pub(super) fn disapproved(&mut self, stamp: Stamp<'_>, ChangeDisapproved { change }: &ChangeDisapproved) {
        let by = Actor::recorded(stamp.who);
        self.change(change, |request| drop(request.approvals.remove(&by)));
    }

    pub(super) fn went(&mut self, stamp: Stamp<'_>, ChangeWent { change, from, to }: &ChangeWent) {
        self.change(change, |request| {
            request.left = Some(*from);
            request.status = *to;
            request.since = stamp.at;
        });
        let rollouts = self.get(change).map(|request| request.rollouts.clone()).unwrap_or_default();
        for rollout in &rollouts {
            self.pause(rollout, *to == Status::Stalled, stamp.since);
        }
    }

    pub(super) fn tied(&mut self, stamp: Stamp<'_>, ChangeTied { change, rollout }: &ChangeTied) {
        if let Some(before) = self.of_rollout.insert(rollout.clone(), change.clone()) {
            self.change(&before, |request| drop(request.rollouts.remove(rollout)));
        }
        self.change(change, |request| drop(request.rollouts.insert(rollout.clone())));
        let is_stalled = self.stalled(rollout).is_some();
        self.pause(rollout, is_stalled, stamp.since);
    }

    pub(super) fn untied(&mut self, stamp: Stamp<'_>, ChangeUntied { change, rollout }: &ChangeUntied) {
        self.of_rollout.remove(rollout);
        self.change(change, |request| drop(request.rollouts.remove(rollout)));
        self.pause(rollout, false, stamp.since);
    }

    /// The waits of a rollout stand still from now on, or go on.
    fn pause(&mut self, rollout: &RolloutId, stands_still: bool, at: Elapsed) {
        if stands_still {
            self.paused.entry(rollout.clone()).or_default().begin(at);
        } else if let Some(pauses) = self.paused.get_mut(rollout) {
            pauses.end(at);
        }
    }

    /// Whatever a clock that was ahead has dated later than `now` is from now on.
    pub(super) fn wait_from(&mut self, now: Elapsed) {
        let is_ahead = |pauses: &Pauses| {
            pauses.since.is_some_and(|since| since > now) || pauses.over.iter().any(|(_, end)| *end > now)
        };
        let ahead: Vec<RolloutId> =
            self.paused.iter().filter(|(_, pauses)| is_ahead(pauses)).map(|(id, _)| id.clone()).collect();
        for rollout in ahead {
            if let Some(pauses) = self.paused.get_mut(&rollout) {
                pauses.wait_from(now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Elapsed {
        Elapsed::recorded(Timestamp::from_second(second).expect("a time"))
    }

    #[test]
    fn what_stood_still_counts_as_far_as_it_was_within_a_wait() {
        let mut pauses = Pauses::default();
        let within = |pauses: &Pauses, from, until| pauses.between(at(from), at(until)).as_secs();
        pauses.end(at(5));
        pauses.begin(at(10));
        pauses.begin(at(12));
        assert_eq!((within(&pauses, 0, 15), within(&pauses, 12, 15), within(&pauses, 0, 9)), (5, 3, 0));
        pauses.end(at(20));
        pauses.begin(at(30));
        assert_eq!((within(&pauses, 0, 29), within(&pauses, 15, 35), within(&pauses, 40, 50)), (10, 10, 10));
        pauses.wait_from(at(25));
        assert_eq!((within(&pauses, 0, 26), within(&pauses, 0, 20)), (11, 10));
    }

    #[test]
    fn many_pauses_are_never_less_than_they_were() {
        let mut pauses = Pauses::default();
        for n in 0..300 {
            pauses.begin(at(n * 10));
            pauses.end(at(n * 10 + 4));
        }
        assert_eq!(pauses.over.len(), PAUSES_KEPT);
        assert!(pauses.between(at(0), at(3_000)) >= Duration::from_mins(20));
    }
}
