//! H1 to H24: lead, headers, entries, regions.

use super::{LARGE, Table, usual};
use crate::campaign::is_long;
use crate::forge::{Draft, Value, header, laid_out, text, texts};
use rolloutd::domain::refusal::Code;

/// The four words of an entry.
const TAG: usize = 0;
const KIND: usize = 1;
const OFFSET: usize = 2;
const COUNT: usize = 3;

pub(super) fn rows(table: &mut Table) {
    container(table);
    limits(table);
    entries(table);
    regions(table);
    tags(table);
}

/// A package whose main header is as it is given, signed over that.
fn laid(draft: Draft, bytes: Vec<u8>) -> Vec<u8> {
    Draft { laid: Some(bytes), ..draft }.signed(usual()).file()
}

/// Where the entry of a tag stands in a header.
fn entry_of(header: &[u8], tag: u32) -> usize {
    (16..).step_by(16).find(|at| header[*at..*at + 4] == tag.to_be_bytes()).unwrap()
}

fn set(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

/// A package with one word of one entry of its main header changed, signed over that.
fn spoilt(draft: Draft, tag: u32, word: usize, value: u32) -> Vec<u8> {
    let spoil = |bytes: &mut Vec<u8>| {
        let at = entry_of(bytes, tag) + 4 * word;
        set(bytes, at, value);
    };
    draft.relaid(spoil).signed(usual()).file()
}

/// The same in the signature header, which nobody signs.
fn spoilt_signature(draft: Draft, tag: u32, word: usize, value: u32) -> Vec<u8> {
    let signed = draft.signed(usual());
    let mut bytes = header(62, &signed.signature_entries());
    let at = entry_of(&bytes, tag) + 4 * word;
    set(&mut bytes, at, value);
    Draft { laid_signatures: Some(bytes), ..signed }.file()
}

/// Where the main header of a file begins.
fn main_of(draft: &Draft) -> usize {
    draft.file().len() - draft.both().len()
}

fn container(table: &mut Table) {
    let whole = table.draft().signed(usual());
    let (file, main) = (whole.file(), main_of(&whole));
    let payload = main + whole.header().len();
    let mut cuts = vec![0, 1, 4, 79, 95, 96, 97, 104, 111, 112, 113, main - 1, main, main + 1];
    cuts.extend([main + 15, main + 16, main + 17, payload - 1, payload, payload + 1, file.len() - 1]);
    if is_long() {
        cuts = (0..file.len()).collect();
    }
    for cut in cuts {
        table.bad("H1", &format!("cut after {cut} of {} octets", file.len()), Code::Truncated, &[usual()], {
            file[..cut].to_vec()
        });
    }
    for (what, bytes) in [
        ("a Debian package", b"!<arch>\ndebian-binary   ".repeat(20)),
        ("a zip file", b"PK\x03\x04".repeat(60)),
        ("an error page", b"<!DOCTYPE html><title>404</title>".repeat(9)),
        ("a gzip file", b"\x1f\x8b\x08\x00".repeat(60)),
        ("a program", b"\x7fELF\x02\x01\x01".repeat(60)),
        ("zeros", vec![0; 5000]),
        ("one line feed", b"\n".to_vec()),
        ("a magic that is wrong in its last octet", [&file[..3], &[0xda], &file[4..]].concat()),
    ] {
        table.bad("H2", what, Code::NotRpm, &[usual()], bytes);
    }
    let mut altered = file.clone();
    for at in (5..78).chain(80..96) {
        altered[at] ^= 0xff;
    }
    table.good("H3", "all in the lead that is history is altered", &[usual()], altered);
    for at in [4, 78, 79] {
        let mut altered = file.clone();
        altered[at] ^= 0xff;
        table.bad("H3", &format!("octet {at} of the lead, which rpm reads"), Code::NotRpm, &[usual()], altered);
    }
    for at in 0..8 {
        let mut altered = file.clone();
        altered[96 + at] ^= 1;
        table.bad("H4", &format!("octet {at} of the signature header"), Code::HeaderMagic, &[usual()], altered);
        let bytes = table.draft().relaid(|bytes| bytes[at] ^= 1).signed(usual()).file();
        table.bad("H4", &format!("octet {at} of the main header"), Code::HeaderMagic, &[usual()], bytes);
    }
}

fn limits(table: &mut Table) {
    const MIB: u32 = 1 << 20;
    let whole = table.draft().signed(usual());
    let (file, main) = (whole.file(), main_of(&whole));
    let with = |at: usize, entries: Option<u32>, data: Option<u32>| {
        let mut bytes = file.clone();
        for (place, number) in [(at + 8, entries), (at + 12, data)] {
            if let Some(number) = number {
                set(&mut bytes, place, number);
            }
        }
        bytes
    };
    for (id, at, entries, data) in [
        ("H5", main, Some(65_536), None),
        ("H5", main, Some(1 << 31), None),
        ("H5", main, Some(u32::MAX), None),
        ("H5", main, Some(0), None),
        ("H6", 96, Some(33), None),
        ("H6", 96, Some(u32::MAX), None),
        ("H6", 96, Some(0), None),
        ("H7", main, None, Some(1 << 28)),
        ("H7", main, None, Some(u32::MAX)),
        ("H7", 96, None, Some(64 * MIB + 1)),
        ("H8", main, Some(0x1000_0001), Some(0)),
        ("H8", 96, Some(0x1000_0001), Some(0)),
        ("H9", main, Some(65_535), Some(0x0fff_ffff)),
        ("H9", main, Some(1), Some(64 * MIB)),
    ] {
        let which = if at == 96 { "signature" } else { "main" };
        let what = format!("{which} header of {entries:?} entries and {data:?} octets (none: as it is)");
        table.bad(id, &what, Code::HeaderLimits, &[usual()], with(at, entries, data));
    }
    let many = (0..32).fold(table.draft().signed(usual()), |draft, n| draft.with(2000 + n, vec![1]));
    table.bad("H6", "more than 32 entries in the signature header, all there", Code::HeaderLimits, &[usual()], {
        many.file()
    });
    // As large as a header may be: 64 MiB with all that belongs to it.
    // A number of 32 bits stands behind it, so that it grows by four octets.
    for more in [0, 4] {
        let draft = table.draft();
        let with = |room: usize| draft.clone().set(1146, Some(Value::Bin(vec![7; room])));
        let room = (1..=4).map(|n| 64 * MIB as usize - with(n).header().len() + n);
        let room = room.map(|room| room + more).find(|room| with(*room).header().len() == 64 * MIB as usize + more);
        let file = with(room.expect("one of four fits")).signed(usual()).file();
        match more {
            0 => table.good("H9", "a main header of 64 MiB", &[usual()], file).arriving_in(LARGE),
            _ => table.bad("H9", "a main header of 64 MiB and four octets", Code::HeaderLimits, &[usual()], file),
        };
    }
    if is_long() {
        let texts = || Value::As(8, 1_048_575, vec![0; 1_048_575]);
        let draft = (0..60).fold(table.draft(), |draft, n| draft.set(60_000 + n, Some(texts())));
        let file = draft.signed(usual()).file();
        table.good("H9", "60 lists of 1048575 empty strings", &[usual()], file).arriving_in(LARGE);
    }
    let draft = (0..65_000).fold(table.draft(), |mut draft, n| {
        draft.main.push((10_000 + n, Value::Word(n)));
        draft
    });
    table.good("H9", "65,000 tags", &[usual()], draft.signed(usual()).file()).arriving_in(LARGE);
}

fn entries(table: &mut Table) {
    let length = |draft: &Draft| {
        let header = draft.header();
        u32::from_be_bytes(header[12..16].try_into().unwrap())
    };
    for tag in [1000, 1004, 1022, 5092, 5093] {
        for offset in [u32::MAX, 1 << 31, 0x7fff_fff0] {
            let file = spoilt(table.draft(), tag, OFFSET, offset);
            table.bad("H10", &format!("tag {tag} at {offset:#x}"), Code::HeaderEntry, &[usual()], file);
        }
        let draft = table.draft();
        let end = length(&draft);
        for offset in [end, end + 8, end - 16] {
            let file = spoilt(draft.clone(), tag, OFFSET, offset);
            table.bad("H11", &format!("tag {tag} at {offset} of {end}"), Code::HeaderEntry, &[usual()], file);
        }
        for count in [0, u32::MAX, 1 << 31, 0x4000_0001] {
            let file = spoilt(table.draft(), tag, COUNT, count);
            table.bad("H12", &format!("tag {tag} with count {count}"), Code::HeaderEntry, &[usual()], file);
        }
    }
    let draft = table.draft().set(60_000, Some(Value::Bin(vec![1; 8])));
    let file = spoilt(draft, 60_000, COUNT, 64);
    table.bad("H11", "data that ends behind the header", Code::HeaderEntry, &[usual()], file);
    let draft = table.draft().set(60_000, Some(Value::Long(1)));
    let file = spoilt(draft, 60_000, COUNT, u32::MAX);
    table.bad("H12", "INT64 with count 2^32-1", Code::HeaderEntry, &[usual()], file);
    let draft = table.draft().set(60_000, Some(Value::As(2, 1_048_576, vec![1; 1_048_576])));
    table.bad("H12", "1048576 octets as numbers", Code::HeaderEntry, &[usual()], draft.signed(usual()).file());
    let draft = table.draft().set(60_000, Some(Value::As(2, 1_048_575, vec![1; 1_048_575])));
    table.good("H12", "1048575 octets as numbers, which is the most", &[usual()], draft.signed(usual()).file());
    for (file, what) in hostile() {
        assert_eq!(file.len(), 192);
        table.bad("H12", &format!("192 octets: {what}"), Code::HeaderEntry, &[usual()], file);
    }

    for (kind, size) in [(3, 2), (4, 4), (5, 8)] {
        for off in 1..size {
            // A filler takes the room before it, and the number follows without any.
            let mut data = table.draft();
            data = data.set(60_000, Some(Value::As(7, 8 + off, vec![1; 8 + off as usize])));
            let file = laid(data.clone(), {
                let entries = [&data.main[..], &[(60_001, Value::As(2, size, vec![0; size as usize]))]].concat();
                let mut bytes = header(63, &entries);
                let at = entry_of(&bytes, 60_001);
                set(&mut bytes, at + 4 * KIND, kind);
                set(&mut bytes, at + 4 * COUNT, 1);
                let offset = u32::from_be_bytes(bytes[at + 8..at + 12].try_into().unwrap());
                if offset.is_multiple_of(size) {
                    continue;
                }
                bytes
            });
            table.bad("H13", &format!("type {kind}, misaligned"), Code::HeaderEntry, &[usual()], file);
        }
    }

    for (what, first, second) in [
        ("two entries share an octet", [0, 4], [3, 5]),
        ("two entries share all", [0, 8], [0, 8]),
        ("data runs backwards", [4, 4], [0, 4]),
    ] {
        let draft = table.draft();
        let entries = [&draft.main[..], &[(60_000, Value::Bin(vec![1; 4])), (60_001, Value::Bin(vec![2; 4]))]].concat();
        let mut bytes = header(63, &entries);
        let at = entry_of(&bytes, 60_000);
        let base = u32::from_be_bytes(bytes[at + 8..at + 12].try_into().unwrap());
        for (n, [offset, count]) in [first, second].into_iter().enumerate() {
            set(&mut bytes, at + 16 * n + 4 * OFFSET, base + offset);
            set(&mut bytes, at + 16 * n + 4 * COUNT, count);
        }
        table.bad("H14", what, Code::HeaderEntry, &[usual()], laid(draft, bytes));
    }
    let draft = table.draft().set(60_000, Some(Value::Bin(vec![1; 8])));
    let file = spoilt(draft, 60_000, COUNT, 12);
    table.bad("H14", "data that reaches into the trailer of the region", Code::HeaderEntry, &[usual()], file);
    let draft = table.draft().relaid(|bytes| {
        // Eight octets before the trailer that no entry speaks of.
        let data = u32::from_be_bytes(bytes[12..16].try_into().unwrap()) + 8;
        set(bytes, 12, data);
        let end = bytes.len() - 16;
        bytes.splice(end..end, [0; 8]);
        let at = 16 + 4 * OFFSET;
        let trailer = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) + 8;
        set(bytes, at, trailer);
    });
    table.bad("H14", "octets that no entry speaks of", Code::HeaderEntry, &[usual()], draft.signed(usual()).file());

    for kind in [0, 10, 255, u32::MAX] {
        let file = spoilt(table.draft(), 1044, KIND, kind);
        table.bad("H15", &format!("type {kind}"), Code::HeaderEntry, &[usual()], file);
        let file = spoilt_signature(table.draft(), 1004, KIND, kind);
        table.bad("H15", &format!("type {kind} in the signature header"), Code::HeaderEntry, &[usual()], file);
    }
    for (what, tag, value) in [
        ("NAME as a number", 1000, Value::Word(1)),
        ("SIZE of 64 bits", 1009, Value::Long(1)),
        ("BASENAMES as octets", 1117, Value::Bin(b"a\0".to_vec())),
        ("SOURCEPKGID as text", 1146, text("a")),
        ("the payload digest as octets", 5092, Value::Bin(vec![0; 32])),
    ] {
        let file = table.draft().set(tag, Some(value)).signed(usual()).file();
        table.bad("H15", what, Code::HeaderEntry, &[usual()], file);
    }
    for (what, value) in [
        ("one string with count 2", Value::As(6, 2, b"a\0b\0".to_vec())),
        ("a list with fewer strings than it says", Value::As(8, 3, b"a\0b\0".to_vec())),
    ] {
        let file = table.draft().set(60_000, Some(value)).signed(usual()).file();
        table.bad("H16", what, Code::HeaderEntry, &[usual()], file);
    }
    let draft = table.draft();
    let bare = [&draft.main[..], &[(60_000, Value::As(6, 1, b"no end".to_vec()))]].concat();
    let file = laid(draft, laid_out(None, &bare));
    table.bad("H16", "a string without an end, the last of all", Code::HeaderEntry, &[usual()], file);
    for tag in [0, 1, 60, 64, 99, 1 << 31, u32::MAX] {
        let file = spoilt(table.draft(), 100, TAG, tag);
        table.bad("H17", &format!("tag {tag}"), Code::HeaderEntry, &[usual()], file);
    }
}

