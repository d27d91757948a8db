//! Assigns misplaced signatures to their certificates, wherever in the ring those are.

use std::collections::BTreeMap;

use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::packet::{Packet, Signature};
use sequoia_openpgp::policy::StandardPolicy;
use sequoia_openpgp::types::{HashAlgorithm, SignatureType};
use sequoia_openpgp::{Fingerprint, KeyHandle, KeyID};

use super::KeyComplaint;
use super::certificates::{Stray, is_among, revokes_keys, settled_in};

/// Most misplaced signatures of a ring. Each is tried elsewhere; honest files have few.
const STRAYS_MAX: usize = 1024;

/// Finds the certificate that each misplaced signature belongs to. If there is none, that is a complaint.
pub(super) fn place(mut certs: BTreeMap<Fingerprint, Cert>, strays: Vec<Stray>) -> (Vec<Cert>, Vec<KeyComplaint>) {
    let mut complaints = Vec::new();
    if let Some(stray) = strays.get(STRAYS_MAX) {
        let what = format!(
            "more than {STRAYS_MAX} signatures of the ring are misplaced, such as packet {} of it: export the \
             certificates again",
            stray.number
        );
        complaints.push(KeyComplaint { label: stray.label.clone(), what });
        return (certs.into_values().collect(), complaints);
    }
    let mut by_id: BTreeMap<KeyID, Vec<Fingerprint>> = BTreeMap::new();
    for fingerprint in certs.keys() {
        by_id.entry(KeyID::from(fingerprint)).or_default().push(fingerprint.clone());
    }
    let makers = |signature: &Signature| -> Vec<Fingerprint> {
        let issuers = signature.get_issuers();
        let near = issuers.iter().filter_map(|issuer| by_id.get(&KeyID::from(issuer.clone()))).flatten();
        let mut makers: Vec<Fingerprint> = near
            .filter(|known| issuers.iter().any(|issuer| issuer.aliases(KeyHandle::from((*known).clone()))))
            .cloned()
            .collect();
        makers.sort();
        makers.dedup();
        makers
    };
    // Self-signatures first: they name the designated revokers.
    insert(&mut certs, &strays, |_, signature| makers(signature));
    insert(&mut certs, &strays, designating);
    let settled: BTreeMap<Fingerprint, Vec<Signature>> = strays
        .iter()
        .flat_map(|stray| makers(&stray.signature))
        .filter_map(|maker| certs.get(&maker).map(|cert| (maker, settled_in(cert))))
        .collect();
    let mut by_others: BTreeMap<Fingerprint, Vec<Signature>> = BTreeMap::new();
    for stray in strays {
        let Stray { label, number, signature, home, may_be_lost } = stray;
        let makers = makers(&signature);
        let is_settled = makers.iter().any(|maker| settled.get(maker).is_some_and(|all| is_among(&signature, all)));
        if is_settled || may_be_lost || !designating(&certs, &signature).is_empty() {
            continue;
        }
        if let Some(at_home) = home.as_ref().and_then(|home| certs.get(home)) {
            let home = at_home.fingerprint();
            let is_own = makers.contains(&home);
            let says_nothing = if is_own {
                binds_without_answer(at_home, &signature)
            } else if makers.is_empty() {
                // Nobody in the ring made it: it could not be verified anywhere.
                !revokes_keys(&signature) && !signature.get_issuers().is_empty()
            } else {
                is_among(&signature, by_others.entry(home).or_insert_with(|| said_by_others_of(at_home)))
            };
            if says_nothing {
                continue;
            }
        }
        let revoked_by_another = makers.iter().filter_map(|maker| certs.get(maker)).find_map(|maker| {
            let key = maker.primary_key();
            let of =
                |cert: &&Cert| signature.verify_primary_key_revocation(key.key(), cert.primary_key().key()).is_ok();
            home.as_ref().and_then(|home| certs.get(home)).filter(of).map(Cert::fingerprint)
        });
        complaints.push(KeyComplaint { label, what: nowhere(number, &signature, &makers, revoked_by_another) });
    }
    (certs.into_values().collect(), complaints)
}

/// Adds signatures to the certificates that `whose` finds for them.
fn insert(
    certs: &mut BTreeMap<Fingerprint, Cert>,
    strays: &[Stray],
    whose: impl Fn(&BTreeMap<Fingerprint, Cert>, &Signature) -> Vec<Fingerprint>,
) {
    let mut for_whom: BTreeMap<Fingerprint, Vec<Packet>> = BTreeMap::new();
    for stray in strays {
        for fingerprint in whose(certs, &stray.signature) {
            for_whom.entry(fingerprint).or_default().push(stray.signature.clone().into());
        }
    }
    for (fingerprint, packets) in for_whom {
        let Some(cert) = certs.get_mut(&fingerprint) else { continue };
        if let Ok((with, _)) = cert.clone().insert_packets(packets) {
            *cert = with;
        }
    }
}

