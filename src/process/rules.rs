//! The rules that the configuration gives: procedures, trees, roles, grace times.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::who::Caller;
use crate::domain::calendar::site::Calendar;
use crate::domain::gate::{Finding, Verdict};
use crate::domain::incident::IncidentPolicy;
use crate::domain::levels::LevelPolicy;
use crate::domain::names::{DistPath, HookName, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::request::ChangePolicy;
use crate::domain::rollout::Part;
use crate::domain::workflow::Workflow;

/// What holds for a site; a reload puts a new one in its place between two inputs.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// By distribution.
    pub distributions: BTreeMap<DistPath, DistRules>,
    /// What each webhook may do.
    pub hooks: BTreeMap<HookName, Caller>,
    /// Who is told what: the kinds of facts, by receiver.
    pub outgoing: BTreeMap<HookName, BTreeSet<String>>,
    /// The calendar of the site: of all its distributions, but for windows of their own.
    pub calendar: Calendar,
    /// When each key expires that a tree trusts or that signs metadata, by fingerprint.
    pub expiries: BTreeMap<String, Timestamp>,
    /// When the key ends that signs metadata, if one does and it ends.
    pub signing_until: Option<Timestamp>,
    /// How changes are handled.
    pub changes: ChangePolicy,
    /// How incidents are handled.
    pub incidents: IncidentPolicy,
    /// The service levels that were agreed.
    pub levels: LevelPolicy,
}

/// What holds for one distribution.
#[derive(Clone, Debug)]
pub struct DistRules {
    /// The procedure.
    pub workflow: Workflow,
    /// When its packages may move.
    pub calendar: Calendar,
    /// The trees; uploads arrive in the first.
    pub trees: Vec<TreeName>,
    /// Whom each tree trusts; a tree that is missing here trusts nobody.
    pub trust: BTreeMap<TreeName, Trust>,
    /// How long superseded metadata stays.
    pub grace_metadata: Duration,
    /// How long a package's file stays in a tree that no longer lists it.
    pub grace_packages: Duration,
    /// The node types for which it is the repository; for all if there are none (S1-51).
    pub node_types: BTreeSet<String>,
}

/// Whom a tree trusts, for packages that are promoted into it.
///
/// The signatures themselves were judged when the package was taken in; what can change afterwards is
/// who is trusted: rings differ from tree to tree, and keys are revoked (threats 3.3, rows 19 and 21).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Fingerprints of the certificates in the tree's ring, and whether each is revoked.
    pub certs: BTreeMap<String, Standing>,
    /// Keys of these that are revoked, also subkeys of certificates that are not, each with its certificate.
    pub revoked_keys: BTreeMap<String, String>,
    /// Certificates of which a subkey that signs was revoked as one that others may have, with that subkey. They
    /// count as revoked for packages of which it was not written down which of their keys signed.
    pub doubtful: BTreeMap<String, String>,
    /// How many different ones must have signed; 0 counts as 1.
    pub min_signers: usize,
    /// The files of the ring.
    pub files: Vec<String>,
    /// The codes of refusal for which packages may stay that were there when the tree was adopted.
    pub excepted: BTreeSet<String>,
}

/// The code of an objection to a key that was revoked.
pub const SIGNER_REVOKED: &str = "signer_revoked";

/// Who signed a package.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Signers {
    /// Fingerprints of the certificates.
    pub certs: Vec<String>,
    /// Fingerprints of the very keys; none where that was not written down.
    pub keys: Vec<String>,
}

/// Why signers are not enough for a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt<'s> {
    /// This certificate is revoked.
    Revoked(&'s str),
    /// This key is revoked, and the rest of its certificate is not.
    RevokedKey {
        /// The key that signed.
        key: &'s str,
        /// Its certificate.
        cert: &'s str,
    },
    /// A subkey that others may have is revoked, and whether it signed was not written down.
    PerhapsRevoked {
        /// The certificate that signed.
        cert: &'s str,
        /// Its subkey that is revoked.
        subkey: &'s str,
    },
    /// Fewer signers are good than are wanted.
    TooFew {
        /// In the ring, and not revoked.
        good: usize,
        /// At least 1.
        wanted: usize,
    },
}

impl Rules {
    /// That there is no such distribution, and which ones there are.
    pub fn no_distribution(&self, dist: &DistPath) -> String {
        let known: Vec<&str> = self.distributions.keys().map(DistPath::as_str).collect();
        format!("there is no distribution {dist}; there are {}", known.join(", "))
    }

    /// The rules of the distributions of a rollout, which have the same procedure.
    ///
    /// # Errors
    /// Why they do not hold for it.
    pub fn of(&self, parts: &[Part]) -> Result<&DistRules, Finding> {
        let mut first: Option<(&DistPath, &DistRules)> = None;
        for Part { dist, .. } in parts {
            let Some(rules) = self.distributions.get(dist) else {
                let sentence = format!("The distribution {dist} is no longer configured.");
                return Err(Finding::new(Verdict::NeedsAdmin, "no_distribution", sentence));
            };
            match first {
                None => first = Some((dist, rules)),
                Some((other, those)) if those.workflow != rules.workflow => {
                    let sentence = format!(
                        "{other} and {dist} have different procedures, so that no step is the same for both: give them \
                         the same procedure, or submit a rollout for each."
                    );
                    return Err(Finding::new(Verdict::NeedsAdmin, "procedures_differ", sentence));
                }
                Some(_) => {}
            }
        }
        let none =
            || Finding::new(Verdict::NeedsAdmin, "no_distribution", "A rollout names at least one distribution.");
        first.map(|(_, rules)| rules).ok_or_else(none)
    }
}

