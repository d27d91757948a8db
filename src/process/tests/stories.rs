//! Stories: a world is told what happens, and what follows is compared with what should.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::backlog::Backlog;
use crate::domain::calendar::site::Calendar;
use crate::domain::checksum::Sha256;
use crate::domain::gate::Verdict;
use crate::domain::moment::{Elapsed, Moment, NotBefore};
use crate::domain::names::{Actor, DistPath, Role, RolloutId, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::people::{People, Person, PersonId, reserved};
use crate::domain::rollout::Part;
use crate::domain::rollout::Rollout;
use crate::domain::workflow::State;
use crate::process::act::ended::{REFUSED_APART, refusals};
use crate::process::act::wishes::stirred;
use crate::process::agenda::{Kind, Work, Wrong, Wrongs};
use crate::process::decision::{Answer, Decision};
use crate::process::fact::package::{Accepted, REFUSED_NAMED, Refused};
use crate::process::fact::rollout::Awaits;
use crate::process::fact::ticket::Heard;
use crate::process::fact::tree::Published;
use crate::process::fact::{self, Fact};
use crate::process::input::{Ask, End, Found, Hint, Input, WorkEnd};
use crate::process::known::Known;
use crate::process::notice;
use crate::process::procedure;
use crate::process::rules::{DistRules, Rules, SIGNER_REVOKED, Standing, Trust};
use crate::process::trouble::{Trouble, Troubles};
use crate::process::who::{Caller, Channel, Grant, Scope};
use crate::process::world::World;
use crate::process::{decide, wish};

/// The tables of the procedures that ship, from end to end.
mod table;
/// What people add to rollouts.
mod records;
/// Freezes and working hours.
mod freeze;
/// What stops for a time.
mod holds;
/// What a step would do.
mod outlook;
/// What is judged again.
mod waits;
/// What people mean who name packages.
mod selection;
/// A tree lists again what it listed before.
mod restores;
/// What would take too much out of a tree.
mod shrink;

const DIST: &str = "umd/3/sl6/x86_64";

/// Until a bundle has settled, by the procedure `glite`.
const SETTLING: Duration = Duration::from_hours(2);

/// A world that is told a story, and what it answered last.
#[derive(Clone)]
struct Story {
    world: World,
    rules: Rules,
    people: People,
    wrong: Wrongs,
    troubles: Troubles,
    answer: Option<Answer>,
    facts: Vec<Fact>,
    /// Who caused each of them.
    who: Vec<String>,
    now: Timestamp,
}

fn trust(min_signers: usize, standing: Standing) -> Trust {
    let certs = [("AA".to_owned(), standing), ("BB".to_owned(), Standing::Good)].into();
    Trust { certs, min_signers, ..Trust::default() }
}

fn caller(roles: &[Role]) -> Caller {
    Caller::new("jane".parse().expect("an actor"), Channel::Api, roles.iter().cloned())
}

impl Story {
    fn new() -> Self {
        let trees = ["untested", "testing", "delta", "production"];
        let dist = DistRules {
            workflow: procedure::samples::brief(),
            calendar: Calendar::default(),
            trees: trees.iter().map(|t| t.parse().expect("a name")).collect(),
            trust: trees.iter().map(|t| (t.parse().expect("a name"), trust(1, Standing::Good))).collect(),
            grace_metadata: Duration::from_mins(1),
            grace_packages: Duration::from_mins(1),
            node_types: std::collections::BTreeSet::new(),
        };
        let mut rules = Rules::default();
        rules.distributions.insert(DIST.parse().expect("a path"), dist);
        rules.hooks.insert("rt".parse().expect("a name"), caller(&[Role::TRACKER]));
        let (people, wrong, troubles) = Default::default();
        let now = Timestamp::UNIX_EPOCH;
        Self { world: World::default(), rules, people, wrong, troubles, answer: None, facts: vec![], who: vec![], now }
    }

    fn known(&self) -> Known<'_> {
        let Self { world, rules, people, wrong, troubles, now, .. } = self;
        Known { world, rules, people, wrong, troubles, now: Moment { wall: *now, elapsed: Elapsed::from_wall(*now) } }
    }

    /// What the logbook has for somebody, as the register gives it.
    fn written(&mut self, who: &Actor) -> String {
        if reserved(who.as_str()).is_some() {
            return who.to_string();
        }
        let new = PersonId::new(self.people.len() as u64);
        let id = self.people.id_of(who).unwrap_or(new);
        self.people.put(id, Person { identity: Some(who.clone()), seen: self.now });
        id.to_string()
    }

    fn tell(&mut self, input: &Input) -> &mut Self {
        let decision = decide(self.known(), input);
        self.take(decision)
    }

    /// Writes down, and what it stirs is judged, as the engine does it.
    fn take(&mut self, decision: Decision) -> &mut Self {
        self.answer = decision.answer.or(self.answer.take());
        let mut todo = BTreeSet::new();
        for entry in decision.entries {
            todo.extend(stirred(&self.world, &entry.fact));
            let seq = self.world.last + 1;
            let who = self.written(&entry.who);
            self.world.apply(seq, self.now, &who, &entry.fact);
            self.facts.push(entry.fact);
            self.who.push(who);
        }
        for id in todo {
            self.judge(&id);
        }
        // What is not stirred would say the same as before.
        let waiting: Vec<RolloutId> = self.world.rollouts.waiting().map(|rollout| rollout.id.clone()).collect();
        for id in waiting {
            assert_eq!(self.wish(&id), Decision::default(), "{id} was not stirred");
        }
        self
    }

    fn wish(&self, id: &RolloutId) -> Decision {
        wish(self.known(), id)
    }

    fn judge(&mut self, id: &RolloutId) -> &mut Self {
        let decision = self.wish(id);
        self.take(decision)
    }

    /// Something has changed that is no fact.
    fn judge_all(&mut self) -> &mut Self {
        let waiting: Vec<RolloutId> = self.world.rollouts.waiting().map(|rollout| rollout.id.clone()).collect();
        for id in waiting {
            self.judge(&id);
        }
        self
    }

    /// Time passes.
    fn passes(&mut self, span: Duration) -> &mut Self {
        self.now = self.now.checked_add(span).expect("a time");
        self
    }

    /// A reload has a tree trust somebody else.
    fn trusts(&mut self, tree: &str, trust: Trust) -> &mut Self {
        let dist = self.rules.distributions.values_mut().next().expect("one");
        dist.trust.insert(tree.parse().expect("a name"), trust);
        self
    }

    fn arrives(&mut self, nevra: &str) -> &mut Self {
        self.arrives_in(DIST, nevra)
    }

    fn arrives_in(&mut self, dist: &str, nevra: &str) -> &mut Self {
        self.takes_in(dist, nevra, None)
    }

    fn arrives_from(&mut self, nevra: &str, source: Option<&str>) -> &mut Self {
        self.takes_in(DIST, nevra, source)
    }

    fn takes_in(&mut self, dist: &str, nevra: &str, source: Option<&str>) -> &mut Self {
        let took = Accepted {
            dist: dist.parse().expect("a path"),
            tree: "untested".parse().expect("a name"),
            nevra: nevra.parse().expect("a nevra"),
            sha256: Sha256([1; 32]),
            // Unlike others, so that sums tell which packages they are of.
            size: nevra.bytes().fold(0_u64, |sum, byte| (sum * 3 + u64::from(byte)) % 10_007),
            signers: vec!["AA".into()],
            keys: vec![],
            notes: vec![],
            source: source.map(|source| source.parse().expect("a nevra")),
            upload: String::new(),
        };
        let work = Work::TakeIn(dist.parse().expect("a path"));
        let end = WorkEnd::done(Found::Looked {
            took_in: vec![took],
            turned_away: vec![],
            stuck: vec![],
            waiting: Backlog::default(),
            repeated: false,
        });
        self.tell(&Input::WorkEnded(work, end))
    }

    /// There is another distribution with the same rules.
    fn has_too(&mut self, dist: &str) -> &mut Self {
        let rules = self.rules.distributions.values().next().expect("one").clone();
        self.rules.distributions.insert(dist.parse().expect("a path"), rules);
        self
    }

    fn submit(&mut self, id: &str, packages: &[&str]) -> &mut Self {
        self.submit_parts(id, vec![part(DIST, packages)])
    }

    fn submit_parts(&mut self, id: &str, parts: Vec<Part>) -> &mut Self {
        let ask = Ask::Submit { rollout: id.parse().expect("an id"), title: String::new(), parts };
        self.tell(&Input::Asked(caller(&[Role::ADMIN]), ask))
    }

    fn asks(&mut self, who: &Caller, ask: Ask) -> &mut Self {
        self.answer = None;
        self.tell(&Input::Asked(who.clone(), ask))
    }

    /// Asks, and it has to be recorded.
    fn records(&mut self, who: &Caller, ask: Ask) -> &mut Self {
        self.asks(who, ask);
        assert!(matches!(self.answer, Some(Answer::Recorded { .. })), "{:?}", self.answer);
        self
    }

    fn move_as(&mut self, roles: &[Role], id: &str, state: &str) -> &mut Self {
        let ask = Ask::Move { rollout: id.parse().expect("an id"), state: state.into(), reason: String::new() };
        self.tell(&Input::Asked(caller(roles), ask))
    }

    fn erase_as(&mut self, roles: &[Role], person: &str, reason: &str) -> &mut Self {
        let before = self.facts.len();
        let ask = Ask::Erase { person: person.to_owned(), reason: reason.to_owned() };
        self.tell(&Input::Asked(caller(roles), ask));
        // As the engine has the register do it.
        for fact in self.facts.iter().skip(before) {
            if let Fact::Erased(erased) = fact {
                self.people.erase(erased.person);
            }
        }
        self
    }

    /// The id of somebody.
    fn id_of(&self, identity: &str) -> PersonId {
        self.people.id_of(&Actor::recorded(identity)).expect("they have done something")
    }

    fn hint(&mut self, delivery: &str, id: &str, state: &str) -> &mut Self {
        let hint = Hint {
            hook: "rt".parse().expect("a name"),
            delivery: delivery.into(),
            rollout: id.into(),
            state: state.into(),
            actor: "jane".into(),
            at: None,
        };
        self.tell(&Input::Heard(hint))
    }

    fn hint_of(&mut self, delivery: &str, id: &str, state: &str, second: i64) -> &mut Self {
        let hint = Hint {
            hook: "rt".parse().expect("a name"),
            delivery: delivery.into(),
            rollout: id.into(),
            state: state.into(),
            actor: "jane".into(),
            at: Timestamp::from_second(second).ok(),
        };
        self.tell(&Input::Heard(hint))
    }

    /// A tree shows what nobody knows.
    fn holds(&mut self, tree: &str) -> &mut Self {
        let id = TreeId { dist: DIST.parse().expect("a path"), tree: tree.parse().expect("a name") };
        let why = "do this".to_owned();
        self.wrong.insert(id, Wrong { why, what: Kind::Strange });
        self
    }

    /// A tree lists a package whose bytes are nowhere.
    fn misses(&mut self, tree: &str, nevra: &str) -> &mut Self {
        self.holds(tree);
        let missing = BTreeSet::from([nevra.parse().expect("a nevra")]);
        self.wrong.values_mut().for_each(|wrong| wrong.what = Kind::Missing(missing.clone()));
        self
    }

    /// Every plan that has no `done` yet is carried out.
    fn carried_out(&mut self) -> &mut Self {
        for (number, plan) in self.world.rollouts.plans().map(|(n, plan)| (n, Arc::clone(plan))).collect::<Vec<_>>() {
            let work = Work::Show(number, plan);
            self.tell(&Input::WorkEnded(work, WorkEnd::done(Found::Shown { plan: number, published: vec![] })));
        }
        self
    }

    fn state(&self, id: &str) -> String {
        let id: RolloutId = id.parse().expect("an id");
        self.world.rollouts[&id].state.to_string()
    }

    fn trees(&self, nevra: &str) -> Vec<String> {
        self.trees_of(DIST, nevra)
    }

    fn trees_of(&self, dist: &str, nevra: &str) -> Vec<String> {
        let (dist, nevra) = (dist.parse().expect("a path"), nevra.parse().expect("a nevra"));
        self.world.listed_in(&dist, &nevra).map(ToString::to_string).collect()
    }

    /// The codes of what stood in the way of the last request.
    fn codes(&self) -> Vec<&'static str> {
        match &self.answer {
            Some(Answer::Refused(judged)) => {
                judged.findings.iter().filter(|f| f.verdict != Verdict::Pass).map(|f| f.code).collect()
            }
            _ => vec![],
        }
    }
}

