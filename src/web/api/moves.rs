//! `/api/v1/rollouts/{id}/move` and `/give-up`: a step is asked for, or given up when it cannot be carried out.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{caller, line, problem, rollout_id};
use crate::process::decision::Answer;
use crate::process::input::Ask;
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Spoken;
use crate::web::problem::Problem;

/// A step that somebody asks for.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveBody {
    /// The state to reach, in any spelling.
    pub state: String,
    /// Why; goes into the logbook.
    #[serde(default)]
    pub reason: String,
}

/// A move or a withdrawal that is given up because it cannot be carried out.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiveUpBody {
    /// Why; goes into the logbook. A withdrawal takes one.
    #[serde(default)]
    pub reason: String,
}

/// A step that is being taken.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MovedBody {
    /// The rollout.
    pub id: String,
    /// Its state now.
    pub state: String,
    /// How many packages move now; 0 when nothing moves.
    pub packages: usize,
}

/// What comes of a step that was asked for.
fn moved(answer: Answer) -> Result<(StatusCode, Json<MovedBody>), Problem> {
    match answer {
        Answer::Moved { rollout, state, packages } => {
            let body = MovedBody { id: rollout.to_string(), state: state.to_string(), packages };
            Ok((StatusCode::ACCEPTED, Json(body)))
        }
        other => Err(problem(other)),
    }
}

/// Asks for another state.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/move", tag = "rollouts", request_body = MoveBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 202, description = "The rollout has its new state; packages move now", body = MovedBody),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, description = "It has to wait", body = Problem),
        (status = 413, body = Problem), (status = 422, description = "It is refused", body = Problem), (status = 503, body = Problem)))]
pub async fn move_rollout(
    State(context): State<Context>,
    Path(id): Path<String>,
    spoken: Option<Extension<Spoken>>,
    headers: HeaderMap,
    read: Result<Object<MoveBody>, Problem>,
) -> Result<(StatusCode, Json<MovedBody>), Problem> {
    let caller = caller(&context, spoken, &headers).await?;
    let rollout = rollout_id(&id)?;
    let Object(asked) = read?;
    line("state", &asked.state)?;
    line("reason", &asked.reason)?;
    let ask = Ask::Move { rollout, state: asked.state, reason: asked.reason };
    moved(context.engine.ask(caller, ask).await?)
}

/// Gives up a move or a withdrawal that was decided and cannot be carried out: the rollout is in the state before it.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/give-up", tag = "rollouts", request_body = GiveUpBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 202, description = "The rollout is in the state before it; what clients see otherwise already is put right", body = MovedBody),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, description = "It goes on, or nothing was decided", body = Problem),
        (status = 413, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn give_up(
    State(context): State<Context>,
    Path(id): Path<String>,
    spoken: Option<Extension<Spoken>>,
    headers: HeaderMap,
    read: Result<Object<GiveUpBody>, Problem>,
) -> Result<(StatusCode, Json<MovedBody>), Problem> {
    let caller = caller(&context, spoken, &headers).await?;
    let rollout = rollout_id(&id)?;
    let Object(asked) = read?;
    line("reason", &asked.reason)?;
    moved(context.engine.ask(caller, Ask::GiveUp { rollout, reason: asked.reason }).await?)
}
