//! Reading a backup, comparing it with the present state, and restoring it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{Gid, Mode, Uid};

use super::copying::{copy_file, entry, private_dir};
use super::{BOOK, BackupError, DEPTH_MAX, DIRS, Entry, FORMAT, MANIFEST, Manifest, Progress, SEAL, UNFINISHED};
use crate::domain::people::PersonId;
use crate::store::disk::{self, Access, AtPath as _, Disk, DiskError, TEMPORARY};
use crate::store::logbook::{self, Head, Logbook as _, LogbookError, SqliteLogbook, Witness};
use crate::store::people::{self, Register};
use crate::store::reports;

/// What a restored state has in its place, or makes again.
const REPLACED: [&str; 12] = [
    SEAL,
    BOOK,
    "logbook.sqlite-wal",
    "logbook.sqlite-shm",
    people::FILE,
    people::JOURNAL,
    "retired",
    "rejected",
    "adopted",
    reports::DIR,
    "index",
    "scrub",
];

/// The prefix of the directories into which a restore moves what was there.
const ASIDE: &str = "before-restore-";

/// The longest manifest that is read: some hundred bytes for each file.
const MANIFEST_MAX: u64 = 1 << 30;

/// A backup of which every file was read and matches the manifest.
#[derive(Debug)]
pub struct Backup {
    dir: PathBuf,
    /// What is in it.
    pub manifest: Manifest,
    book: SqliteLogbook,
}

/// The present state compared with a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No logbook.
    Nothing,
    /// It has the first so many entries of the backup, or all of them: nothing is lost.
    Within(u64),
    /// It has everything in the backup and more: so many entries, the last of them from this time.
    Ahead(u64, Option<Timestamp>),
    /// It has a different history, of so many entries.
    Another(u64),
    /// It cannot be read; this is why.
    Unreadable(String),
}

impl Backup {
    /// Reads every file of a backup.
    ///
    /// # Errors
    /// What is missing or was changed.
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
        if !(1..=FORMAT).contains(&manifest.format) {
            let why = format!("has format {}, but this program knows only those up to {FORMAT}", manifest.format);
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
    /// If the backup can no longer be read.
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
        // The seal may be ahead of a truncated logbook.
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

    /// Replaces the state by the backup. What was there is moved to a directory of its own, which is returned if there
    /// was anything. The caller has locked the site.
    ///
    /// # Errors
    /// If anything was exchanged, the daemon refuses to start; running the same command again continues.
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
        if std::fs::symlink_metadata(part.join(people::FILE)).is_ok() {
            Register::open(disk, &part)?.agree(erased_here(state))?;
        }

        let aside = (0..100_u32).map(|n| {
            let time = now.strftime("%Y%m%dT%H%M%SZ");
            state.join(if n == 0 { format!("{ASIDE}{time}") } else { format!("{ASIDE}{time}-{n}") })
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
        for name in [SEAL, BOOK, people::FILE].into_iter().chain(DIRS) {
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

    /// Restores only the missing files of `retired/` and `rejected/`, and the register of people; returns their number.
    ///
    /// # Errors
    /// Files restored before that stay; running it again continues.
    pub fn put_missing(&self, disk: &dyn Disk, state: &Path, progress: Progress<'_>) -> Result<u64, BackupError> {
        let owner = owner_to_give(state)?;
        let files = self.manifest.files.iter().filter(|file| file.path.contains('/') || file.path == people::FILE);
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

    /// Copies a file to its place below a directory, and creates the directories between.
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
            // With the mode the daemon gives them.
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

/// The people who were erased, according to the register in a state directory or one that a restore moved aside: after
/// an interrupted restore there is no other.
fn erased_here(state: &Path) -> Vec<(PersonId, Timestamp)> {
    let is_aside = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(ASIDE));
    let entries = std::fs::read_dir(state).into_iter().flatten().flatten();
    let aside = entries.map(|entry| entry.path()).filter(is_aside);
    // An unreadable register may be why somebody restores.
    let read = |dir: PathBuf| people::read(&dir).ok();
    aside.chain([state.to_owned()]).filter_map(read).flat_map(|people| people.erased()).collect()
}

/// Whether a path is one that a backup has, and leads nowhere else.
fn is_ours(path: &str) -> bool {
    let parts: Vec<Component<'_>> = Path::new(path).components().collect();
    let plain = parts.iter().all(|part| matches!(part, Component::Normal(_)));
    let canonical = parts.iter().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/") == path;
    let below =
        parts.len() > 1 && parts.len() < DEPTH_MAX + 3 && DIRS.iter().any(|dir| path.starts_with(&format!("{dir}/")));
    plain && canonical && ([BOOK, SEAL, people::FILE].contains(&path) || below)
}

/// Creates the state directory if it is missing. If root runs this, the directory is given to the owner of the trees:
/// the daemon runs as that user and could not use it otherwise.
///
/// # Errors
/// It cannot be created, and how to create it; or its owner cannot be determined.
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

/// The owner for what root restores: that of the state directory.
fn owner_to_give(state: &Path) -> Result<Option<(Uid, Gid)>, DiskError> {
    let meta = std::fs::metadata(state).at("look at", state)?;
    let is_root = rustix::process::geteuid().is_root();
    Ok((is_root && meta.uid() != 0).then(|| (Uid::from_raw(meta.uid()), Gid::from_raw(meta.gid()))))
}

fn give(path: &Path, owner: Option<(Uid, Gid)>) -> Result<(), DiskError> {
    let Some((uid, gid)) = owner else { return Ok(()) };
    rustix::fs::chown(path, Some(uid), Some(gid)).at("give away", path)
}
