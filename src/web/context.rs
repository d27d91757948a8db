//! The state that all handlers share.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use super::auth::{HookSecrets, Tokens};
use crate::domain::names::TreeId;
use crate::engine::run::Handle;

/// What handlers know of the site; a reload puts a new one in its place.
#[derive(Default)]
pub struct SiteFacts {
    /// Name for pages.
    pub name: String,
    /// URL of the trees, without a slash at the end.
    pub base_url: String,
    /// Directory of the trees.
    pub root: PathBuf,
    /// Who may use the API.
    pub tokens: Tokens,
    /// Who may send hints.
    pub secrets: HookSecrets,
}

impl SiteFacts {
    /// The URL of a tree, with a slash at the end.
    pub fn tree_url(&self, id: &TreeId) -> String {
        format!("{}/{}/{}/", self.base_url, id.tree, id.dist)
    }
}

/// The state that all handlers share.
#[derive(Clone)]
pub struct Context {
    /// The way to the engine.
    pub engine: Handle,
    /// The logbook file, for readers.
    pub logbook: PathBuf,
    site: Arc<RwLock<Arc<SiteFacts>>>,
}

impl Context {
    /// A context over an engine.
    pub fn new(engine: Handle, logbook: PathBuf, site: SiteFacts) -> Self {
        Self { engine, logbook, site: Arc::new(RwLock::new(Arc::new(site))) }
    }

    /// What is known of the site now.
    pub fn site(&self) -> Arc<SiteFacts> {
        Arc::clone(&self.site.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Puts new facts in place.
    pub fn replace(&self, site: SiteFacts) {
        *self.site.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(site);
    }
}
