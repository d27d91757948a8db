//! Whether the file of a report is what its name says: only the first bytes are looked at, nothing is read of it.

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

#[cfg(test)]
pub(crate) mod samples {
    //! Files as short as they can be.

    use super::*;

    /// An OpenDocument text, as far as [`check`] looks.
    pub(crate) fn odt(more: &[u8]) -> Vec<u8> {
        [ZIP, [0; ODT_AT - 4].as_slice(), ODT, more].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
