//! Work carried out on the store: each [`Work`] becomes calls on one distribution, and their outcome a
//! [`WorkEnd`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use jiff::Timestamp;

use super::view::{Shared, View};
use crate::domain::checksum::Sha256;
use crate::domain::listing::{Catalog, Listing};
use crate::domain::names::{DistPath, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::plan::Plan;
use crate::format::openpgp::Keyring;
use crate::process::agenda::{Kind, Work, Wrong};
use crate::process::fact::package::{Accepted, Refused};
use crate::process::fact::tree::Published;
use crate::process::input::WorkEnd;
use crate::store::distribution::{DistError, DistSettings, Distribution, Expected};
use crate::store::intake::{Arrival, Departure};
use crate::store::publication;
use crate::store::retirement::Retired;

/// What a distribution has accepted and lists, at the moment at which a piece of work begins. Nothing else changes that
/// before the work has ended, but for packages that are given up as lost: then the trees are looked at once more.
#[derive(Debug)]
pub struct Books<'a> {
    view: &'a View,
    dist: &'a DistPath,
}

impl<'a> Books<'a> {
    /// Those of a distribution, as they are at one moment.
    pub fn of(view: &'a View, dist: &'a DistPath) -> Self {
        Self { view, dist }
    }
}

impl Catalog for Books<'_> {
    fn accepted(&self, nevra: &Nevra) -> Option<Sha256> {
        self.view.world.packages.get(self.dist, nevra).map(|package| package.sha256)
    }

    fn is_given_up(&self, nevra: &Nevra) -> bool {
        self.view.world.packages.lost.contains(&(self.dist.clone(), nevra.clone()))
    }

    fn of_name(&self, name: &str) -> Vec<Nevra> {
        self.view.world.packages.named(self.dist, name).map(|(nevra, _)| nevra.clone()).collect()
    }

    fn listing(&self, tree: &TreeName) -> Listing {
        self.view.world.trees.listing(&TreeId { dist: self.dist.clone(), tree: tree.clone() })
    }

    fn adopted_places(&self) -> BTreeSet<String> {
        let adopted = self.view.world.packages.of(self.dist).filter_map(|(_, package)| package.adopted.as_ref());
        adopted.map(|(_, place)| place.to_string()).collect()
    }

    fn lists(&self, tree: &TreeName, nevra: &Nevra) -> bool {
        self.view.world.lists(self.dist, tree, nevra)
    }
}

/// All distributions of the site, each held by one piece of work at a time.
#[derive(Debug)]
pub struct Workers {
    shared: Arc<Shared>,
    distributions: BTreeMap<DistPath, Opened>,
}

#[derive(Debug)]
struct Opened {
    upload: TreeName,
    distribution: Mutex<Distribution>,
    /// Settings that the next piece of work begins with.
    pending: Mutex<Option<DistSettings>>,
    /// The same of the ring alone.
    ring: Mutex<Option<Keyring>>,
}

impl Workers {
    /// Workers on these distributions; the name beside each is its upload tree.
    pub fn new(shared: Arc<Shared>, distributions: Vec<(DistPath, TreeName, Distribution)>) -> Self {
        let opened = |upload, distribution| Opened {
            upload,
            distribution: Mutex::new(distribution),
            pending: Mutex::new(None),
            ring: Mutex::new(None),
        };
        let distributions =
            distributions.into_iter().map(|(path, upload, dist)| (path, opened(upload, dist))).collect();
        Self { shared, distributions }
    }

    /// Hands new settings over; they hold from the next piece of work on.
    pub fn reload(&self, dist: &DistPath, settings: DistSettings) {
        if let Some(opened) = self.distributions.get(dist) {
            // Their ring is newer than one that was read before.
            *lock(&opened.ring) = None;
            *lock(&opened.pending) = Some(settings);
        }
    }

    /// Hands over the ring of the upload tree alone, where nothing else could be read.
    pub fn trust(&self, dist: &DistPath, ring: Keyring) {
        if let Some(opened) = self.distributions.get(dist) {
            *lock(&opened.ring) = Some(ring);
        }
    }

    /// Carries out a piece of work, whatever it takes. `patient` is how late it is by elapsed time.
    pub fn carry_out(&self, work: &Work, now: Timestamp, clock: Instant, patient: Timestamp) -> WorkEnd {
        let Some(opened) = self.distributions.get(work.dist()) else {
            return WorkEnd::Failed(format!("the distribution {} is not open", work.dist()));
        };
        let mut dist = lock(&opened.distribution);
        if let Some(settings) = lock(&opened.pending).take() {
            dist.reload(settings);
        }
        if let Some(ring) = lock(&opened.ring).take() {
            dist.trust(ring);
        }
        let view = self.shared.read();
        let books = Books::of(&view, work.dist());
        let done = on(&mut dist, &books, &opened.upload, work, (now, clock, patient));
        done.unwrap_or_else(|error| WorkEnd::Failed(chain(&error)))
    }
}

