//! New metadata, staged out of sight and published by one rename.
//!
//! Clients fetch at any time from a plain web server. So (threats F10, F12):
//!
//! 1. The three files are written beside the old ones under names that contain their checksums, and synced. Every block
//!    in them was read back by a strict reader when it was made ([`super::assembly`] says why that is enough); a file
//!    of a single member is read back whole. A name with a checksum never gets other bytes, so a client still using the
//!    old set loses nothing.
//! 2. `repomd.xml.asc` and `repomd.xml` are written under temporary names and synced, and so is the directory with the
//!    names of the three; the two are renamed back to back, and the directory is synced once more. Renaming
//!    `repomd.xml` is the commit point.
//! 3. Files no longer in use are reported, and removed much later by `retirement`.
//!
//! [`Staged`] is a type, so that half of the job cannot be forgotten. Equal content is not published again. The
//! revision never goes back: it is the last one plus one, or the time if that is later.
//!
//! Mirrors and web caches compare time and size, and two publications in the same second often have both in common. So
//! `repomd.xml` and its signature get the revision as their modification time, in seconds: it always increases.
//!
//! Beside a signature lies the key that made it, as `repomd.xml.key`: zypper asks for it where no `.repo` file names one.
//!
//! One call cannot rename two names, so a client that fetches `repomd.xml` and its signature before and after the
//! renames sees a mismatched pair and has to retry. (Rejected: a directory for each generation behind a symbolic link,
//! since zypper and mirrors follow paths, and web servers cache directories.)
//!
//! Other types of data in `repodata/` (comps, modules, updateinfo, anything) are listed again if their bytes match the
//! old `repomd.xml`, and reported otherwise.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest;
use jiff::Timestamp;

use super::assembly::{self, AssemblyError, Tally};
use super::block_cache::BlockCache;
use super::blocks::{self, Form, Members, Part, Sums};
use super::disk::{self, Access, AtPath as _, Disk, DiskError, Fresh};
use super::index::{IndexError, Source};
use super::stamp::Stamp;
use super::thread_pool;
use super::tree::{self, REPODATA};
use crate::domain::checksum::{ChecksumKind, Sha256};
use crate::format::compress::{self, Compression};
use crate::format::primary;
use crate::format::repomd::{Data, Repomd};
use crate::format::signing::{Signer, SigningError};

/// The file name of a tree's metadata index.
pub const REPOMD: &str = "repomd.xml";
/// The file name of its detached signature.
pub const REPOMD_ASC: &str = "repomd.xml.asc";
/// The file name of the key that made it.
pub const REPOMD_KEY: &str = "repomd.xml.key";

/// Temporary names of the pair, and of the key, before they are renamed.
const REPOMD_NEW: &str = ".rolloutd-repomd.xml";
const REPOMD_ASC_NEW: &str = ".rolloutd-repomd.xml.asc";
const REPOMD_KEY_NEW: &str = ".rolloutd-repomd.xml.key";

/// A revision on disk that is further ahead of the clock than this was not made by us, and continuing from it would
/// make clients believe in a far future (threats: fast-forward).
const REVISION_AHEAD_MAX: u64 = 24 * 3600;

/// Ours are a few KiB; a longer one is not ours.
pub const REPOMD_MAX: u64 = 4 << 20;

/// How a tree's metadata is written.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The tree's directory.
    pub dir: PathBuf,
    /// Compression, blocks and the kind of the checksums.
    pub form: Form,
    /// Whether the directory is managed by somebody else, who may have signed or written `repomd.xml`: that signature
    /// stays as long as it matches, and a file that we cannot read is not replaced.
    pub is_lent: bool,
    /// Whether it is published anew even if what is there is equal: somebody else put that there.
    pub anew: bool,
}

