//! RSA signatures over a digest, verified by AWS-LC.
//!
//! Most packages are signed with RSA, and importing a repository verifies all of them. The arithmetic that comes with
//! sequoia is portable Rust and takes half a millisecond each; AWS-LC, which does all other hashing here, takes a
//! twentieth of that. (Rejected: sequoia's OpenSSL and Nettle backends, which are as fast but need a system library,
//! its headers and a matching version on every build host.)
//!
//! Owns: PKCS #1 v1.5 (RFC 8017, section 8.2.2) as RFC 9580, section 5.2.3.1 uses it, for the keys and hashes that
//! AWS-LC supports. The rest is left to sequoia, with the same outcome: see [`fits`].

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents,
};
use sequoia_openpgp::crypto::mpi;
use sequoia_openpgp::types::HashAlgorithm;

/// Whether a key made this signature over this digest; `None` if sequoia has to decide, because the key, the signature
/// or the hash is of another kind or the key is shorter than 2048 bits.
pub(super) fn fits(key: &mpi::PublicKey, signature: &mpi::Signature, hash: HashAlgorithm, sum: &[u8]) -> Option<bool> {
    let (mpi::PublicKey::RSA { e, n }, mpi::Signature::RSA { s }) = (key, signature) else { return None };
    let (how, kind) = match hash {
        HashAlgorithm::SHA256 => (&RSA_PKCS1_2048_8192_SHA256, &digest::SHA256),
        HashAlgorithm::SHA384 => (&RSA_PKCS1_2048_8192_SHA384, &digest::SHA384),
        HashAlgorithm::SHA512 => (&RSA_PKCS1_2048_8192_SHA512, &digest::SHA512),
        _ => return None,
    };
    if n.bits() < 2048 {
        return None;
    }
    let key = RsaPublicKeyComponents { n: n.value(), e: e.value() }.to_parsed_public_key(how).ok()?;
    let sum = Digest::import_less_safe(sum, kind).ok()?;
    // OpenPGP drops leading zeros; PKCS #1 requires as many bytes as the modulus has.
    let Ok(padded) = s.value_padded(n.value().len()) else { return Some(false) };
    Some(key.verify_digest_sig(&sum, &padded).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};
    use sequoia_openpgp::crypto::Signer as _;
    use sequoia_openpgp::packet::Key;
    use sequoia_openpgp::packet::key::{Key4, PrimaryRole, SecretParts};
    use std::sync::OnceLock;

    const HASHES: [(HashAlgorithm, usize); 3] =
        [(HashAlgorithm::SHA256, 32), (HashAlgorithm::SHA384, 48), (HashAlgorithm::SHA512, 64)];

    /// Keys of 2048 and 3072 bits, made once.
    fn keys() -> &'static [Key<SecretParts, PrimaryRole>; 2] {
        static KEYS: OnceLock<[Key<SecretParts, PrimaryRole>; 2]> = OnceLock::new();
        KEYS.get_or_init(|| [2048, 3072].map(|bits| Key4::generate_rsa(bits).expect("a key").into()))
    }

    fn signed(key: &Key<SecretParts, PrimaryRole>, hash: HashAlgorithm, sum: &[u8]) -> mpi::Signature {
        key.clone().into_keypair().expect("it has its secret").sign(hash, sum).expect("signed")
    }

    #[test]
    fn what_a_key_signed_fits_and_nothing_else_does() {
        let [key, other] = keys();
        for (hash, length) in HASHES {
            let sum = vec![7; length];
            let signature = signed(key, hash, &sum);
            let asked = |key: &Key<_, _>, signature: &_, hash, sum: &[u8]| fits(key.mpis(), signature, hash, sum);
            assert_eq!(asked(key, &signature, hash, &sum), Some(true));
            assert_eq!(asked(other, &signature, hash, &sum), Some(false), "another key");
            assert_eq!(asked(key, &signature, hash, &vec![8; length]), Some(false), "another sum");
            assert_eq!(asked(key, &signature, hash, &sum[1..]), None, "no sum of this hash");
            for (named, length) in HASHES.iter().filter(|(named, _)| *named != hash) {
                assert_eq!(asked(key, &signature, *named, &vec![7; *length]), Some(false), "{named} of {hash}");
            }
        }
        let signature = signed(key, HashAlgorithm::SHA1, &[7; 20]);
        assert_eq!(fits(key.mpis(), &signature, HashAlgorithm::SHA1, &[7; 20]), None);
    }

    #[test]
    fn a_number_that_is_no_signature_does_not_fit() {
        let [key, _] = keys();
        let mpi::PublicKey::RSA { n, .. } = key.mpis() else { panic!("an RSA key") };
        let too_long = [n.value(), n.value()].concat();
        for s in [&[][..], &[0], &[1], n.value(), &too_long, &vec![255; n.value().len()]] {
            let signature = mpi::Signature::RSA { s: s.to_vec().into() };
            assert_eq!(fits(key.mpis(), &signature, HashAlgorithm::SHA256, &[7; 32]), Some(false), "{} bytes", s.len());
        }
    }

    proptest! {
        /// Both implementations agree on every signature, including those with one bit wrong.
        #[test]
        fn sequoia_says_the_same(
            of in 0..2_usize, hash in 0..3_usize, byte in any::<u8>(), wrong in proptest::option::of((0..256_usize, 0..8_u32)),
        ) {
            let (key, (hash, length)) = (&keys()[of], HASHES[hash]);
            let sum = vec![byte; length];
            let signature = match (signed(key, hash, &sum), wrong) {
                (mpi::Signature::RSA { s }, Some((at, bit))) => {
                    let mut s = s.value().to_vec();
                    let at = at % s.len();
                    s[at] ^= 1 << bit;
                    mpi::Signature::RSA { s: s.into() }
                }
                (signature, _) => signature,
            };
            let theirs = key.verify(&signature, hash, &sum).is_ok();
            assert_eq!(fits(key.mpis(), &signature, hash, &sum), Some(theirs));
            assert_eq!(theirs, wrong.is_none());
        }
    }
}
