//! `/api/v1/rollouts/{id}/issues`: notes and closes issues of a rollout.

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{RecordedBody, caller, line, parsed, record, rollout_id};
use super::dossier::{KnownIssueBody, issue_body};
use crate::domain::names::RolloutId;
use crate::process::fact::issue::{IssueNoted, IssueRanked};
use crate::process::input::Ask;
use crate::process::world::issues::Issue;
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// Most issues in one answer.
const ISSUES_MOST: usize = 10_000;

/// An issue.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueBody {
    /// Its address or number in its tracker.
    pub issue: String,
    /// One line for people.
    pub title: String,
    /// Whether the rollout cannot go on with it.
    #[serde(default)]
    pub show_stopper: bool,
    /// What sites can do until it is solved.
    #[serde(default)]
    pub workaround: String,
    /// Whom it hits, and how badly.
    #[serde(default)]
    pub criticality: String,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// Which issues are wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct IssuesQuery {
    /// Only open ones, or only closed ones.
    pub open: Option<bool>,
    /// Only those with which a rollout cannot go on, or only the others.
    pub show_stopper: Option<bool>,
}

/// An issue, and the rollout that has it.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct IssueOfBody {
    /// The rollout.
    pub rollout: String,
    /// The issue.
    #[serde(flatten)]
    pub issue: KnownIssueBody,
}

/// The issues of all rollouts, by rollout; at most 10,000.
#[utoipa::path(get, path = "/api/v1/issues", tag = "rollouts", params(IssuesQuery),
    responses((status = 200, description = "The issues", body = Vec<IssueOfBody>), (status = 400, body = Problem)))]
pub async fn issues(
    State(context): State<Context>,
    Query(IssuesQuery { open, show_stopper }): Query<IssuesQuery>,
) -> Json<Vec<IssueOfBody>> {
    let view = context.engine.shared().read();
    let is_wanted = |issue: &Issue| {
        open.is_none_or(|open| issue.open == open) && show_stopper.is_none_or(|stops| issue.show_stopper == stops)
    };
    let wanted = view.world.issues.iter().filter(|(.., issue)| is_wanted(issue)).take(ISSUES_MOST);
    let body = |(rollout, name, issue): (&RolloutId, &str, &Issue)| IssueOfBody {
        rollout: rollout.to_string(),
        issue: issue_body(name, issue),
    };
    Json(wanted.map(body).collect())
}

/// An issue that is solved.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseIssueBody {
    /// Its address or number.
    pub issue: String,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// How urgent an issue is.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RankIssueBody {
    /// Its address or number.
    pub issue: String,
    /// none, low, normal, high or immediate, or a number from 0 to 4.
    pub priority: String,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// Records an issue, or what has changed about it; reopens a closed one.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/issues", tag = "issues", request_body = IssueBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn note_issue(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<IssueBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let IssueBody { issue, title, show_stopper, workaround, criticality, reason } = asked;
    let texts = [("issue", &issue), ("title", &title), ("workaround", &workaround), ("criticality", &criticality)];
    for (what, text) in texts {
        line(what, text)?;
    }
    let noted = IssueNoted { rollout: rollout_id(&id)?, issue, title, show_stopper, workaround, criticality };
    line("reason", &reason)?;
    record(&context, caller, Ask::NoteIssue { noted, reason }).await
}

/// Closes an issue.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/issues/close", tag = "issues", request_body = CloseIssueBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn close_issue(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<CloseIssueBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let CloseIssueBody { issue, reason } = asked;
    let rollout = rollout_id(&id)?;
    line("reason", &reason)?;
    record(&context, caller, Ask::CloseIssue { rollout, issue, reason }).await
}

/// Decides how urgent an issue is.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/issues/rank", tag = "issues", request_body = RankIssueBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn rank_issue(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<RankIssueBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let RankIssueBody { issue, priority, reason } = asked;
    let ranked = IssueRanked { rollout: rollout_id(&id)?, issue, priority: parsed(&priority)? };
    line("reason", &reason)?;
    record(&context, caller, Ask::RankIssue { ranked, reason }).await
}
