//! Facts about what a rollout is called beside its title: product, priority, risk and the like.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Kind, Subject};
use crate::domain::attributes::{Attributes, Importance, Level};
use crate::domain::names::{Label, RolloutId};
use crate::domain::request::Priority;

/// All that is said of a rollout from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "DescribedOnDisk", into = "DescribedOnDisk")]
pub struct Described {
    /// The rollout.
    pub rollout: RolloutId,
    /// It.
    pub attributes: Attributes,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedOnDisk {
    rollout: RolloutId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    product: Option<Label>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    component: Option<Label>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    node_types: BTreeSet<Label>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    severity: Option<Priority>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    priority: Option<Priority>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    impact: Option<Level>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    risk: Option<Level>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    importance: Option<Importance>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reversal: Option<String>,
}

impl From<DescribedOnDisk> for Described {
    fn from(on_disk: DescribedOnDisk) -> Self {
        let DescribedOnDisk {
            rollout,
            product,
            component,
            node_types,
            severity,
            priority,
            impact,
            risk,
            importance,
            reversal,
        } = on_disk;
        let attributes =
            Attributes { product, component, node_types, severity, priority, impact, risk, importance, reversal };
        Self { rollout, attributes }
    }
}

impl From<Described> for DescribedOnDisk {
    fn from(Described { rollout, attributes }: Described) -> Self {
        let Attributes { product, component, node_types, severity, priority, impact, risk, importance, reversal } =
            attributes;
        Self { rollout, product, component, node_types, severity, priority, impact, risk, importance, reversal }
    }
}

impl Kind for Described {
    const NAME: &'static str = "rollout.described";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Rollout(self.rollout.clone())]
    }
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "described {}", self.rollout)?;
        let said = self.attributes.said();
        if said.is_empty() {
            return f.write_str("; its description is now empty");
        }
        said.iter().try_for_each(|(name, value)| write!(f, "; {name}: {value}"))
    }
}
