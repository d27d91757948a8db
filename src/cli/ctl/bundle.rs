//! `rolloutctl bundle` and `update`: rollouts that are released together, and the numbers of updates.

use std::fmt::Write as _;

use super::ask::{escape, recorded};
use super::moving::{at_rest, not_moved};
use super::words::{ago, document, moment, own_name};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::table;
use crate::web::api::bundles::{
    AffectedBody, ApproveBundleBody, BundleBody, CloseBundleBody, CorrectBody, CorrectionsBody, MoveBundleBody,
    NumberBody, OpenBundleBody, RolloutsBody, UpdateBody,
};

/// Opens, fills, moves and closes bundles: rollouts that are released together
///
/// Example: rolloutctl bundle move BUNDLE-2011-12 'Rolling out' --reason "the pages are ready"
#[derive(Debug, clap::Args)]
pub struct BundleArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists bundles
    ///
    /// Example: rolloutctl bundle list --open
    List {
        /// Only those that are open
        #[arg(long)]
        open: bool,
    },
    /// Shows one bundle: its rollouts, and what its release notes list
    ///
    /// Example: rolloutctl bundle show BUNDLE-2011-12
    Show {
        /// The bundle
        bundle: String,
    },
    /// Opens a bundle under an id that was never used before
    ///
    /// Example: rolloutctl bundle open BUNDLE-2011-12 --title "VOMS and its clients"
    Open {
        /// Its id: letters, digits and . _ -
        bundle: String,
        /// One line for people
        #[arg(long, default_value = "")]
        title: String,
    },
    /// Adds rollouts to a bundle; nothing may have moved for them yet
    ///
    /// Example: rolloutctl bundle add BUNDLE-2011-12 rt-1234 rt-1235
    Add(Members),
    /// Takes a rollout out of a bundle
    ///
    /// Example: rolloutctl bundle remove BUNDLE-2011-12 rt-1235 --reason "it is not ready"
    Remove {
        /// The bundle
        bundle: String,
        /// The rollout
        rollout: String,
        /// Why; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Sets what the release notes of a bundle list: by default, its members
    ///
    /// Example: rolloutctl bundle notes BUNDLE-2011-12 rt-1234 rt-1235
    Notes {
        /// The bundle
        bundle: String,
        /// The rollouts
        rollouts: Vec<String>,
        /// Why; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Approves the step of a bundle's rollouts to a state: all of them, or none
    ///
    /// `rolloutctl approve ROLLOUT STATE --withdraw` takes it back for one of them.
    ///
    /// Example: rolloutctl bundle approve BUNDLE-2011-12 'In Production' --reason "the tasks are done"
    Approve {
        /// The bundle
        bundle: String,
        /// The state; spaces, dashes and case do not matter
        state: String,
        /// Only this rollout
        #[arg(long, value_name = "ROLLOUT")]
        only: Vec<String>,
        /// For this role, if you have several
        #[arg(long)]
        role: Option<String>,
        /// Why; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Takes one step with all rollouts of a bundle, or with some of them: all or none
    ///
    /// --only may also name rollouts of other bundles that its release notes list.
    ///
    /// Waits until the packages have moved. Exit codes are those of `rolloutctl move`.
    ///
    /// Example: rolloutctl bundle move BUNDLE-2011-12 'In Production'
    Move {
        /// The bundle
        bundle: String,
        /// The state to reach; spaces, dashes and case do not matter
        state: String,
        /// Only this rollout of the bundle or of its release notes; the others stay where they are
        #[arg(long, value_name = "ROLLOUT")]
        only: Vec<String>,
        /// Do not wait until the packages have moved
        #[arg(long)]
        no_wait: bool,
        /// Why; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Lists the teams that a bundle concerns: those that run what is changed, and those that use the same repository
    ///
    /// Node types are those of its rollouts (`rolloutctl describe`) and of the registry (`rolloutctl team`). If some of
    /// its rollouts were rejected, only those count.
    ///
    /// Example: rolloutctl bundle affected BUNDLE-2011-12
    Affected {
        /// The bundle
        bundle: String,
    },
    /// Shows what would make a bundle and its release notes agree, or does it
    ///
    /// Rollouts that the notes list but the bundle lacks are taken off the notes. Rollouts of the bundle that the notes
    /// lack are added to them, or withdrawn.
    ///
    /// Example: rolloutctl bundle correct BUNDLE-2011-12 --withdraw --apply --reason "rt-1235 is not ready"
    Correct {
        /// The bundle
        bundle: String,
        /// Withdraw rollouts that the notes do not list
        #[arg(long)]
        withdraw: bool,
        /// Do it
        #[arg(long)]
        apply: bool,
        /// Why; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Closes a bundle; its id is never used again
    ///
    /// Example: rolloutctl bundle close BUNDLE-2011-12 --reason "it was released"
    Close {
        /// The bundle
        bundle: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, clap::Args)]
struct Members {
    /// The bundle
    bundle: String,
    /// The rollouts
    #[arg(required = true)]
    rollouts: Vec<String>,
    /// Why; recorded in the logbook
    #[arg(long, default_value = "")]
    reason: String,
}

/// Gives an update the next number of its series, or lists updates
///
/// Example: rolloutctl update gLite-3.2 --bundle BUNDLE-2011-12
#[derive(Debug, clap::Args)]
pub struct UpdateArgs {
    /// Give the next number of this series
    series: Option<String>,
    /// What is released; by default, the rollouts of the bundle
    #[arg(requires = "series")]
    rollouts: Vec<String>,
    /// The bundle that is released
    #[arg(long, requires = "series")]
    bundle: Option<String>,
    /// Why; recorded in the logbook
    #[arg(long, default_value = "")]
    reason: String,
}

/// Runs `bundle`.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: BundleArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let of = |bundle: &str, what: &str| format!("/api/v1/bundles/{}{what}", escape(bundle));
    let done = match args.what {
        What::List { open } => {
            let path = format!("/api/v1/bundles?limit=1000{}", if open { "&open=true" } else { "" });
            let bundles: Vec<BundleBody> = client.pages(&path, None).await?;
            return Ok(Outcome::done(if json { document(&bundles) } else { list(&bundles, table::width()) }));
        }
        What::Show { bundle } => {
            let bundle: BundleBody = client.get(&of(&bundle, "")).await?;
            return Ok(Outcome::done(if json { document(&bundle) } else { show(&bundle) }));
        }
        What::Open { bundle, title } => client.post("/api/v1/bundles", &OpenBundleBody { bundle, title }).await?,
        What::Add(Members { bundle, rollouts, reason }) => {
            client.post(&of(&bundle, "/rollouts"), &RolloutsBody { rollouts, reason }).await?
        }
        What::Remove { bundle, rollout, reason } => {
            let path = of(&bundle, &format!("/rollouts/{}", escape(&rollout)));
            client.delete(&path, &CloseBundleBody { reason }).await?
        }
        What::Notes { bundle, rollouts, reason } => {
            client.put(&of(&bundle, "/notes"), &RolloutsBody { rollouts, reason }).await?
        }
        What::Approve { bundle, state, only, role, reason } => {
            client.post(&of(&bundle, "/approvals"), &ApproveBundleBody { state, only, role, reason }).await?
        }
        What::Move { bundle, state, only, no_wait, reason } => {
            let body = MoveBundleBody { state, only, reason };
            let moved = client.post(&of(&bundle, "/move"), &body).await?;
            if !no_wait {
                at_rest_all(client, &of(&bundle, ""), &body.only).await?;
            }
            moved
        }
        What::Affected { bundle } => {
            let found: Vec<AffectedBody> = client.get(&of(&bundle, "/affected")).await?;
            return Ok(Outcome::done(if json { document(&found) } else { affected(&bundle, &found, table::width()) }));
        }
        What::Correct { bundle, withdraw, apply: false, .. } => {
            let found: CorrectionsBody = client.get(&of(&bundle, &format!("/corrections?withdraw={withdraw}"))).await?;
            return Ok(Outcome::done(if json { document(&found) } else { corrections(&bundle, &found) }));
        }
        What::Correct { bundle, withdraw, apply: true, reason } => {
            let done = client.post(&of(&bundle, "/corrections"), &CorrectBody { withdraw, reason }).await?;
            at_rest_all(client, &of(&bundle, ""), &[]).await?;
            done
        }
        What::Close { bundle, reason } => client.delete(&of(&bundle, ""), &CloseBundleBody { reason }).await?,
    };
    Ok(recorded(&done, json))
}

fn affected(bundle: &str, teams: &[AffectedBody], width: usize) -> String {
    if teams.is_empty() {
        return format!("{bundle} concerns no team in the registry.\n");
    }
    let row = |one: &AffectedBody| {
        let how = if one.directly { "directly" } else { "indirectly" };
        let task = if one.has_task { "yes" } else { "" };
        vec![one.team.clone(), how.to_owned(), one.node_types.join(", "), task.to_owned()]
    };
    let rows: Vec<_> = teams.iter().map(row).collect();
    table::lay_out(&["TEAM", "AFFECTED", "NODE TYPES", "ROLL-OUT TASK"], &rows, width)
}

/// Waits until nothing is being moved for these rollouts, or for any rollout of a bundle if none is named.
async fn at_rest_all(client: &Client, path: &str, only: &[String]) -> Result<(), Failure> {
    let all: Vec<String> = if only.is_empty() {
        let bundle: BundleBody = client.get(path).await?;
        bundle.rollouts.into_iter().map(|member| member.rollout).collect()
    } else {
        only.to_vec()
    };
    for rollout in all {
        let rollout = at_rest(client, &rollout).await?;
        if rollout.moving {
            return Err(not_moved(&rollout, &own_name()));
        }
    }
    Ok(())
}

/// Runs `update`.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn update(args: UpdateArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let UpdateArgs { series, rollouts, bundle, reason } = args;
    if let Some(series) = series {
        let body = NumberBody { series, bundle, rollouts, reason };
        return Ok(recorded(&client.post("/api/v1/updates", &body).await?, json));
    }
    let updates: Vec<UpdateBody> = client.pages("/api/v1/updates?limit=1000", None).await?;
    Ok(Outcome::done(if json { document(&updates) } else { list_updates(&updates, table::width()) }))
}

fn list(bundles: &[BundleBody], width: usize) -> String {
    if bundles.is_empty() {
        return "There are no bundles. `rolloutctl bundle open --help` says how to open one.\n".to_owned();
    }
    let row = |bundle: &BundleBody| {
        let state = if bundle.closed { "closed" } else { "open" };
        let rollouts = bundle.rollouts.len().to_string();
        vec![bundle.bundle.clone(), state.to_owned(), ago(&bundle.since), rollouts, bundle.title.clone()]
    };
    let rows: Vec<_> = bundles.iter().map(row).collect();
    table::lay_out(&["BUNDLE", "STATE", "OPENED", "ROLLOUTS", "TITLE"], &rows, width)
}

fn show(bundle: &BundleBody) -> String {
    let mut text = String::new();
    let state = if bundle.closed { "closed" } else { "open" };
    let _ = writeln!(text, "bundle   {}", bundle.bundle);
    let _ = writeln!(text, "title    {}", bundle.title);
    let _ = writeln!(text, "state    {state}");
    let _ = writeln!(text, "opened   {}", moment(&bundle.since));
    for member in &bundle.rollouts {
        let _ = writeln!(text, "rollout  {} in {}: {}", member.rollout, member.state, member.title);
    }
    let notes = match &bundle.announced {
        None => "nothing yet".to_owned(),
        Some(announced) => announced.join(", "),
    };
    let _ = writeln!(text, "notes    {notes}");
    text
}

fn corrections(bundle: &str, found: &CorrectionsBody) -> String {
    let mut text = String::new();
    if found.steps.is_empty() {
        let _ = writeln!(text, "{bundle} and its release notes agree.");
    } else {
        let _ = writeln!(text, "To be corrected in {bundle}; add --apply to do it:");
    }
    for step in &found.steps {
        let _ = writeln!(text, "  {step}");
    }
    if !found.by_hand.is_empty() {
        text.push_str("By hand:\n");
    }
    for line in &found.by_hand {
        let _ = writeln!(text, "  {line}");
    }
    text
}

fn list_updates(updates: &[UpdateBody], width: usize) -> String {
    if updates.is_empty() {
        return "There are no updates. `rolloutctl update --help` says how to number one.\n".to_owned();
    }
    let row = |update: &UpdateBody| {
        let bundle = update.bundle.clone().unwrap_or_default();
        let (number, priority) = (update.number.to_string(), update.priority.clone().unwrap_or_default());
        vec![update.series.clone(), number, ago(&update.at), priority, bundle, update.rollouts.join(", ")]
    };
    let rows: Vec<_> = updates.iter().map(row).collect();
    table::lay_out(&["SERIES", "UPDATE", "SINCE", "PRIORITY", "BUNDLE", "ROLLOUTS"], &rows, width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::api::bundles::MemberBody;

    #[test]
    fn teams_that_a_bundle_concerns_are_listed() {
        let one = |team: &str, node_types: &[&str], has_task| AffectedBody {
            team: team.into(),
            directly: !node_types.is_empty(),
            node_types: node_types.iter().map(|&name| name.to_owned()).collect(),
            has_task,
        };
        let all = [one("ea-NGI_CH-CSCS", &[], true), one("ea-NGI_IT-INFN-T1", &["UI", "WN"], false)];
        insta::assert_snapshot!(affected("BUNDLE-2011-12", &all, 120) + "\n" + &affected("BUNDLE-2011-13", &[], 120));
    }

    #[test]
    fn bundles_and_updates_are_shown() {
        let at = || "2026-11-29T09:00:00Z".to_owned();
        let member = |rollout: &str| MemberBody {
            rollout: rollout.into(),
            state: "Rolling out".into(),
            title: "VOMS 2.0".into(),
        };
        let bundle = |closed, announced| BundleBody {
            bundle: "BUNDLE-2011-12".into(),
            title: "VOMS and its clients".into(),
            since: at(),
            closed,
            rollouts: vec![member("patch-4000"), member("patch-4001")],
            announced,
        };
        let listed = list(&[bundle(false, None), bundle(true, None)], 100);
        let shown = show(&bundle(false, Some(vec!["patch-4000".into()])));
        let update = UpdateBody {
            series: "gLite-3.2".into(),
            number: 14,
            at: at(),
            rollouts: vec!["patch-4000".into()],
            bundle: Some("BUNDLE-2011-12".into()),
            priority: Some("URGENT".into()),
        };
        let found = CorrectionsBody {
            steps: vec!["come off the release notes: patch-4002".into()],
            by_hand: vec!["patch-4001 is behind the others: bundle move B 'Rolling out' --only patch-4001".into()],
        };
        let agree = CorrectionsBody { steps: vec![], by_hand: vec![] };
        let corrected = [corrections("B", &found), corrections("B", &agree)].concat();
        let text =
            [corrected, listed, list(&[], 100), shown, list_updates(&[update], 100), list_updates(&[], 100)].join("\n");
        insta::assert_snapshot!(text);
    }
}
