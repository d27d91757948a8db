//! What the logbook says should be there, held against what is.

use std::collections::BTreeSet;
use std::path::Path;

use super::tree::Tree;
use crate::domain::names::{DistPath, TreeId};
use crate::domain::nevra::Nevra;
use crate::engine::world::World;

/// Where a tree and the logbook do not agree, each with the name of a file below the tree or a package.
///
/// Nothing is said of the packages of a tree while something is under way there. `takes_uploads` is the tree
/// in which unlisted files are uploads.
pub fn of_tree(world: &World, id: &TreeId, tree: &Tree, takes_uploads: bool) -> Vec<(String, String)> {
    let known = world.trees.get(id).cloned().unwrap_or_default();
    let planned = world.plans.values().any(|plan| plan.dist == id.dist && plan.trees().contains(&id.tree));
    if planned || known.dirty {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    let mut say = |name: &str, what: String| wrong.push((name.to_owned(), what));
    match (&tree.shows, known.repomd) {
        (Some((shown, revision)), Some(published)) if *shown != published.to_hex() => {
            let last = known.revision;
            say(
                "repodata/repomd.xml",
                format!("it is not the one that was published last: revision {revision}, not {last}"),
            );
        }
        (Some((_, revision)), None) => {
            say("repodata/repomd.xml", format!("revision {revision} was never published, as far as the logbook knows"));
        }
        _ => {}
    }
    let wanted = world.packages_of(&id.dist).filter(|(_, package)| package.trees.contains(&id.tree));
    let mut expected = BTreeSet::new();
    for (nevra, package) in wanted {
        let nevra = nevra.to_string();
        match tree.listed.get(&nevra) {
            None => say(&nevra, "the logbook has it here, and it is not listed".to_owned()),
            Some(listed) if listed.size != package.size => {
                say(&nevra, format!("{} bytes were accepted, {} are listed", package.size, listed.size));
            }
            Some(listed) if listed.algorithm == "sha256" && listed.checksum != package.sha256.to_hex() => {
                say(&nevra, "other bytes are listed than were accepted".to_owned());
            }
            Some(_) => {}
        }
        expected.insert(nevra);
    }
    for nevra in tree.listed.keys().filter(|nevra| !expected.contains(*nevra)) {
        say(nevra, "it is listed, and the logbook does not have it here".to_owned());
    }
    if !takes_uploads {
        let leaving: BTreeSet<String> = known.leaving.keys().map(Nevra::file_name).collect();
        for name in &tree.unlisted {
            let file = name.rsplit('/').next().unwrap_or(name);
            if !leaving.contains(file) {
                say(name, "it lies here, nothing lists it, and no rollout has left it behind".to_owned());
            }
        }
    }
    wrong
}

/// Packages of a distribution that were accepted, are in no tree, and are not kept either.
pub fn lost(world: &World, dist: &DistPath, retired: &Path) -> Vec<(String, String)> {
    let nowhere = world.packages_of(dist).filter(|(_, package)| package.trees.is_empty());
    let moving = |nevra: &Nevra| world.plans.values().any(|plan| plan.items.iter().any(|item| item.nevra == *nevra));
    let mut lost = Vec::new();
    for (nevra, package) in nowhere.filter(|(nevra, _)| !moving(nevra)) {
        let kept = retired.join(format!("{}-{}", package.sha256.to_hex(), nevra.file_name()));
        match std::fs::symlink_metadata(&kept) {
            Ok(meta) if meta.is_file() && meta.len() == package.size => {}
            Ok(_) => lost.push((kept.display().to_string(), format!("it is not what was withdrawn as {nevra}"))),
            Err(error) => {
                lost.push((kept.display().to_string(), format!("{nevra} was withdrawn and is not kept: {error}")));
            }
        }
    }
    lost
}
