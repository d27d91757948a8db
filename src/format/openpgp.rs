//! OpenPGP: key rings, and what they say about a signature.
//!
//! Owns: reading one signature packet, and finding out whether a key of the ring made it over given bytes, and
//! what is weak about that. Files become certificates in `keyfile`. Whether it is enough is decided in
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

use super::keyfile::{self, guarded, one_line, printable};
use super::rsa;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::trust::{CLOCK_SKEW_SECONDS, Lifted, Sound, Weakness};
use jiff::Timestamp;
use sequoia_openpgp::anyhow;
use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::cert::amalgamation::key::ErasedKeyAmalgamation;
use sequoia_openpgp::cert::amalgamation::{ValidAmalgamation as _, ValidateAmalgamation as _};
use sequoia_openpgp::crypto::hash::{Context, Hash as _};
use sequoia_openpgp::crypto::mpi;
use sequoia_openpgp::packet::key::{PublicParts, UnspecifiedRole};
use sequoia_openpgp::packet::{Key, Packet, Signature, Tag};
use sequoia_openpgp::parse::{Dearmor, PacketParserBuilder, PacketParserResult, Parse as _};
use sequoia_openpgp::policy::{AsymmetricAlgorithm, HashAlgoSecurity, Policy as _, StandardPolicy};
use sequoia_openpgp::types::{HashAlgorithm, ReasonForRevocation, RevocationType, SignatureType};
use sequoia_openpgp::{Fingerprint, KeyHandle, KeyID};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use super::keyfile::{KEY_FILE_MAX, KeyComplaint};

/// RSA moduli that the arithmetic takes (the limit of the crate `rsa`).
const RSA_BITS_MAX: usize = 4096;

/// What there is to know about a certificate before anything is signed with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertSummary {
    /// Upper-case hexadecimal.
    pub fingerprint: String,
    /// User ids as they stand in it, control characters replaced.
    pub user_ids: Vec<String>,
    /// When its last key that signs expires, or has expired; `None` when it does not.
    pub expiry: Option<Timestamp>,
    /// Revoked as a whole, softly or hard.
    pub revoked: bool,
    /// Whether it could still sign if the key of it that would be good for longest were not revoked.
    pub spent: bool,
    /// Its keys of algorithms that sign, the primary key among them.
    pub keys: Vec<KeySummary>,
    /// Whether a key of it could sign a package that arrives at the time that was asked about.
    pub can_sign: bool,
    /// Why not, or what an exception would have to lift.
    pub remarks: Vec<String>,
}

/// What there is to know about one key of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySummary {
    /// Upper-case hexadecimal.
    pub fingerprint: String,
    /// When it or its certificate expires, as far as that can be found out.
    pub expiry: Option<Timestamp>,
    /// Whether it or its certificate is revoked.
    pub revoked: Option<Gravity>,
    /// Whether it may have signed packages: it is not certain that it is meant for something else.
    pub may_sign: bool,
}

/// How grave a revocation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// The key is retired or superseded.
    Soft,
    /// Others may have it: it is compromised, or no reason is given.
    Hard,
}

/// The certificates that a tree trusts.
#[derive(Clone, Default)]
pub struct Keyring {
    certs: Vec<Cert>,
    /// Every key and subkey, bound or not, by its 64-bit id: several may have the same one.
    by_id: BTreeMap<KeyID, Vec<Candidate>>,
    /// The files from which it was read.
    files: Arc<[(String, Vec<u8>)]>,
    /// Which certificates stand in which of them.
    held: Arc<[(String, Vec<Fingerprint>)]>,
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
    /// Reads certificates, armored or binary, any number in each file, or revocations of them.
    ///
    /// Copies of one certificate are merged, and a revocation counts in whichever file it stands (S42).
    ///
    /// # Errors
    /// All complaints about all files; no ring then, since a ring that lacks a revocation is worse
    /// than none.
    pub fn read(files: &[(String, Vec<u8>)]) -> Result<Self, Vec<KeyComplaint>> {
        Self::read_but(files, &|_| false).map(|(ring, _)| ring)
    }

