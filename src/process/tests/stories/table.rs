//! Every state, every state that could be asked for, every role and every scope, of each procedure that ships: a step is
//! taken where the table has it and whoever asks may, and refused everywhere else, with nothing changed (S0-07, S1-02).

use super::*;
use crate::domain::names::BundleId;
use crate::domain::naming::team::TeamName;
use crate::domain::report::{Outcome, Sections};
use crate::domain::rollout::Changes;
use crate::domain::task::TaskKind;
use crate::domain::workflow::{Effect, Workflow};
use crate::process::fact::assignment::Answered;
use crate::process::fact::bundle::BundleOpened;
use crate::process::fact::report::Reported;
use crate::process::fact::team::TeamRegistered;
use crate::process::gate::approvals;

/// Another distribution, in which the rollout has nothing.
const ELSEWHERE: &str = "umd/4/el7/x86_64";

/// Longer than any time in a tree.
const AGES: Duration = Duration::from_hours(24 * 365);

/// The title of the rollout.
const TITLE: &str = "Staged Rollout EMI-1.0 bdii-site 1.0.1";

/// A rollout of a package that follows a procedure.
fn begun(name: &str) -> Story {
    following(procedure::built_in(name).expect("it ships"))
}

fn following(flow: Workflow) -> Story {
    let mut story = Story::new();
    story.rules.distributions.values_mut().next().expect("one").workflow = flow;
    story.has_too(ELSEWHERE).arrives(A).submit("r", &[A]);
    let changes = Changes { title: Some(TITLE.into()), ..Changes::default() };
    let titled = Ask::Edit { rollout: "r".parse().expect("an id"), changes, reason: String::new() };
    story.records(&caller(&[Role::ADMIN]), titled);
    story.has_early_adopters().is_bundled().is_tested().is_approved();
    story
}

impl Story {
    /// A team is asked to test the rollout.
    fn has_early_adopters(&mut self) -> &mut Self {
        let (rollout, name) = ("r".parse().expect("an id"), "ea-NGI_IT-T1".parse().expect("a team"));
        let team = TeamRegistered {
            team: TeamName::clone(&name),
            ngi: "NGI_IT".into(),
            products: BTreeSet::new(),
            stacks: BTreeSet::new(),
            node_types: BTreeSet::new(),
            contacts: BTreeSet::new(),
            observer: false,
        };
        let teams = vec![name.clone()];
        let by = caller(&[Role::SRM]);
        self.records(&by, Ask::Register { team, reason: String::new() });
        self.records(&by, Ask::Assign { rollout, teams, beta: false, reason: String::new() })
    }

    /// As soon as it can be tested, the team has accepted it and reported, and its roll-out task is done.
    pub(super) fn is_tested(&mut self) -> &mut Self {
        let (rollout, team): (RolloutId, TeamName) =
            ("r".parse().expect("an id"), "ea-NGI_IT-T1".parse().expect("a team"));
        let by = caller(&[Role::SRM, Role::OU]);
        let answered = Answered { rollout: rollout.clone(), team: team.clone(), accepts: true };
        self.asks(&by, Ask::Answer { answered, reason: String::new() });
        if matches!(self.answer, Some(Answer::Recorded { .. })) {
            let (outcome, summary, sections) = (Outcome::Success, String::new(), Sections::default());
            let reported = Reported { rollout, team: team.clone(), outcome, summary, sections, file: None };
            self.records(&by, Ask::Report(reported));
        }
        let (bundle, kind, quarantine) = ("B-1".parse().expect("an id"), TaskKind::RollOut, Some(Duration::ZERO));
        let (services, outcome, reason) = ([].into(), Outcome::Success, String::new);
        if self.world.tasks.next() == 1 {
            self.asks(
                &by,
                Ask::CreateTasks { services, bundle, kind, teams: vec![team], quarantine, reason: reason() },
            );
            if matches!(self.answer, Some(Answer::Recorded { .. })) {
                self.records(&by, Ask::BeginTask { task: 1, outcome, reason: reason() });
                self.records(&by, Ask::EndTask { task: 1, outcome, early: false, reason: reason() });
            }
        }
        self
    }

