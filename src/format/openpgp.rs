//! OpenPGP: key rings, and what they say about a signature.
//!
//! Owns: reading certificates, reading one signature packet, and finding out whether a key of the
//! ring made it over given bytes, and what is weak about that. Whether it is enough is decided in
//! `domain/trust`. Packets, arithmetic and the validity of certificates are sequoia's; on top of
//! them stand rules that sequoia does not have or has laxer (catalogue 3.2 and 3.3):
//!
//! - a tag is exactly one bare signature packet, framed by us before sequoia sees a byte (S38);
//! - only signatures over binary documents (S36), with agreeing issuers (S27), understood where they
//!   are critical (S37);
//! - the time that a signature claims is its maker's word. So the key must be bound, unexpired and
//!   unrevoked at the time that the signature claims **and** when the package arrives, and any
//!   revocation of the key counts, soft or hard, whatever its hash, and also one that a later
//!   self-signature would undo (F5, S18 to S22);
//! - five minutes of clock skew, not thirty (F6, S24).
//!
//! Keys are found by fingerprint or key id and every candidate is tried (S41). The certificate is
//! looked at as it was when the signature was made; when it has no valid self-signature of that time
//! any more, as after `gpg --export` of a key whose expiry was extended, it is looked at as it is on
//! arrival, and the verdict says so (F16, S43).
//!
//! What never happens here: secret keys are kept (a file that has one is refused), the environment
//! or a policy file of the system is read (threat 28), or a packet is decompressed (no compression is
//! compiled in). A panic of the library on hostile bytes has happened elsewhere (CVE-2026-2625), so
//! each call into it on bytes of a package or of a key file runs inside [`guarded`]: a panic becomes
//! a refusal of that file. It is the last line of defence, not the first.

use super::rsa;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::trust::{CLOCK_SKEW_SECONDS, Lifted, Sound, Weakness};
use jiff::Timestamp;
use sequoia_openpgp::anyhow;
use sequoia_openpgp::armor;
use sequoia_openpgp::cert::amalgamation::key::ErasedKeyAmalgamation;
use sequoia_openpgp::cert::amalgamation::{ValidAmalgamation as _, ValidateAmalgamation as _};
use sequoia_openpgp::cert::{Cert, CertParser};
use sequoia_openpgp::crypto::hash::{Context, Hash as _};
use sequoia_openpgp::crypto::mpi;
use sequoia_openpgp::packet::key::{PublicParts, UnspecifiedRole};
use sequoia_openpgp::packet::{Key, Packet, Signature, Tag};
use sequoia_openpgp::parse::{Dearmor, PacketParserBuilder, PacketParserResult, Parse as _};
use sequoia_openpgp::policy::{AsymmetricAlgorithm, HashAlgoSecurity, Policy as _, StandardPolicy};
use sequoia_openpgp::types::{HashAlgorithm, ReasonForRevocation, RevocationType, SignatureType};
use sequoia_openpgp::{Fingerprint, KeyHandle, KeyID};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Bytes of one key file. The largest that a distribution ships has some 100 KB; a key that was
/// flooded with certifications has to be cleaned before it is trusted (S44).
pub const KEY_FILE_MAX: usize = 4 * 1024 * 1024;

/// Keys and subkeys in one file (S44). A whole distribution's ring has some dozens.
const KEYS_MAX: usize = 1024;

/// Packets in one file: room for a few certifications of each key.
const PACKETS_MAX: usize = 20_000;

/// RSA moduli that the arithmetic takes (the limit of the crate `rsa`).
const RSA_BITS_MAX: usize = 4096;

/// What is wrong with a key file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{label}: {what}")]
pub struct KeyComplaint {
    /// The file, as the caller calls it.
    pub label: String,
    /// What is wrong. A lower-case fragment.
    pub what: String,
}

/// What there is to know about a certificate before anything is signed with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertSummary {
    /// Upper-case hexadecimal.
    pub fingerprint: String,
    /// User ids as they stand in it, control characters replaced.
    pub user_ids: Vec<String>,
    /// When its last key that signs expires; `None` when it does not.
    pub expiry: Option<Timestamp>,
    /// Revoked as a whole, softly or hard.
    pub revoked: bool,
    /// Whether a key of it could sign a package that arrives at the time that was asked about.
    pub can_sign: bool,
    /// Why not, or what an exception would have to lift.
    pub remarks: Vec<String>,
}

