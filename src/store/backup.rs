//! A copy of a site's state from which it can go on, and the way back.
//!
//! ```text
//! <backup>/manifest.json         every other file with its size, SHA-256, mode and time
//! <backup>/logbook.sqlite        one state of the logbook, whole without a log beside it
//! <backup>/logbook.head          its end
//! <backup>/retired/ rejected/    as in the state directory
//! ```
//!
//! What can be made again is not in it: the index, the blocks, the addresses. A backup takes no lock and holds up
//! nobody: the logbook is read as any reader does, and files that come or go meanwhile are or are not in it. It is
//! made beside its place and renamed when it is whole, so what has the name is one.
//!
//! To put one back takes the site for itself, copies everything beside what is there, and exchanges the two by
//! renames between which the daemon does not start ([`UNFINISHED`]). What was there is moved aside, never removed.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use aws_lc_rs::digest;
use jiff::Timestamp;
use rustix::fs::{FlockOperation, Gid, Mode, OFlags, Uid};
use serde::{Deserialize, Serialize};

use super::disk::{self, Access, AtPath as _, Disk, DiskError, TEMPORARY};
use super::logbook::{self, Head, Logbook as _, LogbookError, SqliteLogbook, Witness};
use super::rejected::KEPT_MAX;
use crate::domain::checksum::Sha256;

/// The list of what is in a backup.
pub const MANIFEST: &str = "manifest.json";

/// The file in the state directory for as long as a restore has begun and is not over.
pub const UNFINISHED: &str = "restore.unfinished";

const BOOK: &str = "logbook.sqlite";
const SEAL: &str = "logbook.head";

/// The directories that are copied with all that is below.
const DIRS: [&str; 3] = ["retired", "rejected", "adopted"];

/// What a restored state has in its place, or makes again.
const REPLACED: [&str; 9] =
    [SEAL, BOOK, "logbook.sqlite-wal", "logbook.sqlite-shm", "retired", "rejected", "adopted", "index", "scrub"];

/// Smaller files may have holes as they like.
const HOLES_FROM: u64 = 1 << 20;

/// How deep directories are looked into.
const DEPTH_MAX: usize = 8;

/// Longest manifest that is read: some hundred bytes for each file.
const MANIFEST_MAX: u64 = 1 << 30;

/// Rises with every change of the layout.
const FORMAT: u32 = 1;

/// What is in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The layout.
    pub format: u32,
    /// The version of the program that made it.
    pub program: String,
    /// When it was made.
    pub made: Timestamp,
    /// The name of the site.
    pub site: String,
    /// How many entries the logbook has.
    pub entries: u64,
    /// The hash of the last.
    pub hash: String,
    /// Every file but the manifest.
    pub files: Vec<Entry>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its path from the top.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// What is in it.
    pub sha256: String,
    /// Its mode in the state directory.
    pub mode: u32,
    /// Its time.
    pub modified: Timestamp,
}

