//! The examination of a package file: the questions, the answers, and both as bytes.
//!
//! The only function that reads a package, [`examine`], takes an open file and returns values. It is called through
//! [`Examiner`], so that it can run elsewhere: the daemon runs it in a separate process that can access nothing but
//! that file (threats 26, 92; `link/confined`), for which questions and answers are encoded as bytes. [`Here`] runs it
//! in this process, for tests and benches.
//!
//! ```text
//! question: a line of JSON, then nothing          Terms: a line of JSON, then the key files in sequence
//! answer:   a line of JSON, then the three pieces of XML in sequence
//! ```
//!
//! What is trusted of such a process's answer: whether the package may come in, which is its purpose. What is not: a
//! name or a size that is impossible, so an answer is checked when it is read; and the file's digest, which is computed
//! while copying (`intake`).

use std::fmt;
use std::fs::File;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::blocks;
use crate::domain::arch;
use crate::domain::checksum::{ChecksumKind, Sha256};
use crate::domain::nevra::Nevra;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::trust::{Accepted, Legacy, Policy};
use crate::format::openpgp::Keyring;
use crate::format::package::{self, Package, Placed};
use crate::format::reading::{Contents, Reading, Unread};

/// Bytes read at once.
const PIECE: usize = 1 << 20;

/// How much of a large file is examined before all of it is copied, to refuse what is not a package early.
pub const BEGINNING: u64 = 1 << 20;

/// What a distribution requires of a package.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The key ring of the tree.
    pub ring: Keyring,
    /// The requirements for signatures.
    pub policy: Policy,
    /// The distribution's checksum kind.
    pub checksum: ChecksumKind,
    /// The architectures that may come in; empty means all.
    pub arches: Vec<String>,
}

/// One question about a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Whether it may come in at this time, and its metadata if so.
    MayItComeIn {
        /// The time of arrival.
        at: Timestamp,
        /// The file's modification time once accepted, in seconds since the epoch.
        file_time: u64,
    },
    /// Its metadata; its signatures were judged when it came in.
    WhatIsIt {
        /// The file's modification time, in seconds since the epoch.
        file_time: u64,
        /// Its path in the tree, if that is not where the daemon puts packages.
        place: Option<String>,
    },
    /// Whether a package already in a tree may stay there, and its metadata.
    MayItStay {
        /// Now.
        at: Timestamp,
        /// The file's modification time, in seconds since the epoch.
        file_time: u64,
        /// Its path in the tree.
        place: String,
    },
    /// Whether this can be the beginning of a package.
    IsItABeginning,
}

/// What was learned about a complete package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Identity.
    pub nevra: Nevra,
    /// SHA-256 of the bytes.
    pub sha256: Sha256,
    /// Its checksum in the distribution's kind.
    pub pkgid: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// Who signed it; nobody if that was not asked.
    pub signed: Accepted,
    /// Free text in which characters had to be replaced: names of fields.
    pub replaced_text: Vec<String>,
    /// The source package that it was built from, if its header names one.
    pub source: Option<Nevra>,
    /// Its element in each file, in the order of [`blocks::Part::ALL`].
    pub xml: [Vec<u8>; 3],
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It may come in, or is as it was.
    Good(Box<Known>),
    /// Nothing is wrong with the beginning.
    SoFar,
    /// It is refused; with its SHA-256 if it was read to the end.
    Refused(Refusal, Option<Sha256>),
}

/// Answers questions about files. An error is not a verdict: the answer could not be determined now.
pub trait Examiner: Send + Sync + fmt::Debug {
    /// Reads an open file from its beginning and answers. The file is open only for reading.
    ///
    /// # Errors
    /// If the file cannot be read, or no process is there to do it.
    fn examine(&self, file: File, size: u64, terms: &Arc<Terms>, question: &Question) -> std::io::Result<Answer>;
}

/// Examines files in this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Here;

impl Examiner for Here {
    fn examine(&self, mut file: File, _: u64, terms: &Arc<Terms>, question: &Question) -> std::io::Result<Answer> {
        examine(&mut file, terms, question)
    }
}

/// Reads a file to its end and answers.
///
/// # Errors
/// If it cannot be read.
pub fn examine(file: &mut File, terms: &Terms, question: &Question) -> std::io::Result<Answer> {
    let mut reading = Reading::new(terms.checksum);
    match reading.push_all(file, &mut vec![0; PIECE]) {
        Ok(()) => {}
        Err(Unread::Refused(refusal)) => return Ok(Answer::Refused(refusal, None)),
        Err(Unread::Failed(error)) => return Err(error),
    }
    if *question == Question::IsItABeginning {
        return Ok(Answer::SoFar);
    }
    let contents = match reading.finish() {
        Ok(contents) => contents,
        Err(refusal) => return Ok(Answer::Refused(refusal, None)),
    };
    Ok(match known(&contents, terms, question) {
        Ok(known) => Answer::Good(Box::new(known)),
        Err(refusal) => Answer::Refused(refusal, Some(contents.sha256)),
    })
}

