//! What an uploader can make the daemon cost: memory, descriptors, processor, other people's time.
//!
//! Each test says what it measured before, during and after. With `ROLLOUTD_LONG=1` they are as long as the
//! attack that each is made after: 70 seconds of renames, 120,000 directories, 38,000 files of junk.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and uploads as people do")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use rustix::fs::{Gid, Mode, OFlags, Uid};

use crate::bad_days::uploads::{PACKAGERS, UPLOADER, site_of_two};
use crate::campaign;
use crate::disagreement::reasons;
use crate::peers;
use crate::site::{Site, Wish, files_below, tell};

/// Where people upload.
fn uploads(site: &Site) -> PathBuf {
    site.incoming()
}

/// What the daemon takes now.
#[derive(Clone, Copy, Debug)]
struct Cost {
    memory_kib: u64,
    descriptors: usize,
    processor: Duration,
}

impl Cost {
    fn of(site: &Site) -> Self {
        let at = PathBuf::from(format!("/proc/{}", site.pid()));
        let status = fs::read_to_string(at.join("status")).unwrap();
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let stat = fs::read_to_string(at.join("stat")).unwrap();
        // The name of the program may have blanks; the times are fields 14 and 15, in hundredths of a second.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        Self {
            memory_kib: memory.trim_end_matches("kB").trim().parse().unwrap(),
            descriptors: fs::read_dir(at.join("fd")).unwrap().count(),
            processor: Duration::from_millis(ticks * 10),
        }
    }
}

/// How many processors were busy since then.
fn busy((since, before): (Instant, Cost), now: Cost) -> f64 {
    now.processor.saturating_sub(before.processor).as_secs_f64() / since.elapsed().as_secs_f64()
}

/// What is known of a daemon that was measured several times.
struct Bill {
    name: &'static str,
    first: Cost,
    last: (Instant, Cost),
}

impl Bill {
    fn new(name: &'static str, site: &Site) -> Self {
        let first = Cost::of(site);
        tell(&format!("{name}: before: {} KiB, {} descriptors", first.memory_kib, first.descriptors));
        Self { name, first, last: (Instant::now(), first) }
    }

    /// Memory that came since the beginning, in KiB, and the processors that were busy since the last time.
    fn now(&mut self, when: &str, site: &Site) -> (u64, f64) {
        let now = Cost::of(site);
        let grown = now.memory_kib.saturating_sub(self.first.memory_kib);
        let busy = busy(self.last, now);
        tell(&format!(
            "{}: {when}: {} KiB ({grown} more), {} descriptors, {busy:.2} processors",
            self.name, now.memory_kib, now.descriptors
        ));
        assert!(now.descriptors <= self.first.descriptors + 32, "{}: {when}: {now:?}", self.name);
        self.last = (Instant::now(), now);
        (grown, busy)
    }

    /// Waits until the daemon does nothing.
    fn until_idle(&mut self, site: &mut Site) {
        let (name, mut last) = (self.name, self.last);
        let most = Duration::from_mins(if campaign::is_long() { 30 } else { 2 });
        site.wait_for(most, &format!("{name}: a daemon that does nothing any more"), |site| {
            if last.0.elapsed() < Duration::from_secs(2) {
                return None;
            }
            let now = Cost::of(site);
            let busy = busy(last, now);
            last = (Instant::now(), now);
            (busy < 0.05).then_some(())
        });
        self.now("when it is over", site);
    }
}

/// A package that comes now is taken in as usual.
fn takes_in(site: &mut Site, name: &str) {
    let began = Instant::now();
    let nevra = site.drop_package(name, "1.0", &[]);
    let place = site.tree("untested").join(format!("Packages/{}/{nevra}.rpm", &name[..1]));
    site.wait(&format!("{nevra} to be taken in"), |_| place.is_file().then_some(()));
    tell(&format!("the next upload is taken in after {:?}", began.elapsed()));
}

fn rename(from: &Path, to: &Path) {
    fs::rename(from, to).unwrap();
}

#[test]
fn renames_without_end_take_no_memory() {
    let mut site = Site::start(&Wish::default());
    takes_in(&mut site, "before");
    let at = uploads(&site);
    fs::create_dir_all(at.join("mine/inner")).unwrap();
    fs::write(at.join("mine/file.txt"), "nothing").unwrap();
    let mut bill = Bill::new("renames", &site);
    let (began, long) = (Instant::now(), Duration::from_secs(if campaign::is_long() { 70 } else { 8 }));
    let mut renames = 0;
    while began.elapsed() < long {
        for _ in 0..500 {
            rename(&at.join("mine"), &at.join("yours"));
            rename(&at.join("yours/file.txt"), &at.join("yours/other.txt"));
            rename(&at.join("yours/other.txt"), &at.join("yours/file.txt"));
            rename(&at.join("yours"), &at.join("mine"));
            renames += 4;
        }
    }
    let (grown, _) = bill.now(&format!("after {renames} renames"), &site);
    assert!(grown < 16 << 10, "{grown} KiB more");
    takes_in(&mut site, "after");
    bill.until_idle(&mut site);
}

