//! Hints that something changed below a directory.
//!
//! A hint carries a name and nothing else. A lost or doubled hint can make an intake late, never
//! wrong: whoever gets it looks at the directory itself. So an overflowing event queue, a directory
//! that was filled before its watch stood, a watch that was lost and a file system without events
//! all end in the same place: a look.
//!
//! Where events cannot be had (network file systems do not report what other machines write; FUSE
//! seldom does; the kernel may have no watch left), [`Watching::Polling`] says so, and the caller
//! looks every so often instead. Everybody looks now and then anyhow.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{EventKind, RecursiveMode, Watcher as _};

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
    Events(notify::RecommendedWatcher),
    /// Nobody tells; look every so often.
    Polling {
        /// Why, for the log and the health report.
        why: String,
    },
}

impl Watching {
    /// Whether the caller has to look on its own.
    pub fn polls(&self) -> bool {
        matches!(self, Self::Polling { .. })
    }
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

/// Watches `dir` and everything below it; `hint` is called from another thread.
///
/// Never fails: what cannot be watched is polled.
pub fn watch(dir: &Path, mode: Mode, hint: impl Fn() + Send + Sync + 'static) -> Watching {
    let polling = |why: String| Watching::Polling { why };
    if mode == Mode::Poll {
        return polling("the configuration says so".to_owned());
    }
    if mode == Mode::Auto
        && let Some(name) = without_events(dir)
    {
        return polling(format!("{} lies on {name}, which reports no changes made elsewhere", dir.display()));
    }
    let hint = Arc::new(hint);
    let lost: PathBuf = dir.to_owned();
    let handler = move |event: notify::Result<notify::Event>| match event {
        // Reading is no change; our own looks would wake us for ever.
        Ok(event) if matches!(event.kind, EventKind::Access(_)) && !event.need_rescan() => {}
        Ok(_) => hint(),
        Err(error) => {
            tracing::warn!(dir = %lost.display(), error = %error, "watch is in trouble");
            hint();
        }
    };
    let watcher = notify::recommended_watcher(handler).and_then(|mut watcher| {
        watcher.watch(dir, RecursiveMode::Recursive)?;
        Ok(watcher)
    });
    match watcher {
        Ok(watcher) => Watching::Events(watcher),
        Err(error) => polling(format!("{} cannot be watched: {error}", dir.display())),
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
        let _watching = watch(dir.path(), Mode::Events, move || {
            let _ = tell.send(());
        });
        let filled = dir.path().join("a/b");
        std::fs::DirBuilder::new().recursive(true).create(&filled).expect("made");
        std::fs::File::create(filled.join("x.rpm")).expect("made");
        told.recv_timeout(Duration::from_secs(10)).expect("a hint");
    }

    #[test]
    fn what_cannot_be_watched_is_polled_and_says_why() {
        let watching = watch(Path::new("/nonexistent/dir"), Mode::Events, || {});
        assert!(watching.polls());
        assert!(watch(Path::new("/"), Mode::Poll, || {}).polls());
    }
}
