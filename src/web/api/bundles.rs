//! `/api/v1/bundles` and `/api/v1/updates`: rollouts that are released together, and the numbers of updates.

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{RecordedBody, caller, encoded, line, next_page, parsed, record};
use crate::domain::names::{BundleId, RolloutId, Series};
use crate::process::act::correct;
use crate::process::affected::{Affected, affected};
use crate::process::fact::bundle::BundleOpened;
use crate::process::input::Ask;
use crate::process::world::World;
use crate::process::world::bundles::{Bundle, Update};
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// A bundle.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BundleBody {
    /// Its id.
    pub bundle: String,
    /// One line for people.
    pub title: String,
    /// When it was opened.
    pub since: String,
    /// Whether it has no part in anything any more.
    pub closed: bool,
    /// Its rollouts.
    pub rollouts: Vec<MemberBody>,
    /// What its release notes list, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<Vec<String>>,
}

/// A rollout of a bundle.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MemberBody {
    /// The rollout.
    pub rollout: String,
    /// Its state.
    pub state: String,
    /// Its title.
    pub title: String,
}

/// An update.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UpdateBody {
    /// The series.
    pub series: String,
    /// The number.
    pub number: u64,
    /// When it got its number.
    pub at: String,
    /// What it releases.
    pub rollouts: Vec<String>,
    /// The bundle that it releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// How urgent it is for sites: Normal, HIGH or URGENT; the highest of its rollouts, if that is said of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
}

/// A new bundle.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenBundleBody {
    /// Its id, which no other bundle has ever had.
    pub bundle: String,
    /// One line for people.
    #[serde(default)]
    pub title: String,
}

/// Rollouts of a bundle.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RolloutsBody {
    /// The rollouts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollouts: Vec<String>,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// A bundle that is closed, or a rollout that is taken out of it.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseBundleBody {
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// Another state for a bundle.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveBundleBody {
    /// The state to reach, in any spelling.
    pub state: String,
    /// Only these rollouts; all if none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// An approval of the rollouts of a bundle.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveBundleBody {
    /// The state, in any spelling.
    pub state: String,
    /// Only these rollouts; all if none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    /// For which role; by default, the first required role that you have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// An update that is to get a number.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NumberBody {
    /// The series, such as gLite-3.2.
    pub series: String,
    /// The bundle that it releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// What it releases; the members of the bundle if none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollouts: Vec<String>,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// Which bundles.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
pub struct BundlesQuery {
    /// Only those that are open.
    #[serde(default)]
    pub open: bool,
    /// Only those after this id.
    pub after: Option<String>,
    /// How many at most; 100 by default, and 1,000 at most.
    pub limit: Option<usize>,
}

/// How many bundles or updates are in a page.
const AT_ONCE: usize = 100;

/// Most of them in a page.
const MOST: usize = 1_000;

/// Bundles, by id, a page at a time: `Link: <...>; rel="next"` leads to the next one.
#[utoipa::path(get, path = "/api/v1/bundles", tag = "bundles", params(BundlesQuery),
    responses((status = 200, description = "A page of bundles", body = Vec<BundleBody>), (status = 400, body = Problem)))]
pub async fn bundles(
    State(context): State<Context>,
    Query(query): Query<BundlesQuery>,
) -> Result<(HeaderMap, Json<Vec<BundleBody>>), Problem> {
    let after: Option<BundleId> = query.after.as_deref().map(parsed).transpose()?;
    let limit = query.limit.unwrap_or(AT_ONCE).clamp(1, MOST);
    let view = context.engine.shared().read();
    let fits = |bundle: &Bundle| !query.open || !bundle.closed;
    let mut rest = view.world.bundles.after(after.as_ref()).filter(|(_, bundle)| fits(bundle));
    let page: Vec<BundleBody> =
        rest.by_ref().take(limit).map(|(id, bundle)| bundle_body(&view.world, id, bundle)).collect();
    let last = page.last().filter(|_| rest.next().is_some());
    let open = if query.open { "&open=true" } else { "" };
    let next = last.map(|last| format!("/api/v1/bundles?after={}&limit={limit}{open}", encoded(&last.bundle)));
    Ok((next_page(next), Json(page)))
}

/// One bundle.
#[utoipa::path(get, path = "/api/v1/bundles/{id}", tag = "bundles", params(("id" = String, Path, description = "The bundle")),
    responses((status = 200, description = "The bundle", body = BundleBody), (status = 404, body = Problem)))]
pub async fn bundle(State(context): State<Context>, Path(id): Path<String>) -> Result<Json<BundleBody>, Problem> {
    let view = context.engine.shared().read();
    let found =
        id.parse::<BundleId>().ok().and_then(|id| Some(bundle_body(&view.world, &id, view.world.bundles.get(&id)?)));
    found.map(Json).ok_or_else(|| Problem::not_found(format!("there is no bundle {}", id.escape_debug())))
}

/// A team that a bundle concerns.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AffectedBody {
    /// The team.
    pub team: String,
    /// Whether its site runs a node type that is changed; if not, it uses the same repository for others.
    pub directly: bool,
    /// The node types that it runs and that are changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_types: Vec<String>,
    /// Whether it has a roll-out task of the bundle.
    pub has_task: bool,
}

