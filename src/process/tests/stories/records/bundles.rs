//! Bundles, their release notes and their tasks, where gLite's release of two patches does not come by.

use super::*;
use crate::domain::attributes::AttributeChanges;
use crate::domain::rollout::Changes;
use crate::process::act::correct::corrections;
use crate::process::act::step;
use crate::process::affected::affected;
use crate::process::outlook::outlook;

/// Under `glite`: `r` with bdii and `s` with dpm in the bundle `B-1`, and `t` with a newer bdii in none.
pub(super) fn patches() -> Story {
    let mut story = Story::new();
    let rules = story.rules.distributions.values_mut().next().expect("one");
    rules.workflow = procedure::built_in("glite").expect("it ships");
    for (rollout, nevra) in [("r", BDII), ("s", DPM), ("t", "bdii-5.2.23-1.el6.noarch")] {
        story.arrives(nevra).submit(rollout, &[nevra]);
    }
    for bundle in ["B-1", "B-2"] {
        story.records(&mu(), Ask::OpenBundle(BundleOpened { bundle: named(bundle), title: String::new() }));
    }
    story.records(&mu(), joins("B-1", &["r", "s"]));
    story
}

fn mu() -> Caller {
    person("mary", &[Role::MU])
}

fn ou() -> Caller {
    person("olga", &[Role::OU])
}

pub(super) fn named(text: &str) -> BundleId {
    text.parse().expect("an id")
}

fn ids(rollouts: &[&str]) -> Vec<RolloutId> {
    rollouts.iter().map(|text| id(text)).collect()
}

fn joins(bundle: &str, rollouts: &[&str]) -> Ask {
    Ask::JoinBundle { bundle: named(bundle), rollouts: ids(rollouts), reason: String::new() }
}

pub(super) fn moves(state: &str, only: &[&str]) -> Ask {
    Ask::MoveBundle { bundle: named("B-1"), state: state.into(), only: ids(only), reason: String::new() }
}

/// All of `B-1` is to go into production.
pub(super) fn approves() -> Ask {
    approves_of("B-1", &[])
}

/// All of `B-1` is in delta, as its release notes list it, and has settled.
pub(super) fn deployed(story: &mut Story) {
    story.records(&mu(), Ask::Announce { bundle: named("B-1"), rollouts: vec![], reason: String::new() });
    story.records(&ou(), moves("Ready for Rollout", &[])).records(&mu(), moves("Rolling out", &[]));
    story.carried_out().passes(SETTLING);
}

fn approves_of(bundle: &str, only: &[&str]) -> Ask {
    let (bundle, state) = (named(bundle), "In Production".to_owned());
    Ask::ApproveBundle { bundle, state, only: ids(only), role: None, reason: String::new() }
}

fn overrides(rollout: &str, state: &str, gate: &str) -> Ask {
    Ask::Override { rollout: id(rollout), state: state.into(), gate: gate.into(), reason: "urgent".into() }
}

/// What a gate has found, in its words.
fn found(story: &Story, code: &str) -> Vec<String> {
    let Some(Answer::Refused(judged)) = &story.answer else { panic!("{:?}", story.answer) };
    judged.findings.iter().filter(|finding| finding.code == code).map(|finding| finding.sentence.clone()).collect()
}

/// S1-17: a verified patch may be inserted, and one that was moved may not.
#[test]
fn a_rollout_that_has_moved_joins_no_bundle() {
    let mut story = patches();
    story.clone().records(&mu(), joins("B-1", &["t"]));
    for state in ["Ready for Rollout", "Rolling out"] {
        // B-1 has a package of the same name (S1-14).
        let mut held = story.clone();
        held.move_as(&[Role::ADMIN], "t", state);
        assert_ne!(held.state("t"), state);
        story.records(&ou(), overrides("t", state, "no_conflict"));
        if state == "Rolling out" {
            story.records(&ou(), overrides("t", state, "in_bundle"));
        }
        story.move_as(&[Role::ADMIN], "t", state).carried_out();
        assert_eq!(story.state("t"), state);
    }
    assert_eq!(story.refuses(&mu(), joins("B-1", &["t"])), "has_moved");
    // Also what lies there in no bundle is in the way of others.
    assert_eq!(story.refuses(&ou(), moves("Ready for Rollout", &["r"])), "repository_conflict");
    assert_eq!(found(&story, "repository_conflict"), ["r: t has bdii in delta."]);
}

/// `r`, `s` and `u`, with a package each, on their way to delta.
fn rolling_out() -> Story {
    let mut story = patches();
    story.arrives(VOMS).submit("u", &[VOMS]).records(&mu(), joins("B-1", &["u"]));
    story.records(&ou(), moves("Ready for Rollout", &[])).records(&mu(), moves("Rolling out", &[]));
    story
}

const VOMS: &str = "voms-1-1.el6.noarch";

/// For whom packages move, plan by plan, and into how many trees.
fn plans(story: &Story) -> Vec<(String, usize)> {
    let words = |plan: &crate::domain::plan::Plan| plan.rollouts().map(RolloutId::as_str).collect::<Vec<_>>().join(" ");
    story.world.rollouts.plans().map(|(_, plan)| (words(plan), plan.trees().len())).collect()
}

/// What is listed in untested and delta, by whom it was brought there.
fn lies(story: &Story) -> String {
    let of = |nevra: &&str| {
        let trees = story.trees(nevra).into_iter().map(|tree| {
            let id = TreeId { dist: DIST.parse().expect("a path"), tree: tree.parse().expect("a name") };
            let entry = story.world.trees.listing(&id).get(&nevra.parse().expect("a nevra")).cloned();
            let brought = entry.and_then(|entry| entry.brought);
            brought.map_or_else(|| tree.clone(), |brought| format!("{tree} by {brought}"))
        });
        trees.collect::<Vec<_>>().join(" and ")
    };
    [BDII, DPM, VOMS].iter().map(of).collect::<Vec<_>>().join("; ")
}

/// S1-18: one transaction.
#[test]
fn the_packages_of_a_bundle_move_in_one_plan() {
    let mut story = rolling_out();
    assert_eq!(plans(&story), [("r s u".to_owned(), 2)]);
    story.carried_out();
    assert_eq!((plans(&story), lies(&story)), (vec![], "delta by r; delta by s; delta by u".to_owned()));
    assert!(ids(&["r", "s", "u"]).iter().all(|id| story.world.rollouts[id].plan.is_none()));
    let done = story.facts.iter().filter(|fact| matches!(fact, Fact::Done(done) if done.rollout.is_some()));
    assert_eq!(done.count(), 3, "it stands in the history of each");
    // What is withdrawn does not wait for anything else.
    story.records(&ou(), moves("Rejected", &[]));
    assert_eq!(plans(&story), [("r".to_owned(), 1), ("s".to_owned(), 1), ("u".to_owned(), 1)]);
    story.carried_out();
    assert_eq!(lies(&story), "; ; ");
}

