//! Words to a running daemon: parse, run, print, exit code.

use std::process::ExitCode;

use clap::Parser as _;
use rolloutd::cli::{exit, rolloutctl as command};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    exit::finish("rolloutctl", command::run(command::Cli::parse()).await)
}
