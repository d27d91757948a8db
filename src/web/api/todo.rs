//! `/api/v1/todo`: what whoever asks has to do, or can do now.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::caller;
use crate::process::todo::{Deadline, Duty, todo as duties};
use crate::web::context::Context;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// Something to do.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DutyBody {
    /// Until when, if there is a deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Whether it should have been done by then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overdue: bool,
    /// What.
    pub what: String,
    /// The command of `rolloutctl` that does it.
    pub command: String,
}

/// What you have to do or can do now, the most urgent first; of each state the rollouts that changed last are looked at.
#[utoipa::path(get, path = "/api/v1/todo", tag = "todo", security(("token" = [])),
    responses((status = 200, description = "What there is to do", body = Vec<DutyBody>), (status = 401, body = Problem),
        (status = 503, body = Problem)))]
pub async fn todo(
    State(context): State<Context>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
) -> Result<Json<Vec<DutyBody>>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let view = context.engine.shared().read();
    let all = context.reckon(move || duties(view.known(), &caller)).await?;
    Ok(Json(all.into_iter().map(body).collect()))
}

fn body(Duty { by, what, command }: Duty) -> DutyBody {
    let (by, overdue) = match by {
        Deadline::Overdue(by) => (Some(by.to_string()), true),
        Deadline::Until(by) => (Some(by.to_string()), false),
        Deadline::None => (None, false),
    };
    DutyBody { by, overdue, what, command }
}
