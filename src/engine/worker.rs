//! Work carried out on the store: each [`Work`] becomes calls on one distribution, or on all distributions of a plan, and
//! their outcome a [`WorkEnd`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;

use super::view::{Shared, View};
use crate::domain::checksum::Sha256;
use crate::domain::listing::{Catalog, Listing};
use crate::domain::moment::Elapsed;
use crate::domain::names::{DistPath, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::plan::Plan;
use crate::format::openpgp::Keyring;
use crate::link::clock::Clock;
use crate::process::agenda::{Kind, Work, Wrong};
use crate::process::fact::package::{Accepted, Refused};
use crate::process::fact::rollout::StagedTree;
use crate::process::fact::tree::{Altered, Published};
use crate::process::input::{End, Found, WorkEnd};
use crate::store::distribution::{Alteration, DistError, DistSettings, Distribution, Expected};
use crate::store::intake::{Arrival, Departure};
use crate::store::publication;
use crate::store::retirement::Retired;

/// What a distribution has accepted and lists when a piece of work begins. Nothing else changes that until the work has
/// ended, except for packages that are given up as lost: then the trees are inspected again.
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

    fn may_come_again(&self, nevra: &Nevra) -> bool {
        self.view.world.packages.may_come_again(self.dist, nevra)
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

    fn waits_for_removal(&self, place: &str) -> bool {
        let upload = self.view.rules.distributions.get(self.dist).and_then(|rules| rules.trees.first());
        let tree = upload.and_then(|upload| self.view.world.trees.of_dist(self.dist, upload));
        tree.is_some_and(|tree| tree.leaving.contains_key(place))
    }

    fn published(&self, tree: &TreeName) -> Option<Sha256> {
        self.view.world.trees.of_dist(self.dist, tree)?.repomd
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
    /// Settings for the next piece of work.
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

    /// Passes on new settings; they apply from the next piece of work on.
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
    pub fn carry_out(&self, work: &Work, now: Timestamp, clock: Clock, patient: Elapsed) -> WorkEnd {
        let mut held = Held::new();
        // Locked in the order of their names, so that two pieces of work cannot deadlock.
        for path in work.dists().collect::<BTreeSet<_>>() {
            let Some(opened) = self.distributions.get(path) else {
                return WorkEnd::failed(format!("the distribution {path} is not open"));
            };
            let mut dist = lock(&opened.distribution);
            if let Some(settings) = lock(&opened.pending).take() {
                dist.reload(settings);
            }
            if let Some(ring) = lock(&opened.ring).take() {
                dist.trust(ring);
            }
            held.insert(path.clone(), dist);
        }
        let view = self.shared.read();
        let done = match work {
            Work::Stage(number, plan) => stage(&mut held, &view, (*number, plan), now),
            Work::Show(number, plan) => show(&mut held, &view, (*number, plan), now),
            Work::TakeIn(path) => self
                .lane(&mut held, path)
                .and_then(|(dist, upload)| look(dist, &Books::of(&view, path), upload, (now, clock, patient))),
            Work::Inspect(path, trees) => {
                self.lane(&mut held, path).map(|(dist, _)| inspect(dist, &Books::of(&view, path), trees, now))
            }
            Work::Publish(path, trees) => {
                self.lane(&mut held, path).and_then(|(dist, _)| publish(dist, &Books::of(&view, path), trees, now))
            }
            Work::Retire(id, files) => self.lane(&mut held, &id.dist).and_then(|(dist, _)| {
                let Retired { gone, kept } = dist.retire(&Books::of(&view, &id.dist), &id.tree, files)?;
                Ok(WorkEnd::done(Found::Retired { tree: id.clone(), files: gone, kept }))
            }),
            // Nothing on this disk.
            Work::Deliver(..) => Ok(WorkEnd::done(Found::Nothing)),
        };
        let mut end = done.unwrap_or_else(|error| WorkEnd::failed(chain(&error)));
        let altered = |(path, dist): (&DistPath, &mut MutexGuard<'_, Distribution>)| {
            dist.take_alterations().into_iter().map(|one| altered(path, one)).collect::<Vec<_>>()
        };
        end.altered = held.iter_mut().flat_map(altered).collect();
        end
    }

    /// One of the distributions that are held, and its upload tree.
    fn lane<'h>(
        &'h self,
        held: &'h mut Held<'_>,
        path: &DistPath,
    ) -> Result<(&'h mut Distribution, &'h TreeName), DistError> {
        let not_open = || DistError::Disagrees(format!("the distribution {path} is not open"));
        let (dist, opened) = held.get_mut(path).zip(self.distributions.get(path)).ok_or_else(not_open)?;
        Ok((dist, &opened.upload))
    }
}

/// The distributions that a piece of work has locked.
type Held<'w> = BTreeMap<DistPath, MutexGuard<'w, Distribution>>;

/// Stages all trees of a plan.
fn stage(held: &mut Held<'_>, view: &View, (number, plan): (u64, &Plan), now: Timestamp) -> Result<WorkEnd, DistError> {
    stage_all(held, view, plan, now)?;
    let trees = staged(held, view, plan);
    let none = || DistError::Disagrees("what was staged is not what the plan wants".to_owned());
    let trees = trees.ok_or_else(none)?;
    // Of a restore that is no step: its one tree is staged and shown in one piece of work.
    let found = if plan.restored().is_some() { Found::Nothing } else { Found::Staged { plan: number, trees } };
    Ok(WorkEnd::done(found))
}

/// Shows all trees of a plan.
fn show(held: &mut Held<'_>, view: &View, (number, plan): (u64, &Plan), now: Timestamp) -> Result<WorkEnd, DistError> {
    // Whatever is no longer staged is staged again before the first tree is shown.
    if staged(held, view, plan).is_none() {
        stage_all(held, view, plan, now)?;
    }
    let mut published = Vec::new();
    let mut show_all = || {
        for id in plan.trees() {
            if let Some(dist) = held.get_mut(&id.dist) {
                published.push(entry(id.clone(), dist.show_staged(&id.tree)?, Some(number)));
            }
        }
        held.iter_mut().try_for_each(|(path, dist)| dist.tidy(&Books::of(view, path)))
    };
    let failed = show_all().err().map(|error: DistError| chain(&error));
    let found = Found::Shown { plan: number, published };
    Ok(match failed {
        None => WorkEnd::done(found),
        Some(why) => WorkEnd::failed_after(found, why),
    })
}

fn stage_all(held: &mut Held<'_>, view: &View, plan: &Plan, now: Timestamp) -> Result<(), DistError> {
    held.iter_mut().try_for_each(|(path, dist)| {
        let trees = plan.of(path).map(|one| one.trees().into_iter().map(|tree| (one.id(&tree), tree)));
        let floors = trees.into_iter().flatten().map(|(id, tree)| (tree, floor(view, &id))).collect();
        dist.stage_plan(&Books::of(view, path), plan, &floors, now)
    })
}

/// What is staged in each tree of a plan; `None` unless it is in all of them.
fn staged(held: &Held<'_>, view: &View, plan: &Plan) -> Option<Vec<StagedTree>> {
    let trees = plan.trees().into_iter().map(|TreeId { dist, tree }| {
        let (revision, repomd) = held.get(&dist)?.staged(&Books::of(view, &dist), plan, &tree)?;
        Some(StagedTree { dist, tree, revision, repomd })
    });
    trees.collect()
}

/// Looks at the uploads.
fn look(
    dist: &mut Distribution,
    books: &Books<'_>,
    upload: &TreeName,
    (now, clock, patient): (Timestamp, Clock, Elapsed),
) -> Result<WorkEnd, DistError> {
    let look = dist.look_and_tidy(books, now, &|| clock.monotonic(), patient)?;
    if look.refused_again > 0 {
        tracing::info!(dist = %books.dist, files = look.refused_again, "refused again, and counted");
    }
    let why = look.failed.as_ref().map(|error| chain(error));
    let again = look.again;
    let found = Found::Looked {
        repeated: look.repeated,
        took_in: look.accepted.into_iter().map(|a| took_in(books.dist, upload, a)).collect(),
        turned_away: look.refused.into_iter().map(|d| turned_away(books.dist, d)).collect(),
        waiting: look.waiting,
        stuck: look.stuck.into_iter().map(|(path, why)| (path.display().to_string(), why)).collect(),
    };
    let end = if why.is_some() || again.is_some() { End::Again { why, after: again } } else { End::Done };
    Ok(WorkEnd { found, end, altered: vec![] })
}

/// Compares trees with the logbook.
fn inspect(dist: &mut Distribution, books: &Books<'_>, trees: &[TreeName], now: Timestamp) -> WorkEnd {
    let (mut published, mut wrong) = (Vec::new(), Vec::new());
    for tree in trees {
        let id = TreeId { dist: books.dist.clone(), tree: tree.clone() };
        match dist.inspect(books, tree, &expected(books.view, &id), now) {
            Ok(Some((shown, plan))) => published.push(entry(id, shown, plan)),
            Ok(None) => {}
            Err(error) => wrong.push((id, said(&error))),
        }
    }
    WorkEnd::done(Found::Inspected { published, wrong })
}

/// Shows what trees list.
fn publish(
    dist: &mut Distribution,
    books: &Books<'_>,
    trees: &[TreeName],
    now: Timestamp,
) -> Result<WorkEnd, DistError> {
    let (mut published, mut wrong) = (Vec::new(), Vec::new());
    for tree in trees {
        let id = TreeId { dist: books.dist.clone(), tree: tree.clone() };
        match dist.publish(books, tree, &books.listing(tree), floor(books.view, &id), now) {
            Ok(shown) => published.push(entry(id, shown, None)),
            // It does not block other trees.
            Err(error @ (DistError::Disagrees(_) | DistError::Missing { .. } | DistError::Strange(_))) => {
                wrong.push((id, said(&error)));
            }
            Err(error) => return Err(error),
        }
    }
    if wrong.is_empty() {
        return Ok(WorkEnd::done(Found::Published(published)));
    }
    Ok(WorkEnd::done(Found::Inspected { published, wrong }))
}

/// What the world has of a tree.
fn expected(inside: &View, id: &TreeId) -> Expected {
    // What is held is not under way.
    let goes_on = |plan: &Plan| {
        inside.world.objection(&inside.rules, plan).is_none()
            && !plan.trees().iter().any(|tree| inside.wrong.contains_key(tree))
    };
    let rollouts = &inside.world.rollouts;
    let plans: Vec<(u64, &Arc<Plan>)> =
        rollouts.plans_in(&id.dist).filter(|(_, plan)| plan.trees().contains(id)).collect();
    let moving = |(_, plan): &(u64, &'_ Arc<Plan>)| {
        let one = plan.of(&id.dist);
        let here = one.iter().flat_map(|one| one.items.iter().filter(|item| one.touches(item, &id.tree)));
        here.map(|item| item.nevra.clone()).collect::<Vec<_>>()
    };
    let begun = plans.iter().filter(|(number, _)| !rollouts.is_shown(*number, id));
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
        source: arrival.source,
        upload: arrival.upload.to_string_lossy().into_owned(),
    }
}

fn altered(dist: &DistPath, Alteration { tree, nevra, why }: Alteration) -> Altered {
    Altered { dist: dist.clone(), tree, nevra, why }
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
