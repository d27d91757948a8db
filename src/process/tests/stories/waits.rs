//! What waits is judged again when something changes that it waits for, and work that nobody waits for is no news.

use super::*;
use crate::domain::names::BundleId;
use crate::domain::naming::team::TeamName;
use crate::domain::report::Outcome;
use crate::domain::task::TaskKind;
use crate::process::fact::bundle::BundleOpened;
use crate::process::fact::team::TeamRegistered;

const TEAMS: [&str; 2] = ["ea-NGI_IT-T1", "ea-NGI_IT-T2"];

fn reason() -> String {
    "because".to_owned()
}

fn bundle() -> BundleId {
    "B-1".parse().expect("an id")
}

fn team(name: &str, observer: bool) -> TeamRegistered {
    let (products, stacks, node_types) = Default::default();
    let team: TeamName = name.parse().expect("a team");
    TeamRegistered { team, ngi: "NGI_IT".into(), products, stacks, node_types, contacts: BTreeSet::new(), observer }
}

/// `r` in the bundle B-1, of which two teams have a task, and `s` in none; both have been in delta for long enough.
fn in_delta() -> Story {
    let mut story = Story::new();
    story.rules.distributions.values_mut().next().expect("one").workflow =
        procedure::built_in("glite").expect("it ships");
    let by = caller(&[Role::ADMIN, Role::OU]);
    story.arrives(A).arrives(B).submit("r", &[A]).submit("s", &[B]);
    story.records(&by, Ask::OpenBundle(BundleOpened { bundle: bundle(), title: String::new() }));
    let rollouts = vec!["r".parse().expect("an id")];
    story.records(&by, Ask::JoinBundle { bundle: bundle(), rollouts, reason: reason() });
    story.records(&by, Ask::Announce { bundle: bundle(), rollouts: vec![], reason: reason() });
    let overrides = |gate: &str| {
        let (rollout, state, gate) = ("s".parse().expect("an id"), "Rolling out".into(), gate.into());
        Ask::Override { rollout, state, gate, reason: "because".into() }
    };
    story.move_as(&[Role::ADMIN], "r", "Ready for Rollout").move_as(&[Role::ADMIN], "s", "Ready for Rollout");
    story.records(&by, overrides("in_bundle"));
    story.move_as(&[Role::ADMIN], "r", "Rolling out").move_as(&[Role::ADMIN], "s", "Rolling out");
    story.carried_out();
    for name in TEAMS {
        story.records(&by, Ask::Register { team: team(name, false), reason: reason() });
    }
    let teams = TEAMS.iter().map(|name| name.parse().expect("a team")).collect();
    let (kind, quarantine) = (TaskKind::RollOut, Some(Duration::ZERO));
    story.passes(SETTLING);
    story.records(
        &by,
        Ask::CreateTasks { services: [].into(), bundle: bundle(), kind, teams, quarantine, reason: reason() },
    );
    story.passes(Duration::from_hours(24 * 8));
    ends(&mut story, 1);
    story
}

fn ends(story: &mut Story, task: u64) {
    let (by, outcome) = (caller(&[Role::OU]), Outcome::Success);
    story.records(&by, Ask::BeginTask { task, outcome, reason: reason() });
    story.records(&by, Ask::EndTask { task, outcome, early: false, reason: reason() });
}

#[test]
fn a_wish_does_not_wait_for_the_task_of_a_team_that_counts_no_more() {
    let by = caller(&[Role::ADMIN]);
    let [_, second] = TEAMS;
    let leaves = Ask::RemoveTeam { team: second.parse().expect("a team"), reason: reason() };
    let observes = Ask::Register { team: team(second, true), reason: reason() };
    for ask in [leaves, observes] {
        let mut story = in_delta();
        story.hint("1", "r", "Ready for Production");
        assert_eq!(story.state("r"), "Rolling out", "the second task is open");
        story.records(&by, ask);
        assert_eq!(story.state("r"), "Ready for Production");
    }
}

#[test]
fn a_wish_waits_for_what_the_release_notes_list_in_no_bundle_and_no_longer() {
    let by = caller(&[Role::ADMIN]);
    let mut story = in_delta();
    ends(&mut story, 2);
    story.move_as(&[Role::ADMIN], "r", "Ready for Production");
    let rollouts = ["r", "s"].map(|id| id.parse().expect("an id")).to_vec();
    story.records(&by, Ask::Announce { bundle: bundle(), rollouts, reason: reason() });
    let (approved, state) = ("r".parse().expect("an id"), "In Production".to_owned());
    let approve = Ask::Approve { rollout: approved, state, role: None, reason: reason() };
    story.records(&caller(&[Role::OU]), approve);
    story.hint("1", "r", "In Production");
    assert_eq!(story.state("r"), "Ready for Production", "s is not there yet");
    let (rollout, state, gate) = ("s".parse().expect("an id"), "Ready for Production".into(), "tasks_done".into());
    story.records(&by, Ask::Override { rollout, state, gate, reason: reason() });
    story.move_as(&[Role::ADMIN], "s", "Ready for Production");
    assert_eq!([story.state("r"), story.state("s")], ["In Production", "Ready for Production"]);
}

#[test]
fn what_is_staged_for_a_move_that_is_over_is_no_news() {
    let mut story = Story::new();
    story.arrives(A).submit("r", &[A]).move_as(&[Role::ADMIN], "r", "InVerification");
    story.move_as(&[Role::ADMIN], "r", "StageRollOut");
    let (number, plan) = story.world.rollouts.plans().next().map(|(n, plan)| (n, Arc::clone(plan))).expect("one");
    fails(&mut story);
    story.move_as(&[Role::ADMIN], "r", "Rejected");
    assert_eq!(story.state("r"), "Rejected", "it overtakes the move");
    let before = story.facts.len();
    let staged = Found::Staged { plan: number, trees: vec![] };
    story.tell(&Input::WorkEnded(Work::Stage(number, plan), WorkEnd::done(staged)));
    assert_eq!(story.facts.len(), before);
    assert!(story.world.mismatches.is_empty(), "{:?}", story.world.mismatches);
}
