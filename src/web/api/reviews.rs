//! `/api/v1/reviews`: what was released, looked at afterwards by those who use it.

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{RecordedBody, caller, line, parsed, record};
use crate::domain::names::{Actor, RolloutId};
use crate::domain::review::QUESTIONS;
use crate::engine::view::View;
use crate::process::input::Ask;
use crate::process::world::reviews::{Answer, Review};
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// Most reviews in one response.
const REVIEWS_MOST: usize = 1_000;

/// A review.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReviewBody {
    /// Its number.
    pub review: u64,
    /// release or emergency.
    pub cause: String,
    /// The rollout that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// The change that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// When it was opened.
    pub opened: String,
    /// Until when it has to be answered.
    pub due: String,
    /// open, overdue or answered.
    pub standing: String,
    /// What is asked.
    pub questions: Vec<String>,
    /// What people answer.
    pub answers: Vec<ReviewAnswerBody>,
}

/// What somebody answers.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReviewAnswerBody {
    /// Who.
    pub by: String,
    /// When.
    pub at: String,
    /// Whether release notes and documentation were sufficient.
    pub documented: bool,
    /// Whether it works as expected.
    pub works: bool,
    /// What else there is to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Answers to the questions of a review.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerReviewBody {
    /// Whether release notes and documentation were sufficient.
    pub documented: bool,
    /// Whether it works as expected.
    pub works: bool,
    /// Anything else, such as what was missing.
    #[serde(default)]
    pub note: String,
}

/// Which reviews.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
pub struct ReviewsQuery {
    /// Only those that nobody has answered.
    pub open: Option<bool>,
    /// Only those of this rollout.
    pub rollout: Option<String>,
}

/// Reviews: those that nobody has answered first, by when they are due, and then the newest; 1,000 at most.
#[utoipa::path(get, path = "/api/v1/reviews", tag = "reviews", params(ReviewsQuery),
    responses((status = 200, description = "Reviews", body = Vec<ReviewBody>), (status = 400, body = Problem)))]
pub async fn reviews(
    State(context): State<Context>,
    Query(query): Query<ReviewsQuery>,
) -> Result<Json<Vec<ReviewBody>>, Problem> {
    let rollout: Option<RolloutId> = query.rollout.as_deref().map(parsed).transpose()?;
    let view = context.engine.shared().read();
    let reviews = &view.world.reviews;
    let answered = reviews.iter().rev().filter(|(_, review)| !review.answers.is_empty());
    let answered = answered.filter(|_| query.open != Some(true));
    let fits = |(_, review): &(u64, &Review)| rollout.is_none() || review.of.rollout == rollout;
    let all = reviews.open().chain(answered).filter(fits).take(REVIEWS_MOST);
    Ok(Json(all.map(|(number, review)| review_body(&view, number, review)).collect()))
}

/// One review.
#[utoipa::path(get, path = "/api/v1/reviews/{review}", tag = "reviews", params(("review" = u64, Path, description = "Its number")),
    responses((status = 200, description = "The review", body = ReviewBody), (status = 404, body = Problem)))]
pub async fn review(State(context): State<Context>, Path(number): Path<String>) -> Result<Json<ReviewBody>, Problem> {
    let view = context.engine.shared().read();
    let found = number.parse().ok().and_then(|n| Some(review_body(&view, n, view.world.reviews.get(n)?)));
    found.map(Json).ok_or_else(|| Problem::not_found(format!("there is no review {}", number.escape_debug())))
}

fn review_body(view: &View, number: u64, review: &Review) -> ReviewBody {
    let answer = |(by, answer): (&Actor, &Answer)| ReviewAnswerBody {
        by: view.people.shown(by.as_str()).into_owned(),
        at: answer.at.to_string(),
        documented: answer.documented,
        works: answer.works,
        note: answer.note.clone(),
    };
    let standing = match (review.answers.is_empty(), review.due <= view.now.wall) {
        (false, _) => "answered",
        (true, true) => "overdue",
        (true, false) => "open",
    };
    ReviewBody {
        review: number,
        cause: review.cause.to_string(),
        rollout: review.of.rollout.as_ref().map(ToString::to_string),
        change: review.of.change.as_ref().map(ToString::to_string),
        opened: review.opened.to_string(),
        due: review.due.to_string(),
        standing: standing.to_owned(),
        questions: QUESTIONS.map(str::to_owned).into(),
        answers: review.answers.iter().map(answer).collect(),
    }
}

/// Answers the questions of a review. Each person answers once, and may change their mind.
#[utoipa::path(post, path = "/api/v1/reviews/{review}/answers", tag = "reviews", request_body = AnswerReviewBody, security(("token" = [])),
    params(("review" = u64, Path, description = "Its number")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn answer_review(
    State(context): State<Context>,
    Path(number): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<AnswerReviewBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(AnswerReviewBody { documented, works, note }) = read?;
    line("note", &note)?;
    let no_such = || Problem::not_found(format!("there is no review {}", number.escape_debug()));
    let review = number.parse().map_err(|_| no_such())?;
    record(&context, caller, Ask::AnswerReview { review, documented, works, note }).await
}
