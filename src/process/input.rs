//! Everything that can wake the engine. What is not listed here cannot happen.
//!
//! The file is long because it is a list: one entry for each request, with its fields and what they mean. Cut up by subject it
//! would no longer show in one place what can happen.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;

use super::agenda::{Work, Wrong};
use super::earlier::ToRestore;
use super::fact::assignment::{Answered, Installed};
use super::fact::bundle::BundleOpened;
use super::fact::change::{Linked, Noted};
use super::fact::incident::{IncidentChanged, ProblemChanged};
use super::fact::issue::{IssueNoted, IssueRanked};
use super::fact::maintenance::MaintenanceDeclared;
use super::fact::package::{Accepted, Refused};
use super::fact::release::ReleasePlanned;
use super::fact::report::{File, ReportPublished, Reported};
use super::fact::rollout::StagedTree;
use super::fact::team::TeamRegistered;
use super::fact::tree::{Altered, Published};
use super::rules::Rules;
use super::who::Caller;
use crate::domain::attributes::AttributeChanges;
use crate::domain::backlog::Backlog;
use crate::domain::incident;
use crate::domain::names::{
    BundleId, Category, ChangeId, CheckName, DistPath, HookName, MaintenanceId, ReleaseId, Role, RolloutId, Series,
    TreeId,
};
use crate::domain::naming::team::TeamName;
use crate::domain::nevra::Nevra;
use crate::domain::report::Outcome;
use crate::domain::request::{Priority, Status, Wanted};
use crate::domain::rollout::{Changes, Part};
use crate::domain::task::TaskKind;

/// Everything that can wake the engine.
#[derive(Debug)]
pub enum Input {
    /// A person asks for something, and waits for the answer.
    Asked(Caller, Ask),
    /// A tracker says something, and waits until it has been logged.
    Heard(Hint),
    /// Something changed below an upload tree.
    Touched(DistPath),
    /// A piece of work has ended.
    WorkEnded(Work, WorkEnd),
    /// A package in a tree is not what was accepted.
    Altered(Altered),
    /// The configuration was read again.
    Reloaded(Box<Rules>),
    /// Time has passed.
    Tick,
}

/// What is to be taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToClean {
    /// The tree.
    pub tree: TreeId,
    /// Which packages.
    pub what: Taken,
    /// Whether many packages may leave the tree.
    pub may_shrink: bool,
    /// Why.
    pub reason: String,
}

/// Which packages are to be taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// These.
    Packages(BTreeSet<Nevra>),
    /// All but so many of the newest of each name and architecture. Those of rollouts that go on stay, too.
    AllBut(usize),
}

