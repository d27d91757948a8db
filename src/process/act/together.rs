//! Rollouts of a bundle move in one plan (S1-18): all their trees are staged before any is shown, in all distributions. What is
//! withdrawn does not wait for anything else.
//!
//! Each has an entry for its own step, and one entry behind them says that they move together. If another step of one of
//! them overtakes the plan while that is stuck (its withdrawal, or it is given up), the others still move together.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::names::{BundleId, RolloutId};
use crate::domain::plan::{Owner, Plan};
use crate::process::decision::{Decision, Entry};
use crate::process::fact::Fact;
use crate::process::fact::bundle::BundleMoves;
use crate::process::fact::rollout::Moved;
use crate::process::known::Known;

/// What says that the rollouts of these entries move together, if several of them move packages.
///
/// # Errors
/// A warning, if they cannot be one plan.
pub(in crate::process) fn together(bundle: &BundleId, entries: &[Entry]) -> Result<Option<Entry>, &'static str> {
    let plans = entries.iter().filter_map(|entry| match &entry.fact {
        Fact::Moved(Moved { rollout, plan: Some(plan), .. }) if !plan.is_withdrawal() => Some((rollout, 0, plan)),
        _ => None,
    });
    let plans: Vec<(&RolloutId, u64, &Plan)> = plans.collect();
    let (Some(first), 2..) = (entries.first(), plans.len()) else { return Ok(None) };
    if Plan::together(bundle, plans.iter().copied()).is_none() {
        return Err("their packages go into different trees of a distribution, so they move one after the other");
    }
    let rollouts = plans.into_iter().map(|(rollout, ..)| rollout.clone()).collect();
    let fact = BundleMoves { bundle: bundle.clone(), rollouts };
    Ok(Some(Entry { who: first.who.clone(), why: String::new(), fact: fact.into() }))
}

/// A decision with what becomes of those that moved together with a rollout for which something else is decided now.
pub(in crate::process) fn with_the_others(known: Known<'_>, mut decision: Decision) -> Decision {
    let rollouts = &known.world.rollouts;
    let mut others: BTreeMap<u64, (BundleId, BTreeSet<RolloutId>)> = BTreeMap::new();
    for entry in &decision.entries {
        let Fact::Moved(moved) = &entry.fact else { continue };
        let Some(number) = rollouts.get(&moved.rollout).and_then(|rollout| rollout.plan) else { continue };
        let Some(Owner::Bundle { bundle, parts }) = rollouts.plan(number).map(|plan| &plan.owner) else { continue };
        let all = || (bundle.clone(), parts.keys().cloned().collect());
        others.entry(number).or_insert_with(all).1.remove(&moved.rollout);
    }
    let several = others.into_values().filter(|(_, rollouts)| rollouts.len() > 1);
    decision.entries.extend(several.map(|(bundle, rollouts)| Entry::of_daemon(BundleMoves { bundle, rollouts })));
    decision
}
