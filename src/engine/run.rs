//! The loop.
//!
//! It takes one input at a time, decides, appends, folds, and then starts what there is to do. Work
//! runs on other threads and comes back as an input. Nothing else writes to the logbook.
//!
//! While the logbook cannot be written (a full disk), nothing is decided: people are told so,
//! finished work waits, and the loop tries again every second. When the chain is broken or somebody else
//! has appended, the loop ends: to go on would be to act on a history that is not ours.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use super::checkpoint::Keeper;
use super::dispatch::{self, Dispatch, Stirred};
use super::folding::{EngineError, drafts};
use super::handle::{Envelope, Handle, INPUT_QUEUE, Touches, Waiting};
use super::journal::log_fact;
use super::message;
use super::trail::Trail;
use super::view::Shared;
use super::worker::Workers;
use crate::domain::moment::{Elapsed, Moment};
use crate::domain::names::{Actor, DistPath, HookName, RolloutId, TreeId};
use crate::domain::people::DAEMON;
use crate::link::clock::Clock;
use crate::link::outgoing::{Delivery, Outgoing};
use crate::process::act::wishes::stirred;
use crate::process::agenda::Work;
use crate::process::decision::{Decision, Entry};
use crate::process::fact::Fact;
use crate::process::fact::daemon::Started;
use crate::process::fact::package::Lost;
use crate::process::input::{End, Found, Input, WorkEnd};
use crate::process::listed::{self, Doubts};
use crate::process::notice::to_nobody;
use crate::process::trouble::Trouble;
use crate::process::{decide, wish};
use crate::store::logbook::Logbook;
use crate::store::people::Register;

/// How often the loop looks at the time when nothing happens.
const TICK: Duration = Duration::from_secs(1);

/// Below this difference the wall clock and elapsed time count as equal.
const SAME_TIME: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);

/// How often the logbook is sealed when nothing happens, and so how much of a wait is lost in a crash.
const SEAL_EVERY: Duration = Duration::from_mins(10);

/// The engine before it runs.
pub struct Engine {
    book: Box<dyn Logbook>,
    register: Register,
    keeper: Keeper,
    /// Whether something was written that calls for a seal.
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
    dispatch: Dispatch,
    trail: Trail,
    outgoing: Arc<Outgoing>,
    deliveries: JoinSet<()>,
    /// Cancelled when the loop has to end.
    stop: CancellationToken,
    /// Rollouts of which a tracker wants something, and about which something has changed since they were judged.
    stirred: BTreeSet<RolloutId>,
    /// Whether all of them may be affected.
    all_stirred: bool,
    /// Objections to the signers of listed packages, and the state of the listings that was compared.
    doubts: (BTreeMap<TreeId, Doubts>, Option<u64>),
    /// When the loop began, in elapsed time and on the monotonic clock.
    began: (Elapsed, Instant),
    /// The elapsed time up to which everything that came due was judged again.
    due_until: Elapsed,
    /// The same on the wall clock, for what waits for the calendar to open.
    opened_until: jiff::Timestamp,
    /// How far the wall clock was ahead of elapsed time when it was last found to have been set.
    ahead: jiff::SignedDuration,
    on_ready: Option<oneshot::Sender<()>>,
    /// Until when the daemon before this one has certainly run.
    alive: Option<jiff::Timestamp>,
}

