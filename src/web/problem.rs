//! Errors for people and programs: RFC 9457 problem documents.
//!
//! The only place where an answer of the engine becomes an HTTP status. There is no `_` arm, so a new kind of answer
//! does not compile until somebody has decided what the caller is told. Errors of the library below (an unknown path,
//! an unreadable query) get their document in [`worded`], so that no new route can forget it.

use axum::body::to_bytes;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::domain::gate::{Finding, Judgement, Verdict};
use crate::engine::handle::NoAnswer;

/// A problem document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// A stable name for the kind of problem, as a URI reference.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind as a short phrase.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time, and what to do.
    pub detail: String,
    /// What prevents the step, if one was refused.
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
    /// The earliest time at which it can pass.
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

    /// The problem for a status.
    pub fn of_status(status: StatusCode, detail: impl Into<String>) -> Self {
        let (kind, title) = match status {
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => ("bad-request", "The request cannot be read"),
            StatusCode::NOT_FOUND => ("not-found", "Not found"),
            StatusCode::METHOD_NOT_ALLOWED => ("method-not-allowed", "This address does not allow this method"),
            StatusCode::REQUEST_TIMEOUT => ("timeout", "The request took too long"),
            StatusCode::PAYLOAD_TOO_LARGE => ("too-large", "The body is too large"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => ("media-type", "The body has an unsupported media type"),
            _ => {
                let title = status.canonical_reason().unwrap_or("The request failed");
                // RFC 9457 section 4.2.1: nothing is said beyond the status.
                return Self { kind: "about:blank".to_owned(), ..Self::new(status, "", title, detail) };
            }
        };
        Self::new(status, kind, title, detail)
    }

    /// It does not exist.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::of_status(StatusCode::NOT_FOUND, detail)
    }

    /// It is so already, or it is too late for it.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "Nothing was changed", detail)
    }

    /// The request is invalid.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::of_status(StatusCode::BAD_REQUEST, detail)
    }

    /// The caller is unknown.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Not authenticated", detail)
    }

    /// Too many wrong credentials from one address.
    pub fn too_many() -> Self {
        let why = "too many wrong credentials came from this address; wait a minute, and check which are used";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many", "Too many wrong credentials", why)
    }

    /// A step was refused; the findings say why.
    pub fn refused(judgement: &Judgement) -> Self {
        let is_right = |finding: &Finding| finding.code == "role" && finding.verdict == Verdict::NeedsAdmin;
        let (status, title) = match judgement.verdict {
            Verdict::Pass | Verdict::Reject => (StatusCode::UNPROCESSABLE_ENTITY, "The request is refused"),
            Verdict::Wait => (StatusCode::CONFLICT, "The step has to wait"),
            Verdict::NeedsAdmin if judgement.findings.iter().any(is_right) => {
                (StatusCode::FORBIDDEN, "Somebody with more rights has to do this")
            }
            Verdict::NeedsAdmin => (StatusCode::FORBIDDEN, "Somebody has to settle something first"),
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
    finding_bodies(&judgement.findings)
}

/// Findings as other programs read them.
pub fn finding_bodies(findings: &[Finding]) -> Vec<FindingBody> {
    let body = |f: &Finding| FindingBody {
        verdict: f.verdict.to_string(),
        code: f.code.to_owned(),
        sentence: f.sentence.clone(),
        not_before: f.not_before.map(|at| at.moment().wall.to_string()),
    };
    findings.iter().map(body).collect()
}

impl From<NoAnswer> for Problem {
    fn from(error: NoAnswer) -> Self {
        match error {
            NoAnswer::Full | NoAnswer::Unavailable | NoAnswer::Unwritable(_) => {
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
        let later = match status {
            StatusCode::SERVICE_UNAVAILABLE => Some("5"),
            StatusCode::TOO_MANY_REQUESTS => Some("60"),
            _ => None,
        };
        if let Some(later) = later {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(later));
        }
        // For the page that people get instead.
        response.extensions_mut().insert(self);
        response
    }
}

/// The longest error text that is kept as the detail of its document.
const DETAIL_MAX: usize = 4096;

/// Turns an error without a problem document into one, such as those of the library below: they have an empty body, or
/// a line of plain text, which becomes the detail.
pub async fn worded(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    if !is_error || kind.is_some_and(|kind| !kind.starts_with(b"text/plain")) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let text = to_bytes(body, DETAIL_MAX).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    let detail = match status {
        _ if !text.is_empty() => text,
        StatusCode::NOT_FOUND => "there is nothing at this address; see /api/v1/openapi.json".to_owned(),
        StatusCode::METHOD_NOT_ALLOWED => "use one of the methods in the Allow header".to_owned(),
        _ => format!("the status is {status}"),
    };
    let mut document = Problem::of_status(status, detail).into_response();
    for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH] {
        parts.headers.remove(name);
    }
    document.headers_mut().extend(parts.headers);
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_step_is_a_document_with_its_findings() {
        let finding = |verdict, code| Finding::new(verdict, code, "A sentence.");
        let judgement = |verdict, findings| Judgement { verdict, findings };
        let told = [
            judgement(Verdict::Reject, vec![finding(Verdict::Reject, "no_arrow"), finding(Verdict::Pass, "role")]),
            judgement(Verdict::Wait, vec![finding(Verdict::Wait, "exposure")]),
            judgement(Verdict::NeedsAdmin, vec![finding(Verdict::NeedsAdmin, "role")]),
        ];
        let told =
            told.map(|judgement| serde_json::to_string_pretty(&Problem::refused(&judgement)).expect("it is JSON"));
        insta::assert_snapshot!(told.join("\n"));
        // Who has the role needs no more rights.
        let fails = vec![finding(Verdict::NeedsAdmin, "task_fails"), finding(Verdict::Pass, "role")];
        let title = Problem::refused(&judgement(Verdict::NeedsAdmin, fails)).title;
        assert_eq!(title, "Somebody has to settle something first");
    }
}
