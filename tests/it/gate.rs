//! The gate's verdicts on signatures and digests, row by row of the catalogue of hostile inputs
//! (S1 to S44, H24 to H27): from the bytes of a file and of a key ring to a code.

use crate::certs::{
    DAY, armored, assemble, back_signature, bound_by, ed25519, flip, next_in_alphabet, odd_rsa, revoked, rsa,
    self_signed_again, valid_until, with_subkey,
};
use crate::forge::{
    ARRIVES, BORN, Draft, Hand, MADE, Raw, Value, accepted, builder, framed, header, judge, judge_by, read, refused,
    ring, ring_of, sha1, sha256, sub, system, text, texts, time,
};
use rolloutd::domain::checksum::ChecksumKind;
use rolloutd::domain::refusal::Code;
use rolloutd::domain::trust::{Legacy, Lifted, Policy};
use rolloutd::format::openpgp::{Claim, KEY_FILE_MAX, Keyring};
use rolloutd::format::reading::Reading;
use sequoia_openpgp::cert::{Cert, CertBuilder, CertRevocationBuilder, CipherSuite, SubkeyRevocationBuilder};
use sequoia_openpgp::crypto::mpi;
use sequoia_openpgp::packet::key::{Key4, PrimaryRole, PublicParts, SecretParts, SubordinateRole};
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::packet::signature::subpacket::NotationDataFlags;
use sequoia_openpgp::packet::{Key, Packet, Signature, UserID};
use sequoia_openpgp::serialize::SerializeInto as _;
use sequoia_openpgp::types::{HashAlgorithm, KeyFlags, PublicKeyAlgorithm, ReasonForRevocation, SignatureType};
use sequoia_openpgp::{Profile, armor};
use std::io::Write as _;
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

// S1 to S17: what is signed and what is there.

#[test]
fn s01_good_signatures_of_every_usual_kind_are_accepted() {
    for (tag, suite) in [
        (268, CipherSuite::RSA2k),
        (267, CipherSuite::Cv25519),
        (267, CipherSuite::P256),
        (267, CipherSuite::P384),
        (267, CipherSuite::P521),
    ] {
        let by = Hand::of_kind("a", suite);
        let draft = Draft::new();
        let packet = by.sign(&draft.header());
        accepted(&draft.clone().with(tag, packet.clone()).file(), &ring(&[&by]), &[&by]);
        accepted(&draft.with_array(&[packet]).file(), &ring(&[&by]), &[&by]);
    }
}

#[test]
fn s01_a_package_of_format_6_with_signatures_of_version_6_is_accepted() {
    let v6 = |suite| {
        let cert = builder("six").set_profile(Profile::RFC9580).unwrap().set_cipher_suite(suite);
        Hand::from_builder(cert)
    };
    let (one, other) = (v6(CipherSuite::Cv25519), v6(CipherSuite::Cv448));
    let draft = Draft::six();
    let packets = [one.sign(&draft.header()), other.sign(&draft.header())];
    assert_eq!(packets[0][2..].iter().position(|b| *b == 6), Some(0), "not a packet of version 6");
    accepted(&draft.with_array(&packets).file(), &ring(&[&one, &other]), &[&one, &other]);
}

#[test]
fn s02_a_package_without_a_signature_is_refused() {
    let by = Hand::new("a");
    refused(&Draft::new().file(), &ring(&[&by]), Code::Unsigned);
    refused(&Draft::six().file(), &ring(&[&by]), Code::Unsigned);
}

#[test]
fn s03_an_altered_payload_is_refused_by_its_digest() {
    let by = Hand::new("a");
    let mut draft = Draft::new().signed(&by);
    flip(&mut draft.payload, 700);
    // MD5 and size are made right by `file`, as an attacker would.
    refused(&draft.file(), &ring(&[&by]), Code::PayloadDigest);
}

