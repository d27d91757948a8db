//! Procedure files: TOML tables that become a [`Workflow`].
//!
//! The work is split: this module reads the file's syntax and refuses unknown keys; `domain/workflow` decides whether
//! the table makes sense. Both report everything at once, with line and column.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use super::complaint::{Complaint, Spot};
use super::document::{Section, Sheet, Value};
use super::quantity;
use super::syntax::Mended;
use crate::domain::message::{Template, TemplateName, Text};
use crate::domain::names::{Role, TreeName};
use crate::domain::terms::{Gate, GateForm, IMPORTANCE, IN, Term, TermForm, TermKind};
use crate::domain::workflow::{
    Draft, DraftNotice, DraftTransition, Effect, Misfit, Part, SECURITY, UPDATE_RELEASED, Workflow,
};

/// The procedures that ship with the program, by name.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("egi", include_str!("procedures/egi.toml")),
    ("glite", include_str!("procedures/glite.toml")),
    ("simple", include_str!("procedures/simple.toml")),
];

/// Who may submit rollouts if a procedure does not say.
const SUBMITTERS: [Role; 3] = [Role::ADMIN, Role::VERIFIER, Role::SRM];

/// Below this, nobody can answer in time; above it, nobody remembers.
const REVIEW: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24 * 180);

/// Trackers need hours; whoever waits for more than a week does not wait for them.
const SETTLING: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24 * 7);

/// Largest procedure file: the EGI one has 2 KiB, and nobody can review a table of a megabyte.
pub const FILE_MAX: usize = 256 * 1024;

/// A procedure, and the position of its parts in its file.
#[derive(Clone, Debug)]
pub struct Read {
    /// The procedure.
    pub workflow: Workflow,
    places: Places,
}

impl Read {
    /// Why it does not fit a distribution with these trees, each with its position.
    pub fn misfits(&self, trees: &[TreeName], file: &Path) -> Vec<Complaint> {
        self.workflow.misfits(trees).into_iter().map(|misfit| self.places.complaint(misfit, file)).collect()
    }
}

/// The positions of the parts of a procedure.
#[derive(Clone, Debug)]
struct Places {
    initial: Spot,
    submitters: Spot,
    states: Vec<Spot>,
    transitions: Vec<Spot>,
    notices: Vec<Spot>,
    templates: Vec<Spot>,
}

impl Places {
    fn complaint(&self, Misfit { part, what }: Misfit, file: &Path) -> Complaint {
        let at = match part {
            Part::Initial => Some(&self.initial),
            Part::Submitters => Some(&self.submitters),
            Part::State(at) => self.states.get(at),
            Part::Transition(at) => self.transitions.get(at),
            Part::Notice(at) => self.notices.get(at),
            Part::Template(at) => self.templates.get(at),
        };
        let at = at.unwrap_or(&self.initial).clone();
        Complaint { level: super::complaint::Level::Complaint, file: file.to_owned(), at, what, hint: None }
    }
}

