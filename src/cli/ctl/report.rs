//! `rolloutctl report`: what teams have found, and the files that they report with.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::ask::{escape, recorded};
use super::words::{document, moment};
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::store::disk::{self, Access, Kernel};
use crate::store::reports::FILE_MAX;
use crate::web::api::report_texts::ReportsBody;
use crate::web::api::reports::{FileBody, PublishBody, ReportBody};

/// Reports the outcome of a team's test, and collects all reports on a rollout
///
/// A later report by the same team replaces the earlier one, and so resolves a failure; files of earlier ones are kept.
///
/// Example: rolloutctl report add rt-1234 ea-NGI_IT-INFN-T1 success --file ea-NGI_IT-INFN-T1-EMI-bdii-site-1.0.1.odt
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Reports the outcome of a team's test
    ///
    /// Example: rolloutctl report add rt-1234 ea-NGI_IT-INFN-T1 warning --summary "restart the bdii after the update"
    Add(AddArgs),
    /// Lists the reports of a rollout, and what is missing
    ///
    /// Example: rolloutctl report list rt-1234
    List {
        /// The rollout, as `rolloutctl list` prints it
        rollout: String,
    },
    /// Prints a report form as HTML, to fill in with a word processor
    ///
    /// Example: rolloutctl report template rt-1234 ea-NGI_IT-INFN-T1 > report.html
    Template {
        /// The rollout, as `rolloutctl list` prints it
        rollout: String,
        /// The team
        team: String,
    },
    /// Saves the file of a team's last report
    ///
    /// Example: rolloutctl report get rt-1234 ea-NGI_IT-INFN-T1 --output report.odt
    Get {
        /// The rollout, as `rolloutctl list` prints it
        rollout: String,
        /// The team
        team: String,
        /// Where; by default, under its own name in this directory. An existing file is not overwritten
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Lets everybody read the file of a team's last report
    ///
    /// Example: rolloutctl report publish rt-1234 ea-NGI_IT-INFN-T1 --reason "the team agrees"
    Publish {
        /// The rollout, as `rolloutctl list` prints it
        rollout: String,
        /// The team
        team: String,
        /// Let only those with a token read it
        #[arg(long)]
        undo: bool,
        /// Why; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Prints the draft of a summary of all reports
    ///
    /// Example: rolloutctl report summary rt-1234 > summary.txt
    Summary {
        /// The rollout, as `rolloutctl list` prints it
        rollout: String,
    },
    /// Saves all reports in one tar archive, with their summary and the description of the document
    ///
    /// Example: rolloutctl report archive rt-1234 --document EGI-doc-1234
    Archive {
        /// The rollout, as `rolloutctl list` prints it
        rollout: String,
        /// The id of the document that is to hold them, such as EGI-doc-1234; by default, the rollout's own
        #[arg(long, value_name = "ID")]
        document: Option<String>,
        /// Even if reports are missing
        #[arg(long)]
        incomplete: bool,
        /// Where; by default, ID.tar in this directory. An existing file is not overwritten
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
    /// The team
    team: String,
    /// success, warning or fail
    outcome: String,
    /// What the team says, in a few sentences; name the issues that it found
    #[arg(long, default_value = "")]
    summary: String,
    /// Whether the release notes are correct and complete
    #[arg(long, default_value = "", value_name = "TEXT")]
    release_notes: String,
    /// Which tests were run, and with what result
    #[arg(long, default_value = "", value_name = "TEXT")]
    tests: String,
    /// What the load was, such as jobs or transfers a day
    #[arg(long, default_value = "", value_name = "TEXT")]
    metrics: String,
    /// Which virtual organisations are configured for the service
    #[arg(long, default_value = "", value_name = "TEXT")]
    vos: String,
    /// The whole report: .odt, .docx or .doc, at most 4 MiB, named as `report template` says
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: ReportArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    match args.what {
        What::Add(args) => add(args, client, json).await,
        What::List { rollout } => {
            let all: ReportsBody = client.get(&format!("{}/reports", path(&rollout))).await?;
            Ok(Outcome::done(if json { document(&all) } else { show(&all) }))
        }
        What::Template { rollout, team } => {
            let page = client.text(&format!("{}/teams/{}/report/template", path(&rollout), escape(&team))).await?;
            Ok(Outcome::done(if json { document(&json!({ "html": page })) } else { page }))
        }
        What::Get { rollout, team, output } => {
            let path = format!("{}/teams/{}/report/file", path(&rollout), escape(&team));
            save(client, &path, output, json).await
        }
        What::Publish { rollout, team, undo, reason } => {
            let path = format!("{}/teams/{}/report/published", path(&rollout), escape(&team));
            Ok(recorded(&client.put(&path, &PublishBody { published: !undo, reason }).await?, json))
        }
        What::Summary { rollout } => {
            let text = client.text(&format!("{}/reports/summary", path(&rollout))).await?;
            Ok(Outcome::done(if json { document(&json!({ "summary": text })) } else { text }))
        }
        What::Archive { rollout, document, incomplete, output } => {
            let document = document.map(|id| format!("&document={}", escape(&id))).unwrap_or_default();
            let path = format!("{}/reports/archive?incomplete={incomplete}{document}", path(&rollout));
            save(client, &path, output, json).await
        }
    }
}

async fn add(args: AddArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let AddArgs { rollout, team, outcome, summary, release_notes, tests, metrics, vos, file } = args;
    let file = file.as_deref().map(content).transpose()?;
    let path = format!("{}/teams/{}/report", path(&rollout), escape(&team));
    let body = ReportBody { outcome, summary, release_notes, tests, metrics, vos, file };
    Ok(recorded(&client.post(&path, &body).await?, json))
}

/// A file as it is sent.
pub(super) fn content(path: &Path) -> Result<FileBody, Failure> {
    let unreadable =
        |why: &dyn std::fmt::Display| Failure::new(Exit::Usage, format!("could not read {}: {why}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| unreadable(&error))?.len();
    if size > FILE_MAX {
        return Err(unreadable(&format!("it has {size} bytes; a report may have at most {FILE_MAX}")));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(&error))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(FileBody { name, content: STANDARD.encode(bytes) })
}

/// Saves what the daemon sends, under its name or another one.
pub(super) async fn save(client: &Client, path: &str, output: Option<PathBuf>, json: bool) -> Result<Outcome, Failure> {
    let (name, bytes) = client.file(path).await?;
    // The daemon is believed, but not that far.
    let plain = Path::new(&name).file_name().filter(|plain| *plain == name.as_str() && !name.starts_with('.'));
    let to = match (output, plain) {
        (Some(to), _) => to,
        (None, Some(plain)) => PathBuf::from(plain),
        (None, None) => {
            return Err(Failure::new(Exit::Usage, "the daemon gives the file no name").hint("add --output FILE"));
        }
    };
    if std::fs::symlink_metadata(&to).is_ok() {
        let message = format!("{} already exists and is not overwritten", to.display());
        return Err(Failure::new(Exit::Usage, message).hint("choose another name with --output FILE"));
    }
    let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let whole = dir.join(to.file_name().unwrap_or_default());
    disk::put(&Kernel::default(), &whole, &bytes, Access::Everybody)
        .map_err(|error| Failure::new(Exit::Usage, error.sentence()))?;
    let told = json!({ "file": to.display().to_string(), "bytes": bytes.len() });
    let words = format!("saved {}, {} bytes\n", to.display(), bytes.len());
    Ok(Outcome::done(if json { document(&told) } else { words }))
}

fn path(rollout: &str) -> String {
    format!("/api/v1/rollouts/{}", escape(rollout))
}

fn show(all: &ReportsBody) -> String {
    let mut text = String::new();
    for sent in &all.reports {
        let counts = if sent.counts { "" } else { ", does not count" };
        let published = if sent.published { ", published" } else { "" };
        let _ = writeln!(text, "{}  {}{counts}{published}, {}", sent.team, sent.outcome, moment(&sent.at));
        if !sent.summary.is_empty() {
            let _ = writeln!(text, "  says         {}", sent.summary);
        }
        let file =
            sent.file.as_ref().map_or_else(|| "none".to_owned(), |it| format!("{} ({} bytes)", it.name, it.size));
        let _ = writeln!(text, "  file         {file}");
        if !sent.missing.is_empty() {
            let _ = writeln!(text, "  says nothing about {}", sent.missing.join(", "));
        }
    }
    for (what, teams) in [("not reported", &all.waiting), ("no file", &all.without_file)] {
        if !teams.is_empty() {
            let _ = writeln!(text, "{what}: {}", teams.join(", "));
        }
    }
    let unmentioned: Vec<&str> =
        all.issues.iter().filter(|it| it.open && !it.mentioned).map(|it| it.issue.as_str()).collect();
    if !unmentioned.is_empty() {
        let _ = writeln!(text, "no report mentions: {}", unmentioned.join(", "));
    }
    if let Some(description) = &all.description {
        let _ = writeln!(text, "document: {description}");
    }
    let complete = if all.complete { "All reports are in." } else { "Reports are missing." };
    let _ = writeln!(text, "{complete}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::api::report_texts::{KeptBody, MentionedBody, SentBody};

    #[test]
    fn reports_are_listed_with_what_is_missing() {
        let sent = |team: &str, file: Option<&str>| SentBody {
            team: team.into(),
            counts: file.is_some(),
            outcome: "warning".into(),
            at: "2026-11-29T09:00:00Z".into(),
            summary: "restart it once".into(),
            missing: file.map_or_else(|| vec!["Metrics".into(), "VOs".into()], |_| vec![]),
            file: file.map(|name| KeptBody { name: name.into(), size: 9, sha256: String::new() }),
            published: file.is_some(),
            ..SentBody::default()
        };
        let issue = |issue: &str, mentioned| MentionedBody {
            issue: issue.into(),
            open: true,
            mentioned,
            ..MentionedBody::default()
        };
        let all = ReportsBody {
            description: Some("Staged rollout CA 1.38".into()),
            reports: vec![sent("ea-A-B", Some("ea-A-B-CA-1.38.odt")), sent("ea-C-D", None)],
            waiting: vec!["ea-E-F".into()],
            without_file: vec!["ea-C-D".into()],
            issues: vec![issue("#12", true), issue("#13", false)],
            ..ReportsBody::default()
        };
        insta::assert_snapshot!(
            [show(&all), show(&ReportsBody { complete: true, ..ReportsBody::default() })].join("\n")
        );
    }
}
