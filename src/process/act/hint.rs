//! What a tracker says.
//!
//! It is logged first (S0: the state of the ticket is what counts). A step that only has to wait is kept as the rollout's
//! *wanted* state and tried again when something has changed; one that can never happen is logged as declined.

use jiff::SignedDuration;

use crate::domain::gate::{Finding, Judgement, Verdict};
use crate::domain::names::{Actor, RolloutId};
use crate::domain::rollout::Rollout;
use crate::domain::workflow::NoStep;
use crate::process::decision::{Answer, Decision, Entry, Outcome, STALE};
use crate::process::fact::Fact;
use crate::process::fact::rollout::{Awaits, Declined};
use crate::process::fact::ticket::Heard;
use crate::process::gate::Case;
use crate::process::input::Hint;
use crate::process::known::Known;
use crate::process::who::{Caller, Channel};
use crate::process::world::Words;

/// How far a tracker's clock may be ahead of ours. A later date would overtake whatever that tracker says until then.
pub const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(5);

/// Logs a hint, and does what it says as far as possible.
pub(in crate::process) fn heard(known: Known<'_>, hint: &Hint) -> Decision {
    let Known { world, rules, now, .. } = known;
    let now = now.wall;
    let actor = Actor::recorded(&format!("{}:{}", hint.hook, hint.actor));
    let words = Words::of(&hint.rollout, &hint.state);
    match world.tickets.heard(&hint.hook, &hint.delivery) {
        Some(known) if known == words => return Decision::answered(Answer::Repeated),
        Some(_) => {
            let why = "a delivery with this id but different content was received before; nothing was changed; \
                       each delivery needs its own id";
            return Decision::answered(Answer::Reused(why.to_owned()));
        }
        None => {}
    }
    if let Some(said) = hint.at.filter(|said| said.duration_since(now) > AHEAD_MAX) {
        let why = format!(
            "`at` is {said}, but here it is {now}: more than {} minutes in the future, so nothing was changed; \
             correct the tracker's clock, or this machine's, and send it again",
            AHEAD_MAX.as_mins()
        );
        return Decision::answered(Answer::Ahead(why));
    }
    let entry = |fact: Fact| Entry { who: actor.clone(), why: format!("delivery {}", hint.delivery), fact };
    let mut entries = vec![entry(Fact::Heard(Heard {
        hook: hint.hook.clone(),
        delivery: hint.delivery.clone(),
        rollout: hint.rollout.clone(),
        state: hint.state.clone(),
        at: hint.at,
    }))];
    let not_taken = |findings: &[Finding]| {
        let (rollout, state) = (hint.rollout.clone(), hint.state.clone());
        Fact::Declined(Declined { rollout, state, findings: pairs(findings) })
    };
    let rollout = hint.rollout.parse::<RolloutId>().ok().and_then(|id| world.rollouts.get(&id));
    if world.tickets.is_stale(&hint.hook, &hint.rollout, hint.at) {
        let sentence =
            format!("{} has already sent something newer about {}; nothing was changed.", hint.hook, hint.rollout);
        entries.push(entry(not_taken(&[Finding::new(Verdict::Reject, STALE, sentence)])));
    } else if let (Some(rollout), Some(hook)) = (rollout, rules.hooks.get(&hint.hook)) {
        let caller = hook.speaking_for(actor.clone(), hint.hook.clone());
        entries.extend(toward(known, rollout, &caller, &hint.state).map(entry));
    } else {
        let finding = Finding::new(
            Verdict::Reject,
            "no_rollout",
            format!("There is no rollout {}.", hint.rollout.escape_default()),
        );
        entries.push(entry(not_taken(&[finding])));
    }
    let outcome = Outcome::of(entries.get(1).map(|entry| &entry.fact));
    Decision { entries, answer: Some(Answer::Remembered(outcome)) }
}

/// The fact that follows from a tracker's wish: moved, awaited or refused; none when it is there already.
pub(in crate::process) fn toward(known: Known<'_>, rollout: &Rollout, caller: &Caller, state: &str) -> Option<Fact> {
    let case = Case::new(known, rollout, caller, state);
    let judged = case.judge();
    match &case.step {
        Err(NoStep::Already(_)) => None,
        Ok(transition) => Some(match judged.verdict {
            Verdict::Pass => case.moved(transition, "").0.fact,
            Verdict::Wait => Awaits {
                rollout: rollout.id.clone(),
                state: transition.to.to_string(),
                hook: match &caller.via {
                    Channel::Hook(hook) => Some(hook.clone()),
                    Channel::Api => None,
                },
                not_before: judged.not_before(),
                opens: judged.opens(),
                findings: pairs(&judged.findings),
            }
            .into(),
            Verdict::NeedsAdmin | Verdict::Reject => refusal(rollout, state, &judged),
        }),
        Err(_) => Some(refusal(rollout, state, &judged)),
    }
}

fn refusal(rollout: &Rollout, state: &str, judged: &Judgement) -> Fact {
    Declined { rollout: rollout.id.to_string(), state: state.to_owned(), findings: pairs(&judged.findings) }.into()
}

fn pairs(findings: &[Finding]) -> Vec<(String, String)> {
    let telling = findings.iter().filter(|f| f.verdict != Verdict::Pass);
    telling.map(|f| (f.code.to_owned(), f.sentence.clone())).collect()
}