/// One of them moves alone as it always did.
#[test]
fn one_rollout_of_a_bundle_moves_alone() {
    let mut story = patches();
    story.records(&ou(), moves("Ready for Rollout", &[])).records(&mu(), moves("Rolling out", &["s"]));
    assert_eq!(plans(&story), [("s".to_owned(), 2)]);
    assert!(!story.facts.iter().any(|fact| matches!(fact, Fact::BundleMoves(_))));
}

#[test]
fn what_is_stuck_for_one_rollout_of_a_bundle_goes_on_for_the_others() {
    for half in [false, true] {
        let mut story = rolling_out();
        if half {
            gets_half_way(&mut story);
            let both = "delta by r and untested; delta by s and untested; delta by u and untested";
            assert_eq!(lies(&story), both);
        }
        fails(&mut story);
        let mut rejected = story.clone();
        rejected.move_as(&[Role::OU], "s", "Rejected");
        assert_eq!(plans(&rejected), [("s".to_owned(), 2), ("r u".to_owned(), 2)]);
        rejected.carried_out();
        assert_eq!(lies(&rejected), "delta by r; ; delta by u");
        assert_eq!((rejected.state("r"), rejected.state("s")), ("Rolling out".to_owned(), "Rejected".to_owned()));
        // Or it is given up for one of them.
        give_up(&mut story);
        assert_eq!(plans(&story), [("r".to_owned(), 2), ("s u".to_owned(), 2)]);
        story.carried_out();
        assert_eq!(lies(&story), "untested; delta by s; delta by u");
        assert_eq!((story.state("r"), story.state("s")), ("Ready for Rollout".to_owned(), "Rolling out".to_owned()));
        assert!(plans(&story).is_empty());
    }
}

#[test]
fn a_lost_package_leaves_the_other_rollouts_of_its_bundle_alone() {
    let mut story = rolling_out();
    story.misses("untested", DPM);
    lose(&mut story, DPM);
    assert!(matches!(story.answer, Some(Answer::Lost { .. })), "{:?}", story.answer);
    assert_eq!((plans(&story), story.world.rollouts[&id("s")].plan), (vec![("r u".to_owned(), 2)], None));
    story.wrong.clear();
    story.carried_out();
    assert_eq!(lies(&story), "delta by r; ; delta by u");
}

/// S1-14: a conflict holds up until somebody who may says that it does not matter, and why.
#[test]
fn a_conflict_between_bundles_is_overridden_for_the_rollout_that_has_it() {
    let mut story = patches();
    story.records(&mu(), joins("B-2", &["t"]));
    assert_eq!(story.refuses(&ou(), moves("Ready for Rollout", &[])), "repository_conflict");
    assert_eq!(found(&story, "repository_conflict")[0], "r: The bundle B-2 also has bdii: in t.");
    assert_eq!(story.refuses(&mu(), overrides("r", "Ready for Rollout", "no_conflict")), "role");
    story.records(&ou(), overrides("r", "Ready for Rollout", "no_conflict"));
    story.records(&ou(), moves("Ready for Rollout", &[]));
    assert_eq!((story.state("r"), story.state("s")), ("Ready for Rollout".to_owned(), "Ready for Rollout".to_owned()));
}

/// S1-31: whatever is in one of the two and not in the other is named.
#[test]
fn a_bundle_and_its_release_notes_agree_in_both_directions() {
    let mut story = patches();
    story.records(&ou(), moves("Ready for Rollout", &[])).records(&mu(), moves("Rolling out", &[])).carried_out();
    for (rollout, gate) in [("r", "exposure"), ("r", "tasks_done"), ("s", "exposure"), ("s", "tasks_done")] {
        story.records(&ou(), overrides(rollout, "Ready for Production", gate));
    }
    story.records(&ou(), moves("Ready for Production", &[]));
    let announces =
        |rollouts: &[&str]| Ask::Announce { bundle: named("B-1"), rollouts: ids(rollouts), reason: String::new() };
    story.records(&mu(), announces(&["r"])).records(&ou(), approves());
    assert_eq!(story.refuses(&mu(), moves("In Production", &["r"])), "bundle_incomplete");
    let more = "r: In Ready for Production but not listed in the release notes: s.";
    assert_eq!(found(&story, "bundle_incomplete"), [more]);
    story.records(&mu(), announces(&["r", "s"]));
    story.clone().records(&mu(), moves("In Production", &[]));
    story.move_as(&[Role::OU], "s", "Rolling out");
    assert_eq!(story.refuses(&mu(), moves("In Production", &["r"])), "bundle_incomplete");
    let missing = "r: Listed in the release notes but not in Ready for Production: s.";
    assert_eq!(found(&story, "bundle_incomplete"), [missing]);
}

/// S1-47 to S1-49: a roll-back takes three days, and is reported like a roll-out.
#[test]
fn a_roll_back_task_is_done_after_three_days() {
    let mut story = patches();
    story.records(&ou(), registered("ea-NGI_IT-T1", "NGI_IT"));
    let task = |kind| Ask::CreateTasks {
        services: [].into(),
        bundle: named("B-1"),
        kind,
        teams: vec![team("ea-NGI_IT-T1")],
        quarantine: None,
        reason: String::new(),
    };
    deployed(&mut story);
    story.records(&ou(), task(TaskKind::RollOut));
    assert_eq!(story.refuses(&ou(), task(TaskKind::RollBack)), "nothing_left", "nobody has to go back");
    story.records(&ou(), moves("Rejected", &["r"])).carried_out().records(&ou(), task(TaskKind::RollBack));
    let tom = person("tom", &[Role::EA]).of_teams([team("ea-NGI_IT-T1")]);
    let done = || Ask::EndTask { task: 2, outcome: Outcome::Success, early: false, reason: String::new() };
    let shown = |story: &Story| {
        let task = story.world.tasks.get(2).expect("it is there");
        (task.kind, task.status(), task.outcome())
    };
    assert_eq!(shown(&story), (TaskKind::RollBack, "New", None));
    story.records(&tom, Ask::BeginTask { task: 2, outcome: Outcome::Warning, reason: String::new() });
    assert_eq!(shown(&story), (TaskKind::RollBack, "In Progress", Some(Outcome::Warning)));
    story.passes(DAY * 2 + Duration::from_mins(24 * 60 - 1));
    assert_eq!(story.refuses(&tom, done()), "quarantine");
    story.passes(Duration::from_mins(1)).records(&tom, done());
    assert_eq!(shown(&story), (TaskKind::RollBack, "Done", Some(Outcome::Success)));
}

