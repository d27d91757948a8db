//! Bundles, and the updates by which sites know what was released.

use std::ops::Bound;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet, Vector};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Descriptions, Stamp};
use crate::domain::names::{BundleId, RolloutId, Series};
use crate::domain::request::Priority;
use crate::process::fact::bundle::{BundleAnnounced, BundleClosed, BundleJoined, BundleLeft, BundleOpened};
use crate::process::fact::update::UpdateNumbered;

/// A bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// One line for people.
    pub title: String,
    /// When it was opened.
    pub since: Timestamp,
    /// Its rollouts.
    pub members: OrdSet<RolloutId>,
    /// What its release notes list, if there are any.
    pub announced: Option<OrdSet<RolloutId>>,
    /// Whether it has no part in anything any more.
    pub closed: bool,
}

/// An update.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// When it got its number.
    pub at: Timestamp,
    /// The series.
    pub series: Series,
    /// Its number in it.
    pub number: u64,
    /// What it releases.
    pub rollouts: OrdSet<RolloutId>,
    /// The bundle that it releases, wholly or partly.
    pub bundle: Option<BundleId>,
}

impl Bundle {
    /// Whether its release notes list a rollout.
    pub fn lists(&self, rollout: &RolloutId) -> bool {
        self.announced.as_ref().is_some_and(|listed| listed.contains(rollout))
    }

    /// Its members, and what its release notes list of others.
    pub fn named(&self) -> impl Iterator<Item = &RolloutId> {
        let others = self.announced.iter().flatten().filter(|listed| !self.members.contains(*listed));
        self.members.iter().chain(others)
    }
}

impl Update {
    /// How urgent it is: as the most urgent of its rollouts of which that is said (S1-61).
    pub fn urgency(&self, descriptions: &Descriptions) -> Option<Priority> {
        self.rollouts.iter().filter_map(|rollout| descriptions.said(rollout).urgency()).max()
    }
}

/// All bundles and updates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bundles {
    by_id: OrdMap<BundleId, Arc<Bundle>>,
    /// The open bundle of each rollout that is in one.
    of_rollout: OrdMap<RolloutId, BundleId>,
    /// The bundles whose release notes list each rollout.
    listing: OrdMap<RolloutId, OrdSet<BundleId>>,
    updates: OrdMap<Series, Vector<Arc<Update>>>,
    /// The last update of each rollout that is in one.
    update_of: OrdMap<RolloutId, (Series, u64)>,
}

impl Bundles {
    /// One bundle, open or closed.
    pub fn get(&self, id: &BundleId) -> Option<&Bundle> {
        self.by_id.get(id).map(|bundle| &**bundle)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&BundleId, &Bundle)> {
        self.by_id.iter().map(|(id, bundle)| (id, &**bundle))
    }

