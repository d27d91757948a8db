//! What does not work now: a subject and a sentence. Readiness, the status line and `rolloutctl check` say both.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::names::{DistPath, HookName, TreeId};
use crate::domain::plan::Plan;

/// What does not work.
///
/// In the order of their names, in which people see them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// A receiver of notices does not take them; it is no trouble that people see.
    Deliver(HookName),
    /// A disk operation failed in a way that leaves the state of the disk unknown; nothing is written any more.
    Disk,
    /// The trees of a distribution cannot be compared with the logbook.
    Inspect(DistPath),
    /// A tree lists what the keys in its ring do not trust.
    Keys(TreeId),
    /// Something else works on the site, too.
    Lock,
    /// The logbook cannot be written.
    Logbook,
    /// Erased people cannot be removed from the register.
    People,
    /// The end of the logbook cannot be recorded outside of it.
    Seal,
    /// A plan cannot be carried out: its distributions, and the number of its entry.
    Promote(Vec<DistPath>, u64),
    /// The trees of a distribution cannot be published.
    Publish(DistPath),
    /// A new configuration was refused.
    Reload,
    /// Files whose time has come cannot be removed from a tree.
    Retire(TreeId),
    /// Packages are not what was accepted.
    Scrub,
    /// The key that signs metadata is about to expire.
    SigningKey,
    /// Uploads of a distribution cannot be looked at.
    TakeIn(DistPath),
    /// Nothing is published in a tree until people have fixed it.
    Tree(TreeId),
    /// A file that lies in the upload tree itself cannot be handled.
    Uploads(DistPath),
}

impl Trouble {
    /// That of a plan, by the number of its entry.
    pub fn of_plan(plan: &Plan, number: u64) -> Self {
        Self::Promote(plan.dists().cloned().collect(), number)
    }
}

/// What does not work now, and why.
pub type Troubles = BTreeMap<Trouble, String>;

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deliver(to) => write!(f, "deliver to {to}"),
            Self::Disk => f.write_str("disk"),
            Self::Inspect(dist) => write!(f, "inspect {dist}"),
            Self::Keys(id) => write!(f, "keys of {id}"),
            Self::Lock => f.write_str("lock"),
            Self::Logbook => f.write_str("logbook"),
            Self::People => f.write_str("people"),
            Self::Seal => f.write_str("logbook.head"),
            Self::Promote(dists, number) => {
                let dists: Vec<&str> = dists.iter().map(DistPath::as_str).collect();
                write!(f, "promote {} (logbook entry {number})", dists.join(" and "))
            }
            Self::Publish(dist) => write!(f, "publish {dist}"),
            Self::Reload => f.write_str("reload"),
            Self::Retire(id) => write!(f, "retire {id}"),
            Self::Scrub => f.write_str("scrub"),
            Self::SigningKey => f.write_str("signing key"),
            Self::TakeIn(dist) => write!(f, "take-in {dist}"),
            Self::Tree(id) => write!(f, "tree {id}"),
            Self::Uploads(dist) => write!(f, "uploads {dist}"),
        }
    }
}
