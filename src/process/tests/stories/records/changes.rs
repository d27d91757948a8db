//! Changes: who asks, who says what it is, who approves, and what it does to the rollouts that carry it out.

use super::*;
use crate::domain::names::{Category, ChangeId};
use crate::domain::request::{ChangeKind, ChangePolicy, Priority, StandardRule, Status, Wanted};
use crate::process::fact::change::Overridden;
use crate::process::fact::request::{ChangeRecorded, ChangeTied};

pub(super) fn change(text: &str) -> ChangeId {
    text.parse().expect("an id")
}

pub(super) fn asks_for(text: &str, title: &str, kind: Option<ChangeKind>, priority: Option<Priority>) -> Ask {
    let (origin, category) = (String::new(), None);
    Ask::RecordChange(Wanted { change: change(text), title: title.into(), origin, category, priority, kind })
}

fn assesses(text: &str, what: &str) -> Ask {
    let (assessment, priority, category) = (what.to_owned(), Some(Priority::High), None);
    Ask::AssessChange { change: change(text), assessment, priority, category }
}

fn approves(text: &str) -> Ask {
    Ask::ApproveChange { change: change(text), role: None, reason: String::new() }
}

pub(super) fn puts(text: &str, status: Status) -> Ask {
    Ask::PutChange { change: change(text), status, reason: "so".into() }
}

pub(super) fn ties(text: &str, rollout: &str) -> Ask {
    Ask::Tie { change: change(text), rollouts: vec![id(rollout)], reason: String::new() }
}

fn board() -> Caller {
    person("olga", &[Role::OMB])
}

pub(super) fn developer() -> Caller {
    person("paul", &[Role::PT])
}

impl Story {
    /// The change was recorded, assessed, approved and accepted.
    fn accepted(&mut self, text: &str) -> &mut Self {
        self.records(&developer(), asks_for(text, "a view of all sites", None, None));
        self.records(&developer(), assesses(text, "two days"));
        self.records(&developer(), approves(text)).records(&board(), approves(text));
        self.records(&board(), puts(text, Status::Accepted))
    }
}

/// S3-07, S3-13, S3-14, S3-16, S4-06.
#[test]
fn a_change_is_assessed_and_approved_by_both_groups_before_it_is_accepted() {
    let mut story = Story::new();
    let (paul, olga, eve) = (developer(), board(), person("eve", &[Role::OBSERVER]));
    assert_eq!(story.refuses(&eve, asks_for("c", "", None, None)), "no_title role");
    story.records(&paul, asks_for("c", "a view of all sites", None, None));
    assert!(story.refuses(&paul, asks_for("c", "another", None, None)).contains("recorded already"));
    let request = |story: &Story| story.world.requests.get(&change("c")).expect("recorded").clone();
    assert_eq!((request(&story).kind, request(&story).priority), (ChangeKind::Normal, Priority::None));
    // Nobody approves what nobody has assessed, and nobody begins what was not accepted.
    assert_eq!(story.refuses(&olga, approves("c")), "not_assessed");
    assert_eq!(story.refuses(&olga, puts("c", Status::Accepted)), "not_assessed approvals approvals");
    assert_eq!(story.refuses(&paul, puts("c", Status::InProgress)), "no_transition");
    assert_eq!(story.refuses(&olga, assesses("c", "two days")), "role");
    assert_eq!(story.refuses(&paul, assesses("c", " ")), "no_assessment");
    story.records(&paul, assesses("c", "two days"));
    assert_eq!((request(&story).priority, request(&story).status), (Priority::High, Status::New));
    // One group is not enough, and each person counts once.
    story.records(&olga, approves("c"));
    assert_eq!(story.refuses(&olga, puts("c", Status::Accepted)), "approvals");
    assert!(story.refuses(&olga, approves("c")).contains("already"));
    assert_eq!(story.refuses(&eve, approves("c")), "role");
    // What was approved is what was assessed.
    story.records(&paul, assesses("c", "two weeks"));
    assert_eq!(story.refuses(&olga, puts("c", Status::Accepted)), "approvals approvals");
    story.records(&olga, approves("c")).records(&paul, approves("c"));
    assert_eq!(story.refuses(&paul, puts("c", Status::Accepted)), "role");
    let take_back = Ask::DisapproveChange { change: change("c"), reason: String::new() };
    story.clone().records(&paul, take_back.clone()).refuses(&olga, puts("c", Status::Accepted));
    story.records(&olga, puts("c", Status::Accepted));
    assert!(story.refuses(&paul, take_back).contains("too late"));
    assert_eq!(story.refuses(&olga, approves("c")), "too_late");
    story.records(&paul, puts("c", Status::InProgress)).records(&paul, puts("c", Status::Resolved));
    assert!(story.refuses(&paul, assesses("c", "more")).contains("is Resolved"));
    assert!(story.refuses(&paul, puts("nope", Status::New)).contains("there is no change nope"));
}