const A: &str = "a-1-1.noarch";

#[test]
fn a_burst_of_junk_is_one_entry_that_names_each_file() {
    let away = |number: usize, code: &str| Refused {
        dist: DIST.parse().expect("a path"),
        upload: format!("{number}.rpm"),
        sha256: None,
        code: code.to_owned(),
        detail: format!("word {number}"),
    };
    let few: Vec<Refused> = (0..REFUSED_APART).map(|n| away(n, "unsigned")).collect();
    assert_eq!(refusals(&few).len(), REFUSED_APART);
    let many: Vec<Refused> = (0..200).map(|n| away(n, "not_rpm")).chain(few).collect();
    let facts = refusals(&many);
    assert_eq!(facts.len(), 1 + REFUSED_APART);
    let Fact::RefusedTogether(together) = &facts[0] else { panic!("{facts:?}") };
    assert_eq!((together.count(), together.files.len(), together.detail.as_str()), (200, REFUSED_NAMED, "word 0"));
    assert_eq!(together.files[19].0, "19.rpm");
    // However long the names are that uploaders give.
    let long = |number| Refused { upload: "\u{1f4a9}/\n\"".repeat(500) + "end.rpm", ..away(number, "not_rpm") };
    let long =
        |number| Refused { detail: "\u{1}\u{1f4a9}".repeat(4_000), sha256: Some(Sha256([7; 32])), ..long(number) };
    let many: Vec<Refused> = (0..256).map(long).collect();
    for all in [&many[..], &many[..1]] {
        let [fact] = refusals(all).try_into().expect("one");
        let body = fact::write(&fact);
        assert!(body.contains("end.rpm"), "{body}");
        assert!(body.len() < 8 << 10, "{}", body.len());
        assert_eq!(fact::read(&body), Ok(fact));
    }
}

#[test]
fn a_package_goes_from_untested_over_testing_to_production() {
    let mut story = Story::new();
    story.arrives(A).submit("r", &[A]).move_as(&[Role::VERIFIER], "r", "in verification");
    assert_eq!(story.trees(A), ["untested"]);
    story.move_as(&[Role::VERIFIER], "r", "StageRollOut").carried_out();
    assert_eq!(story.trees(A), ["testing"]);
    story.move_as(&[Role::SRM], "r", "Production").carried_out();
    assert_eq!((story.trees(A), story.state("r")), (vec!["production".to_owned()], "Production".to_owned()));
}

#[test]
fn a_rejection_takes_back_what_the_rollout_brought_and_nothing_else() {
    let mut story = Story::new();
    story.arrives(A).submit("p1", &[A]).move_as(&[Role::VERIFIER], "p1", "InVerification");
    story.submit("other", &[A]);
    assert_eq!(story.codes(), ["in_other_rollout"]);
    story.move_as(&[Role::VERIFIER], "p1", "StageRollOut").carried_out();
    story.move_as(&[Role::SRM], "p1", "Production").carried_out();
    story.submit("p2", &[A]);
    assert_eq!(story.codes(), ["already_rolled_out"]);
    // Also where the rollouts were made in another order: what another one brought stays.
    let rollout = story.world.rollouts.iter().next().expect("p1").clone();
    let late = Rollout { id: "p3".parse().expect("an id"), state: State::recorded("Unverified"), ..rollout };
    story.world.rollouts.put(late);
    story.move_as(&[Role::ADMIN], "p3", "Rejected").carried_out();
    assert_eq!((story.trees(A), story.state("p3")), (vec!["production".to_owned()], "Rejected".to_owned()));
}

#[test]
fn a_package_on_its_way_into_a_tree_counts_as_lying_there() {
    let (old, new) = ("a-1-1.noarch", "a-2-1.noarch");
    let mut story = Story::new();
    story.arrives(old).arrives(new).submit("old", &[old]).submit("new", &[new]);
    story.move_as(&[Role::VERIFIER], "old", "InVerification").move_as(&[Role::VERIFIER], "new", "InVerification");
    story.move_as(&[Role::VERIFIER], "new", "StageRollOut");
    assert_eq!(story.world.rollouts.plans().count(), 1, "the plan is not carried out yet");
    story.move_as(&[Role::VERIFIER], "old", "StageRollOut");
    assert_eq!(story.codes(), ["older_than_target"]);
}

#[test]
fn a_delivery_that_was_overtaken_changes_nothing() {
    let mut story = Story::new();
    story.now = Timestamp::from_second(100).expect("a time");
    story.arrives(A).submit("r", &[A]);
    story.hint_of("2", "r", "InVerification", 20);
    assert_eq!(story.state("r"), "InVerification");
    story.hint_of("1", "r", "Rejected", 10);
    assert_eq!(story.state("r"), "InVerification");
    story.hint_of("3", "r", "StageRollOut", 20).carried_out();
    assert_eq!(story.state("r"), "StageRollOut");
}

#[test]
fn what_clients_see_already_is_not_written_down_again() {
    let mut story = Story::new();
    let published = Published {
        tree: TreeId { dist: DIST.parse().expect("a path"), tree: "testing".parse().expect("a name") },
        revision: 7,
        packages: 0,
        repomd: Sha256([1; 32]),
        superseded: vec!["b".into(), "a".into()],
        plan: None,
    };
    let shown = |story: &mut Story, published: &Published| {
        let before = story.world.last;
        let work = Work::Inspect(DIST.parse().expect("a path"), vec![]);
        let end = WorkEnd::done(Found::Inspected { published: vec![published.clone()], wrong: vec![] });
        story.tell(&Input::WorkEnded(work, end));
        story.world.last - before
    };
    assert_eq!(shown(&mut story, &published), 1);
    assert_eq!(shown(&mut story, &published), 0);
    assert_eq!(shown(&mut story, &Published { superseded: vec!["a".into()], ..published.clone() }), 1);
    assert_eq!(shown(&mut story, &Published { revision: 8, superseded: vec!["a".into()], ..published }), 1);
}

