//! The configuration, the logbook and the rings, for commands that need no daemon.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;

use super::exit::{Exit, Failure, chain};
use crate::config::settings::Settings;
use crate::config::{files, reader};
use crate::daemon::prepare;
use crate::domain::names::TreeId;
use crate::engine::folding::{EngineError, fold, fold_and_compare};
use crate::process::listed::{self, Doubts};
use crate::process::world::World;
use crate::store::logbook::SqliteLogbook;

/// Reads the configuration without checking the files that it names: these commands are for bad days.
///
/// # Errors
/// If it cannot be read or understood.
pub fn settings(path: &Path) -> Result<Settings, Failure> {
    let unusable = |why: String| {
        let message = format!("{} cannot be used: {why}", path.display());
        Failure::new(Exit::Usage, message).hint("run `rolloutd check` for details")
    };
    let (bytes, _) = files::content(path, reader::TEXT_MAX).map_err(|trouble| unusable(trouble.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|e| unusable(e.to_string()))?;
    let outcome = reader::read(&text, path);
    let why: Vec<String> = outcome.complaints.iter().map(ToString::to_string).collect();
    outcome.settings.ok_or_else(|| unusable(why.join("\n")))
}

/// Replays the logbook, which verifies its chain.
///
/// # Errors
/// If it is missing or damaged.
pub fn world(settings: &Settings) -> Result<World, Failure> {
    let mut world = World::default();
    with_logbook(settings, |book| fold(book, &mut world))?;
    Ok(world)
}

/// The same, and what is wrong with the checkpoint beside the logbook, if there is one.
///
/// # Errors
/// As [`world`].
pub fn world_and_checkpoint(settings: &Settings) -> Result<(World, Option<String>), Failure> {
    let mut world = World::default();
    let agrees = with_logbook(settings, |book| fold_and_compare(book, &mut world))?;
    let wrong = (!agrees).then(|| {
        "is not what the entries of the logbook amount to. Find out who writes there, stop the daemon, remove this file, and \
         start the daemon again: it then reads all entries"
            .to_owned()
    });
    Ok((world, wrong))
}

fn with_logbook<T>(
    settings: &Settings,
    read: impl FnOnce(&mut SqliteLogbook) -> Result<T, EngineError>,
) -> Result<T, Failure> {
    let book = settings.site.state.join("logbook.sqlite");
    let mut opened = SqliteLogbook::open_to_read(&book).map_err(|e| Failure::new(Exit::Usage, chain(&e)))?;
    read(&mut opened).map_err(|e| Failure::new(Exit::Usage, chain(&e)))
}

/// The listed packages that their rings do not trust, and what is wrong with rings that cannot be compared.
pub fn doubts(settings: &Settings, world: &World, now: Timestamp) -> (BTreeMap<TreeId, Doubts>, Vec<String>) {
    let mut wrong = Vec::new();
    let mut all = BTreeMap::new();
    for dist in &settings.distributions {
        for tree in &dist.trees {
            let id = TreeId { dist: dist.path.clone(), tree: tree.clone() };
            let Some(trust) = prepare::trust(dist, tree, now, &mut wrong) else { continue };
            if let Some(doubts) = listed::in_tree(world, &id, &trust) {
                all.insert(id, doubts);
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    (all, wrong)
}
