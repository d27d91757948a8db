//! What was decided and cannot be carried out, a move or a withdrawal, is given up.

use std::collections::BTreeSet;

use super::rollout;
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{Role, RolloutId, TreeName};
use crate::domain::plan::{Item, Move, Plan};
use crate::process::decision::{Answer, Decision, Entry};
use crate::process::fact::rollout::Moved;
use crate::process::known::Known;
use crate::process::rules::SIGNER_REVOKED;
use crate::process::who::Caller;
use crate::process::world::World;

/// Gives up what was decided for a rollout and cannot be carried out, a move or a withdrawal: the rollout is where its
/// packages are listed, and what clients already see otherwise is corrected as soon as that can be done.
pub(in crate::process) fn give_up(known: Known<'_>, caller: &Caller, id: &RolloutId, reason: &str) -> Decision {
    let rollout = match rollout(known, id) {
        Ok(rollout) => rollout,
        Err(decision) => return decision,
    };
    let (Some(number), Some(left), Some(rested)) = (rollout.plan, &rollout.left, &rollout.rested) else {
        return Decision::answered(Answer::Conflict(format!("nothing is being moved for {id}")));
    };
    let mut findings = Vec::new();
    let rules = known.rules.of(&rollout.parts);
    let step = rules.as_ref().ok().and_then(|rules| rules.workflow.step(left, &rollout.state).ok());
    if !caller.may_for(step.iter().flat_map(|step| &step.who).chain([&Role::ADMIN]), rollout) {
        let sentence = "Only admin, or a role that may take the step, may give it up.";
        findings.push(Finding::new(Verdict::NeedsAdmin, "role", sentence));
    }
    let mut back = None;
    match (rules, known.stuck(rollout)) {
        (Err(finding), _) => findings.push(finding),
        (_, None) => {
            let sentence = format!("Entry {number} is still being carried out for {id}; nothing blocks it.");
            findings.push(Finding::new(Verdict::Wait, "busy", sentence));
        }
        // A plan that takes packages back has been given up already.
        (Ok(_), Some((plan, _))) if !plan.is_withdrawal() && rollout.state == *rested => findings.push(taken_back()),
        (Ok(_), Some((plan, _))) => {
            if plan.is_withdrawal() {
                findings.extend(stays(known, &plan, reason));
            }
            let moves = plan.moves.iter().map(|one| way_back(known.world, &plan, one)).collect();
            match moves {
                Ok(moves) => back = Some(Plan { moves, ..plan }),
                Err(finding) => findings.push(finding),
            }
        }
    }
    let Some(plan) = back.filter(|_| findings.is_empty()) else { return Decision::refused(findings) };
    let packages = plan.packages();
    let (from, to) = (rollout.state.to_string(), rested.to_string());
    let fact = Moved { rollout: id.clone(), from, to, plan: Some(plan) };
    let why = if reason.is_empty() { format!("entry {number} is given up") } else { reason.to_owned() };
    let given_up = Answer::Moved { rollout: id.clone(), state: rested.clone(), packages, warnings: vec![] };
    Decision { entries: vec![Entry { who: caller.who.clone(), why, fact: fact.into() }], answer: Some(given_up) }
}

/// Why a waiting withdrawal of packages must not be given up: somebody has rejected them, so whoever keeps them has to
/// say why; and nothing excuses a key that others may have.
fn stays(known: Known<'_>, plan: &Plan, reason: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if reason.trim().is_empty() {
        let sentence = "Giving up a withdrawal needs a reason, for anyone who asks why these packages are still there.";
        findings.push(Finding::new(Verdict::Reject, "no_reason", sentence));
    }
    let items = plan.moves.iter().flat_map(|one| one.items.iter().map(|item| (&one.dist, item)));
    let revoked = items.into_iter().find_map(|(dist, item)| {
        let rules = known.rules.distributions.get(dist)?;
        let signers = &known.world.packages.get(dist, &item.nevra)?.signers;
        let mut all = item.leaves.iter().filter_map(|tree| rules.trust(tree).objection(tree, &item.nevra, signers));
        all.find(|finding| finding.code == SIGNER_REVOKED)
    });
    findings.extend(revoked.map(|finding| {
        let sentence = format!("{} Its withdrawal cannot be given up; fix what blocks it.", finding.sentence);
        Finding { sentence, ..finding }
    }));
    findings
}

fn taken_back() -> Finding {
    let sentence = "The packages are already going back to where they were; fix what blocks that.";
    Finding::new(Verdict::Reject, "taken_back", sentence)
}

/// The move that undoes what another one may have done so far: its packages are shown again in the tree that lists them,
/// and nowhere else.
fn way_back(world: &World, plan: &Plan, one: &Move) -> Result<Move, Finding> {
    let mut target: Option<&TreeName> = None;
    let mut items = Vec::new();
    for item in &one.items {
        let listed = |tree: &&TreeName| world.lists(&one.dist, tree, &item.nevra);
        let here: Vec<&TreeName> = item.leaves.iter().filter(listed).collect();
        let Some(first) = here.first() else {
            return Err(taken_back());
        };
        if here.len() > 1 || *target.get_or_insert(first) != *first {
            let trees: BTreeSet<&str> = one.items.iter().flat_map(|i| &i.leaves).map(TreeName::as_str).collect();
            let trees: Vec<&str> = trees.into_iter().collect();
            let sentence = format!(
                "The packages of {} lie in {}, so there is no state to go back to; fix what blocks the move.",
                plan.owner,
                trees.join(" and ")
            );
            return Err(Finding::new(Verdict::Reject, "package_elsewhere", sentence));
        }
        let others = item.leaves.iter().chain(&one.target).filter(|tree| tree != first);
        items.push(Item { leaves: others.cloned().collect(), ..item.clone() });
    }
    Ok(Move { target: target.cloned(), items, dist: one.dist.clone() })
}
