//! Refused files are kept for their owners, but not for ever.
//!
//! Whoever may upload may upload what is refused, as often as he likes. So what lies in `rejected/` is bounded
//! in age, number and size, for each distribution:
//!
//! - The same bytes are kept once, under the name that they had first; how often they came stands beside them.
//! - What is older than [`Bounds::keep`] goes. Its age is what has really passed while the daemon ran, as for
//!   everything that waits for its removal: a clock that is wrong removes nothing.
//! - When there are too many files or bytes, the oldest of **whoever has most of them** goes, by the user to whom
//!   the uploaded files belonged: nobody's flood pushes out what belongs to others while he has more himself. Users
//!   that share an account share its part.
//!
//! A file that is larger than all that may be kept leaves its reason behind and nothing else. What goes stays in the logbook: that it was refused, why, and its checksum.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::disk::{self, Access, Disk, DiskError};
use super::rejected::{self, Known, Put, Reason};
use crate::domain::checksum::Sha256;
use crate::domain::refusal::{Code, Refusal};

/// How often it is looked whether what lies there is what is known.
const LOOK_AGAIN: Duration = Duration::from_mins(10);

/// Most files that are removed at once, so that uploads never wait long for it.
const DROP_AT_ONCE: usize = 1_000;

/// Most bytes of a reason that are read.
const REASON_MAX: u64 = 16 << 10;

/// The end of the name of a file with a reason.
const WHY: &str = ".why";

/// What is kept of the refused files of a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// For so long.
    pub keep: Duration,
    /// So many.
    pub files: usize,
    /// So many bytes of them.
    pub size: u64,
}

/// A refused file that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its name in `rejected/`.
    pub name: String,
    /// The bytes that it takes; 0 when only the reason is kept.
    pub size: u64,
    /// Why it was refused.
    pub reason: Reason,
    /// Whether the reason on the disk says something else.
    unsaid: bool,
}

impl Kept {
    /// For how long it is kept, by the time by which things wait for their removal.
    pub fn age(&self, now: Option<Timestamp>) -> Option<Duration> {
        Duration::try_from(now?.duration_since(self.reason.since?)).ok()
    }
}

/// What went.
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
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The time by which things wait for their removal.
    now: Option<Timestamp>,
    /// What lies there, by name, and when that was looked at.
    stock: Option<(BTreeMap<String, Kept>, Instant)>,
}

impl Evidence {
    /// The refused files that lie in `dir`.
    pub fn new(dir: PathBuf, bounds: Bounds) -> Self {
        Self { dir, bounds, inner: Mutex::default() }
    }

    /// Where they lie.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// It is now so late, by the time by which things wait for their removal.
    pub fn keep_time(&self, now: Timestamp) {
        self.lock().now = Some(now);
    }

    /// How often these bytes were refused with this code and kept; 0 for those that are not kept.
    pub fn times(&self, sha256: Sha256, code: Code) -> u64 {
        let mut inner = self.lock();
        let what = rejected::what(Some(sha256), 0);
        let kept = self.stock(&mut inner).range(what.clone()..).take_while(|(name, _)| name.starts_with(&what));
        kept.filter(|(_, kept)| kept.reason.code == code.as_str()).map(|(_, kept)| kept.reason.times).max().unwrap_or(0)
    }

