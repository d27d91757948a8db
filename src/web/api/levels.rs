//! `/api/v1/levels`: the service levels of this site.

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

use crate::domain::moment::Moment;
use crate::engine::view::View;
use crate::process::levels::{Agreed, Level, Report, Was, report};
use crate::web::context::Context;
use crate::web::problem::Problem;

/// Most days that can be looked at.
const DAYS_MAX: u16 = 366;

/// What was agreed, and what there was.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LevelsBody {
    /// From when.
    pub from: String,
    /// To when.
    pub to: String,
    /// For how many seconds of that the daemon did not run.
    pub down_seconds: u64,
    /// For how many of those a scheduled maintenance was announced.
    pub announced_seconds: u64,
    /// All levels.
    pub levels: Vec<LevelBody>,
}

/// One of them.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LevelBody {
    /// `availability`, `reliability`, `promoted`, `withdrawn`, `people told` or `notices delivered`.
    pub what: String,
    /// The share of time that was agreed, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed_percent: Option<f64>,
    /// The time within which each of them was to be done, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed_seconds: Option<u64>,
    /// The share of time that there was, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// How they were done, if there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<TimelyBody>,
    /// Whether it was kept; nothing if nothing was agreed, or there was nothing to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<bool>,
}

/// How long things took.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TimelyBody {
    /// How many there were; the newest 2,000 at most.
    pub all: usize,
    /// How many of them were in time; all if nothing was agreed.
    pub in_time: usize,
    /// Half of them took no longer, in seconds.
    pub median_seconds: f64,
    /// None took longer, in seconds.
    pub longest_seconds: f64,
    /// Whether there were more, which are not counted here.
    pub more: bool,
}

/// Over which time.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
pub struct LevelsQuery {
    /// So many days, from 1 to 366; what the configuration says if it is left out.
    pub days: Option<u16>,
}

/// The service levels of this site.
#[utoipa::path(get, path = "/api/v1/levels", tag = "health", params(LevelsQuery),
    responses((status = 200, description = "The service levels", body = LevelsBody), (status = 400, body = Problem)))]
pub async fn levels(
    State(context): State<Context>,
    Query(query): Query<LevelsQuery>,
) -> Result<Json<LevelsBody>, Problem> {
    if query.days.is_some_and(|days| days == 0 || days > DAYS_MAX) {
        return Err(Problem::bad_request(format!("days is a number from 1 to {DAYS_MAX}")));
    }
    let within = query.days.map(|days| std::time::Duration::from_hours(24 * u64::from(days)));
    let view = context.engine.shared().read();
    Ok(Json(body(&of(&view, context.clock().now(), within))))
}

/// The service levels at a time.
pub fn of(view: &View, now: jiff::Timestamp, within: Option<std::time::Duration>) -> Report {
    let known = view.known();
    let now = Moment { wall: now, ..known.now };
    report(crate::process::known::Known { now, ..known }, within)
}

fn body(report: &Report) -> LevelsBody {
    let seconds = |of: jiff::SignedDuration| u64::try_from(of.as_secs()).unwrap_or_default();
    LevelsBody {
        from: format!("{:.0}", report.span.0),
        to: format!("{:.0}", report.span.1),
        down_seconds: report.presence.map_or(0, |found| seconds(found.down)),
        announced_seconds: report.presence.map_or(0, |found| seconds(found.announced)),
        levels: report.levels.iter().map(level).collect(),
    }
}

fn level(level: &Level) -> LevelBody {
    let percent = |share: u32| f64::from(share) / 100.0;
    let (agreed_percent, agreed_seconds) = match level.agreed {
        None => (None, None),
        Some(Agreed::Share(share)) => (Some(percent(share)), None),
        Some(Agreed::Within(most)) => (None, Some(most.as_secs())),
    };
    let (share, done) = match level.was {
        None => (None, None),
        Some(Was::Share(share)) => (Some(percent(share)), None),
        Some(Was::Timely(timely)) => {
            let (median_seconds, longest_seconds) = (timely.median.as_secs_f64(), timely.longest.as_secs_f64());
            let (all, in_time, more) = (timely.all, timely.in_time, timely.more);
            (None, Some(TimelyBody { all, in_time, median_seconds, longest_seconds, more }))
        }
    };
    LevelBody {
        what: level.what.to_owned(),
        agreed_percent,
        agreed_seconds,
        percent: share,
        done,
        kept: level.is_kept(),
    }
}