impl Engine {
    /// An engine over a logbook that has been folded into `shared`, and its register of people; `on_ready` fires once, when
    /// recovery is over.
    pub fn new(
        book: Box<dyn Logbook>,
        register: Register,
        workers: Arc<Workers>,
        shared: Arc<Shared>,
        clock: Clock,
        on_ready: oneshot::Sender<()>,
    ) -> (Self, Handle) {
        let (sender, inputs) = mpsc::channel(INPUT_QUEUE);
        let touches = Arc::<Touches>::default();
        let handle = Handle { inputs: sender, touches: Arc::clone(&touches), shared: Arc::clone(&shared) };
        let (began, alive) = {
            let mut inside = shared.write();
            inside.head = book.head();
            // Nobody knows how long the daemon was down: at boot the clock may be wrong by years, as on a machine
            // without a battery. So the time since the last entry does not count as waiting.
            let wall = Elapsed::from_wall(clock.now());
            let last = book.elapsed().unwrap_or(inside.world.last_elapsed);
            // The first start of all is where elapsed time begins: at the wall clock's.
            let began = if inside.world.last == 0 { wall } else { last.min(wall) };
            // It sealed the logbook every few minutes, with the elapsed time of then.
            let ran_on = last.since(inside.world.last_elapsed).max(jiff::SignedDuration::ZERO);
            let alive = inside.world.last_at().and_then(|last| last.checked_add(ran_on).ok());
            ((began, clock.monotonic()), alive)
        };
        let keeper = Keeper::of(book.as_ref());
        let mut engine = Self {
            book,
            keeper,
            register,
            to_seal: true,
            sealed: began.1,
            workers,
            shared,
            clock,
            touches,
            inputs,
            ends: mpsc::unbounded_channel(),
            stalled: VecDeque::new(),
            dispatch: Dispatch::default(),
            trail: Trail::default(),
            outgoing: Arc::default(),
            deliveries: JoinSet::new(),
            stop: CancellationToken::new(),
            stirred: BTreeSet::new(),
            all_stirred: true,
            doubts: (BTreeMap::new(), None),
            began,
            due_until: Elapsed::recorded(jiff::Timestamp::MIN),
            // All that waits is judged at the start, by the time of then.
            opened_until: jiff::Timestamp::MIN,
            ahead: clock.now().duration_since(began.0.timestamp()),
            on_ready: Some(on_ready),
            alive,
        };
        engine.agree();
        (engine, handle)
    }

    /// Sends notices through `outgoing`.
    #[must_use]
    pub fn telling(self, outgoing: Arc<Outgoing>) -> Self {
        Self { outgoing, ..self }
    }

