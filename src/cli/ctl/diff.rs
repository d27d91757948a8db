//! `rolloutctl diff`: what differs between two trees.

use std::fmt::Write as _;

use super::ask::escape;
use super::plan::show_amount;
use super::words::document;
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::table;
use crate::domain::changes::Class;
use crate::web::api::diff::{DiffBody, DiffRow};

/// Rows that are asked for at a time.
const AT_ONCE: usize = 1_000;

/// Shows what differs between two trees, by name and architecture
///
/// FROM and TO are paths below the site's root, of the same distribution or of two. Only the newest version of each name and
/// architecture is compared: `new` is only in TO, `gone` only in FROM; `newer`, `older` and `rebuilt` (the same version, other
/// bytes) is TO compared with FROM; `beside` means that the newest is the same and other versions differ.
///
/// Examples: rolloutctl diff production/umd/3/sl6/x86_64 testing/umd/3/sl6/x86_64 · rolloutctl diff --only older
/// production/umd/3/sl6/x86_64 production/umd/4/sl6/x86_64
#[derive(Debug, clap::Args)]
pub struct DiffArgs {
    /// The first tree
    from: String,
    /// The second tree
    to: String,
    /// Only differences of this kind: new, newer, older, rebuilt, beside, gone; or same
    #[arg(long, value_name = "KIND")]
    only: Option<String>,
    /// At most this many
    #[arg(long, default_value_t = AT_ONCE, value_name = "N")]
    limit: usize,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or no such tree.
pub async fn run(args: DiffArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let DiffArgs { from, to, only, limit } = args;
    let width = table::width();
    let only = only.map(|only| format!("&change={}", escape(&only))).unwrap_or_default();
    let path = format!("/api/v1/diff?from={}&to={}{only}", escape(&from), escape(&to));
    let mut diff: DiffBody = client.get(&format!("{path}&limit={}", limit.min(AT_ONCE))).await?;
    while let Some(next) = diff.next.clone().filter(|_| diff.rows.len() < limit) {
        let at_once = AT_ONCE.min(limit - diff.rows.len());
        let page: DiffBody = client.get(&format!("{path}&limit={at_once}&after={}", escape(&next))).await?;
        diff = joined(diff, page)?;
    }
    Ok(Outcome::done(if json { document(&diff) } else { show_diff(&diff, width) }))
}

/// One page more.
fn joined(mut diff: DiffBody, page: DiffBody) -> Result<DiffBody, Failure> {
    if diff.changes != page.changes {
        let failure = Failure::new(Exit::Refused, "the trees changed while they were being compared");
        return Err(failure.hint("try again"));
    }
    diff.rows.extend(page.rows);
    Ok(DiffBody { rows: diff.rows, ..page })
}

fn show_diff(diff: &DiffBody, width: usize) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "from {}: {}", diff.from, show_amount(diff.before));
    let _ = writeln!(text, "to   {}: {}", diff.to, show_amount(diff.after));
    let counted = Class::ALL.into_iter().filter_map(|class| Some((diff.changes.get(class.as_str())?, class)));
    let counted: Vec<String> = counted.map(|(number, class)| format!("{number} {class}")).collect();
    let counted = if counted.is_empty() { "both are empty".to_owned() } else { counted.join(", ") };
    let _ = writeln!(
        text,
        "{counted}; {} only in the second, {} only in the first",
        show_amount(diff.added),
        show_amount(diff.removed)
    );
    if !diff.rows.is_empty() {
        let rows: Vec<Vec<String>> = diff.rows.iter().map(row).collect();
        text.push_str(&table::lay_out(&["CHANGE", "PACKAGE", "FROM", "TO", "OTHER VERSIONS"], &rows, width));
    }
    if diff.more > 0 {
        let _ = writeln!(text, "and {} more; --limit shows more", diff.more);
    }
    text
}

fn row(row: &DiffRow) -> Vec<String> {
    let newest = |evr: &Option<String>| evr.clone().unwrap_or_else(|| "-".to_owned());
    vec![row.change.clone(), format!("{}.{}", row.name, row.arch), newest(&row.from), newest(&row.to), others(row)]
}

