//! What an input calls for: entries for the logbook and an answer. Reads the world and changes nothing.
//!
//! A person's request is answered with all findings when it cannot be carried out. A tracker's word is
//! remembered first (S0: the state of the ticket is what counts): what only has to wait is kept as the
//! rollout's *wanted* state and tried again whenever something has changed; what can never be is
//! written down as refused.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::agenda::{Kind, Work, Wrong, Wrongs};
use super::entry::{Fact, Published, TurnedAway, TurnedAwayTogether};
use super::input::{Ask, Hint, Input, WorkEnd};
use super::rules::{Caller, DistRules, Rules, SIGNER_REVOKED};
use super::world::{Package, Words, World};
use crate::domain::gate::{Finding, Judgement, Verdict, judge};
use crate::domain::names::{Actor, DistPath, Role, RolloutId, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::plan::{Item, Plan};
use crate::domain::rollout::{PACKAGES_MAX, Rollout};
use crate::domain::workflow::{Effect, Gate, NoStep, State, Transition};

/// So many refusals of one look have an entry each, if they are for the same reason.
const REFUSED_APART: usize = 16;

/// An entry before it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Who caused it.
    pub who: Actor,
    /// Why, one sentence; may be empty.
    pub why: String,
    /// What.
    pub fact: Fact,
}

/// What an input calls for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// To be written and folded in, in this order, all or none.
    pub entries: Vec<Entry>,
    /// What whoever asked is told once they are written.
    pub answer: Option<Answer>,
}

/// What whoever asked is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A rollout was made.
    Submitted(RolloutId),
    /// A rollout has its new state; packages move now, if any.
    Moved {
        /// The rollout.
        rollout: RolloutId,
        /// Its state now.
        state: State,
        /// How many packages move.
        packages: usize,
    },
    /// The hint is durable; what came of it.
    Remembered(Outcome),
    /// The hint was heard before.
    Repeated,
    /// Something else was heard before under the same delivery id; nothing was changed.
    Reused(String),
    /// Its time lies in the future; nothing was changed.
    Ahead(String),
    /// No, for these reasons.
    Refused(Judgement),
    /// A package was given up, and these trees no longer list it.
    Lost {
        /// The package.
        nevra: Nevra,
        /// Its distribution.
        dist: DistPath,
        /// Where it was listed.
        trees: Vec<TreeName>,
    },
    /// There is no such thing.
    NotFound(String),
    /// It exists already.
    Conflict(String),
}

/// What came of a hint that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// One stable word: `moved`, `waits`, `refused`, `overtaken` or `nothing`.
    pub word: &'static str,
    /// The same in a sentence.
    pub says: String,
}

impl Outcome {
    fn of(fact: Option<&Fact>) -> Self {
        let Some(fact) = fact else {
            return Self { word: "nothing", says: "the rollout is in this state already".to_owned() };
        };
        let word = match fact {
            Fact::Moved { .. } => "moved",
            Fact::Awaits { .. } => "waits",
            Fact::Refused { findings, .. } if findings.iter().any(|(code, _)| code == STALE) => "overtaken",
            _ => "refused",
        };
        Self { word, says: fact.to_string() }
    }
}

/// How far a tracker's clock may be ahead of this one. What is dated later would overtake all that its tracker says
/// until then.
pub const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(5);

/// The code of what was overtaken.
const STALE: &str = "stale";

/// The actor of what nobody asked for.
fn daemon() -> Actor {
    Actor::recorded("rolloutd")
}

/// What a decision goes by: the logbook, the rules, and what is found to be so on the disk.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The fold of the logbook.
    pub world: &'a World,
    /// The rules in force.
    pub rules: &'a Rules,
    /// Trees in which something is wrong.
    pub wrong: &'a Wrongs,
    /// What does not work now, by its key.
    pub troubles: &'a BTreeMap<String, String>,
}

impl<'a> Known<'a> {
    /// The plan of a rollout that cannot be carried out as things are, and what is in its way: the rules, which no
    /// longer trust who signed; what is wrong in a tree that it changes; or its own failure.
    pub fn stuck(self, rollout: &Rollout) -> Option<(&'a Plan, String)> {
        let number = rollout.plan?;
        let plan = self.world.plans.get(&number)?;
        let rules = self.rules.distributions.get(&plan.dist);
        let objection = rules.and_then(|rules| self.world.objection(rules, plan)).map(|finding| finding.sentence);
        let wrong = || {
            let ids = plan.trees().into_iter().map(|tree| TreeId { dist: plan.dist.clone(), tree });
            ids.into_iter().find_map(|id| self.wrong.get(&id)).map(|wrong| format!("{}.", wrong.why))
        };
        let failed = || self.troubles.get(&Work::key_of_promotion(&plan.dist, number)).map(|why| format!("{why}."));
        objection.or_else(wrong).or_else(failed).map(|why| (plan, why))
    }
}

/// Reads what is known and says what an input calls for.
pub fn decide(known: Known<'_>, input: &Input, now: Timestamp) -> Decision {
    let Known { world, rules, .. } = known;
    match input {
        Input::Asked(caller, Ask::Submit { rollout, dist, title, packages }) => {
            submit(world, rules, caller, rollout, dist, title, packages)
        }
        Input::Asked(caller, Ask::Lose { nevra, dist, reason }) => lose(known, caller, nevra, dist.as_ref(), reason),
        Input::Asked(caller, Ask::GiveUp { rollout, reason }) => give_up(known, caller, rollout, reason),
        Input::Asked(caller, Ask::Move { rollout, state, reason }) => ask_move(known, caller, rollout, state, reason),
        Input::Heard(hint) => heard(known, hint, now),
        Input::WorkEnded(_, end) => ended(world, end),
        Input::Touched(_) | Input::Reloaded(_) | Input::Tick => wanted(known, now),
    }
}

fn refused(findings: Vec<Finding>) -> Decision {
    Decision { entries: vec![], answer: Some(Answer::Refused(judge(findings))) }
}

fn answer(answer: Answer) -> Decision {
    Decision { entries: vec![], answer: Some(answer) }
}

fn submit(
    world: &World,
    rules: &Rules,
    caller: &Caller,
    id: &RolloutId,
    dist: &DistPath,
    title: &str,
    packages: &[Nevra],
) -> Decision {
    let Some(dist_rules) = rules.distributions.get(dist) else {
        let known: Vec<&str> = rules.distributions.keys().map(DistPath::as_str).collect();
        return answer(Answer::NotFound(format!("there is no distribution {dist}; there are {}", known.join(", "))));
    };
    if let Some(known) = world.rollouts.get(id) {
        return answer(Answer::Conflict(format!("the rollout {id} exists already, in state {}", known.state)));
    }
    let mut packages = packages.to_vec();
    packages.sort();
    packages.dedup();
    let mut findings = Vec::new();
    if !may(caller, &[Role::Admin, Role::Srm, Role::Verifier]) {
        findings.push(Finding::new(
            Verdict::NeedsAdmin,
            "role",
            format!("{} may not submit rollouts; that takes admin, srm or verifier.", caller.actor),
        ));
    }
    if packages.is_empty() {
        findings.push(Finding::new(Verdict::Reject, "no_packages", "A rollout names at least one package."));
    }
    if packages.len() > PACKAGES_MAX {
        findings.push(Finding::new(
            Verdict::Reject,
            "too_many_packages",
            format!("A rollout names at most {PACKAGES_MAX} packages."),
        ));
    }
    for nevra in &packages {
        if let Some(other) = open_rollout_of(world, rules, dist, nevra) {
            findings.push(Finding::new(
                Verdict::Reject,
                "in_other_rollout",
                format!("{nevra} belongs to the rollout {}, which is in {}.", other.id, other.state),
            ));
        }
        let end = world.package(dist, nevra).and_then(|package| package.brought.iter().next());
        if let Some((tree, by)) = end {
            let sentence = format!("{nevra} lies in {tree} already, where the rollout {by} has brought it.");
            findings.push(Finding::new(Verdict::Reject, "already_rolled_out", sentence));
        }
    }
    if !findings.is_empty() {
        return refused(findings);
    }
    let title =
        if title.is_empty() { packages.first().map(ToString::to_string).unwrap_or_default() } else { title.to_owned() };
    let fact = Fact::Submitted {
        rollout: id.clone(),
        dist: dist.clone(),
        title,
        packages,
        state: dist_rules.workflow.initial().to_string(),
    };
    Decision {
        entries: vec![Entry { who: caller.actor.clone(), why: String::new(), fact }],
        answer: Some(Answer::Submitted(id.clone())),
    }
}

/// A rollout that still has a way to go and names this package.
fn open_rollout_of<'w>(world: &'w World, rules: &Rules, dist: &DistPath, nevra: &Nevra) -> Option<&'w Rollout> {
    let workflow = &rules.distributions.get(dist)?.workflow;
    let is_open = |r: &&Rollout| r.plan.is_some() || workflow.leaving(&r.state).next().is_some();
    world.rollouts.values().filter(|r| r.dist == *dist && r.packages.binary_search(nevra).is_ok()).find(is_open)
}

fn may(caller: &Caller, roles: &[Role]) -> bool {
    roles.iter().any(|role| caller.roles.contains(role))
}

fn ask_move(known: Known<'_>, caller: &Caller, id: &RolloutId, state: &str, reason: &str) -> Decision {
    let Some(rollout) = known.world.rollouts.get(id) else {
        return answer(Answer::NotFound(format!("there is no rollout {id}")));
    };
    let case = Case::new(known, rollout, caller, state);
    let judged = case.judge();
    match case.step {
        Ok(transition) if judged.verdict == Verdict::Pass => {
            let (entry, packages) = case.moved(transition, reason);
            let state = transition.to.clone();
            Decision { entries: vec![entry], answer: Some(Answer::Moved { rollout: id.clone(), state, packages }) }
        }
        _ => answer(Answer::Refused(judged)),
    }
}