#[test]
fn nothing_is_moved_into_a_tree_that_is_held_or_out_of_it_and_a_tracker_is_heard_when_it_is_right_again() {
    type Hold = fn(&mut Story, &str);
    let holds: [Hold; 2] = [
        |story, tree| {
            story.holds(tree);
        },
        |story, tree| {
            story.misses(tree, A);
        },
    ];
    for (tree, hold) in ["untested", "testing"].into_iter().flat_map(|tree| holds.map(|hold| (tree, hold))) {
        let mut story = Story::new();
        story.arrives(A).submit("r", &[A]).move_as(&[Role::ADMIN], "r", "InVerification");
        hold(&mut story, tree);
        story.move_as(&[Role::ADMIN], "r", "StageRollOut");
        assert_eq!((story.codes(), story.state("r")), (vec!["tree_held"], "InVerification".to_owned()), "{tree}");
        let Some(Answer::Refused(judged)) = &story.answer else { panic!("refused") };
        let sentence = &judged.findings[0].sentence;
        assert!(sentence.contains(&format!("{tree}/{DIST}")) && sentence.ends_with(": do this."), "{sentence}");
        assert_eq!(judged.verdict, Verdict::Wait);
        story.hint("1", "r", "StageRollOut").judge_all();
        assert_eq!(
            (story.world.rollouts.plans().count(), story.state("r")),
            (0, "InVerification".to_owned()),
            "{tree}"
        );
        story.wrong.clear();
        story.judge_all().carried_out();
        assert_eq!((story.trees(A), story.state("r")), (vec!["testing".to_owned()], "StageRollOut".to_owned()));
    }
}

#[test]
fn a_tree_that_is_held_is_no_concern_of_what_does_not_touch_it() {
    let mut story = Story::new();
    story.arrives(A).submit("r", &[A]).holds("production").move_as(&[Role::ADMIN], "r", "InVerification");
    story.move_as(&[Role::ADMIN], "r", "StageRollOut").carried_out();
    assert_eq!(story.trees(A), ["testing"]);
    story.holds("testing").move_as(&[Role::ADMIN], "r", "Rejected");
    assert_eq!(story.codes(), ["tree_held"], "a withdrawal changes it, too");
    story.submit("s", &["b-1-1.noarch"]).move_as(&[Role::ADMIN], "s", "Rejected");
    assert_eq!(story.state("s"), "Rejected", "nothing is withdrawn");
}

/// Asks as an admin; what stands in the way is in the codes.
fn ask(story: &mut Story, ask: Ask) {
    story.answer = None;
    story.tell(&Input::Asked(caller(&[Role::ADMIN]), ask));
}

fn lose(story: &mut Story, nevra: &str) {
    let nevra = nevra.parse().expect("a nevra");
    ask(story, Ask::Lose { nevra, dist: None, reason: "the disk broke".into() });
}

fn part(dist: &str, packages: &[&str]) -> Part {
    let packages = packages.iter().map(|p| p.parse().expect("a nevra")).collect();
    Part { dist: dist.parse().expect("a path"), packages }
}

fn give_up(story: &mut Story) {
    give_up_for(story, "");
}

fn give_up_for(story: &mut Story, reason: &str) {
    ask(story, Ask::GiveUp { rollout: "r".parse().expect("an id"), reason: reason.into() });
}

/// The plan that is not over yet cannot be carried out.
fn fails(story: &mut Story) {
    let (number, plan) = story.world.rollouts.plans().next().expect("one");
    story.troubles.insert(Trouble::of_plan(plan, number), "no room".into());
}

/// `r` with its package in testing, and on its way into production.
fn half_way() -> Story {
    let mut story = Story::new();
    story.arrives(A).submit("r", &[A]).move_as(&[Role::ADMIN], "r", "InVerification");
    story.move_as(&[Role::ADMIN], "r", "StageRollOut").carried_out();
    story.move_as(&[Role::ADMIN], "r", "Production");
    story
}

#[test]
fn only_what_is_found_to_be_missing_is_given_up_and_it_may_come_in_again() {
    let mut story = half_way();
    lose(&mut story, A);
    assert_eq!(story.codes(), ["not_lost"], "it lies there");
    story.holds("testing");
    lose(&mut story, A);
    assert_eq!(story.codes(), ["tree_held"], "it may lie there");
    story.misses("testing", "b-1-1.noarch");
    lose(&mut story, A);
    assert_eq!(story.codes(), ["tree_held"], "another one is missing");
    story.misses("testing", A);
    lose(&mut story, A);
    assert!(matches!(story.answer, Some(Answer::Lost { .. })), "{:?}", story.answer);
    let dist: DistPath = DIST.parse().expect("a path");
    let testing = TreeId { dist: dist.clone(), tree: "testing".parse().expect("a name") };
    assert!(story.world.trees[&testing].dirty && story.world.trees[&testing].leaving.is_empty());
    // Its move has nothing left to do.
    assert_eq!((story.trees(A), story.world.rollouts.plans().count()), (vec![], 0));
    assert!(story.world.rollouts.iter().all(|rollout| rollout.plan.is_none()));
    lose(&mut story, A);
    assert_eq!(story.codes(), ["not_listed"]);
    lose(&mut story, "z-1-1.noarch");
    assert!(matches!(story.answer, Some(Answer::NotFound(_))));
    story.wrong.clear();
    story.submit("again", &[A]).move_as(&[Role::ADMIN], "again", "InVerification");
    story.move_as(&[Role::ADMIN], "again", "StageRollOut");
    assert_eq!(story.codes(), ["package_lost"]);
    story.hint("1", "again", "StageRollOut").arrives(A).carried_out();
    assert_eq!((story.trees(A), story.world.packages.lost.len()), (vec!["testing".to_owned()], 0));
}

#[test]
fn a_lost_package_leaves_the_others_of_its_move_alone() {
    let b = B;
    let mut story = Story::new();
    story.arrives(A).arrives(b).submit("r", &[A, b]).move_as(&[Role::ADMIN], "r", "InVerification");
    story.move_as(&[Role::ADMIN], "r", "StageRollOut").misses("untested", A);
    lose(&mut story, A);
    story.wrong.clear();
    story.carried_out();
    assert_eq!((story.trees(A), story.trees(b)), (vec![], vec!["testing".to_owned()]));
    // Giving up takes a reason and an admin.
    story.misses("testing", b);
    let nevra: Nevra = b.parse().expect("a nevra");
    story.tell(&Input::Asked(caller(&[Role::SRM]), Ask::Lose { nevra, dist: None, reason: " ".into() }));
    assert_eq!(story.codes(), ["no_reason", "role"]);
}

#[test]
fn a_move_that_cannot_be_carried_out_can_be_given_up_and_one_that_goes_on_cannot() {
    type Hinder = fn(&mut Story);
    let hinders: [Hinder; 3] = [
        |story| {
            story.holds("production");
        },
        |story| {
            story.trusts("production", trust(1, Standing::Revoked));
        },
        fails,
    ];
    for hinder in hinders {
        let mut story = half_way();
        give_up(&mut story);
        assert_eq!((story.codes(), story.state("r")), (vec!["busy"], "Production".to_owned()));
        hinder(&mut story);
        let old = story.world.rollouts.plans().next().expect("one").0;
        give_up(&mut story);
        assert!(matches!(story.answer, Some(Answer::Moved { packages: 1, .. })), "{:?}", story.answer);
        assert_eq!((story.state("r"), story.trees(A)), ("StageRollOut".to_owned(), vec!["testing".to_owned()]));
        // Production may have shown it already.
        let plan = story.world.rollouts.plans().map(|(_, plan)| plan).next().expect("one").clone();
        assert_eq!(plan.trees().iter().map(|id| id.tree.to_string()).collect::<Vec<_>>(), ["testing", "production"]);
        // The end of the old one, should it come after all, changes nothing.
        let work = Work::Show(old, plan);
        story.tell(&Input::WorkEnded(work, WorkEnd::done(Found::Shown { plan: old, published: vec![] })));
        assert_eq!(story.trees(A), ["testing"]);
        story.wrong.clear();
        story.troubles.clear();
        story.trusts("production", trust(1, Standing::Good)).carried_out();
        assert_eq!((story.trees(A), story.world.rollouts.plans().count()), (vec!["testing".to_owned()], 0));
        story.move_as(&[Role::ADMIN], "r", "Production").carried_out();
        assert_eq!(story.trees(A), ["production"], "all is as before");
    }
}

/// `r` with two packages in testing, and rejected.
fn rejected() -> Story {
    let mut story = Story::new();
    story.arrives(A).arrives(B).submit("r", &[A, B]).move_as(&[Role::ADMIN], "r", "InVerification");
    story.move_as(&[Role::ADMIN], "r", "StageRollOut").carried_out();
    story.move_as(&[Role::ADMIN], "r", "Rejected");
    story
}

const B: &str = "b-1-1.noarch";

#[test]
fn a_withdrawal_that_cannot_be_carried_out_is_given_up_and_its_packages_stay_listed() {
    type Hinder = fn(&mut Story);
    let hinders: [Hinder; 2] = [
        |story| {
            story.holds("testing");
        },
        fails,
    ];
    for hinder in hinders {
        let mut story = rejected();
        give_up_for(&mut story, "by mistake");
        assert_eq!((story.codes(), story.state("r")), (vec!["busy"], "Rejected".to_owned()));
        hinder(&mut story);
        give_up(&mut story);
        assert_eq!(story.codes(), ["no_reason"], "somebody has rejected it");
        let old = story.world.rollouts.plans().next().expect("one").0;
        give_up_for(&mut story, "by mistake");
        assert!(matches!(story.answer, Some(Answer::Moved { packages: 2, .. })), "{:?}", story.answer);
        assert_eq!(story.state("r"), "StageRollOut");
        // Testing may not have shown them for a moment.
        let plan = story.world.rollouts.plans().next().expect("one").1.clone();
        assert_eq!((&plan.moves[0].target, plan.trees().len()), (&Some("testing".parse().expect("a name")), 1));
        // The end of the old one, should it come after all, takes nothing away.
        let work = Work::Show(old, plan);
        story.tell(&Input::WorkEnded(work, WorkEnd::done(Found::Shown { plan: old, published: vec![] })));
        story.wrong.clear();
        story.troubles.clear();
        for nevra in [A, B] {
            assert_eq!(story.trees(nevra), ["testing"]);
        }
        story.carried_out();
        let testing = TreeId { dist: DIST.parse().expect("a path"), tree: "testing".parse().expect("a name") };
        assert!(story.world.rollouts.plans().next().is_none() && story.world.trees[&testing].leaving.is_empty());
        story.move_as(&[Role::ADMIN], "r", "Production").carried_out();
        assert_eq!((story.trees(A), story.trees(B)), (vec!["production".to_owned()], vec!["production".to_owned()]));
    }
}

