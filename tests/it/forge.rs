//! Packages and signatures made by hand, good ones and every kind of bad one.
//!
//! Nothing here is shared with the code under test: headers are laid out, digests computed and
//! signature packets put together octet by octet, so that each can be wrong in exactly one way.

use jiff::Timestamp;
use md5::Digest as _;
use rolloutd::domain::checksum::ChecksumKind;
use rolloutd::domain::refusal::{Code, Refusal};
use rolloutd::domain::trust::{Accepted, Policy};
use rolloutd::format::openpgp::Keyring;
use rolloutd::format::reading::{Contents, Reading};
use sequoia_openpgp::cert::{Cert, CertBuilder, CipherSuite};
use sequoia_openpgp::crypto::{KeyPair, Signer as _};
use sequoia_openpgp::packet::key::{PrimaryRole, SecretParts, UnspecifiedRole};
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::packet::{Key, Packet};
use sequoia_openpgp::serialize::{MarshalInto as _, SerializeInto};
use sequoia_openpgp::types::{HashAlgorithm, SignatureType};
use std::time::SystemTime;

/// When the keys of these tests are made.
pub(crate) const BORN: &str = "2024-01-01T00:00:00Z";
/// When they sign.
pub(crate) const MADE: &str = "2026-06-01T00:00:00Z";
/// When the package arrives.
pub(crate) const ARRIVES: &str = "2026-11-20T12:00:00Z";

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn system(text: &str) -> SystemTime {
    time(text).into()
}

pub(crate) fn seconds(text: &str) -> [u8; 4] {
    u32::try_from(time(text).as_second()).unwrap().to_be_bytes()
}

/// The data of one header entry.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(Vec<u8>),
    Texts(Vec<Vec<u8>>),
    I18n(Vec<Vec<u8>>),
    Word(u32),
    Words(Vec<u32>),
    Halves(Vec<u16>),
    Long(u64),
    Bin(Vec<u8>),
    /// Any type and any count, whether or not they fit the bytes.
    As(u32, u32, Vec<u8>),
}

pub(crate) fn text(value: impl AsRef<[u8]>) -> Value {
    Value::Text(value.as_ref().to_vec())
}

pub(crate) fn texts(values: &[&str]) -> Value {
    Value::Texts(values.iter().map(|v| v.as_bytes().to_vec()).collect())
}

/// Lays out a header with its region, as rpm writes it.
pub(crate) fn header(region: u32, entries: &[(u32, Value)]) -> Vec<u8> {
    let mut entries = entries.to_vec();
    entries.sort_by_key(|(tag, _)| *tag);
    laid_out(Some(region), &entries)
}

/// Lays out entries in the order in which they come, with or without a region.
pub(crate) fn laid_out(region: Option<u32>, entries: &[(u32, Value)]) -> Vec<u8> {
    let mut index = Vec::new();
    let mut data = Vec::new();
    for (tag, value) in entries {
        let (kind, align, count, bytes) = match value {
            Value::Text(v) => (6, 1, 1, joined(std::slice::from_ref(v))),
            Value::Texts(v) => (8, 1, v.len(), joined(v)),
            Value::I18n(v) => (9, 1, v.len(), joined(v)),
            Value::Word(v) => (4, 4, 1, v.to_be_bytes().to_vec()),
            Value::Words(v) => (4, 4, v.len(), v.iter().flat_map(|n| n.to_be_bytes()).collect()),
            Value::Halves(v) => (3, 2, v.len(), v.iter().flat_map(|n| n.to_be_bytes()).collect()),
            Value::Long(v) => (5, 8, 1, v.to_be_bytes().to_vec()),
            Value::Bin(v) => (7, 1, v.len(), v.clone()),
            Value::As(kind, count, v) => {
                let align = [1, 1, 1, 2, 4, 8].get(*kind as usize).copied().unwrap_or(1);
                (*kind, align, *count as usize, v.clone())
            }
        };
        while data.len() % align != 0 {
            data.push(0);
        }
        index.push([*tag, kind, u32::try_from(data.len()).unwrap(), u32::try_from(count).unwrap()]);
        data.extend(bytes);
    }
    let all = u32::try_from(entries.len() + usize::from(region.is_some())).unwrap();
    if let Some(region) = region {
        index.insert(0, [region, 7, u32::try_from(data.len()).unwrap(), 16]);
        for word in [region, 7, (all * 16).wrapping_neg(), 16] {
            data.extend(word.to_be_bytes());
        }
    }
    let mut out = vec![0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
    out.extend(all.to_be_bytes());
    out.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
    for entry in index {
        for word in entry {
            out.extend(word.to_be_bytes());
        }
    }
    out.extend(data);
    out
}

fn joined(texts: &[Vec<u8>]) -> Vec<u8> {
    texts.iter().flat_map(|t| t.iter().copied().chain([0])).collect()
}

pub(crate) fn sha1(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec()
}

pub(crate) fn sha256(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().to_vec()
}

pub(crate) fn sha512(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, bytes).as_ref().to_vec()
}

