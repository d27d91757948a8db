//! All routes, and the OpenAPI document that describes them.

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tower_http::timeout::TimeoutLayer;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use super::context::Context;
use super::{api, health, hook, pages, trees};

/// Longest time for one request that is not a download. The slowest real one walks the whole logbook.
const REQUEST_TIME: Duration = Duration::from_mins(1);

#[derive(OpenApi)]
#[openapi(
    info(title = "rolloutd", description = "Staged rollout for yum repositories"),
    paths(
        hook::receive, api::submit, api::rollouts, api::rollout, api::why, api::move_rollout, api::trees, api::log,
        api::verify_log, health::alive, health::ready, health::metrics
    ),
    modifiers(&BearerToken)
)]
struct Document;

struct BearerToken;

impl utoipa::Modify for BearerToken {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        openapi.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// The OpenAPI document as JSON text.
pub fn openapi() -> String {
    Document::openapi().to_pretty_json().unwrap_or_default()
}

/// All routes; the trees too when `serve_trees` says so.
pub fn router(context: Context, serve_trees: ServeTrees) -> Router {
    let document = openapi();
    let mut routes = Router::new()
        .route("/", get(pages::index))
        .route("/rollouts/{id}", get(pages::rollout))
        .route("/log", get(pages::log))
        .route("/api/v1/openapi.json", get(|| async move { ([("content-type", "application/json")], document) }))
        .route("/api/v1/rollouts", get(api::rollouts).post(api::submit))
        .route("/api/v1/rollouts/{id}", get(api::rollout))
        .route("/api/v1/rollouts/{id}/why", get(api::why))
        .route("/api/v1/rollouts/{id}/move", post(api::move_rollout))
        .route("/api/v1/trees", get(api::trees))
        .route("/api/v1/log", get(api::log))
        .route("/api/v1/log/verify", get(api::verify_log))
        .route("/hooks/{name}", post(hook::receive))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIME))
        .layer(DefaultBodyLimit::max(hook::BODY_MAX));
    if let ServeTrees::Below(prefix) = serve_trees {
        // A download may take hours, so the time limit above does not hold here.
        let files = trees::router(&context);
        routes = if prefix.is_empty() {
            routes.fallback_service(files.with_state(context.clone()))
        } else {
            routes.nest(&prefix, files)
        };
    }
    routes.with_state(context)
}

/// Whether the daemon also serves the trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServeTrees {
    /// A web server beside it does.
    No,
    /// It does, below this path: empty, or with a slash at the beginning and none at the end.
    Below(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_of_the_api_is_in_the_document() {
        let document = openapi();
        for path in [
            "/hooks/{name}",
            "/api/v1/rollouts",
            "/api/v1/rollouts/{id}/move",
            "/api/v1/trees",
            "/api/v1/log",
            "/readyz",
            "/metrics",
        ] {
            assert!(document.contains(&format!("\"{path}\"")), "{path}");
        }
    }
}
