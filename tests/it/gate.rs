//! What a row of the catalogue cannot say about the gate: every octet altered and every length cut, exceptions
//! that help only all together, moments to the second, rings that are none.

use crate::certs::{armored, bound_by_sha1, ed25519, flip, odd_rsa, revoked, rsa, self_signed_again, valid_until};
use crate::forge::{
    ARRIVES, BORN, Draft, Hand, Raw, Value, accepted, framed, header, judge, judge_by, read, refused, ring, ring_of,
    sha1, sha256, texts, time,
};
use rolloutd::domain::checksum::ChecksumKind;
use rolloutd::domain::refusal::Code;
use rolloutd::domain::trust::{Legacy, Lifted, Policy};
use rolloutd::format::openpgp::{Claim, KEY_FILE_MAX, Keyring};
use rolloutd::format::reading::{Reading, Unread};
use sequoia_openpgp::armor;
use sequoia_openpgp::cert::{Cert, CipherSuite};
use sequoia_openpgp::packet::key::{PrimaryRole, SecretParts, SubordinateRole};
use sequoia_openpgp::packet::{Key, Packet};
use sequoia_openpgp::serialize::SerializeInto as _;
use sequoia_openpgp::types::{HashAlgorithm, ReasonForRevocation};
use std::io::{ErrorKind, Read};
use std::time::Duration;

/// A policy with one exception, which ends after the packages of these tests arrive.
fn allowing(fingerprint: &str, allow: &[Lifted]) -> Policy {
    let legacy =
        Legacy { fingerprint: fingerprint.to_owned(), until: time("2027-01-01T00:00:00Z"), allow: allow.to_vec() };
    Policy { legacy: vec![legacy], min_signers: 0 }
}

#[track_caller]
fn admitted_only_by(file: &[u8], by: &Hand, without: Code, allow: &[Lifted]) {
    let ring = ring(&[by]);
    refused(file, &ring, without);
    for (left_out, _) in allow.iter().enumerate() {
        let mut fewer = allow.to_vec();
        fewer.remove(left_out);
        let verdict = judge_by(file, &ring, &allowing(&by.fingerprint(), &fewer));
        assert!(verdict.is_err(), "accepted with {fewer:?} only");
    }
    let verdict = judge_by(file, &ring, &allowing(&by.fingerprint(), allow)).unwrap();
    assert_eq!(verdict.fingerprints, [by.fingerprint()]);
    assert!(!verdict.notes.is_empty(), "an exception was used and nobody is told");

    let other = "0".repeat(40);
    assert!(judge_by(file, &ring, &allowing(&other, allow)).is_err(), "the exception of another key");
    let mut over = allowing(&by.fingerprint(), allow);
    over.legacy[0].until = time(ARRIVES);
    assert!(judge_by(file, &ring, &over).is_err(), "an exception that has ended");
}

#[test]
fn s06_header_and_payload_signatures_alone_need_the_exception() {
    let by = Hand::new("a");
    for tag in [1002, 1005] {
        let draft = Draft::old();
        let packet = by.sign(&draft.both());
        let file = draft.with(tag, packet).file();
        admitted_only_by(&file, &by, Code::LegacySignature, &[Lifted::HeaderPayload]);

        let mut altered = file.clone();
        let last = altered.len() - 1;
        flip(&mut altered, last);
        let verdict = judge_by(&altered, &ring(&[&by]), &allowing(&by.fingerprint(), &[Lifted::HeaderPayload]));
        // The MD5 tells first; without it the signature does.
        assert_eq!(verdict.unwrap_err().code, Code::PayloadDigest);
    }
    let draft = Draft::old();
    let weak = by.raw(&Raw { hash: 2, ..Raw::four(&by) }, &draft.both());
    admitted_only_by(&draft.with(1005, weak).file(), &by, Code::WeakHash, &[Lifted::HeaderPayload, Lifted::Sha1]);
}

#[test]
fn s10_an_empty_ring_lets_nothing_in() {
    let draft = Draft::six();
    let packet = Hand::new("a").sign(&draft.header());
    refused(&draft.with_array(&[packet]).file(), &Keyring::default(), Code::UnknownKey);
}

