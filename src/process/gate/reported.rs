//! Have enough early adopters reported, and does nothing fail at any of them (S0-45, S1-29)?
//!
//! A failure is unresolved until that team reports again.

use super::{Asked, Case, Gate, TEAMS};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::report::Outcome;
use crate::domain::terms::{GateForm, Terms};
use crate::domain::workflow::Transition;
use crate::process::fact::count;
use crate::process::world::adopters::Standing;

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: "reported", terms: &[TEAMS], of_moves: false }),
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
            Standing::Reported(Outcome::Fail) => {
                let sentence = format!("{team} reported a failure.");
                findings.push(Finding::new(Verdict::NeedsAdmin, "report_fails", sentence));
            }
            Standing::Reported(Outcome::Success | Outcome::Warning) => good += 1,
            Standing::Accepted | Standing::Exposed => waiting.push(team.as_str()),
            Standing::Assigned | Standing::Declined => {}
        }
    }
    if good < wanted {
        let waiting = match waiting.as_slice() {
            [] => "no other team has accepted".to_owned(),
            teams => format!("not reported: {}", teams.join(", ")),
        };
        let sentence = format!("{good} of {} came; {waiting}.", count(wanted, "report"));
        findings.push(Finding::new(Verdict::Wait, "reported", sentence));
    } else {
        let sentence = format!("{} came.", count(good, "report"));
        findings.push(Finding::new(Verdict::Pass, "reported", sentence));
    }
    findings
}
