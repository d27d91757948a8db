//! `/api/v1/...`: what people and programs may ask for.
//!
//! The bodies are types of their own, so that a change inside does not change what other programs
//! read. They are the source of the OpenAPI document, and `rolloutctl` reads the same types.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::auth;
use super::context::Context;
use super::guesses::Kind;
use super::object::Object;
use super::peer::Spoken;
use super::problem::{FindingBody, Problem, findings};
use crate::domain::names::{DistPath, RolloutId};
use crate::domain::nevra::Nevra;
use crate::engine::view::{After, RolloutView, TreeView, Wanted};
use crate::process::decision::Answer;
use crate::process::fact::{self, Subject};
use crate::process::input::Ask;
use crate::process::who::Caller;
use crate::store::logbook::{Reader, Recorded};

/// Most logbook entries in one answer.
pub const LOG_AT_ONCE: usize = 1_000;

/// Rollouts in one answer unless another number is asked for, and at most.
pub const ROLLOUTS_AT_ONCE: usize = 100;
const ROLLOUTS_MOST: usize = 1_000;

/// Longest title, state or reason. A title of the seeds has 60 characters; a reason may be a sentence or two.
const TEXT_MAX: usize = 500;

/// A new rollout.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitBody {
    /// Its id: letters, digits and . _ -
    pub id: String,
    /// Its distribution, as in the configuration.
    pub distribution: String,
    /// One line for people; the first package when it is empty.
    #[serde(default)]
    pub title: String,
    /// `name-[epoch:]version-release.arch`, each.
    pub packages: Vec<String>,
}

/// A step that somebody asks for.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveBody {
    /// The state to reach, in any spelling.
    pub state: String,
    /// Why; goes into the logbook.
    #[serde(default)]
    pub reason: String,
}

/// A package that is given up because its bytes are nowhere any more.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoseBody {
    /// Its distribution; may be left out when only one has it.
    #[serde(default)]
    pub distribution: Option<String>,
    /// Why; goes into the logbook.
    pub reason: String,
}

/// A package was given up.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LostBody {
    /// The package.
    pub nevra: String,
    /// Its distribution.
    pub distribution: String,
    /// The trees that no longer list it.
    pub trees: Vec<String>,
}

/// A move or a withdrawal that is given up because it cannot be carried out.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiveUpBody {
    /// Why; goes into the logbook. A withdrawal takes one.
    #[serde(default)]
    pub reason: String,
}

/// A step that is being taken.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MovedBody {
    /// The rollout.
    pub id: String,
    /// Its state now.
    pub state: String,
    /// How many packages move now; 0 when nothing moves.
    pub packages: usize,
}

/// A rollout.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RolloutBody {
    /// Its id.
    pub id: String,
    /// Its distribution.
    pub distribution: String,
    /// One line for people.
    pub title: String,
    /// Its state.
    pub state: String,
    /// Since when.
    pub since: String,
    /// Who put it there.
    pub by: String,
    /// Whether packages are being moved for it now.
    pub moving: bool,
    /// What keeps them from being moved; it is tried again and again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// A state that a tracker asked for and that cannot be reached yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// Its packages and the trees in which each lies.
    pub packages: Vec<RolloutPackage>,
    /// The states to which it can go.
    pub next: Vec<NextBody>,
}

/// A package of a rollout.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RolloutPackage {
    /// `name-[epoch:]version-release.arch`.
    pub nevra: String,
    /// The trees that list it.
    pub trees: Vec<String>,
}

/// A state to which a rollout can go.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NextBody {
    /// The state.
    pub state: String,
    /// What it does to the trees.
    pub effect: String,
}

/// What stands between a rollout and one state.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WhyBody {
    /// The state.
    pub state: String,
    /// `pass`, `wait`, `needs-admin` or `reject`.
    pub verdict: String,
    /// All findings, worst first.
    pub findings: Vec<FindingBody>,
}

