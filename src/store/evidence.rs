//! Refused files are kept for their owners, but not for ever.
//!
//! Whoever may upload can upload refused files as often as they like. So the content of `rejected/` is bounded in age,
//! number and size, for each distribution:
//!
//! - The same bytes are kept once, under their first name, with a count of how often they came.
//! - Files older than [`Bounds::keep`] are removed. Their age is elapsed time, which passes only while the daemon runs,
//!   as for everything that is removed after a while: a wrong clock removes nothing.
//! - If there are too many files or bytes, the oldest file of **whoever has most of them** is removed, by the user who
//!   owned the uploads: nobody's flood pushes out the files of others who have less. Users who share an account share
//!   its part.
//!
//! A file larger than the limits leaves only its reason. For the first files of a burst, the logbook keeps what is
//! removed here: that they were refused and why, and their checksums.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::disk::{self, Access, Disk, DiskError};
use super::rejected::{self, Known, Put, Reason, WHY};
use crate::domain::checksum::Sha256;
use crate::domain::moment::Elapsed;
use crate::domain::refusal::{Code, Refusal};

/// How often the directory is read again, to compare it with what is in memory.
const LOOK_AGAIN: Duration = Duration::from_mins(10);

/// Most files removed at once, so that uploads never wait long for it.
const DROP_AT_ONCE: usize = 1_000;

/// More than what file systems round small files up to.
const ROUNDED: u64 = 64 << 10;

/// Most stray files remembered as already logged.
const NAMED_MAX: usize = 1_000;

/// How much is kept of a distribution's refused files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// For how long.
    pub keep: Duration,
    /// How many files.
    pub files: usize,
    /// How many bytes in total.
    pub size: u64,
}

/// A refused file that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its name in `rejected/`.
    pub name: String,
    /// Its size on disk; 0 if only the reason is kept.
    pub size: u64,
    /// Why it was refused.
    pub reason: Reason,
    /// Whether the reason on disk is out of date.
    unsaid: bool,
}

impl Kept {
    /// A file under its name in `rejected/`, with its size on disk.
    pub fn new(name: String, size: u64, reason: Reason) -> Self {
        Self { name, size, reason, unsaid: false }
    }

    /// How long it has been kept, in elapsed time.
    pub fn age(&self, now: Option<Elapsed>) -> Option<Duration> {
        Duration::try_from(now?.since(self.reason.since?)).ok()
    }
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The refused files of one distribution.
#[derive(Debug)]
pub struct Evidence {
    dir: PathBuf,
    bounds: Bounds,
    /// Returns how much of the file system is free, and its size.
    space: fn(&Path) -> Option<(u64, u64)>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Elapsed time.
    now: Option<Elapsed>,
    /// The wall clock.
    wall: Option<Timestamp>,
    /// The files there, by name.
    stock: Option<BTreeMap<String, Kept>>,
    /// The first [`Evidence::tidy`] since the directory was read, by a clock that only goes forward.
    known_since: Option<Instant>,
    /// Stray files there that were already logged.
    named: BTreeSet<String>,
    /// How often a file has come or gone.
    changes: u64,
}

/// A tenth of the file system stays free of refused files, but at most this much.
const RESERVE_MAX: u64 = 1 << 30;

impl Evidence {
    /// The refused files in `dir`.
    pub fn new(dir: PathBuf, bounds: Bounds) -> Self {
        Self { dir, bounds, space, inner: Mutex::default() }
    }