/// Gives a package up. Nothing is given up that may be there: a tree must have been found without it, and every tree
/// that lists it, since one that has it gives it back to the others.
fn lose(known: Known<'_>, caller: &Caller, nevra: &Nevra, dist: Option<&DistPath>, reason: &str) -> Decision {
    let world = known.world;
    let has = |dist: &&DistPath| world.package(dist, nevra).is_some();
    let dists: Vec<&DistPath> = match dist {
        Some(dist) => vec![dist].into_iter().filter(has).collect(),
        None => world.packages.keys().filter(has).collect(),
    };
    let dist = match dists[..] {
        [dist] => dist,
        [] => {
            let place = dist.map(|dist| format!(" into {dist}")).unwrap_or_default();
            return answer(Answer::NotFound(format!("{nevra} was never accepted{place}")));
        }
        _ => {
            let all: Vec<&str> = dists.iter().map(|dist| dist.as_str()).collect();
            return answer(Answer::Conflict(format!("{nevra} is in {}: say which distribution", all.join(" and "))));
        }
    };
    let Some(package) = world.package(dist, nevra) else { return answer(Answer::NotFound(format!("no {nevra}"))) };
    let mut findings = Vec::new();
    if !may(caller, &[Role::Admin]) {
        let sentence = format!("{} may not give packages up; that takes admin.", caller.actor);
        findings.push(Finding::new(Verdict::NeedsAdmin, "role", sentence));
    }
    if reason.trim().is_empty() {
        let sentence = "Giving a package up takes a reason, for whoever asks a year later.";
        findings.push(Finding::new(Verdict::Reject, "no_reason", sentence));
    }
    if package.trees.is_empty() {
        let sentence = format!("{nevra} is listed in no tree of {dist}.");
        findings.push(Finding::new(Verdict::Reject, "not_listed", sentence));
    }
    for tree in &package.trees {
        let id = TreeId { dist: dist.clone(), tree: tree.clone() };
        let is_missing = |wrong: &Wrong| matches!(&wrong.what, Kind::Missing(missing) if missing.contains(nevra));
        match known.wrong.get(&id) {
            Some(wrong) if is_missing(wrong) => {}
            Some(wrong) => {
                let sentence = format!("Whether {nevra} lies in {id} cannot be said as long as {}.", wrong.why);
                findings.push(Finding::new(Verdict::Wait, "tree_held", sentence));
            }
            None => {
                let sentence = format!(
                    "{nevra} lies in {id} as it was accepted, as far as is known; reload to have that looked at now. What \
                     should not be there is withdrawn by its rollout."
                );
                findings.push(Finding::new(Verdict::Reject, "not_lost", sentence));
            }
        }
    }
    if !findings.is_empty() {
        return refused(findings);
    }
    let trees = package.trees.iter().cloned().collect();
    let fact = Fact::Lost { dist: dist.clone(), nevra: nevra.clone(), sha256: package.sha256 };
    Decision {
        entries: vec![Entry { who: caller.actor.clone(), why: reason.to_owned(), fact }],
        answer: Some(Answer::Lost { nevra: nevra.clone(), dist: dist.clone(), trees }),
    }
}

/// Gives up what was decided for a rollout and cannot be carried out, a move or a withdrawal: the rollout is where its
/// packages are listed, and what clients see otherwise already is put right as soon as that can be done.
fn give_up(known: Known<'_>, caller: &Caller, id: &RolloutId, reason: &str) -> Decision {
    let Some(rollout) = known.world.rollouts.get(id) else {
        return answer(Answer::NotFound(format!("there is no rollout {id}")));
    };
    let (Some(number), Some(left), Some(rested)) = (rollout.plan, &rollout.left, &rollout.rested) else {
        return answer(Answer::Conflict(format!("nothing is being moved for {id}")));
    };
    let mut findings = Vec::new();
    let dist = known.rules.distributions.get(&rollout.dist);
    let step = dist.and_then(|dist| dist.workflow.step(left, &rollout.state).ok());
    let is_theirs = step.is_some_and(|step| step.who.iter().any(|role| caller.roles.contains(role)));
    if !is_theirs && !may(caller, &[Role::Admin]) {
        let sentence = format!("{} may not give this up; that takes admin, or who may take the step.", caller.actor);
        findings.push(Finding::new(Verdict::NeedsAdmin, "role", sentence));
    }
    let mut back = None;
    match (dist, known.stuck(rollout)) {
        (None, _) => {
            let sentence = format!("The distribution {} is no longer configured: nothing is done in it.", rollout.dist);
            findings.push(Finding::new(Verdict::NeedsAdmin, "no_distribution", sentence));
        }
        (_, None) => {
            let sentence = format!("What entry {number} does for {id} goes on; nothing is in its way.");
            findings.push(Finding::new(Verdict::Wait, "busy", sentence));
        }
        (Some(dist), Some((plan, _))) => {
            if plan.target.is_none() {
                findings.extend(stays(known.world, dist, plan, reason));
            }
            match way_back(known.world, plan) {
                Ok(plan) => back = Some(plan),
                Err(finding) => findings.push(finding),
            }
        }
    }
    let Some(plan) = back.filter(|_| findings.is_empty()) else { return refused(findings) };
    let packages = plan.items.len();
    let (from, to) = (rollout.state.to_string(), rested.to_string());
    let fact = Fact::Moved { rollout: id.clone(), from, to, plan: Some(plan) };
    let why = if reason.is_empty() { format!("entry {number} is given up") } else { reason.to_owned() };
    let given_up = Answer::Moved { rollout: id.clone(), state: rested.clone(), packages };
    Decision { entries: vec![Entry { who: caller.actor.clone(), why, fact }], answer: Some(given_up) }
}

/// Why packages must not stay where a withdrawal that waits would take them off: somebody has rejected them, so whoever
/// keeps them says why; and nothing makes up for a key that others may have.
fn stays(world: &World, dist: &DistRules, plan: &Plan, reason: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if reason.trim().is_empty() {
        let sentence = "Giving a withdrawal up takes a reason, for whoever asks why these packages are still there.";
        findings.push(Finding::new(Verdict::Reject, "no_reason", sentence));
    }
    let revoked = plan.items.iter().find_map(|item| {
        let signers = &world.package(&plan.dist, &item.nevra)?.signers;
        let mut all = item.leaves.iter().filter_map(|tree| dist.trust(tree).objection(tree, &item.nevra, signers));
        all.find(|finding| finding.code == SIGNER_REVOKED)
    });
    findings.extend(revoked.map(|finding| {
        let sentence = format!("{} Its withdrawal is not given up; put right what is in its way.", finding.sentence);
        Finding { sentence, ..finding }
    }));
    findings
}

/// The plan that undoes what another one may have done so far: its packages are shown again in the tree that lists them,
/// and nowhere else.
fn way_back(world: &World, plan: &Plan) -> Result<Plan, Finding> {
    let mut target: Option<&TreeName> = None;
    let mut items = Vec::new();
    for item in &plan.items {
        let listed = |tree: &&TreeName| {
            world.package(&plan.dist, &item.nevra).is_some_and(|package| package.trees.contains(*tree))
        };
        let here: Vec<&TreeName> = item.leaves.iter().filter(listed).collect();
        let Some(first) = here.first() else {
            let sentence = "Packages go back to where they were already; put right what is in the way of that.";
            return Err(Finding::new(Verdict::Reject, "taken_back", sentence));
        };
        if here.len() > 1 || *target.get_or_insert(first) != *first {
            let trees: BTreeSet<&str> = plan.items.iter().flat_map(|i| &i.leaves).map(TreeName::as_str).collect();
            let trees: Vec<&str> = trees.into_iter().collect();
            let sentence = format!(
                "The packages of {} lie in {}, so that there is no state to which it could go back; put right what is \
                 in the way.",
                plan.rollout,
                trees.join(" and ")
            );
            return Err(Finding::new(Verdict::Reject, "package_elsewhere", sentence));
        }
        let others = item.leaves.iter().chain(&plan.target).filter(|tree| tree != first);
        items.push(Item { leaves: others.cloned().collect(), ..item.clone() });
    }
    Ok(Plan { target: target.cloned(), items, ..plan.clone() })
}

/// What stands between a rollout and a state, for `why`: nothing is changed and nothing is logged.
pub fn why(known: Known<'_>, caller: &Caller, rollout: &Rollout, state: &str) -> Judgement {
    Case::new(known, rollout, caller, state).judge()
}

fn heard(known: Known<'_>, hint: &Hint, now: Timestamp) -> Decision {
    let Known { world, rules, .. } = known;
    let actor = Actor::recorded(&format!("{}:{}", hint.hook, hint.actor));
    let words = Words::of(actor.as_str(), &hint.rollout, &hint.state);
    match world.heard(&hint.hook, &hint.delivery) {
        Some(known) if known == words => return answer(Answer::Repeated),
        Some(_) => {
            let why = "a delivery with this id and other content was heard before; nothing was changed; \
                       each delivery needs an id of its own";
            return answer(Answer::Reused(why.to_owned()));
        }
        None => {}
    }
    if let Some(said) = hint.at.filter(|said| said.duration_since(now) > AHEAD_MAX) {
        let why = format!(
            "`at` is {said}, and here it is {now}: more than {} minutes in the future, so nothing was changed; \
             put the tracker's clock right, or this machine's, and send it again",
            AHEAD_MAX.as_mins()
        );
        return answer(Answer::Ahead(why));
    }
    let entry = |fact| Entry { who: actor.clone(), why: format!("delivery {}", hint.delivery), fact };
    let mut entries = vec![entry(Fact::Heard {
        hook: hint.hook.clone(),
        delivery: hint.delivery.clone(),
        rollout: hint.rollout.clone(),
        state: hint.state.clone(),
        at: hint.at,
    })];
    let not_taken = |findings: &[Finding]| Fact::Refused {
        rollout: hint.rollout.clone(),
        state: hint.state.clone(),
        findings: pairs(findings),
    };
    let rollout = hint.rollout.parse::<RolloutId>().ok().and_then(|id| world.rollouts.get(&id));
    if world.is_stale(&hint.hook, &hint.rollout, hint.at) {
        let sentence =
            format!("{} has said something newer of {} already; nothing was changed.", hint.hook, hint.rollout);
        entries.push(entry(not_taken(&[Finding::new(Verdict::Reject, STALE, sentence)])));
    } else if let (Some(rollout), Some(hook)) = (rollout, rules.hooks.get(&hint.hook)) {
        let caller = Caller { actor: actor.clone(), roles: hook.roles.clone() };
        entries.extend(toward(known, rollout, &caller, &hint.state).map(entry));
    } else {
        let finding = Finding::new(
            Verdict::Reject,
            "no_rollout",
            format!("There is no rollout {}.", hint.rollout.escape_default()),
        );
        entries.push(entry(not_taken(&[finding])));
    }
    let outcome = Outcome::of(entries.get(1).map(|entry| &entry.fact));
    Decision { entries, answer: Some(Answer::Remembered(outcome)) }
}

