//! The lines of an iCalendar file (RFC 5545 section 3.1): `NAME;PARAMETER=VALUE:VALUE`, folded where they are long.
//!
//! Lines are unfolded as bytes, since a fold may split a character.

/// One line, with the number of its first part, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) number: usize,
    /// What it says, or why it cannot be read.
    pub(super) property: Result<Property, &'static str>,
}

/// A property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Property {
    /// In upper case.
    pub(super) name: String,
    /// Their names in upper case, their values without quotes.
    parameters: Vec<(String, String)>,
    /// As written; see [`text`].
    pub(super) value: String,
}

impl Property {
    /// The value of a parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// All lines that are not empty.
pub(super) fn of(bytes: &[u8]) -> Vec<Line> {
    let mut unfolded: Vec<(usize, Vec<u8>)> = Vec::new();
    for (at, line) in bytes.split(|b| *b == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match (line, unfolded.last_mut()) {
            ([b' ' | b'\t', rest @ ..], Some((_, folded))) => folded.extend_from_slice(rest),
            _ => unfolded.push((at + 1, line.to_vec())),
        }
    }
    let is_written = |(_, line): &(usize, Vec<u8>)| !line.trim_ascii().is_empty();
    unfolded.into_iter().filter(is_written).map(|(number, line)| Line { number, property: property(line) }).collect()
}

fn property(line: Vec<u8>) -> Result<Property, &'static str> {
    const FORM: &str = "is not a line of a calendar, which is `NAME:VALUE`";
    let line = String::from_utf8(line).map_err(|_| "is not UTF-8")?;
    let (mut parameters, mut rest) = (Vec::new(), line.as_str());
    let name = until(&mut rest, &[':', ';']);
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(FORM);
    }
    while let Some(parameter) = rest.strip_prefix(';') {
        rest = parameter;
        let (key, value) = until(&mut rest, &[':', ';']).split_once('=').ok_or(FORM)?;
        parameters.push((key.to_ascii_uppercase(), value.replace('"', "")));
    }
    let value = rest.strip_prefix(':').ok_or(FORM)?;
    Ok(Property { name: name.to_ascii_uppercase(), parameters, value: value.to_owned() })
}

/// Takes what is before the first of these marks that is not in quotes.
fn until<'t>(text: &mut &'t str, marks: &[char]) -> &'t str {
    let mut is_quoted = false;
    let is_end = |c: char| {
        is_quoted ^= c == '"';
        !is_quoted && marks.contains(&c)
    };
    let (before, after) = text.split_at(text.find(is_end).unwrap_or(text.len()));
    *text = after;
    before
}

/// A value as complaints repeat it: escaped, and not all of a long one.
pub(super) fn shown(value: &str) -> String {
    const MOST: usize = 60;
    let rest = if value.chars().nth(MOST).is_some() { "..." } else { "" };
    value.chars().take(MOST).flat_map(char::escape_debug).chain(rest.chars()).collect()
}

/// The text that a value of type TEXT stands for (section 3.3.11).
pub(super) fn text(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some('n' | 'N') => text.push('\n'),
                Some(escaped) => text.push(escaped),
                None => text.push('\\'),
            },
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(bytes: &[u8], lines: &[(usize, &str)]) {
        let said = |line: Line| {
            let said = line.property.map(|p| format!("{}={}{:?}", p.name, p.value, p.parameters));
            (line.number, said.unwrap_or_else(str::to_owned))
        };
        let found: Vec<_> = of(bytes).into_iter().map(said).collect();
        assert_eq!(found.iter().map(|(at, line)| (*at, line.as_str())).collect::<Vec<_>>(), lines);
    }

    #[test]
    fn lines_end_with_or_without_a_carriage_return() {
        check(b"BEGIN:A\r\nsummary:b:c\n\r\n\nX-Y:", &[(1, "BEGIN=A[]"), (2, "SUMMARY=b:c[]"), (5, "X-Y=[]")]);
    }

    #[test]
    fn a_line_is_unfolded_even_within_a_character() {
        check(b"SUMMARY:New \r\n Year\n\t's\nA:b", &[(1, "SUMMARY=New Year's[]"), (4, "A=b[]")]);
        check(b"SUMMARY:\xc3\r\n \xa9", &[(1, "SUMMARY=\u{e9}[]")]);
    }

    #[test]
    fn parameters_may_be_quoted() {
        check(
            b"DTSTART;VALUE=DATE:20261225\nA;x=\"b;c:d\";Y=:v;w\n",
            &[(1, r#"DTSTART=20261225[("VALUE", "DATE")]"#), (2, r#"A=v;w[("X", "b;c:d"), ("Y", "")]"#)],
        );
    }

    #[test]
    fn what_is_no_line_is_said_with_its_number() {
        let form = "is not a line of a calendar, which is `NAME:VALUE`";
        check(b"A:b\nhello\n", &[(1, "A=b[]"), (2, form)]);
        check(b" A:b\n:b\nA;b:c\nA;\"b=c:d\n", &[(1, form), (2, form), (3, form), (4, form)]);
        check(b"A:b\nA:\xff\nA:c", &[(1, "A=b[]"), (2, "is not UTF-8"), (3, "A=c[]")]);
    }

    #[test]
    fn escaped_text_is_read() {
        assert_eq!(text(r"a\, b\; c\\n\nd\N\"), "a, b; c\\n\nd\n\\");
    }

    #[test]
    fn a_long_value_is_repeated_in_part() {
        assert_eq!(shown("a\nb"), "a\\nb");
        assert_eq!(shown(&"x".repeat(60)), "x".repeat(60));
        assert_eq!(shown(&"x".repeat(61)), "x".repeat(60) + "...");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, near in "([A-Z;:=\",\r\n \\\\])*") {
            let _ = (of(&bytes), of(near.as_bytes()), text(&near));
        }
    }
}
