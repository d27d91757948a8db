//! `repomd.xml`: writing and reading.
//!
//! Output is what createrepo_c writes, in the same order. Input may come from anywhere: an existing tree is adopted
//! with its comps, modules and whatever else its `repomd.xml` lists, and these entries are kept as recorded. So reading
//! is strict and bounded (rows 34 to 36):
//!
//! - A location is `repodata/` and one plain file name. No scheme, no `..`, no `//`, no `%`, no other directory, no
//!   `xml:base`; nothing read here can point anywhere else.
//! - No data type occurs twice, since clients differ in which one they use.
//! - No DTD, no entities except XML's own, at most eight levels of elements, and at most [`REPOMD_MAX`] bytes.
//! - Unknown elements are skipped, and not kept.

use std::fmt::Write as _;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use crate::format::xml;

/// Largest `repomd.xml` that is read. The largest known has 9 KB.
pub const REPOMD_MAX: usize = 1 << 20;

/// Maximum number of data types in one repository. openSUSE has about forty, two for each language.
const DATA_MAX: usize = 1024;

/// Maximum nesting depth; four levels are in use.
const DEPTH_MAX: usize = 8;

/// The list of a repository's metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repomd {
    /// Never decreases in one of our trees; 0 if another's is not a number.
    pub revision: u64,
    /// What some distributions say about the repository as a whole.
    pub tags: Vec<Tag>,
    /// In file order.
    pub data: Vec<Data>,
}

/// `<content>`, `<repo>` or `<distro cpeid=…>` under `<tags>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The element's name, one of the three.
    pub kind: &'static str,
    /// Only on `distro`.
    pub cpeid: Option<String>,
    /// Its text.
    pub text: String,
}

/// One metadata file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// `primary`, `filelists`, `other`, `group`, `updateinfo`, or any other.
    pub kind: String,
    /// Of the file as published.
    pub checksum: Sum,
    /// Of its content, if it is compressed.
    pub open_checksum: Option<Sum>,
    /// Of a zchunk file's header.
    pub header_checksum: Option<Sum>,
    /// `repodata/` and a file name.
    pub location: String,
    /// Seconds since the epoch.
    pub timestamp: u64,
    /// Size of the file; createrepo before 0.9 did not record it.
    pub size: Option<u64>,
    /// Size of its content.
    pub open_size: Option<u64>,
    /// Size of a zchunk file's header.
    pub header_size: Option<u64>,
    /// Of an SQLite database.
    pub database_version: Option<u64>,
}

/// A checksum as recorded; files of others may have kinds that we would not write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// `sha256` and so on.
    pub kind: String,
    /// In lower-case hex.
    pub hex: String,
}

/// Why a `repomd.xml` is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("repomd.xml: {why}")]
pub struct BadRepomd {
    /// A lower-case fragment.
    pub why: String,
}

fn bad<T>(why: impl Into<String>) -> Result<T, BadRepomd> {
    Err(BadRepomd { why: why.into() })
}

impl Repomd {
    /// The file's bytes.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4096);
        out.extend_from_slice(
            b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" \
              xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">\n",
        );
        element(&mut out, "  ", "revision", None, &self.revision.to_string());
        if !self.tags.is_empty() {
            out.extend_from_slice(b"  <tags>\n");
            for tag in &self.tags {
                let cpeid = tag.cpeid.as_deref().map(|cpeid| ("cpeid", cpeid));
                element(&mut out, "    ", tag.kind, cpeid, &tag.text);
            }
            out.extend_from_slice(b"  </tags>\n");
        }
        for data in &self.data {
            data.write(&mut out);
        }
        out.extend_from_slice(b"</repomd>\n");
        out
    }

    /// Reads a `repomd.xml` from any source.
    pub fn read(bytes: &[u8]) -> Result<Self, BadRepomd> {
        if bytes.len() > REPOMD_MAX {
            return bad(format!("{} bytes, too many for any repository", bytes.len()));
        }
        let text = str::from_utf8(bytes).map_err(|_| BadRepomd { why: "not UTF-8".to_owned() })?;
        if xml::first_bad_char(text).is_some() {
            return bad("a character that XML 1.0 does not allow");
        }
        let mut reading = Reading::default();
        let mut reader = quick_xml::Reader::from_str(text);
        loop {
            match reader.read_event().map_err(|error| BadRepomd { why: error.to_string() })? {
                Event::Start(tag) => reading.open(&tag)?,
                Event::Empty(tag) => {
                    reading.open(&tag)?;
                    reading.close()?;
                }
                Event::End(_) => reading.close()?,
                Event::Text(words) => reading.words(&words)?,
                Event::GeneralRef(name) => reading.words(resolve(&name)?.encode_utf8(&mut [0; 4]))?,
                Event::Eof => return reading.end(),
                Event::DocType(_) => return bad("a DOCTYPE declaration"),
                Event::CData(_) => return bad("a CDATA section"),
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            }
        }
    }

    /// The data of one type.
    pub fn get(&self, kind: &str) -> Option<&Data> {
        self.data.iter().find(|data| data.kind == kind)
    }
}

