//! Words to a running daemon: parse, run, print, exit code.

use std::process::ExitCode;

use clap::Parser as _;
use rolloutd::cli::exit::{Exit, Failure};
use rolloutd::cli::{ctl as command, exit};

fn main() -> ExitCode {
    let cli = command::Cli::parse();
    let json = cli.json();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::finish("rolloutctl", json, Err(Failure::new(Exit::NoDaemon, error))),
    };
    let result = runtime.block_on(command::run(cli));
    // The look-up of a name may hang in the system's resolver; whoever has an answer does not wait for it.
    runtime.shutdown_background();
    exit::finish("rolloutctl", json, result)
}
