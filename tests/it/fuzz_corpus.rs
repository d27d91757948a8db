//! The corpora of `tests/fuzz/corpus`: where they come from, and that they are all there.
//!
//! They are made here, by `forge` and by our own writers, with keys whose secret halves nobody keeps: what is
//! accepted by them later is one of these files, or a defect (`tests/fuzz/genuine.rs`). So they are made anew only
//! as a whole, with `ROLLOUTD_FUZZ_CORPUS=write cargo test --test it every_target_has_a_corpus`, when a target reads
//! something else than before. Files whose names begin with `found-` are inputs on which a target has failed
//! once; they are left alone.
#![expect(clippy::disallowed_methods, reason = "the corpora are written by this test, when it is told to")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::hmac;
use jiff::Timestamp;
use rolloutd::domain::checksum::ChecksumKind;
use rolloutd::domain::trust::{Legacy, Lifted, Policy};
use rolloutd::format::compress::{self, Compression};
use rolloutd::format::openpgp::{CertSummary, Claim, Keyring};
use rolloutd::format::package::{Package, Placed};
use rolloutd::format::repomd::Repomd;
use rolloutd::format::sample::Recipe;
use rolloutd::format::{filelists, other, primary};
use sequoia_openpgp::Profile;
use sequoia_openpgp::armor;
use sequoia_openpgp::cert::{Cert, CipherSuite};
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::serialize::SerializeInto;
use sequoia_openpgp::types::{ReasonForRevocation, RevocationKey, SignatureType};

use crate::certs;
use crate::forge::{
    ARRIVES, BORN, Draft, Hand, MADE, Raw, Value, builder, framed, header, judge_by, read, sha256, sub, system, text,
    texts, time,
};
use crate::fuzz_replay::targets::{self, genuine};
use crate::fuzz_replay::{FOUND, corpus};
use crate::site::{keys, package, tell};

/// All corpora together; they are part of every clone.
const SIZE_MAX: u64 = 300_000;

/// By target and name.
type Corpora = BTreeMap<PathBuf, Vec<u8>>;

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

/// Everybody who signs in the corpora.
struct Hands {
    ed25519: Hand,
    rsa: Hand,
    p256: Hand,
    six: Hand,
    subkey: Hand,
    /// Signed, and was revoked after that.
    revoked: Hand,
    /// Signed, and has expired after that.
    expired: Hand,
    /// Too weak without an exception.
    weak: Hand,
    stranger: Hand,
}

impl Hands {
    fn new() -> Self {
        let six = builder("six").set_profile(Profile::RFC9580).unwrap().set_cipher_suite(CipherSuite::Cv25519);
        let short = Duration::from_hours(24 * 960);
        let gone = Hand::new("revoked");
        Self {
            ed25519: Hand::new("ed25519"),
            rsa: Hand::of_kind("rsa", CipherSuite::RSA2k),
            p256: Hand::of_kind("p256", CipherSuite::P256),
            six: Hand::from_builder(six),
            subkey: Hand::from_builder(builder("subkey").add_signing_subkey()),
            revoked: Hand { cert: retired(&gone, ReasonForRevocation::KeyRetired), ..gone },
            expired: Hand::from_builder(builder("expired").set_validity_period(Some(short))),
            weak: weak(),
            stranger: Hand::new("stranger"),
        }
    }

    fn ring(&self) -> [&Hand; 8] {
        let Self { ed25519, rsa, p256, six, subkey, revoked, expired, weak, stranger: _ } = self;
        [ed25519, rsa, p256, six, subkey, revoked, expired, weak]
    }
}

fn retired(by: &Hand, reason: ReasonForRevocation) -> Cert {
    certs::revoked(by, "2026-09-01T00:00:00Z", reason)
}

