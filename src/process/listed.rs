//! What trees list and their rings do not trust any more.
//!
//! A ring is replaced in a minute, and packages signed by the old key stay listed: sites that fetch the new key then
//! refuse them. So the signers of what each tree lists are compared with its ring whenever one of the two has
//! changed, by the counts that the world keeps, and the finding stays until the ring trusts them again or the packages
//! are gone.

use std::collections::{BTreeMap, BTreeSet};

use super::fact::count;
use super::rules::{Doubt, Rules, Standing, Trust};
use super::world::{Tree, World};
use crate::domain::names::TreeId;

/// Fingerprints that one sentence names.
const NAMED: usize = 3;

/// What speaks against the packages of one tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doubts {
    /// What sites refuse, or what has fewer signers than the tree asks for, and what to do.
    pub untrusted: Option<String>,
    /// Packages signed by revoked keys. This is reported once and is no emergency: they stay listed, since sites may
    /// have installed them, until somebody withdraws them.
    pub revoked: Option<String>,
}

/// Compares what all trees list with their rings. Trees without objections are left out.
pub fn doubts(world: &World, rules: &Rules) -> BTreeMap<TreeId, Doubts> {
    let mut all = BTreeMap::new();
    for (dist, rules) in &rules.distributions {
        for tree in &rules.trees {
            let id = TreeId { dist: dist.clone(), tree: tree.clone() };
            if let Some(doubts) = in_tree(world, &id, rules.trust(tree)) {
                all.insert(id, doubts);
            }
        }
    }
    all
}

/// What one tree lists in spite of its ring.
pub fn in_tree(world: &World, id: &TreeId, trust: &Trust) -> Option<Doubts> {
    let named = |key: &String| format!("key {key}");
    let (mut strange, mut few, mut revoked) = (Group::default(), Group::default(), Group::default());
    for (signers, number) in world.trees.get(id).into_iter().flat_map(Tree::signed) {
        let missing = || signers.certs.iter().filter(|signer| trust.certs.get(*signer) != Some(&Standing::Good));
        match trust.doubt(signers) {
            None => {}
            Some(Doubt::Revoked(key)) => revoked.add(number, std::iter::once(format!("key {key}"))),
            Some(Doubt::RevokedKey { key, cert }) => {
                revoked.add(number, std::iter::once(format!("subkey {key} of {cert}")));
            }
            Some(Doubt::PerhapsRevoked { cert, subkey }) => {
                let key = format!("subkey {subkey} of {cert}, or another of its keys: that was not written down then");
                revoked.add(number, std::iter::once(key));
            }
            Some(Doubt::TooFew { good: 0, .. }) => strange.add(number, missing().map(named)),
            Some(Doubt::TooFew { .. }) => few.add(number, missing().map(named)),
        }
    }
    let file = match trust.files.as_slice() {
        [] => "a file of the ring".to_owned(),
        [file] => file.clone(),
        [first, ..] => format!("{first} or another file of the ring"),
    };
    let strange = strange.words().map(|(packages, keys)| {
        format!(
            "lists {packages} that no key of its ring has signed ({keys}), so sites refuse them (GPG check FAILED); put \
             the old key back beside the new one in {file}, and reload"
        )
    });
    let few = few.words().map(|(packages, keys)| {
        let wanted = trust.min_signers;
        format!(
            "lists {packages} signed by fewer than the {wanted} signers that it requires (not in its ring, or not \
             asked for then: {keys}); put their keys into {file} or lower min_signers, and reload"
        )
    });
    let over = world.trees.get(id).into_iter().flat_map(Tree::excepted);
    let over = over.filter(|(code, _)| !trust.excepted.contains(*code)).map(|(code, number)| {
        format!(
            "lists {} that stayed by an exception for {code}, and no [[distribution.adopted]] lifts that now; let it last \
             longer, or take them out with `rolloutctl drop`",
            count(number, "package")
        )
    });
    let over: Vec<String> = over.collect();
    let untrusted: Vec<String> = strange.into_iter().chain(few).chain(over).collect();
    let revoked = revoked.words().map(|(packages, keys)| {
        format!(
            "lists {packages} signed by a revoked key ({keys}); they stay listed, and nothing signed by it moves: \
             `rolloutd keys` names them, withdraw them and tell the sites"
        )
    });
    let untrusted = (!untrusted.is_empty()).then(|| untrusted.join("; it "));
    (untrusted.is_some() || revoked.is_some()).then_some(Doubts { untrusted, revoked })
}

/// Packages with the same doubt.
#[derive(Default)]
struct Group {
    number: u64,
    keys: BTreeSet<String>,
}

impl Group {
    fn add(&mut self, number: u64, keys: impl Iterator<Item = String>) {
        self.number = self.number.saturating_add(number);
        self.keys.extend(keys);
    }

