//! Hints that something changed in a directory.
//!
//! A hint carries a name and nothing else. A lost or duplicate hint can make an intake late, never wrong: the receiver
//! scans the directory itself. So an overflowing event queue, a directory that was filled before it was watched, a lost
//! watch and a file system without events all lead to the same thing: a scan.
//!
//! # What strangers can make it cost
//!
//! Anybody who may write there can cause any number of events and directories. So
//!
//! - nothing is queued here: events wait in the kernel, which keeps a bounded number of them
//!   (`fs.inotify.max_queued_events`) and reports when it dropped some; then all directories are scanned again, and a
//!   hint follows;
//! - reading is not an event: our own scans cause no hints;
//! - a directory is scanned once when it appears, and not again with those above it;
//! - at most [`WATCHED_MAX`] directories are watched, no deeper than [`DEPTH_MAX`]; [`Watching::gap`] says when there
//!   are more, and the caller then polls;
//! - the thread rests as long as it has worked, so it uses at most half a processor.
//!
//! A new directory is watched first, then read, then hinted at: after that hint, everything is either seen by the scan
//! or causes an event.
//!
//! An event may be old when it is read: it says where to look, and the disk says what is there. Otherwise an old "moved
//! away" would undo what the scan after lost events has found, and the "moved back" may be among those that were lost.
//!
//! Where events are not available (network file systems do not report what other machines write; FUSE seldom does; the
//! kernel may have no watches left), [`Watching::Polling`] says so, and the caller polls instead. All callers also scan
//! from time to time.
//!
//! # Why not the crate `notify`
//!
//! Its version 8 watches all directories, however many there are, asks the kernel for every open and read as well, and
//! queues events without bound.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::fs::{FileType, Mode as Permissions, OFlags};
use rustix::io::Errno;

use super::clock::Clock;

/// Most directories watched below one. A site has some dozens; with default settings a kernel has 8,192 watches or more
/// for each user.
pub const WATCHED_MAX: usize = 4_096;

/// The deepest directory that is watched, as deep as scans go.
pub const DEPTH_MAX: usize = 16;

/// The events: anything that may make an upload appear, change, or go. No opening, reading or closing.
const EVENTS: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::ONLYDIR);

/// Bytes of events read at once.
const BATCH: usize = 64 << 10;

/// The thread rests as long as it has worked, but no longer than this; shorter work needs no rest.
const REST: std::ops::Range<Duration> = Duration::from_millis(5)..Duration::from_secs(1);

/// How changes are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Events where the file system supports them, else polling.
    Auto,
    /// Events, whatever the file system is.
    Events,
    /// Polling.
    Poll,
}

/// How one directory is watched, and why.
#[derive(Debug)]
pub enum Watching {
    /// The kernel reports changes.
    Events(Events),
    /// Nobody reports changes; the caller polls.
    Polling {
        /// Why, for the log and the health report.
        why: String,
    },
}

impl Watching {
    /// Whether the caller has to poll.
    pub fn polls(&self) -> bool {
        match self {
            Self::Events(events) => events.gap().is_some(),
            Self::Polling { .. } => true,
        }
    }

    /// Why some directories are not watched although others are.
    pub fn gap(&self) -> Option<String> {
        match self {
            Self::Events(events) => events.gap().map(|gap| gap.to_string()),
            Self::Polling { .. } => None,
        }
    }
}

/// The kernel's events, until this is dropped.
#[derive(Debug)]
pub struct Events {
    gap: Arc<Mutex<Option<Gap>>>,
    over: Arc<AtomicBool>,
    inotify: Arc<OwnedFd>,
    top: i32,
}

impl Events {
    fn gap(&self) -> Option<Gap> {
        self.gap.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Removing a watch is an event, too, which wakes the thread; if it is already gone, that woke it.
        let _ = inotify::remove_watch(&*self.inotify, self.top);
    }
}

