//! `rolloutctl erase`: erases somebody from the register of people.

use super::ask::{confirm, escape};
use super::words::document;
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::web::api::people::{EraseBody, ErasedBody};

/// Erases a person's identity; what they did stays in the logbook
///
/// The logbook names people by an id, and the register says who that is. This removes somebody from the register: from
/// then on they are shown as an erased person. If they come again, they get a new id. It cannot be undone. Somebody who
/// came in several ways has to be erased once for each.
///
/// Not covered: entries from before there were ids, reasons and titles that name somebody, backups, the machine's
/// journal and the tracker. SECURITY.md says what to do about these. Requires the role admin.
///
/// Example: rolloutctl erase rt:jane --reason "left the project; asked for it on 3 May"
#[derive(Debug, clap::Args)]
pub struct EraseArgs {
    /// The person, as `rolloutctl people` prints them: the id, or the whole identity
    person: String,
    /// Why; stays in the logbook for ever, so do not name the person
    #[arg(long)]
    reason: String,
    /// Do not ask whether to go on, as is done at a terminal
    #[arg(long)]
    yes: bool,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: EraseArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let EraseArgs { person, reason, yes } = args;
    confirm(yes, &format!("Nobody will know any more who {person} is, and that cannot be undone."))?;
    let path = format!("/api/v1/people/{}", escape(&person));
    let erased: ErasedBody = client.delete(&path, &EraseBody { reason }).await?;
    let words = if erased.erased {
        format!("{} is now an erased person.\n", erased.id)
    } else {
        format!(
            "{} is recorded as erased, but the register cannot be written now. The daemon keeps trying; \
             `rolloutctl check` says what is in the way.\n",
            erased.id
        )
    };
    Ok(Outcome::done(if json { document(&erased) } else { words }))
}
