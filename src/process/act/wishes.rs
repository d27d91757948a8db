//! Steps that trackers asked for earlier and that have become possible.
//!
//! A rollout waits for its own packages, for its own plan, and for trees in which something is wrong. So a fact affects only
//! the rollouts that it is about; [`stirred`] returns them, and only these are judged again. For changes that are not facts
//! (rules, broken trees, failing work) the engine knows which rollouts they may affect.

use std::collections::BTreeSet;

use super::hint::toward;
use crate::domain::names::{BundleId, RolloutId};
use crate::domain::rollout::Rollout;
use crate::process::decision::{Decision, Entry};
use crate::process::fact::release::{ReleaseCancelled, ReleasePlanned, ReleaseScoped, ReleaseTold};
use crate::process::fact::rollout::Done;
use crate::process::fact::team::{TeamLeft, TeamRegistered};
use crate::process::fact::tree::Published;
use crate::process::fact::{Fact, Subject};
use crate::process::known::Known;
use crate::process::who::{Caller, Channel};
use crate::process::world::World;
use crate::process::world::bundles::Bundle;

/// The step that a tracker, or somebody at some time, wants of this rollout, if it has become possible, or can never be.
pub(in crate::process) fn wish(known: Known<'_>, rollout: &Rollout) -> Decision {
    let Some(wanted) = &rollout.wanted else { return Decision::default() };
    if wanted.at.is_some_and(|at| known.now.wall < at) {
        return Decision::default();
    }
    let caller = match &wanted.hook {
        Some(hook) => known.rules.hooks.get(hook).map(|rights| rights.speaking_for(wanted.by.clone(), hook.clone())),
        None => wanted.at.map(|_| Caller::new(wanted.by.clone(), Channel::Api, wanted.roles.iter().cloned())),
    };
    let Some(caller) = caller else { return Decision::default() };
    match toward(known, rollout, &caller, wanted.state.as_str()) {
        // Still waiting, and the times until which are known already.
        Some(Fact::Awaits(awaits)) if (awaits.not_before, awaits.opens) == (wanted.not_before, wanted.opens) => {
            Decision::default()
        }
        None => Decision::default(),
        Some(fact) => {
            let entry = Entry { who: wanted.by.clone(), why: "asked for earlier".to_owned(), fact };
            Decision { entries: vec![entry], answer: None }
        }
    }
}

