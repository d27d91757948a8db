//! What is so and what follows: facts, the world that they are folded into, gates, and what can be asked for. Pure.
//!
//! ```text
//! Input -> decide(Known { world, rules, now, ... }, input) -> Decision { entries, answer }
//!       -> the engine appends -> World::apply -> agenda(&World, ...) -> Work -> WorkEnded (an Input)
//! ```
//!
//! [`decide`] returns what to log; the work follows from the world, not from the input. A plan
//! without its `done` is work, whether it was made a moment ago or before a crash, so running and
//! recovering are one mechanism and cannot disagree. (Refused: work as a part of the decision, which
//! recovery would have to derive again from the log.)
//!
//! A person's request that cannot be carried out is answered with all findings. A tracker's word is logged first.

/// Who asks, and what they may.
pub mod who;
/// The rules that the configuration gives.
pub mod rules;
/// What may be written of each thing, and its form in the logbook.
pub mod fact;
/// The fold of all entries.
pub mod world;
/// What trees list and their rings do not trust any more.
pub mod listed;
/// What does not work now.
pub mod trouble;
/// What there is to do, seen from the world.
pub mod agenda;
/// Everything that can wake the engine.
pub mod input;
/// What an input calls for, and what whoever asked is told.
pub mod decision;
/// What a decision goes by.
pub mod known;
/// The questions that are asked before a step.
pub mod gate;
/// Procedures with the gates that there are.
pub mod procedure;
/// What somebody has to be told.
pub mod notice;
/// What can be asked for.
pub mod act;
/// What a step would do.
pub mod outlook;
/// What differs between two trees.
pub mod difference;

use crate::domain::names::RolloutId;
use act::{ended, erase, give_up, hint, lose, step, submit, wishes};
use decision::Decision;
use input::{Ask, Input};
use known::Known;

/// Returns what an input calls for, with the notices that follow.
pub fn decide(known: Known<'_>, input: &Input) -> Decision {
    notice::with_notices(known, dispatch(known, input))
}

fn dispatch(known: Known<'_>, input: &Input) -> Decision {
    let Known { world, rules, .. } = known;
    match input {
        Input::Asked(caller, Ask::Submit { rollout, title, parts }) => {
            submit::submit(world, rules, caller, rollout, title, parts)
        }
        Input::Asked(caller, Ask::Lose { nevra, dist, reason }) => {
            lose::lose(known, caller, nevra, dist.as_ref(), reason)
        }
        Input::Asked(caller, Ask::GiveUp { rollout, reason }) => give_up::give_up(known, caller, rollout, reason),
        Input::Asked(caller, Ask::Erase { person, reason }) => erase::erase(known, caller, person, reason),
        Input::Asked(caller, Ask::Move { rollout, state, reason }) => step::step(known, caller, rollout, state, reason),
        Input::Heard(hint) => hint::heard(known, hint),
        Input::WorkEnded(work, end) => ended::ended(known, work, end),
        Input::Touched(_) | Input::Reloaded(_) | Input::Tick => Decision::default(),
    }
}

/// What a tracker asked for earlier of this rollout, if it has become possible or can never be.
pub fn wish(known: Known<'_>, id: &RolloutId) -> Decision {
    let decision = known.world.rollouts.get(id).map(|rollout| wishes::wish(known, rollout)).unwrap_or_default();
    notice::with_notices(known, decision)
}

#[cfg(test)]
mod tests {
    mod stories;
}