    /// It is in a bundle that is complete, and in which another rollout is further.
    fn is_bundled(&mut self) -> &mut Self {
        let (by, reason) = (caller(&[Role::ADMIN, Role::OU]), String::new);
        let bundle: BundleId = "B-1".parse().expect("an id");
        let rollouts = ["r", "z"].map(|id| id.parse::<RolloutId>().expect("an id")).to_vec();
        self.records(&by, Ask::OpenBundle(BundleOpened { bundle: bundle.clone(), title: String::new() }));
        self.arrives("z-1-1.noarch").submit("z", &["z-1-1.noarch"]);
        self.records(&by, Ask::JoinBundle { bundle: bundle.clone(), rollouts: rollouts.clone(), reason: reason() });
        let announced = rollouts[..1].to_vec();
        self.records(&by, Ask::Announce { bundle: bundle.clone(), rollouts: announced, reason: reason() });
        let flow = self.rules.distributions.values().next().expect("one").workflow.clone();
        if flow.transitions().iter().any(|step| step.gates.iter().any(|gate| gate.name == "bundle_ready")) {
            self.move_as(&[Role::ADMIN], "z", "Ready for Rollout");
            assert_eq!(self.state("z"), "Ready for Rollout", "{:?}", self.answer);
        }
        self.passes(SETTLING)
    }

    /// Whoever is asked approves of what comes next.
    pub(super) fn is_approved(&mut self) -> &mut Self {
        let flow = self.rules.distributions.values().next().expect("one").workflow.clone();
        for step in flow.leaving(&State::recorded(&self.state("r"))) {
            for role in approvals::roles(step) {
                let (rollout, state) = ("r".parse().expect("an id"), step.to.to_string());
                let ask = Ask::Approve { rollout, state, role: None, reason: String::new() };
                self.records(&caller(std::slice::from_ref(role)), ask);
            }
        }
        self
    }
}

/// Goes to a state, by an admin who never tires.
fn goes(story: &mut Story, state: &State) {
    story.move_as(&[Role::ADMIN], "r", state.as_str());
    assert_eq!(story.state("r"), state.as_str(), "{:?}", story.answer);
    story.carried_out().passes(AGES).is_tested().is_approved();
}

/// The rollout in each state of its procedure, by the shortest way.
fn in_each_state(flow: &Workflow) -> Vec<Story> {
    let mut all = vec![begun(flow.name())];
    let mut seen = BTreeSet::from([flow.initial().clone()]);
    let mut next = 0;
    while let Some(story) = all.get(next).cloned() {
        next += 1;
        let from = State::recorded(&story.state("r"));
        for step in flow.leaving(&from) {
            if seen.insert(step.to.clone()) {
                let mut story = story.clone();
                goes(&mut story, &step.to);
                all.push(story);
            }
        }
    }
    assert_eq!(all.len(), flow.states().len(), "a rollout comes to every state");
    all
}

/// The way by which somebody asks, and where their role holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Everywhere,
    Here,
    Elsewhere,
    ForItsStack,
    ForAnother,
    ForItsStackElsewhere,
}

impl Holds {
    const ALL: [Self; 6] = [
        Self::Everywhere,
        Self::Here,
        Self::Elsewhere,
        Self::ForItsStack,
        Self::ForAnother,
        Self::ForItsStackElsewhere,
    ];

    /// Whether it holds for the rollout.
    fn holds(self) -> bool {
        matches!(self, Self::Everywhere | Self::Here | Self::ForItsStack)
    }
}

