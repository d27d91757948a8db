//! Output that the commands share: documents, times, and a rollout's next steps.

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use serde::Serialize;

use crate::domain::workflow::quoted;
use crate::link::clock::Clock;
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

/// The same for a column: how long ago it was, or will be, on a terminal; a program wants the time itself.
pub(super) fn ago(at: &str) -> String {
    match at.parse::<jiff::Timestamp>() {
        Ok(time) if std::io::stdout().is_terminal() => relative(time, Clock::System.now()),
        _ => moment(at),
    }
}

/// The time itself, and on a terminal how long ago it was.
pub(super) fn moment_ago(at: &str) -> String {
    match at.parse::<jiff::Timestamp>() {
        Ok(time) if std::io::stdout().is_terminal() => {
            format!("{} ({})", moment(at), relative(time, Clock::System.now()))
        }
        _ => moment(at),
    }
}

/// A time as seen from another one, in one unit: `3d ago`, `in 2h`.
fn relative(at: jiff::Timestamp, now: jiff::Timestamp) -> String {
    let seconds = at.duration_since(now).as_secs();
    let span = match seconds.unsigned_abs() {
        span @ 0..120 => format!("{span}s"),
        span @ 120..7_200 => format!("{}m", span / 60),
        span @ 7_200..172_800 => format!("{}h", span / 3_600),
        span => format!("{}d", span / 86_400),
    };
    if seconds > 0 { format!("in {span}") } else { format!("{span} ago") }
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

    #[test]
    fn times_are_told_from_now() {
        let at = |second| jiff::Timestamp::from_second(second).expect("a time");
        let told = [0, 119, 120, 7_199, 7_200, 172_799, 172_800, 864_000].map(|span| relative(at(0), at(span)));
        assert_eq!(told, ["0s ago", "119s ago", "2m ago", "119m ago", "2h ago", "47h ago", "2d ago", "10d ago"]);
        assert_eq!(relative(at(90_000), at(0)), "in 25h");
        // Where nobody looks, the time itself.
        assert_eq!(ago("2026-11-29T09:00:00Z"), moment("2026-11-29T09:00:00Z"));
    }
}
