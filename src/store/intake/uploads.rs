//! What is known of a distribution's uploads between two scans, and the scan itself: earlier decisions are settled,
//! unchanged files are examined, and the rest waits.
//!
//! Files that cannot be handled are retried a few at a time and do not hold up the others.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, RandomState};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::aside::{clear, take_aside};
use super::copy::{self, Copied, copy};
use super::gate::Gate;
use super::look::{Departure, IntakeError, Look};
use super::place::{Examined, Met, Settled, make_durable, settle};
use super::search::{Found, PackageDir, STUCK_AGAIN, Search, Searched, Strays};
use crate::domain::backlog::{self, Backlog, Kind};
use crate::domain::checksum::Sha256;
use crate::domain::listing::{Catalog, Entry};
use crate::domain::nevra::Nevra;
use crate::domain::refusal::Refusal;
use crate::store::disk::{Disk, DiskError, READ_UPLOAD};
use crate::store::index::Index;
use crate::store::rejected;
use crate::store::stamp::Stamp;
use crate::store::thread_pool;
use crate::store::tree;

/// Most files that one scan examines; more wait for the next, so that a promotion never waits long behind a burst of
/// uploads.
const LOOK_AT_ONCE: usize = 256;

/// Most bytes of them, for the same reason; one file is always examined.
const LOOK_BYTES: u64 = 1 << 30;

/// After this time, a scan leaves the rest to the next one, so that nobody waits long for others' files.
const LOOK_TAKES: Duration = Duration::from_secs(2);

/// About this many files of one owner are then retried: mostly they fail alike. When one of them can be handled, the
/// others in its directory are retried at once.
const STUCK_TRIED: u64 = 64;

/// Most refusals remembered of files that cannot be moved away.
const STAYED_MAX: usize = 200_000;

/// A file that was seen, and its progress.
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
    /// Accepted; the upload can be removed.
    TakenIn,
    /// Refused; the file is to be moved away.
    Refused(Refusal, Option<Sha256>),
    /// Read, but more is to come.
    Incomplete,
    /// It cannot be handled now: why, since when, and its previous outcome.
    Stuck(String, Instant, Option<Box<Outcome>>),
}

/// Reads a clock that only goes forward.
pub type Clock<'c> = &'c (dyn Fn() -> Instant + Sync);

/// The uploads of one distribution, between two scans.
#[derive(Debug, Default)]
pub struct Uploads {
    seen: BTreeMap<PathBuf, Sighting>,
    /// Directories of published packages, as they were when last read.
    dirs: BTreeMap<PathBuf, PackageDir>,
    /// Hashes the marks in them; its keys are secret.
    marks: RandomState,
    /// The owner whose file was examined last: the next scan begins with somebody else's.
    turn: u32,
    /// Directories in which a file could be handled in the last scan after it could not be before.
    mended: BTreeSet<PathBuf>,
    /// How often files were refused that cannot be moved away.
    stayed: BTreeMap<(&'static str, What), u64>,
}

/// What such refusals are counted by.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Bytes(Sha256),
    /// For unread files, the mark of the directory.
    Dir(u64),
}

impl What {
    fn of(marks: &RandomState, relative: &Path, sha256: Option<Sha256>) -> Self {
        sha256.map_or_else(|| Self::Dir(marks.hash_one(relative.parent())), Self::Bytes)
    }
}

