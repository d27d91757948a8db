//! `rolloutctl maintenance`: declares times at which nothing is promoted.

use super::ask::{escape, recorded};
use super::words::{document, moment};
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::table;
use crate::web::api::maintenances::{CallOffBody, DeclareBody, MaintenanceBody};

/// Declares a period in which nothing is promoted, or calls it off
///
/// It must be declared at least 24 hours before its start and last at most 24 hours, or be justified. During it, no
/// step that moves packages forward is taken, and `rolloutctl why` says until when. Trackers' wishes are carried out at
/// its end.
///
/// Example: rolloutctl maintenance declare 2026-12-disks "new disks" --from 2026-12-01T08:00 --until 2026-12-01T12:00
#[derive(Debug, clap::Args)]
pub struct MaintenanceArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists those in progress or to come
    ///
    /// Example: rolloutctl maintenance list --all
    List {
        /// Also those that are over or were called off
        #[arg(long)]
        all: bool,
    },
    /// Shows one, with the lines for a downtime in GOCDB
    ///
    /// Example: rolloutctl maintenance show 2026-12-disks
    Show {
        /// Its id
        maintenance: String,
    },
    /// Declares one
    ///
    /// Example: rolloutctl maintenance declare 2026-12-power "work on the power supply" --from 2026-12-08T08:00
    /// --until 2026-12-08T18:00
    Declare {
        /// Its id, which no other has had
        maintenance: String,
        /// What is done, for everybody who has to wait
        title: String,
        /// When it starts: 2026-12-01T08:00Z, or without the Z in the calendar's time zone
        #[arg(long, value_name = "TIME")]
        from: String,
        /// When it ends
        #[arg(long, value_name = "TIME")]
        until: String,
        /// Only in this distribution
        #[arg(long)]
        distribution: Option<String>,
        /// Why it could not be declared earlier or cannot be shorter
        #[arg(long, value_name = "WHY", default_value = "")]
        justification: String,
    },
    /// Calls one off, or ends it early
    ///
    /// Example: rolloutctl maintenance call-off 2026-12-disks --reason "the disks have not come"
    CallOff {
        /// Its id
        maintenance: String,
        /// Why; recorded in the logbook
        #[arg(long)]
        reason: String,
    },
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: MaintenanceArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let all = async || client.get::<Vec<MaintenanceBody>>("/api/v1/maintenances").await;
    let done = match args.what {
        What::List { all: also_past } => {
            let mut all = all().await?;
            all.retain(|one| also_past || ["coming", "on"].contains(&one.status.as_str()));
            return Ok(Outcome::done(if json { document(&all) } else { list(&all, table::width()) }));
        }
        What::Show { maintenance } => {
            let found = all().await?.into_iter().find(|one| one.maintenance == maintenance);
            let found =
                found.ok_or_else(|| Failure::new(Exit::Refused, format!("there is no maintenance {maintenance}")))?;
            return Ok(Outcome::done(if json { document(&found) } else { show(&found) }));
        }
        What::Declare { maintenance, title, from, until, distribution, justification } => {
            let body = DeclareBody { maintenance, distribution, title, start: from, end: until, justification };
            client.post("/api/v1/maintenances", &body).await?
        }
        What::CallOff { maintenance, reason } => {
            let path = format!("/api/v1/maintenances/{}", escape(&maintenance));
            client.delete(&path, &CallOffBody { reason }).await?
        }
    };
    Ok(recorded(&done, json))
}

fn list(all: &[MaintenanceBody], width: usize) -> String {
    if all.is_empty() {
        return "No maintenance is scheduled or in progress.\n".to_owned();
    }
    let row = |one: &MaintenanceBody| {
        let place = one.distribution.clone().unwrap_or_else(|| "everywhere".to_owned());
        let (start, end) = (moment(&one.start), moment(&one.end));
        vec![one.maintenance.clone(), place, start, end, one.status.clone(), one.kind.clone(), one.title.clone()]
    };
    let heads = ["MAINTENANCE", "WHERE", "FROM", "UNTIL", "STATUS", "KIND", "WHAT"];
    table::lay_out(&heads, &all.iter().map(row).collect::<Vec<_>>(), width)
}

fn show(one: &MaintenanceBody) -> String {
    let place = one.distribution.as_deref().unwrap_or("everywhere");
    let justification = match one.justification.as_str() {
        "" => String::new(),
        why => format!("justification: {why}\n"),
    };
    format!(
        "{}: {}\n{place}, {} to {}, {}\ndeclared {} by {}, {}\n{justification}\nFor GOCDB:\n\n{}",
        one.maintenance,
        one.title,
        moment(&one.start),
        moment(&one.end),
        one.status,
        moment(&one.declared),
        one.by,
        one.kind,
        one.downtime
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> MaintenanceBody {
        MaintenanceBody {
            maintenance: "2026-12-disks".into(),
            distribution: None,
            title: "new disks".into(),
            start: "2026-12-01T08:00:00Z".into(),
            end: "2026-12-01T12:00:00Z".into(),
            kind: "unscheduled".into(),
            status: "coming".into(),
            justification: "the old ones fail".into(),
            by: "jane".into(),
            declared: "2026-12-01T07:00:00Z".into(),
            downtime: "Classification: UNSCHEDULED\n".into(),
        }
    }

    #[test]
    fn maintenances_are_shown() {
        insta::assert_snapshot!(list(&[sample()], 120));
        insta::assert_snapshot!(list(&[], 120));
        insta::assert_snapshot!(show(&sample()));
    }
}
