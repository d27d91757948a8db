//! What begins, and what follows from how it ended.
//!
//! Work runs in lanes, one piece at a time in each. This module knows which lanes are busy, what is waiting, and what has
//! failed and will be tried again. It has no clock and starts nothing: the time is passed in, and [`super::run`] starts
//! what [`Dispatch::todo`] returns.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::view::View;
use crate::domain::backlog::Backlog;
use crate::domain::moment::Elapsed;
use crate::domain::names::{DistPath, RolloutId, TreeId};
use crate::process::agenda::{self, Circumstances, Held, Lane, Work, Wrong};
use crate::process::input::{End, Found, WorkEnd};
use crate::process::trouble::Trouble;

/// How long what was taken in may wait for more of the same burst before it is published. People wait for
/// rollouts, which this does not hold up; and the quiet time of a file is as long.
const PATIENCE: Duration = Duration::from_secs(2);

/// When a failed piece of work is tried again. It is data, so a test reads it without waiting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    /// The first pause.
    pub(super) first: Duration,
    /// The longest pause.
    pub(super) most: Duration,
}

/// The plan for work on trees: it never gives up, since a full disk may be emptied at any time.
pub(super) const RETRY: Retry = Retry { first: Duration::from_secs(1), most: Duration::from_mins(1) };

/// The same for notices, whose receivers should not be flooded.
pub(super) const RETRY_NOTICE: Retry = Retry { first: Duration::from_secs(5), most: Duration::from_mins(30) };

impl Retry {
    /// The pause after `failures` failures in a row.
    pub(super) fn pause(self, failures: u32) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        doubled.min(self.most)
    }
}

/// The time, as it is passed in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// By the clock that only goes forward.
    pub(super) clock: Instant,
    /// The time by which files are removed.
    pub(super) patient: Elapsed,
}

/// The rollouts to judge again because something other than a fact has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stirred {
    /// These.
    pub(super) some: BTreeSet<RolloutId>,
    /// All that are waiting.
    pub(super) all: bool,
}

/// What is running, what is waiting to run, and what will be tried again.
#[derive(Debug, Default)]
pub(super) struct Dispatch {
    busy: BTreeSet<Lane>,
    /// Work in progress; one piece may hold several lanes.
    running: usize,
    /// Distributions whose uploads have to be looked at.
    touched: BTreeSet<DistPath>,
    /// When to look at the uploads of a distribution again without an event.
    again: BTreeMap<DistPath, Instant>,
    /// How often a piece of work has failed in a row, and when it may be tried again.
    failures: BTreeMap<Trouble, (u32, Instant)>,
    first_look_over: BTreeSet<DistPath>,
    /// Since when a package that was taken in has been waiting for its publication.
    waiting: BTreeMap<DistPath, Instant>,
    /// Distributions whose trees have to be compared with the logbook.
    doubted: BTreeSet<DistPath>,
    /// Moves that the rules no longer trust.
    held: BTreeMap<u64, Held>,
    /// The moves that were judged by the rules in force, and how often a halt had begun or ended; `None` once the rules
    /// have changed.
    judged: Option<(Vec<(u64, usize)>, u64)>,
}

impl Dispatch {
    /// Asks for a look at the uploads of `touched`, and for a comparison of the trees of `doubted` with the logbook.
    pub(super) fn wants(
        &mut self,
        touched: impl IntoIterator<Item = DistPath>,
        doubted: impl IntoIterator<Item = DistPath>,
    ) {
        self.touched.extend(touched);
        self.doubted.extend(doubted);
    }

    /// The trees of a distribution are inspected next, whatever was wrong with them before.
    pub(super) fn inspect_at_once(&mut self, dist: &DistPath) {
        self.doubted.insert(dist.clone());
        self.failures.remove(&Trouble::Inspect(dist.clone()));
    }

    /// The rules have changed.
    pub(super) fn new_rules(&mut self) {
        self.judged = None;
        // A receiver may have a new address: try at once.
        self.failures.retain(|what, _| !matches!(what, Trouble::Deliver(_)));
    }

    /// How many pieces of work have begun and not ended.
    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// When to ask again.
    pub(super) fn next_wake(&self, now: Instant) -> Option<Instant> {
        let later = self.failures.values().map(|(_, until)| *until);
        self.again.values().copied().chain(later).filter(|at| *at > now).min()
    }