/// Why a tree could not be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The three files could not be assembled.
    #[error("could not build the metadata of {}", dir.display())]
    Assembly {
        /// The tree.
        dir: PathBuf,
        /// Why.
        #[source]
        source: Box<AssemblyError>,
    },
    /// New metadata was not accepted by a strict reader: a bug of ours, and nothing was published.
    #[error("the new {part} metadata of {} does not read back: {why}; the old one stays", dir.display())]
    Proof {
        /// Which file.
        part: &'static str,
        /// The tree.
        dir: PathBuf,
        /// What the reader said.
        why: String,
    },
    /// Somebody else's `repomd.xml` cannot be read, so the data it lists would be lost.
    #[error("cannot read {}, and what it names would be lost: {why}; remove it to start fresh", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The key could not sign.
    #[error("could not sign repomd.xml of {}", dir.display())]
    Sign {
        /// The tree.
        dir: PathBuf,
        /// Why.
        #[source]
        source: SigningError,
    },
}

/// What clients see now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The revision.
    pub revision: u64,
    /// The number of packages listed.
    pub packages: u64,
    /// SHA-256 of `repomd.xml`.
    pub repomd: Sha256,
    /// Names in `repodata/` that are no longer in use.
    pub superseded: Vec<String>,
    /// Remarks about data that could not be carried over.
    pub notes: Vec<String>,
    /// How many blocks were reused and made.
    pub blocks: Tally,
    /// The states of the listed files when they were known to be right; empty if unknown.
    pub files: Vec<Stamp>,
}

/// New metadata that is not published yet.
#[must_use = "publish() it or drop it"]
#[derive(Debug)]
pub struct Staged {
    repodata: PathBuf,
    signed: Signed,
    published: Published,
    data: Vec<Data>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signed {
    /// By the key that lies there.
    Yes,
    /// By one that has to be shown, too.
    WithNewKey,
    No,
}

/// The result of staging.
#[derive(Debug)]
pub enum Outcome {
    /// Clients see this content already.
    Same(Published),
    /// There is something new to publish.
    New(Staged),
}

/// Writes the metadata of some packages, without publishing it.
///
/// `floor` is the last published revision that the logbook knows.
///
/// # Errors
/// Nothing that clients see has changed then.
pub fn stage(
    disk: &dyn Disk,
    spec: &Spec,
    source: &impl Source,
    block_cache: &mut BlockCache,
    signer: Option<&Signer>,
    floor: u64,
    now: Timestamp,
) -> Result<Outcome, PublishError> {
    let repodata = spec.dir.join(REPODATA);
    disk.make_dir(&repodata)?;
    disk::sweep(disk, &repodata)?;
    let mut notes = Vec::new();
    let current = match current(spec, &repodata, signer) {
        Ok(current) => current,
        Err(why) if spec.is_lent => return Err(PublishError::Foreign { path: repodata.join(REPOMD), why }),
        Err(why) => {
            notes.push(format!("{REPOMD} could not be read ({why}); what else it named is no longer named"));
            None
        }
    };
    let now_second = now.as_second().max(0).unsigned_abs();
    // yum compares the latest time of all files and accepts nothing older than what it has.
    let is_believable = |second: &u64| *second <= now_second.saturating_add(REVISION_AHEAD_MAX);
    let times = current.iter().flat_map(|known| &known.repomd.data).map(|data| data.timestamp);
    let time = times.chain([floor]).filter(is_believable).fold(now_second, u64::max);
    let (mut data, blocks) = write_files(disk, spec, source, block_cache, time, current.as_ref())?;
    data.extend(carried(&repodata, current.as_ref(), &mut notes));

    let packages = source.packages() as u64;
    if let Some(known) = &current
        && known.whole
        && !spec.anew
        && known.repomd.data == data
        // Somebody may have put an older one of ours back.
        && known.repomd.revision >= floor
    {
        if let Some(key) = signer.and_then(|signer| key_to_show(&repodata, signer)) {
            disk::put(disk, &repodata.join(REPOMD_KEY), key.as_bytes(), Access::Everybody)?;
        }
        let superseded = unnamed(&repodata, &data, signer.is_some())?;
        let (revision, repomd) = (known.repomd.revision, known.sha256);
        keep_time(spec, &repodata, revision);
        let files = states(&repodata, &data).unwrap_or_default();
        return Ok(Outcome::Same(Published { revision, packages, repomd, superseded, notes, blocks, files }));
    }
    let on_disk = current.as_ref().map(|known| known.repomd.revision).filter(is_believable);
    let revision = floor.max(on_disk.unwrap_or(0)).saturating_add(1).max(now_second);
    if signer.is_none() && current.as_ref().is_some_and(|known| known.is_signed) {
        let then =
            if spec.is_lent { format!(": sign {REPOMD} again") } else { ", as nothing is signed here".to_owned() };
        notes.push(format!("{REPOMD_ASC} no longer matches and is removed{then}"));
    }
    let tags = current.map(|known| known.repomd.tags).unwrap_or_default();
    let repomd = Repomd { revision, tags, data };
    let bytes = repomd.write();
    let data = repomd.data;
    // Our own reader must accept what clients will get.
    Repomd::read(&bytes).map_err(|e| PublishError::Proof {
        part: "repomd",
        dir: spec.dir.clone(),
        why: e.to_string(),
    })?;
    let signed = prepare_pair(disk, spec, &repodata, (&bytes, revision), signer, now)?;
    let repomd = sha256(&bytes);
    let (superseded, files) = (Vec::new(), Vec::new());
    let published = Published { revision, packages, repomd, superseded, notes, blocks, files };
    Ok(Outcome::New(Staged { repodata, signed, published, data }))
}

impl Staged {
    /// SHA-256 of the new `repomd.xml`.
    pub fn repomd(&self) -> Sha256 {
        self.published.repomd
    }

