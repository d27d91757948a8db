//! The fold of all entries: what is so, as far as the logbook knows.
//!
//! [`World::apply`] cannot fail and is the same function when running and when recovering. Nothing
//! here is stored: the world can be thrown away and folded again at any time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::Timestamp;

use super::entry::{Fact, Published, TookIn, TurnedAway};
use super::rules::{DistRules, Signers};
use crate::domain::checksum::Sha256;
use crate::domain::gate::Finding;
use crate::domain::names::{Actor, DistPath, HookName, RolloutId, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::plan::Plan;
use crate::domain::rollout::{Rollout, Wanted};
use crate::domain::workflow::{Effect, State, Transition};

/// Deliveries that are remembered for each webhook. A tracker repeats within minutes; at one a
/// second this covers two days. An older repetition is harmless all the same: the rollout has moved on.
pub const DELIVERIES_KEPT: usize = 200_000;

/// Refused files that are remembered for display. All of them stay in the logbook.
pub const TURNED_AWAY_KEPT: usize = 1_000;

/// What is so.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The number of the last entry.
    pub last: u64,
    /// When it was written, by the time by which things wait for their removal.
    pub last_steady: Timestamp,
    /// The newest time of any entry.
    latest: Timestamp,
    /// What begins to wait for its removal is dated by this where it is known. The wall clock may be wrong, and
    /// put right a moment later; the engine knows how much time has really passed.
    pub steady: Option<Timestamp>,
    /// Accepted packages by distribution.
    pub packages: BTreeMap<DistPath, BTreeMap<Nevra, Package>>,
    /// Rollouts.
    pub rollouts: BTreeMap<RolloutId, Rollout>,
    /// Trees that were ever published or that hold something.
    pub trees: BTreeMap<TreeId, Tree>,
    /// How many packages each tree lists by the same signers.
    signed: BTreeMap<TreeId, BTreeMap<Signers, u64>>,
    /// How often that has changed.
    pub listings: u64,
    /// Plans that have no `done` yet, by the number of their entry.
    pub plans: BTreeMap<u64, Plan>,
    /// Packages that were given up as lost: no tree lists them, and they may come in again as what they were.
    pub lost: BTreeSet<(DistPath, Nevra)>,
    /// The trees into which uploads were taken last.
    pub arrives: BTreeMap<DistPath, TreeName>,
    /// The newest refused files, newest last.
    pub turned_away: VecDeque<(Timestamp, TurnedAway)>,
    deliveries: BTreeMap<HookName, Deliveries>,
    /// The newest time, by its own clock, at which a tracker has spoken of a rollout.
    newest: BTreeMap<(HookName, RolloutId), Timestamp>,
}

#[derive(Clone, Debug, Default)]
struct Deliveries {
    known: BTreeMap<String, Words>,
    order: VecDeque<String>,
}

/// What a delivery said, to tell a repetition from another one under the same id. Not when it said so: some trackers
/// date a repetition anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words(u64);

impl Words {
    /// What somebody said of a rollout.
    pub fn of(who: &str, rollout: &str, state: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (who, rollout, state).hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// An accepted package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The bytes.
    pub sha256: Sha256,
    /// Size of the file in bytes.
    pub size: u64,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// Who signed it.
    pub signers: Signers,
    /// The trees that list it; none after a withdrawal.
    pub trees: BTreeSet<TreeName>,
    /// Which rollout brought it into a tree; nothing for the tree into which it was uploaded.
    pub brought: BTreeMap<TreeName, RolloutId>,
}

/// What is known of one tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The last revision that was published; 0 before the first.
    pub revision: u64,
    /// When that was.
    pub published: Option<Timestamp>,
    /// SHA-256 of the `repomd.xml` that was published last.
    pub repomd: Option<Sha256>,
    /// How many packages the last publication listed.
    pub listed: u64,
    /// Packages came or went since.
    pub dirty: bool,
    /// Names in `repodata/` that nothing names any more, and since when.
    pub superseded: BTreeMap<String, Timestamp>,
    /// Packages that are no longer listed and whose files are still there, and since when.
    pub leaving: BTreeMap<Nevra, Timestamp>,
}

