//! Reads a whole package file in pieces: keeps its headers, hashes everything.
//!
//! Owns: one pass over the bytes of a file, in pieces of any size. The two headers are kept; the payload only goes
//! through the hashes that the headers call for and is never decompressed (threat 37). The result is facts: checksums
//! of the file, the headers, every wrong digest, and every signature with the hash of the bytes it covers.
//!
//! - Memory is bounded by the limits of `format/header`, and grows with the bytes that have arrived, never with a
//!   length that the file claims.
//! - What is hashed is exactly what was read (F4).
//! - [`Reading::finish`] fails only for a file without readable headers. Wrong digests and sizes are in
//!   [`Contents::faults`] and make [`Contents::judge`] refuse; callers that only list packages from a trusted source
//!   may still read the headers.

use super::header::{self, Extent, Header, Layout, Part};
use super::openpgp::{Claim, Keyring};
use super::signature::{Algorithm, Carried, Claims, Expected, Span};
use crate::domain::checksum::{ChecksumKind, Sha256};
use crate::domain::refusal::{Code, Refusal};
use crate::domain::trust::{self, Accepted, Facts, PayloadDigest, Policy, Range, Signed};
use aws_lc_rs::digest;
use jiff::Timestamp;
use md5::Digest as _;
use sequoia_openpgp::crypto::hash::Context;
use std::fmt;
use std::io::{self, Read};

/// A package that is being read.
pub struct Reading {
    size: u64,
    sha256: Hasher,
    /// Used only if the distribution's checksum is not SHA-256.
    pkgid: Option<Hasher>,
    stage: Stage,
}

enum Stage {
    /// The beginning of the file, until both headers are complete.
    Headers {
        prefix: Vec<u8>,
        /// The prefix is not checked again before it has this many bytes.
        needed: u64,
        signatures: Signatures,
    },
    Payload(Box<Streams>),
    /// After a refusal no more input is accepted.
    Refused(Refusal),
}

/// Whether anybody asks who signed the package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signatures {
    /// Each is read and what it covers is hashed.
    Read,
    /// None is read, so [`Contents::judge`] refuses the package as unsigned.
    Skipped,
}

/// Everything that the headers call for.
struct Streams {
    layout: Layout,
    header: Header,
    signature_header: Header,
    notes: Vec<String>,
    faults: Vec<Refusal>,
    payload_vouched: bool,
    sizes: Vec<(u32, u64)>,
    payload_size: Option<u64>,
    digests: Vec<(Expected, Hasher)>,
    signatures: Vec<Hashed>,
}

/// A signature and the running hash of what it covers.
struct Hashed {
    place: String,
    range: Range,
    claim: Result<(Claim, Context), Refusal>,
}

/// Why a file could not be read.
#[derive(Debug)]
pub enum Unread {
    /// The gate refuses it.
    Refused(Refusal),
    /// It is missing or not readable.
    Failed(io::Error),
}

impl From<Refusal> for Unread {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl Reading {
    /// Reads a file to its end, through `buffer`.
    ///
    /// # Errors
    /// Like [`Reading::push`] and [`Reading::finish`], and if it cannot be read.
    pub fn whole(mut self, file: &mut impl Read, buffer: &mut [u8]) -> Result<Contents, Unread> {
        self.push_all(file, buffer)?;
        Ok(self.finish()?)
    }

