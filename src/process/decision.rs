//! What an input calls for: entries for the logbook, and an answer for whoever asked.

use super::fact::Fact;
use super::fact::rollout::Declined;
use crate::domain::gate::{Finding, Judgement, judge};
use crate::domain::names::{Actor, DistPath, RolloutId, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::people::{self, PersonId};
use crate::domain::workflow::State;

/// An entry before it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Who caused it: an identity, for which an id is written down, or an id.
    pub who: Actor,
    /// Why, one sentence; may be empty.
    pub why: String,
    /// What.
    pub fact: Fact,
}

/// What an input calls for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// To be written and folded in, in this order, all or none.
    pub entries: Vec<Entry>,
    /// The answer, given once they are written.
    pub answer: Option<Answer>,
}

/// The answer to whoever asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A rollout was made.
    Submitted(RolloutId),
    /// A rollout has its new state; packages move now, if any.
    Moved {
        /// The rollout.
        rollout: RolloutId,
        /// Its state now.
        state: State,
        /// How many packages move.
        packages: usize,
        /// What whoever asked should know.
        warnings: Vec<String>,
    },
    /// The hint has been logged; its outcome.
    Remembered(Outcome),
    /// The hint was heard before.
    Repeated,
    /// Something else was heard before under the same delivery id; nothing was changed.
    Reused(String),
    /// Its time lies in the future; nothing was changed.
    Ahead(String),
    /// No, for these reasons.
    Refused(Judgement),
    /// A package was given up, and these trees no longer list it.
    Lost {
        /// The package.
        nevra: Nevra,
        /// Its distribution.
        dist: DistPath,
        /// Where it was listed.
        trees: Vec<TreeName>,
    },
    /// A tree is to list again what it listed before.
    Restores {
        /// The number of the entry.
        entry: u64,
        /// What it says.
        says: String,
        /// How many packages come back.
        comes: usize,
        /// How many go.
        goes: usize,
        /// The revision to which a restore is the way back.
        back: u64,
    },
    /// It is so already; nothing was written down.
    Nothing(String),
    /// Somebody was erased.
    Erased(PersonId),
    /// Something was written down; the sentence is the logbook's.
    Recorded {
        /// The number of the entry.
        entry: u64,
        /// What it says.
        says: String,
        /// What whoever asked should know beside it; written down nowhere.
        warnings: Vec<String>,
    },
    /// There is no such thing.
    NotFound(String),
    /// It is so already, or it is too late for it.
    Conflict(String),
}

/// The outcome of a hint that has been logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// One stable word: `moved`, `waits`, `refused`, `overtaken` or `nothing`.
    pub word: &'static str,
    /// The same in a sentence.
    pub says: String,
}

impl Outcome {
    pub(super) fn of(fact: Option<&Fact>) -> Self {
        let Some(fact) = fact else {
            return Self { word: "nothing", says: "the rollout is already in this state".to_owned() };
        };
        let word = match fact {
            Fact::Moved(_) => "moved",
            Fact::Awaits(_) => "waits",
            Fact::Declined(Declined { findings, .. }) if findings.iter().any(|(code, _)| code == STALE) => "overtaken",
            _ => "refused",
        };
        Self { word, says: fact.to_string() }
    }
}

/// The code of what was overtaken.
pub(super) const STALE: &str = "stale";

impl Entry {
    /// What the daemon does of itself.
    pub(super) fn of_daemon(fact: impl Into<Fact>) -> Self {
        Self { who: Actor::recorded(people::DAEMON), why: String::new(), fact: fact.into() }
    }
}

impl Decision {
    /// No, for these reasons.
    pub(super) fn refused(findings: Vec<Finding>) -> Self {
        Self::answered(Answer::Refused(judge(findings)))
    }

    /// Nothing is written down.
    pub(super) fn answered(answer: Answer) -> Self {
        Self { entries: vec![], answer: Some(answer) }
    }
}