impl World {
    /// Folds one entry in.
    pub fn apply(&mut self, seq: u64, at: Timestamp, who: &str, fact: &Fact) {
        self.last = seq;
        if let Some(steady) = self.steady.filter(|steady| *steady < self.last_steady) {
            // The time was put right, and what had been dated by the wrong one waits from then on.
            self.wait_from(steady);
        }
        self.last_steady = self.steady.unwrap_or(at);
        self.latest = self.latest.max(at);
        // Of an entry that is older than the one before it, the clock had gone back: it waits from the later
        // time, lest it has waited for years when the clock is put right.
        let since = self.steady.unwrap_or(self.latest);
        match fact {
            Fact::Started { .. } => {}
            Fact::Refused { rollout, state, .. } => {
                self.no_longer_wants(rollout, |w| w.by.as_str() == who && w.state.as_str() == state);
            }
            Fact::TookIn(took) => self.took_in(at, took),
            Fact::TurnedAway(away) => self.turned_away(at, away.clone()),
            Fact::TurnedAwayTogether(away) => {
                if let Some(first) = away.first() {
                    self.turned_away(at, first);
                }
            }
            Fact::Submitted { rollout, dist, title, packages, state } => {
                let made = Rollout {
                    id: rollout.clone(),
                    dist: dist.clone(),
                    title: title.clone(),
                    packages: packages.clone(),
                    state: State::recorded(state),
                    since: at,
                    by: Actor::recorded(who),
                    wanted: None,
                    plan: None,
                    left: None,
                    rested: None,
                };
                self.rollouts.insert(rollout.clone(), made);
            }
            Fact::Heard { hook, delivery, rollout, state, at: said } => {
                let words = Words::of(who, rollout, state);
                self.deliveries.entry(hook.clone()).or_default().remember(delivery, words);
                if !self.is_stale(hook, rollout, *said)
                    && let Ok(id) = rollout.parse::<RolloutId>()
                    && let Some(said) = said
                    && self.rollouts.contains_key(&id)
                {
                    // What was dated in the future when it was heard is no newer than what is said from then on.
                    let newest = self.newest.entry((hook.clone(), id)).or_insert(Timestamp::MIN);
                    *newest = (*newest).max((*said).min(at));
                }
                // The newest word of a tracker is what counts; an `Awaits` may follow.
                let same = |w: &Wanted| w.by.as_str().split(':').next() == Some(hook.as_str());
                if !self.is_stale(hook, rollout, *said) {
                    self.no_longer_wants(rollout, same);
                }
            }
            Fact::Awaits { rollout, state, .. } => {
                if let Some(known) = self.rollouts.get_mut(rollout) {
                    known.wanted = Some(Wanted { state: State::recorded(state), by: Actor::recorded(who), since: at });
                }
            }
            Fact::Moved { rollout, from, to, plan } => {
                if let Some(known) = self.rollouts.get_mut(rollout) {
                    match known.plan.take() {
                        Some(overtaken) => drop(self.plans.remove(&overtaken)),
                        None => known.rested = Some(State::recorded(from)),
                    }
                    known.left = Some(State::recorded(from));
                    known.state = State::recorded(to);
                    known.since = at;
                    known.by = Actor::recorded(who);
                    known.wanted = None;
                    known.plan = plan.as_ref().map(|_| seq);
                }
                if let Some(plan) = plan {
                    self.plans.insert(seq, plan.clone());
                }
            }
            Fact::Done { plan } => self.done(since, *plan),
            Fact::Published(published) => self.published(at, since, published),
            Fact::Lost { dist, nevra, .. } => self.lose(dist, nevra),
            Fact::Retired { tree, files, kept } => {
                self.retired(tree, files);
                // What is named again waits for nothing any more.
                self.retired(tree, kept);
            }
        }
    }

    fn turned_away(&mut self, at: Timestamp, away: TurnedAway) {
        if self.turned_away.len() == TURNED_AWAY_KEPT {
            self.turned_away.pop_front();
        }
        self.turned_away.push_back((at, away));
    }

    /// What is dated later than `now`, by a clock that was ahead, waits from now.
    pub fn wait_from(&mut self, now: Timestamp) {
        for tree in self.trees.values_mut() {
            let all = tree.superseded.values_mut().chain(tree.leaving.values_mut());
            all.for_each(|since| *since = (*since).min(now));
        }
    }

    /// What this delivery of this webhook said when it was heard before.
    pub fn heard(&self, hook: &HookName, delivery: &str) -> Option<Words> {
        self.deliveries.get(hook)?.known.get(delivery).copied()
    }

    /// Whether the tracker has said something newer of this rollout already: deliveries overtake one another.
    pub fn is_stale(&self, hook: &HookName, rollout: &str, said: Option<Timestamp>) -> bool {
        let Ok(id) = rollout.parse::<RolloutId>() else { return false };
        let newest = self.newest.get(&(hook.clone(), id));
        newest.zip(said).is_some_and(|(newest, said)| said < *newest)
    }

