//! Adopts a tree that somebody else made, or releases it, while no daemon runs.
//!
//! The order makes it a single step: the files are secured, the index is filled, the old metadata is kept, and then one
//! append records all of it. A kill before that has changed nothing that clients or the daemon rely on; after it the
//! daemon continues. Undoing is a single step, too: the old metadata is restored, and then one append releases the
//! tree.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::prepare::{Prepared, Unusable, prepare, terms_of_adoption};
use super::sandbox::Sandbox;
use crate::config::settings::Settings;
use crate::domain::names::{Actor, TreeId};
use crate::engine::folding::{EngineError, append, take_up};
use crate::engine::view::Shared;
use crate::engine::worker::Books;
use crate::process::act::adopt;
use crate::process::decision::Entry;
use crate::process::fact::package::Adopted;
use crate::process::fact::tree::Published;
use crate::store::adoption::{self, AdoptionError, PutBack, Survey, Wish};
use crate::store::backup::UNFINISHED;
use crate::store::disk::{self, Disk, DiskError, Kernel};
use crate::store::distribution::DistSettings;
use crate::store::index::{Index, IndexError};
use crate::store::lock::{LockError, SiteLock, lock_site};
use crate::store::logbook::{LeftBehind, Logbook as _, LogbookError, SqliteLogbook, left_behind};
use crate::store::people::{PeopleError, Register};
use crate::store::thread_pool;
use crate::store::{ownership, tree};

