//! Where uploads are looked for, what is asked of them, and what bounds the taking in.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::names::TreeName;
use crate::store::evidence::Evidence;
use crate::store::examination::{Examiner, Terms};

/// What bounds the taking in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Larger files are refused before they are read, in bytes.
    pub max_package: u64,
    /// How long a file must be quiet before it is read.
    pub quiet: Duration,
    /// How long an incomplete file may stay unchanged before it is refused.
    pub incomplete_after: Duration,
}

/// Where uploads are looked for and what is asked of them.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Where uploads are looked for: the drop directory, or the upload tree's own.
    pub dir: PathBuf,
    /// The upload tree's directory, where packages have their home.
    pub home: PathBuf,
    /// The upload tree.
    pub tree: TreeName,
    /// All trees of the distribution with their directories; a package that one of them lists and has lost is
    /// put back when it is uploaded again.
    pub trees: Vec<(TreeName, PathBuf)>,
    /// Where refused files go, and what lies there.
    pub rejected: Arc<Evidence>,
    /// What is asked of a package.
    pub terms: Arc<Terms>,
    /// Who finds it out.
    pub examiner: Arc<dyn Examiner>,
    /// Bounds.
    pub limits: Limits,
}

impl Gate {
    /// The same for what an admin has put into the upload tree itself.
    #[must_use]
    pub fn at_home(&self) -> Self {
        Self { dir: self.home.clone(), ..self.clone() }
    }

    /// Whether the packages that we have put there lie between the uploads.
    pub(super) fn is_home(&self) -> bool {
        self.dir == self.home
    }
}
