//! `rolloutd ...`: the daemon and everything that works without one.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use super::exit::{Exit, Failure, Outcome, chain};
use super::{adopt, backup, check, ctl, demo, fsck, gate, index, init, keys, manual, preview, restore, run, verify};
use crate::link::clock::Clock;

/// Staged rollout for yum repositories.
///
/// Takes packages in, verifies their signatures, and moves them from tree to tree when a rollout
/// changes state. `rolloutd demo` shows it on this machine.
#[derive(Debug, Parser)]
#[command(name = "rolloutd", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunArgs),
    Check(check::CheckArgs),
    Verify(verify::VerifyArgs),
    Index(index::IndexArgs),
    Fsck(fsck::FsckArgs),
    Keys(keys::KeysArgs),
    Preview(preview::PreviewArgs),
    Backup(backup::BackupArgs),
    Restore(restore::RestoreArgs),
    Adopt(adopt::AdoptArgs),
    Demo(demo::DemoArgs),
    Init(init::InitArgs),
    Man(manual::ManArgs),
    /// Prints a completion script for a shell
    ///
    /// Example: source <(rolloutd completions bash)
    Completions(manual::CompletionsArgs),
    #[command(hide = true)]
    Gate(gate::GateArgs),
    /// Runs `rolloutctl`, for the scripts of the example site.
    #[command(hide = true)]
    Ctl(ctl::Cli),
}

impl Cli {
    /// What this process was asked to do; ends it after help, and after an error.
    ///
    /// A script of the example site is called by its own name in help and errors.
    pub fn of_process() -> Self {
        let words: Vec<OsString> = std::env::args_os().collect();
        match words.get(1..) {
            Some(words) if words.first().is_some_and(|word| word == "ctl") => {
                let program = ctl::Cli::command().bin_name(ctl::own_name());
                let found = ctl::Cli::from_arg_matches(&program.get_matches_from(words));
                Self { command: Command::Ctl(found.unwrap_or_else(|error| error.exit())) }
            }
            _ => Self::parse(),
        }
    }

    /// Runs the command that confines itself, if it is that one: it needs a process of its own.
    pub fn alone(&self) -> Option<ExitCode> {
        match &self.command {
            Command::Gate(args) => Some(gate::run(args)),
            _ => None,
        }
    }

    /// Whether the command is the daemon itself, which logs.
    pub fn logs(&self) -> bool {
        matches!(self.command, Command::Run(_) | Command::Demo(_))
    }

    /// Whether its output is one JSON document.
    pub fn json(&self) -> bool {
        match &self.command {
            Command::Check(args) => args.json,
            Command::Verify(args) => args.json,
            Command::Index(args) => args.json,
            Command::Fsck(args) => args.json,
            Command::Keys(args) => args.json,
            Command::Preview(args) => args.json,
            Command::Backup(args) => args.json,
            Command::Restore(args) => args.json,
            Command::Adopt(args) => args.json,
            Command::Ctl(cli) => cli.json(),
            Command::Run(_)
            | Command::Demo(_)
            | Command::Gate(_)
            | Command::Init(_)
            | Command::Man(_)
            | Command::Completions(_) => false,
        }
    }
}

/// Runs one command.
///
/// # Errors
/// Why it failed.
pub async fn run(cli: Cli) -> Result<Outcome, Failure> {
    match cli.command {
        Command::Run(args) => run::run(args).await,
        Command::Check(args) => Ok(check::run(&args)),
        Command::Verify(args) => {
            // Lines are printed as they are found, so that a long list can be watched.
            let exit = verify::run(&args, Clock::System.now(), &mut std::io::stdout().lock());
            let exit = exit.map_err(|e| Failure::new(Exit::Usage, chain(&e)))?;
            let exit = match exit {
                0 => Exit::Done,
                1 => Exit::Refused,
                _ => Exit::Usage,
            };
            Ok(Outcome { text: String::new(), exit })
        }
        Command::Index(args) => index::run(&args),
        Command::Fsck(args) => fsck::run(&args),
        Command::Keys(args) => keys::run(&args),
        Command::Preview(args) => preview::run(&args, Clock::System.now()),
        Command::Backup(args) => backup::run(&args, Clock::System.now()),
        Command::Restore(args) => restore::run(&args, Clock::System.now()),
        Command::Adopt(args) => adopt::run(&args, Clock::System.now()),
        Command::Demo(args) => demo::run(args).await,
        Command::Init(_) => Ok(init::run()),
        Command::Man(args) => manual::pages(&args, [(Cli::command(), "8"), (ctl::Cli::command(), "1")]),
        Command::Completions(args) => Ok(manual::completions(&args, Cli::command())),
        Command::Gate(_) => Err(Failure::new(Exit::Usage, "it needs a process of its own".to_owned())),
        Command::Ctl(cli) => ctl::run(cli).await,
    }
}
