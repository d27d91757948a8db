//! `/api/v1/trees/{tree}/restore` and `/clean`: a tree lists again what it listed at an earlier revision, or lists some packages
//! no longer; or what that would do.
//!
//! What it listed then is found by folding the logbook once more, and whether the bytes of what would come back are
//! somewhere by looking at the disk. Both is done here, beside the engine, which judges all of it again.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{caller, line, parsed, problem};
use super::plan::{PACKAGES_AT_ONCE, PlannedTree, tree_body};
use crate::domain::gate::{Finding, Verdict, judge};
use crate::domain::names::{DistPath, TreeId, TreeName};
use crate::domain::rollout::PACKAGES_MAX;
use crate::engine::earlier::{Unknown, earlier};
use crate::engine::folding::EngineError;
use crate::engine::view::View;
use crate::process::act::clean;
use crate::process::act::restore::{self, Planned};
use crate::process::decision::Answer;
use crate::process::earlier::ToRestore;
use crate::process::input::{Ask, Taken, ToClean};
use crate::process::outlook;
use crate::store::promotion::{self, Places};
use crate::web::context::{Context, SiteFacts};
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::{FindingBody, Problem, findings};

/// A request to restore a tree.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreBody {
    /// Its distribution; may be left out if only one has such a tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<String>,
    /// The revision whose packages the tree is to list again.
    pub revision: u64,
    /// Whether packages that were rejected come back, too.
    #[serde(default)]
    pub also_rejected: bool,
    /// Whether many packages may leave the tree: more than 50, or more than 10 and a tenth of it.
    #[serde(default)]
    pub may_shrink: bool,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// Which restore.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct RestoreQuery {
    /// The distribution of the tree; may be left out if only one has such a tree.
    pub distribution: Option<String>,
    /// The revision at which it listed what it would list again.
    pub revision: u64,
    /// Whether packages that were rejected would come back, too.
    #[serde(default)]
    pub also_rejected: bool,
    /// Whether many packages might leave the tree: more than 50, or more than 10 and a tenth of it.
    #[serde(default)]
    pub may_shrink: bool,
    /// How many packages at most; 1,000 by default, no more than 5,000.
    pub limit: Option<usize>,
}

/// A restore that was decided.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RestoredBody {
    /// The tree, as `production/umd/3/sl6/x86_64`.
    pub tree: String,
    /// The number of the logbook's entry; none if there was nothing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// What it says, or that there was nothing to do.
    pub says: String,
    /// How many packages come back.
    pub comes: usize,
    /// How many go.
    pub goes: usize,
    /// The revision before: a restore to it is the way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<u64>,
}

/// What a restore would do.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RestorePlanBody {
    /// The tree, as `production/umd/3/sl6/x86_64`.
    pub tree: String,
    /// The revision at which it listed what it would list again.
    pub revision: u64,
    /// The revision that it shows now: a restore to it would be the way back.
    pub back: u64,
    /// `pass` if nothing stands in its way; else the worst of the findings.
    pub verdict: String,
    /// What stands in its way, the worst first.
    pub findings: Vec<FindingBody>,
    /// What would come and go; missing if there is nothing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<PlannedTree>,
    /// The last logbook entry that was taken into account.
    pub entry: u64,
}

/// Packages to be taken out of a tree.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CleanBody {
    /// Its distribution; may be left out if only one has such a tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<String>,
    /// The packages, `name-[epoch:]version-release.arch`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// Instead of naming packages: all but so many of the newest of each name and architecture, and those of rollouts that go
    /// on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<usize>,
    /// Whether many packages may leave the tree: more than 50, or more than 10 and a tenth of it.
    #[serde(default)]
    pub may_shrink: bool,
    /// Only tell what would be done.
    #[serde(default)]
    pub dry_run: bool,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// What came of a request to take packages out.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum CleanedBody {
    /// What would be done.
    Planned(Box<RestorePlanBody>),
    /// What was decided.
    Done(RestoredBody),
}

/// Takes packages out of a tree. They are kept, and a restore brings them back.
#[utoipa::path(post, path = "/api/v1/trees/{tree}/clean", tag = "trees", request_body = CleanBody, security(("token" = [])),
    params(("tree" = String, Path, description = "The name of the tree")),
    responses((status = 200, description = "There is nothing to do, or what would be done", body = CleanedBody),
        (status = 202, description = "It was decided, and is published now", body = CleanedBody),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, description = "It must wait", body = Problem),
        (status = 413, body = Problem), (status = 422, description = "It is refused", body = Problem), (status = 503, body = Problem)))]
