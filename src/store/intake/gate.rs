//! Where uploads are searched, what is required of them, and the limits of intake.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::names::TreeName;
use crate::store::evidence::Evidence;
use crate::store::examination::{Examiner, Terms};

/// The limits of intake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Larger files are refused unread, in bytes.
    pub max_package: u64,
    /// How long a file must be unchanged before it is read.
    pub quiet: Duration,
    /// How long an incomplete file may stay unchanged before it is refused.
    pub incomplete_after: Duration,
    /// Whether uploaders find a list of refused files in the drop directory.
    pub list_refused: bool,
}

/// Where uploads are searched, and what is required of them.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The directory searched for uploads: the drop directory, or the upload tree.
    pub dir: PathBuf,
    /// The upload tree's directory, where accepted packages go.
    pub home: PathBuf,
    /// The upload tree.
    pub tree: TreeName,
    /// All trees of the distribution with their directories; a listed package that one of them has lost is restored
    /// when it is uploaded again.
    pub trees: Vec<(TreeName, PathBuf)>,
    /// The refused files.
    pub rejected: Arc<Evidence>,
    /// What is required of a package.
    pub terms: Arc<Terms>,
    /// Examines files.
    pub examiner: Arc<dyn Examiner>,
    /// Limits.
    pub limits: Limits,
}

impl Gate {
    /// The same for what an admin put into the upload tree itself.
    #[must_use]
    pub fn at_home(&self) -> Self {
        Self { dir: self.home.clone(), ..self.clone() }
    }

    /// Whether our own packages are among the uploads.
    pub(super) fn is_home(&self) -> bool {
        self.dir == self.home
    }
}
