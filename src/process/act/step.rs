//! Another state for a rollout, asked for by a person.

use super::{goes_on, rollout};
use crate::domain::gate::{Finding, Judgement, Verdict};
use crate::domain::names::RolloutId;
use crate::domain::plan::Plan;
use crate::domain::rollout::Rollout;
use crate::domain::workflow::{Effect, Transition};
use crate::process::decision::{Answer, Decision, Entry};
use crate::process::fact::change::Failed;
use crate::process::fact::rollout::Moved;
use crate::process::fact::{Fact, TOLD_MOST, more};
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
            if let Some(finding) = no_report(transition, reason) {
                return Decision::refused(vec![finding]);
            }
            let (entry, packages) = case.moved(transition, reason);
            let (rollout, state) = (id.clone(), transition.to.clone());
            let warnings = in_part(known, &[id], transition).into_iter().chain(case.warnings()).collect();
            Decision { entries: vec![entry], answer: Some(Answer::Moved { rollout, state, packages, warnings }) }
        }
        _ => Decision::answered(Answer::Refused(judged)),
    }
}

/// What somebody should know who moves packages of some rollouts of a bundle and not of all (S1-57): what is tested together
/// is no longer released together, and goes back in several steps.
pub(in crate::process) fn in_part(known: Known<'_>, moving: &[&RolloutId], transition: &Transition) -> Option<String> {
    let Effect::Move { to, .. } = &transition.effect else { return None };
    let (id, bundle) = known.world.bundles.of(moving.first()?)?;
    let stays = |member: &RolloutId| {
        let rollout = known.world.rollouts.get(member).filter(|_| !moving.contains(&member))?;
        let workflow = &known.rules.of(&rollout.parts).ok()?.workflow;
        let is_behind = rollout.state != transition.to && goes_on(workflow, rollout);
        is_behind.then(|| format!("{member} is in {}", rollout.state))
    };
    let mut stay: Vec<String> = bundle.members.iter().filter_map(stays).collect();
    if stay.is_empty() {
        return None;
    }
    let more = more(stay.len());
    stay.truncate(TOLD_MOST);
    stay.extend(more);
    Some(format!(
        "only a part of the bundle {id} goes to {to}: {}. Bundles that are small enough to move forward and back as a whole \
         are safer",
        stay.join(", ")
    ))
}

/// Whoever says that a test has failed reports what has failed (S3-26). A tracker has that on its ticket.
pub(super) fn no_report(transition: &Transition, reason: &str) -> Option<Finding> {
    let sentence = "This step records a failed test: its reason is the report, and there is none.";
    let is_missing = transition.fails && reason.trim().is_empty();
    is_missing.then(|| Finding::new(Verdict::Reject, "no_report", sentence))
}

/// A decision with the failures that its steps say: each begins another cycle of its rollout.
pub(in crate::process) fn with_failures(known: Known<'_>, mut decision: Decision) -> Decision {
    let failed = |entry: &Entry| {
        let Fact::Moved(Moved { rollout: id, from, to, .. }) = &entry.fact else { return None };
        let rollout = known.world.rollouts.get(id)?;
        let steps = known.rules.of(&rollout.parts).ok()?.workflow.transitions();
        steps.iter().find(|step| step.fails && step.from.as_str() == from && step.to.as_str() == to)?;
        let before = known.world.dossiers.of(id).and_then(|dossier| dossier.cycle).unwrap_or(1);
        let fact = Failed { rollout: id.clone(), report: entry.why.clone(), cycle: before + 1 };
        Some(Entry { who: entry.who.clone(), why: String::new(), fact: fact.into() })
    };
    let failures: Vec<Entry> = decision.entries.iter().filter_map(failed).collect();
    decision.entries.extend(failures);
    decision
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
    /// What whoever takes it should know.
    pub warnings: Vec<String>,
}

/// What a step would be, for whoever asks beforehand: nothing is changed and nothing is logged.
pub fn planned<'a>(known: Known<'a>, caller: &'a Caller, rollout: &'a Rollout, state: &str) -> Planned<'a> {
    let case = Case::new(known, rollout, caller, state);
    let step = case.step.as_ref().ok().copied();
    let in_part = step.and_then(|step| in_part(known, &[&rollout.id], step));
    let warnings = in_part.into_iter().chain(case.warnings()).collect();
    Planned { judged: case.judge(), step, plan: step.and_then(|step| case.plan(step)), warnings }
}
