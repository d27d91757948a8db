//! A package is given up, since its bytes are nowhere any more.

use super::package;
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{DistPath, Role, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::process::agenda::{Kind, Wrong};
use crate::process::decision::{Answer, Decision, Entry};
use crate::process::fact::package::Lost;
use crate::process::known::Known;
use crate::process::who::Caller;

/// Gives a package up. Nothing is given up that may be there: a tree must have been found without it, and every tree
/// that lists it, since one that has it gives it back to the others.
pub(in crate::process) fn lose(
    known: Known<'_>,
    caller: &Caller,
    nevra: &Nevra,
    dist: Option<&DistPath>,
    reason: &str,
) -> Decision {
    let world = known.world;
    let (dist, package) = match package(world, nevra, dist) {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    let mut findings = Vec::new();
    if !caller.may(&[Role::ADMIN], Some(dist)) {
        findings.push(Finding::new(Verdict::NeedsAdmin, "role", "Only admin may give up packages."));
    }
    if reason.trim().is_empty() {
        let sentence = "Giving up a package needs a reason, for anyone who asks a year later.";
        findings.push(Finding::new(Verdict::Reject, "no_reason", sentence));
    }
    let trees: Vec<TreeName> = world.listed_in(dist, nevra).cloned().collect();
    if trees.is_empty() {
        let sentence = format!("{nevra} is listed in no tree of {dist}.");
        findings.push(Finding::new(Verdict::Reject, "not_listed", sentence));
    }
    for tree in &trees {
        let id = TreeId { dist: dist.clone(), tree: tree.clone() };
        let is_missing = |wrong: &Wrong| matches!(&wrong.what, Kind::Missing(missing) if missing.contains(nevra));
        match known.wrong.get(&id) {
            Some(wrong) if is_missing(wrong) => {}
            Some(wrong) => {
                let sentence = format!("It is unknown whether {nevra} is in {id}: {}.", wrong.why);
                findings.push(Finding::new(Verdict::Wait, "tree_held", sentence));
            }
            None => {
                let sentence = format!(
                    "As far as is known, {nevra} is in {id} as accepted; reload to check now. To remove it, withdraw its \
                     rollout."
                );
                findings.push(Finding::new(Verdict::Reject, "not_lost", sentence));
            }
        }
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    let fact = Lost { dist: dist.clone(), nevra: nevra.clone(), sha256: package.sha256 };
    Decision {
        entries: vec![Entry { who: caller.who.clone(), why: reason.to_owned(), fact: fact.into() }],
        answer: Some(Answer::Lost { nevra: nevra.clone(), dist: dist.clone(), trees }),
    }
}