/// The certificates that a tree trusts.
#[derive(Clone, Default)]
pub struct Keyring {
    certs: Vec<Cert>,
    /// Every key and subkey, bound or not, by its 64-bit id: several may have the same one.
    by_id: BTreeMap<KeyID, Vec<Candidate>>,
    /// The files from which it was read.
    files: Arc<[(String, Vec<u8>)]>,
}

#[derive(Clone)]
struct Candidate {
    cert: usize,
    key: Fingerprint,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.certs.iter().map(fingerprint_of)).finish()
    }
}

impl Keyring {
    /// Reads certificates, armored or binary, any number in each file.
    ///
    /// Copies of one certificate are merged, so that a revocation in any of them counts (S42).
    ///
    /// # Errors
    /// All complaints about all files; no ring then, since a ring that lacks a revocation is worse
    /// than none.
    pub fn read(files: &[(String, Vec<u8>)]) -> Result<Self, Vec<KeyComplaint>> {
        let mut merged: BTreeMap<Fingerprint, Cert> = BTreeMap::new();
        let mut complaints = Vec::new();
        for (label, bytes) in files {
            let read = guarded(|| certs_in(bytes)).unwrap_or_else(|panic| Err(vec![panic]));
            match read {
                Ok(certs) => {
                    for cert in certs {
                        if let Err(what) = merge(&mut merged, cert) {
                            complaints.push(KeyComplaint { label: label.clone(), what });
                        }
                    }
                }
                Err(whats) => {
                    complaints.extend(whats.into_iter().map(|what| KeyComplaint { label: label.clone(), what }));
                }
            }
        }
        if !complaints.is_empty() {
            return Err(complaints);
        }
        Ok(Self { files: files.into(), ..Self::of(merged.into_values().collect()) })
    }

    /// The files from which it was read, as [`Keyring::read`] takes them.
    pub fn files(&self) -> &[(String, Vec<u8>)] {
        &self.files
    }

    fn of(certs: Vec<Cert>) -> Self {
        let mut by_id: BTreeMap<KeyID, Vec<Candidate>> = BTreeMap::new();
        for (cert, of) in certs.iter().enumerate() {
            for key in of.keys() {
                let key = key.key().fingerprint();
                by_id.entry(KeyID::from(&key)).or_default().push(Candidate { cert, key });
            }
        }
        Self { certs, by_id, files: Arc::default() }
    }

    /// Whether no certificate is in it; then nothing can be accepted.
    pub fn is_empty(&self) -> bool {
        self.certs.is_empty()
    }

    /// What is in it, as it stands `at`, by fingerprint.
    pub fn certs(&self, at: Timestamp) -> Vec<CertSummary> {
        self.certs.iter().map(|cert| self.summary(cert, at)).collect()
    }

    fn summary(&self, cert: &Cert, at: Timestamp) -> CertSummary {
        let mut summary = CertSummary {
            fingerprint: fingerprint_of(cert),
            user_ids: cert.userids().map(|user_id| printable(user_id.userid().value())).collect(),
            expiry: None,
            revoked: false,
            can_sign: false,
            remarks: Vec::new(),
        };
        let Some(moment) = system_time(at) else {
            summary.remarks.push(format!("{at} is no time that OpenPGP can write"));
            return summary;
        };
        summary.revoked = guarded(|| revocation(self, cert, &cert.primary_key().into(), at).is_some()).unwrap_or(true);
        let mut ends = Vec::new();
        // Asked as if it signed now; encryption keys are not worth a remark.
        for key in cert.keys().filter(|key| key.key().pk_algo().for_signing()) {
            let whose = name_of(cert, &key);
            let verdict = guarded(|| {
                let (lifts, bound) = bound_with_least_lifted(&key, moment).map_err(|why| format!("{whose}: {why}"))?;
                if !bound.for_signing {
                    return Ok(None);
                }
                if let Some(how) = revocation(self, cert, &key, at) {
                    return Err(how);
                }
                if let Some(end) = bound.end.filter(|end| *end <= at) {
                    return Err(format!("{whose} expired on {end}"));
                }
                let weak: Vec<String> = weaknesses_of_binding(lifts, &whose).into_iter().map(|w| w.detail).collect();
                Ok(Some((bound.end, weak)))
            });
            match verdict {
                Ok(Ok(Some((end, weak)))) => {
                    summary.can_sign |= weak.is_empty();
                    summary.remarks.extend(weak);
                    ends.push(end);
                }
                Ok(Ok(None)) => {}
                Ok(Err(why)) | Err(why) => summary.remarks.push(why),
            }
        }
        // `None` is "never" and so the latest of all.
        if !ends.contains(&None) {
            summary.expiry = ends.into_iter().flatten().max();
        }
        summary
    }

