//! A snapshot for readers: API, pages, metrics.
//!
//! After each fold the engine replaces the [`View`] by a new one. A reader takes the newest and keeps it as long as it
//! likes: it never changes, and nobody waits for readers. A view costs next to nothing, since the maps of the world
//! share whatever is the same in both.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock, RwLockWriteGuard};

use jiff::Timestamp;

use crate::domain::attributes::Attributes;
use crate::domain::backlog::Backlog;
use crate::domain::gate::{Finding, Judgement, judge};
use crate::domain::moment::Moment;
use crate::domain::names::{DistPath, RolloutId, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::people::People;
use crate::domain::plan::Owner;
use crate::domain::rollout::Rollout;
use crate::domain::workflow::{State, Transition};
use crate::format::repofile;
use crate::process::act::step;
use crate::process::agenda::{Lane, Work, Wrongs};
use crate::process::difference::{self, Difference, Shown};
use crate::process::gate::superseded::superseded_by;
use crate::process::known::Known;
use crate::process::outlook::{self, Outlook};
use crate::process::rules::{DistRules, Rules};
use crate::process::trouble::{Trouble, Troubles};
use crate::process::who::Caller;
use crate::process::world::World;
use crate::process::world::attributes::By;
use crate::store::logbook::Head;

/// What the engine shares with its readers: the newest view.
#[derive(Debug, Default)]
pub struct Shared {
    newest: RwLock<Arc<View>>,
    beats: AtomicU64,
}

/// The state at one moment. A view that somebody reads never changes.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The fold of the logbook.
    pub world: World,
    /// The end of the logbook, as far as it is folded.
    pub head: Head,
    /// The rules in force.
    pub rules: Arc<Rules>,
    /// Who is behind the ids of the logbook.
    pub people: People,
    /// Work in progress, by lane.
    pub busy: BTreeMap<Lane, &'static str>,
    /// What is wrong now, by subject; empty means healthy.
    pub troubles: Troubles,
    /// Trees in which something is wrong, and what.
    pub wrong: Wrongs,
    /// Listed packages whose keys are revoked: they stay listed, and somebody should withdraw them.
    pub revoked: BTreeMap<TreeId, String>,
    /// Uploads that are not taken in: for the uploaders to fix, and not our trouble.
    pub uploads: BTreeMap<DistPath, Backlog>,
    /// The moment at which the engine took its last input.
    pub now: Moment,
    /// Whether recovery is over.
    pub ready: bool,
    /// Pieces of work that ended, by label: how many, and how many of them failed.
    pub worked: BTreeMap<&'static str, (u64, u64)>,
}

/// The newest view while the engine changes it; readers have the one before until then.
pub(super) struct Change<'s>(RwLockWriteGuard<'s, Arc<View>>);

impl Deref for Change<'_> {
    type Target = View;

    fn deref(&self) -> &View {
        &self.0
    }
}

impl DerefMut for Change<'_> {
    fn deref_mut(&mut self) -> &mut View {
        // If somebody is reading, this changes a copy; the two share the maps of the world.
        Arc::make_mut(&mut self.0)
    }
}