/// The fact that follows from a tracker's wish: moved, awaited or refused; none when it is there already.
fn toward(known: Known<'_>, rollout: &Rollout, caller: &Caller, state: &str) -> Option<Fact> {
    let case = Case::new(known, rollout, caller, state);
    let judged = case.judge();
    match &case.step {
        Err(NoStep::Already(_)) => None,
        Ok(transition) => Some(match judged.verdict {
            Verdict::Pass => case.moved(transition, "").0.fact,
            Verdict::Wait => Fact::Awaits {
                rollout: rollout.id.clone(),
                state: transition.to.to_string(),
                findings: pairs(&judged.findings),
            },
            Verdict::NeedsAdmin | Verdict::Reject => refusal(rollout, state, &judged),
        }),
        Err(_) => Some(refusal(rollout, state, &judged)),
    }
}

fn refusal(rollout: &Rollout, state: &str, judged: &Judgement) -> Fact {
    Fact::Refused { rollout: rollout.id.to_string(), state: state.to_owned(), findings: pairs(&judged.findings) }
}

fn pairs(findings: &[Finding]) -> Vec<(String, String)> {
    let telling = findings.iter().filter(|f| f.verdict != Verdict::Pass);
    telling.map(|f| (f.code.to_owned(), f.sentence.clone())).collect()
}

/// Steps that trackers asked for and that have become possible.
fn wanted(known: Known<'_>, _now: Timestamp) -> Decision {
    let Known { world, rules, .. } = known;
    let mut entries = Vec::new();
    for rollout in world.rollouts.values() {
        let Some(wanted) = &rollout.wanted else { continue };
        let hook = wanted.by.as_str().split(':').next().and_then(|name| name.parse().ok());
        let Some(roles) = hook.and_then(|hook| rules.hooks.get(&hook)).map(|hook| hook.roles.clone()) else { continue };
        let caller = Caller { actor: wanted.by.clone(), roles };
        match toward(known, rollout, &caller, wanted.state.as_str()) {
            // Still waiting; it is known already.
            Some(Fact::Awaits { .. }) | None => {}
            Some(fact) => {
                entries.push(Entry { who: wanted.by.clone(), why: "asked for earlier".to_owned(), fact });
                // One at a time: the next one is judged in the world that this one makes.
                break;
            }
        }
    }
    Decision { entries, answer: None }
}

/// Refusals of one look: more than [`REFUSED_APART`] for the same reason are one entry, so that a burst of junk does not
/// fill the logbook.
fn refusals(all: &[TurnedAway]) -> Vec<Fact> {
    let mut by_code: Vec<(&str, Vec<TurnedAway>)> = Vec::new();
    for away in all {
        match by_code.iter_mut().find(|(code, _)| *code == away.code) {
            Some((_, same)) => same.push(away.clone()),
            None => by_code.push((&away.code, vec![away.clone()])),
        }
    }
    let facts = by_code.into_iter().flat_map(|(_, same)| {
        let together = TurnedAwayTogether::of(&same).filter(|_| same.len() > REFUSED_APART);
        let apart = if together.is_some() { vec![] } else { same };
        together
            .map(Fact::TurnedAwayTogether)
            .into_iter()
            .chain(apart.into_iter().map(|one| Fact::TurnedAway(one.bounded())))
    });
    facts.collect()
}

fn ended(world: &World, end: &WorkEnd) -> Decision {
    let entry = |fact| Entry { who: daemon(), why: String::new(), fact };
    // What clients see already is no news.
    let news = |published: &&Published| !shows(world, published);
    let entries = match end {
        WorkEnd::Looked { took_in, turned_away, .. } => {
            let took = took_in.iter().cloned().map(Fact::TookIn);
            took.chain(refusals(turned_away)).map(entry).collect()
        }
        WorkEnd::Published(all) | WorkEnd::Inspected { published: all, .. } => {
            all.iter().filter(news).cloned().map(Fact::Published).map(entry).collect()
        }
        WorkEnd::Promoted { plan, published } => {
            let shown = published.iter().cloned().map(Fact::Published);
            shown.chain([Fact::Done { plan: *plan }]).map(entry).collect()
        }
        WorkEnd::Retired { tree, files, kept } => {
            vec![entry(Fact::Retired { tree: tree.clone(), files: files.clone(), kept: kept.clone() })]
        }
        WorkEnd::Failed(_) => vec![],
    };
    Decision { entries, answer: None }
}

/// Whether the world has a publication just as it is, and nothing came or went since.
fn shows(world: &World, published: &Published) -> bool {
    world.trees.get(&published.tree).is_some_and(|tree| {
        !tree.dirty
            && (tree.repomd, tree.revision, tree.listed)
                == (Some(published.repomd), published.revision, published.packages)
            && tree.superseded.keys().eq(published.superseded.iter().collect::<BTreeSet<_>>())
    })
}

/// One step that somebody wants a rollout to take.
struct Case<'a> {
    known: Known<'a>,
    world: &'a World,
    rollout: &'a Rollout,
    caller: &'a Caller,
    dist: Option<&'a DistRules>,
    step: Result<&'a Transition, NoStep>,
}

impl<'a> Case<'a> {
    fn new(known: Known<'a>, rollout: &'a Rollout, caller: &'a Caller, state: &str) -> Self {
        let Known { world, rules, .. } = known;
        let dist = rules.distributions.get(&rollout.dist);
        let step = match dist {
            Some(dist) => dist.workflow.state(state).and_then(|to| {
                let step = dist.workflow.step(&rollout.state, to);
                let is_stuck = known.stuck(rollout).is_some();
                step.or_else(|no_step| World::ways(dist, rollout, is_stuck).find(|way| way.to == *to).ok_or(no_step))
            }),
            None => Err(NoStep::UnknownState { asked: state.to_owned(), procedure: "none".to_owned(), states: vec![] }),
        };
        Self { known, world, rollout, caller, dist, step }
    }

    /// Asks every gate.
    fn judge(&self) -> Judgement {
        if self.dist.is_none() {
            let sentence = format!("The distribution {} is no longer configured.", self.rollout.dist);
            return judge(vec![Finding::new(Verdict::NeedsAdmin, "no_distribution", sentence)]);
        }
        let transition = match &self.step {
            Ok(transition) => *transition,
            Err(no_step) => {
                let sentence = format!("{}: {no_step}.", self.rollout.id);
                let code = match no_step {
                    NoStep::UnknownState { .. } => "unknown_state",
                    NoStep::Already(_) => "already",
                    NoStep::NoArrow { .. } => "no_transition",
                };
                return judge(vec![Finding::new(Verdict::Reject, code, sentence)]);
            }
        };
        let mut findings = vec![self.role(transition), self.busy(transition)];
        if self.rollout.plan.is_some() {
            // The other gates would judge a world that is about to change.
            if transition.effect == Effect::Withdraw {
                findings.extend(self.sound(transition));
            }
            return judge(findings);
        }
        findings.extend(self.sound(transition));
        findings.extend(self.trusted(transition));
        // Asked whether the procedure names it or not: nothing can be moved from where it is not.
        findings.extend(self.packages_present(transition));
        findings.extend(transition.gates.iter().flat_map(|gate| match gate {
            Gate::PackagesPresent => vec![],
            Gate::NotOlder => self.not_older(transition),
        }));
        judge(findings)
    }

    fn role(&self, transition: &Transition) -> Finding {
        let roles: Vec<&str> = transition.who.iter().map(|role| role.as_str()).collect();
        if transition.who.iter().any(|role| self.caller.roles.contains(role)) {
            return Finding::new(Verdict::Pass, "role", format!("{} may take this step.", self.caller.actor));
        }
        let sentence = format!("{} may not take this step; it takes {}.", self.caller.actor, roles.join(" or "));
        Finding::new(Verdict::NeedsAdmin, "role", sentence)
    }

    fn busy(&self, transition: &Transition) -> Finding {
        match self.rollout.plan {
            None => Finding::new(Verdict::Pass, "idle", "Nothing is being moved for this rollout."),
            Some(number) if let (Effect::Withdraw, Some((_, why))) = (&transition.effect, self.stuck()) => {
                let sentence = format!("{why} The move that is held for this (logbook entry {number}) is given up.");
                Finding::new(Verdict::Pass, "overtakes", sentence)
            }
            Some(plan) => {
                let sentence = format!("Packages are still being moved for this rollout (logbook entry {plan}).");
                Finding::new(Verdict::Wait, "busy", sentence)
            }
        }
    }

    /// The plan that cannot be carried out, and why.
    fn stuck(&self) -> Option<(&'a Plan, String)> {
        self.known.stuck(self.rollout)
    }

    /// Asked before every move and withdrawal, whatever the procedure says: is each tree that it changes as it should
    /// be? A plan that was decided all the same would wait there, and nobody would know what it does when it goes on.
    fn sound(&self, transition: &Transition) -> Vec<Finding> {
        let Some(plan) = self.plan(transition) else { return vec![] };
        let ids = plan.trees().into_iter().map(|tree| TreeId { dist: plan.dist.clone(), tree });
        let wrong = ids.filter_map(|id| self.known.wrong.get(&id).map(|wrong| (id, wrong)));
        let held = wrong.map(|(id, wrong)| {
            let sentence = format!("Nothing is moved into {id} or out of it until it is put right: {}.", wrong.why);
            Finding::new(Verdict::Wait, "tree_held", sentence)
        });
        held.collect()
    }

    /// Asked before every move, whatever the procedure says: does the target trust who signed?
    fn trusted(&self, transition: &Transition) -> Vec<Finding> {
        let Effect::Move { to, .. } = &transition.effect else { return vec![] };
        let Some(dist) = self.dist else { return vec![] };
        self.world.objections(dist, &self.rollout.dist, to, &self.rollout.packages).collect()
    }

    fn packages_present(&self, transition: &Transition) -> Vec<Finding> {
        let Effect::Move { from, .. } = &transition.effect else { return vec![] };
        let missing: Vec<Finding> = self
            .rollout
            .packages
            .iter()
            .filter_map(|nevra| match self.world.package(&self.rollout.dist, nevra) {
                Some(package) if package.trees.contains(from) => None,
                Some(package) if package.trees.is_empty() && self.is_lost(nevra) => Some(self.lost(nevra, from)),
                Some(package) if package.trees.is_empty() => Some(Finding::new(
                    Verdict::Reject,
                    "package_withdrawn",
                    format!("{nevra} was withdrawn and does not come back; raise its release."),
                )),
                Some(package) => {
                    let trees: Vec<&str> =
                        package.trees.iter().map(super::super::domain::names::TreeName::as_str).collect();
                    let sentence = format!("{nevra} lies in {}, not in {from}.", trees.join(" and "));
                    Some(Finding::new(Verdict::Reject, "package_elsewhere", sentence))
                }
                None => {
                    let sentence = format!("{nevra} has not been taken into {from} yet.");
                    Some(Finding::new(Verdict::Wait, "package_missing", sentence))
                }
            })
            .collect();
        if missing.is_empty() {
            let sentence = format!("All {} packages lie in {from}.", self.rollout.packages.len());
            return vec![Finding::new(Verdict::Pass, "packages_present", sentence)];
        }
        missing
    }

