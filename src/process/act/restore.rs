//! A tree lists again what it listed at an earlier revision, under a new one.
//!
//! A restore is the plan of one tree: some packages come back, others go, in one publication. It is decided here from what
//! the logbook says of then ([`Earlier`](crate::process::earlier::Earlier)) and what is so now, and carried out as the
//! plans of rollouts are. Either way it can be undone by a restore to the revision before it.
//!
//! - What comes back must be trusted by the tree's ring of today, and its bytes must be somewhere.
//! - What goes is kept as withdrawn packages are, but it is set aside and not withdrawn: nobody has rejected it.
//! - Rollouts keep their states. A restore is about a tree, and what people said of a rollout is as true as before.
//!
//! While a restore is carried out, nothing else moves in its tree. One that cannot be carried out is given up by a restore to
//! the revision that the tree shows: its plan is the reverse, since clients may have seen the first one already.
//!
//! Refused, and why:
//!
//! - A package that another tree lists now, and did not list then. It has moved on with its rollout. To list it in both
//!   trees would leave nobody able to say where it is: the next step looks for it in one tree, and a move that is given up
//!   has no state to go back to. To take it out of the other tree would change a tree that nobody has named. So that tree
//!   is restored first, or the rollout is withdrawn. What was in both trees then may be so again.
//! - A package that was rejected, unless the caller says so: somebody had a reason for its withdrawal.
//! - A package that was given up as lost, also when somebody finds a file, and one that may come in again: it is taken in as
//!   an upload, by the gate.
//! - A restore while anything is being moved in the tree, or while its last change is not published: the way back would
//!   lead to something that nobody has seen.

use std::collections::BTreeMap;

use super::{capital, missing_reason};
use crate::domain::changes::{LEAVES_MAX, shrinks};
use crate::domain::gate::{Finding, Judgement, Verdict, judge};
use crate::domain::listing::{Entry as Listed, Listing};
use crate::domain::names::{DistPath, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::plan::{Move, Owner, Plan};
use crate::domain::rollout::Rollout;
use crate::process::decision::{Answer, Decision, Entry};
use crate::process::earlier::{Earlier, ToRestore};
use crate::process::fact::tree::{Relisted, Restored};
use crate::process::gate::maintenance;
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;
use crate::process::world::Tree;

/// Most packages that come and go in one restore: its entry has each of them.
pub const PACKAGES_MAX: usize = 20_000;

/// A restore as it would be decided now.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What would be written down.
    pub restored: Restored,
    /// What it would do to the tree; `None` if there is nothing to do.
    pub plan: Option<Plan>,
    /// What stands in its way.
    pub judged: Judgement,
}

