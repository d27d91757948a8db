//! Proves a finished file by reading it to its end before anybody else does.
//!
//! `quick-xml` splits it into pieces, matches end tags and checks UTF-8; the rest is checked here: `Char`, names,
//! attributes (no duplicates, quoted, separated, no `<`), references, `]]>`, one root, no second declaration, and that
//! `packages="N"` is the number of packages. Only what the writers of this crate write is accepted: a DTD, a processing
//! instruction, a comment or a CDATA section is a fault, so there is nothing to expand and nothing to fetch (row 35).
//!
//! What never happens: using more memory than one tag or one run of text, which is bounded, or reading on after the
//! first fault.

use std::io::{self, BufRead, Read};

use aws_lc_rs::digest;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::write::{first_bad_char, is_char};

/// The longest tag or run of text that is read. rpm's largest header has 256 MiB of data, and no text of a package is
/// longer than that; a file with more is not ours.
const PIECE_MAX: u64 = 256 * 1024 * 1024;

/// The deepest nesting that is accepted. Metadata needs five levels.
const DEPTH_MAX: usize = 16;

/// Most attributes of one element. Metadata needs six, and each is compared with all before it.
const ATTRIBUTES_MAX: usize = 12;

/// Why a file must not be published.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The bytes could not be read or decompressed.
    #[error("could not be read near byte {at}")]
    Read {
        /// Offset in the decompressed file.
        at: u64,
        /// What the source said.
        source: io::Error,
    },
    /// It is not XML as in metadata.
    #[error("{why} near byte {at}")]
    Form {
        /// Offset in the decompressed file.
        at: u64,
        /// A lower-case fragment.
        why: String,
    },
    /// It is well-formed, but not what was meant to be written.
    #[error("{what} is {found}, not {wanted}")]
    Content {
        /// What differs.
        what: &'static str,
        /// As read.
        found: String,
        /// As expected.
        wanted: String,
    },
}

/// What is in a file that passed [`prove`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Bytes of the decompressed file.
    pub open_size: u64,
    /// Number of packages.
    pub packages: u64,
    /// SHA-256 over the package ids in the order of the file, each followed by a line feed. The three files of one
    /// publication must agree on it, since clients join them by these ids.
    pub order: [u8; 32],
}

/// Reads a decompressed metadata file to its end and returns what is in it, or what is wrong with it.
///
/// `root` is the name of the root element: `metadata`, `filelists` or `otherdata`.
pub fn prove(input: impl BufRead, root: &str, packages: u64) -> Result<Proof, Fault> {
    prove_in_pieces(PIECE_MAX, input, root, packages)
}

fn prove_in_pieces(most: u64, mut input: impl BufRead, root: &str, packages: u64) -> Result<Proof, Fault> {
    begins_with_markup(&mut input)?;
    let mut reader = Reader::from_reader(Bounded { input, most, used: 0 });
    let mut walk = Walk::new(root);
    let mut piece = Vec::new();
    loop {
        piece.clear();
        reader.get_mut().used = 0;
        let event = match reader.read_event_into(&mut piece) {
            Ok(event) => event,
            Err(quick_xml::Error::Io(source)) => {
                let source = io::Error::new(source.kind(), source.to_string());
                return Err(Fault::Read { at: reader.buffer_position(), source });
            }
            Err(error) => return Err(Fault::Form { at: reader.error_position(), why: error.to_string() }),
        };
        let at = reader.buffer_position();
        if matches!(event, Event::Eof) {
            return walk.end(at, packages);
        }
        walk.step(&event).map_err(|why| Fault::Form { at, why: why.to_owned() })?;
    }
}

/// quick-xml would skip a byte order mark without counting it.
fn begins_with_markup(input: &mut impl BufRead) -> Result<(), Fault> {
    let first = loop {
        match input.fill_buf() {
            Ok(bytes) => break bytes.first().copied(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(Fault::Read { at: 0, source }),
        }
    };
    match first {
        None | Some(b'<') => Ok(()),
        Some(_) => Err(Fault::Form { at: 0, why: "the file does not begin with an XML declaration".to_owned() }),
    }
}

/// Stops a piece that never ends. `used` is reset before each piece.
struct Bounded<R> {
    input: R,
    most: u64,
    used: u64,
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.input.read(buf)
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used > self.most {
            return Err(io::Error::other("a tag or text is longer than any package's"));
        }
        self.input.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.used = self.used.saturating_add(amount as u64);
        self.input.consume(amount);
    }
}