#[test]
fn whoever_recorded_a_change_does_not_approve_it_where_four_eyes_are_wanted() {
    let mut story = Story::new();
    story.rules.changes.four_eyes = true;
    story.rules.changes.each = 2;
    story.records(&developer(), asks_for("c", "a view", None, None)).records(&developer(), assesses("c", "a day"));
    story.records(&developer(), approves("c")).records(&board(), approves("c"));
    story.records(&person("oscar", &[Role::OMB]), approves("c"));
    story.records(&person("petra", &[Role::PT]), approves("c"));
    assert_eq!(story.refuses(&board(), puts("c", Status::Accepted)), "approvals");
    // An advisory group may say yes as well, and need not (S3-15).
    story.records(&person("otto", &[Role::OTAG]), approves("c"));
    assert_eq!(story.refuses(&board(), puts("c", Status::Accepted)), "approvals");
    story.records(&person("pia", &[Role::PT]), approves("c")).records(&board(), puts("c", Status::Accepted));
}

/// S3-10, S3-11.
#[test]
fn a_standard_change_cites_the_rule_that_approves_it() {
    let mut story = Story::new();
    let rule = StandardRule {
        id: "ca-update".into(),
        pattern: "CA update *".parse().expect("a pattern"),
        category: None,
        procedure: "https://wiki.example.org/ca".into(),
    };
    let categories = BTreeSet::from(["GOCDB".parse::<Category>().expect("a category")]);
    story.rules.changes = ChangePolicy { standard: vec![rule], categories, ..ChangePolicy::default() };
    let paul = developer();
    let standard = Some(ChangeKind::Standard);
    assert_eq!(story.refuses(&paul, asks_for("c", "a new view", standard, None)), "not_standard");
    let of = |category: &str| {
        let Ask::RecordChange(wanted) = asks_for("c", "ca update 1.45", None, None) else { unreachable!() };
        Ask::RecordChange(Wanted { category: category.parse().ok(), ..wanted })
    };
    assert_eq!(story.refuses(&paul, of("GGUS")), "no_category");
    story.records(&paul, of("GOCDB"));
    let cited = story.facts.iter().find_map(|fact| match fact {
        Fact::ChangeRecorded(ChangeRecorded { rule, kind, .. }) => Some((rule.clone(), *kind)),
        _ => None,
    });
    assert_eq!(cited, Some((Some("ca-update".into()), ChangeKind::Standard)));
    story.records(&paul, assesses("c", "as always"));
    assert_eq!(story.refuses(&paul, approves("c")), "not_asked");
    story.records(&board(), puts("c", Status::Accepted));
    // What the configuration no longer has was approved by it all the same.
    story.rules.changes.standard.clear();
    story.records(&paul, puts("c", Status::InProgress));
}

