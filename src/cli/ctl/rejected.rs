//! `rolloutctl rejected`: shows refused files, or removes some.

use std::fmt::Write as _;

use super::ask::escape;
use super::words::{document, moment};
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::format::quantity;
use crate::process::fact::count;
use crate::web::api::rejected::{DropBody, DroppedBody, RejectedBody};

/// Shows refused files, newest first, with the reason and the remedy, or removes some
///
/// The files are in `rejected/` in the state directory. `rejected` under `[intake]` in the configuration says how long
/// they are kept.
///
/// Examples: rolloutctl rejected · rolloutctl rejected --from 100 · rolloutctl rejected drop --older-than 7d
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RejectedArgs {
    #[command(subcommand)]
    action: Option<RejectedAction>,
    /// Only those of this distribution
    #[arg(long)]
    distribution: Option<String>,
    /// Skip this many of the newest
    #[arg(long, default_value_t = 0)]
    from: usize,
    /// At most this many files
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

#[derive(Debug, clap::Subcommand)]
enum RejectedAction {
    Drop(DropArgs),
}

/// Removes refused files; their refusals stay in the logbook
///
/// Requires the role admin.
///
/// Examples: rolloutctl rejected drop --older-than 7d · rolloutctl rejected drop --all
#[derive(Debug, clap::Args)]
struct DropArgs {
    /// Their names, as `rolloutctl rejected` prints them
    #[arg(required_unless_present_any = ["all", "older_than"])]
    names: Vec<String>,
    /// All of them
    #[arg(long, conflicts_with_all = ["names", "older_than"])]
    all: bool,
    /// Those kept for longer than this, such as 7d
    #[arg(long, value_name = "TIME", conflicts_with = "names")]
    older_than: Option<String>,
    /// Only those of this distribution
    #[arg(long)]
    distribution: Option<String>,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: RejectedArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let RejectedArgs { action, distribution, from, limit } = args;
    if let Some(RejectedAction::Drop(args)) = action {
        return remove(args, client, json).await;
    }
    let mut query = format!("/api/v1/rejected?from={from}&limit={limit}");
    if let Some(distribution) = distribution {
        let _ = write!(query, "&distribution={}", escape(&distribution));
    }
    let page: RejectedBody = client.get(&query).await?;
    Ok(Outcome::done(if json { document(&page) } else { show_rejected(&page, from) }))
}

/// Removes refused files.
async fn remove(args: DropArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let DropArgs { names, all, older_than, distribution } = args;
    let wanted = names.len() as u64;
    let body = DropBody { distribution, names, older_than, all };
    let gone: DroppedBody = client.post("/api/v1/rejected/drop", &body).await?;
    if gone.files < wanted {
        let why = format!("only {} of {wanted} existed and were removed", gone.files);
        return Err(Failure::new(Exit::Refused, why).hint("`rolloutctl rejected` lists the names"));
    }
    let size = quantity::show_size(gone.bytes);
    let words = format!("{} removed, {size}\n", count(gone.files, "file"));
    Ok(Outcome::done(if json { document(&gone) } else { words }))
}

fn show_rejected(page: &RejectedBody, from: usize) -> String {
    if page.total == 0 {
        return "No refused files are kept.\n".to_owned();
    }
    let mut text = String::new();
    for file in &page.files {
        let since = file.since.as_deref().map(|at| format!(", since {}", moment(at))).unwrap_or_default();
        let times = if file.times > 1 { format!(", {} times", file.times) } else { String::new() };
        let size = quantity::show_size(file.size);
        let _ = writeln!(text, "{} of {} ({size}{since}{times})", file.name, file.distribution);
        let _ = writeln!(text, "  file:    {}", file.file);
        let _ = writeln!(text, "  why:     {} ({})", file.found, file.code);
        let _ = writeln!(text, "  to fix:  {}", file.remedy);
    }
    let bytes = quantity::show_size(page.bytes);
    let _ = writeln!(text, "{} kept, {bytes}", count(page.total, "file"));
    let next = from + page.files.len();
    if next < page.total {
        let _ = writeln!(text, "more: rolloutctl rejected --from {next}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::api::rejected::RefusedBody;

    #[test]
    fn refused_files_are_shown() {
        let file = |since: Option<&str>, times| RefusedBody {
            distribution: "umd/3/sl6/x86_64".into(),
            name: "0123456789abcdef-bad.rpm".into(),
            file: "jane/bad.rpm".into(),
            code: "unsigned".into(),
            found: "no signature".into(),
            rule: String::new(),
            remedy: "Sign it.".into(),
            size: 4_096,
            owner: Some(1_000),
            since: since.map(str::to_owned),
            age: None,
            times,
        };
        let files = vec![file(Some("2026-11-20T12:00:00Z"), 1), file(None, 3)];
        insta::assert_snapshot!(show_rejected(&RejectedBody { total: 7, bytes: 8_192, files }, 2));
    }

    #[test]
    fn no_refused_files_are_shown() {
        insta::assert_snapshot!(show_rejected(&RejectedBody { total: 0, bytes: 0, files: vec![] }, 0));
    }
}