impl Shared {
    /// The newest view. A panic elsewhere does not make it unreadable.
    pub fn read(&self) -> Arc<View> {
        Arc::clone(&self.newest.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Changes the newest view: for the engine alone.
    pub(super) fn write(&self) -> Change<'_> {
        Change(self.newest.write().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Begins with these rules and the world that `fill` folds.
    ///
    /// # Errors
    /// What `fill` says.
    pub fn begin<E>(&self, rules: Rules, fill: impl FnOnce(&mut World) -> Result<(), E>) -> Result<(), E> {
        let mut inside = self.write();
        inside.rules = Arc::new(rules);
        fill(&mut inside.world)
    }

    /// How often the engine's loop has gone round.
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// The engine's loop has gone round once more.
    pub(super) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Sets or clears a trouble.
    pub fn trouble(&self, what: &Trouble, why: Option<String>) {
        self.write().trouble(what, why);
    }
}

/// A rollout as readers see it.
#[derive(Clone, Debug)]
pub struct RolloutView {
    /// The rollout.
    pub rollout: Rollout,
    /// Who put it into its state, as people read it.
    pub by: String,
    /// Where each package lies in its distribution; nowhere when it was never taken in or was withdrawn.
    pub packages: Vec<(DistPath, Nevra, Vec<String>)>,
    /// What restores of trees have taken away of it.
    pub findings: Vec<Finding>,
    /// The states it can go to, with what each does to the trees.
    pub next: Vec<(State, String)>,
    /// What is said of it, by people or by its title.
    pub attributes: Attributes,
    /// What keeps its packages from being moved now, when they are to be moved.
    pub trouble: Option<String>,
    /// The rollout that has taken its place.
    pub superseded_by: Option<RolloutId>,
    /// Those whose place it has taken.
    pub supersedes: Vec<RolloutId>,
}

/// Which rollouts are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of this distribution.
    pub dist: Option<DistPath>,
    /// In this state, in any spelling.
    pub state: Option<String>,
    /// That name this package.
    pub package: Option<Nevra>,
    /// Of which all of this is said.
    pub with: Vec<(By, String)>,
    /// With these words in their title or name; in lower case.
    pub text: Option<String>,
    /// After this place in the order.
    pub after: Option<After>,
    /// Whose last change is no older.
    pub since: Option<Timestamp>,
    /// At most this many.
    pub limit: usize,
}

impl Wanted {
    /// Whether the wanted words are in the title or name of a rollout.
    fn words_are_in(&self, rollout: &Rollout) -> bool {
        let has = |words: &str, text: &str| words.to_lowercase().contains(text);
        self.text.as_ref().is_none_or(|text| has(&rollout.title, text) || has(rollout.id.as_str(), text))
    }
}

/// A place in the order of rollouts, which is that of their last changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct After((Timestamp, RolloutId));

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self((since, id)) = self;
        write!(f, "{since}~{id}")
    }
}

impl FromStr for After {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let place = text.split_once('~').and_then(|(since, id)| Some((since.parse().ok()?, id.parse().ok()?)));
        place
            .map(Self)
            .ok_or_else(|| format!("`{}` is not a position in the list; follow its links", text.escape_debug()))
    }
}

/// A tree as readers see it.
#[derive(Clone, Debug)]
pub struct TreeView {
    /// Which.
    pub id: TreeId,
    /// The tree of production that its early adopters use beside it, if it has early adopters.
    pub production: Option<TreeName>,
    /// Packages that its metadata lists.
    pub packages: u64,
    /// Its revision; 0 before the first publication.
    pub revision: u64,
    /// When it was published last.
    pub published: Option<Timestamp>,
    /// Files that are waiting for their removal.
    pub retiring: usize,
    /// Whether a publication is due.
    pub dirty: bool,
    /// The earlier revision that it shows again, if that is so.
    pub restored: Option<u64>,
    /// The restore that is not carried out yet.
    pub restoring: Option<Restoring>,
}

/// A restore that was decided and is not carried out yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restoring {
    /// The number of its entry.
    pub entry: u64,
    /// The revision that is restored.
    pub to: u64,
    /// What is in its way.
    pub trouble: Option<String>,
}

impl View {
    /// Sets or clears a trouble.
    pub(super) fn trouble(&mut self, what: &Trouble, why: Option<String>) {
        match why {
            Some(why) => self.troubles.insert(what.clone(), why),
            None => self.troubles.remove(what),
        };
    }