#[test]
fn s19_a_key_that_has_expired_since_is_refused_on_arrival() {
    let by = valid_until("2026-09-01T00:00:00Z");
    let file = Draft::new().signed(&by).file();
    admitted_only_by(&file, &by, Code::KeyExpiredAtArrival, &[Lifted::Expired]);
    // It was in order when it arrived before.
    let verdict = read(&file).unwrap().judge(&ring(&[&by]), &Policy::default(), time("2026-08-31T23:59:59Z"));
    assert_eq!(verdict.map(|a| a.fingerprints), Ok(vec![by.fingerprint()]));
    let verdict = read(&file).unwrap().judge(&ring(&[&by]), &Policy::default(), time("2026-09-01T00:00:00Z"));
    assert_eq!(verdict.unwrap_err().code, Code::KeyExpiredAtArrival);
}

#[test]
fn s24_a_signature_may_be_five_minutes_ahead() {
    let by = Hand::new("a");
    let draft = Draft::new();
    for (when, verdict) in [
        ("2026-11-20T12:04:00Z", Ok(())),
        ("2026-11-20T12:05:00Z", Ok(())),
        ("2026-11-20T12:05:01Z", Err(Code::NotYetValid)),
        ("2026-11-20T12:06:00Z", Err(Code::NotYetValid)),
        ("2026-11-20T12:31:00Z", Err(Code::NotYetValid)),
        ("2099-01-01T00:00:00Z", Err(Code::NotYetValid)),
    ] {
        let file = draft.clone().with(268, by.sign_at(when, &draft.header())).file();
        assert_eq!(judge(&file, &ring(&[&by])).map(|_| ()).map_err(|r| r.code), verdict, "{when}");
    }
}

#[test]
fn s31_sha1_is_admitted_by_its_exception_only() {
    let by = Hand::new("a");
    let draft = Draft::new();
    let packet = by.raw(&Raw { hash: 2, ..Raw::four(&by) }, &draft.header());
    admitted_only_by(&draft.with(268, packet).file(), &by, Code::WeakHash, &[Lifted::Sha1]);
}

#[test]
fn s32_a_key_that_is_bound_by_sha1_is_refused_whenever_that_was_made() {
    for when in ["2022-01-01T00:00:00Z", BORN] {
        let by = bound_by_sha1(when);
        let file = Draft::new().signed(&by).file();
        admitted_only_by(&file, &by, Code::UnboundKey, &[Lifted::Sha1]);

        // Signed again with a modern hash, also the old signatures count again, and that is said.
        let renewed = self_signed_again(&by, "2026-08-01T00:00:00Z", HashAlgorithm::SHA512, |b| b);
        let verdict = judge(&file, &ring_of(&[&renewed])).unwrap();
        assert!(verdict.notes[0].contains("was judged by its present one"), "{:?}", verdict.notes);
    }
}

#[test]
fn s33_rsa_below_2048_bits_needs_the_exception() {
    let by = rsa(1024);
    admitted_only_by(&Draft::new().signed(&by).file(), &by, Code::WeakKey, &[Lifted::WeakKey]);
    let just_below = rsa(2047);
    refused(&Draft::new().signed(&just_below).file(), &ring(&[&just_below]), Code::WeakKey);
}

/// Does something on this thread, and says how long a processor was busy with it: however much else a machine has to do,
/// it is the same.
pub(crate) fn busy<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let so_far = || {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        // The name of the thread may have blanks; the times are fields 14 and 15, in hundredths of a second.
        let fields = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
        Duration::from_millis(fields.map(|ticks| ticks.parse::<u64>().unwrap() * 10).sum())
    };
    let before = so_far();
    let done = work();
    (done, so_far().saturating_sub(before))
}

