//! Certificates made by hand: revoked, expired, badly bound, of impossible numbers.

use crate::forge::{BORN, Hand, MADE, builder, framed, seconds, sub, system};
use sequoia_openpgp::armor;
use sequoia_openpgp::cert::{Cert, CertRevocationBuilder};
use sequoia_openpgp::crypto::mpi;
use sequoia_openpgp::packet::key::{Key4, PrimaryRole, PublicParts, SecretParts, SubordinateRole};
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::packet::{Key, Packet, Signature, UserID};
use sequoia_openpgp::types::{HashAlgorithm, KeyFlags, PublicKeyAlgorithm, ReasonForRevocation, SignatureType};
use std::io::Write as _;
use std::time::Duration;

pub(crate) const DAY: Duration = Duration::from_hours(24);

pub(crate) fn valid_until(end: &str) -> Hand {
    let span = system(end).duration_since(system(BORN)).unwrap();
    Hand::from_builder(builder("a").set_validity_period(span))
}

pub(crate) fn revoked(by: &Hand, when: &str, reason: ReasonForRevocation) -> Cert {
    let revocation = CertRevocationBuilder::new()
        .set_signature_creation_time(system(when))
        .unwrap()
        .set_reason_for_revocation(reason, b"a reason")
        .unwrap()
        .build(&mut by.primary().1, &by.cert, None)
        .unwrap();
    by.cert.clone().insert_packets(revocation).unwrap().0
}

/// A key that is bound to its certificate by SHA-1, at that time.
pub(crate) fn bound_by_sha1(when: &str) -> Hand {
    let mut key: Key4<SecretParts, PrimaryRole> =
        Key4::generate_ecc(true, sequoia_openpgp::types::Curve::Ed25519).unwrap();
    key.set_creation_time(system("2022-01-01T00:00:00Z")).unwrap();
    let key = Key::from(key);
    let flags = KeyFlags::empty().set_certification().set_signing();
    let cert = assemble(&key, flags, HashAlgorithm::SHA1, when, Vec::new());
    Hand { cert, key: key.role_into_unspecified() }
}

/// Makes a certificate from a primary key with one self-signature and whatever else.
pub(crate) fn assemble(
    key: &Key<SecretParts, PrimaryRole>,
    flags: KeyFlags,
    hash: HashAlgorithm,
    when: &str,
    more: Vec<Packet>,
) -> Cert {
    let user_id = UserID::from("hand made");
    let binding = SignatureBuilder::new(SignatureType::PositiveCertification)
        .set_hash_algo(hash)
        .set_signature_creation_time(system(when))
        .unwrap()
        .set_key_flags(flags)
        .unwrap()
        .sign_userid_binding(&mut key.clone().into_keypair().unwrap(), key.parts_as_public(), &user_id)
        .unwrap();
    let packets = [Packet::from(key.clone()), user_id.into(), binding.into()].into_iter().chain(more);
    Cert::from_packets(packets).unwrap()
}

/// The certificate with another self-signature on its user id.
pub(crate) fn self_signed_again(
    by: &Hand,
    when: &str,
    hash: HashAlgorithm,
    change: impl FnOnce(SignatureBuilder) -> SignatureBuilder,
) -> Cert {
    by.cert.clone().insert_packets(self_signature(by, when, hash, change)).unwrap().0
}

pub(crate) fn self_signature(
    by: &Hand,
    when: &str,
    hash: HashAlgorithm,
    change: impl FnOnce(SignatureBuilder) -> SignatureBuilder,
) -> Vec<Packet> {
    let (primary, mut signer) = by.primary();
    let user_id = by.cert.userids().next().unwrap().userid().clone();
    let builder = SignatureBuilder::new(SignatureType::PositiveCertification)
        .set_hash_algo(hash)
        .set_signature_creation_time(system(when))
        .unwrap()
        .set_key_flags(KeyFlags::empty().set_certification().set_signing())
        .unwrap();
    let signature = change(builder).sign_userid_binding(&mut signer, Some(&primary), &user_id).unwrap();
    vec![user_id.into(), signature.into()]
}

pub(crate) fn ed25519<R: sequoia_openpgp::packet::key::KeyRole>() -> Key<SecretParts, R> {
    let mut key: Key4<SecretParts, R> = Key4::generate_ecc(true, sequoia_openpgp::types::Curve::Ed25519).unwrap();
    key.set_creation_time(system(BORN)).unwrap();
    key.into()
}

