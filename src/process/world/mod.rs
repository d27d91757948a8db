//! The fold of all entries: what is so, as far as the logbook knows.
//!
//! [`World::apply`] cannot fail and is the same function when running and when recovering. The
//! world can be thrown away and folded again at any time; a checkpoint of it only makes starts faster.
//!
//! One file for each subject: its slice, how each of its facts is folded in, and the indexes that keep its questions
//! cheap, so that no input makes anybody look through all rollouts or all packages. All maps that grow are
//! persistent, so a clone costs nothing: readers get one after each fold and never wait.
//!
//! What a fact presupposes is checked before it is folded. A mismatch means that this program and the one that wrote the
//! entry disagree: it is listed in [`World::mismatches`], and the fact is folded in as far as possible.

/// Packages: who they are, which trees list them.
pub mod packages;
/// Rollouts, their plans, and what they wait for.
pub mod rollouts;
/// Trees: what they show, and what waits for its removal.
pub mod trees;
/// What trackers said.
pub mod tickets;
/// What has to be told to whom.
pub mod notices;
/// What people have to be told.
pub mod messages;
/// People, as far as the logbook knows them.
pub mod persons;
/// Where nothing is promoted.
pub mod halts;
/// What is said of each rollout beside its title.
pub mod attributes;
/// The registry of early adopters.
pub mod teams;
/// The early adopters of each rollout.
pub mod adopters;
/// The issues of each rollout.
pub mod issues;
/// When no time passes for a rollout.
mod pauses;
/// Which rollouts have taken the place of others.
pub mod successors;
/// What people have added to each rollout.
pub mod dossiers;
/// Bundles and updates.
pub mod bundles;
/// Tasks of early adopters.
pub mod tasks;
/// When nothing is promoted.
pub mod maintenances;
/// Changes that people ask for.
pub mod requests;
/// Reviews.
pub mod reviews;
/// Releases.
pub mod releases;
/// Incidents and problems.
pub mod incidents;
/// When the service was not there, and how long things took.
pub mod levels;

use std::collections::BTreeSet;
use std::fmt;

use imbl::Vector;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use adopters::Adopters;
pub use attributes::Descriptions;
pub use bundles::Bundles;
pub use dossiers::Dossiers;
pub use halts::Halts;
pub use incidents::Incidents;
pub use issues::Issues;
pub use levels::Levels;
pub use maintenances::Maintenances;
pub use messages::Messages;
pub use notices::Notices;
pub use packages::{Package, Packages};
pub use persons::Persons;
pub use releases::Releases;
pub use requests::Requests;
pub use reviews::Reviews;
pub use rollouts::Rollouts;
pub use successors::Successors;
pub use tasks::Tasks;
pub use teams::Teams;
pub use tickets::{Tickets, Words};
pub use trees::{Tree, Trees};

use super::fact::Fact;
use super::fact::assignment::{Answered, Assigned, Installed, Unanswered, Unassigned};
use super::fact::attributes::Described;
use super::fact::change::{
    Approved, Cancelled, Disapproved, Edited, Extended, Failed, Linked, Noted, Overridden, Resumed, Scheduled, Stalled,
    Superseded, Ticked, Unscheduled, Unticked,
};
use super::fact::incident::{IncidentChanged, IncidentClosed, ProblemChanged, ProblemClosed, ProblemRecurred};
use super::fact::issue::{IssueClosed, IssueNoted, IssueRanked};
use super::fact::package::{Adopted, Allowed, Disallowed};
use super::fact::release::{ReleaseCancelled, ReleaseScoped, ReleaseTold};
use super::fact::report::{File, ReportPublished, Reported};
use super::fact::request::{ChangeApproved, ChangeAssessed, ChangeDisapproved, ChangeTied, ChangeUntied, ChangeWent};
use super::fact::review::{ReviewAnswered, ReviewOverdue};
use super::fact::rollout::Delayed;
use super::fact::task::{QuarantineOver, TaskBegun, TaskDone, TaskExtended, TaskReassigned};
use super::fact::task_report::{TaskIssue, TaskReportPublished, TaskReported};
use crate::domain::moment::Elapsed;
use crate::domain::names::{DistPath, RolloutId};
use crate::domain::naming::team::TeamName;
use crate::domain::review::Cause;
use crate::domain::rollout::Rollout;

