//! Webhooks, API and pages: they send inputs to the engine and read its view.

/// Errors as people and programs get them.
pub mod problem;
/// The body of a request: one JSON object.
pub mod object;
/// Who asks, and what they may.
pub mod auth;
/// Threads that read the disk for whoever asks.
pub mod readers;
/// The state that all handlers share.
pub mod context;
/// `/api/v1/...`.
pub mod api;
/// `POST /hooks/<name>`.
pub mod hook;
/// `/healthz`, `/readyz`, `/metrics`.
pub mod health;
/// Pages for people.
pub mod pages;
/// How much of a file a client is sent.
pub mod excerpt;
/// The trees, for small sites and the demo.
pub mod trees;
/// All routes.
pub mod routes;
