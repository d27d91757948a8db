//! Webhook bodies of the generic kind.
//!
//! ```json
//! {"delivery": "unique id", "rollout": "ID or tracker reference", "state": "StageRollOut",
//!  "actor": "who", "at": "RFC 3339 time"}
//! ```
//!
//! All five are strings, and each must be present exactly once. The body was authenticated before it gets here; it is
//! still read strictly, since two readers of one body must never see different things.

use jiff::Timestamp;
use serde::Deserialize;

/// Maximum length of a field. The longest seen in practice, an actor with a mail address, is about 80 bytes.
pub const FIELD_MAX: usize = 200;

/// A webhook body of the generic kind.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generic {
    /// The tracker's unique id for this delivery.
    pub delivery: String,
    /// The rollout, by the tracker's name for it.
    pub rollout: String,
    /// The state, as the tracker spells it.
    pub state: String,
    /// Who acted in the tracker.
    pub actor: String,
    /// When, by the tracker's clock: recorded, and compared only with earlier times from the same tracker.
    pub at: Timestamp,
}

/// A body that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is not a generic webhook: {0}")]
pub struct BadBody(pub String);

/// Reads a generic body.
///
/// # Errors
/// Names the first field that is missing, unknown, duplicated, empty, too long or not a single line.
pub fn read(body: &[u8]) -> Result<Generic, BadBody> {
    // The derived reader would also accept an array of five strings, which names no field.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(BadBody("it is not a JSON object".to_owned()));
    }
    let hook: Generic = serde_json::from_slice(body).map_err(|e| BadBody(e.to_string()))?;
    for (name, value) in
        [("delivery", &hook.delivery), ("rollout", &hook.rollout), ("state", &hook.state), ("actor", &hook.actor)]
    {
        if value.trim().is_empty() {
            return Err(BadBody(format!("`{name}` is empty")));
        }
        if value.len() > FIELD_MAX {
            return Err(BadBody(format!("`{name}` is longer than {FIELD_MAX} bytes")));
        }
        if value.chars().any(char::is_control) {
            return Err(BadBody(format!("`{name}` has a control character")));
        }
    }
    Ok(hook)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        r#"{"delivery":"rt-7","rollout":"rt-1","state":"StageRollOut","actor":"jane","at":"2026-11-20T12:00:00Z"}"#;

    #[test]
    fn a_whole_body_is_read() {
        assert_eq!(read(GOOD.as_bytes()).expect("good").state, "StageRollOut");
    }

    #[test]
    fn anything_else_is_refused() {
        for (from, to) in [
            (r#""actor":"jane""#, r#""actor":"jane","actor":"root""#),
            (r#""actor":"jane""#, r#""actor":"""#),
            (r#""actor":"jane""#, r#""actor":"a\nb""#),
            (r#""actor":"jane""#, r#""actor":7"#),
            (r#""actor":"jane","#, ""),
            (r#""actor":"jane""#, r#""actor":"jane","more":1"#),
            ("2026-11-20T12:00:00Z", "yesterday"),
            ("}", "}}"),
        ] {
            let bad = GOOD.replace(from, to);
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
        let long = GOOD.replace("jane", &"x".repeat(201));
        assert!(read(long.as_bytes()).is_err());
        assert!(read(&[0xff, 0xfe]).is_err());
        assert!(read(br#"["rt-7","rt-1","StageRollOut","jane","2026-11-20T12:00:00Z"]"#).is_err());
        assert!(read("[".repeat(100_000).as_bytes()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn reading_never_panics(body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = read(&body);
        }
    }
}