/// RSA of 1024 bits, which no builder of certificates makes any more.
fn weak() -> Hand {
    use sequoia_openpgp::packet::key::{Key4, PrimaryRole, SecretParts};
    use sequoia_openpgp::packet::{Key, Packet, UserID};
    use sequoia_openpgp::types::KeyFlags;
    let mut key: Key4<SecretParts, PrimaryRole> = Key4::generate_rsa(1024).unwrap();
    key.set_creation_time(system(BORN)).unwrap();
    let key: Key<SecretParts, PrimaryRole> = key.into();
    let name = UserID::from("weak <weak@example.org>");
    let binding = SignatureBuilder::new(SignatureType::PositiveCertification)
        .set_signature_creation_time(system(BORN))
        .unwrap()
        .set_key_flags(KeyFlags::empty().set_certification().set_signing())
        .unwrap()
        .sign_userid_binding(&mut key.clone().into_keypair().unwrap(), key.parts_as_public(), &name)
        .unwrap();
    let cert = Cert::from_packets([Packet::from(key.clone()), name.into(), binding.into()].into_iter()).unwrap();
    Hand { cert, key: key.role_into_unspecified() }
}

/// A package with everything that repodata can show, also what only old or odd builders write.
fn rich() -> Draft {
    let mut draft = Draft::new()
        .set(1000, Some(text("tool+more")))
        .set(1001, Some(text("1.0~rc1^git")))
        .set(1022, Some(text("x86_64")));
    let words = |list: &[u32]| Value::Words(list.to_vec());
    draft.main.extend([
        (1003, Value::Word(3)),
        (1004, Value::I18n(vec![b"a tool & its <\"friends\">\r\n\x01".to_vec()])),
        (1005, Value::I18n(vec![b"caf\xe9 ]]> \t".to_vec()])),
        (1006, Value::Word(1_700_000_000)),
        (1009, Value::Word(4711)),
        (1011, text(b"It's \x92 vendor")),
        (1014, text("MIT")),
        (1015, text("A Person <person@example.org>")),
        (1016, Value::I18n(vec![b"Applications/System".to_vec()])),
        (1020, text("http://example.org/?a=1&b='2'")),
        (1028, words(&[1, 2, 3])),
        (1030, Value::Halves(vec![0o100_755, 0o040_755, 0o100_644])),
        (1037, words(&[0, 0, 0x40])),
        (1047, texts(&["tool", "tool(x86-64)", "virtual"])),
        (1048, words(&[0x0100_000a, 0, 12, 0x500, 0x4000, 0x4000, 1 << 19])),
        (
            1049,
            texts(&[
                "rpmlib(CompressedFileNames)",
                "/usr/bin/tool",
                "libs",
                "/bin/sh",
                "libc.so.6()(64bit)",
                "libc.so.6(GLIBC_2.4)(64bit)",
                "(a if b)",
            ]),
        ),
        (1050, texts(&["3.0.4-1", "", "1:2-3", "", "", "", ""])),
        (1053, words(&[2])),
        (1054, texts(&["other"])),
        (1055, texts(&["2"])),
        (1080, words(&[1_650_000_000, 1_650_000_000, 1_600_000_000])),
        (1081, texts(&["A <a@example.org> - 2-1", "B\t", "C \u{1f600}"])),
        (1082, texts(&["- second & <third>", "- \u{7f}\u{85}", "- first\n- more"])),
        (1090, texts(&["older"])),
        (1112, words(&[8, 8, 0])),
        (1113, texts(&["3:1.0~rc1^git-1", "3:1.0-1", ""])),
        (1114, words(&[10])),
        (1115, texts(&["0.9"])),
        (1116, words(&[0, 1, 1])),
        (1117, texts(&["tool", "data", "ghost & <co>"])),
        (1118, texts(&["/usr/bin/", "/usr/share/"])),
        (5046, texts(&["recommended"])),
        (5047, texts(&["1"])),
        (5048, words(&[8])),
        (5049, texts(&["suggested"])),
        (5050, texts(&[""])),
        (5051, words(&[0])),
        (5052, texts(&["supplemented"])),
        (5053, texts(&[""])),
        (5054, words(&[0])),
        (5055, texts(&["enhanced"])),
        (5056, texts(&[""])),
        (5057, words(&[0])),
    ]);
    // The first of two entries of one number would be refused.
    let mut seen = BTreeSet::new();
    draft.main.reverse();
    draft.main.retain(|(tag, _)| seen.insert(*tag));
    draft
}

