//! People in a logbook that an engine writes: by id, with a register that is made to agree with what was decided.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::site::{self, DIST};
use crate::domain::calendar::site::Calendar;
use crate::domain::names::{Actor, DistPath, Role};
use crate::domain::people::PersonId;
use crate::domain::rollout::Part;
use crate::engine::folding::{EngineError, append, take_up};
use crate::engine::handle::{Handle, NoAnswer};
use crate::engine::run::Engine;
use crate::engine::view::{Shared, View};
use crate::engine::worker::Workers;
use crate::link::clock::Clock;
use crate::process::decision::{Answer, Entry};
use crate::process::fact::person::Erased;
use crate::process::input::{Ask, Hint};
use crate::process::procedure;
use crate::process::rules::Rules;
use crate::process::trouble::Trouble;
use crate::process::who::{Caller, Channel};
use crate::store::disk::{Disk as _, Kernel};
use crate::store::logbook::{Reader, SqliteLogbook};
use crate::store::people::{self, Register};

fn rules() -> Rules {
    site::rules(procedure::samples::brief(), Calendar::default())
}

/// An engine that runs in a state directory, without trees.
struct Running {
    state: PathBuf,
    handle: Handle,
    stop: CancellationToken,
    engine: JoinHandle<Result<(), EngineError>>,
}

impl Running {
    #[expect(clippy::disallowed_methods, reason = "a test has no tasks to watch over")]
    fn start(state: &Path) -> Self {
        let logbook = state.join("logbook.sqlite");
        let disk = Arc::new(Kernel::default());
        let mut book = SqliteLogbook::open_sealed(&logbook, disk.clone()).expect("a logbook");
        let register = Register::open(disk.as_ref(), state).expect("a register");
        let shared = Arc::<Shared>::default();
        shared.begin(rules(), |world| take_up(&mut book, world)).expect("folded");
        let workers = Arc::new(Workers::new(Arc::clone(&shared), vec![]));
        let (rung, _) = oneshot::channel();
        let (engine, handle) = Engine::new(Box::new(book), register, workers, shared, Clock::System, rung);
        let stop = CancellationToken::new();
        Self { state: state.to_owned(), handle, engine: tokio::spawn(engine.run(stop.clone())), stop }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.engine.await.expect("no panic").expect("in order");
    }

    async fn ask(&self, who: &str, ask: Ask) -> Result<Answer, NoAnswer> {
        let caller = Caller::new(Actor::recorded(who), Channel::Api, [Role::ADMIN]);
        self.handle.ask(caller, ask).await
    }

    async fn submit(&self, who: &str, rollout: &str) -> Result<Answer, NoAnswer> {
        let dist: DistPath = DIST.parse().expect("a path");
        let packages = vec![format!("{rollout}-1-1.noarch").parse().expect("a nevra")];
        let (rollout, parts) = (rollout.parse().expect("an id"), vec![Part { dist, packages }]);
        self.ask(who, Ask::Submit { rollout, title: String::new(), parts }).await
    }

    async fn hint(&self, user: &str, delivery: &str, rollout: &str) -> Answer {
        let hint = Hint {
            hook: "rt".parse().expect("a name"),
            delivery: delivery.into(),
            rollout: rollout.into(),
            state: "InVerification".into(),
            actor: user.into(),
            at: None,
        };
        self.handle.hear(hint).await.expect("heard")
    }

    async fn erase(&self, person: &str) -> Answer {
        let ask = Ask::Erase { person: person.to_owned(), reason: "left".to_owned() };
        self.ask("boss", ask).await.expect("an answer")
    }

    fn view(&self) -> Arc<View> {
        self.handle.shared().read()
    }

    /// Who caused each entry, as it stands in the logbook, and as people read it.
    fn who(&self) -> Vec<(String, String)> {
        let entries = Reader::of(self.state.join("logbook.sqlite")).read(1, 1_000).expect("read");
        let view = self.view();
        let both = |who: String| (view.people.shown(&who).into_owned(), who);
        entries.into_iter().map(|entry| both(entry.draft.who)).map(|(shown, who)| (who, shown)).collect()
    }

