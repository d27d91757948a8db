//! Reads the body of a request, within limits, before it is handled.

use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::time::timeout;

use super::bodies::{BODY_MAX, Held, REPORT_MAX, REPORT_TIME, TIME};
use super::context::{Context, Credentials};
use super::problem::Problem;
use super::sso;

/// Why a body was not read.
enum Unread {
    TooLarge(usize),
    NoRoom,
    Broken,
    Late(Duration),
}

impl Unread {
    fn problem(&self) -> Problem {
        match self {
            Self::TooLarge(most) => {
                Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE, format!("a body may have at most {most} bytes"))
            }
            Self::NoRoom => {
                let why = "too many bodies are in transfer; try again in a moment";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Not now", why)
            }
            Self::Broken => Problem::bad_request("the body is incomplete"),
            Self::Late(time) => {
                let why = format!("the body did not arrive within {} seconds", time.as_secs());
                Problem::of_status(StatusCode::REQUEST_TIMEOUT, why)
            }
        }
    }
}

/// Reads the body of a request before anything else does, and counts its bytes until the response is made.
pub async fn within_bounds(State(context): State<Context>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let credentials = context.site().credentials(&parts.headers);
    if matches!(credentials, Credentials::Sso(Ok(_))) && sso::is_from_elsewhere(&parts.headers) {
        let why = "another site's page made your browser send this, so nothing was done";
        return Problem::of_status(StatusCode::FORBIDDEN, why).into_response();
    }
    let is_known = matches!(credentials, Credentials::Token(Some(_)) | Credentials::Sso(Ok(_)));
    let is_report = is_known && parts.uri.path().ends_with("/report");
    let (most, time) = if is_report { (REPORT_MAX, REPORT_TIME) } else { (BODY_MAX, TIME) };
    let announced = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > most as u64) {
        // Before any of it has arrived.
        return Unread::TooLarge(most).problem().into_response();
    }
    let mut held = context.bodies().begin(parts.extensions.get().copied(), is_known);
    match read_within(time, body, &mut held, most).await {
        Ok(bytes) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Err(unread) => unread.problem().into_response(),
    }
}

async fn read_within(time: Duration, body: Body, held: &mut Held, most: usize) -> Result<Vec<u8>, Unread> {
    timeout(time, read(body, held, most)).await.unwrap_or(Err(Unread::Late(time)))
}

async fn read(mut body: Body, held: &mut Held, most: usize) -> Result<Vec<u8>, Unread> {
    let mut all = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(bytes) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        if all.len() + bytes.len() > most {
            return Err(Unread::TooLarge(most));
        }
        if !held.take(bytes.len()) {
            return Err(Unread::NoRoom);
        }
        all.extend_from_slice(&bytes);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::task::{Context as Waker, Poll};

    use axum::body::{Bytes, HttpBody};
    use hyper::body::Frame;

    use super::*;
    use crate::web::bodies::Bodies;

    /// A body of which this many bytes arrive, and then nothing.
    struct HalfSent(Option<usize>);

    impl HttpBody for HalfSent {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Waker<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0.take().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(Frame::data(vec![b' '; bytes].into())))))
        }
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_not_waited_for_and_gives_its_room_back() {
        let bodies = Arc::<Bodies>::default();
        let mut open = Vec::new();
        // As many as there is room for, and those that are refused at once.
        for _ in 0..20 {
            let mut held = bodies.begin(None, false);
            let read = read_within(Duration::from_millis(1), Body::new(HalfSent(Some(BODY_MAX))), &mut held, BODY_MAX);
            let read = timeout(Duration::from_secs(10), read).await.expect("nobody waits for it");
            open.push((read.expect_err("it never ends").problem().status, held));
        }
        let statuses: Vec<u16> = open.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, [[408; 16].as_slice(), &[503; 4]].concat());
        drop(open);
        let mut held = bodies.begin(None, false);
        assert!(held.take(BODY_MAX), "there is room again");
    }
}
