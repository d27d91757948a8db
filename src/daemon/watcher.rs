//! Has the uploads scanned when the kernel reports changes, and from time to time.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::names::DistPath;
use crate::engine::handle::Handle;
use crate::link::watch::{self, Mode, Watching};

/// Whether a changed path may be an upload.
pub type News = fn(&Path) -> bool;

/// One watched directory of uploads.
pub struct WatchedDir {
    dist: DistPath,
    dir: PathBuf,
    /// Which paths in it may be uploads.
    news: News,
    watching: Watching,
    /// The watched directory; another one may have its name by now.
    identity: Option<(u64, u64)>,
    /// What was already logged about directories that are not watched.
    gap: Option<String>,
}

/// How often uploads are scanned.
#[derive(Clone, Copy, Debug)]
pub struct Intervals {
    /// How changes are noticed.
    pub mode: Mode,
    /// The time between two scans without events.
    pub poll_every: Duration,
    /// The time between two scans with events.
    pub scan_every: Duration,
}

impl WatchedDir {
    /// Begins to watch the uploads of a distribution.
    pub fn new(dist: DistPath, dir: PathBuf, news: News, mode: Mode, engine: &Handle) -> Self {
        let (handle, name) = (engine.clone(), dist.clone());
        // The identity is taken first: a directory that is swapped after that is noticed at the next step.
        let identity = identity(&dir);
        let watching = watch::watch(&dir, mode, news, move || handle.touch(&name));
        if let Watching::Polling { why } = &watching {
            tracing::info!(%dist, why, "uploads are polled");
        }
        Self { dist, dir, news, watching, identity, gap: None }
    }

    /// Watches the same directory again.
    fn again(&self, mode: Mode, engine: &Handle) -> Self {
        Self::new(self.dist.clone(), self.dir.clone(), self.news, mode, engine)
    }

    /// Logs once that not everything is watched, and once that it is again.
    fn tell_gap(&mut self) {
        let gap = self.watching.gap();
        if gap == self.gap {
            return;
        }
        let (dist, dir) = (&self.dist, self.dir.display());
        if let Some(why) = &gap {
            tracing::warn!(%dist, %dir, why, "uploads are polled too");
        } else {
            tracing::info!(%dist, %dir, "all directories are watched again");
        }
        self.gap = gap;
    }

    fn stands(&self) -> bool {
        self.identity.is_some() && self.identity == identity(&self.dir)
    }
}

fn identity(dir: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(dir).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// Has every distribution scanned when it is due, until `stop`.
///
/// # Errors
/// None; every task has this signature.
pub async fn run(
    mut watched: Vec<WatchedDir>,
    intervals: Intervals,
    engine: Handle,
    stop: CancellationToken,
) -> Result<(), std::convert::Infallible> {
    // A lost watch (the directory was replaced or mounted over) is noticed at this pace.
    let step = intervals.poll_every.min(intervals.scan_every);
    let mut since_scan = Duration::ZERO;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(step) => {}
        }
        since_scan = since_scan.saturating_add(step);
        let scan = since_scan >= intervals.scan_every;
        for dir in &mut watched {
            if !dir.stands() {
                tracing::warn!(dist = %dir.dist, dir = %dir.dir.display(), "directory was replaced; watching the new one");
                *dir = dir.again(intervals.mode, &engine);
                engine.touch(&dir.dist);
                engine.doubt(&dir.dist);
            } else if scan {
                if dir.watching.gap().is_some() {
                    // What could not be watched then may be gone, or there may be room now.
                    let gap = dir.gap.take();
                    *dir = dir.again(intervals.mode, &engine);
                    dir.gap = gap;
                }
                engine.touch(&dir.dist);
                // Somebody may also have changed what clients see.
                engine.doubt(&dir.dist);
            } else if dir.watching.polls() {
                engine.touch(&dir.dist);
            }
            dir.tell_gap();
        }
        if scan {
            since_scan = Duration::ZERO;
        }
    }
}