/// The teams that a bundle concerns: those that have to roll it out, or back if some of it was rejected.
#[utoipa::path(get, path = "/api/v1/bundles/{id}/affected", tag = "bundles", params(("id" = String, Path, description = "The bundle")),
    responses((status = 200, description = "The teams, by name", body = Vec<AffectedBody>), (status = 404, body = Problem)))]
pub async fn affected_by(
    State(context): State<Context>,
    Path(id): Path<String>,
) -> Result<Json<Vec<AffectedBody>>, Problem> {
    let view = context.engine.shared().read();
    let found = id.parse::<BundleId>().ok().and_then(|id| Some((view.world.bundles.get(&id)?, id)));
    let (bundle, id) = found.ok_or_else(|| Problem::not_found(format!("there is no bundle {}", id.escape_debug())))?;
    let body = |one: Affected| AffectedBody {
        team: one.team.to_string(),
        directly: one.is_direct(),
        node_types: one.node_types.into_iter().collect(),
        has_task: one.has_task,
    };
    Ok(Json(affected(view.known(), &id, bundle).into_iter().map(body).collect()))
}

/// Which updates.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
pub struct UpdatesQuery {
    /// Only those of this series.
    pub series: Option<String>,
    /// Only so many from this one on, counted from 0.
    #[serde(default)]
    pub after: usize,
    /// How many at most; 100 by default, and 1,000 at most.
    pub limit: Option<usize>,
}

/// Updates, by series and in order, a page at a time: `Link: <...>; rel="next"` leads to the next one.
#[utoipa::path(get, path = "/api/v1/updates", tag = "bundles", params(UpdatesQuery),
    responses((status = 200, description = "A page of updates", body = Vec<UpdateBody>), (status = 400, body = Problem)))]
pub async fn updates(
    State(context): State<Context>,
    Query(query): Query<UpdatesQuery>,
) -> Result<(HeaderMap, Json<Vec<UpdateBody>>), Problem> {
    let series: Option<Series> = query.series.as_deref().map(parsed).transpose()?;
    let limit = query.limit.unwrap_or(AT_ONCE).clamp(1, MOST);
    let view = context.engine.shared().read();
    let of_series = view.world.bundles.updates().filter(|update| series.as_ref().is_none_or(|s| update.series == *s));
    let mut rest = of_series.skip(query.after);
    let page: Vec<UpdateBody> = rest.by_ref().take(limit).map(|update| update_body(&view.world, update)).collect();
    let of = series.as_ref().map(|series| format!("&series={}", encoded(series.as_str()))).unwrap_or_default();
    let next = rest.next().map(|_| format!("/api/v1/updates?after={}&limit={limit}{of}", query.after + page.len()));
    Ok((next_page(next), Json(page)))
}

/// What a bundle and its release notes do not agree about, and what would correct it.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CorrectionsBody {
    /// What would be done, a sentence each; nothing if they agree.
    pub steps: Vec<String>,
    /// What somebody has to do by hand, a sentence each.
    pub by_hand: Vec<String>,
}

/// How a bundle is corrected.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct CorrectBody {
    /// Whether rollouts that the notes do not list are withdrawn; otherwise the notes list them from now on.
    #[serde(default)]
    pub withdraw: bool,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// What would correct a bundle that is not complete.
