//! What is said of a rollout beside its title: what it is, how urgent it is, and how risky (S1-04, S3-16, S3-30).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::names::Label;
use super::request::Priority;

/// Most node types of one rollout.
pub const NODE_TYPES_MAX: usize = 50;

/// The longest steps to reverse a change, in bytes. What is longer is a document, and is linked.
pub const REVERSAL_MAX: usize = 500;

/// How much may go wrong, or how likely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Little.
    Low,
    /// Much.
    High,
}

impl Level {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Low, Self::High];

    /// The word in output and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::High => "high",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much a release matters, by which a procedure chooses how it is tested (S3-44).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Importance {
    /// A few sites notice it.
    Minor,
    /// What nothing else is said of.
    #[default]
    Normal,
    /// Everybody notices it.
    Major,
}

impl Importance {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Minor, Self::Normal, Self::Major];

    /// The word in output, in the API and in procedures.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minor => "minor",
            Self::Normal => "normal",
            Self::Major => "major",
        }
    }
}

impl fmt::Display for Importance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is none of those that there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid {what}; choose from {known}", text.escape_debug())]
pub struct NoSuchWord {
    /// The word.
    pub text: String,
    /// What it should have been.
    pub what: &'static str,
    /// Those that there are.
    pub known: &'static str,
}

impl FromStr for Level {
    type Err = NoSuchWord;

    fn from_str(text: &str) -> Result<Self, NoSuchWord> {
        let found = Self::ALL.into_iter().find(|known| text.eq_ignore_ascii_case(known.as_str()));
        found.ok_or_else(|| NoSuchWord { text: text.to_owned(), what: "level", known: "low and high" })
    }
}

impl FromStr for Importance {
    type Err = NoSuchWord;

    fn from_str(text: &str) -> Result<Self, NoSuchWord> {
        let found = Self::ALL.into_iter().find(|known| text.eq_ignore_ascii_case(known.as_str()));
        found.ok_or_else(|| NoSuchWord { text: text.to_owned(), what: "importance", known: "minor, normal and major" })
    }
}

/// What people say of a rollout. What they leave out nobody has said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// The product.
    pub product: Option<Label>,
    /// The component.
    pub component: Option<Label>,
    /// The node types that it concerns.
    pub node_types: BTreeSet<Label>,
    /// How bad is what it mends.
    pub severity: Option<Priority>,
    /// How urgent it is.
    pub priority: Option<Priority>,
    /// How much the sites notice if it goes wrong.
    pub impact: Option<Level>,
    /// How likely it is to go wrong.
    pub risk: Option<Level>,
    /// How much it matters.
    pub importance: Option<Importance>,
    /// The steps that reverse it.
    pub reversal: Option<String>,
}

impl Attributes {
    /// How urgent it is: as was said, or as bad as what it mends (S1-61).
    pub fn urgency(&self) -> Option<Priority> {
        self.priority.or(self.severity)
    }

    /// All that is said, as words.
    pub fn said(&self) -> Vec<(&'static str, String)> {
        let node_types: Vec<&str> = self.node_types.iter().map(Label::as_str).collect();
        let node_types = (!node_types.is_empty()).then(|| node_types.join(", "));
        let all = [
            ("product", self.product.as_ref().map(ToString::to_string)),
            ("component", self.component.as_ref().map(ToString::to_string)),
            ("node types", node_types),
            ("severity", self.severity.map(|it| it.to_string())),
            ("priority", self.priority.map(|it| it.to_string())),
            ("impact", self.impact.map(|it| it.to_string())),
            ("risk", self.risk.map(|it| it.to_string())),
            ("importance", self.importance.map(|it| it.to_string())),
            ("reversal", self.reversal.clone()),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// What becomes of something that was said, or was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// Nothing.
    #[default]
    Stays,
    /// It is said from now on, or taken back.
    To(Option<T>),
}

impl<T: Clone> Change<T> {
    fn of(&self, before: Option<&T>) -> Option<T> {
        match self {
            Self::Stays => before.cloned(),
            Self::To(now) => now.clone(),
        }
    }
}

/// What is to be said of a rollout from now on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributeChanges {
    /// The product.
    pub product: Change<Label>,
    /// The component.
    pub component: Change<Label>,
    /// All node types.
    pub node_types: Option<BTreeSet<Label>>,
    /// The severity.
    pub severity: Change<Priority>,
    /// The priority.
    pub priority: Change<Priority>,
    /// The impact.
    pub impact: Change<Level>,
    /// The risk.
    pub risk: Change<Level>,
    /// The importance.
    pub importance: Change<Importance>,
    /// The steps that reverse it.
    pub reversal: Change<String>,
}

impl AttributeChanges {
    /// What is said with these changes of what was said before.
    #[must_use]
    pub fn of(&self, before: &Attributes) -> Attributes {
        Attributes {
            product: self.product.of(before.product.as_ref()),
            component: self.component.of(before.component.as_ref()),
            node_types: self.node_types.as_ref().unwrap_or(&before.node_types).clone(),
            severity: self.severity.of(before.severity.as_ref()),
            priority: self.priority.of(before.priority.as_ref()),
            impact: self.impact.of(before.impact.as_ref()),
            risk: self.risk.of(before.risk.as_ref()),
            importance: self.importance.of(before.importance.as_ref()),
            reversal: self.reversal.of(before.reversal.as_ref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S1-61.
    #[test]
    fn sites_are_told_of_three_priorities() {
        let words = Priority::ALL.map(Priority::for_sites);
        assert_eq!(words, ["Normal", "Normal", "Normal", "HIGH", "URGENT"]);
        assert!(Priority::ALL.is_sorted());
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        assert!(Level::ALL.into_iter().all(|it| it.to_string().parse() == Ok(it)));
        assert!(Importance::ALL.into_iter().all(|it| it.to_string().parse() == Ok(it)));
        let error = "medium".parse::<Level>().expect_err("no level");
        assert_eq!(error.to_string(), "`medium` is not a valid level; choose from low and high");
    }

    #[test]
    fn what_is_not_changed_stays_and_what_is_taken_back_is_gone() {
        let before = Attributes {
            severity: Some(Priority::High),
            risk: Some(Level::High),
            product: "bdii".parse().ok(),
            ..Attributes::default()
        };
        let changes = AttributeChanges {
            risk: Change::To(None),
            priority: Change::To(Some(Priority::Low)),
            ..AttributeChanges::default()
        };
        let after = changes.of(&before);
        let said: Vec<String> = after.said().into_iter().map(|(name, value)| format!("{name} {value}")).collect();
        assert_eq!(said, ["product bdii", "severity high", "priority low"]);
        assert_eq!([before.urgency(), after.urgency()], [Some(Priority::High), Some(Priority::Low)]);
        assert_eq!(AttributeChanges::default().of(&after), after);
    }
}
