//! Gets a rollout from the daemon, for every command about one.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::cli::client::Client;
use crate::cli::exit::Failure;
use crate::web::api::rollouts::RolloutBody;

/// A rollout from the daemon.
pub(super) async fn one(client: &Client, rollout: &str) -> Result<RolloutBody, Failure> {
    client.get(&format!("/api/v1/rollouts/{}", escape(rollout))).await
}

/// A part of a path or query, percent-encoded.
pub(super) fn escape(text: &str) -> String {
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, PLAIN).to_string()
}
