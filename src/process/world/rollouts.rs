//! Rollouts: where they stand, which plans are carried out for them, and what they wait for.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::packages::SetAside;
use super::{Stamp, World};
use crate::domain::gate::Finding;
use crate::domain::moment::Elapsed;
use crate::domain::names::{Actor, DistPath, HookName, RolloutId, TreeId};
use crate::domain::nevra::Nevra;
use crate::domain::people::PersonId;
use crate::domain::plan::{Item, Move, Owner, Plan};
use crate::domain::rollout::{Part, Rollout, Wanted};
use crate::domain::workflow::{Effect, State, Transition};
use crate::process::fact::bundle::{BundleJoined, BundleMoves};
use crate::process::fact::change::{Cancelled, Edited, Scheduled, Unscheduled};
use crate::process::fact::rollout::{Awaits, Declined, Delayed, Done, Moved, Staged, Submitted};
use crate::process::fact::tree::Restored;
use crate::process::rules::{DistRules, Rules};

/// The place of a rollout in the order of last changes.
pub type Place = (Timestamp, RolloutId);

/// A plan that is being carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct UnderWay {
    plan: Arc<Plan>,
    /// When it was decided; `None` if it takes back what was given up, since nobody waits for that.
    decided: Option<Timestamp>,
}

/// All rollouts and plans.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rollouts {
    by_id: OrdMap<RolloutId, Arc<Rollout>>,
    /// The rollouts that name a package: usually one, so a list costs less than a set.
    naming: OrdMap<DistPath, OrdMap<Nevra, Arc<[RolloutId]>>>,
    /// The rollouts of each distribution in each state, by their last change.
    by_state: OrdMap<DistPath, OrdMap<State, OrdSet<Place>>>,
    /// The rollouts with a tracker's wish that could not be carried out yet.
    waiting: OrdSet<RolloutId>,
    /// Those whose wish may become possible by the passing of time, by that elapsed time.
    due: OrdSet<(Elapsed, RolloutId)>,
    /// Those for which the calendar may open, by that time on the wall clock.
    opens: OrdSet<(Timestamp, RolloutId)>,
    /// Plans that have no `done` yet, by the number of their entry.
    plans: OrdMap<u64, UnderWay>,
    /// The trees in which a plan that has no `done` yet is shown already.
    shown: OrdMap<u64, BTreeSet<TreeId>>,
    /// Those of these plans of which all trees are staged.
    staged: OrdSet<u64>,
}

