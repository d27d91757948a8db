//! Facts about packages: accepted, refused, given up.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Kind, Subject, count};
use crate::domain::checksum::Sha256;
use crate::domain::names::{DistPath, TreeId, TreeName};
use crate::domain::nevra::Nevra;

/// A package was accepted and lies in the upload tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// The distribution.
    pub dist: DistPath,
    /// The tree in which it lies now.
    pub tree: TreeName,
    /// Identity.
    pub nevra: Nevra,
    /// The bytes.
    pub sha256: Sha256,
    /// Size of the file in bytes.
    pub size: u64,
    /// Certificates that signed it.
    pub signers: Vec<String>,
    /// The very keys of theirs that did; none where it was not written down, before format 5.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Exceptions that were used and other remarks.
    pub notes: Vec<String>,
    /// The source package that it was built from; none where its header names none, or it was not written down (version 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Nevra>,
    /// The path below the tree under which it was uploaded.
    pub upload: String,
}

/// A package that lay in a tree was taken under management where it lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adopted {
    /// The distribution.
    pub dist: DistPath,
    /// The tree.
    pub tree: TreeName,
    /// Where it lies below the tree.
    pub place: String,
    /// Identity.
    pub nevra: Nevra,
    /// The bytes.
    pub sha256: Sha256,
    /// Size of the file in bytes.
    pub size: u64,
    /// Certificates that signed it; none where an exception was needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signers: Vec<String>,
    /// The very keys of theirs that did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Exceptions that were used and other remarks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The code for which the gate would refuse it, where an exception lets it stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excepted: Option<String>,
}

/// A file was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// The distribution.
    pub dist: DistPath,
    /// The path below the tree under which it was uploaded.
    pub upload: String,
    /// The bytes, when they could be read.
    pub sha256: Option<Sha256>,
    /// The stable code.
    pub code: String,
    /// What exactly was found.
    pub detail: String,
}

/// Many files were refused at once for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusedTogether {
    /// The distribution.
    pub dist: DistPath,
    /// The stable code.
    pub code: String,
    /// What exactly was found in the first of them.
    pub detail: String,
    /// The paths under which they were uploaded, and the bytes as far as they could be read: the first of them.
    pub files: Vec<(String, Option<Sha256>)>,
    /// How many more there were.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
}

/// An accepted package was given up, since its bytes are nowhere any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lost {
    /// The distribution.
    pub dist: DistPath,
    /// Identity.
    pub nevra: Nevra,
    /// The bytes that were accepted, for whoever finds them.
    pub sha256: Sha256,
}

/// A package that was withdrawn may come in again, with the bytes that were accepted before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    /// The distribution.
    pub dist: DistPath,
    /// Identity.
    pub nevra: Nevra,
    /// The bytes that were accepted.
    pub sha256: Sha256,
}

/// A package that was allowed to come in again may not do so any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disallowed {
    /// The distribution.
    pub dist: DistPath,
    /// Identity.
    pub nevra: Nevra,
}

/// For serde.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// So many refused files are named in an entry, and of each so many bytes: uploaders choose how many there are and
/// what they are called, and an entry stays.
pub const REFUSED_NAMED: usize = 20;
const PATH_NAMED: usize = 200;

/// The most bytes of what was found in a refused file.
const FOUND_NAMED: usize = 1_000;

/// The beginning of a text, and its end when the middle is left out: names differ at their ends. What it takes is
/// reckoned as it is written down, where a control character takes six bytes.
fn cut(text: &str, most: usize) -> String {
    let takes = |c: char| match c {
        '"' | '\\' => 2,
        c if c.is_ascii_control() => 6,
        c => c.len_utf8(),
    };
    if text.chars().map(takes).sum::<usize>() <= most {
        return text.to_owned();
    }
    let part = |taken: &mut usize, c: &char| {
        *taken += takes(*c);
        Some(*c).filter(|_| *taken <= most.saturating_sub(3) / 2)
    };
    let head: String = text.chars().scan(0, |taken, c| part(taken, &c)).collect();
    let tail: Vec<char> = text.chars().rev().scan(0, |taken, c| part(taken, &c)).collect();
    head + "..." + &tail.into_iter().rev().collect::<String>()
}

