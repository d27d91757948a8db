//! Who asks, which way they came, and what they may.
//!
//! These are values, made where a token or a signature is checked. Nobody finds out later from a text who somebody is: an
//! actor that is called `rt:jane` is not the webhook `rt`.

use crate::domain::names::{Actor, DistPath, HookName, Role};
use crate::domain::naming::part::Stack;
use crate::domain::naming::team::TeamName;
use crate::domain::rollout::{Rollout, stack_of};

/// The header with the secret of a web server that identifies people.
pub const SSO_SECRET: &str = "x-rolloutd-secret";

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
    /// For rollouts in one distribution, of one stack, or both (S0-07).
    Within {
        /// The distribution; all of them if there is none.
        dist: Option<DistPath>,
        /// The stack that the rollout's title names; all rollouts if there is none.
        stack: Option<Stack>,
    },
    /// For one team of early adopters.
    Team(TeamName),
}

impl Grant {
    /// That of a member of a team of early adopters.
    pub fn of_team(team: TeamName) -> Self {
        Self { role: Role::EA, scope: Scope::Team(team) }
    }

    /// The team of early adopters that it is for.
    pub fn team(&self) -> Option<&TeamName> {
        match &self.scope {
            Scope::Team(team) => Some(team),
            Scope::Site | Scope::Within { .. } => None,
        }
    }
}

impl Scope {
    /// In one distribution, whatever the rollout is about.
    pub fn distribution(dist: DistPath) -> Self {
        Self::Within { dist: Some(dist), stack: None }
    }

    fn has(&self, dist: Option<&DistPath>, of: Option<&Stack>) -> bool {
        match self {
            Self::Site => true,
            Self::Within { dist: own, stack } => {
                own.as_ref().is_none_or(|own| dist == Some(own))
                    && stack.as_ref().is_none_or(|stack| of.is_some_and(|of| stack.covers(of)))
                    && (own.is_some() || stack.is_some())
            }
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
        self.grants.extend(teams.into_iter().map(Grant::of_team));
        self
    }

    /// The same rights of somebody else, who came by a webhook.
    #[must_use]
    pub fn speaking_for(&self, who: Actor, hook: HookName) -> Self {
        Self { who, via: Channel::Hook(hook), grants: self.grants.clone() }
    }

    /// Whether they belong to a team of early adopters (S0-06).
    pub fn speaks_for(&self, team: &TeamName) -> bool {
        self.teams().any(|own| own == team)
    }

    /// The teams that they belong to.
    pub fn teams(&self) -> impl Iterator<Item = &TeamName> {
        self.grants.iter().filter_map(Grant::team)
    }

    /// Whether they have one of these roles in a distribution, or, where none is named, everywhere.
    pub fn may<'r>(&self, roles: impl IntoIterator<Item = &'r Role>, dist: Option<&DistPath>) -> bool {
        self.has_one(roles, dist, None)
    }

