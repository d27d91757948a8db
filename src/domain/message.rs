//! What people are told: templates with places for values, and the groups of people whom they are for.
//!
//! A template is text with the names of values in braces: `{rollout}`. A brace itself is written twice. A value of several
//! lines repeats the blanks that its line begins with, so that a list stays a list.
//!
//! Source: seeds S0 and S1, wherever a step says who is notified, by mail or by a broadcast; the template of the broadcast
//! is S1-58 to S1-60.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use smol_str::SmolStr;

use super::names::{BadName, name_type, word};

name_type! {
    /// People who are told something together: a mailing list, the holders of a role, all sites.
    Group, "group of recipients", word
}

name_type! {
    /// The name of a template.
    TemplateName, "name of a template", word
}

impl Group {
    /// The team that the event is about.
    pub const TEAM: &'static str = "team";
    /// All teams that test the rollout.
    pub const EARLY_ADOPTERS: &'static str = "early-adopters";
}

macro_rules! fields {
    ($($(#[doc = $doc:literal])* $name:ident = $word:literal;)*) => {
        /// A value that a template can show.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Field {
            $($(#[doc = $doc])* $name,)*
        }

        impl Field {
            /// All of them, with the words by which templates name them.
            pub const ALL: &'static [(&'static str, Self)] = &[$(($word, Self::$name)),*];

            /// The word by which templates name it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// What it is, for people who write templates.
            pub fn doc(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),*).trim_ascii(),)*
                }
            }
        }
    };
}

fields! {
    /// The rollout
    Rollout = "rollout";
    /// Its title
    Title = "title";
    /// Its state
    State = "state";
    /// Its distributions, or the one where something has happened, with commas
    Distributions = "distributions";
    /// Its packages, one on a line
    Packages = "packages";
    /// Its links, one on a line
    Links = "links";
    /// Its open issues with their workarounds, one on a line
    Issues = "issues";
    /// The teams that test it, one on a line
    Teams = "teams";
    /// The team that the event is about
    Team = "team";
    /// Until when that team should answer
    AnswerBy = "answer-by";
    /// What that team has reported
    Outcome = "outcome";
    /// When the packages have been in their tree for long enough
    ExposureEnds = "exposure-ends";
    /// The bundle
    Bundle = "bundle";
    /// Its rollouts with their titles, one on a line
    Members = "members";
    /// The number of the task
    Task = "task";
    /// Whether the task is a roll-out or a roll-back
    TaskKind = "task-kind";
    /// The quarantine of the task
    Quarantine = "quarantine";
    /// How to go back from the rollouts of the bundle, as far as they say it
    Reversal = "reversal";
    /// The series of the update
    Series = "series";
    /// The number of the update
    Update = "update";
    /// The priority of the update: Normal, HIGH or **URGENT**
    Priority = "priority";
    /// The number of the review
    Review = "review";
    /// Until when the review should be answered
    ReviewBy = "review-by";
    /// The number of the problem
    Problem = "problem";
    /// What has happened, as the logbook says it
    Event = "event";
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The values that a message needs.
pub type Values = BTreeMap<Field, String>;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Plain(String),
    Value(Field),
}

/// Text with places for values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(Vec<Piece>);

/// Text that is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    /// A value that nobody knows.
    #[error("there is no value `{}`", .0.escape_default())]
    Unknown(String),
    /// A brace without its other half.
    #[error("the brace in `{}` has no counterpart; write a literal brace twice", .0.escape_default())]
    Brace(String),
}

impl Text {
    /// Reads it.
    ///
    /// # Errors
    /// Says what is wrong with the first piece that is no template.
    pub fn read(text: &str) -> Result<Self, BadText> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            plain.push_str(before);
            let line = || BadText::Brace(from.lines().next().unwrap_or_default().to_owned());
            if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
                plain.push_str(&from[..1]);
                rest = after;
                continue;
            }
            let (word, after) = from.strip_prefix('{').and_then(|from| from.split_once('}')).ok_or_else(line)?;
            if word.contains(['{', '\n']) {
                return Err(line());
            }
            let field = Field::ALL.iter().find(|(known, _)| *known == word);
            let (_, field) = field.ok_or_else(|| BadText::Unknown(word.to_owned()))?;
            if !plain.is_empty() {
                pieces.push(Piece::Plain(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Value(*field));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Plain(plain));
        }
        Ok(Self(pieces))
    }

    fn fields(&self) -> impl Iterator<Item = Field> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Value(field) => Some(*field),
            Piece::Plain(_) => None,
        })
    }

    /// The text with these values; one that is missing is `none`.
    pub fn fill(&self, values: &Values) -> String {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Plain(text) => filled.push_str(text),
                Piece::Value(field) => {
                    let value = values.get(field).map_or("none", String::as_str);
                    let line = filled.rsplit('\n').next().unwrap_or_default();
                    let indent = if line.trim().is_empty() { line.to_owned() } else { String::new() };
                    filled.push_str(&value.replace('\n', &format!("\n{indent}")));
                }
            }
        }
        filled
    }
}

/// What a message says, before the values are put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// One line.
    pub subject: Text,
    /// The rest.
    pub body: Text,
}

impl Template {
    /// The values that it needs.
    pub fn fields(&self) -> BTreeSet<Field> {
        self.subject.fields().chain(self.body.fields()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(all: &[(Field, &str)]) -> Values {
        all.iter().map(|(field, value)| (*field, (*value).to_owned())).collect()
    }

    #[test]
    fn values_are_put_where_their_names_stand() {
        let text = Text::read("{rollout} is in {{{state}}}:\n  {packages}\n- {title}: {packages}").expect("a template");
        let values = values(&[(Field::Rollout, "rt-1"), (Field::State, "Accepted"), (Field::Packages, "a\nb")]);
        assert_eq!(text.fill(&values), "rt-1 is in {Accepted}:\n  a\n  b\n- none: a\nb");
    }

    #[test]
    fn what_is_no_template_is_named() {
        let said = |text: &str| Text::read(text).expect_err("no template").to_string();
        assert_eq!(said("Dear {everybody}"), "there is no value `everybody`");
        assert_eq!(said("a\nb } c\nd"), "the brace in `} c` has no counterpart; write a literal brace twice");
        assert_eq!(said("{rollout"), "the brace in `{rollout` has no counterpart; write a literal brace twice");
        assert_eq!(said("{a {rollout}"), "the brace in `{a {rollout}` has no counterpart; write a literal brace twice");
    }

    #[test]
    fn each_value_has_a_word_of_its_own_that_says_what_it_is() {
        let words: BTreeSet<&str> = Field::ALL.iter().map(|(word, _)| *word).collect();
        assert_eq!(words.len(), Field::ALL.len());
        for (word, field) in Field::ALL {
            assert_eq!(*word, field.as_str());
            assert!(!field.doc().is_empty());
            let written = serde_json::to_string(field).expect("text");
            assert_eq!(written, format!("{word:?}"), "the logbook and templates have one word for it");
        }
    }

    proptest! {
        /// Whatever is written is read or refused, and text without values comes out as it went in.
        #[test]
        fn text_is_itself(text in "[a-z {}\n]{0,40}") {
            let _ = Text::read(&text);
            let escaped = text.replace('{', "{{").replace('}', "}}");
            prop_assert_eq!(Text::read(&escaped).expect("no value").fill(&Values::new()), text);
        }
    }
}
