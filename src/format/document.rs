//! A TOML document with the position of every value; collects all complaints.
//!
//! [`Sheet`] holds the text and the complaints about it; [`Section`] is one table and [`Value`] one value. A section
//! remembers which keys were read, so that [`Section::close`] can refuse all others without a second list of known
//! keys. Reading never stops at a mistake: what cannot be read is `None`, and the complaint is already recorded.
//!
//! Nothing here knows what a key means, and nothing here reads files.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::complaint::{Complaint, Level, Spot, sort, without_positions};
use super::spelling::{did_you_mean, list_of, nearest};
use super::syntax::Mended;

/// The configuration text, where its lines begin, and the complaints so far.
pub struct Sheet<'t> {
    file: &'t Path,
    /// As written; [`Mended::text`] is what was parsed.
    text: &'t str,
    mended: &'t Mended<'t>,
    line_starts: Vec<usize>,
    complaints: RefCell<Vec<Complaint>>,
}

impl<'t> Sheet<'t> {
    /// A sheet with the syntax errors already recorded, and what could be parsed of the text.
    pub fn new(text: &'t str, mended: &'t Mended<'t>, file: &'t Path) -> (Self, Spanned<DeTable<'t>>) {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let sheet = Self { file, text, mended, line_starts, complaints: RefCell::default() };
        for error in &mended.errors {
            sheet.push(sheet.written_at(error.offset, ""), error.what.clone(), error.hint.clone());
        }
        let (root, _) = DeTable::parse_recoverable(&mended.text);
        (sheet, root)
    }

    /// The top level of the document.
    pub fn top<'s>(&'s self, root: &'s Spanned<DeTable<'t>>) -> Section<'s, 't> {
        Section {
            sheet: self,
            table: root.get_ref(),
            start: 0,
            key: String::new(),
            asked: Vec::new(),
            misspelt: Vec::new(),
        }
    }

    /// The position of every key and every list element.
    pub fn places(&self, root: &Spanned<DeTable<'t>>) -> Places {
        let mut places = Places::default();
        let mut waiting = vec![(String::new(), root.get_ref())];
        let mut values = Vec::new();
        while let Some((path, table)) = waiting.pop() {
            values.extend(table.iter().map(|(key, value)| (join(&path, key.get_ref()), value)));
            while let Some((key, value)) = values.pop() {
                match value.get_ref() {
                    DeValue::Table(inner) => waiting.push((key.clone(), inner)),
                    DeValue::Array(inner) => {
                        values.extend(inner.iter().enumerate().map(|(at, value)| (format!("{key}[{at}]"), value)));
                    }
                    _ => {}
                }
                let spot = self.spot(value.span().start, &key);
                places.0.insert(key, spot);
            }
        }
        places
    }

    /// All complaints, sorted by position.
    pub fn into_complaints(self) -> Vec<Complaint> {
        let mut all = self.complaints.into_inner();
        sort(&mut all);
        all
    }

    /// The position of a byte of the mended text, with the key that is there.
    fn spot(&self, offset: usize, key: &str) -> Spot {
        self.written_at(self.mended.original(offset), key)
    }

    fn written_at(&self, offset: usize, key: &str) -> Spot {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|at| self.line_starts.get(at)).copied().unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or_default();
        // A byte order mark takes no column in an editor.
        Spot { line, column: before.trim_start_matches('\u{feff}').chars().count() + 1, key: key.to_owned() }
    }

    fn push(&self, at: Spot, what: String, hint: Option<String>) {
        let file = self.file.to_owned();
        self.complaints.borrow_mut().push(Complaint { level: Level::Complaint, file, at, what, hint });
    }
}

/// The position of every key of a document, for checks made after it was read.
#[derive(Debug, Default)]
pub struct Places(BTreeMap<String, Spot>);

impl Places {
    /// The position of `key`, or of the nearest enclosing table if the key itself was not written.
    pub fn of(&self, key: &str) -> Spot {
        let mut written = key;
        loop {
            if let Some(spot) = self.0.get(written) {
                return Spot { key: key.to_owned(), ..spot.clone() };
            }
            match written.rfind(['.', '[']) {
                Some(end) => written = written.get(..end).unwrap_or_default(),
                None => return Spot { line: 1, column: 1, key: key.to_owned() },
            }
        }
    }
}

/// One table of the document.
pub struct Section<'s, 't> {
    sheet: &'s Sheet<'t>,
    table: &'s DeTable<'t>,
    start: usize,
    key: String,
    asked: Vec<&'static str>,
    misspelt: Vec<&'s str>,
}

impl<'s, 't> Section<'s, 't> {
    /// The value of `key`, if present.
    ///
    /// A misspelt key is refused but still read as the key it resembles, so that mistakes in its value are found too.
    /// Therefore no two keys of one section may be spelt nearly alike.
    pub fn get(&mut self, key: &'static str) -> Option<Value<'s, 't>> {
        self.asked.push(key);
        let entries = self.entries();
        if let Some((_, value)) = entries.iter().find(|(name, _)| name.text == key) {
            return Some(value.clone());
        }
        let (name, value) = entries.into_iter().find(|(name, _)| nearest(name.text, [key]).is_some())?;
        name.complain("is not a known key", Some(format!("did you mean `{key}`?")));
        self.misspelt.push(name.text);
        Some(Value { key: join(&self.key, key), ..value })
    }