pub async fn clean_tree(
    State(context): State<Context>,
    Path(tree): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<CleanBody>, Problem>,
) -> Result<(StatusCode, Json<CleanedBody>), Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(CleanBody { distribution, packages, keep, may_shrink, dry_run, reason }) = read?;
    line("reason", &reason)?;
    let what = match (keep, packages.is_empty()) {
        (Some(0), _) => return Err(Problem::bad_request("`keep` must be at least 1")),
        (Some(newest), true) => Taken::AllBut(newest),
        (None, false) => Taken::Packages(packages.iter().map(|text| parsed(text)).collect::<Result<_, _>>()?),
        _ => return Err(Problem::bad_request("name packages, or say how many of the newest to `keep`")),
    };
    let view = context.engine.shared().read();
    let id = named(&view, &tree, distribution.as_deref())?;
    let wanted = ToClean { tree: id.clone(), what, may_shrink, reason };
    if dry_run {
        let planned =
            context.reckon(move || plan_body(&view, clean::planned(view.known(), &caller, &wanted), id, PACKAGES_MAX));
        return Ok((StatusCode::OK, Json(CleanedBody::Planned(Box::new(planned.await?)))));
    }
    drop(view);
    let (status, done) = decided(&id, context.engine.ask(caller, Ask::Clean(wanted)).await?)?;
    Ok((status, Json(CleanedBody::Done(done))))
}

/// What a restore would do, and everything that stands in its way; nothing is changed.
#[utoipa::path(get, path = "/api/v1/trees/{tree}/restore", tag = "trees", security(("token" = [])),
    params(("tree" = String, Path, description = "The name of the tree"), RestoreQuery),
    responses((status = 200, description = "What the restore would do", body = RestorePlanBody),
        (status = 400, body = Problem), (status = 401, description = "The token is wrong", body = Problem),
        (status = 404, body = Problem), (status = 422, description = "It was never published at that revision", body = Problem),
        (status = 500, body = Problem), (status = 503, body = Problem)))]
pub async fn restore_plan(
    State(context): State<Context>,
    Path(tree): Path<String>,
    Query(RestoreQuery { distribution, revision, also_rejected, may_shrink, limit }): Query<RestoreQuery>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
) -> Result<Json<RestorePlanBody>, Problem> {
    // The logbook is folded for it, so it is for people who are known.
    let caller = caller(&context, client, &headers).await?;
    let id = named(&context.engine.shared().read(), &tree, distribution.as_deref())?;
    let limit = limit.unwrap_or(PACKAGES_AT_ONCE).min(PACKAGES_MAX);
    let wanted = wanted(&context, id, revision, (also_rejected, may_shrink), String::new()).await?;
    let view = context.engine.shared().read();
    let reckoned = context.reckon(move || {
        let planned = restore::planned(view.known(), &caller, &wanted);
        plan_body(&view, planned, wanted.tree, limit)
    });
    Ok(Json(reckoned.await?))
}

/// Restores a tree: it lists again what it listed when a revision of it was published, under a new revision.
#[utoipa::path(post, path = "/api/v1/trees/{tree}/restore", tag = "trees", request_body = RestoreBody, security(("token" = [])),
    params(("tree" = String, Path, description = "The name of the tree")),
    responses((status = 200, description = "There is nothing to do", body = RestoredBody),
        (status = 202, description = "It was decided, and is published now", body = RestoredBody),
        (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, description = "It must wait", body = Problem),
        (status = 413, body = Problem), (status = 422, description = "It is refused", body = Problem),
        (status = 500, body = Problem), (status = 503, body = Problem)))]
pub async fn restore_tree(
    State(context): State<Context>,
    Path(tree): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<RestoreBody>, Problem>,
) -> Result<(StatusCode, Json<RestoredBody>), Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(RestoreBody { distribution, revision, also_rejected, may_shrink, reason }) = read?;
    line("reason", &reason)?;
    let id = named(&context.engine.shared().read(), &tree, distribution.as_deref())?;
    let wanted = wanted(&context, id.clone(), revision, (also_rejected, may_shrink), reason).await?;
    let (status, done) = decided(&id, context.engine.ask(caller, Ask::Restore(wanted)).await?)?;
    Ok((status, Json(done)))
}

/// What would be done to a tree.
fn plan_body(view: &View, planned: Planned, id: TreeId, limit: usize) -> RestorePlanBody {
    RestorePlanBody {
        tree: id.to_string(),
        revision: planned.restored.to,
        back: planned.restored.from,
        verdict: planned.judged.verdict.to_string(),
        findings: findings(&planned.judged),
        change: planned.plan.map(|plan| tree_body(outlook::in_tree(&view.world, &plan, id), limit)),
        entry: view.world.last,
    }
}

