//! Who a request comes from, and what they may do.
//!
//! Tokens and webhook secrets are compared in constant time, all of them on every request, so that the response time
//! reveals nothing about which was closest. Tokens are kept as SHA-256, so that a memory image does not contain them.
//! Neither type has a `Debug` form.

use std::collections::BTreeMap;

use aws_lc_rs::{constant_time, digest, hmac};
use axum::http::HeaderMap;

use crate::domain::names::{Actor, HookName, Role};
use crate::domain::naming::team::TeamName;
use crate::domain::people;
use crate::process::who::{Caller, Channel};

/// The tokens of the API.
#[derive(Default)]
pub struct Tokens(Vec<(digest::Digest, Caller)>);

impl Tokens {
    /// Adds a token for a caller.
    pub fn add(&mut self, token: &[u8], caller: Caller) {
        self.0.push((digest::digest(&digest::SHA256, token), caller));
    }

    /// Whose tokens belong to a team of early adopters.
    pub fn of_team<'t>(&'t self, team: &'t TeamName) -> impl Iterator<Item = &'t Actor> {
        let all = self.0.iter().map(|(_, caller)| caller);
        all.filter(move |caller| caller.teams().any(|its| its == team)).map(|caller| &caller.who)
    }

    /// The caller that the request's token belongs to.
    pub fn caller(&self, headers: &HeaderMap) -> Option<Caller> {
        let header = headers.get(axum::http::header::AUTHORIZATION)?.as_bytes();
        let (scheme, token) = header.split_at_checked(7)?;
        if !scheme.eq_ignore_ascii_case(b"bearer ") {
            return None;
        }
        let offered = digest::digest(&digest::SHA256, token.trim_ascii());
        let mut found = None;
        for (known, caller) in &self.0 {
            if constant_time::verify_slices_are_equal(known.as_ref(), offered.as_ref()).is_ok() {
                found = Some(caller.clone());
            }
        }
        found
    }
}

/// A caller without a token: may only read.
pub fn nobody() -> Caller {
    Caller::new(Actor::recorded(people::ANONYMOUS), Channel::Api, [Role::OBSERVER])
}

/// The secrets of the webhooks: one each, or two while one is being replaced.
#[derive(Default)]
pub struct HookSecrets(BTreeMap<HookName, Vec<hmac::Key>>);

impl HookSecrets {
    /// Adds a secret for a webhook.
    pub fn add(&mut self, hook: HookName, secret: &[u8]) {
        self.0.entry(hook).or_default().push(hmac::Key::new(hmac::HMAC_SHA256, secret));
    }

    /// Whether there is a webhook of this name.
    pub fn knows(&self, hook: &HookName) -> bool {
        self.0.contains_key(hook)
    }

    /// Whether `signature` (`sha256=<64 hexadecimal digits>`) is that of `body` under a secret of this
    /// webhook.
    pub fn is_signed(&self, hook: &HookName, signature: Option<&[u8]>, body: &[u8]) -> bool {
        let mut mac = [0; 32];
        let digits = signature.and_then(|text| text.strip_prefix(b"sha256=")).unwrap_or_default();
        let readable = hex::decode_to_slice(digits, &mut mac).is_ok();
        let mut good = false;
        for key in self.0.get(hook).into_iter().flatten() {
            good |= hmac::verify(key, body, &mac).is_ok();
        }
        good && readable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> (HookSecrets, HookName) {
        let name: HookName = "rt".parse().expect("a name");
        let mut secrets = HookSecrets::default();
        secrets.add(name.clone(), b"old secret");
        secrets.add(name.clone(), b"new secret");
        (secrets, name)
    }

    fn signature(secret: &[u8], body: &[u8]) -> String {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), body);
        format!("sha256={}", hex::encode(tag))
    }

    #[test]
    fn a_body_is_good_under_either_secret_and_no_other() {
        let (secrets, rt) = secrets();
        for secret in [&b"old secret"[..], b"new secret"] {
            assert!(secrets.is_signed(&rt, Some(signature(secret, b"body").as_bytes()), b"body"));
        }
        assert!(!secrets.is_signed(&rt, Some(signature(b"stranger", b"body").as_bytes()), b"body"));
        assert!(!secrets.is_signed(&rt, Some(signature(b"old secret", b"body").as_bytes()), b"bodY"));
        let other: HookName = "savannah".parse().expect("a name");
        assert!(!secrets.is_signed(&other, Some(signature(b"old secret", b"body").as_bytes()), b"body"));
    }

    /// The published example of the signing scheme, so that other senders are compatible.
    #[test]
    fn the_scheme_is_the_one_that_senders_use() {
        let mut secrets = HookSecrets::default();
        let name: HookName = "github".parse().expect("a name");
        secrets.add(name.clone(), b"It's a Secret to Everybody");
        let signature = b"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert!(secrets.is_signed(&name, Some(signature), b"Hello, World!"));
    }

    proptest::proptest! {
        #[test]
        fn no_mutated_signature_is_good(at in 0..71_usize, to in proptest::num::u8::ANY) {
            let (secrets, rt) = secrets();
            let mut text = signature(b"old secret", b"body").into_bytes();
            let same = text[at] == to || (at >= 7 && text[at].eq_ignore_ascii_case(&to));
            text[at] = to;
            proptest::prop_assert_eq!(secrets.is_signed(&rt, Some(&text), b"body"), same);
        }
    }

    #[test]
    fn nothing_unsigned_is_good() {
        let (secrets, rt) = secrets();
        for text in [None, Some(&b""[..]), Some(b"sha256="), Some(b"sha1=00")] {
            assert!(!secrets.is_signed(&rt, text, b"body"));
        }
    }

    #[test]
    fn a_token_leads_to_its_actor() {
        let mut tokens = Tokens::default();
        let jane = Caller::new("jane".parse().expect("an actor"), Channel::Api, [Role::SRM]);
        tokens.add(b"letmein", jane.clone());
        let with = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", text.parse().expect("a header"));
            tokens.caller(&headers)
        };
        assert_eq!(with("Bearer letmein"), Some(jane.clone()));
        assert_eq!(with("bearer letmein"), Some(jane));
        for text in ["Bearer letmei", "Bearer letmeinn", "Basic letmein", "Bearer", "letmein"] {
            assert_eq!(with(text), None, "{text}");
        }
        assert_eq!(tokens.caller(&HeaderMap::new()), None);
    }
}
