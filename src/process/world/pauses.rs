//! When no time passes for a rollout: it is on hold, or the change is that it carries out (S3-08).

use std::time::Duration;

use imbl::Vector;
use serde::{Deserialize, Serialize};

use super::World;
use crate::domain::moment::Elapsed;
use crate::domain::names::RolloutId;

/// Pauses that are kept of one rollout. Of more the oldest two count as one, with what was between them.
const PAUSES_KEPT: usize = 100;

/// When something stood still, by elapsed time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pauses {
    /// Since when it does now.
    since: Option<Elapsed>,
    /// The pauses that are over, in order.
    over: Vector<(Elapsed, Elapsed)>,
}

impl Pauses {
    pub(super) fn begin(&mut self, at: Elapsed) {
        self.since.get_or_insert(at);
    }

    /// Whether there was one to end.
    pub(super) fn end(&mut self, at: Elapsed) -> bool {
        let Some(since) = self.since.take() else { return false };
        self.over.push_back((since, at.max(since)));
        if self.over.len() > PAUSES_KEPT
            && let (Some(first), Some(second)) = (self.over.pop_front(), self.over.pop_front())
        {
            self.over.push_front((first.0, second.1));
        }
        true
    }

    /// All of them; one that goes on lasts until then.
    pub(super) fn spans(&self, until: Elapsed) -> impl Iterator<Item = (Elapsed, Elapsed)> {
        self.over.iter().copied().chain(self.since.map(|since| (since, until)))
    }

    /// Whether something is dated later than this.
    pub(super) fn is_ahead(&self, now: Elapsed) -> bool {
        self.since.is_some_and(|since| since > now) || self.over.iter().any(|(_, end)| *end > now)
    }

    /// Whatever a clock that was ahead has dated later than `now` counts from now on.
    pub(super) fn wait_from(&mut self, now: Elapsed) {
        self.since = self.since.map(|since| since.min(now));
        for (begin, end) in &mut self.over {
            (*begin, *end) = ((*begin).min(now), (*end).min(now));
        }
    }
}

/// How much of the time between two moments is in at least one of these spans.
pub(super) fn covered(spans: impl Iterator<Item = (Elapsed, Elapsed)>, from: Elapsed, until: Elapsed) -> Duration {
    let mut spans: Vec<_> = spans.map(|(begin, end)| (begin.max(from), end.min(until))).collect();
    spans.sort_unstable();
    let (mut sum, mut done) = (Duration::ZERO, from);
    for (begin, end) in spans {
        sum = sum.saturating_add(Duration::try_from(end.since(begin.max(done))).unwrap_or_default());
        done = done.max(end);
    }
    sum
}

impl World {
    /// Whether no time passes for a rollout now.
    pub fn is_paused(&self, rollout: &RolloutId) -> bool {
        self.stands_still(rollout).is_some()
    }

    /// What is on hold if no time passes for a rollout now: itself, or the change that it carries out.
    pub fn stands_still(&self, rollout: &RolloutId) -> Option<String> {
        let own = self.dossiers.of(rollout).filter(|dossier| dossier.stalled.is_some()).map(|_| rollout.to_string());
        own.or_else(|| self.requests.stalled(rollout).map(ToString::to_string))
    }

    /// For how long no time passed for a rollout between two moments.
    pub fn paused(&self, rollout: &RolloutId, from: Elapsed, until: Elapsed) -> Duration {
        let own = self.dossiers.of(rollout).map(|dossier| &dossier.pauses);
        let both = own.into_iter().chain(self.requests.pauses(rollout));
        covered(both.flat_map(|pauses| pauses.spans(until)), from, until)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn at(second: i64) -> Elapsed {
        Elapsed::recorded(Timestamp::from_second(second).expect("a time"))
    }

    fn within(pauses: &Pauses, from: i64, until: i64) -> u64 {
        covered(pauses.spans(at(until)), at(from), at(until)).as_secs()
    }

    #[test]
    fn what_stood_still_counts_as_far_as_it_was_within_a_wait() {
        let mut pauses = Pauses::default();
        assert!(!pauses.end(at(5)));
        pauses.begin(at(10));
        pauses.begin(at(12));
        assert_eq!((within(&pauses, 0, 15), within(&pauses, 12, 15), within(&pauses, 0, 9)), (5, 3, 0));
        assert!(pauses.end(at(20)));
        pauses.begin(at(30));
        assert_eq!((within(&pauses, 0, 29), within(&pauses, 15, 35), within(&pauses, 40, 50)), (10, 10, 10));
        assert!(pauses.is_ahead(at(25)));
        pauses.wait_from(at(25));
        assert!(!pauses.is_ahead(at(25)));
        assert_eq!((within(&pauses, 0, 26), within(&pauses, 0, 20)), (11, 10));
    }

    #[test]
    fn many_pauses_are_never_less_than_they_were() {
        let mut pauses = Pauses::default();
        for n in 0..300 {
            pauses.begin(at(n * 10));
            pauses.end(at(n * 10 + 4));
        }
        assert_eq!(pauses.over.len(), PAUSES_KEPT);
        assert!(within(&pauses, 0, 3_000) >= 20 * 60);
    }

    #[test]
    fn two_pauses_at_once_are_one() {
        let spans = [(10, 20), (15, 30), (0, 5), (16, 18)].map(|(begin, end)| (at(begin), at(end)));
        assert_eq!(covered(spans.into_iter(), at(2), at(25)).as_secs(), 3 + 15);
    }
}
