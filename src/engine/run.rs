//! The loop.
//!
//! It takes one input at a time, decides, appends, folds, and then starts what there is to do. Work
//! runs on other threads and comes back as an input. Nothing else writes to the logbook.
//!
//! When the logbook cannot be written (a full disk), nothing is decided any more: people are told so,
//! ends of work wait, and the loop tries again every second. When the chain is broken or somebody else
//! has appended, the loop ends: to go on would be to act on a history that is not ours.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::folding::{EngineError, draft};
use super::handle::{Envelope, Handle, INPUT_QUEUE, Touches, Waiting};
use super::journal::log_fact;
use super::view::{Shared, View};
use super::worker::Workers;
use crate::domain::backlog::Backlog;
use crate::domain::moment::Moment;
use crate::domain::names::{Actor, DistPath, RolloutId, TreeId};
use crate::link::clock::Clock;
use crate::process::act::wishes::stirred;
use crate::process::agenda::{self, Circumstances, Held, Work, Wrong};
use crate::process::decision::{Decision, Entry};
use crate::process::fact::Fact;
use crate::process::fact::daemon::Started;
use crate::process::fact::package::Lost;
use crate::process::input::{Input, WorkEnd};
use crate::process::listed::{self, Doubts};
use crate::process::trouble::Trouble;
use crate::process::{decide, wish};
use crate::store::logbook::{Draft, Logbook, LogbookError};

/// How often the loop looks at the time when nothing happens.
const TICK: Duration = Duration::from_secs(1);

/// How long what was taken in may wait for more of the same burst before it is published. People wait for
/// rollouts, which this does not hold up; and the quiet time of a file is as long.
const PATIENCE: Duration = Duration::from_secs(2);

/// Closer together than this the wall clock and the time that has really passed are taken for the same.
const SAME_TIME: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);

/// How often the logbook is sealed when nothing happens, and so how much of a wait is lost in a crash.
const SEAL_EVERY: Duration = Duration::from_mins(10);

/// When a failed piece of work is tried again. It is data, so a test reads it without waiting.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub most: Duration,
}

/// The plan in use: work never gives up, since a full disk may be emptied at any time.
pub const RETRY: Retry = Retry { first: Duration::from_secs(1), most: Duration::from_mins(1) };

impl Retry {
    /// The pause after `failures` failures in a row.
    pub fn pause(self, failures: u32) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        doubled.min(self.most)
    }
}

/// The engine before it runs.
pub struct Engine {
    book: Box<dyn Logbook>,
    /// Whether something was written that is worth a seal.
    to_seal: bool,
    /// When it was sealed last.
    sealed: Instant,
    workers: Arc<Workers>,
    shared: Arc<Shared>,
    clock: Clock,
    touches: Arc<Touches>,
    inputs: mpsc::Receiver<Envelope>,
    ends: (mpsc::UnboundedSender<Envelope>, mpsc::UnboundedReceiver<Envelope>),
    /// Inputs that could not be written down yet.
    stalled: VecDeque<Envelope>,
    busy: BTreeSet<DistPath>,
    touched: BTreeSet<DistPath>,
    again: BTreeMap<DistPath, Instant>,
    /// Failures in a row of a piece of work, and until when it is left alone.
    failures: BTreeMap<Trouble, (u32, Instant)>,
    first_look_over: BTreeSet<DistPath>,
    /// Since when something that was taken in waits to be published.
    waiting: BTreeMap<DistPath, Instant>,
    /// Distributions whose trees are to be compared with the logbook.
    doubted: BTreeSet<DistPath>,
    /// Rollouts of which a tracker wants something, and about which something has changed since they were judged.
    stirred: BTreeSet<RolloutId>,
    /// Whether it may concern all of them.
    all_stirred: bool,
    /// Moves that the rules no longer trust.
    held: BTreeMap<u64, Held>,
    /// The moves that were judged by the rules that are in force; none after these have changed.
    judged: Option<BTreeSet<u64>>,
    /// What speaks against the signers of what trees list, and the listings that were compared with the rules in force.
    doubts: (BTreeMap<TreeId, Doubts>, Option<u64>),
    /// When the loop began, by the clock by which things wait for their removal and by that which only goes forward.
    began: (jiff::Timestamp, Instant),
    /// The elapsed time up to which was judged again what has come due.
    due_until: jiff::Timestamp,
    on_ready: Option<oneshot::Sender<()>>,
}

impl Engine {
    /// An engine over a logbook that was folded into `shared`; `on_ready` is rung once when recovery
    /// is over.
    pub fn new(
        book: Box<dyn Logbook>,
        workers: Arc<Workers>,
        shared: Arc<Shared>,
        clock: Clock,
        on_ready: oneshot::Sender<()>,
    ) -> (Self, Handle) {
        let (sender, inputs) = mpsc::channel(INPUT_QUEUE);
        let touches = Arc::<Touches>::default();
        let handle = Handle { inputs: sender, touches: Arc::clone(&touches), shared: Arc::clone(&shared) };
        let began = {
            let mut inside = shared.write();
            inside.head = book.head();
            // Nobody knows how long the daemon was away: at its start the clock may be wrong by years, as that of
            // a machine without a battery is. So the time since the last entry counts as no waiting.
            let wall = clock.now();
            let last = book.steady().unwrap_or(inside.world.last_steady);
            let began = if inside.world.last == 0 { wall } else { last.min(wall) };
            inside.world.wait_from(began);
            (began, clock.monotonic())
        };
        let engine = Self {
            book,
            to_seal: true,
            sealed: began.1,
            workers,
            shared,
            clock,
            touches,
            inputs,
            ends: mpsc::unbounded_channel(),
            stalled: VecDeque::new(),
            busy: BTreeSet::new(),
            touched: BTreeSet::new(),
            again: BTreeMap::new(),
            failures: BTreeMap::new(),
            first_look_over: BTreeSet::new(),
            waiting: BTreeMap::new(),
            doubted: BTreeSet::new(),
            stirred: BTreeSet::new(),
            all_stirred: true,
            held: BTreeMap::new(),
            judged: None,
            doubts: (BTreeMap::new(), None),
            began,
            due_until: jiff::Timestamp::MIN,
            on_ready: Some(on_ready),
        };
        (engine, handle)
    }

