//! `/api/v1/teams`: the registry of early adopters (S0-09).

use std::collections::BTreeSet;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{RecordedBody, bearer, caller, line, parsed, record};
use crate::domain::names::RolloutId;
use crate::domain::naming::team::TeamName;
use crate::process::fact::team::TeamRegistered;
use crate::process::gate::acknowledged::asking;
use crate::process::input::Ask;
use crate::process::world::teams::Team;
use crate::web::context::{Context, SiteFacts};
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// A team of early adopters.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
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
    /// Who belongs to it by a token of the configuration; shown to whoever is known.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub members: BTreeSet<String>,
    /// The groups of a single sign-on whose members belong to it; shown to whoever is known.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
}

/// A team, and what it has to do with.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TeamDutiesBody {
    /// The team.
    #[serde(flatten)]
    pub team: TeamBody,
    /// The rollouts in test that it was asked about, or has reported on.
    pub rollouts: Vec<TestedBody>,
    /// Its tasks that are not done.
    pub tasks: Vec<u64>,
}

/// A rollout that a team tests.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TestedBody {
    /// The rollout.
    pub rollout: String,
    /// assigned, accepted, exposed, declined or reported.
    pub standing: String,
    /// What came of its test: success, warning or fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

/// Which teams are wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct TeamsQuery {
    /// Only those of this NGI.
    pub ngi: Option<String>,
    /// Only those that test this product.
    pub product: Option<String>,
    /// Only those whose site runs this node type.
    pub node_type: Option<String>,
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
#[utoipa::path(get, path = "/api/v1/teams", tag = "teams", params(TeamsQuery),
    responses((status = 200, description = "All teams", body = Vec<TeamBody>), (status = 401, body = Problem)))]
pub async fn teams(
    State(context): State<Context>,
    Query(TeamsQuery { ngi, product, node_type }): Query<TeamsQuery>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
) -> Result<Json<Vec<TeamBody>>, Problem> {
    let knows = knows_members(&context, client, &headers).await?;
    let (view, site) = (context.engine.shared().read(), context.site());
    let is_wanted = |team: &Team| {
        let tests = |product: &String| team.products.is_empty() || team.products.contains(product);
        ngi.as_ref().is_none_or(|ngi| team.ngi == *ngi)
            && product.as_ref().is_none_or(tests)
            && node_type.as_ref().is_none_or(|name| team.runs(name))
    };
    let wanted = view.world.teams.iter().filter(|(_, team)| is_wanted(team));
    Ok(Json(wanted.map(|team| team_body(&site, team, knows)).collect()))
}

/// Whether somebody may see who belongs to a team: whoever is known, as these are names of people.
async fn knows_members(
    context: &Context,
    client: Option<Extension<Client>>,
    headers: &HeaderMap,
) -> Result<bool, Problem> {
    Ok(bearer(context, client, headers).await?.is_some())
}

/// One team, its members, and what it has to do with.
#[utoipa::path(get, path = "/api/v1/teams/{team}", tag = "teams",
    params(("team" = String, Path, description = "The team, such as ea-NGI_IT-INFN-T1")),
    responses((status = 200, description = "The team", body = TeamDutiesBody), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
pub async fn team(
    State(context): State<Context>,
    Path(team): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
) -> Result<Json<TeamDutiesBody>, Problem> {
    let knows = knows_members(&context, client, &headers).await?;
    let name: TeamName = parsed(&team)?;
    let (view, site) = (context.engine.shared().read(), context.site());
    let world = &view.world;
    let team = world.teams.get(&name).ok_or_else(|| Problem::not_found(view.known().no_team(&name)))?;
    let tested = |rollout: &RolloutId| {
        let adopter = world.adopters.get(rollout, &name)?;
        asking(view.known(), world.rollouts.get(rollout)?)?;
        Some(TestedBody {
            rollout: rollout.to_string(),
            standing: adopter.standing().as_str().to_owned(),
            outcome: adopter.report.as_ref().map(|report| report.outcome.to_string()),
        })
    };
    Ok(Json(TeamDutiesBody {
        team: team_body(&site, (&name, team), knows),
        rollouts: world.adopters.rollouts(&name).filter_map(tested).collect(),
        tasks: world.tasks.open_of(&name).map(|(number, _)| number).collect(),
    }))
}

fn team_body(facts: &SiteFacts, (name, team): (&TeamName, &Team), knows: bool) -> TeamBody {
    let Team { ngi, products, stacks, node_types, contacts, observer } = team.clone();
    // Nobody is registered whose name does not begin with the NGI.
    let site = name.split(|known| known == ngi).map_or(name.without_prefix(), |(_, site)| site).to_owned();
    let members = facts.tokens.of_team(name).filter(|_| knows).map(ToString::to_string).collect();
    let groups = facts.sso.iter().flat_map(|sso| sso.groups_of(name)).filter(|_| knows).map(str::to_owned).collect();
    TeamBody { team: name.to_string(), site, ngi, products, stacks, node_types, contacts, observer, members, groups }
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
