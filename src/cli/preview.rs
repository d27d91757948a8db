//! `rolloutd preview`: the trees as a step would leave them, in a directory of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::exit::{Exit, Failure, Outcome, chain};
use super::{offline, progress};
use crate::config::settings::{Distribution, Settings};
use crate::daemon::prepare::{Prepared, prepare};
use crate::domain::listing::Listing;
use crate::domain::moment::{Elapsed, Moment};
use crate::domain::names::{BundleId, RolloutId, TreeId, TreeName};
use crate::domain::people::People;
use crate::process::agenda::Wrongs;
use crate::process::fact::count;
use crate::process::known::Known;
use crate::process::outlook;
use crate::process::trouble::Troubles;
use crate::process::world::World;
use crate::store::disk::{self, Access, Kernel};
use crate::store::examination::{Examiner, Here};
use crate::store::preview::{self, Item};
use crate::store::tree;

/// Builds the trees as a step would leave them, in a directory of its own
///
/// For a last test before clients get it: DIR gets a whole copy of each tree that the step would
/// change, and preview.repo for a test machine. Nothing else changes, and nothing is recorded. Whether
/// the step may be taken is another question: `rolloutctl plan` answers it. With several rollouts, or a
/// bundle, it is as if all of them had gone.
///
/// The metadata is not signed: sites would trust what the site's key has signed. Packages are copied,
/// so DIR needs as much room as the trees have. Its .cache can be removed. Run this as the daemon's
/// user; the daemon may be running.
///
/// Example: rolloutd preview Production rt-1234 --into /srv/preview
///
/// Exit codes: 0 built, 1 the procedure has no such step or nothing would move, 2 it failed.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct PreviewArgs {
    /// The state that the rollouts would go to
    #[arg(value_name = "STATE")]
    state: String,
    /// The rollouts
    #[arg(value_name = "ROLLOUT", required_unless_present = "bundle")]
    rollouts: Vec<RolloutId>,
    /// All rollouts of this bundle
    #[arg(long, value_name = "BUNDLE", conflicts_with = "rollouts")]
    bundle: Option<BundleId>,
    /// Where: a directory that is empty, or not there yet
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/rolloutd/rolloutd.toml")]
    config: PathBuf,
    /// One JSON document on standard output and nothing else
    #[arg(long)]
    pub json: bool,
}

/// Builds them.
///
/// # Errors
/// If there is no such step, or it failed; DIR is incomplete then.
pub fn run(args: &PreviewArgs, now: Timestamp) -> Result<Outcome, Failure> {
    let settings = offline::settings(&args.config)?;
    let world = offline::world(&settings)?;
    let trees = listings(args, &settings, &world, now)?;
    if trees.is_empty() {
        return Err(Failure::new(Exit::Refused, format!("nothing would move by going to {}", args.state)));
    }
    let into = std::path::absolute(&args.into).map_err(|e| fail(&e))?;
    if std::fs::read_dir(&into).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::new(Exit::Usage, format!("{} is not empty: name a new directory", into.display())));
    }
    // What dnf reads as one address, and a shell as one word.
    if !into.to_str().is_some_and(|text| text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c))) {
        let why = format!("{} cannot stand in a .repo file", into.display().to_string().escape_debug());
        return Err(Failure::new(Exit::Usage, why).hint("name a directory with letters, digits and . _ - + only"));
    }
    outside(&into, &settings)?;
    let kernel = Kernel::below(vec![into.clone()]);
    let packages = trees.values().map(|listing| listing.len() as u64).sum();
    let bar = progress::bar(Some(packages), "{wide_bar} {pos}/{len} copied {per_sec} {eta} left");
    let mut built = Vec::new();
    for (id, listing) in &trees {
        let dist = settings.distributions.iter().find(|dist| dist.path == id.dist);
        let dist = dist.ok_or_else(|| Failure::new(Exit::Usage, format!("{} is not in the configuration", id.dist)))?;
        let items: Vec<Item> = items(&world, &settings.site.root, id, listing).collect();
        let (shown, dir) = (tree::dir(&settings.site.root, id), tree::dir(&into, id));
        let cache = tree::dir(&into.join(".cache"), id);
        let published = preview::build(&kernel, [&shown, &dir, &cache], &items, dist.form(), now, || bar.inc(1));
        let published = published.map_err(|e| fail(&e))?;
        built.push((id, dist, published.packages));
    }
    bar.finish_and_clear();
    let stanzas: Vec<String> = built.iter().map(|(id, dist, _)| stanza(&into, id, dist)).collect();
    let repo = into.join("preview.repo");
    disk::put(&kernel, &repo, stanzas.join("\n").as_bytes(), Access::Everybody).map_err(|e| fail(&e))?;
    let built: Vec<(&TreeId, u64)> = built.into_iter().map(|(id, _, packages)| (id, packages)).collect();
    Ok(Outcome::done(if args.json { show_json(&into, &built) } else { show(&into, &built) }))
}

