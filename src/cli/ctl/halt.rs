//! `rolloutctl halt`: halts promotions, ends a halt, or lists halts.

use super::ask::recorded;
use super::words::{ago, document};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::table;
use crate::web::api::halts::{EndHaltBody, HaltBody, HaltedBody};

/// Halts promotions, or ends a halt; without options, lists the halts
///
/// During a halt nobody can take a step that moves packages forward, and what was decided but is not yet visible to
/// clients waits. Steps that take packages back go on. Trackers' wishes are kept, and carried out when the halt ends.
///
/// Example: rolloutctl halt --reason "the signing key may be stolen"
#[derive(Debug, clap::Args)]
pub struct HaltArgs {
    /// Why, for everybody who has to wait
    #[arg(long)]
    reason: Option<String>,
    /// Only in this distribution
    #[arg(long)]
    distribution: Option<String>,
    /// End the halt
    #[arg(long)]
    end: bool,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: HaltArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    match args {
        HaltArgs { reason, distribution, end: true } => {
            let body = EndHaltBody { distribution, reason: reason.unwrap_or_default() };
            Ok(recorded(&client.delete("/api/v1/halts", &body).await?, json))
        }
        HaltArgs { reason: Some(reason), distribution, end: false } => {
            Ok(recorded(&client.post("/api/v1/halts", &HaltBody { distribution, reason }).await?, json))
        }
        HaltArgs { distribution, .. } => {
            let mut halts: Vec<HaltedBody> = client.get("/api/v1/halts").await?;
            halts.retain(|halt| {
                distribution.is_none() || halt.distribution.is_none() || halt.distribution == distribution
            });
            Ok(Outcome::done(if json { document(&halts) } else { show(&halts, table::width()) }))
        }
    }
}

fn show(halts: &[HaltedBody], width: usize) -> String {
    if halts.is_empty() {
        return "Promotions are not halted.\n".to_owned();
    }
    let row = |halt: &HaltedBody| {
        let place = halt.distribution.clone().unwrap_or_else(|| "everywhere".to_owned());
        vec![place, ago(&halt.since), halt.by.clone(), halt.reason.clone()]
    };
    table::lay_out(&["WHERE", "SINCE", "BY", "REASON"], &halts.iter().map(row).collect::<Vec<_>>(), width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halts_are_listed() {
        let halt = |distribution: Option<&str>| HaltedBody {
            distribution: distribution.map(str::to_owned),
            since: "2026-11-29T09:00:00Z".into(),
            by: "jane".into(),
            reason: "the signing key may be stolen".into(),
        };
        insta::assert_snapshot!(show(&[halt(None), halt(Some("umd/3/sl6/x86_64"))], 100));
        insta::assert_snapshot!(show(&[], 100));
    }
}
