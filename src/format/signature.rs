//! The signatures and digests that a package carries, read from its headers.
//!
//! Owns: which tags hold them, which bytes each covers, and the rules of form (rpm's `lib/rpmvs.cc`,
//! `docs/manual/format_v4.md`, `format_v6.md`). Nothing is verified here: a digest comes out as an expected value, a
//! signature as the bytes of a packet.
//!
//! A tag that is present is never skipped because its form is wrong. It is reported as a fault, since rpm looks at only
//! one of several tags and an attacker would choose which (S13). The digests of the uncompressed payload are not used:
//! with them one signature would cover two files (S17).

use crate::domain::refusal::{Code, Refusal};
use crate::domain::trust::Range;
use crate::format::header::Header;
use crate::format::header::tag::{self, sig};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Tags from here on are legacy ones, which rpm ignores in the signature header of format 6 (H26).
const LEGACY_TAGS: u32 = 1000;

/// Maximum number of signatures in tag 278. rpm sets no limit; nobody signs with so many keys, and each takes time to
/// verify (S39).
const SIGNATURES_MAX: usize = 32;

/// Maximum number of header bytes hashed for the signatures in tag 278: each may have its own salt, and so needs its
/// own hash. For a header of ordinary size this allows all [`SIGNATURES_MAX`].
const HASHED_MAX: usize = 256 * 1024 * 1024;

/// At least this many signatures are always read, however large the header is.
const SIGNATURES_ALWAYS: usize = 4;

/// Maximum size of a signature packet. The largest in use, SLH-DSA, has 50 KB; RSA with 16384 bits has 2 KB.
const SIGNATURE_MAX: usize = 64 * 1024;

/// A hash algorithm that packages use for their digests.
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

/// Which bytes a digest covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Span {
    /// The main header as it is in the file.
    Header,
    /// Everything after the main header.
    Payload,
    /// Both, one after the other.
    HeaderAndPayload,
}

/// A digest that the package claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The tag it came from.
    pub tag: u32,
    /// What it covers.
    pub span: Span,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// The digest.
    pub value: Vec<u8>,
}

impl Expected {
    /// The code for a wrong digest.
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
    /// The tag and, in tag 278, the position: for messages.
    pub place: String,
    /// What it covers.
    pub range: Range,
    /// What should be an OpenPGP packet.
    pub packet: Result<Vec<u8>, Refusal>,
}

/// What a package's headers say about its integrity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Whether the package is format 6.
    pub format6: bool,
    /// Every signature, in tag order.
    pub signatures: Vec<Carried>,
    /// Every digest that is well formed.
    pub digests: Vec<Expected>,
    /// Whether the signed header has a strong digest of the payload.
    pub payload_vouched: bool,
    /// Sizes of header and payload together, with their tags.
    pub sizes: Vec<(u32, u64)>,
    /// Size of the payload alone.
    pub payload_size: Option<u64>,
    /// Digests that are malformed.
    pub faults: Vec<Refusal>,
    /// What is ignored, and why.
    pub notes: Vec<String>,
}

