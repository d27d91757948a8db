//! The state that all handlers share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use axum::http::{HeaderMap, StatusCode, header};

use super::auth::{HookSecrets, Tokens};
use super::bodies::Bodies;
use super::guesses::Guesses;
use super::problem::Problem;
use super::readers::Readers;
use super::sso::{SingleSignOn, Unidentified};
use crate::domain::names::{DistPath, TreeId};
use crate::engine::handle::Handle;
use crate::engine::view::TreeView;
use crate::format::repofile;
use crate::link::clock::Clock;
use crate::process::who::{Caller, SSO_SECRET};
use crate::store::disk::{Disk, DiskError};
use crate::store::evidence::Evidence;
use crate::store::logbook::Reader;

/// How many requests may read the logbook at a time. Each takes a thread and some descriptors, and walking all of it
/// also takes a processor.
const LOGBOOK_READERS: usize = 4;

/// How many files are read for clients at a time: enough for any kind of disk, few for this machine.
const FILE_READERS: usize = 16;

/// How many questions that take a processor for a while are answered at a time. They read memory alone, so a disk that
/// hangs keeps none of them waiting.
const RECKONERS: usize = 2;

/// The settings that handlers use; a reload replaces them.
#[derive(Default)]
pub struct SiteFacts {
    /// Name for pages.
    pub name: String,
    /// URL of the trees, without a slash at the end.
    pub base_url: String,
    /// Directory of the trees.
    pub root: PathBuf,
    /// The state directory.
    pub state: PathBuf,
    /// Who may use the API.
    pub tokens: Tokens,
    /// Who comes by a web server that has identified them.
    pub sso: Option<SingleSignOn>,
    /// Who may send webhooks.
    pub secrets: HookSecrets,
    /// The refused files of each distribution.
    pub rejected: BTreeMap<DistPath, Arc<Evidence>>,
}

/// What a request brings to be known by.
pub enum Credentials {
    /// Nothing.
    None,
    /// A token, and whose it is.
    Token(Option<Caller>),
    /// The word of a web server.
    Sso(Result<Caller, Unidentified>),
}

impl SiteFacts {
    /// Whether a request brings anything to be known by. Nothing is compared.
    pub fn has_credentials(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(header::AUTHORIZATION) || (self.sso.is_some() && headers.contains_key(SSO_SECRET))
    }

    /// What a request brings to be known by. Whoever sends a token wants to be known by it, also behind a single sign-on.
    pub fn credentials(&self, headers: &HeaderMap) -> Credentials {
        if headers.contains_key(header::AUTHORIZATION) {
            return Credentials::Token(self.tokens.caller(headers));
        }
        self.sso.as_ref().and_then(|sso| sso.caller(headers)).map_or(Credentials::None, Credentials::Sso)
    }

    /// The URL of a tree, with a slash at the end.
    pub fn tree_url(&self, id: &TreeId) -> String {
        format!("{}/{}/{}/", self.base_url, id.tree, id.dist)
    }

    /// The names of a tree's `.repo` files: its own and, if it has any, that for early adopters (S1-24).
    pub fn repo_files(view: &TreeView) -> Vec<String> {
        let TreeId { dist, tree } = &view.id;
        let both = view.production.as_ref().map(|production| repofile::early_adopters_id(dist, tree, production));
        [repofile::id(dist, tree)].into_iter().chain(both).map(|name| format!("{name}.repo")).collect()
    }
}

/// The state that all handlers share.
#[derive(Clone)]
pub struct Context {
    /// The handle of the engine.
    pub engine: Handle,
    logbook: Reader,
    walkers: Arc<Readers>,
    readers: Arc<Readers>,
    reckoners: Arc<Readers>,
    bodies: Arc<Bodies>,
    guesses: Arc<Guesses>,
    site: Arc<RwLock<Arc<SiteFacts>>>,
    disk: Arc<dyn Disk>,
    clock: Clock,
}

impl Context {
    /// A context for an engine.
    pub fn new(engine: Handle, logbook: Reader, site: SiteFacts, disk: Arc<dyn Disk>, clock: Clock) -> Self {
        let [walkers, readers, reckoners] =
            [LOGBOOK_READERS, FILE_READERS, RECKONERS].map(|most| Arc::new(Readers::new(most)));
        let (bodies, guesses) = (Arc::default(), Arc::new(Guesses::new(clock)));
        let site = Arc::new(RwLock::new(Arc::new(site)));
        Self { engine, logbook, walkers, readers, reckoners, bodies, guesses, site, disk, clock }
    }

    /// Reads the logbook file on a thread that may block on the disk.
    ///
    /// # Errors
    /// A problem document if `read` fails.
    pub async fn read_logbook<T, E>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: std::error::Error + Send + 'static,
    {
        let failed = |error: &dyn std::error::Error| {
            let kind = StatusCode::INTERNAL_SERVER_ERROR;
            Problem::new(kind, "logbook", "The logbook cannot be read", error.to_string())
        };
        let logbook = self.logbook.clone();
        self.walkers.read(move || read(&logbook)).await.map_err(|e| failed(&e))?.map_err(|e| failed(&e))
    }

    /// Reads or removes refused files on a thread that may block on the disk.
    ///
    /// # Errors
    /// A problem document if `work` fails.
    pub async fn at_rejected<T: Send + 'static>(
        &self,
        work: impl FnOnce(&SiteFacts, &dyn Disk) -> Result<T, DiskError> + Send + 'static,
    ) -> Result<T, Problem> {
        let failed = |why: String| {
            let kind = StatusCode::INTERNAL_SERVER_ERROR;
            Problem::new(kind, "disk", "The refused files cannot be read or removed", why)
        };
        let (site, disk) = (self.site(), Arc::clone(&self.disk));
        let done = self.walkers.read(move || work(&site, disk.as_ref())).await;
        done.map_err(|e| failed(e.to_string()))?.map_err(|e| failed(e.sentence()))
    }

    /// Reads or writes the file of a report on a thread that may block on the disk.
    ///
    /// # Errors
    /// A problem document if `work` fails.
    pub async fn at_reports<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Disk) -> Result<T, DiskError> + Send + 'static,
    ) -> Result<T, Problem> {
        let failed = |why: String| {
            let kind = StatusCode::INTERNAL_SERVER_ERROR;
            Problem::new(kind, "disk", "The file of the report cannot be read or written", why)
        };
        let disk = Arc::clone(&self.disk);
        let done = self.walkers.read(move || work(disk.as_ref())).await;
        done.map_err(|e| failed(e.to_string()))?.map_err(|e| failed(e.sentence()))
    }

    /// Works something out that takes a while for large trees, on a thread of its own, so that no other request waits.
    ///
    /// # Errors
    /// A problem document if there is no thread for too long.
    pub async fn reckon<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let busy = |_| {
            let why = "too many requests of this kind are being answered; try again in a moment";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not now", why)
        };
        self.reckoners.read(work).await.map_err(busy)
    }

    /// Where the time comes from.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Threads that read files for clients.
    pub fn readers(&self) -> &Arc<Readers> {
        &self.readers
    }

    /// Counts the memory of request bodies.
    pub fn bodies(&self) -> &Arc<Bodies> {
        &self.bodies
    }

    /// Counts wrong credentials.
    pub fn guesses(&self) -> &Arc<Guesses> {
        &self.guesses
    }

    /// The present settings.
    pub fn site(&self) -> Arc<SiteFacts> {
        Arc::clone(&self.site.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Replaces the settings.
    pub fn replace(&self, site: SiteFacts) {
        *self.site.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(site);
    }
}
