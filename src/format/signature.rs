//! The signatures and digests that a package carries, picked out of its headers.
//!
//! Owns: which tags hold them, which bytes each is over, and the rules of form (rpm's
//! `lib/rpmvs.cc`, `docs/manual/format_v4.md`, `format_v6.md`). Nothing is verified here: a digest
//! comes out as an expectation, a signature as the bytes of a packet.
//!
//! What never happens here: a tag that is present is passed over because it has the wrong form. It
//! comes out as a fault, since rpm looks only at one of several tags and an attacker would choose
//! which (S13). The digests of the uncompressed payload are left alone: with them one signature
//! would stand for two files (S17).

use crate::domain::refusal::{Code, Refusal};
use crate::domain::trust::Range;
use crate::format::header::Header;
use crate::format::header::tag::{self, sig};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Tags from here on are legacy ones, which rpm ignores in the signature header of format 6 (H26).
const LEGACY_TAGS: u32 = 1000;

/// Signatures in tag 278. rpm sets no limit; nobody signs with so many keys, and each costs time (S39).
const SIGNATURES_MAX: usize = 32;

/// Bytes of headers that are hashed for the signatures in tag 278: each may have a salt of its own, and
/// so a hash of its own. With a header of ordinary size this leaves room for all [`SIGNATURES_MAX`].
const HASHED_MAX: usize = 256 * 1024 * 1024;

/// As many signatures are always looked at, however large the header is.
const SIGNATURES_ALWAYS: usize = 4;

/// Bytes of one signature packet. The largest in use, SLH-DSA, has 50 KB; RSA of 16384 bits has 2 KB.
const SIGNATURE_MAX: usize = 64 * 1024;

/// A hash that packages use for their digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// MD5, over header and payload.
    Md5,
    /// SHA-1, over the header.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// SHA3-256.
    Sha3_256,
    /// SHA3-512.
    Sha3_512,
}

impl Algorithm {
    /// Length of the digest in bytes.
    fn len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 | Self::Sha3_256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 | Self::Sha3_512 => 64,
        }
    }

    /// The usual spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
            Self::Sha3_256 => "SHA3-256",
            Self::Sha3_512 => "SHA3-512",
        }
    }
}

/// Which bytes a digest is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Span {
    /// The main header as it lies in the file.
    Header,
    /// Everything after the main header.
    Payload,
    /// Both, one after the other.
    HeaderAndPayload,
}

/// A digest that the package says it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The tag it came from.
    pub tag: u32,
    /// What it is over.
    pub span: Span,
    /// By which algorithm.
    pub algorithm: Algorithm,
    /// The digest.
    pub value: Vec<u8>,
}

impl Expected {
    /// The code for a digest that is wrong.
    pub fn code(&self) -> Code {
        match self.span {
            Span::Header => Code::HeaderDigest,
            Span::Payload | Span::HeaderAndPayload => Code::PayloadDigest,
        }
    }

    /// For messages.
    pub fn name(&self) -> String {
        let span = match self.span {
            Span::Header => "the header",
            Span::Payload => "the payload",
            Span::HeaderAndPayload => "header and payload",
        };
        format!("tag {}: the {} of {span}", self.tag, self.algorithm.as_str())
    }
}

/// A signature as the package carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The tag and, in tag 278, which one: for messages.
    pub place: String,
    /// What it is over.
    pub range: Range,
    /// What should be an OpenPGP packet.
    pub packet: Result<Vec<u8>, Refusal>,
}

/// What a package's headers say about its integrity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Whether the package is of format 6.
    pub format6: bool,
    /// Every signature, in the order of tags.
    pub signatures: Vec<Carried>,
    /// Every digest of usable form.
    pub digests: Vec<Expected>,
    /// The signed header has a digest of the payload that is worth something.
    pub payload_vouched: bool,
    /// Sizes of header and payload together, with their tags.
    pub sizes: Vec<(u32, u64)>,
    /// Size of the payload alone.
    pub payload_size: Option<u64>,
    /// Digests of unusable form.
    pub faults: Vec<Refusal>,
    /// What is passed over, and why.
    pub notes: Vec<String>,
}