impl Data {
    /// The file's name without `repodata/`.
    pub fn file_name(&self) -> &str {
        self.location.strip_prefix("repodata/").unwrap_or(&self.location)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"  <data type=\"");
        xml::attribute(out, &self.kind);
        out.extend_from_slice(b"\">\n");
        let mut sum = |name, sum: &Sum| element(out, "    ", name, Some(("type", &sum.kind)), &sum.hex);
        sum("checksum", &self.checksum);
        self.open_checksum.iter().for_each(|s| sum("open-checksum", s));
        self.header_checksum.iter().for_each(|s| sum("header-checksum", s));
        out.extend_from_slice(b"    <location href=\"");
        xml::attribute(out, &self.location);
        out.extend_from_slice(b"\"/>\n");
        let mut number = |name, number: u64| element(out, "    ", name, None, &number.to_string());
        number("timestamp", self.timestamp);
        self.size.into_iter().for_each(|n| number("size", n));
        self.open_size.into_iter().for_each(|n| number("open-size", n));
        self.header_size.into_iter().for_each(|n| number("header-size", n));
        self.database_version.into_iter().for_each(|n| number("database_version", n));
        out.extend_from_slice(b"  </data>\n");
    }
}

fn element(out: &mut Vec<u8>, indent: &str, name: &str, attribute: Option<(&str, &str)>, text: &str) {
    out.extend_from_slice(format!("{indent}<{name}").as_bytes());
    if let Some((key, value)) = attribute {
        out.extend_from_slice(format!(" {key}=\"").as_bytes());
        xml::attribute(out, value);
        out.push(b'"');
    }
    out.push(b'>');
    xml::text(out, text);
    out.extend_from_slice(format!("</{name}>\n").as_bytes());
}

/// The character that a reference stands for; only XML's own are known.
fn resolve(name: &str) -> Result<char, BadRepomd> {
    let number = match name {
        "amp" => return Ok('&'),
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "quot" => return Ok('"'),
        "apos" => return Ok('\''),
        _ => match name.strip_prefix("#x") {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => name.strip_prefix('#').and_then(|decimal| decimal.parse().ok()),
        },
    };
    match number.and_then(char::from_u32).filter(|c| xml::is_char(*c)) {
        Some(c) => Ok(c),
        None => bad(format!("the reference `&{};`", name.escape_debug())),
    }
}

/// One `<data>` while it is being read.
#[derive(Default)]
struct Draft {
    kind: String,
    sums: [Option<Sum>; 3],
    numbers: [Option<u64>; 4],
    location: Option<String>,
    timestamp: u64,
}

const SUMS: [&str; 3] = ["checksum", "open-checksum", "header-checksum"];
const NUMBERS: [&str; 4] = ["size", "open-size", "header-size", "database_version"];
const TAGS: [&str; 3] = ["content", "repo", "distro"];

#[derive(Default)]
struct Reading {
    path: Vec<String>,
    /// The text so far of the innermost element, and the one attribute that matters.
    text: String,
    attribute: Option<String>,
    ended: bool,
    draft: Option<Draft>,
    result: Repomd,
}

