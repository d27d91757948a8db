//! `/api/v1/releases` and `/api/v1/agenda`: what is planned for when, what came of it, and what the board is to be told.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::{Extension, Json};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::asking::{RecordedBody, caller, line, parsed, record};
use crate::domain::names::{ChangeId, ReleaseId, RolloutId};
use crate::domain::naming::title::Title;
use crate::domain::report::Outcome;
use crate::domain::task::TaskKind;
use crate::domain::workflow::Effect;
use crate::engine::view::View;
use crate::format::{quantity, schedule};
use crate::process::fact::release::ReleasePlanned;
use crate::process::input::Ask;
use crate::process::world::releases::Release;
use crate::process::world::reviews::Review;
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// A release.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReleaseBody {
    /// Its name.
    pub release: String,
    /// One line for people.
    pub title: String,
    /// The day.
    pub on: String,
    /// The days for which it was planned before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slipped: Vec<String>,
    /// How long after it the next one is usually planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// planned, released, partly (some is released), withdrawn (some was taken back) or cancelled.
    pub standing: String,
    /// The day on which the board was told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<String>,
    /// Bundles, each with all of its rollouts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bundles: Vec<String>,
    /// What it is about, by product.
    pub candidates: Vec<CandidateBody>,
}

/// A rollout of a release, and what came of it.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CandidateBody {
    /// The product, as the title says it, or the title itself.
    pub product: String,
    /// The rollout.
    pub rollout: String,
    /// Its state, or `cancelled`.
    pub state: String,
    /// Whether everybody gets it.
    pub released: bool,
    /// Whether it was taken back.
    pub withdrawn: bool,
    /// How many early adopters reported success, a warning and a failure.
    pub reports: [u64; 3],
    /// Its issues: all, and those that are open.
    pub issues: [u64; 2],
    /// Roll-back tasks of its bundle.
    pub roll_backs: u64,
    /// The answers of its reviews: how many there are, how many say that it was documented, and that it works.
    pub answers: [u64; 3],
    /// Reviews that nobody has answered in time.
    pub overdue_reviews: u64,
}

/// What the board is to be told at its next meeting.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AgendaBody {
    /// Releases that are planned and of which it was not told.
    pub releases: Vec<ReleaseBody>,
    /// Emergencies that were worked on without it.
    pub emergencies: Vec<EmergencyBody>,
}

/// An emergency that the board is to be told of.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EmergencyBody {
    /// The change.
    pub change: String,
    /// One line for people.
    pub title: String,
    /// How it stands.
    pub status: String,
    /// The rollouts that carry it out.
    pub rollouts: Vec<String>,
}

/// A release as it is planned.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanReleaseBody {
    /// One line for people.
    #[serde(default)]
    pub title: String,
    /// The day, such as 2027-02-01.
    pub on: String,
    /// The usual time until the next release, such as 30d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// Why; needed if the day changes.
    #[serde(default)]
    pub reason: String,
}

/// The scope of a release.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScopeBody {
    /// Its rollouts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollouts: Vec<String>,
    /// Bundles, each with all of its rollouts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bundles: Vec<String>,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// The board was told.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToldBody {
    /// The day; today if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// Where and how; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// A release that will not be.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelReleaseBody {
    /// Why, for everybody who relies on it.
    pub reason: String,
}

/// All releases, by day.
#[utoipa::path(get, path = "/api/v1/releases", tag = "releases",
    responses((status = 200, description = "All releases", body = Vec<ReleaseBody>)))]
pub async fn releases(State(context): State<Context>) -> Json<Vec<ReleaseBody>> {
    let view = context.engine.shared().read();
    Json(by_day(&view).into_iter().map(|(id, release)| release_body(&view, id, release)).collect())
}

/// All releases that are planned, as a calendar (RFC 5545) that others can subscribe to.
#[utoipa::path(get, path = "/api/v1/releases.ics", tag = "releases",
    responses((status = 200, description = "A calendar", body = String, content_type = "text/calendar")))]
pub async fn releases_calendar(State(context): State<Context>) -> (HeaderMap, String) {
    let (view, site) = (context.engine.shared().read(), context.site());
    let days = by_day(&view).into_iter().filter(|(_, release)| !release.cancelled).map(|(id, release)| {
        let candidates = candidates(&view, release);
        let named: Vec<&str> = candidates.iter().map(|candidate| candidate.product.as_str()).collect();
        let title = if release.title.is_empty() { id.to_string() } else { format!("{id}: {}", release.title) };
        schedule::Day { id: id.to_string(), on: release.on, title, text: named.join(", "), changed: release.since }
    });
    let text = schedule::calendar(&site.name, days);
    let kind = HeaderValue::from_static("text/calendar; charset=utf-8");
    (HeaderMap::from_iter([(header::CONTENT_TYPE, kind)]), text)
}

