//! RPM's header structure, read by rpm's own rules and within limits.
//!
//! A package is a lead of 96 bytes, a signature header, zero to seven bytes of padding, the main header, and the
//! payload up to the end of the file. A header is an intro of 16 bytes (magic, number of entries, bytes of data), 16
//! bytes for each entry (tag, type, offset, count), and the data. All numbers are big endian. The rules are those of
//! rpm's `lib/header.cc` (`hdrblobVerifyLengths`, `hdrblobVerifyRegion`, `hdrblobVerifyInfo`, `hdrblobImport`) and
//! `lib/package.cc` (`headerMergeLegacySigs`); where the catalogue of hostile inputs requires more than rpm does, the
//! rule names its row (H1 to H24).
//!
//! - A length in a file is trusted only once the bytes it covers have been read, so no claim of a file makes this
//!   module allocate.
//! - Every entry is checked before the first value can be read; reading a value cannot fail afterwards.
//! - The bytes are kept as they were read. Nothing here writes a header or hashes one.
//! - A tag is looked up in one place only: a header with a tag twice is refused.

use std::ops::Range;

use crate::domain::refusal::{Code, Refusal};

/// Tag numbers of the main header; those of the signature header are in [`tag::sig`].
pub mod tag;

/// Bytes of the lead (`lib/rpmlead.cc`).
const LEAD: usize = 96;

/// Bytes before a header's entries: magic, number of entries, bytes of data.
const INTRO: usize = 16;

/// Bytes of one entry, and of the trailer that ends a region.
const ENTRY: usize = 16;

/// Largest header accepted. rpm allows 256 MiB (`headerMaxbytes`), but the largest headers that distributions ship are
/// far smaller, and each header is held in memory while it is read.
pub const HEADER_MAX: u64 = 64 * 1024 * 1024;

/// Most entries of a main header (`HEADER_TAGS_MAX`).
pub const TAGS_MAX: u32 = 0xffff;

/// Most bytes of data in a main header (`HEADER_DATA_MAX`).
pub const DATA_MAX: u32 = 0x0fff_ffff;

/// Most entries of a signature header (`hdrblobVerifyLengths`).
pub const SIGNATURE_TAGS_MAX: u32 = 32;

/// Most bytes of data in a signature header (`hdrblobVerifyLengths`).
pub const SIGNATURE_DATA_MAX: u32 = 64 * 1024 * 1024;

/// Most elements of any type but `BIN` (`HEADER_ARRAY_MAX`), which bounds the number of files.
pub const ARRAY_MAX: u32 = 0x000f_ffff;

/// Most elements of a known signature tag (`headerMergeLegacySigs`).
const SIGNATURE_COUNT_MAX: u32 = 16 * 1024 * 1024;

/// The lead's first four bytes.
const LEAD_MAGIC: [u8; 4] = [0xed, 0xab, 0xee, 0xdb];

/// The value in the lead that says "a signature header follows" (`RPMSIGTYPE_HEADERSIG`), the only kind rpm still
/// reads.
const HEADER_SIGNATURE: [u8; 2] = [0, 5];

/// A header's first eight bytes, all of which are compared (H4).
const HEADER_MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];

/// Region tags: the first entry, which says which entries belong together.
const HEADER_IMAGE: u32 = 61;
const HEADER_SIGNATURES: u32 = 62;
const HEADER_IMMUTABLE: u32 = 63;

/// The types of data (`rpmTagType`).
pub mod kind {
    /// One character.
    pub const CHAR: u32 = 1;
    /// Bytes read as numbers.
    pub const INT8: u32 = 2;
    /// 16-bit numbers.
    pub const INT16: u32 = 3;
    /// 32-bit numbers.
    pub const INT32: u32 = 4;
    /// 64-bit numbers.
    pub const INT64: u32 = 5;
    /// One NUL-terminated string.
    pub const STRING: u32 = 6;
    /// Bytes.
    pub const BIN: u32 = 7;
    /// NUL-terminated strings.
    pub const STRING_ARRAY: u32 = 8;
    /// One string for each language of the table in tag 100; the first is the default.
    pub const I18NSTRING: u32 = 9;
}

/// What rpm requires of a signature tag before it merges it into the main header (`headerMergeLegacySigs`): its type,
/// and the number of elements where that is fixed (H21).
fn signature_rule(tag: u32) -> Option<(u32, Option<u32>)> {
    use tag::sig;
    Some(match tag {
        sig::SIZE | sig::PAYLOADSIZE | sig::FILESIGNATURELENGTH | sig::VERITYSIGNATUREALGO => (kind::INT32, Some(1)),
        sig::LONGSIZE | sig::LONGARCHIVESIZE => (kind::INT64, Some(1)),
        sig::SHA1 | sig::SHA256 | sig::SHA3_256 => (kind::STRING, Some(1)),
        sig::MD5 => (kind::BIN, Some(16)),
        sig::PGP | sig::GPG | sig::DSA | sig::RSA => (kind::BIN, None),
        sig::FILESIGNATURES | sig::VERITYSIGNATURES | sig::OPENPGP => (kind::STRING_ARRAY, None),
        _ => return None,
    })
}

/// Which of a package's two headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Signatures and digests; may have entries after its region, and old ones have no region.
    Signature,
    /// Everything else; exactly one immutable region, or none at all in packages older than rpm 4.
    Main,
}

/// Where a package's headers are in the file, both including their intro.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The signature header, without the padding after it.
    pub signature: Range<u64>,
    /// The main header; its end is the first byte of the payload.
    pub main: Range<u64>,
}

impl Layout {
    /// The zero to seven bytes between the two headers.
    pub fn padding(&self) -> Range<u64> {
        self.signature.end..self.main.start
    }
}

/// What the first bytes of a file say about its headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// This many bytes, counted from the beginning of the file, are needed to continue. A file that ends before them is
    /// truncated (H1).
    More(u64),
    /// Where the headers are; they may not have been read completely.
    Known(Layout),
}

/// Finds the two headers from the lead and the intros, and checks their sizes against the limits (H1 to H9).
///
/// Only three fields of the lead are checked: the magic, the major version, which rpm before 6 requires to be 3 or 4,
/// and the signature type. The rest is obsolete and unsigned (H3).
pub fn extent(prefix: &[u8]) -> Result<Extent, Refusal> {
    const NEEDED: u64 = (LEAD + INTRO) as u64;
    if !LEAD_MAGIC.iter().zip(prefix).all(|(want, is)| want == is) {
        return Err(Refusal::new(Code::NotRpm, "no rpm package lead"));
    }
    let Some(lead) = prefix.first_chunk::<LEAD>() else {
        return Ok(Extent::More(NEEDED));
    };
    if !matches!(lead[4], 3 | 4) {
        return Err(Refusal::new(Code::NotRpm, format!("the lead has version {}, rpm reads 3 and 4", lead[4])));
    }
    if lead[78..80] != HEADER_SIGNATURE {
        return Err(Refusal::new(Code::NotRpm, "the lead names a signature type that rpm no longer reads"));
    }
    let Some(intro) = intro_at(prefix, LEAD as u64) else {
        return Ok(Extent::More(NEEDED));
    };
    let signature = LEAD as u64..LEAD as u64 + Intro::read(intro, Part::Signature)?.bytes();
    let start = signature.end.next_multiple_of(8);
    let Some(intro) = intro_at(prefix, start) else {
        return Ok(Extent::More(start + INTRO as u64));
    };
    let main = start..start + Intro::read(intro, Part::Main)?.bytes();
    Ok(Extent::Known(Layout { signature, main }))
}

fn intro_at(prefix: &[u8], at: u64) -> Option<&[u8; INTRO]> {
    prefix.get(usize::try_from(at).ok()?..)?.first_chunk()
}

/// The two lengths of a header, within the limits for its part.
#[derive(Clone, Copy)]
struct Intro {
    entries: u32,
    data: u32,
}

impl Intro {
    /// Checks all eight bytes of the magic, and the lengths against rpm's limits (H4 to H9).
    fn read(bytes: &[u8; INTRO], part: Part) -> Result<Self, Refusal> {
        let refuse = |code, detail: String| Err(Refusal::new(code, format!("{}: {detail}", part.name())));
        let [magic @ .., _, _, _, _, _, _, _, _] = bytes;
        if *magic != HEADER_MAGIC {
            return refuse(Code::HeaderMagic, format!("begins with {}", hex::encode(magic)));
        }
        let [_, _, entries, data] = words(bytes);
        let (tags_max, data_max) = match part {
            Part::Signature => (SIGNATURE_TAGS_MAX, SIGNATURE_DATA_MAX),
            Part::Main => (TAGS_MAX, DATA_MAX),
        };
        if entries == 0 || entries > tags_max {
            return refuse(Code::HeaderLimits, format!("{entries} tags; 1 to {tags_max} are allowed"));
        }
        if data > data_max {
            return refuse(Code::HeaderLimits, format!("{data} bytes of data; at most {data_max} are allowed"));
        }
        let intro = Self { entries, data };
        if intro.bytes() > HEADER_MAX {
            return refuse(Code::HeaderLimits, format!("{} bytes; at most {HEADER_MAX} are allowed", intro.bytes()));
        }
        Ok(intro)
    }

