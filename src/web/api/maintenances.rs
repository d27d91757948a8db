//! `/api/v1/maintenances`: times at which nothing is promoted, declared beforehand.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{RecordedBody, caller, line, parsed, record};
use crate::domain::calendar::maintenance::Kind;
use crate::domain::names::MaintenanceId;
use crate::engine::view::View;
use crate::process::fact::halt::place;
use crate::process::fact::maintenance::MaintenanceDeclared;
use crate::process::input::Ask;
use crate::process::world::maintenances::Maintenance;
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// A maintenance.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MaintenanceBody {
    /// Its id.
    pub maintenance: String,
    /// Its distribution; everywhere if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<String>,
    /// What is done.
    pub title: String,
    /// When it starts.
    pub start: String,
    /// When it ends.
    pub end: String,
    /// `scheduled`, or `unscheduled` if it was declared less than 24 hours before its start.
    pub kind: String,
    /// `coming`, `on`, `over` or `called off`.
    pub status: String,
    /// Why it could not be declared earlier or cannot be shorter.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub justification: String,
    /// Who declared it.
    pub by: String,
    /// When it was declared.
    pub declared: String,
    /// The same as lines for a downtime in GOCDB.
    pub downtime: String,
}

/// A maintenance that is to be declared.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclareBody {
    /// An id that no other had.
    pub maintenance: String,
    /// Only this distribution; everywhere if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<String>,
    /// What is done, for everybody who has to wait.
    pub title: String,
    /// When it starts: 2026-12-01T08:00Z, or without an offset by the clocks of the calendar.
    pub start: String,
    /// When it ends.
    pub end: String,
    /// Why it could not be declared earlier or cannot be shorter.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub justification: String,
}

/// A request to call a maintenance off.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallOffBody {
    /// Why; recorded in the logbook.
    pub reason: String,
}

/// All maintenances, by their start.
#[utoipa::path(get, path = "/api/v1/maintenances", tag = "halts",
    responses((status = 200, description = "All maintenances, by their start", body = Vec<MaintenanceBody>)))]
pub async fn maintenances(State(context): State<Context>) -> Json<Vec<MaintenanceBody>> {
    let view = context.engine.shared().read();
    let now = context.clock().now();
    let mut all: Vec<(&MaintenanceId, &Maintenance)> = view.world.maintenances.iter().collect();
    all.sort_by_key(|(_, known)| known.start);
    Json(all.into_iter().map(|(id, known)| body(&view, id, known, now)).collect())
}

fn body(view: &View, id: &MaintenanceId, known: &Maintenance, now: jiff::Timestamp) -> MaintenanceBody {
    let Maintenance { dist, title, start, end, justification, declared, by, called_off } = known;
    let status = match () {
        () if called_off.is_some() => "called off",
        () if known.is_on(now) => "on",
        () if known.is_ahead(now) => "coming",
        () => "over",
    };
    let (kind, classification) = match known.kind() {
        Kind::Scheduled => ("scheduled", "SCHEDULED"),
        Kind::Unscheduled => ("unscheduled", "UNSCHEDULED"),
    };
    // Trees can be read all the time, so nobody has an outage.
    let minute = |at: &jiff::Timestamp| at.strftime("%Y-%m-%d %H:%M").to_string();
    let downtime = format!(
        "Classification: {classification}\nSeverity: WARNING\nStart (UTC): {}\nEnd (UTC): {}\nDescription: {title}. No \
         packages are promoted {}; repositories can be read.\n",
        minute(start),
        minute(end),
        place(dist.as_ref())
    );
    MaintenanceBody {
        maintenance: id.to_string(),
        distribution: dist.as_ref().map(ToString::to_string),
        title: title.clone(),
        start: start.to_string(),
        end: end.to_string(),
        kind: kind.to_owned(),
        status: status.to_owned(),
        justification: justification.clone(),
        by: view.people.shown(by.as_str()).into_owned(),
        declared: declared.to_string(),
        downtime,
    }
}

/// Declares a maintenance.
#[utoipa::path(post, path = "/api/v1/maintenances", tag = "halts", request_body = DeclareBody, security(("token" = [])),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn declare(
    State(context): State<Context>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<DeclareBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    line("title", &asked.title)?;
    line("justification", &asked.justification)?;
    let rules = context.engine.shared().read().rules.clone();
    let moment = |text: &str| rules.calendar.read(text).map_err(Problem::bad_request);
    let declared = MaintenanceDeclared {
        maintenance: parsed(&asked.maintenance)?,
        dist: asked.distribution.as_deref().map(parsed).transpose()?,
        title: asked.title,
        start: moment(&asked.start)?,
        end: moment(&asked.end)?,
        justification: asked.justification,
    };
    record(&context, caller, Ask::DeclareMaintenance(declared)).await
}

/// Calls a maintenance off, or ends it before its time.
#[utoipa::path(delete, path = "/api/v1/maintenances/{id}", tag = "halts", request_body = CallOffBody,
    params(("id" = String, Path, description = "The maintenance")), security(("token" = [])),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn call_off(
    State(context): State<Context>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    Path(id): Path<String>,
    read: Result<Object<CallOffBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::EndMaintenance { maintenance: parsed(&id)?, reason: asked.reason }).await
}