fn packages(hands: &Hands) -> Corpora {
    let thrice = {
        let draft = Draft::new();
        let header = draft.header();
        let packets = [&hands.ed25519, &hands.rsa, &hands.p256].map(|hand| hand.sign(&header));
        draft.with_array(&packets)
    };
    let old = {
        let draft = Draft::old();
        let packets = [draft.header(), draft.both()].map(|bytes| hands.rsa.raw(&Raw::three(&hands.rsa, 2), &bytes));
        let [header, both] = packets;
        draft.with(268, header).with(1002, both)
    };
    let older = Draft::old().set(1044, None).set(1027, Some(texts(&["/usr/bin/a", "/usr/doc/b"])));
    let mut older = older;
    older.main.extend([(1030, Value::Halves(vec![0o100_755, 0o040_755])), (1037, Value::Words(vec![0, 0]))]);
    let six = {
        let draft = Draft::six();
        let header = draft.header();
        draft.with_array(&[hands.six.sign(&header), hands.ed25519.sign(&header)])
    };
    let padded = Draft { padding: 7, ..Draft::new() }.signed(&hands.ed25519);
    let stranger = Draft::new().set(1000, Some(text("strange"))).signed(&hands.stranger);
    let recipe = Recipe {
        name: "sample".to_owned(),
        epoch: Some(2),
        version: "1.0".to_owned(),
        release: "1.el6".to_owned(),
        arch: "noarch".to_owned(),
        summary: "A sample".to_owned(),
        requires: vec!["sample-libs >= 1.0".to_owned()],
        provides: vec!["sample-interface = 3".to_owned()],
        files: vec![("/usr/share/sample/version".to_owned(), b"1.0\n".to_vec())],
        changelog: vec![(
            Timestamp::from_second(1_600_000_000).unwrap(),
            "A Person <a@example.org> - 1.0-1".to_owned(),
            "- first".to_owned(),
        )],
        build_time: Timestamp::from_second(1_700_000_000).unwrap(),
    };
    let mut all = Corpora::new();
    let mut put = |name: &str, bytes: Vec<u8>| drop(all.insert(format!("headers/{name}.rpm").into(), bytes));
    put("signed-thrice", thrice.file());
    put("signed-by-ed25519", rich().signed(&hands.ed25519).file());
    put("signed-by-a-subkey", rich().signed(&hands.subkey.subkey()).file());
    put("signed-by-the-revoked", Draft::new().signed(&hands.revoked).file());
    put("signed-by-the-expired", Draft::new().signed(&hands.expired).file());
    put("signed-by-the-weak", Draft::new().signed(&hands.weak).file());
    put("signed-by-a-stranger", stranger.file());
    put("signed-as-in-2007", old.file());
    put("signed-as-in-2026", six.file());
    put("padded", padded.file());
    put("from-before-4-0", older.file());
    put("unsigned", rich().file());
    put("sample", package(&recipe, None));
    put("sample-by-rsa", package(&recipe, Some(&keys().ours.1)));
    let cut = rich().file();
    put("cut", cut[..cut.len() / 2].to_vec());
    put("only-a-header", [vec![0xed, 0xab, 0xee, 0xdb, 3, 0], vec![0; 90], header(62, &[])].concat());
    all
}