#[test]
fn s33_s34_rsa_keys_that_cannot_be_are_refused_quickly() {
    let modulus = vec![0xd5; 256];
    let mut even = modulus.clone();
    even[255] = 0xd4;
    for (what, e, n, code) in [
        ("exponent 1", vec![1], modulus.clone(), Code::WeakKey),
        ("even exponent", vec![1, 0, 0], modulus.clone(), Code::WeakKey),
        ("large exponent", vec![0xd5; 512], modulus, Code::WeakKey),
        ("even modulus", vec![1, 0, 1], even, Code::WeakKey),
        ("16384 bits", vec![1, 0, 1], vec![0xd5; 2048], Code::UnknownAlgorithm),
    ] {
        let (cert, packet) = odd_rsa(&e, &n);
        let (verdict, busy) = busy(|| judge(&Draft::new().with(268, packet).file(), &ring_of(&[&cert])));
        let refusal = verdict.unwrap_err();
        assert_eq!(refusal.code, code, "{what}: {refusal}");
        assert!(busy < Duration::from_secs(1), "{what}: {busy:?}");
    }
}

#[test]
fn s35_versions_4_and_6_are_accepted_and_3_with_rsa_and_sha_2_or_with_its_exception() {
    let by = Hand::of_kind("a", CipherSuite::RSA2k);
    let draft = Draft::new();
    let three = by.raw(&Raw::three(&by, 8), &draft.header());
    let by_default = judge(&draft.clone().with(268, three).file(), &ring(&[&by])).unwrap();
    assert_eq!(by_default.notes, ["tag 268 (over the header): a signature packet of version 3"]);
    let by = Hand::new("a");
    let three = by.raw(&Raw::three(&by, 8), &draft.header());
    admitted_only_by(&draft.clone().with(268, three).file(), &by, Code::SignatureVersion, &[Lifted::V3]);

    let old = Draft::old();
    let (v3_header, v3_both) = (by.raw(&Raw::three(&by, 2), &old.header()), by.raw(&Raw::three(&by, 2), &old.both()));
    let as_el5_had_it = old.with(267, v3_header).with(1005, v3_both).file();
    let all = [Lifted::V3, Lifted::HeaderPayload, Lifted::Sha1];
    admitted_only_by(&as_el5_had_it, &by, Code::WeakHash, &all);

    for version in [0, 1, 2, 5, 7, 255] {
        let mut packet = by.raw(&Raw::four(&by), &draft.header());
        packet[6] = version;
        let file = draft.clone().with(268, packet).file();
        refused(&file, &ring(&[&by]), Code::SignatureVersion);
        assert!(judge_by(&file, &ring(&[&by]), &allowing(&by.fingerprint(), &Lifted::ALL)).is_err());
    }
}

#[test]
fn s40_malformed_numbers_are_refused() {
    let by = Hand::new("a");
    let draft = Draft::new();
    let raw = Raw::four(&by);
    let good = by.raw(&raw, &draft.header());
    let first_mpi = 6 + 4 + 2 + raw.hashed.len() + 2 + raw.unhashed.len() + 2;
    for bits in [0_u16, 1, 8, 0x00f0, 0x0101, 0x0108, 0x0200, 0x7fff, 0xffff] {
        let mut packet = good.clone();
        if packet[first_mpi..first_mpi + 2] == bits.to_be_bytes() {
            continue;
        }
        packet[first_mpi..first_mpi + 2].copy_from_slice(&bits.to_be_bytes());
        let refusal = judge(&draft.clone().with(268, packet).file(), &ring(&[&by])).unwrap_err();
        assert!(matches!(refusal.code, Code::SignatureFormat | Code::BadSignature), "{bits:#x}: {refusal}");
    }
}

