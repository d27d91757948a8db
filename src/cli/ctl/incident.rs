//! `rolloutctl incident` and `problem`: what goes wrong, who handles it, and what recurs.

use std::fmt::Write as _;

use super::ask::{escape, recorded};
use super::words::{document, moment};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::table;
use crate::web::api::incidents::{
    ChangeIncidentBody, ChangeProblemBody, CloseBody, IncidentBody, NewIncidentBody, ProblemBody,
};

/// Records what goes wrong with the service, and prints the text for the ticket
///
/// Several incidents of one kind within a certain time are a problem: `rolloutctl problem` groups them for whoever
/// looks for the cause.
///
/// Example: rolloutctl incident add publication "testing was not published for an hour" --unit "Software Provisioning"
#[derive(Debug, clap::Args)]
pub struct IncidentArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Records an incident
    ///
    /// Example: rolloutctl incident add disk-full "no uploads for two hours" --priority high
    /// --ticket "https://ggus.eu/?ticket_id=99"
    Add {
        /// What went wrong, in a word that is the same each time, such as publication or disk-full
        kind: String,
        /// One line for people
        title: String,
        /// The support unit that handles it [default: `support_unit` of the configuration]
        #[arg(long)]
        unit: Option<String>,
        /// none, low, normal, high or immediate, or 0 to 4 [default: normal]
        #[arg(long)]
        priority: Option<String>,
        /// Its ticket in the helpdesk
        #[arg(long)]
        ticket: Option<String>,
        /// The rollout that it concerns
        #[arg(long)]
        rollout: Option<String>,
        /// Why; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Lists incidents, the newest first
    ///
    /// Example: rolloutctl incident list --open
    List {
        /// Only those that are not over
        #[arg(long)]
        open: bool,
        /// Only those of this kind
        #[arg(long)]
        kind: Option<String>,
    },
    /// Prints one incident: subject, support unit, priority and text, to paste into a helpdesk
    ///
    /// Example: rolloutctl incident show 1
    Show {
        /// Its number
        incident: u64,
    },
    /// Sets who handles an incident, how urgent it is, or which ticket it has
    ///
    /// Example: rolloutctl incident set 1 --ticket "https://ggus.eu/?ticket_id=99"
    Set {
        /// Its number
        incident: u64,
        /// The support unit that handles it from now on
        #[arg(long)]
        unit: Option<String>,
        /// none, low, normal, high or immediate, or 0 to 4
        #[arg(long)]
        priority: Option<String>,
        /// Its ticket in the helpdesk
        #[arg(long)]
        ticket: Option<String>,
        /// Why; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Closes an incident that is over
    ///
    /// Example: rolloutctl incident close 1 --reason "a file system was full"
    Close {
        /// Its number
        incident: u64,
        /// What solved it; recorded in the logbook
        #[arg(long)]
        reason: String,
    },
}

/// Lists problems: incidents that recur, and what is known about their cause
///
/// Example: rolloutctl problem set 1 --ticket "https://ggus.eu/?ticket_id=101" --cause "the disk is too slow"
#[derive(Debug, clap::Args)]
pub struct ProblemArgs {
    #[command(subcommand)]
    what: Problems,
}

#[derive(Debug, clap::Subcommand)]
enum Problems {
    /// Lists problems, the newest first
    ///
    /// Example: rolloutctl problem list --open
    List {
        /// Only those that are not solved
        #[arg(long)]
        open: bool,
    },
    /// Prints one problem: the text for its ticket, and the tickets that become its children
    ///
    /// Example: rolloutctl problem show 1
    Show {
        /// Its number
        problem: u64,
    },
    /// Sets a problem's ticket, its cause, or what sites can do until it is solved
    ///
    /// Example: rolloutctl problem set 1 --workaround "use the mirror"
    Set {
        /// Its number
        problem: u64,
        /// Its ticket in the helpdesk
        #[arg(long)]
        ticket: Option<String>,
        /// What its incidents have in common
        #[arg(long)]
        cause: Option<String>,
        /// What sites can do until it is solved
        #[arg(long)]
        workaround: Option<String>,
        /// Why; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Closes a problem that is solved
    ///
    /// Example: rolloutctl problem close 1 --reason "a larger disk"
    Close {
        /// Its number
        problem: u64,
        /// How; recorded in the logbook
        #[arg(long)]
        reason: String,
    },
}

/// Runs `incident`.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: IncidentArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let done = match args.what {
        What::List { open, kind } => {
            let kind = kind.map(|kind| format!("&kind={}", escape(&kind))).unwrap_or_default();
            let path = format!("/api/v1/incidents?open={open}{kind}");
            let all: Vec<IncidentBody> = client.pages(&path, None).await?;
            return Ok(Outcome::done(if json { document(&all) } else { list(&all, table::width()) }));
        }
        What::Show { incident } => {
            let found: IncidentBody = client.get(&format!("/api/v1/incidents/{incident}")).await?;
            return Ok(Outcome::done(if json { document(&found) } else { found.text.unwrap_or_default() }));
        }
        What::Add { kind, title, unit, priority, ticket, rollout, reason } => {
            let body = NewIncidentBody { kind, title, unit, priority, ticket, rollout, reason };
            client.post("/api/v1/incidents", &body).await?
        }
        What::Set { incident, unit, priority, ticket, reason } => {
            let body = ChangeIncidentBody { unit, priority, ticket, reason };
            client.post(&format!("/api/v1/incidents/{incident}"), &body).await?
        }
        What::Close { incident, reason } => {
            client.post(&format!("/api/v1/incidents/{incident}/close"), &CloseBody { reason }).await?
        }
    };
    Ok(recorded(&done, json))
}

