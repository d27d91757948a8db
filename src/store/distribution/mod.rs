//! One distribution on this disk: its index, its uploads, its trees.
//!
//! Everything done to a distribution goes through one value of this type, held by one piece of work at a time. It is
//! told with each piece of work what is listed ([`Catalog`]) and remembers none of that; the index and the blocks can
//! be lost and are regenerated.
//!
//! What is staged for a plan is kept in memory until all trees of the plan are staged, in all its distributions. After a
//! restart, or if settings or a listing have changed meanwhile, it is staged again before the first tree is shown.
//! (Rejected: continuing with the files of an earlier daemon, which other settings or keys may have made.)

/// The generated `.repo` files of a tree, and the keys beside them.
mod yum_files;
/// Whether the logbook knows what a tree shows and holds.
mod provenance;
/// Compares a tree with the logbook.
mod inspection;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::assembly::{self, AssemblyError};
use super::block_cache::{BlockCache, BlockCacheError};
use super::blocks::{Form, Members};
use super::disk::{self, Disk, DiskError};
use super::examination::Terms;
use super::index::{Chunk, Index, IndexError};
use super::intake::{self, Clock, Gate, IntakeError, Look, Met, RefusedList, Uploads};
use super::ownership;
use super::presence::Presence;
use super::promotion::{self, BringError, Places};
use super::publication::{self, Outcome, PublishError, Published, REPOMD, Spec, Staged};
use super::retirement::{self, Retired};
use super::thread_pool;
use super::tree::{self, REPODATA};
use crate::domain::checksum::Sha256;
use crate::domain::listing::{Catalog, Entry, Listing};
use crate::domain::moment::Elapsed;
use crate::domain::names::{DistPath, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::plan::Plan;
use crate::format::openpgp::Keyring;
use crate::format::repofile::Companion;
use crate::format::repomd::Repomd;
use crate::format::signing::Signer;

/// The settings of a distribution, ready for use.
#[derive(Clone, Debug)]
pub struct DistSettings {
    /// The distribution.
    pub path: DistPath,
    /// Its trees; uploads go to the first.
    pub trees: Vec<TreeName>,
    /// The site's root.
    pub root: PathBuf,
    /// Where withdrawn packages are kept.
    pub retired: PathBuf,
    /// The index file.
    pub index: PathBuf,
    /// Where uploads are searched, and what is required of them.
    pub gate: Gate,
    /// How metadata is written.
    pub form: Form,
    /// Who signs metadata.
    pub signer: Option<Arc<Signer>>,
    /// Whether signed metadata may be replaced by unsigned metadata.
    pub unsigned: bool,
    /// URL of the site's root.
    pub base_url: String,
    /// Where clients find the packages' keys, as configured; empty means beside the `.repo` file.
    pub key_urls: Vec<String>,
    /// The files beside the generated `.repo` file of each tree: the packages' public keys, by name.
    pub key_files: BTreeMap<TreeName, BTreeMap<String, Vec<u8>>>,
    /// Another one: the name and content of the metadata's public key.
    pub metadata_key: Option<(String, Vec<u8>)>,
    /// Repositories of others in the early adopters' files.
    pub companions: Vec<Companion>,
}

impl DistSettings {
    /// Replaces the key ring of the upload tree only.
    pub fn trust(&mut self, ring: Keyring) {
        self.gate.terms = Arc::new(Terms { ring, ..Terms::clone(&self.gate.terms) });
    }

    fn id(&self, tree: &TreeName) -> TreeId {
        TreeId { dist: self.path.clone(), tree: tree.clone() }
    }

    fn dir(&self, tree: &TreeName) -> PathBuf {
        tree::dir(&self.root, &self.id(tree))
    }

    /// Reads a package again from the first of some trees that still has it as accepted. `None` without a tree.
    fn read_again(&self, nevra: &Nevra, entry: &Entry, trees: &[TreeName]) -> Option<Result<Chunk, DiskError>> {
        let mut failed = None;
        for tree in trees {
            match intake::read_again(&self.gate, &self.dir(tree).join(entry.location(nevra)), nevra, entry) {
                Ok(chunk) => return Some(Ok(chunk)),
                Err(error) => failed = Some(Err(error)),
            }
        }
        failed
    }
}

/// Why work on a distribution failed.
#[derive(Debug, thiserror::Error)]
pub enum DistError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The upload tree.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// A publication.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The tree and the logbook disagree, and it is unclear which is right.
    #[error("{0}")]
    Disagrees(String),
    /// Listed packages are missing, and their bytes are nowhere else.
    #[error("{why}")]
    Missing {
        /// The full message.
        why: String,
        /// The packages.
        packages: BTreeSet<Nevra>,
    },
    /// The tree shows or holds what the logbook does not know, and a publication would lose it.
    #[error("{0}")]
    Strange(String),
}

