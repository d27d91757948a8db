//! Facts about assignments: a team is asked to test a rollout, and answers (S0-33 to S0-40).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Kind, Subject};
use crate::domain::names::RolloutId;
use crate::domain::naming::team::TeamName;

/// A team was asked to test a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assigned {
    /// The rollout.
    pub rollout: RolloutId,
    /// The team.
    pub team: TeamName,
    /// Whether its services carry the tag *beta*, so that they do not count as production (S0-39).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beta: bool,
}

/// A team has answered: it tests the rollout, or does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// The rollout.
    pub rollout: RolloutId,
    /// The team.
    pub team: TeamName,
    /// Whether it accepts.
    pub accepts: bool,
}

/// A team has installed what it tests, and runs it from now on (S0-40).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Installed {
    /// The rollout.
    pub rollout: RolloutId,
    /// The team.
    pub team: TeamName,
}

/// A team is no longer asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unassigned {
    /// The rollout.
    pub rollout: RolloutId,
    /// The team.
    pub team: TeamName,
}

/// No team has accepted a rollout in time: others have to be asked (S0-37).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unanswered {
    /// The rollout.
    pub rollout: RolloutId,
}

/// What those with a team are about.
fn both(rollout: &RolloutId, team: &TeamName) -> Vec<Subject> {
    vec![Subject::Rollout(rollout.clone()), Subject::Team(team.clone())]
}

impl Kind for Assigned {
    const NAME: &'static str = "assignment.made";

    fn about(&self) -> Vec<Subject> {
        both(&self.rollout, &self.team)
    }
}

impl Kind for Answered {
    const NAME: &'static str = "assignment.answered";

    fn about(&self) -> Vec<Subject> {
        both(&self.rollout, &self.team)
    }
}

impl Kind for Installed {
    const NAME: &'static str = "assignment.installed";

    fn about(&self) -> Vec<Subject> {
        both(&self.rollout, &self.team)
    }
}

impl Kind for Unassigned {
    const NAME: &'static str = "assignment.ended";

    fn about(&self) -> Vec<Subject> {
        both(&self.rollout, &self.team)
    }
}

impl Kind for Unanswered {
    const NAME: &'static str = "assignment.unanswered";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Rollout(self.rollout.clone())]
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nobody has accepted {} in time", self.rollout)
    }
}

impl fmt::Display for Assigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let beta = if self.beta { ", on services tagged beta" } else { "" };
        write!(f, "assigned {} to {}{beta}", self.rollout, self.team)
    }
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.team, if self.accepts { "accepts" } else { "does not test" }, self.rollout)
    }
}

impl fmt::Display for Installed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has installed {}", self.team, self.rollout)
    }
}

impl fmt::Display for Unassigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no longer assigned to {}", self.rollout, self.team)
    }
}