/// S1-30: what is released with another bundle's update stays a member of its own.
#[test]
fn an_update_may_release_a_rollout_of_another_bundle() {
    let mut story = patches();
    story.arrives(VOMS).submit("u", &[VOMS]).records(&mu(), joins("B-2", &["u"]));
    let number = |rollouts: &[&str]| {
        let (series, bundle) = ("gLite-3.2".parse().expect("a series"), Some(named("B-1")));
        Ask::NumberUpdate { series, bundle, rollouts: ids(rollouts), reason: String::new() }
    };
    // What is not ready is released by no update, and what was rejected by none any more.
    assert_eq!(story.refuses(&mu(), number(&["r", "u", "x"])), "not_ready not_ready no_rollout");
    assert_eq!(story.refuses(&mu(), number(&[])), "no_rollouts");
    story.records(&ou(), moves("Rejected", &["s"])).carried_out();
    assert_eq!(story.refuses(&mu(), number(&["s"])), "not_ready");
    for rollout in ["r", "u"] {
        for state in ["Ready for Rollout", "Rolling out"] {
            story.move_as(&[Role::ADMIN], rollout, state).carried_out();
        }
        for gate in ["exposure", "tasks_done"] {
            story.records(&ou(), overrides(rollout, "Ready for Production", gate));
        }
        story.move_as(&[Role::ADMIN], rollout, "Ready for Production");
    }
    story.records(&mu(), number(&["r", "u"]));
    let update = story.world.bundles.updates().next().expect("it is there");
    assert!(update.rollouts.iter().eq(&ids(&["r", "u"])));
    assert_eq!(story.world.bundles.of(&id("u")).map(|(bundle, _)| bundle), Some(&named("B-2")));
    // Of a bundle, what is ready gets the number, wherever it is from; one that stays behind gets the next one.
    let announced = Ask::Announce { bundle: named("B-1"), rollouts: ids(&["r", "u"]), reason: String::new() };
    story.records(&mu(), announced).records(&mu(), number(&["u"])).records(&mu(), number(&[]));
    let update = story.world.bundles.update_of(&id("u")).expect("it is there");
    assert!(update.rollouts.iter().eq(&ids(&["r", "u"])) && update.number == 3);
    story.records(&ou(), approves_of("B-1", &["r", "u"]));
    story.records(&mu(), moves("In Production", &["r", "u"])).carried_out();
    assert_eq!(story.refuses(&mu(), number(&["r"])), "has_number");
}

/// S1-30: it goes on with the bundle whose release notes list it, and its own one is not asked.
#[test]
fn a_rollout_of_another_bundle_is_released_with_the_one_that_announces_it() {
    let mut story = patches();
    story.arrives(VOMS).submit("u", &[VOMS]).arrives("fts-1-1.el6.noarch").submit("v", &["fts-1-1.el6.noarch"]);
    story.records(&mu(), joins("B-2", &["u", "v"]));
    for (rollout, other) in [("r", "s"), ("u", "v")] {
        for rollout in [rollout, other] {
            for state in ["Ready for Rollout", "Rolling out"] {
                story.move_as(&[Role::ADMIN], rollout, state).carried_out();
            }
            for gate in ["exposure", "tasks_done"] {
                story.records(&ou(), overrides(rollout, "Ready for Production", gate));
            }
            story.move_as(&[Role::ADMIN], rollout, "Ready for Production");
        }
    }
    let (state, reason) = ("In Production".to_owned(), String::new());
    story.records(&ou(), approves());
    story.records(&ou(), Ask::Approve { rollout: id("u"), state, role: None, reason });
    let all = ["r", "s", "u"];
    assert_eq!(
        story.refuses(&mu(), moves("In Production", &all)),
        "u is not in the bundle B-1, nor do its release notes list it"
    );
    let announces = |bundle: &str, rollouts: &[&str]| Ask::Announce {
        bundle: named(bundle),
        rollouts: ids(rollouts),
        reason: String::new(),
    };
    story.records(&mu(), announces("B-1", &all));
    // Neither bundle has a stray, and the other one is complete without it.
    let corrected =
        |bundle: &str, withdraw| corrections(story.known(), &named(bundle), withdraw).expect("open").steps();
    assert_eq!((corrected("B-1", true), corrected("B-2", true)), (vec![], vec!["v goes to Rejected".to_owned()]));
    let mut apart = story.clone();
    apart.records(&mu(), announces("B-2", &["v"])).records(&ou(), approves_of("B-2", &["v"]));
    let alone = |bundle: &str, only: &[&str]| Ask::MoveBundle {
        bundle: named(bundle),
        state: "In Production".into(),
        only: ids(only),
        reason: String::new(),
    };
    apart.records(&mu(), alone("B-2", &["v"]));
    // A bundle that announces nothing of its own releases nothing.
    let mut hollow = story.clone();
    hollow.records(&mu(), announces("B-1", &["r", "s"]));
    hollow.records(&mu(), Ask::OpenBundle(BundleOpened { bundle: named("B-0"), title: String::new() }));
    hollow.records(&mu(), announces("B-0", &["u"]));
    assert_eq!(hollow.refuses(&mu(), alone("B-0", &["u"])), "bundle_incomplete");
    assert_eq!(found(&hollow, "bundle_incomplete"), ["u: The release notes of the bundle B-2 list nothing yet."]);
    // What its own notes list is released with its own bundle.
    let mut own = story.clone();
    own.records(&mu(), announces("B-2", &["u"]));
    assert_eq!(own.refuses(&mu(), moves("In Production", &all)), "bundle_incomplete");
    assert_eq!(
        found(&own, "bundle_incomplete"),
        ["u: In Ready for Production but not listed in the release notes: v."]
    );
    story.records(&mu(), moves("In Production", &all));
    assert_eq!(plans(&story).len(), 1, "in one plan");
    story.carried_out();
    assert_eq!((story.state("u"), story.trees(VOMS)), ("In Production".to_owned(), vec!["production".to_owned()]));
    let origin = story.world.bundles.of(&id("u")).map(|(bundle, _)| bundle.clone());
    assert_eq!((origin, story.state("v")), (Some(named("B-2")), "Ready for Production".to_owned()));
}

/// S1-15, S1-17: one that is ready is the green flag, also for those that are Verified.
#[test]
fn a_bundle_goes_to_delta_as_soon_as_one_of_its_rollouts_is_ready() {
    let mut story = patches();
    assert_eq!(story.refuses(&mu(), moves("Rolling out", &[])), "bundle_ready bundle_ready");
    assert_eq!(found(&story, "bundle_ready")[0], "r: No rollout of the bundle B-1 is further than Verified.");
    // Of another one, and of one that was rejected, nothing follows.
    story.records(&ou(), overrides("t", "Ready for Rollout", "no_conflict"));
    story.move_as(&[Role::OU], "t", "Ready for Rollout");
    let mut rejected = story.clone();
    rejected.move_as(&[Role::OU], "r", "Rejected");
    assert_eq!(rejected.refuses(&mu(), moves("Rolling out", &["s"])), "bundle_ready");
    story.records(&ou(), moves("Ready for Rollout", &["r"]));
    story.clone().records(&mu(), moves("Rolling out", &[]));
    // Nobody has seen a conflict of the other one yet, so it is looked for now.
    story.arrives("dpm-2-1.el6.noarch").submit("w", &["dpm-2-1.el6.noarch"]).records(&mu(), joins("B-2", &["w"]));
    assert_eq!(story.refuses(&mu(), moves("Rolling out", &[])), "repository_conflict");
}

