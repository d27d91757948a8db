//! What many commands ask of the daemon in the same way: a rollout, and that something is recorded.

use std::io::{IsTerminal as _, Write as _};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::words::document;
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::web::api::asking::RecordedBody;
use crate::web::api::rollouts::RolloutBody;

/// A rollout from the daemon.
pub(super) async fn one(client: &Client, rollout: &str) -> Result<RolloutBody, Failure> {
    client.get(&format!("/api/v1/rollouts/{}", escape(rollout))).await
}

/// Whether somebody sits at a terminal who can be asked. A script has decided when it was written, and so has whoever says
/// `--yes`.
pub(super) fn asks(yes: bool) -> bool {
    !yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks whether to go on with what cannot be undone, if anybody can be [asked](asks).
pub(super) fn confirm(yes: bool, what: &str) -> Result<(), Failure> {
    let (input, mut output) = (std::io::stdin(), std::io::stderr());
    if !asks(yes) {
        return Ok(());
    }
    let mut answer = String::new();
    let asked = write!(output, "{what} Go on? [y/N] ").and_then(|()| input.read_line(&mut answer));
    let is_yes = |answer: &str| matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes");
    match asked {
        Ok(_) if is_yes(&answer) => Ok(()),
        _ => Err(Failure::new(Exit::Refused, "nothing was changed").hint("--yes does it without asking")),
    }
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
