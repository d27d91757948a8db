//! A package that was withdrawn, or taken out of a tree, may come in again; and that is taken back.
//!
//! Only the very bytes that were accepted before: clients and caches know the name by them. A package that a restore has
//! taken away from a rollout that has not arrived comes back by a restore: that rollout waits for it where it was.

use super::clean::rollout_under_way;
use super::{missing_reason, package, recorded};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{DistPath, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::rollout::Rollout;
use crate::process::decision::{Answer, Decision};
use crate::process::fact::package::{Allowed, Disallowed};
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;

/// Allows a withdrawn package to come in again.
pub(in crate::process) fn allow(
    known: Known<'_>,
    caller: &Caller,
    nevra: &Nevra,
    dist: Option<&DistPath>,
    reason: &str,
) -> Decision {
    let world = known.world;
    let (dist, package) = match package(world, nevra, dist) {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    let mut findings: Vec<Finding> = rights::ALLOW.lacking(caller, [dist]).into_iter().collect();
    findings.extend(missing_reason(reason, "A reason is required, since the withdrawal had one."));
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    let trees: Vec<&str> = world.listed_in(dist, nevra).map(TreeName::as_str).collect();
    if !trees.is_empty() {
        let why = format!("{nevra} is in {} of {dist}: it was not withdrawn", trees.join(" and "));
        return Decision::answered(Answer::Conflict(why));
    }
    if world.packages.may_come_again(dist, nevra) {
        return Decision::answered(Answer::Conflict(format!("{nevra} may come into {dist} already: upload it again")));
    }
    if let Some(Rollout { id, state, .. }) = rollout_under_way(known, dist, nevra) {
        let sentence = format!(
            "{nevra} belongs to {id}, which is in {state}: cancel or withdraw that, or bring it back by a restore."
        );
        return Decision::refused(vec![Finding::new(Verdict::Reject, "in_rollout", sentence)]);
    }
    if let Some((number, plan)) = world
        .rollouts
        .plans_in(dist)
        .find(|(_, plan)| plan.of(dist).is_some_and(|one| one.items.iter().any(|item| item.nevra == *nevra)))
    {
        let sentence = format!("{nevra} is still being moved for {} (logbook entry {number}).", plan.owner);
        return Decision::refused(vec![Finding::new(Verdict::Wait, "busy", sentence)]);
    }
    recorded(known, caller, reason, Allowed { dist: dist.clone(), nevra: nevra.clone(), sha256: package.sha256 })
}

/// Takes that back, as long as it has not come.
pub(in crate::process) fn disallow(
    known: Known<'_>,
    caller: &Caller,
    nevra: &Nevra,
    dist: Option<&DistPath>,
    reason: &str,
) -> Decision {
    let (dist, _) = match package(known.world, nevra, dist) {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    let mut findings: Vec<Finding> = rights::ALLOW.lacking(caller, [dist]).into_iter().collect();
    findings.extend(missing_reason(reason, "A reason is required: somebody may be about to upload it."));
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    if !known.world.packages.is_allowed_again(dist, nevra) {
        let trees: Vec<&str> = known.world.listed_in(dist, nevra).map(TreeName::as_str).collect();
        let why = if trees.is_empty() {
            format!("nobody has allowed {nevra} to come into {dist} again")
        } else {
            let (trees, first) = (trees.join(" and "), trees.first().copied().unwrap_or_default());
            format!("{nevra} is in {trees} of {dist} already: `rolloutctl drop {first} {nevra}` takes it out")
        };
        return Decision::answered(Answer::Conflict(why));
    }
    recorded(known, caller, reason, Disallowed { dist: dist.clone(), nevra: nevra.clone() })
}