    /// The same, but files that `may_be_left_out`, by their labels, are left out where they have no certificate that
    /// could be used. Gives what was said against them.
    ///
    /// # Errors
    /// All complaints about the files that count.
    pub fn read_but(
        files: &[(String, Vec<u8>)],
        may_be_left_out: &dyn Fn(&str) -> bool,
    ) -> Result<(Self, Vec<KeyComplaint>), Vec<KeyComplaint>> {
        let keyfile::Contents { certs, held, left_out } = keyfile::read(files, may_be_left_out)?;
        let counts = |label: &String| held.iter().any(|(file, _)| file == label);
        let files = files.iter().filter(|(label, _)| counts(label)).cloned().collect();
        Ok((Self { files, held: held.into(), ..Self::of(certs) }, left_out))
    }

    /// The files from which it was read, as [`Keyring::read`] takes them.
    pub fn files(&self) -> &[(String, Vec<u8>)] {
        &self.files
    }

    /// The fingerprints of the certificates that stand in a file.
    pub fn held_by(&self, label: &str) -> BTreeSet<String> {
        let files = self.held.iter().filter(|(file, _)| file == label);
        files.flat_map(|(_, held)| held).map(Fingerprint::to_hex).collect()
    }

    /// What clients are given for a file: its certificates as rpm takes them, one armored block for each, with what the
    /// ring knows of them from elsewhere, such as a revocation. Nothing for a file that has none.
    ///
    /// # Errors
    /// When the library cannot write what it has read.
    pub fn for_clients(&self, label: &str) -> Result<Option<Vec<u8>>, String> {
        let held = self.held_by(label);
        let certs = self.certs.iter().filter(|cert| held.contains(&fingerprint_of(cert)));
        let blocks = certs.map(|cert| guarded(|| keyfile::armored(cert)).and_then(|armored| armored));
        let text = blocks.collect::<Result<String, String>>()?;
        Ok((!text.is_empty()).then(|| text.into_bytes()))
    }

