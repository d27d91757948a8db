//! Does the target trust who signed?
//!
//! Asked before every move, whatever the procedure says.

use super::{Asked, Case, Gate};
use crate::domain::gate::Finding;
use crate::domain::terms::Terms;
use crate::domain::workflow::{Effect, Transition};

pub(super) const GATE: Gate = Gate { form: None, asked: Asked::Still, may_be_overridden: false, judge };

fn judge(case: &Case<'_>, transition: &Transition, _: &Terms) -> Vec<Finding> {
    let Effect::Move { to, .. } = &transition.effect else { return vec![] };
    let all =
        case.parts().flat_map(|(part, rules)| case.world.packages.objections(rules, &part.dist, to, &part.packages));
    all.collect()
}
