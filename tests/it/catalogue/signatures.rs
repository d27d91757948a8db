//! S1 to S17, S31 and S35 to S40: what is signed, by which algorithms, and how it is written down.

use super::{TWO_SIGNERS, Table, usual};
use crate::certs::{armored, flip, next_in_alphabet};
use crate::forge::MADE;
use crate::forge::{Draft, Hand, Raw, Value, builder, framed, seconds, sha1, sha256, sha512, sub, text, texts};
use rolloutd::domain::refusal::Code;
use rolloutd::domain::trust::Lifted;
use sequoia_openpgp::Profile;
use sequoia_openpgp::armor::Kind;
use sequoia_openpgp::cert::CipherSuite;
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::packet::signature::subpacket::NotationDataFlags;
use sequoia_openpgp::types::SignatureType;

pub(super) fn rows(table: &mut Table) {
    good(table);
    cover(table);
    several(table);
    digests(table);
    hashes(table);
    packets(table);
    base64(table);
}

/// What is made of the one right spelling of a signature.
type Spell = fn(String) -> Vec<String>;
/// What is made of a good packet.
type Spoil = fn(&Hand, Vec<u8>) -> Vec<u8>;

/// When a second signature is made.
const LATER: &str = "2026-07-01T00:00:00Z";

fn good(table: &mut Table) {
    for (what, tag, suite) in [
        ("RSA of 2048 bits", 268, CipherSuite::RSA2k),
        ("Ed25519", 267, CipherSuite::Cv25519),
        ("ECDSA on P-256", 267, CipherSuite::P256),
        ("ECDSA on P-384", 267, CipherSuite::P384),
        ("ECDSA on P-521", 267, CipherSuite::P521),
    ] {
        let by = Hand::of_kind("a", suite);
        let draft = table.draft();
        let packet = by.sign(&draft.header());
        table.good("S1", &format!("{what} in tag {tag}"), &[&by], draft.with(tag, packet).file());
        let draft = table.draft();
        let packet = by.sign(&draft.header());
        table.good("S1", &format!("{what} in tag 278"), &[&by], draft.with_array(&[packet]).file());
    }
    let v6 = |suite| {
        let cert = builder("six").set_profile(Profile::RFC9580).unwrap().set_cipher_suite(suite);
        Hand::from_builder(cert)
    };
    let (one, other) = (v6(CipherSuite::Cv25519), v6(CipherSuite::Cv448));
    let draft = table.six();
    let packets = [one.sign(&draft.header()), other.sign(&draft.header())];
    assert_eq!(packets[0][2..].iter().position(|b| *b == 6), Some(0), "not a packet of version 6");
    table.good("S1", "format 6, signed in version 6 by Ed25519 and Ed448", &[&one, &other], {
        draft.with_array(&packets).file()
    });
    let file = table.draft().file();
    table.bad("S2", "nobody has signed it", Code::Unsigned, &[usual()], file);
    let file = table.six().file();
    table.bad("S2", "nobody has signed it, format 6", Code::Unsigned, &[usual()], file);
}

