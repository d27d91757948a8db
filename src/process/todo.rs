//! What somebody has to do, or can do now, by deadline.
//!
//! A look at the world, from which nothing follows. It is bounded: of each state of each distribution the rollouts are
//! looked at that changed last.

use jiff::Timestamp;

use super::act;
use super::follow_up::{BEGIN_WITHIN, attention};
use super::gate::acknowledged::{answer_by, asking};
use super::gate::approvals;
use super::gate::bundle_complete::before_tasks;
use super::known::Known;
use super::rights::{self, Right};
use super::rules::DistRules;
use super::who::Caller;
use super::world::adopters::Standing;
use super::world::bundles::Bundle;
use super::world::incidents::Problem;
use super::world::requests::Request;
use super::world::reviews::Review;
use super::{delays, evidence};
use crate::domain::gate::Verdict;
use crate::domain::names::{BundleId, ChangeId, DistPath, Role};
use crate::domain::naming::team::TeamName;
use crate::domain::request::Status;
use crate::domain::rollout::Rollout;
use crate::domain::task::TaskKind;
use crate::domain::workflow::{Effect, State, Transition, quoted};

/// Rollouts of one state in one distribution that are looked at.
pub const LOOKED_AT: usize = 100;

/// Open bundles that are looked at.
const BUNDLES_LOOKED_AT: usize = 1_000;

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duty {
    /// Until when, if there is a deadline; these come first.
    pub by: Deadline,
    /// What, a sentence without a full stop.
    pub what: String,
    /// The command that does it, without the program's name.
    pub command: String,
}

/// When something has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deadline {
    /// It should have been done by then.
    Overdue(Timestamp),
    /// By then.
    Until(Timestamp),
    /// At any time.
    None,
}

impl Deadline {
    fn at(by: Timestamp, now: Timestamp) -> Self {
        if by < now { Self::Overdue(by) } else { Self::Until(by) }
    }
}

/// What somebody has to do or can do, the most urgent first.
pub fn todo(known: Known<'_>, caller: &Caller) -> Vec<Duty> {
    let mut duties: Vec<Duty> = caller.teams().flat_map(|team| of_team(known, team)).collect();
    for (dist, rules) in &known.rules.distributions {
        for rollout in open(known, dist, rules) {
            duties.extend(steps(known, caller, rules, rollout));
            duties.extend(missing_approval(known, caller, rules, rollout));
            // While no time passes for it, nobody is late (S3-08).
            if !known.world.is_paused(&rollout.id) && rights::ASSIGN.lacking_for(caller, rollout).is_none() {
                duties.extend(unasked(known, rollout));
                duties.extend(silent(known, rules, rollout));
                duties.extend(unreported(known, rollout));
            }
            duties.extend(delayed(known, caller, rules, rollout));
        }
    }
    duties.extend(
        known.world.requests.open().take(LOOKED_AT).filter_map(|(id, request)| of_change(known, caller, id, request)),
    );
    if rights::TASKS.lacking(caller, []).is_none() {
        let open = known.world.bundles.iter().filter(|(_, bundle)| !bundle.closed).take(BUNDLES_LOOKED_AT);
        duties.extend(open.flat_map(|(id, bundle)| of_bundle(known, id, bundle)));
    }
    if rights::UPDATES.lacking(caller, []).is_none() {
        let open = known.world.bundles.iter().filter(|(_, bundle)| !bundle.closed).take(BUNDLES_LOOKED_AT);
        duties.extend(open.filter_map(|(id, bundle)| unnumbered(known, id, bundle)));
    }
    duties.extend(reviews(known, caller));
    duties.extend(problems(known, caller));
    duties.sort();
    // A rollout of several distributions is found in each.
    duties.dedup();
    duties
}

/// The rollouts of a distribution that have a way to go, as far as they are looked at.
fn open<'a>(known: Known<'a>, dist: &'a DistPath, rules: &'a DistRules) -> impl Iterator<Item = &'a Rollout> {
    let states = rules.workflow.states().iter().filter(|state| rules.workflow.leaving(state).next().is_some());
    let of_state =
        move |state| known.world.rollouts.newest(Some(dist), |_, other| other == state, None, |_| true, LOOKED_AT);
    states.flat_map(of_state).filter(|rollout| !rollout.cancelled)
}

