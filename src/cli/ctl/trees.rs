//! `rolloutctl trees`: all trees with their revisions and addresses, and the files for their clients.

use super::words::{document, moment};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::table;
use crate::web::api::trees::TreeBody;

/// Lists all trees with their revisions and addresses
///
/// Example: rolloutctl trees
#[derive(Debug, clap::Args)]
pub struct TreesArgs {
    /// Print their .repo files instead; those `-with-production` are for early adopters
    #[arg(long)]
    repo_files: bool,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(client: &Client, TreesArgs { repo_files }: TreesArgs, json: bool) -> Result<Outcome, Failure> {
    let width = table::width();
    let trees: Vec<TreeBody> = client.get("/api/v1/trees").await?;
    let shown = match (json, repo_files) {
        (true, _) => document(&trees),
        (false, true) => show_repo_files(&trees, width),
        (false, false) => show_trees(&trees, width),
    };
    Ok(Outcome::done(shown))
}

fn show_repo_files(trees: &[TreeBody], width: usize) -> String {
    let row = |t: &TreeBody| {
        let row = |file: &String| vec![t.distribution.clone(), t.tree.clone(), file.clone()];
        t.repo_files.iter().map(row).collect::<Vec<_>>()
    };
    let rows: Vec<_> = trees.iter().flat_map(row).collect();
    table::lay_out(&["DISTRIBUTION", "TREE", "FILE"], &rows, width)
}

fn show_trees(trees: &[TreeBody], width: usize) -> String {
    let row = |t: &TreeBody| {
        let published = t.published.as_deref().map_or_else(|| "not yet".to_owned(), moment);
        vec![t.distribution.clone(), t.tree.clone(), t.packages.to_string(), revision(t), published, t.url.clone()]
    };
    let head = ["DISTRIBUTION", "TREE", "PACKAGES", "REVISION", "PUBLISHED", "URL"];
    table::lay_out(&head, &trees.iter().map(row).collect::<Vec<_>>(), width)
}

/// Its revision, and whose packages it lists again.
fn revision(tree: &TreeBody) -> String {
    let again = tree.restored.map(|to| format!(", restored from {to}"));
    let coming = tree.restoring.as_ref().map(|coming| format!(", {} is to be restored", coming.to));
    format!("{}{}", tree.revision, coming.or(again).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::api::trees::RestoringBody;

    #[test]
    fn trees_are_listed() {
        let tree = |tree: &str, revision: u64, published: Option<&str>| TreeBody {
            tree: tree.into(),
            distribution: "umd/3/sl6/x86_64".into(),
            url: format!("http://repository.example.org/sw/{tree}/umd/3/sl6/x86_64/"),
            repo_files: vec![format!("http://repository.example.org/sw/{tree}/umd/3/sl6/x86_64/UMD3_{tree}.repo")],
            packages: 7,
            revision,
            published: published.map(str::to_owned),
            retiring: 0,
            dirty: false,
            restored: None,
            restoring: None,
        };
        let trees = [tree("untested", 1_795_176_000, Some("2026-11-20T12:00:00Z")), tree("production", 0, None)];
        insta::assert_snapshot!(format!("{}\n{}", show_trees(&trees, 200), show_repo_files(&trees, 200)));
        let restored = TreeBody { restored: Some(7), ..tree("production", 9, None) };
        let restoring = RestoringBody { entry: 31, to: 7, trouble: None };
        let restoring = TreeBody { restoring: Some(restoring), ..tree("production", 8, None) };
        assert_eq!([&restored, &restoring].map(revision), ["9, restored from 7", "8, 7 is to be restored"]);
    }
}