    /// Reads a file to its end, which need not be the end of the package.
    ///
    /// # Errors
    /// Like [`Reading::push`], and if it cannot be read.
    pub fn push_all(&mut self, file: &mut impl Read, buffer: &mut [u8]) -> Result<(), Unread> {
        loop {
            match file.read(buffer) {
                Ok(0) => return Ok(()),
                Ok(n) => self.push(buffer.get(..n).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Starts on a file whose checksum in repodata will be of `kind`.
    pub fn new(kind: ChecksumKind) -> Self {
        Self::with(kind, Signatures::Read)
    }

    /// The same, for callers that may not need the signatures.
    pub fn with(kind: ChecksumKind, signatures: Signatures) -> Self {
        Self {
            size: 0,
            sha256: Hasher::new(Algorithm::Sha256),
            pkgid: match kind {
                ChecksumKind::Sha256 => None,
                ChecksumKind::Sha1 => Some(Hasher::new(Algorithm::Sha1)),
                ChecksumKind::Sha512 => Some(Hasher::new(Algorithm::Sha512)),
            },
            stage: Stage::Headers { prefix: Vec::new(), needed: 0, signatures },
        }
    }

    /// Adds the next piece of the file.
    ///
    /// # Errors
    /// As soon as it is certain that rpm would not read this package; then the same again for every further piece.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        if let Stage::Refused(refusal) = &self.stage {
            return Err(refusal.clone());
        }
        self.size = self.size.saturating_add(piece.len() as u64);
        self.sha256.update(piece);
        if let Some(pkgid) = &mut self.pkgid {
            pkgid.update(piece);
        }
        if let Err(refusal) = self.stage.push(piece) {
            self.stage = Stage::Refused(refusal.clone());
            return Err(refusal);
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// If it ended before its headers did, or has none.
    pub fn finish(self) -> Result<Contents, Refusal> {
        let streams = match self.stage {
            Stage::Payload(streams) => streams,
            Stage::Refused(refusal) => return Err(refusal),
            Stage::Headers { prefix, needed, .. } => {
                // What has arrived may already show that it is something else.
                header::extent(&prefix)?;
                let detail = format!("{} bytes, but its headers need {needed}", self.size);
                return Err(Refusal::new(Code::Truncated, detail));
            }
        };
        let sha256 = self.sha256.finish();
        let pkgid = self.pkgid.map_or_else(|| sha256.clone(), Hasher::finish);
        // Cannot fail: a SHA-256 has 32 bytes. If it did, the file would have to stay out.
        let sha256 = <[u8; 32]>::try_from(sha256).map_err(|_| Refusal::new(Code::Unstable, "no checksum"))?;
        Ok(streams.finish(self.size, Sha256(sha256), hex::encode(pkgid)))
    }
}

impl Stage {
    fn push(&mut self, mut piece: &[u8]) -> Result<(), Refusal> {
        loop {
            let (prefix, needed, signatures) = match self {
                Self::Payload(streams) => {
                    streams.payload(piece);
                    return Ok(());
                }
                Self::Refused(refusal) => return Err(refusal.clone()),
                Self::Headers { prefix, needed, signatures } => (prefix, needed, *signatures),
            };
            let missing = usize::try_from(needed.saturating_sub(prefix.len() as u64)).unwrap_or(usize::MAX);
            let (taken, rest) = piece.split_at(missing.min(piece.len()));
            prefix.extend_from_slice(taken);
            piece = rest;
            if (prefix.len() as u64) < *needed {
                return Ok(());
            }
            match header::extent(prefix)? {
                // Always more than there is, so that this loop ends.
                Extent::More(more) => *needed = more.max((prefix.len() as u64).saturating_add(1)),
                Extent::Known(layout) if (prefix.len() as u64) < layout.main.end => *needed = layout.main.end,
                Extent::Known(layout) => *self = Self::Payload(Box::new(Streams::start(prefix, layout, signatures)?)),
            }
        }
    }
}

impl Streams {
    fn start(prefix: &[u8], layout: Layout, signatures: Signatures) -> Result<Self, Refusal> {
        let part = |range: std::ops::Range<u64>| {
            let ends = (usize::try_from(range.start), usize::try_from(range.end));
            let (Ok(start), Ok(end)) = ends else { return None };
            prefix.get(start..end)
        };
        let short = || Refusal::new(Code::Truncated, "the headers are incomplete");
        let signature_header = Header::read(part(layout.signature.clone()).ok_or_else(short)?, Part::Signature)?;
        let header = Header::read(part(layout.main.clone()).ok_or_else(short)?, Part::Main)?;
        let padding = part(layout.padding()).ok_or_else(short)?;

        let claims = Claims::read(&signature_header, &header);
        let mut notes = claims.notes;
        let mut faults = claims.faults;
        match header::agree(&signature_header, padding, &header) {
            Ok(agreement) if agreement.nonzero_padding => {
                notes.push("the padding after the signature header is not zero".to_owned());
            }
            Ok(_) => {}
            Err(refusal) if refusal.code == Code::Padding => faults.push(refusal),
            Err(refusal) => return Err(refusal),
        }

        let mut digests: Vec<(Expected, Hasher)> = claims
            .digests
            .into_iter()
            .map(|expected| {
                let hasher = Hasher::new(expected.algorithm);
                (expected, hasher)
            })
            .collect();
        for (expected, hasher) in &mut digests {
            if expected.span != Span::Payload {
                hasher.update(header.raw());
            }
        }
        let carried = claims.signatures.into_iter().filter(|_| signatures == Signatures::Read);
        let signatures = carried.map(|carried| Hashed::start(carried, header.raw())).collect();
        Ok(Self {
            layout,
            header,
            signature_header,
            notes,
            faults,
            payload_vouched: claims.payload_vouched,
            sizes: claims.sizes,
            payload_size: claims.payload_size,
            digests,
            signatures,
        })
    }

    fn payload(&mut self, piece: &[u8]) {
        for (expected, hasher) in &mut self.digests {
            if expected.span != Span::Header {
                hasher.update(piece);
            }
        }
        for hashed in &mut self.signatures {
            if let (Range::HeaderAndPayload, Ok((_, context))) = (hashed.range, &mut hashed.claim) {
                context.update(piece);
            }
        }
    }

    fn finish(self, size: u64, sha256: Sha256, pkgid: String) -> Contents {
        let mut faults = self.faults;
        let mut payload_seen_right = false;
        let mut payload_seen_wrong = false;
        for (expected, hasher) in self.digests {
            let found = hasher.finish();
            let right = found == expected.value;
            if expected.span != Span::Header {
                payload_seen_right |= right;
                payload_seen_wrong |= !right;
            }
            if !right {
                let detail =
                    format!("{} is {}, not {}", expected.name(), hex::encode(found), hex::encode(&expected.value));
                faults.push(Refusal::new(expected.code(), detail));
            }
        }
        let of = |start: u64| size.saturating_sub(start);
        // Every payload ends with the trailer of its archive. Without one, a signature over a header could pass as one
        // over header and payload.
        if of(self.layout.main.end) == 0 {
            faults.push(Refusal::new(Code::Truncated, "the file ends after its header, without a payload"));
        }
        let both = self
            .sizes
            .into_iter()
            .map(|(tag, said)| (said, of(self.layout.main.start), format!("signature tag {tag}: header and payload")));
        let payload =
            self.payload_size.map(|said| (said, of(self.layout.main.end), "the header: the payload".to_owned()));
        for (said, is, what) in both.chain(payload).filter(|(said, is, _)| said != is) {
            let detail = format!("{what} should have {said} bytes, but has {is}");
            let whole = payload_seen_right && !payload_seen_wrong;
            match is < said {
                true if !whole => faults.push(Refusal::new(Code::Truncated, detail)),
                // Something was appended; the digest already shows it (H25).
                false if payload_seen_wrong => {}
                // The bytes are right and the size is wrong (H27); rpm only prints that.
                _ => faults.push(Refusal::new(Code::Size, detail)),
            }
        }
        Contents {
            layout: self.layout,
            header: self.header,
            signature_header: self.signature_header,
            size,
            sha256,
            pkgid,
            faults,
            notes: self.notes,
            payload_vouched: self.payload_vouched,
            signatures: self.signatures,
        }
    }
}

impl Hashed {
    fn start(carried: Carried, header: &[u8]) -> Self {
        let claim = carried.packet.and_then(|packet| Claim::read(&packet)).and_then(|claim| {
            let mut context = claim.context()?;
            context.update(header);
            Ok((claim, context))
        });
        Self { place: carried.place, range: carried.range, claim }
    }
}

/// The facts about a whole file.
pub struct Contents {
    /// Where the headers are.
    pub layout: Layout,
    /// The main header.
    pub header: Header,
    /// The signature header.
    pub signature_header: Header,
    /// Size of the file in bytes.
    pub size: u64,
    /// SHA-256 of the file.
    pub sha256: Sha256,
    /// Checksum of the file, of the distribution's kind, in lower-case hex.
    pub pkgid: String,
    /// Wrong sizes, padding and digests. If there are any, these are not the bytes that were packed, and
    /// [`Contents::judge`] refuses, whatever the keys.
    pub faults: Vec<Refusal>,
    /// What a person should know even if it is accepted.
    pub notes: Vec<String>,
    payload_vouched: bool,
    signatures: Vec<Hashed>,
}

impl Contents {
    /// All facts about its signatures, whatever the policy.
    pub fn facts(&self, ring: &Keyring, at: Timestamp) -> Facts {
        let examined = self.signatures.iter().map(|hashed| Signed {
            place: hashed.place.clone(),
            range: hashed.range,
            finding: match &hashed.claim {
                Ok((claim, context)) => claim.examine(context, ring, at),
                Err(refusal) => Err(refusal.clone()),
            },
        });
        Facts {
            faults: self.faults.clone(),
            payload: if self.payload_vouched { PayloadDigest::Present } else { PayloadDigest::Absent },
            signatures: examined.collect(),
        }
    }

    /// The gate's decision on a file that arrives `at`, by the keys of `ring`.
    ///
    /// # Errors
    /// The most specific reason to refuse it.
    pub fn judge(&self, ring: &Keyring, policy: &Policy, at: Timestamp) -> Result<Accepted, Refusal> {
        let mut accepted = trust::judge(&self.facts(ring, at), policy, at)?;
        accepted.notes.extend(self.notes.iter().cloned());
        Ok(accepted)
    }
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents")
            .field("size", &self.size)
            .field("sha256", &self.sha256)
            .field("layout", &self.layout)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

/// One running hash.
enum Hasher {
    /// By aws-lc, which uses the processor's instructions for it.
    Quick(digest::Context),
    /// MD5, which aws-lc does not offer.
    Md5(md5::Md5),
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Self {
        let quick = match algorithm {
            Algorithm::Md5 => return Self::Md5(md5::Md5::new()),
            Algorithm::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Algorithm::Sha256 => &digest::SHA256,
            Algorithm::Sha384 => &digest::SHA384,
            Algorithm::Sha512 => &digest::SHA512,
            Algorithm::Sha3_256 => &digest::SHA3_256,
            Algorithm::Sha3_512 => &digest::SHA3_512,
        };
        Self::Quick(digest::Context::new(quick))
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Quick(context) => context.update(bytes),
            Self::Md5(context) => context.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Quick(context) => context.finish().as_ref().to_vec(),
            Self::Md5(context) => context.finalize().to_vec(),
        }
    }
}
