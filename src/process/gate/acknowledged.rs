//! Have enough early adopters accepted the rollout (S0-36, S0-37)?

use jiff::Timestamp;

use super::{Asked, Case, EARLY_ADOPTERS, Gate, TEAMS};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::RolloutId;
use crate::domain::naming::team::TeamName;
use crate::domain::rollout::Rollout;
use crate::domain::terms::{GateForm, Terms};
use crate::domain::workflow::{State, Transition, Workflow};
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
    let standings = || case.asked_teams().map(|(team, adopter)| (team, adopter.standing()));
    let accepted = standings().filter(|(_, at)| at.accepts()).count();
    if accepted >= wanted {
        let sentence = format!("{} accepted the rollout.", count(accepted, "early adopter"));
        return vec![Finding::new(Verdict::Pass, "acknowledged", sentence)];
    }
    let silent: Vec<&str> =
        standings().filter(|(_, at)| *at == Standing::Assigned).map(|(team, _)| team.as_str()).collect();
    let silent = match silent.as_slice() {
        [] => format!("nobody else is asked (`assign {} TEAM` asks)", case.rollout.id),
        teams => format!("not answered: {}", teams.join(", ")),
    };
    let sentence = format!("{accepted} of {} accepted; {silent}.", count(wanted, "early adopter"));
    vec![Finding::new(Verdict::Wait, "acknowledged", sentence)]
}

/// Whether early adopters can have a rollout: the procedure asks for them where it is, or something was moved for it. Before
/// that there is nothing to test, and its packages may become others.
pub fn is_in_test(known: Known<'_>, rollout: &Rollout) -> bool {
    let asks = |rules: &DistRules| asks(&rules.workflow, &rollout.state);
    rollout.plan.is_some() || known.rules.of(&rollout.parts).is_ok_and(asks) || known.brought(rollout).is_some()
}

/// Whether a step from a state asks for early adopters.
pub fn asks(workflow: &Workflow, state: &State) -> bool {
    workflow.leaving(state).any(|step| step.gates.iter().any(|named| EARLY_ADOPTERS.contains(&named.name)))
}

/// The rules of a rollout, if a step from where it is asks for early adopters.
pub fn asking<'a>(known: Known<'a>, rollout: &Rollout) -> Option<&'a DistRules> {
    let is_paused = known.world.is_paused(&rollout.id);
    let rules = known.rules.of(&rollout.parts).ok().filter(|_| !rollout.cancelled && !is_paused)?;
    asks(&rules.workflow, &rollout.state).then_some(rules)
}

/// When a team has to have answered: one working day after it was asked (S0-35), and not before the rollout came where it can be
/// tested, or was on hold.
pub fn answer_by(
    known: Known<'_>,
    rules: &DistRules,
    id: &RolloutId,
    (team, adopter): (&TeamName, &Adopter),
) -> Option<Timestamp> {
    let asked = adopter.asked.as_ref()?.at;
    let resumed = known.world.dossiers.of(id).and_then(|dossier| dossier.resumed);
    let came = known.world.rollouts.get(id).filter(|rollout| asks(&rules.workflow, &rollout.state));
    let from = [resumed, came.map(|rollout| rollout.since)].into_iter().flatten().fold(asked, Timestamp::max);
    let ngi = known.world.teams.get(team).map_or("", |team| team.ngi.as_str());
    rules.calendar.working_days_of(ngi).after(from, 1).ok()
}
