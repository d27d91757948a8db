//! `/api/v1/...`: the resources of the API, one file each.
//!
//! A resource's file has its handlers and their request and response bodies. The bodies are separate types, so that
//! internal changes do not change what other programs read. They are the source of the OpenAPI document, and
//! `rolloutctl` uses the same types.
//!
//! Only `asking` is shared: the caller, checks of text, and problems for refusals. [`routes`] is the table of all
//! routes, and [`Document`] describes the same ones.

use axum::Router;
use axum::routing::{delete, get, post};
use utoipa::OpenApi;

use super::context::Context;

/// The caller, checks of text, and problems for refusals.
pub mod asking;
/// Lists, shows and creates rollouts.
pub mod rollouts;
/// What stands between a rollout and each next state.
pub mod why;
/// What a step would do.
pub mod plan;
/// Requests a step, or gives one up.
pub mod moves;
/// Gives lost packages up.
pub mod packages;
/// All trees.
pub mod trees;
/// What differs between two trees.
pub mod diff;
/// The procedures in force.
pub mod procedures;
/// Entries of the logbook, and its chain.
pub mod log;
/// The people behind the ids in the logbook; erases somebody.
pub mod people;
/// What waits where people upload.
pub mod uploads;
/// Refused files.
pub mod rejected;
/// Notices that are waiting or were given up.
pub mod outbox;

/// The routes in the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(
    rollouts::rollouts,
    rollouts::submit,
    rollouts::rollout,
    why::why,
    plan::plan,
    moves::move_rollout,
    moves::give_up,
    packages::lose,
    trees::trees,
    diff::diff,
    procedures::procedures,
    log::log,
    log::verify_log,
    people::people,
    people::erase,
    uploads::waiting,
    rejected::rejected,
    rejected::drop_rejected,
    outbox::outbox
))]
pub struct Document;

/// All routes of the API.
pub fn routes() -> Router<Context> {
    Router::new()
        .route("/api/v1/rollouts", get(rollouts::rollouts).post(rollouts::submit))
        .route("/api/v1/rollouts/{id}", get(rollouts::rollout))
        .route("/api/v1/rollouts/{id}/why", get(why::why))
        .route("/api/v1/rollouts/{id}/plan", get(plan::plan))
        .route("/api/v1/rollouts/{id}/move", post(moves::move_rollout))
        .route("/api/v1/rollouts/{id}/give-up", post(moves::give_up))
        .route("/api/v1/packages/{nevra}/lost", post(packages::lose))
        .route("/api/v1/trees", get(trees::trees))
        .route("/api/v1/diff", get(diff::diff))
        .route("/api/v1/procedures", get(procedures::procedures))
        .route("/api/v1/log", get(log::log))
        .route("/api/v1/log/verify", get(log::verify_log))
        .route("/api/v1/people", get(people::people))
        .route("/api/v1/people/{person}", delete(people::erase))
        .route("/api/v1/uploads", get(uploads::waiting))
        .route("/api/v1/rejected", get(rejected::rejected))
        .route("/api/v1/rejected/drop", post(rejected::drop_rejected))
        .route("/api/v1/outbox", get(outbox::outbox))
}