    /// The free bytes beyond the reserve, and the bytes missing from it: refused files must not take the room that
    /// decisions need.
    fn room(&self) -> (u64, u64) {
        // If the directory does not exist yet, the one above it is asked.
        let Some((free, all)) = self.dir.ancestors().find_map(self.space) else { return (u64::MAX, 0) };
        let reserve = (all / 10).min(RESERVE_MAX);
        (free.saturating_sub(reserve), reserve.saturating_sub(free))
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Sets the present elapsed time.
    pub fn keep_time(&self, now: Elapsed) {
        self.lock().now = Some(now);
    }

    /// Sets the present wall clock time, for people.
    pub fn follow_the_wall(&self, wall: Timestamp) {
        self.lock().wall = Some(wall);
    }

    /// How often these bytes were refused with this code and kept; 0 if they are not kept.
    pub fn times(&self, sha256: Sha256, code: Code) -> u64 {
        let mut inner = self.lock();
        let what = rejected::what(Some(sha256), 0);
        let kept = self.stock(&mut inner).range(what.clone()..).take_while(|(name, _)| name.starts_with(&what));
        kept.filter(|(_, kept)| kept.reason.code == code.as_str()).map(|(_, kept)| kept.reason.times).max().unwrap_or(0)
    }

    /// Moves a refused file out of the tree and stores its reason; bytes that are kept already are counted and removed.
    ///
    /// # Errors
    /// With the path that failed; the file is still in one of the two places.
    pub fn put(
        &self,
        disk: &dyn Disk,
        upload: &Path,
        shown: &Path,
        (refusal, sha256): (&Refusal, Option<Sha256>),
        max_copy: u64,
        known: &Known<'_>,
    ) -> Result<Put, DiskError> {
        let meta = match std::fs::symlink_metadata(upload) {
            Ok(meta) => meta,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Put::Aside(None)),
            Err(error) => return Err(DiskError::new("look at", upload, error)),
        };
        let what = rejected::what(sha256, meta.ino());
        let mut inner = self.lock();
        let (now, wall) = (inner.now, inner.wall);
        if sha256.is_some() {
            let dir = &self.dir;
            let stock = self.stock(&mut inner);
            let mut same = stock.range_mut(what.clone()..).take_while(|(name, _)| name.starts_with(&what));
            let lies = |kept: &Kept| match std::fs::symlink_metadata(dir.join(&kept.name)) {
                Ok(lies) => lies.len() == meta.len(),
                // There is only the reason.
                Err(_) => kept.size == 0,
            };
            if let Some((_, kept)) = same.find(|(_, kept)| lies(kept)) {
                if !(known.clear)()? {
                    return Ok(Put::Another);
                }
                kept.reason.times = kept.reason.times.saturating_add(1);
                kept.reason.refused(refusal);
                kept.unsaid = true;
                inner.changes += 1;
                return Ok(Put::Aside(None));
            }
        }
        // Nobody waits for the copying. Only one caller puts files here.
        drop(inner);
        let to = rejected::place(&self.dir, sha256, meta.ino(), shown);
        let reason = Reason { refused_at: wall, ..Reason::new(shown, refusal, meta.uid(), now) };
        // A larger one would push out everything else of its owner and then be removed itself. Its reason is enough.
        let most = max_copy.min(self.bounds.size).min(self.room().0);
        let put = rejected::put_aside(disk, &to, &reason, (sha256, most), known)?;
        if let Put::Aside(copied) = put {
            let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let kept = Kept::new(name.clone(), copied.unwrap_or_default(), reason);
            let mut inner = self.lock();
            inner.changes += 1;
            self.stock(&mut inner).insert(name, kept);
        }
        Ok(put)
    }

    /// Removes what is too old or too much, and stores the counts. `clock` only goes forward.
    ///
    /// # Errors
    /// With the path that failed.
    pub fn tidy(&self, disk: &dyn Disk, clock: Instant) -> Result<Dropped, DiskError> {
        let mut inner = self.lock();
        let Some(now) = inner.now else { return Ok(Dropped::default()) };
        let known_since = *inner.known_since.get_or_insert(clock);
        let is_old = clock.saturating_duration_since(known_since) >= LOOK_AGAIN;
        let mut stock = self.stock(&mut inner);
        for kept in stock.values_mut().filter(|kept| kept.unsaid) {
            disk::put(disk, &self.why(&kept.name), kept.reason.to_string().as_bytes(), Access::Owner)?;
            kept.unsaid = false;
        }
        if is_old {
            (inner.stock, inner.known_since) = (None, Some(clock));
            stock = self.stock(&mut inner);
        }
        let mut goes = outlived(stock, self.bounds, now);
        let missing = self.room().1;
        if missing > 0 {
            let more = oldest(stock, missing);
            if !more.is_empty() {
                let (dir, files) = (self.dir.display(), more.len());
                tracing::warn!(%dir, files, "the disk is nearly full, so the oldest refused files are removed early");
            }
            goes.extend(more);
        }
        let dropped = self.remove(disk, stock, &goes)?;
        inner.changes += u64::from(is_old) + dropped.files;
        if dropped.files > 0 {
            let dir = self.dir.display();
            tracing::info!(%dir, files = dropped.files, bytes = dropped.bytes, "removed old refused files");
        }
        Ok(dropped)
    }

