//! The trees, for small sites and the demo: what a plain web server would do.
//!
//! Only plain files are served, nothing through a link, and nothing whose path has a part that begins
//! with a dot.
//! `repomd.xml` and its signature must not be kept by anybody on the way; everything else has its
//! checksum or its version in its name and never changes.

use std::path::{Component, Path};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tower_http::services::ServeDir;

use super::context::Context;
use crate::store::tree;

/// Serves the site's root.
pub fn router(context: &Context) -> Router<Context> {
    let files = ServeDir::new(&context.site().root).append_index_html_on_directories(false);
    Router::new().fallback_service(files).layer(middleware::from_fn_with_state(context.clone(), guard))
}

async fn guard(State(context): State<Context>, request: Request<Body>, next: Next) -> Response {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let decoded = percent_decode(&path);
    let Some(relative) = decoded.as_deref().filter(|path| is_plain(Path::new(path))) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let root = context.site().root.clone();
    let wanted = std::path::PathBuf::from(relative);
    if !tokio::task::spawn_blocking(move || is_file(&root, &wanted)).await.unwrap_or(false) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let lasting =
        !relative.ends_with("/repomd.xml") && !relative.ends_with("/repomd.xml.asc") && !has_ending(relative, "repo");
    let mut response = next.run(request).await;
    let rule = if lasting { "public, max-age=86400, immutable" } else { "no-cache" };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(rule));
    response
}

/// Whether there is a plain file that no link leads to.
///
/// To open a pipe for reading is to wait for a writer, for ever and on a thread that others need.
fn is_file(root: &Path, relative: &Path) -> bool {
    tree::open_beneath(root, relative).is_ok_and(|file| file.metadata().is_ok_and(|meta| meta.is_file()))
}

fn has_ending(path: &str, ending: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == ending)
}

fn is_plain(path: &Path) -> bool {
    let plain =
        |part: Component<'_>| matches!(part, Component::Normal(name) if !name.as_encoded_bytes().starts_with(b"."));
    !path.as_os_str().is_empty() && path.components().all(plain)
}

/// The path with its `%xx` decoded; `None` when that gives no UTF-8 or a NUL.
fn percent_decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'%' {
            let (digits, tail) = tail.split_at_checked(2)?;
            bytes.extend(hex::decode(digits).ok()?);
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    #[test]
    fn a_pipe_in_a_tree_is_not_opened_for_a_client() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::File::create(dir.path().join("file")).expect("made");
        std::fs::create_dir(dir.path().join("dir")).expect("made");
        mknodat(CWD, dir.path().join("pipe"), FileType::Fifo, Mode::RWXU, 0).expect("made");
        let served = ["file", "pipe", "dir", "none"].map(|name| is_file(dir.path(), Path::new(name)));
        assert_eq!(served, [true, false, false, false]);
    }

    #[test]
    fn only_plain_paths_are_served() {
        for path in ["testing/umd/3/repodata/repomd.xml", "a"] {
            assert!(percent_decode(path).is_some_and(|p| is_plain(Path::new(&p))), "{path}");
        }
        for path in
            ["", "../x", "a/../../x", ".rolloutd.lock", "a/.hidden/b", "%2e%2e/x", "a/%2e%2e/b", "%00", "%zz", "%2"]
        {
            assert!(!percent_decode(path).is_some_and(|p| is_plain(Path::new(&p))), "{path}");
        }
    }
}
