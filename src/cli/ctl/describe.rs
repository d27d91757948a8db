//! `rolloutctl describe` and `tick`: what is said of a rollout beside its title, and what somebody has looked at.

use super::ask::{escape, recorded};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::web::api::attributes::DescribeBody;
use crate::web::api::checks::TickBody;

/// Describes a rollout: what it is, how urgent and how risky
///
/// What you omit stays as it is; an empty text removes what was said. Product and component are those of the title
/// unless given here. `rolloutctl list` finds rollouts by these, such as `--priority high`.
///
/// Example: rolloutctl describe rt-1234 --priority high --impact high --risk high --reversal "yum downgrade bdii"
#[derive(Debug, clap::Args)]
pub struct DescribeArgs {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
    /// The product, such as EMI.bdii-site.sl5.x86_64
    #[arg(long)]
    product: Option<String>,
    /// The component
    #[arg(long)]
    component: Option<String>,
    /// A node type that it concerns, such as WN; repeat the option to name all of them
    #[arg(long = "node-type", value_name = "TYPE")]
    node_types: Vec<String>,
    /// How bad is what it fixes: none, low, normal, high or immediate, or 0 to 4
    #[arg(long)]
    severity: Option<String>,
    /// How urgent it is: none, low, normal, high or immediate, or 0 to 4
    #[arg(long)]
    priority: Option<String>,
    /// How much sites notice if it goes wrong: low or high
    #[arg(long)]
    impact: Option<String>,
    /// How likely it is to go wrong: low or high
    #[arg(long)]
    risk: Option<String>,
    /// minor, normal or major: procedures may choose their gates by it
    #[arg(long)]
    importance: Option<String>,
    /// The steps that reverse it, in a few sentences
    #[arg(long, value_name = "STEPS")]
    reversal: Option<String>,
    /// Why; recorded in the logbook
    #[arg(long, default_value = "")]
    reason: String,
}

/// Ticks off a check that the procedure asks a person to make
///
/// A tick is for the packages that the rollout has now: it lapses when they change.
///
/// Example: rolloutctl tick rt-1234 documentation-reviewed
#[derive(Debug, clap::Args)]
pub struct TickArgs {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
    /// The check, as `rolloutctl why` names it
    check: String,
    /// Take the tick back
    #[arg(long)]
    undo: bool,
    /// Why; recorded in the logbook
    #[arg(long, default_value = "")]
    reason: String,
}

/// Describes.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn describe(args: DescribeArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let DescribeArgs { rollout, product, component, node_types, severity, priority, impact, risk, .. } = args;
    let DescribeArgs { importance, reversal, reason, .. } = args;
    // One empty name takes all back.
    let is_said = !node_types.is_empty();
    let node_types = is_said.then(|| node_types.into_iter().filter(|it| !it.is_empty()).collect());
    let body =
        DescribeBody { product, component, node_types, severity, priority, impact, risk, importance, reversal, reason };
    let path = format!("/api/v1/rollouts/{}/attributes", escape(&rollout));
    Ok(recorded(&client.patch(&path, &body).await?, json))
}

/// Ticks.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn tick(args: TickArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let TickArgs { rollout, check, undo, reason } = args;
    let path = format!("/api/v1/rollouts/{}/checks/{}", escape(&rollout), escape(&check));
    let body = TickBody { reason };
    let done = if undo { client.delete(&path, &body).await? } else { client.put(&path, &body).await? };
    Ok(recorded(&done, json))
}
