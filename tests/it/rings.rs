//! Revocations count wherever they stand in a ring, and nothing of a key file is passed over in silence (S42, S44).
//!
//! The packets of a ring of five certificates are put into another order and into other files, armored or not:
//!
//! - the revocations alone, anywhere, also twice: the ring says what it said before;
//! - all signatures, or all packets: the ring says so too, or there is a complaint that names file, packet and key.
//!
//! `ROLLOUTD_RINGS` says how many orders are tried (300; 10,000 with `ROLLOUTD_LONG=1`), `ROLLOUTD_SEED` from which
//! seed:
//!
//! ```sh
//! ROLLOUTD_RINGS=10000 cargo test --test it rings::
//! ```

use std::collections::BTreeMap;

use rolloutd::format::openpgp::{CertSummary, KeyComplaint, Keyring};
use sequoia_openpgp::armor;
use sequoia_openpgp::cert::{Cert, CertRevocationBuilder, SubkeyRevocationBuilder};
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::packet::{Packet, Signature};
use sequoia_openpgp::policy::StandardPolicy;
use sequoia_openpgp::serialize::SerializeInto as _;
use sequoia_openpgp::types::{KeyFlags, ReasonForRevocation, RevocationKey, SignatureType};

use crate::certs::armored;
use crate::forge::{ARRIVES, Hand, builder, system, time};
use crate::random::Random;
use crate::{campaign, site};

const THEN: &str = "2026-09-01T00:00:00Z";

/// The certificates of a ring, and what takes some of them back.
struct Ring {
    certs: Vec<Cert>,
    revocations: Vec<Signature>,
}

fn public_packets(cert: &Cert) -> Vec<Packet> {
    cert.clone().strip_secret_key_material().into_packets().collect()
}

fn revocation(by: &Hand, reason: ReasonForRevocation) -> Signature {
    CertRevocationBuilder::new()
        .set_signature_creation_time(system(THEN))
        .unwrap()
        .set_reason_for_revocation(reason, b"a reason")
        .unwrap()
        .build(&mut by.primary().1, &by.cert, None)
        .unwrap()
}

fn subkey_revocation(by: &Hand, which: usize) -> Signature {
    let subkey = by.cert.keys().subkeys().nth(which).unwrap();
    SubkeyRevocationBuilder::new()
        .set_signature_creation_time(system(THEN))
        .unwrap()
        .set_reason_for_revocation(ReasonForRevocation::KeyCompromised, b"it was stolen")
        .unwrap()
        .build(&mut by.primary().1, &by.cert, subkey.key(), None)
        .unwrap()
}

/// A: revoked. B: one of two subkeys is. C: nothing, and B has certified it. D: by E, which it named for that. E: nothing.
fn ring() -> Ring {
    let signing = KeyFlags::empty().set_signing();
    let first = Hand::from_builder(builder("a").add_subkey(signing.clone(), None, None));
    let second =
        Hand::from_builder(builder("b").add_subkey(signing.clone(), None, None).add_subkey(signing, None, None));
    let third = Hand::from_builder(builder("c").add_userid("another c"));
    let fifth = Hand::new("e");
    let named = RevocationKey::new(fifth.cert.primary_key().key().pk_algo(), fifth.cert.fingerprint(), false);
    let fourth = Hand::from_builder(builder("d").set_revocation_keys(vec![named]));
    let by_e = SignatureBuilder::new(SignatureType::KeyRevocation)
        .set_signature_creation_time(system(THEN))
        .unwrap()
        .set_reason_for_revocation(ReasonForRevocation::KeyCompromised, b"it was stolen")
        .unwrap()
        .sign_direct_key(&mut fifth.primary().1, Some(fourth.cert.primary_key().key()))
        .unwrap();
    let policy = StandardPolicy::new();
    let known = third.cert.with_policy(&policy, system(ARRIVES)).unwrap().primary_userid().unwrap();
    let by_b = SignatureBuilder::new(SignatureType::GenericCertification)
        .set_signature_creation_time(system(THEN))
        .unwrap()
        .sign_userid_binding(&mut second.primary().1, Some(third.cert.primary_key().key()), known.userid())
        .unwrap();
    let c_certified =
        third.cert.clone().insert_packets(vec![Packet::from(known.userid().clone()), by_b.into()]).unwrap().0;
    let revocations = vec![revocation(&first, ReasonForRevocation::KeyRetired), subkey_revocation(&second, 1), by_e];
    Ring { certs: vec![first.cert, second.cert, c_certified, fourth.cert, fifth.cert], revocations }
}

/// What the ring says of each certificate.
fn said(ring: &Keyring) -> BTreeMap<String, CertSummary> {
    let sorted = |mut cert: CertSummary| {
        cert.remarks.sort();
        (cert.fingerprint.clone(), cert)
    };
    ring.certs(time(ARRIVES)).into_iter().map(sorted).collect()
}

