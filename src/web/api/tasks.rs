//! `/api/v1/tasks`: what teams of early adopters have to do, and what came of it.

use std::collections::BTreeSet;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{RecordedBody, caller, encoded, line, next_page, parsed, record};
use crate::domain::naming::team::TeamName;
use crate::format::quantity;
use crate::process::follow_up::attention;
use crate::process::input::Ask;
use crate::process::world::tasks::Task;
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// A task.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TaskBody {
    /// Its number.
    pub task: u64,
    /// roll-out or roll-back.
    pub kind: String,
    /// The bundle.
    pub bundle: String,
    /// Who is to do it.
    pub team: String,
    /// New, In Progress or Done.
    pub status: String,
    /// What has come of it so far: success, warning or fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// How long it runs before it can be done.
    pub quarantine: String,
    /// When it was created.
    pub created: String,
    /// When the site was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<String>,
    /// When it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<String>,
    /// Why somebody should look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention: Option<String>,
    /// The services of its site that are changed, as far as they are known.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub services: BTreeSet<String>,
    /// What its team has reported last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportedBody>,
    /// The issues that its team has found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issues: Vec<FoundBody>,
}

/// What a team has reported on a task.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReportedBody {
    /// When.
    pub at: String,
    /// What it says.
    pub text: String,
    /// The name of its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Whether everybody may read it.
    pub published: bool,
}

/// An issue of a task.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FoundBody {
    /// Where it is followed.
    pub issue: String,
    /// Its Bug Detection Area.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<String>,
    /// Whether the report mentions it.
    pub mentioned: bool,
}

/// Which tasks.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
pub struct TasksQuery {
    /// Only those of this bundle.
    pub bundle: Option<String>,
    /// Only those of this team.
    pub team: Option<String>,
    /// Only those that are not done.
    #[serde(default)]
    pub open: bool,
    /// Only those that somebody should look at.
    #[serde(default)]
    pub attention: bool,
    /// Only those after this number.
    #[serde(default)]
    pub after: u64,
    /// How many at most; 1,000 by default and no more.
    pub limit: Option<usize>,
}

/// Tasks in one response, at most.
const MOST: usize = 1_000;

/// Tasks for teams, one each.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTasksBody {
    /// The bundle.
    pub bundle: String,
    /// roll-out or roll-back.
    pub kind: String,
    /// The teams.
    pub teams: Vec<String>,
    /// How long each runs before it can be done, such as 3d; a week for roll-outs and three days for roll-backs if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<String>,
    /// The services that are changed; those of each team that the bundle is for, if it is left out.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub services: BTreeSet<String>,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// A task that is in progress.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginTaskBody {
    /// How the change of the site went: success, warning or fail.
    pub outcome: String,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// A longer quarantine.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendTaskBody {
    /// By how much, such as 3d.
    pub by: String,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// A task that another team does.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReassignTaskBody {
    /// The team.
    pub team: String,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// A task that is done.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndTaskBody {
    /// What came of it: success, warning or fail.
    pub outcome: String,
    /// Before its quarantine is over, which needs the right to create tasks, and a reason.
    #[serde(default)]
    pub early: bool,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// Tasks, by number, a page at a time: `Link: <...>; rel="next"` leads to the next one.
#[utoipa::path(get, path = "/api/v1/tasks", tag = "tasks", params(TasksQuery),
    responses((status = 200, description = "Tasks", body = Vec<TaskBody>), (status = 400, body = Problem)))]
pub async fn tasks(
    State(context): State<Context>,
    Query(query): Query<TasksQuery>,
) -> Result<(HeaderMap, Json<Vec<TaskBody>>), Problem> {
    let team: Option<TeamName> = query.team.as_deref().map(parsed).transpose()?;
    let bundle = query.bundle.as_deref().map(parsed).transpose()?;
    let limit = query.limit.unwrap_or(MOST).clamp(1, MOST);
    let view = context.engine.shared().read();
    let known = view.known();
    let fits = |(number, task): &(u64, &Task)| {
        *number > query.after
            && team.as_ref().is_none_or(|team| task.team == *team)
            && (!query.open || task.done.is_none())
            && (!query.attention || attention(known, *number, task).is_some())
    };
    let (all, body) = (&view.world.tasks, |(number, task)| task_body(number, task, attention(known, number, task)));
    let mut found: Vec<TaskBody> = match &bundle {
        Some(bundle) => all.of(bundle).filter(fits).take(limit + 1).map(body).collect(),
        None => all.iter().filter(fits).take(limit + 1).map(body).collect(),
    };
    let is_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| is_more).map(|last| query.link(last.task, limit));
    Ok((next_page(next), Json(found)))
}

impl TasksQuery {
    /// Where the page after a task begins.
    fn link(&self, after: u64, limit: usize) -> String {
        let named = [("bundle", &self.bundle), ("team", &self.team)];
        let named = named.into_iter().filter_map(|(what, name)| Some(format!("&{what}={}", encoded(name.as_ref()?))));
        let flags = [("open", self.open), ("attention", self.attention)];
        let flags = flags.into_iter().filter(|(_, is_set)| *is_set).map(|(what, _)| format!("&{what}=true"));
        let more: String = named.chain(flags).collect();
        format!("/api/v1/tasks?after={after}&limit={limit}{more}")
    }
}

