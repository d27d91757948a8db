//! Gates: the questions that are asked before a step.
//!
//! All of them are asked, so that a person sees all the reasons and not only the first; the worst verdict wins. A new gate
//! is a file with a [`Gate`] and a line in [`ALL`]; procedure files can then name it, with its terms.
//!
//! The facts (`act/wishes`), not the gates, say what has to be judged again: a fact is about a few rollouts, and asking all
//! gates about those costs less than tracking which facts each gate looks at.

/// May whoever asks take this step?
mod role;
/// Is something being moved for this rollout already?
mod idle;
/// Is each tree that would change as it should be?
mod sound;
/// Has a restore taken packages of the rollout out of a tree?
mod restored;
/// Does the target trust who signed?
mod trusted;
/// Do the packages lie where they are moved from?
pub mod present;
/// Does the target list something newer?
mod not_older;
/// Have the packages been in the tree that they leave for long enough?
pub mod exposure;
/// Has everybody had time to learn of the rollout's last change?
pub mod settled;
/// Are promotions halted?
mod halted;
/// Is there a maintenance?
pub mod maintenance;
/// Has another rollout taken this one's place?
pub mod superseded;
/// Is the rollout on hold?
mod on_hold;
/// Is the change on hold that the rollout carries out, or was it rejected?
mod stalled;
/// Have enough early adopters accepted?
pub mod acknowledged;
/// Have enough early adopters reported?
mod reported;
/// Is an issue open with which the rollout cannot go on?
mod show_stoppers;
/// Do those approve whose approval is asked for?
pub mod approvals;
/// Are the documents linked?
mod linked;
/// Are the sources where people look for them?
mod sources;
/// Was everything ticked that somebody has to look at?
pub mod checked;
/// Is it said how to reverse what is risky?
mod reversible;
/// Does another open bundle have a package of the same name?
mod no_conflict;
/// Is the rollout in a bundle?
mod in_bundle;
/// Is another rollout of the bundle further already?
mod bundle_ready;
/// Is the bundle complete?
pub mod bundle_complete;
/// Are the roll-out tasks of the bundle done?
mod tasks_done;
/// Would too much leave the tree from which everybody installs?
pub mod shrink;
/// Does the calendar let packages move now?
mod calendar;
/// Was the change accepted that the rollout carries out?
mod change_accepted;
/// Was the board told of the release?
mod board_told;

use super::decision::Entry;
use super::fact::rollout::Moved;
use super::known::Known;
use super::rules::DistRules;
use super::who::Caller;
use super::world::World;
use super::world::adopters::Adopter;
use crate::domain::gate::{Finding, Judgement, Verdict, judge};
use crate::domain::names::{TreeId, TreeName};
use crate::domain::naming::team::TeamName;
use crate::domain::nevra::Nevra;
use crate::domain::plan::{Item, Move, Plan};
use crate::domain::rollout::{Part, Rollout};
use crate::domain::terms::{self, GateForm, TermForm, TermKind, Terms};
use crate::domain::workflow::{Effect, NoStep, Transition};

/// When a gate is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Before each step.
    Always,
    /// Before each step; while packages are being moved for the rollout only if the step takes them back, since it
    /// would judge a world that is about to change.
    AtRest,
    /// The same, but never while packages are being moved.
    Still,
    /// Like the last, where the procedure names it.
    Named,
}

/// A gate.
struct Gate {
    /// Its name in procedure files; `None` if it is always asked and has no terms.
    form: Option<GateForm>,
    asked: Asked,
    /// Whether somebody with the right may let it not hold a rollout up.
    may_be_overridden: bool,
    judge: fn(&Case<'_>, &Transition, &Terms) -> Vec<Finding>,
}

/// All gates, in the order in which they are asked.
const ALL: &[Gate] = &[
    role::GATE,
    idle::GATE,
    sound::GATE,
    restored::GATE,
    trusted::GATE,
    halted::GATE,
    maintenance::GATE,
    superseded::GATE,
    on_hold::GATE,
    stalled::GATE,
    present::GATE,
    not_older::GATE,
    exposure::GATE,
    settled::GATE,
    shrink::GATE,
    calendar::GATE,
    acknowledged::GATE,
    reported::GATE,
    show_stoppers::GATE,
    linked::GATE,
    sources::GATE,
    checked::GATE,
    reversible::GATE,
    no_conflict::GATE,
    in_bundle::GATE,
    bundle_ready::GATE,
    bundle_complete::GATE,
    tasks_done::GATE,
    change_accepted::GATE,
    board_told::GATE,
    approvals::GATE,
];

/// The gate that asks whether the roll-out tasks of a bundle are done.
const TASKS_DONE: &str = "tasks_done";

/// The gate that asks how long packages were exposed.
pub const EXPOSURE: &str = "exposure";

/// The gates that an emergency need not wait for: they ask for time and for people, and not whether anything is sound
/// (S3-12).
pub const HASTENED: [&str; 8] =
    [EXPOSURE, "settled", "acknowledged", "reported", "tasks_done", "approvals", "change_accepted", "calendar"];

/// The gates that ask for early adopters.
pub const EARLY_ADOPTERS: [&str; 2] = ["acknowledged", "reported"];

/// How many teams of early adopters a gate wants.
const TEAMS: TermForm = TermForm { name: "teams", kind: TermKind::Count, required: true, example: "teams = 1" };

/// The gates that a procedure may name.
pub fn forms() -> Vec<GateForm> {
    ALL.iter().filter_map(|gate| gate.form).collect()
}

/// The gates that may be overridden.
pub fn overridable() -> impl Iterator<Item = &'static str> {
    ALL.iter().filter(|gate| gate.may_be_overridden).filter_map(|gate| Some(gate.form?.name))
}