    /// How many packages, and which keys; nothing where there are none.
    fn words(&self) -> Option<(String, String)> {
        let packages = match self.number {
            0 => return None,
            1 => "1 package".to_owned(),
            more => format!("{more} packages"),
        };
        let mut keys: Vec<String> = self.keys.iter().take(NAMED).cloned().collect();
        if self.keys.len() > NAMED {
            keys.push(format!("{} more", self.keys.len() - NAMED));
        }
        Some((packages, if keys.is_empty() { "no key".to_owned() } else { keys.join(", ") }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::fact::{Fact, samples::every_fact};
    use jiff::Timestamp;

    /// A tree with one package that A and B have signed.
    fn signed_by_both() -> (World, TreeId) {
        let took = every_fact().into_iter().find_map(|fact| match fact {
            Fact::Accepted(took) => Some(took),
            _ => None,
        });
        let mut took = took.expect("one is taken in");
        took.signers = vec!["A".to_owned(), "B".to_owned()];
        let id = TreeId { dist: took.dist.clone(), tree: took.tree.clone() };
        let mut world = World::default();
        world.apply(1, Timestamp::UNIX_EPOCH, "me", &Fact::Accepted(took));
        (world, id)
    }

    fn said(certs: &[(&str, Standing)], min_signers: usize) -> (String, String) {
        let (world, id) = signed_by_both();
        let certs = certs.iter().map(|(key, standing)| ((*key).to_owned(), *standing)).collect();
        let trust = Trust { certs, min_signers, files: vec!["/etc/KEY".to_owned()], ..Trust::default() };
        let Doubts { untrusted, revoked } = in_tree(&world, &id, &trust).unwrap_or_default();
        (untrusted.unwrap_or_default(), revoked.unwrap_or_default())
    }

    #[test]
    fn a_tree_is_doubted_when_its_ring_has_too_few_of_those_who_signed() {
        use Standing::{Good, Revoked};
        let nothing = (String::new(), String::new());
        assert_eq!(said(&[("A", Good)], 0), nothing);
        assert_eq!(said(&[("A", Good), ("B", Good), ("C", Revoked)], 2), nothing);
        let (untrusted, revoked) = said(&[("C", Good)], 1);
        assert_eq!(
            untrusted,
            "lists 1 package that no key of its ring has signed (key A, key B), so sites refuse them (GPG check FAILED); \
             put the old key back beside the new one in /etc/KEY, and reload"
        );
        assert_eq!(revoked, "");
        let (untrusted, _) = said(&[("A", Good)], 2);
        assert!(untrusted.starts_with("lists 1 package signed by fewer than the 2 signers"), "{untrusted}");
        assert!(untrusted.contains("key B") && !untrusted.contains("key A"), "{untrusted}");
        let (untrusted, revoked) = said(&[("A", Revoked), ("B", Good)], 1);
        assert_eq!(untrusted, "");
        assert!(revoked.starts_with("lists 1 package signed by a revoked key (key A)"), "{revoked}");
    }

    #[test]
    fn a_tree_is_doubted_for_a_subkey_that_is_revoked() {
        let took = every_fact().into_iter().find_map(|fact| match fact {
            Fact::Accepted(took) => Some(took),
            _ => None,
        });
        let mut took = took.expect("one is taken in");
        let id = TreeId { dist: took.dist.clone(), tree: took.tree.clone() };
        let (mut world, mut seq) = (World::default(), 0);
        for (name, keys) in [("a", &["S1"][..]), ("b", &["S2"]), ("c", &["S2"]), ("d", &[])] {
            took.nevra = format!("{name}-1-1.noarch").parse().expect("a nevra");
            took.signers = vec!["C".to_owned()];
            took.keys = keys.iter().map(|key| (*key).to_owned()).collect();
            seq += 1;
            world.apply(seq, Timestamp::UNIX_EPOCH, "me", &Fact::Accepted(took.clone()));
        }
        let certs = [("C".to_owned(), Standing::Good)].into();
        let soft = Trust { certs, revoked_keys: [("S2".to_owned(), "C".to_owned())].into(), ..Trust::default() };
        let said = |trust: &Trust| in_tree(&world, &id, trust).and_then(|doubts| doubts.revoked).unwrap_or_default();
        assert!(
            said(&soft).starts_with("lists 2 packages signed by a revoked key (subkey S2 of C);"),
            "{}",
            said(&soft)
        );
        let hard = Trust { doubtful: [("C".to_owned(), "S2".to_owned())].into(), ..soft };
        let words =
            "lists 3 packages signed by a revoked key (subkey S2 of C, subkey S2 of C, or another of its keys: ";
        assert!(said(&hard).starts_with(words), "{}", said(&hard));
    }
}
