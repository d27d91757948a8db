//! Work carried out on the store: each [`Work`] becomes calls on one distribution, and their outcome a
//! [`WorkEnd`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use jiff::Timestamp;

use super::view::Shared;
use crate::domain::names::{DistPath, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::plan::{Item, Plan};
use crate::format::openpgp::Keyring;
use crate::process::agenda::{Kind, Work, Wrong};
use crate::process::fact::package::{Accepted, Refused};
use crate::process::fact::tree::Published;
use crate::process::input::WorkEnd;
use crate::store::distribution::{DistError, DistSettings, Distribution, Expected};
use crate::store::intake::{Arrival, Departure};
use crate::store::publication;
use crate::store::retirement::Retired;

/// All distributions of the site, each held by one piece of work at a time.
#[derive(Debug)]
pub struct Workshop {
    shared: Arc<Shared>,
    distributions: BTreeMap<DistPath, Bench>,
}

#[derive(Debug)]
struct Bench {
    upload: TreeName,
    distribution: Mutex<Distribution>,
    /// Settings that the next piece of work begins with.
    pending: Mutex<Option<DistSettings>>,
    /// The same of the ring alone.
    ring: Mutex<Option<Keyring>>,
}

impl Workshop {
    /// A workshop over distributions; the name beside each is its upload tree.
    pub fn new(shared: Arc<Shared>, distributions: Vec<(DistPath, TreeName, Distribution)>) -> Self {
        let bench = |upload, distribution| Bench {
            upload,
            distribution: Mutex::new(distribution),
            pending: Mutex::new(None),
            ring: Mutex::new(None),
        };
        let distributions = distributions.into_iter().map(|(path, upload, dist)| (path, bench(upload, dist))).collect();
        Self { shared, distributions }
    }

    /// Hands new settings over; they hold from the next piece of work on.
    pub fn reload(&self, dist: &DistPath, settings: DistSettings) {
        if let Some(bench) = self.distributions.get(dist) {
            // Their ring is newer than one that was read before.
            *lock(&bench.ring) = None;
            *lock(&bench.pending) = Some(settings);
        }
    }

    /// Hands over the ring of the upload tree alone, where nothing else could be read.
    pub fn trust(&self, dist: &DistPath, ring: Keyring) {
        if let Some(bench) = self.distributions.get(dist) {
            *lock(&bench.ring) = Some(ring);
        }
    }

    /// Carries out a piece of work, whatever it takes.
    ///
    /// `patient` is the time by which things wait for their removal.
    pub fn carry_out(&self, work: &Work, now: Timestamp, clock: Instant, patient: Timestamp) -> WorkEnd {
        let Some(bench) = self.distributions.get(work.dist()) else {
            return WorkEnd::Failed(format!("the distribution {} is not open", work.dist()));
        };
        let mut dist = lock(&bench.distribution);
        if let Some(settings) = lock(&bench.pending).take() {
            dist.reload(settings);
        }
        if let Some(ring) = lock(&bench.ring).take() {
            dist.trust(ring);
        }
        for nevra in self.lost(work.dist()) {
            dist.give_up(&nevra);
        }
        let done = self.on(&mut dist, bench, work, (now, clock, patient));
        done.unwrap_or_else(|error| WorkEnd::Failed(chain(&error)))
    }

    fn on(
        &self,
        dist: &mut Distribution,
        bench: &Bench,
        work: &Work,
        (now, clock, patient): (Timestamp, Instant, Timestamp),
    ) -> Result<WorkEnd, DistError> {
        match work {
            Work::TakeIn(path) => {
                let look = dist.look_and_tidy(now, clock, patient)?;
                if look.refused_again > 0 {
                    tracing::info!(dist = %path, files = look.refused_again, "refused again, and counted");
                }
                Ok(WorkEnd::Looked {
                    repeated: look.repeated,
                    took_in: look.accepted.into_iter().map(|a| took_in(path, &bench.upload, a)).collect(),
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
                    match dist.inspect(tree, &self.expected(&id), now) {
                        Ok(Some(shown)) => published.push(entry(id, shown)),
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
                    match dist.publish(tree, self.floor(&id), now) {
                        Ok(shown) => published.push(entry(id, shown)),
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
                let id = |tree: &TreeName| TreeId { dist: plan.dist.clone(), tree: tree.clone() };
                let floors = plan.trees().into_iter().map(|tree| (tree.clone(), self.floor(&id(&tree)))).collect();
                let published = dist.promote(plan, &floors, now)?;
                let published = published.into_iter().map(|(tree, p)| entry(id(&tree), p)).collect();
                Ok(WorkEnd::Promoted { plan: *number, published })
            }
            Work::Retire(id, files) => {
                let Retired { gone, kept } = dist.retire(&id.tree, files)?;
                Ok(WorkEnd::Retired { tree: id.clone(), files: gone, kept })
            }
        }
    }

    /// What the world has of a tree.
    fn expected(&self, id: &TreeId) -> Expected {
        let inside = self.shared.read();
        // What is held is not under way.
        let goes_on = |plan: &Plan| {
            let rules = inside.rules.distributions.get(&plan.dist);
            let is_wrong = |tree| inside.wrong.contains_key(&TreeId { dist: plan.dist.clone(), tree });
            rules.is_none_or(|rules| inside.world.objection(rules, plan).is_none())
                && !plan.trees().into_iter().any(is_wrong)
        };
        let plans = || {
            let touches = |plan: &&Arc<Plan>| plan.dist == id.dist && plan.trees().contains(&id.tree);
            inside.world.rollouts.plans().map(|(_, plan)| plan).filter(touches)
        };
        let here = |plan: &Plan, item: &Item| plan.target.as_ref() == Some(&id.tree) || item.leaves.contains(&id.tree);
        let moving = plans().flat_map(|plan| plan.items.iter().filter(|item| here(plan, item)));
        let moving = moving.map(|item| item.nevra.clone()).collect();
        let planned = plans().any(|plan| goes_on(plan));
        let Some(tree) = inside.world.trees.get(id) else { return Expected { planned, moving, ..Expected::default() } };
        Expected { revision: tree.revision, repomd: tree.repomd, planned, dirty: tree.dirty, moving }
    }

    /// What was given up as lost in a distribution.
    fn lost(&self, dist: &DistPath) -> Vec<Nevra> {
        let inside = self.shared.read();
        let here = inside.world.packages.lost.iter().filter(|(of, _)| of == dist);
        here.map(|(_, nevra)| nevra.clone()).collect()
    }

    fn floor(&self, id: &TreeId) -> u64 {
        self.shared.read().world.trees.get(id).map_or(0, |tree| tree.revision)
    }
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

fn entry(tree: TreeId, published: publication::Published) -> Published {
    for note in &published.notes {
        tracing::warn!(%tree, note, "metadata not carried along");
    }
    Published {
        tree,
        revision: published.revision,
        packages: published.packages,
        repomd: published.repomd,
        superseded: published.superseded,
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
