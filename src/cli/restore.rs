//! `rolloutd restore`: puts a backup of the state back, when no daemon runs and nothing newer is lost by it.

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

/// Disagreements that are shown; `rolloutd fsck` shows all.
const SHOWN: usize = 20;

/// Checks a backup, puts it in the place of the state, and compares it with the trees
///
/// Every file must be as the manifest has it, and the logbook whole to its head. The daemon must not
/// run. A state whose logbook is the beginning of the backup's, or that has none, is replaced; one that
/// has entries that the backup lacks only with --replace. What was there is moved into a directory
/// before-restore-... of the state directory and never removed: remove it yourself when all is well.
///
/// Then trees and logbook are compared as `rolloutd fsck` does. What does not agree is named, and the
/// daemon publishes nothing in such a tree until it is put right. Bring back lost trees before.
///
/// Run it as the user that runs the daemon, or as root: then it belongs to the owner of the state
/// directory, or of the site's root where the state is lost. Paths and users may be other ones than those of the backup.
///
/// Example: sudo -u rolloutd rolloutd restore /var/backups/rolloutd/monday
///
/// Exit codes: 0 restored, and everything agrees; 1 refused, or restored and something does not
/// agree, as it says; 2 it was called in the wrong way.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct RestoreArgs {
    /// The backup
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/rolloutd/rolloutd.toml")]
    config: PathBuf,
    /// Also when the state has entries that the backup lacks; they count no more
    #[arg(long)]
    replace: bool,
    /// Keep the logbook that is there, and put back only withdrawn and refused files that are missing
    #[arg(long, conflicts_with = "replace")]
    files: bool,
    /// One JSON document on standard output and nothing else
    #[arg(long)]
    pub json: bool,
}

/// Puts it back and says what is to be done then.
///
/// # Errors
/// Nothing was put back then; when the exchange had begun, the words say so.
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
        failed(&error).hint("if the exchange had begun, the daemon does not start; mend it and run the same again")
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
        format!("Put back {files} files that were missing in {state}; its logbook is as it was\n")
    }))
}

/// The site for this program alone; the trees may not be there yet.
fn alone(settings: &Settings) -> Result<SiteLock, Failure> {
    let (state, root) = (&settings.site.state, &settings.site.root);
    backup::claim(&Kernel::default(), state, root).map_err(|error| failed(&error))?;
    let who = format!("pid {}, rolloutd restore", std::process::id());
    lock::lock_site_or_state(state, root, &who).map_err(|error| {
        let held = matches!(error, lock::LockError::Held { .. });
        let failure = Failure::new(Exit::Refused, super::exit::chain(&error));
        if held { failure.hint("nothing was changed; `systemctl stop rolloutd`") } else { failure }
    })
}

/// Why the state must not be replaced without the word of an admin.
fn may_replace(standing: &Standing, backup: &Backup, state: &Path) -> Option<Failure> {
    let (state, manifest) = (state.display(), &backup.manifest);
    let message = match standing {
        Standing::Nothing | Standing::Within(_) => return None,
        Standing::Ahead(entries, last) => {
            let last = last.map(|last| format!(", the last of {last}")).unwrap_or_default();
            let (had, made) = (manifest.entries, manifest.made);
            format!("{state} knows of {entries} entries{last}; the backup of {made} has the first {had} of them")
        }
        Standing::Another(entries) => {
            let had = manifest.entries;
            format!("{state} has another logbook, of {entries} entries, than the backup, of {had}")
        }
        Standing::Unreadable(why) => format!("what {state} has cannot be compared with the backup: {why}"),
    };
    Some(Failure::new(Exit::Refused, format!("{message}. Nothing was changed")).hint(
        "if only withdrawn or refused files are missing, say --files. If the backup is what you want all the same, say \
         --replace: what is there is moved aside, and trees that show more than the backup knows are held",
    ))
}

/// What is to be told.
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
            let _ = writeln!(text, "What was there lies in {}; remove it when all is well", aside.display());
        }
        match &self.compared {
            Ok(outcome) => {
                let lines: Vec<&str> = outcome.text.lines().collect();
                // The last line counts.
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
            "If trees are missing or old, bring them back and run `rolloutd fsck`. If they are newer than the backup, look \
             for a newer backup. The daemon may be started: it makes again what it can, and publishes nothing in a tree \
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
