//! What the logbook says about one rollout.
//!
//! An entry is about a rollout when its fact names it as its rollout, or is the end of a plan of such an
//! entry. A tree, a state or a package that happens to be called like the rollout does not count.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;

use crate::process::fact::rollout::Done;
use crate::process::fact::{self, Fact, Subject};
use crate::store::logbook::{LogbookError, Recorded, SqliteLogbook};

/// Tells the entries about one rollout from the others; they must come in order.
struct About<'a> {
    rollout: &'a str,
    /// Numbers of the entries that hold its plans.
    plans: BTreeSet<u64>,
}

impl About<'_> {
    fn is(&mut self, seq: u64, fact: &Fact) -> bool {
        if let Fact::Done(Done { plan, rollout: None }) = fact {
            return self.plans.contains(plan);
        }
        let is_named = Subject::rollout(self.rollout).is_some_and(|this| fact.about().contains(&this));
        if is_named && matches!(fact, Fact::Moved(_)) {
            self.plans.insert(seq);
        }
        is_named
    }
}

/// Up to `limit` entries about a rollout, oldest first: those from number `from` on, or else the newest.
///
/// # Errors
/// When the logbook cannot be read or its chain is broken.
pub fn of_rollout(
    logbook: &Path,
    rollout: &str,
    from: Option<u64>,
    limit: usize,
) -> Result<Vec<Recorded>, LogbookError> {
    let mut about = About { rollout, plans: BTreeSet::new() };
    let mut kept = VecDeque::new();
    SqliteLogbook::walk(logbook, |recorded| {
        // Most entries are about packages and trees; they are not worth reading further.
        let worth = recorded.draft.body.contains("\"rollout\"") || recorded.draft.body.contains("done\"");
        let fact = worth.then(|| fact::read(&recorded.draft.body).ok()).flatten();
        if fact.is_some_and(|fact| about.is(recorded.seq, &fact)) && from.is_none_or(|from| recorded.seq >= from) {
            if kept.len() == limit && from.is_none() {
                kept.pop_front();
            }
            if kept.len() < limit {
                kept.push_back(recorded);
            }
        }
    })?;
    Ok(kept.into())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::plan::Plan;
    use crate::process::fact::daemon::Started;
    use crate::process::fact::rollout::Moved;
    use crate::process::fact::samples::every_fact;
    use crate::store::logbook::{Draft, Logbook as _};

    fn moved(rollout: &str, with_plan: bool) -> Fact {
        let id = rollout.parse().expect("an id");
        let dist = "d".parse().expect("a path");
        let plan = Plan { rollout: id, dist, target: None, items: vec![] };
        let rollout = plan.rollout.clone();
        Fact::Moved(Moved { rollout, from: "a".into(), to: "b".into(), plan: with_plan.then_some(plan) })
    }

    /// As entries up to format 5 have it.
    fn done(plan: u64) -> Fact {
        Fact::Done(Done { plan, rollout: None })
    }

    /// The numbers of the entries about `testing`.
    #[track_caller]
    fn check(facts: &[Fact], from: Option<u64>, limit: usize, expected: &[u64]) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("logbook.sqlite");
        let mut book = SqliteLogbook::open(&path).expect("a new logbook");
        let draft =
            |fact| Draft { at: Timestamp::UNIX_EPOCH, who: "me".into(), why: String::new(), body: fact::write(fact) };
        let drafts: Vec<Draft> = facts.iter().map(draft).collect();
        book.append(book.head(), &drafts).expect("appended");
        let found = of_rollout(&path, "testing", from, limit).expect("read");
        assert_eq!(found.iter().map(|e| e.seq).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_rollout_that_is_called_like_a_tree_is_not_the_tree() {
        let facts = every_fact();
        assert!(facts.iter().any(|fact| fact::write(fact).contains("\"testing\"")));
        check(&facts, None, 100, &[]);
    }

    #[test]
    fn the_end_of_a_plan_is_about_its_rollout() {
        let facts = [moved("other", true), moved("testing", true), done(1), done(2), moved("testing", false)];
        check(&facts, None, 100, &[2, 4, 5]);
    }

    #[test]
    fn the_newest_are_shown_in_order_unless_a_beginning_is_asked_for() {
        let facts: Vec<Fact> = (0..9).map(|_| moved("testing", false)).collect();
        check(&facts, None, 3, &[7, 8, 9]);
        check(&facts, Some(2), 3, &[2, 3, 4]);
        check(&facts, Some(8), 3, &[8, 9]);
        check(&facts, None, 0, &[]);
        let plans = [moved("testing", true), Fact::Started(Started { version: String::new() }), done(1)];
        check(&plans, Some(2), 3, &[3]);
    }
}