#[test]
fn who_gives_a_withdrawal_up_that_overtook_a_move_finds_the_rollout_where_its_packages_are() {
    let mut story = half_way();
    fails(&mut story);
    story.move_as(&[Role::ADMIN], "r", "Rejected");
    assert_eq!(story.state("r"), "Rejected");
    story.troubles.clear();
    fails(&mut story);
    give_up_for(&mut story, "by mistake");
    assert_eq!((story.state("r"), story.trees(A)), ("StageRollOut".to_owned(), vec!["testing".to_owned()]));
    // Production may have shown it.
    let plan = story.world.rollouts.plans().next().expect("one").1.clone();
    assert_eq!(plan.trees().iter().map(|id| id.tree.to_string()).collect::<Vec<_>>(), ["testing", "production"]);
    // What goes back cannot go back further, and may be withdrawn.
    story.troubles.clear();
    fails(&mut story);
    give_up(&mut story);
    assert_eq!(story.codes(), ["taken_back"]);
    story.move_as(&[Role::ADMIN], "r", "Rejected");
    assert_eq!((story.codes(), story.state("r")), (vec![], "Rejected".to_owned()));
    story.troubles.clear();
    fails(&mut story);
    give_up_for(&mut story, "by mistake again");
    assert_eq!(story.state("r"), "StageRollOut");
    story.troubles.clear();
    story.carried_out();
    assert_eq!((story.trees(A), story.world.rollouts.plans().count()), (vec!["testing".to_owned()], 0));
}

#[test]
fn a_withdrawal_is_not_given_up_where_its_packages_cannot_stay() {
    // Others may have the key.
    let mut story = rejected();
    fails(&mut story);
    story.trusts("testing", trust(1, Standing::Revoked));
    give_up_for(&mut story, "by mistake");
    assert_eq!((story.codes(), story.state("r")), (vec![SIGNER_REVOKED], "Rejected".to_owned()));
    // A ring that has changed takes nothing off lists that are there.
    story.trusts("testing", Trust::default());
    give_up_for(&mut story, "by mistake");
    assert_eq!((story.codes(), story.state("r")), (vec![], "StageRollOut".to_owned()));
    let objection = |plan| story.world.objection(&story.rules, plan);
    assert!(story.world.rollouts.plans().all(|(_, plan)| objection(plan).is_none()), "it goes on");
    // They do not lie together: one was lost and came in again.
    let mut story = Story::new();
    story.arrives(A).arrives(B).submit("r", &[A, B]).move_as(&[Role::ADMIN], "r", "InVerification");
    story.move_as(&[Role::ADMIN], "r", "StageRollOut").carried_out().misses("testing", A);
    lose(&mut story, A);
    story.wrong.clear();
    story.arrives(A).move_as(&[Role::ADMIN], "r", "Rejected");
    fails(&mut story);
    give_up_for(&mut story, "by mistake");
    assert_eq!((story.codes(), story.trees(A)), (vec!["package_elsewhere"], vec!["untested".to_owned()]));
    // Lost while it waits: the others stay.
    let mut story = rejected();
    story.misses("testing", A);
    lose(&mut story, A);
    give_up_for(&mut story, "by mistake");
    story.wrong.clear();
    story.carried_out();
    assert_eq!((story.trees(A), story.trees(B)), (vec![], vec!["testing".to_owned()]));
    // Nothing is done in a distribution that is gone, and it is not everybody's to say.
    let mut story = rejected();
    fails(&mut story);
    let rollout: RolloutId = "r".parse().expect("an id");
    let reason = "by mistake".to_owned();
    story.tell(&Input::Asked(caller(&[Role::VERIFIER]), Ask::GiveUp { rollout, reason }));
    assert_eq!(story.codes(), ["role"], "who may not reject it from there");
    story.rules.distributions.clear();
    give_up_for(&mut story, "by mistake");
    assert_eq!(story.codes(), ["no_distribution"]);
}

#[test]
fn a_move_that_failed_gives_way_to_a_withdrawal() {
    let mut story = Story::new();
    story.arrives(A).submit("r", &[A]).move_as(&[Role::ADMIN], "r", "InVerification");
    story.move_as(&[Role::ADMIN], "r", "StageRollOut");
    fails(&mut story);
    story.holds("testing").move_as(&[Role::ADMIN], "r", "Rejected");
    assert_eq!(story.codes(), ["tree_held"], "it would hang there");
    story.wrong.clear();
    story.move_as(&[Role::ADMIN], "r", "Rejected").carried_out();
    assert_eq!((story.state("r"), story.trees(A)), ("Rejected".to_owned(), vec![]));
}

#[test]
fn a_rollout_of_thousands_of_packages_waits_in_few_words() {
    let names: Vec<String> = (0..5_000).map(|n| format!("p{n}-1-1.noarch")).collect();
    let mut story = Story::new();
    story.submit("r", &names.iter().map(String::as_str).collect::<Vec<_>>()).hint("1", "r", "InVerification");
    story.hint("2", "r", "StageRollOut");
    let Some(awaits @ Fact::Awaits(Awaits { findings, .. })) = story.facts.last() else { panic!("it waits") };
    assert!(findings.last().expect("some").1.contains("4990 more"), "{findings:?}");
    let written = fact::write(awaits).len();
    assert!(written < 4_096, "{written} bytes for each delivery");
}

/// Also where the procedure does not ask.
#[test]
fn what_is_not_where_a_move_begins_is_not_moved() {
    let mut story = Story::new();
    let own = "name = \"own\"\ninitial = \"New\"\n\
        [[state]]\nname = \"New\"\n[[state]]\nname = \"Testing\"\n[[state]]\nname = \"Out\"\n\
        [[transition]]\nfrom = \"New\"\nto = \"Testing\"\nwho = [\"admin\"]\nmove = { from = \"untested\", to = \"testing\" }\n\
        [[transition]]\nfrom = \"New\"\nto = \"Out\"\nwho = [\"admin\"]\nwithdraw = true\n\
        [[transition]]\nfrom = \"Out\"\nto = \"Testing\"\nwho = [\"admin\"]\nmove = { from = \"untested\", to = \"testing\" }\n";
    story.rules.distributions.values_mut().next().expect("one").workflow =
        procedure::read(own, std::path::Path::new("own")).expect("a table").workflow;
    story.submit("r", &[A]).move_as(&[Role::ADMIN], "r", "Testing");
    assert_eq!(story.codes(), ["package_missing"]);
    story.arrives(A).move_as(&[Role::ADMIN], "r", "Out").carried_out();
    story.answer = None;
    story.move_as(&[Role::ADMIN], "r", "Testing");
    assert_eq!((story.codes(), story.trees(A)), (vec!["package_withdrawn"], vec![]));
    assert!(story.world.rollouts.plans().next().is_none());
}

/// The same procedure, where packages have to be in testing for seven days.
fn strict() -> String {
    let brief = include_str!("../../../fixtures/procedures/brief.toml");
    brief.replace(
        "gates = [\"packages_present\", \"not_older\"]\nmove = { from = \"testing\"",
        "gates = [\"not_older\", { name = \"exposure\", for = \"7d\" }]\nmove = { from = \"testing\"",
    )
}

/// A rollout in testing by that procedure.
fn exposed() -> Story {
    let mut story = Story::new();
    story.rules.distributions.values_mut().next().expect("one").workflow =
        procedure::read(&strict(), std::path::Path::new("own")).expect("a table").workflow;
    story.arrives(A).submit("r", &[A]).move_as(&[Role::ADMIN], "r", "InVerification");
    story.move_as(&[Role::ADMIN], "r", "StageRollOut").carried_out();
    story
}

const DAY: Duration = Duration::from_hours(24);

#[test]
fn what_has_to_be_exposed_goes_on_when_its_time_is_over_and_says_when() {
    let mut story = exposed();
    story.passes(DAY).move_as(&[Role::ADMIN], "r", "Production");
    let Some(Answer::Refused(judged)) = &story.answer else { panic!("it waits") };
    let waits = judged.findings.iter().find(|finding| finding.code == "exposure").expect("asked");
    assert_eq!(waits.sentence, "The packages have to be in testing for 1w, until 1970-01-08T00:00:00Z.");
    assert_eq!((judged.verdict, judged.opens()), (Verdict::Wait, None));
    assert_eq!(judged.not_before(), waits.not_before.and_then(NotBefore::elapsed));
    assert_eq!(judged.not_before().map(|at| at.timestamp().as_second()), Some(7 * 24 * 3_600));
    story.passes(Duration::from_secs(6 * 24 * 3_600 - 1)).move_as(&[Role::ADMIN], "r", "Production");
    assert_eq!(story.codes(), ["exposure"]);
    story.passes(Duration::from_secs(1)).move_as(&[Role::ADMIN], "r", "Production").carried_out();
    assert_eq!((story.state("r"), story.trees(A)), ("Production".to_owned(), vec!["production".to_owned()]));
}

