//! The people, packages, rules and calendars of all sequences.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use jiff::tz::TimeZoneDatabase;

use super::model::Package;
use crate::domain::calendar::site::Calendar;
use crate::domain::calendar::windows::{Effect, Rule, Windows};
use crate::domain::names::{Role, RolloutId};
use crate::domain::naming::team::TeamName;
use crate::domain::workflow::Workflow;
use crate::process::fact::team::TeamRegistered;
use crate::process::rules::{DistRules, Rules, Standing, Trust};
use crate::process::who::{Caller, Channel};
use crate::process::{notice, procedure};

pub(super) const DIST: &str = "umd/3/sl6/x86_64";
pub(super) const OTHER: &str = "umd/3/sl5/i386";

/// All packages, each of its distribution.
pub(super) const PACKAGES: &[(&str, &str)] = &[
    (DIST, "a-1-1.noarch"),
    (DIST, "a-2-1.noarch"),
    (DIST, "b-1-1.noarch"),
    (OTHER, "b-1-1.noarch"),
    (OTHER, "c-1-1.i386"),
];

/// Gates that somebody may try to override.
pub(super) const GATES: &[&str] = &[
    "exposure",
    "calendar",
    "acknowledged",
    "reported",
    "tasks_done",
    "bundle_complete",
    "approvals",
    "packages_present",
];

/// From this number on, somebody has every role.
pub(super) const PEOPLE: usize = 8;

/// The procedures: those that ship, and those of the fixtures.
pub(super) static PROCEDURES: LazyLock<Vec<Workflow>> = LazyLock::new(|| {
    let shipped = procedure::names().map(|name| procedure::built_in(name).expect("it ships"));
    let delta = include_str!("../../../../fixtures/procedures/testing-and-delta.toml");
    let delta = procedure::read(delta, Path::new("testing-and-delta.toml")).expect("a procedure").workflow;
    shipped.chain([procedure::samples::brief(), delta]).collect()
});

static CALENDARS: LazyLock<Vec<Calendar>> = LazyLock::new(|| {
    let zone = || TimeZoneDatabase::bundled().get("Europe/Zurich").expect("compiled in");
    let calendar = |effect, when: &str| {
        let rule = Rule { effect, when: when.parse().expect("a time"), name: "closed".to_owned() };
        Calendar { windows: Windows::new(vec![rule], zone()).expect("rules"), ..Calendar::default() }
    };
    vec![
        Calendar::default(),
        calendar(Effect::Allow, "Mon-Thu 09:00-16:00"),
        calendar(Effect::Deny, "2026-12-20..2027-01-07"),
        calendar(Effect::Deny, "2026-12-01..2027-04-01"),
    ]
});

pub(super) fn calendar(n: usize) -> Calendar {
    // Open more often than closed.
    CALENDARS.get(n % 8).unwrap_or(&CALENDARS[0]).clone()
}

pub(super) fn package(dist: &str, nevra: &str) -> Package {
    (dist.parse().expect("a path"), nevra.parse().expect("a nevra"))
}

pub(super) fn id(n: usize) -> RolloutId {
    ["r", "s", "r", "t", "u"][n % 5].parse().expect("an id")
}

pub(super) fn registered(team: TeamName, observer: bool) -> TeamRegistered {
    let ngi = team.as_str()["ea-".len()..][..6].to_owned();
    let (products, stacks, node_types) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    TeamRegistered { team, ngi, products, stacks, node_types, contacts: BTreeSet::new(), observer }
}

/// Each role has somebody, a team has a member, and the rest may do everything.
pub(super) fn person(n: usize) -> Caller {
    let of =
        |name: &str, roles: &[Role]| Caller::new(name.parse().expect("an actor"), Channel::Api, roles.iter().cloned());
    match n {
        0 => of("vera", &[Role::VERIFIER]),
        1 => of("sam", &[Role::SRM]),
        2 => of("mia", &[Role::MU]),
        3 => of("otto", &[Role::OU]),
        4 => of("mary", &[Role::MAINTAINER]),
        5 => of("eve", &[Role::EA]).of_teams(["ea-NGI_IT-T1".parse().expect("a team")]),
        6 => of("olga", &[Role::OBSERVER]),
        7 => of("anna", &[Role::ADMIN]),
        _ => of("max", &[Role::ADMIN, Role::SRM, Role::OU, Role::MU, Role::MAINTAINER]),
    }
}

/// Two distributions that follow a procedure.
pub(super) fn rules(procedure: usize) -> Rules {
    let trees = || ["untested", "testing", "delta", "production"].map(|tree| tree.parse().expect("a name"));
    let trust = || Trust { certs: [("AA".to_owned(), Standing::Good)].into(), min_signers: 1, ..Trust::default() };
    let dist = || DistRules {
        workflow: PROCEDURES[procedure % PROCEDURES.len()].clone(),
        calendar: Calendar::default(),
        trees: trees().to_vec(),
        trust: trees().into_iter().map(|tree| (tree, trust())).collect(),
        grace_metadata: Duration::from_mins(1),
        grace_packages: Duration::from_hours(2),
        node_types: std::collections::BTreeSet::new(),
    };
    let mut rules = Rules::default();
    for path in [DIST, OTHER] {
        rules.distributions.insert(path.parse().expect("a path"), dist());
    }
    let tracker = Caller::new("rt".parse().expect("an actor"), Channel::Api, [Role::TRACKER]);
    rules.hooks.insert("rt".parse().expect("a name"), tracker);
    rules.outgoing.insert("chat".parse().expect("a name"), notice::USUAL.iter().map(|e| (*e).to_owned()).collect());
    rules
}
