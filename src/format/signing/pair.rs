//! The private-key operation, performed by aws-lc in constant time.

use std::fmt;

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeyPairComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RsaPublicKeyComponents, RsaSignatureEncoding,
};
use sequoia_openpgp::crypto::mem::Protected;
use sequoia_openpgp::crypto::mpi;
use sequoia_openpgp::packet::Key;
use sequoia_openpgp::packet::key::{PublicParts, SecretKeyMaterial, SecretParts, UnspecifiedRole};
use sequoia_openpgp::types::{Curve, HashAlgorithm, PublicKeyAlgorithm};

use super::{SigningError, library};

static RSA_SHA256: RsaSignatureEncoding = RSA_PKCS1_SHA256;
static RSA_SHA384: RsaSignatureEncoding = RSA_PKCS1_SHA384;
static RSA_SHA512: RsaSignatureEncoding = RSA_PKCS1_SHA512;
static P256: EcdsaSigningAlgorithm = ECDSA_P256_SHA256_FIXED_SIGNING;
static P384: EcdsaSigningAlgorithm = ECDSA_P384_SHA384_FIXED_SIGNING;
static P521: EcdsaSigningAlgorithm = ECDSA_P521_SHA512_FIXED_SIGNING;

/// The secret part, held by aws-lc.
enum Secret {
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair, HashAlgorithm),
}

/// Public and secret part of one key.
pub(super) struct Pair {
    pub(super) public: Key<PublicParts, UnspecifiedRole>,
    secret: Secret,
}

impl Pair {
    pub(super) fn new(key: &Key<SecretParts, UnspecifiedRole>) -> Result<Self, SigningError> {
        let fingerprint = key.fingerprint().to_hex();
        let damaged =
            |why: &dyn fmt::Display| SigningError::Damaged { fingerprint: fingerprint.clone(), why: why.to_string() };
        let refuse = |what: String| SigningError::Algorithm { fingerprint: fingerprint.clone(), what };
        if key.version() != 4 {
            // No rpm or gpg of EL5 to EL9 can read it.
            return Err(refuse(format!("version {}", key.version())));
        }
        let secret = match key.secret() {
            SecretKeyMaterial::Unencrypted(held) => held.map(|numbers| match (key.mpis(), numbers) {
                (mpi::PublicKey::RSA { e, n }, mpi::SecretKeyMaterial::RSA { d, p, q, u }) => {
                    if !(2048..=8192).contains(&n.bits()) {
                        return Err(refuse(format!("{}-bit RSA", n.bits())));
                    }
                    let parts = KeyPairComponents {
                        public_key: RsaPublicKeyComponents { n: n.value(), e: e.value() },
                        d: d.value(),
                        // OpenPGP's u is the inverse of p modulo q, PKCS#1's qInv that of q modulo p.
                        p: q.value(),
                        q: p.value(),
                        dP: &*residue_below(d.value(), q.value()),
                        dQ: &*residue_below(d.value(), p.value()),
                        qInv: u.value(),
                    };
                    RsaKeyPair::from_components(&parts).map(Secret::Rsa).map_err(|e| damaged(&e))
                }
                (mpi::PublicKey::EdDSA { curve: Curve::Ed25519, q }, mpi::SecretKeyMaterial::EdDSA { scalar }) => {
                    // RFC 4880bis: 0x40, then the native point.
                    let point = q.value().get(1..).unwrap_or_default();
                    Ed25519KeyPair::from_seed_and_public_key(&scalar.value_padded(32), point)
                        .map(Secret::Ed25519)
                        .map_err(|e| damaged(&e))
                }
                (mpi::PublicKey::Ed25519 { a }, mpi::SecretKeyMaterial::Ed25519 { x }) => {
                    Ed25519KeyPair::from_seed_and_public_key(x, a.as_slice())
                        .map(Secret::Ed25519)
                        .map_err(|e| damaged(&e))
                }
                (mpi::PublicKey::ECDSA { curve, q }, mpi::SecretKeyMaterial::ECDSA { scalar }) => {
                    let (algorithm, hash, size) = match curve {
                        Curve::NistP256 => (&P256, HashAlgorithm::SHA256, 32),
                        Curve::NistP384 => (&P384, HashAlgorithm::SHA384, 48),
                        Curve::NistP521 => (&P521, HashAlgorithm::SHA512, 66),
                        other => return Err(refuse(format!("ECDSA ({other})"))),
                    };
                    EcdsaKeyPair::from_private_key_and_public_key(algorithm, &scalar.value_padded(size), q.value())
                        .map(|pair| Secret::Ecdsa(pair, hash))
                        .map_err(|e| damaged(&e))
                }
                _ => Err(refuse(key.pk_algo().to_string())),
            })?,
            SecretKeyMaterial::Encrypted(_) => return Err(SigningError::Encrypted { fingerprint }),
        };
        Ok(Self { public: key.clone().parts_into_public(), secret })
    }

