//! `site.root`, `site.state`, `site.incoming` and the trees: do they exist, are they usable, are they separate?
//!
//! Trees need not exist yet; the daemon creates them. The web server must never serve our own state, and no link below
//! the root may lead out of it (*contained*).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::files::{self, Directory};
use super::mentions::{Mention, Purpose};
use super::reader::Outcome;
use super::settings::{Distribution, Watch};
use crate::domain::names::TreeId;
use crate::format::complaint::Findings;
use crate::format::quantity;
use crate::link::watch::{self, Mode};
use crate::store::disk;
use crate::store::ownership;

/// With less than this, a burst of uploads fills the disk.
const SPACE_MIN: u64 = 1 << 30;

/// Most directories counted when comparing with the number of watches.
const COUNT_MAX: u64 = 100_000;

/// Checks all directories that the configuration names.
pub fn look(outcome: &Outcome, findings: &mut Findings) {
    let mention = |purpose: &Purpose| outcome.notebook.mentions.iter().find(|mention| mention.purpose == *purpose);
    let root = mention(&Purpose::Root).and_then(|mention| one(mention, findings));
    let state = mention(&Purpose::State).and_then(|mention| one(mention, findings));
    if let (Some(root), Some(state)) = (&root, &state) {
        apart(outcome, root, state, findings);
    }
    let incoming = mention(&Purpose::Incoming).and_then(|mention| drop_directory(mention, findings));
    if let Some(incoming) = &incoming {
        let others = [("site.root, which the web server serves,", &root), ("site.state", &state)];
        let inside = |a: &Directory, b: &Directory| a.real.starts_with(&b.real) && b.exists;
        for (name, other) in others.into_iter().filter_map(|(name, other)| Some((name, other.as_ref()?))) {
            let (r, o) = (&incoming.real, &other.real);
            if (inside(incoming, other) || inside(other, incoming)) && !told(outcome) {
                let what = format!("leads to {}, and {name} is {}: one is inside the other", r.display(), o.display());
                let hint = "for example: incoming = \"/srv/repo/incoming\"".to_owned();
                findings.complain(&outcome.places.of("site.incoming"), what, Some(hint));
            }
        }
    }
    let (Some(_), Some(mention)) = (root, mention(&Purpose::Root)) else { return };
    let owner = outcome.site.as_ref().map_or_else(disk::me, |site| ownership::of_site(&site.state));
    let mut named = BTreeSet::new();
    for (number, distribution) in &outcome.distributions {
        trees(outcome, (*number, distribution), (&mention.path, owner), &mut named, findings);
        if let Some(incoming) = outcome.site.as_ref().filter(|_| incoming.is_some()).map(|site| &site.incoming) {
            watched(outcome, *number, &incoming.join(distribution.path.as_str()), findings);
        }
    }
}

/// Whether the reader has already complained about how the site's directories overlap.
fn told(outcome: &Outcome) -> bool {
    let nested = |a: &Path, b: &Path| a.starts_with(b) || b.starts_with(a);
    outcome.site.as_ref().is_none_or(|site| nested(&site.incoming, &site.root) || nested(&site.incoming, &site.state))
}

/// The drop directory. The daemon creates it if it can.
fn drop_directory(mention: &Mention, findings: &mut Findings) -> Option<Directory> {
    match files::directory(&mention.path) {
        Ok(_) => one(mention, findings),
        Err(mut trouble) => {
            let shown = mention.path.display();
            trouble.what = format!("uploads go to {shown}, and {}", trouble.what);
            if !mention.path.exists() {
                // Checked as root, it is not root's.
                let remedy = match disk::me() {
                    0 => format!("install -d -o rolloutd {shown}"),
                    _ => disk::remedy_of_missing(&mention.path),
                };
                trouble.hint = Some(format!("create it for the user that runs rolloutd: {remedy}"));
            }
            findings.trouble(&mention.at, trouble);
            None
        }
    }
}

/// One directory: usable, not open to everybody, with free space.
fn one(mention: &Mention, findings: &mut Findings) -> Option<Directory> {
    let path = &mention.path;
    let directory = match files::directory(path) {
        Ok(directory) => directory,
        Err(trouble) => {
            findings.trouble(&mention.at, trouble);
            return None;
        }
    };
    if directory.exists {
        if let Some(trouble) = files::changeable_by_others(path) {
            findings.trouble(&mention.at, trouble);
        }
    } else {
        findings.note(&mention.at, format!("{} does not exist yet and will be created", path.display()), None);
    }
    if let Some((link, to)) = files::link_on_the_way(Path::new("/"), path) {
        let what = format!("{} is a symbolic link to {}", link.display(), to.display());
        findings.note(&mention.at, what, Some("name the directory itself, so that nobody can redirect it".to_owned()));
    }
    if let Ok(space) = rustix::fs::statvfs(&directory.real) {
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        if free < SPACE_MIN {
            let what = format!("{} has only {} MiB left", directory.real.display(), free >> 20);
            findings.note(&mention.at, what, None);
        }
    }
    Some(directory)
}