    /// The packages of a distribution.
    pub fn packages_of(&self, dist: &DistPath) -> impl Iterator<Item = (&Nevra, &Package)> {
        self.packages.get(dist).into_iter().flatten()
    }

    /// One package of a distribution.
    pub fn package(&self, dist: &DistPath, nevra: &Nevra) -> Option<&Package> {
        self.packages.get(dist)?.get(nevra)
    }

    /// Why packages may not be brought into a tree by what the rules say of those who signed them.
    pub fn objections<'w>(
        &'w self,
        rules: &'w DistRules,
        dist: &'w DistPath,
        to: &'w TreeName,
        packages: impl IntoIterator<Item = &'w Nevra>,
    ) -> impl Iterator<Item = Finding> {
        let trust = rules.trust(to);
        packages.into_iter().filter_map(move |nevra| trust.objection(to, nevra, &self.package(dist, nevra)?.signers))
    }

    /// Why a plan may not be carried out by what the rules say now: it was decided by those of an earlier time. What
    /// its target lists already is not brought there by it.
    pub fn objection(&self, rules: &DistRules, plan: &Plan) -> Option<Finding> {
        let to = plan.target.as_ref()?;
        let is_new = |nevra: &&Nevra| self.package(&plan.dist, nevra).is_none_or(|known| !known.trees.contains(to));
        let brought = plan.items.iter().map(|item| &item.nevra).filter(is_new);
        self.objections(rules, &plan.dist, to, brought).next()
    }

    /// The plan of a rollout that is not carried out, since the rules no longer trust who signed, and why they do not.
    pub fn held(&self, rules: &DistRules, rollout: &Rollout) -> Option<(&Plan, Finding)> {
        let plan = self.plans.get(&rollout.plan?)?;
        self.objection(rules, plan).map(|why| (plan, why))
    }

    /// The ways that a rollout may take, if nothing is in them: those from its state, and while its last step is stuck
    /// withdrawals from the state before it, which give that step up.
    pub fn ways<'r>(
        rules: &'r DistRules,
        rollout: &'r Rollout,
        is_stuck: bool,
    ) -> impl Iterator<Item = &'r Transition> + use<'r> {
        let from_here = rules.workflow.leaving(&rollout.state);
        let left = rollout.left.as_ref().filter(|_| is_stuck);
        let withdrawals = left.into_iter().flat_map(|left| rules.workflow.leaving(left));
        let is_new = |way: &&Transition| {
            let known = rules.workflow.leaving(&rollout.state).any(|other| other.to == way.to);
            way.effect == Effect::Withdraw && way.to != rollout.state && !known
        };
        from_here.chain(withdrawals.filter(is_new))
    }

    /// How many packages a tree lists.
    pub fn listed(&self, id: &TreeId) -> usize {
        self.packages_of(&id.dist).filter(|(_, p)| p.trees.contains(&id.tree)).count()
    }

    /// Who has signed what a tree lists, and how many packages each.
    pub fn signers_in(&self, id: &TreeId) -> impl Iterator<Item = (&Signers, u64)> {
        self.signed.get(id).into_iter().flatten().map(|(signers, number)| (signers, *number))
    }

    /// A tree lists one package more by these signers, or one less.
    fn count(&mut self, dist: &DistPath, tree: &TreeName, signers: &Signers, more: bool) {
        self.listings = self.listings.wrapping_add(1);
        let of_tree = self.signed.entry(TreeId { dist: dist.clone(), tree: tree.clone() }).or_default();
        match of_tree.get_mut(signers) {
            Some(number) if more => *number = number.saturating_add(1),
            Some(number) if *number > 1 => *number -= 1,
            Some(_) => drop(of_tree.remove(signers)),
            None if more => drop(of_tree.insert(signers.clone(), 1)),
            None => {}
        }
    }

    fn tree(&mut self, dist: &DistPath, tree: &TreeName) -> &mut Tree {
        self.trees.entry(TreeId { dist: dist.clone(), tree: tree.clone() }).or_default()
    }

    /// Forgets what was wanted of a rollout, if it is `this`.
    fn no_longer_wants(&mut self, rollout: &str, this: impl FnOnce(&Wanted) -> bool) {
        let id = rollout.parse::<RolloutId>().ok();
        if let Some(known) = id.and_then(|id| self.rollouts.get_mut(&id))
            && known.wanted.as_ref().is_some_and(this)
        {
            known.wanted = None;
        }
    }

    fn took_in(&mut self, at: Timestamp, took: &TookIn) {
        let tree = self.tree(&took.dist, &took.tree);
        tree.dirty = true;
        tree.leaving.remove(&took.nevra);
        let package = Package {
            sha256: took.sha256,
            size: took.size,
            accepted: at,
            signers: Signers { certs: took.signers.clone(), keys: took.keys.clone() },
            trees: BTreeSet::new(),
            brought: BTreeMap::new(),
        };
        self.lost.remove(&(took.dist.clone(), took.nevra.clone()));
        self.arrives.insert(took.dist.clone(), took.tree.clone());
        let all = self.packages.entry(took.dist.clone()).or_default();
        let known = all.entry(took.nevra.clone()).or_insert(package);
        let (signers, is_new) = (known.signers.clone(), known.trees.insert(took.tree.clone()));
        if is_new {
            self.count(&took.dist, &took.tree, &signers, true);
        }
    }

    /// A package goes off all lists, and out of the plans that would move it.
    fn lose(&mut self, dist: &DistPath, nevra: &Nevra) {
        let Some(package) = self.packages.get_mut(dist).and_then(|all| all.get_mut(nevra)) else { return };
        let mut touched = std::mem::take(&mut package.trees);
        package.brought.clear();
        let signers = package.signers.clone();
        for tree in &touched {
            self.count(dist, tree, &signers, false);
        }
        self.lost.insert((dist.clone(), nevra.clone()));
        for plan in self.plans.values_mut().filter(|plan| plan.dist == *dist) {
            if plan.items.iter().any(|item| item.nevra == *nevra) {
                touched.extend(plan.trees());
                plan.items.retain(|item| item.nevra != *nevra);
            }
        }
        // With nothing to move it is carried out.
        let over: Vec<u64> =
            self.plans.iter().filter(|(_, plan)| plan.items.is_empty()).map(|(number, _)| *number).collect();
        for number in over {
            self.plans.remove(&number);
            let moved = self.rollouts.values_mut().filter(|rollout| rollout.plan == Some(number));
            moved.for_each(|rollout| rollout.plan = None);
        }
        for tree in touched {
            let tree = self.tree(dist, &tree);
            tree.dirty = true;
            tree.leaving.remove(nevra);
        }
    }

    fn done(&mut self, since: Timestamp, number: u64) {
        let Some(plan) = self.plans.remove(&number) else { return };
        for item in &plan.items {
            if let Some(package) = self.packages.get_mut(&plan.dist).and_then(|all| all.get_mut(&item.nevra)) {
                let before = package.trees.clone();
                // What lay there already was not brought by this one.
                if let Some(target) = plan.target.as_ref().filter(|target| package.trees.insert((*target).clone())) {
                    package.brought.insert(target.clone(), plan.rollout.clone());
                }
                for tree in &item.leaves {
                    package.trees.remove(tree);
                    package.brought.remove(tree);
                }
                let (after, signers) = (package.trees.clone(), package.signers.clone());
                for tree in before.symmetric_difference(&after) {
                    self.count(&plan.dist, tree, &signers, after.contains(tree));
                }
            }
            if let Some(target) = &plan.target {
                self.tree(&plan.dist, target).leaving.remove(&item.nevra);
            }
            for tree in &item.leaves {
                self.tree(&plan.dist, tree).leaving.insert(item.nevra.clone(), since);
            }
        }
        if let Some(rollout) = self.rollouts.get_mut(&plan.rollout)
            && rollout.plan == Some(number)
        {
            rollout.plan = None;
        }
    }

    fn published(&mut self, at: Timestamp, since: Timestamp, published: &Published) {
        let tree = self.tree(&published.tree.dist, &published.tree.tree);
        tree.revision = published.revision;
        tree.published = Some(at);
        tree.repomd = Some(published.repomd);
        tree.listed = published.packages;
        tree.dirty = false;
        // The list is all that lies there unnamed, so what is not on it is named again or gone.
        tree.superseded.retain(|name, _| published.superseded.contains(name));
        for name in &published.superseded {
            tree.superseded.entry(name.clone()).or_insert(since);
        }
    }

    fn retired(&mut self, id: &TreeId, files: &[String]) {
        let tree = self.tree(&id.dist, &id.tree);
        for file in files {
            if let Some(name) = file.strip_prefix("repodata/") {
                tree.superseded.remove(name);
            }
        }
        let gone: BTreeSet<&str> = files.iter().filter_map(|f| f.rsplit('/').next()).collect();
        tree.leaving.retain(|nevra, _| !gone.contains(nevra.file_name().as_str()));
    }
}