fn cover(table: &mut Table) {
    let by = usual();
    let mut altered = table.draft().signed(by);
    flip(&mut altered.payload, 700);
    // MD5 and size are made right by `file`, as an attacker would.
    table.bad("S3", "the payload is altered", Code::PayloadDigest, &[by], altered.file());
    let good = table.old().signed(by);
    table.bad("S4", "the header has no digest of the payload", Code::PartiallySigned, &[by], good.file());
    let mut wrong = good.file();
    let last = wrong.len() - 1;
    flip(&mut wrong, last);
    table.bad("S4", "and the payload is altered", Code::PartiallySigned, &[by], wrong);
    let mut altered = good.clone();
    flip(&mut altered.payload, 0);
    table.bad("S5", "and MD5 and size are made right again", Code::PartiallySigned, &[by], altered.file());
    let own = Hand::new("lifted");
    let mut altered = table.old().signed(&own);
    flip(&mut altered.payload, 0);
    table
        .bad("S5", "and every exception that there is", Code::PartiallySigned, &[&own], altered.file())
        .allowing(&own, &Lifted::ALL);

    for tag in [1002, 1005] {
        let both = |draft: Draft, by: &Hand| {
            let packet = by.sign(&draft.both());
            draft.with(tag, packet)
        };
        let file = both(table.old(), by).file();
        table.bad("S6", &format!("only tag {tag}"), Code::LegacySignature, &[by], file);
        let own = Hand::new("lifted");
        let file = both(table.old(), &own).file();
        table
            .good("S6", &format!("only tag {tag}, and the exception for that"), &[&own], file)
            .allowing(&own, &[Lifted::HeaderPayload])
            .noting("admitted by the legacy exception header_payload");
        let other = Hand::new("lifted");
        let file = both(table.old(), &other).file();
        table
            .bad("S6", &format!("only tag {tag}, and other exceptions"), Code::LegacySignature, &[&other], file)
            .allowing(&other, &[Lifted::V3, Lifted::Sha1, Lifted::WeakKey, Lifted::Expired]);
        let third = Hand::new("lifted");
        let mut altered = both(table.old(), &third);
        flip(&mut altered.payload, 3);
        // The MD5 is right for the altered payload, so that it is the signature which tells.
        table
            .bad("S6", &format!("tag {tag} over another payload"), Code::BadSignature, &[&third], altered.file())
            .allowing(&third, &[Lifted::HeaderPayload]);
    }
    let own = Hand::new("lifted");
    let draft = table.old();
    let weak = own.raw(&Raw { hash: 2, ..Raw::four(&own) }, &draft.both());
    table
        .bad("S6", "header and payload by SHA-1, and one exception of two", Code::WeakHash, &[&own], {
            draft.with(1005, weak).file()
        })
        .allowing(&own, &[Lifted::HeaderPayload]);
    let own = Hand::new("lifted");
    let whole = table.old();
    let over_the_header = own.sign(&whole.header());
    let emptied = Draft { payload: Vec::new(), ..whole }.with(1002, over_the_header);
    table
        .bad("S6", "a signature of the header for one of an empty payload", Code::Truncated, &[&own], emptied.file())
        .allowing(&own, &Lifted::ALL);

    for old in [false, true] {
        for (bad_header, lifted) in [(true, true), (true, false), (false, true), (false, false)] {
            let own = Hand::new("lifted");
            let draft = if old { table.old() } else { table.draft() };
            let (header, both, bad) = (own.sign(&draft.header()), own.sign(&draft.both()), own.sign(b"something else"));
            let (one, other, what) =
                if bad_header { (bad, both, "of the header") } else { (header, bad, "of header and payload") };
            let what = format!("the signature {what} is bad{}", if old { ", format of rpm 4.4" } else { "" });
            let file = draft.with(268, one).with(1002, other).file();
            let row = table.bad("S7", &what, Code::BadSignature, &[&own], file);
            if lifted {
                row.allowing(&own, &[Lifted::HeaderPayload]);
            }
        }
    }
    let other = table.draft();
    let draft = table.draft();
    let packet = by.sign(&other.header());
    table.bad("S8", "the signature of another package", Code::BadSignature, &[by], draft.with(268, packet).file());
}

