//! `rolloutctl procedure`: the procedures in force, as tables or as a drawing.

use std::fmt::Write as _;

use super::words::document;
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::table;
use crate::format::diagram::{self, Arrow, Diagram};
use crate::web::api::procedures::{GateBody, ProcedureBody, TransitionBody};

/// Shows the procedures in force
///
/// Example: rolloutctl procedure show
#[derive(Debug, clap::Args)]
pub struct ProcedureArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Show(ShowArgs),
}

/// Shows a procedure: which roles may take which step, what moves, and which gates it has to pass
///
/// With --svg it prints a drawing for browsers, with --dot one for Graphviz.
///
/// Example: rolloutctl procedure show egi --svg > egi.svg
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct ShowArgs {
    /// The procedure's name, or a distribution that follows it; by default, all procedures
    name: Option<String>,
    /// A drawing in DOT, the language of Graphviz
    #[arg(long, conflicts_with = "json")]
    dot: bool,
    /// A drawing in SVG, of one procedure
    #[arg(long, conflicts_with_all = ["json", "dot"])]
    svg: bool,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, it refuses, or there is no such procedure.
pub async fn run(args: ProcedureArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let Command::Show(ShowArgs { name, dot, svg }) = args.command;
    let mut all: Vec<ProcedureBody> = client.get("/api/v1/procedures").await?;
    if let Some(name) = name {
        let known = all.iter().map(|one| one.name.clone()).collect::<Vec<_>>().join(", ");
        all.retain(|one| one.name == name || one.distributions.contains(&name));
        if all.is_empty() {
            let why = format!("{name:?} is neither a procedure in force nor a distribution");
            return Err(Failure::new(Exit::Usage, why).hint(format!("the procedures in force: {known}")));
        }
    }
    if json {
        return Ok(Outcome::done(document(&all)));
    }
    if svg {
        let [one] = &all[..] else {
            let known = all.iter().map(|one| one.name.clone()).collect::<Vec<_>>().join(", ");
            let why = format!("a drawing shows one procedure, but several are in force: {known}");
            return Err(Failure::new(Exit::Usage, why).hint("name one of them, or a distribution"));
        };
        return Ok(Outcome::done(diagram::draw(&diagram_of(one))));
    }
    let width = table::width();
    let shown = all.iter().map(|one| if dot { draw(one) } else { show(one, width) });
    Ok(Outcome::done(shown.collect::<Vec<_>>().join("\n")))
}

fn show(procedure: &ProcedureBody, width: usize) -> String {
    let ProcedureBody { name, distributions, initial, submit, transitions, titled, review, settling, .. } = procedure;
    let mut text = format!("procedure      {name}\n");
    for dist in distributions {
        let _ = writeln!(text, "distribution   {dist}");
    }
    let _ = writeln!(text, "new rollouts   are {initial}; may be submitted by {}", submit.join(", "));
    if let Some(within) = review {
        let _ = writeln!(text, "reviews        of what has come into the last tree, within {within}");
    }
    if let Some(span) = settling {
        let _ = writeln!(text, "roll-out tasks wait until the bundle's rollouts have stayed as they are for {span}");
    }
    if *titled {
        let _ =
            writeln!(text, "titles         follow the naming convention, as `Staged Rollout EMI-1.0 bdii-site 1.0.1`");
    }
    text.push('\n');
    let row = |t: &TransitionBody| vec![t.from.clone(), t.to.clone(), effect(t), t.who.join(", "), gates(t)];
    let rows: Vec<_> = transitions.iter().map(row).collect();
    text.push_str(&table::lay_out(&["FROM", "TO", "PACKAGES", "WHO", "GATES"], &rows, width));
    let states = procedure.states.iter().filter_map(|state| {
        let most = procedure.at_most.get(state).map(|most| format!("at most {most}"));
        let spelt = procedure.spellings.get(state).map(|all| all.join(", "));
        let row = || vec![state.clone(), most.clone().unwrap_or_default(), spelt.clone().unwrap_or_default()];
        (most.is_some() || spelt.is_some()).then(row)
    });
    let states: Vec<_> = states.collect();
    if !states.is_empty() {
        text.push('\n');
        text.push_str(&table::lay_out(&["STATE", "STAYS", "ALSO SPELT"], &states, width));
    }
    let notices: Vec<_> =
        procedure.notices.iter().map(|it| vec![it.when.clone(), it.to.join(", "), it.template.clone()]).collect();
    if !notices.is_empty() {
        text.push('\n');
        text.push_str(&table::lay_out(&["NOTICE WHEN", "TO", "TEMPLATE"], &notices, width));
    }
    text
}

/// What a step does to the packages.
fn effect(transition: &TransitionBody) -> String {
    match &transition.moves {
        Some(moves) => format!("{} -> {}", moves.from, moves.to),
        None if transition.withdraws => "withdrawn".to_owned(),
        None => String::new(),
    }
}

fn gates(transition: &TransitionBody) -> String {
    let report = transition.fails.then(|| "a report".to_owned());
    transition.gates.iter().map(gate).chain(report).collect::<Vec<_>>().join(", ")
}

fn gate(gate: &GateBody) -> String {
    let terms = gate.terms.iter().map(|(name, value)| format!(" {name} {value}"));
    gate.name.clone() + &terms.collect::<String>()
}

/// The table as a graph. Steps that change trees are solid and say what moves, as the EGI diagram marks them "TR".
fn draw(procedure: &ProcedureBody) -> String {
    let mut text =
        format!("digraph {} {{\n  rankdir=LR;\n  node [shape=box, style=rounded];\n", quoted(&procedure.name));
    for state in &procedure.states {
        let is_final = !procedure.transitions.iter().any(|t| t.from == *state);
        let more = match (*state == procedure.initial, is_final) {
            (true, _) => " [style=\"rounded,bold\"]",
            (false, true) => " [peripheries=2]",
            (false, false) => "",
        };
        let _ = writeln!(text, "  {}{more};", quoted(state));
    }
    for t in &procedure.transitions {
        let effect = effect(t);
        let more = if effect.is_empty() { "style=dashed".to_owned() } else { format!("label={}", quoted(&effect)) };
        let _ = writeln!(text, "  {} -> {} [{more}];", quoted(&t.from), quoted(&t.to));
    }
    text + "}\n"
}

/// The table as a drawing: what a step moves stands beside it.
fn diagram_of(procedure: &ProcedureBody) -> Diagram {
    let ProcedureBody { name, initial, states, transitions, .. } = procedure;
    // Everything begins with the first.
    let (first, others): (Vec<_>, Vec<_>) = states.iter().cloned().partition(|state| state == initial);
    let states: Vec<String> = first.into_iter().chain(others).collect();
    let place = |name: &String| states.iter().position(|state| state == name);
    let arrow = |t: &TransitionBody| Some(Arrow { from: place(&t.from)?, to: place(&t.to)?, moves: effect(t) });
    let arrows = transitions.iter().filter_map(arrow).collect();
    Diagram { title: format!("The procedure {name}"), arrows, states }
}

/// A name in Graphviz's language.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::procedure::{built_in, names};
    use crate::web::api::procedures::procedure_body;

    fn egi() -> ProcedureBody {
        procedure_body(&built_in("egi").expect("it ships"), vec!["umd/3/sl6/x86_64".to_owned()])
    }

    #[test]
    fn a_procedure_is_shown_as_a_table_and_as_a_drawing() {
        insta::assert_snapshot!(show(&egi(), 200));
        insta::assert_snapshot!(draw(&egi()));
        let glite = procedure_body(&built_in("glite").expect("it ships"), vec![]);
        assert!(
            show(&glite, 200)
                .contains("roll-out tasks wait until the bundle's rollouts have stayed as they are for 2h\n")
        );
    }

    #[test]
    fn each_procedure_that_ships_is_drawn() {
        for name in names() {
            let body = procedure_body(&built_in(name).expect("it ships"), vec![]);
            insta::assert_snapshot!(format!("{name}_svg"), diagram::draw(&diagram_of(&body)));
        }
    }

    #[test]
    fn names_in_a_drawing_cannot_end_their_quotes() {
        assert_eq!(quoted(r#"a"b\"#), r#""a\"b\\""#);
    }

    /// Who may do what beside the steps.
    #[test]
    fn the_readme_has_every_right() {
        let readme = include_str!("../../../README.md");
        let mut table = "| who | may |\n|---|---|\n".to_owned();
        for right in crate::process::rights::ALL {
            let mut who: Vec<&str> = right.roles.iter().map(crate::domain::names::Role::as_str).collect();
            who.sort_unstable();
            who.extend(right.own_team.then_some("the team"));
            let _ = writeln!(table, "| {} | {} |", who.join(", "), right.what);
        }
        assert!(readme.contains(&table), "the README should have\n{table}");
    }

    /// The tables of the README are those of the program.
    #[test]
    fn the_readme_has_every_procedure_that_ships() {
        let readme = include_str!("../../../README.md");
        for name in names() {
            let body = procedure_body(&built_in(name).expect("it ships"), vec![]);
            let mut table = "| from | to | packages | who | gates |\n|---|---|---|---|---|\n".to_owned();
            for t in &body.transitions {
                let _ =
                    writeln!(table, "| {} | {} | {} | {} | {} |", t.from, t.to, effect(t), t.who.join(", "), gates(t));
            }
            let table = table.replace("|  |", "| |").replace("|  |", "| |");
            assert!(readme.contains(&table), "{name}: the README should have\n{table}");
        }
    }
}