    /// Runs until `stop`; work that has begun is waited for, so that a stop falls between two steps.
    ///
    /// # Errors
    /// When the logbook is broken or somebody else writes to it.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), EngineError> {
        self.touched = self.shared.read().rules.distributions.keys().cloned().collect();
        self.doubted = self.touched.clone();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let start =
            Entry { who: Actor::recorded("rolloutd"), why: String::new(), fact: Fact::Started(Started { version }) };
        self.record(&Decision { entries: vec![start], answer: None })?;
        while !stop.is_cancelled() {
            self.shared.beat();
            self.follow_the_wall();
            self.hold();
            self.compare_signers();
            self.schedule();
            self.seal();
            let wake = self.next_wake();
            let envelope = tokio::select! {
                () = stop.cancelled() => break,
                Some(end) = self.ends.1.recv() => end,
                () = self.touches.bell.notified() => Envelope { input: Input::Tick, reply: None },
                Some(asked) = self.inputs.recv() => asked,
                () = tokio::time::sleep_until(wake.into()) => Envelope { input: Input::Tick, reply: None },
            };
            self.take(envelope)?;
        }
        self.finish().await
    }

    /// Waits for work that has begun and writes down how it ended.
    async fn finish(mut self) -> Result<(), EngineError> {
        self.inputs.close();
        // An end that cannot be written down has come all the same; the next start finds it out again.
        let came = |envelope: &&Envelope| matches!(envelope.input, Input::WorkEnded(..));
        while self.busy.len() > self.stalled.iter().filter(came).count() {
            match self.ends.1.recv().await {
                Some(end) => self.take(end)?,
                None => break,
            }
        }
        self.to_seal = true;
        self.seal();
        Ok(())
    }

    /// Writes the end of the logbook down outside of it. Where that fails, a logbook that was cut off is found
    /// out later or not at all, and nothing else depends on it; so it is a trouble and tried again.
    fn seal(&mut self) {
        let is_old = self.clock.monotonic().saturating_duration_since(self.sealed) > SEAL_EVERY;
        if !std::mem::take(&mut self.to_seal) && !is_old {
            return;
        }
        let why = self.book.seal(Some(self.steady())).err().map(|error| error.sentence());
        self.sealed = self.clock.monotonic();
        self.to_seal = why.is_some();
        let known = self.shared.read().troubles.contains_key(&Trouble::Seal);
        if let Some(why) = why.as_ref().filter(|_| !known) {
            tracing::error!(why, "logbook not sealed");
        }
        if known || why.is_some() {
            self.shared.trouble(&Trouble::Seal, why);
        }
    }

    /// Finds out which moves are held, when the rules or the moves are other ones, and says so.
    fn hold(&mut self) {
        let held: BTreeMap<u64, Held> = {
            let inside = self.shared.read();
            let plans = || inside.world.rollouts.plans().map(|(number, _)| number);
            if self.judged.as_ref().is_some_and(|judged| plans().eq(judged.iter().copied())) {
                return;
            }
            self.judged = Some(plans().collect());
            agenda::held(&inside.world, &inside.rules)
        };
        // A move that was carried out, given up or has nothing left to do is in nobody's way any more.
        let alive: BTreeSet<Trouble> = {
            let inside = self.shared.read();
            inside.world.rollouts.plans().map(|(number, plan)| Trouble::of_plan(plan, number)).collect()
        };
        let is_over = |what: &&Trouble| matches!(what, Trouble::Promote(..)) && !alive.contains(*what);
        let over: Vec<Trouble> = self.failures.keys().filter(is_over).cloned().collect();
        for key in over {
            self.failures.remove(&key);
            self.shared.trouble(&key, None);
        }
        let before = std::mem::replace(&mut self.held, held);
        self.all_stirred |= before != self.held;
        for (_, Held { what, why }) in self.held.iter().filter(|(number, held)| before.get(*number) != Some(*held)) {
            tracing::error!(work = %what, why, "held");
            self.shared.trouble(what, Some(why.clone()));
        }
        for (_, Held { what, .. }) in before.iter().filter(|(number, _)| !self.held.contains_key(*number)) {
            self.failures.remove(what);
            self.shared.trouble(what, None);
        }
    }

    /// Compares the signers of what is listed with the rings, when either is another one, and says what does not fit.
    fn compare_signers(&mut self) {
        let now = {
            let inside = self.shared.read();
            if self.doubts.1.replace(inside.world.trees.changes) == Some(inside.world.trees.changes) {
                return;
            }
            listed::doubts(&inside.world, &inside.rules)
        };
        let before = std::mem::replace(&mut self.doubts.0, now);
        let revoked = self.doubts.0.iter().filter_map(|(id, doubts)| Some((id.clone(), doubts.revoked.clone()?)));
        self.shared.write().revoked = revoked.collect();
        for (id, Doubts { untrusted, revoked }) in &self.doubts.0 {
            let known = before.get(id);
            if let Some(why) = revoked.as_ref().filter(|_| known.is_none_or(|known| known.revoked != *revoked)) {
                tracing::warn!(tree = %id, "{why}");
            }
            if let Some(why) = untrusted.as_ref().filter(|_| known.is_none_or(|known| known.untrusted != *untrusted)) {
                tracing::error!(tree = %id, "{why}");
                self.shared.trouble(&Trouble::Keys(id.clone()), Some(why.clone()));
            }
        }
        for (id, _) in before.iter().filter(|(_, doubts)| doubts.untrusted.is_some()) {
            if self.doubts.0.get(id).is_none_or(|doubts| doubts.untrusted.is_none()) {
                tracing::info!(tree = %id, "the ring trusts all that is listed again");
                self.shared.trouble(&Trouble::Keys(id.clone()), None);
            }
        }
    }

    /// What waited for its time is judged again, once.
    fn come_due(&mut self) {
        let until = self.steady();
        let inside = self.shared.read();
        self.stirred.extend(inside.world.rollouts.due(self.due_until, until).cloned());
        self.due_until = until;
    }

    fn next_wake(&self) -> Instant {
        let due = self.shared.read().world.rollouts.next_due(self.due_until);
        let due = due.and_then(|at| Duration::try_from(at.duration_since(self.steady())).ok());
        let tick = self.clock.monotonic() + due.map_or(TICK, |due| due.min(TICK));
        let held = self.failures.values().map(|(_, until)| *until);
        self.again.values().copied().chain(held).filter(|at| *at > self.clock.monotonic()).fold(tick, Instant::min)
    }

    /// Handles one input; when the logbook cannot be written it waits, with all that come after it.
    fn take(&mut self, envelope: Envelope) -> Result<(), EngineError> {
        let Waiting { touched, doubted } = self.touches.take();
        self.touched.extend(touched);
        self.doubted.extend(doubted);
        if matches!(envelope.input, Input::Tick) {
            if let Err(error) = self.book.in_place() {
                self.unwritable(&error);
            }
            self.come_due();
            self.unstall()?;
            // Somebody was sent away, and perhaps nobody comes whose request would show that it works again.
            if self.shared.read().troubles.contains_key(&Trouble::Logbook) && self.book.may_be_written() {
                self.shared.trouble(&Trouble::Logbook, None);
            }
        }
        if self.stalled.is_empty() {
            return self.handle(envelope);
        }
        self.stall(envelope);
        Ok(())
    }

    /// Ends of work and reloads wait; people are told to come again.
    fn stall(&mut self, envelope: Envelope) {
        if matches!(envelope.input, Input::WorkEnded(..) | Input::Reloaded(_)) {
            self.stalled.push_back(envelope);
        }
    }

    fn unstall(&mut self) -> Result<(), EngineError> {
        while let Some(envelope) = self.stalled.pop_front() {
            let waiting = self.stalled.len();
            self.handle(envelope)?;
            if self.stalled.len() > waiting {
                // It went to the end of the queue; bring it back to the front.
                self.stalled.rotate_right(1);
                break;
            }
        }
        Ok(())
    }

    fn handle(&mut self, envelope: Envelope) -> Result<(), EngineError> {
        let Envelope { input, reply } = envelope;
        self.shared.write().now = self.now();
        if let Input::Reloaded(rules) = input {
            // Keys, compression or signatures may be other ones now, and clients are to see it.
            for dist in rules.distributions.keys() {
                // Whoever reloads has perhaps put something right, and waits for it.
                self.inspect_at_once(dist);
            }
            self.shared.write().rules = Arc::from(rules);
            self.judged = None;
            self.doubts.1 = None;
            self.all_stirred = true;
            return self.wishes();
        }
        let decision = {
            let inside = self.shared.read();
            decide(inside.known(), &input)
        };
        let answer = decision.answer.clone();
        match self.record(&decision) {
            Ok(()) => {}
            Err(error) if error.may_pass() => {
                self.unwritable(&error);
                self.stall(Envelope { input, reply });
                return Ok(());
            }
            Err(fatal) => return Err(fatal.into()),
        }
        if let Input::WorkEnded(work, end) = input {
            self.work_ended(&work, &end);
        }
        for entry in &decision.entries {
            if let Fact::Lost(Lost { dist, .. }) = &entry.fact {
                // The tree that listed it may be as it should be now.
                self.inspect_at_once(dist);
            }
        }
        if let (Some(reply), Some(answer)) = (reply, answer) {
            let _ = reply.send(answer);
        }
        self.wishes()
    }

    /// Says why nothing can be written down.
    fn unwritable(&self, error: &LogbookError) {
        let why = error.sentence();
        if self.shared.read().troubles.get(&Trouble::Logbook) != Some(&why) {
            tracing::error!(why, "logbook stalled");
            self.shared.trouble(&Trouble::Logbook, Some(why));
        }
    }

    /// Takes the steps that trackers asked for and that have become possible, of the rollouts about which something has
    /// changed.
    fn wishes(&mut self) -> Result<(), EngineError> {
        if std::mem::take(&mut self.all_stirred) {
            self.stirred = self.shared.read().world.rollouts.waiting().map(|rollout| rollout.id.clone()).collect();
        }
        // Each is judged in the world that the one before it has made, which may stir others.
        while let Some(id) = self.stirred.pop_first() {
            let decision = wish(self.shared.read().known(), &id);
            match self.record(&decision) {
                Ok(()) => {}
                // It is taken as soon as something can be written down again.
                Err(error) if error.may_pass() => {
                    self.stirred.insert(id);
                    return Ok(());
                }
                Err(fatal) => return Err(fatal.into()),
            }
        }
        Ok(())
    }

    /// Writes a decision down and folds it in.
    fn record(&mut self, decision: &Decision) -> Result<(), LogbookError> {
        if decision.entries.is_empty() {
            return Ok(());
        }
        let Moment { wall: now, elapsed: steady } = self.now();
        // Where the two differ, the clock has jumped since the first start, or nobody was there for a time. The next
        // start must not take that for waiting.
        let said = Some(steady).filter(|steady| now.duration_since(*steady).abs() >= SAME_TIME);
        let drafts: Vec<Draft> = decision.entries.iter().map(|entry| draft(entry, now, said)).collect();
        let recorded = self.book.append(self.book.head(), &drafts)?;
        self.to_seal |= decision.entries.iter().any(|entry| matches!(entry.fact, Fact::Published(_)));
        let mut inside = self.shared.write();
        inside.troubles.remove(&Trouble::Logbook);
        inside.head = self.book.head();
        inside.world.steady = Some(steady);
        for (recorded, entry) in recorded.iter().zip(&decision.entries) {
            log_fact(recorded.seq, entry);
            self.stirred.extend(stirred(&inside.world, &entry.fact));
            inside.world.apply(recorded.seq, recorded.draft.at, &recorded.draft.who, &entry.fact);
        }
        Ok(())
    }

    /// The trees of a distribution are inspected next, whatever was wrong with them before.
    fn inspect_at_once(&mut self, dist: &DistPath) {
        self.doubted.insert(dist.clone());
        self.failures.remove(&Trouble::Inspect(dist.clone()));
    }

    /// Work has failed once more; gives how long it is not tried.
    fn try_later(&mut self, what: &Trouble) -> Duration {
        let failures = self.failures.get(what).map_or(0, |(failures, _)| *failures) + 1;
        let pause = RETRY.pause(failures);
        self.failures.insert(what.clone(), (failures, self.clock.monotonic() + pause));
        pause
    }

    /// Whether work that has failed is not tried yet.
    fn is_put_off(&self, work: &Work, now: Instant) -> bool {
        self.failures.get(&work.trouble()).is_some_and(|(_, until)| *until > now)
    }

    fn work_ended(&mut self, work: &Work, end: &WorkEnd) {
        let lanes: Vec<DistPath> = work.lanes().into_iter().cloned().collect();
        let failed = match end {
            WorkEnd::Failed(why) | WorkEnd::Shown { failed: Some(why), .. } => Some(why),
            _ => None,
        };
        {
            let mut inside = self.shared.write();
            for dist in &lanes {
                self.busy.remove(dist);
                inside.busy.remove(dist);
            }
            let counts = inside.worked.entry(work.label()).or_default();
            counts.0 += 1;
            counts.1 += u64::from(failed.is_some());
        }
        let what = work.trouble();
        let (is_held, was_given_up) = match work.plan() {
            Some((number, _)) => (self.held.contains_key(&number), !self.shared.read().world.rollouts.has_plan(number)),
            None => (false, false),
        };
        match end {
            _ if failed.is_some() && was_given_up => {}
            // What holds it is what people have to know; it is not tried again before.
            _ if failed.is_some() && is_held => return,
            WorkEnd::Failed(why)
            | WorkEnd::Shown { failed: Some(why), .. }
            | WorkEnd::Looked { trouble: Some(why), .. } => {
                let pause = self.try_later(&what);
                tracing::error!(work = %what, why, ?pause, "failed");
                if let Some((_, plan)) = work.plan() {
                    // A withdrawal may give it up now.
                    self.stirred.insert(plan.rollout.clone());
                }
                self.shared.trouble(&what, Some(why.clone()));
                match work {
                    Work::TakeIn(_) => self.touched.extend(lanes),
                    // What stopped a move may be wrong with its trees, and then people and gates are to know.
                    Work::Inspect(..) | Work::Stage(..) | Work::Show(..) => self.doubted.extend(lanes),
                    Work::Publish(..) | Work::Retire(..) => {}
                }
                return;
            }
            WorkEnd::Looked { again, stuck, waiting, took_in, repeated, .. } => {
                let Work::TakeIn(dist) = work else { return };
                if !took_in.is_empty() {
                    self.waiting.entry(dist.clone()).or_insert_with(|| self.clock.monotonic());
                }
                self.report_stuck(dist, stuck);
                self.report_waiting(dist, waiting);
                self.first_look_over.insert(dist.clone());
                if *repeated && self.shared.read().wrong.keys().any(|id| id.dist == *dist) {
                    // What was uploaded may be what a tree had lost.
                    self.inspect_at_once(dist);
                }
                if let Some(wait) = again {
                    let at = self.clock.monotonic() + *wait;
                    let sooner = self.again.get(dist).map_or(at, |known| (*known).min(at));
                    self.again.insert(dist.clone(), sooner);
                }
            }
            WorkEnd::Inspected { wrong, .. } => {
                let (Work::Inspect(dist, _) | Work::Publish(dist, _)) = work else { return };
                self.inspected(dist, wrong, matches!(work, Work::Inspect(..)));
                if !wrong.is_empty() {
                    self.try_later(&Trouble::Inspect(dist.clone()));
                    self.doubted.insert(dist.clone());
                    return;
                }
            }
            WorkEnd::Published(_) | WorkEnd::Shown { .. } => self.waiting.retain(|dist, _| !lanes.contains(dist)),
            WorkEnd::Staged(_) | WorkEnd::Retired { .. } => {}
        }
        self.failures.remove(&what);
        self.shared.trouble(&what, None);
    }

    /// Uploads that cannot be handled are a matter of those who upload: people are told, and readiness is not.
    fn report_waiting(&self, dist: &DistPath, waiting: &Backlog) {
        let mut inside = self.shared.write();
        let before = inside.uploads.insert(dist.clone(), waiting.clone());
        drop(inside);
        let known = before.as_ref().and_then(Backlog::trouble).map(|(first, all)| (first.path.clone(), all));
        if let Some((first, all)) = waiting.trouble()
            && known.as_ref().is_none_or(|(path, count)| *path != first.path || *count < all)
        {
            let (file, why, to_mend) = (&first.path, &first.why, first.kind.remedy());
            tracing::warn!(%dist, file, why, to_mend, all, "an upload cannot be handled; see `rolloutctl uploads`");
        }
    }

    /// Files in the upload tree that cannot be handled are a trouble of their own, which holds up nothing else.
    fn report_stuck(&self, dist: &DistPath, stuck: &[(String, String)]) {
        let why = stuck.first().map(|(path, why)| {
            let more = if stuck.len() > 1 { format!(" (and {} more)", stuck.len() - 1) } else { String::new() };
            format!("{}: {why}{more}", path.escape_debug())
        });
        let key = Trouble::Uploads(dist.clone());
        if let Some(why) = &why
            && self.shared.read().troubles.get(&key) != Some(why)
        {
            tracing::error!(%dist, why, "an upload cannot be handled");
        }
        self.shared.trouble(&key, why);
    }

    /// Remembers in which trees something is wrong, and says so.
    ///
    /// `all` says whether all trees were looked at, so that those that are not named are well.
    fn inspected(&mut self, dist: &DistPath, wrong: &[(TreeId, Wrong)], all: bool) {
        let mut inside = self.shared.write();
        let is_mended = |id: &TreeId| all && id.dist == *dist && !wrong.iter().any(|(now, _)| now == id);
        let mended: Vec<TreeId> = inside.wrong.keys().filter(|id| is_mended(id)).cloned().collect();
        self.all_stirred |= !mended.is_empty() || !wrong.is_empty();
        for id in mended {
            tracing::info!(tree = %id, "the tree is as it should be again");
            inside.wrong.remove(&id);
            inside.troubles.remove(&Trouble::Tree(id));
        }
        for (id, found) in wrong {
            let why = &found.why;
            if inside.wrong.insert(id.clone(), found.clone()).is_none_or(|before| before.why != *why) {
                tracing::error!(tree = %id, why, "nothing is published in this tree until it is fixed");
            }
            inside.troubles.insert(Trouble::Tree(id.clone()), why.clone());
        }
    }

    /// This moment.
    fn now(&self) -> Moment {
        Moment { wall: self.clock.now(), elapsed: self.steady() }
    }

    /// Elapsed time: it goes on as time passes, whatever the wall clock says.
    fn steady(&self) -> jiff::Timestamp {
        let (at, begun) = self.began;
        at.checked_add(self.clock.monotonic().saturating_duration_since(begun)).unwrap_or(at)
    }

    /// A wall clock that was ahead at the first start is put right later: then things wait from the right time on,
    /// since nothing is removed by a later one than the wall clock's. Whatever was put right, nobody waits less by it.
    fn follow_the_wall(&mut self) {
        let wall = self.clock.now();
        if self.steady().duration_since(wall) >= SAME_TIME {
            self.began = (wall, self.clock.monotonic());
            self.shared.write().world.wait_from(wall);
            // What waits for its time waits for another one.
            self.all_stirred = true;
            self.to_seal = true;
        }
    }

    /// The time by which files are removed: the wall clock, but never further ahead than time has passed, so
    /// that a clock that jumps ahead removes nothing early (threats row 81).
    fn patient_now(&self) -> jiff::Timestamp {
        self.steady().min(self.clock.now())
    }

    /// Starts what there is to do, one piece in each lane.
    fn schedule(&mut self) {
        if self.book.in_place().is_err() {
            // What would be done could not be written down, and the next start would know nothing of it.
            return;
        }
        let now = self.clock.monotonic();
        let due: Vec<DistPath> =
            self.again.iter().filter(|(_, at)| **at <= now).map(|(dist, _)| dist.clone()).collect();
        for dist in due {
            self.again.remove(&dist);
            self.touched.insert(dist);
        }
        let shared = Arc::clone(&self.shared);
        let mut inside = shared.write();
        let todo = if self.stalled.is_empty() { self.todo(&inside) } else { vec![] };
        for work in todo {
            for dist in work.lanes() {
                match work {
                    Work::TakeIn(_) => drop(self.touched.remove(dist)),
                    Work::Inspect(..) => drop(self.doubted.remove(dist)),
                    _ => {}
                }
                self.busy.insert(dist.clone());
                inside.busy.insert(dist.clone(), work.label());
            }
            self.start(work);
        }
        if !inside.ready && self.recovered(&inside) {
            inside.ready = true;
            if let Some(bell) = self.on_ready.take() {
                let _ = bell.send(());
            }
        }
    }

    /// What begins now.
    fn todo(&self, inside: &View) -> Vec<Work> {
        let now = self.clock.monotonic();
        let free = inside.rules.distributions.keys().filter(|dist| !self.busy.contains(*dist)).cloned().collect();
        agenda::ready(&free, |dist| {
            let since = self.waiting.get(dist);
            let circumstances = Circumstances {
                touched: self.touched.contains(dist),
                doubted: self.doubted.contains(dist),
                patient: since.is_some_and(|since| now.saturating_duration_since(*since) < PATIENCE),
                now: self.patient_now(),
            };
            self.all(inside, dist, circumstances).find(|work| !self.is_put_off(work, now))
        })
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
    fn recovered(&self, inside: &View) -> bool {
        let now = self.clock.monotonic();
        let held = |work: &Work| self.is_put_off(work, now);
        let settled = |dist: &DistPath| {
            let doubted = self.doubted.contains(dist);
            let moment = Circumstances { touched: false, doubted, patient: false, now: self.patient_now() };
            let next = self.all(inside, dist, moment).find(|work| !held(work));
            // An upload tree in which something is wrong is not looked at before people have fixed it, and they
            // may wait for the daemon to be up.
            let touched = Circumstances { touched: true, ..moment };
            let may_look = self.all(inside, dist, touched).any(|work| matches!(work, Work::TakeIn(_)) && !held(&work));
            let looked = self.first_look_over.contains(dist) || !may_look;
            let pending = next.is_some_and(|work| !matches!(work, Work::TakeIn(_) | Work::Retire(..)));
            looked && !pending && !self.busy.contains(dist)
        };
        inside.rules.distributions.keys().all(settled)
    }

    fn start(&self, work: Work) {
        let (workers, ends, clock) = (Arc::clone(&self.workers), self.ends.0.clone(), self.clock);
        let patient = self.patient_now();
        tokio::task::spawn_blocking(move || {
            let carry_out = || workers.carry_out(&work, clock.now(), clock.monotonic(), patient);
            let carried = std::panic::AssertUnwindSafe(carry_out);
            // A panic must not leave a distribution busy for ever: it is a failure like any other.
            let end = std::panic::catch_unwind(carried)
                .unwrap_or_else(|_| WorkEnd::Failed("it panicked; please report this with the log".to_owned()));
            let _ = ends.send(Envelope { input: Input::WorkEnded(work, end), reply: None });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::folding::{fold, take_up};
    use crate::link::clock::Hand;
    use crate::process::fact;
    use crate::process::fact::rollout::{Done, Moved, Submitted};
    use crate::process::fact::{package::Refused, samples::every_fact};
    use crate::process::input::Hint;
    use crate::process::procedure;
    use crate::process::rules::DistRules;
    use crate::process::world::World;
    use crate::store::logbook::Head;
    use crate::store::logbook::Recorded;
    use crate::store::logbook::SqliteLogbook;

    /// A logbook on a full disk.
    struct Full;

    impl Logbook for Full {
        fn head(&self) -> Head {
            Head::EMPTY
        }

        fn append(&mut self, _: Head, _: &[Draft]) -> Result<Vec<Recorded>, LogbookError> {
            let source = std::io::Error::other("no space left on device");
            Err(LogbookError::Unread { path: "logbook".into(), source })
        }

        fn about(&self, _: &str, _: Option<u64>, _: usize) -> Result<Vec<Recorded>, LogbookError> {
            Ok(vec![])
        }

        fn indexed(&self) -> Result<u64, LogbookError> {
            Ok(0)
        }

        fn index(&mut self, _: &[(u64, Vec<String>)]) -> Result<(), LogbookError> {
            Ok(())
        }

        fn read(&self, _: u64, _: usize) -> Result<Vec<Recorded>, LogbookError> {
            Ok(vec![])
        }
    }

    #[tokio::test]
    async fn a_stop_does_not_wait_for_an_end_that_cannot_be_written_down() {
        let shared = Arc::<Shared>::default();
        let workers = Arc::new(Workers::new(Arc::clone(&shared), vec![]));
        let (rung, _ready) = oneshot::channel();
        let (mut engine, _handle) = Engine::new(Box::new(Full), workers, shared, Clock::System, rung);
        let dist: DistPath = "d".parse().expect("a path");
        let away = Refused {
            dist: dist.clone(),
            upload: "a.rpm".into(),
            sha256: None,
            code: "unsigned".into(),
            detail: String::new(),
        };
        let end = WorkEnd::Looked {
            took_in: vec![],
            turned_away: vec![away],
            again: None,
            trouble: None,
            stuck: vec![],
            waiting: Backlog::default(),
            repeated: false,
        };
        engine.busy.insert(dist.clone());
        let input = Input::WorkEnded(Work::TakeIn(dist), end);
        engine.ends.0.send(Envelope { input, reply: None }).expect("the engine is there");
        let stopped = tokio::time::timeout(Duration::from_secs(10), engine.finish()).await;
        stopped.expect("it stops").expect("in order");
    }

    #[test]
    fn a_logbook_that_cannot_be_written_is_a_trouble_until_something_was_written() {
        let shared = Arc::<Shared>::default();
        let workers = Arc::new(Workers::new(Arc::clone(&shared), vec![]));
        let mut engine =
            Engine::new(Box::new(Full), workers, Arc::clone(&shared), Clock::System, oneshot::channel().0).0;
        let tick = || Envelope { input: Input::Tick, reply: None };
        engine.take(tick()).expect("nothing to write");
        assert!(shared.read().troubles.is_empty());
        let hint = Hint {
            hook: "rt".parse().expect("a name"),
            delivery: "1".into(),
            rollout: "r".into(),
            state: "s".into(),
            actor: "jane".into(),
            at: None,
        };
        engine.take(Envelope { input: Input::Heard(hint), reply: None }).expect("it waits");
        for _ in 0..3 {
            assert!(shared.read().troubles.contains_key(&Trouble::Logbook));
            engine.take(tick()).expect("nothing to write");
        }
    }

    #[test]
    fn a_move_that_fails_while_it_is_held_is_said_to_be_held_and_one_that_was_given_up_leaves_no_word() {
        let shared = Arc::<Shared>::default();
        let facts = every_fact();
        let moved = facts.iter().position(|fact| matches!(fact, Fact::Moved(_))).expect("one moves");
        for (n, fact) in facts[..=moved].iter().enumerate() {
            shared.write().world.apply(n as u64 + 1, jiff::Timestamp::UNIX_EPOCH, "me", fact);
        }
        let (number, plan) =
            shared.read().world.rollouts.plans().next().map(|(n, plan)| (n, plan.clone())).expect("one is begun");
        // A tree that the rules say nothing of trusts nobody.
        let rules = DistRules {
            workflow: procedure::built_in("egi").expect("it ships"),
            trees: vec![],
            trust: BTreeMap::new(),
            grace_metadata: Duration::ZERO,
            grace_packages: Duration::ZERO,
        };
        Arc::make_mut(&mut shared.write().rules).distributions.insert(plan.moves[0].dist.clone(), rules);
        let workers = Arc::new(Workers::new(Arc::clone(&shared), vec![]));
        let mut engine =
            Engine::new(Box::new(Full), workers, Arc::clone(&shared), Clock::System, oneshot::channel().0).0;
        let work = Work::Stage(number, plan.clone());
        let trouble = || shared.read().troubles.get(&work.trouble()).cloned();
        engine.hold();
        for _ in 0..2 {
            assert!(trouble().is_some_and(|why| why.contains("Nothing is moved")), "{:?}", trouble());
            engine.work_ended(&work, &WorkEnd::Failed("no room".to_owned()));
            engine.hold();
        }
        let given_up = Fact::Moved(Moved {
            rollout: plan.rollout.clone(),
            from: String::new(),
            to: "Rejected".into(),
            plan: None,
        });
        shared.write().world.apply(moved as u64 + 2, jiff::Timestamp::UNIX_EPOCH, "me", &given_up);
        engine.hold();
        assert_eq!(trouble(), None);
        engine.work_ended(&work, &WorkEnd::Failed("no room".to_owned()));
        assert_eq!((trouble(), engine.failures.len()), (None, 0));
    }

    #[test]
    fn an_upload_tree_that_is_held_at_the_start_does_not_keep_the_daemon_from_being_ready() {
        use crate::process::agenda::Kind;
        use crate::process::fact::tree::Published;
        let shared = Arc::<Shared>::default();
        let dist: DistPath = "umd/3/sl6/x86_64".parse().expect("a path");
        let trees: Vec<_> = ["untested", "testing"].iter().map(|t| t.parse().expect("a name")).collect();
        let id = |tree: &crate::domain::names::TreeName| TreeId { dist: dist.clone(), tree: tree.clone() };
        let rules = DistRules {
            workflow: procedure::built_in("egi").expect("it ships"),
            trees: trees.clone(),
            trust: BTreeMap::new(),
            grace_metadata: Duration::ZERO,
            grace_packages: Duration::ZERO,
        };
        Arc::make_mut(&mut shared.write().rules).distributions.insert(dist.clone(), rules);
        let workers = Arc::new(Workers::new(Arc::clone(&shared), vec![]));
        let (rung, mut ready) = oneshot::channel();
        let mut engine = Engine::new(Box::new(Full), workers, Arc::clone(&shared), Clock::System, rung).0;
        engine.touched.insert(dist.clone());
        engine.doubted.insert(dist.clone());
        let is_over = |engine: &Engine| engine.recovered(&shared.read());
        assert!(!is_over(&engine), "nothing was compared");
        engine.doubted.clear();
        for tree in &trees {
            let published = Published {
                tree: id(tree),
                revision: 1,
                packages: 0,
                repomd: crate::domain::checksum::Sha256([1; 32]),
                superseded: vec![],
                plan: None,
            };
            shared.write().world.apply(1, jiff::Timestamp::UNIX_EPOCH, "rolloutd", &Fact::Published(published));
        }
        assert!(!is_over(&engine), "the uploads were not looked at, and nothing speaks against it");
        let held = |tree, what| (id(tree), Wrong { why: "it is not ours".to_owned(), what });
        engine.inspected(&dist, &[held(&trees[0], Kind::Strange)], true);
        engine.schedule();
        assert_eq!(ready.try_recv(), Ok(()));
        assert!(shared.read().ready && engine.touched.contains(&dist), "it is looked at once that is over");
        assert!(shared.read().troubles.values().any(|why| why == "it is not ours"), "and readiness says so");
        engine.inspected(&dist, &[held(&trees[1], Kind::Strange)], true);
        assert!(!is_over(&engine), "only production is held, so the uploads can be looked at");
    }

    #[test]
    fn a_clock_that_jumps_ahead_makes_no_removal_due_and_one_that_goes_back_neither() {
        let shared = Arc::<Shared>::default();
        let workers = Arc::new(Workers::new(Arc::clone(&shared), vec![]));
        let (rung, _ready) = oneshot::channel();
        let (mut engine, _handle) = Engine::new(Box::new(Full), workers, shared, Clock::System, rung);
        let (now, hour) = (Clock::System.now(), Duration::from_hours(1));
        // It began an hour ago by the wall and just now by the other clock: the wall has jumped.
        engine.began = (now.checked_sub(hour).expect("a time"), Clock::System.monotonic());
        assert!(engine.patient_now() < now.checked_sub(hour / 2).expect("a time"));
        engine.began = (now.checked_add(hour).expect("a time"), Clock::System.monotonic());
        assert!(engine.patient_now() < now.checked_add(hour / 2).expect("a time"));
    }

    #[test]
    fn the_time_for_which_nobody_was_there_counts_as_no_waiting() {
        let day = Duration::from_hours(24);
        let start = |last_at, steady| {
            let shared = Arc::<Shared>::default();
            let workers = Arc::new(Workers::new(Arc::clone(&shared), vec![]));
            let version = String::new();
            let mut inside = shared.write();
            inside.world.steady = steady;
            inside.world.apply(1, last_at, "rolloutd", &Fact::Started(Started { version }));
            drop(inside);
            Engine::new(Box::new(Full), workers, shared, Clock::System, oneshot::channel().0).0.patient_now()
        };
        let now = Clock::System.now();
        let before = now.checked_sub(day).expect("a time");
        assert!(start(before, None) < before.checked_add(day / 2).expect("a time"), "the wall clock may have jumped");
        let ahead = now.checked_add(day).expect("a time");
        let soon = now.checked_add(day / 2).expect("a time");
        assert!(start(ahead, None) < soon, "it was ahead when the last entry was made");
        let late = before.checked_add(day / 2).expect("a time");
        assert!(start(ahead, Some(before)) < late, "it was ahead, and maybe still is");
    }

    #[test]
    fn a_first_start_with_a_clock_that_is_ahead_delays_nothing_once_it_is_right() {
        let shared = Arc::<Shared>::default();
        let workers = Arc::new(Workers::new(Arc::clone(&shared), vec![]));
        let mut engine = Engine::new(Box::new(Full), workers, shared, Clock::System, oneshot::channel().0).0;
        let year = Duration::from_hours(24 * 365);
        engine.began = (Clock::System.now().checked_add(year).expect("a time"), Clock::System.monotonic());
        engine.follow_the_wall();
        assert!(engine.steady() <= Clock::System.now());
    }

    /// Short runs add up, although each writes nothing but that it has started.
    #[test]
    fn what_was_waited_for_in_one_run_counts_in_the_next() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("logbook.sqlite");
        let kernel: Arc<dyn crate::store::disk::Disk> = Arc::new(crate::store::disk::Kernel::default());
        let hour = Duration::from_hours(1);
        let long_ago = Clock::System.now().checked_sub(hour * 24).expect("a time");
        let mut steady = long_ago;
        for run in 1..4 {
            let mut book = SqliteLogbook::open_sealed(&path, Arc::clone(&kernel)).expect("opened");
            if run == 1 {
                let body = fact::write_at(&Fact::Started(Started { version: String::new() }), Some(long_ago));
                let draft = Draft { at: long_ago, who: "rolloutd".into(), why: String::new(), body, about: vec![] };
                book.append(book.head(), &[draft]).expect("written");
            }
            let shared = Arc::<Shared>::default();
            fold(&book, &mut shared.write().world).expect("folded");
            let workers = Arc::new(Workers::new(Arc::clone(&shared), vec![]));
            let mut engine = Engine::new(Box::new(book), workers, shared, Clock::System, oneshot::channel().0).0;
            assert!(engine.steady() >= steady, "run {run}");
            // It has run for an hour.
            engine.began.0 = engine.began.0.checked_add(hour).expect("a time");
            steady = engine.steady();
            engine.seal();
        }
        assert!(steady >= long_ago.checked_add(hour * 3).expect("a time"));
    }

    #[test]
    fn what_waits_for_its_time_is_judged_when_the_clock_says_so_and_once() {
        let hand: &'static Hand = Box::leak(Box::default());
        let shared = Arc::<Shared>::default();
        let workers = Arc::new(Workers::new(Arc::clone(&shared), vec![]));
        let clock = Clock::ByHand(hand);
        let mut engine = Engine::new(Box::new(Full), workers, Arc::clone(&shared), clock, oneshot::channel().0).0;
        let week = Duration::from_hours(7 * 24);
        for fact in every_fact() {
            let fact = match fact {
                Fact::Submitted(_) => fact,
                Fact::Awaits(awaits) => {
                    let not_before = engine.steady().checked_add(week).ok();
                    Fact::Awaits(crate::process::fact::rollout::Awaits { not_before, ..awaits })
                }
                _ => continue,
            };
            let mut inside = shared.write();
            let seq = inside.world.last + 1;
            inside.world.apply(seq, clock.now(), "jane", &fact);
        }
        let mut stirred = || {
            engine.come_due();
            std::mem::take(&mut engine.stirred).into_iter().map(|id| id.to_string()).collect::<Vec<_>>()
        };
        assert!(stirred().is_empty());
        // The wall clock alone ends no wait.
        hand.set_wall(jiff::SignedDuration::from_hours(24 * 365));
        assert!(stirred().is_empty());
        hand.pass(week);
        assert_eq!(stirred(), ["rt-1"]);
        hand.pass(week);
        assert!(stirred().is_empty());
    }

    #[test]
    fn pauses_grow_and_then_stay() {
        let pauses: Vec<u64> = [1, 2, 3, 6, 7, 8, 40].into_iter().map(|n| RETRY.pause(n).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 32, 60, 60, 60]);
    }

    /// An entry is about a rollout when its fact names it as its rollout, or is the end of a plan of such an entry. A
    /// tree, a state or a package that happens to be called like the rollout does not count.
    #[test]
    fn the_history_of_a_rollout_is_found_also_where_older_programs_have_written_it() {
        let moved = |rollout: &str, with_plan: bool| {
            let id: crate::domain::names::RolloutId = rollout.parse().expect("an id");
            let plan = crate::domain::plan::Plan { rollout: id.clone(), moves: vec![] };
            Fact::Moved(Moved { rollout: id, from: "a".into(), to: "b".into(), plan: with_plan.then_some(plan) })
        };
        let made = |rollout: &str| {
            let (title, state) = (String::new(), "a".to_owned());
            let rollout = rollout.parse().expect("an id");
            Fact::Submitted(Submitted { rollout, title, parts: vec![], state })
        };
        let done = |plan| Fact::Done(Done { plan, rollout: None });
        let mut facts = vec![made("other"), made("testing"), moved("other", true), moved("testing", true)];
        facts.extend([done(3), done(4), moved("testing", false)]);
        facts.extend(every_fact());
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("logbook.sqlite");
        let mut book = SqliteLogbook::open(&path).expect("a new logbook");
        let draft = |fact| Draft {
            at: jiff::Timestamp::UNIX_EPOCH,
            who: "me".into(),
            why: String::new(),
            body: fact::write(fact),
            about: vec![],
        };
        let drafts: Vec<Draft> = facts.iter().map(draft).collect();
        book.append(book.head(), &drafts).expect("appended");
        // As a program before the index has left it.
        let older = rusqlite::Connection::open(&path).expect("open");
        older.execute_batch("DROP TABLE about; DROP TABLE indexed").expect("dropped");
        drop((older, book));
        let mut book = SqliteLogbook::open(&path).expect("whole");
        take_up(&mut book, &mut World::default()).expect("folded");
        let of = |subject: &str| -> Vec<u64> {
            book.about(subject, None, 100).expect("read").iter().map(|entry| entry.seq).collect()
        };
        assert_eq!(of("rollout testing"), [2, 4, 6, 7]);
        assert_eq!(of("rollout other"), [1, 3, 5]);
        assert_eq!(of("tree testing/umd/3/sl6/x86_64"), [17, 18]);
        assert_eq!(book.indexed().expect("read"), 18);
    }
}