#[test]
fn s04_s05_a_payload_that_nobody_signed_is_partially_signed() {
    let by = Hand::new("a");
    let good = Draft::old().signed(&by);
    refused(&good.file(), &ring(&[&by]), Code::PartiallySigned);

    let mut altered = good.clone();
    flip(&mut altered.payload, 0);
    refused(&altered.file(), &ring(&[&by]), Code::PartiallySigned);

    let mut md5_wrong = good.file();
    let last = md5_wrong.len() - 1;
    flip(&mut md5_wrong, last);
    refused(&md5_wrong, &ring(&[&by]), Code::PartiallySigned);

    // Every exception there is does not help where there is no signature over the payload.
    let all = allowing(&by.fingerprint(), &Lifted::ALL);
    assert_eq!(judge_by(&altered.file(), &ring(&[&by]), &all).unwrap_err().code, Code::PartiallySigned);
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
fn s06_an_altered_payload_is_refused_by_the_signature_too() {
    let by = Hand::new("a");
    let mut draft = Draft::old();
    let packet = by.sign(&draft.both());
    flip(&mut draft.payload, 3);
    // MD5 is right for the altered payload.
    let verdict = judge_by(
        &draft.with(1002, packet).file(),
        &ring(&[&by]),
        &allowing(&by.fingerprint(), &[Lifted::HeaderPayload]),
    );
    assert_eq!(verdict.unwrap_err().code, Code::BadSignature);
}

#[test]
fn s06_a_signature_over_the_header_does_not_pass_for_one_over_an_empty_payload() {
    let by = Hand::new("a");
    let whole = Draft::old();
    let over_the_header = by.sign(&whole.header());
    let emptied = Draft { payload: Vec::new(), ..whole }.with(1002, over_the_header);
    let verdict = judge_by(&emptied.file(), &ring(&[&by]), &allowing(&by.fingerprint(), &Lifted::ALL));
    assert_eq!(verdict.unwrap_err().code, Code::Truncated);
}

#[test]
fn s07_one_bad_signature_of_two_ranges_is_enough_to_refuse() {
    let by = Hand::new("a");
    let policy = allowing(&by.fingerprint(), &[Lifted::HeaderPayload]);
    for draft in [Draft::new(), Draft::old()] {
        let good_header = by.sign(&draft.header());
        let good_both = by.sign(&draft.both());
        let bad = by.sign(b"something else");
        for (header_signature, both_signature) in [(good_header.clone(), bad.clone()), (bad.clone(), good_both.clone())]
        {
            let file = draft.clone().with(268, header_signature).with(1002, both_signature).file();
            refused(&file, &ring(&[&by]), Code::BadSignature);
            assert_eq!(judge_by(&file, &ring(&[&by]), &policy).unwrap_err().code, Code::BadSignature);
        }
    }
}

#[test]
fn s08_the_signature_of_another_package_is_refused() {
    let by = Hand::new("a");
    let other = Draft::new().set(1000, Some(text("other")));
    let packet = by.sign(&other.header());
    refused(&Draft::new().with(268, packet).file(), &ring(&[&by]), Code::BadSignature);
}

#[test]
fn s09_a_corrupted_signature_beside_a_good_one_is_refused_in_either_order() {
    let (a, b) = (Hand::new("a"), Hand::new("b"));
    let draft = Draft::six();
    let good = a.sign(&draft.header());
    let mut corrupted = b.sign(&draft.header());
    let last = corrupted.len() - 1;
    flip(&mut corrupted, last);
    for packets in [[good.clone(), corrupted.clone()], [corrupted.clone(), good.clone()]] {
        refused(&draft.clone().with_array(&packets).file(), &ring(&[&a, &b]), Code::BadSignature);
    }
    // Also by the key that made the good one, and also in different tags (S13).
    let mut own = a.sign_at("2026-07-01T00:00:00Z", &draft.header());
    let last = own.len() - 1;
    flip(&mut own, last);
    refused(&draft.clone().with_array(&[good.clone(), own.clone()]).file(), &ring(&[&a]), Code::BadSignature);
    for (one, other) in [(good.clone(), own.clone()), (own, good)] {
        refused(
            &Draft { format6: false, ..draft.clone() }.with(268, one).with(267, other).file(),
            &ring(&[&a]),
            Code::BadSignature,
        );
    }
}

#[test]
fn s10_a_signature_by_an_unknown_key_beside_a_good_one_is_refused() {
    let (known, unknown) = (Hand::new("a"), Hand::new("b"));
    let draft = Draft::six();
    let packets = [known.sign(&draft.header()), unknown.sign(&draft.header())];
    refused(&draft.clone().with_array(&packets).file(), &ring(&[&known]), Code::UnknownKey);
    refused(&draft.clone().with_array(&packets[1..]).file(), &ring(&[&known]), Code::UnknownKey);
    refused(&draft.with_array(&packets[..1]).file(), &Keyring::default(), Code::UnknownKey);
}

#[test]
fn s11_a_signature_that_is_only_too_weak_is_left_out_of_account_beside_a_good_one() {
    let by = Hand::new("a");
    let draft = Draft::new();
    let weak = by.raw(&Raw { hash: 2, ..Raw::four(&by) }, &draft.header());
    let both = draft.clone().with(267, weak.clone()).signed(&by).file();
    let verdict = judge(&both, &ring(&[&by])).unwrap();
    assert_eq!(verdict.notes.len(), 1);
    assert!(verdict.notes[0].contains("not counted (weak_hash)"), "{:?}", verdict.notes);

    refused(&draft.clone().with(267, weak).file(), &ring(&[&by]), Code::WeakHash);
    // Weak and wrong is wrong.
    let wrong = by.raw(&Raw { hash: 2, ..Raw::four(&by) }, b"something else");
    refused(&draft.with(267, wrong).signed(&by).file(), &ring(&[&by]), Code::BadSignature);
}

#[test]
fn s11_a_weak_signature_does_not_count_towards_the_signers() {
    let (a, b) = (Hand::new("a"), Hand::new("b"));
    let draft = Draft::new();
    let weak = b.raw(&Raw { hash: 2, ..Raw::four(&b) }, &draft.header());
    let file = draft.with(267, weak).signed(&a).file();
    let two = Policy { min_signers: 2, ..Policy::default() };
    assert_eq!(judge_by(&file, &ring(&[&a, &b]), &two).unwrap_err().code, Code::TooFewSigners);
    accepted(&file, &ring(&[&a, &b]), &[&a]);
}

#[test]
fn s12_signing_twice_makes_one_signer() {
    let two = Policy { min_signers: 2, ..Policy::default() };
    let cert = builder("a").add_signing_subkey();
    let primary = Hand::from_builder(cert);
    let subkey = primary.subkey();
    let other = Hand::new("b");
    let draft = Draft::six();
    let once = primary.sign(&draft.header());
    for packets in [
        vec![once.clone(), once.clone()],
        vec![once.clone(), primary.sign_at("2026-07-01T00:00:00Z", &draft.header())],
        vec![once.clone(), subkey.sign(&draft.header())],
    ] {
        let file = draft.clone().with_array(&packets).file();
        assert_eq!(judge_by(&file, &ring(&[&primary]), &two).unwrap_err().code, Code::TooFewSigners);
    }
    let file = draft.clone().with_array(&[once, other.sign(&draft.header())]).file();
    assert_eq!(judge_by(&file, &ring(&[&primary, &other]), &two).map(|a| a.fingerprints.len()), Ok(2));
}

#[test]
fn s13_every_tag_is_looked_at() {
    let (a, b) = (Hand::new("a"), Hand::new("b"));
    let draft = Draft::new();
    let (good, bad) = (a.sign(&draft.header()), b.sign(b"something else"));
    for (one, other) in [(good.clone(), bad.clone()), (bad, good)] {
        refused(&draft.clone().with(267, one).with(268, other).file(), &ring(&[&a, &b]), Code::BadSignature);
    }
}

#[test]
fn s14_every_digest_that_is_there_must_be_right() {
    let by = Hand::new("a");
    let good = Draft::new().signed(&by);
    let wrong = |digits: usize| Some(text("0".repeat(digits)));
    refused(&good.clone().but(269, wrong(40)).file(), &ring(&[&by]), Code::HeaderDigest);
    refused(&good.clone().but(273, wrong(64)).file(), &ring(&[&by]), Code::HeaderDigest);
    refused(&good.clone().but(279, wrong(64)).file(), &ring(&[&by]), Code::HeaderDigest);
    refused(&good.clone().but(1004, Some(Value::Bin(vec![0; 16]))).file(), &ring(&[&by]), Code::PayloadDigest);
    // Of a form that no digest has.
    refused(&good.clone().but(269, wrong(38)).file(), &ring(&[&by]), Code::HeaderDigest);
    refused(&good.but(273, Some(text("x".repeat(64)))).file(), &ring(&[&by]), Code::HeaderDigest);
}

#[test]
fn s14_every_payload_digest_of_format_6_must_be_right() {
    let by = Hand::new("a");
    for (tag, digits) in [(5121, 128), (5123, 64)] {
        let draft = Draft::six().set(tag, Some(text("0".repeat(digits))));
        let packet = by.sign(&draft.header());
        refused(&draft.with_array(&[packet]).file(), &ring(&[&by]), Code::PayloadDigest);
    }
}

#[test]
fn s15_weak_digests_do_not_matter_under_a_signature() {
    let by = Hand::new("a");
    accepted(&Draft::new().signed(&by).but(273, None).file(), &ring(&[&by]), &[&by]);
    let only_md5 = Draft::new().signed(&by).but(273, None).but(269, None);
    accepted(&only_md5.file(), &ring(&[&by]), &[&by]);
    // rpm 4 wants one of them, whatever the signature says: found by comparing mutants with it.
    let none = only_md5.but(1004, None).but(1000, None);
    refused(&none.file(), &ring(&[&by]), Code::HeaderDigest);
}

#[test]
fn s16_the_payload_digest_is_one_of_sha256_or_stronger() {
    let by = Hand::new("a");
    let digest = hex::encode(sha256(&Draft::new().payload));
    let with = |digests: Value, algorithm: Option<u32>| {
        Draft::new().set(5092, Some(digests)).set(5093, algorithm.map(Value::Word)).signed(&by).file()
    };
    let sha512 = hex::encode(crate::forge::sha512(&Draft::new().payload));
    let sha1 = hex::encode(sha1(&Draft::new().payload));
    accepted(&with(texts(&[&digest]), None), &ring(&[&by]), &[&by]);
    accepted(&with(texts(&[&digest.to_uppercase()]), Some(8)), &ring(&[&by]), &[&by]);
    accepted(&with(texts(&[&sha512]), Some(10)), &ring(&[&by]), &[&by]);
    for (digests, algorithm) in [
        (texts(&[&digest, &digest]), Some(8)),
        (texts(&[&digest, "00"]), Some(8)),
        (texts(&[&digest[..62]]), Some(8)),
        (texts(&["not hexadecimal"]), Some(8)),
        (texts(&[""]), Some(8)),
        (texts(&[&sha1]), Some(2)),
        (texts(&[&digest[..32]]), Some(1)),
        (texts(&[&digest]), Some(99)),
    ] {
        refused(&with(digests, algorithm), &ring(&[&by]), Code::PayloadDigestFormat);
    }
}

#[test]
fn s17_the_uncompressed_payload_is_another_file() {
    let by = Hand::new("a");
    let uncompressed = b"what it is when unpacked".to_vec();
    let draft = Draft::new().set(5097, Some(texts(&[&hex::encode(sha256(&uncompressed))])));
    let swapped = Draft { payload: uncompressed, ..draft.clone() }.with(268, by.sign(&draft.header()));
    accepted(&draft.signed(&by).file(), &ring(&[&by]), &[&by]);
    refused(&swapped.file(), &ring(&[&by]), Code::PayloadDigest);
}

// S18 to S25: time.

#[test]
fn s18_a_key_that_had_expired_when_it_signed_is_refused() {
    let by = valid_until("2026-05-01T00:00:00Z");
    let file = Draft::new().signed(&by).file();
    refused(&file, &ring(&[&by]), Code::KeyExpired);
    let all = allowing(&by.fingerprint(), &Lifted::ALL);
    assert_eq!(judge_by(&file, &ring(&[&by]), &all).unwrap_err().code, Code::KeyExpired);
}

#[test]
fn s18_extending_a_key_does_not_heal_what_it_signed_while_it_had_expired() {
    let by = valid_until("2026-05-01T00:00:00Z");
    let longer = self_signed_again(&by, "2026-08-01T00:00:00Z", HashAlgorithm::SHA512, |b| {
        b.set_key_validity_period(DAY * 3650).unwrap()
    });
    refused(&Draft::new().signed(&by).file(), &ring_of(&[&longer]), Code::KeyExpired);
    let draft = Draft::new();
    let later = by.sign_at("2026-09-01T00:00:00Z", &draft.header());
    accepted(&draft.with(268, later).file(), &ring_of(&[&longer]), &[&by]);
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
fn s20_a_key_that_was_retired_since_is_refused() {
    let by = Hand::new("a");
    let file = Draft::new().signed(&by).file();
    for reason in [ReasonForRevocation::KeyRetired, ReasonForRevocation::KeySuperseded] {
        let cert = revoked(&by, "2026-09-01T00:00:00Z", reason);
        refused(&file, &ring_of(&[&cert]), Code::KeyRevoked);
        // An announcement for a later day is none yet.
        let later = revoked(&by, "2026-12-01T00:00:00Z", reason);
        accepted(&file, &ring_of(&[&later]), &[&by]);
        let all = allowing(&by.fingerprint(), &Lifted::ALL);
        assert_eq!(judge_by(&file, &ring_of(&[&cert]), &all).unwrap_err().code, Code::KeyRevoked);
    }
}

#[test]
fn s20_a_later_self_signature_does_not_undo_a_retirement() {
    let by = Hand::new("a");
    let retired = Hand { cert: revoked(&by, "2026-03-01T00:00:00Z", ReasonForRevocation::KeyRetired), ..by.clone() };
    let again = self_signed_again(&retired, "2026-04-01T00:00:00Z", HashAlgorithm::SHA512, |b| b);
    refused(&Draft::new().signed(&by).file(), &ring_of(&[&again]), Code::KeyRevoked);
}

#[test]
fn s21_a_compromised_key_is_refused_whenever_that_was_said() {
    let by = Hand::new("a");
    let file = Draft::new().signed(&by).file();
    for when in ["2024-06-01T00:00:00Z", "2026-09-01T00:00:00Z", "2027-01-01T00:00:00Z"] {
        for reason in [ReasonForRevocation::KeyCompromised, ReasonForRevocation::Unspecified] {
            refused(&file, &ring_of(&[&revoked(&by, when, reason)]), Code::KeyRevoked);
        }
    }
}

#[test]
fn s21_a_revocation_counts_whatever_its_hash() {
    let by = Hand::new("a");
    let (primary, mut signer) = by.primary();
    let revocation = SignatureBuilder::new(SignatureType::KeyRevocation)
        .set_hash_algo(HashAlgorithm::SHA1)
        .set_signature_creation_time(system("2026-09-01T00:00:00Z"))
        .unwrap()
        .set_reason_for_revocation(ReasonForRevocation::KeyRetired, b"")
        .unwrap()
        .sign_direct_key(&mut signer, Some(&primary))
        .unwrap();
    let cert = by.cert.clone().insert_packets(revocation).unwrap().0;
    refused(&Draft::new().signed(&by).file(), &ring_of(&[&cert]), Code::KeyRevoked);
}

#[test]
fn s22_subkey_and_primary_key_must_both_be_in_order() {
    let primary = Hand::from_builder(builder("a").add_signing_subkey());
    let by = primary.subkey();
    let file = Draft::new().signed(&by).file();
    accepted(&file, &ring(&[&primary]), &[&primary]);

    let compromised = revoked(&primary, "2026-09-01T00:00:00Z", ReasonForRevocation::KeyCompromised);
    refused(&file, &ring_of(&[&compromised]), Code::KeyRevoked);
    let retired = revoked(&primary, "2026-09-01T00:00:00Z", ReasonForRevocation::KeyRetired);
    refused(&file, &ring_of(&[&retired]), Code::KeyRevoked);

    let subkey = primary.cert.keys().subkeys().next().unwrap().key().clone();
    let revocation = SubkeyRevocationBuilder::new()
        .set_signature_creation_time(system("2026-09-01T00:00:00Z"))
        .unwrap()
        .set_reason_for_revocation(ReasonForRevocation::KeyRetired, b"")
        .unwrap()
        .build(&mut primary.primary().1, &primary.cert, &subkey, None)
        .unwrap();
    let cert = primary.cert.clone().insert_packets(revocation).unwrap().0;
    refused(&file, &ring_of(&[&cert]), Code::KeyRevoked);
    // The primary key goes on.
    accepted(&Draft::new().signed(&primary).file(), &ring_of(&[&cert]), &[&primary]);

    for (days, code) in [(30, Code::KeyExpired), (900, Code::KeyExpiredAtArrival)] {
        let flags = KeyFlags::empty().set_signing();
        let primary = Hand::from_builder(builder("a").add_subkey(flags, DAY * days, None));
        refused(&Draft::new().signed(&primary.subkey()).file(), &ring(&[&primary]), code);
    }
    // And a subkey is not longer valid than its certificate.
    let short =
        builder("a").set_validity_period(DAY * 900).add_subkey(KeyFlags::empty().set_signing(), DAY * 9000, None);
    let primary = Hand::from_builder(short);
    refused(&Draft::new().signed(&primary.subkey()).file(), &ring(&[&primary]), Code::KeyExpiredAtArrival);
}

#[test]
fn s23_a_signature_that_has_expired_is_refused() {
    let by = Hand::new("a");
    let draft = Draft::new();
    for (days, verdict) in [(30, Err(Code::SignatureExpired)), (3000, Ok(()))] {
        let builder = SignatureBuilder::new(SignatureType::Binary);
        let builder = builder.set_signature_creation_time(system(MADE)).unwrap();
        let packet = by.build(builder.set_signature_validity_period(DAY * days).unwrap(), MADE, &draft.header());
        let file = draft.clone().with(268, packet).file();
        assert_eq!(judge(&file, &ring(&[&by])).map(|_| ()).map_err(|r| r.code), verdict);
    }
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
fn s25_a_signature_older_than_its_key_is_refused() {
    let by = Hand::new("a");
    let draft = Draft::new();
    let file = draft.clone().with(268, by.sign_at("2023-12-31T23:59:59Z", &draft.header())).file();
    refused(&file, &ring(&[&by]), Code::SignatureBeforeKey);
}

// S26 to S30: who made it.

#[test]
fn s26_the_maker_may_be_named_outside_the_signed_part_but_must_be_named() {
    let by = Hand::new("a");
    let draft = Draft::new();
    let created = sub(2, &crate::forge::seconds(MADE));
    let check = |hashed: Vec<u8>, unhashed: Vec<u8>| {
        let packet = by.raw(&Raw { hashed, unhashed, ..Raw::four(&by) }, &draft.header());
        judge(&draft.clone().with(268, packet).file(), &ring(&[&by])).map(|_| ()).map_err(|r| r.code)
    };
    assert_eq!(check(created.clone(), sub(16, &by.id())), Ok(()));
    let both = [sub(33, &by.issuer_fingerprint()), sub(16, &by.id())].concat();
    assert_eq!(check(created.clone(), both), Ok(()));
    assert_eq!(check(created.clone(), sub(33, &by.issuer_fingerprint())), Err(Code::SignatureFormat), "no key id");
    assert_eq!(check(created.clone(), Vec::new()), Err(Code::SignatureFormat), "no issuer");
    assert_eq!(check(sub(16, &by.id()), Vec::new()), Err(Code::SignatureFormat), "no creation time");
    assert_eq!(check(sub(16, &by.id()), created.clone()), Err(Code::SignatureFormat), "unsigned creation time");
    for length in [0, 7, 9, 20, 255] {
        let issuer = sub(16, &vec![7; length]);
        assert_eq!(
            check([created.clone(), issuer.clone()].concat(), Vec::new()),
            Err(Code::SignatureFormat),
            "{length}"
        );
        assert_eq!(check(created.clone(), issuer), Err(Code::SignatureFormat), "{length}");
    }
    for body in [vec![], vec![4], vec![4; 20], vec![4; 22], vec![6; 21], vec![9; 21]] {
        assert_eq!(check(created.clone(), sub(33, &body)), Err(Code::SignatureFormat), "{body:?}");
    }
}

#[test]
fn s27_issuers_that_contradict_one_another_are_refused() {
    let (by, other) = (Hand::new("a"), Hand::new("b"));
    let draft = Draft::new();
    let created = sub(2, &crate::forge::seconds(MADE));
    let check = |hashed: &[Vec<u8>], unhashed: &[Vec<u8>]| {
        let hashed = [created.clone(), hashed.concat()].concat();
        let packet = by.raw(&Raw { hashed, unhashed: unhashed.concat(), ..Raw::four(&by) }, &draft.header());
        judge(&draft.clone().with(268, packet).file(), &ring(&[&by, &other])).map(|_| ()).map_err(|r| r.code)
    };
    let own = [sub(33, &by.issuer_fingerprint()), sub(16, &by.id())];
    let foreign = [sub(33, &other.issuer_fingerprint()), sub(16, &other.id())];
    assert_eq!(check(&own, &own), Ok(()));
    for one in &own {
        for another in &foreign {
            let pair = [one.clone(), another.clone()];
            let reversed = [another.clone(), one.clone()];
            for (hashed, unhashed) in [
                (&pair[..], &[][..]),
                (&reversed, &[]),
                (&[], &pair),
                (&pair[..1], &pair[1..]),
                (&pair[1..], &pair[..1]),
            ] {
                assert_eq!(check(hashed, unhashed), Err(Code::IssuerConflict));
            }
        }
    }
}

#[test]
fn s28_a_key_that_is_not_for_signing_is_refused() {
    let none = KeyFlags::empty();
    for flags in [none.clone().set_certification(), none.clone(), none.clone().set_authentication()] {
        let key: Key<SecretParts, PrimaryRole> = ed25519();
        let cert = assemble(&key, flags, HashAlgorithm::SHA512, BORN, Vec::new());
        let by = Hand { cert, key: key.role_into_unspecified() };
        refused(&Draft::new().signed(&by).file(), &ring(&[&by]), Code::NotSigningKey);
    }
    for flags in [none.clone().set_authentication(), none.set_transport_encryption()] {
        let (primary, by) = with_subkey(|b| b.set_key_flags(flags).unwrap(), |_, _| None);
        refused(&Draft::new().signed(&by).file(), &ring(&[&primary]), Code::NotSigningKey);
    }
}

#[test]
fn s29_a_subkey_must_be_bound_in_both_directions() {
    let good = |primary: &_, subkey: &_| Some(back_signature(subkey, primary, subkey));
    let (primary, by) = with_subkey(|b| b, good);
    let file = Draft::new().signed(&by).file();
    accepted(&file, &ring(&[&primary]), &[&primary]);

    // No binding at all.
    let (primary, by) = bound_by(&ed25519(), &ed25519(), None);
    refused(&Draft::new().signed(&by).file(), &ring(&[&primary]), Code::UnboundKey);

    // Bound by somebody else's primary key.
    let (owner, subkey) = (ed25519(), ed25519());
    let other: Key<SecretParts, PrimaryRole> = ed25519();
    let binding = SignatureBuilder::new(SignatureType::SubkeyBinding)
        .set_signature_creation_time(system(BORN))
        .unwrap()
        .set_key_flags(KeyFlags::empty().set_signing())
        .unwrap()
        .set_embedded_signature(back_signature(&subkey, &owner, &subkey))
        .unwrap()
        .sign_subkey_binding(
            &mut other.clone().into_keypair().unwrap(),
            owner.parts_as_public(),
            subkey.parts_as_public(),
        )
        .unwrap();
    let (primary, by) = bound_by(&owner, &subkey, Some(binding));
    refused(&Draft::new().signed(&by).file(), &ring(&[&primary]), Code::UnboundKey);

    // No back-signature: anybody could adopt the subkey (CVE-2021-3521).
    let (primary, by) = with_subkey(|b| b, |_, _| None);
    refused(&Draft::new().signed(&by).file(), &ring(&[&primary]), Code::UnboundKey);

    // A back-signature by another key.
    let (primary, by) = with_subkey(|b| b, |primary, subkey| Some(back_signature(&ed25519(), primary, subkey)));
    refused(&Draft::new().signed(&by).file(), &ring(&[&primary]), Code::UnboundKey);

    // A binding that has expired.
    let (primary, by) = with_subkey(|b| b.set_signature_validity_period(DAY * 30).unwrap(), good);
    refused(&Draft::new().signed(&by).file(), &ring(&[&primary]), Code::UnboundKey);
}

#[test]
fn s29_adopting_the_subkey_of_another_does_not_make_one_the_signer() {
    let good = |primary: &_, subkey: &_| Some(back_signature(subkey, primary, subkey));
    let (owner, by) = with_subkey(|b| b, good);
    let file = Draft::new().signed(&by).file();

    let thief: Key<SecretParts, PrimaryRole> = ed25519();
    let stolen = owner.cert.keys().subkeys().next().unwrap().key().clone();
    let binding = SignatureBuilder::new(SignatureType::SubkeyBinding)
        .set_signature_creation_time(system(BORN))
        .unwrap()
        .set_key_flags(KeyFlags::empty().set_signing())
        .unwrap()
        .sign_subkey_binding(
            &mut thief.clone().into_keypair().unwrap(),
            thief.parts_as_public(),
            stolen.parts_as_public(),
        )
        .unwrap();
    let (adopter, _) = bound_by(&thief, &stolen.clone().parts_into_secret().unwrap(), Some(binding));
    refused(&file, &ring(&[&adopter]), Code::UnboundKey);
    accepted(&file, &ring(&[&adopter, &owner]), &[&owner]);
    accepted(&file, &ring(&[&owner, &adopter]), &[&owner]);
}

#[test]
fn s30_a_certificate_without_user_ids_is_accepted() {
    let nameless = CertBuilder::new()
        .set_creation_time(system(BORN))
        .set_primary_key_flags(KeyFlags::empty().set_certification().set_signing());
    let by = Hand::from_builder(nameless);
    assert_eq!(by.cert.userids().count(), 0);
    accepted(&Draft::new().signed(&by).file(), &ring(&[&by]), &[&by]);
}

// S31 to S37: strength and form.

#[test]
fn s31_hashes_from_sha224_on_are_accepted() {
    let by = Hand::new("a");
    for (hash, verdict) in [
        (1, Err(Code::WeakHash)),
        (2, Err(Code::WeakHash)),
        (3, Err(Code::WeakHash)),
        (8, Ok(())),
        (9, Ok(())),
        (10, Ok(())),
        (11, Ok(())),
        (12, Ok(())),
        (14, Ok(())),
        (77, Err(Code::UnknownAlgorithm)),
    ] {
        let draft = Draft::new();
        let packet = by.raw(&Raw { hash, ..Raw::four(&by) }, &draft.header());
        let file = draft.with(268, packet).file();
        assert_eq!(judge(&file, &ring(&[&by])).map(|_| ()).map_err(|r| r.code), verdict, "hash {hash}");
        let all = judge_by(&file, &ring(&[&by]), &allowing(&by.fingerprint(), &Lifted::ALL));
        assert_eq!(all.is_ok(), verdict.is_ok() || hash == 2, "hash {hash} with every exception");
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
        let mut key: Key4<SecretParts, PrimaryRole> =
            Key4::generate_ecc(true, sequoia_openpgp::types::Curve::Ed25519).unwrap();
        key.set_creation_time(system("2022-01-01T00:00:00Z")).unwrap();
        let key = Key::from(key);
        let flags = KeyFlags::empty().set_certification().set_signing();
        let cert = assemble(&key, flags, HashAlgorithm::SHA1, when, Vec::new());
        let by = Hand { cert, key: key.role_into_unspecified() };
        let file = Draft::new().signed(&by).file();
        admitted_only_by(&file, &by, Code::UnboundKey, &[Lifted::Sha1]);

        // Signed again with a modern hash, also the old signatures count again, and that is said.
        let renewed = self_signed_again(&by, "2026-08-01T00:00:00Z", HashAlgorithm::SHA512, |b| b);
        let verdict = judge(&file, &ring_of(&[&renewed])).unwrap();
        assert!(verdict.notes[0].contains("was judged as it is now"), "{:?}", verdict.notes);
    }
}

#[test]
fn s33_rsa_below_2048_bits_needs_the_exception() {
    let by = rsa(1024);
    admitted_only_by(&Draft::new().signed(&by).file(), &by, Code::WeakKey, &[Lifted::WeakKey]);
    let just_below = rsa(2047);
    refused(&Draft::new().signed(&just_below).file(), &ring(&[&just_below]), Code::WeakKey);
}

#[test]
fn s33_post_quantum_signatures_are_checked() {
    let suite = CipherSuite::MLDSA65_Ed25519;
    let by = Hand::from_builder(builder("pq").set_profile(Profile::RFC9580).unwrap().set_cipher_suite(suite));
    assert_eq!(by.key.pk_algo(), PublicKeyAlgorithm::MLDSA65_Ed25519);
    let draft = Draft::six();
    let good = by.sign(&draft.header());
    accepted(&draft.clone().with_array(std::slice::from_ref(&good)).file(), &ring(&[&by]), &[&by]);
    // Both halves count: the first 64 octets after the head are Ed25519, what follows is ML-DSA.
    for from_the_end in [1, 3309, 3310, 3373] {
        let mut altered = good.clone();
        let at = altered.len() - from_the_end;
        flip(&mut altered, at);
        refused(&draft.clone().with_array(&[altered]).file(), &ring(&[&by]), Code::BadSignature);
    }
}

#[test]
fn s33_an_algorithm_that_nobody_knows_is_refused_also_beside_a_good_signature() {
    let by = Hand::new("a");
    let draft = Draft::new();
    let unknown = by.raw(&Raw { algorithm: Some(100), ..Raw::four(&by) }, &draft.header());
    refused(&draft.clone().with(268, unknown.clone()).file(), &ring(&[&by]), Code::UnknownAlgorithm);
    refused(&draft.with(267, unknown).signed(&by).file(), &ring(&[&by]), Code::UnknownAlgorithm);
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
        let begin = std::time::Instant::now();
        let refusal = judge(&Draft::new().with(268, packet).file(), &ring_of(&[&cert])).unwrap_err();
        assert_eq!(refusal.code, code, "{what}: {refusal}");
        assert!(begin.elapsed() < Duration::from_secs(1), "{what}");
    }
}

#[test]
fn s35_only_versions_4_and_6_are_accepted_and_3_with_its_exception() {
    let by = Hand::new("a");
    let draft = Draft::new();
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
fn s36_only_signatures_over_binary_documents_count() {
    let by = Hand::new("a");
    let draft = Draft::new();
    for kind in [0x01, 0x02, 0x10, 0x13, 0x18, 0x1f, 0x20, 0x40, 0x50, 0xff] {
        let packet = by.raw(&Raw { kind, ..Raw::four(&by) }, &draft.header());
        refused(&draft.clone().with(268, packet).file(), &ring(&[&by]), Code::SignatureType);
    }
}

#[test]
fn s37_what_is_critical_must_be_understood() {
    let by = Hand::new("a");
    let draft = Draft::new();
    let check = |more: Vec<u8>| {
        let raw = Raw { hashed: [Raw::four(&by).hashed, more].concat(), ..Raw::four(&by) };
        let file = draft.clone().with(268, by.raw(&raw, &draft.header())).file();
        judge(&file, &ring(&[&by])).map(|_| ()).map_err(|r| r.code)
    };
    assert_eq!(check(Vec::new()), Ok(()));
    assert_eq!(check(sub(0x63, b"unknown")), Ok(()));
    assert_eq!(check(sub(0x80 | 0x63, b"unknown")), Err(Code::SignatureCritical));
    assert_eq!(check(sub(0x80 | 0x10, &by.id())), Ok(()));
    for (critical, verdict) in [(false, Ok(())), (true, Err(Code::SignatureCritical))] {
        let builder = SignatureBuilder::new(SignatureType::Binary);
        let notation = builder.add_notation("a@example.org", b"b", NotationDataFlags::empty(), critical).unwrap();
        let file = draft.clone().with(268, by.build(notation, MADE, &draft.header())).file();
        assert_eq!(judge(&file, &ring(&[&by])).map(|_| ()).map_err(|r| r.code), verdict);
    }
}

// S38 to S40: one bare packet.

#[test]
fn s38_a_tag_holds_one_bare_signature_packet_and_nothing_else() {
    let by = Hand::new("a");
    let draft = Draft::new();
    let good = by.sign(&draft.header());
    let mut armored = armor::Writer::new(Vec::new(), armor::Kind::Signature).unwrap();
    armored.write_all(&good).unwrap();
    let indeterminate = [&[0x8b][..], &good[2..]].concat();
    let partial = [&[0xc2, 0xe0][..], &good[2..]].concat();
    let uncompressed = framed(8, &[&[0][..], &good].concat());
    let mut longer = good.clone();
    longer[1] += 1;
    for (what, packet) in [
        ("two packets", [good.clone(), good.clone()].concat()),
        ("a trailing octet", [&good[..], &[0]].concat()),
        ("a packet before", [framed(10, b"PGP"), good.clone()].concat()),
        ("a packet behind", [good.clone(), framed(10, b"PGP")].concat()),
        ("armor", armored.finalize().unwrap()),
        ("a certificate", by.public()),
        ("a compressed packet", uncompressed),
        ("a literal packet", framed(11, b"b\0\0\0\0\0text")),
        ("an empty packet", framed(2, b"")),
        ("a packet that is cut", good[..good.len() - 1].to_vec()),
        ("a length beyond the end", longer),
        ("an indeterminate length", indeterminate),
        ("a partial length", partial),
        ("one octet", vec![0xc2]),
        ("zeros", vec![0; 64]),
        ("marker packets", framed(10, b"PGP").repeat(16 * 1024 * 1024 / 9)),
    ] {
        let begin = std::time::Instant::now();
        let file = draft.clone().with(268, packet.clone()).file();
        let refusal = judge(&file, &ring(&[&by])).unwrap_err();
        assert_eq!(refusal.code, Code::SignatureFormat, "{what}: {refusal}");
        assert!(begin.elapsed() < Duration::from_secs(5), "{what} took {:?}", begin.elapsed());
        // Beside a good one in another tag it is as bad.
        if packet.len() < 100_000 {
            let beside = draft.clone().with(267, packet).with(268, good.clone()).file();
            assert_eq!(judge(&beside, &ring(&[&by])).unwrap_err().code, Code::SignatureFormat, "{what}");
        }
    }
    let nothing = draft.with(268, Vec::new()).signed(&by).file();
    assert!(judge(&nothing, &ring(&[&by])).is_err());
}

#[test]
fn s38_every_way_to_write_the_length_of_a_packet_is_read() {
    let by = Hand::new("a");
    let draft = Draft::new();
    let body = by.raw(&Raw::four(&by), &draft.header())[6..].to_vec();
    let length = u16::try_from(body.len()).unwrap();
    assert!(length < 192, "{length}");
    let [high, low] = length.to_be_bytes();
    for head in [
        vec![0xc2, low],
        vec![0xc2, 255, 0, 0, high, low],
        vec![0x88, low],
        vec![0x89, high, low],
        vec![0x8a, 0, 0, high, low],
    ] {
        let packet = [head, body.clone()].concat();
        accepted(&draft.clone().with(268, packet).file(), &ring(&[&by]), &[&by]);
    }
}

#[test]
fn s39_base64_has_one_spelling() {
    use base64::Engine as _;
    let by = Hand::new("a");
    let draft = Draft::six();
    // A length that needs padding, so that there is some to leave out.
    let mut raw = Raw::four(&by);
    let good = loop {
        let packet = by.raw(&raw, &draft.header());
        if packet.len() % 3 == 1 {
            break base64::engine::general_purpose::STANDARD.encode(packet);
        }
        raw.unhashed.extend(sub(0x63, b"x"));
    };
    let check = |all: &[String]| {
        let all = all.iter().map(|t| t.as_bytes().to_vec()).collect();
        let mut draft = draft.clone();
        draft.signatures.push((278, Value::Texts(all)));
        judge(&draft.file(), &ring(&[&by])).map(|_| ()).map_err(|r| r.code)
    };
    let bad = Err(Code::SignatureFormat);
    assert_eq!(check(std::slice::from_ref(&good)), Ok(()));
    assert_eq!(check(&[good.trim_end_matches('=').to_owned()]), bad, "no padding");
    assert_eq!(check(&[good.replace("==", "=")]), bad, "too little padding");
    assert_eq!(check(&[format!("{good}=")]), bad, "too much padding");
    assert_eq!(check(&[format!("{good}\n")]), bad, "a line feed");
    assert_eq!(check(&[format!(" {good}")]), bad, "a blank");
    assert_eq!(check(&[good.replacen(&good[8..9], &format!("{}\n", &good[8..9]), 1)]), bad, "a break inside");
    let url = good.replace('+', "-").replace('/', "_");
    assert_eq!(check(std::slice::from_ref(&url)), if url == good { Ok(()) } else { bad }, "url alphabet");
    let stray = format!("{}{}==", &good[..good.len() - 3], next_in_alphabet(&good));
    assert_eq!(check(&[stray]), bad, "stray bits before the padding");
    assert_eq!(check(&[String::new()]), bad, "nothing");
    assert_eq!(check(&["*".repeat(40)]), bad);
    assert_eq!(check(&[good.clone(), "x".to_owned()]), bad);
    assert_eq!(check(&vec![good.clone(); 32]), Ok(()));
    assert_eq!(check(&vec![good.clone(); 33]), bad, "too many");
    assert_eq!(check(&vec![good; 10_000]), bad, "far too many");
}

#[test]
fn s39_many_signatures_over_a_large_header_do_not_cost_more_than_they_are_worth() {
    let by = Hand::new("a");
    let large = Draft::six().set(1146, Some(Value::Bin(vec![0; 40 * 1024 * 1024])));
    let packet = by.sign(&large.header());
    accepted(&large.clone().with_array(&vec![packet.clone(); 4]).file(), &ring(&[&by]), &[&by]);
    refused(&large.with_array(&vec![packet; 7]).file(), &ring(&[&by]), Code::SignatureFormat);
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

#[test]
fn s42_a_designated_revoker_may_revoke_when_it_is_in_the_ring() {
    let revoker = Hand::new("revoker");
    let named = sequoia_openpgp::types::RevocationKey::new(revoker.key.pk_algo(), revoker.cert.fingerprint(), false);
    let by = Hand::from_builder(builder("a").set_revocation_keys(vec![named]));
    let stranger = Hand::new("stranger");
    let revoked_by = |who: &Hand| {
        let revocation = SignatureBuilder::new(SignatureType::KeyRevocation)
            .set_signature_creation_time(system("2026-09-01T00:00:00Z"))
            .unwrap()
            .set_reason_for_revocation(ReasonForRevocation::KeyCompromised, b"")
            .unwrap()
            .sign_direct_key(&mut who.pair(), Some(by.cert.primary_key().key()))
            .unwrap();
        by.cert.clone().insert_packets(revocation).unwrap().0
    };
    let file = Draft::new().signed(&by).file();
    refused(&file, &ring_of(&[&revoked_by(&revoker), &revoker.cert]), Code::KeyRevoked);
    accepted(&file, &ring_of(&[&revoked_by(&stranger), &stranger.cert]), &[&by]);
}

#[test]
fn s43_a_key_whose_old_self_signature_is_gone_is_judged_as_it_is_now() {
    let key: Key<SecretParts, PrimaryRole> = ed25519();
    let flags = KeyFlags::empty().set_certification().set_signing();
    let cert = assemble(&key, flags, HashAlgorithm::SHA512, "2026-08-01T00:00:00Z", Vec::new());
    let by = Hand { cert, key: key.role_into_unspecified() };
    let verdict = judge(&Draft::new().signed(&by).file(), &ring(&[&by])).unwrap();
    assert_eq!(verdict.fingerprints, [by.fingerprint()]);
    assert!(verdict.notes[0].contains("was judged as it is now"), "{:?}", verdict.notes);
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
    complains(by.sign(b"x"), "not a usable certificate");
    complains(armored(&by.sign(b"x"), armor::Kind::Signature), "PGP SIGNATURE");
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
        let begin = std::time::Instant::now();
        assert!(Keyring::read(&[("flood".to_owned(), file)]).is_err());
        assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
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
            seen += 1;
        }
        let four = Draft::new().signed(&by).but(276, Some(texts(&[&"x".repeat(filler)])));
        if let Some(spoilt) = ends_odd(&four) {
            let verdict = judge(&spoilt.file(), &ring(&[&by])).unwrap();
            assert!(verdict.notes[0].contains("padding"), "{:?}", verdict.notes);
            seen += 1;
        }
    }
    assert!(seen > 8, "{seen}");
}

#[test]
fn h25_bytes_after_the_payload_are_refused() {
    let by = Hand::new("a");
    let six = Draft::six();
    let packet = by.sign(&six.header());
    for draft in [Draft::new().signed(&by), six.with_array(&[packet])] {
        refused(&[draft.file(), vec![0]].concat(), &ring(&[&by]), Code::PayloadDigest);
    }
}

#[test]
fn h26_legacy_tags_are_ignored_in_format_6_and_only_there() {
    let by = Hand::new("a");
    let six = Draft::six();
    let bad = by.sign(b"something else");
    let packet = by.sign(&six.header());
    let spoilt = six.with_array(&[packet]).with(1002, bad.clone()).but(1004, Some(Value::Bin(vec![0; 16])));
    let verdict = judge(&spoilt.file(), &ring(&[&by])).unwrap();
    assert_eq!(verdict.notes.len(), 2, "{:?}", verdict.notes);
    // The room for later signatures is what rpm goes by; without it rpm looks at the tags.
    refused(&spoilt.clone().but(999, None).file(), &ring(&[&by]), Code::PayloadDigest);
    // And nothing in the unsigned signature header makes a package of format 4 one of format 6.
    let four = Draft::new().signed(&by).with(1002, bad);
    let dressed = four
        .clone()
        .but(999, Some(Value::Bin(vec![0; 8])))
        .but(279, Some(text(hex::encode(crate::forge::sha3(&four.header())))));
    refused(&dressed.file(), &ring(&[&by]), Code::BadSignature);
}

#[test]
fn h27_a_size_that_is_not_the_size_is_refused() {
    let by = Hand::new("a");
    for (tag, value) in [(1000, Value::Word(17)), (1000, Value::Word(u32::MAX)), (270, Value::Long(1 << 40))] {
        refused(&Draft::new().signed(&by).but(tag, Some(value)).file(), &ring(&[&by]), Code::Size);
    }
    let six = Draft::six().set(5112, Some(Value::Long(3)));
    let packet = by.sign(&six.header());
    refused(&six.with_array(&[packet]).file(), &ring(&[&by]), Code::Size);
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
fn h02_what_is_no_package_is_said_to_be_none() {
    for file in [&b"<html>"[..], b"\x7fELF and so on", &[0; 5000]] {
        assert_eq!(read(file).unwrap_err().code, Code::NotRpm);
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