/// The waiting rollouts about which a fact may change a gate's mind, in the world before it.
pub fn stirred(world: &World, fact: &Fact) -> BTreeSet<RolloutId> {
    let rollouts = &world.rollouts;
    if rollouts.number_waiting() == 0 {
        return BTreeSet::new();
    }
    let naming = |dist, nevra| rollouts.naming(dist, nevra).map(|rollout| rollout.id.clone()).collect();
    let all: BTreeSet<RolloutId> = match fact {
        Fact::Accepted(t) => naming(&t.dist, &t.nevra),
        Fact::Adopted(t) => naming(&t.dist, &t.nevra),
        Fact::Lost(t) => naming(&t.dist, &t.nevra),
        Fact::Allowed(t) => naming(&t.dist, &t.nevra),
        Fact::Disallowed(t) => naming(&t.dist, &t.nevra),
        Fact::Done(Done { plan, .. }) | Fact::Published(Published { plan: Some(plan), .. }) => {
            let Some(plan) = rollouts.plan(*plan) else { return BTreeSet::new() };
            let items = plan.moves.iter().flat_map(|one| one.items.iter().map(|item| (&one.dist, &item.nevra)));
            let naming = items.flat_map(|(dist, nevra)| rollouts.naming(dist, nevra));
            // Whatever is to move in a tree waits until its restore is over.
            let there = plan
                .restored()
                .into_iter()
                .flat_map(|id| rollouts.waiting().filter(move |rollout| rollout.dists().any(|dist| *dist == id.dist)));
            naming.chain(there).map(|rollout| rollout.id.clone()).chain(plan.rollouts().cloned()).collect()
        }
        // A bundle is complete by the states of its rollouts and of those that its release notes list, which may be in no
        // bundle or in another one.
        Fact::Moved(moved) => {
            let bundles = world.bundles.of(&moved.rollout).into_iter().chain(world.bundles.listing(&moved.rollout));
            // One whose place it has taken goes on if it was rejected.
            let earlier = world.successors.before(&moved.rollout).cloned();
            bundles.flat_map(|(_, bundle)| released(bundle)).chain([moved.rollout.clone()]).chain(earlier).collect()
        }
        // It leaves its bundle.
        Fact::Cancelled(cancelled) => {
            let bundle = world.bundles.of(&cancelled.rollout).into_iter().flat_map(|(_, bundle)| released(bundle));
            bundle.chain(world.successors.before(&cancelled.rollout).cloned()).collect()
        }
        // Whatever waited for the end of a halt or of a maintenance, or waits until another time from now on.
        Fact::HaltEnded(_) | Fact::MaintenanceDeclared(_) | Fact::MaintenanceEnded(_) => {
            return rollouts.waiting().map(|rollout| rollout.id.clone()).collect();
        }
        // Those that are in it now, and those that were.
        Fact::ReleaseScoped(ReleaseScoped { release, .. })
        | Fact::ReleaseTold(ReleaseTold { release, .. })
        | Fact::ReleaseCancelled(ReleaseCancelled { release })
        | Fact::ReleasePlanned(ReleasePlanned { release, .. }) => {
            let named = fact.about().into_iter();
            let bundles = named.clone().filter_map(Subject::into_bundle).filter_map(|id| world.bundles.get(&id));
            let there = world.releases.get(release).into_iter().flat_map(|release| world.in_release(release));
            bundles
                .flat_map(|bundle| bundle.members.iter())
                .chain(there)
                .cloned()
                .chain(named.filter_map(Subject::into_rollout))
                .collect()
        }
        // Its rollouts wait while it is stalled, and may be hastened for it.
        Fact::ChangeWent(went) => {
            let request = world.requests.get(&went.change);
            request.into_iter().flat_map(|request| request.rollouts.iter().cloned()).collect()
        }
        Fact::Assigned(_)
        | Fact::Answered(_)
        | Fact::Installed(_)
        | Fact::Unassigned(_)
        | Fact::Reported(_)
        | Fact::IssueNoted(_)
        | Fact::IssueClosed(_)
        | Fact::Edited(_)
        | Fact::Superseded(_)
        | Fact::Stalled(_)
        | Fact::Resumed(_)
        | Fact::Approved(_)
        | Fact::Disapproved(_)
        | Fact::Extended(_)
        | Fact::Overridden(_)
        | Fact::ChangeTied(_)
        | Fact::ChangeUntied(_)
        | Fact::Linked(_)
        | Fact::Ticked(_)
        | Fact::Unticked(_)
        | Fact::Described(_) => fact.about().into_iter().filter_map(Subject::into_rollout).collect(),
        // Whatever its release notes list from now on is released with it.
        Fact::BundleAnnounced(told) => {
            let bundle = world.bundles.get(&told.bundle).into_iter().flat_map(released);
            bundle.chain(told.rollouts.iter().cloned()).collect()
        }
        // What a bundle's other rollouts wait for.
        Fact::BundleJoined(_)
        | Fact::BundleLeft(_)
        | Fact::BundleClosed(_)
        | Fact::TaskCreated(_)
        | Fact::TaskReassigned(_)
        | Fact::TaskDone(_) => fact
            .about()
            .into_iter()
            .filter_map(Subject::into_bundle)
            .filter_map(|bundle| world.bundles.get(&bundle))
            .flat_map(released)
            .chain(fact.about().into_iter().filter_map(Subject::into_rollout))
            .collect(),
        // Who counts may have changed: those who test a rollout, and those who have a task of its bundle.
        Fact::TeamRegistered(TeamRegistered { team, .. }) | Fact::TeamLeft(TeamLeft { team }) => {
            let has_task = |bundle: &BundleId| world.tasks.of(bundle).any(|(_, task)| task.team == *team);
            let with_tasks = waiting_in(world, |id, _| has_task(id));
            world.adopters.rollouts(team).cloned().chain(with_tasks).collect()
        }
        Fact::Halted(_)
        | Fact::Message(_)
        | Fact::Told(_)
        | Fact::Scheduled(_)
        | Fact::Delayed(_)
        | Fact::Unanswered(_)
        | Fact::Unscheduled(_)
        | Fact::BundleOpened(_)
        | Fact::UpdateNumbered(_)
        | Fact::ChangeRecorded(_)
        | Fact::ChangeAssessed(_)
        | Fact::ChangeApproved(_)
        | Fact::ChangeDisapproved(_)
        | Fact::ReviewOpened(_)
        | Fact::ReviewAnswered(_)
        | Fact::ReviewOverdue(_)
        | Fact::EmergencyTold(_)
        | Fact::TaskBegun(_)
        | Fact::TaskReported(_)
        | Fact::TaskReportPublished(_)
        | Fact::TaskIssue(_)
        | Fact::TaskExtended(_)
        | Fact::QuarantineOver(_)
        | Fact::Noted(_)
        | Fact::Failed(_)
        | Fact::IssueRanked(_)
        | Fact::ReportPublished(_)
        | Fact::Started(_)
        | Fact::Refused(_)
        | Fact::RefusedTogether(_)
        | Fact::Published(_)
        | Fact::Retired(_)
        | Fact::Released(_)
        | Fact::Altered(_)
        | Fact::Restored(_)
        | Fact::Submitted(_)
        | Fact::Staged(_)
        | Fact::BundleMoves(_)
        | Fact::Declined(_)
        | Fact::Awaits(_)
        | Fact::Heard(_)
        | Fact::NoticeDue(_)
        | Fact::NoticeSent(_)
        | Fact::NoticeGivenUp(_)
        | Fact::IncidentRecorded(_)
        | Fact::IncidentChanged(_)
        | Fact::IncidentClosed(_)
        | Fact::ProblemOpened(_)
        | Fact::ProblemRecurred(_)
        | Fact::ProblemChanged(_)
        | Fact::ProblemClosed(_)
        | Fact::Erased(_) => BTreeSet::new(),
    };
    all.into_iter().filter(|id| rollouts.is_waiting(id)).collect()
}

/// What may be released with a bundle: its rollouts, and those of others that its release notes list.
fn released(bundle: &Bundle) -> impl Iterator<Item = RolloutId> {
    let listed = bundle.announced.iter().flat_map(|listed| listed.iter());
    bundle.members.iter().chain(listed).cloned()
}

/// The waiting rollouts in open bundles of some kind. Few rollouts wait, so they are looked at, and not all bundles.
fn waiting_in(world: &World, is_such: impl Fn(&BundleId, &Bundle) -> bool) -> impl Iterator<Item = RolloutId> {
    let waiting = world.rollouts.waiting().map(|rollout| &rollout.id);
    waiting.filter(move |id| world.bundles.of(id).is_some_and(|(id, bundle)| is_such(id, bundle))).cloned()
}