#[utoipa::path(get, path = "/api/v1/bundles/{id}/corrections", tag = "bundles",
    params(("id" = String, Path, description = "The bundle"), CorrectBody),
    responses((status = 200, description = "What would be done", body = CorrectionsBody), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
pub async fn corrections(
    State(context): State<Context>,
    Path(id): Path<String>,
    Query(query): Query<CorrectBody>,
) -> Result<Json<CorrectionsBody>, Problem> {
    let view = context.engine.shared().read();
    let id: BundleId = parsed(&id)?;
    let found = correct::corrections(view.known(), &id, query.withdraw);
    let found = found.ok_or_else(|| Problem::not_found(format!("there is no open bundle {id}")))?;
    Ok(Json(CorrectionsBody { steps: found.steps(), by_hand: found.by_hand(&id) }))
}

/// Corrects a bundle that is not complete.
#[utoipa::path(post, path = "/api/v1/bundles/{id}/corrections", tag = "bundles", request_body = CorrectBody, security(("token" = [])),
    params(("id" = String, Path, description = "The bundle")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn correct_bundle(
    State(context): State<Context>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    Path(id): Path<String>,
    read: Result<Object<CorrectBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(CorrectBody { withdraw, reason }) = read?;
    line("reason", &reason)?;
    record(&context, caller, Ask::CorrectBundle { bundle: parsed(&id)?, withdraw, reason }).await
}

fn bundle_body(world: &World, id: &BundleId, bundle: &Bundle) -> BundleBody {
    let member = |id: &RolloutId| {
        let rollout = world.rollouts.get(id);
        MemberBody {
            rollout: id.to_string(),
            state: rollout.map(|rollout| rollout.state.to_string()).unwrap_or_default(),
            title: rollout.map(|rollout| rollout.title.clone()).unwrap_or_default(),
        }
    };
    BundleBody {
        bundle: id.to_string(),
        title: bundle.title.clone(),
        since: bundle.since.to_string(),
        closed: bundle.closed,
        rollouts: bundle.members.iter().map(member).collect(),
        announced: bundle.announced.as_ref().map(|all| all.iter().map(ToString::to_string).collect()),
    }
}

fn update_body(world: &World, update: &Update) -> UpdateBody {
    let urgency = update.urgency(&world.attributes);
    UpdateBody {
        series: update.series.to_string(),
        number: update.number,
        at: update.at.to_string(),
        rollouts: update.rollouts.iter().map(ToString::to_string).collect(),
        bundle: update.bundle.as_ref().map(ToString::to_string),
        priority: urgency.map(|it| it.for_sites().to_owned()),
    }
}

fn all(rollouts: &[String]) -> Result<Vec<RolloutId>, Problem> {
    rollouts.iter().map(|rollout| parsed(rollout)).collect()
}

/// Opens a bundle.
#[utoipa::path(post, path = "/api/v1/bundles", tag = "bundles", request_body = OpenBundleBody, security(("token" = [])),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn open_bundle(
    State(context): State<Context>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<OpenBundleBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    line("title", &asked.title)?;
    let opened = BundleOpened { bundle: parsed(&asked.bundle)?, title: asked.title };
    record(&context, caller, Ask::OpenBundle(opened)).await
}

/// Adds rollouts to a bundle; nothing may have moved for them yet.
#[utoipa::path(post, path = "/api/v1/bundles/{id}/rollouts", tag = "bundles", request_body = RolloutsBody, security(("token" = [])),
    params(("id" = String, Path, description = "The bundle")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn join_bundle(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<RolloutsBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let (bundle, rollouts) = (parsed(&id)?, all(&asked.rollouts)?);
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::JoinBundle { bundle, rollouts, reason: asked.reason }).await
}

/// Takes a rollout out of a bundle.
#[utoipa::path(delete, path = "/api/v1/bundles/{id}/rollouts/{rollout}", tag = "bundles", request_body = CloseBundleBody, security(("token" = [])),
    params(("id" = String, Path, description = "The bundle"), ("rollout" = String, Path, description = "The rollout")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn leave_bundle(
    State(context): State<Context>,
    Path((id, rollout)): Path<(String, String)>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<CloseBundleBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let (bundle, rollout) = (parsed(&id)?, parsed(&rollout)?);
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::LeaveBundle { bundle, rollout, reason: asked.reason }).await
}

/// Sets what the release notes of a bundle list: by default, its members.
#[utoipa::path(put, path = "/api/v1/bundles/{id}/notes", tag = "bundles", request_body = RolloutsBody, security(("token" = [])),
    params(("id" = String, Path, description = "The bundle")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn announce(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<RolloutsBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let (bundle, rollouts) = (parsed(&id)?, all(&asked.rollouts)?);
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::Announce { bundle, rollouts, reason: asked.reason }).await
}

/// Closes a bundle; its id is never used again.
#[utoipa::path(delete, path = "/api/v1/bundles/{id}", tag = "bundles", request_body = CloseBundleBody, security(("token" = [])),
    params(("id" = String, Path, description = "The bundle")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn close_bundle(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<CloseBundleBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let bundle = parsed(&id)?;
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::CloseBundle { bundle, reason: asked.reason }).await
}

/// Approves that the rollouts of a bundle, or some of them, go to a state: all or none.
#[utoipa::path(post, path = "/api/v1/bundles/{id}/approvals", tag = "bundles", request_body = ApproveBundleBody, security(("token" = [])),
    params(("id" = String, Path, description = "The bundle")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn approve_bundle(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<ApproveBundleBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(ApproveBundleBody { state, only, role, reason }) = read?;
    line("state", &state)?;
    let (bundle, only) = (parsed(&id)?, all(&only)?);
    let role = role.as_deref().map(parsed).transpose()?;
    line("reason", &reason)?;
    record(&context, caller, Ask::ApproveBundle { bundle, state, only, role, reason }).await
}

/// Takes one step with all rollouts of a bundle, or with some of them: all or none.
#[utoipa::path(post, path = "/api/v1/bundles/{id}/move", tag = "bundles", request_body = MoveBundleBody, security(("token" = [])),
    params(("id" = String, Path, description = "The bundle")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn move_bundle(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<MoveBundleBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    line("state", &asked.state)?;
    let (bundle, only) = (parsed(&id)?, all(&asked.only)?);
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::MoveBundle { bundle, state: asked.state, only, reason: asked.reason }).await
}

/// Gives an update the next number of its series.
#[utoipa::path(post, path = "/api/v1/updates", tag = "bundles", request_body = NumberBody, security(("token" = [])),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn number_update(
    State(context): State<Context>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<NumberBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let bundle = asked.bundle.as_deref().map(parsed).transpose()?;
    let (series, rollouts) = (parsed(&asked.series)?, all(&asked.rollouts)?);
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::NumberUpdate { series, bundle, rollouts, reason: asked.reason }).await
}
