//! `rolloutd check`: all complaints about configuration, keys and directories at once.
//!
//! Exit code 0 if the daemon would start with this configuration, 1 if not. Notes and warnings do not count: listed
//! packages that their rings do not trust are a problem for clients, but no reason to keep the daemon from starting,
//! and it reports them itself. Nothing is changed.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::json;

use super::exit::{Exit, Outcome};
use super::offline;
use crate::config::check::{Report, check};
use crate::config::history;
use crate::config::settings::Settings;
use crate::format::complaint::Complaint;
use crate::link::clock::Clock;
use crate::process::listed::Doubts;
use crate::store::disk::user;
use crate::store::ownership;

/// Checks the configuration, the keys and the directories, and changes nothing
///
/// Prints all complaints at once, with file, line and column; notes are for information only. If the logbook is
/// readable, warnings name trees that list packages signed by no key in their ring: sites refuse those packages. Run
/// this as the user that runs the daemon: it checks that files are readable and directories writable.
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

/// Reports what was found; the exit code is 1 if there are complaints.
pub fn run(args: &CheckArgs) -> Outcome {
    let now = Clock::System.now();
    let mut report = check(&args.config, now);
    // Before the first start there is no logbook; one that cannot be read is reported below.
    let world = report.settings.as_ref().and_then(|settings| Some((settings, offline::world(settings).ok()?)));
    if let Some(notes) = world.map(|(settings, world)| history::notes(settings, &world)) {
        report.findings.extend(notes);
    }
    let warnings = |settings| as_root(settings, &args.config).into_iter().chain(of_trees(settings, now)).collect();
    let warnings: Vec<String> = report.settings.as_ref().map(warnings).unwrap_or_default();
    let text = if args.json {
        show_json(&report, &warnings)
    } else {
        show(&args.config.display().to_string(), &report, &warnings)
    };
    let exit = if report.complaints().next().is_some() { Exit::Refused } else { Exit::Done };
    Outcome { text, exit }
}

/// That root has checked, who may read and write everything, while the daemon is somebody else.
fn as_root(settings: &Settings, config: &Path) -> Option<String> {
    let owner = ownership::of_site(&settings.site.state);
    (rustix::process::geteuid().is_root() && owner != 0).then(|| {
        let daemon = user(owner);
        format!(
            "root can read and write everything, so this does not show whether {daemon}, who owns the state, can: run \
             `sudo -u {daemon} rolloutd check --config {}`",
            config.display()
        )
    })
}

/// Warnings about trees in their present state.
fn of_trees(settings: &Settings, now: Timestamp) -> Vec<String> {
    let mut words = listed(settings, now);
    if settings.signing.is_none() {
        let trees = settings.distributions.iter().flat_map(|dist| dist.trees.iter().map(move |tree| (dist, tree)));
        let signed = trees.filter(|(dist, tree)| {
            let dir = settings.site.root.join(tree.as_str()).join(dist.path.as_str());
            dir.join("repodata/repomd.xml.asc").exists()
        });
        let then = if settings.unsigned {
            "its metadata will have no signature, and sites with repo_gpgcheck=1 refuse it"
        } else {
            "nothing is published there until it is back; set `off = true` under [signing] if sites should go without"
        };
        words.extend(signed.map(|(dist, tree)| {
            format!("{tree}/{} is signed, but there is no longer a signing key: {then}", dist.path)
        }));
    }
    words
}

/// Warnings about the packages that trees list.
fn listed(settings: &Settings, now: Timestamp) -> Vec<String> {
    if !settings.site.state.join("logbook.sqlite").exists() {
        return Vec::new();
    }
    match offline::world(settings) {
        Ok(world) => {
            let (doubts, _) = offline::doubts(settings, &world, now);
            let words = doubts.into_iter().flat_map(|(id, Doubts { untrusted, revoked })| {
                [untrusted, revoked].into_iter().flatten().map(move |what| format!("{id} {what}"))
            });
            words.collect()
        }
        Err(failure) => vec![format!(
            "listed packages were not compared with the keys, because the logbook cannot be read: {}",
            failure.message
        )],
    }
}

/// Text for people: one finding after the other, and a line that counts them.
fn show(file: &str, report: &Report, warnings: &[String]) -> String {
    let count = |number: usize, word: &str| match number {
        0 => format!("no {word}s"),
        1 => format!("1 {word}"),
        _ => format!("{number} {word}s"),
    };
    let (complaints, notes) = (report.complaints().count(), report.notes().count());
    let verdict = match (complaints, warnings.len()) {
        (0, 0) => "is fine",
        (0, _) => "can be used, but see the warnings",
        _ => "cannot be used",
    };
    let mut counts = vec![count(complaints, "complaint"), count(notes, "note")];
    if !warnings.is_empty() {
        counts.insert(1, count(warnings.len(), "warning"));
    }
    let last = format!("{file} {verdict}: {}\n", counts.join(", "));
    let mut lines: Vec<String> = report.findings.iter().map(Complaint::to_string).collect();
    lines.extend(warnings.iter().map(|what| format!("warning: {what}")));
    lines.push(last);
    lines.join("\n")
}

/// One JSON document for programs.
fn show_json(report: &Report, warnings: &[String]) -> String {
    let complaints: Vec<_> = report.complaints().map(Complaint::to_json).collect();
    let notes: Vec<_> = report.notes().map(Complaint::to_json).collect();
    let fine = complaints.is_empty() && warnings.is_empty();
    format!("{:#}\n", json!({ "fine": fine, "complaints": complaints, "warnings": warnings, "notes": notes }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::complaint::{Level, Spot};

    #[test]
    fn the_verdict_counts_what_was_found() {
        let finding = |level, hint: Option<&str>| Complaint {
            level,
            file: "/etc/rolloutd/rolloutd.toml".into(),
            at: Spot { line: 3, column: 8, key: "site.root".into() },
            what: "is missing".into(),
            hint: hint.map(str::to_owned),
        };
        let report = |findings| Report { settings: None, findings };
        let warnings = ["testing/d lists 1 package signed by no key of its ring".to_owned()];
        let told = [
            show("FILE", &report(vec![]), &[]),
            show("FILE", &report(vec![finding(Level::Note, None)]), &warnings),
            show("FILE", &report(vec![finding(Level::Complaint, Some("root = \"/srv\""))]), &[]),
        ];
        insta::assert_snapshot!(told.join("\n"));
    }
}
