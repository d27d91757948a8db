//! Device, inode, size and times: a file or directory with the same stamp in two looks was not written in between.

use std::os::unix::fs::MetadataExt as _;

use jiff::{SignedDuration, Timestamp};

/// A directory that changed more recently than this may change again and keep the same times. Some file systems store
/// whole seconds, FAT even seconds.
const RACY: SignedDuration = SignedDuration::from_secs(2);

/// The same for times with a fraction: the kernel's clock for them ticks every 10 ms or faster. The rest allows for a
/// file server whose clock is slightly behind.
const RACY_WITH_FRACTION: SignedDuration = SignedDuration::from_millis(250);

/// The state of a file or directory; if it is the same in two looks, nobody wrote in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    pub(super) dev: u64,
    ino: u64,
    pub(super) size: u64,
    mtime: (i64, i64),
    pub(super) ctime: (i64, i64),
}

impl Stamp {
    /// From `stat`.
    pub fn of(meta: &std::fs::Metadata) -> Self {
        Self {
            dev: meta.dev(),
            ino: meta.ino(),
            size: meta.size(),
            mtime: (meta.mtime(), meta.mtime_nsec()),
            ctime: (meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// From a call relative to an open directory.
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

    /// Whether it is the same file with the same bytes under another name: a rename changes only the change time.
    pub(super) fn is_renamed(&self, before: &Self) -> bool {
        (self.dev, self.ino, self.size, self.mtime) == (before.dev, before.ino, before.size, before.mtime)
    }

    /// What the index remembers of a file: its size, and its modification time in seconds since the epoch.
    pub fn facts(&self) -> (u64, u64) {
        (self.size, u64::try_from(self.mtime.0).unwrap_or(u64::MAX))
    }

    /// Whether the last change is old enough that another one would change the times.
    pub fn is_settled(&self, now: Timestamp) -> bool {
        let (second, fraction) = self.mtime.max(self.ctime);
        let racy = if fraction == 0 { RACY } else { RACY_WITH_FRACTION };
        let fraction = i32::try_from(fraction).unwrap_or(i32::MAX);
        Timestamp::new(second, fraction).is_ok_and(|changed| now.duration_since(changed) > racy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