fn several(table: &mut Table) {
    let (a, b) = (Hand::new("a"), Hand::new("b"));
    let spoilt = |mut packet: Vec<u8>| {
        let last = packet.len() - 1;
        flip(&mut packet, last);
        packet
    };
    for (what, by) in [("another key", &b), ("the same key", &a)] {
        for first in [true, false] {
            let draft = table.six();
            let good = a.sign(&draft.header());
            let bad = spoilt(by.sign_at(LATER, &draft.header()));
            let packets = if first { [bad, good] } else { [good, bad] };
            let order = if first { "before" } else { "behind" };
            let what = format!("a corrupted signature by {what} {order} a good one");
            table.bad("S9", &what, Code::BadSignature, &[&a, &b], draft.with_array(&packets).file());
        }
    }
    for (tags, by) in [((268, 267), &a), ((267, 268), &a), ((268, 267), &b), ((267, 268), &b), ((268, 1002), &b)] {
        let draft = table.draft();
        let (good, bad) = (a.sign(&draft.header()), by.sign(b"something else"));
        let what = format!("a good signature in tag {} and a bad one in tag {}", tags.0, tags.1);
        let file = draft.with(tags.0, good).with(tags.1, bad).file();
        table.bad("S13", &what, Code::BadSignature, &[&a, &b], file);
    }

    let unknown = Hand::new("unknown");
    for (what, by) in [("beside a good one", vec![&a, &unknown]), ("alone", vec![&unknown])] {
        let draft = table.six();
        let packets: Vec<_> = by.iter().map(|by| by.sign(&draft.header())).collect();
        let what = format!("a signature by an unknown key {what}");
        table.bad("S10", &what, Code::UnknownKey, &[&a], draft.with_array(&packets).file());
    }

    let weakly = |draft: &Draft, by: &Hand| by.raw(&Raw { hash: 2, ..Raw::four(by) }, &draft.header());
    let draft = table.draft();
    let weak = weakly(&draft, &a);
    table
        .good("S11", "a signature by SHA-1 beside a good one", &[&a], draft.with(267, weak).signed(&a).file())
        .noting("not counted (weak_hash)");
    let draft = table.draft();
    let weak = weakly(&draft, &a);
    table.bad("S11", "a signature by SHA-1 alone", Code::WeakHash, &[&a], draft.with(267, weak).file());
    let draft = table.draft();
    let wrong = a.raw(&Raw { hash: 2, ..Raw::four(&a) }, b"something else");
    let file = draft.with(267, wrong).signed(&a).file();
    table.bad("S11", "a bad signature by SHA-1 beside a good one", Code::BadSignature, &[&a], file);
    let draft = table.draft();
    let weak = weakly(&draft, &b);
    let file = draft.with(267, weak).signed(&a).file();
    table
        .bad("S11", "a signature by SHA-1 does not make a second signer", Code::TooFewSigners, &[&a, &b], file)
        .arriving_in(TWO_SIGNERS);
    let draft = table.draft();
    let weak = weakly(&draft, &b);
    let file = draft.with(267, weak).signed(&a).file();
    table.good("S11", "nor a first one", &[&a], file).ring(&[&a.cert, &b.cert]);

    let primary = Hand::from_builder(builder("a").add_signing_subkey());
    let subkey = primary.subkey();
    let draft = table.six();
    let once = primary.sign(&draft.header());
    let (again, below) = (primary.sign_at(LATER, &draft.header()), subkey.sign(&draft.header()));
    for (what, second) in [("the same signature twice", once.clone()), ("one key twice", again), ("its subkey", below)]
    {
        let file = draft.clone().with_array(&[once.clone(), second]).file();
        table
            .bad("S12", &format!("two signers are wanted: {what}"), Code::TooFewSigners, &[&primary], file)
            .arriving_in(TWO_SIGNERS);
    }
    let draft = table.six();
    let packets = [primary.sign(&draft.header()), b.sign(&draft.header())];
    table
        .good("S12", "two signers are wanted: two", &[&primary, &b], draft.with_array(&packets).file())
        .arriving_in(TWO_SIGNERS);
}