    fn is_lost(&self, nevra: &Nevra) -> bool {
        self.world.lost.contains(&(self.rollout.dist.clone(), nevra.clone()))
    }

    /// Only the upload tree gets it back.
    fn lost(&self, nevra: &Nevra, from: &TreeName) -> Finding {
        let is_upload = self.dist.is_some_and(|dist| dist.trees.first() == Some(from));
        let (verdict, then) = if is_upload {
            (Verdict::Wait, "upload the accepted file once more")
        } else {
            (Verdict::Reject, "reject this rollout, upload the accepted file once more and submit another")
        };
        Finding::new(verdict, "package_lost", format!("{nevra} was given up as lost; {then}."))
    }

    fn not_older(&self, transition: &Transition) -> Vec<Finding> {
        let Effect::Move { to, .. } = &transition.effect else { return vec![] };
        // Packages that are on their way into the tree count as lying there.
        let plans = self.world.plans.values();
        let goes_on = |plan: &&Plan| self.dist.is_some_and(|dist| self.world.objection(dist, plan).is_none());
        let coming: BTreeSet<&Nevra> = plans
            .filter(|plan| plan.dist == self.rollout.dist && plan.target.as_ref() == Some(to))
            .filter(goes_on)
            .flat_map(|plan| plan.items.iter().map(|item| &item.nevra))
            .collect();
        let older: Vec<Finding> = self
            .rollout
            .packages
            .iter()
            .filter_map(|nevra| {
                let newest = self
                    .world
                    .packages_of(&self.rollout.dist)
                    .filter(|(other, package)| {
                        (package.trees.contains(to) || coming.contains(other))
                            && other.name() == nevra.name()
                            && other.arch() == nevra.arch()
                            && !self.rollout.packages.contains(other)
                    })
                    .map(|(other, _)| other)
                    .max_by(|a, b| a.cmp_evr(b))?;
                newest.cmp_evr(nevra).is_gt().then(|| {
                    let sentence = format!("{to} already lists {newest}, which is newer than {nevra}.");
                    Finding::new(Verdict::Reject, "older_than_target", sentence)
                })
            })
            .collect();
        if older.is_empty() {
            return vec![Finding::new(Verdict::Pass, "not_older", format!("Nothing newer lies in {to}."))];
        }
        older
    }

    /// The entry for a step that passed, and how many packages it moves.
    fn moved(&self, transition: &Transition, reason: &str) -> (Entry, usize) {
        let plan = self.plan(transition);
        let packages = plan.as_ref().map_or(0, |plan| plan.items.len());
        let fact = Fact::Moved {
            rollout: self.rollout.id.clone(),
            from: transition.from.to_string(),
            to: transition.to.to_string(),
            plan,
        };
        (Entry { who: self.caller.actor.clone(), why: reason.to_owned(), fact }, packages)
    }

    fn plan(&self, transition: &Transition) -> Option<Plan> {
        let target = match &transition.effect {
            Effect::None => return None,
            Effect::Move { to, .. } => Some(to.clone()),
            Effect::Withdraw => None,
        };
        // A move that is given up may have got as far as its target.
        let begun = self.stuck().and_then(|(plan, _)| plan.target.as_ref());
        let leaves = |package: &Package| match &transition.effect {
            Effect::Move { from, .. } => vec![from.clone()],
            // A rollout takes back what it brought, and uploads; never what another one has brought.
            Effect::None | Effect::Withdraw => {
                let own = |tree: &&TreeName| package.brought.get(*tree).is_none_or(|by| *by == self.rollout.id);
                let begun = begun.filter(|tree| !package.trees.contains(*tree));
                package.trees.iter().filter(own).chain(begun).cloned().collect()
            }
        };
        let items: Vec<Item> = self
            .rollout
            .packages
            .iter()
            .filter_map(|nevra| {
                let package = self.world.package(&self.rollout.dist, nevra)?;
                let leaves = leaves(package);
                // A withdrawal of what lies nowhere has nothing to do.
                (!leaves.is_empty()).then(|| Item { nevra: nevra.clone(), sha256: package.sha256, leaves })
            })
            .collect();
        let plan = Plan { rollout: self.rollout.id.clone(), dist: self.rollout.dist.clone(), target, items };
        (!plan.items.is_empty()).then_some(plan)
    }
}