impl Rollouts {
    /// One rollout.
    pub fn get(&self, id: &RolloutId) -> Option<&Rollout> {
        self.by_id.get(id).map(|rollout| &**rollout)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Rollout> {
        self.by_id.values().map(|rollout| &**rollout)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Those that name a package, by id.
    pub fn naming(&self, dist: &DistPath, nevra: &Nevra) -> impl Iterator<Item = &Rollout> {
        let ids = self.naming.get(dist).and_then(|all| all.get(nevra));
        ids.into_iter().flat_map(|ids| ids.iter()).filter_map(|id| self.get(id))
    }

    /// The distributions that have rollouts, in order.
    pub fn distributions(&self) -> impl Iterator<Item = &DistPath> {
        self.by_state.keys()
    }

    /// How many rollouts of each distribution are in each state.
    pub fn states(&self) -> impl Iterator<Item = (&DistPath, &State, u64)> {
        self.by_state
            .iter()
            .flat_map(|(dist, states)| states.iter().map(move |(state, set)| (dist, state, set.len() as u64)))
    }

    /// Those with a tracker's wish that could not be carried out yet.
    pub fn waiting(&self) -> impl Iterator<Item = &Rollout> {
        self.waiting.iter().filter_map(|id| self.get(id))
    }

    /// Whether it has a tracker's wish that could not be carried out yet.
    pub fn is_waiting(&self, id: &RolloutId) -> bool {
        self.waiting.contains(id)
    }

    /// Those whose wish may have become possible between two elapsed times.
    pub fn due(&self, after: Elapsed, until: Elapsed) -> impl Iterator<Item = &RolloutId> {
        self.due_after(after).take_while(move |(at, _)| *at <= until).map(|(_, id)| id)
    }

    /// The next elapsed time at which a wish may become possible.
    pub fn next_due(&self, after: Elapsed) -> Option<Elapsed> {
        self.due_after(after).next().map(|(at, _)| *at)
    }

    fn due_after(&self, after: Elapsed) -> impl Iterator<Item = &(Elapsed, RolloutId)> {
        let is_before = move |(at, _): &&(Elapsed, RolloutId)| *at <= after;
        self.due.iter().skip_while(is_before)
    }

    /// Those for which the calendar may have opened between two times on the wall clock.
    pub fn opened(&self, after: Timestamp, until: Timestamp) -> impl Iterator<Item = &RolloutId> {
        let known = self.opens.iter().skip_while(move |(at, _)| *at <= after);
        known.take_while(move |(at, _)| *at <= until).map(|(_, id)| id)
    }

    /// How many are waiting.
    pub fn number_waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Up to `limit` of those that changed last before `before`, or of all, the newest first: of one distribution or all,
    /// in the states that `fits`, and that are wanted.
    pub fn newest(
        &self,
        dist: Option<&DistPath>,
        fits: impl Fn(&DistPath, &State) -> bool,
        before: Option<&Place>,
        is_wanted: impl Fn(&RolloutId) -> bool,
        limit: usize,
    ) -> Vec<&Rollout> {
        let end = before.map_or(Bound::Unbounded, |before| Bound::Excluded(before.clone()));
        let of_dists = self.by_state.iter().filter(|(known, _)| dist.is_none_or(|dist| *known == dist));
        let sets = of_dists.flat_map(|(dist, states)| states.iter().map(move |(state, set)| (dist, state, set)));
        let wanted = sets.filter(|(dist, state, _)| fits(dist, state));
        // There are few states, and no more than `limit` of each can be among the newest.
        let newest = |set: &OrdSet<Place>| -> Vec<Place> {
            let before = set.range((Bound::Unbounded, end.clone())).rev();
            before.filter(|(_, id)| is_wanted(id)).take(limit).cloned().collect()
        };
        let mut places: Vec<Place> = wanted.flat_map(|(.., set)| newest(set)).collect();
        places.sort_unstable_by(|a, b| b.cmp(a));
        // One of several distributions is found in each.
        places.dedup();
        places.iter().take(limit).filter_map(|(_, id)| self.get(id)).collect()
    }

    /// A plan that has no `done` yet, by the number of its entry.
    pub fn plan(&self, number: u64) -> Option<&Arc<Plan>> {
        self.plans.get(&number).map(|under_way| &under_way.plan)
    }

    /// The plan that is carried out for a rollout alone, with the number of its entry.
    pub(super) fn plan_of(&self, rollout: &RolloutId) -> Option<(u64, &Arc<Plan>)> {
        let number = self.get(rollout)?.plan?;
        let plan = self.plan(number)?;
        matches!(plan.owner, Owner::Rollout(_)).then_some((number, plan))
    }

    /// When a plan that has no `done` yet was decided, if somebody waits for it.
    pub(super) fn decided(&self, number: u64) -> Option<Timestamp> {
        self.plans.get(&number)?.decided
    }

    /// Whether a plan has no `done` yet.
    pub fn has_plan(&self, number: u64) -> bool {
        self.plans.contains_key(&number)
    }

    /// All plans that have no `done` yet, with the numbers of their entries, in order.
    pub fn plans(&self) -> impl Iterator<Item = (u64, &Arc<Plan>)> {
        self.plans.iter().map(|(number, under_way)| (*number, &under_way.plan))
    }

    /// The plans that change a tree or anything else in its distribution and have no `done` yet.
    pub fn plans_in(&self, dist: &DistPath) -> impl Iterator<Item = (u64, &Arc<Plan>)> {
        self.plans().filter(move |(_, plan)| plan.of(dist).is_some())
    }

    /// The restore of a tree that has no `done` yet.
    pub fn restore_of(&self, id: &TreeId) -> Option<(u64, &Arc<Plan>)> {
        self.plans().find(|(_, plan)| plan.restored() == Some(id))
    }

    /// The revision to which a plan that has no `done` yet restores a tree; `None` if it gives a restore up.
    pub(super) fn restores(&self, number: u64, id: &TreeId) -> Option<u64> {
        match &self.plan(number)?.owner {
            Owner::Restore { tree, to, from, .. } if tree == id && to != from => Some(*to),
            Owner::Restore { .. } | Owner::Rollout(_) | Owner::Bundle { .. } => None,
        }
    }

    /// Whether all trees of a plan that has no `done` yet are staged.
    pub fn is_staged(&self, number: u64) -> bool {
        self.staged.contains(&number)
    }

    /// Whether a plan that has no `done` yet is shown in a tree already, as far as that is written down.
    pub fn is_shown(&self, number: u64, tree: &TreeId) -> bool {
        self.shown.get(&number).is_some_and(|trees| trees.contains(tree))
    }

    /// A plan is shown in a tree.
    fn shows(&mut self, number: u64, tree: &TreeId) {
        self.shown.entry(number).or_default().insert(tree.clone());
    }

    /// Why nothing can be said of a rollout.
    pub(super) fn is_unknown(&self, id: &RolloutId) -> Option<String> {
        self.get(id).is_none().then(|| format!("there is no rollout {id}"))
    }

    /// Forgets the wish for a rollout, if it is `this`.
    pub(super) fn no_longer_wants(&mut self, rollout: &str, this: impl FnOnce(&Wanted) -> bool) {
        let Ok(id) = rollout.parse::<RolloutId>() else { return };
        if self.get(&id).and_then(|known| known.wanted.as_ref()).is_some_and(this) {
            self.change(&id, |known| known.wanted = None);
        }
    }

    pub(super) fn submitted(&mut self, stamp: Stamp<'_>, submitted: &Submitted) {
        let Submitted { rollout: id, title, parts, state } = submitted.clone();
        self.forget(&id);
        let created = Rollout {
            id: id.clone(),
            parts,
            title,
            state: State::recorded(&state),
            since: stamp.at,
            changed: stamp.since,
            by: Actor::recorded(stamp.who),
            wanted: None,
            plan: None,
            left: None,
            rested: None,
            submitted_by: Actor::recorded(stamp.who),
            cancelled: false,
            delayed: false,
        };
        self.enter(&created);
        self.by_id.insert(id, Arc::new(created));
    }

    /// Adds a rollout to the indexes.
    fn enter(&mut self, rollout: &Rollout) {
        for Part { dist, packages } in &rollout.parts {
            self.name(dist, packages, &rollout.id);
            self.place(dist, &rollout.state, (rollout.since, rollout.id.clone()));
        }
    }

    /// A rollout names these packages.
    fn name(&mut self, dist: &DistPath, packages: &[Nevra], id: &RolloutId) {
        let of_dist = self.naming.entry(dist.clone()).or_default();
        for nevra in packages {
            let ids = of_dist.entry(nevra.clone()).or_default();
            let place = ids.partition_point(|other| other < id);
            let (before, behind) = ids.split_at(place);
            *ids = before.iter().chain([id]).chain(behind).cloned().collect();
        }
    }

    /// Removes a rollout from the indexes.
    fn forget(&mut self, id: &RolloutId) {
        let Some(known) = self.by_id.remove(id) else { return };
        for Part { dist, packages } in &known.parts {
            let mut of_dist = self.naming.get_mut(dist);
            for nevra in packages {
                let Some(ids) = of_dist.as_mut().and_then(|all| all.get_mut(nevra)) else { continue };
                *ids = ids.iter().filter(|other| *other != id).cloned().collect();
            }
            self.unplace(dist, &known.state, &(known.since, id.clone()));
        }
        self.waits(id, known.wanted.as_ref(), None);
    }

    /// A rollout has another wish than before.
    fn waits(&mut self, id: &RolloutId, before: Option<&Wanted>, after: Option<&Wanted>) {
        if let Some(at) = before.and_then(|wanted| wanted.not_before) {
            self.due.remove(&(at, id.clone()));
        }
        if let Some(at) = after.and_then(|wanted| wanted.not_before) {
            self.due.insert((at, id.clone()));
        }
        // A date that has passed may come again: the clock may be set back.
        let times = |wanted: &Wanted| [wanted.opens, wanted.at];
        for at in before.into_iter().flat_map(times).flatten() {
            self.opens.remove(&(at, id.clone()));
        }
        for at in after.into_iter().flat_map(times).flatten() {
            self.opens.insert((at, id.clone()));
        }
        match after {
            Some(_) => drop(self.waiting.insert(id.clone())),
            None => drop(self.waiting.remove(id)),
        }
    }

    pub(super) fn declined(&mut self, stamp: Stamp<'_>, declined: &Declined) {
        // Whoever wanted it before people had ids is declined under an id.
        let is_of_before = |by: &str| PersonId::read(by).is_none() && PersonId::read(stamp.who).is_some();
        let is_theirs = |by: &str| by == stamp.who || is_of_before(by);
        let is_this = |w: &Wanted| is_theirs(w.by.as_str()) && w.state.as_str() == declined.state;
        self.no_longer_wants(&declined.rollout, is_this);
    }

    pub(super) fn awaits(&mut self, stamp: Stamp<'_>, awaits: &Awaits) {
        let state = State::recorded(&awaits.state);
        let hook = awaits.hook.clone().or_else(|| hook_before(stamp.who));
        let (by, since, Awaits { not_before, opens, .. }) = (Actor::recorded(stamp.who), stamp.at, awaits.clone());
        self.change(&awaits.rollout, |known| {
            // What somebody wants at some time keeps its date and their roles, whatever it waits for now.
            let dated = known.wanted.take().filter(|known| hook.is_none() && known.hook.is_none() && known.by == by);
            let (roles, at) = dated.map(|known| (known.roles, known.at)).unwrap_or_default();
            known.wanted = Some(Wanted { state, by, hook, roles, since, at, not_before, opens });
        });
    }

    pub(super) fn scheduled(&mut self, stamp: Stamp<'_>, scheduled: &Scheduled) {
        let Scheduled { rollout, state, at, roles } = scheduled.clone();
        let (state, by, since) = (State::recorded(&state), Actor::recorded(stamp.who), stamp.at);
        let (hook, not_before, at) = (None, None, Some(at));
        let wanted = Wanted { state, by, hook, roles, since, at, not_before, opens: at };
        self.change(&rollout, |known| known.wanted = Some(wanted));
    }

    pub(super) fn unscheduled(&mut self, Unscheduled { rollout }: &Unscheduled) {
        self.change(rollout, |known| known.wanted = None);
    }

    pub(super) fn moved(&mut self, stamp: Stamp<'_>, Moved { rollout, from, to, plan }: &Moved) {
        let mut overtaken = None;
        let mut gives_up = false;
        self.change(rollout, |known| {
            overtaken = known.plan.take();
            if overtaken.is_none() {
                known.rested = Some(State::recorded(from));
            } else {
                gives_up = known.rested.as_ref().is_some_and(|rested| rested.as_str() == to);
            }
            known.left = Some(State::recorded(from));
            known.state = State::recorded(to);
            known.since = stamp.at;
            known.changed = stamp.since;
            known.by = Actor::recorded(stamp.who);
            // A step with a date is still wanted then, unless this is it.
            let is_to_come = |wanted: &Wanted| wanted.at.is_some_and(|at| at > stamp.at) && wanted.state != known.state;
            known.wanted = known.wanted.take().filter(is_to_come);
            known.delayed = false;
            known.plan = plan.as_ref().map(|_| stamp.seq);
        });
        if let Some(overtaken) = overtaken {
            self.overtaken(overtaken, rollout);
        }
        if let Some(plan) = plan {
            let decided = (!gives_up).then_some(stamp.at);
            self.plans.insert(stamp.seq, UnderWay { plan: Arc::new(plan.clone()), decided });
        }
    }

    /// The plans of rollouts of a bundle are one from now on.
    pub(super) fn move_together(&mut self, stamp: Stamp<'_>, BundleMoves { bundle, rollouts }: &BundleMoves) {
        let plans: Vec<(&RolloutId, u64, Arc<Plan>)> = rollouts
            .iter()
            .filter_map(|rollout| self.plan_of(rollout).map(|(number, plan)| (rollout, number, Arc::clone(plan))))
            .collect();
        let all = plans.iter().map(|(rollout, number, plan)| (*rollout, *number, &**plan));
        let Some(plan) = Plan::together(bundle, all).filter(|plan| !plan.moves.is_empty()) else { return };
        let hides = |tree: &TreeId, (_, number, plan): &(&RolloutId, u64, Arc<Plan>)| {
            plan.trees().contains(tree) && !self.is_shown(*number, tree)
        };
        let shown: BTreeSet<TreeId> =
            plan.trees().into_iter().filter(|tree| !plans.iter().any(|one| hides(tree, one))).collect();
        let decided = plans.iter().filter_map(|(_, number, _)| self.decided(*number)).min();
        for (rollout, number, _) in &plans {
            self.ended(*number);
            self.change(rollout, |known| known.plan = Some(stamp.seq));
        }
        if !shown.is_empty() {
            self.shown.insert(stamp.seq, shown);
        }
        self.plans.insert(stamp.seq, UnderWay { plan: Arc::new(plan), decided });
    }

    /// Something else was decided for a rollout whose plan is not carried out yet. That of a bundle is taken apart: what it
    /// does for the other rollouts goes on, for each of them alone.
    fn overtaken(&mut self, number: u64, rollout: &RolloutId) {
        let Some(UnderWay { plan, decided }) = self.plans.get(&number).cloned() else { return };
        let shown = self.shown.get(&number).cloned().unwrap_or_default();
        self.ended(number);
        let Owner::Bundle { parts, .. } = &plan.owner else { return };
        for (other, entry) in parts.iter().filter(|(other, _)| *other != rollout) {
            let part = plan.part(other).into_owned();
            let shown: BTreeSet<TreeId> = part.trees().into_iter().filter(|tree| shown.contains(tree)).collect();
            if !shown.is_empty() {
                self.shown.insert(*entry, shown);
            }
            self.plans.insert(*entry, UnderWay { plan: Arc::new(part), decided });
            self.change(other, |known| known.plan = Some(*entry));
        }
    }

    /// A rollout is in another bundle than before.
    pub(super) fn joined(&mut self, stamp: Stamp<'_>, BundleJoined { rollout, .. }: &BundleJoined) {
        self.change(rollout, |known| known.changed = stamp.since);
    }

    /// Whatever a clock that was ahead has dated later than `now` counts from now on.
    pub(super) fn wait_from(&mut self, now: Elapsed) {
        let ahead: Vec<RolloutId> =
            self.iter().filter(|known| known.changed > now).map(|known| known.id.clone()).collect();
        for id in ahead {
            self.change(&id, |known| known.changed = now);
        }
    }

    /// A tree is to list again what it listed before. If a restore of it is not carried out yet, that is given up.
    pub(super) fn restored(&mut self, stamp: Stamp<'_>, restored: &Restored) {
        if let Some((overtaken, _)) = self.restore_of(&restored.id()) {
            self.ended(overtaken);
        }
        if let Some(plan) = restored.plan(stamp.at) {
            self.plans.insert(stamp.seq, UnderWay { plan: Arc::new(plan), decided: Some(stamp.at) });
        }
    }

    /// A rollout has other packages or another title.
    pub(super) fn edited(&mut self, Edited { rollout: id, title, parts }: &Edited) {
        let Some(mut known) = self.get(id).cloned() else { return };
        // The indexes go by its packages.
        self.forget(id);
        known.title = title.clone().unwrap_or(known.title);
        if !parts.is_empty() {
            known.parts = parts.iter().cloned().map(Part::from).collect();
        }
        self.enter(&known);
        self.waits(id, None, known.wanted.as_ref());
        self.by_id.insert(id.clone(), Arc::new(known));
    }

    pub(super) fn cancelled(&mut self, stamp: Stamp<'_>, Cancelled { rollout }: &Cancelled) {
        self.change(rollout, |known| {
            known.cancelled = true;
            known.since = stamp.at;
            known.changed = stamp.since;
            known.by = Actor::recorded(stamp.who);
            known.wanted = None;
        });
    }

    pub(super) fn delayed(&mut self, Delayed { rollout, .. }: &Delayed) {
        self.change(rollout, |known| known.delayed = true);
    }

    /// Those of a distribution that have been in a state since this time or longer, the oldest first.
    pub fn in_state_since<'w>(
        &'w self,
        dist: &DistPath,
        state: &State,
        until: Timestamp,
    ) -> impl Iterator<Item = &'w Rollout> + use<'w> {
        let places = self.by_state.get(dist).and_then(|states| states.get(state));
        let old = places.into_iter().flat_map(OrdSet::iter).take_while(move |(since, _)| *since <= until);
        old.filter_map(|(_, id)| self.get(id))
    }

    /// All trees of a plan are staged.
    pub(super) fn staged(&mut self, Staged { plan, .. }: &Staged) {
        if self.has_plan(*plan) {
            self.staged.insert(*plan);
        }
    }

    /// Removes a package from all plans and returns the trees that these would have changed. A plan with nothing left to
    /// move counts as carried out.
    pub(super) fn lost(&mut self, dist: &DistPath, nevra: &Nevra) -> BTreeSet<TreeId> {
        let mut touched = BTreeSet::new();
        let moves = |plan: &Plan| plan.of(dist).is_some_and(|one| one.items.iter().any(|item| item.nevra == *nevra));
        let moving: Vec<u64> = self.plans().filter(|(_, plan)| moves(plan)).map(|(number, _)| number).collect();
        for number in moving {
            self.staged.remove(&number);
            let Some(plan) = self.plans.get_mut(&number).map(|it| Arc::make_mut(&mut it.plan)) else { continue };
            for one in plan.moves.iter().filter(|one| one.dist == *dist) {
                touched.extend(one.trees().iter().map(|tree| one.id(tree)));
            }
            plan.keep(|at, item| at != dist || item.nevra != *nevra);
            let is_empty = plan.moves.is_empty();
            let over: Vec<RolloutId> =
                plan.rollouts().filter(|rollout| plan.part(rollout).moves.is_empty()).cloned().collect();
            for rollout in &over {
                self.over(Some(rollout), number);
            }
            if is_empty {
                self.over(None, number);
            }
        }
        touched
    }

    /// A plan is carried out for a rollout, or there is nothing left to do.
    fn over(&mut self, rollout: Option<&RolloutId>, number: u64) {
        if let Some(rollout) = rollout {
            if self.get(rollout).is_some_and(|known| known.plan == Some(number)) {
                self.change(rollout, |known| known.plan = None);
            }
            // Of a bundle, the others have a `done` each.
            if let Some(plan) = self.plans.get_mut(&number).map(|it| Arc::make_mut(&mut it.plan)) {
                plan.leave_out(rollout);
                if matches!(&plan.owner, Owner::Bundle { parts, .. } if !parts.is_empty()) {
                    return;
                }
            }
        }
        self.ended(number);
    }

    /// Forgets a plan.
    fn ended(&mut self, number: u64) {
        self.shown.remove(&number);
        self.staged.remove(&number);
        self.plans.remove(&number);
    }

    fn place(&mut self, dist: &DistPath, state: &State, place: Place) {
        self.by_state.entry(dist.clone()).or_default().entry(state.clone()).or_default().insert(place);
    }

    fn unplace(&mut self, dist: &DistPath, state: &State, place: &Place) {
        if let Some(set) = self.by_state.get_mut(dist).and_then(|states| states.get_mut(state)) {
            set.remove(place);
        }
    }

    /// Changes a rollout, and the indexes with it.
    fn change(&mut self, id: &RolloutId, how: impl FnOnce(&mut Rollout)) {
        let Some(known) = self.by_id.get_mut(id).map(Arc::make_mut) else { return };
        let before = ((known.since, id.clone()), known.state.clone());
        let wanted_before = known.wanted.clone();
        how(known);
        let wanted = known.wanted.clone();
        let after = ((known.since, id.clone()), known.state.clone());
        if after != before {
            let dists: Vec<DistPath> = known.dists().cloned().collect();
            for dist in dists {
                self.unplace(&dist, &before.1, &before.0);
                self.place(&dist, &after.1, after.0.clone());
            }
        }
        if wanted_before.is_some() || wanted.is_some() {
            self.waits(id, wanted_before.as_ref(), wanted.as_ref());
        }
    }
}

/// The webhook of an entry that did not name it: entries of before have it in front of the tracker's user.
fn hook_before(who: &str) -> Option<HookName> {
    who.split_once(':')?.0.parse().ok()
}

impl World {
    /// Why a plan may not be carried out now: by what the rules say, which may have been others when it was decided, or
    /// since promotions are halted. What its target lists already is not brought there by it.
    pub fn objection(&self, rules: &Rules, plan: &Plan) -> Option<Finding> {
        self.halted(plan).or_else(|| self.distrust(rules, plan))
    }

