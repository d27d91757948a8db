//! What is so and what follows: facts, the world that they are folded into, gates, and what can be asked for. Pure.
//!
//! ```text
//! Input -> decide(Known { world, rules, now, ... }, input) -> Decision { entries, answer }
//!       -> the engine appends -> World::apply -> agenda(&World, ...) -> Work -> WorkEnded (an Input)
//! ```
//!
//! [`decide`] returns what to log; the work follows from the world, not from the input. A plan
//! without its `done` is work, whether it was made a moment ago or before a crash, so running and
//! recovering are one mechanism and cannot disagree. (Refused: work as a part of the decision, which
//! recovery would have to derive again from the log.)
//!
//! A person's request that cannot be carried out is answered with all findings. A tracker's word is logged first.

/// Who asks, and what they may.
pub mod who;
/// The rules that the configuration gives.
pub mod rules;
/// What may be written of each thing, and its form in the logbook.
pub mod fact;
/// The fold of all entries.
pub mod world;
/// What trees list and their rings do not trust any more.
pub mod listed;
/// What does not work now.
pub mod trouble;
/// What there is to do, seen from the world.
pub mod agenda;
/// What a tree listed before.
pub mod earlier;
/// Everything that can wake the engine.
pub mod input;
/// What an input calls for, and what whoever asked is told.
pub mod decision;
/// What a decision goes by.
pub mod known;
/// The questions that are asked before a step.
pub mod gate;
/// Procedures with the gates that there are.
pub mod procedure;
/// What somebody has to be told.
pub mod notice;
/// What people have to be told.
pub mod message;
/// Who may do what, beside the steps of a procedure.
pub mod rights;
/// What can be asked for.
pub mod act;
/// What has been in a state for too long.
pub mod delays;
/// What nobody has accepted in time.
pub mod unanswered;
/// The service levels of this site.
pub mod levels;
/// What speaks for a rollout so far.
pub mod evidence;
/// Which teams a bundle concerns.
pub mod affected;
/// Which tasks somebody should look at.
pub mod follow_up;
/// What somebody has to do, or can do now.
pub mod todo;
/// What a step would do.
pub mod outlook;
/// What differs between two trees.
pub mod difference;
/// What somebody means who names packages.
pub mod selection;

use crate::domain::names::RolloutId;
use act::succeed::Earlier;
use act::{
    adopter, allow, bundle, check, clean, correct, describe, dossier, edit, ended, erase, give_up, halt, hint, hold,
    incident, issue, lose, maintenance, release, request, restore, review, schedule, step, submit, succeed, task,
    task_report, team, tied, together, told, update, wishes,
};
use decision::Decision;
use input::{Ask, Input};
use known::Known;

/// Returns what an input calls for, with the reviews, the notices and the messages that follow.
pub fn decide(known: Known<'_>, input: &Input) -> Decision {
    with_all(known, dispatch(known, input))
}

/// What becomes of others that move together with what a decision is about, and the failures, reviews, notices and messages
/// that follow from it.
fn with_all(known: Known<'_>, decision: Decision) -> Decision {
    let decision = together::with_the_others(known, decision);
    let decision = review::with_reviews(known, step::with_failures(known, decision));
    message::with_messages(known, notice::with_notices(known, decision))
}

