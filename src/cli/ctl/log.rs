//! `rolloutctl log`: entries of the logbook, or whether its chain is intact.

use std::fmt::Write as _;

use super::ask::escape;
use super::words::{document, moment};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::table;
use crate::web::api::log::{EntryBody, VerifiedBody};

/// Shows the newest entries of the logbook, or those about one thing
///
/// Oldest first: who did what, when and why.
///
/// Examples: rolloutctl log · rolloutctl log rt-1234 · rolloutctl log --who jane --since 7d ·
/// rolloutctl log --bundle BUNDLE-2011-12 · rolloutctl log --verify
#[derive(Debug, clap::Args)]
pub struct LogArgs {
    /// Only entries about this rollout
    #[arg(group = "subject")]
    rollout: Option<String>,
    /// Only entries about this bundle
    #[arg(long, group = "subject")]
    bundle: Option<String>,
    /// Only entries about this team of early adopters
    #[arg(long, group = "subject")]
    team: Option<String>,
    /// Only entries about this change
    #[arg(long, group = "subject")]
    change: Option<String>,
    /// Only entries about this tree, such as production/umd/3/sl6/x86_64
    #[arg(long, group = "subject")]
    tree: Option<String>,
    /// Only entries about this package, name-[epoch:]version-release.arch
    #[arg(long, group = "subject")]
    package: Option<String>,
    /// The distribution of the package; may be omitted if only one has it
    #[arg(long, requires = "package")]
    distribution: Option<String>,
    /// Only entries by this person or program, such as jane or rt:jane
    #[arg(long, conflicts_with = "subject")]
    who: Option<String>,
    /// Only entries of this kind, such as rollout.moved, or of all kinds that begin with this word, such as package
    #[arg(long, conflicts_with = "subject")]
    kind: Option<String>,
    /// Only entries since a time or a day, or within a span such as 7d
    #[arg(long, conflicts_with = "subject")]
    since: Option<String>,
    /// Start at this entry number, instead of showing the newest
    #[arg(long, conflicts_with_all = ["who", "kind", "since"])]
    from: Option<u64>,
    /// At most this many entries
    #[arg(long, default_value_t = 100, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    limit: usize,
    /// Verify the whole hash chain instead: that every entry is as it was written
    #[arg(long, conflicts_with_all = ["subject", "who", "kind", "since", "from", "limit"])]
    verify: bool,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: LogArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let LogArgs { rollout, bundle, team, change, tree, package, distribution, who, kind, since, from, limit, verify } =
        args;
    if verify {
        let chain: VerifiedBody = client.get("/api/v1/log/verify").await?;
        let words = format!("the logbook is intact: {} entries, head {}\n", chain.entries, chain.head);
        return Ok(Outcome::done(if json { document(&chain) } else { words }));
    }
    let width = table::width();
    let mut query = format!("/api/v1/log?limit={limit}");
    if let Some(from) = from {
        let _ = write!(query, "&from={from}");
    }
    for (what, named) in [
        ("rollout", rollout),
        ("bundle", bundle),
        ("team", team),
        ("change", change),
        ("tree", tree),
        ("package", package),
        ("distribution", distribution),
        ("who", who),
        ("kind", kind),
        ("since", since),
    ] {
        if let Some(named) = named {
            let _ = write!(query, "&{what}={}", escape(&named));
        }
    }
    // Pages go back in time, and each is in the order of time.
    let mut entries: Vec<EntryBody> = client.pages(&query, Some(limit)).await?;
    entries.sort_unstable_by_key(|entry| entry.seq);
    Ok(Outcome::done(if json { document(&entries) } else { show_log(&entries, width) }))
}

fn show_log(entries: &[EntryBody], width: usize) -> String {
    if entries.is_empty() {
        return "There are no such entries.\n".to_owned();
    }
    let row = |e: &EntryBody| {
        let says = if e.why.is_empty() { e.says.clone() } else { format!("{} ({})", e.says, e.why) };
        vec![e.seq.to_string(), moment(&e.at), e.who.clone(), says]
    };
    table::lay_out(&["NO.", "WHEN", "WHO", "WHAT"], &entries.iter().map(row).collect::<Vec<_>>(), width)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn entries_are_shown() {
        let entry = |seq: u64, why: &str, says: &str| EntryBody {
            seq,
            at: "2026-11-20T12:00:00Z".into(),
            who: "jane".into(),
            person: None,
            why: why.into(),
            says: says.into(),
            what: BTreeMap::new(),
            hash: String::new(),
        };
        let entries = [entry(9, "", "rt-1 was submitted"), entry(10, "verified by hand", "rt-1 is in Production")];
        insta::assert_snapshot!(show_log(&entries, 100));
    }
}
