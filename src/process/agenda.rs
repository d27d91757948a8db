//! What there is to do, seen from the world.
//!
//! Work runs in lanes, one for each distribution and each receiver of notices, one piece at a time in each, so no two of
//! them can meet in a tree. A plan takes the lanes of all its distributions. The order within a distribution: comparing
//! the trees with the logbook if there is doubt, then plans (people wait for them), then publications, then uploads,
//! then files whose time has come. During a burst uploads go before the publication for a moment, so that they are
//! published together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::rules::{DistRules, Rules};
use super::trouble::Trouble;
use super::world::World;
use super::world::halts::HALTED;
use crate::domain::gate::Finding;
use crate::domain::moment::Elapsed;
use crate::domain::names::{DistPath, HookName, RolloutId, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::plan::{Item, Owner, Plan};

/// A piece of work. Each can be carried out twice with the same result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Compare all trees with the logbook.
    Inspect(DistPath, Vec<TreeName>),
    /// Look at the upload tree.
    TakeIn(DistPath),
    /// Publish what the world says that the trees hold.
    Publish(DistPath, Vec<TreeName>),
    /// Stage all trees of a plan, in all its distributions.
    Stage(u64, Arc<Plan>),
    /// Show all trees of a plan that is staged.
    Show(u64, Arc<Plan>),
    /// Remove files whose time has come.
    Retire(TreeId, Vec<String>),
    /// Send a receiver a notice that is due, by its number.
    Deliver(HookName, u64),
}

/// Where one piece of work runs at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// What is done in a distribution.
    Distribution(DistPath),
    /// The notices of one receiver, one after the other.
    Notices(HookName),
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Distribution(dist) => write!(f, "{dist}"),
            Self::Notices(to) => write!(f, "to {to}"),
        }
    }
}

/// All lanes in which there may be something to do.
pub fn lanes(rules: &Rules) -> Vec<Lane> {
    let dists = rules.distributions.keys().cloned().map(Lane::Distribution);
    dists.chain(rules.outgoing.keys().cloned().map(Lane::Notices)).collect()
}

/// The next notice for a receiver.
pub fn notice(world: &World, to: &HookName) -> Option<Work> {
    world.notices.first(to).map(|number| Work::Deliver(to.clone(), number))
}

impl Work {
    /// The distributions it works on.
    pub fn dists(&self) -> impl Iterator<Item = &DistPath> {
        let (one, plan) = match self {
            Self::TakeIn(dist) | Self::Publish(dist, _) | Self::Inspect(dist, _) => (Some(dist), None),
            Self::Retire(id, _) => (Some(&id.dist), None),
            Self::Stage(_, plan) | Self::Show(_, plan) => (None, Some(plan)),
            Self::Deliver(..) => (None, None),
        };
        one.into_iter().chain(plan.into_iter().flat_map(|plan| plan.dists()))
    }

    /// The lanes it takes up: no other work runs there meanwhile.
    pub fn lanes(&self) -> Vec<Lane> {
        match self {
            Self::Deliver(to, _) => vec![Lane::Notices(to.clone())],
            _ => self.dists().cloned().map(Lane::Distribution).collect(),
        }
    }

    /// One word for logs and metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Inspect(..) => "inspect",
            Self::TakeIn(_) => "take-in",
            Self::Publish(..) => "publish",
            Self::Stage(..) => "stage",
            Self::Show(..) => "show",
            Self::Retire(..) => "retire",
            Self::Deliver(..) => "deliver",
        }
    }

    /// The plan that it carries out, with the number of its entry.
    pub fn plan(&self) -> Option<(u64, &Arc<Plan>)> {
        match self {
            Self::Stage(number, plan) | Self::Show(number, plan) => Some((*number, plan)),
            _ => None,
        }
    }

    /// What does not work when it fails: a plan that cannot be carried out holds up nothing but itself.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Stage(number, plan) | Self::Show(number, plan) => Trouble::of_plan(plan, *number),
            Self::Retire(id, _) => Trouble::Retire(id.clone()),
            Self::Deliver(to, _) => Trouble::Deliver(to.clone()),
            Self::TakeIn(dist) => Trouble::TakeIn(dist.clone()),
            Self::Publish(dist, _) => Trouble::Publish(dist.clone()),
            Self::Inspect(dist, _) => Trouble::Inspect(dist.clone()),
        }
    }

    /// The trees that it shows to clients anew, or takes files from: nothing is done to one in which
    /// something is wrong.
    pub fn changes(&self) -> Vec<TreeId> {
        match self {
            Self::TakeIn(_) | Self::Inspect(..) | Self::Deliver(..) => vec![],
            Self::Publish(dist, trees) => {
                trees.iter().map(|tree| TreeId { dist: dist.clone(), tree: tree.clone() }).collect()
            }
            Self::Stage(_, plan) | Self::Show(_, plan) => plan.trees(),
            Self::Retire(id, _) => vec![id.clone()],
        }
    }
}

