//! Rollouts that teams were asked to test and that nobody has accepted in time: said once, and again after others were asked
//! in vain (S0-37).
//!
//! The manager then asks on the mailing lists of early adopters, so a procedure can tell those by a notice. Each team has
//! until its own deadline; where all of them have declined, nothing is waited for.

use jiff::{SignedDuration, Timestamp};

use super::decision::{Decision, Entry};
use super::fact::assignment::Unanswered;
use super::gate::acknowledged::{answer_by, asking};
use super::known::Known;
use super::world::adopters::Standing;
use crate::domain::names::RolloutId;

/// Most that are said at a time.
const AT_ONCE: usize = 100;

/// Most rollouts that are looked at each second, those that were asked for last: some wait for other things than an answer, and
/// nothing else may wait for this.
const LOOKED_AT: usize = 2_000;

/// Nobody is told of what was asked longer ago: so an old site is not told of its past, and rollouts that went on without
/// early adopters are not looked at for ever.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(24 * 31);

/// What is to be said now.
pub fn unanswered(known: Known<'_>) -> Decision {
    let after = known.now.wall.checked_sub(FORGOTTEN).unwrap_or(Timestamp::MIN);
    let looked_at = known.world.adopters.unaccepted(after).take(LOOKED_AT);
    let late = looked_at.filter(|id| is_over(known, id)).take(AT_ONCE);
    let entries = late.map(|id| Entry::of_daemon(Unanswered { rollout: id.clone() })).collect();
    Decision { entries, answer: None }
}

/// Whether nobody has time left to accept a rollout that needs somebody.
fn is_over(known: Known<'_>, id: &RolloutId) -> bool {
    let Some(rollout) = known.world.rollouts.get(id) else { return false };
    let Some(rules) = asking(known, rollout) else { return false };
    let counting = || known.world.adopters.of(id).filter(|(team, _)| known.world.teams.counts(team));
    // Somebody may have been registered as an early adopter since.
    if counting().any(|(_, adopter)| adopter.standing().accepts()) {
        return false;
    }
    // A team that has left the registry since is nobody's to wait for, and whoever took it out knows.
    let is_asked = counting().any(|(_, adopter)| adopter.asked.is_some());
    let mut silent = counting().filter(|(_, adopter)| adopter.standing() == Standing::Assigned);
    is_asked && silent.all(|adopter| answer_by(known, rules, id, adopter).is_some_and(|by| by < known.now.wall))
}