    /// All kept files, the newest first.
    pub fn list(&self) -> Vec<Kept> {
        let mut inner = self.lock();
        let mut all: Vec<Kept> = self.stock(&mut inner).values().cloned().collect();
        all.sort_by(|a, b| b.reason.since.cmp(&a.reason.since).then_with(|| a.name.cmp(&b.name)));
        all
    }

    /// The time from which ages are computed.
    pub fn now(&self) -> Option<Elapsed> {
        self.lock().now
    }

    /// Removes the files that `pick` selects.
    ///
    /// # Errors
    /// With the path that failed; the files before it are gone.
    pub fn discard(&self, disk: &dyn Disk, pick: impl Fn(&Kept) -> bool) -> Result<Dropped, DiskError> {
        let mut inner = self.lock();
        let stock = self.stock(&mut inner);
        let picked: Vec<String> = stock.values().filter(|kept| pick(kept)).map(|kept| kept.name.clone()).collect();
        let dropped = self.remove(disk, stock, &picked)?;
        inner.changes += dropped.files;
        Ok(dropped)
    }

    /// How often a file has come or gone.
    pub fn changes(&self) -> u64 {
        self.lock().changes
    }

    fn remove(
        &self,
        disk: &dyn Disk,
        stock: &mut BTreeMap<String, Kept>,
        names: &[String],
    ) -> Result<Dropped, DiskError> {
        let mut dropped = Dropped::default();
        for name in names {
            disk.remove(&self.dir.join(name))?;
            // The reason is removed last, so that there is never a file without its reason.
            disk.remove(&self.why(name))?;
            if let Some(kept) = stock.remove(name) {
                dropped.files += 1;
                dropped.bytes += kept.size;
            }
        }
        if !names.is_empty() {
            disk.sync_dir(&self.dir)?;
        }
        Ok(dropped)
    }

    fn why(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}{WHY}"))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stock<'a>(&self, inner: &'a mut Inner) -> &'a mut BTreeMap<String, Kept> {
        let Inner { now, stock, named, .. } = inner;
        stock.get_or_insert_with(|| read(&self.dir, *now, named))
    }
}

/// The bytes that a file counts for: those that are read to copy it, plus those that it takes on disk beyond that,
/// except for rounding.
fn takes(meta: &std::fs::Metadata) -> u64 {
    let on_disk = meta.blocks().saturating_mul(512);
    if on_disk > meta.len().saturating_add(ROUNDED) { on_disk } else { meta.len() }
}

/// The files in a directory of refused files. A file without a reason of ours is kept without one; a file named like a
/// reason that is not one and is beside nothing is skipped, and logged once through `named`.
fn read(dir: &Path, now: Option<Elapsed>, named: &mut BTreeSet<String>) -> BTreeMap<String, Kept> {
    let listed = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let names: BTreeSet<String> = listed.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let mut found = BTreeMap::new();
    for entry in names.iter().filter(|name| !name.starts_with(disk::TEMPORARY)) {
        // One of the two may be all there is. A file with a reason of its own is an upload, whatever its name: names
        // could once end in anything.
        let has_own = names.contains(&format!("{entry}{WHY}"));
        let name = entry.strip_suffix(WHY).filter(|_| !has_own).unwrap_or(entry);
        if found.contains_key(name) {
            continue;
        }
        let file = std::fs::symlink_metadata(dir.join(name)).ok();
        let why = format!("{name}{WHY}");
        let said = if names.contains(&why) {
            rejected::text_of(&dir.join(&why))
                .and_then(|text| Reason::read(&text).ok_or_else(|| "it is not a valid reason".to_owned()))
        } else {
            Ok(Reason { times: 1, ..Reason::default() })
        };
        let mut reason = match said {
            Ok(reason) => reason,
            Err(error) => {
                if named.len() < NAMED_MAX && named.insert(why.clone()) {
                    let path = dir.join(&why);
                    tracing::warn!(
                        path = %path.display(), error,
                        "rolloutd did not write this reason and does not read it; check it and remove it"
                    );
                }
                if file.is_none() {
                    continue;
                }
                Reason { times: 1, ..Reason::default() }
            }
        };
        // The time is known only for files that this program stored; for others, and for times in the future, the wait
        // begins now.
        let is_sure = reason.since.is_some_and(|since| now.is_none_or(|now| since <= now));
        let unsaid = !is_sure && now.is_some();
        reason.since = reason.since.filter(|_| is_sure).or(now);
        if reason.owner.is_none() {
            reason.owner = file.as_ref().map(std::fs::Metadata::uid);
        }
        let size = file.as_ref().map_or(0, takes);
        found.insert(name.to_owned(), Kept { name: name.to_owned(), size, reason, unsaid });
    }
    found
}