/// What comes and goes beside the newest of each tree.
fn others(row: &DiffRow) -> String {
    let sides = [(&row.comes, row.added.packages, &row.to, '+'), (&row.goes, row.removed.packages, &row.from, '-')];
    let mut words = Vec::new();
    for (named, all, newest, sign) in sides {
        let beside = named.iter().filter(|evr| row.change == "rebuilt" || Some(*evr) != newest.as_ref());
        words.extend(beside.map(|evr| format!("{sign}{evr}")));
        let more = all.saturating_sub(named.len() as u64);
        if more > 0 {
            words.push(format!("{sign}{more} more"));
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::api::plan::AmountBody;

    fn row_of(
        change: &str,
        name: &str,
        newest: [Option<&str>; 2],
        comes: &[&str],
        goes: &[&str],
        more: u64,
    ) -> DiffRow {
        let [from, to] = newest.map(|evr| evr.map(str::to_owned));
        let [came, went] = [comes, goes].map(|evrs| evrs.iter().map(ToString::to_string).collect::<Vec<_>>());
        let amount = |packages: usize| AmountBody { packages: packages as u64, bytes: 1_024 };
        let mut added = amount(came.len());
        added.packages += more;
        DiffRow {
            change: change.into(),
            name: name.into(),
            arch: "noarch".into(),
            from,
            to,
            added,
            removed: amount(went.len()),
            comes: came,
            goes: went,
        }
    }

    fn diff(rows: Vec<DiffRow>, changes: &[(&str, u64)], more: u64) -> DiffBody {
        let amount = |packages| AmountBody { packages, bytes: packages * 1_600_000 };
        DiffBody {
            from: "production/umd/3/sl6/x86_64".into(),
            to: "testing/umd/3/sl6/x86_64".into(),
            before: amount(120),
            after: amount(118),
            added: amount(6),
            removed: amount(8),
            changes: changes.iter().map(|(class, number)| ((*class).to_owned(), *number)).collect(),
            rows,
            more,
            next: None,
            entry: 7,
        }
    }

    #[test]
    fn what_differs_between_two_trees_is_shown() {
        let rows = vec![
            row_of("beside", "a", [Some("2-1"), Some("2-1")], &["1-2", "1-1"], &["0-1"], 3),
            row_of("newer", "bdii", [Some("5.2.20-1"), Some("5.2.22-1")], &["5.2.22-1"], &["5.2.20-1"], 0),
            row_of("new", "c", [None, Some("1-1")], &["1-1"], &[], 0),
            row_of("gone", "d", [Some("1:1-1"), None], &[], &["1:1-1", "1-1"], 0),
            row_of("rebuilt", "e", [Some("1-1"), Some("1-1")], &["1-1"], &["1-1"], 0),
            row_of("older", "f", [Some("2-1"), Some("1-1")], &["1-1"], &["2-1"], 0),
        ];
        let changes =
            [("same", 80), ("new", 12), ("newer", 1), ("older", 1), ("rebuilt", 1), ("beside", 1), ("gone", 1)];
        let texts = [diff(rows, &changes, 11), diff(vec![], &[("same", 80)], 0), diff(vec![], &[], 0)];
        insta::assert_snapshot!(texts.map(|diff| show_diff(&diff, 100)).join("\n---\n"));
    }

    #[test]
    fn pages_of_trees_that_changed_between_them_are_not_joined() {
        let row = || row_of("new", "c", [None, Some("1-1")], &["1-1"], &[], 0);
        let (one, two) = (diff(vec![row()], &[("new", 2)], 1), diff(vec![row()], &[("new", 2)], 0));
        let both = joined(one, two).expect("the same trees");
        assert_eq!((both.rows.len(), both.more), (2, 0));
        let changed = joined(both, diff(vec![row()], &[("new", 3)], 0));
        assert_eq!(changed.expect_err("other trees").exit, Exit::Refused);
    }
}