/// Why some directories are not watched.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Gap {
    /// There are too many.
    Many,
    /// One cannot be watched.
    Refused(PathBuf, Errno),
    /// The kernel delivers no more events.
    Silent(Errno),
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Many => write!(
                f,
                "there are more than {WATCHED_MAX} directories, and changes in the others are noticed only at \
                 the next scan; remove the unused ones"
            ),
            Self::Refused(path, Errno::NOSPC) => write!(
                f,
                "{} and others cannot be watched: the kernel has no watches left; raise fs.inotify.max_user_watches",
                path.display().to_string().escape_debug()
            ),
            Self::Refused(path, error) => {
                write!(f, "{} and perhaps others cannot be watched: {error}", path.display().to_string().escape_debug())
            }
            Self::Silent(error) => write!(f, "the kernel reports no more changes: {error}"),
        }
    }
}

/// File systems on which writes from other machines cause no events here, by magic number (`statfs(2)`): NFS, SMB,
/// CIFS, SMB2, AFS, Ceph, 9p, FUSE.
const WITHOUT_EVENTS: &[(u64, &str)] = &[
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x5346_414f, "AFS"),
    (0x00c3_6400, "Ceph"),
    (0x0102_1997, "9p"),
    (0x6573_5546, "FUSE"),
];

/// Watches `dir` and everything below it; `hint` is called from another thread when something changes whose path
/// relative to `dir` is `news`. The caller's own writes must not wake it: a directory that is not news is not watched.
///
/// Never fails: what cannot be watched is polled.
pub fn watch(
    dir: &Path,
    mode: Mode,
    news: impl Fn(&Path) -> bool + Send + 'static,
    hint: impl Fn() + Send + 'static,
) -> Watching {
    let polling = |why: String| Watching::Polling { why };
    if mode == Mode::Poll {
        return polling("the configuration says so".to_owned());
    }
    if mode == Mode::Auto
        && let Some(name) = without_events(dir)
    {
        return polling(format!("{} is on {name}, which does not report changes made elsewhere", dir.display()));
    }
    match watch_events(dir, news, hint) {
        Ok(events) => Watching::Events(events),
        Err(error) => polling(format!("{} cannot be watched: {error}", dir.display())),
    }
}

fn watch_events(
    dir: &Path,
    news: impl Fn(&Path) -> bool + Send + 'static,
    hint: impl Fn() + Send + 'static,
) -> std::io::Result<Events> {
    let watches = Watches::of(dir, news)?;
    let over = Arc::<AtomicBool>::default();
    let events = Events {
        gap: Arc::clone(&watches.gap),
        over: Arc::clone(&over),
        inotify: Arc::clone(&watches.inotify),
        top: watches.top,
    };
    std::thread::Builder::new().name("watch".to_owned()).spawn(move || watches.follow(&over, &hint))?;
    Ok(events)
}

/// Directories only, never through a link.
const OPEN: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A path for an open directory that cannot lead anywhere else meanwhile.
fn proc_path(dir: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", dir.as_raw_fd())
}

/// The place of a watched directory, as known from events.
struct Place {
    /// The watch of its parent directory; its own for the top.
    above: i32,
    name: OsString,
}

/// All directories that are watched.
struct Watches<N> {
    inotify: Arc<OwnedFd>,
    top: i32,
    dir: OwnedFd,
    news: N,
    watched: BTreeMap<i32, Place>,
    /// The same by parent.
    names: BTreeMap<(i32, OsString), i32>,
    gap: Arc<Mutex<Option<Gap>>>,
}

/// The meaning of a batch of events.
#[derive(Default)]
struct Batch {
    news: bool,
    lost: bool,
    over: bool,
}

impl<N: Fn(&Path) -> bool> Watches<N> {
    /// Watches `dir` and everything in it that is news.
    fn of(dir: &Path, news: N) -> std::io::Result<Self> {
        let dir = rustix::fs::open(dir, OPEN, Permissions::empty())?;
        let inotify = Arc::new(inotify::init(CreateFlags::CLOEXEC)?);
        let top = inotify::add_watch(&*inotify, proc_path(&dir), EVENTS)?;
        let (watched, names) = (BTreeMap::new(), BTreeMap::new());
        let mut watches = Self { inotify, top, dir, news, watched, names, gap: Arc::default() };
        watches.go_through();
        Ok(watches)
    }

