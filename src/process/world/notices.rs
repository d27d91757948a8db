//! Notices: the outbox. What has to be told to whom, and what was given up.

use imbl::{OrdMap, Vector};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Stamp;
use crate::domain::moment::Elapsed;
use crate::domain::names::{ChangeId, HookName, RolloutId};
use crate::process::fact::notice::{Due, GivenUp, Sent};

/// How many given-up notices are remembered; the logbook has all of them.
pub const GIVEN_UP_KEPT: usize = 1_000;

/// A notice that is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The number of the entry that somebody has to be told about.
    pub cause: u64,
    /// The rollout that it is about, if it is about one.
    pub rollout: Option<RolloutId>,
    /// The change that it is about, if it is about one.
    pub change: Option<ChangeId>,
    /// Since when it is due, by the wall clock.
    pub at: Timestamp,
    /// The same by elapsed time.
    pub since: Elapsed,
}

/// The outbox.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Notices {
    due: OrdMap<HookName, OrdMap<u64, Notice>>,
    given_up: Vector<(Timestamp, GivenUp)>,
}

impl Notices {
    /// The next one for a receiver: they are told in the order of the entries.
    pub fn first(&self, to: &HookName) -> Option<u64> {
        self.due.get(to).and_then(|due| due.keys().next().copied())
    }

    /// One that is due.
    pub fn due(&self, to: &HookName, number: u64) -> Option<&Notice> {
        self.due.get(to).and_then(|due| due.get(&number))
    }

    /// All that are due, by receiver and in order.
    pub fn all(&self) -> impl Iterator<Item = (&HookName, u64, &Notice)> {
        self.due.iter().flat_map(|(to, due)| due.iter().map(move |(number, notice)| (to, *number, notice)))
    }

    /// How many are due for each receiver.
    pub fn waiting(&self) -> impl Iterator<Item = (&HookName, usize)> {
        self.due.iter().map(|(to, due)| (to, due.len()))
    }

    /// The newest that were given up, the newest last.
    pub fn given_up(&self) -> impl DoubleEndedIterator<Item = (Timestamp, &GivenUp)> {
        self.given_up.iter().map(|(at, given_up)| (*at, given_up))
    }

    pub(super) fn is_due(&mut self, stamp: Stamp<'_>, Due { to, cause, rollout, change }: &Due) {
        let (rollout, change) = (rollout.clone(), change.clone());
        let notice = Notice { cause: *cause, rollout, change, at: stamp.at, since: stamp.since };
        self.due.entry(to.clone()).or_default().insert(stamp.seq, notice);
    }

    pub(super) fn sent(&mut self, Sent { to, notice, .. }: &Sent) {
        self.over(to, *notice);
    }

    pub(super) fn gave_up(&mut self, at: Timestamp, given_up: &GivenUp) {
        self.over(&given_up.to, given_up.notice);
        if self.given_up.len() == GIVEN_UP_KEPT {
            self.given_up.pop_front();
        }
        self.given_up.push_back((at, given_up.clone()));
    }

    /// Whatever a clock that was ahead has dated later than `now` waits from now on.
    pub(super) fn wait_from(&mut self, now: Elapsed) {
        let ahead = self.all().filter(|(.., notice)| notice.since > now);
        let ahead: Vec<(HookName, u64)> = ahead.map(|(to, number, _)| (to.clone(), number)).collect();
        for (to, number) in ahead {
            if let Some(notice) = self.due.get_mut(&to).and_then(|due| due.get_mut(&number)) {
                notice.since = now;
            }
        }
    }

    fn over(&mut self, to: &HookName, number: u64) {
        if let Some(due) = self.due.get_mut(to) {
            due.remove(&number);
            if due.is_empty() {
                self.due.remove(to);
            }
        }
    }
}