    fn candidates(&self, issuer: &Issuer) -> impl Iterator<Item = (&Cert, ErasedKeyAmalgamation<'_, PublicParts>)> {
        let fingerprint = issuer.fingerprint.clone();
        self.by_id
            .get(&issuer.id)
            .into_iter()
            .flatten()
            .filter(move |candidate| fingerprint.as_ref().is_none_or(|wanted| *wanted == candidate.key))
            .filter_map(|candidate| {
                let cert = self.certs.get(candidate.cert)?;
                let key = cert.keys().find(|key| key.key().fingerprint() == candidate.key)?;
                Some((cert, key))
            })
    }
}

fn merge(merged: &mut BTreeMap<Fingerprint, Cert>, cert: Cert) -> Result<(), String> {
    let fingerprint = cert.fingerprint();
    let together = match merged.remove(&fingerprint) {
        // Neither has secrets: `certs_in` refuses those.
        Some(other) => guarded(|| other.merge_public(cert).map_err(|error| one_line(&error)))
            .and_then(|merged| merged)
            .map_err(|why| format!("two copies of {fingerprint} cannot be merged: {why}"))?,
        None => cert,
    };
    merged.insert(fingerprint, together);
    Ok(())
}

/// All certificates of one file, or all that is wrong with it.
fn certs_in(bytes: &[u8]) -> Result<Vec<Cert>, Vec<String>> {
    if bytes.len() > KEY_FILE_MAX {
        return Err(vec![format!("larger than {KEY_FILE_MAX} bytes")]);
    }
    let parts = match bytes.first() {
        None => return Err(vec!["empty".to_owned()]),
        // The first bit of an OpenPGP packet is set, and no armor begins so.
        Some(first) if first & 0x80 != 0 => vec![bytes.to_vec()],
        Some(_) => armored_parts(bytes).map_err(|what| vec![what])?,
    };
    let mut packets = Vec::new();
    for part in parts {
        packets_of(&part, &mut packets).map_err(|what| vec![what])?;
    }
    let mut certs = Vec::new();
    let mut complaints = Vec::new();
    for cert in CertParser::from(packets) {
        match cert {
            Ok(cert) => certs.push(cert),
            Err(error) => complaints.push(format!("not a usable certificate: {}", one_line(&error))),
        }
    }
    if certs.is_empty() && complaints.is_empty() {
        complaints.push("holds no OpenPGP certificate".to_owned());
    }
    if complaints.is_empty() { Ok(certs) } else { Err(complaints) }
}