/// What a person may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A new rollout.
    Submit {
        /// Its id.
        rollout: RolloutId,
        /// One line for people.
        title: String,
        /// Its packages, by distribution, in any order.
        parts: Vec<Part>,
    },
    /// To submit a rollout that takes over from another one.
    SubmitAfter {
        /// Its id.
        rollout: RolloutId,
        /// One line for people; that of the rollout that it is like if it is empty.
        title: String,
        /// Its packages, by distribution, in any order.
        parts: Vec<Part>,
        /// The change that it carries out.
        change: Option<ChangeId>,
        /// The rollout whose title, attributes, links and teams it has, too.
        like: Option<RolloutId>,
        /// The rollout whose place it takes.
        supersedes: Option<RolloutId>,
    },
    /// To give an accepted package up whose bytes are nowhere any more.
    Lose {
        /// The package.
        nevra: Nevra,
        /// Its distribution; the only one that has it when it is left out.
        dist: Option<DistPath>,
        /// Why.
        reason: String,
    },
    /// To take packages out of a tree.
    Clean(ToClean),
    /// To let a package that was withdrawn come in again.
    Allow {
        /// The package.
        nevra: Nevra,
        /// Its distribution; the only one that has it when it is left out.
        dist: Option<DistPath>,
        /// Why.
        reason: String,
    },
    /// To take that back.
    Disallow {
        /// The package.
        nevra: Nevra,
        /// Its distribution; the only one that has it when it is left out.
        dist: Option<DistPath>,
        /// Why.
        reason: String,
    },
    /// To give up a move or a withdrawal that was decided and cannot be carried out.
    GiveUp {
        /// The rollout.
        rollout: RolloutId,
        /// Why.
        reason: String,
    },
    /// That a tree lists again what it listed before.
    Restore(ToRestore),
    /// To erase somebody from the register of people.
    Erase {
        /// The id, or the identity.
        person: String,
        /// Why.
        reason: String,
    },
    /// Another state for a rollout.
    Move {
        /// The rollout.
        rollout: RolloutId,
        /// The state, in any spelling.
        state: String,
        /// Why.
        reason: String,
    },
    /// That nothing is promoted any more, everywhere or in one distribution.
    Halt {
        /// Where.
        dist: Option<DistPath>,
        /// Why.
        reason: String,
    },
    /// That promotions go on.
    EndHalt {
        /// As it was halted.
        dist: Option<DistPath>,
        /// Why.
        reason: String,
    },
    /// That nothing is promoted for a time.
    DeclareMaintenance(MaintenanceDeclared),
    /// That a maintenance does not take place, or is over before its time.
    EndMaintenance {
        /// Which.
        maintenance: MaintenanceId,
        /// Why.
        reason: String,
    },
    /// Other packages or another title for a rollout.
    Edit {
        /// The rollout.
        rollout: RolloutId,
        /// What changes.
        changes: Changes,
        /// Why.
        reason: String,
    },
    /// To cancel a rollout for which nothing has moved.
    Cancel {
        /// The rollout.
        rollout: RolloutId,
        /// Why.
        reason: String,
    },
    /// To put a rollout on hold.
    Stall {
        /// The rollout.
        rollout: RolloutId,
        /// Why.
        reason: String,
    },
    /// To let it go on.
    Resume {
        /// The rollout.
        rollout: RolloutId,
        /// Why.
        reason: String,
    },
    /// Another state for a rollout at some time.
    Schedule {
        /// The rollout.
        rollout: RolloutId,
        /// The state, in any spelling.
        state: String,
        /// When, by the wall clock; as soon as nothing is in the way, if no time is named.
        at: Option<Timestamp>,
        /// Why.
        reason: String,
    },
    /// To take that date back.
    Unschedule {
        /// The rollout.
        rollout: RolloutId,
        /// Why.
        reason: String,
    },
    /// To enter a team into the registry, or to replace its entry.
    Register {
        /// The team.
        team: TeamRegistered,
        /// Why.
        reason: String,
    },
    /// To remove a team from the registry.
    RemoveTeam {
        /// The team.
        team: TeamName,
        /// Why.
        reason: String,
    },
    /// To ask teams to test a rollout.
    Assign {
        /// The rollout.
        rollout: RolloutId,
        /// The teams.
        teams: Vec<TeamName>,
        /// Whether on services that carry the tag *beta*.
        beta: bool,
        /// Why.
        reason: String,
    },
    /// To ask a team no longer.
    Unassign {
        /// The rollout.
        rollout: RolloutId,
        /// The team.
        team: TeamName,
        /// Why.
        reason: String,
    },
    /// To answer for a team.
    Answer {
        /// The answer.
        answered: Answered,
        /// Why.
        reason: String,
    },
    /// To say that a team runs what it tests.
    Install {
        /// What and who.
        installed: Installed,
        /// Why.
        reason: String,
    },
    /// To report for a team.
    Report(Reported),
    /// To let everybody read the file of a report, or no longer.
    PublishReport {
        /// Which report, and whether they may.
        published: ReportPublished,
        /// Why.
        reason: String,
    },
    /// To note an issue.
    NoteIssue {
        /// The issue.
        noted: IssueNoted,
        /// Why.
        reason: String,
    },
    /// To close an issue.
    CloseIssue {
        /// The rollout.
        rollout: RolloutId,
        /// The issue.
        issue: String,
        /// Why.
        reason: String,
    },
    /// To decide how urgent an issue is.
    RankIssue {
        /// The issue and its priority.
        ranked: IssueRanked,
        /// Why.
        reason: String,
    },
    /// To say something of a rollout beside its title.
    Describe {
        /// The rollout.
        rollout: RolloutId,
        /// What is to be said of it.
        changes: AttributeChanges,
        /// Why.
        reason: String,
    },
    /// To tick something that somebody has looked at, or to take that back.
    Tick {
        /// The rollout.
        rollout: RolloutId,
        /// What.
        check: CheckName,
        /// Whether it is as it should be.
        is_good: bool,
        /// Why.
        reason: String,
    },
    /// To note that people were told something.
    Told {
        /// The number of the message.
        message: u64,
        /// How they were told.
        reason: String,
    },
    /// To approve that a rollout goes to a state.
    Approve {
        /// The rollout.
        rollout: RolloutId,
        /// The state, in any spelling.
        state: String,
        /// For which role; the first that is asked for and that the caller has, if it is left out.
        role: Option<Role>,
        /// Why.
        reason: String,
    },
    /// To take one's own approval back.
    Disapprove {
        /// The rollout.
        rollout: RolloutId,
        /// The state, in any spelling.
        state: String,
        /// Why.
        reason: String,
    },
    /// A longer exposure in a rollout's present state.
    Extend {
        /// The rollout.
        rollout: RolloutId,
        /// By how much in all.
        by: Duration,
        /// Why.
        reason: String,
    },
    /// That a gate does not hold a rollout up on its next step to a state.
    Override {
        /// The rollout.
        rollout: RolloutId,
        /// The state, in any spelling.
        state: String,
        /// The gate.
        gate: String,
        /// Why.
        reason: String,
    },
    /// To add a note to a rollout.
    Note(Noted),
    /// To set or remove the address of a document.
    Link {
        /// The link.
        linked: Linked,
        /// Why.
        reason: String,
    },
    /// To open a bundle.
    OpenBundle(BundleOpened),
    /// To add rollouts to a bundle.
    JoinBundle {
        /// The bundle.
        bundle: BundleId,
        /// The rollouts.
        rollouts: Vec<RolloutId>,
        /// Why.
        reason: String,
    },
    /// To take a rollout out of a bundle.
    LeaveBundle {
        /// The bundle.
        bundle: BundleId,
        /// The rollout.
        rollout: RolloutId,
        /// Why.
        reason: String,
    },
    /// To say what the release notes of a bundle list.
    Announce {
        /// The bundle.
        bundle: BundleId,
        /// The rollouts; the members of the bundle if none is named.
        rollouts: Vec<RolloutId>,
        /// Why.
        reason: String,
    },
    /// To close a bundle.
    CloseBundle {
        /// The bundle.
        bundle: BundleId,
        /// Why.
        reason: String,
    },
    /// To approve that the rollouts of a bundle go to a state.
    ApproveBundle {
        /// The bundle.
        bundle: BundleId,
        /// The state, in any spelling.
        state: String,
        /// Only these; all if none is named.
        only: Vec<RolloutId>,
        /// For which role; the first that is asked for and that whoever asks has, if it is left out.
        role: Option<Role>,
        /// Why.
        reason: String,
    },
    /// Another state for all rollouts of a bundle, or for some of them.
    MoveBundle {
        /// The bundle.
        bundle: BundleId,
        /// The state, in any spelling.
        state: String,
        /// Only these; all if none is named.
        only: Vec<RolloutId>,
        /// Why.
        reason: String,
    },
    /// To make a bundle and its release notes agree.
    CorrectBundle {
        /// The bundle.
        bundle: BundleId,
        /// Whether what the notes do not list is withdrawn; otherwise they list it.
        withdraw: bool,
        /// Why.
        reason: String,
    },
    /// The next number of a series.
    NumberUpdate {
        /// The series.
        series: Series,
        /// The bundle that is released, if it is one.
        bundle: Option<BundleId>,
        /// What is released; the members of the bundle if none is named.
        rollouts: Vec<RolloutId>,
        /// Why.
        reason: String,
    },
    /// To create a task for each of these teams.
    CreateTasks {
        /// The bundle.
        bundle: BundleId,
        /// What is to be done.
        kind: TaskKind,
        /// The teams.
        teams: Vec<TeamName>,
        /// How long it runs before it can be done; as usual if it is left out.
        quarantine: Option<Duration>,
        /// The services that are changed; those of each team that the bundle is for, if there are none.
        services: BTreeSet<String>,
        /// Why.
        reason: String,
    },
    /// That a task is in progress.
    BeginTask {
        /// Its number.
        task: u64,
        /// How the change of the site went.
        outcome: Outcome,
        /// Why.
        reason: String,
    },
    /// To record a change.
    RecordChange(Wanted),
    /// To say what work a change is.
    AssessChange {
        /// The change.
        change: ChangeId,
        /// What the work is.
        assessment: String,
        /// How urgent it is, if that is another than before.
        priority: Option<Priority>,
        /// What it is about, if that is another than before.
        category: Option<Category>,
    },
    /// To approve a change.
    ApproveChange {
        /// The change.
        change: ChangeId,
        /// For which group; the first that may and that the caller belongs to, if it is left out.
        role: Option<Role>,
        /// Why.
        reason: String,
    },
    /// To take one's own approval of a change back.
    DisapproveChange {
        /// The change.
        change: ChangeId,
        /// Why.
        reason: String,
    },
    /// Another status for a change.
    PutChange {
        /// The change.
        change: ChangeId,
        /// The status.
        status: Status,
        /// Why.
        reason: String,
    },
    /// That rollouts carry a change out.
    Tie {
        /// The change.
        change: ChangeId,
        /// The rollouts.
        rollouts: Vec<RolloutId>,
        /// Why.
        reason: String,
    },
    /// That a rollout does not carry a change out any more.
    Untie {
        /// The change.
        change: ChangeId,
        /// The rollout.
        rollout: RolloutId,
        /// Why.
        reason: String,
    },
    /// A new rollout that carries a change out.
    SubmitFor {
        /// The change.
        change: ChangeId,
        /// The rollout's id.
        rollout: RolloutId,
        /// One line for people.
        title: String,
        /// Its packages, by distribution, in any order.
        parts: Vec<Part>,
    },
    /// That a gate does not hold a rollout up on its next step to a state, for an emergency.
    Hasten {
        /// The rollout.
        rollout: RolloutId,
        /// The state, in any spelling.
        state: String,
        /// The gate.
        gate: String,
        /// The emergency.
        change: ChangeId,
        /// Why, beside the emergency.
        reason: String,
    },
    /// To answer the questions of a review.
    AnswerReview {
        /// Its number.
        review: u64,
        /// Whether release notes and documentation were sufficient.
        documented: bool,
        /// Whether it works as expected.
        works: bool,
        /// What else there is to say.
        note: String,
    },
    /// To plan a release.
    PlanRelease {
        /// What is planned.
        planned: ReleasePlanned,
        /// Why.
        reason: String,
    },
    /// To say what a release is about.
    ScopeRelease {
        /// The release.
        release: ReleaseId,
        /// Its rollouts.
        rollouts: Vec<RolloutId>,
        /// Bundles, each with all of its rollouts.
        bundles: Vec<BundleId>,
        /// Why.
        reason: String,
    },
    /// That the board was told of a release.
    TellOfRelease {
        /// The release.
        release: ReleaseId,
        /// The day; today if it is left out.
        on: Option<Date>,
        /// Why.
        reason: String,
    },
    /// That the board was told of an emergency.
    TellOfEmergency {
        /// The change.
        change: ChangeId,
        /// The day; today if it is left out.
        on: Option<Date>,
        /// Why.
        reason: String,
    },
    /// To cancel a release.
    CancelRelease {
        /// The release.
        release: ReleaseId,
        /// Why.
        reason: String,
    },
    /// To make the quarantine of a task longer.
    ExtendTask {
        /// Its number.
        task: u64,
        /// By how much.
        by: Duration,
        /// Why.
        reason: String,
    },
    /// That another team does a task.
    ReassignTask {
        /// Its number.
        task: u64,
        /// The team.
        team: TeamName,
        /// Why.
        reason: String,
    },
    /// To record an incident.
    RecordIncident {
        /// It.
        wanted: incident::Wanted,
        /// Why.
        reason: String,
    },
    /// That something else is known of an incident.
    ChangeIncident {
        /// What.
        changed: IncidentChanged,
        /// Why.
        reason: String,
    },
    /// That an incident is over.
    CloseIncident {
        /// Its number.
        incident: u64,
        /// What has solved it.
        reason: String,
    },
    /// That something else is known of a problem.
    ChangeProblem {
        /// What.
        changed: ProblemChanged,
        /// Why.
        reason: String,
    },
    /// That a problem is solved.
    CloseProblem {
        /// Its number.
        problem: u64,
        /// How.
        reason: String,
    },
    /// To report on a task.
    ReportTask {
        /// Its number.
        task: u64,
        /// What the team says.
        text: String,
        /// The file with the whole report.
        file: Option<File>,
    },
    /// That everybody may read the report of a task, or no longer.
    PublishTaskReport {
        /// Its number.
        task: u64,
        /// Whether they may.
        published: bool,
        /// Why.
        reason: String,
    },
    /// That a team has found an issue in its task.
    NoteTaskIssue {
        /// Its number.
        task: u64,
        /// Where it is followed.
        issue: String,
        /// Its Bug Detection Area, where the tracker has one.
        area: Option<String>,
        /// Whether it is taken back.
        taken_back: bool,
        /// Why.
        reason: String,
    },
    /// That a task is done.
    EndTask {
        /// Its number.
        task: u64,
        /// What came of it.
        outcome: Outcome,
        /// Whether before its quarantine is over.
        early: bool,
        /// Why.
        reason: String,
    },
}

