//! `/api/v1/rollouts/{id}/teams`: teams are asked to test a rollout, and answer.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{RecordedBody, caller, line, parsed, record, rollout_id};
use crate::domain::naming::team::TeamName;
use crate::process::fact::assignment::{Answered, Installed};
use crate::process::input::Ask;
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// Teams that are asked to test a rollout.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignBody {
    /// The teams.
    pub teams: Vec<String>,
    /// Whether on services that carry the tag beta.
    #[serde(default)]
    pub beta: bool,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// A team is no longer asked.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnassignBody {
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// A team's answer.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerBody {
    /// Whether it tests the rollout.
    pub accepts: bool,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// Asks teams to test a rollout.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/teams", tag = "teams", request_body = AssignBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn assign(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<AssignBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let rollout = rollout_id(&id)?;
    let AssignBody { teams, beta, reason } = asked;
    let teams = teams.iter().map(|team| parsed(team)).collect::<Result<_, _>>()?;
    line("reason", &reason)?;
    record(&context, caller, Ask::Assign { rollout, teams, beta, reason }).await
}

/// Takes a team's assignment back; what it has reported stays.
#[utoipa::path(delete, path = "/api/v1/rollouts/{id}/teams/{team}", tag = "teams", request_body = UnassignBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout"), ("team" = String, Path, description = "The team")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn unassign(
    State(context): State<Context>,
    Path((id, team)): Path<(String, String)>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<UnassignBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let (rollout, team) = (rollout_id(&id)?, parsed(&team)?);
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::Unassign { rollout, team, reason: asked.reason }).await
}

/// A team accepts or declines.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/teams/{team}/answer", tag = "teams", request_body = AnswerBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout"), ("team" = String, Path, description = "The team")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn answer(
    State(context): State<Context>,
    Path((id, team)): Path<(String, String)>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<AnswerBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let answered = Answered { rollout: rollout_id(&id)?, team: answering(&team)?, accepts: asked.accepts };
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::Answer { answered, reason: asked.reason }).await
}

/// A team that answers, named as the procedure writes it: `<NGI>-<Site-name>`, or with its prefix (S0-36).
fn answering(team: &str) -> Result<TeamName, Problem> {
    parsed(team).or_else(|wrong| format!("ea-{team}").parse().map_err(|_| wrong))
}

/// A team says that it runs what it tests.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/teams/{team}/installed", tag = "teams", request_body = UnassignBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout"), ("team" = String, Path, description = "The team")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn installed(
    State(context): State<Context>,
    Path((id, team)): Path<(String, String)>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<UnassignBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let installed = Installed { rollout: rollout_id(&id)?, team: parsed(&team)? };
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::Install { installed, reason: asked.reason }).await
}
