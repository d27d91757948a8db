//! The generated `.repo` file of a tree, and the keys beside it.

use std::collections::BTreeMap;

use super::super::disk::{self, Access};
use super::super::{ownership, tree};
use super::{DistError, DistSettings, Distribution};
use crate::domain::names::TreeName;
use crate::format::repofile;

impl Distribution {
    /// The generated `.repo` file of a tree and the keys beside it, by name; the keys first.
    pub(super) fn yum_files(&self, tree: &TreeName) -> Vec<(String, Vec<u8>)> {
        let metadata =
            if self.settings.signer.is_some() { repofile::Metadata::Signed } else { repofile::Metadata::Unsigned };
        let DistSettings { path, base_url, key_urls, key_files, metadata_key, .. } = &self.settings;
        let key_files: BTreeMap<&String, &Vec<u8>> = key_files.get(tree).into_iter().flatten().collect();
        let beside = |name: &String| format!("{base_url}/{tree}/{path}/{}", repofile::url_part(name));
        let mut urls = key_urls.clone();
        if urls.is_empty() {
            urls.extend(key_files.keys().map(|name| beside(name)));
        }
        urls.extend(metadata_key.iter().map(|(name, _)| beside(name)));
        let text = repofile::write(path, tree, base_url, &urls, metadata);
        let name = format!("{}.repo", repofile::id(&self.settings.path, tree));
        let keys = key_files.into_iter().chain(metadata_key.iter().map(|(name, bytes)| (name, bytes)));
        keys.map(|(name, bytes)| (name.clone(), bytes.clone())).chain([(name, text.into_bytes())]).collect()
    }

    /// Writes the `.repo` file of a tree and the keys beside it if they differ.
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
