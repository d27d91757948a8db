//! What a step would do is said beforehand, and then it is what the step does.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::domain::changes::{Amount, Class};
use crate::domain::listing::Listing;
use crate::process::difference::{Row, Shown, difference};
use crate::process::known::Known;
use crate::process::outlook::{Outlook, TreeOutlook, listings, outlook};
use crate::process::world::Tree;

const OTHER: &str = "umd/4/el7/x86_64";

/// Everybody's roles.
const ALL: [Role; 4] = [Role::ADMIN, Role::VERIFIER, Role::SRM, Role::TRACKER];

impl Story {
    fn outlook(&self, roles: &[Role], id: &str, state: &str) -> Outlook {
        let id: RolloutId = id.parse().expect("an id");
        outlook(self.known(), &caller(roles), &self.world.rollouts[&id], state)
    }

    /// The trees that a step has changed are those that were foretold, package by package; and what was refused had been
    /// foretold as refused, for the same reasons.
    #[track_caller]
    fn goes_as_foretold(&mut self, roles: &[Role], id: &str, state: &str) -> Outlook {
        let (before, told) = (self.world.clone(), self.outlook(roles, id, state));
        assert!(before == self.world, "asking changes nothing");
        self.answer = None;
        self.move_as(roles, id, state).carried_out();
        if told.judged.verdict != Verdict::Pass {
            assert_eq!(self.answer, Some(Answer::Refused(told.judged.clone())), "refused for the reasons foretold");
            assert_eq!(before.trees, self.world.trees);
            return told;
        }
        assert!(matches!(self.answer, Some(Answer::Moved { .. })), "{:?}", self.answer);
        // A preview shows the very trees.
        let as_before = Known { world: &before, ..self.known() };
        let rollout = &before.rollouts[&id.parse::<RolloutId>().expect("an id")];
        for (id, listing) in listings(as_before, [rollout], state).expect("a step") {
            let files = |listing: &Listing| -> Vec<(Nevra, String)> {
                listing.iter().map(|(nevra, entry)| (nevra.clone(), entry.location(nevra))).collect()
            };
            assert_eq!(files(&listing), files(&self.world.trees.listing(&id)), "{id}");
        }
        let ids: BTreeSet<&TreeId> = before.trees.ids().chain(self.world.trees.ids()).collect();
        for id in ids {
            let (was, is) = (before.trees.listing(id), self.world.trees.listing(id));
            match told.trees.iter().find(|tree| tree.id == *id) {
                Some(tree) => assert_eq!(applied(tree, &was), is.nevras().cloned().collect::<BTreeSet<_>>(), "{id}"),
                None => assert_eq!(was, is, "{id} has changed and was not named"),
            }
        }
        for tree in &told.trees {
            let amount = |world: &World| world.trees.get(&tree.id).map(Tree::amount).unwrap_or_default();
            assert_eq!((tree.before, tree.after()), (amount(&before), amount(&self.world)), "{}", tree.id);
        }
        told
    }
}

/// What a tree lists once all that was foretold has come and gone.
fn applied(tree: &TreeOutlook, before: &Listing) -> BTreeSet<Nevra> {
    let mut all: BTreeSet<Nevra> = before.nevras().cloned().collect();
    for package in &tree.packages {
        let is_right = match package.fate {
            "new" | "newer" | "older" => all.insert(package.nevra.clone()),
            "same" => all.contains(&package.nevra),
            _ => all.remove(&package.nevra),
        };
        assert!(is_right, "{}: {} {}", tree.id, package.fate, package.nevra);
    }
    all
}

/// An outlook in some lines.
fn told(outlook: &Outlook) -> String {
    let mut text = format!("{:?} to {:?}: {}\n", outlook.from, outlook.to, outlook.judged.verdict);
    let amount = |Amount { packages, bytes }: Amount| format!("{packages}/{bytes}");
    for tree in &outlook.trees {
        let (before, after) = (amount(tree.before), amount(tree.after()));
        let (added, removed) = (amount(tree.added), amount(tree.removed));
        let _ = write!(text, "{}: {before} +{added} -{removed} = {after}, same {}", tree.id, tree.same);
        let _ = writeln!(text, ", signers {:?}", tree.signers);
        for package in &tree.packages {
            let _ = writeln!(text, "  {} {} {}", package.fate, package.nevra, package.other.as_deref().unwrap_or("-"));
        }
    }
    text
}