/// What a webhook said: logged first, and believed only as far as the procedure allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The webhook.
    pub hook: HookName,
    /// The tracker's unique id for this delivery.
    pub delivery: String,
    /// The rollout, as the tracker names it.
    pub rollout: String,
    /// The state, as the tracker spells it.
    pub state: String,
    /// Who acted in the tracker.
    pub actor: String,
    /// When, by the tracker's clock; only compared with what the same tracker said before.
    pub at: Option<jiff::Timestamp>,
}

/// How a piece of work ended, and its outcome.
#[derive(Debug)]
pub struct WorkEnd {
    /// Its outcome, which is logged however it ended.
    pub found: Found,
    /// How it ended.
    pub end: End,
    /// What it found that something else had changed, and put right or is about to.
    pub altered: Vec<Altered>,
}

/// How a piece of work ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It succeeded.
    Done,
    /// It has to be done again.
    Again {
        /// Why it failed; `None` if it did not, and there is just more to do.
        why: Option<String>,
        /// How long to wait at least.
        after: Option<Duration>,
    },
    /// It failed, and would fail again.
    Final(String),
}

impl WorkEnd {
    /// It succeeded.
    pub fn done(found: Found) -> Self {
        Self { found, end: End::Done, altered: vec![] }
    }

    /// It failed, and is tried again later.
    pub fn failed(why: impl Into<String>) -> Self {
        Self::failed_after(Found::Nothing, why)
    }

