//! `rolloutctl release`: what is planned for when, what came of it, and what the board is to be told.

use std::fmt::Write as _;

use super::ask::{escape, recorded};
use super::words::document;
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::table;
use crate::process::fact::count;
use crate::web::api::releases::{
    AgendaBody, CancelReleaseBody, CandidateBody, PlanReleaseBody, ReleaseBody, ScopeBody, ToldBody,
};

/// Plans releases, records that the board was told of them, and shows what came of them
///
/// A release has a day and a scope: rollouts, and bundles with all of theirs. The board is told at least a week before;
/// a procedure with the gate `board_told` lets nothing into production earlier. Emergencies do not wait, and stay on
/// the agenda until the board was told of them.
///
/// Example: rolloutctl release plan UMD-3.1.0 2027-02-01 --title "the February release" --every 30d
#[derive(Debug, clap::Args)]
pub struct ReleaseArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists releases by day, with their candidates by product
    ///
    /// Others can subscribe to this list as a calendar, at /api/v1/releases.ics.
    ///
    /// Example: rolloutctl release list
    List,
    /// Shows one release, and what came of it: reports, issues, roll-backs, reviews
    ///
    /// Example: rolloutctl release show UMD-3.1.0
    Show {
        /// The release
        release: String,
    },
    /// Plans a release, or changes its plan
    ///
    /// Example: rolloutctl release plan UMD-3.2.0 2027-03-01 --title "the March release"
    Plan {
        /// Its name: letters, digits and . _ -
        release: String,
        /// The day, such as 2027-02-01
        on: String,
        /// One line for people; by default, what it was
        #[arg(long, default_value = "")]
        title: String,
        /// The usual time until the next release, such as 30d; by default, what it was, and 0s for none
        #[arg(long)]
        every: Option<String>,
        /// Why; needed if the day changes
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Sets the scope of a release: these rollouts and bundles, and nothing else
    ///
    /// If something new is added, the board has to be told again.
    ///
    /// Example: rolloutctl release scope UMD-3.1.0 rt-1234 rt-1235 --bundle BUNDLE-2027-1
    Scope {
        /// The release
        release: String,
        /// The rollouts
        rollouts: Vec<String>,
        /// A bundle with all of its rollouts
        #[arg(long, value_name = "BUNDLE")]
        bundle: Vec<String>,
        /// Why; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Records that the board was told of a release, or of an emergency
    ///
    /// Example: rolloutctl release told UMD-3.1.0 --on 2027-01-18 --reason "at the monthly meeting"
    Told {
        /// The release
        #[arg(required_unless_present = "emergency")]
        release: Option<String>,
        /// The change that was an emergency
        #[arg(long, value_name = "CHANGE", conflicts_with = "release")]
        emergency: Option<String>,
        /// The day; by default, today
        #[arg(long)]
        on: Option<String>,
        /// Where and how; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Shows what the board is to be told at its next meeting
    ///
    /// Example: rolloutctl release agenda
    Agenda,
    /// Cancels a release; its rollouts go on without it
    ///
    /// Example: rolloutctl release cancel UMD-3.1.0 --reason "its products go into UMD-3.2.0"
    Cancel {
        /// The release
        release: String,
        /// Why, for everybody who relies on it
        #[arg(long)]
        reason: String,
    },
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: ReleaseArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let of = |release: &str, what: &str| format!("/api/v1/releases/{}{what}", escape(release));
    let done = match args.what {
        What::List => {
            let releases: Vec<ReleaseBody> = client.get("/api/v1/releases").await?;
            return Ok(Outcome::done(if json { document(&releases) } else { list(&releases, table::width()) }));
        }
        What::Show { release } => {
            let release: ReleaseBody = client.get(&of(&release, "")).await?;
            return Ok(Outcome::done(if json { document(&release) } else { show(&release, table::width()) }));
        }
        What::Agenda => {
            let agenda: AgendaBody = client.get("/api/v1/agenda").await?;
            return Ok(Outcome::done(if json { document(&agenda) } else { show_agenda(&agenda) }));
        }
        What::Plan { release, on, title, every, reason } => {
            client.put(&of(&release, ""), &PlanReleaseBody { title, on, every, reason }).await?
        }
        What::Scope { release, rollouts, bundle, reason } => {
            client.put(&of(&release, "/scope"), &ScopeBody { rollouts, bundles: bundle, reason }).await?
        }
        What::Told { release, emergency, on, reason } => {
            let path = match (release, emergency) {
                (_, Some(change)) => format!("/api/v1/changes/{}/told", escape(&change)),
                (release, None) => of(&release.unwrap_or_default(), "/told"),
            };
            client.post(&path, &ToldBody { on, reason }).await?
        }
        What::Cancel { release, reason } => client.delete(&of(&release, ""), &CancelReleaseBody { reason }).await?,
    };
    Ok(recorded(&done, json))
}

/// The products of a release, each once.
fn products(release: &ReleaseBody) -> String {
    let mut products: Vec<&str> = release.candidates.iter().map(|candidate| candidate.product.as_str()).collect();
    products.dedup();
    products.join(", ")
}

fn list(releases: &[ReleaseBody], width: usize) -> String {
    if releases.is_empty() {
        return "No release is planned. `rolloutctl release plan --help` says how to plan one.\n".to_owned();
    }
    let row = |release: &ReleaseBody| {
        let slipped = if release.slipped.is_empty() { String::new() } else { " (slipped)".to_owned() };
        vec![
            format!("{}{slipped}", release.on),
            release.release.clone(),
            release.standing.clone(),
            release.told.clone().unwrap_or_else(|| "not yet".to_owned()),
            release.title.clone(),
            products(release),
        ]
    };
    let rows: Vec<_> = releases.iter().map(row).collect();
    table::lay_out(&["DAY", "RELEASE", "STANDING", "BOARD TOLD", "TITLE", "CANDIDATES"], &rows, width)
}

fn show(release: &ReleaseBody, width: usize) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "release     {}", release.release);
    let _ = writeln!(text, "title       {}", release.title);
    let before = if release.slipped.is_empty() {
        String::new()
    } else {
        format!("; it was {} before", release.slipped.join(", "))
    };
    let every = release.every.as_ref().map(|every| format!(", every {every}")).unwrap_or_default();
    let _ = writeln!(text, "day         {}{every}{before}", release.on);
    let _ = writeln!(text, "standing    {}", release.standing);
    let _ = writeln!(text, "board told  {}", release.told.as_deref().unwrap_or("not yet"));
    if !release.bundles.is_empty() {
        let _ = writeln!(text, "bundles     {}", release.bundles.join(", "));
    }
    if release.candidates.is_empty() {
        return text + "It has no scope yet.\n";
    }
    let row = |candidate: &CandidateBody| {
        let CandidateBody { reports: [good, warnings, bad], issues: [all, open], answers, .. } = candidate;
        let state =
            if candidate.withdrawn { format!("{} (withdrawn)", candidate.state) } else { candidate.state.clone() };
        let overdue = if candidate.overdue_reviews > 0 { " OVERDUE" } else { "" };
        let [asked, documented, works] = answers;
        vec![
            candidate.product.clone(),
            candidate.rollout.clone(),
            state,
            format!("{good} good, {}, {bad} failed", count(warnings, "warning")),
            format!("{all}, {open} open"),
            candidate.roll_backs.to_string(),
            format!("documented {documented}/{asked}, works {works}/{asked}{overdue}"),
        ]
    };
    let rows: Vec<_> = release.candidates.iter().map(row).collect();
    let head = ["PRODUCT", "ROLLOUT", "STATE", "REPORTS", "ISSUES", "ROLL-BACKS", "REVIEWS"];
    text + "\n" + &table::lay_out(&head, &rows, width)
}

