//! Key files: from bytes to the certificates of a ring, and from those to the files that clients fetch.
//!
//! Owns: armor, packets, which signature belongs to which certificate, and the rule that nothing is silently ignored
//! (S42, S44). Every signature packet of every file of a ring ends in one of three ways:
//!
//! - it belongs to a certificate of the ring, wherever it is, and verifies with that certificate's key or, if it
//!   revokes a certificate, with that of a designated revoker. So a revocation counts for the whole ring: at the end of
//!   a file, at its beginning, in a file of its own, beside another copy;
//! - it is in a certificate, made by somebody else, and revokes no key: third-party certifications mean nothing here;
//! - otherwise it is a complaint that names file, packet and key: if a ring lacks a revocation, whoever has stolen the
//!   key can sign.
//!
//! What clients fetch is made from the certificates that were read, never from the bytes: rpm up to 4.18 accepts one
//! armored block for each certificate, as in RFC 4880, and little else.

/// The bytes of a key file: armored blocks in a text, or binary packets.
mod armor;
/// One key file: its packets, certificates, and misplaced signatures.
pub(super) mod certificates;
/// Assigns misplaced signatures to their certificates.
mod strays;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sequoia_openpgp::Fingerprint;
use sequoia_openpgp::anyhow;
use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::packet::{Packet, Signature};
use sequoia_openpgp::serialize::Serialize as _;

use certificates::{File, Stray};
pub(super) use strays::is_revoked_by_designation;

/// Most bytes of one key file. The largest that a distribution ships has some 100 KB; a key that was flooded with
/// certifications has to be cleaned before it is trusted (S44).
pub const KEY_FILE_MAX: usize = 4 * 1024 * 1024;

const SECRET: &str =
    "holds a secret key: export the public key only (`gpg --armor --export KEY`), and keep the secret one elsewhere";

/// What is wrong with a key file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{label}: {what}")]
pub struct KeyComplaint {
    /// The file, as named by the caller.
    pub label: String,
    /// What is wrong. A lower-case fragment.
    pub what: String,
}

/// The content of a ring's files.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// By fingerprint, copies merged.
    pub(super) certs: Vec<Cert>,
    /// Which certificates are in each file.
    pub(super) held: Vec<(String, Vec<Fingerprint>)>,
    /// Files that were left out, and why.
    pub(super) left_out: Vec<KeyComplaint>,
}

/// Reads the files of a ring, armored or binary, any number of certificates in each.
///
/// A file that `may_be_left_out` and has no usable key is left out; revocations in it count nevertheless.
pub(super) fn read(
    files: &[(String, Vec<u8>)],
    may_be_left_out: &dyn Fn(&str) -> bool,
) -> Result<Contents, Vec<KeyComplaint>> {
    let mut complaints = Vec::new();
    let mut found = Contents::default();
    let mut merged: BTreeMap<Fingerprint, Cert> = BTreeMap::new();
    let mut strays = Vec::new();
    for (label, bytes) in files {
        let file = guarded(|| File::read(label, bytes)).unwrap_or_else(File::unusable);
        let complaint = |what: String| KeyComplaint { label: label.clone(), what };
        if file.certs.is_empty() && !file.wrong.is_empty() && may_be_left_out(label) {
            found.left_out.extend(file.wrong.into_iter().map(complaint));
            strays.extend(file.strays.into_iter().map(|stray| Stray { may_be_lost: true, ..stray }));
            continue;
        }
        complaints.extend(file.wrong.into_iter().map(complaint));
        strays.extend(file.strays);
        found.held.push((label.clone(), file.certs.iter().map(Cert::fingerprint).collect()));
        for cert in file.certs {
            if let Err(what) = merge(&mut merged, cert) {
                complaints.push(complaint(what));
            }
        }
    }
    match guarded(|| strays::place(merged, strays)) {
        Ok((certs, nowhere)) => {
            found.certs = certs;
            complaints.extend(nowhere);
        }
        Err(what) => {
            let label = files.first().map_or_else(String::new, |(label, _)| label.clone());
            complaints.push(KeyComplaint { label, what });
        }
    }
    if complaints.is_empty() { Ok(found) } else { Err(complaints) }
}