    /// The same, with a partial outcome.
    pub fn failed_after(found: Found, why: impl Into<String>) -> Self {
        Self { found, end: End::Again { why: Some(why.into()), after: None }, altered: vec![] }
    }
}

/// The outcome of a piece of work.
#[derive(Debug)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// Uploads were looked at.
    Looked {
        /// Accepted, and lying in the upload tree.
        took_in: Vec<Accepted>,
        /// Refused.
        turned_away: Vec<Refused>,
        /// Files in the upload tree itself that cannot be handled now, and why.
        stuck: Vec<(String, String)>,
        /// What waits in the drop directory, for the uploaders to fix.
        waiting: Backlog,
        /// Whether a file was known already: it may have put back what a tree had lost.
        repeated: bool,
    },
    /// Trees were compared with the logbook.
    Inspected {
        /// What was published on the way.
        published: Vec<Published>,
        /// Trees in which something is wrong, and what; nothing is published there until it is fixed.
        wrong: Vec<(TreeId, Wrong)>,
    },
    /// Trees show new metadata, or showed it already.
    Published(Vec<Published>),
    /// All trees of a plan are staged.
    Staged {
        /// Its number.
        plan: u64,
        /// The trees, in the order in which they are shown.
        trees: Vec<StagedTree>,
    },
    /// The trees that show a plan: all of them where it is done.
    Shown {
        /// Its number.
        plan: u64,
        /// The trees.
        published: Vec<Published>,
    },
    /// Files were removed.
    Retired {
        /// From which tree.
        tree: TreeId,
        /// Which, below the tree.
        files: Vec<String>,
        /// Which were due and stay, since something names them again.
        kept: Vec<String>,
    },
}