/// Why there is no backup, or why it is not put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The logbook.
    #[error("{}", .0.sentence())]
    Logbook(#[from] LogbookError),
    /// The disk.
    #[error("{}", .0.sentence())]
    Disk(#[from] DiskError),
    /// The place for a backup will not do.
    #[error("{} {why}", dir.display())]
    Place {
        /// The place.
        dir: PathBuf,
        /// Why not.
        why: String,
    },
    /// There is no state directory to put it into.
    #[error("{} {why}", dir.display())]
    Homeless {
        /// The state directory.
        dir: PathBuf,
        /// Why not, and what to do.
        why: String,
    },
    /// A backup is not what it says.
    #[error("the backup is incomplete or damaged: {} {why}. Use another backup", path.display())]
    Spoilt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// How far a long piece of work is: so many bytes of so many.
pub type Progress<'a> = &'a dyn Fn(u64, u64);

/// What was copied, and what was not and why.
#[derive(Debug)]
pub struct Made {
    /// What is in it.
    pub manifest: Manifest,
    /// Files that are no plain files, or are not what their names say.
    pub notes: Vec<(PathBuf, String)>,
}

/// Makes a backup of the state directory in a directory that is new or empty.
///
/// # Errors
/// There is nothing at the place then that was not there before.
pub fn make(
    disk: &dyn Disk,
    state: &Path,
    site: &str,
    to: &Path,
    now: Timestamp,
    progress: Progress<'_>,
) -> Result<Made, BackupError> {
    let place = |why: &str| BackupError::Place { dir: to.to_owned(), why: why.to_owned() };
    match std::fs::read_dir(to).map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Ok(false) => return Err(place("is not empty; a backup needs a new directory and replaces nothing")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(DiskError::new("list", to, error).into()),
    }
    let (Some(above), Some(name)) = (to.parent(), to.file_name()) else { return Err(place("has no name")) };
    let part = above.join(format!(".{}.rolloutd-part", name.to_string_lossy()));
    let _alone = begin(&part)?;
    let made = fill(disk, state, site, &part, now, progress).and_then(|made| {
        disk.rename(&part, to)?;
        disk.sync_dir(above)?;
        Ok(made)
    });
    if made.is_err() {
        let _ = disk::remove_all(&part);
    }
    made
}

/// An empty directory for the owner alone, which nobody else uses as long as the answer lives.
fn begin(part: &Path) -> Result<File, BackupError> {
    match private_dir(part) {
        Err(error) if error.is_taken() => {}
        other => other?,
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = File::from(rustix::fs::open(part, flags, Mode::empty()).at("open", part)?);
    if rustix::fs::flock(&dir, FlockOperation::NonBlockingLockExclusive).is_err() {
        let why = "is in use: another backup is being made to this place".to_owned();
        return Err(BackupError::Place { dir: part.to_owned(), why });
    }
    // One that was stopped has left something.
    disk::remove_below(part)?;
    Ok(dir)
}

fn private_dir(dir: &Path) -> Result<(), DiskError> {
    rustix::fs::mkdir(dir, Mode::RWXU).at("make", dir)
}

fn fill(
    disk: &dyn Disk,
    state: &Path,
    site: &str,
    part: &Path,
    now: Timestamp,
    progress: Progress<'_>,
) -> Result<Made, BackupError> {
    // The seal is older than the copy, so the copy has to have what it names.
    let seal = logbook::sealed(&state.join(SEAL))?;
    let book = part.join(BOOK);
    let running = SqliteLogbook::open_to_read(&state.join(BOOK))?;
    let mut found = Found::default();
    for dir in DIRS {
        found.look(state, Path::new(dir), 0)?;
    }
    let expected: u64 = found.files.iter().map(|(_, bytes)| bytes).sum();
    let size = std::fs::metadata(state.join(BOOK)).map_or(0, |meta| meta.len());
    running.copy_to(&book, |pages, of| progress(size.saturating_mul(pages) / of.max(1), size + expected))?;
    rustix::fs::chmod(&book, Mode::RUSR | Mode::WUSR).at("set the mode of", &book)?;
    let copy = SqliteLogbook::open_to_read(&book)?;
    let head = copy.head();
    if let Some((sealed, _)) = seal {
        copy.holds(sealed, Witness::Seal(state.join(SEAL)))?;
    }
    drop((copy, running));
    let steady = seal.filter(|(sealed, _)| *sealed == head).and_then(|(_, steady)| steady);
    disk::put(disk, &part.join(SEAL), logbook::seal_line(head, steady).as_bytes(), Access::Owner)?;
    let mut files = vec![entry(part, BOOK)?, entry(part, SEAL)?];
    File::open(&book).and_then(|file| file.sync_all()).at("sync", &book)?;

    let (mut done, mut made) = (size, BTreeSet::new());
    for dir in &found.dirs {
        private_dir(&part.join(dir))?;
        made.insert(part.join(dir));
    }
    for (path, _) in &found.files {
        let (from, to) = (state.join(path), part.join(path));
        let name = path.to_string_lossy().into_owned();
        let grown = std::fs::symlink_metadata(&from).ok().and_then(|meta| left_out(path, &meta));
        if let Some(why) = grown {
            found.notes.push((from, why));
            continue;
        }
        match copy_file(disk, &from, &to, Access::Owner) {
            Ok(Some(copied)) => {
                done += copied.bytes;
                progress(done, (size + expected).max(done));
                if let Some(why) = belies(path, &copied.sha256) {
                    found.notes.push((from, why));
                }
                files.push(Entry { path: name, ..copied });
            }
            // It has gone meanwhile.
            Ok(None) => {}
            // It has kept the owner and the mode that it was uploaded with.
            Err(error) if error.source.kind() == io::ErrorKind::PermissionDenied && path.starts_with("rejected") => {
                found.notes.push((from, "cannot be read by this user; skipped".to_owned()));
            }
            Err(error) if error.is_no_file() => found.notes.push((from, "is not a plain file; skipped".to_owned())),
            Err(error) => return Err(error.into()),
        }
    }
    for dir in &made {
        disk.sync_dir(dir)?;
    }
    let manifest = Manifest {
        format: FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        made: now,
        site: site.to_owned(),
        entries: head.seq,
        hash: head.hash.to_hex(),
        files,
    };
    let text = serde_json::to_string_pretty(&manifest)
        .map_err(|error| BackupError::Place { dir: part.to_owned(), why: format!("cannot be described: {error}") })?;
    disk::put(disk, &part.join(MANIFEST), format!("{text}\n").as_bytes(), Access::Owner)?;
    Ok(Made { manifest, notes: found.notes })
}

/// What lies below some directories: paths from the top.
#[derive(Debug, Default)]
struct Found {
    dirs: Vec<PathBuf>,
    files: Vec<(PathBuf, u64)>,
    notes: Vec<(PathBuf, String)>,
}

impl Found {
    /// What goes while it is looked at is not there.
    fn look(&mut self, top: &Path, dir: &Path, depth: usize) -> Result<(), DiskError> {
        let path = top.join(dir);
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(DiskError::new("list", &path, error)),
        };
        self.dirs.push(dir.to_owned());
        for entry in entries {
            let entry = entry.at("list", &path)?;
            let below = dir.join(entry.file_name());
            let Ok(meta) = entry.metadata() else { continue };
            let plain = below.to_str().is_some();
            if let Some(why) = left_out(&below, &meta).filter(|_| meta.is_file()) {
                self.notes.push((top.join(below), why));
            } else if meta.is_dir() && plain && depth < DEPTH_MAX {
                self.look(top, &below, depth + 1)?;
            } else if meta.is_file() && plain {
                // One that has no name yet is nothing yet.
                if !entry.file_name().as_encoded_bytes().starts_with(TEMPORARY.as_bytes()) {
                    self.files.push((below, meta.len()));
                }
            } else {
                self.notes.push((top.join(below), "is not a plain file; skipped".to_owned()));
            }
        }
        Ok(())
    }
}

/// Why a refused file is not copied: it is one of before there were copies of our own, of a size that its uploader has
/// chosen at no cost.
fn left_out(path: &Path, meta: &std::fs::Metadata) -> Option<String> {
    if !path.starts_with("rejected") {
        return None;
    }
    if meta.len() > KEPT_MAX {
        return Some(format!("is larger than the limit of {KEPT_MAX} bytes for refused files; skipped"));
    }
    let on_disk = meta.blocks().saturating_mul(512);
    (meta.len() > HOLES_FROM && on_disk < meta.len() / 2).then(|| "consists mostly of holes; skipped".to_owned())
}

/// Why a file is not what its name says, where the name says something: it begins with the SHA-256, whole or in half.
fn belies(path: &Path, sha256: &str) -> Option<String> {
    let (said, _) = path.file_name()?.to_str()?.split_once('-')?;
    let is_hash = [16, 64].contains(&said.len()) && said.bytes().all(|b| b.is_ascii_hexdigit());
    let is_reason = path.extension().is_some_and(|extension| extension == "why");
    (is_hash && !is_reason && !sha256.starts_with(said))
        .then(|| format!("has the SHA-256 {sha256}, but its name says another; copied as it is"))
}

/// Copies a plain file to a new, synced one; `None` when it is not there.
fn copy_file(disk: &dyn Disk, from: &Path, to: &Path, access: Access) -> Result<Option<Entry>, DiskError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let source = match rustix::fs::open(from, flags, Mode::empty()) {
        Ok(fd) => File::from(fd),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(DiskError::new("open", from, error.into())),
    };
    let meta = source.metadata().at("look at", from)?;
    if !meta.is_file() {
        return Err(DiskError::new("open", from, rustix::io::Errno::NODEV.into()));
    }
    let mut fresh = disk.fresh(to.parent().unwrap_or(Path::new(".")), access)?;
    let (bytes, sha256) = sum(source.take(meta.len()), from, |piece| disk.write(&mut fresh, piece))?;
    let modified = meta.modified().at("look at", from)?;
    fresh.file.set_modified(modified).at("set the time of", to)?;
    disk.sync(&fresh)?;
    disk.name(fresh, to)?;
    let modified = Timestamp::try_from(modified).unwrap_or_default();
    Ok(Some(Entry { path: String::new(), bytes, sha256: sha256.to_hex(), mode: meta.mode() & 0o777, modified }))
}

/// Reads to the end and gives the number of bytes and their SHA-256; `each` sees every piece.
fn sum(
    mut source: impl io::Read,
    path: &Path,
    mut each: impl FnMut(&[u8]) -> Result<(), DiskError>,
) -> Result<(u64, Sha256), DiskError> {
    let (mut bytes, mut hash) = (0, digest::Context::new(&digest::SHA256));
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = source.read(&mut buffer).at("read", path)?;
        if n == 0 {
            break;
        }
        let piece = buffer.get(..n).unwrap_or_default();
        hash.update(piece);
        each(piece)?;
        bytes += n as u64;
    }
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(hash.finish().as_ref());
    Ok((bytes, Sha256(sha256)))
}