/// What a team of early adopters has to do.
fn of_team(known: Known<'_>, team: &TeamName) -> Vec<Duty> {
    let (world, now) = (known.world, known.now.wall);
    let mut duties = Vec::new();
    for id in world.adopters.rollouts(team) {
        let (Some(rollout), Some(adopter)) = (world.rollouts.get(id), world.adopters.get(id, team)) else { continue };
        let Some(rules) = asking(known, rollout) else { continue };
        match (adopter.standing(), answer_by(known, rules, id, (team, adopter))) {
            (Standing::Assigned, by) => duties.push(Duty {
                by: by.map_or(Deadline::None, |by| Deadline::at(by, now)),
                what: format!("{team} is asked to test {id}: accept or reject it"),
                command: format!("accept {id} {team}"),
            }),
            (Standing::Accepted | Standing::Exposed, _) => duties.push(Duty {
                by: evidence::report_due(known, rollout, adopter).map_or(Deadline::None, |due| Deadline::at(due, now)),
                what: format!("{team} has accepted {id}: report what came of it"),
                command: format!("report add {id} {team} success"),
            }),
            (Standing::Declined | Standing::Reported(_), _) => {}
        }
    }
    for (number, task) in world.tasks.open_of(team) {
        let (what, word) = if task.begun.is_none() {
            (format!("task {number}: {} the bundle {}", task.kind, task.bundle), "begin")
        } else {
            let when = match world.quarantine_ends(task, known.now.elapsed).map(|ends| known.now.when(ends)) {
                Some(ends) => format!("at {:.0}", ends.wall),
                None => "which stands still while its bundle is on hold".to_owned(),
            };
            (format!("task {number} can be done after its quarantine, {when}"), "done")
        };
        let begin_by = || task.created.checked_add(BEGIN_WITHIN).map_or(Deadline::None, |by| Deadline::at(by, now));
        let by = if task.begun.is_none() { begin_by() } else { Deadline::None };
        duties.push(Duty { by, what, command: format!("task {word} {number} success") });
    }
    duties
}

/// The steps that can be taken now.
fn steps<'a>(
    known: Known<'a>,
    caller: &'a Caller,
    rules: &'a DistRules,
    rollout: &'a Rollout,
) -> impl Iterator<Item = Duty> + use<'a> {
    let may = move |step: &Transition| caller.may_for(&step.who, rollout);
    let passes = move |to: &State| act::step::why(known, caller, rollout, to.as_str()).verdict == Verdict::Pass;
    // To withdraw something, or to say that it has failed, is not what anybody has to do.
    let is_forward = |step: &&Transition| step.effect != Effect::Withdraw && !step.fails;
    let forward = rules.workflow.leaving(&rollout.state).filter(is_forward);
    let ready = forward.filter(move |step| may(step) && passes(&step.to));
    ready.map(|step| Duty {
        by: Deadline::None,
        what: format!("{} can go from {} to {}", rollout.id, rollout.state, step.to),
        command: format!("move {} {}", rollout.id, quoted(step.to.as_str())),
    })
}

/// Whether a step waits for this person's approval.
fn missing_approval(known: Known<'_>, caller: &Caller, rules: &DistRules, rollout: &Rollout) -> Vec<Duty> {
    let asks = rules.workflow.leaving(&rollout.state).filter_map(|step| {
        let role = approvals::roles(step).find(|role| caller.may_for([*role], rollout))?;
        (!act::dossier::has_approved(known, caller, &rollout.id, &step.to)).then_some((step, role))
    });
    let duty = |(step, role): (&Transition, &Role)| Duty {
        by: Deadline::None,
        what: format!("{} may need your approval for {}, as {role}", rollout.id, step.to),
        command: format!("approve {} {}", rollout.id, quoted(step.to.as_str())),
    };
    asks.map(duty).collect()
}

