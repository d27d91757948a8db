//! Reads every listed package again within a period, and compares it with what was accepted.
//!
//! The period is spread over the bytes, so that the disk is read steadily and never much at a time. The position is
//! recorded from time to time: a daemon that is restarted every day still completes its rounds. A damaged file is a
//! trouble that readiness reports until the file is right again or no tree lists it. Nothing is changed: people have to
//! find out which copy, if any, is good.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::checksum::Sha256;
use crate::domain::names::{DistPath, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::engine::handle::Handle;
use crate::link::clock::Clock;
use crate::process::fact::tree::Altered;
use crate::process::trouble::Trouble;
use crate::process::world::World;
use crate::store::disk::{self, Access, Disk};
use crate::store::{scrub, tree};

/// How often the position is recorded.
const REMEMBER_EVERY: Duration = Duration::from_mins(10);

/// How soon a finding is checked again, so that whoever fixes it sees the result.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// The next such check waits this many times as long as the last one took.
const AGAIN_TIMES: u32 = 10;

/// The longest pause between two rounds.
const ROUND_PAUSE: Duration = Duration::from_mins(1);

/// How many findings are reported in full; a whole disk would fill the page.
const TOLD: usize = 5;

/// The position: distributions and their packages in order.
type Place = (DistPath, Nevra);

/// One package and the trees that list it.
#[derive(Clone, Debug)]
struct Item {
    place: Place,
    sha256: Sha256,
    size: u64,
    trees: Vec<TreeName>,
}

/// Reads everything again.
pub struct Scrub {
    /// Where to report, and what is listed.
    pub handle: Handle,
    /// The site's root.
    pub root: PathBuf,
    /// The file with its position.
    pub place: PathBuf,
    /// To write that file.
    pub disk: Arc<dyn Disk>,
    /// How long one round takes.
    pub period: Duration,
    /// Where the time comes from.
    pub clock: Clock,
}

/// What is wrong with a package in a tree.
type Findings = BTreeMap<(TreeId, Nevra), (Sha256, String)>;

/// What has been read in this round.
#[derive(Clone, Copy, Default)]
struct Tally {
    packages: u64,
    bytes: u64,
}

impl Scrub {
    /// Reads until `stop`.
    ///
    /// # Errors
    /// None; every task has this signature.
    pub async fn run(self, stop: CancellationToken) -> Result<(), std::convert::Infallible> {
        let clock = self.clock;
        let scrub = Arc::new(self);
        let mut after = scrub.remembered();
        let (mut findings, mut told) = (Findings::new(), Findings::new());
        let mut written = clock.monotonic();
        let mut read = Tally::default();
        let mut total = scrub.total();
        // The pause comes after reading, so that each start makes progress, however short the daemon runs.
        let (mut next, mut again) = (clock.monotonic(), clock.monotonic());
        loop {
            let now = clock.monotonic();
            if now >= next {
                let pause = if let Some(item) = scrub.next(after.as_ref()) {
                    // Packages added since the round began are read in it, too.
                    total = total.max(scrub.total());
                    after = Some(item.place.clone());
                    read = Tally { packages: read.packages + 1, bytes: read.bytes + item.size };
                    let pause = share(scrub.period, item.size, total);
                    let found = scrub.examine(item).await;
                    if findings.is_empty() {
                        // New findings have just been checked.
                        again = clock.monotonic() + AGAIN_AFTER;
                    }
                    findings.extend(found);
                    pause
                } else {
                    // A round is complete. An empty site waits, too.
                    let Tally { packages, bytes } = std::mem::take(&mut read);
                    if packages > 0 {
                        tracing::info!(packages, bytes, wrong = findings.len(), "read all packages again");
                    }
                    after = None;
                    total = scrub.total();
                    share(scrub.period, 1, 1000).min(ROUND_PAUSE)
                };
                next = now + pause;
            }
            if !findings.is_empty() && now >= again {
                findings = scrub.again(findings).await;
                again = clock.monotonic() + AGAIN_AFTER.max(clock.since(now) * AGAIN_TIMES);
            }
            if findings != told {
                scrub.tell(&findings);
                // One entry for all that is wrong at a time: `check` has the rest.
                let first = findings.first_key_value().filter(|_| told.is_empty());
                if let Some(((TreeId { dist, tree }, nevra), (_, why))) = first {
                    let (dist, tree, nevra, why) = (dist.clone(), tree.clone(), Some(nevra.clone()), why.clone());
                    scrub.handle.altered(Altered { dist, tree, nevra, why }).await;
                }
                told.clone_from(&findings);
            }
            if clock.since(written) > REMEMBER_EVERY {
                written = clock.monotonic();
                scrub.remember(after.as_ref());
            }
            let wake = if findings.is_empty() { next } else { next.min(again) };
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(wake.saturating_duration_since(clock.monotonic())) => {}
            }
        }
        scrub.remember(after.as_ref());
        Ok(())
    }

    /// The bytes of everything listed.
    fn total(&self) -> u64 {
        let inside = self.handle.shared().read();
        inside.world.trees.listed_bytes()
    }

    /// The listed package after a position.
    fn next(&self, after: Option<&Place>) -> Option<Item> {
        let inside = self.handle.shared().read();
        let (dist, nevra, package) =
            inside.world.packages.after(after).find(|(dist, nevra, _)| inside.world.is_listed(dist, nevra))?;
        let trees = inside.world.listed_in(dist, nevra).cloned().collect();
        Some(Item { place: (dist.clone(), nevra.clone()), sha256: package.sha256, size: package.size, trees })
    }

    /// What is wrong with a package in a tree that lists it. `known` are files that were just read.
    fn look(&self, id: &TreeId, nevra: &Nevra, sha256: Sha256, known: &mut BTreeSet<(u64, u64)>) -> Option<String> {
        let place = self.handle.shared().read().world.trees.listing(id).location(nevra);
        let compared = scrub::compare(&tree::dir(&self.root, id), &place, sha256, known);
        // A package that has just left the tree was there a moment ago. Its file stays until that is recorded.
        compared.err().filter(|_| is_listed(&self.handle.shared().read().world, id, nevra))
    }

    /// Reads a package in every tree that lists it.
    async fn examine(self: &Arc<Self>, item: Item) -> Findings {
        let scrub = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let mut known = BTreeSet::new();
            let Item { place: (dist, nevra), sha256, trees, .. } = item;
            let wrong = |tree| {
                let id = TreeId { dist: dist.clone(), tree };
                let why = scrub.look(&id, &nevra, sha256, &mut known)?;
                Some(((id, nevra.clone()), (sha256, why)))
            };
            trees.into_iter().filter_map(wrong).collect()
        });
        let found: Findings = read.await.unwrap_or_default();
        for ((tree, nevra), (_, why)) in &found {
            tracing::error!(%tree, %nevra, why, "a published package is not what was accepted");
        }
        found
    }

    /// The findings that still hold.
    async fn again(self: &Arc<Self>, findings: Findings) -> Findings {
        let scrub = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let wrong = |((id, nevra), (sha256, _)): ((TreeId, Nevra), (Sha256, String))| {
                let why = scrub.look(&id, &nevra, sha256, &mut BTreeSet::new())?;
                Some(((id, nevra), (sha256, why)))
            };
            findings.into_iter().filter_map(wrong).collect()
        });
        read.await.unwrap_or_default()
    }

    fn tell(&self, findings: &Findings) {
        let words = |((id, nevra), (_, why)): (&(TreeId, Nevra), &(Sha256, String))| format!("{nevra} in {id}: {why}");
        let mut told: Vec<String> = findings.iter().take(TOLD).map(words).collect();
        if findings.len() > TOLD {
            told.push(format!("and {} more", findings.len() - TOLD));
        }
        let advice = "; remove such a file and upload the package again";
        self.handle.shared().trouble(&Trouble::Scrub, (!told.is_empty()).then(|| told.join("; ") + advice));
    }

    fn remembered(&self) -> Option<Place> {
        let text = std::fs::read_to_string(&self.place).ok()?;
        let (dist, nevra) = text.trim().split_once(' ')?;
        Some((dist.parse().ok()?, nevra.parse().ok()?))
    }

    fn remember(&self, after: Option<&Place>) {
        let text = after.map_or_else(String::new, |(dist, nevra)| format!("{dist} {nevra}\n"));
        if let Err(error) = disk::put(self.disk.as_ref(), &self.place, text.as_bytes(), Access::Owner) {
            tracing::warn!(why = error.sentence(), "could not record the progress of the scrub");
        }
    }
}

