//! Clocks that a test moves: the daemon runs with a small library before the system's one, made here with `cc`.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Adds the seconds that a shared file holds to the clocks, whoever asks for them: to the wall clock alone, and to all.
const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile long long *shift; /* of the wall clock, and of all */

__attribute__((constructor)) static void begin(void)
{
    int fd = open(getenv("CLOCK_SHIFT"), O_RDONLY | O_CLOEXEC);
    shift = mmap(NULL, 2 * sizeof *shift, PROT_READ, MAP_SHARED, fd, 0);
    if (fd < 0 || shift == MAP_FAILED)
        abort();
}

int clock_gettime(clockid_t which, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(which, now);
    if (failed || !shift)
        return failed;
    if (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)
        now->tv_sec += shift[0] + shift[1];
    if (which == CLOCK_MONOTONIC || which == CLOCK_MONOTONIC_COARSE || which == CLOCK_BOOTTIME)
        now->tv_sec += shift[1];
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)zone;
    struct timespec fine;
    int failed = clock_gettime(CLOCK_REALTIME, &fine);
    now->tv_sec = fine.tv_sec;
    now->tv_usec = fine.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *to)
{
    struct timespec fine;
    clock_gettime(CLOCK_REALTIME, &fine);
    if (to)
        *to = fine.tv_sec;
    return fine.tv_sec;
}
"#;

/// The daemon's clocks.
pub(crate) struct Hands {
    preload: PathBuf,
    shift: PathBuf,
}

impl Hands {
    pub(crate) fn make(dir: &Path) -> Self {
        let (source, preload, shift) = (dir.join("clock.c"), dir.join("clock.so"), dir.join("shift"));
        fs::write(&source, LIBRARY).unwrap();
        fs::write(&shift, [0; 16]).unwrap();
        let cc =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&preload).arg(&source).output().unwrap();
        assert!(cc.status.success(), "{}", String::from_utf8_lossy(&cc.stderr));
        Self { preload, shift }
    }

    /// The words before the daemon's own.
    pub(crate) fn under(&self) -> Vec<String> {
        let preload = format!("LD_PRELOAD={}", self.preload.display());
        vec!["env".to_owned(), preload, format!("CLOCK_SHIFT={}", self.shift.display())]
    }

    /// Sets the wall clock so many seconds before or behind the right time.
    pub(crate) fn set(&self, seconds: i64) {
        self.write(seconds, 0);
    }

    /// So many seconds have passed, by all clocks, since the daemon was started first.
    pub(crate) fn have_passed(&self, seconds: i64) {
        self.write(seconds, 8);
    }

    fn write(&self, seconds: i64, place: u64) {
        use std::os::unix::fs::FileExt as _;
        // In place: the daemon has the file mapped.
        let file = fs::OpenOptions::new().write(true).open(&self.shift).unwrap();
        file.write_all_at(&seconds.to_ne_bytes(), place).unwrap();
    }
}
