//! A site without a disk: it does with inputs, work and clocks what the engine does, and has the model hear every fact.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::model::{Cause, Check, Model, ensure};
use crate::domain::checksum::Sha256;
use crate::domain::moment::{Elapsed, Moment};
use crate::domain::names::{Actor, DistPath, RolloutId, TreeId};
use crate::domain::people::{People, Person, PersonId, reserved};
use crate::process::act::wishes::stirred;
use crate::process::agenda::{self, Circumstances, Held, Work, Wrongs};
use crate::process::decision::{Answer, Decision, Entry};
use crate::process::earlier::Earlier;
use crate::process::fact::daemon::Started;
use crate::process::fact::rollout::StagedTree;
use crate::process::fact::tree::Published;
use crate::process::fact::{self, Fact};
use crate::process::input::{Ask, End, Found, Input, WorkEnd};
use crate::process::known::Known;
use crate::process::rules::Rules;
use crate::process::trouble::{Trouble, Troubles};
use crate::process::who::Caller;
use crate::process::world::World;
use crate::process::{decide, wish};

/// Clocks that differ by less count as the same.
const SAME_TIME: SignedDuration = SignedDuration::from_secs(1);

pub(super) struct Site {
    pub(super) world: World,
    pub(super) rules: Rules,
    people: People,
    pub(super) wrong: Wrongs,
    troubles: Troubles,
    pub(super) model: Model,
    /// What each entry has in the logbook: when, who, and its body.
    log: Vec<(Timestamp, String, String)>,
    wall: Timestamp,
    elapsed: Elapsed,
    due_until: Elapsed,
    opened_until: Timestamp,
    stirred: BTreeSet<RolloutId>,
    all_stirred: bool,
    held: BTreeMap<u64, Held>,
    /// Work that has begun and not ended.
    running: Option<Work>,
    revision: u64,
    /// What each tree listed whenever it was published.
    pub(super) history: Vec<(TreeId, Earlier)>,
}

impl Site {
    pub(super) fn new(rules: Rules, start: Timestamp) -> Self {
        let elapsed = Elapsed::from_wall(start);
        let mut model = Model::default();
        model.wall = start;
        Self {
            world: World::default(),
            rules,
            people: People::default(),
            wrong: Wrongs::new(),
            troubles: Troubles::new(),
            model,
            log: vec![],
            wall: start,
            elapsed,
            due_until: elapsed,
            opened_until: start,
            stirred: BTreeSet::new(),
            all_stirred: false,
            held: BTreeMap::new(),
            running: None,
            revision: 0,
            history: vec![],
        }
    }