impl From<BringError> for DistError {
    fn from(error: BringError) -> Self {
        match error {
            BringError::Disk(error) => error.into(),
            BringError::Index(error) => error.into(),
        }
    }
}

/// What the logbook knows of a tree, to compare the tree with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The last revision.
    pub revision: u64,
    /// SHA-256 of the last `repomd.xml` published; `None` before the first.
    pub repomd: Option<Sha256>,
    /// Whether a plan about to be carried out changes the tree, and so publishes it.
    pub planned: bool,
    /// Whether packages were added or removed since the last publication.
    pub dirty: bool,
    /// The packages that unfinished plans add or remove there, whether they wait or not: the tree may show them
    /// already, or no longer.
    pub moving: BTreeSet<Nevra>,
    /// The unfinished plans that change the tree, by number, unless it is recorded that the tree shows them.
    pub begun: Vec<(u64, Arc<Plan>)>,
}

impl Expected {
    /// Whether no work is pending, so that the tree must match exactly.
    fn settled(&self) -> bool {
        self.repomd.is_some() && !self.planned && !self.dirty
    }
}

/// Which packages are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    /// All of them.
    Everything,
    /// Those in directories that changed since the last time.
    WhereSomethingChanged,
    /// The same, right after the last time, in the same piece of work.
    OnceMore,
}

/// One distribution on disk.
#[derive(Debug)]
pub struct Distribution {
    settings: DistSettings,
    disk: Arc<dyn Disk>,
    index: Index,
    /// The uploads in the drop directory.
    dropped: Uploads,
    /// What an admin put into the tree itself.
    uploads: Uploads,
    block_cache: BlockCache,
    /// What was seen of each tree when every listed package was there.
    present: BTreeMap<TreeName, Presence>,
    /// What clients see of each tree, and what it was made of.
    shown: BTreeMap<TreeName, Shown>,
    /// What is ready to be shown in each tree, once all trees of its plan are.
    staged: BTreeMap<TreeName, Waiting>,
    /// What uploaders read of refused files.
    refused_list: RefusedList,
    /// What was found changed by something else, until somebody asks.
    alterations: Vec<Alteration>,
    /// The metadata of each tree that was found changed; it is published again soon.
    not_ours: BTreeMap<TreeName, Option<Sha256>>,
}

/// Something in a tree that the daemon did not change itself, and that it puts right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alteration {
    /// The tree.
    pub tree: TreeName,
    /// The package, if it is about one.
    pub nevra: Option<Nevra>,
    /// What was changed.
    pub why: String,
}

/// What is ready to be shown in a tree.
#[derive(Debug)]
struct Waiting {
    listing: Listing,
    ready: Ready,
}

/// What clients see of a tree, and what it was made of.
#[derive(Debug)]
struct Shown {
    listing: Listing,
    /// How many times XML had been added to the index by then.
    puts: u64,
    form: Form,
    published: Published,
}

/// A package without XML.
#[derive(Debug)]
struct Lost {
    nevra: Nevra,
    entry: Entry,
    /// The trees that list it.
    trees: Vec<TreeName>,
}

/// What is about to be shown in a tree.
#[derive(Debug)]
#[must_use = "show it or drop it"]
enum Ready {
    /// Clients see it already.
    Unchanged(Published),
    /// Equal content, or new content that is staged.
    Staged(Outcome),
}

