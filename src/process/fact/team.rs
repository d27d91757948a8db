//! Facts about teams of early adopters: who they are and what they test (S0-09).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Kind, Subject};
use crate::domain::naming::team::TeamName;

/// A team was entered into the registry, or its entry was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamRegistered {
    /// The team.
    pub team: TeamName,
    /// Its national grid initiative: the name alone does not say where the site's begins.
    pub ngi: String,
    /// The products that it tests; all if there are none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub products: BTreeSet<String>,
    /// The stacks that it tests; all if there are none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub stacks: BTreeSet<String>,
    /// The node types that its site runs.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub node_types: BTreeSet<String>,
    /// Where it can be reached: its mailing list, its page. Not people: the logbook is kept for ever. Version 1 does not say.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub contacts: BTreeSet<String>,
    /// Whether it only observes: its reports are kept, and count towards nothing (S0-12).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observer: bool,
}

/// A team has left the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamLeft {
    /// The team.
    pub team: TeamName,
}

impl Kind for TeamRegistered {
    const NAME: &'static str = "team.registered";
    const VERSION: u32 = 2;

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Team(self.team.clone())]
    }

    fn upcast(_: u32, body: &str) -> Result<Self, String> {
        serde_json::from_str(body).map_err(|e| e.to_string())
    }
}

impl Kind for TeamLeft {
    const NAME: &'static str = "team.left";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Team(self.team.clone())]
    }
}

impl fmt::Display for TeamRegistered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { team, ngi, products, stacks, node_types, contacts, observer } = self;
        let kind = if *observer { "observer team" } else { "team" };
        write!(f, "registered the {kind} {team} of {ngi}")?;
        let all = [("products", products), ("stacks", stacks), ("node types", node_types), ("contacts", contacts)];
        for (what, names) in all {
            if !names.is_empty() {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                write!(f, "; {what}: {}", names.join(", "))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for TeamLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "removed the team {}", self.team)
    }
}
