//! `rolloutctl people`: the people behind the ids in the logbook.

use super::words::{ago, document};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::table;
use crate::web::api::people::PersonBody;

/// Lists the people in the register: who is behind the ids in the logbook
///
/// It has everybody who ever did something, once for each way they came in: `jane` with a token, `rt:jane` through the
/// webhook `rt`. Requires the role admin.
///
/// Example: rolloutctl people
#[derive(Debug, clap::Args)]
pub struct PeopleArgs {}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(client: &Client, json: bool) -> Result<Outcome, Failure> {
    let width = table::width();
    let mut all: Vec<PersonBody> = client.pages("/api/v1/people?limit=1000", None).await?;
    all.sort_by(|a, b| (a.who.is_none(), &a.who, &a.since).cmp(&(b.who.is_none(), &b.who, &b.since)));
    Ok(Outcome::done(if json { document(&all) } else { show(&all, width) }))
}

fn show(all: &[PersonBody], width: usize) -> String {
    if all.is_empty() {
        return "Nobody has done anything yet.\n".to_owned();
    }
    let row = |person: &PersonBody| {
        let who = person.who.clone().unwrap_or_else(|| "(erased)".to_owned());
        vec![person.id.clone(), ago(&person.since), who]
    };
    table::lay_out(&["ID", "SINCE", "WHO"], &all.iter().map(row).collect::<Vec<_>>(), width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_erased_is_listed_as_such() {
        let person = |id: &str, who: Option<&str>| PersonBody {
            id: id.into(),
            who: who.map(str::to_owned),
            since: "2026-11-20T12:00:00Z".into(),
        };
        let text = show(&[person("p-1", Some("rt:jane")), person("p-2", None)], 100);
        assert!(text.contains("rt:jane") && text.contains("p-2") && text.contains("(erased)"), "{text}");
    }
}
