//! `rolloutctl move`: moves a rollout to another state, and its packages with it.

use std::time::{Duration, Instant};

use super::ask::{escape, one, recorded, warned};
use super::words::{document, next_steps, own_name};
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::link::clock::Clock;
use crate::web::api::asking::RecordedBody;
use crate::web::api::holds::{DateBody, ReasonBody};
use crate::web::api::moves::{MoveBody, MovedBody};
use crate::web::api::rollouts::RolloutBody;

/// How long `move` waits for the packages. Promoting a large bundle takes seconds.
const MOVE_PATIENCE: Duration = Duration::from_mins(1);

/// How much longer `move` waits after the daemon reports trouble: it has tried three times by then, and somebody has to
/// help.
const TROUBLE_PATIENCE: Duration = Duration::from_secs(5);

/// Moves a rollout to another state, and its packages where the procedure says so
///
/// Exit codes: 0 the packages have moved; 1 the step was refused, or it was accepted but the packages cannot be moved,
/// with the reason. The daemon keeps trying then.
///
/// Example: rolloutctl move rt-1234 Production --at 2026-12-01T08:00
#[derive(Debug, clap::Args)]
pub struct MoveArgs {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
    /// The state to reach; spaces, dashes and case do not matter
    state: String,
    /// Why; recorded in the logbook
    #[arg(long, default_value = "")]
    reason: String,
    /// At this time, or as soon after it as nothing is in the way; `never` takes such a date back
    ///
    /// 2026-12-01T08:00Z, or without the Z by the clocks of the calendar. Whether you may do it is judged now, and the gates are
    /// asked then.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Do not wait until the packages have moved
    #[arg(long)]
    no_wait: bool,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, it refuses, or the packages do not move.
pub async fn run(args: MoveArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let MoveArgs { rollout, state, reason, at, no_wait } = args;
    if let Some(at) = at {
        let path = format!("/api/v1/rollouts/{}/date", escape(&rollout));
        let done: RecordedBody = match at.as_str() {
            "never" => client.delete(&path, &ReasonBody { reason }).await?,
            _ => client.put(&path, &DateBody { state, at, reason }).await?,
        };
        return Ok(recorded(&done, json));
    }
    let path = format!("/api/v1/rollouts/{}/move", escape(&rollout));
    let moved: MovedBody = client.post(&path, &MoveBody { state, reason }).await?;
    let after = if no_wait { one(client, &rollout).await? } else { at_rest(client, &rollout).await? };
    if after.moving && !no_wait {
        return Err(not_moved(&after, &own_name()));
    }
    Ok(Outcome::done(if json { document(&moved) } else { show_moved(&moved, &after, &own_name()) }))
}

/// The rollout once nothing is being moved for it, or its present state if that takes too long.
pub(super) async fn at_rest(client: &Client, rollout: &str) -> Result<RolloutBody, Failure> {
    let (clock, asked) = (Clock::System, Clock::System.monotonic());
    let mut in_trouble: Option<Instant> = None;
    loop {
        let now = one(client, rollout).await?;
        in_trouble = now.trouble.as_ref().map(|_| in_trouble.unwrap_or_else(|| clock.monotonic()));
        let hopeless = in_trouble.is_some_and(|since| clock.since(since) > TROUBLE_PATIENCE);
        if !now.moving || hopeless || clock.since(asked) > MOVE_PATIENCE {
            return Ok(now);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The failure of a step that was accepted while its packages did not move.
pub(super) fn not_moved(after: &RolloutBody, program: &str) -> Failure {
    let why = after.trouble.as_deref().unwrap_or("it takes longer than a minute, for no known reason");
    let words = format!("{} is in {}, but its packages have not moved yet: {why}", after.id, after.state);
    let give_up = format!("; if it cannot be resolved: `{program} give-up {} --reason WHY`", after.id);
    let give_up = after.trouble.as_ref().map_or("", |_| &give_up);
    let hint = format!("the daemon keeps trying; `{program} show {}` shows the progress{give_up}", after.id);
    Failure::new(Exit::Refused, words).hint(hint)
}

fn show_moved(moved: &MovedBody, after: &RolloutBody, program: &str) -> String {
    let (count, plural) = (moved.packages, if moved.packages == 1 { "package" } else { "packages" });
    let packages = match (count, after.moving) {
        (0, _) => "nothing moved".to_owned(),
        (_, false) => format!("{count} {plural} moved"),
        (_, true) => format!("{count} {plural} moving; `{program} show {}` shows the progress", moved.id),
    };
    let (MovedBody { id, state, warnings, .. }, next) = (moved, next_steps(after, program));
    format!("{id} is in {state}; {packages}.\n{}{next}", warned(warnings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ctl::words::tests::{held_up, waiting};

    fn failed(failure: Failure) -> String {
        assert_eq!(failure.exit, Exit::Refused);
        format!("{}\nhint: {}", failure.message, failure.hint.unwrap_or_default())
    }

    #[test]
    fn a_move_whose_packages_stay_where_they_are_is_not_done() {
        insta::assert_snapshot!(failed(not_moved(&held_up(Some("could not make the directory")), "rolloutctl")));
    }

    #[test]
    fn a_move_that_takes_too_long_is_not_done() {
        insta::assert_snapshot!(failed(not_moved(&held_up(None), "rolloutctl")));
    }

    #[test]
    fn a_move_is_reported() {
        let moved = |packages| MovedBody {
            id: "rt-1234".into(),
            state: "StageRollOut".into(),
            packages,
            warnings: (packages == 1)
                .then(|| "only a part of the bundle B-1 goes to testing".to_owned())
                .into_iter()
                .collect(),
        };
        let moving = RolloutBody { moving: true, ..waiting() };
        let all = [(0, waiting()), (1, waiting()), (2, moving)];
        let told = all.map(|(packages, after)| show_moved(&moved(packages), &after, "rolloutctl"));
        insta::assert_snapshot!(told.join("\n"));
    }
}
