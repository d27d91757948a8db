//! `rolloutctl list`: rollouts, newest change first.

use super::ask::escape;
use super::words::{document, moment};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::table;
use crate::web::api::rollouts::RolloutBody;

/// Lists rollouts, newest change first
///
/// Example: rolloutctl list --state InVerification
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Only those in this state, in any spelling that the procedure knows
    #[arg(long)]
    state: Option<String>,
    /// Only those of this distribution
    #[arg(long)]
    distribution: Option<String>,
    /// Only those with this package, such as bdii-5.2.22-1.el6.noarch
    #[arg(long, value_name = "NEVRA")]
    package: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: ListArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let ListArgs { state, distribution, package, limit } = args;
    let width = table::width();
    let wanted = [("state", state), ("distribution", distribution), ("package", package)];
    let wanted = wanted.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", escape(&value?))));
    let parts: Vec<String> = std::iter::once("limit=1000".to_owned()).chain(wanted).collect();
    let all: Vec<RolloutBody> = client.pages(&format!("/api/v1/rollouts?{}", parts.join("&")), limit).await?;
    Ok(Outcome::done(if json { document(&all) } else { show_list(&all, width) }))
}

fn show_list(all: &[RolloutBody], width: usize) -> String {
    if all.is_empty() {
        return "There are no rollouts yet. `rolloutctl submit --help` says how to create one.\n".to_owned();
    }
    let row = |r: &RolloutBody| {
        let state = match (r.moving, &r.trouble) {
            (false, _) if r.cancelled => format!("{} (cancelled)", r.state),
            (false, _) if r.delayed => format!("{} (delayed)", r.state),
            (false, _) => r.state.clone(),
            (true, None) => format!("{} (moving)", r.state),
            (true, Some(_)) => format!("{} (held up)", r.state),
        };
        vec![r.id.clone(), state, moment(&r.since), r.packages.len().to_string(), r.title.clone()]
    };
    table::lay_out(&["ROLLOUT", "STATE", "SINCE", "PACKAGES", "TITLE"], &all.iter().map(row).collect::<Vec<_>>(), width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ctl::words::tests::{held_up, waiting};

    #[test]
    fn rollouts_are_listed() {
        let moving = held_up(None);
        insta::assert_snapshot!(show_list(&[held_up(Some("no room")), moving, waiting()], 100));
    }

    #[test]
    fn no_rollouts_are_listed() {
        insta::assert_snapshot!(show_list(&[], 100));
    }
}