/// Restores a tree.
pub(in crate::process) fn restore(known: Known<'_>, caller: &Caller, wanted: &ToRestore) -> Decision {
    let id = &wanted.tree;
    let rules = known.rules.distributions.get(&id.dist);
    if !rules.is_some_and(|rules| rules.trees.contains(&id.tree)) {
        return Decision::answered(Answer::NotFound(format!("there is no tree {id}")));
    }
    let (restored, mut findings) = all(known, caller, wanted);
    let is_over = restored.gives_up.is_none() && restored.comes.is_empty() && restored.goes.is_empty();
    if !is_over {
        findings.extend(missing_reason(&wanted.reason, "A reason is required, for everybody who uses the tree."));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    if is_over {
        let says = format!("{id} already lists what it listed at revision {}; there is nothing to do", restored.to);
        return Decision::answered(Answer::Nothing(says));
    }
    let answer = Answer::Restores {
        entry: known.world.last + 1,
        says: restored.to_string(),
        comes: restored.comes.len(),
        goes: restored.goes.len(),
        back: restored.from,
    };
    let entry = Entry { who: caller.who.clone(), why: wanted.reason.clone(), fact: restored.into() };
    Decision { entries: vec![entry], answer: Some(answer) }
}

/// What a restore would do, and what stands in its way: nothing is changed, and nothing is logged.
pub fn planned(known: Known<'_>, caller: &Caller, wanted: &ToRestore) -> Planned {
    let (restored, mut findings) = all(known, caller, wanted);
    if findings.is_empty() {
        findings.push(Finding::new(Verdict::Pass, "restore", "Nothing stands in its way."));
    }
    Planned { plan: restored.plan(known.now.wall), restored, judged: judge(findings) }
}

/// The change of the tree alone, for whoever looks for the bytes of what comes back.
pub fn change(known: Known<'_>, wanted: &ToRestore) -> Option<Move> {
    difference(known, wanted).plan(known.now.wall)?.moves.into_iter().next()
}

/// What would be written down, and everything that speaks against it.
fn all(known: Known<'_>, caller: &Caller, wanted: &ToRestore) -> (Restored, Vec<Finding>) {
    let id = &wanted.tree;
    let mut restored = difference(known, wanted);
    let mut findings: Vec<Finding> = rights::RESTORE.lacking(caller, [&id.dist]).into_iter().collect();
    let wants_present = restored.comes.is_empty() && restored.goes.is_empty();
    match known.world.rollouts.restore_of(id) {
        Some((number, plan)) if wants_present && known.stuck_plan(number, plan).is_some() => {
            give_up(known, &mut restored, (number, plan));
        }
        Some((number, plan)) => findings.push(open(known, number, plan)),
        None => {}
    }
    if !wants_present {
        findings.extend(of_tree(known, wanted, &restored));
        findings.extend(of_packages(known, wanted, &mut restored));
    } else if restored.gives_up.is_none() {
        findings.extend(of_plans(known, wanted, &restored));
    }
    (restored, findings)
}

/// What differs between the listing of then and that of now.
fn difference(known: Known<'_>, wanted: &ToRestore) -> Restored {
    let ToRestore { tree: id, earlier, .. } = wanted;
    let tree = known.world.trees.get(id);
    let (then, now) = (earlier.listing(&id.tree), tree.map(|tree| tree.listing().clone()).unwrap_or_default());
    let only = |one: &Listing, other: &Listing| -> Vec<Relisted> {
        one.iter().filter(|(nevra, _)| !other.contains(nevra)).map(relisted).collect()
    };
    Restored {
        dist: id.dist.clone(),
        tree: id.tree.clone(),
        to: earlier.revision,
        published: earlier.entry,
        from: tree.map_or(0, |tree| tree.revision),
        comes: only(&then, &now),
        goes: only(&now, &then),
        rejected: vec![],
        gives_up: None,
    }
}

fn relisted((nevra, entry): (&Nevra, &Listed)) -> Relisted {
    Relisted {
        nevra: nevra.clone(),
        sha256: entry.sha256,
        brought: entry.brought.clone(),
        place: entry.place.as_deref().map(str::to_owned),
    }
}

/// The restore that undoes what another one may have done so far: the tree shows what it lists.
fn give_up(known: Known<'_>, restored: &mut Restored, (number, plan): (u64, &Plan)) {
    let listing = known.world.trees.listing(&restored.id());
    let items = plan.moves.iter().flat_map(|one| &one.items);
    for item in items {
        match listing.get_key_value(&item.nevra) {
            Some(listed) => restored.comes.push(relisted(listed)),
            None => restored.goes.push(relisted((&item.nevra, &Listed::of(item.sha256)))),
        }
    }
    restored.to = restored.from;
    restored.gives_up = Some(number);
}

/// That another restore of the tree is not carried out yet.
fn open(known: Known<'_>, number: u64, plan: &Plan) -> Finding {
    let owner = &plan.owner;
    let (why, then) = match (known.stuck_plan(number, plan), owner) {
        (Some(why), Owner::Restore { tree, from, .. }) => {
            (format!(": {why}"), format!(" `rolloutctl restore {tree} --to {from}` gives it up."))
        }
        _ => (".".to_owned(), String::new()),
    };
    let sentence = format!("{owner} (logbook entry {number}) is not carried out yet{why}{then}");
    Finding::new(Verdict::Wait, "restore_open", capital(&sentence))
}

/// What speaks against any change of the tree.
fn of_tree(known: Known<'_>, wanted: &ToRestore, restored: &Restored) -> Vec<Finding> {
    let id = &wanted.tree;
    let mut findings = of_plans(known, wanted, restored);
    if let Some(wrong) = known.wrong.get(id) {
        let sentence = format!("Nothing is moved into {id} or out of it until it is fixed: {}.", wrong.why);
        findings.push(Finding::new(Verdict::Wait, "tree_held", sentence));
    }
    if known.world.trees.get(id).is_some_and(|tree| tree.dirty) {
        let sentence = format!("A change of {id} is about to be published; try again in a moment.");
        findings.push(Finding::new(Verdict::Wait, "publishing", sentence));
    }
    let number = restored.comes.len() + restored.goes.len();
    if number > PACKAGES_MAX {
        let sentence = format!("{number} packages would come or go; a restore changes at most {PACKAGES_MAX}.");
        findings.push(Finding::new(Verdict::Reject, "too_many", sentence));
    }
    let lists = known.world.trees.listing(id).len();
    let leaves = restored.goes.len().saturating_sub(restored.comes.len());
    if shrinks(lists, leaves, LEAVES_MAX) && !wanted.may_shrink {
        let sentence = format!(
            "{id} lists {lists} packages and would have {leaves} fewer. If that is intended, add --may-shrink."
        );
        findings.push(Finding::new(Verdict::Reject, "shrinks", sentence));
    }
    // What only takes packages away goes on, as withdrawals do.
    if !restored.comes.is_empty() {
        findings.extend(known.world.halts.objection([&id.dist].into_iter()));
        findings.extend(maintenance::objection(known, [&id.dist].into_iter()));
    }
    findings
}

/// Rollouts whose packages are being moved in the tree, or that move what would come back.
fn of_plans(known: Known<'_>, wanted: &ToRestore, restored: &Restored) -> Vec<Finding> {
    let id = &wanted.tree;
    let comes = |nevra: &Nevra| restored.comes.binary_search_by(|one| one.nevra.cmp(nevra)).is_ok();
    let plans = known.world.rollouts.plans_in(&id.dist).filter(|(_, plan)| {
        let moves = || plan.of(&id.dist).is_some_and(|one| one.items.iter().any(|item| comes(&item.nevra)));
        plan.restored() != Some(id) && (plan.trees().contains(id) || moves())
    });
    let finding = |(number, plan): (u64, &std::sync::Arc<Plan>)| {
        let owner = &plan.owner;
        let sentence = format!(
            "Packages are still being moved for {owner} (logbook entry {number}); wait until they have moved, or give that up."
        );
        Finding::new(Verdict::Wait, "busy", sentence)
    };
    plans.map(finding).collect()
}

/// What speaks against the packages that would come back; those that were rejected and may come back are noted.
fn of_packages(known: Known<'_>, wanted: &ToRestore, restored: &mut Restored) -> Vec<Finding> {
    let (world, ToRestore { tree: id, earlier, missing, also_rejected, .. }) = (known.world, wanted);
    let (mut told, mut rejected) = (BTreeMap::<Against, Vec<String>>::new(), Vec::new());
    let mut say = |what, words: String| told.entry(what).or_default().push(words);
    let then = earlier.listing(&id.tree);
    for (nevra, entry) in world.trees.listing(id).iter() {
        if then.get(nevra).is_some_and(|then| then.sha256 != entry.sha256) {
            say(Against::OtherBytes, nevra.to_string());
        }
    }
    for Relisted { nevra, sha256, .. } in &restored.comes {
        let name = || nevra.to_string();
        match world.packages.get(&id.dist, nevra) {
            None => {
                say(Against::Unknown, name());
                continue;
            }
            Some(package) if package.sha256 != *sha256 => {
                say(Against::OtherBytes, name());
                continue;
            }
            Some(_) => {}
        }
        if world.packages.lost.contains(&(id.dist.clone(), nevra.clone())) {
            say(Against::Lost, name());
            continue;
        }
        if world.packages.may_come_again(&id.dist, nevra) {
            say(Against::Allowed, name());
            continue;
        }
        let moved_on: Vec<&str> = moved_on(known, wanted, nevra).map(TreeName::as_str).collect();
        if !moved_on.is_empty() {
            say(Against::Elsewhere, format!("{nevra} in {}", moved_on.join(" and ")));
        }
        if let Some(why) = why_rejected(known, &id.dist, nevra) {
            if *also_rejected {
                rejected.push(nevra.clone());
            } else {
                say(Against::Rejected, format!("{nevra}{why}"));
            }
        }
        if missing.contains(nevra) {
            say(Against::Missing, name());
        }
    }
    restored.rejected = rejected;
    let finding = |(what, names): (Against, Vec<String>)| what.finding(&names.join(", "), earlier);
    let mut findings: Vec<Finding> = told.into_iter().map(finding).collect();
    let plan = restored.plan(known.now.wall);
    findings.extend(plan.iter().flat_map(|plan| world.objections(known.rules, plan)));
    findings
}

/// The trees that list a package now and did not list it then.
fn moved_on<'k>(known: Known<'k>, wanted: &'k ToRestore, nevra: &'k Nevra) -> impl Iterator<Item = &'k TreeName> {
    let trees = known.world.trees.of(&wanted.tree.dist);
    let is_new = |(name, tree): &(&TreeName, &Tree)| {
        **name != wanted.tree.tree && tree.listing().contains(nevra) && !wanted.earlier.listing(name).contains(nevra)
    };
    trees.filter(is_new).map(|(name, _)| name)
}