    /// Whether they have one of these roles for a rollout, in each of its distributions.
    pub fn may_for<'r>(&self, roles: impl IntoIterator<Item = &'r Role>, rollout: &Rollout) -> bool {
        self.may_at(roles, rollout.dists(), &rollout.title)
    }

    /// The same for a rollout that is not there yet, or not with this title.
    pub fn may_at<'r, 'd>(
        &self,
        roles: impl IntoIterator<Item = &'r Role>,
        dists: impl IntoIterator<Item = &'d DistPath>,
        title: &str,
    ) -> bool {
        let roles: Vec<&Role> = roles.into_iter().collect();
        // Few have a role for one stack only, and reading a title takes a while.
        let asks = self.grants.iter().any(|grant| matches!(grant.scope, Scope::Within { stack: Some(_), .. }));
        let stack = asks.then(|| stack_of(title)).flatten();
        dists.into_iter().all(|dist| self.has_one(roles.iter().copied(), Some(dist), stack.as_ref()))
    }

    /// What to add to the sentence that only some roles may do something, if somebody has one of them elsewhere.
    pub fn elsewhere<'r>(&self, roles: impl IntoIterator<Item = &'r Role>) -> String {
        let is_limited =
            |role: &&Role| self.grants.iter().any(|it| it.role == **role && matches!(it.scope, Scope::Within { .. }));
        match roles.into_iter().find(is_limited) {
            Some(role) => format!("; your role {role} does not hold here, but for other distributions or stacks"),
            None => String::new(),
        }
    }

    fn has_one<'r>(
        &self,
        roles: impl IntoIterator<Item = &'r Role>,
        dist: Option<&DistPath>,
        stack: Option<&Stack>,
    ) -> bool {
        let has = |role: &Role| self.grants.iter().any(|grant| grant.role == *role && grant.scope.has(dist, stack));
        roles.into_iter().any(has)
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
        caller.grants.push(Grant { role: Role::SRM, scope: Scope::distribution(here.clone()) });
        assert!(caller.may(&[Role::SRM], Some(&here)) && caller.may(&[Role::ADMIN, Role::SRM], Some(&here)));
        assert!(!caller.may(&[Role::SRM], Some(&there)) && !caller.may(&[Role::SRM], None));
        assert!(caller.may(&[Role::OBSERVER], Some(&there)) && caller.may(&[Role::OBSERVER], None));
        assert!(!caller.may(&[], Some(&here)));
    }

    #[test]
    fn a_role_for_a_stack_holds_for_rollouts_whose_titles_name_it() {
        let dist = |text: &str| text.parse::<DistPath>().expect("a path");
        let (here, there) = (dist("umd/3"), dist("umd/4"));
        let of = |scopes: &[(Option<&DistPath>, &str)]| {
            let mut caller = Caller::new(Actor::recorded("jane"), Channel::Api, []);
            caller.grants.extend(scopes.iter().map(|(dist, stack)| {
                let stack = Some(stack.parse().expect("a stack"));
                Grant { role: Role::SRM, scope: Scope::Within { dist: dist.cloned(), stack } }
            }));
            move |title: &str, dists: &[&DistPath]| caller.may_at(&[Role::SRM], dists.iter().copied(), title)
        };
        let (old, new) = ("Staged Rollout EMI-1.0 bdii-site 1.0.1", "Staged Rollout EMI-3 bdii-site 1.0.1");
        let (word, other) = ("EMI.bdii-site.sl5.x86_64-1.0.1", "Staged Rollout ARC-6 arc-ce 6.0");
        let every = of(&[(None, "EMI")]);
        for title in [old, new, word] {
            assert!(every(title, &[&here]) && every(title, &[&here, &there]), "{title}");
        }
        // What no stack can be read from belongs to those whose role holds for all.
        for title in [other, "Staged Rollout CA 1.38", "EMI-1.0", "", "Staged Rollout EMIR-1.0 x 1"] {
            assert!(!every(title, &[&here]), "{title}");
        }
        let major = of(&[(None, "EMI-3")]);
        assert!(major(new, &[&here]) && !major(old, &[&here]) && !major(word, &[&here]));
        let narrow = of(&[(Some(&here), "EMI"), (Some(&there), "ARC")]);
        assert!(narrow(old, &[&here]) && !narrow(old, &[&there]) && !narrow(old, &[&here, &there]));
        assert!(narrow(other, &[&there]) && !narrow(other, &[&here]));
        // Nothing that is not about one rollout, and no distribution as a whole.
        let mut jane = Caller::new(Actor::recorded("jane"), Channel::Api, []);
        jane.grants.push(Grant { role: Role::SRM, scope: Scope::Within { dist: None, stack: "EMI".parse().ok() } });
        assert!(!jane.may(&[Role::SRM], None) && !jane.may(&[Role::SRM], Some(&here)));
    }
}
