//! `rolloutd init`: a configuration to begin with.

use super::exit::Outcome;
use crate::config::reference;

/// Prints a configuration to begin with, in which every key is explained
///
/// Nothing is written: look through it, and put it where the service looks for it.
///
/// Example: rolloutd init > /etc/rolloutd/rolloutd.toml
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct InitArgs {}

/// Prints it.
pub fn run() -> Outcome {
    Outcome::done(reference::TEXT)
}