#[test]
fn every_kind_of_package_is_foretold() {
    let mut story = Story::new();
    let all = ["a-1-1.noarch", "a-2-1.noarch", "b-1-1.i686", "b-1-1.x86_64", "c-2-1.noarch", "c-1-1.noarch"];
    for nevra in all {
        story.arrives(nevra);
    }
    story.submit("old", &["a-1-1.noarch", "c-2-1.noarch"]);
    let mut text = String::new();
    for (id, states) in [("old", ["InVerification", "StageRollOut"]), ("new", ["InVerification", "StageRollOut"])] {
        if id == "new" {
            // The gate that refuses older packages is asked where the procedure names it.
            let dist = story.rules.distributions.values_mut().next().expect("one");
            let lax = include_str!("../../../../fixtures/procedures/brief.toml").replace(", \"not_older\"", "");
            let read = procedure::read(&lax, std::path::Path::new("lax.toml"));
            dist.workflow = read.expect("a procedure").workflow;
            story.submit("new", &["a-2-1.noarch", "b-1-1.i686", "b-1-1.x86_64", "c-1-1.noarch"]);
        }
        for state in states {
            text.push_str(&told(&story.goes_as_foretold(&ALL, id, state)));
        }
    }
    text.push_str(&told(&story.goes_as_foretold(&ALL, "old", "Production")));
    text.push_str(&told(&story.goes_as_foretold(&ALL, "new", "Rejected")));
    insta::assert_snapshot!(text);
}

#[test]
fn what_is_refused_is_foretold_with_its_reasons_and_with_what_it_would_have_done() {
    let mut story = Story::new();
    story.arrives(A).submit("r", &[A]).move_as(&ALL, "r", "InVerification");
    let told = story.goes_as_foretold(&[Role::OBSERVER], "r", "StageRollOut");
    assert_eq!((told.judged.verdict, told.trees.len()), (Verdict::NeedsAdmin, 2));
    let told = story.goes_as_foretold(&ALL, "r", "no such state");
    assert_eq!((told.judged.verdict, told.to, told.trees), (Verdict::Reject, None, vec![]));
    let told = story.goes_as_foretold(&ALL, "r", "Production");
    assert_eq!((told.judged.findings[0].code, told.to), ("no_transition", None));
    // While its packages are being moved, it is busy.
    story.move_as(&ALL, "r", "StageRollOut");
    let told = story.outlook(&ALL, "r", "Production");
    assert_eq!(told.judged.findings[0].code, "busy");
}

#[test]
fn a_step_that_moves_nothing_is_foretold_to_change_no_tree() {
    let mut story = Story::new();
    story.arrives(A).submit("r", &[A]);
    let told = story.goes_as_foretold(&ALL, "r", "InVerification");
    assert_eq!((told.judged.verdict, told.trees.len()), (Verdict::Pass, 0));
    assert_eq!(
        told.to.map(|(to, effect)| (to.to_string(), effect.to_string())),
        Some(("InVerification".to_owned(), "nothing moves".to_owned()))
    );
}

/// What differs between two trees, read in pages of this many.
fn in_pages(world: &World, trees: [&TreeId; 2], class: Option<Class>, limit: usize) -> Vec<Row> {
    let (mut rows, mut after) = (Vec::<Row>::new(), None);
    loop {
        let found = difference(world, trees, &Shown { class, after, limit });
        assert!(found.page.len() <= limit);
        rows.extend(found.page);
        after = rows.last().map(|row| (row.name.clone(), row.arch.clone()));
        if found.more == 0 {
            return rows;
        }
    }
}