/// The content of every armored block. sequoia's reader stops after the first one, and what follows
/// it, perhaps a revocation, would be passed over in silence.
fn armored_parts(bytes: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    const BEGIN: &[u8] = b"-----BEGIN PGP ";
    const END: &[u8] = b"-----END PGP ";
    let mut parts = Vec::new();
    let mut block: Option<Vec<u8>> = None;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii();
        if let Some(rest) = text.strip_prefix(BEGIN) {
            if block.is_some() {
                return Err("an armored block begins inside another".to_owned());
            }
            match rest {
                b"PUBLIC KEY BLOCK-----" => {}
                b"PRIVATE KEY BLOCK-----" => return Err("holds a secret key: export the public key only".to_owned()),
                other => return Err(format!("holds a PGP {}, no certificate", printable(other))),
            }
            block = Some(Vec::new());
        }
        let ends = text.starts_with(END);
        if let Some(lines) = &mut block {
            lines.extend_from_slice(line);
        }
        if ends {
            let Some(lines) = block.take() else {
                return Err("an armored block ends that has not begun".to_owned());
            };
            let mut content = Vec::new();
            armor::Reader::from_bytes(&lines, armor::ReaderMode::Tolerant(Some(armor::Kind::PublicKey)))
                .read_to_end(&mut content)
                .map_err(|error| format!("its armor cannot be read: {error}"))?;
            parts.push(content);
        }
    }
    if block.is_some() {
        return Err("its armor has no end".to_owned());
    }
    Ok(parts)
}

fn packets_of(bytes: &[u8], packets: &mut Vec<Packet>) -> Result<(), String> {
    let unreadable = |error: anyhow::Error| format!("not OpenPGP: {}", one_line(&error));
    let mut keys = packets.iter().filter(|packet| is_key(packet)).count();
    let mut next = PacketParserBuilder::from_bytes(bytes)
        .map_err(unreadable)?
        .dearmor(Dearmor::Disabled)
        .build()
        .map_err(unreadable)?;
    while let PacketParserResult::Some(parser) = next {
        let (packet, after) = parser.next().map_err(unreadable)?;
        next = after;
        match &packet {
            Packet::SecretKey(_) | Packet::SecretSubkey(_) => {
                return Err("holds a secret key: export the public key only".to_owned());
            }
            Packet::Unknown(unknown) if matches!(unknown.tag(), Tag::SecretKey | Tag::SecretSubkey) => {
                return Err("holds a secret key: export the public key only".to_owned());
            }
            Packet::Unknown(unknown) if unknown.tag() == Tag::PublicKey => {
                return Err(format!("holds a key of a version that is not supported: {}", one_line(unknown.error())));
            }
            _ => {}
        }
        keys = keys.saturating_add(usize::from(is_key(&packet)));
        // What gpg keeps in its own ring files beside the certificates.
        if !matches!(packet.tag(), Tag::Trust | Tag::Marker | Tag::Padding) {
            packets.push(packet);
        }
        if keys > KEYS_MAX || packets.len() > PACKETS_MAX {
            return Err(format!("more than {KEYS_MAX} keys or {PACKETS_MAX} packets"));
        }
    }
    Ok(())
}

fn is_key(packet: &Packet) -> bool {
    matches!(packet.tag(), Tag::PublicKey | Tag::PublicSubkey)
}

/// Who a signature says has made it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Issuer {
    id: KeyID,
    fingerprint: Option<Fingerprint>,
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fingerprint {
            Some(fingerprint) => write!(f, "{fingerprint}"),
            None => write!(f, "{}", self.id),
        }
    }
}

