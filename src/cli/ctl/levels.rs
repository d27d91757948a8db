//! `rolloutctl levels`: the service levels of this site.

use std::fmt::Write as _;
use std::time::Duration;

use super::words::{document, moment};
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::table;
use crate::format::quantity::about_duration;
use crate::web::api::levels::{LevelBody, LevelsBody, TimelyBody};

/// Shows the service levels: availability, reliability, and how fast things were done
///
/// Availability is the share of time in which the daemon ran; reliability does not count scheduled maintenance.
/// `[service_levels]` in the configuration says what was agreed. Exit code 1 if an agreed level was not kept.
///
/// Example: rolloutctl levels --days 90
#[derive(Debug, clap::Args)]
pub struct LevelsArgs {
    /// Over how many days [default: `within` of the configuration, 30 days]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=366))]
    days: Option<u16>,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: LevelsArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let days = args.days.map(|days| format!("?days={days}")).unwrap_or_default();
    let levels: LevelsBody = client.get(&format!("/api/v1/levels{days}")).await?;
    let is_broken = levels.levels.iter().any(|level| level.kept == Some(false));
    let text = if json { document(&levels) } else { show(&levels, table::width()) };
    Ok(Outcome { text, exit: if is_broken { Exit::Refused } else { Exit::Done } })
}

fn show(levels: &LevelsBody, width: usize) -> String {
    let kept = |level: &LevelBody| match level.kept {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "",
    };
    let row = |level: &LevelBody| vec![level.what.clone(), agreed(level), was(level), kept(level).to_owned()];
    let rows: Vec<_> = levels.levels.iter().map(row).collect();
    let mut text = table::lay_out(&["LEVEL", "AGREED", "ACTUAL", "MET"], &rows, width);
    let span = |seconds: u64| about_duration(Duration::from_secs(seconds));
    let _ = write!(text, "\nFrom {} to {}", moment(&levels.from), moment(&levels.to));
    let _ = match (levels.down_seconds, levels.announced_seconds) {
        (0, _) => writeln!(text, " the daemon ran without interruption."),
        (down, 0) => {
            writeln!(text, " the daemon did not run for {}, none of it during scheduled maintenance.", span(down))
        }
        (down, announced) if announced >= down => {
            writeln!(text, " the daemon did not run for {}, all of it during scheduled maintenance.", span(down))
        }
        (down, announced) => writeln!(
            text,
            " the daemon did not run for {}, {} of it during scheduled maintenance.",
            span(down),
            span(announced)
        ),
    };
    text
}

fn agreed(level: &LevelBody) -> String {
    let share = level.agreed_percent.map(|percent| format!("{percent}%"));
    let time = level.agreed_seconds.map(|seconds| format!("within {}", about_duration(Duration::from_secs(seconds))));
    share.or(time).unwrap_or_default()
}

fn was(level: &LevelBody) -> String {
    if let Some(percent) = level.percent {
        return format!("{percent}%");
    }
    let Some(TimelyBody { all, in_time, median_seconds, longest_seconds, more }) = &level.done else {
        return "-".to_owned();
    };
    let count = match (level.agreed_seconds, more) {
        (Some(_), false) => format!("{in_time} of {all}"),
        (Some(_), true) => format!("{in_time} of the newest {all}"),
        (None, false) => all.to_string(),
        (None, true) => format!("the newest {all}"),
    };
    let span = |seconds: f64| about_duration(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    format!("{count}; half within {}, all within {}", span(*median_seconds), span(*longest_seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels() -> LevelsBody {
        let none = |what: &str| LevelBody {
            what: what.to_owned(),
            agreed_percent: None,
            agreed_seconds: None,
            percent: None,
            done: None,
            kept: None,
        };
        let done = |all, in_time, more| {
            Some(TimelyBody { all, in_time, median_seconds: 0.35, longest_seconds: 93_784.0, more })
        };
        LevelsBody {
            from: "2026-11-01T00:00:00Z".into(),
            to: "2026-12-01T00:00:00Z".into(),
            down_seconds: 5_000,
            announced_seconds: 3_600,
            levels: vec![
                LevelBody { agreed_percent: Some(99.5), percent: Some(99.8), kept: Some(true), ..none("availability") },
                LevelBody { percent: Some(100.0), ..none("reliability") },
                LevelBody {
                    agreed_seconds: Some(600),
                    done: done(12, 11, false),
                    kept: Some(false),
                    ..none("promoted")
                },
                none("withdrawn"),
                LevelBody { done: done(2_000, 2_000, true), ..none("people told") },
            ],
        }
    }

    #[test]
    fn levels_are_shown_with_what_was_agreed() {
        let mut levels = levels();
        insta::assert_snapshot!(show(&levels, 80));
        let last = |levels: &LevelsBody| show(levels, 80).lines().last().unwrap_or_default().to_owned();
        levels.announced_seconds = 0;
        assert!(
            last(&levels).ends_with("did not run for 1h 24m, none of it during scheduled maintenance."),
            "{}",
            last(&levels)
        );
        levels.announced_seconds = 5_000;
        assert!(last(&levels).ends_with("all of it during scheduled maintenance."), "{}", last(&levels));
        levels.down_seconds = 0;
        assert!(last(&levels).ends_with("the daemon ran without interruption."), "{}", last(&levels));
    }
}
