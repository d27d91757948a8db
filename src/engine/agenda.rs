//! What there is to do, seen from the world.
//!
//! For each distribution at most one piece of work runs at a time, so no two of them can meet in a
//! tree. What comes first: plans (people wait for them), then publications, then uploads, then
//! files whose time has come.

use jiff::Timestamp;

use super::rules::DistRules;
use super::world::World;
use crate::domain::names::{DistPath, TreeId, TreeName};
use crate::domain::plan::Plan;

/// A piece of work on one distribution. Each can be carried out twice with the same result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Look at the upload tree.
    TakeIn(DistPath),
    /// Publish what the world says that the trees hold.
    Publish(DistPath, Vec<TreeName>),
    /// Carry out a plan.
    Promote(u64, Plan),
    /// Remove files whose time has come.
    Retire(TreeId, Vec<String>),
}

impl Work {
    /// The distribution it works on.
    pub fn dist(&self) -> &DistPath {
        match self {
            Self::TakeIn(dist) | Self::Publish(dist, _) => dist,
            Self::Promote(_, plan) => &plan.dist,
            Self::Retire(id, _) => &id.dist,
        }
    }

    /// One word for logs and metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::TakeIn(_) => "take-in",
            Self::Publish(..) => "publish",
            Self::Promote(..) => "promote",
            Self::Retire(..) => "retire",
        }
    }
}

impl Work {
    /// What it is, for counting its failures and for people: a plan that cannot be carried out holds up
    /// nothing but itself.
    pub fn key(&self) -> String {
        match self {
            Self::Promote(number, plan) => format!("promote {} (logbook entry {number})", plan.dist),
            Self::Retire(id, _) => format!("retire {id}"),
            Self::TakeIn(dist) | Self::Publish(dist, _) => format!("{} {dist}", self.label()),
        }
    }
}

/// Most files that one piece of retirement removes, so that a plan never waits long behind it.
pub const RETIRE_AT_ONCE: usize = 1_000;

/// What there is to do for a distribution, most urgent first; `touched` says whether its uploads want
/// a look.
pub fn all<'w>(
    world: &'w World,
    dist: &'w DistPath,
    rules: &'w DistRules,
    touched: bool,
    now: Timestamp,
) -> impl Iterator<Item = Work> + use<'w> {
    let plans = world.plans.iter().filter(move |(_, plan)| plan.dist == *dist);
    let promote = plans.map(|(number, plan)| Work::Promote(*number, plan.clone()));
    let dirty: Vec<TreeName> = rules.trees.iter().filter(|tree| is_dirty(world, dist, tree)).cloned().collect();
    let publish = (!dirty.is_empty()).then(|| Work::Publish(dist.clone(), dirty));
    let take_in = touched.then(|| Work::TakeIn(dist.clone()));
    let retire = rules.trees.iter().filter_map(move |tree| retire(world, dist, tree, rules, now));
    promote.chain(publish).chain(take_in).chain(retire)
}

/// A tree without any publication is dirty too: an empty tree has valid metadata.
fn is_dirty(world: &World, dist: &DistPath, tree: &TreeName) -> bool {
    let id = TreeId { dist: dist.clone(), tree: tree.clone() };
    world.trees.get(&id).is_none_or(|tree| tree.dirty || tree.published.is_none())
}

fn retire(world: &World, dist: &DistPath, tree: &TreeName, rules: &DistRules, now: Timestamp) -> Option<Work> {
    let id = TreeId { dist: dist.clone(), tree: tree.clone() };
    let known = world.trees.get(&id)?;
    let over = |since: Timestamp, grace: std::time::Duration| {
        // A clock that was set back counts as no waiting at all.
        std::time::Duration::try_from(now.duration_since(since)).is_ok_and(|waited| waited >= grace)
    };
    let metadata = known
        .superseded
        .iter()
        .filter(|(_, since)| over(**since, rules.grace_metadata))
        .map(|(name, _)| format!("repodata/{name}"));
    let packages = known
        .leaving
        .iter()
        .filter(|(_, since)| over(**since, rules.grace_packages))
        .map(|(nevra, _)| crate::store::tree::location(nevra));
    let files: Vec<String> = metadata.chain(packages).take(RETIRE_AT_ONCE).collect();
    (!files.is_empty()).then_some(Work::Retire(id, files))
}

#[cfg(test)]
mod tests {
    use super::super::entry::{Fact, samples::every_fact};
    use super::*;
    use crate::format::procedure;
    use std::time::Duration;

    fn rules() -> DistRules {
        DistRules {
            workflow: procedure::built_in("egi").expect("it ships"),
            trees: ["untested", "testing"].iter().map(|t| t.parse().expect("a name")).collect(),
            trust: std::collections::BTreeMap::new(),
            grace_metadata: Duration::from_mins(1),
            grace_packages: Duration::from_hours(1),
        }
    }

    fn world(facts: &[Fact]) -> World {
        let mut world = World::default();
        for (n, fact) in facts.iter().enumerate() {
            world.apply(n as u64 + 1, Timestamp::UNIX_EPOCH, "me", fact);
        }
        world
    }

    fn label(facts: &[Fact], touched: bool, now: i64) -> &'static str {
        let now = Timestamp::from_second(now).expect("a time");
        let dist = "umd/3/sl6/x86_64".parse().expect("a path");
        all(&world(facts), &dist, &rules(), touched, now).next().map_or("nothing", |work| work.label())
    }

    #[test]
    fn a_plan_without_its_done_is_work_whenever_it_was_made() {
        let facts = every_fact();
        let moved = facts.iter().position(|f| matches!(f, Fact::Moved { .. })).expect("one moves");
        assert_eq!(label(&facts[..=moved], true, 0), "promote");
        assert_ne!(label(&facts[..=moved + 1], true, 0), "promote");
    }

    #[test]
    fn a_tree_that_was_never_published_is_published_empty() {
        assert_eq!(label(&[], false, 0), "publish");
    }

    #[test]
    fn files_are_removed_when_their_time_has_come_and_not_before() {
        let mut facts = every_fact();
        facts.pop();
        // Both trees are published; the source's package and one metadata file wait.
        let Some(Fact::Published(mut other)) = facts.last().cloned() else { panic!("published") };
        other.tree.tree = "untested".parse().expect("a name");
        other.superseded.clear();
        facts.push(Fact::Published(other));
        assert_eq!(label(&facts, false, 59), "nothing");
        assert_eq!(label(&facts, false, 60), "retire");
        assert_eq!(label(&facts, false, -1000), "nothing", "a clock that went back waits");
        let dist = "umd/3/sl6/x86_64".parse().expect("a path");
        let now = Timestamp::from_second(3600).expect("a time");
        let Some(Work::Retire(id, files)) = all(&world(&facts), &dist, &rules(), false, now).next() else {
            panic!("work")
        };
        assert_eq!((id.tree.as_str(), files), ("untested", vec!["Packages/b/bdii-5.2.22-1.el6.noarch.rpm".to_owned()]));
    }
}
