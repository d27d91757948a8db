//! Would a step take so much out of the tree from which everybody installs that somebody should look at it first (threats,
//! row 90)?
//!
//! A promotion takes nothing from there, so this is about withdrawals, and about steps back. Whoever means it overrides the
//! gate, which is logged with the reason.

use std::collections::BTreeMap;

use super::{Asked, Case, Gate};
use crate::domain::changes::{LEAVES_MAX, shrinks};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::TreeId;
use crate::domain::plan::Move;
use crate::domain::terms::{GateForm, TermForm, TermKind, Terms};
use crate::domain::workflow::{Effect, Transition, quoted};

const NAME: &str = "shrink";

const PACKAGES: TermForm =
    TermForm { name: "packages", kind: TermKind::Count, required: false, example: "packages = 50" };

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: NAME, terms: &[PACKAGES], of_moves: false }),
    asked: Asked::AtRest,
    may_be_overridden: true,
    judge,
};

fn judge(case: &Case<'_>, transition: &Transition, terms: &Terms) -> Vec<Finding> {
    let too_many = leaves(case, transition).into_iter().filter(|(id, leaves)| {
        let lists = case.world.trees.listing(id).len();
        shrinks(lists, *leaves, most(terms))
    });
    let finding = |(id, leaves): (TreeId, usize)| {
        let (lists, rollout) = (case.world.trees.listing(&id).len(), &case.rollout.id);
        let to = quoted(transition.to.as_str());
        let sentence = format!(
            "{leaves} of {lists} packages would leave {id}. If that is intended: `rolloutctl override {rollout} {to} \
             {NAME} --reason WHY`."
        );
        Finding::new(Verdict::Reject, "shrinks", sentence)
    };
    too_many.map(finding).collect()
}

/// So many packages may leave at once.
fn most(terms: &Terms) -> usize {
    terms.count(PACKAGES.name).unwrap_or(LEAVES_MAX)
}

/// How many packages a step takes out of the last tree of each distribution, where it may take any.
fn leaves(case: &Case<'_>, transition: &Transition) -> Vec<(TreeId, usize)> {
    let last_is = |tree| case.parts().any(|(_, rules)| rules.trees.last() == Some(tree));
    match &transition.effect {
        Effect::Withdraw => {}
        Effect::Move { from, .. } if last_is(from) => {}
        Effect::None | Effect::Move { .. } => return vec![],
    }
    let of_move = |one: &Move| {
        let tree = case.known.rules.distributions.get(&one.dist)?.trees.last()?.clone();
        let leaves = one.items.iter().filter(|item| item.leaves.contains(&tree)).count();
        Some((TreeId { dist: one.dist.clone(), tree }, leaves))
    };
    case.plan(transition).iter().flat_map(|plan| &plan.moves).filter_map(of_move).collect()
}

/// What speaks against several steps at once, each of which may be taken alone. The strictest of their terms holds, and steps
/// for which the gate is overridden do not count.
pub fn together(cases: &[Case<'_>]) -> Vec<Finding> {
    let mut all: BTreeMap<TreeId, (usize, usize)> = BTreeMap::new();
    for case in cases {
        let Ok(step) = case.step else { continue };
        let Some(terms) = case.terms(&GATE, step).filter(|_| !case.is_overridden(&GATE, step)) else { continue };
        for (id, leaves) in leaves(case, step) {
            let (sum, strictest) = all.entry(id).or_insert((0, usize::MAX));
            (*sum, *strictest) = (*sum + leaves, most(terms).min(*strictest));
        }
    }
    let Some(world) = cases.first().map(|case| case.world) else { return vec![] };
    let finding = |(id, (leaves, most)): (TreeId, (usize, usize))| {
        let lists = world.trees.listing(&id).len();
        let sentence = format!(
            "Together these steps would take {leaves} of {lists} packages out of {id}. If that is intended, override \
             `{NAME}` for each of the rollouts."
        );
        shrinks(lists, leaves, most).then(|| Finding::new(Verdict::Reject, "shrinks", sentence))
    };
    all.into_iter().filter_map(finding).collect()
}
