//! Files of reports: whether one is what its name says, and the text in it.
//!
//! The text is searched for issues (S1-25) and for nothing else, so layout, order and pictures do not matter. A file comes
//! from an early adopter and is trusted with nothing: what is read of it is limited, and what cannot be read has no text.

use std::io::{Cursor, Read as _};

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use zip::ZipArchive;

use crate::domain::naming::report_file::Format;

/// Where an OpenDocument file names its type: the first member of the archive is called `mimetype` and is not compressed.
const ODT_AT: usize = 30;
const ODT: &[u8] = b"mimetypeapplication/vnd.oasis.opendocument.text";
const ZIP: &[u8] = b"PK\x03\x04";
/// A compound file, as Word up to 2003 writes it.
const COMPOUND: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";
/// Some programs save rich text as `.doc`.
const RICH_TEXT: &[u8] = b"{\\rtf";

/// What is wrong with a file of this format.
///
/// # Errors
/// A fragment that fits after "the file".
pub fn check(format: Format, bytes: &[u8]) -> Result<(), &'static str> {
    if bytes.is_empty() {
        return Err("is empty");
    }
    let is_zip = bytes.starts_with(ZIP);
    let is_odt = is_zip && bytes.get(ODT_AT..).is_some_and(|rest| rest.starts_with(ODT));
    match format {
        Format::Odt if !is_odt => Err("is not the OpenDocument text that its name says"),
        Format::Docx if !is_zip || is_odt => Err("is not the Word document that its name says"),
        Format::Doc if !bytes.starts_with(COMPOUND) && !bytes.starts_with(RICH_TEXT) => {
            Err("is not the pre-2007 Word document that its name says")
        }
        _ => Ok(()),
    }
}

/// Bytes of text that are read: a long report has a tenth of it.
const TEXT_MAX: u64 = 8 << 20;

/// The text of a file that [`check`] has nothing to say of, with the addresses that its links lead to; as much of it as can
/// be read.
///
/// Word's format of before 2007 keeps text as it is, between much else; the parts of it that look like text are taken.
pub fn text(format: Format, bytes: &[u8]) -> String {
    match format {
        Format::Odt => members(bytes, &["content.xml"]),
        // Links stand in a member of their own.
        Format::Docx => members(bytes, &["word/document.xml", "word/_rels/document.xml.rels"]),
        Format::Doc => bare(bytes),
    }
}

/// The text of some members of a ZIP archive.
fn members(bytes: &[u8], names: &[&str]) -> String {
    let mut text = String::new();
    let Ok(mut archive) = ZipArchive::new(Cursor::new(bytes)) else { return text };
    for name in names {
        let Ok(member) = archive.by_name(name) else { continue };
        let mut xml = Vec::new();
        // What was read before an error counts, too.
        let _ = member.take(TEXT_MAX).read_to_end(&mut xml);
        let _ = of_xml(&String::from_utf8_lossy(&xml), &mut text);
    }
    text
}