/// Files of these packets, armored or not, that begin anywhere, or with a certificate.
fn files(packets: &[Packet], anywhere: bool, random: &mut Random) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<Vec<Packet>> = vec![vec![]];
    for packet in packets {
        let may_begin = anywhere || matches!(packet, Packet::PublicKey(_));
        if may_begin && random.below(8) == 0 {
            files.push(vec![]);
        }
        files.last_mut().unwrap().push(packet.clone());
    }
    let write = |(number, packets): (usize, Vec<Packet>)| {
        let blocks: Vec<Vec<u8>> = packets.iter().map(|packet| packet.to_vec().unwrap()).collect();
        let bytes = match random.below(3) {
            0 => blocks.concat(),
            1 => armored(&blocks.concat(), armor::Kind::PublicKey),
            // A block of its own for each half.
            _ => {
                let (one, other) = blocks.split_at(blocks.len() / 2);
                let halves = [one, other].into_iter().filter(|half| !half.is_empty());
                halves.flat_map(|half| armored(&half.concat(), armor::Kind::PublicKey)).collect()
            }
        };
        (format!("file {number}"), bytes)
    };
    files.into_iter().filter(|packets| !packets.is_empty()).enumerate().map(write).collect()
}

fn shuffle<T>(all: &mut [T], random: &mut Random) {
    for at in (1..all.len()).rev() {
        all.swap(at, random.place(at + 1));
    }
}

/// The places of signatures stay places of signatures.
fn shuffle_signatures(packets: &mut [Packet], random: &mut Random) {
    let places: Vec<usize> = (0..packets.len()).filter(|at| matches!(packets[*at], Packet::Signature(_))).collect();
    for at in (1..places.len()).rev() {
        packets.swap(places[at], places[random.place(at + 1)]);
    }
}

#[track_caller]
fn names_what_it_means(complaints: &[KeyComplaint], files: &[(String, Vec<u8>)]) {
    assert!(!complaints.is_empty());
    for KeyComplaint { label, what } in complaints {
        assert!(files.iter().any(|(file, _)| file == label), "{label}");
        assert!(what.contains("packet ") || what == "holds no OpenPGP certificate", "{what}");
    }
}

#[test]
fn in_whatever_order_packets_stand_a_revocation_counts_or_is_complained_of() {
    let seed = campaign::seed();
    let orders = campaign::number("ROLLOUTD_RINGS").unwrap_or(if campaign::is_long() { 10_000 } else { 300 });
    site::tell(&format!("rings: ROLLOUTD_SEED={seed} ROLLOUTD_RINGS={orders}"));
    let ring = ring();
    let random = &mut Random(seed);
    let in_order: Vec<Vec<Packet>> = ring.certs.iter().map(public_packets).collect();
    let mut with_revocations = ring.certs.clone();
    for (cert, revocation) in [(0, 0), (1, 1), (3, 2)] {
        let packet = ring.revocations[revocation].clone();
        with_revocations[cert] = with_revocations[cert].clone().insert_packets(packet).unwrap().0;
    }
    let whole: Vec<u8> = with_revocations.iter().flat_map(|cert| cert.to_vec().unwrap()).collect();
    let right = said(&Keyring::read(&[("whole".to_owned(), whole)]).unwrap());
    let revoked: Vec<bool> = ring.certs.iter().map(|cert| right[&cert.fingerprint().to_hex()].revoked).collect();
    assert_eq!(revoked, [true, false, false, true, false]);
    let of_b = &right[&ring.certs[1].fingerprint().to_hex()].remarks;
    assert!(of_b.len() == 1 && of_b[0].contains("was revoked"), "{of_b:?}");

    let (mut same, mut complained) = (0, 0);
    for order in 0..orders {
        let mut packets: Vec<Packet> = in_order.concat();
        let everywhere = order % 3;
        // Some of them twice.
        let mut revocations = ring.revocations.clone();
        revocations.extend(ring.revocations.iter().filter(|_| random.below(4) == 0).cloned());
        shuffle(&mut revocations, random);
        for revocation in revocations {
            packets.insert(random.place(packets.len() + 1), revocation.into());
        }
        if order % 2 == 0 {
            // What one certificate says of another has one place only.
            let certifies = |s: &Signature| s.typ() == SignatureType::GenericCertification;
            packets.retain(|packet| !matches!(packet, Packet::Signature(signature) if certifies(signature)));
        }
        match everywhere {
            0 => {}
            1 => shuffle_signatures(&mut packets, random),
            _ => shuffle(&mut packets, random),
        }
        let files = match everywhere {
            // Certificates stay whole, files begin anywhere else.
            0 => whole_files(&packets, random),
            _ => files(&packets, everywhere == 2, random),
        };
        match Keyring::read(&files) {
            Ok(read) => {
                assert_eq!(said(&read), right, "order {order} of seed {seed}");
                same += 1;
            }
            Err(complaints) => {
                assert!(everywhere > 0, "order {order} of seed {seed}: {complaints:?}");
                names_what_it_means(&complaints, &files);
                complained += 1;
            }
        }
    }
    site::tell(&format!("rings: {orders} orders, {same} say the same, {complained} are complained of, 0 silent"));
    assert!(same >= orders / 3);
}

