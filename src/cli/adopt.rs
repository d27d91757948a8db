//! `rolloutd adopt`: takes over a tree that somebody else made, as it is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::exit::{Exit, Failure, Outcome, chain};
use super::{offline, progress};
use crate::daemon::adopt::{self, AdoptError, Adoption, Order};
use crate::domain::legible;
use crate::domain::names::{Actor, TreeId};
use crate::domain::nevra::Nevra;
use crate::domain::refusal::{Code, Refusal};
use crate::process::fact::count;
use crate::store::adoption::{self, PutBack};
use crate::store::disk;

/// How many files are named for each reason; --json has all of them.
const NAMED: usize = 5;

/// Takes over a tree that another program made, as it is
///
/// TREE is the path below the site's root, such as production/umd/3/sl6/x86_64. Its packages stay where
/// they are, so their URLs stay valid: their contents and times do not change, and nothing becomes
/// visible that its metadata did not list, except with --also-unlisted. A file that somebody else could
/// still write to is replaced by a copy. Each package goes through the gate with the keys of this tree.
/// Refused packages are listed by reason, and the tree is not taken until they are gone or a dated
/// exception lets them stay:
///
///   [[distribution.adopted]]
///   tree = "production"
///   code = "unsigned"
///   until = "2027-06-30"
///
/// Such a package stays in place and cannot move. If all is well, a single append to the logbook takes
/// the tree over; the daemon publishes it at its next start, with comps, modules, updateinfo and
/// everything else the metadata named. If interrupted, run it again. Until something has moved in the
/// tree, --undo releases it and restores the previous metadata.
///
/// The daemon must be stopped. Run this as the daemon's user.
///
/// Example: sudo -u rolloutd rolloutd adopt --dry-run production/umd/3/sl6/x86_64
///
/// Exit codes: 0 taken (or it could be), 1 not taken, with the reasons, 2 usage error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct AdoptArgs {
    /// The tree and the distribution, such as production/umd/3/sl6/x86_64
    #[arg(value_name = "TREE")]
    tree: String,
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/rolloutd/rolloutd.toml")]
    config: PathBuf,
    /// Check everything and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Also take packages that the metadata does not name; clients will see them
    #[arg(long, conflicts_with = "undo")]
    also_unlisted: bool,
    /// Release a tree in which nothing has moved yet
    #[arg(long)]
    undo: bool,
    /// Why; recorded in the logbook
    #[arg(long, value_name = "WHY", default_value = "")]
    reason: String,
    /// One JSON document on standard output and nothing else
    #[arg(long)]
    pub json: bool,
}

/// Adopts the tree, and reports what was found.
///
/// # Errors
/// Nothing was adopted.
pub fn run(args: &AdoptArgs, now: Timestamp) -> Result<Outcome, Failure> {
    let settings = offline::settings(&args.config)?;
    let Ok(id) = args.tree.parse() else {
        let message = format!("`{}` is not a tree of a distribution", args.tree.escape_default());
        return Err(Failure::new(Exit::Usage, message).hint("for example production/umd/3/sl6/x86_64"));
    };
    let who = Actor::recorded(&format!("{} at the console", disk::user(disk::me())));
    let (dry_run, also_unlisted, reason) = (args.dry_run, args.also_unlisted, args.reason.clone());
    let order = Order { id, also_unlisted, dry_run, who, reason };
    if args.undo {
        let undone = adopt::undo(&settings, &order, now).map_err(|error| failed(&error))?;
        return Ok(Outcome::done(show_undone(args, &order.id, undone)));
    }
    let bar = progress::bar(Some(0), "{wide_bar} {pos}/{len} packages {msg}, {per_sec}, {eta} left");
    let mut stage = "";
    let mut progress = |what: &'static str, done, all| {
        if stage != what {
            stage = what;
            bar.reset();
            bar.set_message(what);
        }
        bar.set_length(all);
        bar.set_position(done);
    };
    let adopted = adopt::adopt(&settings, &order, now, &mut progress);
    bar.finish_and_clear();
    let adopted = adopted.map_err(|error| failed(&error))?;
    let exit = if adopted.survey.is_good() { Exit::Done } else { Exit::Refused };
    let text = if args.json { show_json(&adopted, &order.id) } else { show(&adopted, &order.id) };
    Ok(Outcome { text, exit })
}

