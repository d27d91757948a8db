//! Gates as procedures name them: each with the terms that the procedure chooses.
//!
//! `process/gate` defines which gates there are. What a gate requires is described here as data, so that a procedure
//! file is checked before anything is judged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::attributes::Importance;
use super::names::{CheckName, LinkName, Role, TreeName};

/// What a procedure has to specify for a gate.
#[derive(Clone, Copy, Debug)]
pub struct GateForm {
    /// Its name in procedure files.
    pub name: &'static str,
    /// Its terms.
    pub terms: &'static [TermForm],
    /// Whether it has nothing to check in a transition that moves no packages, unless [`IN`] names a tree.
    pub of_moves: bool,
}

/// A parameter of a gate.
#[derive(Clone, Copy, Debug)]
pub struct TermForm {
    /// Its key.
    pub name: &'static str,
    /// Its type.
    pub kind: TermKind,
    /// Whether it has to be there.
    pub required: bool,
    /// How it is written, for complaints.
    pub example: &'static str,
}

/// The type of a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermKind {
    /// A time span, such as `7d`.
    Duration,
    /// A tree of the distribution.
    Tree,
    /// A number from 1 to 1,000.
    Count,
    /// True or false; false where it is left out.
    Flag,
    /// Roles, at least one.
    Roles,
    /// Documents that are linked, at least one.
    Links,
    /// What people look at and tick, at least one.
    Checks,
    /// How much rollouts matter, at least one of the words.
    Importance,
}

/// The tree that a gate looks at where nothing is moved; a transition that moves packages says it itself.
pub const IN: TermForm = TermForm { name: "in", kind: TermKind::Tree, required: false, example: "in = \"testing\"" };

/// For rollouts of which importance a gate is asked: for all if it is left out. Every gate may have it (S3-44).
pub const IMPORTANCE: TermForm =
    TermForm { name: "importance", kind: TermKind::Importance, required: false, example: "importance = [\"major\"]" };

/// The value of a term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// A time span.
    Duration(Duration),
    /// A tree.
    Tree(TreeName),
    /// A number.
    Count(usize),
    /// True or false.
    Flag(bool),
    /// Roles.
    Roles(BTreeSet<Role>),
    /// Documents that are linked.
    Links(BTreeSet<LinkName>),
    /// What people look at and tick.
    Checks(BTreeSet<CheckName>),
    /// How much rollouts matter.
    Importance(BTreeSet<Importance>),
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
        match self.0.get(name) {
            Some(Term::Duration(span)) => Some(*span),
            _ => None,
        }
    }

    /// A number; `None` if the gate has no such term.
    pub fn count(&self, name: &str) -> Option<usize> {
        match self.0.get(name) {
            Some(Term::Count(count)) => Some(*count),
            _ => None,
        }
    }

    /// Whether a flag is set.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(Term::Flag(true)))
    }

    /// Roles; none if the gate has no such term.
    pub fn roles(&self, name: &str) -> impl Iterator<Item = &Role> {
        let roles = match self.0.get(name) {
            Some(Term::Roles(roles)) => Some(roles),
            _ => None,
        };
        roles.into_iter().flatten()
    }

    /// Documents that are linked; none if the gate has no such term.
    pub fn links(&self, name: &str) -> impl Iterator<Item = &LinkName> {
        let links = match self.0.get(name) {
            Some(Term::Links(links)) => Some(links),
            _ => None,
        };
        links.into_iter().flatten()
    }

    /// What people look at and tick; nothing if the gate has no such term.
    pub fn checks(&self, name: &str) -> impl Iterator<Item = &CheckName> {
        let checks = match self.0.get(name) {
            Some(Term::Checks(checks)) => Some(checks),
            _ => None,
        };
        checks.into_iter().flatten()
    }

    /// Whether the gate is asked for rollouts that matter so much.
    pub fn apply_to(&self, importance: Importance) -> bool {
        match self.0.get(IMPORTANCE.name) {
            Some(Term::Importance(those)) => those.contains(&importance),
            _ => true,
        }
    }

    /// The tree that [`IN`] names, if it is there.
    pub fn tree(&self) -> Option<&TreeName> {
        self.tree_of(IN.name)
    }

    /// A tree; `None` if the gate has no such term.
    pub fn tree_of(&self, name: &str) -> Option<&TreeName> {
        match self.0.get(name) {
            Some(Term::Tree(tree)) => Some(tree),
            _ => None,
        }
    }

    /// All trees that are named.
    pub fn trees(&self) -> impl Iterator<Item = &TreeName> {
        self.0.values().filter_map(|term| match term {
            Term::Tree(tree) => Some(tree),
            _ => None,
        })
    }
}

impl FromIterator<(&'static str, Term)> for Terms {
    fn from_iter<I: IntoIterator<Item = (&'static str, Term)>>(terms: I) -> Self {
        Self(terms.into_iter().collect())
    }
}
