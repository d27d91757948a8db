//! What is so, told a second time and in plain maps: which package is in which tree since when, where each rollout stands,
//! which halts hold and which overrides were given. It hears the facts and never looks at the world.
//!
//! Its time is what has really passed, whatever the clocks of the program say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::incident::IncidentKind;
use crate::domain::names::{BundleId, ChangeId, DistPath, MaintenanceId, Role, RolloutId, TreeId, TreeName};
use crate::domain::naming::team::TeamName;
use crate::domain::nevra::Nevra;
use crate::domain::plan::Plan;
use crate::domain::report::Outcome;
use crate::domain::request::Status;
use crate::domain::review;
use crate::domain::task::TaskKind;
use crate::domain::workflow::{Effect, Transition};
use crate::process::fact::Fact;
use crate::process::fact::package::Accepted;
use crate::process::fact::rollout::Moved;
use crate::process::fact::tree::{Restored, Retired};
use crate::process::rules::Rules;

/// What the procedures ask, told a second time.
mod gates;

/// A package of a distribution.
pub(super) type Package = (DistPath, Nevra);
pub(super) type Check = Result<(), String>;

pub(super) fn ensure(holds: bool, why: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(why()) }
}

/// What becomes of a package that is listed nowhere when it is allowed to come in again, until that is taken back.
pub(super) const ALLOWED: [(&str, &str); 2] = [("withdrawn", "allowed"), ("set aside", "allowed, set aside")];

/// Why a fact was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Somebody with these roles asked for it.
    Asked(Vec<Role>),
    /// Somebody with these roles asked to give a move up.
    GaveUp(Vec<Role>),
    /// Somebody who creates tasks ended one early.
    EndedEarly,
    /// A tracker wants it, or wanted it earlier.
    Tracker,
    /// The daemon's work.
    Work,
}

/// What a team has said of a rollout.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    /// By the clock on the wall.
    pub(super) asked: Option<Timestamp>,
    pub(super) accepts: Option<bool>,
    pub(super) report: Option<Outcome>,
    /// Whether the team counted when it reported.
    pub(super) counted: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Rollout {
    pub(super) packages: BTreeSet<Package>,
    pub(super) state: String,
    pub(super) submitted_by: String,
    cancelled: bool,
    /// The move that is carried out.
    pub(super) plan: Option<u64>,
    /// The state before the last step.
    left: String,
    /// The state in which it was when nothing was being moved for it.
    rested: String,
    /// Gates that do not hold up its step to a state.
    pub(super) overridden: BTreeSet<(String, String)>,
    pub(super) extended: Duration,
    /// For a state, by a person, for a role.
    pub(super) approved: BTreeMap<(String, String), Role>,
    /// Open issues, and whether each stops it.
    pub(super) issues: BTreeMap<String, bool>,
    pub(super) teams: BTreeMap<TeamName, Said>,
    /// The trees of which a gate has found that its packages were there for long enough, or was overridden.
    served: BTreeSet<TreeName>,
    /// Whether it was said that nobody has accepted it, since a team was asked last.
    sought: bool,
    /// When it last came into another state or a bundle.
    changed: Duration,
    /// Since when it is on hold.
    held: Option<Duration>,
    /// When it was.
    pauses: Vec<(Duration, Duration)>,
}

/// A move that is carried out.
#[derive(Clone, Debug)]
struct Going {
    plan: Plan,
    shown: BTreeSet<TreeId>,
    /// Whether it undoes what another one has begun.
    goes_back: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) kind: TaskKind,
    pub(super) bundle: BundleId,
    pub(super) team: TeamName,
    quarantine: Duration,
    pub(super) begun: Option<Duration>,
    /// Whether it was said that its quarantine is over.
    told: bool,
    /// How many had ended when it did.
    pub(super) ended: usize,
    pub(super) outcome: Option<Outcome>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Bundle {
    pub(super) members: BTreeSet<RolloutId>,
    pub(super) announced: Option<BTreeSet<RolloutId>>,
    pub(super) closed: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    /// What has really passed.
    pub(super) now: Duration,
    /// What the clock on the wall shows.
    pub(super) wall: Timestamp,
    /// Where each accepted package is listed, and since when.
    pub(super) lies: BTreeMap<Package, BTreeMap<TreeName, Duration>>,
    /// Why a package is listed nowhere.
    pub(super) gone: BTreeMap<Package, &'static str>,
    /// The trees in which each was at any time.
    been: BTreeSet<(Package, TreeName)>,
    /// When files began to wait for their removal.
    leaving: BTreeMap<(TreeId, String), Duration>,
    pub(super) rollouts: BTreeMap<RolloutId, Rollout>,
    going: BTreeMap<u64, Going>,
    /// The moves that are carried out as one, by the number under which they are.
    together: BTreeMap<u64, BTreeSet<u64>>,
    pub(super) halts: BTreeSet<Option<DistPath>>,
    /// The registered teams, and whether each only observes.
    pub(super) teams: BTreeMap<TeamName, bool>,
    pub(super) tasks: BTreeMap<u64, Task>,
    /// How many of them have ended.
    ends: usize,
    pub(super) bundles: BTreeMap<BundleId, Bundle>,
    /// By which rollout each is superseded.
    superseded: BTreeMap<RolloutId, RolloutId>,
    /// How each change stands.
    changes: BTreeMap<ChangeId, Status>,
    /// When each review is due that nobody has answered, and of which nobody was told.
    reviews: BTreeMap<u64, Timestamp>,
    /// The last review of each emergency.
    reviewed: BTreeMap<ChangeId, u64>,
    /// The reviews that somebody has answered.
    answered: BTreeSet<u64>,
    /// The change that each rollout carries out.
    tied: BTreeMap<RolloutId, ChangeId>,
    /// Where and when each maintenance is.
    maintenances: BTreeMap<MaintenanceId, (Option<DistPath>, Timestamp, Timestamp)>,
    /// The kind of each incident, and the problem that it is a part of.
    incidents: BTreeMap<u64, (IncidentKind, Option<u64>)>,
    /// The kind of each problem, and whether it is open.
    problems: BTreeMap<u64, (IncidentKind, bool)>,
    /// How many packages have come into production.
    pub(super) released: usize,
}

