//! `/api/v1/uploads`: uploads that are waiting, and what to do about them.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::domain::backlog::Kind;
use crate::domain::names::DistPath;
use crate::engine::view::View;
use crate::web::context::Context;

/// The waiting uploads of a distribution.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UploadsBody {
    /// The distribution.
    pub distribution: String,
    /// How many files and directories are waiting.
    pub total: u64,
    /// How many of them need somebody to act.
    pub troubles: u64,
    /// The uploads that are named, the worst first.
    pub files: Vec<UploadBody>,
}

impl UploadsBody {
    /// How many of them are not named.
    pub fn unnamed(&self) -> u64 {
        self.total.saturating_sub(self.files.len() as u64)
    }
}

/// A waiting file.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct UploadBody {
    /// Its path in the drop directory.
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

/// The uploads that are waiting.
#[utoipa::path(get, path = "/api/v1/uploads", tag = "uploads",
    responses((status = 200, description = "All distributions", body = Vec<UploadsBody>)))]
pub async fn waiting(State(context): State<Context>) -> Json<Vec<UploadsBody>> {
    Json(waiting_in(&context.engine.shared().read()))
}

/// What waits, by distribution.
pub(in crate::web) fn waiting_in(view: &View) -> Vec<UploadsBody> {
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
    view.uploads.iter().map(of_dist).collect()
}
