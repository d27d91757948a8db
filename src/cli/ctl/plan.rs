//! `rolloutctl plan`: what a step would do, without doing it.

use std::fmt::Write as _;

use super::ask::{escape, warned};
use super::words::{document, show_findings};
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::table;
use crate::format::quantity;
use crate::process::fact::count;
use crate::web::api::plan::{AmountBody, PlanBody, PlannedPackage, PlannedTree};

/// Shows everything that a step would do, and whether you may take it now
///
/// What comes into a tree is `new` (none of its name and architecture is there), or `newer`, `older` or `rebuilt` (the same
/// version, other bytes) compared with the newest there; `same` is there already. What leaves a tree is `gone` (none of its name
/// and architecture stays), `superseded` by a newer one that stays, `reverted` to an older one, or `replaced` (the same version,
/// other bytes).
///
/// Exit codes: 0 you may take the step now; 1 it would be refused, with the reasons. --token-file says who you are;
/// without it, the answer is for somebody without rights.
///
/// Example: rolloutctl plan rt-1234 Production
#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
    /// The state to reach; spaces, dashes and case do not matter
    state: String,
    /// At most this many packages per tree
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    limit: usize,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or no such rollout.
pub async fn run(args: PlanArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let PlanArgs { rollout, state, limit } = args;
    let width = table::width();
    let path = format!("/api/v1/rollouts/{}/plan?state={}&limit={limit}", escape(&rollout), escape(&state));
    let plan: PlanBody = client.get(&path).await?;
    let exit = if plan.verdict == "pass" { Exit::Done } else { Exit::Refused };
    Ok(Outcome { text: if json { document(&plan) } else { show_plan(&plan, width) }, exit })
}

fn show_plan(plan: &PlanBody, width: usize) -> String {
    let effect = plan.effect.as_ref().map(|effect| format!(" ({effect})")).unwrap_or_default();
    let mut text = format!("{}: {} to {}{effect}\n", plan.rollout, plan.from, plan.to);
    for tree in &plan.trees {
        text.push('\n');
        text.push_str(&show_tree(tree, width));
    }
    if plan.effect.is_some() && plan.trees.is_empty() {
        text.push_str("Nothing would move: no tree changes.\n");
    }
    text.push('\n');
    let words = match plan.verdict.as_str() {
        "pass" => "The step may be taken now.".to_owned(),
        verdict => format!("The step would be refused: {verdict}"),
    };
    let _ = writeln!(text, "{words}");
    text.push_str(&warned(&plan.warnings));
    text + &show_findings(&plan.findings)
}

/// What would become of a tree.
pub(super) fn show_tree(tree: &PlannedTree, width: usize) -> String {
    let moves = [(&tree.added, "come"), (&tree.removed, "go")].into_iter().filter(|(amount, _)| amount.packages > 0);
    let moves = moves.map(|(amount, verb)| {
        let verb = if amount.packages == 1 { format!("{verb}s") } else { verb.to_owned() };
        format!("{} {}", show_amount(*amount), verb.replace("gos", "goes"))
    });
    let mut moves: Vec<String> = moves.collect();
    if moves.is_empty() {
        moves.push("nothing changes".to_owned());
    }
    let (before, after) = (show_amount(tree.before), show_amount(tree.after));
    let mut text = format!("{}/{}: {}\n", tree.tree, tree.distribution, moves.join(", "));
    let _ = writeln!(text, "  lists {before} now, {after} then");
    for (signer, packages) in &tree.signers {
        let _ = writeln!(text, "  {} signed by {signer}", count(packages, "package"));
    }
    let rows: Vec<Vec<String>> = tree.packages.iter().map(row).collect();
    if !rows.is_empty() {
        text.push_str(&table::lay_out(&["CHANGE", "PACKAGE", "SIZE", "OTHER VERSION"], &rows, width));
    }
    if tree.more > 0 {
        let _ = writeln!(text, "and {} more; --limit shows more", tree.more);
    }
    text
}

