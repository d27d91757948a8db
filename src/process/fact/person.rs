//! Facts about people.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Kind, Subject};
use crate::domain::people::PersonId;

/// Somebody was erased from the register of people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erased {
    /// The id that the logbook has for them, and that leads to nobody from then on.
    pub person: PersonId,
}

impl Kind for Erased {
    const NAME: &'static str = "person.erased";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Person(self.person)]
    }
}

impl fmt::Display for Erased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "erased {} from the register of people", self.person)
    }
}
