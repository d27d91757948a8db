//! Signs metadata and sample packages with an OpenPGP key.
//!
//! Owns: reading a secret key, choosing the key that signs, making the signature packet, generating a key.
//!
//! aws-lc performs the private-key operation in constant time (RSA with blinding, Ed25519, ECDSA over the NIST curves);
//! the crate `rsa` of sequoia's Rust backend, which leaks through its timing (RUSTSEC-2023-0071), is never used for it.
//! sequoia reads the key and writes the packets; it only copies secrets here. Our only computation on secrets, of the
//! CRT exponents that OpenPGP does not store, has no branch or index that depends on them. Algorithms that aws-lc
//! cannot sign with (DSA, Brainpool curves, Ed448, ...) are refused.
//!
//! Each signature is verified with the public key before it is returned, so that a faulty computation cannot reveal the
//! key. Secrets are held in memory that is wiped on release, and no `Debug` shows them.
//!
//! A signature is version 4, binary, with creation time and issuer fingerprint hashed, the key id unhashed, and none of
//! these critical: like gpg's, readable by gpg 1.4 and the rpm of EL5. It has no random salt: signing the same bytes in
//! the same second with RSA or Ed25519 gives the same signature, so a publication that is repeated after a crash is
//! identical. (ECDSA draws a nonce.)
//!
//! What never happens here: a file or the clock is read; a key that has expired, is revoked or is
//! protected by a passphrase signs.

/// The private-key operation.
mod pair;
/// A new key.
mod generate;

use std::fmt;
use std::io::Write as _;
use std::time::SystemTime;

use jiff::Timestamp;
use sequoia_openpgp::armor;
use sequoia_openpgp::cert::{Cert, CertParser};
use sequoia_openpgp::crypto::hash::Hash as _;
use sequoia_openpgp::crypto::mpi;
use sequoia_openpgp::packet::key::{SecretParts, UnspecifiedRole};
use sequoia_openpgp::packet::signature::Signature4;
use sequoia_openpgp::packet::signature::subpacket::{Subpacket, SubpacketArea, SubpacketValue};
use sequoia_openpgp::packet::{Key, Packet, Signature};
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::policy::StandardPolicy;
use sequoia_openpgp::serialize::{Serialize as _, SerializeInto as _};
use sequoia_openpgp::types::{HashAlgorithm, SignatureType, Timestamp as PgpTime};

use super::keyfile::{self, guarded};
pub use generate::{Generated, generate};
use pair::Pair;

/// Why a key cannot sign, or did not.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The bytes are not an OpenPGP key.
    #[error("no OpenPGP key can be read from it: {0}")]
    Unreadable(String),
    /// Several keys in one file: we must not guess which one is meant.
    #[error("it holds {0} OpenPGP keys instead of exactly one")]
    Several(usize),
    /// A public key where the secret one is needed.
    #[error(
        "{fingerprint} is a public key only: export the secret key (gpg --armor --export-secret-keys {fingerprint})"
    )]
    PublicOnly {
        /// Fingerprint of the certificate.
        fingerprint: String,
    },
    /// Protected by a passphrase, and the daemon has nobody to ask for it.
    #[error(
        "the secret key of {fingerprint} is protected by a passphrase, which a daemon cannot ask for: remove it \
         (`gpg --passwd {fingerprint}`, with an empty new one), export the key again (`gpg --armor \
         --export-secret-keys {fingerprint}`), and let only the daemon read it"
    )]
    Encrypted {
        /// Fingerprint of the certificate.
        fingerprint: String,
    },
    /// Expired, revoked, not yet valid, or not meant for signing.
    #[error(
        "no key of {fingerprint} may sign at {at}: {why} (renew an expired one with `gpg --quick-set-expire \
         {fingerprint} 2y` and a new export; otherwise use another key)"
    )]
    NotUsable {
        /// Fingerprint of the certificate.
        fingerprint: String,
        /// The time that was asked about.
        at: Timestamp,
        /// What sequoia says about it, or what is missing.
        why: String,
    },
    /// An algorithm or size that cannot be used in constant time here.
    #[error(
        "{fingerprint} is a {what} key: use RSA of 2048 to 8192 bits, Ed25519, or ECDSA over P-256, P-384 or P-521"
    )]
    Algorithm {
        /// Fingerprint of the key.
        fingerprint: String,
        /// Algorithm and, if relevant, size or curve.
        what: String,
    },
    /// Secret and public part do not match, or numbers are missing.
    #[error("the secret key of {fingerprint} is damaged: {why}")]
    Damaged {
        /// Fingerprint of the key.
        fingerprint: String,
        /// Which check failed.
        why: String,
    },
    /// A time that an OpenPGP packet cannot represent (before 1970 or after 2106).
    #[error("{0} cannot be written as the time of a signature")]
    Time(Timestamp),
    /// The signature did not verify with our own public key; it was discarded.
    #[error("a signature just made does not verify: memory or CPU fault")]
    Fault,
    /// The library failed.
    #[error("failed to sign: {0}")]
    Library(String),
}