/// Why nothing is published in a tree, moved into it or out of it, until that is fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What is wrong and what to do, for people.
    pub why: String,
    /// Of which kind it is.
    pub what: Kind,
}

/// What is wrong with a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// These packages are listed there, and their bytes are nowhere.
    Missing(BTreeSet<Nevra>),
    /// It shows or holds what the logbook knows nothing of.
    Strange,
    /// Anything else, such as a file system that is not mounted.
    Other,
}

/// All trees in which something is wrong.
pub type Wrongs = BTreeMap<TreeId, Wrong>;

/// What the engine knows beside the world.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// Whether the uploads want a look.
    pub touched: bool,
    /// Whether the trees are to be compared with the logbook.
    pub doubted: bool,
    /// Whether publications may wait for the uploads.
    pub patient: bool,
    /// The time by which files are removed.
    pub now: Elapsed,
}

/// Most files that one piece of retirement removes, so that a plan never waits long behind it.
pub const RETIRE_AT_ONCE: usize = 1_000;

/// The pieces of work that begin now, at most one in each lane. `first` says what is first in a lane of those that are
/// free: a piece that takes several lanes begins when it is first in all of them and they are free. Until then those
/// that are free are kept free for it, since what takes one lane ends soon; so it cannot starve.
pub fn ready(free: &BTreeSet<Lane>, first: impl Fn(&Lane) -> Option<Work>) -> Vec<Work> {
    let choices: BTreeMap<&Lane, Work> = free.iter().filter_map(|lane| Some((lane, first(lane)?))).collect();
    // Each begins once: in the first of its lanes.
    let begins = |(lane, work): &(&&Lane, &Work)| {
        let lanes = work.lanes();
        lanes.first() == Some(**lane) && lanes.iter().all(|lane| choices.get(lane) == Some(*work))
    };
    choices.iter().filter(begins).map(|(_, work)| work.clone()).collect()
}

/// What there is to do for a distribution, most urgent first. Trees in which something is wrong (`wrong`)
/// are shown anew by nobody, and the moves that are [`held`] wait.
pub fn all<'w>(
    world: &'w World,
    dist: &'w DistPath,
    all_rules: &'w Rules,
    wrong: &'w Wrongs,
    held: &'w BTreeMap<u64, Held>,
    Circumstances { touched, doubted, patient, now }: Circumstances,
) -> Option<impl Iterator<Item = Work> + use<'w>> {
    let rules = all_rules.distributions.get(dist)?;
    let plans = world.rollouts.plans_in(dist);
    let promote = plans.filter(|(number, _)| !held.contains_key(number)).map(|(number, plan)| {
        let plan = Arc::clone(plan);
        // A restore changes one tree, so there is no other one for which it would have to wait.
        if plan.restored().is_some() || world.rollouts.is_staged(number) {
            Work::Show(number, plan)
        } else {
            Work::Stage(number, plan)
        }
    });
    let inspect = doubted.then(|| Work::Inspect(dist.clone(), rules.trees.clone()));
    let may_show = |tree: &&TreeName| {
        !wrong.contains_key(&TreeId { dist: dist.clone(), tree: (*tree).clone() }) && is_dirty(world, dist, tree)
    };
    let dirty: Vec<TreeName> = rules.trees.iter().filter(may_show).cloned().collect();
    let publish = (!dirty.is_empty()).then(|| Work::Publish(dist.clone(), dirty));
    // Uploads may be what a tree has lost; but nothing is brought into one of which nobody knows whose it is.
    let is_strange = |tree: &TreeName| {
        let id = TreeId { dist: dist.clone(), tree: tree.clone() };
        wrong.get(&id).is_some_and(|wrong| wrong.what == Kind::Strange)
    };
    let touched = touched && !rules.trees.first().is_some_and(is_strange);
    let take_in = touched.then(|| Work::TakeIn(dist.clone()));
    let retire = rules.trees.iter().filter_map(move |tree| retire(world, dist, tree, rules, now));
    let (first, second) = if patient && touched { (take_in, publish) } else { (publish, take_in) };
    let all = inspect.into_iter().chain(promote).chain(first).chain(second).chain(retire);
    Some(all.filter(move |work| !work.changes().iter().any(|id| wrong.contains_key(id))))
}

