//! The exit codes of the programs, and where output goes. The only place where an error becomes an exit code with a
//! hint.

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::domain::legible;
use crate::web::problem::Problem;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// Refused, or there are complaints; also WARNING for monitoring.
    Refused,
    /// Wrong usage; also CRITICAL for monitoring.
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

/// The result of a command: its output, text or one JSON document, and how it ended.
#[derive(Debug)]
pub struct Outcome {
    /// For standard output.
    pub text: String,
    /// How it ended.
    pub exit: Exit,
}

impl Outcome {
    /// Success, with this output.
    pub fn done(text: impl Into<String>) -> Self {
        Self { text: text.into(), exit: Exit::Done }
    }
}

/// A command that failed.
#[derive(Debug)]
pub struct Failure {
    /// How it ended.
    pub exit: Exit,
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The daemon's problem document, if the daemon refused.
    pub problem: Option<Box<Problem>>,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string(), hint: None, problem: None }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the daemon's problem document.
    #[must_use]
    pub fn because(mut self, problem: Problem) -> Self {
        self.problem = Some(Box::new(problem));
        self
    }

    /// The failure as a problem document (RFC 9457): the daemon's own if it sent one. The hint is our extension.
    pub fn document(&self) -> Value {
        let sent = self.problem.as_ref().and_then(|problem| serde_json::to_value(problem).ok());
        let mut document = sent.unwrap_or_else(|| {
            let (kind, title) = match self.exit {
                Exit::Done | Exit::Refused => ("/problems/not-done", "The command failed"),
                Exit::Usage => ("/problems/usage", "Usage error"),
                Exit::NoDaemon => ("/problems/no-daemon", "No daemon responds"),
            };
            json!({ "type": kind, "title": title, "detail": self.message })
        });
        if let (Some(members), Some(hint)) = (document.as_object_mut(), &self.hint) {
            members.insert("hint".to_owned(), hint.as_str().into());
        }
        document
    }
}

/// An error and its causes, one per line.
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

/// Prints the result and returns the exit code. A closed pipe (`| head`) is not an error.
///
/// With `json`, standard output gets exactly one document, whatever happened, and standard error nothing: a script
/// reads one place. Without it, failures go to standard error.
pub fn finish(program: &str, json: bool, result: Result<Outcome, Failure>) -> ExitCode {
    let (out, err, exit) = say(program, json, result);
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(out.as_bytes()).and_then(|()| stdout.flush());
    let _ = io::stderr().lock().write_all(err.as_bytes());
    match written {
        // Whoever redirects it would take a part for the whole.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr().lock(), "{program}: could not write the output: {error}");
            if exit == Exit::Done { Exit::Refused.into() } else { exit.into() }
        }
        _ => exit.into(),
    }
}

/// The text for standard output and for standard error.
fn say(program: &str, json: bool, result: Result<Outcome, Failure>) -> (String, String, Exit) {
    // All output goes through here, so that nothing in a title, a name or a file controls the terminal.
    match result {
        Ok(outcome) if json => (legible::json(&outcome.text).into_owned(), String::new(), outcome.exit),
        Ok(outcome) => (legible::lines(&outcome.text).into_owned(), String::new(), outcome.exit),
        Err(failure) if json => {
            let document = format!("{:#}\n", failure.document());
            (legible::json(&document).into_owned(), String::new(), failure.exit)
        }
        Err(failure) => {
            let hint = failure.hint.map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
            let words = format!("{program}: {}\n{hint}", failure.message);
            (String::new(), legible::lines(&words).into_owned(), failure.exit)
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    fn failure() -> Failure {
        Failure::new(Exit::NoDaemon, "no daemon responds at x").hint("is it running?")
    }

    #[test]
    fn people_read_a_failure_on_standard_error() {
        let words = "rolloutctl: no daemon responds at x\nhint: is it running?\n";
        assert_eq!(say("rolloutctl", false, Err(failure())), (String::new(), words.to_owned(), Exit::NoDaemon));
    }

    #[test]
    fn nothing_that_is_said_steers_the_terminal() {
        let hostile = "title \u{202e}\u{1b}[2J\u{9b}";
        let outcome = || Ok(Outcome::done(format!("{hostile}\n")));
        assert_eq!(say("x", false, outcome()).0, "title \\u{202e}\\u{1b}[2J\\u{9b}\n");
        let document = format!("{:#}\n", json!({ "title": hostile }));
        let (out, ..) = say("x", true, Ok(Outcome::done(document)));
        assert!(out.is_ascii() && !out.contains('\u{1b}'), "{out:?}");
        assert_eq!(serde_json::from_str::<Value>(&out).expect("a document")["title"], hostile);
        let (_, err, _) = say("x", false, Err(Failure::new(Exit::Refused, hostile).hint(hostile)));
        assert_eq!(err, "x: title \\u{202e}\\u{1b}[2J\\u{9b}\nhint: title \\u{202e}\\u{1b}[2J\\u{9b}\n");
    }

    #[test]
    fn programs_read_a_failure_as_one_document_on_standard_output() {
        let (out, err, exit) = say("rolloutctl", true, Err(failure()));
        assert_eq!((err.as_str(), exit), ("", Exit::NoDaemon));
        let document: Value = serde_json::from_str(&out).expect("one document");
        let expected = json!({
            "type": "/problems/no-daemon", "title": "No daemon responds",
            "detail": "no daemon responds at x", "hint": "is it running?",
        });
        assert_eq!(document, expected);
    }

    #[test]
    fn what_the_daemon_said_is_handed_on_as_it_is() {
        let problem = Problem::of_status(StatusCode::NOT_FOUND, "there is no rollout nope");
        let failed = Failure::new(Exit::Refused, "words for people").because(problem.clone());
        let (out, _, exit) = say("rolloutctl", true, Err(failed));
        let read: Problem = serde_json::from_str(&out).expect("a problem document");
        assert_eq!((read, exit), (problem, Exit::Refused));
    }
}
