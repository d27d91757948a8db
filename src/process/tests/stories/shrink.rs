//! What would take too much out of a tree waits until somebody says that it is meant (threats, row 90).

use super::records::{id, person};
use super::*;
use crate::domain::names::Role;
use crate::process::act::restore::planned;
use crate::process::earlier::{Earlier, ToRestore};
use std::collections::{BTreeMap, BTreeSet};

const PROCEDURE: &str = r#"
name = "short"
initial = "Draft"
submit = ["admin"]
state = [{ name = "Draft" }, { name = "Testing" }, { name = "Production" }, { name = "Gone" }]

[[transition]]
from = "Draft"
to = "Testing"
who = ["admin"]
move = { from = "untested", to = "testing" }

[[transition]]
from = "Testing"
to = "Production"
who = ["admin"]
move = { from = "testing", to = "production" }

[[transition]]
from = "Testing"
to = "Gone"
who = ["admin"]
withdraw = true

[[transition]]
from = "Production"
to = "Gone"
who = ["admin"]
withdraw = true
"#;

/// So many packages of one rollout and ten of another one; the first is in `state`.
fn story(many: usize, state: &str) -> Story {
    let mut story = Story::new();
    let workflow = procedure::read(PROCEDURE, std::path::Path::new("short.toml")).expect("legal").workflow;
    story.rules.distributions.values_mut().next().expect("one").workflow = workflow;
    for (rollout, number, state) in [("many", many, state), ("few", 10, "Production")] {
        let all: Vec<String> = (0..number).map(|n| format!("{rollout}-{n}-1-1.noarch")).collect();
        for nevra in &all {
            story.arrives(nevra);
        }
        story.submit(rollout, &all.iter().map(String::as_str).collect::<Vec<_>>());
        for step in ["Testing", "Production"] {
            story.move_as(&[Role::ADMIN], rollout, step).carried_out();
            if step == state {
                break;
            }
        }
    }
    story
}

#[test]
fn a_withdrawal_of_much_of_production_waits_for_somebody_who_means_it() {
    let mut story = story(60, "Production");
    let ann = person("ann", &[Role::ADMIN]);
    let go = |rollout: &str| Ask::Move { rollout: id(rollout), state: "Gone".into(), reason: "it loses data".into() };
    assert_eq!(story.refuses(&ann, go("many")), "shrinks");
    let Some(Answer::Refused(judged)) = &story.answer else { panic!("{:?}", story.answer) };
    assert_eq!(
        judged.findings[0].sentence,
        "60 of 70 packages would leave production/umd/3/sl6/x86_64. If that is intended: `rolloutctl override many \
         Gone shrink --reason WHY`."
    );
    // Few packages leave without a word, and so does whatever is not in the last tree.
    let mut few = story.clone();
    few.asks(&ann, go("few"));
    assert!(matches!(few.answer, Some(Answer::Moved { .. })), "{:?}", few.answer);
    let mut tested = self::story(60, "Testing");
    tested.asks(&ann, go("many"));
    assert!(matches!(tested.answer, Some(Answer::Moved { .. })), "{:?}", tested.answer);
    let means =
        Ask::Override { rollout: id("many"), state: "Gone".into(), gate: "shrink".into(), reason: "malware".into() };
    story.records(&ann, means).asks(&ann, go("many")).carried_out();
    assert_eq!(story.world.rollouts[&id("many")].state.as_str(), "Gone");
}

/// Nobody gets around it by a bundle of rollouts that are small enough each.
#[test]
fn a_bundle_that_leaves_production_counts_as_a_whole() {
    let mut story = Story::new();
    let workflow = procedure::read(PROCEDURE, std::path::Path::new("short.toml")).expect("legal").workflow;
    story.rules.distributions.values_mut().next().expect("one").workflow = workflow;
    let ann = person("ann", &[Role::ADMIN]);
    let bundle: crate::domain::names::BundleId = "B-1".parse().expect("an id");
    let open = crate::process::fact::bundle::BundleOpened { bundle: bundle.clone(), title: String::new() };
    story.records(&ann, Ask::OpenBundle(open));
    let names = ["one", "two", "three"];
    for rollout in names {
        let all: Vec<String> = (0..10).map(|n| format!("{rollout}-{n}-1-1.noarch")).collect();
        for nevra in &all {
            story.arrives(nevra);
        }
        story.submit(rollout, &all.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let rollouts = names.map(id).to_vec();
    let join = Ask::JoinBundle { bundle: bundle.clone(), rollouts, reason: String::new() };
    let go = |state: &str, only: &[&str]| {
        let (bundle, only) = (bundle.clone(), only.iter().map(|&name| id(name)).collect());
        Ask::MoveBundle { bundle, state: state.into(), only, reason: "it loses data".into() }
    };
    story.records(&ann, join).records(&ann, go("Testing", &[])).carried_out();
    story.records(&ann, go("Production", &[])).carried_out();
    assert_eq!(story.refuses(&ann, go("Gone", &[])), "shrinks");
    let mut one = story.clone();
    one.records(&ann, go("Gone", &["two"]));
    // A procedure that lets fewer leave is heard for each step, and for all of them together.
    let strict = PROCEDURE.replace("withdraw = true", "withdraw = true\ngates = [{ name = \"shrink\", packages = 5 }]");
    let strict = procedure::read(&strict, std::path::Path::new("strict.toml")).expect("legal").workflow;
    let mut fewer = story.clone();
    fewer.rules.distributions.values_mut().next().expect("one").workflow = strict;
    assert_eq!(fewer.refuses(&ann, go("Gone", &["two"])), "shrinks");
    for rollout in names {
        let (gate, reason) = ("shrink".to_owned(), "malware".to_owned());
        story.records(&ann, Ask::Override { rollout: id(rollout), state: "Gone".into(), gate, reason });
    }
    story.records(&ann, go("Gone", &[]));
}

#[test]
fn a_restore_to_much_less_waits_for_somebody_who_means_it() {
    let story = story(60, "Production");
    let tree: TreeId = TreeId { dist: DIST.parse().expect("a path"), tree: "production".parse().expect("a name") };
    let earlier = Earlier { revision: 1, entry: 1, listings: BTreeMap::new() };
    let wanted = |may_shrink| ToRestore {
        tree: tree.clone(),
        earlier: earlier.clone(),
        missing: BTreeSet::new(),
        also_rejected: false,
        may_shrink,
        reason: "it loses data".into(),
    };
    let codes = |may_shrink| {
        let judged = planned(story.known(), &person("ann", &[Role::ADMIN]), &wanted(may_shrink)).judged;
        judged.findings.iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    // The story has published nothing since.
    assert_eq!(codes(false), ["shrinks"]);
    assert_eq!(codes(true), ["restore"]);
}