/// One signature packet of acceptable form; nothing is known yet about who made it.
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
    /// What is wrong with its form. All these are faults for which no exception exists.
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
            return refuse(Code::SignatureFormat, "something follows the signature packet");
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

    /// The hash that the signed bytes go into. `Err` when the algorithm is unknown here.
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

    /// Who signed, if anybody in the ring did, and what is weak about it.
    ///
    /// `hashed` is what [`Claim::context`] gave, after the signed bytes went through it.
    ///
    /// # Errors
    /// Why it cannot count, for which no exception exists.
    pub fn examine(&self, hashed: &Context, ring: &Keyring, at: Timestamp) -> Result<Sound, Refusal> {
        guarded(|| self.examine_all(hashed, ring, at)).unwrap_or_else(|panic| refuse(Code::SignatureFormat, panic))
    }

    fn examine_all(&self, hashed: &Context, ring: &Keyring, at: Timestamp) -> Result<Sound, Refusal> {
        let mut sound: Option<Sound> = None;
        let mut refusal: Option<Refusal> = None;
        // Several only if two certificates have the same key, or two keys the same 64-bit id.
        for (cert, key) in ring.candidates(&self.issuer) {
            match self.examine_one(hashed, ring, cert, &key, at) {
                Ok(found) => {
                    if sound.as_ref().is_none_or(|best| found.weaknesses.len() < best.weaknesses.len()) {
                        sound = Some(found);
                    }
                }
                // A key that did not make it has less to say than one that did.
                Err(found) => {
                    if refusal.as_ref().is_none_or(|worst| worst.code == Code::BadSignature) {
                        refusal = Some(found);
                    }
                }
            }
        }
        match (sound, refusal) {
            // A key that was revoked stays revoked, also when a second certificate has adopted it.
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
                    format!("made on {}, before the {what} itself; {whose}", self.made),
                );
            }
        }
        let digest = self.digest(hashed)?;
        // Two octets of the digest in the clear, a hint for readers in a hurry. rpm up to 4.18 holds
        // them to be part of the signature; so a file could be good here and bad at the sites.
        let hint_fits = digest.starts_with(self.signature.digest_prefix());
        if !hint_fits || !self.was_made_by(key.key(), &digest) {
            return refuse(Code::BadSignature, format!("it does not fit the bytes; {whose}"));
        }

        // From here on it is certain that this key signed these bytes, at a time that only the
        // signature itself attests.
        if let Some(how) = revocation(ring, cert, key, at) {
            return refuse(Code::KeyRevoked, how);
        }
        if self.made.as_second() > at.as_second().saturating_add(CLOCK_SKEW_SECONDS) {
            return refuse(Code::NotYetValid, format!("made on {}, and now it is {at}", self.made));
        }
        if let Some(end) = self.signature.signature_expiration_time().and_then(|t| Timestamp::try_from(t).ok())
            && end <= at
        {
            return refuse(Code::SignatureExpired, format!("the signature expired on {end}"));
        }

        let (Some(made), Some(arrived)) = (system_time(self.made), system_time(at)) else {
            return refuse(Code::SignatureFormat, "a time that OpenPGP cannot write");
        };
        let (lifts, on_arrival) = bound_with_least_lifted(key, arrived)
            .map_err(|why| Refusal::new(Code::UnboundKey, format!("{whose}: {why}")))?;
        let mut notes = Vec::new();
        let when_made = bound(key, &policy_at(arrived, lifts), made).unwrap_or_else(|_| {
            notes.push(format!(
                "{whose} has no valid self-signature of {} any more and was judged as it is now",
                self.made
            ));
            on_arrival
        });
        if !(when_made.for_signing && on_arrival.for_signing) {
            return refuse(Code::NotSigningKey, format!("{whose} is not marked for signing"));
        }
        let mut weaknesses = self.weaknesses_of_packet();
        weaknesses.extend(weaknesses_of_binding(lifts, &whose));
        // With an expiry that was changed since, the later word may say that it was never valid then.
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
        Ok(Sound { fingerprint: fingerprint_of(cert), weaknesses, notes })
    }

    /// Whether a key made the signature over a digest.
    fn was_made_by(&self, key: &Key<PublicParts, UnspecifiedRole>, digest: &[u8]) -> bool {
        // What sequoia asks beyond the arithmetic is about versions, and about times that were compared before.
        let plain = self.signature.version() == 4 && key.version() == 4;
        let asked = || rsa::fits(key.mpis(), self.signature.mpis(), self.signature.hash_algo(), digest);
        plain.then(asked).flatten().unwrap_or_else(|| self.signature.verify_digest(key, digest).is_ok())
    }

    /// Whether the arithmetic is compiled in, so that "cannot check" is not told as "is wrong" (S33).
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
                // Not a key that anybody generates, and with some of these anybody can sign (S34).
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
    fn weaknesses_of_packet(&self) -> Vec<Weakness> {
        let mut found = Vec::new();
        let version = self.signature.version();
        if !matches!(version, 4 | 6) {
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
/// The framing is checked here and not by the library, since its parser is made for messages: it
/// would go on into marker packets, containers and whatever else follows (S38).
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
        return Err(bad("something follows the signature packet"));
    }
    body.first().copied().ok_or_else(|| bad("an empty packet"))
}

