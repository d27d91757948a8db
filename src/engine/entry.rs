//! What is written into the logbook, and its form there.
//!
//! A [`Fact`] is what the world folds. On disk it is JSON, `{"v":1,"took_in":{…}}`, with types of its
//! own, so that renaming something here does not change old logbooks. Samples of every version lie
//! in `fixtures/logbook/` and are read for ever.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::checksum::Sha256;
use crate::domain::names::{DistPath, HookName, RolloutId, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::plan::{Item, Plan};

/// Rises by one with every change to an entry's form, also an added field.
pub const ENTRY_FORMAT: u32 = 5;

/// One thing that happened, as the world folds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The daemon began to run.
    Started {
        /// Its version.
        version: String,
    },
    /// A package was accepted and lies in the upload tree.
    TookIn(TookIn),
    /// A file was refused.
    TurnedAway(TurnedAway),
    /// Many files were refused at once for the same reason.
    TurnedAwayTogether(TurnedAwayTogether),
    /// A rollout was made.
    Submitted {
        /// Its id.
        rollout: RolloutId,
        /// Its distribution.
        dist: DistPath,
        /// Its title.
        title: String,
        /// Its packages, sorted.
        packages: Vec<Nevra>,
        /// Its first state.
        state: String,
    },
    /// A webhook was received and is remembered.
    Heard {
        /// Which webhook.
        hook: HookName,
        /// The tracker's unique id for it.
        delivery: String,
        /// The rollout that it names, as it names it.
        rollout: String,
        /// The state that it names.
        state: String,
        /// When, by the tracker's clock; entries of format 1 do not say.
        at: Option<Timestamp>,
    },
    /// A step was asked for and not taken.
    Refused {
        /// The rollout, as it was named.
        rollout: String,
        /// The state, as it was named.
        state: String,
        /// Codes and sentences.
        findings: Vec<(String, String)>,
    },
    /// A tracker wants a state that cannot be reached yet.
    Awaits {
        /// The rollout.
        rollout: RolloutId,
        /// The state.
        state: String,
        /// Codes and sentences of what it waits for.
        findings: Vec<(String, String)>,
    },
    /// A rollout changed its state; with a plan when packages move.
    Moved {
        /// The rollout.
        rollout: RolloutId,
        /// From this state.
        from: String,
        /// To this state.
        to: String,
        /// What is done to the trees.
        plan: Option<Plan>,
    },
    /// A plan was carried out.
    Done {
        /// The number of the entry that holds the plan.
        plan: u64,
    },
    /// A tree shows new metadata.
    Published(Published),
    /// Files whose time had come were removed.
    Retired {
        /// The tree.
        tree: TreeId,
        /// Paths below the tree.
        files: Vec<String>,
        /// Paths whose time had come too, and which stay because something names them again.
        kept: Vec<String>,
    },
    /// An accepted package was given up, since its bytes are nowhere any more.
    Lost {
        /// The distribution.
        dist: DistPath,
        /// Identity.
        nevra: Nevra,
        /// The bytes that were accepted, for whoever finds them.
        sha256: Sha256,
    },
}

/// A package was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TookIn {
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
    pub keys: Vec<String>,
    /// Exceptions that were used and other remarks.
    pub notes: Vec<String>,
    /// The path below the tree under which it was uploaded.
    pub upload: String,
}

/// A file was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnedAway {
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

impl TurnedAway {
    /// The same, with no more of what the uploader chose than an entry has room for.
    #[must_use]
    pub fn bounded(self) -> Self {
        Self { upload: cut(&self.upload, PATH_NAMED), detail: cut(&self.detail, FOUND_NAMED), ..self }
    }
}

/// Many files were refused at once for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnedAwayTogether {
    /// The distribution.
    pub dist: DistPath,
    /// The stable code.
    pub code: String,
    /// What exactly was found in the first of them.
    pub detail: String,
    /// The paths under which they were uploaded, and the bytes as far as they could be read: the first of them.
    pub files: Vec<(String, Option<Sha256>)>,
    /// How many more there were.
    pub more: u64,
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

impl TurnedAwayTogether {
    /// Refusals for the same reason as one.
    pub fn of(all: &[TurnedAway]) -> Option<Self> {
        let TurnedAway { dist, code, detail, .. } = all.first()?.clone().bounded();
        let files = all.iter().take(REFUSED_NAMED).map(|one| (cut(&one.upload, PATH_NAMED), one.sha256)).collect();
        let more = all.len().saturating_sub(REFUSED_NAMED) as u64;
        Some(Self { dist, code, detail, files, more })
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.more.saturating_add(self.files.len() as u64)
    }

