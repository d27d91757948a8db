//! `rolloutd backup`: a copy of the state from which the site can be restored.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use jiff::Timestamp;
use serde_json::json;

use super::exit::{Exit, Failure, Outcome};
use super::{offline, progress, verify};
use crate::config::settings::Settings;
use crate::store::backup::{self, BackupError, Made};
use crate::store::disk::Kernel;

/// Copies the state of a site, running or stopped, into a new directory
///
/// The logbook is copied through SQLite, so the copy is consistent whatever the daemon writes
/// meanwhile, and blocks nobody. The backup also has logbook.head, the register of people
/// (people.sqlite), the withdrawn packages (retired/), the refused files (rejected/), and a manifest
/// with the SHA-256 of each, for `rolloutd restore`. It contains nothing that can be rebuilt, and no
/// trees, keys or configuration: back those up like other files, the trees after the state. People who
/// are erased later stay in the backup.
///
/// DIR must be new or empty, and must not lie in the state directory or below `root` or `incoming`. It
/// appears under its name once it is complete, and only its owner can read it. Run this as the user
/// that runs the daemon.
///
/// Example: sudo -u rolloutd rolloutd backup /var/backups/rolloutd/monday
///
/// Exit codes: 0 made, 1 not made, 2 usage error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct BackupArgs {
    /// The directory for the backup
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/rolloutd/rolloutd.toml")]
    config: PathBuf,
    /// One JSON document on standard output and nothing else
    #[arg(long)]
    pub json: bool,
}

/// Makes the backup and reports what is in it.
///
/// # Errors
/// Nothing was made.
pub fn run(args: &BackupArgs, now: Timestamp) -> Result<Outcome, Failure> {
    let settings = offline::settings(&args.config)?;
    let dir = std::path::absolute(&args.dir).map_err(|e| Failure::new(Exit::Usage, e))?;
    apart(&settings, &dir)?;
    let bar = progress("copied");
    let copied = |done, all| follow(&bar, done, all);
    let site = &settings.site;
    let made = backup::make(&Kernel::default(), &site.state, &site.name, &dir, now, &copied);
    bar.finish_and_clear();
    let made = made.map_err(|error| failed(&error))?;
    Ok(Outcome::done(if args.json { show_json(&made, &dir) } else { show(&made, &dir) }))
}

/// A backup must not be part of what it copies, nor be served.
fn apart(settings: &Settings, dir: &Path) -> Result<(), Failure> {
    // The existing part of the path may lead elsewhere.
    let mut there = dir.ancestors();
    let real = there.find_map(|part| Some(part.canonicalize().ok()?.join(dir.strip_prefix(part).ok()?)));
    let real = real.unwrap_or_else(|| dir.to_owned());
    let site = &settings.site;
    for (what, place) in [("site.state", &site.state), ("site.root", &site.root), ("site.incoming", &site.incoming)] {
        let place = place.canonicalize().unwrap_or_else(|_| place.clone());
        if real.starts_with(&place) {
            let message = format!("{} lies in {what} ({})", dir.display(), place.display());
            return Err(
                Failure::new(Exit::Usage, message).hint("choose a directory elsewhere, preferably on another disk")
            );
        }
    }
    Ok(())
}

/// Turns an error of the store into the failure of a command.
pub(super) fn failed(error: &BackupError) -> Failure {
    let denied = |kind| kind == std::io::ErrorKind::PermissionDenied;
    let is_denied = match error {
        BackupError::Disk(error) => denied(error.source.kind()),
        BackupError::Logbook(error) => error.is_denied(),
        _ => false,
    };
    let exit = if matches!(error, BackupError::Place { .. }) { Exit::Usage } else { Exit::Refused };
    let failure = Failure::new(exit, error);
    if is_denied { failure.hint("run it as the user that runs the daemon, with `sudo -u rolloutd`") } else { failure }
}

pub(super) fn progress(done: &'static str) -> ProgressBar {
    progress::bar(None, &format!("{{wide_bar}} {{bytes}}/{{total_bytes}} {done} {{bytes_per_sec}}, {{eta}} left"))
}

pub(super) fn follow(bar: &ProgressBar, done: u64, all: u64) {
    bar.set_length(all);
    bar.set_position(done);
}

/// Text for people.
fn show(made: &Made, dir: &Path) -> String {
    let mut text = String::new();
    for (path, why) in &made.notes {
        let _ = writeln!(text, "{}: {why}", verify::one_line(&path.display().to_string()));
    }
    let bytes: u64 = made.manifest.files.iter().map(|file| file.bytes).sum();
    let (entries, files) = (made.manifest.entries, made.manifest.files.len());
    let _ = writeln!(
        text,
        "Backed up to {}: {entries} entries of the logbook, {files} files, {bytes} bytes",
        dir.display()
    );
    text
}

/// One JSON document for programs.
fn show_json(made: &Made, dir: &Path) -> String {
    let bytes: u64 = made.manifest.files.iter().map(|file| file.bytes).sum();
    let notes: Vec<_> =
        made.notes.iter().map(|(path, why)| json!({ "path": path.display().to_string(), "what": why })).collect();
    let document = json!({
        "dir": dir.display().to_string(), "entries": made.manifest.entries, "hash": made.manifest.hash,
        "files": made.manifest.files.len(), "bytes": bytes, "notes": notes,
    });
    format!("{document:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::backup::{Entry, Manifest};

    #[test]
    fn a_backup_is_reported() {
        let entry = |bytes| Entry {
            path: "a".into(),
            bytes,
            sha256: String::new(),
            mode: 0o600,
            modified: Timestamp::UNIX_EPOCH,
        };
        let manifest = Manifest {
            format: 1,
            program: "0.1.0".into(),
            made: Timestamp::UNIX_EPOCH,
            site: "Example".into(),
            entries: 99,
            hash: String::new(),
            files: vec![entry(1_000), entry(24)],
        };
        let notes = vec![("/state/rejected/d/link".into(), "is not a plain file; skipped".to_owned())];
        insta::assert_snapshot!(show(&Made { manifest, notes }, Path::new("/var/backups/rolloutd/monday")));
    }
}