/// A move that was decided and is not carried out: the rules no longer trust who signed, or no longer know a distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What does not work.
    pub what: Trouble,
    /// Why, and what to do.
    pub why: String,
}

/// All moves that are held, by the numbers of their logbook entries.
pub fn held(world: &World, rules: &Rules) -> BTreeMap<u64, Held> {
    let held = world.rollouts.plans().filter_map(|(number, plan)| {
        let owner = &plan.owner;
        let gone = plan.dists().find(|dist| !rules.distributions.contains_key(*dist));
        let why = if let Some(dist) = gone {
            let until = "until it is configured again";
            format!("The distribution {dist} is no longer configured. Nothing is moved for {owner} {until}")
        } else {
            let Finding { code, sentence, .. } = world.objection(rules, plan)?;
            let until = match (code, owner) {
                (HALTED, _) => " until the halt ends".to_owned(),
                (_, Owner::Rollout(_)) => "; withdraw it, or trust the key again".to_owned(),
                (_, Owner::Bundle { parts, .. }) => {
                    let is_it = |rollout: &&RolloutId| world.objection(rules, &plan.part(rollout)).is_some();
                    let rollouts: Vec<&str> = parts.keys().filter(is_it).map(RolloutId::as_str).collect();
                    format!("; withdraw {}, or trust the key again", rollouts.join(", "))
                }
                (_, Owner::Restore { tree, from, .. }) => {
                    format!("; trust the key again, or give it up: `rolloutctl restore {tree} --to {from}`")
                }
            };
            format!("{sentence} Nothing is moved for {owner}{until}")
        };
        Some((number, Held { what: Trouble::of_plan(plan, number), why }))
    });
    held.collect()
}

/// A tree without any publication is dirty too: an empty tree has valid metadata.
fn is_dirty(world: &World, dist: &DistPath, tree: &TreeName) -> bool {
    let id = TreeId { dist: dist.clone(), tree: tree.clone() };
    world.trees.get(&id).is_none_or(|tree| tree.dirty || tree.published.is_none())
}

