//! All routes, and the OpenAPI document that describes them.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{any, get, post};
use tower_http::timeout::TimeoutLayer;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use super::bodies::REPORT_MAX;
use super::context::Context;
use super::problem::{Problem, worded};
use super::trees::Trees;
use super::{api, health, hook, pages, reception, traced, trees};

/// The longest time for a request that is not a download. The slowest real one walks the whole logbook.
const REQUEST_TIME: Duration = Duration::from_mins(1);

#[derive(OpenApi)]
#[openapi(
    info(title = "rolloutd", description = "Staged rollout for yum repositories"),
    paths(hook::receive, health::alive, health::ready, health::metrics),
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
    Document::openapi().merge_from(api::Document::openapi()).to_pretty_json().unwrap_or_default()
}

/// All routes, including the trees if `serve_trees` says so.
pub fn router(context: Context, serve_trees: ServeTrees) -> Router {
    let document = openapi();
    let mut routes = Router::new()
        .route("/", get(pages::index))
        .route("/rollouts/{id}", get(pages::rollout))
        .route("/uploads", get(pages::uploads))
        .route("/log", get(pages::log))
        .route("/style.css", get(pages::style))
        .route("/api/v1/openapi.json", get(|| async move { ([("content-type", "application/json")], document) }))
        .merge(api::routes())
        .route("/hooks/{name}", post(hook::receive))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        // What a body may have, `reception` has decided.
        .layer(DefaultBodyLimit::max(REPORT_MAX))
        .layer(middleware::from_fn_with_state(context.clone(), reception::within_bounds))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIME));
    if let ServeTrees::Below(prefix) = serve_trees {
        // A download may take hours, so the time limit above does not apply here. The prefix is the admin's text, which
        // the router would read as a pattern.
        let trees = Trees::below(context.clone(), &prefix);
        routes = routes.fallback_service(any(trees::serve).with_state(trees));
    }
    let routes = routes.layer(middleware::from_fn_with_state(context.clone(), in_words));
    routes.layer(middleware::from_fn(traced::with_id)).with_state(context)
}

/// Every error says what is wrong: in a problem document, or on a page for a browser.
async fn in_words(State(context): State<Context>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let for_people = !path.starts_with("/api/") && !path.starts_with("/hooks/") && wants_page(request.headers());
    let mut response = worded(next.run(request).await).await;
    let mut response = match response.extensions_mut().remove::<Problem>() {
        Some(problem) if for_people => pages::problem(&context, &problem),
        _ => response,
    };
    // Everything but our own pages is data, and must not be taken for anything else.
    let headers = response.headers_mut();
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(trees::SANDBOX));
    response
}

/// Whether the client asks for HTML, as browsers do.
fn wants_page(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|kinds| kinds.to_str().ok()).is_some_and(|kinds| kinds.contains("text/html"))
}