fn digests(table: &mut Table) {
    let by = usual();
    for (tag, digits, code) in [
        (269, 40, Code::HeaderDigest),
        (273, 64, Code::HeaderDigest),
        (279, 64, Code::HeaderDigest),
        // Of a form that no digest has.
        (269, 38, Code::HeaderDigest),
        (273, 66, Code::HeaderDigest),
    ] {
        let file = table.draft().signed(by).but(tag, Some(text("0".repeat(digits)))).file();
        table.bad("S14", &format!("tag {tag} of {digits} zeros"), code, &[by], file);
    }
    let file = table.draft().signed(by).but(273, Some(text("x".repeat(64)))).file();
    table.bad("S14", "tag 273 is not hexadecimal", Code::HeaderDigest, &[by], file);
    let file = table.draft().signed(by).but(1004, Some(Value::Bin(vec![0; 16]))).file();
    table.bad("S14", "a wrong MD5", Code::PayloadDigest, &[by], file);
    for (tag, digits) in [(5121, 128), (5123, 64)] {
        let draft = table.six().set(tag, Some(text("0".repeat(digits))));
        let packet = by.sign(&draft.header());
        let file = draft.with_array(&[packet]).file();
        table.bad("S14", &format!("tag {tag} of format 6 is wrong"), Code::PayloadDigest, &[by], file);
    }
    let file = table.draft().signed(by).but(273, None).file();
    table.good("S15", "only SHA-1 and MD5 beside the signature", &[by], file);
    let only_md5 = table.draft().signed(by).but(273, None).but(269, None);
    table.good("S15", "only MD5 beside the signature", &[by], only_md5.file());
    let none = table.draft().signed(by).but(273, None).but(269, None).but(1004, None).but(1000, None);
    // rpm 4 wants one of them, whatever the signature says: found by comparing mutants with it.
    table.bad("S15", "no digest of the header at all", Code::HeaderDigest, &[by], none.file());

    let payload = Draft::new().payload;
    let (digest, longer, shorter) =
        (hex::encode(sha256(&payload)), hex::encode(sha512(&payload)), hex::encode(sha1(&payload)));
    let with = |draft: Draft, digests: Value, algorithm: Option<u32>| {
        draft.set(5092, Some(digests)).set(5093, algorithm.map(Value::Word)).signed(usual()).file()
    };
    for (what, digests, algorithm) in [
        ("SHA-256 and no algorithm", texts(&[&digest]), None),
        ("SHA-256 in capitals", texts(&[&digest.to_uppercase()]), Some(8)),
        ("SHA-512", texts(&[&longer]), Some(10)),
    ] {
        let file = with(table.draft(), digests, algorithm);
        table.good("S16", &format!("the payload digest is {what}"), &[by], file);
    }
    for (what, digests, algorithm) in [
        ("there twice", texts(&[&digest, &digest]), Some(8)),
        ("followed by another", texts(&[&digest, "00"]), Some(8)),
        ("too short", texts(&[&digest[..62]]), Some(8)),
        ("not hexadecimal", texts(&["not hexadecimal"]), Some(8)),
        ("empty", texts(&[""]), Some(8)),
        ("SHA-1", texts(&[&shorter]), Some(2)),
        ("MD5", texts(&[&digest[..32]]), Some(1)),
        ("by an algorithm that nobody knows", texts(&[&digest]), Some(99)),
        ("by two algorithms", texts(&[&digest]), None),
    ] {
        let mut draft = table.draft();
        let file = if what == "by two algorithms" {
            draft = draft.set(5093, Some(Value::Words(vec![1, 8])));
            draft.signed(by).file()
        } else {
            with(draft, digests, algorithm)
        };
        table.bad("S16", &format!("the payload digest is {what}"), Code::PayloadDigestFormat, &[by], file);
    }
    let uncompressed = b"what it is when unpacked".to_vec();
    let draft = table.draft().set(5097, Some(texts(&[&hex::encode(sha256(&uncompressed))])));
    let swapped = Draft { payload: uncompressed, ..draft.clone() }.with(268, by.sign(&draft.header()));
    table.good("S17", "a digest of the uncompressed payload too", &[by], draft.signed(by).file());
    table.bad("S17", "the uncompressed payload in its place", Code::PayloadDigest, &[by], swapped.file());
}