fn signatures(hands: &Hands) -> Corpora {
    let draft = Draft::new();
    let (over, both) = (draft.header(), draft.both());
    let mut all = Corpora::new();
    let mut put = |name: &str, bytes: Vec<u8>| drop(all.insert(format!("signature/{name}.sig").into(), bytes));
    for (name, hand) in [
        ("ed25519", &hands.ed25519),
        ("rsa", &hands.rsa),
        ("p256", &hands.p256),
        ("six", &hands.six),
        ("revoked", &hands.revoked),
        ("expired", &hands.expired),
        ("weak", &hands.weak),
        ("stranger", &hands.stranger),
    ] {
        put(name, hand.sign(&over));
    }
    put("subkey", hands.subkey.subkey().sign(&over));
    put("over-both", hands.ed25519.sign(&both));
    put("over-both-by-rsa", hands.rsa.raw(&Raw::four(&hands.rsa), &both));
    put("over-nothing", hands.ed25519.sign(b""));
    let raw = |hash| Raw { hash, ..Raw::four(&hands.ed25519) };
    for (name, hash) in
        [("md5", 1), ("sha1", 2), ("sha256", 8), ("sha384", 9), ("sha512", 10), ("sha3", 14), ("no-hash", 99)]
    {
        put(&format!("by-{name}"), hands.ed25519.raw(&raw(hash), &over));
    }
    for version in [3, 8] {
        put(
            &format!("three-{version}"),
            hands.rsa.raw(&Raw::three(&hands.rsa, if version == 3 { 2 } else { 8 }), &over),
        );
    }
    let four = Raw::four(&hands.ed25519);
    put("text", hands.ed25519.raw(&Raw { kind: 1, ..four.clone() }, &over));
    put("no-algorithm", hands.ed25519.raw(&Raw { algorithm: Some(100), ..four.clone() }, &over));
    put("nobody", hands.ed25519.raw(&Raw { unhashed: Vec::new(), hashed: Vec::new(), ..four.clone() }, &over));
    let two = [four.unhashed.clone(), sub(16, &hands.rsa.id())].concat();
    put("two-issuers", hands.ed25519.raw(&Raw { unhashed: two, ..four.clone() }, &over));
    for (name, more) in [
        ("critical", sub(0x80 | 0x63, b"unknown")),
        ("expires", sub(3, &3600_u32.to_be_bytes())),
        ("embedded", sub(32, &hands.rsa.sign(&over)[6..])),
        ("fingerprint-too-long", sub(33, &[4; 40])),
    ] {
        let hashed = [four.hashed.clone(), more].concat();
        put(name, hands.ed25519.raw(&Raw { hashed, ..four.clone() }, &over));
    }
    let plain = hands.ed25519.raw(&four, &over);
    let body = &plain[6..];
    put("old-style", [&[0x88, u8::try_from(body.len()).unwrap()], body].concat());
    put("partial", [&[0xc2, 0xe1], &body[..2], &[2], &body[2..4]].concat());
    put("not-a-signature", framed(13, b"a user id"));
    let notation = SignatureBuilder::new(SignatureType::Binary)
        .add_notation(
            "a@example.org",
            b"b",
            sequoia_openpgp::packet::signature::subpacket::NotationDataFlags::empty(),
            false,
        )
        .unwrap();
    put("notation", hands.ed25519.build(notation, MADE, &over));
    all
}

fn key_files(hands: &Hands) -> Corpora {
    let armored = |bytes: &[u8], kind| {
        let mut writer = armor::Writer::new(Vec::new(), kind).unwrap();
        writer.write_all(bytes).unwrap();
        [writer.finalize().unwrap(), b"\n".to_vec()].concat()
    };
    let public = armor::Kind::PublicKey;
    let mut all = Corpora::new();
    let mut put = |name: &str, bytes: Vec<u8>| drop(all.insert(format!("keyring/{name}").into(), bytes));
    for (name, hand) in [
        ("ed25519.pgp", &hands.ed25519),
        ("rsa.pgp", &hands.rsa),
        ("p256.pgp", &hands.p256),
        ("six.pgp", &hands.six),
        ("subkey.pgp", &hands.subkey),
        ("revoked.pgp", &hands.revoked),
        ("expired.pgp", &hands.expired),
        ("weak.pgp", &hands.weak),
    ] {
        put(name, hand.public());
    }
    let compromised = retired(&hands.ed25519, ReasonForRevocation::KeyCompromised);
    put("compromised.pgp", SerializeInto::to_vec(&compromised).unwrap());
    let named = RevocationKey::new(hands.rsa.key.pk_algo(), hands.rsa.cert.fingerprint(), false);
    let supervised = Hand::from_builder(builder("supervised").set_revocation_keys(vec![named]));
    let revocation = SignatureBuilder::new(SignatureType::KeyRevocation)
        .set_signature_creation_time(system("2026-09-01T00:00:00Z"))
        .unwrap()
        .sign_direct_key(&mut hands.rsa.pair(), Some(supervised.cert.primary_key().key()))
        .unwrap();
    let supervised = supervised.cert.insert_packets(revocation).unwrap().0;
    put("revoked-by-another.pgp", [SerializeInto::to_vec(&supervised).unwrap(), hands.rsa.public()].concat());
    put("two.pgp", [hands.ed25519.public(), hands.p256.public()].concat());
    let (one, other) = (armored(&hands.ed25519.public(), public), armored(&hands.rsa.public(), public));
    put("one.asc", one.clone());
    put("two.asc", [b"some words\n".to_vec(), one.clone(), b"\nmore words\r\n".to_vec(), other].concat());
    put("without-end.asc", one[..one.len() / 2].to_vec());
    put("secret.asc", armored(&hands.stranger.cert.as_tsk().to_vec().unwrap(), armor::Kind::SecretKey));
    put("secret.pgp", hands.stranger.cert.as_tsk().to_vec().unwrap());
    put("signature.asc", armored(&hands.rsa.sign(b"x"), armor::Kind::Signature));
    put("cut.pgp", hands.ed25519.public()[..60].to_vec());
    put(
        "words.txt",
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: \x07\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n".to_vec(),
    );
    all
}

