//! Somebody has told people what they have to be told.

use super::recorded;
use crate::process::decision::{Answer, Decision};
use crate::process::fact::notice::Told;
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;

/// Says so; the message is listed no longer.
pub(in crate::process) fn told(known: Known<'_>, caller: &Caller, message: u64, reason: &str) -> Decision {
    let Some((_, due)) = known.world.messages.get(message) else {
        let why = format!("no message {message} is waiting; `rolloutctl notices` lists those that are");
        return Decision::answered(Answer::NotFound(why));
    };
    let rollout = due.rollout.as_ref().and_then(|id| known.world.rollouts.get(id));
    let lacking = rollout
        .map_or_else(|| rights::NOTIFY.lacking(caller, []), |rollout| rights::NOTIFY.lacking_for(caller, rollout));
    if let Some(finding) = lacking {
        return Decision::refused(vec![finding]);
    }
    let (rollout, bundle) = (due.rollout.clone(), due.bundle.clone());
    recorded(known, caller, reason, Told { message, rollout, bundle })
}