fn hashes(table: &mut Table) {
    for (what, hash, code) in [
        ("MD5", 1, Some(Code::WeakHash)),
        ("SHA-1", 2, Some(Code::WeakHash)),
        ("RIPEMD-160", 3, Some(Code::WeakHash)),
        ("SHA-256", 8, None),
        ("SHA-384", 9, None),
        ("SHA-512", 10, None),
        ("SHA-224", 11, None),
        ("SHA3-256", 12, None),
        ("SHA3-512", 14, None),
        ("hash 77", 77, Some(Code::UnknownAlgorithm)),
    ] {
        for lifted in [false, true] {
            let by = Hand::new("hash");
            let draft = table.draft();
            let packet = by.raw(&Raw { hash, ..Raw::four(&by) }, &draft.header());
            let file = draft.with(268, packet).file();
            let words = format!("signed by {what}{}", if lifted { " with every exception" } else { "" });
            let row = match code {
                Some(code) if !(lifted && hash == 2) => table.bad("S31", &words, code, &[&by], file),
                _ => table.good("S31", &words, &[&by], file),
            };
            if lifted {
                row.allowing(&by, &Lifted::ALL);
            }
        }
    }
}

fn packets(table: &mut Table) {
    let by = usual();
    let three = |draft: &Draft, by: &Hand| by.raw(&Raw::three(by, 8), &draft.header());
    let draft = table.draft();
    let packet = three(&draft, by);
    table.bad("S35", "version 3 with EdDSA", Code::SignatureVersion, &[by], draft.with(268, packet).file());
    let own = Hand::new("lifted");
    let draft = table.draft();
    let packet = three(&draft, &own);
    table
        .good("S35", "version 3 with EdDSA and its exception", &[&own], draft.with(268, packet).file())
        .allowing(&own, &[Lifted::V3])
        .noting("admitted by the legacy exception v3");
    let rsa = Hand::of_kind("rsa", CipherSuite::RSA2k);
    let draft = table.draft();
    let packet = three(&draft, &rsa);
    table
        .good("S35", "version 3 with RSA and SHA-2", &[&rsa], draft.with(268, packet).file())
        .noting("a signature packet of version 3");
    let draft = table.draft();
    let packet = rsa.raw(&Raw::three(&rsa, 2), &draft.header());
    table.bad("S35", "version 3 with RSA and SHA-1", Code::WeakHash, &[&rsa], draft.with(268, packet).file());
    let own = Hand::new("lifted");
    let old = table.old();
    let (header, both) = (own.raw(&Raw::three(&own, 2), &old.header()), own.raw(&Raw::three(&own, 2), &old.both()));
    let file = old.with(267, header).with(1005, both).file();
    table
        .good("S35", "as EL5 signed, with three exceptions", &[&own], file)
        .allowing(&own, &[Lifted::V3, Lifted::HeaderPayload, Lifted::Sha1]);
    for version in [0, 1, 2, 5, 7, 255] {
        let own = Hand::new("lifted");
        let draft = table.draft();
        let mut packet = own.raw(&Raw::four(&own), &draft.header());
        packet[6] = version;
        table
            .bad("S35", &format!("version {version}"), Code::SignatureVersion, &[&own], draft.with(268, packet).file())
            .allowing(&own, &Lifted::ALL);
    }
    for kind in [0x01, 0x02, 0x10, 0x13, 0x18, 0x1f, 0x20, 0x40, 0x50, 0xff] {
        let draft = table.draft();
        let packet = by.raw(&Raw { kind, ..Raw::four(by) }, &draft.header());
        let what = format!("a signature of type {kind:#04x}");
        table.bad("S36", &what, Code::SignatureType, &[by], draft.with(268, packet).file());
    }
    for (what, more, code) in [
        ("an unknown subpacket", sub(0x63, b"unknown"), None),
        ("an unknown subpacket that is critical", sub(0x80 | 0x63, b"unknown"), Some(Code::SignatureCritical)),
        ("a known one that is critical", sub(0x80 | 0x10, &by.id()), None),
    ] {
        let draft = table.draft();
        let raw = Raw { hashed: [Raw::four(by).hashed, more].concat(), ..Raw::four(by) };
        let file = draft.clone().with(268, by.raw(&raw, &draft.header())).file();
        table.due("S37", what, code, &[by], file);
    }
    for critical in [false, true] {
        let draft = table.draft();
        let builder = SignatureBuilder::new(SignatureType::Binary);
        let notation = builder.add_notation("a@example.org", b"b", NotationDataFlags::empty(), critical).unwrap();
        let file = draft.clone().with(268, by.build(notation, MADE, &draft.header())).file();
        let what = if critical { "a critical notation" } else { "a notation" };
        table.due("S37", what, critical.then_some(Code::SignatureCritical), &[by], file);
    }
    bare(table, by);
    numbers(table, by);
}

