//! What speaks for a rollout so far: who tests it, for how long, and what came of it (S0-04, S0-05, S0-39, S0-40).
//!
//! Numbers for people, before they accept it. The gates decide; this only counts.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::gate::exposure;
use super::known::Known;
use super::world::Tree;
use super::world::adopters::{Adopter, Standing};
use crate::domain::moment::Moment;
use crate::domain::naming::team::TeamName;
use crate::domain::report::Outcome;
use crate::domain::rollout::Rollout;

/// What was found out with a rollout by the teams that count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// How many teams were asked.
    pub asked: usize,
    /// How many have accepted, whether they have reported or not.
    pub accepted: usize,
    /// How many do not test it.
    pub declined: usize,
    /// How many of those that accepted run it.
    pub installed: usize,
    /// How many have reported which outcome, on production services.
    pub reported: BTreeMap<Outcome, usize>,
    /// The same on services with the tag beta.
    pub beta: BTreeMap<Outcome, usize>,
    /// For how long all its packages have been in the tree in which they are now, without the time on hold.
    pub exposed: Option<Duration>,
    /// When reports are expected: at the end of the exposure.
    pub reports_due: Option<Timestamp>,
    /// How long the exposure usually is, if the procedure says it, and when that is over; nobody knows that on hold.
    pub usual: Option<(Duration, Option<Moment>)>,
    /// Who has accepted and should have reported by now, and when.
    pub overdue: Vec<(TeamName, Timestamp)>,
}

/// Counts it.
pub fn evidence(known: Known<'_>, rollout: &Rollout) -> Evidence {
    let mut found = Evidence { exposed: exposed(known, rollout), ..Evidence::default() };
    let due = reports_due(known, rollout);
    found.reports_due = due.map(|due| due.wall);
    let is_paused = known.world.is_paused(&rollout.id);
    found.usual = exposure::usual(known, rollout).map(|(span, ends)| (span, (!is_paused).then_some(ends)));
    let counts = |team: &TeamName| known.world.teams.counts(team);
    for (team, adopter) in known.world.adopters.of(&rollout.id).filter(|(team, _)| counts(team)) {
        found.asked += usize::from(adopter.asked.is_some());
        let standing = adopter.standing();
        found.installed += usize::from(adopter.installed.is_some() && standing != Standing::Declined);
        if adopter.asked.is_none() {
            // What others report is welcome, and does not count.
            continue;
        }
        found.accepted += usize::from(standing.accepts());
        match standing {
            Standing::Declined => found.declined += 1,
            Standing::Accepted | Standing::Exposed => {
                let due = report_due(known, rollout, adopter).filter(|due| *due <= known.now.wall);
                found.overdue.extend(due.map(|due| (team.clone(), due)));
            }
            Standing::Assigned => {}
            Standing::Reported(outcome) => {
                let beta = adopter.asked.as_ref().is_some_and(|asked| asked.beta);
                let group = if beta { &mut found.beta } else { &mut found.reported };
                *group.entry(outcome).or_default() += 1;
            }
        }
    }
    found
}

/// For how long all its packages have been in the last tree that lists all of them.
fn exposed(known: Known<'_>, rollout: &Rollout) -> Option<Duration> {
    let since = rollout.parts.iter().map(|part| {
        let trees = &known.rules.distributions.get(&part.dist)?.trees;
        let newest = |tree| {
            let listing = known.world.trees.of_dist(&part.dist, tree).map(Tree::listing)?;
            let since = part.packages.iter().map(|nevra| listing.get(nevra)?.since);
            since.collect::<Option<Vec<_>>>()?.into_iter().max()
        };
        trees.iter().rev().find_map(newest)
    });
    let newest = since.collect::<Option<Vec<_>>>()?.into_iter().max()?;
    let span = Duration::try_from(known.now.elapsed.since(newest)).unwrap_or_default();
    Some(span.saturating_sub(known.world.paused(&rollout.id, newest, known.now.elapsed)))
}

/// When a team should have reported: at the end of the exposure, or as long after it accepted if that is later.
pub(super) fn report_due(known: Known<'_>, rollout: &Rollout, adopter: &Adopter) -> Option<Timestamp> {
    let ends = reports_due(known, rollout)?.wall;
    let own = adopter.answer.and_then(|(_, at)| at.checked_add(exposure::span(known, rollout)?).ok());
    Some(own.map_or(ends, |own| own.max(ends)))
}

/// When the early adopters of a rollout should have reported: at the end of its exposure, which nobody knows while no time
/// passes for it.
fn reports_due(known: Known<'_>, rollout: &Rollout) -> Option<Moment> {
    if known.world.is_paused(&rollout.id) { None } else { exposure::ends(known, rollout) }
}