    fn of(certs: Vec<Cert>) -> Self {
        let mut by_id: BTreeMap<KeyID, Vec<Candidate>> = BTreeMap::new();
        for (cert, of) in certs.iter().enumerate() {
            for key in of.keys() {
                let key = key.key().fingerprint();
                by_id.entry(KeyID::from(&key)).or_default().push(Candidate { cert, key });
            }
        }
        Self { certs, by_id, files: Arc::default(), held: Arc::default() }
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
            spent: false,
            keys: Vec::new(),
            can_sign: false,
            remarks: Vec::new(),
        };
        let Some(moment) = system_time(at) else {
            summary.remarks.push(format!("{at} is no time that OpenPGP can write"));
            return summary;
        };
        summary.revoked = guarded(|| revocation(self, cert, &cert.primary_key().into(), at).is_some()).unwrap_or(true);
        let (mut ends, mut past, mut last) = (Vec::new(), None, Vec::new());
        // Asked as if it signed now; encryption keys are not worth a remark.
        for key in cert.keys().filter(|key| key.key().pk_algo().for_signing()) {
            let whose = name_of(cert, &key);
            let revoked = guarded(|| revocation(self, cert, &key, at)).unwrap_or_else(|why| Some((Gravity::Hard, why)));
            let (gravity, mut own_end) = (revoked.as_ref().map(|(gravity, _)| *gravity), None);
            let verdict = guarded(|| {
                let (lifts, bound) = bound_with_least_lifted(&key, moment).map_err(|why| format!("{whose}: {why}"))?;
                if !bound.for_signing {
                    return Ok(None);
                }
                own_end = bound.end;
                last.push((bound.end.unwrap_or(Timestamp::MAX), gravity));
                if let Some((_, how)) = revoked {
                    return Err(how);
                }
                if let Some(end) = bound.end.filter(|end| *end <= at) {
                    past = past.max(Some(end));
                    return Err(format!("{whose} expired on {end}"));
                }
                let weak: Vec<String> = weaknesses_of_binding(lifts, &whose).into_iter().map(|w| w.detail).collect();
                Ok(Some((bound.end, weak)))
            });
            summary.keys.push(KeySummary {
                fingerprint: key.key().fingerprint().to_hex(),
                expiry: own_end,
                revoked: gravity,
                may_sign: !matches!(verdict, Ok(Ok(None))),
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
        let longest = last.iter().map(|(end, _)| *end).max();
        let mut for_longest = last.iter().filter(|(end, _)| Some(*end) == longest);
        summary.spent = !summary.can_sign && longest.is_some() && for_longest.all(|(_, revoked)| revoked.is_some());
        // `None` is "never" and so the latest of all.
        if !ends.contains(&None) {
            summary.expiry = ends.into_iter().flatten().max().or(past);
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
        if let Some((_, how)) = revocation(ring, cert, key, at) {
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
        Ok(Sound { fingerprint: fingerprint_of(cert), key: key.key().fingerprint().to_hex(), weaknesses, notes })
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
) -> Option<(Gravity, String)> {
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
            let gravity = if hard { Gravity::Hard } else { Gravity::Soft };
            // A soft one is an announcement and begins when it says.
            if !hard && made.is_some_and(|made| made > at) {
                return None;
            }
            let when = made.map_or_else(String::new, |made| format!(" on {made}"));
            let why = if text.is_empty() { String::new() } else { format!(" ({})", printable(text)) };
            Some((gravity, format!("{what} {which} was revoked{when}: {reason}{why}")))
        })
        // The hard one is what must be told.
        .max_by_key(|(gravity, _)| *gravity)
}

/// Revocations by a certificate that this one has named for that, as far as it is in the ring.
fn by_designated_revokers<'a>(ring: &Keyring, cert: &'a Cert) -> Vec<&'a Signature> {
    let primary = cert.primary_key();
    let others = primary.other_revocations();
    others.filter(|revocation| keyfile::is_revoked_by_designation(cert, revocation, ring.certs.iter())).collect()
}

fn refuse<T>(code: Code, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(code, detail))
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
    use super::keyfile::packets_of;
    use super::*;
    use jiff::SignedDuration;
    use sequoia_openpgp::cert::{CertBuilder, CertRevocationBuilder, SubkeyRevocationBuilder};
    use sequoia_openpgp::crypto::Signer as _;
    use sequoia_openpgp::crypto::mpi::MPI;
    use sequoia_openpgp::packet::UserID;
    use sequoia_openpgp::packet::key::{Key4, Key6, PrimaryRole, SecretParts};
    use sequoia_openpgp::packet::signature::subpacket::{Subpacket, SubpacketArea, SubpacketTag, SubpacketValue};
    use sequoia_openpgp::packet::signature::{Signature4, Signature6, SignatureBuilder};
    use sequoia_openpgp::serialize::SerializeInto as _;
    use sequoia_openpgp::types::{Curve, KeyFlags, PublicKeyAlgorithm, RevocationKey};

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
        claim_over(by, bytes, BORN, |builder| builder.set_issuer(id).unwrap())
    }

    /// A signature that was made then, or says so.
    fn claim_at(
        by: &Cert,
        made: Timestamp,
        change: impl FnOnce(SignatureBuilder) -> SignatureBuilder,
    ) -> (Claim, Context) {
        claim_over(by, b"text", made, |builder| change(builder.set_issuer(by.keyid()).unwrap()))
    }

    fn claim_over(
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

    fn since_born(end: Timestamp) -> Duration {
        Duration::try_from(end.duration_since(BORN)).unwrap()
    }

    /// A key for certificates that are put together here.
    fn own_key() -> Key<SecretParts, PrimaryRole> {
        let mut key: Key4<SecretParts, PrimaryRole> = Key4::generate_ecc(true, Curve::Ed25519).unwrap();
        key.set_creation_time(SystemTime::from(BORN)).unwrap();
        key.into()
    }

    /// A self-signature over a key that may sign, unless that is changed.
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
    fn self_signed(
        key: &Key<SecretParts, PrimaryRole>,
        change: impl FnOnce(SignatureBuilder) -> SignatureBuilder,
    ) -> Cert {
        let signature = self_signature(key, BORN, change);
        Cert::from_packets([Packet::from(key.clone()), signature.into()].into_iter()).unwrap()
    }

    /// A signature of version 4 in which nothing has to be right.
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

    #[test]
    fn a_ring_knows_its_files_and_whose_certificates_are_in_it() {
        let (one, other) = (cert(), cert());
        let files = [&one, &other].map(|cert| (fingerprint_of(cert), cert.to_vec().unwrap()));
        let ring = Keyring::read(&files).unwrap();
        assert_eq!(ring.files(), files);
        let mut fingerprints = [&one, &other].map(|cert| cert.fingerprint().to_hex());
        fingerprints.sort();
        assert_eq!(format!("{ring:?}"), format!("{fingerprints:?}"));
        assert!(!ring.is_empty());
        assert!(Keyring::default().is_empty());
    }

    #[test]
    fn armor_that_begins_or_ends_in_the_wrong_place_is_no_key_file() {
        let armored = String::from_utf8(cert().armored().to_vec().unwrap()).unwrap();
        let begin = armored.split_inclusive('\n').next().unwrap();
        let end = armored.trim_end().rsplit('\n').next().unwrap();
        for (file, what) in [
            (format!("{begin}{armored}"), "an armored block begins in line 2 inside another"),
            (format!("\n{end}\n{armored}"), "an armored block ends in line 2 that has not begun"),
            (armored.replace(end, ""), "its armor has no end"),
        ] {
            let complaints = Keyring::read(&[("file".to_owned(), file.into_bytes())]).unwrap_err();
            assert!(complaints.len() == 1 && complaints[0].what.starts_with(what), "{complaints:?}");
            assert_eq!(complaints[0].label, "file");
        }
    }

    #[test]
    fn s44_a_key_file_has_at_most_4_mib() {
        // What stands before and after armor is passed over.
        let mut file = cert().armored().to_vec().unwrap();
        file.resize(4 * 1024 * 1024, b'\n');
        let read = |file: &[u8]| Keyring::read(&[("padded".to_owned(), file.to_vec())]);
        assert_eq!(read(&file).map(|ring| ring.certs.len()), Ok(1));
        file.push(b'\n');
        let complaints = read(&file).unwrap_err();
        assert_eq!(complaints[0].to_string(), "padded: larger than 4194304 bytes");
    }

    #[test]
    fn s44_a_key_file_has_at_most_1024_keys_and_20000_packets() {
        let key = Packet::from(own_key().parts_into_public()).to_vec().unwrap();
        let user_id = Packet::from(UserID::from("x")).to_vec().unwrap();
        let mut packets = Vec::new();
        // Several blocks of one file count together.
        assert_eq!(packets_of(&key.repeat(1000), &mut packets), Ok(()));
        assert_eq!(packets_of(&key.repeat(24), &mut packets), Ok(()));
        let too_many = Err("more than 1024 keys or 20000 packets: put them into several files".to_owned());
        assert_eq!(packets_of(&key, &mut packets.clone()), too_many);
        assert_eq!(packets_of(&user_id.repeat(18_976), &mut packets), Ok(()));
        assert_eq!(packets.len(), 20_000);
        assert_eq!(packets_of(&user_id, &mut packets), too_many);
    }

    #[test]
    fn s44_a_secret_key_is_named_as_such_whatever_its_version() {
        let complaint = |file: Vec<u8>| Keyring::read(&[("file".to_owned(), file)]).unwrap_err().remove(0).to_string();
        let secret = "file: holds a secret key: export the public key only (`gpg --armor --export KEY`), and keep the secret \
                      one elsewhere";
        assert_eq!(complaint(cert().as_tsk().to_vec().unwrap()), secret);
        // Packets of types 5 and 7, secret key and secret subkey, and 6, public key; of versions that nobody has.
        assert_eq!(complaint(vec![0xc5, 6, 99, 0, 0, 0, 0, 1]), secret);
        assert_eq!(complaint([cert().to_vec().unwrap(), vec![0xc7, 6, 99, 0, 0, 0, 0, 1]].concat()), secret);
        let unknown = complaint(vec![0xc6, 6, 99, 0, 0, 0, 0, 1]);
        let told = "file: packet 1 of it is a key of a version that is not supported: ";
        assert!(unknown.starts_with(told), "{unknown}");
    }

    #[test]
    fn what_another_program_keeps_beside_a_certificate_does_not_keep_it_out() {
        let cert = cert();
        // A trust packet as in gpg's ring files, and a private packet.
        for beside in [&[0xcc, 2, 0, 0][..], &[0xfc, 1, 7]] {
            let file = [&cert.to_vec().unwrap(), beside].concat();
            let ring = Keyring::read(&[("ring".to_owned(), file)]);
            let certs = ring.map(|ring| ring.certs.iter().map(fingerprint_of).collect());
            assert_eq!(certs, Ok(vec![fingerprint_of(&cert)]), "{beside:?}");
        }
        // A signature of a version to come may be a revocation.
        let file = [&cert.to_vec().unwrap(), &[0xc2, 3, 99, 0, 0][..]].concat();
        let complaints = Keyring::read(&[("ring".to_owned(), file)]).unwrap_err();
        let what = &complaints[0].what;
        assert!(what.starts_with("packet 3 of it, a signature, cannot be read: "), "{what}");
    }

    #[test]
    fn a_ring_says_until_when_its_keys_can_sign() {
        let end = NOW.checked_add(SignedDuration::from_secs(60)).unwrap();
        let minute_more = end.checked_add(SignedDuration::from_secs(60)).unwrap();
        let signs = KeyFlags::empty().set_signing();
        let certifies = || CertBuilder::new().set_creation_time(SystemTime::from(BORN));
        let with_subkeys = |one: Duration, other: Duration| {
            certifies().add_subkey(signs.clone(), one, None).add_subkey(signs.clone(), other, None)
        };
        let limited = || with_subkeys(since_born(end), since_born(minute_more));
        let summary = |builder: CertBuilder, at| read(&[&builder.generate().unwrap().0]).certs(at).remove(0);
        let told = |builder, at| {
            let CertSummary { expiry, can_sign, revoked, remarks, .. } = summary(builder, at);
            assert!(!revoked);
            (expiry, can_sign, remarks.len())
        };
        assert_eq!(told(certifies(), NOW), (None, false, 0), "a key that signs no data is none that expires");
        let key = || certifies().set_primary_key_flags(KeyFlags::empty().set_certification().set_signing());
        assert_eq!(told(key(), NOW), (None, true, 0));
        assert_eq!(told(limited(), NOW), (Some(minute_more), true, 0));
        // One of the two has expired, to the second.
        assert_eq!(told(limited(), end), (Some(minute_more), true, 1));
        let expired = summary(key().set_validity_period(since_born(NOW)), NOW);
        assert_eq!((expired.expiry, expired.can_sign), (Some(NOW), false));
        assert!(expired.remarks[0].ends_with(&format!(" expired on {NOW}")), "{:?}", expired.remarks);
    }

    #[test]
    fn a_ring_says_which_subkeys_are_revoked_and_whether_that_is_why_nothing_is_signed() {
        use ReasonForRevocation as Reason;
        let told = |subkeys: &[(Option<Duration>, Option<Reason>)], whole: Option<Duration>, at| {
            let mut builder = CertBuilder::new().set_creation_time(SystemTime::from(BORN)).set_validity_period(whole);
            for (span, _) in subkeys {
                builder = builder.add_subkey(KeyFlags::empty().set_signing(), *span, None);
            }
            builder = builder.add_subkey(KeyFlags::empty().set_transport_encryption(), None, None);
            let mut cert = builder.generate().unwrap().0;
            let primary = cert.primary_key().key().clone().parts_into_secret().unwrap();
            for (span, reason) in subkeys {
                let Some(reason) = reason else { continue };
                let policy = StandardPolicy::new();
                // They stand in no order of ours.
                let mut of_cert = cert.keys().with_policy(&policy, SystemTime::from(BORN)).subkeys();
                let is_it = |validity: Option<Duration>| validity == span.or(whole);
                let key = of_cert.find(|key| is_it(key.key_validity_period())).unwrap().key().clone();
                let revocation = SubkeyRevocationBuilder::new()
                    .set_signature_creation_time(SystemTime::from(BORN))
                    .unwrap()
                    .set_reason_for_revocation(*reason, b"why")
                    .unwrap()
                    .build(&mut primary.clone().into_keypair().unwrap(), &cert, &key, None)
                    .unwrap();
                cert = cert.insert_packets(revocation).unwrap().0;
            }
            let CertSummary { revoked, spent, can_sign, keys, .. } = read(&[&cert]).certs(at).remove(0);
            assert!(!revoked);
            let [primary, subkeys @ ..] = &keys[..] else { panic!("no primary key") };
            assert_eq!((&primary.fingerprint, primary.may_sign), (&fingerprint_of(&cert), false));
            let of_cert: Vec<String> = cert.keys().subkeys().map(|key| key.key().fingerprint().to_hex()).collect();
            assert!(subkeys.iter().all(|key| key.may_sign && of_cert.contains(&key.fingerprint)), "{subkeys:?}");
            let mut revoked: Vec<_> = subkeys.iter().map(|key| key.revoked).collect();
            revoked.sort();
            (can_sign, spent, revoked)
        };
        let (soft, hard) = (Some(Gravity::Soft), Some(Gravity::Hard));
        let (retired, stolen) = (Some(Reason::KeyRetired), Some(Reason::KeyCompromised));
        let gone = Some(since_born(NOW));
        assert_eq!(told(&[(None, None)], None, NOW), (true, false, vec![None]));
        assert_eq!(told(&[(None, retired), (None, None)], None, NOW), (true, false, vec![None, soft]));
        assert_eq!(told(&[(None, retired)], None, NOW), (false, true, vec![soft]));
        assert_eq!(told(&[(None, stolen)], None, NOW), (false, true, vec![hard]));
        assert_eq!(told(&[(None, Some(Reason::Unspecified))], None, NOW), (false, true, vec![hard]));
        // The one before it has expired, as it should.
        assert_eq!(told(&[(gone, None), (None, stolen)], None, NOW), (false, true, vec![None, hard]));
        // Not the old revocation, but its end keeps this one from signing.
        assert_eq!(told(&[(None, retired), (None, None)], gone, NOW), (false, false, vec![None, soft]));
        assert_eq!(told(&[], None, NOW), (false, false, vec![]));
    }

    #[test]
    fn s41_a_fingerprint_is_not_taken_for_another_with_the_same_id() {
        let (right, wrong) = (cert(), cert());
        let (mut claim, context) = claim(&right, right.keyid(), b"text");
        claim.issuer.fingerprint = Some(right.fingerprint());
        let mut ring = read(&[&right, &wrong]);
        assert_eq!(claim.examine(&context, &ring, NOW).map(|s| s.fingerprint), Ok(fingerprint_of(&right)));
        let other = ring.by_id.get(&wrong.keyid()).unwrap().clone();
        ring.by_id.insert(right.keyid(), other);
        let refusal = claim.examine(&context, &ring, NOW).unwrap_err();
        assert_eq!(refusal.code, Code::UnknownKey);
        assert_eq!(refusal.detail, format!("made by {}, which is not in the ring", right.fingerprint()));
        claim.issuer.fingerprint = None;
        let refusal = claim.examine(&context, &Keyring::default(), NOW).unwrap_err();
        assert_eq!(refusal.detail, format!("made by {}, which is not in the ring", right.keyid()));
    }

    #[test]
    fn s41_of_several_keys_the_one_that_made_it_says_why_it_does_not_count() {
        let (right, wrong) = (own_key(), cert());
        let (claim, context) = claim_at(&self_signed(&right, |b| b), BORN, |b| b);
        let certifies = self_signed(&right, |b| b.set_key_flags(KeyFlags::empty().set_certification()).unwrap());
        for first in [true, false] {
            let mut ring = read(&[&certifies, &wrong]);
            let other = ring.by_id.get(&wrong.keyid()).unwrap().clone();
            let same_id = ring.by_id.get_mut(&certifies.keyid()).unwrap();
            same_id.extend(other);
            if first {
                same_id.reverse();
            }
            assert_eq!(claim.examine(&context, &ring, NOW).map_err(|r| r.code), Err(Code::NotSigningKey));
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
        // Of two that are equal in that, the first.
        assert_eq!(weaknesses([&by_sha1, &expired]), [Code::UnboundKey]);
        assert_eq!(weaknesses([&expired, &by_sha1]), [Code::KeyExpiredAtArrival]);
    }

    /// The certificate with a revocation that says so much.
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
        // S23: a day after it was made it has expired.
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
        // The arithmetic is right all the same.
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
            assert_eq!(framed(&longer), refuse(Code::SignatureFormat, "something follows the signature packet"));
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

    #[test]
    fn what_strangers_wrote_is_told_in_one_line_of_300_characters() {
        assert_eq!(printable(b"a\nb\x1b[1m"), "a\u{fffd}b\u{fffd}[1m");
        assert_eq!(printable("é".repeat(1000).as_bytes()), "é".repeat(300));
        assert_eq!(one_line(&anyhow::anyhow!("in\tside").context("outside")), "outside: in\u{fffd}side");
    }

    #[test]
    fn a_subkey_is_named_with_its_certificate() {
        let (cert, _) = CertBuilder::new().add_signing_subkey().generate().unwrap();
        let names: Vec<String> = cert.keys().map(|key| name_of(&cert, &key)).collect();
        let subkey = cert.keys().subkeys().next().unwrap().key().fingerprint();
        let primary = cert.fingerprint();
        assert_eq!(names, [format!("key {primary}"), format!("subkey {subkey} of {primary}")]);
    }
}
