//! Which tasks somebody should look at, and why (S1-28).
//!
//! A task that ended badly was looked at when the same team has another one of its bundle, or the bundle is closed.

use std::time::Duration;

use super::known::Known;
use super::world::tasks::Task;
use crate::domain::report::Outcome;

/// How long a task may wait for its site, before somebody asks there.
const BEGIN_WITHIN: Duration = Duration::from_hours(48);

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
        (Some((_, since, _)), None) => {
            (since.plus(task.quarantine) <= now.elapsed).then(|| "its quarantine is over".to_owned())
        }
        (None, None) => (waited > BEGIN_WITHIN).then(|| "nobody has begun it for two days".to_owned()),
    }
}
