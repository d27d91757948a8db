//! Restores: a tree lists again what it listed before.

use std::collections::BTreeMap;

use super::*;
use crate::domain::names::Role;
use crate::process::act::restore::{change, planned};
use crate::process::agenda::{self, Circumstances};
use crate::process::earlier::{Earlier, Search, Step, ToRestore};
use crate::process::fact::tree::Restored;

const A: &str = "a-1-1.noarch";
const B: &str = "b-1-1.noarch";

fn id(tree: &str) -> TreeId {
    TreeId { dist: DIST.parse().expect("a path"), tree: tree.parse().expect("a name") }
}

impl Story {
    /// A tree is published as it is; gives what is known of that later.
    fn shows(&mut self, tree: &str) -> Earlier {
        let id = id(tree);
        let (packages, revision) = (self.world.trees.listed(&id), self.world.last + 100);
        let (repomd, superseded) = (Sha256([3; 32]), vec![]);
        let published = Published { tree: id.clone(), revision, packages, repomd, superseded, plan: None };
        let work = Work::Publish(id.dist.clone(), vec![id.tree.clone()]);
        self.tell(&Input::WorkEnded(work, WorkEnd::done(Found::Published(vec![published.clone()]))));
        match Search::of(&id, revision).see(&self.world, self.world.last, &Fact::Published(published)) {
            Step::Found(earlier) => earlier,
            other => panic!("{other:?}"),
        }
    }

    /// A restore is carried out: the tree shows it under a new revision.
    fn restored(&mut self, tree: &str) -> u64 {
        let (number, plan) = self.world.rollouts.restore_of(&id(tree)).map(|(n, p)| (n, Arc::clone(p))).expect("one");
        let listing = plan.shown_in(&id(tree), &self.world.trees.listing(&id(tree)));
        let revision = self.world.last + 100;
        let published = Published {
            tree: id(tree),
            revision,
            packages: listing.len() as u64,
            repomd: Sha256([4; 32]),
            superseded: vec![],
            plan: Some(number),
        };
        let end = WorkEnd::done(Found::Shown { plan: number, published: vec![published] });
        self.tell(&Input::WorkEnded(Work::Show(number, plan), end));
        assert!(self.world.trees.listing(&id(tree)).looks_like(&listing));
        assert!(self.world.mismatches.is_empty(), "{:?}", self.world.mismatches);
        revision
    }

    fn lists(&self, tree: &str) -> Vec<String> {
        self.world.trees.listing(&id(tree)).nevras().map(ToString::to_string).collect()
    }

    fn asks_back(&mut self, tree: &str, earlier: &Earlier, also_rejected: bool) -> &mut Self {
        let ask = Ask::Restore(wanted(tree, earlier, also_rejected));
        self.asks(&caller(&[Role::ADMIN]), ask)
    }

    fn findings(&self) -> Vec<String> {
        match &self.answer {
            Some(Answer::Refused(judged)) => judged.findings.iter().map(|f| f.sentence.clone()).collect(),
            other => panic!("{other:?}"),
        }
    }
}

fn wanted(tree: &str, earlier: &Earlier, also_rejected: bool) -> ToRestore {
    let (earlier, missing, reason) = (earlier.clone(), BTreeSet::new(), "it loses data".to_owned());
    ToRestore { tree: id(tree), earlier, missing, also_rejected, may_shrink: false, reason }
}

/// Two rollouts `a` and `b` in production, and what production listed before both, after the first and after both.
fn in_production() -> (Story, [Earlier; 3]) {
    let mut story = Story::new();
    for tree in ["untested", "testing", "delta"] {
        story.shows(tree);
    }
    let before = story.shows("production");
    let mut after = [A, B].into_iter().zip(["a", "b"]).map(|(nevra, rollout)| {
        story.arrives(nevra).submit(rollout, &[nevra]);
        for state in ["InVerification", "StageRollOut", "Production"] {
            story.move_as(&[Role::ADMIN], rollout, state).carried_out();
        }
        story.shows("production")
    });
    let both = [after.next().expect("one"), after.next().expect("two")];
    drop(after);
    let [first, second] = both;
    (story, [before, first, second])
}

