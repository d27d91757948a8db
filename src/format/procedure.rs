//! Procedure files: TOML tables that become a [`Workflow`].
//!
//! Two parts of the work are kept apart: here the file's form is read, unknown keys refused;
//! `domain/workflow` decides whether the table makes sense.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::domain::names::{Role, TreeName};
use crate::domain::workflow::{Draft, DraftTransition, Effect, Gate, Workflow};

/// The procedures that ship with the program, by name.
pub const BUILT_IN: &[(&str, &str)] = &[("egi", include_str!("procedures/egi.toml"))];

/// Who may submit rollouts where a procedure does not say.
const SUBMITTERS: [Role; 3] = [Role::Admin, Role::Verifier, Role::Srm];

/// Largest procedure file: the EGI one has 2 KiB, and nobody can review a table of a megabyte.
pub const FILE_MAX: usize = 256 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    initial: String,
    /// Who may submit rollouts.
    submit: Option<Vec<String>>,
    state: Vec<StateTable>,
    transition: Vec<TransitionTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StateTable {
    name: String,
    #[serde(default)]
    spellings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TransitionTable {
    from: String,
    to: String,
    who: Vec<String>,
    #[serde(default)]
    gates: Vec<String>,
    #[serde(rename = "move")]
    moves: Option<MoveTable>,
    #[serde(default)]
    withdraw: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveTable {
    from: String,
    to: String,
}

/// A procedure file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct BadProcedure(pub Vec<String>);

/// Reads a procedure file.
///
/// # Errors
/// All complaints about its tables, or the first one about its form.
pub fn read(text: &str) -> Result<Workflow, BadProcedure> {
    if text.len() > FILE_MAX {
        return Err(BadProcedure(vec![format!("the file is larger than {FILE_MAX} bytes")]));
    }
    let file: File = toml::from_str(text).map_err(|e| BadProcedure(vec![e.to_string().trim_end().to_owned()]))?;
    let mut wrong = Vec::new();
    let transitions = file.transition.into_iter().map(|t| transition(t, &mut wrong)).collect();
    let submitters = match file.submit {
        Some(texts) => roles(&texts, "submit", &mut wrong),
        None => SUBMITTERS.into(),
    };
    let states = file.state.into_iter().map(|s| (s.name, s.spellings)).collect();
    let checked = Workflow::check(Draft { name: file.name, initial: file.initial, states, transitions, submitters });
    match checked {
        Ok(workflow) if wrong.is_empty() => Ok(workflow),
        Ok(_) => Err(BadProcedure(wrong)),
        Err(more) => Err(BadProcedure(wrong.into_iter().chain(more).collect())),
    }
}

/// A procedure that ships with the program.
pub fn built_in(name: &str) -> Option<Workflow> {
    let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
    // Held by a test; a broken table would be found before any release.
    read(text).ok()
}

fn transition(table: TransitionTable, wrong: &mut Vec<String>) -> DraftTransition {
    let arrow = format!("{} to {}", table.from, table.to);
    let who = roles(&table.who, &arrow, wrong);
    let gates = table.gates.iter().filter_map(|text| gate(text, &arrow, wrong)).collect();
    let effect = match (table.moves, table.withdraw) {
        (None, false) => Effect::None,
        (None, true) => Effect::Withdraw,
        (Some(_), true) => {
            wrong.push(format!("{arrow}: a transition moves or withdraws, not both"));
            Effect::None
        }
        (Some(m), false) => {
            let mut tree = |text: &str| text.parse::<TreeName>().map_err(|e| wrong.push(format!("{arrow}: {e}"))).ok();
            match (tree(&m.from), tree(&m.to)) {
                (Some(from), Some(to)) => Effect::Move { from, to },
                _ => Effect::None,
            }
        }
    };
    DraftTransition { from: table.from, to: table.to, who, gates, effect }
}

fn roles(texts: &[String], place: &str, wrong: &mut Vec<String>) -> BTreeSet<Role> {
    let role = |text: &String| text.parse().map_err(|e| wrong.push(format!("{place}: {e}"))).ok();
    texts.iter().filter_map(role).collect()
}

fn gate(text: &str, arrow: &str, wrong: &mut Vec<String>) -> Option<Gate> {
    let found = Gate::ALL.into_iter().find(|gate| gate.as_str() == text);
    if found.is_none() {
        let known: Vec<&str> = Gate::ALL.iter().map(|g| g.as_str()).collect();
        wrong.push(format!("{arrow}: there is no gate `{text}`; there are {}", known.join(", ")));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_procedure_that_ships_is_legal() {
        for (name, text) in BUILT_IN {
            let flow = read(text).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(flow.name(), *name);
        }
    }

    #[test]
    fn the_egi_table_is_the_seeds_diagram() {
        let flow = built_in("egi").expect("it ships");
        let lines: Vec<String> = flow
            .transitions()
            .iter()
            .map(|t| {
                let effect = match &t.effect {
                    Effect::None => String::new(),
                    Effect::Move { from, to } => format!(" TR {from} -> {to}"),
                    Effect::Withdraw => " TR withdraw".to_owned(),
                };
                format!("{} -> {}{effect}", t.from, t.to)
            })
            .collect();
        assert_eq!(
            lines,
            [
                "Unverified -> InVerification",
                "InVerification -> Unverified",
                "InVerification -> StageRollOut TR untested -> testing",
                "StageRollOut -> Production TR testing -> production",
                "Unverified -> Rejected TR withdraw",
                "InVerification -> Rejected TR withdraw",
                "StageRollOut -> Rejected TR withdraw",
            ]
        );
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
            who = ["king"]
            gates = ["moon"]
            withdraw = true
            move = { from = "a", to = "b" }
        "#;
        let wrong = read(text).expect_err("five mistakes");
        assert_eq!(wrong.0.len(), 4, "{wrong}");
        assert!(read("name = 1").is_err());
        assert!(read("nam = 'x'").is_err());
    }
}
