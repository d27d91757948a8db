//! S18 to S30, S32 to S34 and S41 to S45: who made a signature, when, and whether that key may.

use super::{Table, days_from_now, in_days, now, usual};
use crate::certs::{
    DAY, assemble, back_signature, bound_by, bound_by_sha1, ed25519, flip, odd_rsa, revoked, rsa, self_signed_again,
    valid_until, with_subkey,
};
use crate::forge::{BORN, Draft, Hand, MADE, Raw, builder, seconds, sub, system};
use jiff::SignedDuration;
use rolloutd::domain::refusal::Code;
use rolloutd::domain::trust::Lifted;
use sequoia_openpgp::Profile;
use sequoia_openpgp::cert::{CertBuilder, CipherSuite, SubkeyRevocationBuilder};
use sequoia_openpgp::packet::Key;
use sequoia_openpgp::packet::key::{PrimaryRole, SecretParts, SubordinateRole};
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::types::{HashAlgorithm, KeyFlags, ReasonForRevocation, SignatureType};
use std::time::Duration;

pub(super) fn rows(table: &mut Table) {
    expiry(table);
    revocation(table);
    subkeys(table);
    time(table);
    issuers(table);
    bindings(table);
    strength(table);
    rings(table);
}

/// After the usual signature was made, and over by now.
const SINCE: &str = "2026-09-01T00:00:00Z";

fn expiry(table: &mut Table) {
    let by = valid_until("2026-05-01T00:00:00Z");
    let file = table.draft().signed(&by).file();
    table.bad("S18", "a key that had expired when it signed", Code::KeyExpired, &[&by], file);
    let by = valid_until("2026-05-01T00:00:00Z");
    let file = table.draft().signed(&by).file();
    table.bad("S18", "and every exception", Code::KeyExpired, &[&by], file).allowing(&by, &Lifted::ALL);
    let by = valid_until("2026-05-01T00:00:00Z");
    let longer = self_signed_again(&by, "2026-08-01T00:00:00Z", HashAlgorithm::SHA512, |b| {
        b.set_key_validity_period(DAY * 36500).unwrap()
    });
    let file = table.draft().signed(&by).file();
    table.bad("S18", "and it was extended since", Code::KeyExpired, &[], file).ring(&[&longer]);
    let draft = table.draft();
    let later = by.sign_at(SINCE, &draft.header());
    table.good("S18", "and it signed after that", &[&by], draft.with(268, later).file()).ring(&[&longer]);

    let by = valid_until(SINCE);
    let file = table.draft().signed(&by).file();
    table.bad("S19", "a key that has expired since", Code::KeyExpiredAtArrival, &[&by], file);
    let by = valid_until(SINCE);
    let file = table.draft().signed(&by).file();
    table
        .good("S19", "and its exception", &[&by], file)
        .allowing(&by, &[Lifted::Expired])
        .noting("admitted by the legacy exception expired");
    let by = valid_until(&days_from_now(30));
    let file = table.draft().signed(&by).file();
    table.good("S19", "a key that will expire in a month", &[&by], file);
}

fn revocation(table: &mut Table) {
    for reason in [ReasonForRevocation::KeyRetired, ReasonForRevocation::KeySuperseded] {
        for lifted in [&[][..], &Lifted::ALL] {
            let by = Hand::new("a");
            let cert = revoked(&by, SINCE, reason);
            let file = table.draft().signed(&by).file();
            let what = format!("{reason} after it signed, with {} exceptions", lifted.len());
            table.bad("S20", &what, Code::KeyRevoked, &[], file).ring(&[&cert]).allowing(&by, lifted);
        }
        let by = Hand::new("a");
        let cert = revoked(&by, &days_from_now(30), reason);
        let file = table.draft().signed(&by).file();
        table.good("S20", &format!("{reason} next month"), &[&by], file).ring(&[&cert]);
    }
    let by = Hand::new("a");
    let retired = Hand { cert: revoked(&by, "2026-03-01T00:00:00Z", ReasonForRevocation::KeyRetired), ..by.clone() };
    let again = self_signed_again(&retired, "2026-04-01T00:00:00Z", HashAlgorithm::SHA512, |b| b);
    let file = table.draft().signed(&by).file();
    table.bad("S20", "retired, and signed itself again later", Code::KeyRevoked, &[], file).ring(&[&again]);
    for when in ["2024-06-01T00:00:00Z", SINCE, &days_from_now(40)] {
        for reason in [ReasonForRevocation::KeyCompromised, ReasonForRevocation::Unspecified] {
            let by = Hand::new("a");
            let cert = revoked(&by, when, reason);
            let file = table.draft().signed(&by).file();
            table.bad("S21", &format!("{reason}, said {when}"), Code::KeyRevoked, &[], file).ring(&[&cert]);
        }
    }
    let by = Hand::new("a");
    let (primary, mut signer) = by.primary();
    let revocation = SignatureBuilder::new(SignatureType::KeyRevocation)
        .set_hash_algo(HashAlgorithm::SHA1)
        .set_signature_creation_time(system(SINCE))
        .unwrap()
        .set_reason_for_revocation(ReasonForRevocation::KeyRetired, b"")
        .unwrap()
        .sign_direct_key(&mut signer, Some(&primary))
        .unwrap();
    let cert = by.cert.clone().insert_packets(revocation).unwrap().0;
    let file = table.draft().signed(&by).file();
    table.bad("S21", "a revocation by SHA-1", Code::KeyRevoked, &[], file).ring(&[&cert]);
}

