//! `rolloutd fsck`: do trees, metadata and logbook agree?
//!
//! It reads everything with the readers of [`crate::audit`] and changes nothing. It may run beside the daemon: whatever
//! changes meanwhile is checked again.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::ProgressBar;
use sequoia_openpgp::Cert;
use sequoia_openpgp::parse::Parse as _;
use serde_json::json;

use super::exit::{Exit, Failure, Outcome};
use super::{offline, progress};
use crate::audit::access;
use crate::audit::account;
use crate::audit::tree::{self, Look};
use crate::config::files;
use crate::config::settings::Settings;
use crate::domain::names::TreeId;
use crate::format::openpgp::KEY_FILE_MAX;
use crate::link::clock::Clock;
use crate::process::fact::report::File;
use crate::process::world::World;
use crate::store::ownership;
use crate::store::people;
use crate::store::reports::{self, Wrong};

/// How many times findings are checked again: promotions on a site may never end.
const LOOKS: usize = 10;

/// The pause between two checks. A publication takes milliseconds, more on a slow disk or a busy machine.
const PAUSE: Duration = Duration::from_millis(300);

/// Compares trees, metadata and logbook, and changes nothing
///
/// Every file that a repomd.xml names must exist with the sizes and checksums given there, every listed
/// package with its size, and the logbook must have accepted exactly these packages for exactly these
/// trees. The keys that signed them must be in the tree's ring, or sites refuse them. Also checked: the
/// logbook's hash chain and checkpoint, that nobody who was erased is left in the register of people,
/// and that the files of reports exist. None of this uses the code that writes metadata. You can run it
/// while the daemon runs; a tree with work in progress is then checked only for consistency with
/// itself.
///
/// Without --full, the contents of packages and reports are not read: a hundred thousand packages take
/// a few seconds.
///
/// Example: sudo -u rolloutd rolloutd fsck --full
///
/// Exit codes: 0 everything agrees, 1 something does not, 2 the check failed.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct FsckArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/rolloutd/rolloutd.toml")]
    config: PathBuf,
    /// Read every byte of every listed package and of every report
    #[arg(long)]
    full: bool,
    /// One JSON document on standard output and nothing else
    #[arg(long)]
    pub json: bool,
}

impl FsckArgs {
    /// The quick check that `rolloutd restore` runs.
    pub(super) fn of(config: &std::path::Path, json: bool) -> Self {
        Self { config: config.to_owned(), full: false, json }
    }
}

/// A disagreement: where, and what.
type Finding = (String, String);

/// The result of a check.
#[derive(Debug, Default)]
struct Report {
    findings: Vec<Finding>,
    trees: usize,
    packages: usize,
    entries: u64,
    /// The trees with findings.
    doubtful: BTreeSet<TreeId>,
    /// Whether no work was pending, as far as the logbook knows, when the check began.
    quiet: bool,
}

/// Checks everything and reports disagreements.
///
/// # Errors
/// If the check fails.
pub fn run(args: &FsckArgs) -> Result<Outcome, Failure> {
    let settings = &offline::settings(&args.config)?;
    let look = if args.full { Look::AtBytes } else { Look::AtSizes };
    let bar = progress(settings);
    let report = settle(|trees| {
        let Some(trees) = trees else { return once(settings, look, &bar, |_| true) };
        std::thread::sleep(PAUSE);
        once(settings, look, &bar, |id| trees.contains(id))
    })?;
    bar.finish_and_clear();
    let exit = if report.findings.is_empty() { Exit::Done } else { Exit::Refused };
    Ok(Outcome { text: if args.json { show_json(&report) } else { show(&report) }, exit })
}

/// Checks everything, and then the trees with findings again: what was in progress is gone then, and what is wrong is
/// found again. The logbook hears of a publication only after it, so a logbook without news does not prove that nothing
/// happens; but once no work is pending and the logbook has not changed between two checks, whatever both found is
/// real.
fn settle(mut look: impl FnMut(Option<&BTreeSet<TreeId>>) -> Result<Report, Failure>) -> Result<Report, Failure> {
    let mut report = look(None)?;
    for _ in 1..LOOKS {
        if report.findings.is_empty() {
            break;
        }
        let again = look(Some(&report.doubtful))?;
        let quiet = again.quiet && report.quiet && again.entries == report.entries;
        report.findings.retain(|finding| again.findings.contains(finding));
        report = Report { trees: report.trees, packages: report.packages, findings: report.findings, ..again };
        if quiet {
            break;
        }
    }
    Ok(report)
}