impl Distribution {
    /// Opens a distribution as the logbook knows it: creates directories, and regenerates from the packages what the
    /// index has lost.
    ///
    /// # Errors
    /// A directory that cannot be used, or a package that is missing.
    pub fn restore(settings: DistSettings, disk: Arc<dyn Disk>, catalog: &dyn Catalog) -> Result<Self, DistError> {
        for tree in &settings.trees {
            let id = TreeId { dist: settings.path.clone(), tree: tree.clone() };
            tree::plain(&settings.root, &id)?;
            let dir = tree::dir(&settings.root, &id);
            disk.make_dir(&dir)?;
            disk::sweep(disk.as_ref(), &dir)?;
            // A package being copied from another file system has a temporary name beside its place. The inspection
            // reports directories that cannot be used.
            for dir in tree::package_dirs(&dir)? {
                if let Err(error) = disk::sweep(disk.as_ref(), &dir) {
                    tracing::warn!(why = error.sentence(), "could not search for temporary files");
                }
            }
        }
        disk.make_dir(&settings.gate.dir)?;
        let indexes = settings.index.parent().unwrap_or(&settings.root);
        disk.make_dir(indexes)?;
        for dir in [indexes, settings.gate.rejected.dir(), &settings.retired] {
            disk::sweep(disk.as_ref(), dir)?;
        }
        let index = Index::open(disk.as_ref(), &settings.index)?;
        let block_cache = BlockCache::open(disk.as_ref(), &settings.index.with_extension("blocks"))?;
        let mut dist = Self {
            settings,
            disk,
            index,
            dropped: Uploads::default(),
            uploads: Uploads::default(),
            block_cache,
            present: BTreeMap::new(),
            shown: BTreeMap::new(),
            staged: BTreeMap::new(),
            refused_list: RefusedList::default(),
            alterations: vec![],
            not_ours: BTreeMap::new(),
        };
        // A package that several trees list at the same path is read once.
        let mut lost: BTreeMap<_, Lost> = BTreeMap::new();
        for tree in &dist.settings.trees {
            for (nevra, entry) in catalog.listing(tree).iter().filter(|(_, entry)| !dist.index.has(entry)) {
                let new = || Lost { nevra: nevra.clone(), entry: entry.clone(), trees: vec![] };
                lost.entry((nevra.clone(), entry.place.clone())).or_insert_with(new).trees.push(tree.clone());
            }
        }
        dist.recover(&lost.into_values().collect::<Vec<_>>())?;
        Ok(dist)
    }

    /// Regenerates the XML of packages that the index has lost. A missing package stops nothing here:
    /// [`Distribution::inspect`] reports it, and the trees that list it are not published.
    fn recover(&mut self, lost: &[Lost]) -> Result<(), DistError> {
        let settings = &self.settings;
        let read = |(): &mut (), Lost { nevra, entry, trees }: &Lost| {
            Ok::<_, DistError>(settings.read_again(nevra, entry, trees))
        };
        let (index, disk) = (&mut self.index, self.disk.as_ref());
        let mut kept = Ok(());
        thread_pool::each(
            lost,
            || (),
            read,
            |Lost { nevra, .. }, chunk| match chunk {
                Some(Ok(chunk)) if kept.is_ok() => kept = index.put(disk, &chunk),
                Some(Err(error)) => {
                    tracing::error!(%nevra, why = error.sentence(), "a listed package cannot be read");
                }
                Some(Ok(_)) | None => {}
            },
        )?;
        Ok(kept?)
    }

    /// Regenerates the XML of a package from any of the trees.
    fn read_again(&mut self, nevra: &Nevra, entry: &Entry, trees: &[TreeName]) -> Result<(), DistError> {
        match self.settings.read_again(nevra, entry, trees) {
            Some(chunk) => Ok(self.index.put(self.disk.as_ref(), &chunk?)?),
            None => Ok(()),
        }
    }

    /// Replaces the settings, on a reload, between two pieces of work. Clients see the effects when the trees are next
    /// inspected or published.
    pub fn reload(&mut self, settings: DistSettings) {
        self.settings = settings;
        // It was made with the old settings.
        self.staged.clear();
        self.refused_list = RefusedList::default();
    }

    /// Replaces only the key ring of the upload tree, when nothing else could be reloaded.
    pub fn trust(&mut self, ring: Keyring) {
        self.settings.trust(ring);
    }

    fn id(&self, tree: &TreeName) -> TreeId {
        self.settings.id(tree)
    }

