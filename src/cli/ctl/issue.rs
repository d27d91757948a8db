//! `rolloutctl issue`: issues of a rollout.

use serde::Serialize;

use super::ask::{escape, one, recorded};
use super::words::document;
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::table;
use crate::web::api::issues::{CloseIssueBody, IssueBody, IssueOfBody, RankIssueBody};
use crate::web::api::rollouts::RolloutBody;

/// Lists issues, records and closes those of a rollout
///
/// Example: rolloutctl issue add rt-1234 "https://ggus.eu/?ticket_id=99" --title "the daemon dies at start"
/// --show-stopper
#[derive(Debug, clap::Args)]
pub struct IssueArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists the issues of all rollouts
    ///
    /// Example: rolloutctl issue list --open --show-stopper
    List {
        /// Only open ones
        #[arg(long)]
        open: bool,
        /// Only those with which a rollout cannot go on
        #[arg(long)]
        show_stopper: bool,
    },
    /// Records an issue, or what has changed about it; reopens a closed one
    ///
    /// Example: rolloutctl issue add rt-1234 '#12' --title "the log file grows" --workaround "rotate it daily"
    Add(AddArgs),
    /// Decides how urgent an issue is
    ///
    /// Example: rolloutctl issue priority rt-1234 '#12' high --reason "it affects all sites"
    Priority {
        /// The rollout, as `rolloutctl list` prints it
        rollout: String,
        /// The issue's address or number
        issue: String,
        /// none, low, normal, high or immediate, or 0 to 4
        priority: String,
        /// Why; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Prints the subject of an issue, to paste into GGUS
    ///
    /// Example: rolloutctl issue subject rt-1234 "the daemon dies at start"
    Subject {
        /// The rollout, as `rolloutctl list` prints it
        rollout: String,
        /// What is wrong, in a few words
        #[arg(default_value = "")]
        summary: String,
    },
    /// Closes an issue
    ///
    /// Example: rolloutctl issue close rt-1234 '#12' --reason "a mistake in the configuration"
    Close {
        /// The rollout, as `rolloutctl list` prints it
        rollout: String,
        /// The issue's address or number
        issue: String,
        /// Why; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
    /// Its address or number in its tracker
    issue: String,
    /// One line for people
    #[arg(long)]
    title: String,
    /// The rollout cannot go on with this issue
    #[arg(long)]
    show_stopper: bool,
    /// What sites can do until it is solved
    #[arg(long, default_value = "")]
    workaround: String,
    /// Whom it affects, and how badly
    #[arg(long, default_value = "")]
    criticality: String,
    /// Why; recorded in the logbook
    #[arg(long, default_value = "")]
    reason: String,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: IssueArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    match args.what {
        What::List { open, show_stopper } => {
            let wanted = [("open", open), ("show_stopper", show_stopper)];
            let wanted: Vec<String> =
                wanted.iter().filter(|(_, only)| *only).map(|(name, _)| format!("{name}=true")).collect();
            let issues: Vec<IssueOfBody> = client.get(&format!("/api/v1/issues?{}", wanted.join("&"))).await?;
            let is_narrowed = !wanted.is_empty();
            Ok(Outcome::done(if json { document(&issues) } else { list(&issues, is_narrowed, table::width()) }))
        }
        What::Add(AddArgs { rollout, issue, title, show_stopper, workaround, criticality, reason }) => {
            let body = IssueBody { issue, title, show_stopper, workaround, criticality, reason };
            let path = format!("/api/v1/rollouts/{}/issues", escape(&rollout));
            Ok(recorded(&client.post(&path, &body).await?, json))
        }
        What::Priority { rollout, issue, priority, reason } => {
            let path = format!("/api/v1/rollouts/{}/issues/rank", escape(&rollout));
            Ok(recorded(&client.post(&path, &RankIssueBody { issue, priority, reason }).await?, json))
        }
        What::Subject { rollout, summary } => {
            let subject = subject(&one(client, &rollout).await?, &summary)?;
            let words = format!("{subject}\n");
            Ok(Outcome::done(if json { document(&SubjectBody { subject }) } else { words }))
        }
        What::Close { rollout, issue, reason } => {
            let path = format!("/api/v1/rollouts/{}/issues/close", escape(&rollout));
            Ok(recorded(&client.post(&path, &CloseIssueBody { issue, reason }).await?, json))
        }
    }
}

fn list(issues: &[IssueOfBody], is_narrowed: bool, width: usize) -> String {
    if issues.is_empty() {
        let such = if is_narrowed { "such " } else { "" };
        return format!("No rollout has {such}issues.\n");
    }
    let row = |IssueOfBody { rollout, issue }: &IssueOfBody| {
        let kind = if issue.show_stopper { "show-stopper" } else { "" };
        let open = if issue.open { "open" } else { "closed" };
        let priority = issue.priority.clone().unwrap_or_default();
        vec![rollout.clone(), issue.issue.clone(), open.to_owned(), kind.to_owned(), priority, issue.title.clone()]
    };
    let rows: Vec<_> = issues.iter().map(row).collect();
    table::lay_out(&["ROLLOUT", "ISSUE", "STATUS", "KIND", "PRIORITY", "TITLE"], &rows, width)
}

#[derive(Serialize)]
struct SubjectBody {
    subject: String,
}

/// The subject of an issue of a rollout (S0-42).
fn subject(rollout: &RolloutBody, summary: &str) -> Result<String, Failure> {
    let about = rollout.about.as_ref();
    let Some(named) = about.and_then(|about| about.named.as_ref()) else {
        let why = about.and_then(|about| about.unnamed.clone()).unwrap_or_default();
        let message = format!("the title of {} does not follow the naming convention: {why}", rollout.id);
        let hint =
            "`rolloutctl edit ID --title \"Staged Rollout EMI-1.0 bdii-site 1.0.1 SL5 x86_64\"` sets one that does";
        return Err(Failure::new(Exit::Refused, message).hint(hint));
    };
    let more = if summary.is_empty() { String::new() } else { format!(": {summary}") };
    Ok(format!("{}{more}", named.issue_subject))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ctl::words::tests::waiting;
    use crate::domain::attributes::Attributes;
    use crate::web::api::attributes::about;

    #[test]
    fn a_subject_follows_the_title() {
        let titled = |title: &str| RolloutBody { about: Some(about(title, &Attributes::default())), ..waiting() };
        let rollout = titled("EMI.bdii-site.sl5.x86_64-1.0.1");
        assert_eq!(
            subject(&rollout, "it dies").expect("one"),
            "Staged Rollout: EMI.bdii-site.sl5.x86_64-1.0.1: it dies"
        );
        let none = subject(&titled("the new bdii"), "").expect_err("free text");
        assert!(none.message.contains("does not begin with `Staged Rollout`"), "{none:?}");
    }
}