/// What was decided about a tree.
fn decided(id: &TreeId, answer: Answer) -> Result<(StatusCode, RestoredBody), Problem> {
    let tree = id.to_string();
    match answer {
        Answer::Restores { entry, says, comes, goes, back } => {
            Ok((StatusCode::ACCEPTED, RestoredBody { tree, entry: Some(entry), says, comes, goes, back: Some(back) }))
        }
        Answer::Nothing(says) => {
            Ok((StatusCode::OK, RestoredBody { tree, entry: None, says, comes: 0, goes: 0, back: None }))
        }
        other => Err(problem(other)),
    }
}

/// The tree of this name, in the distribution that is named or in the only one that has it.
fn named(view: &View, tree: &str, dist: Option<&str>) -> Result<TreeId, Problem> {
    let tree: TreeName = parsed(tree)?;
    let wanted: Option<DistPath> = dist.map(parsed).transpose()?;
    let known = view.rules.distributions.iter().filter(|(_, rules)| rules.trees.contains(&tree)).map(|(dist, _)| dist);
    let mut fits = known.filter(|dist| wanted.as_ref().is_none_or(|wanted| wanted == *dist));
    match (fits.next(), fits.next()) {
        (Some(dist), None) => Ok(TreeId { dist: dist.clone(), tree }),
        (Some(one), Some(other)) => {
            let why = format!("{tree} is in {one} and in {other}, at least: say which distribution");
            Err(Problem::bad_request(why))
        }
        (None, _) => {
            let of = wanted.map(|dist| format!("/{dist}")).unwrap_or_default();
            Err(Problem::not_found(format!("there is no tree {tree}{of}; /api/v1/trees lists all of them")))
        }
    }
}

/// What the tree listed at that revision, and what of it is nowhere any more.
async fn wanted(
    context: &Context,
    tree: TreeId,
    revision: u64,
    (also_rejected, may_shrink): (bool, bool),
    reason: String,
) -> Result<ToRestore, Problem> {
    let (engine, site, id) = (context.engine.clone(), context.site(), tree.clone());
    let look = move |book: &_| -> Result<Result<ToRestore, Unknown>, EngineError> {
        let found = earlier(book, &tree, revision)?;
        let missing = BTreeSet::new();
        let wanted = found.map(|earlier| ToRestore { tree, earlier, missing, also_rejected, may_shrink, reason });
        Ok(wanted.map(|wanted| looked_for(&engine.shared().read(), &site, wanted)))
    };
    context.read_logbook(look).await?.map_err(|unknown| never(&id, revision, unknown))
}

/// The same, with what is nowhere any more.
fn looked_for(view: &Arc<View>, site: &SiteFacts, wanted: ToRestore) -> ToRestore {
    let dist = &wanted.tree.dist;
    let Some(one) = restore::change(view.known(), &wanted) else { return wanted };
    let places = Places { root: site.root.clone(), retired: site.state.join("retired").join(dist.flat()) };
    let trees = view.rules.distributions.get(dist).into_iter().flat_map(|rules| rules.trees_of(dist));
    let trees: Vec<_> = trees.map(|id| (id.tree.clone(), view.world.trees.listing(&id))).collect();
    let size = |nevra: &_| view.world.packages.get(dist, nevra).map(|package| package.size);
    let missing = promotion::missing(&places, &trees, &one, size).into_iter().cloned().collect();
    ToRestore { missing, ..wanted }
}

/// That it is not known what the tree listed.
fn never(id: &TreeId, revision: u64, unknown: Unknown) -> Problem {
    let finding = match unknown {
        Unknown::Never(nearest) => {
            let one = |(revision, at): &(u64, jiff::Timestamp)| format!("{revision} (of {at:.0})");
            let nearest: Vec<String> = nearest.iter().map(one).collect();
            let nearest = if nearest.is_empty() {
                "it was never published at all".to_owned()
            } else {
                format!("the nearest are {}", nearest.join(", "))
            };
            let sentence = format!("{id} was never published at revision {revision}; {nearest}.");
            Finding::new(Verdict::Reject, "unknown_revision", sentence)
        }
        Unknown::Unclear => {
            let sentence = format!("The logbook does not say what {id} listed at revision {revision}.");
            Finding::new(Verdict::Reject, "unclear_revision", sentence)
        }
    };
    Problem::refused(&judge(vec![finding]))
}