    /// Its revision.
    pub fn revision(&self) -> u64 {
        self.published.revision
    }

    /// Publishes it: clients see the old metadata until the last rename and the new from then on, even across a crash.
    ///
    /// # Errors
    /// With the path that failed; another attempt ends in the same state.
    pub fn publish(mut self, disk: &dyn Disk) -> Result<Published, PublishError> {
        let at = |name: &str| self.repodata.join(name);
        if self.signed == Signed::WithNewKey {
            disk.rename(&at(REPOMD_KEY_NEW), &at(REPOMD_KEY))?;
        }
        match self.signed {
            Signed::Yes | Signed::WithNewKey => disk.rename(&at(REPOMD_ASC_NEW), &at(REPOMD_ASC))?,
            // A signature that no longer matches is worse than none.
            Signed::No => disk.remove(&at(REPOMD_ASC))?,
        }
        disk.rename(&at(REPOMD_NEW), &at(REPOMD))?;
        disk.sync_dir(&self.repodata)?;
        self.published.superseded = unnamed(&self.repodata, &self.data, self.signed != Signed::No)?;
        self.published.files = states(&self.repodata, &self.data).unwrap_or_default();
        Ok(self.published)
    }
}

/// The metadata that is there now.
struct Current {
    repomd: Repomd,
    sha256: Sha256,
    /// Whether its signature is there if it should be, and absent if not.
    whole: bool,
    /// Whether there is any file that may be a signature.
    is_signed: bool,
}

/// The `repomd.xml` that clients see; `None` if there is none.
///
/// # Errors
/// Why it cannot be read.
pub fn shown(repodata: &Path) -> Result<Option<Vec<u8>>, String> {
    let path = repodata.join(REPOMD);
    if let Some(bytes) = tree::read_small(&path, REPOMD_MAX) {
        return Ok(Some(bytes));
    }
    match std::fs::symlink_metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        _ => Err(format!("it is not a readable file, or is longer than {REPOMD_MAX} bytes")),
    }
}

/// The same, parsed.
///
/// # Errors
/// Why it cannot be read.
fn current(spec: &Spec, repodata: &Path, signer: Option<&Signer>) -> Result<Option<Current>, String> {
    let Some(bytes) = shown(repodata)? else { return Ok(None) };
    let repomd = Repomd::read(&bytes).map_err(|error| error.to_string())?;
    let signature = tree::read_small(&repodata.join(REPOMD_ASC), REPOMD_MAX);
    let is_signed = signature.is_some();
    let whole = match (signer, signature) {
        (None, None) => true,
        (None, Some(_)) => spec.is_lent,
        (Some(signer), Some(signature)) => signer.made(&signature, &bytes),
        (Some(_), None) => false,
    };
    Ok(Some(Current { repomd, sha256: sha256(&bytes), whole, is_signed }))
}

