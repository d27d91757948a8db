//! The rules that the configuration gives: procedures, trees, roles, grace times.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{Actor, DistPath, HookName, Role, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::workflow::Workflow;

/// What holds for a site; a reload puts a new one in its place between two inputs.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// By distribution.
    pub distributions: BTreeMap<DistPath, DistRules>,
    /// What each webhook may do.
    pub hooks: BTreeMap<HookName, Caller>,
    /// When each key expires that a tree trusts or that signs metadata, by fingerprint.
    pub expiries: BTreeMap<String, Timestamp>,
    /// When the key ends that signs metadata, if one does and it ends.
    pub signing_until: Option<Timestamp>,
}

/// What holds for one distribution.
#[derive(Clone, Debug)]
pub struct DistRules {
    /// The procedure.
    pub workflow: Workflow,
    /// The trees; uploads arrive in the first.
    pub trees: Vec<TreeName>,
    /// Whom each tree trusts; a tree that is missing here trusts nobody.
    pub trust: BTreeMap<TreeName, Trust>,
    /// How long superseded metadata stays.
    pub grace_metadata: Duration,
    /// How long a package's file stays in a tree that no longer lists it.
    pub grace_packages: Duration,
}

/// Whom a tree trusts, for packages that are promoted into it.
///
/// The signatures themselves were judged when the package was taken in; what can change afterwards is
/// who is trusted: rings differ from tree to tree, and keys are revoked (threats 3.3, rows 19 and 21).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Fingerprints of the certificates in the tree's ring, and whether each is revoked.
    pub certs: BTreeMap<String, Standing>,
    /// How many different ones must have signed; 0 counts as 1.
    pub min_signers: usize,
    /// The files of the ring.
    pub files: Vec<String>,
}

/// Why signers are not enough for a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt<'s> {
    /// This one is revoked.
    Revoked(&'s str),
    /// So many are good of so many that are wanted.
    TooFew {
        /// In the ring, and not revoked.
        good: usize,
        /// At least 1.
        wanted: usize,
    },
}

impl DistRules {
    /// Whom a tree trusts.
    pub fn trust(&self, tree: &TreeName) -> &Trust {
        static NOBODY: Trust = Trust { certs: BTreeMap::new(), min_signers: 1, files: Vec::new() };
        self.trust.get(tree).unwrap_or(&NOBODY)
    }
}

impl Trust {
    /// Why those who signed something are not enough; `None` when they are.
    pub fn doubt<'s>(&self, signers: &'s [String]) -> Option<Doubt<'s>> {
        let standing = |signer: &&String| self.certs.get(*signer).copied();
        if let Some(revoked) = signers.iter().find(|signer| standing(signer) == Some(Standing::Revoked)) {
            return Some(Doubt::Revoked(revoked));
        }
        let good = signers.iter().filter(|signer| standing(signer) == Some(Standing::Good)).count();
        let wanted = self.min_signers.max(1);
        (good < wanted).then_some(Doubt::TooFew { good, wanted })
    }

    /// Why a package may not be brought into `tree`, whose trust this is; `None` when it may.
    pub fn objection(&self, tree: &TreeName, nevra: &Nevra, signers: &[String]) -> Option<Finding> {
        Some(match self.doubt(signers)? {
            Doubt::Revoked(revoked) => {
                let sentence = format!("{nevra} is signed by {revoked}, which is revoked.");
                Finding::new(Verdict::NeedsAdmin, "signer_revoked", sentence)
            }
            Doubt::TooFew { good, wanted } => {
                let signers = signers.join(" and ");
                let sentence = format!(
                    "{nevra} is signed by {signers}; {tree} wants {wanted} of the keys in its ring, and {good} of \
                     these are."
                );
                Finding::new(Verdict::NeedsAdmin, "signer_not_trusted", sentence)
            }
        })
    }
}

/// How a certificate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing speaks against it.
    Good,
    /// It was revoked, softly or hard.
    Revoked,
}

/// Somebody who asks, and what they may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub actor: Actor,
    /// May what.
    pub roles: BTreeSet<Role>,
}