/// The files of 192 octets that stop other readers.
pub(crate) fn hostile() -> Vec<(Vec<u8>, &'static str)> {
    let file = |kind: u32, offset: u32, count: u32| {
        let mut file = vec![0xed, 0xab, 0xee, 0xdb, 3, 0, 0, 0];
        file.resize(78, 0);
        file.extend([0, 5]);
        file.resize(96, 0);
        file.extend(laid_out(Some(62), &[]));
        file.extend([0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 16]);
        for word in [1009, kind, offset, count] {
            file.extend(word.to_be_bytes());
        }
        file.extend([0; 16]);
        file
    };
    vec![
        (file(4, u32::MAX, 1), "a negative offset"),
        (file(4, 0x7fff_fff0, 1), "an offset far behind the end"),
        (file(6, 17, 1), "an offset just behind the end"),
        (file(5, 0, u32::MAX), "34 GB of numbers"),
        (file(8, 0, u32::MAX), "2^32-1 strings"),
        (file(5, 0, 0x2000_0002), "a count that is 16 octets when multiplied in 32 bits"),
    ]
}

fn regions(table: &mut Table) {
    let draft = table.draft();
    let file = laid(draft.clone(), laid_out(None, &draft.main));
    table.bad("H18", "no region", Code::Region, &[usual()], file);
    for (what, word, value) in [
        ("of another tag", TAG, 61),
        ("of the tag of signatures", TAG, 62),
        ("of type STRING", KIND, 6),
        ("of count 15", COUNT, 15),
        ("of count 17", COUNT, 17),
        ("with its trailer out of range", OFFSET, u32::MAX),
        ("with its trailer at 0", OFFSET, 0),
    ] {
        let file = table.draft().relaid(|bytes| set(bytes, 16 + 4 * word, value)).signed(usual()).file();
        table.bad("H18", &format!("a region {what}"), Code::Region, &[usual()], file);
    }
    let entries = u32::try_from(table.draft().main.len() + 1).unwrap();
    let back = |entries: u32| (16 * entries).wrapping_neg();
    for (what, word, value) in [
        ("another tag", TAG, 61),
        ("type STRING_ARRAY", KIND, 8),
        ("count 32", COUNT, 32),
        ("a positive length", OFFSET, 16 * entries),
        ("no length", OFFSET, 0),
        ("an odd length", OFFSET, back(entries) + 1),
        ("one entry too many", OFFSET, back(entries + 1)),
        ("one entry too few", OFFSET, back(entries - 1)),
    ] {
        let spoil = |bytes: &mut Vec<u8>| {
            let at = bytes.len() - 16 + 4 * word;
            set(bytes, at, value);
        };
        let file = table.draft().relaid(spoil).signed(usual()).file();
        table.bad("H18", &format!("a trailer with {what}"), Code::Region, &[usual()], file);
    }
    let file = table.draft().relaid(|bytes| dribble(bytes, 60_000, b"unsigned")).signed(usual()).file();
    table.bad("H19", "an entry after the region, signed like the rest", Code::Region, &[usual()], file);
    let whole = table.draft().signed(usual());
    let mut altered = whole.header();
    dribble(&mut altered, 60_000, b"unsigned");
    let file = Draft { laid: Some(altered), ..whole }.file();
    table.bad("H19", "an entry added to a signed header", Code::Region, &[usual()], file);
    let whole = table.draft();
    let signature = usual().sign(&whole.header());
    let mut signatures = header(62, &whole.signature_entries());
    dribble(&mut signatures, 268, &signature);
    let file = Draft { laid_signatures: Some(signatures), ..whole }.file();
    table.good("H19", "a signature after the region of the signature header", &[usual()], file);
}