fn known(contents: &Contents, terms: &Terms, question: &Question) -> Result<Known, Refusal> {
    let package = Package::read(&contents.header, &contents.signature_header, &contents.layout)?;
    let place = match question {
        Question::WhatIsIt { place, .. } => place.clone(),
        Question::MayItStay { place, .. } => Some(place.clone()),
        Question::MayItComeIn { .. } | Question::IsItABeginning => None,
    };
    let mut signed = Accepted { fingerprints: Vec::new(), keys: Vec::new(), notes: Vec::new() };
    let file_time = match question {
        Question::MayItComeIn { at, file_time } | Question::MayItStay { at, file_time, .. } => {
            signed = judge(contents, &package, terms, *at)?;
            *file_time
        }
        Question::WhatIsIt { file_time, .. } => *file_time,
        Question::IsItABeginning => 0,
    };
    let placed = Placed {
        pkgid: contents.pkgid.clone(),
        checksum: terms.checksum,
        file_time,
        package_size: contents.size,
        location: place.unwrap_or_else(|| package.nevra.location()),
    };
    let xml = blocks::xml_of(&package, &placed);
    let Package { nevra, replaced_text, source_rpm, .. } = package;
    let source = Nevra::of_source_file(&source_rpm);
    let replaced_text = replaced_text.into_iter().map(str::to_owned).collect();
    let Contents { sha256, size, .. } = contents;
    Ok(Known { nevra, sha256: *sha256, pkgid: placed.pkgid, size: *size, signed, replaced_text, source, xml })
}

/// Whether a package may come in by what is in it.
///
/// # Errors
/// Why not.
pub fn judge(contents: &Contents, package: &Package, terms: &Terms, at: Timestamp) -> Result<Accepted, Refusal> {
    let signed = contents.judge(&terms.ring, &terms.policy, at)?;
    package::has_one_kind(&contents.header)?;
    may_be_of(package.nevra.arch(), &terms.arches)?;
    Ok(signed)
}

/// Whether a distribution takes packages of this architecture.
fn may_be_of(arch: &str, allowed: &[String]) -> Result<(), Refusal> {
    match (arch::is_known(arch), allowed) {
        (true, []) => Ok(()),
        (_, allowed) if allowed.iter().any(|allowed| allowed == arch) => Ok(()),
        (true, allowed) => Err(Refusal::new(Code::WrongKind, format!("{arch} is not one of {}", allowed.join(", ")))),
        (false, _) => Err(Refusal::new(Code::Arch, format!("rpm does not know {arch}, and it is not in `arches`"))),
    }
}

/// Bytes that are not a question, an answer or terms.
#[derive(Debug, thiserror::Error)]
#[error("not understood: {0}")]
pub struct NotUnderstood(String);

impl From<serde_json::Error> for NotUnderstood {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

fn wrong<T>(why: &str) -> Result<T, NotUnderstood> {
    Err(NotUnderstood(why.to_owned()))
}

/// A line of JSON, followed by raw bytes.
fn with_tail(head: &impl Serialize, tail: &[&[u8]]) -> Vec<u8> {
    // Plain structs of strings and numbers always serialize.
    let mut bytes = serde_json::to_vec(head).unwrap_or_default();
    bytes.push(b'\n');
    for part in tail {
        bytes.extend_from_slice(part);
    }
    bytes
}

fn head_and_tail<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<(T, &'de [u8]), NotUnderstood> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return wrong("the first line does not end") };
    let (head, tail) = bytes.split_at(end);
    Ok((serde_json::from_slice(head)?, tail.get(1..).unwrap_or_default()))
}

/// Takes the next `length` bytes.
fn cut<'a>(tail: &mut &'a [u8], length: u64) -> Result<&'a [u8], NotUnderstood> {
    match usize::try_from(length).ok().and_then(|length| tail.split_at_checked(length)) {
        Some((part, rest)) => {
            *tail = rest;
            Ok(part)
        }
        None => wrong("it is shorter than announced"),
    }
}

#[derive(Serialize, Deserialize)]
struct TermsHead {
    checksum: String,
    arches: Vec<String>,
    min_signers: usize,
    legacy: Vec<LegacyHead>,
    keys: Vec<(String, u64)>,
}

#[derive(Serialize, Deserialize)]
struct LegacyHead {
    fingerprint: String,
    until: Timestamp,
    allow: Vec<String>,
}

