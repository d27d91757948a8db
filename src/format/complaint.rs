//! Findings about a configuration: where, how serious, what is wrong, and how to fix it.
//!
//! All text is built from values here and in the readers; this module prints nothing.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The daemon does not start.
    Complaint,
    /// Worth knowing; the daemon starts anyway.
    Note,
}

/// A position in the file. Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
    /// Path of the key, array elements counted from 0: `distribution[0].grace.metadata`.
    pub key: String,
}

/// One mistake in the configuration, or one thing worth knowing about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// How serious it is.
    pub level: Level,
    /// The configuration file, as the caller named it.
    pub file: PathBuf,
    /// Where it is.
    pub at: Spot,
    /// What is wrong; a lower-case fragment.
    pub what: String,
    /// How to fix it, if that is known.
    pub hint: Option<String>,
}

impl Complaint {
    /// As JSON: every part by name, `hint` only if there is one.
    pub fn to_json(&self) -> Value {
        let mut object = json!({
            "level": match self.level { Level::Complaint => "complaint", Level::Note => "note" },
            "file": self.file.display().to_string(),
            "line": self.at.line,
            "column": self.at.column,
            "key": self.at.key,
            "what": self.what,
        });
        if let (Some(hint), Some(object)) = (&self.hint, object.as_object_mut()) {
            object.insert("hint".to_owned(), json!(hint));
        }
        object
    }
}

impl fmt::Display for Complaint {
    /// `FILE:LINE:COLUMN: key: sentence`, and a second line with the hint. List positions are left out of the key,
    /// since the line number already tells which element is meant.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file.display(), self.at.line, self.at.column)?;
        if self.level == Level::Note {
            f.write_str("note: ")?;
        }
        if !self.at.key.is_empty() {
            write!(f, "{}: ", without_positions(&self.at.key))?;
        }
        f.write_str(&self.what)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// A key path without list positions.
pub fn without_positions(key: &str) -> String {
    let mut plain = String::with_capacity(key.len());
    let mut rest = key;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        match after.split_once(']') {
            Some((position, beyond)) if position.bytes().all(|b| b.is_ascii_digit()) => rest = beyond,
            _ => {
                plain.push('[');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

/// Collects complaints and notes.
#[derive(Debug)]
pub struct Findings {
    file: PathBuf,
    /// In the order they were found.
    pub list: Vec<Complaint>,
}

impl Findings {
    /// Starts empty.
    pub fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), list: Vec::new() }
    }

    /// Adds a complaint: the daemon does not start.
    pub fn complain(&mut self, at: &Spot, what: String, hint: Option<String>) {
        self.list.push(Complaint { level: Level::Complaint, file: self.file.clone(), at: at.clone(), what, hint });
    }

    /// Adds a note.
    pub fn note(&mut self, at: &Spot, what: String, hint: Option<String>) {
        self.list.push(Complaint { level: Level::Note, file: self.file.clone(), at: at.clone(), what, hint });
    }

    /// Adds a complaint about a file.
    pub fn trouble(&mut self, at: &Spot, trouble: Trouble) {
        self.complain(at, trouble.what, trouble.hint);
    }
}

/// What is wrong with a file, and what may help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// A lower-case fragment that names the file.
    pub what: String,
    /// What may help.
    pub hint: Option<String>,
}

impl fmt::Display for Trouble {
    /// One line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

/// Sorts complaints by position, then by level and text, and removes duplicates.
pub fn sort(complaints: &mut Vec<Complaint>) {
    complaints.sort_by(|a, b| {
        let (x, y) = (&a.at, &b.at);
        (x.line, x.column, a.level, &x.key, &a.what).cmp(&(y.line, y.column, b.level, &y.key, &b.what))
    });
    complaints.dedup();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(line: usize, what: &str) -> Complaint {
        let at = Spot { line, column: 3, key: "distribution[1].keys.\"*\"[0]".to_owned() };
        Complaint { level: Level::Note, file: "x.toml".into(), at, what: what.to_owned(), hint: None }
    }

    #[test]
    fn a_complaint_is_one_line_and_its_hint_another() {
        let mut note = complaint(7, "is old");
        assert_eq!(note.to_string(), "x.toml:7:3: note: distribution.keys.\"*\": is old");
        note.level = Level::Complaint;
        note.hint = Some("renew it".to_owned());
        assert_eq!(note.to_string(), "x.toml:7:3: distribution.keys.\"*\": is old\n  hint: renew it");
    }

    #[test]
    fn programs_get_the_whole_key_path() {
        let object = complaint(7, "is old").to_json();
        assert_eq!(object["key"], "distribution[1].keys.\"*\"[0]");
        assert_eq!((&object["line"], &object["level"], object.get("hint")), (&json!(7), &json!("note"), None));
    }

    #[test]
    fn complaints_come_in_the_order_of_the_file_and_each_once() {
        let mut all = vec![complaint(9, "b"), complaint(2, "c"), complaint(9, "a"), complaint(2, "c")];
        sort(&mut all);
        assert_eq!(
            all.iter().map(|c| (c.at.line, c.what.as_str())).collect::<Vec<_>>(),
            [(2, "c"), (9, "a"), (9, "b")]
        );
    }

    #[test]
    fn only_positions_are_left_out_of_a_key() {
        assert_eq!(without_positions("a.\"[x]\".b[12]"), "a.\"[x]\".b");
        assert_eq!(without_positions("a[0"), "a[0");
    }
}
