//! `rolloutd verify`: the gate's verdict on files, without a daemon: by a key ring, or as a distribution would judge them.
//!
//! Owns: the arguments, the small policy file, opening files safely, and how a verdict is written. The verdict itself
//! comes from the gate's own functions.
//!
//! What never happens here: a link or anything but a regular file is opened as a package, a package is held in memory,
//! or an unusable file of the ring is silently skipped. If it was named directly it is an error; in a directory of
//! keys, which may also hold other certificates and notes, it is skipped with a note.

use super::{offline, progress};
use crate::config::{files, values};
use crate::daemon::prepare;
use crate::domain::checksum::{ChecksumKind, Sha256};
use crate::domain::legible;
use crate::domain::names::{DistPath, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::trust::{Accepted, Legacy, Lifted, Policy};
use crate::format::complaint::Trouble;
use crate::format::openpgp::{KEY_FILE_MAX, KeyComplaint, Keyring};
use crate::format::package::Package;
use crate::format::reading::{Contents, Reading, Unread};
use crate::format::spelling::list_of;
use crate::process::world::World;
use crate::store::examination::{self, Terms};
use crate::store::intake::place::{self, Standing};
use indicatif::ProgressBar;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
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
/// A policy file takes the same keys as a distribution in the configuration:
///
///     min_signers = 1
///
///     [[legacy]]
///     key   = "40D4223E36733C2E1B24E755B0B4183F192A7D7D"
///     until = "2027-06-30"
///     allow = ["v3", "header_payload", "sha1", "weak_key", "expired"]
///
/// With --config the files are judged as the daemon would judge uploads: by the distribution's
/// keys, exceptions and architectures, and by what it has accepted and withdrawn before, as far
/// as you may read its logbook.
///
/// In a directory of keys, files without a usable certificate are named and skipped; a file named
/// directly must have one.
///
/// Exit codes: 0 all accepted, 1 some refused, 2 something could not be read.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct VerifyArgs {
    /// File or directory with OpenPGP certificates; may be given several times
    #[arg(long, value_name = "PATH", required_unless_present = "config")]
    pub keyring: Vec<PathBuf>,
    /// TOML file with `min_signers` and `[[legacy]]` exceptions
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// The daemon's configuration, instead of --keyring and --policy
    #[arg(long, value_name = "FILE", conflicts_with_all = ["keyring", "policy"])]
    pub config: Option<PathBuf>,
    /// The distribution to which the packages would be uploaded; may be omitted if there is only one
    #[arg(long, requires = "config", value_name = "PATH")]
    pub distribution: Option<String>,
    /// Judge the packages as of this time, such as 2026-11-20T12:00:00Z; by default, now
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// Write one JSON document instead of lines
    #[arg(long)]
    pub json: bool,
    /// The packages to check
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
    /// The configuration, or what it names.
    #[error("{0}")]
    Config(String),
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
    let (judge, left_out) = judge(args)?;
    let at = args.at.unwrap_or(at);
    let bar = progress(args.files.len());
    let mut answers = Vec::new();
    let mut worst = 0;
    for path in &args.files {
        let answer = Answer { keys_left_out: left_out.clone(), ..Answer::on(path, &judge, at) };
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

/// By what files are judged, and files of keys that are not used.
fn judge(args: &VerifyArgs) -> Result<(Judge, Vec<String>), VerifyError> {
    if let Some(config) = &args.config {
        let site = Site::of(config, args.distribution.as_deref())?;
        if let Err(why) = &site.books {
            let why = why.lines().next().unwrap_or_default();
            writeln!(io::stderr(), "note: {NOT_COMPARED}: {}", one_line(why))?;
        }
        return Ok((Judge::Site(Box::new(site)), vec![]));
    }
    let Ring { ring, left_out, .. } = ring(&args.keyring)?;
    for complaint in &left_out {
        writeln!(io::stderr(), "note: not in the ring: {}", one_line(&complaint.to_string()))?;
    }
    let policy = args.policy.as_deref().map_or_else(|| Ok(Policy::default()), policy)?;
    Ok((Judge::Ring(Box::new((ring, policy))), left_out.iter().map(ToString::to_string).collect()))
}

/// A bar on a terminal, and nothing elsewhere, where the lines show the progress.
fn progress(files: usize) -> ProgressBar {
    if files < 2 {
        return ProgressBar::hidden();
    }
    progress::bar(Some(files as u64), "{wide_bar} {pos}/{len} {per_sec} {eta} left")
}

/// By what files are judged.
enum Judge {
    /// Keys and what is required of signatures.
    Ring(Box<(Keyring, Policy)>),
    /// A distribution, as the daemon judges.
    Site(Box<Site>),
}

impl Judge {
    fn on(&self, contents: &Contents, package: Result<Package, Refusal>, at: Timestamp) -> Result<Accepted, Refusal> {
        match self {
            // The signatures are judged first; a package that cannot be listed is refused after that.
            Self::Ring(by) => contents.judge(&by.0, &by.1, at).and_then(|accepted| package.map(|_| accepted)),
            Self::Site(site) => site.judge(contents, &package?, at),
        }
    }
}

/// What is said where the logbook cannot be read.
const NOT_COMPARED: &str = "not compared with what was accepted and withdrawn before";

/// A distribution of a site.
struct Site {
    dist: DistPath,
    terms: Terms,
    max_package: u64,
    /// What it has accepted and withdrawn; or why that is not known.
    books: Result<World, String>,
    /// What was accepted just now: the daemon would take the first of two files of a name.
    met: RefCell<BTreeMap<Nevra, Sha256>>,
}

impl Site {
    fn of(config: &Path, dist: Option<&str>) -> Result<Self, VerifyError> {
        let settings = offline::settings(config).map_err(|failure| VerifyError::Config(failure.message))?;
        let all = || settings.distributions.iter().map(|one| one.path.as_str());
        let found = match (dist, &settings.distributions[..]) {
            (Some(named), all) => all.iter().find(|one| one.path.as_str() == named.trim_matches('/')),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        let found = found.ok_or_else(|| {
            let known = list_of(all());
            VerifyError::Config(match dist {
                Some(named) => format!("there is no distribution `{}`; there are {known}", named.escape_debug()),
                None => format!("name the distribution with --distribution: {known}"),
            })
        })?;
        let mut wrong = Vec::new();
        let terms = prepare::terms_of_uploads(found, &mut wrong);
        let terms = terms.filter(|_| wrong.is_empty()).ok_or_else(|| VerifyError::Config(wrong.join("\n")))?;
        let books = offline::world(&settings).map_err(|failure| failure.message);
        let (dist, max_package) = (found.path.clone(), settings.intake.max_package);
        Ok(Self { dist, terms, max_package, books, met: RefCell::default() })
    }

    fn judge(&self, contents: &Contents, package: &Package, at: Timestamp) -> Result<Accepted, Refusal> {
        if contents.size > self.max_package {
            let detail = format!("{} bytes; at most {} are allowed", contents.size, self.max_package);
            return Err(Refusal::new(Code::TooLarge, detail));
        }
        let mut accepted = examination::judge(contents, package, &self.terms, at)?;
        let (nevra, dist) = (&package.nevra, &self.dist);
        let met = *self.met.borrow_mut().entry(nevra.clone()).or_insert(contents.sha256);
        if met != contents.sha256 {
            let detail = format!("{nevra} is another of these files, {met}, this is {}", contents.sha256);
            return Err(Refusal::new(Code::DuplicateNevra, detail));
        }
        let Ok(world) = &self.books else {
            accepted.notes.push(NOT_COMPARED.to_owned());
            return Ok(accepted);
        };
        let known = world.packages.get(dist, nevra).map(|known| known.sha256);
        let may_come_again = || world.packages.may_come_again(dist, nevra);
        let trees: Vec<&str> = world.listed_in(dist, nevra).map(TreeName::as_str).collect();
        if place::standing((nevra, contents.sha256), known, !trees.is_empty(), may_come_again)? == Standing::Listed {
            accepted.notes.push(format!("it is in {} already", trees.join(" and ")));
        }
        let of_name = world.packages.named(dist, nevra.name()).map(|(other, _)| other);
        let of_file: Vec<_> = of_name.filter(|other| other.file_name() == nevra.file_name()).cloned().collect();
        place::has_file_of_another(nevra, &of_file).map_or(Ok(accepted), Err)
    }
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
    fn on(path: &Path, judge: &Judge, at: Timestamp) -> Self {
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
        match judge.on(&contents, package, at) {
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
                let by = std::iter::once(self.fingerprints.join(", "));
                let all: Vec<String> = by.chain(self.notes.iter().map(|note| one_line(note))).collect();
                format!("{file}: {verdict} {nevra} by {}", all.join("; "))
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

/// The name of the package in a file, by its header.
///
/// # Errors
/// Why the file is no package that could be listed.
pub fn nevra_of(path: &Path) -> Result<Nevra, String> {
    let contents = read(path).map_err(|unread| match unread {
        Unread::Refused(refusal) => refusal.to_string(),
        Unread::Failed(error) => error.to_string(),
    })?;
    let package = Package::read(&contents.header, &contents.signature_header, &contents.layout);
    package.map(|package| package.nevra).map_err(|refusal| refusal.to_string())
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
