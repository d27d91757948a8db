//! `rolloutctl restore`: a tree lists again what it listed at an earlier revision.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::ask::escape;
use super::plan::show_tree;
use super::words::{document, own_name, show_findings};
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::table;
use crate::link::clock::Clock;
use crate::process::fact::count;
use crate::web::api::restore::{RestoreBody, RestorePlanBody, RestoredBody};
use crate::web::api::trees::{RestoringBody, TreeBody};

/// How long it waits for the publication.
const PATIENCE: Duration = Duration::from_mins(1);

/// How much longer after the daemon reports trouble.
const TROUBLE_PATIENCE: Duration = Duration::from_secs(5);

/// Makes a tree list again what it listed at an earlier revision, even after Production
///
/// The tree is published under a new revision: some packages come back, others leave it and are kept, and rollouts stay
/// in their states. `rolloutctl log --tree TREE` shows the revisions. To undo it, restore the previous revision, which
/// the answer names.
///
/// Exit codes: 0 clients see it, or there was nothing to do; with --dry-run, it may be done now. 1 it was or would be
/// refused, with all reasons, or it was decided but cannot be published yet; the daemon then keeps trying.
///
/// Example: rolloutctl restore production/umd/3/sl6/x86_64 --to 1795172517 --reason "bdii 5.2.23 loses data"
#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// The tree, as `rolloutctl trees` prints it: TREE/DISTRIBUTION; TREE alone if only one distribution has it
    tree: String,
    /// The revision whose packages the tree is to list again: the Unix time of that publication, in seconds
    #[arg(long, value_name = "REVISION")]
    to: u64,
    /// Why; recorded in the logbook
    #[arg(long, default_value = "")]
    reason: String,
    /// Show what would come back, what would go and what stands in the way, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Also bring back packages that were withdrawn or rejected since
    #[arg(long)]
    also_rejected: bool,
    /// Even if many packages leave the tree: more than 50, or more than 10 and a tenth of it
    #[arg(long)]
    may_shrink: bool,
    /// With --dry-run, at most this many packages
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    limit: usize,
    /// Do not wait until clients see it
    #[arg(long)]
    no_wait: bool,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, it refuses, or the tree is not published.
pub async fn run(args: RestoreArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let RestoreArgs { tree, to, reason, dry_run, also_rejected, may_shrink, limit, no_wait } = args;
    let (name, distribution) = parts(&tree);
    let path = format!("/api/v1/trees/{}/restore", escape(name));
    if dry_run {
        let of = distribution.map(|dist| format!("&distribution={}", escape(&dist))).unwrap_or_default();
        let asked =
            format!("{path}?revision={to}&also_rejected={also_rejected}&may_shrink={may_shrink}&limit={limit}{of}");
        let plan: RestorePlanBody = client.get(&asked).await?;
        let exit = if plan.verdict == "pass" { Exit::Done } else { Exit::Refused };
        let text = if json { document(&plan) } else { show_plan(&plan, table::width(), &own_name()) };
        return Ok(Outcome { text, exit });
    }
    let body = RestoreBody { distribution, revision: to, also_rejected, may_shrink, reason };
    let done: RestoredBody = client.post(&path, &body).await?;
    seen(client, &done, no_wait, json).await
}

/// Waits until clients see what was decided, and says so.
pub(super) async fn seen(client: &Client, done: &RestoredBody, no_wait: bool, json: bool) -> Result<Outcome, Failure> {
    if let Some(entry) = done.entry.filter(|_| !no_wait)
        && let Some(restoring) = published(client, &done.tree, entry).await?
    {
        return Err(not_published(done, restoring, &own_name()));
    }
    Ok(Outcome::done(if json { document(done) } else { show(done, no_wait, &own_name()) }))
}

/// A tree's name and its distribution, if that was named.
pub(super) fn parts(tree: &str) -> (&str, Option<String>) {
    match tree.trim_end_matches('/').split_once('/') {
        Some((name, distribution)) => (name, Some(distribution.to_owned())),
        None => (tree, None),
    }
}