impl Uploads {
    /// Scans the uploads once: settles earlier decisions, examines unchanged files.
    ///
    /// `now` is the arrival time of accepted packages; `clock` is for quiet times, and for how long the scan takes.
    ///
    /// # Errors
    /// If the tree or the index cannot be used at all; one bad file is never an error.
    pub fn look(
        &mut self,
        disk: &dyn Disk,
        gate: &Gate,
        index: &mut Index,
        catalog: &dyn Catalog,
        (now, read_clock): (Timestamp, Clock<'_>),
    ) -> Result<Look, IntakeError> {
        let clock = read_clock();
        let Searched { found, mut dirs, mut waiting, again } =
            self.search(&gate.dir, Strays::of(gate, now).as_ref())?;
        if gate.is_home() {
            // Our metadata, keys and other files are there; and what an admin does there is not a stranger's upload.
            waiting = Backlog::default();
        }
        let names: BTreeSet<&PathBuf> = found.iter().map(|f| &f.relative).collect();
        self.seen.retain(|path, _| names.contains(path));
        let mut look = Look { waiting, again, ..Look::default() };
        let (mut quiet, mut bytes) = (Vec::new(), 0_u64);
        let mut foreign: BTreeSet<&Path> = BTreeSet::new();
        let (began, mut worked) = (read_clock(), false);
        let takes_long = || read_clock().saturating_duration_since(began) > LOOK_TAKES;
        let due = self.due(&found, clock);
        let mut tried: Vec<&Found> = Vec::new();
        for file in &found {
            let is_much = quiet.len() == LOOK_AT_ONCE || (bytes > LOOK_BYTES && !quiet.is_empty());
            if is_much || (worked && takes_long()) {
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
        self.examine(disk, gate, (index, catalog), &quiet, (now, clock, &takes_long), &mut look);
        let is_mended = |file: &&&Found| match self.seen.get(&file.relative) {
            // What is left for the next scan is not known yet.
            Some(Sighting { outcome: None | Some(Outcome::Stuck(..)), .. }) => false,
            Some(_) | None => true,
        };
        self.mended = tried.iter().filter(is_mended).map(|file| file.dir().to_owned()).collect();
        self.report(gate, (now, clock), &mut look);
        if !self.mended.is_empty() {
            look.again = Some(Duration::ZERO);
        }
        if !look.accepted.is_empty() || !look.refused.is_empty() {
            // What was decided now is settled once the logbook has recorded it.
            look.again = Some(Duration::ZERO);
        }
        Ok(look)
    }

    /// All candidates below a directory.
    fn search(&self, dir: &Path, strays: Option<&Strays>) -> Result<Searched, DiskError> {
        Search { dirs: &self.dirs, marks: &self.marks, turn: self.turn }.below(dir, strays)
    }

    /// Whether a file that could not be handled is to be retried.
    fn is_due(&self, file: &Found, clock: Instant) -> bool {
        match self.seen.get(&file.relative) {
            Some(Sighting { outcome: Some(Outcome::Stuck(_, since, _)), stamp, .. }) if *stamp == file.stamp => {
                clock.saturating_duration_since(*since) >= STUCK_AGAIN || self.mended.contains(file.dir())
            }
            _ => false,
        }
    }

    /// How many files of each owner are to be retried.
    fn due(&self, found: &[Found], clock: Instant) -> BTreeMap<u32, u64> {
        let mut due = BTreeMap::new();
        for file in found.iter().filter(|file| self.is_due(file, clock)) {
            *due.entry(file.owner).or_default() += 1;
        }
        due
    }

    /// Whether a retry of a file is postponed because its owner has many.
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
                // Whoever leaves it there could have it examined any number of times, each time with a new entry.
                if self.stayed.len() >= STAYED_MAX {
                    self.stayed.clear();
                }
                let what = What::of(&self.marks, path, *sha256);
                self.stayed.entry((refusal.code.as_str(), what)).or_insert(1);
            }
            sighting.outcome = Some(Outcome::Stuck(backlog::brief(why), clock, before));
        }
    }

    /// Reports what is waiting, and what cannot be handled.
    fn report(&self, gate: &Gate, (now, clock): (Timestamp, Instant), look: &mut Look) {
        for (path, sighting) in &self.seen {
            let (kind, why) = match &sighting.outcome {
                None => (Kind::New, "it is new, or was changed just now"),
                Some(Outcome::Incomplete) => {
                    (Kind::Incomplete, "it is not complete yet: it has fewer or other bytes than it says")
                }
                Some(Outcome::Stuck(why, ..)) => {
                    if gate.is_home() {
                        look.stuck.push((path.clone(), why.clone()));
                    }
                    look.again = Some(look.again.map_or(STUCK_AGAIN, |soonest| soonest.min(STUCK_AGAIN)));
                    (Kind::Stuck, why.as_str())
                }
                // It is removed in the next scan.
                Some(Outcome::TakenIn | Outcome::Refused(..)) => continue,
            };
            if !gate.is_home() {
                let since = now.checked_sub(clock.saturating_duration_since(sighting.since)).ok();
                look.waiting.add(path, kind, why, since);
            }
        }
    }

    /// Whether a path in the drop directory may be an upload, or a directory of them: it has no temporary name.
    pub fn may_be_one(path: &Path) -> bool {
        !path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."))
    }

    /// The same in the upload tree, where `repodata/` is not an upload either.
    pub fn may_be_one_at_home(path: &Path) -> bool {
        Self::may_be_one(path) && !path.starts_with(tree::REPODATA)
    }

    /// Makes the next scan read every directory again.
    pub fn forget_dirs(&mut self) {
        self.dirs.clear();
    }

    /// Handles one file, as far as possible without reading it.
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
            // Moving it away would hide what happened: other trees share the inode.
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

    /// What to do with a file in this scan.
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
            // It has not changed; or nothing more came, and it is read once more and then refused for good.
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