/// S38: one bare packet and nothing else.
fn bare(table: &mut Table, by: &Hand) {
    let spoils: [(&str, Spoil); 16] = [
        ("two packets", |_, good| [good.clone(), good].concat()),
        ("a trailing octet", |_, good| [&good[..], &[0]].concat()),
        ("a packet before", |_, good| [framed(10, b"PGP"), good].concat()),
        ("a packet behind", |_, good| [good, framed(10, b"PGP")].concat()),
        ("armor", |_, good| armored(&good, Kind::Signature)),
        ("a certificate", |by, _| by.public()),
        ("a compressed packet", |_, good| framed(8, &[&[0][..], &good].concat())),
        ("a literal packet", |_, _| framed(11, b"b\0\0\0\0\0text")),
        ("an empty packet", |_, _| framed(2, b"")),
        ("a packet that is cut", |_, good| good[..good.len() - 1].to_vec()),
        ("a length beyond the end", |_, mut good| {
            good[1] += 1;
            good
        }),
        ("an indeterminate length", |_, good| [&[0x8b][..], &good[2..]].concat()),
        ("a partial length", |_, good| [&[0xc2, 0xe0][..], &good[2..]].concat()),
        ("one octet", |_, _| vec![0xc2]),
        ("zeros", |_, _| vec![0; 64]),
        ("marker packets, 16 MiB", |_, _| framed(10, b"PGP").repeat(16 * 1024 * 1024 / 9)),
    ];
    for (what, spoil) in spoils {
        let draft = table.draft();
        let packet = spoil(by, by.sign(&draft.header()));
        let large = packet.len() > 100_000;
        let file = draft.with(268, packet).file();
        table.bad("S38", &format!("tag 268 holds {what}"), Code::SignatureFormat, &[by], file);
        if !large {
            let draft = table.draft();
            let packet = spoil(by, by.sign(&draft.header()));
            let file = draft.with(267, packet).signed(by).file();
            let what = format!("tag 267 holds {what}, and tag 268 a good signature");
            table.bad("S38", &what, Code::SignatureFormat, &[by], file);
        }
    }
    let nothing = table.draft().with(268, Vec::new()).file();
    table.bad("S38", "tag 268 holds nothing", Code::HeaderEntry, &[by], nothing);
    for style in 0..5 {
        let draft = table.draft();
        let body = by.raw(&Raw::four(by), &draft.header())[6..].to_vec();
        let [high, low] = u16::try_from(body.len()).unwrap().to_be_bytes();
        assert_eq!(high, 0, "short enough to be written in every way");
        let heads = [
            vec![0xc2, low],
            vec![0xc2, 255, 0, 0, high, low],
            vec![0x88, low],
            vec![0x89, high, low],
            vec![0x8a, 0, 0, high, low],
        ];
        let what = format!("the length of the packet written as {:02x?}", heads[style]);
        let packet = [heads[style].clone(), body].concat();
        table.good("S38", &what, &[by], draft.with(268, packet).file());
    }
}

