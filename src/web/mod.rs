//! Webhooks, API and pages: they send inputs to the engine and read its view.

/// Errors as people and programs get them.
pub mod problem;
/// Who is at the other end of a connection.
pub mod peer;
/// The body of a request: one JSON object.
pub mod object;
/// Who asks, and what they may.
pub mod auth;
/// Threads that read the disk for whoever asks.
pub mod readers;
/// The memory that bodies of requests take.
pub mod bodies;
/// Credentials that are not right.
pub mod guesses;
/// The state that all handlers share.
pub mod context;
/// What happens to a request before it is handled.
pub mod reception;
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
