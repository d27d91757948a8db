//! What comes of a test: success, warning or failure (S1-26).

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
#[error("`{}` is no outcome; there are success, warning and fail", .0.escape_debug())]
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
}
