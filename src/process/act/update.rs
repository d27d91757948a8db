//! Updates get their numbers (S1-33).

use std::collections::BTreeSet;

use super::recorded;
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{BundleId, RolloutId, Series};
use crate::process::decision::Decision;
use crate::process::fact::update::UpdateNumbered;
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;

/// Gives the next number of a series to what a bundle releases, or to these rollouts.
pub(in crate::process) fn number(
    known: Known<'_>,
    caller: &Caller,
    series: &Series,
    (bundle, rollouts): (Option<&BundleId>, &[RolloutId]),
    reason: &str,
) -> Decision {
    let members = match bundle.map(|id| super::bundle::open_bundle(known, id)).transpose() {
        Ok(bundle) => bundle.map(|bundle| &bundle.members),
        Err(decision) => return decision,
    };
    let rollouts: BTreeSet<RolloutId> = match (rollouts, members) {
        ([], Some(members)) => members.iter().cloned().collect(),
        (named, _) => named.iter().cloned().collect(),
    };
    let mut findings: Vec<Finding> = rights::UPDATES.lacking(caller, []).into_iter().collect();
    if rollouts.is_empty() {
        findings.push(Finding::new(Verdict::Reject, "no_rollouts", "An update must release at least one rollout."));
    }
    let strange = rollouts.iter().filter(|rollout| known.world.rollouts.get(rollout).is_none());
    findings.extend(
        strange.map(|rollout| Finding::new(Verdict::Reject, "no_rollout", format!("There is no rollout {rollout}."))),
    );
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    let number = known.world.bundles.last_update(series) + 1;
    recorded(
        known,
        caller,
        reason,
        UpdateNumbered { series: series.clone(), number, rollouts, bundle: bundle.cloned() },
    )
}