impl Terms {
    /// Encodes as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let files = self.ring.files();
        let legacy = |legacy: &Legacy| LegacyHead {
            fingerprint: legacy.fingerprint.clone(),
            until: legacy.until,
            allow: legacy.allow.iter().map(ToString::to_string).collect(),
        };
        let head = TermsHead {
            checksum: self.checksum.to_string(),
            arches: self.arches.clone(),
            min_signers: self.policy.min_signers,
            legacy: self.policy.legacy.iter().map(legacy).collect(),
            keys: files.iter().map(|(label, bytes)| (label.clone(), bytes.len() as u64)).collect(),
        };
        let tail: Vec<&[u8]> = files.iter().map(|(_, bytes)| bytes.as_slice()).collect();
        with_tail(&head, &tail)
    }

    /// Decodes [`Terms::to_bytes`].
    ///
    /// # Errors
    /// If they are anything else. Fewer terms are never accepted: a ring that lacks a key file is an error.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotUnderstood> {
        let (head, mut tail): (TermsHead, _) = head_and_tail(bytes)?;
        let mut files = Vec::with_capacity(head.keys.len());
        for (label, length) in head.keys {
            files.push((label, cut(&mut tail, length)?.to_vec()));
        }
        let ring = Keyring::read(&files).or_else(|complaints| match complaints.first() {
            Some(complaint) => wrong(&complaint.to_string()),
            None => wrong("a ring"),
        })?;
        let mut legacy = Vec::with_capacity(head.legacy.len());
        for LegacyHead { fingerprint, until, allow } in head.legacy {
            let allow = allow.iter().map(|text| text.parse()).collect::<Result<_, _>>();
            legacy.push(Legacy { fingerprint, until, allow: allow.or_else(|_| wrong("an exception"))? });
        }
        Ok(Self {
            ring,
            policy: Policy { legacy, min_signers: head.min_signers },
            checksum: head.checksum.parse().or_else(|_| wrong("a checksum"))?,
            arches: head.arches,
        })
    }
}

impl Question {
    /// Encodes as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        with_tail(&self, &[])
    }

    /// Decodes [`Question::to_bytes`].
    ///
    /// # Errors
    /// If they are anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotUnderstood> {
        Ok(head_and_tail(bytes)?.0)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AnswerHead {
    Good {
        nevra: String,
        sha256: String,
        pkgid: String,
        size: u64,
        fingerprints: Vec<String>,
        keys: Vec<String>,
        notes: Vec<String>,
        replaced_text: Vec<String>,
        source: Option<String>,
        xml: [u64; 3],
    },
    SoFar,
    Refused {
        code: String,
        detail: String,
        sha256: Option<String>,
    },
}

impl Answer {
    /// Encodes as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let refused = |refusal: &Refusal, sha256: Option<Sha256>| AnswerHead::Refused {
            code: refusal.code.to_string(),
            detail: refusal.detail.clone(),
            sha256: sha256.map(Sha256::to_hex),
        };
        match self {
            Self::Good(known) => {
                let Known { nevra, sha256, pkgid, size, signed, replaced_text, source, xml } = known.as_ref();
                let head = AnswerHead::Good {
                    nevra: nevra.to_string(),
                    sha256: sha256.to_hex(),
                    pkgid: pkgid.clone(),
                    size: *size,
                    fingerprints: signed.fingerprints.clone(),
                    keys: signed.keys.clone(),
                    notes: signed.notes.clone(),
                    replaced_text: replaced_text.clone(),
                    source: source.as_ref().map(ToString::to_string),
                    xml: [0, 1, 2].map(|n| xml.get(n).map_or(0, |part| part.len() as u64)),
                };
                with_tail(&head, &[&xml[0], &xml[1], &xml[2]])
            }
            Self::SoFar => with_tail(&AnswerHead::SoFar, &[]),
            Self::Refused(refusal, sha256) => with_tail(&refused(refusal, *sha256), &[]),
        }
    }

    /// Decodes [`Answer::to_bytes`].
    ///
    /// # Errors
    /// If they are anything else: a name that no package may have, an unknown code, a checksum of another kind than
    /// `checksum`.
    pub fn from_bytes(bytes: &[u8], checksum: ChecksumKind) -> Result<Self, NotUnderstood> {
        let (head, mut tail): (AnswerHead, _) = head_and_tail(bytes)?;
        let sum = |text: String| text.parse::<Sha256>().or_else(|_| wrong("a SHA-256"));
        match head {
            AnswerHead::SoFar => Ok(Self::SoFar),
            AnswerHead::Refused { code, detail, sha256 } => {
                let code = code.parse().or_else(|_| wrong("a code"))?;
                Ok(Self::Refused(Refusal::new(code, detail), sha256.map(sum).transpose()?))
            }
            AnswerHead::Good { nevra, sha256, pkgid, size, fingerprints, keys, notes, replaced_text, source, xml } => {
                let nevra: Nevra = nevra.parse().or_else(|_| wrong("a NEVRA"))?;
                let source = source.map(|source| source.parse().or_else(|_| wrong("a source package"))).transpose()?;
                let digits = match checksum {
                    ChecksumKind::Sha1 => 40,
                    ChecksumKind::Sha256 => 64,
                    ChecksumKind::Sha512 => 128,
                };
                if pkgid.len() != digits || !pkgid.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                    return wrong("a pkgid");
                }
                let mut part = |length| cut(&mut tail, length).map(<[u8]>::to_vec);
                let [primary, filelists, other] = xml;
                let xml = [part(primary)?, part(filelists)?, part(other)?];
                let signed = Accepted { fingerprints, keys, notes };
                let sha256 = sum(sha256)?;
                Ok(Self::Good(Box::new(Known { nevra, sha256, pkgid, size, signed, replaced_text, source, xml })))
            }
        }
    }
}