/// A tree.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TreeBody {
    /// Its name.
    pub tree: String,
    /// Its distribution.
    pub distribution: String,
    /// What yum, dnf and zypper call baseurl.
    pub url: String,
    /// Packages that its metadata lists.
    pub packages: u64,
    /// The revision of its metadata; 0 before the first publication.
    pub revision: u64,
    /// When it was published last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    /// Files that wait for their removal.
    pub retiring: usize,
    /// Whether a publication is due.
    pub dirty: bool,
}

/// An entry of the logbook.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EntryBody {
    /// Its number.
    pub seq: u64,
    /// When.
    pub at: String,
    /// Who.
    pub who: String,
    /// Why.
    pub why: String,
    /// What, in one sentence.
    pub says: String,
    /// What, as it stands in the logbook.
    pub what: BTreeMap<String, serde_json::Value>,
    /// The hash of the chain up to and with it.
    pub hash: String,
}

/// The logbook's chain was walked.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct VerifiedBody {
    /// How many entries there are.
    pub entries: u64,
    /// The hash of the last one.
    pub head: String,
}

/// Which entries of the logbook.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct LogQuery {
    /// The first number; the newest entries when it is missing.
    pub from: Option<u64>,
    /// How many at most; 100 when it is missing.
    pub limit: Option<usize>,
    /// Only those about this rollout.
    pub rollout: Option<String>,
}

/// Which rollouts.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
pub struct RolloutsQuery {
    /// Only those of this distribution.
    pub distribution: Option<String>,
    /// Only those in this state, in any spelling that the procedure knows.
    pub state: Option<String>,
    /// Only those that name this package.
    pub package: Option<String>,
    /// Only those behind this place; the link to the next page has it.
    pub after: Option<String>,
    /// How many at most; 100 when it is missing, 1,000 at most.
    pub limit: Option<usize>,
}

impl RolloutsQuery {
    /// The same with types.
    ///
    /// # Errors
    /// What is no name of its kind.
    pub fn wanted(&self) -> Result<Wanted, Problem> {
        fn read<T: FromStr<Err: ToString>>(text: Option<&String>) -> Result<Option<T>, Problem> {
            text.map(|text| text.parse().map_err(|e: T::Err| Problem::bad_request(e.to_string()))).transpose()
        }
        Ok(Wanted {
            dist: read(self.distribution.as_ref())?,
            state: self.state.clone(),
            package: read(self.package.as_ref())?,
            after: read(self.after.as_ref())?,
            limit: self.limit.unwrap_or(ROLLOUTS_AT_ONCE).clamp(1, ROLLOUTS_MOST),
        })
    }

    /// The address of the page behind this one.
    pub fn link(&self, path: &str, next: &After) -> String {
        let limit = self.limit.map(|limit| limit.to_string());
        let next = next.to_string();
        let parts = [
            ("distribution", self.distribution.as_ref()),
            ("state", self.state.as_ref()),
            ("package", self.package.as_ref()),
            ("limit", limit.as_ref()),
            ("after", Some(&next)),
        ];
        let parts = parts.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", encoded(value?))));
        format!("{path}?{}", parts.collect::<Vec<_>>().join("&"))
    }
}

