//! `/api/v1/uploads`: what lies where people upload and is not taken in, and what is to be done about it.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::domain::backlog::Kind;
use crate::domain::names::DistPath;
use crate::web::context::Context;

/// What waits where people upload.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UploadsBody {
    /// The distribution.
    pub distribution: String,
    /// How many files and directories wait.
    pub total: u64,
    /// For how many of them somebody has to do something.
    pub troubles: u64,
    /// Those that are named, the worst first.
    pub files: Vec<UploadBody>,
}

/// A file that waits.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UploadBody {
    /// Its path below the place of uploads.
    pub path: String,
    /// `stuck`, `closed`, `many`, `deep`, `suffix`, `folder`, `incomplete` or `new`.
    pub kind: String,
    /// Why it waits.
    pub why: String,
    /// Since when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// What to do.
    pub remedy: String,
}

/// What lies where people upload and is not taken in.
#[utoipa::path(get, path = "/api/v1/uploads", tag = "uploads",
    responses((status = 200, description = "All distributions", body = Vec<UploadsBody>)))]
pub async fn waiting(State(context): State<Context>) -> Json<Vec<UploadsBody>> {
    let inside = context.engine.shared().read();
    let of_dist = |(dist, waiting): (&DistPath, &crate::domain::backlog::Backlog)| UploadsBody {
        distribution: dist.to_string(),
        total: waiting.total(),
        troubles: Kind::ALL.into_iter().filter(|kind| kind.is_trouble()).map(|kind| waiting.count(kind)).sum(),
        files: waiting
            .named()
            .iter()
            .map(|waits| UploadBody {
                path: waits.path.clone(),
                kind: waits.kind.to_string(),
                why: waits.why.clone(),
                since: waits.since.map(|at| at.to_string()),
                remedy: waits.kind.remedy().to_owned(),
            })
            .collect(),
    };
    Json(inside.uploads.iter().map(of_dist).collect())
}
