//! `rolloutctl issue`: issues of a rollout.

use super::ask::{escape, recorded};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::web::api::issues::{CloseIssueBody, IssueBody};

/// Notes and closes issues of a rollout; `rolloutctl show` lists them
///
/// Example: rolloutctl issue add rt-1234 https://ggus.eu/?ticket_id=99 --title "the daemon dies at start" --show-stopper
#[derive(Debug, clap::Args)]
pub struct IssueArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Notes an issue, or what has changed about it; a closed one is open again
    Add(AddArgs),
    /// Closes an issue
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
    /// Its address or number in the tracker where it is followed
    issue: String,
    /// One line for people
    #[arg(long)]
    title: String,
    /// The rollout cannot go on with it
    #[arg(long)]
    show_stopper: bool,
    /// What sites can do until it is solved
    #[arg(long, default_value = "")]
    workaround: String,
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
        What::Add(AddArgs { rollout, issue, title, show_stopper, workaround, reason }) => {
            let body = IssueBody { issue, title, show_stopper, workaround, reason };
            let path = format!("/api/v1/rollouts/{}/issues", escape(&rollout));
            Ok(recorded(&client.post(&path, &body).await?, json))
        }
        What::Close { rollout, issue, reason } => {
            let path = format!("/api/v1/rollouts/{}/issues/close", escape(&rollout));
            Ok(recorded(&client.post(&path, &CloseIssueBody { issue, reason }).await?, json))
        }
    }
}
