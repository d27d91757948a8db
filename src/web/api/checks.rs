//! `/api/v1/rollouts/{id}/checks`: what somebody has looked at.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{RecordedBody, caller, line, parsed, record, rollout_id};
use crate::process::input::Ask;
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// Something that somebody has looked at, or that is taken back.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TickBody {
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// Ticks something that the procedure asks for, for the packages that the rollout has now.
#[utoipa::path(put, path = "/api/v1/rollouts/{id}/checks/{check}", tag = "approvals", request_body = TickBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout"), ("check" = String, Path, description = "What the procedure asks for")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn tick(
    State(context): State<Context>,
    Path((id, check)): Path<(String, String)>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<TickBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let (rollout, check) = (rollout_id(&id)?, parsed(&check)?);
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::Tick { rollout, check, is_good: true, reason: asked.reason }).await
}

/// Takes a tick back.
#[utoipa::path(delete, path = "/api/v1/rollouts/{id}/checks/{check}", tag = "approvals", request_body = TickBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout"), ("check" = String, Path, description = "What the procedure asks for")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn untick(
    State(context): State<Context>,
    Path((id, check)): Path<(String, String)>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<TickBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let (rollout, check) = (rollout_id(&id)?, parsed(&check)?);
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::Tick { rollout, check, is_good: false, reason: asked.reason }).await
}
