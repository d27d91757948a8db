//! Making a backup: under a temporary name, renamed when it is complete.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, Mode, OFlags};

use super::copying::{copy_file, entry, private_dir};
use super::{BOOK, BackupError, DEPTH_MAX, DIRS, Entry, FORMAT, MANIFEST, Manifest, Progress, SEAL};
use crate::store::disk::{self, Access, AtPath as _, Disk, DiskError, TEMPORARY};
use crate::store::logbook::{self, Logbook as _, SqliteLogbook, Witness};
use crate::store::people;
use crate::store::rejected::KEPT_MAX;
use crate::store::reports;

/// Smaller files may have any holes.
const HOLES_FROM: u64 = 1 << 20;

/// What was copied, and what was skipped and why.
#[derive(Debug)]
pub struct Made {
    /// What is in it.
    pub manifest: Manifest,
    /// Files that are not plain files, or do not match their names.
    pub notes: Vec<(PathBuf, String)>,
}

/// Makes a backup of the state directory in a directory that is new or empty.
///
/// # Errors
/// The backup's directory is then as it was.
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

/// Creates an empty directory, private to the owner; nobody else uses it while the returned lock is held.
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
    // An interrupted backup left something.
    disk::remove_below(part)?;
    Ok(dir)
}

fn fill(
    disk: &dyn Disk,
    state: &Path,
    site: &str,
    part: &Path,
    now: Timestamp,
    progress: Progress<'_>,
) -> Result<Made, BackupError> {
    // The seal is read before the copy is made, so the copy must contain the entry that it names.
    let seal = logbook::sealed(&state.join(SEAL))?;
    let book = part.join(BOOK);
    let running = SqliteLogbook::open_to_read(&state.join(BOOK))?;
    let mut found = Found::default();
    for dir in DIRS.into_iter().filter(|dir| *dir != reports::DIR) {
        found.look(state, Path::new(dir), 0)?;
    }
    let mut expected: u64 = found.files.iter().map(|(_, bytes)| bytes).sum();
    let size = std::fs::metadata(state.join(BOOK)).map_or(0, |meta| meta.len());
    running.copy_to(&book, |pages, of| progress(size.saturating_mul(pages) / of.max(1), size + expected))?;
    rustix::fs::chmod(&book, Mode::RUSR | Mode::WUSR).at("set the mode of", &book)?;
    let copy = SqliteLogbook::open_to_read(&book)?;
    let head = copy.head();
    if let Some((sealed, _)) = seal {
        copy.holds(sealed, Witness::Seal(state.join(SEAL)))?;
    }
    drop((copy, running));
    let elapsed = seal.filter(|(sealed, _)| *sealed == head).and_then(|(_, elapsed)| elapsed);
    disk::put(disk, &part.join(SEAL), logbook::seal_line(head, elapsed).as_bytes(), Access::Owner)?;
    let mut files = vec![entry(part, BOOK)?, entry(part, SEAL)?];
    File::open(&book).and_then(|file| file.sync_all()).at("sync", &book)?;
    // Looked at after the logbook was copied, so that every file is there which that names.
    let before = found.files.len();
    found.look(state, Path::new(reports::DIR), 0)?;
    expected += found.files.iter().skip(before).map(|(_, bytes)| bytes).sum::<u64>();
    // Copied after the logbook, so that it has everybody whom that names.
    let register = part.join(people::FILE);
    match people::copy(state, &register) {
        Ok(false) => {}
        Ok(true) => {
            rustix::fs::chmod(&register, Mode::RUSR | Mode::WUSR).at("set the mode of", &register)?;
            File::open(&register).and_then(|file| file.sync_all()).at("sync", &register)?;
            files.push(entry(part, people::FILE)?);
        }
        // The logbook is worth more, and does not need the register.
        Err(error) => {
            let _ = disk.remove(&register);
            found.notes.push((state.join(people::FILE), format!("{}; skipped", error.sentence())));
        }
    }

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
            // It vanished meanwhile.
            Ok(None) => {}
            // It still has the owner and mode of the upload.
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

/// What is in some directories; paths are relative to the state directory.
#[derive(Debug, Default)]
struct Found {
    dirs: Vec<PathBuf>,
    files: Vec<(PathBuf, u64)>,
    notes: Vec<(PathBuf, String)>,
}

impl Found {
    /// Whatever vanishes meanwhile is skipped.
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
                // A temporary file is not complete yet.
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

/// Why a refused file is not copied: it dates from before refused files were copied, and its uploader chose its size at
/// no cost.
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

/// Why a file does not match its name, if the name says anything: it begins with the SHA-256, all of it or the first
/// half.
fn belies(path: &Path, sha256: &str) -> Option<String> {
    let (said, _) = path.file_name()?.to_str()?.split_once('-')?;
    let is_hash = [16, 64].contains(&said.len()) && said.bytes().all(|b| b.is_ascii_hexdigit());
    let is_reason = path.extension().is_some_and(|extension| extension == "why");
    (is_hash && !is_reason && !sha256.starts_with(said))
        .then(|| format!("has the SHA-256 {sha256}, but its name says another; copied as it is"))
}
