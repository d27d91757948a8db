//! Do those approve whose approval the procedure asks for?
//!
//! Each person counts once, for one role, and for the packages that the rollout has now: an approval lapses when they
//! change, and it is used up by the step. With `four_eyes`, whoever submitted the rollout does not count.

use super::{Asked, Case, Gate};
use crate::domain::attributes::Importance;
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{Actor, Role};
use crate::domain::terms::{GateForm, TermForm, TermKind, Terms};
use crate::domain::workflow::Transition;
use crate::process::fact::count;

const FROM: TermForm = TermForm { name: "from", kind: TermKind::Roles, required: true, example: "from = [\"srm\"]" };
const EACH: TermForm = TermForm { name: "each", kind: TermKind::Count, required: false, example: "each = 2" };
const FOUR_EYES: TermForm =
    TermForm { name: "four_eyes", kind: TermKind::Flag, required: false, example: "four_eyes = true" };

const NAME: &str = "approvals";

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: NAME, terms: &[FROM, EACH, FOUR_EYES], of_moves: false }),
    asked: Asked::Named,
    may_be_overridden: true,
    judge,
};

/// The roles whose approval a step asks for, and how many people of each have to give it.
pub fn asked_for(step: &Transition) -> impl Iterator<Item = (&Role, usize)> {
    let gates = step.gates.iter().filter(|gate| gate.name == NAME);
    gates.flat_map(|gate| gate.terms.roles(FROM.name).map(|role| (role, of_each(&gate.terms))))
}

/// Whether a step asks for the approval of a role of every rollout, and not only of some by their importance.
pub fn is_always_asked(step: &Transition, role: &Role) -> bool {
    let asks = |terms: &Terms| Importance::ALL.into_iter().all(|it| terms.apply_to(it));
    let mut gates =
        step.gates.iter().filter(|gate| gate.name == NAME && gate.terms.roles(FROM.name).any(|it| it == role));
    gates.any(|gate| asks(&gate.terms))
}

/// The roles whose approval a step asks for.
pub fn roles(step: &Transition) -> impl Iterator<Item = &Role> {
    asked_for(step).map(|(role, _)| role)
}

fn of_each(terms: &Terms) -> usize {
    terms.count(EACH.name).unwrap_or(1)
}

fn judge(case: &Case<'_>, transition: &Transition, terms: &Terms) -> Vec<Finding> {
    let each = of_each(terms);
    let four_eyes = terms.flag(FOUR_EYES.name);
    let approvals = case.world.dossiers.of(&case.rollout.id).map(|dossier| &dossier.approvals);
    let counts = |state: &String, by: &Actor| {
        state == transition.to.as_str() && !(four_eyes && *by == case.rollout.submitted_by)
    };
    let of_role = |role: &Role| {
        let all = approvals.into_iter().flat_map(|approvals| approvals.iter());
        all.filter(|((state, by), approval)| approval.role == *role && counts(state, by)).count()
    };
    let finding = |role: &Role| {
        let there = of_role(role);
        if there >= each {
            let sentence = format!("{} for {role}.", count(there, "approval"));
            return Finding::new(Verdict::Pass, "approvals", sentence);
        }
        let others = if four_eyes { ", and not by whoever submitted it" } else { "" };
        let sentence = format!("{there} of {} for {role}{others}.", count(each, "approval"));
        Finding::new(Verdict::Wait, "approvals", sentence)
    };
    terms.roles(FROM.name).map(finding).collect()
}
