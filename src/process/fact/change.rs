//! Facts about what people add to a rollout beside its steps: approvals, extensions, overrides, notes, other packages.
//! What people ask to be changed is in `request`.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Kind, Subject, count};
use crate::domain::names::{ChangeId, CheckName, DistPath, LinkName, Role, RolloutId};
use crate::domain::nevra::Nevra;
use crate::domain::rollout::Part;

/// A rollout has other packages or another title; what was approved before counts no longer if the packages changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edited {
    /// The rollout.
    pub rollout: RolloutId,
    /// Its title from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// All its packages from now on, by distribution.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<EditedPart>,
}

/// The packages of a rollout in one distribution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EditedPart {
    /// The distribution.
    pub dist: DistPath,
    /// Its packages, sorted.
    pub packages: Vec<Nevra>,
}

impl From<Part> for EditedPart {
    fn from(Part { dist, packages }: Part) -> Self {
        Self { dist, packages }
    }
}

impl From<EditedPart> for Part {
    fn from(EditedPart { dist, packages }: EditedPart) -> Self {
        Self { dist, packages }
    }
}

/// A rollout was cancelled before anything had moved for it: its packages stay where they are, and are free for others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancelled {
    /// The rollout.
    pub rollout: RolloutId,
}

/// Another rollout has taken the place of one whose packages have moved: it is withdrawn, or stays where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Superseded {
    /// The rollout.
    pub rollout: RolloutId,
    /// The other one.
    pub by: RolloutId,
}

/// A rollout is on hold: it takes no step but back, and no time passes for it (S3-08).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stalled {
    /// The rollout.
    pub rollout: RolloutId,
}

/// A rollout goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resumed {
    /// The rollout.
    pub rollout: RolloutId,
}

/// A rollout is to take a step at some time, or as soon after it as nothing is in the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheduled {
    /// The rollout.
    pub rollout: RolloutId,
    /// The state.
    pub state: String,
    /// When, by the wall clock.
    pub at: Timestamp,
    /// The roles by which whoever asked for it may do that.
    pub roles: Vec<Role>,
}

/// The step that a rollout was to take at some time is not wanted any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unscheduled {
    /// The rollout.
    pub rollout: RolloutId,
}

/// Somebody approves that a rollout goes to a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approved {
    /// The rollout.
    pub rollout: RolloutId,
    /// The state.
    pub state: String,
    /// The role for which they speak.
    pub role: Role,
}

/// Somebody takes their approval back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disapproved {
    /// The rollout.
    pub rollout: RolloutId,
    /// The state.
    pub state: String,
}

/// The exposure of a rollout lasts longer than its procedure says, as long as it is in its present state (S0-44).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extended {
    /// The rollout.
    pub rollout: RolloutId,
    /// By so many seconds in all; a later extension takes the place of an earlier one.
    pub seconds: u64,
}

/// A gate does not hold a rollout up on its next step to a state, whatever it finds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overridden {
    /// The rollout.
    pub rollout: RolloutId,
    /// The state.
    pub state: String,
    /// The gate.
    pub gate: String,
    /// The emergency by which it is overridden; version 1 does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeId>,
}

/// A test of a rollout has failed, and its cycle begins anew (S3-26).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// The rollout.
    pub rollout: RolloutId,
    /// What has failed, as it was reported.
    pub report: String,
    /// The number of the cycle that begins now; the first one was 1.
    pub cycle: u64,
}

/// Something to know about a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noted {
    /// The rollout.
    pub rollout: RolloutId,
    /// It.
    pub note: String,
}

/// A document about a rollout (S0-32).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linked {
    /// The rollout.
    pub rollout: RolloutId,
    /// What it is.
    pub what: LinkName,
    /// Its address; the link is removed if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Somebody has looked at something that a procedure asks for, and it is as it should be, for the packages that the
