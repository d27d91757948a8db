//! Gives each request an id, by which its lines in the log are found.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;

use crate::engine::trail::RequestId;

/// The header in which a client gets the id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Characters of a path that the log shows.
const PATH_SHOWN: usize = 100;

/// Handles a request within its span, and returns its id.
pub async fn with_id(request: Request, next: Next) -> Response {
    let id = RequestId::fresh();
    let path: String = request.uri().path().chars().take(PATH_SHOWN).collect();
    let span = tracing::info_span!("http", request = %id, method = %request.method(), path);
    let mut response = id.during(next.run(request).instrument(span)).await;
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}
