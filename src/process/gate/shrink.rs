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
    let last_is = |tree| case.parts().any(|(_, rules)| rules.trees.last() == Some(tree));
    match &transition.effect {
        Effect::Withdraw => {}
        Effect::Move { from, .. } if last_is(from) => {}
        Effect::None | Effect::Move { .. } => return vec![],
    }
    let most = terms.count(PACKAGES.name).unwrap_or(LEAVES_MAX);
    let plan = case.plan(transition);
    plan.iter().flat_map(|plan| &plan.moves).filter_map(|one| of_tree(case, transition, one, most)).collect()
}

/// Whether the last tree of a distribution would lose too much.
fn of_tree(case: &Case<'_>, transition: &Transition, one: &Move, most: usize) -> Option<Finding> {
    let (id, leaves) = leaves(case, one)?;
    let lists = lists(case, &id);
    shrinks(lists, leaves, most).then(|| {
        let (rollout, to) = (&case.rollout.id, quoted(transition.to.as_str()));
        let sentence = format!(
            "{leaves} of {lists} packages would leave {id}. If that is meant: `rolloutctl override {rollout} {to} {NAME} \
             --reason WHY`."
        );
        Finding::new(Verdict::Reject, "shrinks", sentence)
    })
}

/// The last tree of a distribution, and how many packages a move takes out of it.
fn leaves(case: &Case<'_>, one: &Move) -> Option<(TreeId, usize)> {
    let tree = case.known.rules.distributions.get(&one.dist)?.trees.last()?.clone();
    let leaves = one.items.iter().filter(|item| item.leaves.contains(&tree)).count();
    Some((TreeId { dist: one.dist.clone(), tree }, leaves))
}

fn lists(case: &Case<'_>, id: &TreeId) -> usize {
    usize::try_from(case.world.trees.listed(id)).unwrap_or(usize::MAX)
}

/// What speaks against several steps at once, each of which may be taken alone. Steps for which the gate is overridden do not
/// count.
pub fn together(cases: &[&Case<'_>]) -> Vec<Finding> {
    let mut all: BTreeMap<TreeId, usize> = BTreeMap::new();
    for case in cases {
        let Ok(step) = case.step else { continue };
        if case.is_overridden(&GATE, step) {
            continue;
        }
        for (id, leaves) in case.plan(step).iter().flat_map(|plan| &plan.moves).filter_map(|one| leaves(case, one)) {
            *all.entry(id).or_default() += leaves;
        }
    }
    let Some(first) = cases.first() else { return vec![] };
    let too_many = all.into_iter().filter(|(id, leaves)| shrinks(lists(first, id), *leaves, LEAVES_MAX));
    let finding = |(id, leaves): (TreeId, usize)| {
        let sentence = format!(
            "Together these steps would take {leaves} of {} packages out of {id}. If that is meant, override `{NAME}` for each \
             of the rollouts.",
            lists(first, &id)
        );
        Finding::new(Verdict::Reject, "shrinks", sentence)
    };
    too_many.map(finding).collect()
}