pub(crate) fn sha3(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA3_256, bytes).as_ref().to_vec()
}

/// A package before it is a file.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// Entries of the main header.
    pub(crate) main: Vec<(u32, Value)>,
    /// What it is to install.
    pub(crate) payload: Vec<u8>,
    /// Entries of the signature header beside sizes and digests, which [`Draft::file`] adds.
    pub(crate) signatures: Vec<(u32, Value)>,
    /// What lies between the headers where something must.
    pub(crate) padding: u8,
    /// Signature tags that are left out or replaced.
    pub(crate) instead: Vec<(u32, Option<Value>)>,
    /// In the manner of format 6.
    pub(crate) format6: bool,
    /// A main header that was laid out otherwise than [`header`] does it.
    pub(crate) laid: Option<Vec<u8>>,
    /// The same for the signature header.
    pub(crate) laid_signatures: Option<Vec<u8>>,
}

impl Draft {
    /// A package as rpm 4.14 to 4.20 makes it.
    pub(crate) fn new() -> Self {
        let payload = b"what would be a compressed archive".repeat(40);
        let mut main = Self::plain();
        main.push((5092, texts(&[&hex::encode(sha256(&payload))])));
        main.push((5093, Value::Word(8)));
        Self {
            main,
            payload,
            signatures: Vec::new(),
            padding: 0,
            instead: Vec::new(),
            format6: false,
            laid: None,
            laid_signatures: None,
        }
    }

    /// A package as rpm made it before 4.14: the header has no digest of the payload.
    pub(crate) fn old() -> Self {
        Self { main: Self::plain(), ..Self::new() }
    }

    /// A package as rpm 6 makes it.
    pub(crate) fn six() -> Self {
        let mut draft = Self { format6: true, ..Self::new() };
        draft.main.retain(|(tag, _)| *tag != 5093);
        draft.main.push((5112, Value::Long(draft.payload.len() as u64)));
        draft.main.push((5114, Value::Word(6)));
        draft.main.push((5121, text(hex::encode(sha512(&draft.payload)))));
        draft.main.push((5123, text(hex::encode(sha3(&draft.payload)))));
        draft
    }

    fn plain() -> Vec<(u32, Value)> {
        vec![
            (100, texts(&["C"])),
            (1000, text("tool")),
            (1001, text("1.0")),
            (1002, text("1")),
            (1004, Value::I18n(vec![b"a tool".to_vec()])),
            (1021, text("linux")),
            (1022, text("noarch")),
            (1044, text("tool-1.0-1.src.rpm")),
        ]
    }

    /// The main header as it will lie in the file.
    pub(crate) fn header(&self) -> Vec<u8> {
        self.laid.clone().unwrap_or_else(|| header(63, &self.main))
    }

    /// Main header and payload.
    pub(crate) fn both(&self) -> Vec<u8> {
        [self.header(), self.payload.clone()].concat()
    }