/// Text as it stands in a query.
fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Who asks; nobody when no token was sent.
async fn bearer(
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

pub(super) async fn caller(
    context: &Context,
    spoken: Option<Extension<Spoken>>,
    headers: &HeaderMap,
) -> Result<Caller, Problem> {
    let hint = "send `Authorization: Bearer TOKEN` with a token of the configuration";
    bearer(context, spoken, headers).await?.ok_or_else(|| Problem::unauthorized(hint))
}

fn rollout_id(text: &str) -> Result<RolloutId, Problem> {
    text.parse().map_err(|e: crate::domain::names::BadName| Problem::not_found(e.to_string()))
}

fn line(what: &str, text: &str) -> Result<(), Problem> {
    if text.len() > TEXT_MAX {
        return Err(Problem::bad_request(format!("the {what} is longer than {TEXT_MAX} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(Problem::bad_request(format!("the {what} has a control character")));
    }
    Ok(())
}

/// Makes a rollout.
#[utoipa::path(post, path = "/api/v1/rollouts", tag = "rollouts", request_body = SubmitBody, security(("token" = [])),
    responses((status = 201, description = "Made", body = RolloutBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn submit(
    State(context): State<Context>,
    spoken: Option<Extension<Spoken>>,
    headers: HeaderMap,
    read: Result<Object<SubmitBody>, Problem>,
) -> Result<(StatusCode, Json<RolloutBody>), Problem> {
    let caller = caller(&context, spoken, &headers).await?;
    let Object(asked) = read?;
    line("title", &asked.title)?;
    let rollout: RolloutId =
        asked.id.parse().map_err(|e: crate::domain::names::BadName| Problem::bad_request(e.to_string()))?;
    let dist: DistPath =
        asked.distribution.parse().map_err(|e: crate::domain::names::BadName| Problem::bad_request(e.to_string()))?;
    let packages: Vec<Nevra> = asked
        .packages
        .iter()
        .map(|text| text.parse().map_err(|e: crate::domain::nevra::BadNevra| Problem::bad_request(e.to_string())))
        .collect::<Result<_, _>>()?;
    let ask = Ask::Submit { rollout, dist, title: asked.title, packages };
    match context.engine.ask(caller, ask).await? {
        Answer::Submitted(id) | Answer::Moved { rollout: id, .. } => {
            let view = context.engine.shared().read().rollout(&id);
            let view = view.ok_or_else(|| Problem::not_found(format!("there is no rollout {id}")))?;
            Ok((StatusCode::CREATED, Json(rollout_body(&view))))
        }
        other => Err(problem(other)),
    }
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
        | Answer::Remembered(_)
        | Answer::Repeated => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Unexpected answer", "please report this")
        }
    }
}

/// Rollouts, newest change first, a page at a time: `Link: <...>; rel="next"` leads to the next one.
#[utoipa::path(get, path = "/api/v1/rollouts", tag = "rollouts", params(RolloutsQuery),
    responses((status = 200, description = "A page of rollouts", body = Vec<RolloutBody>),
        (status = 400, body = Problem)))]
pub async fn rollouts(
    State(context): State<Context>,
    Query(query): Query<RolloutsQuery>,
) -> Result<(HeaderMap, Json<Vec<RolloutBody>>), Problem> {
    let wanted = query.wanted()?;
    let (page, next) = context.engine.shared().read().rollouts(&wanted);
    let mut headers = HeaderMap::new();
    if let Some(next) = next {
        let link = format!("<{}>; rel=\"next\"", query.link("/api/v1/rollouts", &next));
        // A query that was read is made of what may stand in a header.
        headers.extend(HeaderValue::from_str(&link).ok().map(|link| (header::LINK, link)));
    }
    Ok((headers, Json(page.iter().map(rollout_body).collect())))
}

/// One rollout.
#[utoipa::path(get, path = "/api/v1/rollouts/{id}", tag = "rollouts",
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "The rollout", body = RolloutBody), (status = 404, body = Problem)))]
pub async fn rollout(State(context): State<Context>, Path(id): Path<String>) -> Result<Json<RolloutBody>, Problem> {
    let id = rollout_id(&id)?;
    let view = context.engine.shared().read().rollout(&id);
    view.map(|view| Json(rollout_body(&view))).ok_or_else(|| Problem::not_found(format!("there is no rollout {id}")))
}

/// What stands between a rollout and each state that it can go to.
#[utoipa::path(get, path = "/api/v1/rollouts/{id}/why", tag = "rollouts",
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "The findings for each next state", body = Vec<WhyBody>),
        (status = 401, description = "The token is wrong", body = Problem), (status = 404, body = Problem)))]
pub async fn why(
    State(context): State<Context>,
    Path(id): Path<String>,
    spoken: Option<Extension<Spoken>>,
    headers: HeaderMap,
) -> Result<Json<Vec<WhyBody>>, Problem> {
    let id = rollout_id(&id)?;
    let caller = bearer(&context, spoken, &headers).await?.unwrap_or_else(auth::nobody);
    let why = context.engine.shared().read().why(&id, &caller);
    let why = why.ok_or_else(|| Problem::not_found(format!("there is no rollout {id}")))?;
    let body = |(state, judged): &(crate::domain::workflow::State, crate::domain::gate::Judgement)| WhyBody {
        state: state.to_string(),
        verdict: judged.verdict.to_string(),
        findings: findings(judged),
    };
    Ok(Json(why.iter().map(body).collect()))
}

