//! `rolloutctl todo`: what whoever asks has to do, or can do now.

use std::fmt::Write as _;

use super::words::{ago, document, own_name};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::table;
use crate::domain::legible;
use crate::web::api::todo::DutyBody;

/// Shows what you have to do and what you can do now, most urgent first
///
/// Example: rolloutctl todo
#[derive(Debug, clap::Args)]
pub struct TodoArgs;

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(client: &Client, json: bool) -> Result<Outcome, Failure> {
    let duties: Vec<DutyBody> = client.get("/api/v1/todo").await?;
    Ok(Outcome::done(if json { document(&duties) } else { show(&duties, &own_name(), table::width()) }))
}

fn show(duties: &[DutyBody], program: &str, width: usize) -> String {
    if duties.is_empty() {
        return "There is nothing that you have to do or can do now.\n".to_owned();
    }
    let row = |duty: &DutyBody| {
        let by = duty.by.as_deref().map(ago).unwrap_or_default();
        let by = if duty.overdue { format!("{by} overdue") } else { by };
        vec![by, duty.what.clone(), format!("{program} {}", duty.command)]
    };
    let rows: Vec<Vec<String>> = duties.iter().map(row).collect();
    let table = table::lay_out(&["BY", "WHAT", "COMMAND"], &rows, usize::MAX);
    if table.lines().all(|line| line.chars().count() <= width) { table } else { below_each_other(duties, program) }
}

/// Each duty with its command below it, so that whoever copies that has all of it.
fn below_each_other(duties: &[DutyBody], program: &str) -> String {
    let mut text = String::new();
    for duty in duties {
        let due = if duty.overdue { "was due" } else { "due" };
        let by = duty.by.as_deref().map(|by| format!(" ({due} {})", ago(by))).unwrap_or_default();
        let _ = writeln!(text, "{}{by}\n    {program} {}", legible::line(&duty.what), legible::line(&duty.command));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_to_do_is_shown() {
        let duty = |by: Option<&str>, overdue, what: &str, command: &str| DutyBody {
            by: by.map(str::to_owned),
            overdue,
            what: what.into(),
            command: command.into(),
        };
        let all = [
            duty(
                Some("2026-11-27T09:00:00Z"),
                true,
                "ea-NGI_CH-CSCS has not said whether it tests rt-1: ask another team",
                "assign rt-1 TEAM",
            ),
            duty(
                Some("2026-11-30T09:00:00Z"),
                false,
                "ea-NGI_IT-T1 is asked to test rt-2: accept or reject it",
                "accept rt-2 ea-NGI_IT-T1",
            ),
            duty(None, false, "rt-3 can go from Verified to Ready for Rollout", "move rt-3 'Ready for Rollout'"),
        ];
        insta::assert_snapshot!(show(&all, "rolloutctl", 160));
        insta::assert_snapshot!(show(&all, "rolloutctl", 100));
        insta::assert_snapshot!(show(&[], "rolloutctl", 100));
    }
}