/// S3-08.
#[test]
fn while_a_change_is_stalled_its_rollouts_stay_and_their_time_stands_still() {
    let mut story = Story::tested();
    story.in_testing().accepted("c").records(&developer(), ties("c", "r"));
    assert_eq!(story.refuses(&person("eve", &[Role::EA]), ties("c", "r")), "role");
    let sue = person("sue", &[Role::SRM]);
    let until = |story: &mut Story| {
        story.stays(&sue, "Accepted");
        let Some(Answer::Refused(judged)) = &story.answer else { panic!("it stays") };
        let exposure = judged.findings.iter().find(|finding| finding.code == "exposure");
        let exposure = exposure.filter(|finding| finding.verdict != Verdict::Pass);
        exposure.map(|finding| (finding.sentence.clone(), finding.not_before.is_some()))
    };
    let said = |days: i64, more: &str| {
        let at = story_start(days);
        Some((format!("The packages have to be in testing for 5d{more}, until {at:.0}."), true))
    };
    assert_eq!(until(&mut story), said(5, ""));
    story.passes(DAY * 2).records(&developer(), puts("c", Status::Stalled));
    assert!(story.stays(&sue, "Accepted").contains("change_stalled"));
    let left = "The packages have to be in testing for 5d; 3d remain once c goes on.";
    assert_eq!(until(&mut story), Some((left.to_owned(), false)));
    // Not even a rollout that is let go gets the time back.
    let untie = Ask::Untie { change: change("c"), rollout: id("r"), reason: String::new() };
    let mut let_go = story.passes(DAY * 10).clone();
    let_go.records(&sue, untie);
    assert_eq!(until(&mut let_go), said(15, ", not counting 10d for which it was stalled"));
    assert_eq!(until(&mut story), Some((left.to_owned(), false)));
    // It goes on where it was, and nowhere else.
    assert_eq!(story.refuses(&developer(), puts("c", Status::New)), "no_transition");
    story.records(&board(), puts("c", Status::Accepted));
    assert_eq!(until(&mut story), said(15, ", not counting 10d for which it was stalled"));
    story.passes(DAY * 3);
    assert_eq!(until(&mut story), None);
    // What takes packages back goes on all the time.
    story.records(&board(), puts("c", Status::Rejected));
    assert!(story.stays(&sue, "Accepted").contains("change_rejected"));
    story.moves(&sue, "Withdrawn");
}

fn story_start(days: i64) -> Timestamp {
    Timestamp::from_second(days * 86_400).expect("a time")
}

/// A tracker's wish that waits for a change is carried out when it goes on.
#[test]
fn a_wish_waits_while_a_change_is_stalled() {
    let mut story = Story::new();
    story.arrives(BDII).submit("r", &[BDII]).move_as(&[Role::ADMIN], "r", "InVerification").accepted("c");
    story.records(&developer(), ties("c", "r")).records(&developer(), puts("c", Status::Stalled));
    story.hint("d1", "r", "StageRollOut");
    assert!(story.world.rollouts.is_waiting(&id("r")));
    story.records(&board(), puts("c", Status::Accepted));
    assert_eq!(story.state("r"), "StageRollOut");
}