    /// The first of them, for those who show one.
    pub fn first(&self) -> Option<TurnedAway> {
        let (upload, sha256) = self.files.first()?.clone();
        let more = self.count().saturating_sub(1);
        let detail = format!("{} (and {more} more files at the same time)", self.detail);
        Some(TurnedAway { dist: self.dist.clone(), upload, sha256, code: self.code.clone(), detail })
    }
}

/// A tree shows new metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The tree.
    pub tree: TreeId,
    /// Its revision.
    pub revision: u64,
    /// How many packages it lists.
    pub packages: u64,
    /// SHA-256 of `repomd.xml`.
    pub repomd: Sha256,
    /// Files in `repodata/` that nothing names any more.
    pub superseded: Vec<String>,
}

/// A number with its noun, in the plural where that is due.
pub fn count(n: impl fmt::Display, noun: &str) -> String {
    let n = n.to_string();
    let plural = if n == "1" { "" } else { "s" };
    format!("{n} {noun}{plural}")
}

/// So many packages or reasons are named in a sentence; all of them stand in the entry itself.
const TOLD_MOST: usize = 20;

/// What is said of those that are not named.
fn more(all: usize) -> Option<String> {
    all.checked_sub(TOLD_MOST).filter(|more| *more > 0).map(|more| format!("and {more} more"))
}

/// One sentence without a full stop, for the log of people; what it says stands in the entry itself.
impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reasons = |findings: &[(String, String)]| {
            let mut told: Vec<String> =
                findings.iter().take(TOLD_MOST).map(|(code, sentence)| format!("{sentence} ({code})")).collect();
            told.extend(more(findings.len()));
            told.join(" ")
        };
        match self {
            Self::Started { version } => write!(f, "rolloutd {version} started"),
            Self::TookIn(t) => {
                write!(f, "took {} into {}/{}, signed by {}", t.nevra, t.tree, t.dist, t.signers.join(" and "))?;
                if t.notes.is_empty() { Ok(()) } else { write!(f, " ({})", t.notes.join("; ")) }
            }
            Self::TurnedAway(t) => {
                write!(f, "refused {} of {}: {} {}", t.upload.escape_debug(), t.dist, t.code, t.detail)
            }
            Self::TurnedAwayTogether(t) => {
                let shown = t.files.iter().take(3).map(|(upload, _)| upload.escape_debug().to_string());
                let shown = shown.collect::<Vec<_>>().join(", ");
                let more = t.count().saturating_sub(3);
                write!(f, "refused {} of {} at once: {} {}: ", count(t.count(), "file"), t.dist, t.code, t.detail)?;
                if more == 0 { write!(f, "{shown}") } else { write!(f, "{shown} and {more} more") }
            }
            Self::Submitted { rollout, dist, packages, state, .. } => {
                let mut told: Vec<String> = packages.iter().take(TOLD_MOST).map(ToString::to_string).collect();
                told.extend(more(packages.len()));
                let packages = told;
                write!(f, "made rollout {rollout} of {dist} in {state}: {}", packages.join(" "))
            }
            Self::Heard { hook, rollout, state, .. } => {
                write!(f, "heard from {hook} that {rollout} should be in {state}")
            }
            Self::Refused { rollout, state, findings } => {
                write!(f, "did not move {rollout} to {state}: {}", reasons(findings))
            }
            Self::Awaits { rollout, state, findings } => {
                write!(f, "{rollout} waits for {state}: {}", reasons(findings))
            }
            Self::Moved { rollout, from, to, plan } => {
                write!(f, "moved {rollout} from {from} to {to}")?;
                let Some(plan) = plan else { return Ok(()) };
                match &plan.target {
                    Some(target) => write!(f, "; to {target}: {}", count(plan.items.len(), "package")),
                    None => write!(f, "; withdrawn: {}", count(plan.items.len(), "package")),
                }
            }
            Self::Done { plan } => write!(f, "carried out entry {plan}"),
            Self::Published(p) => {
                write!(f, "published {} with {}, revision {}", p.tree, count(p.packages, "package"), p.revision)
            }
            Self::Retired { tree, files, kept } => {
                write!(f, "removed {} from {tree}", count(files.len(), "file"))?;
                if kept.is_empty() { Ok(()) } else { write!(f, "; {} stay", kept.len()) }
            }
            Self::Lost { dist, nevra, .. } => write!(f, "gave {nevra} of {dist} up as lost"),
        }
    }
}