/// A secret key that signs.
pub struct Signer {
    /// Without secrets.
    cert: Cert,
    /// The certificate, armored; each publication asks for it.
    public_key: String,
    pair: Pair,
    /// The hash used with the key; for ECDSA the curve decides.
    hash: HashAlgorithm,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("fingerprint", &self.fingerprint()).finish_non_exhaustive()
    }
}

impl Signer {
    /// Reads one transferable secret key, armored or binary, and chooses the key in it that signs.
    ///
    /// As with gpg, the newest key wins that is alive at `at`, not revoked, flagged for signing, and has its secret
    /// here without a passphrase; so it does not matter if the primary key's secret is kept elsewhere.
    pub fn read(secret_key: &[u8], at: Timestamp) -> Result<Self, SigningError> {
        let mut certs = Vec::new();
        for cert in CertParser::from_bytes(secret_key).map_err(unreadable)? {
            certs.push(cert.map_err(unreadable)?);
        }
        let held = certs.len();
        let cert = certs.pop().ok_or_else(|| SigningError::Unreadable("it is empty".to_owned()))?;
        if held != 1 {
            return Err(SigningError::Several(held));
        }
        let pair = Pair::new(&chosen(&cert, at)?)?;
        let hash = pair.hash();
        let cert = cert.strip_secret_key_material();
        let public_key =
            guarded(|| keyfile::armored(&cert)).and_then(|armored| armored).map_err(SigningError::Library)?;
        Ok(Self { cert, public_key, pair, hash })
    }

    /// Fingerprint of the certificate (its primary key), upper-case hexadecimal.
    pub fn fingerprint(&self) -> String {
        self.cert.fingerprint().to_hex()
    }

    /// Fingerprint of the key that signs: the primary key or a subkey, upper-case hexadecimal.
    pub fn signing_fingerprint(&self) -> String {
        self.pair.public.fingerprint().to_hex()
    }

    /// Whether signatures are RSA, which decides where a package carries them.
    pub fn signs_with_rsa(&self) -> bool {
        self.pair.is_rsa()
    }

    /// The certificate without secrets, armored, as clients import it.
    pub fn public_key_armored(&self) -> &str {
        &self.public_key
    }

    /// Signs `bytes` and returns the armored detached signature, as in `repomd.xml.asc`.
    pub fn sign_detached_armored(&self, bytes: &[u8], at: Timestamp) -> Result<String, SigningError> {
        let signature = self.signature(bytes, at)?;
        armored(armor::Kind::Signature, |out| Packet::from(signature).serialize(out))
    }

    /// Signs `bytes` and returns the signature packet, as in an RPM header.
    pub fn sign_detached(&self, bytes: &[u8], at: Timestamp) -> Result<Vec<u8>, SigningError> {
        Packet::from(self.signature(bytes, at)?).to_vec().map_err(library)
    }

