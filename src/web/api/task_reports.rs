//! `/api/v1/tasks/{task}/report` and `issues`: what teams say of their tasks.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{RecordedBody, bearer, caller, line, record};
use super::reports::{FileBody, PublishBody, attached, bytes, decoded, kept, would_be_recorded};
use super::tasks::number;
use crate::engine::view::View;
use crate::process::input::Ask;
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// A team's report on its task.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskReportBody {
    /// What the team says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The file with the whole report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileBody>,
}

/// An issue that a team has found.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskIssueBody {
    /// Where it is followed: an address or a number.
    pub issue: String,
    /// Its Bug Detection Area, where the tracker has one: `Beta Service`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<String>,
    /// Whether it is taken back.
    #[serde(default)]
    pub taken_back: bool,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// A team reports on its task. A later report takes the place of an earlier one, whose file is kept.
#[utoipa::path(post, path = "/api/v1/tasks/{task}/report", tag = "tasks", request_body = TaskReportBody, security(("token" = [])),
    params(("task" = String, Path, description = "The task")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn report_task(
    State(context): State<Context>,
    Path(task): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<TaskReportBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(TaskReportBody { text, file }) = read?;
    line("text", &text)?;
    let task = number(&task)?;
    let (file, content) = match file.map(|file| decoded(&file)).transpose()? {
        Some((file, content)) => (Some(file), content),
        None => (None, vec![]),
    };
    let mut ask = Ask::ReportTask { task, text, file };
    if matches!(ask, Ask::ReportTask { file: Some(_), .. }) {
        would_be_recorded(&context, &caller, &ask)?;
    }
    if let Ask::ReportTask { file: Some(file), .. } = &mut ask {
        let known = |view: &View| view.world.tasks.get(task).map(|task| task.issues.keys().cloned().collect());
        let issues = known(&context.engine.shared().read()).unwrap_or_default();
        kept(&context, file, content, issues).await?;
    }
    record(&context, caller, ask).await
}

/// The file of the last report on a task. Only one that was published can be read without a token.
#[utoipa::path(get, path = "/api/v1/tasks/{task}/report/file", tag = "tasks",
    params(("task" = String, Path, description = "The task")),
    responses((status = 200, description = "The bytes of the file", body = Vec<u8>), (status = 401, body = Problem),
        (status = 404, body = Problem)))]
pub async fn task_report_file(
    State(context): State<Context>,
    Path(task): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let who = bearer(&context, client, &headers).await?;
    let task = number(&task)?;
    let found = {
        let view = context.engine.shared().read();
        let report = view.world.tasks.get(task).and_then(|task| task.report.as_ref());
        report.and_then(|report| Some((report.file.clone()?, report.published)))
    };
    let (file, is_published) =
        found.ok_or_else(|| Problem::not_found(format!("task {task} has no file of a report")))?;
    if who.is_none() && !is_published {
        return Err(Problem::unauthorized("the report is not published; send a token to read it"));
    }
    let name = file.name.clone();
    Ok(attached(&name, "application/octet-stream", bytes(&context, file).await?))
}

/// Lets everybody read the last report on a task, or no longer.
#[utoipa::path(put, path = "/api/v1/tasks/{task}/report/published", tag = "tasks", request_body = PublishBody,
    security(("token" = [])), params(("task" = String, Path, description = "The task")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn publish_task_report(
    State(context): State<Context>,
    Path(task): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<PublishBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(PublishBody { published, reason }) = read?;
    line("reason", &reason)?;
    record(&context, caller, Ask::PublishTaskReport { task: number(&task)?, published, reason }).await
}

/// A team has found an issue in its task, or takes that back.
#[utoipa::path(post, path = "/api/v1/tasks/{task}/issues", tag = "tasks", request_body = TaskIssueBody, security(("token" = [])),
    params(("task" = String, Path, description = "The task")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn note_task_issue(
    State(context): State<Context>,
    Path(task): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<TaskIssueBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(TaskIssueBody { issue, area, taken_back, reason }) = read?;
    for (what, text) in [("issue", &issue), ("reason", &reason)].into_iter().chain(area.iter().map(|it| ("area", it))) {
        line(what, text)?;
    }
    record(&context, caller, Ask::NoteTaskIssue { task: number(&task)?, issue, area, taken_back, reason }).await
}
