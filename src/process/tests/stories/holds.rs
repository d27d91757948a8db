//! What stops for a time: rollouts on hold, maintenances, steps with a date.

use super::records::{DAY, id, person};
use super::*;
use crate::domain::names::MaintenanceId;
use crate::process::fact::change::{Resumed, Stalled};
use crate::process::fact::maintenance::MaintenanceDeclared;

const BDII: &str = "bdii-5.2.22-1.el6.noarch";

fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

fn admin() -> Caller {
    person("ann", &[Role::ADMIN])
}

/// A rollout `r` by the procedure `simple`, in Testing since noon of the first of December.
fn in_testing() -> Story {
    let mut story = Story::new();
    story.rules.distributions.values_mut().next().expect("one").workflow =
        procedure::built_in("simple").expect("it ships");
    story.now = at("2026-12-01T12:00:00Z");
    story.arrives(BDII).submit("r", &[BDII]).move_as(&[Role::ADMIN], "r", "Testing").carried_out().is_approved();
    story
}

impl Story {
    /// What speaks against Production.
    fn against(&mut self) -> String {
        let ask = Ask::Move { rollout: id("r"), state: "Production".into(), reason: String::new() };
        self.refuses(&admin(), ask)
    }
}

fn stall(reason: &str) -> Ask {
    Ask::Stall { rollout: id("r"), reason: reason.into() }
}

fn resume() -> Ask {
    Ask::Resume { rollout: id("r"), reason: String::new() }
}

#[test]
fn on_hold_no_time_passes_and_nothing_goes_forward() {
    let mut story = in_testing();
    story.hint("1", "r", "Production");
    let due = |story: &Story| story.world.rollouts[&id("r")].wanted.clone().and_then(|wanted| wanted.not_before);
    assert_eq!(due(&story).map(Elapsed::timestamp), Some(at("2026-12-08T12:00:00Z")));
    story.passes(DAY * 2);
    assert_eq!(story.refuses(&person("eve", &[Role::EA]), stall("x")), "role");
    assert_eq!(story.refuses(&admin(), stall(" ")), "no_reason");
    assert_eq!(story.refuses(&admin(), resume()), "r is not on hold");
    story.records(&admin(), stall("its developers have to answer"));
    assert_eq!(due(&story), None, "nobody knows when it goes on");
    assert!(story.refuses(&admin(), stall("again")).contains("is on hold already"));
    story.passes(DAY * 30);
    assert_eq!(story.against(), "on_hold exposure");
    assert_eq!(story.refuses(&person("eve", &[Role::EA]), resume()), "role");
    story.records(&admin(), resume());
    // Two days have passed, five are to come.
    assert_eq!(due(&story).map(Elapsed::timestamp), Some(at("2027-01-07T12:00:00Z")));
    story.passes(Duration::from_secs(5 * 86_400 - 1));
    assert_eq!(story.against(), "exposure");
    story.passes(Duration::from_secs(1)).judge_all().carried_out();
    assert_eq!(story.state("r"), "Production");
}

#[test]
fn what_is_on_hold_can_be_withdrawn_and_is_on_hold_no_longer() {
    let mut story = in_testing();
    story.records(&admin(), stall("it breaks everything"));
    story.move_as(&[Role::ADMIN], "r", "Withdrawn").carried_out();
    assert_eq!(story.state("r"), "Withdrawn");
    assert!(story.world.dossiers.of(&id("r")).is_some_and(|dossier| dossier.stalled.is_none()));
    assert_eq!(story.refuses(&admin(), stall("again")), "has_ended");
}

#[test]
fn a_clock_that_was_ahead_makes_no_pause_longer() {
    let mut world = in_testing().world;
    // The wall clock was years ahead meanwhile.
    let facts: [(Fact, &str); 2] = [
        (Stalled { rollout: id("r") }.into(), "2030-01-01T00:00:00Z"),
        (Resumed { rollout: id("r") }.into(), "2031-01-01T00:00:00Z"),
    ];
    for (fact, wall) in facts {
        let seq = world.last + 1;
        world.apply(seq, at(wall), "me", &fact);
    }
    let now = Elapsed::from_wall(at("2026-12-02T12:00:00Z"));
    world.wait_from(now);
    assert_eq!(world.paused(&id("r"), Elapsed::default(), now), Duration::ZERO);
}