impl Reading {
    fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), BadRepomd> {
        let name = tag.name().as_ref().to_owned();
        match self.path.len() {
            0 if self.ended || name != "repomd" => return bad("the root element is not a single `repomd`"),
            DEPTH_MAX.. => return bad("elements are nested too deeply"),
            _ => {}
        }
        self.text.clear();
        self.attribute = None;
        let wanted = match name.as_str() {
            "location" => "href",
            "distro" => "cpeid",
            _ => "type",
        };
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|error| BadRepomd { why: error.to_string() })?;
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| BadRepomd { why: error.to_string() })?;
            // quick-xml resolves references to any Unicode character.
            if xml::first_bad_char(&value).is_some() {
                return bad("a reference to a character that XML 1.0 does not allow");
            }
            match attribute.key.as_ref() {
                key if key == wanted => self.attribute = Some(value.into_owned()),
                "xml:base" if name == "location" => return bad("a location with `xml:base`, which points elsewhere"),
                _ => {}
            }
        }
        if self.path.len() == 1 && name == "data" {
            let kind = self.attribute.take().unwrap_or_default();
            check_kind(&kind)?;
            if self.result.get(&kind).is_some() {
                return bad(format!("the type `{kind}` occurs twice"));
            }
            self.draft = Some(Draft { kind, ..Draft::default() });
        }
        self.path.push(name);
        Ok(())
    }

    fn words(&mut self, words: &str) -> Result<(), BadRepomd> {
        if self.path.is_empty() && !words.trim().is_empty() {
            return bad("text outside the root element");
        }
        self.text.push_str(words);
        Ok(())
    }

    fn close(&mut self) -> Result<(), BadRepomd> {
        let text = std::mem::take(&mut self.text);
        let text = text.trim();
        let attribute = self.attribute.take();
        let name = self.path.pop().unwrap_or_default();
        match (self.path.len(), name.as_str(), &mut self.draft) {
            (0, _, _) => self.ended = true,
            (1, "revision", _) => self.result.revision = text.parse().unwrap_or(0),
            (1, "data", draft) => {
                let data = draft.take().unwrap_or_default().finish()?;
                if self.result.data.len() >= DATA_MAX {
                    return bad("too many types of data");
                }
                self.result.data.push(data);
            }
            (2, name, Some(draft)) => draft.take(name, attribute, text)?,
            (2, name, None) if self.path.last().is_some_and(|parent| parent == "tags") => {
                if let Some(kind) = TAGS.into_iter().find(|kind| *kind == name) {
                    if self.result.tags.len() >= DATA_MAX {
                        return bad("too many tags");
                    }
                    let cpeid = attribute.filter(|_| kind == "distro");
                    self.result.tags.push(Tag { kind, cpeid, text: text.to_owned() });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(self) -> Result<Repomd, BadRepomd> {
        if self.ended && self.path.is_empty() { Ok(self.result) } else { bad("it ends before its root element does") }
    }
}

impl Draft {
    fn take(&mut self, name: &str, attribute: Option<String>, text: &str) -> Result<(), BadRepomd> {
        let twice = if let Some(at) = SUMS.iter().position(|sum| *sum == name) {
            self.sums[at].replace(sum(&self.kind, attribute.unwrap_or_default(), text)?).is_some()
        } else if let Some(at) = NUMBERS.iter().position(|number| *number == name) {
            self.numbers[at].replace(number(&self.kind, name, text)?).is_some()
        } else if name == "location" {
            let href = attribute.unwrap_or_default();
            check_href(&href)?;
            self.location.replace(href).is_some()
        } else if name == "timestamp" {
            // Old createrepo wrote fractions of a second.
            let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
            self.timestamp = number(&self.kind, name, whole)?;
            false
        } else {
            false
        };
        if twice { bad(format!("`{name}` of `{}` occurs twice", self.kind)) } else { Ok(()) }
    }

    fn finish(self) -> Result<Data, BadRepomd> {
        let [checksum, open_checksum, header_checksum] = self.sums;
        let [size, open_size, header_size, database_version] = self.numbers;
        let (Some(checksum), Some(location)) = (checksum, self.location) else {
            return bad(format!("`{}` without a checksum or a location", self.kind));
        };
        Ok(Data {
            kind: self.kind,
            checksum,
            open_checksum,
            header_checksum,
            location,
            timestamp: self.timestamp,
            size,
            open_size,
            header_size,
            database_version,
        })
    }
}

fn sum(of: &str, kind: String, hex: &str) -> Result<Sum, BadRepomd> {
    let digits = match kind.as_str() {
        "md5" => 32,
        "sha" | "sha1" => 40,
        "sha224" => 56,
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return bad(format!("`{of}` has a checksum of the unknown type `{}`", kind.escape_debug())),
    };
    if hex.len() != digits || !hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return bad(format!("`{of}` has a checksum that is not {digits} hexadecimal digits"));
    }
    Ok(Sum { kind, hex: hex.to_owned() })
}

fn number(of: &str, name: &str, text: &str) -> Result<u64, BadRepomd> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits => Ok(number),
        _ => bad(format!("`{name}` of `{of}` is not a number")),
    }
}