    /// Size of the header in bytes, at most [`HEADER_MAX`] once it has been read.
    fn bytes(self) -> u64 {
        INTRO as u64 + u64::from(self.entries) * ENTRY as u64 + u64::from(self.data)
    }
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature header",
            Self::Main => "main header",
        }
    }
}

/// The four numbers of an intro, an entry or a trailer.
fn words(bytes: &[u8; ENTRY]) -> [u32; 4] {
    let (words, _) = bytes.as_chunks::<4>();
    let mut out = [0; 4];
    for (to, from) in out.iter_mut().zip(words) {
        *to = u32::from_be_bytes(*from);
    }
    out
}

/// One entry whose data is known to lie inside the header.
#[derive(Clone, Copy, Debug)]
struct Entry {
    tag: u32,
    kind: u32,
    count: u32,
    /// Offset from the beginning of the data.
    start: u32,
    /// Bytes of data.
    length: u32,
}

/// One header that rpm would accept, with its original bytes.
#[derive(Clone, Debug)]
pub struct Header {
    bytes: Vec<u8>,
    part: Part,
    /// Sorted by tag, without the region.
    entries: Vec<Entry>,
    /// Where the data begins in `bytes`.
    data: usize,
    has_region: bool,
    in_order: bool,
}

impl Header {
    /// Reads exactly one header and checks all of it.
    pub fn read(bytes: &[u8], part: Part) -> Result<Self, Refusal> {
        let header = Checked::check(bytes, part)?;
        Ok(header.with(bytes.to_vec()))
    }

    /// Like [`Header::read`], but keeps the buffer instead of a copy.
    pub fn take(bytes: Vec<u8>, part: Part) -> Result<Self, Refusal> {
        let header = Checked::check(&bytes, part)?;
        Ok(header.with(bytes))
    }

    /// The original bytes, for hashing (F4).
    pub fn raw(&self) -> &[u8] {
        &self.bytes
    }

    /// Which header this is.
    pub fn part(&self) -> Part {
        self.part
    }

    /// Whether the entries are in an immutable region. Without one it is a package from before rpm 4, whose header no
    /// header-only signature or digest covers (H18).
    pub fn has_region(&self) -> bool {
        self.has_region
    }

    /// Whether the tags ascend, as format 6 requires (H23).
    pub fn in_order(&self) -> bool {
        self.in_order
    }

    /// The package format named in the main header; packages before format 6 name none.
    pub fn format(&self) -> Option<u32> {
        self.u32(tag::RPMFORMAT)
    }

    /// Whether rpm ignores the tags from 1000 on in this signature header, as it does when it takes the package for
    /// format 6 (H26, `rpmvsInit`).
    pub fn ignores_legacy(&self) -> bool {
        self.part == Part::Signature && self.has(tag::sig::RESERVED) && self.has(tag::sig::SHA3_256)
    }

    /// Whether the tag is present.
    pub fn has(&self, tag: u32) -> bool {
        self.entry(tag).is_some()
    }

    /// The type of a tag's data, one of [`kind`].
    pub fn kind(&self, tag: u32) -> Option<u32> {
        self.entry(tag).map(|e| e.kind)
    }

    /// The number of elements of a tag; 0 if it is absent.
    pub fn count(&self, tag: u32) -> u32 {
        self.entry(tag).map_or(0, |e| e.count)
    }

    /// The bytes of a `BIN` tag.
    pub fn bin(&self, tag: u32) -> Option<&[u8]> {
        self.entry(tag).filter(|e| e.kind == kind::BIN).map(|e| self.bytes_of(e))
    }

    /// A string, or the first of several, without its NUL; for an `I18NSTRING`, the default for languages without their
    /// own (N16).
    pub fn string(&self, tag: u32) -> Option<&[u8]> {
        self.strings(tag).next()
    }

    /// All strings without their NULs; none if the tag is absent or not a string.
    ///
    /// An `I18NSTRING` counts as one string, even where an array is expected: rpm does the same, and a list of what a
    /// package requires must not contain more than rpm sees.
    pub fn strings(&self, tag: u32) -> impl Iterator<Item = &[u8]> + Clone {
        let entry = self.entry(tag).filter(|e| is_string(e.kind));
        let count = entry.map_or(0, |e| if e.kind == kind::I18NSTRING { 1 } else { e.count as usize });
        entry.map_or(&[][..], |e| self.bytes_of(e)).split(|byte| *byte == 0).take(count)
    }

    /// All numbers of an `INT16`; none if the tag is absent or of another type.
    pub fn u16s(&self, tag: u32) -> impl Iterator<Item = u16> {
        let (numbers, _) = self.of_kind(tag, kind::INT16).as_chunks::<2>();
        numbers.iter().map(|bytes| u16::from_be_bytes(*bytes))
    }

    /// All numbers of an `INT32`; none if the tag is absent or of another type.
    pub fn u32s(&self, tag: u32) -> impl Iterator<Item = u32> {
        let (numbers, _) = self.of_kind(tag, kind::INT32).as_chunks::<4>();
        numbers.iter().map(|bytes| u32::from_be_bytes(*bytes))
    }

    /// All numbers of any width, unsigned as they are in every tag (H28); none if the tag is absent or not a number.
    ///
    /// rpm, too, checks the width only where there is a region, and does not treat a `BIN` as a number.
    pub fn u64s(&self, tag: u32) -> impl Iterator<Item = u64> {
        let entry = self.entry(tag).filter(|e| (kind::CHAR..=kind::INT64).contains(&e.kind));
        let size = entry.map_or(1, |e| size_of(e.kind) as usize);
        let numbers = entry.map_or(&[][..], |e| self.bytes_of(e)).chunks_exact(size);
        numbers.map(|bytes| bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    /// The first number of an `INT32`.
    pub fn u32(&self, tag: u32) -> Option<u32> {
        self.u32s(tag).next()
    }

    /// The first number of any width.
    pub fn u64(&self, tag: u32) -> Option<u64> {
        self.u64s(tag).next()
    }

    /// Tag, type and count of every entry except the region, sorted by tag.
    pub fn entries(&self) -> impl Iterator<Item = (u32, u32, u32)> {
        self.entries.iter().map(|e| (e.tag, e.kind, e.count))
    }

    fn entry(&self, tag: u32) -> Option<&Entry> {
        let at = self.entries.binary_search_by_key(&tag, |e| e.tag).ok()?;
        self.entries.get(at)
    }

    fn of_kind(&self, tag: u32, kind: u32) -> &[u8] {
        self.entry(tag).filter(|e| e.kind == kind).map_or(&[], |e| self.bytes_of(e))
    }

    fn bytes_of(&self, entry: &Entry) -> &[u8] {
        let start = self.data + entry.start as usize;
        self.bytes.get(start..start + entry.length as usize).unwrap_or_default()
    }
}

/// What comparing the two headers shows that neither shows alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The padding of a format 4 package is not zero; rpm does not check this (H24).
    pub nonzero_padding: bool,
    /// The signature header has tags that rpm ignores because the package is format 6 (H26).
    pub ignored_tags: bool,
}

/// Compares the two headers of a package: which tags may be in only one of them (H20), and what format 6 requires of
/// the signature header (H23, H24, H26).
///
/// `padding` is the bytes between the headers, see [`Layout::padding`].
pub fn agree(signature: &Header, padding: &[u8], main: &Header) -> Result<Agreement, Refusal> {
    use tag::sig;
    let format_6 = main.format().is_some_and(|format| format >= 6);
    let in_either = [
        (sig::PAYLOADSIZE, tag::ARCHIVESIZE),
        (sig::FILESIGNATURES, tag::FILESIGNATURES),
        (sig::FILESIGNATURELENGTH, tag::FILESIGNATURELENGTH),
    ];
    for (outside, inside) in in_either {
        if main.has(inside) && (format_6 || signature.has(outside)) {
            let detail = format!("tag {inside} of the main header belongs in the signature header");
            return Err(Refusal::new(Code::SigtagInHeader, detail));
        }
    }
    let nonzero_padding = padding.iter().any(|byte| *byte != 0);
    if format_6 && !signature.in_order() {
        return Err(Refusal::new(Code::TagOrder, "the tags of the signature header are not in order"));
    }
    if format_6 && nonzero_padding {
        return Err(Refusal::new(Code::Padding, "the padding after the signature header is not zero"));
    }
    let ignored_tags = signature.ignores_legacy() && signature.entries().any(|(tag, ..)| tag >= sig::SIZE);
    Ok(Agreement { nonzero_padding, ignored_tags })
}

/// The parts of a header, once all of it has been checked.
struct Checked {
    part: Part,
    entries: Vec<Entry>,
    data: usize,
    has_region: bool,
    in_order: bool,
}

impl Checked {
    fn with(self, bytes: Vec<u8>) -> Header {
        let Self { part, entries, data, has_region, in_order } = self;
        Header { bytes, part, entries, data, has_region, in_order }
    }