fn hooks() -> Corpora {
    let mut all = Corpora::new();
    let mut put = |name: &str, bytes: &[u8]| drop(all.insert(format!("hook/{name}").into(), bytes.to_vec()));
    let body = |delivery: &str, rollout: &str, state: &str, actor: &str, at: &str| {
        format!(
            "{{\"delivery\":\"{delivery}\",\"rollout\":\"{rollout}\",\"state\":\"{state}\",\"actor\":\"{actor}\",\
             \"at\":\"{at}\"}}"
        )
    };
    let plain = body("rt-55", "rt-1", "StageRollOut", "jane", "2026-11-20T12:00:00Z");
    put("plain.json", plain.as_bytes());
    put("offset.json", body("1", "Patch #4567", "\\u0041", "A \u{fc} <a@b>", "2026-11-20T12:00:00.5+01:00").as_bytes());
    put("zone.json", body("1", "1", "s", "a", "2026-11-20T12:00:00+01:00[Europe/Zurich]").as_bytes());
    put("leap.json", body("1", "1", "s", "a", "2016-12-31 23:59:60Z").as_bytes());
    put("long.json", body(&"d".repeat(200), &"r".repeat(201), "s", "a", "-000001-01-01T00:00:00Z").as_bytes());
    put("control.json", body("\\u0000", "\\ud83d\\ude00", "\\u0085", "\\ud800", "").as_bytes());
    put("twice.json", plain.replacen('{', "{\"state\":\"x\",", 1).as_bytes());
    put("deep.json", format!("{}1{}", "[".repeat(200), "]".repeat(200)).as_bytes());
    put("spaced.json", plain.replace(',', " ,\r\n\t").as_bytes());
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"a secret of these tests");
    let mac = hex::encode(hmac::sign(&key, plain.as_bytes()));
    put("signed", format!("sha256={mac}\n{plain}").as_bytes());
    put("signed-in-capitals", format!("sha256={}\n{plain}", mac.to_uppercase()).as_bytes());
    put("signed-for-another", format!("sha256={mac}\n{{}}").as_bytes());
    put("signed-by-sha1", format!("sha1={}\n{plain}", &mac[..40]).as_bytes());
    all
}