/// One check, of the trees that `wanted` selects.
fn once(
    settings: &Settings,
    look: Look,
    bar: &ProgressBar,
    wanted: impl Fn(&TreeId) -> bool,
) -> Result<Report, Failure> {
    let (world, checkpoint) = offline::world_and_checkpoint(settings)?;
    let quiet = world.rollouts.plans().next().is_none() && !world.trees.values().any(|tree| tree.dirty);
    let mut report = Report { entries: world.last, quiet, ..Report::default() };
    bar.set_position(0);
    let cert = settings.signing.as_ref().map(|signing| {
        let unreadable = |why: String| Failure::new(Exit::Usage, why).hint("run it as the user that runs the daemon");
        let (bytes, _) =
            files::content(&signing.key, KEY_FILE_MAX).map_err(|trouble| unreadable(trouble.to_string()))?;
        Cert::from_bytes(&bytes).map_err(|e| unreadable(format!("could not read {}: {e}", signing.key.display())))
    });
    let cert = cert.transpose()?;
    let mut trees = BTreeSet::new();
    let owner = ownership::of_site(&settings.site.state);
    for dist in &settings.distributions {
        for name in &dist.trees {
            let id = TreeId { dist: dist.path.clone(), tree: name.clone() };
            bar.inc(1);
            trees.insert(id.clone());
            if !wanted(&id) {
                continue;
            }
            let dir = settings.site.root.join(name.as_str()).join(dist.path.as_str());
            let found = tree::read(&dir, look, cert.as_ref());
            report.trees += 1;
            report.packages += found.listed.len();
            let account = account::of_tree(&world, &id, &found, dist.trees.first() == Some(name));
            let below = |(file, what): Finding| (format!("{id}/{file}"), what);
            let before = report.findings.len();
            report.findings.extend(found.findings.into_iter().chain(account).map(below));
            let open =
                access::open_to_others(&settings.site.root, &Path::new(name.as_str()).join(dist.path.as_str()), owner);
            report.findings.extend(open.map(|what| (id.to_string(), what)));
            if report.findings.len() > before {
                report.doubtful.insert(id);
            }
        }
        let retired = settings.site.state.join("retired").join(dist.path.flat());
        report.findings.extend(account::lost(&world, &dist.path, &retired));
    }
    report.findings.extend(account::waiting(&world, Clock::System.now()));
    report.findings.extend(world.mismatches.iter().map(|what| ("logbook".to_owned(), what.clone())));
    report.findings.extend(checkpoint.map(|what| ("logbook.checkpoint".to_owned(), what)));
    let people = people::read(&settings.site.state).map_err(|error| error.sentence());
    let of_people = people.map_or_else(|why| vec![why], |people| account::of_people(&world, &people));
    report.findings.extend(of_people.into_iter().map(|what| (people::FILE.to_owned(), what)));
    report.findings.extend(of_reports(&world, &settings.site.state, look));
    let (doubts, unreadable) = offline::doubts(settings, &world, Clock::System.now());
    for (id, doubts) in doubts.into_iter().filter(|(id, _)| wanted(id)) {
        if let Some(what) = doubts.untrusted {
            report.findings.push((id.to_string(), what));
            report.doubtful.insert(id);
        }
    }
    report.findings.extend(unreadable.into_iter().map(|what| ("keys".to_owned(), what)));
    for id in world.trees.ids().filter(|id| !trees.contains(*id)) {
        if world.trees.listed(id) > 0 {
            let what = "the logbook has packages there, but the tree is not in the configuration";
            report.findings.push((id.to_string(), what.to_owned()));
        }
    }
    Ok(report)
}

