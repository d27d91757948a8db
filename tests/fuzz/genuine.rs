//! The keys that the packages and signatures of the corpora were made with, and what they have signed.
//!
//! The secret halves were thrown away when the corpora were made, so no input can hold a new good signature. That
//! makes the strongest property of all: whatever is accepted by these keys is one of the files whose checksum stands
//! in `genuine-packages.txt`.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jiff::Timestamp;
use rolloutd::domain::trust::{Legacy, Lifted, Policy};
use rolloutd::format::openpgp::Keyring;

/// Certificates, one after another, in binary.
pub const KEYS: &[u8] = include_bytes!("genuine.pgp");

/// SHA-256 over main header and payload of every package that one of the keys has signed, one a line.
const SIGNED: &str = include_str!("genuine-packages.txt");

/// The ring of all keys.
pub static RING: LazyLock<Keyring> =
    LazyLock::new(|| Keyring::read(&[("genuine".to_owned(), KEYS.to_vec())]).expect("the ring was made whole"));

/// A policy with every exception for every key.
pub static LENIENT: LazyLock<Policy> = LazyLock::new(|| {
    let every = |summary: rolloutd::format::openpgp::CertSummary| Legacy {
        fingerprint: summary.fingerprint,
        until: time("2100-01-01T00:00:00Z"),
        allow: Lifted::ALL.to_vec(),
    };
    Policy { legacy: RING.certs(arrival()).into_iter().map(every).collect(), min_signers: 1 }
});

/// The last octets of every signature that one of the keys has made over the package of `signature`, one a line. They
/// are in the numbers of the signature itself, behind all that may be changed and is not signed.
const SIGNATURES: &str = include_str!("genuine-signatures.txt");

/// How many octets of a signature tell it from all others.
const TAIL: usize = 24;

static GENUINE: LazyLock<BTreeSet<&str>> = LazyLock::new(|| SIGNED.lines().collect());

/// When packages arrive here.
pub fn arrival() -> Timestamp {
    time("2026-11-20T12:00:00Z")
}

/// A time as RFC 3339 writes it.
///
/// # Panics
/// When it is none; all are written in the source.
pub fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// SHA-256, by another hand than the code under test.
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().to_vec()
}

/// The octets by which a signature is known.
pub fn tail(packet: &[u8]) -> String {
    hex::encode(&packet[packet.len().saturating_sub(TAIL)..])
}

/// Whether one of the keys has made this signature.
pub fn is_genuine_signature(packet: &[u8]) -> bool {
    let tail = tail(packet);
    SIGNATURES.lines().any(|line| line == tail)
}

/// Whether one of the keys has signed a package with this main header and payload.
pub fn is_genuine(header_and_payload: &[u8]) -> bool {
    GENUINE.contains(hex::encode(sha256(header_and_payload)).as_str())
}
