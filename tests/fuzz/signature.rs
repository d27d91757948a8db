//! What stands in a signature tag: it should be one OpenPGP packet.
//!
//! The bytes are put into the place of the signature of a package whose digests are all right, in each of the tags in
//! which signatures stand.
//!
//! - A packet is exactly as long as it is: one octet more or less, and it is refused.
//! - Whoever is said to have signed has signed these bytes and no others, is in the ring, and has made this signature
//!   when there still was a secret key.
//! - It counts for nothing before it was made, and nothing without a ring.
//! - A tag and the array of tags give the same verdict, and the verdict on the package is that on the signature.
//! - What is accepted is a package that one of the keys has signed, see `headers`.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Digest as _;
use rolloutd::domain::checksum::ChecksumKind;
use rolloutd::domain::refusal::{Code, Refusal};
use rolloutd::domain::trust::Sound;
use rolloutd::format::openpgp::{Claim, Keyring};
use rolloutd::format::reading::{Contents, Reading};

use super::genuine::{self, RING, arrival, time};
use super::{Outcome, headers};

/// The package that the signatures of the corpus are over.
const PACKAGE: &[u8] = include_bytes!("corpus/headers/signed-thrice.rpm");

/// Its main header, and that with its payload behind it.
static SIGNED: LazyLock<(Vec<u8>, Vec<u8>)> = LazyLock::new(|| {
    let contents = read(PACKAGE).expect("a package");
    let start = usize::try_from(contents.layout.main.start).expect("inside the file");
    (contents.header.raw().to_vec(), PACKAGE[start..].to_vec())
});

/// RSA over the header; it is DSA's tag for rpm 4, and no other rule for us.
const OVER_HEADER: [u32; 2] = [268, 267];
/// Over header and payload.
const OVER_BOTH: [u32; 2] = [1002, 1005];
/// The array of signatures over the header.
const ARRAY: u32 = 278;

/// No packet is longer; longer ones are refused before they are looked at.
const PACKET_MAX: usize = 64 * 1024;

pub fn target(data: &[u8]) -> Outcome {
    if data.is_empty() || data.len() > PACKET_MAX {
        return Outcome::Refused;
    }
    let claim = Claim::read(data);
    assert_eq!(format!("{claim:?}"), format!("{:?}", Claim::read(data)));
    if claim.is_ok() {
        assert!(Claim::read(&[data, &[0]].concat()).is_err(), "something follows the packet");
        assert!(Claim::read(&data[..data.len() - 1]).is_err(), "the packet ends before its length");
        assert!(Claim::read(&[data, data].concat()).is_err(), "two packets");
    }
    let (header, both) = &*SIGNED;
    let over_header = examined(&claim, header);
    let over_both = examined(&claim, both);
    assert!(over_header.is_err() || over_both.is_err(), "one signature over two files");

    if over_header.is_ok() || over_both.is_ok() {
        assert!(genuine::is_genuine_signature(data), "none of the keys has made it: {over_header:?}, {over_both:?}");
    }

    let array = Value::Texts(STANDARD.encode(data));
    let plain = Value::Bytes(data.to_vec());
    for (tag, value) in [(OVER_HEADER[0], &plain), (OVER_HEADER[1], &plain), (ARRAY, &array)] {
        let [strict, lenient] = verdicts(tag, value);
        match &over_header {
            Ok(sound) => {
                assert_eq!(strict.is_ok(), sound.weaknesses.is_empty(), "tag {tag}: {sound:?}, {strict:?}");
                assert_eq!(lenient.is_ok(), can_be_lifted(sound), "tag {tag}: {sound:?}, {lenient:?}");
            }
            Err(why) => told(tag, why, [strict, lenient]),
        }
    }
    for tag in OVER_BOTH {
        let [strict, lenient] = verdicts(tag, &plain);
        match &over_both {
            Ok(sound) => {
                assert!(strict.is_err(), "tag {tag}: nobody signs so any more, and it needs an exception");
                assert_eq!(lenient.is_ok(), can_be_lifted(sound), "tag {tag}: {sound:?}, {lenient:?}");
            }
            Err(why) => told(tag, why, [strict, lenient]),
        }
    }
    if claim.is_ok() { Outcome::Taken } else { Outcome::Refused }
}

fn verdicts(tag: u32, signature: &Value) -> [Result<(), Refusal>; 2] {
    let file = package(tag, signature);
    let contents = read(&file).expect("its headers are right");
    assert_eq!(contents.faults, [], "all but the signature is right");
    headers::verdicts(&file, &contents)
}

fn can_be_lifted(sound: &Sound) -> bool {
    sound.weaknesses.iter().all(|weakness| weakness.lifted_by.is_some())
}

