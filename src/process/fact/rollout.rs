//! Facts about rollouts: made, moved, and what they wait for.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Kind, Subject, TOLD_MOST, count, more};
use crate::domain::checksum::Sha256;
use crate::domain::names::{DistPath, HookName, RolloutId, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::plan::{Item, Plan};

/// A rollout was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submitted {
    /// Its id.
    pub rollout: RolloutId,
    /// Its distribution.
    pub dist: DistPath,
    /// Its title.
    pub title: String,
    /// Its packages, sorted.
    pub packages: Vec<Nevra>,
    /// Its first state.
    pub state: String,
}

/// A step was asked for and not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declined {
    /// The rollout, as it was named.
    pub rollout: String,
    /// The state, as it was named.
    pub state: String,
    /// Codes and sentences.
    pub findings: Vec<(String, String)>,
}

/// A tracker wants a state that cannot be reached yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Awaits {
    /// The rollout.
    pub rollout: RolloutId,
    /// The state.
    pub state: String,
    /// The webhook by which it was asked for; version 1 does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<HookName>,
    /// The elapsed time at which it may become possible by itself; version 2 does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Codes and sentences of what it waits for.
    pub findings: Vec<(String, String)>,
}

/// A rollout changed its state; with a plan when packages move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "MovedOnDisk", into = "MovedOnDisk")]
pub struct Moved {
    /// The rollout.
    pub rollout: RolloutId,
    /// From this state.
    pub from: String,
    /// To this state.
    pub to: String,
    /// What is done to the trees.
    pub plan: Option<Plan>,
}

/// A plan was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// The number of the entry that holds the plan.
    pub plan: u64,
    /// The rollout whose plan it was; entries up to format 5 do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutId>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MovedOnDisk {
    rollout: RolloutId,
    from: String,
    to: String,
    plan: Option<PlanOnDisk>,
}

/// The rollout of a plan is that of its entry.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanOnDisk {
    dist: DistPath,
    target: Option<TreeName>,
    items: Vec<ItemOnDisk>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemOnDisk {
    nevra: Nevra,
    sha256: Sha256,
    leaves: Vec<TreeName>,
}

impl From<MovedOnDisk> for Moved {
    fn from(MovedOnDisk { rollout, from, to, plan }: MovedOnDisk) -> Self {
        let plan = plan.map(|PlanOnDisk { dist, target, items }| {
            let item = |ItemOnDisk { nevra, sha256, leaves }| Item { nevra, sha256, leaves };
            Plan { rollout: rollout.clone(), dist, target, items: items.into_iter().map(item).collect() }
        });
        Self { rollout, from, to, plan }
    }
}

impl From<Moved> for MovedOnDisk {
    fn from(Moved { rollout, from, to, plan }: Moved) -> Self {
        let plan = plan.map(|Plan { dist, target, items, .. }| {
            let item = |Item { nevra, sha256, leaves }| ItemOnDisk { nevra, sha256, leaves };
            PlanOnDisk { dist, target, items: items.into_iter().map(item).collect() }
        });
        Self { rollout, from, to, plan }
    }
}

impl Kind for Submitted {
    const NAME: &'static str = "rollout.submitted";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Rollout(self.rollout.clone())]
    }
}

impl Kind for Declined {
    const NAME: &'static str = "rollout.declined";

    fn about(&self) -> Vec<Subject> {
        Subject::rollout(&self.rollout).into_iter().collect()
    }
}

impl Kind for Awaits {
    const NAME: &'static str = "rollout.awaits";
    const VERSION: u32 = 3;

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Rollout(self.rollout.clone())]
    }

    fn upcast(_: u32, body: &str) -> Result<Self, String> {
        serde_json::from_str(body).map_err(|e| e.to_string())
    }
}

impl Kind for Moved {
    const NAME: &'static str = "rollout.moved";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Rollout(self.rollout.clone())]
    }
}

impl Kind for Done {
    const NAME: &'static str = "rollout.done";

    fn about(&self) -> Vec<Subject> {
        self.rollout.iter().cloned().map(Subject::Rollout).collect()
    }
}

/// The reasons of a step that is not taken now, as far as they are told.
fn reasons(findings: &[(String, String)]) -> String {
    let one = |(code, sentence): &(String, String)| format!("{sentence} ({code})");
    let mut told: Vec<String> = findings.iter().take(TOLD_MOST).map(one).collect();
    told.extend(more(findings.len()));
    told.join(" ")
}

impl fmt::Display for Submitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told: Vec<String> = self.packages.iter().take(TOLD_MOST).map(ToString::to_string).collect();
        told.extend(more(self.packages.len()));
        write!(f, "made rollout {} of {} in {}: {}", self.rollout, self.dist, self.state, told.join(" "))
    }
}

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "did not move {} to {}: {}", self.rollout, self.state, reasons(&self.findings))
    }
}

impl fmt::Display for Awaits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} waits for {}: {}", self.rollout, self.state, reasons(&self.findings))
    }
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "moved {} from {} to {}", self.rollout, self.from, self.to)?;
        let Some(plan) = &self.plan else { return Ok(()) };
        match &plan.target {
            Some(target) => write!(f, "; to {target}: {}", count(plan.items.len(), "package")),
            None => write!(f, "; withdrawn: {}", count(plan.items.len(), "package")),
        }
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "carried out entry {}", self.plan)
    }
}