fn with(role: &Role, holds: Holds) -> Caller {
    let mut caller = caller(&[]);
    let within = |dist: Option<&str>, stack: &str| Scope::Within {
        dist: dist.map(|dist| dist.parse().expect("a path")),
        stack: Some(stack.parse().expect("a stack")),
    };
    let scope = match holds {
        Holds::ForItsStack => within(None, "EMI"),
        Holds::ForAnother => within(None, "ARC"),
        Holds::ForItsStackElsewhere => within(Some(ELSEWHERE), "EMI-1.0"),
        Holds::Everywhere => Scope::Site,
        Holds::Here => Scope::distribution(DIST.parse().expect("a path")),
        Holds::Elsewhere => Scope::distribution(ELSEWHERE.parse().expect("a path")),
    };
    caller.grants.push(Grant { role: role.clone(), scope });
    caller
}

#[test]
fn a_step_is_taken_where_the_table_has_it_by_those_who_may_and_nowhere_else() {
    let mut asked = 0;
    for name in procedure::names() {
        let flow = procedure::built_in(name).expect("it ships");
        for before in in_each_state(&flow) {
            let from = State::recorded(&before.state("r"));
            for to in flow.states() {
                for role in &Role::KNOWN {
                    for holds in Holds::ALL {
                        asked += 1;
                        let step = flow.step(&from, to).ok();
                        let may = step.is_some_and(|step| step.who.contains(role)) && holds.holds();
                        let what = format!("{name}: {from} -> {to} as {role}, which holds {holds:?}");
                        let mut story = before.clone();
                        let ask = Ask::Move {
                            rollout: "r".parse().expect("an id"),
                            state: to.to_string(),
                            reason: what.clone(),
                        };
                        story.tell(&Input::Asked(with(role, holds), ask));
                        if !may {
                            assert!(matches!(story.answer, Some(Answer::Refused(_))), "{what}: {:?}", story.answer);
                            assert_eq!((story.facts, &story.world), (before.facts.clone(), &before.world), "{what}");
                            continue;
                        }
                        assert_eq!(story.state("r"), to.as_str(), "{what}: {:?}", story.answer);
                        story.carried_out();
                        let target = match &step.expect("it is in the table").effect {
                            Effect::None => before.trees(A),
                            Effect::Move { to, .. } => vec![to.to_string()],
                            Effect::Withdraw => vec![],
                        };
                        assert_eq!(story.trees(A), target, "{what}");
                    }
                }
            }
        }
    }
    assert_eq!(
        asked,
        (9 * 9 + 6 * 6 + 4 * 4) * Role::KNOWN.len() * Holds::ALL.len(),
        "states of each procedure, twice"
    );
}

/// S0-07: whoever manages a stack does not take over what belongs to another, nor give something away.
#[test]
fn a_rollout_of_one_stack_does_not_become_one_of_another_by_those_who_may_submit_one_only() {
    let manager = || with(&Role::SRM, Holds::ForItsStack);
    let edit = |title: &str, add: Vec<Part>| Ask::Edit {
        rollout: "r".parse().expect("an id"),
        changes: Changes { title: Some(title.into()), add, remove: vec![] },
        reason: String::new(),
    };
    let mut story = begun("egi");
    for (title, add, code) in [
        ("Staged Rollout ARC-6 arc-ce 6.0", vec![], Some("role")),
        ("no stack", vec![], Some("role")),
        ("Staged Rollout EMI-3 bdii-site 1.0.2", vec![], None),
        ("Staged Rollout EMI-3 bdii-site 1.0.2", vec![part(DIST, &["b-1-1.noarch"])], None),
    ] {
        story.tell(&Input::Asked(manager(), edit(title, add)));
        assert_eq!(story.codes(), code.into_iter().collect::<Vec<_>>(), "{title}");
    }
    // What somebody has decided for it while it was theirs does not outlive that: a date, an override, an approval.
    let mut story = begun("egi");
    story.move_as(&[Role::ADMIN], "r", "Unverified").move_as(&[Role::ADMIN], "r", "InVerification");
    let at = story.now.checked_add(Duration::from_hours(24)).expect("a time");
    let (rollout, state) = (|| "r".parse::<RolloutId>().expect("an id"), || "StageRollOut".to_owned());
    let date = Ask::Schedule { rollout: rollout(), state: state(), at: Some(at), reason: String::new() };
    let over = Ask::Override { rollout: rollout(), state: state(), gate: "not_older".into(), reason: "urgent".into() };
    story.records(&manager(), date).records(&manager(), over);
    let has = |story: &Story| {
        let overridden = story.world.dossiers.of(&rollout()).is_some_and(|dossier| !dossier.overridden.is_empty());
        (story.world.rollouts[&rollout()].wanted.is_some(), overridden)
    };
    story.records(&caller(&[Role::ADMIN]), edit("Staged Rollout EMI-1.0 bdii-site 1.0.2", vec![]));
    assert_eq!(has(&story), (true, true));
    let mut elsewhere = story.clone();
    story.records(&caller(&[Role::ADMIN]), edit("Staged Rollout ARC-6 arc-ce 6.0", vec![]));
    assert_eq!(has(&story), (false, false));
    elsewhere.records(&caller(&[Role::ADMIN]), edit("", vec![part(ELSEWHERE, &["b-1-1.noarch"])]));
    assert_eq!(has(&elsewhere), (false, false));
    // In another distribution nobody has it who has it here only.
    let mut story = begun("egi");
    let local = with(&Role::SRM, Holds::Here);
    story.tell(&Input::Asked(local, edit("", vec![part(ELSEWHERE, &["b-1-1.noarch"])])));
    assert_eq!(story.codes(), ["role"]);
}