impl Refused {
    /// The same, with no more of what the uploader chose than an entry has room for.
    #[must_use]
    pub fn bounded(self) -> Self {
        Self { upload: cut(&self.upload, PATH_NAMED), detail: cut(&self.detail, FOUND_NAMED), ..self }
    }
}

impl RefusedTogether {
    /// Refusals for the same reason as one.
    pub fn of(all: &[Refused]) -> Option<Self> {
        let Refused { dist, code, detail, .. } = all.first()?.clone().bounded();
        let files = all.iter().take(REFUSED_NAMED).map(|one| (cut(&one.upload, PATH_NAMED), one.sha256)).collect();
        let more = all.len().saturating_sub(REFUSED_NAMED) as u64;
        Some(Self { dist, code, detail, files, more })
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.more.saturating_add(self.files.len() as u64)
    }

    /// The first of them, for those who show one.
    pub fn first(&self) -> Option<Refused> {
        let (upload, sha256) = self.files.first()?.clone();
        let more = self.count().saturating_sub(1);
        let detail = format!("{} (and {more} more files at the same time)", self.detail);
        Some(Refused { dist: self.dist.clone(), upload, sha256, code: self.code.clone(), detail })
    }
}

impl Kind for Accepted {
    const NAME: &'static str = "package.accepted";
    // The source package was added.
    const VERSION: u32 = 2;

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Package(self.dist.clone(), self.nevra.clone())]
    }

    fn upcast(_: u32, body: &str) -> Result<Self, String> {
        serde_json::from_str(body).map_err(|e| e.to_string())
    }
}

impl Kind for Adopted {
    const NAME: &'static str = "package.adopted";

    fn about(&self) -> Vec<Subject> {
        let id = TreeId { dist: self.dist.clone(), tree: self.tree.clone() };
        vec![Subject::Package(self.dist.clone(), self.nevra.clone()), Subject::Tree(id)]
    }
}

impl fmt::Display for Adopted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "took {} under management in {}/{}, where it lies", self.nevra, self.tree, self.dist)?;
        match &self.excepted {
            Some(code) => write!(f, ", by an exception for {code}"),
            None => write!(f, ", signed by {}", self.signers.join(" and ")),
        }
    }
}

impl Kind for Refused {
    const NAME: &'static str = "package.refused";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Uploads(self.dist.clone())]
    }
}

impl Kind for RefusedTogether {
    const NAME: &'static str = "package.refused_together";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Uploads(self.dist.clone())]
    }
}

impl Kind for Lost {
    const NAME: &'static str = "package.lost";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Package(self.dist.clone(), self.nevra.clone())]
    }
}

impl Kind for Allowed {
    const NAME: &'static str = "package.allowed";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Package(self.dist.clone(), self.nevra.clone())]
    }
}

impl Kind for Disallowed {
    const NAME: &'static str = "package.disallowed";

    fn about(&self) -> Vec<Subject> {
        vec![Subject::Package(self.dist.clone(), self.nevra.clone())]
    }
}

impl fmt::Display for Disallowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} may not come in again after all", self.nevra, self.dist)
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "allowed {} of {} to come in again", self.nevra, self.dist)
    }
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signers = self.signers.join(" and ");
        write!(f, "accepted {} into {}/{}, signed by {signers}", self.nevra, self.tree, self.dist)?;
        if self.notes.is_empty() { Ok(()) } else { write!(f, " ({})", self.notes.join("; ")) }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused {} of {} ({}): {}", self.upload.escape_debug(), self.dist, self.code, self.detail)
    }
}

impl fmt::Display for RefusedTogether {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.files.iter().take(3).map(|(upload, _)| upload.escape_debug().to_string());
        let shown = shown.collect::<Vec<_>>().join(", ");
        let more = self.count().saturating_sub(3);
        let all = count(self.count(), "file");
        write!(f, "refused {all} of {} at once ({}): {}: ", self.dist, self.code, self.detail)?;
        if more == 0 { write!(f, "{shown}") } else { write!(f, "{shown} and {more} more") }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gave up {} of {} as lost", self.nevra, self.dist)
    }
}