    /// Follows the events until the top is no longer watched.
    fn follow(mut self, over: &AtomicBool, hint: &impl Fn()) {
        let mut room = vec![MaybeUninit::uninit(); BATCH];
        let inotify = Arc::clone(&self.inotify);
        let mut reader = inotify::Reader::new(&*inotify, &mut room);
        loop {
            let mut batch = Batch::default();
            let mut began = None;
            loop {
                match reader.next() {
                    Ok(event) => {
                        began.get_or_insert_with(|| Clock::System.monotonic());
                        let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
                        self.hear(event.wd(), event.events(), name, &mut batch);
                    }
                    Err(Errno::INTR) => continue,
                    Err(error) => {
                        self.note(Gap::Silent(error));
                        (batch.news, batch.over) = (true, true);
                    }
                }
                if batch.over || reader.is_buffer_empty() {
                    break;
                }
            }
            if over.load(Ordering::SeqCst) {
                return;
            }
            if batch.lost {
                // Events were lost, perhaps those of new directories.
                self.go_through();
            }
            if batch.news || batch.lost {
                hint();
            }
            if batch.over {
                return;
            }
            let worked = began.map(|began| Clock::System.since(began)).unwrap_or_default();
            if worked >= REST.start {
                std::thread::sleep(worked.min(REST.end));
            }
        }
    }

    fn hear(&mut self, watch: i32, what: ReadFlags, name: Option<&OsStr>, batch: &mut Batch) {
        if what.contains(ReadFlags::QUEUE_OVERFLOW) {
            batch.lost = true;
            return;
        }
        if what.contains(ReadFlags::IGNORED) {
            self.forget(watch);
            batch.over |= watch == self.top;
            batch.news |= batch.over;
            return;
        }
        let Some(above) = self.path(watch) else { return };
        let Some(name) = name else {
            batch.news = true;
            return;
        };
        let path = above.join(name);
        if !(self.news)(&path) {
            return;
        }
        batch.news = true;
        if !what.contains(ReadFlags::ISDIR) {
            return;
        }
        let is_known = self.names.contains_key(&(watch, name.to_owned()));
        let came = what.intersects(ReadFlags::CREATE.union(ReadFlags::MOVED_TO));
        if came || what.contains(if is_known { ReadFlags::MOVED_FROM } else { ReadFlags::ATTRIB }) {
            self.enter(VecDeque::from([(watch, name.to_owned())]), &mut None);
        }
    }

    /// Scans all directories: watches new ones, forgets those that are gone.
    fn go_through(&mut self) {
        self.note(None);
        let mut seen = Some(BTreeSet::from([self.top]));
        let todo = self.below(self.top, &self.dir);
        self.enter(todo, &mut seen);
        let seen = seen.unwrap_or_default();
        let gone: Vec<i32> = self.watched.keys().copied().filter(|watch| !seen.contains(watch)).collect();
        for watch in gone {
            self.leave(watch);
        }
    }

    /// Watches what is now at these places, and the directories below; what was there before and is gone is left.
    /// Directories that were already watched are not scanned again, unless all are (`seen`).
    fn enter(&mut self, mut todo: VecDeque<(i32, OsString)>, seen: &mut Option<BTreeSet<i32>>) {
        while let Some((above, name)) = todo.pop_front() {
            if self.watched.len() >= WATCHED_MAX && !self.names.contains_key(&(above, name.clone())) {
                self.note(Gap::Many);
                continue;
            }
            let Some(path) = self.path(above).map(|above| above.join(&name)) else { continue };
            if path.components().count() > DEPTH_MAX {
                continue;
            }
            let dir = match open_below(&self.dir, &path) {
                Ok(dir) => dir,
                // Gone, or another thing by now; and what nobody may read is read by no look either.
                Err(Errno::ACCESS | Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                    if let Some(gone) = self.names.get(&(above, name)) {
                        self.leave(*gone);
                    }
                    continue;
                }
                Err(error) => {
                    self.note(Gap::Refused(path, error));
                    continue;
                }
            };
            let watch = match inotify::add_watch(&*self.inotify, proc_path(&dir), EVENTS) {
                Ok(watch) => watch,
                Err(Errno::ACCESS | Errno::NOENT | Errno::NOTDIR) => continue,
                Err(error) => {
                    self.note(Gap::Refused(path, error));
                    continue;
                }
            };
            let is_new = self.put(watch, above, name);
            if seen.as_mut().map_or(is_new, |seen| seen.insert(watch)) && watch != self.top {
                todo.extend(self.below(watch, &dir));
            }
        }
    }

