//! `rolloutctl outbox`: notices that are waiting, and those that were given up.

use std::fmt::Write as _;

use super::words::{document, moment};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::web::api::outbox::OutboxBody;

/// Shows notices that receivers have not accepted yet, and those that were given up
///
/// Receivers are configured in `[[outgoing]]`.
///
/// Example: rolloutctl outbox
#[derive(Debug, clap::Args)]
pub struct OutboxArgs;

/// Runs it.
///
/// # Errors
/// If there is no daemon.
pub async fn run(client: &Client, json: bool) -> Result<Outcome, Failure> {
    let outbox: OutboxBody = client.get("/api/v1/outbox").await?;
    Ok(Outcome::done(if json { document(&outbox) } else { show_outbox(&outbox) }))
}

fn show_outbox(outbox: &OutboxBody) -> String {
    let mut text = String::new();
    for due in &outbox.due {
        let since = moment(&due.since);
        let of = about(due.rollout.as_ref(), due.change.as_ref());
        let _ = writeln!(text, "{} is to be notified of entry {} of {of} since {since}", due.to, due.entry);
    }
    let more = outbox.waiting.saturating_sub(outbox.due.len() as u64);
    if more > 0 {
        let _ = writeln!(text, "and {more} more");
    }
    for lost in &outbox.given_up {
        let at = moment(&lost.at);
        let of = about(lost.rollout.as_ref(), lost.change.as_ref());
        let _ = writeln!(text, "{} was not notified of {of}, given up {at}: {}", lost.to, lost.why);
    }
    if text.is_empty() {
        text.push_str("Nothing is waiting: every receiver has accepted every notice.\n");
    }
    text
}

/// What a notice is about.
fn about<'a>(rollout: Option<&'a String>, change: Option<&'a String>) -> &'a str {
    rollout.or(change).map_or("nothing", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::api::outbox::{DueBody, GivenUpBody};

    #[test]
    fn what_waits_and_what_was_given_up_is_said() {
        let at = || "2026-11-29T09:00:00Z".to_owned();
        let (to, rollout) = ("chat".to_owned(), Some("rt-1".to_owned()));
        let due = DueBody { notice: 7, to: to.clone(), entry: 6, rollout: rollout.clone(), change: None, since: at() };
        let why = "it responded with 410 Gone".to_owned();
        let given_up = GivenUpBody { notice: 3, to, rollout, change: None, at: at(), why };
        let outbox = OutboxBody { waiting: 3, due: vec![due], given_up: vec![given_up] };
        insta::assert_snapshot!(show_outbox(&outbox));
        let nothing = OutboxBody { waiting: 0, due: vec![], given_up: vec![] };
        insta::assert_snapshot!(show_outbox(&nothing));
    }
}
