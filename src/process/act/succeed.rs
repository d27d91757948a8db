//! A new rollout that takes over from another one: what is said of it, its place, or both.
//!
//! All of it is written down at once, or nothing, and each part by the right that it needs anyway.

use super::edit::{has_ended, has_moved, may_not};
use super::{open_rollout, rollout, submit, tied};
use crate::domain::attributes::Attributes;
use crate::domain::gate::Finding;
use crate::domain::names::{ChangeId, RolloutId};
use crate::domain::rollout::{Part, Rollout};
use crate::process::decision::{Answer, Decision, Entry};
use crate::process::fact::Fact;
use crate::process::fact::assignment::Assigned;
use crate::process::fact::attributes::Described;
use crate::process::fact::change::{Cancelled, Linked, Superseded};
use crate::process::gate::superseded::superseded_by;
use crate::process::known::Known;
use crate::process::rights::{self, Right};
use crate::process::who::Caller;

/// From which rollouts a new one takes over.
#[derive(Clone, Copy, Debug)]
pub(in crate::process) struct Earlier<'a> {
    /// The change that it carries out.
    pub(in crate::process) change: Option<&'a ChangeId>,
    /// The one whose title, attributes, links and teams it has, too.
    pub(in crate::process) like: Option<&'a RolloutId>,
    /// The one whose place it takes.
    pub(in crate::process) supersedes: Option<&'a RolloutId>,
}

/// Creates a rollout that takes over from another one.
pub(in crate::process) fn submit_after(
    known: Known<'_>,
    caller: &Caller,
    id: &RolloutId,
    (title, parts): (&str, &[Part]),
    Earlier { change, like, supersedes }: Earlier<'_>,
) -> Decision {
    let (like, end) = match (|| {
        let like = like.map(|like| rollout(known, like)).transpose()?;
        Ok((like, supersedes.map(|old| end(known, caller, old, id)).transpose()?.unwrap_or_default()))
    })() {
        Ok(both) => both,
        Err(decision) => return decision,
    };
    let End { before, after, mut findings } = end;
    // The packages of what is cancelled are free for it.
    let mut world = known.world.clone();
    for fact in &before {
        world.apply(world.last + 1, known.now.wall, caller.who.as_str(), fact);
    }
    let then = Known { world: &world, ..known };
    let title = like.filter(|_| title.is_empty()).map_or(title, |like| &like.title);
    let submitted = match change {
        Some(change) => tied::submit_for(then, caller, change, id, (title, parts)),
        None => submit::submit(&world, known.rules, caller, id, title, parts),
    };
    let (same, lacking) = like.map(|like| same(known, caller, like, id, (title, parts))).unwrap_or_default();
    findings.extend(lacking);
    match submitted.answer {
        Some(Answer::Submitted(_)) if findings.is_empty() => {}
        Some(Answer::Refused(judged)) => {
            return Decision::refused(judged.findings.into_iter().chain(findings).collect());
        }
        Some(Answer::Submitted(_)) => return Decision::refused(findings),
        _ => return submitted,
    }
    let entry = |why: &str, fact| Entry { who: caller.who.clone(), why: why.to_owned(), fact };
    let superseded = format!("superseded by {id}");
    let taken_over = like.map(|like| format!("as {} has it", like.id)).unwrap_or_default();
    let before = before.into_iter().map(|fact| entry(&superseded, fact));
    let same = same.into_iter().map(|fact| entry(&taken_over, fact));
    let after = after.into_iter().map(|fact| entry("", fact));
    Decision { entries: before.chain(submitted.entries).chain(same).chain(after).collect(), answer: submitted.answer }
}

/// What becomes of a rollout whose place is taken.
#[derive(Default)]
struct End {
    /// Written down before the new one.
    before: Vec<Fact>,
    /// And after it.
    after: Vec<Fact>,
    /// What speaks against it.
    findings: Vec<Finding>,
}

/// A rollout is cancelled if nothing has moved for it, else it is superseded. Those whose place a cancelled one had taken are
/// superseded by the new one.
fn end(known: Known<'_>, caller: &Caller, old: &RolloutId, by: &RolloutId) -> Result<End, Decision> {
    let rollout = open_rollout(known, old)?;
    if let Some(other) = superseded_by(known, old) {
        return Err(Decision::answered(Answer::Conflict(format!("{old} is superseded by {other} already"))));
    }
    let mut findings = may_not(known, caller, rollout, "supersede");
    findings.extend(has_ended(known, rollout));
    let superseded = |rollout: &RolloutId| Superseded { rollout: rollout.clone(), by: by.clone() }.into();
    if has_moved(known, rollout, "cancelled").is_some() {
        return Ok(End { before: vec![], after: vec![superseded(old)], findings });
    }
    let earlier = known.world.successors.before(old).map(superseded).collect();
    Ok(End { before: vec![Cancelled { rollout: old.clone() }.into()], after: earlier, findings })
}

/// What is said of a new rollout as it is said of another one, and the rights that whoever asks lacks for it.
fn same(
    known: Known<'_>,
    caller: &Caller,
    like: &Rollout,
    id: &RolloutId,
    (title, parts): (&str, &[Part]),
) -> (Vec<Fact>, Vec<Finding>) {
    let world = known.world;
    let lacking = |right: Right| right.lacking_at(caller, parts.iter().map(|part| &part.dist), title);
    let (mut facts, mut findings): (Vec<Fact>, Vec<Finding>) = (vec![], vec![]);
    let attributes = world.attributes.said(&like.id);
    if attributes != Attributes::default() {
        findings.extend(lacking(rights::DESCRIBE));
        facts.push(Described { rollout: id.clone(), attributes }.into());
    }
    let links: Vec<Fact> = world
        .dossiers
        .of(&like.id)
        .into_iter()
        .flat_map(|dossier| &dossier.links)
        .map(|(what, url)| Linked { rollout: id.clone(), what: what.clone(), url: Some(url.clone()) }.into())
        .collect();
    if !links.is_empty() {
        findings.extend(lacking(rights::NOTES));
        facts.extend(links);
    }
    // A team that has left the registry is not asked again.
    let asked = world.adopters.of(&like.id).filter(|(team, _)| world.teams.get(team).is_some());
    let asked = asked.filter_map(|(team, adopter)| Some((team.clone(), adopter.asked.as_ref()?.beta)));
    let teams: Vec<Fact> = asked.map(|(team, beta)| Assigned { rollout: id.clone(), team, beta }.into()).collect();
    if !teams.is_empty() {
        findings.extend(lacking(rights::ASSIGN));
        facts.extend(teams);
    }
    (facts, findings)
}