    /// Puts an entry into the main header in the place of another.
    pub(crate) fn set(mut self, tag: u32, value: Option<Value>) -> Self {
        self.main.retain(|(t, _)| *t != tag);
        self.main.extend(value.map(|v| (tag, v)));
        self
    }

    /// Leaves out or replaces what [`Draft::file`] would put into the signature header.
    pub(crate) fn but(mut self, tag: u32, value: Option<Value>) -> Self {
        self.instead.push((tag, value));
        self
    }

    /// Adds a binary signature.
    pub(crate) fn with(mut self, tag: u32, packet: Vec<u8>) -> Self {
        self.signatures.push((tag, Value::Bin(packet)));
        self
    }

    /// Adds signatures in tag 278.
    pub(crate) fn with_array(mut self, packets: &[Vec<u8>]) -> Self {
        use base64::Engine as _;
        let all = packets.iter().map(|p| base64::engine::general_purpose::STANDARD.encode(p).into_bytes()).collect();
        self.signatures.push((278, Value::Texts(all)));
        self
    }

    /// Signs the header in tag 268 by this hand, in the plain way.
    pub(crate) fn signed(self, by: &Hand) -> Self {
        let packet = by.sign(&self.header());
        self.with(268, packet)
    }

    /// Changes the main header as it was laid out; what is signed afterwards is signed over that.
    pub(crate) fn relaid(mut self, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut bytes = self.header();
        change(&mut bytes);
        self.laid = Some(bytes);
        self
    }

    /// The entries of the signature header.
    pub(crate) fn signature_entries(&self) -> Vec<(u32, Value)> {
        let header_bytes = self.header();
        let both = self.both();
        let mut entries = vec![(273, text(hex::encode(sha256(&header_bytes))))];
        if self.format6 {
            entries.push((279, text(hex::encode(sha3(&header_bytes)))));
            entries.push((999, Value::Bin(vec![0; 32])));
        } else {
            entries.push((269, text(hex::encode(sha1(&header_bytes)))));
            entries.push((1000, Value::Word(u32::try_from(both.len()).unwrap())));
            entries.push((1004, Value::Bin(md5::Md5::digest(&both).to_vec())));
        }
        entries.extend(self.signatures.iter().cloned());
        for (tag, value) in &self.instead {
            entries.retain(|(t, _)| t != tag);
            entries.extend(value.clone().map(|v| (*tag, v)));
        }
        entries
    }

    /// The file.
    pub(crate) fn file(&self) -> Vec<u8> {
        let signatures = self.laid_signatures.clone().unwrap_or_else(|| header(62, &self.signature_entries()));
        let mut file = vec![0xed, 0xab, 0xee, 0xdb, 3, 0, 0, 0];
        file.resize(78, 0);
        file.extend([0, 5]);
        file.resize(96, 0);
        file.extend(signatures);
        while file.len() % 8 != 0 {
            file.push(self.padding);
        }
        file.extend(self.both());
        file
    }
}

/// Somebody who signs.
#[derive(Clone)]
pub(crate) struct Hand {
    pub(crate) cert: Cert,
    pub(crate) key: Key<SecretParts, UnspecifiedRole>,
}

impl Hand {
    /// A new Ed25519 key that signs with its primary key.
    pub(crate) fn new(name: &str) -> Self {
        Self::of_kind(name, CipherSuite::Cv25519)
    }

    /// A new key of some kind that signs with its primary key.
    pub(crate) fn of_kind(name: &str, suite: CipherSuite) -> Self {
        Self::from_builder(builder(name).set_cipher_suite(suite))
    }

    /// The primary key of a new certificate.
    pub(crate) fn from_builder(builder: CertBuilder<'_>) -> Self {
        let (cert, _) = builder.generate().unwrap();
        Self::of(cert)
    }

    /// The primary key of a certificate with secrets.
    pub(crate) fn of(cert: Cert) -> Self {
        let key = cert.primary_key().key().clone().parts_into_secret().unwrap().role_into_unspecified();
        Self { cert, key }
    }