/// The trees of a distribution that a person may ask about.
pub fn trees_of(dist: &DistPath, rules: &DistRules) -> Vec<TreeId> {
    rules.trees.iter().map(|tree| TreeId { dist: dist.clone(), tree: tree.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::entry::{self, REFUSED_NAMED, TookIn};
    use super::super::rules::{Standing, Trust};
    use super::*;
    use crate::domain::checksum::Sha256;
    use crate::format::procedure;

    const DIST: &str = "umd/3/sl6/x86_64";

    /// A world that is told a story, and what it answered last.
    struct Story {
        world: World,
        rules: Rules,
        wrong: Wrongs,
        troubles: BTreeMap<String, String>,
        answer: Option<Answer>,
        facts: Vec<Fact>,
        now: Timestamp,
    }

    fn trust(min_signers: usize, standing: Standing) -> Trust {
        let certs = [("AA".to_owned(), standing), ("BB".to_owned(), Standing::Good)].into();
        Trust { certs, min_signers, ..Trust::default() }
    }

    fn caller(roles: &[Role]) -> Caller {
        Caller { actor: "jane".parse().expect("an actor"), roles: roles.iter().copied().collect() }
    }

    impl Story {
        fn new() -> Self {
            let trees = ["untested", "testing", "delta", "production"];
            let dist = DistRules {
                workflow: procedure::built_in("egi").expect("it ships"),
                trees: trees.iter().map(|t| t.parse().expect("a name")).collect(),
                trust: trees.iter().map(|t| (t.parse().expect("a name"), trust(1, Standing::Good))).collect(),
                grace_metadata: Duration::from_mins(1),
                grace_packages: Duration::from_mins(1),
            };
            let mut rules = Rules::default();
            rules.distributions.insert(DIST.parse().expect("a path"), dist);
            rules.hooks.insert("rt".parse().expect("a name"), caller(&[Role::Tracker]));
            let (wrong, troubles) = Default::default();
            let now = Timestamp::UNIX_EPOCH;
            Self { world: World::default(), rules, wrong, troubles, answer: None, facts: vec![], now }
        }

        fn tell(&mut self, input: &Input) -> &mut Self {
            let Self { world, rules, wrong, troubles, now, .. } = &*self;
            let decision = decide(Known { world, rules, wrong, troubles }, input, *now);
            self.answer = decision.answer.or(self.answer.take());
            for entry in decision.entries {
                let seq = self.world.last + 1;
                self.world.apply(seq, self.now, entry.who.as_str(), &entry.fact);
                self.facts.push(entry.fact);
            }
            self
        }

        /// A reload has a tree trust somebody else.
        fn trusts(&mut self, tree: &str, trust: Trust) -> &mut Self {
            let dist = self.rules.distributions.values_mut().next().expect("one");
            dist.trust.insert(tree.parse().expect("a name"), trust);
            self
        }

        fn arrives(&mut self, nevra: &str) -> &mut Self {
            let took = TookIn {
                dist: DIST.parse().expect("a path"),
                tree: "untested".parse().expect("a name"),
                nevra: nevra.parse().expect("a nevra"),
                sha256: Sha256([1; 32]),
                size: 1,
                signers: vec!["AA".into()],
                keys: vec![],
                notes: vec![],
                upload: String::new(),
            };
            let work = super::super::agenda::Work::TakeIn(DIST.parse().expect("a path"));
            let end = WorkEnd::Looked {
                took_in: vec![took],
                turned_away: vec![],
                again: None,
                trouble: None,
                stuck: vec![],
                waiting: crate::store::waiting::Backlog::default(),
                repeated: false,
            };
            self.tell(&Input::WorkEnded(work, end)).tell(&Input::Tick)
        }

        fn submit(&mut self, id: &str, packages: &[&str]) -> &mut Self {
            let ask = Ask::Submit {
                rollout: id.parse().expect("an id"),
                dist: DIST.parse().expect("a path"),
                title: String::new(),
                packages: packages.iter().map(|p| p.parse().expect("a nevra")).collect(),
            };
            self.tell(&Input::Asked(caller(&[Role::Admin]), ask))
        }

        fn move_as(&mut self, roles: &[Role], id: &str, state: &str) -> &mut Self {
            let ask = Ask::Move { rollout: id.parse().expect("an id"), state: state.into(), reason: String::new() };
            self.tell(&Input::Asked(caller(roles), ask))
        }

        fn hint(&mut self, delivery: &str, id: &str, state: &str) -> &mut Self {
            let hint = Hint {
                hook: "rt".parse().expect("a name"),
                delivery: delivery.into(),
                rollout: id.into(),
                state: state.into(),
                actor: "jane".into(),
                at: None,
            };
            self.tell(&Input::Heard(hint))
        }

        fn hint_of(&mut self, delivery: &str, id: &str, state: &str, second: i64) -> &mut Self {
            let hint = Hint {
                hook: "rt".parse().expect("a name"),
                delivery: delivery.into(),
                rollout: id.into(),
                state: state.into(),
                actor: "jane".into(),
                at: Timestamp::from_second(second).ok(),
            };
            self.tell(&Input::Heard(hint))
        }

        /// A tree shows what nobody knows.
        fn holds(&mut self, tree: &str) -> &mut Self {
            let id = TreeId { dist: DIST.parse().expect("a path"), tree: tree.parse().expect("a name") };
            let why = "do this".to_owned();
            self.wrong.insert(id, Wrong { why, what: Kind::Strange });
            self
        }

        /// A tree lists a package whose bytes are nowhere.
        fn misses(&mut self, tree: &str, nevra: &str) -> &mut Self {
            self.holds(tree);
            let missing = BTreeSet::from([nevra.parse().expect("a nevra")]);
            self.wrong.values_mut().for_each(|wrong| wrong.what = Kind::Missing(missing.clone()));
            self
        }

        /// Every plan that has no `done` yet is carried out.
        fn carried_out(&mut self) -> &mut Self {
            for (number, plan) in self.world.plans.clone() {
                let work = super::super::agenda::Work::Promote(number, plan);
                self.tell(&Input::WorkEnded(work, WorkEnd::Promoted { plan: number, published: vec![] }));
                self.tell(&Input::Tick);
            }
            self
        }

        fn state(&self, id: &str) -> String {
            let id: RolloutId = id.parse().expect("an id");
            self.world.rollouts[&id].state.to_string()
        }

        fn trees(&self, nevra: &str) -> Vec<String> {
            let package = self.world.package(&DIST.parse().expect("a path"), &nevra.parse().expect("a nevra"));
            package.map(|p| p.trees.iter().map(ToString::to_string).collect()).unwrap_or_default()
        }

        /// The codes of what stood in the way of the last request.
        fn codes(&self) -> Vec<&'static str> {
            match &self.answer {
                Some(Answer::Refused(judged)) => {
                    judged.findings.iter().filter(|f| f.verdict != Verdict::Pass).map(|f| f.code).collect()
                }
                _ => vec![],
            }
        }
    }

    const A: &str = "a-1-1.noarch";

    #[test]
    fn a_burst_of_junk_is_one_entry_that_names_each_file() {
        let away = |number: usize, code: &str| TurnedAway {
            dist: DIST.parse().expect("a path"),
            upload: format!("{number}.rpm"),
            sha256: None,
            code: code.to_owned(),
            detail: format!("word {number}"),
        };
        let few: Vec<TurnedAway> = (0..REFUSED_APART).map(|n| away(n, "unsigned")).collect();
        assert_eq!(refusals(&few).len(), REFUSED_APART);
        let many: Vec<TurnedAway> = (0..200).map(|n| away(n, "not_rpm")).chain(few).collect();
        let facts = refusals(&many);
        assert_eq!(facts.len(), 1 + REFUSED_APART);
        let Fact::TurnedAwayTogether(together) = &facts[0] else { panic!("{facts:?}") };
        assert_eq!((together.count(), together.files.len(), together.detail.as_str()), (200, REFUSED_NAMED, "word 0"));
        assert_eq!(together.files[19].0, "19.rpm");
        // However long the names are that uploaders give.
        let long = |number| TurnedAway { upload: "\u{1f4a9}/\n\"".repeat(500) + "end.rpm", ..away(number, "not_rpm") };
        let long = |number| TurnedAway {
            detail: "\u{1}\u{1f4a9}".repeat(4_000),
            sha256: Some(Sha256([7; 32])),
            ..long(number)
        };
        let many: Vec<TurnedAway> = (0..256).map(long).collect();
        for all in [&many[..], &many[..1]] {
            let [fact] = refusals(all).try_into().expect("one");
            let body = entry::write(&fact);
            assert!(body.contains("end.rpm"), "{body}");
            assert!(body.len() < 8 << 10, "{}", body.len());
            assert_eq!(entry::read(&body), Ok(fact));
        }
    }

    #[test]
    fn a_package_goes_from_untested_over_testing_to_production() {
        let mut story = Story::new();
        story.arrives(A).submit("r", &[A]).move_as(&[Role::Verifier], "r", "in verification");
        assert_eq!(story.trees(A), ["untested"]);
        story.move_as(&[Role::Verifier], "r", "StageRollOut").carried_out();
        assert_eq!(story.trees(A), ["testing"]);
        story.move_as(&[Role::Srm], "r", "Production").carried_out();
        assert_eq!((story.trees(A), story.state("r")), (vec!["production".to_owned()], "Production".to_owned()));
    }

    #[test]
    fn a_rejection_takes_back_what_the_rollout_brought_and_nothing_else() {
        let mut story = Story::new();
        story.arrives(A).submit("p1", &[A]).move_as(&[Role::Verifier], "p1", "InVerification");
        story.submit("other", &[A]);
        assert_eq!(story.codes(), ["in_other_rollout"]);
        story.move_as(&[Role::Verifier], "p1", "StageRollOut").carried_out();
        story.move_as(&[Role::Srm], "p1", "Production").carried_out();
        story.submit("p2", &[A]);
        assert_eq!(story.codes(), ["already_rolled_out"]);
        // Also where the rollouts were made in another order: what another one brought stays.
        let rollout = story.world.rollouts.values().next().expect("p1").clone();
        let late = Rollout { id: "p3".parse().expect("an id"), state: State::recorded("Unverified"), ..rollout };
        story.world.rollouts.insert(late.id.clone(), late);
        story.move_as(&[Role::Admin], "p3", "Rejected").carried_out();
        assert_eq!((story.trees(A), story.state("p3")), (vec!["production".to_owned()], "Rejected".to_owned()));
    }

    #[test]
    fn a_package_on_its_way_into_a_tree_counts_as_lying_there() {
        let (old, new) = ("a-1-1.noarch", "a-2-1.noarch");
        let mut story = Story::new();
        story.arrives(old).arrives(new).submit("old", &[old]).submit("new", &[new]);
        story.move_as(&[Role::Verifier], "old", "InVerification").move_as(&[Role::Verifier], "new", "InVerification");
        story.move_as(&[Role::Verifier], "new", "StageRollOut");
        assert_eq!(story.world.plans.len(), 1, "the plan is not carried out yet");
        story.move_as(&[Role::Verifier], "old", "StageRollOut");
        assert_eq!(story.codes(), ["older_than_target"]);
    }

    #[test]
    fn a_delivery_that_was_overtaken_changes_nothing() {
        let mut story = Story::new();
        story.now = Timestamp::from_second(100).expect("a time");
        story.arrives(A).submit("r", &[A]);
        story.hint_of("2", "r", "InVerification", 20);
        assert_eq!(story.state("r"), "InVerification");
        story.hint_of("1", "r", "Rejected", 10);
        assert_eq!(story.state("r"), "InVerification");
        story.hint_of("3", "r", "StageRollOut", 20).carried_out();
        assert_eq!(story.state("r"), "StageRollOut");
    }

    #[test]
    fn what_clients_see_already_is_not_written_down_again() {
        let mut story = Story::new();
        let published = Published {
            tree: TreeId { dist: DIST.parse().expect("a path"), tree: "testing".parse().expect("a name") },
            revision: 7,
            packages: 0,
            repomd: Sha256([1; 32]),
            superseded: vec!["b".into(), "a".into()],
        };
        let shown = |story: &mut Story, published: &Published| {
            let before = story.world.last;
            let work = super::super::agenda::Work::Inspect(DIST.parse().expect("a path"), vec![]);
            let end = WorkEnd::Inspected { published: vec![published.clone()], wrong: vec![] };
            story.tell(&Input::WorkEnded(work, end));
            story.world.last - before
        };
        assert_eq!(shown(&mut story, &published), 1);
        assert_eq!(shown(&mut story, &published), 0);
        assert_eq!(shown(&mut story, &Published { superseded: vec!["a".into()], ..published.clone() }), 1);
        assert_eq!(shown(&mut story, &Published { revision: 8, superseded: vec!["a".into()], ..published }), 1);
    }

    #[test]
    fn nothing_is_moved_into_a_tree_that_is_held_or_out_of_it_and_a_tracker_is_heard_when_it_is_right_again() {
        for tree in ["untested", "testing"] {
            let mut story = Story::new();
            story.arrives(A).submit("r", &[A]).move_as(&[Role::Admin], "r", "InVerification").holds(tree);
            story.move_as(&[Role::Admin], "r", "StageRollOut");
            assert_eq!((story.codes(), story.state("r")), (vec!["tree_held"], "InVerification".to_owned()), "{tree}");
            let Some(Answer::Refused(judged)) = &story.answer else { panic!("refused") };
            let sentence = &judged.findings[0].sentence;
            assert!(sentence.contains(&format!("{tree}/{DIST}")) && sentence.ends_with(": do this."), "{sentence}");
            assert_eq!(judged.verdict, Verdict::Wait);
            story.hint("1", "r", "StageRollOut").tell(&Input::Tick);
            assert_eq!((story.world.plans.len(), story.state("r")), (0, "InVerification".to_owned()), "{tree}");
            story.wrong.clear();
            story.tell(&Input::Tick).carried_out();
            assert_eq!((story.trees(A), story.state("r")), (vec!["testing".to_owned()], "StageRollOut".to_owned()));
        }
    }

    #[test]
    fn a_tree_that_is_held_is_no_concern_of_what_does_not_touch_it() {
        let mut story = Story::new();
        story.arrives(A).submit("r", &[A]).holds("production").move_as(&[Role::Admin], "r", "InVerification");
        story.move_as(&[Role::Admin], "r", "StageRollOut").carried_out();
        assert_eq!(story.trees(A), ["testing"]);
        story.holds("testing").move_as(&[Role::Admin], "r", "Rejected");
        assert_eq!(story.codes(), ["tree_held"], "a withdrawal changes it, too");
        story.submit("s", &["b-1-1.noarch"]).move_as(&[Role::Admin], "s", "Rejected");
        assert_eq!(story.state("s"), "Rejected", "nothing is withdrawn");
    }

    /// Asks as an admin; what stands in the way is in the codes.
    fn ask(story: &mut Story, ask: Ask) {
        story.answer = None;
        story.tell(&Input::Asked(caller(&[Role::Admin]), ask));
    }

    fn lose(story: &mut Story, nevra: &str) {
        let nevra = nevra.parse().expect("a nevra");
        ask(story, Ask::Lose { nevra, dist: None, reason: "the disk broke".into() });
    }

    fn give_up(story: &mut Story) {
        give_up_for(story, "");
    }

    fn give_up_for(story: &mut Story, reason: &str) {
        ask(story, Ask::GiveUp { rollout: "r".parse().expect("an id"), reason: reason.into() });
    }

    /// The plan that is not over yet cannot be carried out.
    fn fails(story: &mut Story) {
        let number = *story.world.plans.keys().next().expect("one");
        let dist: DistPath = DIST.parse().expect("a path");
        story.troubles.insert(Work::key_of_promotion(&dist, number), "no room".into());
    }

    /// `r` with its package in testing, and on its way into production.
    fn half_way() -> Story {
        let mut story = Story::new();
        story.arrives(A).submit("r", &[A]).move_as(&[Role::Admin], "r", "InVerification");
        story.move_as(&[Role::Admin], "r", "StageRollOut").carried_out();
        story.move_as(&[Role::Admin], "r", "Production");
        story
    }

    #[test]
    fn only_what_is_found_to_be_missing_is_given_up_and_it_may_come_in_again() {
        let mut story = half_way();
        lose(&mut story, A);
        assert_eq!(story.codes(), ["not_lost"], "it lies there");
        story.holds("testing");
        lose(&mut story, A);
        assert_eq!(story.codes(), ["tree_held"], "it may lie there");
        story.misses("testing", "b-1-1.noarch");
        lose(&mut story, A);
        assert_eq!(story.codes(), ["tree_held"], "another one is missing");
        story.misses("testing", A);
        lose(&mut story, A);
        assert!(matches!(story.answer, Some(Answer::Lost { .. })), "{:?}", story.answer);
        let dist: DistPath = DIST.parse().expect("a path");
        let testing = TreeId { dist: dist.clone(), tree: "testing".parse().expect("a name") };
        assert!(story.world.trees[&testing].dirty && story.world.trees[&testing].leaving.is_empty());
        // Its move has nothing left to do.
        assert_eq!((story.trees(A), story.world.plans.len()), (vec![], 0));
        assert!(story.world.rollouts.values().all(|rollout| rollout.plan.is_none()));
        lose(&mut story, A);
        assert_eq!(story.codes(), ["not_listed"]);
        lose(&mut story, "z-1-1.noarch");
        assert!(matches!(story.answer, Some(Answer::NotFound(_))));
        story.wrong.clear();
        story.submit("again", &[A]).move_as(&[Role::Admin], "again", "InVerification");
        story.move_as(&[Role::Admin], "again", "StageRollOut");
        assert_eq!(story.codes(), ["package_lost"]);
        story.hint("1", "again", "StageRollOut").arrives(A).carried_out();
        assert_eq!((story.trees(A), story.world.lost.len()), (vec!["testing".to_owned()], 0));
    }

    #[test]
    fn a_lost_package_leaves_the_others_of_its_move_alone() {
        let b = B;
        let mut story = Story::new();
        story.arrives(A).arrives(b).submit("r", &[A, b]).move_as(&[Role::Admin], "r", "InVerification");
        story.move_as(&[Role::Admin], "r", "StageRollOut").misses("untested", A);
        lose(&mut story, A);
        story.wrong.clear();
        story.carried_out();
        assert_eq!((story.trees(A), story.trees(b)), (vec![], vec!["testing".to_owned()]));
        // Giving up takes a reason and an admin.
        story.misses("testing", b);
        let nevra: Nevra = b.parse().expect("a nevra");
        story.tell(&Input::Asked(caller(&[Role::Srm]), Ask::Lose { nevra, dist: None, reason: " ".into() }));
        assert_eq!(story.codes(), ["no_reason", "role"]);
    }

    #[test]
    fn a_move_that_cannot_be_carried_out_can_be_given_up_and_one_that_goes_on_cannot() {
        type Hinder = fn(&mut Story);
        let hinders: [Hinder; 3] = [
            |story| {
                story.holds("production");
            },
            |story| {
                story.trusts("production", trust(1, Standing::Revoked));
            },
            fails,
        ];
        for hinder in hinders {
            let mut story = half_way();
            give_up(&mut story);
            assert_eq!((story.codes(), story.state("r")), (vec!["busy"], "Production".to_owned()));
            hinder(&mut story);
            let old = *story.world.plans.keys().next().expect("one");
            give_up(&mut story);
            assert!(matches!(story.answer, Some(Answer::Moved { packages: 1, .. })), "{:?}", story.answer);
            assert_eq!((story.state("r"), story.trees(A)), ("StageRollOut".to_owned(), vec!["testing".to_owned()]));
            // Production may have shown it already.
            let plan = story.world.plans.values().next().expect("one").clone();
            assert_eq!(plan.trees().iter().map(TreeName::as_str).collect::<Vec<_>>(), ["testing", "production"]);
            // The end of the old one, should it come after all, changes nothing.
            let work = super::super::agenda::Work::Promote(old, plan);
            story.tell(&Input::WorkEnded(work, WorkEnd::Promoted { plan: old, published: vec![] }));
            assert_eq!(story.trees(A), ["testing"]);
            story.wrong.clear();
            story.troubles.clear();
            story.trusts("production", trust(1, Standing::Good)).carried_out();
            assert_eq!((story.trees(A), story.world.plans.len()), (vec!["testing".to_owned()], 0));
            story.move_as(&[Role::Admin], "r", "Production").carried_out();
            assert_eq!(story.trees(A), ["production"], "all is as before");
        }
    }

    /// `r` with two packages in testing, and rejected.
    fn rejected() -> Story {
        let mut story = Story::new();
        story.arrives(A).arrives(B).submit("r", &[A, B]).move_as(&[Role::Admin], "r", "InVerification");
        story.move_as(&[Role::Admin], "r", "StageRollOut").carried_out();
        story.move_as(&[Role::Admin], "r", "Rejected");
        story
    }

    const B: &str = "b-1-1.noarch";

    #[test]
    fn a_withdrawal_that_cannot_be_carried_out_is_given_up_and_its_packages_stay_listed() {
        type Hinder = fn(&mut Story);
        let hinders: [Hinder; 2] = [
            |story| {
                story.holds("testing");
            },
            fails,
        ];
        for hinder in hinders {
            let mut story = rejected();
            give_up_for(&mut story, "by mistake");
            assert_eq!((story.codes(), story.state("r")), (vec!["busy"], "Rejected".to_owned()));
            hinder(&mut story);
            give_up(&mut story);
            assert_eq!(story.codes(), ["no_reason"], "somebody has rejected it");
            let old = *story.world.plans.keys().next().expect("one");
            give_up_for(&mut story, "by mistake");
            assert!(matches!(story.answer, Some(Answer::Moved { packages: 2, .. })), "{:?}", story.answer);
            assert_eq!(story.state("r"), "StageRollOut");
            // Testing may not have shown them for a moment.
            let plan = story.world.plans.values().next().expect("one").clone();
            assert_eq!((&plan.target, plan.trees().len()), (&Some("testing".parse().expect("a name")), 1));
            // The end of the old one, should it come after all, takes nothing away.
            let work = Work::Promote(old, plan);
            story.tell(&Input::WorkEnded(work, WorkEnd::Promoted { plan: old, published: vec![] }));
            story.wrong.clear();
            story.troubles.clear();
            for nevra in [A, B] {
                assert_eq!(story.trees(nevra), ["testing"]);
            }
            story.carried_out();
            let testing = TreeId { dist: DIST.parse().expect("a path"), tree: "testing".parse().expect("a name") };
            assert!(story.world.plans.is_empty() && story.world.trees[&testing].leaving.is_empty());
            story.move_as(&[Role::Admin], "r", "Production").carried_out();
            assert_eq!(
                (story.trees(A), story.trees(B)),
                (vec!["production".to_owned()], vec!["production".to_owned()])
            );
        }
    }

    #[test]
    fn who_gives_a_withdrawal_up_that_overtook_a_move_finds_the_rollout_where_its_packages_are() {
        let mut story = half_way();
        fails(&mut story);
        story.move_as(&[Role::Admin], "r", "Rejected");
        assert_eq!(story.state("r"), "Rejected");
        story.troubles.clear();
        fails(&mut story);
        give_up_for(&mut story, "by mistake");
        assert_eq!((story.state("r"), story.trees(A)), ("StageRollOut".to_owned(), vec!["testing".to_owned()]));
        // Production may have shown it.
        let plan = story.world.plans.values().next().expect("one").clone();
        assert_eq!(plan.trees().iter().map(TreeName::as_str).collect::<Vec<_>>(), ["testing", "production"]);
        // What goes back cannot go back further, and may be withdrawn.
        story.troubles.clear();
        fails(&mut story);
        give_up(&mut story);
        assert_eq!(story.codes(), ["taken_back"]);
        story.move_as(&[Role::Admin], "r", "Rejected");
        assert_eq!((story.codes(), story.state("r")), (vec![], "Rejected".to_owned()));
        story.troubles.clear();
        fails(&mut story);
        give_up_for(&mut story, "by mistake again");
        assert_eq!(story.state("r"), "StageRollOut");
        story.troubles.clear();
        story.carried_out();
        assert_eq!((story.trees(A), story.world.plans.len()), (vec!["testing".to_owned()], 0));
    }

    #[test]
    fn a_withdrawal_is_not_given_up_where_its_packages_cannot_stay() {
        // Others may have the key.
        let mut story = rejected();
        fails(&mut story);
        story.trusts("testing", trust(1, Standing::Revoked));
        give_up_for(&mut story, "by mistake");
        assert_eq!((story.codes(), story.state("r")), (vec![SIGNER_REVOKED], "Rejected".to_owned()));
        // A ring that has changed takes nothing off lists that are there.
        story.trusts("testing", Trust::default());
        give_up_for(&mut story, "by mistake");
        assert_eq!((story.codes(), story.state("r")), (vec![], "StageRollOut".to_owned()));
        let dist = story.rules.distributions.values().next().expect("one");
        assert!(story.world.plans.values().all(|plan| story.world.objection(dist, plan).is_none()), "it goes on");
        // They do not lie together: one was lost and came in again.
        let mut story = Story::new();
        story.arrives(A).arrives(B).submit("r", &[A, B]).move_as(&[Role::Admin], "r", "InVerification");
        story.move_as(&[Role::Admin], "r", "StageRollOut").carried_out().misses("testing", A);
        lose(&mut story, A);
        story.wrong.clear();
        story.arrives(A).move_as(&[Role::Admin], "r", "Rejected");
        fails(&mut story);
        give_up_for(&mut story, "by mistake");
        assert_eq!((story.codes(), story.trees(A)), (vec!["package_elsewhere"], vec!["untested".to_owned()]));
        // Lost while it waits: the others stay.
        let mut story = rejected();
        story.misses("testing", A);
        lose(&mut story, A);
        give_up_for(&mut story, "by mistake");
        story.wrong.clear();
        story.carried_out();
        assert_eq!((story.trees(A), story.trees(B)), (vec![], vec!["testing".to_owned()]));
        // Nothing is done in a distribution that is gone, and it is not everybody's to say.
        let mut story = rejected();
        fails(&mut story);
        let rollout: RolloutId = "r".parse().expect("an id");
        let reason = "by mistake".to_owned();
        story.tell(&Input::Asked(caller(&[Role::Verifier]), Ask::GiveUp { rollout, reason }));
        assert_eq!(story.codes(), ["role"], "who may not reject it from there");
        story.rules.distributions.clear();
        give_up_for(&mut story, "by mistake");
        assert_eq!(story.codes(), ["no_distribution"]);
    }

    #[test]
    fn a_move_that_failed_gives_way_to_a_withdrawal() {
        let mut story = Story::new();
        story.arrives(A).submit("r", &[A]).move_as(&[Role::Admin], "r", "InVerification");
        story.move_as(&[Role::Admin], "r", "StageRollOut");
        fails(&mut story);
        story.holds("testing").move_as(&[Role::Admin], "r", "Rejected");
        assert_eq!(story.codes(), ["tree_held"], "it would hang there");
        story.wrong.clear();
        story.move_as(&[Role::Admin], "r", "Rejected").carried_out();
        assert_eq!((story.state("r"), story.trees(A)), ("Rejected".to_owned(), vec![]));
    }

    #[test]
    fn a_rollout_of_thousands_of_packages_waits_in_few_words() {
        let names: Vec<String> = (0..5_000).map(|n| format!("p{n}-1-1.noarch")).collect();
        let mut story = Story::new();
        story.submit("r", &names.iter().map(String::as_str).collect::<Vec<_>>()).hint("1", "r", "InVerification");
        story.hint("2", "r", "StageRollOut");
        let Some(awaits @ Fact::Awaits { findings, .. }) = story.facts.last() else { panic!("it waits") };
        assert!(findings.last().expect("some").1.contains("4990 more"), "{findings:?}");
        let written = super::super::entry::write(awaits).len();
        assert!(written < 4_096, "{written} bytes for each delivery");
    }

    /// Also where the procedure does not ask.
    #[test]
    fn what_is_not_where_a_move_begins_is_not_moved() {
        let mut story = Story::new();
        let own = "name = \"own\"\ninitial = \"New\"\n\
            [[state]]\nname = \"New\"\n[[state]]\nname = \"Testing\"\n[[state]]\nname = \"Out\"\n\
            [[transition]]\nfrom = \"New\"\nto = \"Testing\"\nwho = [\"admin\"]\nmove = { from = \"untested\", to = \"testing\" }\n\
            [[transition]]\nfrom = \"New\"\nto = \"Out\"\nwho = [\"admin\"]\nwithdraw = true\n\
            [[transition]]\nfrom = \"Out\"\nto = \"Testing\"\nwho = [\"admin\"]\nmove = { from = \"untested\", to = \"testing\" }\n";
        story.rules.distributions.values_mut().next().expect("one").workflow = procedure::read(own).expect("a table");
        story.submit("r", &[A]).move_as(&[Role::Admin], "r", "Testing");
        assert_eq!(story.codes(), ["package_missing"]);
        story.arrives(A).move_as(&[Role::Admin], "r", "Out").carried_out();
        story.answer = None;
        story.move_as(&[Role::Admin], "r", "Testing");
        assert_eq!((story.codes(), story.trees(A)), (vec!["package_withdrawn"], vec![]));
        assert!(story.world.plans.is_empty());
    }

    #[test]
    fn nobody_takes_a_step_that_is_not_theirs() {
        let mut story = Story::new();
        story.arrives(A).submit("r", &[A]).move_as(&[Role::Ea], "r", "InVerification");
        assert_eq!((story.codes(), story.state("r")), (vec!["role"], "Unverified".to_owned()));
        story.move_as(&[Role::Admin], "r", "InVerification").move_as(&[Role::Admin], "r", "StageRollOut").carried_out();
        story.move_as(&[Role::Verifier], "r", "Production");
        assert_eq!((story.codes(), story.trees(A)), (vec!["role"], vec!["testing".to_owned()]));
    }

    #[test]
    fn no_step_is_left_out() {
        let mut story = Story::new();
        story.arrives(A).submit("r", &[A]).move_as(&[Role::Admin], "r", "Production");
        assert_eq!((story.codes(), story.trees(A)), (vec!["no_transition"], vec!["untested".to_owned()]));
        story.move_as(&[Role::Admin], "r", "Moon");
        assert_eq!(story.codes(), ["unknown_state"]);
    }

    #[test]
    fn a_person_hears_all_the_reasons_and_nothing_happens() {
        let mut story = Story::new();
        story.submit("r", &[A, "b-1-1.noarch"]).move_as(&[Role::Admin], "r", "InVerification");
        let before = story.world.last;
        story.move_as(&[Role::Ea], "r", "StageRollOut");
        assert_eq!(story.codes(), ["role", "package_missing", "package_missing"]);
        assert_eq!(story.world.last, before);
    }

    #[test]
    fn what_a_tracker_wants_happens_as_soon_as_it_can() {
        let mut story = Story::new();
        story.submit("r", &[A]).hint("1", "r", "InVerification").hint("2", "r", "StageRollOut");
        assert_eq!(story.state("r"), "InVerification");
        story.arrives(A).carried_out();
        assert_eq!((story.state("r"), story.trees(A)), ("StageRollOut".to_owned(), vec!["testing".to_owned()]));
    }

    #[test]
    fn what_was_awaited_and_can_never_be_is_refused_once() {
        let mut story = Story::new();
        story.submit("r", &[A]).hint("1", "r", "InVerification").hint("2", "r", "StageRollOut");
        let dist = story.rules.distributions.get_mut(&DIST.parse::<DistPath>().expect("a path")).expect("known");
        dist.trust.insert("testing".parse().expect("a name"), Trust::default());
        story.arrives(A);
        assert!(matches!(story.facts.last(), Some(Fact::Refused { .. })), "{:?}", story.facts.last());
        let before = story.world.last;
        story.tell(&Input::Tick);
        assert_eq!((story.world.last, story.state("r")), (before, "InVerification".to_owned()));
    }

    #[test]
    fn a_ticket_that_was_put_back_no_longer_wants_what_it_wanted() {
        let mut story = Story::new();
        story.submit("r", &[A]).hint("1", "r", "InVerification").hint("2", "r", "StageRollOut");
        story.hint("3", "r", "InVerification").arrives(A);
        assert_eq!((story.state("r"), story.trees(A)), ("InVerification".to_owned(), vec!["untested".to_owned()]));
    }

    #[test]
    fn a_step_that_comes_while_packages_move_waits_for_them() {
        let mut story = Story::new();
        story.arrives(A).submit("r", &[A]).hint("1", "r", "InVerification").hint("2", "r", "StageRollOut");
        story.hint("3", "r", "Production");
        assert_eq!((story.state("r"), story.trees(A)), ("StageRollOut".to_owned(), vec!["untested".to_owned()]));
        story.carried_out().carried_out();
        assert_eq!((story.state("r"), story.trees(A)), ("Production".to_owned(), vec!["production".to_owned()]));
    }

    #[test]
    fn the_same_delivery_twice_does_nothing_twice() {
        let mut story = Story::new();
        story.arrives(A).submit("r", &[A]).hint("1", "r", "InVerification");
        let before = story.world.last;
        story.hint("1", "r", "InVerification");
        assert_eq!((story.answer.clone(), story.world.last), (Some(Answer::Repeated), before));
        story.hint("1", "r", "StageRollOut");
        assert!(matches!(story.answer, Some(Answer::Reused(_))), "{:?}", story.answer);
        assert_eq!((story.state("r").as_str(), story.world.last), ("InVerification", before));
    }

    #[test]
    fn what_is_dated_in_the_future_is_refused_and_locks_nothing() {
        let mut story = Story::new();
        story.now = Timestamp::from_second(10_000).expect("a time");
        story.arrives(A).submit("r", &[A]);
        let before = story.world.last;
        story.hint_of("1", "r", "InVerification", 10_301);
        assert!(matches!(story.answer, Some(Answer::Ahead(_))), "{:?}", story.answer);
        assert_eq!((story.state("r").as_str(), story.world.last), ("Unverified", before));
        // Its id is as good as new, and clocks differ a little.
        story.hint_of("1", "r", "InVerification", 10_300);
        assert_eq!(story.state("r"), "InVerification");
        story.now = Timestamp::from_second(10_001).expect("a time");
        story.hint_of("2", "r", "StageRollOut", 10_001).carried_out();
        assert_eq!(story.state("r"), "StageRollOut", "a later word is no older for what was dated ahead");
    }

    #[test]
    fn what_an_older_site_has_heard_of_the_future_locks_nothing_either() {
        let mut story = Story::new();
        story.now = Timestamp::from_second(10_000).expect("a time");
        story.arrives(A).submit("r", &[A]);
        let heard = Fact::Heard {
            hook: "rt".parse().expect("a name"),
            delivery: "1".into(),
            rollout: "r".into(),
            state: "InVerification".into(),
            at: Timestamp::from_second(4_000_000_000).ok(),
        };
        story.world.apply(story.world.last + 1, story.now, "rt:jane", &heard);
        story.hint_of("2", "r", "InVerification", 10_001);
        assert_eq!(story.state("r"), "InVerification");
        story.hint_of("3", "r", "StageRollOut", 9_999).carried_out();
        assert_eq!(story.state("r"), "InVerification", "what is older than that is overtaken as ever");
        let Some(Answer::Remembered(outcome)) = &story.answer else { panic!("{:?}", story.answer) };
        assert_eq!(outcome.word, "overtaken");
        assert!(outcome.says.contains("nothing was changed"), "{}", outcome.says);
    }

    #[test]
    fn whoever_sends_a_hint_is_told_what_came_of_it() {
        let mut story = Story::new();
        story.submit("r", &[A]);
        for (delivery, id, state, word) in [
            ("1", "r", "InVerification", "moved"),
            ("2", "r", "InVerification", "nothing"),
            ("3", "r", "StageRollOut", "waits"),
            ("4", "r", "Production", "refused"),
            ("5", "nobody", "Production", "refused"),
        ] {
            story.hint(delivery, id, state);
            let Some(Answer::Remembered(outcome)) = &story.answer else { panic!("{:?}", story.answer) };
            assert_eq!(outcome.word, word, "{delivery}: {}", outcome.says);
        }
    }

    #[test]
    fn a_hint_that_makes_no_sense_is_remembered_and_refused() {
        let mut story = Story::new();
        story.arrives(A).submit("r", &[A]);
        for (delivery, id, state) in [("1", "nobody", "Production"), ("2", "r", "Production"), ("3", "../r", "x")] {
            story.hint(delivery, id, state);
            assert!(matches!(story.facts.last(), Some(Fact::Refused { .. })), "{id} {state}");
        }
        assert_eq!((story.state("r"), story.trees(A)), ("Unverified".to_owned(), vec!["untested".to_owned()]));
    }

    #[test]
    fn a_rejected_rollout_withdraws_its_packages_for_good() {
        let mut story = Story::new();
        story.arrives(A).submit("r", &[A]).move_as(&[Role::Admin], "r", "InVerification");
        story.move_as(&[Role::Admin], "r", "StageRollOut").carried_out();
        story.move_as(&[Role::Srm], "r", "Rejected").carried_out();
        assert_eq!((story.state("r"), story.trees(A)), ("Rejected".to_owned(), vec![]));
        story.submit("again", &[A]).move_as(&[Role::Admin], "again", "InVerification");
        story.move_as(&[Role::Admin], "again", "StageRollOut");
        assert_eq!(story.codes(), ["package_withdrawn"]);
    }

    #[test]
    fn a_rollout_of_nothing_that_arrived_can_be_rejected() {
        let mut story = Story::new();
        story.submit("r", &[A]).move_as(&[Role::Admin], "r", "Rejected");
        assert_eq!(story.state("r"), "Rejected");
        assert!(story.world.plans.is_empty());
    }

    #[test]
    fn a_package_belongs_to_one_open_rollout() {
        let mut story = Story::new();
        story.arrives(A).submit("r", &[A]).submit("s", &[A]);
        assert_eq!(story.codes(), ["in_other_rollout"]);
        story.move_as(&[Role::Admin], "r", "Rejected").carried_out().submit("s", &[A]);
        assert_eq!(story.answer, Some(Answer::Submitted("s".parse().expect("an id"))));
    }

    #[test]
    fn a_tree_takes_only_what_its_own_ring_vouches_for() {
        for (testing, code) in [
            (trust(1, Standing::Good), None),
            (trust(2, Standing::Good), Some("signer_not_trusted")),
            (trust(1, Standing::Revoked), Some("signer_revoked")),
            (Trust::default(), Some("signer_not_trusted")),
        ] {
            let mut story = Story::new();
            story.trusts("testing", testing).arrives(A).submit("r", &[A]).move_as(
                &[Role::Admin],
                "r",
                "InVerification",
            );
            story.move_as(&[Role::Admin], "r", "StageRollOut").carried_out();
            assert_eq!(story.codes().first().copied(), code);
            assert_eq!(story.trees(A), [if code.is_none() { "testing" } else { "untested" }]);
        }
    }

    #[test]
    fn a_move_whose_signer_was_revoked_meanwhile_can_be_given_up_and_only_for_a_withdrawal() {
        let mut story = Story::new();
        story.arrives(A).submit("r", &[A]).move_as(&[Role::Admin], "r", "InVerification");
        story.move_as(&[Role::Admin], "r", "StageRollOut");
        story.move_as(&[Role::Admin], "r", "Rejected");
        assert_eq!(story.codes(), ["busy"], "a move that goes on is waited for");
        story.trusts("testing", trust(1, Standing::Revoked));
        story.move_as(&[Role::Admin], "r", "StageRollOut");
        assert_eq!(story.codes(), ["already"]);
        // What a tracker wants next is kept until it is trusted again, or given up.
        story.hint("1", "r", "Production");
        assert!(matches!(story.facts.last(), Some(Fact::Awaits { .. })), "{:?}", story.facts.last());
        story.tell(&Input::Tick);
        assert!(story.world.rollouts.values().all(|rollout| rollout.wanted.is_some()));
        story.move_as(&[Role::Admin], "r", "Rejected");
        assert_eq!(story.state("r"), "Rejected");
        // The move may have got as far as its target.
        let (old, plan) = story.world.plans.iter().next().map(|(n, plan)| (*n - 1, plan.clone())).expect("one");
        assert_eq!((story.world.plans.len(), &plan.target), (1, &None));
        let leaves: Vec<&str> = plan.items.iter().flat_map(|item| &item.leaves).map(TreeName::as_str).collect();
        assert_eq!(leaves, ["untested", "testing"]);
        // Its end, should it come after all, changes nothing any more.
        let work = super::super::agenda::Work::Promote(old, plan);
        story.tell(&Input::WorkEnded(work, WorkEnd::Promoted { plan: old, published: vec![] }));
        assert_eq!(story.trees(A), ["untested"]);
        story.carried_out();
        assert_eq!((story.trees(A), story.world.plans.len()), (vec![], 0));
    }

    #[test]
    fn a_move_to_an_end_that_is_held_can_be_given_up_like_before_it() {
        let mut story = Story::new();
        story.arrives(A).submit("r", &[A]).move_as(&[Role::Admin], "r", "InVerification");
        story.move_as(&[Role::Admin], "r", "StageRollOut").carried_out();
        story.move_as(&[Role::Admin], "r", "Production");
        story.move_as(&[Role::Admin], "r", "Rejected");
        assert_eq!(story.codes(), ["no_transition"], "Production is an end");
        story.trusts("production", trust(1, Standing::Revoked));
        story.move_as(&[Role::Admin], "r", "Production");
        assert_eq!(story.codes(), ["already"], "it is what was asked for");
        story.hint("1", "r", "Rejected").carried_out();
        assert_eq!((story.state("r"), story.trees(A)), ("Rejected".to_owned(), vec![]));
    }

    #[test]
    fn nothing_older_than_the_target_is_promoted() {
        let mut story = Story::new();
        for (id, nevra) in [("new", "a-2-1.noarch"), ("old", A)] {
            story.arrives(nevra).submit(id, &[nevra]).move_as(&[Role::Admin], id, "InVerification");
            story.move_as(&[Role::Admin], id, "StageRollOut").carried_out();
        }
        assert_eq!((story.codes(), story.state("old")), (vec!["older_than_target"], "InVerification".to_owned()));
        // Another architecture of the same name is another matter.
        story.arrives("a-1-1.x86_64").submit("arch", &["a-1-1.x86_64"]).move_as(
            &[Role::Admin],
            "arch",
            "InVerification",
        );
        story.move_as(&[Role::Admin], "arch", "StageRollOut").carried_out();
        assert_eq!(story.trees("a-1-1.x86_64"), ["testing"]);
    }

    #[test]
    fn a_rollout_has_a_distribution_an_id_of_its_own_and_packages() {
        let mut story = Story::new();
        story.submit("r", &[]);
        assert_eq!(story.codes(), ["no_packages"]);
        story.submit("r", &[A]).submit("r", &[A]);
        assert!(matches!(story.answer, Some(Answer::Conflict(_))));
        let ask = Ask::Submit {
            rollout: "x".parse().expect("an id"),
            dist: "nowhere".parse().expect("a path"),
            title: String::new(),
            packages: vec![],
        };
        story.tell(&Input::Asked(caller(&[Role::Admin]), ask));
        assert!(matches!(story.answer, Some(Answer::NotFound(_))));
    }

    proptest::proptest! {
        /// Whatever waits, fails and is given up: packages are where their rollout says, each in one tree.
        #[test]
        fn whatever_is_given_up_a_rollout_at_rest_is_where_its_packages_are(
            steps in proptest::collection::vec((0..5_u8, 0..5_usize), 1..60)
        ) {
            let states = ["Unverified", "InVerification", "StageRollOut", "Production", "Rejected"];
            let mut story = Story::new();
            story.arrives(A).arrives(B).submit("r", &[A, B]);
            for (what, state) in steps {
                match what {
                    0 | 1 => { story.move_as(&[Role::Admin], "r", states[state]); }
                    2 if !story.world.plans.is_empty() => fails(&mut story),
                    3 => give_up_for(&mut story, "by mistake"),
                    4 => { story.carried_out(); }
                    _ => {}
                }
                if story.world.plans.is_empty() {
                    story.troubles.clear();
                    let trees = match story.state("r").as_str() {
                        "StageRollOut" => vec!["testing"],
                        "Production" => vec!["production"],
                        "Rejected" => vec![],
                        _ => vec!["untested"],
                    };
                    for nevra in [A, B] {
                        proptest::prop_assert_eq!(&story.trees(nevra), &trees, "{:?}", story.facts.last());
                    }
                }
                for nevra in [A, B] {
                    proptest::prop_assert!(story.trees(nevra).len() <= 1);
                }
            }
        }

        /// S0-01: no sequence of events lets a package into production that never was in testing.
        #[test]
        fn nothing_reaches_production_that_was_not_in_testing(
            steps in proptest::collection::vec((0..4_u8, 0..5_usize, proptest::bool::ANY), 1..40)
        ) {
            let states = ["Unverified", "InVerification", "StageRollOut", "Production", "Rejected"];
            let mut story = Story::new();
            let mut tested = BTreeSet::new();
            story.submit("r", &[A]).submit("s", &["b-1-1.noarch"]);
            for (n, (what, state, first)) in steps.iter().enumerate() {
                let (id, nevra) = if *first { ("r", A) } else { ("s", "b-1-1.noarch") };
                match what {
                    0 if story.trees(nevra).is_empty() && story.state(id) != "Rejected" => { story.arrives(nevra); }
                    1 => { story.move_as(&[Role::Admin], id, states[*state]); }
                    2 => { story.hint(&n.to_string(), id, states[*state]); }
                    _ => { story.carried_out(); }
                }
                for nevra in [A, "b-1-1.noarch"] {
                    let trees = story.trees(nevra);
                    if trees.contains(&"testing".to_owned()) {
                        tested.insert(nevra);
                    }
                    proptest::prop_assert!(!trees.contains(&"production".to_owned()) || tested.contains(nevra));
                    proptest::prop_assert!(trees.len() <= 1);
                }
            }
        }

        /// Folding the logbook again gives the same world: running and recovering cannot disagree.
        #[test]
        fn the_fold_of_what_was_written_is_the_world(
            steps in proptest::collection::vec((0..3_u8, 0..5_usize), 1..20)
        ) {
            let states = ["Unverified", "InVerification", "StageRollOut", "Production", "Rejected"];
            let mut story = Story::new();
            story.arrives(A).submit("r", &[A]);
            for (n, (what, state)) in steps.iter().enumerate() {
                match what {
                    0 => { story.move_as(&[Role::Admin], "r", states[*state]); }
                    1 => { story.hint(&n.to_string(), "r", states[*state]); }
                    _ => { story.carried_out(); }
                }
            }
            let mut again = World::default();
            for (n, fact) in story.facts.iter().enumerate() {
                let read = super::super::entry::read(&super::super::entry::write(fact)).expect("readable");
                again.apply(n as u64 + 1, Timestamp::UNIX_EPOCH, "jane", &read);
            }
            proptest::prop_assert_eq!(again.packages, story.world.packages);
            proptest::prop_assert_eq!(again.plans, story.world.plans);
            proptest::prop_assert_eq!(again.trees, story.world.trees);
        }
    }
}
