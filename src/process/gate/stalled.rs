//! Is the change on hold that the rollout carries out, or was it rejected (S3-08)?
//!
//! What takes packages back goes on, as it does under a halt.

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::request::Status;
use crate::domain::terms::Terms;
use crate::domain::workflow::{Effect, Transition};

pub(super) const GATE: Gate = Gate { form: None, asked: Asked::Still, may_be_overridden: false, judge };

fn judge(case: &Case<'_>, transition: &Transition, _: &Terms) -> Vec<Finding> {
    let Some((id, request)) = case.world.requests.of(&case.rollout.id) else { return vec![] };
    if transition.effect == Effect::Withdraw {
        return vec![];
    }
    let code = match request.status {
        Status::Stalled => "change_stalled",
        Status::Rejected => "change_rejected",
        Status::New | Status::Accepted | Status::InProgress | Status::Resolved => return vec![],
    };
    let status = request.status.as_str().to_lowercase();
    vec![Finding::new(Verdict::Wait, code, format!("The change {id} is {status} since {:.0}.", request.since))]
}
