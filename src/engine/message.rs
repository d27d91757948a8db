//! What receivers of notices are sent: an entry of the logbook as JSON.
//!
//! ```json
//! {"type": "rollout.moved", "timestamp": "2026-11-29T09:00:00Z",
//!  "data": {"entry": 12, "rollout": "rt-1", "says": "moved rt-1 from ...", "why": "verified by hand", "fact": {...}}}
//! ```
//!
//! It does not say who caused the entry: names of people do not leave the site this way.

use serde::Serialize;

use crate::domain::names::{ChangeId, RolloutId};
use crate::process::fact;
use crate::store::logbook::Recorded;

/// A longer fact is left out; the API has it.
const FACT_MAX: usize = 32 << 10;

#[derive(Serialize)]
struct Message<'a> {
    r#type: &'a str,
    timestamp: jiff::Timestamp,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    entry: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollout: Option<&'a RolloutId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<&'a ChangeId>,
    says: String,
    why: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fact: Option<serde_json::Value>,
}

/// The body that is sent for an entry.
///
/// # Errors
/// Why the entry cannot be read.
pub(super) fn body(
    entry: &Recorded,
    (rollout, change): (Option<&RolloutId>, Option<&ChangeId>),
) -> Result<Vec<u8>, String> {
    let fact = fact::read(&entry.draft.body)?;
    let data = Data {
        entry: entry.seq,
        rollout,
        change,
        says: fact.to_string(),
        why: &entry.draft.why,
        fact: Some(fact.to_value()).filter(|_| entry.draft.body.len() <= FACT_MAX),
    };
    let message = Message { r#type: fact.kind(), timestamp: entry.draft.at, data };
    serde_json::to_vec(&message).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::checksum::Sha256;
    use crate::process::fact::samples;
    use crate::store::logbook::Draft;

    fn of(fact: &fact::Fact) -> String {
        let (who, why) = ("jane@example.org".to_owned(), "verified by hand".to_owned());
        let draft = Draft { at: jiff::Timestamp::UNIX_EPOCH, who, why, body: fact::write(fact), about: vec![] };
        let entry = Recorded { seq: 12, draft, hash: Sha256([0; 32]) };
        String::from_utf8(body(&entry, ("rt-2".parse().ok().as_ref(), None)).expect("readable")).expect("text")
    }

    #[test]
    fn a_message_says_what_was_done_and_names_nobody() {
        let facts = samples::of_several();
        insta::assert_snapshot!(of(&facts[2]));
        assert!(!of(&facts[0]).contains("jane"));
    }

    #[test]
    fn a_very_long_fact_is_left_out() {
        let mut long = samples::of_several().remove(0);
        if let fact::Fact::Submitted(submitted) = &mut long {
            let packages = (0..2_000).map(|n| format!("p{n}-1-1.noarch").parse().expect("a nevra")).collect();
            submitted.parts[0].packages = packages;
        }
        let told = of(&long);
        assert!(told.len() < 4_000 && !told.contains("\"fact\""), "{told}");
    }
}