/// A file that is in its place already.
fn entry(top: &Path, name: &str) -> Result<Entry, DiskError> {
    let path = top.join(name);
    let file = File::open(&path).at("open", &path)?;
    let meta = file.metadata().at("look at", &path)?;
    let (bytes, sha256) = sum(file, &path, |_| Ok(()))?;
    let modified = meta.modified().ok().and_then(|time| Timestamp::try_from(time).ok()).unwrap_or_default();
    Ok(Entry { path: name.to_owned(), bytes, sha256: sha256.to_hex(), mode: meta.mode() & 0o777, modified })
}

/// A backup whose every file was read and is as its manifest says.
#[derive(Debug)]
pub struct Backup {
    dir: PathBuf,
    /// What is in it.
    pub manifest: Manifest,
    book: SqliteLogbook,
}

/// What a state directory has in comparison with a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No logbook.
    Nothing,
    /// The first so many entries of the backup, all at most: nothing is lost.
    Within(u64),
    /// All that the backup has, and more: so many entries, the last of them of this time.
    Ahead(u64, Option<Timestamp>),
    /// Another history, of so many entries.
    Another(u64),
    /// It cannot be read, and this is why.
    Unreadable(String),
}

impl Backup {
    /// Reads every file of a backup.
    ///
    /// # Errors
    /// What is missing in it or not as it was.
    pub fn open(dir: &Path, progress: Progress<'_>) -> Result<Self, BackupError> {
        let spoilt = |name: &str, why: String| BackupError::Spoilt { path: dir.join(name), why };
        let path = dir.join(MANIFEST);
        let mut text = String::new();
        let read = File::open(&path).and_then(|file| file.take(MANIFEST_MAX).read_to_string(&mut text));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let why = "is not a backup: it has no manifest.json".to_owned();
                return Err(BackupError::Place { dir: dir.to_owned(), why });
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(spoilt(MANIFEST, "is not text".to_owned()));
            }
            Err(error) => return Err(DiskError::new("read", &path, error).into()),
        }
        let manifest: Manifest =
            serde_json::from_str(&text).map_err(|error| spoilt(MANIFEST, format!("cannot be parsed: {error}")))?;
        if manifest.format != FORMAT {
            let why = format!("has format {}, but this program knows {FORMAT}", manifest.format);
            return Err(spoilt(MANIFEST, why));
        }
        let all: u64 = manifest.files.iter().map(|file| file.bytes).sum();
        let mut done = 0;
        let mut names = BTreeSet::new();
        for file in &manifest.files {
            if !is_ours(&file.path) || !names.insert(file.path.as_str()) {
                return Err(spoilt(
                    MANIFEST,
                    format!("names {}, which does not belong in a backup", file.path.escape_debug()),
                ));
            }
            let found = match entry(dir, &file.path) {
                Ok(found) => found,
                Err(error) if error.is_not_found() => return Err(spoilt(&file.path, "is missing".to_owned())),
                Err(error) => return Err(error.into()),
            };
            if (found.bytes, &found.sha256) != (file.bytes, &file.sha256) {
                return Err(spoilt(&file.path, "changed since the backup was made".to_owned()));
            }
            done += file.bytes;
            progress(done, all);
        }
        for name in [BOOK, SEAL] {
            if !names.contains(name) {
                return Err(spoilt(MANIFEST, format!("does not name {name}")));
            }
        }
        let book = SqliteLogbook::open_to_read(&dir.join(BOOK))?;
        let head = book.head();
        let sealed = logbook::sealed(&dir.join(SEAL))?.map(|(head, _)| head);
        if sealed != Some(head) || (head.seq, head.hash.to_hex()) != (manifest.entries, manifest.hash.clone()) {
            return Err(spoilt(BOOK, "does not end where logbook.head and the manifest say it does".to_owned()));
        }
        Ok(Self { dir: dir.to_owned(), manifest, book })
    }

    fn has(&self, head: Head) -> Result<bool, LogbookError> {
        match self.book.holds(head, Witness::Daemon) {
            Ok(()) => Ok(true),
            Err(LogbookError::Cut { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What the state directory has that the backup may lack.
    ///
    /// # Errors
    /// When the backup cannot be read any more.
    pub fn compare(&self, state: &Path) -> Result<Standing, LogbookError> {
        let path = state.join(BOOK);
        let sealed = match logbook::sealed(&state.join(SEAL)) {
            Ok(sealed) => sealed.map(|(head, _)| head),
            Err(error) => return Ok(Standing::Unreadable(error.to_string())),
        };
        let there = std::fs::symlink_metadata(&path);
        if there.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Ok(match sealed {
                Some(head) if !self.has(head)? => Standing::Ahead(head.seq, None),
                _ => Standing::Nothing,
            });
        }
        let current = match SqliteLogbook::open_to_read(&path) {
            Ok(current) => current,
            Err(error) => return Ok(Standing::Unreadable(error.sentence())),
        };
        let head = current.head();
        // The seal may know more than a logbook that was cut.
        let known = sealed.filter(|sealed| sealed.seq > head.seq).unwrap_or(head);
        if self.has(known)? {
            return Ok(Standing::Within(known.seq));
        }
        let last = current.read(head.seq, 1).ok().and_then(|mut last| Some(last.pop()?.draft.at));
        Ok(match current.holds(self.book.head(), Witness::Daemon) {
            Ok(()) => Standing::Ahead(known.seq, last),
            Err(_) => Standing::Another(known.seq),
        })
    }

    /// Puts the backup in the place of what the state directory has, which is moved into a directory of its own;
    /// gives that, when there was anything. The caller holds the site.
    ///
    /// # Errors
    /// The daemon refuses to start then if anything was exchanged; the same command goes on.
    pub fn put_back(
        &self,
        disk: &dyn Disk,
        state: &Path,
        now: Timestamp,
        progress: Progress<'_>,
    ) -> Result<Option<PathBuf>, BackupError> {
        let owner = owner_to_give(state)?;
        for name in REPLACED {
            let path = state.join(name);
            let dev = |path: &Path| std::fs::symlink_metadata(path).map(|meta| meta.dev()).ok();
            if dev(&path).is_some_and(|of_it| Some(of_it) != dev(state)) {
                let why = "is a mount point and cannot be moved aside; unmount it first".to_owned();
                return Err(BackupError::Place { dir: path, why });
            }
        }
        let part = state.join(format!("{TEMPORARY}restore"));
        if std::fs::symlink_metadata(&part).is_ok() {
            disk::remove_all(&part)?;
        }
        private_dir(&part)?;
        self.copy_into(disk, &part, owner, progress)?;

        let aside = (0..100_u32).map(|n| {
            let time = now.strftime("%Y%m%dT%H%M%SZ");
            state.join(if n == 0 { format!("before-restore-{time}") } else { format!("before-restore-{time}-{n}") })
        });
        let aside = aside.into_iter().find(|dir| std::fs::symlink_metadata(dir).is_err()).unwrap_or_default();
        let marker = state.join(UNFINISHED);
        let words = format!("rolloutd restore {}\n", self.dir.display());
        disk::put(disk, &marker, words.as_bytes(), Access::Owner)?;
        give(&marker, owner)?;
        let mut moved = false;
        for name in REPLACED {
            if std::fs::symlink_metadata(state.join(name)).is_err() {
                continue;
            }
            if !moved {
                private_dir(&aside)?;
                give(&aside, owner)?;
                moved = true;
            }
            disk.rename(&state.join(name), &aside.join(name))?;
        }
        for name in [SEAL, BOOK].into_iter().chain(DIRS) {
            if std::fs::symlink_metadata(part.join(name)).is_ok() {
                disk.rename(&part.join(name), &state.join(name))?;
            }
        }
        if moved {
            disk.sync_dir(&aside)?;
        }
        disk.sync_dir(state)?;
        disk.remove(&marker)?;
        disk.sync_dir(state)?;
        disk::remove_all(&part)?;
        Ok(moved.then_some(aside))
    }

    /// Puts back the files of `retired/` and `rejected/` that are not there, and nothing else; gives their number.
    ///
    /// # Errors
    /// What was put back before stays; the same again goes on.
    pub fn put_missing(&self, disk: &dyn Disk, state: &Path, progress: Progress<'_>) -> Result<u64, BackupError> {
        let owner = owner_to_give(state)?;
        let files = self.manifest.files.iter().filter(|file| file.path.contains('/'));
        let missing: Vec<&Entry> =
            files.filter(|file| std::fs::symlink_metadata(state.join(&file.path)).is_err()).collect();
        let (mut done, all) = (0, missing.iter().map(|file| file.bytes).sum());
        for file in &missing {
            self.copy_one(disk, file, state, owner)?;
            done += file.bytes;
            progress(done, all);
        }
        for dir in missing.iter().filter_map(|file| state.join(&file.path).parent().map(Path::to_owned)) {
            disk.sync_dir(&dir)?;
        }
        Ok(missing.len() as u64)
    }

    /// Copies a file to its place below a directory, and makes the directories between.
    fn copy_one(
        &self,
        disk: &dyn Disk,
        file: &Entry,
        top: &Path,
        owner: Option<(Uid, Gid)>,
    ) -> Result<(), BackupError> {
        let (from, to) = (self.dir.join(&file.path), top.join(&file.path));
        let above: Vec<&Path> = to.ancestors().skip(1).take_while(|dir| *dir != top).collect();
        for dir in above.into_iter().rev() {
            match private_dir(dir) {
                Err(error) if error.is_taken() => continue,
                other => other?,
            }
            // As the daemon makes them.
            rustix::fs::chmod(dir, Mode::from_raw_mode(0o755)).at("set the mode of", dir)?;
            give(dir, owner)?;
            disk.sync_dir(dir.parent().unwrap_or(top))?;
        }
        let copied = copy_file(disk, &from, &to, Access::Owner)?;
        if copied.is_none_or(|copied| copied.sha256 != file.sha256) {
            return Err(BackupError::Spoilt { path: from, why: "changed while it was being read".to_owned() });
        }
        if file.path.contains('/') {
            rustix::fs::chmod(&to, Mode::from_raw_mode(file.mode & 0o777)).at("set the mode of", &to)?;
        }
        Ok(give(&to, owner)?)
    }

    fn copy_into(
        &self,
        disk: &dyn Disk,
        part: &Path,
        owner: Option<(Uid, Gid)>,
        progress: Progress<'_>,
    ) -> Result<(), BackupError> {
        let all: u64 = self.manifest.files.iter().map(|file| file.bytes).sum();
        let (mut done, mut dirs) = (0, BTreeSet::from([part.to_owned()]));
        for file in &self.manifest.files {
            self.copy_one(disk, file, part, owner)?;
            dirs.extend(part.join(&file.path).parent().map(Path::to_owned));
            done += file.bytes;
            progress(done, all);
        }
        for dir in &dirs {
            disk.sync_dir(dir)?;
        }
        Ok(())
    }
}

/// Whether a path is one that a backup has, and leads nowhere else.
fn is_ours(path: &str) -> bool {
    let parts: Vec<Component<'_>> = Path::new(path).components().collect();
    let plain = parts.iter().all(|part| matches!(part, Component::Normal(_)));
    let canonical = parts.iter().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/") == path;
    let below =
        parts.len() > 1 && parts.len() < DEPTH_MAX + 3 && DIRS.iter().any(|dir| path.starts_with(&format!("{dir}/")));
    plain && canonical && ([BOOK, SEAL].contains(&path) || below)
}

/// Makes the state directory where it is missing. What root makes belongs to whoever has the trees: the daemon, which
/// runs as their owner, could use nothing of it otherwise.
///
/// # Errors
/// It cannot be made, with what makes it; or nobody knows for whom.
pub fn claim(disk: &dyn Disk, state: &Path, root: &Path) -> Result<(), BackupError> {
    let homeless = |why: String| BackupError::Homeless { dir: state.to_owned(), why };
    let uid = |path: &Path| std::fs::metadata(path).ok().map(|meta| (meta.uid(), meta.gid()));
    let (is_root, is_new) = (rustix::process::geteuid().is_root(), uid(state).is_none());
    let trees = uid(root);
    if is_root && is_new && trees.is_none() {
        let (state, root) = (state.display(), root.display());
        return Err(homeless(format!(
            "does not exist, nor does {root}, so its owner is unknown: restore the trees first, or create it for \
             the user that runs the daemon, `install -d -m 0750 -o USER {state}`"
        )));
    }
    disk.make_dir(state).map_err(|error| match error.source.kind() {
        io::ErrorKind::PermissionDenied if is_new => {
            let me = disk::user(disk::me());
            let state = state.display();
            homeless(format!("cannot be created by {me}: as root, `install -d -m 0750 -o {me} {state}`"))
        }
        _ => error.into(),
    })?;
    let owner = trees.filter(|(uid, _)| is_root && *uid != 0);
    let owner = owner.map(|(uid, gid)| (Uid::from_raw(uid), Gid::from_raw(gid)));
    if uid(state).is_some_and(|(uid, _)| uid == 0) {
        give(state, owner)?;
    }
    Ok(())
}

/// To whom what root puts back belongs: the owner of the state directory.
fn owner_to_give(state: &Path) -> Result<Option<(Uid, Gid)>, DiskError> {
    let meta = std::fs::metadata(state).at("look at", state)?;
    let is_root = rustix::process::geteuid().is_root();
    Ok((is_root && meta.uid() != 0).then(|| (Uid::from_raw(meta.uid()), Gid::from_raw(meta.gid()))))
}

fn give(path: &Path, owner: Option<(Uid, Gid)>) -> Result<(), DiskError> {
    let Some((uid, gid)) = owner else { return Ok(()) };
    rustix::fs::chown(path, Some(uid), Some(gid)).at("give away", path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;

    use super::super::disk::failing::FailingDisk;
    use super::super::disk::{Kernel, put};
    use super::super::logbook::Draft;
    use super::*;

    fn add(book: &mut SqliteLogbook, texts: &[&str]) {
        let draft = |text: &&str| Draft {
            at: Timestamp::UNIX_EPOCH,
            who: "me".into(),
            why: String::new(),
            body: (*text).to_owned(),
            about: vec![],
        };
        let drafts: Vec<Draft> = texts.iter().map(draft).collect();
        book.append(book.head(), &drafts).expect("appended");
    }

    fn open(state: &Path) -> SqliteLogbook {
        SqliteLogbook::open_sealed(&state.join(BOOK), Arc::new(Kernel::default())).expect("whole")
    }

    fn lay(path: &Path, text: &str) {
        Kernel::default().make_dir(path.parent().expect("a parent")).expect("made");
        put(&Kernel::default(), path, text.as_bytes(), Access::Sealed).expect("written");
    }

    /// A state directory with a logbook that is open, and a file of each kind.
    fn site(dir: &Path) -> (PathBuf, SqliteLogbook) {
        let state = dir.join("state");
        Kernel::default().make_dir(&state).expect("made");
        let mut book = open(&state);
        add(&mut book, &["one", "two"]);
        book.seal(Some(Timestamp::UNIX_EPOCH)).expect("sealed");
        lay(&state.join("retired/d/0000-a.rpm"), "withdrawn");
        lay(&state.join("rejected/d/inode7-b.rpm"), "refused");
        lay(&state.join("index/d.sqlite"), "made again");
        (state, book)
    }

    fn back_up(state: &Path, to: &Path) -> Result<Made, BackupError> {
        make(&Kernel::default(), state, "Example", to, Timestamp::UNIX_EPOCH, &|_, _| ())
    }

    fn put_back(from: &Path, state: &Path) -> Result<Option<PathBuf>, BackupError> {
        let backup = Backup::open(from, &|_, _| ())?;
        backup.put_back(&Kernel::default(), state, Timestamp::UNIX_EPOCH, &|_, _| ())
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).expect("listed");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_backed_up_while_it_runs_is_put_back_as_it_was_for_the_owner_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let (state, mut book) = site(dir.path());
        add(&mut book, &["behind the seal"]);
        let (head, to) = (book.head(), dir.path().join("backup"));
        let made = back_up(&state, &to).expect("made");
        assert_eq!((made.manifest.entries, made.notes.len()), (3, 0));
        add(&mut book, &["after the backup"]);
        assert_eq!(names(&to), ["logbook.head", "logbook.sqlite", "manifest.json", "rejected", "retired"]);
        for (path, mode) in [("", 0o700), ("retired/d", 0o700), ("retired/d/0000-a.rpm", 0o600), (BOOK, 0o600)] {
            let meta = std::fs::metadata(to.join(path)).expect("there");
            assert_eq!(meta.permissions().mode() & 0o777, mode, "{path}");
        }
        assert!(matches!(back_up(&state, &to), Err(BackupError::Place { .. })), "nothing is written over");

        let other = dir.path().join("other");
        Kernel::default().make_dir(&other).expect("made");
        assert_eq!(put_back(&to, &other).expect("put back"), None);
        assert_eq!(open(&other).head(), head);
        assert_eq!(std::fs::read(other.join("retired/d/0000-a.rpm")).expect("there"), b"withdrawn");
        assert_eq!(names(&other), ["logbook.head", "logbook.sqlite", "rejected", "retired"]);
    }

    #[test]
    fn what_a_state_has_is_compared_and_moved_aside() {
        let dir = tempfile::tempdir().expect("a directory");
        let (state, mut book) = site(dir.path());
        let (early, late) = (dir.path().join("early"), dir.path().join("late"));
        back_up(&state, &early).expect("made");
        add(&mut book, &["three"]);
        book.seal(None).expect("sealed");
        back_up(&state, &late).expect("made");
        drop(book);
        let compare = |from: &Path| Backup::open(from, &|_, _| ()).expect("whole").compare(&state).expect("compared");
        assert_eq!(compare(&late), Standing::Within(3));
        assert_eq!(compare(&early), Standing::Ahead(3, Some(Timestamp::UNIX_EPOCH)));
        let aside = put_back(&early, &state).expect("put back").expect("there was something");
        assert_eq!(compare(&late), Standing::Within(2));
        assert_eq!(open(&aside).head().seq, 3, "nothing is removed");
        assert!(aside.join("index/d.sqlite").exists() && !state.join("index").exists());
        let mut book = open(&state);
        add(&mut book, &["another third"]);
        drop(book);
        assert_eq!(compare(&late), Standing::Another(3));
        // Only the seal is left, and it knows more than the backup.
        Kernel::default().remove(&state.join(BOOK)).expect("removed");
        put(&Kernel::default(), &state.join(SEAL), &std::fs::read(late.join(SEAL)).expect("there"), Access::Owner)
            .expect("written");
        assert_eq!(compare(&early), Standing::Ahead(3, None));
        assert_eq!(compare(&late), Standing::Nothing);
        put(&Kernel::default(), &state.join(BOOK), b"no database at all", Access::Owner).expect("written");
        assert!(matches!(compare(&late), Standing::Unreadable(_)));
    }

    #[test]
    fn files_that_are_missing_are_put_back_beside_a_newer_logbook() {
        let dir = tempfile::tempdir().expect("a directory");
        let (state, mut book) = site(dir.path());
        let to = dir.path().join("backup");
        back_up(&state, &to).expect("made");
        add(&mut book, &["three"]);
        disk::remove_all(&state.join("retired")).expect("lost");
        lay(&state.join("rejected/d/inode7-b.rpm"), "another one by now");
        let backup = Backup::open(&to, &|_, _| ()).expect("whole");
        assert_eq!(backup.put_missing(&Kernel::default(), &state, &|_, _| ()).expect("put back"), 1);
        let file = state.join("retired/d/0000-a.rpm");
        assert_eq!(std::fs::read(&file).expect("there"), b"withdrawn");
        assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o444);
        assert_eq!(std::fs::read(state.join("rejected/d/inode7-b.rpm")).expect("there"), b"another one by now");
        assert_eq!(open(&state).head().seq, 3);
    }

    #[test]
    fn a_backup_in_which_anything_has_changed_is_not_put_back() {
        type Hand = fn(&Path);
        let spoil: [(&str, Hand); 6] = [
            ("changed since", |dir| change(&dir.join("retired/d/0000-a.rpm"), "withdrawM")),
            ("is missing", |dir| Kernel::default().remove(&dir.join("rejected/d/inode7-b.rpm")).expect("removed")),
            ("is missing", |dir| Kernel::default().remove(&dir.join(BOOK)).expect("removed")),
            ("cannot be parsed", |dir| change(&dir.join(MANIFEST), "{")),
            ("does not belong in a backup", |dir| edit(dir, "retired/d/0000-a.rpm", "retired/../../outside")),
            ("does not belong in a backup", |dir| edit(dir, "retired/d/0000-a.rpm", "restore.unfinished")),
        ];
        for (says, hand) in spoil {
            let dir = tempfile::tempdir().expect("a directory");
            let (state, _book) = site(dir.path());
            let to = dir.path().join("backup");
            back_up(&state, &to).expect("made");
            hand(&to);
            let other = dir.path().join("other");
            Kernel::default().make_dir(&other).expect("made");
            let why = put_back(&to, &other).expect_err(says).to_string();
            assert!(why.contains(says), "{why}");
            assert!(names(&other).is_empty());
        }
    }

    fn change(path: &Path, text: &str) {
        put(&Kernel::default(), path, text.as_bytes(), Access::Owner).expect("written");
    }

    fn edit(dir: &Path, from: &str, to: &str) {
        let text = std::fs::read_to_string(dir.join(MANIFEST)).expect("there");
        assert!(text.contains(from));
        change(&dir.join(MANIFEST), &text.replace(from, to));
    }

    /// At whatever step it is stopped: no backup has the name, and what was left does not hinder the next.
    #[test]
    fn a_backup_that_fails_leaves_none_and_a_later_one_is_made() {
        for calls in 0.. {
            let dir = tempfile::tempdir().expect("a directory");
            let (state, _book) = site(dir.path());
            let to = dir.path().join("backup");
            let tried = make(&FailingDisk::after(calls), &state, "Example", &to, Timestamp::UNIX_EPOCH, &|_, _| ());
            if tried.is_ok() {
                return;
            }
            if to.exists() {
                // It was renamed, and only the sync of the directory above failed.
                Backup::open(&to, &|_, _| ()).expect("whole");
                continue;
            }
            assert_eq!(names(dir.path()), ["state"]);
            private_dir(&dir.path().join(".backup.rolloutd-part")).expect("made");
            change(&dir.path().join(".backup.rolloutd-part/left"), "by one that was killed");
            back_up(&state, &to).expect("made");
        }
    }

    /// At whatever step it is stopped: the daemon starts with the old state or not at all, and the same again ends well.
    #[test]
    fn a_restore_that_is_stopped_anywhere_can_be_repeated() {
        for calls in 0.. {
            let dir = tempfile::tempdir().expect("a directory");
            let (state, mut book) = site(dir.path());
            let to = dir.path().join("backup");
            back_up(&state, &to).expect("made");
            add(&mut book, &["three"]);
            drop(book);
            let backup = Backup::open(&to, &|_, _| ()).expect("whole");
            let disk = FailingDisk::after(calls);
            let tried = backup.put_back(&disk, &state, Timestamp::UNIX_EPOCH, &|_, _| ());
            if !state.join(UNFINISHED).exists() {
                let seq = open(&state).head().seq;
                assert_eq!(seq, if names(&state).iter().any(|n| n.starts_with("before")) { 2 } else { 3 }, "{calls}");
            }
            let done = tried.is_ok();
            put_back(&to, &state).unwrap_or_else(|error| panic!("{calls}: {error}"));
            assert_eq!(open(&state).head().seq, 2);
            assert!(!state.join(UNFINISHED).exists());
            let kept = names(&state).into_iter().filter(|n| n.starts_with("before"));
            let kept = kept.filter(|n| state.join(n).join(BOOK).exists());
            assert!(kept.map(|n| open(&state.join(n)).head().seq).max() == Some(3), "{calls}: nothing is lost");
            if done {
                return;
            }
        }
    }

    #[test]
    fn what_is_no_file_is_left_out_and_named_and_what_belies_its_name_too() {
        let dir = tempfile::tempdir().expect("a directory");
        let (state, _book) = site(dir.path());
        std::os::unix::fs::symlink("/etc/passwd", state.join("rejected/d/link")).expect("linked");
        lay(&state.join("rejected/d/0123456789abcdef-c.rpm"), "something else");
        lay(&state.join("rejected/d/.rolloutd-1-1"), "not yet");
        let made = back_up(&state, &dir.path().join("backup")).expect("made");
        let mut said: Vec<String> =
            made.notes.into_iter().map(|(path, why)| format!("{} {why}", path.display())).collect();
        said.sort();
        assert!(said.len() == 2 && said[0].contains("its name says another"), "{said:?}");
        assert!(said[1].contains("d/link is not a plain file"), "{said:?}");
        assert_eq!(names(&dir.path().join("backup/rejected/d")), ["0123456789abcdef-c.rpm", "inode7-b.rpm"]);
    }

    #[test]
    fn refused_files_that_cost_their_uploader_nothing_are_left_out_and_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let (state, _book) = site(dir.path());
        for (path, size) in [("rejected/d/inode8-c.rpm", 1 << 30), ("rejected/d/inode9-d.rpm", 64 << 20)] {
            lay(&state.join(path), "");
            rustix::fs::chmod(state.join(path), Mode::RUSR | Mode::WUSR).expect("opened");
            File::options().write(true).open(state.join(path)).and_then(|file| file.set_len(size)).expect("grown");
        }
        let made = back_up(&state, &dir.path().join("backup")).expect("made");
        let mut said: Vec<String> =
            made.notes.into_iter().map(|(path, why)| format!("{} {why}", path.display())).collect();
        said.sort();
        assert!(said.len() == 2 && said[0].contains("inode8-c.rpm is larger than"), "{said:?}");
        assert!(said[1].contains("inode9-d.rpm consists mostly of holes"), "{said:?}");
        assert_eq!(names(&dir.path().join("backup/rejected/d")), ["inode7-b.rpm"]);
        assert!(made.manifest.files.iter().all(|file| file.bytes < 1 << 20));
    }
}
