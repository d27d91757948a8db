//! Facts about reviews: what was released is looked at afterwards by those who use it (S3-12, S3-17).

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Kind, Subject};
use crate::domain::names::{ChangeId, RolloutId};
use crate::domain::review::Cause;

/// A review was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewOpened {
    /// Its number; the first is 1.
    pub review: u64,
    /// Why there is one.
    pub cause: Cause,
    /// What it is about.
    pub of: Reviewed,
    /// Until when it has to be answered, on the wall clock.
    pub due: Timestamp,
}

/// Somebody has answered the questions of a review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewAnswered {
    /// The review.
    pub review: u64,
    /// What it is about.
    pub of: Reviewed,
    /// Whether release notes and documentation were sufficient.
    pub documented: bool,
    /// Whether it works as expected.
    pub works: bool,
    /// Anything else, such as what was missing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Nobody has answered a review in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewOverdue {
    /// The review.
    pub review: u64,
    /// What it is about.
    pub of: Reviewed,
}

/// What a review is about: a rollout, a change, or a rollout that carries a change out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reviewed {
    /// The rollout.
    pub rollout: Option<RolloutId>,
    /// The change.
    pub change: Option<ChangeId>,
}

impl Reviewed {
    fn about(&self) -> Vec<Subject> {
        let rollout = self.rollout.iter().cloned().map(Subject::Rollout);
        rollout.chain(self.change.iter().cloned().map(Subject::Change)).collect()
    }
}

impl fmt::Display for Reviewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.rollout, &self.change) {
            (Some(rollout), Some(change)) => write!(f, "{rollout} and the change {change}"),
            (Some(rollout), None) => write!(f, "{rollout}"),
            (None, Some(change)) => write!(f, "the change {change}"),
            (None, None) => f.write_str("nothing"),
        }
    }
}

impl Kind for ReviewOpened {
    const NAME: &'static str = "review.opened";

    fn about(&self) -> Vec<Subject> {
        self.of.about()
    }
}

impl Kind for ReviewAnswered {
    const NAME: &'static str = "review.answered";

    fn about(&self) -> Vec<Subject> {
        self.of.about()
    }
}

impl Kind for ReviewOverdue {
    const NAME: &'static str = "review.overdue";

    fn about(&self) -> Vec<Subject> {
        self.of.about()
    }
}

impl fmt::Display for ReviewOpened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { review, cause, of, due } = self;
        write!(f, "opened the review {review} of {of} ({cause}), due {due:.0}")
    }
}

impl fmt::Display for ReviewAnswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { review, of, documented, works, note } = self;
        let yes = |yes: &bool| if *yes { "yes" } else { "no" };
        write!(f, "answered the review {review} of {of}: documented {}, works {}", yes(documented), yes(works))?;
        if note.is_empty() { Ok(()) } else { write!(f, ": {note}") }
    }
}

impl fmt::Display for ReviewOverdue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the review {} of {} is overdue: nobody has answered it", self.review, self.of)
    }
}
