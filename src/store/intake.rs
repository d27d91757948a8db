//! A dropped file becomes an inode of our own, or a refusal.
//!
//! ```text
//! <incoming>/<distribution>/...    the drop directory: strangers write here, and nobody serves it
//! <root>/<upload tree>/<distribution>/Packages/...    where packages have their home; the daemon's alone
//! ```
//!
//! What an admin puts into the upload tree itself, as root or as the daemon's user, is taken in the same way.
//!
//! Steps for one file, as in the plan of the house:
//!
//! 1. It is opened below its directory without following links; a regular file with one link.
//! 2. It has been quiet for a while: same inode, size and times in two looks that far apart. Quiet is a
//!    hint only. Whether it is *complete* is decided from its content; a file whose headers promise more
//!    than there is counts as still on its way until [`Limits::incomplete_after`].
//! 3. It is copied to an unnamed inode of the daemon's on the tree's file system, hashed and checked
//!    while it is copied, and synced. **That** inode is judged and published, so whoever still has the
//!    upload open can change nothing.
//! 4. Accepted: the inode gets its canonical name, the index gets its XML, and when that is done for all files of
//!    a look, their directories are synced. The upload itself is removed in a later look, after the logbook
//!    has the acceptance; one that had the canonical name itself goes when its copy has that name for good. A
//!    crash in between finds the upload again, or the copy in its place, and arrives at the same place.
//! 5. Refused: the file moves to `rejected/`, also in a later look.
//!
//! Names that begin with a dot are those of files on their way (rsync's, scp's, an editor's) and are passed over; so is
//! what is ours in the upload tree. In the drop directory a hidden name that has not changed for as long as half a
//! file may stay half is named to whoever left it there.
//!
//! Whoever uploads may make heaps of anything. So owners have turns, in what is looked at as in what is remembered (see
//! [`super::turns`]), a look takes so long at most, and what cannot be handled is tried again a little at a time.
//!
//! A file that cannot be handled, since it lies in a directory that somebody keeps to himself, is named
//! in [`Look::waiting`] and left alone; the others are not held up by it.
//!
//! What never happens: nothing is read through a link, nothing is decided from a file's name, a
//! name that was given is never taken from a package whose bytes were accepted before, and no file that
//! nobody has read yet gives way to another one.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsStr;
use std::hash::{BuildHasher as _, RandomState};
use std::io::Read;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use jiff::{SignedDuration, Timestamp};
use rustix::fs::{AtFlags, FileType};

use super::disk::{self, Access, AtPath as _, Disk, DiskError, READ_UPLOAD};
use super::evidence::Evidence;
use super::examination::{Answer, BEGINNING, Examiner, Known, Question, Terms};
use super::index::{Chunk, Index, IndexError};
use super::ownership;
use super::patience::Patient;
use super::rejected;
use super::thread_pool;
use super::tree;
use super::turns::Turns;
use crate::domain::backlog::{self, Backlog, Kind};
use crate::domain::checksum::Sha256;
use crate::domain::listing::{Catalog, Entry, Listing};
use crate::domain::names::TreeName;
use crate::domain::nevra::Nevra;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::trust::Accepted;
use crate::format::quantity;

/// Most files that one look examines; more wait for the next, so that a promotion never waits long
/// behind a burst of uploads.
pub const LOOK_AT_ONCE: usize = 256;

/// Most bytes of them, for the same reason; one file is always examined.
const LOOK_BYTES: u64 = 1 << 30;

/// Smaller files may have whatever holes they like, in bytes.
const HOLES_BELOW: u64 = 1 << 20;

/// The least part of a larger file that must have been written.
const HOLES_SHARE: u64 = 64;

/// A directory whose last change is younger than this may change once more and have the same times. Some file systems
/// keep whole seconds, FAT every other one.
const RACY: SignedDuration = SignedDuration::from_secs(2);

/// The same of times that have a fraction: the kernel takes them from a clock that ticks every 10 ms or faster. The rest
/// is for a file server whose clock is a little behind.
const RACY_WITH_FRACTION: SignedDuration = SignedDuration::from_millis(250);

/// Deepest directory below a drop directory that is searched. People drop `el6/x86_64/RPMS/`; a deeper
/// tree is a mistake or an attack.
const DEPTH_MAX: usize = 16;

/// Most directories that are searched. Each costs some microseconds in each look.
const DIRECTORIES_MAX: usize = 200_000;

/// Most bytes that those take which are still to be searched, and that what is known of it takes beside its path.
const DIRECTORIES_BYTES: usize = 16 << 20;
const DIRECTORY_BYTES: usize = 64;

/// Most bytes that the files of a drop directory take which are remembered between two looks, and that what is known
/// of a file takes beside its path: with names as people have them it is some 30,000 files. Beyond it the rest is found
/// when these are done, and whoever has most of them waits longest.
const FILES_BYTES: usize = 32 << 20;
const FILE_BYTES: usize = 900;

/// When a look has worked so long it leaves the rest to the next one, so that nobody waits long for others' files.
const LOOK_TAKES: Duration = Duration::from_secs(2);

/// Begins the names of uploads that were taken aside to be removed. Not a temporary name of ours, as
/// those are removed unread after a crash.
const CLEARED: &str = ".cleared-by-rolloutd-";

/// After what time a file that could not be handled is tried again.
const STUCK_AGAIN: Duration = Duration::from_mins(1);

/// Some so many of them of one owner are tried then: those that lie in a heap fare alike mostly. When one of them can
/// be handled the others of its directory are tried at once.
const STUCK_TRIED: u64 = 64;

/// Largest file that is read to its end although its beginning is that of no package.
const SUM_MAX: u64 = 64 << 20;

/// Most refusals that are remembered of what cannot be moved away.
const STAYED_MAX: usize = 200_000;

/// What bounds the taking in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Larger files are refused before they are read, in bytes.
    pub max_package: u64,
    /// How long a file must be quiet before it is read.
    pub quiet: Duration,
    /// How long an incomplete file may stay unchanged before it is refused.
    pub incomplete_after: Duration,
}

/// Where uploads are looked for and what is asked of them.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Where uploads are looked for: the drop directory, or the upload tree's own.
    pub dir: PathBuf,
    /// The upload tree's directory, where packages have their home.
    pub home: PathBuf,
    /// The upload tree.
    pub tree: TreeName,
    /// All trees of the distribution with their directories; a package that one of them lists and has lost is
    /// put back when it is uploaded again.
    pub trees: Vec<(TreeName, PathBuf)>,
    /// Where refused files go, and what lies there.
    pub rejected: Arc<Evidence>,
    /// What is asked of a package.
    pub terms: Arc<Terms>,
    /// Who finds it out.
    pub examiner: Arc<dyn Examiner>,
    /// Bounds.
    pub limits: Limits,
}

impl Gate {
    /// The same for what an admin has put into the upload tree itself.
    #[must_use]
    pub fn at_home(&self) -> Self {
        Self { dir: self.home.clone(), ..self.clone() }
    }

    /// Whether the packages that we have put there lie between the uploads.
    fn is_home(&self) -> bool {
        self.dir == self.home
    }
}

/// What a look found.
#[derive(Debug, Default)]
pub struct Look {
    /// Accepted, and lying under their canonical names.
    pub accepted: Vec<Arrival>,
    /// Refused; the files are still where they were.
    pub refused: Vec<Departure>,
    /// Files in the upload tree itself, where nobody writes but the daemon and admins, that cannot be handled now, and
    /// why: all of them, at each look.
    pub stuck: Vec<(PathBuf, String)>,
    /// What waits in the drop directory, why, and what its owner can do.
    pub waiting: Backlog,
    /// Files that were refused before with the same bytes and the same word: they are counted where these are kept.
    pub refused_again: u64,
    /// Whether a file had bytes that are known already: it may have put back what a tree had lost.
    pub repeated: bool,
    /// When to look again although nothing changes.
    pub again: Option<Duration>,
    /// What ended the look early, such as a full disk. What was decided before it holds all the same:
    /// those packages lie under their names, so the logbook must hear of them.
    pub failed: Option<IntakeError>,
}

impl Look {
    /// Takes what another look found into this one.
    pub fn add(&mut self, other: Self) {
        self.accepted.extend(other.accepted);
        self.refused.extend(other.refused);
        self.stuck.extend(other.stuck);
        self.waiting.extend(other.waiting);
        self.refused_again += other.refused_again;
        self.repeated |= other.repeated;
        self.again = self.again.into_iter().chain(other.again).min();
        self.failed = self.failed.take().or(other.failed);
    }
}

