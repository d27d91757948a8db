//! `rolloutctl check`: one line and an exit code for a monitoring system.

use std::time::Duration;

use super::words::document;
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::process::fact::count;
use crate::web::api::trees::TreeBody;
use crate::web::health::ReadyBody;

/// How long `check` may take. Monitoring kills a plug-in after ten seconds without saying why.
const CHECK_PATIENCE: Duration = Duration::from_secs(8);

/// Checks the daemon for a monitoring system: one line and an exit code
///
/// Exit codes: 0 OK, 1 WARNING (uploads that somebody has to fix), 2 CRITICAL, 3 UNKNOWN. It answers within 8 seconds,
/// even if the daemon does not respond.
///
/// Example: rolloutctl check
#[derive(Debug, clap::Args)]
pub struct CheckArgs;

/// Runs it; whatever happens, there is a result.
pub async fn run(client: &Client, json: bool) -> Outcome {
    check(client, json, CHECK_PATIENCE).await
}

async fn check(client: &Client, json: bool, patience: Duration) -> Outcome {
    let answers = async {
        let ready: ReadyBody = client.get("/readyz").await?;
        let trees: Vec<TreeBody> = client.get("/api/v1/trees").await?;
        Ok::<_, Failure>((ready, trees))
    };
    let unknown = match tokio::time::timeout(patience, answers).await {
        Ok(Ok((ready, trees))) => return checked(&ready, &trees, json),
        Ok(Err(failure)) => failure.message,
        Err(_) => format!("{} timed out after {} s", client.url(), patience.as_secs_f32()),
    };
    let text = if json {
        document(&ReadyBody { ready: false, reasons: vec![unknown], warnings: vec![] })
    } else {
        format!("ROLLOUTD UNKNOWN - {}\n", one_line(&unknown))
    };
    Outcome { text, exit: Exit::NoDaemon }
}

fn checked(ready: &ReadyBody, trees: &[TreeBody], json: bool) -> Outcome {
    let packages: u64 = trees.iter().map(|t| t.packages).sum();
    let dirty = trees.iter().filter(|t| t.dirty).count();
    let perfdata = format!("packages={packages};;;0 dirty_trees={dirty};;;0");
    let (word, exit, words) = if !ready.ready {
        ("CRITICAL", Exit::Usage, ready.reasons.iter().chain(&ready.warnings).cloned().collect::<Vec<_>>().join("; "))
    } else if !ready.warnings.is_empty() {
        ("WARNING", Exit::Refused, ready.warnings.join("; "))
    } else {
        ("OK", Exit::Done, format!("{}, {} listed", count(trees.len(), "tree"), count(packages, "package")))
    };
    let text = if json { document(ready) } else { format!("ROLLOUTD {word} - {} | {perfdata}\n", one_line(&words)) };
    Outcome { text, exit }
}

/// Monitoring reads one line, and performance data after the bar.
fn one_line(words: &str) -> String {
    words.replace('|', "/").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::Connection;

    /// A client of a daemon that accepts connections and never responds.
    async fn client_of_a_mute() -> (Client, tokio::net::TcpListener) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        (Client::new(&Connection { url, token_file: None }).expect("a client"), listener)
    }

    #[tokio::test]
    async fn a_check_does_not_wait_for_a_daemon_that_says_nothing() {
        let (client, _mute) = client_of_a_mute().await;
        let outcome = check(&client, false, Duration::from_millis(100)).await;
        assert_eq!(outcome.exit, Exit::NoDaemon);
        assert!(outcome.text.starts_with("ROLLOUTD UNKNOWN - http://127.0.0.1:"), "{}", outcome.text);
        assert!(outcome.text.ends_with(" timed out after 0.1 s\n"), "{}", outcome.text);
        assert_eq!(outcome.text.lines().count(), 1);
        const { assert!(CHECK_PATIENCE.as_secs() < 10, "monitoring kills after ten") }
    }

    #[tokio::test]
    async fn a_check_that_fails_is_one_document_too() {
        let (client, _mute) = client_of_a_mute().await;
        let outcome = check(&client, true, Duration::from_millis(100)).await;
        let read: ReadyBody = serde_json::from_str(&outcome.text).expect("one document");
        assert!(!read.ready && read.reasons.len() == 1 && outcome.exit == Exit::NoDaemon, "{}", outcome.text);
    }

    #[test]
    fn monitoring_reads_one_line() {
        let tree = TreeBody {
            tree: "testing".into(),
            distribution: "d".into(),
            url: String::new(),
            repo_files: vec![],
            packages: 7,
            revision: 1,
            published: None,
            retiring: 0,
            dirty: true,
            restored: None,
            restoring: None,
        };
        let texts = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (reasons, warnings) = (texts(&["logbook: the disk is full"]), texts(&["uploads d: a.rpm: no\nway in"]));
        let all = [
            ReadyBody { ready: true, reasons: vec![], warnings: vec![] },
            ReadyBody { ready: true, reasons: vec![], warnings: warnings.clone() },
            ReadyBody { ready: false, reasons, warnings },
        ];
        let told = all
            .map(|ready| checked(&ready, std::slice::from_ref(&tree), false))
            .map(|outcome| (outcome.exit, outcome.text));
        let [good, warning, critical] = told;
        assert_eq!([good.0, warning.0, critical.0], [Exit::Done, Exit::Refused, Exit::Usage]);
        insta::assert_snapshot!([good.1, warning.1, critical.1].concat());
    }
}
