//! Procedures as tables: states, transitions and what each of them moves.
//!
//! A [`Workflow`] is data, read from a file by `format/procedure`. One function, [`Workflow::step`], takes every step;
//! a pair of states that is not in the table is refused with a value that says what would be possible, never with a
//! panic.
//!
//! Source: seed S0, "Staged Rollout Workflow": a field of a ticket changes, and transitions labelled TR trigger a
//! repository transition (S0-22 to S0-27).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::attributes::Importance;
use super::message::{Group, Template, TemplateName};
use super::names::{Role, TreeName};
use super::terms::Gate;

/// The name of a state in its canonical spelling.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct State(SmolStr);

impl State {
    /// The canonical spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A state from the logbook. It was checked when it was written; a procedure that no longer has it refuses every
    /// step from it and says so.
    pub fn recorded(text: &str) -> Self {
        Self(text.into())
    }
}

/// The name of a state, as a shell takes it for one word.
pub fn quoted(state: &str) -> String {
    if state.contains(' ') { format!("'{state}'") } else { state.to_owned() }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// What a transition does to the trees: the "TR" of the EGI diagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing moves.
    None,
    /// The rollout's packages are moved from `from` to `to`.
    Move {
        /// Where they are.
        from: TreeName,
        /// Where they go.
        to: TreeName,
    },
    /// The rollout's packages are removed from every tree and kept aside.
    Withdraw,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("nothing moves"),
            Self::Move { from, to } => write!(f, "{from} -> {to}"),
            Self::Withdraw => f.write_str("packages are withdrawn"),
        }
    }
}

/// One arrow of the diagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state it leaves.
    pub from: State,
    /// The state it reaches.
    pub to: State,
    /// Roles, one of which suffices.
    pub who: BTreeSet<Role>,
    /// Its gates.
    pub gates: Vec<Gate>,
    /// What it does to the trees.
    pub effect: Effect,
    /// Whether it says that a test has failed: somebody reports why, and the cycle begins anew (S3-26).
    pub fails: bool,
}

/// When somebody is told something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occasion {
    /// A rollout has come into a state, from one of these or from any if there are none, and its packages are where they
    /// should be then.
    Entered(State, Vec<State>),
    /// All rollouts of an update have come into the last tree.
    UpdateReleased,
    /// A file was refused that looks as if somebody had tampered with it.
    Security,
    /// A fact of this kind was written; if a state is named, of a rollout in this state.
    Fact(&'static str, Option<State>),
}

impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entered(state, from) if from.is_empty() => write!(f, "a rollout has come into {state}"),
            Self::Entered(state, from) => {
                let from: Vec<&str> = from.iter().map(State::as_str).collect();
                write!(f, "a rollout has come into {state} from {}", from.join(" or "))
            }
            Self::UpdateReleased => f.write_str("an update is released"),
            Self::Security => f.write_str("a file looks tampered with"),
            Self::Fact(kind, None) => write!(f, "`{kind}`"),
            Self::Fact(kind, Some(state)) => write!(f, "`{kind}` in {state}"),
        }
    }
}

/// Who is told what, and when: one line of a procedure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// When.
    pub when: Occasion,
    /// Who.
    pub to: Vec<Group>,
    /// What.
    pub template: TemplateName,
}

/// A procedure: the whole table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workflow {
    name: String,
    initial: State,
    /// Normalised spellings of states.
    spellings: BTreeMap<String, State>,
    states: Vec<State>,
    /// How long a rollout should be in a state at most.
    limits: BTreeMap<State, Duration>,
    transitions: Vec<Transition>,
    submitters: BTreeSet<Role>,
    review: Option<Duration>,
    settling: Option<Duration>,
    titled: bool,
    notices: Vec<Notice>,
    templates: BTreeMap<TemplateName, Template>,
}

/// A procedure as written, before it is checked.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The procedure's name.
    pub name: String,
    /// The state of a new rollout.
    pub initial: String,
    /// States with the other spellings that trackers use.
    pub states: Vec<(String, Vec<String>)>,
    /// How long a rollout should be in one of them at most, by its name.
    pub limits: BTreeMap<String, Duration>,
    /// Transitions by the names of their states.
    pub transitions: Vec<DraftTransition>,
    /// Who may submit rollouts.
    pub submitters: BTreeSet<Role>,
    /// Within which time those who use it review what has come into the last tree, if they do.
    pub review: Option<Duration>,
    /// How long a bundle's rollouts have to stay as they are before roll-out tasks are created for it.
    pub settling: Option<Duration>,
    /// Whether titles have to follow the naming convention.
    pub titled: bool,
    /// Who is told what.
    pub notices: Vec<DraftNotice>,
    /// What they are told.
    pub templates: Vec<(TemplateName, Template)>,
}