fn metadata() -> Corpora {
    let draft = rich();
    let contents = read(&draft.file()).unwrap();
    let package = Package::read(&contents.header, &contents.signature_header, &contents.layout).unwrap();
    let placed = Placed {
        pkgid: contents.pkgid.clone(),
        checksum: ChecksumKind::Sha256,
        file_time: 1_700_000_000,
        package_size: contents.size,
        location: "Packages/t/tool+more & co.rpm".to_owned(),
    };
    let whole = |head: &dyn Fn(usize) -> String, write: fn(&mut Vec<u8>, &Package, &Placed), foot: &str| {
        let mut out = head(2).into_bytes();
        write(&mut out, &package, &placed);
        write(&mut out, &package, &Placed { pkgid: "ab".repeat(32), ..placed.clone() });
        out.extend_from_slice(foot.as_bytes());
        out
    };
    let lists = [
        ("primary.xml", whole(&primary::head, primary::write, primary::foot())),
        ("filelists.xml", whole(&filelists::head, filelists::write, filelists::foot())),
        ("other.xml", whole(&other::head, other::write, other::foot())),
    ];
    let mut all = Corpora::new();
    let mut put = |name: &str, bytes: Vec<u8>| drop(all.insert(name.into(), bytes));
    for (name, xml) in &lists {
        put(&format!("xml/{name}"), xml.clone());
        put(&format!("repodata/{name}"), xml.clone());
        put(&format!("repodata/{name}.gz"), compress::member(Compression::Gz, xml).unwrap());
    }
    let (first, second) = lists[0].1.split_at(lists[0].1.len() / 2);
    let pack = |bytes| compress::member(Compression::Zst, bytes).unwrap();
    put("repodata/primary.xml.zst", [pack(first), pack(second)].concat());
    put("repodata/many-zeros.gz", compress::member(Compression::Gz, &vec![0; 3 << 20]).unwrap());
    let parts: [&[u8]; 10] = [
        b"plain words",
        b"& < > \" ' ]]> <![CDATA[",
        b"\ttab\nline\r\nreturn\r",
        b"\x00\x01\x08\x0b\x0c\x0e\x1f\x7f",
        "\u{85}\u{2028}\u{feff}\u{fffd}\u{fffe}\u{ffff}\u{10ffff}\u{1f600}".as_bytes(),
        b"  blanks at both ends  ",
        b"&amp; &#0; &#xfffe; &nobody;",
        b"/usr/bin/tool",
        b"/etc/\xc3\x28 not UTF-8",
        b"",
    ];
    put("xml/texts", parts.join(&0xff));
    for (number, part) in parts.iter().enumerate() {
        put(&format!("xml/text-{number}"), part.to_vec());
    }
    let foreign = include_str!("../fuzz/corpus/repodata/foreign-repomd.xml");
    put("repodata/repomd.xml", Repomd::read(foreign.as_bytes()).unwrap().write());
    put("repodata/nothing.xml", b"<?xml version=\"1.0\"?><metadata packages=\"0\"/>".to_vec());
    put("repodata/doctype.xml", format!("<!DOCTYPE x [<!ENTITY a \"b\">]>{foreign}").into_bytes());
    all
}

fn configurations() -> Corpora {
    let mut all = Corpora::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config");
    // Of the wrong ones those whose mistake is in the text and not on a disk.
    for name in [
        "valid/contract_example",
        "valid/everything",
        "valid/minimal",
        "valid/nobody_can_speak_to_it",
        "valid/worth_a_note",
        "invalid/everything_wrong_at_once",
        "invalid/key_unknown_misspelt",
        "invalid/section_twice",
        "invalid/syntax_error_twice",
        "invalid/syntax_list_not_closed",
        "invalid/syntax_of_another_language",
        "invalid/value_of_wrong_type",
        "invalid/webhook_and_token_twice",
    ] {
        let mut text = fs::read_to_string(fixtures.join(name).with_extension("toml")).unwrap();
        // The tests of these fixtures make a site for such words; here a name for each is enough.
        let (example, release) = ("AB".repeat(20), "CD".repeat(20));
        for (word, instead) in [("@DIR@", "/srv/site"), ("@EXAMPLE@", &example), ("@RELEASE@", &release)] {
            text = text.replace(word, instead);
        }
        let (_, case) = name.split_once('/').unwrap();
        all.insert(Path::new("config").join(case).with_extension("toml"), text.into_bytes());
    }
    all
}