    /// The value of `key`; if missing, complains and says what belongs there.
    pub fn need(&mut self, key: &'static str, example: &str) -> Option<Value<'s, 't>> {
        let value = self.get(key);
        if value.is_none() {
            self.miss(key, example);
        }
        value
    }

    /// Complains that `key` is missing.
    fn miss(&self, key: &str, example: &str) {
        if !self.sheet.mended.may_have(key) {
            let spot = self.sheet.spot(self.start, &join(&self.key, key));
            self.sheet.push(spot, "is missing".to_owned(), Some(format!("for example: {example}")));
        }
    }

    /// Complains about the section as a whole.
    pub fn complain(&self, what: impl Into<String>, hint: Option<String>) {
        self.sheet.push(self.spot(), what.into(), hint);
    }

    /// Where the section begins.
    pub fn spot(&self) -> Spot {
        self.sheet.spot(self.start, &self.key)
    }

    /// All entries in file order, for tables whose keys are names.
    pub fn entries(&self) -> Vec<(Name<'s, 't>, Value<'s, 't>)> {
        let mut entries: Vec<_> = self.table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        let entry = |(name, value): (&'s Spanned<DeString<'t>>, &'s Spanned<DeValue<'t>>)| {
            let text: &'s str = name.get_ref();
            let key = join(&self.key, text);
            let offset = name.span().start;
            (Name { sheet: self.sheet, text, offset, key: key.clone() }, Value::new(self.sheet, value, key))
        };
        entries.into_iter().map(entry).collect()
    }

    /// Refuses every key that was not read.
    pub fn close(self) {
        let alike = |key: &&str| self.asked.iter().any(|other| other != key && nearest(key, [*other]).is_some());
        debug_assert!(!self.asked.iter().any(alike), "two keys of {} are spelt nearly alike", self.key);
        for (name, _) in self.entries() {
            if !self.asked.contains(&name.text) && !self.misspelt.contains(&name.text) {
                // A misspelt key next to the right one.
                let hint = match nearest(name.text, self.asked.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known here: {}", self.asked.join(", ")),
                };
                name.complain("is not a known key", Some(hint));
            }
        }
    }
}

/// A key chosen by the admin, such as the name of a tree.
pub struct Name<'s, 't> {
    sheet: &'s Sheet<'t>,
    /// The key as written, without quotes.
    pub text: &'s str,
    offset: usize,
    key: String,
}

impl Name<'_, '_> {
    /// Complains about the key itself.
    pub fn complain(&self, what: impl Into<String>, hint: Option<String>) {
        let spot = self.sheet.spot(self.offset, &self.key);
        self.sheet.push(spot, what.into(), hint);
    }
}

/// One value of the document.
#[derive(Clone)]
pub struct Value<'s, 't> {
    sheet: &'s Sheet<'t>,
    tree: &'s DeValue<'t>,
    span: Range<usize>,
    key: String,
}

impl<'s, 't> Value<'s, 't> {
    fn new(sheet: &'s Sheet<'t>, value: &'s Spanned<DeValue<'t>>, key: String) -> Self {
        Self { sheet, tree: value.get_ref(), span: value.span(), key }
    }

    /// Where the value is.
    pub fn spot(&self) -> Spot {
        self.sheet.spot(self.span.start, &self.key)
    }

    /// Complains about the value.
    pub fn complain(&self, what: impl Into<String>, hint: Option<String>) {
        self.sheet.push(self.spot(), what.into(), hint);
    }

    fn expected<T>(&self, what: &str, hint: Option<String>) -> Option<T> {
        self.complain(format!("is {}, but should be {what}", self.kind()), hint);
        None
    }

    /// What kind of value it is, in an admin's words.
    pub fn kind(&self) -> &'static str {
        match self.tree {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a number",
            DeValue::Float(_) => "a decimal number",
            DeValue::Boolean(_) => "a bare true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        }
    }

    /// Whether the value is a list.
    pub fn is_list(&self) -> bool {
        matches!(self.tree, DeValue::Array(_))
    }

    /// The path of its key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether the value is text.
    pub fn is_text(&self) -> bool {
        matches!(self.tree, DeValue::String(_))
    }