#[test]
fn a_tree_goes_back_and_forth_and_rollouts_stay_in_their_states() {
    let (mut story, [_, first, second]) = in_production();
    story.asks_back("production", &first, false);
    let Some(Answer::Restores { comes: 0, goes: 1, back, .. }) = story.answer else { panic!("{:?}", story.answer) };
    assert_eq!(back, second.revision);
    let dist: DistPath = DIST.parse().expect("a path");
    let (wrong, held) = (Wrongs::new(), BTreeMap::new());
    let moment = Circumstances { touched: false, doubted: false, patient: false, now: Elapsed::default() };
    let first_of_all = agenda::all(&story.world, &dist, &story.rules, &wrong, &held, moment).expect("known").next();
    assert_eq!(first_of_all.map(|work| work.label()), Some("show"), "there is no other tree for which it waits");
    let third = story.restored("production");
    assert_eq!((story.lists("production"), story.state("b")), (vec![A.to_owned()], "Production".to_owned()));
    let rollout = story.world.rollouts[&"b".parse().expect("an id")].clone();
    let said = story.world.taken_away(rollout.packages());
    assert!(said[0].sentence.contains(&format!("--to {back}")) && said.len() == 1, "{said:?}");
    assert_eq!(story.world.trees[&id("production")].restored.as_ref().map(|it| it.to), Some(first.revision));
    // It is not burned: the way back.
    let again = story.asks_back("production", &second, false).answer.clone();
    assert!(matches!(again, Some(Answer::Restores { comes: 1, goes: 0, back, .. }) if back == third), "{again:?}");
    story.restored("production");
    assert_eq!(story.lists("production"), [A, B]);
    let entry = story.world.trees[&id("production")].listing().get(&B.parse().expect("a nevra")).cloned();
    assert_eq!(entry.and_then(|entry| entry.brought), "b".parse().ok(), "it is its rollout's, as before");
    assert!(story.world.taken_away(rollout.packages()).is_empty());
    // What is so already is not written down.
    let entries = story.world.last;
    story.asks_back("production", &second, false);
    assert!(matches!(story.answer, Some(Answer::Nothing(_))), "{:?}", story.answer);
    assert_eq!(story.world.last, entries);
}

#[test]
fn only_an_admin_restores_with_a_reason_and_not_while_something_moves_there() {
    let (mut story, [before, first, _]) = in_production();
    story.asks(
        &caller(&[Role::SRM]),
        Ask::Restore(ToRestore { reason: " ".into(), ..wanted("production", &first, false) }),
    );
    assert_eq!(story.codes(), ["no_reason", "role"]);
    story.arrives("c-1-1.noarch").submit("c", &["c-1-1.noarch"]);
    story.move_as(&[Role::ADMIN], "c", "InVerification").move_as(&[Role::ADMIN], "c", "StageRollOut");
    story.carried_out().move_as(&[Role::ADMIN], "c", "Production");
    story.asks_back("production", &first, false);
    assert!(
        story.codes() == ["busy"] && story.findings()[0].contains("for c (logbook entry"),
        "{:?}",
        story.findings()
    );
    story.carried_out();
    // What is about to be published has been seen by nobody, and could not be come back to.
    story.arrives("e-1-1.noarch");
    let empty = Earlier { listings: BTreeMap::new(), revision: 1, entry: 1 };
    assert_eq!(story.asks_back("untested", &empty, false).codes(), ["publishing"]);
    // And nothing else moves there while a restore goes on.
    story.asks_back("production", &before, false);
    assert!(matches!(story.answer, Some(Answer::Restores { goes: 3, .. })), "{:?}", story.answer);
    story.arrives("d-1-1.noarch").submit("d", &["d-1-1.noarch"]);
    story
        .move_as(&[Role::ADMIN], "d", "InVerification")
        .move_as(&[Role::ADMIN], "d", "StageRollOut")
        .carried_out_but("production");
    story.answer = None;
    story.move_as(&[Role::ADMIN], "d", "Production");
    assert_eq!(story.codes(), ["restore_open"]);
    story.hint("1", "d", "Production");
    assert_eq!(story.asks_back("production", &first, false).codes(), ["restore_open"]);
    story.restored("production");
    // What a tracker wanted meanwhile is done now.
    assert_eq!(story.state("d"), "Production");
}

impl Story {
    /// Every plan but the restore of a tree is carried out.
    fn carried_out_but(&mut self, tree: &str) -> &mut Self {
        let plans = self.world.rollouts.plans().filter(|(_, plan)| plan.restored() != Some(&id(tree)));
        for (number, plan) in plans.map(|(n, plan)| (n, Arc::clone(plan))).collect::<Vec<_>>() {
            let found = Found::Shown { plan: number, published: vec![] };
            self.tell(&Input::WorkEnded(Work::Show(number, plan), WorkEnd::done(found)));
        }
        self
    }
}