/// Mismatches that are remembered.
const MISMATCHES_KEPT: usize = 100;

/// What is so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct World {
    /// The number of the last entry.
    pub last: u64,
    /// When it was written, by elapsed time.
    pub last_elapsed: Elapsed,
    /// The same by the wall clock.
    last_at: Timestamp,
    /// The newest time of any entry.
    latest: Timestamp,
    /// Dates whatever begins to wait for its removal, if it is known. The wall clock may be wrong and corrected a
    /// moment later; the engine knows how much time has really passed.
    pub elapsed: Option<Elapsed>,
    /// Accepted packages, and files that were refused.
    pub packages: Packages,
    /// Rollouts and plans.
    pub rollouts: Rollouts,
    /// Trees that were ever published or that hold something.
    pub trees: Trees,
    /// What trackers said.
    pub tickets: Tickets,
    /// What has to be told to whom.
    pub notices: Notices,
    /// What people have to be told.
    pub messages: Messages,
    /// People, as far as the logbook knows them.
    pub persons: Persons,
    /// Where nothing is promoted.
    pub halts: Halts,
    /// The registry of early adopters.
    pub teams: Teams,
    /// The early adopters of each rollout.
    pub adopters: Adopters,
    /// The issues of each rollout.
    pub issues: Issues,
    /// What people have added to each rollout.
    pub dossiers: Dossiers,
    /// What is said of each rollout beside its title.
    pub attributes: Descriptions,
    /// Which rollouts have taken the place of others.
    pub successors: Successors,
    /// Bundles and updates.
    pub bundles: Bundles,
    /// Tasks of early adopters.
    pub tasks: Tasks,
    /// When nothing is promoted.
    pub maintenances: Maintenances,
    /// Changes that people ask for.
    pub requests: Requests,
    /// Reviews.
    pub reviews: Reviews,
    /// Releases.
    pub releases: Releases,
    /// Incidents and problems.
    pub incidents: Incidents,
    /// When the service was not there, and how long things took.
    pub levels: Levels,
    /// The first entries that do not fit those before them, a sentence for each.
    pub mismatches: Vector<String>,
}

/// What a report is about.
#[derive(Clone, Copy, Debug)]
pub enum ReportOf<'a> {
    /// A rollout.
    Rollout(&'a RolloutId),
    /// A task, by its number.
    Task(u64),
}

impl fmt::Display for ReportOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rollout(rollout) => rollout.fmt(f),
            Self::Task(number) => write!(f, "task {number}"),
        }
    }
}

/// When an entry was written and who caused it.
#[derive(Clone, Copy, Debug)]
struct Stamp<'a> {
    /// Its number.
    seq: u64,
    /// The wall clock's time.
    at: Timestamp,
    /// Elapsed time.
    since: Elapsed,
    /// Who.
    who: &'a str,
}

impl World {
    /// The files of all reports, with what each is about and who has sent it: what else lies beside them belongs to nobody.
    pub fn report_files(&self) -> impl Iterator<Item = (ReportOf<'_>, &TeamName, &File)> {
        let of_rollouts = self.adopters.files().map(|(rollout, team, file)| (ReportOf::Rollout(rollout), team, file));
        let of_tasks = |(number, task)| {
            let task: &tasks::Task = task;
            task.files().map(move |file| (ReportOf::Task(number), &task.team, file))
        };
        of_rollouts.chain(self.tasks.iter().flat_map(of_tasks))
    }

    /// When the last entry was written, by the wall clock of then, if there is one.
    pub fn last_at(&self) -> Option<Timestamp> {
        (self.last > 0).then_some(self.last_at)
    }

