//! Gates as procedures name them: each with the terms that the procedure chooses.
//!
//! `process/gate` defines which gates there are. What a gate requires is described here as data, so that a procedure
//! file is checked before anything is judged.

use std::collections::BTreeMap;
use std::time::Duration;

/// What a procedure has to specify for a gate.
#[derive(Clone, Copy, Debug)]
pub struct GateForm {
    /// Its name in procedure files.
    pub name: &'static str,
    /// Its terms; all of them are required.
    pub terms: &'static [TermForm],
    /// Whether it is only allowed in transitions that move packages, since elsewhere it would have nothing to check.
    pub of_moves: bool,
}

/// A parameter of a gate.
#[derive(Clone, Copy, Debug)]
pub struct TermForm {
    /// Its key.
    pub name: &'static str,
    /// Its type.
    pub kind: TermKind,
    /// How it is written, for complaints.
    pub example: &'static str,
}

/// The type of a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermKind {
    /// A time span, such as `7d`.
    Duration,
}

/// The value of a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// A time span.
    Duration(Duration),
}

/// A gate of a transition.
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
    /// The terms of a gate without any.
    pub const NONE: &Self = &Self(BTreeMap::new());

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Term)> {
        self.0.iter().map(|(name, term)| (*name, term))
    }

    /// A duration; `None` if the gate has no such term.
    pub fn duration(&self, name: &str) -> Option<Duration> {
        self.0.get(name).map(|Term::Duration(span)| *span)
    }
}

impl FromIterator<(&'static str, Term)> for Terms {
    fn from_iter<I: IntoIterator<Item = (&'static str, Term)>>(terms: I) -> Self {
        Self(terms.into_iter().collect())
    }
}
