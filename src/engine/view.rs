//! A snapshot for readers: API, pages, metrics.
//!
//! Readers share the engine's world behind a lock that they hold only while they copy what they
//! show. They never wait for work on the disk, since the engine holds the lock only to fold an entry.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::Timestamp;

use super::decide;
use super::rules::{Caller, DistRules, Rules};
use super::world::World;
use crate::domain::gate::Judgement;
use crate::domain::names::{DistPath, RolloutId, TreeId};
use crate::domain::nevra::Nevra;
use crate::domain::rollout::Rollout;
use crate::domain::workflow::{Effect, State};
use crate::store::logbook::Head;

/// What the engine shares with its readers.
#[derive(Debug, Default)]
pub struct Shared {
    inner: RwLock<Inside>,
    beats: AtomicU64,
}

/// What stands behind the lock.
#[derive(Debug, Default)]
pub struct Inside {
    /// The fold of the logbook.
    pub world: World,
    /// The end of the logbook, as far as it is folded.
    pub head: Head,
    /// The rules in force.
    pub rules: Rules,
    /// What is being done now, by distribution.
    pub busy: BTreeMap<DistPath, &'static str>,
    /// What is wrong now, by the thing that is wrong; empty means healthy.
    pub troubles: BTreeMap<String, String>,
    /// Whether recovery is over.
    pub ready: bool,
    /// Pieces of work that ended, by label: how many, and how many of them failed.
    pub worked: BTreeMap<&'static str, (u64, u64)>,
}

impl Shared {
    /// Reads; a panic elsewhere does not make the world unreadable.
    pub fn read(&self) -> RwLockReadGuard<'_, Inside> {
        self.inner.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Writes: for the engine alone.
    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Inside> {
        self.inner.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Begins with these rules and the world that `fill` folds.
    ///
    /// # Errors
    /// What `fill` says.
    pub fn begin<E>(&self, rules: Rules, fill: impl FnOnce(&mut World) -> Result<(), E>) -> Result<(), E> {
        let mut inside = self.write();
        inside.rules = rules;
        fill(&mut inside.world)
    }

    /// How often the engine's loop has gone round.
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// The engine's loop has gone round once more.
    pub(super) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that something is wrong, or that it no longer is.
    pub fn trouble(&self, what: &str, why: Option<String>) {
        let mut inside = self.write();
        match why {
            Some(why) => inside.troubles.insert(what.to_owned(), why),
            None => inside.troubles.remove(what),
        };
    }
}

/// A rollout as readers see it.
#[derive(Clone, Debug)]
pub struct RolloutView {
    /// The rollout.
    pub rollout: Rollout,
    /// Where each package lies; nowhere when it was never taken in or was withdrawn.
    pub packages: Vec<(Nevra, Vec<String>)>,
    /// The states it can go to, with what each does to the trees.
    pub next: Vec<(State, String)>,
}

/// A tree as readers see it.
#[derive(Clone, Debug)]
pub struct TreeView {
    /// Which.
    pub id: TreeId,
    /// Packages that its metadata lists.
    pub packages: u64,
    /// Its revision; 0 before the first publication.
    pub revision: u64,
    /// When it was published last.
    pub published: Option<Timestamp>,
    /// Files that wait for their removal.
    pub retiring: usize,
    /// Whether a publication is due.
    pub dirty: bool,
}

impl Inside {
    /// One rollout.
    pub fn rollout(&self, id: &RolloutId) -> Option<RolloutView> {
        let rollout = self.world.rollouts.get(id)?.clone();
        let lies = |nevra: &Nevra| {
            let package = self.world.package(&rollout.dist, nevra);
            package.map(|p| p.trees.iter().map(ToString::to_string).collect()).unwrap_or_default()
        };
        let packages = rollout.packages.iter().map(|nevra| (nevra.clone(), lies(nevra))).collect();
        let next =
            self.rules.distributions.get(&rollout.dist).map(|dist| steps(dist, &rollout.state)).unwrap_or_default();
        Some(RolloutView { rollout, packages, next })
    }

    /// All rollouts, newest change first.
    pub fn rollouts(&self) -> Vec<RolloutView> {
        let mut all: Vec<RolloutView> = self.world.rollouts.keys().filter_map(|id| self.rollout(id)).collect();
        all.sort_by_key(|view| std::cmp::Reverse(view.rollout.since));
        all
    }

    /// What stands between a rollout and each state that it can go to.
    pub fn why(&self, id: &RolloutId, caller: &Caller) -> Option<Vec<(State, Judgement)>> {
        let rollout = self.world.rollouts.get(id)?;
        let dist = self.rules.distributions.get(&rollout.dist)?;
        let judge = |to: &State| decide::why(&self.world, &self.rules, caller, rollout, to.as_str());
        Some(dist.workflow.leaving(&rollout.state).map(|t| (t.to.clone(), judge(&t.to))).collect())
    }

    /// All trees in the order of the configuration.
    pub fn trees(&self) -> Vec<TreeView> {
        let ids = self.rules.distributions.iter().flat_map(|(dist, rules)| decide::trees_of(dist, rules));
        ids.map(|id| {
            let known = self.world.trees.get(&id).cloned().unwrap_or_default();
            TreeView {
                packages: known.listed,
                revision: known.revision,
                published: known.published,
                retiring: known.superseded.len() + known.leaving.len(),
                dirty: known.dirty,
                id,
            }
        })
        .collect()
    }
}

fn steps(dist: &DistRules, state: &State) -> Vec<(State, String)> {
    let effect = |effect: &Effect| match effect {
        Effect::None => "nothing moves".to_owned(),
        Effect::Move { from, to } => format!("{from} -> {to}"),
        Effect::Withdraw => "packages are withdrawn".to_owned(),
    };
    dist.workflow.leaving(state).map(|t| (t.to.clone(), effect(&t.effect))).collect()
}