/// Whether a step asks a gate: because the procedure names it there, or because it is always asked.
pub fn is_asked_by(step: &Transition, name: &str) -> bool {
    let is_it = |gate: &Gate| gate.form.is_some_and(|form| form.name == name);
    let is_always = ALL.iter().any(|gate| is_it(gate) && gate.asked != Asked::Named);
    is_always || step.gates.iter().any(|named| named.name == name)
}

/// Whether a gate may be overridden.
pub fn may_be_overridden(name: &str) -> bool {
    overridable().any(|gate| gate == name)
}

/// One step that somebody wants a rollout to take.
pub struct Case<'a> {
    known: Known<'a>,
    world: &'a World,
    pub(super) rollout: &'a Rollout,
    caller: &'a Caller,
    /// The rules of its distributions, or why they do not hold for it.
    rules: Result<&'a DistRules, Finding>,
    pub(super) step: Result<&'a Transition, NoStep>,
}

impl<'a> Case<'a> {
    /// Of a rollout, somebody and a state in any spelling.
    pub fn new(known: Known<'a>, rollout: &'a Rollout, caller: &'a Caller, state: &str) -> Self {
        let Known { world, rules, .. } = known;
        let dist = rules.of(&rollout.parts);
        let step = match &dist {
            Ok(dist) => dist.workflow.state(state).and_then(|to| {
                let step = dist.workflow.step(&rollout.state, to);
                let is_stuck = known.stuck(rollout).is_some();
                step.or_else(|no_step| World::ways(dist, rollout, is_stuck).find(|way| way.to == *to).ok_or(no_step))
            }),
            Err(_) => {
                Err(NoStep::UnknownState { asked: state.to_owned(), procedure: "none".to_owned(), states: vec![] })
            }
        };
        Self { known, world, rollout, caller, rules: dist, step }
    }

    /// Whether the rollout is in that state already.
    pub(super) fn is_there(&self) -> bool {
        matches!(self.step, Err(NoStep::Already(_)))
    }

    /// Its parts, each with the rules of its distribution.
    fn parts(&self) -> impl Iterator<Item = (&'a Part, &'a DistRules)> {
        let distributions = &self.known.rules.distributions;
        self.rollout.parts.iter().filter_map(|part| Some((part, distributions.get(&part.dist)?)))
    }

    /// How a sentence names a tree: with its distribution where the rollout has several.
    fn place(&self, part: &Part, tree: &TreeName) -> String {
        match self.rollout.parts.len() {
            1 => tree.to_string(),
            _ => TreeId { dist: part.dist.clone(), tree: tree.clone() }.to_string(),
        }
    }