    /// Those after an id, or all, by id.
    pub fn after<'b>(&'b self, id: Option<&'b BundleId>) -> impl Iterator<Item = (&'b BundleId, &'b Bundle)> {
        let from = id.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_id.range::<_, BundleId>((from, Bound::Unbounded)).map(|(id, bundle)| (id, &**bundle))
    }

    /// The open bundle that a rollout is in.
    pub fn of(&self, rollout: &RolloutId) -> Option<(&BundleId, &Bundle)> {
        let id = self.of_rollout.get(rollout)?;
        Some((id, self.get(id)?))
    }

    /// The open bundles with which a rollout is released: its own, unless the release notes of others list it and those of
    /// its own do not (S1-30). A bundle that announces nothing of its own releases nothing.
    pub fn releasing(&self, rollout: &RolloutId) -> Vec<(&BundleId, &Bundle)> {
        let own = self.of(rollout);
        let is_such = |bundle: &Bundle| !bundle.closed && bundle.members.iter().any(|member| bundle.lists(member));
        let others: Vec<_> = match own {
            Some((_, bundle)) if bundle.lists(rollout) => vec![],
            _ => self.listing(rollout).filter(|(_, bundle)| is_such(bundle)).collect(),
        };
        if others.is_empty() { own.into_iter().collect() } else { others }
    }

    /// Whether a rollout is released with this bundle.
    pub fn is_released_with(&self, rollout: &RolloutId, bundle: &BundleId) -> bool {
        self.releasing(rollout).iter().any(|(id, _)| *id == bundle)
    }

    /// The rollouts that are released with a bundle.
    pub fn released_with<'b>(&'b self, id: &'b BundleId) -> impl Iterator<Item = &'b RolloutId> {
        let all = self.get(id).into_iter().flat_map(Bundle::named);
        all.filter(|rollout| self.is_released_with(rollout, id))
    }

    /// The bundles whose release notes list a rollout.
    pub fn listing(&self, rollout: &RolloutId) -> impl Iterator<Item = (&BundleId, &Bundle)> {
        let ids = self.listing.get(rollout).into_iter().flatten();
        ids.filter_map(|id| Some((id, self.get(id)?)))
    }

    /// The number of the last update of a series; 0 if there was none.
    pub fn last_update(&self, series: &Series) -> u64 {
        self.updates.get(series).and_then(|updates| updates.last()).map_or(0, |update| update.number)
    }

    /// One update.
    pub fn update(&self, series: &Series, number: u64) -> Option<&Update> {
        let updates = self.updates.get(series)?;
        let at = updates.binary_search_by_key(&number, |update| update.number).ok()?;
        updates.get(at).map(|update| &**update)
    }

    /// The last update that a rollout is in.
    pub fn update_of(&self, rollout: &RolloutId) -> Option<&Update> {
        let (series, number) = self.update_of.get(rollout)?;
        self.update(series, *number)
    }

    /// What an update releases: those of its rollouts that have got no later number.
    pub fn released_by<'u>(&'u self, update: &'u Update) -> impl Iterator<Item = &'u RolloutId> {
        let number = (&update.series, update.number);
        let is_last = move |rollout: &&RolloutId| {
            self.update_of.get(*rollout).is_some_and(|(series, last)| (series, *last) == number)
        };
        update.rollouts.iter().filter(is_last)
    }

    /// All updates, by series and in order.
    pub fn updates(&self) -> impl Iterator<Item = &Update> {
        self.updates.values().flat_map(|updates| updates.iter().map(|update| &**update))
    }

    fn change(&mut self, id: &BundleId, how: impl FnOnce(&mut Bundle)) {
        if let Some(bundle) = self.by_id.get_mut(id) {
            how(Arc::make_mut(bundle));
        }
    }

    pub(super) fn opened(&mut self, stamp: Stamp<'_>, BundleOpened { bundle, title }: &BundleOpened) {
        let (members, announced) = (OrdSet::new(), None);
        let opened = Bundle { title: title.clone(), since: stamp.at, members, announced, closed: false };
        self.by_id.insert(bundle.clone(), Arc::new(opened));
    }

    pub(super) fn joined(&mut self, BundleJoined { bundle, rollout }: &BundleJoined) {
        self.change(bundle, |known| drop(known.members.insert(rollout.clone())));
        self.of_rollout.insert(rollout.clone(), bundle.clone());
    }

    pub(super) fn left(&mut self, BundleLeft { rollout, .. }: &BundleLeft) {
        self.lose(rollout);
    }

    /// A rollout that was cancelled is in no bundle any more: its packages are free for others.
    pub(super) fn lose(&mut self, rollout: &RolloutId) {
        if let Some(bundle) = self.of_rollout.remove(rollout) {
            self.change(&bundle, |known| drop(known.members.remove(rollout)));
        }
    }

    pub(super) fn announced(&mut self, BundleAnnounced { bundle, rollouts }: &BundleAnnounced) {
        let before = self.get(bundle).and_then(|known| known.announced.clone()).unwrap_or_default();
        for gone in before.iter().filter(|rollout| !rollouts.contains(*rollout)) {
            let Some(ids) = self.listing.get_mut(gone) else { continue };
            ids.remove(bundle);
            if ids.is_empty() {
                self.listing.remove(gone);
            }
        }
        for rollout in rollouts {
            self.listing.entry(rollout.clone()).or_default().insert(bundle.clone());
        }
        self.change(bundle, |known| known.announced = Some(rollouts.iter().cloned().collect()));
    }

    pub(super) fn closed(&mut self, BundleClosed { bundle }: &BundleClosed) {
        self.change(bundle, |known| known.closed = true);
        let members = self.get(bundle).map(|known| known.members.clone()).unwrap_or_default();
        for rollout in &members {
            self.of_rollout.remove(rollout);
        }
    }

    pub(super) fn numbered(&mut self, stamp: Stamp<'_>, numbered: &UpdateNumbered) {
        let UpdateNumbered { series, number, rollouts, bundle } = numbered.clone();
        for rollout in &rollouts {
            self.update_of.insert(rollout.clone(), (series.clone(), number));
        }
        let rollouts = rollouts.into_iter().collect();
        let update = Update { at: stamp.at, series: series.clone(), number, rollouts, bundle };
        self.updates.entry(series).or_default().push_back(Arc::new(update));
    }
}
