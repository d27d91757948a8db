//! `rolloutctl stall` and `resume`: puts a rollout on hold.

use super::ask::{escape, recorded};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::web::api::holds::ReasonBody;

/// Puts a rollout on hold
///
/// Until `resume` it can only go back, its exposure does not count, and no deadline passes.
///
/// Example: rolloutctl stall rt-1234 --reason "waiting for the developers"
#[derive(Debug, clap::Args)]
pub struct StallArgs {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
    /// Why, for everybody who waits for it
    #[arg(long)]
    reason: String,
}

/// Takes a rollout off hold
///
/// Example: rolloutctl resume rt-1234 --reason "they have answered"
#[derive(Debug, clap::Args)]
pub struct ResumeArgs {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
    /// Why; recorded in the logbook
    #[arg(long, default_value = "")]
    reason: String,
}

/// Puts it on hold.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn stall(StallArgs { rollout, reason }: StallArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let path = format!("/api/v1/rollouts/{}/stall", escape(&rollout));
    Ok(recorded(&client.post(&path, &ReasonBody { reason }).await?, json))
}

/// Lets it go on.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn resume(
    ResumeArgs { rollout, reason }: ResumeArgs,
    client: &Client,
    json: bool,
) -> Result<Outcome, Failure> {
    let path = format!("/api/v1/rollouts/{}/resume", escape(&rollout));
    Ok(recorded(&client.post(&path, &ReasonBody { reason }).await?, json))
}