impl Deliveries {
    fn remember(&mut self, delivery: &str, words: Words) {
        if self.known.contains_key(delivery) {
            return;
        }
        self.known.insert(delivery.to_owned(), words);
        self.order.push_back(delivery.to_owned());
        if self.order.len() > DELIVERIES_KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::samples::every_fact;
    use super::*;

    fn folded() -> World {
        let mut world = World::default();
        for (n, fact) in every_fact().iter().enumerate() {
            world.apply(n as u64 + 1, Timestamp::UNIX_EPOCH, "me", fact);
        }
        world
    }

    #[test]
    fn after_every_entry_the_signers_of_each_tree_are_those_of_its_packages() {
        let mut world = World::default();
        // Also of what is taken in and moved again.
        for (n, fact) in every_fact().iter().chain(&every_fact()).enumerate() {
            world.apply(n as u64 + 1, Timestamp::UNIX_EPOCH, "me", fact);
            let mut right: BTreeMap<TreeId, BTreeMap<Signers, u64>> = BTreeMap::new();
            for (dist, packages) in &world.packages {
                for package in packages.values() {
                    for tree in &package.trees {
                        let id = TreeId { dist: dist.clone(), tree: tree.clone() };
                        *right.entry(id).or_default().entry(package.signers.clone()).or_default() += 1;
                    }
                }
            }
            let mut counted = world.signed.clone();
            counted.retain(|_, signers| !signers.is_empty());
            assert_eq!(counted, right, "after {fact:?}");
        }
    }

    #[test]
    fn a_promoted_package_is_in_the_target_and_its_file_leaves_the_source() {
        let world = folded();
        let dist: DistPath = "umd/3/sl6/x86_64".parse().expect("a path");
        let nevra: Nevra = "bdii-1:5.2.22-1.el6.noarch".parse().expect("a nevra");
        let package = world.package(&dist, &nevra).expect("accepted");
        assert_eq!(package.trees.iter().map(TreeName::as_str).collect::<Vec<_>>(), ["testing"]);
        let untested = TreeId { dist, tree: "untested".parse().expect("a name") };
        assert!(world.trees[&untested].leaving.contains_key(&nevra));
        assert!(world.plans.is_empty());
    }

    #[test]
    fn what_a_wrong_clock_has_dated_waits_neither_from_long_ago_nor_for_ever() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let facts = every_fact();
        let done = facts.iter().position(|fact| matches!(fact, Fact::Done { .. })).expect("one is done");
        let since = |last: i64, steady: Option<i64>| {
            let mut world = World::default();
            for (n, fact) in facts[..=done].iter().enumerate() {
                if n == done {
                    world.steady = steady.map(at);
                }
                world.apply(n as u64 + 1, at(if n == done { last } else { 1_000 }), "me", fact);
            }
            world.wait_from(at(5_000));
            world.trees.values().flat_map(|tree| tree.leaving.values().copied()).next().expect("one leaves").as_second()
        };
        assert_eq!(since(1_001, None), 1_001);
        assert_eq!(since(3, None), 1_000, "the clock had gone back");
        assert_eq!(since(9_000, None), 5_000, "the clock was ahead");
        assert_eq!([since(3, Some(1_002)), since(9_000, Some(1_002))], [1_002; 2], "what has really passed is known");
    }

