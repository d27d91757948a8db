//! `[incidents]`: who handles incidents, and how many of one kind are a problem.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::values::{span, words};
use crate::domain::incident::IncidentPolicy;
use crate::format::document::Section;

/// How far back incidents are counted.
const WITHIN: RangeInclusive<Duration> = Duration::from_hours(1)..=Duration::from_hours(24 * 366);

/// How incidents are handled.
pub fn policy(mut section: Section<'_, '_>) -> Option<IncidentPolicy> {
    let fallback = IncidentPolicy::default();
    let support_unit = section.get("support_unit").map_or(Some(None), |v| words(&v).map(Some));
    let problem_unit = section.get("problem_unit").map_or(Some(fallback.problem_unit), |v| words(&v));
    // One alone does not recur.
    let recur = section.get("recur").map_or(Some(fallback.recur), |v| v.number(2..=1_000)?.try_into().ok());
    let within = span(&mut section, "within", fallback.within, &WITHIN);
    section.close();
    Some(IncidentPolicy { support_unit: support_unit?, problem_unit: problem_unit?, recur: recur?, within: within? })
}
