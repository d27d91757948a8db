//! Have enough early adopters accepted the rollout (S0-36, S0-37)?

use jiff::Timestamp;

use super::{Asked, Case, EARLY_ADOPTERS, Gate, TEAMS};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::RolloutId;
use crate::domain::rollout::Rollout;
use crate::domain::terms::{GateForm, Terms};
use crate::domain::workflow::Transition;
use crate::process::fact::count;
use crate::process::known::Known;
use crate::process::rules::DistRules;
use crate::process::world::adopters::{Adopter, Standing};

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: "acknowledged", terms: &[TEAMS], of_moves: false }),
    asked: Asked::Named,
    may_be_overridden: true,
    judge,
};

fn judge(case: &Case<'_>, _: &Transition, terms: &Terms) -> Vec<Finding> {
    let wanted = terms.count(TEAMS.name).unwrap_or(1);
    let standings = || case.teams().map(|(team, adopter)| (team, adopter.standing()));
    let accepted = standings().filter(|(_, at)| at.accepts()).count();
    if accepted >= wanted {
        let sentence = format!("{} accepted the rollout.", count(accepted, "early adopter"));
        return vec![Finding::new(Verdict::Pass, "acknowledged", sentence)];
    }
    let silent: Vec<&str> =
        standings().filter(|(_, at)| *at == Standing::Assigned).map(|(team, _)| team.as_str()).collect();
    let silent = match silent.as_slice() {
        [] => "nobody else is asked".to_owned(),
        teams => format!("not answered: {}", teams.join(", ")),
    };
    let sentence = format!("{accepted} of {} {} accepted; {silent}.", count(wanted, "early adopter"), has(accepted));
    vec![Finding::new(Verdict::Wait, "acknowledged", sentence)]
}

fn has(n: usize) -> &'static str {
    if n == 1 { "has" } else { "have" }
}

/// The rules of a rollout, if a step from where it is asks for early adopters.
pub fn asking<'a>(known: Known<'a>, rollout: &Rollout) -> Option<&'a DistRules> {
    let is_paused = known.world.is_paused(&rollout.id);
    let rules = known.rules.of(&rollout.parts).ok().filter(|_| !rollout.cancelled && !is_paused)?;
    let mut steps = rules.workflow.leaving(&rollout.state);
    steps.any(|step| step.gates.iter().any(|named| EARLY_ADOPTERS.contains(&named.name))).then_some(rules)
}

/// When a team has to have answered: one working day after it was asked (S0-35), or after the rollout was on hold.
pub fn answer_by(known: Known<'_>, rules: &DistRules, id: &RolloutId, adopter: &Adopter) -> Option<Timestamp> {
    let asked = adopter.asked.as_ref()?.at;
    let resumed = known.world.dossiers.of(id).and_then(|dossier| dossier.resumed);
    rules.calendar.working_days.after(resumed.map_or(asked, |resumed| resumed.max(asked)), 1).ok()
}