/// Adds an entry after the region, as old signing tools did.
fn dribble(bytes: &mut Vec<u8>, tag: u32, data: &[u8]) {
    let word = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let (entries, length) = (word(bytes, 8), word(bytes, 12));
    let count = u32::try_from(data.len()).unwrap();
    set(bytes, 8, entries + 1);
    set(bytes, 12, length + count);
    let at = 16 + 16 * entries as usize;
    let entry = [tag, 7, length, count].into_iter().flat_map(u32::to_be_bytes);
    bytes.splice(at..at, entry);
    bytes.extend_from_slice(data);
}

fn tags(table: &mut Table) {
    for tag in [256, 257, 261, 267, 268, 269, 273, 278, 999] {
        let file = table.draft().set(tag, Some(Value::Bin(vec![1; 16]))).signed(usual()).file();
        table.bad("H20", &format!("tag {tag} in the main header"), Code::SigtagInHeader, &[usual()], file);
    }
    let both = table.draft().set(1046, Some(Value::Word(7))).signed(usual()).but(1007, Some(Value::Word(7)));
    table.bad("H20", "the size of the archive in both headers", Code::SigtagInHeader, &[usual()], both.file());
    let one = table.draft().set(1046, Some(Value::Word(7))).signed(usual());
    table
        .good("H20", "the size of the archive in the main header alone", &[usual()], one.file())
        .showing("archive=\"7\"");
    let six = table.six().set(1046, Some(Value::Word(7)));
    let signature = usual().sign(&six.header());
    table.bad("H20", "and in format 6", Code::SigtagInHeader, &[usual()], six.with_array(&[signature]).file());

    for (what, tag, value) in [
        ("RSA as text", 268, text("a")),
        ("SHA-1 as octets", 269, Value::Bin(vec![1; 20])),
        ("SHA-256 as a list", 273, texts(&["a"])),
        ("OPENPGP as octets", 278, Value::Bin(vec![1])),
        ("MD5 of 15 octets", 1004, Value::Bin(vec![0; 15])),
        ("SIZE as octets", 1000, Value::Bin(vec![0; 4])),
        ("two sizes", 1000, Value::Words(vec![1, 2])),
        ("LONGSIZE of 32 bits", 270, Value::Word(1)),
    ] {
        let file = table.draft().signed(usual()).but(tag, Some(value)).file();
        table.bad("H21", what, Code::HeaderEntry, &[usual()], file);
    }
    let unknown = table.draft().signed(usual()).with(300, b"nobody knows this".to_vec());
    let unknown = unknown.but(1011, Some(text("A Vendor That Nobody Signed")));
    table
        .good("H21", "tags that nobody knows in the signature header", &[usual()], unknown.file())
        .showing("<rpm:vendor/>|<rpm:vendor></rpm:vendor>");

    let mut twice = table.draft();
    twice.main.push((1000, text("evil")));
    table.bad("H22", "two names", Code::DuplicateTag, &[usual()], twice.signed(usual()).file());
    let apart = table.draft();
    let entries = [&apart.main[..], &[(1000, text("evil"))]].concat();
    let file = laid(apart, laid_out(Some(63), &entries));
    table.bad("H22", "two names far apart", Code::DuplicateTag, &[usual()], file);
    let twice = table.draft().signed(usual()).signed(usual());
    table.bad("H22", "two signatures in one tag", Code::DuplicateTag, &[usual()], twice.file());

    let backwards = |draft: &Draft| draft.main.iter().rev().cloned().collect::<Vec<_>>();
    let draft = table.draft();
    let file = laid(draft.clone(), laid_out(Some(63), &backwards(&draft)));
    table.good("H23", "tags from the highest to the lowest in format 4", &[usual()], file);
    let six = table.six();
    let six = Draft { laid: Some(laid_out(Some(63), &backwards(&six))), ..six };
    let signature = usual().sign(&six.header());
    table.bad("H23", "and in format 6", Code::TagOrder, &[usual()], six.with_array(&[signature]).file());
    let six = table.six();
    let six = six.clone().with_array(&[usual().sign(&six.header())]);
    let entries: Vec<_> = six.signature_entries().into_iter().rev().collect();
    let entries: Vec<_> = if entries.is_sorted_by_key(|(tag, _)| *tag) { vec![] } else { entries };
    let file = Draft { laid_signatures: Some(laid_out(Some(62), &entries)), ..six }.file();
    table.bad("H23", "and in the signature header of format 6", Code::TagOrder, &[usual()], file);
}
