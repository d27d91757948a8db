//! A bundle and its release notes are made to agree (S1-32).
//!
//! What the notes list and the bundle does not have goes off the notes. What the bundle has and the notes do not list is
//! listed from then on, or withdrawn. Rollouts that are behind the others are named: nobody moves them on the side.

use std::collections::BTreeSet;

use super::bundle::open_bundle;
use super::{goes_on, missing_reason};
use crate::domain::gate::{Finding, Verdict, judge};
use crate::domain::names::{BundleId, RolloutId};
use crate::domain::rollout::Rollout;
use crate::domain::workflow::{Effect, State};
use crate::process::decision::{Answer, Decision, Entry};
use crate::process::fact::bundle::{BundleAnnounced, told};
use crate::process::gate::{Case, shrink};
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;

/// What a bundle and its release notes do not agree about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Corrections {
    /// What the notes list afterwards.
    notes: BTreeSet<RolloutId>,
    /// What goes off the notes.
    off: BTreeSet<RolloutId>,
    /// What comes on them.
    on: BTreeSet<RolloutId>,
    /// What is withdrawn, and by which state.
    withdrawn: Vec<(RolloutId, State)>,
    /// What is behind the others, and the state of those.
    behind: Vec<(RolloutId, State)>,
}

impl Corrections {
    /// What is done, a sentence each.
    pub fn steps(&self) -> Vec<String> {
        let mut steps = Vec::new();
        for (what, rollouts) in [("come off the release notes", &self.off), ("come on the release notes", &self.on)] {
            if !rollouts.is_empty() {
                steps.push(format!("{what}: {}", told(rollouts.iter())));
            }
        }
        steps.extend(self.withdrawn.iter().map(|(rollout, state)| format!("{rollout} goes to {state}")));
        steps
    }

    /// What somebody has to do by hand with the bundle, a sentence each.
    pub fn by_hand(&self, bundle: &BundleId) -> Vec<String> {
        let words = |(rollout, state): &(RolloutId, State)| {
            format!("{rollout} is behind the others: bundle move {bundle} '{state}' --only {rollout}")
        };
        self.behind.iter().map(words).collect()
    }
}

/// What would correct an open bundle; `withdraw` says what becomes of what the notes do not list.
pub fn corrections(known: Known<'_>, id: &BundleId, withdraw: bool) -> Option<Corrections> {
    let bundle = known.world.bundles.get(id).filter(|bundle| !bundle.closed)?;
    let announced: BTreeSet<RolloutId> = bundle.announced.iter().flatten().cloned().collect();
    let alive: Vec<&Rollout> = bundle.members.iter().filter_map(|id| alive(known, id)).collect();
    let is_alive = |id: &RolloutId| alive.iter().any(|rollout| rollout.id == *id);
    // What is released with another bundle than its own is no stray of either (S1-30).
    let is_with = |rollout: &RolloutId| known.world.bundles.is_released_with(rollout, id);
    let is_guest = |rollout: &RolloutId| {
        known.world.bundles.of(rollout).is_some() && self::alive(known, rollout).is_some() && is_with(rollout)
    };
    let off = announced.iter().filter(|id| !is_alive(id) && !is_guest(id)).cloned().collect();
    let mut found = Corrections { off, ..Corrections::default() };
    for rollout in alive.iter().filter(|rollout| !announced.contains(&rollout.id) && is_with(&rollout.id)) {
        match withdrawal(known, rollout).filter(|_| withdraw) {
            Some(state) => found.withdrawn.push((rollout.id.clone(), state)),
            None => drop(found.on.insert(rollout.id.clone())),
        }
    }
    found.notes = announced.difference(&found.off).chain(&found.on).cloned().collect();
    let place = |rollout: &Rollout| {
        let states = known.rules.of(&rollout.parts).ok()?.workflow.states();
        states.iter().position(|state| *state == rollout.state)
    };
    let listed = || alive.iter().filter(|rollout| found.notes.contains(&rollout.id));
    let first = listed().max_by_key(|rollout| place(rollout)).map(|rollout| rollout.state.clone());
    if let Some(first) = first {
        let behind = listed().filter(|rollout| rollout.state != first);
        found.behind = behind.map(|rollout| (rollout.id.clone(), first.clone())).collect();
    }
    Some(found)
}

/// A rollout that has a way to go.
fn alive<'w>(known: Known<'w>, id: &RolloutId) -> Option<&'w Rollout> {
    let rollout = known.world.rollouts.get(id)?;
    let workflow = &known.rules.of(&rollout.parts).ok()?.workflow;
    goes_on(workflow, rollout).then_some(rollout)
}

/// The state that withdraws a rollout from where it is.
fn withdrawal(known: Known<'_>, rollout: &Rollout) -> Option<State> {
    let workflow = &known.rules.of(&rollout.parts).ok()?.workflow;
    workflow.leaving(&rollout.state).find(|step| step.effect == Effect::Withdraw).map(|step| step.to.clone())
}

/// Corrects a bundle: all of it or nothing.
pub(in crate::process) fn correct(
    known: Known<'_>,
    caller: &Caller,
    id: &BundleId,
    withdraw: bool,
    reason: &str,
) -> Decision {
    if let Err(decision) = open_bundle(known, id) {
        return decision;
    }
    let found = corrections(known, id, withdraw).unwrap_or_default();
    if found.steps().is_empty() {
        let hand = found.by_hand(id).join("; ");
        let more = if hand.is_empty() { String::new() } else { format!("; {hand}") };
        return Decision::answered(Answer::Conflict(format!("{id} and its release notes agree{more}")));
    }
    let mut findings: Vec<Finding> = rights::BUNDLES.lacking(caller, []).into_iter().collect();
    let mut entries = Vec::new();
    if !found.off.is_empty() || !found.on.is_empty() {
        let fact = BundleAnnounced { bundle: id.clone(), rollouts: found.notes.clone() }.into();
        entries.push(Entry { who: caller.who.clone(), why: reason.to_owned(), fact });
    }
    if !found.withdrawn.is_empty() {
        findings.extend(missing_reason(reason, "A withdrawal needs a reason, for anyone who asks a year later."));
    }
    let rollout = |id: &RolloutId| known.world.rollouts.get(id);
    let withdrawn = found.withdrawn.iter().filter_map(|(id, state)| Some((rollout(id)?, state)));
    let cases: Vec<Case<'_>> = withdrawn.map(|(it, state)| Case::new(known, it, caller, state.as_str())).collect();
    findings.extend(shrink::together(&cases));
    for case in &cases {
        let judged = case.judge();
        match &case.step {
            Ok(step) if judged.verdict == Verdict::Pass => entries.push(case.moved(step, reason).0),
            _ => findings.extend(judged.findings.into_iter().map(|finding| finding.about(&case.rollout.id))),
        }
    }
    if !findings.is_empty() {
        return Decision::answered(Answer::Refused(judge(findings)));
    }
    let says = format!("corrected the bundle {id}: {}", found.steps().join("; "));
    Decision { entries, answer: Some(Answer::Recorded { entry: known.world.last + 1, says, warnings: vec![] }) }
}