    /// Reads files on all threads, then settles them one after the other; if that takes long, the rest is read in the
    /// next scan.
    fn examine(
        &mut self,
        disk: &dyn Disk,
        gate: &Gate,
        (index, catalog): (&mut Index, &dyn Catalog),
        quiet: &[&Found],
        (now, clock, takes_long): (Timestamp, Instant, &(dyn Fn() -> bool + Sync)),
        look: &mut Look,
    ) {
        let todo: Vec<(usize, &Found, Stamp)> = quiet
            .iter()
            .filter_map(|file| Some((*file, self.seen.get(&file.relative)?.stamp)))
            .enumerate()
            .map(|(at, (file, stamp))| (at, file, stamp))
            .collect();
        let (failed, late) = (AtomicBool::new(false), AtomicBool::new(false));
        // File systems that do not respond; of each one, only one file is waited for.
        let silent = Mutex::new(BTreeSet::new());
        let is_silent = |device| silent.lock().unwrap_or_else(PoisonError::into_inner).contains(&device);
        let read = |(): &mut (), (at, file, stamp): &(usize, &Found, Stamp)| {
            if *at > 0 && takes_long() {
                late.store(true, Ordering::Relaxed);
                return Ok(None);
            }
            if is_silent(file.stamp.dev) {
                let why = std::io::Error::new(std::io::ErrorKind::TimedOut, "its file system does not respond");
                return Ok(Some(Err(DiskError::new(READ_UPLOAD, &gate.dir.join(&file.relative), why).into())));
            }
            // A disk that is full for one file is full for all.
            if failed.load(Ordering::Relaxed) {
                return Ok::<_, std::convert::Infallible>(None);
            }
            let copied = copy(disk, gate, file, *stamp, now);
            if matches!(&copied, Err(IntakeError::Disk(error)) if !error.concerns_one_path()) {
                failed.store(true, Ordering::Relaxed);
            }
            if matches!(&copied, Err(IntakeError::Disk(error)) if error.is_timeout()) {
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
        copy::sync(disk, &mut copies);
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

    /// Concludes from the result for a file.
    fn conclude(&mut self, gate: &Gate, file: &Found, examined: Examined, look: &mut Look) {
        let Some(sighting) = self.seen.get_mut(&file.relative) else { return };
        let last_try = matches!(sighting.outcome, Some(Outcome::Incomplete));
        match examined {
            Examined::Accepted(arrival) => {
                sighting.outcome = Some(Outcome::TakenIn);
                look.accepted.push(*arrival);
            }
            Examined::Known => {
                // The same bytes are here already, so the upload is a duplicate.
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
                // The same bytes with the same verdict: counted, and recorded now and then.
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

/// Whether the logbook records that the same bytes were refused for this time: recording each time would fill it.
fn is_told(times: u64) -> bool {
    let mut power = 10;
    while power < times {
        power *= 10;
    }
    power == times
}

enum Visit {
    /// A published package that we put there.
    Ours,
    /// Nothing to read now.
    Cheap,
    /// To be read in this scan.
    Examine,
}

enum Step {
    Nothing,
    Later(Duration),
    Examine,
}

/// What a file in the tree is.
enum Standing {
    /// A file that we put there.
    Ours,
    /// A file that we put there, to which somebody has written since.
    Changed(Nevra),
    /// A file that somebody else put there.
    Upload,
}

/// Whether we put a file there: it has the canonical name, size and time of a package that the tree lists or listed.
/// (The scrub, not this, finds a change that keeps all three.)
fn standing(index: &Index, catalog: &dyn Catalog, file: &Found) -> Standing {
    let Some(text) = file.relative.to_str() else { return Standing::Upload };
    let Some(name) = text.rsplit('/').next().filter(|_| text.starts_with(tree::PACKAGES)) else {
        return Standing::Upload;
    };
    for nevra in catalog.of_file(name) {
        if nevra.location() == text
            && let Some(sha256) = catalog.accepted(&nevra)
        {
            let Some(known) = index.facts(&Entry::of(sha256)) else {
                // An index that was lost and made anew has what trees list; clients may still want what waits for its removal.
                let waits = file.is_file && catalog.waits_for_removal(text);
                return if waits { Standing::Ours } else { Standing::Upload };
            };
            return match file.is_file {
                // A file that others can change is replaced by a copy when the tree is inspected.
                true if file.stamp.facts() == known => Standing::Ours,
                // An upload has one name; only our files are linked into other trees.
                true if file.links > 1 => Standing::Changed(nevra),
                _ => Standing::Upload,
            };
        }
    }
    Standing::Upload
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::{Access, Kernel, put, sweep};
    use crate::store::intake::aside::CLEARED;

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
        // Each of them has a name of its own.
        for n in 0..3_u8 {
            put(&disk, &upload, &[n], Access::Everybody).expect("written");
            assert!(!clear(&disk, &upload, looked_at).expect("looked at"));
        }
        assert_eq!(Uploads::default().search(dir.path(), None).expect("listed").found.len(), 3);
    }
}