/// A notice of a [`Draft`].
#[derive(Clone, Debug)]
pub struct DraftNotice {
    /// The kind of fact that is its occasion, or [`UPDATE_RELEASED`], or [`SECURITY`].
    pub of: Option<&'static str>,
    /// Only of rollouts in this state, in any spelling; without a kind of fact, when they have come into it.
    pub state: Option<String>,
    /// Only if they have come from one of these; from any if there are none.
    pub from: Vec<String>,
    /// Who is told.
    pub to: Vec<Group>,
    /// What.
    pub template: TemplateName,
}

/// The occasion that is no fact of its own: all rollouts of an update have come into the last tree.
pub const UPDATE_RELEASED: &str = "update.released";

/// The occasion that a file looks tampered with (S3-37).
pub const SECURITY: &str = "security";

/// A transition of a [`Draft`].
#[derive(Clone, Debug)]
pub struct DraftTransition {
    /// The state it leaves, in any spelling.
    pub from: String,
    /// The state it reaches, in any spelling.
    pub to: String,
    /// Who may take it.
    pub who: BTreeSet<Role>,
    /// Its gates.
    pub gates: Vec<Gate>,
    /// Its effect.
    pub effect: Effect,
    /// Whether it says that a test has failed.
    pub fails: bool,
}

/// A part of a [`Draft`], by its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The initial state.
    Initial,
    /// Who may submit rollouts.
    Submitters,
    /// A state.
    State(usize),
    /// A transition.
    Transition(usize),
    /// A notice.
    Notice(usize),
    /// A template.
    Template(usize),
}

/// What is inconsistent, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Where.
    pub part: Part,
    /// What, a lower-case fragment.
    pub what: String,
}

/// Why a step is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoStep {
    /// The procedure has no such state.
    #[error("the procedure {procedure} has no state `{}`; it has {}", asked.escape_default(), list(states))]
    UnknownState {
        /// The requested text.
        asked: String,
        /// The procedure.
        procedure: String,
        /// Its states.
        states: Vec<State>,
    },
    /// The rollout is in that state already.
    #[error("it is in {0} already")]
    Already(State),
    /// No arrow between the two.
    #[error("no transition leads from {from} to {to}; from {from} it can go to {}", list(possible))]
    NoArrow {
        /// Where it is.
        from: State,
        /// Where it should go.
        to: State,
        /// Where it can go.
        possible: Vec<State>,
    },
}

fn list(states: &[State]) -> String {
    match states {
        [] => "no other state".to_owned(),
        _ => states.iter().map(State::as_str).collect::<Vec<_>>().join(", "),
    }
}

