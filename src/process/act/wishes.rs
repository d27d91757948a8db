//! What trackers asked for earlier and has become possible.

use crate::process::decision::{Decision, Entry};
use crate::process::fact::Fact;
use crate::process::known::Known;
use crate::process::rules::Caller;

use super::hint::toward;

/// Steps that trackers asked for and that have become possible.
pub(in crate::process) fn wishes(known: Known<'_>) -> Decision {
    let Known { world, rules, .. } = known;
    let mut entries = Vec::new();
    for rollout in world.rollouts.waiting() {
        let Some(wanted) = &rollout.wanted else { continue };
        let hook = wanted.by.as_str().split(':').next().and_then(|name| name.parse().ok());
        let Some(roles) = hook.and_then(|hook| rules.hooks.get(&hook)).map(|hook| hook.roles.clone()) else { continue };
        let caller = Caller { actor: wanted.by.clone(), roles };
        match toward(known, rollout, &caller, wanted.state.as_str()) {
            // Still waiting; it is known already.
            Some(Fact::Awaits(_)) | None => {}
            Some(fact) => {
                entries.push(Entry { who: wanted.by.clone(), why: "asked for earlier".to_owned(), fact });
                // One at a time: the next one is judged in the world that this one makes.
                break;
            }
        }
    }
    Decision { entries, answer: None }
}
