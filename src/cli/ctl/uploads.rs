//! `rolloutctl uploads`: uploads that are waiting.

use std::fmt::Write as _;

use super::words::{document, moment};
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::process::fact::count;
use crate::web::api::uploads::UploadsBody;

/// Shows uploads that are waiting: why, since when, and what to do
///
/// Exit codes: 0 nobody has to act, 1 somebody has to.
///
/// Example: rolloutctl uploads
#[derive(Debug, clap::Args)]
pub struct UploadsArgs;

/// Runs it.
///
/// # Errors
/// If there is no daemon.
pub async fn run(client: &Client, json: bool) -> Result<Outcome, Failure> {
    let all: Vec<UploadsBody> = client.get("/api/v1/uploads").await?;
    let exit = if all.iter().any(|one| one.troubles > 0) { Exit::Refused } else { Exit::Done };
    Ok(Outcome { text: if json { document(&all) } else { show_uploads(&all) }, exit })
}

fn show_uploads(all: &[UploadsBody]) -> String {
    let mut text = String::new();
    for one in all.iter().filter(|one| one.total > 0) {
        let _ = writeln!(text, "{}: {} waiting", one.distribution, count(one.total, "file"));
        for file in &one.files {
            let since = file.since.as_deref().map(|at| format!(" since {}", moment(at))).unwrap_or_default();
            let _ = writeln!(text, "  {} ({}{since})", file.path, file.kind);
            let _ = writeln!(text, "    why:   {}", file.why);
            let _ = writeln!(text, "    to do: {}", file.remedy);
        }
        let more = one.total.saturating_sub(one.files.len() as u64);
        if more > 0 {
            let _ = writeln!(text, "  and {more} more");
        }
    }
    if text.is_empty() {
        text.push_str("Nothing is waiting: all uploads were taken in or refused; see `rolloutctl rejected`.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::api::uploads::UploadBody;

    #[test]
    fn waiting_uploads_are_shown() {
        let file = |path: &str, kind: &str, since: Option<&str>| UploadBody {
            path: path.into(),
            kind: kind.into(),
            why: "it is not complete yet: it has fewer or other bytes than it says".into(),
            since: since.map(str::to_owned),
            remedy: "upload the rest".into(),
        };
        let all = [
            UploadsBody { distribution: "umd/3/sl6/x86_64".into(), total: 0, troubles: 0, files: vec![] },
            UploadsBody {
                distribution: "umd/4/el7/x86_64".into(),
                total: 3,
                troubles: 1,
                files: vec![file("a.rpm", "incomplete", Some("2026-11-20T12:00:00Z")), file("jane/b.rpm", "new", None)],
            },
        ];
        insta::assert_snapshot!(show_uploads(&all));
    }

    #[test]
    fn no_waiting_uploads_are_shown() {
        insta::assert_snapshot!(show_uploads(&[]));
    }
}
