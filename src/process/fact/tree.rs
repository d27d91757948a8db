//! Facts about trees: what clients see, what was removed, and what is restored.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Kind, Subject, TOLD_MOST, count, more};
use crate::domain::checksum::Sha256;
use crate::domain::names::{DistPath, RolloutId, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::plan::{Before, Item, Move, Owner, Plan};

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

/// Something else has changed what clients get in a tree: it shows what nobody here decided, or a package there is not what
/// was accepted. Those who answer for security want to hear of it (S3-37).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Altered {
    /// The distribution.
    pub dist: DistPath,
    /// The tree.
    pub tree: TreeName,
    /// The package, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nevra: Option<Nevra>,
    /// What was found.
    pub why: String,
}

/// A tree is to list again what it listed at an earlier revision; or, where that is the revision that it shows, what it lists
/// now without some packages. A plan follows from it, as from a step of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restored {
    /// The distribution.
    pub dist: DistPath,
    /// The tree.
    pub tree: TreeName,
    /// The revision whose packages the tree is to list again.
    pub to: u64,
    /// The number of the entry that published that revision; 0 where packages are only taken out.
    pub published: u64,
    /// The revision that it shows until then.
    pub from: u64,
    /// The packages that come back, sorted.
    pub comes: Vec<Relisted>,
    /// The packages that go, sorted.
    pub goes: Vec<Relisted>,
    /// Those of the packages that come back although they were rejected: somebody has said so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<Nevra>,
    /// The number of the entry whose restore is given up by this one, as it cannot be carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gives_up: Option<u64>,
}

/// A package that comes or goes, as the tree listed it then or lists it now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relisted {
    /// Identity.
    pub nevra: Nevra,
    /// SHA-256 of the accepted bytes.
    pub sha256: Sha256,
    /// The rollout that had brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brought: Option<RolloutId>,
    /// Its path in the tree, if that is not where the daemon puts packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

impl Restored {
    /// The tree.
    pub fn id(&self) -> TreeId {
        TreeId { dist: self.dist.clone(), tree: self.tree.clone() }
    }

    /// What is done to the tree, decided at `since`; `None` if there is nothing to do.
    pub fn plan(&self, since: Timestamp) -> Option<Plan> {
        let comes = self.comes.iter().map(|one| Item {
            nevra: one.nevra.clone(),
            sha256: one.sha256,
            leaves: vec![],
            was: Some(Before { brought: one.brought.clone(), place: one.place.as_deref().map(Into::into) }),
            of: None,
        });
        let goes = self.goes.iter().map(|one| Item {
            nevra: one.nevra.clone(),
            sha256: one.sha256,
            leaves: vec![self.tree.clone()],
            was: None,
            of: None,
        });
        let mut items: Vec<Item> = comes.chain(goes).collect();
        items.sort_unstable_by(|a, b| a.nevra.cmp(&b.nevra));
        let owner = Owner::Restore { tree: self.id(), to: self.to, from: self.from, since };
        let one = Move { dist: self.dist.clone(), target: Some(self.tree.clone()), items };
        (!one.items.is_empty()).then(|| Plan { owner, moves: vec![one] })
    }
}

impl Kind for Restored {
    const NAME: &'static str = "tree.restored";

    /// The tree, and the rollouts that had brought what comes or goes: their history shows it, too.
    fn about(&self) -> Vec<Subject> {
        let rollouts = self.comes.iter().chain(&self.goes).filter_map(|one| one.brought.clone());
        let rollouts: std::collections::BTreeSet<RolloutId> = rollouts.collect();
        std::iter::once(Subject::Tree(self.id())).chain(rollouts.into_iter().map(Subject::Rollout)).collect()
    }
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id();
        if let Some(entry) = self.gives_up {
            return write!(f, "gave up the restore of {id} (logbook entry {entry}); it stays at revision {}", self.to);
        }
        if self.to == self.from {
            write!(f, "took packages out of {id}, which shows revision {}", self.from)?;
        } else {
            write!(f, "restored {id} to revision {} (logbook entry {})", self.to, self.published)?;
        }
        for (all, verb) in [(&self.comes, "comes back"), (&self.goes, "goes")] {
            if !all.is_empty() {
                let mut told: Vec<String> = all.iter().take(TOLD_MOST).map(|one| one.nevra.to_string()).collect();
                told.extend(more(all.len()));
                write!(f, "; {verb}: {}", told.join(" "))?;
            }
        }
        match self.rejected.len() {
            0 => Ok(()),
            rejected => write!(f, "; also {rejected} that had been rejected"),
        }
    }
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

impl Kind for Altered {
    const NAME: &'static str = "tree.altered";

    fn about(&self) -> Vec<Subject> {
        let tree = Subject::Tree(TreeId { dist: self.dist.clone(), tree: self.tree.clone() });
        let package = self.nevra.iter().map(|nevra| Subject::Package(self.dist.clone(), nevra.clone()));
        std::iter::once(tree).chain(package).collect()
    }
}

impl fmt::Display for Altered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dist, tree, nevra, why } = self;
        match nevra {
            Some(nevra) => write!(f, "{nevra} in {tree}/{dist} is not what was accepted: {why}"),
            None => write!(f, "{tree}/{dist} was changed by something else: {why}"),
        }
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
