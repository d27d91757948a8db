//! Does the rollout carry out a change that was accepted, or an emergency, which need not be (S3-12, S3-14)?

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::request::{ChangeKind, Status};
use crate::domain::terms::{GateForm, Terms};
use crate::domain::workflow::Transition;

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: "change_accepted", terms: &[], of_moves: false }),
    asked: Asked::Named,
    may_be_overridden: true,
    judge,
};

fn judge(case: &Case<'_>, _: &Transition, _: &Terms) -> Vec<Finding> {
    let Some((id, request)) = case.world.requests.of(&case.rollout.id) else {
        let sentence = format!("{} carries out no change: `rolloutctl change tie` says which one.", case.rollout.id);
        return vec![Finding::new(Verdict::Wait, "no_change", sentence)];
    };
    match (request.status, request.kind) {
        (Status::Accepted | Status::InProgress | Status::Resolved, _) => {
            let sentence = format!("The change {id} is {}.", request.status);
            vec![Finding::new(Verdict::Pass, "change_accepted", sentence)]
        }
        (Status::New, ChangeKind::Emergency) => {
            vec![Finding::new(Verdict::Pass, "change_accepted", format!("The change {id} is an emergency."))]
        }
        (status, _) => {
            let sentence = format!("The change {id} is {status}, and was not accepted.");
            vec![Finding::new(Verdict::Wait, "change_not_accepted", sentence)]
        }
    }
}
