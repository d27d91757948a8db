//! `/api/v1/trees`: all trees, with their revisions and addresses.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::engine::view::{Restoring, TreeView};
use crate::web::context::{Context, SiteFacts};

/// A tree.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TreeBody {
    /// Its name.
    pub tree: String,
    /// Its distribution.
    pub distribution: String,
    /// The baseurl of yum, dnf and zypper.
    pub url: String,
    /// The address of its `.repo` file, and that of the file for early adopters, which has production and the companions
    /// beside it.
    #[serde(default)]
    pub repo_files: Vec<String>,
    /// The number of packages that its metadata lists.
    pub packages: u64,
    /// The revision of its metadata; 0 before the first publication.
    pub revision: u64,
    /// When it was last published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    /// The number of files awaiting removal.
    pub retiring: usize,
    /// Whether a publication is due.
    pub dirty: bool,
    /// The earlier revision whose packages it lists again by a restore, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<u64>,
    /// A restore that was decided and that clients do not see yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restoring: Option<RestoringBody>,
}

/// A restore that was decided and that clients do not see yet.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RestoringBody {
    /// The number of its logbook entry.
    pub entry: u64,
    /// The earlier revision.
    pub to: u64,
    /// What is in its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// All trees.
#[utoipa::path(get, path = "/api/v1/trees", tag = "trees",
    responses((status = 200, description = "All trees", body = Vec<TreeBody>)))]
pub async fn trees(State(context): State<Context>) -> Json<Vec<TreeBody>> {
    let site = context.site();
    let views = context.engine.shared().read().trees();
    Json(views.iter().map(|view| tree_body(view, site.tree_url(&view.id))).collect())
}

fn tree_body(view: &TreeView, url: String) -> TreeBody {
    TreeBody {
        repo_files: SiteFacts::repo_files(view).into_iter().map(|name| format!("{url}{name}")).collect(),
        tree: view.id.tree.to_string(),
        distribution: view.id.dist.to_string(),
        url,
        packages: view.packages,
        revision: view.revision,
        published: view.published.map(|at| at.to_string()),
        retiring: view.retiring,
        dirty: view.dirty,
        restored: view.restored,
        restoring: view.restoring.clone().map(|Restoring { entry, to, trouble }| RestoringBody { entry, to, trouble }),
    }
}