impl Claims {
    /// Reads everything from both headers.
    pub fn read(signature: &Header, main: &Header) -> Self {
        let mut claims = Self { format6: main.format().is_some_and(|format| format >= 6), ..Self::default() };
        // rpm decides by these two tags, which nobody signs; the format in the main header is signed. A tag is ignored
        // only if both agree.
        let ignore_legacy = claims.format6 && signature.ignores_legacy();
        let legacy = [sig::SIZE, sig::PGP, sig::MD5, sig::GPG];
        if ignore_legacy {
            for number in legacy.into_iter().filter(|t| signature.has(*t)) {
                claims.notes.push(format!("signature tag {number} ignored, as rpm does in packages of format 6"));
            }
        }
        let looked_at = |number: u32| signature.has(number) && !(ignore_legacy && number >= LEGACY_TAGS);

        claims.array_of_signatures(signature, main);
        // The tags are named after algorithms, and say nothing about those: Ed25519 stands in that for DSA.
        for (number, what, range) in [
            (sig::DSA, "over the header", Range::Header),
            (sig::RSA, "over the header", Range::Header),
            (sig::PGP, "over header and payload", Range::HeaderAndPayload),
            (sig::GPG, "over header and payload", Range::HeaderAndPayload),
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
                        claims
                            .faults
                            .push(Refusal::new(Code::Size, format!("signature tag {number} does not hold a size")));
                    }
                }
            }
        }
        claims.payload_size = main.u64(tag::PAYLOADSIZE);
        // A good signature proves more; but rpm 4 requires a digest next to it and would not install this.
        let covers_the_header = |digest: &Expected| matches!(digest.span, Span::Header | Span::HeaderAndPayload);
        if !claims.digests.iter().any(covers_the_header) {
            let detail = "there is no digest of the header beside the signature, and rpm requires one";
            claims.faults.push(Refusal::new(Code::HeaderDigest, detail));
        }
        // H18: only rpm before 4.0 made headers without a region, and it signed header and payload together, which only
        // a dated exception can admit. In a newer package rpm would check the types of no tag.
        let of_the_header = claims.digests.iter().any(|digest| digest.span == Span::Header)
            || claims.signatures.iter().any(|carried| carried.range == Range::Header);
        if of_the_header && !main.has_region() {
            let detail = "the main header is not a region, but a signature or digest covers the header alone";
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
                    format!("tag {}: {count} digests instead of one", tag::PAYLOADSHA256),
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

    /// Reads a digest in hex, in upper or lower case like rpm (S16).
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

/// Base64 exactly as RFC 4648 section 4 has it, so that a signature has only one spelling (S39, rpm issue 3385). The
/// engine refuses spaces, missing padding and stray bits.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::header::Part;

    /// The data of one entry.
    #[derive(Clone)]
    enum Value {
        Text(String),
        Texts(Vec<String>),
        Bin(Vec<u8>),
        Words(Vec<u32>),
        Long(u64),
    }
    use Value::{Bin, Long, Text, Texts, Words};

    fn small(number: usize) -> u32 {
        u32::try_from(number).unwrap()
    }

    /// A header with these entries, with or without a region before them.
    fn header(part: Part, region: bool, entries: &[(u32, Value)]) -> Header {
        let (mut index, mut data) = (Vec::new(), Vec::new());
        for (tag, value) in entries {
            let nul = |text: &String| [text.as_bytes(), b"\0"].concat();
            let (kind, align, count, bytes) = match value {
                Text(text) => (6, 1, 1, nul(text)),
                Texts(texts) => (8, 1, texts.len(), texts.iter().flat_map(nul).collect()),
                Bin(bytes) => (7, 1, bytes.len(), bytes.clone()),
                Words(words) => (4, 4, words.len(), words.iter().flat_map(|word| word.to_be_bytes()).collect()),
                Long(long) => (5, 8, 1, long.to_be_bytes().to_vec()),
            };
            data.resize(data.len().next_multiple_of(align), 0);
            index.push([*tag, kind, small(data.len()), small(count)]);
            data.extend(bytes);
        }
        if region {
            let tag = if part == Part::Main { 63 } else { 62 };
            let back = (16 * small(index.len() + 1)).wrapping_neg();
            index.insert(0, [tag, 7, small(data.len()), 16]);
            data.extend([tag, 7, back, 16].into_iter().flat_map(u32::to_be_bytes));
        }
        let mut bytes = vec![0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
        bytes.extend([small(index.len()), small(data.len())].into_iter().flat_map(u32::to_be_bytes));
        bytes.extend(index.iter().flatten().flat_map(|word| word.to_be_bytes()));
        bytes.extend(data);
        Header::read(&bytes, part).unwrap()
    }

    fn claims(signature: &[(u32, Value)], main: &[(u32, Value)]) -> Claims {
        let name = [(tag::NAME, Text("tool".to_owned()))];
        let main = [&name[..], main].concat();
        Claims::read(&header(Part::Signature, true, signature), &header(Part::Main, true, &main))
    }

    /// A well-formed digest of the header, which is required.
    fn sha256() -> (u32, Value) {
        (sig::SHA256, Text("ab".repeat(32)))
    }

    fn faults(claims: &Claims) -> Vec<Code> {
        claims.faults.iter().map(|fault| fault.code).collect()
    }

    /// The only payload digest of a package, or the fault.
    fn payload(value: Value, algorithm: Option<Value>) -> Result<(Algorithm, usize), Code> {
        let mut main = vec![(tag::PAYLOADSHA256, value)];
        main.extend(algorithm.map(|algorithm| (tag::PAYLOADDIGESTALGO, algorithm)));
        let claims = claims(&[sha256()], &main);
        assert_eq!(claims.payload_vouched, claims.faults.is_empty());
        match (&claims.digests[..], &claims.faults[..]) {
            ([_, digest], []) => {
                assert_eq!((digest.tag, digest.span), (tag::PAYLOADSHA256, Span::Payload));
                Ok((digest.algorithm, digest.value.len()))
            }
            ([_], [fault]) => Err(fault.code),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_digest_of_the_payload_is_one_of_a_strong_algorithm() {
        let hex = |bytes: usize| Texts(vec!["0F".repeat(bytes)]);
        for (number, algorithm, bytes) in [
            (8, Algorithm::Sha256, 32),
            (9, Algorithm::Sha384, 48),
            (10, Algorithm::Sha512, 64),
            (12, Algorithm::Sha3_256, 32),
            (14, Algorithm::Sha3_512, 64),
        ] {
            assert_eq!(payload(hex(bytes), Some(Words(vec![number]))), Ok((algorithm, bytes)));
            assert_eq!(payload(hex(bytes - 1), Some(Words(vec![number]))), Err(Code::PayloadDigestFormat));
            assert_eq!(payload(hex(bytes + 1), Some(Words(vec![number]))), Err(Code::PayloadDigestFormat));
        }
        assert_eq!(payload(hex(32), None), Ok((Algorithm::Sha256, 32)));
        for number in [0, 1, 2, 3, 11, 13, 99] {
            assert_eq!(payload(hex(32), Some(Words(vec![number]))), Err(Code::PayloadDigestFormat), "{number}");
        }
        // Without a region nobody has checked the types.
        let main = [(tag::PAYLOADSHA256, hex(32)), (tag::PAYLOADDIGESTALGO, Text("8".to_owned()))];
        let signature = header(Part::Signature, true, &[(sig::MD5, Bin(vec![7; 16]))]);
        let odd = Claims::read(&signature, &header(Part::Main, false, &main));
        assert_eq!((odd.payload_vouched, faults(&odd)), (false, vec![Code::PayloadDigestFormat]));
        let twice = Texts(vec!["0f".repeat(32), "0f".repeat(32)]);
        assert_eq!(payload(twice, None), Err(Code::PayloadDigestFormat));
        assert_eq!(payload(Texts(vec!["xy".repeat(32)]), None), Err(Code::PayloadDigestFormat));
        let text = |detail: &Refusal| detail.detail.clone();
        let told = claims(&[sha256()], &[(tag::PAYLOADSHA256, Texts(vec!["0f".to_owned()]))]);
        assert_eq!(told.faults.iter().map(text).collect::<Vec<_>>(), ["tag 5092: a SHA-256 has 64 hexadecimal digits"]);
    }

    #[test]
    fn the_newer_digests_of_the_payload_vouch_for_it_too() {
        for (number, algorithm, bytes) in
            [(tag::PAYLOADSHA512, Algorithm::Sha512, 64), (tag::PAYLOADSHA3_256, Algorithm::Sha3_256, 32)]
        {
            let good = claims(&[sha256()], &[(number, Text("aa".repeat(bytes)))]);
            assert!(good.payload_vouched && good.faults.is_empty());
            assert_eq!((good.digests[1].tag, good.digests[1].algorithm), (number, algorithm));
            assert_eq!((good.digests[1].span, good.digests[1].code()), (Span::Payload, Code::PayloadDigest));
            let bad = claims(&[sha256()], &[(number, Text("aa".repeat(bytes - 1)))]);
            assert_eq!((bad.payload_vouched, faults(&bad)), (false, vec![Code::PayloadDigestFormat]));
        }
        assert!(!claims(&[sha256()], &[]).payload_vouched);
    }

    #[test]
    fn every_digest_beside_the_signature_is_taken_with_what_it_is_over() {
        let of = |tag: u32, value: Value| {
            let claims = claims(&[(tag, value)], &[]);
            claims.digests.iter().map(|d| (d.tag, d.span, d.algorithm, d.code(), d.name())).next()
        };
        let hex = |bytes: usize| Text("00".repeat(bytes));
        assert_eq!(
            of(sig::SHA1, hex(20)),
            Some((269, Span::Header, Algorithm::Sha1, Code::HeaderDigest, "tag 269: the SHA-1 of the header".into()))
        );
        let sha3 = of(sig::SHA3_256, hex(32)).unwrap();
        assert_eq!((sha3.2, sha3.4.as_str()), (Algorithm::Sha3_256, "tag 279: the SHA3-256 of the header"));
        let md5 = of(sig::MD5, Bin(vec![7; 16])).unwrap();
        assert_eq!((md5.1, md5.3), (Span::HeaderAndPayload, Code::PayloadDigest));
        assert_eq!(md5.4, "tag 1004: the MD5 of header and payload");
        assert_eq!(faults(&claims(&[(sig::SHA1, hex(19))], &[])), [Code::HeaderDigest, Code::HeaderDigest]);
        let name = |algorithm, span| Expected { tag: 1, span, algorithm, value: Vec::new() }.name();
        assert_eq!(name(Algorithm::Sha384, Span::Payload), "tag 1: the SHA-384 of the payload");
        assert_eq!(name(Algorithm::Sha512, Span::Payload), "tag 1: the SHA-512 of the payload");
        assert_eq!(name(Algorithm::Sha3_512, Span::Payload), "tag 1: the SHA3-512 of the payload");
    }

    #[test]
    fn without_any_digest_of_the_header_rpm_would_refuse() {
        assert_eq!(faults(&claims(&[(sig::SIZE, Words(vec![7]))], &[])), [Code::HeaderDigest]);
        assert_eq!(faults(&claims(&[(sig::MD5, Bin(vec![7; 16]))], &[])), []);
        // A digest of the payload alone does not cover the header.
        let payload = [(tag::PAYLOADSHA512, Text("aa".repeat(64)))];
        assert_eq!(faults(&claims(&[(sig::SIZE, Words(vec![7]))], &payload)), [Code::HeaderDigest]);
    }

    #[test]
    fn what_is_over_the_header_alone_wants_a_region() {
        let main = |region| header(Part::Main, region, &[(tag::NAME, Text("tool".to_owned()))]);
        let read = |region, entries: &[(u32, Value)]| {
            faults(&Claims::read(&header(Part::Signature, true, entries), &main(region)))
        };
        let md5 = (sig::MD5, Bin(vec![7; 16]));
        for alone in [sha256(), (sig::RSA, Bin(vec![1])), (sig::DSA, Bin(vec![1]))] {
            let entries = [alone, md5.clone()];
            assert_eq!((read(true, &entries), read(false, &entries)), (vec![], vec![Code::Region]));
        }
        // As rpm 3 signed.
        assert_eq!(read(false, &[(sig::PGP, Bin(vec![1])), md5]), []);
    }

    #[test]
    fn every_tag_of_a_signature_is_taken_with_what_it_is_over() {
        let all = [sig::DSA, sig::RSA, sig::PGP, sig::GPG];
        let entries: Vec<_> = all.iter().map(|tag| (*tag, Bin(vec![1, 2]))).chain([sha256()]).collect();
        let found = claims(&entries, &[]).signatures;
        let ranges: Vec<_> = found.iter().map(|carried| carried.range).collect();
        assert_eq!(ranges, [Range::Header, Range::Header, Range::HeaderAndPayload, Range::HeaderAndPayload]);
        assert!(found.iter().all(|carried| carried.packet == Ok(vec![1, 2])));
        assert_eq!(found[0].place, "tag 267 (over the header)");
        let size = |bytes: usize| claims(&[(sig::RSA, Bin(vec![0; bytes])), sha256()], &[]).signatures.remove(0).packet;
        assert_eq!(size(SIGNATURE_MAX).map(|packet| packet.len()), Ok(64 * 1024));
        assert_eq!(size(SIGNATURE_MAX + 1).map_err(|refusal| refusal.code), Err(Code::SignatureFormat));
    }

    #[test]
    fn signatures_in_base64_are_numbered_and_not_too_many_or_too_long() {
        let with = |texts: Vec<String>| claims(&[sha256(), (sig::OPENPGP, Texts(texts))], &[]).signatures;
        let two = with(vec!["AQI=".to_owned(), "AQ=".to_owned()]);
        assert_eq!(two[0].packet, Ok(vec![1, 2]));
        assert_eq!(two[1].packet.as_ref().map_err(|refusal| refusal.code), Err(Code::SignatureFormat));
        assert_eq!(two[1].place, "tag 278 (signature 2 over the header)");
        assert!(two.iter().all(|carried| carried.range == Range::Header));
        let good = |texts: Vec<String>| with(texts).iter().filter(|carried| carried.packet.is_ok()).count();
        let whole = |number: usize| with(vec!["AQI=".to_owned(); number]);
        assert_eq!((whole(32).len(), good(vec!["AQI=".to_owned(); 32])), (32, 32));
        assert_eq!((whole(33).len(), good(vec!["AQI=".to_owned(); 33])), (33, 32));
        // Anything longer than a signature can be is not even decoded: 64 KiB are 87384 letters.
        assert_eq!(good(vec!["AAAA".repeat(64 * 1024 / 3)]), 1);
        assert_eq!(good(vec!["AAAA".repeat(64 * 1024 / 3 + 1)]), 0);
        let too_long = |letters: usize| match &with(vec!["A".repeat(letters)])[0].packet {
            Err(refusal) => refusal.detail.contains("more than 65536 bytes"),
            Ok(_) => panic!("decoded"),
        };
        assert!(too_long(2 * SIGNATURE_MAX + 4) && !too_long(2 * SIGNATURE_MAX - 3));
    }

    #[test]
    fn a_large_header_is_hashed_for_fewer_signatures() {
        let most = |bytes: usize| {
            let large = [(tag::NAME, Text("tool".to_owned())), (tag::SOURCEPKGID, Bin(vec![0; bytes]))];
            let main = header(Part::Main, true, &large);
            let entries = [sha256(), (sig::OPENPGP, Texts(vec!["AQI=".to_owned(); 40]))];
            let claims = Claims::read(&header(Part::Signature, true, &entries), &main);
            claims.signatures.iter().filter(|carried| carried.packet.is_ok()).count()
        };
        assert_eq!(most(1000), 32);
        assert_eq!(most(17 << 20), 15);
        assert_eq!(most(60 << 20), 4);
    }

    #[test]
    fn sizes_are_taken_from_whichever_tags_there_are() {
        let found = claims(&[sha256(), (sig::LONGSIZE, Long(1 << 40)), (sig::SIZE, Words(vec![7]))], &[]);
        assert_eq!((found.sizes, found.payload_size), (vec![(270, 1 << 40), (1000, 7)], None));
        let found = claims(&[sha256()], &[(tag::PAYLOADSIZE, Long(11))]);
        assert_eq!((found.sizes, found.payload_size), (vec![], Some(11)));
    }

    #[test]
    fn legacy_tags_are_passed_over_only_where_signed_and_unsigned_header_speak_of_format_6() {
        let sha3 = (sig::SHA3_256, Text("00".repeat(32)));
        let room = (sig::RESERVED, Bin(vec![0; 4]));
        let legacy = [(sig::PGP, Bin(vec![1])), (sig::MD5, Bin(vec![0; 16])), (sig::SIZE, Words(vec![7]))];
        let both = [&[sha3.clone(), room][..], &legacy].concat();
        let format = |number: u32| [(tag::RPMFORMAT, Words(vec![number]))];
        for (entries, main, ignored) in [
            (&both[..], &format(6)[..], true),
            (&both, &format(7), true),
            (&both, &format(4), false),
            (&both, &[], false),
            (&[&[sha3][..], &legacy].concat(), &format(6), false),
        ] {
            let claims = claims(entries, main);
            assert_eq!(claims.format6, main.first().is_some_and(|_| !matches!(main, [(_, Words(w))] if w[0] < 6)));
            let taken = (claims.signatures.len(), claims.sizes.len(), claims.digests.len());
            assert_eq!(taken, if ignored { (0, 0, 1) } else { (1, 1, 2) });
            assert_eq!(claims.notes.len(), if ignored { 3 } else { 0 });
        }
    }
}