/// The states of files, if they match `repomd.xml`; `None` if one is missing or has another size.
fn states(repodata: &Path, all: &[Data]) -> Option<Vec<Stamp>> {
    let state = |data: &Data| {
        let meta = std::fs::symlink_metadata(repodata.join(data.file_name())).ok()?;
        (meta.is_file() && data.size == Some(meta.len())).then(|| Stamp::of(&meta))
    };
    all.iter().map(state).collect()
}

/// The SHA-256 of bytes in memory.
pub fn sha256(bytes: &[u8]) -> Sha256 {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    Sha256(sum)
}

/// Whether clients still see what was last published, if nothing that the tree lists has changed since; reads only
/// `repomd.xml` and its signature, and writes nothing.
///
/// `None` if somebody changed, removed or added files, or if their earlier states are unknown; then a closer look is
/// needed.
pub fn unchanged(spec: &Spec, signer: Option<&Signer>, last: &Published) -> Option<Published> {
    let repodata = spec.dir.join(REPODATA);
    let known = current(spec, &repodata, signer).ok()??;
    if signer.is_some_and(|signer| key_to_show(&repodata, signer).is_some()) {
        return None;
    }
    if !known.whole || known.sha256 != last.repomd || states(&repodata, &known.repomd.data)? != last.files {
        return None;
    }
    let superseded = unnamed(&repodata, &known.repomd.data, signer.is_some()).ok()?;
    let revision = known.repomd.revision;
    keep_time(spec, &repodata, revision);
    Some(Published { revision, superseded, blocks: Tally::default(), ..last.clone() })
}

/// Writes into a new file through [`Disk`].
struct Sink<'a> {
    disk: &'a dyn Disk,
    file: Fresh,
    failed: Option<DiskError>,
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.disk.write(&mut self.file, bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                let said = std::io::Error::other(error.sentence());
                self.failed = Some(error);
                Err(said)
            }
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Writes the three files under their final names, where nothing uses them yet.
fn write_files(
    disk: &dyn Disk,
    spec: &Spec,
    source: &impl Source,
    block_cache: &mut BlockCache,
    now_second: u64,
    current: Option<&Current>,
) -> Result<(Vec<Data>, Tally), PublishError> {
    let repodata = spec.dir.join(REPODATA);
    let sink = || Ok::<_, DiskError>(Sink { disk, file: disk.fresh(&repodata, Access::Everybody)?, failed: None });
    let sinks = [sink()?, sink()?, sink()?];
    let sync = |sink: &mut Sink<'_>| disk.sync(&sink.file);
    let (files, tally) =
        assembly::assemble(spec.form, disk, block_cache, source, sinks, sync).map_err(|error| match error {
            AssemblyError::Index(error) => error.into(),
            AssemblyError::Disk(error) => error.into(),
            source => PublishError::Assembly { dir: spec.dir.clone(), source: Box::new(source) },
        })?;
    let mut all = Vec::with_capacity(files.len());
    for (part, (sums, sink)) in Part::ALL.into_iter().zip(files) {
        let data = data_of(part, &sums, spec, now_second, current);
        let path = repodata.join(data.file_name());
        if !lies_there(spec, &path, &sums) {
            disk.name(sink.file, &path)?;
        }
        if spec.form.members == Members::One {
            prove(spec, part, &path, source.packages() as u64, &sums)?;
        }
        all.push(data);
    }
    Ok((all, tally))
}

/// Whether a file has its name and content already. A changed one is replaced.
fn lies_there(spec: &Spec, path: &Path, sums: &Sums) -> bool {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { return false };
    let Ok(file) = tree::open_beneath(dir, Path::new(name)) else { return false };
    file_checksum(file, spec.form.checksum).is_ok_and(|found| found == sums.checksum)
}

fn data_of(part: Part, sums: &Sums, spec: &Spec, now_second: u64, current: Option<&Current>) -> Data {
    let mut name = format!("{REPODATA}/{}-{}.xml", sums.checksum, part.as_str());
    name.push_str(spec.form.compression.extension());
    let data = sums.data(spec.form, part.as_str(), &name, now_second);
    // An unchanged file keeps its time, so that equal content gives an equal `repomd.xml`.
    let known = current.and_then(|known| known.repomd.get(part.as_str()));
    match known.filter(|known| known.checksum == data.checksum) {
        Some(known) => Data { timestamp: known.timestamp, ..data },
        None => data,
    }
}

