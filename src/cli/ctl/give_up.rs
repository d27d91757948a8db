//! `rolloutctl give-up`: a move or a withdrawal that cannot be carried out is given up.

use super::ask::escape;
use super::words::document;
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::web::api::moves::{GiveUpBody, MovedBody};

/// Gives up a move or a withdrawal that was decided and cannot be carried out
///
/// The rollout is in the state before it then. Its packages are listed where they were, and what clients see
/// otherwise already is put right as soon as the trees are. `rolloutctl show` says what is in the way; what goes
/// on is not given up. A withdrawal takes a reason, and stays where a key of its packages was revoked.
///
/// Example: rolloutctl give-up rt-1234 --reason "the key was revoked"
#[derive(Debug, clap::Args)]
pub struct GiveUpArgs {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
    /// Why; goes into the logbook
    #[arg(long, default_value = "")]
    reason: String,
}

/// Carries it out.
///
/// # Errors
/// When there is no daemon, or it refuses.
pub async fn run(args: GiveUpArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let GiveUpArgs { rollout, reason } = args;
    let path = format!("/api/v1/rollouts/{}/give-up", escape(&rollout));
    let moved: MovedBody = client.post(&path, &GiveUpBody { reason }).await?;
    let words = format!("{} is in {} again; what was decided is given up.\n", moved.id, moved.state);
    Ok(Outcome::done(if json { document(&moved) } else { words }))
}