fn check_kind(kind: &str) -> Result<(), BadRepomd> {
    let plain = kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if plain && !kind.is_empty() && kind.len() <= 100 {
        return Ok(());
    }
    let mut why = "a data type that is not a plain word: `".to_owned();
    for c in kind.chars().take(100).flat_map(char::escape_debug) {
        why.push(c);
    }
    let _ = write!(why, "`");
    bad(why)
}

/// Row 36: relative, normalised, below `repodata/`, and with a visible name.
fn check_href(href: &str) -> Result<(), BadRepomd> {
    let plain = |name: &str| {
        name.len() <= 255
            && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+~^-".contains(&b))
    };
    match href.strip_prefix("repodata/") {
        Some(name) if plain(name) && name != "repomd.xml" && name != "repomd.xml.asc" => Ok(()),
        _ => bad(format!("the location `{}` is not a plain file in repodata/", href.escape_debug())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sha256(digit: &str) -> Sum {
        Sum { kind: "sha256".to_owned(), hex: digit.repeat(64) }
    }

    fn example() -> Repomd {
        let primary = Data {
            kind: "primary".to_owned(),
            checksum: sha256("a"),
            open_checksum: Some(sha256("b")),
            header_checksum: None,
            location: "repodata/primary.xml.gz".to_owned(),
            timestamp: 7,
            size: Some(8),
            open_size: Some(9),
            header_size: None,
            database_version: None,
        };
        let zck = Data {
            kind: "group_zck".to_owned(),
            header_checksum: Some(sha256("c")),
            location: "repodata/group.xml.zck".to_owned(),
            header_size: Some(10),
            database_version: Some(10),
            ..primary.clone()
        };
        let tags = vec![
            Tag { kind: "repo", cpeid: None, text: "a & b".to_owned() },
            Tag { kind: "distro", cpeid: Some("cpe:/o:\"x\"".to_owned()), text: "X".to_owned() },
        ];
        Repomd { revision: u64::MAX, tags, data: vec![primary, zck] }
    }

    const PLAIN: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
  <revision>3</revision>
  <data type="other">
    <checksum type="sha">0123456789012345678901234567890123456789</checksum>
    <location href="repodata/other.xml"/>
    <timestamp>4</timestamp>
    <size>5</size>
  </data>
</repomd>
"#;

    #[test]
    fn it_is_written_as_createrepo_writes_it() {
        let read = Repomd::read(PLAIN.as_bytes()).expect("readable");
        assert_eq!((read.revision, read.data[0].size, read.data[0].file_name()), (3, Some(5), "other.xml"));
        assert_eq!(String::from_utf8(read.write()).expect("UTF-8"), PLAIN);
    }

    #[test]
    fn everything_reads_back() {
        assert_eq!(Repomd::read(&example().write()), Ok(example()));
        assert_eq!(Repomd::read(&Repomd::default().write()), Ok(Repomd::default()));
    }

    #[track_caller]
    fn refuse(from: &str, to: &str, why: &str) {
        assert!(PLAIN.contains(from), "{from}");
        let error = Repomd::read(PLAIN.replacen(from, to, 1).as_bytes()).expect_err(to);
        assert!(error.why.contains(why), "{to}: {error}");
    }

    #[test]
    fn a_location_is_a_plain_file_in_repodata() {
        for href in [
            "../other.xml",
            "repodata/../other.xml",
            "repodata/..",
            "repodata/",
            "repodata",
            "repodata//other.xml",
            "repodata/x/other.xml",
            "/repodata/other.xml",
            "repodata-evil/other.xml",
            "file:///repodata/other.xml",
            "http://example.org/repodata/other.xml",
            "repodata/%2e%2e",
            "repodata/.hidden",
            "repodata/a b",
            "repodata/a\\b",
            "repodata/a&#10;b",
            "repodata/repomd.xml",
            "./repodata/other.xml",
            "Packages/other.xml",
            "",
        ] {
            refuse("repodata/other.xml", href, "not a plain file in repodata/");
        }
        refuse("<location ", "<location xml:base=\"http://example.org/\" ", "points elsewhere");
        refuse("href=", "ref=", "plain file");
        refuse("<location href=\"repodata/other.xml\"/>", "", "without a checksum or a location");
    }

    #[test]
    fn what_clients_might_read_in_two_ways_is_refused() {
        let data = PLAIN.find("  <data").expect("there");
        let end = PLAIN.find("</repomd>").expect("there");
        let data = &PLAIN[data..end];
        refuse("</repomd>", &format!("{data}</repomd>"), "occurs twice");
        refuse("<size>5", "<size>6</size><size>5", "occurs twice");
        refuse("<size>5", "<size>-5", "not a number");
        refuse("<size>5", "<size>+5", "not a number");
        refuse("<size>5", "<size>99999999999999999999", "not a number");
        refuse("type=\"sha\"", "type=\"crc\"", "unknown type");
        refuse(">0123", ">z123", "hexadecimal");
        refuse(">0123", ">", "hexadecimal");
        refuse("type=\"other\"", "type=\"../x\"", "not a plain word");
        refuse("type=\"other\"", "", "not a plain word");
        refuse("type=\"other\"", "type=\"other\" type=\"b\"", "");
        refuse("<repomd ", "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><repomd ", "DOCTYPE");
        refuse("<size>5", "<size>&b;5", "reference");
        refuse("<size>5", "<size>&#0;5", "reference");
        refuse("<size>5", "<size a=\"&#12;\">5", "reference");
        refuse("<size>5", "<size><![CDATA[5]]>", "CDATA");
        refuse("</repomd>", "", "ends before");
        refuse("</repomd>", "</repomd><repomd/>", "root element");
        refuse("</repomd>", "</repomd>x", "outside");
        refuse("<revision>", &"<a>".repeat(9), "");
        refuse("<revision>", "\u{1}<revision>", "does not allow");
        assert!(Repomd::read(&[0xff]).is_err());
        assert!(Repomd::read(b"").is_err());
        assert!(Repomd::read(&vec![b' '; REPOMD_MAX + 1]).is_err());
    }

    #[test]
    fn old_and_foreign_files_are_read() {
        let old = PLAIN
            .replace("<timestamp>4", "<timestamp>1257935775.17")
            .replace("    <size>5</size>\n", "    <contenthash type=\"x\"><deep/></contenthash>\n<!-- a -->")
            .replace("<revision>3", "<revision>el9 &amp; more");
        let read = Repomd::read(old.as_bytes()).expect("readable");
        assert_eq!((read.revision, read.data[0].timestamp, read.data[0].size), (0, 1_257_935_775, None));
    }

    proptest::proptest! {
        #[test]
        fn reading_never_panics(at in 0_usize..600, with in "\\PC{0,8}") {
            let bytes = example().write();
            let mut damaged = bytes[..at.min(bytes.len())].to_vec();
            damaged.extend_from_slice(with.as_bytes());
            damaged.extend_from_slice(&bytes[(at + with.len()).min(bytes.len())..]);
            let _ = Repomd::read(&damaged);
        }
    }
}