/// Asks for another state.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/move", tag = "rollouts", request_body = MoveBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 202, description = "The rollout has its new state; packages move now", body = MovedBody),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, description = "It has to wait", body = Problem),
        (status = 413, body = Problem), (status = 422, description = "It is refused", body = Problem), (status = 503, body = Problem)))]
pub async fn move_rollout(
    State(context): State<Context>,
    Path(id): Path<String>,
    spoken: Option<Extension<Spoken>>,
    headers: HeaderMap,
    read: Result<Object<MoveBody>, Problem>,
) -> Result<(StatusCode, Json<MovedBody>), Problem> {
    let caller = caller(&context, spoken, &headers).await?;
    let rollout = rollout_id(&id)?;
    let Object(asked) = read?;
    line("state", &asked.state)?;
    line("reason", &asked.reason)?;
    let ask = Ask::Move { rollout, state: asked.state, reason: asked.reason };
    match context.engine.ask(caller, ask).await? {
        Answer::Moved { rollout, state, packages } => {
            let body = MovedBody { id: rollout.to_string(), state: state.to_string(), packages };
            Ok((StatusCode::ACCEPTED, Json(body)))
        }
        other => Err(problem(other)),
    }
}

/// Gives up a move or a withdrawal that was decided and cannot be carried out: the rollout is in the state before it.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/give-up", tag = "rollouts", request_body = GiveUpBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 202, description = "The rollout is in the state before it; what clients see otherwise already is put right", body = MovedBody),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, description = "It goes on, or nothing was decided", body = Problem),
        (status = 413, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn give_up(
    State(context): State<Context>,
    Path(id): Path<String>,
    spoken: Option<Extension<Spoken>>,
    headers: HeaderMap,
    read: Result<Object<GiveUpBody>, Problem>,
) -> Result<(StatusCode, Json<MovedBody>), Problem> {
    let caller = caller(&context, spoken, &headers).await?;
    let rollout = rollout_id(&id)?;
    let Object(asked) = read?;
    line("reason", &asked.reason)?;
    match context.engine.ask(caller, Ask::GiveUp { rollout, reason: asked.reason }).await? {
        Answer::Moved { rollout, state, packages } => {
            let body = MovedBody { id: rollout.to_string(), state: state.to_string(), packages };
            Ok((StatusCode::ACCEPTED, Json(body)))
        }
        other => Err(problem(other)),
    }
}

/// Gives an accepted package up whose bytes are nowhere any more: no tree lists it from then on.
#[utoipa::path(post, path = "/api/v1/packages/{nevra}/lost", tag = "trees", request_body = LoseBody, security(("token" = [])),
    params(("nevra" = String, Path, description = "name-[epoch:]version-release.arch")),
    responses((status = 200, description = "It is off the lists", body = LostBody),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem),
        (status = 422, description = "It is not lost", body = Problem), (status = 503, body = Problem)))]
pub async fn lose(
    State(context): State<Context>,
    Path(nevra): Path<String>,
    spoken: Option<Extension<Spoken>>,
    headers: HeaderMap,
    read: Result<Object<LoseBody>, Problem>,
) -> Result<Json<LostBody>, Problem> {
    let caller = caller(&context, spoken, &headers).await?;
    let nevra: Nevra =
        nevra.parse().map_err(|e: crate::domain::nevra::BadNevra| Problem::bad_request(e.to_string()))?;
    let Object(asked) = read?;
    line("reason", &asked.reason)?;
    let dist: Option<DistPath> = asked
        .distribution
        .map(|dist| dist.parse().map_err(|e: crate::domain::names::BadName| Problem::bad_request(e.to_string())))
        .transpose()?;
    match context.engine.ask(caller, Ask::Lose { nevra, dist, reason: asked.reason }).await? {
        Answer::Lost { nevra, dist, trees } => {
            let trees = trees.iter().map(ToString::to_string).collect();
            Ok(Json(LostBody { nevra: nevra.to_string(), distribution: dist.to_string(), trees }))
        }
        other => Err(problem(other)),
    }
}

