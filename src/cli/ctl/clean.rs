//! `rolloutctl drop` and `retire`: take packages out of a tree.

use super::ask::escape;
use super::restore::{parts, seen, show_plan};
use super::words::{document, own_name};
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::table;
use crate::process::fact::count;
use crate::web::api::restore::{CleanBody, CleanedBody};

/// Takes packages out of a tree, such as a mistaken upload
///
/// They are kept, and `rolloutctl restore` brings them back: the answer says how. A package of an open rollout is
/// refused: cancel the rollout, take the package out of it with `rolloutctl edit`, or withdraw it.
///
/// Example: rolloutctl drop untested/umd/3/sl6/x86_64 bdii-5.2.22-1.el6.noarch --reason "built from the wrong branch"
#[derive(Debug, clap::Args)]
pub struct DropArgs {
    /// The tree, as `rolloutctl trees` prints it: TREE/DISTRIBUTION; TREE alone if only one distribution has it
    tree: String,
    /// The packages: name-[epoch:]version-release.arch
    #[arg(required = true)]
    packages: Vec<String>,
    /// Why; recorded in the logbook
    #[arg(long, required_unless_present = "dry_run", default_value = "", hide_default_value = true)]
    reason: String,
    /// Show what would go and what stands in the way, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Even if many packages leave the tree: more than 50, or more than 10 and a tenth of it
    #[arg(long)]
    may_shrink: bool,
    /// Do not wait until clients see it
    #[arg(long)]
    no_wait: bool,
}

/// Takes old versions out of a tree: all but the newest of each name and architecture
///
/// Without --yes it shows what would go, and changes nothing. Packages of open rollouts stay. What leaves the tree is
/// kept, and `rolloutctl restore` brings it back: the answer says how.
///
/// Examples: rolloutctl retire production/umd/3/sl6/x86_64 --keep 2 · rolloutctl retire production/umd/3/sl6/x86_64 --keep 2
/// --yes --reason "older than a year"
#[derive(Debug, clap::Args)]
pub struct RetireArgs {
    /// The tree, as `rolloutctl trees` prints it: TREE/DISTRIBUTION; TREE alone if only one distribution has it
    tree: String,
    /// How many of the newest of each name and architecture stay
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    keep: usize,
    /// Do it
    #[arg(long, requires = "reason")]
    yes: bool,
    /// Why; recorded in the logbook
    #[arg(long)]
    reason: Option<String>,
    /// Even if many packages leave the tree: more than 50, or more than 10 and a tenth of it
    #[arg(long)]
    may_shrink: bool,
    /// Do not wait until clients see it
    #[arg(long)]
    no_wait: bool,
}

/// Runs `drop`.
///
/// # Errors
/// If there is no daemon, it refuses, or the tree is not published.
pub async fn drop(args: DropArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let DropArgs { tree, packages, reason, dry_run, may_shrink, no_wait } = args;
    let (name, distribution) = parts(&tree);
    let body = CleanBody { distribution, packages, keep: None, may_shrink, dry_run, reason };
    clean(client, name, &body, no_wait, json).await
}

/// Runs `retire`.
///
/// # Errors
/// If there is no daemon, it refuses, or the tree is not published.
pub async fn retire(args: RetireArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let RetireArgs { tree, keep, yes, reason, may_shrink, no_wait } = args;
    let (name, distribution) = parts(&tree);
    let reason = reason.unwrap_or_default();
    let body = CleanBody { distribution, packages: vec![], keep: Some(keep), may_shrink, dry_run: !yes, reason };
    clean(client, name, &body, no_wait, json).await
}

async fn clean(client: &Client, tree: &str, body: &CleanBody, no_wait: bool, json: bool) -> Result<Outcome, Failure> {
    let path = format!("/api/v1/trees/{}/clean", escape(tree));
    match client.post(&path, body).await? {
        CleanedBody::Done(done) => seen(client, &done, no_wait, json).await,
        CleanedBody::Planned(plan) => {
            let exit = if plan.verdict == "pass" { Exit::Done } else { Exit::Refused };
            let mut text = if json { document(&plan) } else { show_plan(&plan, table::width(), &own_name()) };
            match (body.keep.filter(|_| !json && exit == Exit::Done), &plan.change) {
                (Some(_), Some(_)) => text.push_str("Nothing was changed. To do it, add --yes --reason WHY.\n"),
                (Some(keep), None) => text = nothing_older(keep),
                (None, _) => {}
            }
            Ok(Outcome { text, exit })
        }
    }
}

/// What is said if nothing is to be retired.
fn nothing_older(keep: usize) -> String {
    let versions = count(keep, "version");
    format!("Nothing to retire: beside packages of open rollouts, no name has more than {versions} here.\n")
}
