//! `/api/v1/incidents` and `/api/v1/problems`: what goes wrong, who handles it, and what recurs.

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{RecordedBody, caller, encoded, line, next_page, parsed, record};
use crate::domain::incident::{IncidentKind, Told, Wanted, incident_text, problem_text};
use crate::domain::names::RolloutId;
use crate::engine::view::View;
use crate::process::fact::incident::{IncidentChanged, ProblemChanged};
use crate::process::input::Ask;
use crate::process::world::incidents::{Incident, Problem as Recurring};
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// Incidents or problems in one response, at most.
const MOST: usize = 1_000;

/// An incident.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct IncidentBody {
    /// Its number.
    pub incident: u64,
    /// What has gone wrong, in a word.
    pub kind: String,
    /// One line for people.
    pub title: String,
    /// The support unit that handles it.
    pub unit: String,
    /// none, low, normal, high or immediate.
    pub priority: String,
    /// Its ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The rollout that it has to do with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// Who recorded it.
    pub by: String,
    /// When.
    pub at: String,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
    /// What has solved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solution: Option<String>,
    /// The problem of which it is a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<u64>,
    /// The text for its ticket; only of one incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A problem: incidents that recur.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProblemBody {
    /// Its number.
    pub problem: u64,
    /// The kind of its incidents.
    pub kind: String,
    /// The support unit that looks for their cause.
    pub unit: String,
    /// They, by number.
    pub incidents: Vec<u64>,
    /// Its ticket, of which theirs are children.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// What they have in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What sites can do until it is solved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workaround: Option<String>,
    /// When it was found.
    pub at: String,
    /// When it was solved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
    /// How it was solved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solution: Option<String>,
    /// The text for its ticket; only of one problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// An incident to be recorded.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIncidentBody {
    /// What has gone wrong, in a word that is the same each time.
    pub kind: String,
    /// One line for people.
    pub title: String,
    /// The support unit that handles it; that of the configuration if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// none, low, normal, high or immediate, or a number from 0 to 4; normal if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// Its ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The rollout that it has to do with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// What else is known of an incident; what is left out stays.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeIncidentBody {
    /// The support unit that handles it from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// How urgent it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// Its ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// What else is known of a problem; what is left out stays.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeProblemBody {
    /// Its ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// What its incidents have in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What sites can do until it is solved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workaround: Option<String>,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// What is over.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseBody {
    /// What solved it; recorded in the logbook.
    pub reason: String,
}

/// Which incidents.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
pub struct IncidentsQuery {
    /// Only those that are not over.
    #[serde(default)]
    pub open: bool,
    /// Only those of this kind.
    pub kind: Option<String>,
    /// Only those before this number.
    pub before: Option<u64>,
    /// How many at most; 1,000 by default and no more.
    pub limit: Option<usize>,
}

/// Which problems.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
pub struct ProblemsQuery {
    /// Only those that are not solved.
    #[serde(default)]
    pub open: bool,
}

/// Incidents, the newest first, a page at a time: `Link: <...>; rel="next"` leads to the next one.
#[utoipa::path(get, path = "/api/v1/incidents", tag = "incidents", params(IncidentsQuery),
    responses((status = 200, description = "Incidents", body = Vec<IncidentBody>), (status = 400, body = Problem)))]
pub async fn incidents(
    State(context): State<Context>,
    Query(query): Query<IncidentsQuery>,
) -> Result<(HeaderMap, Json<Vec<IncidentBody>>), Problem> {
    let kind: Option<IncidentKind> = query.kind.as_deref().map(parsed).transpose()?;
    let limit = query.limit.unwrap_or(MOST).clamp(1, MOST);
    let view = context.engine.shared().read();
    let fits = |(number, incident): &(u64, &Incident)| {
        query.before.is_none_or(|before| *number < before)
            && (!query.open || incident.closed.is_none())
            && kind.as_ref().is_none_or(|kind| incident.kind == *kind)
    };
    let all = view.world.incidents.iter().rev().filter(fits).take(limit + 1);
    let mut found: Vec<IncidentBody> = all.map(|(number, incident)| incident_body(&view, number, incident)).collect();
    let is_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| is_more).map(|last| {
        let open = if query.open { "&open=true" } else { "" };
        let kind = query.kind.as_deref().map(|kind| format!("&kind={}", encoded(kind))).unwrap_or_default();
        format!("/api/v1/incidents?before={}&limit={limit}{open}{kind}", last.incident)
    });
    Ok((next_page(next), Json(found)))
}

