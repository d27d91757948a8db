//! One signature packet, and which key of a ring made it over given bytes.
//!
//! Stricter than sequoia:
//!
//! - a tag is exactly one bare signature packet, and its framing is checked before sequoia sees a byte (S38);
//! - only signatures over binary documents (S36), with consistent issuers (S27), without unknown critical parts (S37);
//! - the creation time of a signature is only claimed by its maker. So the key must be bound, unexpired and unrevoked
//!   at that time **and** when the package arrives (F5, S18 to S22);
//! - five minutes of clock skew, not thirty (F6, S24).
//!
//! The certificate is evaluated as of the time the signature was made; if it no longer has a valid self-signature from
//! then, as after `gpg --export` of a key whose expiry was extended, it is evaluated as of arrival, and the verdict
//! says so (F16, S43).

use jiff::Timestamp;
use sequoia_openpgp::anyhow;
use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::cert::amalgamation::key::ErasedKeyAmalgamation;
use sequoia_openpgp::crypto::hash::{Context, Hash as _};
use sequoia_openpgp::crypto::mpi;
use sequoia_openpgp::packet::key::{PublicParts, UnspecifiedRole};
use sequoia_openpgp::packet::{Key, Packet, Signature, Tag};
use sequoia_openpgp::parse::{Dearmor, PacketParserBuilder, PacketParserResult, Parse as _};
use sequoia_openpgp::policy::{HashAlgoSecurity, Policy as _, StandardPolicy};
use sequoia_openpgp::types::{HashAlgorithm, SignatureType};
use sequoia_openpgp::{Fingerprint, KeyHandle, KeyID};

use super::binding::{
    bound, bound_with_least_lifted, name_of, policy_at, revocation, system_time, weaknesses_of_binding,
};
use super::ring::{Issuer, Keyring, fingerprint_of};
use crate::domain::refusal::{Code, Refusal};
use crate::domain::trust::{Lifted, Sound, Weakness};
use crate::format::keyfile::{guarded, one_line};
use crate::format::rsa;

/// How far ahead of our clock a signature may be, as rpm-sequoia has it (threats F6).
const CLOCK_SKEW_SECONDS: i64 = 5 * 60;

/// RSA moduli that the arithmetic takes (the limit of the crate `rsa`).
const RSA_BITS_MAX: usize = 4096;

/// One signature packet of acceptable form; its maker is not known yet.
#[derive(Clone, Debug)]
pub struct Claim {
    signature: Signature,
    issuer: Issuer,
    made: Timestamp,
}

