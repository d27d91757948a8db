//! File names of reports (S0-47) and of the manager's summary (S0-55).
//!
//! ```text
//! ea-<NGI>-<Site-name>-<MW stack>-<component>-<version>.EXT
//! summary-<MW stack>-<component>-<version>.EXT
//! ```
//!
//! All parts can have hyphens, so a name is only read for a known team and rollout: it is checked whether it is the
//! right one. The procedure's "MW stack" has no major version; names with one are accepted, too, because titles have it.
//! A rollout without a stack has none in its file names. We write `.odt` and read doc, docx and odt.

use std::fmt;

use super::convention::shown;
use super::subject::Subject;
use super::team::TeamName;

/// The longest name that file systems allow.
const FILE_NAME_MAX: usize = 255;

/// Formats of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Word up to 2003.
    Doc,
    /// Word.
    Docx,
    /// OpenDocument.
    Odt,
}

impl Format {
    const ALL: [Self; 3] = [Self::Doc, Self::Docx, Self::Odt];

    /// The format of a file with this name, which is no path and fits into a header.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn of(name: &str) -> Result<Self, &'static str> {
        if name.len() > FILE_NAME_MAX {
            return Err("it is longer than 255 bytes");
        }
        if name.contains(['/', '\\']) {
            return Err("it has a slash");
        }
        if name.contains(char::is_control) {
            return Err("it has a control character");
        }
        let formats = "it must end with .doc, .docx or .odt";
        let (stem, ending) = name.rsplit_once('.').ok_or(formats)?;
        let format = Self::ALL.into_iter().find(|format| ending.eq_ignore_ascii_case(format.extension()));
        let format = format.ok_or(formats)?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-+~^".contains(c);
        if !stem.starts_with(|c: char| c.is_ascii_alphanumeric()) || !stem.chars().all(is_plain) {
            return Err("it must have letters, digits and . _ - + ~ ^ only, and begin with a letter or a digit");
        }
        Ok(format)
    }

    /// What file names end with, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Doc => "doc",
            Self::Docx => "docx",
            Self::Odt => "odt",
        }
    }
}

/// Who wrote the file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Author {
    /// A team: it is its report.
    Team(TeamName),
    /// The staged rollout manager: it is the summary.
    Manager,
}

/// The file name of a report or a summary. It is never a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReportFile {
    author: Author,
    /// Without the stack's major version.
    subject: Subject,
    format: Format,
}

/// A file that does not have the name that it should have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not the right file name: {why}; it should be `{right}` (or .doc or .docx)")]
pub struct WrongName {
    /// The given name, fit to be shown, or its beginning.
    pub name: String,
    /// What is wrong with it.
    pub why: String,
    /// The right name.
    pub right: String,
}

impl ReportFile {
    /// The name to use.
    pub fn new(author: Author, subject: &Subject) -> Self {
        Self { author, subject: subject.without_major(), format: Format::Odt }
    }

    /// Checks the name of a team's report.
    pub fn check(name: &str, team: &TeamName, subject: &Subject) -> Result<Self, WrongName> {
        Self::check_of(name, Author::Team(team.clone()), subject)
    }

    /// Checks the name of the manager's summary.
    pub fn check_summary(name: &str, subject: &Subject) -> Result<Self, WrongName> {
        Self::check_of(name, Author::Manager, subject)
    }

    fn check_of(name: &str, author: Author, subject: &Subject) -> Result<Self, WrongName> {
        let right = Self::new(author, subject);
        match right.compare(name, subject) {
            Ok(format) => Ok(Self { format, ..right }),
            Err(why) => Err(WrongName { name: shown(name), why, right: right.to_string() }),
        }
    }

    /// Whose report it is, or that it is the summary.
    pub fn author(&self) -> &Author {
        &self.author
    }

    /// What it is about; the stack has no major version.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Its format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The words between hyphens.
    fn parts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let first = match &self.author {
            Author::Team(team) => ("the team", team.as_str()),
            Author::Manager => ("the word", "summary"),
        };
        let Subject { stack, component, version } = &self.subject;
        let stack = stack.as_ref().map(|stack| ("the stack", stack.as_str()));
        let rest = [("the component", component.as_str()), ("the version", version.as_str())];
        std::iter::once(first).chain(stack).chain(rest)
    }

    /// The format of a file with this name, or what is wrong with it.
    fn compare(&self, name: &str, subject: &Subject) -> Result<Format, String> {
        let format = Format::of(name)?;
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let (mut rest, mut hyphen) = (stem, "");
        for (label, part) in self.parts() {
            // The longer one first, because the other is its beginning.
            let full = subject.stack.as_ref().filter(|_| label == "the stack").map_or(part, |stack| stack.as_str());
            let text = rest.strip_prefix(hyphen);
            rest = match text.and_then(|text| after_part(text, full).or_else(|| after_part(text, part))) {
                Some(after) => after,
                None if hyphen.is_empty() => return Err(format!("{label} `{part}` must come first")),
                None if rest.is_empty() => return Err(format!("{label} `{part}` is missing at the end")),
                None => return Err(format!("{label} `{part}` must come where `{}` begins", &rest[hyphen.len()..])),
            };
            hyphen = "-";
        }
        if rest.is_empty() { Ok(format) } else { Err(format!("it continues after the version with `{rest}`")) }
    }
}

/// What follows a part, from the hyphen on. `None` if the text does not begin with that part.
fn after_part<'t>(text: &'t str, part: &str) -> Option<&'t str> {
    let (head, rest) = text.split_at_checked(part.len())?;
    (head.eq_ignore_ascii_case(part) && (rest.is_empty() || rest.starts_with('-'))).then_some(rest)
}

impl fmt::Display for ReportFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (_, part)) in self.parts().enumerate() {
            write!(f, "{}{part}", if n == 0 { "" } else { "-" })?;
        }
        write!(f, ".{}", self.format.extension())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    mod file_names;
}