    fn known(&self) -> Known<'_> {
        let Self { world, rules, people, wrong, troubles, .. } = self;
        Known { world, rules, people, wrong, troubles, now: Moment { wall: self.wall, elapsed: self.elapsed } }
    }

    pub(super) fn wall(&self) -> Timestamp {
        self.wall
    }

    /// Somebody asks for something.
    pub(super) fn asks(&mut self, who: &Caller, ask: Ask) -> Check {
        let roles = who.grants.iter().map(|grant| grant.role.clone()).collect();
        let cause = match &ask {
            Ask::GiveUp { .. } => Cause::GaveUp(roles),
            Ask::EndTask { early: true, .. } => Cause::EndedEarly,
            _ => Cause::Asked(roles),
        };
        let is_loss = matches!(ask, Ask::Lose { .. });
        let before = self.log.len();
        self.hears(&Input::Asked(who.clone(), ask), &cause)?;
        if is_loss && self.log.len() > before {
            // The trees are looked at again, and are right now.
            self.mends()?;
        }
        Ok(())
    }

    pub(super) fn hears(&mut self, input: &Input, cause: &Cause) -> Check {
        let decision = decide(self.known(), input);
        let is_no = matches!(
            decision.answer,
            Some(
                Answer::Refused(_)
                    | Answer::NotFound(_)
                    | Answer::Conflict(_)
                    | Answer::Repeated
                    | Answer::Reused(_)
                    | Answer::Ahead(_)
                    | Answer::Nothing(_)
            )
        );
        ensure(!is_no || decision.entries.is_empty(), || format!("refused and written down: {decision:?}"))?;
        self.record(decision, cause)?;
        if let Input::WorkEnded(work, ended) = input {
            self.ended(work, ended);
        }
        self.settles()
    }

    /// Something has changed that is no fact.
    pub(super) fn changes(&mut self) -> Check {
        self.all_stirred = true;
        self.settles()
    }

    pub(super) fn mends(&mut self) -> Check {
        self.wrong.clear();
        self.troubles.retain(|what, _| !matches!(what, Trouble::Tree(_)));
        self.changes()
    }

    /// What the engine does between two inputs.
    fn settles(&mut self) -> Check {
        self.wishes()?;
        loop {
            let alive: BTreeSet<Trouble> =
                self.world.rollouts.plans().map(|(number, plan)| Trouble::of_plan(plan, number)).collect();
            self.troubles.retain(|what, _| !matches!(what, Trouble::Promote(..)) || alive.contains(what));
            let held = agenda::held(&self.world, &self.rules);
            let before = std::mem::replace(&mut self.held, held);
            if before == self.held {
                return self.is_right();
            }
            for Held { what, why } in self.held.values() {
                self.troubles.insert(what.clone(), why.clone());
            }
            for (_, Held { what, .. }) in before.iter().filter(|(number, _)| !self.held.contains_key(*number)) {
                self.troubles.remove(what);
            }
            self.all_stirred = true;
            self.wishes()?;
        }
    }

    fn wishes(&mut self) -> Check {
        if std::mem::take(&mut self.all_stirred) {
            self.stirred = self.world.rollouts.waiting().map(|rollout| rollout.id.clone()).collect();
        }
        let mut left = 1_000_u32;
        while let Some(id) = self.stirred.pop_first() {
            left = left.checked_sub(1).ok_or("wishes stir each other for ever")?;
            let decision = wish(self.known(), &id);
            let dated = self.world.rollouts.get(&id).and_then(|rollout| rollout.wanted.as_ref());
            let dated = dated.and_then(|wanted| Some((wanted.at?, wanted.roles.clone())));
            let early = dated.as_ref().is_some_and(|(at, _)| self.wall < *at) && !decision.entries.is_empty();
            ensure(!early, || format!("{id} goes before its date"))?;
            self.record(decision, &dated.map_or(Cause::Tracker, |(_, roles)| Cause::Asked(roles)))?;
        }
        Ok(())
    }

    fn record(&mut self, decision: Decision, cause: &Cause) -> Check {
        if decision.entries.is_empty() {
            return Ok(());
        }
        let said = Some(self.elapsed).filter(|at| Elapsed::from_wall(self.wall).since(*at).abs() >= SAME_TIME);
        self.world.elapsed = Some(said.unwrap_or(Elapsed::from_wall(self.wall)));
        for Entry { who, fact, .. } in decision.entries {
            let seq = self.world.last + 1;
            let body = fact::write_at(&fact, said);
            let read = fact::read_at(&body, self.wall)?;
            ensure(read == (fact.clone(), self.world.elapsed), || format!("{fact:?} is read as {read:?}"))?;
            self.model
                .hears(seq, who.as_str(), cause, &fact, &self.rules)
                .map_err(|why| format!("entry {seq} ({fact}): {why}"))?;
            self.stirred.extend(stirred(&self.world, &fact));
            let who = self.written(&who);
            self.world.apply(seq, self.wall, &who, &fact);
            self.log.push((self.wall, who, body));
            if let Fact::Published(Published { tree, .. }) = &fact {
                self.history.push((tree.clone(), self.earlier(tree)));
            }
        }
        Ok(())
    }

    /// What a tree lists now, as somebody who comes back to it will find it.
    pub(super) fn earlier(&self, id: &TreeId) -> Earlier {
        let revision = self.world.trees.get(id).map_or(0, |tree| tree.revision);
        Earlier::of(&self.world, id, revision, self.world.last)
    }

    /// What the logbook has for somebody, as the register gives it.
    fn written(&mut self, who: &Actor) -> String {
        if reserved(who.as_str()).is_some() {
            return who.to_string();
        }
        let new = PersonId::new(self.people.len() as u64);
        let id = self.people.id_of(who).unwrap_or(new);
        self.people.put(id, Person { identity: Some(who.clone()), seen: self.wall });
        id.to_string()
    }

    /// What has to be so after each input.
    fn is_right(&self) -> Check {
        ensure(self.world.mismatches.is_empty(), || format!("{:?}", self.world.mismatches))?;
        self.model.keeps_all()?;
        for ((dist, nevra), trees) in &self.model.lies {
            let listed: Vec<_> = self.world.listed_in(dist, nevra).collect();
            ensure(trees.keys().eq(listed.iter().copied()), || format!("{nevra} is in {listed:?}, not in {trees:?}"))?;
        }
        for (id, known) in &self.model.rollouts {
            let state = self.world.rollouts.get(id).map(|rollout| rollout.state.to_string());
            ensure(state.as_ref() == Some(&known.state), || format!("{id} is in {state:?}, not in {}", known.state))?;
            let plan = self.world.rollouts.get(id).and_then(|rollout| rollout.plan);
            let is_there = plan.is_none_or(|number| self.world.rollouts.has_plan(number));
            ensure(plan.is_some() == known.plan.is_some() && is_there, || format!("{id} moves by {plan:?}"))?;
        }
        for rollout in self.world.rollouts.waiting() {
            let missed = wish(self.known(), &rollout.id);
            // One that waits for more than before, or has become impossible, may be told so later; one that is possible
            // may not wait.
            let is_late = missed.entries.iter().any(|entry| matches!(entry.fact, Fact::Moved(_)));
            ensure(!is_late, || format!("nothing has stirred {}: {missed:?}", rollout.id))?;
        }
        for work in self.todo() {
            if let Some((number, _)) = work.plan() {
                self.model.may_show(number)?;
            }
        }
        Ok(())
    }

    /// What the logbook folds to is the world.
    pub(super) fn is_recovered(&self) -> Check {
        let mut again = World::default();
        for (n, (at, who, body)) in self.log.iter().enumerate() {
            let (fact, elapsed) = fact::read_at(body, *at)?;
            again.elapsed = elapsed;
            again.apply(n as u64 + 1, *at, who, &fact);
        }
        ensure(again == self.world, || "the logbook folds to another world".to_owned())
    }

    /// Time passes, on both clocks.
    pub(super) fn passes(&mut self, span: Duration) -> Check {
        self.wall = self.wall.checked_add(span).expect("a time");
        self.elapsed = self.elapsed.plus(span);
        self.model.now += span;
        self.model.wall = self.wall;
        self.come_due();
        self.hears(&Input::Tick, &Cause::Work)?;
        self.model.no_deadline_is_unnoticed()
    }

    /// Somebody sets the clock on the wall.
    pub(super) fn is_set(&mut self, by: SignedDuration) -> Check {
        self.wall = self.wall.checked_add(by).expect("a time");
        self.model.wall = self.wall;
        let wall = Elapsed::from_wall(self.wall);
        if self.elapsed.since(wall) >= SAME_TIME {
            self.elapsed = wall;
            self.world.wait_from(wall);
            // The fold learns of it by the next entry, which the same moment has.
            let fact = Fact::Started(Started { version: String::new(), alive: None });
            self.record(Decision { entries: vec![Entry::of_daemon(fact)], answer: None }, &Cause::Work)?;
        }
        self.all_stirred = true;
        self.come_due();
        self.settles()
    }

    fn come_due(&mut self) {
        let rollouts = &self.world.rollouts;
        self.stirred.extend(rollouts.due(self.due_until, self.elapsed).cloned());
        self.due_until = self.elapsed;
        self.stirred.extend(rollouts.opened(self.opened_until, self.wall).cloned());
        self.opened_until = self.wall.checked_sub(SAME_TIME).expect("a time");
    }

    /// The work that could begin now.
    fn todo(&self) -> Vec<Work> {
        let now = self.elapsed.min(Elapsed::from_wall(self.wall));
        let circumstances = Circumstances { touched: false, doubted: false, patient: false, now };
        let busy: BTreeSet<&DistPath> = self.running.iter().flat_map(Work::dists).collect();
        let dists = self.rules.distributions.keys();
        let all = dists.flat_map(|dist| {
            agenda::all(&self.world, dist, &self.rules, &self.wrong, &self.held, circumstances).into_iter().flatten()
        });
        let notices = self.rules.outgoing.keys().filter_map(|to| agenda::notice(&self.world, to));
        all.chain(notices).filter(|work| !work.dists().any(|dist| busy.contains(dist))).collect()
    }

    /// Whether files of a distribution are being removed: nothing is taken in there meanwhile, since both have its lane.
    pub(super) fn retires(&self, dist: &DistPath) -> bool {
        matches!(&self.running, Some(Work::Retire(tree, _)) if tree.dist == *dist)
    }

    /// A piece of work begins.
    pub(super) fn begins(&mut self, which: usize) {
        let todo = self.todo();
        if self.running.is_none() && !todo.is_empty() {
            self.running = todo.get(which % todo.len()).cloned();
        }
    }

    /// The work that runs ends; `half` says how many trees it has shown if it fails.
    pub(super) fn ends(&mut self, half: Option<usize>) -> Check {
        let Some(work) = self.running.take() else { return Ok(()) };
        let (plan, all) = (work.plan().map(|(number, _)| number), work.changes());
        let shown = half.map_or(all.len(), |half| half % (all.len() + 1));
        let published: Vec<Published> = all.iter().take(shown).map(|id| self.published(id, plan)).collect();
        let found = match &work {
            Work::Stage(number, _) if half.is_none() => {
                Found::Staged { plan: *number, trees: all.iter().map(|id| self.staged(id)).collect() }
            }
            Work::Show(number, _) => Found::Shown { plan: *number, published },
            Work::Publish(..) => Found::Published(published),
            Work::Retire(tree, files) if half.is_none() => {
                Found::Retired { tree: tree.clone(), files: files.clone(), kept: vec![] }
            }
            _ => Found::Nothing,
        };
        let end = half.map_or(End::Done, |_| End::Again { why: Some("no room".to_owned()), after: None });
        self.hears(&Input::WorkEnded(work, WorkEnd { found, end, altered: vec![] }), &Cause::Work)
    }

    /// All there is to do is done.
    pub(super) fn works(&mut self) -> Check {
        self.ends(None)?;
        for _ in 0..30 {
            let Some(work) = self.todo().into_iter().next() else { break };
            self.running = Some(work);
            self.ends(None)?;
        }
        Ok(())
    }

    fn ended(&mut self, work: &Work, ended: &WorkEnd) {
        let trouble = work.trouble();
        if ended.end == End::Done {
            self.troubles.remove(&trouble);
            return;
        }
        let Some((number, plan)) = work.plan() else { return };
        if self.world.rollouts.has_plan(number) && !self.held.contains_key(&number) {
            self.stirred.extend(plan.rollouts().cloned());
            self.troubles.insert(trouble, "no room".to_owned());
        }
    }

    fn published(&mut self, tree: &TreeId, plan: Option<u64>) -> Published {
        self.revision += 1;
        let (packages, superseded) = (self.world.trees.listed(tree), vec![format!("{}.xml", self.revision)]);
        Published { tree: tree.clone(), revision: self.revision, packages, repomd: Sha256([2; 32]), superseded, plan }
    }

    fn staged(&self, TreeId { dist, tree }: &TreeId) -> StagedTree {
        StagedTree { dist: dist.clone(), tree: tree.clone(), revision: self.revision, repomd: Sha256([2; 32]) }
    }
}
