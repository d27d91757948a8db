//! What can be asked for, one file each: it reads the state, changes nothing, and returns what to log.

/// A new rollout.
pub mod submit;
/// Another state for a rollout.
pub mod step;
/// A package is given up.
pub mod lose;
/// A tree that somebody else has made comes under management, or leaves it again.
pub mod adopt;
/// A move is given up.
pub mod give_up;
/// A tree lists again what it listed before.
pub mod restore;
/// Packages are taken out of a tree.
pub mod clean;
/// A package that was withdrawn or taken out may come in again.
pub mod allow;
/// Somebody is erased from the register of people.
pub mod erase;
/// Promotions are halted, and go on.
pub mod halt;
/// A maintenance is declared, and called off.
pub mod maintenance;
/// The registry of early adopters.
pub mod team;
/// Teams are asked to test a rollout, answer, and report.
pub mod adopter;
/// Issues of a rollout.
pub mod issue;
/// Other packages or another title for a rollout; it is cancelled.
pub mod edit;
/// A rollout is put on hold, and goes on.
pub mod hold;
/// A step is to be taken at some time.
pub mod schedule;
/// What is said of a rollout beside its title.
pub mod describe;
/// What somebody has looked at is ticked.
pub mod check;
/// What people add to a rollout: approvals, an extension, overrides, notes and links.
pub mod dossier;
/// Rollouts of a bundle move in one plan.
pub mod together;
/// Bundles of rollouts.
pub mod bundle;
/// A bundle and its release notes are made to agree.
pub mod correct;
/// Numbers of updates.
pub mod update;
/// Tasks of early adopters.
pub mod task;
/// What teams say of their tasks.
pub mod task_report;
/// Changes that people ask for.
pub mod request;
/// Rollouts that carry changes out.
pub mod tied;
/// A new rollout that takes over from another one.
pub mod succeed;
/// Reviews.
pub mod review;
/// Releases.
pub mod release;
/// Incidents and problems.
pub mod incident;
/// Somebody has told people something.
pub mod told;
/// What a tracker says.
pub mod hint;
/// Steps that were asked for earlier and have become possible.
pub mod wishes;
/// Work has ended.
pub mod ended;

use super::decision::{Answer, Decision, Entry};
use super::fact::Fact;
use super::known::Known;
use super::who::Caller;
use super::world::World;
use super::world::packages::Package;
use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{DistPath, RolloutId};
use crate::domain::nevra::Nevra;
use crate::domain::rollout::Rollout;
use crate::domain::workflow::{Effect, Workflow};

/// A decision that only records a fact; whoever asked is told the sentence that the logbook has.
fn recorded(known: Known<'_>, caller: &Caller, reason: &str, fact: impl Into<Fact>) -> Decision {
    all_recorded(known, caller, reason, vec![fact.into()])
}

/// The same of several facts: all are written, or none.
fn all_recorded(known: Known<'_>, caller: &Caller, reason: &str, facts: Vec<Fact>) -> Decision {
    let says = facts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let entry = |fact| Entry { who: caller.who.clone(), why: reason.to_owned(), fact };
    let answer = Answer::Recorded { entry: known.world.last + 1, says, warnings: vec![] };
    Decision { entries: facts.into_iter().map(entry).collect(), answer: Some(answer) }
}

/// The complaint about a reason that is not there.
fn missing_reason(reason: &str, sentence: &str) -> Option<Finding> {
    reason.trim().is_empty().then(|| Finding::new(Verdict::Reject, "no_reason", sentence))
}

/// A sentence with a capital letter at its beginning.
fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A rollout, or the answer that there is none.
fn rollout<'w>(known: Known<'w>, id: &RolloutId) -> Result<&'w Rollout, Decision> {
    known
        .world
        .rollouts
        .get(id)
        .ok_or_else(|| Decision::answered(Answer::NotFound(format!("there is no rollout {id}"))))
}

/// An accepted package of the distribution that was named, or of the only one that has it; or the answer that none has it,
/// or several.
fn package<'w>(
    world: &'w World,
    nevra: &Nevra,
    dist: Option<&DistPath>,
) -> Result<(&'w DistPath, &'w Package), Decision> {
    let wanted = |one: &&DistPath| dist.is_none_or(|dist| *one == dist);
    let has = |dist: &'w DistPath| Some((dist, world.packages.get(dist, nevra)?));
    let found: Vec<(&DistPath, &Package)> = world.packages.distributions().filter(wanted).filter_map(has).collect();
    match found[..] {
        [one] => Ok(one),
        [] => {
            let place = dist.map(|dist| format!(" into {dist}")).unwrap_or_default();
            Err(Decision::answered(Answer::NotFound(format!("{nevra} was never accepted{place}"))))
        }
        _ => {
            let all: Vec<&str> = found.iter().map(|(dist, _)| dist.as_str()).collect();
            let why = format!("{nevra} is in {}: say which distribution", all.join(" and "));
            Err(Decision::answered(Answer::Conflict(why)))
        }
    }
}

/// Whether a rollout has a way to go: until it has come to its end, its packages are nobody else's.
fn goes_on(workflow: &Workflow, rollout: &Rollout) -> bool {
    let has_steps = || workflow.leaving(&rollout.state).next().is_some();
    rollout.plan.is_some() || (!rollout.cancelled && has_steps())
}

/// Whether a rollout still has a way to go. One that can only be withdrawn has arrived.
fn has_a_way(workflow: &Workflow, rollout: &Rollout) -> bool {
    let forward = || workflow.leaving(&rollout.state).any(|step| step.effect != Effect::Withdraw);
    rollout.plan.is_some() || (!rollout.cancelled && forward())
}

/// A rollout that was not cancelled, or the answer that there is none.
fn open_rollout<'w>(known: Known<'w>, id: &RolloutId) -> Result<&'w Rollout, Decision> {
    let rollout = rollout(known, id)?;
    if rollout.cancelled {
        return Err(Decision::answered(Answer::Conflict(format!("{id} was cancelled"))));
    }
    Ok(rollout)
}
