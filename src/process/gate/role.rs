//! May whoever asks take this step?

use super::Case;
use crate::domain::gate::{Finding, Verdict};
use crate::domain::workflow::Transition;

pub(super) fn judge(case: &Case<'_>, transition: &Transition) -> Vec<Finding> {
    let roles: Vec<&str> = transition.who.iter().map(|role| role.as_str()).collect();
    if case.caller.may(&transition.who, Some(&case.rollout.dist)) {
        return vec![Finding::new(Verdict::Pass, "role", format!("{} may take this step.", case.caller.who))];
    }
    let sentence = format!("{} may not take this step; it takes {}.", case.caller.who, roles.join(" or "));
    vec![Finding::new(Verdict::NeedsAdmin, "role", sentence)]
}