fn show_agenda(agenda: &AgendaBody) -> String {
    let mut text = String::new();
    for release in &agenda.releases {
        let title = if release.title.is_empty() { String::new() } else { format!(": {}", release.title) };
        let _ = writeln!(text, "release    {} on {}{title}", release.release, release.on);
        for candidate in &release.candidates {
            let _ = writeln!(text, "             {} ({} in {})", candidate.product, candidate.rollout, candidate.state);
        }
    }
    for emergency in &agenda.emergencies {
        let _ = writeln!(text, "emergency  {} ({}): {}", emergency.change, emergency.status, emergency.title);
        for rollout in &emergency.rollouts {
            let _ = writeln!(text, "             {rollout}");
        }
    }
    if text.is_empty() {
        text.push_str("There is nothing that the board has to be told.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::api::releases::EmergencyBody;

    fn candidate(rollout: &str, product: &str) -> CandidateBody {
        CandidateBody {
            product: product.into(),
            rollout: rollout.into(),
            state: "Production".into(),
            released: true,
            withdrawn: false,
            reports: [2, 1, 0],
            issues: [3, 1],
            roll_backs: 0,
            answers: [2, 1, 2],
            overdue_reviews: 0,
        }
    }

    fn release(name: &str, candidates: Vec<CandidateBody>) -> ReleaseBody {
        let is_new = candidates.is_empty();
        ReleaseBody {
            release: name.into(),
            title: if is_new { String::new() } else { "the February release".into() },
            on: "2027-02-01".into(),
            slipped: if is_new { vec![] } else { vec!["2027-01-25".into()] },
            every: (!is_new).then(|| "30d".into()),
            standing: if is_new { "planned".into() } else { "withdrawn".into() },
            told: (!is_new).then(|| "2027-01-18".into()),
            bundles: if is_new { vec![] } else { vec!["BUNDLE-2027-1".into()] },
            candidates,
        }
    }

    fn february() -> ReleaseBody {
        let back = CandidateBody {
            state: "Rejected".into(),
            released: false,
            withdrawn: true,
            roll_backs: 2,
            answers: [0, 0, 0],
            overdue_reviews: 1,
            ..candidate("rt-2", "EMI.dpm.sl6.x86_64")
        };
        release("UMD-3.1.0", vec![candidate("rt-1", "EMI.bdii-site.sl6.x86_64"), back])
    }

    #[test]
    fn releases_are_listed_by_day_with_their_candidates() {
        insta::assert_snapshot!(list(&[february(), release("UMD-3.2.0", vec![])], 160));
        insta::assert_snapshot!(list(&[], 100));
    }

    #[test]
    fn what_came_of_a_release_is_shown() {
        insta::assert_snapshot!(show(&february(), 200) + "\n" + &show(&release("UMD-3.2.0", vec![]), 200));
    }

    #[test]
    fn the_agenda_has_releases_and_emergencies() {
        let emergency = EmergencyBody {
            change: "rt-4713".into(),
            title: "CVE-2026-1".into(),
            status: "In progress".into(),
            rollouts: vec!["rt-9".into()],
        };
        insta::assert_snapshot!(show_agenda(&AgendaBody { releases: vec![february()], emergencies: vec![emergency] }));
        insta::assert_snapshot!(show_agenda(&AgendaBody { releases: vec![], emergencies: vec![] }));
    }
}