impl Claims {
    /// Picks everything out of both headers.
    pub fn read(signature: &Header, main: &Header) -> Self {
        let mut claims = Self { format6: main.format().is_some_and(|format| format >= 6), ..Self::default() };
        // rpm tells by these two tags, which nobody signs; the format in the main header is signed.
        // Only both together let a tag go unlooked at.
        let ignore_legacy = claims.format6 && signature.ignores_legacy();
        let legacy = [sig::SIZE, sig::PGP, sig::MD5, sig::GPG];
        if ignore_legacy {
            for number in legacy.into_iter().filter(|t| signature.has(*t)) {
                claims.notes.push(format!("signature tag {number} ignored, as rpm does in packages of format 6"));
            }
        }
        let looked_at = |number: u32| signature.has(number) && !(ignore_legacy && number >= LEGACY_TAGS);

        claims.array_of_signatures(signature, main);
        for (number, what, range) in [
            (sig::DSA, "DSA over the header", Range::Header),
            (sig::RSA, "RSA over the header", Range::Header),
            (sig::PGP, "RSA over header and payload", Range::HeaderAndPayload),
            (sig::GPG, "DSA over header and payload", Range::HeaderAndPayload),
        ] {
            if looked_at(number) {
                let packet = signature.bin(number).ok_or_else(|| wrong_type(number)).and_then(bounded);
                claims.signatures.push(Carried { place: format!("tag {number} ({what})"), range, packet });
            }
        }

        for (number, algorithm) in
            [(sig::SHA1, Algorithm::Sha1), (sig::SHA256, Algorithm::Sha256), (sig::SHA3_256, Algorithm::Sha3_256)]
        {
            if looked_at(number) {
                claims.hex(number, Span::Header, algorithm, signature.string(number));
            }
        }
        if looked_at(sig::MD5) {
            match signature.bin(sig::MD5) {
                Some(value) if value.len() == Algorithm::Md5.len() => claims.digests.push(Expected {
                    tag: sig::MD5,
                    span: Span::HeaderAndPayload,
                    algorithm: Algorithm::Md5,
                    value: value.to_vec(),
                }),
                _ => claims.faults.push(Refusal::new(
                    Code::PayloadDigest,
                    format!("tag {}: an MD5 has 16 bytes of binary data", sig::MD5),
                )),
            }
        }
        claims.payload_digests(main);

        for number in [sig::LONGSIZE, sig::SIZE] {
            if looked_at(number) {
                match signature.u64(number) {
                    Some(size) => claims.sizes.push((number, size)),
                    None => {
                        claims.faults.push(Refusal::new(Code::Size, format!("signature tag {number} holds no size")));
                    }
                }
            }
        }
        claims.payload_size = main.u64(tag::PAYLOADSIZE);
        // A good signature says more; but rpm 4 asks for a digest beside it and would not install this.
        let covers_the_header = |digest: &Expected| matches!(digest.span, Span::Header | Span::HeaderAndPayload);
        if !claims.digests.iter().any(covers_the_header) {
            let detail = "there is no digest of the header beside the signature, and rpm asks for one";
            claims.faults.push(Refusal::new(Code::HeaderDigest, detail));
        }
        // What covers the header alone covers its region (rpm's `hdrblobDigestUpdate`). Where there is none,
        // rpm hashes nothing and refuses; only packages from before rpm 4 may be so, and those have neither.
        let of_the_header = claims.digests.iter().any(|digest| digest.span == Span::Header)
            || claims.signatures.iter().any(|carried| carried.range == Range::Header);
        if of_the_header && !main.has_region() {
            let detail = "the main header has no region, and something in the package is over the header alone";
            claims.faults.push(Refusal::new(Code::Region, detail));
        }
        claims
    }

    fn array_of_signatures(&mut self, signature: &Header, main: &Header) {
        let number = sig::OPENPGP;
        let affordable = HASHED_MAX.checked_div(main.raw().len()).unwrap_or(0);
        let most = affordable.clamp(SIGNATURES_ALWAYS, SIGNATURES_MAX);
        if !signature.has(number) {
            return;
        }
        let mut texts = signature.strings(number);
        let mut index = 0;
        for text in texts.by_ref().take(most) {
            index += 1;
            let packet = decode(text).and_then(|bytes| bounded(&bytes));
            self.signatures.push(Carried {
                place: format!("tag {number} (signature {index} over the header)"),
                range: Range::Header,
                packet,
            });
        }
        let more_than_the_limit = texts.next().is_some();
        if index == 0 || more_than_the_limit {
            let fault = if more_than_the_limit {
                Refusal::new(
                    Code::SignatureFormat,
                    format!("more than {most} signatures over a header of {} bytes", main.raw().len()),
                )
            } else {
                wrong_type(number)
            };
            self.signatures.push(Carried { place: format!("tag {number}"), range: Range::Header, packet: Err(fault) });
        }
    }

