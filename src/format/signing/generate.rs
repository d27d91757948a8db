//! Generates keys, for the demo and for tests.

use std::fmt;
use std::time::SystemTime;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use jiff::Timestamp;
use sequoia_openpgp::armor;
use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::crypto::mpi;
use sequoia_openpgp::packet::key::{Key4, PrimaryRole, SecretParts};
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::packet::{Key, Packet, UserID};
use sequoia_openpgp::serialize::Serialize as _;
use sequoia_openpgp::types::{HashAlgorithm, KeyFlags, PublicKeyAlgorithm, SignatureType, SymmetricAlgorithm};

use super::pair::Pair;
use super::{SigningError, armored, library, pgp_time};

/// A newly generated key. `Debug` does not show its secret.
pub struct Generated {
    /// The transferable secret key, armored, without a passphrase.
    pub secret: String,
    /// The certificate, armored.
    pub public: String,
    /// Fingerprint of the certificate, upper-case hexadecimal.
    pub fingerprint: String,
}

impl fmt::Debug for Generated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generated").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// Generates a key for the demo and for tests: RSA of 3072 bits, version 4, one user id, no expiry.
///
/// RSA, since every rpm from EL5 to EL10 reads it; the primary key certifies and signs, since rpm before 4.9 does not
/// know subkeys; the flags are on the user id, where old readers look.
pub fn generate(user_id: &str, at: Timestamp) -> Result<Generated, SigningError> {
    let time = pgp_time(at)?;
    let made = RsaKeyPair::generate(KeySize::Rsa3072).map_err(library)?;
    let document: Pkcs8V1Der<'_> = made.as_der().map_err(library)?;
    let numbers = pkcs8_numbers(document.as_ref())
        .ok_or_else(|| SigningError::Library("the new key was written in an unknown format".to_owned()))?;
    let [modulus, exponent, d, p, q, _, _, q_inverse] = numbers;
    let public = mpi::PublicKey::RSA { e: mpi::MPI::new(exponent), n: mpi::MPI::new(modulus) };
    // OpenPGP's p is the smaller prime and u its inverse; PKCS#1 stores the inverse of the second.
    let secret = mpi::SecretKeyMaterial::RSA { d: d.into(), p: q.into(), q: p.into(), u: q_inverse.into() };
    let primary: Key<SecretParts, PrimaryRole> =
        Key4::with_secret(SystemTime::from(at), PublicKeyAlgorithm::RSAEncryptSign, public, secret.into())
            .map_err(library)?
            .into();

    let mut pair = Pair::new(&primary.clone().role_into_unspecified())?;
    let name = UserID::from(user_id);
    let binding = SignatureBuilder::new(SignatureType::PositiveCertification)
        .set_hash_algo(HashAlgorithm::SHA256)
        .set_signature_creation_time(SystemTime::from(time))
        .and_then(|b| b.set_key_flags(KeyFlags::empty().set_certification().set_signing()))
        .and_then(|b| b.set_preferred_hash_algorithms(vec![HashAlgorithm::SHA256, HashAlgorithm::SHA512]))
        .and_then(|b| b.set_preferred_symmetric_algorithms(vec![SymmetricAlgorithm::AES256]))
        .and_then(|b| b.sign_userid_binding(&mut pair, primary.parts_as_public(), &name))
        .map_err(library)?;
    binding.verify_userid_binding(&pair.public, primary.parts_as_public(), &name).map_err(|_| SigningError::Fault)?;
    let packets = vec![Packet::SecretKey(primary), Packet::UserID(name), Packet::Signature(binding)];
    let cert = Cert::from_packets(packets.into_iter()).map_err(library)?;
    Ok(Generated {
        secret: armored(armor::Kind::SecretKey, |out| cert.as_tsk().serialize(out))?,
        public: armored(armor::Kind::PublicKey, |out| cert.export(out))?,
        fingerprint: cert.fingerprint().to_hex(),
    })
}

/// The eight numbers of an RSA key in PKCS#8: n, e, d, p, q, dP, dQ, qInv (RFC 5208, RFC 8017 A.1.2).
fn pkcs8_numbers(document: &[u8]) -> Option<[&[u8]; 8]> {
    const INTEGER: u8 = 0x02;
    const OCTETS: u8 = 0x04;
    const SEQUENCE: u8 = 0x30;
    let (mut outer, _) = der_item(document, SEQUENCE)?;
    for skipped in [INTEGER, SEQUENCE] {
        (_, outer) = der_item(outer, skipped)?;
    }
    let (inner, _) = der_item(outer, OCTETS)?;
    let (key, _) = der_item(inner, SEQUENCE)?;
    let (_version, mut rest) = der_item(key, INTEGER)?;
    let mut numbers: [&[u8]; 8] = [&[]; 8];
    for number in &mut numbers {
        (*number, rest) = der_item(rest, INTEGER)?;
    }
    Some(numbers)
}

/// The content of a DER item that must have `tag`, and what follows it.
fn der_item(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let length = digits.iter().try_fold(0_usize, |n, d| n.checked_mul(256)?.checked_add(usize::from(*d)))?;
        (length, rest)
    };
    (found == tag).then(|| rest.split_at_checked(length))?
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn der_of_any_bytes_is_read_without_panic(bytes: Vec<u8>) {
            let _ = pkcs8_numbers(&bytes);
        }
    }
}
