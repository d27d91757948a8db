//! `/api/v1/changes`: what people ask to be changed, and the rollouts that carry it out.

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{RecordedBody, caller, line, parsed, record, rollout_id};
use crate::domain::names::{Actor, Category, ChangeId, Role, RolloutId};
use crate::domain::request::{Status, Wanted};
use crate::engine::view::View;
use crate::process::input::Ask;
use crate::process::world::requests::Request;
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// Most changes in one response.
const CHANGES_MOST: usize = 1_000;

/// A change.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ChangeBody {
    /// Its id.
    pub change: String,
    /// One line for people.
    pub title: String,
    /// normal, standard or emergency.
    pub kind: String,
    /// none, low, normal, high or immediate.
    pub priority: String,
    /// The same as RT's number, from 0 to 4.
    pub priority_number: u8,
    /// New, Accepted, Rejected, In progress, Resolved or Stalled.
    pub status: String,
    /// Since when.
    pub since: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Whose request it is, if not the site's own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub origin: String,
    /// The rule by which it needs no approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Who recorded it.
    pub by: String,
    /// When.
    pub recorded: String,
    /// What the work is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assessment: Option<AssessmentBody>,
    /// Who approves that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ChangeApprovalBody>,
    /// The rollouts that carry it out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollouts: Vec<CarriesBody>,
}

/// What the work of a change is.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AssessmentBody {
    /// It.
    pub text: String,
    /// Who says so.
    pub by: String,
    /// When.
    pub at: String,
}

/// An approval of a change.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ChangeApprovalBody {
    /// For which group.
    pub role: String,
    /// Whose.
    pub by: String,
    /// When.
    pub at: String,
}

/// A rollout that carries a change out.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CarriesBody {
    /// The rollout.
    pub rollout: String,
    /// Its state.
    pub state: String,
}

/// A new change.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordChangeBody {
    /// Its id, which no other change has ever had: letters, digits and . _ -
    pub change: String,
    /// One line for people.
    pub title: String,
    /// Whose request it is, if not the site's own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub origin: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// none, low, normal, high or immediate, or RT's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// normal, standard or emergency; by default, standard if a rule says so, else normal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// What the work of a change is.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssessBody {
    /// It.
    pub assessment: String,
    /// How urgent the change is, if that is another than before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// What the change is about, if that is another than before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
}

/// An approval of a change, or its end.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveChangeBody {
    /// For which group; by default, the first that approves and that you belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// Another status for a change.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusBody {
    /// The status, in any spelling, also in RT's.
    pub status: String,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// Rollouts that carry a change out.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TieBody {
    /// The rollouts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollouts: Vec<String>,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// Which changes.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
pub struct ChangesQuery {
    /// Only those with this status, in any spelling.
    pub status: Option<String>,
    /// Only those of this category.
    pub category: Option<String>,
}

/// Changes: those that are open first, the most urgent of them first and then the oldest; 1,000 at most.
#[utoipa::path(get, path = "/api/v1/changes", tag = "changes", params(ChangesQuery),
    responses((status = 200, description = "Changes", body = Vec<ChangeBody>), (status = 400, body = Problem)))]
pub async fn changes(
    State(context): State<Context>,
    Query(query): Query<ChangesQuery>,
) -> Result<Json<Vec<ChangeBody>>, Problem> {
    let status: Option<Status> = query.status.as_deref().map(parsed).transpose()?;
    let category: Option<Category> = query.category.as_deref().map(parsed).transpose()?;
    let view = context.engine.shared().read();
    let requests = &view.world.requests;
    let over = requests.iter().filter(|(_, request)| !request.status.is_open());
    let fits = |(_, request): &(&ChangeId, &Request)| {
        status.is_none_or(|status| request.status == status) && (category.is_none() || request.category == category)
    };
    let all = requests.open().chain(over).filter(fits).take(CHANGES_MOST);
    Ok(Json(all.map(|(id, request)| change_body(&view, id, request)).collect()))
}

/// One change.
#[utoipa::path(get, path = "/api/v1/changes/{id}", tag = "changes", params(("id" = String, Path, description = "The change")),
    responses((status = 200, description = "The change", body = ChangeBody), (status = 404, body = Problem)))]
pub async fn change(State(context): State<Context>, Path(id): Path<String>) -> Result<Json<ChangeBody>, Problem> {
    let view = context.engine.shared().read();
    let found = id.parse::<ChangeId>().ok().and_then(|id| Some(change_body(&view, &id, view.world.requests.get(&id)?)));
    found.map(Json).ok_or_else(|| Problem::not_found(format!("there is no change {}", id.escape_debug())))
}