/// The form in which spellings are compared: letters and digits, lower case (S0-23).
fn normal(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

impl Workflow {
    /// Checks a draft: every state can be reached, every name is known, no transition is duplicated.
    ///
    /// # Errors
    /// All complaints, not only the first.
    pub fn check(draft: Draft) -> Result<Self, Vec<Misfit>> {
        let mut all: Vec<Misfit> = Vec::new();
        let mut say = |part, what: String| all.push(Misfit { part, what });
        let mut spellings = BTreeMap::new();
        let mut states = Vec::new();
        for (at, (name, others)) in draft.states.iter().enumerate() {
            let part = Part::State(at);
            let state = State(name.as_str().into());
            for spelling in std::iter::once(name).chain(others) {
                let key = normal(spelling);
                if key.is_empty() {
                    say(part, format!("state `{name}` has a spelling without letters"));
                } else if spellings.insert(key, state.clone()).is_some_and(|other| other != state) {
                    say(part, format!("the spelling `{spelling}` belongs to two states"));
                }
            }
            if states.iter().any(|(_, known)| *known == state) {
                say(part, format!("state `{name}` is defined twice"));
            } else {
                states.push((at, state));
            }
        }
        let find = |name: &str| {
            let found = spellings.get(&normal(name)).cloned();
            found.ok_or_else(|| format!("`{name}` is not one of the states"))
        };
        let initial = find(&draft.initial).map_err(|what| say(Part::Initial, what)).ok();
        let mut transitions: Vec<Transition> = Vec::new();
        for (at, t) in draft.transitions.into_iter().enumerate() {
            let part = Part::Transition(at);
            let [from, to] = [&t.from, &t.to].map(|name| find(name).map_err(|what| say(part, what)).ok());
            let (Some(from), Some(to)) = (from, to) else { continue };
            if from == to {
                say(part, format!("a transition leads from {from} to itself"));
            }
            if t.who.is_empty() {
                say(part, format!("nobody may take the transition from {from} to {to}"));
            }
            if is_any_twice(&t.gates) {
                say(part, format!("the transition from {from} to {to} names a gate twice"));
            }
            if let Effect::Move { from: a, to: b } = &t.effect
                && a == b
            {
                say(part, format!("the transition from {from} to {to} moves packages from {a} to itself"));
            }
            if transitions.iter().any(|other| other.from == from && other.to == to) {
                say(part, format!("the transition from {from} to {to} is defined twice"));
                continue;
            }
            transitions.push(Transition { from, to, who: t.who, gates: t.gates, effect: t.effect, fails: t.fails });
        }
        let mut notices = Vec::new();
        for (at, notice) in draft.notices.into_iter().enumerate() {
            let part = Part::Notice(at);
            if !draft.templates.iter().any(|(name, _)| *name == notice.template) {
                say(part, format!("there is no template `{}`", notice.template));
            }
            if notice.to.is_empty() {
                say(part, "nobody is told".to_owned());
            }
            let state = notice.state.as_deref().map(find).transpose();
            let from = notice.from.iter().map(|text| find(text)).collect::<Result<Vec<State>, String>>();
            let when = state.and_then(|state| Ok((state, from?))).and_then(|(state, from)| match (notice.of, state) {
                (None, None) => Err("a notice has a `state`, or an `of` with the kind of fact it is about".to_owned()),
                (None, Some(state)) => {
                    let leads = |from: &&State| transitions.iter().any(|step| step.from == **from && step.to == state);
                    match from.iter().find(|from| !leads(from)) {
                        Some(from) => Err(format!("no transition leads from {from} to {state}")),
                        None => Ok(Occasion::Entered(state, from)),
                    }
                }
                (Some(_), _) if !from.is_empty() => Err("`from` needs a `state`, and no `of`".to_owned()),
                (Some(UPDATE_RELEASED), None) => Ok(Occasion::UpdateReleased),
                (Some(SECURITY), None) => Ok(Occasion::Security),
                (Some(of @ (UPDATE_RELEASED | SECURITY)), Some(_)) => Err(format!("`{of}` has no `state`")),
                (Some(kind), state) => Ok(Occasion::Fact(kind, state)),
            });
            match when {
                Ok(when) => notices.push(Notice { when, to: notice.to, template: notice.template }),
                Err(what) => say(part, what),
            }
        }
        for (at, (name, _)) in draft.templates.iter().enumerate() {
            if draft.templates.iter().take(at).any(|(other, _)| other == name) {
                say(Part::Template(at), format!("the template `{name}` is defined twice"));
            }
            if !notices.iter().any(|notice| notice.template == *name) {
                say(Part::Template(at), format!("no notice has the template `{name}`"));
            }
        }
        if draft.submitters.is_empty() {
            say(Part::Submitters, "nobody may submit a rollout".to_owned());
        }
        let Some(initial) = initial else { return Err(all) };
        for (at, state) in unreachable(&initial, &states, &transitions) {
            say(Part::State(*at), format!("{state} cannot be reached from {initial}"));
        }
        if !all.is_empty() {
            return Err(all);
        }
        let states: Vec<State> = states.into_iter().map(|(_, state)| state).collect();
        let limit = |state: &State| Some((state.clone(), *draft.limits.get(state.as_str())?));
        let limits = states.iter().filter_map(limit).collect();
        let templates = draft.templates.into_iter().collect();
        let Draft { name, submitters, titled, review, settling, .. } = draft;
        Ok(Self {
            name,
            initial,
            spellings,
            states,
            limits,
            transitions,
            submitters,
            review,
            settling,
            titled,
            notices,
            templates,
        })
    }

    /// The roles that it names.
    pub fn roles(&self) -> impl Iterator<Item = &Role> {
        self.submitters.iter().chain(self.transitions.iter().flat_map(|transition| &transition.who))
    }

    /// The procedure's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who may submit rollouts.
    pub fn submitters(&self) -> &BTreeSet<Role> {
        &self.submitters
    }

    /// Within which time those who use it review what has come into the last tree, if they do (S3-17).
    pub fn review(&self) -> Option<Duration> {
        self.review
    }

    /// How long a bundle's rollouts have to stay as they are before roll-out tasks are created for it (S1-23).
    pub fn settling(&self) -> Option<Duration> {
        self.settling
    }

    /// Whether titles of rollouts have to follow the naming convention (S0-54).
    pub fn is_titled(&self) -> bool {
        self.titled
    }

    /// Who is told what.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// What a message says, before the values are put in.
    pub fn template(&self, name: &TemplateName) -> Option<&Template> {
        self.templates.get(name)
    }

    /// The state of a new rollout.
    pub fn initial(&self) -> &State {
        &self.initial
    }

    /// All states in the order of the table.
    pub fn states(&self) -> &[State] {
        &self.states
    }

    /// The states in which a rollout should not be for longer than some time, and that time. It is delayed from then on.
    pub fn limits(&self) -> impl Iterator<Item = (&State, Duration)> {
        self.limits.iter().map(|(state, limit)| (state, *limit))
    }

    /// How long a rollout should be in a state at most.
    pub fn limit(&self, state: &State) -> Option<Duration> {
        self.limits.get(state).copied()
    }

    /// All transitions in the order of the table.
    pub fn transitions(&self) -> &[Transition] {
        &self.transitions
    }

    /// How else trackers spell each state, in the form in which spellings are compared.
    pub fn spellings(&self) -> BTreeMap<String, Vec<String>> {
        let mut all = BTreeMap::<String, Vec<String>>::new();
        for (spelling, state) in self.spellings.iter().filter(|(text, state)| **text != normal(state.as_str())) {
            all.entry(state.to_string()).or_default().push(spelling.clone());
        }
        all
    }

    /// The state with this spelling: spaces, dashes and case do not matter (S0-23).
    ///
    /// # Errors
    /// The procedure has no such state.
    pub fn state(&self, text: &str) -> Result<&State, NoStep> {
        self.spellings.get(&normal(text)).ok_or_else(|| NoStep::UnknownState {
            asked: text.to_owned(),
            procedure: self.name.clone(),
            states: self.states.clone(),
        })
    }

    /// The transitions that leave `from`.
    pub fn leaving<'s, 'f>(&'s self, from: &'f State) -> impl Iterator<Item = &'s Transition> + use<'s, 'f> {
        self.transitions.iter().filter(move |t| t.from == *from)
    }

    /// Whether whatever is in a state was rejected: nothing leads out of it, and packages are withdrawn on the way there.
    pub fn is_rejection(&self, state: &State) -> bool {
        self.leaving(state).next().is_none() && self.withdraws_to(state)
    }

    /// Whether packages are withdrawn on a way to a state.
    pub fn withdraws_to(&self, state: &State) -> bool {
        self.transitions.iter().any(|t| t.to == *state && t.effect == Effect::Withdraw)
    }

    /// The transition from one state to another, the only way a rollout changes.
    ///
    /// # Errors
    /// Says which states the rollout can go to instead.
    pub fn step(&self, from: &State, to: &State) -> Result<&Transition, NoStep> {
        if from == to {
            return Err(NoStep::Already(to.clone()));
        }
        self.leaving(from).find(|t| t.to == *to).ok_or_else(|| NoStep::NoArrow {
            from: from.clone(),
            to: to.clone(),
            possible: self.leaving(from).map(|t| t.to.clone()).collect(),
        })
    }

    /// What does not match a distribution that has only `trees`.
    pub fn misfits(&self, trees: &[TreeName]) -> Vec<Misfit> {
        let mut wrong = Vec::new();
        for (at, t) in self.transitions.iter().enumerate() {
            let moved = match &t.effect {
                Effect::Move { from, to } => vec![from, to],
                Effect::None | Effect::Withdraw => vec![],
            };
            let looked_at = t.gates.iter().flat_map(|gate| gate.terms.trees());
            for tree in moved.into_iter().chain(looked_at).filter(|tree| !trees.contains(tree)) {
                let what = format!("the transition from {} to {} needs the tree `{tree}`", t.from, t.to);
                wrong.push(Misfit { part: Part::Transition(at), what });
            }
        }
        wrong
    }
}