    fn check(bytes: &[u8], part: Part) -> Result<Self, Refusal> {
        let refuse = |code, detail: String| Err(Refusal::new(code, format!("{}: {detail}", part.name())));
        let Some(intro) = bytes.first_chunk() else {
            return refuse(Code::Truncated, "ends in its first 16 bytes".to_owned());
        };
        let intro = Intro::read(intro, part)?;
        if (bytes.len() as u64) < intro.bytes() {
            return refuse(Code::Truncated, format!("{} bytes of {}", bytes.len(), intro.bytes()));
        }
        if (bytes.len() as u64) > intro.bytes() {
            return refuse(Code::HeaderLimits, format!("{} bytes instead of {}", bytes.len(), intro.bytes()));
        }
        let at = bytes.len() - intro.data as usize;
        let (before, data) = bytes.split_at(at);
        let (index, _) = before.get(INTRO..).unwrap_or_default().as_chunks::<ENTRY>();

        let region = match region_end(index, data, part) {
            Ok(region) => region,
            Err(detail) => return refuse(Code::Region, detail),
        };
        let index = index.get(usize::from(region.is_some())..).unwrap_or_default();
        let mut entries = check_entries(index, data, region, part)?;

        let in_order = entries.is_sorted_by_key(|e| e.tag);
        if !in_order {
            entries.sort_unstable_by_key(|e| e.tag);
        }
        if let Some((entry, _)) = entries.iter().zip(entries.iter().skip(1)).find(|(a, b)| a.tag == b.tag) {
            return refuse(Code::DuplicateTag, format!("tag {} occurs twice", entry.tag));
        }
        if part == Part::Main && !in_order && names_format_6(&entries, data) {
            return refuse(Code::TagOrder, "the tags are not in order".to_owned());
        }
        Ok(Self { part, entries, data: at, has_region: region.is_some(), in_order })
    }
}

fn names_format_6(entries: &[Entry], data: &[u8]) -> bool {
    let format = entries.iter().find(|e| e.tag == tag::RPMFORMAT && e.kind == kind::INT32);
    let bytes = format.and_then(|e| data.get(e.start as usize..)).and_then(<[u8]>::first_chunk::<4>);
    bytes.is_some_and(|bytes| u32::from_be_bytes(*bytes) >= 6)
}

/// Finds the region that the first entry opens, and returns the end of its data, trailer included (H18, H19,
/// `hdrblobVerifyRegion`).
fn region_end(index: &[[u8; ENTRY]], data: &[u8], part: Part) -> Result<Option<usize>, String> {
    let Some([tag, kind, offset, count]) = index.first().map(words) else {
        return Ok(None);
    };
    let (own, also) = match part {
        // Some old packages have the other tag in the trailer of their signature header.
        Part::Signature => (HEADER_SIGNATURES, HEADER_IMAGE),
        Part::Main => (HEADER_IMMUTABLE, HEADER_IMMUTABLE),
    };
    if tag != own {
        return match tag {
            HEADER_IMAGE..=HEADER_IMMUTABLE => Err(format!("opens with region {tag}, not {own}")),
            _ => Ok(None),
        };
    }
    let sane = |kind, count| kind == kind::BIN && count as usize == ENTRY;
    if !sane(kind, count) {
        return Err(format!("region of type {kind} and count {count}"));
    }
    let Some(trailer) = data.get(offset as usize..).and_then(<[u8]>::first_chunk) else {
        return Err(format!("trailer at {offset} of {} bytes of data", data.len()));
    };
    let [tag, kind, back, count] = words(trailer);
    if (tag != own && tag != also) || !sane(kind, count) {
        return Err(format!("trailer with tag {tag}, type {kind} and count {count}"));
    }
    // The trailer gives the distance back to the region's first entry, in bytes of entries.
    let back = back.wrapping_neg() as usize;
    let entries = back / ENTRY;
    if !back.is_multiple_of(ENTRY) || entries == 0 || entries > index.len() {
        return Err(format!("region of {back} bytes of entries in a header of {} entries", index.len()));
    }
    let end = offset as usize + ENTRY;
    if part == Part::Main && (entries != index.len() || end != data.len()) {
        let (all, bytes) = (index.len(), data.len());
        return Err(format!("region of {entries} of {all} entries and {end} of {bytes} bytes"));
    }
    Ok(Some(end))
}

/// Checks every entry after the region's own, in order (`hdrblobVerifyInfo`).
fn check_entries(index: &[[u8; ENTRY]], data: &[u8], region: Option<usize>, part: Part) -> Result<Vec<Entry>, Refusal> {
    // One entry for each 16 bytes that have been read.
    let mut entries = Vec::with_capacity(index.len());
    let mut end = 0;
    let mut dense = 0;
    for raw in index {
        let [tag, kind, start, count] = words(raw);
        let refuse = |code, why: &str| {
            let detail = format!("{}: tag {tag} type {kind} offset {start} count {count}: {why}", part.name());
            Err(Refusal::new(code, detail))
        };
        if let Err((code, why)) = check_tag(tag, kind, count, region.is_some(), part) {
            return refuse(code, why);
        }
        if start < end {
            return refuse(Code::HeaderEntry, "overlaps the entry before it");
        }
        let size = size_of(kind);
        if !start.is_multiple_of(size) {
            return refuse(Code::HeaderEntry, "is not aligned");
        }
        if count == 0 || count as usize > data.len() || (kind != kind::BIN && count > ARRAY_MAX) {
            return refuse(Code::HeaderEntry, "has an impossible count");
        }
        let Some(length) = data.get(start as usize..).and_then(|rest| length_of(kind, count, rest)) else {
            return refuse(Code::HeaderEntry, "does not fit into the data");
        };
        end = start.saturating_add(length);
        if region.is_some_and(|region| (start as usize) < region && end as usize + ENTRY > region) {
            return refuse(Code::HeaderEntry, "overlaps the trailer of the region");
        }
        dense = u32::next_multiple_of(dense, size).saturating_add(length);
        entries.push(Entry { tag, kind, count, start, length });
    }
    // rpm adds up the space that the entries need and requires it to be all there is (`hdrblobImport`).
    let trailer = if region.is_some() { ENTRY } else { 0 };
    if dense as usize + trailer != data.len() {
        let detail = format!("{}: {} bytes of data, the entries need {dense}", part.name(), data.len());
        return Err(Refusal::new(Code::HeaderEntry, detail));
    }
    Ok(entries)
}

/// Whether this tag is allowed in this header with this type (H15, H17, H20, H21).
fn check_tag(tag: u32, kind: u32, count: u32, in_region: bool, part: Part) -> Result<(), (Code, &'static str)> {
    // rpm before 6 treats a tag as a signed number.
    if tag < tag::HEADERI18NTABLE || i32::try_from(tag).is_err() {
        return Err((Code::HeaderEntry, "is not allowed here"));
    }
    if !(kind::CHAR..=kind::I18NSTRING).contains(&kind) {
        return Err((Code::HeaderEntry, "has an unknown type"));
    }
    match part {
        Part::Signature => match signature_rule(tag) {
            Some((wanted, _)) if wanted != kind => Err((Code::HeaderEntry, "has the wrong type")),
            Some((_, Some(wanted))) if wanted != count => Err((Code::HeaderEntry, "has the wrong count")),
            Some(_) if count > SIGNATURE_COUNT_MAX => Err((Code::HeaderEntry, "has an impossible count")),
            _ => Ok(()),
        },
        Part::Main => {
            if (256..1000).contains(&tag) && tag != tag::PUBKEYS {
                return Err((Code::SigtagInHeader, "belongs in the signature header"));
            }
            // rpm checks types only where there is a region; in older packages an architecture could be a number.
            let wrong = in_region
                && tag::kind_of(tag).is_some_and(|wanted| wanted != kind && !(is_string(wanted) && is_string(kind)));
            if wrong { Err((Code::HeaderEntry, "has the wrong type")) } else { Ok(()) }
        }
    }
}

fn is_string(kind: u32) -> bool {
    matches!(kind, kind::STRING | kind::STRING_ARRAY | kind::I18NSTRING)
}

/// Size of one element, which is also its alignment.
fn size_of(kind: u32) -> u32 {
    match kind {
        kind::INT16 => 2,
        kind::INT32 => 4,
        kind::INT64 => 8,
        _ => 1,
    }
}

/// The bytes that `count` elements take of `rest`, if they fit (H11, H12, H16, `dataLength`).
fn length_of(kind: u32, count: u32, rest: &[u8]) -> Option<u32> {
    let length = match kind {
        kind::STRING if count != 1 => return None,
        kind::STRING | kind::STRING_ARRAY | kind::I18NSTRING => after_nuls(rest, count as usize)?,
        _ => usize::try_from(u64::from(count) * u64::from(size_of(kind))).ok()?,
    };
    u32::try_from(length).ok().filter(|_| length <= rest.len())
}

/// The number of bytes up to and including the `count`th NUL.
fn after_nuls(bytes: &[u8], count: usize) -> Option<usize> {
    // Counting NULs a block at a time is many times faster than scanning each string. A block has no more of them than
    // a byte can count, and wrapping addition is what the compiler turns into vector instructions.
    let mut left = count;
    let mut before = 0;
    for block in bytes.chunks(usize::from(u8::MAX)) {
        let here = usize::from(block.iter().fold(0_u8, |nuls, byte| nuls.wrapping_add(u8::from(*byte == 0))));
        if here >= left {
            let (at, _) = block.iter().enumerate().filter(|(_, byte)| **byte == 0).nth(left.checked_sub(1)?)?;
            return Some(before + at + 1);
        }
        left -= here;
        before += block.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A hand-made header, entry by entry, with the region closed at the end.
    struct Draft {
        region: Option<u32>,
        index: Vec<[u32; 4]>,
        data: Vec<u8>,
    }

    /// The four words of an entry, for [`spoilt`] and [`set`].
    const TAG: usize = 0;
    const KIND: usize = 1;
    const OFFSET: usize = 2;
    const COUNT: usize = 3;

    impl Draft {
        fn main() -> Self {
            Self { region: Some(63), index: Vec::new(), data: Vec::new() }
        }

        fn signature() -> Self {
            Self { region: Some(62), ..Self::main() }
        }

        fn old() -> Self {
            Self { region: None, ..Self::main() }
        }

        fn put(mut self, tag: u32, kind: u32, count: u32, bytes: &[u8]) -> Self {
            let align = match kind {
                3 => 2,
                4 => 4,
                5 => 8,
                _ => 1,
            };
            self.data.resize(self.data.len().next_multiple_of(align), 0);
            self.index.push([tag, kind, u32::try_from(self.data.len()).unwrap(), count]);
            self.data.extend_from_slice(bytes);
            self
        }

        fn text(self, tag: u32, text: &str) -> Self {
            self.put(tag, kind::STRING, 1, format!("{text}\0").as_bytes())
        }

        fn texts(self, tag: u32, kind: u32, texts: &[&str]) -> Self {
            let joined: Vec<u8> = texts.iter().flat_map(|text| [text.as_bytes(), b"\0"].concat()).collect();
            self.put(tag, kind, u32::try_from(texts.len()).unwrap(), &joined)
        }

        fn ints(self, tag: u32, numbers: &[u32]) -> Self {
            let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
            self.put(tag, kind::INT32, u32::try_from(numbers.len()).unwrap(), &bytes)
        }

        fn shorts(self, tag: u32, numbers: &[u16]) -> Self {
            let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
            self.put(tag, kind::INT16, u32::try_from(numbers.len()).unwrap(), &bytes)
        }

        fn longs(self, tag: u32, numbers: &[u64]) -> Self {
            let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
            self.put(tag, kind::INT64, u32::try_from(numbers.len()).unwrap(), &bytes)
        }

        fn bin(self, tag: u32, bytes: &[u8]) -> Self {
            self.put(tag, kind::BIN, u32::try_from(bytes.len()).unwrap(), bytes)
        }

        fn done(mut self) -> Vec<u8> {
            if let Some(region) = self.region {
                let entries = u32::try_from(self.index.len()).unwrap() + 1;
                self.index.insert(0, [region, kind::BIN, u32::try_from(self.data.len()).unwrap(), 16]);
                let trailer = [region, kind::BIN, (16 * entries).wrapping_neg(), 16];
                self.data.extend(trailer.iter().flat_map(|word| word.to_be_bytes()));
            }
            let mut bytes = HEADER_MAGIC.to_vec();
            bytes.extend(u32::try_from(self.index.len()).unwrap().to_be_bytes());
            bytes.extend(u32::try_from(self.data.len()).unwrap().to_be_bytes());
            bytes.extend(self.index.iter().flatten().flat_map(|word| word.to_be_bytes()));
            bytes.extend(self.data);
            bytes
        }
    }

    /// Overwrites one word of one entry; entry 0 is the region.
    fn set(bytes: &mut [u8], entry: usize, word: usize, value: u32) {
        let at = 16 + 16 * entry + 4 * word;
        bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }

    fn spoilt(mut bytes: Vec<u8>, entry: usize, word: usize, value: u32) -> Vec<u8> {
        set(&mut bytes, entry, word, value);
        bytes
    }

    /// An entry after the region, as signing tools have added them.
    fn with_dribble(bytes: &[u8], tag: u32, data: &[u8]) -> Vec<u8> {
        let [_, _, entries, length] = words(bytes.first_chunk().unwrap());
        let (before, after) = bytes.split_at(16 + 16 * entries as usize);
        let mut out = before.to_vec();
        out[8..12].copy_from_slice(&(entries + 1).to_be_bytes());
        out[12..16].copy_from_slice(&(length + u32::try_from(data.len()).unwrap()).to_be_bytes());
        for word in [tag, kind::BIN, length, u32::try_from(data.len()).unwrap()] {
            out.extend(word.to_be_bytes());
        }
        out.extend_from_slice(after);
        out.extend_from_slice(data);
        out
    }

    /// A main header with every type of data. Entries by number: 1 locales, 2 name, 3 version,
    /// 4 release, 5 summary, 6 build time, 7 size, 8 architecture, 9 modes, 10 flags, 11 names,
    /// 12 source package id, 13 sizes, 14 a tag that nobody knows.
    fn plain() -> Draft {
        Draft::main()
            .texts(tag::HEADERI18NTABLE, kind::STRING_ARRAY, &["C", "de"])
            .text(tag::NAME, "tool")
            .text(tag::VERSION, "1.0")
            .text(tag::RELEASE, "1")
            .texts(tag::SUMMARY, kind::I18NSTRING, &["a tool", "ein Werkzeug"])
            .ints(tag::BUILDTIME, &[1_700_000_000])
            .ints(tag::SIZE, &[u32::MAX])
            .text(tag::ARCH, "noarch")
            .shorts(tag::FILEMODES, &[0o100_644, 0o040_755, 0o120_777])
            .ints(tag::FILEFLAGS, &[0, 1, 64])
            .texts(tag::BASENAMES, kind::STRING_ARRAY, &["a", "", "c"])
            .bin(tag::SOURCEPKGID, &[7; 16])
            .longs(tag::LONGFILESIZES, &[0, 1 << 63, u64::MAX])
            .put(60_000, kind::INT8, 3, b"\x01\x02\x03")
    }

    fn signed() -> Draft {
        Draft::signature()
            .bin(tag::sig::RSA, &[1; 9])
            .text(tag::sig::SHA1, "da39a3ee5e6b4b0d3255bfef95601890afd80709")
            .ints(tag::sig::SIZE, &[4711])
            .bin(tag::sig::MD5, &[3; 16])
            .put(tag::sig::RESERVEDSPACE, kind::BIN, 5, &[0; 5])
    }

    fn package(signature: &[u8], main: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; LEAD];
        bytes[..4].copy_from_slice(&LEAD_MAGIC);
        bytes[4] = 3;
        bytes[79] = 5;
        bytes.extend_from_slice(signature);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend_from_slice(main);
        bytes
    }

    #[track_caller]
    fn read(bytes: &[u8], part: Part) -> Header {
        Header::read(bytes, part).unwrap_or_else(|refusal| panic!("refused: {refusal}"))
    }

    #[track_caller]
    fn refused(bytes: &[u8], part: Part, code: Code) {
        match Header::read(bytes, part) {
            Ok(_) => panic!("was read, {code} is the right answer"),
            Err(refusal) => assert_eq!(refusal.code, code, "{refusal}"),
        }
    }

    #[track_caller]
    fn known(bytes: &[u8]) -> Layout {
        match extent(bytes) {
            Ok(Extent::Known(layout)) => layout,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_value_of_a_header_comes_out_as_it_went_in() {
        let bytes = plain().done();
        let header = read(&bytes, Part::Main);
        assert_eq!(header.raw(), bytes, "F4: what is hashed is what was read");
        assert!(header.has_region() && header.in_order() && header.format().is_none());
        assert_eq!(header.string(tag::NAME), Some(&b"tool"[..]));
        assert_eq!(header.strings(tag::NAME).collect::<Vec<_>>(), [b"tool"]);
        assert_eq!(header.strings(tag::BASENAMES).collect::<Vec<_>>(), [&b"a"[..], b"", b"c"]);
        assert_eq!(header.u16s(tag::FILEMODES).collect::<Vec<_>>(), [0o100_644, 0o040_755, 0o120_777]);
        assert_eq!(header.u32s(tag::FILEFLAGS).collect::<Vec<_>>(), [0, 1, 64]);
        assert_eq!(header.bin(tag::SOURCEPKGID), Some(&[7; 16][..]));
        assert_eq!(header.u32(tag::BUILDTIME), Some(1_700_000_000));
        assert_eq!((header.kind(tag::NAME), header.count(tag::BASENAMES)), (Some(kind::STRING), 3));
        let tags: Vec<u32> = header.entries().map(|(tag, ..)| tag).collect();
        assert!(tags.is_sorted() && tags.len() == 14 && !tags.contains(&63), "{tags:?}");
        assert_eq!(read(&signed().done(), Part::Signature).part(), Part::Signature);
        assert_eq!(Header::take(bytes.clone(), Part::Main).unwrap().raw(), bytes);
    }

    #[test]
    fn a_string_in_several_languages_is_one_string() {
        let header = read(&plain().done(), Part::Main);
        assert_eq!(header.string(tag::SUMMARY), Some(&b"a tool"[..]));
        assert_eq!(header.count(tag::SUMMARY), 2);
        let odd = Draft::main().texts(tag::REQUIRENAME, kind::I18NSTRING, &["one", "two"]).done();
        assert_eq!(read(&odd, Part::Main).strings(tag::REQUIRENAME).collect::<Vec<_>>(), [b"one"]);
    }

    #[test]
    fn what_is_absent_or_of_another_type_has_no_values() {
        let header = read(&plain().done(), Part::Main);
        for tag in [tag::EPOCH, tag::FILEMODES, tag::NAME, tag::FILEFLAGS] {
            let kind = header.kind(tag);
            assert_eq!(header.has(tag), kind.is_some());
            assert_eq!(header.string(tag).is_some(), kind == Some(kind::STRING), "{tag}");
            assert_eq!(header.u16s(tag).next().is_some(), kind == Some(kind::INT16), "{tag}");
            assert_eq!(header.u32(tag).is_some(), kind == Some(kind::INT32), "{tag}");
            assert_eq!(header.u64(tag).is_some(), matches!(kind, Some(kind::INT16 | kind::INT32)), "{tag}");
            assert_eq!(header.bin(tag), None, "{tag}");
        }
        assert_eq!(header.count(tag::EPOCH), 0);
    }

    #[test]
    fn h1_a_package_cut_at_any_byte_asks_for_more_or_is_truncated() {
        let (signature, main) = (signed().done(), plain().done());
        let whole = package(&signature, &main);
        let layout = known(&whole);
        assert_eq!(layout.main.end, whole.len() as u64);
        for cut in 0..whole.len() {
            match extent(&whole[..cut]).unwrap() {
                Extent::More(needed) => assert!(needed > cut as u64 && needed <= whole.len() as u64),
                Extent::Known(early) => assert_eq!(early, layout, "at {cut}"),
            }
        }
        for cut in 0..signature.len() {
            refused(&signature[..cut], Part::Signature, Code::Truncated);
        }
        for cut in 0..main.len() {
            refused(&main[..cut], Part::Main, Code::Truncated);
        }
    }

    #[test]
    fn h2_what_has_no_lead_is_no_package() {
        let files: [&[u8]; 6] =
            [b"!<arch>\ndebian", b"PK\x03\x04", b"<!DOCTYPE html>", b"\x1f\x8b", b"\xed\xab\xee\xda", b"\n"];
        for file in files {
            assert_eq!(extent(file).unwrap_err().code, Code::NotRpm, "{file:?}");
        }
        assert_eq!(extent(b""), Ok(Extent::More(112)));
        assert_eq!(extent(&LEAD_MAGIC), Ok(Extent::More(112)));
    }

    #[test]
    fn h3_nothing_in_the_lead_counts_but_magic_version_and_signature_type() {
        let whole = package(&signed().done(), &plain().done());
        let layout = known(&whole);
        for at in 4..LEAD {
            let mut altered = whole.clone();
            altered[at] ^= 0xff;
            match at {
                4 | 78 | 79 => assert_eq!(extent(&altered).unwrap_err().code, Code::NotRpm, "at {at}"),
                _ => assert_eq!(extent(&altered), Ok(Extent::Known(layout.clone())), "at {at}"),
            }
        }
    }

    #[test]
    fn h4_all_eight_bytes_of_magic_count() {
        let (signature, main) = (signed().done(), plain().done());
        let whole = package(&signature, &main);
        let layout = known(&whole);
        for at in 0..8 {
            for (bytes, part, start) in
                [(&signature, Part::Signature, layout.signature.start), (&main, Part::Main, layout.main.start)]
            {
                let mut altered = bytes.clone();
                altered[at] ^= 1;
                let refusal = Header::read(&altered, part).unwrap_err();
                assert_eq!(refusal.code, Code::HeaderMagic);
                let which = if part == Part::Main { "main header: " } else { "signature header: " };
                assert!(refusal.detail.starts_with(which), "{refusal}");
                let mut altered = whole.clone();
                altered[usize::try_from(start).unwrap() + at] ^= 1;
                assert_eq!(extent(&altered).unwrap_err().code, Code::HeaderMagic, "{part:?} at {at}");
            }
        }
    }

    fn intro(entries: u32, data: u32) -> Vec<u8> {
        [&HEADER_MAGIC[..], &entries.to_be_bytes(), &data.to_be_bytes()].concat()
    }

    #[test]
    fn h5_to_h9_sizes_beyond_the_limits_are_refused_by_the_first_sixteen_bytes() {
        let megabytes = 64 * 1024 * 1024;
        let cases = [
            ("H5", Part::Main, 65_536, 16),
            ("H5", Part::Main, 1 << 31, 16),
            ("H5", Part::Main, u32::MAX, 16),
            ("H6", Part::Signature, 33, 16),
            ("H6", Part::Signature, u32::MAX, 16),
            ("H7", Part::Main, 1, 1 << 28),
            ("H7", Part::Main, 1, u32::MAX),
            ("H7", Part::Signature, 1, megabytes + 1),
            ("H8", Part::Main, 0x1000_0001, 0),
            ("H8", Part::Signature, 0x1000_0001, 0),
            ("H9", Part::Main, 1, 0x0fff_ffff),
            ("H9", Part::Main, 65_535, megabytes - 65_535 * 16 - 15),
            ("no tags", Part::Main, 0, 16),
            ("no tags", Part::Signature, 0, 0),
        ];
        for (id, part, entries, data) in cases {
            let refusal = Header::read(&intro(entries, data), part).unwrap_err();
            assert_eq!(refusal.code, Code::HeaderLimits, "{id}: {refusal}");
            let file = match part {
                Part::Signature => package(&intro(entries, data), b""),
                Part::Main => package(&signed().done(), &intro(entries, data)),
            };
            assert_eq!(extent(&file).unwrap_err().code, Code::HeaderLimits, "{id}");
        }
        refused(&intro(65_535, megabytes - 65_535 * 16 - 16), Part::Main, Code::Truncated);
        refused(&intro(32, 4096), Part::Signature, Code::Truncated);
    }

    #[test]
    fn h6_thirty_two_tags_are_the_most_in_a_signature_header() {
        let many = |count: u32| (0..count - 1).fold(Draft::signature(), |d, i| d.bin(2000 + i, b"x")).done();
        assert_eq!(read(&many(32), Part::Signature).entries().count(), 31);
        refused(&many(33), Part::Signature, Code::HeaderLimits);
    }

    #[test]
    fn h10_and_h11_data_outside_the_header_is_refused() {
        let bytes = plain().done();
        let length = u32::try_from(bytes.len() - 16 - 15 * 16).unwrap();
        for (id, offset) in [("H10", u32::MAX), ("H10", 1 << 31), ("H11", length + 8), ("H11", length)] {
            for entry in 1..=14 {
                let refusal = Header::read(&spoilt(bytes.clone(), entry, OFFSET, offset), Part::Main).unwrap_err();
                assert_eq!(refusal.code, Code::HeaderEntry, "{id} entry {entry}: {refusal}");
            }
        }
        refused(&spoilt(bytes, 13, COUNT, 4), Part::Main, Code::HeaderEntry);
    }

    #[test]
    fn h12_impossible_counts_are_refused_without_believing_them() {
        let bytes = plain().done();
        for entry in 1..=14 {
            for count in [0, u32::MAX, 1 << 31, 0x2000_0001, 0x4000_0001] {
                refused(&spoilt(bytes.clone(), entry, COUNT, count), Part::Main, Code::HeaderEntry);
            }
        }
        let long = |kind, count: u32| Draft::main().put(60_000, kind, count, &vec![0; count as usize]).done();
        for kind in [kind::CHAR, kind::INT8, kind::STRING_ARRAY] {
            assert_eq!(read(&long(kind, ARRAY_MAX), Part::Main).count(60_000), 1_048_575);
            refused(&long(kind, ARRAY_MAX + 1), Part::Main, Code::HeaderEntry);
        }
        assert_eq!(read(&long(kind::BIN, ARRAY_MAX + 1), Part::Main).count(60_000), 1_048_576);
        assert_eq!(read(&Draft::old().bin(60_000, b"all").done(), Part::Main).bin(60_000), Some(&b"all"[..]));
        let signature = |length: usize| Draft::signature().bin(tag::sig::RSA, &vec![0; length]).done();
        assert_eq!(read(&signature(16 << 20), Part::Signature).count(tag::sig::RSA), 16 << 20);
        refused(&signature((16 << 20) + 1), Part::Signature, Code::HeaderEntry);
    }

    #[test]
    fn h13_misaligned_numbers_are_refused() {
        // A filler of one byte before each number, so that it is not aligned.
        for (kind, size) in [(kind::INT16, 2), (kind::INT32, 4), (kind::INT64, 8)] {
            for off in 1..size {
                let mut draft = Draft::main().bin(50_000, &vec![0; off]);
                draft.index.push([60_000, kind, u32::try_from(off).unwrap(), 1]);
                draft.data.extend(vec![0; size]);
                refused(&draft.done(), Part::Main, Code::HeaderEntry);
            }
        }
    }

    #[test]
    fn h14_data_that_overlaps_or_goes_back_is_refused() {
        let two = |first: [u32; 2], second: [u32; 2]| {
            let mut draft = Draft::main();
            draft.data = b"abcdefgh".to_vec();
            draft.index = vec![[50_000, kind::BIN, first[0], first[1]], [60_000, kind::BIN, second[0], second[1]]];
            draft.done()
        };
        read(&two([0, 4], [4, 4]), Part::Main);
        refused(&two([0, 4], [3, 5]), Part::Main, Code::HeaderEntry);
        refused(&two([0, 8], [0, 8]), Part::Main, Code::HeaderEntry);
        refused(&two([4, 4], [0, 4]), Part::Main, Code::HeaderEntry);
    }

    #[test]
    fn h14_data_may_not_overlap_the_trailer_of_the_region() {
        refused(&spoilt(plain().done(), 14, COUNT, 4), Part::Main, Code::HeaderEntry);
        // The 48 bytes add up, but the 32 bytes of the entry contain the trailer.
        let words = [
            [62, kind::BIN, 16, 16],
            [300, kind::BIN, 0, 32],
            [0; 4],
            [62, kind::BIN, (-32_i32).cast_unsigned(), 16],
            [0; 4],
        ];
        let mut hidden = intro(2, 48);
        hidden.extend(words.iter().flatten().flat_map(|word| word.to_be_bytes()));
        refused(&hidden, Part::Signature, Code::HeaderEntry);
    }

    #[test]
    fn bytes_that_no_entry_speaks_of_are_refused() {
        let mut gap = plain();
        gap.data.extend([0; 8]);
        refused(&gap.done(), Part::Main, Code::HeaderEntry);
        let mut gap = Draft::old().text(tag::NAME, "tool");
        gap.data.push(0);
        refused(&gap.done(), Part::Main, Code::HeaderEntry);
        refused(&[&plain().done()[..], b"x"].concat(), Part::Main, Code::HeaderLimits);
    }

    #[test]
    fn h15_unknown_types_and_known_tags_of_another_type_are_refused() {
        for kind in [0, 10, 255, u32::MAX] {
            refused(&spoilt(plain().done(), 14, KIND, kind), Part::Main, Code::HeaderEntry);
            refused(&spoilt(signed().done(), 5, KIND, kind), Part::Signature, Code::HeaderEntry);
        }
        refused(&Draft::main().ints(tag::NAME, &[1]).done(), Part::Main, Code::HeaderEntry);
        refused(&Draft::main().longs(tag::SIZE, &[1]).done(), Part::Main, Code::HeaderEntry);
        refused(&Draft::main().bin(tag::BASENAMES, b"a\0").done(), Part::Main, Code::HeaderEntry);
        refused(&Draft::main().text(tag::SOURCEPKGID, "a").done(), Part::Main, Code::HeaderEntry);
        // rpm accepts any of the three string types for another, and ignores unknown tags.
        read(&Draft::main().texts(tag::NAME, kind::STRING_ARRAY, &["a"]).done(), Part::Main);
        read(&Draft::main().text(tag::SUMMARY, "a").done(), Part::Main);
        read(&Draft::main().longs(59_999, &[1]).done(), Part::Main);
    }

    #[test]
    fn h16_strings_end_inside_the_data_and_are_as_many_as_they_say() {
        refused(&Draft::main().put(tag::NAME, kind::STRING, 2, b"a\0b\0").done(), Part::Main, Code::HeaderEntry);
        let endless = Draft { region: None, ..Draft::old().put(tag::NAME, kind::STRING, 1, b"abc") };
        refused(&endless.done(), Part::Main, Code::HeaderEntry);
        let few = Draft { region: None, ..Draft::old().put(tag::BASENAMES, kind::STRING_ARRAY, 3, b"a\0b\0cc") };
        refused(&few.done(), Part::Main, Code::HeaderEntry);
        let many: Vec<String> = (0..1000).map(|n| "x".repeat(n % 300)).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let bytes = Draft::main().texts(tag::BASENAMES, kind::STRING_ARRAY, &many).done();
        assert!(read(&bytes, Part::Main).strings(tag::BASENAMES).eq(many.iter().map(|s| s.as_bytes())));
    }

    #[test]
    fn h17_tags_below_100_and_negative_ones_are_refused() {
        for tag in [0, 1, 60, 64, 99, 1 << 31, u32::MAX] {
            refused(&spoilt(plain().done(), 1, TAG, tag), Part::Main, Code::HeaderEntry);
            refused(&Draft::old().bin(tag, b"x").done(), Part::Main, Code::HeaderEntry);
            refused(&spoilt(signed().done(), 1, TAG, tag), Part::Signature, Code::HeaderEntry);
        }
        refused(&spoilt(plain().done(), 1, TAG, 63), Part::Main, Code::HeaderEntry);
    }

    #[test]
    fn h18_a_header_without_a_region_is_read_and_says_so() {
        let header = read(&Draft::old().text(tag::NAME, "tool").ints(tag::ARCH, &[1]).done(), Part::Main);
        assert!(!header.has_region());
        assert_eq!(header.string(tag::NAME), Some(&b"tool"[..]));
        assert!(!read(&Draft::old().ints(tag::sig::SIZE, &[1]).done(), Part::Signature).has_region());
    }

    #[test]
    fn h18_a_region_is_what_rpm_makes_or_nothing() {
        let bytes = plain().done();
        for (word, value) in [(TAG, 61), (TAG, 62), (KIND, 6), (COUNT, 15), (COUNT, 17), (OFFSET, u32::MAX)] {
            refused(&spoilt(bytes.clone(), 0, word, value), Part::Main, Code::Region);
        }
        let length = u32::try_from(bytes.len() - 16 - 15 * 16).unwrap();
        for offset in [length, length - 15, length - 17, 0, 0xffff_fff0] {
            refused(&spoilt(bytes.clone(), 0, OFFSET, offset), Part::Main, Code::Region);
        }
        let entries = 15_u32;
        let back = |entries: u32| (16 * entries).wrapping_neg();
        let wrong = [
            (TAG, 61),
            (TAG, 62),
            (KIND, 8),
            (COUNT, 32),
            (OFFSET, 16 * entries),
            (OFFSET, 0),
            (OFFSET, back(entries) + 1),
            (OFFSET, back(entries + 1)),
            (OFFSET, back(entries - 1)),
            (OFFSET, 1 << 31),
        ];
        for (word, value) in wrong {
            let mut altered = bytes.clone();
            let at = altered.len() - 16 + 4 * word;
            altered[at..at + 4].copy_from_slice(&value.to_be_bytes());
            refused(&altered, Part::Main, Code::Region);
        }
    }

    #[test]
    fn h18_a_region_in_a_signature_header_has_entries_that_are_there() {
        let whole = with_dribble(&signed().done(), tag::sig::GPG, b"xyz");
        let trailer = whole.len() - 3 - 16;
        let with_back = |back: u32| {
            let mut altered = whole.clone();
            altered[trailer + 8..trailer + 12].copy_from_slice(&back.wrapping_neg().to_be_bytes());
            altered
        };
        for entries in [1, 6, 7] {
            assert!(read(&with_back(16 * entries), Part::Signature).has_region(), "{entries}");
        }
        for back in [0, 1, 15, 17, 16 * 6 - 1, 16 * 7 + 1, 16 * 8] {
            refused(&with_back(back), Part::Signature, Code::Region);
        }
    }

    #[test]
    fn h18_an_old_signature_header_may_name_another_region_in_its_trailer() {
        let mut bytes = signed().done();
        let at = bytes.len() - 16;
        bytes[at..at + 4].copy_from_slice(&61_u32.to_be_bytes());
        assert!(read(&bytes, Part::Signature).has_region());
        bytes[at..at + 4].copy_from_slice(&63_u32.to_be_bytes());
        refused(&bytes, Part::Signature, Code::Region);
        refused(&Draft::main().text(tag::NAME, "a").done(), Part::Signature, Code::Region);
    }

    #[test]
    fn h19_entries_after_the_region_are_for_signatures_only() {
        refused(&with_dribble(&plain().done(), 60_001, b"x"), Part::Main, Code::Region);
        let header = read(&with_dribble(&signed().done(), tag::sig::GPG, b"xyz"), Part::Signature);
        assert_eq!(header.bin(tag::sig::GPG), Some(&b"xyz"[..]));
        assert!(!header.in_order());
        // A region that ends before the data does.
        let mut longer = plain().done();
        longer.extend([0; 16]);
        let length = u32::try_from(longer.len()).unwrap() - 16 - 15 * 16;
        longer[12..16].copy_from_slice(&length.to_be_bytes());
        refused(&longer, Part::Main, Code::Region);
    }

    #[test]
    fn h20_a_signature_tag_in_the_main_header_is_refused() {
        for tag in (256..300).chain([999]).filter(|tag| *tag != tag::PUBKEYS) {
            refused(&Draft::main().bin(tag, &[1; 16]).done(), Part::Main, Code::SigtagInHeader);
            refused(&Draft::old().bin(tag, &[1; 16]).done(), Part::Main, Code::SigtagInHeader);
        }
        read(&Draft::main().texts(tag::PUBKEYS, kind::STRING_ARRAY, &["key"]).done(), Part::Main);
    }

    #[test]
    fn h20_what_may_be_in_either_header_is_not_in_both() {
        let inside = read(&Draft::main().ints(tag::ARCHIVESIZE, &[1]).done(), Part::Main);
        let outside = read(&Draft::signature().ints(tag::sig::PAYLOADSIZE, &[1]).done(), Part::Signature);
        let (plain, signed) = (read(&plain().done(), Part::Main), read(&signed().done(), Part::Signature));
        assert!(agree(&signed, b"", &inside).is_ok());
        assert!(agree(&outside, b"", &plain).is_ok());
        assert_eq!(agree(&outside, b"", &inside).unwrap_err().code, Code::SigtagInHeader);
        let newest = Draft::main().ints(tag::ARCHIVESIZE, &[1]).ints(tag::RPMFORMAT, &[6]).done();
        assert_eq!(agree(&signed, b"", &read(&newest, Part::Main)).unwrap_err().code, Code::SigtagInHeader);
    }

    #[test]
    fn h21_a_signature_tag_has_its_type_and_count() {
        use tag::sig;
        let wrong = [
            Draft::signature().text(sig::RSA, "a"),
            Draft::signature().bin(sig::SHA1, b"a"),
            Draft::signature().texts(sig::SHA256, kind::STRING_ARRAY, &["a"]),
            Draft::signature().bin(sig::OPENPGP, b"a"),
            Draft::signature().bin(sig::MD5, &[0; 15]),
            Draft::signature().bin(sig::SIZE, &[0; 4]),
            Draft::signature().ints(sig::SIZE, &[1, 2]),
            Draft::signature().ints(sig::LONGSIZE, &[1]),
            Draft::signature().longs(sig::LONGARCHIVESIZE, &[1, 2]),
        ];
        for draft in wrong {
            refused(&draft.done(), Part::Signature, Code::HeaderEntry);
        }
        read(&Draft::signature().bin(300, b"nobody knows").bin(5000, b"nor this").done(), Part::Signature);
    }

    #[test]
    fn h22_a_tag_that_stands_twice_is_refused() {
        let twice = [
            Draft::main().text(tag::NAME, "good").text(tag::NAME, "evil"),
            Draft::main().text(tag::NAME, "good").text(tag::VERSION, "1").text(tag::NAME, "evil"),
            Draft::main().text(tag::NAME, "good").texts(tag::NAME, kind::STRING_ARRAY, &["evil"]),
            Draft::old().text(tag::NAME, "good").text(tag::NAME, "evil"),
        ];
        for draft in twice {
            refused(&draft.done(), Part::Main, Code::DuplicateTag);
        }
        let once = Draft::signature().bin(tag::sig::RSA, b"good");
        refused(&with_dribble(&once.done(), tag::sig::RSA, b"evil"), Part::Signature, Code::DuplicateTag);
    }

    #[test]
    fn h23_tags_out_of_order_are_refused_in_format_6_only() {
        let main = |format: &[u32]| {
            let draft = Draft::main().text(tag::VERSION, "1").text(tag::NAME, "tool");
            if format.is_empty() { draft.done() } else { draft.ints(tag::RPMFORMAT, format).done() }
        };
        for format in [&[][..], &[4], &[5]] {
            let header = read(&main(format), Part::Main);
            assert!(!header.in_order());
            assert_eq!(header.string(tag::NAME), Some(&b"tool"[..]));
        }
        read(&Draft::main().ints(tag::EPOCH, &[9]).text(tag::NAME, "tool").done(), Part::Main);
        refused(&main(&[6]), Part::Main, Code::TagOrder);
        refused(&main(&[7]), Part::Main, Code::TagOrder);
        let newest = read(&Draft::main().text(tag::NAME, "tool").ints(tag::RPMFORMAT, &[6]).done(), Part::Main);
        assert_eq!(newest.format(), Some(6));
        let unsorted = Draft::signature().bin(tag::sig::RESERVED, b"x").bin(tag::sig::RSA, b"x").done();
        let unsorted = read(&unsorted, Part::Signature);
        assert_eq!(agree(&unsorted, b"", &newest).unwrap_err().code, Code::TagOrder);
        assert!(agree(&unsorted, b"", &read(&plain().done(), Part::Main)).is_ok());
    }

    #[test]
    fn h24_padding_is_zero_in_format_6_and_noted_before() {
        let signature = read(&signed().done(), Part::Signature);
        let newest = read(&Draft::main().ints(tag::RPMFORMAT, &[6]).done(), Part::Main);
        let older = read(&plain().done(), Part::Main);
        assert!(!agree(&signature, &[0; 7], &newest).unwrap().nonzero_padding);
        assert_eq!(agree(&signature, &[0, 1], &newest).unwrap_err().code, Code::Padding);
        assert!(agree(&signature, &[0, 1], &older).unwrap().nonzero_padding);
        assert!(!agree(&signature, &[], &older).unwrap().nonzero_padding);
        let layout = known(&package(&signed().done(), &plain().done()));
        assert!(layout.padding().end - layout.padding().start < 8);
        assert_eq!(layout.main.start % 8, 0);
    }

    #[test]
    fn the_main_header_begins_at_the_next_multiple_of_eight() {
        for length in 1..=16 {
            let signature = Draft::signature().bin(tag::sig::RSA, &vec![1; length]).done();
            let whole = package(&signature, &plain().done());
            let layout = known(&whole);
            assert_eq!(layout.signature, 96..96 + signature.len() as u64);
            assert_eq!(layout.padding().end - layout.padding().start, (8 - length as u64 % 8) % 8);
            assert!(whole[usize::try_from(layout.main.start).unwrap()..].starts_with(&HEADER_MAGIC));
        }
    }

    #[test]
    fn h26_legacy_tags_in_a_signature_header_of_format_6_are_noted() {
        use tag::sig;
        let main = read(&plain().done(), Part::Main);
        let newest = || Draft::signature().text(sig::SHA3_256, "a").put(sig::RESERVED, kind::BIN, 4, &[0; 4]);
        let with = read(&newest().bin(sig::GPG, b"x").done(), Part::Signature);
        assert!(with.ignores_legacy() && agree(&with, b"", &main).unwrap().ignored_tags);
        let without = read(&newest().done(), Part::Signature);
        assert!(without.ignores_legacy() && !agree(&without, b"", &main).unwrap().ignored_tags);
        let halves =
            [Draft::signature().text(sig::SHA3_256, "a"), Draft::signature().bin(sig::RESERVED, b"x"), signed()];
        for half in halves {
            assert!(!read(&half.done(), Part::Signature).ignores_legacy());
        }
    }

    #[test]
    fn h28_numbers_are_unsigned_and_wide() {
        let header = read(&plain().done(), Part::Main);
        assert_eq!((header.u32(tag::SIZE), header.u64(tag::SIZE)), (Some(u32::MAX), Some(0xffff_ffff)));
        assert_eq!(header.u64s(tag::LONGFILESIZES).collect::<Vec<_>>(), [0, 1 << 63, u64::MAX]);
        assert_eq!(header.u32(tag::LONGFILESIZES), None);
        assert_eq!(header.u64s(tag::FILEMODES).collect::<Vec<_>>(), [0o100_644, 0o040_755, 0o120_777]);
        assert_eq!(header.u64s(60_000).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(header.u64s(tag::NAME).next(), None);
    }

    #[test]
    fn f1_the_small_files_that_stop_other_readers_are_refused() {
        let hostile = |kind: u32, offset: u32, count: u32| {
            let mut main = intro(1, 16);
            for word in [tag::SIZE, kind, offset, count] {
                main.extend(word.to_be_bytes());
            }
            main.extend([0; 16]);
            package(&Draft::signature().done(), &main)
        };
        let files = [
            hostile(kind::INT32, u32::MAX, 1),
            hostile(kind::INT32, 0x7fff_fff0, 1),
            hostile(kind::STRING, 17, 1),
            hostile(kind::INT64, 0, u32::MAX),
            hostile(kind::STRING_ARRAY, 0, u32::MAX),
            hostile(kind::INT64, 0, 0x2000_0002),
        ];
        for file in files {
            assert_eq!(file.len(), 192);
            let layout = known(&file);
            let main = &file[usize::try_from(layout.main.start).unwrap()..];
            refused(main, Part::Main, Code::HeaderEntry);
        }
    }

    /// Reads every value of a header; whatever was accepted must be complete.
    fn ask_everything(header: &Header) {
        assert!(header.entries.capacity() * ENTRY <= header.raw().len(), "memory follows the bytes that are there");
        for (tag, kind, count) in header.entries() {
            let count = count as usize;
            match kind {
                kind::INT16 => assert_eq!(header.u16s(tag).count(), count),
                kind::INT32 => assert_eq!((header.u32s(tag).count(), header.u64s(tag).count()), (count, count)),
                kind::BIN => assert_eq!(header.bin(tag).map(<[u8]>::len), Some(count)),
                kind::STRING | kind::STRING_ARRAY | kind::I18NSTRING => {
                    let count = if kind == kind::I18NSTRING { 1 } else { count };
                    assert_eq!(header.strings(tag).count(), count);
                    assert!(header.strings(tag).all(|text| !text.contains(&0)));
                }
                _ => assert_eq!(header.u64s(tag).count(), count),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = extent(&bytes);
            for part in [Part::Signature, Part::Main] {
                let _ = Header::read(&bytes, part);
                // With a valid magic the later checks are reached too.
                let _ = Header::read(&[&HEADER_MAGIC[..], &[0, 0, 0], &bytes].concat(), part);
            }
        }

        #[test]
        fn extent_never_asks_for_bytes_that_it_has(
            cut in 0_usize..1200,
            spoils in proptest::collection::vec((0_usize..1200, any::<u8>()), 0..4),
        ) {
            let mut bytes = package(&signed().done(), &plain().done());
            for (at, value) in spoils {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            bytes.truncate(cut);
            match extent(&bytes) {
                Ok(Extent::More(needed)) => prop_assert!(needed > bytes.len() as u64 && needed <= HEADER_MAX + 256),
                Ok(Extent::Known(layout)) => {
                    prop_assert!(layout.main.start < bytes.len() as u64);
                    prop_assert!(layout.main.end <= 2 * HEADER_MAX + 256);
                }
                Err(_) => {}
            }
        }

        #[test]
        fn a_spoilt_header_is_refused_or_whole(
            main in any::<bool>(),
            spoils in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let (mut bytes, part) = if main { (plain().done(), Part::Main) } else { (signed().done(), Part::Signature) };
            for (at, value) in &spoils {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }
            if let Ok(header) = Header::read(&bytes, part) {
                ask_everything(&header);
            }
        }

        #[test]
        fn an_entry_with_any_words_is_refused_or_whole(
            entry in 0_usize..15,
            word in 0_usize..4,
            value in prop_oneof![any::<u32>(), 0_u32..32, Just(u32::MAX), 990_u32..1200, 0_u32..400],
        ) {
            if let Ok(header) = Header::read(&spoilt(plain().done(), entry, word, value), Part::Main) {
                ask_everything(&header);
            }
        }

        #[test]
        fn any_header_made_by_the_rules_is_read_back(
            values in proptest::collection::btree_map(
                20_000_u32..60_000,
                prop_oneof![
                    "[a-z]{0,9}".prop_map(Value::Text),
                    proptest::collection::vec("[a-z]{0,9}", 1..20).prop_map(Value::Texts),
                    proptest::collection::vec(any::<u16>(), 1..9).prop_map(Value::Shorts),
                    proptest::collection::vec(any::<u32>(), 1..9).prop_map(Value::Ints),
                    proptest::collection::vec(any::<u64>(), 1..9).prop_map(Value::Longs),
                    proptest::collection::vec(any::<u8>(), 1..99).prop_map(Value::Bytes),
                ],
                1..30,
            ),
        ) {
            let draft = values.iter().fold(Draft::main(), |draft, (tag, value)| match value {
                Value::Text(text) => draft.text(*tag, text),
                Value::Texts(texts) => {
                    draft.texts(*tag, kind::STRING_ARRAY, &texts.iter().map(String::as_str).collect::<Vec<_>>())
                }
                Value::Shorts(numbers) => draft.shorts(*tag, numbers),
                Value::Ints(numbers) => draft.ints(*tag, numbers),
                Value::Longs(numbers) => draft.longs(*tag, numbers),
                Value::Bytes(bytes) => draft.bin(*tag, bytes),
            });
            let header = read(&draft.done(), Part::Main);
            ask_everything(&header);
            for (tag, value) in &values {
                match value {
                    Value::Text(text) => prop_assert_eq!(header.string(*tag), Some(text.as_bytes())),
                    Value::Texts(texts) => prop_assert!(header.strings(*tag).eq(texts.iter().map(String::as_bytes))),
                    Value::Shorts(numbers) => prop_assert!(header.u16s(*tag).eq(numbers.iter().copied())),
                    Value::Ints(numbers) => prop_assert!(header.u32s(*tag).eq(numbers.iter().copied())),
                    Value::Longs(numbers) => prop_assert!(header.u64s(*tag).eq(numbers.iter().copied())),
                    Value::Bytes(bytes) => prop_assert_eq!(header.bin(*tag), Some(&bytes[..])),
                }
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Value {
        Text(String),
        Texts(Vec<String>),
        Shorts(Vec<u16>),
        Ints(Vec<u32>),
        Longs(Vec<u64>),
        Bytes(Vec<u8>),
    }
}