    /// Whether `signature` (one armored or binary packet) was made over `bytes` by this key.
    pub fn made(&self, signature: &[u8], bytes: &[u8]) -> bool {
        let packet = sequoia_openpgp::PacketPile::from_bytes(signature).ok().and_then(|pile| {
            let only = pile.into_children().collect::<Vec<_>>();
            <[Packet; 1]>::try_from(only).ok()
        });
        match packet {
            Some([Packet::Signature(signature)]) => signature.verify_message(&self.pair.public, bytes).is_ok(),
            _ => false,
        }
    }

    /// Whether the certificate may sign at `at`: not expired, revoked or otherwise invalid.
    pub fn usable(&self, at: Timestamp) -> Result<(), SigningError> {
        let not = |why: String| SigningError::NotUsable { fingerprint: self.fingerprint(), at, why };
        let policy = policy();
        let valid = self.cert.with_policy(&policy, SystemTime::from(at)).map_err(|e| not(format!("{e:#}")))?;
        valid.alive().map_err(|e| not(format!("{e:#}")))?;
        let ours = self.pair.public.fingerprint();
        let good = valid.keys().alive().revoked(false).for_signing().supported().any(|k| k.key().fingerprint() == ours);
        if good { Ok(()) } else { Err(not(format!("{} is expired, revoked or not for signing", ours.to_hex()))) }
    }

    fn signature(&self, bytes: &[u8], at: Timestamp) -> Result<Signature, SigningError> {
        self.usable(at)?;
        let time = pgp_time(at)?;
        let public = &self.pair.public;
        let plain = |value| Subpacket::new(value, false);
        let hashed = SubpacketArea::new(vec![
            plain(SubpacketValue::IssuerFingerprint(public.fingerprint())).map_err(library)?,
            plain(SubpacketValue::SignatureCreationTime(time)).map_err(library)?,
        ])
        .map_err(library)?;
        let unhashed = SubpacketArea::new(vec![plain(SubpacketValue::Issuer(public.keyid())).map_err(library)?])
            .map_err(library)?;
        let packet = |prefix, mpis| {
            let (hashed, unhashed) = (hashed.clone(), unhashed.clone());
            Signature4::new(SignatureType::Binary, public.pk_algo(), self.hash, hashed, unhashed, prefix, mpis)
        };

        let mut context = self.hash.context().map_err(library)?.for_signature(4);
        context.update(bytes);
        // The hashed part of the packet does not depend on the signature itself.
        let empty = mpi::Signature::Unknown { mpis: Box::default(), rest: Box::default() };
        packet([0, 0], empty).hash(&mut context).map_err(library)?;
        let digest = context.into_digest().map_err(library)?;
        let prefix = match digest.as_slice() {
            [a, b, ..] => [*a, *b],
            _ => return Err(SigningError::Library("the digest is empty".to_owned())),
        };
        let signature = Signature::from(packet(prefix, self.pair.sign_digest(self.hash, &digest)?));
        signature.verify_digest(public, &digest).map_err(|_| SigningError::Fault)?;
        Ok(signature)
    }
}

fn library(e: impl fmt::Display) -> SigningError {
    SigningError::Library(format!("{e:#}"))
}

fn unreadable(e: impl fmt::Display) -> SigningError {
    SigningError::Unreadable(format!("{e:#}"))
}

/// Our own key is trusted because of where it is, so an old SHA-1 self-signature does not make it unusable; expiry,
/// revocation and flags still count.
fn policy() -> StandardPolicy<'static> {
    let mut policy = StandardPolicy::new();
    policy.accept_hash(HashAlgorithm::SHA1);
    policy
}

fn pgp_time(at: Timestamp) -> Result<PgpTime, SigningError> {
    u32::try_from(at.as_second()).map(PgpTime::from).map_err(|_| SigningError::Time(at))
}

