//! `rolloutd verify`: the gate's verdict on files, without a daemon or a configuration.
//!
//! Owns: the arguments, the small policy file, opening files safely, and how a verdict is written. The verdict itself
//! comes from the gate's own functions.
//!
//! What never happens here: a link or anything but a regular file is opened as a package, a package is held in memory,
//! or an unusable file of the ring is silently skipped. If it was named directly it is an error; in a directory of
//! keys, which may also hold other certificates and notes, it is skipped with a note.

use crate::config::{files, values};
use crate::domain::checksum::ChecksumKind;
use crate::domain::legible;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::trust::{Legacy, Lifted, Policy};
use crate::format::complaint::Trouble;
use crate::format::openpgp::{KEY_FILE_MAX, KeyComplaint, Keyring};
use crate::format::package::Package;
use crate::format::reading::{Contents, Reading, Unread};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Bytes read at once.
const PIECE: usize = 256 * 1024;

/// The largest policy file; a real one is a page of text.
const POLICY_MAX: usize = 1024 * 1024;

/// Shows whether the gate would accept packages, and why not
///
/// Example: rolloutd verify --keyring /etc/pki/rpm-gpg/RPM-GPG-KEY-example *.rpm
///
/// A policy file has the keys of a distribution in the configuration:
///
///     min_signers = 1
///
///     [[legacy]]
///     key   = "40D4223E36733C2E1B24E755B0B4183F192A7D7D"
///     until = "2027-06-30"
///     allow = ["v3", "header_payload", "sha1", "weak_key", "expired"]
///
/// In a directory of keys, files without a usable certificate are named and skipped; a file named
/// directly must have one.
///
/// Exit codes: 0 all accepted, 1 some refused, 2 something could not be read.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct VerifyArgs {
    /// File or directory with OpenPGP certificates; may be given several times
    #[arg(long, value_name = "PATH", required = true)]
    pub keyring: Vec<PathBuf>,
    /// TOML file with `min_signers` and `[[legacy]]` exceptions
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// When the packages arrive, for example 2026-11-20T12:00:00Z; now by default
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// Write one JSON document instead of lines
    #[arg(long)]
    pub json: bool,
    /// Packages
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// Why there is no verdict at all.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A key file or a directory of them.
    #[error("could not read {}", .path.display())]
    Keyring {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A key file that cannot be read.
    #[error("{0}")]
    KeyFile(Trouble),
    /// The ring would not be what was asked for.
    #[error("not usable as a key ring:\n{}", .0.iter().map(|c| format!("  {c}")).collect::<Vec<_>>().join("\n"))]
    Keys(Vec<KeyComplaint>),
    /// None of the files has a certificate.
    #[error("there is no certificate in {0}")]
    NoKeys(String),
    /// The policy file.
    #[error("could not read the policy: {0}")]
    Policy(Trouble),
    /// What the policy file says.
    #[error("{}: {what}", .path.display())]
    PolicyText {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        what: String,
    },
    /// The verdicts could not be written.
    #[error("could not write the verdicts")]
    Output(#[from] io::Error),
}

/// Judges all files and writes the verdicts.
///
/// `at` is when the packages arrive unless the arguments say otherwise. Returns the exit code: 0, 1, or 2 if a file
/// could not be read.
///
/// # Errors
/// If nothing could be judged at all; the exit code is then 2.
pub fn run(args: &VerifyArgs, at: Timestamp, out: &mut impl Write) -> Result<u8, VerifyError> {
    let Ring { ring, left_out, .. } = ring(&args.keyring)?;
    let mut notes = io::stderr();
    for complaint in &left_out {
        writeln!(notes, "note: not in the ring: {}", one_line(&complaint.to_string()))?;
    }
    let left_out: Vec<String> = left_out.iter().map(ToString::to_string).collect();
    let policy = args.policy.as_deref().map_or_else(|| Ok(Policy::default()), policy)?;
    let at = args.at.unwrap_or(at);
    let bar = progress(args.files.len());
    let mut answers = Vec::new();
    let mut worst = 0;
    for path in &args.files {
        let answer = Answer { keys_left_out: left_out.clone(), ..Answer::on(path, &ring, &policy, at) };
        worst = worst.max(answer.exit_code());
        if args.json {
            answers.push(answer);
        } else {
            bar.suspend(|| writeln!(out, "{}", answer.line()))?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if args.json {
        let document = serde_json::to_string_pretty(&answers).map_err(io::Error::from)?;
        writeln!(out, "{}", legible::json(&document))?;
    }
    out.flush()?;
    Ok(worst)
}

/// A bar on a terminal, and nothing elsewhere, where the lines show the progress.
fn progress(files: usize) -> ProgressBar {
    if files < 2 {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(files as u64), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} {per_sec} {eta} left") {
        bar.set_style(style);
    }
    bar
}

/// One file's verdict in JSON.
#[derive(Debug, Serialize)]
struct Answer {
    file: String,
    verdict: &'static str,
    nevra: Option<String>,
    sha256: Option<String>,
    fingerprints: Vec<String>,
    code: Option<&'static str>,
    rule: Option<&'static str>,
    detail: Option<String>,
    remedy: Option<&'static str>,
    notes: Vec<String>,
    /// Files in directories of keys that are not in the ring, and why.
    keys_left_out: Vec<String>,
}

impl Answer {
    fn on(path: &Path, ring: &Keyring, policy: &Policy, at: Timestamp) -> Self {
        let mut answer = Self {
            file: path.to_string_lossy().into_owned(),
            verdict: "refused",
            nevra: None,
            sha256: None,
            fingerprints: Vec::new(),
            code: None,
            rule: None,
            detail: None,
            remedy: None,
            notes: Vec::new(),
            keys_left_out: Vec::new(),
        };
        let contents = match read(path) {
            Ok(contents) => contents,
            Err(Unread::Refused(refusal)) => return answer.refused(&refusal),
            Err(Unread::Failed(error)) => {
                return Self { verdict: "unreadable", detail: Some(error.to_string()), ..answer };
            }
        };
        answer.sha256 = Some(contents.sha256.to_hex());
        let package = Package::read(&contents.header, &contents.signature_header, &contents.layout);
        answer.nevra = package.as_ref().ok().map(|package| package.nevra.to_string());
        // The signatures are judged first; a package that cannot be listed is refused after that.
        match contents.judge(ring, policy, at).and_then(|accepted| package.map(|_| accepted)) {
            Ok(accepted) => {
                Self { verdict: "accepted", fingerprints: accepted.fingerprints, notes: accepted.notes, ..answer }
            }
            Err(refusal) => answer.refused(&refusal),
        }
    }

    fn refused(self, refusal: &Refusal) -> Self {
        Self {
            code: Some(refusal.code.as_str()),
            rule: Some(refusal.code.rule()),
            detail: Some(refusal.detail.clone()),
            remedy: Some(refusal.code.remedy()),
            ..self
        }
    }

    fn exit_code(&self) -> u8 {
        match self.verdict {
            "accepted" => 0,
            "refused" => 1,
            _ => 2,
        }
    }

    /// The output line for people and scripts.
    fn line(&self) -> String {
        let file = one_line(&self.file);
        let detail = one_line(self.detail.as_deref().unwrap_or_default());
        match (self.verdict, self.code, self.remedy) {
            (verdict, Some(code), Some(remedy)) => format!("{file}: {verdict} {code} {detail}. {remedy}"),
            (verdict @ "accepted", ..) => {
                let nevra = self.nevra.as_deref().unwrap_or_default();
                format!("{file}: {verdict} {nevra} by {}", self.fingerprints.join(", "))
            }
            (verdict, ..) => format!("{file}: {verdict} {detail}"),
        }
    }
}

/// File names are untrusted text: no control characters, no second line.
pub fn one_line(text: &str) -> String {
    legible::line(text).into_owned()
}

/// Reads a regular file in pieces. Pipes and devices do not block it, and links are not followed (B1).
fn read(path: &Path) -> Result<Contents, Unread> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let opened = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(opened) => opened,
        Err(Errno::LOOP) => return Err(not_regular("a symbolic link")),
        Err(Errno::NXIO) => return Err(not_regular("a socket or a device")),
        Err(error) => return Err(Unread::Failed(error.into())),
    };
    let mut file = File::from(opened);
    let before = file.metadata()?;
    if !before.is_file() {
        return Err(not_regular("not a regular file"));
    }
    let contents = Reading::new(ChecksumKind::Sha256).whole(&mut file, &mut vec![0; PIECE])?;
    let after = file.metadata()?;
    if contents.size != before.len() || after.len() != before.len() || after.modified()? != before.modified()? {
        return Err(Refusal::new(Code::Unstable, "it changed while it was being read").into());
    }
    Ok(contents)
}