fn declare(start: &str, end: &str, justification: &str) -> Ask {
    Ask::DeclareMaintenance(MaintenanceDeclared {
        maintenance: disks(),
        dist: None,
        title: "new disks".into(),
        start: at(start),
        end: at(end),
        justification: justification.into(),
    })
}

fn disks() -> MaintenanceId {
    "disks".parse().expect("an id")
}

#[test]
fn a_maintenance_is_declared_a_day_before_and_lasts_a_day_at_most() {
    let mut story = in_testing();
    for (start, end, why, code) in [
        ("2026-12-02T11:59:00Z", "2026-12-02T18:00:00Z", "", "short_notice"),
        ("2026-12-02T12:00:00Z", "2026-12-03T12:01:00Z", " ", "too_long"),
        ("2026-12-03T12:00:00Z", "2026-12-03T12:00:00Z", "because", "no_end"),
        ("2026-11-03T12:00:00Z", "2026-12-01T12:00:00Z", "because", "over"),
    ] {
        assert_eq!(story.refuses(&admin(), declare(start, end, why)), code);
    }
    let next = declare("2026-12-03T12:00:00Z", "2026-12-03T13:00:00Z", "");
    assert_eq!(story.refuses(&person("eve", &[Role::EA]), next), "role");
    let kind = |story: &Story| story.world.maintenances.get(&disks()).map(|known| format!("{:?}", known.kind()));
    let mut late = story.clone();
    late.records(&admin(), declare("2026-12-01T13:00:00Z", "2026-12-04T18:00:00Z", "a disk has failed"));
    assert_eq!(kind(&late).as_deref(), Some("Unscheduled"));
    story.records(&admin(), declare("2026-12-02T12:00:00Z", "2026-12-03T12:00:00Z", ""));
    assert_eq!(kind(&story).as_deref(), Some("Scheduled"));
    let again = declare("2026-12-05T12:00:00Z", "2026-12-05T13:00:00Z", "");
    assert!(story.refuses(&admin(), again).contains("another id"));
}

#[test]
fn during_a_maintenance_nothing_goes_forward_and_wishes_are_carried_out_at_its_end() {
    let mut story = in_testing();
    story.records(&admin(), declare("2026-12-08T08:00:00Z", "2026-12-08T18:00:00Z", ""));
    story.now = at("2026-12-08T13:00:00Z");
    story.hint("1", "r", "Production");
    let opens = |story: &Story| story.world.rollouts[&id("r")].wanted.clone().and_then(|wanted| wanted.opens);
    assert_eq!(opens(&story), Some(at("2026-12-08T18:00:00Z")));
    assert_eq!(story.against(), "maintenance");
    let end = |reason: &str| Ask::EndMaintenance { maintenance: disks(), reason: reason.into() };
    let mut early = story.clone();
    assert_eq!(early.refuses(&admin(), end("")), "no_reason");
    early.records(&admin(), end("the disks are in")).carried_out();
    assert_eq!(early.state("r"), "Production");
    assert_eq!(early.refuses(&admin(), end("again")), "the maintenance disks was called off already");
    let mut back = story.clone();
    back.move_as(&[Role::ADMIN], "r", "Withdrawn").carried_out();
    assert_eq!(back.state("r"), "Withdrawn", "what goes back goes on");
    story.now = at("2026-12-08T18:00:00Z");
    story.judge_all().carried_out();
    assert_eq!(story.state("r"), "Production");
    assert_eq!(story.refuses(&admin(), end("late")), "the maintenance disks is over already");
}

fn dated(state: &str, when: &str) -> Ask {
    Ask::Schedule { rollout: id("r"), state: state.into(), at: Some(at(when)), reason: String::new() }
}