    fn dir(&self, tree: &TreeName) -> PathBuf {
        self.settings.dir(tree)
    }

    /// What pieces of work have found changed by something else since this was last asked.
    pub fn take_alterations(&mut self) -> Vec<Alteration> {
        std::mem::take(&mut self.alterations)
    }

    /// Scans the drop directory once, and what an admin put into the upload tree itself.
    ///
    /// # Errors
    /// If one of them or the index cannot be used at all, or if others can change the tree; nothing is taken in then.
    pub fn look(&mut self, catalog: &dyn Catalog, now: Timestamp, clock: Clock<'_>) -> Result<Look, DistError> {
        let disk = Arc::clone(&self.disk);
        let gate = &self.settings.gate;
        self.is_ours_alone(&gate.tree, ownership::Look::AtOurs)?;
        let mut look = self.dropped.look(disk.as_ref(), gate, &mut self.index, catalog, (now, clock))?;
        if look.failed.is_none() {
            let met = Met::with(catalog, &gate.tree, &look.accepted);
            let here = self.uploads.look(disk.as_ref(), &gate.at_home(), &mut self.index, &met, (now, clock));
            match here {
                Ok(here) => look.add(here),
                // Earlier results still hold.
                Err(error) => look.failed = Some(error),
            }
        }
        Ok(look)
    }

    /// The same, and removes files that were refused long enough ago. `patient` is the present elapsed time.
    ///
    /// # Errors
    /// If the tree or the index cannot be used at all.
    pub fn look_and_tidy(
        &mut self,
        catalog: &dyn Catalog,
        now: Timestamp,
        clock: Clock<'_>,
        patient: Elapsed,
    ) -> Result<Look, DistError> {
        let rejected = Arc::clone(&self.settings.gate.rejected);
        rejected.keep_time(patient);
        rejected.follow_the_wall(now);
        let look = self.look(catalog, now, clock)?;
        if let Err(error) = rejected.tidy(self.disk.as_ref(), clock()) {
            tracing::warn!(why = error.sentence(), "could not clean up refused files");
        }
        self.refused_list.follow(self.disk.as_ref(), &self.settings.gate);
        Ok(look)
    }

    /// Publishes a tree's listing. `floor` is its last revision that the logbook knows.
    ///
    /// # Errors
    /// Clients still see the old metadata then.
    pub fn publish(
        &mut self,
        catalog: &dyn Catalog,
        tree: &TreeName,
        listing: &Listing,
        floor: u64,
        now: Timestamp,
    ) -> Result<Published, DistError> {
        let ready = self.make_ready(catalog, tree, listing, floor, (now, Ask::WhereSomethingChanged))?;
        let published = self.show(tree, listing, ready)?;
        self.tidy(catalog)?;
        Ok(published)
    }

    /// Prepares metadata without publishing it.
    fn make_ready(
        &mut self,
        catalog: &dyn Catalog,
        tree: &TreeName,
        listing: &Listing,
        floor: u64,
        (now, ask): (Timestamp, Ask),
    ) -> Result<Ready, DistError> {
        self.keeps_its_signature(tree)?;
        let spec = self.spec(tree);
        if let Some(last) = self.shown.get(tree)
            && (last.puts, last.form) == (self.index.puts(), spec.form)
            && last.listing.looks_like(listing)
            && last.published.revision >= floor
            && let Some(published) = publication::unchanged(&spec, self.settings.signer.as_deref(), &last.published)
        {
            return Ok(Ready::Unchanged(published));
        }
        self.is_ours_alone(tree, inspection::how(listing))?;
        self.all_there(catalog, tree, listing, ask, now)?;
        self.strange(catalog, tree)?;
        // What somebody else put there is not ours, even if it lists the same.
        let anew = self.notice_alteration(catalog, tree);
        Ok(Ready::Staged(self.stage(tree, listing, &Spec { anew, ..spec }, floor, now)?))
    }