    /// The directories in a watched one, as many as may be watched.
    fn below(&self, watch: i32, dir: &OwnedFd) -> VecDeque<(i32, OsString)> {
        let mut found = VecDeque::new();
        let Some(path) = self.path(watch) else { return found };
        if path.components().count() >= DEPTH_MAX {
            return found;
        }
        for entry in rustix::fs::Dir::read_from(dir).into_iter().flatten().flatten() {
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            let may_be_dir = matches!(entry.file_type(), FileType::Directory | FileType::Unknown);
            if !may_be_dir || name == "." || name == ".." || !(self.news)(&path.join(name)) {
                continue;
            }
            found.push_back((watch, name.to_owned()));
            // One more than allowed, so that it is noticed.
            if found.len() > WATCHED_MAX {
                break;
            }
        }
        found
    }

    /// Remembers the place of a watched directory; returns whether it is new.
    fn put(&mut self, watch: i32, above: i32, name: OsString) -> bool {
        if watch == self.top {
            return false;
        }
        let place = Place { above, name: name.clone() };
        let before = self.watched.insert(watch, place);
        if let Some(Place { above, name }) = &before
            && self.names.get(&(*above, name.clone())) == Some(&watch)
        {
            self.names.remove(&(*above, name.clone()));
        }
        if let Some(other) = self.names.insert((above, name), watch).filter(|other| *other != watch) {
            self.leave(other);
        }
        before.is_none()
    }

    /// Stops watching a directory and all below it.
    fn leave(&mut self, watch: i32) {
        let mut todo = vec![watch];
        while let Some(watch) = todo.pop() {
            let below = self.names.range((watch, OsString::new())..).take_while(|((above, _), _)| *above == watch);
            todo.extend(below.map(|(_, watch)| *watch));
            if self.forget(watch) {
                // A directory that is gone has no watch any more.
                let _ = inotify::remove_watch(&*self.inotify, watch);
            }
        }
    }

    fn forget(&mut self, watch: i32) -> bool {
        let Some(Place { above, name }) = self.watched.remove(&watch) else { return false };
        if self.names.get(&(above, name.clone())) == Some(&watch) {
            self.names.remove(&(above, name));
        }
        true
    }

    /// The path of a watched directory relative to the top.
    fn path(&self, watch: i32) -> Option<PathBuf> {
        let (mut names, mut at) = (Vec::new(), watch);
        while at != self.top {
            let Place { above, name } = self.watched.get(&at)?;
            names.push(name);
            // A directory mounted into itself has no end.
            if names.len() > DEPTH_MAX {
                return None;
            }
            at = *above;
        }
        Some(names.into_iter().rev().collect())
    }

    fn note(&self, gap: impl Into<Option<Gap>>) {
        let gap = gap.into();
        let mut known = self.gap.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() || gap.is_none() {
            *known = gap;
        }
    }
}

/// Opens a directory by its path relative to another one, without following links.
fn open_below(top: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    let mut here: Option<OwnedFd> = None;
    for name in path {
        here = Some(rustix::fs::openat(here.as_ref().unwrap_or(top), name, OPEN, Permissions::empty())?);
    }
    here.ok_or(Errno::NOENT)
}

