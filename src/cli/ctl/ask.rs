//! What many commands ask of the daemon in the same way: a rollout, and that something is recorded.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::words::document;
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::web::api::asking::RecordedBody;
use crate::web::api::rollouts::RolloutBody;

/// A rollout from the daemon.
pub(super) async fn one(client: &Client, rollout: &str) -> Result<RolloutBody, Failure> {
    client.get(&format!("/api/v1/rollouts/{}", escape(rollout))).await
}

/// The output of a command that only records something: the sentence that the logbook has.
pub(super) fn recorded(done: &RecordedBody, json: bool) -> Outcome {
    let words = || format!("{} (logbook entry {})\n{}", done.says, done.entry, warned(&done.warnings));
    Outcome::done(if json { document(done) } else { words() })
}

/// What whoever asked should know, a line each.
pub(super) fn warned(warnings: &[String]) -> String {
    warnings.iter().map(|warning| format!("warning: {warning}\n")).collect::<Vec<_>>().concat()
}

/// A part of a path or query, percent-encoded.
pub(super) fn escape(text: &str) -> String {
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, PLAIN).to_string()
}
