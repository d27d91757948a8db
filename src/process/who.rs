//! Who asks, which way they came, and what they may.
//!
//! These are values, made where a token or a signature is checked. Nobody finds out later from a text who somebody is: an
//! actor that is called `rt:jane` is not the webhook `rt`.

use crate::domain::names::{Actor, DistPath, HookName, Role};
use crate::domain::naming::team::TeamName;

/// Somebody who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who, as the logbook names them.
    pub who: Actor,
    /// Which way they came.
    pub via: Channel,
    /// What they may.
    pub grants: Vec<Grant>,
}

/// The way by which somebody came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The API, with a token or with none.
    Api,
    /// A webhook with a good signature.
    Hook(HookName),
}

/// A role, and where it holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// Where.
    pub scope: Scope,
}

/// Where a role holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Everywhere.
    Site,
    /// In one distribution.
    Distribution(DistPath),
    /// For one team of early adopters.
    Team(TeamName),
}

impl Scope {
    fn has(&self, dist: Option<&DistPath>) -> bool {
        match self {
            Self::Site => true,
            Self::Distribution(own) => dist == Some(own),
            Self::Team(_) => false,
        }
    }
}

impl Caller {
    /// Somebody with roles that hold everywhere.
    pub fn new(who: Actor, via: Channel, roles: impl IntoIterator<Item = Role>) -> Self {
        let grants = roles.into_iter().map(|role| Grant { role, scope: Scope::Site }).collect();
        Self { who, via, grants }
    }

    /// The same somebody, who belongs to these teams of early adopters, too.
    #[must_use]
    pub fn of_teams(mut self, teams: impl IntoIterator<Item = TeamName>) -> Self {
        self.grants.extend(teams.into_iter().map(|team| Grant { role: Role::EA, scope: Scope::Team(team) }));
        self
    }

    /// The same rights of somebody else, who came by a webhook.
    #[must_use]
    pub fn speaking_for(&self, who: Actor, hook: HookName) -> Self {
        Self { who, via: Channel::Hook(hook), grants: self.grants.clone() }
    }

    /// Whether they belong to a team of early adopters (S0-06).
    pub fn speaks_for(&self, team: &TeamName) -> bool {
        self.grants.iter().any(|grant| matches!(&grant.scope, Scope::Team(own) if own == team))
    }

    /// The teams that they belong to.
    pub fn teams(&self) -> impl Iterator<Item = &TeamName> {
        self.grants.iter().filter_map(|grant| match &grant.scope {
            Scope::Team(team) => Some(team),
            Scope::Site | Scope::Distribution(_) => None,
        })
    }

    /// Whether they have one of these roles in a distribution, or, where none is named, everywhere.
    pub fn may<'r>(&self, roles: impl IntoIterator<Item = &'r Role>, dist: Option<&DistPath>) -> bool {
        roles.into_iter().any(|role| self.grants.iter().any(|grant| grant.role == *role && grant.scope.has(dist)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_holds_where_it_was_granted_and_nowhere_else() {
        let dist = |text: &str| text.parse::<DistPath>().expect("a path");
        let (here, there) = (dist("umd/3"), dist("umd/4"));
        let mut caller = Caller::new(Actor::recorded("jane"), Channel::Api, [Role::OBSERVER]);
        caller.grants.push(Grant { role: Role::SRM, scope: Scope::Distribution(here.clone()) });
        assert!(caller.may(&[Role::SRM], Some(&here)) && caller.may(&[Role::ADMIN, Role::SRM], Some(&here)));
        assert!(!caller.may(&[Role::SRM], Some(&there)) && !caller.may(&[Role::SRM], None));
        assert!(caller.may(&[Role::OBSERVER], Some(&there)) && caller.may(&[Role::OBSERVER], None));
        assert!(!caller.may(&[], Some(&here)));
    }
}
