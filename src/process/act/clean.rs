//! Packages are taken out of a tree that nobody rolls out any more: an upload that was a mistake, versions that are long
//! superseded.
//!
//! It is a restore to what the tree lists now, without these packages. So all that is asked before a restore is asked, the
//! packages are kept, and a restore to the revision before brings them back. Refused are packages of a rollout that has not
//! arrived: that would lose what it is about.

use std::collections::{BTreeMap, BTreeSet};

use super::has_a_way;
use super::restore::{self, Planned};
use crate::domain::gate::{Finding, Verdict, judge};
use crate::domain::listing::Listing;
use crate::domain::names::DistPath;
use crate::domain::nevra::Nevra;
use crate::domain::rollout::Rollout;
use crate::process::decision::{Answer, Decision};
use crate::process::earlier::{Earlier, ToRestore};
use crate::process::input::{Taken, ToClean};
use crate::process::known::Known;
use crate::process::who::Caller;

/// Takes packages out of a tree.
pub(in crate::process) fn clean(known: Known<'_>, caller: &Caller, wanted: &ToClean) -> Decision {
    let found = found(known, wanted);
    if !found.findings.is_empty() {
        return Decision::refused(found.findings);
    }
    if found.to_restore.earlier.listing(&wanted.tree.tree) == known.world.trees.listing(&wanted.tree) {
        return Decision::answered(Answer::Nothing(format!("there is nothing to take out of {}", wanted.tree)));
    }
    restore::restore(known, caller, &found.to_restore)
}

/// What that would do, and what stands in its way: nothing is changed, and nothing is logged.
pub fn planned(known: Known<'_>, caller: &Caller, wanted: &ToClean) -> Planned {
    let Found { to_restore, mut findings } = found(known, wanted);
    let mut planned = restore::planned(known, caller, &to_restore);
    if !findings.is_empty() {
        findings.append(&mut planned.judged.findings);
        findings.retain(|finding| finding.verdict != Verdict::Pass);
        planned.judged = judge(findings);
    }
    planned
}

struct Found {
    to_restore: ToRestore,
    /// What speaks against packages that were named.
    findings: Vec<Finding>,
}

fn found(known: Known<'_>, ToClean { tree: id, what, may_shrink, reason }: &ToClean) -> Found {
    let listing = known.world.trees.listing(id);
    let in_rollout = |nevra: &Nevra| rollout_under_way(known, &id.dist, nevra);
    let mut findings = Vec::new();
    let goes: BTreeSet<Nevra> = match what {
        Taken::AllBut(newest) => {
            older(&listing, *newest).filter(|nevra| in_rollout(nevra).is_none()).cloned().collect()
        }
        Taken::Packages(packages) => {
            for nevra in packages {
                if !listing.contains(nevra) {
                    let near = listing.nearest(nevra).map(|near| format!(" Did you mean {near}?")).unwrap_or_default();
                    findings.push(Finding::new(
                        Verdict::Reject,
                        "not_listed",
                        format!("{id} does not list {nevra}.{near}"),
                    ));
                } else if let Some(Rollout { id: rollout, state, .. }) = in_rollout(nevra) {
                    let sentence =
                        format!("{nevra} belongs to {rollout}, which is in {state}: cancel, edit or withdraw that.");
                    findings.push(Finding::new(Verdict::Reject, "in_rollout", sentence));
                }
            }
            packages.clone()
        }
    };
    let mut after = listing;
    for nevra in &goes {
        after.remove(nevra);
    }
    let revision = known.world.trees.get(id).map_or(0, |tree| tree.revision);
    let earlier = Earlier { revision, entry: 0, listings: BTreeMap::from([(id.tree.clone(), after)]) };
    let to_restore = ToRestore {
        tree: id.clone(),
        earlier,
        missing: BTreeSet::new(),
        also_rejected: false,
        may_shrink: *may_shrink,
        reason: reason.clone(),
    };
    Found { to_restore, findings }
}

/// The rollout of a package that has not arrived.
pub(super) fn rollout_under_way<'k>(known: Known<'k>, dist: &DistPath, nevra: &Nevra) -> Option<&'k Rollout> {
    let workflow = &known.rules.distributions.get(dist)?.workflow;
    known.world.rollouts.naming(dist, nevra).find(|rollout| has_a_way(workflow, rollout))
}

/// All but the newest of each name and architecture.
fn older(listing: &Listing, newest: usize) -> impl Iterator<Item = &Nevra> {
    let mut versions: BTreeMap<(&str, &str), Vec<&Nevra>> = BTreeMap::new();
    for nevra in listing.nevras() {
        versions.entry((nevra.name(), nevra.arch())).or_default().push(nevra);
    }
    versions.into_values().flat_map(move |mut all| {
        all.sort_unstable_by(|a, b| b.cmp_evr(a));
        all.into_iter().skip(newest)
    })
}