/// The reviews that nobody has answered, for those who may (S3-17).
fn reviews(known: Known<'_>, caller: &Caller) -> Vec<Duty> {
    if rights::REVIEW.lacking(caller, []).is_some() {
        return vec![];
    }
    let duty = |(number, review): (u64, &Review)| Duty {
        by: Deadline::at(review.due, known.now.wall),
        what: format!("review {number} of {}: is it documented, and does it work as expected?", review.of),
        command: format!("review answer {number} --documented yes --works yes"),
    };
    known.world.reviews.open().take(LOOKED_AT).map(duty).collect()
}

/// Problems without a ticket: nobody looks for their cause yet (S3-34).
fn problems(known: Known<'_>, caller: &Caller) -> Vec<Duty> {
    if rights::INCIDENTS.lacking(caller, []).is_some() {
        return vec![];
    }
    let duty = |(number, problem): (u64, &Problem)| Duty {
        by: Deadline::None,
        what: format!("problem {number} ({}) has no ticket for {}", problem.kind, problem.unit),
        command: format!("problem show {number}"),
    };
    known.world.incidents.open_problems().filter(|(_, it)| it.ticket.is_none()).take(LOOKED_AT).map(duty).collect()
}

/// What somebody has to do about a change, or can do now.
fn of_change(known: Known<'_>, caller: &Caller, id: &ChangeId, request: &Request) -> Option<Duty> {
    let may = |right: Right| right.lacking(caller, []).is_none();
    let duty = |what: String, command: String| Some(Duty { by: Deadline::None, what, command });
    let Request { kind, priority, title, .. } = request;
    let called = format!("the {kind} change {id} ({title}), priority {priority}");
    let lacking = || act::request::lacking(known, request);
    match request.status {
        Status::New if request.assessment.is_none() => may(rights::ASSESS).then(|| {
            duty(format!("{called}: say what work it is"), format!("change assess {id} 'WHAT THE WORK IS'"))
        })?,
        Status::New => {
            let own = lacking().map(|(role, _)| role).find(|role| caller.may([*role], None));
            match own.filter(|_| !act::request::has_approved(known, caller, request)) {
                Some(role) => duty(format!("{called}: it needs an approval of {role}"), format!("change approve {id}")),
                None if lacking().next().is_none() && may(rights::DECIDE) => {
                    duty(format!("{called}: it can be accepted"), format!("change status {id} accepted"))
                }
                None => None,
            }
        }
        Status::Accepted if may(rights::WORK) => {
            duty(format!("{called}: it is accepted and can be begun"), format!("change status {id} 'in progress'"))
        }
        // It is released with its rollouts, and whoever works on it says so (S3-09).
        Status::InProgress if may(rights::WORK) && is_released(known, request) => {
            duty(format!("{called}: all of its rollouts are released"), format!("change status {id} resolved"))
        }
        Status::InProgress | Status::Accepted | Status::Stalled | Status::Rejected | Status::Resolved => None,
    }
}

/// Whether all rollouts of a change have come where clients get them.
fn is_released(known: Known<'_>, request: &Request) -> bool {
    !request.rollouts.is_empty() && request.rollouts.iter().all(|rollout| known.is_released(rollout))
}

/// What whoever creates tasks has to do about a bundle (S1-22, S1-28, S1-47).
fn of_bundle(known: Known<'_>, id: &BundleId, bundle: &Bundle) -> Vec<Duty> {
    let tasks = |kind| known.world.tasks.of(id).filter(move |(_, task)| task.kind == kind);
    let duty = |what: String, command: String| Duty { by: Deadline::None, what, command };
    let mut duties = Vec::new();
    let is_complete = || before_tasks(known, id, bundle).is_some_and(|found| found.is_empty());
    let has_settled = || act::task::unsettled(known, bundle, TaskKind::RollOut).is_empty();
    let is_released = || bundle.members.iter().all(|rollout| known.is_released(rollout));
    let has_tasks = bundle.members.is_empty() || tasks(TaskKind::RollOut).next().is_some() || is_released();
    if !has_tasks && is_complete() && has_settled() {
        let what = format!("the bundle {id} is complete and has no roll-out tasks");
        duties.push(duty(what, format!("task create {id} --affected")));
    }
    let rejected = bundle.members.iter().filter_map(|id| known.world.rollouts.get(id)).find(|it| known.is_rejected(it));
    let has_begun = tasks(TaskKind::RollOut).any(|(_, task)| task.begun.is_some());
    if let Some(rollout) = rejected.filter(|_| has_begun && tasks(TaskKind::RollBack).next().is_none()) {
        let what = format!("{} of the bundle {id} was rejected, and sites have installed it", rollout.id);
        duties.push(duty(what, format!("task create {id} --affected --roll-back")));
    }
    let looked_at = known.world.tasks.of(id).filter_map(|(n, task)| Some((n, task, attention(known, n, task)?)));
    duties.extend(looked_at.map(|(n, task, why)| {
        let command = match (&task.begun, &task.done) {
            (_, Some(_)) => format!("task create {id} {}", task.team),
            (None, None) => format!("task reassign {n} TEAM --reason WHY"),
            (Some(_), None) => format!("task show {n}"),
        };
        duty(format!("task {n} of {} ({id}): {why}", task.team), command)
    }));
    duties
}

