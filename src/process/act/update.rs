//! Updates get their numbers (S1-33).

use std::collections::BTreeSet;

use super::recorded;
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{BundleId, RolloutId, Series};
use crate::process::decision::{Answer, Decision};
use crate::process::fact::update::UpdateNumbered;
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;
use crate::process::world::bundles::Update;

/// Gives the next number of a series to these rollouts, or to what is about to be released with a bundle. What is on its way
/// to sites is that, or has come there without a number; one that has a number and stays behind gets the next one.
pub(in crate::process) fn number(
    known: Known<'_>,
    caller: &Caller,
    series: &Series,
    (bundle, rollouts): (Option<&BundleId>, &[RolloutId]),
    reason: &str,
) -> Decision {
    let opened = match bundle.map(|id| Ok((id, super::bundle::open_bundle(known, id)?))).transpose() {
        Ok(opened) => opened,
        Err(decision) => return decision,
    };
    let rollouts: BTreeSet<RolloutId> = match (rollouts, opened) {
        ([], Some((id, _))) => {
            let with_it = known.world.bundles.released_with(id);
            with_it.filter(|rollout| unfit(known, rollout).is_none()).cloned().collect()
        }
        (named, _) => named.iter().cloned().collect(),
    };
    let mut findings: Vec<Finding> = rights::UPDATES.lacking(caller, []).into_iter().collect();
    if rollouts.is_empty() {
        let sentence = match opened {
            Some((id, _)) => format!("Nothing of the bundle {id} is ready for production."),
            None => "An update must release at least one rollout.".to_owned(),
        };
        findings.push(Finding::new(Verdict::Reject, "no_rollouts", sentence));
    }
    findings.extend(rollouts.iter().filter_map(|rollout| unfit(known, rollout)));
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    // One that has its number and was not changed gets no other one.
    let numbered = rollouts.first().and_then(|rollout| known.world.bundles.update_of(rollout));
    let is_so =
        |update: &&Update| update.series == *series && known.world.bundles.released_by(update).eq(rollouts.iter());
    if let Some(update) = numbered.filter(is_so) {
        let sentence = format!("update {} of {series} is exactly that already", update.number);
        return Decision::answered(Answer::Conflict(sentence));
    }
    let number = known.world.bundles.last_update(series) + 1;
    recorded(
        known,
        caller,
        reason,
        UpdateNumbered { series: series.clone(), number, rollouts, bundle: bundle.cloned() },
    )
}

/// Why an update cannot release a rollout.
fn unfit(known: Known<'_>, id: &RolloutId) -> Option<Finding> {
    let reject = |code, sentence| Some(Finding::new(Verdict::Reject, code, sentence));
    let Some(rollout) = known.world.rollouts.get(id) else {
        return reject("no_rollout", format!("There is no rollout {id}."));
    };
    let is_released = known.is_released(id);
    match known.world.bundles.update_of(id) {
        Some(update) if is_released => {
            reject("has_number", format!("{id} was released by update {} of {}.", update.number, update.series))
        }
        _ if is_released || known.is_ready_for_release(rollout) => None,
        _ => {
            let state = if rollout.cancelled { "cancelled" } else { rollout.state.as_str() };
            reject("not_ready", format!("{id} is {state}, not ready for production, so no update can release it."))
        }
    }
}
