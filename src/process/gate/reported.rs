//! Have enough early adopters reported, and does nothing fail at any of them (S0-45, S1-29)?
//!
//! A failure is unresolved until that team reports again, also if it was taken out of the registry or only observes since.

use super::{Asked, Case, Gate, TEAMS};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::naming::team::TeamName;
use crate::domain::report::Outcome;
use crate::domain::terms::{GateForm, TermForm, TermKind, Terms};
use crate::domain::workflow::Transition;
use crate::process::fact::count;
use crate::process::world::adopters::{Adopter, Standing};

/// Whether every open issue has to be mentioned in a report (S1-25).
const ISSUES: TermForm = TermForm { name: "issues", kind: TermKind::Flag, required: false, example: "issues = true" };

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: "reported", terms: &[TEAMS, ISSUES], of_moves: false }),
    asked: Asked::Named,
    may_be_overridden: true,
    judge,
};

fn judge(case: &Case<'_>, _: &Transition, terms: &Terms) -> Vec<Finding> {
    let wanted = terms.count(TEAMS.name).unwrap_or(1);
    let mut good = 0;
    let mut findings: Vec<Finding> = failures(case).collect();
    let mut waiting = Vec::new();
    for (team, adopter) in case.teams() {
        match adopter.standing() {
            Standing::Reported(Outcome::Success | Outcome::Warning) => good += usize::from(adopter.asked.is_some()),
            Standing::Accepted | Standing::Exposed => waiting.push(team.as_str()),
            // A failure was found above.
            Standing::Reported(Outcome::Fail) | Standing::Assigned | Standing::Declined => {}
        }
    }
    if good < wanted {
        let waiting = match waiting.as_slice() {
            [] => "no other team has accepted".to_owned(),
            teams => format!("not reported: {}", teams.join(", ")),
        };
        let sentence = format!("{good} of {} received; {waiting}.", count(wanted, "report"));
        findings.push(Finding::new(Verdict::Wait, "reported", sentence));
    } else {
        let sentence = format!("{} received.", count(good, "report"));
        findings.push(Finding::new(Verdict::Pass, "reported", sentence));
    }
    if terms.flag(ISSUES.name) {
        findings.extend(unmentioned(case));
    }
    findings
}

/// The failures that teams have reported, also one that nobody asked: whatever it has found may happen to others.
pub(super) fn failures<'c>(case: &'c Case<'_>) -> impl Iterator<Item = Finding> + use<'c> {
    let fails = |team: &TeamName, adopter: &Adopter| {
        let counts = case.world.teams.counts(team) || adopter.report.as_ref().is_some_and(|report| report.counted);
        counts && adopter.standing() == Standing::Reported(Outcome::Fail)
    };
    case.world.adopters.of(&case.rollout.id).filter(move |(team, adopter)| fails(team, adopter)).map(|(team, _)| {
        let sentence = format!("{team} reported a failure; that holds the rollout up until its next report.");
        Finding::new(Verdict::NeedsAdmin, "report_fails", sentence)
    })
}

/// The open issues that no report mentions.
fn unmentioned(case: &Case<'_>) -> Vec<Finding> {
    let id = &case.rollout.id;
    let is_mentioned = |issue: &str| {
        case.world.adopters.of(id).filter_map(|(_, adopter)| adopter.report.as_ref()).any(|it| it.mentions(issue))
    };
    let open = case.world.issues.of(id).filter(|(_, issue)| issue.open);
    let missing = open.map(|(name, _)| name).filter(|name| !is_mentioned(name));
    let finding = |name| Finding::new(Verdict::Wait, "not_mentioned", format!("No report mentions the issue {name}."));
    missing.map(finding).collect()
}
