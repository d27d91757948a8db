//! `rolloutctl give-up`: gives up a move or a withdrawal that cannot be carried out.

use super::ask::escape;
use super::words::document;
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::web::api::moves::{GiveUpBody, MovedBody};

/// Gives up a move or withdrawal that was decided but cannot be carried out
///
/// The rollout returns to its previous state. Its packages stay listed where they were, and changes that clients
/// already see are undone as soon as the trees allow it. `rolloutctl show` says what is in the way; work in progress is
/// not given up. Giving up a withdrawal requires a reason, and is refused if a key of its packages was revoked.
///
/// Example: rolloutctl give-up rt-1234 --reason "the key was revoked"
#[derive(Debug, clap::Args)]
pub struct GiveUpArgs {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
    /// Why; recorded in the logbook
    #[arg(long, default_value = "")]
    reason: String,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: GiveUpArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let GiveUpArgs { rollout, reason } = args;
    let path = format!("/api/v1/rollouts/{}/give-up", escape(&rollout));
    let moved: MovedBody = client.post(&path, &GiveUpBody { reason }).await?;
    let words = format!("{} is back in {}; the decision was given up.\n", moved.id, moved.state);
    Ok(Outcome::done(if json { document(&moved) } else { words }))
}