fn failed(error: &AdoptError) -> Failure {
    let exit = if matches!(error, AdoptError::Unusable(_)) { Exit::Usage } else { Exit::Refused };
    let failure = Failure::new(exit, chain(error));
    match error {
        AdoptError::Lock(_) => failure.hint("nothing was changed; run `systemctl stop rolloutd` first"),
        _ => failure,
    }
}

/// Some paths, and how many more there are.
fn some<'p>(places: impl ExactSizeIterator<Item = &'p str>) -> String {
    let more = places.len().saturating_sub(NAMED);
    let mut text: Vec<String> = places.take(NAMED).map(|place| place.escape_debug().to_string()).collect();
    if more > 0 {
        text.push(format!("and {more} more"));
    }
    text.join(", ")
}

/// Text for people.
fn show(Adoption { survey, done }: &Adoption, id: &TreeId) -> String {
    let mut text = String::new();
    let mut reasons: BTreeMap<&str, Vec<&(String, Refusal)>> = BTreeMap::new();
    for refused in &survey.refused {
        reasons.entry(refused.1.code.as_str()).or_default().push(refused);
    }
    for (code, all) in &reasons {
        let places: Vec<&str> = all.iter().map(|(place, _)| place.as_str()).collect();
        let _ = writeln!(text, "{code}: {} ({})", count(all.len(), "file"), some(places.into_iter()));
        if let Some((_, refusal)) = all.first() {
            let _ = writeln!(text, "    {} Found: {}", refusal.code.rule(), legible::line(&refusal.detail));
        }
    }
    let list = |text: &mut String, all: &[String], what: &str| {
        if !all.is_empty() {
            let _ = writeln!(text, "{}: {} ({})", what, all.len(), some(all.iter().map(String::as_str)));
        }
    };
    list(&mut text, &survey.missing, "listed in the metadata but missing");
    list(&mut text, &survey.unlisted, "not listed in the metadata, left alone");
    let again: Vec<String> = survey.again.iter().map(|(place, _)| place.clone()).collect();
    list(&mut text, &again, "duplicates of the same package, no longer listed");
    for (code, number) in adoption::exceptions(&survey.stay) {
        let _ = writeln!(text, "{code}: {} by an exception and cannot move", stay(number));
    }
    let open = survey.stay.iter().filter(|stays| stays.is_open).count();
    let packages = count(survey.stay.len(), "package");
    if *done {
        if open > 0 {
            let _ = writeln!(text, "{} that others could write to: replaced by copies", count(open, "file"));
        }
        let _ =
            writeln!(text, "{id} is now managed, with {packages} left in place. Start the daemon to publish the tree.");
    } else if survey.is_good() {
        if open > 0 {
            let _ = writeln!(text, "{} that others can write to: will be replaced by copies", count(open, "file"));
        }
        let _ = writeln!(text, "{id} can be adopted: {packages} would stay in place. Nothing was changed.");
    } else if survey.stay.is_empty() && survey.refused.is_empty() && survey.missing.is_empty() {
        let _ = writeln!(
            text,
            "{id} has no metadata that lists a package; --also-unlisted takes the packages there. Nothing was changed."
        );
    } else {
        let _ = writeln!(
            text,
            "{id} was not taken: {packages} could stay. Move away the files named above, or let them stay with \
             [[distribution.adopted]] where possible, and rebuild the metadata if it lists missing files. \
             Nothing was changed."
        );
    }
    text
}