/// S1-14: what was rejected before early adopters had it holds up no other bundle, although its own one stays open.
#[test]
fn a_rejected_member_of_an_open_bundle_is_no_conflict() {
    let mut story = patches();
    story.records(&mu(), joins("B-2", &["t"]));
    assert_eq!(story.refuses(&ou(), moves("Ready for Rollout", &[])), "repository_conflict");
    story.move_as(&[Role::ADMIN], "t", "Rejected").carried_out();
    assert!(story.world.bundles.get(&named("B-2")).is_some_and(|bundle| bundle.members.contains(&id("t"))));
    story.records(&ou(), moves("Ready for Rollout", &[]));
}

/// S1-14: a tree that another bundle uses is no conflict, and whoever moves something there is told.
#[test]
fn whoever_uses_a_tree_that_another_bundle_uses_is_told() {
    let mut story = patches();
    story.records(&ou(), moves("Ready for Rollout", &[])).records(&mu(), moves("Rolling out", &[])).carried_out();
    story.arrives(VOMS).submit("u", &[VOMS]).records(&mu(), joins("B-2", &["u"]));
    story.move_as(&[Role::OU], "u", "Ready for Rollout");
    let Some(Answer::Moved { warnings, .. }) = &story.answer else { panic!("{:?}", story.answer) };
    assert_eq!(warnings[..], ["delta is also used by other bundles: B-1 with r, s"]);
    // One's own bundle is no other one.
    let mut story = patches();
    story.records(&ou(), moves("Ready for Rollout", &["r"])).records(&mu(), moves("Rolling out", &["r"])).carried_out();
    story.records(&ou(), moves("Ready for Rollout", &["s"]));
    let Some(Answer::Recorded { warnings, .. }) = &story.answer else { panic!("{:?}", story.answer) };
    assert!(warnings.is_empty(), "{warnings:?}");
}

/// S1-29: what a team installed before a patch was there says nothing of it, and a failure does not go with its team.
#[test]
fn a_patch_that_comes_after_the_tasks_needs_one_of_its_own() {
    let mut story = patches();
    let (team, step) = (team("ea-NGI_IT-T1"), |only: &[&str]| moves("Ready for Production", only));
    story.records(&ou(), registered("ea-NGI_IT-T1", "NGI_IT"));
    deployed(&mut story);
    let create = || Ask::CreateTasks {
        services: [].into(),
        bundle: named("B-1"),
        kind: TaskKind::RollOut,
        teams: vec![team.clone()],
        quarantine: None,
        reason: String::new(),
    };
    let begin = |task| Ask::BeginTask { task, outcome: Outcome::Success, reason: String::new() };
    let end = |task, outcome| Ask::EndTask { task, outcome, early: false, reason: String::new() };
    story.records(&ou(), create()).records(&ou(), begin(1)).passes(DAY * 8).records(&ou(), end(1, Outcome::Success));
    story.clone().records(&ou(), step(&[]));
    story.arrives(VOMS).submit("u", &[VOMS]).records(&mu(), joins("B-1", &["u"]));
    story.records(&mu(), moves("Rolling out", &["u"])).carried_out().passes(DAY * 8);
    story.clone().records(&ou(), step(&["r", "s"]));
    assert_eq!(story.refuses(&ou(), step(&["u"])), "tasks");
    assert!(found(&story, "tasks")[0].contains("were begun before the packages of u were there"));
    story.records(&mu(), Ask::Announce { bundle: named("B-1"), rollouts: vec![], reason: String::new() });
    story.records(&ou(), create()).records(&ou(), begin(2)).passes(DAY * 8);
    let mut failed = story.clone();
    failed.records(&ou(), end(2, Outcome::Fail));
    assert_eq!(failed.refuses(&ou(), step(&["u"])), "task_fails");
    failed.records(&ou(), Ask::RemoveTeam { team, reason: "it fails".into() });
    assert_eq!(failed.refuses(&ou(), step(&["u"])), "tasks");
    failed.records(&ou(), registered("ea-NGI_CH-CSCS", "NGI_CH"));
    assert_eq!(failed.refuses(&ou(), step(&["u"])), "tasks");
    story.records(&ou(), end(2, Outcome::Success)).records(&ou(), step(&["u"]));
}

/// What was overridden is for the next step and for these packages: it is gone with any step, and with an edit.
#[test]
fn an_override_lapses_with_any_step_and_with_other_packages() {
    let mut story = patches();
    deployed(&mut story);
    let gates = ["exposure", "tasks_done"];
    for gate in gates {
        story.records(&ou(), overrides("r", "Ready for Production", gate));
    }
    story.clone().records(&ou(), moves("Ready for Production", &["r"]));
    story.records(&ou(), moves("Ready for Rollout", &["r"])).carried_out();
    story.records(&mu(), moves("Rolling out", &["r"])).carried_out();
    assert_eq!(story.refuses(&ou(), moves("Ready for Production", &["r"])), "exposure tasks");
    let mut story = patches();
    story.records(&ou(), overrides("t", "Ready for Rollout", "no_conflict")).arrives(VOMS);
    let changes = Changes { add: vec![part(DIST, &[VOMS])], ..Changes::default() };
    story.records(&mu(), Ask::Edit { rollout: id("t"), changes, reason: String::new() });
    assert!(story.world.dossiers.of(&id("t")).is_some_and(|dossier| dossier.overridden.is_empty()));
}

/// S1-53: what is left with the early adopters stays there for longer.
#[test]
fn the_rest_of_a_bundle_is_exposed_for_longer() {
    let mut story = patches();
    story.records(&ou(), moves("Ready for Rollout", &[])).records(&mu(), moves("Rolling out", &[])).carried_out();
    for rollout in ["r", "s"] {
        story.records(&ou(), overrides(rollout, "Ready for Production", "tasks_done"));
    }
    let reason = "it needs another look".to_owned();
    story.records(&ou(), Ask::Extend { rollout: id("s"), by: DAY * 7, reason });
    story.passes(DAY * 7).records(&ou(), moves("Ready for Production", &["r"]));
    assert_eq!(story.refuses(&ou(), moves("Ready for Production", &["s"])), "exposure");
    story.passes(DAY * 7).records(&ou(), moves("Ready for Production", &["s"]));
}

