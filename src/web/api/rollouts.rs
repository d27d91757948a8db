//! `/api/v1/rollouts` and `/api/v1/rollouts/{id}`: lists, shows and creates rollouts.

use std::str::FromStr;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::asking::{self, caller, line, next_page, page_path, parsed, problem, rollout_id};
use super::attributes::{AboutBody, about};
use super::dossier::{DossierBody, dossier_of, with_reasons};
use crate::domain::naming::title::Title;
use crate::domain::request::Priority;
use crate::domain::rollout::Part;
use crate::engine::view::{After, RolloutView, View, Wanted};
use crate::process::decision::Answer;
use crate::process::gate::present::absent;
use crate::process::input::Ask;
use crate::process::selection;
use crate::process::world::attributes::By;
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::{FindingBody, Problem, finding_bodies};

/// Rollouts in one response, by default and at most.
pub const ROLLOUTS_AT_ONCE: usize = 100;
const ROLLOUTS_MOST: usize = 1_000;

/// A new rollout.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitBody {
    /// Its id: letters, digits and . _ -
    pub id: String,
    /// Its distribution, as in the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<String>,
    /// One line for people; the first package if empty. If no packages are named, one that follows the naming convention
    /// selects them, in that distribution if one is named: `Staged Rollout EMI-1.0 SE-DPM_mysql 1.8.0-1 SL5 x86_64`.
    #[serde(default)]
    pub title: String,
    /// Its packages in that distribution, each `name-[epoch:]version-release.arch`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// Its packages in other distributions: all of them move together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartBody>,
    /// The change that it carries out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// A rollout whose title (unless another one is given), attributes, links and assigned teams it has, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// A rollout whose place it takes: that one is cancelled if nothing has moved for it, else it does not move forward any
    /// more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<String>,
}

/// The packages of a rollout in one distribution.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartBody {
    /// The distribution, as in the configuration.
    pub distribution: String,
    /// Each `name-[epoch:]version-release.arch`; also a pattern such as `bdii-*` for what the upload tree has, or a source
    /// package, `bdii-5.2.22-1.el6.src`, for what was built from it.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Whether also everything in the upload tree that no open rollout names.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub new: bool,
}

/// A rollout.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RolloutBody {
    /// Its id.
    pub id: String,
    /// Its distribution; the first of several.
    pub distribution: String,
    /// Its distributions.
    pub distributions: Vec<String>,
    /// One line for people.
    pub title: String,
    /// Its state.
    pub state: String,
    /// Since when.
    pub since: String,
    /// Who put it there.
    pub by: String,
    /// Whether its packages are being moved now.
    pub moving: bool,
    /// What prevents the move; it is retried continually.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// A state that a tracker requested and that cannot be reached yet, or that a person wants at some time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// Not before this time, if a person said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dated: Option<String>,
    /// Whether it was cancelled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
    /// The rollout that has taken its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    /// The rollouts whose place it has taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supersedes: Vec<String>,
    /// Whether it has been in its state for longer than the procedure wants.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delayed: bool,
    /// What is said of it, by people or by its title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<AboutBody>,
    /// What people have added to it; only where one rollout is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dossier: Option<DossierBody>,
    /// Its packages and the trees that list each of them.
    pub packages: Vec<RolloutPackage>,
    /// What restores of trees have taken away of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<FindingBody>,
    /// What is to be said of packages that no tree lists; only where one rollout is asked for, or was created.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<FindingBody>,
    /// The states that it can go to.
    pub next: Vec<NextBody>,
}

/// A package of a rollout.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RolloutPackage {
    /// Its distribution.
    pub distribution: String,
    /// `name-[epoch:]version-release.arch`.
    pub nevra: String,
    /// The trees that list it.
    pub trees: Vec<String>,
}

/// A state that a rollout can go to.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NextBody {
    /// The state.
    pub state: String,
    /// What it does to the trees.
    pub effect: String,
}

/// Which rollouts.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
pub struct RolloutsQuery {
    /// Only those of this distribution.
    pub distribution: Option<String>,
    /// Only those in this state, in any spelling that the procedure knows.
    pub state: Option<String>,
    /// Only those with this package.
    pub package: Option<String>,
    /// Only those of this product.
    pub product: Option<String>,
    /// Only those of this component.
    pub component: Option<String>,
    /// Only those that concern this node type.
    pub node_type: Option<String>,
    /// Only those with this priority: none, low, normal, high or immediate, or a number from 0 to 4.
    pub priority: Option<String>,
    /// Only those that fix something of this severity, in the same words.
    pub severity: Option<String>,
    /// Only those with these words in their title or name, in upper or lower case.
    pub text: Option<String>,
    /// Only those that have changed since a time or a day, or within a span such as 7d.
    pub since: Option<String>,
    /// Only those after this place; taken from the link to the next page.
    pub after: Option<String>,
    /// How many at most; 100 by default, no more than 1,000.
    pub limit: Option<usize>,
}