    #[test]
    fn what_was_dated_by_a_clock_that_was_put_right_waits_from_then_on_also_when_it_is_folded_again() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let facts = every_fact();
        let done = facts.iter().position(|fact| matches!(fact, Fact::Done { .. })).expect("one is done");
        let mut world = World::default();
        for (n, fact) in facts[..=done].iter().enumerate() {
            world.steady = Some(at(9_000));
            world.apply(n as u64 + 1, at(9_000), "me", fact);
        }
        for steady in [2_000, 2_500, 3_000] {
            world.steady = Some(at(steady));
            world.apply(world.last + 1, at(steady), "me", &Fact::Started { version: String::new() });
        }
        let since = world.trees.values().flat_map(|tree| tree.leaving.values().copied()).next().expect("one leaves");
        assert_eq!(since, at(2_000));
    }

    #[test]
    fn a_retired_file_is_no_longer_waited_for() {
        let world = folded();
        assert!(world.trees.values().all(|tree| tree.superseded.is_empty()));
    }

    #[test]
    fn a_delivery_is_remembered() {
        let world = folded();
        let hook: HookName = "rt".parse().expect("a name");
        assert!(world.heard(&hook, "rt-55").is_some());
        assert!(world.heard(&hook, "rt-56").is_none());
    }
}