/// One release, and what came of it.
#[utoipa::path(get, path = "/api/v1/releases/{id}", tag = "releases", params(("id" = String, Path, description = "The release")),
    responses((status = 200, description = "The release", body = ReleaseBody), (status = 404, body = Problem)))]
pub async fn release(State(context): State<Context>, Path(id): Path<String>) -> Result<Json<ReleaseBody>, Problem> {
    let view = context.engine.shared().read();
    let found =
        id.parse::<ReleaseId>().ok().and_then(|id| Some(release_body(&view, &id, view.world.releases.get(&id)?)));
    found.map(Json).ok_or_else(|| Problem::not_found(format!("there is no release {}", id.escape_debug())))
}

/// What the board is to be told at its next meeting: planned releases, and emergencies that did not wait for it.
#[utoipa::path(get, path = "/api/v1/agenda", tag = "releases",
    responses((status = 200, description = "The agenda", body = AgendaBody)))]
pub async fn agenda(State(context): State<Context>) -> Json<AgendaBody> {
    let view = context.engine.shared().read();
    let untold = |(_, release): &(&ReleaseId, &Release)| !release.cancelled && release.told.is_none();
    let releases = by_day(&view).into_iter().filter(untold).map(|(id, release)| release_body(&view, id, release));
    let emergency = |id: &ChangeId| {
        let request = view.world.requests.get(id)?;
        Some(EmergencyBody {
            change: id.to_string(),
            title: request.title.clone(),
            status: request.status.to_string(),
            rollouts: request.rollouts.iter().map(ToString::to_string).collect(),
        })
    };
    let emergencies = view.world.releases.untold().filter_map(emergency).collect();
    Json(AgendaBody { releases: releases.filter(|release| release.standing != "released").collect(), emergencies })
}

fn by_day(view: &View) -> Vec<(&ReleaseId, &Release)> {
    let mut all: Vec<_> = view.world.releases.iter().collect();
    all.sort_by_key(|(id, release)| (release.on, (*id).clone()));
    all
}

fn release_body(view: &View, id: &ReleaseId, release: &Release) -> ReleaseBody {
    let candidates = candidates(view, release);
    let released = candidates.iter().filter(|candidate| candidate.released).count();
    let standing = match (release.cancelled, candidates.iter().any(|candidate| candidate.withdrawn)) {
        (true, _) => "cancelled",
        (false, true) => "withdrawn",
        (false, false) if released == 0 => "planned",
        // What was cancelled comes no more.
        (false, false) if released == candidates.iter().filter(|it| it.state != "cancelled").count() => "released",
        (false, false) => "partly",
    };
    ReleaseBody {
        release: id.to_string(),
        title: release.title.clone(),
        on: release.on.to_string(),
        slipped: release.slipped.iter().map(ToString::to_string).collect(),
        every: release.every.map(quantity::show_duration),
        standing: standing.to_owned(),
        told: release.told.as_ref().map(|(on, _)| on.to_string()),
        bundles: release.bundles.iter().map(ToString::to_string).collect(),
        candidates,
    }
}

/// The rollouts of a release by product, with what came of each (S3-31).
fn candidates(view: &View, release: &Release) -> Vec<CandidateBody> {
    let all = view.world.in_release(release).filter_map(|id| candidate(view, id));
    let mut all: Vec<CandidateBody> = all.collect();
    all.sort_by(|a, b| (&a.product, &a.rollout).cmp(&(&b.product, &b.rollout)));
    all
}