/// A certificate with a subkey whose binding is made by `change`, with the back-signature that
/// `back` gives, and the hand of that subkey.
pub(crate) fn with_subkey(
    change: impl FnOnce(SignatureBuilder) -> SignatureBuilder,
    back: impl FnOnce(&Key<SecretParts, PrimaryRole>, &Key<SecretParts, SubordinateRole>) -> Option<Signature>,
) -> (Hand, Hand) {
    let primary: Key<SecretParts, PrimaryRole> = ed25519();
    let subkey: Key<SecretParts, SubordinateRole> = ed25519();
    let mut builder = SignatureBuilder::new(SignatureType::SubkeyBinding)
        .set_signature_creation_time(system(BORN))
        .unwrap()
        .set_key_flags(KeyFlags::empty().set_signing())
        .unwrap();
    if let Some(back) = back(&primary, &subkey) {
        builder = builder.set_embedded_signature(back).unwrap();
    }
    let binding = change(builder)
        .sign_subkey_binding(
            &mut primary.clone().into_keypair().unwrap(),
            primary.parts_as_public(),
            subkey.parts_as_public(),
        )
        .unwrap();
    bound_by(&primary, &subkey, Some(binding))
}

pub(crate) fn bound_by(
    primary: &Key<SecretParts, PrimaryRole>,
    subkey: &Key<SecretParts, SubordinateRole>,
    binding: Option<Signature>,
) -> (Hand, Hand) {
    let mut more = vec![Packet::from(subkey.clone())];
    more.extend(binding.map(Packet::from));
    let cert = assemble(primary, KeyFlags::empty().set_certification(), HashAlgorithm::SHA512, BORN, more);
    let by = Hand { cert: cert.clone(), key: subkey.clone().role_into_unspecified() };
    (Hand { cert, key: primary.clone().role_into_unspecified() }, by)
}

/// The back-signature that a signing subkey gives to its primary key.
pub(crate) fn back_signature(
    by: &Key<SecretParts, SubordinateRole>,
    primary: &Key<SecretParts, PrimaryRole>,
    subkey: &Key<SecretParts, SubordinateRole>,
) -> Signature {
    SignatureBuilder::new(SignatureType::PrimaryKeyBinding)
        .set_signature_creation_time(system(BORN))
        .unwrap()
        .sign_primary_key_binding(
            &mut by.clone().into_keypair().unwrap(),
            primary.parts_as_public(),
            subkey.parts_as_public(),
        )
        .unwrap()
}

pub(crate) fn rsa(bits: usize) -> Hand {
    let mut key: Key4<SecretParts, PrimaryRole> = Key4::generate_rsa(bits).unwrap();
    key.set_creation_time(system(BORN)).unwrap();
    let key = Key::from(key);
    let flags = KeyFlags::empty().set_certification().set_signing();
    let cert = assemble(&key, flags, HashAlgorithm::SHA512, BORN, Vec::new());
    Hand { cert, key: key.role_into_unspecified() }
}

/// A certificate with an RSA key of these numbers, and a signature that names it.
pub(crate) fn odd_rsa(e: &[u8], n: &[u8]) -> (Cert, Vec<u8>) {
    let public = mpi::PublicKey::RSA { e: mpi::MPI::new(e), n: mpi::MPI::new(n) };
    let key: Key4<PublicParts, PrimaryRole> =
        Key4::new(system(BORN), PublicKeyAlgorithm::RSAEncryptSign, public).unwrap();
    let key: Key<PublicParts, PrimaryRole> = key.into();
    let id = key.keyid().as_bytes().to_vec();
    let cert = Cert::from_packets([Packet::from(key), UserID::from("odd").into()].into_iter()).unwrap();
    let hashed = sub(2, &seconds(MADE));
    let unhashed = sub(16, &id);
    let mut body = vec![4, 0, 1, 8];
    for area in [hashed, unhashed] {
        body.extend(u16::try_from(area.len()).unwrap().to_be_bytes());
        body.extend(area);
    }
    body.extend([0, 0]);
    body.extend(u16::try_from(n.len() * 8).unwrap().to_be_bytes());
    body.extend(n.iter().map(|_| 0xff));
    (cert, framed(2, &body))
}

pub(crate) fn armored(cert: &[u8], kind: armor::Kind) -> Vec<u8> {
    let mut writer = armor::Writer::new(Vec::new(), kind).unwrap();
    writer.write_all(cert).unwrap();
    [writer.finalize().unwrap(), b"\n".to_vec()].concat()
}

pub(crate) fn flip(bytes: &mut [u8], at: usize) {
    bytes[at] ^= 1;
}

/// The last character before two `=`, with a bit set that means nothing.
pub(crate) fn next_in_alphabet(text: &str) -> char {
    let last = text.trim_end_matches('=').chars().last().unwrap();
    assert!(matches!(last, 'A' | 'Q' | 'g' | 'w'), "{last}");
    char::from(u8::try_from(u32::from(last) + 1).unwrap())
}
