//! `POST /hooks/<name>`: a signed hint from a tracker.
//!
//! The order is fixed: limit the body, check the MAC over the raw bytes, parse, hand over, and answer 202 once the
//! delivery is recorded. Nothing in the body is looked at before the MAC is verified.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::api::asking;
use super::context::Context;
use super::guesses::Kind;
use super::peer::Client;
use super::problem::Problem;
use crate::domain::names::HookName;
use crate::format::hook;
use crate::process::decision::Answer;
use crate::process::input::Hint;

/// What a hint led to.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HeardBody {
    /// One word: `moved`, `waits` (it is retried), `refused`, `overtaken` (something newer came before), `nothing` (it
    /// is so already) or `repeated`.
    pub outcome: String,
    /// The same in a sentence.
    pub says: String,
}

/// Receives a hint.
#[utoipa::path(
    post, path = "/hooks/{name}", tag = "hooks",
    params(
        ("name" = String, Path, description = "The webhook's name in the configuration"),
        ("X-Hub-Signature-256" = String, Header, description = "sha256= and the HMAC-SHA256 of the raw body in hexadecimal"),
    ),
    request_body(content = String, content_type = "application/json", description = "A generic body: delivery, rollout, state, actor, at"),
    responses(
        (status = 202, description = "The delivery is recorded, or is a duplicate; the body gives the result", body = HeardBody),
        (status = 400, description = "The body cannot be read, or its time is in the future", body = Problem),
        (status = 401, description = "The MAC is missing or wrong", body = Problem),
        (status = 409, description = "The delivery's id was used before with different content", body = Problem),
        (status = 429, description = "Too many wrong signatures came from this address", body = Problem),
        (status = 413, description = "The body is larger than 1 MiB", body = Problem),
        (status = 503, description = "The queue is full; send it again", body = Problem),
    )
)]
pub async fn receive(
    State(context): State<Context>,
    Path(name): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<HeardBody>), Problem> {
    let site = context.site();
    let client = client.map(|Extension(client)| client);
    context.guesses().may_try(client).map_err(|_| Problem::too_many())?;
    let signature = headers.get("x-hub-signature-256").map(axum::http::HeaderValue::as_bytes);
    // An unknown name gets the same answer as a wrong MAC, so that names are not revealed.
    let hook = name.parse::<HookName>().ok().filter(|hook| site.secrets.is_signed(hook, signature, &body));
    let Some(hook) = hook else {
        context.guesses().wrong(Kind::Signature, client).await;
        let detail = "the body is not signed with the secret of this webhook: X-Hub-Signature-256 is missing or wrong";
        return Err(Problem::unauthorized(detail));
    };
    let said = hook::read(&body).map_err(|e| Problem::bad_request(e.to_string()))?;
    let hook::Generic { delivery, rollout, state, actor, at } = said;
    let hint = Hint { hook, delivery, rollout, state, actor, at: Some(at) };
    let said = format!("{}: delivery {}", hint.hook, hint.delivery);
    let (outcome, says) = match context.engine.hear(hint).await? {
        Answer::Remembered(outcome) => (outcome.word, outcome.says),
        Answer::Repeated => ("repeated", "this delivery is a duplicate; nothing was changed".to_owned()),
        other => {
            let problem = asking::problem(other);
            tracing::warn!(said, why = problem.detail, "a delivery was not accepted");
            return Err(problem);
        }
    };
    Ok((StatusCode::ACCEPTED, Json(HeardBody { outcome: outcome.to_owned(), says })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_does_not_take_is_told_and_is_no_202() {
        let ahead = asking::problem(Answer::Ahead("in the future".to_owned()));
        let reused = asking::problem(Answer::Reused("other content".to_owned()));
        assert_eq!((ahead.status, reused.status), (400, 409));
    }
}
