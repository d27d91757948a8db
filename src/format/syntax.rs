//! Syntax errors: all of them, once each, in an admin's words.
//!
//! One missing bracket makes a TOML parser misread everything that follows, and its further errors are about that and
//! not about the file. So only the first error is trusted; then that place is mended or blanked out, and the rest is
//! parsed again. Mending changes a copy: what is read from it is only used to find more mistakes, and
//! [`Mended::errors`] is never empty if anything was changed.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use toml::de::{DeTable, DeValue, Error};

/// Errors beyond this number are left out; each takes another pass over the file.
const ROUNDS_MAX: usize = 20;

/// One syntax error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Its offset in the text as written.
    pub offset: usize,
    /// What is wrong; a lower-case fragment.
    pub what: String,
    /// How to fix it.
    pub hint: Option<String>,
}

/// A text without syntax errors, made from one that may have some.
pub struct Mended<'t> {
    /// The part of the text that can be parsed.
    pub text: Cow<'t, str>,
    /// The errors, in file order.
    pub errors: Vec<SyntaxError>,
    /// Offsets in `text` of bytes that are not in the original.
    inserted: Vec<usize>,
    /// The first words of all lines that could not be read.
    lost: BTreeSet<String>,
}

impl<'t> Mended<'t> {
    /// Finds the errors of `text` and removes them.
    pub fn new(text: &'t str) -> Self {
        let mut mended =
            Self { text: Cow::Borrowed(text), errors: Vec::new(), inserted: Vec::new(), lost: BTreeSet::new() };
        let mut lines = BTreeSet::new();
        for round in 0.. {
            let Some(trouble) = trouble(&mended.text) else { break };
            let offset = mended.original(trouble.at);
            // A further error on the same line is usually the same mistake seen from another side.
            if lines.insert(line_around(text, offset).start) {
                mended.errors.push(SyntaxError { offset, what: trouble.what, hint: trouble.hint });
            }
            if round == ROUNDS_MAX || !mended.mend(trouble.cure) {
                // What is left cannot be trusted, so none of it is read.
                mended.blank(0..mended.text.len());
                break;
            }
        }
        mended.errors.sort_by_key(|error| error.offset);
        mended
    }

    /// The offset in the original of a byte of the mended text.
    pub fn original(&self, offset: usize) -> usize {
        offset.saturating_sub(self.inserted.iter().filter(|at| **at < offset).count())
    }

    /// Whether a key may have been written but could not be read.
    pub fn may_have(&self, key: &str) -> bool {
        self.lost.contains(key)
    }

    /// Applies a cure; returns whether anything changed, and then the text is no longer what the admin wrote.
    fn mend(&mut self, cure: Cure) -> bool {
        match cure {
            Cure::Insert(at, bracket) => {
                self.text.to_mut().insert(at, bracket);
                self.inserted.push(at);
                true
            }
            Cure::Blank(range) => self.blank(range),
        }
    }

    fn blank(&mut self, range: Range<usize>) -> bool {
        let Some(part) = self.text.get(range.clone()) else { return false };
        if part.trim().is_empty() {
            return false;
        }
        self.lost.extend(part.lines().flat_map(words));
        let spaces: String = part.bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }).collect();
        self.text.to_mut().replace_range(range, &spaces);
        true
    }
}

/// The names before the `=` of a line, or in a header.
fn words(line: &str) -> impl Iterator<Item = String> {
    let name = line.split(['=', '#']).next().unwrap_or_default();
    let words = name.split(|c: char| !c.is_alphanumeric() && !"_-*".contains(c));
    words.filter(|word| !word.is_empty()).map(str::to_owned)
}

/// The first error of a text and what to do about it.
struct Trouble {
    at: usize,
    what: String,
    hint: Option<String>,
    cure: Cure,
}

enum Cure {
    Insert(usize, char),
    Blank(Range<usize>),
}

fn trouble(text: &str) -> Option<Trouble> {
    let (root, mut errors) = DeTable::parse_recoverable(text);
    errors.sort_by_key(start);
    let first = errors.first()?;
    Some(unclosed(text, root.get_ref(), start(first)).unwrap_or_else(|| plain(text, root.get_ref(), first)))
}

fn start(error: &Error) -> usize {
    error.span().map_or(0, |span| span.start)
}

