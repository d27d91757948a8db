//! The daemon and everything that works without one: parse, run, print, exit code.

use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;
use std::time::Duration;

use rolloutd::cli::{exit, rolloutd as command};
use rolloutd::domain::legible;
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

fn main() -> ExitCode {
    let cli = command::Cli::of_process();
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

/// Where lines of the log go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    /// A file or a pipe.
    Plain,
    /// A terminal.
    Coloured,
    /// The journal, which has its own clock and wants the priority before each line.
    Journal,
}

impl Lines {
    fn of_standard_error() -> Self {
        // `JOURNAL_STREAM` is inherited by programs whose standard error is something else.
        let journal = std::env::var("JOURNAL_STREAM").unwrap_or_default();
        let own = rustix::fs::fstat(io::stderr()).map(|meta| format!("{}:{}", meta.st_dev, meta.st_ino));
        if own.is_ok_and(|own| own == journal) {
            Self::Journal
        } else if io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
            Self::Coloured
        } else {
            Self::Plain
        }
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Legible;

    fn make_writer(&self) -> Legible {
        Legible { lines: *self, priority: "" }
    }

    /// Priorities as systemd reads them (sd-daemon(3)), so that `journalctl -p err` shows errors.
    fn make_writer_for(&self, event: &Metadata<'_>) -> Legible {
        let priority = match *event.level() {
            _ if *self != Self::Journal => "",
            Level::ERROR => "<3>",
            Level::WARN => "<4>",
            Level::INFO => "<6>",
            Level::DEBUG | Level::TRACE => "<7>",
        };
        Legible { lines: *self, priority }
    }
}

/// Standard error, for text of strangers.
struct Legible {
    lines: Lines,
    priority: &'static str,
}

impl Write for Legible {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // An event comes in one piece.
        let text = String::from_utf8_lossy(bytes);
        let coloured = self.lines == Lines::Coloured;
        let text = if coloured { legible::coloured(&text) } else { legible::lines(&text) };
        let lines: String = text.split_inclusive('\n').flat_map(|line| [self.priority, line]).collect();
        io::stderr().lock().write_all(lines.as_bytes()).map(|()| bytes.len())
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
    let lines = Lines::of_standard_error();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines).with_ansi(lines == Lines::Coloured);
    if lines == Lines::Journal { log.without_time().init() } else { log.init() }
}
