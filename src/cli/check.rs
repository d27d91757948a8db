//! `rolloutd check`: all complaints about configuration, keys and directories in one go.
//!
//! Exit code 0 when the daemon would start with this configuration, 1 when it would not. Notes do not
//! count. Nothing is changed.

use std::path::PathBuf;

use serde_json::json;

use super::exit::{Exit, Outcome};
use crate::config::check::{Report, check};
use crate::config::complaint::Complaint;
use crate::link::clock::Clock;

/// Checks the configuration, the keys and the directories, and changes nothing
///
/// Every complaint names file, line and column, and all of them come in one go; notes tell what is
/// worth knowing and stop nothing. Run it as the user that runs the daemon, since it looks whether
/// files can be read and directories be written to.
///
/// Example: sudo -u rolloutd rolloutd check --config /etc/rolloutd/rolloutd.toml
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/rolloutd/rolloutd.toml")]
    config: PathBuf,
    /// One JSON document on standard output and nothing else
    #[arg(long)]
    pub json: bool,
}

/// Says what was found; the exit code is 1 when there are complaints.
pub fn run(args: &CheckArgs) -> Outcome {
    let report = check(&args.config, Clock.now());
    let text = if args.json { show_json(&report) } else { show(&args.config.display().to_string(), &report) };
    let exit = if report.complaints().next().is_some() { Exit::Refused } else { Exit::Done };
    Outcome { text, exit }
}

/// For people: one finding after the other, and a line that counts them.
fn show(file: &str, report: &Report) -> String {
    let count = |number: usize, word: &str| match number {
        0 => format!("no {word}s"),
        1 => format!("1 {word}"),
        _ => format!("{number} {word}s"),
    };
    let (complaints, notes) = (report.complaints().count(), report.notes().count());
    let verdict = if complaints == 0 { "is fine" } else { "cannot be used" };
    let last = format!("{file} {verdict}: {}, {}\n", count(complaints, "complaint"), count(notes, "note"));
    let mut lines: Vec<String> = report.findings.iter().map(Complaint::to_string).collect();
    lines.push(last);
    lines.join("\n")
}

/// For programs: one document.
fn show_json(report: &Report) -> String {
    let complaints: Vec<_> = report.complaints().map(Complaint::to_json).collect();
    let notes: Vec<_> = report.notes().map(Complaint::to_json).collect();
    format!("{:#}\n", json!({ "fine": complaints.is_empty(), "complaints": complaints, "notes": notes }))
}
