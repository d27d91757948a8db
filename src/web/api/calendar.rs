//! `/api/v1/calendar`: when packages may move, and when people work.

use axum::Json;
use axum::extract::{Query, State};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::asking::parsed;
use crate::domain::calendar::site::Calendar;
use crate::domain::calendar::windows::Verdict;
use crate::domain::names::DistPath;
use crate::process::world::World;
use crate::process::world::maintenances::Maintenance;
use crate::web::context::Context;
use crate::web::problem::Problem;

/// How many days are shown if the caller does not say.
pub const DAYS: u16 = 14;

/// Most days that are shown: beyond a year everything that comes back has been seen.
pub const DAYS_MAX: u16 = 366;

/// Which calendar, and how much of it.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct CalendarQuery {
    /// The calendar of this distribution; without it, that of the site.
    pub distribution: Option<String>,
    /// With the holidays of this NGI, if it has others than the site.
    pub ngi: Option<String>,
    /// So many days, from 1 to 366; 14 if it is left out.
    pub days: Option<u16>,
}

/// A calendar as it is now.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CalendarBody {
    /// The distribution; none is that of the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<String>,
    /// The NGI whose holidays these are; none are those of the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ngi: Option<String>,
    /// The time zone by whose clocks all of it is meant.
    pub timezone: String,
    /// Now.
    pub now: String,
    /// The same by the clocks of the zone.
    pub local: String,
    /// Whether today is worked.
    pub working_day: bool,
    /// The holiday that today is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holiday: Option<String>,
    /// Whether packages may move now, as far as the calendar says.
    pub open: bool,
    /// Which window says so; nothing if none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What holds them up whatever the calendar says: a halt, or a maintenance that goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// When they may next, if they may not now and will within two years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<TimeBody>,
    /// The moment one working day from now; nothing if no day of a whole year is worked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_one_working_day: Option<TimeBody>,
    /// What comes within so many days, in order.
    pub days: u16,
    /// Windows that open or close, and holidays.
    pub next: Vec<ComingBody>,
}

/// A moment.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TimeBody {
    /// In UTC.
    pub at: String,
    /// By the clocks of the zone.
    pub local: String,
}

/// What comes.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ComingBody {
    /// When it comes; a holiday at the beginning of its day.
    pub when: TimeBody,
    /// `opens`, `closes`, `stays_open`, `stays_closed` (another window decides from then on), `holiday`, `maintenance_begins` or
    /// `maintenance_ends`.
    pub what: String,
    /// The window, the holiday or the maintenance; nothing if no window decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// When packages may move, and when people work.
#[utoipa::path(get, path = "/api/v1/calendar", tag = "calendar", params(CalendarQuery),
    responses((status = 200, description = "The calendar", body = CalendarBody),
        (status = 400, description = "There are too many days", body = Problem),
        (status = 404, description = "There is no such distribution", body = Problem)))]
pub async fn calendar(
    State(context): State<Context>,
    Query(query): Query<CalendarQuery>,
) -> Result<Json<CalendarBody>, Problem> {
    let days = query.days.unwrap_or(DAYS);
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(Problem::bad_request(format!("`days` is {days}; it must be from 1 to {DAYS_MAX}")));
    }
    let view = context.engine.shared().read();
    let rules = &view.rules;
    let dist: Option<DistPath> = query.distribution.as_deref().map(parsed).transpose()?;
    let calendar = match &dist {
        None => &rules.calendar,
        Some(dist) => {
            let known = rules.distributions.get(dist);
            &known.ok_or_else(|| Problem::not_found(format!("there is no distribution {dist}")))?.calendar
        }
    };
    let ngi = query.ngi.as_deref();
    if let Some(ngi) = ngi.filter(|ngi| !calendar.ngis.contains_key(*ngi)) {
        let sentence = format!("{ngi} has no holidays of its own in the configuration: those of the site count");
        return Err(Problem::not_found(sentence));
    }
    let now = context.clock().now();
    let mut body = body(calendar, dist.as_ref(), ngi, now, days);
    body.held = held(&view.world, dist.as_ref(), now);
    let until = now.saturating_add(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::MAX);
    let here = |it: &Maintenance| it.is_ahead(now) && (it.dist.is_none() || it.dist == dist);
    for (id, it) in view.world.maintenances.iter().filter(|(_, it)| here(it)) {
        let name = Some(format!("{id}: {}", it.title));
        for (at, what) in [(it.start, "maintenance_begins"), (it.end, "maintenance_ends")] {
            if now < at && at <= until {
                body.next.push(ComingBody { when: time(calendar, at), what: what.to_owned(), name: name.clone() });
            }
        }
    }
    body.next.sort_by(|one, other| one.when.at.cmp(&other.when.at));
    Ok(Json(body))
}

/// What holds promotions up whatever the calendar says.
fn held(world: &World, dist: Option<&DistPath>, now: Timestamp) -> Option<String> {
    let halt = match dist {
        Some(dist) => world.halts.of(dist).map(|(_, halt)| halt),
        None => world.halts.at(None),
    };
    if let Some(halt) = halt {
        return Some(format!("promotions are halted since {:.0}: {}", halt.since, halt.reason));
    }
    let is_here = |it: &Maintenance| it.is_on(now) && (it.dist.is_none() || it.dist.as_ref() == dist);
    let (id, on) = world.maintenances.iter().filter(|(_, it)| is_here(it)).max_by_key(|(_, it)| it.end)?;
    Some(format!("the maintenance {id} ({}) goes on until {:.0}", on.title, on.end))
}

