//! `rolloutd init`: a configuration to begin with.

use super::exit::Outcome;
use crate::config::reference;

/// Prints a configuration to start from, which explains every key
///
/// Nothing is written: review the output and put it where the service looks for it.
///
/// Example: rolloutd init > /etc/rolloutd/rolloutd.toml
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct InitArgs {}

/// Prints it.
pub fn run() -> Outcome {
    Outcome::done(reference::TEXT)
}
