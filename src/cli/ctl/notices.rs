//! `rolloutctl notices`: what people have to be told.

use std::fmt::Write as _;

use super::ask::recorded;
use super::words::{ago, document};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::table;
use crate::web::api::notices::{NoticeBody, ToldBody};

/// Shows what people have to be told, and records that they were
///
/// A procedure says who is told what, and when. Nothing is sent: copy the text into a mail or a broadcast, and record
/// it with `told`. `rolloutctl outbox` shows what programs have to be told.
///
/// Example: rolloutctl notices --to srm
#[derive(Debug, clap::Args)]
pub struct NoticesArgs {
    #[command(subcommand)]
    what: Option<What>,
    /// Only those to this group
    #[arg(long, value_name = "GROUP")]
    to: Option<String>,
    /// Only those about this rollout
    #[arg(long, value_name = "ROLLOUT")]
    rollout: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Shows one notice with its text
    ///
    /// Example: rolloutctl notices show 4711
    Show {
        /// Its number
        notice: u64,
    },
    /// Records that people were told
    ///
    /// Example: rolloutctl notices told 4711 --reason "a broadcast to all sites"
    Told {
        /// Its number
        notice: u64,
        /// How; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: NoticesArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    match args.what {
        None => {
            let word = |name: &str, value: Option<String>| {
                value.map(|value| format!("&{name}={}", super::ask::escape(&value))).unwrap_or_default()
            };
            let path = format!("/api/v1/notices?limit=1000{}{}", word("to", args.to), word("rollout", args.rollout));
            let all: Vec<NoticeBody> = client.pages(&path, None).await?;
            Ok(Outcome::done(if json { document(&all) } else { list(&all, table::width()) }))
        }
        Some(What::Show { notice }) => {
            let found: NoticeBody = client.get(&format!("/api/v1/notices/{notice}")).await?;
            Ok(Outcome::done(if json { document(&found) } else { show(&found) }))
        }
        Some(What::Told { notice, reason }) => {
            let done = client.post(&format!("/api/v1/notices/{notice}/told"), &ToldBody { reason }).await?;
            Ok(recorded(&done, json))
        }
    }
}

fn list(all: &[NoticeBody], width: usize) -> String {
    if all.is_empty() {
        return "Nobody has to be told anything.\n".to_owned();
    }
    let row = |one: &NoticeBody| vec![one.notice.to_string(), ago(&one.since), recipients(one), one.subject.clone()];
    table::lay_out(&["NOTICE", "SINCE", "TO", "SUBJECT"], &all.iter().map(row).collect::<Vec<_>>(), width)
}

/// The groups; teams stand for the groups that they are.
fn recipients(one: &NoticeBody) -> String {
    let is_named = |group: &&String| one.teams.is_empty() || !["team", "early-adopters"].contains(&group.as_str());
    one.teams.iter().chain(one.to.iter().filter(is_named)).cloned().collect::<Vec<_>>().join(", ")
}

fn show(one: &NoticeBody) -> String {
    let mut text = format!("To: {}\nSubject: {}\n", recipients(one), one.subject);
    if let Some(body) = &one.text {
        let _ = write!(text, "\n{}", body.trim_end_matches('\n'));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::{Field, Group};
    use crate::domain::workflow::Notice;
    use crate::process::procedure;

    fn sample() -> NoticeBody {
        NoticeBody {
            notice: 4711,
            to: vec!["early-adopters".into(), "srm".into()],
            teams: vec!["ea-NGI_IBERGRID-LIP-Lisbon".into()],
            template: "withdrawn".into(),
            subject: "rt-1 was rejected".into(),
            text: Some("Please go back:\n\n  dnf distro-sync\n".into()),
            since: "2026-12-01T08:00:00Z".into(),
            entry: 4710,
            rollout: Some("rt-1".into()),
            bundle: None,
        }
    }

    /// The tables of the README are those of the program.
    #[test]
    fn the_readme_has_every_notice_and_every_value() {
        let readme = include_str!("../../../README.md");
        let mut table = "| procedure | when | who is told | template |\n|---|---|---|---|\n".to_owned();
        for name in procedure::names() {
            for Notice { when, to, template } in procedure::built_in(name).expect("it ships").notices() {
                let to: Vec<&str> = to.iter().map(Group::as_str).collect();
                let _ = writeln!(table, "| {name} | {when} | {} | {template} |", to.join(", "));
            }
        }
        assert!(readme.contains(&table), "the README should have\n{table}");
        let values = Field::ALL.iter().map(|(word, field)| format!("| `{{{word}}}` | {} |\n", field.doc()));
        let table: String = std::iter::once("| value | what it is |\n|---|---|\n".to_owned()).chain(values).collect();
        assert!(readme.contains(&table), "the README should have\n{table}");
    }

    #[test]
    fn notices_are_shown() {
        insta::assert_snapshot!(list(&[sample()], 120));
        insta::assert_snapshot!(list(&[], 120));
        insta::assert_snapshot!(show(&sample()));
    }
}
