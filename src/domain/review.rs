//! Reviews afterwards: what was released is looked at by those who use it (S3-12, S3-17).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long people have for a review, unless the procedure says otherwise (S3-17).
pub const WEEK: Duration = Duration::from_hours(7 * 24);

/// Why there is a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// A rollout has come where everybody gets it.
    Release,
    /// An emergency, which nobody approved beforehand.
    Emergency,
}

impl Cause {
    /// The word in output and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Emergency => "emergency",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is asked (S3-17).
pub const QUESTIONS: [&str; 2] =
    ["Were release notes and documentation sufficient?", "Is the service working as expected?"];