/// Appends the text of a document: a paragraph is a line, though words in it may be bold.
fn of_xml(xml: &str, text: &mut String) -> quick_xml::Result<()> {
    let mut reader = Reader::from_str(xml);
    loop {
        match reader.read_event()? {
            Event::Start(tag) | Event::Empty(tag) => {
                addresses(&tag, text);
                if matches!(tag.local_name().as_ref(), "tab" | "br" | "s" | "line-break") {
                    text.push(' ');
                }
            }
            Event::End(tag) if matches!(tag.local_name().as_ref(), "p" | "h") => text.push('\n'),
            Event::Text(words) => text.push_str(&words),
            Event::GeneralRef(name) => match name.resolve_char_ref().ok().flatten() {
                Some(c) => text.push(c),
                None => text.push_str(resolve_xml_entity(&name).unwrap_or_default()),
            },
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

/// Appends the addresses to which a link leads; those of namespaces and types are none.
fn addresses(tag: &BytesStart<'_>, text: &mut String) {
    for attribute in tag.attributes().flatten() {
        if let Ok(value) = attribute.normalized_value(XmlVersion::Implicit1_0)
            && matches!(attribute.key.local_name().as_ref(), "href" | "Target")
            && value.contains("://")
        {
            text.extend([" ", &value, " "]);
        }
    }
}

/// What looks like text between other bytes, one byte or two a character.
fn bare(bytes: &[u8]) -> String {
    let is_text = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    bytes.iter().filter(|byte| **byte != 0).map(|byte| if is_text(*byte) { char::from(*byte) } else { '\n' }).collect()
}

#[cfg(test)]
pub(crate) mod samples {
    //! Files as short as they can be.

    use std::io::Write as _;

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    /// An archive with these members, as a word processor writes it.
    pub(crate) fn archive(members: &[(&str, &str)]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in members {
            let how =
                if *name == "mimetype" { zip::CompressionMethod::Stored } else { zip::CompressionMethod::Deflated };
            zip.start_file(*name, SimpleFileOptions::default().compression_method(how)).expect("a member");
            zip.write_all(content.as_bytes()).expect("its bytes");
        }
        zip.finish().expect("an archive").into_inner()
    }

    /// An OpenDocument text with this body.
    pub(crate) fn document(body: &str) -> Vec<u8> {
        let content = format!(
            r#"<?xml version="1.0" encoding="UTF-8"?><office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:t" xmlns:xlink="http://www.w3.org/1999/xlink"><office:body><office:text>{body}</office:text></office:body></office:document-content>"#
        );
        archive(&[("mimetype", "application/vnd.oasis.opendocument.text"), ("content.xml", &content)])
    }

    /// An OpenDocument text, as far as [`check`] looks.
    pub(crate) fn odt(more: &[u8]) -> Vec<u8> {
        [ZIP, [0; ODT_AT - 4].as_slice(), ODT, more].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_document_is_read_with_the_addresses_of_its_links() {
        let odt = samples::document(concat!(
            "<text:p>See bug <text:span>#1</text:span>2<text:s/>and</text:p>",
            r#"<text:p><text:a xlink:href="https://ggus.eu/?a=1&amp;ticket_id=99">this</text:a> &lt;&#233;&amp;</text:p>"#,
        ));
        assert_eq!(check(Format::Odt, &odt), Ok(()));
        assert_eq!(text(Format::Odt, &odt), "See bug #12 and\n https://ggus.eu/?a=1&ticket_id=99 this <é&\n");
        let rels = r#"<Relationships><Relationship Id="a" Target="https://bugs.example.org/7"/></Relationships>"#;
        let document =
            r#"<w:document xmlns:w="urn:w"><w:p><w:r><w:t>see</w:t><w:tab/><w:t>bug-7</w:t></w:r></w:p></w:document>"#;
        let docx = samples::archive(&[
            ("[Content_Types].xml", "<Types/>"),
            ("word/document.xml", document),
            ("word/_rels/document.xml.rels", rels),
        ]);
        assert_eq!(check(Format::Docx, &docx), Ok(()));
        assert_eq!(text(Format::Docx, &docx), "see bug-7\n https://bugs.example.org/7 ");
        let wide: Vec<u8> = "see #99".bytes().flat_map(|byte| [byte, 0]).collect();
        let doc = [COMPOUND, &[0; 100], &wide, &[7, 0]].concat();
        assert!(text(Format::Doc, &doc).contains("\nsee #99\n"), "{:?}", text(Format::Doc, &doc));
    }

    #[test]
    fn what_cannot_be_read_has_no_text_and_what_is_read_is_limited() {
        let whole = samples::document("<text:p>see #99</text:p>");
        for end in 0..whole.len() {
            let _ = text(Format::Odt, &whole[..end]);
        }
        assert_eq!(text(Format::Odt, &samples::odt(b"text")), "");
        assert_eq!(text(Format::Docx, &whole), "");
        let large = samples::document(&"<text:p>0123456789</text:p>".repeat(1 << 19));
        assert!(large.len() < 1 << 20, "it grows when it is read");
        assert!((text(Format::Odt, &large).len() as u64) < TEXT_MAX);
    }

    #[test]
    fn a_file_is_what_its_name_says() {
        let odt = samples::odt(b"text");
        let docx = [ZIP, b"[Content_Types].xml"].concat();
        let doc = [COMPOUND, &[0; 100]].concat();
        for (format, bytes, fits) in [
            (Format::Odt, &odt, true),
            (Format::Odt, &docx, false),
            (Format::Docx, &docx, true),
            (Format::Docx, &odt, false),
            (Format::Docx, &doc, false),
            (Format::Doc, &doc, true),
            (Format::Doc, &RICH_TEXT.to_vec(), true),
            (Format::Doc, &odt, false),
            (Format::Odt, &vec![], false),
            (Format::Odt, &b"PK\x03\x04".to_vec(), false),
        ] {
            assert_eq!(check(format, bytes).is_ok(), fits, "{format:?} {:?}", bytes.get(..8));
        }
    }
}
