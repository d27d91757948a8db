//! What the configuration names and the disk holds: files, directories, dated exceptions.
//!
//! The readers write down everything legible here, so that `check` can look at it also when something
//! else is wrong. Nothing here looks at the disk itself.

use std::path::PathBuf;

use super::settings::Adopted;
use super::values;
use crate::domain::names::TreeName;
use crate::domain::trust::Legacy;
use crate::format::complaint::Spot;
use crate::format::document::Value;

/// How a secret is written.
pub const SECRET_EXAMPLE: &str = "secret = { file = \"/etc/rolloutd/secrets/NAME\" }";

/// What a file or directory that the configuration names is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `site.root`
    Root,
    /// `site.state`
    State,
    /// `site.incoming`, given or meant
    Incoming,
    /// A public key of the ring of `trees` of the distribution with this number in the file.
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
    /// A procedure file.
    Procedure {
        /// Number of the distribution in the file, from 0.
        distribution: usize,
    },
}

/// A file or directory that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// What it is for.
    pub purpose: Purpose,
    /// Absolute.
    pub path: PathBuf,
    /// Where it is named.
    pub at: Spot,
}

/// A dated exception and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Number of the distribution in the file, from 0.
    pub distribution: usize,
    /// The exception.
    pub legacy: Legacy,
    /// Where its key stands.
    pub key_at: Spot,
    /// Where its date stands.
    pub at: Spot,
}

/// A dated exception for what was adopted, and where its date stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptedException {
    /// Number of the distribution in the file, from 0.
    pub distribution: usize,
    /// The exception.
    pub adopted: Adopted,
    /// Where its date stands.
    pub at: Spot,
}

/// What the readers have come across.
#[derive(Debug, Default)]
pub struct Notebook {
    /// Every file and directory that was named legibly, in the order of reading.
    pub mentions: Vec<Mention>,
    /// Every dated exception that was legible.
    pub exceptions: Vec<Exception>,
    /// The same of those for what was adopted.
    pub adopted: Vec<AdoptedException>,
}

impl Notebook {
    /// An absolute path.
    pub fn path(&mut self, value: &Value<'_, '_>, purpose: Purpose) -> Option<PathBuf> {
        let path = value.read(values::absolute)?;
        self.mentions.push(Mention { purpose, path: path.clone(), at: value.spot() });
        Some(path)
    }

    /// A path that is not written: where what it follows from stands.
    pub fn implied(&mut self, path: PathBuf, purpose: Purpose, at: Spot) -> PathBuf {
        self.mentions.push(Mention { purpose, path: path.clone(), at });
        path
    }

    /// `{ file = ".." }`; a secret that stands in the configuration itself is refused.
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