    async fn until(&self, what: &str, holds: impl Fn(&View) -> bool) {
        for _ in 0..1_000 {
            if holds(&self.view()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not {what}: {:?}", self.view().troubles);
    }
}

/// Whether everything can be written down; there are no trees here that could be looked at.
fn is_well(view: &View) -> bool {
    ![Trouble::Logbook, Trouble::People].iter().any(|trouble| view.troubles.contains_key(trouble))
}

/// Whether a name is in one of the files whose names begin so.
fn in_files(state: &Path, of: &str, name: &str) -> bool {
    let files = std::fs::read_dir(state).expect("there").map(|entry| entry.expect("there"));
    let of_these = files.filter(|entry| entry.file_name().to_string_lossy().starts_with(of));
    let has = |bytes: &[u8]| bytes.windows(name.len()).any(|piece| piece == name.as_bytes());
    of_these.into_iter().any(|entry| has(&std::fs::read(entry.path()).expect("read")))
}

#[tokio::test]
async fn who_acts_is_an_id_in_the_logbook_and_a_name_for_people_until_they_are_erased() {
    let dir = tempfile::tempdir().expect("a directory");
    let state = dir.path();
    let running = Running::start(state);
    running.submit("jane", "r1").await.expect("made");
    running.submit("boss", "r2").await.expect("made");
    running.hint("john", "1", "r1").await;
    let shown: Vec<String> = running.who().into_iter().map(|(_, shown)| shown).collect();
    assert_eq!(shown, ["rolloutd", "jane", "boss", "rt:john", "rt:john"]);
    let by = |running: &Running, id: &str| running.view().rollout(&id.parse().expect("an id")).expect("there").by;
    assert_eq!((by(&running, "r1"), by(&running, "r2")), ("rt:john".to_owned(), "boss".to_owned()));
    for name in ["jane", "john", "boss"] {
        assert!(!in_files(state, "logbook", name) && in_files(state, "people", name), "{name}");
    }
    let before: Vec<String> = running.who().into_iter().map(|(who, _)| who).collect();
    let john = PersonId::read(&before[3]).expect("an id");

    assert_eq!(running.erase("rt:john").await, Answer::Erased(john));
    assert_eq!(by(&running, "r1"), format!("an erased person ({john})"));
    assert!(!in_files(state, "", "john") && in_files(state, "people", "jane"));
    let after: Vec<String> = running.who().into_iter().map(|(who, _)| who).collect();
    assert_eq!(after[..before.len()], before[..], "no entry has changed");
    assert_eq!(running.hint("john", "1", "r1").await, Answer::Repeated);
    running.stop().await;

    let running = Running::start(state);
    assert_eq!(by(&running, "r1"), format!("an erased person ({john})"));
    assert_eq!(by(&running, "r2"), "boss");
    running.hint("john", "2", "r2").await;
    let (again, shown) = running.who().pop().expect("an entry");
    assert!(again != john.to_string() && shown == "rt:john", "who comes again is somebody new: {again}, {shown}");
    running.stop().await;
}

/// The entry is durable, the register was not reached.
#[tokio::test]
async fn a_crash_between_the_entry_and_the_register_ends_erased() {
    let dir = tempfile::tempdir().expect("a directory");
    let state = dir.path();
    let running = Running::start(state);
    running.submit("jane", "r1").await.expect("made");
    running.stop().await;
    let jane = people::read(state).expect("read").id_of(&Actor::recorded("jane")).expect("she has an id");
    let disk = Arc::new(Kernel::default());
    let mut book = SqliteLogbook::open_sealed(&state.join("logbook.sqlite"), disk.clone()).expect("whole");
    let mut register = Register::open(disk.as_ref(), state).expect("whole");
    let entry = Entry { who: Actor::recorded("boss"), why: "left".to_owned(), fact: Erased { person: jane }.into() };
    append(&mut book, &mut register, &[entry], Timestamp::UNIX_EPOCH).expect("appended");
    drop((book, register));
    assert!(in_files(state, "people", "jane"));

    let running = Running::start(state);
    running.until("erased", |view| view.people.shown(&jane.to_string()).contains("erased")).await;
    assert!(!in_files(state, "", "jane"));
    running.stop().await;
}

#[tokio::test]
async fn without_its_register_nothing_is_decided_and_an_erasure_is_made_up_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let state = dir.path();
    let (path, aside) = (state.join(people::FILE), state.join("aside"));
    let running = Running::start(state);
    running.submit("jane", "r1").await.expect("made");
    Kernel::default().rename(&path, &aside).expect("moved");
    let refused = running.submit("jane", "r2").await.expect_err("nothing can be written down");
    assert!(refused.to_string().contains("people.sqlite is gone"), "{refused}");
    running.submit("somebody new", "r2").await.expect_err("nothing can be written down");
    assert!(running.view().troubles.contains_key(&Trouble::Logbook));
    Kernel::default().rename(&aside, &path).expect("moved back");
    running.until("well again", is_well).await;
    running.submit("somebody new", "r2").await.expect("made");

    // Somebody reads the register for longer than the daemon waits, so it cannot be written.
    let reader = rusqlite::Connection::open(&path).expect("open");
    reader.execute_batch("BEGIN; SELECT * FROM person").expect("it reads");
    let boss = running.submit("jane", "r3").await;
    assert!(boss.is_ok(), "jane is known already");
    running.submit("boss", "r4").await.expect_err("the boss is not");
    drop(reader);
    running.until("well again", is_well).await;
    running.submit("boss", "r4").await.expect("made");
    let reader = rusqlite::Connection::open(&path).expect("open");
    reader.execute_batch("BEGIN; SELECT * FROM person").expect("it reads");
    let jane = running.view().people.id_of(&Actor::recorded("jane")).expect("known");
    assert_eq!(running.erase("jane").await, Answer::Erased(jane));
    let view = running.view();
    assert!(view.people.shown(&jane.to_string()).contains("erased"), "readers see it at once");
    assert!(view.troubles.contains_key(&Trouble::People) && in_files(state, "people", "jane"));
    drop(reader);
    running.until("erased", is_well).await;
    assert!(!in_files(state, "", "jane"));
    running.stop().await;
}
