//! Errors as people and programs get them: RFC 9457 problem documents.
//!
//! The only place where an answer of the engine becomes an HTTP status. There is no `_` arm, so a new
//! kind of answer does not compile until somebody has decided what the caller is told.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::domain::gate::{Judgement, Verdict};
use crate::engine::run::NoAnswer;

/// A problem document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// A stable name for the kind of problem, as a URI reference.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time, and what to do.
    pub detail: String,
    /// What stands in the way, when a step was refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<FindingBody>,
}

/// One finding of a gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FindingBody {
    /// `pass`, `wait`, `needs-admin` or `reject`.
    pub verdict: String,
    /// A stable code.
    pub code: String,
    /// One sentence.
    pub sentence: String,
    /// The earliest time at which it may pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
}

impl Problem {
    /// A problem without findings.
    pub fn new(status: StatusCode, kind: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/problems/{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            findings: vec![],
        }
    }

    /// There is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    /// It exists already.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "It exists already", detail)
    }

    /// The request cannot be read.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "The request cannot be read", detail)
    }

    /// Nobody knows who asks.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Not authenticated", detail)
    }

    /// A step was refused; the findings say why.
    pub fn refused(judgement: &Judgement) -> Self {
        let (status, title) = match judgement.verdict {
            Verdict::Pass | Verdict::Reject => (StatusCode::UNPROCESSABLE_ENTITY, "The step is refused"),
            Verdict::Wait => (StatusCode::CONFLICT, "The step has to wait"),
            Verdict::NeedsAdmin => (StatusCode::FORBIDDEN, "Somebody with more rights has to do this"),
        };
        let sentences: Vec<&str> =
            judgement.findings.iter().filter(|f| f.verdict != Verdict::Pass).map(|f| f.sentence.as_str()).collect();
        let mut problem = Self::new(status, "refused", title, sentences.join(" "));
        problem.findings = findings(judgement);
        problem
    }
}

/// The findings of a judgement, worst first.
pub fn findings(judgement: &Judgement) -> Vec<FindingBody> {
    let body = |f: &crate::domain::gate::Finding| FindingBody {
        verdict: f.verdict.to_string(),
        code: f.code.to_owned(),
        sentence: f.sentence.clone(),
        not_before: f.not_before.map(|at| at.to_string()),
    };
    judgement.findings.iter().map(body).collect()
}

impl From<NoAnswer> for Problem {
    fn from(error: NoAnswer) -> Self {
        match error {
            NoAnswer::Full | NoAnswer::Unavailable => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not now", error.to_string())
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(&self)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}
