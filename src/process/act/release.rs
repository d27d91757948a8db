//! Releases are planned, get their scope, and the board is told of them (S0-14, S3-18 to S3-20).

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::{missing_reason, recorded};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{BundleId, ChangeId, ReleaseId, RolloutId};
use crate::domain::request::ChangeKind;
use crate::process::decision::{Answer, Decision};
use crate::process::fact::release::{EmergencyTold, ReleaseCancelled, ReleasePlanned, ReleaseScoped, ReleaseTold};
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;
use crate::process::world::releases::Release;

/// Rollouts and bundles of one release.
const SCOPE_MAX: usize = 1_000;

/// Plans a release, or plans it anew: what is not said of it stays, and no time at all takes the usual time until the next one
/// away. A day that slips needs a reason, since people rely on it.
pub(in crate::process) fn plan(known: Known<'_>, caller: &Caller, asked: &ReleasePlanned, reason: &str) -> Decision {
    let there = known.world.releases.get(&asked.release);
    let title = Some(&asked.title).filter(|title| !title.is_empty()).or(there.map(|there| &there.title));
    let every = asked.every.or(there.and_then(|there| there.every).map(|every| every.as_secs()));
    let planned = ReleasePlanned {
        title: title.cloned().unwrap_or_default(),
        every: every.filter(|every| *every > 0),
        ..asked.clone()
    };
    let mut findings: Vec<Finding> = rights::RELEASES.lacking(caller, []).into_iter().collect();
    if there.is_some_and(|there| there.on != planned.on) {
        findings.extend(missing_reason(reason, "Changing the day needs a reason, for everybody who relies on it."));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    let is_so = |there: &Release| {
        let every = there.every.map(|every| every.as_secs());
        (&there.title, there.on, every, there.cancelled) == (&planned.title, planned.on, planned.every, false)
    };
    if there.is_some_and(is_so) {
        return Decision::answered(Answer::Conflict(format!(
            "the release {} is already planned like that",
            planned.release
        )));
    }
    recorded(known, caller, reason, planned)
}

/// Says what a release is about.
pub(in crate::process) fn scope(
    known: Known<'_>,
    caller: &Caller,
    id: &ReleaseId,
    (rollouts, bundles): (&[RolloutId], &[BundleId]),
    reason: &str,
) -> Decision {
    let release = match open_release(known, id) {
        Ok(release) => release,
        Err(decision) => return decision,
    };
    let (rollouts, bundles): (BTreeSet<_>, BTreeSet<_>) =
        (rollouts.iter().cloned().collect(), bundles.iter().cloned().collect());
    let mut findings: Vec<Finding> = rights::RELEASES.lacking(caller, []).into_iter().collect();
    let strange = rollouts.iter().filter(|rollout| known.world.rollouts.get(rollout).is_none());
    let unknown = |code, what: String| Finding::new(Verdict::Reject, code, format!("There is no {what}."));
    findings.extend(strange.map(|rollout| unknown("no_rollout", format!("rollout {rollout}"))));
    let strange = bundles.iter().filter(|bundle| known.world.bundles.get(bundle).is_none());
    findings.extend(strange.map(|bundle| unknown("no_bundle", format!("bundle {bundle}"))));
    if rollouts.len() + bundles.len() > SCOPE_MAX {
        let sentence = format!("A release has at most {SCOPE_MAX} rollouts and bundles.");
        findings.push(Finding::new(Verdict::Reject, "too_many_rollouts", sentence));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    if release.rollouts.iter().eq(&rollouts) && release.bundles.iter().eq(&bundles) {
        return Decision::answered(Answer::Conflict(format!("the release {id} has exactly that scope already")));
    }
    recorded(known, caller, reason, ReleaseScoped { release: id.clone(), rollouts, bundles })
}

/// Says that the board was told of a release, today if no day is named.
pub(in crate::process) fn tell(
    known: Known<'_>,
    caller: &Caller,
    id: &ReleaseId,
    on: Option<Date>,
    reason: &str,
) -> Decision {
    let release = match open_release(known, id) {
        Ok(release) => release,
        Err(decision) => return decision,
    };
    let on = on.unwrap_or(today(known));
    let mut findings: Vec<Finding> = rights::TELL.lacking(caller, []).into_iter().collect();
    findings.extend(ahead(known, on));
    if release.rollouts.is_empty() && release.bundles.is_empty() {
        let sentence = format!("{id} has no scope yet that anybody could be told of.");
        findings.push(Finding::new(Verdict::Reject, "no_scope", sentence));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    recorded(known, caller, reason, ReleaseTold { release: id.clone(), on })
}

/// Says that the board was told of an emergency.
pub(in crate::process) fn tell_emergency(
    known: Known<'_>,
    caller: &Caller,
    id: &ChangeId,
    on: Option<Date>,
    reason: &str,
) -> Decision {
    let Some(request) = known.world.requests.get(id) else {
        return Decision::answered(Answer::NotFound(format!("there is no change {id}")));
    };
    if request.kind != ChangeKind::Emergency || !known.world.releases.untold().any(|untold| untold == id) {
        return Decision::answered(Answer::Conflict(format!("the board need not be told of {id}, or was told")));
    }
    let on = on.unwrap_or(today(known));
    let findings: Vec<Finding> = rights::TELL.lacking(caller, []).into_iter().chain(ahead(known, on)).collect();
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    recorded(known, caller, reason, EmergencyTold { change: id.clone(), on })
}

/// Cancels a release. Its rollouts go their way without it.
pub(in crate::process) fn cancel(known: Known<'_>, caller: &Caller, id: &ReleaseId, reason: &str) -> Decision {
    if let Err(decision) = open_release(known, id) {
        return decision;
    }
    let mut findings: Vec<Finding> = rights::RELEASES.lacking(caller, []).into_iter().collect();
    findings.extend(missing_reason(reason, "Cancelling a release needs a reason, for everybody who relies on it."));
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    recorded(known, caller, reason, ReleaseCancelled { release: id.clone() })
}

/// The day on the calendar of the site.
pub(in crate::process) fn today(known: Known<'_>) -> Date {
    known.rules.calendar.windows.zone().to_datetime(known.now.wall).date()
}

fn ahead(known: Known<'_>, on: Date) -> Option<Finding> {
    let sentence = || format!("{on} is still to come: record it once the board was told.");
    (on > today(known)).then(|| Finding::new(Verdict::Reject, "not_yet", sentence()))
}

fn open_release<'w>(known: Known<'w>, id: &ReleaseId) -> Result<&'w Release, Decision> {
    let Some(release) = known.world.releases.get(id) else {
        return Err(Decision::answered(Answer::NotFound(format!("there is no release {id}"))));
    };
    if release.cancelled {
        return Err(Decision::answered(Answer::Conflict(format!("the release {id} was cancelled"))));
    }
    Ok(release)
}