/// What was cancelled holds nobody up: neither the rest of its bundle nor another one with the same package.
#[test]
fn a_rollout_that_was_cancelled_is_in_no_bundle_any_more() {
    let mut story = patches();
    story.records(&mu(), joins("B-2", &["t"]));
    assert_eq!(story.refuses(&ou(), moves("Ready for Rollout", &[])), "repository_conflict");
    let cancel = Ask::Cancel { rollout: id("t"), reason: "by mistake".into() };
    story.records(&person("ann", &[Role::ADMIN]), cancel);
    assert!(story.world.bundles.get(&named("B-2")).is_some_and(|bundle| bundle.members.is_empty()));
    story.clone().records(&ou(), moves("Ready for Rollout", &[]));
    let cancel = Ask::Cancel { rollout: id("s"), reason: "by mistake".into() };
    story.records(&person("ann", &[Role::ADMIN]), cancel).records(&ou(), moves("Ready for Rollout", &[]));
    assert_eq!(story.state("r"), "Ready for Rollout");
}

/// S1-23: the tracker's copies learn of it within a couple of hours.
#[test]
fn roll_out_tasks_wait_until_the_bundle_has_settled() {
    let mut story = patches();
    story.records(&ou(), registered("ea-NGI_IT-T1", "NGI_IT"));
    let create = |kind| Ask::CreateTasks {
        services: [].into(),
        bundle: named("B-1"),
        kind,
        teams: vec![team("ea-NGI_IT-T1")],
        quarantine: None,
        reason: String::new(),
    };
    let roll_out = || create(TaskKind::RollOut);
    story.passes(SETTLING).records(&ou(), moves("Ready for Rollout", &[]));
    // Nor is anything in delta yet, as its release notes list it (S1-21).
    let announced = Ask::Announce { bundle: named("B-1"), rollouts: vec![], reason: String::new() };
    story.records(&mu(), announced);
    assert_eq!(story.refuses(&ou(), roll_out()), "settling settling bundle_incomplete");
    assert_eq!(found(&story, "bundle_incomplete"), ["Listed in the release notes but not in Rolling out: r, s."]);
    // To go back waits for nothing.
    story.clone().records(&ou(), create(TaskKind::RollBack));
    // Whichever came later counts, the state or the bundle.
    story.passes(Duration::from_secs(2 * 3_600 - 1));
    story.records(&mu(), Ask::LeaveBundle { bundle: named("B-1"), rollout: id("s"), reason: String::new() });
    story.records(&mu(), joins("B-1", &["s"]));
    story.passes(Duration::from_secs(1));
    assert_eq!(story.refuses(&ou(), roll_out()), "settling bundle_incomplete");
    let [said] = found(&story, "settling").try_into().expect("one");
    assert!(said.starts_with("s: Its state and its bundle must not change for 2h"), "{said}");
    // On hold, no time passes.
    let hold = Ask::Stall { rollout: id("s"), reason: "wait".into() };
    story.records(&person("ann", &[Role::ADMIN]), hold).passes(SETTLING * 9);
    assert_eq!(story.refuses(&ou(), roll_out()), "settling bundle_incomplete");
    let [said] = found(&story, "settling").try_into().expect("one");
    assert!(said.ends_with("; 2h remain once s goes on."), "{said}");
    story.records(&person("ann", &[Role::ADMIN]), Ask::Resume { rollout: id("s"), reason: String::new() });
    story.passes(Duration::from_secs(2 * 3_600 - 2));
    assert_eq!(story.refuses(&ou(), roll_out()), "settling bundle_incomplete");
    story.passes(Duration::from_secs(1));
    assert_eq!(story.refuses(&ou(), roll_out()), "bundle_incomplete");
    story.records(&mu(), moves("Rolling out", &[])).carried_out();
    assert_eq!(story.refuses(&ou(), roll_out()), "settling settling");
    story.passes(SETTLING).records(&ou(), roll_out());
}

/// S1-38, S1-53: whoever approves of a bundle approves of what can go there, and of what its release notes list of others.
#[test]
fn what_is_approved_of_a_bundle_is_what_can_go_there() {
    let mut story = patches();
    story.arrives(VOMS).submit("u", &[VOMS]).records(&mu(), joins("B-2", &["u"]));
    deployed(&mut story);
    for state in ["Ready for Rollout", "Rolling out"] {
        story.move_as(&[Role::ADMIN], "u", state).carried_out();
    }
    let approved = |story: &Story| -> Vec<String> {
        let of = |text: &&str| story.world.dossiers.of(&id(text)).is_some_and(|it| !it.approvals.is_empty());
        ["r", "s", "u"].iter().filter(|text| of(text)).map(ToString::to_string).collect()
    };
    // Nothing can go there yet: whoever approves beforehand approves of all its own.
    let mut early = story.clone();
    early.records(&ou(), approves());
    assert_eq!(approved(&early), ["r", "s"]);
    for rollout in ["r", "u"] {
        for gate in ["exposure", "tasks_done"] {
            story.records(&ou(), overrides(rollout, "Ready for Production", gate));
        }
        story.move_as(&[Role::ADMIN], rollout, "Ready for Production");
    }
    let mut alone = story.clone();
    alone.records(&ou(), approves());
    assert_eq!(approved(&alone), ["r"]);
    let announced = Ask::Announce { bundle: named("B-1"), rollouts: ids(&["r", "u"]), reason: String::new() };
    story.records(&mu(), announced).records(&ou(), approves());
    assert_eq!(approved(&story), ["r", "u"]);
}

/// S1-16, S1-57: what early adopters have stays in its bundle, and goes back with it.
#[test]
fn a_bundle_goes_back_as_a_whole_and_leaves_nothing_behind() {
    let mut story = patches();
    deployed(&mut story);
    // S1-22, S1-47: whoever creates tasks is told when it is time.
    let duty = |story: &Story| todo(story.known(), &ou()).into_iter().find(|duty| duty.what.contains("B-1"));
    let said = duty(&story).map(|duty| (duty.what, duty.command));
    let complete = ("the bundle B-1 is complete and has no roll-out tasks", "task create B-1 --affected");
    assert_eq!(said, Some((complete.0.to_owned(), complete.1.to_owned())));
    let leave = || Ask::LeaveBundle { bundle: named("B-1"), rollout: id("s"), reason: String::new() };
    let close = || Ask::CloseBundle { bundle: named("B-1"), reason: "it is over".into() };
    assert_eq!(
        (story.refuses(&mu(), leave()), story.refuses(&mu(), close())),
        ("has_moved".into(), "has_moved has_moved".into())
    );
    story.records(&ou(), moves("Ready for Rollout", &[]));
    assert_eq!(plans(&story), [("r s".to_owned(), 2)], "in one plan");
    story.carried_out();
    for rollout in ["r", "s"] {
        assert_eq!(story.state(rollout), "Ready for Rollout");
    }
    assert_eq!((story.trees(BDII), story.trees(DPM)), (vec!["untested".to_owned()], vec!["untested".to_owned()]));
    let duties = |story: &Story| {
        todo(story.known(), &ou()).into_iter().map(|duty| duty.what).filter(|it| it.contains("B-1")).collect::<Vec<_>>()
    };
    assert_eq!(duties(&story), [""; 0]);
    // What is back is nobody's any more: it may leave its bundle, and whoever has installed it goes back.
    story.clone().records(&mu(), leave());
    story.clone().records(&mu(), close());
    story.records(&ou(), registered("ea-NGI_IT-T1", "NGI_IT"));
    let (bundle, kind, teams) = (named("B-1"), TaskKind::RollBack, vec![team("ea-NGI_IT-T1")]);
    let create = Ask::CreateTasks { services: [].into(), bundle, kind, teams, quarantine: None, reason: String::new() };
    story.clone().records(&ou(), create);
    // And forth again.
    story.records(&mu(), moves("Rolling out", &[])).carried_out();
    assert_eq!((story.trees(BDII), story.trees(DPM)), (vec!["delta".to_owned()], vec!["delta".to_owned()]));
}