#[test]
fn what_a_tracker_wants_comes_due_once() {
    let mut story = exposed();
    let due = |story: &Story| {
        let rollouts = &story.world.rollouts;
        let all = rollouts
            .due(Elapsed::recorded(Timestamp::MIN), story.known().now.elapsed)
            .map(ToString::to_string)
            .collect::<Vec<_>>();
        (all, rollouts.next_due(story.known().now.elapsed).map(|at| at.timestamp().as_second()))
    };
    story.hint("1", "r", "Production");
    assert_eq!(due(&story), (vec![], Some(7 * 24 * 3_600)));
    story.passes(7 * DAY);
    assert_eq!(due(&story), (vec!["r".to_owned()], None));
    // Something else is in its way when its time comes: it waits for that from then on, and for no time.
    story.holds("production").judge(&"r".parse().expect("an id"));
    assert_eq!((story.state("r").as_str(), due(&story)), ("StageRollOut", (vec![], None)));
    story.wrong.clear();
    story.judge_all().carried_out();
    assert_eq!((story.state("r"), due(&story)), ("Production".to_owned(), (vec![], None)));
}

#[test]
fn a_clock_that_was_ahead_and_is_put_right_has_exposed_nothing() {
    let mut story = exposed();
    story.hint("1", "r", "Production");
    // All that was dated by it is put right, too.
    let before = story.now.checked_sub(Duration::from_hours(1)).expect("a time");
    story.world.wait_from(Elapsed::from_wall(before));
    story.now = before;
    story.judge_all();
    let waits = story.world.rollouts.next_due(story.known().now.elapsed).expect("it waits for its time");
    assert_eq!(waits, Elapsed::from_wall(before).plus(7 * DAY));
}

#[test]
fn nobody_takes_a_step_that_is_not_theirs() {
    let mut story = Story::new();
    story.arrives(A).submit("r", &[A]).move_as(&[Role::EA], "r", "InVerification");
    assert_eq!((story.codes(), story.state("r")), (vec!["role"], "Unverified".to_owned()));
    story.move_as(&[Role::ADMIN], "r", "InVerification").move_as(&[Role::ADMIN], "r", "StageRollOut").carried_out();
    story.move_as(&[Role::VERIFIER], "r", "Production");
    assert_eq!((story.codes(), story.trees(A)), (vec!["role"], vec!["testing".to_owned()]));
}

#[test]
fn no_step_is_left_out() {
    let mut story = Story::new();
    story.arrives(A).submit("r", &[A]).move_as(&[Role::ADMIN], "r", "Production");
    assert_eq!((story.codes(), story.trees(A)), (vec!["no_transition"], vec!["untested".to_owned()]));
    story.move_as(&[Role::ADMIN], "r", "Moon");
    assert_eq!(story.codes(), ["unknown_state"]);
}

#[test]
fn a_person_hears_all_the_reasons_and_nothing_happens() {
    let mut story = Story::new();
    story.submit("r", &[A, "b-1-1.noarch"]).move_as(&[Role::ADMIN], "r", "InVerification");
    let before = story.world.last;
    story.move_as(&[Role::EA], "r", "StageRollOut");
    assert_eq!(story.codes(), ["role", "package_missing", "package_missing"]);
    assert_eq!(story.world.last, before);
}

#[test]
fn what_a_tracker_wants_happens_as_soon_as_it_can() {
    let mut story = Story::new();
    story.submit("r", &[A]).hint("1", "r", "InVerification").hint("2", "r", "StageRollOut");
    assert_eq!(story.state("r"), "InVerification");
    story.arrives(A).carried_out();
    assert_eq!((story.state("r"), story.trees(A)), ("StageRollOut".to_owned(), vec!["testing".to_owned()]));
}

#[test]
fn what_was_awaited_and_can_never_be_is_refused_once() {
    let mut story = Story::new();
    story.submit("r", &[A]).hint("1", "r", "InVerification").hint("2", "r", "StageRollOut");
    let dist = story.rules.distributions.get_mut(&DIST.parse::<DistPath>().expect("a path")).expect("known");
    dist.trust.insert("testing".parse().expect("a name"), Trust::default());
    story.arrives(A);
    assert!(matches!(story.facts.last(), Some(Fact::Declined(_))), "{:?}", story.facts.last());
    let before = story.world.last;
    story.judge_all();
    assert_eq!((story.world.last, story.state("r")), (before, "InVerification".to_owned()));
}

#[test]
fn a_ticket_that_was_put_back_no_longer_wants_what_it_wanted() {
    let mut story = Story::new();
    story.submit("r", &[A]).hint("1", "r", "InVerification").hint("2", "r", "StageRollOut");
    story.hint("3", "r", "InVerification").arrives(A);
    assert_eq!((story.state("r"), story.trees(A)), ("InVerification".to_owned(), vec!["untested".to_owned()]));
}

#[test]
fn a_step_that_comes_while_packages_move_waits_for_them() {
    let mut story = Story::new();
    story.arrives(A).submit("r", &[A]).hint("1", "r", "InVerification").hint("2", "r", "StageRollOut");
    story.hint("3", "r", "Production");
    assert_eq!((story.state("r"), story.trees(A)), ("StageRollOut".to_owned(), vec!["untested".to_owned()]));
    story.carried_out().carried_out();
    assert_eq!((story.state("r"), story.trees(A)), ("Production".to_owned(), vec!["production".to_owned()]));
}

#[test]
fn the_same_delivery_twice_does_nothing_twice() {
    let mut story = Story::new();
    story.arrives(A).submit("r", &[A]).hint("1", "r", "InVerification");
    let before = story.world.last;
    story.hint("1", "r", "InVerification");
    assert_eq!((story.answer.clone(), story.world.last), (Some(Answer::Repeated), before));
    story.hint("1", "r", "StageRollOut");
    assert!(matches!(story.answer, Some(Answer::Reused(_))), "{:?}", story.answer);
    assert_eq!((story.state("r").as_str(), story.world.last), ("InVerification", before));
}

#[test]
fn somebody_is_erased_by_an_admin_who_says_why() {
    let mut story = Story::new();
    story.arrives(A).submit("r", &[A]).hint("1", "r", "InVerification");
    let (jane, token) = (story.id_of("rt:jane"), story.id_of("jane"));
    assert_eq!(story.world.persons.named().collect::<BTreeSet<_>>(), BTreeSet::from([jane, token]));
    story.erase_as(&[Role::SRM], "rt:jane", "");
    assert_eq!(story.codes(), ["no_reason", "role"]);
    for nobody in ["jane doe", "", "p-00000000000000ff", "rolloutd"] {
        story.erase_as(&[Role::ADMIN], nobody, "left");
        assert!(matches!(story.answer, Some(Answer::NotFound(_))), "{nobody}: {:?}", story.answer);
    }
    let before = story.facts.len();
    story.erase_as(&[Role::ADMIN], "rt:jane", "left");
    assert_eq!((&story.answer, story.facts.len()), (&Some(Answer::Erased(jane)), before + 1));
    assert_eq!(story.world.persons.erased().map(|(id, _)| id).collect::<Vec<_>>(), [jane]);
    for again in [jane.to_string(), "rt:jane".to_owned()] {
        story.erase_as(&[Role::ADMIN], &again, "left");
        assert!(matches!(story.answer, Some(Answer::Conflict(_) | Answer::NotFound(_))), "{:?}", story.answer);
    }
    // By id, and themselves; the register has lost them, but another copy of it may be put back.
    story.people = People::default();
    story.erase_as(&[Role::ADMIN], &token.to_string(), "left");
    assert_eq!(story.answer, Some(Answer::Erased(token)));
}

#[test]
fn a_repetition_is_one_also_when_its_user_was_erased() {
    let mut story = Story::new();
    story.arrives(A).submit("r", &[A]).hint("1", "r", "InVerification").erase_as(&[Role::ADMIN], "rt:jane", "left");
    story.hint("1", "r", "InVerification");
    assert_eq!(story.answer, Some(Answer::Repeated));
    story.hint("2", "r", "Unverified");
    assert_eq!(story.people.len(), 3, "who comes again is somebody new");
}

/// The logbook keeps every fact for ever.
#[test]
fn no_fact_names_whoever_asked() {
    let mut story = Story::new();
    story.arrives(A).submit("r", &[A]).hint("1", "r", "Production").hint("2", "r", "StageRollOut");
    story.rules.hooks.insert("rt".parse().expect("a name"), caller(&[]));
    story.hint("3", "r", "InVerification").hint("4", "nope", "InVerification").judge_all();
    story.move_as(&[Role::ADMIN], "r", "InVerification").erase_as(&[Role::ADMIN], "rt:jane", "left");
    assert!(story.facts.iter().any(|fact| matches!(fact, Fact::Declined(_))));
    for fact in &story.facts {
        assert!(!fact::write(fact).contains("jane"), "{fact}");
    }
}

/// An entry from before there were ids has the tracker's user in clear.
#[test]
fn what_was_wanted_by_a_name_is_declined_by_an_id_once() {
    let mut story = Story::new();
    story.arrives(A).submit("r", &[A]);
    let awaits = Awaits {
        rollout: "r".parse().expect("an id"),
        state: "StageRollOut".into(),
        hook: None,
        not_before: None,
        opens: None,
        findings: vec![],
    };
    story.world.apply(story.world.last + 1, story.now, "rt:jane", &awaits.into());
    story.rules.hooks.insert("rt".parse().expect("a name"), caller(&[]));
    story.judge_all();
    assert!(matches!(story.facts.last(), Some(Fact::Declined(_))));
    assert_eq!(story.world.rollouts.number_waiting(), 0);
    assert_eq!(story.who.last(), Some(&story.id_of("rt:jane").to_string()));
}

