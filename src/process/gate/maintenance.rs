//! Is there a maintenance?
//!
//! It stops what moves packages forward until its end, by the wall clock: it was told to people by that. Who has to
//! go on nevertheless calls it off.

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::moment::NotBefore;
use crate::domain::names::DistPath;
use crate::domain::terms::Terms;
use crate::domain::workflow::{Effect, Transition};
use crate::process::fact::halt::place;
use crate::process::known::Known;

pub(super) const GATE: Gate = Gate { form: None, asked: Asked::Still, may_be_overridden: false, judge };

fn judge(case: &Case<'_>, transition: &Transition, _: &Terms) -> Vec<Finding> {
    if !matches!(transition.effect, Effect::Move { .. }) {
        return vec![];
    }
    objection(case.known, case.rollout.dists()).into_iter().collect()
}

/// The maintenance of these distributions that ends last, if there is one now.
pub fn objection<'d>(known: Known<'_>, dists: impl Iterator<Item = &'d DistPath>) -> Option<Finding> {
    let now = known.now;
    let on = dists.filter_map(|dist| known.world.maintenances.on_in(dist, now.wall));
    let (id, known) = on.max_by_key(|(_, known)| known.end)?;
    let title = known.title.strip_suffix('.').unwrap_or(&known.title);
    let sentence =
        format!("The maintenance {id} goes on {} until {:.0}: {title}.", place(known.dist.as_ref()), known.end);
    let not_before = Some(NotBefore::Wall(now.when_shown(known.end)));
    Some(Finding { not_before, ..Finding::new(Verdict::Wait, "maintenance", sentence) })
}
