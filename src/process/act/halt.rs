//! Promotions are halted, everywhere or in one distribution, and go on.
//!
//! A halt stops every step that moves packages forward, also one that was decided and that no client has seen anything of.
//! What takes packages back goes on.

use super::{missing_reason, recorded};
use crate::domain::names::DistPath;
use crate::process::decision::{Answer, Decision};
use crate::process::fact::halt::{HaltEnded, Halted, place};
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;

/// Halts promotions. The same place is halted once: a second reason would hide the first, and its end would end both.
pub(in crate::process) fn halt(known: Known<'_>, caller: &Caller, dist: Option<&DistPath>, reason: &str) -> Decision {
    if let Some(unknown) = unknown(known, dist) {
        return unknown;
    }
    let mut findings: Vec<_> = rights::HALT.lacking(caller, dist).into_iter().collect();
    findings.extend(missing_reason(reason, "A halt needs a reason, for everybody who has to wait."));
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    if let Some(halt) = known.world.halts.at(dist) {
        let (place, since, reason) = (place(dist), halt.since, &halt.reason);
        let why = format!("promotions are halted {place} already, since {since:.0}: {reason}");
        return Decision::answered(Answer::Conflict(why));
    }
    recorded(known, caller, "", Halted { dist: dist.cloned(), reason: reason.to_owned() })
}

/// Ends a halt of exactly this place.
pub(in crate::process) fn end(known: Known<'_>, caller: &Caller, dist: Option<&DistPath>, reason: &str) -> Decision {
    if known.world.halts.at(dist).is_none() {
        let why = match dist.and_then(|dist| known.world.halts.of(dist)) {
            Some(_) => "promotions are halted everywhere, not only there: to end that halt, name no distribution",
            None => "nothing is halted there",
        };
        return Decision::answered(Answer::Conflict(format!("promotions are not halted {}: {why}", place(dist))));
    }
    if let Some(finding) = rights::END_HALT.lacking(caller, dist) {
        return Decision::refused(vec![finding]);
    }
    recorded(known, caller, reason, HaltEnded { dist: dist.cloned() })
}

fn unknown(known: Known<'_>, dist: Option<&DistPath>) -> Option<Decision> {
    let dist = dist.filter(|dist| !known.rules.distributions.contains_key(*dist))?;
    Some(Decision::answered(Answer::NotFound(known.rules.no_distribution(dist))))
}
