//! `rolloutctl edit` and `cancel`: other packages or another title for a rollout; cancels it.

use super::ask::{escape, recorded};
use super::submit::by_distribution;
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::web::api::edits::{CancelBody, EditBody};

/// Adds packages to a rollout, takes packages out, or changes its title
///
/// Packages can be changed only while nothing has moved for the rollout; approvals lapse when they change.
///
/// Example: rolloutctl edit rt-1234 --add bdii-config-1.0-1.el6.noarch --remove bdii-5.2.21-1.el6.noarch
#[derive(Debug, clap::Args)]
pub struct EditArgs {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
    /// A package to add; for another distribution, DISTRIBUTION=PACKAGE
    #[arg(long, value_name = "PACKAGE", num_args = 1..)]
    add: Vec<String>,
    /// A package to take out; for another distribution, DISTRIBUTION=PACKAGE
    #[arg(long, value_name = "PACKAGE", num_args = 1..)]
    remove: Vec<String>,
    /// The distribution of packages given without one; may be omitted if there is only one
    #[arg(long)]
    distribution: Option<String>,
    /// Its new title
    #[arg(long)]
    title: Option<String>,
    /// Why; recorded in the logbook
    #[arg(long, default_value = "")]
    reason: String,
}

/// Cancels a rollout for which nothing has moved yet
///
/// Its packages stay where they are, and are free for another rollout. What has moved is withdrawn instead, by the step
/// that the procedure has for it.
///
/// Example: rolloutctl cancel rt-1234 --reason "opened by mistake"
#[derive(Debug, clap::Args)]
pub struct CancelArgs {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
    /// Why
    #[arg(long)]
    reason: String,
}

/// Edits.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn edit(args: EditArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let EditArgs { rollout, add, remove, distribution, title, reason } = args;
    let add = by_distribution(client, add, distribution.clone()).await?;
    let remove = by_distribution(client, remove, distribution).await?;
    let path = format!("/api/v1/rollouts/{}", escape(&rollout));
    Ok(recorded(&client.patch(&path, &EditBody { title, add, remove, reason }).await?, json))
}

/// Cancels.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn cancel(args: CancelArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let CancelArgs { rollout, reason } = args;
    let path = format!("/api/v1/rollouts/{}/cancel", escape(&rollout));
    Ok(recorded(&client.post(&path, &CancelBody { reason }).await?, json))
}