/// The examples in `fixtures/procedures` are procedures, too, and a rollout comes to all their states.
#[test]
fn a_rollout_comes_through_testing_and_delta_to_production() {
    let text = include_str!("../../../../fixtures/procedures/testing-and-delta.toml");
    let flow = procedure::read(text, std::path::Path::new("own.toml")).expect("a procedure").workflow;
    let mut story = following(flow);
    let mut seen = vec![];
    for state in ["InVerification", "StageRollOut", "Rolling out", "Production"] {
        story.move_as(&[Role::ADMIN], "r", state).carried_out().passes(AGES).is_tested();
        seen.push(format!("{} {}", story.state("r"), story.trees(A).join("+")));
    }
    assert_eq!(seen, ["InVerification untested", "StageRollOut testing", "Rolling out delta", "Production production"]);
}

#[test]
fn who_may_not_submit_makes_no_rollout() {
    for name in procedure::names() {
        let flow = procedure::built_in(name).expect("it ships");
        for role in &Role::KNOWN {
            for holds in Holds::ALL {
                let mut story = begun(name);
                let (rollout, parts) = ("s".parse().expect("an id"), vec![part(DIST, &["b-1-1.noarch"])]);
                let ask = Ask::Submit { rollout, title: TITLE.into(), parts };
                story.tell(&Input::Asked(with(role, holds), ask));
                let may = flow.submitters().contains(role) && holds.holds();
                assert_eq!(matches!(story.answer, Some(Answer::Submitted(_))), may, "{name}: {role} {holds:?}");
            }
        }
    }
}

/// S0-44: nothing leaves the tree of the early adopters before its time, and then it does.
#[test]
fn each_procedure_that_ships_makes_packages_wait_before_production() {
    let minutes = |days: u64| days * 24 * 60;
    for (name, way, state, wait) in [
        ("egi", ["Unverified", "InVerification", "StageRollOut"].as_slice(), "Accepted", 5),
        ("glite", &["Ready for Rollout", "Rolling out"], "Ready for Production", 7),
        ("simple", &["Testing"], "Production", 7),
    ] {
        let mut story = begun(name);
        for state in way {
            story.move_as(&[Role::ADMIN], "r", state);
            assert_eq!(story.state("r"), *state);
            story.carried_out().is_approved();
        }
        story.passes(SETTLING).is_tested();
        story.passes(Duration::from_mins(minutes(wait) - 121)).move_as(&[Role::ADMIN], "r", state);
        assert_eq!(story.codes(), ["exposure"], "{name}");
        story.passes(Duration::from_mins(1)).move_as(&[Role::ADMIN], "r", state);
        assert_eq!(story.state("r"), state, "{name}");
    }
}
