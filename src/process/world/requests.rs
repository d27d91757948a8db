//! Changes that people ask for, and the rollouts that carry them out.
//!
//! While a change is stalled, the waits of its rollouts stand still (S3-08). How long that was is kept for each rollout and
//! not for the change, so that it counts also when the rollout is tied to another one later.

use std::cmp::Reverse;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Stamp;
use super::pauses::Pauses;
use crate::domain::moment::Elapsed;
use crate::domain::names::{Actor, Category, ChangeId, Role, RolloutId};
use crate::domain::request::{ChangeKind, Priority, Status};
use crate::process::fact::request::{
    ChangeApproved, ChangeAssessed, ChangeDisapproved, ChangeRecorded, ChangeTied, ChangeUntied, ChangeWent,
};

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

    /// When the waits of a rollout stood still.
    pub(super) fn pauses(&self, rollout: &RolloutId) -> Option<&Pauses> {
        self.paused.get(rollout)
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
        let ahead: Vec<RolloutId> =
            self.paused.iter().filter(|(_, pauses)| pauses.is_ahead(now)).map(|(id, _)| id.clone()).collect();
        for rollout in ahead {
            if let Some(pauses) = self.paused.get_mut(&rollout) {
                pauses.wait_from(now);
            }
        }
    }
}
