//! Escapes every character in untrusted text that people would not see as what it is.
//!
//! Control characters control a terminal. Bidirectional marks (U+202E and similar) make a line read as another one,
//! even on pages and in mails. Invisible characters make two names look alike. All of these are shown as Rust writes
//! them, `\u{202e}`; other text stays as it is. Escaping twice is the same as once.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character has to be escaped.
fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn written_out(text: &str, stays: impl Fn(char) -> bool, write: impl Fn(&mut String, char)) -> Cow<'_, str> {
    let has_to = |c: char| misleads(c) && !stays(c);
    if !text.contains(has_to) {
        return Cow::Borrowed(text);
    }
    let mut all = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if has_to(c) { write(&mut all, c) } else { all.push(c) }
    }
    Cow::Owned(all)
}

fn escaped(all: &mut String, c: char) {
    all.extend(c.escape_default());
}

/// One line.
pub fn line(text: &str) -> Cow<'_, str> {
    written_out(text, |_| false, escaped)
}

/// Several lines, keeping line ends and tabs.
pub fn lines(text: &str) -> Cow<'_, str> {
    written_out(text, |c| matches!(c, '\n' | '\t'), escaped)
}

/// Several lines that may have colours: the caller ensures that there are no other control characters.
pub fn coloured(text: &str) -> Cow<'_, str> {
    written_out(text, |c| matches!(c, '\n' | '\t' | '\x1b'), escaped)
}

/// A JSON document, whose meaning does not change.
pub fn json(text: &str) -> Cow<'_, str> {
    // Outside of strings it has none of these except line ends.
    written_out(
        text,
        |c| matches!(c, '\n' | '\t' | '\r'),
        |all, c| {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(all, "\\u{unit:04x}");
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[31mred\u{202e}gpj.exe\u{9b}2J\r\nb\u{200b}\u{2066}\u{e0041}";

    #[test]
    fn what_steers_or_deceives_is_written_out() {
        assert_eq!(line(HOSTILE), r"a\u{1b}[31mred\u{202e}gpj.exe\u{9b}2J\r\nb\u{200b}\u{2066}\u{e0041}");
        assert_eq!(lines("a\tb\nc\u{7}"), "a\tb\nc\\u{7}");
        assert_eq!(coloured("\u{1b}[1mx\u{202e}"), "\u{1b}[1mx\\u{202e}");
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in ["", "Grüße, 日本語, עברית, 👩‍💻", r"back\slash", "½ naïve"] {
            assert!(matches!(line(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn writing_out_twice_is_writing_out_once(text in "\\PC*|.*") {
            for out in [line, lines, json] {
                let once = out(&text).into_owned();
                proptest::prop_assert_eq!(out(&once).into_owned(), once);
            }
            proptest::prop_assert!(!line(&text).chars().any(misleads));
        }

        #[test]
        fn a_document_says_the_same_to_programs(text in ".*") {
            let document = serde_json::json!({ "text": text, "hostile": HOSTILE });
            let shown = format!("{document:#}");
            proptest::prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&json(&shown)).expect("read"), document);
        }
    }
}
