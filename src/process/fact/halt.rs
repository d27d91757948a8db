//! Facts about halts: nothing is promoted until somebody ends them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Kind, Subject};
use crate::domain::names::DistPath;

/// Promotions were halted. A second halt of the same place gives it another reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Halted {
    /// Only in this distribution; everywhere if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dist: Option<DistPath>,
    /// Why, for everybody who has to wait.
    pub reason: String,
}

/// A halt has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HaltEnded {
    /// As it was halted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dist: Option<DistPath>,
}

impl Kind for Halted {
    const NAME: &'static str = "halt.begun";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Halts]
    }
}

impl Kind for HaltEnded {
    const NAME: &'static str = "halt.ended";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Halts]
    }
}

/// Where promotions are halted, as the end of a sentence.
pub fn place(dist: Option<&DistPath>) -> String {
    dist.map_or_else(|| "everywhere".to_owned(), |dist| format!("in {dist}"))
}

impl fmt::Display for Halted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "halted promotions {}: {}", place(self.dist.as_ref()), self.reason)
    }
}

impl fmt::Display for HaltEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ended the halt of promotions {}", place(self.dist.as_ref()))
    }
}