#[test]
fn no_altered_octet_of_a_signature_is_accepted() {
    let by = Hand::new("a");
    let draft = Draft::new();
    // All that it says is signed; what stands in the unhashed area may change as it likes.
    let four = Raw::four(&by);
    let raw = Raw { hashed: [four.hashed, four.unhashed].concat(), unhashed: Vec::new(), ..Raw::four(&by) };
    let good = by.raw(&raw, &draft.header());
    let contents = |packet: &[u8]| judge(&draft.clone().with(268, packet.to_vec()).file(), &ring(&[&by]));
    assert!(contents(&good).is_ok());
    let mut seen = std::collections::BTreeMap::new();
    for at in 0..good.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut packet = good.clone();
            packet[at] ^= change;
            match contents(&packet) {
                Err(refusal) => *seen.entry(refusal.code).or_insert(0) += 1,
                Ok(accepted) => panic!("octet {at} ^ {change:#x}: {accepted:?}"),
            }
        }
    }
    assert!(seen[&Code::BadSignature] > 200 && seen[&Code::SignatureFormat] > 10, "{seen:?}");
    // Cut anywhere, it is no packet.
    for length in 0..good.len() {
        assert_eq!(Claim::read(&good[..length]).unwrap_err().code, Code::SignatureFormat);
    }
}

// S41 to S44: rings.

#[test]
fn s42_a_revocation_in_any_copy_counts() {
    let by = Hand::new("a");
    let file = Draft::new().signed(&by).file();
    let with = revoked(&by, "2026-09-01T00:00:00Z", ReasonForRevocation::KeyRetired);
    accepted(&file, &ring_of(&[&by.cert, &by.cert]), &[&by]);
    for certs in [[&by.cert, &with], [&with, &by.cert]] {
        refused(&file, &ring_of(&certs), Code::KeyRevoked);
    }
    // Also in one file.
    let both = [by.public(), with.to_vec().unwrap()].concat();
    let ring = Keyring::read(&[("both".to_owned(), both)]).unwrap();
    assert_eq!(ring.certs(time(ARRIVES)).len(), 1);
    refused(&file, &ring, Code::KeyRevoked);
}

#[track_caller]
fn complains(bytes: Vec<u8>, about: &str) {
    let complaints = Keyring::read(&[("ring".to_owned(), bytes)]).unwrap_err();
    assert!(complaints.iter().any(|c| c.what.contains(about)), "{complaints:?}");
    assert!(complaints.iter().all(|c| c.label == "ring"));
}

#[test]
fn s44_a_ring_takes_certificates_and_nothing_else() {
    let by = Hand::new("a");
    let secret = by.cert.as_tsk().to_vec().unwrap();
    complains(secret.clone(), "secret key");
    complains(armored(&secret, armor::Kind::SecretKey), "secret key");
    complains(armored(&secret, armor::Kind::PublicKey), "secret key");
    complains([by.public(), secret].concat(), "secret key");
    complains(Vec::new(), "empty");
    complains(b"no key".to_vec(), "no OpenPGP certificate");
    complains(vec![0xff; 100], "not");
    complains(by.sign(b"x"), "packet 1 of it, a signature of type Binary by ");
    // A revocation may stand alone, under either name; a signature over something else may not.
    complains(armored(&by.sign(b"x"), armor::Kind::Signature), "packet 1 of it, a signature of type Binary by ");
    complains(armored(&by.sign(b"x"), armor::Kind::Message), "PGP MESSAGE");
    complains(vec![0x99; KEY_FILE_MAX + 1], "larger");
    let cut = armored(&by.public(), armor::Kind::PublicKey);
    complains(cut[..cut.len() / 2].to_vec(), "no end");
    // The format of 1992, which nobody can check any more.
    complains(framed(6, &[3, 0x30, 0, 0, 0, 0, 0, 1, 0, 8, 0xff, 0, 2, 3]), "version");
}

#[test]
fn s44_a_ring_with_a_hundred_thousand_subkeys_is_refused_quickly() {
    let key: Key<SecretParts, PrimaryRole> = ed25519();
    let subkey: Key<SecretParts, SubordinateRole> = ed25519();
    let subkey = Packet::from(subkey.parts_into_public()).to_vec().unwrap();
    for times in [2_000, 100_000] {
        let mut file = Packet::from(key.clone().parts_into_public()).to_vec().unwrap();
        file.extend(subkey.repeat(times));
        let (ring, busy) = busy(|| Keyring::read(&[("flood".to_owned(), file)]));
        assert!(ring.is_err() && busy < Duration::from_secs(2), "{busy:?}");
    }
}