/// S1-23: also where a procedure asks for it before a step.
#[test]
fn a_step_may_wait_until_its_rollout_has_settled_whatever_the_clock_says() {
    let mut story = patches();
    let glite = procedure::BUILT_IN.iter().find(|(name, _)| *name == "glite").expect("it ships").1;
    let asked = glite.replacen(
        "gates = [\"packages_present\", \"not_older\", { name = \"no_conflict\", shares = \"delta\" }, \"in_bundle\"]",
        "gates = [{ name = \"settled\", for = \"2h\" }]",
        1,
    );
    assert_ne!(asked, glite);
    let read = procedure::read(&asked, std::path::Path::new("own.toml")).expect("a procedure");
    story.rules.distributions.values_mut().next().expect("one").workflow = read.workflow;
    story.records(&ou(), moves("Ready for Rollout", &[]));
    assert_eq!(story.refuses(&mu(), moves("Rolling out", &["r"])), "settling");
    let mut hurry = story.clone();
    hurry.records(&ou(), overrides("r", "Rolling out", "settled")).records(&mu(), moves("Rolling out", &["r"]));
    // A tracker's wish is carried out when it may be.
    story.hint("1", "r", "Rolling out");
    let due = story.world.rollouts[&id("r")].wanted.clone().and_then(|wanted| wanted.not_before);
    assert_eq!(due.map(|at| at.since(story.world.rollouts[&id("r")].changed)), SETTLING.try_into().ok());
    // What a clock that was ahead has dated settles from when it was put right.
    let ahead = story.now + SETTLING * 1_000;
    let seq = story.world.last + 1;
    let moved = Fact::from(fact::bundle::BundleJoined { bundle: named("B-1"), rollout: id("s") });
    story.world.apply(seq, ahead, "me", &moved);
    let now = Elapsed::from_wall(story.now);
    story.world.wait_from(now);
    assert_eq!(story.world.rollouts[&id("s")].changed, now);
    story.passes(SETTLING);
    story.records(&mu(), moves("Rolling out", &["s"]));
}

/// S1-28: whoever creates tasks may give one more time, and says why.
#[test]
fn a_quarantine_is_made_longer_with_a_reason() {
    let mut story = patches();
    story.records(&ou(), registered("ea-NGI_IT-T1", "NGI_IT"));
    let (kind, quarantine) = (TaskKind::RollBack, None);
    let teams = vec![team("ea-NGI_IT-T1")];
    story.records(
        &ou(),
        Ask::CreateTasks { services: [].into(), bundle: named("B-1"), kind, teams, quarantine, reason: String::new() },
    );
    let tom = person("tom", &[Role::EA]).of_teams([team("ea-NGI_IT-T1")]);
    let extends = |by: Duration, reason: &str| Ask::ExtendTask { task: 1, by, reason: reason.into() };
    let done = || Ask::EndTask { task: 1, outcome: Outcome::Success, early: false, reason: String::new() };
    story.records(&tom, Ask::BeginTask { task: 1, outcome: Outcome::Success, reason: String::new() });
    story.passes(DAY * 2);
    assert_eq!(story.refuses(&tom, extends(DAY, "it needs more load")), "role");
    assert_eq!(story.refuses(&ou(), extends(DAY, " ")), "no_reason");
    for by in [Duration::from_millis(999), DAY * 178, Duration::MAX] {
        assert_eq!(story.refuses(&ou(), extends(by, "because")), "too_long", "{by:?}");
    }
    // Each time it gets longer, from what it was.
    story.records(&ou(), extends(DAY, "it needs more load")).records(&ou(), extends(DAY * 2, "and more"));
    story.passes(Duration::from_secs(4 * 86_400 - 1));
    assert_eq!(story.refuses(&tom, done()), "quarantine");
    story.passes(Duration::from_secs(1)).records(&tom, done());
    assert_eq!(story.refuses(&ou(), extends(DAY, "because")), "task 1 is Done");
    let late = story.world.tasks.get(1).map(|task| task.quarantine);
    assert_eq!(late, Some(DAY * 6));
    let other = Ask::ExtendTask { task: 9, by: DAY, reason: "because".into() };
    assert_eq!(story.refuses(&ou(), other), "there is no task 9");
    // A logbook that says otherwise is named.
    let (bundle, team) = (named("B-1"), team("ea-NGI_IT-T1"));
    for task in [1, 9] {
        let extended = fact::task::TaskExtended { task, bundle: bundle.clone(), team: team.clone(), by: 1 };
        let seq = story.world.last + 1;
        story.world.apply(seq, story.now, "me", &extended.into());
    }
    let said: Vec<&String> = story.world.mismatches.iter().collect();
    assert!(said[0].ends_with("task 1 is done") && said[1].ends_with("there is no task 9"), "{said:?}");
}

/// S1-27: the team is told once that its quarantine is over, and again after a longer one.
#[test]
fn it_is_said_that_a_quarantine_is_over() {
    let mut story = patches();
    story.records(&ou(), registered("ea-NGI_IT-T1", "NGI_IT"));
    let (kind, quarantine, teams) = (TaskKind::RollBack, None, vec![team("ea-NGI_IT-T1")]);
    story.records(
        &ou(),
        Ask::CreateTasks { services: [].into(), bundle: named("B-1"), kind, teams, quarantine, reason: String::new() },
    );
    let tom = person("tom", &[Role::EA]).of_teams([team("ea-NGI_IT-T1")]);
    let said = |story: &mut Story| {
        story.tell(&Input::Tick).tell(&Input::Tick);
        story.facts.iter().filter(|fact| matches!(fact, Fact::QuarantineOver(_))).count()
    };
    story.passes(DAY * 9);
    assert_eq!(said(&mut story), 0, "it was not begun");
    story.records(&tom, Ask::BeginTask { task: 1, outcome: Outcome::Success, reason: String::new() });
    story.passes(Duration::from_secs(3 * 86_400 - 1));
    assert_eq!(said(&mut story), 0);
    let mut done = story.clone();
    let end = Ask::EndTask { task: 1, outcome: Outcome::Success, early: true, reason: "all is well".into() };
    done.records(&person("otto", &[Role::OU]), end).passes(DAY);
    assert_eq!(said(&mut done), 0);
    story.passes(Duration::from_secs(1));
    assert_eq!(said(&mut story), 1);
    let last = story.world.messages.after(None).last().expect("one").2;
    assert_eq!((last.template.as_str(), last.teams.len()), ("quarantine-is-over", 1));
    story.records(&ou(), Ask::ExtendTask { task: 1, by: DAY, reason: "it needs more load".into() });
    assert_eq!(said(&mut story), 1);
    story.passes(DAY);
    assert_eq!(said(&mut story), 2);
}