#[test]
fn many_directories_cost_nothing_while_nothing_changes() {
    let mut site = Site::start(&Wish::default());
    takes_in(&mut site, "before");
    let at = uploads(&site);
    let mut bill = Bill::new("directories", &site);
    let many: u32 = if campaign::is_long() { 120_000 } else { 12_000 };
    for number in 0..many {
        fs::create_dir_all(at.join(format!("d{}/{number}", number / 1_000))).unwrap();
    }
    let (grown, _) = bill.now(&format!("when there are {many}"), &site);
    assert!(grown < 96 << 10, "{grown} KiB more");
    bill.until_idle(&mut site);
    takes_in(&mut site, "meanwhile");
    for dir in 0..many.div_ceil(1_000) {
        fs::remove_dir_all(at.join(format!("d{dir}"))).unwrap();
    }
    bill.until_idle(&mut site);
    takes_in(&mut site, "after");
}

#[test]
fn directories_in_directories_delay_nobody() {
    let mut site = Site::start(&Wish::default());
    takes_in(&mut site, "before");
    let mut bill = Bill::new("nested directories", &site);
    let open = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut here = rustix::fs::open(uploads(&site), open, Mode::empty()).unwrap();
    for _ in 0..2_000 {
        rustix::fs::mkdirat(&here, "d", Mode::RWXU).unwrap();
        here = rustix::fs::openat(&here, "d", open, Mode::empty()).unwrap();
    }
    let before = Cost::of(&site).processor;
    takes_in(&mut site, "behind");
    // Nobody looks into those that lie deeper than uploads are searched.
    let busy = Cost::of(&site).processor.saturating_sub(before);
    assert!(busy < Duration::from_secs(1), "it was busy for {busy:?}");
    bill.until_idle(&mut site);
}

/// The bytes that files below a directory take, and how many there are.
fn kept(site: &Site) -> (usize, u64) {
    let files = files_below(&site.path("state/rejected"));
    let bytes = files.iter().filter_map(|file| fs::metadata(file).ok()).map(|meta| meta.len()).sum();
    (files.len(), bytes)
}

/// How many uploads lie there.
fn left(site: &Site) -> usize {
    files_below(&uploads(site)).iter().filter(|file| !file.ends_with("REFUSED.txt")).count()
}

/// Waits until nothing that was uploaded lies there any more, for as long as it gets less.
fn all_refused(site: &mut Site) {
    // To count many is work, too.
    let every = Duration::from_millis(if campaign::is_long() { 2_000 } else { 50 });
    let (mut last, mut counted) = (left(site), Instant::now());
    while last > 0 {
        last = site.wait("some of it to be refused", |site| {
            if counted.elapsed() < every {
                return None;
            }
            counted = Instant::now();
            Some(left(site)).filter(|now| *now < last)
        });
    }
}

/// The bytes of the logbook and of what SQLite has beside it.
fn logbook_bytes(site: &Site) -> u64 {
    let names = ["logbook.sqlite", "logbook.sqlite-wal", "logbook.sqlite-shm"];
    names.iter().filter_map(|name| fs::metadata(site.path("state").join(name)).ok()).map(|meta| meta.len()).sum()
}

fn logbook(site: &Site) -> u64 {
    let mut head = 0;
    loop {
        let page = site.document(&format!("/api/v1/log?from={}&limit=1000", head + 1));
        match page.as_array().and_then(|page| page.last()?["seq"].as_u64()) {
            Some(last) => head = last,
            None => return head,
        }
    }
}

#[test]
fn junk_without_end_fills_neither_the_disk_nor_the_logbook() {
    // At full length the bounds are those that everybody has who says nothing.
    let (many, most, intake) = if campaign::is_long() {
        (38_000, 10_000, "")
    } else {
        (3_000, 300, "rejected = { files = 300, size = \"1MiB\" }")
    };
    let mut site = Site::prepare(&Wish { intake, ..Wish::default() });
    site.up();
    let mut bill = Bill::new("junk", &site);
    // Each file with bytes of its own, and then the same ones again.
    for round in 0..2 {
        let (before, began, cost) = (logbook(&site), Instant::now(), Cost::of(&site));
        for number in 0..many {
            let name = format!("junk{number}.rpm");
            fs::write(uploads(&site).join(name), format!("junk number {number}").repeat(100)).unwrap();
        }
        let dropped = began.elapsed();
        bill.now(&format!("round {round}: when {many} files of junk are there, after {dropped:?}"), &site);
        all_refused(&mut site);
        bill.now(&format!("round {round}: when all are refused, after {:?}", began.elapsed()), &site);
        // Each has its reason beside it; a look's worth may be over the bound for a moment.
        site.wait("what is too much to go", |site| (kept(site).0 <= 2 * most).then_some(()));
        let ((files, bytes), entries) = (kept(&site), logbook(&site) - before);
        let processor = Cost::of(&site).processor.saturating_sub(cost.processor);
        tell(&format!(
            "junk: round {round}: {files} files kept, {bytes} bytes; {entries} entries, {} bytes of logbook; \
             {processor:?} of processor",
            logbook_bytes(&site)
        ));
        assert!(entries <= many / 8, "{entries} entries for {many} files");
    }
    takes_in(&mut site, "after");
    bill.until_idle(&mut site);
    assert!(site.ctl_good(&["rejected"]).contains(&format!("{most} files kept")));
    // The same bytes again and again, under any name, are one file and few entries.
    let (before, files) = (logbook(&site), kept(&site).0);
    for round in 0..12 {
        for number in 0..20 {
            fs::write(uploads(&site).join(format!("same{round}-{number}.rpm")), "the same junk".repeat(100)).unwrap();
        }
        all_refused(&mut site);
    }
    let page = site.document("/api/v1/rejected?limit=1");
    assert_eq!((page["files"][0]["times"].as_u64(), page["total"].as_u64()), (Some(240), Some(most as u64)), "{page}");
    assert_eq!(kept(&site).0, files, "the oldest one has gone for it");
    let entries = logbook(&site) - before;
    tell(&format!("junk: 240 times the same bytes: {entries} entries"));
    assert!(entries <= 20, "{entries}");
    assert!(reasons(&site).is_empty());
}

