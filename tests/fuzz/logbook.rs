//! Rows of the logbook, one a line, as they may lie there after a disk or a person had their way with them.
//!
//! - What is read is written and read again to the same, and written the same once more.
//! - Every fact has its sentence of one line.
//! - What is no fact says why; a newer format is refused by its number.
//! - Whatever the facts are and in whatever order they come, they can be folded into a world, and what was written
//!   and read again folds into the same world.

use jiff::{SignedDuration, Timestamp};
use rolloutd::process::fact::{self, ENTRY_FORMAT, Fact};
use rolloutd::process::world::World;
use serde_json::Value;

use super::Outcome;

pub fn target(data: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(data);
    let facts: Vec<Fact> = text.split('\n').filter_map(row).collect();
    let again: Vec<Fact> = facts.iter().filter_map(|fact| fact::read(&fact::write(fact)).ok()).collect();
    assert_eq!(folded(&facts), folded(&again), "the same world");
    if facts.is_empty() { Outcome::Refused } else { Outcome::Taken }
}

fn row(body: &str) -> Option<Fact> {
    let fact = match fact::read(body) {
        Ok(fact) => fact,
        Err(why) => {
            assert!(!why.is_empty());
            return None;
        }
    };
    let written = fact::write(&fact);
    let again = fact::read(&written);
    assert_eq!(again.as_ref(), Ok(&fact), "read, written and read");
    assert_eq!(fact::write(&fact), written, "written twice");
    assert!(!written.contains('\n'), "a row is a line");
    assert!(!fact.to_string().is_empty());
    let mut newer: Value = serde_json::from_str(&written).expect("what we write is JSON");
    newer["v"] = Value::from(ENTRY_FORMAT + 1);
    assert!(fact::read(&newer.to_string()).is_err(), "a newer format");
    let mut more: Value = serde_json::from_str(&written).expect("what we write is JSON");
    more["more"] = Value::from(1);
    assert!(fact::read(&more.to_string()).is_err(), "a field that nobody knows");
    Some(fact)
}

/// What the facts make of an empty world. It has no equality of its own, since nothing but a test compares two.
fn folded(facts: &[Fact]) -> String {
    let mut world = World::default();
    for (seq, fact) in (1..).zip(facts) {
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(i64::try_from(seq).unwrap_or(0));
        world.apply(seq, at, "somebody", fact);
    }
    format!("{world:?}")
}