fn task_body(number: u64, task: &Task, attention: Option<String>) -> TaskBody {
    TaskBody {
        task: number,
        kind: task.kind.as_str().to_owned(),
        bundle: task.bundle.to_string(),
        team: task.team.to_string(),
        status: task.status().to_owned(),
        outcome: task.outcome().map(|outcome| outcome.to_string()),
        quarantine: quantity::show_duration(task.quarantine),
        created: task.created.to_string(),
        begun: task.begun.map(|(at, ..)| at.to_string()),
        done: task.done.map(|(at, _)| at.to_string()),
        attention,
        services: task.services.clone(),
        report: task.report.as_ref().map(|report| ReportedBody {
            at: report.at.to_string(),
            text: report.text.clone(),
            file: report.file.as_ref().map(|file| file.name.clone()),
            published: report.published,
        }),
        issues: task.issues.iter().map(|(issue, area)| found(task, issue, area.clone())).collect(),
    }
}

fn found(task: &Task, issue: &str, area: Option<String>) -> FoundBody {
    let mentioned = task.report.as_ref().is_some_and(|report| report.mentions(issue));
    FoundBody { issue: issue.to_owned(), area, mentioned }
}

/// One task.
#[utoipa::path(get, path = "/api/v1/tasks/{task}", tag = "tasks", params(("task" = String, Path, description = "The task")),
    responses((status = 200, description = "The task", body = TaskBody), (status = 404, body = Problem)))]
pub async fn task(State(context): State<Context>, Path(task): Path<String>) -> Result<Json<TaskBody>, Problem> {
    let number = number(&task)?;
    let view = context.engine.shared().read();
    let task = view.world.tasks.get(number).ok_or_else(|| Problem::not_found(format!("there is no task {number}")))?;
    Ok(Json(task_body(number, task, attention(view.known(), number, task))))
}

pub(super) fn number(text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| Problem::not_found(format!("there is no task {}", text.escape_debug())))
}

/// Creates a task for each of these teams.
#[utoipa::path(post, path = "/api/v1/tasks", tag = "tasks", request_body = CreateTasksBody, security(("token" = [])),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn create_tasks(
    State(context): State<Context>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<CreateTasksBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let CreateTasksBody { bundle, kind, teams, quarantine, services, reason } = asked;
    let teams = teams.iter().map(|team| parsed(team)).collect::<Result<_, _>>()?;
    let quarantine = quarantine.as_deref().map(quantity::duration).transpose();
    let quarantine = quarantine.map_err(|e| Problem::bad_request(e.to_string()))?;
    let (bundle, kind) = (parsed(&bundle)?, parsed(&kind)?);
    line("reason", &reason)?;
    record(&context, caller, Ask::CreateTasks { bundle, kind, teams, quarantine, services, reason }).await
}

/// Records that the site was changed: the task is in progress, and its quarantine begins.
#[utoipa::path(post, path = "/api/v1/tasks/{task}/begin", tag = "tasks", request_body = BeginTaskBody, security(("token" = [])),
    params(("task" = String, Path, description = "The task")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn begin_task(
    State(context): State<Context>,
    Path(task): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<BeginTaskBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let (task, outcome) = (number(&task)?, parsed(&asked.outcome)?);
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::BeginTask { task, outcome, reason: asked.reason }).await
}

/// Extends the quarantine of a task.
#[utoipa::path(post, path = "/api/v1/tasks/{task}/extend", tag = "tasks", request_body = ExtendTaskBody, security(("token" = [])),
    params(("task" = String, Path, description = "The task")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn extend_task(
    State(context): State<Context>,
    Path(task): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<ExtendTaskBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(ExtendTaskBody { by, reason }) = read?;
    let (task, by) = (number(&task)?, quantity::duration(&by).map_err(|e| Problem::bad_request(e.to_string()))?);
    line("reason", &reason)?;
    record(&context, caller, Ask::ExtendTask { task, by, reason }).await
}

/// Gives a roll-out task that has not begun to another team.
#[utoipa::path(post, path = "/api/v1/tasks/{task}/reassign", tag = "tasks", request_body = ReassignTaskBody, security(("token" = [])),
    params(("task" = String, Path, description = "The task")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn reassign_task(
    State(context): State<Context>,
    Path(task): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<ReassignTaskBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(ReassignTaskBody { team, reason }) = read?;
    let (task, team) = (number(&task)?, parsed(&team)?);
    line("reason", &reason)?;
    record(&context, caller, Ask::ReassignTask { task, team, reason }).await
}

/// The task is done.
#[utoipa::path(post, path = "/api/v1/tasks/{task}/done", tag = "tasks", request_body = EndTaskBody, security(("token" = [])),
    params(("task" = String, Path, description = "The task")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn end_task(
    State(context): State<Context>,
    Path(task): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<EndTaskBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let EndTaskBody { outcome, early, reason } = asked;
    let (task, outcome) = (number(&task)?, parsed(&outcome)?);
    line("reason", &reason)?;
    record(&context, caller, Ask::EndTask { task, outcome, early, reason }).await
}