/// Runs `problem`.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn problem(args: ProblemArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let done = match args.what {
        Problems::List { open } => {
            let all: Vec<ProblemBody> = client.get(&format!("/api/v1/problems?open={open}")).await?;
            return Ok(Outcome::done(if json { document(&all) } else { list_problems(&all, table::width()) }));
        }
        Problems::Show { problem } => {
            let found: ProblemBody = client.get(&format!("/api/v1/problems/{problem}")).await?;
            return Ok(Outcome::done(if json { document(&found) } else { show(&found) }));
        }
        Problems::Set { problem, ticket, cause, workaround, reason } => {
            let body = ChangeProblemBody { ticket, cause, workaround, reason };
            client.post(&format!("/api/v1/problems/{problem}"), &body).await?
        }
        Problems::Close { problem, reason } => {
            client.post(&format!("/api/v1/problems/{problem}/close"), &CloseBody { reason }).await?
        }
    };
    Ok(recorded(&done, json))
}

fn list(incidents: &[IncidentBody], width: usize) -> String {
    if incidents.is_empty() {
        return "There are no such incidents.\n".to_owned();
    }
    let row = |it: &IncidentBody| {
        vec![
            it.incident.to_string(),
            moment(&it.at),
            it.kind.clone(),
            it.priority.clone(),
            if it.closed.is_some() { "closed" } else { "open" }.to_owned(),
            it.problem.map(|problem| problem.to_string()).unwrap_or_default(),
            it.title.clone(),
        ]
    };
    let rows: Vec<_> = incidents.iter().map(row).collect();
    let heads = ["INCIDENT", "SINCE", "KIND", "PRIORITY", "STATE", "PROBLEM", "TITLE"];
    table::lay_out(&heads, &rows, width)
}

fn list_problems(problems: &[ProblemBody], width: usize) -> String {
    if problems.is_empty() {
        return "There are no such problems.\n".to_owned();
    }
    let row = |it: &ProblemBody| {
        vec![
            it.problem.to_string(),
            moment(&it.at),
            it.kind.clone(),
            if it.closed.is_some() { "solved" } else { "open" }.to_owned(),
            it.incidents.len().to_string(),
            it.cause.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = problems.iter().map(row).collect();
    let heads = ["PROBLEM", "SINCE", "KIND", "STATE", "INCIDENTS", "CAUSE"];
    table::lay_out(&heads, &rows, width)
}

/// The text for the ticket, and what is known.
fn show(problem: &ProblemBody) -> String {
    let mut text = problem.text.clone().unwrap_or_default();
    let known = [
        ("Ticket", &problem.ticket),
        ("Cause", &problem.cause),
        ("Workaround", &problem.workaround),
        ("Solved", &problem.solution),
    ];
    let known: Vec<_> = known.into_iter().filter_map(|(what, it)| Some((what, it.as_ref()?))).collect();
    if !known.is_empty() {
        text.push('\n');
    }
    for (what, it) in known {
        let _ = writeln!(text, "{what}: {it}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incident(number: u64) -> IncidentBody {
        IncidentBody {
            incident: number,
            kind: "publication".into(),
            title: "testing was not published for an hour".into(),
            unit: "Software Provisioning".into(),
            priority: if number == 1 { "high" } else { "normal" }.into(),
            ticket: (number == 1).then(|| "#99".into()),
            rollout: None,
            by: "ann".into(),
            at: "2026-11-29T09:00:00Z".into(),
            closed: (number == 1).then(|| "2026-11-29T10:00:00Z".into()),
            solution: (number == 1).then(|| "restarted".into()),
            problem: (number < 3).then_some(1),
            text: None,
        }
    }

    #[test]
    fn incidents_are_listed() {
        insta::assert_snapshot!(list(&[incident(3), incident(2), incident(1)], 80));
        insta::assert_snapshot!(list(&[], 120));
    }

    #[test]
    fn problems_are_listed_and_shown() {
        let problem = ProblemBody {
            problem: 1,
            kind: "publication".into(),
            unit: "Operations".into(),
            incidents: vec![1, 2, 3],
            ticket: Some("#101".into()),
            cause: Some("the disk is too slow".into()),
            workaround: None,
            at: "2026-11-29T09:00:00Z".into(),
            closed: Some("2026-11-30T09:00:00Z".into()),
            solution: Some("a faster disk".into()),
            text: Some("Subject: recurring incidents\n".into()),
        };
        insta::assert_snapshot!(list_problems(std::slice::from_ref(&problem), 80) + "\n" + &show(&problem));
        insta::assert_snapshot!(list_problems(&[], 120));
    }
}