    /// Moves a refused file out of the tree, to its reason; bytes that are kept already are counted and go.
    ///
    /// # Errors
    /// With the path at fault; the file is then still in one of the two places.
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
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Put::Aside),
            Err(error) => return Err(DiskError::new("look at", upload, error)),
        };
        let mut inner = self.lock();
        let now = inner.now;
        let what = rejected::what(sha256, meta.ino());
        if sha256.is_some() {
            let dir = &self.dir;
            let stock = self.stock(&mut inner);
            let mut same = stock.range_mut(what.clone()..).take_while(|(name, _)| name.starts_with(&what));
            let lies =
                |kept: &Kept| std::fs::symlink_metadata(dir.join(&kept.name)).is_ok_and(|m| m.len() == meta.len());
            if let Some((_, kept)) = same.find(|(_, kept)| lies(kept)) {
                if !(known.clear)()? {
                    return Ok(Put::Another);
                }
                kept.reason.times = kept.reason.times.saturating_add(1);
                kept.reason.refused(refusal);
                kept.unsaid = true;
                return Ok(Put::Aside);
            }
        }
        let to = rejected::place(&self.dir, sha256, meta.ino(), shown);
        let reason = Reason::new(shown, refusal, meta.uid(), now);
        let put = rejected::put_aside(disk, upload, &to, &reason, max_copy, known)?;
        if put != Put::Another {
            let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let mut size = if put == Put::Aside { takes(&meta) } else { 0 };
            if size > self.bounds.size {
                // It would push out everything else of its owner, and go then. Its reason is enough.
                disk.remove(&to)?;
                size = 0;
            }
            self.stock(&mut inner).insert(name.clone(), Kept { name, size, reason, unsaid: false });
        }
        Ok(put)
    }

    /// Removes what is too old or too much, and writes down what was counted.
    ///
    /// # Errors
    /// With the path at fault.
    pub fn tidy(&self, disk: &dyn Disk) -> Result<Dropped, DiskError> {
        let mut inner = self.lock();
        let Some(now) = inner.now else { return Ok(Dropped::default()) };
        let is_old = inner.stock.as_ref().is_some_and(|(_, read)| read.elapsed() >= LOOK_AGAIN);
        let mut stock = self.stock(&mut inner);
        for kept in stock.values_mut().filter(|kept| kept.unsaid) {
            disk::put(disk, &self.why(&kept.name), kept.reason.to_string().as_bytes(), Access::Owner)?;
            kept.unsaid = false;
        }
        if is_old {
            inner.stock = None;
            stock = self.stock(&mut inner);
        }
        let goes = outlived(stock, self.bounds, now);
        let dropped = self.remove(disk, stock, &goes)?;
        if dropped.files > 0 {
            let dir = self.dir.display();
            tracing::info!(%dir, files = dropped.files, bytes = dropped.bytes, "refused files were kept long enough");
        }
        Ok(dropped)
    }

    /// All that are kept, the newest first.
    pub fn list(&self) -> Vec<Kept> {
        let mut inner = self.lock();
        let mut all: Vec<Kept> = self.stock(&mut inner).values().cloned().collect();
        all.sort_by(|a, b| b.reason.since.cmp(&a.reason.since).then_with(|| a.name.cmp(&b.name)));
        all
    }

    /// What age is reckoned from.
    pub fn now(&self) -> Option<Timestamp> {
        self.lock().now
    }

    /// Removes those that somebody picks.
    ///
    /// # Errors
    /// With the path at fault; those before it are gone.
    pub fn discard(&self, disk: &dyn Disk, pick: impl Fn(&Kept) -> bool) -> Result<Dropped, DiskError> {
        let mut inner = self.lock();
        let stock = self.stock(&mut inner);
        let picked: Vec<String> = stock.values().filter(|kept| pick(kept)).map(|kept| kept.name.clone()).collect();
        self.remove(disk, stock, &picked)
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
            // Last, so that a file never lies there without its reason.
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
        let now = inner.now;
        &mut inner.stock.get_or_insert_with(|| (read(&self.dir, now), Instant::now())).0
    }
}

/// The bytes that a file takes on the disk: holes take none.
fn takes(meta: &std::fs::Metadata) -> u64 {
    meta.len().min(meta.blocks().saturating_mul(512))
}

/// What lies in a directory of refused files. What cannot be read is kept without a reason.
fn read(dir: &Path, now: Option<Timestamp>) -> BTreeMap<String, Kept> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with(disk::TEMPORARY) {
            continue;
        }
        // One of the two may be all that is there.
        let name = name.strip_suffix(WHY).map_or_else(|| name.clone(), str::to_owned);
        if found.contains_key(&name) {
            continue;
        }
        let file = std::fs::symlink_metadata(dir.join(&name)).ok();
        let why = dir.join(format!("{name}{WHY}"));
        let text = std::fs::File::open(&why).and_then(|file| {
            let mut text = String::new();
            file.take(REASON_MAX).read_to_string(&mut text)?;
            Ok(text)
        });
        let mut reason = Reason::read(&text.unwrap_or_default());
        // Since when is known of those that this program has put there; the others wait from now on.
        let unsaid = reason.since.is_none() && now.is_some();
        reason.since = reason.since.or(now);
        if reason.owner.is_none() {
            reason.owner = file.as_ref().map(std::fs::Metadata::uid);
        }
        let size = file.as_ref().map_or(0, takes);
        found.insert(name.clone(), Kept { name, size, reason, unsaid });
    }
    found
}

