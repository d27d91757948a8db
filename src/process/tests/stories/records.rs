//! What people add to rollouts, and what follows from it: halts, edits, early adopters, issues, approvals.

use super::*;
use crate::domain::names::BundleId;
use crate::domain::naming::team::TeamName;
use crate::domain::report::{Outcome, Sections};
use crate::domain::rollout::Changes;
use crate::domain::task::TaskKind;
use crate::process::fact::assignment::{Answered, Installed};
use crate::process::fact::bundle::BundleOpened;
use crate::process::fact::change::{Linked, Noted};
use crate::process::fact::issue::IssueNoted;
use crate::process::fact::report::Reported;
use crate::process::fact::team::TeamRegistered;
use crate::process::rights;
use crate::process::todo::todo;

/// Bundles and their tasks.
mod bundles;
/// What is told without anybody asking.
mod care;
/// Changes.
mod changes;
/// Reviews.
mod reviews;
/// Releases.
mod releases;
/// Incidents and problems.
mod incidents;
/// What is said of a rollout beside its title.
mod attributes;
/// Reports with their files.
mod reports;
/// What people are told.
mod messages;
/// Service levels.
mod levels;
/// What teams say of their tasks.
mod task_reports;
/// Rollouts that take over from others.
mod successors;

const PROCEDURE: &str = r#"
name = "tested"
initial = "Draft"
submit = ["maintainer"]
state = [{ name = "Draft" }, { name = "Testing" }, { name = "Accepted" }, { name = "Production" }, { name = "Withdrawn" }]

[[transition]]
from = "Draft"
to = "Testing"
who = ["maintainer", "tracker"]
gates = ["packages_present", { name = "linked", to = ["release-notes", "bugs"] }]
move = { from = "untested", to = "testing" }

[[transition]]
from = "Testing"
to = "Accepted"
who = ["srm"]
gates = [
    { name = "exposure", for = "5d", in = "testing" },
    { name = "acknowledged", teams = 2 },
    { name = "reported", teams = 1 },
    "show_stoppers",
]

[[transition]]
from = "Accepted"
to = "Production"
who = ["srm"]
gates = ["packages_present", { name = "approvals", from = ["srm", "verifier"], four_eyes = true }]
move = { from = "testing", to = "production" }

[[transition]]
from = "Testing"
to = "Withdrawn"
who = ["srm"]
withdraw = true
"#;

const BDII: &str = "bdii-5.2.22-1.el6.noarch";
const DPM: &str = "dpm-1.8.0-1.el6.x86_64";
pub(super) const DAY: Duration = Duration::from_hours(24);

pub(super) fn person(name: &str, roles: &[Role]) -> Caller {
    Caller::new(name.parse().expect("an actor"), Channel::Api, roles.iter().cloned())
}

pub(super) fn id(text: &str) -> RolloutId {
    text.parse().expect("an id")
}

fn team(text: &str) -> TeamName {
    text.parse().expect("a team")
}

/// That a team of early adopters is registered, which tests everything.
fn registered(name: &str, ngi: &str) -> Ask {
    let (products, stacks, node_types) = Default::default();
    let team = TeamRegistered {
        team: team(name),
        ngi: ngi.into(),
        products,
        stacks,
        node_types,
        contacts: BTreeSet::new(),
        observer: false,
    };
    Ask::Register { team, reason: "because".into() }
}

impl Story {
    /// A rollout `r` of `bdii` under the procedure above, submitted by mary.
    fn tested() -> Self {
        let mut story = Self::new();
        let rules = story.rules.distributions.values_mut().next().expect("one");
        rules.workflow = procedure::read(PROCEDURE, std::path::Path::new("tested.toml")).expect("legal").workflow;
        story.arrives(BDII).arrives(DPM);
        let ask = Ask::Submit { rollout: id("r"), title: String::new(), parts: vec![part(DIST, &[BDII])] };
        story.asks(&person("mary", &[Role::MAINTAINER]), ask);
        assert_eq!(story.answer, Some(Answer::Submitted(id("r"))));
        story
    }