/// Reads a procedure file, called `file` in complaints. `gates` are those it may name, and `kinds` the kinds of facts that
/// people may be told of.
///
/// # Errors
/// All complaints, in file order.
pub fn read(text: &str, file: &Path, gates: &[GateForm], kinds: &[&'static str]) -> Result<Read, Vec<Complaint>> {
    let is_long = text.len() > FILE_MAX;
    let mended = Mended::new(if is_long { "" } else { text });
    let (sheet, root) = Sheet::new(text, &mended, file);
    if is_long {
        sheet.top(&root).complain(format!("is larger than {FILE_MAX} bytes, too large for a procedure"), None);
        return Err(sheet.into_complaints());
    }
    let mut top = sheet.top(&root);
    let name = top.need("name", "name = \"egi\"").and_then(|v| v.text().map(str::to_owned));
    let initial = top.need("initial", "initial = \"Unverified\"");
    let submit = top.get("submit");
    let submitters = submit.as_ref().map_or_else(|| Some(SUBMITTERS.into()), roles);
    let review = top.get("review").map_or(Some(None), |v| {
        v.quantity(quantity::duration, |span| quantity::show_duration(*span), &REVIEW, "7d").map(Some)
    });
    let settling = top.get("settling").map_or(Some(None), |v| {
        v.quantity(quantity::duration, |span| quantity::show_duration(*span), &SETTLING, "2h").map(Some)
    });
    let states = top.need("state", "[[state]]").map(|v| v.sections()).unwrap_or_default();
    let transitions = top.need("transition", "[[transition]]").map(|v| v.sections()).unwrap_or_default();
    let notices = top.get("notice").map(|v| v.sections()).unwrap_or_default();
    let templates = top.get("template").map(|v| v.sections()).unwrap_or_default();
    let titled = top.get("titled").map_or(Some(false), |v| v.switch());
    let start = top.spot();
    top.close();
    let places = Places {
        initial: initial.as_ref().map_or_else(|| start.clone(), Value::spot),
        submitters: submit.as_ref().map_or(start, Value::spot),
        states: states.iter().map(Section::spot).collect(),
        transitions: transitions.iter().map(Section::spot).collect(),
        notices: notices.iter().map(Section::spot).collect(),
        templates: templates.iter().map(Section::spot).collect(),
    };
    let initial = initial.and_then(|v| v.text().map(str::to_owned));
    let (mut limits, states): (BTreeMap<String, Duration>, Vec<_>) = (BTreeMap::new(), states);
    let states: Vec<_> = states.into_iter().map(|table| state(table, &mut limits)).collect();
    let transitions: Vec<_> = transitions.into_iter().map(|table| transition(table, gates)).collect();
    let notices: Vec<_> = notices.into_iter().map(|table| notice(table, kinds)).collect();
    let templates: Vec<_> = templates.into_iter().map(template).collect();
    let all = || {
        let (name, initial, submitters, titled) = (name?, initial?, submitters?, titled?);
        let (review, settling) = (review?, settling?);
        let states = states.into_iter().collect::<Option<_>>()?;
        let transitions = transitions.into_iter().collect::<Option<_>>()?;
        let notices = notices.into_iter().collect::<Option<_>>()?;
        let templates = templates.into_iter().collect::<Option<_>>()?;
        Some(Draft {
            name,
            initial,
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
    };
    let draft = all();
    let mut complaints = sheet.into_complaints();
    match draft.map(Workflow::check) {
        Some(Ok(workflow)) if complaints.is_empty() => return Ok(Read { workflow, places }),
        Some(Err(misfits)) => {
            complaints.extend(misfits.into_iter().map(|misfit| places.complaint(misfit, file)));
            super::complaint::sort(&mut complaints);
        }
        // Already reported.
        Some(Ok(_)) | None => {}
    }
    Err(complaints)
}

/// A procedure that ships with the program.
pub fn built_in(name: &str, gates: &[GateForm], kinds: &[&'static str]) -> Option<Workflow> {
    let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
    // Covered by a test; a broken table would be found before any release.
    read(text, Path::new(name), gates, kinds).ok().map(|read| read.workflow)
}

/// Who is told what, and when.
fn notice(mut table: Section<'_, '_>, kinds: &[&'static str]) -> Option<DraftNotice> {
    let words: Vec<(&'static str, &'static str)> =
        kinds.iter().copied().chain([UPDATE_RELEASED, SECURITY]).map(|kind| (kind, kind)).collect();
    let of = table.get("of").map_or(Some(None), |v| v.one_of(&words).map(Some));
    let state = table.get("state").map_or(Some(None), |v| v.text().map(|text| Some(text.to_owned())));
    let from = table
        .get("from")
        .map_or_else(|| Some(Vec::new()), |v| v.list()?.iter().map(|one| one.text().map(str::to_owned)).collect());
    let to = table.need("to", "to = [\"srm\"]").and_then(|v| v.list()?.iter().map(Value::parse).collect());
    let template = table.need("template", "template = \"released\"").and_then(|v| v.parse::<TemplateName>());
    table.close();
    Some(DraftNotice { of: of?, state: state?, from: from?, to: to?, template: template? })
}

/// What they are told.
fn template(mut table: Section<'_, '_>) -> Option<(TemplateName, Template)> {
    let name = table.need("name", "name = \"released\"").and_then(|v| v.parse::<TemplateName>());
    let subject = table.need("subject", "subject = \"{rollout}: {title}\"");
    let subject = subject.and_then(|v| {
        if v.text().is_some_and(|text| text.contains('\n')) {
            v.complain("a subject is one line", None);
            return None;
        }
        v.read(Text::read)
    });
    let body = table.need("body", "body = \"\"\"{packages}\"\"\"").and_then(|v| v.read(Text::read));
    table.close();
    Some((name?, Template { subject: subject?, body: body? }))
}

fn state(mut table: Section<'_, '_>, limits: &mut BTreeMap<String, Duration>) -> Option<(String, Vec<String>)> {
    let name = table.need("name", "name = \"InVerification\"").and_then(|v| v.text().map(str::to_owned));
    let spellings = table.get("spellings").map_or_else(
        || Some(Vec::new()),
        |v| Some(v.list()?.iter().filter_map(|one| one.text().map(str::to_owned)).collect()),
    );
    if let (Some(name), Some(limit)) = (&name, table.get("at_most").and_then(|v| v.read(quantity::duration))) {
        limits.insert(name.clone(), limit);
    }
    table.close();
    Some((name?, spellings?))
}

fn transition(mut table: Section<'_, '_>, known: &[GateForm]) -> Option<DraftTransition> {
    let from = table.need("from", "from = \"Unverified\"").and_then(|v| v.text().map(str::to_owned));
    let to = table.need("to", "to = \"InVerification\"").and_then(|v| v.text().map(str::to_owned));
    let who = table.need("who", "who = [\"verifier\"]").and_then(|v| roles(&v));
    let named = table.get("gates");
    let all = |v: &Value<'_, '_>| Some(v.list()?.iter().filter_map(|one| gate(one, known)).collect::<Vec<_>>());
    let gates = named.as_ref().map_or_else(|| Some(Vec::new()), all);
    let moves = table.get("move");
    let target = moves.as_ref().and_then(Value::section).and_then(moved);
    let withdraw = table.get("withdraw").map_or(Some(false), |v| v.switch());
    let effect = match (moves, withdraw) {
        (None, Some(false)) => Some(Effect::None),
        (None, Some(true)) => Some(Effect::Withdraw),
        (Some(v), Some(true)) => {
            v.complain("a transition moves or withdraws, not both", None);
            None
        }
        (Some(_), Some(false)) => target,
        (_, None) => None,
    };
    let fails = table.get("fails").map_or(Some(false), |v| v.switch());
    if let (Some(v), Some(gates), Some(Effect::None | Effect::Withdraw)) = (&named, &gates, &effect) {
        let form = |gate: &Gate| known.iter().find(|form| form.name == gate.name);
        let lost = |gate: &&Gate| form(gate).is_some_and(|form| form.of_moves) && gate.terms.tree().is_none();
        for gate in gates.iter().filter(lost) {
            let hint = format!("name the tree that it looks at: {}", IN.example);
            v.complain(format!("the gate `{}` needs a transition with `move`", gate.name), Some(hint));
        }
    }
    if let (Some(v), Some(gates)) = (&named, &gates) {
        let is_short = |gate: &&Gate| gate.terms.duration("usual") < gate.terms.duration("for");
        for gate in gates.iter().filter(|gate| gate.terms.duration("usual").is_some()).filter(is_short) {
            v.complain(
                format!("the usual time of the gate `{}` is shorter than the time that it requires", gate.name),
                None,
            );
        }
    }
    if let (Some(v), Some(gates), Some(Effect::Move { from, .. })) = (&named, &gates, &effect) {
        for gate in gates.iter().filter(|gate| gate.terms.tree().is_some()) {
            let what =
                format!("the gate `{}` looks at {from}, which the packages leave: `in` says it twice", gate.name);
            v.complain(what, Some("leave `in` out".to_owned()));
        }
    }
    table.close();
    Some(DraftTransition { from: from?, to: to?, who: who?, gates: gates?, effect: effect?, fails: fails? })
}

/// A gate: its name, or a table with its name and terms.
fn gate(value: &Value<'_, '_>, known: &[GateForm]) -> Option<Gate> {
    let words: Vec<(&'static str, GateForm)> = known.iter().map(|form| (form.name, *form)).collect();
    if value.is_text() {
        let GateForm { name, terms, .. } = value.one_of(&words)?;
        if let Some(term) = terms.iter().find(|term| term.required) {
            let hint = format!("write {{ name = \"{name}\", {} }}", term.example);
            value.complain(format!("the gate `{name}` needs `{}`", term.name), Some(hint));
            return None;
        }
        return Some(Gate { name, terms: [].into_iter().collect() });
    }
    let mut table = value.section()?;
    let form = table.need("name", "name = \"not_older\"").and_then(|v| v.one_of(&words));
    // Without the name, its terms are unknown, and that is already reported.
    let GateForm { name, terms, .. } = form?;
    let term = |term: &TermForm| {
        let value = if term.required { Some(table.need(term.name, term.example)?) } else { table.get(term.name) };
        let Some(value) = value else { return Some(None) };
        let read = match term.kind {
            TermKind::Duration => Term::Duration(value.read(quantity::duration)?),
            TermKind::Tree => Term::Tree(value.parse::<TreeName>()?),
            TermKind::Count => Term::Count(usize::try_from(value.number(1..=1_000)?).ok()?),
            TermKind::Flag => Term::Flag(value.switch()?),
            TermKind::Roles => Term::Roles(some(&value)?),
            TermKind::Links => Term::Links(some(&value)?),
            TermKind::Checks => Term::Checks(some(&value)?),
            TermKind::Importance => Term::Importance(some(&value)?),
        };
        Some(Some((term.name, read)))
    };
    let terms: Vec<Option<Option<_>>> = terms.iter().chain([&IMPORTANCE]).map(term).collect();
    table.close();
    let terms: Vec<_> = terms.into_iter().collect::<Option<_>>()?;
    Some(Gate { name, terms: terms.into_iter().flatten().collect() })
}

/// A list of names, of which there has to be one.
fn some<T: Ord + FromStr<Err: fmt::Display>>(value: &Value<'_, '_>) -> Option<BTreeSet<T>> {
    let list = value.list()?;
    if list.is_empty() {
        value.complain("the list is empty", None);
    }
    let names: Option<BTreeSet<T>> = list.iter().map(Value::parse::<T>).collect();
    names.filter(|names| !names.is_empty())
}

fn moved(mut table: Section<'_, '_>) -> Option<Effect> {
    let from = table.need("from", "from = \"untested\"").and_then(|v| v.parse::<TreeName>());
    let to = table.need("to", "to = \"testing\"").and_then(|v| v.parse::<TreeName>());
    table.close();
    Some(Effect::Move { from: from?, to: to? })
}

/// Roles; a misspelt one is reported, and the others are kept.
fn roles(value: &Value<'_, '_>) -> Option<BTreeSet<Role>> {
    Some(value.list()?.iter().filter_map(Value::parse::<Role>).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::workflow::{State, Transition};

    const LONG: TermForm = TermForm { name: "for", kind: TermKind::Duration, required: true, example: "for = \"7d\"" };
    const USUAL: TermForm =
        TermForm { name: "usual", kind: TermKind::Duration, required: false, example: "usual = \"7d\"" };
    const TEAMS: TermForm = TermForm { name: "teams", kind: TermKind::Count, required: true, example: "teams = 1" };
    const FROM: TermForm = TermForm { name: "from", kind: TermKind::Roles, required: true, example: "from = [\"a\"]" };
    const FOUR_EYES: TermForm =
        TermForm { name: "four_eyes", kind: TermKind::Flag, required: false, example: "four_eyes = true" };
    const LINKS: TermForm =
        TermForm { name: "to", kind: TermKind::Links, required: true, example: "to = [\"release-notes\"]" };
    const SHARES: TermForm =
        TermForm { name: "shares", kind: TermKind::Tree, required: false, example: "shares = \"delta\"" };
    const OPTIONAL: TermForm =
        TermForm { name: "optional", kind: TermKind::Flag, required: false, example: "optional = true" };
    const FAILURES: TermForm =
        TermForm { name: "failures", kind: TermKind::Flag, required: false, example: "failures = true" };
    const KINDS: &[&str] = &[
        "assignment.made",
        "report.added",
        "problem.opened",
        "tree.altered",
        "review.opened",
        "review.overdue",
        "rollout.delayed",
        "rollout.failed",
        "assignment.unanswered",
        "task.created",
        "task.quarantine_over",
        "task.reassigned",
        "update.numbered",
    ];
    const GATES: &[GateForm] = &[
        GateForm { name: "packages_present", terms: &[IN], of_moves: false },
        GateForm { name: "not_older", terms: &[], of_moves: false },
        GateForm { name: "exposure", terms: &[LONG, USUAL, IN], of_moves: true },
        GateForm { name: "acknowledged", terms: &[TEAMS], of_moves: false },
        GateForm { name: "reported", terms: &[TEAMS], of_moves: false },
        GateForm { name: "show_stoppers", terms: &[FAILURES], of_moves: false },
        GateForm { name: "no_conflict", terms: &[SHARES], of_moves: false },
        GateForm { name: "in_bundle", terms: &[], of_moves: false },
        GateForm { name: "bundle_ready", terms: &[], of_moves: false },
        GateForm { name: "linked", terms: &[LINKS, OPTIONAL], of_moves: false },
        GateForm { name: "tasks_done", terms: &[], of_moves: false },
        GateForm { name: "bundle_complete", terms: &[], of_moves: false },
        GateForm { name: "approvals", terms: &[FROM, FOUR_EYES], of_moves: false },
        GateForm { name: "calendar", terms: &[], of_moves: false },
    ];

    #[test]
    fn every_procedure_that_ships_is_legal() {
        for (name, text) in BUILT_IN {
            let read = read(text, Path::new(name), GATES, KINDS).unwrap_or_else(|e| panic!("{name}: {e:?}"));
            assert_eq!(read.workflow.name(), *name);
        }
    }

    /// The arrows of a table, with what they move.
    fn arrows(name: &str) -> Vec<String> {
        let flow = built_in(name, GATES, KINDS).expect("it ships");
        let arrow = |t: &Transition| {
            let effect = match &t.effect {
                Effect::None => String::new(),
                Effect::Move { from, to } => format!(" TR {from} -> {to}"),
                Effect::Withdraw => " TR withdraw".to_owned(),
            };
            format!("{} -> {}{effect}", t.from, t.to)
        };
        flow.transitions().iter().map(arrow).collect()
    }

    /// S0-22 to S0-27.
    #[test]
    fn the_egi_table_is_the_seeds_diagram() {
        assert_eq!(
            arrows("egi"),
            [
                "Submitted -> Unverified",
                "Unverified -> InVerification",
                "InVerification -> Waiting for response",
                "Waiting for response -> InVerification",
                "InVerification -> Unverified",
                "Waiting for response -> Unverified",
                "InVerification -> StageRollOut TR untested -> testing",
                "StageRollOut -> Accepted",
                "Accepted -> UMDStore",
                "UMDStore -> Production TR testing -> production",
                "Submitted -> Rejected TR withdraw",
                "Unverified -> Rejected TR withdraw",
                "InVerification -> Rejected TR withdraw",
                "Waiting for response -> Rejected TR withdraw",
                "StageRollOut -> Rejected TR withdraw",
                "Accepted -> Rejected TR withdraw",
                "UMDStore -> Rejected TR withdraw",
                "Production -> Rejected TR withdraw",
            ]
        );
    }

    /// S1-03, S1-13 to S1-18, S1-29, S1-34, S1-42 and S1-43.
    #[test]
    fn the_glite_table_has_the_seeds_steps() {
        assert_eq!(
            arrows("glite"),
            [
                "Verified -> Ready for Rollout",
                "Ready for Rollout -> Verified",
                "Ready for Rollout -> Rolling out TR untested -> delta",
                "Rolling out -> Ready for Rollout TR delta -> untested",
                "Verified -> Rolling out TR untested -> delta",
                "Rolling out -> Ready for Production",
                "Ready for Production -> Rolling out",
                "Ready for Production -> In Production TR delta -> production",
                "Verified -> Rejected TR withdraw",
                "Ready for Rollout -> Rejected TR withdraw",
                "Rolling out -> Rejected TR withdraw",
                "Ready for Production -> Rejected TR withdraw",
                "In Production -> Rejected TR withdraw",
            ]
        );
    }

    /// What is wrong with a term is said where it stands.
    #[test]
    fn a_term_that_makes_no_sense_is_a_complaint() {
        let egi = include_str!("procedures/egi.toml");
        let with = |gate: &str| egi.replacen("\"show_stoppers\"", gate, 1);
        let said = |gate: &str| {
            let complaints = read(&with(gate), Path::new("own.toml"), GATES, KINDS).expect_err("it makes no sense");
            complaints.iter().map(|complaint| complaint.what.clone()).collect::<Vec<_>>().join("; ")
        };
        let told = [
            r#""approvals""#,
            r#"{ name = "approvals", from = [] }"#,
            r#"{ name = "approvals", from = ["Ann"] }"#,
            r#"{ name = "approvals", from = ["srm"], four_eyes = "yes" }"#,
            r#"{ name = "approvals", from = ["srm"], eyes = 4 }"#,
            r#"{ name = "tasks_done", teams = 1 }"#,
        ];
        insta::assert_snapshot!(told.map(|gate| format!("{gate}: {}", said(gate))).join("\n"));
        for teams in ["0", "1001", "\"two\""] {
            said(&format!("{{ name = \"bundle_complete\" }}, {{ name = \"acknowledged\", teams = {teams} }}"));
        }
        read(
            &with(r#"{ name = "approvals", from = ["srm", "qa"], four_eyes = true }"#),
            Path::new("own.toml"),
            GATES,
            KINDS,
        )
        .expect("it makes sense");
    }

    /// S0-23, S0-27: every spelling of a tracker is known, and only what is over is a dead end.
    #[test]
    fn trackers_may_spell_states_as_they_do_and_only_rejected_rollouts_are_over() {
        let spelt = [
            ("egi", "In verification", "InVerification"),
            ("egi", "Staged Rollout", "StageRollOut"),
            ("egi", "stage-rollout", "StageRollOut"),
            ("egi", "waiting for_response", "Waiting for response"),
            ("egi", "UMD Store", "UMDStore"),
            ("egi", "REJECT", "Rejected"),
            ("egi", "accept", "Accepted"),
            ("glite", "Ready for rollout", "Ready for Rollout"),
            ("glite", "Rolling-out", "Rolling out"),
            ("glite", "ReadyForProduction", "Ready for Production"),
            ("glite", "Production", "In Production"),
            ("simple", "released", "Production"),
        ];
        for (name, text, state) in spelt {
            let flow = built_in(name, GATES, KINDS).expect("it ships");
            assert_eq!(flow.state(text).map(State::as_str), Ok(state), "{name}: {text}");
        }
        for (name, ends) in [("egi", ["Rejected"]), ("glite", ["Rejected"]), ("simple", ["Withdrawn"])] {
            let flow = built_in(name, GATES, KINDS).expect("it ships");
            let dead: Vec<&str> =
                flow.states().iter().filter(|state| flow.leaving(state).next().is_none()).map(State::as_str).collect();
            assert_eq!(dead, ends, "{name}");
        }
    }

    #[test]
    fn a_broken_file_is_refused_with_all_its_mistakes() {
        let text = r#"
            name = "x"
            initial = "A"
            [[state]]
            name = "A"
            [[transition]]
            from = "A"
            to = "B"
            who = ["King"]
            gates = ["moon"]
            withdraw = true
            move = { from = "a", to = "b" }
        "#;
        let said = |text: &str| {
            let wrong = read(text, Path::new("own.toml"), GATES, KINDS).expect_err("mistakes");
            wrong.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            said(text),
            [
                "own.toml:9:20: transition.who: `King` is not a role: only lower-case letters, digits and - are allowed",
                "own.toml:10:22: transition.gates: `moon` is not one of \"packages_present\", \"not_older\", \
                 \"exposure\", \"acknowledged\", \"reported\", \"show_stoppers\", \"no_conflict\", \"in_bundle\", \
                 \"bundle_ready\", \"linked\", \"tasks_done\", \"bundle_complete\", \"approvals\", \"calendar\"",
                "own.toml:12:20: transition.move: a transition moves or withdraws, not both",
            ]
        );
        // One mistake does not hide another.
        let more = text.replace("withdraw = true", "withdraw = 1\nsteps = 2").replace("\"b\"", "\"B!\"");
        assert_eq!(
            said(&more)[2..],
            [
                "own.toml:11:24: transition.withdraw: is a number, but should be true or false, without quotes",
                "own.toml:12:1: transition.steps: is not a known key\n  hint: known here: from, to, who, gates, move, withdraw, fails",
                "own.toml:13:39: transition.move.to: `B!` is not a tree name: only letters, digits and . _ - are allowed",
            ]
        );
        // If the syntax is right, the table has to make sense.
        let text = text.replace("withdraw = true\n", "\n").replace("King", "admin").replace("moon", "not_older");
        assert_eq!(said(&text), ["own.toml:6:13: transition: `B` is not one of the states"]);
        let gates = |gates: &str| said(&text.replace("\"not_older\"", gates).replace("\"B\"", "\"A\""));
        let says = |written: &str, wanted: &str| {
            let all = gates(written);
            assert!(all.iter().any(|what| what == wanted), "{all:?}");
        };
        says(
            "\"exposure\"",
            "own.toml:10:22: transition.gates: the gate `exposure` needs `for`\n  hint: write { name = \"exposure\", for = \"7d\" }",
        );
        says(
            "{ name = \"exposure\" }",
            "own.toml:10:22: transition.gates.for: is missing\n  hint: for example: for = \"7d\"",
        );
        says(
            "{ name = \"exposure\", for = \"7\" }",
            "own.toml:10:49: transition.gates.for: `7` is not a duration: it needs one of the units ms, s, m, h, d, w",
        );
        says(
            "{ name = \"not_older\", for = \"7d\" }",
            "own.toml:10:44: transition.gates.for: is not a known key\n  hint: known here: name, importance",
        );
        says(
            "{ name = \"exposure\", for = \"7d\", in = \"a\" }",
            "own.toml:10:21: transition.gates: the gate `exposure` looks at a, which the packages leave: `in` says it \
             twice\n  hint: leave `in` out",
        );
        says(
            "{ name = \"exposure\", for = \"7d\", usual = \"6d\" }",
            "own.toml:10:21: transition.gates: the usual time of the gate `exposure` is shorter than the time that it requires",
        );
        assert!(!gates("{ name = \"exposure\", for = \"7d\", usual = \"7d\" }").join("\n").contains("usual"));
        assert!(!gates("{ name = \"exposure\", for = \"7d\" }").join("\n").contains("needs a transition"));
        let still = text.replace("move = { from = \"a\", to = \"b\" }", "withdraw = true");
        let still = still.replace("\"not_older\"", "{ name = \"exposure\", for = \"7d\" }");
        assert_eq!(
            said(&still)[1],
            "own.toml:10:21: transition.gates: the gate `exposure` needs a transition with `move`\n  hint: name the tree \
             that it looks at: in = \"testing\""
        );
        let named = still.replace("for = \"7d\"", "for = \"7d\", in = \"a\"");
        assert!(!said(&named).join("\n").contains("exposure"), "it looks at the tree that is named");
        let twice = gates("\"not_older\", \"not_older\"").join("\n");
        assert!(twice.contains("names a gate twice"), "{twice}");
        assert_eq!(said("name = 1").len(), 4);
        assert!(said("nam = 'x'").iter().any(|what| what.contains("did you mean")));
    }
}
