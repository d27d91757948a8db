//! The generated `.repo` files of a tree, and the keys beside them.

use super::super::disk::{self, Access};
use super::super::{ownership, tree};
use super::{DistError, DistSettings, Distribution};
use crate::domain::names::TreeName;
use crate::format::repofile::{self, Stanza};

impl Distribution {
    /// The generated `.repo` files of a tree and the keys beside them, by name; the keys first.
    pub(super) fn yum_files(&self, tree: &TreeName) -> Vec<(String, Vec<u8>)> {
        let DistSettings { path, base_url, metadata_key, companions, trees, .. } = &self.settings;
        let metadata =
            if self.settings.signer.is_some() { repofile::Metadata::Signed } else { repofile::Metadata::Unsigned };
        let own = self.key_urls(tree);
        let is_tried = trees.last() != Some(tree);
        let stanza = Stanza { path, tree, base_url, keys: &own, metadata, is_tried };
        let mut files = vec![(repofile::id(path, tree), repofile::write(stanza))];
        if let Some(production) = repofile::production_beside(trees, tree) {
            let theirs = self.key_urls(production);
            let beside = Stanza { tree: production, keys: &theirs, is_tried: false, ..stanza };
            let name = repofile::early_adopters_id(path, tree, production);
            files.push((name, repofile::write_for_early_adopters(beside, stanza, companions)));
        }
        let files = files.into_iter().map(|(name, text)| (format!("{name}.repo"), text.into_bytes()));
        let keys = self.key_files(tree).chain(metadata_key.iter().map(|(name, bytes)| (name, bytes)));
        keys.map(|(name, bytes)| (name.clone(), bytes.clone())).chain(files).collect()
    }

    /// The packages' keys beside the `.repo` files of a tree, in the order of their names.
    fn key_files(&self, tree: &TreeName) -> impl Iterator<Item = (&String, &Vec<u8>)> {
        self.settings.key_files.get(tree).into_iter().flatten()
    }

    /// Where clients of a tree find keys.
    fn key_urls(&self, tree: &TreeName) -> Vec<String> {
        let DistSettings { path, base_url, key_urls, metadata_key, .. } = &self.settings;
        let beside = |name: &String| format!("{base_url}/{tree}/{path}/{}", repofile::url_part(name));
        let mut urls = key_urls.clone();
        if urls.is_empty() {
            urls.extend(self.key_files(tree).map(|(name, _)| beside(name)));
        }
        urls.extend(metadata_key.iter().map(|(name, _)| beside(name)));
        urls
    }

    /// Writes the `.repo` files of a tree and the keys beside them if they differ.
    pub(super) fn write_yum_files(&self, tree: &TreeName) -> Result<(), DistError> {
        let dir = self.dir(tree);
        let mut is_ours = false;
        for (name, bytes) in self.yum_files(tree) {
            let path = dir.join(name);
            if tree::read_small(&path, bytes.len() as u64).as_deref() != Some(&*bytes) {
                if !is_ours {
                    self.is_ours_alone(tree, ownership::Look::AtOurs)?;
                    is_ours = true;
                }
                disk::put(self.disk.as_ref(), &path, &bytes, Access::Everybody)?;
            }
        }
        Ok(())
    }
}