    /// The first subkey of the certificate instead of its primary key.
    pub(crate) fn subkey(&self) -> Self {
        let key = self.cert.keys().subkeys().next().unwrap().key().clone();
        Self { cert: self.cert.clone(), key: key.parts_into_secret().unwrap().role_into_unspecified() }
    }

    pub(crate) fn pair(&self) -> KeyPair {
        self.key.clone().into_keypair().unwrap()
    }

    /// Primary key and signer of certificates, for making bindings by hand.
    pub(crate) fn primary(&self) -> (Key<sequoia_openpgp::packet::key::PublicParts, PrimaryRole>, KeyPair) {
        let public = self.cert.primary_key().key().clone();
        let pair = public.clone().parts_into_secret().unwrap().into_keypair().unwrap();
        (public, pair)
    }

    /// Upper-case hexadecimal of the certificate's fingerprint.
    pub(crate) fn fingerprint(&self) -> String {
        self.cert.fingerprint().to_hex()
    }

    /// The certificate as people hand it out.
    pub(crate) fn public(&self) -> Vec<u8> {
        SerializeInto::to_vec(&self.cert).unwrap()
    }

    /// A signature as rpmsign makes it.
    pub(crate) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.sign_at(MADE, bytes)
    }

    pub(crate) fn sign_at(&self, when: &str, bytes: &[u8]) -> Vec<u8> {
        self.build(SignatureBuilder::new(SignatureType::Binary), when, bytes)
    }

    /// A signature by sequoia from a builder that has been prepared somehow.
    pub(crate) fn build(&self, builder: SignatureBuilder, when: &str, bytes: &[u8]) -> Vec<u8> {
        let signature =
            builder.set_signature_creation_time(system(when)).unwrap().sign_message(&mut self.pair(), bytes).unwrap();
        SerializeInto::to_vec(&Packet::from(signature)).unwrap()
    }

    /// A signature put together here; see [`Raw`].
    pub(crate) fn raw(&self, raw: &Raw, bytes: &[u8]) -> Vec<u8> {
        raw.packet(&mut self.pair(), bytes)
    }

    pub(crate) fn id(&self) -> [u8; 8] {
        self.key.keyid().as_bytes().try_into().unwrap()
    }

    /// The body of an issuer fingerprint subpacket.
    pub(crate) fn issuer_fingerprint(&self) -> Vec<u8> {
        [&[self.key.version()], self.key.fingerprint().as_bytes()].concat()
    }
}

/// What all keys of these tests begin with.
pub(crate) fn builder(name: &str) -> CertBuilder<'static> {
    CertBuilder::new()
        .add_userid(format!("{name} <{name}@example.org>"))
        .set_creation_time(system(BORN))
        .set_validity_period(None)
        .set_primary_key_flags(sequoia_openpgp::types::KeyFlags::empty().set_certification().set_signing())
}

/// A signature packet octet by octet.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub(crate) version: u8,
    pub(crate) kind: u8,
    /// The number that is written; the arithmetic is that of the key.
    pub(crate) algorithm: Option<u8>,
    pub(crate) hash: u8,
    pub(crate) hashed: Vec<u8>,
    pub(crate) unhashed: Vec<u8>,
}

impl Raw {
    /// A plain version 4 signature by this hand.
    pub(crate) fn four(by: &Hand) -> Self {
        Self {
            version: 4,
            kind: 0,
            algorithm: None,
            hash: 8,
            hashed: [sub(2, &seconds(MADE)), sub(33, &by.issuer_fingerprint())].concat(),
            unhashed: sub(16, &by.id()),
        }
    }

    /// A plain version 3 signature by this hand, as gpg made them for EL5 and EL6.
    pub(crate) fn three(by: &Hand, hash: u8) -> Self {
        Self { version: 3, kind: 0, algorithm: None, hash, hashed: Vec::new(), unhashed: by.id().to_vec() }
    }

