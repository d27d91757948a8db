//! Do the packages lie where they are moved from?

use super::Case;
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::TreeName;
use crate::domain::nevra::Nevra;
use crate::domain::workflow::{Effect, Transition};

pub(super) fn judge(case: &Case<'_>, transition: &Transition) -> Vec<Finding> {
    let Effect::Move { from, .. } = &transition.effect else { return vec![] };
    let missing: Vec<Finding> = case
        .rollout
        .packages
        .iter()
        .filter_map(|nevra| match case.world.packages.get(&case.rollout.dist, nevra) {
            Some(package) if package.trees.contains(from) => None,
            Some(package) if package.trees.is_empty() && is_lost(case, nevra) => Some(lost(case, nevra, from)),
            Some(package) if package.trees.is_empty() => Some(Finding::new(
                Verdict::Reject,
                "package_withdrawn",
                format!("{nevra} was withdrawn and does not come back; raise its release."),
            )),
            Some(package) => {
                let trees: Vec<&str> = package.trees.iter().map(TreeName::as_str).collect();
                let sentence = format!("{nevra} lies in {}, not in {from}.", trees.join(" and "));
                Some(Finding::new(Verdict::Reject, "package_elsewhere", sentence))
            }
            None => {
                let sentence = format!("{nevra} has not been taken into {from} yet.");
                Some(Finding::new(Verdict::Wait, "package_missing", sentence))
            }
        })
        .collect();
    if missing.is_empty() {
        let sentence = format!("All {} packages lie in {from}.", case.rollout.packages.len());
        return vec![Finding::new(Verdict::Pass, "packages_present", sentence)];
    }
    missing
}

fn is_lost(case: &Case<'_>, nevra: &Nevra) -> bool {
    case.world.packages.lost.contains(&(case.rollout.dist.clone(), nevra.clone()))
}

/// Only the upload tree gets it back.
fn lost(case: &Case<'_>, nevra: &Nevra, from: &TreeName) -> Finding {
    let is_upload = case.dist.is_some_and(|dist| dist.trees.first() == Some(from));
    let (verdict, then) = if is_upload {
        (Verdict::Wait, "upload the accepted file once more")
    } else {
        (Verdict::Reject, "reject this rollout, upload the accepted file once more and submit another")
    };
    Finding::new(verdict, "package_lost", format!("{nevra} was given up as lost; {then}."))
}