    /// What a decision goes by.
    pub fn known(&self) -> Known<'_> {
        let Self { world, rules, people, wrong, troubles, now, .. } = self;
        Known { world, rules, people, wrong, troubles, now: *now }
    }

    /// One rollout.
    pub fn rollout(&self, id: &RolloutId) -> Option<RolloutView> {
        let rollout = self.world.rollouts.get(id)?.clone();
        let lies = |(dist, nevra): (&DistPath, &Nevra)| {
            let trees = self.world.listed_in(dist, nevra).map(ToString::to_string).collect();
            (dist.clone(), nevra.clone(), trees)
        };
        let packages = rollout.packages().map(lies).collect();
        let dist = self.rules.of(&rollout.parts).ok();
        let is_stuck = self.known().stuck(&rollout).is_some();
        let next = dist.map(|dist| World::ways(dist, &rollout, is_stuck).map(step).collect()).unwrap_or_default();
        let trouble = self.in_the_way(&rollout);
        let by = self.people.shown(rollout.by.as_str()).into_owned();
        let attributes = self.world.attributes.of(id);
        let known = self.known();
        let findings = self.world.taken_away(rollout.packages());
        let is_of_it = |earlier: &&RolloutId| superseded_by(known, earlier) == Some(id);
        let supersedes = self.world.successors.before(id).filter(is_of_it).cloned().collect();
        let superseded_by = superseded_by(known, id).cloned();
        Some(RolloutView { rollout, by, packages, findings, next, attributes, trouble, superseded_by, supersedes })
    }

    /// A page of the rollouts that are wanted, the newest change first, and where the next page begins.
    pub fn rollouts(&self, wanted: &Wanted) -> (Vec<RolloutView>, Option<After>) {
        let mut found = self.matching(wanted);
        if let Some(since) = wanted.since {
            found.truncate(found.partition_point(|rollout| rollout.since >= since));
        }
        let more = found.len() > wanted.limit;
        found.truncate(wanted.limit);
        let page: Vec<RolloutView> = found.iter().filter_map(|rollout| self.rollout(&rollout.id)).collect();
        let last = page.last().filter(|_| more).map(|view| After((view.rollout.since, view.rollout.id.clone())));
        (page, last)
    }

    /// One more than is wanted, if there is one.
    fn matching(&self, wanted: &Wanted) -> Vec<&Rollout> {
        let after = wanted.after.as_ref().map(|After(place)| place);
        let one_more = wanted.limit.saturating_add(1);
        let fits = |dist: &DistPath, state: &State| {
            wanted.state.as_ref().is_none_or(|named| self.is_called(dist, state, named))
        };
        if !wanted.with.is_empty() {
            return self.described(wanted, fits);
        }
        let Some(nevra) = &wanted.package else {
            let has_text =
                |id: &RolloutId| self.world.rollouts.get(id).is_some_and(|rollout| wanted.words_are_in(rollout));
            return self.world.rollouts.newest(wanted.dist.as_ref(), fits, after, has_text, one_more);
        };
        // Few name a package, so they are put in order here.
        let dists = self.world.rollouts.distributions().filter(|dist| wanted.dist.as_ref().is_none_or(|d| d == *dist));
        let mut naming: Vec<&Rollout> = dists.flat_map(|dist| self.world.rollouts.naming(dist, nevra)).collect();
        let is_called = |r: &Rollout| r.dists().any(|dist| fits(dist, &r.state));
        let is_after = |r: &Rollout| after.is_none_or(|(since, id)| (r.since, &r.id) < (*since, id));
        naming.retain(|r| is_called(r) && is_after(r) && wanted.words_are_in(r));
        naming.sort_by_key(|rollout| std::cmp::Reverse((rollout.since, &rollout.id)));
        naming.dedup_by_key(|rollout| &rollout.id);
        naming.truncate(one_more);
        naming
    }

    /// The same where something has to be said of them.
    fn described(&self, wanted: &Wanted, fits: impl Fn(&DistPath, &State) -> bool) -> Vec<&Rollout> {
        let sets = wanted.with.iter().map(|(by, word)| self.world.attributes.with(*by, word));
        let Some(mut sets) = sets.collect::<Option<Vec<_>>>() else { return vec![] };
        // The smallest first, so that few are looked at.
        sets.sort_by_key(|set| set.len());
        let Some((smallest, others)) = sets.split_first() else { return vec![] };
        let in_all = smallest.iter().filter(|id| others.iter().all(|set| set.contains(*id)));
        let mut found: Vec<&Rollout> = in_all.filter_map(|id| self.world.rollouts.get(id)).collect();
        let is_of = |dist: &DistPath| wanted.dist.as_ref().is_none_or(|wanted| wanted == dist);
        let names = |r: &Rollout| wanted.package.as_ref().is_none_or(|it| r.packages().any(|(_, nevra)| nevra == it));
        let is_after =
            |r: &Rollout| wanted.after.as_ref().is_none_or(|After((since, id))| (r.since, &r.id) < (*since, id));
        let is_called = |r: &Rollout| r.dists().any(|dist| is_of(dist) && fits(dist, &r.state));
        found.retain(|r| is_called(r) && names(r) && is_after(r) && wanted.words_are_in(r));
        found.sort_by_key(|rollout| std::cmp::Reverse((rollout.since, &rollout.id)));
        found.truncate(wanted.limit.saturating_add(1));
        found
    }

    /// What to say of a distribution or a state that is asked for and never was.
    pub fn unknown(&self, wanted: &Wanted) -> Option<String> {
        let (rules, rollouts) = (&self.rules, &self.world.rollouts);
        let is_known = |dist: &DistPath| {
            rules.distributions.contains_key(dist) || rollouts.distributions().any(|known| known == dist)
        };
        if let Some(dist) = wanted.dist.as_ref().filter(|dist| !is_known(dist)) {
            return Some(rules.no_distribution(dist));
        }
        let named = wanted.state.as_ref()?;
        let all = rules.distributions.iter().filter(|(dist, _)| wanted.dist.as_ref().is_none_or(|one| one == *dist));
        let workflows: Vec<_> = all.map(|(_, rules)| &rules.workflow).collect();
        let has_one = rollouts.states().any(|(_, state, _)| state.as_str() == named);
        if has_one || workflows.iter().any(|workflow| workflow.state(named).is_ok()) {
            return None;
        }
        let mut states: Vec<&str> =
            workflows.iter().flat_map(|workflow| workflow.states()).map(State::as_str).collect();
        states.sort_unstable();
        states.dedup();
        Some(format!("no procedure has the state `{}`; there are {}", named.escape_debug(), states.join(", ")))
    }

    /// Whether a state has this name, in any spelling that the distribution's procedure knows.
    fn is_called(&self, dist: &DistPath, state: &State, named: &str) -> bool {
        let rules = self.rules.distributions.get(dist);
        let named_one = rules.and_then(|rules| rules.workflow.state(named).ok());
        named_one.map_or_else(|| state.as_str() == named, |named| state == named)
    }

    /// What keeps the plan of a rollout from being carried out: its own failure, what is wrong in a tree that
    /// it changes, or what stops everything.
    fn in_the_way(&self, rollout: &Rollout) -> Option<String> {
        let number = rollout.plan?;
        let work = Work::Stage(number, Arc::clone(self.world.rollouts.plan(number)?));
        let trees = work.changes().into_iter().map(Trouble::Tree);
        let all = [Trouble::Logbook, Trouble::Disk];
        std::iter::once(work.trouble()).chain(trees).chain(all).find_map(|what| self.troubles.get(&what).cloned())
    }

    /// What keeps a rollout from each state that it can go to.
    pub fn why(&self, id: &RolloutId, caller: &Caller) -> Option<Vec<(State, Judgement)>> {
        let rollout = self.world.rollouts.get(id)?;
        let dist = match self.rules.of(&rollout.parts) {
            Ok(dist) => dist,
            // It can go nowhere, and this is why.
            Err(finding) => return Some(vec![(rollout.state.clone(), judge(vec![finding]))]),
        };
        let trouble = self.in_the_way(rollout);
        let judged = |to: &State| {
            let judged = step::why(self.known(), caller, rollout, to.as_str());
            with_trouble(judged, trouble.as_deref())
        };
        let is_stuck = self.known().stuck(rollout).is_some();
        Some(World::ways(dist, rollout, is_stuck).map(|t| (t.to.clone(), judged(&t.to))).collect())
    }

    /// What a step would do, and what keeps the rollout from it.
    pub fn outlook(&self, id: &RolloutId, caller: &Caller, state: &str) -> Option<Outlook> {
        let rollout = self.world.rollouts.get(id)?;
        let outlook = outlook::outlook(self.known(), caller, rollout, state);
        let judged = with_trouble(outlook.judged, self.in_the_way(rollout).as_deref());
        Some(Outlook { judged, ..outlook })
    }

    /// What differs between two trees.
    pub fn difference(&self, trees: [&TreeId; 2], shown: &Shown) -> Difference {
        difference::difference(&self.world, trees, shown)
    }

    /// Whether a tree is configured, or was once.
    pub fn has_tree(&self, id: &TreeId) -> bool {
        let rules = self.rules.distributions.get(&id.dist);
        rules.is_some_and(|rules| rules.trees.contains(&id.tree)) || self.world.trees.get(id).is_some()
    }

    /// The restore of a tree that is not carried out yet.
    fn restoring(&self, id: &TreeId) -> Option<Restoring> {
        let (entry, plan) = self.world.rollouts.restore_of(id)?;
        let Owner::Restore { to, .. } = plan.owner else { return None };
        let trouble = self.known().stuck_plan(entry, plan);
        Some(Restoring { entry, to, trouble })
    }

    /// All trees in the order of the configuration.
    pub fn trees(&self) -> Vec<TreeView> {
        let ids = |(dist, rules): (&DistPath, &DistRules)| {
            let beside = |id: TreeId| (repofile::production_beside(&rules.trees, &id.tree).cloned(), id);
            rules.trees_of(dist).into_iter().map(beside).collect::<Vec<_>>()
        };
        let ids = self.rules.distributions.iter().flat_map(ids);
        ids.map(|(production, id)| {
            let known = self.world.trees.get(&id).cloned().unwrap_or_default();
            TreeView {
                production,
                packages: known.listed,
                revision: known.revision,
                published: known.published,
                retiring: known.superseded.len() + known.leaving.len(),
                dirty: known.dirty,
                restored: known.restored.map(|restored| restored.to),
                restoring: self.restoring(&id),
                id,
            }
        })
        .collect()
    }
}

