//! Another state for a rollout, asked for by a person.

use super::rollout;
use crate::domain::gate::{Judgement, Verdict};
use crate::domain::names::RolloutId;
use crate::domain::plan::Plan;
use crate::domain::rollout::Rollout;
use crate::domain::workflow::Transition;
use crate::process::decision::{Answer, Decision};
use crate::process::gate::Case;
use crate::process::known::Known;
use crate::process::who::Caller;

/// Takes the step if all gates pass; else says why not.
pub(in crate::process) fn step(
    known: Known<'_>,
    caller: &Caller,
    id: &RolloutId,
    state: &str,
    reason: &str,
) -> Decision {
    let rollout = match rollout(known, id) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    let case = Case::new(known, rollout, caller, state);
    let judged = case.judge();
    match case.step {
        Ok(transition) if judged.verdict == Verdict::Pass => {
            let (entry, packages) = case.moved(transition, reason);
            let state = transition.to.clone();
            Decision { entries: vec![entry], answer: Some(Answer::Moved { rollout: id.clone(), state, packages }) }
        }
        _ => Decision::answered(Answer::Refused(judged)),
    }
}

/// What stands between a rollout and a state, for `why`: nothing is changed and nothing is logged.
pub fn why(known: Known<'_>, caller: &Caller, rollout: &Rollout, state: &str) -> Judgement {
    Case::new(known, rollout, caller, state).judge()
}

/// A step as it would be taken now.
pub struct Planned<'a> {
    /// What stands in its way.
    pub judged: Judgement,
    /// The step, if the procedure has one to that state.
    pub step: Option<&'a Transition>,
    /// What would be written down for the trees: the same that [`step`] writes down.
    pub plan: Option<Plan>,
}

/// What a step would be, for whoever asks beforehand: nothing is changed and nothing is logged.
pub fn planned<'a>(known: Known<'a>, caller: &'a Caller, rollout: &'a Rollout, state: &str) -> Planned<'a> {
    let case = Case::new(known, rollout, caller, state);
    let step = case.step.as_ref().ok().copied();
    Planned { judged: case.judge(), step, plan: step.and_then(|step| case.plan(step)) }
}