/// Whether the reader is at the declaration, between it and the root, and so on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Beginning,
    BeforeRoot,
    Inside,
    AfterRoot,
}

struct Walk<'a> {
    root: &'a str,
    place: Place,
    depth: usize,
    /// What the root has declared: the default namespace, and `rpm:`.
    has_namespace: bool,
    has_rpm: bool,
    claimed: Option<String>,
    packages: u64,
    /// Whether the present package has its id.
    named: bool,
    /// Whether the next text is the id of a package.
    in_pkgid: bool,
    order: digest::Context,
}

type Step = Result<(), &'static str>;

impl<'a> Walk<'a> {
    fn new(root: &'a str) -> Self {
        Self {
            root,
            place: Place::Beginning,
            depth: 0,
            has_namespace: false,
            has_rpm: false,
            claimed: None,
            packages: 0,
            named: false,
            in_pkgid: false,
            order: digest::Context::new(&digest::SHA256),
        }
    }

    fn step(&mut self, event: &Event<'_>) -> Step {
        let at_beginning = self.place == Place::Beginning;
        if at_beginning {
            self.place = Place::BeforeRoot;
        }
        match event {
            Event::Decl(decl) if at_beginning => declaration(decl),
            // quick-xml returns an empty text before a tag at the very beginning.
            Event::Text(words) if at_beginning && words.is_empty() => {
                self.place = Place::Beginning;
                Ok(())
            }
            _ if at_beginning => Err("the file does not begin with an XML declaration"),
            Event::Start(tag) => self.open(tag, false),
            Event::Empty(tag) => self.open(tag, true),
            Event::End(_) => self.close(),
            Event::Text(words) => self.words(words),
            Event::GeneralRef(name) => self.reference(name),
            Event::Decl(_) => Err("a second XML declaration"),
            Event::DocType(_) => Err("a document type declaration"),
            Event::PI(_) => Err("a processing instruction"),
            Event::Comment(_) => Err("a comment"),
            Event::CData(_) => Err("a CDATA section"),
            Event::Eof => Ok(()),
        }
    }

    /// `content` is everything between `<` and `>` or `/>`.
    fn open(&mut self, content: &str, empty: bool) -> Step {
        let (name, rest) = split_name(content);
        if !is_name(name) {
            return Err("an element with an invalid name");
        }
        if self.place == Place::AfterRoot {
            return Err("a second root element");
        }
        if self.depth == 0 && name != self.root {
            return Err("the root element has the wrong name");
        }
        if self.in_pkgid {
            return Err("an element inside a package id");
        }
        if self.depth >= DEPTH_MAX {
            return Err("elements are nested too deeply");
        }
        let package = self.depth == 1 && name == "package";
        let checksum = self.depth == 2 && name == "checksum";
        if package {
            self.packages = self.packages.saturating_add(1);
            self.named = false;
        }
        self.known_prefix(name)?;
        if !rest.is_empty() {
            self.attributes(rest, package, checksum)?;
        }
        self.place = Place::Inside;
        self.depth += 1;
        if empty { self.close() } else { Ok(()) }
    }

    fn attributes(&mut self, mut rest: &str, package: bool, checksum: bool) -> Step {
        let mut seen = [""; ATTRIBUTES_MAX];
        let mut count = 0;
        while let Some((key, value, after)) = next_attribute(rest)? {
            rest = after;
            if seen[..count].contains(&key) {
                return Err("a duplicate attribute");
            }
            *seen.get_mut(count).ok_or("an element has too many attributes")? = key;
            count += 1;
            if self.depth == 0 && key == "packages" {
                self.claimed = Some(value.to_owned());
            }
            if key == "xmlns" || key.starts_with("xmlns:") {
                self.namespace(key, value)?;
            }
            if package && key == "pkgid" {
                self.name_package(value)?;
            }
            if checksum && key == "pkgid" && value == "YES" {
                self.in_pkgid = true;
            }
        }
        seen[..count].iter().try_for_each(|key| self.known_prefix(key))
    }

    /// Clients look elements up by namespace, so a wrong one makes the file empty for them.
    fn namespace(&mut self, key: &str, value: &str) -> Step {
        let name = match (key, self.root) {
            _ if self.depth > 0 => return Err("a namespace declared below the root"),
            ("xmlns:rpm", _) => "rpm",
            ("xmlns", "metadata") => "common",
            ("xmlns", "otherdata") => "other",
            ("xmlns", root) => root,
            _ => return Err("a namespace that is not used in metadata"),
        };
        if value.strip_prefix("http://linux.duke.edu/metadata/") != Some(name) {
            return Err("a namespace with the wrong name");
        }
        self.has_namespace |= key == "xmlns";
        self.has_rpm |= key == "xmlns:rpm";
        Ok(())
    }