/// All that a signature says about its maker must be one key (S26, S27).
fn issuer_of(signature: &Signature) -> Result<Issuer, Refusal> {
    let mut issuer: Option<Issuer> = None;
    let mut by_id = false;
    for handle in signature.get_issuers() {
        by_id |= matches!(handle, KeyHandle::KeyID(_));
        let said = match handle {
            KeyHandle::Fingerprint(Fingerprint::Unknown { .. }) | KeyHandle::KeyID(KeyID::Invalid(_)) => {
                return refuse(Code::SignatureFormat, "its issuer is no fingerprint and no key id");
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
    let issuer =
        issuer.ok_or_else(|| Refusal::new(Code::SignatureFormat, "it does not say by which key it was made"))?;
    // rpm up to 4.18 finds keys by their id alone. Signatures of version 6 have none, and it does not
    // read those.
    if !by_id && signature.version() < 6 {
        return refuse(
            Code::SignatureFormat,
            "it names its key by fingerprint only, which rpm before 4.20 cannot find",
        );
    }
    Ok(issuer)
}

/// S37. A policy that takes every hash is asked, so that only what is critical can displease it.
fn critical_is_understood(signature: &Signature) -> Result<(), Refusal> {
    let mut policy = StandardPolicy::new();
    policy.accept_hash(signature.hash_algo());
    policy
        .signature(signature, HashAlgoSecurity::CollisionResistance)
        .map_err(|error| Refusal::new(Code::SignatureCritical, one_line(&error)))
}

/// sequoia's policy with the cut-offs as they stand at `at`, less what is lifted.
fn policy_at(at: SystemTime, lifts: &[Lifted]) -> StandardPolicy<'static> {
    let mut policy = StandardPolicy::at(at);
    for lift in lifts {
        match lift {
            Lifted::Sha1 => policy.accept_hash(HashAlgorithm::SHA1),
            Lifted::WeakKey => {
                for algorithm in [
                    AsymmetricAlgorithm::RSA1024,
                    AsymmetricAlgorithm::DSA1024,
                    AsymmetricAlgorithm::DSA2048,
                    AsymmetricAlgorithm::DSA3072,
                    AsymmetricAlgorithm::DSA4096,
                ] {
                    policy.accept_asymmetric_algo(algorithm);
                }
            }
            Lifted::V3 | Lifted::HeaderPayload | Lifted::Expired => {}
        }
    }
    policy
}

/// What a key's binding to its certificate says at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bound {
    /// Marked for signing data.
    for_signing: bool,
    /// When the key or its certificate expires, whichever is first; `None` is never.
    end: Option<Timestamp>,
}

/// The key's binding as it stands at `moment`, by `policy`.
fn bound(
    key: &ErasedKeyAmalgamation<'_, PublicParts>,
    policy: &StandardPolicy<'static>,
    moment: SystemTime,
) -> Result<Bound, String> {
    let valid = key.clone().with_policy(policy, moment).map_err(|error| one_line(&error))?;
    let ends = [valid.key_expiration_time(), valid.valid_cert().primary_key().key_expiration_time()];
    let end = ends.into_iter().flatten().min().map(|end| Timestamp::try_from(end).unwrap_or(Timestamp::MIN));
    Ok(Bound { for_signing: valid.for_signing(), end })
}

/// The binding as it stands at `moment`, and the least that has to be lifted for it to be valid.
fn bound_with_least_lifted(
    key: &ErasedKeyAmalgamation<'_, PublicParts>,
    moment: SystemTime,
) -> Result<(&'static [Lifted], Bound), String> {
    const LIFTS: [&[Lifted]; 4] = [&[], &[Lifted::WeakKey], &[Lifted::Sha1], &[Lifted::WeakKey, Lifted::Sha1]];
    let mut strict = None;
    for lifts in LIFTS {
        match bound(key, &policy_at(moment, lifts), moment) {
            Ok(bound) => return Ok((lifts, bound)),
            Err(why) => strict = strict.or(Some(why)),
        }
    }
    // What the strict policy says is what has to be mended.
    Err(strict.unwrap_or_default())
}

fn weaknesses_of_binding(lifts: &[Lifted], whose: &str) -> Vec<Weakness> {
    let weakness = |lift: &Lifted| match lift {
        Lifted::WeakKey => Some(Weakness {
            code: Code::WeakKey,
            lifted_by: Some(Lifted::WeakKey),
            detail: format!("{whose} or its primary key is RSA below 2048 bits, or DSA"),
        }),
        Lifted::Sha1 => Some(Weakness {
            code: Code::UnboundKey,
            lifted_by: Some(Lifted::Sha1),
            detail: format!("{whose} is bound to its certificate by SHA-1 only"),
        }),
        Lifted::V3 | Lifted::HeaderPayload | Lifted::Expired => None,
    };
    lifts.iter().filter_map(weakness).collect()
}

/// How the key or its certificate is revoked, if it is (S20 to S22).
///
/// Stricter than sequoia, on purpose: a soft revocation is not undone by a later self-signature, and
/// the revocation's own hash does not matter. A hard one counts whenever it was made.
fn revocation(
    ring: &Keyring,
    cert: &Cert,
    key: &ErasedKeyAmalgamation<'_, PublicParts>,
    at: Timestamp,
) -> Option<String> {
    let primary = cert.primary_key();
    let of_cert = primary.self_revocations().map(|revocation| (revocation, "certificate", cert.fingerprint()));
    let of_key = key.self_revocations().map(|revocation| (revocation, "key", key.key().fingerprint()));
    let by_others = by_designated_revokers(ring, cert);
    of_cert
        .chain(of_key)
        .chain(by_others.into_iter().map(|revocation| (revocation, "certificate", cert.fingerprint())))
        .filter_map(|(revocation, what, which)| {
            let (reason, text) = revocation.reason_for_revocation().unwrap_or((ReasonForRevocation::Unspecified, &[]));
            let made = revocation.signature_creation_time().and_then(|time| Timestamp::try_from(time).ok());
            let hard = reason.revocation_type() == RevocationType::Hard;
            // A soft one is an announcement and begins when it says.
            if !hard && made.is_some_and(|made| made > at) {
                return None;
            }
            let when = made.map_or_else(String::new, |made| format!(" on {made}"));
            let why = if text.is_empty() { String::new() } else { format!(" ({})", printable(text)) };
            Some((hard, format!("{what} {which} was revoked{when}: {reason}{why}")))
        })
        // The hard one is what must be told.
        .max_by_key(|(hard, _)| *hard)
        .map(|(_, how)| how)
}

/// Revocations by a certificate that this one has named for that, as far as it is in the ring.
fn by_designated_revokers<'a>(ring: &Keyring, cert: &'a Cert) -> Vec<&'a Signature> {
    // Whoever was named by a signature with an old hash may still revoke.
    let mut policy = StandardPolicy::new();
    policy.accept_hash(HashAlgorithm::SHA1);
    let named: Vec<Fingerprint> = cert.revocation_keys(&policy).map(|by| by.revoker().1.clone()).collect();
    let primary = cert.primary_key();
    primary
        .other_revocations()
        .filter(|revocation| {
            ring.certs.iter().filter(|revoker| named.contains(&revoker.fingerprint())).any(|revoker| {
                revocation.verify_primary_key_revocation(revoker.primary_key().key(), primary.key()).is_ok()
            })
        })
        .collect()
}