/// S3-08: while a rollout of the bundle is on hold, no quarantine of its tasks passes.
#[test]
fn on_hold_no_quarantine_passes() {
    let mut story = patches();
    story.records(&ou(), registered("ea-NGI_IT-T1", "NGI_IT"));
    let (kind, quarantine, teams) = (TaskKind::RollBack, None, vec![team("ea-NGI_IT-T1")]);
    story.records(
        &ou(),
        Ask::CreateTasks { services: [].into(), bundle: named("B-1"), kind, teams, quarantine, reason: String::new() },
    );
    let tom = person("tom", &[Role::EA]).of_teams([team("ea-NGI_IT-T1")]);
    let stall = |rollout: &str| Ask::Stall { rollout: id(rollout), reason: "its developers have to answer".into() };
    let resume = |rollout: &str| Ask::Resume { rollout: id(rollout), reason: String::new() };
    let done = || Ask::EndTask { task: 1, outcome: Outcome::Success, early: false, reason: String::new() };
    story.records(&tom, Ask::BeginTask { task: 1, outcome: Outcome::Success, reason: String::new() });
    // Two of them at a time pause it once.
    story.passes(DAY).records(&ou(), stall("r")).passes(DAY * 5).records(&ou(), stall("s"));
    story.passes(DAY * 5).records(&ou(), resume("r"));
    assert_eq!(story.refuses(&tom, done()), "quarantine");
    let Some(Answer::Refused(judged)) = &story.answer else { panic!("{:?}", story.answer) };
    let said = &judged.findings[0];
    assert_eq!(said.sentence, "The quarantine of task 1 stands still while s is on hold.");
    assert_eq!(said.not_before, None);
    let duty = todo(story.known(), &tom).into_iter().map(|duty| duty.what).find(|what| what.contains("task 1"));
    assert!(duty.is_some_and(|what| what.ends_with("which stands still while its bundle is on hold")));
    story.records(&ou(), resume("s")).passes(Duration::from_secs(2 * 86_400 - 1));
    assert_eq!(story.refuses(&tom, done()), "quarantine");
    let over = |story: &mut Story| {
        story.tell(&Input::Tick);
        story.facts.iter().any(|fact| matches!(fact, Fact::QuarantineOver(_)))
    };
    assert!(!over(&mut story));
    story.passes(Duration::from_secs(1));
    assert!(over(&mut story));
    story.records(&tom, done());
}

/// S1-28: whoever creates tasks may give one to another team, where it begins anew.
#[test]
fn a_task_is_given_to_another_team() {
    let mut story = patches();
    let (here, there) = (team("ea-NGI_IT-T1"), team("ea-NGI_CH-CSCS"));
    for (team, ngi) in [(&here, "NGI_IT"), (&there, "NGI_CH")] {
        story.records(&ou(), registered(team.as_str(), ngi));
    }
    let quarantine = None;
    let create = |team: &TeamName, kind| {
        let teams = vec![team.clone()];
        Ask::CreateTasks { services: [].into(), bundle: named("B-1"), kind, teams, quarantine, reason: String::new() }
    };
    deployed(&mut story);
    story.records(&ou(), create(&here, TaskKind::RollOut));
    let of = |team: &TeamName| person("tom", &[Role::EA]).of_teams([team.clone()]);
    let gives = |task, team: &TeamName, reason: &str| {
        let (team, reason) = (team.clone(), reason.to_owned());
        Ask::ReassignTask { task, team, reason }
    };
    let begin = |task| Ask::BeginTask { task, outcome: Outcome::Success, reason: String::new() };
    let done = |task, outcome| Ask::EndTask { task, outcome, early: true, reason: "because".into() };
    assert_eq!(story.refuses(&of(&here), gives(1, &there, "no time")), "role");
    assert_eq!(story.refuses(&ou(), gives(1, &there, "")), "no_reason");
    assert_eq!(story.refuses(&ou(), gives(1, &team("ea-NGI_DE-KIT"), "no time")), "no_team");
    assert_eq!(story.refuses(&ou(), gives(1, &here, "no time")), "task 1 belongs to ea-NGI_IT-T1 already");
    let mut both = story.clone();
    both.records(&ou(), create(&there, TaskKind::RollOut));
    assert_eq!(both.refuses(&ou(), gives(1, &there, "no time")), "has_task");
    // Whose site was changed has to report, and only a site itself can go back.
    let mut begun = story.clone();
    begun.records(&of(&here), begin(1));
    assert_eq!(begun.refuses(&ou(), gives(1, &there, "no time")), "begun");
    begun.records(&ou(), moves("Rejected", &["s"])).carried_out().records(&ou(), create(&here, TaskKind::RollBack));
    assert_eq!(begun.refuses(&ou(), gives(2, &there, "no time")), "roll_back");
    // What the other team has done before does not stand for it.
    let mut before = story.clone();
    before.records(&ou(), create(&there, TaskKind::RollOut)).records(&of(&there), begin(2));
    before.records(&ou(), done(2, Outcome::Success)).records(&ou(), gives(1, &there, "no time"));
    let gate = |story: &Story| {
        let judged = step::why(story.known(), &ou(), &story.world.rollouts[&id("r")], "Ready for Production");
        judged
            .findings
            .into_iter()
            .filter(|finding| finding.code.starts_with("task"))
            .map(|it| it.sentence)
            .collect::<Vec<_>>()
    };
    assert_eq!(gate(&before), ["Task 1 of ea-NGI_CH-CSCS is New."]);
    before.records(&of(&there), begin(1)).records(&ou(), done(1, Outcome::Fail));
    assert!(gate(&before)[0].starts_with("Task 1 of ea-NGI_CH-CSCS failed"), "{:?}", gate(&before));
    story.records(&ou(), gives(1, &there, "no time"));
    // It is not the business of the team that had it.
    assert_eq!(story.refuses(&of(&here), begin(1)), "role");
    assert!(!todo(story.known(), &of(&here)).iter().any(|duty| duty.what.contains("task 1")));
    assert!(todo(story.known(), &of(&there)).iter().any(|duty| duty.what.contains("task 1")));
    let last = story.world.messages.after(None).last().expect("one").2;
    assert_eq!((last.template.as_str(), last.teams.len()), ("task-is-reassigned", 2), "both are told");
    story.records(&of(&there), begin(1)).records(&ou(), done(1, Outcome::Success));
    assert_eq!(story.refuses(&ou(), gives(1, &here, "no time")), "task 1 is Done");
}