    /// Whether the moves, the halts or the rules have changed since [`Dispatch::hold`] looked.
    pub(super) fn has_new_moves(&self, view: &View) -> bool {
        let halts = view.world.halts.changes;
        !self.judged.as_ref().is_some_and(|(judged, then)| *then == halts && moves(view).eq(judged.iter().copied()))
    }

    /// Finds out which moves are held, and reports them.
    pub(super) fn hold(&mut self, view: &mut View) -> Stirred {
        self.judged = Some((moves(view).collect(), view.world.halts.changes));
        let held = agenda::held(&view.world, &view.rules);
        // A move that was carried out or given up, or that has nothing left to do, blocks nobody any more. One that has
        // nothing left to do in a distribution is another one in the eyes of whoever reads of it.
        let plans = view.world.rollouts.plans();
        let alive: BTreeSet<Trouble> = plans.map(|(number, plan)| Trouble::of_plan(plan, number)).collect();
        let is_over = |what: &&Trouble| matches!(what, Trouble::Promote(..)) && !alive.contains(*what);
        let over: Vec<Trouble> = self.failures.keys().chain(view.troubles.keys()).filter(is_over).cloned().collect();
        for key in over {
            self.failures.remove(&key);
            view.trouble(&key, None);
        }
        let before = std::mem::replace(&mut self.held, held);
        for (_, Held { what, why }) in self.held.iter().filter(|(number, held)| before.get(*number) != Some(*held)) {
            tracing::error!(work = %what, why, "held");
            view.trouble(what, Some(why.clone()));
        }
        for (_, Held { what, .. }) in before.iter().filter(|(number, _)| !self.held.contains_key(*number)) {
            self.failures.remove(what);
            view.trouble(what, None);
        }
        Stirred { all: before != self.held, ..Stirred::default() }
    }

    /// What to start now.
    pub(super) fn todo(&mut self, inside: &View, now: Now) -> Vec<Work> {
        let is_due = |at: &Instant| *at <= now.clock;
        let due: Vec<DistPath> = self.again.iter().filter(|(_, at)| is_due(at)).map(|(dist, _)| dist.clone()).collect();
        for dist in due {
            self.again.remove(&dist);
            self.touched.insert(dist);
        }
        let lanes = agenda::lanes(&inside.rules);
        let free = lanes.into_iter().filter(|lane| !self.busy.contains(lane)).collect();
        agenda::ready(&free, |lane| match lane {
            Lane::Distribution(dist) => {
                let since = self.waiting.get(dist);
                let circumstances = Circumstances {
                    touched: self.touched.contains(dist),
                    doubted: self.doubted.contains(dist),
                    patient: since.is_some_and(|since| now.clock.saturating_duration_since(*since) < PATIENCE),
                    now: now.patient,
                };
                self.all(inside, dist, circumstances).find(|work| !self.is_put_off(work, now.clock))
            }
            Lane::Notices(to) => agenda::notice(&inside.world, to).filter(|work| !self.is_put_off(work, now.clock)),
        })
    }

    /// A piece of work begins.
    pub(super) fn begins(&mut self, view: &mut View, work: &Work) {
        match work {
            Work::TakeIn(dist) => drop(self.touched.remove(dist)),
            Work::Inspect(dist, _) => drop(self.doubted.remove(dist)),
            _ => {}
        }
        self.running += 1;
        for lane in work.lanes() {
            view.busy.insert(lane.clone(), work.label());
            self.busy.insert(lane);
        }
    }

