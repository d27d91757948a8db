//! Who may do what, beside the steps of a procedure: those stand in its table.
//!
//! One table, so that it can be read, shown and tested as a whole. What concerns one team may be done by whoever speaks for
//! the team, too ([`Caller::speaks_for`]).

use super::who::Caller;
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{DistPath, Role};
use crate::domain::rollout::Rollout;

/// Something that not everybody may do.
#[derive(Clone, Copy, Debug)]
pub struct Right {
    /// What, as the end of "Only admin may ...".
    pub what: &'static str,
    /// One of these roles suffices.
    pub roles: &'static [Role],
    /// Whether whoever speaks for a team may do it for that team.
    pub own_team: bool,
}

macro_rules! rights {
    ($($(#[$doc:meta])* $name:ident = $what:literal, [$($role:ident),*], $own_team:literal;)*) => {
        $($(#[$doc])* pub const $name: Right = Right { what: $what, roles: &[$(Role::$role),*], own_team: $own_team };)*

        /// All of them.
        pub const ALL: &[Right] = &[$($name),*];
    };
}

rights! {
    /// Nothing is promoted any more.
    HALT = "halt promotions", [ADMIN, SRM, OU], false;
    /// They go on.
    END_HALT = "end a halt", [ADMIN, SRM, OU], false;
    /// Nothing is promoted for a time (S3-35).
    MAINTENANCE = "declare maintenances and call them off", [ADMIN, SRM, OU], false;
    /// A tree that lists again what it listed before.
    RESTORE = "restore trees, and take packages out of them", [ADMIN], false;
    /// A package that was withdrawn or taken out of a tree.
    ALLOW = "allow packages to be uploaded again", [ADMIN], false;
    /// A rollout on hold (S3-08).
    STALL = "put a rollout on hold or take it off hold", [ADMIN, VERIFIER, SRM, MU, OU, MAINTAINER], false;
    /// The registry of early adopters.
    TEAMS = "change the registry of teams", [ADMIN, SRM, OU], false;
    /// Teams are asked to test a rollout.
    ASSIGN = "assign teams", [ADMIN, SRM, OU], false;
    /// A team accepts or declines (S0-36).
    ANSWER = "answer for a team", [SRM, OU], true;
    /// What a team has found (S0-45).
    REPORT = "report for a team", [SRM, OU], true;
    /// Which reports everybody may read (S1-35).
    PUBLISH = "publish reports", [ADMIN, SRM, OU], false;
    /// Issues and their show-stoppers (S0-41).
    ISSUES = "record or close issues", [ADMIN, VERIFIER, SRM, EA, DMSU, MU, OU, MAINTAINER], false;
    /// How urgent an issue is (S0-43).
    RANK = "decide how urgent an issue is", [DMSU], false;
    /// What is said of a rollout beside its title.
    DESCRIBE = "describe rollouts", [ADMIN, VERIFIER, SRM, MU, OU, MAINTAINER], false;
    /// How urgent a rollout is (S0-07): that alone is for others, too.
    PRIORITY = "decide how urgent a rollout is", [ADMIN, VERIFIER, SRM, DMSU, MU, OU, MAINTAINER], false;
    /// What somebody has looked at.
    TICK = "tick off checks of a procedure", [ADMIN, VERIFIER, SRM, MU, OU, MAINTAINER], false;
    /// Notes and links.
    NOTES = "add notes and links", [ADMIN, VERIFIER, SRM, EA, DMSU, MU, OU, MAINTAINER], false;
    /// A longer exposure (S0-44).
    EXTEND = "extend an exposure", [ADMIN, SRM, OU], false;
    /// Bundles and their release notes (S1-16 to S1-19).
    BUNDLES = "change bundles", [ADMIN, SRM, MU, OU], false;
    /// Numbers of updates (S1-33).
    UPDATES = "number updates", [ADMIN, SRM, MU], false;
    /// Tasks for early adopters (S1-22).
    TASKS = "create, extend and reassign tasks", [ADMIN, SRM, OU], false;
    /// What came of a task (S1-26).
    TASK_REPORT = "report on a team's tasks", [SRM, OU], true;
    /// A gate that does not hold a rollout up.
    OVERRIDE = "override a gate", [ADMIN, SRM, OU], false;
    /// Changes (S3-05): whoever has something to do with a service may ask for one.
    CHANGES = "record changes", [ADMIN, VERIFIER, SRM, EA, DMSU, MU, OU, MAINTAINER, PT, OMB, OTAG], false;
    /// Changes that nobody approves (S3-12).
    EMERGENCIES = "record an emergency", [ADMIN, SRM, OU, OMB], false;
    /// What work a change is, and how urgent it is (S3-13).
    ASSESS = "assess changes", [ADMIN, SRM, DMSU, MU, MAINTAINER, PT], false;
    /// Whether a change is made (S3-07).
    DECIDE = "accept or reject changes", [ADMIN, SRM, OU, OMB, OTAG], false;
    /// How far a change is (S3-07).
    WORK = "set the status of a change", [ADMIN, SRM, OU, MU, MAINTAINER, PT], false;
    /// Which rollouts carry a change out.
    TIE = "tie rollouts to changes", [ADMIN, VERIFIER, SRM, OU, MU, MAINTAINER, PT], false;
    /// Gates that an emergency does not wait for (S3-12).
    HASTEN = "override a gate for an emergency", [ADMIN, VERIFIER, SRM, OU, MU, MAINTAINER], false;
    /// What those say who use what was released (S3-17).
    REVIEW = "answer reviews", [ADMIN, SRM, EA, DMSU, OU, MAINTAINER, OMB, OTAG], false;
    /// Releases and their scope (S3-18).
    RELEASES = "plan releases", [ADMIN, SRM, OU, MU, MAINTAINER, PT], false;
    /// What people were told (S0-31, S1-13).
    NOTIFY = "record that people were told", [ADMIN, SRM, MU, OU, MAINTAINER], false;
    /// What goes wrong (S3-33).
    INCIDENTS = "record and handle incidents", [ADMIN, VERIFIER, SRM, DMSU, MU, OU, MAINTAINER], false;
    /// What the board knows (S3-19).
    TELL = "record that the board was told", [ADMIN, SRM, OU, OMB], false;
}

impl Right {
    /// Why somebody may not do it in one of these distributions, or nowhere at all if there are none.
    pub fn lacking<'d>(self, caller: &Caller, dists: impl IntoIterator<Item = &'d DistPath>) -> Option<Finding> {
        let mut dists = dists.into_iter().peekable();
        let may = match dists.peek() {
            None => caller.may(self.roles, None),
            Some(_) => dists.all(|dist| caller.may(self.roles, Some(dist))),
        };
        (!may).then(|| self.finding(caller))
    }

    /// Why somebody may not do it for a rollout.
    pub fn lacking_for(self, caller: &Caller, rollout: &Rollout) -> Option<Finding> {
        self.lacking_at(caller, rollout.dists(), &rollout.title)
    }

    /// Why somebody may not do it for a rollout in these distributions that will have this title.
    pub fn lacking_at<'d>(
        self,
        caller: &Caller,
        dists: impl IntoIterator<Item = &'d DistPath>,
        title: &str,
    ) -> Option<Finding> {
        (!caller.may_at(self.roles, dists, title)).then(|| self.finding(caller))
    }

    fn finding(self, caller: &Caller) -> Finding {
        let roles: Vec<&str> = self.roles.iter().map(Role::as_str).collect();
        let (own, what) = (if self.own_team { " or a member of the team" } else { "" }, self.what);
        let elsewhere = caller.elsewhere(self.roles);
        Finding::new(Verdict::NeedsAdmin, "role", format!("Only {}{own} may {what}{elsewhere}.", roles.join(" or ")))
    }
}
