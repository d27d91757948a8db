//! Which tasks somebody should look at, and why (S1-28); whose quarantine is over.
//!
//! A task that ended badly was looked at when the same team has another one of its bundle, or the bundle is closed.

use std::time::Duration;

use super::decision::{Decision, Entry};
use super::fact::task::QuarantineOver;
use super::known::Known;
use super::world::tasks::Task;
use crate::domain::report::Outcome;

/// How long a task may wait for its site, before somebody asks there.
pub const BEGIN_WITHIN: Duration = Duration::from_hours(48);

/// Most that are said at a time.
const AT_ONCE: usize = 100;

/// Most tasks that are looked at each second: those of bundles that are on hold wait for that.
const LOOKED_AT: usize = 2_000;

/// The quarantines that are over, said once each: the team has to say what came of it (S1-27).
pub fn quarantines(known: Known<'_>) -> Decision {
    let entry = |(task, known): (u64, &Task)| {
        Entry::of_daemon(QuarantineOver { task, bundle: known.bundle.clone(), team: known.team.clone() })
    };
    let looked_at = known.world.tasks.over(known.now.elapsed).take(LOOKED_AT);
    let over = looked_at.filter(|(_, task)| is_over(known, task)).take(AT_ONCE);
    Decision { entries: over.map(entry).collect(), answer: None }
}

fn is_over(known: Known<'_>, task: &Task) -> bool {
    known.world.quarantine_ends(task, known.now.elapsed).is_some_and(|ends| ends <= known.now.elapsed)
}

/// Why somebody should look at a task.
pub fn attention(known: Known<'_>, number: u64, task: &Task) -> Option<String> {
    let (world, now) = (known.world, known.now);
    let is_open = world.bundles.get(&task.bundle).is_some_and(|bundle| !bundle.closed);
    let is_same = |other: &Task| (&other.team, other.kind) == (&task.team, task.kind);
    if !is_open || world.tasks.of(&task.bundle).any(|(later, other)| later > number && is_same(other)) {
        return None;
    }
    let waited = Duration::try_from(now.wall.duration_since(task.created)).unwrap_or_default();
    match (&task.begun, &task.done) {
        (_, Some((_, outcome @ (Outcome::Fail | Outcome::Warning)))) => Some(format!("it ended with {outcome}")),
        (_, Some(_)) => None,
        (Some((.., outcome @ (Outcome::Fail | Outcome::Warning))), None) => Some(format!("the change: {outcome}")),
        (Some(_), None) => is_over(known, task).then(|| "its quarantine is over".to_owned()),
        (None, None) => (waited > BEGIN_WITHIN).then(|| "nobody has begun it for two days".to_owned()),
    }
}
