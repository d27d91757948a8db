//! `rolloutd restore`: restores a backup of the state, while no daemon runs and if nothing newer is lost.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::backup::{failed, follow, progress};
use super::exit::{Exit, Failure, Outcome};
use super::{fsck, offline};
use crate::config::settings::Settings;
use crate::store::backup::{self, Backup, Standing};
use crate::store::disk::Kernel;
use crate::store::lock::{self, SiteLock};

/// How many disagreements are shown; `rolloutd fsck` shows all.
const SHOWN: usize = 20;

/// Checks a backup, replaces the state with it, and compares it with the trees
///
/// The daemon must be stopped. Every file of the backup must match its manifest, and its logbook must
/// be complete up to its head. A state with logbook entries that the backup lacks is replaced only with
/// --replace. The old files are moved to before-restore-... in the state directory and never removed:
/// remove them yourself when all is well.
///
/// Then trees and logbook are compared as `rolloutd fsck` does. Disagreements are listed, and the
/// daemon publishes nothing in such a tree until they are fixed. Restore lost trees first.
///
/// Run this as the user that runs the daemon, or as root: then the files belong to the owner of the
/// state directory, or of the site's root if the state is lost. Paths and users may differ from the
/// backup's.
///
/// Example: sudo -u rolloutd rolloutd restore /var/backups/rolloutd/monday
///
/// Exit codes: 0 restored, and everything agrees; 1 refused, or restored with disagreements, which are
/// listed; 2 usage error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct RestoreArgs {
    /// The backup
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/rolloutd/rolloutd.toml")]
    config: PathBuf,
    /// Restore even if the state has entries that the backup lacks; they are dropped
    #[arg(long)]
    replace: bool,
    /// Keep the present logbook, and restore only missing files: withdrawn, refused, people.sqlite
    #[arg(long, conflicts_with = "replace")]
    files: bool,
    /// One JSON document on standard output and nothing else
    #[arg(long)]
    pub json: bool,
}

/// Restores the backup and reports what to do next.
///
/// # Errors
/// Nothing was restored; if the exchange had begun, the message says so.
pub fn run(args: &RestoreArgs, now: Timestamp) -> Result<Outcome, Failure> {
    let settings = offline::settings(&args.config)?;
    let dir = std::path::absolute(&args.dir).map_err(|e| Failure::new(Exit::Usage, e))?;
    let bar = progress("checked");
    let opened = Backup::open(&dir, &|done, all| follow(&bar, done, all));
    bar.finish_and_clear();
    let backup = opened.map_err(|error| failed(&error))?;
    let state = &settings.site.state;
    let lock = alone(&settings)?;
    if args.files {
        return put_files(&backup, state, args.json);
    }
    let standing = backup.compare(state).map_err(|error| failed(&error.into()))?;
    if let Some(refusal) = may_replace(&standing, &backup, state).filter(|_| !args.replace) {
        return Err(refusal);
    }
    let bar = progress("copied");
    let put = backup.put_back(&Kernel::default(), state, now, &|done, all| follow(&bar, done, all));
    bar.finish_and_clear();
    let aside = put.map_err(|error| {
        failed(&error)
            .hint("if files were already replaced, the daemon does not start; fix the cause and run the command again")
    })?;
    drop(lock);
    let compared = fsck::run(&fsck::FsckArgs::of(&args.config, args.json));
    let agrees = compared.as_ref().is_ok_and(|outcome| outcome.exit == Exit::Done);
    let exit = if agrees { Exit::Done } else { Exit::Refused };
    let report = Report { entries: backup.manifest.entries, made: backup.manifest.made, aside, compared, agrees };
    let text = if args.json { report.json(state) } else { report.words(state) };
    Ok(Outcome { text, exit })
}

fn put_files(backup: &Backup, state: &Path, json: bool) -> Result<Outcome, Failure> {
    let bar = progress("copied");
    let put = backup.put_missing(&Kernel::default(), state, &|done, all| follow(&bar, done, all));
    bar.finish_and_clear();
    let files = put.map_err(|error| failed(&error))?;
    let state = state.display().to_string();
    Ok(Outcome::done(if json {
        format!("{:#}\n", json!({ "state": state, "files": files }))
    } else {
        format!("Restored {files} missing files in {state}; its logbook is unchanged\n")
    }))
}

