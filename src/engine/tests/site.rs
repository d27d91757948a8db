//! A site without trees, for engines that only decide.

use std::time::Duration;

use crate::domain::calendar::site::Calendar;
use crate::domain::names::{Actor, Role};
use crate::domain::workflow::Workflow;
use crate::process::rules::{DistRules, Rules};
use crate::process::who::{Caller, Channel};

/// Its only distribution.
pub(super) const DIST: &str = "d";

/// A procedure and a calendar for its distribution, and a tracker.
pub(super) fn rules(workflow: Workflow, calendar: Calendar) -> Rules {
    let dist = DistRules {
        workflow,
        calendar,
        trees: vec![],
        trust: [].into(),
        grace_metadata: Duration::ZERO,
        grace_packages: Duration::ZERO,
        node_types: std::collections::BTreeSet::new(),
    };
    let mut rules = Rules::default();
    rules.distributions.insert(DIST.parse().expect("a path"), dist);
    let tracker = Caller::new(Actor::recorded("rt"), Channel::Api, [Role::TRACKER]);
    rules.hooks.insert("rt".parse().expect("a name"), tracker);
    rules
}
