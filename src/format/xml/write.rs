//! What XML 1.0 can represent, and text written so that every client can read it.
//!
//! [`text`] and [`attribute`] are the only ways for a package's text to get into metadata. Characters that XML 1.0
//! section 2.2 (`Char`) cannot represent become U+FFFD here, whatever the caller let through; one such character makes
//! libxml2 and expat reject the whole repository (threats F8, N8, N9).

/// Replaces a character that XML cannot represent.
pub const REPLACEMENT: char = '\u{fffd}';

/// Whether XML 1.0 can represent `c` (section 2.2, `Char`). A Rust `char` is never a surrogate.
pub fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// Whether a byte is forbidden, or may begin a forbidden character.
const SUSPECT: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'\t' as usize] = false;
    table[b'\n' as usize] = false;
    table[b'\r' as usize] = false;
    table[0xef] = true;
    table
};

/// The position in `words` of the first character that XML cannot represent.
pub fn first_bad_char(words: &str) -> Option<usize> {
    let bytes = words.as_bytes();
    let mut at = 0;
    while let Some(step) = bytes[at..].iter().position(|&b| SUSPECT[usize::from(b)]) {
        at += step;
        // U+FFFE and U+FFFF are EF BF BE and EF BF BF; every other forbidden character is one byte.
        if bytes[at] < 0x20 || matches!(bytes[at..], [_, 0xbf, 0xbe | 0xbf, ..]) {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// Whether a byte may begin something that cannot be copied unchanged.
const SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'&' as usize] = true;
    table[b'<' as usize] = true;
    table[b'>' as usize] = true;
    table[b'"' as usize] = true;
    table[0xef] = true;
    table
};

/// Appends `words` as character data.
///
/// A carriage return is written as a reference, since a parser would turn it into a line feed (section 2.11).
pub fn text(out: &mut Vec<u8>, words: &str) {
    escape(out, words, |byte| match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        // Only `]]>` needs it; libxml2 always does it, and equal bytes are easier to compare.
        b'>' => Some("&gt;"),
        b'\r' => Some("&#13;"),
        _ => None,
    });
}

/// Appends `words` as the value of an attribute in double quotes.
///
/// Tabs and line ends are written as references, since a parser would turn them into spaces (section 3.3.3).
pub fn attribute(out: &mut Vec<u8>, words: &str) {
    escape(out, words, |byte| match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'"' => Some("&quot;"),
        b'\t' => Some("&#9;"),
        b'\n' => Some("&#10;"),
        b'\r' => Some("&#13;"),
        _ => None,
    });
}

fn escape(out: &mut Vec<u8>, words: &str, reference: impl Fn(u8) -> Option<&'static str>) {
    let bytes = words.as_bytes();
    let mut copied = 0;
    let mut at = 0;
    while let Some(step) = bytes[at..].iter().position(|&b| SPECIAL[usize::from(b)]) {
        at += step;
        let (instead, width) = match bytes[at] {
            0xef if matches!(bytes[at..], [_, 0xbf, 0xbe | 0xbf, ..]) => ("\u{fffd}", 3),
            byte => match reference(byte) {
                Some(reference) => (reference, 1),
                None if byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r') => ("\u{fffd}", 1),
                None => {
                    at += 1;
                    continue;
                }
            },
        };
        out.extend_from_slice(&bytes[copied..at]);
        out.extend_from_slice(instead.as_bytes());
        at += width;
        copied = at;
    }
    out.extend_from_slice(&bytes[copied..]);
}

#[cfg(test)]
mod tests {
    use quick_xml::Reader;
    use quick_xml::events::Event;

    use super::*;

    fn round_trip(words: &str) -> (String, String) {
        let mut out = b"<a b=\"".to_vec();
        attribute(&mut out, words);
        out.extend_from_slice(b"\">");
        text(&mut out, words);
        out.extend_from_slice(b"</a>");
        let out = String::from_utf8(out).expect("escaping keeps UTF-8");
        let mut reader = Reader::from_str(&out);
        let mut seen = (String::new(), String::new());
        loop {
            match reader.read_event().expect("well-formed") {
                Event::Start(tag) => {
                    let one = tag.attributes().next().expect("one").expect("an attribute");
                    seen.0 = one
                        .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                        .expect("known references")
                        .into_owned();
                }
                Event::Text(words) => seen.1.push_str(&words.replace("\r\n", "\n").replace('\r', "\n")),
                Event::GeneralRef(name) => match &*name {
                    "amp" => seen.1.push('&'),
                    "lt" => seen.1.push('<'),
                    "gt" => seen.1.push('>'),
                    "#13" => seen.1.push('\r'),
                    other => panic!("&{other}; was not to be written"),
                },
                Event::Eof => return seen,
                _ => {}
            }
        }
    }

    #[test]
    fn every_code_point_reads_back_as_itself_or_as_the_replacement() {
        for c in '\0'..=char::MAX {
            let expected = if is_char(c) { c } else { REPLACEMENT };
            let expected = format!("a{expected}b");
            let words = format!("a{c}b");
            assert_eq!(first_bad_char(&words).is_some(), !is_char(c), "{c:?}");
            // The reader is slow, and above the basic plane no character is special.
            if c < '\u{800}' || !is_char(c) || (c as u32).is_multiple_of(251) {
                assert_eq!(round_trip(&words), (expected.clone(), expected), "{c:?}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_reads_back(words in "\\PC{0,40}") {
            let expected: String = words.chars().map(|c| if is_char(c) { c } else { REPLACEMENT }).collect();
            proptest::prop_assert_eq!(round_trip(&words), (expected.clone(), expected));
        }
    }
}
