//! `/api/v1/teams`: the registry of early adopters (S0-09).

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{RecordedBody, caller, line, parsed, record};
use crate::domain::naming::team::TeamName;
use crate::process::fact::team::TeamRegistered;
use crate::process::input::Ask;
use crate::process::world::teams::Team;
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// A team of early adopters.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TeamBody {
    /// Its name, such as ea-NGI_IT-INFN-T1.
    pub team: String,
    /// Its site.
    pub site: String,
    /// Its national grid initiative, such as NGI_IT.
    pub ngi: String,
    /// The products that it tests; all if there are none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub products: BTreeSet<String>,
    /// The stacks that it tests; all if there are none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub stacks: BTreeSet<String>,
    /// The node types that its site runs.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub node_types: BTreeSet<String>,
    /// Where it can be reached: its mailing list, its page.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub contacts: BTreeSet<String>,
    /// Whether it only observes: its reports are kept and do not count.
    #[serde(default)]
    pub observer: bool,
}

/// A team as it is to be entered.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterBody {
    /// Its national grid initiative, such as NGI_IT.
    pub ngi: String,
    /// The products that it tests; all if there are none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub products: BTreeSet<String>,
    /// The stacks that it tests; all if there are none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub stacks: BTreeSet<String>,
    /// The node types that its site runs.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub node_types: BTreeSet<String>,
    /// Where it can be reached: its mailing list, its page.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub contacts: BTreeSet<String>,
    /// Whether it only observes: its reports are kept and do not count.
    #[serde(default)]
    pub observer: bool,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// A request to remove a team.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveTeamBody {
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// All teams, by name.
#[utoipa::path(get, path = "/api/v1/teams", tag = "teams",
    responses((status = 200, description = "All teams", body = Vec<TeamBody>)))]
pub async fn teams(State(context): State<Context>) -> Json<Vec<TeamBody>> {
    Json(context.engine.shared().read().world.teams.iter().map(team_body).collect())
}

fn team_body((name, team): (&TeamName, &Team)) -> TeamBody {
    let Team { ngi, products, stacks, node_types, contacts, observer } = team.clone();
    // Nobody is registered whose name does not begin with the NGI.
    let site = name.split(|known| known == ngi).map_or(name.without_prefix(), |(_, site)| site).to_owned();
    TeamBody { team: name.to_string(), site, ngi, products, stacks, node_types, contacts, observer }
}

/// Adds a team, or replaces its entry.
#[utoipa::path(put, path = "/api/v1/teams/{team}", tag = "teams", request_body = RegisterBody, security(("token" = [])),
    params(("team" = String, Path, description = "The team, such as ea-NGI_IT-INFN-T1")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn register(
    State(context): State<Context>,
    Path(team): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<RegisterBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let RegisterBody { ngi, products, stacks, node_types, contacts, observer, reason } = asked;
    line("NGI", &ngi)?;
    for name in products.iter().chain(&stacks).chain(&node_types) {
        line("name", name)?;
    }
    for contact in &contacts {
        line("contact", contact)?;
    }
    let team = TeamRegistered { team: parsed(&team)?, ngi, products, stacks, node_types, contacts, observer };
    line("reason", &reason)?;
    record(&context, caller, Ask::Register { team, reason }).await
}

/// Removes a team; what it said of rollouts stays but no longer counts.
#[utoipa::path(delete, path = "/api/v1/teams/{team}", tag = "teams", request_body = RemoveTeamBody, security(("token" = [])),
    params(("team" = String, Path, description = "The team")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn remove_team(
    State(context): State<Context>,
    Path(team): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<RemoveTeamBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let team = parsed(&team)?;
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::RemoveTeam { team, reason: asked.reason }).await
}