/// An entry in the form in which it lies on the disk.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryOnDisk {
    v: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    steady: Option<Timestamp>,
    fact: FactOnDisk,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum FactOnDisk {
    Started {
        version: String,
    },
    TookIn(TookInOnDisk),
    TurnedAway(TurnedAwayOnDisk),
    TurnedAwayTogether {
        dist: String,
        code: String,
        detail: String,
        files: Vec<(String, Option<String>)>,
        #[serde(default, skip_serializing_if = "is_zero")]
        more: u64,
    },
    Submitted {
        rollout: String,
        dist: String,
        title: String,
        packages: Vec<String>,
        state: String,
    },
    Heard {
        hook: String,
        delivery: String,
        rollout: String,
        state: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    Refused {
        rollout: String,
        state: String,
        findings: Vec<(String, String)>,
    },
    Awaits {
        rollout: String,
        state: String,
        findings: Vec<(String, String)>,
    },
    Moved {
        rollout: String,
        from: String,
        to: String,
        plan: Option<PlanOnDisk>,
    },
    Done {
        plan: u64,
    },
    Published(PublishedOnDisk),
    Retired {
        dist: String,
        tree: String,
        files: Vec<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        kept: Vec<String>,
    },
    Lost {
        dist: String,
        nevra: String,
        sha256: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TookInOnDisk {
    dist: String,
    tree: String,
    nevra: String,
    sha256: String,
    size: u64,
    signers: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    keys: Vec<String>,
    notes: Vec<String>,
    upload: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TurnedAwayOnDisk {
    dist: String,
    upload: String,
    sha256: Option<String>,
    code: String,
    detail: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishedOnDisk {
    dist: String,
    tree: String,
    revision: u64,
    packages: u64,
    repomd: String,
    superseded: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanOnDisk {
    dist: String,
    target: Option<String>,
    items: Vec<ItemOnDisk>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemOnDisk {
    nevra: String,
    sha256: String,
    leaves: Vec<String>,
}

/// An entry that this program cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("logbook entry {seq} ({at}) cannot be read: {why}")]
pub struct UnreadableEntry {
    /// Its number.
    pub seq: u64,
    /// Its time.
    pub at: Timestamp,
    /// What is wrong.
    pub why: String,
}

/// For serde.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The body of an entry for the logbook.
///
/// # Panics
/// Never: strings and numbers always have a JSON form.
pub fn write(fact: &Fact) -> String {
    write_at(fact, None)
}

/// The same of a moment at which the time by which things wait for their removal was not the wall clock's.
///
/// # Panics
/// Never, as above.
pub fn write_at(fact: &Fact, steady: Option<Timestamp>) -> String {
    let on_disk = EntryOnDisk { v: ENTRY_FORMAT, steady, fact: to_disk(fact) };
    serde_json::to_string(&on_disk).expect("strings and numbers always have a JSON form")
}

/// Reads the body of an entry.
///
/// # Errors
/// A sentence that says what is wrong; a newer format is named as such.
pub fn read(body: &str) -> Result<Fact, String> {
    read_body(body).map(|(fact, ..)| fact)
}

/// The same of an entry that was written at `at`, with the time by which things waited for their removal then;
/// entries of formats 1 and 2 do not say. Where it is not written down, the wall clock agreed with it.
///
/// # Errors
/// As above.
pub fn read_at(body: &str, at: Timestamp) -> Result<(Fact, Option<Timestamp>), String> {
    let (fact, format, steady) = read_body(body)?;
    Ok((fact, steady.or((format >= 3).then_some(at))))
}

/// The fact, the format and the time that is written down.
fn read_body(body: &str) -> Result<(Fact, u32, Option<Timestamp>), String> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    let Version { v } = serde_json::from_str(body).map_err(|e| e.to_string())?;
    if v > ENTRY_FORMAT {
        return Err(format!("it has format {v}, and this program knows up to {ENTRY_FORMAT}; use the newer rolloutd"));
    }
    let entry: EntryOnDisk = serde_json::from_str(body).map_err(|e| e.to_string())?;
    Ok((from_disk(entry.fact)?, v, entry.steady))
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn to_disk(fact: &Fact) -> FactOnDisk {
    match fact.clone() {
        Fact::Started { version } => FactOnDisk::Started { version },
        Fact::TookIn(t) => FactOnDisk::TookIn(TookInOnDisk {
            dist: t.dist.to_string(),
            tree: t.tree.to_string(),
            nevra: t.nevra.to_string(),
            sha256: t.sha256.to_hex(),
            size: t.size,
            signers: t.signers,
            keys: t.keys,
            notes: t.notes,
            upload: t.upload,
        }),
        Fact::TurnedAway(t) => FactOnDisk::TurnedAway(TurnedAwayOnDisk {
            dist: t.dist.to_string(),
            upload: t.upload,
            sha256: t.sha256.map(Sha256::to_hex),
            code: t.code,
            detail: t.detail,
        }),
        Fact::TurnedAwayTogether(t) => FactOnDisk::TurnedAwayTogether {
            dist: t.dist.to_string(),
            code: t.code,
            detail: t.detail,
            files: t.files.into_iter().map(|(upload, sum)| (upload, sum.map(Sha256::to_hex))).collect(),
            more: t.more,
        },
        Fact::Submitted { rollout, dist, title, packages, state } => FactOnDisk::Submitted {
            rollout: rollout.to_string(),
            dist: dist.to_string(),
            title,
            packages: texts(&packages),
            state,
        },
        Fact::Heard { hook, delivery, rollout, state, at } => {
            FactOnDisk::Heard { hook: hook.to_string(), delivery, rollout, state, at }
        }
        Fact::Refused { rollout, state, findings } => FactOnDisk::Refused { rollout, state, findings },
        Fact::Awaits { rollout, state, findings } => {
            FactOnDisk::Awaits { rollout: rollout.to_string(), state, findings }
        }
        Fact::Moved { rollout, from, to, plan } => {
            let plan = plan.map(|p| PlanOnDisk {
                dist: p.dist.to_string(),
                target: p.target.map(|t| t.to_string()),
                items: p
                    .items
                    .into_iter()
                    .map(|i| ItemOnDisk {
                        nevra: i.nevra.to_string(),
                        sha256: i.sha256.to_hex(),
                        leaves: texts(&i.leaves),
                    })
                    .collect(),
            });
            FactOnDisk::Moved { rollout: rollout.to_string(), from, to, plan }
        }
        Fact::Done { plan } => FactOnDisk::Done { plan },
        Fact::Published(p) => FactOnDisk::Published(PublishedOnDisk {
            dist: p.tree.dist.to_string(),
            tree: p.tree.tree.to_string(),
            revision: p.revision,
            packages: p.packages,
            repomd: p.repomd.to_hex(),
            superseded: p.superseded,
        }),
        Fact::Retired { tree, files, kept } => {
            FactOnDisk::Retired { dist: tree.dist.to_string(), tree: tree.tree.to_string(), files, kept }
        }
        Fact::Lost { dist, nevra, sha256 } => {
            FactOnDisk::Lost { dist: dist.to_string(), nevra: nevra.to_string(), sha256: sha256.to_hex() }
        }
    }
}

fn parse<T: std::str::FromStr>(text: &str) -> Result<T, String>
where
    T::Err: ToString,
{
    text.parse().map_err(|e: T::Err| e.to_string())
}

fn parse_all<T: std::str::FromStr>(texts: &[String]) -> Result<Vec<T>, String>
where
    T::Err: ToString,
{
    texts.iter().map(|text| parse(text)).collect()
}

fn from_disk(fact: FactOnDisk) -> Result<Fact, String> {
    Ok(match fact {
        FactOnDisk::Started { version } => Fact::Started { version },
        FactOnDisk::TookIn(t) => Fact::TookIn(TookIn {
            dist: parse(&t.dist)?,
            tree: parse(&t.tree)?,
            nevra: parse(&t.nevra)?,
            sha256: parse(&t.sha256)?,
            size: t.size,
            signers: t.signers,
            keys: t.keys,
            notes: t.notes,
            upload: t.upload,
        }),
        FactOnDisk::TurnedAway(t) => Fact::TurnedAway(TurnedAway {
            dist: parse(&t.dist)?,
            upload: t.upload,
            sha256: t.sha256.as_deref().map(parse).transpose()?,
            code: t.code,
            detail: t.detail,
        }),
        FactOnDisk::TurnedAwayTogether { dist, code, detail, files, more } => {
            let file = |(upload, sum): (String, Option<String>)| {
                Ok::<_, String>((upload, sum.as_deref().map(parse).transpose()?))
            };
            let files = files.into_iter().map(file).collect::<Result<_, _>>()?;
            Fact::TurnedAwayTogether(TurnedAwayTogether { dist: parse(&dist)?, code, detail, files, more })
        }
        FactOnDisk::Submitted { rollout, dist, title, packages, state } => Fact::Submitted {
            rollout: parse(&rollout)?,
            dist: parse(&dist)?,
            title,
            packages: parse_all(&packages)?,
            state,
        },
        FactOnDisk::Heard { hook, delivery, rollout, state, at } => {
            Fact::Heard { hook: parse(&hook)?, delivery, rollout, state, at }
        }
        FactOnDisk::Refused { rollout, state, findings } => Fact::Refused { rollout, state, findings },
        FactOnDisk::Awaits { rollout, state, findings } => Fact::Awaits { rollout: parse(&rollout)?, state, findings },
        FactOnDisk::Moved { rollout, from, to, plan } => {
            let rollout: RolloutId = parse(&rollout)?;
            let plan = plan.map(|p| plan_from_disk(&rollout, &p)).transpose()?;
            Fact::Moved { rollout, from, to, plan }
        }
        FactOnDisk::Done { plan } => Fact::Done { plan },
        FactOnDisk::Published(p) => Fact::Published(Published {
            tree: TreeId { dist: parse(&p.dist)?, tree: parse(&p.tree)? },
            revision: p.revision,
            packages: p.packages,
            repomd: parse(&p.repomd)?,
            superseded: p.superseded,
        }),
        FactOnDisk::Retired { dist, tree, files, kept } => {
            Fact::Retired { tree: TreeId { dist: parse(&dist)?, tree: parse(&tree)? }, files, kept }
        }
        FactOnDisk::Lost { dist, nevra, sha256 } => {
            Fact::Lost { dist: parse(&dist)?, nevra: parse(&nevra)?, sha256: parse(&sha256)? }
        }
    })
}

fn plan_from_disk(rollout: &RolloutId, plan: &PlanOnDisk) -> Result<Plan, String> {
    let items = plan.items.iter().map(|item| {
        Ok(Item { nevra: parse(&item.nevra)?, sha256: parse(&item.sha256)?, leaves: parse_all(&item.leaves)? })
    });
    Ok(Plan {
        rollout: rollout.clone(),
        dist: parse(&plan.dist)?,
        target: plan.target.as_deref().map(parse).transpose()?,
        items: items.collect::<Result<_, String>>()?,
    })
}

#[cfg(test)]
pub(crate) mod samples {
    //! One of every fact, for tests of reading, folding and showing.

    use super::*;

    pub(crate) fn every_fact() -> Vec<Fact> {
        let dist: DistPath = "umd/3/sl6/x86_64".parse().expect("a path");
        let tree = |name: &str| name.parse::<TreeName>().expect("a name");
        let nevra: Nevra = "bdii-1:5.2.22-1.el6.noarch".parse().expect("a nevra");
        let rollout: RolloutId = "rt-1".parse().expect("an id");
        let id = TreeId { dist: dist.clone(), tree: tree("testing") };
        vec![
            Fact::Started { version: "0.1.0".into() },
            Fact::TookIn(TookIn {
                dist: dist.clone(),
                tree: tree("untested"),
                nevra: nevra.clone(),
                sha256: Sha256([7; 32]),
                size: 1234,
                signers: vec!["ABCD".into()],
                keys: vec![],
                notes: vec!["legacy: v3".into()],
                upload: "incoming/x.rpm".into(),
            }),
            Fact::TurnedAway(TurnedAway {
                dist: dist.clone(),
                upload: "bad.rpm".into(),
                sha256: None,
                code: "unsigned".into(),
                detail: "no signature".into(),
            }),
            Fact::Submitted {
                rollout: rollout.clone(),
                dist: dist.clone(),
                title: "Staged Rollout EMI-1.0 bdii".into(),
                packages: vec![nevra.clone()],
                state: "Unverified".into(),
            },
            Fact::Heard {
                hook: "rt".parse().expect("a name"),
                delivery: "rt-55".into(),
                rollout: "rt-1".into(),
                state: "InVerification".into(),
                at: None,
            },
            Fact::Refused {
                rollout: "rt-1".into(),
                state: "Production".into(),
                findings: vec![("no_arrow".into(), "No.".into())],
            },
            Fact::Awaits {
                rollout: rollout.clone(),
                state: "StageRollOut".into(),
                findings: vec![("packages_missing".into(), "Not there yet.".into())],
            },
            Fact::Moved {
                rollout: rollout.clone(),
                from: "InVerification".into(),
                to: "StageRollOut".into(),
                plan: Some(Plan {
                    rollout,
                    dist,
                    target: Some(tree("testing")),
                    items: vec![Item { nevra, sha256: Sha256([7; 32]), leaves: vec![tree("untested")] }],
                }),
            },
            Fact::Done { plan: 8 },
            Fact::Published(Published {
                tree: id.clone(),
                revision: 1_795_172_517,
                packages: 1,
                repomd: Sha256([9; 32]),
                superseded: vec!["abc-primary.xml.gz".into()],
            }),
            Fact::Retired { tree: id, files: vec!["repodata/abc-primary.xml.gz".into()], kept: vec![] },
        ]
    }

    /// What format 5 added.
    pub(crate) fn of_format_5() -> Vec<Fact> {
        let dist = "umd/3/sl6/x86_64".parse().expect("a path");
        let nevra = "bdii-1:5.2.22-1.el6.noarch".parse().expect("a nevra");
        let took = every_fact().into_iter().find_map(|fact| match fact {
            Fact::TookIn(took) => Some(Fact::TookIn(TookIn { keys: vec!["CDEF".into()], ..took })),
            _ => None,
        });
        [Fact::Lost { dist, nevra, sha256: Sha256([7; 32]) }].into_iter().chain(took).collect()
    }

    /// What format 2 added.
    pub(crate) fn of_format_2() -> Vec<Fact> {
        let tree = TreeId { dist: "d".parse().expect("a path"), tree: "testing".parse().expect("a name") };
        vec![
            Fact::Heard {
                hook: "rt".parse().expect("a name"),
                delivery: "rt-56".into(),
                rollout: "rt-1".into(),
                state: "StageRollOut".into(),
                at: Some(Timestamp::UNIX_EPOCH),
            },
            Fact::Retired { tree, files: vec![], kept: vec!["Packages/a/a-1-1.noarch.rpm".into()] },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What format 4 added.
    fn of_format_4() -> Vec<Fact> {
        let files = vec![("a.rpm".into(), None), ("b.rpm".into(), Some(Sha256([7; 32])))];
        let (code, detail) = ("not_rpm".into(), "begins with `junk`".into());
        let dist = "d".parse().expect("a path");
        vec![Fact::TurnedAwayTogether(TurnedAwayTogether { dist, code, detail, files, more: 0 })]
    }

    /// The sample file holds what format 4 added; it is never rewritten.
    #[test]
    fn entries_of_format_4_are_read_for_ever() {
        let sample = include_str!("../../fixtures/logbook/v4.jsonl");
        let facts: Vec<Fact> = sample.lines().map(|line| read(line).expect("readable")).collect();
        assert_eq!(facts, of_format_4());
        let written = write(&facts[0]).replace(&format!("\"v\":{ENTRY_FORMAT}"), "\"v\":4");
        assert_eq!(written, sample.trim_end());
        assert_eq!(facts[0].to_string(), "refused 2 files of d at once: not_rpm begins with `junk`: a.rpm, b.rpm");
    }

    #[test]
    fn every_fact_reads_back_as_it_was_written() {
        for fact in samples::every_fact()
            .into_iter()
            .chain(samples::of_format_2())
            .chain(of_format_4())
            .chain(samples::of_format_5())
        {
            assert_eq!(read(&write(&fact)), Ok(fact));
        }
    }

    /// The sample file holds what format 5 added; it is never rewritten.
    #[test]
    fn entries_of_format_5_are_read_for_ever() {
        let sample = include_str!("../../fixtures/logbook/v5.jsonl");
        let facts: Vec<Fact> = sample.lines().map(|line| read(line).expect("readable")).collect();
        assert_eq!(facts, samples::of_format_5());
        let said: Vec<String> = facts.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "gave bdii-1:5.2.22-1.el6.noarch of umd/3/sl6/x86_64 up as lost",
                "took bdii-1:5.2.22-1.el6.noarch into untested/umd/3/sl6/x86_64, signed by ABCD (legacy: v3)",
            ]
        );
        let written: Vec<String> = facts.iter().map(write).collect();
        assert_eq!(written, sample.lines().collect::<Vec<_>>());
    }

    const AT: Timestamp = Timestamp::constant(1_700_000_000, 0);

    /// The sample file holds what format 3 added; it is never rewritten.
    #[test]
    fn entries_of_format_3_are_read_for_ever() {
        let sample = include_str!("../../fixtures/logbook/v3.jsonl");
        let entries: Vec<_> = sample.lines().map(|line| read_at(line, AT).expect("readable")).collect();
        let fact = Fact::Started { version: "0.1.0".into() };
        assert_eq!(entries, [(fact.clone(), Some(Timestamp::UNIX_EPOCH))]);
        assert_eq!(read_at(&write(&fact), AT), Ok((fact.clone(), Some(AT))));
        let of_format_2 = include_str!("../../fixtures/logbook/v2.jsonl").lines().map(|line| read_at(line, AT));
        assert!(of_format_2.into_iter().all(|entry| entry.is_ok_and(|(_, steady)| steady.is_none())));
        let written = write_at(&fact, Some(Timestamp::UNIX_EPOCH));
        assert_eq!(written.replace(&format!("\"v\":{ENTRY_FORMAT}"), "\"v\":3"), sample.trim_end());
    }

    /// The sample file holds what format 2 added; it is never rewritten.
    #[test]
    fn entries_of_format_2_are_read_for_ever() {
        let sample = include_str!("../../fixtures/logbook/v2.jsonl");
        let facts: Vec<Fact> = sample.lines().map(|line| read(line).expect("readable")).collect();
        assert_eq!(facts, samples::of_format_2());
    }

    /// The sample file holds one line for each fact of format 1; it is never rewritten.
    #[test]
    fn entries_of_format_1_are_read_for_ever() {
        let sample = include_str!("../../fixtures/logbook/v1.jsonl");
        let facts: Vec<Fact> = sample.lines().map(|line| read(line).expect("readable")).collect();
        assert_eq!(facts, samples::every_fact());
    }

    #[test]
    fn every_fact_is_a_sentence() {
        let said: Vec<String> = samples::every_fact().iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "rolloutd 0.1.0 started",
                "took bdii-1:5.2.22-1.el6.noarch into untested/umd/3/sl6/x86_64, signed by ABCD (legacy: v3)",
                "refused bad.rpm of umd/3/sl6/x86_64: unsigned no signature",
                "made rollout rt-1 of umd/3/sl6/x86_64 in Unverified: bdii-1:5.2.22-1.el6.noarch",
                "heard from rt that rt-1 should be in InVerification",
                "did not move rt-1 to Production: No. (no_arrow)",
                "rt-1 waits for StageRollOut: Not there yet. (packages_missing)",
                "moved rt-1 from InVerification to StageRollOut; to testing: 1 package",
                "carried out entry 8",
                "published testing/umd/3/sl6/x86_64 with 1 package, revision 1795172517",
                "removed 1 file from testing/umd/3/sl6/x86_64",
            ]
        );
    }

    #[test]
    fn a_sentence_of_thousands_of_packages_or_reasons_names_some() {
        let rollout: RolloutId = "r".parse().expect("an id");
        let packages = (0..5_000).map(|n| format!("p{n}-1-1.noarch").parse().expect("a nevra")).collect();
        let dist = "d".parse().expect("a path");
        let (title, state) = (String::new(), "Unverified".to_owned());
        let made = Fact::Submitted { rollout: rollout.clone(), dist, title, packages, state }.to_string();
        assert!(made.len() < 1_000 && made.ends_with("p19-1-1.noarch and 4980 more"), "{made}");
        // As older versions have written it.
        let findings = (0..5_000).map(|n| ("missing".to_owned(), format!("{n}."))).collect();
        let waits = Fact::Awaits { rollout, state: "StageRollOut".into(), findings }.to_string();
        assert!(waits.len() < 1_000 && waits.ends_with("19. (missing) and 4980 more"), "{waits}");
    }

    #[test]
    fn a_newer_entry_is_refused_by_its_number() {
        let why = read(r#"{"v":99,"fact":{"moon":{}}}"#).expect_err("newer");
        assert!(why.contains("format 99"), "{why}");
    }

    proptest::proptest! {
        #[test]
        fn reading_never_panics(body in ".{0,200}") {
            let _ = read(&body);
        }
    }
}
