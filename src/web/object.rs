//! The body of a request: one JSON object.
//!
//! The derived deserializers of structs also accept an array of the fields' values, which names no field and changes
//! its meaning with the order of the fields.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// A body that is a JSON object, deserialized.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Object<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let why = "send it with `Content-Type: application/json`";
            return Err(Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
        }
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|e| Problem::of_status(e.status(), e.body_text()))?;
        read(&bytes).map(Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.strip_prefix("application/").is_some_and(|kind| kind == "json" || kind.ends_with("+json"))
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(Problem::bad_request("the body is not a JSON object: it must begin with {"));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let status = if error.is_data() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::BAD_REQUEST };
        Problem::of_status(status, format!("the body cannot be read: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pair {
        one: String,
        two: String,
    }

    #[test]
    fn a_body_is_an_object_and_nothing_else() {
        let good = br#" {"two": "2", "one": "1"}"#;
        assert_eq!(read::<Pair>(good).expect("read"), Pair { one: "1".into(), two: "2".into() });
        for (text, status) in [
            (r#"["1", "2"]"#, 400),
            (r#"[{"one": "1", "two": "2"}]"#, 400),
            ("null", 400),
            ("\"x\"", 400),
            ("", 400),
            ("{", 400),
            ("{}", 422),
            (r#"{"one": "1", "two": "2"} {}"#, 400),
            (r#"{"one": "1", "one": "1", "two": "2"}"#, 422),
            (r#"{"one": "1", "two": "2", "three": "3"}"#, 422),
        ] {
            assert_eq!(read::<Pair>(text.as_bytes()).expect_err("refused").status, status, "{text}");
        }
    }

    #[test]
    fn json_is_told_by_its_type() {
        let is = |kind: &str| is_json(&HeaderMap::from_iter([(header::CONTENT_TYPE, kind.parse().expect("a value"))]));
        assert!(is("application/json") && is("Application/JSON; charset=utf-8") && is("application/x+json"));
        assert!(!is("text/plain") && !is("application/jsonx") && !is_json(&HeaderMap::new()));
    }
}