fn candidate(view: &View, id: &RolloutId) -> Option<CandidateBody> {
    let world = &view.world;
    let rollout = world.rollouts.get(id)?;
    let number = |all: usize| u64::try_from(all).unwrap_or(u64::MAX);
    let rules = view.rules.of(&rollout.parts).ok();
    let last = |dist| view.rules.distributions.get(dist).and_then(|rules| rules.trees.last());
    let released =
        rollout.packages().all(|(dist, nevra)| last(dist).is_some_and(|tree| world.lists(dist, tree, nevra)));
    let leads_here = |step: &&crate::domain::workflow::Transition| step.to == rollout.state;
    let withdrawn = rules.is_some_and(|rules| {
        rules.workflow.transitions().iter().filter(leads_here).any(|step| step.effect == Effect::Withdraw)
    });
    let counted = world.adopters.of(id).filter(|(team, _)| world.teams.counts(team));
    let outcomes: Vec<Outcome> = counted.filter_map(|(_, adopter)| Some(adopter.report.as_ref()?.outcome)).collect();
    let reports = Outcome::ALL.map(|wanted| number(outcomes.iter().filter(|outcome| **outcome == wanted).count()));
    let bundle = world.bundles.of(id).map(|(bundle, _)| bundle);
    let tasks = bundle.into_iter().flat_map(|bundle| world.tasks.of(bundle));
    let reviews: Vec<&Review> = world.reviews.of(id).map(|(_, review)| review).collect();
    let answers = || reviews.iter().flat_map(|review| review.answers.values());
    Some(CandidateBody {
        product: rollout.title.parse::<Title>().map_or_else(|_| rollout.title.clone(), |t| t.product().to_string()),
        rollout: id.to_string(),
        state: if rollout.cancelled { "cancelled".to_owned() } else { rollout.state.to_string() },
        released,
        withdrawn,
        reports,
        issues: [
            number(world.issues.of(id).count()),
            number(world.issues.of(id).filter(|(_, issue)| issue.open).count()),
        ],
        roll_backs: number(tasks.filter(|(_, task)| task.kind == TaskKind::RollBack).count()),
        answers: [
            number(answers().count()),
            number(answers().filter(|answer| answer.documented).count()),
            number(answers().filter(|answer| answer.works).count()),
        ],
        overdue_reviews: number(
            reviews.iter().filter(|review| review.answers.is_empty() && review.due <= view.now.wall).count(),
        ),
    })
}

fn day(text: &str) -> Result<Date, Problem> {
    text.parse().map_err(|_| Problem::bad_request(format!("`{}` is not a day such as 2027-02-01", text.escape_debug())))
}

/// Plans a release, or plans it anew.
#[utoipa::path(put, path = "/api/v1/releases/{id}", tag = "releases", request_body = PlanReleaseBody, security(("token" = [])),
    params(("id" = String, Path, description = "The release")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn plan_release(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<PlanReleaseBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(PlanReleaseBody { title, on, every, reason }) = read?;
    line("title", &title)?;
    line("reason", &reason)?;
    let every = every.as_deref().map(quantity::duration).transpose();
    let every = every.map_err(|error| Problem::bad_request(error.to_string()))?.map(|every| every.as_secs());
    let planned = ReleasePlanned { release: parsed(&id)?, title, on: day(&on)?, every };
    record(&context, caller, Ask::PlanRelease { planned, reason }).await
}

/// Sets the scope of a release. If something new is added, the board has to be told again.
#[utoipa::path(put, path = "/api/v1/releases/{id}/scope", tag = "releases", request_body = ScopeBody, security(("token" = [])),
    params(("id" = String, Path, description = "The release")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn scope_release(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<ScopeBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(ScopeBody { rollouts, bundles, reason }) = read?;
    let rollouts = rollouts.iter().map(|rollout| parsed(rollout)).collect::<Result<_, _>>()?;
    let bundles = bundles.iter().map(|bundle| parsed(bundle)).collect::<Result<_, _>>()?;
    let release = parsed(&id)?;
    line("reason", &reason)?;
    record(&context, caller, Ask::ScopeRelease { release, rollouts, bundles, reason }).await
}

/// Says that the board was told of a release.
#[utoipa::path(post, path = "/api/v1/releases/{id}/told", tag = "releases", request_body = ToldBody, security(("token" = [])),
    params(("id" = String, Path, description = "The release")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn told(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<ToldBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(ToldBody { on, reason }) = read?;
    let (release, on) = (parsed(&id)?, on.as_deref().map(day).transpose()?);
    line("reason", &reason)?;
    record(&context, caller, Ask::TellOfRelease { release, on, reason }).await
}

/// Says that the board was told of an emergency.
#[utoipa::path(post, path = "/api/v1/changes/{id}/told", tag = "releases", request_body = ToldBody, security(("token" = [])),
    params(("id" = String, Path, description = "The change")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn told_of_emergency(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<ToldBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(ToldBody { on, reason }) = read?;
    let (change, on) = (parsed(&id)?, on.as_deref().map(day).transpose()?);
    line("reason", &reason)?;
    record(&context, caller, Ask::TellOfEmergency { change, on, reason }).await
}

/// Cancels a release; its rollouts go on without it.
#[utoipa::path(delete, path = "/api/v1/releases/{id}", tag = "releases", request_body = CancelReleaseBody, security(("token" = [])),
    params(("id" = String, Path, description = "The release")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn cancel_release(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<CancelReleaseBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(CancelReleaseBody { reason }) = read?;
    let release = parsed(&id)?;
    line("reason", &reason)?;
    record(&context, caller, Ask::CancelRelease { release, reason }).await
}
