//! What waits for the calendar in an engine whose wall clock is set, across changes of the clocks and freezes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZoneDatabase;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::site::{self, DIST};
use crate::domain::calendar::site::Calendar;
use crate::domain::calendar::windows::{Effect, Rule, Windows};
use crate::domain::names::{Actor, Role, RolloutId};
use crate::domain::rollout::Part;
use crate::engine::folding::{EngineError, take_up};
use crate::engine::handle::Handle;
use crate::engine::run::Engine;
use crate::engine::view::Shared;
use crate::engine::worker::Workers;
use crate::link::clock::{Clock, Hand};
use crate::process::decision::Answer;
use crate::process::fact::{self, Fact};
use crate::process::input::{Ask, Hint};
use crate::process::procedure;
use crate::process::rules::Rules;
use crate::process::who::{Caller, Channel};
use crate::store::disk::Kernel;
use crate::store::logbook::{Reader, SqliteLogbook};
use crate::store::people::Register;

/// A step that the calendar may hold up, and that moves nothing.
const PROCEDURE: &str = "name = \"short\"\ninitial = \"New\"\nsubmit = [\"admin\"]\n\
    [[state]]\nname = \"New\"\n[[state]]\nname = \"Ready\"\n\
    [[transition]]\nfrom = \"New\"\nto = \"Ready\"\nwho = [\"tracker\"]\ngates = [\"calendar\"]\n";

fn rules(windows: &[(Effect, &str)]) -> Rules {
    let zone = TimeZoneDatabase::bundled().get("Europe/Zurich").expect("compiled in");
    let rule = |(effect, when): &(Effect, &str)| Rule {
        effect: *effect,
        when: when.parse().expect("a time"),
        name: "window".to_owned(),
    };
    let windows = Windows::new(windows.iter().map(rule).collect(), zone).expect("rules");
    let workflow = procedure::read(PROCEDURE, Path::new("short.toml")).expect("a table").workflow;
    site::rules(workflow, Calendar { windows, ..Calendar::default() })
}

/// An engine with a clock that is set by hand, and a rollout that a tracker wants to be ready.
struct Waiting {
    dir: tempfile::TempDir,
    handle: Handle,
    hand: &'static Hand,
    stop: CancellationToken,
    engine: JoinHandle<Result<(), EngineError>>,
}

impl Waiting {
    /// It waits at this time, and says until when.
    #[expect(clippy::disallowed_methods, reason = "a test has no tasks to watch over")]
    async fn since(at: &str, windows: &[(Effect, &str)]) -> Self {
        let hand: &'static Hand = Box::leak(Box::default());
        let dir = tempfile::tempdir().expect("a directory");
        let disk = Arc::new(Kernel::default());
        let path = dir.path().join("logbook.sqlite");
        let mut book = SqliteLogbook::open_sealed(&path, disk.clone()).expect("a logbook");
        let register = Register::open(disk.as_ref(), dir.path()).expect("a register");
        let shared = Arc::<Shared>::default();
        shared.begin(rules(windows), |world| take_up(&mut book, world)).expect("folded");
        let workers = Arc::new(Workers::new(Arc::clone(&shared), vec![]));
        show(hand, at);
        let (rung, _) = oneshot::channel();
        let clock = Clock::ByHand(hand);
        let (engine, handle) = Engine::new(Box::new(book), register, workers, shared, clock, rung);
        let stop = CancellationToken::new();
        let waiting = Self { dir, handle, hand, engine: tokio::spawn(engine.run(stop.clone())), stop };
        let part = Part { dist: DIST.parse().expect("a path"), packages: vec!["a-1-1.noarch".parse().expect("one")] };
        let ask = Ask::Submit { rollout: id(), title: String::new(), parts: vec![part] };
        let admin = Caller::new(Actor::recorded("boss"), Channel::Api, [Role::ADMIN]);
        waiting.handle.ask(admin, ask).await.expect("an answer");
        let hint = Hint {
            hook: "rt".parse().expect("a name"),
            delivery: "1".into(),
            rollout: "r".into(),
            state: "Ready".into(),
            actor: "jane".into(),
            at: None,
        };
        let answer = waiting.handle.hear(hint).await.expect("heard");
        assert!(matches!(&answer, Answer::Remembered(outcome) if outcome.word == "waits"), "{answer:?}");
        waiting
    }

    /// The wall clock is set to this time, and the loop goes round with it.
    async fn set(&self, at: &str) -> &Self {
        show(self.hand, at);
        let before = self.handle.shared().beats();
        while self.handle.shared().beats() < before + 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self
    }

