//! `rolloutctl lost`: gives up a package whose bytes no longer exist anywhere.

use super::ask::{confirm, escape};
use super::words::document;
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::web::api::packages::{LoseBody, LostBody};

/// Gives up an accepted package whose bytes no longer exist anywhere
///
/// No tree lists it from then on. This is refused as long as any tree may have it. If the file is found later, upload
/// it: it is taken in again as the package that was accepted.
///
/// Example: rolloutctl lost bdii-5.2.22-1.el6.noarch --reason "the disk broke, no backup"
#[derive(Debug, clap::Args)]
pub struct LostArgs {
    /// The package: name-[epoch:]version-release.arch
    nevra: String,
    /// Why; recorded in the logbook
    #[arg(long)]
    reason: String,
    /// The distribution; may be omitted if only one has it
    #[arg(long)]
    distribution: Option<String>,
    /// Do not ask whether to go on, as is done at a terminal
    #[arg(long)]
    yes: bool,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: LostArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let LostArgs { nevra, reason, distribution, yes } = args;
    confirm(yes, &format!("{nevra} leaves every tree, and comes back only if its file is found."))?;
    let path = format!("/api/v1/packages/{}/lost", escape(&nevra));
    let lost: LostBody = client.post(&path, &LoseBody { distribution, reason }).await?;
    let words = format!("{} is no longer listed in {} of {}.\n", lost.nevra, lost.trees.join(", "), lost.distribution);
    Ok(Outcome::done(if json { document(&lost) } else { words }))
}
