//! `/api/v1/rollouts/{id}/move` and `/give-up`: requests a step, or gives one up that cannot be carried out.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{caller, line, problem, rollout_id};
use crate::process::decision::Answer;
use crate::process::input::Ask;
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// A requested step.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveBody {
    /// The state to reach, in any spelling.
    pub state: String,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// Gives up a move or a withdrawal that cannot be carried out.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiveUpBody {
    /// Why; recorded in the logbook. A withdrawal requires one.
    #[serde(default)]
    pub reason: String,
}

/// A step in progress.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MovedBody {
    /// The rollout.
    pub id: String,
    /// Its state now.
    pub state: String,
    /// How many packages are moving; 0 if none are.
    pub packages: usize,
    /// What you should know beside it; written down nowhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// The response to a requested step.
fn moved(answer: Answer) -> Result<(StatusCode, Json<MovedBody>), Problem> {
    match answer {
        Answer::Moved { rollout, state, packages, warnings } => {
            let body = MovedBody { id: rollout.to_string(), state: state.to_string(), packages, warnings };
            Ok((StatusCode::ACCEPTED, Json(body)))
        }
        other => Err(problem(other)),
    }
}

/// Requests another state.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/move", tag = "rollouts", request_body = MoveBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 202, description = "The rollout has its new state; packages move now", body = MovedBody),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, description = "It must wait", body = Problem),
        (status = 413, body = Problem), (status = 422, description = "It is refused", body = Problem), (status = 503, body = Problem)))]
pub async fn move_rollout(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<MoveBody>, Problem>,
) -> Result<(StatusCode, Json<MovedBody>), Problem> {
    let caller = caller(&context, client, &headers).await?;
    let rollout = rollout_id(&id)?;
    let Object(asked) = read?;
    line("state", &asked.state)?;
    line("reason", &asked.reason)?;
    let ask = Ask::Move { rollout, state: asked.state, reason: asked.reason };
    moved(context.engine.ask(caller, ask).await?)
}

/// Gives up a move or withdrawal that was decided but cannot be carried out: the rollout returns to its previous
/// state.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/give-up", tag = "rollouts", request_body = GiveUpBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 202, description = "The rollout is back in its previous state; changes that clients already see are undone", body = MovedBody),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, description = "It is in progress, or nothing was decided", body = Problem),
        (status = 413, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn give_up(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<GiveUpBody>, Problem>,
) -> Result<(StatusCode, Json<MovedBody>), Problem> {
    let caller = caller(&context, client, &headers).await?;
    let rollout = rollout_id(&id)?;
    let Object(asked) = read?;
    line("reason", &asked.reason)?;
    moved(context.engine.ask(caller, Ask::GiveUp { rollout, reason: asked.reason }).await?)
}