#[test]
fn what_is_dated_in_the_future_is_refused_and_locks_nothing() {
    let mut story = Story::new();
    story.now = Timestamp::from_second(10_000).expect("a time");
    story.arrives(A).submit("r", &[A]);
    let before = story.world.last;
    story.hint_of("1", "r", "InVerification", 10_301);
    assert!(matches!(story.answer, Some(Answer::Ahead(_))), "{:?}", story.answer);
    assert_eq!((story.state("r").as_str(), story.world.last), ("Unverified", before));
    // Its id is as good as new, and clocks differ a little.
    story.hint_of("1", "r", "InVerification", 10_300);
    assert_eq!(story.state("r"), "InVerification");
    story.now = Timestamp::from_second(10_001).expect("a time");
    story.hint_of("2", "r", "StageRollOut", 10_001).carried_out();
    assert_eq!(story.state("r"), "StageRollOut", "a later word is no older for what was dated ahead");
}

#[test]
fn what_an_older_site_has_heard_of_the_future_locks_nothing_either() {
    let mut story = Story::new();
    story.now = Timestamp::from_second(10_000).expect("a time");
    story.arrives(A).submit("r", &[A]);
    let heard = Fact::Heard(Heard {
        hook: "rt".parse().expect("a name"),
        delivery: "1".into(),
        rollout: "r".into(),
        state: "InVerification".into(),
        at: Timestamp::from_second(4_000_000_000).ok(),
    });
    story.world.apply(story.world.last + 1, story.now, "rt:jane", &heard);
    story.hint_of("2", "r", "InVerification", 10_001);
    assert_eq!(story.state("r"), "InVerification");
    story.hint_of("3", "r", "StageRollOut", 9_999).carried_out();
    assert_eq!(story.state("r"), "InVerification", "what is older than that is overtaken as ever");
    let Some(Answer::Remembered(outcome)) = &story.answer else { panic!("{:?}", story.answer) };
    assert_eq!(outcome.word, "overtaken");
    assert!(outcome.says.contains("nothing was changed"), "{}", outcome.says);
}

#[test]
fn whoever_sends_a_hint_is_told_what_came_of_it() {
    let mut story = Story::new();
    story.submit("r", &[A]);
    for (delivery, id, state, word) in [
        ("1", "r", "InVerification", "moved"),
        ("2", "r", "InVerification", "nothing"),
        ("3", "r", "StageRollOut", "waits"),
        ("4", "r", "Production", "refused"),
        ("5", "nobody", "Production", "refused"),
    ] {
        story.hint(delivery, id, state);
        let Some(Answer::Remembered(outcome)) = &story.answer else { panic!("{:?}", story.answer) };
        assert_eq!(outcome.word, word, "{delivery}: {}", outcome.says);
    }
}

#[test]
fn a_hint_that_makes_no_sense_is_remembered_and_refused() {
    let mut story = Story::new();
    story.arrives(A).submit("r", &[A]);
    for (delivery, id, state) in [("1", "nobody", "Production"), ("2", "r", "Production"), ("3", "../r", "x")] {
        story.hint(delivery, id, state);
        assert!(matches!(story.facts.last(), Some(Fact::Declined(_))), "{id} {state}");
    }
    assert_eq!((story.state("r"), story.trees(A)), ("Unverified".to_owned(), vec!["untested".to_owned()]));
}

#[test]
fn a_rejected_rollout_withdraws_its_packages_for_good() {
    let mut story = Story::new();
    story.arrives(A).submit("r", &[A]).move_as(&[Role::ADMIN], "r", "InVerification");
    story.move_as(&[Role::ADMIN], "r", "StageRollOut").carried_out();
    story.move_as(&[Role::SRM], "r", "Rejected").carried_out();
    assert_eq!((story.state("r"), story.trees(A)), ("Rejected".to_owned(), vec![]));
    story.submit("again", &[A]);
    assert_eq!(story.codes(), ["package_withdrawn"]);
}

#[test]
fn a_rollout_of_nothing_that_arrived_can_be_rejected() {
    let mut story = Story::new();
    story.submit("r", &[A]).move_as(&[Role::ADMIN], "r", "Rejected");
    assert_eq!(story.state("r"), "Rejected");
    assert!(story.world.rollouts.plans().next().is_none());
}

#[test]
fn a_package_belongs_to_one_open_rollout() {
    let mut story = Story::new();
    story.arrives(A).submit("r", &[A]).submit("s", &[A]);
    assert_eq!(story.codes(), ["in_other_rollout"]);
    // One that is rejected is in nobody's way; what it took back is.
    story.move_as(&[Role::ADMIN], "r", "Rejected").carried_out().submit("s", &[A]);
    assert_eq!(story.codes(), ["package_withdrawn"]);
    story.submit("t", &[B]).move_as(&[Role::ADMIN], "t", "Rejected").submit("u", &[B]);
    assert_eq!(story.answer, Some(Answer::Submitted("u".parse().expect("an id"))));
}

#[test]
fn a_tree_takes_only_what_its_own_ring_vouches_for() {
    for (testing, code) in [
        (trust(1, Standing::Good), None),
        (trust(2, Standing::Good), Some("signer_not_trusted")),
        (trust(1, Standing::Revoked), Some("signer_revoked")),
        (Trust::default(), Some("signer_not_trusted")),
    ] {
        let mut story = Story::new();
        story.trusts("testing", testing).arrives(A).submit("r", &[A]).move_as(&[Role::ADMIN], "r", "InVerification");
        story.move_as(&[Role::ADMIN], "r", "StageRollOut").carried_out();
        assert_eq!(story.codes().first().copied(), code);
        assert_eq!(story.trees(A), [if code.is_none() { "testing" } else { "untested" }]);
    }
}

#[test]
fn a_move_whose_signer_was_revoked_meanwhile_can_be_given_up_and_only_for_a_withdrawal() {
    let mut story = Story::new();
    story.arrives(A).submit("r", &[A]).move_as(&[Role::ADMIN], "r", "InVerification");
    story.move_as(&[Role::ADMIN], "r", "StageRollOut");
    story.move_as(&[Role::ADMIN], "r", "Rejected");
    assert_eq!(story.codes(), ["busy"], "a move that goes on is waited for");
    story.trusts("testing", trust(1, Standing::Revoked));
    story.move_as(&[Role::ADMIN], "r", "StageRollOut");
    assert_eq!(story.codes(), ["already"]);
    // What a tracker wants next is kept until it is trusted again, or given up.
    story.hint("1", "r", "Production");
    assert!(matches!(story.facts.last(), Some(Fact::Awaits(_))), "{:?}", story.facts.last());
    story.judge_all();
    assert!(story.world.rollouts.iter().all(|rollout| rollout.wanted.is_some()));
    story.move_as(&[Role::ADMIN], "r", "Rejected");
    assert_eq!(story.state("r"), "Rejected");
    // The move may have got as far as its target.
    let (old, plan) = story.world.rollouts.plans().next().map(|(n, plan)| (n - 1, plan.clone())).expect("one");
    assert_eq!((story.world.rollouts.plans().count(), plan.is_withdrawal()), (1, true));
    let leaves: Vec<&str> = plan.moves[0].items.iter().flat_map(|item| &item.leaves).map(TreeName::as_str).collect();
    assert_eq!(leaves, ["untested", "testing"]);
    // Its end, should it come after all, changes nothing any more.
    let work = Work::Show(old, plan);
    story.tell(&Input::WorkEnded(work, WorkEnd::done(Found::Shown { plan: old, published: vec![] })));
    assert_eq!(story.trees(A), ["untested"]);
    story.carried_out();
    assert_eq!((story.trees(A), story.world.rollouts.plans().count()), (vec![], 0));
}

#[test]
fn a_move_to_an_end_that_is_held_can_be_given_up_like_before_it() {
    let mut story = Story::new();
    story.arrives(A).submit("r", &[A]).move_as(&[Role::ADMIN], "r", "InVerification");
    story.move_as(&[Role::ADMIN], "r", "StageRollOut").carried_out();
    story.move_as(&[Role::ADMIN], "r", "Production");
    story.move_as(&[Role::ADMIN], "r", "Rejected");
    assert_eq!(story.codes(), ["no_transition"], "Production is an end");
    story.trusts("production", trust(1, Standing::Revoked));
    story.move_as(&[Role::ADMIN], "r", "Production");
    assert_eq!(story.codes(), ["already"], "it is what was asked for");
    story.hint("1", "r", "Rejected").carried_out();
    assert_eq!((story.state("r"), story.trees(A)), ("Rejected".to_owned(), vec![]));
}

#[test]
fn nothing_older_than_the_target_is_promoted() {
    let mut story = Story::new();
    for (id, nevra) in [("new", "a-2-1.noarch"), ("old", A)] {
        story.arrives(nevra).submit(id, &[nevra]).move_as(&[Role::ADMIN], id, "InVerification");
        story.move_as(&[Role::ADMIN], id, "StageRollOut").carried_out();
    }
    assert_eq!((story.codes(), story.state("old")), (vec!["older_than_target"], "InVerification".to_owned()));
    // Another architecture of the same name is another matter.
    story.arrives("a-1-1.x86_64").submit("arch", &["a-1-1.x86_64"]).move_as(&[Role::ADMIN], "arch", "InVerification");
    story.move_as(&[Role::ADMIN], "arch", "StageRollOut").carried_out();
    assert_eq!(story.trees("a-1-1.x86_64"), ["testing"]);
}