/// Reads a file back from disk: sizes and checksums of file and content, well-formed, right number of packages.
fn prove(spec: &Spec, part: Part, path: &Path, packages: u64, sums: &Sums) -> Result<(), PublishError> {
    let file = tree::open_beneath(&spec.dir.join(REPODATA), Path::new(path.file_name().unwrap_or_default()))?;
    blocks::read_back(spec.form, sums, part.root(), packages, file).map(drop).map_err(|error| {
        let why = match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        PublishError::Proof { part: part.as_str(), dir: spec.dir.clone(), why }
    })
}

/// The checksum of a file in hexadecimal, read in pieces.
pub fn file_checksum(mut file: File, kind: ChecksumKind) -> std::io::Result<String> {
    let algorithm = match kind {
        ChecksumKind::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        ChecksumKind::Sha256 => &digest::SHA256,
        ChecksumKind::Sha512 => &digest::SHA512,
    };
    let mut sum = digest::Context::new(algorithm);
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(sum.finish())),
            n => sum.update(buffer.get(..n).unwrap_or_default()),
        }
    }
}

/// Whether a file in `repodata/` matches its name, which begins with the checksum of the content. `repomd.xml`, its
/// signature and the key are checked elsewhere.
pub fn is_named_by_content(name: &str, file: &File) -> bool {
    let (sum, _) = name.split_once('-').unwrap_or_default();
    let kind = match sum.len() {
        40 => ChecksumKind::Sha1,
        64 => ChecksumKind::Sha256,
        128 => ChecksumKind::Sha512,
        _ => return [REPOMD, REPOMD_ASC, REPOMD_KEY].contains(&name),
    };
    file.try_clone().and_then(|file| file_checksum(file, kind)).is_ok_and(|found| found == sum)
}

/// Which of these locations one of our `repomd.xml` lists.
///
/// # Errors
/// Why it cannot be read.
pub fn named(tree: &Path, repomd: &[u8], wanted: &BTreeSet<String>) -> Result<BTreeSet<String>, String> {
    let repomd = Repomd::read(repomd).map_err(|error| error.to_string())?;
    let primary = repomd.get(Part::Primary.as_str()).ok_or("it names no primary")?;
    content(tree, primary, primary.open_size.unwrap_or_default())
        .and_then(|list| primary::named(list, wanted).map_err(|error| format!("{}: {error}", primary.location)))
}

/// Decompresses a file that `repomd.xml` lists; more than `limit` bytes are an error.
///
/// # Errors
/// Why it cannot be read.
pub(super) fn content(tree: &Path, data: &Data, limit: u64) -> Result<impl std::io::BufRead + use<>, String> {
    let file = tree::open_beneath(tree, Path::new(&data.location)).map_err(|error| error.sentence())?;
    let wrong = |why: String| format!("{}: {why}", data.location);
    let compression =
        Compression::of_name(&data.location).ok_or_else(|| wrong("compressed in an unknown way".to_owned()))?;
    compress::reader(compression, std::io::BufReader::new(file), limit).map_err(|error| wrong(error.to_string()))
}

/// Whether data of this type is about the packages, so that it is made anew with them. SQLite and zchunk versions of the
/// three files would describe an older state of them.
pub(super) fn is_about_packages(kind: &str) -> bool {
    Part::ALL.iter().any(|part| {
        kind.strip_prefix(part.as_str())
            .is_some_and(|rest| matches!(rest, "" | "_db" | "_zck" | "-ext" | "-ext_db" | "-ext_zck"))
    })
}

/// Data of other types, if their files match `repomd.xml`.
fn carried(repodata: &Path, current: Option<&Current>, notes: &mut Vec<String>) -> Vec<Data> {
    let all = current.into_iter().flat_map(|known| &known.repomd.data);
    let mut carried = Vec::new();
    for data in all.filter(|data| !is_about_packages(&data.kind)) {
        match check_carried(repodata, data) {
            Ok(()) => carried.push(data.clone()),
            Err(why) => notes.push(format!("{} is no longer listed in it: {why}", data.location)),
        }
    }
    carried
}

