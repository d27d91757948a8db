//! Every listed package is read again within a period, and compared with what was accepted.
//!
//! The period is spread over the bytes, so that the disk has something to do all the time and never much. Where it got
//! to is written down now and then: a daemon that is started every day comes round all the same. What is found is a
//! trouble, which readiness tells of, until the file is right or no tree lists it any more. Nothing is changed: which
//! copy is the good one, if there is one, is for people to find out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::domain::checksum::Sha256;
use crate::domain::names::TreeId;
use crate::domain::nevra::Nevra;
use crate::engine::view::Shared;
use crate::store::disk::{self, Access, Disk};
use crate::store::{scrub, tree};

/// How often the place is written down.
const REMEMBER_EVERY: Duration = Duration::from_mins(10);

/// How often what was found is looked at again.
const AGAIN_EVERY: Duration = Duration::from_mins(1);

/// So many findings are told in full; a whole disk would fill the page.
const TOLD: usize = 5;

/// The name of the trouble.
const TROUBLE: &str = "scrub";

/// One package and the trees that list it.
#[derive(Clone, Debug)]
struct Item {
    sha256: Sha256,
    size: u64,
    nevra: Nevra,
    trees: Vec<TreeId>,
}

/// What reads everything again.
pub struct Scrub {
    /// What is listed, and where troubles are told.
    pub shared: Arc<Shared>,
    /// The site's root.
    pub root: PathBuf,
    /// Where its place is written down.
    pub place: PathBuf,
    /// To write it down.
    pub disk: Arc<dyn Disk>,
    /// In what time it comes round.
    pub period: Duration,
}

/// What is wrong with a package in a tree.
type Findings = BTreeMap<(TreeId, Nevra), (Sha256, String)>;

impl Scrub {
    /// Reads until `stop`.
    ///
    /// # Errors
    /// None; the signature is that of every task.
    pub async fn run(self, stop: CancellationToken) -> Result<(), std::convert::Infallible> {
        let scrub = Arc::new(self);
        let mut after = scrub.remembered();
        let mut findings = Findings::new();
        let (mut written, mut looked) = (Instant::now(), Instant::now());
        let mut read = (0_u64, 0_u64);
        loop {
            let (next, total) = scrub.next(after);
            let pause = match &next {
                Some(item) => share(scrub.period, item.size, total),
                // A round is over. An empty site waits, too.
                None => share(scrub.period, 1, 1000).min(AGAIN_EVERY),
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
            if let Some(item) = next {
                after = Some(item.sha256);
                read = (read.0 + 1, read.1 + item.size);
                findings.extend(scrub.examine(item).await);
            } else {
                if read.0 > 0 {
                    tracing::info!(packages = read.0, bytes = read.1, wrong = findings.len(), "read everything again");
                }
                (after, read) = (None, (0, 0));
            }
            if looked.elapsed() > AGAIN_EVERY.min(scrub.period) && !findings.is_empty() {
                looked = Instant::now();
                findings = scrub.again(findings).await;
            }
            scrub.tell(&findings);
            if written.elapsed() > REMEMBER_EVERY {
                written = Instant::now();
                scrub.remember(after);
            }
        }
        scrub.remember(after);
        Ok(())
    }

    /// The listed package after a place, in the order of checksums, and the bytes of all.
    fn next(&self, after: Option<Sha256>) -> (Option<Item>, u64) {
        let inside = self.shared.read();
        let mut total = 0_u64;
        let mut best: Option<Item> = None;
        for (dist, packages) in &inside.world.packages {
            for (nevra, package) in packages.iter().filter(|(_, package)| !package.trees.is_empty()) {
                total = total.saturating_add(package.size);
                let later = after.is_none_or(|after| package.sha256 > after);
                if later && best.as_ref().is_none_or(|best| package.sha256 < best.sha256) {
                    let id = |tree| TreeId { dist: dist.clone(), tree };
                    let trees = package.trees.iter().cloned().map(id).collect();
                    best = Some(Item { sha256: package.sha256, size: package.size, nevra: nevra.clone(), trees });
                } else if let Some(best) = best.as_mut().filter(|best| best.sha256 == package.sha256) {
                    // The same bytes in several distributions.
                    let id = |tree| TreeId { dist: dist.clone(), tree };
                    best.trees.extend(package.trees.iter().cloned().map(id));
                }
            }
        }
        (best, total)
    }

    /// Reads a package in every tree that lists it.
    async fn examine(self: &Arc<Self>, item: Item) -> Findings {
        let scrub = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let mut known = BTreeSet::new();
            let mut found = Findings::new();
            for id in item.trees {
                let compared = scrub::compare(&tree::dir(&scrub.root, &id), &item.nevra, item.sha256, &mut known);
                if let Err(why) = compared
                    && scrub.is_listed(&id, &item.nevra)
                {
                    found.insert((id, item.nevra.clone()), (item.sha256, why));
                }
            }
            found
        });
        let found = read.await.unwrap_or_default();
        for ((tree, nevra), (_, why)) in &found {
            tracing::error!(%tree, %nevra, why, "a published package is not what was accepted");
        }
        found
    }

    /// What of it is still so. A tree in which something moves had a package a moment ago.
    async fn again(self: &Arc<Self>, findings: Findings) -> Findings {
        let scrub = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let wrong = |((id, nevra), (sha256, _)): ((TreeId, Nevra), (Sha256, String))| {
                let compared = scrub::compare(&tree::dir(&scrub.root, &id), &nevra, sha256, &mut BTreeSet::new());
                let why = compared.err().filter(|_| scrub.is_listed(&id, &nevra))?;
                Some(((id, nevra), (sha256, why)))
            };
            findings.into_iter().filter_map(wrong).collect()
        });
        read.await.unwrap_or_default()
    }

    fn is_listed(&self, id: &TreeId, nevra: &Nevra) -> bool {
        let inside = self.shared.read();
        let package = inside.world.packages.get(&id.dist).and_then(|packages| packages.get(nevra));
        let moving = || inside.world.plans.values().any(|plan| plan.items.iter().any(|item| item.nevra == *nevra));
        package.is_some_and(|package| package.trees.contains(&id.tree)) && !moving()
    }

    fn tell(&self, findings: &Findings) {
        let words = |((id, nevra), (_, why)): (&(TreeId, Nevra), &(Sha256, String))| format!("{nevra} in {id}: {why}");
        let mut told: Vec<String> = findings.iter().take(TOLD).map(words).collect();
        if findings.len() > TOLD {
            told.push(format!("and {} more", findings.len() - TOLD));
        }
        let advice = "; remove such a file and upload the package again";
        self.shared.trouble(TROUBLE, (!told.is_empty()).then(|| told.join("; ") + advice));
    }

    fn remembered(&self) -> Option<Sha256> {
        std::fs::read_to_string(&self.place).ok()?.trim().parse().ok()
    }

    fn remember(&self, after: Option<Sha256>) {
        let text = after.map_or_else(String::new, |sha256| format!("{sha256}\n"));
        if let Err(error) = disk::put(self.disk.as_ref(), &self.place, text.as_bytes(), Access::Owner) {
            tracing::warn!(why = error.sentence(), "where the scrub is could not be written down");
        }
    }
}

/// The part of a period that so much of everything takes.
fn share(period: Duration, part: u64, whole: u64) -> Duration {
    let nanoseconds = period.as_nanos().saturating_mul(u128::from(part)) / u128::from(whole.max(1));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX)).min(period)
}