fn not_regular(what: &str) -> Unread {
    Refusal::new(Code::NotRegular, what).into()
}

/// A ring, and what was left out of it.
pub struct Ring {
    /// The ring.
    pub ring: Keyring,
    /// Unusable files in directories, and why.
    pub left_out: Vec<KeyComplaint>,
}

/// The ring of all files, and of all files in all directories.
///
/// # Errors
/// If a file that was named directly cannot be read or has no key, if anything is wrong in one that has keys, or if
/// there is no key at all.
pub fn ring(paths: &[PathBuf]) -> Result<Ring, VerifyError> {
    let mut named = BTreeSet::new();
    let mut all = Vec::new();
    let mut left_out = Vec::new();
    for path in paths {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| VerifyError::Keyring { path, source }
        };
        // Links are followed: the admin names the ring, and distributions link their keys.
        if !std::fs::metadata(path).map_err(failed(path))?.is_dir() {
            let (bytes, _) = files::content(path, KEY_FILE_MAX).map_err(VerifyError::KeyFile)?;
            let label = path.display().to_string();
            named.insert(label.clone());
            all.push((label, bytes));
            continue;
        }
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed(path))? {
            names.push(entry.map_err(failed(path))?.path());
        }
        names
            .retain(|name| name.file_name().is_some_and(|n| !n.as_encoded_bytes().starts_with(b".")) && !name.is_dir());
        names.sort();
        for name in names {
            let label = name.display().to_string();
            match files::content(&name, KEY_FILE_MAX) {
                Ok((bytes, _)) => all.push((label, bytes)),
                // A file that exists but may not be read could hold a revocation.
                Err(trouble) if name.is_file() => return Err(VerifyError::KeyFile(trouble)),
                Err(trouble) => {
                    let what = trouble.what.strip_prefix(&format!("{label} ")).unwrap_or(&trouble.what).to_owned();
                    left_out.push(KeyComplaint { label, what });
                }
            }
        }
    }
    let (ring, unusable) = Keyring::read_but(&all, &|label| !named.contains(label)).map_err(VerifyError::Keys)?;
    left_out.extend(unusable);
    if ring.is_empty() {
        let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(VerifyError::NoKeys(names.join(", ")));
    }
    Ok(Ring { ring, left_out })
}

