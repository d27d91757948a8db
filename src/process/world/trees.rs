//! Trees: what they show to clients, and what lies there and waits for its removal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdMap;
use jiff::Timestamp;

use super::Stamp;
use crate::domain::checksum::Sha256;
use crate::domain::names::{DistPath, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::process::fact::tree::{Published, Retired};

/// What is known of one tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The last revision that was published; 0 before the first.
    pub revision: u64,
    /// When that was.
    pub published: Option<Timestamp>,
    /// SHA-256 of the `repomd.xml` that was published last.
    pub repomd: Option<Sha256>,
    /// How many packages the last publication listed.
    pub listed: u64,
    /// Packages came or went since.
    pub dirty: bool,
    /// Names in `repodata/` that nothing names any more, and since when.
    pub superseded: BTreeMap<String, Timestamp>,
    /// Packages that are no longer listed and whose files are still there, and since when.
    pub leaving: OrdMap<Nevra, Timestamp>,
}

impl Tree {
    /// A package came or went, and its file is not to be removed.
    pub(super) fn listed_anew(&mut self, nevra: &Nevra) {
        self.dirty = true;
        self.leaving.remove(nevra);
    }
}

/// All trees.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trees {
    by_id: OrdMap<TreeId, Arc<Tree>>,
}

impl Trees {
    /// One tree; none that was never published and never held anything.
    pub fn get(&self, id: &TreeId) -> Option<&Tree> {
        self.by_id.get(id).map(|tree| &**tree)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&TreeId, &Tree)> {
        self.by_id.iter().map(|(id, tree)| (id, &**tree))
    }

    /// Which there are, in order.
    pub fn ids(&self) -> impl Iterator<Item = &TreeId> {
        self.by_id.keys()
    }

    /// What is known of each.
    pub fn values(&self) -> impl Iterator<Item = &Tree> {
        self.by_id.values().map(|tree| &**tree)
    }

    pub(super) fn of_mut(&mut self, dist: &DistPath, tree: &TreeName) -> &mut Tree {
        self.id_mut(&TreeId { dist: dist.clone(), tree: tree.clone() })
    }

    fn id_mut(&mut self, id: &TreeId) -> &mut Tree {
        Arc::make_mut(self.by_id.entry(id.clone()).or_default())
    }

    /// What is dated later than `now`, by a clock that was ahead, waits from now.
    pub(super) fn wait_from(&mut self, now: Timestamp) {
        let is_ahead = |tree: &Tree| tree.superseded.values().chain(tree.leaving.values()).any(|since| *since > now);
        let ahead: Vec<TreeId> = self.iter().filter(|(_, tree)| is_ahead(tree)).map(|(id, _)| id.clone()).collect();
        for id in ahead {
            let tree = self.id_mut(&id);
            tree.superseded.values_mut().for_each(|since| *since = (*since).min(now));
            tree.leaving = tree.leaving.iter().map(|(nevra, since)| (nevra.clone(), (*since).min(now))).collect();
        }
    }

    pub(super) fn published(&mut self, stamp: Stamp<'_>, published: &Published) {
        let tree = self.id_mut(&published.tree);
        tree.revision = published.revision;
        tree.published = Some(stamp.at);
        tree.repomd = Some(published.repomd);
        tree.listed = published.packages;
        tree.dirty = false;
        // The list is all that lies there unnamed, so what is not on it is named again or gone.
        tree.superseded.retain(|name, _| published.superseded.contains(name));
        for name in &published.superseded {
            tree.superseded.entry(name.clone()).or_insert(stamp.since);
        }
    }

    pub(super) fn retired(&mut self, Retired { tree: id, files, kept }: &Retired) {
        let tree = self.id_mut(id);
        // What is named again waits for nothing any more.
        let over = || files.iter().chain(kept);
        for name in over().filter_map(|file| file.strip_prefix("repodata/")) {
            tree.superseded.remove(name);
        }
        let gone: BTreeSet<&str> = over().filter_map(|file| file.rsplit('/').next()).collect();
        let left = |nevra: &&Nevra| gone.contains(nevra.file_name().as_str());
        let left: Vec<Nevra> = tree.leaving.keys().filter(left).cloned().collect();
        for nevra in left {
            tree.leaving.remove(&nevra);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    impl std::ops::Index<&TreeId> for Trees {
        type Output = Tree;

        fn index(&self, id: &TreeId) -> &Tree {
            self.get(id).expect("a tree")
        }
    }
}
