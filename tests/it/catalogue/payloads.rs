//! H24 to H28: what lies between and behind the headers, and what they say about sizes.

use super::{Table, usual};
use crate::forge::{Draft, Value, sha3, text, texts};
use rolloutd::domain::refusal::Code;

pub(super) fn rows(table: &mut Table) {
    padding(table);
    behind(table);
    sizes(table);
}

/// Makes the signature header so long that padding follows it, and puts something there.
fn padded(draft: &Draft) -> Draft {
    let filled = |filler: usize| draft.clone().but(276, Some(texts(&[&"x".repeat(filler)])));
    let odd = |draft: &Draft| draft.file() != Draft { padding: 7, ..draft.clone() }.file();
    let draft = (0..8).map(filled).find(odd).expect("one of eight lengths is no multiple of eight");
    Draft { padding: 7, ..draft }
}

fn padding(table: &mut Table) {
    let draft = table.draft().signed(usual());
    table.good("H24", "something in the padding of format 4", &[usual()], padded(&draft).file()).noting("padding");
    let six = table.six();
    let six = six.clone().with_array(&[usual().sign(&six.header())]);
    table.bad("H24", "something in the padding of format 6", Code::Padding, &[usual()], padded(&six).file());
}

fn behind(table: &mut Table) {
    let six = table.six();
    let six = six.clone().with_array(&[usual().sign(&six.header())]);
    for (what, draft) in [("format 4", table.draft().signed(usual())), ("format 6", six)] {
        for more in [1, 4096] {
            let file = [draft.file(), vec![0; more]].concat();
            let what = format!("{more} octets after the payload of {what}");
            table.bad("H25", &what, Code::PayloadDigest, &[usual()], file);
        }
    }
    let bad = usual().sign(b"something else");
    let six = table.six();
    let good = usual().sign(&six.header());
    let spoilt = six.with_array(&[good]).with(1002, bad.clone()).but(1004, Some(Value::Bin(vec![0; 16])));
    table
        .good("H26", "bad tags of old formats in format 6", &[usual()], spoilt.file())
        .noting("signature tag 1002 ignored")
        .noting("signature tag 1004 ignored");
    let file = spoilt.but(999, None).file();
    table.bad("H26", "the same without the room by which rpm knows it", Code::PayloadDigest, &[usual()], file);
    let four = table.draft().signed(usual()).with(1002, bad);
    let header = hex::encode(sha3(&four.header()));
    let dressed = four.but(999, Some(Value::Bin(vec![0; 8]))).but(279, Some(text(header)));
    table.bad("H26", "format 4 dressed up as format 6", Code::BadSignature, &[usual()], dressed.file());
}

fn sizes(table: &mut Table) {
    for (what, tag, value) in [
        ("17 octets", 1000, Value::Word(17)),
        ("4 GiB", 1000, Value::Word(u32::MAX)),
        ("1 TiB", 270, Value::Long(1 << 40)),
        ("2^64-1 octets", 270, Value::Long(u64::MAX)),
    ] {
        let file = table.draft().signed(usual()).but(tag, Some(value)).file();
        table.bad("H27", &format!("tag {tag} says {what}"), Code::Size, &[usual()], file);
    }
    let six = table.six().set(5112, Some(Value::Long(3)));
    let six = six.clone().with_array(&[usual().sign(&six.header())]);
    table.bad("H27", "the signed size of the payload is wrong", Code::Size, &[usual()], six.file());

    for (what, tag, value, shows) in [
        ("SIZE 2^32-1", 1009, Value::Word(u32::MAX), "installed=\"4294967295\""),
        ("LONGSIZE 2^63", 5009, Value::Long(1 << 63), "installed=\"9223372036854775808\""),
        ("LONGSIZE 2^64-1", 5009, Value::Long(u64::MAX), "installed=\"18446744073709551615\""),
        ("ARCHIVESIZE 2^32-1", 1046, Value::Word(u32::MAX), "archive=\"4294967295\""),
    ] {
        let file = table.draft().set(tag, Some(value)).signed(usual()).file();
        table.good("H28", what, &[usual()], file).showing(shows);
    }
    let file = table.draft().signed(usual()).but(271, Some(Value::Long(u64::MAX))).file();
    table.good("H28", "LONGARCHIVESIZE 2^64-1", &[usual()], file).showing("archive=\"18446744073709551615\"");
    let files = table.draft().set(5008, Some(Value::As(5, 2, vec![0xff; 16])));
    let files = files
        .set(1117, Some(texts(&["a", "b"])))
        .set(1118, Some(texts(&["/x/"])))
        .set(1116, Some(Value::Words(vec![0, 0])))
        .set(1030, Some(Value::Halves(vec![0o100_644; 2])))
        .set(1037, Some(Value::Words(vec![0, 0])));
    table.good("H28", "two files whose sizes add up to more than 2^64", &[usual()], files.signed(usual()).file());
}
