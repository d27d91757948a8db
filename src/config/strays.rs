//! The daemon's files that belong to somebody else, as left by a daemon or command that was once run as root by
//! mistake: the daemon's user can then neither read nor replace them.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::reader::Outcome;
use crate::format::complaint::Findings;
use crate::store::disk::user;
use crate::store::{ownership, tree};

/// Most names checked in one directory.
const NAMES_MAX: usize = 10_000;

/// Checks the state directory and the directories of the trees.
pub fn look(outcome: &Outcome, findings: &mut Findings) {
    let Some(site) = &outcome.site else { return };
    let owner = ownership::of_site(&site.state);
    if owner == 0 {
        return;
    }
    let mut report = |key: &str, top: &Path, all: Vec<PathBuf>, is_stray: &dyn Fn(u32) -> bool| {
        let uid = |path: &PathBuf| std::fs::symlink_metadata(path).ok().map(|meta| meta.uid());
        let strays: Vec<(PathBuf, u32)> = all
            .into_iter()
            .filter_map(|path| Some((uid(&path)?, path)))
            .filter(|(uid, _)| is_stray(*uid))
            .map(|(uid, path)| (path, uid))
            .collect();
        let Some((first, whose)) = strays.first() else { return };
        let more = match strays.len() {
            1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        let (whose, owner, top) = (user(*whose), user(owner), top.display());
        let what = format!("{}{more} belongs to {whose}, but the daemon's files belong to {owner}", first.display());
        let hint = format!("as root, `chown -R --from={whose} {owner} {top}`");
        findings.complain(&outcome.places.of(key), what, Some(hint));
    };
    report("site.state", &site.state, of_state(&site.state), &|uid| uid != owner);
    // Trees may be in a directory that root created; only root's files below that are reported.
    report("site.root", &site.root, of_trees(outcome, &site.root), &|uid| uid == 0);
}

/// The daemon's private files. Refused files belong to whoever uploaded them.
fn of_state(state: &Path) -> Vec<PathBuf> {
    let names = ["lock", "http.addr", "restore.unfinished"];
    let begins = ["logbook.", "people."];
    let ours = |name: &str| names.contains(&name) || begins.iter().any(|begin| name.starts_with(begin));
    let mut found = Vec::new();
    for path in below(state) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match name.as_str() {
            "index" | "scrub" => found.extend(below(&path)),
            "retired" | "rejected" => found.extend(below(&path).into_iter().filter(|path| path.is_dir())),
            name if ours(name) => {}
            _ => continue,
        }
        found.push(path);
    }
    found
}

fn of_trees(outcome: &Outcome, root: &Path) -> Vec<PathBuf> {
    let mut found = vec![root.join(".rolloutd.lock")];
    for (_, distribution) in &outcome.distributions {
        for name in &distribution.trees {
            let dir = root.join(name.as_str()).join(distribution.path.as_str());
            found.extend([tree::REPODATA, tree::PACKAGES].map(|part| dir.join(part)));
            found.extend(tree::package_dirs(&dir).unwrap_or_default());
            found.push(dir);
        }
    }
    found
}

fn below(dir: &Path) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(dir).into_iter().flatten().flatten().take(NAMES_MAX).map(|entry| entry.path()).collect();
    names.sort();
    names
}
