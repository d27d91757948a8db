//! The files, directories and dated exceptions that the configuration mentions.
//!
//! The readers record everything valid here, so that `check` can check it even if something else is wrong. Nothing here
//! accesses the disk.

use std::path::PathBuf;

use super::settings::Adopted;
use super::values;
use crate::domain::names::{DistPath, Role, TreeName};
use crate::domain::trust::Legacy;
use crate::format::complaint::Spot;
use crate::format::document::Value;

/// How a secret is written.
pub const SECRET_EXAMPLE: &str = "secret = { file = \"/etc/rolloutd/secrets/NAME\" }";

/// The purpose of a file or directory in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `site.root`
    Root,
    /// `site.state`
    State,
    /// `site.incoming`, given or by default
    Incoming,
    /// A public key in the ring of `trees` of the distribution with this number in the file.
    Ring {
        /// Number of the distribution in the file, from 0.
        distribution: usize,
        /// The trees that trust it.
        trees: Vec<TreeName>,
    },
    /// `signing.key`
    SigningKey,
    /// A secret shared with a tracker.
    Secret,
    /// An API token.
    Token,
    /// A file of holidays.
    Holidays,
    /// A procedure file.
    Procedure {
        /// Number of the distribution in the file, from 0.
        distribution: usize,
    },
}

/// A file or directory in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// What it is for.
    pub purpose: Purpose,
    /// Absolute.
    pub path: PathBuf,
    /// Where it is mentioned.
    pub at: Spot,
}

/// A dated exception and its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Number of the distribution in the file, from 0.
    pub distribution: usize,
    /// The exception.
    pub legacy: Legacy,
    /// The position of its key.
    pub key_at: Spot,
    /// The position of its date.
    pub at: Spot,
}

/// A dated exception for adopted packages, and the position of its date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptedException {
    /// Number of the distribution in the file, from 0.
    pub distribution: usize,
    /// The exception.
    pub adopted: Adopted,
    /// The position of its date.
    pub at: Spot,
}

/// Who has a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// The actor of the token with this number in the file, from 0.
    Person(usize),
    /// Any number of people: a group, or those for whom a webhook speaks.
    Many,
}

/// A role that somebody has, and its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The role.
    pub role: Role,
    /// Who has it.
    pub holder: Holder,
    /// The distributions in which it holds; all of them if there are none.
    pub dists: Vec<DistPath>,
    /// The position of its name.
    pub at: Spot,
}

impl Granted {
    /// Whether somebody has this role in a distribution, at least for some stack.
    pub fn is_in(&self, role: &Role, dist: &DistPath) -> bool {
        self.role == *role && (self.dists.is_empty() || self.dists.contains(dist))
    }
}

/// What the readers have recorded.
#[derive(Debug, Default)]
pub struct Notebook {
    /// Every valid file and directory, in the order of reading.
    pub mentions: Vec<Mention>,
    /// Every valid dated exception.
    pub exceptions: Vec<Exception>,
    /// The same for adopted packages.
    pub adopted: Vec<AdoptedException>,
    /// Every valid name of a role; the procedures decide which roles there are.
    pub roles: Vec<Granted>,
    /// Every distribution in which a role holds.
    pub granted_in: Vec<(DistPath, Spot)>,
}

impl Notebook {
    /// An absolute path.
    pub fn path(&mut self, value: &Value<'_, '_>, purpose: Purpose) -> Option<PathBuf> {
        let path = value.read(values::absolute)?;
        self.mentions.push(Mention { purpose, path: path.clone(), at: value.spot() });
        Some(path)
    }

    /// A path that is not written, at the position of the value that it follows from.
    pub fn implied(&mut self, path: PathBuf, purpose: Purpose, at: Spot) -> PathBuf {
        self.mentions.push(Mention { purpose, path: path.clone(), at });
        path
    }

    /// `{ file = ".." }`; a secret in the configuration itself is refused.
    pub fn secret(&mut self, value: &Value<'_, '_>, purpose: Purpose) -> Option<PathBuf> {
        if value.is_text() {
            let what = "this is the secret itself, and everybody who can read the configuration can see it";
            value.complain(what, Some(format!("put it into a file of its own: {SECRET_EXAMPLE}")));
            return None;
        }
        let mut section = value.section()?;
        let file = section.need("file", SECRET_EXAMPLE).and_then(|v| self.path(&v, purpose));
        section.close();
        file
    }
}
