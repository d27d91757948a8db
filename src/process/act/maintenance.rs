//! A maintenance is declared, and called off (S3-35, S3-36).
//!
//! While it goes on, no step is taken that moves packages forward. What was decided before it goes on, and so does what
//! takes packages back.

use super::{missing_reason, recorded};
use crate::domain::calendar::maintenance::{Declaration, Missing, assess};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::MaintenanceId;
use crate::process::decision::{Answer, Decision};
use crate::process::fact::maintenance::{MaintenanceDeclared, MaintenanceEnded};
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;

/// Most that may be coming or going on at a time.
const AHEAD_MAX: usize = 100;

/// Declares one.
pub(in crate::process) fn declare(known: Known<'_>, caller: &Caller, declared: &MaintenanceDeclared) -> Decision {
    let MaintenanceDeclared { maintenance: id, dist, title, start, end, justification } = declared;
    let (all, now) = (&known.world.maintenances, known.now.wall);
    if let Some(dist) = dist.as_ref().filter(|dist| !known.rules.distributions.contains_key(*dist)) {
        return Decision::answered(Answer::NotFound(known.rules.no_distribution(dist)));
    }
    if all.get(id).is_some() {
        return Decision::answered(Answer::Conflict(format!("there was a maintenance {id} before: use another id")));
    }
    let mut findings: Vec<Finding> = rights::MAINTENANCE.lacking(caller, dist).into_iter().collect();
    findings.extend(missing_reason(title, "A maintenance needs a title, for everybody who has to wait."));
    let reject = |code, sentence: String| Finding::new(Verdict::Reject, code, sentence);
    if *end <= now {
        findings.push(reject("over", format!("It would have ended already, at {end:.0}.")));
    }
    let assessed = assess(&Declaration { declared: now, start: *start, end: *end, justification });
    findings.extend(assessed.missing.iter().map(|missing| {
        let code = match missing {
            Missing::End => "no_end",
            Missing::Notice(_) => "short_notice",
            Missing::Length(_) => "too_long",
        };
        reject(code, format!("The maintenance {id}: {missing}."))
    }));
    if all.iter().filter(|(_, known)| known.is_ahead(now)).count() >= AHEAD_MAX {
        findings.push(reject("too_many", format!("{AHEAD_MAX} maintenances are already to come; call one off.")));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    recorded(known, caller, "", declared.clone())
}

/// Calls one off, or ends it before its time.
pub(in crate::process) fn end(known: Known<'_>, caller: &Caller, id: &MaintenanceId, reason: &str) -> Decision {
    let Some(found) = known.world.maintenances.get(id) else {
        return Decision::answered(Answer::NotFound(format!("there is no maintenance {id}")));
    };
    if !found.is_ahead(known.now.wall) {
        let what = if found.called_off.is_some() { "was called off" } else { "is over" };
        return Decision::answered(Answer::Conflict(format!("the maintenance {id} {what} already")));
    }
    let mut findings: Vec<Finding> = rights::MAINTENANCE.lacking(caller, &found.dist).into_iter().collect();
    findings.extend(missing_reason(reason, "Calling off a maintenance needs a reason: others plan around it."));
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    recorded(known, caller, reason, MaintenanceEnded { maintenance: id.clone() })
}