/// A package that was accepted.
#[derive(Debug)]
pub struct Arrival {
    /// Identity.
    pub nevra: Nevra,
    /// The bytes.
    pub sha256: Sha256,
    /// Size of the file in bytes.
    pub size: u64,
    /// By whom it is signed.
    pub signed: Accepted,
    /// Free text in which characters had to be replaced.
    pub replaced_text: Vec<String>,
    /// The path below the tree under which it was uploaded.
    pub upload: PathBuf,
}

/// A file that was refused.
#[derive(Debug)]
pub struct Departure {
    /// The path below the tree under which it was uploaded.
    pub upload: PathBuf,
    /// The bytes, when they could be read.
    pub sha256: Option<Sha256>,
    /// Why.
    pub refusal: Refusal,
}

/// Why the tree could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
}

/// What identifies a state of a file or directory; if it is the same in two looks, nobody wrote in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    dev: u64,
    ino: u64,
    size: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

impl Stamp {
    /// The state that the kernel tells.
    pub fn of(meta: &std::fs::Metadata) -> Self {
        Self {
            dev: meta.dev(),
            ino: meta.ino(),
            size: meta.size(),
            mtime: (meta.mtime(), meta.mtime_nsec()),
            ctime: (meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// The same, of a call that asks below an open directory.
    pub fn of_raw(stat: &rustix::fs::Stat) -> Self {
        let time = |seconds, nanoseconds| (seconds, i64::try_from(nanoseconds).unwrap_or(i64::MAX));
        Self {
            dev: stat.st_dev,
            ino: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or(u64::MAX),
            mtime: time(stat.st_mtime, stat.st_mtime_nsec),
            ctime: time(stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    /// Whether it is the same file with the same bytes under another name: a rename changes only the third time.
    fn is_renamed(&self, before: &Self) -> bool {
        (self.dev, self.ino, self.size, self.mtime) == (before.dev, before.ino, before.size, before.mtime)
    }

    /// What the index remembers of a file: its size, and the time of its bytes in seconds since the epoch.
    pub fn facts(&self) -> (u64, u64) {
        (self.size, u64::try_from(self.mtime.0).unwrap_or(u64::MAX))
    }

    /// Whether the last change was so long ago that one more would give it other times.
    pub fn is_settled(&self, now: Timestamp) -> bool {
        let (second, fraction) = self.mtime.max(self.ctime);
        let racy = if fraction == 0 { RACY } else { RACY_WITH_FRACTION };
        let fraction = i32::try_from(fraction).unwrap_or(i32::MAX);
        Timestamp::new(second, fraction).is_ok_and(|changed| now.duration_since(changed) > racy)
    }
}

/// A file that was seen, and how far it is.
#[derive(Debug)]
struct Sighting {
    stamp: Stamp,
    /// Since when it has this stamp.
    since: Instant,
    outcome: Option<Outcome>,
}

impl Sighting {
    fn new(stamp: Stamp, clock: Instant) -> Self {
        Self { stamp, since: clock, outcome: None }
    }
}

#[derive(Debug)]
enum Outcome {
    /// Accepted; the upload can go.
    TakenIn,
    /// Refused; the file is to be moved away.
    Refused(Refusal, Option<Sha256>),
    /// Read, and more is to come.
    Incomplete,
    /// It cannot be handled now: why, since when, and what was known before.
    Stuck(String, Instant, Option<Box<Outcome>>),
}

/// The uploads of one distribution, between two looks.
#[derive(Debug, Default)]
pub struct Uploads {
    seen: BTreeMap<PathBuf, Sighting>,
    /// Directories of published packages, as they were when they were read last.
    dirs: BTreeMap<PathBuf, PackageDir>,
    /// Of the marks in them; nobody else knows how it hashes.
    marks: RandomState,
    /// Whose file was looked at last: the next look begins with somebody else's.
    turn: u32,
    /// Directories in which a file could be handled in the last look that could not be before.
    mended: BTreeSet<PathBuf>,
    /// How often what was refused and cannot be moved away was refused.
    stayed: BTreeMap<(&'static str, What), u64>,
}

/// What refusals are counted by that stay where they are.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Bytes(Sha256),
    /// The mark of the directory, of files that were not read.
    Dir(u64),
}

impl What {
    fn of(marks: &RandomState, relative: &Path, sha256: Option<Sha256>) -> Self {
        sha256.map_or_else(|| Self::Dir(marks.hash_one(relative.parent())), Self::Bytes)
    }
}

/// What is known of a directory of published packages.
#[derive(Debug)]
struct PackageDir {
    stamp: Stamp,
    /// Nothing else was in it, so it is not read again before something comes or goes there.
    done: bool,
    /// The files in it that were found to be ours: hashes of name and state.
    ours: HashSet<u64>,
}

impl PackageDir {
    fn is_as_before(&self, stamp: Stamp) -> bool {
        self.done && self.stamp == stamp
    }
}

/// A file as the search finds it.
struct Found {
    relative: PathBuf,
    stamp: Stamp,
    /// Whether it is a regular file.
    is_file: bool,
    links: u64,
    owner: u32,
    /// What it is known by in a directory of packages when it turns out to be ours.
    mark: Option<u64>,
}

impl Uploads {
    /// Looks at the upload tree once: settles what was decided before, examines what is quiet.
    ///
    /// `now` is the arrival time of what is accepted; `clock` is the monotonic time for quiet times.
    ///
    /// # Errors
    /// When the tree or the index cannot be used at all; one bad file is never an error.
    pub fn look(
        &mut self,
        disk: &dyn Disk,
        gate: &Gate,
        index: &mut Index,
        catalog: &dyn Catalog,
        (now, clock): (Timestamp, Instant),
    ) -> Result<Look, IntakeError> {
        let Searched { found, mut dirs, mut waiting, again } =
            self.search(&gate.dir, Strays::of(gate, now).as_ref())?;
        if gate.is_home() {
            // Metadata, keys and other things of ours lie there; and what an admin does there is no upload of strangers.
            waiting = Backlog::default();
        }
        let names: BTreeSet<&PathBuf> = found.iter().map(|f| &f.relative).collect();
        self.seen.retain(|path, _| names.contains(path));
        let mut look = Look { waiting, again, ..Look::default() };
        let (mut quiet, mut bytes) = (Vec::new(), 0_u64);
        let mut foreign: BTreeSet<&Path> = BTreeSet::new();
        let (began, mut worked) = (Instant::now(), false);
        let due = self.due(&found, clock);
        let mut tried: Vec<&Found> = Vec::new();
        for file in &found {
            let is_much = quiet.len() == LOOK_AT_ONCE || (bytes > LOOK_BYTES && !quiet.is_empty());
            if is_much || (worked && began.elapsed() > LOOK_TAKES) {
                look.again = Some(Duration::ZERO);
                break;
            }
            self.turn = file.owner;
            if self.is_due(file, clock) {
                if self.is_spared(file, &due, clock) {
                    foreign.insert(file.dir());
                    continue;
                }
                tried.push(file);
            }
            let known = self.seen.len();
            match self.visit(disk, gate, (index, catalog), file, clock, &mut look) {
                Ok(Visit::Ours) => {
                    if let Some((dir, mark)) = dirs.get_mut(file.dir()).zip(file.mark) {
                        dir.ours.insert(mark);
                    }
                }
                Ok(Visit::Cheap) => {
                    foreign.insert(file.dir());
                    worked |= self.seen.len() < known;
                }
                Ok(Visit::Examine) => {
                    foreign.insert(file.dir());
                    worked = true;
                    bytes = bytes.saturating_add(file.stamp.size);
                    quiet.push(file);
                }
                Err(IntakeError::Disk(error)) if error.concerns_one_path() => {
                    foreign.insert(file.dir());
                    self.is_stuck(&file.relative, error.sentence(), clock);
                }
                Err(error) => {
                    look.failed = Some(error);
                    break;
                }
            }
        }
        if look.again != Some(Duration::ZERO) && look.failed.is_none() {
            for (path, dir) in &mut dirs {
                dir.done = !foreign.contains(path.as_path()) && dir.stamp.is_settled(now);
            }
            self.dirs.retain(|path, dir| dirs.get(path).is_some_and(|now| dir.is_as_before(now.stamp)));
            for (path, dir) in dirs {
                self.dirs.entry(path).or_insert(dir);
            }
        }
        self.examine(disk, gate, (index, catalog), &quiet, (now, clock, began), &mut look);
        let is_mended = |file: &&&Found| match self.seen.get(&file.relative) {
            // What is left for the next look is not known yet.
            Some(Sighting { outcome: None | Some(Outcome::Stuck(..)), .. }) => false,
            Some(_) | None => true,
        };
        self.mended = tried.iter().filter(is_mended).map(|file| file.dir().to_owned()).collect();
        self.report(gate, (now, clock), &mut look);
        if !self.mended.is_empty() {
            look.again = Some(Duration::ZERO);
        }
        if !look.accepted.is_empty() || !look.refused.is_empty() {
            // What was decided now is settled once the logbook has it.
            look.again = Some(Duration::ZERO);
        }
        Ok(look)
    }

    /// All candidates below the tree. Links to directories are not followed; what is known to be ours is passed
    /// over, and so are directories that hold nothing else and are as they were.
    fn search(&self, dir: &Path, strays: Option<&Strays>) -> Result<Searched, DiskError> {
        self.search_some(dir, strays, DIRECTORIES_MAX)
    }

    /// The same in so many directories at most.
    fn search_some(&self, dir: &Path, strays: Option<&Strays>, most: usize) -> Result<Searched, DiskError> {
        let mut again = None;
        let (files, directories) = match strays {
            Some(_) => (FILES_BYTES, DIRECTORIES_BYTES),
            // What lies there is ours, or an admin's.
            None => (usize::MAX, usize::MAX),
        };
        let mut found = Turns::new(files, self.turn);
        let mut dirs = BTreeMap::new();
        let mut waiting = Backlog::default();
        let mut todo = Turns::new(directories, self.turn);
        todo.push(0, (PathBuf::new(), 0), 0);
        let mut searched = 0;
        // Of each owner, directories further up come first, so that nobody hides them by making many below one of his.
        while let Some((_, (relative, depth))) = todo.pop() {
            searched += 1;
            if searched > most {
                let why = format!("there are more than {most} directories, and this one and others are not searched");
                waiting.add(&relative, Kind::Many, why, None);
                break;
            }
            let here = dir.join(&relative);
            let mut known = None;
            if depth == 2 && strays.is_none() && relative.starts_with(tree::PACKAGES) {
                let Ok(stamp) = std::fs::symlink_metadata(&here).map(|meta| Stamp::of(&meta)) else { continue };
                known = self.dirs.get(&relative);
                dirs.insert(relative.clone(), PackageDir { stamp, done: false, ours: HashSet::new() });
                if known.is_some_and(|known| known.is_as_before(stamp)) {
                    continue;
                }
            }
            let listed =
                tree::open_dir_beneath(dir, &relative).and_then(|fd| rustix::fs::Dir::new(fd).at("list", &here));
            let mut entries = match listed {
                Ok(entries) => entries,
                // A directory may go away or become a link while the tree is searched.
                Err(error) if depth > 0 && (error.is_not_found() || error.is_no_file()) => continue,
                Err(error) if depth > 0 => {
                    waiting.add(&relative, Kind::Closed, error.sentence(), None);
                    continue;
                }
                Err(error) => return Err(error),
            };
            while let Some(entry) = entries.read() {
                let entry = match entry.at("list", &here) {
                    Ok(entry) => entry,
                    Err(error) if depth > 0 => {
                        waiting.add(&relative, Kind::Closed, error.sentence(), None);
                        break;
                    }
                    Err(error) => return Err(error),
                };
                let name = OsStr::from_bytes(entry.file_name().to_bytes());
                // What a crash left aside is an upload like any other: see `clear`.
                let aside = is_aside(name.as_bytes());
                // rsync's temporary names and partial directories begin with a dot (threats row 4).
                let is_hidden = name.as_bytes().starts_with(b".") && !aside;
                let is_own = depth == 0 && name.as_bytes() == tree::REPODATA.as_bytes();
                if name == "." || name == ".." || (strays.is_none() && (is_hidden || is_own)) {
                    continue;
                }
                let Ok(stat) = entries.fd().and_then(|fd| rustix::fs::statat(fd, name, AtFlags::SYMLINK_NOFOLLOW))
                else {
                    continue;
                };
                let (stamp, kind) = (Stamp::of_raw(&stat), FileType::from_raw_mode(stat.st_mode));
                if let Some(strays) = strays.filter(|_| is_hidden) {
                    let wait = strays.name(&relative.join(name), stamp, kind.is_dir(), &mut waiting);
                    again = again.into_iter().chain([wait]).min();
                    continue;
                }
                let mut mark = None;
                if let Some(dir) = dirs.get_mut(&relative) {
                    let hash = self.marks.hash_one((name, stamp));
                    if known.is_some_and(|known| known.ours.contains(&hash)) {
                        dir.ours.insert(hash);
                        continue;
                    }
                    mark = Some(hash);
                }
                let path = relative.join(name);
                let changed = Timestamp::from_second(stamp.ctime.0).ok();
                if kind.is_dir() {
                    // A directory below one of ours is somebody's upload, whose changes show in itself alone.
                    dirs.remove(&relative);
                    if name.as_bytes().to_ascii_lowercase().ends_with(b".rpm") {
                        waiting.add(&path, Kind::Folder, "it is a directory and no package", changed);
                    }
                    if depth < DEPTH_MAX {
                        let bytes = path.as_os_str().len() + DIRECTORY_BYTES;
                        todo.push(stat.st_uid, (path, depth + 1), bytes);
                    } else {
                        let why = format!("directories are searched {DEPTH_MAX} deep, and this one lies deeper");
                        waiting.add(&path, Kind::Deep, why, changed);
                    }
                } else if aside || name.as_bytes().ends_with(b".rpm") {
                    let (is_file, links, owner) = (kind.is_file(), stat.st_nlink, stat.st_uid);
                    // Its path is known to two while it is looked at.
                    let bytes = 2 * path.as_os_str().len() + FILE_BYTES;
                    found.push(owner, Found { relative: path, stamp, is_file, links, owner, mark }, bytes);
                } else {
                    waiting.add(
                        &path,
                        Kind::Suffix,
                        "only files whose names end in .rpm, in small letters, are looked at",
                        changed,
                    );
                }
            }
        }
        for (owner, number, (path, _)) in todo.left_out() {
            let why = format!("there are too many directories: {number} of the user {owner} are not searched");
            waiting.add(path, Kind::Many, why, None);
        }
        for (owner, number, Found { relative, .. }) in found.left_out() {
            let why = format!("there are too many files: {number} of the user {owner} wait until others are done");
            waiting.add(relative, Kind::Many, why, None);
        }
        found.sort_by(|a, b| a.relative.cmp(&b.relative));
        let found = std::iter::from_fn(|| found.pop()).map(|(_, file)| file).collect();
        Ok(Searched { found, dirs, waiting, again })
    }

    /// Whether a file that could not be handled is to be tried again.
    fn is_due(&self, file: &Found, clock: Instant) -> bool {
        match self.seen.get(&file.relative) {
            Some(Sighting { outcome: Some(Outcome::Stuck(_, since, _)), stamp, .. }) if *stamp == file.stamp => {
                clock.saturating_duration_since(*since) >= STUCK_AGAIN || self.mended.contains(file.dir())
            }
            _ => false,
        }
    }

    /// How many files of each owner are.
    fn due(&self, found: &[Found], clock: Instant) -> BTreeMap<u32, u64> {
        let mut due = BTreeMap::new();
        for file in found.iter().filter(|file| self.is_due(file, clock)) {
            *due.entry(file.owner).or_default() += 1;
        }
        due
    }

    /// Whether a file is one of so many that could not be handled that it is tried another time.
    fn is_spared(&mut self, file: &Found, due: &BTreeMap<u32, u64>, clock: Instant) -> bool {
        let parts = due.get(&file.owner).map_or(1, |due| due.div_ceil(STUCK_TRIED).max(1));
        if self.mended.contains(file.dir()) || self.marks.hash_one((&file.relative, clock)).is_multiple_of(parts) {
            return false;
        }
        if let Some(Sighting { outcome: Some(Outcome::Stuck(_, since, _)), .. }) = self.seen.get_mut(&file.relative) {
            *since = clock;
        }
        true
    }

    /// Remembers that a file cannot be handled.
    fn is_stuck(&mut self, path: &Path, why: String, clock: Instant) {
        if let Some(sighting) = self.seen.get_mut(path) {
            let before = sighting.outcome.take().map(Box::new);
            if let Some(Outcome::Refused(refusal, sha256)) = before.as_deref() {
                // Whoever keeps it there can have it looked at as often as he likes, and each time would be an entry.
                if self.stayed.len() >= STAYED_MAX {
                    self.stayed.clear();
                }
                let what = What::of(&self.marks, path, *sha256);
                self.stayed.entry((refusal.code.as_str(), what)).or_insert(1);
            }
            sighting.outcome = Some(Outcome::Stuck(backlog::brief(why), clock, before));
        }
    }

    /// Says what waits, and what cannot be handled.
    fn report(&self, gate: &Gate, (now, clock): (Timestamp, Instant), look: &mut Look) {
        for (path, sighting) in &self.seen {
            let (kind, why) = match &sighting.outcome {
                None => (Kind::New, "it is new, or was changed just now"),
                Some(Outcome::Incomplete) => (Kind::Incomplete, "there is less of it than it says"),
                Some(Outcome::Stuck(why, ..)) => {
                    if gate.is_home() {
                        look.stuck.push((path.clone(), why.clone()));
                    }
                    look.again = Some(look.again.map_or(STUCK_AGAIN, |soonest| soonest.min(STUCK_AGAIN)));
                    (Kind::Stuck, why.as_str())
                }
                // It goes in the next look.
                Some(Outcome::TakenIn | Outcome::Refused(..)) => continue,
            };
            if !gate.is_home() {
                let since = now.checked_sub(clock.saturating_duration_since(sighting.since)).ok();
                look.waiting.add(path, kind, why, since);
            }
        }
    }

    /// Whether a path below the drop directory may be an upload, or a directory of them: no temporary name.
    pub fn may_be_one(path: &Path) -> bool {
        !path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."))
    }

    /// The same below the upload tree, where it is not what is written into `repodata/` either.
    pub fn may_be_one_at_home(path: &Path) -> bool {
        Self::may_be_one(path) && !path.starts_with(tree::REPODATA)
    }

    /// Reads every directory again at the next look.
    pub fn forget_dirs(&mut self) {
        self.dirs.clear();
    }

    /// One file in this look, as far as that is possible without reading it.
    fn visit(
        &mut self,
        disk: &dyn Disk,
        gate: &Gate,
        (index, catalog): (&Index, &dyn Catalog),
        file: &Found,
        clock: Instant,
        look: &mut Look,
    ) -> Result<Visit, IntakeError> {
        let standing = if gate.is_home() { standing(index, catalog, file) } else { Standing::Upload };
        match standing {
            Standing::Ours => return Ok(Visit::Ours),
            // Moving it away would hide what happened: other trees have the same inode.
            Standing::Changed(nevra) => {
                let why = format!(
                    "the accepted file of {nevra} was changed in place, with every tree that lists it; put the accepted bytes \
                     back under another name here, and into those trees"
                );
                self.seen.entry(file.relative.clone()).or_insert_with(|| Sighting::new(file.stamp, clock));
                self.is_stuck(&file.relative, why, clock);
                return Ok(Visit::Cheap);
            }
            Standing::Upload => {}
        }
        match self.step(disk, gate, file, clock)? {
            Step::Nothing => Ok(Visit::Cheap),
            Step::Later(wait) => {
                look.again = Some(look.again.map_or(wait, |soonest| soonest.min(wait)));
                Ok(Visit::Cheap)
            }
            Step::Examine => Ok(Visit::Examine),
        }
    }

    /// What to do with a file in this look.
    fn step(&mut self, disk: &dyn Disk, gate: &Gate, file: &Found, clock: Instant) -> Result<Step, IntakeError> {
        let stamp = file.stamp;
        let sighting = match self.seen.get_mut(&file.relative) {
            Some(known) if known.stamp == stamp => known,
            Some(known) => {
                *known = Sighting::new(stamp, clock);
                return Ok(Step::Later(gate.limits.quiet));
            }
            None => {
                self.seen.insert(file.relative.clone(), Sighting::new(stamp, clock));
                return Ok(Step::Later(gate.limits.quiet));
            }
        };
        let waited = clock.saturating_duration_since(sighting.since);
        let path = gate.dir.join(&file.relative);
        if let Some(Outcome::Stuck(_, since, before)) = &mut sighting.outcome {
            if clock.saturating_duration_since(*since) < STUCK_AGAIN && !self.mended.contains(file.dir()) {
                return Ok(Step::Nothing);
            }
            sighting.outcome = before.take().map(|before| *before);
        }
        match &sighting.outcome {
            None if waited < gate.limits.quiet => Ok(Step::Later(gate.limits.quiet.saturating_sub(waited))),
            Some(Outcome::Stuck(..)) => Ok(Step::Nothing),
            Some(Outcome::TakenIn) => {
                let free = clear(disk, &path, stamp)?;
                self.seen.remove(&file.relative);
                Ok(if free { Step::Nothing } else { Step::Later(gate.limits.quiet) })
            }
            Some(Outcome::Incomplete) if waited < gate.limits.incomplete_after => {
                Ok(Step::Later(gate.limits.incomplete_after.saturating_sub(waited)))
            }
            // Quiet; or nothing more came, and it is read once more and then refused for good.
            None | Some(Outcome::Incomplete) => Ok(Step::Examine),
            Some(Outcome::Refused(refusal, sha256)) => {
                let known = rejected::Known {
                    is_it: &|meta| Stamp::of(meta).is_renamed(&stamp),
                    aside: &|| {
                        Ok(match take_aside(disk, &path)? {
                            None => rejected::Taken::Gone,
                            Some((aside, now)) if now.is_renamed(&stamp) => rejected::Taken::To(aside),
                            Some(_) => rejected::Taken::Another,
                        })
                    },
                    open: &|aside| {
                        let name = aside.file_name().unwrap_or_default();
                        tree::open_beneath(&gate.dir, &file.relative.with_file_name(name))
                    },
                    clear: &|| clear(disk, &path, stamp),
                };
                let verdict = (refusal, *sha256);
                let stayed = (refusal.code.as_str(), What::of(&self.marks, &file.relative, *sha256));
                match gate.rejected.put(disk, &path, &file.relative, verdict, gate.limits.max_package, &known)? {
                    rejected::Put::Aside(_) => {
                        self.seen.remove(&file.relative);
                        self.stayed.remove(&stayed);
                    }
                    rejected::Put::Another => {
                        self.seen.remove(&file.relative);
                        return Ok(Step::Later(gate.limits.quiet));
                    }
                }
                Ok(Step::Nothing)
            }
        }
    }

    /// Reads files by all threads, then settles them one after the other; those that are left when it has taken long are
    /// read in the next look.
    fn examine(
        &mut self,
        disk: &dyn Disk,
        gate: &Gate,
        (index, catalog): (&mut Index, &dyn Catalog),
        quiet: &[&Found],
        (now, clock, began): (Timestamp, Instant, Instant),
        look: &mut Look,
    ) {
        let todo: Vec<(usize, &Found, Stamp)> = quiet
            .iter()
            .filter_map(|file| Some((*file, self.seen.get(&file.relative)?.stamp)))
            .enumerate()
            .map(|(at, (file, stamp))| (at, file, stamp))
            .collect();
        let (failed, late) = (AtomicBool::new(false), AtomicBool::new(false));
        // File systems that give no answer; of each one file is waited for.
        let silent = Mutex::new(BTreeSet::new());
        let is_silent = |device| silent.lock().unwrap_or_else(PoisonError::into_inner).contains(&device);
        let read = |(): &mut (), (at, file, stamp): &(usize, &Found, Stamp)| {
            if *at > 0 && began.elapsed() > LOOK_TAKES {
                late.store(true, Ordering::Relaxed);
                return Ok(None);
            }
            if is_silent(file.stamp.dev) {
                let why = std::io::Error::new(std::io::ErrorKind::TimedOut, "its file system gives no answer");
                return Ok(Some(Err(DiskError::new(READ_UPLOAD, &gate.dir.join(&file.relative), why).into())));
            }
            // A disk that is full for one is full for all.
            if failed.load(Ordering::Relaxed) {
                return Ok::<_, std::convert::Infallible>(None);
            }
            let copied = copy(disk, gate, file, *stamp, now);
            if matches!(&copied, Err(IntakeError::Disk(error)) if !error.concerns_one_path()) {
                failed.store(true, Ordering::Relaxed);
            }
            if matches!(&copied, Err(IntakeError::Disk(error)) if error.is_of_silence()) {
                silent.lock().unwrap_or_else(PoisonError::into_inner).insert(file.stamp.dev);
            }
            Ok(Some(copied))
        };
        let mut copies: Vec<Option<Result<Copied, IntakeError>>> = todo.iter().map(|_| None).collect();
        let keep = |(at, ..): &(usize, &Found, Stamp), copied| {
            if let Some(place) = copies.get_mut(*at) {
                *place = copied;
            }
        };
        match thread_pool::each(&todo, || (), read, keep) {
            Ok(()) => {}
            Err(never) => match never {},
        }
        if late.into_inner() {
            look.again = Some(Duration::ZERO);
        }
        let mut settled = Vec::with_capacity(todo.len());
        let mut met = Met::with(catalog, &gate.tree, &[]);
        for ((_, file, stamp), copied) in todo.into_iter().zip(copies) {
            let Some(copied) = copied else { continue };
            settled.push((file, copied.and_then(|copied| settle(disk, gate, (index, &mut met), file, stamp, copied))));
        }
        let names = settled.iter().filter_map(|(_, settled)| settled.as_ref().ok()?.named.as_ref());
        let lost = make_durable(disk, &names.collect::<Vec<_>>());
        for (file, settled) in settled {
            let settled = settled.and_then(|Settled { examined, named }| {
                let Some(error) = named.and_then(|named| lost.get(&named.dir)) else { return Ok(examined) };
                Err(IntakeError::Disk(error.again()))
            });
            match settled {
                Ok(examined) => self.conclude(gate, file, examined, look),
                Err(IntakeError::Disk(error)) if error.concerns_one_path() => {
                    self.is_stuck(&file.relative, error.sentence(), clock);
                }
                Err(error) => drop(look.failed.get_or_insert(error)),
            }
        }
    }

    /// What follows from what a file turned out to be.
    fn conclude(&mut self, gate: &Gate, file: &Found, examined: Examined, look: &mut Look) {
        let Some(sighting) = self.seen.get_mut(&file.relative) else { return };
        let last_try = matches!(sighting.outcome, Some(Outcome::Incomplete));
        match examined {
            Examined::Accepted(arrival) => {
                sighting.outcome = Some(Outcome::TakenIn);
                look.accepted.push(*arrival);
            }
            Examined::Known => {
                // The same bytes are here already, so the upload is a repetition.
                sighting.outcome = Some(Outcome::TakenIn);
                look.repeated = true;
                look.again = Some(Duration::ZERO);
            }
            Examined::Vanished => {
                self.seen.remove(&file.relative);
            }
            Examined::Refused(refusal, _) if refusal.may_be_incomplete() && !last_try => {
                let wait = gate.limits.incomplete_after;
                look.again = Some(look.again.map_or(wait, |soonest| soonest.min(wait)));
                sighting.outcome = Some(Outcome::Incomplete);
            }
            Examined::Refused(refusal, sha256) => {
                let mut times = sha256.map_or(0, |sum| gate.rejected.times(sum, refusal.code));
                let what = What::of(&self.marks, &file.relative, sha256);
                if let Some(stayed) = self.stayed.get_mut(&(refusal.code.as_str(), what)) {
                    times = times.max(*stayed);
                    *stayed = stayed.saturating_add(1);
                }
                sighting.outcome = Some(Outcome::Refused(refusal.clone(), sha256));
                // The same bytes with the same verdict: counted beside what is kept, and told now and then.
                if times > 0 && !is_told(times + 1) {
                    look.refused_again += 1;
                    look.again = Some(Duration::ZERO);
                    return;
                }
                let mut refusal = refusal;
                if times > 0 {
                    refusal.detail = format!("{} (the same again, for the {}th time)", refusal.detail, times + 1);
                }
                look.refused.push(Departure { upload: file.relative.clone(), sha256, refusal });
            }
        }
    }

    /// Files that were seen and are not settled, for metrics.
    pub fn waiting(&self) -> usize {
        self.seen.len()
    }
}

/// Whether it is told in the logbook that the same bytes were refused for this time: each time would fill it.
fn is_told(times: u64) -> bool {
    let mut power = 10;
    while power < times {
        power *= 10;
    }
    power == times
}

enum Visit {
    /// A published package as we put it there.
    Ours,
    /// Nothing to read now.
    Cheap,
    /// To be read in this look.
    Examine,
}

enum Step {
    Nothing,
    Later(Duration),
    Examine,
}

enum Examined {
    Accepted(Box<Arrival>),
    /// The same bytes lie in a tree already.
    Known,
    /// It went away while it was looked at.
    Vanished,
    Refused(Refusal, Option<Sha256>),
}

/// What a search finds.
struct Searched {
    /// All candidates in turns: each owner's in the order of their paths.
    found: Vec<Found>,
    /// The directories of published packages, as they were before they were read, with what was found to be
    /// ours at once.
    dirs: BTreeMap<PathBuf, PackageDir>,
    /// What is not looked at, or cannot be.
    waiting: Backlog,
    /// When something hidden is to be named, or may be gone.
    again: Option<Duration>,
}

/// From when on hidden names are told to those who left them: they are mostly those of files on their way.
struct Strays {
    now: Timestamp,
    /// How long they may lie there unchanged.
    patience: Duration,
}

impl Strays {
    /// Nothing is told of the upload tree itself.
    fn of(gate: &Gate, now: Timestamp) -> Option<Self> {
        (!gate.is_home()).then_some(Self { now, patience: gate.limits.incomplete_after })
    }

    /// Names one that has lain there long enough; gives the time after which to look again.
    fn name(&self, path: &Path, stamp: Stamp, is_dir: bool, waiting: &mut Backlog) -> Duration {
        // Whoever uploads chooses the other time, and not this one.
        let changed = Timestamp::from_second(stamp.ctime.0).unwrap_or(Timestamp::MIN);
        let waited = Duration::try_from(self.now.duration_since(changed)).unwrap_or_default();
        if waited < self.patience {
            return self.patience.saturating_sub(waited);
        }
        let why = format!(
            "its name begins with a dot, as that of a {} on its way, so {} is not looked at; it has not changed for {}",
            if is_dir { "directory of files" } else { "file" },
            if is_dir { "what lies in it" } else { "it" },
            quantity::show_duration(self.patience),
        );
        waiting.add(path, Kind::Hidden, why, Some(changed));
        STUCK_AGAIN
    }
}

impl Found {
    fn dir(&self) -> &Path {
        self.relative.parent().unwrap_or(Path::new(""))
    }
}

/// Removes an upload that was taken in, unless somebody has put another file in its place meanwhile.
///
/// It is taken aside first, so that what is removed is what was looked at. Another file stays aside, and
/// so does whatever a crash left there: the next look examines it like any upload. Returns whether the
/// name is free now and nothing was left aside.
fn clear(disk: &dyn Disk, path: &Path, stamp: Stamp) -> Result<bool, DiskError> {
    let Some((aside, now)) = take_aside(disk, path)? else { return Ok(std::fs::symlink_metadata(path).is_err()) };
    let same = now.is_renamed(&stamp);
    if same {
        disk.remove(&aside)?;
    }
    Ok(same)
}

/// Whether a name is one that [`take_aside`] gives: two numbers, and nothing that an uploader could have chosen.
fn is_aside(name: &[u8]) -> bool {
    let is_number = |text: &[u8]| (1..=20).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    let mut numbers = name.strip_prefix(CLEARED.as_bytes()).into_iter().flat_map(|rest| rest.splitn(2, |b| *b == b'-'));
    numbers.next().is_some_and(is_number) && numbers.next().is_some_and(is_number)
}

/// Gives a file another name beside it, of its own, and says which and what the file is. `None` when it is not
/// there any more, or no name is free.
fn take_aside(disk: &dyn Disk, path: &Path) -> Result<Option<(PathBuf, Stamp)>, DiskError> {
    let lies_there = match std::fs::symlink_metadata(path) {
        Ok(meta) => meta.ino(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DiskError::new("look at", path, error)),
    };
    // What was taken aside before and is not settled yet has such a name too.
    let free = |aside: &PathBuf| std::fs::symlink_metadata(aside).is_err();
    let names = (0_u64..).map(|n| path.with_file_name(format!("{CLEARED}{lies_there}-{n}")));
    let Some(aside) = names.into_iter().find(free) else { return Ok(None) };
    match disk.rename(path, &aside) {
        Err(error) if error.is_not_found() => return Ok(None),
        other => other?,
    }
    let now = Stamp::of(&std::fs::symlink_metadata(&aside).at("look at", &aside)?);
    Ok(Some((aside, now)))
}

/// What a file in the tree is.
enum Standing {
    /// One that we put there.
    Ours,
    /// One that we put there, and somebody has written into it since.
    Changed(Nevra),
    /// One that somebody else put there.
    Upload,
}

/// Whether a file is one that we put there: the canonical name, size and time of a package that the
/// tree lists or listed. (A change that keeps all three is found by the scrub, not here.)
fn standing(index: &Index, catalog: &dyn Catalog, file: &Found) -> Standing {
    let Some(text) = file.relative.to_str() else { return Standing::Upload };
    let Some(name) = text.rsplit('/').next().filter(|_| text.starts_with(tree::PACKAGES)) else {
        return Standing::Upload;
    };
    for nevra in catalog.of_file(name) {
        if nevra.location() == text
            && let Some(sha256) = catalog.accepted(&nevra)
            && let Some(known) = index.facts(&Entry::of(sha256))
        {
            return match file.is_file {
                // One that others can change is replaced by a copy when the tree is inspected.
                true if file.stamp.facts() == known => Standing::Ours,
                // An upload has one name; only ours is linked into other trees.
                true if file.links > 1 => Standing::Changed(nevra),
                _ => Standing::Upload,
            };
        }
    }
    Standing::Upload
}

/// A file that was copied and judged, and has no name yet.
enum Copied {
    /// It is good as it is.
    Good(Box<Good>),
    /// It went away while it was looked at.
    Vanished,
    Refused(Refusal, Option<Sha256>),
}

struct Good {
    copy: disk::Fresh,
    nevra: Nevra,
    signed: Accepted,
    replaced_text: Vec<String>,
    chunk: Chunk,
}

/// Copies, hashes, checks and judges; nothing is known of it afterwards but what is returned.
fn copy(disk: &dyn Disk, gate: &Gate, file: &Found, stamp: Stamp, now: Timestamp) -> Result<Copied, IntakeError> {
    let refused = |code, detail: String| Ok(Copied::Refused(Refusal::new(code, detail), None));
    if !file.is_file {
        return refused(Code::NotRegular, "a link, pipe, socket or device".to_owned());
    }
    let upload = match tree::open_beneath(&gate.dir, &file.relative) {
        Ok(upload) => upload,
        Err(error) if error.is_not_found() => return Ok(Copied::Vanished),
        // Links, sockets and devices; anything else may be otherwise in a moment.
        Err(error) if error.is_no_file() => return refused(Code::NotRegular, error.sentence()),
        Err(error) => return Err(error.into()),
    };
    let label = gate.dir.join(&file.relative);
    let meta = upload.metadata().at("look at", &label)?;
    if !meta.is_file() || meta.nlink() != 1 {
        return refused(Code::NotRegular, format!("{} names lead to it", meta.nlink()));
    }
    if meta.size() > gate.limits.max_package {
        return refused(Code::TooLarge, format!("{} bytes, allowed are {}", meta.size(), gate.limits.max_package));
    }
    if Stamp::of(&meta) != stamp {
        return Ok(Copied::Refused(Refusal::new(Code::Unstable, "it changed before it was read"), None));
    }
    if let Some(there) = holes(&meta) {
        let detail = format!("it is mostly holes: of {} bytes {there} have been written", meta.size());
        return refused(Code::Truncated, detail);
    }

    let mut copy = disk.fresh(&gate.home, Access::Sealed)?;
    let ours = copy.file.metadata().at("look at the copy of", &label)?;
    let mut uploaded: Box<dyn Read> = if meta.dev() == ours.dev() {
        Box::new(&upload)
    } else {
        let again = upload.try_clone().at(READ_UPLOAD, &label)?;
        Box::new(Patient::begin(again).at(READ_UPLOAD, &label)?)
    };
    let mut buffer = vec![0; 1 << 20];
    let mut sum = digest::Context::new(&digest::SHA256);
    let size = meta.size();
    let mut left = size;
    let ask = |copy: &disk::Fresh, size, question: &Question| {
        let file = read_only(copy).at("open again the copy of", &label)?;
        let answer = gate.examiner.examine(file, size, &gate.terms, question).at("have examined", &label)?;
        Ok::<_, DiskError>(answer)
    };
    loop {
        let n = uploaded.read(&mut buffer).at(READ_UPLOAD, &label)?;
        let bytes = buffer.get(..n).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        let before = size.saturating_sub(left);
        left = match left.checked_sub(bytes.len() as u64) {
            Some(left) => left,
            None => return refused(Code::Unstable, "it grew while it was read".to_owned()),
        };
        disk.write(&mut copy, bytes)?;
        sum.update(bytes);
        // Whatever is no package at all need not be copied to its end.
        let here = size.saturating_sub(left);
        if before < BEGINNING
            && (BEGINNING..size).contains(&here)
            && let Answer::Refused(refusal, _) = ask(&copy, here, &Question::IsItABeginning)?
        {
            // Nor is it examined; its checksum tells whether the same bytes come again.
            let sum = (size <= SUM_MAX).then(|| sum_to_the_end(&mut uploaded, &mut buffer, sum, left)).flatten();
            return Ok(Copied::Refused(refusal, sum));
        }
    }
    let after = upload.metadata().at("look at", &label)?;
    if Stamp::of(&after) != stamp {
        return refused(Code::Unstable, "it changed while it was read".to_owned());
    }
    // The time of the copy is the time of arrival; every tree shows the same one.
    let file_time = now.as_second().max(0).unsigned_abs();
    let sum = sum.finish().as_ref().try_into().map(Sha256).ok();
    let known = match ask(&copy, size, &Question::MayItComeIn { at: now, file_time })? {
        // Which bytes these are is for nobody else to say: by their checksum a package is known from here on.
        Answer::Good(known) if Some(known.sha256) == sum && known.size == size => known,
        Answer::Refused(refusal, sha256) => return Ok(Copied::Refused(refusal, sha256.or(sum))),
        Answer::Good(_) | Answer::SoFar => {
            return Err(DiskError::new("have examined", &label, not_an_answer()).into());
        }
    };
    set_time(&copy, file_time, &label)?;
    disk.sync(&copy)?;
    let Known { nevra, sha256, pkgid, size, signed, replaced_text, xml } = *known;
    let chunk = Chunk { sha256, place: None, pkgid, size, file_time, xml };
    Ok(Copied::Good(Box::new(Good { copy, nevra, signed, replaced_text, chunk })))
}

/// The checksum of a file of which the beginning was read already, if the rest is as long as it was said to be.
fn sum_to_the_end(rest: &mut dyn Read, buffer: &mut [u8], mut sum: digest::Context, mut left: u64) -> Option<Sha256> {
    loop {
        let n = rest.read(buffer).ok()?;
        let bytes = buffer.get(..n)?;
        left = left.checked_sub(n as u64)?;
        sum.update(bytes);
        if bytes.is_empty() {
            return sum.finish().as_ref().try_into().map(Sha256).ok().filter(|_| left == 0);
        }
    }
}

/// How many bytes of a file there really are, when it is mostly holes. One of a few KiB could otherwise have
/// gigabytes written and examined again and again. No file system packs a package, which is packed already, so tightly.
fn holes(meta: &std::fs::Metadata) -> Option<u64> {
    let there = meta.blocks().saturating_mul(512);
    (meta.size() > HOLES_BELOW && there < meta.size() / HOLES_SHARE).then_some(there)
}

/// A copy opened once more, from its beginning and only for reading: for somebody who may not change it.
fn read_only(copy: &disk::Fresh) -> std::io::Result<std::fs::File> {
    use std::os::fd::AsRawFd as _;
    std::fs::File::open(format!("/proc/self/fd/{}", copy.file.as_raw_fd()))
}

fn not_an_answer() -> std::io::Error {
    std::io::Error::other("the answer was to another question, or of another file")
}

fn set_time(copy: &disk::Fresh, seconds: u64, label: &Path) -> Result<(), DiskError> {
    let time = std::time::UNIX_EPOCH + Duration::from_secs(seconds);
    copy.file.set_modified(time).at("set the time of the copy of", label)
}

/// What a copy turned out to be, and the name that it was given, which is not durable yet.
struct Settled {
    examined: Examined,
    named: Option<Named>,
}

impl From<Examined> for Settled {
    fn from(examined: Examined) -> Self {
        Self { examined, named: None }
    }
}

/// What is known while files of one look are settled: what the logbook has, and what came in just now, of which it will
/// be told. If the look ends in a panic, it never hears of these, and they are uploads like any other.
#[derive(Debug)]
pub struct Met<'a> {
    catalog: &'a dyn Catalog,
    tree: &'a TreeName,
    new: BTreeMap<Nevra, Sha256>,
}

impl<'a> Met<'a> {
    /// What is known after these came into a tree, of which the logbook will be told.
    pub fn with(catalog: &'a dyn Catalog, tree: &'a TreeName, came: &[Arrival]) -> Self {
        let new = came.iter().map(|arrival| (arrival.nevra.clone(), arrival.sha256)).collect();
        Self { catalog, tree, new }
    }
}

impl Catalog for Met<'_> {
    fn accepted(&self, nevra: &Nevra) -> Option<Sha256> {
        self.new.get(nevra).copied().or_else(|| self.catalog.accepted(nevra))
    }

    fn is_given_up(&self, nevra: &Nevra) -> bool {
        !self.new.contains_key(nevra) && self.catalog.is_given_up(nevra)
    }

    fn of_name(&self, name: &str) -> Vec<Nevra> {
        let new = self.new.range(Nevra::first_of(name)..).map(|(nevra, _)| nevra);
        let new = new.take_while(|nevra| nevra.name() == name).cloned();
        new.chain(self.catalog.of_name(name)).collect()
    }

    fn listing(&self, tree: &TreeName) -> Listing {
        let mut listing = self.catalog.listing(tree);
        for (nevra, sha256) in self.new.iter().filter(|_| tree == self.tree) {
            listing.insert(nevra.clone(), Entry::of(*sha256));
        }
        listing
    }

    fn lists(&self, tree: &TreeName, nevra: &Nevra) -> bool {
        (tree == self.tree && self.new.contains_key(nevra)) || self.catalog.lists(tree, nevra)
    }
}

/// A name that was given to a copy.
#[derive(Debug)]
struct Named {
    /// The directory that has it.
    dir: PathBuf,
    /// The upload that had the name before, under the one that it has now, and as it was then.
    upload: Option<(PathBuf, Stamp)>,
}

impl Named {
    /// Makes the name durable; only then may the upload go.
    fn keep(&self, disk: &dyn Disk) -> Result<(), DiskError> {
        disk.sync_dir(&self.dir)?;
        self.let_upload_go(disk)
    }

    /// Removes the upload, unless somebody has written into it since: then the next look reads it.
    fn let_upload_go(&self, disk: &dyn Disk) -> Result<(), DiskError> {
        let Some((upload, stamp)) = &self.upload else { return Ok(()) };
        let now = std::fs::symlink_metadata(upload).map(|meta| Stamp::of(&meta));
        if now.is_ok_and(|now| now == *stamp) { disk.remove(upload) } else { Ok(()) }
    }
}

/// Makes names durable, with one wait for each directory, and removes the uploads that had them. Gives the
/// directories that could not be synced, and why.
fn make_durable(disk: &dyn Disk, names: &[&Named]) -> BTreeMap<PathBuf, DiskError> {
    let dirs: BTreeSet<&Path> = names.iter().map(|named| named.dir.as_path()).collect();
    let dirs: Vec<&Path> = dirs.into_iter().collect();
    let mut lost = BTreeMap::new();
    let keep = |dir: &&Path, synced: Result<(), DiskError>| {
        if let Err(error) = synced {
            lost.insert(dir.to_path_buf(), error);
        }
    };
    let synced = thread_pool::each(&dirs, || (), |(), dir| Ok::<_, std::convert::Infallible>(disk.sync_dir(dir)), keep);
    match synced {
        Ok(()) => {}
        Err(never) => match never {},
    }
    for named in names.iter().filter(|named| !lost.contains_key(&named.dir)) {
        if let Err(error) = named.let_upload_go(disk) {
            // It is looked at again, like any upload, and turns out to be known.
            tracing::warn!(why = error.sentence(), "an upload that was taken in stays");
        }
    }
    lost
}

/// Compares a copy with what is known, and gives it its name.
fn settle(
    disk: &dyn Disk,
    gate: &Gate,
    (index, met): (&mut Index, &mut Met<'_>),
    file: &Found,
    stamp: Stamp,
    copied: Copied,
) -> Result<Settled, IntakeError> {
    let good = match copied {
        Copied::Good(good) => good,
        Copied::Vanished => return Ok(Examined::Vanished.into()),
        Copied::Refused(refusal, sha256) => return Ok(Examined::Refused(refusal, sha256).into()),
    };
    let Good { copy, nevra, signed, replaced_text, chunk } = *good;
    let sha256 = chunk.sha256;
    let refused = |code, detail: String| Ok(Examined::Refused(Refusal::new(code, detail), Some(sha256)).into());
    match met.accepted(&nevra) {
        Some(known) if known != sha256 => {
            return refused(Code::DuplicateNevra, format!("{nevra} is known as {known}, this is {sha256}"));
        }
        Some(_) if gate.trees.iter().any(|(tree, _)| met.lists(tree, &nevra)) => {
            if index.facts(&Entry::of(sha256)).is_none_or(|(size, _)| size != chunk.size) {
                // The index was lost, and so was every file from which it could be made again; or it errs.
                index.put(disk, &chunk)?;
            }
            restore(disk, gate, (index, &*met), file, stamp, (&nevra, sha256), copy)?;
            return Ok(Examined::Known.into());
        }
        // The very bytes that were accepted once and were lost since.
        Some(_) if met.is_given_up(&nevra) => {}
        Some(_) => return refused(Code::Withdrawn, format!("{nevra} was withdrawn")),
        None => {}
    }
    if let Some(other) = met.of_file(&nevra.file_name()).into_iter().find(|other| *other != nevra) {
        return refused(Code::FileNameTaken, format!("{nevra} would have the same file as {other}"));
    }
    let inode = inode(&copy, &file.relative)?;
    let named = give_name(disk, gate, file, stamp, copy, &gate.home.join(nevra.location()))?;
    index.put(disk, &chunk)?;
    index.has_made(sha256, inode)?;
    met.new.insert(nevra.clone(), sha256);
    let size = chunk.size;
    let upload = file.relative.clone();
    let arrival = Arrival { nevra, sha256, size, signed, replaced_text, upload };
    Ok(Settled { examined: Examined::Accepted(Box::new(arrival)), named: Some(named) })
}

/// Gives a synced copy its canonical name. What has the name already is taken aside: it is either the upload that
/// was copied, or a file that nobody has read yet and the next look examines.
fn give_name(
    disk: &dyn Disk,
    gate: &Gate,
    file: &Found,
    stamp: Stamp,
    mut copy: disk::Fresh,
    canonical: &Path,
) -> Result<Named, IntakeError> {
    let dir = canonical.parent().unwrap_or(&gate.home).to_owned();
    disk.make_dir(&dir)?;
    let is_upload = gate.dir.join(&file.relative) == canonical;
    let mut upload = None;
    loop {
        match disk.name_new(&mut copy, canonical) {
            Ok(()) => return Ok(Named { dir, upload }),
            Err(error) if error.is_taken() => {}
            Err(error) => return Err(error.into()),
        }
        if let Some((aside, now)) = take_aside(disk, canonical)?
            && is_upload
            && now.is_renamed(&stamp)
        {
            upload = Some((aside, now));
        }
    }
}

/// The number of a copy's inode.
fn inode(copy: &disk::Fresh, label: &Path) -> Result<u64, DiskError> {
    Ok(copy.file.metadata().at("look at the copy of", label)?.ino())
}

/// Puts an inode of our own back under the canonical name: where an upload has replaced it, and in every
/// tree that lists the package and has lost it.
///
/// In the first case the bytes are the same, but the inode is the uploader's, who may still have it
/// open. In the second this upload may be the last copy that there is.
fn restore(
    disk: &dyn Disk,
    gate: &Gate,
    (index, catalog): (&mut Index, &dyn Catalog),
    file: &Found,
    stamp: Stamp,
    (nevra, sha256): (&Nevra, Sha256),
    copy: disk::Fresh,
) -> Result<(), IntakeError> {
    let location = nevra.location();
    let known = index.facts(&Entry::of(sha256));
    let lies = |path: &Path, known| match std::fs::symlink_metadata(path) {
        Ok(meta) => {
            let is_as_accepted = meta.is_file() && known == Some(Stamp::of(&meta).facts());
            Ok(is_as_accepted && ownership::guarded(meta.uid(), meta.mode()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(DiskError::new("look at", path, error)),
    };
    let (mut missing, mut adopted) = (Vec::new(), Vec::new());
    for (tree, dir) in &gate.trees {
        match catalog.listing(tree).get(nevra) {
            Some(entry) if entry.place.is_some() => {
                let to = dir.join(entry.location(nevra));
                if !lies(&to, index.facts(entry))? {
                    adopted.push((to, index.facts(entry).map(|(_, time)| time)));
                }
            }
            Some(_) if !lies(&dir.join(&location), known)? => missing.push(dir.as_path()),
            Some(_) | None => {}
        }
    }
    let replaced = gate.is_home() && file.relative == Path::new(&location);
    if missing.is_empty() && adopted.is_empty() && !replaced {
        return Ok(());
    }
    let here = gate.home.join(&location);
    let file_time = known.map(|(_, file_time)| file_time);
    if let Some(time) = file_time {
        set_time(&copy, time, &here)?;
        disk.sync(&copy)?;
    }
    index.has_made(sha256, inode(&copy, &here)?)?;
    // The trees get the inode that was judged, whatever becomes of its names meanwhile.
    let ours = copy.file.try_clone().at("open again the copy of", &here)?;
    let mut unnamed = Some(copy);
    if (replaced || missing.contains(&gate.home.as_path()))
        && let Some(copy) = unnamed.take()
    {
        give_name(disk, gate, file, stamp, copy, &here)?.keep(disk)?;
    }
    let others = missing.into_iter().filter(|dir| *dir != gate.home).map(|dir| (dir.join(&location), None));
    for (to, own_time) in others.chain(adopted.into_iter().map(|(to, time)| (to, Some(time)))) {
        let parent = to.parent().unwrap_or(Path::new("."));
        disk.make_dir(parent)?;
        // What was adopted has a time of its own.
        if own_time.is_some() || !disk::link_over(disk, &ours, &to)? {
            let file_time = own_time.unwrap_or(file_time);
            let wanted = disk::Wanted { sha256: Some(sha256), file_time, access: Access::Sealed };
            let copy = disk::copy_over(disk, &ours, &here, &to, wanted)?.ok_or_else(|| {
                DiskError::new("copy", &here, std::io::Error::other("it was read differently the second time"))
            })?;
            index.has_made(sha256, copy.metadata().at("look at", &to)?.ino())?;
        }
        disk.sync_dir(parent)?;
        tracing::warn!(%nevra, path = %to.display(), "put back what a tree had lost");
    }
    Ok(())
}

/// Reads a package that lies in a tree already, for an index that has lost it.
///
/// # Errors
/// When the file is not there, or is no longer the bytes that were accepted.
pub fn read_again(gate: &Gate, path: &Path, entry: &Entry) -> Result<Chunk, DiskError> {
    let (expected, place) = (entry.sha256, entry.place.clone());
    let unfit = |why: String| DiskError::new("use", path, std::io::Error::other(why));
    let dir = path.parent().unwrap_or(Path::new("."));
    let file = tree::open_beneath(dir, Path::new(path.file_name().unwrap_or_default()))?;
    let meta = file.metadata().at("look at", path)?;
    if !meta.is_file() {
        return Err(unfit("it is no regular file".to_owned()));
    }
    let file_time = u64::try_from(meta.mtime()).unwrap_or_default();
    let question = Question::WhatIsIt { file_time, place: place.as_deref().map(str::to_owned) };
    match gate.examiner.examine(file, meta.len(), &gate.terms, &question).at("read", path)? {
        Answer::Good(known) if known.sha256 == expected => {
            let Known { sha256, pkgid, size, xml, .. } = *known;
            Ok(Chunk { sha256, place, pkgid, size, file_time, xml })
        }
        Answer::Good(known) => Err(unfit(format!("its SHA-256 is {}, and {expected} was accepted", known.sha256))),
        Answer::Refused(refusal, _) => Err(unfit(refusal.to_string())),
        Answer::SoFar => Err(unfit(not_an_answer().to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::disk::{Kernel, put, sweep};
    use super::*;

    #[test]
    fn only_names_of_two_numbers_are_those_of_uploads_that_were_taken_aside() {
        let dir = tempfile::tempdir().expect("a directory");
        let names =
            ["fifo.why", "7.why", "7-0.why", "7-0.rpm", "7-", "-0", "7", "7-0-0", "7-0 ", "7-123456789012345678901"];
        for name in names {
            put(&Kernel::default(), &dir.path().join(format!("{CLEARED}{name}")), b"", Access::Everybody)
                .expect("made");
        }
        assert!(Uploads::default().search(dir.path(), None).expect("listed").found.is_empty());
        put(&Kernel::default(), &dir.path().join("a.rpm"), b"", Access::Everybody).expect("made");
        let (aside, _) = take_aside(&Kernel::default(), &dir.path().join("a.rpm")).expect("renamed").expect("there");
        let found = Uploads::default().search(dir.path(), None).expect("listed").found;
        assert_eq!(found.iter().map(|file| dir.path().join(&file.relative)).collect::<Vec<_>>(), [aside]);
    }

    /// Whoever makes many hides none that lie further up, and what is not searched is said.
    #[test]
    fn so_many_directories_are_searched_and_no_more() {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = Kernel::default();
        for below in ["mine/0", "mine/1", "mine/2", "theirs"] {
            disk.make_dir(&dir.path().join(below)).expect("made");
            put(&disk, &dir.path().join(below).join("a.rpm"), b"", Access::Everybody).expect("made");
        }
        let many = |most| {
            let Searched { found, waiting, .. } =
                Uploads::default().search_some(dir.path(), None, most).expect("listed");
            let theirs = found.iter().any(|file| file.relative == Path::new("theirs/a.rpm"));
            (theirs, found.len(), waiting.trouble().map(|(first, number)| (first.why.clone(), number)))
        };
        assert_eq!(many(6), (true, 4, None));
        let why = "there are more than 3 directories, and this one and others are not searched";
        assert_eq!(many(3), (true, 1, Some((why.to_owned(), 1))));
    }

    #[test]
    fn a_directory_is_settled_once_a_change_more_would_show_by_its_times() {
        let stamp = |mtime, ctime| Stamp { dev: 1, ino: 1, size: 0, mtime, ctime };
        let at = |second, fraction| Timestamp::new(second, fraction).expect("a time");
        let whole = stamp((100, 0), (100, 0));
        assert!(!whole.is_settled(at(102, 0)) && whole.is_settled(at(102, 1)));
        let fine = stamp((100, 0), (100, 5));
        assert!(!fine.is_settled(at(100, 250_000_005)) && fine.is_settled(at(100, 250_000_006)));
        for (mtime, ctime) in [((200, 0), (100, 5)), ((100, 5), (200, 0)), ((i64::MAX, 0), (100, 5))] {
            assert!(!stamp(mtime, ctime).is_settled(at(200, 0)), "{mtime:?} {ctime:?}");
        }
    }

    #[test]
    fn what_took_the_place_of_an_upload_is_not_cleared_away_with_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = Kernel::default();
        let upload = dir.path().join("a.rpm");
        put(&disk, &upload, b"taken in", Access::Everybody).expect("written");
        let looked_at = Stamp::of(&std::fs::symlink_metadata(&upload).expect("there"));
        // Somebody uploads another file under the same name.
        put(&disk, &upload, b"new", Access::Everybody).expect("written");
        assert!(!clear(&disk, &upload, looked_at).expect("looked at"), "something was left");

        sweep(&disk, dir.path()).expect("swept");
        let found = Uploads::default().search(dir.path(), None).expect("listed").found;
        let [aside] = found.as_slice() else { panic!("one file") };
        let path = dir.path().join(&aside.relative);
        assert_eq!(std::fs::read(&path).expect("kept"), b"new");
        assert!(clear(&disk, &path, aside.stamp).expect("removed"));
        assert!(Uploads::default().search(dir.path(), None).expect("listed").found.is_empty());
        assert!(clear(&disk, &path, looked_at).expect("nothing to do"), "it can be repeated");
        // Each of several has a name of its own.
        for n in 0..3_u8 {
            put(&disk, &upload, &[n], Access::Everybody).expect("written");
            assert!(!clear(&disk, &upload, looked_at).expect("looked at"));
        }
        assert_eq!(Uploads::default().search(dir.path(), None).expect("listed").found.len(), 3);
    }
}
