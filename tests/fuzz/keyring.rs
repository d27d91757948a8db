//! Key files, armored or not, as an admin was sent them.
//!
//! - There is a ring, or there are complaints, each with the name of its file and fit for a terminal.
//! - A ring is not empty, and says the same of its certificates however often and in which form it is given them.
//! - A certificate that is revoked signs nothing, and stays revoked whatever is put beside it.
//! - What the gate accepts by a ring was signed by a key that the ring says can sign.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rolloutd::domain::checksum::ChecksumKind;
use rolloutd::domain::trust::Policy;
use rolloutd::format::openpgp::{CertSummary, KeyComplaint, Keyring};
use rolloutd::format::reading::{Contents, Reading};

use super::Outcome;
use super::genuine::{self, KEYS, RING, arrival, time};

/// Signed by three of the keys.
const PACKAGE: &[u8] = include_bytes!("corpus/headers/signed-thrice.rpm");

static CONTENTS: LazyLock<Contents> = LazyLock::new(|| {
    let mut reading = Reading::new(ChecksumKind::Sha256);
    reading.push(PACKAGE).expect("a package");
    reading.finish().expect("a package")
});

/// What some editors put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

fn read(files: &[&[u8]]) -> Result<Keyring, Vec<KeyComplaint>> {
    let named: Vec<_> = (1..).zip(files).map(|(n, bytes)| (format!("file {n}"), bytes.to_vec())).collect();
    Keyring::read(&named)
}

pub fn target(data: &[u8]) -> Outcome {
    let ring = match read(&[data]) {
        Ok(ring) => ring,
        Err(complaints) => {
            assert!(!complaints.is_empty(), "no ring and no word about it");
            for complaint in &complaints {
                assert!(complaint.label == "file 1" && !complaint.what.is_empty(), "{complaint:?}");
                assert!(!complaint.what.contains(char::is_control), "a terminal would obey it: {complaint:?}");
            }
            if let Ok(beside) = read(&[KEYS, data]) {
                let is_placed = |what: &str| {
                    what.contains(" belongs to no certificate of the ring") || what.contains(" does not verify over ")
                };
                assert!(complaints.iter().all(|c| is_placed(&c.what)), "a ring in spite of {complaints:?}");
                still_revoked(&RING, &beside);
            }
            return Outcome::Refused;
        }
    };
    assert!(!ring.is_empty() && !ring.certs(arrival()).is_empty(), "a ring of no key");
    for at in
        [genuine::arrival(), time("1970-01-01T00:00:00Z"), time("2105-01-01T00:00:00Z"), time("2200-01-01T00:00:00Z")]
    {
        let certs = ring.certs(at);
        assert_eq!(certs, ring.certs(at));
        certs.iter().for_each(plain);
    }
    same(&ring, &read(&[data, data]).expect("a file twice is no mistake"));
    if data[0] & 0x80 != 0 && !data.starts_with(BYTE_ORDER_MARK) {
        same(&ring, &read(&[&armored(data)]).expect("armor changes nothing"));
    }
    let _ = beside(&ring, data);
    by_this_ring(&ring);
    Outcome::Taken
}

fn plain(cert: &CertSummary) {
    let digits = cert.fingerprint.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
    assert!(digits && matches!(cert.fingerprint.len(), 32 | 40 | 64), "{cert:?}");
    assert!(!(cert.revoked && cert.can_sign), "revoked, and it can sign: {cert:?}");
    let texts = cert.user_ids.iter().chain(&cert.remarks);
    texts.for_each(|text| assert!(!text.contains(char::is_control), "a terminal would obey it: {text:?}"));
}

#[track_caller]
fn same(one: &Keyring, other: &Keyring) {
    assert_eq!(one.certs(arrival()), other.certs(arrival()));
}

fn armored(bytes: &[u8]) -> Vec<u8> {
    let text = STANDARD.encode(bytes);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| str::from_utf8(line).ok()).collect();
    let lines = lines.join("\n");
    format!("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{lines}\n-----END PGP PUBLIC KEY BLOCK-----\n").into_bytes()
}

/// Puts the ring beside the genuine one, before it and after it.
fn beside(ring: &Keyring, data: &[u8]) -> Option<()> {
    let [before, after] = [read(&[data, KEYS]), read(&[KEYS, data])];
    let (before, after) = (before.ok()?, after.ok()?);
    assert_eq!(revoked(&before), revoked(&after), "the order of files does not matter");
    still_revoked(ring, &before);
    still_revoked(&RING, &before);
    Some(())
}

fn revoked(ring: &Keyring) -> BTreeMap<String, bool> {
    ring.certs(arrival()).into_iter().map(|cert| (cert.fingerprint, cert.revoked)).collect()
}

fn still_revoked(ring: &Keyring, in_that: &Keyring) {
    let is = revoked(in_that);
    for (fingerprint, was) in revoked(ring) {
        let is = is.get(&fingerprint).expect("nobody is lost");
        assert!(*is || !was, "{fingerprint} is no longer revoked");
    }
}

fn by_this_ring(ring: &Keyring) {
    let Ok(accepted) = CONTENTS.judge(ring, &Policy::default(), arrival()) else { return };
    let certs = ring.certs(arrival());
    for fingerprint in &accepted.fingerprints {
        let cert = certs.iter().find(|cert| cert.fingerprint == *fingerprint).expect("a certificate of the ring");
        assert!(!cert.revoked && cert.can_sign, "accepted by {cert:?}");
    }
}
