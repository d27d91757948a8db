//! `rolloutctl packages` and `where`: what is where.

use std::fmt::Write as _;

use super::ask::escape;
use super::words::{ago, document, moment};
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::table;
use crate::format::quantity;
use crate::process::selection::is_pattern;
use crate::web::api::inventory::PackageBody;

/// Lists packages: the trees they are in, and the rollouts that name them
///
/// Example: rolloutctl packages testing 'bdii-*'
#[derive(Debug, clap::Args)]
pub struct PackagesArgs {
    /// Only what this tree lists: testing, or testing/umd/3/sl6/x86_64; `all` includes packages in no tree
    #[arg(default_value = "all")]
    tree: String,
    /// Only those that match this pattern, in quotes
    like: Option<String>,
    /// Only those of this distribution
    #[arg(long)]
    distribution: Option<String>,
    /// At most this many
    #[arg(long, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    limit: Option<usize>,
}

/// Shows which trees a package is in, and why it is not in others
///
/// Exit codes: 0 it is known, 1 nothing of that name was ever accepted.
///
/// Example: rolloutctl where bdii
#[derive(Debug, clap::Args)]
pub struct WhereArgs {
    /// A name, or name-[epoch:]version-release.arch, or a pattern in quotes
    package: String,
    /// Only in this distribution
    #[arg(long)]
    distribution: Option<String>,
}

/// Runs `packages`.
///
/// # Errors
/// If there is no daemon, or no such tree.
pub async fn packages(args: PackagesArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let PackagesArgs { tree, like, distribution, limit } = args;
    let width = table::width();
    // A tree has no such letters in its name.
    let (tree, like) = if like.is_none() && is_pattern(&tree) { ("all".to_owned(), Some(tree)) } else { (tree, like) };
    let tree = (tree != "all").then_some(tree);
    let all = asked(client, [("tree", tree), ("like", like), ("distribution", distribution)], limit).await?;
    let mut text = if json { document(&all) } else { show_packages(&all, width) };
    if !json && limit.is_some_and(|limit| all.len() >= limit) {
        text.push_str("There may be more: these are as many as --limit allows.\n");
    }
    Ok(Outcome::done(text))
}

/// Runs `where`.
///
/// # Errors
/// If there is no daemon, or nothing of that name.
pub async fn whereabouts(args: WhereArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let WhereArgs { package, distribution } = args;
    let by = if is_pattern(&package) { "like" } else { "name" };
    let words = [(by, Some(package.clone())), ("distribution", distribution), ("tree", None)];
    let all = asked(client, words, None).await?;
    if all.is_empty() {
        let hint = "give the full name, or a pattern such as 'bdii-*'; `rolloutctl uploads` and `rolloutctl rejected` \
                    show what was not taken in";
        return Err(Failure::new(Exit::Refused, format!("no package named `{package}` was ever accepted")).hint(hint));
    }
    Ok(Outcome::done(if json { document(&all) } else { show_whereabouts(&all) }))
}

async fn asked(
    client: &Client,
    words: [(&str, Option<String>); 3],
    limit: Option<usize>,
) -> Result<Vec<PackageBody>, Failure> {
    let mut path = "/api/v1/packages?limit=1000".to_owned();
    for (name, value) in words {
        if let Some(value) = value {
            let _ = write!(path, "&{name}={}", escape(&value));
        }
    }
    client.pages(&path, limit).await
}

/// Its trees, or why it is in none.
fn place(package: &PackageBody) -> String {
    if package.trees.is_empty() { format!("({})", package.status) } else { package.trees.join(", ") }
}

fn show_packages(all: &[PackageBody], width: usize) -> String {
    if all.is_empty() {
        return "There are no such packages.\n".to_owned();
    }
    let has_several = all.iter().any(|package| package.distribution != all[0].distribution);
    let row = |package: &PackageBody| {
        let rollouts = package.rollouts.iter().map(|rollout| rollout.id.clone()).collect::<Vec<_>>().join(", ");
        let size = quantity::about_size(package.size);
        let mut row = vec![package.nevra.clone(), place(package), rollouts, size, ago(&package.accepted)];
        if has_several {
            row.insert(0, package.distribution.clone());
        }
        row
    };
    let mut head = vec!["PACKAGE", "TREES", "ROLLOUTS", "SIZE", "TAKEN IN"];
    if has_several {
        head.insert(0, "DISTRIBUTION");
    }
    table::lay_out(&head, &all.iter().map(row).collect::<Vec<_>>(), width)
}

fn show_whereabouts(all: &[PackageBody]) -> String {
    let mut text = String::new();
    for package in all {
        let _ = writeln!(text, "{} in {}", package.nevra, package.distribution);
        let _ = writeln!(text, "  trees:     {}", place(package));
        for rollout in &package.rollouts {
            let _ = writeln!(text, "  rollout:   {}, in {}", rollout.id, rollout.state);
        }
        let _ = writeln!(text, "  taken in:  {}, {}", moment(&package.accepted), quantity::about_size(package.size));
        for signer in &package.signers {
            let _ = writeln!(text, "  signed by: {signer}");
        }
        if let Some(source) = &package.source {
            let _ = writeln!(text, "  source:    {source}");
        }
        let _ = writeln!(text, "  sha256:    {}", package.sha256);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::api::inventory::NamedBy;

    fn package(nevra: &str, trees: &[&str], status: &str) -> PackageBody {
        PackageBody {
            distribution: "umd/3/sl6/x86_64".into(),
            nevra: nevra.into(),
            trees: trees.iter().map(|tree| (*tree).to_owned()).collect(),
            status: status.into(),
            rollouts: vec![NamedBy { id: "rt-1234".into(), state: "StageRollOut".into() }],
            sha256: "ab".repeat(32),
            size: 4 << 20,
            accepted: "2026-11-20T12:00:00Z".into(),
            signers: vec!["0123456789ABCDEF0123456789ABCDEF01234567".into()],
            source: Some("bdii-5.2.22-1.el6.src".into()),
        }
    }

    #[test]
    fn packages_are_listed_with_their_places() {
        let one = package("bdii-5.2.22-1.el6.noarch", &["untested", "testing"], "listed");
        let gone = package("bdii-5.2.21-1.el6.noarch", &[], "withdrawn");
        let other = PackageBody { distribution: "umd/3/sl5/i386".into(), ..one.clone() };
        let alone = show_packages(&[gone.clone(), one.clone()], 120);
        let several = show_packages(&[one.clone(), other], 120);
        insta::assert_snapshot!([alone, several, show_packages(&[], 80), show_whereabouts(&[gone, one])].join("\n"));
    }
}