/// One incident, with the text for its ticket.
#[utoipa::path(get, path = "/api/v1/incidents/{incident}", tag = "incidents",
    params(("incident" = u64, Path, description = "Its number")),
    responses((status = 200, description = "The incident", body = IncidentBody), (status = 404, body = Problem)))]
pub async fn incident(
    State(context): State<Context>,
    Path(number): Path<String>,
) -> Result<Json<IncidentBody>, Problem> {
    let view = context.engine.shared().read();
    let found = number.parse().ok().and_then(|n| Some((n, view.world.incidents.get(n)?)));
    let (number, incident) = found.ok_or_else(|| none("incident", &number))?;
    let mut body = incident_body(&view, number, incident);
    body.text = Some(incident_text(&saying(number, incident, &second(incident))));
    Ok(Json(body))
}

/// Problems, the newest first; 1,000 at most.
#[utoipa::path(get, path = "/api/v1/problems", tag = "incidents", params(ProblemsQuery),
    responses((status = 200, description = "Problems", body = Vec<ProblemBody>)))]
pub async fn problems(State(context): State<Context>, Query(query): Query<ProblemsQuery>) -> Json<Vec<ProblemBody>> {
    let view = context.engine.shared().read();
    let all = view.world.incidents.problems().rev().filter(|(_, problem)| !query.open || problem.closed.is_none());
    Json(all.take(MOST).map(|(number, problem)| problem_body(number, problem)).collect())
}

/// One problem, with the text for its ticket.
#[utoipa::path(get, path = "/api/v1/problems/{problem}", tag = "incidents",
    params(("problem" = u64, Path, description = "Its number")),
    responses((status = 200, description = "The problem", body = ProblemBody), (status = 404, body = Problem)))]
pub async fn one_problem(
    State(context): State<Context>,
    Path(number): Path<String>,
) -> Result<Json<ProblemBody>, Problem> {
    let view = context.engine.shared().read();
    let all = &view.world.incidents;
    let found = number.parse().ok().and_then(|n| Some((n, all.problem(n)?)));
    let (number, problem) = found.ok_or_else(|| none("problem", &number))?;
    let mut body = problem_body(number, problem);
    let children: Vec<(u64, &Incident, String)> = problem
        .incidents
        .iter()
        .filter_map(|number| all.get(*number).map(|child| (*number, child, second(child))))
        .collect();
    let children: Vec<Told<'_>> = children.iter().map(|(number, child, at)| saying(*number, child, at)).collect();
    body.text = Some(problem_text(number, problem.kind.as_str(), &problem.unit, &children));
    Ok(Json(body))
}

fn saying<'a>(number: u64, incident: &'a Incident, at: &'a str) -> Told<'a> {
    Told {
        incident: number,
        kind: incident.kind.as_str(),
        title: &incident.title,
        unit: &incident.unit,
        priority: incident.priority,
        rollout: incident.rollout.as_ref().map(RolloutId::as_str),
        at,
        ticket: incident.ticket.as_deref(),
        solution: incident.closed.as_ref().map(|(_, solution)| solution.as_str()),
    }
}

/// When it was recorded, without what nobody wants to read in a ticket.
fn second(incident: &Incident) -> String {
    format!("{:.0}", incident.at)
}

fn incident_body(view: &View, number: u64, incident: &Incident) -> IncidentBody {
    IncidentBody {
        incident: number,
        kind: incident.kind.to_string(),
        title: incident.title.clone(),
        unit: incident.unit.clone(),
        priority: incident.priority.to_string(),
        ticket: incident.ticket.clone(),
        rollout: incident.rollout.as_ref().map(ToString::to_string),
        by: view.people.shown(incident.by.as_str()).into_owned(),
        at: incident.at.to_string(),
        closed: incident.closed.as_ref().map(|(at, _)| at.to_string()),
        solution: incident.closed.as_ref().map(|(_, solution)| solution.clone()),
        problem: incident.problem,
        text: None,
    }
}

fn problem_body(number: u64, problem: &Recurring) -> ProblemBody {
    ProblemBody {
        problem: number,
        kind: problem.kind.to_string(),
        unit: problem.unit.clone(),
        incidents: problem.incidents.iter().copied().collect(),
        ticket: problem.ticket.clone(),
        cause: problem.cause.clone(),
        workaround: problem.workaround.clone(),
        at: problem.at.to_string(),
        closed: problem.closed.as_ref().map(|(at, _)| at.to_string()),
        solution: problem.closed.as_ref().map(|(_, solution)| solution.clone()),
        text: None,
    }
}