/// Locks the site; the trees may not exist yet.
fn alone(settings: &Settings) -> Result<SiteLock, Failure> {
    let (state, root) = (&settings.site.state, &settings.site.root);
    backup::claim(&Kernel::default(), state, root).map_err(|error| failed(&error))?;
    let who = format!("pid {}, rolloutd restore", std::process::id());
    lock::lock_site_or_state(state, root, &who).map_err(|error| {
        let held = matches!(error, lock::LockError::Held { .. });
        let failure = Failure::new(Exit::Refused, super::exit::chain(&error));
        if held { failure.hint("nothing was changed; run `systemctl stop rolloutd` first") } else { failure }
    })
}

/// Why the state must not be replaced unless an admin insists.
fn may_replace(standing: &Standing, backup: &Backup, state: &Path) -> Option<Failure> {
    let (state, manifest) = (state.display(), &backup.manifest);
    let message = match standing {
        Standing::Nothing | Standing::Within(_) => return None,
        Standing::Ahead(entries, last) => {
            let last = last.map(|last| format!(", the last of {last}")).unwrap_or_default();
            let (had, made) = (manifest.entries, manifest.made);
            format!("{state} has {entries} entries{last}; the backup of {made} has only the first {had}")
        }
        Standing::Another(entries) => {
            let had = manifest.entries;
            format!("{state} has a different logbook ({entries} entries) than the backup ({had})")
        }
        Standing::Unreadable(why) => format!("{state} cannot be compared with the backup: {why}"),
    };
    Some(Failure::new(Exit::Refused, format!("{message}. Nothing was changed")).hint(
        "if only withdrawn or refused files are missing, use --files. If you still want the backup, use \
         --replace: what is there is moved aside, and trees that show more than the backup knows are held",
    ))
}

/// What to report.
struct Report {
    entries: u64,
    made: Timestamp,
    aside: Option<PathBuf>,
    compared: Result<Outcome, Failure>,
    agrees: bool,
}

impl Report {
    fn words(&self, state: &Path) -> String {
        let mut text = String::new();
        let state = state.display();
        let _ = writeln!(text, "Restored in {state}: {} entries of the logbook, as of {}", self.entries, self.made);
        if let Some(aside) = &self.aside {
            let _ = writeln!(text, "The old files are in {}; remove them when all is well", aside.display());
        }
        match &self.compared {
            Ok(outcome) => {
                let lines: Vec<&str> = outcome.text.lines().collect();
                // The last line is the count.
                let (last, found) = lines.split_last().unwrap_or((&"", &[]));
                for line in found.iter().take(SHOWN) {
                    let _ = writeln!(text, "{line}");
                }
                if found.len() > SHOWN {
                    let _ = writeln!(text, "and {} more; `rolloutd fsck` shows all", found.len() - SHOWN);
                }
                let _ = writeln!(text, "{last}");
            }
            Err(failure) => {
                let _ = writeln!(text, "Trees and logbook could not be compared: {}", failure.message);
            }
        }
        let next = if self.agrees {
            "Start the daemon."
        } else {
            "If trees are missing or old, restore them and run `rolloutd fsck`. If they are newer than the \
             backup, look for a newer backup. You may start the daemon: it rebuilds what it can, and publishes \
             nothing in a tree \
             that it cannot explain; `rolloutctl check` names each with what to do."
        };
        let _ = writeln!(text, "{next}");
        text
    }

    fn json(&self, state: &Path) -> String {
        let compared = match &self.compared {
            Ok(outcome) => serde_json::from_str(&outcome.text).unwrap_or(Value::Null),
            Err(failure) => json!({ "failed": failure.message }),
        };
        let document = json!({
            "state": state.display().to_string(), "entries": self.entries, "made": self.made.to_string(),
            "aside": self.aside.as_ref().map(|aside| aside.display().to_string()), "fsck": compared,
        });
        format!("{document:#}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restore_is_reported() {
        let report = |aside: Option<&str>, compared, agrees| Report {
            entries: 99,
            made: Timestamp::UNIX_EPOCH,
            aside: aside.map(PathBuf::from),
            compared,
            agrees,
        };
        let many = "testing/d: it differs\n".repeat(SHOWN + 2);
        let told = [
            report(None, Ok(Outcome::done("Everything agrees: 4 trees\n")), true),
            report(Some("/state/before-restore-1"), Ok(Outcome::done(format!("{many}22 disagreements\n"))), false),
            report(None, Err(Failure::new(Exit::Usage, "could not read the key")), false),
        ];
        insta::assert_snapshot!(told.map(|report| report.words(Path::new("/state"))).join("\n"));
    }
}