/// The package is refused for what is wrong with its only signature, whatever the exceptions.
#[track_caller]
fn told(tag: u32, why: &Refusal, verdicts: [Result<(), Refusal>; 2]) {
    for verdict in verdicts {
        assert_eq!(verdict.as_ref().map_err(|refusal| refusal.code), Err(why.code), "tag {tag}: {verdict:?}, {why:?}");
    }
}

fn examine(claim: &Claim, ring: &Keyring, bytes: &[u8], at: jiff::Timestamp) -> Result<Sound, Refusal> {
    let mut context = claim.context()?;
    context.update(bytes);
    claim.examine(&context, ring, at)
}

/// Who signed `bytes`, and that it is so.
fn examined(claim: &Result<Claim, Refusal>, bytes: &[u8]) -> Result<Sound, Refusal> {
    let claim = claim.as_ref().map_err(Clone::clone)?;
    let nobody = examine(claim, &Keyring::default(), bytes, arrival()).map_err(|refusal| refusal.code);
    let unknown = matches!(nobody, Err(Code::UnknownKey | Code::UnknownAlgorithm));
    assert!(unknown, "without a ring it is {nobody:?}");
    let sound = examine(claim, &RING, bytes, arrival())?;
    let known = RING.certs(arrival()).into_iter().any(|cert| cert.fingerprint == sound.fingerprint && !cert.revoked);
    assert!(known, "signed by nobody in the ring, or by somebody revoked: {sound:?}");
    let mut other = bytes.to_vec();
    let middle = other.len() / 2;
    other[middle] ^= 1;
    let other = examine(claim, &RING, &other, arrival()).map_err(|refusal| refusal.code);
    assert_eq!(other.map(|sound| sound.fingerprint), Err(Code::BadSignature), "it is over other bytes too");
    let early = examine(claim, &RING, bytes, time("2001-01-01T00:00:00Z"));
    assert!(early.is_err(), "it counts before it was made: {early:?}");
    Ok(sound)
}

fn read(file: &[u8]) -> Result<Contents, Refusal> {
    let mut reading = Reading::new(ChecksumKind::Sha256);
    reading.push(file)?;
    reading.finish()
}

/// The data of one entry of a header.
enum Value {
    Text(String),
    Word(u32),
    Bytes(Vec<u8>),
    Texts(String),
}

/// The package with one signature.
fn package(tag: u32, signature: &Value) -> Vec<u8> {
    let (header, both) = &*SIGNED;
    let sha1 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, header);
    let size = u32::try_from(both.len()).expect("a small package");
    let digests = [
        (269, Value::Text(hex::encode(sha1))),
        (273, Value::Text(hex::encode(genuine::sha256(header)))),
        (1000, Value::Word(size)),
        (1004, Value::Bytes(md5::Md5::digest(both).to_vec())),
    ];
    let mut entries: Vec<(u32, &Value)> = digests.iter().map(|(tag, value)| (*tag, value)).collect();
    entries.push((tag, signature));
    entries.sort_by_key(|(tag, _)| *tag);
    let mut file = PACKAGE[..96].to_vec();
    file.extend(signature_header(&entries));
    file.resize(file.len().next_multiple_of(8), 0);
    file.extend_from_slice(both);
    file
}

fn signature_header(entries: &[(u32, &Value)]) -> Vec<u8> {
    const REGION: u32 = 62;
    let number = |n: usize| u32::try_from(n).expect("a small header");
    let (mut index, mut data) = (Vec::new(), Vec::new());
    for (tag, value) in entries {
        if let Value::Word(_) = value {
            data.resize(data.len().next_multiple_of(4), 0);
        }
        let start = number(data.len());
        let (kind, count) = match value {
            Value::Text(text) => {
                data.extend_from_slice(text.as_bytes());
                data.push(0);
                (6, 1)
            }
            Value::Texts(text) => {
                data.extend_from_slice(text.as_bytes());
                data.push(0);
                (8, 1)
            }
            Value::Word(word) => {
                data.extend(word.to_be_bytes());
                (4, 1)
            }
            Value::Bytes(bytes) => {
                data.extend_from_slice(bytes);
                (7, number(bytes.len()))
            }
        };
        index.extend([*tag, kind, start, count]);
    }
    let all = number(entries.len() + 1);
    let region = [REGION, 7, number(data.len()), 16];
    let trailer = [REGION, 7, (all * 16).wrapping_neg(), 16];
    data.extend(trailer.into_iter().flat_map(u32::to_be_bytes));
    let mut out = vec![0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
    let words = [all, number(data.len())].into_iter().chain(region).chain(index);
    out.extend(words.flat_map(u32::to_be_bytes));
    out.extend(data);
    out
}
