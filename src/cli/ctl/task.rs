//! `rolloutctl task`: what teams of early adopters have to do.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use super::ask::{escape, recorded};
use super::report::{content, save};
use super::words::{document, moment};
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::table;
use crate::web::api::asking::RecordedBody;
use crate::web::api::bundles::AffectedBody;
use crate::web::api::reports::PublishBody;
use crate::web::api::task_reports::{TaskIssueBody, TaskReportBody};
use crate::web::api::tasks::{
    BeginTaskBody, CreateTasksBody, EndTaskBody, ExtendTaskBody, FoundBody, ReassignTaskBody, TaskBody,
};
use crate::web::api::teams::TeamBody;

/// Creates tasks for teams of early adopters, and reports on them
///
/// A task is New, then In Progress once the site was changed, and Done after its quarantine.
///
/// Example: rolloutctl task create BUNDLE-2011-12 ea-NGI_IT-INFN-T1 ea-NGI_CH-CSCS
#[derive(Debug, clap::Args)]
pub struct TaskArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists tasks
    ///
    /// Example: rolloutctl task list --bundle BUNDLE-2011-12 --attention
    List {
        /// Only those of this bundle
        #[arg(long)]
        bundle: Option<String>,
        /// Only those of this team
        #[arg(long)]
        team: Option<String>,
        /// Only those that are not done
        #[arg(long)]
        open: bool,
        /// Only those that somebody should look at, with the reason: failed, overdue, not begun
        #[arg(long)]
        attention: bool,
    },
    /// Prints one task: its services, its report and its issues
    ///
    /// Example: rolloutctl task show 3
    Show {
        /// The task's number
        task: u64,
    },
    /// Records the team's report on its task: a text, a file or both; a later report replaces the earlier one
    ///
    /// Example: rolloutctl task report 3 --text "a week without problems on two UIs"
    Report {
        /// The task's number
        task: u64,
        /// What the team says, in a few sentences
        #[arg(long, default_value = "", required_unless_present = "file")]
        text: String,
        /// The file with the whole report, at most 4 MiB
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Saves the file of the last report on a task
    ///
    /// Example: rolloutctl task get-report 3 --output report.odt
    GetReport {
        /// The task's number
        task: u64,
        /// Where; by default, under its own name in this directory. An existing file is not overwritten
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Lets everybody read the file of the last report on a task
    ///
    /// Example: rolloutctl task publish 3
    Publish {
        /// The task's number
        task: u64,
        /// No longer let everybody read it
        #[arg(long)]
        undo: bool,
        /// Why; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Records an issue that the team found; its report has to mention it
    ///
    /// Example: rolloutctl task issue 3 'bug #4711' --area "Beta Service"
    Issue {
        /// The task's number
        task: u64,
        /// Its address or number in its tracker
        issue: String,
        /// Its Bug Detection Area, where the tracker has one: "Beta Service"
        #[arg(long)]
        area: Option<String>,
        /// Remove it: it is no issue, or belongs elsewhere
        #[arg(long)]
        undo: bool,
        /// Why; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Creates a task for each of these teams
    ///
    /// Example: rolloutctl task create BUNDLE-2011-12 --affected
    Create {
        /// The bundle
        bundle: String,
        /// The teams
        #[arg(required_unless_present_any = ["node_type", "affected"])]
        teams: Vec<String>,
        /// All teams that `rolloutctl bundle affected` lists: to roll out, those affected directly; to roll back, also
        /// those affected indirectly
        #[arg(long)]
        affected: bool,
        /// Also all teams in the registry that run this node type
        #[arg(long)]
        node_type: Option<String>,
        /// Go back to what the sites had before
        #[arg(long)]
        roll_back: bool,
        /// A service that is changed [default: those of the team that the bundle is for]
        #[arg(long = "service", value_name = "SERVICE")]
        services: Vec<String>,
        /// How long each runs before it can be done [default: 7d, or 3d to roll back]
        #[arg(long)]
        quarantine: Option<String>,
        /// Why; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Records that the site was changed: the task is in progress, and its quarantine begins
    ///
    /// Example: rolloutctl task begin 3 success
    Begin {
        /// The task's number
        task: u64,
        /// How the change went: success, warning or fail
        outcome: String,
        /// Why; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Extends the quarantine of a task
    ///
    /// Example: rolloutctl task extend 3 --for 3d --reason "the site was down for two days"
    Extend {
        /// The task's number
        task: u64,
        /// By how much, such as 3d
        #[arg(long = "for", value_name = "TIME")]
        by: String,
        /// Why; recorded in the logbook
        #[arg(long)]
        reason: String,
    },
    /// Gives a roll-out task that has not begun to another team
    ///
    /// Example: rolloutctl task reassign 3 ea-NGI_CH-CSCS --reason "no staff this week"
    Reassign {
        /// The task's number
        task: u64,
        /// The team
        team: String,
        /// Why; recorded in the logbook
        #[arg(long)]
        reason: String,
    },
    /// Records that the quarantine is over and the task is done
    ///
    /// Example: rolloutctl task done 3 success
    Done {
        /// The task's number
        task: u64,
        /// What came of it: success, warning or fail
        outcome: String,
        /// Even before the quarantine is over; needs a reason, and the right to create tasks
        #[arg(long, requires = "reason")]
        early: bool,
        /// Why; recorded in the logbook
        #[arg(long, default_value = "")]
        reason: String,
    },
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: TaskArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let done = match args.what {
        What::List { bundle, team, open, attention } => {
            let flag = |is_set: bool| is_set.then(|| "true".to_owned());
            let flags = [("open", flag(open)), ("attention", flag(attention))];
            let wanted = [("bundle", bundle), ("team", team)].into_iter().chain(flags);
            let wanted = wanted.filter_map(|(name, value)| Some(format!("{name}={}", escape(&value?))));
            let path = format!("/api/v1/tasks?{}", wanted.collect::<Vec<_>>().join("&"));
            let tasks: Vec<TaskBody> = client.pages(&path, None).await?;
            return Ok(Outcome::done(if json { document(&tasks) } else { list(&tasks, table::width()) }));
        }
        What::Show { task } => {
            let task: TaskBody = client.get(&format!("/api/v1/tasks/{task}")).await?;
            return Ok(Outcome::done(if json { document(&task) } else { show(&task) }));
        }
        What::GetReport { task, output } => {
            return save(client, &format!("/api/v1/tasks/{task}/report/file"), output, json).await;
        }
        What::Report { task, text, file } => {
            let file = file.as_deref().map(content).transpose()?;
            client.post(&format!("/api/v1/tasks/{task}/report"), &TaskReportBody { text, file }).await?
        }
        What::Publish { task, undo, reason } => {
            let body = PublishBody { published: !undo, reason };
            client.put(&format!("/api/v1/tasks/{task}/report/published"), &body).await?
        }
        What::Issue { task, issue, area, undo, reason } => {
            let body = TaskIssueBody { issue, area, taken_back: undo, reason };
            client.post(&format!("/api/v1/tasks/{task}/issues"), &body).await?
        }
        What::Create { bundle, mut teams, affected, node_type, roll_back, services, quarantine, reason } => {
            if let Some(node_type) = node_type {
                teams.extend(of_node_type(client, &node_type).await?);
            }
            let mut have = Vec::new();
            if affected {
                let (found, others) = concerned(client, &bundle, roll_back).await?;
                teams.extend(found);
                have = others;
            }
            let mut seen = BTreeSet::new();
            teams.retain(|team| seen.insert(team.clone()));
            let kind = if roll_back { "roll-back" } else { "roll-out" }.to_owned();
            let body =
                CreateTasksBody { bundle, kind, teams, quarantine, services: services.into_iter().collect(), reason };
            let mut done: RecordedBody = client.post("/api/v1/tasks", &body).await?;
            if !have.is_empty() {
                done.warnings.push(format!("these have such a task already: {}", have.join(", ")));
            }
            done
        }
        What::Begin { task, outcome, reason } => {
            client.post(&format!("/api/v1/tasks/{task}/begin"), &BeginTaskBody { outcome, reason }).await?
        }
        What::Extend { task, by, reason } => {
            client.post(&format!("/api/v1/tasks/{task}/extend"), &ExtendTaskBody { by, reason }).await?
        }
        What::Reassign { task, team, reason } => {
            client.post(&format!("/api/v1/tasks/{task}/reassign"), &ReassignTaskBody { team, reason }).await?
        }
        What::Done { task, outcome, early, reason } => {
            client.post(&format!("/api/v1/tasks/{task}/done"), &EndTaskBody { outcome, early, reason }).await?
        }
    };
    Ok(recorded(&done, json))
}

/// The teams that run a node type and whose word counts.
async fn of_node_type(client: &Client, node_type: &str) -> Result<Vec<String>, Failure> {
    let all: Vec<TeamBody> = client.get("/api/v1/teams").await?;
    let runs = |team: &TeamBody| !team.observer && team.node_types.iter().any(|own| own == node_type);
    let found: Vec<String> = all.into_iter().filter(runs).map(|team| team.team).collect();
    if found.is_empty() {
        let hint = "`rolloutctl team list` shows who runs what";
        return Err(Failure::new(Exit::Refused, format!("no team in the registry runs {node_type}")).hint(hint));
    }
    Ok(found)
}

/// The teams that a bundle concerns and that have no such task that is not done; and those that have one. All of them roll
/// back, and those whose sites run what is changed roll out.
async fn concerned(client: &Client, bundle: &str, roll_back: bool) -> Result<(Vec<String>, Vec<String>), Failure> {
    let all: Vec<AffectedBody> = client.get(&format!("/api/v1/bundles/{}/affected", escape(bundle))).await?;
    let open = format!("/api/v1/tasks?open=true&bundle={}", escape(bundle));
    let open: Vec<TaskBody> = client.pages(&open, None).await?;
    let kind = if roll_back { "roll-back" } else { "roll-out" };
    let has = |team: &String| open.iter().any(|task| task.kind == kind && task.team == *team);
    let is_any = !all.is_empty();
    let wanted = all.into_iter().filter(|one| roll_back || one.directly).map(|one| one.team);
    let (have, found): (Vec<String>, Vec<String>) = wanted.partition(has);
    let why = match (found.is_empty(), have.is_empty(), is_any) {
        (false, ..) => return Ok((found, have)),
        (true, false, _) => format!("every team that {bundle} concerns has such a task already"),
        (true, true, true) => format!("{bundle} affects teams only indirectly, and those have nothing to roll out"),
        (true, true, false) => format!("{bundle} concerns no team in the registry"),
    };
    let hint = "`rolloutctl bundle affected` lists them; `describe ROLLOUT --node-type TYPE` says what a rollout is for, and \
                `team add` who runs it";
    Err(Failure::new(Exit::Refused, why).hint(hint))
}

fn show(task: &TaskBody) -> String {
    let TaskBody { task: number, kind, bundle, team, status, outcome, quarantine, created, .. } = task;
    let mut text = format!("task {number}: {kind} of {bundle} for {team}\n");
    let services: Vec<&str> = task.services.iter().map(String::as_str).collect();
    let outcome = outcome.as_ref().map(|outcome| format!(", {outcome}")).unwrap_or_default();
    let mut rows = vec![
        ("status", format!("{status}{outcome}")),
        ("services", if services.is_empty() { "not said".to_owned() } else { services.join(", ") }),
        ("created", moment(created)),
    ];
    rows.extend(task.begun.as_ref().map(|at| ("begun", format!("{}, quarantine {quarantine}", moment(at)))));
    rows.extend(task.done.as_ref().map(|at| ("done", moment(at))));
    rows.extend(task.attention.as_ref().map(|why| ("attention", why.clone())));
    match &task.report {
        None => rows.push(("report", "none".to_owned())),
        Some(report) => {
            let published = if report.published { ", published" } else { "" };
            rows.push(("report", format!("{}{published}", moment(&report.at))));
            rows.extend(Some(("says", report.text.clone())).filter(|(_, text)| !text.is_empty()));
            rows.extend(report.file.as_ref().map(|name| ("file", format!("{name} (`task get-report {number}`)"))));
        }
    }
    for FoundBody { issue, area, mentioned } in &task.issues {
        let area = area.as_ref().map(|area| format!(" ({area})")).unwrap_or_default();
        let missing = if *mentioned || task.report.is_none() { "" } else { ", which the report does not mention" };
        rows.push(("issue", format!("{issue}{area}{missing}")));
    }
    for (what, said) in rows {
        let _ = writeln!(text, "  {what:<12}{said}");
    }
    text
}

fn list(tasks: &[TaskBody], width: usize) -> String {
    if tasks.is_empty() {
        return "There are no such tasks.\n".to_owned();
    }
    let row = |task: &TaskBody| {
        let outcome = task.outcome.clone().unwrap_or_default();
        let since = task.done.as_ref().or(task.begun.as_ref()).unwrap_or(&task.created);
        vec![
            task.task.to_string(),
            task.kind.clone(),
            task.bundle.clone(),
            task.team.clone(),
            task.status.clone(),
            outcome,
            moment(since),
            task.quarantine.clone(),
            task.attention.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = tasks.iter().map(row).collect();
    let heads = ["TASK", "KIND", "BUNDLE", "TEAM", "STATUS", "OUTCOME", "SINCE", "QUARANTINE", "ATTENTION"];
    table::lay_out(&heads, &rows, width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::api::tasks::ReportedBody;

    #[test]
    fn tasks_are_listed() {
        let at = |day: u8| format!("2026-11-{day:02}T09:00:00Z");
        let task = |task, begun: Option<u8>, done: Option<u8>| TaskBody {
            task,
            kind: if task == 3 { "roll-back" } else { "roll-out" }.into(),
            bundle: "BUNDLE-2011-12".into(),
            team: "ea-NGI_IT-INFN-T1".into(),
            status: match (begun, done) {
                (_, Some(_)) => "Done",
                (Some(_), None) => "In Progress",
                (None, None) => "New",
            }
            .into(),
            outcome: begun.map(|_| "warning".into()),
            quarantine: "1w".into(),
            created: at(1),
            begun: begun.map(at),
            done: done.map(at),
            attention: done.map(|_| "it ended with warning".into()),
            services: ["CE", "glite-WMS"].map(str::to_owned).into(),
            report: begun.map(|_| ReportedBody {
                at: at(3),
                text: "restart it once, see #99".into(),
                file: done.map(|_| "report.odt".into()),
                published: done.is_some(),
            }),
            issues: vec![
                FoundBody { issue: "https://ggus.eu/?ticket_id=99".into(), area: None, mentioned: true },
                FoundBody { issue: "bug #4711".into(), area: Some("Beta Service".into()), mentioned: false },
            ],
        };
        insta::assert_snapshot!([task(1, Some(2), Some(9)), task(3, None, None)].map(|task| show(&task)).join("\n"));
        insta::assert_snapshot!(list(&[task(1, Some(2), Some(9)), task(2, Some(10), None), task(3, None, None)], 120));
        insta::assert_snapshot!(list(&[], 120));
    }
}