fn check_carried(repodata: &Path, data: &Data) -> Result<(), String> {
    let file = tree::open_beneath(repodata, Path::new(data.file_name())).map_err(|e| e.sentence())?;
    let kind: ChecksumKind = match data.checksum.kind.parse() {
        Ok(kind) => kind,
        // A kind that we would not write is kept as it is; clients that know it will check it.
        Err(_) => return Ok(()),
    };
    let found = file_checksum(file, kind).map_err(|e| e.to_string())?;
    if found == data.checksum.hex {
        Ok(())
    } else {
        Err(format!("its checksum is {found}, not the recorded {}", data.checksum.hex))
    }
}

/// The modification time of `repomd.xml` of a revision and its signature.
fn time_of(revision: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(revision)).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Restores the times of a pair if somebody touched or copied it, since mirrors compare them. Nothing else depends on
/// it, so a failure is not reported; the next publication sets its own time anyway.
fn keep_time(spec: &Spec, repodata: &Path, revision: u64) {
    if spec.is_lent {
        return;
    }
    for name in [REPOMD_ASC, REPOMD] {
        let Ok(file) = tree::open_beneath(repodata, Path::new(name)) else { continue };
        let is = file.metadata().and_then(|meta| meta.modified());
        if is.is_ok_and(|is| is != time_of(revision)) && file.set_modified(time_of(revision)).is_ok() {
            tracing::debug!(path = %repodata.join(name).display(), revision, "set the time of a file back to its \
                                                                              revision");
        }
    }
}

/// Writes the pair under temporary names, and meanwhile makes the names of the three files durable. The temporary names
/// need not be durable: the synced files are what is renamed.
fn prepare_pair(
    disk: &dyn Disk,
    spec: &Spec,
    repodata: &Path,
    (bytes, revision): (&[u8], u64),
    signer: Option<&Signer>,
    now: Timestamp,
) -> Result<Signed, PublishError> {
    let put = |name: &str, bytes: &[u8]| {
        let mut file = disk.fresh(repodata, Access::Everybody)?;
        disk.write(&mut file, bytes)?;
        file.file.set_modified(time_of(revision)).at("set the time of", &repodata.join(name))?;
        disk.sync(&file)?;
        disk.name(file, &repodata.join(name)).map(drop)
    };
    let sign = |signer: &Signer| {
        let signature = signer.sign_detached_armored(bytes, now);
        let signature = signature.map_err(|source| PublishError::Sign { dir: spec.dir.clone(), source })?;
        put(REPOMD_ASC_NEW, signature.as_bytes())?;
        let Some(key) = key_to_show(repodata, signer) else { return Ok(Signed::Yes) };
        Ok::<_, PublishError>(put(REPOMD_KEY_NEW, key.as_bytes()).map(|()| Signed::WithNewKey)?)
    };
    // None of these waits for another; on most file systems they are one commit.
    let (names, (pair, signed)) = thread_pool::both(
        || disk.sync_dir(repodata),
        || thread_pool::both(|| put(REPOMD_NEW, bytes), || signer.map(sign)),
    );
    names?;
    pair?;
    signed.unwrap_or(Ok(Signed::No))
}

/// The signing key, as clients import it, if it does not lie beside the signature yet.
fn key_to_show<'s>(repodata: &Path, signer: &'s Signer) -> Option<&'s str> {
    let key = signer.public_key_armored();
    let shown = tree::read_small(&repodata.join(REPOMD_KEY), key.len() as u64);
    (shown.as_deref() != Some(key.as_bytes())).then_some(key)
}

/// Files in `repodata/` that are not in use, except temporary ones. The key is in use where something is signed.
fn unnamed(repodata: &Path, data: &[Data], is_signed: bool) -> Result<Vec<String>, DiskError> {
    let ours = [REPOMD, REPOMD_ASC].into_iter().chain(is_signed.then_some(REPOMD_KEY));
    let named: BTreeSet<&str> = data.iter().map(Data::file_name).chain(ours).collect();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(repodata).at("list", repodata)? {
        let entry = entry.at("list", repodata)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && !name.starts_with('.') && !named.contains(&*name) {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}
