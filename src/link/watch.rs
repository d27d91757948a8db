//! Hints that something changed below a directory.
//!
//! A hint carries a name and nothing else. A lost or doubled hint can make an intake late, never
//! wrong: whoever gets it looks at the directory itself. So an overflowing event queue, a directory
//! that was filled before its watch stood, a watch that was lost and a file system without events
//! all end in the same place: a look.
//!
//! The library reports a new directory before it watches it. Whatever comes into the directory in
//! between makes no event, and a look after the first hint may have been too early for it. So a second
//! thread, the follower, has every new directory watched once more, which returns when the kernel has
//! the watch, and hints again: after that hint, everything either is seen by the look or makes an event.
//!
//! Where events cannot be had (network file systems do not report what other machines write; FUSE
//! seldom does; the kernel may have no watch left), [`Watching::Polling`] says so, and the caller
//! looks every so often instead. Everybody looks now and then anyhow.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};

use notify::event::{CreateKind, ModifyKind, RenameMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

/// How changes are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Events where the file system has them, else polling.
    Auto,
    /// Events, whatever the file system is.
    Events,
    /// Polling.
    Poll,
}

/// How one directory is watched, and why so.
#[derive(Debug)]
pub enum Watching {
    /// The kernel tells.
    Events(Events),
    /// Nobody tells; look every so often.
    Polling {
        /// Why, for the log and the health report.
        why: String,
    },
}

impl Watching {
    /// Whether the caller has to look on its own.
    pub fn polls(&self) -> bool {
        match self {
            Self::Events(events) => events.gap.load(Ordering::Relaxed),
            Self::Polling { .. } => true,
        }
    }
}

/// The kernel's events.
#[derive(Debug)]
pub struct Events {
    /// Whether a directory below could not be watched, so that the kernel tells of the others only.
    gap: Arc<AtomicBool>,
    /// Holds the watches.
    _watcher: Arc<Mutex<RecommendedWatcher>>,
}

/// File systems on which other machines write without an event here, by their magic number
/// (`statfs(2)`): NFS, SMB, CIFS, SMB2, AFS, Ceph, 9p, FUSE.
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

/// Watches `dir` and everything below it; `hint` is called from another thread when something changes that
/// is `news`, by its path below `dir`. Whoever writes there itself must not be woken by that.
///
/// Never fails: what cannot be watched is polled.
pub fn watch(
    dir: &Path,
    mode: Mode,
    news: impl Fn(&Path) -> bool + Send + 'static,
    hint: impl Fn() + Send + Sync + 'static,
) -> Watching {
    let polling = |why: String| Watching::Polling { why };
    if mode == Mode::Poll {
        return polling("the configuration says so".to_owned());
    }
    if mode == Mode::Auto
        && let Some(name) = without_events(dir)
    {
        return polling(format!("{} lies on {name}, which reports no changes made elsewhere", dir.display()));
    }
    match watch_events(dir, news, Arc::new(hint)) {
        Ok(events) => Watching::Events(events),
        Err(error) => polling(format!("{} cannot be watched: {error}", dir.display())),
    }
}

fn watch_events(
    dir: &Path,
    news: impl Fn(&Path) -> bool + Send + 'static,
    hint: Arc<impl Fn() + Send + Sync + 'static>,
) -> notify::Result<Events> {
    let (appeared, appearing) = mpsc::channel();
    let gap = Arc::<AtomicBool>::default();
    let top = dir.to_owned();
    let handler = {
        let (hint, gap) = (Arc::clone(&hint), Arc::clone(&gap));
        move |event: notify::Result<notify::Event>| match event {
            // Reading is no change; our own looks would wake us for ever.
            Ok(event) if matches!(event.kind, EventKind::Access(_)) && !event.need_rescan() => {}
            Ok(event) if !event.need_rescan() && !concerns(&event, &top, &news) => {}
            Ok(event) => {
                hint();
                if event.need_rescan() {
                    // Events were lost, and with them perhaps the news of a directory.
                    let _ = appeared.send(top.clone());
                } else if may_be_new_directory(event.kind) {
                    event.paths.into_iter().for_each(|path| drop(appeared.send(path)));
                }
            }
            Err(error) => {
                tracing::warn!(dir = %top.display(), error = %error, "watch is in trouble; uploads are polled too");
                gap.store(true, Ordering::Relaxed);
                hint();
            }
        }
    };
    let watcher = Arc::new(Mutex::new(notify::recommended_watcher(handler)?));
    watcher.lock().unwrap_or_else(PoisonError::into_inner).watch(dir, RecursiveMode::Recursive)?;
    let follower = Follower { watcher: Arc::downgrade(&watcher), gap: Arc::clone(&gap), appearing };
    std::thread::Builder::new()
        .name("watch follower".to_owned())
        .spawn(move || follower.run(hint.as_ref()))
        .map_err(notify::Error::io)?;
    Ok(Events { gap, _watcher: watcher })
}

/// Whether any path of an event is news; one without paths may be.
fn concerns(event: &notify::Event, top: &Path, news: &impl Fn(&Path) -> bool) -> bool {
    event.paths.is_empty() || event.paths.iter().any(|path| path.strip_prefix(top).map_or(true, news))
}

/// Whether the event may tell of a directory that nobody watches yet. A directory that was moved here
/// is reported like a file that was.
fn may_be_new_directory(kind: EventKind) -> bool {
    matches!(kind, EventKind::Create(CreateKind::Folder) | EventKind::Modify(ModifyKind::Name(RenameMode::To)))
}

/// Watches what appeared and hints again, until the watcher is gone.
struct Follower {
    watcher: Weak<Mutex<RecommendedWatcher>>,
    gap: Arc<AtomicBool>,
    appearing: mpsc::Receiver<PathBuf>,
}

impl Follower {
    fn run(self, hint: &impl Fn()) {
        while let Ok(path) = self.appearing.recv() {
            let Some(watcher) = self.watcher.upgrade() else { return };
            // Uploads that are renamed into place are no directories, and some directories are gone again.
            if !std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir()) {
                continue;
            }
            let watched = watcher.lock().unwrap_or_else(PoisonError::into_inner).watch(&path, RecursiveMode::Recursive);
            if let Err(error) = watched
                && path.is_dir()
            {
                tracing::warn!(dir = %path.display(), %error, "directory cannot be watched; uploads are polled too");
                self.gap.store(true, Ordering::Relaxed);
            }
            hint();
        }
    }
}

/// The file system of `dir`, when it does not report what other machines write.
pub fn without_events(dir: &Path) -> Option<&'static str> {
    let magic = rustix::fs::statfs(dir).ok()?.f_type;
    // The field is signed on some machines; the numbers are 32 bits wide.
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
                // What a look would find at the moment of the hint.
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
            // Various moments between the hint at the directory and the watch upon it.
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
        // Events come in order, so the only hint is that for the last file.
        told.recv_timeout(Duration::from_secs(10)).expect("a hint");
        assert!(told.try_recv().is_err(), "no other");
    }

    #[test]
    fn what_cannot_be_watched_is_polled_and_says_why() {
        let watching = watch(Path::new("/nonexistent/dir"), Mode::Events, |_| true, || {});
        assert!(watching.polls());
        assert!(watch(Path::new("/"), Mode::Poll, |_| true, || {}).polls());
    }
}
