//! What a task asks of a site.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a task asks of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// To install something new.
    RollOut,
    /// To go back to what it had before.
    RollBack,
}

impl TaskKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::RollOut, Self::RollBack];

    /// The word in commands and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RollOut => "roll-out",
            Self::RollBack => "roll-back",
        }
    }

    /// How long it usually runs before it is done: a week (S1-27), or three days (S1-49).
    pub fn quarantine(self) -> Duration {
        let days = match self {
            Self::RollOut => 7,
            Self::RollBack => 3,
        };
        Duration::from_hours(days * 24)
    }
}

/// As in "is to roll out the bundle".
impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RollOut => "roll out",
            Self::RollBack => "roll back",
        })
    }
}

/// Text that is no kind of task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid kind of task; choose from roll-out and roll-back", .0.escape_debug())]
pub struct NoTaskKind(pub String);

impl FromStr for TaskKind {
    type Err = NoTaskKind;

    fn from_str(text: &str) -> Result<Self, NoTaskKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| NoTaskKind(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_read_as_it_is_written() {
        for kind in TaskKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_string(&kind).expect("text"), format!("\"{}\"", kind.as_str()));
            assert_eq!(kind.to_string(), kind.as_str().replace('-', " "));
        }
        assert_eq!("Rollout".parse::<TaskKind>(), Err(NoTaskKind("Rollout".to_owned())));
        assert!(TaskKind::RollBack.quarantine() < TaskKind::RollOut.quarantine());
    }
}