fn subkeys(table: &mut Table) {
    let family = || {
        let primary = Hand::from_builder(builder("a").add_signing_subkey());
        let by = primary.subkey();
        (primary, by)
    };
    let (primary, by) = family();
    let file = table.draft().signed(&by).file();
    table.good("S22", "signed by a subkey", &[&primary], file);
    for reason in [ReasonForRevocation::KeyCompromised, ReasonForRevocation::KeyRetired] {
        let (primary, by) = family();
        let cert = revoked(&primary, SINCE, reason);
        let file = table.draft().signed(&by).file();
        let what = format!("signed by a subkey, and the primary key: {reason}");
        table.bad("S22", &what, Code::KeyRevoked, &[], file).ring(&[&cert]);
    }
    let (primary, by) = family();
    let subkey = primary.cert.keys().subkeys().next().unwrap().key().clone();
    let revocation = SubkeyRevocationBuilder::new()
        .set_signature_creation_time(system(SINCE))
        .unwrap()
        .set_reason_for_revocation(ReasonForRevocation::KeyRetired, b"")
        .unwrap()
        .build(&mut primary.primary().1, &primary.cert, &subkey, None)
        .unwrap();
    let cert = primary.cert.clone().insert_packets(revocation).unwrap().0;
    let file = table.draft().signed(&by).file();
    table.bad("S22", "the subkey is revoked", Code::KeyRevoked, &[], file).ring(&[&cert]);
    let file = table.draft().signed(&primary).file();
    table.good("S22", "the subkey is revoked, and the primary key signed", &[&primary], file).ring(&[&cert]);
    for (what, end, code) in [
        ("the subkey had expired when it signed", in_days(-400), Code::KeyExpired),
        ("the subkey has expired since", in_days(-2), Code::KeyExpiredAtArrival),
    ] {
        let span = Duration::try_from(end.duration_since(BORN.parse().unwrap())).unwrap();
        let primary = Hand::from_builder(builder("a").add_subkey(KeyFlags::empty().set_signing(), span, None));
        let file = table.draft().signed(&primary.subkey()).file();
        table.bad("S22", what, code, &[&primary], file);
    }
    let span = Duration::try_from(in_days(-2).duration_since(BORN.parse().unwrap())).unwrap();
    let short = builder("a").set_validity_period(span).add_subkey(KeyFlags::empty().set_signing(), DAY * 9000, None);
    let primary = Hand::from_builder(short);
    let file = table.draft().signed(&primary.subkey()).file();
    table.bad("S22", "the certificate expired before its subkey", Code::KeyExpiredAtArrival, &[&primary], file);
}

fn time(table: &mut Table) {
    let by = usual();
    for (days, good) in [(30, false), (36500, true)] {
        let draft = table.draft();
        let builder = SignatureBuilder::new(SignatureType::Binary);
        let builder = builder.set_signature_creation_time(system(MADE)).unwrap();
        let packet = by.build(builder.set_signature_validity_period(DAY * days).unwrap(), MADE, &draft.header());
        let file = draft.with(268, packet).file();
        let what = format!("a signature for {days} days");
        table.due("S23", &what, (!good).then_some(Code::SignatureExpired), &[by], file);
    }
    // As far ahead of the clock on arrival as can be: what is made now arrives within some minutes.
    for (minutes, good) in [(4, true), (26, false), (31, false), (60 * 24 * 365 * 10, false)] {
        let draft = table.draft();
        let when = (now() + SignedDuration::from_mins(minutes)).to_string();
        let file = draft.clone().with(268, by.sign_at(&when, &draft.header())).file();
        let what = format!("made {minutes} minutes ahead");
        table.due("S24", &what, (!good).then_some(Code::NotYetValid), &[by], file);
    }
    let draft = table.draft();
    let file = draft.clone().with(268, by.sign_at("2023-12-31T23:59:59Z", &draft.header())).file();
    table.bad("S25", "a signature older than its key", Code::SignatureBeforeKey, &[by], file);
}

