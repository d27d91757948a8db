//! Facts about rollouts: created, moved, staged, carried out, and what they wait for.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Kind, Subject, TOLD_MOST, count, more};
use crate::domain::checksum::Sha256;
use crate::domain::moment::Elapsed;
use crate::domain::names::{DistPath, HookName, RolloutId, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::plan::{Item, Move, Plan};
use crate::domain::rollout::Part;

/// A rollout was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "SubmittedOnDisk", into = "SubmittedOnDisk")]
pub struct Submitted {
    /// Its id.
    pub rollout: RolloutId,
    /// Its title.
    pub title: String,
    /// Its packages, by distribution.
    pub parts: Vec<Part>,
    /// Its first state.
    pub state: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubmittedOnDisk {
    rollout: RolloutId,
    title: String,
    parts: Vec<PartOnDisk>,
    state: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartOnDisk {
    dist: DistPath,
    packages: Vec<Nevra>,
}

/// Version 1: packages of one distribution.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubmittedInOne {
    rollout: RolloutId,
    dist: DistPath,
    title: String,
    packages: Vec<Nevra>,
    state: String,
}

impl From<SubmittedOnDisk> for Submitted {
    fn from(SubmittedOnDisk { rollout, title, parts, state }: SubmittedOnDisk) -> Self {
        let parts = parts.into_iter().map(|PartOnDisk { dist, packages }| Part { dist, packages }).collect();
        Self { rollout, title, parts, state }
    }
}

impl From<Submitted> for SubmittedOnDisk {
    fn from(Submitted { rollout, title, parts, state }: Submitted) -> Self {
        let parts = parts.into_iter().map(|Part { dist, packages }| PartOnDisk { dist, packages }).collect();
        Self { rollout, title, parts, state }
    }
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
    pub not_before: Option<Elapsed>,
    /// The time on the wall clock at which the calendar opens for it; version 3 does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<Timestamp>,
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

/// All trees of a plan are staged, and from now on they are shown.
///
/// It says that nothing stands in the way of any of them. The staged metadata itself is not kept over a restart: it is made
/// again before the first tree is shown, since settings and keys may be other ones then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Staged {
    /// The number of the entry that holds the plan.
    pub plan: u64,
    /// The rollout.
    pub rollout: RolloutId,
    /// The trees, in the order in which they are shown.
    pub trees: Vec<StagedTree>,
}

/// A tree whose new metadata is ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StagedTree {
    /// Its distribution.
    pub dist: DistPath,
    /// The tree.
    pub tree: TreeName,
    /// The revision.
    pub revision: u64,
    /// SHA-256 of `repomd.xml`.
    pub repomd: Sha256,
}

impl StagedTree {
    /// Which tree.
    pub fn id(&self) -> TreeId {
        TreeId { dist: self.dist.clone(), tree: self.tree.clone() }
    }
}

/// A rollout has been in a state for longer than its procedure wants: somebody should move it, or say why it takes so long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delayed {
    /// The rollout.
    pub rollout: RolloutId,
    /// The state.
    pub state: String,
    /// Since when it has been in it.
    pub since: Timestamp,
}

impl Kind for Delayed {
    const NAME: &'static str = "rollout.delayed";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Rollout(self.rollout.clone())]
    }
}

impl fmt::Display for Delayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rollout, state, since } = self;
        write!(f, "{rollout} is delayed: it has been in {state} since {since:.0}")
    }
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
    moves: Vec<MoveOnDisk>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveOnDisk {
    dist: DistPath,
    target: Option<TreeName>,
    items: Vec<ItemOnDisk>,
}

/// Version 1: a plan is one move.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MovedInOne {
    rollout: RolloutId,
    from: String,
    to: String,
    plan: Option<MoveOnDisk>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemOnDisk {
    nevra: Nevra,
    sha256: Sha256,
    leaves: Vec<TreeName>,
}

impl From<MoveOnDisk> for Move {
    fn from(MoveOnDisk { dist, target, items }: MoveOnDisk) -> Self {
        let item = |ItemOnDisk { nevra, sha256, leaves }| Item { nevra, sha256, leaves, was: None, of: None };
        Self { dist, target, items: items.into_iter().map(item).collect() }
    }
}

impl From<Move> for MoveOnDisk {
    fn from(Move { dist, target, items }: Move) -> Self {
        let item = |Item { nevra, sha256, leaves, .. }| ItemOnDisk { nevra, sha256, leaves };
        Self { dist, target, items: items.into_iter().map(item).collect() }
    }
}

impl From<MovedOnDisk> for Moved {
    fn from(MovedOnDisk { rollout, from, to, plan }: MovedOnDisk) -> Self {
        let plan = plan.map(|PlanOnDisk { moves }| Plan {
            owner: rollout.clone().into(),
            moves: moves.into_iter().map(Move::from).collect(),
        });
        Self { rollout, from, to, plan }
    }
}

impl From<Moved> for MovedOnDisk {
    fn from(Moved { rollout, from, to, plan }: Moved) -> Self {
        let plan =
            plan.map(|Plan { moves, .. }| PlanOnDisk { moves: moves.into_iter().map(MoveOnDisk::from).collect() });
        Self { rollout, from, to, plan }
    }
}

impl Kind for Submitted {
    const NAME: &'static str = "rollout.submitted";
    const VERSION: u32 = 2;

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Rollout(self.rollout.clone())]
    }

    fn upcast(_: u32, body: &str) -> Result<Self, String> {
        let SubmittedInOne { rollout, dist, title, packages, state } =
            serde_json::from_str(body).map_err(|e| e.to_string())?;
        Ok(Self { rollout, title, parts: vec![Part { dist, packages }], state })
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
    const VERSION: u32 = 4;

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Rollout(self.rollout.clone())]
    }

    fn upcast(_: u32, body: &str) -> Result<Self, String> {
        serde_json::from_str(body).map_err(|e| e.to_string())
    }
}

impl Kind for Moved {
    const NAME: &'static str = "rollout.moved";
    const VERSION: u32 = 2;

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Rollout(self.rollout.clone())]
    }

    fn upcast(_: u32, body: &str) -> Result<Self, String> {
        let MovedInOne { rollout, from, to, plan } = serde_json::from_str(body).map_err(|e| e.to_string())?;
        let plan = plan.map(|one| Plan { owner: rollout.clone().into(), moves: vec![one.into()] });
        Ok(Self { rollout, from, to, plan })
    }
}

impl Kind for Staged {
    const NAME: &'static str = "rollout.staged";

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
        write!(f, "created rollout {} in {}", self.rollout, self.state)?;
        let mut room = TOLD_MOST;
        for Part { dist, packages } in &self.parts {
            let mut told: Vec<String> = packages.iter().take(room).map(ToString::to_string).collect();
            room -= told.len();
            told.extend(
                packages.len().checked_sub(told.len()).filter(|more| *more > 0).map(|n| format!("and {n} more")),
            );
            write!(f, "; {dist}: {}", told.join(" "))?;
        }
        Ok(())
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
        let is_alone = plan.moves.len() == 1;
        for Move { dist, target, items } in &plan.moves {
            let packages = count(items.len(), "package");
            let place = if is_alone { String::new() } else { format!(" of {dist}") };
            match target {
                Some(target) => write!(f, "; to {target}{place}: {packages}")?,
                None => write!(f, "; withdrawn{place}: {packages}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Staged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trees: Vec<String> = self.trees.iter().map(|tree| tree.id().to_string()).collect();
        write!(f, "staged entry {} in {}", self.plan, trees.join(", "))
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "completed entry {}", self.plan)
    }
}