    /// Where the rollout is, and until when it waits.
    fn stands(&self) -> (String, Option<String>) {
        let view = self.handle.shared().read();
        let rollout = &view.world.rollouts[&id()];
        let opens = rollout.wanted.as_ref().and_then(|wanted| wanted.opens);
        (rollout.state.to_string(), opens.map(|at| at.to_string()))
    }

    #[track_caller]
    fn waits_until(&self, opens: &str) {
        assert_eq!(self.stands(), ("New".to_owned(), Some(opens.to_owned())));
    }

    #[track_caller]
    fn has_moved(&self) {
        assert_eq!(self.stands(), ("Ready".to_owned(), None));
    }

    /// How often it was written down that it waits.
    async fn ends(self) -> usize {
        self.stop.cancel();
        self.engine.await.expect("no panic").expect("in order");
        let entries = Reader::of(self.dir.path().join("logbook.sqlite")).read(1, 1_000).expect("read");
        let facts = entries.iter().map(|entry| fact::read_at(&entry.draft.body, entry.draft.at).expect("readable").0);
        facts.filter(|fact| matches!(fact, Fact::Awaits(_))).count()
    }
}

fn id() -> RolloutId {
    "r".parse().expect("an id")
}

/// Sets the wall clock.
fn show(hand: &'static Hand, at: &str) {
    let at: Timestamp = at.parse().expect("a moment");
    let by: SignedDuration = at.duration_since(Clock::ByHand(hand).now());
    hand.set_wall(by);
}

const FREEZE: &[(Effect, &str)] = &[(Effect::Deny, "2026-12-20..2027-01-07")];

#[tokio::test]
async fn a_wish_is_taken_when_the_wall_clock_comes_to_the_end_of_a_freeze() {
    let waiting = Waiting::since("2026-12-25T12:00Z", FREEZE).await;
    waiting.waits_until("2027-01-07T23:00:00Z");
    // A correction within the freeze changes nothing, and nothing is written down again.
    waiting.set("2026-12-28T12:00Z").await.waits_until("2027-01-07T23:00:00Z");
    waiting.set("2026-12-21T12:00Z").await.waits_until("2027-01-07T23:00:00Z");
    waiting.set("2027-01-07T22:59Z").await.waits_until("2027-01-07T23:00:00Z");
    waiting.set("2027-01-07T23:00Z").await.has_moved();
    assert_eq!(waiting.ends().await, 1);
}

#[tokio::test]
async fn a_clock_that_was_in_a_freeze_by_mistake_holds_up_nothing_once_it_is_right() {
    let waiting = Waiting::since("2026-12-25T12:00Z", FREEZE).await;
    waiting.set("2026-11-01T12:00Z").await.has_moved();
    assert_eq!(waiting.ends().await, 1);
}

#[tokio::test]
async fn a_window_that_was_slept_through_is_awaited_anew() {
    let waiting = Waiting::since("2026-12-08T12:00Z", &[(Effect::Allow, "Wed 09:00-10:00")]).await;
    waiting.waits_until("2026-12-09T08:00:00Z");
    waiting.set("2026-12-09T12:00Z").await.waits_until("2026-12-16T08:00:00Z");
    waiting.set("2026-12-16T08:00Z").await.has_moved();
    assert_eq!(waiting.ends().await, 2);
}

#[tokio::test]
async fn a_window_that_the_clocks_skip_opens_when_they_are_put_forward() {
    let waiting = Waiting::since("2026-03-29T00:30Z", &[(Effect::Allow, "Sun 02:30-04:00")]).await;
    waiting.waits_until("2026-03-29T01:00:00Z");
    waiting.set("2026-03-29T00:59:30Z").await.waits_until("2026-03-29T01:00:00Z");
    waiting.set("2026-03-29T01:00Z").await.has_moved();
    assert_eq!(waiting.ends().await, 1);
}

#[tokio::test]
async fn a_freeze_of_an_hour_that_comes_twice_ends_after_the_second() {
    let waiting = Waiting::since("2026-10-25T00:10Z", &[(Effect::Deny, "Sun 02:00-03:00")]).await;
    waiting.waits_until("2026-10-25T02:00:00Z");
    waiting.set("2026-10-25T01:00Z").await.waits_until("2026-10-25T02:00:00Z");
    waiting.set("2026-10-25T02:00Z").await.has_moved();
    assert_eq!(waiting.ends().await, 1);
}
