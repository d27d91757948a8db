//! `rolloutctl list`: rollouts, newest change first.

use std::collections::BTreeSet;

use super::ask::escape;
use super::words::{ago, document};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::table;
use crate::web::api::attributes::AboutBody;
use crate::web::api::rollouts::RolloutBody;

/// Lists rollouts, newest change first
///
/// Examples: rolloutctl list --state InVerification · rolloutctl list --columns rollout,next,title
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
    /// Only those with these words in their title or name, in upper or lower case
    #[arg(long, value_name = "WORDS")]
    text: Option<String>,
    /// Only those that have changed since a time or a day, or within a span such as 7d
    #[arg(long)]
    since: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    limit: Option<usize>,
    /// The columns, in this order, instead of the usual ones
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    columns: Vec<Column>,
}

/// A column of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Column {
    Rollout,
    State,
    Since,
    Packages,
    Distribution,
    Priority,
    Severity,
    Product,
    Component,
    By,
    Next,
    Title,
}

impl Column {
    fn head(self) -> &'static str {
        match self {
            Self::Rollout => "ROLLOUT",
            Self::State => "STATE",
            Self::Since => "SINCE",
            Self::Packages => "PACKAGES",
            Self::Distribution => "DISTRIBUTION",
            Self::Priority => "PRIORITY",
            Self::Severity => "SEVERITY",
            Self::Product => "PRODUCT",
            Self::Component => "COMPONENT",
            Self::By => "BY",
            Self::Next => "NEXT",
            Self::Title => "TITLE",
        }
    }

    fn of(self, r: &RolloutBody) -> String {
        let about = |part: fn(&AboutBody) -> &Option<String>| r.about.as_ref().and_then(|it| part(it).clone());
        match self {
            Self::Rollout => r.id.clone(),
            Self::State => match (r.moving, &r.trouble) {
                (false, _) if r.cancelled => format!("{} (cancelled)", r.state),
                (false, _) if r.superseded_by.is_some() => format!("{} (superseded)", r.state),
                (false, _) if r.delayed => format!("{} (delayed)", r.state),
                (false, _) => r.state.clone(),
                (true, None) => format!("{} (moving)", r.state),
                (true, Some(_)) => format!("{} (held up)", r.state),
            },
            Self::Since => ago(&r.since),
            Self::Packages => r.packages.len().to_string(),
            Self::Distribution => r.distributions.join(", "),
            Self::Priority => about(|it| &it.priority).unwrap_or_default(),
            Self::Severity => about(|it| &it.severity).unwrap_or_default(),
            Self::Product => about(|it| &it.product).unwrap_or_default(),
            Self::Component => about(|it| &it.component).unwrap_or_default(),
            Self::By => r.by.clone(),
            Self::Next => r.next.iter().map(|next| next.state.as_str()).collect::<Vec<_>>().join(", "),
            Self::Title => r.title.clone(),
        }
    }
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: ListArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let ListArgs {
        state,
        distribution,
        package,
        product,
        component,
        node_type,
        priority,
        severity,
        text,
        since,
        limit,
        columns,
    } = args;
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
        ("text", text),
        ("since", since),
    ];
    let is_narrowed = wanted.iter().any(|(_, value)| value.is_some());
    let wanted = wanted.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", escape(&value?))));
    let parts: Vec<String> = std::iter::once("limit=1000".to_owned()).chain(wanted).collect();
    let all: Vec<RolloutBody> = client.pages(&format!("/api/v1/rollouts?{}", parts.join("&")), limit).await?;
    Ok(Outcome::done(if json { document(&all) } else { show_list(&all, &columns, is_narrowed, width) }))
}

fn show_list(all: &[RolloutBody], columns: &[Column], is_narrowed: bool, width: usize) -> String {
    if all.is_empty() && is_narrowed {
        return "There are no such rollouts.\n".to_owned();
    }
    if all.is_empty() {
        return "There are no rollouts yet. `rolloutctl submit --help` says how to create one.\n".to_owned();
    }
    let columns = if columns.is_empty() { usual(all) } else { columns.to_vec() };
    let row = |r: &RolloutBody| columns.iter().map(|column| column.of(r)).collect();
    let head: Vec<&str> = columns.iter().map(|column| column.head()).collect();
    table::lay_out(&head, &all.iter().map(row).collect::<Vec<_>>(), width)
}

/// The columns that are shown if nobody asks for others.
fn usual(all: &[RolloutBody]) -> Vec<Column> {
    // Where there is one distribution, or one was asked for, nobody has to be told.
    let has_several = all.iter().flat_map(|r| &r.distributions).collect::<BTreeSet<_>>().len() > 1;
    // Few sites say it of their rollouts.
    let has_priorities = all.iter().any(|r| !Column::Priority.of(r).is_empty());
    let mut columns = vec![Column::Rollout, Column::State, Column::Since, Column::Packages];
    columns.extend(has_several.then_some(Column::Distribution));
    columns.extend(has_priorities.then_some(Column::Priority));
    columns.push(Column::Title);
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ctl::words::tests::{held_up, waiting};

    #[test]
    fn rollouts_are_listed() {
        let moving = held_up(None);
        insta::assert_snapshot!(show_list(&[held_up(Some("no room")), moving, waiting()], &[], false, 100));
        let about = AboutBody { priority: Some("high".into()), ..AboutBody::default() };
        let urgent = RolloutBody { about: Some(about), ..waiting() };
        insta::assert_snapshot!(show_list(&[held_up(None), urgent], &[], false, 100));
    }

    #[test]
    fn wanted_columns_are_shown_in_the_wanted_order() {
        let columns = [Column::Next, Column::Rollout, Column::By];
        insta::assert_snapshot!(show_list(&[held_up(None), waiting()], &columns, false, 100));
    }

    #[test]
    fn no_rollouts_are_listed() {
        insta::assert_snapshot!(show_list(&[], &[], false, 100));
        insta::assert_snapshot!(show_list(&[], &[], true, 100));
    }
}