    /// Runs until `stop`. It waits for work in progress, so that a stop falls between two steps.
    ///
    /// # Errors
    /// When the logbook is broken or somebody else writes to it.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), EngineError> {
        self.stop = stop.clone();
        let dists: Vec<DistPath> = self.shared.read().rules.distributions.keys().cloned().collect();
        self.dispatch.wants(dists.clone(), dists);
        let (version, alive) = (env!("CARGO_PKG_VERSION").to_owned(), self.alive);
        let start =
            Entry { who: Actor::recorded(DAEMON), why: String::new(), fact: Fact::Started(Started { version, alive }) };
        self.record(&Decision { entries: vec![start], answer: None })?;
        let nobody = to_nobody(self.shared.read().known());
        self.record(&nobody)?;
        while !stop.is_cancelled() {
            self.shared.beat();
            self.follow_the_wall();
            self.notice_a_set_clock();
            self.hold();
            self.compare_signers();
            self.schedule();
            self.seal();
            self.keeper.keep(&self.shared.read().world, self.book.head());
            let wake = self.next_wake();
            let envelope = tokio::select! {
                () = stop.cancelled() => break,
                Some(end) = self.ends.1.recv() => end,
                () = self.touches.bell.notified() => Input::Tick.into(),
                Some(asked) = self.inputs.recv() => asked,
                () = tokio::time::sleep_until(wake.into()) => Input::Tick.into(),
            };
            self.take(envelope)?;
        }
        self.finish().await
    }

    /// Waits for work in progress and logs how it ended.
    async fn finish(mut self) -> Result<(), EngineError> {
        self.inputs.close();
        // Work whose end cannot be logged has ended all the same; the next start finds that out.
        let came = |envelope: &&Envelope| matches!(envelope.input, Input::WorkEnded(..));
        while self.dispatch.running() > self.stalled.iter().filter(came).count() {
            match self.ends.1.recv().await {
                Some(end) => self.take(end)?,
                None => break,
            }
        }
        self.to_seal = true;
        self.seal();
        Ok(())
    }

    /// Records outside the logbook where it ends. If that fails, a truncated logbook is noticed later or not at all.
    /// Nothing else depends on it, so it is a trouble, and tried again.
    fn seal(&mut self) {
        let is_old = self.clock.monotonic().saturating_duration_since(self.sealed) > SEAL_EVERY;
        if !std::mem::take(&mut self.to_seal) && !is_old {
            return;
        }
        let why = self.book.seal(Some(self.elapsed())).err().map(|error| error.sentence());
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

    /// Finds out which moves are held, if the rules or the moves have changed.
    fn hold(&mut self) {
        if self.dispatch.has_new_moves(&self.shared.read()) {
            let stirred = self.dispatch.hold(&mut self.shared.write());
            self.stir(stirred);
        }
    }

    fn stir(&mut self, Stirred { some, all }: Stirred) {
        self.stirred.extend(some);
        self.all_stirred |= all;
    }

    /// Compares the signers of listed packages with the rings, if either has changed, and reports what does not match.
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
                tracing::info!(tree = %id, "the ring trusts everything listed again");
                self.shared.trouble(&Trouble::Keys(id.clone()), None);
            }
        }
    }

    /// Judges again, once, whatever has come due.
    fn come_due(&mut self) {
        let Moment { wall, elapsed: until } = self.now();
        let inside = self.shared.read();
        let rollouts = &inside.world.rollouts;
        self.stirred.extend(rollouts.due(self.due_until, until).cloned());
        self.due_until = until;
        self.stirred.extend(rollouts.opened(self.opened_until, wall).cloned());
        // A clock may be set back by less than counts as set, and an opening in that time would be passed over.
        self.opened_until = wall.checked_sub(SAME_TIME).unwrap_or(wall);
    }

    fn next_wake(&self) -> Instant {
        let due = self.shared.read().world.rollouts.next_due(self.due_until);
        let due = due.and_then(|at| Duration::try_from(at.since(self.elapsed())).ok());
        let tick = self.clock.monotonic() + due.map_or(TICK, |due| due.min(TICK));
        self.dispatch.next_wake(self.clock.monotonic()).map_or(tick, |at| at.min(tick))
    }

    /// Handles one input. While the logbook cannot be written it waits, and so does everything behind it.
    fn take(&mut self, envelope: Envelope) -> Result<(), EngineError> {
        let Waiting { touched, doubted } = self.touches.take();
        self.dispatch.wants(touched, doubted);
        if matches!(envelope.input, Input::Tick) {
            if let Err(error) = self.in_place() {
                self.unwritable(&error);
            }
            self.come_due();
            self.unstall()?;
            // Somebody was turned away. We find out by ourselves when it works again; perhaps nobody asks again.
            let stalled = self.shared.read().troubles.contains_key(&Trouble::Logbook);
            if stalled && self.book.may_be_written() && self.register.may_be_written() {
                self.shared.trouble(&Trouble::Logbook, None);
            }
            if self.shared.read().troubles.contains_key(&Trouble::People) {
                self.agree();
            }
        }
        if self.stalled.is_empty() {
            return self.handle(envelope);
        }
        self.stall(envelope);
        Ok(())
    }

    /// Finished work and reloads wait; people are told to try again.
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
        let Envelope { input, reply, request } = envelope;
        let _span = self.trail.begins(&input, request).entered();
        self.shared.write().now = self.now();
        if let Input::Reloaded(rules) = input {
            // Keys, compression or signatures may have changed, and clients have to see it.
            for dist in rules.distributions.keys() {
                // Whoever reloads may have fixed something and be waiting for the effect.
                self.dispatch.inspect_at_once(dist);
            }
            self.shared.write().rules = Arc::from(rules);
            self.dispatch.new_rules();
            self.doubts.1 = None;
            self.all_stirred = true;
            let nobody = to_nobody(self.shared.read().known());
            match self.record(&nobody) {
                Ok(()) => {}
                // They stay due until the next reload or start.
                Err(error) if error.may_pass() => self.unwritable(&error),
                Err(fatal) => return Err(fatal),
            }
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
                self.stall(Envelope { input, reply, request });
                return Ok(());
            }
            Err(fatal) => return Err(fatal),
        }
        if let Input::WorkEnded(work, end) = input {
            let stirred = self.dispatch.ended(&mut self.shared.write(), &work, &end, self.clock.monotonic());
            self.stir(stirred);
        }
        for entry in &decision.entries {
            if let Fact::Lost(Lost { dist, .. }) = &entry.fact {
                // The tree that listed it may be right now.
                self.dispatch.inspect_at_once(dist);
            }
        }
        if decision.entries.iter().any(|entry| matches!(entry.fact, Fact::Erased(_))) {
            self.agree();
        }
        if let (Some(reply), Some(answer)) = (reply, answer) {
            let _ = reply.send(answer);
        }
        self.wishes()
    }

    /// Reports why nothing can be logged.
    fn unwritable(&self, error: &EngineError) {
        let why = error.sentence();
        if self.shared.read().troubles.get(&Trouble::Logbook) != Some(&why) {
            tracing::error!(why, "logbook stalled");
            self.shared.trouble(&Trouble::Logbook, Some(why));
        }
    }

    /// Takes the steps that trackers asked for earlier and that are possible now, for rollouts that something has changed
    /// about.
    fn wishes(&mut self) -> Result<(), EngineError> {
        if std::mem::take(&mut self.all_stirred) {
            self.stirred = self.shared.read().world.rollouts.waiting().map(|rollout| rollout.id.clone()).collect();
        }
        // Each is judged in the world that the previous one left, and may stir others.
        while let Some(id) = self.stirred.pop_first() {
            let _span = self.trail.judges(&id).entered();
            let decision = wish(self.shared.read().known(), &id);
            match self.record(&decision) {
                Ok(()) => {}
                // It is taken as soon as the logbook can be written again.
                Err(error) if error.may_pass() => {
                    self.stirred.insert(id);
                    return Ok(());
                }
                Err(fatal) => return Err(fatal),
            }
        }
        Ok(())
    }

    /// Logs a decision and folds it in.
    fn record(&mut self, decision: &Decision) -> Result<(), EngineError> {
        if decision.entries.is_empty() {
            return Ok(());
        }
        let Moment { wall: now, elapsed } = self.now();
        // If the two differ, the clock has jumped since the first start, or the daemon was down for a while. The next
        // start must not count that as waiting.
        let said = Some(elapsed).filter(|elapsed| Elapsed::from_wall(now).since(*elapsed).abs() >= SAME_TIME);
        self.register.in_place()?;
        let drafts = drafts(&mut self.register, &decision.entries, now, said)?;
        self.show_people();
        let recorded = self.book.append(self.book.head(), &drafts)?;
        self.to_seal |= decision.entries.iter().any(|entry| matches!(entry.fact, Fact::Published(_)));
        let mut inside = self.shared.write();
        inside.troubles.remove(&Trouble::Logbook);
        inside.head = self.book.head();
        // As the next start reads it, so that a checkpoint is what the entries fold to.
        inside.world.elapsed = Some(said.unwrap_or(Elapsed::from_wall(now)));
        for (recorded, entry) in recorded.iter().zip(&decision.entries) {
            log_fact(recorded.seq, entry, &inside.people);
            self.trail.note(&entry.fact);
            self.stirred.extend(stirred(&inside.world, &entry.fact));
            inside.world.apply(recorded.seq, recorded.draft.at, &recorded.draft.who, &entry.fact);
        }
        Ok(())
    }

    /// Whether the next start would find what is logged now.
    fn in_place(&mut self) -> Result<(), EngineError> {
        self.book.in_place()?;
        Ok(self.register.in_place()?)
    }

    /// Gives readers everybody whom an entry may name.
    fn show_people(&self) {
        let known = self.shared.read().people.len();
        if known != self.register.people().len() {
            self.shared.write().people = self.register.people().clone();
        }
    }

    /// Removes erased people from the register. The erasure is in the logbook already, so a failure is tried again until
    /// it succeeds, here or after the next start.
    fn agree(&mut self) {
        let view = self.shared.read();
        let why = self.register.agree(view.world.persons.erased()).err().map(|error| error.sentence());
        if let Some(why) = why.as_ref().filter(|why| view.troubles.get(&Trouble::People) != Some(*why)) {
            tracing::error!(why, "not erased from the register of people");
        }
        drop(view);
        self.shared.write().people = self.register.people().clone();
        self.shared.trouble(&Trouble::People, why);
    }

    /// This moment.
    fn now(&self) -> Moment {
        Moment { wall: self.clock.now(), elapsed: self.elapsed() }
    }

    /// Elapsed time: it goes on as time passes, whatever the wall clock says.
    fn elapsed(&self) -> Elapsed {
        let (at, begun) = self.began;
        at.plus(self.clock.monotonic().saturating_duration_since(begun))
    }

    /// A wall clock that was ahead at the first start and is corrected later: from then on things wait by the right time,
    /// since nothing is removed by a later one than the wall clock's. No correction shortens a wait.
    fn follow_the_wall(&mut self) {
        let wall = Elapsed::from_wall(self.clock.now());
        if self.elapsed().since(wall) >= SAME_TIME {
            self.began = (wall, self.clock.monotonic());
            self.shared.write().world.wait_from(wall);
            // From here on the world differs by milliseconds from what the entries fold to.
            self.keeper.end();
            // Whatever waits for a time may now wait for another one.
            self.all_stirred = true;
            self.to_seal = true;
        }
    }

    /// A wall clock that was set, forward or back: the calendar may be open or closed now for other rollouts than before,
    /// so all that waits is judged by what the clock shows now. Openings are kept as times on the wall clock, and so need no
    /// correction themselves.
    fn notice_a_set_clock(&mut self) {
        let Moment { wall, elapsed } = self.now();
        let ahead = wall.duration_since(elapsed.timestamp());
        if ahead.saturating_sub(self.ahead).abs() >= SAME_TIME {
            self.ahead = ahead;
            self.all_stirred = true;
        }
    }

    /// The time by which files are removed: the wall clock, but never further ahead than time has passed, so
    /// that a clock that jumps ahead removes nothing early (threats row 81).
    fn patient_now(&self) -> Elapsed {
        self.elapsed().min(Elapsed::from_wall(self.clock.now()))
    }

    /// Starts what there is to do, one piece per lane.
    fn schedule(&mut self) {
        if self.in_place().is_err() {
            // The outcome could not be logged, and the next start would know nothing of it.
            return;
        }
        let now = dispatch::Now { clock: self.clock.monotonic(), patient: self.patient_now() };
        let shared = Arc::clone(&self.shared);
        if self.stalled.is_empty() {
            let todo = self.dispatch.todo(&shared.read(), now);
            for work in todo {
                self.dispatch.begins(&mut shared.write(), &work);
                self.start(work);
            }
        }
        if !shared.read().ready && self.dispatch.recovered(&shared.read(), now) {
            shared.write().ready = true;
            if let Some(bell) = self.on_ready.take() {
                let _ = bell.send(());
            }
        }
    }

    fn start(&mut self, work: Work) {
        let (span, request) = self.trail.works(&work);
        if let Work::Deliver(to, number) = work {
            return self.deliver(to, number, span);
        }
        let (workers, ends, clock) = (Arc::clone(&self.workers), self.ends.0.clone(), self.clock);
        let patient = self.patient_now();
        tokio::task::spawn_blocking(move || {
            let carry_out = || workers.carry_out(&work, clock.now(), clock, patient);
            let carried = std::panic::AssertUnwindSafe(|| span.in_scope(carry_out));
            // A panic must not leave a lane busy for ever; it counts as a failure.
            let end = std::panic::catch_unwind(carried)
                .unwrap_or_else(|_| WorkEnd::failed("it panicked; please report this with the log"));
            let _ = ends.send(Envelope { input: Input::WorkEnded(work, end), reply: None, request });
        });
    }

    /// Sends a receiver the notice that is due.
    fn deliver(&mut self, to: HookName, number: u64, span: Span) {
        let (outgoing, ends, clock) = (Arc::clone(&self.outgoing), self.ends.0.clone(), self.clock);
        while self.deliveries.try_join_next().is_some() {}
        let message = self.message(&to, number);
        let stop = self.stop.clone();
        let mut ending = Ending { work: Some(Work::Deliver(to.clone(), number)), ends };
        let delivery = async move {
            let end = match message {
                Ok((id, body)) => tokio::select! {
                    // We do not know whether it arrived, so it is sent again after the next start.
                    () = stop.cancelled() => End::Again { why: None, after: None },
                    delivery = outgoing.deliver(&to, &id, clock.now(), body) => match delivery {
                        Delivery::Taken => End::Done,
                        Delivery::Later { why, after } => End::Again { why: Some(why), after },
                        Delivery::Never(why) => End::Final(why),
                    },
                },
                Err(why) => End::Again { why: Some(why), after: None },
            };
            ending.say(WorkEnd { found: Found::Nothing, end, altered: vec![] });
        };
        self.deliveries.spawn(delivery.instrument(span));
    }

    /// The body of a notice, and its id.
    fn message(&self, to: &HookName, number: u64) -> Result<(String, Vec<u8>), String> {
        let inside = self.shared.read();
        let due = inside.world.notices.due(to, number).ok_or("it is no longer due")?;
        let entry = |number| {
            let read = self.book.read(number, 1).map_err(|error| error.sentence())?;
            read.into_iter().find(|entry| entry.seq == number).ok_or_else(|| format!("there is no entry {number}"))
        };
        // After a restored backup numbers are used again, hashes are not.
        let hash = entry(number)?.hash.to_hex();
        let id = format!("rolloutd-{number}-{}", hash.get(..16).unwrap_or(&hash));
        Ok((id, message::body(&entry(due.cause)?, (due.rollout.as_ref(), due.change.as_ref()))?))
    }
}