    /// Clients that require a signature would get nothing without it. So it must not vanish through a configuration
    /// change that may have been unintended.
    fn keeps_its_signature(&self, tree: &TreeName) -> Result<(), DistError> {
        let signature = self.dir(tree).join(REPODATA).join(publication::REPOMD_ASC);
        if self.settings.signer.is_some() || self.settings.unsigned || !signature.exists() {
            return Ok(());
        }
        Err(DistError::Disagrees(format!(
            "{} has signed metadata, but the configuration no longer has [signing]; sites that require the \
             signature would get nothing. Restore [signing] and reload, or set `off = true` under [signing] to \
             stop signing",
            self.id(tree)
        )))
    }

    fn spec(&self, tree: &TreeName) -> Spec {
        Spec { dir: self.dir(tree), form: self.settings.form, is_lent: false, anew: false }
    }

    /// Publishes what was prepared for this listing.
    fn show(&mut self, tree: &TreeName, listing: &Listing, ready: Ready) -> Result<Published, DistError> {
        let unsigned = self.settings.signer.is_none();
        let outcome = match ready {
            Ready::Unchanged(published) => {
                self.write_yum_files(tree)?;
                return Ok(published);
            }
            Ready::Staged(outcome) => outcome,
        };
        // Clients must not be told of a signature before it exists, or after it is gone.
        if unsigned {
            self.write_yum_files(tree)?;
        }
        let published = match outcome {
            Outcome::Same(published) => published,
            Outcome::New(staged) => self.show_new(tree, listing, staged)?,
        };
        if !unsigned {
            self.write_yum_files(tree)?;
        }
        let (form, puts) = (self.settings.form, self.index.puts());
        let shown = Shown { listing: listing.clone(), puts, form, published: published.clone() };
        self.shown.insert(tree.clone(), shown);
        self.not_ours.remove(tree);
        Ok(published)
    }

    fn show_new(&self, tree: &TreeName, listing: &Listing, staged: Staged) -> Result<Published, DistError> {
        self.index.will_show(tree, staged.repomd(), listing)?;
        Ok(staged.publish(self.disk.as_ref())?)
    }

    /// Stages; whatever the index or block cache turns out to have lost is regenerated, each thing once.
    fn stage(
        &mut self,
        tree: &TreeName,
        listing: &Listing,
        spec: &Spec,
        floor: u64,
        now: Timestamp,
    ) -> Result<Outcome, DistError> {
        // Files of the same names are written again.
        self.staged.remove(tree);
        let mut mended = BTreeSet::new();
        loop {
            let signer = self.settings.signer.as_deref();
            let disk = Arc::clone(&self.disk);
            let staged = self.index.ordered(listing).map_err(PublishError::from).and_then(|source| {
                publication::stage(disk.as_ref(), spec, &source, &mut self.block_cache, signer, floor, now)
            });
            match staged {
                Err(PublishError::Index(IndexError::Missing { nevra, .. })) if mended.insert(nevra.to_string()) => {
                    let Some(entry) = listing.get(&nevra) else { continue };
                    tracing::warn!(%tree, dist = %self.settings.path, %nevra, "metadata was lost; rebuilding it");
                    self.index.forget(entry);
                    let trees = self.settings.trees.clone();
                    self.read_again(&nevra, entry, &trees)?;
                }
                Err(PublishError::Assembly { dir, source }) => match *source {
                    AssemblyError::BlockCache(BlockCacheError::Damaged { id, .. })
                        if mended.insert(hex::encode(id.0)) =>
                    {
                        tracing::warn!(dist = %self.settings.path, "a block was damaged; rebuilding it");
                        self.block_cache.forget(&id);
                    }
                    source => return Err(PublishError::Assembly { dir, source: Box::new(source) }.into()),
                },
                other => return Ok(other?),
            }
        }
    }

    /// Removes unused blocks from time to time.
    ///
    /// # Errors
    /// With the path that failed.
    pub fn tidy(&mut self, catalog: &dyn Catalog) -> Result<(), DistError> {
        let Self { settings, disk, index, block_cache, shown, .. } = self;
        if settings.form.members == Members::One {
            return Ok(());
        }
        let wanted = || {
            // What the trees list, and what they show beyond that.
            let listings = settings.trees.iter().map(|tree| catalog.listing(tree));
            let listings: Vec<Listing> = listings.chain(shown.values().map(|shown| shown.listing.clone())).collect();
            let ordered = listings.iter().filter_map(|listing| index.ordered(listing).ok());
            ordered.flat_map(|source| assembly::ids(settings.form, &source).collect::<Vec<_>>()).collect()
        };
        match block_cache.tidy(disk.as_ref(), wanted) {
            Ok(_) => Ok(()),
            Err(BlockCacheError::Disk(error)) => Err(error.into()),
            Err(error) => Err(DiskError::new("tidy", &settings.index, std::io::Error::other(error)).into()),
        }
    }

