//! `/api/v1/rollouts/{id}/why`: what stands between a rollout and each state that it can go to.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{bearer, rollout_id};
use crate::web::auth;
use crate::web::context::Context;
use crate::web::peer::Client;
use crate::web::problem::{FindingBody, Problem, findings};

/// What stands between a rollout and one state.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WhyBody {
    /// The state.
    pub state: String,
    /// `pass`, `wait`, `needs-admin` or `reject`.
    pub verdict: String,
    /// All findings, worst first.
    pub findings: Vec<FindingBody>,
}

/// What stands between a rollout and each state that it can go to.
#[utoipa::path(get, path = "/api/v1/rollouts/{id}/why", tag = "rollouts",
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "The findings for each next state", body = Vec<WhyBody>),
        (status = 401, description = "The token is wrong", body = Problem), (status = 404, body = Problem)))]
pub async fn why(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
) -> Result<Json<Vec<WhyBody>>, Problem> {
    let id = rollout_id(&id)?;
    let caller = bearer(&context, client, &headers).await?.unwrap_or_else(auth::nobody);
    let why = context.engine.shared().read().why(&id, &caller);
    let why = why.ok_or_else(|| Problem::not_found(format!("there is no rollout {id}")))?;
    let body = |(state, judged): &(crate::domain::workflow::State, crate::domain::gate::Judgement)| WhyBody {
        state: state.to_string(),
        verdict: judged.verdict.to_string(),
        findings: findings(judged),
    };
    Ok(Json(why.iter().map(body).collect()))
}