    /// The value as a string.
    pub fn text(&self) -> Option<&'s str> {
        match self.tree {
            DeValue::String(text) => Some(text),
            _ => self.expected("text in quotes", None),
        }
    }

    /// The value as a string, parsed by `read`.
    pub fn read<T, E: fmt::Display>(&self, read: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        match read(self.text()?) {
            Ok(value) => Some(value),
            Err(error) => {
                self.complain(error.to_string(), None);
                None
            }
        }
    }

    /// The value as a quantity within `range`, parsed by `read` and shown by `show`.
    pub fn quantity<T: PartialOrd, E: fmt::Display>(
        &self,
        read: impl FnOnce(&str) -> Result<T, E>,
        show: impl Fn(&T) -> String,
        range: &RangeInclusive<T>,
        example: &str,
    ) -> Option<T> {
        if let DeValue::Integer(_) | DeValue::Float(_) = self.tree {
            return self.expected("text with a number and a unit", Some(format!("for example: \"{example}\"")));
        }
        let value = self.read(read)?;
        if range.contains(&value) {
            return Some(value);
        }
        let (least, most) = (show(range.start()), show(range.end()));
        self.complain(format!("{} is not between {least} and {most}", show(&value)), None);
        None
    }

    /// The value as a string, parsed into one of our types.
    pub fn parse<T: FromStr<Err: fmt::Display>>(&self) -> Option<T> {
        self.read(str::parse)
    }

    /// One of a few words.
    pub fn one_of<T: Copy>(&self, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text()?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let known = words.iter().map(|(word, _)| *word);
        let hint = did_you_mean(text, known.clone());
        self.complain(format!("`{}` is not one of {}", text.escape_default(), list_of(known)), hint);
        None
    }

    /// The value as a boolean.
    pub fn switch(&self) -> Option<bool> {
        match self.tree {
            DeValue::Boolean(value) => Some(*value),
            _ => self.expected("true or false, without quotes", None),
        }
    }

    /// The value as a whole number within `range`.
    pub fn number(&self, range: RangeInclusive<u32>) -> Option<u32> {
        let DeValue::Integer(number) = self.tree else {
            return self.expected("a whole number, without quotes", None);
        };
        match u32::from_str_radix(number.as_str(), number.radix()) {
            Ok(value) if range.contains(&value) => Some(value),
            _ => {
                self.complain(format!("{number} is not between {} and {}", range.start(), range.end()), None);
                None
            }
        }
    }

    /// The value as a date, written as a TOML date or as text.
    pub fn date_text(&self) -> Option<String> {
        match self.tree {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Datetime(date) => Some(date.to_string()),
            _ => self.expected("a date such as \"2027-06-30\"", None),
        }
    }

    /// The elements of a list.
    pub fn list(&self) -> Option<Vec<Value<'s, 't>>> {
        match self.tree {
            DeValue::Array(values) => {
                let element = |(at, value)| Value::new(self.sheet, value, format!("{}[{at}]", self.key));
                Some(values.iter().enumerate().map(element).collect())
            }
            DeValue::String(text) => {
                let parts: Vec<String> = text.split(',').map(|part| format!("{:?}", part.trim())).collect();
                self.expected("a list", Some(format!("write it in brackets: [{}]", parts.join(", "))))
            }
            _ => self.expected("a list", None),
        }
    }

    /// The value as a table.
    pub fn section(&self) -> Option<Section<'s, 't>> {
        match self.tree {
            DeValue::Table(table) => Some(Section {
                sheet: self.sheet,
                table,
                start: self.span.start,
                key: self.key.clone(),
                asked: Vec::new(),
                misspelt: Vec::new(),
            }),
            _ => self.expected("a table", None),
        }
    }

    /// The value as a list of tables, `[[name]]` in the file.
    pub fn sections(&self) -> Vec<Section<'s, 't>> {
        match self.tree {
            DeValue::Table(_) => {
                let name = without_positions(&self.key);
                self.complain("is one table, but should be a list of them", Some(format!("write [[{name}]]")));
                Vec::new()
            }
            _ => self.list().unwrap_or_default().iter().filter_map(Value::section).collect(),
        }
    }
}

fn join(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    let key = if plain { key.to_owned() } else { format!("{key:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_begin_with_one() {
        let text = "\u{feff}# é\nname = \"é\"\n[a]\n";
        let mended = Mended::new(text);
        let (sheet, _) = Sheet::new(text, &mended, Path::new("x.toml"));
        let at = |offset| (sheet.spot(offset, "").line, sheet.spot(offset, "").column);
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(text.find('#').expect("#")), (1, 1));
        assert_eq!(at(text.find("name").expect("name")), (2, 1));
        assert_eq!(at(text.find("[a]").expect("[a]")), (3, 1));
        assert_eq!(at(text.rfind('"').expect("quote")), (2, 10));
        assert_eq!(at(usize::MAX), (4, 1));
    }

    #[test]
    fn a_key_that_was_not_written_has_the_place_of_its_table() {
        let text = "[a]\nb = [1, 2]\n[[c]]\nd = 1\n";
        let mended = Mended::new(text);
        let (sheet, root) = Sheet::new(text, &mended, Path::new("x.toml"));
        let places = sheet.places(&root);
        let at = |key: &str| (places.of(key).line, places.of(key).column);
        assert_eq!(at("a.b"), (2, 5));
        assert_eq!(at("a.b[1]"), (2, 9));
        assert_eq!(at("a.b[7]"), (2, 5));
        assert_eq!(at("c[0].e.f"), (3, 1));
        assert_eq!(at("nowhere.at.all"), (1, 1));
    }

    #[test]
    fn strange_keys_are_quoted_in_a_path() {
        assert_eq!(join("a", "b c"), "a.\"b c\"");
        assert_eq!(join("", "serve_trees"), "serve_trees");
    }
}