#[test]
fn the_pages_of_a_difference_have_each_name_and_architecture_once() {
    let mut story = Story::new();
    story.has_too(OTHER);
    let few = (0..7).map(|n| format!("p{n}-1-1.noarch"));
    for nevra in few.chain((0..30).map(|n| format!("many-1-{n}.noarch"))) {
        story.arrives(&nevra);
    }
    for nevra in ["p1-2-1.noarch", "p2-0-1.noarch", "p3-1-1.noarch", "p9-1-1.noarch", "p9-1-1.i686"] {
        story.arrives_in(OTHER, nevra);
    }
    let tree = |dist: &str| TreeId { dist: dist.parse().expect("a path"), tree: "untested".parse().expect("a name") };
    let (here, there) = (tree(DIST), tree(OTHER));
    let whole = in_pages(&story.world, [&here, &there], None, 100);
    let words: Vec<String> = whole.iter().map(|row| format!("{} {}.{}", row.class, row.name, row.arch)).collect();
    insta::assert_snapshot!(words.join("\n"));
    // All that is named of the versions, and all that there is.
    assert_eq!((whole[0].goes.len(), whole[0].removed.packages, whole[0].goes[0].as_str()), (10, 30, "1-29"));
    for limit in 1..4 {
        assert_eq!(in_pages(&story.world, [&here, &there], None, limit), whole, "{limit} at once");
    }
    let new = in_pages(&story.world, [&here, &there], Some(Class::New), 1);
    assert_eq!(new.iter().map(|row| row.arch.as_str()).collect::<Vec<_>>(), ["i686", "noarch"]);
    let same = in_pages(&story.world, [&here, &there], Some(Class::Same), 1);
    assert_eq!(same.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["p3"]);
}

/// What happens in a story.
#[derive(Clone, Debug)]
enum Act {
    Arrives(usize, usize),
    Submits(Vec<(usize, usize)>),
    Goes(usize, usize),
}

const PACKAGES: [&str; 6] =
    ["a-1-1.noarch", "a-2-1.noarch", "a-1:0-1.noarch", "b-1-1.i686", "b-1-1.x86_64", "b-2-1.i686"];
const STATES: [&str; 5] = ["Unverified", "InVerification", "StageRollOut", "Production", "Rejected"];

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let place = || (0..2_usize, 0..PACKAGES.len());
    let act = prop_oneof![
        2 => place().prop_map(|(dist, package)| Act::Arrives(dist, package)),
        1 => prop::collection::vec(place(), 1..4).prop_map(Act::Submits),
        6 => (0..4_usize, 0..STATES.len()).prop_map(|(rollout, state)| Act::Goes(rollout, state)),
    ];
    prop::collection::vec(act, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_each_step_does_what_was_foretold(acts in acts()) {
        let mut story = Story::new();
        story.has_too(OTHER);
        let dists = [DIST, OTHER];
        for (dist, package) in [(0, 0), (0, 3), (1, 1)] {
            story.arrives_in(dists[dist], PACKAGES[package]);
        }
        let mut rollouts = 0;
        for act in acts {
            match act {
                // What was withdrawn does not come back, and what is there is not taken in again.
                Act::Arrives(dist, package) => {
                    let (path, nevra) = (dists[dist].parse().expect("a path"), PACKAGES[package].parse().expect("a nevra"));
                    if story.world.packages.get(&path, &nevra).is_none() {
                        story.arrives_in(dists[dist], PACKAGES[package]);
                    }
                }
                Act::Submits(packages) => {
                    let of = |dist: usize| -> Vec<&str> {
                        packages.iter().filter(|(of, _)| *of == dist).map(|(_, package)| PACKAGES[*package]).collect()
                    };
                    let parts = [0, 1].into_iter().filter(|dist| !of(*dist).is_empty()).map(|dist| part(dists[dist], &of(dist)));
                    story.submit_parts(&format!("r{rollouts}"), parts.collect());
                    rollouts = story.world.rollouts.len();
                }
                Act::Goes(rollout, state) => {
                    let id = format!("r{rollout}");
                    if id.parse().is_ok_and(|id| story.world.rollouts.get(&id).is_some()) {
                        story.goes_as_foretold(&ALL, &id, STATES[state]);
                    }
                }
            }
        }
    }
}