/// What has come to all sites without an update number, so that none was told of it (S1-33).
fn unnumbered(known: Known<'_>, id: &BundleId, bundle: &Bundle) -> Option<Duty> {
    let mut members = bundle.members.iter().filter_map(|rollout| known.world.rollouts.get(rollout));
    let rollout = members.find(|rollout| known.lacks_number(rollout) && known.is_released(&rollout.id))?;
    let what = format!("{} of the bundle {id} is released without an update number, so no site was told", rollout.id);
    Some(Duty { by: Deadline::None, what, command: format!("update SERIES --bundle {id}") })
}

/// A rollout that early adopters should test, and that nobody was asked to (S0-33).
fn unasked(known: Known<'_>, rollout: &Rollout) -> Option<Duty> {
    asking(known, rollout)?;
    let is_asked = known.world.adopters.of(&rollout.id).any(|(_, adopter)| adopter.asked.is_some());
    (!is_asked && rollout.plan.is_none()).then(|| Duty {
        by: Deadline::None,
        what: format!("{} is in {}, and nobody was asked to test it", rollout.id, rollout.state),
        command: format!("assign {} TEAM", rollout.id),
    })
}

/// Teams that have not answered in time (S0-35, S0-37).
fn silent(known: Known<'_>, rules: &DistRules, rollout: &Rollout) -> Vec<Duty> {
    if asking(known, rollout).is_none() {
        return vec![];
    }
    let now = known.now.wall;
    let adopters = known.world.adopters.of(&rollout.id).filter(|(_, adopter)| adopter.standing() == Standing::Assigned);
    let late = adopters.filter_map(|(team, adopter)| {
        Some((team, answer_by(known, rules, &rollout.id, (team, adopter)).filter(|by| *by < now)?))
    });
    let duty = |(team, by): (&TeamName, Timestamp)| Duty {
        by: Deadline::Overdue(by),
        what: format!("{team} has not said whether it tests {}: ask another team", rollout.id),
        command: format!("assign {} TEAM", rollout.id),
    };
    late.map(duty).collect()
}

/// Teams that have accepted and not reported in time (S0-05).
fn unreported(known: Known<'_>, rollout: &Rollout) -> Vec<Duty> {
    if asking(known, rollout).is_none() {
        return vec![];
    }
    let found = evidence::evidence(known, rollout);
    let duty = |(team, due): &(TeamName, Timestamp)| Duty {
        by: Deadline::Overdue(*due),
        what: format!("{team} has accepted {} but not reported in time: ask it", rollout.id),
        command: format!("report add {} {team} OUTCOME", rollout.id),
    };
    found.overdue.iter().map(duty).collect()
}

/// A rollout that has been in its state for too long, for whoever may take a step with it.
fn delayed(known: Known<'_>, caller: &Caller, rules: &DistRules, rollout: &Rollout) -> Option<Duty> {
    let (by, now) = (delays::limit(known, rollout)?, known.now.wall);
    let may = |step: &Transition| caller.may_for(&step.who, rollout);
    rules.workflow.leaving(&rollout.state).any(may).then(|| Duty {
        by: Deadline::at(by, now),
        what: format!("{} should leave {}: move it, or say why not", rollout.id, rollout.state),
        command: format!("note {} WHY", rollout.id),
    })
}
