//! Have enough early adopters reported, and does nothing fail at any of them (S0-45, S1-29)?
//!
//! A failure is unresolved until that team reports again.

use super::{Asked, Case, Gate, TEAMS};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::report::Outcome;
use crate::domain::terms::{GateForm, TermForm, TermKind, Terms};
use crate::domain::workflow::Transition;
use crate::process::fact::count;
use crate::process::world::adopters::Standing;

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
    let mut findings = Vec::new();
    let mut waiting = Vec::new();
    for (team, adopter) in case.teams() {
        match adopter.standing() {
            // Also of a team that nobody asked: whatever it has found may happen to others.
            Standing::Reported(Outcome::Fail) => {
                let sentence = format!("{team} reported a failure; that holds the rollout up until its next report.");
                findings.push(Finding::new(Verdict::NeedsAdmin, "report_fails", sentence));
            }
            Standing::Reported(Outcome::Success | Outcome::Warning) => good += usize::from(adopter.asked.is_some()),
            Standing::Accepted | Standing::Exposed => waiting.push(team.as_str()),
            Standing::Assigned | Standing::Declined => {}
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