    /// Stages what a plan does here, once its packages are in place; `floors` are the last revisions of the trees.
    /// Clients see nothing of it. It can be repeated from the beginning, as often as needed.
    ///
    /// # Errors
    /// With what is in the way.
    pub fn stage_plan(
        &mut self,
        catalog: &dyn Catalog,
        plan: &Plan,
        floors: &BTreeMap<TreeName, u64>,
        now: Timestamp,
    ) -> Result<(), DistError> {
        let Some(one) = plan.of(&self.settings.path) else { return Ok(()) };
        let trees = one.trees();
        for tree in &trees {
            self.is_ours_alone(tree, inspection::how(&catalog.listing(tree)))?;
        }
        // If a tree's file system is not mounted, the tree must not be started afresh at its mount point.
        for tree in &trees {
            self.all_there(catalog, tree, &catalog.listing(tree), Ask::WhereSomethingChanged, now)?;
            self.strange(catalog, tree)?;
        }
        let places = Places { root: self.settings.root.clone(), retired: self.settings.retired.clone() };
        promotion::bring(self.disk.as_ref(), &places, &mut self.index, (catalog, &self.settings.trees), one)?;
        for tree in trees {
            let listing = plan.shown_in(&self.id(&tree), &catalog.listing(&tree));
            let floor = floors.get(&tree).copied().unwrap_or_default();
            let ready = self.make_ready(catalog, &tree, &listing, floor, (now, Ask::OnceMore))?;
            self.staged.insert(tree, Waiting { listing, ready });
        }
        Ok(())
    }

    /// What is staged in a tree: its revision and the SHA-256 of its `repomd.xml`. `None` unless it is the plan's result
    /// for the tree.
    pub fn staged(&self, catalog: &dyn Catalog, plan: &Plan, tree: &TreeName) -> Option<(u64, Sha256)> {
        let Waiting { listing, ready } = self.staged.get(tree)?;
        let wanted = plan.shown_in(&self.id(tree), &catalog.listing(tree));
        wanted.looks_like(listing).then(|| match ready {
            Ready::Unchanged(published) | Ready::Staged(Outcome::Same(published)) => {
                (published.revision, published.repomd)
            }
            Ready::Staged(Outcome::New(staged)) => (staged.revision(), staged.repomd()),
        })
    }

    /// Shows what is staged in a tree.
    ///
    /// # Errors
    /// With the path that failed, or if nothing is staged there.
    pub fn show_staged(&mut self, tree: &TreeName) -> Result<Published, DistError> {
        let Some(Waiting { listing, ready }) = self.staged.remove(tree) else {
            return Err(DistError::Disagrees(format!("nothing is staged in {}", self.id(tree))));
        };
        self.show(tree, &listing, ready)
    }

    /// Removes files after their grace period.
    ///
    /// # Errors
    /// With the path that failed.
    pub fn retire(&mut self, catalog: &dyn Catalog, tree: &TreeName, files: &[String]) -> Result<Retired, DistError> {
        let dir = self.dir(tree);
        self.is_ours_alone(tree, inspection::how(&catalog.listing(tree)))?;
        let mut named: BTreeSet<String> = catalog.listing(tree).locations().collect();
        let repomd = dir.join(REPODATA).join(REPOMD);
        let missing = || DiskError::new("read", &repomd, std::io::Error::other("it is missing or not our file"));
        let bytes = tree::read_small(&repomd, publication::REPOMD_MAX).ok_or_else(missing)?;
        let repomd = Repomd::read(&bytes).map_err(|e| DiskError::new("read", &repomd, std::io::Error::other(e)))?;
        named.extend(repomd.data.iter().map(|data| data.location.clone()));
        Ok(retirement::retire(self.disk.as_ref(), &dir, files, &named)?)
    }
}

#[cfg(test)]
mod tests {
    mod trees;
}