impl Model {
    pub(super) fn is_halted(&self, mut dists: impl Iterator<Item = DistPath>) -> bool {
        self.halts.contains(&None) || dists.any(|dist| self.halts.contains(&Some(dist)))
    }

    /// Whether the packages of a rollout are all in a tree for so long.
    pub(super) fn has_been(&self, rollout: &Rollout, tree: &TreeName, span: Duration) -> bool {
        let since = |package| self.lies.get(package).and_then(|trees| trees.get(tree));
        rollout
            .packages
            .iter()
            .all(|package| since(package).is_some_and(|since| self.have_passed(rollout, *since, span)))
    }

    /// Whether so much time has passed for a rollout since then: on hold none passes.
    fn have_passed(&self, rollout: &Rollout, since: Duration, span: Duration) -> bool {
        let now = rollout.held.map(|since| (since, self.now));
        let within = |(from, until): &(Duration, Duration)| until.saturating_sub((*from).max(since));
        let paused = rollout.pauses.iter().chain(&now).map(within).sum::<Duration>();
        since + span + paused <= self.now
    }

    /// Whether the rollouts of a bundle have been as they are for as long as their procedure wants.
    fn has_settled(&self, bundle: &BundleId, rules: &Rules) -> bool {
        let settled = |known: &Rollout| {
            let dist = known.packages.first().and_then(|(dist, _)| rules.distributions.get(dist));
            let span = dist.and_then(|dist| dist.workflow.settling());
            span.is_none_or(|span| self.have_passed(known, known.changed, span))
        };
        self.bundles.get(bundle).is_some_and(|bundle| bundle.members.iter().all(|id| settled(&self.rollouts[id])))
    }

    /// Whether early adopters can have had a rollout.
    fn is_in_test(&self, id: &RolloutId, rules: &Rules) -> bool {
        let Some(rollout) = self.rollouts.get(id) else { return false };
        let has_been =
            |(package, tree): &(Package, TreeName)| rollout.packages.contains(package) && tree.as_str() != "untested";
        let asks = |step: &Transition| {
            step.from.as_str() == rollout.state
                && step.gates.iter().any(|it| ["acknowledged", "reported"].contains(&it.name))
        };
        let dist = &rollout.packages.first().expect("one").0;
        rollout.plan.is_some()
            || self.been.iter().any(has_been)
            || rules.distributions[dist].workflow.transitions().iter().any(asks)
    }

    /// Whether some of its packages lie between untested and production.
    fn is_with_early_adopters(&self, id: &RolloutId) -> bool {
        let lies = |package: &Package| {
            let trees = self.lies.get(package);
            trees.is_some_and(|trees| trees.keys().any(|tree| ["testing", "delta"].contains(&tree.as_str())))
        };
        let rollout = &self.rollouts[id];
        rollout.plan.is_some() || rollout.packages.iter().any(lies)
    }

    /// Whether it was rejected or released, and early adopters have nothing of it.
    pub(super) fn is_over(&self, id: &RolloutId) -> bool {
        let rollout = &self.rollouts[id];
        let in_production = |package: &Package| {
            self.lies.get(package).is_some_and(|trees| trees.keys().any(|it| it.as_str() == "production"))
        };
        let is_rejected = ["Rejected", "Withdrawn"].contains(&&*rollout.state);
        !self.is_with_early_adopters(id) && (is_rejected || rollout.packages.iter().all(in_production))
    }

    /// Whether what the release notes of a bundle list has been deployed, where that is asked for.
    fn is_deployed(&self, bundle: &BundleId, rules: &Rules) -> bool {
        let Some(bundle) = self.bundles.get(bundle) else { return false };
        let Some(first) = bundle.members.iter().next().map(|id| &self.rollouts[id]) else { return true };
        let workflow = &rules.distributions[&first.packages.first().expect("one").0].workflow;
        let asks = |gate: &str| workflow.transitions().iter().any(|step| step.gates.iter().any(|it| it.name == gate));
        if !asks("tasks_done") || !asks("bundle_complete") {
            return true;
        }
        let behind = ["Verified", "Ready for Rollout", "Rejected"];
        bundle
            .announced
            .as_ref()
            .is_some_and(|all| all.iter().all(|id| !behind.contains(&self.rollouts[id].state.as_str())))
    }

    /// Somebody was told of whatever nobody has done in time.
    pub(super) fn no_deadline_is_unnoticed(&self) -> Check {
        let late = self.reviews.iter().find(|(_, due)| **due <= self.wall);
        ensure(late.is_none(), || format!("nobody was told of {late:?}"))
    }

    fn rollout(&mut self, id: &RolloutId) -> Result<&mut Rollout, String> {
        self.rollouts.get_mut(id).ok_or_else(|| format!("there is no {id}"))
    }