fn dispatch(known: Known<'_>, input: &Input) -> Decision {
    let Known { world, rules, .. } = known;
    match input {
        Input::Asked(caller, Ask::Submit { rollout, title, parts }) => {
            submit::submit(world, rules, caller, rollout, title, parts)
        }
        Input::Asked(caller, Ask::SubmitAfter { rollout, title, parts, change, like, supersedes }) => {
            let (change, like, supersedes) = (change.as_ref(), like.as_ref(), supersedes.as_ref());
            succeed::submit_after(known, caller, rollout, (title, parts), Earlier { change, like, supersedes })
        }
        Input::Asked(caller, Ask::Lose { nevra, dist, reason }) => {
            lose::lose(known, caller, nevra, dist.as_ref(), reason)
        }
        Input::Asked(caller, Ask::Allow { nevra, dist, reason }) => {
            allow::allow(known, caller, nevra, dist.as_ref(), reason)
        }
        Input::Asked(caller, Ask::Disallow { nevra, dist, reason }) => {
            allow::disallow(known, caller, nevra, dist.as_ref(), reason)
        }
        Input::Asked(caller, Ask::GiveUp { rollout, reason }) => give_up::give_up(known, caller, rollout, reason),
        Input::Asked(caller, Ask::Restore(wanted)) => restore::restore(known, caller, wanted),
        Input::Asked(caller, Ask::Clean(wanted)) => clean::clean(known, caller, wanted),
        Input::Asked(caller, Ask::Erase { person, reason }) => erase::erase(known, caller, person, reason),
        Input::Asked(caller, Ask::Move { rollout, state, reason }) => step::step(known, caller, rollout, state, reason),
        Input::Asked(caller, Ask::Halt { dist, reason }) => halt::halt(known, caller, dist.as_ref(), reason),
        Input::Asked(caller, Ask::EndHalt { dist, reason }) => halt::end(known, caller, dist.as_ref(), reason),
        Input::Asked(caller, Ask::DeclareMaintenance(declared)) => maintenance::declare(known, caller, declared),
        Input::Asked(caller, Ask::EndMaintenance { maintenance, reason }) => {
            maintenance::end(known, caller, maintenance, reason)
        }
        Input::Asked(caller, Ask::Edit { rollout, changes, reason }) => {
            edit::edit(known, caller, rollout, changes, reason)
        }
        Input::Asked(caller, Ask::Cancel { rollout, reason }) => edit::cancel(known, caller, rollout, reason),
        Input::Asked(caller, Ask::Stall { rollout, reason }) => hold::stall(known, caller, rollout, reason),
        Input::Asked(caller, Ask::Resume { rollout, reason }) => hold::resume(known, caller, rollout, reason),
        Input::Asked(caller, Ask::Schedule { rollout, state, at, reason }) => {
            schedule::schedule(known, caller, rollout, (state, *at), reason)
        }
        Input::Asked(caller, Ask::Unschedule { rollout, reason }) => {
            schedule::unschedule(known, caller, rollout, reason)
        }
        Input::Asked(caller, Ask::Register { team, reason }) => team::register(known, caller, team, reason),
        Input::Asked(caller, Ask::RemoveTeam { team, reason }) => team::remove(known, caller, team, reason),
        Input::Asked(caller, Ask::Assign { rollout, teams, beta, reason }) => {
            adopter::assign(known, caller, rollout, teams, *beta, reason)
        }
        Input::Asked(caller, Ask::Unassign { rollout, team, reason }) => {
            adopter::unassign(known, caller, rollout, team, reason)
        }
        Input::Asked(caller, Ask::Answer { answered, reason }) => adopter::answer(known, caller, answered, reason),
        Input::Asked(caller, Ask::Install { installed, reason }) => {
            adopter::installed(known, caller, installed, reason)
        }
        Input::Asked(caller, Ask::Report(reported)) => adopter::report(known, caller, reported),
        Input::Asked(caller, Ask::PublishReport { published, reason }) => {
            adopter::publish(known, caller, published, reason)
        }
        Input::Asked(caller, Ask::NoteIssue { noted, reason }) => issue::note(known, caller, noted, reason),
        Input::Asked(caller, Ask::CloseIssue { rollout, issue, reason }) => {
            issue::close(known, caller, rollout, issue, reason)
        }
        Input::Asked(caller, Ask::RankIssue { ranked, reason }) => issue::rank(known, caller, ranked, reason),
        Input::Asked(caller, Ask::Describe { rollout, changes, reason }) => {
            describe::describe(known, caller, rollout, changes, reason)
        }
        Input::Asked(caller, Ask::Told { message, reason }) => told::told(known, caller, *message, reason),
        Input::Asked(caller, Ask::Tick { rollout, check, is_good, reason }) => {
            check::tick(known, caller, rollout, (check, *is_good), reason)
        }
        Input::Asked(caller, Ask::Approve { rollout, state, role, reason }) => {
            dossier::approve(known, caller, rollout, state, role.as_ref(), reason)
        }
        Input::Asked(caller, Ask::Disapprove { rollout, state, reason }) => {
            dossier::disapprove(known, caller, rollout, state, reason)
        }
        Input::Asked(caller, Ask::Extend { rollout, by, reason }) => {
            dossier::extend(known, caller, rollout, *by, reason)
        }
        Input::Asked(caller, Ask::Override { rollout, state, gate, reason }) => {
            dossier::overrule(known, caller, rollout, (state, gate), reason)
        }
        Input::Asked(caller, Ask::Note(noted)) => dossier::note(known, caller, noted),
        Input::Asked(caller, Ask::Link { linked, reason }) => dossier::link(known, caller, linked, reason),
        Input::Asked(caller, Ask::OpenBundle(opened)) => bundle::open(known, caller, opened),
        Input::Asked(caller, Ask::JoinBundle { bundle, rollouts, reason }) => {
            bundle::join(known, caller, bundle, rollouts, reason)
        }
        Input::Asked(caller, Ask::LeaveBundle { bundle, rollout, reason }) => {
            bundle::leave(known, caller, bundle, rollout, reason)
        }
        Input::Asked(caller, Ask::Announce { bundle, rollouts, reason }) => {
            bundle::announce(known, caller, bundle, rollouts, reason)
        }
        Input::Asked(caller, Ask::CloseBundle { bundle, reason }) => bundle::close(known, caller, bundle, reason),
        Input::Asked(caller, Ask::ApproveBundle { bundle, state, only, role, reason }) => {
            bundle::approve(known, caller, bundle, (state, only), role.as_ref(), reason)
        }
        Input::Asked(caller, Ask::MoveBundle { bundle, state, only, reason }) => {
            bundle::step(known, caller, bundle, (state, only), reason)
        }
        Input::Asked(caller, Ask::CorrectBundle { bundle, withdraw, reason }) => {
            correct::correct(known, caller, bundle, *withdraw, reason)
        }
        Input::Asked(caller, Ask::NumberUpdate { series, bundle, rollouts, reason }) => {
            update::number(known, caller, series, (bundle.as_ref(), rollouts), reason)
        }
        Input::Asked(caller, Ask::CreateTasks { bundle, kind, teams, quarantine, services, reason }) => {
            task::create(known, caller, bundle, (*kind, teams, *quarantine), services, reason)
        }
        Input::Asked(caller, Ask::BeginTask { task, outcome, reason }) => {
            task::begin(known, caller, *task, *outcome, reason)
        }
        Input::Asked(caller, Ask::RecordChange(wanted)) => request::record(known, caller, wanted),
        Input::Asked(caller, Ask::AssessChange { change, assessment, priority, category }) => {
            request::assess(known, caller, change, (assessment, *priority, category.as_ref()))
        }
        Input::Asked(caller, Ask::ApproveChange { change, role, reason }) => {
            request::approve(known, caller, change, role.as_ref(), reason)
        }
        Input::Asked(caller, Ask::DisapproveChange { change, reason }) => {
            request::disapprove(known, caller, change, reason)
        }
        Input::Asked(caller, Ask::PutChange { change, status, reason }) => {
            request::go(known, caller, change, *status, reason)
        }
        Input::Asked(caller, Ask::Tie { change, rollouts, reason }) => {
            tied::tie(known, caller, change, rollouts, reason)
        }
        Input::Asked(caller, Ask::Untie { change, rollout, reason }) => {
            tied::untie(known, caller, change, rollout, reason)
        }
        Input::Asked(caller, Ask::SubmitFor { change, rollout, title, parts }) => {
            tied::submit_for(known, caller, change, rollout, (title, parts))
        }
        Input::Asked(caller, Ask::Hasten { rollout, state, gate, change, reason }) => {
            tied::hasten(known, caller, rollout, (state, gate), (change, reason))
        }
        Input::Asked(caller, Ask::AnswerReview { review, documented, works, note }) => {
            review::answer(known, caller, *review, (*documented, *works), note)
        }
        Input::Asked(caller, Ask::PlanRelease { planned, reason }) => release::plan(known, caller, planned, reason),
        Input::Asked(caller, Ask::ScopeRelease { release, rollouts, bundles, reason }) => {
            release::scope(known, caller, release, (rollouts, bundles), reason)
        }
        Input::Asked(caller, Ask::TellOfRelease { release, on, reason }) => {
            release::tell(known, caller, release, *on, reason)
        }
        Input::Asked(caller, Ask::TellOfEmergency { change, on, reason }) => {
            release::tell_emergency(known, caller, change, *on, reason)
        }
        Input::Asked(caller, Ask::CancelRelease { release, reason }) => release::cancel(known, caller, release, reason),
        Input::Asked(caller, Ask::RecordIncident { wanted, reason }) => incident::record(known, caller, wanted, reason),
        Input::Asked(caller, Ask::ChangeIncident { changed, reason }) => {
            incident::change(known, caller, changed, reason)
        }
        Input::Asked(caller, Ask::CloseIncident { incident, reason }) => {
            incident::close(known, caller, *incident, reason)
        }
        Input::Asked(caller, Ask::ChangeProblem { changed, reason }) => {
            incident::change_problem(known, caller, changed, reason)
        }
        Input::Asked(caller, Ask::CloseProblem { problem, reason }) => {
            incident::close_problem(known, caller, *problem, reason)
        }
        Input::Asked(caller, Ask::ExtendTask { task, by, reason }) => task::extend(known, caller, *task, *by, reason),
        Input::Asked(caller, Ask::ReassignTask { task, team, reason }) => {
            task::reassign(known, caller, *task, team, reason)
        }
        Input::Asked(caller, Ask::ReportTask { task, text, file }) => {
            task_report::report(known, caller, *task, (text, file.as_ref()))
        }
        Input::Asked(caller, Ask::PublishTaskReport { task, published, reason }) => {
            task_report::publish(known, caller, (*task, *published), reason)
        }
        Input::Asked(caller, Ask::NoteTaskIssue { task, issue, area, taken_back, reason }) => {
            task_report::issue(known, caller, (*task, issue, area.as_deref()), *taken_back, reason)
        }
        Input::Asked(caller, Ask::EndTask { task, outcome, early, reason }) => {
            task::done(known, caller, (*task, *outcome, *early), reason)
        }
        Input::Heard(hint) => hint::heard(known, hint),
        Input::WorkEnded(work, end) => ended::ended(known, work, end),
        // What is late: of a rollout, of early adopters, of a task, of a review.
        Input::Tick => {
            let mut late = delays::delays(known);
            late.entries.extend(unanswered::unanswered(known).entries);
            late.entries.extend(follow_up::quarantines(known).entries);
            late.entries.extend(review::come_due(known).entries);
            late
        }
        Input::Altered(found) => ended::altered(known, found),
        Input::Touched(_) | Input::Reloaded(_) => Decision::default(),
    }
}

/// What a tracker asked for earlier of this rollout, if it has become possible or can never be.
pub fn wish(known: Known<'_>, id: &RolloutId) -> Decision {
    let decision = known.world.rollouts.get(id).map(|rollout| wishes::wish(known, rollout)).unwrap_or_default();
    with_all(known, decision)
}

#[cfg(test)]
mod tests {
    mod sequences;
    mod stories;
}