/// Why a signature is not ignored, and what to do.
fn nowhere(number: usize, signature: &Signature, makers: &[Fingerprint], revoked: Option<Fingerprint>) -> String {
    let what = match signature.typ() {
        SignatureType::KeyRevocation => "the revocation of a certificate".to_owned(),
        SignatureType::SubkeyRevocation => "the revocation of a subkey".to_owned(),
        SignatureType::CertificationRevocation => "the revocation of a user id".to_owned(),
        SignatureType::GenericCertification
        | SignatureType::PersonaCertification
        | SignatureType::CasualCertification
        | SignatureType::PositiveCertification => "the certification of a user id".to_owned(),
        SignatureType::SubkeyBinding => "the binding of a subkey".to_owned(),
        SignatureType::DirectKey => "a signature over a key itself".to_owned(),
        other => format!("a signature of type {other}"),
    };
    if let (Some(maker), Some(revoked)) = (makers.first(), revoked) {
        return format!(
            "packet {number} of it, {what} by {maker}, is about {revoked}, which did not authorise that key: \
             remove the packet"
        );
    }
    if let Some(maker) = makers.first() {
        return format!(
            "packet {number} of it, {what} by {maker}, does not verify over any part of that certificate: it is \
             damaged, its subject is missing, or its key is of a kind that cannot be checked (RSA of more than 4096 bits, \
             secp256k1, Brainpool); export the certificate again, remove the packet, or use another key"
        );
    }
    let by = match signature.get_issuers().first() {
        Some(issuer) => issuer.to_string(),
        None => return format!("packet {number} of it, {what}, does not name the key that made it: remove it"),
    };
    format!(
        "packet {number} of it, {what} by {by}, belongs to no certificate of the ring: add the certificate of \
         {by} to the ring, or remove the packet"
    )
}

/// The certificates of a ring that this revocation is about and whose designated revoker made it.
fn designating(certs: &BTreeMap<Fingerprint, Cert>, signature: &Signature) -> Vec<Fingerprint> {
    if signature.typ() != SignatureType::KeyRevocation {
        return Vec::new();
    }
    let named = certs.values().filter(|cert| is_revoked_by_designation(cert, signature, certs.values()));
    named.map(Cert::fingerprint).collect()
}

/// Whether a designated revoker of this certificate, if it is in the ring, has made this revocation.
pub(in crate::format) fn is_revoked_by_designation<'a>(
    cert: &Cert,
    revocation: &Signature,
    mut ring: impl Iterator<Item = &'a Cert>,
) -> bool {
    // A designation with an old hash still counts.
    let mut policy = StandardPolicy::new();
    policy.accept_hash(HashAlgorithm::SHA1);
    let named: Vec<Fingerprint> = cert.revocation_keys(&policy).map(|by| by.revoker().1.clone()).collect();
    let primary = cert.primary_key();
    !named.is_empty()
        && ring.any(|revoker| {
            named.contains(&revoker.fingerprint())
                && revocation.verify_primary_key_revocation(revoker.primary_key().key(), primary.key()).is_ok()
        })
}

/// Signatures by others in a certificate that revoke neither it nor a subkey, in order.
fn said_by_others_of(cert: &Cert) -> Vec<Signature> {
    let mut all: Vec<Signature> = cert.primary_key().certifications().cloned().collect();
    for user_id in cert.userids() {
        all.extend(user_id.certifications().chain(user_id.other_revocations()).cloned());
    }
    for attribute in cert.user_attributes() {
        all.extend(attribute.certifications().chain(attribute.other_revocations()).cloned());
    }
    all.sort_by(Signature::normalized_cmp);
    all
}

/// Whether it is the binding of a subkey that lacks only the back-signature. Such a subkey cannot sign, which is
/// reported where that matters (S30).
fn binds_without_answer(cert: &Cert, signature: &Signature) -> bool {
    let primary = cert.primary_key();
    signature.typ() == SignatureType::SubkeyBinding
        && cert.keys().subkeys().any(|subkey| {
            let digest = signature.hash_algo().context().and_then(|context| {
                let mut context = context.for_signature(signature.version());
                signature.hash_subkey_binding(&mut context, primary.key(), subkey.key())?;
                context.into_digest()
            });
            digest.is_ok_and(|digest| signature.verify_digest(primary.key(), digest).is_ok())
        })
}