/// S1-57: said to whoever does it, and recorded nowhere.
#[test]
fn whoever_moves_a_part_of_a_bundle_is_warned() {
    let warnings = |story: &Story| match &story.answer {
        Some(Answer::Recorded { warnings, .. } | Answer::Moved { warnings, .. }) => warnings.clone(),
        other => panic!("{other:?}"),
    };
    let mut story = patches();
    // Nothing moves.
    story.records(&ou(), moves("Ready for Rollout", &["r"]));
    assert_eq!(warnings(&story), [""; 0]);
    story.records(&ou(), moves("Ready for Rollout", &["s"]));
    let (mut whole, mut alone, before) = (story.clone(), story.clone(), story.facts.len());
    whole.records(&mu(), moves("Rolling out", &[]));
    assert_eq!(warnings(&whole), [""; 0]);
    story.records(&mu(), moves("Rolling out", &["r"]));
    let told = warnings(&story);
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with("only a part of the bundle B-1 goes to delta: s is in Ready for Rollout. "),
        "{told:?}"
    );
    // The plan says it beforehand, and so does the step of one of them.
    let planned = outlook(alone.known(), &mu(), &alone.world.rollouts[&id("r")], "Rolling out");
    alone.move_as(&[Role::MU], "r", "Rolling out");
    assert_eq!((planned.warnings, warnings(&alone)), (told.clone(), told));
    assert_eq!(story.facts[before..], alone.facts[before..]);
    // The rest follows, and what was rejected is not waited for.
    story.carried_out().move_as(&[Role::MU], "s", "Rolling out");
    assert_eq!(warnings(&story), [""; 0]);
    alone.carried_out().move_as(&[Role::OU], "s", "Rejected").carried_out();
    assert_eq!(warnings(&alone), [""; 0]);
    for gate in ["exposure", "tasks_done"] {
        alone.records(&ou(), overrides("r", "Ready for Production", gate));
    }
    alone.records(&ou(), moves("Ready for Production", &["r"]));
    alone.records(&mu(), Ask::Announce { bundle: named("B-1"), rollouts: ids(&["r"]), reason: String::new() });
    let (state, reason) = ("In Production".to_owned(), String::new());
    alone.records(&ou(), Ask::Approve { rollout: id("r"), state, role: None, reason });
    // Nobody would be told of it (S1-33).
    let number = |alone: &Story| todo(alone.known(), &mu()).into_iter().find(|duty| duty.command.starts_with("update"));
    assert_eq!(number(&alone), None);
    alone.records(&mu(), moves("In Production", &["r"]));
    assert_eq!(
        warnings(&alone),
        ["r: it has no update number, so no site is told of it: see `rolloutctl update --help`"]
    );
    alone.carried_out();
    assert_eq!(number(&alone).map(|duty| duty.command).as_deref(), Some("update SERIES --bundle B-1"));
}

/// S1-22, S1-47, S1-50 to S1-52: a problem of what a UI runs concerns whoever runs UIs, and whoever has got it with something
/// else from the same repository.
#[test]
fn teams_are_found_by_node_types_and_by_the_repository_that_they_use() {
    let mut story = patches();
    for (name, ngi, types, observer) in [
        ("ea-NGI_IT-T1", "NGI_IT", ["ui", "WN"], false),
        ("ea-NGI_CH-CSCS", "NGI_CH", ["WMS", "LB"], false),
        ("ea-NGI_DE-KIT", "NGI_DE", ["SE", "SE_dpm"], false),
        ("ea-NGI_FR-LAL", "NGI_FR", ["UI", "WN"], true),
    ] {
        let (products, stacks) = Default::default();
        let (ngi, node_types) = (ngi.to_owned(), types.map(str::to_owned).into());
        let new =
            TeamRegistered { team: team(name), ngi, products, stacks, node_types, contacts: BTreeSet::new(), observer };
        story.records(&ou(), Ask::Register { team: new, reason: String::new() });
    }
    let says = |rollout: &str, node_type: &str| {
        let node_types = Some([node_type.parse().expect("a label")].into());
        let changes = AttributeChanges { node_types, ..AttributeChanges::default() };
        Ask::Describe { rollout: id(rollout), changes, reason: String::new() }
    };
    let found = |story: &Story| {
        let bundle = story.world.bundles.get(&named("B-1")).expect("there");
        let all = affected(story.known(), &named("B-1"), bundle).into_iter();
        all.map(|one| format!("{} {:?} {}", one.team, one.node_types, one.has_task)).collect::<Vec<_>>()
    };
    assert_eq!(found(&story), [""; 0], "nobody has said what it is for");
    story.records(&ou(), says("r", "UI")).records(&ou(), says("s", "SE"));
    let (it, de) = ("ea-NGI_IT-T1 {\"UI\"} false", "ea-NGI_DE-KIT {\"SE\"} false");
    assert_eq!(found(&story), [de, it]);
    // Who tests another bundle of the same repository has to agree with it, too.
    story.records(&mu(), joins("B-2", &["t"]));
    story.records(&mu(), Ask::Announce { bundle: named("B-2"), rollouts: vec![], reason: String::new() });
    for state in ["Ready for Rollout", "Rolling out"] {
        story.records(&ou(), overrides("t", state, "no_conflict")).move_as(&[Role::ADMIN], "t", state).carried_out();
    }
    story.passes(SETTLING);
    let (kind, quarantine, teams) = (TaskKind::RollOut, None, vec![team("ea-NGI_CH-CSCS")]);
    let create = |bundle: &str| {
        let (bundle, teams) = (named(bundle), teams.clone());
        Ask::CreateTasks { services: [].into(), bundle, kind, teams, quarantine, reason: String::new() }
    };
    story.records(&ou(), create("B-2"));
    let indirect = "ea-NGI_CH-CSCS {} false";
    assert_eq!(found(&story), [indirect, de, it]);
    // Only what was rejected has to go back.
    let mut rejected = story.clone();
    rejected.moves(&ou(), "Rejected");
    assert_eq!(found(&rejected), [indirect, it]);
    // A repository for some node types is nobody else's.
    let mut split = story.clone();
    split.rules.distributions.values_mut().next().expect("one").node_types = ["UI".to_owned()].into();
    assert_eq!(found(&split), [it]);
    // Whoever has rolled this very bundle out has it.
    split.records(&mu(), Ask::Announce { bundle: named("B-1"), rollouts: ids(&["s"]), reason: String::new() });
    split.records(&ou(), moves("Ready for Rollout", &["s"])).records(&mu(), moves("Rolling out", &["s"]));
    split.carried_out().passes(SETTLING);
    split.records(&ou(), create("B-1"));
    assert_eq!(found(&split), ["ea-NGI_CH-CSCS {} true", it]);
}
