//! `rolloutctl list`: rollouts, newest change first.

use std::collections::BTreeSet;

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
    /// Only those of this product
    #[arg(long)]
    product: Option<String>,
    /// Only those of this component
    #[arg(long)]
    component: Option<String>,
    /// Only those that concern this node type
    #[arg(long, value_name = "TYPE")]
    node_type: Option<String>,
    /// Only those with this priority: none, low, normal, high or immediate, or 0 to 4
    #[arg(long)]
    priority: Option<String>,
    /// Only those that fix something of this severity, in the same words
    #[arg(long)]
    severity: Option<String>,
    /// Only those that have changed since a time or a day, or within a span such as 7d
    #[arg(long)]
    since: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    limit: Option<usize>,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: ListArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let ListArgs { state, distribution, package, product, component, node_type, priority, severity, since, limit } =
        args;
    let width = table::width();
    let wanted = [
        ("state", state),
        ("distribution", distribution),
        ("package", package),
        ("product", product),
        ("component", component),
        ("node_type", node_type),
        ("priority", priority),
        ("severity", severity),
        ("since", since),
    ];
    let is_narrowed = wanted.iter().any(|(_, value)| value.is_some());
    let wanted = wanted.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", escape(&value?))));
    let parts: Vec<String> = std::iter::once("limit=1000".to_owned()).chain(wanted).collect();
    let all: Vec<RolloutBody> = client.pages(&format!("/api/v1/rollouts?{}", parts.join("&")), limit).await?;
    Ok(Outcome::done(if json { document(&all) } else { show_list(&all, is_narrowed, width) }))
}

fn show_list(all: &[RolloutBody], is_narrowed: bool, width: usize) -> String {
    if all.is_empty() && is_narrowed {
        return "There are no such rollouts.\n".to_owned();
    }
    if all.is_empty() {
        return "There are no rollouts yet. `rolloutctl submit --help` says how to create one.\n".to_owned();
    }
    // Few sites say it of their rollouts.
    let priority = |r: &RolloutBody| r.about.as_ref().and_then(|about| about.priority.clone());
    let has_priorities = all.iter().any(|r| priority(r).is_some());
    // Where there is one distribution, or one was asked for, nobody has to be told.
    let has_several = all.iter().flat_map(|r| &r.distributions).collect::<BTreeSet<_>>().len() > 1;
    let row = |r: &RolloutBody| {
        let state = match (r.moving, &r.trouble) {
            (false, _) if r.cancelled => format!("{} (cancelled)", r.state),
            (false, _) if r.superseded_by.is_some() => format!("{} (superseded)", r.state),
            (false, _) if r.delayed => format!("{} (delayed)", r.state),
            (false, _) => r.state.clone(),
            (true, None) => format!("{} (moving)", r.state),
            (true, Some(_)) => format!("{} (held up)", r.state),
        };
        let mut row = vec![r.id.clone(), state, moment(&r.since), r.packages.len().to_string()];
        if has_several {
            row.push(r.distributions.join(", "));
        }
        if has_priorities {
            row.push(priority(r).unwrap_or_default());
        }
        row.push(r.title.clone());
        row
    };
    let mut head = vec!["ROLLOUT", "STATE", "SINCE", "PACKAGES"];
    head.extend(has_several.then_some("DISTRIBUTION"));
    head.extend(has_priorities.then_some("PRIORITY"));
    head.push("TITLE");
    table::lay_out(&head, &all.iter().map(row).collect::<Vec<_>>(), width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ctl::words::tests::{held_up, waiting};
    use crate::web::api::attributes::AboutBody;

    #[test]
    fn rollouts_are_listed() {
        let moving = held_up(None);
        insta::assert_snapshot!(show_list(&[held_up(Some("no room")), moving, waiting()], false, 100));
        let about = AboutBody { priority: Some("high".into()), ..AboutBody::default() };
        let urgent = RolloutBody { about: Some(about), ..waiting() };
        insta::assert_snapshot!(show_list(&[held_up(None), urgent], false, 100));
    }

    #[test]
    fn no_rollouts_are_listed() {
        insta::assert_snapshot!(show_list(&[], false, 100));
        insta::assert_snapshot!(show_list(&[], true, 100));
    }
}