    fn known_prefix(&self, name: &str) -> Step {
        match name.split_once(':') {
            None | Some(("xmlns", "rpm") | ("xml", "base" | "lang" | "space")) => Ok(()),
            Some(("rpm", local)) if self.has_rpm && !local.contains(':') => Ok(()),
            Some(_) => Err("a namespace prefix that the root does not declare"),
        }
    }

    fn close(&mut self) -> Step {
        self.in_pkgid = false;
        self.depth = self.depth.checked_sub(1).ok_or("an end tag without a start tag")?;
        if self.depth == 1 && self.packages > 0 && !self.named {
            return Err("a package without its id");
        }
        if self.depth == 0 {
            self.place = Place::AfterRoot;
        }
        Ok(())
    }

    fn words(&mut self, words: &str) -> Step {
        if self.place != Place::Inside {
            return if words.bytes().all(is_space) { Ok(()) } else { Err("text outside the root element") };
        }
        if first_bad_char(words).is_some() {
            return Err("a character that XML 1.0 does not allow");
        }
        if words.contains("]]>") {
            return Err("`]]>` in text");
        }
        if self.in_pkgid && !words.is_empty() {
            return self.name_package(words);
        }
        Ok(())
    }

    fn name_package(&mut self, pkgid: &str) -> Step {
        if self.named {
            return Err("a package with two ids");
        }
        if pkgid.is_empty() || !pkgid.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err("a package id that is not lower-case hexadecimal");
        }
        self.named = true;
        self.order.update(pkgid.as_bytes());
        self.order.update(b"\n");
        Ok(())
    }

    fn reference(&self, name: &str) -> Step {
        if self.place != Place::Inside {
            return Err("a reference outside the root element");
        }
        if self.in_pkgid {
            return Err("a reference inside a package id");
        }
        known_reference(name)
    }

    fn end(self, open_size: u64, packages: u64) -> Result<Proof, Fault> {
        if self.place != Place::AfterRoot {
            return Err(Fault::Form { at: open_size, why: "the file ends before its root element does".to_owned() });
        }
        if !self.has_namespace {
            return Err(Fault::Form { at: open_size, why: "the root element has no namespace".to_owned() });
        }
        let wanted = packages.to_string();
        if self.packages != packages {
            let found = self.packages.to_string();
            return Err(Fault::Content { what: "the number of packages", found, wanted });
        }
        match self.claimed {
            Some(claimed) if claimed == wanted => {}
            claimed => {
                let found = claimed.unwrap_or_else(|| "missing".to_owned());
                return Err(Fault::Content { what: "the attribute `packages`", found, wanted });
            }
        }
        let mut order = [0; 32];
        order.copy_from_slice(self.order.finish().as_ref());
        Ok(Proof { open_size, packages, order })
    }
}

/// `<?xml version="1.0" encoding="UTF-8"?>` and nothing else.
fn declaration(content: &str) -> Step {
    match content.trim_end() {
        r#"xml version="1.0" encoding="UTF-8""# | r#"xml version="1.0" encoding="utf-8""# => Ok(()),
        _ => Err("the XML declaration is not version 1.0 in UTF-8"),
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Splits an element's content after its name.
fn split_name(content: &str) -> (&str, &str) {
    content.split_at(content.bytes().position(is_space).unwrap_or(content.len()))
}

/// Metadata has only ASCII names; XML 1.0 section 2.3 allows more.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b))
        && !name.ends_with(':')
}

/// The next attribute: name, raw value, and what follows; `None` at the end.
fn next_attribute(rest: &str) -> Result<Option<(&str, &str, &str)>, &'static str> {
    let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r']);
    if trimmed.is_empty() {
        return Ok(None);
    }
    if trimmed.len() == rest.len() {
        return Err("no space before an attribute");
    }
    let (key, after) = trimmed.split_once('=').ok_or("an attribute without a value")?;
    let key = key.trim_end_matches([' ', '\t', '\n', '\r']);
    if !is_name(key) {
        return Err("an attribute with an invalid name");
    }
    let after = after.trim_start_matches([' ', '\t', '\n', '\r']);
    let quote = after.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or("a value without quotes")?;
    let (value, after) = after[1..].split_once(quote).ok_or("an unterminated value")?;
    check_value(value)?;
    Ok(Some((key, value, after)))
}