fn issuers(table: &mut Table) {
    let by = usual();
    let created = sub(2, &seconds(MADE));
    let (id, fingerprint) = (sub(16, &by.id()), sub(33, &by.issuer_fingerprint()));
    let with = |draft: Draft, hashed: Vec<u8>, unhashed: Vec<u8>| {
        let packet = by.raw(&Raw { hashed, unhashed, ..Raw::four(by) }, &draft.header());
        draft.with(268, packet).file()
    };
    let both = [fingerprint.clone(), id.clone()].concat();
    for (what, hashed, unhashed) in [
        ("named by id outside the signed part", created.clone(), id.clone()),
        ("named by fingerprint and id outside the signed part", created.clone(), both.clone()),
    ] {
        let file = with(table.draft(), hashed, unhashed);
        table.good("S26", what, &[by], file);
    }
    let mut bad = vec![
        ("named by fingerprint alone".to_owned(), created.clone(), fingerprint),
        ("not named".to_owned(), created.clone(), Vec::new()),
        ("no creation time".to_owned(), id.clone(), Vec::new()),
        ("a creation time that nobody signed".to_owned(), id, created.clone()),
    ];
    for length in [0, 7, 9, 20, 255] {
        let issuer = sub(16, &vec![7; length]);
        bad.push((format!("a key id of {length} octets, signed"), [&created[..], &issuer].concat(), Vec::new()));
        bad.push((format!("a key id of {length} octets"), created.clone(), issuer));
    }
    for body in [vec![], vec![4], vec![4; 20], vec![4; 22], vec![6; 21], vec![9; 21]] {
        bad.push((format!("a fingerprint of {body:?}"), created.clone(), sub(33, &body)));
    }
    for (what, hashed, unhashed) in bad {
        let file = with(table.draft(), hashed, unhashed);
        table.bad("S26", &what, Code::SignatureFormat, &[by], file);
    }

    let file = with(table.draft(), [&created[..], &both].concat(), both);
    table.good("S27", "named twice by fingerprint and id", &[by], file);
    let other = Hand::new("b");
    let own = [("fingerprint", sub(33, &by.issuer_fingerprint())), ("id", sub(16, &by.id()))];
    let foreign = [("fingerprint", sub(33, &other.issuer_fingerprint())), ("id", sub(16, &other.id()))];
    for (how, one) in &own {
        for (how_else, another) in &foreign {
            for (where_, hashed, unhashed) in [
                ("both signed", [&created[..], one, another].concat(), Vec::new()),
                ("both signed, in the other order", [&created[..], another, one].concat(), Vec::new()),
                ("neither signed", created.clone(), [&one[..], another].concat()),
                ("the first signed", [&created[..], one].concat(), another.clone()),
                ("the second signed", [&created[..], another].concat(), one.clone()),
            ] {
                let what = format!("{how} of one key, {how_else} of another, {where_}");
                let file = with(table.draft(), hashed, unhashed);
                table.bad("S27", &what, Code::IssuerConflict, &[by, &other], file);
            }
        }
    }
}

