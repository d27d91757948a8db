//! Releases, and what the board has still to be told of.

use std::sync::Arc;
use std::time::Duration;

use imbl::{OrdMap, OrdSet, Vector};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Stamp, World};
use crate::domain::names::{Actor, BundleId, ChangeId, ReleaseId, RolloutId};
use crate::process::fact::release::{EmergencyTold, ReleaseCancelled, ReleasePlanned, ReleaseScoped, ReleaseTold};

/// Earlier days of one release that are remembered; the logbook has all of them.
const DAYS_KEPT: usize = 50;

/// A release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// One line for people.
    pub title: String,
    /// The day.
    pub on: Date,
    /// The days for which it was planned before, the first one first.
    pub slipped: Vector<Date>,
    /// How long after it the next one is usually planned.
    pub every: Option<Duration>,
    /// Its rollouts.
    pub rollouts: OrdSet<RolloutId>,
    /// Bundles, each with all of its rollouts.
    pub bundles: OrdSet<BundleId>,
    /// The day on which the board was told of all of that, and who says so.
    pub told: Option<(Date, Actor)>,
    /// Whether it will not be.
    pub cancelled: bool,
    /// When it was planned first.
    pub since: Timestamp,
}

/// All releases.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Releases {
    by_id: OrdMap<ReleaseId, Arc<Release>>,
    of_rollout: OrdMap<RolloutId, OrdSet<ReleaseId>>,
    of_bundle: OrdMap<BundleId, OrdSet<ReleaseId>>,
    /// Emergencies of which the board was not told yet.
    untold: OrdSet<ChangeId>,
}

impl Releases {
    /// One release.
    pub fn get(&self, id: &ReleaseId) -> Option<&Release> {
        self.by_id.get(id).map(|release| &**release)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&ReleaseId, &Release)> {
        self.by_id.iter().map(|(id, release)| (id, &**release))
    }

    /// Emergencies of which the board was not told yet (S3-20).
    pub fn untold(&self) -> impl Iterator<Item = &ChangeId> {
        self.untold.iter()
    }

    fn forget(&mut self, id: &ReleaseId) {
        let Some(release) = self.by_id.get(id) else { return };
        for rollout in &release.rollouts {
            if let Some(all) = self.of_rollout.get_mut(rollout) {
                all.remove(id);
            }
        }
        for bundle in &release.bundles {
            if let Some(all) = self.of_bundle.get_mut(bundle) {
                all.remove(id);
            }
        }
    }

    pub(super) fn planned(&mut self, stamp: Stamp<'_>, planned: &ReleasePlanned) {
        let ReleasePlanned { release, title, on, every } = planned.clone();
        let every = every.map(Duration::from_secs);
        if let Some(known) = self.by_id.get_mut(&release).map(Arc::make_mut) {
            if known.on != on {
                known.slipped.push_back(known.on);
            }
            if known.slipped.len() > DAYS_KEPT {
                known.slipped.pop_front();
            }
            (known.title, known.on, known.every, known.cancelled) = (title, on, every, false);
            return;
        }
        let (rollouts, bundles, slipped) = (OrdSet::new(), OrdSet::new(), Vector::new());
        let since = stamp.at;
        let new = Release { title, on, slipped, every, rollouts, bundles, told: None, cancelled: false, since };
        self.by_id.insert(release, Arc::new(new));
    }

    /// What the board was told of was another scope, if there is something new in it.
    pub(super) fn scoped(&mut self, ReleaseScoped { release: id, rollouts, bundles }: &ReleaseScoped) {
        self.forget(id);
        for rollout in rollouts {
            self.of_rollout.entry(rollout.clone()).or_default().insert(id.clone());
        }
        for bundle in bundles {
            self.of_bundle.entry(bundle.clone()).or_default().insert(id.clone());
        }
        if let Some(release) = self.by_id.get_mut(id).map(Arc::make_mut) {
            let is_less = rollouts.iter().all(|rollout| release.rollouts.contains(rollout))
                && bundles.iter().all(|bundle| release.bundles.contains(bundle));
            release.rollouts = rollouts.iter().cloned().collect();
            release.bundles = bundles.iter().cloned().collect();
            release.told = release.told.take().filter(|_| is_less);
        }
    }

    pub(super) fn told(&mut self, stamp: Stamp<'_>, ReleaseTold { release, on }: &ReleaseTold) {
        if let Some(release) = self.by_id.get_mut(release).map(Arc::make_mut) {
            release.told = Some((*on, Actor::recorded(stamp.who)));
        }
    }

    pub(super) fn cancelled(&mut self, ReleaseCancelled { release }: &ReleaseCancelled) {
        if let Some(release) = self.by_id.get_mut(release).map(Arc::make_mut) {
            release.cancelled = true;
        }
    }

    /// An emergency was worked on: the board has to be told.
    pub(super) fn emergency(&mut self, change: &ChangeId) {
        self.untold.insert(change.clone());
    }

    pub(super) fn emergency_told(&mut self, EmergencyTold { change, .. }: &EmergencyTold) {
        self.untold.remove(change);
    }
}

impl World {
    /// The releases that a rollout is planned for, by itself or with its bundle.
    pub fn planned_for(&self, rollout: &RolloutId) -> impl Iterator<Item = (&ReleaseId, &Release)> {
        let own = self.releases.of_rollout.get(rollout);
        let of_bundle = self.bundles.of(rollout).and_then(|(bundle, _)| self.releases.of_bundle.get(bundle));
        let all = own.into_iter().chain(of_bundle).flat_map(OrdSet::iter);
        let known = all.filter_map(|id| Some((id, self.releases.get(id)?)));
        known.filter(|(_, release)| !release.cancelled)
    }

    /// The rollouts of a release: its own, and those of its bundles.
    pub fn in_release<'w>(&'w self, release: &'w Release) -> impl Iterator<Item = &'w RolloutId> {
        let bundles = release.bundles.iter().filter_map(|bundle| self.bundles.get(bundle));
        let members = bundles.flat_map(|bundle| bundle.members.iter());
        let all: std::collections::BTreeSet<&RolloutId> = release.rollouts.iter().chain(members).collect();
        all.into_iter()
    }
}