    /// The hash to sign with: SHA-256 is what the oldest clients can read; where the algorithm requires a longer one,
    /// there are no old clients.
    pub(super) fn hash(&self) -> HashAlgorithm {
        match &self.secret {
            Secret::Rsa(_) => HashAlgorithm::SHA256,
            Secret::Ed25519(_) => HashAlgorithm::SHA512,
            Secret::Ecdsa(_, hash) => *hash,
        }
    }

    pub(super) fn sign_digest(&self, hash: HashAlgorithm, bytes: &[u8]) -> Result<mpi::Signature, SigningError> {
        let (algorithm, encoding) = match hash {
            HashAlgorithm::SHA256 => (&digest::SHA256, &RSA_SHA256),
            HashAlgorithm::SHA384 => (&digest::SHA384, &RSA_SHA384),
            HashAlgorithm::SHA512 => (&digest::SHA512, &RSA_SHA512),
            other => return Err(SigningError::Library(format!("{other} is not signed with"))),
        };
        let digest = Digest::import_less_safe(bytes, algorithm).map_err(library)?;
        match &self.secret {
            Secret::Rsa(pair) => {
                let mut s = vec![0; pair.public_modulus_len()];
                pair.sign_digest(encoding, &digest, &mut s).map_err(library)?;
                Ok(mpi::Signature::RSA { s: mpi::MPI::new(&s) })
            }
            Secret::Ed25519(pair) => {
                // RFC 9580, 5.2.3.3 and 5.2.3.4: the digest is the message.
                let both = pair.try_sign(bytes).map_err(library)?;
                let (r, s) = both.as_ref().split_at_checked(32).ok_or(SigningError::Fault)?;
                if self.public.pk_algo() == PublicKeyAlgorithm::Ed25519 {
                    let s = <[u8; 64]>::try_from(both.as_ref()).map_err(library)?;
                    return Ok(mpi::Signature::Ed25519 { s: Box::new(s) });
                }
                Ok(mpi::Signature::EdDSA { r: mpi::MPI::new(r), s: mpi::MPI::new(s) })
            }
            Secret::Ecdsa(pair, _) => {
                let both = pair.sign_digest(&digest).map_err(library)?;
                let half = both.as_ref().len() / 2;
                let (r, s) = both.as_ref().split_at_checked(half).ok_or(SigningError::Fault)?;
                Ok(mpi::Signature::ECDSA { r: mpi::MPI::new(r), s: mpi::MPI::new(s) })
            }
        }
    }

    /// Whether it is an RSA key.
    pub(super) fn is_rsa(&self) -> bool {
        matches!(self.secret, Secret::Rsa(_))
    }
}

impl sequoia_openpgp::crypto::Signer for Pair {
    fn public(&self) -> &Key<PublicParts, UnspecifiedRole> {
        &self.public
    }

    fn sign(&mut self, hash: HashAlgorithm, bytes: &[u8]) -> sequoia_openpgp::Result<mpi::Signature> {
        Ok(self.sign_digest(hash, bytes)?)
    }
}

/// `value mod (prime - 1)` for an odd `prime`, both big-endian, in time that depends on the lengths
/// only: one doubling and one masked subtraction for each bit.
fn residue_below(value: &[u8], prime: &[u8]) -> Protected {
    let mut modulus = Protected::from(prime);
    if let Some(last) = modulus.last_mut() {
        *last &= 0xfe;
    }
    let mut rest = Protected::new(modulus.len());
    let mut less = Protected::new(modulus.len());
    for byte in value {
        for bit in (0..8).rev() {
            let mut carry = (byte >> bit) & 1;
            for digit in rest.iter_mut().rev() {
                let out = *digit >> 7;
                *digit = (*digit << 1) | carry;
                carry = out;
            }
            let mut borrow = 0_u16;
            for ((into, from), by) in less.iter_mut().zip(rest.iter()).zip(modulus.iter()).rev() {
                let difference = 0x100 + u16::from(*from) - u16::from(*by) - borrow;
                let [high, low] = difference.to_be_bytes();
                *into = low;
                borrow = 1 - u16::from(high);
            }
            let [_, borrowed] = borrow.to_be_bytes();
            let mask = 0_u8.wrapping_sub(carry | (borrowed ^ 1));
            for (kept, reduced) in rest.iter_mut().zip(less.iter()) {
                *kept = (*reduced & mask) | (*kept & !mask);
            }
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_residue_is_that_of_ordinary_arithmetic(value: u128, prime in 3_u64..) {
            let prime = prime | 1;
            let expected = value % u128::from(prime - 1);
            let found = residue_below(&value.to_be_bytes(), &prime.to_be_bytes());
            let found = found.iter().fold(0_u128, |n, b| n << 8 | u128::from(*b));
            proptest::prop_assert_eq!(found, expected);
        }
    }
}