#[test]
fn what_is_older_than_a_tree_further_on_is_not_tested_in_vain() {
    let mut story = Story::new();
    story.arrives("a-2-1.noarch").submit("new", &["a-2-1.noarch"]);
    for state in ["InVerification", "StageRollOut", "UMDStore", "Production"] {
        story.move_as(&[Role::ADMIN], "new", state).carried_out();
    }
    assert_eq!(story.trees("a-2-1.noarch"), ["production"]);
    story.arrives(A).submit("old", &[A]).move_as(&[Role::ADMIN], "old", "InVerification");
    story.move_as(&[Role::ADMIN], "old", "StageRollOut");
    assert_eq!((story.codes(), story.trees(A)), (vec!["older_than_target"], vec!["untested".to_owned()]));
    let Some(Answer::Refused(judged)) = &story.answer else { panic!("refused") };
    let sentences: Vec<&str> = judged.findings.iter().map(|finding| &*finding.sentence).collect();
    assert!(
        sentences.contains(&"production already lists a-2-1.noarch, which is newer than a-1-1.noarch."),
        "{sentences:?}"
    );
}

#[test]
fn what_was_withdrawn_comes_in_again_when_an_admin_lets_it() {
    let mut story = Story::new();
    let allow = |reason: &str| Ask::Allow { nevra: A.parse().expect("a nevra"), dist: None, reason: reason.into() };
    story.arrives(A);
    ask(&mut story, allow("it was a mistake"));
    assert!(matches!(&story.answer, Some(Answer::Conflict(why)) if why.contains("untested")), "{:?}", story.answer);
    for id in ["first", "second"] {
        story.submit(id, &[A]).move_as(&[Role::ADMIN], id, "InVerification");
        story.move_as(&[Role::ADMIN], id, "StageRollOut").carried_out();
        story.move_as(&[Role::ADMIN], id, "Rejected").carried_out();
        assert_eq!(story.trees(A), [""; 0]);
        story.submit("again", &[A]);
        assert_eq!(story.codes(), ["package_withdrawn"], "{id}");
        story.tell(&Input::Asked(caller(&[Role::SRM]), allow(" ")));
        assert_eq!(story.codes(), ["no_reason", "role"], "{id}");
        ask(&mut story, allow("it was a mistake"));
        assert!(matches!(story.answer, Some(Answer::Recorded { .. })), "{:?}", story.answer);
        ask(&mut story, allow("it was a mistake"));
        assert!(matches!(story.answer, Some(Answer::Conflict(_))), "it may already: {:?}", story.answer);
        assert_eq!(story.trees(A), [""; 0], "it has to be uploaded");
        // That is taken back, and given again.
        let back = || Ask::Disallow { nevra: A.parse().expect("a nevra"), dist: None, reason: "not yet".into() };
        ask(&mut story, back());
        assert!(matches!(story.answer, Some(Answer::Recorded { .. })), "{:?}", story.answer);
        story.submit("again", &[A]);
        assert_eq!(story.codes(), ["package_withdrawn"], "{id}");
        ask(&mut story, back());
        assert!(matches!(&story.answer, Some(Answer::Conflict(why)) if why.contains("nobody has allowed")));
        ask(&mut story, allow("now"));
        story.arrives(A);
        ask(&mut story, back());
        assert!(matches!(&story.answer, Some(Answer::Conflict(why)) if why.contains("rolloutctl drop untested")));
        assert_eq!(story.trees(A), ["untested"]);
        let package = story.world.packages.get(&DIST.parse().expect("a path"), &A.parse().expect("a nevra"));
        assert!(package.is_some_and(|package| package.accepted == story.now), "it has come in now");
    }
}

#[test]
fn a_rollout_has_a_distribution_an_id_of_its_own_and_packages() {
    let mut story = Story::new();
    story.submit("r", &[]);
    assert_eq!(story.codes(), ["no_packages"]);
    story.submit("r", &[A]).submit("r", &[A]);
    assert!(matches!(story.answer, Some(Answer::Conflict(_))));
    let ask =
        Ask::Submit { rollout: "x".parse().expect("an id"), title: String::new(), parts: vec![part("nowhere", &[])] };
    story.tell(&Input::Asked(caller(&[Role::ADMIN]), ask));
    assert!(matches!(story.answer, Some(Answer::NotFound(_))));
}

/// A story of which `chat` is told.
fn told(events: &[&str]) -> Story {
    let mut story = Story::new();
    let events = events.iter().map(|event| (*event).to_owned()).collect();
    story.rules.outgoing.insert("chat".parse().expect("a name"), events);
    story
}

/// The attempt to tell `chat` what is due first ends so.
fn attempt(story: &mut Story, end: End) -> &mut Story {
    let chat = "chat".parse().expect("a name");
    let number = story.world.notices.first(&chat).expect("one is due");
    story.tell(&Input::WorkEnded(Work::Deliver(chat, number), WorkEnd { found: Found::Nothing, end, altered: vec![] }))
}

#[test]
fn what_somebody_has_to_be_told_is_due_with_what_causes_it_and_until_they_took_it() {
    let mut story = told(&notice::USUAL);
    story.arrives(A).submit("r", &[A]).hint("1", "r", "Production");
    story.move_as(&[Role::ADMIN], "r", "InVerification");
    let kinds: Vec<&str> = story.facts.iter().map(Fact::kind).collect();
    assert_eq!(
        kinds,
        [
            "package.accepted",
            "rollout.submitted",
            "notice.due",
            "ticket.heard",
            "rollout.declined",
            "rollout.moved",
            "notice.due"
        ]
    );
    let due = |story: &Story| story.world.notices.all().map(|(_, number, due)| (number, due.cause)).collect::<Vec<_>>();
    assert_eq!(due(&story), [(3, 2), (7, 6)]);
    // What has no room now stays, and is told in order.
    let later = |why: &str| End::Again { why: Some(why.to_owned()), after: None };
    attempt(&mut story, later("it answered 503"));
    assert_eq!(due(&story), [(3, 2), (7, 6)]);
    attempt(&mut story, End::Done);
    assert_eq!((due(&story), story.facts.last().map(Fact::kind)), (vec![(7, 6)], Some("notice.sent")));
    // An end that comes twice is no news.
    let again = Input::WorkEnded(Work::Deliver("chat".parse().expect("a name"), 3), WorkEnd::done(Found::Nothing));
    let before = story.facts.len();
    assert_eq!(story.tell(&again).facts.len(), before);
    attempt(&mut story, End::Final("it answered 410 Gone".into()));
    assert!(due(&story).is_empty());
    let given_up: Vec<String> = story.world.notices.given_up().map(|(_, given_up)| given_up.why.clone()).collect();
    assert_eq!(given_up, ["it answered 410 Gone"]);
}

#[test]
fn who_takes_nothing_for_a_week_gets_it_no_more_and_who_is_not_configured_gets_nothing() {
    let mut story = told(&["rollout.declined"]);
    story.submit("r", &[A]).hint("1", "r", "Production").hint("2", "r", "Production");
    let later = || End::Again { why: Some("timed out".to_owned()), after: None };
    story.passes(DAY * 7);
    attempt(&mut story, later());
    assert_eq!(story.world.notices.all().count(), 2);
    story.passes(Duration::from_secs(1));
    attempt(&mut story, later());
    assert_eq!(story.world.notices.all().count(), 1);
    let last = story.facts.last().expect("one").to_string();
    assert_eq!(last, "gave up notifying chat (notice 4): timed out; it was tried for 7 days");
    story.rules.outgoing.clear();
    let nobody = notice::to_nobody(story.known());
    story.take(nobody);
    assert_eq!((story.world.notices.all().count(), story.world.notices.given_up().count()), (0, 2));
}

const OTHER: &str = "umd/3/sl5/i386";
const C: &str = "c-1-1.i386";

/// `r` of two distributions, in `InVerification`.
fn of_two() -> Story {
    let mut story = Story::new();
    story.has_too(OTHER).submit_parts("r", vec![part(DIST, &[A]), part(OTHER, &[C, C])]);
    story.move_as(&[Role::ADMIN], "r", "InVerification");
    story
}

#[test]
fn a_rollout_of_two_distributions_moves_in_one_plan_and_in_both_or_in_none() {
    let mut story = of_two();
    story.arrives(A).hint("1", "r", "StageRollOut");
    let waits = story.facts.last().expect("one").to_string();
    assert!(waits.contains("c-1-1.i386 has not been taken into untested/umd/3/sl5/i386 yet"), "{waits}");
    // What is wrong in one distribution holds the whole.
    story.holds("testing").arrives_in(OTHER, C);
    assert_eq!((story.state("r"), story.world.rollouts.plans().count()), ("InVerification".to_owned(), 0));
    story.wrong.clear();
    story.judge_all();
    let plan = story.world.rollouts.plans().next().expect("one").1.clone();
    let trees: Vec<String> = plan.trees().iter().map(ToString::to_string).collect();
    assert_eq!(
        trees,
        ["testing/umd/3/sl5/i386", "testing/umd/3/sl6/x86_64", "untested/umd/3/sl5/i386", "untested/umd/3/sl6/x86_64"]
    );
    story.carried_out();
    assert_eq!([story.trees(A), story.trees_of(OTHER, C)], [["testing"], ["testing"]]);
    // And back.
    story.move_as(&[Role::ADMIN], "r", "Rejected").carried_out();
    assert!(story.trees(A).is_empty() && story.trees_of(OTHER, C).is_empty());
}

