//! `/api/v1/outbox`: notices that are waiting, and those that were given up.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::web::context::Context;

/// Most notices of each kind in one response.
const NAMED_MOST: usize = 1_000;

/// The outbox.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OutboxBody {
    /// How many notices are due.
    pub waiting: u64,
    /// Those that are due, by receiver and in order; 1,000 at most.
    pub due: Vec<DueBody>,
    /// Those that were given up, the newest first; 1,000 at most.
    pub given_up: Vec<GivenUpBody>,
}

/// A notice that is due.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DueBody {
    /// Its number.
    pub notice: u64,
    /// The receiver, as in the configuration.
    pub to: String,
    /// The logbook entry that it is about.
    pub entry: u64,
    /// The rollout that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// The change that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// Since when.
    pub since: String,
}

/// A notice that was given up.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GivenUpBody {
    /// Its number.
    pub notice: u64,
    /// The receiver.
    pub to: String,
    /// The rollout that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// The change that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// When it was given up.
    pub at: String,
    /// Why.
    pub why: String,
}

/// Notices that are waiting, and those that were given up.
#[utoipa::path(get, path = "/api/v1/outbox", tag = "outbox",
    responses((status = 200, description = "The outbox", body = OutboxBody)))]
pub async fn outbox(State(context): State<Context>) -> Json<OutboxBody> {
    let inside = context.engine.shared().read();
    let notices = &inside.world.notices;
    let due = notices.all().take(NAMED_MOST).map(|(to, number, notice)| DueBody {
        notice: number,
        to: to.to_string(),
        entry: notice.cause,
        rollout: notice.rollout.as_ref().map(ToString::to_string),
        change: notice.change.as_ref().map(ToString::to_string),
        since: notice.at.to_string(),
    });
    let given_up = notices.given_up().rev().take(NAMED_MOST).map(|(at, given_up)| GivenUpBody {
        notice: given_up.notice,
        to: given_up.to.to_string(),
        rollout: given_up.rollout.as_ref().map(ToString::to_string),
        change: given_up.change.as_ref().map(ToString::to_string),
        at: at.to_string(),
        why: given_up.why.clone(),
    });
    Json(OutboxBody {
        waiting: notices.waiting().map(|(_, number)| number as u64).sum(),
        due: due.collect(),
        given_up: given_up.collect(),
    })
}