    /// What there is to do for a distribution, most urgent first.
    fn all<'w>(
        &'w self,
        inside: &'w View,
        dist: &'w DistPath,
        circumstances: Circumstances,
    ) -> impl Iterator<Item = Work> + use<'w> {
        agenda::all(&inside.world, dist, &inside.rules, &inside.wrong, &self.held, circumstances).into_iter().flatten()
    }

    /// Recovery is over when every tree was compared with the logbook, every plan is carried out, every tree
    /// published, and every upload tree looked at once, as far as that can be done now. What has failed and is tried
    /// again later does not keep the rest from being served: it is a trouble, and readiness says so.
    pub(super) fn recovered(&self, inside: &View, now: Now) -> bool {
        let held = |work: &Work| self.is_put_off(work, now.clock);
        let settled = |dist: &DistPath| {
            let doubted = self.doubted.contains(dist);
            let moment = Circumstances { touched: false, doubted, patient: false, now: now.patient };
            let next = self.all(inside, dist, moment).find(|work| !held(work));
            // An upload tree in which something is wrong is not looked at before people have fixed it, and they
            // may wait for the daemon to be up.
            let touched = Circumstances { touched: true, ..moment };
            let may_look = self.all(inside, dist, touched).any(|work| matches!(work, Work::TakeIn(_)) && !held(&work));
            let looked = self.first_look_over.contains(dist) || !may_look;
            let pending = next.is_some_and(|work| !matches!(work, Work::TakeIn(_) | Work::Retire(..)));
            looked && !pending && !self.busy.contains(&Lane::Distribution(dist.clone()))
        };
        inside.rules.distributions.keys().all(settled)
    }

    /// Work has failed once more. Returns how long to wait; the other side may have asked for a minimum.
    fn try_later(&mut self, what: &Trouble, at_least: Option<Duration>, now: Instant) -> Duration {
        let retry = if matches!(what, Trouble::Deliver(_)) { RETRY_NOTICE } else { RETRY };
        let failures = self.failures.get(what).map_or(0, |(failures, _)| *failures) + 1;
        let pause = retry.pause(failures).max(at_least.unwrap_or_default());
        self.failures.insert(what.clone(), (failures, now + pause));
        pause
    }

    /// Whether work that failed has to wait longer.
    fn is_put_off(&self, work: &Work, now: Instant) -> bool {
        self.failures.get(&work.trouble()).is_some_and(|(_, until)| *until > now)
    }

    /// A piece of work has ended and its outcome has been logged.
    pub(super) fn ended(&mut self, view: &mut View, work: &Work, ended: &WorkEnd, now: Instant) -> Stirred {
        let mut stirred = Stirred::default();
        let WorkEnd { found, end, .. } = ended;
        self.running = self.running.saturating_sub(1);
        for lane in work.lanes() {
            self.busy.remove(&lane);
            view.busy.remove(&lane);
        }
        let dists: Vec<DistPath> = work.dists().cloned().collect();
        let has_failed = matches!(end, End::Again { why: Some(_), .. } | End::Final(_));
        let counts = view.worked.entry(work.label()).or_default();
        counts.0 += 1;
        counts.1 += u64::from(has_failed);
        let what = work.trouble();
        let (is_held, was_given_up) = match work.plan() {
            Some((number, _)) => (self.held.contains_key(&number), !view.world.rollouts.has_plan(number)),
            None => (false, false),
        };
        match end {
            _ if has_failed && was_given_up => {}
            // It waits for people, who are told what holds it; until then it is not tried again.
            _ if has_failed && is_held => return stirred,
            End::Again { why: Some(why), after } => {
                let pause = self.try_later(&what, *after, now);
                self.failed(view, (work, &what), (why, pause), &mut stirred);
                return stirred;
            }
            End::Again { why: None, after } => {
                for dist in after.iter().flat_map(|_| &dists) {
                    let at = now + after.unwrap_or_default();
                    let sooner = self.again.get(dist).map_or(at, |known| (*known).min(at));
                    self.again.insert(dist.clone(), sooner);
                }
            }
            // A final failure is in the logbook; there is nothing left to do.
            End::Done | End::Final(_) => {}
        }
        match (found, work) {
            (Found::Looked { stuck, waiting, took_in, repeated, .. }, Work::TakeIn(dist)) => {
                if !took_in.is_empty() {
                    self.waiting.entry(dist.clone()).or_insert(now);
                }
                report_stuck(view, dist, stuck);
                report_waiting(view, dist, waiting);
                self.first_look_over.insert(dist.clone());
                if *repeated && view.wrong.keys().any(|id| id.dist == *dist) {
                    // What was uploaded may be what a tree had lost.
                    self.inspect_at_once(dist);
                }
            }
            (Found::Inspected { wrong, .. }, Work::Inspect(dist, _) | Work::Publish(dist, _)) => {
                stirred.all |= inspected(view, dist, wrong, matches!(work, Work::Inspect(..)));
                if !wrong.is_empty() {
                    self.try_later(&Trouble::Inspect(dist.clone()), None, now);
                    self.doubted.insert(dist.clone());
                    return stirred;
                }
            }
            (Found::Published(_) | Found::Shown { .. }, _) => self.waiting.retain(|dist, _| !dists.contains(dist)),
            _ => {}
        }
        self.failures.remove(&what);
        view.trouble(&what, None);
        stirred
    }

    /// Reports that a piece of work has failed.
    fn failed(
        &mut self,
        view: &mut View,
        (work, what): (&Work, &Trouble),
        (why, pause): (&str, Duration),
        stirred: &mut Stirred,
    ) {
        if let Work::Deliver(..) = work {
            // A receiver that does not answer is not our trouble; `rolloutctl outbox` names it.
            tracing::warn!(work = %what, why, ?pause, "failed");
            return;
        }
        tracing::error!(work = %what, why, ?pause, "failed");
        if let Some((_, plan)) = work.plan() {
            // A withdrawal may give it up now.
            stirred.some.extend(plan.rollouts().cloned());
        }
        view.trouble(what, Some(why.to_owned()));
        match work {
            Work::TakeIn(dist) => drop(self.touched.insert(dist.clone())),
            // The cause may lie in its trees; people and gates have to know.
            Work::Inspect(..) | Work::Stage(..) | Work::Show(..) => self.doubted.extend(work.dists().cloned()),
            Work::Publish(..) | Work::Retire(..) | Work::Deliver(..) => {}
        }
    }
}

