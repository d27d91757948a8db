//! Sends notices to other machines: signed JSON by POST to the configured URLs.
//!
//! The format is Standard Webhooks 1.0 (<https://www.standardwebhooks.com>): `webhook-id`, which stays the same when a
//! message is sent again, `webhook-timestamp`, and `webhook-signature`, which is `v1,` and the base64 of the
//! HMAC-SHA256 of `id.timestamp.body`. Redirects are not followed, no proxy is used, the body of a response is not
//! read, and everything has a time limit: a receiver can neither redirect the daemon nor hold it up.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use reqwest::redirect::Policy;
use reqwest::{StatusCode, header};

use crate::domain::names::HookName;

/// How long one attempt may take in total.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest delay that a receiver can ask for.
const LATER_MAX: Duration = Duration::from_hours(1);

/// A receiver's URL and signing key.
#[derive(Clone)]
pub struct Receiver {
    /// `http://` or `https://`.
    pub url: String,
    /// The key for signatures.
    pub secret: Vec<u8>,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a token.
        f.write_str("Receiver")
    }
}

/// The result of sending a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It was accepted.
    Taken,
    /// It was not, but may be later.
    Later {
        /// Why.
        why: String,
        /// The shortest delay before the next attempt.
        after: Option<Duration>,
    },
    /// It never will be.
    Never(String),
}

/// The receivers, and the client that sends to them.
#[derive(Debug)]
pub struct Outgoing {
    http: Option<reqwest::Client>,
    receivers: RwLock<BTreeMap<HookName, Receiver>>,
}

impl Default for Outgoing {
    fn default() -> Self {
        let http = reqwest::Client::builder().timeout(PATIENCE).redirect(Policy::none()).no_proxy().build();
        Self { http: http.ok(), receivers: RwLock::default() }
    }
}

impl Outgoing {
    /// Replaces the receivers.
    pub fn replace(&self, receivers: BTreeMap<HookName, Receiver>) {
        *self.receivers.write().unwrap_or_else(PoisonError::into_inner) = receivers;
    }

    /// Sends a message to a receiver. `id` is the same when it is sent again.
    pub async fn deliver(&self, to: &HookName, id: &str, now: Timestamp, body: Vec<u8>) -> Delivery {
        let receiver = self.receivers.read().unwrap_or_else(PoisonError::into_inner).get(to).cloned();
        let later = |why: String| Delivery::Later { why, after: None };
        let Some(Receiver { url, secret }) = receiver else { return later("it is not configured".to_owned()) };
        let Some(http) = &self.http else { return later("no TLS library could be set up".to_owned()) };
        let at = now.as_second().to_string();
        let request = http
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", &at)
            .header("webhook-signature", signature(&secret, id, &at, &body))
            .body(body);
        match request.send().await {
            Ok(answer) => judge(answer.status(), after(answer.headers())),
            // Without the URL, which may hold a token.
            Err(error) => later(in_one_line(&error.without_url())),
        }
    }
}

/// The signature header.
fn signature(secret: &[u8], id: &str, at: &str, body: &[u8]) -> String {
    let mut signed = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret));
    for part in [id.as_bytes(), b".", at.as_bytes(), b".", body] {
        signed.update(part);
    }
    format!("v1,{}", STANDARD.encode(signed.sign()))
}

/// What a status means. If people can fix the cause, such as a secret or a path, it is retried.
fn judge(status: StatusCode, after: Option<Duration>) -> Delivery {
    let said = format!("it responded with {status}");
    match status {
        _ if status.is_success() => Delivery::Taken,
        _ if status.is_redirection() => Delivery::Later { why: format!("{said}; redirects are not followed"), after },
        StatusCode::GONE => Delivery::Never(said),
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::NOT_FOUND
        | StatusCode::PROXY_AUTHENTICATION_REQUIRED
        | StatusCode::REQUEST_TIMEOUT
        | StatusCode::CONFLICT
        | StatusCode::TOO_EARLY
        | StatusCode::TOO_MANY_REQUESTS => Delivery::Later { why: said, after },
        _ if status.is_client_error() => Delivery::Never(said),
        _ => Delivery::Later { why: said, after },
    }
}

/// `Retry-After` in seconds.
fn after(headers: &header::HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(LATER_MAX))
}

fn in_one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example from the Standard Webhooks libraries.
    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64");
        let signed = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn an_answer_ends_it_or_has_it_tried_again() {
        let judged = |status| judge(StatusCode::from_u16(status).expect("a status"), Some(Duration::from_secs(7)));
        for status in [200, 202, 204] {
            assert_eq!(judged(status), Delivery::Taken, "{status}");
        }
        for status in [301, 401, 404, 408, 429, 500, 503] {
            let Delivery::Later { after, .. } = judged(status) else { panic!("{status}") };
            assert_eq!(after, Some(Duration::from_secs(7)));
        }
        for status in [400, 410, 413, 422] {
            assert!(matches!(judged(status), Delivery::Never(_)), "{status}");
        }
        let mut headers = header::HeaderMap::new();
        for (value, seconds) in [("30", Some(30)), ("999999", Some(3_600)), ("soon", None)] {
            headers.insert(header::RETRY_AFTER, value.parse().expect("a value"));
            assert_eq!(after(&headers).map(|after| after.as_secs()), seconds);
        }
    }
}