#[test]
fn a_halt_and_distrust_hold_up_what_comes_back_and_not_what_goes() {
    let (mut story, [before, first, second]) = in_production();
    let halt = Ask::Halt { dist: None, reason: "the key may be stolen".into() };
    story.asks(&caller(&[Role::ADMIN]), halt);
    story.trusts("production", trust(1, Standing::Revoked));
    story.asks_back("production", &before, false);
    assert!(matches!(story.answer, Some(Answer::Restores { comes: 0, goes: 2, .. })), "{:?}", story.answer);
    story.restored("production");
    assert_eq!(story.asks_back("production", &second, false).codes(), [SIGNER_REVOKED, SIGNER_REVOKED, "halted"]);
    story.trusts("production", trust(1, Standing::Good));
    story.asks(&caller(&[Role::ADMIN]), Ask::EndHalt { dist: None, reason: String::new() });
    // Distrusted only once it was decided: it is held, and can be given up.
    story.asks_back("production", &first, false);
    let (number, _) = story.world.rollouts.restore_of(&id("production")).expect("decided");
    story.trusts("production", trust(1, Standing::Revoked));
    let held = agenda::held(&story.world, &story.rules);
    assert!(held[&number].why.contains("give it up"), "{}", held[&number].why);
    let present = Earlier { revision: story.world.trees[&id("production")].revision, ..before };
    story.asks_back("production", &present, false);
    assert!(matches!(story.facts.last(), Some(Fact::Restored(Restored { gives_up: Some(up), .. })) if *up == number));
    assert!(agenda::held(&story.world, &story.rules).is_empty());
    story.restored("production");
    assert!(story.lists("production").is_empty() && story.world.rollouts.plans().count() == 0);
    let tree = &story.world.trees[&id("production")];
    assert!(tree.restored.is_none(), "nothing was restored");
    // What had been set aside before still is.
    story.trusts("production", trust(1, Standing::Good)).asks_back("production", &second, false);
    assert!(matches!(story.answer, Some(Answer::Restores { comes: 2, .. })), "{:?}", story.answer);
}

#[test]
fn what_was_rejected_lost_moved_on_or_is_missing_is_named_at_once() {
    let mut story = Story::new();
    for (nevra, rollout) in [(A, "a"), (B, "b"), ("c-1-1.noarch", "c"), ("d-1-1.noarch", "d")] {
        story.arrives(nevra).submit(rollout, &[nevra]);
        story.move_as(&[Role::ADMIN], rollout, "InVerification").move_as(&[Role::ADMIN], rollout, "StageRollOut");
        story.carried_out();
    }
    let then = story.shows("testing");
    assert_eq!(story.lists("testing").len(), 4);
    story.move_as(&[Role::ADMIN], "a", "Rejected").move_as(&[Role::ADMIN], "b", "Production").carried_out();
    story.misses("testing", "c-1-1.noarch");
    let lose =
        Ask::Lose { nevra: "c-1-1.noarch".parse().expect("a nevra"), dist: None, reason: "the disk died".into() };
    story.asks(&caller(&[Role::ADMIN]), lose);
    story.wrong.clear();
    let before = story.shows("testing");
    let empty = Earlier { listings: BTreeMap::new(), ..before };
    story.asks_back("testing", &empty, false);
    story.restored("testing");
    let missing = BTreeSet::from(["d-1-1.noarch".parse().expect("a nevra")]);
    let ask = ToRestore { missing, ..wanted("testing", &then, false) };
    assert_eq!(change(story.known(), &ask).map(|one| one.items.len()), Some(4));
    let entries = story.world.last;
    story.asks(&caller(&[Role::ADMIN]), Ask::Restore(ask.clone()));
    assert_eq!(story.codes(), ["package_lost", "package_missing", "package_elsewhere", "package_rejected"]);
    insta::assert_snapshot!(story.findings().join("\n"));
    assert_eq!(story.world.last, entries);
    let looked = planned(story.known(), &caller(&[Role::ADMIN]), &ToRestore { also_rejected: true, ..ask });
    assert_eq!(looked.restored.rejected.iter().map(ToString::to_string).collect::<Vec<_>>(), [A]);
    let codes: Vec<&str> = looked.judged.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["package_lost", "package_missing", "package_elsewhere"]);
}

#[test]
fn a_package_that_was_set_aside_can_be_restored_and_not_rolled_out() {
    let mut story = Story::new();
    story.arrives(A).submit("a", &[A]);
    story.move_as(&[Role::ADMIN], "a", "InVerification").move_as(&[Role::ADMIN], "a", "StageRollOut").carried_out();
    let then = story.shows("testing");
    let empty = Earlier { listings: BTreeMap::new(), revision: 1, entry: 1 };
    story.asks_back("testing", &empty, false);
    story.restored("testing");
    story.answer = None;
    story.move_as(&[Role::ADMIN], "a", "Production");
    assert_eq!(story.codes(), ["package_set_aside"]);
    story.hint("1", "a", "Production");
    assert_eq!(story.state("a"), "StageRollOut");
    // Once it is back, the step that was wanted is taken.
    story.asks_back("testing", &then, false);
    story.restored("testing");
    assert_eq!(story.state("a"), "Production");
    // Rejected while it is set aside, it counts as rejected.
    let mut story = Story::new();
    story.arrives(A).submit("a", &[A]);
    story.move_as(&[Role::ADMIN], "a", "InVerification").move_as(&[Role::ADMIN], "a", "StageRollOut").carried_out();
    let then = story.shows("testing");
    story.asks_back("testing", &empty, false);
    story.restored("testing");
    story.move_as(&[Role::ADMIN], "a", "Rejected").carried_out();
    assert_eq!(story.asks_back("testing", &then, false).codes(), ["package_rejected"]);
}