#[test]
fn a_step_with_a_date_is_taken_then_or_as_soon_as_it_can_be() {
    let mut story = in_testing();
    assert_eq!(story.refuses(&person("eve", &[Role::EA]), dated("Production", "2026-12-09T08:00:00Z")), "role");
    assert_eq!(story.refuses(&admin(), dated("Production", "2026-12-01T12:00:00Z")), "no_date");
    assert_eq!(story.refuses(&admin(), dated("Production", "2027-12-03T12:00:00Z")), "no_date");
    assert_eq!(story.refuses(&admin(), dated("Heaven", "2026-12-09T08:00:00Z")), "unknown_state");
    story.records(&admin(), dated("production", "2026-12-09T08:00:00Z"));
    let opened = |story: &Story, after: &str| story.world.rollouts.opened(at(after), story.now).count();
    story.now = at("2026-12-09T07:59:59Z");
    story.judge_all();
    assert_eq!((story.state("r").as_str(), opened(&story, "2026-12-01T12:00:00Z")), ("Testing", 0), "too early");
    let mut halted = story.clone();
    story.now = at("2026-12-09T08:00:00Z");
    assert_eq!(opened(&story, "2026-12-09T07:59:59Z"), 1, "it is judged at that moment");
    let ann = story.who.last().cloned();
    story.judge_all();
    assert_eq!(story.who.last(), ann.as_ref(), "it is their step");
    story.carried_out();
    assert_eq!(story.state("r"), "Production");
    // What is in the way then is waited for.
    halted.records(&admin(), Ask::Halt { dist: None, reason: "wait".into() });
    halted.now = at("2026-12-09T08:00:00Z");
    halted.judge_all();
    // A clock that is set back meets the date again.
    let mut back = halted.clone();
    back.now = at("2026-12-05T08:00:00Z");
    back.judge_all();
    back.now = at("2026-12-09T08:00:00Z");
    assert_eq!(opened(&back, "2026-12-09T07:59:59Z"), 1);
    halted.passes(DAY);
    assert_eq!(halted.state("r"), "Testing");
    halted.records(&admin(), Ask::EndHalt { dist: None, reason: String::new() }).carried_out();
    assert_eq!(halted.state("r"), "Production");
}

#[test]
fn a_step_is_taken_as_soon_as_it_can_be_where_somebody_wants_that() {
    let mut story = in_testing();
    story.records(&admin(), Ask::Halt { dist: None, reason: "wait".into() });
    let soon = Ask::Schedule { rollout: id("r"), state: "Production".into(), at: None, reason: String::new() };
    story.records(&admin(), soon).passes(DAY * 8).judge_all();
    assert_eq!(story.state("r"), "Testing", "it is kept as a wish");
    story.records(&admin(), Ask::EndHalt { dist: None, reason: String::new() }).carried_out();
    assert_eq!(story.state("r"), "Production");
}

#[test]
fn a_date_can_be_changed_and_taken_back() {
    let mut story = in_testing();
    let back = || Ask::Unschedule { rollout: id("r"), reason: String::new() };
    assert_eq!(story.refuses(&admin(), back()), "r has no date");
    story.records(&admin(), dated("Production", "2026-12-09T08:00:00Z"));
    story.records(&admin(), dated("Production", "2026-12-20T08:00:00Z"));
    assert_eq!(story.refuses(&person("eve", &[Role::EA]), back()), "role");
    story.passes(DAY * 10).judge_all();
    assert_eq!(story.state("r"), "Testing");
    story.records(&admin(), back()).passes(DAY * 30).judge_all();
    assert_eq!(story.state("r"), "Testing");
}

#[test]
fn a_date_outlives_the_steps_before_it_and_is_used_up_by_its_own() {
    let mut story = Story::new();
    story.rules.distributions.values_mut().next().expect("one").workflow =
        procedure::built_in("simple").expect("it ships");
    story.now = at("2026-12-01T12:00:00Z");
    story.arrives(BDII).submit("r", &[BDII]).records(&admin(), dated("Production", "2026-12-20T08:00:00Z"));
    story.move_as(&[Role::ADMIN], "r", "Testing").carried_out().is_approved();
    let opened = |story: &Story| story.world.rollouts.opened(at("2026-12-20T07:59:59Z"), story.now).count();
    let mut rejected = story.clone();
    let mut by_hand = story.clone();
    story.now = at("2026-12-20T08:00:00Z");
    assert_eq!(opened(&story), 1, "it is judged at that moment");
    story.judge_all().carried_out();
    assert_eq!(story.state("r"), "Production");
    by_hand.passes(DAY * 8).move_as(&[Role::ADMIN], "r", "Production").carried_out();
    assert_eq!(by_hand.world.rollouts[&id("r")].wanted, None);
    // What became impossible is told when the time has come.
    rejected.move_as(&[Role::ADMIN], "r", "Withdrawn").carried_out();
    rejected.now = at("2026-12-20T08:00:00Z");
    rejected.judge_all();
    assert!(matches!(rejected.facts.last(), Some(Fact::Declined(_))), "{:?}", rejected.facts.last());
    assert_eq!((rejected.state("r").as_str(), &rejected.world.rollouts[&id("r")].wanted), ("Withdrawn", &None));
}
