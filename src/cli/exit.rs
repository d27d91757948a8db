//! What a program ends with, and where its words go. The only place where an error becomes an exit
//! code with a hint.

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// Refused, or there are complaints; also WARNING for monitoring.
    Refused,
    /// It was called in the wrong way; also CRITICAL for monitoring.
    Usage,
    /// There is no daemon; also UNKNOWN for monitoring.
    NoDaemon,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Refused => 1,
            Exit::Usage => 2,
            Exit::NoDaemon => 3,
        })
    }
}

/// What a command has to say: words for people or one JSON document, and how it ended.
#[derive(Debug)]
pub struct Outcome {
    /// For standard output.
    pub text: String,
    /// How it ended.
    pub exit: Exit,
}

impl Outcome {
    /// It is done, and this is to be said.
    pub fn done(text: impl Into<String>) -> Self {
        Self { text: text.into(), exit: Exit::Done }
    }
}

/// A command that could not be carried out.
#[derive(Debug)]
pub struct Failure {
    /// How it ended.
    pub exit: Exit,
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string(), hint: None }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// An error with all its causes, one in each line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str("\n  because: ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Prints what is to be said and gives the exit code. A reader that has gone away (`| head`) is no error.
pub fn finish(program: &str, result: Result<Outcome, Failure>) -> ExitCode {
    match result {
        Ok(outcome) => {
            let mut out = io::stdout().lock();
            let _ = out.write_all(outcome.text.as_bytes()).and_then(|()| out.flush());
            outcome.exit.into()
        }
        Err(failure) => {
            let mut err = io::stderr().lock();
            let _ = writeln!(err, "{program}: {}", failure.message);
            if let Some(hint) = &failure.hint {
                let _ = writeln!(err, "hint: {hint}");
            }
            failure.exit.into()
        }
    }
}
