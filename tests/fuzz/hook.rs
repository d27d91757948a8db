//! What comes to `POST /hooks/<name>`: a line with the MAC, and the body after it.
//!
//! - A MAC is good when it is the one that was computed here, and never otherwise.
//! - A body that is read has its five fields once each, none of them empty, long, or more than a line.
//! - It is written and read again to the same, whatever the order of its fields.
//! - With a field more, a field less, a field twice or anything behind it, it is refused.
//! - A second reader of JSON sees the same.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use rolloutd::domain::names::HookName;
use rolloutd::format::hook::{self, FIELD_MAX, Generic};
use rolloutd::web::auth::HookSecrets;
use serde_json::{Value, json};

use super::Outcome;

/// Shared with nobody: what is good under it is computed here.
const SECRET: &[u8] = b"a secret of these tests";

static SECRETS: LazyLock<(HookName, HookSecrets)> = LazyLock::new(|| {
    let name: HookName = "tracker".parse().expect("a name");
    let mut secrets = HookSecrets::default();
    secrets.add(name.clone(), SECRET);
    (name, secrets)
});

pub fn target(data: &[u8]) -> Outcome {
    let end = data.iter().position(|byte| *byte == b'\n');
    if let Some((line, body)) = end.and_then(|end| data.split_at_checked(end)) {
        mac(line, &body[1..]);
        body_of(&body[1..]);
    }
    body_of(data)
}

fn mac(line: &[u8], body: &[u8]) {
    let (name, secrets) = &*SECRETS;
    let right = format!("sha256={}", hex::encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), body)));
    let same = line.len() == right.len() && line.starts_with(b"sha256=") && line.eq_ignore_ascii_case(right.as_bytes());
    assert_eq!(secrets.is_signed(name, Some(line), body), same);
    assert!(secrets.is_signed(name, Some(right.as_bytes()), body), "signed by whoever has the secret");
    assert!(!secrets.is_signed(name, None, body), "not signed at all");
    let longer = [body, b" "].concat();
    assert!(!secrets.is_signed(name, Some(right.as_bytes()), &longer), "signed for another body");
    let other: HookName = "other".parse().expect("a name");
    assert!(!secrets.is_signed(&other, Some(right.as_bytes()), body), "signed for another webhook");
}

fn body_of(body: &[u8]) -> Outcome {
    let read = hook::read(body);
    let seen: Option<Value> = serde_json::from_slice(body).ok();
    let said = match read {
        Ok(said) => said,
        Err(bad) => {
            assert!(!bad.to_string().is_empty());
            return Outcome::Refused;
        }
    };
    let fields = [&said.delivery, &said.rollout, &said.state, &said.actor];
    for field in fields {
        assert!(!field.trim().is_empty() && field.len() <= FIELD_MAX, "{field:?}");
        assert!(!field.contains(|c: char| c < ' ' || c == '\u{7f}'), "{field:?}");
    }
    let seen = seen.expect("what one reader of JSON takes the other takes");
    let names = ["delivery", "rollout", "state", "actor"];
    for (name, field) in names.into_iter().zip(fields) {
        assert_eq!(seen[name], Value::from(field.as_str()), "two readers see two bodies");
    }
    assert_eq!(seen["at"].as_str().and_then(|at| at.parse().ok()), Some(said.at), "two readers see two times");
    assert_eq!(seen.as_object().map(serde_json::Map::len), Some(5));
    alike(&said);
    for more in [&b"x"[..], b"{}", b"]", b"\0"] {
        assert!(hook::read(&[body, more].concat()).is_err(), "something stands behind it");
    }
    Outcome::Taken
}

/// The same in other words, and what differs in one point.
fn alike(said: &Generic) {
    let field = |name: &str| match name {
        "delivery" => json!(said.delivery),
        "rollout" => json!(said.rollout),
        "state" => json!(said.state),
        "actor" => json!(said.actor),
        _ => json!(said.at.to_string()),
    };
    let body = |names: &[&str]| {
        let fields: Vec<String> = names.iter().map(|name| format!("{}:{}", json!(name), field(name))).collect();
        format!("{{{}}}", fields.join(" ,\n"))
    };
    let names = ["at", "actor", "state", "rollout", "delivery"];
    assert_eq!(hook::read(body(&names).as_bytes()).as_ref(), Ok(said), "the order of fields does not matter");
    for at in 0..names.len() {
        let mut less = names.to_vec();
        less.remove(at);
        assert!(hook::read(body(&less).as_bytes()).is_err(), "`{}` is missing", names[at]);
        let mut twice = names.to_vec();
        twice.push(names[at]);
        assert!(hook::read(body(&twice).as_bytes()).is_err(), "`{}` stands twice", names[at]);
    }
    let more = body(&names).replacen('{', "{\"more\":\"\",", 1);
    assert!(hook::read(more.as_bytes()).is_err(), "a field that nobody knows");
}
