//! `rolloutctl allow`: lets a package come in again that was withdrawn or taken out of a tree.

use super::ask::{escape, recorded};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::web::api::packages::AllowBody;

/// Allows a package that was withdrawn or taken out of a tree to be uploaded again
///
/// Only the file that was accepted before: other bytes under the same name are still refused. Upload it again: it is
/// then in the first tree and can be submitted in a new rollout.
///
/// Example: rolloutctl allow bdii-5.2.22-1.el6.noarch --reason "the withdrawal was a mistake"
#[derive(Debug, clap::Args)]
pub struct AllowArgs {
    /// The package: name-[epoch:]version-release.arch
    nevra: String,
    /// Take an earlier permission back, as long as the package has not come
    #[arg(long)]
    take_back: bool,
    /// Why; recorded in the logbook
    #[arg(long)]
    reason: String,
    /// The distribution; may be omitted if only one has it
    #[arg(long)]
    distribution: Option<String>,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: AllowArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let AllowArgs { nevra, take_back, reason, distribution } = args;
    let path = format!("/api/v1/packages/{}/allow", escape(&nevra));
    Ok(recorded(&client.post(&path, &AllowBody { distribution, take_back, reason }).await?, json))
}