/// The same findings; that of a move that goes on says why it has failed so far.
fn with_trouble(mut judged: Judgement, trouble: Option<&str>) -> Judgement {
    if let (Some(why), Some(busy)) = (trouble, judged.findings.iter_mut().find(|f| f.code == "busy")) {
        let _ = write!(busy.sentence, " It has failed so far: {why}");
    }
    judged
}

/// The state that a transition leads to, and what it does to the packages.
fn step(way: &Transition) -> (State, String) {
    (way.to.clone(), way.effect.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::calendar::site::Calendar;
    use crate::domain::request::Priority;
    use crate::process::fact::attributes::Described;
    use crate::process::fact::rollout::Submitted;
    use crate::process::fact::{Fact, samples::every_fact};
    use crate::process::procedure;

    /// A rollout whose packages are to be moved, when something is wrong with this.
    fn held_up_by(what: impl Fn(DistPath, u64) -> Trouble) -> (Option<String>, String) {
        let mut inside = View::default();
        let facts = every_fact();
        let moved = facts.iter().position(|fact| matches!(fact, Fact::Moved(_))).expect("one moves");
        for (n, fact) in facts[..=moved].iter().enumerate() {
            inside.world.apply(n as u64 + 1, Timestamp::UNIX_EPOCH, "me", fact);
        }
        let rollout = inside.world.rollouts.iter().find(|r| r.plan.is_some()).expect("one moves").clone();
        let rules = DistRules {
            workflow: procedure::samples::brief(),
            calendar: Calendar::default(),
            trees: vec![],
            trust: BTreeMap::new(),
            grace_metadata: std::time::Duration::ZERO,
            grace_packages: std::time::Duration::ZERO,
            node_types: std::collections::BTreeSet::new(),
        };
        Arc::make_mut(&mut inside.rules).distributions.insert(rollout.parts[0].dist.clone(), rules);
        let number = rollout.plan.expect("it moves");
        inside.troubles.insert(what(rollout.parts[0].dist.clone(), number), "no room".to_owned());
        let caller = Caller::new(crate::domain::names::Actor::recorded("me"), crate::process::who::Channel::Api, []);
        let why = inside.why(&rollout.id, &caller).expect("known");
        let busy = why.iter().flat_map(|(_, judged)| &judged.findings).find(|f| f.code == "busy").expect("it is busy");
        (inside.rollout(&rollout.id).expect("known").trouble, busy.sentence.clone())
    }

    #[test]
    fn a_rollout_says_what_holds_its_packages_up() {
        let ways: [fn(DistPath, u64) -> Trouble; 4] = [
            |dist, number| Trouble::Promote(vec![dist], number),
            |dist, _| Trouble::Tree(TreeId { dist, tree: "testing".parse().expect("a name") }),
            |_, _| Trouble::Logbook,
            |_, _| Trouble::Disk,
        ];
        for what in ways {
            let (trouble, busy) = held_up_by(what);
            assert_eq!(trouble.as_deref(), Some("no room"), "{busy}");
            assert!(busy.ends_with("It has failed so far: no room"), "{busy}");
        }
    }

    #[test]
    fn the_trouble_of_others_is_not_that_of_a_rollout() {
        let ways: [fn(DistPath, u64) -> Trouble; 3] = [
            |dist, _| Trouble::Promote(vec![dist], 999),
            |dist, _| Trouble::Tree(TreeId { dist, tree: "delta".parse().expect("a name") }),
            |_, _| Trouble::Reload,
        ];
        for what in ways {
            let (trouble, busy) = held_up_by(what);
            assert!(trouble.is_none() && !busy.contains("no room"), "{busy}");
        }
    }

    /// A view of so many rollouts of two distributions, two of which change in the same second.
    fn with_rollouts(number: usize) -> View {
        let mut view = View::default();
        for n in 0..number {
            let fact = Submitted {
                rollout: format!("r{n}").parse().expect("an id"),
                title: String::new(),
                parts: vec![crate::domain::rollout::Part {
                    dist: if n % 3 == 0 { "b" } else { "a" }.parse().expect("a path"),
                    packages: vec![format!("p{}-1-1.noarch", n / 5).parse().expect("a nevra")],
                }],
                state: if n % 2 == 0 { "Unverified" } else { "InVerification" }.to_owned(),
            };
            let at = Timestamp::from_second(i64::try_from(n / 2).expect("few")).expect("a time");
            view.world.apply(n as u64 + 1, at, "me", &fact.into());
        }
        view
    }

    fn all_pages(view: &View, mut wanted: Wanted) -> Vec<String> {
        let mut ids = Vec::new();
        loop {
            let (page, next) = view.rollouts(&wanted);
            assert!(page.len() <= wanted.limit);
            ids.extend(page.iter().map(|view| view.rollout.id.to_string()));
            let Some(next) = next else { return ids };
            assert!(!page.is_empty());
            wanted.after = Some(next.to_string().parse().expect("a place"));
        }
    }

    #[test]
    fn the_pages_of_a_list_have_each_rollout_once_and_the_newest_first() {
        let view = with_rollouts(250);
        let wanted = |limit| Wanted { limit, ..Wanted::default() };
        let whole = all_pages(&view, wanted(1_000));
        assert_eq!((whole.len(), whole[0].as_str(), whole[249].as_str()), (250, "r249", "r0"));
        for limit in [1, 7, 125, 249, 250] {
            assert_eq!(all_pages(&view, wanted(limit)), whole, "{limit} at once");
        }
        let of_b = Wanted { dist: "b".parse().ok(), ..wanted(10) };
        assert_eq!(all_pages(&view, of_b).len(), 84);
        let verified = Wanted { state: Some("InVerification".to_owned()), dist: "b".parse().ok(), ..wanted(10) };
        assert_eq!(all_pages(&view, verified).len(), 42);
        let naming = Wanted { package: "p3-1-1.noarch".parse().ok(), ..wanted(2) };
        assert_eq!(all_pages(&view, naming), ["r19", "r18", "r17", "r16", "r15"]);
        // By words, in the same pages.
        let words = |text: &str| Wanted { text: Some(text.to_owned()), ..wanted(2) };
        assert_eq!(
            all_pages(&view, words("r24")),
            ["r249", "r248", "r247", "r246", "r245", "r244", "r243", "r242", "r241", "r240", "r24"]
        );
        assert!(all_pages(&view, words("nothing like it")).is_empty());
        assert!("yesterday".parse::<After>().is_err());
        let mut said = view;
        for n in (0..250).step_by(2) {
            let (rollout, rank) = (format!("r{n}").parse().expect("an id"), [Priority::Low, Priority::High][n / 2 % 2]);
            let attributes = Attributes { product: "BDII".parse().ok(), priority: Some(rank), ..Attributes::default() };
            said.world.apply(1_000, Timestamp::UNIX_EPOCH, "me", &Described { rollout, attributes }.into());
        }
        let with = |words: &[(By, &str)], limit| Wanted {
            with: words.iter().map(|(by, word)| (*by, (*word).to_owned())).collect(),
            ..wanted(limit)
        };
        let (bdii, high) = ((By::Product, "bdii"), (By::Priority, "high"));
        assert_eq!(all_pages(&said, with(&[bdii, high], 7)).len(), 62);
        let of_b = Wanted { dist: "b".parse().ok(), package: "p3-1-1.noarch".parse().ok(), ..with(&[bdii], 1) };
        assert_eq!(all_pages(&said, of_b), ["r18"]);
        assert!(all_pages(&said, with(&[bdii, (By::Severity, "high")], 7)).is_empty());
    }

    #[test]
    fn a_view_that_somebody_reads_does_not_change() {
        let shared = Shared::default();
        let before = shared.read();
        shared.trouble(&Trouble::Disk, Some("full".to_owned()));
        shared.write().world = with_rollouts(3).world;
        assert!(before.troubles.is_empty() && before.world.rollouts.is_empty());
        let now = shared.read();
        assert_eq!((now.troubles.len(), now.world.rollouts.len()), (1, 3));
    }
}
