//! A rollout is put on hold and goes on (S3-08).

use super::{missing_reason, open_rollout, recorded};
use crate::domain::gate::Finding;
use crate::domain::names::RolloutId;
use crate::process::decision::{Answer, Decision};
use crate::process::fact::change::{Resumed, Stalled};
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;

/// Puts a rollout on hold.
pub(in crate::process) fn stall(known: Known<'_>, caller: &Caller, id: &RolloutId, reason: &str) -> Decision {
    let rollout = match open_rollout(known, id) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    let dossier = known.world.dossiers.of(id);
    if let Some(since) = dossier.and_then(|dossier| dossier.stalled) {
        return Decision::answered(Answer::Conflict(format!("{id} is on hold already, since {since:.0}")));
    }
    let mut findings: Vec<Finding> = rights::STALL.lacking_for(caller, rollout).into_iter().collect();
    findings
        .extend(missing_reason(reason, "Putting a rollout on hold needs a reason, for everybody who waits for it."));
    findings.extend(super::edit::has_ended(known, rollout));
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    recorded(known, caller, reason, Stalled { rollout: id.clone() })
}

/// Lets it go on.
pub(in crate::process) fn resume(known: Known<'_>, caller: &Caller, id: &RolloutId, reason: &str) -> Decision {
    let rollout = match open_rollout(known, id) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    if known.world.dossiers.of(id).is_none_or(|dossier| dossier.stalled.is_none()) {
        return Decision::answered(Answer::Conflict(format!("{id} is not on hold")));
    }
    match rights::STALL.lacking_for(caller, rollout) {
        Some(finding) => Decision::refused(vec![finding]),
        None => recorded(known, caller, reason, Resumed { rollout: id.clone() }),
    }
}