fn none(what: &str, number: &str) -> Problem {
    Problem::not_found(format!("there is no {what} {}", number.escape_debug()))
}

fn number(what: &str, text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| none(what, text))
}

/// Checks texts that are there.
fn lines(all: &[(&str, &Option<String>)]) -> Result<(), Problem> {
    all.iter().filter_map(|(what, text)| Some((what, text.as_ref()?))).try_for_each(|(what, text)| {
        line(what, text)?;
        if text.trim().is_empty() { Err(Problem::bad_request(format!("the {what} is empty"))) } else { Ok(()) }
    })
}

/// Records an incident; with others of its kind it is a problem.
#[utoipa::path(post, path = "/api/v1/incidents", tag = "incidents", request_body = NewIncidentBody, security(("token" = [])),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 413, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub async fn record_incident(
    State(context): State<Context>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<NewIncidentBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(NewIncidentBody { kind, title, unit, priority, ticket, rollout, reason }) = read?;
    line("title", &title)?;
    lines(&[("unit", &unit), ("ticket", &ticket)])?;
    line("reason", &reason)?;
    let (kind, priority) = (parsed(&kind)?, priority.as_deref().map(parsed).transpose()?);
    let rollout = rollout.as_deref().map(parsed).transpose()?;
    let wanted = Wanted { kind, title, unit, priority, ticket, rollout };
    record(&context, caller, Ask::RecordIncident { wanted, reason }).await
}

/// Says what else is known of an incident.
#[utoipa::path(post, path = "/api/v1/incidents/{incident}", tag = "incidents", request_body = ChangeIncidentBody, security(("token" = [])),
    params(("incident" = u64, Path, description = "Its number")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 503, body = Problem)))]
pub async fn change_incident(
    State(context): State<Context>,
    Path(incident): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<ChangeIncidentBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(ChangeIncidentBody { unit, priority, ticket, reason }) = read?;
    lines(&[("unit", &unit), ("ticket", &ticket)])?;
    line("reason", &reason)?;
    let (incident, priority) = (number("incident", &incident)?, priority.as_deref().map(parsed).transpose()?);
    if unit.is_none() && priority.is_none() && ticket.is_none() {
        return Err(Problem::bad_request("nothing to change: name a support unit, a priority or a ticket"));
    }
    let changed = IncidentChanged { incident, unit, priority, ticket };
    record(&context, caller, Ask::ChangeIncident { changed, reason }).await
}

/// An incident is over.
#[utoipa::path(post, path = "/api/v1/incidents/{incident}/close", tag = "incidents", request_body = CloseBody, security(("token" = [])),
    params(("incident" = u64, Path, description = "Its number")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn close_incident(
    State(context): State<Context>,
    Path(incident): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<CloseBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(CloseBody { reason }) = read?;
    line("reason", &reason)?;
    record(&context, caller, Ask::CloseIncident { incident: number("incident", &incident)?, reason }).await
}

/// Says what else is known of a problem.
#[utoipa::path(post, path = "/api/v1/problems/{problem}", tag = "incidents", request_body = ChangeProblemBody, security(("token" = [])),
    params(("problem" = u64, Path, description = "Its number")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 503, body = Problem)))]
pub async fn change_problem(
    State(context): State<Context>,
    Path(problem): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<ChangeProblemBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(ChangeProblemBody { ticket, cause, workaround, reason }) = read?;
    lines(&[("ticket", &ticket), ("cause", &cause), ("workaround", &workaround)])?;
    line("reason", &reason)?;
    if ticket.is_none() && cause.is_none() && workaround.is_none() {
        return Err(Problem::bad_request("nothing to change: name a ticket, a cause or a workaround"));
    }
    let changed = ProblemChanged { problem: number("problem", &problem)?, ticket, cause, workaround };
    record(&context, caller, Ask::ChangeProblem { changed, reason }).await
}

/// A problem is solved.
#[utoipa::path(post, path = "/api/v1/problems/{problem}/close", tag = "incidents", request_body = CloseBody, security(("token" = [])),
    params(("problem" = u64, Path, description = "Its number")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn close_problem(
    State(context): State<Context>,
    Path(problem): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<CloseBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(CloseBody { reason }) = read?;
    line("reason", &reason)?;
    record(&context, caller, Ask::CloseProblem { problem: number("problem", &problem)?, reason }).await
}