/// Whether the daemon also serves the trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServeTrees {
    /// Another web server does.
    No,
    /// The daemon does, under this path: empty, or with a leading slash and no trailing one.
    Below(String),
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;
    use std::sync::Arc;

    use axum::body::{Body, to_bytes};
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;

    use super::*;
    use crate::engine::run::Engine;
    use crate::engine::view::Shared;
    use crate::engine::worker::Workers;
    use crate::link::clock::Clock;
    use crate::store::disk::{self, Access, Kernel};
    use crate::store::logbook::{Reader, SqliteLogbook};
    use crate::store::people::forgetful::forgetful;
    use crate::web::auth::Tokens;
    use crate::web::bodies::BODY_MAX;
    use crate::web::context::SiteFacts;

    const TOKEN: &str = "0123456789abcdef";

    /// Sends a request to the routes of an empty site.
    async fn ask(request: axum::http::request::Builder, body: impl Into<Body>) -> (StatusCode, HeaderMap, String) {
        ask_below("", request, body).await
    }

    /// Sends it with the trees under a path, holding one file.
    async fn ask_below(
        prefix: &str,
        request: axum::http::request::Builder,
        body: impl Into<Body>,
    ) -> (StatusCode, HeaderMap, String) {
        let dir = tempfile::tempdir().expect("a directory");
        let logbook = dir.path().join("logbook.sqlite");
        std::fs::create_dir(dir.path().join("root")).expect("made");
        let book = SqliteLogbook::open(&logbook).expect("a new logbook");
        let shared = Arc::<Shared>::default();
        let workers = Arc::new(Workers::new(Arc::clone(&shared), vec![]));
        let (rung, _ready) = tokio::sync::oneshot::channel();
        let (_engine, handle) = Engine::new(Box::new(book), forgetful(), workers, shared, Clock::System, rung);
        let mut tokens = Tokens::default();
        tokens.add(TOKEN.as_bytes(), crate::web::auth::nobody());
        let site = SiteFacts { root: dir.path().join("root"), tokens, ..SiteFacts::default() };
        let router = router(
            Context::new(handle, Reader::of(logbook), site, Arc::new(Kernel::default()), Clock::System),
            ServeTrees::Below(prefix.to_owned()),
        );
        disk::put(&Kernel::default(), &dir.path().join("root/a.repo"), b"[a]", Access::Everybody).expect("written");
        let request = request.body(body.into()).expect("a request");
        let response = TowerToHyperService::new(router).call(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.expect("a body");
        (parts.status, parts.headers, String::from_utf8(bytes.into()).expect("text"))
    }

    fn to(method: &str, path: &str) -> axum::http::request::Builder {
        let bearer = format!("Bearer {TOKEN}");
        Request::builder().method(method).uri(path).header("authorization", bearer)
    }

    #[tokio::test]
    async fn every_error_is_a_problem_document() {
        let too_long = || vec![b' '; BODY_MAX + 1];
        let mut told = String::new();
        for (method, path, body, status, kind) in [
            ("GET", "/api/v1/nope", vec![], 404, "/problems/not-found"),
            ("GET", "/nope", vec![], 404, "/problems/not-found"),
            ("POST", "/hooks/x/", vec![], 404, "/problems/not-found"),
            ("DELETE", "/api/v1/trees", vec![], 405, "/problems/method-not-allowed"),
            ("GET", "/hooks/x", vec![], 405, "/problems/method-not-allowed"),
            ("GET", "/api/v1/log?limit=x", vec![], 400, "/problems/bad-request"),
            ("GET", "/api/v1/rollouts/%FF", vec![], 400, "/problems/bad-request"),
            ("GET", "/log?from=x", vec![], 400, "/problems/bad-request"),
            ("POST", "/hooks/x", too_long(), 413, "/problems/too-large"),
            ("POST", "/api/v1/rollouts", too_long(), 413, "/problems/too-large"),
            ("POST", "/api/v1/rollouts", b"{".to_vec(), 400, "/problems/bad-request"),
            ("POST", "/api/v1/rollouts", b"{}".to_vec(), 422, "/problems/bad-request"),
        ] {
            let request = to(method, path).header("content-type", "application/json");
            let (found, headers, text) = ask(request, body).await;
            let problem: Problem =
                serde_json::from_str(&text).unwrap_or_else(|e| panic!("{method} {path}: {e}: {text}"));
            assert_eq!(
                (found.as_u16(), problem.status, problem.kind.as_str()),
                (status, status, kind),
                "{method} {path}"
            );
            assert_eq!(headers["content-type"], "application/problem+json", "{method} {path}");
            let length = headers.get("content-length").map(|length| length.to_str().expect("a number").to_owned());
            assert!(length.is_none_or(|length| length == text.len().to_string()), "{method} {path}");
            let _ = writeln!(told, "{method} {path}: {}: {}", problem.title, problem.detail);
            assert_eq!(headers.contains_key("allow"), status == 405, "{method} {path}");
        }
        insta::assert_snapshot!(told);
    }

    /// The path of the base URL is the admin's text; `rolloutd check` complains about most of these.
    #[tokio::test]
    async fn whatever_the_path_of_the_base_url_is_the_start_does_not_fail_and_the_trees_are_there() {
        for prefix in ["", "/sw", "/:x", "/{x}", "/{*x}", "/*", "/a/*x", "/a//b", "/log", "/api/v1", "/%20", "/%c3%a9"]
        {
            let (status, _, text) = ask_below(prefix, to("GET", &format!("{prefix}/a.repo")), vec![]).await;
            assert_eq!((status, text.as_str()), (StatusCode::OK, "[a]"), "{prefix}");
            let (status, ..) = ask_below(prefix, to("GET", &format!("{prefix}/x/a.repo")), vec![]).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{prefix}");
        }
    }

    #[tokio::test]
    async fn a_directory_of_the_trees_is_listed_and_a_slash_that_is_missing_is_added() {
        let (status, _, text) = ask_below("/sw", to("GET", "/sw/"), vec![]).await;
        assert_eq!(status, StatusCode::OK);
        assert!(text.contains("<a href=\"a.repo\">a.repo</a>") && !text.contains("../"), "{text}");
        let (status, headers, _) = ask_below("/sw", to("GET", "/sw"), vec![]).await;
        assert_eq!((status, headers["location"].as_bytes()), (StatusCode::MOVED_PERMANENTLY, &b"/sw/"[..]));
        let (status, ..) = ask_below("/sw", to("DELETE", "/sw/"), vec![]).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
        for path in ["/sw/none/", "/sw/../", "/sw//", "/sw//etc/", "/sw/a.repo/", "/swan"] {
            let (status, ..) = ask_below("/sw", to("GET", path), vec![]).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[tokio::test]
    async fn people_get_a_page_and_programs_a_document() {
        for (path, accept, kind) in [
            ("/rollouts/nope", "text/html,application/xhtml+xml;q=0.9", "text/html; charset=utf-8"),
            ("/nope", "text/html", "text/html; charset=utf-8"),
            ("/rollouts/nope", "*/*", "application/problem+json"),
            ("/api/v1/rollouts/nope", "text/html", "application/problem+json"),
        ] {
            let (status, headers, text) = ask(to("GET", path).header("accept", accept), vec![]).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{path} {accept}: {text}");
            assert_eq!(headers["content-type"], kind, "{path} {accept}: {text}");
        }
    }

    #[tokio::test]
    async fn nothing_is_taken_for_a_page_that_may_run_something() {
        for path in
            ["/", "/uploads", "/log", "/style.css", "/nope", "/api/v1/trees", "/healthz", "/metrics", "/api/v1/nope"]
        {
            for accept in ["text/html", "*/*"] {
                let (_, headers, _) = ask(to("GET", path).header("accept", accept), vec![]).await;
                assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
                let policy = headers["content-security-policy"].to_str().expect("text");
                assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
            }
        }
    }

    #[tokio::test]
    async fn an_answer_that_has_a_document_keeps_it() {
        let (status, headers, text) = ask(to("GET", "/readyz"), vec![]).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(headers.contains_key(traced::REQUEST_ID));
        assert_eq!(headers["content-type"], "application/json");
        assert!(text.contains("\"ready\":false"), "{text}");
    }

    /// The routes in the source: path and method of each.
    fn routes_in(source: &str) -> BTreeSet<(String, String)> {
        let shipped = source.split("#[cfg(test)]").next().unwrap_or_default();
        let mut found = BTreeSet::new();
        for route in shipped.split(".route(\"").skip(1) {
            let (path, handlers) = route.split_once("\", ").expect("a path and its handlers");
            let handlers = handlers.lines().next().unwrap_or_default();
            for method in ["get", "post", "put", "patch", "delete"] {
                if handlers.contains(&format!("{method}(")) {
                    found.insert((path.to_owned(), method.to_owned()));
                }
            }
        }
        found
    }

    #[test]
    fn the_document_has_every_route_and_no_other() {
        let mut routes = routes_in(include_str!("routes.rs"));
        // Pages are for people, and the document need not describe itself.
        let is_page = |path: &str| {
            ["/", "/rollouts/{id}", "/uploads", "/log", "/style.css", "/api/v1/openapi.json"].contains(&path)
        };
        routes.retain(|(path, _)| !is_page(path));
        routes.extend(routes_in(include_str!("api/mod.rs")));
        let document: serde_json::Value = serde_json::from_str(&openapi()).expect("JSON");
        let mut documented = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().expect("paths") {
            documented
                .extend(methods.as_object().expect("methods").keys().map(|method| (path.clone(), method.clone())));
        }
        assert_eq!(documented, routes);
    }
}
