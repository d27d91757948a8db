//! `/api/v1/procedures`: the procedures in force, as tables.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::domain::names::{CheckName, LinkName, Role};
use crate::domain::terms::{Gate, Term};
use crate::domain::workflow::{Effect, Notice, Transition, Workflow};
use crate::format::quantity;
use crate::process::rules::Rules;
use crate::web::context::Context;

/// A procedure.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProcedureBody {
    /// Its name.
    pub name: String,
    /// The distributions that follow it.
    pub distributions: Vec<String>,
    /// The state of a new rollout.
    pub initial: String,
    /// The roles that may submit rollouts, one of which suffices.
    pub submit: Vec<String>,
    /// Within which time what has come into the last tree is reviewed by those who use it, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<String>,
    /// How long a bundle's rollouts have to stay as they are before roll-out tasks are created for it, if they have to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settling: Option<String>,
    /// Whether titles of rollouts have to follow the naming convention.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub titled: bool,
    /// How long a rollout should be in a state at most, such as 7d.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub at_most: BTreeMap<String, String>,
    /// How else trackers spell its states, in lower case and without blanks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub spellings: BTreeMap<String, Vec<String>>,
    /// Who is told what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<NoticeLineBody>,
    /// Its states, in the order of the table.
    pub states: Vec<String>,
    /// Its transitions, in the order of the table.
    pub transitions: Vec<TransitionBody>,
}

/// Who is told what, and when.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NoticeLineBody {
    /// When, in words.
    pub when: String,
    /// Who.
    pub to: Vec<String>,
    /// What: the name of the template.
    pub template: String,
}

/// A transition.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TransitionBody {
    /// The state it leaves.
    pub from: String,
    /// The state it reaches.
    pub to: String,
    /// The roles that may take it, one of which suffices.
    pub who: Vec<String>,
    /// The gates that the procedure names for it; others are always asked.
    pub gates: Vec<GateBody>,
    /// What it moves, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moves: Option<MovesBody>,
    /// Whether it withdraws the packages from every tree.
    #[serde(default)]
    pub withdraws: bool,
    /// Whether it says that a test has failed: it needs a report, which is its reason.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fails: bool,
}

/// Where packages are moved from and to.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MovesBody {
    /// The tree where they are.
    pub from: String,
    /// The tree where they go.
    pub to: String,
}

/// A gate with its terms.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GateBody {
    /// Its name.
    pub name: String,
    /// Its terms, as a procedure file has them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub terms: BTreeMap<String, String>,
}

/// The procedures in force.
#[utoipa::path(get, path = "/api/v1/procedures", tag = "procedures",
    responses((status = 200, description = "The procedures in force", body = Vec<ProcedureBody>)))]
pub async fn procedures(State(context): State<Context>) -> Json<Vec<ProcedureBody>> {
    Json(in_force(&context.engine.shared().read().rules))
}

/// One for each table. Distributions with the same one are together; files may have the same name and differ.
fn in_force(rules: &Rules) -> Vec<ProcedureBody> {
    let mut all: Vec<(&Workflow, ProcedureBody)> = Vec::new();
    for (dist, rules) in &rules.distributions {
        match all.iter_mut().find(|(workflow, _)| **workflow == rules.workflow) {
            Some((_, body)) => body.distributions.push(dist.to_string()),
            None => all.push((&rules.workflow, procedure_body(&rules.workflow, vec![dist.to_string()]))),
        }
    }
    all.into_iter().map(|(_, body)| body).collect()
}

/// A procedure that these distributions follow.
pub(crate) fn procedure_body(workflow: &Workflow, distributions: Vec<String>) -> ProcedureBody {
    ProcedureBody {
        name: workflow.name().to_owned(),
        distributions,
        initial: workflow.initial().to_string(),
        submit: workflow.submitters().iter().map(ToString::to_string).collect(),
        review: workflow.review().map(quantity::show_duration),
        settling: workflow.settling().map(quantity::show_duration),
        titled: workflow.is_titled(),
        at_most: workflow.limits().map(|(state, most)| (state.to_string(), quantity::show_duration(most))).collect(),
        spellings: workflow.spellings(),
        notices: workflow.notices().iter().map(notice_body).collect(),
        states: workflow.states().iter().map(ToString::to_string).collect(),
        transitions: workflow.transitions().iter().map(transition_body).collect(),
    }
}

fn notice_body(notice: &Notice) -> NoticeLineBody {
    NoticeLineBody {
        when: notice.when.to_string(),
        to: notice.to.iter().map(ToString::to_string).collect(),
        template: notice.template.to_string(),
    }
}

fn transition_body(transition: &Transition) -> TransitionBody {
    let moves = match &transition.effect {
        Effect::Move { from, to } => Some(MovesBody { from: from.to_string(), to: to.to_string() }),
        Effect::Withdraw | Effect::None => None,
    };
    TransitionBody {
        from: transition.from.to_string(),
        to: transition.to.to_string(),
        who: transition.who.iter().map(ToString::to_string).collect(),
        gates: transition.gates.iter().map(gate_body).collect(),
        moves,
        withdraws: transition.effect == Effect::Withdraw,
        fails: transition.fails,
    }
}

fn gate_body(gate: &Gate) -> GateBody {
    let shown = |term: &Term| match term {
        Term::Duration(span) => quantity::show_duration(*span),
        Term::Tree(tree) => tree.to_string(),
        Term::Count(count) => count.to_string(),
        Term::Flag(flag) => flag.to_string(),
        Term::Roles(roles) => roles.iter().map(Role::as_str).collect::<Vec<_>>().join(" + "),
        Term::Links(links) => links.iter().map(LinkName::as_str).collect::<Vec<_>>().join(" + "),
        Term::Checks(checks) => checks.iter().map(CheckName::as_str).collect::<Vec<_>>().join(" + "),
        Term::Importance(those) => those.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(" + "),
    };
    let terms = gate.terms.iter().map(|(name, term)| (name.to_owned(), shown(term))).collect();
    GateBody { name: gate.name.to_owned(), terms }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::domain::calendar::site::Calendar;
    use crate::process::procedure;
    use crate::process::rules::DistRules;

    #[test]
    fn distributions_with_the_same_table_are_together() {
        let follows = |text: &str| DistRules {
            workflow: procedure::read(text, Path::new("own.toml")).expect("a procedure").workflow,
            calendar: Calendar::default(),
            trees: vec![],
            trust: BTreeMap::new(),
            grace_metadata: Duration::ZERO,
            grace_packages: Duration::ZERO,
            node_types: std::collections::BTreeSet::new(),
        };
        let egi = include_str!("../../../fixtures/procedures/brief.toml");
        let other = egi.replace("\"packages_present\", \"not_older\"", "{ name = \"exposure\", for = \"7d\" }");
        let all = [("a/1", egi), ("a/2", &other), ("a/3", egi)];
        let all = all.map(|(dist, text)| (dist.parse().expect("a path"), follows(text)));
        let bodies = in_force(&Rules { distributions: all.into(), ..Rules::default() });
        let seen: Vec<_> = bodies.iter().map(|body| (body.name.as_str(), body.distributions.join(" "))).collect();
        assert_eq!(seen, [("egi", "a/1 a/3".to_owned()), ("egi", "a/2".to_owned())]);
        let gate = &bodies[1].transitions[2].gates[0];
        assert_eq!((gate.name.as_str(), gate.terms["for"].as_str()), ("exposure", "1w"));
    }
}