impl Claim {
    /// Reads exactly one bare signature packet (S26, S27, S35 to S38, S40).
    ///
    /// # Errors
    /// What is wrong with its form. No exception exists for any of these faults.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let version = framed(bytes)?;
        if !matches!(version, 3 | 4 | 6) {
            return refuse(Code::SignatureVersion, format!("a signature packet of version {version}"));
        }
        guarded(|| Self::parse(bytes)).unwrap_or_else(|panic| refuse(Code::SignatureFormat, panic))
    }

    fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let malformed = |error: anyhow::Error| Refusal::new(Code::SignatureFormat, one_line(&error));
        let parsed = PacketParserBuilder::from_bytes(bytes)
            .map_err(malformed)?
            .dearmor(Dearmor::Disabled)
            .build()
            .map_err(malformed)?;
        let PacketParserResult::Some(parser) = parsed else {
            return refuse(Code::SignatureFormat, "no packet");
        };
        let (packet, rest) = parser.next().map_err(malformed)?;
        if rest.is_some() {
            return refuse(Code::SignatureFormat, "there is data after the signature packet");
        }
        let signature = match packet {
            Packet::Signature(signature) => signature,
            Packet::Unknown(unknown) => {
                return refuse(
                    Code::SignatureFormat,
                    format!("a malformed signature packet: {}", one_line(unknown.error())),
                );
            }
            other => return refuse(Code::SignatureFormat, format!("a packet of type {}", other.tag())),
        };
        if signature.typ() != SignatureType::Binary {
            return refuse(Code::SignatureType, format!("a signature of type {}", signature.typ()));
        }
        let made = signature
            .signature_creation_time()
            .and_then(|time| Timestamp::try_from(time).ok())
            .ok_or_else(|| Refusal::new(Code::SignatureFormat, "the signature has no creation time"))?;
        let issuer = issuer_of(&signature)?;
        critical_is_understood(&signature)?;
        Ok(Self { signature, issuer, made })
    }

    /// The hash context for the signed bytes. `Err` if the algorithm is unknown here.
    pub fn context(&self) -> Result<Context, Refusal> {
        let unknown = |error: anyhow::Error| Refusal::new(Code::UnknownAlgorithm, one_line(&error));
        let builder = self.signature.hash_algo().context().map_err(unknown)?;
        let mut context = builder.for_signature(self.signature.version());
        if let Some(salt) = self.signature.salt() {
            context.update(salt);
        }
        Ok(context)
    }

    fn digest(&self, hashed: &Context) -> Result<Vec<u8>, Refusal> {
        let mut context = hashed.clone();
        let failed = |error: anyhow::Error| Refusal::new(Code::SignatureFormat, one_line(&error));
        self.signature.hash(&mut context).map_err(failed)?;
        context.into_digest().map_err(failed)
    }

    /// Who in the ring signed it, if anybody, and what is weak about it.
    ///
    /// `hashed` is the result of [`Claim::context`] after hashing the signed bytes.
    ///
    /// # Errors
    /// Why it does not count; no exception exists for that.
    pub fn examine(&self, hashed: &Context, ring: &Keyring, at: Timestamp) -> Result<Sound, Refusal> {
        guarded(|| self.examine_all(hashed, ring, at)).unwrap_or_else(|panic| refuse(Code::SignatureFormat, panic))
    }

    fn examine_all(&self, hashed: &Context, ring: &Keyring, at: Timestamp) -> Result<Sound, Refusal> {
        let mut sound: Option<Sound> = None;
        let mut refusal: Option<Refusal> = None;
        // There are several only if two certificates have the same key, or two keys the same 64-bit id.
        for (cert, key) in ring.candidates(&self.issuer) {
            match self.examine_one(hashed, ring, cert, &key, at) {
                Ok(found) => {
                    if sound.as_ref().is_none_or(|best| found.weaknesses.len() < best.weaknesses.len()) {
                        sound = Some(found);
                    }
                }
                // A key that did not make it matters less than one that did.
                Err(found) => {
                    if refusal.as_ref().is_none_or(|worst| worst.code == Code::BadSignature) {
                        refusal = Some(found);
                    }
                }
            }
        }
        match (sound, refusal) {
            // A revoked key stays revoked, even if a second certificate has adopted it.
            (Some(_), Some(refusal)) if refusal.code == Code::KeyRevoked => Err(refusal),
            (Some(sound), _) => Ok(sound),
            (None, Some(refusal)) => Err(refusal),
            (None, None) => refuse(Code::UnknownKey, format!("made by {}, which is not in the ring", self.issuer)),
        }
    }

    /// The rules of catalogue 3.3 for one key.
    fn examine_one(
        &self,
        hashed: &Context,
        ring: &Keyring,
        cert: &Cert,
        key: &ErasedKeyAmalgamation<'_, PublicParts>,
        at: Timestamp,
    ) -> Result<Sound, Refusal> {
        let whose = name_of(cert, key);
        self.supported(key.key())?;
        for (what, born) in
            [("key", key.key().creation_time()), ("certificate", cert.primary_key().key().creation_time())]
        {
            if system_time(self.made).is_none_or(|made| made < born) {
                return refuse(
                    Code::SignatureBeforeKey,
                    format!("made on {}, before the {what} was created; {whose}", self.made),
                );
            }
        }
        let digest = self.digest(hashed)?;
        // Two octets of the digest in the clear, a hint for quick rejection. rpm up to 4.18 checks them as part of the
        // signature, so otherwise a file could be good here and bad for clients.
        let hint_fits = digest.starts_with(self.signature.digest_prefix());
        if !hint_fits || !self.was_made_by(key.key(), &digest) {
            return refuse(Code::BadSignature, format!("it does not match the signed bytes; {whose}"));
        }

        // From here on it is certain that this key signed these bytes, at a time that only the signature itself
        // attests.
        if let Some((_, how)) = revocation(ring.all(), cert, key, at) {
            return refuse(Code::KeyRevoked, how);
        }
        if self.made.as_second() > at.as_second().saturating_add(CLOCK_SKEW_SECONDS) {
            return refuse(Code::NotYetValid, format!("made on {}, but it is only {at} now", self.made));
        }
        if let Some(end) = self.signature.signature_expiration_time().and_then(|t| Timestamp::try_from(t).ok())
            && end <= at
        {
            return refuse(Code::SignatureExpired, format!("the signature expired on {end}"));
        }

        let (Some(made), Some(arrived)) = (system_time(self.made), system_time(at)) else {
            return refuse(Code::SignatureFormat, "a time that OpenPGP cannot represent");
        };
        let (lifts, on_arrival) = bound_with_least_lifted(key, arrived)
            .map_err(|why| Refusal::new(Code::UnboundKey, format!("{whose}: {why}")))?;
        let mut notes = Vec::new();
        let when_made = bound(key, &policy_at(arrived, lifts), made).unwrap_or_else(|_| {
            notes.push(format!(
                "{whose} no longer has a valid self-signature from {} and was judged by its present one",
                self.made
            ));
            on_arrival
        });
        if !(when_made.for_signing && on_arrival.for_signing) {
            return refuse(Code::NotSigningKey, format!("{whose} is not marked for signing"));
        }
        let mut weaknesses = self.weaknesses_of_packet();
        if self.signature.version() == 3 && weaknesses.is_empty() {
            notes.push("a signature packet of version 3".to_owned());
        }
        weaknesses.extend(weaknesses_of_binding(lifts, &whose));
        // If the expiry was changed since, the later self-signature may say that it was never valid then.
        for end in [when_made.end, on_arrival.end].into_iter().flatten() {
            if end <= self.made {
                return refuse(Code::KeyExpired, format!("{whose} expired on {end}, and it signed on {}", self.made));
            }
        }
        if let Some(end) = on_arrival.end.filter(|end| *end <= at) {
            weaknesses.push(Weakness {
                code: Code::KeyExpiredAtArrival,
                lifted_by: Some(Lifted::Expired),
                detail: format!("{whose} expired on {end}"),
            });
        }
        Ok(Sound { fingerprint: fingerprint_of(cert), key: key.key().fingerprint().to_hex(), weaknesses, notes })
    }

    /// Whether a key made the signature over a digest.
    fn was_made_by(&self, key: &Key<PublicParts, UnspecifiedRole>, digest: &[u8]) -> bool {
        // Beyond the arithmetic, sequoia checks versions, and times that were compared before.
        let plain = self.signature.version() == 4 && key.version() == 4;
        let asked = || rsa::fits(key.mpis(), self.signature.mpis(), self.signature.hash_algo(), digest);
        plain.then(asked).flatten().unwrap_or_else(|| self.signature.verify_digest(key, digest).is_ok())
    }

    /// Whether the arithmetic is compiled in, so that "cannot check" is not reported as "is wrong" (S33).
    fn supported(&self, key: &Key<PublicParts, UnspecifiedRole>) -> Result<(), Refusal> {
        let unknown = |what: String| refuse(Code::UnknownAlgorithm, what);
        let algorithm = self.signature.pk_algo();
        if !algorithm.is_supported() {
            return unknown(format!("signature algorithm {algorithm}"));
        }
        if !self.signature.hash_algo().is_supported() {
            return unknown(format!("hash algorithm {}", self.signature.hash_algo()));
        }
        match key.mpis() {
            mpi::PublicKey::ECDSA { curve, .. } | mpi::PublicKey::EdDSA { curve, .. } if !curve.is_supported() => {
                unknown(format!("curve {curve}"))
            }
            mpi::PublicKey::RSA { e, n } => {
                if n.bits() > RSA_BITS_MAX {
                    return unknown(format!("RSA of {} bits, {RSA_BITS_MAX} can be checked", n.bits()));
                }
                // Nobody generates such keys, and with some of them anybody can sign (S34).
                let odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
                if e.bits() < 2 || e.bits() > 33 || !odd(e.value()) || !odd(n.value()) {
                    return refuse(Code::WeakKey, "an RSA key with an impossible exponent or modulus");
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// S31 and S35.
    ///
    /// Build services still make packets of version 3, and rpm accepts them. With RSA and SHA-2 they are as strong as
    /// those of version 4: what they hash ends with their type and time, so that no packet of one version can pass as
    /// one of the other.
    fn weaknesses_of_packet(&self) -> Vec<Weakness> {
        use HashAlgorithm::{SHA224, SHA256, SHA384, SHA512};
        let mut found = Vec::new();
        let version = self.signature.version();
        let by_rsa = matches!(self.signature.mpis(), mpi::Signature::RSA { .. });
        let by_sha2 = matches!(self.signature.hash_algo(), SHA224 | SHA256 | SHA384 | SHA512);
        let is_strong_3 = version == 3 && by_rsa && by_sha2;
        if !matches!(version, 4 | 6) && !is_strong_3 {
            found.push(Weakness {
                code: Code::SignatureVersion,
                lifted_by: Some(Lifted::V3),
                detail: format!("a signature packet of version {version}"),
            });
        }
        let hash = self.signature.hash_algo();
        let lifted_by = match hash {
            HashAlgorithm::SHA224
            | HashAlgorithm::SHA256
            | HashAlgorithm::SHA384
            | HashAlgorithm::SHA512
            | HashAlgorithm::SHA3_256
            | HashAlgorithm::SHA3_512 => return found,
            HashAlgorithm::SHA1 => Some(Lifted::Sha1),
            _ => None,
        };
        found.push(Weakness {
            code: Code::WeakHash,
            lifted_by,
            detail: format!("the hash of the signature is {hash}"),
        });
        found
    }
}

/// Finds the version octet of the one packet that `bytes` must be.
///
/// The framing is checked here rather than by the library, whose parser is made for messages: it would continue into
/// marker packets, containers and whatever else follows (S38).
fn framed(bytes: &[u8]) -> Result<u8, Refusal> {
    let bad = |what: &str| Refusal::new(Code::SignatureFormat, what);
    let number =
        |bytes: &[u8]| bytes.iter().fold(0usize, |n, byte| n.saturating_mul(256).saturating_add((*byte).into()));
    let (first, rest) = bytes.split_first().ok_or_else(|| bad("no bytes"))?;
    if first & 0x80 == 0 {
        return Err(bad("not an OpenPGP packet"));
    }
    let new_style = first & 0x40 != 0;
    let packet_tag = if new_style { first & 0x3f } else { (first & 0x3c) >> 2 };
    if packet_tag != u8::from(Tag::Signature) {
        return Err(Refusal::new(Code::SignatureFormat, format!("a packet of type {packet_tag}, not a signature")));
    }
    // RFC 9580, sections 4.2.1 and 4.2.2. Partial and indeterminate lengths are for streams.
    let (length, body) = if new_style {
        match rest.split_first().ok_or_else(|| bad("it ends in its header"))? {
            (one @ 0..=191, body) => (usize::from(*one), body),
            (one @ 192..=223, more) => {
                let (two, body) = more.split_first().ok_or_else(|| bad("it ends in its header"))?;
                (number(&[one.saturating_sub(192), *two]).saturating_add(192), body)
            }
            (255, more) => {
                let (four, body) = more.split_first_chunk::<4>().ok_or_else(|| bad("it ends in its header"))?;
                (number(four), body)
            }
            _ => return Err(bad("a packet of partial length")),
        }
    } else {
        let octets = match first & 3 {
            0 => 1,
            1 => 2,
            2 => 4,
            _ => return Err(bad("a packet of indeterminate length")),
        };
        let (length, body) = rest.split_at_checked(octets).ok_or_else(|| bad("it ends in its header"))?;
        (number(length), body)
    };
    if body.len() < length {
        return Err(bad("the packet ends before its length"));
    }
    if body.len() > length {
        return Err(bad("there is data after the signature packet"));
    }
    body.first().copied().ok_or_else(|| bad("an empty packet"))
}

/// Everything that a signature says about its maker must name one key (S26, S27).
fn issuer_of(signature: &Signature) -> Result<Issuer, Refusal> {
    let mut issuer: Option<Issuer> = None;
    let mut by_id = false;
    for handle in signature.get_issuers() {
        by_id |= matches!(handle, KeyHandle::KeyID(_));
        let said = match handle {
            KeyHandle::Fingerprint(Fingerprint::Unknown { .. }) | KeyHandle::KeyID(KeyID::Invalid(_)) => {
                return refuse(Code::SignatureFormat, "its issuer is neither a fingerprint nor a key id");
            }
            KeyHandle::Fingerprint(fingerprint) => {
                Issuer { id: KeyID::from(&fingerprint), fingerprint: Some(fingerprint) }
            }
            KeyHandle::KeyID(id) => Issuer { id, fingerprint: None },
        };
        issuer = match issuer {
            None => Some(said),
            Some(before) => {
                let same_key = match (&before.fingerprint, &said.fingerprint) {
                    (Some(one), Some(other)) => one == other,
                    _ => before.id == said.id,
                };
                if !same_key {
                    return refuse(Code::IssuerConflict, format!("it names both {before} and {said}"));
                }
                Some(Issuer { fingerprint: before.fingerprint.or(said.fingerprint), ..before })
            }
        };
    }
    let issuer = issuer.ok_or_else(|| Refusal::new(Code::SignatureFormat, "it does not name its key"))?;
    // rpm up to 4.18 finds keys by id only. Signatures of version 6 have none, and it cannot read those.
    if !by_id && signature.version() < 6 {
        return refuse(
            Code::SignatureFormat,
            "it names its key by fingerprint only, which rpm before 4.20 cannot find",
        );
    }
    Ok(issuer)
}

/// S37. The policy accepts every hash, so that only critical parts can be rejected.
fn critical_is_understood(signature: &Signature) -> Result<(), Refusal> {
    let mut policy = StandardPolicy::new();
    policy.accept_hash(signature.hash_algo());
    policy
        .signature(signature, HashAlgoSecurity::CollisionResistance)
        .map_err(|error| Refusal::new(Code::SignatureCritical, one_line(&error)))
}

fn refuse<T>(code: Code, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(code, detail))
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::{Duration, SystemTime};

    use jiff::SignedDuration;
    use sequoia_openpgp::cert::{CertBuilder, CertRevocationBuilder};
    use sequoia_openpgp::crypto::Signer as _;
    use sequoia_openpgp::crypto::mpi::MPI;
    use sequoia_openpgp::packet::key::{Key4, Key6, PrimaryRole, SecretParts};
    use sequoia_openpgp::packet::signature::subpacket::{Subpacket, SubpacketArea, SubpacketTag, SubpacketValue};
    use sequoia_openpgp::packet::signature::{Signature4, Signature6, SignatureBuilder};
    use sequoia_openpgp::serialize::SerializeInto as _;
    use sequoia_openpgp::types::{Curve, KeyFlags, PublicKeyAlgorithm, ReasonForRevocation, RevocationKey};

    use super::*;

    pub(in super::super) const BORN: Timestamp = Timestamp::constant(1_700_000_000, 0);
    pub(in super::super) const NOW: Timestamp = Timestamp::constant(1_750_000_000, 0);

    pub(in super::super) fn cert() -> Cert {
        let flags = KeyFlags::empty().set_certification().set_signing();
        CertBuilder::new().set_creation_time(SystemTime::from(BORN)).set_primary_key_flags(flags).generate().unwrap().0
    }

    pub(in super::super) fn read(certs: &[&Cert]) -> Keyring {
        let files: Vec<_> = certs.iter().map(|cert| (fingerprint_of(cert), cert.to_vec().unwrap())).collect();
        Keyring::read(&files).unwrap()
    }

    /// A signature that names its key by the 64-bit id only.
    pub(in super::super) fn claim(by: &Cert, id: KeyID, bytes: &[u8]) -> (Claim, Context) {
        claim_over(by, bytes, BORN, |builder| builder.set_issuer(id).unwrap())
    }

    /// A signature made at that time, or claiming to be.
    pub(in super::super) fn claim_at(
        by: &Cert,
        made: Timestamp,
        change: impl FnOnce(SignatureBuilder) -> SignatureBuilder,
    ) -> (Claim, Context) {
        claim_over(by, b"text", made, |builder| change(builder.set_issuer(by.keyid()).unwrap()))
    }

    pub(in super::super) fn claim_over(
        by: &Cert,
        bytes: &[u8],
        made: Timestamp,
        change: impl FnOnce(SignatureBuilder) -> SignatureBuilder,
    ) -> (Claim, Context) {
        let mut signer = by.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
        let builder = SignatureBuilder::new(SignatureType::Binary);
        let builder = change(builder.set_signature_creation_time(SystemTime::from(made)).unwrap());
        let signature = builder.sign_message(&mut signer, bytes).unwrap();
        let claim = Claim::read(&Packet::from(signature).to_vec().unwrap()).unwrap();
        let mut context = claim.context().unwrap();
        context.update(bytes);
        (claim, context)
    }

    pub(in super::super) fn since_born(end: Timestamp) -> Duration {
        Duration::try_from(end.duration_since(BORN)).unwrap()
    }

    /// A key for certificates that are assembled here.
    pub(in super::super) fn own_key() -> Key<SecretParts, PrimaryRole> {
        let mut key: Key4<SecretParts, PrimaryRole> = Key4::generate_ecc(true, Curve::Ed25519).unwrap();
        key.set_creation_time(SystemTime::from(BORN)).unwrap();
        key.into()
    }

    /// A self-signature over a key that may sign, unless changed.
    fn self_signature(
        key: &Key<SecretParts, PrimaryRole>,
        made: Timestamp,
        change: impl FnOnce(SignatureBuilder) -> SignatureBuilder,
    ) -> Signature {
        let builder = SignatureBuilder::new(SignatureType::DirectKey)
            .set_signature_creation_time(SystemTime::from(made))
            .unwrap()
            .set_key_flags(KeyFlags::empty().set_certification().set_signing())
            .unwrap();
        change(builder).sign_direct_key(&mut key.clone().into_keypair().unwrap(), Some(key.parts_as_public())).unwrap()
    }

    /// A certificate with one self-signature, as old as its key.
    pub(in super::super) fn self_signed(
        key: &Key<SecretParts, PrimaryRole>,
        change: impl FnOnce(SignatureBuilder) -> SignatureBuilder,
    ) -> Cert {
        let signature = self_signature(key, BORN, change);
        Cert::from_packets([Packet::from(key.clone()), signature.into()].into_iter()).unwrap()
    }

    /// A signature of version 4 in which nothing needs to be right.
    fn signature(
        hash: HashAlgorithm,
        algorithm: PublicKeyAlgorithm,
        said: &[SubpacketValue],
        numbers: mpi::Signature,
    ) -> Signature {
        let none = SubpacketArea::default();
        Signature4::new(SignatureType::Binary, algorithm, hash, area(said), none, [0; 2], numbers).into()
    }

    /// The same of version 6.
    fn signature_6(said: &[SubpacketValue], numbers: mpi::Signature) -> Signature {
        let (algorithm, hash, none) =
            (PublicKeyAlgorithm::RSAEncryptSign, HashAlgorithm::SHA256, SubpacketArea::default());
        let salt = vec![0; 16];
        Signature6::new(SignatureType::Binary, algorithm, hash, area(said), none, [0; 2], salt, numbers).unwrap().into()
    }

    fn rsa_signature(hash: HashAlgorithm) -> Signature {
        let number = mpi::Signature::RSA { s: MPI::new(&[7]) };
        signature(hash, PublicKeyAlgorithm::RSAEncryptSign, &[made_on_birth()], number)
    }

    fn area(said: &[SubpacketValue]) -> SubpacketArea {
        SubpacketArea::new(said.iter().map(|value| Subpacket::new(value.clone(), false).unwrap()).collect()).unwrap()
    }

    fn made_on_birth() -> SubpacketValue {
        SubpacketValue::SignatureCreationTime(SystemTime::from(BORN).try_into().unwrap())
    }

    fn claim_of(signature: Signature) -> Claim {
        Claim { signature, issuer: Issuer { id: KeyID::wildcard(), fingerprint: None }, made: BORN }
    }

    #[test]
    fn a_time_that_openpgp_cannot_write_lets_nothing_in() {
        let by = cert();
        let (claim, context) = claim(&by, by.keyid(), b"text");
        let ring = read(&[&by]);
        assert!(claim.examine(&context, &ring, NOW).is_ok());
        for at in [Timestamp::MIN, Timestamp::constant(-1, 0), Timestamp::constant(1 << 33, 0), Timestamp::MAX] {
            assert!(claim.examine(&context, &ring, at).is_err(), "{at}");
            assert!(!ring.certs(at)[0].can_sign, "{at}");
        }
    }

    #[test]
    fn of_two_certificates_with_one_key_the_one_with_fewer_weaknesses_speaks() {
        let key = own_key();
        let good = self_signed(&key, |b| b);
        let by_sha1 = self_signed(&key, |b| b.set_hash_algo(HashAlgorithm::SHA1));
        let expired = self_signed(&key, |b| b.set_key_validity_period(since_born(NOW)).unwrap());
        let (claim, context) = claim_at(&good, BORN, |b| b);
        let weaknesses = |certs: [&Cert; 2]| {
            let ring = Keyring::of(certs.map(Cert::clone).to_vec());
            let sound = claim.examine(&context, &ring, NOW).unwrap();
            sound.weaknesses.iter().map(|weakness| weakness.code).collect::<Vec<_>>()
        };
        assert_eq!(weaknesses([&good, &by_sha1]), []);
        assert_eq!(weaknesses([&by_sha1, &good]), []);
        // If they are equal in that, the first.
        assert_eq!(weaknesses([&by_sha1, &expired]), [Code::UnboundKey]);
        assert_eq!(weaknesses([&expired, &by_sha1]), [Code::KeyExpiredAtArrival]);
    }

    /// The certificate with a revocation for this reason.
    fn revoked(key: &Key<SecretParts, PrimaryRole>, cert: &Cert, made: Timestamp, reason: ReasonForRevocation) -> Cert {
        let revocation = CertRevocationBuilder::new()
            .set_signature_creation_time(SystemTime::from(made))
            .unwrap()
            .set_reason_for_revocation(reason, b"why")
            .unwrap()
            .build(&mut key.clone().into_keypair().unwrap(), cert, None)
            .unwrap();
        cert.clone().insert_packets(revocation).unwrap().0
    }

    #[test]
    fn s20_a_key_that_is_revoked_in_one_certificate_does_not_count_by_another() {
        let key = own_key();
        let good = self_signed(&key, |b| b);
        let (claim, context) = claim_at(&good, BORN, |b| b);
        let revoked = revoked(&key, &good, BORN, ReasonForRevocation::KeyRetired);
        for certs in [[&good, &revoked], [&revoked, &good]] {
            let ring = Keyring::of(certs.map(Cert::clone).to_vec());
            assert_eq!(claim.examine(&context, &ring, NOW).map_err(|r| r.code), Err(Code::KeyRevoked));
        }
    }

    #[test]
    fn s20_s21_a_soft_revocation_begins_when_it_says_and_a_hard_one_counts_at_all_times() {
        use ReasonForRevocation as Reason;
        let key = own_key();
        let good = self_signed(&key, |b| b);
        let (claim, context) = claim_at(&good, BORN, |b| b);
        let told = |reasons: &[Reason], seconds| {
            let cert = reasons.iter().fold(good.clone(), |cert, reason| revoked(&key, &cert, NOW, *reason));
            let at = NOW.checked_add(SignedDuration::from_secs(seconds)).unwrap();
            claim.examine(&context, &Keyring::of(vec![cert]), at).map(|_| ()).map_err(|refusal| refusal.to_string())
        };
        let revoked_as = |reason: Reason| {
            Err(format!("key_revoked key {} was revoked on {NOW}: {reason} (why)", good.fingerprint()))
        };
        let (soft, hard) = (Reason::KeyRetired, Reason::KeyCompromised);
        for (reasons, before, since) in [
            (&[soft][..], Ok(()), revoked_as(soft)),
            (&[hard], revoked_as(hard), revoked_as(hard)),
            (&[soft, hard], revoked_as(hard), revoked_as(hard)),
            (&[hard, soft], revoked_as(hard), revoked_as(hard)),
        ] {
            let verdicts = [-1, 0, 1].map(|seconds| told(reasons, seconds));
            assert_eq!(verdicts, [before, since.clone(), since], "{reasons:?}");
        }
    }

    #[test]
    fn s42_only_whom_a_certificate_named_for_that_may_revoke_it() {
        let (named, stranger) = (cert(), cert());
        let may_revoke = RevocationKey::new(named.primary_key().key().pk_algo(), named.fingerprint(), false);
        let key = own_key();
        let good = self_signed(&key, |b| b.set_revocation_key(may_revoke).unwrap());
        let (claim, context) = claim_at(&good, BORN, |b| b);
        for (by, right) in [(&named, Err(Code::KeyRevoked)), (&stranger, Ok(()))] {
            let mut signer = by.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
            let revocation = SignatureBuilder::new(SignatureType::KeyRevocation)
                .set_signature_creation_time(SystemTime::from(BORN))
                .unwrap()
                .set_reason_for_revocation(ReasonForRevocation::KeyCompromised, b"")
                .unwrap()
                .sign_direct_key(&mut signer, Some(good.primary_key().key()))
                .unwrap();
            let cert = good.clone().insert_packets(revocation).unwrap().0;
            let ring = Keyring::of(vec![cert, named.clone(), stranger.clone()]);
            assert_eq!(claim.examine(&context, &ring, NOW).map(|_| ()).map_err(|refusal| refusal.code), right);
        }
    }

    #[test]
    fn the_times_of_a_signature_are_compared_to_the_second() {
        #[track_caller]
        fn check(by: &Cert, made: Timestamp, at: Timestamp, right: Result<&[Code], Code>) {
            let (claim, context) =
                claim_at(by, made, |b| b.set_signature_validity_period(Duration::from_hours(24)).unwrap());
            let verdict = claim.examine(&context, &read(&[by]), at);
            let codes = verdict.map(|sound| sound.weaknesses.iter().map(|weakness| weakness.code).collect::<Vec<_>>());
            assert_eq!(codes.map_err(|refusal| refusal.code), right.map(<[Code]>::to_vec));
        }
        let after = |time: Timestamp, seconds| time.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        let by = cert();
        let expires = self_signed(&own_key(), |b| b.set_key_validity_period(since_born(NOW)).unwrap());
        // S25: not older than its key.
        check(&by, after(BORN, -1), BORN, Err(Code::SignatureBeforeKey));
        check(&by, BORN, BORN, Ok(&[]));
        // S23: it expires a day after it was made.
        check(&by, NOW, after(NOW, 86_399), Ok(&[]));
        check(&by, NOW, after(NOW, 86_400), Err(Code::SignatureExpired));
        // S24: five minutes ahead.
        check(&by, after(NOW, 300), NOW, Ok(&[]));
        check(&by, after(NOW, 301), NOW, Err(Code::NotYetValid));
        // S18 and S19: before its key expires, and on arrival.
        check(&expires, after(NOW, -1), after(NOW, -1), Ok(&[]));
        check(&expires, after(NOW, -1), NOW, Ok(&[Code::KeyExpiredAtArrival]));
        check(&expires, NOW, NOW, Err(Code::KeyExpired));
    }

    #[test]
    fn s28_a_key_signs_only_if_it_might_when_it_signed_and_may_when_it_arrives() {
        let key = own_key();
        let (sign, certify) =
            (KeyFlags::empty().set_certification().set_signing(), KeyFlags::empty().set_certification());
        let halfway = Timestamp::constant(1_725_000_000, 0);
        for (first, then, made, right) in [
            (&sign, &sign, BORN, Ok(())),
            (&certify, &sign, BORN, Err(Code::NotSigningKey)),
            (&certify, &sign, halfway, Ok(())),
            (&sign, &certify, BORN, Err(Code::NotSigningKey)),
        ] {
            let first = self_signed(&key, |b| b.set_key_flags(first.clone()).unwrap());
            let again = self_signature(&key, halfway, |b| b.set_key_flags(then.clone()).unwrap());
            let cert = first.insert_packets(again).unwrap().0;
            let (claim, context) = claim_at(&cert, made, |b| b);
            let verdict = claim.examine(&context, &Keyring::of(vec![cert]), NOW);
            assert_eq!(verdict.map(|_| ()).map_err(|refusal| refusal.code), right, "made on {made}");
        }
    }

    #[test]
    fn s35_a_signature_of_version_6_is_by_a_key_of_version_6_and_no_other_is() {
        let four: Key4<SecretParts, UnspecifiedRole> = Key4::generate_rsa(2048).unwrap();
        let rsa = PublicKeyAlgorithm::RSAEncryptSign;
        let six: Key6<PublicParts, UnspecifiedRole> =
            Key6::new(SystemTime::from(BORN), rsa, four.mpis().clone()).unwrap();
        let mut four = Key::from(four);
        four.set_creation_time(SystemTime::from(BORN)).unwrap();
        let digest = [7; 32];
        let numbers = four.clone().into_keypair().unwrap().sign(HashAlgorithm::SHA256, &digest).unwrap();
        let by_four = claim_of(signature(HashAlgorithm::SHA256, rsa, &[made_on_birth()], numbers.clone()));
        let by_six = claim_of(signature_6(&[made_on_birth()], numbers));
        let (four, six) = (four.parts_into_public(), Key::from(six));
        assert!(by_four.was_made_by(&four, &digest) && by_six.was_made_by(&six, &digest));
        // The arithmetic itself is right.
        assert!(!by_four.was_made_by(&six, &digest) && !by_six.was_made_by(&four, &digest));
    }

    #[test]
    fn s34_an_rsa_key_is_odd_its_modulus_has_4096_bits_at_most_and_its_exponent_2_to_33() {
        #[track_caller]
        fn check(claim: &Claim, e: &[u8], n: &[u8], right: Result<(), Code>) {
            let public = mpi::PublicKey::RSA { e: MPI::new(e), n: MPI::new(n) };
            let key: Key4<PublicParts, UnspecifiedRole> =
                Key4::new(SystemTime::from(BORN), PublicKeyAlgorithm::RSAEncryptSign, public).unwrap();
            assert_eq!(claim.supported(&key.into()).map_err(|refusal| refusal.code), right);
        }
        let claim = claim_of(rsa_signature(HashAlgorithm::SHA256));
        let modulus = [0xd5; 256];
        for e in [&[3][..], &[1, 0, 1], &[1, 0, 0, 0, 1]] {
            check(&claim, e, &modulus, Ok(()));
        }
        for e in [&[][..], &[1], &[2], &[1, 0, 0], &[2, 0, 0, 0, 1], &[0xd5; 64]] {
            check(&claim, e, &modulus, Err(Code::WeakKey));
        }
        check(&claim, &[1, 0, 1], &[&modulus[1..], &[0xd4]].concat(), Err(Code::WeakKey));
        check(&claim, &[1, 0, 1], &[0xd5; 512], Ok(()));
        check(&claim, &[1, 0, 1], &[&[1][..], &[0xd5; 512]].concat(), Err(Code::UnknownAlgorithm));
    }

    #[test]
    fn s33_what_is_not_compiled_in_is_told_and_not_held_to_be_wrong() {
        let good = cert();
        let key = good.primary_key().key().clone().role_into_unspecified();
        let curve = Curve::Unknown([1, 2, 3].into());
        let elsewhere: Key4<PublicParts, UnspecifiedRole> = Key4::new(
            SystemTime::from(BORN),
            PublicKeyAlgorithm::EdDSA,
            mpi::PublicKey::EdDSA { curve, q: MPI::new(&[0x40; 33]) },
        )
        .unwrap();
        let number = || mpi::Signature::RSA { s: MPI::new(&[7]) };
        let of = |hash, algorithm| claim_of(signature(hash, algorithm, &[], number()));
        let known = of(HashAlgorithm::SHA256, PublicKeyAlgorithm::EdDSA);
        assert_eq!(known.supported(&key), Ok(()));
        for (claim, key, detail) in [
            (&known, &elsewhere.into(), "curve Unknown curve 0.1.2.3"),
            (
                &of(HashAlgorithm::Unknown(99), PublicKeyAlgorithm::EdDSA),
                &key,
                "hash algorithm Unknown hash algorithm 99",
            ),
            (&of(HashAlgorithm::SHA256, PublicKeyAlgorithm::Unknown(99)), &key, "signature algorithm Unknown algo 99"),
        ] {
            assert_eq!(claim.supported(key), refuse(Code::UnknownAlgorithm, detail));
        }
    }

    #[test]
    fn s31_only_sha_2_and_sha_3_are_strong_and_only_sha1_has_an_exception() {
        use HashAlgorithm as H;
        let found = |hash| {
            let weaknesses = claim_of(rsa_signature(hash)).weaknesses_of_packet();
            weaknesses.into_iter().map(|weakness| (weakness.code, weakness.lifted_by)).collect::<Vec<_>>()
        };
        for hash in [H::SHA224, H::SHA256, H::SHA384, H::SHA512, H::SHA3_256, H::SHA3_512] {
            assert_eq!(found(hash), [], "{hash}");
        }
        assert_eq!(found(H::SHA1), [(Code::WeakHash, Some(Lifted::Sha1))]);
        for hash in [H::MD5, H::RipeMD, H::Unknown(99)] {
            assert_eq!(found(hash), [(Code::WeakHash, None)], "{hash}");
        }
    }

    #[test]
    fn s38_a_packet_is_framed_in_each_way_that_has_a_length_and_ends_with_it() {
        // RFC 9580, 4.2.1: lengths of one, two and five octets; 4.2.2: of one, two and four.
        for (header, length) in [
            (&[0xc2, 1][..], 1),
            (&[0xc2, 191], 191),
            (&[0xc2, 192, 0], 192),
            (&[0xc2, 223, 255], 8383),
            (&[0xc2, 255, 0, 0, 0, 1], 1),
            (&[0xc2, 255, 0, 1, 0, 2], 65_538),
            (&[0x88, 200], 200),
            (&[0x89, 1, 3], 259),
            (&[0x8a, 0, 1, 0, 2], 65_538),
        ] {
            let packet = [header, &vec![4; length]].concat();
            assert_eq!(framed(&packet), Ok(4), "{header:?}");
            let longer = [&packet[..], &[0]].concat();
            assert_eq!(framed(&longer), refuse(Code::SignatureFormat, "there is data after the signature packet"));
            if length > 1 {
                let shorter = &packet[..packet.len() - 1];
                assert_eq!(framed(shorter), refuse(Code::SignatureFormat, "the packet ends before its length"));
            }
        }
        for (bytes, what) in [
            (&[][..], "no bytes"),
            (&[0x42, 1, 4], "not an OpenPGP packet"),
            (&[0xc6, 1, 4], "a packet of type 6, not a signature"),
            (&[0x98, 1, 4], "a packet of type 6, not a signature"),
            (&[0xc2], "it ends in its header"),
            (&[0xc2, 192], "it ends in its header"),
            (&[0xc2, 255, 0, 0, 0], "it ends in its header"),
            (&[0x89, 0], "it ends in its header"),
            (&[0xc2, 224, 4], "a packet of partial length"),
            (&[0xc2, 254, 4], "a packet of partial length"),
            (&[0x8b, 4], "a packet of indeterminate length"),
            (&[0xc2, 0], "an empty packet"),
        ] {
            assert_eq!(framed(bytes), refuse(Code::SignatureFormat, what), "{bytes:?}");
        }
    }

    #[test]
    fn s27_all_that_a_signature_says_of_its_key_is_one_key() {
        let (one, other) = (Fingerprint::V4([1; 20]), Fingerprint::V4([2; 20]));
        // The last eight octets are the id.
        let mut collides = [3; 20];
        collides[12..].fill(1);
        let collides = Fingerprint::V4(collides);
        let by = SubpacketValue::IssuerFingerprint;
        let id = |of: &Fingerprint| SubpacketValue::Issuer(KeyID::from(of));
        let number = || mpi::Signature::RSA { s: MPI::new(&[7]) };
        let asked = |said: &[SubpacketValue]| {
            let (algorithm, hash) = (PublicKeyAlgorithm::RSAEncryptSign, HashAlgorithm::SHA256);
            issuer_of(&signature(hash, algorithm, said, number())).map_err(|refusal| refusal.code)
        };
        let issuer =
            |fingerprint: Option<&Fingerprint>| Ok(Issuer { id: KeyID::from(&one), fingerprint: fingerprint.cloned() });
        assert_eq!(asked(&[id(&one)]), issuer(None));
        assert_eq!(asked(&[id(&one), by(one.clone())]), issuer(Some(&one)));
        assert_eq!(asked(&[by(one.clone()), by(one.clone()), id(&one), id(&one)]), issuer(Some(&one)));
        for said in [
            [id(&one), id(&other)],
            [by(one.clone()), id(&other)],
            [by(one.clone()), by(other)],
            [by(one.clone()), by(collides)],
        ] {
            assert_eq!(asked(&said), Err(Code::IssuerConflict), "{said:?}");
        }
        assert_eq!(asked(&[]), Err(Code::SignatureFormat));
        // By fingerprint alone only where rpm does not look for an id.
        assert_eq!(asked(&[by(one.clone())]), Err(Code::SignatureFormat));
        assert_eq!(issuer_of(&signature_6(&[by(one.clone())], number())).map_err(|r| r.code), issuer(Some(&one)));
    }

    #[test]
    fn s37_only_what_is_critical_has_to_be_understood() {
        for hash in [HashAlgorithm::SHA256, HashAlgorithm::SHA1, HashAlgorithm::MD5] {
            for critical in [true, false] {
                let mut signature = rsa_signature(hash);
                let unknown = SubpacketValue::Unknown { tag: SubpacketTag::Private(100), body: vec![7] };
                signature.hashed_area_mut().add(Subpacket::new(unknown, critical).unwrap()).unwrap();
                let right = if critical { Err(Code::SignatureCritical) } else { Ok(()) };
                assert_eq!(critical_is_understood(&signature).map_err(|refusal| refusal.code), right);
            }
        }
    }
}