/// The newest key of `cert` that may sign at `at` and whose secret is here in the clear.
fn chosen(cert: &Cert, at: Timestamp) -> Result<Key<SecretParts, UnspecifiedRole>, SigningError> {
    let fingerprint = cert.fingerprint().to_hex();
    if !cert.is_tsk() {
        return Err(SigningError::PublicOnly { fingerprint });
    }
    let policy = policy();
    let not = |why: String| SigningError::NotUsable { fingerprint: fingerprint.clone(), at, why };
    let valid = cert.with_policy(&policy, SystemTime::from(at)).map_err(|e| not(format!("{e:#}")))?;
    valid.alive().map_err(|e| not(format!("{e:#}")))?;
    let may_sign = || valid.keys().alive().revoked(false).for_signing();
    let newest = may_sign().unencrypted_secret().max_by_key(|k| k.key().creation_time());
    match newest {
        Some(found) => Ok(found.key().clone().role_into_unspecified()),
        None if may_sign().secret().next().is_some() => Err(SigningError::Encrypted { fingerprint }),
        None => Err(not("none is valid, meant for signing and present with its secret".to_owned())),
    }
}

/// Armor without header lines, with the checksum that rpm before 4.20 requires.
fn armored(
    kind: armor::Kind,
    write: impl FnOnce(&mut dyn std::io::Write) -> sequoia_openpgp::Result<()>,
) -> Result<String, SigningError> {
    let mut out = armor::Writer::new(Vec::new(), kind).map_err(library)?;
    out.set_profile(sequoia_openpgp::Profile::RFC4880).map_err(library)?;
    write(&mut out).map_err(library)?;
    let mut bytes = out.finalize().map_err(library)?;
    if bytes.last() != Some(&b'\n') {
        bytes.write_all(b"\n").map_err(library)?;
    }
    String::from_utf8(bytes).map_err(library)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sequoia_openpgp::cert::{CertBuilder, CipherSuite, SubkeyRevocationBuilder};
    use sequoia_openpgp::packet::key::{Key4, PrimaryRole, SecretKeyMaterial};

    use super::*;

    const MADE: i64 = 1_700_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    /// A certificate made by sequoia, with a signing subkey, armored with its secrets.
    fn foreign(suite: CipherSuite, change: impl Fn(CertBuilder) -> CertBuilder) -> Vec<u8> {
        let builder = CertBuilder::new()
            .add_userid("Foreign <foreign@example.org>")
            .set_cipher_suite(suite)
            .set_creation_time(SystemTime::from(at(MADE)))
            .add_signing_subkey();
        let (cert, _) = change(builder).generate().unwrap();
        cert.as_tsk().to_vec().unwrap()
    }

    fn unarmored(text: &str) -> Signature {
        match Packet::from_bytes(text.as_bytes()) {
            Ok(Packet::Signature(found)) => found,
            other => panic!("no signature: {other:?}"),
        }
    }

    fn verifies(signer: &Signer, bytes: &[u8], armored: &str) -> bool {
        let packet = unarmored(armored);
        let public = Cert::from_bytes(signer.public_key_armored().as_bytes()).unwrap();
        let mine = signer.signing_fingerprint();
        let key = public.keys().find(|k| k.key().fingerprint().to_hex() == mine).unwrap();
        packet.verify_message(key.key(), bytes).is_ok()
    }

    #[test]
    fn a_generated_key_is_read_back_and_signs_the_same_bytes_the_same_way() {
        let made = generate("Example <example@example.org>", at(MADE)).unwrap();
        let signer = Signer::read(made.secret.as_bytes(), at(MADE + 1)).unwrap();
        assert_eq!(signer.fingerprint(), made.fingerprint);
        assert_eq!(signer.public_key_armored(), made.public);

        let first = signer.sign_detached_armored(b"<repomd/>", at(MADE + 2)).unwrap();
        let again = signer.sign_detached_armored(b"<repomd/>", at(MADE + 2)).unwrap();
        assert_eq!(first, again);
        assert!(first.starts_with("-----BEGIN PGP SIGNATURE-----\n\n"), "{first}");
        assert!(first.ends_with("-----END PGP SIGNATURE-----\n"), "{first}");
        assert!(first.lines().any(|l| l.len() == 5 && l.starts_with('=')), "no checksum for old rpm: {first}");
        assert!(verifies(&signer, b"<repomd/>", &first));
        assert!(!verifies(&signer, b"<repomd>", &first));
        let binary = signer.sign_detached(b"<repomd/>", at(MADE + 2)).unwrap();
        assert_eq!(Packet::from_bytes(&binary).unwrap(), Packet::from_bytes(first.as_bytes()).unwrap());
    }

    #[test]
    fn clients_get_no_subkey_of_the_signing_key_that_is_revoked_and_no_secret() {
        let (cert, _) = CertBuilder::new()
            .set_creation_time(SystemTime::from(at(MADE)))
            .add_userid("a")
            .add_signing_subkey()
            .add_signing_subkey()
            .generate()
            .unwrap();
        let mut by = cert.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
        let gone = cert.keys().subkeys().next().unwrap().key().clone();
        let revocation =
            SubkeyRevocationBuilder::new().set_signature_creation_time(SystemTime::from(at(MADE))).unwrap();
        let revocation = revocation.build(&mut by, &cert, &gone, None).unwrap();
        let cert = cert.insert_packets(vec![Packet::from(gone.clone()), revocation.into()]).unwrap().0;
        let signer = Signer::read(&cert.as_tsk().to_vec().unwrap(), at(MADE + 1)).unwrap();
        let public = Cert::from_bytes(signer.public_key_armored().as_bytes()).unwrap();
        let subkeys: Vec<_> = public.keys().subkeys().map(|sub| sub.key().fingerprint().to_hex()).collect();
        assert_eq!(subkeys, [signer.signing_fingerprint()]);
        assert!(!public.is_tsk() && signer.signing_fingerprint() != gone.fingerprint().to_hex());
    }

    #[test]
    fn a_signature_has_what_old_readers_need_and_nothing_critical() {
        let made = generate("Example <example@example.org>", at(MADE)).unwrap();
        let signer = Signer::read(made.secret.as_bytes(), at(MADE)).unwrap();
        let bytes = signer.sign_detached(b"x", at(MADE + 7)).unwrap();
        let Packet::Signature(packet) = Packet::from_bytes(&bytes).unwrap() else { panic!("no signature") };
        assert_eq!(packet.version(), 4);
        assert_eq!(packet.typ(), SignatureType::Binary);
        assert_eq!(packet.hash_algo(), HashAlgorithm::SHA256);
        assert_eq!(packet.signature_creation_time(), Some(SystemTime::from(at(MADE + 7))));
        assert_eq!(packet.issuer_fingerprints().next().unwrap().to_hex(), made.fingerprint);
        assert!(made.fingerprint.ends_with(&packet.issuers().next().unwrap().to_hex()));
        assert_eq!(packet.hashed_area().iter().chain(packet.unhashed_area().iter()).count(), 3);
        assert!(packet.hashed_area().iter().chain(packet.unhashed_area().iter()).all(|s| !s.critical()));
    }

    #[test]
    fn elliptic_keys_sign_in_constant_time_too() {
        for (suite, hash) in [
            (CipherSuite::Cv25519, HashAlgorithm::SHA512),
            (CipherSuite::P256, HashAlgorithm::SHA256),
            (CipherSuite::P384, HashAlgorithm::SHA384),
            (CipherSuite::P521, HashAlgorithm::SHA512),
        ] {
            let signer = Signer::read(&foreign(suite, |b| b), at(MADE + 1)).unwrap();
            assert_ne!(signer.fingerprint(), signer.signing_fingerprint(), "the subkey signs");
            for n in 0..8_u8 {
                let text = [n; 40];
                let signed = signer.sign_detached_armored(&text, at(MADE + 2)).unwrap();
                assert!(verifies(&signer, &text, &signed), "{suite:?}");
                assert_eq!(unarmored(&signed).hash_algo(), hash);
            }
        }
    }

    #[test]
    fn a_new_style_ed25519_key_signs() {
        let key: Key<SecretParts, PrimaryRole> = Key4::generate_ed25519().unwrap().into();
        let pair = Pair::new(&key.role_into_unspecified()).unwrap();
        let digest = [7_u8; 64];
        let mpis = pair.sign_digest(HashAlgorithm::SHA512, &digest).unwrap();
        assert!(matches!(mpis, mpi::Signature::Ed25519 { .. }));
    }

    #[test]
    fn what_cannot_sign_is_refused_with_the_reason() {
        let now = at(MADE + 100);
        let why = |bytes: &[u8]| Signer::read(bytes, now).map(|_| ()).unwrap_err().to_string();
        let key = foreign(CipherSuite::Cv25519, |b| b);
        let public = Cert::from_bytes(&key).unwrap().strip_secret_key_material().to_vec().unwrap();

        assert!(why(b"").contains("no OpenPGP key"), "{}", why(b""));
        assert!(why(b"not a key").contains("no OpenPGP key"), "{}", why(b"not a key"));
        assert!(why(&public).contains("public key only"));
        assert!(why(&[key.clone(), key].concat()).contains("exactly one"));
        let locked = foreign(CipherSuite::Cv25519, |b| b.set_password(Some("secret".into())));
        assert!(why(&locked).contains("passphrase"), "{}", why(&locked));
        let short = foreign(CipherSuite::Cv25519, |b| b.set_validity_period(Duration::from_secs(10)));
        assert!(why(&short).contains("may sign at"), "{}", why(&short));
        let future = Signer::read(&foreign(CipherSuite::Cv25519, |b| b), at(MADE - 10)).unwrap_err().to_string();
        assert!(future.contains("may sign at"), "{future}");
        let curve = foreign(CipherSuite::Cv448, |b| b);
        assert!(why(&curve).contains("use RSA"), "{}", why(&curve));
    }

    #[test]
    fn a_key_that_expires_while_the_daemon_runs_stops_signing() {
        let day = Duration::from_hours(24);
        let key = foreign(CipherSuite::Cv25519, |b| b.set_validity_period(day));
        let signer = Signer::read(&key, at(MADE + 1)).unwrap();
        signer.sign_detached(b"x", at(MADE + 86_399)).unwrap();
        let late = signer.sign_detached(b"x", at(MADE + 86_401)).unwrap_err().to_string();
        assert!(late.contains("may sign at"), "{late}");
        assert!(matches!(signer.sign_detached(b"x", at(-1)), Err(SigningError::NotUsable { .. })));
    }

    #[test]
    fn a_damaged_secret_is_found_when_it_is_read() {
        let made = generate("Example <example@example.org>", at(MADE)).unwrap();
        let cert = Cert::from_bytes(made.secret.as_bytes()).unwrap();
        let key = cert.primary_key().key().clone().parts_into_secret().unwrap();
        let SecretKeyMaterial::Unencrypted(held) = key.secret() else { panic!("it is locked") };
        let bent = held.map(|numbers| match numbers {
            mpi::SecretKeyMaterial::RSA { d, p, q, u } => {
                let mut wrong = d.value().to_vec();
                *wrong.last_mut().unwrap() ^= 2;
                mpi::SecretKeyMaterial::RSA { d: wrong.into(), p: p.clone(), q: q.clone(), u: u.clone() }
            }
            _ => panic!("it is not RSA"),
        });
        let bent: Key<SecretParts, PrimaryRole> =
            Key4::with_secret(key.creation_time(), key.pk_algo(), key.mpis().clone(), bent.into()).unwrap().into();
        let refused = Pair::new(&bent.role_into_unspecified()).map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains("damaged"), "{refused}");
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let made = generate("Example <example@example.org>", at(MADE)).unwrap();
        let signer = Signer::read(made.secret.as_bytes(), at(MADE)).unwrap();
        let expected = format!("Signer {{ fingerprint: \"{}\", .. }}", made.fingerprint);
        assert_eq!(format!("{signer:?}"), expected);
        assert_eq!(format!("{made:?}"), expected.replace("Signer", "Generated"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_as_a_key_without_panic(bytes: Vec<u8>) {
            let _ = Signer::read(&bytes, Timestamp::UNIX_EPOCH);
        }
    }
}