fn time(calendar: &Calendar, at: Timestamp) -> TimeBody {
    TimeBody { at: at.to_string(), local: calendar.local(at) }
}

fn body(calendar: &Calendar, dist: Option<&DistPath>, ngi: Option<&str>, now: Timestamp, days: u16) -> CalendarBody {
    let windows = &calendar.windows;
    let working_days = ngi.map_or(&calendar.working_days, |ngi| calendar.working_days_of(ngi));
    let zone = windows.zone();
    let today = zone.to_datetime(now).date();
    let opens = match windows.judge(now) {
        Verdict::Open => None,
        Verdict::Closed { until, .. } => until,
    };
    let until = now.saturating_add(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::MAX);
    let changes = windows.changes(now, until).into_iter().map(|change| {
        let what = match (change.was_open, change.is_open) {
            (false, true) => "opens",
            (true, false) => "closes",
            (true, true) => "stays_open",
            (false, false) => "stays_closed",
        };
        (change.at, what, change.why)
    });
    let off = working_days.holidays_after(today).filter_map(|(day, name)| {
        let at = day.to_zoned(zone.clone()).ok()?.timestamp();
        Some((at, "holiday", Some(name.to_owned())))
    });
    let mut next: Vec<_> = changes.chain(off.take_while(|(at, ..)| *at <= until)).collect();
    next.sort_by_key(|(at, ..)| *at);
    let coming =
        |(at, what, name): (Timestamp, &str, _)| ComingBody { when: time(calendar, at), what: what.to_owned(), name };
    CalendarBody {
        distribution: dist.map(ToString::to_string),
        ngi: ngi.map(str::to_owned),
        timezone: calendar.zone().to_owned(),
        now: now.to_string(),
        local: calendar.local(now),
        working_day: working_days.is_working(today),
        holiday: working_days.holiday(today).map(str::to_owned),
        open: windows.is_open(now),
        why: windows.why(now),
        held: None,
        opens: opens.map(|at| time(calendar, at)),
        in_one_working_day: working_days.after(now, 1).ok().map(|at| time(calendar, at)),
        days,
        next: next.into_iter().map(coming).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::calendar::weekdays::Weekdays;
    use crate::domain::calendar::windows::{Effect, Rule, Windows};
    use crate::domain::calendar::working_days::WorkingDays;
    use jiff::tz::TimeZoneDatabase;

    fn zurich(windows: &[(Effect, &str, &str)]) -> Calendar {
        let zone = TimeZoneDatabase::bundled().get("Europe/Zurich").expect("compiled in");
        let rule = |(effect, name, when): &(Effect, &str, &str)| Rule {
            effect: *effect,
            when: when.parse().expect("a time"),
            name: (*name).to_owned(),
        };
        let off = [("2026-12-25", "Christmas Day"), ("2026-12-26", "St Stephen"), ("2027-01-01", "New Year")];
        let off = off.map(|(day, name)| (day.parse().expect("a date"), name.into()));
        Calendar {
            ngis: [("NGI_IL".to_owned(), WorkingDays::new(Weekdays::WORKING, zone.clone()))].into(),
            working_days: WorkingDays::new(Weekdays::WORKING, zone.clone()).except(off.into()),
            windows: Windows::new(windows.iter().map(rule).collect(), zone).expect("rules"),
        }
    }

    #[test]
    fn a_calendar_is_told_with_all_that_comes() {
        let calendar = zurich(&[
            (Effect::Deny, "end of the year", "2026-12-24T18:00..2026-12-28"),
            (Effect::Allow, "working hours", "Mon-Thu 09:00-16:00"),
        ]);
        let told = body(&calendar, None, None, "2026-12-24T14:30:00Z".parse().expect("a moment"), 7);
        insta::assert_snapshot!(serde_json::to_string_pretty(&told).expect("a document"));
    }

    #[test]
    fn a_holiday_on_a_day_without_a_window_is_told_too() {
        let told =
            body(&zurich(&[]), "d".parse().ok().as_ref(), None, "2026-12-25T10:00:00Z".parse().expect("a moment"), 1);
        assert_eq!((told.open, told.why, told.holiday.as_deref()), (true, None, Some("Christmas Day")));
        // One working day from a holiday is the end of the first working day after it.
        assert_eq!(told.in_one_working_day.map(|at| at.local).as_deref(), Some("Tue 2026-12-29 00:00"));
        let next: Vec<(&str, &str)> =
            told.next.iter().map(|coming| (coming.when.at.as_str(), coming.what.as_str())).collect();
        assert_eq!(next, [("2026-12-25T23:00:00Z", "holiday")]);
        // Elsewhere it is none.
        let ngi = Some("NGI_IL");
        let told = body(&zurich(&[]), None, ngi, "2026-12-25T10:00:00Z".parse().expect("a moment"), 1);
        assert_eq!((told.holiday, told.working_day, told.ngi.as_deref()), (None, true, ngi));
        assert_eq!(told.in_one_working_day.map(|at| at.local).as_deref(), Some("Mon 2026-12-28 11:00"));
    }
}