/// S3-12: an emergency hurries the rollouts that carry it out, by right and with the change cited, and nothing else.
#[test]
fn an_emergency_overrides_what_takes_time_for_its_own_rollouts() {
    let mut story = Story::tested();
    let (mary, sue) = (person("mary", &[Role::MAINTAINER]), person("sue", &[Role::SRM]));
    let emergency = Some(ChangeKind::Emergency);
    assert_eq!(story.refuses(&mary, asks_for("e", "CVE-2026-1", emergency, None)), "role");
    assert_eq!(story.refuses(&sue, asks_for("e", "CVE-2026-1", emergency, Some(Priority::Low))), "not_urgent");
    story.records(&sue, asks_for("e", "CVE-2026-1", emergency, None)).in_testing().accepted("c");
    assert_eq!(story.world.requests.get(&change("e")).map(|request| request.priority), Some(Priority::Immediate));
    let hastens = |of: &str, gate: &str| Ask::Hasten {
        rollout: id("r"),
        state: "Accepted".into(),
        gate: gate.into(),
        change: change(of),
        reason: String::new(),
    };
    assert_eq!(story.refuses(&mary, hastens("e", "exposure")), "not_tied");
    story.records(&mary, ties("e", "r"));
    assert_eq!(story.refuses(&mary, ties("c", "r")), "tied");
    assert_eq!(story.refuses(&mary, hastens("c", "exposure")), "no_emergency not_tied");
    assert_eq!(story.refuses(&mary, hastens("e", "show_stoppers")), "not_overridable");
    assert_eq!(story.refuses(&mary, hastens("e", "calendar")), "not_asked");
    assert_eq!(story.refuses(&person("eve", &[Role::EA]), hastens("e", "exposure")), "role");
    assert_eq!(story.stays(&sue, "Accepted"), "exposure acknowledged reported");
    for gate in ["exposure", "acknowledged", "reported"] {
        story.records(&mary, hastens("e", gate));
        let Some(Fact::Overridden(Overridden { change: cited, .. })) = story.facts.last() else { panic!("{gate}") };
        assert_eq!(cited, &Some(change("e")));
    }
    let unties = Ask::Untie { change: change("e"), rollout: id("r"), reason: "by mistake".into() };
    assert_eq!(story.refuses(&mary, unties), "hastened", "it is reviewed");
    story.moves(&sue, "Accepted");
    // It is worked on before anybody has accepted it.
    story.records(&mary, puts("e", Status::InProgress));
    assert!(story.refuses(&board(), approves("e")).contains("not_asked"));
}

/// S3-14: a procedure may ask for a change that was accepted.
#[test]
fn a_procedure_may_ask_for_an_accepted_change() {
    let mut story = Story::new();
    let text = "name = \"changed\"\ninitial = \"Draft\"\nsubmit = [\"admin\"]\n\
        state = [{ name = \"Draft\" }, { name = \"Production\" }]\n\
        [[transition]]\nfrom = \"Draft\"\nto = \"Production\"\nwho = [\"admin\"]\n\
        gates = [\"change_accepted\"]\nmove = { from = \"untested\", to = \"production\" }\n";
    let workflow = procedure::read(text, std::path::Path::new("changed.toml")).expect("legal").workflow;
    story.rules.distributions.values_mut().next().expect("one").workflow = workflow;
    let ann = person("ann", &[Role::ADMIN]);
    story.arrives(BDII).arrives(DPM).submit("r", &[BDII]);
    assert_eq!(story.stays(&ann, "Production"), "no_change");
    story.records(&developer(), asks_for("c", "a view", None, None)).records(&developer(), ties("c", "r"));
    assert_eq!(story.stays(&ann, "Production"), "change_not_accepted");
    // An emergency need not be accepted; and a rollout may be submitted for a change.
    story.records(&ann, asks_for("e", "CVE-2026-1", Some(ChangeKind::Emergency), None));
    let submit = |change_id: &str, packages: &[&str]| Ask::SubmitFor {
        change: change(change_id),
        rollout: id("s"),
        title: String::new(),
        parts: vec![part(DIST, packages)],
    };
    assert!(story.refuses(&ann, submit("nope", &[DPM])).contains("there is no change nope"));
    assert_eq!(story.refuses(&ann, submit("e", &[BDII])), "in_other_rollout");
    story.asks(&ann, submit("e", &[DPM]));
    let tied = ChangeTied { change: change("e"), rollout: id("s") };
    assert_eq!((story.facts.last(), &story.answer), (Some(&tied.into()), &Some(Answer::Submitted(id("s")))));
    let ask = Ask::Move { rollout: id("s"), state: "Production".into(), reason: String::new() };
    story.asks(&ann, ask);
    assert!(matches!(story.answer, Some(Answer::Moved { .. })), "{:?}", story.answer);
    story.carried_out();
    // All of its rollouts are released, so it can be resolved (S3-09).
    story.records(&ann, puts("e", Status::InProgress));
    let said = |story: &Story, who: &Caller| {
        todo(story.known(), who).into_iter().map(|duty| format!("{} [{}]", duty.what, duty.command)).collect::<Vec<_>>()
    };
    let told = [developer(), board(), ann].map(|who| said(&story, &who).join("\n"));
    insta::assert_snapshot!(told.join("\n--\n"));
}