fn bindings(table: &mut Table) {
    let none = KeyFlags::empty();
    for (what, flags) in [
        ("certification only", none.clone().set_certification()),
        ("nothing", none.clone()),
        ("authentication only", none.clone().set_authentication()),
    ] {
        let key: Key<SecretParts, PrimaryRole> = ed25519();
        let cert = assemble(&key, flags, HashAlgorithm::SHA512, BORN, Vec::new());
        let by = Hand { cert, key: key.role_into_unspecified() };
        let file = table.draft().signed(&by).file();
        table.bad("S28", &format!("a key for {what}"), Code::NotSigningKey, &[&by], file);
    }
    for (what, flags) in
        [("authentication", none.clone().set_authentication()), ("encryption", none.set_transport_encryption())]
    {
        let (primary, by) = with_subkey(|b| b.set_key_flags(flags).unwrap(), |_, _| None);
        let file = table.draft().signed(&by).file();
        table.bad("S28", &format!("a subkey for {what}"), Code::NotSigningKey, &[&primary], file);
    }

    let good = |primary: &_, subkey: &_| Some(back_signature(subkey, primary, subkey));
    let mut bad = |what: &str, (primary, by): (Hand, Hand)| {
        let file = table.draft().signed(&by).file();
        table.bad("S29", what, Code::UnboundKey, &[&primary], file);
    };
    bad("no binding", bound_by(&ed25519(), &ed25519(), None));
    bad("no back-signature, as in CVE-2021-3521", with_subkey(|b| b, |_, _| None));
    bad("a back-signature by another key", {
        with_subkey(|b| b, |primary, subkey| Some(back_signature(&ed25519(), primary, subkey)))
    });
    bad("a binding that has expired", with_subkey(|b| b.set_signature_validity_period(DAY * 30).unwrap(), good));
    let signing = || {
        SignatureBuilder::new(SignatureType::SubkeyBinding)
            .set_signature_creation_time(system(BORN))
            .unwrap()
            .set_key_flags(KeyFlags::empty().set_signing())
            .unwrap()
    };
    let (owner, subkey): (Key<SecretParts, PrimaryRole>, Key<SecretParts, SubordinateRole>) = (ed25519(), ed25519());
    let other: Key<SecretParts, PrimaryRole> = ed25519();
    let binding = signing()
        .set_embedded_signature(back_signature(&subkey, &owner, &subkey))
        .unwrap()
        .sign_subkey_binding(
            &mut other.clone().into_keypair().unwrap(),
            owner.parts_as_public(),
            subkey.parts_as_public(),
        )
        .unwrap();
    bad("bound by the primary key of another", bound_by(&owner, &subkey, Some(binding)));

    let (primary, by) = with_subkey(|b| b, good);
    let file = table.draft().signed(&by).file();
    table.good("S29", "bound in both directions", &[&primary], file);
    // Whoever adopts the subkey of another is not the signer of what that has signed.
    for only_the_thief in [true, false] {
        let (owner, by) = with_subkey(|b| b, good);
        let thief: Key<SecretParts, PrimaryRole> = ed25519();
        let stolen = owner.cert.keys().subkeys().next().unwrap().key().clone();
        let binding = signing()
            .sign_subkey_binding(
                &mut thief.clone().into_keypair().unwrap(),
                thief.parts_as_public(),
                stolen.parts_as_public(),
            )
            .unwrap();
        let (adopter, _) = bound_by(&thief, &stolen.clone().parts_into_secret().unwrap(), Some(binding));
        let file = table.draft().signed(&by).file();
        if only_the_thief {
            table.bad("S29", "a subkey adopted by a thief", Code::UnboundKey, &[&adopter], file)
        } else {
            table
                .good("S29", "a subkey adopted by a thief, and its owner in the ring", &[&owner], file)
                .ring(&[&adopter.cert, &owner.cert])
        }
        .arriving_in("adopted");
    }
    let nameless = CertBuilder::new()
        .set_creation_time(system(BORN))
        .set_primary_key_flags(KeyFlags::empty().set_certification().set_signing());
    let by = Hand::from_builder(nameless);
    assert_eq!(by.cert.userids().count(), 0);
    let file = table.draft().signed(&by).file();
    table.good("S30", "a certificate without a user id", &[&by], file);

    for when in ["2022-01-01T00:00:00Z", BORN] {
        for lifted in [false, true] {
            let by = bound_by_sha1(when);
            let file = table.draft().signed(&by).file();
            let what = format!("a key bound by SHA-1 on {when}");
            if lifted {
                let what = format!("{what} and its exception");
                table.good("S32", &what, &[&by], file).allowing(&by, &[Lifted::Sha1]);
            } else {
                table.bad("S32", &what, Code::UnboundKey, &[&by], file);
            }
        }
    }
}

