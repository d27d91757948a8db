//! Was the board told of the release, and long enough ago (S3-19)?
//!
//! The day on which it was told counts from its beginning, by the clocks of the site. An emergency does not wait: the board is
//! told of it at its next meeting (S3-20).

use std::time::Duration;

use super::{Asked, Case, Gate};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::moment::NotBefore;
use crate::domain::request::ChangeKind;
use crate::domain::terms::{GateForm, TermForm, TermKind, Terms};
use crate::domain::workflow::Transition;
use crate::format::quantity;

const NOTICE: TermForm =
    TermForm { name: "notice", kind: TermKind::Duration, required: false, example: "notice = \"7d\"" };

/// How long before, if the procedure does not say (S3-19).
const WEEK: Duration = Duration::from_hours(7 * 24);

pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: "board_told", terms: &[NOTICE], of_moves: false }),
    asked: Asked::Named,
    may_be_overridden: true,
    judge,
};

fn judge(case: &Case<'_>, _: &Transition, terms: &Terms) -> Vec<Finding> {
    let (world, rollout, now) = (case.world, &case.rollout.id, case.known.now);
    let pass = |sentence: String| vec![Finding::new(Verdict::Pass, "board_told", sentence)];
    if let Some((id, _)) = world.requests.of(rollout).filter(|(_, request)| request.kind == ChangeKind::Emergency) {
        return pass(format!("The board is told of the emergency {id} at its next meeting."));
    }
    let notice = terms.duration(NOTICE.name).unwrap_or(WEEK);
    let zone = case.known.rules.calendar.windows.zone();
    let releases: Vec<_> = world.planned_for(rollout).collect();
    let told = releases.iter().filter_map(|(id, release)| {
        let on = release.told.as_ref()?.0;
        let until = on.to_zoned(zone.clone()).ok()?.timestamp().checked_add(notice).ok()?;
        Some((until, *id, on))
    });
    let said = quantity::show_duration(notice);
    match told.min() {
        Some((until, id, on)) if until <= now.wall => {
            pass(format!("The board was told of the release {id} on {on}, {said} before."))
        }
        Some((until, id, on)) => {
            let sentence =
                format!("The board was told of the release {id} on {on}; its notice of {said} ends at {until:.0}.");
            let opens = Some(NotBefore::Wall(now.when_shown(until)));
            vec![Finding { not_before: opens, ..Finding::new(Verdict::Wait, "board_told", sentence) }]
        }
        None => {
            let (code, sentence) = match releases.first() {
                Some((id, _)) => ("board_not_told", format!("The board has not been told of the release {id} yet.")),
                None => ("no_release", format!("{rollout} is planned for no release.")),
            };
            vec![Finding::new(Verdict::Wait, code, sentence)]
        }
    }
}
