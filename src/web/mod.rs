//! Webhooks, API and pages: they send inputs to the engine and read its view.

/// Problem documents and error pages.
pub mod problem;
/// The client of a connection.
pub mod peer;
/// The body of a request: one JSON object.
pub mod object;
/// Who a request comes from, and what they may do.
pub mod auth;
/// People whom a web server has identified.
pub mod sso;
/// Threads that read the disk for requests.
pub mod readers;
/// The memory of request bodies.
pub mod bodies;
/// Wrong credentials.
pub mod guesses;
/// The state that all handlers share.
pub mod context;
/// Reads the body of a request before it is handled.
pub mod reception;
/// Gives each request an id.
pub mod traced;
/// `/api/v1/...`.
pub mod api;
/// `POST /hooks/<name>`.
pub mod hook;
/// `/healthz`, `/readyz`, `/metrics`.
pub mod health;
/// Pages for people.
pub mod pages;
/// Which part of a file a client gets.
pub mod ranges;
/// Several parts of a file in one body.
pub mod multipart;
/// Pages that list the directories of the trees.
pub mod directories;
/// The trees, for small sites and the demo.
pub mod trees;
/// All routes.
pub mod routes;