impl DistRules {
    /// The trees of a distribution that a person may ask about.
    pub fn trees_of(&self, dist: &DistPath) -> Vec<TreeId> {
        self.trees.iter().map(|tree| TreeId { dist: dist.clone(), tree: tree.clone() }).collect()
    }

    /// Whom a tree trusts.
    pub fn trust(&self, tree: &TreeName) -> &Trust {
        static NOBODY: Trust = Trust {
            excepted: BTreeSet::new(),
            certs: BTreeMap::new(),
            revoked_keys: BTreeMap::new(),
            doubtful: BTreeMap::new(),
            min_signers: 1,
            files: Vec::new(),
        };
        self.trust.get(tree).unwrap_or(&NOBODY)
    }
}

impl Trust {
    /// Why those who signed something are not enough; `None` when they are.
    pub fn doubt<'s>(&'s self, signers: &'s Signers) -> Option<Doubt<'s>> {
        let standing = |signer: &&String| self.certs.get(*signer).copied();
        if let Some(revoked) = signers.certs.iter().find(|signer| standing(signer) == Some(Standing::Revoked)) {
            return Some(Doubt::Revoked(revoked));
        }
        if let Some((key, cert)) = signers.keys.iter().find_map(|key| self.revoked_keys.get_key_value(key)) {
            return Some(Doubt::RevokedKey { key, cert });
        }
        let doubtful = |cert| self.doubtful.get_key_value(cert).filter(|_| signers.keys.is_empty());
        if let Some((cert, subkey)) = signers.certs.iter().find_map(doubtful) {
            return Some(Doubt::PerhapsRevoked { cert, subkey });
        }
        let good = signers.certs.iter().filter(|signer| standing(signer) == Some(Standing::Good)).count();
        let wanted = self.min_signers.max(1);
        (good < wanted).then_some(Doubt::TooFew { good, wanted })
    }

    /// Why a package may not be brought into `tree`, whose trust this is; `None` when it may.
    pub fn objection(&self, tree: &TreeName, nevra: &Nevra, signers: &Signers) -> Option<Finding> {
        let revoked = |sentence| Finding::new(Verdict::NeedsAdmin, SIGNER_REVOKED, sentence);
        Some(match self.doubt(signers)? {
            Doubt::Revoked(cert) => revoked(format!("{nevra} is signed by {cert}, which is revoked.")),
            Doubt::RevokedKey { key, cert } => {
                revoked(format!("{nevra} is signed by the subkey {key} of {cert}, which is revoked."))
            }
            Doubt::PerhapsRevoked { cert, subkey } => revoked(format!(
                "{nevra} is signed by {cert}, whose subkey {subkey} is revoked; which of its keys signed was not \
                 written down when the package was accepted, so it counts as signed by that one."
            )),
            Doubt::TooFew { good, wanted } => {
                let signers = signers.certs.join(" and ");
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The certificate C, of which the subkey S2 was revoked as stolen and S1 is good, and of which S3 was retired.
    fn trust() -> Trust {
        let of_c = |keys: &[&str]| keys.iter().map(|key| ((*key).to_owned(), "C".to_owned())).collect();
        Trust {
            certs: [("C".to_owned(), Standing::Good), ("D".to_owned(), Standing::Good)].into(),
            revoked_keys: of_c(&["S2", "S3"]),
            doubtful: [("C".to_owned(), "S2".to_owned())].into(),
            ..Trust::default()
        }
    }

    #[test]
    fn a_revoked_subkey_counts_for_what_it_signed_and_for_what_it_may_have_signed() {
        let said = |certs: &[&str], keys: &[&str]| {
            let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
            let signers = Signers { certs: texts(certs), keys: texts(keys) };
            let tree = "testing".parse().expect("a name");
            let objection = trust().objection(&tree, &"a-1-1.noarch".parse().expect("a nevra"), &signers);
            objection.map(|finding| (finding.code.to_string(), finding.sentence))
        };
        let revoked = |sentence: &str| Some(("signer_revoked".to_owned(), sentence.to_owned()));
        assert_eq!(said(&["C"], &["C"]), None);
        assert_eq!(said(&["C"], &["S1"]), None);
        for key in ["S2", "S3"] {
            let right = revoked(&format!("a-1-1.noarch is signed by the subkey {key} of C, which is revoked."));
            assert_eq!(said(&["C"], &[key]), right);
            // One good signature beside it is no help, as with a certificate that is revoked.
            assert_eq!(said(&["C", "D"], &["D", key]), right);
        }
        let unknown = "a-1-1.noarch is signed by C, whose subkey S2 is revoked; which of its keys signed was not written \
                       down when the package was accepted, so it counts as signed by that one.";
        assert_eq!(said(&["C"], &[]), revoked(unknown));
        assert_eq!(said(&["D"], &[]), None);
    }
}
