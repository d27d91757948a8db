//! People, as far as the logbook knows them: the ids that it names, and which of them were erased.
//!
//! Who they are is in the register, of which the world knows nothing.

use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::people::PersonId;
use crate::process::fact::person::Erased;

use super::Stamp;

/// People, as far as the logbook knows them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Persons {
    named: OrdSet<PersonId>,
    /// Who caused the last entry that a person has caused: mostly the next one is theirs, too.
    last: Option<PersonId>,
    erased: OrdMap<PersonId, Timestamp>,
}

impl Persons {
    /// The ids that entries name.
    pub fn named(&self) -> impl Iterator<Item = PersonId> {
        self.named.iter().copied()
    }

    /// Whether an entry names this id.
    pub fn has(&self, id: PersonId) -> bool {
        self.named.contains(&id)
    }

    /// Whether somebody was erased.
    pub fn is_erased(&self, id: PersonId) -> bool {
        self.erased.contains_key(&id)
    }

    /// Who was erased, and when.
    pub fn erased(&self) -> impl Iterator<Item = (PersonId, Timestamp)> {
        self.erased.iter().map(|(id, at)| (*id, *at))
    }

    /// Somebody has caused an entry.
    pub(super) fn acted(&mut self, who: &str) {
        if let Some(id) = PersonId::read(who)
            && self.last.replace(id) != Some(id)
            && !self.named.contains(&id)
        {
            self.named.insert(id);
        }
    }

    pub(super) fn erase(&mut self, stamp: Stamp<'_>, erased: &Erased) {
        self.erased.entry(erased.person).or_insert(stamp.at);
    }
}