/// Runs a call into the OpenPGP library on bytes that a stranger wrote; a panic becomes an error.
///
/// Nothing that the closure can reach is used again after a panic but shared, unchanging values.
fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| "the OpenPGP library failed on it".to_owned())
}

fn refuse<T>(code: Code, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(code, detail))
}

/// An error with its causes, without control characters: it may repeat bytes of the file.
fn one_line(error: &anyhow::Error) -> String {
    printable(format!("{error:#}").as_bytes())
}

/// Text of strangers for messages, control characters replaced and cut to a bearable length.
fn printable(bytes: &[u8]) -> String {
    const LONGEST: usize = 300;
    let text = String::from_utf8_lossy(bytes);
    text.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A key for messages: by its certificate, and by its own fingerprint if it is a subkey.
fn name_of(cert: &Cert, key: &ErasedKeyAmalgamation<'_, PublicParts>) -> String {
    let (of_cert, of_key) = (cert.fingerprint(), key.key().fingerprint());
    if of_cert == of_key { format!("key {of_cert}") } else { format!("subkey {of_key} of {of_cert}") }
}

fn fingerprint_of(cert: &Cert) -> String {
    cert.fingerprint().to_hex()
}

/// `None` for a time that OpenPGP cannot write: before 1970 or after 2106.
fn system_time(at: Timestamp) -> Option<SystemTime> {
    let seconds = u32::try_from(at.as_second()).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sequoia_openpgp::cert::CertBuilder;
    use sequoia_openpgp::packet::signature::SignatureBuilder;
    use sequoia_openpgp::serialize::SerializeInto as _;
    use sequoia_openpgp::types::KeyFlags;

    const BORN: Timestamp = Timestamp::constant(1_700_000_000, 0);
    const NOW: Timestamp = Timestamp::constant(1_750_000_000, 0);

    fn cert() -> Cert {
        let flags = KeyFlags::empty().set_certification().set_signing();
        CertBuilder::new().set_creation_time(SystemTime::from(BORN)).set_primary_key_flags(flags).generate().unwrap().0
    }

    fn read(certs: &[&Cert]) -> Keyring {
        let files: Vec<_> = certs.iter().map(|cert| (fingerprint_of(cert), cert.to_vec().unwrap())).collect();
        Keyring::read(&files).unwrap()
    }

    /// A signature that names its key by the 64-bit id only.
    fn claim(by: &Cert, id: KeyID, bytes: &[u8]) -> (Claim, Context) {
        let mut signer = by.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
        let builder = SignatureBuilder::new(SignatureType::Binary)
            .set_signature_creation_time(SystemTime::from(BORN))
            .unwrap()
            .set_issuer(id)
            .unwrap();
        let signature = builder.sign_message(&mut signer, bytes).unwrap();
        let claim = Claim::read(&Packet::from(signature).to_vec().unwrap()).unwrap();
        let mut context = claim.context().unwrap();
        context.update(bytes);
        (claim, context)
    }

    #[test]
    fn s41_of_two_keys_with_one_id_the_right_one_is_found_in_either_order() {
        let (right, wrong) = (cert(), cert());
        let id = right.keyid();
        let (claim, context) = claim(&right, id.clone(), b"text");
        // Keys that really collide cost some weeks; the index is told that these two do.
        for first in [true, false] {
            let mut ring = read(&[&right, &wrong]);
            let other = ring.by_id.get(&wrong.keyid()).unwrap().clone();
            let same_id = ring.by_id.get_mut(&id).unwrap();
            same_id.extend(other);
            if first {
                same_id.reverse();
            }
            assert_eq!(claim.examine(&context, &ring, NOW).map(|s| s.fingerprint), Ok(fingerprint_of(&right)));
        }
        let mut only_the_wrong = read(&[&wrong]);
        let other = only_the_wrong.by_id.get(&wrong.keyid()).unwrap().clone();
        only_the_wrong.by_id.insert(id, other);
        assert_eq!(claim.examine(&context, &only_the_wrong, NOW).map_err(|r| r.code), Err(Code::BadSignature));
    }

    #[test]
    fn a_panic_of_the_library_is_an_error_of_the_file() {
        let result = guarded(|| -> u8 { panic!("as a long issuer subpacket once did") });
        assert_eq!(result, Err("the OpenPGP library failed on it".to_owned()));
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
    fn algorithms_end_when_sequoia_says_and_not_when_the_clock_of_the_machine_does() {
        let allowed = |at: &str, lifts: &[Lifted]| {
            let at: Timestamp = at.parse().unwrap();
            policy_at(system_time(at).unwrap(), lifts)
                .asymmetric_algo_cutoff(AsymmetricAlgorithm::DSA2048)
                .is_none_or(|end| end > SystemTime::from(at))
        };
        assert!(allowed("2030-01-31T23:59:59Z", &[]));
        assert!(!allowed("2030-02-01T00:00:01Z", &[]));
        assert!(allowed("2031-01-01T00:00:00Z", &[Lifted::WeakKey]));
    }
}