/// The files to be removed: those that are too old, then those of whoever has most, until the limits are met.
fn outlived(stock: &BTreeMap<String, Kept>, bounds: Bounds, now: Elapsed) -> Vec<String> {
    let is_old = |kept: &&Kept| kept.age(Some(now)).is_some_and(|age| age >= bounds.keep);
    let mut goes: Vec<String> =
        stock.values().filter(is_old).take(DROP_AT_ONCE).map(|kept| kept.name.clone()).collect();
    let gone: BTreeSet<&str> = goes.iter().map(String::as_str).collect();
    let mut parts: BTreeMap<Option<u32>, Part<'_>> = BTreeMap::new();
    for kept in stock.values().filter(|kept| !gone.contains(kept.name.as_str())) {
        let part = parts.entry(kept.reason.owner).or_default();
        part.bytes = part.bytes.saturating_add(kept.size);
        part.files.insert((kept.reason.since, kept.name.as_str(), kept.size));
    }
    let mut more = Vec::new();
    loop {
        let files: usize = parts.values().map(|part| part.files.len()).sum();
        let bytes = parts.values().fold(0_u64, |sum, part| sum.saturating_add(part.bytes));
        let largest = if bytes > bounds.size {
            parts.values_mut().max_by_key(|part| part.bytes)
        } else if files > bounds.files {
            parts.values_mut().max_by_key(|part| part.files.len())
        } else {
            None
        };
        let Some(part) = largest.filter(|_| more.len() < DROP_AT_ONCE) else { break };
        let Some((_, name, size)) = part.files.pop_first() else { break };
        part.bytes = part.bytes.saturating_sub(size);
        more.push(name.to_owned());
    }
    goes.extend(more);
    goes
}

/// The oldest files that together take this many bytes.
fn oldest(stock: &BTreeMap<String, Kept>, bytes: u64) -> Vec<String> {
    let mut all: Vec<&Kept> = stock.values().filter(|kept| kept.size > 0).collect();
    all.sort_by(|a, b| (a.reason.since, &a.name).cmp(&(b.reason.since, &b.name)));
    let mut left = bytes;
    let enough = |kept: &&&Kept| {
        let goes = left > 0;
        left = left.saturating_sub(kept.size);
        goes
    };
    all.iter().take_while(enough).take(DROP_AT_ONCE).map(|kept| kept.name.clone()).collect()
}

/// The free bytes and the size of a file system.
fn space(dir: &Path) -> Option<(u64, u64)> {
    let stat = rustix::fs::statvfs(dir).ok()?;
    Some((stat.f_bavail.saturating_mul(stat.f_frsize), stat.f_blocks.saturating_mul(stat.f_frsize)))
}

/// The files kept for one user.
#[derive(Default)]
struct Part<'a> {
    bytes: u64,
    /// The oldest first.
    files: BTreeSet<(Option<Elapsed>, &'a str, u64)>,
}

#[cfg(test)]
mod tests {
    use super::super::disk::Kernel;
    use super::*;

    const BOUNDS: Bounds = Bounds { keep: Duration::from_hours(24), files: 10, size: 1_000 };

    fn at(hours: i64) -> Elapsed {
        Elapsed::recorded(Timestamp::from_second(hours * 3_600).expect("a time"))
    }