impl RolloutsQuery {
    /// The same, parsed.
    ///
    /// # Errors
    /// If something is not a valid name of its kind.
    pub fn wanted(&self, now: Timestamp) -> Result<Wanted, Problem> {
        fn read<T: FromStr<Err: ToString>>(text: Option<&String>) -> Result<Option<T>, Problem> {
            text.map(|text| text.parse().map_err(|e: T::Err| Problem::bad_request(e.to_string()))).transpose()
        }
        Ok(Wanted {
            dist: read(self.distribution.as_ref())?,
            state: self.state.clone(),
            package: read(self.package.as_ref())?,
            with: self.with()?,
            text: self.text.as_ref().map(|text| text.to_lowercase()),
            since: self.since.as_deref().map(|text| asking::since(text, now)).transpose()?,
            after: read(self.after.as_ref())?,
            limit: self.limit.unwrap_or(ROLLOUTS_AT_ONCE).clamp(1, ROLLOUTS_MOST),
        })
    }

    /// What is to be said of them.
    fn with(&self) -> Result<Vec<(By, String)>, Problem> {
        let names = [(By::Product, &self.product), (By::Component, &self.component), (By::NodeType, &self.node_type)];
        let names = names.into_iter().filter_map(|(by, name)| Some(Ok((by, name.clone()?))));
        let ranks = [(By::Priority, &self.priority), (By::Severity, &self.severity)];
        let rank = |(by, text): (By, &Option<String>)| {
            let read = text.as_ref()?.parse::<Priority>();
            Some(read.map(|it| (by, it.as_str().to_owned())).map_err(|e| Problem::bad_request(e.to_string())))
        };
        names.chain(ranks.into_iter().filter_map(rank)).collect()
    }

    /// The address of the next page.
    pub fn link(&self, path: &str, next: &After) -> String {
        let limit = self.limit.map(|limit| limit.to_string());
        let next = next.to_string();
        let parts = [
            ("distribution", self.distribution.as_ref()),
            ("state", self.state.as_ref()),
            ("package", self.package.as_ref()),
            ("product", self.product.as_ref()),
            ("component", self.component.as_ref()),
            ("node_type", self.node_type.as_ref()),
            ("priority", self.priority.as_ref()),
            ("severity", self.severity.as_ref()),
            ("text", self.text.as_ref()),
            ("since", self.since.as_ref()),
            ("limit", limit.as_ref()),
            ("after", Some(&next)),
        ];
        page_path(path, &parts)
    }
}

/// Creates a rollout.
#[utoipa::path(post, path = "/api/v1/rollouts", tag = "rollouts", request_body = SubmitBody, security(("token" = [])),
    responses((status = 201, description = "Created", body = RolloutBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn submit(
    State(context): State<Context>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<SubmitBody>, Problem>,
) -> Result<(StatusCode, Json<RolloutBody>), Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    line("title", &asked.title)?;
    let rollout = parsed(&asked.id)?;
    let SubmitBody { distribution, title, packages, parts: further, change, like, supersedes, .. } = asked;
    let is_titled = packages.is_empty() && further.is_empty() && !title.is_empty();
    let only = distribution.as_deref().filter(|_| is_titled).map(parsed).transpose()?;
    let parts = match distribution {
        Some(distribution) => vec![PartBody { distribution, packages, new: false }],
        None if packages.is_empty() && (is_titled || !further.is_empty()) => vec![],
        None => return Err(Problem::bad_request("name the `distribution` of the packages".to_owned())),
    };
    let view = context.engine.shared().read();
    let parts = if is_titled {
        let title: Title = title.parse().map_err(|error| Problem::bad_request(format!("{error}; or name packages")))?;
        selection::titled(view.known(), &title, only.as_ref()).map_err(Problem::bad_request)?
    } else {
        parts.iter().chain(&further).map(|body| meant(&view, body)).collect::<Result<_, _>>()?
    };
    drop(view);
    let change = change.as_deref().map(parsed).transpose()?;
    let [like, supersedes] = [like, supersedes].map(|id| id.as_deref().map(parsed).transpose());
    let ask = match (change, like?, supersedes?) {
        (None, None, None) => Ask::Submit { rollout, title, parts },
        (Some(change), None, None) => Ask::SubmitFor { change, rollout, title, parts },
        (change, like, supersedes) => Ask::SubmitAfter { rollout, title, parts, change, like, supersedes },
    };
    match context.engine.ask(caller, ask).await? {
        Answer::Submitted(id) | Answer::Moved { rollout: id, .. } => {
            let inside = context.engine.shared().read();
            let view = inside.rollout(&id);
            let view = view.ok_or_else(|| Problem::not_found(format!("there is no rollout {id}")))?;
            let absent = finding_bodies(&absent(inside.known(), &view.rollout));
            Ok((StatusCode::CREATED, Json(RolloutBody { absent, ..rollout_body(&view) })))
        }
        other => Err(problem(other)),
    }
}

/// Rollouts, newest change first, a page at a time: `Link: <...>; rel="next"` leads to the next one.
#[utoipa::path(get, path = "/api/v1/rollouts", tag = "rollouts", params(RolloutsQuery),
    responses((status = 200, description = "A page of rollouts", body = Vec<RolloutBody>),
        (status = 400, body = Problem),
        (status = 404, description = "There is no such distribution or state", body = Problem)))]
