//! Reviews: opened with what they are about, answered by those who use it, and told of when nobody has answered in time
//! (S3-12, S3-17).
//!
//! A review is opened in the same append as the entry that calls for it, whoever caused that: so none is missing after a
//! crash. Its deadline is one of people, on the wall clock.

use std::time::Duration;

use jiff::Timestamp;

use super::{missing_reason, recorded};
use crate::domain::names::{ChangeId, RolloutId};
use crate::domain::request::{ChangeKind, Status};
use crate::domain::review::{Cause, WEEK};
use crate::process::decision::{Answer, Decision, Entry};
use crate::process::fact::Fact;
use crate::process::fact::request::ChangeWent;
use crate::process::fact::review::{ReviewAnswered, ReviewOpened, ReviewOverdue, Reviewed};
use crate::process::fact::rollout::{Done, Moved};
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;

/// Reviews that are told of at a time; the others follow with the next look.
const TOLD_AT_ONCE: usize = 100;

/// A decision with the reviews that its entries call for.
pub(in crate::process) fn with_reviews(known: Known<'_>, mut decision: Decision) -> Decision {
    let mut all: Vec<(Cause, Reviewed, Duration)> = Vec::new();
    for entry in &decision.entries {
        let wanted = wanted(known, &entry.fact);
        // One append may take several steps for the same emergency.
        let is_new = |wanted: &(Cause, Reviewed, Duration)| {
            !all.iter()
                .any(|other| (other.0, &other.1.change) == (wanted.0, &wanted.1.change) && wanted.0 == Cause::Emergency)
        };
        all.extend(wanted.filter(is_new));
    }
    let opened = (known.world.reviews.next()..).zip(all).map(|(review, (cause, of, within))| {
        let due = known.now.wall.checked_add(within).unwrap_or(Timestamp::MAX);
        Entry::of_daemon(ReviewOpened { review, cause, of, due })
    });
    decision.entries.extend(opened);
    decision
}

/// The review that an entry calls for.
fn wanted(known: Known<'_>, fact: &Fact) -> Option<(Cause, Reviewed, Duration)> {
    match fact {
        // A step forward for an emergency, which nobody has approved.
        Fact::Moved(Moved { rollout, plan: Some(plan), .. }) if !plan.is_withdrawal() => {
            let (change, request) = known.world.requests.of(rollout)?;
            (request.kind == ChangeKind::Emergency).then(|| emergency(known, change, Some(rollout)))?
        }
        // The same where no rollout carries it out, or before one does.
        Fact::ChangeWent(ChangeWent { change, to: Status::InProgress | Status::Resolved, .. }) => {
            let request = known.world.requests.get(change)?;
            (request.kind == ChangeKind::Emergency).then(|| emergency(known, change, request.rollouts.get_min()))?
        }
        Fact::Done(Done { plan, rollout }) => released(known, *plan, rollout.as_ref()?),
        _ => None,
    }
}

/// An emergency is reviewed from its first step on.
fn emergency(known: Known<'_>, change: &ChangeId, rollout: Option<&RolloutId>) -> Option<(Cause, Reviewed, Duration)> {
    let of = Reviewed { rollout: rollout.cloned(), change: Some(change.clone()) };
    known.world.reviews.of_emergency(change).is_none().then_some((Cause::Emergency, of, WEEK))
}

/// A rollout has come into the last tree of a distribution: everybody gets it. Of an emergency that is reviewed, unless it is
/// already and nobody has answered: what was answered before was not about what everybody has now. One review is enough.
fn released(known: Known<'_>, plan: u64, rollout: &RolloutId) -> Option<(Cause, Reviewed, Duration)> {
    let plan = known.world.rollouts.plan(plan)?.part(rollout);
    let rollout = known.world.rollouts.get(rollout)?;
    let is_last = |one: &crate::domain::plan::Move| {
        known.rules.distributions.get(&one.dist).and_then(|rules| rules.trees.last()) == one.target.as_ref()
    };
    if !plan.moves.iter().any(|one| one.target.is_some() && is_last(one)) {
        return None;
    }
    let tied = known.world.requests.of(&rollout.id);
    let of = Reviewed { rollout: Some(rollout.id.clone()), change: tied.map(|(change, _)| change.clone()) };
    if let Some((change, _)) = tied.filter(|(_, request)| request.kind == ChangeKind::Emergency)
        && !known.world.reviews.of_emergency(change).is_some_and(|(_, review)| review.answers.is_empty())
    {
        return Some((Cause::Emergency, of, WEEK));
    }
    let within = known.rules.of(&rollout.parts).ok()?.workflow.review()?;
    (!known.world.reviews.has_open(&rollout.id)).then_some((Cause::Release, of, within))
}

/// Answers the questions of a review. Each person answers once, and may change their mind.
pub(in crate::process) fn answer(
    known: Known<'_>,
    caller: &Caller,
    number: u64,
    (documented, works): (bool, bool),
    note: &str,
) -> Decision {
    let Some(review) = known.world.reviews.get(number) else {
        return Decision::answered(Answer::NotFound(format!("there is no review {number}")));
    };
    let mut findings: Vec<_> = rights::REVIEW.lacking(caller, []).into_iter().collect();
    if !(documented && works) {
        findings.extend(missing_reason(note, "Say what was missing, or what does not work."));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    let note = note.to_owned();
    recorded(known, caller, "", ReviewAnswered { review: number, of: review.of.clone(), documented, works, note })
}

/// Reviews that nobody has answered in time: that is written down once, and whoever wants to know is told.
pub(in crate::process) fn come_due(known: Known<'_>) -> Decision {
    let late = known.world.reviews.came_due(known.now.wall).take(TOLD_AT_ONCE);
    let entry = |(review, known): (u64, &crate::process::world::reviews::Review)| {
        Entry::of_daemon(ReviewOverdue { review, of: known.of.clone() })
    };
    Decision { entries: late.map(entry).collect(), answer: None }
}