    /// Folds one entry in.
    pub fn apply(&mut self, seq: u64, at: Timestamp, who: &str, fact: &Fact) {
        self.last = seq;
        if let Some(elapsed) = self.elapsed.filter(|elapsed| *elapsed < self.last_elapsed) {
            // The clock was corrected: whatever was dated by the wrong time waits from now on.
            self.wait_from(elapsed);
        }
        // Entries of formats 1 and 2 did not record it, and the wall clock's is the only time that they have.
        self.last_elapsed = self.elapsed.unwrap_or(Elapsed::from_wall(at));
        self.last_at = at;
        self.latest = self.latest.max(at);
        // The same, but of an entry that is older than the one before it, the clock had gone back: it waits from the
        // later time, lest it has waited for years when the clock is put right.
        let since = self.elapsed.unwrap_or(Elapsed::from_wall(self.latest));
        if let Some(why) = self.mismatch(fact)
            && self.mismatches.len() < MISMATCHES_KEPT
        {
            self.mismatches.push_back(format!("logbook entry {seq} ({fact}) does not fit: {why}"));
        }
        self.persons.acted(who);
        let stamp = Stamp { seq, at, since, who };
        match fact {
            Fact::Started(started) => self.levels.started(stamp, started),
            Fact::Accepted(accepted) => self.accepted(stamp, accepted),
            Fact::Adopted(adopted) => self.adopted(stamp, adopted),
            Fact::Released(released) => self.released(released),
            Fact::Restored(restored) => self.rollouts.restored(stamp, restored),
            Fact::Refused(refused) => self.packages.refused(at, refused.clone(), 1),
            Fact::RefusedTogether(refused) => {
                if let Some(first) = refused.first() {
                    self.packages.refused(at, first, refused.count());
                }
            }
            Fact::Lost(lost) => self.lost(lost),
            Fact::Allowed(allowed) => self.allowed(allowed),
            Fact::Disallowed(disallowed) => self.disallowed(disallowed),
            Fact::Published(published) => {
                let restored = published.plan.and_then(|number| self.rollouts.restores(number, &published.tree));
                if let Some(plan) = published.plan {
                    self.shown(stamp, plan, &published.tree);
                }
                self.trees.published(stamp, published);
                if let Some((number, to)) = published.plan.zip(restored) {
                    self.trees.is_restored(&published.tree, number, to);
                }
            }
            Fact::Retired(retired) => self.trees.retired(retired),
            // It is told, and kept; what a tree lists has not changed by it.
            Fact::Altered(_) => {}
            Fact::Submitted(submitted) => {
                self.rollouts.submitted(stamp, submitted);
                self.attributes.titled(&submitted.rollout, &submitted.title);
            }
            Fact::Declined(declined) => self.rollouts.declined(stamp, declined),
            Fact::Awaits(awaits) => self.rollouts.awaits(stamp, awaits),
            Fact::Moved(moved) => {
                self.rollouts.moved(stamp, moved);
                self.dossiers.moved(stamp, moved);
            }
            Fact::Staged(staged) => self.rollouts.staged(staged),
            Fact::Delayed(delayed) => self.rollouts.delayed(delayed),
            Fact::Done(done) => self.done(stamp, done),
            Fact::Heard(heard) => self.heard(stamp, heard),
            Fact::NoticeDue(due) => self.notices.is_due(stamp, due),
            Fact::NoticeSent(sent) => {
                if let Some(notice) = self.notices.due(&sent.to, sent.notice) {
                    self.levels.delivered(stamp, notice.at);
                }
                self.notices.sent(sent);
            }
            Fact::NoticeGivenUp(given_up) => self.notices.gave_up(at, given_up),
            Fact::Message(message) => self.messages.is_due(stamp, message),
            Fact::Told(told) => {
                if let Some((due, _)) = self.messages.get(told.message) {
                    self.levels.told(stamp, due);
                }
                self.messages.told(told);
            }
            Fact::Erased(erased) => self.persons.erase(stamp, erased),
            Fact::Halted(halted) => self.halts.begun(stamp, halted),
            Fact::HaltEnded(ended) => self.halts.ended(ended),
            Fact::TeamRegistered(team) => self.teams.registered(team),
            Fact::TeamLeft(team) => self.teams.left(team),
            Fact::Assigned(assigned) => self.adopters.assigned(stamp, &self.teams, assigned),
            Fact::Answered(answered) => self.adopters.answered(stamp, &self.teams, answered),
            Fact::Installed(installed) => self.adopters.installed(stamp, &self.teams, installed),
            Fact::Unanswered(unanswered) => self.adopters.unanswered(&self.teams, unanswered),
            Fact::Unassigned(unassigned) => self.adopters.unassigned(&self.teams, unassigned),
            Fact::Reported(reported) => self.adopters.reported(stamp, &self.teams, reported),
            Fact::ReportPublished(published) => self.adopters.published(&self.teams, published),
            Fact::IssueNoted(noted) => self.issues.noted(stamp, noted),
            Fact::IssueClosed(closed) => self.issues.closed(closed),
            Fact::IssueRanked(ranked) => self.issues.ranked(ranked),
            Fact::Edited(edited) => {
                let dists: BTreeSet<&DistPath> = edited.parts.iter().map(|part| &part.dist).collect();
                let dists = Some(&dists).filter(|dists| !dists.is_empty());
                let leaves = |known: &Rollout| known.would_leave(edited.title.as_deref(), dists);
                self.dossiers.edited(edited, self.rollouts.get(&edited.rollout).is_some_and(leaves));
                self.rollouts.edited(edited);
                if !edited.parts.is_empty() {
                    self.adopters.edited(&edited.rollout, &self.teams);
                }
                if let Some(title) = &edited.title {
                    self.attributes.titled(&edited.rollout, title);
                }
            }
            Fact::Cancelled(cancelled) => {
                self.rollouts.cancelled(stamp, cancelled);
                self.bundles.lose(&cancelled.rollout);
            }
            Fact::Superseded(superseded) => self.successors.superseded(superseded),
            Fact::Stalled(stalled) => self.dossiers.stalled(stamp, stalled),
            Fact::Resumed(resumed) => self.dossiers.resumed(stamp, resumed),
            Fact::Scheduled(scheduled) => self.rollouts.scheduled(stamp, scheduled),
            Fact::Unscheduled(unscheduled) => self.rollouts.unscheduled(unscheduled),
            Fact::Approved(approved) => self.dossiers.approved(stamp, approved),
            Fact::Disapproved(disapproved) => self.dossiers.disapproved(stamp, disapproved),
            Fact::Extended(extended) => self.dossiers.extended(extended),
            Fact::Overridden(overridden) => self.dossiers.overridden(overridden),
            Fact::Noted(noted) => self.dossiers.noted(stamp, noted),
            Fact::Failed(failed) => self.dossiers.failed(stamp, failed),
            Fact::Linked(linked) => self.dossiers.linked(linked),
            Fact::Ticked(ticked) => self.dossiers.ticked(stamp, ticked),
            Fact::Unticked(unticked) => self.dossiers.unticked(unticked),
            Fact::Described(described) => self.attributes.described(described),
            Fact::BundleOpened(opened) => self.bundles.opened(stamp, opened),
            Fact::BundleJoined(joined) => {
                self.bundles.joined(joined);
                self.rollouts.joined(stamp, joined);
            }
            Fact::BundleLeft(left) => self.bundles.left(left),
            Fact::BundleAnnounced(announced) => self.bundles.announced(announced),
            Fact::BundleMoves(moves) => self.rollouts.move_together(stamp, moves),
            Fact::BundleClosed(closed) => self.bundles.closed(closed),
            Fact::UpdateNumbered(numbered) => self.bundles.numbered(stamp, numbered),
            Fact::TaskCreated(created) => self.tasks.created(stamp, created),
            Fact::TaskBegun(begun) => self.tasks.begun(stamp, begun),
            Fact::TaskExtended(extended) => self.tasks.extended(extended),
            Fact::TaskReassigned(reassigned) => self.tasks.reassigned(reassigned),
            Fact::QuarantineOver(over) => self.tasks.quarantine_over(over),
            Fact::TaskDone(done) => self.tasks.done(stamp, done),
            Fact::TaskReported(reported) => self.tasks.reported(stamp, reported),
            Fact::TaskReportPublished(published) => self.tasks.published(published),
            Fact::TaskIssue(issue) => self.tasks.issue(issue),
            Fact::MaintenanceDeclared(declared) => self.maintenances.declared(stamp, declared),
            Fact::MaintenanceEnded(ended) => self.maintenances.ended(stamp, ended),
            Fact::ChangeRecorded(recorded) => self.requests.recorded(stamp, recorded),
            Fact::ChangeAssessed(assessed) => self.requests.assessed(stamp, assessed),
            Fact::ChangeApproved(approved) => self.requests.approved(stamp, approved),
            Fact::ChangeDisapproved(disapproved) => self.requests.disapproved(stamp, disapproved),
            Fact::ChangeWent(went) => self.requests.went(stamp, went),
            Fact::ChangeTied(tied) => self.requests.tied(stamp, tied),
            Fact::ChangeUntied(untied) => {
                self.requests.untied(stamp, untied);
                self.dossiers.untied(untied);
            }
            Fact::ReviewOpened(opened) => {
                self.reviews.opened(stamp, opened);
                if let Some(change) = opened.of.change.as_ref().filter(|_| opened.cause == Cause::Emergency) {
                    self.releases.emergency(change);
                }
            }
            Fact::ReviewAnswered(answered) => self.reviews.answered(stamp, answered),
            Fact::ReviewOverdue(overdue) => self.reviews.is_overdue(stamp, overdue),
            Fact::ReleasePlanned(planned) => self.releases.planned(stamp, planned),
            Fact::ReleaseScoped(scoped) => self.releases.scoped(scoped),
            Fact::ReleaseTold(told) => self.releases.told(stamp, told),
            Fact::ReleaseCancelled(cancelled) => self.releases.cancelled(cancelled),
            Fact::EmergencyTold(told) => self.releases.emergency_told(told),
            Fact::IncidentRecorded(recorded) => self.incidents.recorded(stamp, recorded),
            Fact::IncidentChanged(changed) => self.incidents.changed(changed),
            Fact::IncidentClosed(closed) => self.incidents.closed(stamp, closed),
            Fact::ProblemOpened(opened) => self.incidents.problem_opened(stamp, opened),
            Fact::ProblemRecurred(recurred) => self.incidents.recurred(recurred),
            Fact::ProblemChanged(changed) => self.incidents.problem_changed(changed),
            Fact::ProblemClosed(closed) => self.incidents.problem_closed(stamp, closed),
        }
    }