/// Refuses a directory that is the site's own: a preview must not be served, taken in, or counted as state.
fn outside(into: &Path, settings: &Settings) -> Result<(), Failure> {
    let real = |path: &Path| {
        let there = path.ancestors().find_map(|dir| Some((dir, std::fs::canonicalize(dir).ok()?)));
        there.map_or_else(|| path.to_owned(), |(dir, real)| real.join(path.strip_prefix(dir).unwrap_or(path)))
    };
    let (into, site) = (real(into), &settings.site);
    match [&site.root, &site.state, &site.incoming].into_iter().find(|dir| into.starts_with(real(dir))) {
        None => Ok(()),
        Some(dir) => {
            let why = format!("{} lies in {}, which is the daemon's own", into.display(), dir.display());
            Err(Failure::new(Exit::Usage, why).hint("name a directory elsewhere"))
        }
    }
}

fn fail(error: &dyn std::error::Error) -> Failure {
    Failure::new(Exit::Usage, chain(error))
}

/// What each tree would list.
fn listings(
    args: &PreviewArgs,
    settings: &Settings,
    world: &World,
    now: Timestamp,
) -> Result<BTreeMap<TreeId, Listing>, Failure> {
    let examiner: Arc<dyn Examiner> = Arc::new(Here);
    let Prepared { rules, .. } = prepare(settings, &examiner, now).map_err(|e| fail(&e))?;
    let (people, wrong, troubles) = (People::default(), Wrongs::new(), Troubles::new());
    let now = Moment { wall: now, elapsed: Elapsed::recorded(now) };
    let known = Known { world, rules: &rules, people: &people, wrong: &wrong, troubles: &troubles, now };
    let ids: Vec<RolloutId> = match &args.bundle {
        None => args.rollouts.clone(),
        Some(bundle) => {
            let found = world.bundles.get(bundle);
            let found = found.ok_or_else(|| Failure::new(Exit::Refused, format!("there is no bundle {bundle}")))?;
            found.members.iter().cloned().collect()
        }
    };
    let found = |id: &RolloutId| {
        world.rollouts.get(id).ok_or_else(|| Failure::new(Exit::Refused, format!("there is no rollout {id}")))
    };
    let rollouts = ids.iter().map(found).collect::<Result<Vec<_>, _>>()?;
    outlook::listings(known, rollouts, &args.state).map_err(|why| Failure::new(Exit::Refused, why))
}

/// The packages of a listing, and where they lie now: in the tree itself, or in those that they come from.
fn items(world: &World, root: &Path, id: &TreeId, listing: &Listing) -> impl Iterator<Item = Item> {
    listing.iter().filter_map(move |(nevra, entry)| {
        let package = world.packages.get(&id.dist, nevra)?;
        let own = std::iter::once(&id.tree);
        let trees = own.chain(world.listed_in(&id.dist, nevra).filter(|tree| **tree != id.tree));
        let place = |tree: &TreeName| {
            let there = TreeId { dist: id.dist.clone(), tree: tree.clone() };
            Some(tree::dir(root, &there).join(world.trees.get(&there)?.listing().location(nevra)))
        };
        let from = trees.filter_map(place).collect();
        Some(Item { nevra: nevra.clone(), place: entry.location(nevra), sha256: package.sha256, from })
    })
}

/// What a test machine needs of one tree.
fn stanza(into: &Path, id: &TreeId, dist: &Distribution) -> String {
    let (name, dir) = (id.to_string().replace('/', "-"), tree::dir(into, id));
    let keys: Vec<String> =
        dist.keys.get(&id.tree).into_iter().flatten().map(|path| format!("file://{}", path.display())).collect();
    format!(
        "[preview-{name}]\nname=Preview of {id}\nbaseurl=file://{}\nenabled=1\ngpgcheck=1\ngpgkey={}\nrepo_gpgcheck=0\n",
        dir.display(),
        keys.join("\n       ")
    )
}

fn show(into: &Path, built: &[(&TreeId, u64)]) -> String {
    let mut text = String::new();
    for (id, packages) in built {
        let _ = writeln!(text, "{}: {}", tree::dir(into, id).display(), count(*packages, "package"));
    }
    let repo = into.join("preview.repo");
    let _ = writeln!(
        text,
        "On a test machine: `dnf --setopt=reposdir={} install ...`, or copy {} to /etc/yum.repos.d.",
        into.display(),
        repo.display()
    );
    text
}

fn show_json(into: &Path, built: &[(&TreeId, u64)]) -> String {
    let trees: Vec<_> = built
        .iter()
        .map(|(id, packages)| json!({"tree": id.to_string(), "dir": tree::dir(into, id).display().to_string(), "packages": packages}))
        .collect();
    format!("{}\n", json!({ "trees": trees, "repo_file": into.join("preview.repo").display().to_string() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_built_is_said() {
        let ids = ["production/umd/3/sl6/x86_64", "testing/umd/3/sl6/x86_64"].map(|id| id.parse().expect("a tree"));
        let built: Vec<(&TreeId, u64)> = ids.iter().zip([2, 1]).collect();
        insta::assert_snapshot!(show(Path::new("/srv/preview"), &built));
    }
}