/// What is wrong with the files of reports.
fn of_reports(world: &World, state: &Path, look: Look) -> Vec<Finding> {
    let wrong = |file: &File| match reports::look(state, &file.sha256, file.size, matches!(look, Look::AtBytes)) {
        Ok(None) => None,
        Ok(Some(Wrong::Missing)) => Some("it is missing".to_owned()),
        Ok(Some(Wrong::Size(size))) => Some(format!("it has {size} bytes instead of {}", file.size)),
        Ok(Some(Wrong::Changed)) => Some("its bytes were changed".to_owned()),
        Err(error) => Some(error.sentence()),
    };
    let unnamed = |named: &BTreeSet<_>| reports::unnamed(state, named).map_err(|error| error.sentence());
    account::of_reports(world, reports::DIR, wrong, unnamed)
}

fn progress(settings: &Settings) -> ProgressBar {
    let trees: usize = settings.distributions.iter().map(|dist| dist.trees.len()).sum();
    progress::bar(Some(trees as u64), "{wide_bar} {pos}/{len} trees {elapsed}")
}

/// Text for people: a line for each finding, and one that counts them.
fn show(report: &Report) -> String {
    let mut text = String::new();
    for (place, what) in &report.findings {
        let _ = writeln!(text, "{}: {}", super::verify::one_line(place), super::verify::one_line(what));
    }
    let Report { findings, trees, packages, entries, .. } = report;
    let looked = format!("{trees} trees with {packages} packages, {entries} entries in the logbook");
    let _ = match findings.len() {
        0 => writeln!(text, "Everything agrees: {looked}"),
        1 => writeln!(text, "One disagreement: {looked}"),
        more => writeln!(text, "{more} disagreements: {looked}"),
    };
    text
}

/// One JSON document for programs.
fn show_json(report: &Report) -> String {
    let findings: Vec<_> =
        report.findings.iter().map(|(place, what)| json!({ "place": place, "what": what })).collect();
    let Report { trees, packages, entries, .. } = report;
    let agrees = findings.is_empty();
    let document =
        json!({ "agrees": agrees, "trees": trees, "packages": packages, "entries": entries, "findings": findings });
    format!("{document:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a check finds, the last entry of the logbook, and whether no work is pending.
    type Seen = (&'static [&'static str], u64, bool);

    /// The findings that remain after some checks, and how many checks were made.
    fn settled(looks: &[Seen]) -> (Vec<String>, usize) {
        let mut taken = 0;
        let report = settle(|trees| {
            assert_eq!(trees.is_some(), taken > 0, "all trees are looked at first, and only then");
            let (findings, entries, quiet) = looks[taken.min(looks.len() - 1)];
            taken += 1;
            let findings = findings.iter().map(|what| ((*what).to_owned(), String::new())).collect();
            Ok(Report { findings, entries, quiet, ..Report::default() })
        });
        (report.unwrap_or_default().findings.into_iter().map(|(place, _)| place).collect(), taken)
    }

    #[test]
    fn what_is_on_its_way_is_no_disagreement() {
        assert_eq!(settled(&[(&[], 7, true)]), (vec![], 1));
        // The publication is done, and the logbook has not heard of it yet.
        assert_eq!(settled(&[(&["torn"], 7, false), (&[], 7, false)]), (vec![], 2));
        assert_eq!(settled(&[(&["torn"], 7, true), (&[], 7, true)]), (vec![], 2));
        assert_eq!(settled(&[(&["torn"], 7, false), (&["torn"], 7, false), (&["other"], 8, true)]), (vec![], 3));
    }

    #[test]
    fn what_is_wrong_is_found_again() {
        let wrong = vec!["gone".to_owned()];
        assert_eq!(settled(&[(&["gone"], 7, true), (&["gone"], 7, true)]), (wrong.clone(), 2));
        assert_eq!(
            settled(&[(&["gone", "torn"], 7, true), (&["gone"], 8, true), (&["gone"], 8, true)]),
            (wrong.clone(), 3)
        );
        // A killed daemon leaves its work pending for ever.
        assert_eq!(settled(&[(&["gone"], 7, false)]), (wrong, LOOKS));
    }

    #[test]
    fn disagreements_are_shown() {
        let finding = |place: &str| (place.to_owned(), "it is missing".to_owned());
        let report = |findings| Report { findings, trees: 4, packages: 12, entries: 99, ..Report::default() };
        let told = [vec![], vec![finding("testing/d Packages/a/a.rpm")], vec![finding("a"), finding("b\nc")]];
        insta::assert_snapshot!(told.map(|findings| show(&report(findings))).join("\n"));
    }
}