    /// Asks every gate.
    pub fn judge(&self) -> Judgement {
        if let Err(finding) = &self.rules {
            return judge(vec![finding.clone()]);
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
        if self.rollout.cancelled {
            let sentence = format!("{} was cancelled.", self.rollout.id);
            return judge(vec![Finding::new(Verdict::Reject, "cancelled", sentence)]);
        }
        let asked = ALL.iter().filter_map(|gate| Some((gate, self.terms(gate, transition)?)));
        let findings = asked.flat_map(|(gate, terms)| {
            let found = (gate.judge)(self, transition, terms);
            if self.is_overridden(gate, transition) { found.into_iter().map(overridden).collect() } else { found }
        });
        judge(findings.collect())
    }

    /// Whether somebody lets a gate not hold this step up.
    fn is_overridden(&self, gate: &Gate, transition: &Transition) -> bool {
        let name = gate.form.filter(|_| gate.may_be_overridden).map(|form| form.name);
        let (Some(name), Some(dossier)) = (name, self.world.dossiers.of(&self.rollout.id)) else { return false };
        dossier.overridden.contains(&(transition.to.to_string(), name.to_owned()))
    }

    /// The teams of early adopters of the rollout that count.
    fn teams(&self) -> impl Iterator<Item = (&'a TeamName, &'a Adopter)> {
        let teams = &self.world.teams;
        self.world.adopters.of(&self.rollout.id).filter(|(team, _)| teams.counts(team))
    }

    /// Those of them that were asked: nobody else has a vote (S0-06).
    fn asked_teams(&self) -> impl Iterator<Item = (&'a TeamName, &'a Adopter)> {
        self.teams().filter(|(_, adopter)| adopter.asked.is_some())
    }

    /// The terms of a gate, if it is asked.
    fn terms<'t>(&self, gate: &Gate, transition: &'t Transition) -> Option<&'t Terms> {
        let moves = self.rollout.plan.is_some();
        let is_asked = match gate.asked {
            Asked::Always => true,
            Asked::AtRest => !moves || transition.effect == Effect::Withdraw,
            Asked::Still | Asked::Named => !moves,
        };
        let matters = self.world.attributes.said(&self.rollout.id).importance.unwrap_or_default();
        let is_it = |named: &&terms::Gate| {
            gate.form.is_some_and(|form| form.name == named.name) && named.terms.apply_to(matters)
        };
        let named = || transition.gates.iter().find(is_it);
        match gate.asked {
            _ if !is_asked => None,
            Asked::Named => named().map(|named| &named.terms),
            _ => Some(named().map_or(Terms::NONE, |named| &named.terms)),
        }
    }

    /// The tree whose packages a gate looks at: the one that they leave, or the one that its terms name.
    fn source<'t>(transition: &'t Transition, terms: &'t Terms) -> Option<&'t TreeName> {
        match &transition.effect {
            Effect::Move { from, .. } => Some(from),
            Effect::None | Effect::Withdraw => terms.tree(),
        }
    }

    /// What whoever takes the step should know of the rollout, although nothing holds it up.
    pub(super) fn warnings(&self) -> Vec<String> {
        let Ok(step) = &self.step else { return vec![] };
        let all = [
            sources::warning(self, step),
            linked::warning(self, step),
            no_conflict::warning(self, step),
            self.unnumbered(step),
        ];
        all.into_iter().flatten().collect()
    }

    /// That nobody is told of a release, since no update has it.
    fn unnumbered(&self, step: &Transition) -> Option<String> {
        let lacks = self.known.releases(self.rollout, step) && self.known.lacks_number(self.rollout);
        lacks.then(|| "it has no update number, so no site is told of it: see `rolloutctl update --help`".to_owned())
    }

    /// The plan that cannot be carried out, and why.
    fn stuck(&self) -> Option<(Plan, String)> {
        self.known.stuck(self.rollout)
    }

    /// The entry for a step that passed, and how many packages it moves.
    pub(super) fn moved(&self, transition: &Transition, reason: &str) -> (Entry, usize) {
        let plan = self.plan(transition);
        let packages = plan.as_ref().map_or(0, Plan::packages);
        let fact = Moved {
            rollout: self.rollout.id.clone(),
            from: transition.from.to_string(),
            to: transition.to.to_string(),
            plan,
        };
        (Entry { who: self.caller.who.clone(), why: reason.to_owned(), fact: fact.into() }, packages)
    }

    /// What a step does to the trees; `None` if it moves nothing.
    pub(super) fn plan(&self, transition: &Transition) -> Option<Plan> {
        let target = match &transition.effect {
            Effect::None => return None,
            Effect::Move { to, .. } => Some(to.clone()),
            Effect::Withdraw => None,
        };
        // A move that is given up may have got as far as its target.
        let stuck = self.stuck().map(|(plan, _)| plan);
        let moves = self.rollout.parts.iter().filter_map(|part| {
            let begun = stuck.as_ref().and_then(|plan| plan.of(&part.dist)?.target.as_ref());
            let items = self.items(part, transition, begun);
            (!items.is_empty()).then(|| Move { dist: part.dist.clone(), target: target.clone(), items })
        });
        let plan = Plan { owner: self.rollout.id.clone().into(), moves: moves.collect() };
        (!plan.moves.is_empty()).then_some(plan)
    }

    /// What is moved in one distribution. `begun` is the tree in which an earlier move that is given up may have begun.
    fn items(&self, part: &Part, transition: &Transition, begun: Option<&TreeName>) -> Vec<Item> {
        let (world, dist) = (self.world, &part.dist);
        let leaves = |nevra: &Nevra| match &transition.effect {
            Effect::Move { from, .. } => vec![from.clone()],
            // A rollout takes back what it brought, and uploads; never what another one has brought.
            Effect::None | Effect::Withdraw => {
                let listed = world.trees.of(dist).filter_map(|(name, tree)| Some((name, tree.listing().get(nevra)?)));
                let own = listed.filter(|(_, entry)| entry.brought.as_ref().is_none_or(|by| *by == self.rollout.id));
                let begun = begun.filter(|tree| !world.lists(dist, tree, nevra));
                own.map(|(name, _)| name).chain(begun).cloned().collect::<Vec<TreeName>>()
            }
        };
        let item = |nevra: &Nevra| {
            let package = world.packages.get(dist, nevra)?;
            let leaves = leaves(nevra);
            // A withdrawal of what lies nowhere has nothing to do.
            (!leaves.is_empty()).then(|| Item {
                nevra: nevra.clone(),
                sha256: package.sha256,
                leaves,
                was: None,
                of: None,
            })
        };
        part.packages.iter().filter_map(item).collect()
    }
}

/// What a gate found that was overridden.
fn overridden(finding: Finding) -> Finding {
    if finding.verdict == Verdict::Pass {
        return finding;
    }
    Finding {
        verdict: Verdict::Pass,
        not_before: None,
        sentence: format!("Overridden: {}", finding.sentence),
        ..finding
    }
}