/// A site with an uploader of its own, and a directory in which others' packages can be cleared away.
fn site_of_several() -> Site {
    let mut site = site_of_two(&Wish::default());
    let batch = uploads(&site).join("batch");
    fs::create_dir(&batch).unwrap();
    fs::set_permissions(&batch, fs::Permissions::from_mode(0o777)).unwrap();
    takes_in(&mut site, "before");
    site
}

/// A directory of the uploader's, so many levels of the longest names down.
fn deep_dir(site: &Site, levels: usize) -> OwnedFd {
    let open = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut here = rustix::fs::open(uploads(site), open, Mode::empty()).unwrap();
    for _ in 0..levels {
        let name = "d".repeat(255);
        rustix::fs::mkdirat(&here, &name, Mode::from_raw_mode(0o775)).unwrap();
        here = rustix::fs::openat(&here, &name, open, Mode::empty()).unwrap();
        rustix::fs::fchown(&here, Some(Uid::from_raw(UPLOADER)), Some(Gid::from_raw(PACKAGERS))).unwrap();
    }
    here
}

/// Files of the uploader's, with names as long as they can be that come before all others.
fn heap(dir: &OwnedFd, many: usize, mode: u32, content: impl Fn(usize) -> Vec<u8>) {
    let create = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
    for number in 0..many {
        let file = rustix::fs::openat(dir, format!("{number:0>251}.rpm"), create, Mode::from_raw_mode(mode)).unwrap();
        rustix::fs::fchown(&file, Some(Uid::from_raw(UPLOADER)), Some(Gid::from_raw(PACKAGERS))).unwrap();
        rustix::io::write(&file, &content(number)).unwrap();
    }
}

/// The most memory that the daemon ever took, in KiB.
fn most_memory(site: &Site) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", site.pid())).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    most.trim_end_matches("kB").trim().parse().unwrap()
}

#[test]
fn files_that_wait_in_heaps_take_bounded_memory_and_delay_nobody() {
    if !peers::root("another user") {
        return;
    }
    let many = if campaign::is_long() { 120_000 } else { 12_000 };
    for levels in [0, 14] {
        let mut site = site_of_several();
        let mut bill = Bill::new("files that nobody can read", &site);
        heap(&deep_dir(&site, levels), many, 0o600, |_| b"nobody reads it".to_vec());
        site.wait("them to be named", |site| {
            let page = site.document("/api/v1/uploads").to_string();
            page.contains("\"stuck\"").then_some(())
        });
        for n in 0..5 {
            takes_in(&mut site, &format!("meanwhile{n}"));
        }
        bill.now(&format!("when {many} lie there, {levels} deep"), &site);
        bill.until_idle(&mut site);
        takes_in(&mut site, "after");
        let most = most_memory(&site).saturating_sub(bill.first.memory_kib);
        tell(&format!("at most {most} KiB more, {} bytes for each file", (most << 10) / many as u64));
        assert!(most < 128 << 10, "{most} KiB");
        assert!(reasons(&site).is_empty());
    }
}

#[test]
fn a_heap_of_one_uploader_does_not_hold_up_the_packages_of_others() {
    if !peers::root("another user") {
        return;
    }
    let many = if campaign::is_long() { 38_000 } else { 3_000 };
    let mut site = site_of_several();
    let mut bill = Bill::new("a heap of one uploader", &site);
    heap(&deep_dir(&site, 0), many, 0o644, |number| format!("junk number {number}").repeat(100).into_bytes());
    for n in 0..5 {
        takes_in(&mut site, &format!("meanwhile{n}"));
    }
    let left = left(&site);
    bill.now(&format!("when {left} of {many} are left"), &site);
    assert!(left > 0, "it was over before");
    all_refused(&mut site);
    bill.until_idle(&mut site);
}
