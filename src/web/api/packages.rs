//! `/api/v1/packages/{nevra}/lost` and `/allow`: gives up a package whose bytes no longer exist anywhere, and lets one that
//! was withdrawn come in again.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{RecordedBody, caller, line, parsed, problem, record};
use crate::process::decision::Answer;
use crate::process::input::Ask;
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// Gives up a package whose bytes no longer exist anywhere.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoseBody {
    /// Its distribution; may be omitted if only one has it.
    #[serde(default)]
    pub distribution: Option<String>,
    /// Why; recorded in the logbook.
    pub reason: String,
}

/// Lets a package that was withdrawn come in again, or takes that back.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowBody {
    /// Its distribution; may be omitted if only one has it.
    #[serde(default)]
    pub distribution: Option<String>,
    /// Whether it may not come in again after all; it has not yet.
    #[serde(default)]
    pub take_back: bool,
    /// Why; recorded in the logbook.
    pub reason: String,
}

/// A package that was given up.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LostBody {
    /// The package.
    pub nevra: String,
    /// Its distribution.
    pub distribution: String,
    /// The trees that no longer list it.
    pub trees: Vec<String>,
}

/// Gives up an accepted package whose bytes no longer exist anywhere: no tree lists it from then on.
#[utoipa::path(post, path = "/api/v1/packages/{nevra}/lost", tag = "trees", request_body = LoseBody, security(("token" = [])),
    params(("nevra" = String, Path, description = "name-[epoch:]version-release.arch")),
    responses((status = 200, description = "It is no longer listed", body = LostBody),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem),
        (status = 422, description = "It is not lost", body = Problem), (status = 503, body = Problem)))]
pub async fn lose(
    State(context): State<Context>,
    Path(nevra): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<LoseBody>, Problem>,
) -> Result<Json<LostBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let nevra = parsed(&nevra)?;
    let Object(asked) = read?;
    line("reason", &asked.reason)?;
    let dist = asked.distribution.as_deref().map(parsed).transpose()?;
    match context.engine.ask(caller, Ask::Lose { nevra, dist, reason: asked.reason }).await? {
        Answer::Lost { nevra, dist, trees } => {
            let trees = trees.iter().map(ToString::to_string).collect();
            Ok(Json(LostBody { nevra: nevra.to_string(), distribution: dist.to_string(), trees }))
        }
        other => Err(problem(other)),
    }
}

/// Lets a package that was withdrawn come in again, with the bytes that were accepted before.
#[utoipa::path(post, path = "/api/v1/packages/{nevra}/allow", tag = "trees", request_body = AllowBody, security(("token" = [])),
    params(("nevra" = String, Path, description = "name-[epoch:]version-release.arch")),
    responses((status = 200, description = "It may be uploaded again", body = RecordedBody),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, description = "It was not withdrawn, or is still being moved", body = Problem),
        (status = 413, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn allow(
    State(context): State<Context>,
    Path(nevra): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<AllowBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let nevra = parsed(&nevra)?;
    let Object(AllowBody { distribution, take_back, reason }) = read?;
    line("reason", &reason)?;
    let dist = distribution.as_deref().map(parsed).transpose()?;
    let ask = if take_back { Ask::Disallow { nevra, dist, reason } } else { Ask::Allow { nevra, dist, reason } };
    record(&context, caller, ask).await
}
