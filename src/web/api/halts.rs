//! `/api/v1/halts`: halts promotions, everywhere or in one distribution, and ends a halt.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{RecordedBody, caller, line, parsed, record};
use crate::domain::names::DistPath;
use crate::process::input::Ask;
use crate::process::world::halts::Halt;
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// A halt.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HaltedBody {
    /// Its distribution; everywhere if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<String>,
    /// Since when.
    pub since: String,
    /// Who halted.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A request to halt promotions.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HaltBody {
    /// Only this distribution; everywhere if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<String>,
    /// Why, for everybody who has to wait.
    pub reason: String,
}

/// A request to end a halt.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndHaltBody {
    /// Only this distribution; everywhere if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<String>,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// All halts that have not ended.
#[utoipa::path(get, path = "/api/v1/halts", tag = "halts",
    responses((status = 200, description = "All halts that have not ended", body = Vec<HaltedBody>)))]
pub async fn halts(State(context): State<Context>) -> Json<Vec<HaltedBody>> {
    let view = context.engine.shared().read();
    let body = |(dist, halt): (Option<&DistPath>, &Halt)| HaltedBody {
        distribution: dist.map(ToString::to_string),
        since: halt.since.to_string(),
        by: view.people.shown(halt.by.as_str()).into_owned(),
        reason: halt.reason.clone(),
    };
    Json(view.world.halts.iter().map(body).collect())
}

/// Halts promotions: no step that moves packages forward is taken.
#[utoipa::path(post, path = "/api/v1/halts", tag = "halts", request_body = HaltBody, security(("token" = [])),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn halt(
    State(context): State<Context>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<HaltBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let dist = asked.distribution.as_deref().map(parsed).transpose()?;
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::Halt { dist, reason: asked.reason }).await
}

/// Ends a halt of exactly this place.
#[utoipa::path(delete, path = "/api/v1/halts", tag = "halts", request_body = EndHaltBody, security(("token" = [])),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn end_halt(
    State(context): State<Context>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<EndHaltBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let dist = asked.distribution.as_deref().map(parsed).transpose()?;
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::EndHalt { dist, reason: asked.reason }).await
}