/// Files of certificates that stay whole, with revocations between their packets or in files of their own.
fn whole_files(packets: &[Packet], random: &mut Random) -> Vec<(String, Vec<u8>)> {
    // Whether it has certificates, and what it holds.
    let mut parts: Vec<(bool, Vec<u8>)> = vec![];
    for packet in packets {
        let revokes = matches!(packet, Packet::Signature(signature) if matches!(
            signature.typ(),
            SignatureType::KeyRevocation | SignatureType::SubkeyRevocation
        ));
        let certs = parts.iter().rposition(|(has_certs, _)| *has_certs);
        let at = match (packet, certs) {
            (Packet::PublicKey(_), Some(certs)) if random.below(2) == 0 => certs,
            (Packet::PublicKey(_), _) => {
                parts.push((true, vec![]));
                parts.len() - 1
            }
            _ if revokes && (parts.is_empty() || random.below(3) == 0) => {
                parts.push((false, vec![]));
                parts.len() - 1
            }
            _ if revokes => random.place(parts.len()),
            (_, certs) => certs.unwrap(),
        };
        parts[at].1.extend(packet.to_vec().unwrap());
    }
    let write = |(number, (_, bytes)): (usize, (bool, Vec<u8>))| {
        let bytes = if random.below(2) == 0 { bytes } else { armored(&bytes, armor::Kind::PublicKey) };
        (format!("file {number}"), bytes)
    };
    parts.into_iter().enumerate().map(write).collect()
}

fn read_as(files: &[(&str, Vec<u8>)]) -> Result<Keyring, Vec<KeyComplaint>> {
    let files: Vec<(String, Vec<u8>)> = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect();
    Keyring::read(&files)
}

/// `cat A.asc B.asc A.rev.asc`, and its kin.
#[test]
fn a_revocation_counts_at_the_end_of_a_file_first_in_it_in_one_of_its_own_and_under_either_name() {
    let (a, b) = (Hand::new("a"), Hand::new("b"));
    let packet = Packet::from(revocation(&a, ReasonForRevocation::KeyCompromised)).to_vec().unwrap();
    let [a_bytes, b_bytes] = [&a, &b].map(|hand| armored(&hand.public(), armor::Kind::PublicKey));
    let as_key = armored(&packet, armor::Kind::PublicKey);
    let as_signature = armored(&packet, armor::Kind::Signature);
    for files in [
        vec![("all", [&a_bytes[..], &b_bytes, &as_key].concat())],
        vec![("all", [&as_key[..], &a_bytes, &b_bytes].concat())],
        vec![("all", [a.public(), b.public(), packet.clone()].concat())],
        vec![("all", [packet.clone(), b.public(), a.public()].concat())],
        vec![("a", a_bytes.clone()), ("b", b_bytes.clone()), ("rev", as_key.clone())],
        vec![("rev", packet.clone()), ("b", b_bytes.clone()), ("a", a_bytes.clone())],
        vec![("rev", as_signature), ("again", as_key.clone()), ("both", [a_bytes.clone(), b_bytes.clone()].concat())],
    ] {
        let ring = read_as(&files).unwrap();
        let revoked: Vec<String> =
            ring.certs(time(ARRIVES)).into_iter().filter(|cert| cert.revoked).map(|cert| cert.fingerprint).collect();
        assert_eq!(revoked, [a.fingerprint()], "{:?}", files.iter().map(|(name, _)| name).collect::<Vec<_>>());
    }
}

#[track_caller]
fn complains(files: &[(&str, Vec<u8>)], label: &str, parts: &[&str]) {
    let complaints = read_as(files).unwrap_err();
    let fits = |c: &KeyComplaint| c.label == label && parts.iter().all(|part| c.what.contains(part));
    assert!(complaints.iter().any(fits), "{label} {parts:?}: {complaints:?}");
}

