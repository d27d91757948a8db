//! What happens to a request before it is handled: its body is read, within bounds.

use std::pin::Pin;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::time::timeout;

use super::bodies::{BODY_MAX, Held, TIME};
use super::context::Context;
use super::problem::Problem;

/// Why a body was not read.
enum Unread {
    TooLarge,
    NoRoom,
    Broken,
}

impl Unread {
    fn problem(&self) -> Problem {
        match self {
            Self::TooLarge => {
                Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE, format!("a body has at most {BODY_MAX} bytes"))
            }
            Self::NoRoom => {
                let why = "too many bodies are under way; try again in a moment";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Not now", why)
            }
            Self::Broken => Problem::bad_request("the body breaks off"),
        }
    }
}

/// Reads the body of a request before anybody else does, and keeps count of it until the answer is made.
pub async fn within_bounds(State(context): State<Context>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let announced = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > BODY_MAX as u64) {
        // Before a byte of it has come.
        return Unread::TooLarge.problem().into_response();
    }
    let is_known = context.site().tokens.caller(&parts.headers).is_some();
    let mut held = context.bodies().begin(parts.extensions.get().copied(), is_known);
    let problem = match timeout(TIME, read(body, &mut held)).await {
        Ok(Ok(bytes)) => return next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(Err(unread)) => unread.problem(),
        Err(_) => {
            let why = format!("the body was not there within {} seconds", TIME.as_secs());
            Problem::of_status(StatusCode::REQUEST_TIMEOUT, why)
        }
    };
    problem.into_response()
}

async fn read(mut body: Body, held: &mut Held) -> Result<Vec<u8>, Unread> {
    let mut all = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(bytes) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        if all.len() + bytes.len() > BODY_MAX {
            return Err(Unread::TooLarge);
        }
        if !held.take(bytes.len()) {
            return Err(Unread::NoRoom);
        }
        all.extend_from_slice(&bytes);
    }
    Ok(all)
}