/// Why a package counts as rejected, behind its name: it was withdrawn, or its rollout was after it had gone.
fn why_rejected(known: Known<'_>, dist: &DistPath, nevra: &Nevra) -> Option<String> {
    let workflow = known.rules.distributions.get(dist).map(|rules| &rules.workflow);
    // What was rejected before it came in again was another time.
    let came = known.world.packages.get(dist, nevra).map(|package| package.accepted);
    let is_withdrawn = |rollout: &&Rollout| {
        workflow.is_some_and(|workflow| workflow.withdraws_to(&rollout.state))
            && came.is_none_or(|came| rollout.since >= came)
    };
    let rollout = known.world.rollouts.naming(dist, nevra).find(is_withdrawn);
    if let Some(Rollout { id, state, .. }) = rollout {
        return Some(format!(" ({id} is in {state})"));
    }
    let is_withdrawn = known.world.is_withdrawn(dist, nevra) && known.world.packages.set_aside(dist, nevra).is_none();
    is_withdrawn.then(String::new)
}

/// What speaks against a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Against {
    Unknown,
    OtherBytes,
    Lost,
    Allowed,
    Missing,
    Elsewhere,
    Rejected,
}

impl Against {
    /// The finding of all packages against which it speaks.
    fn finding(self, names: &str, Earlier { revision, .. }: &Earlier) -> Finding {
        let (code, sentence) = match self {
            Self::Unknown => {
                ("package_unknown", format!("No longer under management, since their tree was released: {names}."))
            }
            Self::OtherBytes => {
                ("other_bytes", format!("Accepted with other bytes since revision {revision}: {names}."))
            }
            Self::Lost => ("package_lost", format!("Given up as lost: {names}; upload the accepted files again.")),
            Self::Allowed => {
                ("package_allowed", format!("May come in again as uploads: {names}; upload the accepted files."))
            }
            Self::Missing => (
                "package_missing",
                format!(
                    "Their files are neither kept nor in any tree of the distribution: {names}; restore the accepted files."
                ),
            ),
            Self::Elsewhere => (
                "package_elsewhere",
                format!(
                    "Listed in another tree now, and not when revision {revision} was published: {names}. Restore that \
                     tree first, or withdraw the rollout."
                ),
            ),
            Self::Rejected => (
                "package_rejected",
                format!("Withdrawn or rejected since: {names}; `--also-rejected` brings them back all the same."),
            ),
        };
        Finding::new(Verdict::Reject, code, sentence)
    }
}