fn merge(merged: &mut BTreeMap<Fingerprint, Cert>, cert: Cert) -> Result<(), String> {
    let fingerprint = cert.fingerprint();
    let together = match merged.remove(&fingerprint) {
        // Neither has secrets: `packets_of` refuses those.
        Some(other) => guarded(|| other.merge_public(cert).map_err(|error| one_line(&error)))
            .and_then(|merged| merged)
            .map_err(|why| format!("two copies of {fingerprint} cannot be merged: {why}"))?,
        None => cert,
    };
    merged.insert(fingerprint, together);
    Ok(())
}

/// A certificate as rpm and others accept it: one armored block with the keys, the user ids and the self-signatures.
/// Third-party signatures, unbound parts and revoked subkeys are left out.
pub(super) fn armored(cert: &Cert) -> Result<String, String> {
    let mut packets: Vec<Packet> = vec![cert.primary_key().key().clone().into()];
    let primary = cert.primary_key();
    let own = primary.self_revocations().chain(primary.other_revocations()).chain(primary.self_signatures());
    packets.extend(own.cloned().map(Packet::from));
    for user_id in cert.userids() {
        let said: Vec<&Signature> = user_id.self_revocations().chain(user_id.self_signatures()).collect();
        if !said.is_empty() {
            packets.push(user_id.userid().clone().into());
            packets.extend(said.into_iter().cloned().map(Packet::from));
        }
    }
    for subkey in cert.keys().subkeys() {
        let said: Vec<&Signature> = subkey.self_signatures().collect();
        // rpm cannot handle a revoked subkey, and refuses a certificate that has one.
        if !said.is_empty() && subkey.self_revocations().next().is_none() {
            packets.push(Packet::from(subkey.key().clone()));
            packets.extend(said.into_iter().cloned().map(Packet::from));
        }
    }
    let mut bytes = Vec::new();
    for packet in packets {
        packet.serialize(&mut bytes).map_err(|error| one_line(&error))?;
    }
    Ok(armor::armor(&bytes))
}

/// Calls the OpenPGP library on untrusted bytes; a panic becomes an error.
///
/// After a panic, nothing that the closure can reach is used again except shared, immutable values.
pub(super) fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| "the OpenPGP library failed on it".to_owned())
}

/// An error with its causes, without control characters: it may quote bytes of the file.
pub(super) fn one_line(error: &anyhow::Error) -> String {
    printable(format!("{error:#}").as_bytes())
}

/// Untrusted text for messages: control characters replaced, and cut to a bearable length.
pub(super) fn printable(bytes: &[u8]) -> String {
    const LONGEST: usize = 300;
    let text = String::from_utf8_lossy(bytes);
    text.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use jiff::Timestamp;
    use sequoia_openpgp::cert::{CertBuilder, SubkeyRevocationBuilder};
    use sequoia_openpgp::serialize::SerializeInto as _;
    use sequoia_openpgp::types::KeyFlags;

    use super::*;

    const BORN: Timestamp = Timestamp::constant(1_700_000_000, 0);

    #[test]
    fn clients_get_no_subkey_that_is_revoked() {
        let time = SystemTime::from(BORN);
        let signs = KeyFlags::empty().set_signing();
        let builder = CertBuilder::new().set_creation_time(time).add_userid("a").add_subkey(signs.clone(), None, None);
        let cert = builder.add_subkey(signs, None, None).generate().unwrap().0;
        let [gone, stays] = [0, 1].map(|n| cert.keys().subkeys().nth(n).unwrap().key().clone());
        let mut signer = cert.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
        let revocation = SubkeyRevocationBuilder::new().build(&mut signer, &cert, &gone, None).unwrap();
        let public = cert.strip_secret_key_material();
        let bytes = [public.to_vec().unwrap(), Packet::from(revocation).to_vec().unwrap()].concat();
        let read = |bytes: Vec<u8>| read(&[("key".to_owned(), bytes)], &|_| false).unwrap().certs.remove(0);
        let subkeys = |cert: &Cert| cert.keys().subkeys().map(|sub| sub.key().fingerprint()).collect::<Vec<_>>();
        let ring = read(bytes);
        assert_eq!(ring.keys().subkeys().filter(|sub| sub.self_revocations().count() == 1).count(), 1);
        assert_eq!(subkeys(&ring).len(), 2);
        assert_eq!(subkeys(&read(armored(&ring).unwrap().into_bytes())), [stays.fingerprint()]);
    }
}