#[test]
fn every_certificate_of_a_file_is_read() {
    let (a, b, c) = (Hand::new("a"), Hand::new("b"), Hand::new("c"));
    let kind = armor::Kind::PublicKey;
    let words = b"This is the key of the example project.\npub  255/12345678\n\n".to_vec();
    let several = [
        words,
        armored(&[a.public(), b.public()].concat(), kind),
        b"and another one\r\n".to_vec(),
        armored(&c.public(), kind),
    ];
    for file in [several.concat(), [a.public(), b.public(), c.public()].concat()] {
        let ring = Keyring::read(&[("three".to_owned(), file)]).unwrap();
        let summaries = ring.certs(time(ARRIVES));
        assert_eq!(summaries.len(), 3);
        for summary in &summaries {
            assert!(summary.can_sign && !summary.revoked && summary.expiry.is_none(), "{summary:?}");
            assert_eq!(summary.remarks, Vec::<String>::new());
        }
        for by in [&a, &b, &c] {
            accepted(&Draft::new().signed(by).file(), &ring, &[by]);
        }
    }
}

#[test]
fn a_ring_says_what_is_the_matter_with_its_keys() {
    let by = valid_until("2026-12-24T00:00:00Z");
    let summary = |cert: &Cert| ring_of(&[cert]).certs(time(ARRIVES)).remove(0);
    assert_eq!(summary(&by.cert).expiry, Some(time("2026-12-24T00:00:00Z")));
    assert!(summary(&by.cert).can_sign);
    let gone = summary(&valid_until("2026-09-01T00:00:00Z").cert);
    assert!(!gone.can_sign && gone.remarks[0].contains("expired on 2026-09-01"), "{gone:?}");
    let revoked = summary(&revoked(&by, "2026-09-01T00:00:00Z", ReasonForRevocation::KeyRetired));
    assert!(revoked.revoked && !revoked.can_sign && revoked.remarks[0].contains("was revoked"), "{revoked:?}");
    let weak = summary(&rsa(1024).cert);
    assert!(!weak.can_sign && weak.remarks[0].contains("below 2048"), "{weak:?}");
}

// H24 to H27, and the reading itself.

#[test]
fn h24_the_padding_of_format_6_is_zero() {
    let by = Hand::new("a");
    let six = Draft::six();
    let packet = by.sign(&six.header());
    // The signature header ends on a multiple of eight by itself, or this shows nothing.
    let ends_odd = |draft: &Draft| {
        let mut other = draft.clone();
        other.padding = 7;
        (draft.file() != other.file()).then_some(other)
    };
    let mut seen = 0;
    for filler in 0..8 {
        let six = six.clone().with_array(std::slice::from_ref(&packet)).but(276, Some(texts(&[&"x".repeat(filler)])));
        accepted(&six.file(), &ring(&[&by]), &[&by]);
        if let Some(spoilt) = ends_odd(&six) {
            refused(&spoilt.file(), &ring(&[&by]), Code::Padding);
            // Whoever trusts those who put it there may read it all the same.
            assert_eq!(faults(&spoilt.file()), [Code::Padding]);
            seen += 1;
        }
        let four = Draft::new().signed(&by).but(276, Some(texts(&[&"x".repeat(filler)])));
        if let Some(spoilt) = ends_odd(&four) {
            let verdict = judge(&spoilt.file(), &ring(&[&by])).unwrap();
            assert!(verdict.notes[0].contains("padding"), "{:?}", verdict.notes);
            seen += 1;
        }
        assert_eq!(judge(&four.file(), &ring(&[&by])).unwrap().notes, Vec::<String>::new());
    }
    assert!(seen > 8, "{seen}");
}

/// What is wrong with the bytes of a file whose headers can be read.
fn faults(file: &[u8]) -> Vec<Code> {
    read(file).unwrap().faults.iter().map(|fault| fault.code).collect()
}

#[test]
fn h20_what_the_headers_cannot_agree_on_leaves_nothing_to_read() {
    // The size of the archive, which belongs into the signature header.
    let six = Draft::six().set(1046, Some(Value::Word(1)));
    assert_eq!(read(&six.file()).unwrap_err().code, Code::SigtagInHeader);
}