fn row(package: &PlannedPackage) -> Vec<String> {
    let PlannedPackage { change, nevra, other, bytes } = package;
    let other = other.as_deref().unwrap_or_default();
    let beside = match change.as_str() {
        "newer" | "older" => format!("than {other}"),
        "superseded" => format!("by {other}"),
        "reverted" => format!("to {other}"),
        "rebuilt" | "replaced" => format!("{other} with other bytes"),
        "same" => "is there already".to_owned(),
        "gone" => "no version stays".to_owned(),
        _ => other.to_owned(),
    };
    vec![change.clone(), nevra.clone(), quantity::about_size(*bytes), beside]
}

/// So many packages, and their size.
pub(super) fn show_amount(amount: AmountBody) -> String {
    format!("{} ({})", count(amount.packages, "package"), quantity::about_size(amount.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::problem::FindingBody;

    fn finding(verdict: &str, code: &str, sentence: &str) -> FindingBody {
        let [verdict, code, sentence] = [verdict, code, sentence].map(str::to_owned);
        FindingBody { verdict, code, sentence, not_before: None }
    }

    fn plan(to: &str, effect: Option<&str>, trees: Vec<PlannedTree>, findings: Vec<FindingBody>) -> PlanBody {
        PlanBody {
            rollout: "rt-1234".into(),
            from: "UMDStore".into(),
            to: to.into(),
            effect: effect.map(str::to_owned),
            verdict: findings[0].verdict.clone(),
            findings,
            warnings: trees.iter().map(|tree| format!("only a part goes to {}", tree.tree)).take(1).collect(),
            trees,
            entry: 7,
        }
    }

    fn tree(name: &str, counts: [u64; 4], packages: &[(&str, &str, Option<&str>)]) -> PlannedTree {
        let [before, after, added, removed] =
            counts.map(|packages| AmountBody { packages, bytes: packages * 1_600_000 });
        let package = |(change, nevra, other): &(&str, &str, Option<&str>)| PlannedPackage {
            change: (*change).to_owned(),
            nevra: (*nevra).to_owned(),
            other: other.map(str::to_owned),
            bytes: 1_600_000,
        };
        PlannedTree {
            tree: name.into(),
            distribution: "umd/3/sl6/x86_64".into(),
            before,
            after,
            added,
            removed,
            same: 0,
            signers: [("3C12F8A40B5D3C12F8A40B5D3C12F8A40B5D9E71".to_owned(), counts[2] + counts[3])].into(),
            packages: packages.iter().map(package).collect(),
            more: usize::from(name == "testing"),
        }
    }

    #[test]
    fn what_a_step_would_do_is_shown() {
        let production = [
            ("newer", "bdii-5.2.22-1.el6.noarch", Some("5.2.20-1.el6")),
            ("new", "bdii-config-1.0-1.el6.noarch", None),
            ("older", "glue-1-1.el6.noarch", Some("1:0.9-1.el6")),
            ("rebuilt", "same-1.0-1.noarch", Some("1.00-1")),
            ("same", "there-1-1.noarch", None),
        ];
        let testing = [
            ("gone", "bdii-config-1.0-1.el6.noarch", None),
            ("reverted", "bdii-5.2.22-1.el6.noarch", Some("5.2.20-1.el6")),
            ("superseded", "glue-1-1.el6.noarch", Some("2-1.el6")),
            ("replaced", "same-1.0-1.noarch", Some("1.00-1")),
        ];
        let trees = vec![tree("production", [10, 14, 4, 0], &production), tree("testing", [5, 0, 0, 5], &testing)];
        let may = vec![finding("pass", "role", "jane may do this.")];
        let plan = plan("Production", Some("testing -> production"), trees, may);
        insta::assert_snapshot!(show_plan(&plan, 100));
    }

    #[test]
    fn a_step_that_would_be_refused_is_shown_with_the_reasons() {
        let findings = vec![
            finding("needs-admin", "role", "anonymous needs the role srm."),
            finding("pass", "idle", "Nothing is being moved for this rollout."),
        ];
        let trees = vec![tree("production", [1, 1, 0, 0], &[("same", "there-1-1.noarch", None)])];
        let refused = plan("Production", Some("testing -> production"), trees, findings);
        let still = plan("UMDStore", Some("nothing moves"), vec![], vec![finding("pass", "role", "You may.")]);
        let unknown =
            plan("Prodction", None, vec![], vec![finding("reject", "unknown_state", "There is no such state.")]);
        insta::assert_snapshot!([refused, still, unknown].map(|plan| show_plan(&plan, 60)).join("\n---\n"));
    }
}
