//! `rolloutctl change`: what people ask to be changed, and the rollouts that carry it out.

use std::fmt::Write as _;

use super::ask::{escape, recorded};
use super::words::{document, moment};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::table;
use crate::web::api::changes::{ApproveChangeBody, AssessBody, ChangeBody, RecordChangeBody, StatusBody, TieBody};

/// Records, assesses, approves and tracks changes: what people ask for
///
/// A change is recorded, assessed by those who would do the work, approved by the groups that the site names, and
/// accepted. One that a rule of the site covers is standard and needs no approval; neither does an emergency. Rollouts
/// carry it out: while a change is stalled, their steps and their time in a tree wait.
///
/// Example: rolloutctl change open rt-4711 --title "a view of all sites" --category "Accounting Portal"
#[derive(Debug, clap::Args)]
pub struct ChangeArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists changes, open ones first, by priority
    ///
    /// Example: rolloutctl change list --status "In progress"
    List {
        /// Only those with this status: New, Accepted, Rejected, In progress, Resolved, Stalled
        #[arg(long)]
        status: Option<String>,
        /// Only those of this category
        #[arg(long)]
        category: Option<String>,
    },
    /// Shows one change: its assessment, its approvals and its rollouts
    ///
    /// Example: rolloutctl change show rt-4711
    Show {
        /// The change
        change: String,
    },
    /// Records a change
    ///
    /// Example: rolloutctl change open rt-4713 --title "a security hole in VOMS" --kind emergency --priority immediate
    Open(OpenArgs),
    /// Assesses a change: what work it is, and how urgent
    ///
    /// Approvals of an earlier assessment no longer count.
    ///
    /// Example: rolloutctl change assess rt-4711 "two days of work" --priority high
    Assess {
        /// The change
        change: String,
        /// What the work is
        assessment: String,
        /// How urgent it is: none, low, normal, high, immediate, or RT's number
        #[arg(long)]
        priority: Option<String>,
        /// What it is about
        #[arg(long)]
        category: Option<String>,
    },
    /// Approves what was assessed; each person counts once
    ///
    /// Example: rolloutctl change approve rt-4711 --for omb
    Approve {
        /// The change
        change: String,
        /// For which group; by default, the first that approves and that you belong to
        #[arg(long = "for", value_name = "ROLE")]
        role: Option<String>,
        /// Take your approval back
        #[arg(long, conflicts_with = "role")]
        withdraw: bool,
        /// Why; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Sets the status of a change
    ///
    /// New, Accepted, In progress, Stalled, Resolved or Rejected; RT's words are understood too.
    ///
    /// Example: rolloutctl change status rt-4711 Stalled --reason "waiting for the developers"
    Status {
        /// The change
        change: String,
        /// The status
        status: String,
        /// Why; needed to stall or reject one
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Records that rollouts carry out a change
    ///
    /// Example: rolloutctl change tie rt-4711 rt-1234
    Tie {
        /// The change
        change: String,
        /// The rollouts
        #[arg(required = true)]
        rollouts: Vec<String>,
        /// Record that they no longer carry it out
        #[arg(long)]
        undo: bool,
        /// Why; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
}

#[derive(Debug, clap::Args)]
struct OpenArgs {
    /// Its id: letters, digits and . _ -
    change: String,
    /// One line for people
    #[arg(long)]
    title: String,
    /// Whose request it is, if not the site's own
    #[arg(long, default_value = "")]
    origin: String,
    /// What it is about
    #[arg(long)]
    category: Option<String>,
    /// How urgent it is: none, low, normal, high, immediate, or RT's number
    #[arg(long)]
    priority: Option<String>,
    /// normal, standard or emergency; by default, standard if a rule says so, else normal
    #[arg(long)]
    kind: Option<String>,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: ChangeArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let of = |change: &str, what: &str| format!("/api/v1/changes/{}{what}", escape(change));
    let done = match args.what {
        What::List { status, category } => {
            let asked = [("status", status), ("category", category)];
            let asked = asked.iter().filter_map(|(name, value)| Some(format!("{name}={}", escape(value.as_ref()?))));
            let path = format!("/api/v1/changes?{}", asked.collect::<Vec<_>>().join("&"));
            let changes: Vec<ChangeBody> = client.get(&path).await?;
            return Ok(Outcome::done(if json { document(&changes) } else { list(&changes, table::width()) }));
        }
        What::Show { change } => {
            let change: ChangeBody = client.get(&of(&change, "")).await?;
            return Ok(Outcome::done(if json { document(&change) } else { show(&change) }));
        }
        What::Open(OpenArgs { change, title, origin, category, priority, kind }) => {
            let body = RecordChangeBody { change, title, origin, category, priority, kind };
            client.post("/api/v1/changes", &body).await?
        }
        What::Assess { change, assessment, priority, category } => {
            client.put(&of(&change, "/assessment"), &AssessBody { assessment, priority, category }).await?
        }
        What::Approve { change, role, withdraw, reason } => {
            let (path, body) = (of(&change, "/approvals"), ApproveChangeBody { role, reason });
            if withdraw { client.delete(&path, &body).await? } else { client.post(&path, &body).await? }
        }
        What::Status { change, status, reason } => {
            client.post(&of(&change, "/status"), &StatusBody { status, reason }).await?
        }
        What::Tie { change, rollouts, undo: false, reason } => {
            client.post(&of(&change, "/rollouts"), &TieBody { rollouts, reason }).await?
        }
        What::Tie { change, rollouts, undo: true, reason } => {
            let mut done = None;
            for rollout in rollouts {
                let path = of(&change, &format!("/rollouts/{}", escape(&rollout)));
                done = Some(client.delete(&path, &TieBody { rollouts: vec![], reason: reason.clone() }).await?);
            }
            // The parser asks for one at least.
            let Some(done) = done else { return Ok(Outcome::done(String::new())) };
            done
        }
    };
    Ok(recorded(&done, json))
}

fn list(changes: &[ChangeBody], width: usize) -> String {
    if changes.is_empty() {
        return "There are no such changes. `rolloutctl change open --help` says how to record one.\n".to_owned();
    }
    let row = |change: &ChangeBody| {
        vec![
            change.change.clone(),
            change.status.clone(),
            change.priority.clone(),
            change.kind.clone(),
            moment(&change.since),
            change.category.clone().unwrap_or_default(),
            change.title.clone(),
        ]
    };
    let rows: Vec<_> = changes.iter().map(row).collect();
    table::lay_out(&["CHANGE", "STATUS", "PRIORITY", "KIND", "SINCE", "CATEGORY", "TITLE"], &rows, width)
}

fn show(change: &ChangeBody) -> String {
    let mut text = String::new();
    let rule = change.rule.as_ref().map(|rule| format!(", by the rule {rule}")).unwrap_or_default();
    let _ = writeln!(text, "change      {}", change.change);
    let _ = writeln!(text, "title       {}", change.title);
    let _ = writeln!(text, "kind        {}{rule}", change.kind);
    let _ = writeln!(text, "priority    {} ({})", change.priority, change.priority_number);
    let _ = writeln!(text, "status      {} since {}", change.status, moment(&change.since));
    if let Some(category) = &change.category {
        let _ = writeln!(text, "category    {category}");
    }
    if !change.origin.is_empty() {
        let _ = writeln!(text, "origin      {}", change.origin);
    }
    let _ = writeln!(text, "recorded    {} by {}", moment(&change.recorded), change.by);
    if let Some(known) = &change.assessment {
        let _ = writeln!(text, "assessment  {} by {}: {}", moment(&known.at), known.by, known.text);
    }
    for approval in &change.approvals {
        let _ = writeln!(text, "approval    {} by {} for {}", moment(&approval.at), approval.by, approval.role);
    }
    for carries in &change.rollouts {
        let _ = writeln!(text, "rollout     {} in {}", carries.rollout, carries.state);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::api::changes::{AssessmentBody, CarriesBody, ChangeApprovalBody};

    fn change(id: &str, kind: &str) -> ChangeBody {
        let at = || "2026-11-29T09:00:00Z".to_owned();
        ChangeBody {
            change: id.into(),
            title: "a view of all sites".into(),
            kind: kind.into(),
            priority: "high".into(),
            priority_number: 3,
            status: "New".into(),
            since: at(),
            category: (kind == "normal").then(|| "Accounting Portal".into()),
            origin: if kind == "normal" { "WLCG".into() } else { String::new() },
            rule: (kind == "standard").then(|| "views".into()),
            by: "jane".into(),
            recorded: at(),
            assessment: (kind == "normal").then(|| AssessmentBody {
                text: "two days".into(),
                by: "joe".into(),
                at: at(),
            }),
            approvals: vec![ChangeApprovalBody { role: "omb".into(), by: "ann".into(), at: at() }],
            rollouts: vec![CarriesBody { rollout: "rt-1".into(), state: "Submitted".into() }],
        }
    }

    #[test]
    fn changes_are_listed() {
        insta::assert_snapshot!(list(&[change("rt-4711", "normal"), change("rt-12", "standard")], 120));
        insta::assert_snapshot!(list(&[], 120));
    }

    #[test]
    fn a_change_is_shown() {
        insta::assert_snapshot!(show(&change("rt-4711", "normal")) + "\n" + &show(&change("rt-12", "standard")));
    }
}
