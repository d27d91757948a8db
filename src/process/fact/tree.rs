//! Facts about trees: what clients see, and what was removed.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Kind, Subject, count};
use crate::domain::checksum::Sha256;
use crate::domain::names::{DistPath, TreeId, TreeName};

/// A tree shows new metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "PublishedOnDisk", into = "PublishedOnDisk")]
pub struct Published {
    /// The tree.
    pub tree: TreeId,
    /// Its revision.
    pub revision: u64,
    /// How many packages it lists.
    pub packages: u64,
    /// SHA-256 of `repomd.xml`.
    pub repomd: Sha256,
    /// Files in `repodata/` that nothing names any more.
    pub superseded: Vec<String>,
    /// The plan of which it is a step, by the number of its entry: the tree shows from now on what that has brought
    /// there and taken away.
    pub plan: Option<u64>,
}

/// Files whose time had come were removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RetiredOnDisk", into = "RetiredOnDisk")]
pub struct Retired {
    /// The tree.
    pub tree: TreeId,
    /// Paths below the tree.
    pub files: Vec<String>,
    /// Paths whose time had come too, and which stay because something names them again.
    pub kept: Vec<String>,
}

/// A tree is under management no longer, and what was taken under it goes off the lists: nothing of it had moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Released {
    /// The distribution.
    pub dist: DistPath,
    /// The tree.
    pub tree: TreeName,
}

impl Kind for Released {
    const NAME: &'static str = "tree.released";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Tree(TreeId { dist: self.dist.clone(), tree: self.tree.clone() })]
    }
}

impl fmt::Display for Released {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "released {}/{} from management, with everything adopted there", self.tree, self.dist)
    }
}

/// The tree stands in two fields, as it always did.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishedOnDisk {
    dist: DistPath,
    tree: TreeName,
    revision: u64,
    packages: u64,
    repomd: Sha256,
    superseded: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plan: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RetiredOnDisk {
    dist: DistPath,
    tree: TreeName,
    files: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    kept: Vec<String>,
}

impl From<PublishedOnDisk> for Published {
    fn from(PublishedOnDisk { dist, tree, revision, packages, repomd, superseded, plan }: PublishedOnDisk) -> Self {
        Self { tree: TreeId { dist, tree }, revision, packages, repomd, superseded, plan }
    }
}

impl From<Published> for PublishedOnDisk {
    fn from(Published { tree, revision, packages, repomd, superseded, plan }: Published) -> Self {
        Self { dist: tree.dist, tree: tree.tree, revision, packages, repomd, superseded, plan }
    }
}

impl From<RetiredOnDisk> for Retired {
    fn from(RetiredOnDisk { dist, tree, files, kept }: RetiredOnDisk) -> Self {
        Self { tree: TreeId { dist, tree }, files, kept }
    }
}

impl From<Retired> for RetiredOnDisk {
    fn from(Retired { tree, files, kept }: Retired) -> Self {
        Self { dist: tree.dist, tree: tree.tree, files, kept }
    }
}

impl Kind for Published {
    const NAME: &'static str = "tree.published";
    // The plan was added.
    const VERSION: u32 = 2;

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Tree(self.tree.clone())]
    }

    fn upcast(_: u32, body: &str) -> Result<Self, String> {
        serde_json::from_str(body).map_err(|e| e.to_string())
    }
}

impl Kind for Retired {
    const NAME: &'static str = "tree.retired";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Tree(self.tree.clone())]
    }
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "published {} with {}, revision {}", self.tree, count(self.packages, "package"), self.revision)
    }
}

impl fmt::Display for Retired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "removed {} from {}", count(self.files.len(), "file"), self.tree)?;
        if self.kept.is_empty() { Ok(()) } else { write!(f, "; {} stay", self.kept.len()) }
    }
}