    /// Why a fact cannot follow on what is known.
    fn mismatch(&self, fact: &Fact) -> Option<String> {
        match fact {
            Fact::Submitted(new) if self.rollouts.get(&new.rollout).is_some() => {
                Some(format!("the rollout {} exists already", new.rollout))
            }
            Fact::Adopted(Adopted { dist, nevra, sha256, .. })
                if self.packages.get(dist, nevra).is_some_and(|known| known.sha256 != *sha256) =>
            {
                Some(format!("other bytes were accepted as {nevra} before"))
            }
            Fact::Restored(restored) if self.trees.get(&restored.id()).is_none() => {
                Some(format!("the tree {} was never published", restored.id()))
            }
            Fact::Awaits(awaits) => self.rollouts.is_unknown(&awaits.rollout),
            Fact::Moved(moved) => self.rollouts.is_unknown(&moved.rollout),
            Fact::Lost(lost) if self.packages.get(&lost.dist, &lost.nevra).is_none() => {
                Some(format!("{} was never accepted", lost.nevra))
            }
            Fact::Allowed(Allowed { dist, nevra, .. }) if !self.is_withdrawn(dist, nevra) => {
                Some(format!("{nevra} was not withdrawn"))
            }
            Fact::Disallowed(Disallowed { dist, nevra }) if !self.packages.is_allowed_again(dist, nevra) => {
                Some(format!("{nevra} was not allowed to come in again"))
            }
            Fact::BundleMoves(moves) => {
                let alone = moves.rollouts.iter().find(|rollout| self.rollouts.plan_of(rollout).is_none());
                alone.map(|rollout| format!("nothing is being moved for {rollout} alone"))
            }
            Fact::Staged(staged) if !self.rollouts.has_plan(staged.plan) => {
                Some(format!("there is no plan {} that is not carried out yet", staged.plan))
            }
            Fact::Assigned(Assigned { rollout, .. })
            | Fact::Answered(Answered { rollout, .. })
            | Fact::Installed(Installed { rollout, .. })
            | Fact::Delayed(Delayed { rollout, .. })
            | Fact::Unassigned(Unassigned { rollout, .. })
            | Fact::Unanswered(Unanswered { rollout })
            | Fact::Reported(Reported { rollout, .. })
            | Fact::ReportPublished(ReportPublished { rollout, .. })
            | Fact::IssueNoted(IssueNoted { rollout, .. })
            | Fact::IssueClosed(IssueClosed { rollout, .. })
            | Fact::IssueRanked(IssueRanked { rollout, .. })
            | Fact::Ticked(Ticked { rollout, .. })
            | Fact::Unticked(Unticked { rollout, .. })
            | Fact::Described(Described { rollout, .. })
            | Fact::Edited(Edited { rollout, .. })
            | Fact::Cancelled(Cancelled { rollout })
            | Fact::Stalled(Stalled { rollout })
            | Fact::Resumed(Resumed { rollout })
            | Fact::Scheduled(Scheduled { rollout, .. })
            | Fact::Unscheduled(Unscheduled { rollout })
            | Fact::Approved(Approved { rollout, .. })
            | Fact::Disapproved(Disapproved { rollout, .. })
            | Fact::Extended(Extended { rollout, .. })
            | Fact::Overridden(Overridden { rollout, .. })
            | Fact::Noted(Noted { rollout, .. })
            | Fact::Failed(Failed { rollout, .. })
            | Fact::Linked(Linked { rollout, .. }) => self.rollouts.is_unknown(rollout),
            Fact::Superseded(Superseded { rollout, by }) if rollout == by => {
                Some(format!("{rollout} cannot supersede itself"))
            }
            Fact::Superseded(Superseded { rollout, by }) => {
                self.rollouts.is_unknown(rollout).or_else(|| self.rollouts.is_unknown(by))
            }
            Fact::BundleOpened(opened) if self.bundles.get(&opened.bundle).is_some() => {
                Some(format!("the bundle {} exists already", opened.bundle))
            }
            Fact::ChangeRecorded(recorded) if self.requests.get(&recorded.change).is_some() => {
                Some(format!("the change {} exists already", recorded.change))
            }
            Fact::ChangeAssessed(ChangeAssessed { change, .. })
            | Fact::ChangeApproved(ChangeApproved { change, .. })
            | Fact::ChangeDisapproved(ChangeDisapproved { change })
            | Fact::ChangeWent(ChangeWent { change, .. })
            | Fact::ChangeTied(ChangeTied { change, .. })
            | Fact::ChangeUntied(ChangeUntied { change, .. })
                if self.requests.get(change).is_none() =>
            {
                Some(format!("there is no change {change}"))
            }
            Fact::ReviewAnswered(ReviewAnswered { review, .. }) | Fact::ReviewOverdue(ReviewOverdue { review, .. })
                if self.reviews.get(*review).is_none() =>
            {
                Some(format!("there is no review {review}"))
            }
            Fact::ReleaseScoped(ReleaseScoped { release, .. })
            | Fact::ReleaseTold(ReleaseTold { release, .. })
            | Fact::ReleaseCancelled(ReleaseCancelled { release })
                if self.releases.get(release).is_none() =>
            {
                Some(format!("there is no release {release}"))
            }
            Fact::TaskBegun(TaskBegun { task, .. })
            | Fact::TaskExtended(TaskExtended { task, .. })
            | Fact::TaskReassigned(TaskReassigned { task, .. })
            | Fact::QuarantineOver(QuarantineOver { task, .. })
            | Fact::TaskDone(TaskDone { task, .. })
            | Fact::TaskReported(TaskReported { task, .. })
            | Fact::TaskReportPublished(TaskReportPublished { task, .. })
            | Fact::TaskIssue(TaskIssue { task, .. })
                if self.tasks.get(*task).is_none() =>
            {
                Some(format!("there is no task {task}"))
            }
            Fact::TaskExtended(TaskExtended { task, .. }) | Fact::TaskReassigned(TaskReassigned { task, .. })
                if self.tasks.get(*task).is_some_and(|it| it.done.is_some()) =>
            {
                Some(format!("task {task} is done"))
            }
            Fact::IncidentChanged(IncidentChanged { incident, .. })
            | Fact::IncidentClosed(IncidentClosed { incident, .. })
            | Fact::ProblemRecurred(ProblemRecurred { incident, .. })
                if self.incidents.get(*incident).is_none() =>
            {
                Some(format!("there is no incident {incident}"))
            }
            Fact::ProblemRecurred(ProblemRecurred { problem, .. })
            | Fact::ProblemChanged(ProblemChanged { problem, .. })
            | Fact::ProblemClosed(ProblemClosed { problem, .. })
                if self.incidents.problem(*problem).is_none() =>
            {
                Some(format!("there is no problem {problem}"))
            }
            Fact::Done(done) if done.plan >= self.last => Some("its plan is not written down before it".to_owned()),
            _ => None,
        }
    }