fn strength(table: &mut Table) {
    for (bits, lifted) in [(1024, false), (1024, true), (2047, false)] {
        let by = rsa(bits);
        let file = table.draft().signed(&by).file();
        let what = format!("RSA of {bits} bits");
        if lifted {
            table.good("S33", &format!("{what} and its exception"), &[&by], file).allowing(&by, &[Lifted::WeakKey]);
        } else {
            table.bad("S33", &what, Code::WeakKey, &[&by], file);
        }
    }
    let suite = CipherSuite::MLDSA65_Ed25519;
    let by = Hand::from_builder(builder("pq").set_profile(Profile::RFC9580).unwrap().set_cipher_suite(suite));
    let draft = table.six();
    let packet = by.sign(&draft.header());
    table.good("S33", "ML-DSA-65 with Ed25519", &[&by], draft.with_array(&[packet]).file());
    // Both halves count: the first 64 octets after the head are Ed25519, what follows is ML-DSA.
    for from_the_end in [1, 3309, 3310, 3373] {
        let draft = table.six();
        let mut packet = by.sign(&draft.header());
        let at = packet.len() - from_the_end;
        flip(&mut packet, at);
        let what = format!("ML-DSA-65 with Ed25519, spoilt {from_the_end} octets from its end");
        table.bad("S33", &what, Code::BadSignature, &[&by], draft.with_array(&[packet]).file());
    }
    for beside in [false, true] {
        let by = usual();
        let draft = table.draft();
        let unknown = by.raw(&Raw { algorithm: Some(100), ..Raw::four(by) }, &draft.header());
        let draft = draft.with(267, unknown);
        let (what, draft) =
            if beside { ("algorithm 100 beside a good signature", draft.signed(by)) } else { ("algorithm 100", draft) };
        table.bad("S33", what, Code::UnknownAlgorithm, &[by], draft.file());
    }
    let modulus = vec![0xd5; 256];
    let even = [&modulus[..255], &[0xd4]].concat();
    for (id, what, e, n, code) in [
        ("S34", "exponent 1", vec![1], modulus.clone(), Code::WeakKey),
        ("S34", "an even exponent", vec![1, 0, 0], modulus.clone(), Code::WeakKey),
        ("S34", "an exponent of 4096 bits", vec![0xd5; 512], modulus, Code::WeakKey),
        ("S34", "an even modulus", vec![1, 0, 1], even, Code::WeakKey),
        ("S33", "RSA of 16384 bits", vec![1, 0, 1], vec![0xd5; 2048], Code::UnknownAlgorithm),
    ] {
        let (cert, packet) = odd_rsa(&e, &n);
        let file = table.draft().with(268, packet).file();
        table.bad(id, what, code, &[], file).ring(&[&cert]);
    }
}

fn rings(table: &mut Table) {
    for first in [true, false] {
        let by = Hand::new("a");
        let with = revoked(&by, SINCE, ReasonForRevocation::KeyRetired);
        let certs = if first { [&with, &by.cert] } else { [&by.cert, &with] };
        let what = format!("two copies of a key, the {} one revoked", if first { "first" } else { "second" });
        let file = table.draft().signed(&by).file();
        table.bad("S42", &what, Code::KeyRevoked, &[], file).ring(&certs).arriving_in("copies");
    }
    let revoker = Hand::new("revoker");
    let named = sequoia_openpgp::types::RevocationKey::new(revoker.key.pk_algo(), revoker.cert.fingerprint(), false);
    // By anybody else it is a complaint, and there is no ring (`rings`).
    let by = Hand::from_builder(builder("a").set_revocation_keys(vec![named]));
    let revocation = SignatureBuilder::new(SignatureType::KeyRevocation)
        .set_signature_creation_time(system(SINCE))
        .unwrap()
        .set_reason_for_revocation(ReasonForRevocation::KeyCompromised, b"")
        .unwrap()
        .sign_direct_key(&mut revoker.pair(), Some(by.cert.primary_key().key()))
        .unwrap();
    let cert = by.cert.clone().insert_packets(revocation).unwrap().0;
    let file = table.draft().signed(&by).file();
    let what = "revoked by whom it named for that";
    table.bad("S42", what, Code::KeyRevoked, &[], file).ring(&[&cert, &revoker.cert]);
    let key: Key<SecretParts, PrimaryRole> = ed25519();
    let flags = KeyFlags::empty().set_certification().set_signing();
    let cert = assemble(&key, flags, HashAlgorithm::SHA512, "2026-08-01T00:00:00Z", Vec::new());
    let by = Hand { cert, key: key.role_into_unspecified() };
    let file = table.draft().signed(&by).file();
    table.good("S43", "a key whose old self-signature is gone", &[&by], file).noting("was judged by its present one");
    let by = usual();
    let draft = table.draft();
    let (once, again) = (by.sign(&draft.header()), by.sign_at("2026-07-01T00:00:00Z", &draft.header()));
    table.good("S45", "a package, to be signed again", &[by], draft.clone().with(268, once).file());
    // Alone it is good; that it is the second is for a daemon to know.
    table
        .good("S45", "the same header and payload with another signature", &[by], draft.with(268, again).file())
        .expecting(Code::DuplicateNevra);
    table.elsewhere(
        "S41",
        "two keys with one 64-bit id",
        "src/format/openpgp/ring.rs tells the index that two keys collide: real ones cost weeks, and two that others \
         made are in the corpus (tests/it/corpus_verdicts.rs)",
    );
    table.elsewhere(
        "S44",
        "secret keys, 50 MB and 10^5 subkeys in a ring",
        "tests/it/gate.rs: it is a key file that is refused, before any package is looked at",
    );
}
