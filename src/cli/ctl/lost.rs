//! `rolloutctl lost`: a package is given up whose bytes are nowhere any more.

use super::ask::escape;
use super::words::document;
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::web::api::packages::{LoseBody, LostBody};

/// Gives an accepted package up whose bytes are nowhere any more
///
/// No tree lists it from then on. That is refused as long as any tree may have it. Should the file be found
/// later, upload it: it comes in again as what was accepted.
///
/// Example: rolloutctl lost bdii-5.2.22-1.el6.noarch --reason "the disk broke, no backup"
#[derive(Debug, clap::Args)]
pub struct LostArgs {
    /// The package: name-[epoch:]version-release.arch
    nevra: String,
    /// Why; goes into the logbook
    #[arg(long)]
    reason: String,
    /// The distribution; may be left out when only one has it
    #[arg(long)]
    distribution: Option<String>,
}

/// Carries it out.
///
/// # Errors
/// When there is no daemon, or it refuses.
pub async fn run(args: LostArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let LostArgs { nevra, reason, distribution } = args;
    let path = format!("/api/v1/packages/{}/lost", escape(&nevra));
    let lost: LostBody = client.post(&path, &LoseBody { distribution, reason }).await?;
    let words = format!("{} is off the lists of {} in {}.\n", lost.nevra, lost.trees.join(", "), lost.distribution);
    Ok(Outcome::done(if json { document(&lost) } else { words }))
}
