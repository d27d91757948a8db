//! What somebody has looked at is ticked, and unticked.

use super::{open_rollout, recorded};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{CheckName, RolloutId};
use crate::process::decision::{Answer, Decision};
use crate::process::fact::change::{Ticked, Unticked};
use crate::process::gate::checked;
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;

/// Ticks something that the procedure of a rollout asks for, for the packages that it has now; or takes that back.
pub(in crate::process) fn tick(
    known: Known<'_>,
    caller: &Caller,
    id: &RolloutId,
    (check, is_good): (&CheckName, bool),
    reason: &str,
) -> Decision {
    let rollout = match open_rollout(known, id) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    let mut findings: Vec<_> = rights::TICK.lacking_for(caller, rollout).into_iter().collect();
    let steps = known.rules.of(&rollout.parts).map(|rules| rules.workflow.transitions()).unwrap_or_default();
    let mut asked: Vec<&str> = steps.iter().flat_map(checked::checks).map(CheckName::as_str).collect();
    asked.sort_unstable();
    asked.dedup();
    let is_there = known.world.dossiers.of(id).is_some_and(|dossier| dossier.ticks.contains_key(check));
    if is_good && !asked.contains(&check.as_str()) {
        let those = if asked.is_empty() { "nothing".to_owned() } else { asked.join(", ") };
        let sentence = format!("The procedure of {id} does not ask for {check}; it asks for {those}.");
        findings.push(Finding::new(Verdict::Reject, "not_asked", sentence));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    match (is_good, is_there) {
        (true, true) => Decision::answered(Answer::Conflict(format!("{check} of {id} is ticked already"))),
        (false, false) => Decision::answered(Answer::Conflict(format!("{check} of {id} is not ticked"))),
        (true, false) => recorded(known, caller, reason, Ticked { rollout: id.clone(), check: check.clone() }),
        (false, true) => recorded(known, caller, reason, Unticked { rollout: id.clone(), check: check.clone() }),
    }
}