/// S40: numbers of another length than they say.
fn numbers(table: &mut Table, by: &Hand) {
    for bits in [0_u16, 1, 8, 0x0200, 0x7fff, 0xffff] {
        let draft = table.draft();
        let raw = Raw::four(by);
        let mut packet = by.raw(&raw, &draft.header());
        let first = 6 + 4 + 2 + raw.hashed.len() + 2 + raw.unhashed.len() + 2;
        packet[first..first + 2].copy_from_slice(&bits.to_be_bytes());
        let file = draft.with(268, packet).file();
        table.bad("S40", &format!("a number of {bits} bits"), Code::SignatureFormat, &[by], file);
    }
}

/// S39: one spelling, and not too many.
fn base64(table: &mut Table) {
    use base64::Engine as _;
    let by = usual();
    // A length that needs padding, so that there is some to leave out.
    let spelt = |table: &mut Table| {
        let draft = table.six();
        let mut raw = Raw::four(by);
        loop {
            let packet = by.raw(&raw, &draft.header());
            let text = base64::engine::general_purpose::STANDARD.encode(&packet);
            if packet.len() % 3 == 1 && (text.contains('+') || text.contains('/')) {
                return (draft, text);
            }
            raw.unhashed.extend(sub(0x63, b"x"));
            raw.hashed = [sub(2, &seconds(MADE)), sub(33, &by.issuer_fingerprint())].concat();
        }
    };
    let spells: [(&str, bool, Spell); 14] = [
        ("as it should be", true, |good| vec![good]),
        ("without padding", false, |good| vec![good.trim_end_matches('=').to_owned()]),
        ("with too little padding", false, |good| vec![good.replace("==", "=")]),
        ("with too much padding", false, |good| vec![format!("{good}=")]),
        ("with a line feed behind", false, |good| vec![format!("{good}\n")]),
        ("with a blank before", false, |good| vec![format!(" {good}")]),
        ("with a break inside", false, |good| vec![format!("{}\n{}", &good[..8], &good[8..])]),
        ("in the alphabet of URLs", false, |good| vec![good.replace('+', "-").replace('/', "_")]),
        ("with stray bits before the padding", false, |good| {
            vec![format!("{}{}==", &good[..good.len() - 3], next_in_alphabet(&good))]
        }),
        ("with nothing in it", false, |_| vec![String::new()]),
        ("with other characters", false, |_| vec!["*".repeat(40)]),
        ("with a second one that is none", false, |good| vec![good, "x".to_owned()]),
        ("32 times", true, |good| vec![good; 32]),
        ("33 times", false, |good| vec![good; 33]),
    ];
    for (what, right, spell) in spells {
        let (draft, text) = spelt(table);
        let all = spell(text).into_iter().map(String::into_bytes).collect();
        let mut draft = draft;
        draft.signatures.push((278, Value::Texts(all)));
        let what = format!("tag 278 {what}");
        table.due("S39", &what, (!right).then_some(Code::SignatureFormat), &[by], draft.file());
    }
    let (mut draft, text) = spelt(table);
    draft.signatures.push((278, Value::Texts(vec![text.into_bytes(); 10_000])));
    table.bad("S39", "tag 278 10,000 times", Code::SignatureFormat, &[by], draft.file());
    // Each signature may have a salt and so a hash of its own.
    for (times, good) in [(4, true), (7, false)] {
        let large = table.six().set(1146, Some(Value::Bin(vec![0; 40 * 1024 * 1024])));
        let packet = by.sign(&large.header());
        let file = large.with_array(&vec![packet; times]).file();
        let what = format!("{times} signatures over a header of 40 MiB");
        table.due("S39", &what, (!good).then_some(Code::SignatureFormat), &[by], file);
    }
}
