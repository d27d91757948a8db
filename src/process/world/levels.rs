//! When the service was not there, and how long what it does has taken (S3-39, S3-41).

use std::time::Duration;

use imbl::{OrdMap, Vector};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Stamp;
use crate::domain::levels::{Durations, Span};
use crate::domain::moment::Elapsed;
use crate::domain::plan::Plan;
use crate::process::fact::daemon::Started;

/// Stops that are remembered; the logbook has all of them.
pub const STOPS_KEPT: usize = 2_000;

/// What the service levels are made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    /// When the daemon was started for the first time.
    began: Option<Timestamp>,
    /// From when to when it did not run.
    stops: Vector<Span>,
    /// Since when each plan that is being carried out is one.
    planned: OrdMap<u64, Elapsed>,
    /// Until clients saw what was promoted.
    pub promoted: Durations,
    /// Until they saw no longer what was withdrawn.
    pub withdrawn: Durations,
    /// Until people were told what they have to be told.
    pub told: Durations,
    /// Until receivers had their notices.
    pub delivered: Durations,
}

impl Levels {
    /// When the daemon was started for the first time.
    pub fn began(&self) -> Option<Timestamp> {
        self.began
    }

    /// From when to when it did not run, the oldest first.
    pub fn stops(&self) -> impl Iterator<Item = Span> {
        self.stops.iter().copied()
    }

    /// `last` is the time of the newest entry before.
    pub(super) fn started(&mut self, stamp: Stamp<'_>, last: Timestamp, Started { alive, .. }: &Started) {
        if self.began.is_none() {
            self.began = Some(stamp.at);
            return;
        }
        // Older programs did not write down until when they ran.
        let from = alive.unwrap_or(last);
        if from < stamp.at {
            self.stops.push_back((from, stamp.at));
            if self.stops.len() > STOPS_KEPT {
                self.stops.pop_front();
            }
        }
    }

    /// A plan was made, and the one before it is not carried out any more.
    pub(super) fn planned(&mut self, stamp: Stamp<'_>, instead_of: Option<u64>) {
        if let Some(old) = instead_of {
            self.planned.remove(&old);
        }
        self.planned.insert(stamp.seq, stamp.since);
    }

    pub(super) fn done(&mut self, stamp: Stamp<'_>, number: u64, plan: &Plan) {
        let Some(since) = self.planned.remove(&number) else { return };
        let took = Duration::try_from(stamp.since.since(since)).unwrap_or_default();
        let of = if plan.is_withdrawal() { &mut self.withdrawn } else { &mut self.promoted };
        of.add(stamp.at, took);
    }

    pub(super) fn told(&mut self, stamp: Stamp<'_>, due: Timestamp) {
        self.told.add(stamp.at, Duration::try_from(stamp.at.duration_since(due)).unwrap_or_default());
    }

    pub(super) fn delivered(&mut self, stamp: Stamp<'_>, due: Elapsed) {
        self.delivered.add(stamp.at, Duration::try_from(stamp.since.since(due)).unwrap_or_default());
    }
}
