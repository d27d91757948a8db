//! `rolloutctl explain`: who did what with a bundle, and with its rollouts, in one list (S1-12).

use std::collections::BTreeMap;

use super::ask::escape;
use super::words::{document, moment};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::table;
use crate::web::api::bundles::BundleBody;
use crate::web::api::log::{EntryBody, LOG_AT_ONCE};

/// Shows the history of a bundle and all its rollouts: who did what, in which order
///
/// Example: rolloutctl explain BUNDLE-2011-12
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// The bundle
    bundle: String,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or no such bundle.
pub async fn run(ExplainArgs { bundle }: ExplainArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let found: BundleBody = client.get(&format!("/api/v1/bundles/{}", escape(&bundle))).await?;
    let rollouts = found.rollouts.iter().map(|member| ("rollout", member.rollout.as_str()));
    let mut all = BTreeMap::new();
    for (what, name) in [("bundle", found.bundle.as_str())].into_iter().chain(rollouts) {
        all.extend(about(client, what, name).await?.into_iter().map(|entry| (entry.seq, entry)));
    }
    let entries: Vec<EntryBody> = all.into_values().collect();
    Ok(Outcome::done(if json { document(&entries) } else { show(&entries, table::width()) }))
}

/// All entries about one thing.
async fn about(client: &Client, what: &str, name: &str) -> Result<Vec<EntryBody>, Failure> {
    let (mut all, mut from) = (Vec::new(), 1);
    loop {
        let path = format!("/api/v1/log?limit={LOG_AT_ONCE}&from={from}&{what}={}", escape(name));
        let page: Vec<EntryBody> = client.get(&path).await?;
        let is_last = page.len() < LOG_AT_ONCE;
        from = page.last().map_or(from, |entry| entry.seq + 1);
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

fn show(entries: &[EntryBody], width: usize) -> String {
    let steps = (1..).zip(entries);
    let row = |(step, entry): (usize, &EntryBody)| {
        let why = if entry.why.is_empty() { String::new() } else { format!(" ({})", entry.why) };
        vec![step.to_string(), moment(&entry.at), entry.who.clone(), format!("{}{why}", entry.says)]
    };
    table::lay_out(&["STEP", "WHEN", "WHO", "WHAT"], &steps.map(row).collect::<Vec<_>>(), width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_told_in_steps() {
        let entry = |seq: u64, who: &str, why: &str, says: &str| EntryBody {
            seq,
            at: format!("2026-11-{seq:02}T09:00:00Z"),
            who: who.into(),
            person: None,
            why: why.into(),
            says: says.into(),
            what: BTreeMap::new(),
            hash: String::new(),
        };
        let entries = [
            entry(3, "mu", "", "opened the bundle BUNDLE-1: VOMS"),
            entry(7, "mu", "", "added patch-1 to the bundle BUNDLE-1"),
            entry(9, "ou", "no conflict", "patch-1: Verified -> Ready for Rollout"),
            entry(12, "ea-NGI_IT-INFN-T1", "", "task 1 of ea-NGI_IT-INFN-T1 is in progress: success"),
        ];
        insta::assert_snapshot!(show(&entries, 100));
    }
}