/// All trees.
#[utoipa::path(get, path = "/api/v1/trees", tag = "trees",
    responses((status = 200, description = "All trees", body = Vec<TreeBody>)))]
pub async fn trees(State(context): State<Context>) -> Json<Vec<TreeBody>> {
    let site = context.site();
    let views = context.engine.shared().read().trees();
    Json(views.iter().map(|view| tree_body(view, site.tree_url(&view.id))).collect())
}

/// Entries of the logbook, oldest first.
#[utoipa::path(get, path = "/api/v1/log", tag = "log", params(LogQuery),
    responses((status = 200, description = "Entries", body = Vec<EntryBody>), (status = 400, body = Problem),
        (status = 500, body = Problem)))]
pub async fn log(
    State(context): State<Context>,
    Query(query): Query<LogQuery>,
) -> Result<Json<Vec<EntryBody>>, Problem> {
    let limit = query.limit.unwrap_or(100).min(LOG_AT_ONCE);
    let last = context.engine.shared().read().world.last;
    let newest = (last + 1).saturating_sub(limit as u64);
    let read = move |logbook: &Reader| match &query.rollout {
        Some(rollout) => match Subject::rollout(rollout) {
            Some(subject) => logbook.about(&subject.to_string(), query.from, limit),
            None => Ok(vec![]),
        },
        None => logbook.read(query.from.unwrap_or(newest), limit),
    };
    let entries = context.read_logbook(read).await?;
    Ok(Json(entries.iter().map(entry_body).collect()))
}

/// Walks the whole chain of the logbook, which must have all that the running daemon wrote.
#[utoipa::path(get, path = "/api/v1/log/verify", tag = "log",
    responses((status = 200, description = "The chain is whole", body = VerifiedBody), (status = 500, description = "It is not", body = Problem)))]
pub async fn verify_log(State(context): State<Context>) -> Result<Json<VerifiedBody>, Problem> {
    let written = context.engine.shared().read().head;
    let head = context.read_logbook(move |logbook| logbook.verify(written)).await?;
    Ok(Json(VerifiedBody { entries: head.seq, head: head.hash.to_hex() }))
}

fn rollout_body(view: &RolloutView) -> RolloutBody {
    let rollout = &view.rollout;
    RolloutBody {
        id: rollout.id.to_string(),
        distribution: rollout.dist.to_string(),
        title: rollout.title.clone(),
        state: rollout.state.to_string(),
        since: rollout.since.to_string(),
        by: rollout.by.to_string(),
        moving: rollout.plan.is_some(),
        trouble: view.trouble.clone(),
        wanted: rollout.wanted.as_ref().map(|wanted| wanted.state.to_string()),
        packages: view
            .packages
            .iter()
            .map(|(nevra, trees)| RolloutPackage { nevra: nevra.to_string(), trees: trees.clone() })
            .collect(),
        next: view
            .next
            .iter()
            .map(|(state, effect)| NextBody { state: state.to_string(), effect: effect.clone() })
            .collect(),
    }
}

fn tree_body(view: &TreeView, url: String) -> TreeBody {
    TreeBody {
        tree: view.id.tree.to_string(),
        distribution: view.id.dist.to_string(),
        url,
        packages: view.packages,
        revision: view.revision,
        published: view.published.map(|at| at.to_string()),
        retiring: view.retiring,
        dirty: view.dirty,
    }
}

/// An entry in one sentence; as it stands when it cannot be read.
pub fn says(entry: &Recorded) -> String {
    fact::read(&entry.draft.body).map_or_else(|_| entry.draft.body.clone(), |fact| fact.to_string())
}

fn entry_body(entry: &Recorded) -> EntryBody {
    EntryBody {
        seq: entry.seq,
        at: entry.draft.at.to_string(),
        who: entry.draft.who.clone(),
        why: entry.draft.why.clone(),
        says: says(entry),
        what: serde_json::from_str(&entry.draft.body).unwrap_or_default(),
        hash: entry.hash.to_hex(),
    }
}