/// Reports how a delivery ended, even by a panic: a lane must not stay busy for ever.
struct Ending {
    work: Option<Work>,
    ends: mpsc::UnboundedSender<Envelope>,
}

impl Ending {
    fn say(&mut self, end: WorkEnd) {
        if let Some(work) = self.work.take() {
            let _ = self.ends.send(Input::WorkEnded(work, end).into());
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.say(WorkEnd::failed("it panicked; please report this with the log"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::backlog::Backlog;
    use crate::engine::folding::{fold, take_up};
    use crate::link::clock::Hand;
    use crate::process::fact;
    use crate::process::fact::package::Refused;
    use crate::process::fact::rollout::{Done, Moved, Submitted};
    use crate::process::fact::samples::{every_fact, of_several};
    use crate::process::input::Hint;
    use crate::process::world::World;
    use crate::store::logbook::Head;
    use crate::store::logbook::Recorded;
    use crate::store::logbook::SqliteLogbook;
    use crate::store::logbook::{Draft, LogbookError};
    use crate::store::people::forgetful::forgetful;

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

        fn check(&self, _: Head) -> Result<(), LogbookError> {
            Ok(())
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
        let (mut engine, _handle) = Engine::new(Box::new(Full), forgetful(), workers, shared, Clock::System, rung);
        let dist: DistPath = "d".parse().expect("a path");
        let away = Refused {
            dist: dist.clone(),
            upload: "a.rpm".into(),
            sha256: None,
            code: "unsigned".into(),
            detail: String::new(),
        };
        let end = WorkEnd::done(Found::Looked {
            took_in: vec![],
            turned_away: vec![away],
            stuck: vec![],
            waiting: Backlog::default(),
            repeated: false,
        });
        // One that takes two lanes comes to one end.
        let plan = every_fact().into_iter().chain(of_several()).rev().find_map(|fact| match fact {
            Fact::Moved(moved) => moved.plan,
            _ => None,
        });
        let plan = Arc::new(plan.expect("one moves"));
        assert_eq!(plan.dists().count(), 2);
        let staged = Found::Staged { plan: 1, trees: vec![] };
        let ends = [(Work::TakeIn(dist), end), (Work::Stage(1, plan), WorkEnd::done(staged))];
        for (work, end) in ends {
            engine.dispatch.begins(&mut engine.shared.write(), &work);
            let input = Input::WorkEnded(work, end);
            engine.ends.0.send(input.into()).expect("the engine is there");
        }
        let stopped = tokio::time::timeout(Duration::from_secs(10), engine.finish()).await;
        stopped.expect("it stops").expect("in order");
    }

    #[test]
    fn a_logbook_that_cannot_be_written_is_a_trouble_until_something_was_written() {
        let shared = Arc::<Shared>::default();
        let workers = Arc::new(Workers::new(Arc::clone(&shared), vec![]));
        let mut engine =
            Engine::new(Box::new(Full), forgetful(), workers, Arc::clone(&shared), Clock::System, oneshot::channel().0)
                .0;
        let tick = || Envelope::from(Input::Tick);
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
        engine.take(Input::Heard(hint).into()).expect("it waits");
        for _ in 0..3 {
            assert!(shared.read().troubles.contains_key(&Trouble::Logbook));
            engine.take(tick()).expect("nothing to write");
        }
    }

    #[test]
    fn a_clock_that_jumps_ahead_makes_no_removal_due_and_one_that_goes_back_neither() {
        let shared = Arc::<Shared>::default();
        let workers = Arc::new(Workers::new(Arc::clone(&shared), vec![]));
        let (rung, _ready) = oneshot::channel();
        let (mut engine, _handle) = Engine::new(Box::new(Full), forgetful(), workers, shared, Clock::System, rung);
        let (now, hour) = (Clock::System.now(), Duration::from_hours(1));
        // It began an hour ago by the wall and just now by the other clock: the wall has jumped.
        let wall = |at: Result<jiff::Timestamp, jiff::Error>| Elapsed::from_wall(at.expect("a time"));
        engine.began = (wall(now.checked_sub(hour)), Clock::System.monotonic());
        assert!(engine.patient_now() < wall(now.checked_sub(hour / 2)));
        engine.began = (wall(now.checked_add(hour)), Clock::System.monotonic());
        assert!(engine.patient_now() < wall(now.checked_add(hour / 2)));
    }

    #[test]
    fn the_time_for_which_nobody_was_there_counts_as_no_waiting() {
        let day = Duration::from_hours(24);
        let start = |last_at, elapsed: Option<jiff::Timestamp>| {
            let shared = Arc::<Shared>::default();
            let workers = Arc::new(Workers::new(Arc::clone(&shared), vec![]));
            let version = String::new();
            let mut inside = shared.write();
            inside.world.elapsed = elapsed.map(Elapsed::recorded);
            inside.world.apply(1, last_at, "rolloutd", &Fact::Started(Started { version, alive: None }));
            drop(inside);
            Engine::new(Box::new(Full), forgetful(), workers, shared, Clock::System, oneshot::channel().0)
                .0
                .patient_now()
                .timestamp()
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
        let mut engine =
            Engine::new(Box::new(Full), forgetful(), workers, shared, Clock::System, oneshot::channel().0).0;
        let year = Duration::from_hours(24 * 365);
        engine.began = (Elapsed::from_wall(Clock::System.now()).plus(year), Clock::System.monotonic());
        engine.follow_the_wall();
        assert!(engine.elapsed() <= Elapsed::from_wall(Clock::System.now()));
    }

    /// Short runs add up, although each writes nothing but that it has started.
    #[test]
    fn what_was_waited_for_in_one_run_counts_in_the_next() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("logbook.sqlite");
        let kernel: Arc<dyn crate::store::disk::Disk> = Arc::new(crate::store::disk::Kernel::default());
        let hour = Duration::from_hours(1);
        let long_ago = Clock::System.now().checked_sub(hour * 24).expect("a time");
        let mut elapsed = Elapsed::recorded(long_ago);
        for run in 1..4 {
            let mut book = SqliteLogbook::open_sealed(&path, Arc::clone(&kernel)).expect("opened");
            if run == 1 {
                let body =
                    fact::write_at(&Fact::Started(Started { version: String::new(), alive: None }), Some(elapsed));
                let draft = Draft { at: long_ago, who: "rolloutd".into(), why: String::new(), body, about: vec![] };
                book.append(book.head(), &[draft]).expect("written");
            }
            let shared = Arc::<Shared>::default();
            fold(&mut book, &mut shared.write().world).expect("folded");
            let workers = Arc::new(Workers::new(Arc::clone(&shared), vec![]));
            let mut engine =
                Engine::new(Box::new(book), forgetful(), workers, shared, Clock::System, oneshot::channel().0).0;
            assert!(engine.elapsed() >= elapsed, "run {run}");
            // It has run for an hour.
            engine.began.0 = engine.began.0.plus(hour);
            elapsed = engine.elapsed();
            engine.seal();
        }
        assert!(elapsed >= Elapsed::recorded(long_ago).plus(hour * 3));
    }

    /// A checkpoint is made of the world that the engine has.
    #[test]
    fn the_world_of_the_engine_is_what_its_entries_fold_to() {
        for away in [Duration::ZERO, Duration::from_millis(300), Duration::from_secs(90)] {
            let dir = tempfile::tempdir().expect("a directory");
            let path = dir.path().join("logbook.sqlite");
            let book = SqliteLogbook::open(&path).expect("opened");
            let shared = Arc::<Shared>::default();
            let workers = Arc::new(Workers::new(Arc::clone(&shared), vec![]));
            let known = Arc::clone(&shared);
            let mut engine =
                Engine::new(Box::new(book), forgetful(), workers, shared, Clock::System, oneshot::channel().0).0;
            for fact in every_fact() {
                engine.began.0 = Elapsed::from_wall(Clock::System.now().checked_sub(away).expect("a time"));
                engine.began.1 = Clock::System.monotonic();
                let entry = Entry { who: Actor::recorded(DAEMON), why: String::new(), fact };
                engine.record(&Decision { entries: vec![entry], answer: None }).expect("written");
            }
            let mut folded = World::default();
            fold(&mut SqliteLogbook::open(&path).expect("whole"), &mut folded).expect("folded");
            assert!(folded == known.read().world, "{away:?} behind the wall clock");
        }
    }

    #[test]
    fn what_waits_for_its_time_is_judged_when_the_clock_says_so_and_once() {
        let hand: &'static Hand = Box::leak(Box::default());
        let shared = Arc::<Shared>::default();
        let workers = Arc::new(Workers::new(Arc::clone(&shared), vec![]));
        let clock = Clock::ByHand(hand);
        let mut engine =
            Engine::new(Box::new(Full), forgetful(), workers, Arc::clone(&shared), clock, oneshot::channel().0).0;
        let week = Duration::from_hours(7 * 24);
        for fact in every_fact() {
            let fact = match fact {
                Fact::Submitted(_) => fact,
                Fact::Awaits(awaits) => {
                    let not_before = Some(engine.elapsed().plus(week));
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

    /// An entry is about a rollout when its fact names it as its rollout, or is the end of a plan of such an entry. A
    /// tree, a state or a package that happens to be called like the rollout does not count.
    #[test]
    fn the_history_of_a_rollout_is_found_also_where_older_programs_have_written_it() {
        let moved = |rollout: &str, with_plan: bool| {
            let id: crate::domain::names::RolloutId = rollout.parse().expect("an id");
            let plan = crate::domain::plan::Plan { owner: id.clone().into(), moves: vec![] };
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
