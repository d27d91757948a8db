//! `/api/v1/rollouts/{id}/stall`, `/resume` and `/date`: puts a rollout on hold, and gives its next step a date.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{RecordedBody, caller, line, record, rollout_id};
use crate::process::input::Ask;
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// A request with a reason.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonBody {
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// Stands for the time at which nothing is in the way any more.
pub const NOW: &str = "now";

/// A step at some time.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DateBody {
    /// The state to reach, in any spelling.
    pub state: String,
    /// When: 2026-12-01T08:00Z, or without an offset by the clocks of the calendar; `now` is as soon as nothing is in the way.
    pub at: String,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// Puts a rollout on hold: it takes no step but back, and no time passes for it.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/stall", tag = "rollouts", request_body = ReasonBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn stall(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<ReasonBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let rollout = rollout_id(&id)?;
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::Stall { rollout, reason: asked.reason }).await
}

/// Lets a rollout go on.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/resume", tag = "rollouts", request_body = ReasonBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn resume(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<ReasonBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let rollout = rollout_id(&id)?;
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::Resume { rollout, reason: asked.reason }).await
}

/// Gives a step a date: it is taken then, or as soon after it as nothing is in the way.
#[utoipa::path(put, path = "/api/v1/rollouts/{id}/date", tag = "rollouts", request_body = DateBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn schedule(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<DateBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let rollout = rollout_id(&id)?;
    line("reason", &asked.reason)?;
    line("state", &asked.state)?;
    let read = |at: &str| context.engine.shared().read().rules.calendar.read(at).map_err(Problem::bad_request);
    let at = if asked.at == NOW { None } else { Some(read(&asked.at)?) };
    record(&context, caller, Ask::Schedule { rollout, state: asked.state, at, reason: asked.reason }).await
}

/// Takes the date of a step back.
#[utoipa::path(delete, path = "/api/v1/rollouts/{id}/date", tag = "rollouts", request_body = ReasonBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn unschedule(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<ReasonBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let rollout = rollout_id(&id)?;
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::Unschedule { rollout, reason: asked.reason }).await
}
