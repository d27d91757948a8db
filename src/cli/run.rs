//! `rolloutd run`: the daemon.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::exit::{Exit, Failure, Outcome, chain};
use crate::config::settings::Settings;
use crate::daemon::assemble::{self, Daemon, DaemonError};
use crate::link::clock::Clock;
use crate::link::supervisor::Supervisor;

/// Runs the daemon until SIGTERM; SIGHUP reloads settings and keys
///
/// Example: rolloutd run --config /etc/rolloutd/rolloutd.toml
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The configuration file
    #[arg(long, default_value = "/etc/rolloutd/rolloutd.toml", value_name = "FILE")]
    config: PathBuf,
}

/// Runs the daemon of a configuration file.
///
/// # Errors
/// Why it cannot start, or which part of it ended.
pub async fn run(args: RunArgs) -> Result<Outcome, Failure> {
    let settings = assemble::load(&args.config, Clock::System.now()).map_err(|e| {
        Failure::new(Exit::Refused, chain(&e)).hint("`rolloutd check --config FILE` lists all errors at once")
    })?;
    serve(settings, "choose another `listen` under [http]", |_| std::future::ready(())).await
}

/// Runs a daemon; `beside` runs beside it once it listens. `other_port` says how to choose another port.
///
/// # Errors
/// Why it cannot start, or which part of it ended.
pub async fn serve<B: Future<Output = ()>>(
    settings: Settings,
    other_port: &str,
    beside: impl FnOnce(&Daemon) -> B,
) -> Result<Outcome, Failure> {
    let stop = CancellationToken::new();
    let (hup, reloads) = mpsc::channel(1);
    let failed = |e: &dyn std::error::Error| Failure::new(Exit::Refused, chain(e));
    let mut term = signal(SignalKind::terminate()).map_err(|e| failed(&e))?;
    let mut int = signal(SignalKind::interrupt()).map_err(|e| failed(&e))?;
    let mut reload = signal(SignalKind::hangup()).map_err(|e| failed(&e))?;
    let supervisor = Arc::new(Supervisor::from_env());
    let daemon = assemble::assemble(settings, supervisor).await.map_err(|e| not_started(&e, other_port))?;
    let beside = beside(&daemon);
    let beside = async {
        beside.await;
        std::future::pending::<()>().await;
    };
    let signals = {
        let stop = stop.clone();
        async move {
            loop {
                tokio::select! {
                    _ = term.recv() => break,
                    _ = int.recv() => break,
                    // A reload that is already queued will read the same.
                    _ = reload.recv() => { let _ = hup.try_send(()); }
                }
            }
            stop.cancel();
            // A second signal means: now. The disk is safe at every instant.
            tokio::select! { _ = term.recv() => {} _ = int.recv() => {} }
        }
    };
    tokio::select! {
        ended = daemon.run(stop, reloads) => ended.map(|()| Outcome::done("")).map_err(|e| failed(&e)),
        () = signals => Ok(Outcome::done("")),
        () = beside => Ok(Outcome::done("")),
    }
}

fn not_started(error: &DaemonError, other_port: &str) -> Failure {
    let failure = Failure::new(Exit::Refused, chain(error));
    match error {
        DaemonError::Listen { address, source } if source.kind() == std::io::ErrorKind::AddrInUse => {
            let port = address.port();
            failure.hint(format!(
                "another program uses that port: `ss -ltnp 'sport = :{port}'` shows it; stop it, or {other_port}"
            ))
        }
        _ => failure,
    }
}