#[test]
fn h27_a_wrong_size_is_told_unless_a_digest_tells_the_same() {
    use Code::{PayloadDigest, Size, Truncated};
    let long = |draft: &Draft| Some(Value::Word(u32::try_from(draft.both().len() + 1).unwrap()));
    let short = |draft: &Draft| Some(Value::Word(u32::try_from(draft.both().len() - 1).unwrap()));
    let (new, old, six) = (Draft::new(), Draft::old().but(1004, None), Draft::six());
    let wrong_md5 = Some(Value::Bin(vec![0; 16]));
    let (whole, at) = (new.file(), new.file().len() - 1);
    let six_says = |bytes: usize| six.clone().set(5112, Some(Value::Long(bytes as u64))).file();
    for (what, file, right) in [
        ("as it should be", whole.clone(), &[][..]),
        ("all there by its digests, and too short", new.clone().but(1000, long(&new)).file(), &[Size]),
        ("all there by its digests, and too long", new.clone().but(1000, short(&new)).file(), &[Size]),
        (
            "all there by one digest only, and too short",
            new.clone().but(1000, long(&new)).but(1004, wrong_md5.clone()).file(),
            &[PayloadDigest, Truncated],
        ),
        ("without a digest, and too short", old.clone().but(1000, long(&old)).file(), &[Truncated]),
        ("without a digest, and too long", old.clone().but(1000, short(&old)).file(), &[Size]),
        ("cut", whole[..at].to_vec(), &[PayloadDigest, PayloadDigest, Truncated]),
        ("something is appended", [&whole[..], b"x"].concat(), &[PayloadDigest, PayloadDigest]),
        ("something is appended to format 6", [&six.file()[..], b"x"].concat(), &[PayloadDigest; 3]),
        ("format 6 with too short a payload", six_says(six.payload.len() + 1), &[Size]),
        ("format 6 with too long a payload", six_says(six.payload.len() - 1), &[Size]),
    ] {
        assert_eq!(faults(&file), right, "{what}");
    }
}

#[test]
fn s16_the_payload_digest_may_be_by_each_strong_algorithm() {
    // Numbers as OpenPGP has them: SHA-256, SHA-384, SHA-512, SHA3-256 and SHA3-512.
    for number in [8, 9, 10, 12, 14] {
        let draft = Draft::new().but(1004, None);
        let mut context = HashAlgorithm::from(number).context().unwrap().for_digest();
        context.update(&draft.payload);
        let digest = hex::encode(context.into_digest().unwrap());
        let draft = draft.set(5092, Some(texts(&[&digest]))).set(5093, Some(Value::Word(number.into())));
        let mut file = draft.file();
        assert_eq!(faults(&file), [], "{number}");
        let last = file.len() - 1;
        flip(&mut file, last);
        assert_eq!(faults(&file), [Code::PayloadDigest], "{number}");
    }
}

/// Gives a file in small pieces and is disturbed before each of them; in the end it may fail.
struct Disturbed<'a> {
    pieces: std::slice::Chunks<'a, u8>,
    interrupted: bool,
    end: Option<ErrorKind>,
}

impl Read for Disturbed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(ErrorKind::Interrupted.into());
        }
        let Some(piece) = self.pieces.next() else { return self.end.take().map_or(Ok(0), |kind| Err(kind.into())) };
        buffer[..piece.len()].copy_from_slice(piece);
        Ok(piece.len())
    }
}

#[test]
fn a_read_that_is_disturbed_goes_on_and_one_that_fails_is_no_verdict() {
    let file = Draft::new().file();
    let whole = |end| {
        let mut from = Disturbed { pieces: file.chunks(500), interrupted: false, end };
        Reading::new(ChecksumKind::Sha256).whole(&mut from, &mut [0; 500])
    };
    assert_eq!(whole(None).unwrap().sha256, read(&file).unwrap().sha256);
    match whole(Some(ErrorKind::PermissionDenied)) {
        Err(Unread::Failed(error)) => assert_eq!(error.kind(), ErrorKind::PermissionDenied),
        other => panic!("{other:?}"),
    }
    match Reading::new(ChecksumKind::Sha256).whole(&mut &[1; 4096][..], &mut [0; 500]) {
        Err(Unread::Refused(refusal)) => assert_eq!(refusal.code, Code::NotRpm),
        other => panic!("{other:?}"),
    }
}

