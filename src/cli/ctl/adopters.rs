//! `rolloutctl assign`, `unassign`, `accept` and `reject`: early adopters of a rollout.

use super::ask::{escape, recorded};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::web::api::adopters::{AnswerBody, AssignBody, UnassignBody};

/// Asks teams of early adopters to test a rollout
///
/// Example: rolloutctl assign rt-1234 ea-NGI_IT-INFN-T1 ea-NGI_CH-CSCS
#[derive(Debug, clap::Args)]
pub struct AssignArgs {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
    /// The teams, as `rolloutctl team list` prints them
    #[arg(required = true)]
    teams: Vec<String>,
    /// On services that carry the tag beta, so that they do not count as production
    #[arg(long)]
    beta: bool,
    /// Why; recorded in the logbook
    #[arg(long, default_value = "")]
    reason: String,
}

/// Takes a team's assignment back; what it has reported stays
///
/// Example: rolloutctl unassign rt-1234 ea-NGI_CH-CSCS --reason "the site is down"
#[derive(Debug, clap::Args)]
pub struct UnassignArgs {
    #[command(flatten)]
    of: Of,
}

/// Records that a team agrees to test a rollout
///
/// Example: rolloutctl accept rt-1234 ea-NGI_IT-INFN-T1
#[derive(Debug, clap::Args)]
pub struct AcceptArgs {
    #[command(flatten)]
    of: Of,
}

/// Records that a team will not test a rollout
///
/// It does not reject the rollout itself: `rolloutctl move ID Rejected` does.
///
/// Example: rolloutctl reject rt-1234 ea-NGI_CH-CSCS --reason "no staff this week"
#[derive(Debug, clap::Args)]
pub struct RejectArgs {
    #[command(flatten)]
    of: Of,
}

/// Records that a team has installed what it tests, and runs it from now on
///
/// This also accepts the assignment, if the team has not done so.
///
/// Example: rolloutctl installed rt-1234 ea-NGI_IT-INFN-T1
#[derive(Debug, clap::Args)]
pub struct InstalledArgs {
    #[command(flatten)]
    of: Of,
}

#[derive(Debug, clap::Args)]
struct Of {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
    /// The team
    team: String,
    /// Why; recorded in the logbook
    #[arg(long, default_value = "")]
    reason: String,
}

/// Asks teams.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn assign(args: AssignArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let AssignArgs { rollout, teams, beta, reason } = args;
    let path = format!("/api/v1/rollouts/{}/teams", escape(&rollout));
    Ok(recorded(&client.post(&path, &AssignBody { teams, beta, reason }).await?, json))
}

/// Asks a team no longer.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn unassign(args: UnassignArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let Of { rollout, team, reason } = args.of;
    Ok(recorded(&client.delete(&path(&rollout, &team), &UnassignBody { reason }).await?, json))
}

/// A team accepts.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn accept(args: AcceptArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    answer(args.of, true, client, json).await
}

/// A team declines.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn reject(args: RejectArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    answer(args.of, false, client, json).await
}

/// A team runs what it tests.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn installed(args: InstalledArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let Of { rollout, team, reason } = args.of;
    let path = format!("{}/installed", path(&rollout, &team));
    Ok(recorded(&client.post(&path, &UnassignBody { reason }).await?, json))
}

async fn answer(of: Of, accepts: bool, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let Of { rollout, team, reason } = of;
    let path = format!("{}/answer", path(&rollout, &team));
    Ok(recorded(&client.post(&path, &AnswerBody { accepts, reason }).await?, json))
}

fn path(rollout: &str, team: &str) -> String {
    format!("/api/v1/rollouts/{}/teams/{}", escape(rollout), escape(team))
}