    fn packet(&self, signer: &mut KeyPair, bytes: &[u8]) -> Vec<u8> {
        let algorithm = self.algorithm.unwrap_or(signer.public().pk_algo().into());
        let hash = HashAlgorithm::from(self.hash);
        let mut body = Vec::new();
        let mut context = hash.context().unwrap_or(HashAlgorithm::SHA256.context().unwrap()).for_digest();
        context.update(bytes);
        if self.version == 3 {
            let tail = [&[self.kind][..], &seconds(MADE)].concat();
            context.update(&tail);
            body.extend([3, 5]);
            body.extend(tail);
            body.extend(&self.unhashed);
            body.extend([algorithm, self.hash]);
        } else {
            let mut head = vec![self.version, self.kind, algorithm, self.hash];
            head.extend(u16::try_from(self.hashed.len()).unwrap().to_be_bytes());
            head.extend(&self.hashed);
            context.update(&head);
            context.update(&[self.version, 0xff]);
            context.update(&u32::try_from(head.len()).unwrap().to_be_bytes());
            body.extend(head);
            body.extend(u16::try_from(self.unhashed.len()).unwrap().to_be_bytes());
            body.extend(&self.unhashed);
        }
        let digest = context.into_digest().unwrap();
        body.extend(&digest[..2]);
        // A hash that does not exist: anything will do.
        let known = if hash.is_supported() { hash } else { HashAlgorithm::SHA256 };
        body.extend(signer.sign(known, &digest).unwrap().to_vec().unwrap());
        framed(2, &body)
    }
}

/// A packet of the new style with a length of five octets.
pub(crate) fn framed(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0xc0 | tag, 0xff];
    packet.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
    packet.extend(body);
    packet
}

/// A signature subpacket; add 128 to the type to make it critical.
pub(crate) fn sub(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut subpacket = vec![0xff];
    subpacket.extend(u32::try_from(body.len() + 1).unwrap().to_be_bytes());
    subpacket.push(kind);
    subpacket.extend(body);
    subpacket
}

/// The ring of these hands.
pub(crate) fn ring(hands: &[&Hand]) -> Keyring {
    let files: Vec<_> = hands.iter().map(|h| (h.fingerprint(), h.public())).collect();
    Keyring::read(&files).unwrap()
}

/// The ring of these certificates.
pub(crate) fn ring_of(certs: &[&Cert]) -> Keyring {
    let files: Vec<_> = certs.iter().map(|c| (c.fingerprint().to_hex(), SerializeInto::to_vec(*c).unwrap())).collect();
    Keyring::read(&files).unwrap()
}

pub(crate) fn read(file: &[u8]) -> Result<Contents, Refusal> {
    let mut reading = Reading::new(ChecksumKind::Sha256);
    reading.push(file)?;
    reading.finish()
}

/// The gate's verdict with the default policy.
pub(crate) fn judge(file: &[u8], ring: &Keyring) -> Result<Accepted, Refusal> {
    judge_by(file, ring, &Policy::default())
}

pub(crate) fn judge_by(file: &[u8], ring: &Keyring, policy: &Policy) -> Result<Accepted, Refusal> {
    read(file)?.judge(ring, policy, time(ARRIVES))
}

/// Asserts that the file is let in, by these and no others.
#[track_caller]
pub(crate) fn accepted(file: &[u8], ring: &Keyring, by: &[&Hand]) {
    let mut wanted: Vec<String> = by.iter().map(|h| h.fingerprint()).collect();
    wanted.sort();
    assert_eq!(judge(file, ring).map(|a| a.fingerprints), Ok(wanted));
}

/// Asserts that the file stays out for this reason.
#[track_caller]
pub(crate) fn refused(file: &[u8], ring: &Keyring, code: Code) -> Refusal {
    match judge(file, ring) {
        Ok(accepted) => panic!("accepted {accepted:?} where {code} was due"),
        Err(refusal) => {
            assert_eq!(refusal.code, code, "{refusal}");
            refusal
        }
    }
}
