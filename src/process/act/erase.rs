//! Somebody is erased from the register of people.

use crate::domain::gate::{Finding, Verdict};
use crate::domain::names::{Actor, Role};
use crate::domain::people::PersonId;
use crate::process::decision::{Answer, Decision, Entry};
use crate::process::fact::person::Erased;
use crate::process::known::Known;
use crate::process::who::Caller;

/// Erases somebody, named by id or by identity. The register follows the fact: whoever logs the fact makes the register
/// agree with it.
pub(in crate::process) fn erase(known: Known<'_>, caller: &Caller, person: &str, reason: &str) -> Decision {
    let mut findings = Vec::new();
    if !caller.may(&[Role::ADMIN], None) {
        findings.push(Finding::new(Verdict::NeedsAdmin, "role", "Only admin may erase people."));
    }
    if reason.trim().is_empty() {
        let sentence = "Erasing somebody needs a reason. It stays in the logbook, so it must not name them.";
        findings.push(Finding::new(Verdict::Reject, "no_reason", sentence));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    let by_identity = || person.parse::<Actor>().ok().and_then(|identity| known.people.id_of(&identity));
    let Some(id) = PersonId::read(person).or_else(by_identity) else {
        return Decision::answered(Answer::NotFound(format!(
            "the register has no {person}; give the whole identity, such as `rt:jane`. People whose entries are older than the register are not in it"
        )));
    };
    let persons = &known.world.persons;
    if persons.is_erased(id) {
        return Decision::answered(Answer::Conflict(format!("{id} was erased already")));
    }
    // Somebody missing in this register may be in another copy of it.
    if known.people.get(id).is_none() && !persons.has(id) {
        return Decision::answered(Answer::NotFound(format!("there is no person {id}")));
    }
    let fact = Erased { person: id }.into();
    Decision {
        entries: vec![Entry { who: caller.who.clone(), why: reason.to_owned(), fact }],
        answer: Some(Answer::Erased(id)),
    }
}