fn rows() -> Corpora {
    let mut all = Corpora::new();
    for version in ["v1", "v2", "v3", "v6"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/logbook").join(version).with_extension("jsonl");
        let text = fs::read(path).unwrap();
        for (number, row) in text.split(|byte| *byte == b'\n').filter(|row| !row.is_empty()).enumerate() {
            all.insert(format!("logbook/{version}-{number:02}.json").into(), row.to_vec());
        }
        all.insert(format!("logbook/{version}.jsonl").into(), text);
    }
    all.insert("logbook/newer.json".into(), br#"{"v":99,"fact":{"moon":{}}}"#.to_vec());
    all
}

/// What the keys of a ring have signed of the corpora: main headers with payloads, and signatures.
fn genuine_of(ring: &[u8]) -> [String; 2] {
    let ring = Keyring::read(&[("ring".to_owned(), ring.to_vec())]).unwrap();
    let every = |cert: CertSummary| Legacy {
        fingerprint: cert.fingerprint,
        until: time("2100-01-01T00:00:00Z"),
        allow: Lifted::ALL.to_vec(),
    };
    let legacy = ring.certs(time(ARRIVES)).into_iter().map(every).collect();
    let lenient = Policy { legacy, min_signers: 1 };
    let signed = corpus("headers").into_iter().filter_map(|(_, file)| {
        judge_by(&file, &ring, &lenient).ok()?;
        let start = usize::try_from(read(&file).ok()?.layout.main.start).ok()?;
        Some(hex::encode(sha256(&file[start..])) + "\n")
    });
    let (header, both) = (Draft::new().header(), Draft::new().both());
    let made = corpus("signature").into_iter().filter_map(|(_, packet)| {
        let over = |bytes: &[u8]| {
            let claim = Claim::read(&packet)?;
            let mut context = claim.context()?;
            context.update(bytes);
            claim.examine(&context, &ring, time(ARRIVES))
        };
        over(&header).or_else(|_| over(&both)).ok()?;
        Some(genuine::tail(&packet) + "\n")
    });
    let lines = |all: BTreeSet<String>| all.into_iter().collect();
    [lines(signed.collect()), lines(made.collect())]
}

fn write() {
    let hands = Hands::new();
    let mut ring: Vec<u8> = hands.ring().iter().flat_map(|hand| hand.public()).collect();
    let ours = Cert::from_bytes(keys().ours.0.public.as_bytes()).unwrap();
    ring.extend(SerializeInto::to_vec(&ours).unwrap());
    let mut all = packages(&hands);
    for more in [signatures(&hands), key_files(&hands), hooks(), metadata(), configurations(), rows()] {
        all.extend(more);
    }
    for (path, bytes) in all {
        let path = home().join("corpus").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let [packages, signatures] = genuine_of(&ring);
    fs::write(home().join("genuine.pgp"), ring).unwrap();
    fs::write(home().join("genuine-packages.txt"), packages).unwrap();
    fs::write(home().join("genuine-signatures.txt"), signatures).unwrap();
}

/// Nothing is called genuine but what the ring itself takes of the corpora.
#[test]
fn what_is_called_genuine_was_signed_by_the_keys() {
    let [packages, signatures] = genuine_of(genuine::KEYS);
    assert_eq!(packages, fs::read_to_string(home().join("genuine-packages.txt")).unwrap());
    assert_eq!(signatures, fs::read_to_string(home().join("genuine-signatures.txt")).unwrap());
    assert!(packages.lines().count() >= 5 && signatures.lines().count() >= 10, "{packages}{signatures}");
}

#[test]
fn every_target_has_a_corpus_and_all_are_small() {
    if std::env::var_os("ROLLOUTD_FUZZ_CORPUS").is_some_and(|wish| wish == "write") {
        return write();
    }
    let mut size = 0;
    for (name, _) in targets::TARGETS {
        let inputs = corpus(name);
        let found = inputs.iter().filter(|(file, _)| file.starts_with(FOUND)).count();
        let bytes: u64 = inputs.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        tell(&format!("corpus of {name}: {} inputs, of which {found} have failed once, {bytes} bytes", inputs.len()));
        assert!(inputs.len() >= 10 + found, "{name} has too few inputs");
        size += bytes;
    }
    assert!(size <= SIZE_MAX, "{size} bytes in all corpora, {SIZE_MAX} are enough");
}