/// The policy file as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    #[serde(default)]
    min_signers: usize,
    #[serde(default)]
    legacy: Vec<LegacyTable>,
}

/// `[[legacy]]` as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LegacyTable {
    #[serde(alias = "fingerprint", deserialize_with = "fingerprint")]
    key: String,
    #[serde(deserialize_with = "until")]
    until: Timestamp,
    #[serde(deserialize_with = "allow")]
    allow: Vec<Lifted>,
}

fn fingerprint<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    values::fingerprint(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

/// A whole day in UTC, or an instant; as text, or as a TOML date.
fn until<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Date(toml::value::Datetime),
        Text(String),
    }
    let text = match Written::deserialize(from)? {
        Written::Date(date) => date.to_string(),
        Written::Text(text) => text,
    };
    let end_of = |day: Date| day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    match text.parse::<Date>() {
        Ok(day) if text.len() == 10 => end_of(day),
        _ => text.parse().ok(),
    }
    .ok_or_else(|| serde::de::Error::custom(format!("`{}` is not a date such as 2027-06-30", text.escape_default())))
}

fn allow<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Lifted>, D::Error> {
    let words = Vec::<String>::deserialize(from)?;
    words.iter().map(|word| word.parse().map_err(serde::de::Error::custom)).collect()
}

/// Reads a policy file.
///
/// # Errors
/// If it cannot be read, with the position of the error.
pub fn policy(path: &Path) -> Result<Policy, VerifyError> {
    let (bytes, _) = files::content(path, POLICY_MAX).map_err(VerifyError::Policy)?;
    let text = String::from_utf8_lossy(&bytes);
    let file: PolicyFile = toml::from_str(&text).map_err(|error| VerifyError::PolicyText {
        path: path.to_owned(),
        what: error.to_string().trim_end().to_owned(),
    })?;
    let legacy = |table: LegacyTable| Legacy { fingerprint: table.key, until: table.until, allow: table.allow };
    Ok(Policy { min_signers: file.min_signers, legacy: file.legacy.into_iter().map(legacy).collect() })
}