/// All moves that are not over, and in how many distributions each has something to do: that only becomes less.
fn moves(view: &View) -> impl Iterator<Item = (u64, usize)> {
    view.world.rollouts.plans().map(|(number, plan)| (number, plan.moves.len()))
}

/// Uploads that cannot be handled are for the uploaders to fix: people are told, and readiness does not change.
fn report_waiting(view: &mut View, dist: &DistPath, waiting: &Backlog) {
    let before = view.uploads.insert(dist.clone(), waiting.clone());
    let known = before.as_ref().and_then(Backlog::trouble).map(|(first, all)| (first.path.clone(), all));
    if let Some((first, all)) = waiting.trouble()
        && known.as_ref().is_none_or(|(path, count)| *path != first.path || *count < all)
    {
        let (file, why, to_mend) = (&first.path, &first.why, first.kind.remedy());
        tracing::warn!(%dist, file, why, to_mend, all, "an upload cannot be handled; see `rolloutctl uploads`");
    }
}

/// Files in the upload tree that cannot be handled are a trouble of their own, which blocks nothing else.
fn report_stuck(view: &mut View, dist: &DistPath, stuck: &[(String, String)]) {
    let why = stuck.first().map(|(path, why)| {
        let more = if stuck.len() > 1 { format!(" (and {} more)", stuck.len() - 1) } else { String::new() };
        format!("{}: {why}{more}", path.escape_debug())
    });
    let key = Trouble::Uploads(dist.clone());
    if let Some(why) = &why
        && view.troubles.get(&key) != Some(why)
    {
        tracing::error!(%dist, why, "an upload cannot be handled");
    }
    view.trouble(&key, why);
}