    /// What no client has seen yet waits for the end of a halt, unless it takes packages back.
    fn halted(&self, plan: &Plan) -> Option<Finding> {
        if plan.restored().is_some() {
            let comes = plan.moves.iter().any(|one| self.new_in(one).next().is_some());
            return comes.then(|| self.halts.objection(plan.dists())).flatten();
        }
        let rollouts: Vec<&Rollout> = plan.rollouts().filter_map(|rollout| self.rollouts.get(rollout)).collect();
        let rests = |rollout: &&Rollout| rollout.rested.as_ref() == Some(&rollout.state);
        let goes_back = plan.is_withdrawal() || rollouts.iter().all(rests);
        let is_shown =
            |rollout: &&Rollout| rollout.plan.is_some_and(|number| self.rollouts.shown.contains_key(&number));
        let is_begun = rollouts.iter().any(is_shown);
        if goes_back || is_begun { None } else { self.halts.objection(plan.dists()) }
    }

    fn distrust(&self, rules: &Rules, plan: &Plan) -> Option<Finding> {
        self.objections(rules, plan).next()
    }

    /// Everything that the rules say against those who signed what a plan brings into its targets.
    pub fn objections<'w>(&'w self, rules: &'w Rules, plan: &'w Plan) -> impl Iterator<Item = Finding> + use<'w> {
        plan.moves.iter().flat_map(move |one| {
            let target = one.target.as_ref().zip(rules.distributions.get(&one.dist));
            target.into_iter().flat_map(move |(to, rules)| {
                // What was taken under management by an exception may come back to where it was, and goes nowhere else.
                let is_at_home = move |nevra: &Nevra| {
                    let package = self.packages.get(&one.dist, nevra);
                    package.is_some_and(|package| package.excepted.is_some() && package.is_adopted_in(to))
                };
                let brought = self.new_in(one).filter(move |item| item.was.is_none() || !is_at_home(&item.nevra));
                self.packages.objections(rules, &one.dist, to, brought.map(|item| &item.nevra))
            })
        })
    }

    /// The packages that a move brings into its target, where they are not listed yet.
    fn new_in<'w>(&'w self, one: &'w Move) -> impl Iterator<Item = &'w Item> {
        let lists = |nevra: &Nevra| one.target.as_ref().is_some_and(|to| self.lists(&one.dist, to, nevra));
        one.items.iter().filter(move |item| one.brings(item) && !lists(&item.nevra))
    }

    /// The transitions open to a rollout, if nothing stops them: those from its state, and, while its last step is stuck,
    /// withdrawals from the state before it, which give that step up.
    pub fn ways<'r>(
        rules: &'r DistRules,
        rollout: &'r Rollout,
        is_stuck: bool,
    ) -> impl Iterator<Item = &'r Transition> + use<'r> {
        let from_here = rules.workflow.leaving(&rollout.state).filter(|_| !rollout.cancelled);
        let left = rollout.left.as_ref().filter(|_| is_stuck);
        let withdrawals = left.into_iter().flat_map(|left| rules.workflow.leaving(left));
        let is_new = |way: &&Transition| {
            let known = rules.workflow.leaving(&rollout.state).any(|other| other.to == way.to);
            way.effect == Effect::Withdraw && way.to != rollout.state && !known
        };
        from_here.chain(withdrawals.filter(is_new))
    }

    pub(super) fn done(&mut self, stamp: Stamp<'_>, Done { plan: number, rollout }: &Done) {
        let Some(plan) = self.rollouts.plan(*number).map(Arc::clone) else { return };
        if let Some(decided) = self.rollouts.decided(*number) {
            self.levels.done(stamp, decided, &plan);
        }
        // Older programs did not write down where it was shown. It need not be noted of a plan that is over.
        for tree in plan.trees() {
            self.shown(stamp, *number, &tree);
        }
        match rollout {
            Some(rollout) => self.rollouts.over(Some(rollout), *number),
            // Nor of which rollout it was: it was of one.
            None => self.rollouts.over(plan.rollouts().next(), *number),
        }
    }

    /// A tree lists what a plan has brought there, and not what it has taken away.
    fn lists_by(&mut self, stamp: Stamp<'_>, (number, plan): (u64, &Plan), id: &TreeId) {
        let Some(one) = plan.of(&id.dist) else { return };
        for item in one.items.iter().filter(|item| one.touches(item, &id.tree)) {
            if !item.leaves.contains(&id.tree) {
                self.packages.is_back(id, &item.nevra);
            } else if let Owner::Restore { from, .. } = &plan.owner
                && self.lists(&id.dist, &id.tree, &item.nevra)
            {
                let how = SetAside { entry: number, tree: id.tree.clone(), from: *from };
                self.packages.sets_aside(&id.dist, &item.nevra, how);
            }
        }
        self.trees.shows(id, plan, &self.packages, stamp.since);
    }

    /// A tree shows what a plan has added there and removed.
    pub(super) fn shown(&mut self, stamp: Stamp<'_>, number: u64, tree: &TreeId) {
        let plan = self.rollouts.plan(number).filter(|plan| plan.of(&tree.dist).is_some()).map(Arc::clone);
        let Some(plan) = plan.filter(|_| !self.rollouts.is_shown(number, tree)) else { return };
        self.rollouts.shows(number, tree);
        self.lists_by(stamp, (number, &plan), tree);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    impl Rollouts {
        /// Puts a rollout in as no fact would.
        pub(crate) fn put(&mut self, rollout: Rollout) {
            self.enter(&rollout);
            self.by_id.insert(rollout.id.clone(), Arc::new(rollout));
        }
    }

    impl std::ops::Index<&RolloutId> for Rollouts {
        type Output = Rollout;

        fn index(&self, id: &RolloutId) -> &Rollout {
            self.get(id).expect("a rollout")
        }
    }
}