#[test]
fn what_belongs_to_no_certificate_or_does_not_verify_is_named_with_file_packet_and_key() {
    let (a, b, gone) = (Hand::new("a"), Hand::new("b"), Hand::new("gone"));
    let of = |by: &Hand| Packet::from(revocation(by, ReasonForRevocation::KeyCompromised)).to_vec().unwrap();
    let key = gone.fingerprint();
    // Of a certificate that the ring does not have.
    complains(&[("a", a.public()), ("rev", of(&gone))], "rev", &["packet 1 of it, the revocation of a cert", &key]);
    let after = [b.public(), of(&gone)].concat();
    complains(
        &[("a", a.public()), ("b", after)],
        "b",
        &["the revocation of a certificate", &key, "add the certificate"],
    );
    // Damaged: its number is another.
    let mut damaged = of(&a);
    *damaged.last_mut().unwrap() ^= 1;
    let key = a.fingerprint();
    for file in [[a.public(), damaged.clone()].concat(), [b.public(), damaged.clone(), a.public()].concat()] {
        complains(&[("ring", file)], "ring", &["the revocation of a certificate", &key, "does not verify"]);
    }
    // Of a subkey that is missing.
    let with_subkey = Hand::from_builder(builder("s").add_subkey(KeyFlags::empty().set_signing(), None, None));
    let lost = Packet::from(subkey_revocation(&with_subkey, 0)).to_vec().unwrap();
    let mut packets = public_packets(&with_subkey.cert);
    let subkey = packets.iter().position(|packet| matches!(packet, Packet::PublicSubkey(_))).unwrap();
    packets.drain(subkey..subkey + 2);
    let without: Vec<u8> = packets.iter().flat_map(|packet| packet.to_vec().unwrap()).collect();
    complains(
        &[("ring", [without, lost].concat())],
        "ring",
        &["the revocation of a subkey", &with_subkey.fingerprint()],
    );
    // By somebody whom the certificate has not named for it.
    let by_b = SignatureBuilder::new(SignatureType::KeyRevocation)
        .set_signature_creation_time(system(THEN))
        .unwrap()
        .sign_direct_key(&mut b.primary().1, Some(a.cert.primary_key().key()))
        .unwrap();
    let by_b = Packet::from(by_b).to_vec().unwrap();
    let file = [a.public(), by_b, b.public()].concat();
    complains(
        &[("ring", file)],
        "ring",
        &["the revocation of a certificate", &b.fingerprint(), "did not authorise that key"],
    );
    // A user id without a key, and a packet of something else.
    let user_id = Packet::from(sequoia_openpgp::packet::UserID::from("x")).to_vec().unwrap();
    complains(&[("ring", [user_id, a.public()].concat())], "ring", &["packet 1 of it, a user id, belongs to no cert"]);
    complains(&[("ring", [a.public(), vec![0xcb, 2, 0x62, 0]].concat())], "ring", &["a packet of type"]);
}

#[test]
fn a_file_that_an_editor_has_had_its_way_with_is_read_and_what_cannot_be_is_named() {
    let a = Hand::new("a");
    let plain = String::from_utf8(armored(&a.public(), armor::Kind::PublicKey)).unwrap();
    let indented: String = plain.lines().flat_map(|line| ["  \t", line, "   \n"]).collect();
    let wide: String = plain.lines().flat_map(|line| [line, "\n\n"]).collect();
    for text in [
        plain.replace('\n', "\r\n"),
        plain.replace('\n', "\r"),
        format!("\u{feff}{plain}"),
        format!("\n\n \n{plain}\n\n"),
        indented,
        wide,
        plain.replacen("BLOCK-----\n\n", "BLOCK-----\n", 1),
        plain.replacen("BLOCK-----\n", "BLOCK-----\nVersion: GnuPG v2\nComment: ü\n", 1),
        format!("Der Schlüssel des Projekts:\n{plain}Ende.\n"),
        plain.trim_end().to_owned(),
        format!("{}{plain}", plain.trim_end()),
    ] {
        let ring = read_as(&[("key", text.clone().into_bytes())]).unwrap_or_else(|why| panic!("{why:?}: {text}"));
        assert_eq!(ring.certs(time(ARRIVES)).len(), 1, "{text}");
    }
    let middle = plain.len() / 2;
    for (bytes, says) in [
        (format!(":{plain}").into_bytes(), "there is text before `-----` on line 1"),
        (format!("> {plain}{plain}").into_bytes(), "there is text before `-----` on line 1"),
        ([plain.as_bytes(), &a.public()].concat(), "neither armor nor text"),
        ([&a.public()[..], plain.as_bytes()].concat(), "text follows a binary key from byte "),
        (format!("{plain}{}", plain.replace("-----", "—–")).into_bytes(), "its dashes or blanks were changed"),
        (plain.encode_utf16().flat_map(u16::to_le_bytes).collect(), "neither armor nor text"),
        (format!("\u{feff}{plain}").encode_utf16().flat_map(u16::to_le_bytes).collect(), "UTF-16"),
        (format!("{}?{}", &plain[..middle], &plain[middle..]).into_bytes(), "not base64"),
        (format!("{}{}", &plain[..middle], &plain[middle + 4..]).into_bytes(), "its checksum does not match"),
    ] {
        complains(&[("key", bytes)], "key", &[says]);
    }
}