#[test]
fn h01_a_package_that_is_cut_anywhere_is_truncated_and_may_come_whole_yet() {
    let by = Hand::new("a");
    let file = Draft::new().signed(&by).file();
    let ring = ring(&[&by]);
    for length in 0..file.len() {
        let refusal = judge(&file[..length], &ring).unwrap_err();
        assert_eq!(refusal.code, Code::Truncated, "{length}: {refusal}");
        assert!(refusal.may_be_incomplete());
    }
}

#[test]
fn h04_a_header_is_hashed_as_it_lies_in_the_file() {
    let by = Hand::new("a");
    let draft = Draft::new().signed(&by);
    let file = draft.file();
    let main = file.len() - draft.both().len();
    for octet in [3, 4, 5, 6, 7] {
        let mut altered = file.clone();
        altered[main + octet] ^= 1;
        refused(&altered, &ring(&[&by]), Code::HeaderMagic);
    }
    // Nothing in the main header can change without being seen.
    for at in (main..file.len() - draft.payload.len()).step_by(3) {
        let mut altered = file.clone();
        altered[at] ^= 1;
        assert!(judge(&altered, &ring(&[&by])).is_err(), "octet {}", at - main);
    }
}

#[test]
fn the_pieces_in_which_a_file_comes_do_not_matter() {
    let by = Hand::new("a");
    let draft = Draft::old();
    let packet = by.sign(&draft.both());
    let file = draft.with(1005, packet).file();
    let policy = allowing(&by.fingerprint(), &[Lifted::HeaderPayload]);
    let whole = read(&file).unwrap();
    for size in [1, 7, 95, 96, 97, 112, 1000, 4096] {
        for kind in ChecksumKind::ALL {
            let mut reading = Reading::new(kind);
            for piece in file.chunks(size) {
                reading.push(piece).unwrap();
            }
            let contents = reading.finish().unwrap();
            assert_eq!((contents.size, contents.sha256), (file.len() as u64, whole.sha256));
            let expected = match kind {
                ChecksumKind::Sha1 => sha1(&file),
                ChecksumKind::Sha256 => sha256(&file),
                ChecksumKind::Sha512 => crate::forge::sha512(&file),
            };
            assert_eq!(contents.pkgid, hex::encode(expected));
            let verdict = contents.judge(&ring(&[&by]), &policy, time(ARRIVES));
            assert_eq!(verdict.map(|a| a.fingerprints), Ok(vec![by.fingerprint()]));
        }
    }
}

#[test]
fn what_a_file_holds_is_told_in_short() {
    let file = Draft::new().file();
    let told = format!("{:?}", read(&file).unwrap());
    let begins = format!("Contents {{ size: {}, sha256: {}, layout: ", file.len(), hex::encode(sha256(&file)));
    assert!(told.starts_with(&begins) && told.ends_with(", faults: [], .. }"), "{told}");
}

#[test]
fn after_a_refusal_nothing_more_is_taken() {
    let mut reading = Reading::new(ChecksumKind::Sha256);
    let refusal = reading.push(&[1; 4096]).unwrap_err();
    assert_eq!(reading.push(b"more"), Err(refusal.clone()));
    assert_eq!(reading.finish().unwrap_err(), refusal);
}

#[test]
fn a_header_that_the_forge_lays_out_is_what_the_reader_reads() {
    let bytes = header(63, &Draft::new().main);
    let read = rolloutd::format::header::Header::read(&bytes, rolloutd::format::header::Part::Main).unwrap();
    assert_eq!(read.string(1000), Some(&b"tool"[..]));
    assert!(read.has_region() && read.in_order());
}