/// Something that starts on one line, is never closed, and so swallows what follows.
fn unclosed(text: &str, root: &DeTable<'_>, at: usize) -> Option<Trouble> {
    let value = values(root).into_iter().find(|v| v.value.start < at && at <= v.value.end)?;
    let next = following_lines(text, value.value.start)
        .find(|line| text.get(line.clone()).is_some_and(begins_something))
        .map_or(text.len(), |line| line.start);
    // It is open if not even the lines up to the next key close it.
    let is_open = |error: &Error| {
        let beginnings = ["unclosed array,", "unclosed inline table", "invalid multi-line"];
        beginnings.iter().any(|beginning| error.message().starts_with(beginning))
    };
    if !DeTable::parse_recoverable(text.get(..next)?).1.iter().any(is_open) {
        return None;
    }
    let (what, hint) = match text.as_bytes().get(value.value.start)? {
        b'[' => ("this list is not closed", "close it with ]"),
        b'{' => ("this table is not closed", "close it with }"),
        _ => ("this text is not closed", "close it with the same three quotes"),
    };
    let cure = Cure::Blank(line_around(text, value.key.start).start..next);
    Some(Trouble { at: value.value.start, what: what.to_owned(), hint: Some(hint.to_owned()), cure })
}

/// Any other error: what it means, and which lines to leave out.
fn plain(text: &str, root: &DeTable<'_>, error: &Error) -> Trouble {
    let at = start(error).min(text.len());
    let line = line_around(text, at);
    let statement = text.get(line.clone()).unwrap_or_default();
    let (what, hint) = in_plain_words(text, statement, error);
    let cure = if statement.trim_start().starts_with('[') && error.message().starts_with("unclosed") {
        header_end(text, &line).map(|end| Cure::Insert(end, ']'))
    } else if statement.trim_start().starts_with('[') && !inside_a_value(root, at) {
        // Without its header, what follows would seem to belong to the section before.
        let end = following_lines(text, at).find(|l| text.get(l.clone()).is_some_and(is_header));
        Some(Cure::Blank(line.start..end.map_or(text.len(), |l| l.start)))
    } else {
        let around = values(root).into_iter().filter(|v| v.key.start <= at && at <= v.value.end);
        around.max_by_key(|v| v.key.start).map(|v| {
            let end = line_around(text, v.value.end.max(at)).end;
            Cure::Blank(line_around(text, v.key.start).start..end)
        })
    };
    Trouble { at, what, hint, cure: cure.unwrap_or(Cure::Blank(line)) }
}

fn in_plain_words(text: &str, statement: &str, error: &Error) -> (String, Option<String>) {
    let part = error.span().and_then(|span| text.get(span)).unwrap_or_default();
    let word = part.escape_default();
    let message = error.message();
    if message.starts_with("string values must be quoted") || message.starts_with("invalid boolean") {
        let hint = match word.to_string().to_lowercase().as_str() {
            "" => return ("the key has no value".to_owned(), None),
            "true" | "yes" | "on" => Some("write true, or put text in quotes".to_owned()),
            "false" | "no" | "off" => Some("write false, or put text in quotes".to_owned()),
            // More than one word is more than one mistake.
            words if words.contains(' ') => None,
            _ => Some(format!("write \"{word}\"")),
        };
        return (format!("text must be in quotes: `{word}`"), hint);
    }
    if message.starts_with("duplicate key") {
        return if is_header(statement) {
            (format!("duplicate section: `{word}`"), Some("move its keys to the first".to_owned()))
        } else {
            (format!("duplicate key: `{word}`"), Some("keep one of the two".to_owned()))
        };
    }
    let plain = match message {
        m if m.starts_with("key with no value") || !statement.contains(['=', '[']) => {
            ("this line has no `=` between key and value", "")
        }
        m if m.starts_with("unclosed table") || m.starts_with("unclosed array table") => {
            ("the name of this section is not closed", "write [name] or [[name]]")
        }
        m if m.starts_with("invalid basic string") => {
            ("text is not closed before the end of its line", "close it with \"")
        }
        m if m.starts_with("invalid literal string") => {
            ("text is not closed before the end of its line", "close it with '")
        }
        m if m.starts_with("missing escaped value") => {
            ("this is not a valid escape after a backslash", "write \\\\ for a backslash, or use single quotes")
        }
        m if m.starts_with("missing comma") || m.starts_with("extra assignment") => {
            ("a comma is missing before this", "put a comma between two elements")
        }
        m if m.starts_with("unexpected key or value") => {
            ("there is text after the end of the value", "give each key a line of its own")
        }
        m if m.starts_with("invalid float")
            || m.starts_with("invalid integer")
            || m.starts_with("unexpected leading zero") =>
        {
            ("this is neither a number nor text in quotes", "put text in quotes")
        }
        _ => (message, if statement.contains('"') { "" } else { "put text in quotes" }),
    };
    (plain.0.to_owned(), Some(plain.1.to_owned()).filter(|hint| !hint.is_empty()))
}

