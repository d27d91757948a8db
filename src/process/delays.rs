//! Rollouts that have been in a state for longer than their procedure wants: said once, as soon as it is so.
//!
//! Nothing is decided by it: the procedure wants to hear why (S0: in verification a week at most, then *Delayed*). It is a
//! deadline of people, so it goes by the wall clock; the time on hold does not count.

use jiff::Timestamp;

use super::decision::{Decision, Entry};
use super::fact::rollout::Delayed;
use super::known::Known;
use crate::domain::rollout::Rollout;

/// Most that are said at a time, so that an old site that gets such a limit is not busy with it.
const AT_ONCE: usize = 100;

/// What is to be said now.
pub fn delays(known: Known<'_>) -> Decision {
    let (world, now) = (known.world, known.now.wall);
    let limits = known
        .rules
        .distributions
        .iter()
        .flat_map(|(dist, rules)| rules.workflow.limits().map(move |(state, limit)| (dist, state, limit)));
    let late = limits.flat_map(|(dist, state, limit)| {
        let until = now.checked_sub(limit).unwrap_or(Timestamp::MIN);
        let old = world.rollouts.in_state_since(dist, state, until);
        // One of several distributions is found in each.
        old.filter(move |rollout| rollout.dists().next() == Some(dist))
    });
    let new = late.filter(|rollout| !rollout.delayed && !rollout.cancelled && is_late(known, rollout));
    let entry = |rollout: &Rollout| {
        let (id, state, since) = (rollout.id.clone(), rollout.state.to_string(), rollout.since);
        Entry::of_daemon(Delayed { rollout: id, state, since })
    };
    Decision { entries: new.take(AT_ONCE).map(entry).collect(), answer: None }
}

/// Until when a rollout should have left its state, if it should: not counting the time on hold.
pub fn limit(known: Known<'_>, rollout: &Rollout) -> Option<Timestamp> {
    let limit = known.rules.of(&rollout.parts).ok()?.workflow.limit(&rollout.state)?;
    if rollout.cancelled || known.world.is_paused(&rollout.id) {
        return None;
    }
    let dossier = known.world.dossiers.of(&rollout.id);
    let since = dossier.and_then(|dossier| dossier.resumed).map_or(rollout.since, |resumed| resumed.max(rollout.since));
    since.checked_add(limit).ok()
}

fn is_late(known: Known<'_>, rollout: &Rollout) -> bool {
    limit(known, rollout).is_some_and(|limit| limit <= known.now.wall)
}
