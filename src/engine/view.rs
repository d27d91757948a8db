//! A snapshot for readers: API, pages, metrics.
//!
//! Readers share the engine's world behind a lock that they hold only while they copy what they
//! show. They never wait for work on the disk, since the engine holds the lock only to fold an entry.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::Timestamp;

use crate::domain::backlog::Backlog;
use crate::domain::gate::Judgement;
use crate::domain::names::{DistPath, RolloutId, TreeId};
use crate::domain::nevra::Nevra;
use crate::domain::rollout::Rollout;
use crate::domain::workflow::{Effect, State, Transition};
use crate::process::act::step;
use crate::process::agenda::{Work, Wrongs};
use crate::process::known::Known;
use crate::process::rules::{Caller, Rules};
use crate::process::world::World;
use crate::store::logbook::Head;

/// The name of the trouble when the logbook cannot be written.
pub(super) const LOGBOOK: &str = "logbook";

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
    /// Trees in which something is wrong, and what.
    pub wrong: Wrongs,
    /// What lies where people upload and is not taken in: a matter of those who upload, and no trouble of ours.
    pub uploads: BTreeMap<DistPath, Backlog>,
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
    /// What keeps its packages from being moved now, when they are to be moved.
    pub trouble: Option<String>,
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
    /// What a decision goes by.
    pub fn known(&self) -> Known<'_> {
        Known { world: &self.world, rules: &self.rules, wrong: &self.wrong, troubles: &self.troubles }
    }

    /// One rollout.
    pub fn rollout(&self, id: &RolloutId) -> Option<RolloutView> {
        let rollout = self.world.rollouts.get(id)?.clone();
        let lies = |nevra: &Nevra| {
            let package = self.world.packages.get(&rollout.dist, nevra);
            package.map(|p| p.trees.iter().map(ToString::to_string).collect()).unwrap_or_default()
        };
        let packages = rollout.packages.iter().map(|nevra| (nevra.clone(), lies(nevra))).collect();
        let dist = self.rules.distributions.get(&rollout.dist);
        let is_stuck = self.known().stuck(&rollout).is_some();
        let next = dist.map(|dist| World::ways(dist, &rollout, is_stuck).map(step).collect()).unwrap_or_default();
        let trouble = self.in_the_way(&rollout);
        Some(RolloutView { rollout, packages, next, trouble })
    }

    /// All rollouts, newest change first.
    pub fn rollouts(&self) -> Vec<RolloutView> {
        let mut all: Vec<RolloutView> =
            self.world.rollouts.iter().filter_map(|rollout| self.rollout(&rollout.id)).collect();
        all.sort_by_key(|view| std::cmp::Reverse(view.rollout.since));
        all
    }

    /// What keeps the plan of a rollout from being carried out: its own failure, what is wrong in a tree that
    /// it changes, or what stops everything.
    fn in_the_way(&self, rollout: &Rollout) -> Option<String> {
        let number = rollout.plan?;
        let work = Work::Promote(number, Arc::clone(self.world.rollouts.plan(number)?));
        let trees = work.changes().into_iter().map(|id| format!("tree {id}"));
        let all = [LOGBOOK, "disk"].map(str::to_owned);
        std::iter::once(work.key()).chain(trees).chain(all).find_map(|key| self.troubles.get(&key).cloned())
    }

    /// What stands between a rollout and each state that it can go to.
    pub fn why(&self, id: &RolloutId, caller: &Caller) -> Option<Vec<(State, Judgement)>> {
        let rollout = self.world.rollouts.get(id)?;
        let dist = self.rules.distributions.get(&rollout.dist)?;
        let trouble = self.in_the_way(rollout);
        let judge = |to: &State| {
            let mut judged = step::why(self.known(), caller, rollout, to.as_str());
            if let (Some(why), Some(busy)) = (&trouble, judged.findings.iter_mut().find(|f| f.code == "busy")) {
                let _ = write!(busy.sentence, " It does not work so far: {why}");
            }
            judged
        };
        let is_stuck = self.known().stuck(rollout).is_some();
        Some(World::ways(dist, rollout, is_stuck).map(|t| (t.to.clone(), judge(&t.to))).collect())
    }

    /// All trees in the order of the configuration.
    pub fn trees(&self) -> Vec<TreeView> {
        let ids = self.rules.distributions.iter().flat_map(|(dist, rules)| rules.trees_of(dist));
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

/// Where a way leads, and what it does to the packages.
fn step(way: &Transition) -> (State, String) {
    let effect = match &way.effect {
        Effect::None => "nothing moves".to_owned(),
        Effect::Move { from, to } => format!("{from} -> {to}"),
        Effect::Withdraw => "packages are withdrawn".to_owned(),
    };
    (way.to.clone(), effect)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::procedure;
    use crate::process::fact::{Fact, samples::every_fact};
    use crate::process::rules::DistRules;

    /// A rollout whose packages are to be moved, when something is wrong with this.
    fn held_up_by(what: &str) -> (Option<String>, String) {
        let mut inside = Inside::default();
        let facts = every_fact();
        let moved = facts.iter().position(|fact| matches!(fact, Fact::Moved(_))).expect("one moves");
        for (n, fact) in facts[..=moved].iter().enumerate() {
            inside.world.apply(n as u64 + 1, Timestamp::UNIX_EPOCH, "me", fact);
        }
        let rollout = inside.world.rollouts.iter().find(|r| r.plan.is_some()).expect("one moves").clone();
        let rules = DistRules {
            workflow: procedure::built_in("egi").expect("it ships"),
            trees: vec![],
            trust: BTreeMap::new(),
            grace_metadata: std::time::Duration::ZERO,
            grace_packages: std::time::Duration::ZERO,
        };
        inside.rules.distributions.insert(rollout.dist.clone(), rules);
        let number = rollout.plan.expect("it moves");
        let what = what.replace("NUMBER", &number.to_string());
        inside.troubles.insert(what, "no room".to_owned());
        let caller =
            Caller { actor: crate::domain::names::Actor::recorded("me"), roles: std::collections::BTreeSet::new() };
        let why = inside.why(&rollout.id, &caller).expect("known");
        let busy = why.iter().flat_map(|(_, judged)| &judged.findings).find(|f| f.code == "busy").expect("it is busy");
        (inside.rollout(&rollout.id).expect("known").trouble, busy.sentence.clone())
    }

    #[test]
    fn a_rollout_says_what_holds_its_packages_up() {
        for what in
            ["promote umd/3/sl6/x86_64 (logbook entry NUMBER)", "tree testing/umd/3/sl6/x86_64", "logbook", "disk"]
        {
            let (trouble, busy) = held_up_by(what);
            assert_eq!(trouble.as_deref(), Some("no room"), "{what}");
            assert!(busy.ends_with("It does not work so far: no room"), "{what}: {busy}");
        }
    }

    #[test]
    fn the_trouble_of_others_is_not_that_of_a_rollout() {
        for what in ["promote umd/3/sl6/x86_64 (logbook entry 999)", "tree delta/umd/3/sl6/x86_64", "reload"] {
            let (trouble, busy) = held_up_by(what);
            assert!(trouble.is_none() && !busy.contains("no room"), "{what}: {busy}");
        }
    }
}
