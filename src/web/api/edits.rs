//! `/api/v1/rollouts/{id}` and `/cancel`: other packages or another title for a rollout; cancels it.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{RecordedBody, caller, line, record, rollout_id};
use super::rollouts::{PartBody, meant, part};
use crate::domain::rollout::Changes;
use crate::process::input::Ask;
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// What is to be another than before.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditBody {
    /// The title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// More packages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<PartBody>,
    /// Packages that the rollout is not about any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<PartBody>,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// A request to cancel a rollout.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelBody {
    /// Why; recorded in the logbook.
    pub reason: String,
}

/// Edits a rollout; its packages only while nothing has moved for it. Approvals lapse when they change.
#[utoipa::path(patch, path = "/api/v1/rollouts/{id}", tag = "rollouts", request_body = EditBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn edit(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<EditBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let rollout = rollout_id(&id)?;
    let EditBody { title, add, remove, reason } = asked;
    line("title", title.as_deref().unwrap_or_default())?;
    let view = context.engine.shared().read();
    let add = add.iter().map(|body| meant(&view, body)).collect::<Result<Vec<_>, _>>()?;
    drop(view);
    let remove = remove.iter().map(part).collect::<Result<Vec<_>, _>>()?;
    let changes = Changes { title, add, remove };
    line("reason", &reason)?;
    record(&context, caller, Ask::Edit { rollout, changes, reason }).await
}

/// Cancels a rollout for which nothing has moved: its packages stay where they are, and are free for others.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/cancel", tag = "rollouts", request_body = CancelBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn cancel(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<CancelBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let rollout = rollout_id(&id)?;
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::Cancel { rollout, reason: asked.reason }).await
}