/// JSON for programs.
fn show_json(Adoption { survey, done }: &Adoption, id: &TreeId) -> String {
    let refused = |(place, refusal): &(String, Refusal)| json!({ "place": place, "code": refusal.code.as_str(), "detail": refusal.detail });
    let stays = |stays: &adoption::Stays| {
        json!({
            "place": stays.place, "nevra": stays.nevra.to_string(), "sha256": stays.sha256.to_hex(),
            "excepted": stays.excepted.map(Code::as_str), "copied": stays.is_open,
        })
    };
    let again = |(place, nevra): &(String, Nevra)| json!({ "place": place, "nevra": nevra.to_string() });
    let document = json!({
        "tree": id.to_string(), "adopted": done,
        "packages": survey.stay.iter().map(stays).collect::<Vec<Value>>(),
        "refused": survey.refused.iter().map(refused).collect::<Vec<Value>>(),
        "missing": survey.missing, "unlisted": survey.unlisted,
        "again": survey.again.iter().map(again).collect::<Vec<Value>>(),
    });
    format!("{document:#}\n")
}

/// How many packages stay, as a phrase.
fn stay(number: usize) -> String {
    if number == 1 { "1 package stays".to_owned() } else { format!("{number} packages stay") }
}

fn show_undone(args: &AdoptArgs, id: &TreeId, (number, put_back): (usize, Option<PutBack>)) -> String {
    if args.json {
        let metadata = put_back.map(|put_back| match put_back {
            PutBack::Restored => "restored",
            PutBack::Removed => "removed",
            PutBack::NotKept => "not kept",
        });
        let released = put_back.is_some();
        let document =
            json!({ "tree": id.to_string(), "packages": number, "released": released, "metadata": metadata });
        return format!("{document:#}\n");
    }
    let packages = count(number, "package");
    let metadata = match put_back {
        None => return format!("{id} could be released, with {packages}. Nothing was changed.\n"),
        Some(PutBack::Restored) => "its previous metadata is restored",
        Some(PutBack::Removed) => "it has no metadata, as before",
        Some(PutBack::NotKept) => "its metadata stays, because the previous one is no longer in the state directory",
    };
    format!(
        "{id} is no longer managed: {packages} are unchanged, and {metadata}. The daemon, if it is started, \
         publishes nothing there and says so until the tree is adopted again or is no longer in its configuration. The files that \
         it added (the .repo file, the public keys) and those that were copied stay.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::adoption::{Stays, Survey};
    use crate::store::stamp::Stamp;

    fn survey(stay: usize, refused: &[(&str, Code)]) -> Survey {
        let stays = |n: usize| Stays {
            place: format!("a{n}.rpm"),
            nevra: format!("a{n}-1-1.noarch").parse().expect("a package"),
            sha256: crate::domain::checksum::Sha256([7; 32]),
            size: 1,
            signed: crate::domain::trust::Accepted { fingerprints: vec![], keys: vec![], notes: vec![] },
            excepted: (n == 0).then_some(Code::Unsigned),
            stamp: Stamp::of(&std::fs::metadata("/").expect("there is one")),
            is_open: n == 1,
        };
        let refused = refused.iter().map(|(place, code)| ((*place).to_owned(), Refusal::new(*code, "it is not")));
        Survey { stay: (0..stay).map(stays).collect(), refused: refused.collect(), ..Survey::default() }
    }

    #[test]
    fn an_adoption_is_reported() {
        let id = "production/umd/3/sl6/x86_64".parse().expect("a tree");
        let many = ["a", "b", "c", "d", "e", "f", "g"].map(|name| (name, Code::UnknownKey));
        let mut bad = survey(1, &[&many[..], &[("x\ny.rpm", Code::Unsigned)]].concat());
        bad.missing.push("gone.rpm".into());
        bad.unlisted.push("other.rpm".into());
        bad.again.push(("copy.rpm".into(), "a0-1-1.noarch".parse().expect("a package")));
        let told = [(survey(3, &[]), false), (survey(3, &[]), true), (survey(0, &[]), false), (bad, false)];
        let told = told.map(|(survey, done)| show(&Adoption { survey, done }, &id));
        insta::assert_snapshot!(told.join("\n"));
    }
}