    /// Asks, and it must not be recorded: the codes of what speaks against it, or what else is said.
    pub(super) fn refuses(&mut self, who: &Caller, ask: Ask) -> String {
        let before = (self.facts.len(), self.world.clone());
        self.asks(who, ask);
        assert!(before == (self.facts.len(), self.world.clone()), "something was written down");
        match self.answer.clone() {
            Some(Answer::Refused(judged)) => {
                let bad = judged.findings.iter().filter(|finding| finding.verdict != Verdict::Pass);
                bad.map(|finding| finding.code).collect::<Vec<_>>().join(" ")
            }
            Some(Answer::Conflict(why) | Answer::NotFound(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    fn moves(&mut self, who: &Caller, state: &str) -> &mut Self {
        let ask = Ask::Move { rollout: id("r"), state: state.into(), reason: String::new() };
        self.asks(who, ask);
        assert!(matches!(self.answer, Some(Answer::Moved { .. })), "{state}: {:?}", self.answer);
        self
    }

    fn stays(&mut self, who: &Caller, state: &str) -> String {
        let ask = Ask::Move { rollout: id("r"), state: state.into(), reason: String::new() };
        self.refuses(who, ask)
    }

    /// `r` is in Testing, and two teams are registered.
    fn in_testing(&mut self) -> &mut Self {
        let (mary, srm) = (person("mary", &[Role::MAINTAINER]), person("sue", &[Role::SRM]));
        for what in ["release-notes", "bugs"] {
            let linked = Linked {
                rollout: id("r"),
                what: what.parse().expect("a name"),
                url: Some("https://example.org/".into()),
            };
            self.records(&mary, Ask::Link { linked, reason: String::new() });
        }
        self.moves(&mary, "Testing").carried_out();
        for (name, ngi, observer) in
            [("ea-NGI_IT-T1", "NGI_IT", false), ("ea-NGI_CH-CSCS", "NGI_CH", false), ("ea-WLCG-R", "WLCG", true)]
        {
            let team = TeamRegistered {
                team: team(name),
                ngi: ngi.into(),
                products: BTreeSet::new(),
                stacks: BTreeSet::new(),
                node_types: BTreeSet::new(),
                contacts: BTreeSet::new(),
                observer,
            };
            self.records(&srm, Ask::Register { team, reason: String::new() });
        }
        self
    }
}

fn of_daemon(fact: impl Into<Fact>) -> crate::process::decision::Entry {
    crate::process::decision::Entry { who: Actor::recorded("rolloutd"), why: String::new(), fact: fact.into() }
}

#[test]
fn a_halt_stops_what_moves_forward_until_it_ends_and_nothing_else() {
    let mut story = Story::new();
    let (admin, ea) = (person("ann", &[Role::ADMIN]), person("eve", &[Role::EA]));
    story.arrives(BDII).submit("r", &[BDII]).move_as(&[Role::ADMIN], "r", "InVerification");
    let halt = |dist: Option<&str>, reason: &str| Ask::Halt {
        dist: dist.map(|dist| dist.parse().expect("a path")),
        reason: reason.into(),
    };
    assert_eq!(story.refuses(&ea, halt(None, "")), "no_reason role");
    assert!(story.refuses(&admin, halt(Some("umd/9"), "why")).starts_with("there is no distribution umd/9"));
    let end = |dist: Option<&str>| Ask::EndHalt {
        dist: dist.map(|dist| dist.parse().expect("a path")),
        reason: String::new(),
    };
    assert_eq!(story.refuses(&admin, end(None)), "promotions are not halted everywhere: nothing is halted there");
    story.records(&admin, halt(None, "the key may be stolen."));
    let stopped = "promotions are halted everywhere, not only there: to end that halt, name no distribution";
    assert!(story.refuses(&admin, end(Some(DIST))).ends_with(stopped));
    assert_eq!(story.stays(&admin, "StageRollOut"), "halted");
    // A tracker's wish waits, and is carried out when the halt ends.
    story.hint("d1", "r", "StageRollOut");
    assert!(story.world.rollouts.is_waiting(&id("r")));
    assert_eq!(story.refuses(&ea, end(None)), "role");
    story.records(&admin, end(None));
    assert_eq!(story.state("r"), "StageRollOut");
    // What was decided and nobody has seen waits as well; what clients see goes on, and so does what goes back.
    let plan = |story: &Story| story.world.rollouts.plans().next().map(|(_, plan)| Arc::clone(plan)).expect("it moves");
    assert_eq!(story.world.objection(&story.rules, &plan(&story)), None);
    story.records(&admin, halt(Some(DIST), "the disk is replaced"));
    let objection = story.world.objection(&story.rules, &plan(&story)).expect("it is halted");
    assert_eq!(
        objection.sentence,
        "Promotions are halted in umd/3/sl6/x86_64 since 1970-01-01T00:00:00Z: the disk is replaced."
    );
    let number = story.world.rollouts.plans().next().expect("it moves").0;
    let tree = TreeId { dist: DIST.parse().expect("a path"), tree: "testing".parse().expect("a name") };
    let mut begun = story.clone();
    let shown =
        Published { tree, revision: 1, packages: 1, repomd: Sha256([0; 32]), superseded: vec![], plan: Some(number) };
    begun.take(Decision { entries: vec![of_daemon(shown)], answer: None });
    assert_eq!(begun.world.objection(&begun.rules, &plan(&begun)), None);
    story.moves(&admin, "Rejected");
    assert_eq!(story.world.objection(&story.rules, &plan(&story)), None, "packages are taken back");
}

#[test]
fn a_rollout_is_edited_and_cancelled_as_long_as_nothing_has_moved() {
    let mut story = Story::tested();
    let (mary, eve) = (person("mary", &[Role::MAINTAINER]), person("eve", &[Role::EA]));
    let edit = |add: &[&str], remove: &[&str], title: Option<&str>| {
        let parts = |packages: &[&str]| if packages.is_empty() { vec![] } else { vec![part(DIST, packages)] };
        let changes = Changes { title: title.map(str::to_owned), add: parts(add), remove: parts(remove) };
        Ask::Edit { rollout: id("r"), changes, reason: String::new() }
    };
    assert_eq!(story.refuses(&eve, edit(&[DPM], &[], None)), "role");
    assert_eq!(story.refuses(&mary, edit(&[BDII], &[], None)), "r is like that already; nothing was changed");
    assert_eq!(story.refuses(&mary, edit(&[], &[BDII], None)), "no_packages");
    assert_eq!(story.refuses(&mary, edit(&[], &[DPM], None)), "not_in_rollout");
    story.records(&mary, edit(&[DPM], &[BDII], Some("dpm")));
    let dist: DistPath = DIST.parse().expect("a path");
    let naming = |story: &Story, nevra: &str| story.world.rollouts.naming(&dist, &nevra.parse().expect("ok")).count();
    assert_eq!((naming(&story, DPM), naming(&story, BDII)), (1, 0));
    assert_eq!(story.world.rollouts.get(&id("r")).expect("there").title, "dpm");
    // What another rollout has cannot be added.
    let ask = Ask::Submit { rollout: id("s"), title: String::new(), parts: vec![part(DIST, &[BDII])] };
    story.asks(&mary, ask);
    assert_eq!(story.refuses(&mary, edit(&[BDII], &[], None)), "in_other_rollout");
    let cancel = |what: &str, reason: &str| Ask::Cancel { rollout: id(what), reason: reason.into() };
    assert_eq!(story.refuses(&mary, cancel("s", "")), "no_reason");
    story.records(&mary, cancel("s", "by mistake"));
    assert_eq!(story.refuses(&mary, cancel("s", "again")), "s was cancelled");
    let ask = Ask::Move { rollout: id("s"), state: "Testing".into(), reason: String::new() };
    assert_eq!(story.refuses(&mary, ask), "cancelled");
    story.records(&mary, edit(&[BDII], &[], None));
    // Once something has moved, there is only the way back.
    story.in_testing();
    assert_eq!(story.refuses(&mary, edit(&[], &[BDII], None)), "has_moved");
    assert_eq!(story.refuses(&mary, cancel("r", "why")), "has_moved");
    story.records(&mary, edit(&[], &[], Some("another title")));
}

/// Its package may be another rollout's by then.
#[test]
fn a_rollout_that_has_come_to_its_end_gets_no_more_packages() {
    let mut story = Story::new();
    let admin = person("ann", &[Role::ADMIN]);
    story.arrives(DPM).submit("r", &[BDII]).moves(&admin, "Rejected").submit("s", &[BDII]);
    assert_eq!(story.answer, Some(Answer::Submitted(id("s"))));
    let edit = |title: Option<&str>, add: Vec<Part>| Ask::Edit {
        rollout: id("r"),
        changes: Changes { title: title.map(str::to_owned), add, remove: vec![] },
        reason: String::new(),
    };
    assert_eq!(story.refuses(&admin, edit(None, vec![part(DIST, &[DPM])])), "has_ended");
    story.records(&admin, edit(Some("by mistake"), vec![]));
}

#[test]
fn early_adopters_accept_and_report_before_a_rollout_goes_on() {
    let mut story = Story::tested();
    let (srm, mary) = (person("sue", &[Role::SRM]), person("mary", &[Role::MAINTAINER]));
    assert_eq!(story.stays(&mary, "Testing"), "not_linked");
    story.in_testing();
    let (one, two, observer) = ("ea-NGI_IT-T1", "ea-NGI_CH-CSCS", "ea-WLCG-R");
    let member = |name: &str, of: &str| person(name, &[Role::EA]).of_teams([team(of)]);
    let assign = |teams: &[&str]| Ask::Assign {
        rollout: id("r"),
        teams: teams.iter().map(|name| team(name)).collect(),
        beta: false,
        reason: String::new(),
    };
    assert_eq!(story.refuses(&mary, assign(&[one])), "role");
    assert_eq!(story.refuses(&srm, assign(&[one, "ea-NGI_IT-T2"])), "no_team");
    story.records(&srm, assign(&[one, two, observer]));
    assert!(story.refuses(&srm, assign(&[one])).contains("already"));
    let answer = |of: &str, accepts| Ask::Answer {
        answered: Answered { rollout: id("r"), team: team(of), accepts },
        reason: String::new(),
    };
    story.passes(DAY * 6);
    assert_eq!(story.stays(&srm, "Accepted"), "acknowledged reported");
    // Nobody speaks for another team, nor for their own with the role alone (S0-06).
    assert_eq!(story.refuses(&member("tom", two), answer(one, true)), "role");
    assert_eq!(story.refuses(&person("tom", &[Role::EA]), answer(one, true)), "role");
    story.records(&member("tom", one), answer(one, true)).records(&member("ida", two), answer(two, false));
    story.records(&member("oli", observer), answer(observer, true));
    assert_eq!(story.stays(&srm, "Accepted"), "acknowledged reported", "an observer does not count");
    story.records(&member("ida", two), answer(two, true));
    assert!(story.refuses(&member("ida", two), answer(two, true)).contains("has accepted r already"));
    // Who has installed it has accepted it all the same.
    let installed = Installed { rollout: id("r"), team: team(two) };
    story.records(&member("ida", two), Ask::Install { installed, reason: String::new() });
    assert_eq!(story.stays(&srm, "Accepted"), "reported");
    let report = |of: &str, outcome| {
        Ask::Report(Reported {
            rollout: id("r"),
            team: team(of),
            outcome,
            summary: String::new(),
            sections: Sections::default(),
            file: None,
        })
    };
    story.records(&member("oli", observer), report(observer, Outcome::Fail));
    story.records(&member("tom", one), report(one, Outcome::Fail));
    assert_eq!(story.stays(&srm, "Accepted"), "report_fails reported");
    // Nor does the failure go with its team.
    let mut gone = story.clone();
    gone.records(&srm, Ask::RemoveTeam { team: team(one), reason: "it fails".into() });
    assert!(gone.stays(&srm, "Accepted").starts_with("report_fails"));
    story.records(&member("tom", one), report(one, Outcome::Warning));
    let noted = IssueNoted {
        rollout: id("r"),
        issue: "#12".into(),
        title: "it dies".into(),
        show_stopper: true,
        workaround: String::new(),
        criticality: String::new(),
    };
    story.records(&member("tom", one), Ask::NoteIssue { noted, reason: String::new() });
    assert_eq!(story.stays(&srm, "Accepted"), "show_stopper");
    let close = Ask::CloseIssue { rollout: id("r"), issue: "#12".into(), reason: String::new() };
    story.records(&srm, close.clone());
    assert_eq!(story.refuses(&srm, close), "the issue #12 of r is closed already");
    story.clone().moves(&srm, "Accepted");
    // A team that has left counts no more, and one that is not asked any more neither.
    let left = Ask::RemoveTeam { team: team(two), reason: String::new() };
    assert_eq!(story.clone().records(&srm, left).stays(&srm, "Accepted"), "acknowledged");
    let unassign = Ask::Unassign { rollout: id("r"), team: team(two), reason: String::new() };
    story.records(&srm, unassign.clone());
    assert_eq!(story.refuses(&srm, unassign), format!("r is not assigned to {two}"));
    assert_eq!(story.stays(&srm, "Accepted"), "acknowledged");
}

/// S0-32: of the documents that a procedure asks for, those that are not linked are named, and no others.
#[test]
fn a_document_that_is_not_linked_is_named() {
    let mut story = Story::tested();
    let mary = person("mary", &[Role::MAINTAINER]);
    let (what, url) = ("release-notes".parse().expect("a name"), Some("https://example.org/".to_owned()));
    story.records(&mary, Ask::Link { linked: Linked { rollout: id("r"), what, url }, reason: String::new() });
    assert_eq!(story.stays(&mary, "Testing"), "not_linked");
    let Some(Answer::Refused(judged)) = &story.answer else { panic!("{:?}", story.answer) };
    let said = judged.findings.iter().find(|finding| finding.code == "not_linked").map(|it| it.sentence.as_str());
    assert_eq!(said, Some("No link to: bugs."));
    // A procedure may also say that they are missing, and let the rollout go on.
    let mut story = Story::new();
    story.rules.distributions.values_mut().next().expect("one").workflow =
        procedure::built_in("egi").expect("it ships");
    story.arrives(A).submit("r", &[A]);
    for state in ["Unverified", "InVerification"] {
        story.move_as(&[Role::ADMIN], "r", state);
    }
    let what = "bugs".parse().expect("a name");
    let linked = Linked { rollout: id("r"), what, url: Some("https://example.org/".to_owned()) };
    story.records(&caller(&[Role::ADMIN]), Ask::Link { linked, reason: String::new() });
    story.move_as(&[Role::ADMIN], "r", "StageRollOut");
    let Some(Answer::Moved { warnings, .. }) = &story.answer else { panic!("{:?}", story.answer) };
    assert_eq!(warnings[..], ["No link to: configuration, documentation, installation, release-notes"]);
}

#[test]
fn an_exposure_is_extended_and_a_gate_overridden_for_one_step() {
    let mut story = Story::tested();
    let (srm, mary) = (person("sue", &[Role::SRM]), person("mary", &[Role::MAINTAINER]));
    let extend = |days: u32, reason: &str| Ask::Extend { rollout: id("r"), by: DAY * days, reason: reason.into() };
    assert_eq!(story.refuses(&srm, extend(2, "why")), "not_asked", "not in this state");
    story.in_testing();
    assert_eq!(story.refuses(&mary, extend(0, "")), "no_reason too_long role");
    let overrule = |state: &str, gate: &str| Ask::Override {
        rollout: id("r"),
        state: state.into(),
        gate: gate.into(),
        reason: "urgent".into(),
    };
    for gate in ["acknowledged", "reported"] {
        story.records(&srm, overrule("accepted", gate));
    }
    assert_eq!(story.refuses(&srm, overrule("accepted", "packages_present")), "not_overridable");
    assert_eq!(story.refuses(&srm, overrule("accepted", "approvals")), "not_asked");
    assert_eq!(story.refuses(&srm, overrule("production", "approvals")), "not_asked", "it does not start here");
    assert_eq!(story.refuses(&mary, overrule("accepted", "exposure")), "role");
    story.passes(DAY * 5).records(&srm, extend(2, "two sites want the weekend"));
    assert_eq!(story.stays(&srm, "Accepted"), "exposure");
    story.passes(DAY * 2).moves(&srm, "Accepted");
    let dossier = story.world.dossiers.of(&id("r")).expect("there");
    assert!(dossier.extended.is_zero() && dossier.overridden.is_empty(), "it is used up");
}

#[test]
fn an_approval_counts_once_for_each_person_and_only_for_these_packages() {
    let mut story = Story::tested();
    let (srm, mary) = (person("sue", &[Role::SRM]), person("mary", &[Role::MAINTAINER, Role::VERIFIER]));
    let approve =
        |role: Option<Role>| Ask::Approve { rollout: id("r"), state: "production".into(), role, reason: String::new() };
    let both = person("bob", &[Role::SRM, Role::VERIFIER]);
    story.records(&both, approve(None));
    let edit = Changes { add: vec![part(DIST, &[DPM])], ..Changes::default() };
    story.records(&mary, Ask::Edit { rollout: id("r"), changes: edit, reason: String::new() });
    assert!(story.world.dossiers.of(&id("r")).expect("there").approvals.is_empty(), "other packages");
    story.in_testing().passes(DAY * 5);
    for gate in ["acknowledged", "reported"] {
        let (rollout, state) = (id("r"), "Accepted".to_owned());
        story.records(&srm, Ask::Override { rollout, state, gate: gate.into(), reason: "why".into() });
    }
    story.moves(&srm, "Accepted");
    assert_eq!(story.stays(&srm, "Production"), "approvals approvals");
    assert_eq!(story.refuses(&person("eve", &[Role::EA]), approve(None)), "role");
    assert_eq!(story.refuses(&srm, approve(Some(Role::VERIFIER))), "role");
    story.records(&both, approve(None));
    assert_eq!(
        story.refuses(&both, approve(Some(Role::VERIFIER))),
        "you have already approved the step of r to Production"
    );
    assert_eq!(story.stays(&srm, "Production"), "approvals");
    // Whoever submitted it may approve, and does not count.
    story.records(&mary, approve(None));
    assert_eq!(story.stays(&srm, "Production"), "approvals");
    story.records(&person("vic", &[Role::VERIFIER]), approve(None));
    let take_back = Ask::Disapprove { rollout: id("r"), state: "Production".into(), reason: String::new() };
    let mut other = story.clone();
    other.records(&both, take_back.clone());
    assert_eq!(other.refuses(&both, take_back), "you have not approved the step of r to Production");
    assert_eq!(other.stays(&srm, "Production"), "approvals");
    story.moves(&srm, "Production");
    let state = Ask::Approve { rollout: id("r"), state: "Testing".into(), role: None, reason: String::new() };
    assert_eq!(story.refuses(&both, state), "not_asked");
}

#[test]
fn notes_and_links_are_kept_also_of_what_has_come_to_its_end() {
    let mut story = Story::tested();
    let mary = person("mary", &[Role::MAINTAINER]);
    let note = |text: &str| Ask::Note(Noted { rollout: id("r"), note: text.into() });
    assert_eq!(story.refuses(&person("tim", &[Role::TRACKER]), note(" ")), "no_note role");
    story.records(&mary, note("restart it"));
    let link = |url: Option<&str>| Ask::Link {
        linked: Linked { rollout: id("r"), what: "bugs".parse().expect("a name"), url: url.map(str::to_owned) },
        reason: String::new(),
    };
    assert_eq!(story.refuses(&mary, link(Some("javascript:alert(1)"))), "no_address");
    assert_eq!(story.refuses(&mary, link(None)), "r has no such link");
    story.records(&mary, link(Some("https://example.org/bugs"))).records(&mary, link(None));
    story.records(&mary, Ask::Cancel { rollout: id("r"), reason: "by mistake".into() });
    story.records(&mary, note("it was the wrong version"));
    let notes = story.world.dossiers.of(&id("r")).expect("there").notes.len();
    assert_eq!(notes, 2);
}

#[test]
fn a_right_is_had_by_its_roles_and_by_no_others_and_only_where_they_hold() {
    let (here, there): (DistPath, DistPath) = (DIST.parse().expect("a path"), "umd/4".parse().expect("a path"));
    for right in rights::ALL {
        for role in Role::KNOWN {
            let may = right.roles.contains(&role);
            assert_eq!(right.lacking(&person("x", std::slice::from_ref(&role)), [&here]).is_none(), may, "{role}");
            let mut local = person("x", &[]);
            local.grants.push(Grant { role: role.clone(), scope: Scope::distribution(here.clone()) });
            assert_eq!(right.lacking(&local, [&here]).is_none(), may, "{role} {}", right.what);
            assert!(right.lacking(&local, [&here, &there]).is_some(), "{role} {}", right.what);
            assert!(right.lacking(&local, []).is_some(), "{role} {}", right.what);
            // For a stack it holds for its rollouts, and for nothing else.
            let stack = Some("EMI".parse().expect("a stack"));
            local.grants = vec![Grant { role: role.clone(), scope: Scope::Within { dist: None, stack } }];
            let lacks = |title: &str| right.lacking_at(&local, [&here], title).is_some();
            assert_eq!(!lacks("Staged Rollout EMI-1.0 bdii-site 1.0.1"), may, "{role} {}", right.what);
            assert!(lacks("Staged Rollout ARC-6 arc-ce 6.0") && lacks(""), "{role} {}", right.what);
            assert!(right.lacking(&local, [&here]).is_some() && right.lacking(&local, []).is_some());
            // Belonging to a team is no role for anything else.
            assert!(right.lacking(&person("x", &[]).of_teams([team("ea-A-B")]), [&here]).is_some());
        }
    }
}

/// gLite's release of two patches, one of which turns out to need more time (S1-14 to S1-34, S1-53).
#[test]
fn a_bundle_moves_as_a_whole_or_in_part_and_only_when_it_is_complete() {
    let mut story = Story::new();
    let rules = story.rules.distributions.values_mut().next().expect("one");
    rules.workflow = procedure::built_in("glite").expect("it ships");
    let (mu, ou) = (person("mary", &[Role::MU]), person("olga", &[Role::OU]));
    let reason = || "because".to_owned();
    let bundle = |text: &str| text.parse::<BundleId>().expect("an id");
    for (rollout, nevra) in [("r", BDII), ("s", DPM), ("t", "bdii-5.2.23-1.el6.noarch")] {
        story.arrives(nevra);
        let ask = Ask::Submit { rollout: id(rollout), title: String::new(), parts: vec![part(DIST, &[nevra])] };
        story.asks(&person("ann", &[Role::ADMIN]), ask);
        assert!(matches!(story.answer, Some(Answer::Submitted(_))), "{:?}", story.answer);
    }
    let open = |name: &str| Ask::OpenBundle(BundleOpened { bundle: bundle(name), title: String::new() });
    let join = |name: &str, rollouts: &[&str]| Ask::JoinBundle {
        bundle: bundle(name),
        rollouts: rollouts.iter().map(|text| id(text)).collect(),
        reason: reason(),
    };
    let moves = |state: &str, only: &[&str]| Ask::MoveBundle {
        bundle: bundle("B-1"),
        state: state.into(),
        only: only.iter().map(|text| id(text)).collect(),
        reason: reason(),
    };
    assert_eq!(story.refuses(&person("eve", &[Role::EA]), open("B-1")), "role");
    story.records(&mu, open("B-1")).records(&mu, open("B-2"));
    assert_eq!(story.refuses(&mu, open("B-1")), "the bundle B-1 is open already");
    assert_eq!(story.refuses(&ou, moves("Ready for Rollout", &[])), "the bundle B-1 has no rollouts");
    story.records(&mu, join("B-1", &["r", "s"])).records(&mu, join("B-2", &["t"]));
    assert_eq!(story.refuses(&mu, join("B-2", &["r", "u"])), "in_bundle no_rollout");
    // Another bundle has a package of the same name (S1-14).
    assert_eq!(story.refuses(&ou, moves("Ready for Rollout", &[])), "repository_conflict");
    let close = Ask::CloseBundle { bundle: bundle("B-2"), reason: reason() };
    story.records(&mu, close);
    assert_eq!(story.refuses(&mu, open("B-2")), "the bundle B-2 was used already");
    story.records(&ou, moves("Ready for Rollout", &[]));
    assert_eq!(story.refuses(&ou, moves("rolling out", &[])), "role role");
    story.records(&mu, moves("rolling out", &[])).carried_out();
    assert_eq!((story.trees(BDII), story.trees(DPM)), (vec!["delta".to_owned()], vec!["delta".to_owned()]));
    assert_eq!(story.refuses(&mu, join("B-1", &["r"])), "in_bundle");
    // Roll-out tasks, with a quarantine (S1-22 to S1-27).
    for (name, ngi) in [("ea-NGI_IT-T1", "NGI_IT"), ("ea-NGI_CH-CSCS", "NGI_CH")] {
        story.records(&ou, registered(name, ngi));
    }
    let tasks = |teams: &[&str]| Ask::CreateTasks {
        services: [].into(),
        bundle: bundle("B-1"),
        kind: TaskKind::RollOut,
        teams: teams.iter().map(|name| team(name)).collect(),
        quarantine: None,
        reason: reason(),
    };
    assert_eq!(story.refuses(&ou, moves("ready for production", &["r"])), "exposure tasks");
    story.passes(SETTLING);
    assert_eq!(story.refuses(&ou, tasks(&["ea-NGI_IT-T1"])), "bundle_incomplete", "the release notes list nothing");
    let announce = |rollouts: &[&str]| Ask::Announce {
        bundle: bundle("B-1"),
        rollouts: rollouts.iter().map(|text| id(text)).collect(),
        reason: reason(),
    };
    story.records(&mu, announce(&["r"]));
    assert_eq!(story.refuses(&ou, tasks(&["ea-NGI_IT-T1"])), "bundle_incomplete", "they do not list s");
    story.records(&mu, announce(&[])).records(&ou, tasks(&["ea-NGI_IT-T1", "ea-NGI_CH-CSCS"]));
    assert_eq!(story.refuses(&ou, tasks(&["ea-NGI_CH-CSCS"])), "has_task");
    let begin = |task, outcome| Ask::BeginTask { task, outcome, reason: reason() };
    let done = |task, outcome, early| Ask::EndTask { task, outcome, early, reason: reason() };
    let (one, two) = (
        person("tom", &[Role::EA]).of_teams([team("ea-NGI_IT-T1")]),
        person("ida", &[Role::EA]).of_teams([team("ea-NGI_CH-CSCS")]),
    );
    assert_eq!(story.refuses(&two, begin(1, Outcome::Success)), "role");
    assert_eq!(story.refuses(&one, done(1, Outcome::Success, false)), "task 1 is New, not In Progress");
    story.records(&one, begin(1, Outcome::Success)).records(&two, begin(2, Outcome::Warning));
    story.passes(DAY * 6 + Duration::from_mins(24 * 60 - 1));
    assert_eq!(story.refuses(&one, done(1, Outcome::Success, false)), "quarantine");
    assert_eq!(story.refuses(&one, done(1, Outcome::Success, true)), "role");
    story.clone().records(&ou, done(1, Outcome::Success, true));
    story.passes(Duration::from_mins(1));
    story.records(&one, done(1, Outcome::Success, false)).records(&two, done(2, Outcome::Fail, false));
    assert_eq!(story.refuses(&ou, moves("ready for production", &["r"])), "task_fails");
    story.passes(SETTLING).records(&ou, tasks(&["ea-NGI_CH-CSCS"])).records(&two, begin(3, Outcome::Success));
    story.passes(DAY * 7).records(&two, done(3, Outcome::Success, false));
    // A partial release (S1-53): the notes list what is released, and the rest stays with the early adopters.
    story.records(&ou, moves("ready for production", &["r"]));
    assert_eq!(story.refuses(&mu, moves("in production", &["r"])), "bundle_incomplete approvals");
    story.records(&mu, announce(&["r"]));
    let number = |rollouts: &[&str]| Ask::NumberUpdate {
        series: "gLite-3.2".parse().expect("a series"),
        bundle: Some(bundle("B-1")),
        rollouts: rollouts.iter().map(|text| id(text)).collect(),
        reason: reason(),
    };
    assert_eq!(story.refuses(&ou, number(&["r"])), "role");
    story.records(&mu, number(&["r"]));
    assert_eq!(story.refuses(&mu, number(&["r"])), "update 1 of gLite-3.2 is exactly that already");
    let numbers: Vec<u64> = story.world.bundles.updates().map(|update| update.number).collect();
    assert_eq!(numbers, [1]);
    // The operation managers approve before anything goes on-line (S1-38).
    let approve = |only: &[&str]| Ask::ApproveBundle {
        bundle: bundle("B-1"),
        state: "in production".into(),
        only: only.iter().map(|text| id(text)).collect(),
        role: None,
        reason: reason(),
    };
    assert_eq!(story.refuses(&mu, moves("in production", &["r"])), "approvals");
    assert_eq!(story.refuses(&mu, approve(&["r"])), "role");
    assert_eq!(story.refuses(&ou, approve(&["t"])), "t is not in the bundle B-1, nor do its release notes list it");
    story.records(&ou, approve(&["r"]));
    assert_eq!(story.refuses(&ou, approve(&["r"])), "the bundle B-1 has your approval already");
    story.records(&mu, moves("in production", &["r"])).carried_out();
    assert_eq!((story.trees(BDII), story.trees(DPM)), (vec!["production".to_owned()], vec!["delta".to_owned()]));
    assert_eq!(story.refuses(&mu, moves("in production", &["r"])), "the bundle B-1 is there already");
    // The rest is rejected, and leaves delta (S1-42, S1-43).
    story.records(&ou, moves("rejected", &["s"])).carried_out();
    assert_eq!((story.trees(BDII), story.trees(DPM)), (vec!["production".to_owned()], vec![]));
    let leave = Ask::LeaveBundle { bundle: bundle("B-1"), rollout: id("t"), reason: reason() };
    assert_eq!(story.refuses(&mu, leave), "t is not in the bundle B-1");
}

/// S0-35, S0-05: a team answers within a working day, and then somebody else has to know.
#[test]
fn what_somebody_has_to_do_is_said_by_deadline() {
    let mut story = Story::tested();
    let (srm, mary) = (person("sue", &[Role::SRM]), person("mary", &[Role::MAINTAINER]));
    let tom = person("tom", &[Role::EA]).of_teams([team("ea-NGI_IT-T1")]);
    let said = |story: &Story, who: &Caller| -> Vec<String> {
        let duties = todo(story.known(), who);
        duties.into_iter().map(|duty| format!("{:?}: {} [{}]", duty.by, duty.what, duty.command)).collect()
    };
    // The epoch was a Thursday.
    assert_eq!(said(&story, &mary), [""; 0], "the release notes are missing");
    story.in_testing();
    assert_eq!(said(&story, &tom), [""; 0]);
    let assign = Ask::Assign {
        rollout: id("r"),
        teams: vec![team("ea-NGI_IT-T1"), team("ea-NGI_CH-CSCS")],
        beta: false,
        reason: String::new(),
    };
    story.passes(DAY * 2).records(&srm, assign);
    // Asked on a Saturday: by Tuesday at midnight, which is one working day after Monday began.
    let accept = "ea-NGI_IT-T1 is asked to test r: accept or reject it [accept r ea-NGI_IT-T1]";
    assert_eq!(said(&story, &tom), [format!("Until(1970-01-06T00:00:00Z): {accept}")]);
    assert_eq!(said(&story, &srm), [""; 0]);
    story.passes(DAY * 3 + Duration::from_secs(1));
    assert_eq!(said(&story, &tom), [format!("Overdue(1970-01-06T00:00:00Z): {accept}")]);
    let silent = said(&story, &srm);
    assert_eq!(silent.len(), 2, "{silent:?}");
    assert!(silent.iter().all(|duty| duty.starts_with("Overdue(1970-01-06T00:00:00Z): ea-NGI_")), "{silent:?}");
    for name in ["ea-NGI_IT-T1", "ea-NGI_CH-CSCS"] {
        let answered = Answered { rollout: id("r"), team: team(name), accepts: true };
        story.records(&srm, Ask::Answer { answered, reason: String::new() });
    }
    assert_eq!(said(&story, &tom).len(), 1);
    assert!(said(&story, &tom)[0].contains("report what came of it"));
    let reported = Reported {
        rollout: id("r"),
        team: team("ea-NGI_IT-T1"),
        outcome: Outcome::Success,
        summary: String::new(),
        sections: Sections::default(),
        file: None,
    };
    story.records(&tom, Ask::Report(reported));
    assert_eq!(said(&story, &tom), [""; 0]);
    // Whoever has accepted late has as much time as the others.
    assert_eq!(said(&story, &srm), ["None: r can go from Testing to Accepted [move r Accepted]"]);
    story.passes(DAY * 5);
    // One report is enough for the gate, and the other team has said that it reports.
    let late = "Overdue(1970-01-11T00:00:01Z): ea-NGI_CH-CSCS has accepted r but not reported in time: ask it [report \
                add r ea-NGI_CH-CSCS OUTCOME]";
    assert_eq!(said(&story, &srm), [late, "None: r can go from Testing to Accepted [move r Accepted]"]);
    story.moves(&srm, "Accepted");
    let approve = "None: r may need your approval for Production, as srm [approve r Production]";
    assert_eq!(said(&story, &srm), [approve]);
    let ask = Ask::Approve { rollout: id("r"), state: "Production".into(), role: None, reason: String::new() };
    story.records(&srm, ask);
    assert_eq!(said(&story, &srm), [""; 0]);
}

/// S3-26.
#[test]
fn a_test_that_fails_is_reported_and_the_cycle_begins_anew() {
    let mut story = Story::new();
    let rules = story.rules.distributions.values_mut().next().expect("one");
    rules.workflow = procedure::built_in("egi").expect("it ships");
    story.arrives(BDII).submit("r", &[BDII]);
    let vera = person("vera", &[Role::VERIFIER]);
    let back = |reason: &str| Ask::Move { rollout: id("r"), state: "Unverified".into(), reason: reason.into() };
    let cycle = |story: &Story| story.world.dossiers.of(&id("r")).and_then(|dossier| dossier.cycle);
    story.moves(&vera, "Unverified").moves(&vera, "InVerification");
    assert_eq!((cycle(&story), story.refuses(&vera, back(" "))), (None, "no_report".to_owned()));
    story.asks(&vera, back("it does not start"));
    assert_eq!((story.state("r"), cycle(&story)), ("Unverified".to_owned(), Some(2)));
    // What is asked of the developers and answered is no failure; a tracker has the report on its ticket.
    for state in ["InVerification", "Waiting for response", "InVerification", "Waiting for response"] {
        story.moves(&vera, state);
    }
    assert_eq!(cycle(&story), Some(2));
    story.hint("d1", "r", "Unverified");
    assert_eq!(cycle(&story), Some(3));
    let failures = &story.world.dossiers.of(&id("r")).expect("it has one").failures;
    let reports: Vec<&str> = failures.iter().map(|failure| failure.text.as_str()).collect();
    assert_eq!(reports, ["it does not start", "delivery d1"]);
}