/// Whether a gate is asked with two sets of terms for the same rollout.
fn is_any_twice(gates: &[Gate]) -> bool {
    let both = |a: &Gate, b: &Gate| Importance::ALL.iter().any(|it| a.terms.apply_to(*it) && b.terms.apply_to(*it));
    let again = |n: usize, gate: &Gate| gates[..n].iter().any(|other| other.name == gate.name && both(other, gate));
    gates.iter().enumerate().any(|(n, gate)| again(n, gate))
}

/// The states that cannot be reached, each with its position in the draft.
fn unreachable<'s>(
    initial: &State,
    states: &'s [(usize, State)],
    transitions: &[Transition],
) -> Vec<&'s (usize, State)> {
    let mut reached = BTreeSet::from([initial]);
    loop {
        let before = reached.len();
        reached.extend(transitions.iter().filter(|t| reached.contains(&t.from)).map(|t| &t.to).collect::<Vec<_>>());
        if reached.len() == before {
            return states.iter().filter(|(_, state)| !reached.contains(state)).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrow(from: &str, to: &str) -> DraftTransition {
        DraftTransition {
            from: from.into(),
            to: to.into(),
            who: BTreeSet::from([Role::ADMIN]),
            gates: vec![],
            effect: Effect::None,
            fails: false,
        }
    }

    fn draft(states: &[&str], arrows: &[(&str, &str)]) -> Draft {
        Draft {
            name: "test".into(),
            initial: states[0].into(),
            states: states.iter().map(|s| ((*s).to_owned(), vec![])).collect(),
            transitions: arrows.iter().map(|(a, b)| arrow(a, b)).collect(),
            limits: BTreeMap::new(),
            submitters: BTreeSet::from([Role::ADMIN]),
            review: None,
            settling: None,
            titled: false,
            notices: vec![],
            templates: vec![],
        }
    }

    #[test]
    fn a_state_is_known_under_every_spelling() {
        let flow =
            Workflow::check(draft(&["InVerification", "StageRollOut"], &[("In verification", "stage-roll-out")]))
                .expect("a legal table");
        for text in ["InVerification", "in verification", "In- Verification", "IN_VERIFICATION"] {
            assert_eq!(flow.state(text).map(State::as_str), Ok("InVerification"), "{text}");
        }
        assert!(flow.state("Verification").is_err());
    }

    #[test]
    fn a_pair_that_is_not_in_the_table_is_refused_with_what_would_be_possible() {
        let flow = Workflow::check(draft(&["A", "B", "C"], &[("A", "B"), ("B", "C")])).expect("a legal table");
        let (a, c) = (flow.state("a").expect("a").clone(), flow.state("c").expect("c").clone());
        let refused = flow.step(&a, &c).expect_err("no arrow");
        assert_eq!(refused.to_string(), "no transition leads from A to C; from A it can go to B");
        assert_eq!(
            flow.step(&c, &a).expect_err("a dead end").to_string(),
            "no transition leads from C to A; from C it can go to no other state"
        );
        assert_eq!(flow.step(&a, &a), Err(NoStep::Already(a)));
    }

    #[test]
    fn a_table_that_makes_no_sense_is_refused_with_all_its_mistakes() {
        let mut wrong = draft(&["A", "B", "A b", "Island"], &[("A", "B"), ("A", "B"), ("B", "Nowhere"), ("B", "B")]);
        wrong.states.push(("Other".into(), vec!["a-B".into()]));
        wrong.transitions[0].who.clear();
        let complaints = Workflow::check(wrong).expect_err("a bad table");
        let places: Vec<Part> = complaints.iter().map(|misfit| misfit.part).collect();
        let (state, transition) = (Part::State, Part::Transition);
        let right =
            [state(4), transition(0), transition(1), transition(2), transition(3), state(2), state(3), state(4)];
        assert_eq!(places, right);
        let complaints: Vec<String> = complaints.into_iter().map(|misfit| misfit.what).collect();
        assert_eq!(
            complaints,
            [
                "the spelling `a-B` belongs to two states",
                "nobody may take the transition from A to B",
                "the transition from A to B is defined twice",
                "`Nowhere` is not one of the states",
                "a transition leads from B to itself",
                "A b cannot be reached from A",
                "Island cannot be reached from A",
                "Other cannot be reached from A",
            ]
        );
    }
}