/// A key and its value, and where they are.
struct Place {
    key: Range<usize>,
    value: Range<usize>,
}

/// All values that have their own key; sections only through their contents.
fn values(root: &DeTable<'_>) -> Vec<Place> {
    let mut places = Vec::new();
    let mut waiting = vec![root];
    while let Some(table) = waiting.pop() {
        for (key, value) in table {
            let (key, span) = (key.span(), value.span());
            // The span of a section is its header, which holds the key; a value comes after its key.
            if key.end <= span.start {
                places.push(Place { key, value: span });
                continue;
            }
            match value.get_ref() {
                DeValue::Table(section) => waiting.push(section),
                DeValue::Array(sections) => waiting.extend(sections.iter().filter_map(|s| s.get_ref().as_table())),
                _ => {}
            }
        }
    }
    places
}

fn inside_a_value(root: &DeTable<'_>, at: usize) -> bool {
    values(root).iter().any(|v| v.value.start <= at && at < v.value.end)
}

/// The line that contains `at`, with its line break.
fn line_around(text: &str, at: usize) -> Range<usize> {
    let before = text.get(..at).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |found| found + 1);
    let after = text.get(at..).and_then(|rest| rest.find('\n'));
    start..after.map_or(text.len(), |found| at + found + 1)
}

/// The lines after the one that contains `at`.
fn following_lines(text: &str, at: usize) -> impl Iterator<Item = Range<usize>> {
    let mut next = line_around(text, at).end;
    std::iter::from_fn(move || {
        if next >= text.len() {
            return None;
        }
        let line = line_around(text, next);
        next = line.end;
        Some(line)
    })
}

/// Whether a line looks like `key = value` or like a header.
fn begins_something(line: &str) -> bool {
    let name = line.trim_start().split('=').next().unwrap_or_default();
    let is_key = name.len() < line.trim_start().len()
        && !name.trim().is_empty()
        && name.trim().chars().all(|c| c.is_alphanumeric() || "_-.*\"'".contains(c));
    is_key || is_header(line)
}

/// Whether a line looks like `[name]` or `[[name]]`.
fn is_header(line: &str) -> bool {
    line.trim_start().strip_prefix('[').is_some_and(|rest| {
        let rest = rest.strip_prefix('[').unwrap_or(rest);
        rest.trim_start().starts_with(|c: char| c.is_alphabetic())
    })
}

