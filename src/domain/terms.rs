//! Gates as procedures name them: each with the terms that the procedure chooses.
//!
//! Which gates there are is a matter of `process/gate`. What a gate takes is written down here as data, so that a
//! procedure file is checked before anything is judged.

use std::collections::BTreeMap;
use std::time::Duration;

/// What a procedure has to say when it names a gate.
#[derive(Clone, Copy, Debug)]
pub struct GateForm {
    /// Its name in procedure files.
    pub name: &'static str,
    /// Its terms; all of them are needed.
    pub terms: &'static [TermForm],
    /// Whether it stands only in a transition that moves packages, as it would ask nothing in another one.
    pub of_moves: bool,
}

/// A parameter of a gate.
#[derive(Clone, Copy, Debug)]
pub struct TermForm {
    /// Its key.
    pub name: &'static str,
    /// What it is.
    pub kind: TermKind,
    /// How it is written, for complaints.
    pub example: &'static str,
}

/// What a term is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermKind {
    /// A time span, such as `7d`.
    Duration,
}

/// A term as a procedure has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// A time span.
    Duration(Duration),
}

/// A gate that a transition names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Its name.
    pub name: &'static str,
    /// Its terms.
    pub terms: Terms,
}

/// The terms of a gate, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms(BTreeMap<&'static str, Term>);

impl Terms {
    /// Those of a gate that has none.
    pub const NONE: &Self = &Self(BTreeMap::new());

    /// A time span; `None` where the gate has no such term.
    pub fn duration(&self, name: &str) -> Option<Duration> {
        self.0.get(name).map(|Term::Duration(span)| *span)
    }
}

impl FromIterator<(&'static str, Term)> for Terms {
    fn from_iter<I: IntoIterator<Item = (&'static str, Term)>>(terms: I) -> Self {
        Self(terms.into_iter().collect())
    }
}
