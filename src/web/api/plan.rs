//! `/api/v1/rollouts/{id}/plan`: what a step would do, without doing it.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{bearer, line, rollout_id};
use crate::domain::changes::Amount;
use crate::domain::rollout::PACKAGES_MAX;
use crate::process::outlook::{Outlook, PackageOutlook, TreeOutlook};
use crate::web::auth;
use crate::web::context::Context;
use crate::web::peer::Client;
use crate::web::problem::{FindingBody, Problem, findings};

/// Packages of one tree in a response, by default.
pub const PACKAGES_AT_ONCE: usize = 1_000;

/// Which step.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct PlanQuery {
    /// The state to reach, in any spelling that the procedure knows.
    pub state: String,
    /// How many packages of each tree at most; 1,000 by default, no more than 5,000.
    pub limit: Option<usize>,
}

/// What a step would do.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlanBody {
    /// The rollout.
    pub rollout: String,
    /// Its state.
    pub from: String,
    /// The state that it would reach; as it was asked for if there is no such step.
    pub to: String,
    /// What the step does to the trees, as the procedure has it; missing if there is no such step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// `pass` if the caller may take it now; else `wait`, `needs-admin` or `reject`.
    pub verdict: String,
    /// All findings, worst first, as `why` has them.
    pub findings: Vec<FindingBody>,
    /// The trees that would change, the targets first; none if nothing would move.
    pub trees: Vec<PlannedTree>,
    /// What whoever takes the step should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The last logbook entry that was taken into account.
    pub entry: u64,
}

/// What a step would do in one tree.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlannedTree {
    /// The tree.
    pub tree: String,
    /// Its distribution.
    pub distribution: String,
    /// What it lists now.
    pub before: AmountBody,
    /// What it would list.
    pub after: AmountBody,
    /// What would come.
    pub added: AmountBody,
    /// What would go.
    pub removed: AmountBody,
    /// How many of the packages are there already and would stay.
    pub same: u64,
    /// How many of the packages that would come or go each certificate has signed, by fingerprint.
    pub signers: BTreeMap<String, u64>,
    /// What becomes of each package, by name and version.
    pub packages: Vec<PlannedPackage>,
    /// How many packages are not listed here, because of `limit`.
    pub more: usize,
}

/// What would become of one package in one tree.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlannedPackage {
    /// What comes is `new` (none of its name and architecture is there), or `newer`, `older` or `rebuilt` compared with the
    /// newest that is there; `same` is there already. What goes is `gone` (none of its name and architecture stays),
    /// `superseded` by a newer one, `reverted` to an older one, or `replaced` by the same version with other bytes.
    pub change: String,
    /// The package.
    pub nevra: String,
    /// The version that it is compared with: `[epoch:]version-release` of the newest that is there or stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
    /// Its size in bytes.
    pub bytes: u64,
}

/// A number of packages.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AmountBody {
    /// How many.
    pub packages: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl From<Amount> for AmountBody {
    fn from(Amount { packages, bytes }: Amount) -> Self {
        Self { packages, bytes }
    }
}

/// Everything that a step would do, and what stands in its way; nothing is changed.
#[utoipa::path(get, path = "/api/v1/rollouts/{id}/plan", tag = "rollouts",
    params(("id" = String, Path, description = "The rollout"), PlanQuery),
    responses((status = 200, description = "What the step would do", body = PlanBody), (status = 400, body = Problem),
        (status = 401, description = "The token is wrong", body = Problem), (status = 404, body = Problem),
        (status = 503, body = Problem)))]
pub async fn plan(
    State(context): State<Context>,
    Path(id): Path<String>,
    Query(PlanQuery { state, limit }): Query<PlanQuery>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
) -> Result<Json<PlanBody>, Problem> {
    let id = rollout_id(&id)?;
    line("state", &state)?;
    let caller = bearer(&context, client, &headers).await?.unwrap_or_else(auth::nobody);
    let limit = limit.unwrap_or(PACKAGES_AT_ONCE).min(PACKAGES_MAX);
    let view = context.engine.shared().read();
    let asked =
        move || view.outlook(&id, &caller, &state).map(|outlook| body(id.to_string(), state, limit, outlook)).ok_or(id);
    let plan = context.reckon(asked).await?;
    plan.map(Json).map_err(|id| Problem::not_found(format!("there is no rollout {id}")))
}

fn body(rollout: String, asked: String, limit: usize, outlook: Outlook) -> PlanBody {
    let Outlook { from, to, judged, trees, warnings, entry } = outlook;
    PlanBody {
        rollout,
        from: from.to_string(),
        effect: to.as_ref().map(|(_, effect)| effect.to_string()),
        to: to.map_or(asked, |(to, _)| to.to_string()),
        verdict: judged.verdict.to_string(),
        findings: findings(&judged),
        trees: trees.into_iter().map(|tree| tree_body(tree, limit)).collect(),
        warnings,
        entry,
    }
}

pub(super) fn tree_body(tree: TreeOutlook, limit: usize) -> PlannedTree {
    let after = tree.after().into();
    let more = tree.packages.len().saturating_sub(limit);
    let package = |PackageOutlook { nevra, fate, other, bytes }: PackageOutlook| PlannedPackage {
        change: fate.to_owned(),
        nevra: nevra.to_string(),
        other,
        bytes,
    };
    PlannedTree {
        tree: tree.id.tree.to_string(),
        distribution: tree.id.dist.to_string(),
        before: tree.before.into(),
        after,
        added: tree.added.into(),
        removed: tree.removed.into(),
        same: tree.same,
        signers: tree.signers,
        packages: tree.packages.into_iter().take(limit).map(package).collect(),
        more,
    }
}
