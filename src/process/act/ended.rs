//! Work has ended: its outcome is logged.

use std::collections::BTreeSet;

use crate::domain::names::{RolloutId, TreeId};
use crate::domain::nevra::Nevra;
use crate::process::agenda::{Kind, Work, Wrong};
use crate::process::decision::{Decision, Entry};
use crate::process::fact::Fact;
use crate::process::fact::package::{Refused, RefusedTogether};
use crate::process::fact::rollout::{Done, Staged};
use crate::process::fact::tree::{Altered, Published, Retired};
use crate::process::input::{End, Found, WorkEnd};
use crate::process::known::Known;
use crate::process::notice;
use crate::process::world::World;

/// Up to this many refusals of one scan for the same reason have an entry each.
pub(in crate::process) const REFUSED_APART: usize = 16;

/// The refusals of one scan: more than [`REFUSED_APART`] for the same reason are one entry, so that a burst of junk does
/// not fill the logbook.
pub(in crate::process) fn refusals(all: &[Refused]) -> Vec<Fact> {
    let mut by_code: Vec<(&str, Vec<Refused>)> = Vec::new();
    for away in all {
        match by_code.iter_mut().find(|(code, _)| *code == away.code) {
            Some((_, same)) => same.push(away.clone()),
            None => by_code.push((&away.code, vec![away.clone()])),
        }
    }
    let facts = by_code.into_iter().flat_map(|(_, same)| {
        let together = RefusedTogether::of(&same).filter(|_| same.len() > REFUSED_APART);
        let apart = if together.is_some() { vec![] } else { same };
        together.map(Fact::RefusedTogether).into_iter().chain(apart.into_iter().map(|one| Fact::Refused(one.bounded())))
    });
    facts.collect()
}

/// Returns what to log.
pub(in crate::process) fn ended(known: Known<'_>, work: &Work, ended: &WorkEnd) -> Decision {
    let world = known.world;
    let entry = |fact: Fact| Entry::of_daemon(fact);
    // What clients already see is not news, unless it is a step of a plan.
    let is_step = |published: &Published| {
        published
            .plan
            .is_some_and(|plan| world.rollouts.has_plan(plan) && !world.rollouts.is_shown(plan, &published.tree))
    };
    let news = |published: &&Published| is_step(published) || !shows(world, published);
    // Those of a plan that is not over.
    let of = |plan: u64| world.rollouts.plan(plan).into_iter().flat_map(|plan| plan.rollouts().cloned());
    let found: Vec<Entry> = match &ended.found {
        Found::Looked { took_in, turned_away, .. } => {
            let took = took_in.iter().cloned().map(Fact::Accepted);
            took.chain(refusals(turned_away)).map(entry).collect()
        }
        Found::Published(all) => all.iter().filter(news).cloned().map(Fact::Published).map(entry).collect(),
        Found::Inspected { published, wrong } => {
            let published = published.iter().filter(news).cloned().map(Fact::Published);
            let altered = wrong.iter().filter(|(id, wrong)| is_altered_now(known, id, wrong)).map(|(id, wrong)| {
                let (dist, tree, why) = (id.dist.clone(), id.tree.clone(), wrong.why.clone());
                Altered { dist, tree, nevra: None, why }.into()
            });
            published.chain(altered).map(entry).collect()
        }
        // A move may be over before its trees are staged: overtaken, or all its packages given up as lost.
        Found::Staged { plan, trees } => {
            let staged = |rollout: RolloutId| {
                let own = world.rollouts.plan(*plan).map(|plan| plan.part(&rollout).trees()).unwrap_or_default();
                let trees = trees.iter().filter(|tree| own.contains(&tree.id())).cloned().collect();
                Staged { plan: *plan, rollout, trees }
            };
            of(*plan).map(|rollout| entry(staged(rollout).into())).collect()
        }
        Found::Shown { plan, published } => {
            let is_done = ended.end == End::Done;
            let rollouts: Vec<Option<RolloutId>> = of(*plan).map(Some).collect();
            // A restore is of no rollout.
            let rollouts = if rollouts.is_empty() { vec![None] } else { rollouts };
            let done = rollouts.into_iter().filter(|_| is_done).map(|rollout| Done { plan: *plan, rollout }.into());
            // If it has failed, its steps are all we know of it.
            let shown = published.iter().filter(|published| is_done || news(published));
            shown.cloned().map(Fact::Published).chain(done).map(entry).collect()
        }
        Found::Retired { tree, files, kept } => {
            vec![entry(Retired { tree: tree.clone(), files: files.clone(), kept: kept.clone() }.into())]
        }
        Found::Nothing => match work {
            Work::Deliver(to, number) => notice::ended(known, to, *number, &ended.end).into_iter().map(entry).collect(),
            _ => vec![],
        },
    };
    let altered = ended.altered.iter().cloned().map(Fact::Altered).map(entry);
    Decision { entries: altered.chain(found).collect(), answer: None }
}

/// Whether a tree shows what nobody here decided, or lacks some of what was decided, and did not when it was compared before.
fn is_altered_now(known: Known<'_>, id: &TreeId, wrong: &Wrong) -> bool {
    let before = known.wrong.get(id).map(|before| &before.what);
    match &wrong.what {
        Kind::Strange => before != Some(&Kind::Strange),
        Kind::Missing(packages) => !matches!(before, Some(Kind::Missing(_))) && is_some_of(known, id, packages),
        Kind::Other => false,
    }
}

/// Whether not all that a tree lists is missing: where all is, a disk is not mounted. Of a single package nobody can tell.
fn is_some_of(known: Known<'_>, id: &TreeId, packages: &BTreeSet<Nevra>) -> bool {
    packages.len() == 1 || packages.len() < known.world.trees.listing(id).len()
}

/// Returns what to log of a package that is not what was accepted; nothing if it is listed there no longer, or logged.
pub(in crate::process) fn altered(known: Known<'_>, found: &Altered) -> Decision {
    let id = TreeId { dist: found.dist.clone(), tree: found.tree.clone() };
    let held = known.wrong.get(&id).map(|wrong| &wrong.what);
    let is_news = found.nevra.as_ref().is_none_or(|nevra| {
        // A tree that is held because of it has an entry.
        let has_entry = matches!(held, Some(Kind::Missing(all)) if all.contains(nevra) && is_some_of(known, &id, all));
        known.world.lists(&id.dist, &id.tree, nevra) && !has_entry
    });
    let entries = is_news.then(|| Entry::of_daemon(found.clone())).into_iter().collect();
    Decision { entries, answer: None }
}

/// Whether the world has a publication just as it is, and nothing came or went since.
fn shows(world: &World, published: &Published) -> bool {
    world.trees.get(&published.tree).is_some_and(|tree| {
        !tree.dirty
            && (tree.repomd, tree.revision, tree.listed)
                == (Some(published.repomd), published.revision, published.packages)
            && tree.superseded.keys().eq(published.superseded.iter().collect::<BTreeSet<_>>())
    })
}
