//! What comes of a test: success, warning or failure (S1-26), and what a report says of it (S0-46).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What came of installing and running something at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It works.
    Success,
    /// It works, and there is something to know.
    Warning,
    /// It does not work.
    Fail,
}

/// Text that is no outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid outcome; choose from success, warning and fail", .0.escape_debug())]
pub struct NoOutcome(pub String);

impl Outcome {
    /// All of them, the best first.
    pub const ALL: [Self; 3] = [Self::Success, Self::Warning, Self::Fail];

    /// The word in output and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Outcome {
    type Err = NoOutcome;

    fn from_str(text: &str) -> Result<Self, NoOutcome> {
        let is_named = |outcome: &Self| outcome.as_str().eq_ignore_ascii_case(text);
        Self::ALL.into_iter().find(is_named).ok_or_else(|| NoOutcome(text.to_owned()))
    }
}

/// What a report is to say beside its outcome (S0-46).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sections {
    /// Whether the release notes are right.
    pub release_notes: String,
    /// Which tests were made.
    pub tests: String,
    /// What the load was: jobs a day, transfers.
    pub metrics: String,
    /// Which virtual organisations use the service.
    pub vos: String,
}

impl Sections {
    /// Their headings, each with the question that it answers.
    pub const ASKED: [(&str, &str); 4] = [
        ("Release notes", "Are the release notes correct and complete?"),
        ("Tests", "Which tests were run, and with what result?"),
        ("Metrics", "What was the load, such as jobs or transfers a day?"),
        ("VOs", "Which virtual organisations are configured for the service?"),
    ];

    /// What is said, in the order of the headings.
    pub fn said(&self) -> [&str; 4] {
        [&self.release_notes, &self.tests, &self.metrics, &self.vos]
    }

    /// The headings of which nothing is said.
    pub fn missing(&self) -> impl Iterator<Item = &'static str> {
        let all = Self::ASKED.into_iter().zip(self.said().map(str::is_empty));
        all.filter(|(_, is_empty)| *is_empty).map(|((heading, _), _)| heading)
    }

    /// Whether nothing is said at all.
    pub fn is_empty(&self) -> bool {
        self.said().iter().all(|text| text.is_empty())
    }
}

/// Whether a text mentions an issue: by its address or number as it is followed, or by `#` and its number.
pub fn mentions(text: &str, issue: &str) -> bool {
    let number = issue.rsplit(|c: char| !c.is_ascii_digit()).next().filter(|number| !number.is_empty());
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric());
    let begins = |before: &str, words: &str| {
        !(words.starts_with(|c: char| c.is_ascii_alphanumeric())
            && before.ends_with(|c: char| c.is_ascii_alphanumeric()))
    };
    let has = |words: &str| {
        text.match_indices(words).any(|(at, found)| ends(&text[at + found.len()..]) && begins(&text[..at], words))
    };
    has(issue) || number.is_some_and(|number| has(&format!("#{number}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_read_as_it_is_written_and_as_the_seeds_write_it() {
        for outcome in Outcome::ALL {
            assert_eq!(outcome.to_string().parse(), Ok(outcome));
            assert_eq!(serde_json::to_string(&outcome).expect("text"), format!("\"{outcome}\""));
        }
        assert_eq!(
            ["Success", "Warning", "Fail"].map(|text| text.parse::<Outcome>().expect("an outcome")),
            Outcome::ALL
        );
        assert_eq!("".parse::<Outcome>(), Err(NoOutcome(String::new())));
    }

    #[test]
    fn a_report_says_what_is_asked_or_it_is_named() {
        assert_eq!(Sections::default().missing().collect::<Vec<_>>(), ["Release notes", "Tests", "Metrics", "VOs"]);
        let some = Sections { tests: "three WNs".into(), vos: "atlas".into(), ..Sections::default() };
        assert_eq!(some.missing().collect::<Vec<_>>(), ["Release notes", "Metrics"]);
        assert!(Sections::default().is_empty() && !some.is_empty());
    }

    #[test]
    fn an_issue_is_mentioned_by_its_address_or_its_number() {
        let ggus = "https://ggus.eu/?ticket_id=99";
        for (text, issue, is_so) in [
            ("see https://ggus.eu/?ticket_id=99.", ggus, true),
            ("see #99 and more", ggus, true),
            ("see #991", ggus, false),
            ("99 jobs", ggus, false),
            ("https://ggus.eu/?ticket_id=991", ggus, false),
            ("(#12)", "#12", true),
            ("bug-7 again", "bug-7", true),
            ("bug-77", "bug-7", false),
            ("it took 17 minutes", "7", false),
            ("see bug#12", "#12", true),
            ("debug-7", "bug-7", false),
            ("", "#12", false),
            ("# 12", "#12", false),
            ("anything", "", true),
        ] {
            assert_eq!(mentions(text, issue), is_so, "{text} {issue}");
        }
    }
}