/// Whether a tree lists a package, whatever is moving at the moment.
fn is_listed(world: &World, id: &TreeId, nevra: &Nevra) -> bool {
    world.lists(&id.dist, &id.tree, nevra)
}

/// The part of a period that this share of everything takes.
fn share(period: Duration, part: u64, whole: u64) -> Duration {
    let nanoseconds = period.as_nanos().saturating_mul(u128::from(part)) / u128::from(whole.max(1));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX)).min(period)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fact::package::Accepted;
    use crate::process::fact::{Fact, samples::every_fact};

    /// A listed package that is gone is missed even while something of the same name moves, here or elsewhere.
    #[test]
    fn a_move_hides_no_loss() {
        let mut world = World::default();
        let mut trees = BTreeSet::new();
        for fact in every_fact() {
            let elsewhere = match &fact {
                Fact::Accepted(here) => Some(Accepted { dist: "other".parse().expect("a path"), ..here.clone() }),
                _ => None,
            };
            for fact in [Some(fact), elsewhere.map(Fact::Accepted)].into_iter().flatten() {
                world.apply(world.last + 1, jiff::Timestamp::UNIX_EPOCH, "me", &fact);
                if let Fact::Accepted(Accepted { dist, tree, nevra, .. }) = fact {
                    trees.insert((TreeId { dist, tree }, nevra));
                }
            }
            if world.rollouts.plans().next().is_some() {
                break;
            }
        }
        let (plans, listed) = (world.rollouts.plans().count(), trees.iter().filter(|(id, n)| is_listed(&world, id, n)));
        assert_eq!((plans, listed.count()), (1, 2));
    }
}
