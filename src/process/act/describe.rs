//! What is said of a rollout beside its title.

use super::{recorded, rollout};
use crate::domain::attributes::{AttributeChanges, NODE_TYPES_MAX, REVERSAL_MAX};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::RolloutId;
use crate::process::decision::{Answer, Decision};
use crate::process::fact::attributes::Described;
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;

/// Says something of a rollout, or takes it back; also of one that has come to its end.
pub(in crate::process) fn describe(
    known: Known<'_>,
    caller: &Caller,
    id: &RolloutId,
    changes: &AttributeChanges,
    reason: &str,
) -> Decision {
    let rollout = match rollout(known, id) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    let before = known.world.attributes.said(id);
    let attributes = changes.of(&before);
    let only_priority = AttributeChanges { priority: changes.priority, ..AttributeChanges::default() };
    let right = if *changes == only_priority { rights::PRIORITY } else { rights::DESCRIBE };
    let mut findings: Vec<_> = right.lacking_for(caller, rollout).into_iter().collect();
    if attributes.node_types.len() > NODE_TYPES_MAX {
        let sentence = format!("A rollout has at most {NODE_TYPES_MAX} node types.");
        findings.push(Finding::new(Verdict::Reject, "too_many_node_types", sentence));
    }
    let reversal = attributes.reversal.as_deref();
    if reversal.is_some_and(|text| text.trim().is_empty() || text.len() > REVERSAL_MAX) {
        let sentence =
            format!("The steps to reverse a change may have 1 to {REVERSAL_MAX} bytes; link a longer document.");
        findings.push(Finding::new(Verdict::Reject, "no_reversal", sentence));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    if attributes == before {
        return Decision::answered(Answer::Conflict(format!("{id} already has this description; nothing was changed")));
    }
    recorded(known, caller, reason, Described { rollout: id.clone(), attributes })
}