    fn kept(name: &str, owner: u32, hours: i64, size: u64) -> (String, Kept) {
        let reason = Reason { owner: Some(owner), since: Some(at(hours)), times: 1, ..Reason::default() };
        (name.to_owned(), Kept { name: name.to_owned(), size, reason, unsaid: false })
    }

    /// Puts aside an upload of this name, which must then be gone.
    fn put(evidence: &Evidence, dir: &Path, name: &str, bytes: &[u8], code: Code) {
        let disk = Kernel::default();
        let upload = dir.join(name);
        disk::put(&disk, &upload, bytes, Access::Everybody).expect("written");
        let sha256 =
            Sha256(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().try_into().expect("32"));
        let refusal = Refusal::new(code, "a word");
        let known = Known {
            is_it: &|_| true,
            aside: &|| Ok(rejected::Taken::To(upload.clone())),
            open: &|path| std::fs::File::open(path).map_err(|error| DiskError::new("open", path, error)),
            clear: &|| disk.remove(&upload).map(|()| true),
        };
        let put = evidence.put(&disk, &upload, Path::new(name), (&refusal, Some(sha256)), 1_000, &known);
        assert!(matches!(put.expect("moved"), Put::Aside(_)));
        assert!(!upload.exists());
    }

    fn names(dir: &Path) -> usize {
        std::fs::read_dir(dir).expect("listed").count()
    }

    #[test]
    fn the_same_bytes_are_kept_once_and_counted() {
        let dir = tempfile::tempdir().expect("a directory");
        let place = dir.path().join("rejected/d");
        let evidence = Evidence::new(place.clone(), BOUNDS);
        evidence.keep_time(at(0));
        for name in ["a.rpm", "a.rpm", "b.rpm"] {
            put(&evidence, dir.path(), name, b"junk", Code::NotRpm);
        }
        put(&evidence, dir.path(), "c.rpm", b"others", Code::NotRpm);
        evidence.tidy(&Kernel::default(), Instant::now()).expect("tidied");
        assert_eq!(names(&place), 4);
        // The next run reads it from the disk.
        let again = Evidence::new(place, BOUNDS);
        let mut all: Vec<(String, u64, u64)> =
            again.list().into_iter().map(|kept| (kept.reason.file, kept.size, kept.reason.times)).collect();
        all.sort();
        assert_eq!(all, [("a.rpm".to_owned(), 4, 3), ("c.rpm".to_owned(), 6, 1)]);
    }

    /// On such a disk, refused files would take the room that decisions need.
    #[test]
    fn where_the_disk_is_nearly_full_reasons_are_kept_and_the_oldest_files_go() {
        let dir = tempfile::tempdir().expect("a directory");
        let place = dir.path().join("rejected/d");
        let kept = |evidence: &Evidence| -> Vec<(String, u64)> {
            evidence.list().into_iter().map(|kept| (kept.reason.file, kept.size)).collect()
        };
        let mut evidence = Evidence::new(place, BOUNDS);
        for (hour, name) in ["a.rpm", "b.rpm", "c.rpm"].into_iter().enumerate() {
            evidence.keep_time(at(i64::try_from(hour).expect("few")));
            put(&evidence, dir.path(), name, name.repeat(10).as_bytes(), Code::NotRpm);
        }
        evidence.tidy(&Kernel::default(), Instant::now()).expect("tidied");
        assert_eq!(kept(&evidence).len(), 3);
        // Of 10,000 bytes, 1,000 should be free, and 60 are missing.
        evidence.space = |_| Some((940, 10_000));
        put(&evidence, dir.path(), "d.rpm", &[b'd'; 500], Code::NotRpm);
        let word = |name: &str, size| (name.to_owned(), size);
        assert_eq!(kept(&evidence), [word("c.rpm", 50), word("d.rpm", 0), word("b.rpm", 50), word("a.rpm", 50)]);
        evidence.tidy(&Kernel::default(), Instant::now()).expect("tidied");
        assert_eq!(kept(&evidence), [word("c.rpm", 50), word("d.rpm", 0)]);
        evidence.space = |_| Some((1_000, 10_000));
        evidence.tidy(&Kernel::default(), Instant::now()).expect("tidied");
        assert_eq!(kept(&evidence).len(), 2);
    }

