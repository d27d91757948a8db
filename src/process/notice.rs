//! Notices: a message to somebody becomes due with the entry that causes it.
//!
//! A notice is an entry in the same append as its cause (an outbox), so nobody is told anything untrue, and no message is
//! lost because the daemon died in between. Each receiver has a lane, in which it gets one notice after the other in the
//! order of the logbook. It may get a notice twice, if the daemon dies after the receiver has answered; the number of the
//! notice is the same both times.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::decision::{Decision, Entry};
use super::fact::notice::{Due, GivenUp, Sent};
use super::fact::{Fact, Kind as _, Subject, assignment, attributes, change, issue, report, request, review, rollout};
use super::input::End;
use super::known::Known;
use crate::domain::names::{ChangeId, HookName, RolloutId};

/// What a receiver can ask to be told: the kinds of facts about rollouts, changes and reviews.
pub const EVENTS: [&str; 40] = [
    rollout::Submitted::NAME,
    rollout::Declined::NAME,
    rollout::Awaits::NAME,
    rollout::Moved::NAME,
    rollout::Staged::NAME,
    rollout::Delayed::NAME,
    rollout::Done::NAME,
    change::Edited::NAME,
    change::Cancelled::NAME,
    change::Superseded::NAME,
    change::Stalled::NAME,
    change::Resumed::NAME,
    change::Scheduled::NAME,
    change::Approved::NAME,
    change::Extended::NAME,
    change::Overridden::NAME,
    change::Noted::NAME,
    change::Failed::NAME,
    change::Linked::NAME,
    assignment::Assigned::NAME,
    assignment::Answered::NAME,
    assignment::Installed::NAME,
    assignment::Unanswered::NAME,
    report::Reported::NAME,
    report::ReportPublished::NAME,
    issue::IssueNoted::NAME,
    issue::IssueClosed::NAME,
    request::ChangeRecorded::NAME,
    request::ChangeAssessed::NAME,
    request::ChangeApproved::NAME,
    request::ChangeWent::NAME,
    request::ChangeTied::NAME,
    request::ChangeUntied::NAME,
    review::ReviewOpened::NAME,
    review::ReviewAnswered::NAME,
    review::ReviewOverdue::NAME,
    issue::IssueRanked::NAME,
    change::Ticked::NAME,
    change::Unticked::NAME,
    attributes::Described::NAME,
];

/// What a receiver gets if it does not say what it wants: what people wait for, and what nobody has done in time.
pub const USUAL: [&str; 4] =
    [rollout::Submitted::NAME, rollout::Moved::NAME, rollout::Done::NAME, review::ReviewOverdue::NAME];

/// A receiver that accepts nothing for this long, while the daemon runs, no longer gets notices of that age.
pub const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A decision with the notices that its entries cause.
pub(super) fn with_notices(known: Known<'_>, mut decision: Decision) -> Decision {
    let first = known.world.last + 1;
    let mut due = Vec::new();
    for (entry, cause) in decision.entries.iter().zip(first..) {
        let wanted = |events: &BTreeSet<String>| events.contains(entry.fact.kind());
        let receivers = known.rules.outgoing.iter().filter(|(_, events)| wanted(events)).map(|(to, _)| to);
        let (rollout, change) = about(&entry.fact);
        if rollout.is_some() || change.is_some() {
            let due_to =
                |to: &HookName| Due { to: to.clone(), cause, rollout: rollout.clone(), change: change.clone() };
            due.extend(receivers.map(due_to));
        }
    }
    decision.entries.extend(due.into_iter().map(Entry::of_daemon));
    decision
}

/// The rollout and the change that a fact is about.
fn about(fact: &Fact) -> (Option<RolloutId>, Option<ChangeId>) {
    let subjects = fact.about();
    let rollout = subjects.iter().cloned().find_map(Subject::into_rollout);
    (rollout, subjects.into_iter().find_map(Subject::into_change))
}

/// What to log when a notice was delivered, or never will be.
pub(super) fn ended(known: Known<'_>, to: &HookName, number: u64, end: &End) -> Option<Fact> {
    let due = known.world.notices.due(to, number)?;
    let (to, notice, rollout, change) = (to.clone(), number, due.rollout.clone(), due.change.clone());
    match end {
        End::Done => Some(Sent { to, notice, rollout, change }.into()),
        End::Final(why) => Some(GivenUp { to, notice, rollout, change, why: why.clone() }.into()),
        End::Again { why: Some(why), .. } if known.now.elapsed.since(due.since) > GIVE_UP_AFTER => {
            let why = format!("{why}; it was tried for {} days", GIVE_UP_AFTER.as_hours() / 24);
            Some(GivenUp { to, notice, rollout, change, why }.into())
        }
        End::Again { .. } => None,
    }
}

/// What to log about notices to receivers that are no longer configured: they would never be sent.
pub fn to_nobody(known: Known<'_>) -> Decision {
    let all = known.world.notices.all().filter(|(to, ..)| !known.rules.outgoing.contains_key(*to));
    let given_up = all.map(|(to, notice, due)| {
        let why = "the receiver is no longer configured".to_owned();
        let (rollout, change) = (due.rollout.clone(), due.change.clone());
        Entry::of_daemon(GivenUp { to: to.clone(), notice, rollout, change, why })
    });
    Decision { entries: given_up.collect(), answer: None }
}