/// Which have to go: those that are too old, then those of whoever has most, as long as there is too much.
fn outlived(stock: &BTreeMap<String, Kept>, bounds: Bounds, now: Timestamp) -> Vec<String> {
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

/// What is kept for one user.
#[derive(Default)]
struct Part<'a> {
    bytes: u64,
    /// The oldest first.
    files: BTreeSet<(Option<Timestamp>, &'a str, u64)>,
}

#[cfg(test)]
mod tests {
    use super::super::disk::Kernel;
    use super::*;

    const BOUNDS: Bounds = Bounds { keep: Duration::from_hours(24), files: 10, size: 1_000 };

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(hours * 3_600).expect("a time")
    }

    fn kept(name: &str, owner: u32, hours: i64, size: u64) -> (String, Kept) {
        let reason = Reason { owner: Some(owner), since: Some(at(hours)), times: 1, ..Reason::default() };
        (name.to_owned(), Kept { name: name.to_owned(), size, reason, unsaid: false })
    }

    /// Puts bytes aside as an upload of this name, which must go.
    fn put(evidence: &Evidence, dir: &Path, name: &str, bytes: &[u8], code: Code) {
        let disk = Kernel::default();
        let upload = dir.join(name);
        disk::put(&disk, &upload, bytes, Access::Everybody).expect("written");
        let sha256 =
            Sha256(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().try_into().expect("32"));
        let refusal = Refusal::new(code, "a word");
        let open = || Err(DiskError::new("open", &upload, std::io::ErrorKind::NotFound.into()));
        let known = Known { is_it: &|_| true, open: &open, clear: &|| disk.remove(&upload).map(|()| true) };
        let put = evidence.put(&disk, &upload, Path::new(name), (&refusal, Some(sha256)), 1_000, &known);
        assert_eq!(put.expect("moved"), Put::Aside);
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
        evidence.tidy(&Kernel::default()).expect("tidied");
        assert_eq!(names(&place), 4);
        // The next run reads it from the disk.
        let again = Evidence::new(place, BOUNDS);
        let mut all: Vec<(String, u64, u64)> =
            again.list().into_iter().map(|kept| (kept.reason.file, kept.size, kept.reason.times)).collect();
        all.sort();
        assert_eq!(all, [("a.rpm".to_owned(), 4, 3), ("c.rpm".to_owned(), 6, 1)]);
    }

    #[test]
    fn what_is_too_old_goes_by_the_time_that_has_passed() {
        let dir = tempfile::tempdir().expect("a directory");
        let place = dir.path().join("rejected/d");
        let evidence = Evidence::new(place.clone(), BOUNDS);
        let tidy = |hours| {
            evidence.keep_time(at(hours));
            evidence.tidy(&Kernel::default()).expect("tidied").files
        };
        assert_eq!(tidy(1_000), 0);
        put(&evidence, dir.path(), "a.rpm", b"junk", Code::NotRpm);
        assert_eq!(tidy(0), 0, "a clock that went back");
        assert_eq!(tidy(1_023), 0);
        assert_eq!((tidy(1_024), names(&place)), (1, 0));
        // One of before, which does not say since when, waits from when it is seen.
        disk::put(&Kernel::default(), &place.join("inode7-b.rpm"), b"junk", Access::Owner).expect("written");
        disk::put(&Kernel::default(), &place.join("inode7-b.rpm.why"), b"code:    unsigned\n", Access::Owner)
            .expect("written");
        let evidence = Evidence::new(place.clone(), BOUNDS);
        let tidy = |hours| {
            evidence.keep_time(at(hours));
            evidence.tidy(&Kernel::default()).expect("tidied").files
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