    fn payload_digests(&mut self, main: &Header) {
        if main.has(tag::PAYLOADSHA256) {
            let algorithm = match main.u32(tag::PAYLOADDIGESTALGO) {
                None if !main.has(tag::PAYLOADDIGESTALGO) => Ok(Algorithm::Sha256),
                Some(8) => Ok(Algorithm::Sha256),
                Some(9) => Ok(Algorithm::Sha384),
                Some(10) => Ok(Algorithm::Sha512),
                Some(12) => Ok(Algorithm::Sha3_256),
                Some(14) => Ok(Algorithm::Sha3_512),
                other => Err(other),
            };
            match (algorithm, main.strings(tag::PAYLOADSHA256).count()) {
                (Ok(algorithm), 1) => {
                    self.hex(tag::PAYLOADSHA256, Span::Payload, algorithm, main.string(tag::PAYLOADSHA256));
                }
                (Ok(_), count) => self.faults.push(Refusal::new(
                    Code::PayloadDigestFormat,
                    format!("tag {}: {count} digests where one is wanted", tag::PAYLOADSHA256),
                )),
                (Err(number), _) => self.faults.push(Refusal::new(
                    Code::PayloadDigestFormat,
                    format!(
                        "tag {}: algorithm {} is not SHA-256 or stronger",
                        tag::PAYLOADDIGESTALGO,
                        number.map_or_else(|| "of the wrong type".to_owned(), |n| n.to_string())
                    ),
                )),
            }
        }
        for (number, algorithm) in
            [(tag::PAYLOADSHA512, Algorithm::Sha512), (tag::PAYLOADSHA3_256, Algorithm::Sha3_256)]
        {
            if main.has(number) {
                self.hex(number, Span::Payload, algorithm, main.string(number));
            }
        }
        self.payload_vouched = self.digests.iter().any(|d| d.span == Span::Payload);
    }

    /// Takes a digest in hexadecimal, of either case as rpm does (S16).
    fn hex(&mut self, number: u32, span: Span, algorithm: Algorithm, text: Option<&[u8]>) {
        let value = text.and_then(|text| hex::decode(text).ok()).filter(|value| value.len() == algorithm.len());
        if let Some(value) = value {
            self.digests.push(Expected { tag: number, span, algorithm, value });
            return;
        }
        let code = match span {
            Span::Header => Code::HeaderDigest,
            Span::Payload | Span::HeaderAndPayload => Code::PayloadDigestFormat,
        };
        self.faults.push(Refusal::new(
            code,
            format!(
                "tag {number}: a {} has {} hexadecimal digits",
                algorithm.as_str(),
                algorithm.len().saturating_mul(2)
            ),
        ));
    }
}

/// Base64 as RFC 4648 section 4 has it and no other way to write it, so that a signature has one
/// spelling (S39, rpm issue 3385). The engine refuses blanks, missing padding and stray bits.
fn decode(text: &[u8]) -> Result<Vec<u8>, Refusal> {
    if text.len() > SIGNATURE_MAX.saturating_mul(2) {
        return Err(too_large());
    }
    STANDARD.decode(text).map_err(|error| {
        Refusal::new(Code::SignatureFormat, format!("it is not canonical base64: {error}").to_lowercase())
    })
}

fn bounded(bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    if bytes.len() > SIGNATURE_MAX { Err(too_large()) } else { Ok(bytes.to_vec()) }
}

fn too_large() -> Refusal {
    Refusal::new(Code::SignatureFormat, format!("a signature of more than {SIGNATURE_MAX} bytes"))
}

fn wrong_type(number: u32) -> Refusal {
    Refusal::new(Code::SignatureFormat, format!("tag {number} has the wrong type or is empty"))
}