/// rollout has now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticked {
    /// The rollout.
    pub rollout: RolloutId,
    /// What they have looked at.
    pub check: CheckName,
}

/// Somebody takes back that it is as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unticked {
    /// The rollout.
    pub rollout: RolloutId,
    /// What is not, or not any more.
    pub check: CheckName,
}

macro_rules! kinds {
    ($($kind:ident $name:literal;)*) => {
        $(impl Kind for $kind {
            const NAME: &'static str = $name;

            fn about(&self) -> Vec<Subject> {
                vec![Subject::Rollout(self.rollout.clone())]
            }
        })*
    };
}

kinds! {
    Edited "rollout.edited";
    Cancelled "rollout.cancelled";
    Stalled "rollout.stalled";
    Resumed "rollout.resumed";
    Scheduled "rollout.scheduled";
    Unscheduled "rollout.unscheduled";
    Approved "rollout.approved";
    Disapproved "rollout.disapproved";
    Extended "rollout.extended";
    Failed "rollout.failed";
    Noted "rollout.noted";
    Linked "rollout.linked";
    Ticked "rollout.ticked";
    Unticked "rollout.unticked";
}

impl Kind for Superseded {
    const NAME: &'static str = "rollout.superseded";

    fn about(&self) -> Vec<Subject> {
        [&self.rollout, &self.by].map(|rollout| Subject::Rollout(rollout.clone())).into()
    }
}

impl Kind for Overridden {
    const NAME: &'static str = "rollout.overridden";
    const VERSION: u32 = 2;

    fn about(&self) -> Vec<Subject> {
        let change = self.change.iter().cloned().map(Subject::Change);
        std::iter::once(Subject::Rollout(self.rollout.clone())).chain(change).collect()
    }

    fn upcast(_: u32, body: &str) -> Result<Self, String> {
        serde_json::from_str(body).map_err(|e| e.to_string())
    }
}

impl fmt::Display for Edited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "edited {}", self.rollout)?;
        if let Some(title) = &self.title {
            write!(f, "; title: {title}")?;
        }
        for EditedPart { dist, packages } in &self.parts {
            write!(f, "; {dist}: {}", count(packages.len(), "package"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cancelled {}", self.rollout)
    }
}

impl fmt::Display for Superseded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is superseded by {}", self.rollout, self.by)
    }
}

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "put {} on hold", self.rollout)
    }
}

impl fmt::Display for Resumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "took {} off hold", self.rollout)
    }
}

impl fmt::Display for Scheduled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is to go to {} at {:.0}", self.rollout, self.state, self.at)
    }
}

impl fmt::Display for Unscheduled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cancelled the date of {}", self.rollout)
    }
}

impl fmt::Display for Approved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "approved the step of {} to {}, for {}", self.rollout, self.state, self.role)
    }
}

impl fmt::Display for Disapproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "withdrew the approval of the step of {} to {}", self.rollout, self.state)
    }
}

impl fmt::Display for Extended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = crate::format::quantity::show_duration(std::time::Duration::from_secs(self.seconds));
        write!(f, "extended the exposure of {} by {by}", self.rollout)
    }
}

impl fmt::Display for Overridden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "overrode {} for the step of {} to {}", self.gate, self.rollout, self.state)?;
        match &self.change {
            Some(change) => write!(f, ", for the emergency {change}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a test of {} has failed, and cycle {} begins: {}", self.rollout, self.cycle, self.report)
    }
}

impl fmt::Display for Noted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "noted on {}: {}", self.rollout, self.note)
    }
}

impl fmt::Display for Linked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.url {
            Some(url) => write!(f, "linked the {} of {}: {url}", self.what, self.rollout),
            None => write!(f, "removed the link to the {} of {}", self.what, self.rollout),
        }
    }
}

impl fmt::Display for Ticked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ticked {} of {}", self.check, self.rollout)
    }
}

impl fmt::Display for Unticked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unticked {} of {}", self.check, self.rollout)
    }
}
