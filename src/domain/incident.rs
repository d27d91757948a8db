//! Incidents and problems: what goes wrong, who handles it, and what goes wrong again and again (S3-33, S3-34, S4-08).
//!
//! An incident has a kind, a word that a site chooses. So many of one kind within some time are a problem: somebody looks
//! for their common cause, and their tickets become children of the problem's.

use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use smol_str::SmolStr;

use super::names::{BadName, RolloutId, name_type, word};
use super::request::Priority;

name_type! {
    /// What has gone wrong, in a word that is the same each time: `publication`, `disk-full`.
    IncidentKind, "kind of incidents", word
}

/// Who handles incidents, and when they are a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentPolicy {
    /// The support unit that handles incidents for which nobody names another one.
    pub support_unit: Option<String>,
    /// The support unit that looks for the cause of problems (S3-34).
    pub problem_unit: String,
    /// So many incidents of one kind are a problem.
    pub recur: usize,
    /// Within this time.
    pub within: Duration,
}

impl Default for IncidentPolicy {
    /// As EGI has it: problems go to "Operations". The seed does not say how many incidents are one.
    fn default() -> Self {
        Self {
            support_unit: None,
            problem_unit: "Operations".to_owned(),
            recur: 3,
            within: Duration::from_hours(24 * 30),
        }
    }
}

/// An incident as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What has gone wrong.
    pub kind: IncidentKind,
    /// One line for people.
    pub title: String,
    /// Who handles it; the support unit of the configuration if nobody is named.
    pub unit: Option<String>,
    /// How urgent it is; normal if nobody says it.
    pub priority: Option<Priority>,
    /// Its ticket.
    pub ticket: Option<String>,
    /// The rollout that it has to do with.
    pub rollout: Option<RolloutId>,
}

/// An incident, as a ticket says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told<'a> {
    /// Its number.
    pub incident: u64,
    /// Its kind.
    pub kind: &'a str,
    /// One line for people.
    pub title: &'a str,
    /// Who handles it.
    pub unit: &'a str,
    /// How urgent it is.
    pub priority: Priority,
    /// The rollout that it has to do with.
    pub rollout: Option<&'a str>,
    /// When it was recorded.
    pub at: &'a str,
    /// Its ticket in the helpdesk.
    pub ticket: Option<&'a str>,
    /// What has solved it.
    pub solution: Option<&'a str>,
}

/// The text of an incident, to be pasted into a helpdesk such as GGUS.
pub fn incident_text(told: &Told<'_>) -> String {
    let Told { incident, kind, title, unit, priority, rollout, at, ticket, solution } = told;
    let mut text = format!("Subject: {title}\nSupport unit: {unit}\nPriority: {priority} ({})\n\n", priority.number());
    let _ = writeln!(text, "{title}\n\nKind of incident: {kind}\nRecorded: {at}, as incident {incident}");
    if let Some(rollout) = rollout {
        let _ = writeln!(text, "Rollout: {rollout}");
    }
    if let Some(ticket) = ticket {
        let _ = writeln!(text, "Ticket: {ticket}");
    }
    if let Some(solution) = solution {
        let _ = writeln!(text, "Closed: {solution}");
    }
    text
}

/// The text of a problem, with the incidents whose tickets are to be marked as children of its ticket.
pub fn problem_text(problem: u64, kind: &str, unit: &str, children: &[Told<'_>]) -> String {
    let worst = children.iter().map(|child| child.priority).max().unwrap_or(Priority::None);
    let mut text = format!("Subject: recurring incidents: {kind} ({} of them)\nSupport unit: {unit}\n", children.len());
    let _ = writeln!(text, "Priority: {worst} ({})\n", worst.number());
    let _ = writeln!(
        text,
        "Incidents of the kind {kind} recur, and those who handle them cannot remove the cause. Please coordinate the\n\
         investigation. This is problem {problem}.\n\nPlease mark these tickets as children of this one:\n"
    );
    for Told { incident, title, at, ticket, .. } in children {
        let ticket = ticket.map_or_else(|| format!("incident {incident}, without a ticket"), str::to_owned);
        let _ = writeln!(text, "- {ticket}: {title} ({at})");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(incident: u64, ticket: Option<&'static str>) -> Told<'static> {
        Told {
            incident,
            kind: "publication",
            title: "testing was not published for an hour",
            unit: "EGI Software Provisioning Support",
            priority: if incident == 2 { Priority::High } else { Priority::Normal },
            rollout: (incident == 1).then_some("rt-1234"),
            at: "2026-11-30T09:00:00Z",
            ticket,
            solution: (incident == 1).then_some("restarted"),
        }
    }

    /// S3-33.
    #[test]
    fn an_incident_says_who_handles_it_and_how_urgent_it_is() {
        insta::assert_snapshot!(incident_text(&told(1, Some("https://ggus.eu/?ticket_id=99"))));
    }

    /// S3-34, S4-08.
    #[test]
    fn a_problem_lists_the_tickets_that_become_its_children() {
        let children = [told(1, Some("#99")), told(2, Some("#101")), told(3, None)];
        insta::assert_snapshot!(problem_text(1, "publication", "Operations", &children));
    }

    #[test]
    fn a_kind_is_one_word() {
        for good in ["publication", "disk-full", "502"] {
            assert!(good.parse::<IncidentKind>().is_ok(), "{good}");
        }
        for bad in ["", "Disk full", "-x", "disk_full", &"x".repeat(61)] {
            assert!(bad.parse::<IncidentKind>().is_err(), "{bad}");
        }
    }
}
