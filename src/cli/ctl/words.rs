//! Output that the commands share: documents, times, and a rollout's next steps.

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use serde::Serialize;

use crate::domain::workflow::quoted;
use crate::web::api::rollouts::RolloutBody;
use crate::web::problem::FindingBody;

/// One JSON document.
pub(super) fn document(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// A time for people; unchanged if it cannot be parsed.
pub(super) fn moment(at: &str) -> String {
    let read = at.parse::<jiff::Timestamp>();
    read.map_or_else(|_| at.to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// Findings, one on a line.
pub(super) fn show_findings(findings: &[FindingBody]) -> String {
    let mut text = String::new();
    for finding in findings {
        let verdict = painted(&format!("{:<11}", finding.verdict), &finding.verdict);
        let _ = writeln!(text, "  {verdict} {} ({})", finding.sentence, finding.code);
    }
    text
}

/// Text in the colour of a verdict, on a terminal where nobody has set `NO_COLOR` (no-color.org).
fn painted(text: &str, verdict: &str) -> String {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if plain || !std::io::stdout().is_terminal() || !std::io::stderr().is_terminal() {
        return text.to_owned();
    }
    let colour = match verdict {
        "pass" => "32",
        "wait" => "33",
        "reject" => "31",
        _ => "35",
    };
    format!("\x1b[{colour}m{text}\x1b[0m")
}

/// How this program was called; the example site has its own script for it.
pub fn own_name() -> String {
    std::env::var("ROLLOUTCTL_AS").unwrap_or_else(|_| "rolloutctl".to_owned())
}

/// How packages leave a tree again that no step takes out.
fn way_back(program: &str) -> String {
    format!(
        "To take its packages out of a tree again: `{program} restore TREE --to REVISION`, with a revision that \
         `{program} log --tree TREE` shows; machines follow with `dnf distro-sync`.\n"
    )
}

/// A rollout's next steps, as commands to type.
pub(super) fn next_steps(r: &RolloutBody, program: &str) -> String {
    if r.next.is_empty() {
        let is_listed = r.packages.iter().any(|package| !package.trees.is_empty());
        let back = if is_listed { way_back(program) } else { String::new() };
        return format!("This is a final state.\n{back}");
    }
    let mut text = "next:\n".to_owned();
    let rows: Vec<(String, &str)> =
        r.next.iter().map(|n| (format!("{program} move {} {}", r.id, quoted(&n.state)), n.effect.as_str())).collect();
    let widest = rows.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    for (command, effect) in rows {
        let _ = writeln!(text, "  {command:<widest$}  # {effect}");
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::web::api::rollouts::{NextBody, RolloutPackage};

    /// A rollout in its last state whose packages do not move.
    pub(in crate::cli::ctl) fn held_up(trouble: Option<&str>) -> RolloutBody {
        RolloutBody {
            id: "rt-1".into(),
            distribution: "d".into(),
            distributions: vec!["d".into()],
            title: "a".into(),
            state: "Production".into(),
            since: "2026-11-20T12:00:00Z".into(),
            by: "jane".into(),
            moving: true,
            trouble: trouble.map(str::to_owned),
            wanted: None,
            dated: None,
            cancelled: false,
            superseded_by: None,
            supersedes: vec![],
            delayed: false,
            about: None,
            dossier: None,
            packages: vec![],
            findings: vec![],
            absent: vec![],
            next: vec![],
        }
    }

    /// A rollout that can go to two states, and that a tracker wants in one of them.
    pub(in crate::cli::ctl) fn waiting() -> RolloutBody {
        let package = |nevra: &str, trees: &[&str]| RolloutPackage {
            distribution: "d".into(),
            nevra: nevra.into(),
            trees: trees.iter().map(ToString::to_string).collect(),
        };
        let next = |state: &str, effect: &str| NextBody { state: state.into(), effect: effect.into() };
        RolloutBody {
            id: "rt-1234".into(),
            title: "Staged rollout of bdii".into(),
            state: "StageRollOut".into(),
            moving: false,
            wanted: Some("Production".into()),
            packages: vec![
                package("bdii-5.2.22-1.el6.noarch", &["untested", "testing"]),
                package("bdii-config-1.0-1.el6.noarch", &[]),
            ],
            next: vec![next("Production", "testing -> production"), next("Rejected", "withdraws the packages")],
            ..held_up(None)
        }
    }
}
