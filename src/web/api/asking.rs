//! What the handlers share that ask something of the engine: who asks, which words may be said, what a no is.

use std::fmt::Display;
use std::str::FromStr;

use axum::Extension;
use axum::http::{HeaderMap, StatusCode, header};

use crate::domain::names::RolloutId;
use crate::process::decision::Answer;
use crate::process::who::Caller;
use crate::web::context::Context;
use crate::web::guesses::Kind;
use crate::web::peer::Spoken;
use crate::web::problem::Problem;

/// Longest title, state or reason. A title of the seeds has 60 characters; a reason may be a sentence or two.
const TEXT_MAX: usize = 500;

/// Who asks; nobody when no token was sent.
pub(super) async fn bearer(
    context: &Context,
    spoken: Option<Extension<Spoken>>,
    headers: &HeaderMap,
) -> Result<Option<Caller>, Problem> {
    if !headers.contains_key(header::AUTHORIZATION) {
        return Ok(None);
    }
    let spoken = spoken.map(|Extension(spoken)| spoken);
    context.guesses().may_try(spoken).map_err(|_| Problem::too_many())?;
    let known = context.site().tokens.caller(headers);
    if known.is_none() {
        context.guesses().wrong(Kind::Token, spoken).await;
        return Err(Problem::unauthorized("the token is none of the configuration's"));
    }
    Ok(known)
}

/// Who asks; it has to be somebody.
pub(super) async fn caller(
    context: &Context,
    spoken: Option<Extension<Spoken>>,
    headers: &HeaderMap,
) -> Result<Caller, Problem> {
    let hint = "send `Authorization: Bearer TOKEN` with a token of the configuration";
    bearer(context, spoken, headers).await?.ok_or_else(|| Problem::unauthorized(hint))
}

/// The rollout that a path names.
pub(super) fn rollout_id(text: &str) -> Result<RolloutId, Problem> {
    text.parse().map_err(|e: crate::domain::names::BadName| Problem::not_found(e.to_string()))
}

/// A name or an identity that a request has; what is none is said.
pub(super) fn parsed<T: FromStr<Err: Display>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|e: T::Err| Problem::bad_request(e.to_string()))
}

/// Whether a text is one line that may go into the logbook.
pub(super) fn line(what: &str, text: &str) -> Result<(), Problem> {
    if text.len() > TEXT_MAX {
        return Err(Problem::bad_request(format!("the {what} is longer than {TEXT_MAX} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(Problem::bad_request(format!("the {what} has a control character")));
    }
    Ok(())
}

/// What a no of the engine is to whoever asked.
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
        | Answer::Erased(_)
        | Answer::Remembered(_)
        | Answer::Repeated => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Unexpected answer", "please report this")
        }
    }
}