    /// Hears a fact, and says what must not be.
    pub(super) fn hears(&mut self, number: u64, who: &str, cause: &Cause, fact: &Fact, rules: &Rules) -> Check {
        match fact {
            Fact::Accepted(accepted) => self.accepted(accepted)?,
            Fact::Lost(lost) => self.lost(&(lost.dist.clone(), lost.nevra.clone()))?,
            Fact::Disallowed(disallowed) => {
                let gone = self.gone.get_mut(&(disallowed.dist.clone(), disallowed.nevra.clone()));
                let was = gone.as_deref().copied();
                let before = was.and_then(|was| ALLOWED.iter().find(|(_, allowed)| *allowed == was));
                let Some(((before, _), gone)) = before.zip(gone) else {
                    return Err(format!("{} may not come again and was {was:?}", disallowed.nevra));
                };
                *gone = before;
            }
            Fact::Allowed(allowed) => {
                let gone = self.gone.get_mut(&(allowed.dist.clone(), allowed.nevra.clone()));
                let was = gone.as_deref().copied();
                let then = was.and_then(|was| ALLOWED.iter().find(|(before, _)| *before == was));
                let Some(((_, then), gone)) = then.zip(gone) else {
                    return Err(format!("{} may come again and is {was:?}", allowed.nevra));
                };
                *gone = then;
                let has_role = matches!(cause, Cause::Asked(roles) if roles.contains(&Role::ADMIN));
                ensure(has_role, || "somebody who is no admin allows a package".to_owned())?;
            }
            Fact::Submitted(new) => {
                ensure(!self.rollouts.contains_key(&new.rollout), || format!("{} is there already", new.rollout))?;
                let all =
                    new.parts.iter().flat_map(|part| part.packages.iter().map(|n| (part.dist.clone(), n.clone())));
                let (state, submitted_by, changed) = (new.state.clone(), who.to_owned(), self.now);
                let rollout = Rollout { packages: all.collect(), state, submitted_by, changed, ..Rollout::default() };
                self.is_alone(&new.rollout, &rollout, rules)?;
                self.rollouts.insert(new.rollout.clone(), rollout);
            }
            Fact::Edited(edited) => {
                let rollout = self.rollout(&edited.rollout)?;
                ensure(!rollout.cancelled, || "an edit comes too late".to_owned())?;
                // A title may change at any time.
                if !edited.parts.is_empty() {
                    ensure(rollout.plan.is_none(), || "an edit comes too late".to_owned())?;
                    let all = edited.parts.iter();
                    let all = all.flat_map(|part| part.packages.iter().map(|n| (part.dist.clone(), n.clone())));
                    rollout.packages = all.collect();
                    rollout.approved.clear();
                    rollout.overridden.clear();
                    rollout.served.clear();
                    rollout.teams.values_mut().for_each(|said| (said.accepts, said.report) = (None, None));
                    let rollout = rollout.clone();
                    self.is_alone(&edited.rollout, &rollout, rules)?;
                }
            }
            Fact::Cancelled(cancelled) => {
                for bundle in self.bundles.values_mut().filter(|bundle| !bundle.closed) {
                    bundle.members.remove(&cancelled.rollout);
                }
                let rollout = self.rollout(&cancelled.rollout)?;
                ensure(rollout.plan.is_none() && !rollout.cancelled, || "a cancel comes too late".to_owned())?;
                rollout.cancelled = true;
            }
            Fact::Superseded(superseded) => {
                self.rollout(&superseded.by)?;
                let known = self.rollout(&superseded.rollout)?;
                ensure(!known.cancelled, || format!("{} was cancelled", superseded.rollout))?;
                self.superseded.insert(superseded.rollout.clone(), superseded.by.clone());
            }
            Fact::Moved(moved) => self.moved(number, cause, moved, rules)?,
            Fact::Restored(restored) => self.restored(number, cause, restored)?,
            Fact::Published(published) => {
                if let Some(plan) = published.plan {
                    self.shows(plan, &published.tree)?;
                }
            }
            Fact::Done(done) => {
                for number in self.parts(done.plan) {
                    let Some(plan) = self.going.get(&number).map(|going| going.plan.clone()) else { continue };
                    for tree in plan.trees() {
                        self.shows(number, &tree)?;
                    }
                    if done.rollout.as_ref().is_none_or(|rollout| plan.rollouts().eq([rollout])) {
                        self.over(number);
                    }
                }
            }
            Fact::Retired(retired) => self.retired(retired, rules)?,
            Fact::Halted(halted) => drop(self.halts.insert(halted.dist.clone())),
            Fact::HaltEnded(ended) => ensure(self.halts.remove(&ended.dist), || "no halt ends".to_owned())?,
            Fact::Overridden(given) => {
                let key = (given.state.clone(), given.gate.clone());
                self.rollout(&given.rollout)?.overridden.insert(key);
            }
            Fact::Extended(extended) => {
                self.rollout(&extended.rollout)?.extended = Duration::from_secs(extended.seconds);
            }
            Fact::Approved(approved) => {
                let key = (approved.state.clone(), who.to_owned());
                self.rollout(&approved.rollout)?.approved.insert(key, approved.role.clone());
            }
            Fact::Disapproved(taken) => {
                let was = self.rollout(&taken.rollout)?.approved.remove(&(taken.state.clone(), who.to_owned()));
                ensure(was.is_some(), || "an approval is taken back that was not given".to_owned())?;
            }
            Fact::IssueNoted(noted) => {
                self.rollout(&noted.rollout)?.issues.insert(noted.issue.clone(), noted.show_stopper);
            }
            Fact::IssueClosed(closed) => drop(self.rollout(&closed.rollout)?.issues.remove(&closed.issue)),
            Fact::TeamRegistered(team) => drop(self.teams.insert(team.team.clone(), team.observer)),
            Fact::TeamLeft(team) => drop(self.teams.remove(&team.team)),
            Fact::Assigned(to) => {
                let now = self.wall;
                let rollout = self.rollout(&to.rollout)?;
                rollout.teams.entry(to.team.clone()).or_default().asked = Some(now);
                rollout.sought = false;
            }
            Fact::Unassigned(from) => {
                let teams = &mut self.rollout(&from.rollout)?.teams;
                if let Some(said) = teams.get_mut(&from.team) {
                    *said = Said { report: said.report, ..Said::default() };
                }
            }
            Fact::Answered(said) => {
                ensure(self.is_in_test(&said.rollout, rules), || format!("{} is answered too early", said.rollout))?;
                let team = self.rollout(&said.rollout)?.teams.entry(said.team.clone()).or_default();
                team.accepts = Some(said.accepts);
            }
            Fact::Reported(said) => {
                ensure(self.is_in_test(&said.rollout, rules), || format!("{} is reported too early", said.rollout))?;
                let counted = self.teams.get(&said.team) == Some(&false);
                let team = self.rollout(&said.rollout)?.teams.entry(said.team.clone()).or_default();
                (team.report, team.counted) = (Some(said.outcome), counted);
            }
            Fact::BundleOpened(opened) => {
                let before = self.bundles.insert(opened.bundle.clone(), Bundle::default());
                ensure(before.is_none(), || format!("{} is opened twice", opened.bundle))?;
            }
            Fact::BundleJoined(joined) => {
                let is_in = |b: &Bundle| !b.closed && b.members.contains(&joined.rollout);
                ensure(!self.bundles.values().any(is_in), || format!("{} is in two bundles", joined.rollout))?;
                self.bundles.entry(joined.bundle.clone()).or_default().members.insert(joined.rollout.clone());
                let now = self.now;
                self.rollout(&joined.rollout)?.changed = now;
            }
            Fact::BundleLeft(left) => {
                ensure(!self.is_with_early_adopters(&left.rollout), || format!("{} is left alone", left.rollout))?;
                self.bundles.entry(left.bundle.clone()).or_default().members.remove(&left.rollout);
            }
            Fact::BundleAnnounced(told) => {
                self.bundles.entry(told.bundle.clone()).or_default().announced = Some(told.rollouts.clone());
            }
            Fact::BundleMoves(moves) => self.move_together(number, &moves.rollouts)?,
            Fact::BundleClosed(closed) => {
                let members = self.bundles[&closed.bundle].members.clone();
                let alone = members.iter().find(|id| self.is_with_early_adopters(id));
                ensure(alone.is_none(), || format!("{alone:?} is left alone"))?;
                self.bundles.entry(closed.bundle.clone()).or_default().closed = true;
            }
            Fact::TaskCreated(new) => {
                let (kind, bundle, team) = (new.kind, new.bundle.clone(), new.team.clone());
                let quarantine = Duration::from_secs(new.quarantine);
                let task = Task { kind, bundle, team, quarantine, begun: None, told: false, ended: 0, outcome: None };
                let before = self.tasks.insert(new.task, task);
                ensure(before.is_none(), || format!("task {} is created twice", new.task))?;
                ensure(new.kind == TaskKind::RollBack || self.has_settled(&new.bundle, rules), || {
                    format!("task {} is created before {} has settled", new.task, new.bundle)
                })?;
                ensure(new.kind == TaskKind::RollBack || self.is_deployed(&new.bundle, rules), || {
                    format!("task {} is created before {} is deployed", new.task, new.bundle)
                })?;
            }
            Fact::Stalled(stalled) => {
                let now = self.now;
                let before = self.rollout(&stalled.rollout)?.held.replace(now);
                ensure(before.is_none(), || format!("{} is put on hold twice", stalled.rollout))?;
            }
            Fact::Resumed(resumed) => {
                let now = self.now;
                let rollout = self.rollout(&resumed.rollout)?;
                let from = rollout.held.take().ok_or_else(|| format!("{} was not on hold", resumed.rollout))?;
                rollout.pauses.push((from, now));
            }
            Fact::MaintenanceDeclared(new) => {
                let (start, end) = (new.start, new.end);
                ensure(start < end && self.wall < end, || format!("{} is over", new.maintenance))?;
                let before = self.maintenances.insert(new.maintenance.clone(), (new.dist.clone(), start, end));
                ensure(before.is_none(), || format!("{} is declared twice", new.maintenance))?;
            }
            Fact::MaintenanceEnded(ended) => {
                // Its id is never used again.
                let known = self.maintenances.get_mut(&ended.maintenance).ok_or("no such maintenance")?;
                known.2 = known.1;
            }
            Fact::ChangeRecorded(new) => {
                let before = self.changes.insert(new.change.clone(), Status::New);
                ensure(before.is_none(), || format!("{} is recorded twice", new.change))?;
            }
            Fact::ChangeWent(went) => {
                let before = self.changes.insert(went.change.clone(), went.to);
                ensure(before == Some(went.from), || format!("{} leaves {}", went.change, went.from))?;
            }
            Fact::ReviewOpened(new) => {
                let before = self.reviews.insert(new.review, new.due);
                ensure(before.is_none() && new.due > self.wall, || format!("review {} is no new one", new.review))?;
                if let (review::Cause::Emergency, Some(change)) = (new.cause, &new.of.change) {
                    let before = self.reviewed.insert(change.clone(), new.review);
                    let is_open = before.is_some_and(|before| !self.answered.contains(&before));
                    ensure(!is_open, || format!("{change} is reviewed twice at a time"))?;
                }
            }
            Fact::ReviewAnswered(answered) => {
                self.reviews.remove(&answered.review);
                self.answered.insert(answered.review);
            }
            Fact::ReviewOverdue(late) => {
                let due = self.reviews.remove(&late.review);
                ensure(due.is_some_and(|due| due <= self.wall), || format!("review {} is not late", late.review))?;
            }
            Fact::ChangeTied(tied) => {
                let before = self.tied.insert(tied.rollout.clone(), tied.change.clone());
                ensure(before.is_none(), || format!("{} carries out two changes", tied.rollout))?;
            }
            Fact::ChangeUntied(untied) => {
                let before = self.tied.remove(&untied.rollout);
                ensure(before.as_ref() == Some(&untied.change), || format!("{} was not tied", untied.rollout))?;
                self.rollout(&untied.rollout)?.overridden.clear();
            }
            Fact::TaskBegun(begun) => {
                let now = self.now;
                let task = self.tasks.get_mut(&begun.task).ok_or("no such task")?;
                ensure(task.begun.replace(now).is_none(), || format!("task {} begins twice", begun.task))?;
            }
            Fact::TaskExtended(extended) => {
                let task = self.tasks.get_mut(&extended.task).ok_or("no such task")?;
                ensure(task.outcome.is_none(), || format!("task {} is extended too late", extended.task))?;
                task.quarantine += Duration::from_secs(extended.by);
                task.told = false;
            }
            Fact::IncidentRecorded(new) => {
                let before = self.incidents.insert(new.incident, (new.kind.clone(), None));
                ensure(before.is_none(), || format!("incident {} is recorded twice", new.incident))?;
            }
            Fact::ProblemOpened(opened) => {
                ensure(opened.incidents.len() >= 3, || format!("problem {} has too few incidents", opened.problem))?;
                let is_open = |(kind, open): &(IncidentKind, bool)| *open && *kind == opened.kind;
                ensure(!self.problems.values().any(is_open), || format!("{} is a problem already", opened.kind))?;
                let before = self.problems.insert(opened.problem, (opened.kind.clone(), true));
                ensure(before.is_none(), || format!("problem {} is opened twice", opened.problem))?;
                opened.incidents.iter().try_for_each(|incident| self.recurs(*incident, opened.problem))?;
            }
            Fact::ProblemRecurred(more) => self.recurs(more.incident, more.problem)?,
            Fact::ProblemClosed(closed) => {
                let known = self.problems.get_mut(&closed.problem).ok_or("no such problem")?;
                ensure(std::mem::replace(&mut known.1, false), || format!("{} is solved twice", closed.problem))?;
            }
            Fact::QuarantineOver(over) => {
                let now = self.now;
                let task = self.tasks.get_mut(&over.task).ok_or("no such task")?;
                let ends = task.begun.ok_or_else(|| format!("task {} was never begun", over.task))? + task.quarantine;
                ensure(ends <= now && task.outcome.is_none(), || format!("task {} is in quarantine", over.task))?;
                ensure(!std::mem::replace(&mut task.told, true), || format!("task {} is over twice", over.task))?;
            }
            Fact::TaskReassigned(given) => {
                let task = self.tasks.get_mut(&given.task).ok_or("no such task")?;
                ensure(task.team == given.from, || format!("task {} was not one of {}", given.task, given.from))?;
                task.team = given.team.clone();
                let is_new = task.outcome.is_none() && task.begun.is_none() && task.kind == TaskKind::RollOut;
                ensure(is_new, || format!("task {} goes to another team too late", given.task))?;
                (task.begun, task.told) = (None, false);
            }
            Fact::Unanswered(said) => {
                let (now, counts) = (self.wall, self.teams.clone());
                let rollout = self.rollout(&said.rollout)?;
                let is_asked =
                    |(name, team): &(&TeamName, &Said)| team.asked.is_some() && counts.get(*name) == Some(&false);
                let mut asked = rollout.teams.iter().filter(is_asked).map(|(_, team)| team).peekable();
                let is_asked = asked.peek().is_some();
                let accepts = |(name, team): (&TeamName, &Said)| {
                    counts.get(name) == Some(&false) && (team.accepts == Some(true) || team.report.is_some())
                };
                ensure(is_asked && !rollout.teams.iter().any(accepts), || format!("{} was accepted", said.rollout))?;
                // A working day is a day, or an hour less.
                let has_time = |at: Timestamp| now.duration_since(at) < SignedDuration::from_hours(23);
                let early = asked.any(|team| team.accepts.is_none() && team.asked.is_some_and(has_time));
                ensure(!early, || format!("somebody has time left to accept {}", said.rollout))?;
                let twice = std::mem::replace(&mut rollout.sought, true);
                ensure(!twice, || format!("it is said twice that nobody has accepted {}", said.rollout))?;
            }
            Fact::TaskDone(done) => {
                let now = self.now;
                let task = self.tasks.get_mut(&done.task).ok_or("no such task")?;
                let begun = task.begun.ok_or_else(|| format!("task {} was never begun", done.task))?;
                let is_over = begun + task.quarantine <= now || *cause == Cause::EndedEarly;
                ensure(is_over, || format!("the quarantine of task {} is too short", done.task))?;
                self.ends += 1;
                task.ended = self.ends;
                ensure(task.outcome.replace(done.outcome).is_none(), || format!("task {} ends twice", done.task))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// An incident is a part of a problem of its kind that is open, and of no other.
    fn recurs(&mut self, incident: u64, problem: u64) -> Check {
        let (kind, part) = self.incidents.get_mut(&incident).ok_or("no such incident")?;
        let is_open = self.problems.get(&problem).is_some_and(|(of, open)| of == kind && *open);
        let before = part.replace(problem);
        ensure(is_open && before.is_none(), || format!("incident {incident} is no part of problem {problem}"))
    }

    fn accepted(&mut self, Accepted { dist, tree, nevra, .. }: &Accepted) -> Check {
        let package = (dist.clone(), nevra.clone());
        ensure(self.lies.get(&package).is_none_or(BTreeMap::is_empty), || format!("{nevra} is accepted twice"))?;
        self.gone.remove(&package);
        self.been.insert((package.clone(), tree.clone()));
        let id = TreeId { dist: dist.clone(), tree: tree.clone() };
        self.leaving.remove(&(id, nevra.location()));
        self.lies.entry(package).or_default().insert(tree.clone(), self.now);
        Ok(())
    }

    fn lost(&mut self, package: &Package) -> Check {
        let (dist, nevra) = package;
        let trees = self.lies.get_mut(package).map(std::mem::take).unwrap_or_default();
        ensure(!trees.is_empty(), || format!("{nevra} is given up and was nowhere"))?;
        self.gone.insert(package.clone(), "lost");
        for going in self.going.values_mut() {
            for one in going.plan.moves.iter_mut().filter(|one| one.dist == *dist) {
                one.items.retain(|item| item.nevra != *nevra);
            }
            going.plan.moves.retain(|one| !one.items.is_empty());
        }
        let empty: Vec<u64> = self.going.iter().filter(|(_, g)| g.plan.moves.is_empty()).map(|(n, _)| *n).collect();
        for number in empty {
            self.over(number);
        }
        Ok(())
    }

    /// Nothing else that still has a way to go has its packages.
    fn is_alone(&self, id: &RolloutId, rollout: &Rollout, rules: &Rules) -> Check {
        let goes_on = |other: &Rollout| {
            let of = other.packages.first().and_then(|(dist, _)| rules.distributions.get(dist));
            let can = of.is_some_and(|of| of.workflow.transitions().iter().any(|t| t.from.as_str() == other.state));
            other.plan.is_some() || can && !other.cancelled
        };
        let mut others = self.rollouts.iter().filter(|(other, known)| *other != id && goes_on(known));
        match others.find(|(_, other)| !other.packages.is_disjoint(&rollout.packages)) {
            Some((other, _)) => Err(format!("{id} and {other} have the same package")),
            None => Ok(()),
        }
    }

    fn moved(&mut self, number: u64, cause: &Cause, moved: &Moved, rules: &Rules) -> Check {
        let Moved { rollout: id, from, to, plan } = moved;
        let known = self.rollout(id)?.clone();
        // A withdrawal that overtakes a move leaves the state that the move has left.
        let is_from = known.state == *from || known.plan.is_some() && known.left == *from;
        ensure(is_from && !known.cancelled, || format!("{id} leaves {from} and is in {}", known.state))?;
        let goes_back = matches!(cause, Cause::GaveUp(_));
        if goes_back {
            ensure(known.plan.is_some() && *to == known.rested, || format!("{id} goes back to {to}"))?;
        } else {
            let dist = &known.packages.first().ok_or("it has no package")?.0;
            let workflow = &rules.distributions.get(dist).ok_or("no rules")?.workflow;
            let arrow =
                |from: &str| workflow.transitions().iter().find(|t| t.from.as_str() == from && t.to.as_str() == to);
            let is_withdrawal = |step: &&Transition| step.effect == Effect::Withdraw;
            let late = || arrow(&known.left).filter(|_| known.plan.is_some()).filter(is_withdrawal);
            let step = arrow(from).or_else(late).ok_or_else(|| format!("no arrow from {from} to {to}"))?;
            self.steps(id, &known, step, plan.as_ref(), (cause, rules))?;
        }
        let overtaken = known.plan;
        let rested = if overtaken.is_some() { known.rested } else { from.clone() };
        let now = self.now;
        let rollout = self.rollout(id)?;
        // What goes back is on hold no longer.
        if let Some(from) = rollout.held.take() {
            rollout.pauses.push((from, now));
        }
        rollout.changed = now;
        rollout.rested = rested;
        rollout.left.clone_from(from);
        rollout.state.clone_from(to);
        rollout.extended = Duration::ZERO;
        rollout.overridden.clear();
        rollout.approved.retain(|(state, _), _| state != to);
        rollout.plan = plan.as_ref().map(|_| number);
        if let Some(overtaken) = overtaken {
            self.going.remove(&overtaken);
            // Whatever was to move with it moves alone, if nothing is said.
            self.together.retain(|_, parts| !parts.contains(&overtaken));
        }
        if let Some(plan) = plan {
            let going = Going { plan: plan.clone(), shown: BTreeSet::new(), goes_back };
            self.going.insert(number, going);
        }
        Ok(())
    }

    /// The moves of these rollouts are carried out as one.
    fn move_together(&mut self, number: u64, rollouts: &BTreeSet<RolloutId>) -> Check {
        let plan = |id: &RolloutId| self.rollouts.get(id).and_then(|rollout| rollout.plan);
        let parts: BTreeSet<u64> = rollouts.iter().filter_map(plan).collect();
        let are_going = parts.len() > 1 && parts.len() == rollouts.len();
        ensure(are_going, || format!("{rollouts:?} move together, and these go on: {parts:?}"))?;
        let are_apart = self.together.values().all(|others| others.is_disjoint(&parts));
        ensure(are_apart, || format!("{rollouts:?} move together, and move with others already"))?;
        self.together.insert(number, parts);
        Ok(())
    }

    /// The numbers of the moves that are carried out under one.
    fn parts(&self, number: u64) -> BTreeSet<u64> {
        self.together.get(&number).cloned().unwrap_or_else(|| [number].into())
    }

    /// A tree is to list again what it listed before.
    fn restored(&mut self, number: u64, cause: &Cause, restored: &Restored) -> Check {
        let may = matches!(cause, Cause::Asked(roles) if roles.contains(&Role::ADMIN));
        ensure(may, || format!("restored for {cause:?}"))?;
        let id = restored.id();
        let open: Vec<u64> =
            self.going.iter().filter(|(_, g)| g.plan.trees().contains(&id)).map(|(number, _)| *number).collect();
        match restored.gives_up {
            Some(overtaken) => {
                ensure(open == [overtaken], || format!("{open:?} go on, and {overtaken} is given up"))?;
                self.going.remove(&overtaken);
            }
            None => ensure(open.is_empty(), || format!("{open:?} go on in {id}"))?,
        }
        let Some(plan) = restored.plan(self.wall) else { return Ok(()) };
        if restored.to == restored.from && restored.gives_up.is_none() {
            ensure(restored.comes.is_empty(), || "something comes although packages are only taken out".to_owned())?;
            for one in &restored.goes {
                let package = (id.dist.clone(), one.nevra.clone());
                let lies = self.lies.get(&package).is_some_and(|trees| trees.contains_key(&id.tree));
                ensure(lies, || format!("{} is taken out of {id} and is not there", one.nevra))?;
            }
        }
        for one in restored.comes.iter().filter(|_| restored.gives_up.is_none()) {
            let package = (id.dist.clone(), one.nevra.clone());
            let was = self.been.contains(&(package.clone(), id.tree.clone()));
            ensure(was, || format!("{} comes back to {} and was never there", one.nevra, id.tree))?;
            let why = self.gone.get(&package).copied();
            ensure(why != Some("lost"), || format!("{} comes back and is lost", one.nevra))?;
            let is_allowed = why != Some("withdrawn") || restored.rejected.contains(&one.nevra);
            ensure(is_allowed, || format!("{} was withdrawn and comes back", one.nevra))?;
            let lies = self.lies.get(&package).is_some_and(|trees| !trees.is_empty());
            ensure(!lies, || format!("{} comes back and is somewhere else", one.nevra))?;
        }
        ensure(
            restored.comes.is_empty() || restored.gives_up.is_some() || !self.is_halted([id.dist].into_iter()),
            || "packages come back under a halt".to_owned(),
        )?;
        self.going.insert(number, Going { plan, shown: BTreeSet::new(), goes_back: restored.gives_up.is_some() });
        Ok(())
    }

    /// A tree shows a restore.
    fn shows_again(&mut self, plan: &Plan, id: &TreeId) {
        for item in plan.of(&id.dist).iter().flat_map(|one| &one.items) {
            let package = (id.dist.clone(), item.nevra.clone());
            let file = (id.clone(), item.nevra.location());
            let trees = self.lies.entry(package.clone()).or_default();
            if item.leaves.contains(&id.tree) {
                self.leaving.insert(file, self.now);
                if trees.remove(&id.tree).is_some() && trees.is_empty() {
                    self.gone.insert(package, "set aside");
                }
                continue;
            }
            self.leaving.remove(&file);
            if !trees.contains_key(&id.tree) {
                trees.insert(id.tree.clone(), self.now);
                // What a rollout has waited for before stays so, since these are the same bytes; a step that still has to
                // wait goes by the time at which they came back.
                self.gone.remove(&package);
            }
        }
    }

    /// A step of the procedure is taken.
    fn steps(
        &mut self,
        id: &RolloutId,
        known: &Rollout,
        step: &Transition,
        plan: Option<&Plan>,
        (cause, rules): (&Cause, &Rules),
    ) -> Check {
        let said = || format!("{id} goes from {} to {}", step.from, step.to);
        let may = match cause {
            Cause::Asked(roles) => roles.iter().any(|role| step.who.contains(role)),
            Cause::Tracker => step.who.contains(&Role::TRACKER),
            _ => false,
        };
        ensure(may, || format!("{} for {cause:?}", said()))?;
        ensure(known.plan.is_none() || step.effect == Effect::Withdraw, || format!("{} in between", said()))?;
        let change = self.tied.get(id).and_then(|change| self.changes.get(change));
        let stays = matches!(change, Some(Status::Stalled | Status::Rejected)) && step.effect != Effect::Withdraw;
        ensure(!stays, || format!("{} while its change is {change:?}", said()))?;
        let is_held = known.held.is_some() && step.effect != Effect::Withdraw;
        ensure(!is_held, || format!("{} on hold", said()))?;
        let new = self.superseded.get(id).map(|by| &self.rollouts[by]);
        let is_free = new.is_none_or(|new| new.cancelled || ["Rejected", "Withdrawn"].contains(&&*new.state));
        ensure(is_free || step.effect == Effect::Withdraw, || format!("{} and is superseded", said()))?;
        gates::pass(self, id, known, step, rules).map_err(|why| format!("{}: {why}", said()))?;
        let moved: BTreeSet<Package> = plan
            .iter()
            .flat_map(|plan| &plan.moves)
            .flat_map(|one| one.items.iter().map(|item| (one.dist.clone(), item.nevra.clone())))
            .collect();
        let mut targets = plan.iter().flat_map(|plan| &plan.moves).map(|one| one.target.as_ref());
        match &step.effect {
            Effect::None => ensure(plan.is_none(), || format!("{} and moves packages", said()))?,
            Effect::Withdraw => {
                ensure(targets.all(|target| target.is_none()), || format!("{} with a target", said()))?;
                ensure(moved.is_subset(&known.packages), || format!("{} with other packages", said()))?;
            }
            Effect::Move { from, to } => {
                ensure(!self.is_halted(known.packages.iter().map(|(dist, _)| dist.clone())), || {
                    format!("{} under a halt", said())
                })?;
                let is_here = |at: &Option<DistPath>| {
                    at.is_none() || known.packages.iter().any(|(dist, _)| Some(dist) == at.as_ref())
                };
                let is_on = |start: Timestamp, end: Timestamp| start <= self.wall && self.wall < end;
                let mut all = self.maintenances.values();
                let on = all.any(|(at, start, end)| is_here(at) && is_on(*start, *end));
                ensure(!on, || format!("{} during a maintenance", said()))?;
                ensure(moved == known.packages, || format!("{} with other packages", said()))?;
                ensure(targets.all(|target| target == Some(to)), || format!("{} into another tree", said()))?;
                let is_there = |p: &Package| self.lies.get(p).is_some_and(|trees| trees.keys().eq([from]));
                ensure(known.packages.iter().all(is_there), || format!("{} and not all lies in {from}", said()))?;
            }
        }
        let exposures = |step: &Transition| {
            let tree = |gate: &crate::domain::terms::Gate| match &step.effect {
                Effect::Move { from, .. } => Some(from.clone()),
                _ => gate.terms.tree().cloned(),
            };
            step.gates.iter().filter(|gate| gate.name == "exposure").filter_map(tree).collect::<Vec<_>>()
        };
        let rollout = self.rollout(id)?;
        rollout.served.extend(exposures(step));
        let served = rollout.served.clone();
        if let Effect::Move { to, .. } = &step.effect
            && to.as_str() == "production"
        {
            // S0-01: never without the time in testing or delta that the procedure wants.
            let dist = &known.packages.first().ok_or("it has no package")?.0;
            let workflow = &rules.distributions.get(dist).ok_or("no rules")?.workflow;
            let mut wanted = workflow.transitions().iter().flat_map(exposures);
            ensure(wanted.all(|tree| served.contains(&tree)), || format!("{} and was not exposed", said()))?;
            let was =
                |package: &Package, tree: &str| self.been.contains(&(package.clone(), tree.parse().expect("a name")));
            let tested = known.packages.iter().all(|package| was(package, "testing") || was(package, "delta"));
            ensure(tested, || format!("{} and was never tested", said()))?;
        }
        Ok(())
    }

    /// A tree shows a plan, or several that are carried out as one.
    fn shows(&mut self, number: u64, id: &TreeId) -> Check {
        self.parts(number).into_iter().try_for_each(|number| self.shows_one(number, id))
    }

    fn shows_one(&mut self, number: u64, id: &TreeId) -> Check {
        let Some(going) = self.going.get_mut(&number).filter(|going| going.plan.trees().contains(id)) else {
            return Ok(());
        };
        if !going.shown.insert(id.clone()) {
            return Ok(());
        }
        let Some(rollout) = going.plan.rollouts().next().cloned() else {
            let plan = going.plan.clone();
            self.shows_again(&plan, id);
            return Ok(());
        };
        let goes_back = going.goes_back;
        let Some(one) = going.plan.of(&id.dist).cloned() else { return Ok(()) };
        let mut is_new = false;
        for item in &one.items {
            let package = (one.dist.clone(), item.nevra.clone());
            let trees = self.lies.entry(package.clone()).or_default();
            let file = (id.clone(), item.nevra.location());
            if item.leaves.contains(&id.tree) {
                trees.remove(&id.tree);
                self.leaving.insert(file, self.now);
                if trees.is_empty() {
                    ensure(one.target.is_none(), || format!("{} is nowhere", item.nevra))?;
                    self.gone.insert(package, "withdrawn");
                }
            } else if one.target.as_ref() == Some(&id.tree) {
                self.leaving.remove(&file);
                if trees.contains_key(&id.tree) {
                    continue;
                }
                trees.insert(id.tree.clone(), self.now);
                is_new = true;
                self.been.insert((package, id.tree.clone()));
                if id.tree.as_str() == "production" {
                    ensure(!goes_back, || format!("{} comes into production by a way back", item.nevra))?;
                    self.released += 1;
                }
            }
        }
        if is_new {
            self.rollout(&rollout)?.served.remove(&id.tree);
        }
        Ok(())
    }

    /// Nothing is left to do for a plan.
    fn over(&mut self, number: u64) {
        for parts in self.together.values_mut() {
            parts.remove(&number);
        }
        self.together.retain(|_, parts| !parts.is_empty());
        if let Some(going) = self.going.remove(&number)
            && let Some(rollout) = going.plan.rollouts().next().and_then(|id| self.rollouts.get_mut(id))
            && rollout.plan == Some(number)
        {
            rollout.plan = None;
        }
    }

    fn retired(&mut self, Retired { tree, files, .. }: &Retired, rules: &Rules) -> Check {
        let grace = rules.distributions[&tree.dist].grace_packages;
        for file in files.iter().filter(|file| !file.starts_with("repodata/")) {
            let since = self.leaving.remove(&(tree.clone(), file.clone()));
            let is_over = since.is_some_and(|since| since + grace <= self.now);
            ensure(is_over, || format!("{file} is removed from {tree} too early"))?;
            let lies = |((dist, nevra), trees): (&Package, &BTreeMap<TreeName, Duration>)| {
                *dist == tree.dist && nevra.location() == *file && trees.contains_key(&tree.tree)
            };
            ensure(!self.lies.iter().any(lies), || format!("{file} is removed and {tree} lists it"))?;
        }
        Ok(())
    }

    /// Whether work may begin that shows a plan: under a halt nothing moves forward of which clients have seen nothing.
    pub(super) fn may_show(&self, number: u64) -> Check {
        let parts: Vec<&Going> = self.parts(number).iter().filter_map(|part| self.going.get(part)).collect();
        ensure(!parts.is_empty(), || format!("plan {number} is carried out and is over"))?;
        let is_begun = parts.iter().any(|going| !going.shown.is_empty());
        parts.into_iter().try_for_each(|going| self.may_go(number, going, is_begun))
    }

    fn may_go(&self, number: u64, going: &Going, is_begun: bool) -> Check {
        let lies = |dist: &DistPath, nevra: &Nevra, tree: Option<&TreeName>| {
            tree.zip(self.lies.get(&(dist.clone(), nevra.clone())))
                .is_some_and(|(tree, trees)| trees.contains_key(tree))
        };
        let brings = going.plan.moves.iter().any(|one| {
            let mut comes = one.items.iter().filter(|item| one.brings(item));
            comes.any(|item| !lies(&one.dist, &item.nevra, one.target.as_ref()))
        });
        let only_takes = going.plan.restored().is_some() && !brings;
        let is_forward = !going.plan.is_withdrawal() && !only_takes && !going.goes_back && !is_begun;
        let halted = is_forward && self.is_halted(going.plan.dists().cloned());
        ensure(!halted, || format!("plan {number} moves forward under a halt"))
    }

    /// No package is lost, and none is in two trees that is not being moved.
    pub(super) fn keeps_all(&self) -> Check {
        for (package, trees) in &self.lies {
            let moves = |going: &Going| {
                let one = going.plan.of(&package.0);
                one.is_some_and(|one| one.items.iter().any(|item| item.nevra == package.1))
            };
            let fits = match trees.len() {
                0 => self.gone.contains_key(package),
                1 => !self.gone.contains_key(package),
                _ => self.going.values().any(moves),
            };
            ensure(fits, || format!("{} is in {trees:?}; gone: {:?}", package.1, self.gone.get(package)))?;
        }
        Ok(())
    }
}
