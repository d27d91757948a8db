//! `rolloutctl approve`, `extend`, `override`, `note` and `link`: what people add to a rollout.

use super::ask::{escape, recorded};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::web::api::dossier::{ApproveBody, DisapproveBody, ExtendBody, LinkBody, NoteBody, OverrideBody, UnlinkBody};

/// Approves a rollout's step to a state, where its procedure requires approvals
///
/// Each person counts once. An approval is for the packages that the rollout has now: it lapses when they change.
///
/// Example: rolloutctl approve rt-1234 Production --reason "the reports are good"
#[derive(Debug, clap::Args)]
pub struct ApproveArgs {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
    /// The state; spaces, dashes and case do not matter
    state: String,
    /// For which role; by default, the first required role that you have
    #[arg(long = "for", value_name = "ROLE")]
    role: Option<String>,
    /// Take your approval back
    #[arg(long, conflicts_with = "role")]
    withdraw: bool,
    /// Why; recorded in the logbook
    #[arg(long, default_value = "")]
    reason: String,
}

/// Extends the exposure of a rollout in its present state
///
/// Example: rolloutctl extend rt-1234 2d --reason "two sites asked for the weekend"
#[derive(Debug, clap::Args)]
pub struct ExtendArgs {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
    /// By how much in total; a later extension replaces an earlier one
    by: String,
    /// Why, for everybody who waits for the rollout
    #[arg(long)]
    reason: String,
}

/// Overrides a gate for a rollout's next step to a state
///
/// `rolloutctl why` shows the override wherever it shows the step. Signatures, trees in disorder and missing packages
/// cannot be overridden.
///
/// Example: rolloutctl override rt-1234 Accepted exposure --reason "security fix"
#[derive(Debug, clap::Args)]
pub struct OverrideArgs {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
    /// The state; spaces, dashes and case do not matter
    state: String,
    /// The gate, as `rolloutctl procedure show` prints it
    gate: String,
    /// The emergency change that the rollout carries out; it then serves as the reason, and more people may override
    #[arg(long)]
    change: Option<String>,
    /// Why
    #[arg(long, default_value = "", required_unless_present = "change")]
    reason: String,
}

/// Adds a note to a rollout
///
/// Example: rolloutctl note rt-1234 "restart the bdii after the update"
#[derive(Debug, clap::Args)]
pub struct NoteArgs {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
    /// The note
    note: String,
}

/// Sets or removes the address of a document about a rollout
///
/// Example: rolloutctl link rt-1234 release-notes https://example.org/emi-1/bdii
#[derive(Debug, clap::Args)]
pub struct LinkArgs {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
    /// What it is: release-notes, installation, configuration, bugs, documentation, or another word
    what: String,
    /// Its address
    #[arg(value_name = "URL", required_unless_present = "remove")]
    address: Option<String>,
    /// Remove it
    #[arg(long, conflicts_with = "address")]
    remove: bool,
    /// Why; recorded in the logbook
    #[arg(long, default_value = "")]
    reason: String,
}

/// Approves.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn approve(args: ApproveArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let ApproveArgs { rollout, state, role, withdraw, reason } = args;
    let path = path(&rollout, "approvals");
    let done = if withdraw {
        client.delete(&path, &DisapproveBody { state, reason }).await?
    } else {
        client.post(&path, &ApproveBody { state, role, reason }).await?
    };
    Ok(recorded(&done, json))
}

/// Extends.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn extend(args: ExtendArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let ExtendArgs { rollout, by, reason } = args;
    Ok(recorded(&client.post(&path(&rollout, "extension"), &ExtendBody { by, reason }).await?, json))
}

/// Overrides.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn overrule(args: OverrideArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let OverrideArgs { rollout, state, gate, change, reason } = args;
    Ok(recorded(&client.post(&path(&rollout, "overrides"), &OverrideBody { state, gate, change, reason }).await?, json))
}

/// Notes.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn note(args: NoteArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let NoteArgs { rollout, note } = args;
    Ok(recorded(&client.post(&path(&rollout, "notes"), &NoteBody { note }).await?, json))
}

/// Links.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn link(args: LinkArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let LinkArgs { rollout, what, address, remove: _, reason } = args;
    let path = format!("{}/{}", path(&rollout, "links"), escape(&what));
    let done = match address {
        Some(url) => client.put(&path, &LinkBody { url, reason }).await?,
        None => client.delete(&path, &UnlinkBody { reason }).await?,
    };
    Ok(recorded(&done, json))
}

fn path(rollout: &str, what: &str) -> String {
    format!("/api/v1/rollouts/{}/{what}", escape(rollout))
}
