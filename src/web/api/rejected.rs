//! `/api/v1/rejected`: refused files, why they were refused, and how to fix that; removes some on request.

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::caller;
use crate::domain::moment::Elapsed;
use crate::domain::names::{DistPath, Role};
use crate::format::quantity;
use crate::store::evidence::{Dropped, Evidence, Kept};
use crate::web::context::{Context, SiteFacts};
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// Most refused files in one response.
pub const AT_ONCE: usize = 1_000;

/// Refused files.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RejectedBody {
    /// How many are kept.
    pub total: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Those of this page, the newest first.
    pub files: Vec<RefusedBody>,
}

/// A refused file.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RefusedBody {
    /// The distribution.
    pub distribution: String,
    /// Its name in `rejected/`.
    pub name: String,
    /// The path under which it was first uploaded.
    pub file: String,
    /// The stable code.
    pub code: String,
    /// What exactly was found.
    pub found: String,
    /// The rule that it breaks.
    pub rule: String,
    /// What to do.
    pub remedy: String,
    /// The bytes that it takes.
    pub size: u64,
    /// The user who owned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<u32>,
    /// When it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// How long it has been kept, in seconds of the daemon's running time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<u64>,
    /// How many times these bytes were refused.
    pub times: u64,
}

/// Which refused files.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct RejectedQuery {
    /// Only those of this distribution.
    pub distribution: Option<String>,
    /// How many of the newest are skipped.
    pub from: Option<usize>,
    /// How many at most; 100 by default.
    pub limit: Option<usize>,
}

/// Which refused files to remove: exactly one of names, `older_than` and `all`.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DropBody {
    /// Only those of this distribution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<String>,
    /// Their names in `rejected/`.
    #[serde(default)]
    pub names: Vec<String>,
    /// Those kept for longer than this, such as `7d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_than: Option<String>,
    /// All of them.
    #[serde(default)]
    pub all: bool,
}

/// What was removed.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DroppedBody {
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Refused files, the newest first.
#[utoipa::path(get, path = "/api/v1/rejected", tag = "uploads", params(RejectedQuery),
    responses((status = 200, description = "Refused files", body = RejectedBody), (status = 400, body = Problem),
        (status = 404, body = Problem)))]
pub async fn rejected(
    State(context): State<Context>,
    Query(query): Query<RejectedQuery>,
) -> Result<Json<RejectedBody>, Problem> {
    let wanted = known(&context.site(), query.distribution.as_deref())?;
    let (from, limit) = (query.from.unwrap_or(0), query.limit.unwrap_or(100).min(AT_ONCE));
    let list = move |site: &SiteFacts, _: &dyn crate::store::disk::Disk| {
        let of_dist = |(dist, evidence): (DistPath, &Evidence)| {
            let now = evidence.now();
            evidence.list().into_iter().map(move |kept| (dist.clone(), kept, now)).collect::<Vec<_>>()
        };
        let mut all: Vec<_> = chosen(site, wanted.as_ref()).flat_map(of_dist).collect();
        all.sort_by_key(|(_, kept, _)| std::cmp::Reverse(kept.reason.since));
        let bytes = all.iter().map(|(_, kept, _)| kept.size).sum();
        let total = all.len();
        let files = all.into_iter().skip(from).take(limit).map(|(dist, kept, now)| refused(&dist, kept, now));
        Ok(RejectedBody { total, bytes, files: files.collect() })
    };
    Ok(Json(context.at_rejected(list).await?))
}

/// Removes refused files. Their refusals stay in the logbook.
#[utoipa::path(post, path = "/api/v1/rejected/drop", tag = "uploads", request_body = DropBody, security(("token" = [])),
    responses((status = 200, description = "They are removed", body = DroppedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn drop_rejected(
    State(context): State<Context>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<DropBody>, Problem>,
) -> Result<Json<DroppedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    if !caller.may(&[Role::ADMIN], None) {
        let why = format!("{} may not remove refused files; the role admin may", caller.who);
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", why));
    }
    let ways = [!asked.names.is_empty(), asked.older_than.is_some(), asked.all];
    if ways.into_iter().filter(|way| *way).count() != 1 {
        return Err(Problem::bad_request("give exactly one of names, older_than and all"));
    }
    let age = asked.older_than.as_deref().map(quantity::duration).transpose();
    let age = age.map_err(|error| Problem::bad_request(format!("older_than: {error}")))?;
    let wanted = known(&context.site(), asked.distribution.as_deref())?;
    let names = asked.names;
    let remove = move |site: &SiteFacts, disk: &dyn crate::store::disk::Disk| {
        let mut sum = Dropped::default();
        for (_, evidence) in chosen(site, wanted.as_ref()) {
            let now = evidence.now();
            let is_old = |kept: &Kept| age.is_some_and(|age| kept.age(now).is_some_and(|known| known >= age));
            let pick = |kept: &Kept| asked.all || names.contains(&kept.name) || is_old(kept);
            let Dropped { files, bytes } = evidence.discard(disk, pick)?;
            sum = Dropped { files: sum.files + files, bytes: sum.bytes + bytes };
        }
        Ok(sum)
    };
    let Dropped { files, bytes } = context.at_rejected(remove).await?;
    tracing::info!(who = %caller.who, files, bytes, "refused files removed");
    Ok(Json(DroppedBody { files, bytes }))
}

/// The distribution of this name, if one is given.
fn known(site: &SiteFacts, name: Option<&str>) -> Result<Option<DistPath>, Problem> {
    let Some(name) = name else { return Ok(None) };
    let path: Option<DistPath> = name.parse().ok().filter(|path| site.rejected.contains_key(path));
    path.map(Some).ok_or_else(|| Problem::not_found(format!("there is no distribution {}", name.escape_default())))
}

fn chosen<'a>(
    site: &'a SiteFacts,
    wanted: Option<&'a DistPath>,
) -> impl Iterator<Item = (DistPath, &'a Evidence)> + use<'a> {
    let all = site.rejected.iter().filter(move |(dist, _)| wanted.is_none_or(|wanted| wanted == *dist));
    all.map(|(dist, evidence)| (dist.clone(), evidence.as_ref()))
}

fn refused(dist: &DistPath, kept: Kept, now: Option<Elapsed>) -> RefusedBody {
    let (rule, remedy) = kept.reason.words().unwrap_or_default();
    RefusedBody {
        distribution: dist.to_string(),
        age: kept.age(now).map(|age| age.as_secs()),
        name: kept.name,
        file: kept.reason.file,
        code: kept.reason.code,
        found: kept.reason.found,
        rule: rule.to_owned(),
        remedy: remedy.to_owned(),
        size: kept.size,
        owner: kept.reason.owner,
        // Older reasons do not have the wall clock's time, and elapsed time is the nearest to it that they have.
        since: kept.reason.refused_at.or(kept.reason.since.map(Elapsed::timestamp)).map(|at| at.to_string()),
        times: kept.reason.times,
    }
}
