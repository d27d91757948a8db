//! The registry of early adopters.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use crate::domain::naming::team::TeamName;
use crate::process::fact::team::{TeamLeft, TeamRegistered};

/// A team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// Its national grid initiative.
    pub ngi: String,
    /// What it tests; all products if there are none.
    pub products: BTreeSet<String>,
    /// The stacks that it tests; all if there are none.
    pub stacks: BTreeSet<String>,
    /// The node types that its site runs.
    pub node_types: BTreeSet<String>,
    /// Where it can be reached.
    pub contacts: BTreeSet<String>,
    /// Whether it only observes.
    pub observer: bool,
}

impl Team {
    /// Whether its site runs a node type; case does not matter, since people write both.
    pub fn runs(&self, node_type: &str) -> bool {
        self.node_types.iter().any(|own| own.eq_ignore_ascii_case(node_type))
    }
}

/// All teams.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Teams {
    by_name: OrdMap<TeamName, Arc<Team>>,
}

impl Teams {
    /// One team.
    pub fn get(&self, name: &TeamName) -> Option<&Team> {
        self.by_name.get(name).map(|team| &**team)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&TeamName, &Team)> {
        self.by_name.iter().map(|(name, team)| (name, &**team))
    }

    /// Whether what a team says counts: it is registered, and does not only observe.
    pub fn counts(&self, name: &TeamName) -> bool {
        self.get(name).is_some_and(|team| !team.observer)
    }

    pub(super) fn registered(&mut self, registered: &TeamRegistered) {
        let TeamRegistered { team, ngi, products, stacks, node_types, contacts, observer } = registered.clone();
        self.by_name.insert(team, Arc::new(Team { ngi, products, stacks, node_types, contacts, observer }));
    }

    pub(super) fn left(&mut self, left: &TeamLeft) {
        self.by_name.remove(&left.team);
    }
}