/// Where the name in a header ends and the next `]` belongs.
fn header_end(text: &str, line: &Range<usize>) -> Option<usize> {
    let header = text.get(line.clone())?;
    let brackets = header.len() - header.trim_start().trim_start_matches('[').len();
    let name = header.get(brackets..)?;
    let ends = name.find(|c: char| !(c.is_alphanumeric() || "_-.*\"' ]".contains(c))).unwrap_or(name.len());
    let name = name.get(..ends)?.trim_end();
    (!name.is_empty()).then_some(line.start + brackets + name.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The errors as `line:column what`, and what could still be read.
    #[track_caller]
    fn check(text: &str, errors: &[&str], still_read: &[&str]) {
        let mended = Mended::new(text);
        let place = |offset: usize| {
            let before = text.get(..offset).expect("a character boundary");
            (before.matches('\n').count() + 1, before.chars().rev().take_while(|c| *c != '\n').count() + 1)
        };
        let found: Vec<String> = mended
            .errors
            .iter()
            .map(|error| format!("{}:{} {}", place(error.offset).0, place(error.offset).1, error.what))
            .collect();
        assert_eq!(found, errors, "in {text}");
        let (root, rest) = DeTable::parse_recoverable(&mended.text);
        assert!(rest.is_empty(), "{rest:?} in {}", mended.text);
        let mut read: Vec<String> = Vec::new();
        let mut waiting = vec![(String::new(), root.get_ref())];
        while let Some((path, table)) = waiting.pop() {
            for (key, value) in table {
                let path = format!("{path}{}", key.get_ref());
                match value.get_ref() {
                    DeValue::Table(inner) => waiting.push((format!("{path}."), inner)),
                    _ => read.push(path),
                }
            }
        }
        read.sort();
        assert_eq!(read, still_read, "in {}", mended.text);
    }

    #[test]
    fn every_line_with_an_error_is_named_once_and_the_others_are_read() {
        check(
            "a: 1\nb = yes\nc = 7d\nd = /srv/x\ne = 1\n",
            &[
                "1:2 this line has no `=` between key and value",
                "2:5 text must be in quotes: `yes`",
                "3:5 text must be in quotes: `7d`",
                "4:5 text must be in quotes: `/srv/x`",
            ],
            &["e"],
        );
    }

    #[test]
    fn an_open_list_does_not_swallow_the_rest_of_the_file() {
        check(
            "trees = [\"a\",\n  \"b\"\nx = 1\n[site]\ny = \n",
            &["1:9 this list is not closed", "5:5 the key has no value"],
            &["x"],
        );
        check("trees = [\"a\",\n[site]\ny = 1\n", &["1:9 this list is not closed"], &["site.y"]);
    }

    #[test]
    fn an_open_table_or_text_does_not_swallow_the_rest_of_the_file() {
        check("s = { file = \"x\"\n[http]\nlisten = 1\n", &["1:5 this table is not closed"], &["http.listen"]);
        check("s = \"\"\"x\n\n[http]\nlisten = 1\n", &["1:5 this text is not closed"], &["http.listen"]);
        check(
            "s = \"x\nt = 'y\nu = 1\n",
            &["1:7 text is not closed before the end of its line", "2:7 text is not closed before the end of its line"],
            &["u"],
        );
    }

    #[test]
    fn a_header_without_its_bracket_still_begins_a_section() {
        check(
            "[http\na = 1\n[[d]\nb = 1\n[[d # x\nb = 1\n",
            &[
                "1:6 the name of this section is not closed",
                "3:5 the name of this section is not closed",
                "5:4 the name of this section is not closed",
            ],
            &["d", "http.a"],
        );
    }

    #[test]
    fn a_second_section_of_the_same_name_is_left_out_whole() {
        check("[a]\nx = 1\n[a]\ny = 1\n[b]\nz = 1\n", &["3:2 duplicate section: `a`"], &["a.x", "b.z"]);
    }

    #[test]
    fn a_text_without_errors_is_left_alone() {
        let text = "a = [1,\n2]\n[b]\nc = { d = \"]\" }\n";
        check(text, &[], &["a", "b.c.d"]);
        assert!(matches!(Mended::new(text).text, Cow::Borrowed(_)));
    }

    #[test]
    fn what_could_not_be_read_is_not_missed() {
        let mended = Mended::new("root = /srv\n[[distribution]\npath = \"a\nprocedure = \"egi\"\n");
        assert!(mended.may_have("root") && mended.may_have("path"));
        assert!(!mended.may_have("procedure") && !mended.may_have("state"));
    }

    fn broken_toml() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "[",
            "]",
            "[[",
            "]]",
            "{",
            "}",
            "=",
            "\"",
            "'",
            "\"\"\"",
            "\n",
            "\r\n",
            ",",
            ".",
            "#",
            "a",
            "b",
            "site",
            "1",
            "-",
            " ",
            "\\",
            "true",
            "é",
            "\u{feff}",
            "\0",
            "2027-06-30",
        ]);
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn mending_ends_and_leaves_no_error(text in broken_toml()) {
            let mended = Mended::new(&text);
            prop_assert!(DeTable::parse_recoverable(&mended.text).1.is_empty(), "{:?}", mended.text);
            prop_assert_eq!(mended.errors.is_empty(), DeTable::parse_recoverable(&text).1.is_empty());
            for error in &mended.errors {
                prop_assert!(text.is_char_boundary(error.offset), "{} in {:?}", error.offset, text);
            }
        }
    }
}
