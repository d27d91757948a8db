//! Which request led to what: every log line about a request, from its receipt to the publication it leads to, has
//! its id.
//!
//! A request has its id while it is handled, an input that of the request it comes from, and a piece of work that of the
//! request whose step it carries out. A step that a tracker asks for too early keeps the id until it is taken. None of
//! this is written down: what goes on after a restart has the number of its plan, which is that of its logbook entry.

use std::collections::BTreeMap;
use std::fmt;

use tokio::task_local;
use tracing::Span;
use tracing::field;

use crate::domain::names::{DistPath, RolloutId};
use crate::process::agenda::Work;
use crate::process::fact::Fact;
use crate::process::fact::rollout::{Awaits, Done, Moved};
use crate::process::input::Input;

task_local! {
    static REQUEST: RequestId;
}

/// The id of a request. No two that stand in the log at the same time have the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId([u8; 6]);

impl RequestId {
    /// A new one.
    pub fn fresh() -> Self {
        let mut id = [0; 6];
        // Without random numbers all requests look alike in the log, and nothing else depends on it.
        let _ = aws_lc_rs::rand::fill(&mut id);
        Self(id)
    }

    /// The request that is being handled here.
    pub fn current() -> Option<Self> {
        REQUEST.try_with(|id| *id).ok()
    }

    /// Handles it.
    pub async fn during<T>(self, handling: impl Future<Output = T>) -> T {
        REQUEST.scope(self, handling).await
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", hex::encode(self.0))
    }
}

/// The requests whose steps are waited for or carried out.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// The request behind the input or the step that is being handled.
    now: Option<RequestId>,
    /// Steps that trackers asked for and that are not possible yet.
    wishes: BTreeMap<RolloutId, RequestId>,
    /// Plans that are being carried out.
    moves: BTreeMap<RolloutId, RequestId>,
}

impl Trail {
    /// An input is handled, or something else that comes from this request; the span of all that is said meanwhile.
    pub(super) fn begins(&mut self, input: &Input, from: Option<RequestId>) -> Span {
        self.now = from;
        let (kind, work) = match input {
            Input::Asked(..) => ("asked", None),
            Input::Heard(_) => ("heard", None),
            Input::Touched(_) => ("touched", None),
            Input::WorkEnded(work, _) => ("ended", Some(work)),
            Input::Altered(_) => ("altered", None),
            Input::Reloaded(_) => ("reloaded", None),
            // It comes every second.
            Input::Tick => return Span::none(),
        };
        let (work, plan) = (work.map(Work::label), work.and_then(number));
        tracing::info_span!("input", kind, work, plan, request = from.map(field::display))
    }

    /// A step that was asked for earlier is judged again.
    pub(super) fn judges(&mut self, rollout: &RolloutId) -> Span {
        self.now = self.wishes.get(rollout).copied();
        tracing::info_span!("wish", %rollout, request = self.now.map(field::display))
    }

    /// An entry was written down.
    pub(super) fn note(&mut self, fact: &Fact) {
        match fact {
            Fact::Awaits(Awaits { rollout, .. }) => put(&mut self.wishes, rollout, self.now),
            Fact::Moved(Moved { rollout, plan, .. }) => {
                self.wishes.remove(rollout);
                put(&mut self.moves, rollout, self.now.filter(|_| plan.is_some()));
            }
            Fact::Done(Done { rollout: Some(rollout), .. }) => drop(self.moves.remove(rollout)),
            _ => {}
        }
    }

    /// The request whose step a piece of work carries out, and the span of all that is said meanwhile.
    pub(super) fn works(&self, work: &Work) -> (Span, Option<RequestId>) {
        let request =
            work.plan().and_then(|(_, plan)| plan.rollouts().find_map(|rollout| self.moves.get(rollout))).copied();
        let dists = work.dists().map(DistPath::as_str).collect::<Vec<_>>().join(",");
        let dist = Some(dists).filter(|dists| !dists.is_empty());
        (
            tracing::info_span!(
                "work",
                label = work.label(),
                dist,
                plan = number(work),
                request = request.map(field::display)
            ),
            request,
        )
    }
}

/// The number of the plan that a piece of work carries out.
fn number(work: &Work) -> Option<u64> {
    work.plan().map(|(number, _)| number)
}

fn put(all: &mut BTreeMap<RolloutId, RequestId>, rollout: &RolloutId, request: Option<RequestId>) {
    match request {
        Some(request) => drop(all.insert(rollout.clone(), request)),
        None => drop(all.remove(rollout)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::process::fact::samples::{every_fact, of_several};

    #[test]
    fn a_wish_and_the_work_on_a_plan_come_from_the_request_that_asked_for_them() {
        let mut trail = Trail::default();
        let (early, other) = (RequestId::fresh(), RequestId::fresh());
        assert_ne!(early, other);
        let facts: Vec<Fact> = every_fact().into_iter().chain(of_several()).collect();
        let awaits = facts.iter().find(|fact| matches!(fact, Fact::Awaits(_))).expect("one waits");
        let moved = facts.iter().find_map(|fact| match fact {
            Fact::Moved(Moved { rollout, plan: Some(plan), .. }) => Some((fact, rollout, Arc::new(plan.clone()))),
            _ => None,
        });
        let (moved, rollout, plan) = moved.expect("one moves");
        let Fact::Awaits(Awaits { rollout: waiting, .. }) = awaits else { panic!("it waits") };
        assert_eq!(waiting, rollout);
        let work = Work::Stage(8, plan);

        // An input without a request leaves nothing behind.
        trail.begins(&Input::Tick, None);
        trail.note(awaits);
        trail.note(moved);
        assert_eq!(trail.works(&work).1, None);

        trail.begins(&Input::Tick, Some(early));
        trail.note(awaits);
        trail.begins(&Input::Tick, Some(other));
        trail.judges(rollout);
        trail.note(moved);
        assert_eq!(trail.works(&work).1, Some(early));
        trail.judges(rollout);
        assert_eq!(trail.now, None, "the wish was taken");
        trail.note(&Fact::Done(Done { plan: 8, rollout: Some(rollout.clone()) }));
        assert_eq!(trail.works(&work).1, None);
        assert!(trail.wishes.is_empty() && trail.moves.is_empty());
    }

    #[tokio::test]
    async fn a_request_has_its_id_while_it_is_handled_and_no_longer() {
        let id = RequestId::fresh();
        assert_eq!(id.during(async { RequestId::current() }).await, Some(id));
        assert_eq!(RequestId::current(), None);
        assert_eq!(id.to_string().len(), 12);
    }
}