pub async fn rollouts(
    State(context): State<Context>,
    Query(query): Query<RolloutsQuery>,
) -> Result<(HeaderMap, Json<Vec<RolloutBody>>), Problem> {
    let wanted = query.wanted(context.clock().now())?;
    let view = context.engine.shared().read();
    if let Some(why) = view.unknown(&wanted) {
        return Err(Problem::not_found(why));
    }
    let (page, next) = view.rollouts(&wanted);
    let next = next.map(|next| query.link("/api/v1/rollouts", &next));
    Ok((next_page(next), Json(page.iter().map(rollout_body).collect())))
}

/// One rollout.
#[utoipa::path(get, path = "/api/v1/rollouts/{id}", tag = "rollouts",
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "The rollout", body = RolloutBody), (status = 404, body = Problem)))]
pub async fn rollout(State(context): State<Context>, Path(id): Path<String>) -> Result<Json<RolloutBody>, Problem> {
    let id = rollout_id(&id)?;
    let inside = context.engine.shared().read();
    let view = inside.rollout(&id).ok_or_else(|| Problem::not_found(format!("there is no rollout {id}")))?;
    let dossier = dossier_of(&inside, &id);
    let absent = finding_bodies(&absent(inside.known(), &view.rollout));
    let body = rollout_body(&view);
    drop(inside);
    let dossier = Some(with_reasons(&context, &id, dossier).await?);
    Ok(Json(RolloutBody { dossier, absent, ..body }))
}

/// Packages as they are named for a rollout: by patterns, too.
pub(super) fn meant(view: &View, PartBody { distribution, packages, new }: &PartBody) -> Result<Part, Problem> {
    let dist = parsed(distribution)?;
    let known = view.known();
    let mut all = if *new { selection::new(known, &dist).map_err(Problem::bad_request)? } else { vec![] };
    for word in packages {
        all.extend(selection::meant(known, &dist, word).map_err(Problem::bad_request)?);
    }
    Ok(Part { dist, packages: all })
}

pub(super) fn part(PartBody { distribution, packages, .. }: &PartBody) -> Result<Part, Problem> {
    let packages = packages.iter().map(|text| parsed(text)).collect::<Result<_, _>>()?;
    Ok(Part { dist: parsed(distribution)?, packages })
}

fn rollout_body(view: &RolloutView) -> RolloutBody {
    let rollout = &view.rollout;
    RolloutBody {
        id: rollout.id.to_string(),
        distribution: rollout.dists().next().map(ToString::to_string).unwrap_or_default(),
        distributions: rollout.dists().map(ToString::to_string).collect(),
        title: rollout.title.clone(),
        state: rollout.state.to_string(),
        since: rollout.since.to_string(),
        by: view.by.clone(),
        moving: rollout.plan.is_some(),
        trouble: view.trouble.clone(),
        cancelled: rollout.cancelled,
        delayed: rollout.delayed,
        superseded_by: view.superseded_by.as_ref().map(ToString::to_string),
        supersedes: view.supersedes.iter().map(ToString::to_string).collect(),
        about: Some(about(&rollout.title, &view.attributes)),
        dossier: None,
        wanted: rollout.wanted.as_ref().map(|wanted| wanted.state.to_string()),
        dated: rollout.wanted.as_ref().and_then(|wanted| wanted.at).map(|at| at.to_string()),
        packages: view
            .packages
            .iter()
            .map(|(dist, nevra, trees)| RolloutPackage {
                distribution: dist.to_string(),
                nevra: nevra.to_string(),
                trees: trees.clone(),
            })
            .collect(),
        findings: finding_bodies(&view.findings),
        absent: vec![],
        next: view
            .next
            .iter()
            .map(|(state, effect)| NextBody { state: state.to_string(), effect: effect.clone() })
            .collect(),
    }
}