/// The name of `dir`'s file system, if it does not report what other machines write.
pub fn without_events(dir: &Path) -> Option<&'static str> {
    let magic = rustix::fs::statfs(dir).ok()?.f_type;
    // The field is signed on some machines; the numbers have 32 bits.
    let magic = u64::from_ne_bytes(magic.to_ne_bytes()) & 0xffff_ffff;
    WITHOUT_EVENTS.iter().find(|(number, _)| *number == magic).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn a_file_in_a_directory_that_appears_filled_is_hinted_at() {
        let dir = tempfile::tempdir().expect("a directory");
        let (tell, told) = mpsc::channel();
        let _watching = watch(
            dir.path(),
            Mode::Events,
            |_| true,
            move || {
                let _ = tell.send(());
            },
        );
        let filled = dir.path().join("a/b");
        std::fs::DirBuilder::new().recursive(true).create(&filled).expect("made");
        std::fs::File::create(filled.join("x.rpm")).expect("made");
        told.recv_timeout(Duration::from_secs(10)).expect("a hint");
    }

    #[test]
    fn a_file_is_hinted_at_after_it_came_even_when_its_directory_came_a_moment_before() {
        let dir = tempfile::tempdir().expect("a directory");
        let place = Arc::new(std::sync::Mutex::new(PathBuf::new()));
        let (tell, told) = mpsc::channel();
        let looked_at = Arc::clone(&place);
        let _watching = watch(
            dir.path(),
            Mode::Events,
            |_| true,
            move || {
                // What a scan would find at the moment of the hint.
                let path = looked_at.lock().expect("nobody panics").clone();
                if path.exists() {
                    let _ = tell.send(path);
                }
            },
        );
        for round in 0..500 {
            let path = dir.path().join(format!("{round}/x.rpm"));
            *place.lock().expect("nobody panics") = path.clone();
            std::fs::create_dir(dir.path().join(round.to_string())).expect("made");
            // Various moments between the hint for the directory and watching it.
            for _ in 0..round * 40 {
                std::hint::spin_loop();
            }
            std::fs::File::create(&path).expect("made");
            let deadline = Duration::from_secs(10);
            while told.recv_timeout(deadline).unwrap_or_else(|_| panic!("round {round}: no hint")) != path {}
        }
    }

    #[test]
    fn what_is_no_news_wakes_nobody() {
        let dir = tempfile::tempdir().expect("a directory");
        let (tell, told) = mpsc::channel();
        let news = |path: &Path| !path.starts_with("ours");
        let _watching = watch(dir.path(), Mode::Events, news, move || {
            let _ = tell.send(());
        });
        std::fs::create_dir(dir.path().join("ours")).expect("made");
        std::fs::File::create(dir.path().join("ours/file")).expect("made");
        std::fs::File::create(dir.path().join("theirs")).expect("made");
        // Events come in order, so the only hint is for the last file.
        told.recv_timeout(Duration::from_secs(10)).expect("a hint");
        assert!(told.try_recv().is_err(), "no other");
    }

    /// How many directories the kernel watches.
    fn watches(watching: &Watching) -> usize {
        let Watching::Events(events) = watching else { panic!("{watching:?}") };
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", events.inotify.as_raw_fd()));
        info.expect("it is open").lines().filter(|line| line.starts_with("inotify ")).count()
    }

    /// Watches everything and sends on each hint.
    fn told_of(dir: &Path) -> (Watching, mpsc::Receiver<()>) {
        let (tell, told) = mpsc::channel();
        let watching = watch(
            dir,
            Mode::Events,
            |_| true,
            move || {
                let _ = tell.send(());
            },
        );
        (watching, told)
    }

    /// Waits for the hints of what was done before; the last one is for a file of this name.
    fn settle(dir: &Path, told: &mpsc::Receiver<()>) {
        std::fs::File::create(dir.join("the last")).expect("made");
        told.recv_timeout(Duration::from_secs(10)).expect("a hint");
        while told.recv_timeout(Duration::from_millis(300)).is_ok() {}
    }

    /// Waits until this many directories are watched.
    #[track_caller]
    fn comes_to(watching: &Watching, number: usize) {
        let began = std::time::Instant::now();
        while watches(watching) != number {
            assert!(began.elapsed() < Duration::from_secs(20), "{} are watched, not {number}", watches(watching));
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    #[test]
    fn more_directories_than_may_be_watched_cost_no_more_watches_and_are_said() {
        let dir = tempfile::tempdir().expect("a directory");
        let many = WATCHED_MAX + 10;
        let (watching, told) = told_of(dir.path());
        for number in 0..many {
            std::fs::create_dir(dir.path().join(number.to_string())).expect("made");
        }
        settle(dir.path(), &told);
        comes_to(&watching, WATCHED_MAX + 1);
        assert!(watching.polls() && watching.gap().is_some_and(|gap| gap.contains("4096 directories")));
        // A watch that begins after they exist does no more.
        assert_eq!(watches(&told_of(dir.path()).0), WATCHED_MAX + 1);
        for number in 0..many {
            std::fs::remove_dir(dir.path().join(number.to_string())).expect("removed");
        }
        settle(dir.path(), &told);
        comes_to(&watching, 1);
        assert!(!told_of(dir.path()).0.polls());
    }

    #[test]
    fn a_deep_tree_is_watched_down_to_where_uploads_are_searched_and_delays_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let (watching, told) = told_of(dir.path());
        // Each in the previous one, without a path that is too long.
        let mut here = rustix::fs::open(dir.path(), OPEN, Permissions::empty()).expect("there");
        for _ in 0..2_000 {
            rustix::fs::mkdirat(&here, "d", Permissions::RWXU).expect("made");
            here = rustix::fs::openat(&here, "d", OPEN, Permissions::empty()).expect("there");
        }
        settle(dir.path(), &told);
        comes_to(&watching, DEPTH_MAX + 1);
        assert_eq!(watching.gap(), None, "what lies deeper is looked at by nobody");
    }

    #[test]
    fn a_directory_that_is_made_in_the_deepest_one_that_is_watched_is_not_watched() {
        let dir = tempfile::tempdir().expect("a directory");
        let deepest = (0..DEPTH_MAX).fold(dir.path().to_owned(), |path, _| path.join("d"));
        std::fs::DirBuilder::new().recursive(true).create(&deepest).expect("made");
        let (watching, told) = told_of(dir.path());
        std::fs::DirBuilder::new().recursive(true).create(deepest.join("d/d")).expect("made");
        settle(dir.path(), &told);
        comes_to(&watching, DEPTH_MAX + 1);
    }

    #[test]
    fn a_directory_that_is_renamed_for_ever_is_watched_once_and_under_its_last_name() {
        let dir = tempfile::tempdir().expect("a directory");
        let (watching, told) = told_of(dir.path());
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        std::fs::create_dir(&one).expect("made");
        std::fs::create_dir(one.join("inner")).expect("made");
        for _ in 0..5_001 {
            rustix::fs::rename(&one, &other).expect("renamed");
            rustix::fs::rename(&other, &one).expect("renamed");
        }
        rustix::fs::rename(&one, &other).expect("renamed");
        settle(dir.path(), &told);
        comes_to(&watching, 3);
        std::fs::File::create(other.join("inner/x.rpm")).expect("made");
        told.recv_timeout(Duration::from_secs(10)).expect("a hint");
        // Elsewhere it is not ours.
        let elsewhere = tempfile::tempdir().expect("a directory");
        rustix::fs::rename(&other, elsewhere.path().join("other")).expect("renamed");
        settle(dir.path(), &told);
        comes_to(&watching, 1);
    }

    #[test]
    fn an_event_that_is_old_when_it_is_read_undoes_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        std::fs::DirBuilder::new().recursive(true).create(one.join("inner")).expect("made");
        let mut watches = Watches::of(dir.path(), |_: &Path| true).expect("watched");
        rustix::fs::rename(&one, &other).expect("renamed");
        watches.go_through();
        // From before; that it came back to `other` is lost.
        for (what, name) in [(ReadFlags::MOVED_FROM, "other"), (ReadFlags::MOVED_TO, "one")] {
            watches.hear(watches.top, what.union(ReadFlags::ISDIR), Some(name.as_ref()), &mut Batch::default());
        }
        let watched = |watches: &Watches<_>| {
            watches.watched.keys().filter_map(|watch| watches.path(*watch)).collect::<BTreeSet<PathBuf>>()
        };
        assert_eq!(watched(&watches), BTreeSet::from(["other".into(), "other/inner".into()]));
        std::fs::remove_dir(other.join("inner")).expect("removed");
        std::fs::remove_dir(&other).expect("removed");
        std::fs::File::create(&other).expect("made");
        let moved = ReadFlags::MOVED_FROM.union(ReadFlags::ISDIR);
        watches.hear(watches.top, moved, Some("other".as_ref()), &mut Batch::default());
        assert_eq!(watched(&watches), BTreeSet::new(), "a file is there now");
    }

    #[test]
    fn when_events_are_lost_everything_is_gone_through_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let (tell, told) = mpsc::channel();
        let (open, gate) = mpsc::channel::<()>();
        let watching = watch(
            dir.path(),
            Mode::Events,
            |_| true,
            move || {
                let _ = tell.send(());
                // The receiver is slow, so events pile up in the kernel.
                let _ = gate.recv();
            },
        );
        std::fs::create_dir(dir.path().join("leaves")).expect("made");
        told.recv_timeout(Duration::from_secs(10)).expect("a hint");
        let room = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").expect("it has a bound");
        for number in 0..room.trim().parse::<u32>().expect("a number") {
            let path = dir.path().join(number.to_string());
            std::fs::create_dir(&path).expect("made");
            std::fs::remove_dir(&path).expect("removed");
        }
        let elsewhere = tempfile::tempdir().expect("a directory");
        rustix::fs::rename(dir.path().join("leaves"), elsewhere.path().join("left")).expect("renamed");
        let late = dir.path().join("late/inner");
        std::fs::DirBuilder::new().recursive(true).create(&late).expect("made");
        drop(open);
        settle(dir.path(), &told);
        comes_to(&watching, 3);
        assert_eq!(watching.gap(), None);
        std::fs::File::create(late.join("x.rpm")).expect("made");
        told.recv_timeout(Duration::from_secs(10)).expect("a hint");
    }

    #[test]
    fn who_reads_wakes_nobody_and_a_link_leads_nowhere() {
        let dir = tempfile::tempdir().expect("a directory");
        let elsewhere = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(elsewhere.path().join("inner")).expect("made");
        std::os::unix::fs::symlink(elsewhere.path(), dir.path().join("link")).expect("made");
        std::fs::create_dir(dir.path().join("inner")).expect("made");
        std::fs::File::create(dir.path().join("inner/x.rpm")).expect("made");
        let (watching, told) = told_of(dir.path());
        for _ in 0..100 {
            std::fs::read(dir.path().join("inner/x.rpm")).expect("read");
            assert_eq!(std::fs::read_dir(dir.path().join("inner")).expect("listed").count(), 1);
        }
        std::fs::File::create(elsewhere.path().join("inner/y.rpm")).expect("made");
        told.recv_timeout(Duration::from_millis(500)).expect_err("nothing has changed");
        assert_eq!(watches(&watching), 2);
    }

    #[test]
    fn a_directory_that_opens_later_is_watched_from_then_on() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a directory");
        let inner = dir.path().join("inner");
        std::fs::create_dir(&inner).expect("made");
        let mode = |bits| std::fs::set_permissions(&inner, std::fs::Permissions::from_mode(bits)).expect("set");
        mode(0o000);
        let (watching, told) = told_of(dir.path());
        mode(0o755);
        told.recv_timeout(Duration::from_secs(10)).expect("a hint");
        std::fs::File::create(inner.join("x.rpm")).expect("made");
        told.recv_timeout(Duration::from_secs(10)).expect("a hint");
        assert_eq!((watches(&watching), watching.gap()), (2, None));
    }

    #[test]
    fn a_watch_that_is_dropped_ends_its_thread() {
        let dir = tempfile::tempdir().expect("a directory");
        let (watching, told) = told_of(dir.path());
        drop(watching);
        // The hint belongs to the thread.
        let ended = told.recv_timeout(Duration::from_secs(10));
        assert_eq!(ended, Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn what_cannot_be_watched_is_polled_and_says_why() {
        let watching = watch(Path::new("/nonexistent/dir"), Mode::Events, |_| true, || {});
        assert!(watching.polls());
        assert!(watch(Path::new("/"), Mode::Poll, |_| true, || {}).polls());
    }
}