    /// Makes the parts of a deserialized world share what they have in common, as they do in a folded one.
    pub fn share(&mut self) {
        self.packages.share();
    }

    /// Whatever a clock that was ahead has dated later than `now` waits from now on.
    pub fn wait_from(&mut self, now: Elapsed) {
        self.trees.wait_from(now);
        self.rollouts.wait_from(now);
        self.notices.wait_from(now);
        self.tasks.wait_from(now);
        self.dossiers.wait_from(now);
        self.requests.wait_from(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::names::{DistPath, HookName, TreeId, TreeName};
    use crate::domain::nevra::Nevra;
    use crate::process::fact::daemon::Started;
    use crate::process::fact::samples::{every_fact, of_restores};

    fn folded() -> World {
        let mut world = World::default();
        for (n, fact) in every_fact().iter().enumerate() {
            world.apply(n as u64 + 1, Timestamp::UNIX_EPOCH, "me", fact);
        }
        world
    }

    #[test]
    fn after_every_entry_the_signers_of_each_tree_are_those_of_its_packages() {
        let mut world = World::default();
        // Also of what is taken in and moved again.
        for (n, fact) in every_fact().iter().chain(&every_fact()).enumerate() {
            world.apply(n as u64 + 1, Timestamp::UNIX_EPOCH, "me", fact);
            for (id, tree) in world.trees.iter() {
                let [counted, right] = tree.counts(&world.packages, &id.dist);
                assert_eq!(counted, right, "{id} after {fact:?}");
            }
        }
    }

    #[test]
    fn a_promoted_package_is_in_the_target_and_its_file_leaves_the_source() {
        let world = folded();
        let dist: DistPath = "umd/3/sl6/x86_64".parse().expect("a path");
        let nevra: Nevra = "bdii-1:5.2.22-1.el6.noarch".parse().expect("a nevra");
        assert_eq!(world.listed_in(&dist, &nevra).map(TreeName::as_str).collect::<Vec<_>>(), ["testing"]);
        let untested = TreeId { dist, tree: "untested".parse().expect("a name") };
        assert!(world.trees[&untested].leaving.contains_key(&nevra.location()));
        assert!(world.rollouts.plans().next().is_none());
    }

    #[test]
    fn what_a_wrong_clock_has_dated_waits_neither_from_long_ago_nor_for_ever() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let facts = every_fact();
        let done = facts.iter().position(|fact| matches!(fact, Fact::Done(_))).expect("one is done");
        let since = |last: i64, elapsed: Option<i64>| {
            let mut world = World::default();
            for (n, fact) in facts[..=done].iter().enumerate() {
                if n == done {
                    world.elapsed = elapsed.map(at).map(Elapsed::recorded);
                }
                world.apply(n as u64 + 1, at(if n == done { last } else { 1_000 }), "me", fact);
            }
            world.wait_from(Elapsed::recorded(at(5_000)));
            let leaving = world.trees.values().flat_map(|tree| tree.leaving.values().copied()).next();
            leaving.expect("one leaves").timestamp().as_second()
        };
        assert_eq!(since(1_001, None), 1_001);
        assert_eq!(since(3, None), 1_000, "the clock had gone back");
        assert_eq!(since(9_000, None), 5_000, "the clock was ahead");
        assert_eq!([since(3, Some(1_002)), since(9_000, Some(1_002))], [1_002; 2], "what has really passed is known");
    }

    #[test]
    fn what_was_dated_by_a_clock_that_was_put_right_waits_from_then_on_also_when_it_is_folded_again() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let facts = every_fact();
        let done = facts.iter().position(|fact| matches!(fact, Fact::Done(_))).expect("one is done");
        let mut world = World::default();
        for (n, fact) in facts[..=done].iter().enumerate() {
            world.elapsed = Some(Elapsed::recorded(at(9_000)));
            world.apply(n as u64 + 1, at(9_000), "me", fact);
        }
        for elapsed in [2_000, 2_500, 3_000] {
            world.elapsed = Some(Elapsed::recorded(at(elapsed)));
            world.apply(
                world.last + 1,
                at(elapsed),
                "me",
                &Fact::Started(Started { version: String::new(), alive: None }),
            );
        }
        let since = world.trees.values().flat_map(|tree| tree.leaving.values().copied()).next().expect("one leaves");
        assert_eq!(since.timestamp(), at(2_000));
    }

