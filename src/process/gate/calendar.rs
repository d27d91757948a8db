//! Does the calendar let packages move now?
//!
//! It is asked for each distribution of a rollout, by the wall clock: freezes and working hours are dates of people. What
//! it closes for waits for the moment at which it opens, by the same clock. Withdrawals are never held up: what is harmful
//! leaves a tree on a holiday, too.

use super::{Asked, Case, Gate};
use crate::domain::calendar::windows;
use crate::domain::gate::{Finding, Verdict};
use crate::domain::moment::NotBefore;
use crate::domain::rollout::Part;
use crate::domain::terms::{GateForm, Terms};
use crate::domain::workflow::{Effect, Transition};
use crate::process::rules::DistRules;

/// Where no window is configured it has nothing to say.
pub(super) const GATE: Gate = Gate {
    form: Some(GateForm { name: "calendar", terms: &[], of_moves: false }),
    asked: Asked::Named,
    may_be_overridden: true,
    judge,
};

fn judge(case: &Case<'_>, transition: &Transition, _: &Terms) -> Vec<Finding> {
    if transition.effect == Effect::Withdraw {
        return vec![];
    }
    let with_windows: Vec<_> = case.parts().filter(|(_, rules)| !rules.calendar.windows.is_empty()).collect();
    if with_windows.is_empty() {
        return vec![];
    }
    let closed: Vec<Finding> = with_windows.iter().filter_map(|(part, rules)| closed(case, part, rules)).collect();
    if closed.is_empty() {
        return vec![Finding::new(Verdict::Pass, "calendar", "The calendar lets packages move now.")];
    }
    closed
}

/// Why packages of one distribution may not move now.
fn closed(case: &Case<'_>, part: &Part, rules: &DistRules) -> Option<Finding> {
    let (now, calendar) = (case.known.now, &rules.calendar);
    let windows::Verdict::Closed { reason, until } = calendar.windows.judge(now.wall) else { return None };
    let whose = match case.rollout.parts.len() {
        1 => String::new(),
        _ => format!(" of {}", part.dist),
    };
    let Some(until) = until else {
        let sentence = format!("The calendar{whose} is closed and does not open within two years: {reason}.");
        return Some(Finding::new(Verdict::NeedsAdmin, "calendar_never_opens", sentence));
    };
    let sentence = format!("The calendar{whose} is closed until {}: {reason}.", calendar.shown(until));
    let opens = NotBefore::Wall(now.when_shown(until));
    Some(Finding { not_before: Some(opens), ..Finding::new(Verdict::Wait, "calendar", sentence) })
}
