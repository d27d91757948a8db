//! The daemon and everything that works without one: parse, run, print, exit code.

use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use rolloutd::cli::{exit, rolloutd as command};
use rolloutd::domain::legible;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = command::Cli::parse();
    cli.alone().unwrap_or_else(|| with_others(cli))
}

/// How long work that hangs on the disk may keep the process when all else has ended. Whatever it is, the next
/// start finishes it.
const LAST_WORK: Duration = Duration::from_secs(5);

fn with_others(cli: command::Cli) -> ExitCode {
    if cli.logs() {
        log();
    }
    let json = cli.json();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            let failure = exit::Failure::new(exit::Exit::Refused, format!("could not start its threads: {error}"));
            return exit::finish("rolloutd", json, Err(failure));
        }
    };
    let code = exit::finish("rolloutd", json, runtime.block_on(command::run(cli)));
    runtime.shutdown_timeout(LAST_WORK);
    code
}

/// Standard error, for text of strangers; with colours or without.
struct Legible(bool);

impl Write for Legible {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A line comes in one piece.
        let text = String::from_utf8_lossy(bytes);
        let text = if self.0 { legible::coloured(&text) } else { legible::lines(&text) };
        io::stderr().lock().write_all(text.as_bytes()).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Lines for people on a terminal and in the journal, or for programs with `ROLLOUTD_LOG_FORMAT=json`; `ROLLOUTD_LOG`
/// filters them.
fn log() {
    let filter = EnvFilter::try_from_env("ROLLOUTD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    if std::env::var_os("ROLLOUTD_LOG_FORMAT").is_some_and(|format| format == "json") {
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).json().init();
        return;
    }
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || Legible(colours)).with_ansi(colours);
    // The journal has its own clock.
    if std::env::var_os("JOURNAL_STREAM").is_some() { lines.without_time().init() } else { lines.init() }
}