fn check_value(value: &str) -> Step {
    if first_bad_char(value).is_some() {
        return Err("a character that XML 1.0 does not allow");
    }
    if value.contains('<') {
        return Err("`<` in the value of an attribute");
    }
    let mut rest = value;
    while let Some((_, after)) = rest.split_once('&') {
        let (name, after) = after.split_once(';').ok_or("`&` that does not begin a reference")?;
        known_reference(name)?;
        rest = after;
    }
    Ok(())
}

/// The five predefined by XML, and numbers of a `Char` (section 4.1).
fn known_reference(name: &str) -> Step {
    let number = match name.strip_prefix('#') {
        None => {
            let predefined = matches!(name, "amp" | "lt" | "gt" | "quot" | "apos");
            return if predefined { Ok(()) } else { Err("an undefined entity") };
        }
        Some(number) => match number.strip_prefix('x') {
            Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => u32::from_str_radix(hex, 16),
            None if number.bytes().all(|b| b.is_ascii_digit()) => number.parse(),
            _ => return Err("a character reference that is not a number"),
        },
    };
    let known = number.ok().and_then(char::from_u32).is_some_and(is_char);
    if known { Ok(()) } else { Err("a reference to a character that XML 1.0 does not allow") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::xml::text;

    const NAMESPACES: &str =
        "xmlns=\"http://linux.duke.edu/metadata/common\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\"";

    fn document(inside: &str, packages: u64) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata {NAMESPACES} packages=\"{packages}\">\n{inside}</metadata>\n"
        )
    }

    const PACKAGE: &str =
        r#"<package type="rpm"><checksum type="sha256" pkgid="YES">9ae0</checksum><rpm:x a='"'/>a &lt;&#13;</package>"#;

    #[track_caller]
    fn refuse(document: &str, why: &str) {
        let error = prove(document.as_bytes(), "metadata", 1).expect_err(document);
        assert!(error.to_string().contains(why), "{document}\nis refused with: {error}");
    }

    #[track_caller]
    fn refuse_inside(inside: &str, why: &str) {
        refuse(&document(&format!("{PACKAGE}{inside}"), 1), why);
    }

    #[test]
    fn what_we_write_can_be_proved() {
        let mut inside = PACKAGE.as_bytes().to_vec();
        inside.extend_from_slice(b"<package><checksum pkgid=\"YES\">00</checksum><d>");
        text(&mut inside, "a ]]> b \u{1} \u{fffe} & <c> \r\n");
        inside.extend_from_slice(b"</d></package>");
        let document = document(&String::from_utf8(inside).expect("UTF-8"), 2);
        let proof = prove(document.as_bytes(), "metadata", 2).expect("well-formed");
        assert_eq!(proof.packages, 2);
        assert_eq!(proof.open_size, document.len() as u64);
        assert_eq!(proof.order, digest::digest(&digest::SHA256, b"9ae0\n00\n").as_ref());
    }

    #[test]
    fn an_empty_repository_can_be_proved() {
        let proof = prove(document("", 0).as_bytes(), "metadata", 0).expect("well-formed");
        assert_eq!(proof.packages, 0);
    }

    #[test]
    fn what_a_client_might_choke_on_is_a_fault() {
        refuse_inside("<a>\u{1}</a>", "does not allow");
        refuse_inside("<a>\u{ffff}</a>", "does not allow");
        refuse_inside("<a b=\"\u{fffe}\"/>", "does not allow");
        refuse_inside("<a>&#1;</a>", "does not allow");
        refuse_inside("<a b='&#xD800;'/>", "does not allow");
        refuse_inside("<a>&nbsp;</a>", "undefined entity");
        refuse_inside("<a b='&x;'/>", "undefined entity");
        refuse_inside("<a b='a & b'/>", "does not begin a reference");
        refuse_inside("<a>a & b</a>", "");
        refuse_inside("<a>&#x;</a>", "does not allow");
        refuse_inside("<a>&#+1;</a>", "not a number");
        refuse_inside("<a>]]></a>", "]]>");
        refuse_inside("<a b='1' b='2'/>", "duplicate");
        refuse_inside("<a b='1'c='2'/>", "no space");
        refuse_inside("<a b=1/>", "quotes");
        refuse_inside("<a b/>", "without a value");
        refuse_inside("<a b='<'/>", "`<`");
        refuse_inside("<a b='x/>", "");
        refuse_inside("<1/>", "invalid name");
        refuse_inside("<é/>", "invalid name");
        refuse_inside("<a></b>", "");
        refuse_inside("</a>", "");
        refuse_inside("<foo:a/>", "prefix");
        refuse_inside("<a foo:b='1'/>", "prefix");
        refuse_inside("<rpm:rpm:a/>", "prefix");
        refuse_inside("<a xmlns=''/>", "below the root");
        refuse_inside("<!-- a -->", "a comment");
        refuse_inside("<![CDATA[a]]>", "CDATA");
        refuse_inside("<?a b?>", "processing instruction");
        refuse_inside("<?xml version=\"1.0\"?>", "second XML declaration");
        refuse_inside(&"<a>".repeat(40), "too deeply");
        refuse_inside("<package><checksum pkgid=\"YES\">00</checksum></package>", "number of packages is 2");
    }

    #[test]
    fn a_file_has_one_declaration_one_root_and_its_count() {
        let good = document(PACKAGE, 1);
        assert!(prove(good.as_bytes(), "metadata", 1).is_ok());
        refuse(&good.replace("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", ""), "does not begin");
        refuse(&good.replace("UTF-8", "ISO-8859-1"), "declaration");
        refuse(&format!(" {good}"), "does not begin");
        refuse(&format!("\u{feff}{good}"), "does not begin");
        refuse(&good.replace("<metadata", "<!DOCTYPE a [<!ENTITY b \"c\">]><metadata"), "document type");
        refuse(&format!("{good}<metadata/>"), "second root");
        refuse(&format!("{good}x"), "outside the root");
        refuse(&good.replace("<metadata", "<filelists"), "wrong name");
        refuse(&good.replace("/common", "/comm"), "namespace with the wrong name");
        refuse(&good.replace("/rpm", "/rp"), "namespace with the wrong name");
        refuse(&good.replace(NAMESPACES, ""), "prefix");
        refuse(&good.replace(NAMESPACES, "").replace("rpm:", ""), "no namespace");
        refuse(&good.replace("xmlns:rpm", "xmlns:x"), "not used in");
        refuse(&good.replace("packages=\"1\"", "packages=\"2\""), "`packages` is 2");
        refuse(&good.replace(" packages=\"1\"", ""), "`packages` is missing");
        refuse(&good.replace("</metadata>", ""), "ends before");
        refuse(&good[..good.len() / 2], "");
        refuse("", "ends before");
    }

    #[test]
    fn a_piece_that_does_not_end_is_not_read_on() {
        let long = "a".repeat(5000);
        let text = document(&format!("{PACKAGE}<d>{long}</d>"), 1);
        let tag = document(&format!("{PACKAGE}<d e='{long}'/>"), 1);
        for document in [text, tag] {
            // Short reads, as from a file.
            let read =
                |most| prove_in_pieces(most, io::BufReader::with_capacity(100, document.as_bytes()), "metadata", 1);
            assert!(read(6000).is_ok());
            assert!(matches!(read(4000), Err(Fault::Read { .. })));
        }
    }

    #[test]
    fn every_package_names_itself_once() {
        refuse(&document("<package/>", 1), "without its id");
        refuse(&document("<package><checksum pkgid=\"YES\"></checksum></package>", 1), "without its id");
        refuse(&document("<package pkgid=\"a\"><checksum pkgid=\"YES\">b</checksum></package>", 1), "two ids");
        refuse(&document("<package pkgid=\"A\"/>", 1), "hexadecimal");
        refuse(&document("<package><checksum pkgid=\"YES\">a&amp;</checksum></package>", 1), "");
    }

    #[test]
    fn bytes_that_are_no_text_are_a_fault() {
        let mut bytes = document(PACKAGE, 1).into_bytes();
        let at = bytes.len() - 20;
        bytes[at] = 0xff;
        assert!(prove(bytes.as_slice(), "metadata", 1).is_err());
    }

    proptest::proptest! {
        #[test]
        fn proving_never_panics(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = prove(bytes.as_slice(), "metadata", 1);
        }

        #[test]
        fn proving_damaged_metadata_never_panics(at in 0_usize..200, byte in proptest::prelude::any::<u8>()) {
            let mut bytes = document(PACKAGE, 1).into_bytes();
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = prove(bytes.as_slice(), "metadata", 1);
        }
    }
}