/// Why a tree was not adopted or released.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// Files named by the settings cannot be used.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// The tree.
    #[error(transparent)]
    Adoption(#[from] AdoptionError),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The logbook.
    #[error(transparent)]
    Logbook(#[from] LogbookError),
    /// The register of people.
    #[error(transparent)]
    People(#[from] PeopleError),
    /// The logbook cannot be folded.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The daemon is running.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The logbook is gone, but a copy of it exists.
    #[error(transparent)]
    LeftBehind(#[from] LeftBehind),
    /// Something has to be fixed first.
    #[error("{0}")]
    First(String),
}

/// The locked site.
struct Alone {
    settings: DistSettings,
    shared: Shared,
    /// `None` if there is no logbook yet and none is to be created.
    book: Option<SqliteLogbook>,
    disk: Arc<dyn Disk>,
    id: TreeId,
    state: PathBuf,
    lock: SiteLock,
}

impl Alone {
    fn open(settings: &Settings, id: &TreeId, dry_run: bool, now: Timestamp) -> Result<Self, AdoptError> {
        let state = settings.site.state.clone();
        let owner = ownership::of_site(&state);
        if owner != disk::me() && disk::me() == 0 {
            let user = disk::user(owner);
            return Err(AdoptError::First(format!(
                "{} belongs to {user}: run it as that user, `sudo -u {user} rolloutd adopt ...`",
                state.display()
            )));
        }
        thread_pool::allow(settings.intake.jobs);
        let sandbox = Arc::new(Sandbox::of_this_program());
        sandbox.open();
        let examiner: Arc<dyn crate::store::examination::Examiner> = sandbox;
        let Prepared { rules, mut distributions, .. } = prepare(settings, &examiner, now)?;
        let of_dist = distributions.remove(&id.dist).filter(|dist| dist.trees.contains(&id.tree));
        let of_dist = of_dist.ok_or_else(|| AdoptError::First(format!("the tree {id} is not in the configuration")))?;
        let disk: Arc<dyn Disk> = Arc::new(Kernel::below(vec![settings.site.root.clone()]));
        disk.make_dir(&state)?;
        let lock = lock_site(&state, &settings.site.root, &format!("pid {}, rolloutd adopt", std::process::id()))?;
        if state.join(UNFINISHED).exists() {
            let state = state.display();
            return Err(AdoptError::First(format!("a restore of {state} is unfinished: complete it first")));
        }
        left_behind(&state)?;
        if !dry_run {
            disk::sweep(disk.as_ref(), &state)?;
        }
        let logbook = state.join("logbook.sqlite");
        let mut book = None;
        if logbook.exists() || !dry_run {
            book = Some(SqliteLogbook::open_sealed(&logbook, Arc::clone(&disk))?);
        }
        let shared = Shared::default();
        shared.begin(rules, |world| book.as_mut().map_or(Ok(()), |book| take_up(book, world)))?;
        Ok(Self { settings: of_dist, shared, book, disk, id: id.clone(), state, lock })
    }

    fn dir(&self) -> PathBuf {
        tree::dir(&self.settings.root, &self.id)
    }

    fn keep(&self) -> PathBuf {
        adoption::kept(&self.state, &self.id)
    }

    /// Appends facts, and seals the logbook.
    fn record(
        mut self,
        who: &Actor,
        reason: &str,
        facts: Vec<crate::process::fact::Fact>,
        now: Timestamp,
    ) -> Result<(), AdoptError> {
        let entries = facts.into_iter().map(|fact| Entry { who: who.clone(), why: reason.to_owned(), fact });
        if let Some(book) = &mut self.book {
            let mut register = Register::open(self.disk.as_ref(), &self.state)?;
            append(book, &mut register, &entries.collect::<Vec<_>>(), now)?;
            book.seal(None)?;
        }
        drop(self.lock);
        Ok(())
    }
}

/// What is requested.
#[derive(Clone, Debug)]
pub struct Order {
    /// The tree.
    pub id: TreeId,
    /// Whether packages that the metadata does not list are included.
    pub also_unlisted: bool,
    /// Whether nothing is changed.
    pub dry_run: bool,
    /// Who asks.
    pub who: Actor,
    /// Why, for the logbook.
    pub reason: String,
}

/// The result of an adoption.
#[derive(Debug)]
pub struct Adoption {
    /// What was found.
    pub survey: Survey,
    /// Whether the tree is managed now.
    pub done: bool,
}

/// Examines a tree, and adopts it if nothing prevents that. `progress` is called with what is done, and how many of how
/// many packages.
///
/// # Errors
/// Nothing that clients or the daemon rely on has changed.
pub fn adopt(
    settings: &Settings,
    order: &Order,
    now: Timestamp,
    progress: &mut dyn FnMut(&'static str, u64, u64),
) -> Result<Adoption, AdoptError> {
    let alone = Alone::open(settings, &order.id, order.dry_run, now)?;
    if let Some(why) = adopt::managed(&alone.shared.read().world, &order.id) {
        return Err(AdoptError::First(why));
    }
    let found = settings.distributions.iter().find(|dist| dist.path == order.id.dist);
    let mut wrong = Vec::new();
    let terms = found.and_then(|dist| terms_of_adoption(dist, &order.id.tree, now, &mut wrong));
    let (terms, excepted) = terms.ok_or(Unusable(wrong))?;
    let (tree, also_unlisted) = (&order.id.tree, order.also_unlisted);
    let wish = Wish { tree, terms: Arc::new(terms), excepted, also_unlisted, now };
    let view = alone.shared.read();
    let books = Books::of(&view, &order.id.dist);
    let mut read = |done, all| progress("read", done, all);
    if order.dry_run {
        let survey = adoption::survey(&alone.settings, &books, &wish, None, &mut read)?;
        return Ok(Adoption { survey, done: false });
    }
    let disk = Arc::clone(&alone.disk);
    disk.make_dir(alone.settings.index.parent().unwrap_or(&alone.state))?;
    let mut index = Index::open(disk.as_ref(), &alone.settings.index)?;
    let survey = adoption::survey(&alone.settings, &books, &wish, Some((disk.as_ref(), &mut index)), &mut read)?;
    if !survey.is_good() {
        return Ok(Adoption { survey, done: false });
    }
    let mut secured = |done, all| progress("secured", done, all);
    adoption::secure(disk.as_ref(), &alone.dir(), &survey.stay, &alone.keep(), &mut index, &mut secured)?;
    drop(index);
    let facts = adopt::adopt(&view.world, &order.id, shown(&survey, &order.id), packages(&survey, &order.id));
    alone.record(&order.who, &order.reason, facts.map_err(AdoptError::First)?, now)?;
    Ok(Adoption { survey, done: true })
}

/// What clients see of the tree until the daemon publishes it.
fn shown(survey: &Survey, id: &TreeId) -> Option<Published> {
    let (revision, packages, repomd) = survey.shown?;
    Some(Published { tree: id.clone(), revision, packages, repomd, superseded: vec![], plan: None })
}

fn packages(survey: &Survey, id: &TreeId) -> Vec<Adopted> {
    let TreeId { dist, tree } = id;
    let adopted = survey.stay.iter().map(|stays| Adopted {
        dist: dist.clone(),
        tree: tree.clone(),
        place: stays.place.clone(),
        nevra: stays.nevra.clone(),
        sha256: stays.sha256,
        size: stays.size,
        signers: stays.signed.fingerprints.clone(),
        keys: stays.signed.keys.clone(),
        notes: stays.signed.notes.clone(),
        excepted: stays.excepted.map(|code| code.to_string()),
    });
    adopted.collect()
}

/// Releases a tree from which nothing has moved; returns how many packages it had, and what clients see of it now,
/// unless this is a dry run.
///
/// The old metadata is restored first: until the append the tree stays managed, and everything can be repeated.
///
/// # Errors
/// Why it stays managed, or what could not be removed after it was released.
pub fn undo(settings: &Settings, order: &Order, now: Timestamp) -> Result<(usize, Option<PutBack>), AdoptError> {
    let alone = Alone::open(settings, &order.id, order.dry_run, now)?;
    let (dir, keep, disk) = (alone.dir(), alone.keep(), Arc::clone(&alone.disk));
    let view = alone.shared.read();
    let number = view.world.trees.listing(&order.id).len();
    let fact = adopt::release(&view.world, &order.id).map_err(AdoptError::First)?;
    if order.dry_run {
        return Ok((number, None));
    }
    let put_back = adoption::put_back(disk.as_ref(), &dir, &keep)?;
    alone.record(&order.who, &order.reason, vec![fact], now)?;
    adoption::forget(&keep)?;
    Ok((number, Some(put_back)))
}
