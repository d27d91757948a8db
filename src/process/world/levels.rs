//! When the service was not there, and how long what it does has taken (S3-39, S3-41).

use std::time::Duration;

use imbl::Vector;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Stamp;
use crate::domain::levels::{Durations, Span};
use crate::domain::plan::Plan;
use crate::process::fact::daemon::Started;

/// Stops that are remembered; the logbook has all of them.
pub const STOPS_KEPT: usize = 2_000;

/// What the service levels are made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    /// Since when it is known when the daemon ran.
    began: Option<Timestamp>,
    /// From when to when it did not run.
    stops: Vector<Span>,
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
    /// Since when it is known when the daemon ran.
    pub fn began(&self) -> Option<Timestamp> {
        self.began
    }

    /// From when to when it did not run, the oldest first.
    pub fn stops(&self) -> impl Iterator<Item = Span> {
        self.stops.iter().copied()
    }

    pub(super) fn started(&mut self, stamp: Stamp<'_>, Started { alive, .. }: &Started) {
        // The first start of all; or an older program, which did not write down until when the one before it ran. Then nobody
        // knows how long it was away, and it is counted from here.
        let Some(from) = *alive else {
            self.began = Some(stamp.at);
            return;
        };
        if from < stamp.at {
            self.stops.push_back((from, stamp.at));
            if self.stops.len() > STOPS_KEPT {
                self.stops.pop_front();
            }
        }
    }

    pub(super) fn done(&mut self, stamp: Stamp<'_>, decided: Timestamp, plan: &Plan) {
        let of = if plan.is_withdrawal() { &mut self.withdrawn } else { &mut self.promoted };
        of.add(stamp.at, waited(stamp, decided));
    }

    pub(super) fn told(&mut self, stamp: Stamp<'_>, due: Timestamp) {
        self.told.add(stamp.at, waited(stamp, due));
    }

    pub(super) fn delivered(&mut self, stamp: Stamp<'_>, due: Timestamp) {
        self.delivered.add(stamp.at, waited(stamp, due));
    }
}

/// How long people have waited, by the wall clock: they wait also while the daemon is away.
fn waited(stamp: Stamp<'_>, since: Timestamp) -> Duration {
    Duration::try_from(stamp.at.duration_since(since)).unwrap_or_default()
}