    #[test]
    fn an_entry_that_does_not_fit_those_before_it_is_named_and_folded_in_as_far_as_it_goes() {
        let facts = every_fact();
        let moved = facts.iter().find(|fact| matches!(fact, Fact::Moved(_))).expect("one moves");
        let mut world = World::default();
        world.apply(1, Timestamp::UNIX_EPOCH, "me", moved);
        let said: Vec<&String> = world.mismatches.iter().collect();
        assert_eq!(
            said,
            ["logbook entry 1 (moved rt-1 from InVerification to StageRollOut; to testing: 1 package) does not fit: \
              there is no rollout rt-1"]
        );
        assert!(world.rollouts.has_plan(1));
        assert!(folded().mismatches.is_empty(), "{:?}", folded().mismatches);
    }

    #[test]
    fn a_restored_tree_lists_what_came_back_where_it_was_and_a_restore_that_is_given_up_undoes_itself() {
        let mut world = World::default();
        let facts = of_restores();
        let id: TreeId = "untested/umd/3/sl6/x86_64".parse().expect("a tree");
        let mut after = Vec::new();
        for (n, fact) in facts.iter().enumerate() {
            world.apply(n as u64 + 1, Timestamp::UNIX_EPOCH, "me", fact);
            let listed: Vec<String> = world.trees.listing(&id).locations().collect();
            let aside =
                world.packages.of(&id.dist).filter(|(nevra, _)| world.packages.set_aside(&id.dist, nevra).is_some());
            after.push((listed, aside.map(|(nevra, _)| nevra.name().to_owned()).collect::<Vec<_>>()));
        }
        assert!(world.mismatches.is_empty(), "{:?}", world.mismatches);
        let (dpm, bdii) = ("old/dpm-1.8.0-1.x86_64.rpm", "Packages/b/bdii-5.2.22-1.el6.noarch.rpm");
        // The published one is that of entry 4, before the restore of entry 3 is done.
        assert_eq!(after[3], (vec![dpm.to_owned()], vec!["bdii".to_owned()]));
        assert_eq!(after[7], (vec![bdii.to_owned()], vec!["dpm".to_owned()]));
        assert!(world.rollouts.plans().next().is_none());
    }

    #[test]
    fn a_retired_file_is_no_longer_waited_for() {
        let world = folded();
        assert!(world.trees.values().all(|tree| tree.superseded.is_empty()));
    }

    #[test]
    fn a_delivery_is_remembered() {
        let world = folded();
        let hook: HookName = "rt".parse().expect("a name");
        assert!(world.tickets.heard(&hook, "rt-55").is_some());
        assert!(world.tickets.heard(&hook, "rt-56").is_none());
    }
}