    #[test]
    fn an_upload_is_never_read_as_a_reason_and_nothing_there_is_waited_for() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a directory");
        let place = dir.path().join("rejected/d");
        let disk = Kernel::default();
        disk.make_dir(&place).expect("made");
        let lay = |name: &str, text: &str| {
            disk::put(&disk, &place.join(name), text.as_bytes(), Access::Owner).expect("written");
        };
        let forged = "owner: 60003\nsince: 2100-01-01T00:00:00Z\ntimes: 7\n";
        // As they were stored when a name could end in anything: pipes, links, and text files.
        for name in ["inode1-.cleared-by-rolloutd-fifo.why", "inode2-b.rpm.why"] {
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            let kind = rustix::fs::FileType::Fifo;
            rustix::fs::mknodat(rustix::fs::CWD, place.join(name), kind, mode, 0).expect("made");
        }
        lay("inode1-.cleared-by-rolloutd-fifo.why.why", "file: fifo\ncode: not_regular\nowner: 60002\n");
        lay("inode2-b.rpm", "junk");
        lay("inode3-.cleared-by-rolloutd-3.why", forged);
        lay("inode3-.cleared-by-rolloutd-3.why.why", "code: not_rpm\nowner: 60002\n");
        std::os::unix::fs::symlink("/dev/tty", place.join("inode4-c.rpm.why")).expect("linked");
        lay("inode5-d.rpm.why", forged);
        std::fs::File::open(place.join("inode5-d.rpm.why"))
            .and_then(|file| file.set_permissions(std::fs::Permissions::from_mode(0o666)))
            .expect("opened to all");
        lay("inode6-e.rpm.why", &"owner: 60003\n".repeat(2_000));
        lay("inode7-f.rpm.why", "owner: 60002\nowner: 60003\n");
        lay("inode8-g.rpm.why", "code: unsigned\nowner: 60002\nsince: 2100-01-01T00:00:00Z\n");
        let evidence = Evidence::new(place.clone(), BOUNDS);
        evidence.keep_time(at(5));
        let us = disk::me();
        let mut all: Vec<_> = evidence.list().into_iter().map(|kept| (kept.name, kept.reason)).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        let said: Vec<_> = all
            .iter()
            .map(|(name, reason)| (name.as_str(), reason.code.as_str(), reason.owner, reason.times))
            .collect();
        assert_eq!(
            said,
            [
                ("inode1-.cleared-by-rolloutd-fifo.why", "not_regular", Some(60_002), 1),
                ("inode2-b.rpm", "", Some(us), 1),
                ("inode3-.cleared-by-rolloutd-3.why", "not_rpm", Some(60_002), 1),
                ("inode8-g.rpm", "unsigned", Some(60_002), 1),
            ]
        );
        assert!(all.iter().all(|(_, reason)| reason.since == Some(at(5))), "{all:?}");
        assert_eq!(evidence.lock().named.len(), 5, "{:?}", evidence.lock().named);
        // They are removed in time like all others.
        evidence.keep_time(at(5 + 24));
        assert_eq!(evidence.tidy(&disk, Instant::now()).expect("tidied").files, 4);
    }

    #[test]
    fn a_file_with_holes_counts_for_what_reading_it_gives() {
        let dir = tempfile::tempdir().expect("a directory");
        let place = dir.path().join("rejected/d");
        let disk = Kernel::default();
        disk.make_dir(&place).expect("made");
        for n in 0..2 {
            let path = place.join(format!("inode{n}-a.rpm"));
            disk::put(&disk, &path, b"", Access::Owner).expect("written");
            std::fs::File::options().write(true).open(&path).and_then(|file| file.set_len(1 << 30)).expect("grown");
        }
        let evidence = Evidence::new(place.clone(), Bounds { size: 3 << 29, ..BOUNDS });
        evidence.keep_time(at(0));
        assert_eq!(evidence.list().iter().map(|kept| kept.size).sum::<u64>(), 2 << 30);
        assert_eq!(evidence.tidy(&disk, Instant::now()).expect("tidied"), Dropped { files: 1, bytes: 1 << 30 });
    }

    #[test]
    fn of_what_is_too_large_the_reason_is_kept_once_and_counted() {
        let dir = tempfile::tempdir().expect("a directory");
        let place = dir.path().join("rejected/d");
        let evidence = Evidence::new(place.clone(), BOUNDS);
        evidence.keep_time(at(0));
        for name in ["a.rpm", "b.rpm", "c.rpm"] {
            put(&evidence, dir.path(), name, &[7; 1_001], Code::NotRpm);
        }
        let all = evidence.list();
        assert_eq!((all.len(), all[0].size, all[0].reason.times, names(&place)), (1, 0, 3, 1));
    }

    #[test]
    fn what_is_too_old_goes_by_the_time_that_has_passed() {
        let dir = tempfile::tempdir().expect("a directory");
        let place = dir.path().join("rejected/d");
        let evidence = Evidence::new(place.clone(), BOUNDS);
        let tidy = |hours| {
            evidence.keep_time(at(hours));
            evidence.tidy(&Kernel::default(), Instant::now()).expect("tidied").files
        };
        assert_eq!(tidy(1_000), 0);
        put(&evidence, dir.path(), "a.rpm", b"junk", Code::NotRpm);
        assert_eq!(tidy(0), 0, "a clock that went back");
        assert_eq!(tidy(1_023), 0);
        assert_eq!((tidy(1_024), names(&place)), (1, 0));
        // An older one that does not say since when counts from when it is seen.
        disk::put(&Kernel::default(), &place.join("inode7-b.rpm"), b"junk", Access::Owner).expect("written");
        disk::put(&Kernel::default(), &place.join("inode7-b.rpm.why"), b"code:    unsigned\n", Access::Owner)
            .expect("written");
        let evidence = Evidence::new(place.clone(), BOUNDS);
        let tidy = |hours| {
            evidence.keep_time(at(hours));
            evidence.tidy(&Kernel::default(), Instant::now()).expect("tidied").files
        };
        assert_eq!(tidy(500_000), 0);
        assert_eq!(evidence.list()[0].reason.code, "unsigned");
        assert_eq!((tidy(500_023), tidy(500_024), names(&place)), (0, 1, 0));
    }

    #[test]
    fn a_flood_pushes_out_itself_and_no_other_ones() {
        let flood = (0..50).map(|n| kept(&format!("flood{n:02}"), 2, n + 10, 10));
        let stock: BTreeMap<String, Kept> = flood.chain([kept("mine", 1, 0, 300), kept("yours", 3, 1, 1)]).collect();
        let goes = outlived(&stock, BOUNDS, at(20));
        let expected: Vec<String> = (0..42).map(|n| format!("flood{n:02}")).collect();
        assert_eq!(goes, expected, "the oldest of whoever has most");
        // By size it is somebody else who has most.
        let stock = BTreeMap::from([kept("mine", 1, 0, 900), kept("more", 1, 1, 200), kept("yours", 3, 0, 50)]);
        assert_eq!(outlived(&stock, BOUNDS, at(2)), ["mine"]);
        let stock = BTreeMap::from([kept("mine", 1, 0, 900), kept("yours", 3, 0, 50)]);
        assert!(outlived(&stock, BOUNDS, at(2)).is_empty());
        let many: BTreeMap<String, Kept> = (0..5_000).map(|n| kept(&n.to_string(), 1, 0, 1)).collect();
        assert_eq!(outlived(&many, BOUNDS, at(100)).len(), 2 * DROP_AT_ONCE, "the rest waits for the next time");
    }

    #[test]
    fn somebody_may_remove_what_he_picks() {
        let dir = tempfile::tempdir().expect("a directory");
        let place = dir.path().join("rejected/d");
        let evidence = Evidence::new(place.clone(), BOUNDS);
        put(&evidence, dir.path(), "a.rpm", b"junk", Code::NotRpm);
        put(&evidence, dir.path(), "b.rpm", b"other", Code::Unsigned);
        let dropped = evidence.discard(&Kernel::default(), |kept| kept.reason.code == "not_rpm").expect("dropped");
        assert_eq!((dropped, names(&place)), (Dropped { files: 1, bytes: 4 }, 2));
    }
}