/// State and root after resolving all links: neither is inside the other, with a note if moving requires copying.
fn apart(outcome: &Outcome, root: &Directory, state: &Directory, findings: &mut Findings) {
    let at = outcome.places.of("site.state");
    let (r, s) = (&root.real, &state.real);
    let nested = match (root.exists, state.exists) {
        (true, true) => s.starts_with(r) || r.starts_with(s),
        (true, false) => s.starts_with(r),
        (false, true) => r.starts_with(s),
        // Both will be created below existing directories, and their names show how they overlap.
        (false, false) => false,
    };
    let named = outcome.site.as_ref();
    let told = named.is_none_or(|site| site.state.starts_with(&site.root) || site.root.starts_with(&site.state));
    if nested && !told {
        let what = format!("leads to {}, and site.root to {}: one is inside the other", s.display(), r.display());
        findings.complain(&at, what, Some("state must be outside what a web server serves".to_owned()));
    }
    if files::file_system(&root.metadata) != files::file_system(&state.metadata) {
        let what = "is on another file system than site.root, so withdrawn packages are copied instead of linked";
        findings.note(&at, what.to_owned(), None);
    }
}

/// The existing trees of one distribution. `named` are the directories already reported as open to others.
fn trees(
    outcome: &Outcome,
    (number, distribution): (usize, &Distribution),
    (root, owner): (&Path, u32),
    named: &mut BTreeSet<PathBuf>,
    findings: &mut Findings,
) {
    let at = outcome.places.of(&format!("distribution[{number}].path"));
    let mut first: Option<(u64, &str)> = None;
    for (position, tree) in distribution.trees.iter().enumerate() {
        let path = root.join(tree.as_str()).join(distribution.path.as_str());
        if let Some((link, to)) = files::link_on_the_way(root, &path) {
            let what = format!("{} is a symbolic link to {}", link.display(), to.display());
            findings.complain(&at, what, Some("links are not allowed below site.root; use a bind mount".to_owned()));
            continue;
        }
        let directory = match files::directory(&path) {
            Ok(directory) => directory,
            Err(trouble) => {
                findings.trouble(&at, trouble);
                continue;
            }
        };
        let file_system = files::file_system(&directory.metadata);
        match first {
            Some((other, name)) if other != file_system => {
                let what = format!("`{tree}` is on another file system than `{name}`, so packages are copied there");
                findings.note(&at, what, None);
            }
            Some(_) => {}
            None => first = Some((file_system, tree.as_str())),
        }
        let id = TreeId { dist: distribution.path.clone(), tree: tree.clone() };
        // A tree that cannot be looked at is reported elsewhere.
        let Ok(Some(open)) = ownership::look(root, &id, owner, ownership::Look::AtAll) else { continue };
        let root_was_named = open.dir == root && files::changeable_by_others(root).is_some();
        if !root_was_named && named.insert(open.dir.clone()) {
            let mut hint = open.remedy();
            if position == 0
                && let Some(site) = &outcome.site
            {
                let incoming = site.incoming.join(distribution.path.as_str());
                hint = format!("{hint}; people upload to {}", incoming.display());
            }
            findings.complain(&at, open.what(), Some(hint));
        }
    }
}

/// Whether the kernel can report uploads.
fn watched(outcome: &Outcome, number: usize, incoming: &Path, findings: &mut Findings) {
    let Ok(directory) = files::directory(incoming) else { return };
    // With other complaints about the file, the default is the best guess.
    let watch = outcome.settings.as_ref().map_or_else(Watch::default, |settings| settings.watch);
    if watch.mode == Mode::Poll {
        return;
    }
    let at = outcome.places.of(&format!("distribution[{number}].path"));
    let real = directory.real.display();
    if let Some(name) = watch::without_events(&directory.real) {
        let (every, hint) = match watch.mode {
            Mode::Events => (watch.scan_every, Some("watch.mode = \"auto\" polls more often there".to_owned())),
            Mode::Auto | Mode::Poll => (watch.poll_every, None),
        };
        let every = quantity::show_duration(every);
        let what =
            format!("{real} is on {name}, which does not report changes made elsewhere; it is polled every {every}");
        findings.note(&at, what, hint);
        return;
    }
    let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_watches");
    let limit = limit.ok().and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(u64::MAX);
    let wanted = directories_below(&directory.real);
    if wanted > watch::WATCHED_MAX as u64 {
        let every = quantity::show_duration(watch.poll_every);
        let what = format!(
            "{real} has {wanted} directories, and {} of them are watched; all are polled every {every}",
            watch::WATCHED_MAX
        );
        findings.note(&at, what, Some("remove the unused ones".to_owned()));
    } else if wanted > limit {
        let every = quantity::show_duration(watch.scan_every);
        let what =
            format!("{real} has {wanted} directories, and this kernel watches {limit}; all are polled every {every}");
        findings.note(&at, what, Some("raise fs.inotify.max_user_watches".to_owned()));
    }
}

/// At most `COUNT_MAX`; links are not followed.
fn directories_below(path: &Path) -> u64 {
    let mut waiting = vec![path.to_owned()];
    let mut count = 0;
    while let Some(dir) = waiting.pop() {
        count += 1;
        if count == COUNT_MAX {
            break;
        }
        let entries = std::fs::read_dir(&dir).into_iter().flatten().flatten();
        waiting.extend(entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()));
    }
    count
}