/// Waits until the tree shows it; what is in its way, if that takes too long.
async fn published(client: &Client, tree: &str, entry: u64) -> Result<Option<RestoringBody>, Failure> {
    let (clock, asked) = (Clock::System, Clock::System.monotonic());
    let mut in_trouble: Option<Instant> = None;
    loop {
        let trees: Vec<TreeBody> = client.get("/api/v1/trees").await?;
        let one = trees.into_iter().find(|one| format!("{}/{}", one.tree, one.distribution) == tree);
        let Some(restoring) = one.and_then(|one| one.restoring).filter(|now| now.entry == entry) else {
            return Ok(None);
        };
        in_trouble = restoring.trouble.as_ref().map(|_| in_trouble.unwrap_or_else(|| clock.monotonic()));
        let hopeless = in_trouble.is_some_and(|since| clock.since(since) > TROUBLE_PATIENCE);
        if hopeless || clock.since(asked) > PATIENCE {
            return Ok(Some(restoring));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The failure of a restore that was decided and is not published.
fn not_published(done: &RestoredBody, restoring: RestoringBody, program: &str) -> Failure {
    let RestoredBody { tree, back, .. } = done;
    let why = restoring.trouble.unwrap_or_else(|| "it is taking longer than a minute, for no known reason".to_owned());
    let words = format!("{tree} is to change (logbook entry {}), but is not published yet: {why}", restoring.entry);
    let back = back.unwrap_or_default();
    let hint = format!(
        "the daemon keeps trying; if it cannot be resolved: `{program} restore {tree} --to {back} --reason WHY` gives it up"
    );
    Failure::new(Exit::Refused, words).hint(hint)
}

fn show(done: &RestoredBody, no_wait: bool, program: &str) -> String {
    let RestoredBody { tree, says, comes, goes, back, .. } = done;
    let (Some(entry), Some(back)) = (done.entry, back) else { return format!("{says}.\n") };
    let state = if no_wait { "is being published" } else { "is published" };
    let all = [(comes, "brought back"), (goes, "taken out")].into_iter().filter(|(number, _)| **number > 0);
    let all: Vec<String> = all.map(|(number, verb)| format!("{} {verb}", count(number, "package"))).collect();
    let all = all.join(", ");
    format!(
        "{tree} {state}: {all} (logbook entry {entry}).\nTo undo it: {program} restore {tree} --to \
         {back} --reason WHY\nThis also undoes what changes there until then.\n"
    )
}

pub(super) fn show_plan(plan: &RestorePlanBody, width: usize, program: &str) -> String {
    let RestorePlanBody { tree, revision, back, verdict, findings, change, .. } = plan;
    let mut text = if revision == back {
        format!("{tree}, which shows revision {back}\n\n")
    } else {
        format!("{tree}: from revision {back} to what it listed at revision {revision}\n\n")
    };
    match change {
        Some(change) => text.push_str(&show_tree(change, width)),
        None if revision == back => return text + "There is nothing to take out.\n" + &show_findings(findings),
        None if verdict == "pass" => return text + "There is nothing to do: it already lists exactly that.\n",
        None => text.push_str("There is nothing to do: it already lists exactly that.\n"),
    }
    let words = match verdict.as_str() {
        "pass" => "It may be done now.".to_owned(),
        verdict => format!("It would be refused: {verdict}"),
    };
    let _ = write!(text, "\n{words}\n{}", show_findings(findings));
    if change.is_some() {
        let _ = writeln!(text, "To undo it: {program} restore {tree} --to {back} --reason WHY");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::api::plan::{AmountBody, PlannedPackage, PlannedTree};
    use crate::web::problem::FindingBody;

    fn done(entry: Option<u64>) -> RestoredBody {
        RestoredBody {
            tree: "production/umd/3/sl6/x86_64".into(),
            entry,
            says: "production/umd/3/sl6/x86_64 already lists what it listed at revision 7; there is nothing to do"
                .into(),
            comes: 1,
            goes: 2,
            back: entry.map(|_| 1_795_172_517),
        }
    }

    #[test]
    fn a_restore_says_how_to_come_back() {
        let told = [show(&done(Some(31)), false, "rolloutctl"), show(&done(Some(31)), true, "rolloutctl")];
        let failed = not_published(
            &done(Some(31)),
            RestoringBody { entry: 31, to: 7, trouble: Some("no room".into()) },
            "rolloutctl",
        );
        let failed = format!("{}\nhint: {}", failed.message, failed.hint.unwrap_or_default());
        insta::assert_snapshot!([&told[..], &[show(&done(None), false, "rolloutctl"), failed]].concat().join("---\n"));
    }

    #[test]
    fn what_a_restore_would_do_is_shown() {
        let amount = |packages| AmountBody { packages, bytes: packages * 1_600_000 };
        let package = |change: &str, nevra: &str, other: Option<&str>| PlannedPackage {
            change: change.into(),
            nevra: nevra.into(),
            other: other.map(str::to_owned),
            bytes: 1_600_000,
        };
        let change = PlannedTree {
            tree: "production".into(),
            distribution: "umd/3/sl6/x86_64".into(),
            before: amount(4),
            after: amount(4),
            added: amount(1),
            removed: amount(1),
            same: 0,
            signers: [("ABCD".to_owned(), 2)].into(),
            packages: vec![
                package("older", "bdii-5.2.22-1.el6.noarch", Some("5.2.23-1.el6")),
                package("reverted", "bdii-5.2.23-1.el6.noarch", Some("5.2.22-1.el6")),
            ],
            more: 0,
        };
        let finding = |verdict: &str, code: &str, sentence: &str| {
            let [verdict, code, sentence] = [verdict, code, sentence].map(str::to_owned);
            FindingBody { verdict, code, sentence, not_before: None }
        };
        let plan = |verdict: &str, change, findings| RestorePlanBody {
            tree: "production/umd/3/sl6/x86_64".into(),
            revision: 1_795_172_400,
            back: 1_795_172_517,
            verdict: verdict.into(),
            findings,
            change,
            entry: 30,
        };
        let refused = vec![finding("reject", "package_missing", "Their files are gone: bdii-5.2.22-1.el6.noarch.")];
        let shown = [
            plan("pass", None, vec![finding("pass", "restore", "Nothing stands in its way.")]),
            plan("reject", Some(change), refused),
        ];
        insta::assert_snapshot!(shown.map(|plan| show_plan(&plan, 100, "rolloutctl")).join("---\n"));
    }
}
