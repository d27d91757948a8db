//! What the handlers that call the engine share: the caller, checks of text, and problems for refusals.

use std::fmt::Display;
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::{Extension, Json};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::domain::names::RolloutId;
use crate::format::quantity;
use crate::process::decision::Answer;
use crate::process::input::Ask;
use crate::process::who::Caller;
use crate::web::context::{Context, Credentials};
use crate::web::guesses::Kind;
use crate::web::peer::Client;
use crate::web::problem::Problem;
use crate::web::sso::Unidentified;

/// The longest title, state or reason. Titles in the examples have 60 characters; a reason may be a sentence or two.
const TEXT_MAX: usize = 500;

/// The caller; nobody if there is no token, and no web server that has identified them.
pub(super) async fn bearer(
    context: &Context,
    client: Option<Extension<Client>>,
    headers: &HeaderMap,
) -> Result<Option<Caller>, Problem> {
    let site = context.site();
    if !site.has_credentials(headers) {
        return Ok(None);
    }
    let client = client.map(|Extension(client)| client);
    context.guesses().may_try(client).map_err(|_| Problem::too_many())?;
    let wrong = match site.credentials(headers) {
        Credentials::None => return Ok(None),
        Credentials::Token(Some(caller)) | Credentials::Sso(Ok(caller)) => return Ok(Some(caller)),
        Credentials::Sso(Err(Unidentified::Nobody(why))) => return Err(Problem::unauthorized(why)),
        Credentials::Token(None) => "the token is unknown",
        Credentials::Sso(Err(Unidentified::Secret)) => "the web server's secret is another one",
    };
    context.guesses().wrong(Kind::Token, client).await;
    Err(Problem::unauthorized(wrong))
}

/// The caller, who must have a token or be identified by a web server.
pub(super) async fn caller(
    context: &Context,
    client: Option<Extension<Client>>,
    headers: &HeaderMap,
) -> Result<Caller, Problem> {
    let hint = "send `Authorization: Bearer TOKEN` with a token from the configuration";
    bearer(context, client, headers).await?.ok_or_else(|| Problem::unauthorized(hint))
}

/// The headers of a page: `Link: <...>; rel="next"` leads to the next one, if there is one.
pub(super) fn next_page(next: Option<String>) -> HeaderMap {
    let link = next.map(|next| format!("<{next}>; rel=\"next\""));
    // What is not a header's text is no link of ours.
    link.and_then(|link| HeaderValue::from_str(&link).ok()).map(|link| (header::LINK, link)).into_iter().collect()
}

/// The path of a page: what was asked for, with the place after which it begins.
pub(super) fn page_path(path: &str, parts: &[(&str, Option<&String>)]) -> String {
    let parts = parts.iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded((*value)?))));
    format!("{path}?{}", parts.collect::<Vec<_>>().join("&"))
}

/// A value in a link, percent-encoded.
pub(super) fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The rollout in a path.
pub(super) fn rollout_id(text: &str) -> Result<RolloutId, Problem> {
    text.parse().map_err(|e: crate::domain::names::BadName| Problem::not_found(e.to_string()))
}

/// Parses a name or an identity in a request.
pub(super) fn parsed<T: FromStr<Err: Display>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|e: T::Err| Problem::bad_request(e.to_string()))
}

/// A time in the past: itself, the beginning of a day in UTC, or how long ago it was.
pub(super) fn since(text: &str, now: Timestamp) -> Result<Timestamp, Problem> {
    let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let ago = || now.checked_sub(quantity::duration(text).ok()?).ok();
    text.parse().ok().or_else(day).or_else(ago).ok_or_else(|| {
        let text = text.escape_debug();
        Problem::bad_request(format!("`{text}` is not a time such as 2026-11-20T12:00:00Z, 2026-11-20 or 7d"))
    })
}

/// Checks that a text is a single line that may go into the logbook.
pub(super) fn line(what: &str, text: &str) -> Result<(), Problem> {
    if text.len() > TEXT_MAX {
        return Err(Problem::bad_request(format!("the {what} is longer than {TEXT_MAX} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(Problem::bad_request(format!("the {what} has a control character")));
    }
    Ok(())
}

/// The problem for an answer of the engine.
pub fn problem(answer: Answer) -> Problem {
    match answer {
        Answer::NotFound(why) => Problem::not_found(why),
        Answer::Conflict(why) => Problem::conflict(why),
        Answer::Refused(judgement) => Problem::refused(&judgement),
        Answer::Ahead(why) => Problem::bad_request(why),
        Answer::Reused(why) => Problem::new(StatusCode::CONFLICT, "reused", "Another delivery has this id", why),
        Answer::Submitted(_)
        | Answer::Moved { .. }
        | Answer::Lost { .. }
        | Answer::Restores { .. }
        | Answer::Nothing(_)
        | Answer::Erased(_)
        | Answer::Recorded { .. }
        | Answer::Remembered(_)
        | Answer::Repeated => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Unexpected answer", "please report this")
        }
    }
}

/// What was written down for a request that only records something.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RecordedBody {
    /// The number of the logbook's entry; the first of several.
    pub entry: u64,
    /// What it says.
    pub says: String,
    /// What you should know beside it; written down nowhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Asks for something that is only recorded.
pub(super) async fn record(context: &Context, caller: Caller, ask: Ask) -> Result<Json<RecordedBody>, Problem> {
    match context.engine.ask(caller, ask).await? {
        Answer::Recorded { entry, says, warnings } => Ok(Json(RecordedBody { entry, says, warnings })),
        other => Err(problem(other)),
    }
}