/// Remembers and reports in which trees something is wrong. Returns whether a gate may now judge differently.
///
/// `all` says whether all trees were looked at, so that those that are not named are well.
fn inspected(view: &mut View, dist: &DistPath, wrong: &[(TreeId, Wrong)], all: bool) -> bool {
    let is_mended = |id: &TreeId| all && id.dist == *dist && !wrong.iter().any(|(now, _)| now == id);
    let mended: Vec<TreeId> = view.wrong.keys().filter(|id| is_mended(id)).cloned().collect();
    let has_changed = !mended.is_empty() || !wrong.is_empty();
    for id in mended {
        tracing::info!(tree = %id, "the tree is in order again");
        view.wrong.remove(&id);
        view.troubles.remove(&Trouble::Tree(id));
    }
    for (id, found) in wrong {
        let why = &found.why;
        if view.wrong.insert(id.clone(), found.clone()).is_none_or(|before| before.why != *why) {
            tracing::error!(tree = %id, why, "nothing is published in this tree until it is fixed");
        }
        view.troubles.insert(Trouble::Tree(id.clone()), why.clone());
    }
    has_changed
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::domain::calendar::site::Calendar;
    use crate::domain::checksum::Sha256;
    use crate::domain::names::TreeName;
    use crate::process::agenda::Kind;
    use crate::process::fact::package::{Accepted, Lost};
    use crate::process::fact::rollout::Moved;
    use crate::process::fact::tree::Published;
    use crate::process::fact::{Fact, samples};
    use crate::process::procedure;
    use crate::process::rules::DistRules;

    /// Rules of a distribution whose trees trust nobody.
    fn rules(trees: &[TreeName]) -> DistRules {
        DistRules {
            workflow: procedure::samples::brief(),
            calendar: Calendar::default(),
            trees: trees.to_vec(),
            trust: BTreeMap::new(),
            grace_metadata: Duration::ZERO,
            grace_packages: Duration::ZERO,
            node_types: std::collections::BTreeSet::new(),
        }
    }

    fn now() -> Now {
        Now { clock: Instant::now(), patient: Elapsed::default() }
    }

    #[test]
    fn pauses_grow_and_then_stay() {
        let pauses: Vec<u64> = [1, 2, 3, 6, 7, 8, 40].into_iter().map(|n| RETRY.pause(n).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 32, 60, 60, 60]);
    }

    #[test]
    fn a_move_that_fails_while_it_is_held_is_said_to_be_held_and_one_that_was_given_up_leaves_no_word() {
        let (mut view, mut dispatch) = (View::default(), Dispatch::default());
        let facts = samples::every_fact();
        let moved = facts.iter().position(|fact| matches!(fact, Fact::Moved(_))).expect("one moves");
        for (n, fact) in facts[..=moved].iter().enumerate() {
            view.world.apply(n as u64 + 1, Timestamp::UNIX_EPOCH, "me", fact);
        }
        let (number, plan) =
            view.world.rollouts.plans().next().map(|(n, plan)| (n, plan.clone())).expect("one is begun");
        Arc::make_mut(&mut view.rules).distributions.insert(plan.moves[0].dist.clone(), rules(&[]));
        let work = Work::Stage(number, plan.clone());
        let trouble = |view: &View| view.troubles.get(&work.trouble()).cloned();
        dispatch.hold(&mut view);
        for _ in 0..2 {
            assert!(trouble(&view).is_some_and(|why| why.contains("Nothing is moved")), "{:?}", trouble(&view));
            dispatch.ended(&mut view, &work, &WorkEnd::failed("no room"), Instant::now());
            assert!(!dispatch.has_new_moves(&view));
        }
        let given_up = Fact::Moved(Moved {
            rollout: plan.rollouts().next().expect("one of a rollout").clone(),
            from: String::new(),
            to: "Rejected".into(),
            plan: None,
        });
        view.world.apply(moved as u64 + 2, Timestamp::UNIX_EPOCH, "me", &given_up);
        assert!(dispatch.has_new_moves(&view));
        dispatch.hold(&mut view);
        assert_eq!(trouble(&view), None);
        dispatch.ended(&mut view, &work, &WorkEnd::failed("no room"), Instant::now());
        assert_eq!((trouble(&view), dispatch.failures.len()), (None, 0));
    }

    #[test]
    fn a_move_that_has_nothing_left_to_do_in_a_distribution_is_held_in_the_others_alone() {
        let (mut view, mut dispatch) = (View::default(), Dispatch::default());
        let accepted = samples::every_fact().into_iter().find_map(|fact| match fact {
            Fact::Accepted(accepted) => Some(accepted),
            _ => None,
        });
        let accepted = accepted.expect("one is taken in");
        let takes_in = |path: &str, nevra: &str| {
            let (dist, nevra) = (path.parse().expect("a path"), nevra.parse().expect("a nevra"));
            Fact::Accepted(Accepted { dist, nevra, ..accepted.clone() })
        };
        let [one, other] =
            [("umd/3/sl5/i386", "bdii-5.2.22-1.el5.i386"), ("umd/3/sl6/x86_64", "bdii-5.2.22-1.el6.x86_64")]
                .map(|(path, nevra)| takes_in(path, nevra));
        for (n, fact) in (1..).zip([one, other].iter().chain(&samples::of_several()[..2])) {
            view.world.apply(n, Timestamp::UNIX_EPOCH, "me", fact);
        }
        let plan = view.world.rollouts.plans().next().expect("one is begun").1.clone();
        for dist in plan.dists() {
            Arc::make_mut(&mut view.rules).distributions.insert(dist.clone(), rules(&[]));
        }
        dispatch.hold(&mut view);
        let said = |view: &View| view.troubles.keys().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(said(&view), ["promote umd/3/sl5/i386 and umd/3/sl6/x86_64 (logbook entry 4)"]);
        assert!(!dispatch.has_new_moves(&view));
        let (dist, item) = (plan.moves[0].dist.clone(), plan.moves[0].items[0].clone());
        let lost = Fact::Lost(Lost { dist, nevra: item.nevra, sha256: item.sha256 });
        view.world.apply(5, Timestamp::UNIX_EPOCH, "me", &lost);
        assert!(dispatch.has_new_moves(&view));
        dispatch.hold(&mut view);
        assert_eq!(said(&view), ["promote umd/3/sl6/x86_64 (logbook entry 4)"]);
    }

    #[test]
    fn an_upload_tree_that_is_held_at_the_start_does_not_keep_the_daemon_from_being_ready() {
        let (mut view, mut dispatch) = (View::default(), Dispatch::default());
        let dist: DistPath = "umd/3/sl6/x86_64".parse().expect("a path");
        let trees: Vec<TreeName> = ["untested", "testing"].iter().map(|t| t.parse().expect("a name")).collect();
        let id = |tree: &TreeName| TreeId { dist: dist.clone(), tree: tree.clone() };
        Arc::make_mut(&mut view.rules).distributions.insert(dist.clone(), rules(&trees));
        dispatch.wants([dist.clone()], [dist.clone()]);
        assert!(!dispatch.recovered(&view, now()), "nothing was compared");
        dispatch.doubted.clear();
        for tree in &trees {
            let published = Published {
                tree: id(tree),
                revision: 1,
                packages: 0,
                repomd: Sha256([1; 32]),
                superseded: vec![],
                plan: None,
            };
            view.world.apply(1, Timestamp::UNIX_EPOCH, "rolloutd", &Fact::Published(published));
        }
        assert!(!dispatch.recovered(&view, now()), "the uploads were not looked at, and nothing speaks against it");
        let held = |tree, what| (id(tree), Wrong { why: "it is not ours".to_owned(), what });
        assert!(inspected(&mut view, &dist, &[held(&trees[0], Kind::Strange)], true));
        assert!(dispatch.recovered(&view, now()));
        assert!(dispatch.touched.contains(&dist), "it is looked at once that is over");
        assert!(view.troubles.values().any(|why| why == "it is not ours"), "and readiness says so");
        inspected(&mut view, &dist, &[held(&trees[1], Kind::Strange)], true);
        assert!(!dispatch.recovered(&view, now()), "only production is held, so the uploads can be looked at");
    }

    #[test]
    fn a_receiver_that_fails_is_pressed_less_and_less_and_troubles_nobody_else() {
        let (mut view, mut dispatch) = (View::default(), Dispatch::default());
        let to: crate::domain::names::HookName = "chat".parse().expect("a name");
        Arc::make_mut(&mut view.rules).outgoing.insert(to.clone(), BTreeSet::new());
        let due =
            crate::process::fact::notice::Due { to: to.clone(), cause: 1, rollout: "r".parse().ok(), change: None };
        view.world.apply(2, Timestamp::UNIX_EPOCH, "rolloutd", &Fact::NoticeDue(due));
        let at = now();
        let work = Work::Deliver(to, 2);
        assert_eq!(dispatch.todo(&view, at), std::slice::from_ref(&work));
        dispatch.begins(&mut view, &work);
        assert_eq!((dispatch.todo(&view, at), view.busy.len()), (vec![], 1), "one at a time");
        let later = |after| WorkEnd {
            found: Found::Nothing,
            end: End::Again { why: Some("it answered 503".into()), after },
            altered: vec![],
        };
        dispatch.ended(&mut view, &work, &later(None), at.clock);
        assert!(view.troubles.is_empty() && view.busy.is_empty());
        assert_eq!(dispatch.next_wake(at.clock), Some(at.clock + Duration::from_secs(5)));
        dispatch.ended(&mut view, &work, &later(Some(Duration::from_mins(7))), at.clock);
        assert_eq!(dispatch.next_wake(at.clock), Some(at.clock + Duration::from_mins(7)), "it was asked for");
        assert_eq!(dispatch.todo(&view, Now { clock: at.clock + Duration::from_mins(6), ..at }), []);
        assert_eq!(dispatch.todo(&view, Now { clock: at.clock + Duration::from_mins(8), ..at }), [work]);
    }
}
