//! `POST /hooks/<name>`: a signed hint from a tracker.
//!
//! The order is fixed: bound the body, check the MAC over the raw bytes, then parse, then hand over,
//! and answer 202 when the logbook has it. Before the MAC is good, nothing in the body is looked at.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};

use super::context::Context;
use super::problem::Problem;
use crate::domain::names::HookName;
use crate::engine::input::Hint;
use crate::format::hook;

/// The tracker sends at most some KiB; the rest is room for long comments. A larger body is refused
/// before it is read, so a stranger cannot fill the memory.
pub const BODY_MAX: usize = 1024 * 1024;

/// Takes a hint in.
#[utoipa::path(
    post, path = "/hooks/{name}", tag = "hooks",
    params(
        ("name" = String, Path, description = "The webhook's name in the configuration"),
        ("X-Hub-Signature-256" = String, Header, description = "sha256= and the HMAC-SHA256 of the raw body in hexadecimal"),
    ),
    request_body(content = String, content_type = "application/json", description = "A generic body: delivery, rollout, state, actor, at"),
    responses(
        (status = 202, description = "The hint is durable, or was heard before"),
        (status = 400, description = "The body cannot be read", body = Problem),
        (status = 401, description = "The MAC is missing or wrong", body = Problem),
        (status = 413, description = "The body is larger than 1 MiB", body = Problem),
        (status = 503, description = "The queue is full; send it again", body = Problem),
    )
)]
pub async fn receive(
    State(context): State<Context>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let site = context.site();
    let signature = headers.get("x-hub-signature-256").map(axum::http::HeaderValue::as_bytes);
    // An unknown name gets the same answer as a wrong MAC: names are nobody's business.
    let hook = name.parse::<HookName>().ok().filter(|hook| site.secrets.is_signed(hook, signature, &body));
    let Some(hook) = hook else {
        let detail = "the body is not signed with the secret of this webhook: X-Hub-Signature-256 is missing or wrong";
        return Err(Problem::unauthorized(detail));
    };
    let said = hook::read(&body).map_err(|e| Problem::bad_request(e.to_string()))?;
    let hook::Generic { delivery, rollout, state, actor, at } = said;
    let hint = Hint { hook, delivery, rollout, state, actor, at: Some(at) };
    context.engine.hear(hint).await?;
    Ok(StatusCode::ACCEPTED)
}