fn retire(world: &World, dist: &DistPath, tree: &TreeName, rules: &DistRules, now: Elapsed) -> Option<Work> {
    let id = TreeId { dist: dist.clone(), tree: tree.clone() };
    let known = world.trees.get(&id)?;
    let over = |since: Elapsed, grace: std::time::Duration| {
        // A clock that was set back counts as no waiting at all.
        std::time::Duration::try_from(now.since(since)).is_ok_and(|waited| waited >= grace)
    };
    let metadata = known
        .superseded
        .iter()
        .filter(|(_, since)| over(**since, rules.grace_metadata))
        .map(|(name, _)| format!("repodata/{name}"));
    // A plan may have brought one back already of which it is not written down.
    let moves = world.rollouts.plans_in(dist).filter_map(|(_, plan)| plan.of(dist));
    let moves = moves.filter(|one| one.target.as_ref() == Some(tree));
    let comes: BTreeSet<String> = moves.flat_map(|one| one.items.iter().map(Item::location)).collect();
    let packages = known
        .leaving
        .iter()
        .filter(|(place, since)| over(**since, rules.grace_packages) && !comes.contains(*place))
        .map(|(place, _)| place.clone());
    let files: Vec<String> = metadata.chain(packages).take(RETIRE_AT_ONCE).collect();
    (!files.is_empty()).then_some(Work::Retire(id, files))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::calendar::site::Calendar;
    use crate::domain::plan::Move;
    use crate::process::fact::package::Accepted;
    use crate::process::fact::rollout::Done;
    use crate::process::fact::{Fact, samples::every_fact};
    use crate::process::procedure;
    use crate::process::rules::{Standing, Trust};
    use std::time::Duration;

    /// What the target of the sample move thinks of those who signed the sample package.
    fn trust(standing: Standing) -> (TreeName, Trust) {
        let signers = every_fact().into_iter().find_map(|fact| match fact {
            Fact::Accepted(took) => Some(took.signers),
            _ => None,
        });
        let certs = signers.expect("one is taken in").into_iter().map(|signer| (signer, standing)).collect();
        ("testing".parse().expect("a name"), Trust { certs, min_signers: 1, ..Trust::default() })
    }

    fn dist() -> DistPath {
        "umd/3/sl6/x86_64".parse().expect("a path")
    }

    /// What comes first where nothing is wrong or held.
    fn first(world: &World, moment: Circumstances) -> Option<Work> {
        let rules = Rules { distributions: BTreeMap::from([(dist(), rules())]), ..Rules::default() };
        all(world, &dist(), &rules, &BTreeMap::new(), &BTreeMap::new(), moment)?.next()
    }

    fn rules() -> DistRules {
        DistRules {
            workflow: procedure::samples::brief(),
            calendar: Calendar::default(),
            trees: ["untested", "testing"].iter().map(|t| t.parse().expect("a name")).collect(),
            trust: BTreeMap::from([trust(Standing::Good)]),
            grace_metadata: Duration::from_mins(1),
            grace_packages: Duration::from_hours(1),
            node_types: std::collections::BTreeSet::new(),
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
        let now = Elapsed::recorded(Timestamp::from_second(now).expect("a time"));
        let moment = Circumstances { touched, doubted: false, patient: false, now };
        first(&world(facts), moment).map_or("nothing", |work| work.label())
    }

    /// What begins in lanes that are free, of these pieces of work, the first of which come first.
    fn begins(free: &[&str], todo: &[Work]) -> Vec<Work> {
        let lane = |dist: &&str| Lane::Distribution(dist.parse().expect("a path"));
        ready(&free.iter().map(lane).collect(), |lane| todo.iter().find(|work| work.lanes().contains(lane)).cloned())
    }

    #[test]
    fn a_plan_begins_when_all_its_lanes_are_free_and_they_are_kept_free_for_it() {
        let plan = |number: u64, dists: &[&str]| {
            let one = |dist: &&str| Move { dist: dist.parse().expect("a path"), target: None, items: vec![] };
            let plan =
                Plan { owner: Owner::Rollout("r".parse().expect("an id")), moves: dists.iter().map(one).collect() };
            Work::Stage(number, Arc::new(plan))
        };
        let look = |dist: &str| Work::TakeIn(dist.parse().expect("a path"));
        let first = plan(1, &["a", "b"]);
        let todo = [first.clone(), plan(2, &["b", "c"]), look("a"), look("c"), look("d")];
        assert_eq!(begins(&["a", "b", "c", "d"], &todo), [first, look("d")], "the second one waits for `b`");
        assert_eq!(begins(&["a", "d"], &todo), [look("d")], "`a` is kept free until `b` is");
        assert_eq!(begins(&["b", "c", "d"], &todo[1..]), [todo[1].clone(), look("d")]);
        let inspect = Work::Inspect("b".parse().expect("a path"), vec![]);
        let todo = [inspect.clone(), todo[0].clone(), look("a")];
        assert_eq!(begins(&["a", "b"], &todo), [inspect], "what comes before it in one lane comes first");
    }

    #[test]
    fn a_plan_that_is_staged_is_shown_and_one_of_a_distribution_that_is_gone_does_not_begin() {
        let several = crate::process::fact::samples::of_several();
        let signer = every_fact().into_iter().find_map(|fact| match fact {
            Fact::Accepted(took) => Some(took),
            _ => None,
        });
        // Their signers are trusted.
        let took = |path: &str, nevra: &str| {
            let (dist, nevra) = (path.parse().expect("a path"), nevra.parse().expect("a nevra"));
            Fact::Accepted(Accepted { dist, nevra, ..signer.clone().expect("one is taken in") })
        };
        let arrivals =
            [took("umd/3/sl5/i386", "bdii-5.2.22-1.el5.i386"), took("umd/3/sl6/x86_64", "bdii-5.2.22-1.el6.x86_64")];
        let mut world = world(&several[..2]);
        for fact in &arrivals {
            world.apply(world.last, Timestamp::UNIX_EPOCH, "me", fact);
        }
        let both = ["umd/3/sl5/i386", "umd/3/sl6/x86_64"].map(|path| path.parse::<DistPath>().expect("a path"));
        let moment = Circumstances { touched: false, doubted: false, patient: false, now: Elapsed::default() };
        let first = |world: &World, known: &[DistPath]| {
            let rules =
                Rules { distributions: known.iter().map(|dist| (dist.clone(), rules())).collect(), ..Rules::default() };
            let held = held(world, &rules);
            all(world, &both[1], &rules, &BTreeMap::new(), &held, moment)?.next().map(|work| work.label())
        };
        assert_eq!(first(&world, &both), Some("stage"));
        assert_eq!(first(&world, &both[1..]), Some("publish"), "it waits until the other one is configured again");
        let mut staged = world.clone();
        staged.apply(3, Timestamp::UNIX_EPOCH, "rolloutd", &several[2]);
        assert!(staged.mismatches.is_empty(), "{:?}", staged.mismatches);
        assert_eq!(first(&staged, &both), Some("show"));
        let mut over = staged.clone();
        over.apply(4, Timestamp::UNIX_EPOCH, "rolloutd", &Fact::Done(Done { plan: 2, rollout: None }));
        assert_eq!(first(&over, &both), Some("publish"));
        // What was never taken in is named.
        over.apply(5, Timestamp::UNIX_EPOCH, "rolloutd", &several[2]);
        assert_eq!(over.mismatches.len(), 1);
    }

    #[test]
    fn a_plan_without_its_done_is_work_whenever_it_was_made() {
        let facts = every_fact();
        let moved = facts.iter().position(|f| matches!(f, Fact::Moved(_))).expect("one moves");
        assert_eq!(label(&facts[..=moved], true, 0), "stage");
        assert_ne!(label(&facts[..=moved + 1], true, 0), "stage");
    }

    /// What is there to do at most, while a move is not carried out.
    fn while_moving(rules: DistRules, wrong: &Wrongs) -> (Vec<&'static str>, BTreeMap<u64, Held>) {
        let facts = every_fact();
        let moved = facts.iter().position(|f| matches!(f, Fact::Moved(_))).expect("one moves");
        let dist = dist();
        let moment = Circumstances { touched: true, doubted: true, patient: false, now: Elapsed::default() };
        let world = world(&facts[..=moved]);
        let rules = Rules { distributions: BTreeMap::from([(dist.clone(), rules)]), ..Rules::default() };
        let held = held(&world, &rules);
        let todo = all(&world, &dist, &rules, wrong, &held, moment).into_iter().flatten().map(|work| work.label());
        (todo.collect(), held.clone())
    }

    #[test]
    fn a_move_is_held_while_its_signer_is_not_trusted_any_more_and_nothing_else_is() {
        let with = |trust| while_moving(DistRules { trust, ..rules() }, &BTreeMap::new());
        let (todo, said) = with(BTreeMap::from([trust(Standing::Good)]));
        assert_eq!((todo, said), (vec!["inspect", "stage", "publish", "take-in"], BTreeMap::new()));
        for (trust, why) in
            [(BTreeMap::from([trust(Standing::Revoked)]), "which is revoked"), (BTreeMap::new(), "wants 1")]
        {
            let (todo, said) = with(trust);
            assert_eq!(todo, ["inspect", "publish", "take-in"]);
            let moved = every_fact().iter().position(|f| matches!(f, Fact::Moved(_))).expect("one moves") as u64 + 1;
            let [(number, Held { what, why: words })] = &said.into_iter().collect::<Vec<_>>()[..] else {
                panic!("one")
            };
            assert_eq!(
                (*number, what.to_string()),
                (moved, format!("promote umd/3/sl6/x86_64 (logbook entry {moved})"))
            );
            assert!(words.contains(why) && words.contains("withdraw it"), "{words}");
        }
    }

    #[test]
    fn nothing_is_done_to_a_tree_in_which_something_is_wrong() {
        let todo = |tree: &'static str, what| {
            let id = TreeId { dist: dist(), tree: tree.parse().expect("a name") };
            while_moving(rules(), &BTreeMap::from([(id, Wrong { why: String::new(), what })])).0
        };
        assert_eq!(todo("delta", Kind::Strange), ["inspect", "stage", "publish", "take-in"]);
        for what in [Kind::Strange, Kind::Other] {
            assert_eq!(todo("testing", what), ["inspect", "publish", "take-in"], "the other tree is published alone");
        }
        assert_eq!(todo("untested", Kind::Missing(BTreeSet::new())), ["inspect", "publish", "take-in"]);
        assert_eq!(todo("untested", Kind::Strange), ["inspect", "publish"], "uploads wait");
    }

    #[test]
    fn uploads_of_a_burst_go_before_the_publication_that_shows_them() {
        let label = |touched, patient| {
            let moment = Circumstances { touched, doubted: false, patient, now: Elapsed::default() };
            first(&World::default(), moment).map(|work| work.label())
        };
        assert_eq!(label(true, true), Some("take-in"));
        assert_eq!(label(false, true), Some("publish"));
        assert_eq!(label(true, false), Some("publish"));
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
        let now = Elapsed::recorded(Timestamp::from_second(3600).expect("a time"));
        let moment = Circumstances { touched: false, doubted: false, patient: false, now };
        let Some(Work::Retire(id, files)) = first(&world(&facts), moment) else { panic!("work") };
        assert_eq!((id.tree.as_str(), files), ("untested", vec!["Packages/b/bdii-5.2.22-1.el6.noarch.rpm".to_owned()]));
    }
}
