//! `/api/v1/...`: what people and programs may ask for, one file for each resource.
//!
//! A resource's file has its handlers and the bodies that they read and give. The bodies are types of their own, so
//! that a change inside does not change what other programs read. They are the source of the OpenAPI document, and
//! `rolloutctl` reads the same types.
//!
//! Shared is only `asking`: who asks, which words may be said, and what a no of the engine is. [`routes`] is the
//! table of all routes, and [`Document`] describes the same ones.

use axum::Router;
use axum::routing::{delete, get, post};
use utoipa::OpenApi;

use super::context::Context;

/// Who asks, which words may be said, what a no is.
pub mod asking;
/// Rollouts are listed, shown and made.
pub mod rollouts;
/// What stands between a rollout and each state.
pub mod why;
/// A step is asked for, or given up.
pub mod moves;
/// Packages that are lost.
pub mod packages;
/// All trees.
pub mod trees;
/// Entries of the logbook, and its chain.
pub mod log;
/// Who is behind the ids of the logbook, and somebody is erased.
pub mod people;
/// What waits where people upload.
pub mod uploads;
/// What was refused.
pub mod rejected;
/// What has to be told.
pub mod outbox;

/// What is said of the routes in the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(
    rollouts::rollouts,
    rollouts::submit,
    rollouts::rollout,
    why::why,
    moves::move_rollout,
    moves::give_up,
    packages::lose,
    trees::trees,
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
        .route("/api/v1/rollouts/{id}/move", post(moves::move_rollout))
        .route("/api/v1/rollouts/{id}/give-up", post(moves::give_up))
        .route("/api/v1/packages/{nevra}/lost", post(packages::lose))
        .route("/api/v1/trees", get(trees::trees))
        .route("/api/v1/log", get(log::log))
        .route("/api/v1/log/verify", get(log::verify_log))
        .route("/api/v1/people", get(people::people))
        .route("/api/v1/people/{person}", delete(people::erase))
        .route("/api/v1/uploads", get(uploads::waiting))
        .route("/api/v1/rejected", get(rejected::rejected))
        .route("/api/v1/rejected/drop", post(rejected::drop_rejected))
        .route("/api/v1/outbox", get(outbox::outbox))
}