/// A piece of work on a distribution, of which the books say what it lists.
fn on(
    dist: &mut Distribution,
    books: &Books<'_>,
    upload: &TreeName,
    work: &Work,
    (now, clock, patient): (Timestamp, Instant, Timestamp),
) -> Result<WorkEnd, DistError> {
    match work {
        Work::TakeIn(path) => {
            let look = dist.look_and_tidy(books, now, clock, patient)?;
            if look.refused_again > 0 {
                tracing::info!(dist = %path, files = look.refused_again, "refused again, and counted");
            }
            Ok(WorkEnd::Looked {
                repeated: look.repeated,
                took_in: look.accepted.into_iter().map(|a| took_in(path, upload, a)).collect(),
                turned_away: look.refused.into_iter().map(|d| turned_away(path, d)).collect(),
                again: look.again,
                trouble: look.failed.as_ref().map(|error| chain(error)),
                waiting: look.waiting,
                stuck: look.stuck.into_iter().map(|(path, why)| (path.display().to_string(), why)).collect(),
            })
        }
        Work::Inspect(path, trees) => {
            let (mut published, mut wrong) = (Vec::new(), Vec::new());
            for tree in trees {
                let id = TreeId { dist: path.clone(), tree: tree.clone() };
                match dist.inspect(books, tree, &expected(books.view, &id), now) {
                    Ok(Some((shown, plan))) => published.push(entry(id, shown, plan)),
                    Ok(None) => {}
                    Err(error) => wrong.push((id, said(&error))),
                }
            }
            Ok(WorkEnd::Inspected { published, wrong })
        }
        Work::Publish(path, trees) => {
            let (mut published, mut wrong) = (Vec::new(), Vec::new());
            for tree in trees {
                let id = TreeId { dist: path.clone(), tree: tree.clone() };
                match dist.publish(books, tree, &books.listing(tree), floor(books.view, &id), now) {
                    Ok(shown) => published.push(entry(id, shown, None)),
                    // It holds up no other tree.
                    Err(error @ (DistError::Disagrees(_) | DistError::Missing { .. } | DistError::Strange(_))) => {
                        wrong.push((id, said(&error)));
                    }
                    Err(error) => return Err(error),
                }
            }
            if wrong.is_empty() {
                return Ok(WorkEnd::Published(published));
            }
            Ok(WorkEnd::Inspected { published, wrong })
        }
        Work::Promote(number, plan) => {
            let trees = plan.trees().into_iter();
            let floors = trees.map(|tree| (tree.clone(), floor(books.view, &plan.id(&tree)))).collect();
            let (published, ended) = dist.promote(books, plan, &floors, now);
            let entry = |(tree, shown)| entry(plan.id(&tree), shown, Some(*number));
            let published = published.into_iter().map(entry).collect();
            Ok(WorkEnd::Promoted { plan: *number, published, failed: ended.err().map(|error| chain(&error)) })
        }
        Work::Retire(id, files) => {
            let Retired { gone, kept } = dist.retire(books, &id.tree, files)?;
            Ok(WorkEnd::Retired { tree: id.clone(), files: gone, kept })
        }
    }
}

/// What the world has of a tree.
fn expected(inside: &View, id: &TreeId) -> Expected {
    // What is held is not under way.
    let goes_on = |plan: &Plan| {
        let rules = inside.rules.distributions.get(&plan.dist);
        let is_wrong = |tree| inside.wrong.contains_key(&TreeId { dist: plan.dist.clone(), tree });
        rules.is_none_or(|rules| inside.world.objection(rules, plan).is_none())
            && !plan.trees().into_iter().any(is_wrong)
    };
    let rollouts = &inside.world.rollouts;
    let changes = |plan: &Plan| plan.dist == id.dist && plan.trees().contains(&id.tree);
    let plans: Vec<(u64, &Arc<Plan>)> = rollouts.plans().filter(|(_, plan)| changes(plan)).collect();
    let moving = |(_, plan): &(u64, &'_ Arc<Plan>)| {
        let here = plan.items.iter().filter(|item| plan.touches(item, &id.tree));
        here.map(|item| item.nevra.clone()).collect::<Vec<_>>()
    };
    let begun = plans.iter().filter(|(number, _)| !rollouts.is_shown(*number, &id.tree));
    let tree = inside.world.trees.get(id);
    Expected {
        revision: tree.map_or(0, |tree| tree.revision),
        repomd: tree.and_then(|tree| tree.repomd),
        planned: plans.iter().any(|(_, plan)| goes_on(plan)),
        dirty: tree.is_some_and(|tree| tree.dirty),
        moving: plans.iter().flat_map(moving).collect(),
        begun: begun.map(|(number, plan)| (*number, Arc::clone(plan))).collect(),
    }
}

fn floor(inside: &View, id: &TreeId) -> u64 {
    inside.world.trees.get(id).map_or(0, |tree| tree.revision)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What is wrong with a tree.
fn said(error: &DistError) -> Wrong {
    let what = match error {
        DistError::Missing { packages, .. } => Kind::Missing(packages.clone()),
        DistError::Strange(_) => Kind::Strange,
        _ => Kind::Other,
    };
    Wrong { why: chain(error), what }
}

/// An error with all its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn entry(tree: TreeId, published: publication::Published, plan: Option<u64>) -> Published {
    for note in &published.notes {
        tracing::warn!(%tree, note, "metadata not carried along");
    }
    Published {
        tree,
        revision: published.revision,
        packages: published.packages,
        repomd: published.repomd,
        superseded: published.superseded,
        plan,
    }
}

fn took_in(dist: &DistPath, tree: &TreeName, arrival: Arrival) -> Accepted {
    let mut notes = arrival.signed.notes;
    if !arrival.replaced_text.is_empty() {
        notes.push(format!("characters replaced in {}", arrival.replaced_text.join(", ")));
    }
    Accepted {
        dist: dist.clone(),
        tree: tree.clone(),
        nevra: arrival.nevra,
        sha256: arrival.sha256,
        size: arrival.size,
        signers: arrival.signed.fingerprints,
        keys: arrival.signed.keys,
        notes,
        upload: arrival.upload.to_string_lossy().into_owned(),
    }
}

fn turned_away(dist: &DistPath, departure: Departure) -> Refused {
    Refused {
        dist: dist.clone(),
        upload: departure.upload.to_string_lossy().into_owned(),
        sha256: departure.sha256,
        code: departure.refusal.code.to_string(),
        detail: departure.refusal.detail,
    }
}