fn change_body(view: &View, id: &ChangeId, request: &Request) -> ChangeBody {
    let who = |by: &Actor| view.people.shown(by.as_str()).into_owned();
    let approval = |(by, (role, at)): (&Actor, &(Role, jiff::Timestamp))| ChangeApprovalBody {
        role: role.to_string(),
        by: who(by),
        at: at.to_string(),
    };
    let carries = |id: &RolloutId| CarriesBody {
        rollout: id.to_string(),
        state: view.world.rollouts.get(id).map(|rollout| rollout.state.to_string()).unwrap_or_default(),
    };
    ChangeBody {
        change: id.to_string(),
        title: request.title.clone(),
        kind: request.kind.to_string(),
        priority: request.priority.to_string(),
        priority_number: request.priority.number(),
        status: request.status.to_string(),
        since: request.since.to_string(),
        category: request.category.as_ref().map(ToString::to_string),
        origin: request.origin.clone(),
        rule: request.rule.clone(),
        by: who(&request.by),
        recorded: request.recorded.to_string(),
        assessment: request.assessment.as_ref().map(|known| AssessmentBody {
            text: known.text.clone(),
            by: who(&known.by),
            at: known.at.to_string(),
        }),
        approvals: request.approvals.iter().map(approval).collect(),
        rollouts: request.rollouts.iter().map(carries).collect(),
    }
}

/// Records a change.
#[utoipa::path(post, path = "/api/v1/changes", tag = "changes", request_body = RecordChangeBody, security(("token" = [])),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn record_change(
    State(context): State<Context>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<RecordChangeBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let RecordChangeBody { change, title, origin, category, priority, kind } = asked;
    line("title", &title)?;
    line("origin", &origin)?;
    let wanted = Wanted {
        change: parsed(&change)?,
        title,
        origin,
        category: category.as_deref().map(parsed).transpose()?,
        priority: priority.as_deref().map(parsed).transpose()?,
        kind: kind.as_deref().map(parsed).transpose()?,
    };
    record(&context, caller, Ask::RecordChange(wanted)).await
}

/// Assesses a change: what work it is, and how urgent. Approvals of an earlier assessment no longer count.
#[utoipa::path(put, path = "/api/v1/changes/{id}/assessment", tag = "changes", request_body = AssessBody, security(("token" = [])),
    params(("id" = String, Path, description = "The change")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn assess_change(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<AssessBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(AssessBody { assessment, priority, category }) = read?;
    line("assessment", &assessment)?;
    let change = parsed(&id)?;
    let priority = priority.as_deref().map(parsed).transpose()?;
    let category = category.as_deref().map(parsed).transpose()?;
    record(&context, caller, Ask::AssessChange { change, assessment, priority, category }).await
}

/// Approves what was assessed, for a group that you belong to. Each person counts once.
#[utoipa::path(post, path = "/api/v1/changes/{id}/approvals", tag = "changes", request_body = ApproveChangeBody, security(("token" = [])),
    params(("id" = String, Path, description = "The change")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn approve_change(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<ApproveChangeBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(ApproveChangeBody { role, reason }) = read?;
    let (change, role) = (parsed(&id)?, role.as_deref().map(parsed).transpose()?);
    line("reason", &reason)?;
    record(&context, caller, Ask::ApproveChange { change, role, reason }).await
}

/// Takes your approval of a change back.
#[utoipa::path(delete, path = "/api/v1/changes/{id}/approvals", tag = "changes", request_body = ApproveChangeBody, security(("token" = [])),
    params(("id" = String, Path, description = "The change")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn disapprove_change(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<ApproveChangeBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(ApproveChangeBody { reason, .. }) = read?;
    let change = parsed(&id)?;
    line("reason", &reason)?;
    record(&context, caller, Ask::DisapproveChange { change, reason }).await
}

/// Puts a change into another status.
#[utoipa::path(post, path = "/api/v1/changes/{id}/status", tag = "changes", request_body = StatusBody, security(("token" = [])),
    params(("id" = String, Path, description = "The change")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn put_change(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<StatusBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(StatusBody { status, reason }) = read?;
    let (change, status) = (parsed(&id)?, parsed(&status)?);
    line("reason", &reason)?;
    record(&context, caller, Ask::PutChange { change, status, reason }).await
}

/// Records that rollouts carry out a change.
#[utoipa::path(post, path = "/api/v1/changes/{id}/rollouts", tag = "changes", request_body = TieBody, security(("token" = [])),
    params(("id" = String, Path, description = "The change")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn tie(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<TieBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(TieBody { rollouts, reason }) = read?;
    let rollouts = rollouts.iter().map(|rollout| parsed(rollout)).collect::<Result<_, _>>()?;
    let change = parsed(&id)?;
    line("reason", &reason)?;
    record(&context, caller, Ask::Tie { change, rollouts, reason }).await
}

/// Says that a rollout does not carry a change out any more.
#[utoipa::path(delete, path = "/api/v1/changes/{id}/rollouts/{rollout}", tag = "changes", request_body = TieBody, security(("token" = [])),
    params(("id" = String, Path, description = "The change"), ("rollout" = String, Path, description = "The rollout")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn untie(
    State(context): State<Context>,
    Path((id, rollout)): Path<(String, String)>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<TieBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(TieBody { reason, .. }) = read?;
    let (change, rollout) = (parsed(&id)?, rollout_id(&rollout)?);
    line("reason", &reason)?;
    record(&context, caller, Ask::Untie { change, rollout, reason }).await
}
