//! Is there a maintenance?
//!
//! It stops what moves packages forward until its end, by the wall clock: it was told to people by that. Who has to
//! go on nevertheless calls it off.

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::moment::NotBefore;
use crate::domain::terms::Terms;
use crate::domain::workflow::{Effect, Transition};
use crate::process::fact::halt::place;

pub(super) const GATE: Gate = Gate { form: None, asked: Asked::Still, may_be_overridden: false, judge };

fn judge(case: &Case<'_>, transition: &Transition, _: &Terms) -> Vec<Finding> {
    if !matches!(transition.effect, Effect::Move { .. }) {
        return vec![];
    }
    let now = case.known.now;
    let on = case.rollout.dists().filter_map(|dist| case.world.maintenances.on_in(dist, now.wall));
    let Some((id, known)) = on.max_by_key(|(_, known)| known.end) else { return vec![] };
    let title = known.title.strip_suffix('.').unwrap_or(&known.title);
    let sentence =
        format!("The maintenance {id} goes on {} until {:.0}: {title}.", place(known.dist.as_ref()), known.end);
    let not_before = Some(NotBefore::Wall(now.when_shown(known.end)));
    vec![Finding { not_before, ..Finding::new(Verdict::Wait, "maintenance", sentence) }]
}