#[test]
fn a_plan_of_two_distributions_that_is_stuck_in_one_is_given_up_in_both() {
    let mut story = of_two();
    story.arrives(A).arrives_in(OTHER, C).move_as(&[Role::ADMIN], "r", "StageRollOut");
    gets_half_way(&mut story);
    assert_eq!(story.trees_of(OTHER, C), ["testing", "untested"], "it is shown there");
    story.holds("testing");
    give_up(&mut story);
    story.wrong.clear();
    story.carried_out();
    assert_eq!(story.state("r"), "InVerification");
    assert_eq!([story.trees(A), story.trees_of(OTHER, C)], [["untested"], ["untested"]]);
    // One that has shown nothing goes back, too.
    let mut story = of_two();
    story.arrives(A).arrives_in(OTHER, C).move_as(&[Role::ADMIN], "r", "StageRollOut");
    fails(&mut story);
    give_up(&mut story);
    story.troubles.clear();
    story.carried_out();
    assert_eq!(story.state("r"), "InVerification");
    assert_eq!([story.trees(A), story.trees_of(OTHER, C)], [["untested"], ["untested"]]);
}

#[test]
fn who_moves_a_rollout_of_two_distributions_may_in_both_and_their_procedure_is_the_same() {
    let mut story = of_two();
    story.arrives(A).arrives_in(OTHER, C);
    let mut jane = caller(&[]);
    let grant = |dist: &str| Grant { role: Role::ADMIN, scope: Scope::distribution(dist.parse().expect("a path")) };
    jane.grants.push(grant(DIST));
    let step =
        || Ask::Move { rollout: "r".parse().expect("an id"), state: "StageRollOut".into(), reason: String::new() };
    story.tell(&Input::Asked(jane.clone(), step()));
    assert_eq!(story.codes(), ["role"]);
    let submit = Ask::Submit {
        rollout: "s".parse().expect("an id"),
        title: String::new(),
        parts: vec![part(DIST, &["d-1-1.noarch"]), part(OTHER, &["d-1-1.noarch"])],
    };
    story.tell(&Input::Asked(jane.clone(), submit.clone()));
    assert_eq!(story.codes(), ["role"]);
    jane.grants.push(grant(OTHER));
    story.tell(&Input::Asked(jane.clone(), submit.clone()));
    assert!(matches!(story.answer, Some(Answer::Submitted(_))), "{:?}", story.answer);
    let own = procedure::read(&strict(), std::path::Path::new("own")).expect("a table").workflow;
    story.rules.distributions.get_mut(&OTHER.parse().expect("a path")).expect("one").workflow = own;
    story.tell(&Input::Asked(jane.clone(), step()));
    assert_eq!(story.codes(), ["procedures_differ"]);
    story.tell(&Input::Asked(jane.clone(), submit));
    assert!(matches!(story.answer, Some(Answer::Conflict(_))));
    story.rules.distributions.remove(&OTHER.parse().expect("a path"));
    story.tell(&Input::Asked(jane, step()));
    assert_eq!(story.codes(), ["no_distribution"]);
}

#[test]
fn a_rollout_of_two_distributions_is_older_than_the_target_when_it_is_in_one() {
    let mut story = of_two();
    story.arrives(A).arrives_in(OTHER, C).arrives_in(OTHER, "c-2-1.i386");
    story.submit_parts("new", vec![part(OTHER, &["c-2-1.i386"])]).move_as(&[Role::ADMIN], "new", "InVerification");
    story.move_as(&[Role::ADMIN], "new", "StageRollOut");
    story.move_as(&[Role::ADMIN], "r", "StageRollOut");
    assert_eq!(story.codes(), ["older_than_target"], "what is on its way counts");
}

/// The first plan is shown in its first tree, and then the disk is full.
fn gets_half_way(story: &mut Story) {
    let (number, plan) = story.world.rollouts.plans().next().map(|(n, plan)| (n, Arc::clone(plan))).expect("one");
    let tree = plan.trees().into_iter().next().expect("one");
    let (revision, packages) = (7, 1);
    let published =
        Published { tree, revision, packages, repomd: Sha256([1; 32]), superseded: vec![], plan: Some(number) };
    let end = WorkEnd::failed_after(Found::Shown { plan: number, published: vec![published] }, "no room");
    story.tell(&Input::WorkEnded(Work::Show(number, plan), end));
}

#[test]
fn each_tree_that_shows_a_plan_is_written_down_and_its_listing_is_what_it_shows() {
    let mut story = half_way();
    assert_eq!(story.trees(A), ["testing"]);
    let before = story.facts.len();
    gets_half_way(&mut story);
    assert_eq!(story.trees(A), ["production", "testing"], "it is never nowhere");
    assert_eq!(story.facts.len(), before + 1);
    let (number, plan) = story.world.rollouts.plans().next().expect("it is not over");
    let id = plan.trees().into_iter().next().expect("a target");
    assert!(story.world.rollouts.is_shown(number, &id));
    let entry = story.world.trees[&id].listing().get(&A.parse().expect("a nevra")).cloned();
    assert_eq!(entry.and_then(|entry| entry.brought), plan.rollouts().next().cloned());
    // The same once more is no news.
    gets_half_way(&mut story);
    assert_eq!(story.facts.len(), before + 1);
    story.carried_out();
    assert_eq!((story.trees(A), story.world.rollouts.plans().count()), (vec!["production".to_owned()], 0));
}

proptest::proptest! {
    /// Whatever waits, fails and is given up: packages are where their rollout says, each in one tree.
    #[test]
    fn whatever_is_given_up_a_rollout_at_rest_is_where_its_packages_are(
        steps in proptest::collection::vec((0..6_u8, 0..5_usize), 1..60)
    ) {
        let states = ["Unverified", "InVerification", "StageRollOut", "Production", "Rejected"];
        let mut story = Story::new();
        story.arrives(A).arrives(B).submit("r", &[A, B]);
        for (what, state) in steps {
            match what {
                0 | 1 => { story.move_as(&[Role::ADMIN], "r", states[state]); }
                2 if story.world.rollouts.plans().next().is_some() => fails(&mut story),
                5 if story.world.rollouts.plans().next().is_some() => { gets_half_way(&mut story); fails(&mut story); }
                3 => give_up_for(&mut story, "by mistake"),
                4 => { story.carried_out(); }
                _ => {}
            }
            if story.world.rollouts.plans().next().is_none() {
                story.troubles.clear();
                let trees = match story.state("r").as_str() {
                    "StageRollOut" => vec!["testing"],
                    "Production" => vec!["production"],
                    "Rejected" => vec![],
                    _ => vec!["untested"],
                };
                for nevra in [A, B] {
                    proptest::prop_assert_eq!(&story.trees(nevra), &trees, "{:?}", story.facts.last());
                }
            }
            let moves = story.world.rollouts.plans().next().is_some();
            for nevra in [A, B] {
                let trees = story.trees(nevra).len();
                proptest::prop_assert!(trees <= 1 + usize::from(moves));
                proptest::prop_assert!(trees > 0 || story.state("r") == "Rejected", "it is nowhere");
            }
        }
    }

    /// S0-01: no sequence of events lets a package into production that never was in testing.
    #[test]
    fn nothing_reaches_production_that_was_not_in_testing(
        steps in proptest::collection::vec((0..4_u8, 0..5_usize, proptest::bool::ANY), 1..40)
    ) {
        let states = ["Unverified", "InVerification", "StageRollOut", "Production", "Rejected"];
        let mut story = Story::new();
        let mut tested = BTreeSet::new();
        story.submit("r", &[A]).submit("s", &["b-1-1.noarch"]);
        for (n, (what, state, first)) in steps.iter().enumerate() {
            let (id, nevra) = if *first { ("r", A) } else { ("s", "b-1-1.noarch") };
            match what {
                0 if story.trees(nevra).is_empty() && story.state(id) != "Rejected" => { story.arrives(nevra); }
                1 => { story.move_as(&[Role::ADMIN], id, states[*state]); }
                2 => { story.hint(&n.to_string(), id, states[*state]); }
                _ => { story.carried_out(); }
            }
            for nevra in [A, "b-1-1.noarch"] {
                let trees = story.trees(nevra);
                if trees.contains(&"testing".to_owned()) {
                    tested.insert(nevra);
                }
                proptest::prop_assert!(!trees.contains(&"production".to_owned()) || tested.contains(nevra));
                proptest::prop_assert!(trees.len() <= 1);
            }
        }
    }

    /// Folding the logbook again gives the same world: running and recovering cannot disagree.
    #[test]
    fn the_fold_of_what_was_written_is_the_world(
        steps in proptest::collection::vec((0..4_u8, 0..5_usize), 1..20)
    ) {
        let states = ["Unverified", "InVerification", "StageRollOut", "Production", "Rejected"];
        let mut story = Story::new();
        story.arrives(A).submit("r", &[A]);
        for (n, (what, state)) in steps.iter().enumerate() {
            match what {
                0 => { story.move_as(&[Role::ADMIN], "r", states[*state]); }
                1 => { story.hint(&n.to_string(), "r", states[*state]); }
                2 if story.world.rollouts.plans().next().is_some() => gets_half_way(&mut story),
                _ => { story.carried_out(); }
            }
        }
        let mut again = World::default();
        for (n, fact) in story.facts.iter().enumerate() {
            let read = fact::read(&fact::write(fact)).expect("readable");
            again.apply(n as u64 + 1, Timestamp::UNIX_EPOCH, &story.who[n], &read);
        }
        proptest::prop_assert!(again.mismatches.is_empty(), "{:?}", again.mismatches);
        proptest::prop_assert_eq!(again, story.world);
    }
}
